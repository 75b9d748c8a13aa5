/* See dns.h: names that other services publish to VPCs' resolvers. */
#include "services/ec2/dns.h"

static struct str key_of(struct arena *a, struct str name)
{
	struct key k = key_for(a, STR("ec2"), STR("name"), STR(""), STR(""));
	key_str(&k, name);
	return key_done(&k);
}

void ec2_dns_publish(struct store_tx *tx, struct arena *a, struct str name, const struct str *addresses, size_t n)
{
	struct ec2_rec_published_name r = {.addresses = {arena_copy(a, addresses, n * sizeof(*addresses)), n}};
	store_put(tx, key_of(a, name), ec2_rec_published_name_encode(a, &r));
}

void ec2_dns_publish_one_of(
	struct store_tx *tx, struct arena *a, struct str name, const struct str *addresses, size_t n)
{
	struct ec2_rec_published_name r = {
		.addresses = {arena_copy(a, addresses, n * sizeof(*addresses)), n}, .one_of = SOME_BOOL(true)};
	store_put(tx, key_of(a, name), ec2_rec_published_name_encode(a, &r));
}

void ec2_dns_unpublish(struct store_tx *tx, struct arena *a, struct str name)
{
	store_delete(tx, key_of(a, name));
}

status ec2_dns_published(struct store_tx *tx, struct arena *a, struct str name, struct ec2_rec_published_name *out)
{
	struct str bytes;
	*out = (struct ec2_rec_published_name){0};
	TRY(store_get(tx, key_of(a, name), &bytes));
	return ec2_rec_published_name_decode(a, bytes, out);
}
