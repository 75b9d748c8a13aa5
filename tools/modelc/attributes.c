/* Reading attributes. */
#include "modelc/attributes.h"

uint32_t protocol_from(struct str word)
{
	static const struct {
		const char *word;
		enum wire_protocol protocol;
	} words[] = {
		{"query", WIRE_QUERY}, {"ec2", WIRE_EC2}, {"json10", WIRE_JSON10}, {"json11", WIRE_JSON11},
		{"rest-json", WIRE_REST_JSON}, {"rest-xml", WIRE_REST_XML}, {"cbor", WIRE_CBOR},
	};
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (str_eq(word, str_c(words[i].word))) return words[i].protocol;
	return 0;
}

uint8_t method_from(struct str word)
{
	static const char *const words[] = {"GET", "PUT", "POST", "DELETE", "HEAD", "PATCH", "OPTIONS"};
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (str_eq(word, str_c(words[i]))) return (uint8_t)i;
	return WIRE_METHOD_OTHER;
}
_Static_assert(WIRE_GET == 0 && WIRE_PUT == 1 && WIRE_POST == 2 && WIRE_DELETE == 3 && WIRE_HEAD == 4 &&
		WIRE_PATCH == 5 && WIRE_OPTIONS == 6, "the methods are listed in the order of desc.h");

bool op_flag(struct op *op, struct str word)
{
	static const struct {
		const char *word;
		uint16_t flag;
	} words[] = {
		{"anonymous", WIRE_O_ANONYMOUS}, {"md5", WIRE_O_MD5_REQUIRED}, {"read-only", WIRE_O_READ_ONLY},
		{"deprecated", WIRE_O_DEPRECATED}, {"idempotent", WIRE_O_IDEMPOTENT},
		{"unsigned-payload", WIRE_O_UNSIGNED_PAYLOAD},
	};
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		if (!str_eq(word, str_c(words[i].word))) continue;
		op->flags |= words[i].flag;
		return true;
	}
	if (str_is(word, "checksum")) {
		if (!op->checksum) op->checksum = 1;
		return true;
	}
	if (!str_is(word, "checksum-required")) return false;
	op->checksum = 2;
	return true;
}

/* ── words ── */

static bool unknown(struct model *m, const struct line *l, const struct word *w)
{
	return model_fail(m, l->at, "unknown attribute: %.*s%s", STR_ARG(w->name), str_has(w->value) ? "=" : "");
}

static bool is_flag(const struct word *w, const char *name)
{
	return !str_has(w->value) && str_eq(w->name, str_c(name));
}

static bool is_text(const struct word *w, const char *name)
{
	return str_has(w->value) && str_eq(w->name, str_c(name));
}

/* A flag of a shape, where its table has one. */
struct shape_flag {
	const char *word;
	uint16_t flag;
};

static bool take_flag(const struct word *w, const struct shape_flag *flags, struct shape *s)
{
	for (; flags->word; flags++) {
		if (!is_flag(w, flags->word)) continue;
		s->flags |= flags->flag;
		return true;
	}
	return false;
}

/* A text attribute, where its table has one. */
struct text_slot {
	const char *word;
	struct str *to;
};

static bool take_text(const struct word *w, const struct text_slot *slots)
{
	for (; slots->word; slots++) {
		if (!is_text(w, slots->word)) continue;
		*slots->to = w->value;
		return true;
	}
	return false;
}

static bool take_status(const struct word *w, const char *name, uint16_t *to)
{
	uint64_t v = 0;
	if (!is_text(w, name) || !is_ok(str_to_u64(w->value, &v)) || v < 100 || v > 599) return false;
	*to = (uint16_t)v;
	return true;
}

