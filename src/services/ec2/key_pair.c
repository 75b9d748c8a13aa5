/* Key pairs. The private half is answered once and kept nowhere. */
#include "services/ec2/compute.h"
#include "services/ec2/ssh_key.h"

static const char *const filters[] = {"fingerprint=KeyFingerprint", "key-name", "key-pair-id", NULL};
const struct ec2_type ec2_type_key_pair = {.name = "key-pair",
	.prefix = "key-",
	.absent = "The key pair ID '@' does not exist",
	.not_found = EC2_ERR_INVALID_KEY_PAIR_NOT_FOUND,
	.malformed = EC2_ERR_INVALID_KEY_PAIR_NOT_FOUND,
	.record = EC2_REC_KEY_PAIR,
	.shape = EC2_SHAPE_KEY_PAIR_INFO,
	.filters = filters};

/* NOT_FOUND. */
static status lookup(struct call *c, struct str name, struct ec2_rec_key_pair *out)
{
	struct ec2_each e = ec2_each(ec2_here(c), &ec2_type_key_pair);
	bool found = false;
	while (!found && ec2_next(&e)) {
		*out = *(const struct ec2_rec_key_pair *)e.item.record;
		found = str_eq(out->key_name, name);
	}
	TRY(ec2_each_end(&e));
	return found ? OK : STATUS(NOT_FOUND);
}

status ec2_key_find(struct call *c, struct str name, struct ec2_rec_key_pair *out)
{
	status s = lookup(c, name, out);
	if (status_is(s, STATUS_NOT_FOUND))
		return call_fail(
			c, EC2_ERR_INVALID_KEY_PAIR_NOT_FOUND, "The key pair '%.*s' does not exist", STR_ARG(name));
	return s;
}

static status check_new(struct call *c, struct str name, const struct ec2_tag_specification_list *tags)
{
	static const struct ec2_type *const taggable[] = {&ec2_type_key_pair};
	struct ec2_rec_key_pair k;
	TRY(ec2_specified_only(c, tags, taggable, 1));
	if (str_empty(name) || str_empty(str_trim(name)))
		return call_fail(c, EC2_ERR_MISSING_PARAMETER, "The request must contain the parameter KeyName");
	if (name.n > 255)
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE,
			"Value (%.*s) for parameter KeyName is invalid. Length exceeds maximum of 255.", STR_ARG(name));
	for (size_t i = 0; i < name.n; i++)
		if ((unsigned char)name.p[i] < ' ' || (unsigned char)name.p[i] > '~')
			return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE,
				"Value (%.*s) for parameter KeyName is invalid. Character sets beyond ASCII are not "
				"supported.",
				STR_ARG(name));
	TRY(ec2_guard(ec2_here(c), STR("key-pair"), NULL));
	status s = lookup(c, name, &k);
	if (is_ok(s)) return call_fail(c, EC2_ERR_INVALID_KEY_PAIR_DUPLICATE, "The keypair already exists");
	return status_is(s, STATUS_NOT_FOUND) ? OK : s;
}

static status keep(struct call *c, struct ec2_rec_key_pair *k, const struct ssh_public *public, struct str fingerprint,
	const struct ec2_tag_specification_list *specs, struct ec2_tag_list *tags)
{
	k->key_pair_id = ec2_new_id(c->arena, ec2_type_key_pair.prefix);
	k->key_type = public->kind == SSH_RSA ? STR("rsa") : STR("ed25519");
	k->key_fingerprint = fingerprint;
	k->create_time = SOME_TIME(c->now_ms / 1000 * 1000);
	k->public_key = ssh_public_line(c->arena, public, k->key_name);
	ec2_put(ec2_here(c), &ec2_type_key_pair, k->key_pair_id, k);
	TRY(ec2_tags_specified(c, specs, &ec2_type_key_pair, k->key_pair_id));
	return ec2_tags_get(ec2_here(c), k->key_pair_id, tags);
}

