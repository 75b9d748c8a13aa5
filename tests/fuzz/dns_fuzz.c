/* DNS questions as a VPC's resolver gets them: read, and answered as if the name did not exist. */
#include "services/ec2/dns_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a;
	struct dns_question q;
	struct dns_answer r[2] = {{DNS_A, 60, STR("abcd")}, {DNS_PTR, 60, STR("ip-10-0-0-1.ec2.internal")}};
	struct dns_answers answers = {r, 2};
	arena_init(&a);
	status s = dns_read(&a, str_n(data, size), &q);
	if (!status_is(s, STATUS_INVALID)) {
		struct str out = dns_write(&a, &q, is_ok(s) ? DNS_OK : DNS_FORMAT_ERROR, &answers);
		INVARIANT(out.n >= 12 && out.n <= 512);
		struct dns_question again;
		INVARIANT(status_is(dns_read(&a, out, &again), STATUS_INVALID)); /* an answer is no question */
	}
	arena_cleanup(&a);
	return 0;
}
