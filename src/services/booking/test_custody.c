/* The chain of custody: what is chained as it is written, the bundle's form, and that every kind of
 * change is found and named. */
#include "services/booking/custody.h"
#include "services/booking/erase.h"
#include "services/booking/test_world.h"

#include "runtime/token.h"

#define KID "key_01M850A1E7QCRB3XG104WRR17N"

/* TEXT with its last line, by a key made of N. */
static struct str sealed_by(struct world *w, unsigned char n, struct str text) {
    const unsigned char seed[SIGNATURE_SEED_BYTES] = {n};
    struct signature s;
    struct str digest = digest_of(&text, 1, &w->arena);
    signature_make(seed, STR(KID), STR(CUSTODY_MARK), digest, &w->arena, &s);
    struct str last = custody_signature(digest, &s, &w->arena);
    return arena_printf(&w->arena, "%.*s%.*s", STR_ARG(text), STR_ARG(last));
}

/* That key, as a platform publishes its own. */
static struct str jwks_of(struct world *w, unsigned char n) {
    const unsigned char seed[SIGNATURE_SEED_BYTES] = {n};
    struct signature s;
    signature_make(seed, STR(KID), STR("any"), STR(""), &w->arena, &s);
    return arena_printf(&w->arena,
                        "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"%s\","
                        "\"x\":\"%.*s\"}]}",
                        KID, STR_ARG(s.public_b64));
}

/* Delivered, with a name and a picture for it. */
static struct world *delivered(void) {
    struct world *w = world_new(31);
    create(w, 2);
    w->b->stops[1].proof = arena_new(&w->arena, struct stop_proof);
    accept(w, 0, offer(w, 0));
    status(w, 0, BOOKING_ARRIVED_PICKUP, 0);
    status(w, 0, BOOKING_PICKED_UP, 0);
    status(w, 0, BOOKING_ARRIVED_DROPOFF, 1);
    struct proof_args *args = arena_new(&w->arena, struct proof_args);
    struct file_claim *claim = arena_new(&w->arena, struct file_claim);
    claim->id = STR("fil_01M850A1E7QCRB3XG104WRR17N");
    claim->sha256 = STR("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08");
    *args = (struct proof_args){
        {.stop = 1, .name = STR("Bo \"B\" Ek"), .photo_id = claim->id, .version = I64_ABSENT},
        claim};
    assert_int_equal(run(w, &booking_proof, w->drivers[0], args, NULL), 200);
    assert_int_equal(status(w, 0, BOOKING_DELIVERED, 1), 200);
    return w;
}

static struct custody_report looked_at(struct world *w, struct str bundle, struct str jwks) {
    struct custody_report r;
    custody_check(bundle, jwks, &w->arena, &r);
    return r;
}

static bool told_fault(const struct custody_report *r, const char *words) {
    for (int32_t i = 0; i < r->fault_count; i++) {
        if (memmem(r->faults[i].p, r->faults[i].len, words, strlen(words)) != NULL)
            return true;
    }
    return false;
}

static void zeros(struct entropy *e, void *out, size_t n) {
    (void)e;
    memset(out, 0, n);
}

/* The texts that are hashed are fixed: whoever kept a bundle can check it with next year's lorry.
 */
