#include "postgres_server.h"

#include "base/check.h"
#include "base/timestamp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <libpq-fe.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define BIN "/usr/lib/postgresql/15/bin/"
#define ARGS_MAX 24
#define START_MAX_US (60 * US_PER_S)

bool postgres_server_installed(void) {
    return access(BIN "postgres", X_OK) == 0 && access(BIN "initdb", X_OK) == 0;
}

/* Whom the server runs as; NULL: whoever we are. */
static const struct passwd *other_user(void) {
    if (geteuid() != 0)
        return NULL;
    // cppcheck-suppress getpwnamCalled ; one thread, before all others
    const struct passwd *user = getpwnam("postgres");
    if (!user)
        fail_msg("there is no user \"postgres\" to run the server as");
    return user;
}

/* In the child: becomes the server's user, and ends with its parent. */
static void become(const struct passwd *user, const char *log) {
    if (user && (setgid(user->pw_gid) < 0 || setuid(user->pw_uid) < 0))
        _exit(126);
    prctl(PR_SET_PDEATHSIG, SIGQUIT);
    int fd = log ? open(log, O_WRONLY | O_CREAT | O_APPEND, 0600) : open("/dev/null", O_WRONLY);
    if (fd >= 0) {
        dup2(fd, 1);
        dup2(fd, 2);
    }
    signal(SIGPIPE, SIG_DFL);
    setenv("LC_ALL", "C.UTF-8", 1);
    if (chdir("/") < 0)
        _exit(126);
}

void postgres_server_run(const char *const argv[]) {
    /* By its path in argv[0], too: initdb looks for its companions there, or in PATH. */
    char path[128];
    const char *whole[ARGS_MAX + 1] = {path};
    const struct passwd *user = other_user();
    snprintf(path, sizeof path, BIN "%s", argv[0]);
    for (int i = 1; argv[i]; i++) {
        assert_true(i < ARGS_MAX);
        whole[i] = argv[i];
    }
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        become(user, NULL);
        execv(path, (char *const *)(uintptr_t)whole);
        _exit(127);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fail_msg("%s failed (status %d)", argv[0], status);
}

static int free_port(void) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0 && bind(fd, (struct sockaddr *)&a, len) == 0 &&
                getsockname(fd, (struct sockaddr *)&a, &len) == 0);
    close(fd);
    return ntohs(a.sin_port);
}

static void make_folder(struct postgres_server *s, const char *dir) {
    const struct passwd *user = other_user();
    const char *tmp = getenv("TMPDIR");
    if (dir)
        snprintf(s->dir, sizeof s->dir, "%s", dir);
    else
        snprintf(s->dir, sizeof s->dir, "%s/lorry-pg-XXXXXX", tmp ? tmp : "/tmp");
    if (!dir)
        assert_non_null(mkdtemp(s->dir));
    assert_int_equal(chmod(s->dir, 0700), 0);
    if (user)
        assert_int_equal(chown(s->dir, user->pw_uid, user->pw_gid), 0);
}

void postgres_server_make(struct postgres_server *s, const char *dir, const char *extra) {
    char data[128], conf[160];
    *s = (struct postgres_server){.port = free_port()};
    make_folder(s, dir);
    snprintf(data, sizeof data, "%s/data", s->dir);
    postgres_server_run((const char *[]){"initdb", "-D", data, "-U", "lorry", "-A", "trust", "-E",
                                         "UTF8", "--locale=C.UTF-8", "--no-sync", NULL});
    snprintf(conf, sizeof conf, "%s/postgresql.conf", data);
    FILE *f = fopen(conf, "a");
    assert_non_null(f);
    fprintf(f,
            "\nlisten_addresses = '127.0.0.1'\nport = %d\nunix_socket_directories = '%s'\n"
            "shared_buffers = 32MB\nmax_connections = 60\nmax_wal_size = 256MB\nfsync = on\n"
            "wal_level = replica\nmax_wal_senders = 4\nlog_min_messages = warning\n%s\n",
            s->port, s->dir, extra ? extra : "");
    fclose(f);
    snprintf(conf, sizeof conf, "%s/pg_hba.conf", data); /* all are trusted but one */
    f = fopen(conf, "w");
    assert_non_null(f);
    fprintf(f, "host all walter 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\n"
               "host replication all 127.0.0.1/32 trust\nlocal all all trust\n");
    fclose(f);
}

