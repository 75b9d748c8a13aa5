/* What a group launches, and how: a request to EC2 for each instance, written down before it is made, with a token that
 * lets it be made again ("Ensuring idempotency in Amazon EC2 API requests"): a crash between launches nothing twice and
 * loses nothing. */
#include "base/log.h"
#include "base/rand.h"
#include "call/inside.h"
#include "ec2.h"
#include "services/autoscaling/requirements.h"
#include "services/ec2/door.h"

#define EC2_TABLES (&wire_service_ec2.tables)

/* ── the launches that are wanted ── */

status as_launches(const struct as_group *g, struct as_launches *out)
{
	size_t capacity = 0;
	struct as_each e = as_each(g->at, "launch", g->name);
	status s = OK;
	*out = (struct as_launches){0};
	while (is_ok(s) && as_next(&e))
		s = autoscaling_rec_launch_decode(g->at.a, e.value, VEC_PUSH(g->at.a, out, &capacity));
	status end = as_each_end(&e);
	return is_ok(s) ? end : s;
}

/* ── the request ── */

struct making {
	struct call *c;
	struct as_group *g;
	const struct as_want *want;
	struct ec2_run_instances_request in;
	struct autoscaling_rec_launch r;
	const struct ec2_response_launch_template_data *data; /* the template's; or NULL */
};

static void set_tag(
	struct arena *a, struct ec2_tag_specification *spec, size_t *capacity, struct str key, struct str value)
{
	for (size_t i = 0; i < spec->tags.n; i++) {
		if (!str_eq(spec->tags.v[i].key, key)) continue;
		spec->tags.v[i].value = value;
		return;
	}
	*VEC_PUSH(a, &spec->tags, capacity) = (struct ec2_tag){key, value};
}

/* "Tag Auto Scaling groups and instances", the guide: the template's tags, then the group's, which win. */
static void tag(struct making *m)
{
	struct arena *a = m->c->arena;
	size_t specs = 0, capacity = 0;
	struct ec2_tag_specification i = {.resource_type = STR("instance")};
	for (size_t k = 0; m->data && k < m->data->tag_specifications.n; k++) {
		const struct ec2_launch_template_tag_specification *t = &m->data->tag_specifications.v[k];
		bool instance = str_is(t->resource_type, "instance");
		if (!instance)
			*VEC_PUSH(a, &m->in.tag_specifications, &specs) =
				(struct ec2_tag_specification){t->resource_type, t->tags};
		for (size_t n = 0; instance && n < t->tags.n; n++)
			set_tag(a, &i, &capacity, t->tags.v[n].key, t->tags.v[n].value);
	}
	for (size_t k = 0; k < m->g->g.tags.n; k++) {
		const struct autoscaling_tag_description *t = &m->g->g.tags.v[k];
		if (t->propagate_at_launch.v) set_tag(a, &i, &capacity, t->key, t->value);
	}
	set_tag(a, &i, &capacity, STR("aws:autoscaling:groupName"), m->g->name);
	*VEC_PUSH(a, &m->in.tag_specifications, &specs) = i;
}

