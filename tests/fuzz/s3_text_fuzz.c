/* The little grammars that S3's headers and parameters hold: names, ranges, entity tags, tags, metadata, tokens,
 * checksums. The first byte chooses one. What is accepted has to keep its promises. */
#include "services/s3/checksum.h"
#include "services/s3/condition.h"
#include "services/s3/headers.h"
#include "services/s3/names.h"
#include "services/s3/object.h"
#include "services/s3/page.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void names(struct str s)
{
	if (s3_name_is_bucket(s)) INVARIANT(s3_name_was_bucket(s) && s.n >= 3 && s.n <= 63);
	if (s3_name_is_account(s)) INVARIANT(s.n == 12 && !s3_name_is_region(s));
	if (s3_name_is_tag_text(s, 1, 128)) INVARIANT(s.n >= 1 && s.n <= 512 && str_utf8_valid(s));
}

static void range(struct str s)
{
	static const uint64_t sizes[] = {0, 1, 1000, UINT64_MAX};
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		uint64_t first = 1, last = 0;
		if (s3_range_read(s, sizes[i], &first, &last) == S3_RANGE_OK)
			INVARIANT(first <= last && last < sizes[i]);
	}
}

static void conditions(struct str s)
{
	struct s3_conditions c = {.if_match = s, .if_none_match = s};
	struct str header = STR_NONE;
	bool matches = s3_e_tag_matches(s, STR("d41d8cd98f00b204e9800998ecf8427e"));
	enum s3_verdict v = s3_conditions_judge(&c, STR("d41d8cd98f00b204e9800998ecf8427e"), 0, &header);
	INVARIANT(v == (matches ? S3_NOT_MODIFIED : S3_PRECONDITION_FAILED));
}

static void tags(struct call *c, struct str s)
{
	struct s3_rec_tags out;
	if (!is_ok(s3_headers_tags(c, s, &out))) return;
	INVARIANT(out.n <= 10);
	for (size_t i = 0; i < out.n; i++) INVARIANT(s3_name_is_tag_text(out.v[i].key, 1, 128));
}

static void metadata(struct call *c, struct str s)
{
	struct s3_metadata_entry v[16];
	struct s3_headers h = {.content_encoding = s, .content_type = s, .metadata = {v, 0}};
	struct s3_rec_object o = {0};
	while (str_has(s) && h.metadata.n < 16) {
		struct str line = str_cut(&s, '\n');
		struct str name = str_cut(&line, ':');
		v[h.metadata.n++] = (struct s3_metadata_entry){name, line};
	}
	if (is_ok(s3_headers_metadata(c, &h, &o))) INVARIANT(o.metadata.n <= h.metadata.n);
}

static void token(struct call *c, struct str s)
{
	struct str after;
	if (is_ok(s3_token_read(c, s, &after))) INVARIANT(str_has(after));
	INVARIANT(str_empty(s) || (is_ok(s3_token_read(c, s3_token_make(c, s), &after)) && str_eq(after, s)));
	INVARIANT(s3_shown(c, true, s).n >= s.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct arena a;
	static bool ready;
	if (!ready) arena_init(&a);
	ready = true;
	if (size < 1) return 0;
	struct str s = str_n((const char *)data + 1, size - 1);
	struct call c = {.arena = &a};
	switch (data[0] % 6) {
	case 0:
		names(s);
		break;
	case 1:
		range(s);
		break;
	case 2:
		conditions(s);
		break;
	case 3:
		tags(&c, s);
		break;
	case 4:
		metadata(&c, s);
		break;
	default:
		token(&c, s);
		break;
	}
	arena_reset(&a);
	return 0;
}
