/* Reachability Analyzer: paths, and analyses that the host answers from the rules which the kernel has. An analysis is
 * done when StartNetworkInsightsAnalysis answers; it tells the way at that instant. */
#include "services/ec2/insights.h"
#include "services/ec2/network_door.h"

static const char *const path_filters[] = {"destination", "destination-port", "protocol", "source", NULL};
static const char *const analysis_filters[] = {"path-found=NetworkPathFound", "status", NULL};

static status render_path(struct call *c, const struct ec2_item *item, void *to)
{
	struct ec2_network_insights_path *out = to;
	out->network_insights_path_arn =
		ec2_arn(c, item->at.account, item->at.region, "network-insights-path", item->id);
	return OK;
}

const struct ec2_type ec2_type_insights_path = {
	.name = "network-insights-path",
	.prefix = "nip-",
	.absent = "The network insights path ID '@' does not exist",
	.not_found = EC2_ERR_INVALID_PARAMETER_VALUE,
	.record = EC2_REC_INSIGHTS_PATH,
	.shape = EC2_SHAPE_NETWORK_INSIGHTS_PATH,
	.filters = path_filters,
	.render = render_path,
};

static struct ec2_analysis_component *component(struct call *c, const struct ec2_item *item, struct str id)
{
	const struct ec2_type *t = ec2_type_of(id);
	struct ec2_analysis_component *out = arena_new(c->arena, struct ec2_analysis_component);
	out->id = id;
	out->arn = ec2_arn(c, item->at.account, item->at.region, t ? t->name : "instance", id);
	return out;
}

static struct ec2_analysis_packet_header *header(struct call *c, const struct ec2_rec_insights_hop *h)
{
	struct ec2_analysis_packet_header *out = arena_new(c->arena, struct ec2_analysis_packet_header);
	size_t sources = 0, destinations = 0;
	if (str_has(h->source)) *VEC_PUSH(c->arena, &out->source_addresses, &sources) = h->source;
	if (str_has(h->destination)) *VEC_PUSH(c->arena, &out->destination_addresses, &destinations) = h->destination;
	return out;
}

/* "Reachability Analyzer explanation codes". */
static struct str code_of(struct str component_id, struct str by)
{
	if (str_is(by, "bpa")) return STR("VPC_BLOCK_PUBLIC_ACCESS_ENABLED");
	if (str_starts(component_id, STR("sg-"))) return STR("ENI_SG_RULES_MISMATCH");
	if (str_starts(component_id, STR("acl-"))) return STR("SUBNET_ACL_RESTRICTION");
	if (str_starts(component_id, STR("rtb-"))) return STR("NO_ROUTE_TO_DESTINATION");
	if (str_starts(component_id, STR("tgw-rtb-"))) return STR("TGW_RTB_NO_ROUTE_TO_DESTINATION");
	return STR("NO_PATH");
}

static status render_analysis(struct call *c, const struct ec2_item *item, void *to)
{
	const struct ec2_rec_insights_analysis *r = item->record;
	struct ec2_network_insights_analysis *out = to;
	size_t forward = 0, explanations = 0;
	out->network_insights_analysis_arn =
		ec2_arn(c, item->at.account, item->at.region, "network-insights-analysis", item->id);
	for (size_t i = 0; i < r->hops.n; i++) {
		const struct ec2_rec_insights_hop *h = &r->hops.v[i];
		if (!h->passed.v) {
			struct ec2_explanation *e = VEC_PUSH(c->arena, &out->explanations, &explanations);
			e->component = component(c, item, h->component);
			e->explanation_code = code_of(h->component, h->by);
			continue;
		}
		struct ec2_path_component *p = VEC_PUSH(c->arena, &out->forward_path_components, &forward);
		p->sequence_number = SOME_I32((int32_t)out->forward_path_components.n);
		p->component = component(c, item, h->component);
		p->outbound_header = header(c, h);
	}
	return OK;
}

const struct ec2_type ec2_type_insights_analysis = {
	.name = "network-insights-analysis",
	.prefix = "nia-",
	.absent = "The network insights analysis ID '@' does not exist",
	.not_found = EC2_ERR_INVALID_PARAMETER_VALUE,
	.record = EC2_REC_INSIGHTS_ANALYSIS,
	.shape = EC2_SHAPE_NETWORK_INSIGHTS_ANALYSIS,
	.filters = analysis_filters,
	.render = render_analysis,
};

