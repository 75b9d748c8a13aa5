/* Roots and organizational units: the tree, its edges and its limits. */
#include "services/organizations/room.h"

status orgs_get_unit(struct call *c, const struct organizations_rec_organization *o, struct str id,
	struct organizations_rec_unit *out)
{
	status s = orgs_unit_load(c->tx, c->arena, o->id, id, out);
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	return ORGS_FAIL(c, ORGANIZATIONAL_UNIT_NOT_FOUND, "You specified an organizational unit that doesn't exist.");
}

static bool node_exists(struct call *c, const struct organizations_rec_organization *o, struct str id)
{
	struct organizations_rec_unit u;
	struct organizations_rec_account r;
	if (orgs_is_account(id)) return is_ok(orgs_account_load(c->tx, c->arena, o->id, id, &r));
	return str_eq(id, o->root) || (orgs_is_unit(id) && is_ok(orgs_unit_load(c->tx, c->arena, o->id, id, &u)));
}

status orgs_require_parent(
	struct call *c, const struct organizations_rec_organization *o, struct str id, error_id otherwise)
{
	if (!orgs_is_account(id) && node_exists(c, o, id)) return OK;
	return call_fail(c, otherwise, "You specified a parent that doesn't exist.");
}

status orgs_require_target(struct call *c, const struct organizations_rec_organization *o, struct str id)
{
	if (node_exists(c, o, id)) return OK;
	return ORGS_FAIL(c, TARGET_NOT_FOUND, "You specified a target that doesn't exist.");
}

void orgs_child_put(struct call *c, struct str organization, struct str parent, struct str child)
{
	store_put(c->tx, orgs_key2(c->arena, "child", organization, parent, child), STR(""));
}

void orgs_child_delete(struct call *c, struct str organization, struct str parent, struct str child)
{
	store_delete(c->tx, orgs_key2(c->arena, "child", organization, parent, child));
}

static status children(
	struct call *c, const struct organizations_rec_organization *o, struct str parent, struct orgs_ids *out)
{
	return orgs_ids(c->tx, c->arena, orgs_key(c->arena, "child", o->id, parent), out);
}

static void policy_types_out(
	struct call *c, const struct organizations_rec_organization *o, struct organizations_root *out)
{
	size_t capacity = 0;
	VEC_PRESENT(c->arena, &out->policy_types);
	for (size_t i = 0; i < o->types.n; i++)
		*VEC_PUSH(c->arena, &out->policy_types, &capacity) =
			(struct organizations_policy_type_summary){.type = o->types.v[i], .status = STR("ENABLED")};
}

static void root_out(struct call *c, const struct organizations_rec_organization *o, struct organizations_root *out)
{
	out->id = o->root;
	out->arn = orgs_arn(c->arena, o, "root", o->root);
	out->name = STR("Root");
	policy_types_out(c, o, out);
}

status organizations_list_roots(
	struct call *c, const struct organizations_list_roots_input *in, struct organizations_list_roots_output *out)
{
	struct organizations_rec_organization o;
	struct orgs_page page;
	TRY(orgs_read(c, &o));
	TRY(orgs_page_begin(c, in->next_token, in->max_results, &page));
	size_t capacity = 0;
	VEC_PRESENT(c->arena, &out->roots);
	if (orgs_page_take(&page, o.root)) root_out(c, &o, VEC_PUSH(c->arena, &out->roots, &capacity));
	out->next_token = orgs_page_end(&page);
	return OK;
}

static struct str path_of(struct call *c, const struct organizations_rec_organization *o, struct str id)
{
	struct orgs_chain chain;
	struct buf b = BUF_IN(c->arena);
	if (!is_ok(orgs_chain(c->tx, c->arena, o, id, &chain))) return STR_NONE;
	buf_str(&b, o->id);
	buf_byte(&b, '/');
	for (size_t i = 0; i < chain.n; i++) {
		buf_str(&b, chain.id[i]);
		buf_byte(&b, '/');
	}
	return buf_done(&b);
}

static void unit_out(struct call *c, const struct organizations_rec_organization *o,
	const struct organizations_rec_unit *u, struct organizations_organizational_unit *out)
{
	out->id = u->id;
	out->arn = orgs_arn(c->arena, o, "ou", u->id);
	out->name = u->name;
	out->path = path_of(c, o, u->id);
}

static void put_unit(
	struct call *c, const struct organizations_rec_organization *o, const struct organizations_rec_unit *u)
{
	store_put(c->tx, orgs_key(c->arena, "ou", o->id, u->id), organizations_rec_unit_encode(c->arena, u));
	orgs_changed(c->tx, c->arena, o->id);
}

