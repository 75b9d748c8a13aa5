/* Structured logs. The caller's printf text is taken apart into fields and written anew with every value escaped, so
 * that no input can begin a line of its own. Level and format are the one process-wide state of base, set at start. */
#include "base/log.h"
#include "base/buf.h"
#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

static _Atomic int log_least = LOG_INFO, log_as = LOG_TEXT;

static const char *const level_names[] = {"debug", "info", "warn", "error", "off"};

void log_setup(enum log_level level, enum log_format format)
{
	atomic_store(&log_least, (int)level);
	atomic_store(&log_as, (int)format);
}

enum log_level log_level_from(struct str name, enum log_level otherwise)
{
	for (int i = LOG_DEBUG; i <= LOG_OFF; i++)
		if (str_ieq(name, str_c(level_names[i]))) return (enum log_level)i;
	return otherwise;
}

bool log_on(enum log_level level)
{
	return level < LOG_OFF && (int)level >= atomic_load_explicit(&log_least, memory_order_relaxed);
}

/* Bytes for within quotes. Where the text is no UTF-8, its bytes past ASCII are written as escapes (text) or as the
 * replacement character (JSON, which has no bytes). */
static void add_escaped(struct buf *b, struct str s, bool json)
{
	bool utf8 = str_utf8_valid(s);
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		if (c == '"' || c == '\\') {
			buf_byte(b, '\\');
			buf_byte(b, (char)c);
		} else if (c == '\n') {
			buf_lit(b, "\\n");
		} else if (c == '\r') {
			buf_lit(b, "\\r");
		} else if (c == '\t') {
			buf_lit(b, "\\t");
		} else if (c >= 0x80 && !utf8 && json) {
			buf_lit(b, "\\ufffd");
		} else if (c < 0x20 || c == 0x7f || (c >= 0x80 && !utf8)) {
			buf_fmt(b, json ? "\\u%04x" : "\\x%02x", c);
		} else {
			buf_byte(b, (char)c);
		}
	}
}

static void add_quoted(struct buf *b, struct str s, bool json)
{
	buf_byte(b, '"');
	add_escaped(b, s, json);
	buf_byte(b, '"');
}

/* A JSON number (RFC 8259 section 6) without exponent, of fewer than 12 digits. */
static bool is_number(struct str s)
{
	size_t i = s.n && s.p[0] == '-', from = i, point = 0;
	for (; i < s.n; i++) {
		if (s.p[i] == '.' && !point && i > from)
			point = i;
		else if (s.p[i] < '0' || s.p[i] > '9')
			return false;
	}
	size_t whole = (point ? point : s.n) - from;
	if (whole == 0 || whole > 11 || s.n - from > 12 || (point && point + 1 == s.n)) return false;
	return whole == 1 || s.p[from] != '0';
}

static bool is_plain(struct str s)
{
	if (s.n == 0) return false;
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] > '~' || s.p[i] == '"' || s.p[i] == '\\' || s.p[i] == '=') return false;
	return true;
}

static bool is_key(struct str s)
{
	if (s.n == 0) return false;
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
			    c == '-'))
			return false;
	}
	return true;
}

static void add_field(struct buf *b, struct str key, struct str value, bool quoted, bool json)
{
	/* No field may pass for one of the line's own. */
	bool ours = str_is(key, "time") || str_is(key, "level") || str_is(key, "room") || str_is(key, "event");
	buf_str(b, json ? STR(",\"") : STR(" "));
	if (ours) buf_lit(b, "field_");
	buf_str(b, key);
	buf_str(b, json ? STR("\":") : STR("="));
	bool bare = json ? !quoted && (is_number(value) || str_is(value, "true") || str_is(value, "false")) : is_plain(value);
	if (bare)
		buf_str(b, value);
	else
		add_quoted(b, value, json);
}

/* The end of a quoted value that begins at `from`: the first quote before a space or the end. */
static size_t quoted_end(struct str s, size_t from)
{
	for (size_t i = from; i < s.n; i++)
		if (s.p[i] == '"' && (i + 1 == s.n || s.p[i + 1] == ' ')) return i;
	return s.n;
}

static void add_fields(struct buf *b, struct str s, bool json)
{
	struct buf message = BUF_HEAP;
	while (s.n) {
		if (s.p[0] == ' ') {
			s = str_from(s, 1);
			continue;
		}
		ptrdiff_t space = str_chr(s, ' ');
		struct str word = str_sub(s, 0, space < 0 ? s.n : (size_t)space), key = word;
		ptrdiff_t equals = str_chr(word, '=');
		if (equals >= 0) key.n = (size_t)equals;
		if (equals < 0 || !is_key(key)) {
			if (message.n) buf_byte(&message, ' ');
			buf_str(&message, word);
			s = str_from(s, word.n);
			continue;
		}
		size_t from = key.n + 1;
		bool quoted = from < s.n && s.p[from] == '"';
		size_t end = quoted ? quoted_end(s, ++from) : word.n;
		add_field(b, key, str_sub(s, from, end - from), quoted, json);
		s = str_from(s, end + quoted);
	}
	if (message.n) add_field(b, STR("message"), buf_done(&message), true, json);
	buf_cleanup(&message);
}

static void add_time(struct buf *b)
{
	struct timespec now;
	struct tm t;
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &t);
	buf_fmt(b, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", t.tm_year + 1900, t.tm_mon + 1, t.tm_mday, t.tm_hour, t.tm_min,
		t.tm_sec, (int)(now.tv_nsec / 1000000));
}

void log_event(enum log_level level, const char *room, const char *event, const char *fields, ...)
{
	if (!log_on(level)) return;
	int saved_errno = errno;
	bool json = atomic_load_explicit(&log_as, memory_order_relaxed) == LOG_JSON;
	struct buf text = BUF_HEAP, line = BUF_HEAP;
	va_list args;
	va_start(args, fields);
	buf_vfmt(&text, fields, args);
	va_end(args);

	if (json) buf_lit(&line, "{\"time\":\"");
	add_time(&line);
	if (json) {
		buf_fmt(&line, "\",\"level\":\"%s\",\"room\":", level_names[level]);
		add_quoted(&line, str_c(room), true);
		buf_lit(&line, ",\"event\":");
		add_quoted(&line, str_c(event), true);
	} else {
		buf_fmt(&line, " %-5s ", level_names[level]);
		add_escaped(&line, str_c(room), false);
		buf_byte(&line, ' ');
		add_escaped(&line, str_c(event), false);
	}
	add_fields(&line, buf_done(&text), json);
	buf_str(&line, json ? STR("}\n") : STR("\n"));

	/* Nothing to do where standard error is gone: a log must not stop its program. */
	ssize_t written;
	do written = write(STDERR_FILENO, line.p, line.n);
	while (written < 0 && errno == EINTR);
	buf_cleanup(&line);
	buf_cleanup(&text);
	errno = saved_errno;
}