static void from_configuration(struct making *m, const struct autoscaling_launch_configuration *l)
{
	struct arena *a = m->c->arena;
	struct ec2_run_instances_request *in = &m->in;
	size_t groups = 0, nics = 0;
	in->image_id = l->image_id;
	in->instance_type = l->instance_type;
	in->key_name = l->key_name;
	in->kernel_id = l->kernel_id;
	in->ramdisk_id = l->ramdisk_id;
	in->user_data = l->user_data;
	if (l->ebs_optimized.v) in->ebs_optimized = l->ebs_optimized;
	size_t devices = 0;
	for (size_t i = 0; i < l->block_device_mappings.n; i++) {
		struct ec2_block_device_mapping *d = VEC_PUSH(a, &in->block_device_mappings, &devices);
		wire_shape_copy(a, AS_TABLES, AUTOSCALING_SHAPE_BLOCK_DEVICE_MAPPING, &l->block_device_mappings.v[i],
			EC2_TABLES, EC2_SHAPE_BLOCK_DEVICE_MAPPING, d);
		if (l->block_device_mappings.v[i].no_device.v) d->no_device = STR("");
	}
	if (l->instance_monitoring && l->instance_monitoring->enabled.v) {
		in->monitoring = arena_new(a, struct ec2_run_instances_monitoring_enabled);
		in->monitoring->enabled = SOME_BOOL(true);
	}
	if (l->metadata_options) {
		in->metadata_options = arena_new(a, struct ec2_instance_metadata_options_request);
		wire_shape_copy(a, AS_TABLES, AUTOSCALING_SHAPE_INSTANCE_METADATA_OPTIONS, l->metadata_options,
			EC2_TABLES, EC2_SHAPE_INSTANCE_METADATA_OPTIONS_REQUEST, in->metadata_options);
	}
	if (str_has(l->iam_instance_profile)) {
		in->iam_instance_profile = arena_new(a, struct ec2_iam_instance_profile_specification);
		if (str_starts(l->iam_instance_profile, STR("arn:")))
			in->iam_instance_profile->arn = l->iam_instance_profile;
		else
			in->iam_instance_profile->name = l->iam_instance_profile;
	}
	if (str_has(l->placement_tenancy)) in->placement->tenancy = l->placement_tenancy;
	if (l->associate_public_ip_address.has && str_has(in->subnet_id)) {
		struct ec2_instance_network_interface_specification *n = VEC_PUSH(a, &in->network_interfaces, &nics);
		n->device_index = SOME_I32(0);
		n->subnet_id = in->subnet_id;
		n->associate_public_ip_address = l->associate_public_ip_address;
		for (size_t i = 0; i < l->security_groups.n; i++)
			*VEC_PUSH(a, &n->groups, &groups) = l->security_groups.v[i];
		in->subnet_id = STR_NONE;
		return;
	}
	size_t ids = 0;
	for (size_t i = 0; i < l->security_groups.n; i++) {
		if (str_starts(l->security_groups.v[i], STR("sg-")))
			*VEC_PUSH(a, &in->security_group_ids, &ids) = l->security_groups.v[i];
		else
			*VEC_PUSH(a, &in->security_groups, &groups) = l->security_groups.v[i];
	}
}

static status from_template(struct making *m, const struct autoscaling_launch_template_specification *t)
{
	struct ec2_template_named named;
	struct arena *a = m->c->arena;
	status s = ec2_template_name(m->c, t->launch_template_id,
		str_has(t->launch_template_id) ? STR_NONE : t->launch_template_name, t->version, &named);
	if (status_is(s, STATUS_FAILED))
		return AS_FAIL(m->c, "You must use a valid fully-formed launch template. %.*s",
			STR_ARG(m->c->failure.message));
	TRY(s);
	m->in.launch_template = arena_new(a, struct ec2_launch_template_specification);
	*m->in.launch_template =
		(struct ec2_launch_template_specification){.launch_template_id = named.id, .version = named.version};
	m->data = named.data;
	m->r.template_id = named.id;
	m->r.template_name = named.name;
	m->r.template_version = named.version;
	return OK;
}

/* ── mixed instances: "Auto Scaling groups with multiple instance types and purchase options", the guide ── */

/* What stands, or is on its way, of one purchase option; of one override too where type is there. */
static status standing(struct making *m, struct opt_bool spot, struct str type, struct str zone, int32_t *weight)
{
	struct as_instances all;
	struct as_launches launches;
	*weight = 0;
	TRY(as_instances(m->g, &all));
	TRY(as_launches(m->g, &launches));
	for (size_t i = 0; i < all.n; i++)
		if (as_counts(&all.v[i]) && (!spot.has || all.v[i].spot.v == spot.v) &&
			(!str_has(type) || str_eq(all.v[i].type, type)) &&
			(!str_has(zone) || str_eq(all.v[i].zone, zone)))
			*weight += as_weight(&all.v[i]);
	for (size_t i = 0; i < launches.n; i++)
		if ((!spot.has || launches.v[i].spot.v == spot.v) &&
			(!str_has(type) || str_eq(launches.v[i].type, type)) &&
			(!str_has(zone) || str_eq(launches.v[i].zone, zone)))
			*weight += launches.v[i].weight.has ? launches.v[i].weight.v : 1;
	return OK;
}

