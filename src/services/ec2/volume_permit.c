/* May the caller use the KMS key of a volume or snapshot? Everything that encrypts or decrypts is done for the caller,
 * by way of EC2 ("Requirements for Amazon EBS encryption", the EBS guide; "How Amazon EBS uses AWS KMS", KMS's). AWS
 * asks KMS while it works, not when it answers: so these find it out when the caller asks, and the jobs let what was
 * asked for fail. */
#include "services/ec2/volume.h"
#include "services/kms/blob.h"

bool ec2_key_may(struct call *c, struct str key_arn, struct str id, unsigned uses)
{
	static const enum kms_act acts[] = {KMS_ACT_MAKE, KMS_ACT_READ, KMS_ACT_GRANT};
	struct kms_pair context = {STR("aws:ebs:id"), id};
	struct str why;
	for (unsigned i = 0; i < sizeof(acts) / sizeof(acts[0]); i++)
		if (uses >> i & 1 && !kms_use_may(c, STR("ec2"), acts[i], key_arn, &context, 1, &why)) return false;
	return true;
}

bool ec2_volume_key_may(struct call *c, const struct ec2_rec_volume *v, unsigned uses)
{
	return !v->encrypted.v || ec2_key_may(c, v->kms_key_id, v->data_key_id, uses);
}

status ec2_instance_keys_ask(struct call *c, struct ec2_rec_instance *i)
{
	i->key_refused = (struct opt_bool){0};
	for (size_t k = 0; k < i->volumes.n; k++) {
		struct ec2_rec_volume v;
		status s = ec2_load(ec2_here(c), &ec2_type_volume, i->volumes.v[k].id, &v);
		if (status_is(s, STATUS_NOT_FOUND)) continue;
		TRY(s);
		if (!ec2_volume_key_may(c, &v, EC2_KEY_GRANT)) i->key_refused = SOME_BOOL(true);
	}
	return OK;
}
