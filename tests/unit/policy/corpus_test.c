/* The corpus of evaluation cases: tables in tests/unit/policy/corpus/, where each case stands under the title of the
 * documentation page that decides it. corpus/README.md tells the format. */
#include "base/buf.h"
#include "policy/internal.h"
#include "test.h"
#include <glob.h>

#define NAMES_MAX 256
static struct {
	struct arena arena;
	const char *file;
	int line;
	struct str page;
	struct {
		struct str name;
		struct policy *policy;
	} policies[NAMES_MAX];
	size_t n_policies;
	struct {
		struct str name;
		struct policy_principal principal;
	} whos[NAMES_MAX];
	size_t n_whos;
	int cases, failed;
} run;

static void wrong(const char *what, struct str detail)
{
	fprintf(stderr, "%s:%d: %s: %.*s\n", run.file, run.line, what, STR_ARG(detail));
	run.failed++;
	test_failed++;
}

static struct str cut_at(struct str *s, struct str separator)
{
	struct str part = *s;
	ptrdiff_t at = str_find(*s, separator);
	if (at < 0) {
		*s = STR_NONE;
		return str_trim(part);
	}
	*s = str_from(part, (size_t)at + separator.n);
	return str_trim(str_sub(part, 0, (size_t)at));
}

static struct policy *parse(struct str text, enum policy_type type, struct str label)
{
	struct policy *p = NULL;
	struct policy_error why;
	struct policy_source source = {.type = type, .label = label};
	if (!is_ok(policy_parse(text, &source, &p, &why))) wrong(why.message, text);
	return p;
}

static const struct {
	const char *name;
	enum policy_type type;
} type_names[] = {{"identity", POLICY_IDENTITY}, {"boundary", POLICY_BOUNDARY}, {"session", POLICY_SESSION},
	{"resource", POLICY_RESOURCE}, {"trust", POLICY_TRUST}, {"scp", POLICY_SCP}, {"rcp", POLICY_RCP},
	{"endpoint", POLICY_ENDPOINT}};

static bool type_of(struct str name, enum policy_type *out)
{
	for (size_t i = 0; i < sizeof type_names / sizeof *type_names; i++) {
		if (!str_eq(name, str_c(type_names[i].name))) continue;
		*out = type_names[i].type;
		return true;
	}
	wrong("no such type of policy", name);
	return false;
}

static const struct policy_principal *who_named(struct str name)
{
	static const struct policy_principal nobody;
	for (size_t i = 0; i < run.n_whos; i++)
		if (str_eq(run.whos[i].name, name)) return &run.whos[i].principal;
	wrong("no such principal", name);
	return &nobody;
}

static void read_who(struct str rest)
{
	static const char *const kinds[] = {"anonymous", "root", "user", "role", "federated", "service", "provider"};
	struct policy_principal p = {.account = STR(""), .arn = STR("")};
	struct str name = cut_at(&rest, STR(" ")), kind = cut_at(&rest, STR(" "));
	size_t k = 0;
	while (k < sizeof kinds / sizeof *kinds && !str_eq(kind, str_c(kinds[k]))) k++;
	if (k == sizeof kinds / sizeof *kinds) wrong("no such kind of principal", kind);
	p.kind = (enum policy_caller)k;
	while (str_has(rest)) {
		struct str value = cut_at(&rest, STR(" ")), field = cut_at(&value, STR("="));
		struct str *slot = str_is(field, "account") ? &p.account
				 : str_is(field, "arn")	  ? &p.arn
				 : str_is(field, "issuer")	  ? &p.issuer_arn
				 : str_is(field, "id")	  ? &p.user_id
				 : str_is(field, "name")	  ? &p.name
				 : str_is(field, "canonical") ? &p.canonical_user
							      : NULL;
		if (slot)
			*slot = value;
		else
			wrong("no such field of a principal", field);
	}
	run.whos[run.n_whos].name = name;
	run.whos[run.n_whos++].principal = p;
}

