/* What virga itself serves inside VPCs: the resolver (the VPC's range plus two, 169.254.169.253) and AWS's services at
 * their endpoints. Sockets live in the VPC's namespaces; the host agent hands them over. Any thread. */
#pragma once
#include "services/ec2/dns_message.h"
#include "services/ec2/network.h"

struct cloud;
struct ec2_dns;
/* Opens what a VPC that stands needs and has not yet; called after each of its intents was applied. */
void ec2_dns_serve(struct cloud *cloud, struct ec2_place at, struct str vpc);
/* Closes what is open for a VPC; for all where vpc is STR_NONE. */
void ec2_dns_forget(struct cloud *cloud, struct str vpc);
/* Whose namespace (edge_netns) that is; account "" for the internet's, endpoint "" for a VPC's gateway endpoints. */
struct ec2_dns_place {
	struct str account, region, vpc, endpoint;
};
bool ec2_dns_whose(struct cloud *cloud, struct arena *a, uint64_t netns, struct ec2_dns_place *out);
struct ec2_dns *ec2_dns_start(struct cloud *cloud);
void ec2_dns_stop(struct ec2_dns *d);

/* ── dns_name.c ── */
/* What a VPC's resolver answers: a DNS_… code; answers may stay empty (the name is there, not of this type). */
status ec2_dns_answer(struct ec2_place at, const struct ec2_rec_vpc *vpc, const struct dns_question *q,
	struct dns_answers *out, unsigned *code) MUST_USE;

/* ── dns_published.c ── names of other services' endpoints (a database, a load balancer), lower case, under
 * .amazonaws.com. Every VPC's resolver answers them from the next question on: as on AWS, where such names are in the
 * public DNS also when their addresses are private. Within a transaction. */
void ec2_dns_publish(struct store_tx *tx, struct arena *a, struct str name, const struct str *addresses, size_t n);
/* Each question is answered by one of them, drawn by lot: where clients would all take the same of several. */
void ec2_dns_publish_one_of(
	struct store_tx *tx, struct arena *a, struct str name, const struct str *addresses, size_t n);
void ec2_dns_unpublish(struct store_tx *tx, struct arena *a, struct str name);
/* NOT_FOUND. */
status ec2_dns_published(
	struct store_tx *tx, struct arena *a, struct str name, struct ec2_rec_published_name *out) MUST_USE;
