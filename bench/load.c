/* The load generator: closed loop, keep-alive, one request in flight per connection, real SigV4 signatures.
 *     bench_load [options] get http://127.0.0.1:8080/file
 *     bench_load [options] caller-identity | s3-put SIZE | s3-get SIZE
 *     bench_load [options] json SERVICE TARGET BODY      e.g. json dynamodb DynamoDB_20120810.GetItem
 *                 '{"TableName":"t",…}'; each % of BODY becomes the request's number modulo the keys
 *     bench_load [options] sqs-send | sqs-send-batch | sqs-receive-delete | sqs-send-fifo | sqs-send-batch-fifo
 * QUEUE-URL bench_load [options] ddb-put | ddb-get | ddb-update | ddb-query | ddb-batch-write | ddb-transact TABLE
 *                 (load_operations.h tells what they send)
 * -e host:port of the endpoint (127.0.0.1:4566)   -c connections (16)   -j threads (1)   -t seconds (5) or -n requests
 * -k keys that puts and gets spread over (1000)   -r keys at random instead of in turn   -u UNSIGNED-PAYLOAD instead of
 * the body's SHA-256   -A access key, -S secret (test, test)   -J one JSON line   -b bucket (bench-load)
 * Signing costs two SHA-256 chains of a few blocks: the derived key is kept per day. The generator's own share of the
 * machine is printed as cpu (1.00 is one core). An answer other than 2xx is an error. A connection of
 * sqs-receive-delete ends when its queue has nothing more. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "base/arena.h"
#include "base/str.h"
#include "load_operations.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/sha.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum kind { GET, CALLER_IDENTITY, S3_PUT, S3_GET, JSON };
enum { JSON_MAX = 16384, HEAD_MAX = 8192, ANSWER_MAX = 8192, RECV_MAX = 256 * 1024, BUCKETS = 64 * 32, STALL_S = 20 };

struct options {
	enum kind kind;
	const char *kind_name, *path, *access_key, *secret, *bucket;
	const char *service, *target, *template; /* of JSON */
	char host[128];
	struct sockaddr_in address;
	unsigned connections, threads, keys;
	double seconds;
	uint64_t requests;
	unsigned batch;       /* entries of the template */
	bool receives;        /* sqs-receive-delete */
	const char *argument; /* the queue's URL or the table; NULL but of named operations */
	bool unsigned_payload, json, random;
	const char *body;
	size_t body_n;
	char body_hash[65], empty_hash[65];
};

/* ── SigV4 ────────────────────────────────────────────────────────────────────────────────────────────────────── */

struct hmac {
	SHA256_CTX inner, outer;
};
struct signer {
	time_t second;
	char stamp[17]; /* 20260101T000000Z; the day is its first 8 */
	char day[9];
	struct hmac key;
	char scope[64];
};

static void hmac_key(struct hmac *h, const void *key, size_t n)
{
	unsigned char pad[64];

	memset(pad, 0x36, 64);
	for (size_t i = 0; i < n; i++) pad[i] ^= ((const unsigned char *)key)[i];
	SHA256_Init(&h->inner);
	SHA256_Update(&h->inner, pad, 64);
	for (size_t i = 0; i < 64; i++) pad[i] ^= 0x36 ^ 0x5c;
	SHA256_Init(&h->outer);
	SHA256_Update(&h->outer, pad, 64);
}

static void hmac_of(const struct hmac *h, const void *p, size_t n, unsigned char out[32])
{
	SHA256_CTX c = h->inner;

	SHA256_Update(&c, p, n);
	SHA256_Final(out, &c);
	c = h->outer;
	SHA256_Update(&c, out, 32);
	SHA256_Final(out, &c);
}

static void hex(const unsigned char in[32], char out[65])
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < 32; i++) {
		out[2 * i] = digits[in[i] >> 4];
		out[2 * i + 1] = digits[in[i] & 15];
	}
	out[64] = 0;
}

static void sha256_hex(const void *p, size_t n, char out[65])
{
	unsigned char d[32];
	SHA256_CTX c;

	SHA256_Init(&c);
	SHA256_Update(&c, p, n);
	SHA256_Final(d, &c);
	hex(d, out);
}

