/* Managed prefix lists, customers' and AWS's. "Group CIDR blocks using managed prefix lists", the guide. Those of AWS
 * hold the addresses of S3 and DynamoDB in a region: here one address each that no other network has, at which virga
 * answers inside a VPC. */
#include "base/map.h"
#include "services/ec2/tgw.h"

enum { LISTS_MAX = 100, ENTRIES_MAX = 1000 };

static const char *const filters[] = {"owner-id", "prefix-list-id", "prefix-list-name", NULL};

static status render(struct call *c, const struct ec2_item *item, void *to)
{
	struct ec2_managed_prefix_list *out = to;
	out->owner_id = item->at.account;
	out->prefix_list_arn = ec2_arn(c, item->at.account, item->at.region, "prefix-list", item->id);
	return OK;
}

const struct ec2_type ec2_type_prefix_list = {
	.name = "prefix-list",
	.prefix = "pl-",
	.absent = "The prefix list ID '@' does not exist",
	.not_found = EC2_ERR_INVALID_PREFIX_LIST_ID_NOT_FOUND,
	.malformed = EC2_ERR_INVALID_PREFIX_LIST_ID_MALFORMED,
	.record = EC2_REC_PREFIX_LIST,
	.shape = EC2_SHAPE_MANAGED_PREFIX_LIST,
	.filters = filters,
	.render = render,
};

/* ── AWS's own ── */

static const struct {
	const char *name;
	unsigned char third; /* of 198.18.0.0/15's addresses: for tests of devices, so nobody's (RFC 2544) */
} aws_lists[] = {{"s3", 1}, {"dynamodb", 2}};

struct str ec2_prefix_list_of_service(struct arena *a, struct str region, struct str service)
{
	uint64_t h = str_hash(str_fmt(a, "%.*s/%.*s", STR_ARG(region), STR_ARG(service)));
	return str_fmt(a, "pl-%08x", (unsigned)(h & 0xffffffffu));
}

static bool aws_list(struct arena *a, struct str region, size_t i, struct ec2_rec_prefix_list *out)
{
	struct ec2_rec_prefix_version *v = arena_new(a, struct ec2_rec_prefix_version);
	struct ec2_rec_prefix_entry *e = arena_new(a, struct ec2_rec_prefix_entry);
	e->cidr = str_fmt(a, "198.18.%u.0/24", aws_lists[i].third);
	*v = (struct ec2_rec_prefix_version){.version = SOME_I64(1), .entries = {e, 1}};
	*out = (struct ec2_rec_prefix_list){
		.prefix_list_id = ec2_prefix_list_of_service(a, region, str_c(aws_lists[i].name)),
		.prefix_list_name = str_fmt(a, "com.amazonaws.%.*s.%s", STR_ARG(region), aws_lists[i].name),
		.address_family = STR("IPv4"),
		.state = STR("create-complete"),
		.versions = {v, 1}};
	return true;
}

status ec2_prefix_list_load(struct ec2_place at, struct str id, struct ec2_rec_prefix_list *out)
{
	for (size_t i = 0; i < sizeof(aws_lists) / sizeof(*aws_lists); i++)
		if (aws_list(at.a, at.region, i, out) && str_eq(out->prefix_list_id, id)) return OK;
	return ec2_load(at, &ec2_type_prefix_list, id, out);
}

status ec2_prefix_list_find(struct call *c, struct str id, struct ec2_rec_prefix_list *out)
{
	TRY(ec2_check_id(c, &ec2_type_prefix_list, id));
	status s = ec2_prefix_list_load(ec2_here(c), id, out);
	return status_is(s, STATUS_NOT_FOUND) ? ec2_absent(c, &ec2_type_prefix_list, id) : s;
}

struct ec2_rec_prefix_entries ec2_prefix_list_entries(const struct ec2_rec_prefix_list *l, int64_t version)
{
	for (size_t i = 0; i < l->versions.n; i++)
		if (version ? l->versions.v[i].version.v == version : i + 1 == l->versions.n)
			return l->versions.v[i].entries;
	return (struct ec2_rec_prefix_entries){0};
}