static void the_canonical_form(void **unused) {
    (void)unused;
    struct arena a;
    arena_init(&a, 4096);
    struct timeline_entry t[2] = {{.at_us = INT64_C(1795514400123000),
                                   .type = ENTRY_REQUESTED,
                                   .state = BOOKING_REQUESTED,
                                   .actor_kind = ROLE_CUSTOMER,
                                   .actor_id = STR("usr_1"),
                                   .stop = I64_ABSENT,
                                   .stars = I64_ABSENT,
                                   .amount = I64_ABSENT},
                                  {.at_us = INT64_C(1795514401000000),
                                   .type = ENTRY_PROGRESSED,
                                   .state = BOOKING_PICKED_UP,
                                   .stop = 0,
                                   .stars = I64_ABSENT,
                                   .amount = I64_ABSENT}};
    struct booking b = {.head.id = STR("bkg_1"),
                        .code = STR("ABCDEF"),
                        .timeline = t,
                        .timeline_count = 2,
                        .state = BOOKING_PICKED_UP};
    struct entropy none = {zeros};
    custody_chain(&b, b.head.id, 0, &none, &a);
    struct str text = custody_text(&b, true, INT64_C(1795514402000000), &a);
    struct str sealed = STR("{\"actor_id\":\"usr_1\"}");
    struct str entry = arena_printf(
        &a,
        "{\"seq\":1,\"at\":\"2026-11-24T10:00:00.123Z\",\"type\":\"booking.requested\","
        "\"state\":\"requested\",\"actor\":\"customer\",\"seal\":\"%.*s\"}",
        STR_ARG(digest_of(&sealed, 1, &a)));
    struct str start = STR("lorry custody 1\nbkg_1");
    const struct str link[] = {digest_of(&start, 1, &a), STR("\n"), entry};
    struct str chain = digest_of(link, 3, &a);
    struct str line = arena_printf(&a, "{\"entry\":%.*s,\"sealed\":%.*s,\"chain\":\"%.*s\"}\n",
                                   STR_ARG(entry), STR_ARG(sealed), STR_ARG(chain));
    if (memmem(text.p, text.len, line.p, line.len) == NULL)
        fail_msg("%.*s\nis not in\n%.*s", STR_ARG(line), STR_ARG(text));
    assert_true(str_eq(t[0].chain, chain) && !str_eq(t[1].chain, chain));
    arena_free(&a);
}

static void good_ones(void **unused) {
    (void)unused;
    struct world *w = delivered();
    struct str bundle = sealed_by(w, 1, custody_text(w->b, true, w->now_us, &w->arena));
    struct custody_report r = looked_at(w, bundle, STR_NONE);
    assert_int_equal(r.fault_count, 0);
    assert_int_equal(r.entries, w->b->timeline_count);
    assert_int_equal(r.unchained + r.sealed, 0);
    assert_int_equal(looked_at(w, bundle, jwks_of(w, 1)).fault_count, 0);
    assert_true(custody_names(bundle, w->b->stops[1].proof->photo.sha256));
    assert_false(custody_names(bundle, digest_hex(STR("another"), &w->arena)));
    /* its customer is shown less, and it holds as well */
    bundle = sealed_by(w, 1, custody_text(w->b, false, w->now_us, &w->arena));
    r = looked_at(w, bundle, jwks_of(w, 1));
    assert_int_equal(r.fault_count, 0);
    assert_int_equal(r.sealed, 1); /* the offer */
    /* … by a key that is not the platform's */
    r = looked_at(w, bundle, jwks_of(w, 2));
    assert_true(told_fault(&r, "is not the platform's key of that name"));
    r = looked_at(w, bundle, STR("{\"keys\":[]}"));
    assert_true(told_fault(&r, "is not among the platform's keys"));
    r = looked_at(w, bundle, STR("{\"keys\":"));
    assert_true(told_fault(&r, "no JWKS document"));
    world_free(w);
}

/* Wherever one bit of it is another. */
static void every_byte_counts(void **unused) {
    (void)unused;
    struct world *w = delivered();
    struct str bundle = sealed_by(w, 1, custody_text(w->b, false, w->now_us, &w->arena));
    char *changed = malloc(bundle.len);
    for (size_t i = 0; i < bundle.len; i++) {
        struct arena a;
        struct custody_report r;
        arena_init(&a, 65536);
        memcpy(changed, bundle.p, bundle.len);
        changed[i] ^= (char)(1 << (i % 7));
        custody_check((struct str){changed, bundle.len}, STR_NONE, &a, &r);
        if (r.fault_count == 0)
            fail_msg("byte %zu was changed and nothing was found:\n%.*s", i, (int)bundle.len,
                     changed);
        custody_check((struct str){bundle.p, i}, STR_NONE, &a, &r);
        assert_true(r.fault_count > 0); /* cut off there */
        arena_free(&a);
    }
    free(changed);
    world_free(w);
}

