/* How targets are, as their balancers' nodes see it. */
#include "host/host.h"
#include "services/elbv2/node.h"

struct str elbv2_server_name(struct arena *a, const struct elbv2_rec_target *t)
{
	struct buf b = BUF_IN(a);
	/* Of an ARN, what is behind the last slash names it. */
	struct str id = str_from(t->id, (size_t)(str_rchr(t->id, '/') + 1));
	buf_fmt(&b, "%.*s_%d", STR_ARG(id), t->port.v);
	return buf_done(&b);
}

/* One node's servers, joined to what others said: up anywhere is up. */
static void join(
	struct call *c, const struct elbv2_rec_group *g, struct str folder, struct str text, struct elbv2_seen *out)
{
	struct elbv2 *e = c->state;
	struct elbv2_table t = {.rest = text};
	struct str backend = str_fmt(c->arena, "g_%.*s", STR_ARG(g->id)), line;
	while (elbv2_table_next(&t, &line)) {
		if (!str_starts(line, backend)) continue;
		struct elbv2_seen_target s = {.name = elbv2_column(&t, line, "svname"),
			.up = str_starts(elbv2_column(&t, line, "status"), STR("UP")),
			.check = elbv2_column(&t, line, "check_status"),
			.code = elbv2_number(elbv2_column(&t, line, "check_code"), 0)};
		/* "* L7OK": a check is under way, and this was the last one's end. */
		if (str_starts(s.check, STR("* "))) s.check = str_from(s.check, 2);
		s.checked = s.check.n && !str_is(s.check, "INI") && !str_is(s.check, "UNK") &&
			    !elbv2_watch_is_fresh(e->watch, c->arena, folder, backend, s.name);
		/* Of a target in several zones. */
		struct str rest = s.name;
		s.name = str_cut(&rest, ':');
		struct elbv2_seen_target *had = NULL;
		for (size_t i = 0; i < out->n; i++)
			if (str_eq(out->v[i].name, s.name)) had = &out->v[i];
		if (!had)
			*VEC_PUSH(c->arena, out, &out->capacity) = s;
		else if (s.up || (!had->up && s.checked))
			*had = s;
	}
}

status elbv2_see(struct call *c, const struct elbv2_rec_group *g, struct elbv2_seen *out)
{
	struct elbv2_all_balancers all;
	*out = (struct elbv2_seen){.simulated = !host_available(c->cloud->host)};
	if (out->simulated || !g->balancers.n) return OK;
	TRY(elbv2_balancers(ec2_here(c), &all));
	for (size_t i = 0; i < all.n; i++) {
		if (!elbv2_among(&g->balancers, elbv2_balancer_arn(ec2_here(c), &all.v[i]))) continue;
		for (size_t k = 0; k < all.v[i].zones.n; k++) {
			struct elbv2_socket s = {c->cloud, elbv2_folder(c->arena, all.v[i].zones.v[k].eni)};
			struct str text;
			if (is_ok(elbv2_ask(c->arena, &s, STR("show stat -1 4 -1"), &text)))
				join(c, g, s.folder, text, out);
		}
	}
	return OK;
}

static void unhealthy(struct call *c, const struct elbv2_seen_target *s, struct elbv2_target_health *h)
{
	h->state = STR("unhealthy");
	if (str_is(s->check, "L7STS") && s->code) {
		h->reason = STR("Target.ResponseCodeMismatch");
		h->description = str_fmt(c->arena, "Health checks failed with these codes: [%d]", s->code);
	} else if (str_is(s->check, "L4TOUT") || str_is(s->check, "L6TOUT") || str_is(s->check, "L7TOUT")) {
		h->reason = STR("Target.Timeout");
		h->description = STR("Request timed out");
	} else {
		h->reason = STR("Target.FailedHealthChecks");
		h->description = STR("Health checks failed");
	}
}

void elbv2_seen_health(
	struct call *c, const struct elbv2_rec_target *t, const struct elbv2_seen *seen, struct elbv2_target_health *h)
{
	struct str name = elbv2_server_name(c->arena, t);
	if (seen->simulated) {
		h->state = STR("unavailable");
		h->reason = STR("Elb.InternalError");
		h->description =
			str_fmt(c->arena, "Load balancing is simulated: %.*s", STR_ARG(host_why(c->cloud->host)));
		return;
	}
	for (size_t i = 0; i < seen->n; i++) {
		const struct elbv2_seen_target *s = &seen->v[i];
		if (!str_eq(s->name, name)) continue;
		if (s->up) {
			h->state = STR("healthy");
		} else if (!s->checked) {
			h->state = STR("initial");
			h->reason = STR("Elb.InitialHealthChecking");
			h->description = STR("Initial health checks in progress");
		} else {
			unhealthy(c, s, h);
		}
		return;
	}
	h->state = STR("initial");
	h->reason = STR("Elb.RegistrationInProgress");
	h->description = STR("Target registration is in progress");
}
