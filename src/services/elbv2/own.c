/* How many errors a node has answered itself, by code (HTTPCode_ELB_500_Count and its like): HAProxy's statistics count
 * by hundreds only. Each thread of the process counts in variables of its own, so that no two of them add at once. */
#include "services/elbv2/node.h"
#include <unistd.h>

const int elbv2_own_codes[ELBV2_OWN_CODES] = {500, 502, 503, 504};

/* HAProxy starts as many as there are processors, and at most 64. */
static long threads(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);
	return n < 1 ? 1 : n > 64 ? 64 : n;
}

void elbv2_own_global(struct buf *b)
{
	for (size_t i = 0; i < ELBV2_OWN_CODES; i++)
		for (long t = 0; t < threads(); t++)
			buf_fmt(b, "\tset-var proc.own%d_%ld int(0)\n", elbv2_own_codes[i], t);
}

/* The last of a frontend's rules for what leaves it. txn.own: a target has said it. */
void elbv2_own_rules(struct buf *b)
{
	buf_lit(b, "\thttp-after-response allow if !{ status 500:504 } || { var(txn.own) -m found }\n");
	for (size_t i = 0; i < ELBV2_OWN_CODES; i++)
		for (long t = 0; t < threads(); t++)
			buf_fmt(b,
				"\thttp-after-response set-var(proc.own%d_%ld) var(proc.own%d_%ld),add(1) if { status "
				"%d } { thread %ld }\n",
				elbv2_own_codes[i], t, elbv2_own_codes[i], t, elbv2_own_codes[i], t);
}

/* "proc.own502_0: type=sint value=<3>" */
void elbv2_own_read(struct arena *a, const struct elbv2_socket *s, int64_t counts[static ELBV2_OWN_CODES])
{
	struct buf command = BUF_IN(a);
	struct str said;
	memset(counts, 0, ELBV2_OWN_CODES * sizeof(*counts));
	for (size_t i = 0; i < ELBV2_OWN_CODES; i++)
		for (long t = 0; t < threads(); t++)
			buf_fmt(&command, "%sget var proc.own%d_%ld", command.n ? ";" : "", elbv2_own_codes[i], t);
	if (!is_ok(elbv2_ask(a, s, buf_done(&command), &said))) return;
	while (str_has(said)) {
		struct str line = str_cut(&said, '\n'), name = str_cut(&line, '_');
		ptrdiff_t from = str_chr(line, '<'), to = str_chr(line, '>');
		int64_t n;
		if (from < 0 || to < from ||
			!is_ok(str_to_i64(str_sub(line, (size_t)from + 1, (size_t)(to - from) - 1), &n)))
			continue;
		for (size_t i = 0; i < ELBV2_OWN_CODES; i++)
			if (str_eq(name, str_fmt(a, "proc.own%d", elbv2_own_codes[i]))) counts[i] += n;
	}
}
