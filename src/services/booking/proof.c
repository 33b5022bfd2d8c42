/* Proof of delivery: what a stop must show before it is done, and the decision that takes it in.
 *
 * The PIN is for whoever gets the goods: its customer sees it, and who has the link of that stop.
 * Its driver does not, so it is in no view of the booking.
 */
#include "base/check.h"
#include "base/timestamp.h"
#include "services/booking/internal.h"

#include <stdio.h>
#include <string.h>

/* ---- what is asked for ---- */

static int64_t kind_named(struct str name) {
    for (int kind = PROOF_PIN; kind < PROOF_KIND_COUNT; kind++) {
        if (str_is(name, proof_kind_names[kind]))
            return PROOF(kind);
    }
    return 0;
}

int64_t proof_asked(const struct booking_service *s, const struct create_body *body, int32_t i) {
    const struct stop_body *stop = i < body->stop_count ? &body->stops[i] : NULL;
    int64_t kinds = 0;
    if (stop == NULL || stop->proof == NULL)
        return i > 0 ? s->o.proof_default : 0;
    for (int32_t k = 0; k < stop->proof_count; k++)
        kinds |= kind_named(stop->proof[k]);
    return kinds;
}

struct stop_secret *proof_secrets(const struct booking_service *s, const struct create_body *body,
                                  int32_t stop_count, struct arena *a) {
    int64_t asked = 0;
    for (int32_t i = 0; i < stop_count; i++)
        asked |= proof_asked(s, body, i);
    if ((asked & PROOF(PROOF_PIN)) == 0)
        return NULL;
    struct stop_secret *secrets = arena_array(a, struct stop_secret, stop_count);
    for (int32_t i = 0; i < stop_count; i++) {
        unsigned char bytes[SECRET_BYTES];
        uint32_t number;
        s->o.entropy->fill(s->o.entropy, bytes, sizeof(bytes));
        s->o.entropy->fill(s->o.entropy, &number, sizeof(number));
        tracking_secret(bytes, secrets[i].secret);
        snprintf(secrets[i].pin, sizeof(secrets[i].pin), "%04u", number % 10000);
    }
    return secrets;
}

void proof_demand(const struct booking_service *s, const struct create_body *body,
                  const struct create_facts *facts, struct arena *a, struct booking *b) {
    for (int32_t i = 0; i < b->stop_count; i++) {
        int64_t kinds = proof_asked(s, body, i);
        if (kinds == 0)
            continue;
        struct stop_proof *p = b->stops[i].proof = arena_new(a, struct stop_proof);
        p->required = kinds;
        if ((kinds & PROOF(PROOF_PIN)) != 0) {
            CHECK(facts->stops != NULL);
            p->pin = (struct str){facts->stops[i].pin, PIN_LEN};
            p->secret = (struct str){facts->stops[i].secret, SECRET_LEN};
        }
    }
}

/* ---- how it is shown ---- */

void proof_write_kinds(struct jw *w, int64_t kinds) {
    jw_array(w);
    for (int kind = PROOF_PIN; kind < PROOF_KIND_COUNT; kind++) {
        if ((kinds & PROOF(kind)) != 0)
            jw_cstr(w, proof_kind_names[kind]);
    }
    jw_end(w);
}

static void write_file(struct jw *w, const char *key, const struct proof_file *f) {
    if (f->id.p == NULL)
        return;
    jw_key(w, key);
    jw_object(w);
    jw_kv_str(w, "id", f->id);
    jw_kv_str(w, "sha256", f->sha256);
    jw_end(w);
}

void proof_write(struct jw *w, const struct booking *b, int32_t i, bool open) {
    const struct stop_proof *p = b->stops[i].proof;
    jw_key(w, "required");
    proof_write_kinds(w, p->required);
    jw_key(w, "missing");
    proof_write_kinds(w, booking_proof_missing(b, i));
    jw_key(w, "given");
    if (p->given == 0 || !open) {
        jw_null(w);
        return;
    }
    jw_object(w);
    jw_kv_time(w, "at", p->at_us);
    jw_key(w, "pin");
    jw_bool(w, (p->given & PROOF(PROOF_PIN)) != 0);
    if (p->name.p != NULL)
        jw_kv_str(w, "name", p->name);
    write_file(w, "photo", &p->photo);
    write_file(w, "signature", &p->signature);
    jw_end(w);
}

