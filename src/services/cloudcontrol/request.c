/* CreateResource, UpdateResource, DeleteResource, and their requests' progress. */
#include "base/rand.h"
#include "base/vec.h"
#include "services/cloudcontrol/room.h"

enum { PAGE = 20 };

status cloudcontrol_who(struct call *c, struct str role_arn, struct inside_caller *out)
{
	struct str why = STR("");
	*out = (struct inside_caller){
		.principal = c->principal, .region = c->region, .agent = STR("cloudcontrolapi.amazonaws.com")};
	if (!str_has(role_arn) || is_ok(cfn_as_role(c->cloud, c->arena, role_arn, out, &why))) return OK;
	return call_fail(c, CLOUDCONTROL_ERR_INVALID_CREDENTIALS_EXCEPTION, "%.*s", STR_ARG(why));
}

status cloudcontrol_type(
	struct call *c, struct str name, const char *action, struct cfn_type *type, const struct cfn_handler **handler)
{
	*handler = cfn_handler_of(name);
	if (!is_ok(cfn_type_find(c->arena, name, type)))
		return call_fail(c, CLOUDCONTROL_ERR_TYPE_NOT_FOUND_EXCEPTION, "The type '%.*s' cannot be found.",
			STR_ARG(name));
	bool engine = str_starts(name, STR("AWS::CloudFormation::")) || str_starts(name, STR("Custom::"));
	if (!*handler || engine)
		return call_fail(c, CLOUDCONTROL_ERR_UNSUPPORTED_ACTION_EXCEPTION,
			"Resource type %.*s does not support %s action", STR_ARG(name), action);
	return OK;
}

status cloudcontrol_fail_read(
	struct call *c, struct str type, struct str identifier, status s, const struct cfn_work *w)
{
	if (status_is(s, STATUS_NOT_FOUND))
		return call_fail(c, CLOUDCONTROL_ERR_RESOURCE_NOT_FOUND_EXCEPTION,
			"Resource of type '%.*s' with identifier '%.*s' was not found.", STR_ARG(type),
			STR_ARG(identifier));
	const char *code = cloudcontrol_error_code(w->code);
	struct str why = str_or(w->why, STR("Internal Failure"));
	if (strcmp(code, "InvalidRequest") == 0)
		return call_fail(c, CLOUDCONTROL_ERR_INVALID_REQUEST_EXCEPTION, "%.*s", STR_ARG(why));
	if (strcmp(code, "AccessDenied") == 0) return call_fail(c, ERR_ACCESS_DENIED, "%.*s", STR_ARG(why));
	return call_fail(c, CLOUDCONTROL_ERR_GENERAL_SERVICE_EXCEPTION, "%.*s", STR_ARG(why));
}

static struct cloudcontrol_progress_event *progress(
	struct arena *a, const struct cloudcontrol_rec_request *r, bool model)
{
	struct cloudcontrol_progress_event *e = arena_new(a, struct cloudcontrol_progress_event);
	*e = (struct cloudcontrol_progress_event){.type_name = r->type,
		.identifier = r->identifier,
		.request_token = r->token,
		.operation = r->operation,
		.operation_status = r->status,
		.event_time = SOME_TIME(r->changed.v),
		.status_message = r->message,
		.error_code = r->error_code};
	struct json_value *properties, *attributes;
	if (!model || str_is(r->operation, "DELETE") || !str_is(r->status, "SUCCESS") ||
		!is_ok(json_read(a, str_or(r->desired, STR("{}")), &properties)))
		return e;
	if (is_ok(json_read(a, str_or(r->attributes, STR("{}")), &attributes)))
		for (const struct json_value *m = attributes->first; m; m = m->next)
			cfn_set(properties, m->name, cfn_copy(a, m));
	e->resource_model = cfn_json(a, properties);
	return e;
}

/* "If you do not specify a client token, one is generated": a repeated one tells of the request that it made. */
static status repeated(struct call *c, struct str client_token, const struct cloudcontrol_rec_request *r,
	struct cloudcontrol_progress_event **out)
{
	struct cloudcontrol_rec_request was;
	struct str token;
	*out = NULL;
	if (!str_has(client_token)) return OK;
	status s = store_get(
		c->tx, cloudcontrol_key(c->arena, "client", c->account, c->region, client_token, STR_NONE), &token);
	if (is_ok(s)) s = cloudcontrol_request_get(c->tx, c->arena, c->account, c->region, token, &was);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	bool same = str_eq(was.type, r->type) && str_eq(was.operation, r->operation) &&
		    (str_is(r->operation, "CREATE")
				    ? str_eq(str_or(was.desired, STR("")), str_or(r->desired, STR("")))
				    : str_eq(str_or(was.identifier, STR("")), str_or(r->identifier, STR(""))));
	if (!same)
		return call_fail(c, CLOUDCONTROL_ERR_CLIENT_TOKEN_CONFLICT_EXCEPTION,
			"The client token %.*s was used by another request", STR_ARG(client_token));
	*out = progress(c->arena, &was, false);
	return OK;
}

