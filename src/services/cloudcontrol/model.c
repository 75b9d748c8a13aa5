/* A resource's model: what identifies it, and how it is. */
#include "services/cloudcontrol/room.h"
#include "services/cloudformation/recipe.h"

struct json_value *cloudcontrol_id_properties(struct arena *a, const struct cfn_type *type, struct str identifier)
{
	struct json_value *o = cfn_object(a);
	struct str rest = identifier;
	for (size_t i = 0; i < type->n_ids; i++) {
		struct str part = i + 1 == type->n_ids ? rest : str_has(rest) ? str_cut(&rest, '|') : STR_NONE;
		cfn_put(o, a, str_z(a, type->ids[i]), part);
	}
	return o;
}

struct str cloudcontrol_physical_id(struct arena *a, const struct cfn_type *type, struct str identifier)
{
	struct cfn_recipe r;
	if (type->n_ids < 2 || !is_ok(cfn_recipe_find(a, type->name, &r))) return identifier;
	struct str id = str_or(cfn_recipe_line(&r, "id"), STR(""));
	struct json_value *parts = cloudcontrol_id_properties(a, type, identifier);
	if (str_starts(id, STR("%"))) {
		struct cfn_work w = {.a = a, .type = type, .properties = parts, .before = parts, .attributes = parts};
		struct cfn_eval x = {.w = &w, .r = &r};
		return str_or(cfn_expr_text(&x, id), identifier);
	}
	/* "<Address.PublicIp", ">LogStreamName": its last name is that of a part. */
	ptrdiff_t dot = str_rchr(id, '.');
	struct str last = dot >= 0                                               ? str_from(id, (size_t)dot + 1)
			  : str_starts(id, STR("<")) || str_starts(id, STR(">")) ? str_from(id, 1)
										 : id;
	for (const struct json_value *p = parts->first; p; p = p->next)
		if (str_ieq(p->name, last)) return json_scalar(p);
	return identifier;
}

struct str cloudcontrol_identifier(struct arena *a, const struct cfn_type *type, const struct json_value *properties,
	const struct json_value *attributes, struct str physical_id)
{
	struct buf b = BUF_IN(a);
	for (size_t i = 0; i < type->n_ids; i++) {
		struct str value = json_scalar(json_member(attributes, type->ids[i]));
		if (!str_has(value)) value = json_scalar(json_member(properties, type->ids[i]));
		if (!str_has(value)) value = physical_id;
		if (i) buf_byte(&b, '|');
		buf_str(&b, str_or(value, STR("")));
	}
	return type->n_ids ? buf_done(&b) : physical_id;
}

static void add_all(struct arena *a, struct json_value *to, const struct json_value *from)
{
	for (const struct json_value *c = from ? from->first : NULL; c; c = c->next)
		cfn_set(to, c->name, cfn_copy(a, c));
}

static const struct json_value *parsed(struct arena *a, struct str text)
{
	struct json_value *v;
	return str_has(text) && is_ok(json_read(a, text, &v)) ? v : NULL;
}

status cloudcontrol_read(struct cloud *cloud, const struct inside_caller *who, struct arena *a, struct str region,
	struct str type, struct str identifier, const struct cloudcontrol_rec_made *made, struct cfn_work *w,
	struct json_value **model)
{
	struct cfn_type known;
	if (!is_ok(cfn_type_find(a, type, &known))) return STATUS(NOT_FOUND);
	struct json_value *properties = cloudcontrol_id_properties(a, &known, identifier);
	const struct json_value *asked = parsed(a, made->properties);
	add_all(a, properties, asked);
	struct str physical =
		str_has(made->physical_id) ? made->physical_id : cloudcontrol_physical_id(a, &known, identifier);
	struct cfn_place place = {who->principal.account, region};
	TRY(cfn_read_live(cloud, who, a, place, type, physical, properties, parsed(a, made->attributes), w));
	/* How it is wins over how it was asked for, where its service tells; properties only. */
	*model = cfn_object(a);
	add_all(a, *model, asked);
	add_all(a, *model, w->live);
	add_all(a, *model, cloudcontrol_id_properties(a, &known, identifier));
	for (size_t i = 0; i < known.n_attributes; i++) {
		const struct json_value *v = json_member(w->attributes, known.attributes[i]);
		if (v && str_chr(known.attributes[i], '.') < 0) cfn_set(*model, known.attributes[i], cfn_copy(a, v));
	}
	return OK;
}