/* What BODY gave, for the timeline: hashes say which pictures, for ever. The chain of custody is
 * over this text, and PostgreSQL's jsonb orders members: the shorter name first. So they stand in
 * that order, and new ones must. */
static struct str given_text(const struct stop_proof *p, const struct proof_body *body,
                             struct arena *a) {
    struct buf out;
    struct jw w;
    buf_init(&out, a, 256);
    jw_init(&w, &out);
    jw_object(&w);
    if (body->pin.p != NULL) {
        jw_key(&w, "pin");
        jw_bool(&w, true);
    }
    if (body->name.p != NULL)
        jw_kv_str(&w, "name", body->name);
    if (body->photo_id.p != NULL)
        write_file(&w, "photo", &p->photo);
    if (body->signature_id.p != NULL)
        write_file(&w, "signature", &p->signature);
    jw_end(&w);
    return buf_str(&out);
}

bool proof_lacking(const struct booking *b, int32_t i, const struct command *cmd,
                   struct decision *d) {
    int64_t missing = booking_proof_missing(b, i);
    struct buf extra;
    struct jw w;
    if (missing == 0)
        return false;
    buf_init(&extra, cmd->arena, 96);
    buf_printf(&extra, "\"stop\":%d,\"missing\":", i);
    jw_init(&w, &extra);
    proof_write_kinds(&w, missing);
    problem_fill_more(&d->response, cmd->arena, cmd->request_id, PROBLEM_PROOF_MISSING,
                      arena_printf(cmd->arena, "stop %d is done once it has been proven", i), NULL,
                      buf_str(&extra), 0);
    return true;
}

/* ---- the decision ---- */

/* Is there a driver at that stop, and may more be given? False: RET has the problem. */
static bool may_give(const struct booking *b, const struct command *cmd, unsigned hats,
                     struct decision *ret) {
    const struct proof_body *body = cmd->args;
    /* who may, and when: as with that word of his */
    bool back = b->state == BOOKING_ARRIVED_RETURN;
    struct booking_ask ask = booking_ask_of(b, back ? ACTION_GIVE_BACK : ACTION_FAIL, hats);
    ask.stop = body->stop;
    ask.has_reason = true;
    int32_t to;
    enum verdict v = booking_judge(&ask, &to);
    if (v == VERDICT_OK && booking_is_at_stop(b->state)) {
        const struct stop_proof *p = b->stops[ask.next_stop].proof;
        if (p == NULL || p->changes < PROOF_CHANGES_MAX)
            return true;
        decision_invalid(ret, cmd, "/stop", "has been proven often enough");
        return false;
    }
    booking_refuse(b, cmd, &ask, v == VERDICT_OK ? VERDICT_ILLEGAL : v, "giving proof", ret);
    return false;
}

/* A wrong PIN is noted, and after some no more are looked at for a while. */
static void note_wrong_pin(struct edit *e, int32_t stop, struct decision *ret) {
    struct stop_proof *p = edit_proof(e, stop);
    const struct command *cmd = e->cmd;
    p->tries = p->pause_until_us != 0 ? 1 : p->tries + 1;
    p->pause_until_us = 0;
    bool pause = p->tries >= PIN_TRIES_MAX;
    if (pause)
        p->pause_until_us = e->ctx->now_us + PIN_PAUSE_US;
    edit_entry(e, ENTRY_PIN_REFUSED)->stop = stop;
    edit_event(e, ENTRY_PIN_REFUSED, NULL);
    edit_commit(e, ret);
    if (pause)
        decision_invalid(ret, cmd, "/pin",
                         "is not the stop's PIN; no other one is looked at for five minutes");
    else
        decision_invalid(ret, cmd, "/pin", "is not the stop's PIN; %lld tries are left",
                         (long long)(PIN_TRIES_MAX - p->tries));
}

