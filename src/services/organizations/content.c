/* What policies may say: control policies in the IAM policy language, management policies in their own ("Management
 * policy syntax and inheritance"), and what comes of those along the way from the root to an account. */
#include "base/json.h"
#include "services/organizations/room.h"

#define DEPTH_MAX 16

/* "Quotas and service limits for AWS Organizations": the most characters of a document, white space included. */
static const struct {
	const char *type, *top;
	size_t most;
} types[] = {
	{"SERVICE_CONTROL_POLICY", NULL, 5120},
	{"RESOURCE_CONTROL_POLICY", NULL, 5120},
	{"TAG_POLICY", "tags", 10000},
	{"BACKUP_POLICY", "plans", 10000},
	{"AISERVICES_OPT_OUT_POLICY", "services", 2500},
	{"CHATBOT_POLICY", "chatbots", 10000},
	{"DECLARATIVE_POLICY_EC2", "ec2_attributes", 10000},
	{"SECURITYHUB_POLICY", "securityhub", 10000},
	{"INSPECTOR_POLICY", "inspector", 10000},
	{"UPGRADE_ROLLOUT_POLICY", "upgrade_rollout", 10000},
	{"BEDROCK_POLICY", "bedrock", 10000},
	{"S3_POLICY", "s3_attributes", 10000},
	{"NETWORK_SECURITY_DIRECTOR_POLICY", "network_security_director", 10000},
};

enum { ASSIGN = 1, APPEND = 2, REMOVE = 4, EVERY = 7 };

static unsigned operator_of(struct str name)
{
	return str_is(name, "@@assign")   ? ASSIGN
	       : str_is(name, "@@append") ? APPEND
	       : str_is(name, "@@remove") ? REMOVE
					  : 0;
}

static bool is_control(struct str name)
{
	return str_is(name, "@@operators_allowed_for_child_policies");
}

static bool is_scalar(const struct json_value *v)
{
	return v->type == JSON_IS_STRING || v->type == JSON_IS_NUMBER || v->type == JSON_IS_BOOL;
}

static bool good_values(const struct json_value *v)
{
	if (is_scalar(v)) return true;
	if (v->type != JSON_IS_ARRAY) return false;
	for (const struct json_value *i = v->first; i; i = i->next)
		if (!is_scalar(i)) return false;
	return true;
}

static bool good_control(const struct json_value *v)
{
	if (v->type != JSON_IS_ARRAY) return false;
	for (const struct json_value *i = v->first; i; i = i->next) {
		struct str name = json_string(i);
		if (!operator_of(name) && !str_is(name, "@@all") && !str_is(name, "@@none")) return false;
	}
	return true;
}

/* A node has operators, or nodes below it; either may say what children may do. */
static bool good_node(const struct json_value *v, unsigned depth)
{
	bool operators = false, nodes = false;
	if (v->type != JSON_IS_OBJECT || depth > DEPTH_MAX) return false;
	for (const struct json_value *m = v->first; m; m = m->next) {
		if (is_control(m->name)) {
			if (!good_control(m)) return false;
		} else if (operator_of(m->name)) {
			operators = true;
			if (!good_values(m)) return false;
		} else {
			nodes = true;
			if (str_starts(m->name, STR("@@")) || !good_node(m, depth + 1)) return false;
		}
	}
	return !(operators && nodes);
}

static status check_control(struct call *c, struct str type, struct str content)
{
	struct policy *p = NULL;
	struct policy_error why = {0};
	struct policy_source source = {
		.type = str_is(type, "SERVICE_CONTROL_POLICY") ? POLICY_SCP : POLICY_RCP, .label = STR("")};
	status s = policy_parse(content, &source, &p, &why);
	policy_free(p);
	if (is_ok(s)) return OK;
	return ORGS_FAIL(c, MALFORMED_POLICY_DOCUMENT,
		"The provided policy document does not meet the requirements of the specified policy type: %s",
		why.message);
}

status orgs_check_content(struct call *c, struct str type, struct str content)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (!str_eq(type, str_c(types[i].type))) continue;
		if (str_utf8_length(content) > types[i].most)
			return orgs_constraint(c, "POLICY_CONTENT_LIMIT_EXCEEDED",
				"You exceeded the maximum size of a policy of this type: %zu characters.",
				types[i].most);
		if (!types[i].top) return check_control(c, type, content);
		struct json_value *v;
		bool good = is_ok(json_read(c->arena, content, &v)) && v->type == JSON_IS_OBJECT && v->length == 1 &&
			    str_eq(v->first->name, str_c(types[i].top)) && good_node(v->first, 0);
		if (good) return OK;
		return ORGS_FAIL(c, MALFORMED_POLICY_DOCUMENT,
			"The provided policy document does not meet the requirements of the specified policy type.");
	}
	return orgs_input(c, "INVALID_ENUM_POLICY_TYPE", "You specified an invalid policy type.");
}

