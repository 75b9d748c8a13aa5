/* Access points: a directory of a file system as an application's root. A POSIX user that stands for whoever mounts is
 * kept and told, and such an access point refuses to be mounted: ids are mapped one to one here. "Working with Amazon
 * EFS access points", the guide. */
#include "services/efs/policy.h"
#include "wire/shape.h"

enum { POINTS_MAX = 10000 };

static status show(struct call *c, const struct efs_rec_access_point *p, struct efs_access_point_description *out)
{
	*out = (struct efs_access_point_description){0};
	TRY(wire_shape_read(c->arena, &wire_service_efs.tables, EFS_SHAPE_ACCESS_POINT_DESCRIPTION, p->document, out));
	out->access_point_id = p->access_point_id;
	out->access_point_arn = call_arn(c, STR("elasticfilesystem"), "access-point/%.*s", STR_ARG(p->access_point_id));
	out->client_token = p->client_token;
	out->file_system_id = p->file_system_id;
	out->owner_id = c->account;
	out->life_cycle_state = STR("available");
	out->tags = efs_tags_out(c->arena, &p->tags);
	for (size_t i = 0; i < p->tags.n; i++)
		if (str_is(p->tags.v[i].key, "Name")) out->name = p->tags.v[i].value;
	return OK;
}

status efs_points_tell(struct call *c, struct str file_system)
{
	struct efs_all targets, points;
	struct efs_rec_file_system f;
	struct ec2_rec_strings texts = {0};
	size_t capacity = 0;
	TRY(efs_file_system(c, file_system, &f));
	TRY(efs_all(c, EFS_MOUNT_TARGET, file_system, &targets));
	TRY(efs_all(c, EFS_ACCESS_POINT, file_system, &points));
	TRY(efs_policy_access(c, &f, STR_NONE, &texts, &capacity));
	for (size_t i = 0; i < points.n; i++) {
		struct efs_access_point_description d;
		TRY(show(c, (const struct efs_rec_access_point *)points.v + i, &d));
		if (d.posix_user) continue;
		TRY(efs_policy_access(c, &f, d.access_point_id, &texts, &capacity));
		const struct efs_creation_info *k = d.root_directory->creation_info;
		*VEC_PUSH(c->arena, &texts, &capacity) =
			str_fmt(c->arena, "%.*s %lld %lld %.*s %.*s", STR_ARG(d.access_point_id),
				k ? (long long)k->owner_uid.v : 0, k ? (long long)k->owner_gid.v : 0,
				STR_ARG(k ? k->permissions : STR("-")), STR_ARG(d.root_directory->path));
	}
	for (size_t i = 0; i < targets.n; i++)
		TRY(ec2_eni_share(ec2_here(c), ((const struct efs_rec_mount_target *)targets.v)[i].network_interface_id,
			efs_files(c->arena, &f), texts.v, texts.n));
	return OK;
}

static status check_token(struct call *c, struct str token)
{
	struct efs_all all;
	TRY(efs_all(c, EFS_ACCESS_POINT, STR_NONE, &all));
	if (all.n >= POINTS_MAX)
		return efs_fail(c, EFS_ERR_ACCESS_POINT_LIMIT_EXCEEDED, "AccessPointLimitExceeded",
			"There can be %d access points.", POINTS_MAX);
	for (size_t i = 0; i < all.n; i++) {
		const struct efs_rec_access_point *p = (const struct efs_rec_access_point *)all.v + i;
		if (!str_eq(p->client_token, token)) continue;
		call_fail(c, EFS_ERR_ACCESS_POINT_ALREADY_EXISTS, "Access point already exists with client token %.*s",
			STR_ARG(token));
		struct efs_access_point_already_exists *e = arena_new(c->arena, struct efs_access_point_already_exists);
		*e = (struct efs_access_point_already_exists){
			STR("AccessPointAlreadyExists"), c->failure.message, p->access_point_id};
		call_fail_members(c, e);
		return STATUS(FAILED);
	}
	return OK;
}

status efs_create_access_point(
	struct call *c, const struct efs_create_access_point_input *in, struct efs_create_access_point_output *out)
{
	struct efs_rec_file_system f;
	TRY(efs_file_system(c, in->file_system_id, &f));
	TRY(check_token(c, in->client_token));
	struct efs_root_directory root = {.path = STR("/")};
	if (in->root_directory) root = *in->root_directory;
	root.path = str_or(root.path, STR("/"));
	struct efs_access_point_description d = {.posix_user = in->posix_user, .root_directory = &root};
	struct efs_rec_access_point p = {.access_point_id = ec2_new_id(c->arena, "fsap-"),
		.client_token = in->client_token,
		.file_system_id = f.file_system_id,
		.document =
			wire_shape_write(c->arena, &wire_service_efs.tables, EFS_SHAPE_ACCESS_POINT_DESCRIPTION, &d)};
	TRY(efs_tags_take(c, &in->tags, &p.tags));
	efs_put(c, EFS_ACCESS_POINT, p.access_point_id, &p);
	TRY(efs_points_tell(c, f.file_system_id));
	ec2_poke_jobs(c);
	TRY(show(c, &p, out));
	out->life_cycle_state = STR("creating");
	return OK;
}

status efs_describe_access_points(struct call *c, const struct efs_describe_access_points_input *in,
	struct efs_describe_access_points_output *out)
{
	struct efs_all all;
	struct efs_rec_access_point one;
	struct efs_rec_file_system f;
	struct str of = STR_NONE;
	size_t capacity = 0, kept = 0;
	if (str_has(in->access_point_id) && str_has(in->file_system_id))
		return EFS_BAD(c, "AccessPointId and FileSystemId can't be given together.");
	if (str_has(in->access_point_id)) TRY(efs_access_point(c, in->access_point_id, &one));
	if (str_has(in->file_system_id)) {
		TRY(efs_file_system(c, in->file_system_id, &f));
		of = f.file_system_id;
	}
	TRY(efs_all(c, EFS_ACCESS_POINT, of, &all));
	struct efs_rec_access_point *v = all.v;
	for (size_t i = 0; i < all.n; i++)
		if (!str_has(in->access_point_id) || str_eq(v[i].access_point_id, one.access_point_id))
			v[kept++] = v[i];
	struct str *ids = arena_new_n(c->arena, struct str, kept);
	for (size_t i = 0; i < kept; i++) ids[i] = v[i].access_point_id;
	struct efs_page p = {.max = in->max_results, .marker = in->next_token};
	efs_page(ids, kept, &p);
	VEC_PRESENT(c->arena, &out->access_points);
	for (size_t i = 0; i < p.n; i++)
		TRY(show(c, &v[p.from + i], VEC_PUSH(c->arena, &out->access_points, &capacity)));
	out->next_token = p.next;
	return OK;
}

status efs_delete_access_point(
	struct call *c, const struct efs_delete_access_point_input *in, struct efs_delete_access_point_output *out)
{
	struct efs_rec_access_point p;
	(void)out;
	TRY(efs_access_point(c, in->access_point_id, &p));
	efs_drop(c, EFS_ACCESS_POINT, p.access_point_id);
	TRY(efs_points_tell(c, p.file_system_id));
	ec2_poke_jobs(c);
	return OK;
}