static status not_busy(struct call *c, struct str type, struct str identifier)
{
	struct str token;
	status s =
		store_get(c->tx, cloudcontrol_key(c->arena, "busy", c->account, c->region, type, identifier), &token);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	return call_fail(c, CLOUDCONTROL_ERR_CONCURRENT_OPERATION_EXCEPTION,
		"The resource '%.*s' of type '%.*s' is being changed by the request %.*s", STR_ARG(identifier),
		STR_ARG(type), STR_ARG(token));
}

static struct cloudcontrol_rec_request request_of(
	struct call *c, struct str type, const char *operation, struct str client_token, struct str role_arn)
{
	struct cloudcontrol_rec_caller *who = arena_new(c->arena, struct cloudcontrol_rec_caller);
	const struct principal *p = &c->principal;
	*who = (struct cloudcontrol_rec_caller){.kind = SOME_I32((int32_t)p->kind),
		.account = p->account,
		.arn = p->arn,
		.user_id = p->user_id,
		.access_key = p->access_key,
		.name = p->name,
		.session = p->session,
		.session_record = p->session_record};
	return (struct cloudcontrol_rec_request){.token = rand_uuid(c->arena),
		.account = c->account,
		.region = c->region,
		.type = type,
		.operation = str_c(operation),
		.status = STR("IN_PROGRESS"),
		.client_token = client_token,
		.role_arn = role_arn,
		.caller = who,
		.created = SOME_I64(c->now_ms),
		.changed = SOME_I64(c->now_ms),
		.making = cfn_new_token(c->arena)};
}

status cloudcontrol_create_resource(struct call *c, const struct cloudcontrol_create_resource_input *in,
	struct cloudcontrol_create_resource_output *out)
{
	struct cfn_type type;
	const struct cfn_handler *handler;
	struct inside_caller who;
	struct json_value *desired;
	TRY(cloudcontrol_type(c, in->type_name, "CREATE", &type, &handler));
	TRY(cloudcontrol_who(c, in->role_arn, &who));
	if (!is_ok(json_read(c->arena, in->desired_state, &desired)) || desired->type != JSON_IS_OBJECT)
		return call_fail(
			c, CLOUDCONTROL_ERR_INVALID_REQUEST_EXCEPTION, "DesiredState is not a valid JSON object");
	struct cloudcontrol_rec_request r = request_of(c, in->type_name, "CREATE", in->client_token, in->role_arn);
	r.desired = cfn_json(c->arena, desired);
	TRY(repeated(c, in->client_token, &r, &out->progress_event));
	if (out->progress_event) return OK;
	cloudcontrol_begin(c, &r);
	out->progress_event = progress(c->arena, &r, false);
	return OK;
}

/* What is known of the resource: how it was made here, or how it is. */
static status known(struct call *c, const struct cfn_type *type, struct str identifier, struct str role_arn,
	struct cloudcontrol_rec_request *r, struct json_value **model)
{
	struct cloudcontrol_rec_made made;
	struct inside_caller who;
	struct cfn_work w = {0};
	status s = cloudcontrol_made_get(c->tx, c->arena, c->account, c->region, type->name, identifier, &made);
	if (!is_ok(s) && !status_is(s, STATUS_NOT_FOUND)) return s;
	bool ours = is_ok(s);
	TRY(cloudcontrol_who(c, role_arn, &who));
	s = cloudcontrol_read(c->cloud, &who, c->arena, c->region, type->name, identifier, &made, &w, model);
	r->identifier = identifier;
	r->physical_id =
		str_has(made.physical_id) ? made.physical_id : cloudcontrol_physical_id(c->arena, type, identifier);
	r->attributes = str_has(made.attributes) ? made.attributes
			: is_ok(s)               ? cfn_json(c->arena, w.attributes)
						 : STR("{}");
	if (str_has(made.making)) r->making = made.making;
	/* What was asked for is whole; what is told may have other forms. Attributes are no properties. */
	if (ours && str_has(made.properties)) return json_read(c->arena, made.properties, model);
	if (!is_ok(s)) return cloudcontrol_fail_read(c, type->name, identifier, s, &w);
	struct json_value *properties = cfn_object(c->arena);
	for (const struct json_value *m = (*model)->first; m; m = m->next)
		if (cfn_struct_property(&type->properties, m->name))
			cfn_set(properties, m->name, cfn_copy(c->arena, m));
	*model = properties;
	return OK;
}