static status show_aws(struct call *c, size_t i, struct ec2_managed_prefix_list *out)
{
	struct ec2_rec_prefix_list r;
	aws_list(c->arena, c->region, i, &r);
	ec2_show(c->arena, EC2_REC_PREFIX_LIST, &r, EC2_SHAPE_MANAGED_PREFIX_LIST, out);
	out->owner_id = STR("AWS");
	out->prefix_list_arn = str_fmt(c->arena, "arn:%.*s:ec2:%.*s:aws:prefix-list/%.*s", STR_ARG(c->partition),
		STR_ARG(c->region), STR_ARG(r.prefix_list_id));
	VEC_PRESENT(c->arena, &out->tags);
	return OK;
}

static bool id_asked(const struct ec2_value_string_list *ids, struct str id)
{
	for (size_t i = 0; i < ids->n; i++)
		if (str_eq(ids->v[i], id)) return true;
	return ids->n == 0;
}

/* AWS's lists stand before the account's; asked by id they are answered beside those of the account. */
status ec2_describe_managed_prefix_lists(struct call *c, const struct ec2_describe_managed_prefix_lists_input *in,
	struct ec2_describe_managed_prefix_lists_output *out)
{
	const struct ec2_value_string_list *ids = (const void *)&in->prefix_list_ids;
	struct ec2_value_string_list own = {arena_new_n(c->arena, struct str, ids->n), 0};
	struct ec2_managed_prefix_list_set all = {0}, found = {0};
	size_t capacity = 0;
	TRY(ec2_filters_check(c, filters, &in->filters));
	for (size_t i = 0; i < sizeof(aws_lists) / sizeof(*aws_lists); i++) {
		struct ec2_managed_prefix_list shown = {0};
		TRY(show_aws(c, i, &shown));
		if (id_asked(ids, shown.prefix_list_id) &&
			ec2_filters_match(c->arena, EC2_SHAPE_MANAGED_PREFIX_LIST, filters, &in->filters, &shown))
			*VEC_PUSH(c->arena, &all, &capacity) = shown;
	}
	for (size_t i = 0; i < ids->n; i++) {
		struct ec2_rec_prefix_list r;
		TRY(ec2_prefix_list_find(c, ids->v[i], &r));
		if (r.version.has) own.v[own.n++] = ids->v[i];
	}
	if (!ids->n || own.n) {
		struct ec2_describe d = {
			.type = &ec2_type_prefix_list, .ids = &own, .filters = &in->filters, .out = &found};
		TRY(ec2_describe(c, &d));
	}
	for (size_t i = 0; i < found.n; i++) *VEC_PUSH(c->arena, &all, &capacity) = found.v[i];
	out->prefix_lists.v = all.v;
	out->prefix_lists.n = all.n;
	return ec2_page(c, &out->prefix_lists, sizeof(*all.v), in->max_results, in->next_token, &out->next_token);
}

static const char *const old_filters[] = {"prefix-list-id", "prefix-list-name", NULL};

status ec2_describe_prefix_lists(
	struct call *c, const struct ec2_describe_prefix_lists_input *in, struct ec2_describe_prefix_lists_output *out)
{
	const struct ec2_value_string_list *ids = (const void *)&in->prefix_list_ids;
	size_t capacity = 0;
	TRY(ec2_filters_check(c, old_filters, &in->filters));
	for (size_t i = 0; i < ids->n; i++) {
		struct ec2_rec_prefix_list r;
		TRY(ec2_prefix_list_find(c, ids->v[i], &r));
	}
	for (size_t i = 0; i < sizeof(aws_lists) / sizeof(*aws_lists); i++) {
		struct ec2_rec_prefix_list r;
		aws_list(c->arena, c->region, i, &r);
		struct ec2_prefix_list shown = {
			.prefix_list_id = r.prefix_list_id, .prefix_list_name = r.prefix_list_name};
		shown.cidrs.v = &r.versions.v[0].entries.v[0].cidr;
		shown.cidrs.n = 1;
		if (id_asked(ids, r.prefix_list_id) &&
			ec2_filters_match(c->arena, EC2_SHAPE_PREFIX_LIST, old_filters, &in->filters, &shown))
			*VEC_PUSH(c->arena, &out->prefix_lists, &capacity) = shown;
	}
	return ec2_page(
		c, &out->prefix_lists, sizeof(*out->prefix_lists.v), in->max_results, in->next_token, &out->next_token);
}

/* ── the account's ── */