/* name=value & name=[a|b] & name=[] */
static void read_keys(struct policy_context *c, struct str rest)
{
	rest = str_trim(rest);
	if (!rest.n) return;
	while (str_has(rest)) {
		struct str value = cut_at(&rest, STR(" & "));
		struct str name = cut_at(&value, STR("="));
		if (!str_has(value)) {
			wrong("a key needs a value", name);
			continue;
		}
		if (!str_starts(value, STR("[")) || !str_ends(value, STR("]"))) {
			policy_context_set(c, name, value);
			continue;
		}
		value = str_sub(value, 1, value.n - 2);
		struct str *list = arena_new_n(&run.arena, struct str, value.n + 1);
		size_t n = 0;
		while (value.n && str_has(value)) list[n++] = str_cut(&value, '|');
		policy_context_set_list(c, name, list, n);
	}
}

static struct policy_list read_list(struct str names)
{
	const struct policy **v = arena_new_n(&run.arena, const struct policy *, names.n + 1);
	struct policy_list list = {v, 0};
	while (str_has(names) && names.n) {
		struct str name = cut_at(&names, STR(","));
		size_t i = 0;
		while (i < run.n_policies && !str_eq(run.policies[i].name, name)) i++;
		if (i < run.n_policies)
			v[list.n++] = run.policies[i].policy;
		else if (!str_is(name, "none"))
			wrong("no such policy", name);
	}
	return list;
}

static struct policy_levels read_levels(struct str names)
{
	struct policy_list *v = arena_new_n(&run.arena, struct policy_list, names.n + 1);
	struct policy_levels levels = {v, 0};
	while (str_has(names)) v[levels.n++] = read_list(cut_at(&names, STR("/")));
	return levels;
}

static struct str outcome(const struct policy_decision *d)
{
	if (d->outcome == POLICY_ALLOWED) return STR("allow");
	for (size_t i = 0; i < sizeof type_names / sizeof *type_names; i++)
		if (type_names[i].type == d->by)
			return str_fmt(&run.arena, "%s %s", d->outcome == POLICY_DENIED_EXPLICITLY ? "deny"
				: "implicit",
				type_names[i].name);
	return STR("?");
}

/* case WHO ACTION ARN[,ARN][@ACCOUNT][!] ; identity=a,b boundary=c scp=l1/l2 … ; keys ; allow | deny TYPE | implicit TYPE */
static void run_case(struct str rest)
{
	struct str head = cut_at(&rest, STR(" ;")), sets = cut_at(&rest, STR(" ;")), keys = cut_at(&rest, STR(" ;"));
	struct str want = str_has(rest) ? str_trim(rest) : STR("?");
	const struct policy_principal *who = who_named(cut_at(&head, STR(" ")));
	struct str action = cut_at(&head, STR(" ")), arns = cut_at(&head, STR(" ")), account = STR("");
	struct policy_resource resources[8] = {0}, model = {0};
	struct policy_subject subject = {0};
	if (str_ends(arns, STR("!"))) {
		model.policy_required = true;
		arns.n--;
	}
	ptrdiff_t at = str_rchr(arns, '@');
	if (at >= 0) {
		account = str_from(arns, (size_t)at + 1);
		arns.n = (size_t)at;
	}
	while (str_has(sets) && sets.n) {
		struct str value = cut_at(&sets, STR(" ")), set = cut_at(&value, STR("="));
		if (str_is(set, "identity")) subject.identity = read_list(value);
		else if (str_is(set, "boundary")) subject.boundary = read_list(value), subject.has_boundary = true;
		else if (str_is(set, "session")) subject.session = read_list(value), subject.has_session = true;
		else if (str_is(set, "endpoint")) subject.endpoint = read_list(value), subject.has_endpoint = true;
		else if (str_is(set, "resource")) model.policies = read_list(value);
		else if (str_is(set, "scp")) subject.scps = read_levels(value);
		else if (str_is(set, "rcp")) model.rcps = read_levels(value);
		else if (!str_is(set, "none")) wrong("no such set of policies", set);
	}
	struct policy_context context = POLICY_CONTEXT_IN(&run.arena);
	policy_context_set_principal(&context, who);
	read_keys(&context, keys);
	struct policy_request r = {.principal = who, .action = action, .resources = resources, .context = &context};
	while (str_has(arns) && r.n_resources < 8) {
		resources[r.n_resources] = model;
		resources[r.n_resources].account = account;
		resources[r.n_resources++].arn = str_cut(&arns, ',');
	}
	struct policy_decision d;
	bool allowed = policy_evaluate(&run.arena, &r, &subject, &d);
	if (allowed != (d.outcome == POLICY_ALLOWED)) wrong("the answer and the decision differ", outcome(&d));
	if (!str_eq(outcome(&d), want))
		wrong("decided", str_fmt(&run.arena, "%.*s, not %.*s", STR_ARG(outcome(&d)), STR_ARG(want)));
}

