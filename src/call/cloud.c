/* Starting and stopping the services of an installation. */
#include "call/dispatch.h"
#include "base/log.h"
#include <stdlib.h>

status cloud_start_services(struct cloud *cloud)
{
	cloud->service_state = mem_new((cloud->n_services + 1) * sizeof(void *));
	for (size_t i = 0; i < cloud->n_services; i++) {
		const struct service *s = cloud->services[i];
		if (!s->start) continue;
		status st = s->start(cloud, &cloud->service_state[i]);
		if (!is_ok(st)) {
			log_error("call", "service-start", "service=%s status=%s", s->model->name, status_name(st));
			return st;
		}
	}
	return OK;
}

void cloud_ready_services(struct cloud *cloud)
{
	for (size_t i = 0; i < cloud->n_services; i++)
		if (cloud->services[i]->ready) cloud->services[i]->ready(cloud, cloud->service_state[i]);
}

void cloud_drain_services(struct cloud *cloud)
{
	if (!cloud->service_state) return;
	for (size_t i = cloud->n_services; i-- > 0;)
		if (cloud->services[i]->drain) cloud->services[i]->drain(cloud->service_state[i]);
}

void cloud_stop_services(struct cloud *cloud)
{
	if (!cloud->service_state) return;
	for (size_t i = cloud->n_services; i-- > 0;)
		if (cloud->services[i]->stop) cloud->services[i]->stop(cloud->service_state[i]);
	free(cloud->service_state);
	cloud->service_state = NULL;
}

const struct service *cloud_service(const struct cloud *cloud, struct str name)
{
	for (size_t i = 0; i < cloud->n_services; i++)
		if (str_eq(str_c(cloud->services[i]->model->name), name)) return cloud->services[i];
	return NULL;
}

bool cloud_service_enabled(const struct cloud *cloud, struct str name)
{
	for (size_t i = 0; i < cloud->n_enabled; i++)
		if (str_eq(cloud->enabled[i], name)) return true;
	return cloud->n_enabled == 0;
}
