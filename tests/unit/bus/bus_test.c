/* Internal events: who is called, in which order. */
#include "../store/folder.h"
#include "bus/bus.h"

static char calls[32];
static void add(const char *z) { strcat(calls, z); }
static void on_any(void *ctx, enum bus_phase phase, struct store_tx *tx, const struct bus_event *e)
{
	CHECK(ctx == calls && (phase == BUS_COMMITTING) == (tx != NULL) && e->detail != NULL);
	add("*");
}
static void on_made(void *ctx, enum bus_phase phase, struct store_tx *tx, const struct bus_event *e)
{
	(void)ctx, (void)phase, (void)e;
	add("m");
	if (tx) store_put(tx, STR("\x02seen"), STR("x"));
}

TEST(publishes_to_subscribers)
{
	struct arena a;
	char dir[PATH_MAX];
	arena_init(&a);
	struct store *s = folder_open(folder_make(dir), DURABILITY_NONE);
	struct bus *b = bus_new();
	CHECK(!bus_wants(b, BUS_DONE, "made"));
	bus_subscribe(b, BUS_DONE, "made", on_made, NULL);
	bus_subscribe(b, BUS_COMMITTING, "made", on_made, NULL);
	CHECK(bus_wants(b, BUS_DONE, "made") && !bus_wants(b, BUS_DONE, "call"));
	bus_subscribe(b, BUS_DONE, NULL, on_any, calls);
	CHECK(bus_wants(b, BUS_DONE, "call") && !bus_wants(b, BUS_COMMITTING, "call"));
	struct bus_event made = {.kind = "made", .detail = s}, call = {.kind = "call", .detail = s};
	bus_publish(b, BUS_DONE, NULL, &made);
	bus_publish(b, BUS_DONE, NULL, &call);
	CHECK_STR(str_c(calls), STR("m**"));
	struct store_tx *tx = store_begin(s, &a, false);
	struct str v;
	bus_publish(b, BUS_COMMITTING, tx, &made);
	bus_publish(b, BUS_COMMITTING, tx, &call);
	CHECK_STR(str_c(calls), STR("m**m"));
	CHECK_OK(store_get(tx, STR("\x02seen"), &v));
	store_end(tx);
	bus_free(b);
	store_close(s);
	folder_remove(dir);
	arena_cleanup(&a);
}

TEST_MAIN()