/* A statement that allows everything under this condition, evaluated with these keys. */
static void run_condition(struct str rest)
{
	struct str block = cut_at(&rest, STR(" ;")), keys = cut_at(&rest, STR(" ;")), want = str_or(rest, STR("?"));
	struct policy_principal who = {.kind = POLICY_CALLER_USER, .account = STR("111122223333"),
		.arn = STR("arn:aws:iam::111122223333:user/alice"), .name = STR("alice")};
	struct policy *p = parse(str_fmt(&run.arena, "{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\","
		"\"Action\":\"*\",\"Resource\":\"*\",\"Condition\":%.*s}}", STR_ARG(block)), POLICY_IDENTITY, STR_NONE);
	if (!p) return;
	struct policy_context context = POLICY_CONTEXT_IN(&run.arena);
	read_keys(&context, keys);
	const struct policy *v[] = {p};
	struct policy_subject subject = {.identity = {v, 1}};
	struct policy_resource resource = {.arn = STR("arn:aws:s3:::bucket/key")};
	struct policy_request r = {&who, STR("s3:GetObject"), &resource, 1, &context};
	struct policy_decision d;
	bool holds = policy_evaluate(&run.arena, &r, &subject, &d);
	if (!str_eq(str_trim(want), holds ? STR("holds") : STR("fails"))) wrong("the condition", holds
		? STR("holds") : STR("fails"));
	policy_free(p);
}

/* One pattern of Action or Resource (or their Not forms) against one value. */
static void run_pattern(struct str rest, const char *element)
{
	bool action = strstr(element, "Action") != NULL;
	struct str pattern = cut_at(&rest, STR(" ;")), value = cut_at(&rest, STR(" ;")), keys = cut_at(&rest,
		STR(" ;"));
	struct str want = str_or(rest, STR("?"));
	struct policy_principal who = {.kind = POLICY_CALLER_USER, .account = STR("111122223333"), .name = STR("alice"),
		.arn = STR("arn:aws:iam::111122223333:user/alice")};
	struct policy *p = parse(str_fmt(&run.arena, "{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\","
		"\"%s\":[\"%.*s\"],\"%s\":\"*\"}}", element, STR_ARG(pattern), action ? "Resource" : "Action"),
			POLICY_IDENTITY, STR_NONE);
	if (!p) return;
	struct policy_context context = POLICY_CONTEXT_IN(&run.arena);
	read_keys(&context, keys);
	const struct policy *v[] = {p};
	struct policy_subject subject = {.identity = {v, 1}};
	struct policy_resource resource = {.arn = action ? STR("*") : value};
	struct policy_request r = {&who, action ? value : STR("x:Y"), &resource, 1, &context};
	struct policy_decision d;
	bool covered = policy_evaluate(&run.arena, &r, &subject, &d);
	if (!str_eq(str_trim(want), covered ? STR("yes") : STR("no"))) wrong("covered", covered ? STR("yes")
		: STR("no"));
	policy_free(p);
}

