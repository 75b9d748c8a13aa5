/* MD5 of message bodies and attributes, as SQS hands them back for checking. */
#include "services/sqs/sqs_internal.h"
#include <stdlib.h>

struct str sqs_md5(struct arena *a, struct str body)
{
	uint8_t md5[16];
	digest_md5(body, md5);
	return str_hex(a, str_n(md5, sizeof(md5)));
}

static void add_length_and(struct buf *b, struct str s)
{
	const char length[4] = {(char)(s.n >> 24), (char)(s.n >> 16), (char)(s.n >> 8), (char)s.n};
	buf_add(b, length, 4);
	buf_str(b, s);
}

static int by_name(const void *x, const void *y)
{
	const struct sqs_rec_attribute *a = x, *b = y;
	return str_cmp(a->name, b->name);
}

struct str sqs_md5_attributes(struct arena *a, const struct sqs_rec_attributes *list)
{
	if (!list->n) return STR_NONE;
	struct sqs_rec_attribute *sorted = arena_copy(a, list->v, list->n * sizeof(*sorted));
	qsort(sorted, list->n, sizeof(*sorted), by_name);
	struct buf b = BUF_IN(a);
	for (size_t i = 0; i < list->n; i++) {
		bool binary = str_has(sorted[i].bytes);
		add_length_and(&b, sorted[i].name);
		add_length_and(&b, sorted[i].type);
		buf_byte(&b, binary ? 2 : 1);
		add_length_and(&b, binary ? sorted[i].bytes : sorted[i].text);
	}
	return sqs_md5(a, buf_done(&b));
}
