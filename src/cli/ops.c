/* `virga ops`: which operations are done and which are missing, from the tables that the program itself runs by. */
#include "call/call.h"
#include "cli/cli.h"
#include <stdio.h>

static const struct service *implementation(const struct wire_service *model)
{
	for (size_t i = 0; i < services_length; i++)
		if (services[i]->model == model) return services[i];
	return NULL;
}

static bool is_done(const struct service *s, uint32_t op)
{
	return s && s->ops[op].handler;
}

static size_t count_done(const struct wire_service *model)
{
	const struct service *s = implementation(model);
	size_t n = 0;
	for (uint32_t i = 0; i < model->tables.n_ops; i++) n += is_done(s, i);
	return n;
}

static int print_all(void)
{
	size_t done = 0, total = 0;
	for (size_t i = 0; i < wire_services_length; i++) {
		const struct wire_service *s = wire_services[i];
		size_t n = count_done(s);
		printf("%-26s %4zu of %4u  %s\n", s->name, n, s->tables.n_ops, s->title);
		done += n;
		total += s->tables.n_ops;
	}
	printf("%-26s %4zu of %4zu  operations of %zu services\n", "all", done, total, wire_services_length);
	return 0;
}

static int print_service(const struct wire_service *model)
{
	const struct service *s = implementation(model);
	for (uint32_t i = 0; i < model->tables.n_ops; i++) {
		struct str name = wire_str(&model->tables, model->tables.ops[i].name);
		printf("%-8s %.*s\n", is_done(s, i) ? "done" : "missing", STR_ARG(name));
	}
	printf("%zu of %u\n", count_done(model), model->tables.n_ops);
	return 0;
}

static int run_ops(const struct cli_args *args)
{
	if (args->n_words == 0) return print_all();
	for (size_t i = 0; i < wire_services_length; i++)
		if (strcmp(wire_services[i]->name, args->words[0]) == 0) return print_service(wire_services[i]);
	return cli_fail("virga knows no service '%s'; `virga ops` lists them", args->words[0]);
}

const struct cli_command cli_ops = {.name = "ops",
	.words = "[SERVICE]",
	.max_words = 1,
	.summary = "which operations are done, which are missing",
	.run = run_ops,
	.more = "An operation that is missing answers NotImplemented (HTTP 501) and names itself."};
