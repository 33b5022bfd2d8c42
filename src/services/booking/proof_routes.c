/* What comes in of proofs, and who is shown the PINs. */
#include "base/check.h"
#include "base/err.h"
#include "base/id.h"
#include "services/booking/internal.h"

/* ---- bodies ---- */

static bool is_kind(struct str name) {
    for (int kind = PROOF_NONE; kind < PROOF_KIND_COUNT; kind++) {
        if (str_is(name, proof_kind_names[kind]))
            return true;
    }
    return false;
}

void check_proof_kinds(struct call *c, int32_t i, const struct stop_body *stop,
                       struct field_errors *errors) {
    for (int32_t k = 0; stop->proof != NULL && k < stop->proof_count; k++) {
        struct str name = stop->proof[k];
        bool alone = str_is(name, proof_kind_names[PROOF_NONE]) && stop->proof_count > 1;
        if (name.p != NULL && (!is_kind(name) || alone))
            field_errors_add(errors, &c->arena, arena_printf(&c->arena, "/stops/%d/proof/%d", i, k),
                             alone ? "none stands alone"
                                   : "must be one of pin, photo, signature, name, none");
    }
}

void check_proofs(struct call *c, const struct create_body *b, struct field_errors *errors) {
    for (int32_t i = 0; i < b->stop_count; i++)
        check_proof_kinds(c, i, &b->stops[i], errors);
}

void check_proof(struct call *c, const void *body, struct field_errors *errors) {
    const struct proof_body *b = body;
    bool digits = true;
    for (size_t i = 0; i < b->pin.len; i++)
        digits = digits && b->pin.p[i] >= '0' && b->pin.p[i] <= '9';
    if (!digits)
        field_errors_add(errors, &c->arena, STR("/pin"), "must be %d digits", PIN_LEN);
    if (errors->count == 0 && b->pin.p == NULL && b->name.p == NULL && b->photo_id.p == NULL &&
        b->signature_id.p == NULL)
        field_errors_add(errors, &c->arena, STR(""),
                         "must have one of pin, name, photo_id, signature_id at least");
}

/* ---- giving proof ---- */

static void attached(struct call *c, struct file_claim *claims, int32_t count, void *arg) {
    struct proof_args *args = arg;
    (void)count;
    args->claims = claims;
    call_command(c, &booking_proof, c->params[0], args);
}

static void add_claim(struct file_claim *claims, int32_t *count, struct str id, const char *pointer,
                      struct arena *a) {
    if (id.p != NULL)
        claims[(*count)++] = (struct file_claim){.id = id,
                                                 .pointer = pointer,
                                                 .types = FILE_IMAGES,
                                                 .refusal = arena_new(a, struct response)};
}

/* Pictures are attached to the booking first; so nothing that is named can be gone. Only its driver
 * attaches anything. Whatever stands in the way, the command is sent: the request may be one that
 * was answered before. */
void handle_proof(struct call *c) {
    const struct booking_service *s = c->service;
    struct proof_args *args = arena_new(&c->arena, struct proof_args);
    struct file_claim *claims = arena_array(&c->arena, struct file_claim, FILE_CLAIMS_MAX);
    int32_t count = 0;
    args->body = *(const struct proof_body *)c->body;
    add_claim(claims, &count, args->body.photo_id, "/photo_id", &c->arena);
    add_claim(claims, &count, args->body.signature_id, "/signature_id", &c->arena);
    if (!id_valid(c->params[0], "bkg")) {
        call_problem(c, PROBLEM_NOT_FOUND, "there is no such booking");
        return;
    }
    void *b = NULL;
    int err = count > 0 ? aggregate_get(&booking_aggregate, c->worker->reader, c->worker->parser,
                                        c->params[0], &c->arena, &b)
                        : 0;
    if (err < 0 && err != ERR_NOT_FOUND)
        call_error(c, err);
    else if (b == NULL || s->o.files == NULL || (booking_hats(b, &c->who) & HAT_DRIVER) == 0)
        attached(c, NULL, 0, args);
    else
        s->o.files->ops->attach(s->o.files, c, c->params[0], claims, count, attached, args);
}

/* ---- PINs ---- */

void handle_pins(struct call *c) {
    const struct booking *b = visible_booking(c);
    struct buf out;
    struct jw w;
    if (b == NULL)
        return;
    buf_init(&out, &c->arena, 256);
    jw_init(&w, &out);
    jw_object(&w);
    jw_key(&w, "items");
    jw_array(&w);
    for (int32_t i = 0; i < b->stop_count; i++) {
        const struct stop_proof *p = b->stops[i].proof;
        char room[ULID_TEXT_LEN + SECRET_LEN];
        if (p == NULL || p->pin.p == NULL)
            continue;
        jw_object(&w);
        jw_kv_i64(&w, "stop", i);
        jw_kv_str(&w, "pin", p->pin);
        jw_kv_str(&w, "tracking_token", tracking_stop_token(b, i, room));
        jw_end(&w);
    }
    jw_end(&w);
    jw_key(&w, "next_cursor"); /* stops are few: they come whole */
    jw_null(&w);
    jw_end(&w);
    response_header(&c->response, "Cache-Control", STR("no-store"));
    call_json(c, 200, buf_str(&out));
}
