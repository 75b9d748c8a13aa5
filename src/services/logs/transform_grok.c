/* Grok patterns ("grok" in "Configurable parser-type processors"): %{SYNTAX:field:type} within a regular expression.
 * The common syntaxes are those of grok's own; what AWS has beside them for single programs is not here. */
#include "services/logs/transform.h"
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

enum { DEPTH_MAX = 12, TEXT_MAX = 64 << 10, FIELDS_MAX = 20 };

static const struct {
	const char *name, *regex;
} syntaxes[] = {
	{"WORD", "\\b\\w+\\b"},
	{"NOTSPACE", "\\S+"},
	{"SPACE", "\\s*"},
	{"DATA", ".*?"},
	{"GREEDYDATA", ".*"},
	{"GREEDYDATA_MULTILINE", "(?:.|\\n)*"},
	{"INT", "(?:[+-]?(?:[0-9]+))"},
	{"BASE10NUM", "(?<![0-9.+-])(?>[+-]?(?:(?:[0-9]+(?:\\.[0-9]+)?)|(?:\\.[0-9]+)))"},
	{"NUMBER", "(?:%{BASE10NUM})"},
	{"BASE16NUM", "(?<![0-9A-Fa-f])(?:[+-]?(?:0x)?(?:[0-9A-Fa-f]+))"},
	{"POSINT", "\\b(?:[1-9][0-9]*)\\b"},
	{"NONNEGINT", "\\b(?:[0-9]+)\\b"},
	{"BOOLEAN", "(?i:true|false)"},
	{"QUOTEDSTRING", "(?>(?<!\\\\)(?>\"(?>\\\\.|[^\\\\\"]+)+\"|\"\"|(?>'(?>\\\\.|[^\\\\']+)+')|''))"},
	{"QS", "%{QUOTEDSTRING}"},
	{"UUID", "[A-Fa-f0-9]{8}-(?:[A-Fa-f0-9]{4}-){3}[A-Fa-f0-9]{12}"},
	{"USERNAME", "[a-zA-Z0-9._-]+"},
	{"USER", "%{USERNAME}"},
	{"EMAILADDRESS", "[a-zA-Z0-9_.+=:-]+@%{HOSTNAME}"},
	{"IPV4", "(?<![0-9])(?:(?:25[0-5]|2[0-4][0-9]|1?[0-9]{1,2})\\.){3}(?:25[0-5]|2[0-4][0-9]|1?[0-9]{1,2})(?![0-9]"
		 ")"},
	{"IPV6", "(?:(?:[0-9A-Fa-f]{1,4}:){1,7}(?::[0-9A-Fa-f]{1,4}){1,7}|(?:[0-9A-Fa-f]{1,4}:){7}[0-9A-Fa-f]{1,4}|"
		 "(?:[0-9A-Fa-f]{1,4}:){1,7}:|::(?:[0-9A-Fa-f]{1,4}:){0,6}[0-9A-Fa-f]{1,4}|::)"},
	{"IP", "(?:%{IPV6}|%{IPV4})"},
	{"HOSTNAME", "\\b(?:[0-9A-Za-z][0-9A-Za-z-]{0,62})(?:\\.(?:[0-9A-Za-z][0-9A-Za-z-]{0,62}))*(?:\\.?|\\b)"},
	{"HOST", "%{HOSTNAME}"},
	{"IPORHOST", "(?:%{IP}|%{HOSTNAME})"},
	{"HOSTPORT", "%{IPORHOST}:%{POSINT}"},
	{"MAC", "(?:[A-Fa-f0-9]{2}[:-]){5}[A-Fa-f0-9]{2}"},
	{"UNIXPATH", "(?:/[\\w_%!$@:.,+~-]*)+"},
	{"WINPATH", "(?>[A-Za-z]+:|\\\\)(?:\\\\[^\\\\?*]*)+"},
	{"PATH", "(?:%{UNIXPATH}|%{WINPATH})"},
	{"URIPROTO", "[A-Za-z](?:[A-Za-z0-9+\\-.]+)+"},
	{"URIHOST", "%{IPORHOST}(?::%{POSINT})?"},
	{"URIPATH", "(?:/[A-Za-z0-9$.+!*'(){},~:;=@#%&_\\-]*)+"},
	{"URIPARAM", "\\?[A-Za-z0-9$.+!*'|(){},~@#%&/=:;_?\\-\\[\\]<>]*"},
	{"URIPATHPARAM", "%{URIPATH}(?:%{URIPARAM})?"},
	{"URI", "%{URIPROTO}://(?:%{USER}(?::[^@]*)?@)?(?:%{URIHOST})?(?:%{URIPATHPARAM})?"},
	{"MONTH", "\\b(?:[Jj]an(?:uary)?|[Ff]eb(?:ruary)?|[Mm]ar(?:ch)?|[Aa]pr(?:il)?|[Mm]ay|[Jj]un(?:e)?|[Jj]ul(?:y)?|"
		  "[Aa]ug(?:ust)?|[Ss]ep(?:tember)?|[Oo]ct(?:ober)?|[Nn]ov(?:ember)?|[Dd]ec(?:ember)?)\\b"},
	{"MONTHNUM", "(?:0?[1-9]|1[0-2])"},
	{"MONTHDAY", "(?:(?:0[1-9])|(?:[12][0-9])|(?:3[01])|[1-9])"},
	{"DAY", "(?:Mon(?:day)?|Tue(?:sday)?|Wed(?:nesday)?|Thu(?:rsday)?|Fri(?:day)?|Sat(?:urday)?|Sun(?:day)?)"},
	{"YEAR", "(?>\\d\\d){1,2}"},
	{"HOUR", "(?:2[0123]|[01]?[0-9])"},
	{"MINUTE", "(?:[0-5][0-9])"},
	{"SECOND", "(?:(?:[0-5]?[0-9]|60)(?:[:.,][0-9]+)?)"},
	{"TIME", "(?!<[0-9])%{HOUR}:%{MINUTE}(?::%{SECOND})(?![0-9])"},
	{"DATE_US", "%{MONTHNUM}[/-]%{MONTHDAY}[/-]%{YEAR}"},
	{"DATE_EU", "%{MONTHDAY}[./-]%{MONTHNUM}[./-]%{YEAR}"},
	{"ISO8601_TIMEZONE", "(?:Z|[+-]%{HOUR}(?::?%{MINUTE}))"},
	{"TIMESTAMP_ISO8601",
		"%{YEAR}-%{MONTHNUM}-%{MONTHDAY}[T ]%{HOUR}:?%{MINUTE}(?::?%{SECOND})?%{ISO8601_TIMEZONE}?"},
	{"DATE", "%{DATE_US}|%{DATE_EU}"},
	{"TZ", "(?:[APMCE][SD]T|UTC)"},
	{"SYSLOGTIMESTAMP", "%{MONTH} +%{MONTHDAY} %{TIME}"},
	{"HTTPDATE", "%{MONTHDAY}/%{MONTH}/%{YEAR}:%{TIME} %{INT}"},
	{"PROG", "[\\x21-\\x5a\\x5c\\x5e-\\x7e]+"},
	{"SYSLOGHOST", "%{IPORHOST}"},
	{"LOGLEVEL",
		"(?i:alert|trace|debug|notice|info|warn(?:ing)?|err(?:or)?|crit(?:ical)?|fatal|severe|emerg(?:ency)?)"},
};

