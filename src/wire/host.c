/* What a Host header tells: S3's virtual-hosted buckets, website endpoints, S3 Control's account prefix, API Gateway's
 * API ids, and which service an endpoint name is for (Amazon S3 User Guide, "Virtual hosting of buckets"; AWS General
 * Reference, "AWS service endpoints"). Any domain will do: s3.localhost, s3.us-east-1.amazonaws.com, … */
#include "wire/internal.h"

static bool is_region(struct str s)
{
	/* us-east-1, ap-southeast-2, us-gov-west-1, cn-north-1 */
	if (s.n < 9 || s.n > 20 || s.p[2] != '-' || s.p[s.n - 2] != '-') return false;
	for (size_t i = 0; i + 1 < s.n; i++)
		if (s.p[i] != '-' && !(s.p[i] >= 'a' && s.p[i] <= 'z')) return false;
	return s.p[s.n - 1] >= '0' && s.p[s.n - 1] <= '9';
}

static struct str without_port(struct str host)
{
	if (host.n && host.p[0] == '[') return str_sub(host, 0, (size_t)(str_chr(host, ']') + 1));
	ptrdiff_t colon = str_rchr(host, ':');
	return colon < 0 ? host : str_sub(host, 0, (size_t)colon);
}

/* s3express-control, and s3express-ZONE of a zone's own endpoint ("Regional and Zonal endpoints for directory
 * buckets"). */
static bool is_express_label(struct str l)
{
	return str_istarts(l, STR("s3express-")) && l.n > 10;
}

/* s3, s3-website, s3-website-REGION, s3-control, …: kinds of S3's names */
static bool is_s3_label(struct str l)
{
	return str_ieq(l, STR("s3")) || (str_istarts(l, STR("s3-")) && l.n > 3);
}

static void read_s3(struct str label, struct str before, struct wire_host *h)
{
	h->service = STR("s3");
	h->bucket = before;
	if (str_istarts(label, STR("s3-website"))) {
		h->website = true;
		if (label.n > 11) h->region = str_from(label, 11);
	} else if (str_ieq(label, STR("s3-accesspoint"))) {
		h->access_point = true;
	} else if (str_ieq(label, STR("s3-control"))) {
		h->service = STR("s3-control");
		h->bucket = STR_NONE;
	} else if (label.n > 3 && is_region(str_from(label, 3))) { /* s3-us-west-2, the old form */
		h->region = str_from(label, 3);
	}
}

static bool known_prefix(struct str name)
{
	if (name.n == 0) return false;
	if (str_is(name, "execute-api") || str_is(name, "lambda-url")) return true;
	char first = name.p[0] >= 'A' && name.p[0] <= 'Z' ? (char)(name.p[0] | 0x20) : name.p[0];
	for (size_t i = 0; i < wire_services_length; i++) {
		const char *prefix = wire_services[i]->endpoint_prefix;
		if (prefix[0] == first && str_ieq(name, str_c(prefix))) return true;
	}
	return false;
}

/* The first label that is a region. */
static struct str region_in(struct str host)
{
	while (str_has(host)) {
		struct str label = str_cut(&host, '.');
		if (is_region(label)) return label;
	}
	return STR_NONE;
}

/* 127.0.0.1: no name at all, and what most local clients ask. */
static bool is_ipv4(struct str host)
{
	for (size_t i = 0; i < host.n; i++)
		if (host.p[i] != '.' && (host.p[i] < '0' || host.p[i] > '9')) return false;
	return true;
}

struct wire_host wire_read_host(struct str host)
{
	struct wire_host h = {.website = false};
	host = without_port(host);
	struct str previous = STR_NONE, first = host;
	/* BUCKET--ZONE--x-s3.localhost: such a name can only be a directory bucket. */
	first = str_cut(&first, '.');
	if (first.n < host.n && str_ends(first, STR("--x-s3")))
		return (struct wire_host){.bucket = first, .service = STR("s3"), .region = region_in(host)};
	if (host.n == 0 || host.p[0] == '[' || str_chr(host, '.') < 0 || is_ipv4(host)) return h;
	/* The rightmost S3 label counts: a bucket's name may hold dots, and "s3" among them. */
	for (size_t end = host.n; end > 0;) {
		size_t start = end;
		while (start > 0 && host.p[start - 1] != '.') start--;
		struct str label = str_sub(host, start, end - start);
		if (is_express_label(label) && end < host.n)
			return (struct wire_host){.service = STR("s3"), .region = region_in(str_from(host, end))};
		if (is_s3_label(label) && end < host.n &&
			(str_ieq(label, STR("s3")) || str_istarts(label, STR("s3-website")) ||
				str_ieq(label, STR("s3-accelerate")) || str_ieq(label, STR("s3-accesspoint")) ||
				str_ieq(label, STR("s3-control")) || is_region(str_from(label, 3)))) {
			struct str behind = str_from(host, end + 1);
			struct str next = str_cut(&behind, '.');
			if (str_ieq(next, STR("dualstack"))) next = str_cut(&behind, '.');
			read_s3(label, start ? str_sub(host, 0, start - 1) : STR_NONE, &h);
			if (!str_has(h.region) && is_region(next)) h.region = next;
			return h;
		}
		end = start ? start - 1 : 0;
	}
	/* SERVICE.REGION.… and ID.SERVICE.REGION.…; a prefix may itself hold a dot (api.ecr, streams.dynamodb). */
	struct str rest = host;
	while (str_has(rest)) {
		struct str label = str_cut(&rest, '.');
		if (is_region(label)) {
			h.region = label;
			break;
		}
		if (!str_has(h.service)) {
			struct str both = str_has(previous) ? str_n(previous.p, previous.n + 1 + label.n) : STR_NONE;
			if (str_has(both) && known_prefix(both))
				h.service = both;
			else if (known_prefix(label) && str_has(rest))
				h.service = label;
		} else if (h.service.p + h.service.n + 1 == label.p) {
			struct str both = str_n(h.service.p, h.service.n + 1 + label.n);
			if (known_prefix(both) && str_has(rest)) h.service = both;
		}
		previous = label;
	}
	return h;
}
