/* The broker's URL: what operators write, and what they should not have written. */
#include "adapters/amqp/internal.h"
#include "base/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct arena arena;

static struct amqp_address good(const char *uri) {
    struct amqp_address a;
    struct str why = STR_NONE;
    if (uri_parse(uri, &arena, &a, &why) < 0)
        fail_msg("%s: %.*s", uri, STR_ARG(why));
    return a;
}

static void bad(const char *uri) {
    struct amqp_address a;
    struct str why = STR_NONE;
    if (uri_parse(uri, &arena, &a, &why) != ERR_INVALID)
        fail_msg("%s was taken", uri);
    assert_true(why.len > 0);
    assert_null(memmem(why.p, why.len, "secret", 6));
}

static void parts(void **state) {
    (void)state;
    struct amqp_address a = good("amqp://lorry:s%40cr%2fet@r1:5673,r2,[::1]:5674,[fe80::2]/a%2Fb");
    assert_string_equal(a.user, "lorry");
    assert_string_equal(a.password, "s@cr/et");
    assert_string_equal(a.vhost, "a/b");
    assert_int_equal(a.host_count, 4);
    assert_string_equal(a.hosts[0].name, "r1");
    assert_int_equal(a.hosts[0].port, 5673);
    assert_string_equal(a.hosts[1].name, "r2");
    assert_int_equal(a.hosts[1].port, 5672);
    assert_string_equal(a.hosts[2].name, "::1");
    assert_int_equal(a.hosts[2].port, 5674);
    assert_string_equal(a.hosts[3].name, "fe80::2");
    assert_int_equal(a.hosts[3].port, 5672);
    assert_false(a.tls);
}

static void what_is_left_out(void **state) {
    (void)state;
    struct amqp_address a = good("amqp://rabbit");
    assert_string_equal(a.user, "guest");
    assert_string_equal(a.vhost, "/");
    a = good("amqps://u:p:with:colons@rabbit/");
    assert_true(a.tls);
    assert_int_equal(a.hosts[0].port, 5671);
    assert_string_equal(a.password, "p:with:colons");
    assert_string_equal(a.vhost, "/");
    a = good("amqp://u@rabbit/v"); /* a user without a password has an empty one */
    assert_string_equal(a.password, "");
    a = good("amqp://u:p@ss@rabbit"); /* the last @ counts */
    assert_string_equal(a.password, "p@ss");
}

static void what_is_refused(void **state) {
    (void)state;
    static const char *const uris[] = {
        "",
        "amqp",
        "amqp:/rabbit",
        "http://rabbit",
        "amqp://",
        "amqp:///v",
        "amqp://u:secret@",
        "amqp://u:secret@/v",
        "amqp://:secret@rabbit",
        "amqp://u:secret%@rabbit",
        "amqp://u:secret%4@rabbit",
        "amqp://u:secret%4g@rabbit",
        "amqp://u:secret%00@rabbit",
        "amqp://u:secret@rabbit/%",
        "amqp://u:secret@rabbit?heartbeat=1",
        "amqp://u:secret@rabbit:0",
        "amqp://u:secret@rabbit:65536",
        "amqp://u:secret@rabbit:",
        "amqp://u:secret@rabbit:x",
        "amqp://u:secret@rabbit:-1",
        "amqp://u:secret@a,,b",
        "amqp://u:secret@a,",
        "amqp://u:secret@[::1",
        "amqp://u:secret@[::1]5672",
        "amqp://u:secret@[]:5672",
        "amqp://u:secret@::1",
        "amqp://u:secret@1,2,3,4,5,6,7,8,9",
    };
    for (size_t i = 0; i < sizeof(uris) / sizeof(uris[0]); i++)
        bad(uris[i]);
    char longest[600] = "amqp://";
    memset(longest + 7, 'a', 300);
    bad(longest);
    snprintf(longest, sizeof(longest), "amqp://h/");
    memset(longest + 9, 'v', 300);
    bad(longest);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(parts), cmocka_unit_test(what_is_left_out),
                                       cmocka_unit_test(what_is_refused)};
    arena_init(&arena, 4096);
    int failed = cmocka_run_group_tests_name("amqp uri", tests, NULL, NULL);
    arena_free(&arena);
    return failed;
}
