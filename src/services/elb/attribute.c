/* Attributes, tags and limits of Classic Load Balancers. */
#include "services/elb/room.h"

static struct elb_load_balancer_attributes *show(struct call *c, const struct elb_rec_balancer *b)
{
	struct elb_load_balancer_attributes *out = arena_new(c->arena, struct elb_load_balancer_attributes);
	size_t capacity = 0;
	out->cross_zone_load_balancing = arena_new(c->arena, struct elb_cross_zone_load_balancing);
	out->cross_zone_load_balancing->enabled = SOME_BOOL(b->cross_zone.v);
	out->access_log = arena_new(c->arena, struct elb_access_log);
	out->access_log->enabled = SOME_BOOL(false);
	out->connection_draining = arena_new(c->arena, struct elb_connection_draining);
	*out->connection_draining = (struct elb_connection_draining){SOME_BOOL(b->draining.v), b->draining_timeout};
	out->connection_settings = arena_new(c->arena, struct elb_connection_settings);
	out->connection_settings->idle_timeout = b->idle_timeout;
	*VEC_PUSH(c->arena, &out->additional_attributes, &capacity) =
		(struct elb_additional_attribute){STR("elb.http.desyncmitigationmode"), b->desync};
	return out;
}

status elb_describe_load_balancer_attributes(struct call *c,
	const struct elb_describe_load_balancer_attributes_input *in,
	struct elb_describe_load_balancer_attributes_output *out)
{
	struct elb_rec_balancer b;
	TRY(elb_find(c, in->load_balancer_name, &b));
	out->load_balancer_attributes = show(c, &b);
	return OK;
}

static status within(struct call *c, const char *what, struct opt_i32 value, int32_t min, int32_t max)
{
	if (!value.has || (value.v >= min && value.v <= max)) return OK;
	return ELB_FAIL(c, INVALID_CONFIGURATION_REQUEST, "%s must be within %d-%d inclusive", what, min, max);
}

status elb_modify_load_balancer_attributes(struct call *c, const struct elb_modify_load_balancer_attributes_input *in,
	struct elb_modify_load_balancer_attributes_output *out)
{
	struct elb_rec_balancer had, b;
	const struct elb_load_balancer_attributes *a = in->load_balancer_attributes;
	TRY(elb_find(c, in->load_balancer_name, &had));
	b = had;
	if (a->access_log && a->access_log->enabled.v)
		return call_fail(c, ERR_NOT_IMPLEMENTED, "Access logs of Classic Load Balancers are not implemented.");
	if (a->cross_zone_load_balancing) b.cross_zone = a->cross_zone_load_balancing->enabled;
	if (a->connection_draining) {
		TRY(within(c, "ConnectionDraining.Timeout", a->connection_draining->timeout, 1, 3600));
		b.draining = a->connection_draining->enabled;
		if (a->connection_draining->timeout.has) b.draining_timeout = a->connection_draining->timeout;
	}
	if (a->connection_settings) {
		TRY(within(c, "ConnectionSettings.IdleTimeout", a->connection_settings->idle_timeout, 1, 4000));
		b.idle_timeout = a->connection_settings->idle_timeout;
	}
	for (size_t i = 0; i < a->additional_attributes.n; i++) {
		struct str key = a->additional_attributes.v[i].key, value = a->additional_attributes.v[i].value;
		if (!str_is(key, "elb.http.desyncmitigationmode"))
			return ELB_FAIL(c, LOAD_BALANCER_ATTRIBUTE_NOT_FOUND, "Attribute '%.*s' not found",
				STR_ARG(str_or(key, STR(""))));
		if (!str_is(value, "monitor") && !str_is(value, "defensive") && !str_is(value, "strictest"))
			return ELB_FAIL(c, INVALID_CONFIGURATION_REQUEST,
				"The desync mitigation mode '%.*s' is not valid", STR_ARG(str_or(value, STR(""))));
		b.desync = value;
	}
	TRY(elb_save(c, &had, &b));
	out->load_balancer_name = b.name;
	out->load_balancer_attributes = show(c, &b);
	return OK;
}