void postgres_server_clone(struct postgres_server *s, const struct postgres_server *primary) {
    char data[128], conf[160], port[16];
    *s = (struct postgres_server){.port = free_port()};
    make_folder(s, NULL);
    snprintf(data, sizeof data, "%s/data", s->dir);
    snprintf(port, sizeof port, "%d", primary->port);
    postgres_server_run((const char *[]){"pg_basebackup", "-h", "127.0.0.1", "-p", port, "-U",
                                         "lorry", "-D", data, "-R", "-X", "stream", "-c", "fast",
                                         "--no-sync", NULL});
    snprintf(conf, sizeof conf, "%s/postgresql.conf", data);
    FILE *f = fopen(conf, "a");
    assert_non_null(f);
    fprintf(f, "\nport = %d\nunix_socket_directories = '%s'\n", s->port, s->dir);
    fclose(f);
}

static bool answers(const struct postgres_server *s) {
    char uri[POSTGRES_URI_MAX];
    postgres_server_uri(s, "postgres", uri);
    return PQping(uri) == PQPING_OK;
}

void postgres_server_start(struct postgres_server *s) {
    char data[128], log[128];
    const struct passwd *user = other_user();
    snprintf(data, sizeof data, "%s/data", s->dir);
    snprintf(log, sizeof log, "%s/log", s->dir);
    fflush(NULL);
    s->pid = fork();
    if (s->pid == 0) {
        become(user, log);
        execl(BIN "postgres", BIN "postgres", "-D", data, (char *)NULL);
        _exit(127);
    }
    int64_t until_us = clock_mono_us() + START_MAX_US;
    while (!answers(s)) {
        if (waitpid(s->pid, NULL, WNOHANG) == s->pid || clock_mono_us() > until_us)
            fail_msg("the server did not start: see %s", log);
        usleep(20000);
    }
}

static void end(struct postgres_server *s, int signal_number) {
    if (s->pid <= 0)
        return;
    kill(s->pid, signal_number);
    while (waitpid(s->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    s->pid = 0;
}

void postgres_server_kill(struct postgres_server *s) {
    end(s, SIGQUIT); /* "immediate": its children go at once, nothing is written any more */
}

void postgres_server_stop(struct postgres_server *s) {
    end(s, SIGINT);
}

/* The postmaster is the parent of all the others. */
void postgres_server_freeze(struct postgres_server *s, bool frozen) {
    char path[64];
    int child;
    int signal_number = frozen ? SIGSTOP : SIGCONT;
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)s->pid, (int)s->pid);
    if (frozen)
        kill(s->pid, signal_number); /* first, so that it makes no more of them */
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    while (fscanf(f, "%d", &child) == 1)
        kill(child, signal_number);
    fclose(f);
    if (!frozen)
        kill(s->pid, signal_number);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw) {
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

void postgres_server_remove(struct postgres_server *s) {
    postgres_server_kill(s);
    nftw(s->dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

void postgres_server_uri(const struct postgres_server *s, const char *db,
                         char out[POSTGRES_URI_MAX]) {
    snprintf(out, POSTGRES_URI_MAX, "postgresql://lorry@127.0.0.1:%d/%s", s->port, db);
}

void postgres_server_sql(const struct postgres_server *s, const char *db, const char *sql,
                         char out[256]) {
    char uri[POSTGRES_URI_MAX];
    postgres_server_uri(s, db, uri);
    PGconn *c = PQconnectdb(uri);
    if (PQstatus(c) != CONNECTION_OK)
        fail_msg("%s", PQerrorMessage(c));
    PGresult *r = PQexec(c, sql);
    ExecStatusType status = PQresultStatus(r);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
        fail_msg("%s: %s", sql, PQerrorMessage(c));
    snprintf(out, 256, "%s", PQntuples(r) ? PQgetvalue(r, 0, 0) : "");
    PQclear(r);
    PQfinish(c);
}

void postgres_server_do(const struct postgres_server *s, const char *db, const char *sql) {
    char out[256];
    postgres_server_sql(s, db, sql, out);
}
