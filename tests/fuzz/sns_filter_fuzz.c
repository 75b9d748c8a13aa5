/* Filter policies that subscribers write, and messages that they are held against: the first byte says whether by the
 * body; then the policy, a line's end, the message. What the check accepts can be held against anything. */
#include "services/sns/room.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct arena a;
	static bool ready;
	if (!ready) arena_init(&a);
	ready = true;
	if (size < 1) return 0;
	bool body = data[0] & 1;
	struct str message = str_n((const char *)data + 1, size - 1), policy = str_cut(&message, '\n');
	struct call c = {.arena = &a, .now_ms = 1700000000000};
	if (is_ok(sns_filter_check(&c, policy, body))) {
		struct str text = str_or(message, STR("{}"));
		struct sns_rec_attribute attributes[] = {{STR("a"), STR("String"), text, STR_NONE},
			{STR("l"), STR("String.Array"), text, STR_NONE}, {STR("n"), STR("Number"), STR("5"), STR_NONE}};
		struct sns_rec_message m = {.body = text, .attributes = {attributes, 3}};
		bool passes = sns_filter_passes(&a, policy, body, &m);
		INVARIANT(passes == sns_filter_passes(&a, policy, body, &m));
		INVARIANT(sns_filter_passes(&a, STR("{}"), false, &m));
	}
	arena_reset(&a);
	return 0;
}
