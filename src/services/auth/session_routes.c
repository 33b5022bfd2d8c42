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

static void write_open(struct page *p, const void *state, const void *arg) {
    const struct session *s = state;
    const struct call *c = p->call;
    if (c->now_us < s->expires_us && !account_voids(arg, s->head.id))
        session_write(&p->w, s, &c->who);
}

void handle_sessions(struct call *c) {
    struct page p;
    const struct account *account = call_state(c, &account_aggregate, c->who.user_id);
    if (account != NULL &&
        page_list(&p, c, &session_aggregate, 1, c->who.user_id, write_open, account))
        page_reply(&p, p.more, p.last_id);
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
