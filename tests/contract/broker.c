/* The Erlang VM finds itself through a small name server, epmd; the broker gets one of its own, so
 * that nothing is shared with another broker on this machine. Both die with the test, however that
 * ends (PR_SET_PDEATHSIG).
 */
#include "broker.h"

#include "base/arena.h"
#include "base/check.h"
#include "base/timestamp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SERVER "/usr/lib/rabbitmq/bin/rabbitmq-server"
#define CTL "/usr/lib/rabbitmq/bin/rabbitmqctl"
#define START_PATIENCE_US (120 * US_PER_S)
#define ENV_MAX 24
#define WORDS_MAX 8

struct broker {
    char folder[64];
    char certificate[96];
    int port, tls_port, dist_port, epmd_port;
    pid_t server, epmd;
    char env[ENV_MAX][256];
    char *envp[ENV_MAX + 1];
    int env_count;
};

bool broker_is_installed(void) {
    return access(SERVER, X_OK) == 0 && access(CTL, X_OK) == 0;
}

static int socket_on(int port, struct sockaddr_in *ret) {
    *ret = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    ret->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0);
    return fd;
}

int free_port(void) {
    struct sockaddr_in address;
    socklen_t len = sizeof(address);
    int fd = socket_on(0, &address);
    CHECK(bind(fd, (struct sockaddr *)&address, len) == 0);
    CHECK(getsockname(fd, (struct sockaddr *)&address, &len) == 0);
    close(fd);
    return ntohs(address.sin_port);
}

static bool answers(int port) {
    struct sockaddr_in address;
    int fd = socket_on(port, &address);
    bool yes = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
    close(fd);
    return yes;
}

static void set_env(struct broker *b, const char *name, const char *format, ...) {
    char value[200];
    va_list args;
    va_start(args, format);
    vsnprintf(value, sizeof(value), format, args);
    va_end(args);
    CHECK(b->env_count < ENV_MAX);
    char *at = b->env[b->env_count];
    snprintf(at, sizeof(b->env[0]), "%s=%s", name, value);
    b->envp[b->env_count++] = at;
}

static void write_file(const struct broker *b, const char *name, const char *text, mode_t mode) {
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", b->folder, name);
    FILE *f = fopen(path, "w");
    CHECK(f != NULL && fputs(text, f) >= 0 && fclose(f) == 0 && chmod(path, mode) == 0);
}

static pid_t spawn(const struct broker *b, const char *const *argv) {
    char log[128];
    snprintf(log, sizeof(log), "%s/out", b->folder);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid > 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int in = open("/dev/null", O_RDONLY), out = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (in < 0 || out < 0 || dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0)
        _exit(126);
    close_range(3, ~0U, 0);
    execvpe(argv[0], (char *const *)(uintptr_t)argv, b->envp);
    _exit(127);
}

static int wait_for(pid_t pid) {
    int status;
    while (waitpid(pid, &status, 0) < 0)
        CHECK(errno == EINTR);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

static void show_log(const struct broker *b) {
    char line[512], path[128];
    snprintf(path, sizeof(path), "%s/out", b->folder);
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof(line), f))
        fputs(line, stderr);
    if (f)
        fclose(f);
}

void broker_start(struct broker *b) {
    static const char *const argv[] = {SERVER, NULL};
    b->server = spawn(b, argv);
    int64_t until_us = clock_mono_us() + START_PATIENCE_US;
    while (!answers(b->port) || !answers(b->tls_port)) {
        if (clock_mono_us() > until_us || waitpid(b->server, NULL, WNOHANG) != 0) {
            show_log(b);
            fprintf(stderr, "the broker did not start\n");
            abort();
        }
        usleep(50000);
    }
}

