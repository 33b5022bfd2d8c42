/* The Redis adapter on a real server: the contracts of the ports, and what its header says of
 * addresses and packs.
 */
#include "contract.h"
#include "redis_replica.h"
#include "redis_server.h"

#include "base/err.h"
#include "base/timestamp.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REPLICAS_MAX 512

/* The contract's factories have no argument: the server and what was made lie here. */
static struct redis_server server;
static struct replica replicas[REPLICAS_MAX];
static int replica_count;

static struct replica *replica_next(const char *prefix, int32_t entries_max, bool signals) {
    assert_true(replica_count < REPLICAS_MAX);
    struct replica *r = &replicas[replica_count++];
    replica_make(r, server.url, prefix, entries_max, signals);
    return r;
}

static struct replica *replica_of(const void *port) {
    for (int i = replica_count - 1; i >= 0; i--) /* addresses of closed ones come again */
        if (replicas[i].cache == port || replicas[i].signals == port)
            return &replicas[i];
    fail_msg("nobody's port");
    return NULL;
}

static struct cache *make_cache(int32_t entries_max) {
    struct replica *r = replica_next(NULL, entries_max, false);
    replica_start(r);
    return r->cache;
}

static struct cache *join_cache(struct cache *first) {
    struct replica *r = replica_next(replica_of(first)->prefix, 1000, false);
    replica_start(r);
    return r->cache;
}

static struct signals *make_signals(void) {
    return replica_next(NULL, 0, true)->signals;
}

static struct signals *join_signals(struct signals *first) {
    return replica_next(replica_of(first)->prefix, 0, true)->signals;
}

static void start_signals(struct signals *s) {
    replica_start(replica_of(s));
}

/* ---- */

static void use(const char *url, const char *prefix) {
    struct replica r;
    int64_t value = 0;
    replica_make(&r, url, prefix, 100, true);
    replica_start(&r);
    assert_int_equal(r.cache->ops->set(r.cache, STR("k"), 7, 60 * US_PER_S, clock_wall_us()), 0);
    assert_int_equal(r.cache->ops->get(r.cache, STR("k"), clock_wall_us(), &value), 0);
    replica_close(&r); /* what was under way is delivered first */
}

static void addresses(void **state) {
    (void)state;
    struct redis_server locked;
    char url[160];
    redis_server_init(&locked, false, "requirepass s:c/t");
    redis_server_start(&locked);
    snprintf(url, sizeof url, "redis://:s%%3ac%%2ft@127.0.0.1:%d/2", locked.port);
    use(url, "here:");
    snprintf(url, sizeof url, "redis://default:s%%3ac%%2ft@localhost:%d", locked.port);
    use(url, NULL);
    snprintf(url, sizeof url, "redis+unix://:s%%3ac%%2ft@%s/socket?db=3", locked.folder);
    use(url, NULL);
    redisContext *c = redisConnect("127.0.0.1", locked.port);
    freeReplyObject(redisCommand(c, "AUTH %s", "s:c/t"));
    freeReplyObject(redisCommand(c, "SELECT 2"));
    redisReply *reply = redisCommand(c, "HGET here:k:k v");
    assert_string_equal(reply->str, "7");
    freeReplyObject(reply);
    redisFree(c);
    /* the wrong password: no reason to end, every reason to say so */
    struct replica r;
    struct redis_stats stats;
    snprintf(url, sizeof url, "redis://:wrong@127.0.0.1:%d", locked.port);
    replica_make(&r, url, NULL, 100, false);
    assert_int_equal(redis_start(r.redis), 0);
    assert_false(redis_wait_ready(r.redis, 300000));
    redis_stats(r.redis, &stats);
    assert_false(stats.connected);
    assert_true(stats.failures > 0);
    replica_close(&r);
    redis_server_free(&locked);
}

