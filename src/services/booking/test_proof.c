/* Proof of delivery, decision by decision: what is asked for, what is given, and what is refused.
 */
#include "services/booking/test_world.h"

#include "base/timestamp.h"

#define PIN "4711"

/* At stop 1 of 2, which asks for KINDS. */
static struct world *world_at_stop(int64_t kinds) {
    struct world *w = world_new(21);
    create(w, 2);
    struct stop_proof *p = w->b->stops[1].proof = arena_new(&w->arena, struct stop_proof);
    p->required = kinds;
    if ((kinds & PROOF(PROOF_PIN)) != 0) {
        p->pin = STR(PIN);
        p->secret = STR("0123456789abcdefghijkl");
    }
    accept(w, 0, offer(w, 0));
    status(w, 0, BOOKING_ARRIVED_PICKUP, 0);
    status(w, 0, BOOKING_PICKED_UP, 0);
    assert_int_equal(status(w, 0, BOOKING_ARRIVED_DROPOFF, 1), 200);
    return w;
}

static int prove(struct world *w, int driver, struct proof_body body) {
    struct proof_args *args = arena_new(&w->arena, struct proof_args);
    struct file_claim *claims = arena_array(&w->arena, struct file_claim, 2);
    struct str sha = STR("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08");
    int n = 0;
    if (body.photo_id.p != NULL)
        claims[n++] = (struct file_claim){.id = body.photo_id, .sha256 = sha};
    if (body.signature_id.p != NULL)
        claims[n++] = (struct file_claim){.id = body.signature_id, .sha256 = sha};
    body.version = I64_ABSENT;
    *args = (struct proof_args){body, claims};
    return run(w, &booking_proof, w->drivers[driver], args, NULL);
}

static int tell(struct world *w, const char *pin) {
    return prove(w, 0, (struct proof_body){.stop = 1, .pin = str_from(pin)});
}

static const struct str fil_1 = {"fil_01M850A1E7QCRB3XG104WRR17N", 30};

static void not_done_without(void **unused) {
    (void)unused;
    struct world *w = world_at_stop(PROOF(PROOF_PIN) | PROOF(PROOF_PHOTO) | PROOF(PROOF_SIGNATURE) |
                                    PROOF(PROOF_NAME));
    assert_int_equal(status(w, 0, BOOKING_DELIVERED, 1), 409);
    assert_true(body_has(w, "/problems/proof-missing"));
    assert_true(body_has(w, "\"stop\":1,\"missing\":[\"pin\",\"photo\",\"signature\",\"name\"]"));
    assert_int_equal(prove(w, 0, (struct proof_body){.stop = 1, .photo_id = fil_1}), 200);
    assert_int_equal(prove(w, 0, (struct proof_body){.stop = 1, .name = STR("Bo")}), 200);
    assert_int_equal(tell(w, PIN), 200);
    assert_true(told(w, EV_BOOKING_PROOF, ""));
    assert_int_equal(status(w, 0, BOOKING_DELIVERED, 1), 409);
    assert_true(body_has(w, "\"missing\":[\"signature\"]"));
    assert_int_equal(prove(w, 0, (struct proof_body){.stop = 1, .signature_id = fil_1}), 200);
    assert_true(body_has(w, "\"missing\":[]") && body_has(w, "\"name\":\"Bo\""));
    assert_int_equal(status(w, 0, BOOKING_DELIVERED, 1), 200);
    assert_int_equal(w->b->state, BOOKING_DELIVERED);
    assert_int_equal(prove(w, 0, (struct proof_body){.stop = 1, .name = STR("Bo")}), 409);
    world_free(w);
}

/* What a driver who may not know it is told, never has the PIN in it. */
static void the_pin_is_not_shown(void **unused) {
    (void)unused;
    struct world *w = world_at_stop(PROOF(PROOF_PIN));
    struct live live = {0};
    assert_null(memmem(w->d.response.body.p, w->d.response.body.len, PIN, 4));
    for (int32_t i = 0; i < w->d.event_count; i++)
        assert_null(memmem(w->d.events[i].data.p, w->d.events[i].data.len, PIN, 4));
    struct str of_booking = booking_tracking_view(w->b, &live, -1, &w->arena);
    struct str of_stop = booking_tracking_view(w->b, &live, 1, &w->arena);
    assert_null(memmem(of_booking.p, of_booking.len, PIN, 4));
    assert_non_null(memmem(of_stop.p, of_stop.len, "\"pin\":\"" PIN, 11));
    world_free(w);
}

static void wrong_pins_and_the_pause(void **unused) {
    (void)unused;
    struct world *w = world_at_stop(PROOF(PROOF_PIN));
    for (int i = 1; i <= PIN_TRIES_MAX; i++) {
        assert_int_equal(tell(w, "0000"), 422);
        assert_true(body_has(w, "/pin"));
        assert_int_equal(w->b->stops[1].proof->tries, i);
    }
    int64_t version = w->b->head.version;
    assert_int_equal(tell(w, PIN), 429); /* the right one, too */
    assert_int_equal(w->b->head.version, version);
    assert_int_equal(status(w, 0, BOOKING_DELIVERED, 1), 409);
    w->now_us += PIN_PAUSE_US - 1;
    assert_int_equal(tell(w, PIN), 429);
    w->now_us += 1;
    assert_int_equal(tell(w, "0001"), 422); /* five more */
    assert_int_equal(w->b->stops[1].proof->tries, 1);
    assert_int_equal(tell(w, PIN), 200);
    assert_int_equal(status(w, 0, BOOKING_DELIVERED, 1), 200);
    world_free(w);
}

