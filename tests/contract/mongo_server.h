/* A MongoDB server for a test, the first there is of: the one that LORRY_TEST_MONGODB_URI names, a
 * mongod on PATH, a stand-in from Maven (tests/contract/mongo). The last two are the test's own, on
 * 127.0.0.1 and a free port, with their data in a temporary folder, and gone with the test. */
#ifndef LORRY_TESTS_MONGO_SERVER_H
#define LORRY_TESTS_MONGO_SERVER_H

#include <stdbool.h>
#include <sys/types.h>

#define MONGO_URI_MAX 512

struct mongo_server {
    char uri[MONGO_URI_MAX];
    const char *what; /* for people */
    bool ours;        /* may be killed */
    bool stand_in;
    char dir[96];
    int port;
    pid_t pid; /* 0: not running, or not ours */
};

/* False: there is none, and *RET_WHY says why. */
bool mongo_server_find(struct mongo_server *s, const char **ret_why);
/* Of one that is ours. */
void mongo_server_kill(struct mongo_server *s);  /* SIGKILL */
void mongo_server_start(struct mongo_server *s); /* on the same port, with the same data */
void mongo_server_freeze(struct mongo_server *s, bool frozen);
void mongo_server_remove(struct mongo_server *s);

#endif
