/* Letters are got one by one and not acknowledged, so that none is seen twice in one walk; those
 * that are kept go back to their place when the connection closes. A letter that is replayed is
 * acknowledged only when the broker has confirmed that the group's queue has it.
 */
#include "adapters/amqp/dead_letters.h"

#include "adapters/amqp/internal.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/timestamp.h"

#include <time.h>

#define CONFIRM_PATIENCE_S 10
#define GIVE_BACK_LOOKS_MAX 100
#define GIVE_BACK_LOOK_NS 20000000L /* 20 ms */
#define HEADERS_MAX 32              /* of a message that is replayed; further ones are left out */

struct walk {
    amqp_connection_state_t conn;
    const char *group, *queue, *dead_queue;
    struct arena *arena;
    struct str *ret_why;
    int64_t gone; /* replayed or dropped */
};

static int fail(struct walk *w, const char *what) {
    char text[LINK_WHY_MAX];
    reply_text(amqp_get_rpc_reply(w->conn), text);
    *w->ret_why = arena_printf(w->arena, "%s: %s: %s", w->dead_queue, what, text);
    return ERR_IO;
}

static int fail_status(struct walk *w, const char *what, int status) {
    *w->ret_why =
        arena_printf(w->arena, "%s: %s: %s", w->dead_queue, what, amqp_error_string2(status));
    return ERR_IO;
}

/* ---- reading ---- */

static const amqp_field_value_t *field(const amqp_table_t *t, const char *key) {
    for (int i = 0; i < t->num_entries; i++)
        if (str_is(str_of(t->entries[i].key), key))
            return &t->entries[i].value;
    return NULL;
}

/* The broker's own header about how often, when and why; the newest death comes first. */
static void read_deaths(const amqp_basic_properties_t *p, struct dead_letter *ret) {
    if (!(p->_flags & AMQP_BASIC_HEADERS_FLAG))
        return;
    const amqp_field_value_t *deaths = field(&p->headers, "x-death");
    if (deaths == NULL || deaths->kind != AMQP_FIELD_KIND_ARRAY)
        return;
    for (int i = 0; i < deaths->value.array.num_entries; i++) {
        const amqp_field_value_t *death = &deaths->value.array.entries[i];
        if (death->kind != AMQP_FIELD_KIND_TABLE)
            continue;
        const amqp_field_value_t *count = field(&death->value.table, "count");
        const amqp_field_value_t *reason = field(&death->value.table, "reason");
        const amqp_field_value_t *time = field(&death->value.table, "time");
        if (count != NULL && count->kind == AMQP_FIELD_KIND_I64)
            ret->deaths += count->value.i64;
        if (ret->reason.p == NULL && reason != NULL && reason->kind == AMQP_FIELD_KIND_UTF8)
            ret->reason = str_of(reason->value.bytes);
        if (ret->died_us == 0 && time != NULL && time->kind == AMQP_FIELD_KIND_TIMESTAMP)
            ret->died_us = (int64_t)time->value.u64 * US_PER_S;
    }
}

static struct dead_letter read_letter(const struct walk *w, const amqp_message_t *m) {
    struct dead_letter l = {.group = w->group};
    if (message_read(&m->properties, &l.event) != NULL) { /* whatever there is */
        if (m->properties._flags & AMQP_BASIC_MESSAGE_ID_FLAG)
            l.event.id = str_of(m->properties.message_id);
        if (m->properties._flags & AMQP_BASIC_TYPE_FLAG)
            l.event.type = str_of(m->properties.type);
    }
    l.event.data = str_of(m->body);
    read_deaths(&m->properties, &l);
    return l;
}

/* ---- replaying ---- */

/* What the broker has added is left out, or it would count on from there. */
static amqp_table_t own_headers(const amqp_table_t *all, amqp_table_entry_t room[HEADERS_MAX]) {
    int count = 0;
    for (int i = 0; i < all->num_entries && count < HEADERS_MAX; i++)
        if (!str_starts(str_of(all->entries[i].key), "x-"))
            room[count++] = all->entries[i];
    return (amqp_table_t){count, room};
}

/* Waits for what the broker says of the one message that is under way. */
static int await_confirm(struct walk *w) {
    bool returned = false;
    for (;;) {
        amqp_frame_t f;
        int status = amqp_simple_wait_frame_noblock(
            w->conn, &f, &(struct timeval){.tv_sec = CONFIRM_PATIENCE_S});
        if (status != AMQP_STATUS_OK)
            return fail_status(w, "no confirm", status);
        if (f.frame_type != AMQP_FRAME_METHOD)
            continue; /* the content of what was returned */
        amqp_method_number_t id = f.payload.method.id;
        if (id == AMQP_BASIC_ACK_METHOD && !returned)
            return 0;
        returned = returned || id == AMQP_BASIC_RETURN_METHOD;
        if (id == AMQP_BASIC_ACK_METHOD || id == AMQP_BASIC_NACK_METHOD ||
            id == AMQP_CHANNEL_CLOSE_METHOD || id == AMQP_CONNECTION_CLOSE_METHOD) {
            *w->ret_why = arena_printf(w->arena, "%s does not take it", w->queue);
            return ERR_UNAVAILABLE;
        }
    }
}

