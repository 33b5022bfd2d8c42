/* amqp://user:password@host:port,host:port/vhost. User, password and vhost are percent-encoded. */
#include "adapters/amqp/internal.h"
#include "base/err.h"

#include <string.h>

#define PORT 5672
#define PORT_TLS 5671

/* NULL: an escape is broken, or hides a NUL. */
static const char *decoded(struct str s, struct arena *a) {
    char *out = arena_cstr(a, s);
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.p[i];
        if (c == '%') {
            int byte = str_percent(str_sub(s, i, 3));
            if (byte < 0)
                return NULL;
            c = (char)byte;
            i += 2;
        }
        if (c == '\0')
            return NULL;
        out[n++] = c;
    }
    out[n] = '\0';
    return out;
}

static struct str cut(struct str *rest, char at) {
    const char *end = rest->len > 0 ? memchr(rest->p, at, rest->len) : NULL;
    struct str head = end != NULL ? (struct str){rest->p, (size_t)(end - rest->p)} : *rest;
    size_t used = end != NULL ? head.len + 1 : head.len;
    *rest = (struct str){rest->p + used, rest->len - used};
    return head;
}

static int host_parse(struct str s, int port, struct arena *a, struct amqp_host *ret) {
    struct str name = s, port_text = STR_NONE;
    if (s.len > 0 && s.p[0] == '[') {
        struct str rest = str_sub(s, 1, s.len);
        name = cut(&rest, ']');
        if (name.len + 2 > s.len || (rest.len > 0 && rest.p[0] != ':'))
            return ERR_INVALID;
        if (rest.len > 0)
            port_text = str_sub(rest, 1, rest.len);
    } else if (memchr(s.p, ':', s.len) != NULL) {
        port_text = s;
        name = cut(&port_text, ':');
    }
    int64_t number = port;
    if (port_text.p != NULL && str_to_i64(port_text, &number) < 0)
        return ERR_INVALID;
    if (name.len == 0 || name.len > AMQP_NAME_MAX || number < 1 || number > 65535)
        return ERR_INVALID;
    *ret = (struct amqp_host){arena_cstr(a, name), (int)number};
    return 0;
}

static int refuse(const char *why, struct str *ret_why) {
    *ret_why = str_from(why);
    return ERR_INVALID;
}

static int login_parse(struct str login, struct arena *a, struct amqp_address *ret) {
    struct str password = login;
    struct str user = cut(&password, ':');
    ret->user = decoded(user, a);
    ret->password = decoded(password, a);
    return ret->user != NULL && ret->password != NULL && ret->user[0] != '\0' ? 0 : ERR_INVALID;
}

int uri_parse(const char *uri, struct arena *a, struct amqp_address *ret, struct str *ret_why) {
    struct amqp_address address = {.user = "guest", .password = "guest", .vhost = "/"};
    struct str rest = str_from(uri);
    address.tls = str_starts(rest, "amqps://");
    if (!address.tls && !str_starts(rest, "amqp://"))
        return refuse("must begin with amqp:// or amqps://", ret_why);
    rest = str_sub(rest, address.tls ? 8 : 7, rest.len);
    if (memchr(rest.p, '?', rest.len) != NULL || memchr(rest.p, '#', rest.len) != NULL)
        return refuse("may have no parameters", ret_why);
    struct str hosts = cut(&rest, '/');
    const char *at = memrchr(hosts.p, '@', hosts.len);
    if (at != NULL) {
        struct str login = {hosts.p, (size_t)(at - hosts.p)};
        hosts = str_sub(hosts, login.len + 1, hosts.len);
        if (login_parse(login, a, &address) < 0)
            return refuse("must name its user as user:password, percent-encoded", ret_why);
    }
    if (rest.len > 0)
        address.vhost = decoded(rest, a);
    if (address.vhost == NULL || strlen(address.vhost) > AMQP_NAME_MAX)
        return refuse("must have its virtual host percent-encoded", ret_why);
    for (bool more = true; more;) {
        more = hosts.len > 0 && memchr(hosts.p, ',', hosts.len) != NULL;
        if (address.host_count == AMQP_HOSTS_MAX)
            return refuse("may name at most 8 hosts", ret_why);
        if (host_parse(cut(&hosts, ','), address.tls ? PORT_TLS : PORT, a,
                       &address.hosts[address.host_count++]) < 0)
            return refuse("must name its hosts as host:port,host:port", ret_why);
    }
    *ret = address;
    return 0;
}
