/* A real PostgreSQL server of one's own for a test: made by initdb in a temporary folder, on
 * 127.0.0.1 and a free port, with fsync on, and gone with the test. As root it runs as the user
 * "postgres", since PostgreSQL refuses root. Fails the test, with the reason, when it cannot. */
#ifndef LORRY_TESTS_POSTGRES_SERVER_H
#define LORRY_TESTS_POSTGRES_SERVER_H

#include <stdbool.h>
#include <sys/types.h>

#define POSTGRES_URI_MAX 192

struct postgres_server {
    char dir[96];
    int port;
    pid_t pid; /* of the postmaster; 0: not running */
};

/* Is Debian's PostgreSQL 15 installed? */
bool postgres_server_installed(void);
/* DIR NULL: a temporary folder of its own. EXTRA: lines for postgresql.conf. */
void postgres_server_make(struct postgres_server *s, const char *dir, const char *extra);
/* A standby of PRIMARY, which runs; it follows it by streaming replication once it is started. */
void postgres_server_clone(struct postgres_server *s, const struct postgres_server *primary);
void postgres_server_start(struct postgres_server *s); /* returns when it takes connections */
void postgres_server_kill(struct postgres_server *s);  /* as by a power cut: no checkpoint */
void postgres_server_stop(struct postgres_server *s);  /* in good order */
void postgres_server_freeze(struct postgres_server *s, bool frozen); /* SIGSTOP, SIGCONT: all */
void postgres_server_remove(struct postgres_server *s);              /* stopped and deleted */
void postgres_server_uri(const struct postgres_server *s, const char *db,
                         char out[POSTGRES_URI_MAX]);
/* One statement as the superuser; the first column of its first row, or "". */
void postgres_server_sql(const struct postgres_server *s, const char *db, const char *sql,
                         char out[256]);
void postgres_server_do(const struct postgres_server *s, const char *db, const char *sql);
/* Runs one of the server's programs as its user; the test fails if it does. */
void postgres_server_run(const char *const argv[]);

#endif
