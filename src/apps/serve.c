/* `lorry serve`: opens the platform, says where it is and what to do next, waits for the signal to
 * leave, drains. With --demo a simulated city lives in it, as clients of its own public surface.
 */
#include "apps/commands.h"
#include "apps/demo.h"
#include "apps/platform.h"
#include "apps/settings.h"
#include "base/timestamp.h"
#include "services/auth/admin.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* Signals are taken by one descriptor, so that no handler runs anywhere. Before any thread starts.
 */
static int signals_open(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is an error like a full disk */
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* As many descriptors as the system lets us: each connection is one. */
static void raise_descriptors(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static void note_admin(void *arg, const struct account *account) {
    bool *found = arg;
    *found = *found || !account->disabled;
}

static bool nobody_yet(struct platform *p, struct store *store) {
    struct arena a;
    struct str why;
    bool found = false;
    arena_init(&a, 4096);
    struct auth_admin *admin = auth_admin_new(
        &(struct auth_admin_options){.store = store, .entropy = &p->entropy, .clock = &p->clock});
    auth_admin_list(admin, ROLE_ADMIN, note_admin, &found, &a, &why);
    auth_admin_free(admin);
    arena_free(&a);
    return !found;
}

static void print_next(struct platform *p) {
    struct store *reader;
    bool empty = false;
    if (p->stores.port->open(p->stores.port, false, &reader) == 0) {
        empty = nobody_yet(p, reader);
        reader->ops->close(reader);
    }
    const char *dir = config_cstr(p->config, "data");
    char url[PLATFORM_URL_MAX];
    platform_url(p, url);
    if (p->web != NULL)
        printf("  web app     %s\n", url);
    printf("  API         %s/v1\n"
           "  health      %s/healthz  /readyz  /metrics\n"
           "  data        %s\n",
           url, url, dir);
    if (empty)
        printf("\nNobody can administer this platform yet. In another terminal, make the first "
               "admin:\n"
               "  %s user add --role admin --email you@example.com --name 'Your Name' --data %s\n"
               "or look at a whole simulated city instead: %s serve --demo\n",
               program_invocation_name, dir, program_invocation_name);
    printf("\nCtrl-C drains and leaves.\n");
    fflush(stdout);
}

static void wait_for_signal(int fd) {
    struct signalfd_siginfo info;
    for (;;) {
        struct pollfd pfd = {.fd = fd, .events = POLLIN};
        int n = poll(&pfd, 1, -1);
        if (n > 0 && read(fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
            return;
    }
}

static int refuse(struct config *c) {
    struct buf out;
    buf_init(&out, &c->arena, 512);
    config_write_problems(c, &out);
    fwrite(out.p, 1, out.len, stderr);
    return 2;
}

int command_serve(struct config *c) {
    if (settings_check(c) < 0)
        return refuse(c);
    int64_t started_us = clock_mono_us();
    raise_descriptors();
    int signals = signals_open();
    struct platform p;
    struct str why;
    if (platform_open(&p, c, &why) < 0) {
        fprintf(stderr, "lorry: %.*s\n", STR_ARG(why));
        arena_free(&p.arena);
        return 1;
    }
    printf("lorry " LORRY_VERSION " is ready after %lld ms.\n",
           (long long)((clock_mono_us() - started_us) / US_PER_MS));
    struct demo *demo = NULL;
    int status = 0;
    if (config_bool(c, "demo"))
        status = demo_start(&p, &demo);
    if (status == 0) {
        print_next(&p);
        demo_go(demo);
        wait_for_signal(signals);
        printf("\nDraining.\n");
        fflush(stdout);
        status = demo_stop(demo);
    }
    platform_close(&p);
    close(signals);
    return status;
}