status ec2_create_key_pair(
	struct call *c, const struct ec2_create_key_pair_input *in, struct ec2_create_key_pair_output *out)
{
	struct ec2_rec_key_pair k = {.key_name = in->key_name};
	TRY(check_new(c, in->key_name, &in->tag_specifications));
	enum ssh_kind kind = str_is(str_or(in->key_type, STR("rsa")), "ed25519") ? SSH_ED25519 : SSH_RSA;
	bool ppk = str_is(str_or(in->key_format, STR("pem")), "ppk");
	EVP_PKEY *key = ssh_private_new(kind);
	INVARIANT(key != NULL);
	struct ssh_public public = ssh_public_of(c->arena, key);
	status s = keep(c, &k, &public, ssh_private_fingerprint(c->arena, key), &in->tag_specifications, &out->tags);
	out->key_material = ppk ? ssh_private_ppk(c->arena, key, in->key_name) : ssh_private_pem(c->arena, key);
	EVP_PKEY_free(key);
	out->key_name = k.key_name;
	out->key_pair_id = k.key_pair_id;
	out->key_fingerprint = k.key_fingerprint;
	return s;
}

status ec2_import_key_pair(
	struct call *c, const struct ec2_import_key_pair_input *in, struct ec2_import_key_pair_output *out)
{
	struct ec2_rec_key_pair k = {.key_name = in->key_name};
	struct ssh_public public;
	TRY(check_new(c, in->key_name, &in->tag_specifications));
	if (!is_ok(ssh_public_read(c->arena, in->public_key_material, &public)))
		return call_fail(c, EC2_ERR_INVALID_KEY_FORMAT, "Key is not in valid OpenSSH public key format");
	if (public.kind == SSH_RSA && public.bits != 1024 && public.bits != 2048 && public.bits != 4096)
		return call_fail(c, EC2_ERR_INVALID_KEY_FORMAT,
			"Invalid RSA key length: %u. Supported lengths are 1024, 2048, and 4096.", public.bits);
	TRY(keep(c, &k, &public, ssh_public_fingerprint(c->arena, &public), &in->tag_specifications, &out->tags));
	out->key_name = k.key_name;
	out->key_pair_id = k.key_pair_id;
	out->key_fingerprint = k.key_fingerprint;
	return OK;
}

/* "If the specified key pair does not exist, DeleteKeyPair succeeds" (its examples). */
status ec2_delete_key_pair(
	struct call *c, const struct ec2_delete_key_pair_input *in, struct ec2_delete_key_pair_output *out)
{
	struct ec2_rec_key_pair k = {0};
	status s;
	if (str_has(in->key_pair_id)) {
		s = ec2_load(ec2_here(c), &ec2_type_key_pair, in->key_pair_id, &k);
	} else if (str_has(in->key_name)) {
		s = lookup(c, in->key_name, &k);
	} else {
		return call_fail(c, EC2_ERR_MISSING_PARAMETER, "Either keyName or keyPairId must be specified");
	}
	out->return_ = SOME_BOOL(true);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	ec2_drop(ec2_here(c), &ec2_type_key_pair, k.key_pair_id);
	out->key_pair_id = k.key_pair_id;
	return OK;
}

static status show_public(struct call *c, const struct ec2_item *item, void *out)
{
	const struct ec2_rec_key_pair *k = item->record;
	struct ec2_key_pair_info *info = out;
	(void)c;
	info->public_key = k->public_key;
	return OK;
}

status ec2_describe_key_pairs(
	struct call *c, const struct ec2_describe_key_pairs_input *in, struct ec2_describe_key_pairs_output *out)
{
	struct ec2_key_pair_id_string_list ids = {0};
	size_t capacity = 0;
	for (size_t i = 0; i < in->key_pair_ids.n; i++) *VEC_PUSH(c->arena, &ids, &capacity) = in->key_pair_ids.v[i];
	for (size_t i = 0; i < in->key_names.n; i++) {
		struct ec2_rec_key_pair k;
		TRY(ec2_key_find(c, in->key_names.v[i], &k));
		*VEC_PUSH(c->arena, &ids, &capacity) = k.key_pair_id;
	}
	return ec2_describe(c, &(struct ec2_describe){.type = &ec2_type_key_pair,
				       .ids = &ids,
				       .filters = &in->filters,
				       .out = &out->key_pairs,
				       .render = in->include_public_key.v ? show_public : NULL});
}
