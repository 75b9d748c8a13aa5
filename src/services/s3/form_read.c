/* Reading a form: parts between boundaries, each with a Content-Disposition that names it. */
#include "services/s3/form_read.h"
#include "base/vec.h"

enum { FIELDS_MAX = 1000, BOUNDARY_MAX = 200 };

struct str s3_form_get(const struct s3_form *f, struct str name)
{
	for (size_t i = 0; i < f->n; i++)
		if (str_ieq(f->v[i].name, name)) return f->v[i].value;
	return STR_NONE;
}

/* name="value" or name=value among parameters; quoted values end at the next quote, as browsers percent-encode those
 * within. */
static struct str parameter(struct str header, struct str name)
{
	struct str rest = header;
	(void)str_cut(&rest, ';');
	while (str_has(rest)) {
		struct str s = str_trim(rest);
		ptrdiff_t equals = str_chr(s, '=');
		if (equals < 0) return STR_NONE;
		struct str key = str_trim(str_sub(s, 0, (size_t)equals)), value = str_from(s, (size_t)equals + 1);
		if (value.n && value.p[0] == '"') {
			value = str_from(value, 1);
			ptrdiff_t end = str_chr(value, '"');
			if (end < 0) return STR_NONE;
			rest = str_from(value, (size_t)end + 1);
			value = str_sub(value, 0, (size_t)end);
			(void)str_cut(&rest, ';');
		} else {
			rest = value;
			value = str_trim(str_cut(&rest, ';'));
		}
		if (str_ieq(key, name)) return value;
	}
	return STR_NONE;
}

struct str s3_form_boundary(struct str content_type)
{
	struct str b = parameter(content_type, STR("boundary"));
	return b.n >= 1 && b.n <= BOUNDARY_MAX ? b : STR_NONE;
}

static bool take_line(struct str *s, struct str *line)
{
	ptrdiff_t end = str_find(*s, STR("\r\n"));
	if (end < 0) return false;
	*line = str_sub(*s, 0, (size_t)end);
	*s = str_from(*s, (size_t)end + 2);
	return true;
}

static status read_head(struct str *s, struct str *name, struct str *file_name, struct str *type)
{
	struct str line;
	*name = *file_name = *type = STR_NONE;
	for (;;) {
		if (!take_line(s, &line)) return STATUS(INVALID);
		if (str_empty(line)) return str_has(*name) ? OK : STATUS(INVALID);
		struct str value = line, key = str_cut(&value, ':');
		if (!str_has(value)) return STATUS(INVALID);
		if (str_ieq(key, STR("Content-Disposition"))) {
			*name = parameter(value, STR("name"));
			*file_name = parameter(value, STR("filename"));
		} else if (str_ieq(key, STR("Content-Type"))) {
			*type = str_trim(value);
		}
	}
}

status s3_form_read(struct arena *a, struct str body, struct str boundary, struct s3_form *out)
{
	*out = (struct s3_form){.file = STR_NONE, .file_name = STR_NONE, .file_type = STR_NONE};
	struct str delimiter = str_fmt(a, "\r\n--%.*s", STR_ARG(boundary)), rest = body;
	size_t capacity = 0;
	if (!str_starts(rest, str_from(delimiter, 2))) return STATUS(INVALID);
	rest = str_from(rest, delimiter.n - 2);
	for (;;) {
		if (str_starts(rest, STR("--"))) return OK;
		while (rest.n && (rest.p[0] == ' ' || rest.p[0] == '\t')) rest = str_from(rest, 1);
		if (!str_starts(rest, STR("\r\n"))) return STATUS(INVALID);
		rest = str_from(rest, 2);
		struct str name, file_name, type;
		out->fields_size = body.n - rest.n;
		TRY(read_head(&rest, &name, &file_name, &type));
		ptrdiff_t end = str_find(rest, delimiter);
		if (end < 0) return STATUS(INVALID);
		struct str value = str_sub(rest, 0, (size_t)end);
		if (str_ieq(name, STR("file"))) {
			out->file = value.p ? value : STR("");
			out->file_name = file_name;
			out->file_type = type;
			return OK;
		}
		rest = str_from(rest, (size_t)end + delimiter.n);
		if (out->n >= FIELDS_MAX) return STATUS(LIMIT);
		*VEC_PUSH(a, out, &capacity) = (struct s3_form_field){name, value};
	}
}