/* An id or an ARN that ends in one: of an instance or interface of the account, or an internet gateway. */
static status read_end(struct call *c, struct str given, struct str *id)
{
	ptrdiff_t slash = str_rchr(given, '/');
	struct ec2_rec_eni e;
	struct ec2_rec_internet_gateway g;
	struct ec2_enis all;
	*id = str_starts(given, STR("arn:")) && slash >= 0 ? str_from(given, (size_t)slash + 1) : given;
	if (str_starts(*id, STR("eni-"))) return ec2_find(c, &ec2_type_eni, *id, &e);
	if (str_starts(*id, STR("igw-"))) return ec2_find(c, &ec2_type_internet_gateway, *id, &g);
	if (!str_starts(*id, STR("i-")))
		return call_fail(c, ERR_NOT_IMPLEMENTED, "Paths from or to this kind of resource are not implemented.");
	TRY(ec2_eni_of_instance(ec2_here(c), *id, &all));
	if (!all.n)
		return call_fail(c, EC2_ERR_INVALID_INSTANCE_ID_NOT_FOUND, "The instance ID '%.*s' does not exist",
			STR_ARG(*id));
	return OK;
}

status ec2_create_network_insights_path(struct call *c, const struct ec2_create_network_insights_path_input *in,
	struct ec2_create_network_insights_path_output *out)
{
	static const struct ec2_type *const taggable[] = {&ec2_type_insights_path};
	struct ec2_rec_insights_path r = {.network_insights_path_id = ec2_new_id(c->arena, "nip-"),
		.created_date = SOME_TIME(c->now_ms),
		.source_ip = in->source_ip,
		.destination_ip = in->destination_ip,
		.protocol = in->protocol,
		.destination_port = in->destination_port,
		.token = in->client_token};
	TRY(ec2_specified_only(c, &in->tag_specifications, taggable, 1));
	if (in->filter_at_source || in->filter_at_destination)
		return call_fail(c, ERR_NOT_IMPLEMENTED, "Filters at a path's ends are not implemented.");
	TRY(read_end(c, in->source, &r.source));
	if (str_has(in->destination)) TRY(read_end(c, in->destination, &r.destination));
	if (!str_has(in->destination) && !str_has(in->destination_ip))
		return call_fail(c, EC2_ERR_MISSING_PARAMETER,
			"The request must contain the parameter Destination or DestinationIp");
	ec2_put(ec2_here(c), &ec2_type_insights_path, r.network_insights_path_id, &r);
	TRY(ec2_tags_specified(c, &in->tag_specifications, &ec2_type_insights_path, r.network_insights_path_id));
	out->network_insights_path = arena_new(c->arena, struct ec2_network_insights_path);
	return ec2_describe_one(c, &ec2_type_insights_path, r.network_insights_path_id, out->network_insights_path);
}

status ec2_describe_network_insights_paths(struct call *c, const struct ec2_describe_network_insights_paths_input *in,
	struct ec2_describe_network_insights_paths_output *out)
{
	return EC2_DESCRIBE(c, &ec2_type_insights_path, in, network_insights_path_ids, out, network_insights_paths);
}

status ec2_delete_network_insights_path(struct call *c, const struct ec2_delete_network_insights_path_input *in,
	struct ec2_delete_network_insights_path_output *out)
{
	struct ec2_rec_insights_path r;
	bool used = false;
	TRY(ec2_find(c, &ec2_type_insights_path, in->network_insights_path_id, &r));
	struct ec2_each e = ec2_each(ec2_here(c), &ec2_type_insights_analysis);
	while (ec2_next(&e))
		used = used || str_eq(((struct ec2_rec_insights_analysis *)e.item.record)->network_insights_path_id,
				       r.network_insights_path_id);
	TRY(ec2_each_end(&e));
	if (used)
		return call_fail(c, EC2_ERR_DEPENDENCY_VIOLATION, "The network insights path '%.*s' has analyses.",
			STR_ARG(r.network_insights_path_id));
	ec2_drop(ec2_here(c), &ec2_type_insights_path, r.network_insights_path_id);
	out->network_insights_path_id = r.network_insights_path_id;
	return OK;
}