static struct str replaced(struct world *w, struct str in, const char *from, const char *to) {
    const char *at = memmem(in.p, in.len, from, strlen(from));
    if (at == NULL)
        fail_msg("%s is not in %.*s", from, STR_ARG(in));
    size_t before = (size_t)(at - in.p), after = before + strlen(from);
    return arena_printf(&w->arena, "%.*s%s%.*s", (int)before, in.p, to, (int)(in.len - after),
                        in.p + after);
}

static struct str without_line(struct world *w, struct str in, const char *with) {
    const char *at = memmem(in.p, in.len, with, strlen(with));
    assert_non_null(at);
    const char *begin = at, *end = memchr(at, '\n', (size_t)(in.p + in.len - at));
    while (begin[-1] != '\n')
        begin--;
    return arena_printf(&w->arena, "%.*s%.*s", (int)(begin - in.p), in.p,
                        (int)(in.p + in.len - end - 1), end + 1);
}

/* Whoever can sign anew (or the platform, of a store that was changed) is found by the chain. */
static void what_was_changed_is_named(void **unused) {
    (void)unused;
    struct world *w = delivered();
    struct str text = custody_text(w->b, true, w->now_us, &w->arena);
    static const struct {
        const char *from, *to, *fault;
    } changes[] = {
        {"\"seq\":4,\"at\":\"2026", "\"seq\":4,\"at\":\"2025", "entry 4 (booking.progressed, 2025"},
        {"\"state\":\"arrived_pickup\"", "\"state\":\"picked_up\"", "its chain does not fit"},
        {"\"actor\":\"customer\"", "\"actor\":\"admin\"", "entry 1 (booking.requested"},
        {"Bo \\\"B\\\" Ek", "Al", "booking.proof_given"},
        {"Bo \\\"B\\\" Ek", "Al", "what is sealed in it"},
        {"\"sha256\":\"9f86", "\"sha256\":\"9f87", "what is sealed in it"},
        {"\"seq\":3,", "\"seq\": 3,", "line 4 is not in the canonical form"},
        {"\"seq\":2,", "\"seq\":1,", "stands in the wrong place"},
        {"\"custody\":1", "\"custody\":2", "custody bundle of version 1"},
        {"{\"stop\":1,\"proof\"", "{\"stop\":1,\"roof\"", "nothing that a bundle has there"},
        {"\"entry\":{\"seq\":6", "\"entri\":{\"seq\":6", "entry 6 is missing"},
    };
    for (size_t i = 0; i < COUNT_OF(changes); i++) {
        struct str forged = replaced(w, text, changes[i].from, changes[i].to);
        struct custody_report r = looked_at(w, sealed_by(w, 1, forged), jwks_of(w, 1));
        if (!told_fault(&r, changes[i].fault))
            fail_msg("%s: %s was not told; %d faults, the first: %.*s", changes[i].to,
                     changes[i].fault, r.fault_count, STR_ARG(r.faults[0]));
        if (told_fault(&r, "those that were signed"))
            fail_msg("%s: its signature is good", changes[i].to);
    }
    struct custody_report r =
        looked_at(w, sealed_by(w, 1, without_line(w, text, "\"seq\":3,")), jwks_of(w, 1));
    assert_true(told_fault(&r, "entry 3 is missing"));
    struct str last = arena_printf(&w->arena, "\"seq\":%d,", (int)w->b->timeline_count);
    r = looked_at(w, sealed_by(w, 1, without_line(w, text, last.p)), jwks_of(w, 1));
    assert_true(told_fault(&r, "is missing"));
    /* what the chain does not hold, the signature does */
    struct str bundle = sealed_by(w, 1, text);
    r = looked_at(w,
                  replaced(w, bundle, "\"stop\":1,\"proof\":{\"required\":[]",
                           "\"stop\":1,\"proof\":{\"required\":[\"pin\"]"),
                  jwks_of(w, 1));
    assert_true(told_fault(&r, "the chain holds"));
    r = looked_at(w, arena_printf(&w->arena, "%.*s\n", STR_ARG(bundle)), STR_NONE);
    assert_true(told_fault(&r, "behind the signature"));
    world_free(w);
}

