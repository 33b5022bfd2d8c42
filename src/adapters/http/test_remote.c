/* Who the other end is: connections counted by address, and clients behind trusted proxies. */
#include "adapters/http/test_support.h"

#include "base/check.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct site site;

static void start(int32_t per_address_max, const char *proxies) {
    static struct network list[NETWORKS_MAX];
    memset(&site, 0, sizeof site);
    struct http_options o = app_options(&site.app, 2);
    o.limits.connections_per_address_max = per_address_max;
    if (proxies != NULL) {
        o.proxies = list;
        o.proxy_count = networks_parse(str_from(proxies), list);
    }
    site.server = server_start(&site.app, &o, &site.port);
}

static void served(struct client *c) {
    struct answer a;
    client_get(c, "/echo", &a);
    assert_int_equal(a.status, 200);
}

static size_t holders(void) {
    pthread_mutex_lock(&site.server->remotes.lock);
    size_t count = site.server->remotes.by_holder.count;
    pthread_mutex_unlock(&site.server->remotes.lock);
    return count;
}

static void an_address_has_so_many_connections(void **state) {
    (void)state;
    start(3, NULL);
    struct client c[4];
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 3; i++) {
            c[i] = client_connect(site.port);
            served(&c[i]);
        }
        c[3] = client_connect(site.port);
        assert_true(client_ended(&c[3]));
        client_close(&c[3]);
        struct client other = client_connect_from(2, site.port);
        served(&other); /* it has its own */
        client_close(&other);
        for (int i = 0; i < 3; i++)
            client_close(&c[i]);
        EVENTUALLY(n.connections_open == 0 && (int)n.connections_refused == round + 1);
        assert_int_equal(holders(), 0);
    }
    site_stop(&site);
}

/* Sockets count as long as they live, and all of an IPv6 /64 as one. */
static void what_counts_as_one(void **state) {
    (void)state;
    struct http_server s = {.options.limits.connections_per_address_max = 2};
    remotes_init(&s.remotes);
    struct sockaddr_in6 from = {.sin6_family = AF_INET6};
    struct remote peer[4];
    static const char *const one[] = {"2001:db8::1", "2001:db8::2", "2001:db8::3"};
    for (int i = 0; i < 3; i++) {
        inet_pton(AF_INET6, one[i], &from.sin6_addr);
        assert_int_equal(remote_enter(&s, (struct sockaddr *)&from, &peer[i]), i < 2);
    }
    inet_pton(AF_INET6, "2001:db8:0:1::1", &from.sin6_addr);
    assert_true(remote_enter(&s, (struct sockaddr *)&from, &peer[3]));
    remote_leave(&s, &peer[0]);
    inet_pton(AF_INET6, "2001:db8::9", &from.sin6_addr);
    assert_true(remote_enter(&s, (struct sockaddr *)&from, &peer[2]));
    for (int i = 1; i < 4; i++)
        remote_leave(&s, &peer[i]);
    remotes_free(&s.remotes);
}

/* What a request from 127.0.0.LAST with HEADERS is said to come from. */
static void assert_peer(unsigned last, const char *headers, const char *want) {
    static char text[20000];
    struct answer a;
    struct client c = client_connect_from(last, site.port);
    snprintf(text, sizeof text, "GET /peer HTTP/1.1\r\nHost: a\r\n%s\r\n", headers);
    client_send_text(&c, text);
    assert_true(client_answer(&c, false, &a));
    assert_int_equal(a.status, 200);
    assert_string_equal(a.body, want);
    client_close(&c);
}
#define FORWARDED "X-Forwarded-For: "