/* A certificate for "localhost", signed by itself, and a listener that shows it. */
static void make_tls(struct broker *b) {
    char key[96], text[768];
    snprintf(b->certificate, sizeof(b->certificate), "%s/certificate.pem", b->folder);
    snprintf(key, sizeof(key), "%s/key.pem", b->folder);
    const char *const openssl[] = {"openssl",
                                   "req",
                                   "-x509",
                                   "-newkey",
                                   "ec",
                                   "-pkeyopt",
                                   "ec_paramgen_curve:prime256v1",
                                   "-nodes",
                                   "-subj",
                                   "/CN=localhost",
                                   "-addext",
                                   "subjectAltName=DNS:localhost",
                                   "-days",
                                   "2",
                                   "-keyout",
                                   key,
                                   "-out",
                                   b->certificate,
                                   NULL};
    CHECK(wait_for(spawn(b, openssl)) == 0);
    snprintf(text, sizeof(text),
             "listeners.ssl.1 = 127.0.0.1:%d\nssl_options.cacertfile = %s\n"
             "ssl_options.certfile = %s\nssl_options.keyfile = %s\n"
             "ssl_options.verify = verify_none\n",
             b->tls_port, b->certificate, b->certificate, key);
    write_file(b, "rabbitmq.conf", text, 0600);
}

struct broker *broker_new(void) {
    struct broker *b = xcalloc(1, sizeof(*b));
    snprintf(b->folder, sizeof(b->folder), "/tmp/lorry-broker.XXXXXX");
    CHECK(mkdtemp(b->folder) != NULL);
    b->port = free_port();
    b->tls_port = free_port();
    b->dist_port = free_port();
    b->epmd_port = free_port();
    set_env(b, "PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    set_env(b, "LANG", "C.UTF-8");
    set_env(b, "HOME", "%s", b->folder);
    set_env(b, "RABBITMQ_NODENAME", "lorry%d@localhost", b->port);
    set_env(b, "RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1");
    set_env(b, "RABBITMQ_NODE_PORT", "%d", b->port);
    set_env(b, "RABBITMQ_DIST_PORT", "%d", b->dist_port);
    set_env(b, "ERL_EPMD_PORT", "%d", b->epmd_port);
    set_env(b, "ERL_EPMD_ADDRESS", "127.0.0.1");
    set_env(b, "RABBITMQ_MNESIA_BASE", "%s/state", b->folder);
    set_env(b, "RABBITMQ_LOG_BASE", "%s/log", b->folder);
    set_env(b, "RABBITMQ_PID_FILE", "%s/pid", b->folder);
    set_env(b, "RABBITMQ_CONFIG_FILE", "%s/rabbitmq", b->folder);
    set_env(b, "RABBITMQ_CONF_ENV_FILE", "/dev/null");
    set_env(b, "RABBITMQ_ENABLED_PLUGINS_FILE", "%s/plugins", b->folder);
    set_env(b, "RUNNING_UNDER_SYSTEMD", "1"); /* one process, no shell in front of it */
    set_env(b, "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
            "-kernel inet_dist_use_interface {127,0,0,1} +S 2:2 +sbwt none +sbwtdcpu none "
            "+sbwtdio none");
    write_file(b, "plugins", "[].\n", 0600);
    write_file(b, ".erlang.cookie", "lorry-test", 0400);
    make_tls(b);
    char port[16];
    snprintf(port, sizeof(port), "%d", b->epmd_port);
    const char *const epmd[] = {"epmd", "-port", port, "-address", "127.0.0.1", NULL};
    b->epmd = spawn(b, epmd);
    broker_start(b);
    return b;
}

void broker_kill(struct broker *b) {
    if (b->server == 0)
        return;
    kill(b->server, SIGKILL);
    wait_for(b->server);
    b->server = 0;
}

void broker_stop(struct broker *b) {
    kill(b->server, SIGTERM);
    wait_for(b->server);
    b->server = 0;
}

void broker_pause(struct broker *b, bool on) {
    kill(b->server, on ? SIGSTOP : SIGCONT);
}

int broker_ctl(struct broker *b, const char *const *words) {
    const char *argv[WORDS_MAX + 3] = {CTL, "--quiet"};
    for (int i = 0; words[i]; i++) {
        CHECK(i < WORDS_MAX);
        argv[i + 2] = words[i];
    }
    return wait_for(spawn(b, argv));
}

int broker_tls_port(const struct broker *b) {
    return b->tls_port;
}

const char *broker_certificate(const struct broker *b) {
    return b->certificate;
}

int broker_port(const struct broker *b) {
    return b->port;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw) {
    (void)st, (void)kind, (void)ftw;
    return remove(path);
}

void broker_free(struct broker *b) {
    if (b == NULL)
        return;
    broker_kill(b);
    kill(b->epmd, SIGKILL);
    wait_for(b->epmd);
    nftw(b->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(b);
}
