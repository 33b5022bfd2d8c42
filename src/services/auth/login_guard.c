#include "services/auth/login_guard.h"
#include "services/auth/proofs.h"

#include "base/address.h"
#include "base/timestamp.h"

struct str guard_network(struct str peer, struct arena *a) {
    struct address at;
    char text[ADDRESS_TEXT_MAX];
    if (!address_parse(peer, &at))
        return peer;
    struct network holder = address_holder(&at);
    address_format(&holder.first, text);
    return arena_printf(a, address_is_v4(&at) ? "%s" : "%s/64", text);
}

static struct str address_key(struct call *c) {
    struct str network = guard_network(c->request.peer, &c->arena);
    return arena_printf(&c->arena, "failures:%.*s", STR_ARG(network));
}

/* KIND of one account as seen from C's address. */
static struct str place_key(struct call *c, const char *kind, struct str email_id) {
    struct str network = guard_network(c->request.peer, &c->arena);
    return arena_printf(&c->arena, "%s:%.*s@%.*s", kind, STR_ARG(email_id), STR_ARG(network));
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

/* Counts a try below KEY and returns true, unless MAX have been counted: then *RET_UNTIL_US says
 * until when. */
static bool take_try(struct auth_service *a, const struct call *c, struct str key, int32_t max,
                     struct str *ret_counted, int64_t *ret_until_us) {
    int64_t value, until_us;
    if (max == 0 ||
        a->cache->ops->add(a->cache, key, 1, LOGIN_WINDOW_US, c->now_us, &value, &until_us) < 0)
        return true;
    *ret_counted = key;
    if (value <= max)
        return true;
    *ret_until_us = until_us;
    return false;
}

/* Has the account's owner been given tokens at C's address lately? */
static bool is_at_home(struct auth_service *a, struct call *c, struct str email_id) {
    int64_t value;
    return a->cache->ops->get(a->cache, place_key(c, "home", email_id), c->now_us, &value) == 0;
}

void guard_login_undone(struct auth_service *a, struct call *c, const struct login_try *try) {
    if (try->from_here.p != NULL)
        give_back(a, c, try->from_here);
    if (try->from_anywhere.p != NULL)
        give_back(a, c, try->from_anywhere);
}

bool guard_login(struct auth_service *a, struct call *c, struct str email_id,
                 struct login_try *ret_try) {
    int64_t until_us = 0;
    *ret_try = (struct login_try){STR_NONE, STR_NONE};
    if (!address_may(a, c))
        return false;
    struct str everywhere = arena_printf(&c->arena, "login:%.*s", STR_ARG(email_id));
    if (take_try(a, c, place_key(c, "login", email_id), a->login_failures_max, &ret_try->from_here,
                 &until_us) &&
        (is_at_home(a, c, email_id) ||
         take_try(a, c, everywhere, a->account_failures_max, &ret_try->from_anywhere, &until_us)))
        return true;
    guard_login_undone(a, c, ret_try); /* before the refusal: with it the call is gone */
    a->logins[LOGIN_LIMITED]++;
    return refuse(c, PROBLEM_TOO_MANY_ATTEMPTS, "too many wrong passwords for this account",
                  until_us);
}

void guard_login_right(struct auth_service *a, struct call *c, const struct login_try *try) {
    a->logins[LOGIN_RIGHT]++;
    guard_login_undone(a, c, try);
}

void guard_home(struct auth_service *a, struct call *c, struct str email_id) {
    a->cache->ops->set(a->cache, place_key(c, "home", email_id), 1, HOME_US, c->now_us);
}

void guard_login_wrong(struct auth_service *a, struct call *c) {
    int64_t value, until_us;
    a->logins[LOGIN_WRONG]++;
    if (a->address_failures_max > 0)
        a->cache->ops->add(a->cache, address_key(c), 1, LOGIN_WINDOW_US, c->now_us, &value,
                           &until_us);
}

/* Counts one below KEY; false: replied 429. */
static bool within(struct auth_service *a, struct call *c, struct str key, int32_t max,
                   const char *what) {
    int64_t value, until_us;
    if (a->cache->ops->add(a->cache, key, 1, MAILS_WINDOW_US, c->now_us, &value, &until_us) < 0 ||
        value <= max)
        return true;
    return refuse(c, PROBLEM_TOO_MANY_REQUESTS, what, until_us);
}

bool guard_mail(struct auth_service *a, struct call *c, struct str whom) {
    struct str network = guard_network(c->request.peer, &c->arena);
    return within(a, c, arena_printf(&c->arena, "mails:%.*s", STR_ARG(network)),
                  MAILS_PER_ADDRESS_MAX, "too many mails were asked for from this address") &&
           within(a, c, arena_printf(&c->arena, "mail:%.*s", STR_ARG(whom)), MAILS_PER_ACCOUNT_MAX,
                  "too many mails were asked for");
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