static status require_new_name(
	struct call *c, const struct organizations_rec_organization *o, struct str parent, struct str name)
{
	struct orgs_ids ids = {0};
	TRY(children(c, o, parent, &ids));
	for (size_t i = 0; i < ids.n; i++) {
		struct organizations_rec_unit u;
		if (!orgs_is_unit(ids.v[i])) continue;
		TRY(orgs_unit_load(c->tx, c->arena, o->id, ids.v[i], &u));
		if (str_ieq(u.name, name))
			return ORGS_FAIL(c, DUPLICATE_ORGANIZATIONAL_UNIT, "An OU with the same name already exists.");
	}
	return OK;
}

status organizations_create_organizational_unit(struct call *c,
	const struct organizations_create_organizational_unit_input *in,
	struct organizations_create_organizational_unit_output *out)
{
	struct organizations_rec_organization o;
	struct orgs_chain chain;
	struct orgs_ids all = {0};
	TRY(orgs_manage(c, &o));
	TRY(orgs_require_parent(c, &o, in->parent_id, ORGANIZATIONS_ERR_PARENT_NOT_FOUND_EXCEPTION));
	TRY(require_new_name(c, &o, in->parent_id, in->name));
	TRY(orgs_chain(c->tx, c->arena, &o, in->parent_id, &chain));
	if (chain.n > ORGS_DEPTH_MAX)
		return orgs_constraint(c, "OU_DEPTH_LIMIT_EXCEEDED", "You have exceeded the OU depth limit.");
	TRY(orgs_ids(c->tx, c->arena, orgs_key(c->arena, "ou", o.id, STR_NONE), &all));
	if (all.n >= ORGS_UNITS_MAX)
		return orgs_constraint(c, "OU_NUMBER_LIMIT_EXCEEDED", "You have exceeded the allowed number of OUs.");
	struct organizations_rec_unit u = {.name = in->name, .parent = in->parent_id};
	/* ou-, the root's characters, eight of its own */
	u.id = orgs_new_id(c->arena, str_z(c->arena, str_fmt(c->arena, "ou-%.*s-", STR_ARG(str_from(o.root, 2)))), 8);
	TRY(orgs_tags_set(c, &u.tags, &in->tags));
	put_unit(c, &o, &u);
	orgs_child_put(c, o.id, u.parent, u.id);
	orgs_attach_defaults(c->tx, c->arena, &o, u.id);
	out->organizational_unit = arena_new(c->arena, struct organizations_organizational_unit);
	unit_out(c, &o, &u, out->organizational_unit);
	return OK;
}

status organizations_describe_organizational_unit(struct call *c,
	const struct organizations_describe_organizational_unit_input *in,
	struct organizations_describe_organizational_unit_output *out)
{
	struct organizations_rec_organization o;
	struct organizations_rec_unit u;
	TRY(orgs_read(c, &o));
	TRY(orgs_get_unit(c, &o, in->organizational_unit_id, &u));
	out->organizational_unit = arena_new(c->arena, struct organizations_organizational_unit);
	unit_out(c, &o, &u, out->organizational_unit);
	return OK;
}

status organizations_update_organizational_unit(struct call *c,
	const struct organizations_update_organizational_unit_input *in,
	struct organizations_update_organizational_unit_output *out)
{
	struct organizations_rec_organization o;
	struct organizations_rec_unit u;
	TRY(orgs_manage(c, &o));
	TRY(orgs_get_unit(c, &o, in->organizational_unit_id, &u));
	if (str_has(in->name) && !str_eq(in->name, u.name)) {
		if (!str_ieq(in->name, u.name)) TRY(require_new_name(c, &o, u.parent, in->name));
		u.name = in->name;
		put_unit(c, &o, &u);
	}
	out->organizational_unit = arena_new(c->arena, struct organizations_organizational_unit);
	unit_out(c, &o, &u, out->organizational_unit);
	return OK;
}

