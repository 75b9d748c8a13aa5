/* Which interface a machine means that mounts a shared file system. See host/internal.h. */
#include "host/net/net.h"

static const struct model_interface *of_machine(const struct model *m, struct str machine)
{
	for (size_t i = 0; i < m->n_interfaces; i++)
		if (str_eq(m->interfaces[i].in->place, machine)) return &m->interfaces[i];
	return NULL;
}

static struct str zone_of(const struct model *m, const struct model_interface *x)
{
	for (size_t i = 0; i < m->in->subnets.n; i++)
		if (str_eq(m->in->subnets.v[i].id, x->subnet->id)) return m->in->subnets.v[i].zone;
	return STR_NONE;
}

static bool is_meant(
	const struct model *m, const struct model_interface *x, const struct model_interface *own, struct str host)
{
	struct str folder = x->in->share;
	if (!str_has(folder)) return false;
	if (!str_starts(host, STR("fs-"))) return x->in->addresses.n && str_eq(x->in->addresses.v[0].private, host);
	/* A sealed one's files lie in a folder of their own (seal/folders.h). */
	if (str_ends(folder, STR("/files"))) folder = str_sub(folder, 0, folder.n - 6);
	return str_eq(str_from(folder, (size_t)str_rchr(folder, '/') + 1), host) &&
	       str_eq(zone_of(m, x), zone_of(m, own));
}

bool net_share_of(const struct net *n, struct str machine, struct str host, struct net_share *out)
{
	for (const struct net_vpc *v = n->vpcs; v; v = v->next) {
		const struct model_interface *own = of_machine(v->model, machine);
		for (size_t i = 0; own && i < v->model->n_interfaces; i++) {
			const struct model_interface *x = &v->model->interfaces[i];
			if (!is_meant(v->model, x, own, host)) continue;
			*out = (struct net_share){x->in->addresses.v[0].private, x->in->share, &x->in->share_points};
			return true;
		}
	}
	return false;
}