static void who_and_when(void **unused) {
    (void)unused;
    struct world *w = world_at_stop(PROOF(PROOF_NAME));
    struct proof_body name = {.stop = 1, .name = STR("Bo")};
    assert_int_equal(prove(w, 1, name), 404); /* not his booking */
    struct proof_args *args = arena_new(&w->arena, struct proof_args);
    args->body = name;
    args->body.version = I64_ABSENT;
    assert_int_equal(run(w, &booking_proof, w->customer, args, NULL), 403);
    args->body.version = 1;
    assert_int_equal(run(w, &booking_proof, w->drivers[0], args, NULL), 409);
    name.stop = 0;
    assert_int_equal(prove(w, 0, name), 409); /* another stop */
    assert_int_equal(tell(w, PIN), 422);      /* none is asked for */
    name.stop = 1;
    for (int i = 0; i < PROOF_CHANGES_MAX; i++)
        assert_int_equal(prove(w, 0, name), 200);
    assert_int_equal(prove(w, 0, name), 422);
    world_free(w);
    w = world_new(3); /* nobody has arrived yet */
    create(w, 2);
    accept(w, 0, offer(w, 0));
    name.stop = 0;
    assert_int_equal(prove(w, 0, name), 409);
    status(w, 0, BOOKING_ARRIVED_PICKUP, 0);
    assert_int_equal(prove(w, 0, name), 200); /* of his own accord, at the pickup */
    assert_true(body_has(w, "\"required\":[],\"missing\":[],\"given\":{"));
    world_free(w);
}

/* A newer picture takes the place of the one before, which is let go. */
static void a_picture_is_replaced(void **unused) {
    (void)unused;
    struct world *w = world_at_stop(PROOF(PROOF_PHOTO));
    struct str other = STR("fil_01M850A1E7QCRB3XG104WRR18N");
    struct proof_args *args = arena_new(&w->arena, struct proof_args);
    struct file_claim claim = {.id = other, .sha256 = STR("ab")};
    assert_int_equal(prove(w, 0, (struct proof_body){.stop = 1, .photo_id = fil_1}), 200);
    *args = (struct proof_args){{.stop = 1, .version = I64_ABSENT, .photo_id = other}, &claim};
    struct command cmd = {.type = &booking_proof,
                          .service = w->service,
                          .id = w->id,
                          .args = args,
                          .who = w->drivers[0],
                          .arena = &w->arena};
    struct decide_ctx ctx = {
        .now_us = w->now_us, .rng = &w->rng, .entropy = &w->entropy, .arena = &w->arena};
    w->d = (struct decision){0};
    booking_proof.decide(&cmd, &ctx, w->b, &w->d);
    assert_int_equal(w->d.event_count, 2);
    assert_true(told_of(w, EV_FILE_RELEASED, fil_1));
    assert_true(told_of(w, EV_BOOKING_PROOF, other));
    world_free(w);
}

/* PINs and links are drawn for those stops alone that ask for one, and all differ. */
static void what_is_asked_for(void **unused) {
    (void)unused;
    struct world *w = world_new(9);
    struct str pin[] = {STR("pin"), STR("name")}, none[] = {STR("none")};
    struct stop_body stops[] = {
        {0}, {.proof = pin, .proof_count = 2}, {.proof = none, .proof_count = 1}};
    struct create_body body = {.stops = stops, .stop_count = 3};
    const struct booking_service *s = w->service;
    assert_int_equal(proof_asked(s, &body, 0), 0);
    assert_int_equal(proof_asked(s, &body, 1), PROOF(PROOF_PIN) | PROOF(PROOF_NAME));
    w->service->o.proof_default = (int32_t)PROOF(PROOF_PHOTO);
    assert_int_equal(proof_asked(s, &body, 0), 0); /* the pickup */
    assert_int_equal(proof_asked(s, &body, 2), 0); /* says so itself */
    assert_int_equal(proof_asked(s, &body, 3), PROOF(PROOF_PHOTO));
    struct stop_secret *secrets = proof_secrets(s, &body, 3, &w->arena);
    assert_non_null(secrets);
    assert_int_equal(strlen(secrets[1].pin), PIN_LEN);
    body.stop_count = 1;
    assert_null(proof_secrets(s, &body, 3, &w->arena));
    world_free(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(not_done_without),         cmocka_unit_test(the_pin_is_not_shown),
        cmocka_unit_test(wrong_pins_and_the_pause), cmocka_unit_test(who_and_when),
        cmocka_unit_test(a_picture_is_replaced),    cmocka_unit_test(what_is_asked_for),
    };
    return cmocka_run_group_tests_name("booking proof", tests, NULL, NULL);
}
