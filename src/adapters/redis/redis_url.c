#include "adapters/redis/redis_url.h"

#include "base/err.h"
#include "base/str.h"

#include <string.h>

#define PORT_SERVER 6379
#define PORT_SENTINEL 26379
#define DB_MAX 1023

static bool copy(char *to, size_t cap, struct str s) {
    if (s.len >= cap || memchr(s.p, 0, s.len))
        return false;
    memcpy(to, s.p, s.len);
    to[s.len] = '\0';
    return true;
}

/* Takes %XX out. False: not valid, or too long. */
static bool decode(char *to, size_t cap, struct str s) {
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.p[i];
        if (c == '%') {
            int byte = str_percent(str_sub(s, i, 3));
            if (byte < 0)
                return false;
            c = (char)byte;
            i += 2;
        }
        if (n + 1 >= cap || c == '\0')
            return false;
        to[n++] = c;
    }
    to[n] = '\0';
    return true;
}

/* What stands before the first C goes to *HEAD, the rest without C stays. False: there is no C. */
static bool cut(struct str *s, char c, struct str *head) {
    const char *at = s->len > 0 ? memchr(s->p, c, s->len) : NULL;
    if (!at)
        return false;
    *head = (struct str){s->p, (size_t)(at - s->p)};
    *s = str_sub(*s, head->len + 1, s->len);
    return true;
}

static bool skip(struct str *s, const char *prefix) {
    if (!str_starts(*s, prefix))
        return false;
    *s = str_sub(*s, strlen(prefix), s->len);
    return true;
}

static bool number(struct str s, int64_t min, int64_t max, int *ret) {
    int64_t n;
    if (str_to_i64(s, &n) < 0 || n < min || n > max)
        return false;
    *ret = (int)n;
    return true;
}

/* USER:PASSWORD@ or PASSWORD@, if it is there. */
static bool credentials(struct str *s, struct redis_url *u) {
    struct str both, user;
    const char *at = s->len > 0 ? memrchr(s->p, '@', s->len) : NULL;
    if (!at)
        return true;
    both = (struct str){s->p, (size_t)(at - s->p)};
    *s = str_sub(*s, both.len + 1, s->len);
    if (!cut(&both, ':', &user))
        user = STR("");
    return decode(u->user, sizeof u->user, user) && decode(u->password, sizeof u->password, both);
}

static bool host(struct str s, int default_port, struct redis_address *a) {
    struct str name;
    a->port = default_port;
    if (skip(&s, "[")) { /* [::1]:6379 */
        if (!cut(&s, ']', &name) || (s.len > 0 && !skip(&s, ":")))
            return false;
    } else if (!cut(&s, ':', &name)) {
        name = s;
        s = STR("");
    }
    return name.len > 0 && copy(a->host, sizeof a->host, name) &&
           (s.len == 0 || number(s, 1, 65535, &a->port));
}

static bool hosts(struct str s, int default_port, int max, struct redis_url *u) {
    struct str one;
    do {
        struct str rest = s;
        if (cut(&rest, ',', &one))
            s = rest;
        else
            one = s, s = STR_NONE;
        if (u->host_count == max || !host(one, default_port, &u->hosts[u->host_count]))
            return false;
        u->host_count++;
    } while (s.p);
    return true;
}

static const char *parse_socket(struct str s, struct redis_url *u) {
    struct str path;
    if (!credentials(&s, u))
        return "its user or password cannot be read; special characters are written as %XX";
    if (!cut(&s, '?', &path))
        path = s, s = STR("db=0");
    if (!skip(&s, "db=") || !number(s, 0, DB_MAX, &u->db))
        return "after the \"?\" it takes db=N only";
    u->host_count = 1;
    if (path.len < 2 || path.p[0] != '/' || !copy(u->hosts[0].host, REDIS_HOST_MAX, path))
        return "it names no socket: redis+unix:///path/of/socket";
    return NULL;
}

static const char *parse_hosts(struct str s, bool sentinels, struct redis_url *u) {
    struct str names, master;
    if (!credentials(&s, u))
        return "its user or password cannot be read; special characters are written as %XX";
    if (!cut(&s, '/', &names))
        names = s, s = STR("");
    if (!hosts(names, sentinels ? PORT_SENTINEL : PORT_SERVER, sentinels ? REDIS_HOSTS_MAX : 1, u))
        return sentinels ? "it does not name 1 to 8 sentinels as HOST:PORT,HOST:PORT"
                         : "it does not name one server as HOST or HOST:PORT";
    if (sentinels) {
        if (!cut(&s, '/', &master))
            master = s, s = STR("");
        if (master.len == 0 || !copy(u->master, sizeof u->master, master))
            return "it does not name the master: redis+sentinel://HOST:PORT/MASTER";
    }
    if (s.len > 0 && !number(s, 0, DB_MAX, &u->db))
        return "what stands after the last \"/\" is no number of a database";
    return NULL;
}

int redis_url_parse(const char *url, struct redis_url *ret, const char **ret_why) {
    struct redis_url u = {0};
    struct str s = str_from(url ? url : "");
    const char *why;
    if (skip(&s, "redis://"))
        why = parse_hosts(s, false, &u);
    else if (skip(&s, "redis+sentinel://"))
        why = parse_hosts(s, true, &u);
    else if (skip(&s, "redis+unix://"))
        why = parse_socket(s, &u);
    else if (str_starts(s, "rediss://"))
        why = "rediss:// needs a hiredis with TLS, which Debian 12 does not have";
    else
        why = "it begins with none of redis://, redis+sentinel:// and redis+unix://";
    if (why) {
        *ret_why = why;
        return ERR_INVALID;
    }
    *ret = u;
    return 0;
}
