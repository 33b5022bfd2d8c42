/* The audit log: taking notes in, reading them in pages. */
#include "services/auth/audit_log.h"

#include "base/check.h"
#include "base/err.h"
#include "base/id.h"

#include <stddef.h>

#define NOTE(member) offsetof(struct audit_entry, note.member)
#define SHOWN (S_OUT | S_STORE)
static const struct schema_field audit_fields[] = {
    {"id", S_ID, S_OUT, offsetof(struct audit_entry, head.id), .hint = "aud"},
    {"at", S_TIME, SHOWN, offsetof(struct audit_entry, at_us)},
    {"action", S_STR, SHOWN, NOTE(action)},
    {"source", S_ENUM, SHOWN, NOTE(source), .names = audit_source_names},
    {"actor_id", S_STR, SHOWN | S_NULL, NOTE(actor_id)},
    {"actor_role", S_ENUM, SHOWN | S_NULL, NOTE(actor_role), .names = role_names},
    {"key_id", S_STR, SHOWN | S_NULL, NOTE(key_id)},
    {"subject_id", S_STR, SHOWN, NOTE(subject_id)},
    {"before", S_RAW, SHOWN | S_NULL, NOTE(before)},
    {"after", S_RAW, SHOWN | S_NULL, NOTE(after)},
    {"reason", S_STR, SHOWN | S_NULL, NOTE(reason)},
    {"request_id", S_STR, SHOWN | S_NULL, offsetof(struct audit_entry, request_id)},
};
static const struct schema audit_schema = SCHEMA(struct audit_entry, "AuditEntry", audit_fields);

enum { BY_ACTOR, BY_SUBJECT, BY_ACTION };
const struct store_collection audit_collection = {.name = "audit_log",
                                                  .indexes = {"actor", "subject", "action"}};

static void audit_keys(const void *state, struct arena *a, struct str ret_keys[STORE_KEYS_MAX]) {
    (void)a;
    const struct audit_entry *e = state;
    ret_keys[BY_ACTOR] = e->note.actor_id;
    ret_keys[BY_SUBJECT] = e->note.subject_id;
    ret_keys[BY_ACTION] = e->note.action;
}

const struct aggregate audit_aggregate = {
    .collection = &audit_collection, .schema = &audit_schema, .keys = audit_keys};

/* ---- in ---- */

static void record_decide(const struct command *cmd, const struct decide_ctx *ctx,
                          const void *state, struct decision *ret) {
    if (state == NULL)
        decision_state(ret, cmd, NULL,
                       arena_copy(ctx->arena, cmd->args, sizeof(struct audit_entry)));
}

static const struct command_type audit_record = {
    .name = "audit.record", .aggregate = &audit_aggregate, .decide = record_decide};

void on_audit_recorded(struct event_turn *t, const void *data) {
    const struct ev_audit *note = data;
    if (note->action.p == NULL || !id_valid(t->event->id, NULL))
        return; /* nothing was done */
    struct audit_entry *e = arena_new(t->arena, struct audit_entry);
    *e = (struct audit_entry){
        .at_us = t->event->at_us, .note = *note, .request_id = t->event->request_id};
    if (e->request_id.len == 0)
        e->request_id = STR_NONE;
    event_command(t, &audit_record, id_with_prefix(t->arena, t->event->id, "aud"), e);
}

/* ---- out ---- */

/* The lowest id there can be of what was done at AT_US or later. */
static struct str audit_floor(struct arena *a, int64_t at_us) {
    struct rng zero = {0}; /* only the time in the id counts */
    return id_new(a, "aud", at_us, &zero);
}

struct audit_filter {
    struct str actor, subject, action;
    int64_t from_us, until_us; /* 0: no bound; until is not among them */
};

static bool read_filter(struct call *c, struct audit_filter *ret) {
    *ret = (struct audit_filter){.actor = call_query(c, "actor"),
                                 .subject = call_query(c, "subject"),
                                 .action = call_query(c, "action")};
    struct str *texts[] = {&ret->actor, &ret->subject, &ret->action};
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        if (texts[i]->p != NULL && (texts[i]->len == 0 || texts[i]->len > STORE_ID_MAX)) {
            call_problem(c, PROBLEM_BAD_PARAMETER,
                         "actor, subject and action must have 1 to %d characters", STORE_ID_MAX);
            return false;
        }
    }
    return call_query_time(c, "from", &ret->from_us) && call_query_time(c, "until", &ret->until_us);
}

/* Until is a cursor, too: the walk goes from the newest to the oldest, and begins below it. */
static struct store_query query_of(const struct audit_filter *f, struct arena *a, int32_t limit,
                                   struct str after) {
    struct store_query q = {.collection = &audit_collection, .after = after, .limit = limit};
    const struct {
        int index;
        struct str key;
    } by[] = {{BY_ACTION, f->action}, {BY_ACTOR, f->actor}, {BY_SUBJECT, f->subject}};
    for (size_t i = 0; i < COUNT_OF(by); i++) { /* as a rule the last has the fewest entries */
        if (by[i].key.p == NULL)
            continue;
        q.index = audit_collection.indexes[by[i].index];
        q.key = by[i].key;
    }
    if (f->until_us > 0) {
        struct str below = audit_floor(a, f->until_us);
        if (q.after.p == NULL || str_cmp(below, q.after) < 0)
            q.after = below;
    }
    return q;
}

static bool fits(const struct audit_filter *f, const struct audit_entry *e) {
    return (f->actor.p == NULL || str_eq(f->actor, e->note.actor_id)) &&
           (f->subject.p == NULL || str_eq(f->subject, e->note.subject_id)) &&
           (f->action.p == NULL || str_eq(f->action, e->note.action));
}

void handle_audit(struct call *c) {
    struct audit_filter filter;
    struct str after;
    int32_t limit, count = 0;
    if (!read_filter(c, &filter) || !call_page(c, &limit, &after))
        return;
    struct store_query q = query_of(&filter, &c->arena, limit, after);
    struct store_doc *docs;
    int err = c->worker->reader->ops->list(c->worker->reader, &q, &c->arena, &docs, &count);
    if (err < 0) {
        call_error(c, err);
        return;
    }
    bool more = count == limit;
    struct page p;
    page_begin(&p, c);
    for (int32_t i = 0; i < count; i++) {
        void *state;
        if (filter.from_us > 0 && id_time_us(docs[i].id) < filter.from_us) {
            more = false;
            break;
        }
        if (aggregate_decode(&audit_aggregate, &docs[i], c->worker->parser, &c->arena, &state) ==
                0 &&
            fits(&filter, state))
            schema_write(&audit_schema, state, S_OUT, &p.w);
    }
    page_reply(&p, more, count > 0 ? docs[count - 1].id : STR_NONE);
}

void audit_prune(struct store *writer, int64_t before_us) {
    struct arena a;
    arena_init(&a, 256);
    if (before_us > 0) /* what could not be dropped now is dropped later */
        writer->ops->prune_docs(writer, &audit_collection, audit_floor(&a, before_us),
                                AUDIT_PRUNE_MAX);
    arena_free(&a);
}
