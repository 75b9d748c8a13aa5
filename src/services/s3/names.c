/* The rules of names, as AWS documents them. */
#include "services/s3/names.h"

static bool lower(char c)
{
	return c >= 'a' && c <= 'z';
}
static bool upper(char c)
{
	return c >= 'A' && c <= 'Z';
}
static bool digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool looks_like_ipv4(struct str s)
{
	unsigned parts = 0;
	while (str_has(s)) {
		struct str part = str_cut(&s, '.');
		if (part.n < 1 || part.n > 3) return false;
		for (size_t i = 0; i < part.n; i++)
			if (!digit(part.p[i])) return false;
		parts++;
	}
	return parts == 4;
}

bool s3_name_is_bucket(struct str s)
{
	static const char *const prefixes[] = {"xn--", "sthree-", "amzn-s3-demo-"};
	static const char *const suffixes[] = {"-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"};
	if (s.n < 3 || s.n > 63) return false;
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		bool edge = i == 0 || i + 1 == s.n;
		if (!lower(c) && !digit(c) && (edge || (c != '-' && c != '.'))) return false;
		if (c == '.' && s.p[i - 1] == '.') return false;
	}
	if (looks_like_ipv4(s)) return false;
	for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
		if (str_starts(s, str_c(prefixes[i]))) return false;
	for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++)
		if (str_ends(s, str_c(suffixes[i]))) return false;
	return true;
}

bool s3_name_was_bucket(struct str s)
{
	if (s.n < 3 || s.n > 255) return false;
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		if (!lower(c) && !upper(c) && !digit(c) && c != '-' && c != '.' && c != '_') return false;
	}
	return true;
}

bool s3_name_is_region(struct str s)
{
	/* us-east-1, us-gov-west-1, ap-northeast-3: two letters, words, a number */
	struct str word = str_cut(&s, '-');
	if (word.n != 2 || !lower(word.p[0]) || !lower(word.p[1])) return false;
	unsigned words = 0;
	while (str_has(s)) {
		word = str_cut(&s, '-');
		if (!str_has(s)) return words > 0 && word.n == 1 && digit(word.p[0]) && word.p[0] != '0';
		if (word.n < 3 || word.n > 12) return false;
		for (size_t i = 0; i < word.n; i++)
			if (!lower(word.p[i])) return false;
		words++;
	}
	return false;
}

bool s3_name_is_account(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!digit(s.p[i])) return false;
	return s.n == 12;
}

bool s3_name_is_tag_text(struct str s, size_t min, size_t max)
{
	if (!str_utf8_valid(s)) return false;
	size_t n = str_utf8_length(s);
	if (n < min || n > max) return false;
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		if (c & 0x80 || lower(c) || upper(c) || digit(c)) continue;
		if (!memchr(" +-=._:/@", c, 9)) return false;
	}
	return true;
}