static status check_name(struct call *c, struct str name)
{
	if (!name.n || name.n > 255 || str_istarts(name, STR("com.amazonaws")))
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE,
			"Value (%.*s) for parameter PrefixListName is invalid.", STR_ARG(name));
	return OK;
}

static status add_entry(struct call *c, const struct ec2_rec_prefix_list *l, struct ec2_rec_prefix_entries *entries,
	const struct ec2_add_prefix_list_entry *in)
{
	struct cidr block;
	size_t capacity = entries->n;
	TRY(ec2_cidr_given(c, in->cidr, "cidr", &block));
	if (block.v6 != str_is(l->address_family, "IPv6"))
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE,
			"The CIDR '%.*s' is not of the prefix list's address family.", STR_ARG(in->cidr));
	struct str text = cidr_text(c->arena, block);
	for (size_t i = 0; i < entries->n; i++)
		if (str_eq(entries->v[i].cidr, text)) {
			entries->v[i].description = in->description;
			return OK;
		}
	*VEC_PUSH(c->arena, entries, &capacity) = (struct ec2_rec_prefix_entry){text, in->description};
	if (entries->n > (size_t)l->max_entries.v)
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE,
			"You've reached the maximum number of entries for the prefix list.");
	return OK;
}

/* Every VPC whose rules or routes may name the list has to be computed anew: which do is not kept, so all are. */
static status touch_all(struct call *c)
{
	struct ec2_each e = ec2_each(ec2_here(c), &ec2_type_vpc);
	status s = OK;
	while (is_ok(s) && ec2_next(&e)) s = ec2_vpc_touch(ec2_here(c), e.item.id);
	status end = ec2_each_end(&e);
	TRY(s);
	TRY(end);
	e = ec2_each(ec2_here(c), &ec2_type_transit_gateway);
	while (is_ok(s) && ec2_next(&e)) s = ec2_tgw_touch(ec2_here(c), e.item.id);
	end = ec2_each_end(&e);
	TRY(s);
	return end;
}

status ec2_create_managed_prefix_list(struct call *c, const struct ec2_create_managed_prefix_list_input *in,
	struct ec2_create_managed_prefix_list_output *out)
{
	static const struct ec2_type *const taggable[] = {&ec2_type_prefix_list};
	struct ec2_rec_prefix_version v = {.version = SOME_I64(1)};
	struct ec2_rec_prefix_list r = {.prefix_list_id = ec2_new_id(c->arena, "pl-"),
		.prefix_list_name = in->prefix_list_name,
		.address_family = in->address_family,
		.max_entries = in->max_entries,
		.version = SOME_I64(1),
		.state = STR("create-complete")};
	size_t n;
	TRY(ec2_specified_only(c, &in->tag_specifications, taggable, 1));
	TRY(check_name(c, in->prefix_list_name));
	if (!str_is(in->address_family, "IPv4") && !str_is(in->address_family, "IPv6"))
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE,
			"Value (%.*s) for parameter AddressFamily is invalid.", STR_ARG(in->address_family));
	if (in->max_entries.v < 1 || in->max_entries.v > ENTRIES_MAX)
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE, "Value (%d) for parameter MaxEntries is invalid.",
			in->max_entries.v);
	TRY(ec2_guard(ec2_here(c), STR("prefix-lists"), NULL));
	TRY(ec2_count(ec2_here(c), &ec2_type_prefix_list, &n));
	if (n >= LISTS_MAX)
		return call_fail(
			c, EC2_ERR_RESOURCE_LIMIT_EXCEEDED, "The maximum number of prefix lists has been reached.");
	for (size_t i = 0; i < in->entries.n; i++) TRY(add_entry(c, &r, &v.entries, &in->entries.v[i]));
	r.versions = (struct ec2_rec_prefix_versions){&v, 1};
	ec2_put(ec2_here(c), &ec2_type_prefix_list, r.prefix_list_id, &r);
	TRY(ec2_tags_specified(c, &in->tag_specifications, &ec2_type_prefix_list, r.prefix_list_id));
	out->prefix_list = arena_new(c->arena, struct ec2_managed_prefix_list);
	return ec2_describe_one(c, &ec2_type_prefix_list, r.prefix_list_id, out->prefix_list);
}