static double price_of(const struct autoscaling_launch_template_overrides *o)
{
	struct ec2_machine_type t;
	int64_t weight = 1;
	if (!ec2_machine_type_find(o->instance_type, &t)) return 1e9;
	if (str_has(o->weighted_capacity) && !is_ok(str_to_i64(o->weighted_capacity, &weight))) weight = 1;
	return as_price(&t) / (double)weight;
}

static status choose_override(
	struct making *m, const struct autoscaling_overrides *list, bool spot, struct str strategy, size_t *chosen)
{
	double best = 0;
	*chosen = 0;
	if (!spot && !str_is(strategy, "lowest-price")) return OK; /* prioritized: the order of the list */
	if (spot && str_is(strategy, "capacity-optimized-prioritized")) return OK;
	for (size_t i = 0; i < list->n; i++) {
		double value = price_of(&list->v[i]);
		if (spot && !str_is(strategy, "lowest-price")) {
			/* Capacity is the same in all pools here, so these strategies spread over them. */
			int32_t there;
			TRY(standing(m, SOME_BOOL(true), list->v[i].instance_type, m->want->zone, &there));
			value += 1e6 * there;
		}
		if (i == 0 || value < best) {
			best = value;
			*chosen = i;
		}
	}
	return OK;
}

static void ask_spot(struct making *m, struct str max_price)
{
	struct arena *a = m->c->arena;
	m->in.instance_market_options = arena_new(a, struct ec2_instance_market_options_request);
	m->in.instance_market_options->market_type = STR("spot");
	m->r.spot = SOME_BOOL(true);
	if (!str_has(max_price) || str_empty(max_price)) return;
	m->in.instance_market_options->spot_options = arena_new(a, struct ec2_spot_market_options);
	m->in.instance_market_options->spot_options->max_price = max_price;
}

/* The image's: types of the other one cannot start it. */
static status is_arm(
	struct making *m, const struct autoscaling_launch_template_specification *t, struct str image, bool *arm)
{
	struct ec2_template_named named;
	status s = ec2_template_name(m->c, t->launch_template_id,
		str_has(t->launch_template_id) ? STR_NONE : t->launch_template_name, t->version, &named);
	*arm = false;
	if (status_is(s, STATUS_FAILED)) return OK; /* from_template tells */
	TRY(s);
	if (!str_has(image) && named.data) image = named.data->image_id;
	if (!str_has(image)) return OK;
	struct inside_caller who = inside_service(m->c->arena, m->g->at.account, m->g->at.region, AS_PRINCIPAL);
	struct ec2_describe_images_input in = {.image_ids = {&image, 1}};
	struct inside *i = inside_run(m->c->cloud, &who, "ec2", EC2_OP_DESCRIBE_IMAGES, &in, NULL);
	if (i->ok) {
		const struct ec2_describe_images_output *out = i->out;
		*arm = out->images.n && str_is(out->images.v[0].architecture, "arm64");
	}
	inside_free(i);
	return OK;
}

/* Overrides by attributes become overrides by type, one for each that meets them. *by_attributes: there were some. */
static status expand(struct making *m, const struct autoscaling_overrides *list,
	const struct autoscaling_launch_template_specification *t, bool spot, struct autoscaling_overrides *out,
	bool *by_attributes)
{
	struct arena *a = m->c->arena;
	struct ec2_template_named named;
	size_t capacity = 0;
	*out = (struct autoscaling_overrides){0};
	*by_attributes = false;
	struct autoscaling_launch_template_overrides whole = {0};
	struct autoscaling_overrides one = {&whole, 1};
	if (!list->n) {
		/* The template itself may tell attributes instead of a type. */
		status s = ec2_template_name(m->c, t->launch_template_id,
			str_has(t->launch_template_id) ? STR_NONE : t->launch_template_name, t->version, &named);
		if (!is_ok(s) || !named.data || !named.data->instance_requirements)
			return status_is(s, STATUS_FAILED) ? OK : s;
		whole.instance_requirements = arena_new(a, struct autoscaling_instance_requirements);
		wire_shape_copy(a, EC2_TABLES, EC2_SHAPE_INSTANCE_REQUIREMENTS, named.data->instance_requirements,
			AS_TABLES, AUTOSCALING_SHAPE_INSTANCE_REQUIREMENTS, whole.instance_requirements);
		list = &one;
	}
	for (size_t i = 0; i < list->n; i++) {
		struct autoscaling_launch_template_overrides o = list->v[i];
		struct as_types types;
		bool arm;
		if (!o.instance_requirements) {
			*VEC_PUSH(a, out, &capacity) = o;
			continue;
		}
		*by_attributes = true;
		TRY(is_arm(m, o.launch_template_specification ? o.launch_template_specification : t, o.image_id, &arm));
		as_types_meeting(a, o.instance_requirements, arm, spot, &types);
		o.instance_requirements = NULL;
		for (size_t k = 0; k < types.n; k++) {
			o.instance_type = types.v[k].name;
			*VEC_PUSH(a, out, &capacity) = o;
		}
	}
	if (*by_attributes && !out->n)
		return AS_FAIL(m->c, "No instance types were found that match the instance requirements.");
	return OK;
}

