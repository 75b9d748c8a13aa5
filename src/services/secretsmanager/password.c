/* GetRandomPassword: uniformly random characters of the classes that are wanted, from the kernel's generator. */
#include "base/rand.h"
#include "services/secretsmanager/room.h"

enum { CLASSES = 5, DEFAULT_LENGTH = 32 };

status secretsmanager_get_random_password(struct call *c, const struct secretsmanager_get_random_password_input *in,
	struct secretsmanager_get_random_password_output *out)
{
	/* The last class, the space, is included but never required. */
	const struct {
		const char *characters;
		bool excluded, required;
	} classes[CLASSES] = {
		{"abcdefghijklmnopqrstuvwxyz", in->exclude_lowercase.v, true},
		{"ABCDEFGHIJKLMNOPQRSTUVWXYZ", in->exclude_uppercase.v, true},
		{"0123456789", in->exclude_numbers.v, true},
		{"!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", in->exclude_punctuation.v, true},
		{" ", !in->include_space.v, false},
	};
	bool require = !in->require_each_included_type.has || in->require_each_included_type.v;
	size_t n = in->password_length.has ? (size_t)in->password_length.v : DEFAULT_LENGTH, required = 0;
	struct buf all = BUF_IN(c->arena);
	struct str left[CLASSES];
	for (size_t i = 0; i < CLASSES; i++) {
		struct buf b = BUF_IN(c->arena);
		for (const char *p = classes[i].characters; *p && !classes[i].excluded; p++)
			if (str_chr(str_or(in->exclude_characters, STR("")), *p) < 0) buf_byte(&b, *p);
		left[i] = buf_done(&b);
		if (left[i].n && classes[i].required) required++;
	}
	for (size_t i = 0; i < CLASSES; i++) buf_str(&all, left[i]);
	if (!all.n)
		return call_fail(c, SECRETSMANAGER_ERR_INVALID_PARAMETER_EXCEPTION,
			"No characters are left to generate a password from. Exclude fewer characters.");
	if (require && n < required)
		return call_fail(c, SECRETSMANAGER_ERR_INVALID_PARAMETER_EXCEPTION,
			"Password length %zu is too short based on the required types.", n);
	char *p = arena_alloc_raw(c->arena, n);
	size_t at = 0;
	for (size_t i = 0; require && i < CLASSES; i++)
		if (left[i].n && classes[i].required) p[at++] = left[i].p[rand_below(left[i].n)];
	while (at < n) p[at++] = all.p[rand_below(all.n)];
	/* Fisher and Yates, so that the required ones are anywhere. */
	for (size_t i = n; i > 1; i--) {
		size_t j = (size_t)rand_below(i);
		char x = p[i - 1];
		p[i - 1] = p[j];
		p[j] = x;
	}
	out->random_password = str_n(p, n);
	return OK;
}