static void a_trusted_proxy_says_who_it_is(void **state) {
    (void)state;
    start(1, "127.0.0.9,10.0.0.0/8,2001:db8::/32");
    static const struct {
        const char *list, *client;
    } cases[] = {
        {"", "127.0.0.9"}, /* its own request */
        {FORWARDED "192.0.2.7\r\n", "192.0.2.7"},
        {FORWARDED "  192.0.2.7\t \r\n", "192.0.2.7"},
        {FORWARDED "192.0.2.7:4711\r\n", "192.0.2.7"},
        {FORWARDED "2001:db9::7\r\n", "2001:db9::7"},
        {FORWARDED "[2001:db9::7]:4711\r\n", "2001:db9::7"},
        {FORWARDED "::ffff:192.0.2.7\r\n", "192.0.2.7"},
        /* what the client claimed himself stands before */
        {FORWARDED "203.0.113.1, 192.0.2.7\r\n", "192.0.2.7"},
        {FORWARDED "10.1.1.1, 192.0.2.7\r\n", "192.0.2.7"},
        /* through several proxies, in one line or in several */
        {FORWARDED "203.0.113.1,192.0.2.7,10.0.0.1, 2001:db8::5\r\n", "192.0.2.7"},
        {FORWARDED "203.0.113.1, 192.0.2.7\r\n" FORWARDED "10.0.0.1\r\n", "192.0.2.7"},
        {"x-forwarded-for: 203.0.113.1\r\nX-FORWARDED-FOR: 192.0.2.7\r\n", "192.0.2.7"},
        {FORWARDED "10.0.0.2, 10.0.0.1\r\n", "10.0.0.2"}, /* proxies all the way */
        /* garbage ends it: the last who is certain */
        {FORWARDED "unknown\r\n", "127.0.0.9"},
        {FORWARDED "192.0.2.7, _secret, 10.0.0.1\r\n", "10.0.0.1"},
        {FORWARDED "192.0.2.7,\r\n", "127.0.0.9"},
        {FORWARDED ",,,,\r\n", "127.0.0.9"},
        {FORWARDED "[192.0.2.7\r\n", "127.0.0.9"},
        {FORWARDED "[]\r\n", "127.0.0.9"},
        {FORWARDED ":\r\n", "127.0.0.9"},
        {FORWARDED "1.2.3.4.5\r\n", "127.0.0.9"},
        {FORWARDED "\xff\xfe\r\n", "127.0.0.9"},
        {"Forwarded: for=192.0.2.7\r\nX-Real-IP: 192.0.2.8\r\n", "127.0.0.9"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_peer(9, cases[i].list, cases[i].client);
    /* Who is not trusted says nothing of others. */
    assert_peer(8, FORWARDED "192.0.2.7\r\n", "127.0.0.8");
    EVENTUALLY(n.connections_open == 0); /* he may have one at a time */
    assert_peer(8, FORWARDED "127.0.0.9\r\n", "127.0.0.8");
    /* A proxy's connections are not counted. */
    struct client c[3];
    for (int i = 0; i < 3; i++) {
        c[i] = client_connect_from(9, site.port);
        served(&c[i]);
    }
    for (int i = 0; i < 3; i++)
        client_close(&c[i]);
    site_stop(&site);
}

/* Ten thousand bytes of header cost no more than a few addresses. */
static void long_lists(void **state) {
    (void)state;
    start(0, "127.0.0.9,10.0.0.0/8");
    static char list[10240];
    char *end = list + sprintf(list, FORWARDED "192.0.2.7");
    while (end - list < 10000)
        end += sprintf(end, ",10.0.0.%d", (int)(end - list) % 250);
    memcpy(end, ",10.9.9.9\r\n", 12);
    char want[32] = "";
    assert_peer(8, list, "127.0.0.8");
    /* The sixteenth from the end is as far as anybody looks. */
    const char *at = end + 10;
    for (int i = 0; i < 16; i++) {
        do
            at--;
        while (*at != ',');
    }
    snprintf(want, sizeof want, "%.*s", (int)strcspn(at + 1, ",\r"), at + 1);
    assert_peer(9, list, want);
    end = list + sprintf(list, FORWARDED);
    memset(end, ',', 10000);
    memcpy(end + 10000, "192.0.2.7\r\n", 12);
    assert_peer(9, list, "192.0.2.7");
    memset(end, 'a', 10000);
    assert_peer(9, list, "127.0.0.9");
    site_stop(&site);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_has_so_many_connections),
        cmocka_unit_test(what_counts_as_one),
        cmocka_unit_test(a_trusted_proxy_says_who_it_is),
        cmocka_unit_test(long_lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
