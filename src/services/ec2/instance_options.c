/* Options of instances and accounts that are little more than what they say: processors, names, the serial console,
 * passwords, Allowed AMIs. */
#include "services/ec2/instance_options.h"
#include "services/ec2/instance.h"
#include "wire/shape.h"

#define TABLES (&wire_service_ec2.tables)

static status stopped(struct call *c, struct str id, struct ec2_rec_instance *i, struct ec2_instance *shape)
{
	TRY(ec2_find(c, &ec2_type_instance, id, i));
	if (i->state.v != EC2_STOPPED)
		return call_fail(c, EC2_ERR_INCORRECT_INSTANCE_STATE,
			"The instance '%.*s' is not in the 'stopped' state.", STR_ARG(i->instance_id));
	return ec2_instance_document(c->arena, i, shape);
}

static void save(struct call *c, struct ec2_rec_instance *i, const struct ec2_instance *shape)
{
	ec2_instance_document_put(c->arena, i, shape);
	ec2_instance_put(ec2_here(c), i);
}

/* ── ModifyInstanceCpuOptions ── "CPU options for Amazon EC2 instances", the guide ── */

status ec2_modify_instance_cpu_options(struct call *c, const struct ec2_modify_instance_cpu_options_input *in,
	struct ec2_modify_instance_cpu_options_output *out)
{
	struct ec2_rec_instance i;
	struct ec2_instance shape = {0};
	struct ec2_machine_type m;
	if (str_has(in->nested_virtualization))
		return call_fail(c, ERR_NOT_IMPLEMENTED, "Nested virtualization is not implemented.");
	TRY(stopped(c, in->instance_id, &i, &shape));
	if (!shape.cpu_options || !ec2_machine_type_find(shape.instance_type, &m)) return STATUS(CORRUPT);
	int32_t threads_most = m.family->no_threads || m.vcpus == 1 ? 1 : 2,
		cores_most = (int32_t)m.vcpus / threads_most;
	int32_t cores = in->core_count.has ? in->core_count.v : shape.cpu_options->core_count.v,
		threads = in->threads_per_core.has ? in->threads_per_core.v : shape.cpu_options->threads_per_core.v;
	if (cores < 1 || cores > cores_most || threads < 1 || threads > threads_most)
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE,
			"The instance type '%.*s' supports from 1 to %d cores, and at most %d threads per core.",
			STR_ARG(m.name), cores_most, threads_most);
	shape.cpu_options->core_count = SOME_I32(cores);
	shape.cpu_options->threads_per_core = SOME_I32(threads);
	save(c, &i, &shape);
	out->instance_id = i.instance_id;
	out->core_count = SOME_I32(cores);
	out->threads_per_core = SOME_I32(threads);
	return OK;
}

/* ── GetPasswordData ── Only Windows has one, and none of these is. ── */

status ec2_get_password_data(
	struct call *c, const struct ec2_get_password_data_input *in, struct ec2_get_password_data_output *out)
{
	struct ec2_rec_instance i;
	TRY(ec2_find(c, &ec2_type_instance, in->instance_id, &i));
	out->instance_id = i.instance_id;
	out->timestamp = i.launched;
	out->password_data = STR("");
	return OK;
}

/* ── the serial console's switch ── */

static status serial(struct call *c, struct opt_bool set, struct opt_bool *out)
{
	struct ec2_rec_settings s;
	TRY(ec2_settings_get(ec2_here(c), &s));
	if (set.has) {
		s.serial = set;
		ec2_settings_put(ec2_here(c), &s);
	}
	*out = SOME_BOOL(s.serial.v);
	return OK;
}

status ec2_enable_serial_console_access(struct call *c, const struct ec2_enable_serial_console_access_input *in,
	struct ec2_enable_serial_console_access_output *out)
{
	(void)in;
	return serial(c, SOME_BOOL(true), &out->serial_console_access_enabled);
}

status ec2_disable_serial_console_access(struct call *c, const struct ec2_disable_serial_console_access_input *in,
	struct ec2_disable_serial_console_access_output *out)
{
	(void)in;
	return serial(c, SOME_BOOL(false), &out->serial_console_access_enabled);
}

status ec2_get_serial_console_access_status(struct call *c, const struct ec2_get_serial_console_access_status_input *in,
	struct ec2_get_serial_console_access_status_output *out)
{
	(void)in;
	out->managed_by = STR("account");
	return serial(c, (struct opt_bool){0}, &out->serial_console_access_enabled);
}

/* ── Allowed AMIs ── "Control the discovery and use of AMIs with Allowed AMIs", the guide. Criteria are alternatives;
 * what one says has to hold all together. ── */

enum { CRITERIA_MAX = 10 };

static status criteria(struct call *c, const struct ec2_rec_settings *s,
	struct ec2_replace_image_criteria_in_allowed_images_settings_request *out)
{
	*out = (struct ec2_replace_image_criteria_in_allowed_images_settings_request){0};
	if (!str_has(s->image_criteria)) return OK;
	return wire_shape_read(c->arena, TABLES, EC2_SHAPE_REPLACE_IMAGE_CRITERIA_IN_ALLOWED_IMAGES_SETTINGS_REQUEST,
		s->image_criteria, out);
}