/* Each member of each entry, and of what is sealed in it, changed by somebody who signs it anew:
 * the chain or the seal tells. The first line's booking is held by the chain as well. */
static void each_field_of_an_entry(void **unused) {
    (void)unused;
    static const char *const members[] = {
        "\"at\":\"",        "\"type\":\"",     "\"state\":\"",    "\"actor\":\"", "\"seal\":\"",
        "\"chain\":\"",     "\"salt\":\"",     "\"actor_id\":\"", "\"name\":\"",  "\"sha256\":\"",
        "\"driver_id\":\"", "\"offer_id\":\"", "\"stop\":",       "\"seq\":",
    };
    struct world *w = delivered();
    struct str text = custody_text(w->b, true, w->now_us, &w->arena);
    const char *entries = memmem(text.p, text.len, "{\"entry\"", 8);
    const char *stops = memmem(text.p, text.len, "\n{\"stop\"", 8);
    assert_true(entries != NULL && stops != NULL);
    int32_t tried = 0;
    for (size_t m = 0; m < COUNT_OF(members); m++) {
        size_t len = strlen(members[m]);
        const char *p = entries;
        while ((p = memmem(p, (size_t)(stops - p), members[m], len)) != NULL) {
            size_t at = (size_t)(p - text.p) + len;
            struct str forged = arena_str(&w->arena, text);
            char *bytes = (char *)(uintptr_t)forged.p;
            bytes[at] = bytes[at] == '1' ? '2' : '1';
            struct custody_report r = looked_at(w, sealed_by(w, 1, forged), jwks_of(w, 1));
            if (r.fault_count == 0)
                fail_msg("%s at byte %zu was changed and nothing was found", members[m], at);
            assert_false(told_fault(&r, "those that were signed"));
            p += len;
            tried++;
        }
    }
    assert_in_range(tried, 50, 500);
    struct str forged = replaced(w, text, "\"booking_id\":\"bkg_", "\"booking_id\":\"bkh_");
    struct custody_report r = looked_at(w, sealed_by(w, 1, forged), jwks_of(w, 1));
    assert_true(told_fault(&r, "its chain does not fit"));
    world_free(w);
}

/* Each member of the last line. */
static void each_field_of_the_signature(void **unused) {
    (void)unused;
    static const char *const members[] = {"\"alg\":\"", "\"kid\":\"", "\"x\":\"", "\"digest\":\"",
                                          "\"value\":\""};
    struct world *w = delivered();
    struct str bundle = sealed_by(w, 1, custody_text(w->b, true, w->now_us, &w->arena));
    for (size_t m = 0; m < COUNT_OF(members); m++) {
        const char *p = memmem(bundle.p, bundle.len, "{\"signature\"", 12);
        p = memmem(p, (size_t)(bundle.p + bundle.len - p), members[m], strlen(members[m]));
        assert_non_null(p);
        struct str forged = arena_str(&w->arena, bundle);
        char *bytes = (char *)(uintptr_t)forged.p + (p - bundle.p) + strlen(members[m]);
        *bytes = *bytes == 'A' ? 'B' : 'A';
        assert_true(looked_at(w, forged, jwks_of(w, 1)).fault_count > 0);
    }
    world_free(w);
}

/* The pictures it names, each once: from the stops and from the timeline. */
static void its_pictures(void **unused) {
    (void)unused;
    struct world *w = delivered();
    struct str hex[CUSTODY_PICTURES_MAX];
    struct str text = custody_text(w->b, true, w->now_us, &w->arena);
    assert_int_equal(custody_pictures(text, hex), 1);
    assert_true(str_eq(hex[0], w->b->stops[1].proof->photo.sha256));
    assert_int_equal(custody_pictures(STR("\"sha256\":\"9f86"), hex), 0);
    assert_int_equal(custody_pictures(STR("a \\\"sha256\\\":\\\"9f86"), hex), 0);
    world_free(w);
}