static status from_mix(struct making *m, const struct autoscaling_mixed_instances_policy *mix)
{
	static const struct autoscaling_instances_distribution none;
	const struct autoscaling_instances_distribution *d =
		mix->instances_distribution ? mix->instances_distribution : &none;
	struct autoscaling_overrides expanded;
	const struct autoscaling_overrides *list = &expanded;
	bool by_attributes;
	const struct autoscaling_launch_template_specification *t = mix->launch_template->launch_template_specification;
	int32_t base = d->on_demand_base_capacity.v, on_demand, all;
	int32_t percent =
		d->on_demand_percentage_above_base_capacity.has ? d->on_demand_percentage_above_base_capacity.v : 100;
	TRY(standing(m, SOME_BOOL(false), STR_NONE, STR_NONE, &on_demand));
	TRY(standing(m, (struct opt_bool){0}, STR_NONE, STR_NONE, &all));
	/* On-demand first to its base, then its share of what is above, rounded up. */
	int32_t above = all + 1 - base, wanted = base + (above > 0 ? (above * percent + 99) / 100 : 0);
	bool spot = on_demand >= wanted;
	size_t k = 0;
	TRY(expand(m, &mix->launch_template->overrides, t, spot, &expanded, &by_attributes));
	if (list->n) {
		/* "The only valid value for attribute-based selection is lowest-price" (of On-Demand Instances). */
		struct str on_demand_strategy = by_attributes ? STR("lowest-price") : STR("prioritized");
		struct str strategy = spot ? str_or(d->spot_allocation_strategy, STR("lowest-price"))
					   : str_or(d->on_demand_allocation_strategy, on_demand_strategy);
		TRY(choose_override(m, list, spot, strategy, &k));
		if (list->v[k].launch_template_specification) t = list->v[k].launch_template_specification;
		m->in.instance_type = list->v[k].instance_type;
		m->in.image_id = list->v[k].image_id;
		int64_t weight;
		if (str_has(list->v[k].weighted_capacity) && is_ok(str_to_i64(list->v[k].weighted_capacity, &weight)))
			m->r.weight = SOME_I32((int32_t)weight);
	}
	if (spot) ask_spot(m, d->spot_max_price);
	return from_template(m, t);
}

static status make(struct making *m)
{
	struct autoscaling_auto_scaling_group *g = &m->g->g;
	struct arena *a = m->c->arena;
	m->in = (struct ec2_run_instances_request){
		.min_count = SOME_I32(1), .max_count = SOME_I32(1), .subnet_id = m->want->subnet};
	m->in.placement = arena_new(a, struct ec2_placement);
	if (!str_has(m->want->subnet)) m->in.placement->availability_zone = m->want->zone;
	if (str_has(g->placement_group) && !str_empty(g->placement_group))
		m->in.placement->group_name = g->placement_group;
	if (str_has(g->launch_configuration_name)) {
		struct autoscaling_launch_configuration l;
		status s = as_configuration_get(m->g->at, g->launch_configuration_name, &l);
		if (status_is(s, STATUS_NOT_FOUND))
			return AS_FAIL(m->c,
				"Launch configuration name not found - Launch configuration %.*s not found",
				STR_ARG(g->launch_configuration_name));
		TRY(s);
		from_configuration(m, &l);
		m->r.launch_configuration = g->launch_configuration_name;
		if (str_has(l.spot_price)) ask_spot(m, l.spot_price);
	} else if (g->mixed_instances_policy) {
		TRY(from_mix(m, g->mixed_instances_policy));
	} else {
		TRY(from_template(m, g->launch_template));
	}
	tag(m);
	/* Nothing of a placement is said where there is nothing to say. */
	struct ec2_placement *p = m->in.placement;
	if (!str_has(p->availability_zone) && !str_has(p->group_name) && !str_has(p->tenancy)) m->in.placement = NULL;
	return OK;
}