/* True: the PIN of BODY, if it has one, is right. False: RET has what follows. */
static bool pin_fits(struct edit *e, int32_t stop, struct decision *ret) {
    const struct proof_body *body = e->cmd->args;
    const struct stop_proof *p = e->b->stops[stop].proof;
    if (body->pin.p == NULL || (p != NULL && (p->given & PROOF(PROOF_PIN)) != 0))
        return true;
    if (p == NULL || p->pin.p == NULL) {
        decision_invalid(ret, e->cmd, "/pin", "this stop asks for none");
        return false;
    }
    if (e->ctx->now_us < p->pause_until_us) {
        int64_t wait_s = (p->pause_until_us - e->ctx->now_us) / US_PER_S + 1;
        problem_fill_more(&ret->response, e->cmd->arena, e->cmd->request_id,
                          PROBLEM_TOO_MANY_REQUESTS, STR("too many wrong PINs: wait a little"),
                          NULL, STR_NONE, (int32_t)wait_s);
        return false;
    }
    if (str_eq_secret(p->pin, body->pin))
        return true;
    note_wrong_pin(e, stop, ret);
    return false;
}

/* A picture takes the place of the one before it, which is let go. */
static void take_file(struct edit *e, const struct file_claim *claim, struct proof_file *f,
                      struct decision *ret) {
    if (f->id.p != NULL && !str_eq(f->id, claim->id)) {
        const struct ev_file gone = {.file_id = f->id, .subject = e->b->head.id};
        decision_event(ret, e->cmd, e->ctx, EV_FILE_RELEASED, f->id, &ev_file_schema, &gone);
    }
    *f = (struct proof_file){claim->id, claim->sha256};
}

static void take(struct edit *e, int32_t stop, struct decision *ret) {
    const struct proof_body *body = e->cmd->args;
    const struct file_claim *claims = ((const struct proof_args *)e->cmd->args)->claims;
    struct booking_stop *s = edit_stop(e, stop);
    if (s->proof == NULL)
        s->proof = arena_new(e->ctx->arena, struct stop_proof);
    struct stop_proof *p = edit_proof(e, stop);
    p->at_us = e->ctx->now_us;
    p->changes++;
    if (body->pin.p != NULL)
        p->given |= PROOF(PROOF_PIN);
    if (body->name.p != NULL) {
        p->given |= PROOF(PROOF_NAME);
        p->name = body->name;
    }
    if (body->photo_id.p != NULL) {
        p->given |= PROOF(PROOF_PHOTO);
        take_file(e, claims++, &p->photo, ret);
    }
    if (body->signature_id.p != NULL) {
        p->given |= PROOF(PROOF_SIGNATURE);
        take_file(e, claims, &p->signature, ret);
    }
    struct timeline_entry *entry = edit_entry(e, ENTRY_PROOF);
    entry->stop = stop;
    entry->proof = given_text(p, body, e->ctx->arena);
}

/* Are the pictures that BODY names attached? False: RET has what was in the way. */
static bool has_files(const struct command *cmd, struct decision *ret) {
    const struct proof_args *args = cmd->args;
    int32_t count = (args->body.photo_id.p != NULL) + (args->body.signature_id.p != NULL);
    if (count > 0 && args->claims == NULL) {
        decision_problem(ret, cmd, PROBLEM_NOT_FOUND, "there is no such booking");
        return false;
    }
    for (int32_t i = 0; i < count; i++) {
        const struct response *refusal = args->claims[i].refusal;
        if (refusal != NULL && refusal->status != 0) {
            ret->response = *refusal;
            return false;
        }
    }
    return true;
}

static void decide_proof(const struct command *cmd, const struct decide_ctx *ctx, const void *state,
                         struct decision *ret) {
    const struct booking *b = state;
    const struct proof_body *body = cmd->args;
    unsigned hats = b != NULL ? booking_hats(b, &cmd->who) : 0;
    if (!booking_at_hand(b, cmd, hats, body->version, ret))
        return;
    CHECK(b != NULL);
    if (!may_give(b, cmd, hats, ret) || !has_files(cmd, ret))
        return;
    struct edit e;
    int32_t stop = booking_next_stop(b);
    edit_begin(&e, cmd, ctx, b);
    if (!pin_fits(&e, stop, ret))
        return;
    take(&e, stop, ret);
    edit_event(&e, ENTRY_PROOF, NULL);
    edit_commit(&e, ret);
    edit_reply(&e, ret, 200);
}

const struct command_type booking_proof = {
    .name = "booking.proof",
    .aggregate = &booking_aggregate,
    .decide = decide_proof,
    .applied = booking_applied,
};
