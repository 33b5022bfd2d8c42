/* What carries messages out of the house in the simulator, e-mail and webhooks: it takes one after
 * a while, or says that it cannot, or takes it and its answer is lost with the node. The oracle
 * hears of what was taken.
 */
#include "sim/sim.h"

#include "base/check.h"
#include "base/err.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UNDER_WAY_MAX 8 /* of each */
#define TO_ONE_MAX 4    /* posts to one receiver */

struct letter {
    bool used;
    uint64_t number;
    char id[ID_TEXT_MAX];
    mail_done_fn mailed; /* of a mail; NULL: it is a post */
    post_done_fn posted;
    void *arg;
};
struct sim_carrier {
    struct mailer mailer;
    struct poster poster;
    struct sim_node *node;
    struct letter mails[UNDER_WAY_MAX], posts[UNDER_WAY_MAX];
};

static void end(struct letter *l, bool taken) {
    const struct mail_outcome mail = {.result = taken ? MAIL_SENT : MAIL_LATER, .latency_ms = 50};
    const struct post_outcome post = {.status = taken ? 204 : 503, .latency_ms = 50};
    l->used = false;
    if (l->mailed != NULL)
        l->mailed(l->arg, &mail);
    else
        l->posted(l->arg, &post);
}

static struct letter *numbered(struct letter letters[UNDER_WAY_MAX], uint64_t number) {
    for (int32_t i = 0; i < UNDER_WAY_MAX; i++) {
        if (letters[i].used && letters[i].number == number)
            return &letters[i];
    }
    return NULL;
}

/* The letter with number TOKEN of the node ARG, if it is still under way. */
static void arrive(struct sim *sim, void *arg, uint64_t token) {
    struct sim_node *n = arg;
    struct sim_carrier *m = n->carrier;
    struct letter *l = m != NULL ? numbered(m->mails, token) : NULL;
    if (l == NULL && m != NULL)
        l = numbered(m->posts, token);
    if (l == NULL)
        return;
    bool mail = l->mailed != NULL;
    bool refused = sim_strikes(sim, mail ? SIM_MAIL_REFUSED : SIM_POST_REFUSED);
    if (!refused)
        oracle_mail(sim, str_from(l->id));
    end(l, !refused && !sim_strikes(sim, mail ? SIM_MAIL_TWICE : SIM_POST_TWICE));
    sim_node_poke(n);
}

/* ERR_FULL, or the letter is under way. */
static int carry(struct sim_node *n, struct letter letters[UNDER_WAY_MAX],
                 const struct letter *what, struct str id) {
    struct sim *sim = n->sim;
    for (int32_t i = 0; i < UNDER_WAY_MAX; i++) {
        struct letter *l = &letters[i];
        if (l->used)
            continue;
        *l = *what;
        l->used = true;
        l->number = ++sim->letters;
        snprintf(l->id, sizeof(l->id), "%.*s", STR_ARG(id));
        sim_after(sim, (int64_t)rng_exponential(&sim->rng, 0.3 * US_PER_S), arrive, n, l->number);
        return 0;
    }
    return ERR_FULL;
}

static int mailer_send(struct mailer *mailer, const struct mail *mail, mail_done_fn done,
                       void *arg) {
    struct sim_carrier *m = (struct sim_carrier *)mailer;
    return carry(m->node, m->mails, &(struct letter){.mailed = done, .arg = arg}, mail->id);
}

static int poster_send(struct poster *poster, const struct post *post, post_done_fn done,
                       void *arg) {
    struct sim_carrier *m =
        (struct sim_carrier *)((char *)poster - offsetof(struct sim_carrier, poster));
    CHECK(post->header_count > 0 && str_is(post->headers[0].name, "webhook-id"));
    return carry(m->node, m->posts, &(struct letter){.posted = done, .arg = arg},
                 post->headers[0].value);
}

/* The node is gone: some of what was under way has arrived all the same. */
static void lose(struct sim_carrier *m, struct letter letters[UNDER_WAY_MAX]) {
    for (int32_t i = 0; i < UNDER_WAY_MAX; i++) {
        struct letter *l = &letters[i];
        if (!l->used)
            continue;
        if (rng_below(&m->node->sim->rng, 2) == 0)
            oracle_mail(m->node->sim, str_from(l->id));
        end(l, false);
    }
}

static const struct mailer_ops mailer_ops = {.send = mailer_send};
static const struct poster_ops poster_ops = {.send = poster_send};

struct sim_carrier *sim_carrier_new(struct sim_node *node) {
    struct sim_carrier *m = xcalloc(1, sizeof(*m));
    m->mailer = (struct mailer){&mailer_ops, UNDER_WAY_MAX};
    m->poster = (struct poster){&poster_ops, UNDER_WAY_MAX, TO_ONE_MAX};
    m->node = node;
    return m;
}

struct mailer *sim_carrier_mailer(struct sim_carrier *m) {
    return m != NULL ? &m->mailer : NULL;
}

struct poster *sim_carrier_poster(struct sim_carrier *m) {
    return m != NULL ? &m->poster : NULL;
}

struct sim_carrier *sim_carrier_free(struct sim_carrier *m) {
    if (m == NULL)
        return NULL;
    lose(m, m->mails);
    lose(m, m->posts);
    free(m);
    return NULL;
}
