/* Proof of delivery, as the oracle sees it: no stop is done without what it asked for, and what a
 * proof names is there, from the commit on and for ever. */
#include "sim/oracle.h"

#include "base/check.h"

#include <stdio.h>
#include <string.h>

enum { PIN = 1 << 1, PHOTO = 1 << 2, SIGNATURE = 1 << 3, NAME = 1 << 4 };

static void check_file(struct oracle *o, const struct shadow_booking *b, struct json_value proof,
                       const char *member) {
    struct json_value file;
    if (!json_get(proof, member, &file) || json_kind(file) != JSON_IS_OBJECT)
        return;
    struct str sha = sim_json_str(file, "sha256");
    SIM_EXPECT(o->sim, memory_blobs_has(o->sim->blobs, sha), "what a proof names is there",
               "the %s of %s is not: %.*s", member, b->id, STR_ARG(sha));
    struct shadow_blob *blob = arena_new(&o->sim->arena, struct shadow_blob);
    snprintf(blob->sha256, sizeof(blob->sha256), "%.*s", STR_ARG(sha));
    snprintf(blob->booking_id, sizeof(blob->booking_id), "%s", b->id);
    blob->next = o->first_blob;
    o->first_blob = blob;
}

/* What the document itself shows of it, whatever it says was given. */
static int64_t shown_by(struct json_value proof, int64_t given) {
    struct json_value file;
    int64_t shown = given & PIN;
    if (sim_json_str(proof, "name").len > 0)
        shown |= NAME;
    if (json_get(proof, "photo", &file) && sim_json_str(file, "sha256").len > 0)
        shown |= PHOTO;
    if (json_get(proof, "signature", &file) && sim_json_str(file, "sha256").len > 0)
        shown |= SIGNATURE;
    return shown;
}

void oracle_proofs(struct oracle *o, struct json_value root, struct shadow_booking *b) {
    struct json_value stops, proof;
    int32_t i = 0;
    if (!json_get(root, "stops", &stops))
        return;
    for (struct json_iter it = json_iter(stops); json_next(&it); i++) {
        if (!json_get(it.value, "proof", &proof) || json_kind(proof) != JSON_IS_OBJECT)
            continue;
        int64_t required = sim_json_i64(proof, "required"), given = sim_json_i64(proof, "given");
        int64_t missing = required & ~shown_by(proof, given);
        CHECK(i < SHADOW_STOPS_MAX);
        snprintf(b->pins[i], sizeof(b->pins[i]), "%.*s", STR_ARG(sim_json_str(proof, "pin")));
        SIM_EXPECT(o->sim, !str_is(sim_json_str(it.value, "state"), "done") || missing == 0,
                   "no stop is done without its proof", "stop %d of %s lacks %lld", i, b->id,
                   (long long)missing);
        check_file(o, b, proof, "photo");
        check_file(o, b, proof, "signature");
    }
}

/* Every entry of a timeline is chained, and the chain that somebody may have is never another. */
void oracle_custody(struct oracle *o, struct json_value root, struct shadow_booking *b) {
    struct json_value timeline;
    int32_t before = b->entries, n = 0;
    if (!json_get(root, "timeline", &timeline))
        return;
    for (struct json_iter it = json_iter(timeline); json_next(&it);) {
        struct str chain = sim_json_str(it.value, "chain");
        SIM_EXPECT(o->sim, chain.len > 0, "every entry is chained", "entry %d of %s is not", n + 1,
                   b->id);
        SIM_EXPECT(o->sim, ++n != before || str_is(chain, b->chain), "the chain only grows",
                   "entry %d of %s is chained anew", n, b->id);
        if (n > before)
            snprintf(b->chain, sizeof(b->chain), "%.*s", STR_ARG(chain));
    }
    SIM_EXPECT(o->sim, n >= before, "the chain only grows", "%s has lost entries", b->id);
    b->entries = n;
}

void oracle_proof_verdict(struct sim *sim) {
    const struct oracle *o = sim->oracle;
    for (const struct shadow_blob *blob = o->first_blob; blob != NULL; blob = blob->next)
        SIM_EXPECT(sim, memory_blobs_has(sim->blobs, str_from(blob->sha256)),
                   "what a proof names is there", "%s of %s has gone", blob->sha256,
                   blob->booking_id);
}

struct str oracle_pin(struct sim *sim, const char *booking_id, int64_t stop) {
    const struct shadow_booking *b = shadow_booking(sim->oracle, str_from(booking_id));
    return b != NULL && stop < SHADOW_STOPS_MAX ? str_from(b->pins[stop]) : STR_NONE;
}
