/* Addresses taken apart, and what is refused. */
#include "adapters/redis/redis_url.h"

#include "base/err.h"
#include "base/test.h"

#include <string.h>

static struct redis_url parse(const char *url) {
    struct redis_url u;
    const char *why = NULL;
    if (redis_url_parse(url, &u, &why) < 0)
        fail_msg("%s: %s", url, why);
    return u;
}

static void servers(void **state) {
    (void)state;
    struct redis_url u = parse("redis://localhost");
    assert_int_equal(u.host_count, 1);
    assert_string_equal(u.hosts[0].host, "localhost");
    assert_int_equal(u.hosts[0].port, 6379);
    assert_int_equal(u.db, 0);
    assert_string_equal(u.password, "");
    u = parse("redis://lorry:p%40ss%2F%3a@10.0.0.7:7000/3");
    assert_string_equal(u.hosts[0].host, "10.0.0.7");
    assert_int_equal(u.hosts[0].port, 7000);
    assert_string_equal(u.user, "lorry");
    assert_string_equal(u.password, "p@ss/:");
    assert_int_equal(u.db, 3);
    u = parse("redis://:secret@[::1]:7001/");
    assert_string_equal(u.hosts[0].host, "::1");
    assert_int_equal(u.hosts[0].port, 7001);
    assert_string_equal(u.user, "");
    assert_string_equal(u.password, "secret");
    u = parse("redis+unix://:secret@/run/redis/redis.sock?db=2");
    assert_string_equal(u.hosts[0].host, "/run/redis/redis.sock");
    assert_int_equal(u.hosts[0].port, 0);
    assert_string_equal(u.password, "secret");
    assert_int_equal(u.db, 2);
}

static void sentinels(void **state) {
    (void)state;
    struct redis_url u = parse("redis+sentinel://:pw@a,b:5000,[fe80::1]:5001/main/4");
    assert_int_equal(u.host_count, 3);
    assert_string_equal(u.hosts[0].host, "a");
    assert_int_equal(u.hosts[0].port, 26379);
    assert_int_equal(u.hosts[1].port, 5000);
    assert_string_equal(u.hosts[2].host, "fe80::1");
    assert_string_equal(u.master, "main");
    assert_int_equal(u.db, 4);
    assert_string_equal(u.password, "pw");
}

static void refused(void **state) {
    (void)state;
    static const char *const urls[] = {
        "",
        "localhost",
        "http://localhost",
        "redis://",
        "redis://:6379",
        "redis://a:0",
        "redis://a:65536",
        "redis://a:1x",
        "redis://a,b",
        "redis://a/x",
        "redis://a/-1",
        "redis://a/99999",
        "redis://u:%4@a",
        "redis://u:%zz@a",
        "redis://u:%00@a",
        "redis://[::1",
        "redis://[::1]7",
        "rediss://a",
        "redis+sentinel://a",
        "redis+sentinel://a,,b/m",
        "redis+sentinel://a,b,c,d,e,f,g,h,i/m",
        "redis+sentinel:///m",
        "redis+unix://relative",
        "redis+unix:///a?database=1",
    };
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        struct redis_url u;
        const char *why = NULL;
        memset(&u, 0x55, sizeof u);
        if (redis_url_parse(urls[i], &u, &why) != ERR_INVALID)
            fail_msg("%s was taken", urls[i]);
        assert_non_null(why);
        assert_int_equal(u.db, 0x55555555); /* untouched */
    }
    char longest[2000] = "redis://";
    memset(longest + 8, 'a', sizeof longest - 9);
    longest[sizeof longest - 1] = 0;
    struct redis_url u;
    const char *why = NULL;
    assert_int_equal(redis_url_parse(longest, &u, &why), ERR_INVALID);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(servers), cmocka_unit_test(sentinels),
                                       cmocka_unit_test(refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