static status find_own(struct call *c, struct str id, struct ec2_rec_prefix_list *r)
{
	TRY(ec2_prefix_list_find(c, id, r));
	if (r->version.has) return OK;
	return call_fail(c, EC2_ERR_OPERATION_NOT_PERMITTED, "The prefix list '%.*s' is managed by AWS.", STR_ARG(id));
}

static status check_version(struct call *c, const struct ec2_rec_prefix_list *r, struct opt_i64 current)
{
	if (current.has && current.v != r->version.v)
		return call_fail(c, EC2_ERR_PREFIX_LIST_VERSION_MISMATCH,
			"The prefix list has the incorrect version number. Current version: %lld.",
			(long long)r->version.v);
	return OK;
}

/* A new version with these entries. */
static void add_version(struct call *c, struct ec2_rec_prefix_list *r, struct ec2_rec_prefix_entries entries)
{
	size_t capacity = r->versions.n;
	r->version = SOME_I64(r->version.v + 1);
	*VEC_PUSH(c->arena, &r->versions, &capacity) =
		(struct ec2_rec_prefix_version){.version = r->version, .entries = entries};
}

static struct ec2_rec_prefix_entries copy_of(struct call *c, struct ec2_rec_prefix_entries from)
{
	struct ec2_rec_prefix_entries to = {arena_new_n(c->arena, struct ec2_rec_prefix_entry, from.n + 1), from.n};
	for (size_t i = 0; i < from.n; i++) to.v[i] = from.v[i];
	return to;
}

status ec2_modify_managed_prefix_list(struct call *c, const struct ec2_modify_managed_prefix_list_input *in,
	struct ec2_modify_managed_prefix_list_output *out)
{
	struct ec2_rec_prefix_list r;
	TRY(find_own(c, in->prefix_list_id, &r));
	TRY(check_version(c, &r, in->current_version));
	if ((in->add_entries.n || in->remove_entries.n) && !in->current_version.has)
		return call_fail(c, EC2_ERR_MISSING_PARAMETER, "The request must contain the parameter CurrentVersion");
	if (str_has(in->prefix_list_name)) {
		TRY(check_name(c, in->prefix_list_name));
		r.prefix_list_name = in->prefix_list_name;
	}
	struct ec2_rec_prefix_entries entries = copy_of(c, ec2_prefix_list_entries(&r, 0));
	if (in->max_entries.has) {
		if (in->max_entries.v < 1 || in->max_entries.v > ENTRIES_MAX || (size_t)in->max_entries.v < entries.n)
			return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE,
				"Value (%d) for parameter MaxEntries is invalid.", in->max_entries.v);
		r.max_entries = in->max_entries;
	}
	for (size_t i = 0; i < in->remove_entries.n; i++) {
		size_t at = 0;
		while (at < entries.n && !str_eq(entries.v[at].cidr, in->remove_entries.v[i].cidr)) at++;
		if (at == entries.n)
			return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE,
				"The CIDR '%.*s' is not in the prefix list.", STR_ARG(in->remove_entries.v[i].cidr));
		for (; at + 1 < entries.n; at++) entries.v[at] = entries.v[at + 1];
		entries.n--;
	}
	for (size_t i = 0; i < in->add_entries.n; i++) TRY(add_entry(c, &r, &entries, &in->add_entries.v[i]));
	if (in->add_entries.n || in->remove_entries.n) add_version(c, &r, entries);
	r.state = STR("modify-complete");
	ec2_put(ec2_here(c), &ec2_type_prefix_list, r.prefix_list_id, &r);
	TRY(touch_all(c));
	out->prefix_list = arena_new(c->arena, struct ec2_managed_prefix_list);
	TRY(ec2_describe_one(c, &ec2_type_prefix_list, r.prefix_list_id, out->prefix_list));
	out->prefix_list->state = STR("modify-in-progress");
	return OK;
}

status ec2_restore_managed_prefix_list_version(struct call *c,
	const struct ec2_restore_managed_prefix_list_version_input *in,
	struct ec2_restore_managed_prefix_list_version_output *out)
{
	struct ec2_rec_prefix_list r;
	bool there = false;
	TRY(find_own(c, in->prefix_list_id, &r));
	TRY(check_version(c, &r, in->current_version));
	for (size_t i = 0; i < r.versions.n; i++) there = there || r.versions.v[i].version.v == in->previous_version.v;
	if (!there)
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE,
			"Value (%lld) for parameter PreviousVersion is invalid.", (long long)in->previous_version.v);
	add_version(c, &r, copy_of(c, ec2_prefix_list_entries(&r, in->previous_version.v)));
	r.state = STR("restore-complete");
	ec2_put(ec2_here(c), &ec2_type_prefix_list, r.prefix_list_id, &r);
	TRY(touch_all(c));
	out->prefix_list = arena_new(c->arena, struct ec2_managed_prefix_list);
	return ec2_describe_one(c, &ec2_type_prefix_list, r.prefix_list_id, out->prefix_list);
}