status organizations_delete_organizational_unit(struct call *c,
	const struct organizations_delete_organizational_unit_input *in,
	struct organizations_delete_organizational_unit_output *out)
{
	(void)out;
	struct organizations_rec_organization o;
	struct organizations_rec_unit u;
	struct orgs_ids ids = {0};
	TRY(orgs_manage(c, &o));
	TRY(orgs_get_unit(c, &o, in->organizational_unit_id, &u));
	TRY(children(c, &o, u.id, &ids));
	if (ids.n)
		return ORGS_FAIL(c, ORGANIZATIONAL_UNIT_NOT_EMPTY,
			"The specified OU is not empty. Move all accounts to another root or to other OUs, remove all "
			"child "
			"OUs, and try the operation again.");
	orgs_detach_all(c->tx, c->arena, &o, u.id);
	orgs_child_delete(c, o.id, u.parent, u.id);
	store_delete(c->tx, orgs_key(c->arena, "ou", o.id, u.id));
	orgs_changed(c->tx, c->arena, o.id);
	return OK;
}

static status list_begin(struct call *c, struct str parent, struct str token, struct opt_i32 most,
	struct organizations_rec_organization *o, struct orgs_page *page, struct orgs_ids *ids)
{
	TRY(orgs_read(c, o));
	TRY(orgs_require_parent(c, o, parent, ORGANIZATIONS_ERR_PARENT_NOT_FOUND_EXCEPTION));
	TRY(orgs_page_begin(c, token, most, page));
	return children(c, o, parent, ids);
}

status organizations_list_organizational_units_for_parent(struct call *c,
	const struct organizations_list_organizational_units_for_parent_input *in,
	struct organizations_list_organizational_units_for_parent_output *out)
{
	struct organizations_rec_organization o;
	struct orgs_ids ids = {0};
	struct orgs_page page;
	TRY(list_begin(c, in->parent_id, in->next_token, in->max_results, &o, &page, &ids));
	size_t capacity = 0;
	VEC_PRESENT(c->arena, &out->organizational_units);
	for (size_t i = 0; i < ids.n; i++) {
		struct organizations_rec_unit u;
		if (!orgs_is_unit(ids.v[i]) || !orgs_page_take(&page, ids.v[i])) continue;
		TRY(orgs_unit_load(c->tx, c->arena, o.id, ids.v[i], &u));
		unit_out(c, &o, &u, VEC_PUSH(c->arena, &out->organizational_units, &capacity));
	}
	out->next_token = orgs_page_end(&page);
	return OK;
}

status organizations_list_accounts_for_parent(struct call *c,
	const struct organizations_list_accounts_for_parent_input *in,
	struct organizations_list_accounts_for_parent_output *out)
{
	struct organizations_rec_organization o;
	struct orgs_ids ids = {0};
	struct orgs_page page;
	TRY(list_begin(c, in->parent_id, in->next_token, in->max_results, &o, &page, &ids));
	size_t capacity = 0;
	VEC_PRESENT(c->arena, &out->accounts);
	for (size_t i = 0; i < ids.n; i++) {
		struct organizations_rec_account r;
		if (!orgs_is_account(ids.v[i]) || !orgs_page_take(&page, ids.v[i])) continue;
		TRY(orgs_account_load(c->tx, c->arena, o.id, ids.v[i], &r));
		orgs_account_out(c, &o, &r, VEC_PUSH(c->arena, &out->accounts, &capacity));
	}
	out->next_token = orgs_page_end(&page);
	return OK;
}

status organizations_list_children(struct call *c, const struct organizations_list_children_input *in,
	struct organizations_list_children_output *out)
{
	struct organizations_rec_organization o;
	struct orgs_ids ids = {0};
	struct orgs_page page;
	TRY(list_begin(c, in->parent_id, in->next_token, in->max_results, &o, &page, &ids));
	size_t capacity = 0;
	VEC_PRESENT(c->arena, &out->children);
	bool accounts = str_is(in->child_type, "ACCOUNT");
	for (size_t i = 0; i < ids.n; i++)
		if (orgs_is_account(ids.v[i]) == accounts && orgs_page_take(&page, ids.v[i]))
			*VEC_PUSH(c->arena, &out->children, &capacity) =
				(struct organizations_child){.id = ids.v[i], .type = in->child_type};
	out->next_token = orgs_page_end(&page);
	return OK;
}

status organizations_list_parents(struct call *c, const struct organizations_list_parents_input *in,
	struct organizations_list_parents_output *out)
{
	struct organizations_rec_organization o;
	struct organizations_rec_account r;
	struct organizations_rec_unit u;
	TRY(orgs_read(c, &o));
	bool account = orgs_is_account(in->child_id);
	status s = account ? orgs_account_load(c->tx, c->arena, o.id, in->child_id, &r)
			   : orgs_unit_load(c->tx, c->arena, o.id, in->child_id, &u);
	if (status_is(s, STATUS_NOT_FOUND))
		return ORGS_FAIL(c, CHILD_NOT_FOUND, "You specified a child that doesn't exist.");
	TRY(s);
	struct str parent = account ? r.parent : u.parent;
	size_t capacity = 0;
	*VEC_PUSH(c->arena, &out->parents, &capacity) = (struct organizations_parent){
		.id = parent, .type = orgs_is_root(parent) ? STR("ROOT") : STR("ORGANIZATIONAL_UNIT")};
	return OK;
}

