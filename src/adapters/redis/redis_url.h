/* The address of a Redis, taken apart. Pure; any thread. */
#ifndef LORRY_ADAPTERS_REDIS_URL_H
#define LORRY_ADAPTERS_REDIS_URL_H

#define REDIS_HOSTS_MAX 8
#define REDIS_HOST_MAX 256

struct redis_address {
    char host[REDIS_HOST_MAX]; /* name, number, or the path of a socket */
    int port;                  /* 0: a socket's path */
};
struct redis_url {
    struct redis_address hosts[REDIS_HOSTS_MAX]; /* the server, or the sentinels */
    int host_count;
    char master[64]; /* its name with the sentinels; "" without */
    char user[128], password[256];
    int db;
};
/* ERR_INVALID with a constant *RET_WHY. */
int redis_url_parse(const char *url, struct redis_url *ret, const char **ret_why);

#endif
