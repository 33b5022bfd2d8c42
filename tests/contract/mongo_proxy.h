/* A network between a test and its MongoDB server that does what networks do. One thread; a handful
 * of connections. The next update command that comes by suffers what was asked for, once. */
#ifndef LORRY_TESTS_MONGO_PROXY_H
#define LORRY_TESTS_MONGO_PROXY_H

#include <stdatomic.h>
#include <stdbool.h>

enum mongo_mishap {
    MISHAP_NONE,
    MISHAP_LOSE_ANSWER,  /* the server gets it; its answer never comes, the connection is cut */
    MISHAP_LOSE_REQUEST, /* the connection is cut before the server gets it */
    MISHAP_GHOST,        /* as before, but mongo_proxy_release sends it to the server after all */
    MISHAP_HOLE          /* from then on nothing comes through, and nobody is told */
};

struct mongo_proxy;
struct mongo_proxy *mongo_proxy_new(int server_port);
int mongo_proxy_port(const struct mongo_proxy *p);
void mongo_proxy_expect(struct mongo_proxy *p, enum mongo_mishap m);
bool mongo_proxy_happened(struct mongo_proxy *p); /* what was asked for has come to pass */
void mongo_proxy_release(struct mongo_proxy *p);  /* the ghost goes; returns when answered */
void mongo_proxy_mend(struct mongo_proxy *p);     /* no hole any longer: cut all, begin anew */
void mongo_proxy_free(struct mongo_proxy *p);

#endif