/* "createOnlyProperties" cannot be changed by an update. */
static status check_update(
	struct call *c, const struct cfn_type *type, const struct json_value *before, const struct json_value *after)
{
	struct buf fixed = BUF_IN(c->arena);
	for (size_t i = 0; i < type->properties.n; i++) {
		const struct cfn_property *p = &type->properties.v[i];
		if (p->change != CFN_REPLACES || cfn_equal(json_member(before, p->name), json_member(after, p->name)))
			continue;
		if (fixed.n) buf_lit(&fixed, ", ");
		buf_fmt(&fixed, "/properties/%.*s", STR_ARG(p->name));
	}
	if (!fixed.n) return OK;
	return call_fail(c, CLOUDCONTROL_ERR_NOT_UPDATABLE_EXCEPTION,
		"Invalid patch update: createOnlyProperties [%.*s] cannot be updated", STR_ARG(buf_done(&fixed)));
}

status cloudcontrol_update_resource(struct call *c, const struct cloudcontrol_update_resource_input *in,
	struct cloudcontrol_update_resource_output *out)
{
	struct cfn_type type;
	const struct cfn_handler *handler;
	struct json_value *patch, *before, *after;
	struct str why = STR("");
	TRY(cloudcontrol_type(c, in->type_name, "UPDATE", &type, &handler));
	if (!handler->update)
		return call_fail(c, CLOUDCONTROL_ERR_UNSUPPORTED_ACTION_EXCEPTION,
			"Resource type %.*s does not support UPDATE action", STR_ARG(in->type_name));
	struct cloudcontrol_rec_request r = request_of(c, in->type_name, "UPDATE", in->client_token, in->role_arn);
	r.identifier = in->identifier;
	TRY(repeated(c, in->client_token, &r, &out->progress_event));
	if (out->progress_event) return OK;
	TRY(not_busy(c, in->type_name, in->identifier));
	if (!is_ok(json_read(c->arena, in->patch_document, &patch)))
		return call_fail(c, CLOUDCONTROL_ERR_INVALID_REQUEST_EXCEPTION, "PatchDocument is not valid JSON");
	TRY(known(c, &type, in->identifier, in->role_arn, &r, &before));
	if (!is_ok(cloudcontrol_patch(c->arena, before, patch, &after, &why)))
		return call_fail(
			c, CLOUDCONTROL_ERR_INVALID_REQUEST_EXCEPTION, "Invalid patch update: %.*s", STR_ARG(why));
	TRY(check_update(c, &type, before, after));
	/* Only what changes has to be of the type's form: the rest may be as its service tells it. */
	struct json_value *changed = cfn_object(c->arena);
	for (const struct json_value *p = after->first; p; p = p->next)
		if (!cfn_equal(p, json_member(before, p->name)) || cfn_struct_property(&type.properties, p->name))
			cfn_set(changed, p->name, cfn_copy(c->arena, p));
	struct cloudcontrol_rec_made made;
	bool ours = is_ok(
		cloudcontrol_made_get(c->tx, c->arena, c->account, c->region, in->type_name, in->identifier, &made));
	if (ours && !is_ok(cfn_type_check(c->arena, &type, STR(""), changed, &why))) {
		ptrdiff_t line = str_chr(why, '\n');
		return call_fail(c, CLOUDCONTROL_ERR_INVALID_REQUEST_EXCEPTION, "Model validation failed (%.*s)",
			STR_ARG(str_from(why, (size_t)(line + 1))));
	}
	r.before = cfn_json(c->arena, before);
	r.desired = cfn_json(c->arena, after);
	cloudcontrol_begin(c, &r);
	out->progress_event = progress(c->arena, &r, false);
	return OK;
}