static bool take_time(const struct word *w, enum wire_time_format *to)
{
	if (!is_text(w, "time")) return false;
	if (str_is(w->value, "iso8601"))
		*to = WIRE_TIME_ISO8601;
	else if (str_is(w->value, "rfc822"))
		*to = WIRE_TIME_RFC822;
	else if (str_is(w->value, "unix"))
		*to = WIRE_TIME_UNIX;
	else
		return false;
	return true;
}

static bool to_number(struct shape *s, struct str text, int64_t *to)
{
	if (!s->is_float) return is_ok(str_to_i64(text, to));
	double d = 0;
	if (!is_ok(str_to_f64(text, &d)) || d != d) return false;
	memcpy(to, &d, sizeof *to);
	return true;
}

static bool take_limit(const struct word *w, struct shape *s)
{
	bool min = is_text(w, "min");
	if (!min && !is_text(w, "max")) return false;
	if (!to_number(s, w->value, min ? &s->min : &s->max)) return false;
	*(min ? &s->has_min : &s->has_max) = true;
	return true;
}

/* ── lines ── */

bool attributes_op(struct model *m, const struct line *l, size_t from, struct op *op)
{
	for (size_t i = from; i < l->n; i++)
		if (!take_status(&l->words[i], "code", &op->code)) return unknown(m, l, &l->words[i]);
	return true;
}

bool attributes_in(struct model *m, const struct line *l, size_t from, struct op *op)
{
	const struct text_slot slots[] = {{"name", &op->in_name}, {"xmlns", &op->in_xmlns}, {0}};
	for (size_t i = from; i < l->n; i++)
		if (!take_text(&l->words[i], slots)) return unknown(m, l, &l->words[i]);
	return true;
}

bool attributes_out(struct model *m, const struct line *l, size_t from, struct op *op)
{
	const struct text_slot slots[] = {{"wrapper", &op->wrapper}, {0}};
	for (size_t i = from; i < l->n; i++)
		if (!take_text(&l->words[i], slots)) return unknown(m, l, &l->words[i]);
	return true;
}

bool attributes_struct(struct model *m, const struct line *l, size_t from, struct shape *s)
{
	static const struct shape_flag flags[] = {
		{"union", WIRE_S_UNION}, {"exception", WIRE_S_EXCEPTION}, {"fault", WIRE_S_FAULT},
		{"wrapper", WIRE_S_WRAPPER}, {"sensitive", WIRE_S_SENSITIVE}, {"retryable", WIRE_S_RETRYABLE},
		{"eventstream", WIRE_S_EVENTSTREAM}, {0},
	};
	const struct text_slot slots[] = {{"code", &s->code}, {"query-code", &s->query_code}, {"name", &s->location_name},
		{"xmlns", &s->xmlns}, {"prefix", &s->prefix}, {"payload", &s->payload}, {0}};
	for (size_t i = from; i < l->n; i++) {
		const struct word *w = &l->words[i];
		if (!take_flag(w, flags, s) && !take_text(w, slots) && !take_status(w, "status", &s->status))
			return unknown(m, l, w);
	}
	if (s->flags & WIRE_S_EVENTSTREAM) s->kind = WIRE_EVENTS;
	return true;
}

bool attributes_list(struct model *m, const struct line *l, size_t from, struct shape *s, struct member *element)
{
	static const struct shape_flag flags[] = {
		{"flattened", WIRE_S_FLATTENED}, {"sparse", WIRE_S_SPARSE}, {"sensitive", WIRE_S_SENSITIVE}, {0}};
	const struct text_slot slots[] = {{"name", &element->wire_name}, {0}};
	for (size_t i = from; i < l->n; i++) {
		const struct word *w = &l->words[i];
		if (!take_flag(w, flags, s) && !take_text(w, slots) && !take_limit(w, s)) return unknown(m, l, w);
	}
	element->named = str_has(element->wire_name);
	return true;
}