status ec2_get_managed_prefix_list_entries(struct call *c, const struct ec2_get_managed_prefix_list_entries_input *in,
	struct ec2_get_managed_prefix_list_entries_output *out)
{
	struct ec2_rec_prefix_list r;
	size_t capacity = 0;
	TRY(ec2_prefix_list_find(c, in->prefix_list_id, &r));
	struct ec2_rec_prefix_entries entries = ec2_prefix_list_entries(&r, in->target_version.v);
	for (size_t i = 0; i < entries.n; i++)
		*VEC_PUSH(c->arena, &out->entries, &capacity) = (struct ec2_prefix_list_entry){
			.cidr = entries.v[i].cidr, .description = entries.v[i].description};
	return ec2_page(c, &out->entries, sizeof(*out->entries.v), in->max_results, in->next_token, &out->next_token);
}

/* What names the list: security groups and route tables. */
static status users_of(struct call *c, struct str id, struct ec2_prefix_list_association_set *out)
{
	size_t capacity = 0;
	struct ec2_each e = ec2_each(ec2_here(c), &ec2_type_security_group);
	while (ec2_next(&e)) {
		const struct ec2_rec_security_group *g = e.item.record;
		bool names = false;
		for (size_t i = 0; i < g->rules.n; i++) names = names || str_eq(g->rules.v[i].prefix_list_id, id);
		if (names)
			*VEC_PUSH(c->arena, out, &capacity) = (struct ec2_prefix_list_association){
				.resource_id = e.item.id, .resource_owner = e.item.at.account};
	}
	TRY(ec2_each_end(&e));
	e = ec2_each(ec2_here(c), &ec2_type_route_table);
	while (ec2_next(&e)) {
		const struct ec2_rec_route_table *t = e.item.record;
		bool names = false;
		for (size_t i = 0; i < t->routes.n; i++)
			names = names || str_eq(t->routes.v[i].destination_prefix_list_id, id);
		if (names)
			*VEC_PUSH(c->arena, out, &capacity) = (struct ec2_prefix_list_association){
				.resource_id = e.item.id, .resource_owner = e.item.at.account};
	}
	return ec2_each_end(&e);
}

status ec2_get_managed_prefix_list_associations(struct call *c,
	const struct ec2_get_managed_prefix_list_associations_input *in,
	struct ec2_get_managed_prefix_list_associations_output *out)
{
	struct ec2_rec_prefix_list r;
	TRY(ec2_prefix_list_find(c, in->prefix_list_id, &r));
	TRY(users_of(c, r.prefix_list_id, &out->prefix_list_associations));
	return ec2_page(c, &out->prefix_list_associations, sizeof(*out->prefix_list_associations.v), in->max_results,
		in->next_token, &out->next_token);
}

status ec2_delete_managed_prefix_list(struct call *c, const struct ec2_delete_managed_prefix_list_input *in,
	struct ec2_delete_managed_prefix_list_output *out)
{
	struct ec2_rec_prefix_list r;
	struct ec2_prefix_list_association_set users = {0};
	TRY(find_own(c, in->prefix_list_id, &r));
	TRY(touch_all(c));
	TRY(users_of(c, r.prefix_list_id, &users));
	if (users.n)
		return call_fail(c, EC2_ERR_DEPENDENCY_VIOLATION,
			"The prefix list '%.*s' has dependencies and cannot be deleted.", STR_ARG(r.prefix_list_id));
	out->prefix_list = arena_new(c->arena, struct ec2_managed_prefix_list);
	TRY(ec2_describe_one(c, &ec2_type_prefix_list, r.prefix_list_id, out->prefix_list));
	out->prefix_list->state = STR("delete-in-progress");
	ec2_drop(ec2_here(c), &ec2_type_prefix_list, r.prefix_list_id);
	return OK;
}
