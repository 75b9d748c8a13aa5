/* Timestamps of S3 Select: ISO 8601 with a precision ("2007T", "2007-02-23T12:14:33.079-08:00"), calendar arithmetic,
 * and the patterns of TO_STRING ("Date functions", Amazon S3 User Guide). */
#include "services/s3/select/select.h"
#include <stdio.h>

static const int64_t minute_us = 60000000, day_us = 86400000000;

/* Howard Hinnant's algorithm for the proleptic Gregorian calendar. */
int64_t sel_days(int64_t year, unsigned month, unsigned day)
{
	year -= month <= 2;
	int64_t era = (year >= 0 ? year : year - 399) / 400;
	int64_t yoe = year - era * 400, doy = (153 * ((int64_t)month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

void sel_civil(int64_t days, int64_t *year, unsigned *month, unsigned *day)
{
	days += 719468;
	int64_t era = (days >= 0 ? days : days - 146096) / 146097, doe = days - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
	*day = (unsigned)(doy - (153 * mp + 2) / 5 + 1);
	*month = (unsigned)(mp < 10 ? mp + 3 : mp - 9);
	*year = yoe + era * 400 + (*month <= 2);
}

static unsigned month_days(int64_t year, unsigned month)
{
	static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	return days[month - 1] + (month == 2 && leap ? 1u : 0u);
}

struct civil {
	int64_t year;
	unsigned month, day, hour, minute, second;
	int64_t fraction_us;
};

static struct civil civil_of(const struct sel_time *t)
{
	struct civil c;
	int64_t local = t->us + t->offset_min * minute_us;
	int64_t days = local / day_us, rest = local % day_us;
	if (rest < 0) {
		rest += day_us;
		days--;
	}
	sel_civil(days, &c.year, &c.month, &c.day);
	c.fraction_us = rest % 1000000;
	c.second = (unsigned)(rest / 1000000 % 60);
	c.minute = (unsigned)(rest / minute_us % 60);
	c.hour = (unsigned)(rest / minute_us / 60);
	return c;
}

static void from_civil(const struct civil *c, struct sel_time *t)
{
	int64_t minutes = (sel_days(c->year, c->month, c->day) * 24 + c->hour) * 60 + c->minute - t->offset_min;
	t->us = minutes * minute_us + c->second * 1000000ll + c->fraction_us;
}

/* ── reading ── */

/* n digits; they go from *s. */
static bool digits(struct str *s, size_t n, unsigned *out)
{
	*out = 0;
	if (s->n < n) return false;
	for (size_t i = 0; i < n; i++) {
		if (s->p[i] < '0' || s->p[i] > '9') return false;
		*out = *out * 10 + (unsigned)(s->p[i] - '0');
	}
	*s = str_from(*s, n);
	return true;
}

static bool sign(struct str *s, char c)
{
	if (!s->n || s->p[0] != c) return false;
	*s = str_from(*s, 1);
	return true;
}

static bool read_offset(struct str *s, struct sel_time *t)
{
	unsigned hours, minutes;
	if (sign(s, 'Z')) return s->n == 0;
	bool minus = sign(s, '-');
	if (!minus && !sign(s, '+')) return false;
	if (!digits(s, 2, &hours) || !sign(s, ':') || !digits(s, 2, &minutes) || hours > 23 || minutes > 59)
		return false;
	t->offset_min = (int32_t)(hours * 60 + minutes) * (minus ? -1 : 1);
	t->offset_unknown = minus && !hours && !minutes;
	return s->n == 0;
}

bool sel_time_read(struct str s, struct sel_time *t)
{
	unsigned year;
	struct civil c = {.month = 1, .day = 1};
	*t = (struct sel_time){.offset_unknown = true};
	if (!digits(&s, 4, &year) || year < 1) return false;
	c.year = year;
	if (s.n == 1 && s.p[0] == 'T') {
		from_civil(&c, t);
		return true;
	}
	t->precision = SEL_MONTH;
	if (!sign(&s, '-') || !digits(&s, 2, &c.month) || c.month < 1 || c.month > 12) return false;
	if (s.n == 1 && s.p[0] == 'T') {
		from_civil(&c, t);
		return true;
	}
	t->precision = SEL_DAY;
	if (!sign(&s, '-') || !digits(&s, 2, &c.day) || c.day < 1 || c.day > month_days(c.year, c.month)) return false;
	if (s.n == 0 || (s.n == 1 && s.p[0] == 'T')) {
		from_civil(&c, t);
		return true;
	}
	t->precision = SEL_MINUTE;
	t->offset_unknown = false;
	if (!sign(&s, 'T') || !digits(&s, 2, &c.hour) || !sign(&s, ':') || !digits(&s, 2, &c.minute)) return false;
	if (c.hour > 23 || c.minute > 59) return false;
	if (sign(&s, ':')) {
		t->precision = SEL_SECOND;
		if (!digits(&s, 2, &c.second) || c.second > 59) return false;
		if (sign(&s, '.')) {
			int64_t unit = 100000;
			unsigned d;
			for (; digits(&s, 1, &d); unit /= 10) {
				c.fraction_us += d * unit;
				if (t->digits < 6) t->digits++;
			}
			if (!t->digits) return false;
		}
	}
	if (!read_offset(&s, t)) return false;
	from_civil(&c, t);
	return true;
}

/* ── writing ── */

static void write_offset(struct buf *b, const struct sel_time *t, bool colon)
{
	int32_t m = t->offset_min < 0 ? -t->offset_min : t->offset_min;
	bool minus = t->offset_min < 0 || t->offset_unknown;
	buf_fmt(b, "%c%02d%s%02d", minus ? '-' : '+', m / 60, colon ? ":" : "", m % 60);
}

void sel_time_write(struct buf *b, const struct sel_time *t)
{
	struct civil c = civil_of(t);
	buf_fmt(b, "%04lld", (long long)c.year);
	if (t->precision >= SEL_MONTH) buf_fmt(b, "-%02u", c.month);
	if (t->precision >= SEL_DAY) buf_fmt(b, "-%02u", c.day);
	if (t->precision != SEL_DAY) buf_byte(b, 'T');
	if (t->precision < SEL_MINUTE) return;
	buf_fmt(b, "%02u:%02u", c.hour, c.minute);
	if (t->precision >= SEL_SECOND) buf_fmt(b, ":%02u", c.second);
	if (t->precision >= SEL_SECOND && t->digits) {
		char text[8];
		snprintf(text, sizeof text, "%06u", (unsigned)c.fraction_us);
		buf_byte(b, '.');
		buf_add(b, text, t->digits);
	}
	if (t->offset_min == 0 && !t->offset_unknown)
		buf_byte(b, 'Z');
	else
		write_offset(b, t, true);
}

static const char *const months[] = {"January", "February", "March", "April", "May", "June", "July", "August",
	"September", "October", "November", "December"};

static void write_month(struct buf *b, unsigned month, size_t n)
{
	if (n == 1)
		buf_fmt(b, "%u", month);
	else if (n == 2)
		buf_fmt(b, "%02u", month);
	else
		buf_add(b, months[month - 1], n == 3 ? 3 : n == 5 ? 1 : strlen(months[month - 1]));
}

static void write_zone(struct buf *b, const struct sel_time *t, char letter, size_t n)
{
	bool zulu = letter == 'X' && t->offset_min == 0;
	if (zulu)
		buf_byte(b, 'Z');
	else if (n == 1 && t->offset_min % 60 == 0)
		buf_fmt(b, "%c%02d", t->offset_min < 0 ? '-' : '+',
			(t->offset_min < 0 ? -t->offset_min : t->offset_min) / 60);
	else
		write_offset(b, t, n == 3 || n == 5);
}

/* Digits of at least so many places: y, M, d, h, H, m, s. */
static bool write_field(struct buf *b, const struct sel_time *t, char letter, size_t n)
{
	struct civil c = civil_of(t);
	unsigned hour12 = c.hour % 12 ? c.hour % 12 : 12;
	switch (letter) {
	case 'y':
		if (n == 2)
			buf_fmt(b, "%02lld", (long long)(c.year % 100));
		else if (n == 1 || n == 4)
			buf_fmt(b, n == 4 ? "%04lld" : "%lld", (long long)c.year);
		return n == 1 || n == 2 || n == 4;
	case 'M':
		if (n <= 5) write_month(b, c.month, n);
		return n <= 5;
	case 'd':
		buf_fmt(b, n == 2 ? "%02u" : "%u", c.day);
		return n <= 2;
	case 'a':
		buf_str(b, c.hour < 12 ? STR("AM") : STR("PM"));
		return n == 1;
	case 'h':
		buf_fmt(b, n == 2 ? "%02u" : "%u", hour12);
		return n <= 2;
	case 'H':
		buf_fmt(b, n == 2 ? "%02u" : "%u", c.hour);
		return n <= 2;
	case 'm':
		buf_fmt(b, n == 2 ? "%02u" : "%u", c.minute);
		return n <= 2;
	case 's':
		buf_fmt(b, n == 2 ? "%02u" : "%u", c.second);
		return n <= 2;
	case 'S':
		for (size_t i = 0, unit = 100000; i < n; i++, unit /= 10)
			buf_byte(b, unit ? (char)('0' + c.fraction_us / (int64_t)unit % 10) : '0');
		return n <= 9;
	case 'n':
		buf_i64(b, c.fraction_us * 1000);
		return n == 1;
	case 'X':
	case 'x':
		if (n <= 5) write_zone(b, t, letter, n);
		return n <= 5;
	default:
		return false;
	}
}

bool sel_time_format(struct buf *b, const struct sel_time *t, struct str pattern)
{
	for (size_t i = 0; i < pattern.n;) {
		char letter = pattern.p[i];
		if (letter == '\'') {
			size_t end = i + 1;
			while (end < pattern.n && pattern.p[end] != '\'') end++;
			if (end == pattern.n) return false;
			if (end == i + 1) buf_byte(b, '\'');
			buf_add(b, pattern.p + i + 1, end - i - 1);
			i = end + 1;
			continue;
		}
		bool is_letter = (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z');
		/* The T between date and time may stand bare. */
		if (!is_letter || letter == 'T') {
			buf_byte(b, letter);
			i++;
			continue;
		}
		size_t n = 1;
		while (i + n < pattern.n && pattern.p[i + n] == letter) n++;
		if (!write_field(b, t, letter, n)) return false;
		i += n;
	}
	return true;
}

/* ── arithmetic ── */

int64_t sel_time_part(const struct sel_time *t, enum sel_part part)
{
	struct civil c = civil_of(t);
	switch (part) {
	case SEL_P_YEAR:
		return c.year;
	case SEL_P_MONTH:
		return c.month;
	case SEL_P_DAY:
		return c.day;
	case SEL_P_HOUR:
		return c.hour;
	case SEL_P_MINUTE:
		return c.minute;
	case SEL_P_SECOND:
		return c.second;
	case SEL_P_TIMEZONE_HOUR:
		return t->offset_min / 60;
	case SEL_P_TIMEZONE_MINUTE:
		return t->offset_min % 60;
	case SEL_P_LEADING:
	case SEL_P_TRAILING:
	case SEL_P_BOTH:
		break;
	}
	return 0;
}

static void sharpen(struct sel_time *t, enum sel_precision least)
{
	if (t->precision >= least) return;
	if (least >= SEL_MINUTE) t->offset_unknown = false;
	t->precision = least;
}

bool sel_time_add(struct sel_time *t, enum sel_part part, int64_t quantity)
{
	static const int64_t unit[] = {[SEL_P_DAY] = 86400000000,
		[SEL_P_HOUR] = 3600000000,
		[SEL_P_MINUTE] = 60000000,
		[SEL_P_SECOND] = 1000000};
	static const enum sel_precision least[] = {SEL_YEAR, SEL_MONTH, SEL_DAY, SEL_MINUTE, SEL_MINUTE, SEL_SECOND};
	int64_t moved;
	if (part > SEL_P_SECOND) return false;
	sharpen(t, least[part]);
	if (part <= SEL_P_MONTH) {
		struct civil c = civil_of(t);
		if (quantity > 120000 || quantity < -120000) return false;
		int64_t all = c.year * 12 + c.month - 1 + quantity * (part == SEL_P_YEAR ? 12 : 1);
		if (all < 12 || all >= 120000) return false;
		c.year = all / 12;
		c.month = (unsigned)(all % 12) + 1;
		if (c.day > month_days(c.year, c.month)) c.day = month_days(c.year, c.month);
		from_civil(&c, t);
		return true;
	}
	if (__builtin_mul_overflow(quantity, unit[part], &moved) || __builtin_add_overflow(t->us, moved, &t->us))
		return false;
	int64_t year = civil_of(t).year;
	return year >= 1 && year <= 9999;
}

int64_t sel_time_difference(const struct sel_time *from, const struct sel_time *to, enum sel_part part)
{
	static const int64_t unit[] = {[SEL_P_DAY] = 86400000000,
		[SEL_P_HOUR] = 3600000000,
		[SEL_P_MINUTE] = 60000000,
		[SEL_P_SECOND] = 1000000};
	if (part > SEL_P_MONTH) return (to->us - from->us) / unit[part];
	/* Whole months between the two, both as seen in the first one's zone. */
	struct sel_time there = *to;
	there.offset_min = from->offset_min;
	struct civil x = civil_of(from), y = civil_of(&there);
	int64_t whole = (y.year - x.year) * 12 + (int64_t)y.month - (int64_t)x.month;
	int64_t in_x = from->us - sel_days(x.year, x.month, 1) * day_us,
		in_y = there.us - sel_days(y.year, y.month, 1) * day_us;
	if (whole > 0 && in_y < in_x) whole--;
	if (whole < 0 && in_y > in_x) whole++;
	return part == SEL_P_YEAR ? whole / 12 : whole;
}
