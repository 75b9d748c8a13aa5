/* The pages that LocalStack's users, and tools written for it, ask: health, info, init (LocalStack's documentation,
 * "Internal Endpoints" and "Initialization Hooks"). */
#include "admin/init.h"
#include "admin/page.h"
#include <sys/utsname.h>

static void common(struct page_request *r)
{
	json_key(&r->out, "edition");
	json_str(&r->out, STR("virga"));
	json_key(&r->out, "version");
	json_str(&r->out, STR(VIRGA_VERSION));
}

/* A service is "running" when some of it is built; what is not built, or was left out by SERVICES, is "disabled". */
void page_health(struct page_request *r)
{
	json_open(&r->out, '{');
	json_key(&r->out, "services");
	json_open(&r->out, '{');
	for (size_t i = 0; i < wire_services_length; i++) {
		json_key(&r->out, wire_services[i]->name);
		json_str(&r->out, page_done(r->cloud, wire_services[i]) > 0 ? STR("running") : STR("disabled"));
	}
	json_close(&r->out, '}');
	common(r);
	json_close(&r->out, '}');
}

void page_info(struct page_request *r)
{
	struct utsname machine = {0};
	uname(&machine);
	json_open(&r->out, '{');
	common(r);
	json_key(&r->out, "is_license_activated");
	json_bool(&r->out, false);
	json_key(&r->out, "system");
	json_str(&r->out, str_fmt(r->arena, "%s %s %s", machine.sysname, machine.release, machine.machine));
	json_key(&r->out, "server_time_utc");
	struct str time = time_iso8601(r->arena, clock_now(r->cloud->clock), false);
	json_str(&r->out, str_ends(time, STR("Z")) ? str_sub(time, 0, time.n - 1) : time);
	json_key(&r->out, "uptime");
	json_i64(&r->out, (clock_monotonic_us() - r->cloud->started_us) / 1000000);
	json_close(&r->out, '}');
}

static void scripts(struct page_request *r, const struct init_script *list, size_t n)
{
	json_key(&r->out, "scripts");
	json_open(&r->out, '[');
	for (size_t i = 0; i < n; i++) {
		json_open(&r->out, '{');
		json_key(&r->out, "stage");
		json_str(&r->out, STR("READY"));
		json_key(&r->out, "name");
		json_str(&r->out, list[i].name);
		json_key(&r->out, "state");
		json_str(&r->out, str_c(init_state_name(list[i].state)));
		json_close(&r->out, '}');
	}
	json_close(&r->out, ']');
}

void page_init(struct page_request *r)
{
	size_t n = 0;
	bool completed = true;
	struct init_script *list = r->cloud->init ? init_scripts(r->cloud->init, r->arena, &n, &completed) : NULL;
	json_open(&r->out, '{');
	json_key(&r->out, "completed");
	if (str_ends(r->path, STR("/ready"))) {
		json_bool(&r->out, completed);
	} else {
		static const char *const stages[] = {"BOOT", "START", "READY", "SHUTDOWN"};
		json_open(&r->out, '{');
		for (size_t i = 0; i < 4; i++) {
			json_key(&r->out, stages[i]);
			json_bool(&r->out, i < 2 || (i == 2 && completed));
		}
		json_close(&r->out, '}');
	}
	scripts(r, list, n);
	json_close(&r->out, '}');
}