/* ── types of policies in the root ────────────────────────────────────────────────────────────────────────────── */

bool orgs_type_enabled(const struct organizations_rec_organization *o, struct str type)
{
	for (size_t i = 0; i < o->types.n; i++)
		if (str_eq(o->types.v[i], type)) return true;
	return false;
}

static status require_root(struct call *c, const struct organizations_rec_organization *o, struct str id)
{
	if (str_eq(id, o->root)) return OK;
	return ORGS_FAIL(c, ROOT_NOT_FOUND, "You specified a root that doesn't exist.");
}

static status every_node(struct call *c, const struct organizations_rec_organization *o, struct orgs_ids *out)
{
	*VEC_PUSH(c->arena, out, &out->capacity) = o->root;
	TRY(orgs_ids(c->tx, c->arena, orgs_key(c->arena, "ou", o->id, STR_NONE), out));
	return orgs_ids(c->tx, c->arena, orgs_key(c->arena, "account", o->id, STR_NONE), out);
}

status organizations_enable_policy_type(struct call *c, const struct organizations_enable_policy_type_input *in,
	struct organizations_enable_policy_type_output *out)
{
	struct organizations_rec_organization o;
	struct orgs_ids nodes = {0};
	TRY(orgs_manage_policies(c, &o));
	TRY(require_root(c, &o, in->root_id));
	if (!orgs_all_features(&o))
		return ORGS_FAIL(c, POLICY_TYPE_NOT_AVAILABLE_FOR_ORGANIZATION,
			"You can't use the specified policy type with the feature set currently enabled for this "
			"organization.");
	if (orgs_type_enabled(&o, in->policy_type))
		return ORGS_FAIL(c, POLICY_TYPE_ALREADY_ENABLED, "The specified policy type is already enabled.");
	size_t capacity = 0;
	struct organizations_rec_strings more = {0};
	for (size_t i = 0; i < o.types.n; i++) *VEC_PUSH(c->arena, &more, &capacity) = o.types.v[i];
	*VEC_PUSH(c->arena, &more, &capacity) = in->policy_type;
	o.types = more;
	orgs_put(c, &o);
	/* "When you enable SCPs again, all targets get FullAWSAccess"; likewise RCPFullAWSAccess. */
	struct organizations_rec_organization only = o;
	only.types = (struct organizations_rec_strings){&more.v[more.n - 1], 1};
	TRY(every_node(c, &o, &nodes));
	for (size_t i = 0; i < nodes.n; i++) orgs_attach_defaults(c->tx, c->arena, &only, nodes.v[i]);
	out->root = arena_new(c->arena, struct organizations_root);
	root_out(c, &o, out->root);
	return OK;
}

status organizations_disable_policy_type(struct call *c, const struct organizations_disable_policy_type_input *in,
	struct organizations_disable_policy_type_output *out)
{
	struct organizations_rec_organization o;
	struct orgs_ids nodes = {0};
	TRY(orgs_manage_policies(c, &o));
	TRY(require_root(c, &o, in->root_id));
	if (!orgs_type_enabled(&o, in->policy_type))
		return ORGS_FAIL(
			c, POLICY_TYPE_NOT_ENABLED, "The specified policy type isn't currently enabled in this root.");
	/* "all policies of the specified type are automatically detached from all entities" (DisablePolicyType). */
	TRY(every_node(c, &o, &nodes));
	for (size_t i = 0; i < nodes.n; i++) {
		struct orgs_ids ids = {0};
		TRY(orgs_attached(c->tx, c->arena, o.id, nodes.v[i], in->policy_type, &ids));
		for (size_t j = 0; j < ids.n; j++) orgs_attachment_delete(c->tx, c->arena, o.id, nodes.v[i], ids.v[j]);
	}
	size_t left = 0;
	for (size_t i = 0; i < o.types.n; i++)
		if (!str_eq(o.types.v[i], in->policy_type)) o.types.v[left++] = o.types.v[i];
	o.types.n = left;
	orgs_put(c, &o);
	out->root = arena_new(c->arena, struct organizations_root);
	root_out(c, &o, out->root);
	return OK;
}
