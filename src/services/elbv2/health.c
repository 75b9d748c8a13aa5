/* How targets are, as their balancers' nodes see it. */
#include "host/host.h"
#include "services/elbv2/node.h"

struct str elbv2_server_name(struct arena *a, const struct elbv2_rec_target *t)
{
	struct buf b = BUF_IN(a);
	/* Of an ARN, what is behind the last slash names it. */
	struct str id = str_from(t->id, (size_t)(str_rchr(t->id, '/') + 1));
	buf_fmt(&b, "%.*s_%d", STR_ARG(id), t->port.v);
	return buf_done(&b);
}

status elbv2_see(struct call *c, const struct elbv2_rec_group *g, struct elbv2_seen *out)
{
	(void)g;
	*out = (struct elbv2_seen){.simulated = !host_available(c->cloud->host)};
	return OK;
}

static void unhealthy(struct call *c, const struct elbv2_seen_target *s, struct elbv2_target_health *h)
{
	h->state = STR("unhealthy");
	if (str_is(s->check, "L7STS") && s->code) {
		h->reason = STR("Target.ResponseCodeMismatch");
		h->description = str_fmt(c->arena, "Health checks failed with these codes: [%d]", s->code);
	} else if (str_is(s->check, "L4TOUT") || str_is(s->check, "L6TOUT") || str_is(s->check, "L7TOUT")) {
		h->reason = STR("Target.Timeout");
		h->description = STR("Request timed out");
	} else {
		h->reason = STR("Target.FailedHealthChecks");
		h->description = STR("Health checks failed");
	}
}

void elbv2_seen_health(struct call *c, const struct elbv2_rec_group *g, const struct elbv2_rec_target *t,
	const struct elbv2_seen *seen, struct elbv2_target_health *h)
{
	struct str name = elbv2_server_name(c->arena, t);
	(void)g;
	if (seen->simulated) {
		h->state = STR("unavailable");
		h->reason = STR("Elb.InternalError");
		h->description =
			str_fmt(c->arena, "Load balancing is simulated: %.*s", STR_ARG(host_why(c->cloud->host)));
		return;
	}
	for (size_t i = 0; i < seen->n; i++) {
		const struct elbv2_seen_target *s = &seen->v[i];
		if (!str_eq(s->name, name)) continue;
		if (s->up) {
			h->state = STR("healthy");
		} else if (!s->checked) {
			h->state = STR("initial");
			h->reason = STR("Elb.InitialHealthChecking");
			h->description = STR("Initial health checks in progress");
		} else {
			unhealthy(c, s, h);
		}
		return;
	}
	h->state = STR("initial");
	h->reason = STR("Elb.RegistrationInProgress");
	h->description = STR("Target registration is in progress");
}
