/* Addresses and networks of them. */
#include "base/address.h"
#include "base/err.h"
#include "base/test.h"

#include <string.h>

static struct address address(const char *text) {
    struct address a;
    assert_true(address_parse(str_from(text), &a));
    return a;
}

static void addresses_are_read_and_written(void **state) {
    (void)state;
    static const char *const pairs[][2] = {{"127.0.0.1", "127.0.0.1"},
                                           {"::ffff:192.0.2.7", "192.0.2.7"},
                                           {"::1", "::1"},
                                           {"2001:DB8:0::1", "2001:db8::1"}};
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        char text[ADDRESS_TEXT_MAX];
        struct address a = address(pairs[i][0]);
        address_format(&a, text);
        assert_string_equal(text, pairs[i][1]);
    }
    static const char *const bad[] = {"",
                                      "1.2.3",
                                      "1.2.3.256",
                                      "01.2.3.4",
                                      "1.2.3.4 ",
                                      "1.2.3.4:80",
                                      "[::1]",
                                      "fe80::1%eth0",
                                      "localhost",
                                      "1:2:3:4:5:6:7:8:9",
                                      "0000000000000000000000000000000000000000000000000001"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct address a;
        assert_false(address_parse(str_from(bad[i]), &a));
    }
    struct address a;
    assert_false(address_parse((struct str){"1.2.3.4\0x", 9}, &a));
}

static void who_shares_limits(void **state) {
    (void)state;
    static const struct {
        const char *one, *other;
        bool same;
    } pairs[] = {{"192.0.2.7", "::ffff:192.0.2.7", true},
                 {"192.0.2.7", "192.0.2.8", false},
                 {"2001:db8:1:2::3", "2001:db8:1:2:ffff:ffff:ffff:ffff", true},
                 {"2001:db8:1:2::3", "2001:db8:1:3::3", false}};
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        struct address one = address(pairs[i].one), other = address(pairs[i].other);
        struct network holder = address_holder(&one);
        assert_true(network_has(&holder, &one));
        assert_int_equal(network_has(&holder, &other), pairs[i].same);
    }
}

static void networks(void **state) {
    (void)state;
    struct network list[NETWORKS_MAX];
    int32_t n = networks_parse(STR("10.0.0.0/8 , 192.0.2.1,2001:db8::/33"), list);
    assert_int_equal(n, 3);
    static const char *const in[] = {"10.255.0.1", "::ffff:10.0.0.1", "192.0.2.1",
                                     "2001:db8:7fff::1"};
    static const char *const out[] = {"11.0.0.0", "192.0.2.2", "2001:db8:8000::1", "::10.0.0.1"};
    for (size_t i = 0; i < sizeof in / sizeof in[0]; i++) {
        struct address a = address(in[i]), b = address(out[i]);
        assert_true(networks_have(list, n, &a));
        assert_false(networks_have(list, n, &b));
    }
    assert_int_equal(networks_parse(STR("0.0.0.0/0"), list), 1); /* of IPv4, all */
    struct address four = address("8.8.8.8"), six = address("::1");
    assert_true(network_has(&list[0], &four) && !network_has(&list[0], &six));
    static const char *const bad[] = {
        "",       ",",           "10.0.0.0/33", "10.0.0.1/8",   "10.0.0.0/",   "10.0.0.0/-1",
        "::/129", "10.0.0.0/8,", "a",           "10.0.0.0/8/8", "10.0.0.0/+8", "10.0.0.0/0008"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(networks_parse(str_from(bad[i]), list), ERR_INVALID);
    char many[NETWORKS_MAX * 8 + 16] = "127.0.0.1";
    for (int i = 1; i < NETWORKS_MAX; i++)
        strcat(many, ",::1");
    assert_int_equal(networks_parse(str_from(many), list), NETWORKS_MAX);
    assert_int_equal(networks_parse(str_from(strcat(many, ",::1")), list), ERR_INVALID);
}

static void test_public(void **state) {
    (void)state;
    static const char *const good[] = {
        "8.8.8.8",         "1.1.1.1",           "172.15.255.255",  "172.32.0.0",     "100.63.0.1",
        "9.9.9.9",         "193.0.0.1",         "223.255.255.255", "11.0.0.1",       "198.20.0.1",
        "2606:4700::1111", "2a00:1450:4001::1", "::ffff:8.8.8.8",  "2001:4860::8888"};
    static const char *const bad[] = {"0.0.0.0",
                                      "0.1.2.3",
                                      "10.0.0.1",
                                      "10.255.255.255",
                                      "127.0.0.1",
                                      "127.255.0.1",
                                      "169.254.169.254",
                                      "172.16.0.1",
                                      "172.31.255.255",
                                      "192.168.0.1",
                                      "100.64.0.1",
                                      "100.127.255.255",
                                      "192.0.0.8",
                                      "192.0.2.1",
                                      "198.18.0.1",
                                      "198.19.255.255",
                                      "198.51.100.1",
                                      "203.0.113.1",
                                      "224.0.0.1",
                                      "255.255.255.255",
                                      "240.0.0.1",
                                      "168.63.129.16",
                                      "::",
                                      "::1",
                                      "::ffff:127.0.0.1",
                                      "::ffff:10.0.0.1",
                                      "::ffff:169.254.169.254",
                                      "::127.0.0.1",
                                      "64:ff9b::7f00:1",
                                      "64:ff9b:1::1",
                                      "100::1",
                                      "2001::1",
                                      "2001:db8::1",
                                      "2002:7f00:1::",
                                      "2002:a00:1::1",
                                      "fc00::1",
                                      "fd00:ec2::254",
                                      "fe80::1",
                                      "fec0::1",
                                      "ff02::1",
                                      "4000::1"};
    struct address a;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(address_parse(str_from(good[i]), &a));
        if (!address_is_public(&a))
            fail_msg("%s is public", good[i]);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_true(address_parse(str_from(bad[i]), &a));
        if (address_is_public(&a))
            fail_msg("%s is not public", bad[i]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_public), cmocka_unit_test(addresses_are_read_and_written),
        cmocka_unit_test(who_shares_limits), cmocka_unit_test(networks)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
