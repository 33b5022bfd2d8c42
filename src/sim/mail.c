/* What carries e-mail in the simulator: it takes a message after a while, or says that it cannot,
 * or takes it and its answer is lost with the node. The oracle hears of what was taken.
 */
#include "sim/sim.h"

#include "base/check.h"
#include "base/err.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UNDER_WAY_MAX 8

struct letter {
    bool used;
    uint64_t number;
    char id[ID_TEXT_MAX];
    mail_done_fn done;
    void *arg;
};
struct sim_mailer {
    struct mailer mailer;
    struct sim_node *node;
    struct letter letters[UNDER_WAY_MAX];
};

static void end(struct letter *l, enum mail_result result) {
    const struct mail_outcome out = {.result = result, .latency_ms = 50};
    l->used = false;
    l->done(l->arg, &out);
}

/* The letter with number TOKEN of the node ARG, if it is still under way. */
static void arrive(struct sim *sim, void *arg, uint64_t token) {
    struct sim_node *n = arg;
    struct sim_mailer *m = (struct sim_mailer *)n->mailer;
    for (int32_t i = 0; m != NULL && i < UNDER_WAY_MAX; i++) {
        struct letter *l = &m->letters[i];
        if (!l->used || l->number != token)
            continue;
        bool refused = sim_strikes(sim, SIM_MAIL_REFUSED);
        if (!refused)
            oracle_mail(sim, str_from(l->id));
        end(l, refused || sim_strikes(sim, SIM_MAIL_TWICE) ? MAIL_LATER : MAIL_SENT);
        sim_node_poke(n);
        return;
    }
}

static int mailer_send(struct mailer *mailer, const struct mail *mail, mail_done_fn done,
                       void *arg) {
    struct sim_mailer *m = (struct sim_mailer *)mailer;
    struct sim *sim = m->node->sim;
    for (int32_t i = 0; i < UNDER_WAY_MAX; i++) {
        struct letter *l = &m->letters[i];
        if (l->used)
            continue;
        *l = (struct letter){.used = true, .number = ++sim->letters, .done = done, .arg = arg};
        snprintf(l->id, sizeof(l->id), "%.*s", STR_ARG(mail->id));
        sim_after(sim, (int64_t)rng_exponential(&sim->rng, 0.3 * US_PER_S), arrive, m->node,
                  l->number);
        return 0;
    }
    return ERR_FULL;
}

/* The node is gone: some of what was under way has arrived all the same. */
static void mailer_close(struct mailer *mailer) {
    struct sim_mailer *m = (struct sim_mailer *)mailer;
    for (int32_t i = 0; i < UNDER_WAY_MAX; i++) {
        struct letter *l = &m->letters[i];
        if (!l->used)
            continue;
        if (rng_below(&m->node->sim->rng, 2) == 0)
            oracle_mail(m->node->sim, str_from(l->id));
        end(l, MAIL_LATER);
    }
    free(m);
}
static const struct mailer_ops mailer_ops = {mailer_send, mailer_close};

struct mailer *sim_mailer_new(struct sim_node *node) {
    struct sim_mailer *m = xcalloc(1, sizeof(*m));
    m->mailer = (struct mailer){&mailer_ops, UNDER_WAY_MAX};
    m->node = node;
    return &m->mailer;
}
