/* The one form of time in SigV4, 20150830T123600Z, read strictly and written; and small helpers of the verifier. */
#include "base/date.h"
#include "identity/sigv4_internal.h"

static int number(const char *p, size_t n)
{
	int v = 0;
	for (size_t i = 0; i < n; i++) {
		if (p[i] < '0' || p[i] > '9') return -1;
		v = v * 10 + (p[i] - '0');
	}
	return v;
}

bool sig_time_read(struct str s, int64_t *ms)
{
	static const int8_t days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	if (s.n != 16 || s.p[8] != 'T' || s.p[15] != 'Z') return false;
	int year = number(s.p, 4), month = number(s.p + 4, 2), day = number(s.p + 6, 2);
	int hour = number(s.p + 9, 2), minute = number(s.p + 11, 2), second = number(s.p + 13, 2);
	if (year < 1970 || month < 1 || month > 12 || day < 1 || day > days[month - 1] || hour < 0 || hour > 23 ||
		minute < 0 || minute > 59 || second < 0 || second > 59)
		return false;
	if (month == 2 && day == 29 && (year % 4 || (year % 100 == 0 && year % 400))) return false;
	*ms = (date_days(year, month, day) * 86400 + hour * 3600 + minute * 60 + second) * 1000;
	return true;
}

static char *put(char *to, int64_t v, int digits)
{
	for (int i = digits; i-- > 0; v /= 10) to[i] = (char)('0' + v % 10);
	return to + digits;
}

struct sig_time_text sig_time_write(int64_t ms)
{
	struct sig_time_text t;
	int64_t s = ms >= 0 ? ms / 1000 : 0, of_day = s % 86400, z = s / 86400 + 719468;
	int64_t era = z / 146097, doe = z - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
	int64_t month = mp < 10 ? mp + 3 : mp - 9;
	char *p = put(t.p, yoe + era * 400 + (month <= 2), 4);
	p = put(put(p, month, 2), doy - (153 * mp + 2) / 5 + 1, 2);
	*p++ = 'T';
	p = put(put(put(p, of_day / 3600, 2), of_day / 60 % 60, 2), of_day % 60, 2);
	*p = 'Z';
	return t;
}

bool sig_names_split(struct str signed_headers, struct sig_names *out)
{
	out->n = 0;
	while (str_has(signed_headers)) {
		struct str name = str_cut(&signed_headers, ';');
		if (name.n == 0 || out->n == SIG_MAX_SIGNED_HEADERS) return false;
		out->v[out->n++] = name;
	}
	return true;
}

bool sig_names_have(const struct sig_names *names, struct str name)
{
	for (size_t i = 0; i < names->n; i++)
		if (str_ieq(names->v[i], name)) return true;
	return false;
}

status sig_fail(struct wire_failure *why, error_id id, const char *code, unsigned http_status, struct str message)
{
	*why = (struct wire_failure){.id = id, .message = message};
	if (code) {
		why->code = str_c(code);
		why->http_status = http_status;
	}
	return STATUS(FAILED);
}

void sig_fail_detail(struct wire_failure *why, struct str name, struct str value)
{
	INVARIANT(why->n_details < sizeof(why->details) / sizeof(why->details[0]));
	why->details[why->n_details++] = (struct wire_header){name, value};
}

static struct str as_text(struct arena *a, struct str s)
{
	if (!str_has(s) || str_utf8_valid(s)) return s;
	char *copy = arena_copy(a, s.p, s.n);
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)copy[i] >= 0x80) copy[i] = '?';
	return str_n(copy, s.n);
}

status sig_fail_as_text(struct arena *a, status s, struct wire_failure *why)
{
	if (is_ok(s)) return s;
	why->message = as_text(a, why->message);
	for (size_t i = 0; i < why->n_details; i++) why->details[i].value = as_text(a, why->details[i].value);
	return s;
}