/* "amazon", "aws-marketplace", "aws-backup-vault", "none" or an account. */
static bool provided_by(const struct ec2_image_criterion_request *k, const struct ec2_image *i, const struct call *c)
{
	if (!k->image_providers.n) return true;
	for (size_t n = 0; n < k->image_providers.n; n++) {
		struct str p = k->image_providers.v[n];
		if (str_eq(p, i->owner_id) || (str_has(i->image_owner_alias) && str_eq(p, i->image_owner_alias)))
			return true;
	}
	(void)c;
	return false;
}

static bool meets(const struct ec2_image_criterion_request *k, const struct ec2_image *i, const struct call *c)
{
	int64_t made;
	bool named = !k->image_names.n;
	for (size_t n = 0; n < k->image_names.n; n++) named = named || str_glob(k->image_names.v[n], i->name);
	if (!named || !provided_by(k, i, c)) return false;
	if (k->creation_date_condition && k->creation_date_condition->maximum_days_since_created.has &&
		is_ok(time_read_iso8601(i->creation_date, &made)) &&
		c->now_ms - made > k->creation_date_condition->maximum_days_since_created.v * (int64_t)86400000)
		return false;
	/* None of the images here is of the Marketplace. */
	if (k->marketplace_product_codes.n) return false;
	return !k->deprecation_time_condition || !k->deprecation_time_condition->maximum_days_since_deprecated.has ||
	       !is_ok(time_read_iso8601(i->deprecation_time, &made)) ||
	       c->now_ms - made <= k->deprecation_time_condition->maximum_days_since_deprecated.v * (int64_t)86400000;
}

status ec2_image_allowed(struct call *c, const struct ec2_image *image, bool *enforced, bool *allowed)
{
	struct ec2_rec_settings s;
	struct ec2_replace_image_criteria_in_allowed_images_settings_request all;
	*allowed = true;
	*enforced = false;
	TRY(ec2_settings_get(ec2_here(c), &s));
	if (!str_has(s.allowed_images) || str_is(s.allowed_images, "disabled")) return OK;
	*enforced = str_is(s.allowed_images, "enabled");
	/* The account's own pass without being named. */
	if (str_eq(image->owner_id, c->account)) return OK;
	TRY(criteria(c, &s, &all));
	*allowed = false;
	for (size_t i = 0; i < all.image_criteria.n && !*allowed; i++)
		*allowed = meets(&all.image_criteria.v[i], image, c);
	return OK;
}

status ec2_enable_allowed_images_settings(struct call *c, const struct ec2_enable_allowed_images_settings_input *in,
	struct ec2_enable_allowed_images_settings_output *out)
{
	struct ec2_rec_settings s;
	TRY(ec2_settings_get(ec2_here(c), &s));
	s.allowed_images = in->allowed_images_settings_state;
	ec2_settings_put(ec2_here(c), &s);
	out->allowed_images_settings_state = s.allowed_images;
	return OK;
}

status ec2_disable_allowed_images_settings(struct call *c, const struct ec2_disable_allowed_images_settings_input *in,
	struct ec2_disable_allowed_images_settings_output *out)
{
	struct ec2_rec_settings s;
	(void)in;
	TRY(ec2_settings_get(ec2_here(c), &s));
	s.allowed_images = STR("disabled");
	ec2_settings_put(ec2_here(c), &s);
	out->allowed_images_settings_state = s.allowed_images;
	return OK;
}

status ec2_replace_image_criteria_in_allowed_images_settings(struct call *c,
	const struct ec2_replace_image_criteria_in_allowed_images_settings_input *in,
	struct ec2_replace_image_criteria_in_allowed_images_settings_output *out)
{
	struct ec2_rec_settings s;
	if (in->image_criteria.n > CRITERIA_MAX)
		return call_fail(
			c, EC2_ERR_INVALID_PARAMETER_VALUE, "At most %d image criteria can be given.", CRITERIA_MAX);
	TRY(ec2_settings_get(ec2_here(c), &s));
	s.image_criteria = wire_shape_write(
		c->arena, TABLES, EC2_SHAPE_REPLACE_IMAGE_CRITERIA_IN_ALLOWED_IMAGES_SETTINGS_REQUEST, in);
	ec2_settings_put(ec2_here(c), &s);
	out->return_value = SOME_BOOL(true);
	return OK;
}

status ec2_get_allowed_images_settings(struct call *c, const struct ec2_get_allowed_images_settings_input *in,
	struct ec2_get_allowed_images_settings_output *out)
{
	struct ec2_rec_settings s;
	struct ec2_replace_image_criteria_in_allowed_images_settings_request all;
	size_t capacity = 0;
	(void)in;
	TRY(ec2_settings_get(ec2_here(c), &s));
	TRY(criteria(c, &s, &all));
	out->state = str_or(s.allowed_images, STR("disabled"));
	out->managed_by = STR("account");
	VEC_PRESENT(c->arena, &out->image_criteria);
	for (size_t i = 0; i < all.image_criteria.n; i++)
		ec2_copy(c->arena, TABLES, EC2_SHAPE_IMAGE_CRITERION_REQUEST, &all.image_criteria.v[i], TABLES,
			EC2_SHAPE_IMAGE_CRITERION, VEC_PUSH(c->arena, &out->image_criteria, &capacity));
	return OK;
}
