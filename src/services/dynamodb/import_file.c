/* See import_file.h. */
#include "services/dynamodb/import_file.h"
#include "services/dynamodb/import_ion.h"
#include "services/dynamodb/value_text.h"
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

enum { PIECE = 64 << 10, LINE_MAX_BYTES = 4 << 20 };

/* ── lines ── */

struct lines {
	const struct import_file *f;
	struct arena a; /* of one line */
	struct buf line;
	bool quoted, overlong; /* CSV: within quotes; the line is longer than any item */
	struct str *headers;   /* CSV: of the first line */
	size_t n_headers;
	struct arena *keep;
};

static status json_line(struct lines *l, struct str line)
{
	struct json_value *root;
	struct value item;
	struct str why;
	bool good = is_ok(json_read(&l->a, line, &root)) && json_is(json_member(root, STR("Item")), JSON_IS_OBJECT) &&
		    ddb_json_read(&l->a, json_member(root, STR("Item")), &item, &why);
	return l->f->item(l->f->ctx, good ? &item : NULL);
}

static status ion_line(struct lines *l, struct str line)
{
	struct value item;
	return l->f->item(l->f->ctx, ddb_ion_read(&l->a, line, &item) ? &item : NULL);
}

/* RFC 4180: quotes around a field, doubled within. */
static size_t fields(struct lines *l, struct str line, struct str **out)
{
	size_t n = 0, capacity = 16, i = 0;
	struct str *v = arena_new_n(&l->a, struct str, capacity);
	for (;;) {
		struct buf b = BUF_IN(&l->a);
		bool quoted = i < line.n && line.p[i] == '"';
		if (quoted) i++;
		while (i < line.n) {
			char c = line.p[i];
			if (quoted && c == '"') {
				if (i + 1 < line.n && line.p[i + 1] == '"') {
					i++;
				} else {
					quoted = false;
					i++;
					continue;
				}
			} else if (!quoted && c == l->f->delimiter) {
				break;
			}
			buf_byte(&b, c);
			i++;
		}
		if (n == capacity) {
			struct str *more = arena_new_n(&l->a, struct str, capacity * 2);
			memcpy(more, v, n * sizeof(*v));
			v = more;
			capacity *= 2;
		}
		v[n++] = buf_done(&b);
		if (i >= line.n) break;
		i++;
	}
	*out = v;
	return n;
}

static enum value_type type_of(const struct table *t, struct str name)
{
	if (str_eq(name, t->key.hash)) return t->key.hash_type;
	if (str_has(t->key.range) && str_eq(name, t->key.range)) return t->key.range_type;
	for (size_t i = 0; i < t->n_indexes; i++) {
		const struct key_schema *k = &t->indexes[i].key;
		if (str_eq(name, k->hash)) return k->hash_type;
		if (str_has(k->range) && str_eq(name, k->range)) return k->range_type;
	}
	return V_S;
}

static bool csv_value(struct lines *l, struct str name, struct str text, struct value *out)
{
	enum value_type type = type_of(l->f->table, name);
	struct str bytes = text;
	if (type == V_N && ddb_number_read(&l->a, text, &bytes) != NUMBER_OK) return false;
	if (type == V_B && !is_ok(str_unbase64(&l->a, text, &bytes))) return false;
	if (type == V_S && !str_utf8_valid(text)) return false;
	*out = value_text(type, bytes);
	return true;
}

static status csv_line(struct lines *l, struct str line)
{
	struct str *v;
	size_t n = fields(l, line, &v);
	if (!l->headers) {
		l->headers = arena_new_n(l->keep, struct str, n);
		for (size_t i = 0; i < n; i++) l->headers[i] = str_dup(l->keep, v[i]);
		l->n_headers = n;
		return OK;
	}
	struct value item = ddb_map(), value;
	bool good = n == l->n_headers;
	for (size_t i = 0; i < n && good; i++) {
		good = csv_value(l, l->headers[i], v[i], &value);
		if (good) ddb_set(&l->a, &item, l->headers[i], &value);
	}
	return l->f->item(l->f->ctx, good ? &item : NULL);
}