static void signer_tick(struct signer *s, const struct options *o)
{
	time_t now = time(NULL);
	struct tm tm;
	unsigned char k[32];
	char first[128];
	struct hmac h;
	const char *service = o->kind == CALLER_IDENTITY ? "sts" : o->kind == JSON ? o->service : "s3";

	if (now == s->second) return;
	s->second = now;
	gmtime_r(&now, &tm);
	strftime(s->stamp, sizeof(s->stamp), "%Y%m%dT%H%M%SZ", &tm);
	if (memcmp(s->day, s->stamp, 8) == 0) return;
	memcpy(s->day, s->stamp, 8);
	hmac_key(&h, first, (size_t)snprintf(first, 68, "AWS4%.60s", o->secret));
	hmac_of(&h, s->day, 8, k);
	hmac_key(&h, k, 32);
	hmac_of(&h, "us-east-1", 9, k);
	hmac_key(&h, k, 32);
	hmac_of(&h, service, strlen(service), k);
	hmac_key(&h, k, 32);
	hmac_of(&h, "aws4_request", 12, k);
	hmac_key(&s->key, k, 32);
	snprintf(s->scope, sizeof(s->scope), "%s/us-east-1/%s/aws4_request", s->day, service);
}

/* Appends the signed headers and the blank line. */
static size_t sign(struct signer *s, const struct options *o, const char *method, const char *path, const char *payload,
	char *out, size_t size)
{
	char canonical[2048], to_sign[512], digest[65];
	unsigned char mac[32];
	int n;

	signer_tick(s, o);
	n = snprintf(canonical, sizeof(canonical),
		"%s\n%s\n\nhost:%s\nx-amz-content-sha256:%s\nx-amz-date:%s\n\nhost;x-amz-content-sha256;x-amz-date\n%s",
		method, path, o->host, payload, s->stamp, payload);
	sha256_hex(canonical, (size_t)n, digest);
	n = snprintf(to_sign, sizeof(to_sign), "AWS4-HMAC-SHA256\n%s\n%s\n%s", s->stamp, s->scope, digest);
	hmac_of(&s->key, to_sign, (size_t)n, mac);
	hex(mac, digest);
	n = snprintf(out, size,
		"Host: %s\r\nX-Amz-Content-Sha256: %s\r\nX-Amz-Date: %s\r\nAuthorization: AWS4-HMAC-SHA256 "
		"Credential=%s/%s, "
		"SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=%s\r\n\r\n",
		o->host, payload, s->stamp, o->access_key, s->scope, digest);
	return (size_t)n;
}

/* ── requests ─────────────────────────────────────────────────────────────────────────────────────────────────── */

struct request {
	char head[2048], json[JSON_MAX];
	size_t head_n, body_n;
};

/* Of a named operation the marks ^ _ ? are filled in too; a body given by hand has % alone. */
static void fill_template(struct request *r, const struct options *o, uint64_t number)
{
	uint64_t entry = number * o->batch, first = entry, mixed = number;
	size_t n = 0;

	if (o->random) { /* splitmix64 */
		mixed = (mixed + 1) * 0x9e3779b97f4a7c15u;
		mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9u;
		mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111ebu;
		first = (mixed ^ mixed >> 31) % o->keys;
	}
	uint64_t at = first;
	for (const char *p = o->template; *p && n + 24 < JSON_MAX; p++) {
		uint64_t key = at % o->keys, v;
		if (*p == '%')
			v = key;
		else if (o->argument && *p == '^')
			v = key / 100;
		else if (o->argument && *p == '_')
			v = key % 100;
		else if (o->argument && *p == '?')
			v = entry;
		else {
			if (*p == ENTRY_MARK)
				at++, entry++;
			else
				r->json[n++] = *p;
			continue;
		}
		n += (size_t)snprintf(r->json + n, 24, "%llu", (unsigned long long)v);
	}
	r->body_n = n;
}

static void send_json(struct request *r, struct signer *s, const struct options *o, const char *target)
{
	char hash[65];

	sha256_hex(r->json, r->body_n, hash);
	r->head_n = (size_t)snprintf(r->head, sizeof(r->head),
		"POST / HTTP/1.1\r\nContent-Length: %zu\r\nContent-Type: application/x-amz-json-1.0\r\nX-Amz-Target: "
		"%s\r\n",
		r->body_n, target);
	r->head_n += sign(s, o, "POST", "/", hash, r->head + r->head_n, sizeof(r->head) - r->head_n);
}