static status analyse(struct call *c, const struct ec2_rec_insights_path *p, struct ec2_rec_insights_analysis *r)
{
	struct host_rec_traced traced;
	struct str why;
	size_t capacity = 0;
	struct ec2_trace t = {.source = str_starts(p->source, STR("igw-")) ? STR("internet") : p->source,
		.destination = str_or(p->destination_ip, p->destination),
		.port = p->destination_port.v,
		.protocol = str_is(p->protocol, "udp") ? 17 : 6};
	if (str_starts(t.destination, STR("igw-")))
		t.destination = STR("192.0.2.1"); /* anywhere beyond it (RFC 5737) */
	status s = ec2_trace(c->cloud, c->arena, &t, &traced, &why);
	r->status = is_ok(s) ? STR("succeeded") : STR("failed");
	if (!is_ok(s)) {
		r->status_message = str_or(why, str_c(status_name(s)));
		return OK;
	}
	r->network_path_found = SOME_BOOL(traced.reachable.v);
	for (size_t i = 0; i < traced.hops.n; i++) {
		const struct host_rec_hop *h = &traced.hops.v[i];
		*VEC_PUSH(c->arena, &r->hops, &capacity) =
			(struct ec2_rec_insights_hop){h->component, h->by, h->passed, h->source, h->destination};
	}
	return OK;
}

status ec2_start_network_insights_analysis(struct call *c, const struct ec2_start_network_insights_analysis_input *in,
	struct ec2_start_network_insights_analysis_output *out)
{
	static const struct ec2_type *const taggable[] = {&ec2_type_insights_analysis};
	struct ec2_rec_insights_path p;
	struct ec2_rec_insights_analysis r = {.network_insights_analysis_id = ec2_new_id(c->arena, "nia-"),
		.network_insights_path_id = in->network_insights_path_id,
		.start_date = SOME_TIME(c->now_ms)};
	TRY(ec2_specified_only(c, &in->tag_specifications, taggable, 1));
	TRY(ec2_find(c, &ec2_type_insights_path, in->network_insights_path_id, &p));
	if (in->filter_in_arns.n || in->filter_out_arns.n || in->additional_accounts.n)
		return call_fail(
			c, ERR_NOT_IMPLEMENTED, "Filters and further accounts of analyses are not implemented.");
	TRY(analyse(c, &p, &r));
	ec2_put(ec2_here(c), &ec2_type_insights_analysis, r.network_insights_analysis_id, &r);
	TRY(ec2_tags_specified(
		c, &in->tag_specifications, &ec2_type_insights_analysis, r.network_insights_analysis_id));
	out->network_insights_analysis = arena_new(c->arena, struct ec2_network_insights_analysis);
	return ec2_describe_one(
		c, &ec2_type_insights_analysis, r.network_insights_analysis_id, out->network_insights_analysis);
}

status ec2_describe_network_insights_analyses(struct call *c,
	const struct ec2_describe_network_insights_analyses_input *in,
	struct ec2_describe_network_insights_analyses_output *out)
{
	TRY(EC2_DESCRIBE(
		c, &ec2_type_insights_analysis, in, network_insights_analysis_ids, out, network_insights_analyses));
	size_t kept = 0;
	for (size_t i = 0; i < out->network_insights_analyses.n; i++)
		if (!str_has(in->network_insights_path_id) ||
			str_eq(out->network_insights_analyses.v[i].network_insights_path_id,
				in->network_insights_path_id))
			out->network_insights_analyses.v[kept++] = out->network_insights_analyses.v[i];
	out->network_insights_analyses.n = kept;
	return OK;
}

status ec2_delete_network_insights_analysis(struct call *c, const struct ec2_delete_network_insights_analysis_input *in,
	struct ec2_delete_network_insights_analysis_output *out)
{
	struct ec2_rec_insights_analysis r;
	TRY(ec2_find(c, &ec2_type_insights_analysis, in->network_insights_analysis_id, &r));
	ec2_drop(ec2_here(c), &ec2_type_insights_analysis, r.network_insights_analysis_id);
	out->network_insights_analysis_id = r.network_insights_analysis_id;
	return OK;
}
