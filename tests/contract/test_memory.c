/* The memory store: the contract, then its faults. */
#include "contract.h"

#include "adapters/memory/memory_store.h"
#include "base/err.h"

#include <stdlib.h>
#include <string.h>

static void *make(const struct store_collection *const *collections, int count) {
    (void)collections, (void)count;
    return memory_disk_new();
}

static struct store_source *source(void *data) {
    return memory_disk_source(data);
}

static void reopen(void *data) {
    (void)data; /* the disk stays as it is */
}

static void drop(void *data) {
    memory_disk_free(data);
}

static const struct store_collection things = {"things", {NULL}, false};

struct tally {
    int64_t commits, written, events, first_seq;
};

static void watch(void *arg, const struct memory_commit *commit) {
    struct tally *t = arg;
    t->commits++;
    for (int32_t i = 0; i < commit->count; i++)
        t->written += commit->changes[i].result == 0;
    t->events += commit->event_count;
    t->first_seq = commit->first_seq;
}

/* Each fault at its rate, none of it writes what it says it did not, and the seed decides. */
static uint64_t run_with_faults(uint64_t seed) {
    struct memory_disk *d = memory_disk_new();
    struct rng r;
    struct memory_store_faults faults = {.busy = 0.1,
                                         .io = 0.05,
                                         .conflict = 0.1,
                                         .unknown_committed = 0.1,
                                         .unknown_lost = 0.1,
                                         .read_busy = 0.2,
                                         .rng = &r};
    struct tally tally = {0};
    struct arena a;
    int64_t acked = 0, unknown_there = 0, unknown_gone = 0, by_code[16] = {0};
    uint64_t trace = 0;
    rng_seed(&r, seed);
    arena_init(&a, 4096);
    memory_disk_watch(d, watch, &tally);
    struct store *s = memory_disk_open(d, true, &faults),
                 *honest = memory_disk_open(d, false, NULL);
    for (int i = 0; i < 3000; i++) {
        struct event e = {STR("evt"), STR("t"), STR("k"), 1, STR_NONE, STR_NONE, STR("{}"), 0};
        struct store_doc doc;
        struct store_change c = {.collection = &things,
                                 .id = arena_printf(&a, "id%d", i),
                                 .state = STR("{}"),
                                 .events = &e,
                                 .event_count = 1};
        int whole = s->ops->commit(s, &c, 1, NULL, 0);
        bool there = honest->ops->get(honest, &things, c.id, &a, &doc) == 0;
        assert_true(whole == 0 || c.result == whole);
        if (whole == ERR_UNKNOWN)
            there ? unknown_there++ : unknown_gone++;
        else
            assert_true(there == (c.result == 0));
        acked += c.result == 0;
        by_code[-c.result]++;
        int read = s->ops->get(s, &things, c.id, &a, &doc);
        assert_true(read == ERR_BUSY || read == (there ? 0 : ERR_NOT_FOUND));
        trace = trace * 31 + (uint64_t)(int64_t)(c.result * 2 + read);
        arena_reset(&a);
    }
    assert_true(by_code[-ERR_BUSY] > 200 && by_code[-ERR_BUSY] < 400);
    assert_true(by_code[-ERR_IO] > 80 && by_code[-ERR_CONFLICT] > 150);
    assert_true(unknown_there > 100 && unknown_gone > 150);
    assert_int_equal(tally.written, acked + unknown_there); /* state change ⇔ outbox row */
    assert_int_equal(tally.events, tally.written);
    s->ops->close(s);
    honest->ops->close(honest);
    struct memory_disk_stats stats;
    memory_disk_stats(d, &stats);
    assert_int_equal(stats.documents, tally.written);
    assert_int_equal(stats.outbox_rows, tally.written);
    assert_int_equal(stats.next_seq, tally.events + 1);
    memory_disk_free(d);
    arena_free(&a);
    return trace;
}

static void faults(void **state) {
    (void)state;
    uint64_t one = run_with_faults(1);
    assert_true(run_with_faults(1) == one);
    assert_true(run_with_faults(2) != one);
}

int main(void) {
    const struct store_factory f = {"memory store", make, source, reopen, drop};
    const struct CMUnitTest own[] = {cmocka_unit_test(faults)};
    int failed = store_contract(&f);
    return failed + cmocka_run_group_tests_name("memory store's own", own, NULL, NULL);
}