/* ── inheritance ──────────────────────────────────────────────────────────────────────────────────────────────── */

struct node {
	struct str name;
	struct node *first, *last, *next;
	bool leaf, many;
	struct {
		const struct json_value **v;
		size_t n;
	} values;
	size_t capacity;
	unsigned allowed; /* operators that policies below `allowed_level` may use here */
	bool limited;
	size_t allowed_level;
};

static struct node *child_of(struct node *parent, struct str name)
{
	for (struct node *n = parent->first; n; n = n->next)
		if (str_eq(n->name, name)) return n;
	return NULL;
}

static struct node *add_child(struct arena *a, struct node *parent, struct str name)
{
	struct node *n = arena_new(a, struct node);
	n->name = name;
	n->allowed = EVERY;
	if (parent->last)
		parent->last->next = n;
	else
		parent->first = n;
	parent->last = n;
	return n;
}

static bool may(const struct node *n, unsigned operator, size_t level)
{
	return !n->limited || n->allowed_level >= level || (n->allowed & operator);
}

static bool same(const struct json_value *x, const struct json_value *y)
{
	return x->type == y->type && str_eq(x->text, y->text);
}

static void add_value(struct arena *a, struct node *n, const struct json_value *v)
{
	for (size_t i = 0; i < n->values.n; i++)
		if (same(n->values.v[i], v)) return;
	*VEC_PUSH(a, &n->values, &n->capacity) = v;
}

static void remove_value(struct node *n, const struct json_value *v)
{
	size_t left = 0;
	for (size_t i = 0; i < n->values.n; i++)
		if (!same(n->values.v[i], v) && !str_is(v->text, "*")) n->values.v[left++] = n->values.v[i];
	n->values.n = left;
}

static void operate(struct arena *a, struct node *n, unsigned operator, const struct json_value * v)
{
	bool list = v->type == JSON_IS_ARRAY;
	n->leaf = true;
	if (operator== ASSIGN) {
		n->values.n = 0;
		n->many = list;
	}
	if (operator== APPEND) n->many = true;
	for (const struct json_value *i = list ? v->first : v; i; i = list ? i->next : NULL) {
		if (operator== REMOVE)
			remove_value(n, i);
		else
			add_value(a, n, i);
	}
}

static void limit(struct node *n, const struct json_value *v, size_t level)
{
	unsigned allowed = 0;
	for (const struct json_value *i = v->first; i; i = i->next) {
		struct str name = json_string(i);
		allowed |= str_is(name, "@@all") ? EVERY : operator_of(name);
	}
	if (n->limited && n->allowed_level < level && !n->allowed) return;
	n->allowed = n->limited ? n->allowed & allowed : allowed;
	n->limited = true;
	n->allowed_level = level;
}

/* What a policy says of a node counts as far as those above leave it to it: values by operator, new nodes by @@assign.
 */
static void apply(struct arena *a, struct node *n, const struct json_value *v, size_t level)
{
	for (const struct json_value *m = v->first; m; m = m->next) {
		unsigned operator= operator_of(m->name);
		if (operator) {
			if (may(n, operator, level)) operate(a, n, operator, m);
		} else if (!is_control(m->name)) {
			struct node *child = child_of(n, m->name);
			if (!child && !may(n, ASSIGN, level)) continue;
			apply(a, child ? child : add_child(a, n, m->name), m, level);
		}
	}
	for (const struct json_value *m = v->first; m; m = m->next)
		if (is_control(m->name)) limit(n, m, level);
}

static void write_node(struct buf *b, const struct node *n)
{
	if (n->leaf) {
		if (n->many) buf_byte(b, '[');
		for (size_t i = 0; i < n->values.n; i++) {
			if (i) buf_byte(b, ',');
			json_write(b, n->values.v[i]);
		}
		if (n->many) buf_byte(b, ']');
		if (!n->many && !n->values.n) buf_lit(b, "null");
		return;
	}
	buf_byte(b, '{');
	for (const struct node *i = n->first; i; i = i->next) {
		if (i != n->first) buf_byte(b, ',');
		json_quote(b, i->name);
		buf_byte(b, ':');
		write_node(b, i);
	}
	buf_byte(b, '}');
}

status orgs_merge(struct arena *a, const struct str *contents, const size_t *levels, size_t n, struct str *out)
{
	struct node top = {.allowed = EVERY};
	for (size_t i = 0; i < n; i++) {
		struct json_value *v;
		TRY(json_read(a, contents[i], &v));
		apply(a, &top, v, levels[i]);
	}
	struct buf b = BUF_IN(a);
	write_node(&b, &top);
	*out = buf_done(&b);
	return OK;
}