/* An entry that was changed in the store, however well: the ones that follow are of another. */
static void a_changed_store(void **unused) {
    (void)unused;
    struct world *w = delivered();
    w->b->timeline[3].at_us -= 1;
    w->b->timeline_count = 4; /* made anew, it alone */
    custody_chain(w->b, w->b->head.id, 3, &w->entropy, &w->arena);
    w->b->timeline_count = 5;
    struct str bundle = sealed_by(w, 1, custody_text(w->b, true, w->now_us, &w->arena));
    struct custody_report r = looked_at(w, bundle, jwks_of(w, 1));
    assert_int_equal(r.fault_count, 1);
    assert_true(told_fault(&r, "entry 5 (booking."));
    world_free(w);
}

/* Erased words are gone, salt and all, and the chain holds. */
static void erased(void **unused) {
    (void)unused;
    struct world *w = delivered();
    assert_int_equal(booking_eraser.targets[0].judge(w->b, w->customer.user_id, &w->arena),
                     ERASE_WRITE);
    struct str text = custody_text(w->b, true, w->now_us, &w->arena);
    assert_null(memmem(text.p, text.len, "Ek", 2));
    assert_null(memmem(text.p, text.len, "\"salt\":", 7));
    struct custody_report r = looked_at(w, sealed_by(w, 1, text), jwks_of(w, 1));
    assert_int_equal(r.fault_count, 0);
    assert_int_equal(r.sealed, 1);
    assert_int_equal(booking_eraser.targets[0].judge(w->b, w->customer.user_id, &w->arena),
                     ERASE_KEEP);
    world_free(w);
}

/* So are those with which it went from hand to hand. */
static void erased_hands(void **unused) {
    (void)unused;
    struct world *w = world_new(35);
    create(w, 2);
    accept(w, 0, offer(w, 0));
    assert_int_equal(reassign(w, 1, "Ek is rude"), 202);
    struct str asked = w->b->offers[0].id;
    struct ev_claim *claim = claim_of(w, 1, asked);
    claim->manual = true;
    assert_int_equal(run(w, &booking_offered, (struct identity){0}, claim, NULL), 200);
    assert_true(str_eq(w->b->driver->offer_id, asked));
    int32_t worded = 0;
    for (int32_t i = 0; i < w->b->timeline_count; i++)
        worded += str_is(w->b->timeline[i].reason, "Ek is rude");
    assert_int_equal(worded, 2); /* that he was wanted, and that the first one lost it */
    assert_int_equal(cancel(w, w->customer), 200);
    assert_int_equal(booking_eraser.targets[0].judge(w->b, w->customer.user_id, &w->arena),
                     ERASE_WRITE);
    struct str text = custody_text(w->b, true, w->now_us, &w->arena);
    assert_null(memmem(text.p, text.len, "Ek is", 5));
    text = state_text(w, w->b);
    assert_null(memmem(text.p, text.len, "Ek is", 5));
    world_free(w);
}

/* Begun by the version before: what is new is chained, what was there is said not to be. */
static void begun_before(void **unused) {
    (void)unused;
    struct world *w = world_new(33);
    create(w, 2);
    for (int32_t i = 0; i < w->b->timeline_count; i++)
        w->b->timeline[i].chain = w->b->timeline[i].salt = STR_NONE;
    int32_t old = w->b->timeline_count;
    accept(w, 0, offer(w, 0));
    struct str text = custody_text(w->b, true, w->now_us, &w->arena);
    struct custody_report r = looked_at(w, sealed_by(w, 1, text), jwks_of(w, 1));
    assert_int_equal(r.fault_count, 0);
    assert_int_equal(r.unchained, old);
    assert_true(r.entries > old);
    world_free(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_canonical_form),     cmocka_unit_test(good_ones),
        cmocka_unit_test(every_byte_counts),      cmocka_unit_test(what_was_changed_is_named),
        cmocka_unit_test(a_changed_store),        cmocka_unit_test(erased),
        cmocka_unit_test(erased_hands),           cmocka_unit_test(begun_before),
        cmocka_unit_test(each_field_of_an_entry), cmocka_unit_test(each_field_of_the_signature),
        cmocka_unit_test(its_pictures),
    };
    return token_library_init() < 0 || cmocka_run_group_tests(tests, NULL, NULL);
}