static void make_request(struct request *r, struct signer *s, const struct options *o, enum kind kind,
	const char *method, const char *path)
{
	bool body = kind == CALLER_IDENTITY || kind == S3_PUT;
	const char *payload = o->unsigned_payload && kind != CALLER_IDENTITY ? "UNSIGNED-PAYLOAD"
			      : body && o->body_n                            ? o->body_hash
									     : o->empty_hash;

	r->body_n = body ? o->body_n : 0;
	r->head_n = (size_t)snprintf(r->head, sizeof(r->head), "%s %s HTTP/1.1\r\n", method, path);
	if (body)
		r->head_n += (size_t)snprintf(r->head + r->head_n, sizeof(r->head) - r->head_n,
			"Content-Length: %zu\r\n%s", r->body_n,
			kind == CALLER_IDENTITY ? "Content-Type: application/x-www-form-urlencoded\r\n" : "");
	if (kind == GET)
		r->head_n +=
			(size_t)snprintf(r->head + r->head_n, sizeof(r->head) - r->head_n, "Host: %s\r\n\r\n", o->host);
	else
		r->head_n += sign(s, o, method, path, payload, r->head + r->head_n, sizeof(r->head) - r->head_n);
}

static void next_request(struct request *r, struct signer *s, const struct options *o, uint64_t number)
{
	char path[256];

	switch (o->kind) {
	case GET:
		make_request(r, s, o, GET, "GET", o->path);
		break;
	case CALLER_IDENTITY:
		make_request(r, s, o, CALLER_IDENTITY, "POST", "/");
		break;
	case S3_PUT:
	case S3_GET:
		snprintf(path, sizeof(path), "/%s/key-%llu", o->bucket, (unsigned long long)(number % o->keys));
		make_request(r, s, o, o->kind, o->kind == S3_PUT ? "PUT" : "GET", path);
		break;
	case JSON:
		fill_template(r, o, number);
		send_json(r, s, o, o->target);
		break;
	}
}

/* ── one connection ───────────────────────────────────────────────────────────────────────────────────────────── */

struct connection {
	int fd;
	bool writing; /* EPOLLOUT is watched */
	struct request request;
	size_t sent;
	char head[HEAD_MAX]; /* of the answer, while it is not whole */
	size_t head_n;
	bool in_body, chunked, closes;
	bool deleting;           /* the second half of sqs-receive-delete */
	char answer[ANSWER_MAX]; /* the body's beginning, for sqs-receive-delete */
	size_t answer_n;
	uint64_t left;
	char tail[5]; /* of a chunked body */
	int code;
	uint64_t began_ns;
};

struct worker {
	const struct options *o;
	pthread_t thread;
	unsigned n;
	uint64_t first_number, stride, number, budget; /* budget: requests to begin, UINT64_MAX for no limit */
	uint64_t deadline_ns;
	uint64_t done, errors, bytes;
	uint64_t histogram[BUCKETS];
	struct signer signer;
	int epoll_fd;
	char *buffer;
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* 32 steps per power of two: 3 % wide. */
static size_t bucket_of(uint64_t ns)
{
	unsigned top = ns < 32 ? 0 : 63 - (unsigned)__builtin_clzll(ns) - 5;
	size_t i = top * 32 + (size_t)(ns >> top);

	return i < BUCKETS ? i : BUCKETS - 1;
}

static double bucket_us(size_t i)
{
	if (i < 64) return (double)i / 1000;
	size_t top = i / 32 - 1;
	return (double)((i - top * 32) << top) / 1000;
}

static bool connection_open(struct worker *w, struct connection *c)
{
	int one = 1;

	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0 || connect(c->fd, (const struct sockaddr *)&w->o->address, sizeof(w->o->address)) != 0) {
		if (c->fd >= 0) close(c->fd);
		c->fd = -1;
		return false;
	}
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	c->writing = false;
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = c};
	return epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, c->fd, &ev) == 0;
}

static void watch(struct worker *w, struct connection *c, bool writing)
{
	if (writing == c->writing) return;
	c->writing = writing;
	struct epoll_event ev = {.events = EPOLLIN | (writing ? EPOLLOUT : 0u), .data.ptr = c};
	epoll_ctl(w->epoll_fd, EPOLL_CTL_MOD, c->fd, &ev);
}