static int replay(struct walk *w, const amqp_message_t *m) {
    amqp_table_entry_t room[HEADERS_MAX];
    amqp_basic_properties_t p = m->properties;
    if (p._flags & AMQP_BASIC_HEADERS_FLAG)
        p.headers = own_headers(&m->properties.headers, room);
    int status = amqp_basic_publish(w->conn, AMQP_CHANNEL, amqp_empty_bytes,
                                    amqp_cstring_bytes(w->queue), 1, 0, &p, m->body);
    return status == AMQP_STATUS_OK ? await_confirm(w) : fail_status(w, "replay", status);
}

/* ---- the walk ---- */

/* One letter. *RET_MORE: there was one. */
static int step(struct walk *w, dead_letter_fn fn, void *fn_arg, bool *ret_more) {
    amqp_rpc_reply_t reply =
        amqp_basic_get(w->conn, AMQP_CHANNEL, amqp_cstring_bytes(w->dead_queue), 0);
    if (reply.reply_type != AMQP_RESPONSE_NORMAL)
        return fail(w, "get");
    *ret_more = reply.reply.id == AMQP_BASIC_GET_OK_METHOD;
    if (!*ret_more)
        return 0;
    uint64_t tag = ((const amqp_basic_get_ok_t *)reply.reply.decoded)->delivery_tag;
    amqp_message_t m;
    if (amqp_read_message(w->conn, AMQP_CHANNEL, &m, 0).reply_type != AMQP_RESPONSE_NORMAL)
        return fail(w, "read");
    struct dead_letter l = read_letter(w, &m);
    enum dead_letter_fate fate = fn(fn_arg, &l);
    int err = fate == DEAD_LETTER_REPLAY ? replay(w, &m) : 0;
    if (err == 0 && fate != DEAD_LETTER_KEEP) {
        int status = amqp_basic_ack(w->conn, AMQP_CHANNEL, tag, 0);
        if (status != AMQP_STATUS_OK)
            err = fail_status(w, "acknowledge", status);
        w->gone++;
    }
    amqp_destroy_message(&m);
    amqp_maybe_release_buffers(w->conn);
    return err;
}

/* How many there are; 0 if there is no such queue. */
static int count_letters(struct walk *w, int64_t *ret_count) {
    amqp_queue_declare_ok_t *ok = amqp_queue_declare(
        w->conn, AMQP_CHANNEL, amqp_cstring_bytes(w->dead_queue), 1, 0, 0, 0, amqp_empty_table);
    amqp_rpc_reply_t reply = amqp_get_rpc_reply(w->conn);
    if (ok != NULL) {
        *ret_count = ok->message_count;
        return 0;
    }
    if (reply.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION &&
        reply.reply.id == AMQP_CHANNEL_CLOSE_METHOD &&
        ((const amqp_channel_close_t *)reply.reply.decoded)->reply_code == AMQP_NOT_FOUND) {
        *ret_count = 0;
        return 0;
    }
    return fail(w, "look");
}

/* Gives back what was got and kept, and waits until all that is left, REST, is there: who looks
 * next shall see it. */
static int give_back(struct walk *w, int64_t rest) {
    int64_t there = 0;
    int status = amqp_basic_nack(w->conn, AMQP_CHANNEL, 0, 1, 1);
    if (status != AMQP_STATUS_OK)
        return fail_status(w, "give back", status);
    for (int i = 0; i < GIVE_BACK_LOOKS_MAX && there < rest; i++) {
        int err = count_letters(w, &there);
        if (err < 0)
            return err;
        if (there < rest)
            nanosleep(&(struct timespec){.tv_nsec = GIVE_BACK_LOOK_NS}, NULL);
    }
    return 0;
}

static int walk_queue(struct walk *w, int32_t limit, dead_letter_fn fn, void *fn_arg) {
    int64_t count;
    int err = count_letters(w, &count);
    if (err < 0 || count == 0)
        return err;
    if (amqp_confirm_select(w->conn, AMQP_CHANNEL) == NULL)
        return fail(w, "publisher confirms");
    bool more = true;
    for (int64_t i = 0; err == 0 && more && i < count && i < limit; i++)
        err = step(w, fn, fn_arg, &more);
    return err == 0 ? give_back(w, count - w->gone) : err;
}

static int connect_any(const struct amqp_address *address, amqp_connection_state_t *ret,
                       struct arena *a, struct str *ret_why) {
    int err = ERR_IO;
    for (int32_t i = 0; err < 0 && i < address->host_count; i++) {
        const struct amqp_host *h = &address->hosts[i];
        char why[LINK_WHY_MAX];
        err = connection_open(address, h, ret, why);
        if (err < 0)
            *ret_why = arena_printf(a, "the broker at %s:%d: %s", h->name, h->port, why);
    }
    return err;
}

int dead_letters_walk(const struct amqp_options *o, const char *group, int32_t limit,
                      dead_letter_fn fn, void *fn_arg, struct arena *a, struct str *ret_why) {
    struct amqp_address address;
    int err = uri_parse(o->uri, a, &address, ret_why);
    if (err < 0)
        return err;
    const char *prefix = o->prefix != NULL ? o->prefix : AMQP_PREFIX;
    address.ca_file = o->ca_file;
    struct walk w = {.group = group,
                     .queue = arena_printf(a, "%s.%s", prefix, group).p,
                     .dead_queue = arena_printf(a, "%s.%s.dead", prefix, group).p,
                     .arena = a,
                     .ret_why = ret_why};
    err = connect_any(&address, &w.conn, a, ret_why);
    if (err < 0)
        return err;
    err = walk_queue(&w, limit, fn, fn_arg);
    amqp_connection_close(w.conn, AMQP_REPLY_SUCCESS);
    amqp_destroy_connection(w.conn);
    return err;
}
