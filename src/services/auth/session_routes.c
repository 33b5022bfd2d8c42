/* One's own sessions: the list of those that are open, and their ends. */
#include "base/err.h"
#include "services/auth/internal.h"

/* The User-Agent with what is not plain ASCII left out: clients may send anything. */
struct str session_device(struct call *c) {
    struct str text = call_header(c, "user-agent");
    char *out = arena_bytes(&c->arena, DEVICE_BYTES_MAX);
    size_t len = 0;
    for (size_t i = 0; i < text.len && len < DEVICE_BYTES_MAX; i++) {
        if (text.p[i] >= ' ' && text.p[i] <= '~')
            out[len++] = text.p[i];
    }
    return len > 0 ? (struct str){out, len} : STR_NONE;
}

void session_write(struct jw *w, const struct session *s, const struct identity *who) {
    jw_object(w);
    jw_kv_str(w, "id", s->head.id);
    jw_key(w, "current");
    jw_bool(w, str_eq(s->head.id, who->sid));
    jw_kv_str(w, "device", s->device);
    jw_kv_time(w, "created_at", s->opened_us);
    jw_kv_time(w, "last_used_at", s->refreshed_us);
    jw_kv_time(w, "expires_at", s->expires_us);
    jw_end(w);
}

void handle_sessions(struct call *c) {
    struct str after;
    int32_t limit, count = 0;
    struct store_doc *docs;
    if (!call_page(c, &limit, &after))
        return;
    const struct account *account = call_state(c, &account_aggregate, c->who.user_id);
    if (account == NULL)
        return;
    struct store_query q = {.collection = &sessions_collection,
                            .index = sessions_collection.indexes[1],
                            .key = c->who.user_id,
                            .after = after,
                            .limit = limit};
    int err = c->worker->reader->ops->list(c->worker->reader, &q, &c->arena, &docs, &count);
    if (err < 0) {
        call_error(c, err);
        return;
    }
    struct page p;
    page_begin(&p, c);
    for (int32_t i = 0; i < count; i++) {
        void *state;
        if (aggregate_decode(&session_aggregate, &docs[i], c->worker->parser, &c->arena, &state) <
            0)
            continue; /* one that cannot be read is left out, not the whole list with it */
        const struct session *s = state;
        if (c->now_us < s->expires_us && !account_voids(account, s->head.id))
            session_write(&p.w, s, &c->who);
    }
    page_reply(&p, count == limit, count > 0 ? docs[count - 1].id : STR_NONE);
}

void handle_session_revoke(struct call *c) {
    if (!id_valid(c->params[0], "ses")) {
        call_problem(c, PROBLEM_NOT_FOUND, "you have no such session");
        return;
    }
    call_command(c, &session_revoke, c->params[0], NULL);
}

void handle_sessions_revoke(struct call *c) {
    call_command(c, &account_sessions_end, c->who.user_id, NULL);
}