status as_launch_check(struct call *c, struct as_group *g)
{
	struct str rest = g->g.vpc_zone_identifier, why = STR_NONE;
	struct as_want want = {.zone = g->g.availability_zones.v[0]};
	if (str_has(rest) && !str_empty(rest)) want.subnet = str_trim(str_cut(&rest, ','));
	struct making m = {.c = c, .g = g, .want = &want};
	TRY(make(&m));
	if (!m.in.launch_template) return OK; /* a launch configuration is not looked at before it is used */
	/* Only virga itself may set tags of AWS's; they are no part of what is checked. */
	m.in.tag_specifications = (struct ec2_tag_specification_list){0};
	status s = ec2_run_check(c, &m.in, &why);
	if (status_is(s, STATUS_FAILED))
		return AS_FAIL(c, "You must use a valid fully-formed launch template. %.*s", STR_ARG(why));
	return s;
}

status as_launch_plan(struct call *c, struct as_group *g, const struct as_want *w, int64_t now_ms)
{
	struct making m = {.c = c, .g = g, .want = w};
	struct arena *a = g->at.a;
	status s = make(&m);
	if (!is_ok(s)) return s;
	struct str when = as_when(a, now_ms), cause = str_or(g->r.cause, STR(""));
	cause = str_fmt(a, "%.*s%sAt %.*s %.*s", STR_ARG(cause), cause.n ? "  " : "", STR_ARG(when), STR_ARG(w->why));
	struct as_activity act = as_activity_begin(
		g, STR("Launching a new EC2 instance"), cause, as_details(a, w->subnet, w->zone), now_ms);
	m.r.token = rand_uuid(a);
	m.r.zone = w->zone;
	m.r.subnet = w->subnet;
	m.r.type = m.in.instance_type;
	m.r.activity = act.id;
	m.r.activity_at = SOME_TIME(act.at_ms);
	m.r.extra = SOME_BOOL(w->extra);
	m.r.pool = SOME_BOOL(w->pool);
	TRY(as_refresh_mark_of(g, &m.r.refresh));
	m.r.protected = SOME_BOOL(g->g.new_instances_protected_from_scale_in.v);
	m.in.client_token = m.r.token;
	m.r.request = wire_shape_write(a, EC2_TABLES, EC2_SHAPE_RUN_INSTANCES_REQUEST, &m.in);
	store_put(g->at.tx, as_key(g->at, "launch", g->name, m.r.token), autoscaling_rec_launch_encode(a, &m.r));
	return OK;
}

/* ── doing it ── */

struct running {
	struct cloud *cloud;
	struct arena *a;
	struct as_place at; /* without a transaction */
	struct str group;
	const struct autoscaling_rec_launch *l;
	struct inside *ran;
};

/* "5 s … 5 min": the group tries again after failures, later each time. */
static int64_t pause_ms(int32_t failures)
{
	int64_t ms = 5000ll << (failures < 6 ? failures : 6);
	return ms < 300000 ? ms : 300000;
}

static status failed(struct running *r, struct as_group *g, int64_t now_ms)
{
	const struct autoscaling_rec_launch *l = r->l;
	struct arena *a = g->at.a;
	struct as_activity act = {l->activity, l->activity_at.ms};
	struct str message = str_fmt(a, "%.*s Launching EC2 instance failed.", STR_ARG(r->ran->message));
	struct autoscaling_activity shape;
	TRY(as_activity_set(g, act, STR("Failed"), 100,
		str_fmt(a, "Launching a new EC2 instance.  Status Reason: %.*s", STR_ARG(message)), message, now_ms));
	status s = as_activity_get(g, act, &shape);
	if (is_ok(s))
		TRY(as_notify(r->cloud, g, STR("autoscaling:EC2_INSTANCE_LAUNCH_ERROR"), &shape, STR(""), now_ms));
	g->r.failed_zone = l->zone;
	g->r.retry = SOME_TIME(now_ms + pause_ms(g->r.failures.v));
	g->r.failures = SOME_I32(g->r.failures.v + 1);
	log_warn("autoscaling", "launch_failed", "group=%.*s zone=%.*s why=\"%.*s\"", STR_ARG(g->name),
		STR_ARG(l->zone), STR_ARG(r->ran->message));
	return OK;
}

