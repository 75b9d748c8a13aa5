/* Pages that change something: the clock, reset, stop. Each answers only once the change has had its effect. */
#include "admin/page.h"
#include "base/log.h"
#include "store/blob.h"
#include "store/key.h"
#include <signal.h>
#include <unistd.h>

#define SETTLE_LIMIT_MS (5 * 60 * 1000)

static void clock_state(struct page_request *r)
{
	json_key(&r->out, "time");
	json_str(&r->out, time_iso8601(r->arena, clock_now(r->cloud->clock), true));
	json_key(&r->out, "offset_ms");
	json_i64(&r->out, clock_offset(r->cloud->clock));
}

void page_clock(struct page_request *r)
{
	json_open(&r->out, '{');
	clock_state(r);
	json_close(&r->out, '}');
}

static status move_clock(struct page_request *r)
{
	struct str advance = page_parameter(r, STR("advance")), set = page_parameter(r, STR("set"));
	int64_t ms;
	if (str_has(advance)) {
		TRY(time_read_duration(advance, &ms));
		return ms > 0 ? clock_advance(r->cloud->clock, ms) : STATUS(INVALID);
	}
	if (str_has(set)) {
		TRY(time_read_iso8601(set, &ms));
		return clock_set(r->cloud->clock, ms);
	}
	return str_has(page_parameter(r, STR("reset"))) ? clock_reset(r->cloud->clock) : STATUS(INVALID);
}

void page_clock_change(struct page_request *r)
{
	status st = move_clock(r);
	if (status_is(st, STATUS_INVALID)) {
		page_fail(r, 400, "give advance=DURATION (30d, 1h30m, 45s), set=TIME (2027-01-01T00:00:00Z) or reset");
		return;
	}
	if (!is_ok(st)) {
		page_fail(r, status_is(st, STATUS_LIMIT) ? 400 : 500, "the clock stays as it was: %s", status_name(st));
		return;
	}
	bool settled = jobs_settle(r->cloud->jobs, SETTLE_LIMIT_MS);
	json_open(&r->out, '{');
	clock_state(r);
	json_key(&r->out, "settled");
	json_bool(&r->out, settled);
	json_close(&r->out, '}');
	log_info("admin", "clock", "offset_ms=%lld settled=%d", (long long)clock_offset(r->cloud->clock), settled);
}

static status forget(struct page_request *r, struct str service)
{
	struct key k = key_begin(r->arena);
	key_str(&k, service);
	struct str from = key_done(&k);
	return store_delete_range(r->cloud->store, from, key_after(r->arena, from));
}

static status reset_service(struct page_request *r, size_t i)
{
	const struct service *s = r->cloud->services[i];
	void *state = r->cloud->service_state[i];
	if (s->reset) TRY(s->reset(r->cloud, state, false));
	TRY(forget(r, str_c(s->model->name)));
	return s->reset ? s->reset(r->cloud, state, true) : OK;
}

void page_reset(struct page_request *r)
{
	struct str wanted = page_parameter(r, STR("service"));
	if (str_has(wanted) && !cloud_service(r->cloud, wanted)) {
		page_fail(r, 404, "virga runs no service '%.*s'", STR_ARG(wanted));
		return;
	}
	json_open(&r->out, '{');
	json_key(&r->out, "reset");
	json_open(&r->out, '[');
	for (size_t i = 0; i < r->cloud->n_services; i++) {
		struct str name = str_c(r->cloud->services[i]->model->name);
		if (str_has(wanted) && !str_eq(wanted, name)) continue;
		status st = reset_service(r, i);
		if (!is_ok(st)) {
			log_error("admin", "reset_failed", "service=%.*s status=%s", STR_ARG(name), status_name(st));
			page_fail(r, 500, "resetting %.*s failed: %s", STR_ARG(name), status_name(st));
			return;
		}
		json_str(&r->out, name);
	}
	json_close(&r->out, ']');
	json_close(&r->out, '}');
	log_info("admin", "reset", "service=%.*s", STR_ARG(str_or(wanted, STR("all"))));
}

/* The signal that serve waits for; this answer is in flight then, and is finished. */
void page_stop(struct page_request *r)
{
	json_open(&r->out, '{');
	json_key(&r->out, "stopping");
	json_bool(&r->out, true);
	json_key(&r->out, "pid");
	json_i64(&r->out, getpid());
	json_close(&r->out, '}');
	kill(getpid(), SIGTERM);
}

/* Reads all bodies; 200 also where some are damaged: the answer names them. */
void page_scrub(struct page_request *r)
{
	struct cloud *cloud = r->cloud;
	struct buf damaged = BUF_IN(r->arena);
	struct scrub_report report = {.damaged = &damaged};
	json_open(&damaged, '[');
	for (size_t i = 0; i < cloud->n_services; i++) {
		const struct service *s = cloud->services[i];
		if (!s->scrub) continue;
		status st = s->scrub(cloud, cloud->service_state[i], &report);
		if (is_ok(st)) continue;
		page_fail(r, 500, "the bodies could not all be read: %s", status_name(st));
		return;
	}
	json_close(&damaged, ']');
	json_open(&r->out, '{');
	json_key(&r->out, "bodies");
	json_i64(&r->out, (int64_t)report.bodies);
	json_key(&r->out, "bytes");
	json_i64(&r->out, (int64_t)report.bytes);
	json_key(&r->out, "damaged");
	buf_str(&r->out, buf_done(&damaged));
	json_close(&r->out, '}');
}
