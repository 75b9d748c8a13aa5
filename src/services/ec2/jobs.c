/* EC2's durable jobs: each is about one resource. See volume.h. */
#include "services/ec2/volume.h"

static struct str name_of(struct ec2_place at, struct str id)
{
	return str_fmt(at.a, "%.*s %.*s %.*s", STR_ARG(at.account), STR_ARG(at.region), STR_ARG(id));
}

void ec2_job_schedule(struct ec2_place at, const char *kind, struct str id, int64_t due_ms)
{
	struct str name = name_of(at, id);
	jobs_schedule(at.tx, &(struct job){.kind = str_c(kind), .id = name, .due_ms = due_ms, .payload = name});
}

void ec2_job_cancel(struct ec2_place at, const char *kind, struct str id)
{
	jobs_cancel(at.tx, str_c(kind), name_of(at, id));
}

status ec2_job_read(struct store_tx *tx, struct arena *a, const struct job *job, struct ec2_job *out)
{
	struct str rest = str_dup(a, job->payload);
	*out = (struct ec2_job){.at = {.tx = tx, .a = a}};
	out->at.account = str_cut(&rest, ' ');
	if (!str_has(rest)) return STATUS(CORRUPT);
	out->at.region = str_cut(&rest, ' ');
	if (!str_has(rest)) return STATUS(CORRUPT);
	out->id = rest;
	return OK;
}

static void poke(void *jobs)
{
	jobs_poke(jobs);
}

void ec2_poke_jobs(struct call *c)
{
	call_after_commit(c, poke, c->cloud->jobs);
}
