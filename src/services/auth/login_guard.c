#include "services/auth/login_guard.h"

#include "base/timestamp.h"

#include <arpa/inet.h>
#include <string.h>

static struct str email_key(struct call *c, struct str email_id) {
    return arena_printf(&c->arena, "login:%.*s", STR_ARG(email_id));
}

struct str guard_network(struct str peer, struct arena *a) {
    static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
    char text[INET6_ADDRSTRLEN] = "";
    unsigned char b[16];
    if (peer.len >= sizeof(text))
        return peer;
    memcpy(text, peer.p, peer.len);
    if (inet_pton(AF_INET6, text, b) != 1 || memcmp(b, mapped, sizeof(mapped)) == 0)
        return peer;
    return arena_printf(a, "%02x%02x:%02x%02x:%02x%02x:%02x%02x::/64", b[0], b[1], b[2], b[3], b[4],
                        b[5], b[6], b[7]);
}

static struct str address_key(struct call *c) {
    struct str network = guard_network(c->request.peer, &c->arena);
    return arena_printf(&c->arena, "failures:%.*s", STR_ARG(network));
}

static int32_t seconds_until(int64_t at_us, int64_t now_us) {
    int64_t s = (at_us - now_us + US_PER_S - 1) / US_PER_S;
    return s < 1 ? 1 : (int32_t)s;
}

static bool refuse(struct call *c, enum problem p, const char *detail, int64_t until_us) {
    problem_fill_more(&c->response, &c->arena, c->request_id, p, str_from(detail), NULL, STR_NONE,
                      seconds_until(until_us, c->now_us));
    c->reply(c);
    return false;
}

static void give_back(struct auth_service *a, struct call *c, struct str key) {
    int64_t value, until_us;
    /* Where the window has ended meanwhile this opens a new one: it must not begin with a credit.
     */
    if (a->cache->ops->add(a->cache, key, -1, LOGIN_WINDOW_US, c->now_us, &value, &until_us) == 0 &&
        value < 0)
        a->cache->ops->drop(a->cache, key);
}

static bool address_may(struct auth_service *a, struct call *c) {
    int64_t value, until_us;
    struct str key = address_key(c);
    struct cache *cache = a->cache;
    if (a->address_failures_max == 0 || cache->ops->get(cache, key, c->now_us, &value) < 0 ||
        value < a->address_failures_max)
        return true;
    if (cache->ops->add(cache, key, 0, LOGIN_WINDOW_US, c->now_us, &value, &until_us) < 0)
        return true;
    a->logins[LOGIN_LIMITED]++;
    return refuse(c, PROBLEM_TOO_MANY_ATTEMPTS, "too many wrong passwords from this address",
                  until_us);
}

bool guard_login(struct auth_service *a, struct call *c, struct str email_id) {
    int64_t value, until_us;
    if (!address_may(a, c))
        return false;
    struct str key = email_key(c, email_id);
    if (a->login_failures_max == 0 ||
        a->cache->ops->add(a->cache, key, 1, LOGIN_WINDOW_US, c->now_us, &value, &until_us) < 0 ||
        value <= a->login_failures_max)
        return true;
    give_back(a, c, key);
    a->logins[LOGIN_LIMITED]++;
    return refuse(c, PROBLEM_TOO_MANY_ATTEMPTS, "too many wrong passwords for this account",
                  until_us);
}

void guard_login_undone(struct auth_service *a, struct call *c, struct str email_id) {
    if (a->login_failures_max > 0)
        give_back(a, c, email_key(c, email_id));
}

void guard_login_right(struct auth_service *a, struct call *c, struct str email_id) {
    a->logins[LOGIN_RIGHT]++;
    guard_login_undone(a, c, email_id);
}

void guard_login_wrong(struct auth_service *a, struct call *c) {
    int64_t value, until_us;
    a->logins[LOGIN_WRONG]++;
    if (a->address_failures_max > 0)
        a->cache->ops->add(a->cache, address_key(c), 1, LOGIN_WINDOW_US, c->now_us, &value,
                           &until_us);
}

bool guard_register(struct auth_service *a, struct call *c) {
    int64_t value, until_us;
    struct str network = guard_network(c->request.peer, &c->arena);
    struct str key = arena_printf(&c->arena, "registers:%.*s", STR_ARG(network));
    if (a->registers_per_hour_max == 0 ||
        a->cache->ops->add(a->cache, key, 1, REGISTER_WINDOW_US, c->now_us, &value, &until_us) <
            0 ||
        value <= a->registers_per_hour_max)
        return true;
    return refuse(c, PROBLEM_TOO_MANY_REQUESTS, "too many registrations from this address",
                  until_us);
}