bool attributes_map(struct model *m, const struct line *l, size_t from, struct shape *s)
{
	static const struct shape_flag flags[] = {
		{"flattened", WIRE_S_FLATTENED}, {"sparse", WIRE_S_SPARSE}, {"sensitive", WIRE_S_SENSITIVE}, {0}};
	const struct text_slot slots[] = {
		{"key", &s->members.v[0].wire_name}, {"value", &s->members.v[1].wire_name}, {0}};
	for (size_t i = from; i < l->n; i++) {
		const struct word *w = &l->words[i];
		if (!take_flag(w, flags, s) && !take_text(w, slots) && !take_limit(w, s)) return unknown(m, l, w);
	}
	for (size_t i = 0; i < 2; i++) s->members.v[i].named = str_has(s->members.v[i].wire_name);
	return true;
}

bool attributes_scalar(struct model *m, const struct line *l, size_t from, struct shape *s)
{
	static const struct shape_flag flags[] = {{"sensitive", WIRE_S_SENSITIVE}, {"streaming", WIRE_S_STREAMING}, {0}};
	const struct text_slot slots[] = {{"pattern", &s->pattern}, {0}};
	for (size_t i = from; i < l->n; i++) {
		const struct word *w = &l->words[i];
		bool limited = s->kind != WIRE_BOOL && s->kind != WIRE_TIME && s->kind != WIRE_DOCUMENT;
		bool taken = take_flag(w, flags, s) || (s->kind == WIRE_TIME && take_time(w, &s->time)) ||
				(s->kind == WIRE_STRING && take_text(w, slots)) || (limited && take_limit(w, s));
		if (!taken) return unknown(m, l, w);
	}
	if (!(s->flags & WIRE_S_STREAMING)) return true;
	if (s->kind != WIRE_BLOB) return model_fail(m, l->at, "only a blob is streaming");
	s->kind = WIRE_STREAM;
	return true;
}

/* `header`, `header=NAME`: where a member stands in the HTTP message, and its name there. */
static bool take_location(const struct word *w, struct member *d)
{
	static const struct {
		const char *word;
		enum wire_location location;
	} places[] = {
		{"xml", WIRE_IN_BODY}, {"uri", WIRE_IN_URI}, {"query", WIRE_IN_QUERY}, {"header", WIRE_IN_HEADER},
		{"headers", WIRE_IN_HEADERS}, {"status", WIRE_IN_STATUS},
	};
	for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
		if (!str_eq(w->name, str_c(places[i].word))) continue;
		if (d->location != WIRE_IN_BODY || d->named) return false;
		d->location = places[i].location;
		d->wire_name = w->value;
		d->named = str_has(w->value) || d->location == WIRE_IN_BODY;
		return true;
	}
	return false;
}

bool attributes_member(struct model *m, const struct line *l, size_t from, struct member *d)
{
	const struct text_slot slots[] = {{"query-name", &d->query_name}, {"xmlns", &d->xmlns}, {"prefix", &d->prefix}, {0}};
	const struct {
		const char *word;
		bool *to;
	} flags[] = {{"required", &d->required}, {"flattened", &d->flattened}, {"attribute", &d->attribute},
		{"token", &d->token}, {"host-label", &d->host_label}};
	for (size_t i = from; i < l->n; i++) {
		const struct word *w = &l->words[i];
		bool taken = take_text(w, slots) || take_time(w, &d->time) || take_location(w, d);
		for (size_t f = 0; f < sizeof flags / sizeof *flags && !taken; f++) {
			if (!is_flag(w, flags[f].word)) continue;
			*flags[f].to = true;
			taken = true;
		}
		if (!taken) return unknown(m, l, w);
	}
	return true;
}

bool attributes_error(struct model *m, const struct line *l, size_t from, struct str *code, struct str *query_code)
{
	const struct text_slot slots[] = {{"code", code}, {"query-code", query_code}, {0}};
	for (size_t i = from; i < l->n; i++)
		if (!take_text(&l->words[i], slots)) return unknown(m, l, &l->words[i]);
	return true;
}