status cloudcontrol_delete_resource(struct call *c, const struct cloudcontrol_delete_resource_input *in,
	struct cloudcontrol_delete_resource_output *out)
{
	struct cfn_type type;
	const struct cfn_handler *handler;
	struct inside_caller who;
	struct cloudcontrol_rec_made made;
	TRY(cloudcontrol_type(c, in->type_name, "DELETE", &type, &handler));
	TRY(cloudcontrol_who(c, in->role_arn, &who));
	struct cloudcontrol_rec_request r = request_of(c, in->type_name, "DELETE", in->client_token, in->role_arn);
	r.identifier = in->identifier;
	TRY(repeated(c, in->client_token, &r, &out->progress_event));
	if (out->progress_event) return OK;
	TRY(not_busy(c, in->type_name, in->identifier));
	status s = cloudcontrol_made_get(c->tx, c->arena, c->account, c->region, in->type_name, in->identifier, &made);
	if (!is_ok(s) && !status_is(s, STATUS_NOT_FOUND)) return s;
	r.physical_id = str_has(made.physical_id) ? made.physical_id
						  : cloudcontrol_physical_id(c->arena, &type, in->identifier);
	r.attributes = made.attributes;
	if (str_has(made.making)) r.making = made.making;
	r.desired = str_has(made.properties)
			    ? made.properties
			    : cfn_json(c->arena, cloudcontrol_id_properties(c->arena, &type, in->identifier));
	/* What holds on to it (a role's policies) is told by the resource as it is. */
	struct json_value *model;
	if (!str_has(made.properties) && handler->read) {
		struct cfn_work w;
		if (is_ok(cloudcontrol_read(
			    c->cloud, &who, c->arena, c->region, in->type_name, in->identifier, &made, &w, &model))) {
			r.desired = cfn_json(c->arena, model);
			r.attributes = cfn_json(c->arena, w.attributes);
		}
	}
	cloudcontrol_begin(c, &r);
	out->progress_event = progress(c->arena, &r, false);
	return OK;
}

static status load(struct call *c, struct str token, struct cloudcontrol_rec_request *r)
{
	status s = cloudcontrol_request_get(c->tx, c->arena, c->account, c->region, token, r);
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	return call_fail(c, CLOUDCONTROL_ERR_REQUEST_TOKEN_NOT_FOUND_EXCEPTION, "Request with token %.*s was not found",
		STR_ARG(token));
}

status cloudcontrol_get_resource_request_status(struct call *c,
	const struct cloudcontrol_get_resource_request_status_input *in,
	struct cloudcontrol_get_resource_request_status_output *out)
{
	struct cloudcontrol_rec_request r;
	TRY(load(c, in->request_token, &r));
	out->progress_event = progress(c->arena, &r, true);
	return OK;
}

status cloudcontrol_cancel_resource_request(struct call *c, const struct cloudcontrol_cancel_resource_request_input *in,
	struct cloudcontrol_cancel_resource_request_output *out)
{
	struct cloudcontrol_rec_request r;
	TRY(load(c, in->request_token, &r));
	if (!str_is(r.status, "IN_PROGRESS"))
		return call_fail(c, CLOUDCONTROL_ERR_CONCURRENT_MODIFICATION_EXCEPTION,
			"Only requests that are PENDING or IN_PROGRESS can be cancelled; this one is %.*s",
			STR_ARG(r.status));
	store_put(c->tx, cloudcontrol_key(c->arena, "cancel", c->account, c->region, r.token, STR_NONE), STR("1"));
	r.status = STR("CANCEL_IN_PROGRESS");
	out->progress_event = progress(c->arena, &r, false);
	return OK;
}

static bool wanted(
	const struct cloudcontrol_resource_request_status_filter *f, const struct cloudcontrol_rec_request *r)
{
	bool operation = !f || !f->operations.n, status_ = !f || !f->operation_statuses.n;
	for (size_t i = 0; f && i < f->operations.n; i++) operation |= str_eq(f->operations.v[i], r->operation);
	for (size_t i = 0; f && i < f->operation_statuses.n; i++)
		status_ |= str_eq(f->operation_statuses.v[i], r->status);
	return operation && status_;
}

status cloudcontrol_list_resource_requests(struct call *c, const struct cloudcontrol_list_resource_requests_input *in,
	struct cloudcontrol_list_resource_requests_output *out)
{
	struct str from = cloudcontrol_key(c->arena, "request", c->account, c->region, STR_NONE, STR_NONE),
		   to = key_after(c->arena, from), key, value;
	if (str_has(in->next_token))
		from = key_next(c->arena,
			cloudcontrol_key(c->arena, "request", c->account, c->region, in->next_token, STR_NONE));
	size_t capacity = 0, most = in->max_results.has ? (size_t)in->max_results.v : PAGE;
	struct store_scan *scan = store_scan_begin(c->tx, from, to, false);
	status s = OK;
	VEC_PRESENT(c->arena, &out->resource_request_status_summaries);
	while (is_ok(s) && store_scan_next(scan, &key, &value)) {
		struct cloudcontrol_rec_request r = {0};
		s = cloudcontrol_rec_request_decode(c->arena, str_dup(c->arena, value), &r);
		if (!is_ok(s) || !wanted(in->resource_request_status_filter, &r)) continue;
		*VEC_PUSH(c->arena, &out->resource_request_status_summaries, &capacity) =
			*progress(c->arena, &r, false);
		if (out->resource_request_status_summaries.n < most) continue;
		out->next_token = r.token;
		break;
	}
	status ended = store_scan_end(scan);
	return is_ok(s) ? ended : s;
}
