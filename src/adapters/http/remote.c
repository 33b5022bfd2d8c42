/* The other ends: how many connections each address has, and who is meant where a proxy stands
 * between.
 *
 * The counts are the server's, for all threads, behind one lock that is taken twice in the life of
 * a connection. An entry lives while it has connections, so there are never more than those.
 */
#include "adapters/http/internal.h"

#include "base/check.h"

#include <stdlib.h>
#include <string.h>

#define HOPS_MAX 16 /* proxies behind one another that are looked through */

struct remote_count {
    int32_t connections;
    struct network holder; /* its bytes are the key */
};

static struct str key_of(const struct network *holder) {
    return (struct str){(const char *)holder->first.b, ADDRESS_BYTES};
}

void remotes_init(struct remotes *p) {
    CHECK(pthread_mutex_init(&p->lock, NULL) == 0);
    map_init(&p->by_holder);
}

void remotes_free(struct remotes *p) {
    CHECK(p->by_holder.count == 0);
    map_free(&p->by_holder);
    pthread_mutex_destroy(&p->lock);
}

static struct address address_of(const struct sockaddr *from) {
    struct address a = {{0}};
    if (from->sa_family == AF_INET6) {
        memcpy(a.b, &((const struct sockaddr_in6 *)(const void *)from)->sin6_addr, ADDRESS_BYTES);
    } else if (from->sa_family == AF_INET) {
        a.b[10] = a.b[11] = 0xff;
        memcpy(a.b + 12, &((const struct sockaddr_in *)(const void *)from)->sin_addr, 4);
    }
    return a;
}

static struct remote_count *count_in(struct remotes *p, const struct address *a, int32_t most) {
    struct network holder = address_holder(a);
    pthread_mutex_lock(&p->lock);
    struct remote_count *count = map_get(&p->by_holder, key_of(&holder));
    if (count == NULL) {
        count = xcalloc(1, sizeof *count);
        count->holder = holder;
        map_put(&p->by_holder, key_of(&count->holder), count);
    }
    bool room = count->connections < most;
    count->connections += room;
    pthread_mutex_unlock(&p->lock);
    return room ? count : NULL;
}

bool remote_enter(struct http_server *s, const struct sockaddr *from, struct remote *ret_remote) {
    const struct http_options *o = &s->options;
    *ret_remote = (struct remote){.address = address_of(from)};
    ret_remote->is_proxy = networks_have(o->proxies, o->proxy_count, &ret_remote->address);
    if (ret_remote->is_proxy || o->limits.connections_per_address_max == 0)
        return true;
    ret_remote->count =
        count_in(&s->remotes, &ret_remote->address, o->limits.connections_per_address_max);
    return ret_remote->count != NULL;
}

void remote_leave(struct http_server *s, struct remote *peer) {
    struct remote_count *count = peer->count;
    if (count == NULL)
        return;
    peer->count = NULL;
    pthread_mutex_lock(&s->remotes.lock);
    if (--count->connections == 0) {
        map_remove(&s->remotes.by_holder, key_of(&count->holder));
        free(count);
    }
    pthread_mutex_unlock(&s->remotes.lock);
}

/* ---- X-Forwarded-For ---- */

/* Cuts the last item off LIST. */
static struct str last_item(struct str *list) {
    size_t begin = list->len;
    while (begin > 0 && list->p[begin - 1] != ',')
        begin--;
    struct str item = str_sub(*list, begin, SIZE_MAX);
    list->len = begin > 0 ? begin - 1 : 0;
    while (item.len > 0 && (item.p[0] == ' ' || item.p[0] == '\t'))
        item = str_sub(item, 1, SIZE_MAX);
    while (item.len > 0 && (item.p[item.len - 1] == ' ' || item.p[item.len - 1] == '\t'))
        item.len--;
    return item;
}

/* 192.0.2.1, 192.0.2.1:4711, 2001:db8::1 or [2001:db8::1]:4711: what follows the address is of no
 * use here. */
static bool item_address(struct str item, struct address *ret_address) {
    if (item.len == 0)
        return false;
    if (item.p[0] == '[') {
        const char *end = memchr(item.p, ']', item.len);
        return end != NULL &&
               address_parse(str_sub(item, 1, (size_t)(end - item.p) - 1), ret_address);
    }
    const char *colon = memchr(item.p, ':', item.len);
    bool one =
        colon != NULL && memchr(colon + 1, ':', item.len - (size_t)(colon + 1 - item.p)) == NULL;
    return address_parse(one ? str_sub(item, 0, (size_t)(colon - item.p)) : item, ret_address);
}

/* Each proxy writes at the end of the list whom it has heard from. So from the end: those who are
 * trusted are looked through, and the first who is not is the client. What stands before him he may
 * have written himself. */
static bool look_through(const struct http_options *o, struct str list, int32_t *hops,
                         struct address *client) {
    struct address a;
    while (list.len > 0 && ++*hops <= HOPS_MAX && item_address(last_item(&list), &a)) {
        *client = a;
        if (!networks_have(o->proxies, o->proxy_count, &a))
            return false;
        if (list.len == 0)
            return true;
    }
    return false;
}

struct str remote_client(const struct http_options *o, const struct remote *peer, struct call *c) {
    struct address client = peer->address;
    int32_t hops = 0;
    for (int32_t i = c->request.header_count - 1; i >= 0; i--) {
        const struct header *h = &c->request.headers[i];
        if (str_is(h->name, "x-forwarded-for") && !look_through(o, h->value, &hops, &client))
            break;
    }
    char text[ADDRESS_TEXT_MAX];
    address_format(&client, text);
    return arena_str(&c->arena, str_from(text));
}