/* principal JSON ; WHO ; none | account | issuer | direct: of an Allow; notprincipal: of a Deny, none | direct. */
static void run_principal(struct str rest, const char *element)
{
	static const char *const grants[] = {"none", "account", "issuer", "direct"};
	struct str block = cut_at(&rest, STR(" ;")), want;
	const struct policy_principal *who = who_named(cut_at(&rest, STR(" ;")));
	want = str_trim(str_or(rest, STR("?")));
	struct policy *p = parse(str_fmt(&run.arena,
		"{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"%s\",\"Action\":"
		"\"*\",\"Resource\":\"*\",\"%s\":%.*s}}", *element == 'N' ? "Deny" : "Allow", element,
			STR_ARG(block)), POLICY_RESOURCE, STR_NONE);
	if (!p) return;
	enum grant g = principal_grant(who, p, p->statements);
	if (!str_eq(want, str_c(grants[g]))) wrong("granted", str_c(grants[g]));
	policy_free(p);
}

static void run_line(struct str word, struct str rest)
{
	run.cases++;
	test_checks++;
	if (!run.page.n) wrong("a case without a page", rest);
	if (str_is(word, "case")) run_case(rest);
	else if (str_is(word, "condition")) run_condition(rest);
	else if (str_is(word, "action")) run_pattern(rest, "Action");
	else if (str_is(word, "notaction")) run_pattern(rest, "NotAction");
	else if (str_is(word, "resource")) run_pattern(rest, "Resource");
	else if (str_is(word, "notresource")) run_pattern(rest, "NotResource");
	else if (str_is(word, "principal")) run_principal(rest, "Principal");
	else if (str_is(word, "notprincipal")) run_principal(rest, "NotPrincipal");
	else wrong("no such line", word);
}

static void run_file(const char *path)
{
	struct buf b = BUF_IN(&run.arena);
	FILE *f = fopen(path, "rb");
	CHECK(f != NULL);
	if (!f) return;
	for (size_t got; (got = fread(buf_reserve(&b, 65536), 1, 65536, f)) > 0;) b.n += got;
	fclose(f);
	run.file = path;
	run.line = 0;
	run.page = STR("");
	run.n_whos = 0;
	size_t first_policy = run.n_policies;
	for (struct str text = buf_done(&b); str_has(text);) {
		struct str line = str_cut(&text, '\n'), rest = str_trim(line), word;
		run.line++;
		if (!rest.n || *rest.p == '#') continue;
		word = cut_at(&rest, STR(" "));
		if (str_is(word, "page")) {
			run.page = rest;
		} else if (str_is(word, "who")) {
			read_who(rest);
		} else if (str_is(word, "policy")) {
			struct str name = cut_at(&rest, STR(" "));
			enum policy_type type;
			struct buf json = BUF_IN(&run.arena);
			int from = run.line;
			while (str_has(text)) {
				line = str_cut(&text, '\n');
				run.line++;
				if (str_is(str_trim(line), "end")) break;
				buf_str(&json, line);
				buf_byte(&json, '\n');
			}
			int at = run.line;
			run.line = from;
			if (type_of(rest, &type)) {
				run.policies[run.n_policies].name = name;
				run.policies[run.n_policies].policy = parse(buf_done(&json), type, name);
				if (run.policies[run.n_policies].policy) run.n_policies++;
			}
			run.line = at;
		} else {
			run_line(word, rest);
		}
	}
	while (run.n_policies > first_policy) policy_free(run.policies[--run.n_policies].policy);
}

TEST(corpus)
{
	glob_t found;
	arena_init(&run.arena);
	CHECK(glob("tests/unit/policy/corpus/*.txt", 0, NULL, &found) == 0);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		int before = run.cases;
		run_file(found.gl_pathv[i]);
		printf("%s: %d cases\n", found.gl_pathv[i], run.cases - before);
	}
	globfree(&found);
	printf("%d cases, %d failed\n", run.cases, run.failed);
	CHECK(run.cases >= 400);
	arena_cleanup(&run.arena);
}

TEST_MAIN()
