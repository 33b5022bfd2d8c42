#include "mongo_server.h"

#include "base/timestamp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define START_PATIENCE_US (30 * US_PER_S)

static char why_not[256];

/* Below those that the kernel gives to whoever connects: a client that tries again and again while
 * the server is away could be given the server's own port, and be connected to itself. */
static int free_port(void) {
    int port = 0;
    for (int tries = 0; port == 0; tries++) {
        int number =
            12000 + (int)(((unsigned)getpid() * 7919u + (unsigned)tries * 104729u) % 18000u);
        struct sockaddr_in a = {.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)number),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_true(fd >= 0 && tries < 1000);
        if (bind(fd, (struct sockaddr *)&a, sizeof a) == 0)
            port = number;
        close(fd);
    }
    return port;
}

static bool takes_connections(int port) {
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((uint16_t)port),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool ok = connect(fd, (struct sockaddr *)&a, sizeof a) == 0;
    close(fd);
    return ok;
}

static bool on_path(const char *program) {
    char command[64];
    snprintf(command, sizeof command, "command -v %s >/dev/null", program);
    return system(command) == 0; // NOLINT(cert-env33-c): a constant
}

/* The stand-in's folder is made once for a build folder; Meson names both. */
static bool have_stand_in(void) {
    const char *script = getenv("LORRY_TEST_MONGO_STAND_IN"), *dir = getenv("LORRY_TEST_MONGO_DIR");
    char command[512];
    if (!script || !dir) {
        snprintf(why_not, sizeof why_not, "no LORRY_TEST_MONGODB_URI, no mongod on PATH");
        return false;
    }
    snprintf(command, sizeof command, "'%s' '%s'", script, dir);
    FILE *p = popen(command, "r"); // NOLINT(cert-env33-c): our own script
    assert_non_null(p);
    int n = snprintf(why_not, sizeof why_not, "no LORRY_TEST_MONGODB_URI, no mongod on PATH, ");
    size_t more = fread(why_not + n, 1, sizeof why_not - (size_t)n - 1, p);
    why_not[(size_t)n + more] = 0;
    why_not[strcspn(why_not, "\n")] = 0;
    return pclose(p) == 0;
}

static void become(struct mongo_server *s) {
    char port[16], path[128], classes[512];
    const char *dir = getenv("LORRY_TEST_MONGO_DIR");
    int null = open("/dev/null", O_RDWR);
    dup2(null, 0);
    dup2(null, 1);
    dup2(null, 2);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    snprintf(port, sizeof port, "%d", s->port);
    if (s->stand_in) {
        snprintf(path, sizeof path, "%s/data", s->dir);
        snprintf(classes, sizeof classes, "%s:%s/lib/*", dir, dir);
        execlp("java", "java", "-Xmx512m", "-XX:TieredStopAtLevel=1", "-cp", classes, "StandIn",
               port, path, (char *)NULL);
    } else {
        execlp("mongod", "mongod", "--dbpath", s->dir, "--port", port, "--bind_ip", "127.0.0.1",
               "--nounixsocket", (char *)NULL);
    }
    _exit(127);
}

void mongo_server_start(struct mongo_server *s) {
    int64_t until_us = clock_mono_us() + START_PATIENCE_US;
    fflush(NULL);
    s->pid = fork();
    assert_true(s->pid >= 0);
    if (s->pid == 0)
        become(s);
    while (!takes_connections(s->port)) {
        if (waitpid(s->pid, NULL, WNOHANG) != 0 || clock_mono_us() > until_us)
            fail_msg("%s does not start", s->what);
        usleep(20000);
    }
}

bool mongo_server_find(struct mongo_server *s, const char **ret_why) {
    *s = (struct mongo_server){0};
    const char *uri = getenv("LORRY_TEST_MONGODB_URI"), *tmp = getenv("TMPDIR");
    *ret_why = why_not;
    if (uri && *uri) {
        snprintf(s->uri, sizeof s->uri, "%s", uri);
        s->what = "the server that LORRY_TEST_MONGODB_URI names";
        return true;
    }
    s->stand_in = !on_path("mongod");
    if (s->stand_in && !have_stand_in())
        return false;
    s->what = s->stand_in ? "mongo-java-server 1.45.0, a stand-in" : "mongod on PATH";
    s->ours = true;
    s->port = free_port();
    snprintf(s->dir, sizeof s->dir, "%s/lorry-mongo-XXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(s->dir));
    snprintf(s->uri, sizeof s->uri, "mongodb://127.0.0.1:%d/", s->port);
    mongo_server_start(s);
    return true;
}

void mongo_server_kill(struct mongo_server *s) {
    kill(s->pid, SIGKILL);
    waitpid(s->pid, NULL, 0);
    s->pid = 0;
}

void mongo_server_freeze(struct mongo_server *s, bool frozen) {
    kill(s->pid, frozen ? SIGSTOP : SIGCONT);
    if (frozen)
        waitpid(s->pid, NULL, WUNTRACED); /* until the last of its threads stands still */
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw) {
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

void mongo_server_remove(struct mongo_server *s) {
    if (!s->ours)
        return;
    if (s->pid)
        mongo_server_kill(s);
    nftw(s->dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}