static bool send_more(struct worker *w, struct connection *c)
{
	size_t whole = c->request.head_n + c->request.body_n;

	while (c->sent < whole) {
		struct iovec v[2];
		int n = 0;
		size_t body_at = c->sent > c->request.head_n ? c->sent - c->request.head_n : 0;
		union {
			const char *in;
			void *out;
		} body = {(w->o->kind == JSON ? c->request.json : w->o->body) + body_at};
		if (c->sent < c->request.head_n)
			v[n++] = (struct iovec){c->request.head + c->sent, c->request.head_n - c->sent};
		if (body_at < c->request.body_n) v[n++] = (struct iovec){body.out, c->request.body_n - body_at};
		struct msghdr m = {.msg_iov = v, .msg_iovlen = (size_t)n};
		ssize_t k = sendmsg(c->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (k < 0 && errno == EAGAIN) {
			watch(w, c, true);
			return true;
		}
		if (k <= 0) return false;
		c->sent += (size_t)k;
	}
	watch(w, c, false);
	return true;
}

static bool ask(struct worker *w, struct connection *c)
{
	c->sent = c->head_n = c->answer_n = 0;
	c->in_body = c->chunked = c->closes = false;
	if (c->fd < 0 && !connection_open(w, c)) return false;
	return send_more(w, c);
}

/* False when there is nothing left to ask. */
static bool begin(struct worker *w, struct connection *c)
{
	if (w->budget == 0) return false;
	if (w->budget != UINT64_MAX) w->budget--;
	next_request(&c->request, &w->signer, w->o, w->number);
	w->number += w->stride;
	c->began_ns = now_ns();
	c->deleting = false;
	return ask(w, c);
}

/* After a receive: 1 the message's deletion is under way, 0 the queue had none, -1 it could not be sent. */
static int begin_delete(struct worker *w, struct connection *c)
{
	static const char field[] = "\"ReceiptHandle\":\"";
	c->answer[c->answer_n] = 0;
	char *handle = strstr(c->answer, field), *end = handle ? strchr(handle + sizeof(field), '"') : NULL;

	if (!end) return 0;
	handle += sizeof(field) - 1;
	c->request.body_n = (size_t)snprintf(c->request.json, JSON_MAX,
		"{\"QueueUrl\":\"%s\",\"ReceiptHandle\":\"%.*s\"}", w->o->argument, (int)(end - handle), handle);
	send_json(&c->request, &w->signer, w->o, "AmazonSQS.DeleteMessage");
	c->deleting = true;
	return ask(w, c) ? 1 : -1;
}

static bool parse_head(struct connection *c, size_t head_end)
{
	char *length, *p = c->head;

	p[head_end - 1] = 0;
	if (sscanf(p, "HTTP/1.%*c %d", &c->code) != 1) return false;
	length = strcasestr(p, "\ncontent-length:");
	c->chunked = strcasestr(p, "\ntransfer-encoding: chunked") != NULL;
	c->closes = strcasestr(p, "\nconnection: close") != NULL;
	c->left = length ? strtoull(length + 16, NULL, 10) : 0;
	if (c->code == 204 || c->code == 304) c->left = 0;
	memset(c->tail, 0, sizeof(c->tail));
	c->in_body = true;
	return true;
}

/* -1 broken, 0 more to come, 1 the answer is whole. */
static int receive(struct worker *w, struct connection *c)
{
	char *p = c->in_body ? w->buffer : c->head + c->head_n;
	size_t room = c->in_body ? RECV_MAX : HEAD_MAX - c->head_n;
	ssize_t k = recv(c->fd, p, room, MSG_DONTWAIT);

	if (k < 0 && errno == EAGAIN) return 0;
	if (k <= 0) return -1;
	size_t n = (size_t)k;
	if (!c->in_body) {
		c->head_n += n;
		char *end = memmem(c->head, c->head_n, "\r\n\r\n", 4);
		if (!end) return c->head_n == HEAD_MAX ? -1 : 0;
		size_t head_end = (size_t)(end - c->head) + 4;
		n = c->head_n - head_end;
		p = c->head + head_end;
		if (!parse_head(c, head_end)) return -1;
	}
	w->bytes += n;
	if (w->o->receives) {
		size_t keep = n < ANSWER_MAX - 1 - c->answer_n ? n : ANSWER_MAX - 1 - c->answer_n;
		memcpy(c->answer + c->answer_n, p, keep);
		c->answer_n += keep;
	}
	if (c->chunked) {
		/* The last chunk ends the answer; a body that holds these bytes at a piece's end is not asked for here.
		 */
		for (size_t i = n < 5 ? 0 : n - 5; i < n; i++) {
			memmove(c->tail, c->tail + 1, 4);
			c->tail[4] = p[i];
		}
		return memcmp(c->tail, "0\r\n\r\n", 5) == 0;
	}
	if (n > c->left) return -1;
	c->left -= n;
	return c->left == 0;
}

static void *worker_main(void *ctx)
{
	struct worker *w = ctx;
	struct connection *all = mem_new(w->n * sizeof(*all));
	struct epoll_event events[64];
	unsigned active = 0, stalled_s = 0;

	w->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	w->buffer = mem_new(RECV_MAX);
	w->number = w->first_number;
	for (unsigned i = 0; i < w->n; i++) {
		all[i].fd = -1;
		if (begin(w, &all[i]))
			active++;
		else if (w->budget)
			w->errors++;
	}
	while (active) {
		int n = epoll_wait(w->epoll_fd, events, 64, 1000);
		for (int i = 0; i < n; i++) {
			struct connection *c = events[i].data.ptr;
			int whole = 0;
			if (events[i].events & EPOLLOUT && !send_more(w, c)) whole = -1;
			if (whole == 0 && events[i].events & ~(unsigned)EPOLLOUT) whole = receive(w, c);
			if (whole == 0) continue;
			uint64_t now = now_ns();
			if (whole < 0 || c->closes) {
				close(c->fd);
				c->fd = -1;
			}
			if (whole > 0 && c->code / 100 == 2 && w->o->receives && !c->deleting) {
				int deletes = begin_delete(w, c);
				if (deletes > 0) continue;
				if (deletes == 0) {
					active--;
					continue;
				}
				whole = -1;
			}
			if (whole < 0 || c->code / 100 != 2)
				w->errors++;
			else {
				w->done++;
				w->bytes += c->request.body_n;
				w->histogram[bucket_of(now - c->began_ns)]++;
			}
			if (now < w->deadline_ns && begin(w, c)) continue;
			if (now < w->deadline_ns && w->budget) w->errors++; /* it could not connect again */
			active--;
		}
		stalled_s = n == 0 ? stalled_s + 1 : 0;
		if (stalled_s == STALL_S) {
			w->errors += active;
			break;
		}
	}
	for (unsigned i = 0; i < w->n; i++)
		if (all[i].fd >= 0) close(all[i].fd);
	close(w->epoll_fd);
	free(w->buffer);
	free(all);
	return NULL;
}

/* ── the run ──────────────────────────────────────────────────────────────────────────────────────────────────── */

struct result {
	uint64_t done, errors, bytes, histogram[BUCKETS];
	double seconds, cpu;
};

static double cpu_seconds(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)u.ru_utime.tv_sec + (double)u.ru_stime.tv_sec +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void run(const struct options *o, struct result *r)
{
	struct worker *w = mem_new(o->threads * sizeof(*w));
	double cpu = cpu_seconds();
	uint64_t began = now_ns();

	memset(r, 0, sizeof(*r));
	for (unsigned i = 0; i < o->threads; i++) {
		w[i].o = o;
		w[i].n = o->connections / o->threads + (i < o->connections % o->threads);
		w[i].first_number = i;
		w[i].stride = o->threads;
		w[i].budget = o->requests ? o->requests / o->threads + (i < o->requests % o->threads) : UINT64_MAX;
		w[i].deadline_ns = o->requests ? UINT64_MAX / 2 : began + (uint64_t)(o->seconds * 1e9);
		if (pthread_create(&w[i].thread, NULL, worker_main, &w[i]) != 0) abort();
	}
	for (unsigned i = 0; i < o->threads; i++) {
		pthread_join(w[i].thread, NULL);
		r->done += w[i].done;
		r->errors += w[i].errors;
		r->bytes += w[i].bytes;
		for (size_t b = 0; b < BUCKETS; b++) r->histogram[b] += w[i].histogram[b];
	}
	r->seconds = (double)(now_ns() - began) / 1e9;
	r->cpu = (cpu_seconds() - cpu) / r->seconds;
	free(w);
}

static double percentile(const struct result *r, double share)
{
	uint64_t seen = 0, want = (uint64_t)((double)r->done * share);

	for (size_t i = 0; i < BUCKETS; i++)
		if ((seen += r->histogram[i]) > want) return bucket_us(i);
	return 0;
}

static void print(const struct options *o, const struct result *r)
{
	double rate = (double)r->done / r->seconds, megabytes = (double)r->bytes / r->seconds / 1e6;

	if (o->json)
		printf("{\"kind\":\"%s\",\"size\":%zu,\"connections\":%u,\"requests\":%llu,\"errors\":%llu,\"seconds\":"
		       "%.3f,"
		       "\"rps\":%.0f,\"mb_s\":%.1f,\"p50_us\":%.1f,\"p90_us\":%.1f,\"p99_us\":%.1f,\"p999_us\":%.1f,"
		       "\"cpu\":%.2f}\n",
			o->kind_name, o->body_n, o->connections, (unsigned long long)r->done,
			(unsigned long long)r->errors, r->seconds, rate, megabytes, percentile(r, .5),
			percentile(r, .9), percentile(r, .99), percentile(r, .999), r->cpu);
	else
		printf("%-16s %9.0f req/s %9.1f MB/s  p50 %.0f us  p90 %.0f us  p99 %.0f us  p99.9 %.0f us  errors "
		       "%llu of %llu  "
		       "cpu %.2f\n",
			o->kind_name, rate, megabytes, percentile(r, .5), percentile(r, .9), percentile(r, .99),
			percentile(r, .999), (unsigned long long)r->errors, (unsigned long long)(r->done + r->errors),
			r->cpu);
}

static _Noreturn void fail(const char *text)
{
	fprintf(stderr, "bench_load: %s\n", text);
	exit(2);
}

static void set_endpoint(struct options *o, const char *text, size_t n)
{
	char ip[64];

	if (n >= sizeof(o->host)) fail("the endpoint is too long");
	memcpy(o->host, text, n);
	o->host[n] = 0;
	char *colon = strrchr(o->host, ':');
	if (!colon || colon - o->host >= (ptrdiff_t)sizeof(ip)) fail("the endpoint must be host:port");
	memcpy(ip, o->host, (size_t)(colon - o->host));
	ip[colon - o->host] = 0;
	o->address.sin_family = AF_INET;
	o->address.sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
	if (inet_pton(AF_INET, strcmp(ip, "localhost") == 0 ? "127.0.0.1" : ip, &o->address.sin_addr) != 1)
		fail("the host must be an IPv4 address or localhost");
}

static size_t size_of(const char *text)
{
	char *end;
	unsigned long long n = strtoull(text, &end, 10);

	if (*end == 'k' || *end == 'K')
		n <<= 10, end++;
	else if (*end == 'm' || *end == 'M')
		n <<= 20, end++;
	else if (*end == 'g' || *end == 'G')
		n <<= 30, end++;
	if (*end) fail("a size looks like 1024, 64k, 5m, 1g");
	return (size_t)n;
}

static void set_body(struct options *o, size_t n)
{
	char *p = mem_new(n + 1);
	uint64_t x = 88172645463325252u;

	for (size_t i = 0; i + 8 <= n; i += 8) {
		x ^= x << 13, x ^= x >> 7, x ^= x << 17;
		memcpy(p + i, &x, 8);
	}
	o->body = p;
	o->body_n = n;
}

/* One request, for setting up; the bucket may be there already. */
static void prepare(const struct options *o)
{
	struct options once = *o;
	struct result *r = mem_new(sizeof(*r));
	char path[256];
	struct connection *c = mem_new(sizeof(*c));
	struct worker *w = mem_new(sizeof(*w));

	w->o = &once;
	w->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	w->buffer = mem_new(RECV_MAX);
	once.kind = S3_GET;
	snprintf(path, sizeof(path), "/%s", o->bucket);
	make_request(&c->request, &w->signer, &once, S3_GET, "PUT", path);
	int whole = 0;
	if (!connection_open(w, c) || !send_more(w, c)) fail("the endpoint does not answer");
	for (int i = 0; i < 10000 && whole == 0; i++) {
		if ((whole = receive(w, c)) == 0) nanosleep(&(struct timespec){0, 1000000}, NULL);
	}
	if (whole <= 0 || (c->code != 200 && c->code != 409)) fail("the bucket cannot be made");
	close(c->fd);
	close(w->epoll_fd);
	free(w->buffer);
	free(w);
	free(c);
	if (o->kind == S3_GET) {
		once.kind = S3_PUT;
		once.requests = o->keys;
		once.threads = 1;
		run(&once, r);
		if (r->errors || r->done != o->keys) fail("the objects cannot be put");
	}
	free(r);
}

int main(int argc, char **argv)
{
	struct options o = {.access_key = "test",
		.secret = "test",
		.bucket = "bench-load",
		.connections = 16,
		.threads = 1,
		.keys = 1000,
		.batch = 1,
		.seconds = 5};
	struct result *r = mem_new(sizeof(*r));
	const struct operation *op;
	char run_name[32], *built = NULL;
	int c;

	set_endpoint(&o, "127.0.0.1:4566", 14);
	while ((c = getopt(argc, argv, "e:c:j:t:n:k:urA:S:Jb:")) != -1) {
		switch (c) {
		case 'e':
			set_endpoint(&o, optarg, strlen(optarg));
			break;
		case 'c':
			o.connections = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'j':
			o.threads = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 't':
			o.seconds = strtod(optarg, NULL);
			break;
		case 'n':
			o.requests = strtoull(optarg, NULL, 10);
			break;
		case 'k':
			o.keys = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'u':
			o.unsigned_payload = true;
			break;
		case 'r':
			o.random = true;
			break;
		case 'A':
			o.access_key = optarg;
			break;
		case 'S':
			o.secret = optarg;
			break;
		case 'b':
			o.bucket = optarg;
			break;
		case 'J':
			o.json = true;
			break;
		default:
			fail("see the head of bench/load.c");
		}
	}
	const char *kind = optind < argc ? argv[optind] : "", *arg = optind + 1 < argc ? argv[optind + 1] : NULL;
	o.kind_name = kind;
	if (o.threads == 0 || o.connections < o.threads || o.keys == 0)
		fail("connections, threads and keys must be at least 1");
	if (strcmp(kind, "get") == 0 && arg && strncmp(arg, "http://", 7) == 0) {
		const char *slash = strchr(arg + 7, '/');
		set_endpoint(&o, arg + 7, slash ? (size_t)(slash - arg - 7) : strlen(arg + 7));
		o.path = slash ? slash : "/";
	} else if (strcmp(kind, "caller-identity") == 0) {
		o.kind = CALLER_IDENTITY;
		o.body = "Action=GetCallerIdentity&Version=2011-06-15";
		o.body_n = strlen(o.body);
	} else if ((strcmp(kind, "s3-put") == 0 || strcmp(kind, "s3-get") == 0) && arg) {
		o.kind = kind[3] == 'p' ? S3_PUT : S3_GET;
		set_body(&o, size_of(arg));
	} else if (strcmp(kind, "json") == 0 && optind + 3 < argc) {
		o.kind = JSON;
		o.service = arg;
		o.target = argv[optind + 2];
		o.template = argv[optind + 3];
		if (strlen(o.template) > JSON_MAX / 2) fail("the body is too long");
		const char *dot = strrchr(o.target, '.');
		o.kind_name = dot ? dot + 1 : o.target;
	} else if (arg && (op = operation_find(kind))) {
		snprintf(run_name, sizeof(run_name), "%llx", (unsigned long long)now_ns());
		o.kind = JSON;
		o.service = op->service;
		o.target = op->target;
		o.template = built = operation_template(op, arg, run_name);
		if (!built) fail("the queue's or table's name holds what a template takes for a mark");
		o.batch = op->batch;
		o.argument = arg;
		o.receives = strcmp(kind, "sqs-receive-delete") == 0;
	} else {
		fail("see the head of bench/load.c for the kinds");
	}
	sha256_hex("", 0, o.empty_hash);
	sha256_hex(o.body ? o.body : "", o.body_n, o.body_hash);
	if (o.kind == S3_PUT || o.kind == S3_GET) prepare(&o);
	run(&o, r);
	print(&o, r);
	free(built);
	bool ok = r->errors == 0 && r->done > 0;
	free(r);
	return ok ? 0 : 1;
}
