/* The chain and the bundle: custody.h tells their form. */
#include "services/booking/custody.h"

#include "base/check.h"
#include "services/booking/internal.h"

#define SALT_BYTES SECRET_BYTES

/* ---- the texts that are hashed ---- */

static void maybe(struct jw *w, const char *key, struct str value) {
    if (value.p != NULL)
        jw_kv_str(w, key, value);
}

static void write_sealed(struct jw *w, const struct timeline_entry *t) {
    jw_object(w);
    maybe(w, "salt", t->salt);
    maybe(w, "actor_id", t->actor_id);
    maybe(w, "reason", t->reason);
    maybe(w, "driver_id", t->driver_id);
    maybe(w, "offer_id", t->offer_id);
    if (t->proof.p != NULL) {
        jw_key(w, "proof");
        jw_raw(w, t->proof);
    }
    jw_end(w);
}

static void write_entry(struct jw *w, const struct timeline_entry *t, int32_t seq,
                        struct str seal) {
    jw_object(w);
    jw_kv_i64(w, "seq", seq);
    jw_kv_time(w, "at", t->at_us);
    jw_kv_str(w, "type", str_from(entry_type_names[t->type]));
    jw_kv_str(w, "state", str_from(booking_state_names[t->state]));
    jw_kv_str(w, "actor", str_from(entry_actor(t)));
    if (t->stop != I64_ABSENT)
        jw_kv_i64(w, "stop", t->stop);
    if (t->stars != I64_ABSENT)
        jw_kv_i64(w, "stars", t->stars);
    if (t->amount != I64_ABSENT)
        jw_kv_i64(w, "amount", t->amount);
    if (t->from.p != NULL) {
        jw_key(w, "from");
        jw_raw(w, t->from);
    }
    jw_kv_str(w, "seal", seal);
    jw_end(w);
}

struct str custody_seal(const struct timeline_entry *t, struct arena *a) {
    struct buf out;
    struct jw w;
    if (t->seal.p != NULL)
        return t->seal;
    buf_init(&out, a, 256);
    jw_init(&w, &out);
    write_sealed(&w, t);
    struct str text = buf_str(&out);
    return digest_of(&text, 1, a);
}

static struct str link_to(struct str before, const struct timeline_entry *t, int32_t seq,
                          struct arena *a) {
    struct buf out;
    struct jw w;
    buf_init(&out, a, 256);
    jw_init(&w, &out);
    write_entry(&w, t, seq, custody_seal(t, a));
    const struct str texts[] = {before, STR("\n"), buf_str(&out)};
    return digest_of(texts, COUNT_OF(texts), a);
}

struct str custody_first_link(struct str booking_id, struct arena *a) {
    const struct str texts[] = {STR(CUSTODY_MARK "\n"), booking_id};
    return digest_of(texts, COUNT_OF(texts), a);
}

static struct str draw_salt(struct entropy *e, struct arena *a) {
    unsigned char bytes[SALT_BYTES];
    char *text = arena_bytes(a, SECRET_LEN + 1);
    e->fill(e, bytes, sizeof(bytes));
    tracking_secret(bytes, text);
    return (struct str){text, SECRET_LEN};
}

void custody_chain(struct booking *b, struct str id, int32_t from, struct entropy *e,
                   struct arena *a) {
    for (int32_t i = from; i < b->timeline_count; i++) {
        struct timeline_entry *t = &b->timeline[i];
        bool chained = i > 0 && b->timeline[i - 1].chain.p != NULL;
        if (t->reason.p != NULL || t->proof.p != NULL)
            t->salt = draw_salt(e, a);
        t->chain =
            link_to(chained ? b->timeline[i - 1].chain : custody_first_link(id, a), t, i + 1, a);
    }
}

/* ---- the bundle ---- */

static int32_t unchained(const struct booking *b) {
    int32_t n = 0;
    while (n < b->timeline_count && b->timeline[n].chain.p == NULL)
        n++;
    return n;
}

static void head_line(struct buf *out, const struct booking *b, bool staff, int64_t now_us) {
    struct jw w;
    jw_init(&w, out);
    jw_object(&w);
    jw_kv_i64(&w, "custody", 1);
    jw_kv_str(&w, "booking_id", b->head.id);
    jw_kv_str(&w, "code", b->code);
    jw_kv_str(&w, "state", str_from(booking_state_names[b->state]));
    jw_kv_i64(&w, "version", b->head.version);
    jw_kv_str(&w, "shown_to", staff ? STR("staff") : STR("customer"));
    jw_kv_time(&w, "made_at", now_us);
    jw_kv_i64(&w, "entries", b->timeline_count);
    jw_kv_i64(&w, "unchained", unchained(b));
    jw_end(&w);
    buf_add_cstr(out, "\n");
}

/* What was erased is not there to be shown, what is staff's business is not shown. */
static void entry_line(struct buf *out, const struct timeline_entry *t, int32_t seq, bool open,
                       struct arena *a) {
    struct jw w;
    jw_init(&w, out);
    jw_object(&w);
    jw_key(&w, "entry");
    write_entry(&w, t, seq, custody_seal(t, a));
    if (open && t->seal.p == NULL) {
        jw_key(&w, "sealed");
        write_sealed(&w, t);
    }
    jw_kv_str(&w, "chain", t->chain);
    jw_end(&w);
    buf_add_cstr(out, "\n");
}

static void proof_line(struct buf *out, const struct booking *b, int32_t i) {
    struct jw w;
    jw_init(&w, out);
    jw_object(&w);
    jw_kv_i64(&w, "stop", i);
    jw_key(&w, "proof");
    jw_object(&w);
    proof_write(&w, b, i, true);
    jw_end(&w);
    jw_end(&w);
    buf_add_cstr(out, "\n");
}

struct str custody_text(const struct booking *b, bool staff, int64_t now_us, struct arena *a) {
    struct buf out;
    buf_init(&out, a, 4096);
    head_line(&out, b, staff, now_us);
    for (int32_t i = 0; i < b->timeline_count; i++) {
        const struct timeline_entry *t = &b->timeline[i];
        entry_line(&out, t, i + 1, staff || !booking_entry_confidential(t), a);
    }
    for (int32_t i = 0; i < b->stop_count; i++) {
        if (b->stops[i].proof != NULL)
            proof_line(&out, b, i);
    }
    return buf_str(&out);
}

struct str custody_signature(struct str digest, const struct signature *s, struct arena *a) {
    struct buf out;
    struct jw w;
    buf_init(&out, a, 512);
    jw_init(&w, &out);
    jw_object(&w);
    jw_key(&w, "signature");
    jw_object(&w);
    jw_kv_str(&w, "alg", STR("EdDSA"));
    jw_kv_str(&w, "kid", s->kid);
    jw_kv_str(&w, "x", s->public_b64);
    jw_kv_str(&w, "digest", digest);
    jw_kv_str(&w, "value", s->value_b64);
    jw_end(&w);
    jw_end(&w);
    buf_add_cstr(&out, "\n");
    return buf_str(&out);
}