/* The rights that docs/operations.md names are all that it takes. */
static void least_rights(void **state) {
    (void)state;
    struct redis_server strict;
    struct replica a, b;
    char url[160];
    redis_server_init(&strict, false,
                      "user default off\nuser lorry on >pw ~lorry:* &lorry:* +select +role "
                      "+script|load +evalsha +scan +get +set +hset +hget +hmget +hincrby +del "
                      "+pexpire +pttl +publish +subscribe");
    redis_server_start(&strict);
    snprintf(url, sizeof url, "redis://lorry:pw@127.0.0.1:%d/1", strict.port);
    replica_make(&a, url, "lorry:", 100, true);
    replica_start(&a);
    int64_t value = 0, expires_us, now_us = clock_wall_us();
    a.cache->ops->add(a.cache, STR("k"), 1, US_PER_DAY, now_us, &value, &expires_us);
    a.cache->ops->drop(a.cache, STR("d"));
    a.signals->ops->signal(a.signals, "t", "x", 1);
    replica_make(&b, url, "lorry:", 100, true);
    replica_start(&b);
    while (b.cache->ops->get(b.cache, STR("k"), clock_wall_us(), &value) < 0 &&
           clock_wall_us() - now_us < 10 * US_PER_S)
        usleep(1000);
    assert_int_equal(value, 1);
    struct redis_stats stats;
    redis_stats(a.redis, &stats);
    assert_int_equal(stats.failures, 0);
    struct buf out;
    buf_init(&out, NULL, 1024);
    a.cache->ops->metrics(a.cache, &out);
    buf_add_char(&out, '\0');
    assert_non_null(strstr(out.p, "\nlorry_cache_connected 1\n"));
    assert_non_null(strstr(out.p, "\nlorry_cache_ready 1\n"));
    assert_non_null(strstr(out.p, "\nlorry_signals_sent_total 1\n"));
    buf_free(&out);
    replica_close(&a);
    replica_close(&b);
    redis_server_free(&strict);
}

static void options_are_checked(void **state) {
    (void)state;
    struct redis *r = NULL;
    const char *why = NULL;
    assert_int_equal(
        redis_new(&(struct redis_options){.url = "redis://a", .prefix = "a*"}, &r, &why),
        ERR_INVALID);
    assert_non_null(why);
    assert_int_equal(redis_new(&(struct redis_options){.url = NULL}, &r, &why), ERR_INVALID);
    assert_null(r);
}

static long long publishes(void) {
    redisReply *r = redis_server_do(&server, "INFO commandstats");
    const char *at = strstr(r->str, "cmdstat_publish:calls=");
    long long n = at ? strtoll(at + 22, NULL, 10) : 0;
    freeReplyObject(r);
    return n;
}

static void count(void *arg, struct str topic, const void *data, size_t len) {
    (void)topic, (void)data, (void)len;
    ++*(int32_t *)arg;
}

/* Positions come by the thousands a second. */
static void signals_travel_in_packs(void **state) {
    (void)state;
    struct replica a, b;
    int32_t heard = 0;
    char position[96] = {0};
    replica_make(&a, server.url, NULL, 0, true);
    replica_make(&b, server.url, a.prefix, 0, true);
    b.signals->ops->listen(b.signals, "position", count, &heard);
    replica_start(&a);
    replica_start(&b);
    const long long before = publishes();
    const int64_t since_us = clock_mono_us();
    for (int i = 0; i < 20000; i++) {
        a.signals->ops->signal(a.signals, "position", position, sizeof position);
        if (i % 100 == 0)
            usleep(1000);
    }
    const int64_t signalled_us = clock_mono_us() - since_us;
    while (heard < 20000 && clock_mono_us() - since_us < 20 * US_PER_S) {
        b.signals->ops->poll(b.signals, clock_wall_us());
        usleep(500);
    }
    assert_int_equal(heard, 20000);
    const long long calls = publishes() - before;
    print_message("20000 signals in %.0f ms went out in %lld packs\n", (double)signalled_us / 1000,
                  calls);
    assert_true(calls < 5000);
    replica_close(&a);
    replica_close(&b);
}

int main(void) {
    if (!redis_server_installed())
        return 77; /* skipped */
    const struct cache_factory cache = {"redis cache", make_cache, redis_cache_count, REDIS_KEY_MAX,
                                        join_cache};
    const struct signals_factory signals = {"redis signals", make_signals, join_signals,
                                            start_signals};
    const struct CMUnitTest own[] = {cmocka_unit_test(addresses), cmocka_unit_test(least_rights),
                                     cmocka_unit_test(options_are_checked),
                                     cmocka_unit_test(signals_travel_in_packs)};
    redis_server_init(&server, false, NULL);
    redis_server_start(&server);
    int failed = cache_contract(&cache) + signals_contract(&signals) +
                 cmocka_run_group_tests_name("redis's own", own, NULL, NULL);
    if (failed == 0)
        for (int i = 0; i < replica_count; i++) /* the suites have closed the ports */
            redis_free(replicas[i].redis);
    redis_server_free(&server);
    return failed;
}