static status end_line(struct lines *l)
{
	struct str line = buf_done(&l->line);
	bool overlong = l->overlong;
	if (str_ends(line, STR("\r"))) line = str_sub(line, 0, line.n - 1);
	l->line.n = 0;
	l->quoted = l->overlong = false;
	if (overlong) return l->f->item(l->f->ctx, NULL);
	if (str_trim(line).n == 0) return OK;
	arena_reset(&l->a);
	if (str_is(l->f->format, "CSV")) return csv_line(l, line);
	return str_is(l->f->format, "ION") ? ion_line(l, line) : json_line(l, line);
}

static status feed(struct lines *l, const char *p, size_t n)
{
	bool csv = str_is(l->f->format, "CSV");
	for (size_t i = 0; i < n; i++) {
		if (p[i] == '\n' && !l->quoted) {
			TRY(end_line(l));
			continue;
		}
		if (csv && p[i] == '"') l->quoted = !l->quoted;
		if (l->line.n < LINE_MAX_BYTES)
			buf_byte(&l->line, p[i]);
		else
			l->overlong = true;
	}
	return OK;
}

/* ── compression ── */

static status inflate_all(struct lines *l, struct str bytes)
{
	z_stream z = {0};
	union {
		const char *in;
		Bytef *out;
	} from = {bytes.p};
	char *piece = mem_new(PIECE);
	status s = inflateInit2(&z, 15 + 16) == Z_OK ? OK : STATUS(INVALID);
	int r = Z_OK;
	z.next_in = from.out;
	z.avail_in = (uInt)bytes.n;
	while (is_ok(s) && (z.avail_in || r != Z_STREAM_END)) {
		/* Several members behind one another are one file (RFC 1952 section 2.2). */
		if (r == Z_STREAM_END && inflateReset(&z) != Z_OK) s = STATUS(INVALID);
		z.next_out = (Bytef *)piece;
		z.avail_out = PIECE;
		if (is_ok(s)) r = inflate(&z, Z_NO_FLUSH);
		if (r != Z_OK && r != Z_STREAM_END) s = STATUS(INVALID);
		if (is_ok(s)) s = feed(l, piece, PIECE - z.avail_out);
	}
	inflateEnd(&z);
	free(piece);
	return s;
}

/* Frames behind one another are one file (RFC 8878 section 3). */
static status unzstd_all(struct lines *l, struct str bytes)
{
	ZSTD_DStream *z = ZSTD_createDStream();
	ZSTD_inBuffer in = {bytes.p, bytes.n, 0};
	char *piece = mem_new(PIECE);
	size_t left = z ? 1 : 0;
	status s = z ? OK : STATUS(INVALID);
	while (is_ok(s) && (in.pos < in.size || left)) {
		ZSTD_outBuffer out = {piece, PIECE, 0};
		size_t before = in.pos;
		left = ZSTD_decompressStream(z, &out, &in);
		/* Without progress the last frame is cut off. */
		if (ZSTD_isError(left) || (in.pos == before && out.pos == 0 && left)) s = STATUS(INVALID);
		if (is_ok(s)) s = feed(l, piece, out.pos);
	}
	ZSTD_freeDStream(z);
	free(piece);
	return s;
}

static status unpack(struct lines *l, struct str bytes)
{
	if (str_is(l->f->compression, "GZIP")) return inflate_all(l, bytes);
	if (str_is(l->f->compression, "ZSTD")) return unzstd_all(l, bytes);
	return feed(l, bytes.p, bytes.n);
}

status import_file_read(const struct import_file *f, struct arena *a, struct str bytes)
{
	struct lines l = {.f = f, .line = BUF_HEAP, .keep = a};
	arena_init(&l.a);
	if (f->n_headers) {
		l.headers = arena_copy(a, f->headers, f->n_headers * sizeof(*f->headers));
		l.n_headers = f->n_headers;
	}
	status s = unpack(&l, bytes);
	if (is_ok(s)) s = end_line(&l);
	arena_cleanup(&l.a);
	buf_cleanup(&l.line);
	return s;
}