static status launched(struct running *r, struct as_group *g, int64_t now_ms)
{
	const struct autoscaling_rec_launch *l = r->l;
	const struct ec2_reservation *res = r->ran->out;
	INVARIANT(res->instances.n == 1);
	const struct ec2_instance *e = &res->instances.v[0];
	struct autoscaling_rec_instance i = {.id = e->instance_id,
		.zone = l->zone,
		.zone_id = e->placement ? e->placement->availability_zone_id : STR_NONE,
		.subnet = l->subnet,
		.type = e->instance_type,
		.image = e->image_id,
		.state = l->pool.v ? STR("Warmed:Pending") : STR("Pending"),
		.pool = l->pool,
		.healthy = SOME_BOOL(true),
		.launch_configuration = l->launch_configuration,
		.template_id = l->template_id,
		.template_name = l->template_name,
		.template_version = l->template_version,
		.protected = l->protected,
		.weight = l->weight,
		.spot = l->spot,
		.extra = l->extra,
		.refresh = l->refresh,
		.since = SOME_TIME(now_ms),
		.launched = SOME_TIME(now_ms),
		.activity = l->activity,
		.activity_at = l->activity_at};
	as_instance_put(g, &i);
	if (str_eq(g->r.failed_zone, l->zone) || !g->r.failed_zone.n) {
		g->r.failures.has = g->r.retry.has = false;
		g->r.failed_zone = STR_NONE;
	}
	return as_activity_set(g, (struct as_activity){l->activity, l->activity_at.ms}, STR("InProgress"), 30,
		str_fmt(g->at.a, "Launching a new EC2 instance: %.*s", STR_ARG(i.id)), STR_NONE, now_ms);
}

static status note(struct running *r)
{
	store_ticket ticket = 0;
	status s;
	do {
		struct as_group g;
		struct as_place at = r->at;
		struct str bytes;
		int64_t now_ms = clock_now(r->cloud->clock);
		at.tx = store_begin(r->cloud->store, r->a, false);
		s = as_group_load(at, r->group, &g);
		struct str key = as_key(at, "launch", r->group, r->l->token);
		/* Another run of the job was here before: it is noted. */
		if (is_ok(s)) s = store_get(at.tx, key, &bytes);
		if (is_ok(s)) s = r->ran->ok ? launched(r, &g, now_ms) : failed(r, &g, now_ms);
		if (is_ok(s)) {
			store_delete(at.tx, key);
			as_group_put(&g);
			s = store_commit(at.tx, &ticket);
		}
		store_end(at.tx);
	} while (status_is(s, STATUS_CONFLICT));
	return status_is(s, STATUS_NOT_FOUND) ? OK : s;
}

status as_launches_run(struct cloud *cloud, struct arena *a, struct as_place at, struct str group, bool *progress)
{
	struct as_group g = {.at = at, .name = group};
	struct as_launches all;
	g.at.tx = store_begin(cloud->store, a, true);
	status s = as_launches(&g, &all);
	store_end(g.at.tx);
	struct inside_caller who = inside_service(a, at.account, at.region, AS_PRINCIPAL);
	who.system_tags = true;
	for (size_t i = 0; i < all.n && is_ok(s); i++) {
		struct ec2_run_instances_request in = {0};
		struct running r = {.cloud = cloud, .a = a, .at = at, .group = group, .l = &all.v[i]};
		s = wire_shape_read(a, EC2_TABLES, EC2_SHAPE_RUN_INSTANCES_REQUEST, all.v[i].request, &in);
		if (!is_ok(s)) break;
		r.ran = inside_run(cloud, &who, "ec2", EC2_OP_RUN_INSTANCES, &in, NULL);
		s = note(&r);
		*progress = true;
		inside_free(r.ran);
	}
	return s;
}
