/* Asking a running virga over HTTP, with libcurl; reading its answers, with yajl. libcurl is loaded when it is asked
 * for: it brings twenty libraries, which `virga serve` would pay for at each start (docs/decisions/0004-start-up.md).
 */
#include "cli/client.h"
#include "base/buf.h"
#include "cli/cli.h"
#include <curl/curl.h>
#include <dlfcn.h>
#include <stdlib.h>
#include <yajl/yajl_tree.h>

/* Moving the clock waits for all that became due. */
#define ANSWER_LIMIT_S 330L

const char *client_endpoint(struct arena *a, const char *given)
{
	const char *variable = getenv("VIRGA_ENDPOINT");
	struct str e = str_c(given && *given ? given : variable && *variable ? variable : "http://127.0.0.1:4566");
	while (str_ends(e, STR("/"))) e.n--;
	if (str_find(e, STR("://")) < 0) return str_fmt(a, "http://%.*s", STR_ARG(e)).p;
	return str_z(a, e);
}

struct curl {
	void *library;
	CURL *(*init)(void);
	CURLcode (*setopt)(CURL *, CURLoption, ...);
	CURLcode (*perform)(CURL *);
	CURLcode (*getinfo)(CURL *, CURLINFO, ...);
	const char *(*error)(CURLcode);
	void (*cleanup)(CURL *);
};

/* A function of the library; false where it has none of that name. POSIX lets dlsym's pointer be read as a function. */
static bool find(const struct curl *c, const char *name, void *function)
{
	void *p = dlsym(c->library, name);
	memcpy(function, &p, sizeof(p));
	return p != NULL;
}

static bool load_curl(struct curl *c)
{
	c->library = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
	return c->library && find(c, "curl_easy_init", &c->init) && find(c, "curl_easy_setopt", &c->setopt) &&
	       find(c, "curl_easy_perform", &c->perform) && find(c, "curl_easy_getinfo", &c->getinfo) &&
	       find(c, "curl_easy_strerror", &c->error) && find(c, "curl_easy_cleanup", &c->cleanup);
}

static size_t collect(char *p, size_t size, size_t n, void *ctx)
{
	buf_add(ctx, p, size * n);
	return size * n;
}

struct client_answer client_ask(struct arena *a, const char *endpoint, const char *method, const char *path)
{
	struct client_answer answer = {.why = "libcurl.so.4 cannot be loaded"};
	struct curl curl = {0};
	if (!load_curl(&curl)) return answer;
	CURL *c = curl.init();
	INVARIANT(c);
	struct buf body = BUF_IN(a);
	char *why = arena_alloc(a, CURL_ERROR_SIZE);
	const char *ca = getenv("AWS_CA_BUNDLE");
	curl.setopt(c, CURLOPT_URL, str_fmt(a, "%s%s", endpoint, path).p);
	curl.setopt(c, CURLOPT_ERRORBUFFER, why);
	curl.setopt(c, CURLOPT_WRITEFUNCTION, collect);
	curl.setopt(c, CURLOPT_WRITEDATA, &body);
	curl.setopt(c, CURLOPT_PROXY, "");
	curl.setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
	curl.setopt(c, CURLOPT_CONNECTTIMEOUT, 5L);
	curl.setopt(c, CURLOPT_TIMEOUT, ANSWER_LIMIT_S);
	curl.setopt(c, CURLOPT_NOSIGNAL, 1L);
	if (ca && *ca) curl.setopt(c, CURLOPT_CAINFO, ca);
	if (strcmp(method, "POST") == 0) {
		curl.setopt(c, CURLOPT_POST, 1L);
		curl.setopt(c, CURLOPT_POSTFIELDS, "");
	}
	CURLcode e = curl.perform(c);
	if (e == CURLE_OK) {
		curl.getinfo(c, CURLINFO_RESPONSE_CODE, &answer.code);
		answer.body = buf_done(&body);
	}
	answer.why = *why ? why : curl.error(e);
	curl.cleanup(c);
	return answer;
}

bool client_get(struct arena *a, const char *endpoint, const char *method, const char *path, struct str *body)
{
	struct client_answer answer = client_ask(a, endpoint, method, path);
	*body = answer.body;
	if (answer.code == 200) return true;
	if (answer.code == 0) {
		cli_fail("no virga answers at %s (%s). Is it running? `virga serve` starts it.", endpoint, answer.why);
		return false;
	}
	struct reply *v = reply_read(answer.body);
	struct str error = reply_text(v, "error");
	if (str_has(error))
		cli_fail("%.*s", STR_ARG(error));
	else
		cli_fail("%s answers HTTP %ld: is it virga?", endpoint, answer.code);
	reply_free(v);
	return false;
}

static const struct reply *opaque(yajl_val v)
{
	return (const struct reply *)(const void *)v;
}

/* yajl takes a path that it does not change, but that is not const. */
static yajl_val member(const struct reply *v, const char *key, yajl_type type)
{
	const char *path[] = {key, NULL};
	return v ? yajl_tree_get((yajl_val)(uintptr_t)v, path, type) : NULL;
}

struct reply *reply_read(struct str text)
{
	char *z = mem_new(text.n + 1);
	if (text.n) memcpy(z, text.p, text.n);
	yajl_val v = yajl_tree_parse(z, NULL, 0);
	free(z);
	return (struct reply *)(void *)v;
}

void reply_free(struct reply *v)
{
	yajl_tree_free((yajl_val)(void *)v);
}

struct str reply_text(const struct reply *v, const char *key)
{
	yajl_val m = member(v, key, yajl_t_string);
	return m ? str_c(YAJL_GET_STRING(m)) : STR_NONE;
}

bool reply_true(const struct reply *v, const char *key)
{
	return member(v, key, yajl_t_true) != NULL;
}

int64_t reply_number(const struct reply *v, const char *key)
{
	yajl_val m = member(v, key, yajl_t_number);
	return m && YAJL_IS_INTEGER(m) ? YAJL_GET_INTEGER(m) : 0;
}

const struct reply *reply_element(const struct reply *v, const char *key, size_t i)
{
	yajl_val m = member(v, key, yajl_t_array);
	return m && i < YAJL_GET_ARRAY(m)->len ? opaque(YAJL_GET_ARRAY(m)->values[i]) : NULL;
}