/* ── tags ── */

status elb_tags_take(struct call *c, struct elb_rec_balancer *b, const struct elb_tag_list *given)
{
	for (size_t i = 0; i < given->n; i++) {
		for (size_t k = 0; k < i; k++)
			if (str_eq(given->v[i].key, given->v[k].key))
				return ELB_FAIL(c, DUPLICATE_TAG_KEYS, "Tag keys must be unique: '%.*s'",
					STR_ARG(given->v[i].key));
		if (str_istarts(given->v[i].key, STR("aws:")) && !c->system_tags)
			return call_fail(c, ERR_VALIDATION, "Tag keys cannot begin with 'aws:'");
		elb_pair_set(c->arena, &b->tags, given->v[i].key, str_or(given->v[i].value, STR("")));
	}
	if (b->tags.n > ELB_TAGS_MAX)
		return ELB_FAIL(c, TOO_MANY_TAGS, "A load balancer has at most %d tags", ELB_TAGS_MAX);
	return OK;
}

status elb_add_tags(struct call *c, const struct elb_add_tags_input *in, struct elb_add_tags_output *out)
{
	(void)out;
	for (size_t i = 0; i < in->load_balancer_names.n; i++) {
		struct elb_rec_balancer had, b;
		TRY(elb_find(c, in->load_balancer_names.v[i], &had));
		b = had;
		TRY(elb_tags_take(c, &b, &in->tags));
		TRY(elb_save(c, &had, &b));
	}
	return OK;
}

status elb_remove_tags(struct call *c, const struct elb_remove_tags_input *in, struct elb_remove_tags_output *out)
{
	(void)out;
	for (size_t i = 0; i < in->load_balancer_names.n; i++) {
		struct elb_rec_balancer had, b;
		TRY(elb_find(c, in->load_balancer_names.v[i], &had));
		b = had;
		for (size_t k = 0; k < in->tags.n; k++) elb_pair_set(c->arena, &b.tags, in->tags.v[k].key, STR_NONE);
		TRY(elb_save(c, &had, &b));
	}
	return OK;
}

status elb_describe_tags(struct call *c, const struct elb_describe_tags_input *in, struct elb_describe_tags_output *out)
{
	size_t capacity = 0;
	for (size_t i = 0; i < in->load_balancer_names.n; i++) {
		struct elb_rec_balancer b;
		size_t n = 0;
		TRY(elb_find(c, in->load_balancer_names.v[i], &b));
		struct elb_tag_description *d = VEC_PUSH(c->arena, &out->tag_descriptions, &capacity);
		d->load_balancer_name = b.name;
		VEC_PRESENT(c->arena, &d->tags);
		for (size_t k = 0; k < b.tags.n; k++)
			*VEC_PUSH(c->arena, &d->tags, &n) = (struct elb_tag){b.tags.v[k].key, b.tags.v[k].value};
	}
	return OK;
}

status elb_describe_account_limits(struct call *c, const struct elb_describe_account_limits_input *in,
	struct elb_describe_account_limits_output *out)
{
	static const struct {
		const char *name;
		int max;
	} limits[] = {{"classic-load-balancers", ELB_BALANCERS_MAX}, {"classic-listeners", ELB_LISTENERS_MAX},
		{"classic-registered-instances", ELB_INSTANCES_MAX}};
	size_t capacity = 0;
	for (size_t i = 0; i < 3; i++)
		*VEC_PUSH(c->arena, &out->limits, &capacity) =
			(struct elb_limit){str_c(limits[i].name), str_fmt(c->arena, "%d", limits[i].max)};
	return elbv2_page(c, &out->limits, sizeof(*out->limits.v), in->page_size, in->marker, &out->next_marker);
}
