/* `lorry serve`: opens the platform, says where it is and what to do next, waits for the signal to
 * leave, drains. With --demo a simulated city lives in it, as clients of its own public surface.
 */
#include "apps/commands.h"
#include "apps/demo.h"
#include "apps/platform.h"
#include "apps/settings.h"
#include "base/check.h"
#include "base/err.h"
#include "base/timestamp.h"
#include "services/auth/admin.h"
#include "services/auth/setup.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
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

/* A one-time code for the set-up page, where nobody can administer the platform yet. It goes to
 * standard output and nowhere else: never into the log. False: there is an administrator. */
static bool offer_setup(struct platform *p, char code[SETUP_CODE_TEXT_MAX]) {
    struct stores stores;
    struct store *store;
    struct arena a;
    struct str why, text;
    arena_init(&a, 4096);
    int err = platform_open_store(p->config, &a, &stores, &store, &why);
    if (err == 0) {
        struct auth_admin *admin = auth_admin_new(&(struct auth_admin_options){
            .store = store, .entropy = &p->entropy, .clock = &p->clock});
        err = auth_admin_offer_setup(admin, &a, &text, &why);
        if (err == 0)
            snprintf(code, SETUP_CODE_TEXT_MAX, "%.*s", STR_ARG(text));
        auth_admin_free(admin);
        store->ops->close(store);
        stores_close(&stores);
    }
    if (err < 0 && err != ERR_DENIED)
        log_warn(&p->log, "there can be no set-up page now: %.*s", STR_ARG(why));
    arena_free(&a);
    return err == 0;
}

static bool has_auth(const struct config *c) {
    return (config_list(c, "service") & 1u << SERVICE_AUTH) != 0;
}

static void print_setup(struct platform *p, const char *url, const char *dir) {
    char code[SETUP_CODE_TEXT_MAX];
    if (!has_auth(p->config) || !offer_setup(p, code))
        return;
    bool own = settings_store(p->config) == STORE_SQLITE;
    printf("\nNobody can administer this platform yet. ");
    if (p->web != NULL)
        printf("Open %s/setup within an hour, and give this code:\n", url);
    else /* as behind Nginx with LORRY_WEB */
        printf("Where the web app is served from elsewhere, open its /setup within\n"
               "an hour, and give this code:\n");
    printf("\n  %s\n\nOr in another terminal, make the first admin%s:\n"
           "  %s user add --role admin --email you@example.com --name 'Your Name'%s%s\n"
           "or look at a whole simulated city instead: %s serve --demo\n",
           code, own ? "" : ", with this server's --store (--store-file, --config)",
           program_invocation_name, own ? " --data " : "", own ? dir : "", program_invocation_name);
}

static void print_next(struct platform *p) {
    const char *dir = config_cstr(p->config, "data");
    char url[PLATFORM_URL_MAX];
    platform_url(p, url);
    if (p->web != NULL)
        printf("  web app     %s\n", url);
    printf("  API         %s/v1\n"
           "  health      %s/healthz  /readyz  /metrics\n"
           "  data        %s\n",
           url, url, dir);
    print_setup(p, url, dir);
    printf("\nCtrl-C drains and leaves.\n");
    fflush(stdout);
}

/* The city that the first administrator has asked for, unless there is one. */
static void fill(struct platform *p, struct demo **demo) {
    eventfd_t asked;
    if (eventfd_read(p->fill_fd, &asked) != 0 || *demo != NULL || demo_fill(p, demo) != 0)
        return;
    demo_go(*demo);
    fflush(stdout);
}

static void wait_for_signal(int fd, struct platform *p, struct demo **demo) {
    struct signalfd_siginfo info;
    for (;;) {
        struct pollfd pfds[] = {{.fd = fd, .events = POLLIN},
                                {.fd = p->fill_fd, .events = POLLIN}}; /* -1 is passed over */
        int n = poll(pfds, COUNT_OF(pfds), -1);
        if (n > 0 && pfds[1].revents != 0)
            fill(p, demo);
        if (n > 0 && pfds[0].revents != 0 && read(fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
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
        wait_for_signal(signals, &p, &demo);
        printf("\nDraining.\n");
        fflush(stdout);
        status = demo_stop(demo);
    }
    platform_close(&p);
    close(signals);
    return status;
}