static const char *regex_of(struct str name)
{
	for (size_t i = 0; i < sizeof(syntaxes) / sizeof(*syntaxes); i++)
		if (str_eq(name, str_c(syntaxes[i].name))) return syntaxes[i].regex;
	return NULL;
}

struct reader {
	struct arena *a;
	struct buf out;
	struct logs_grok_pattern *g;
	struct str why;
};

static status expand(struct reader *r, struct str text, unsigned depth)
{
	if (depth > DEPTH_MAX) return STATUS(INVALID);
	for (;;) {
		ptrdiff_t at = str_find(text, STR("%{"));
		buf_str(&r->out, at < 0 ? text : str_sub(text, 0, (size_t)at));
		if (r->out.n > TEXT_MAX) return STATUS(INVALID);
		if (at < 0) return OK;
		text = str_from(text, (size_t)at + 2);
		ptrdiff_t end = str_chr(text, '}');
		if (end < 0) {
			r->why = STR("a %{ is not closed");
			return STATUS(INVALID);
		}
		struct str inside = str_sub(text, 0, (size_t)end), name = str_cut(&inside, ':');
		struct str field = str_has(inside) ? str_cut(&inside, ':') : STR_NONE;
		const char *regex = regex_of(name);
		text = str_from(text, (size_t)end + 1);
		if (!regex) {
			r->why = str_fmt(r->a, "the pattern %.*s is not known", STR_ARG(name));
			return STATUS(INVALID);
		}
		if (str_has(field) && field.n) {
			if (r->g->n == FIELDS_MAX) {
				r->why = STR("a grok pattern may have 20 fields at most");
				return STATUS(INVALID);
			}
			buf_fmt(&r->out, "(?<n%zu>", r->g->n);
			struct {
				struct str *v;
				size_t n, capacity;
			} list = {r->g->fields, r->g->n, r->g->capacity};
			*VEC_PUSH(r->a, &list, &list.capacity) = field;
			r->g->fields = list.v;
			r->g->n = list.n;
			r->g->capacity = list.capacity;
		} else {
			buf_lit(&r->out, "(?:");
		}
		TRY(expand(r, str_c(regex), depth + 1));
		buf_byte(&r->out, ')');
	}
}

status logs_grok_read(struct arena *a, struct str text, struct logs_grok_pattern *out, struct str *why)
{
	struct reader r = {.a = a, .out = BUF_IN(a), .g = out};
	int code;
	PCRE2_SIZE at;
	*out = (struct logs_grok_pattern){0};
	status s = expand(&r, text, 0);
	*why = str_or(r.why, STR("the grok pattern is too long"));
	TRY(s);
	struct str regex = buf_done(&r.out);
	out->regex = pcre2_compile((PCRE2_SPTR)regex.p, regex.n, PCRE2_UTF | PCRE2_NEVER_BACKSLASH_C, &code, &at, NULL);
	*why = STR("the regular expression of the grok pattern is malformed");
	return out->regex ? OK : STATUS(INVALID);
}

void logs_grok_end(struct logs_grok_pattern *g)
{
	pcre2_code_free(g->regex);
	g->regex = NULL;
}
