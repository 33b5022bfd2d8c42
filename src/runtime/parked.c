/* Parked replies: a caller who waits for what follows from his command (a dispatcher's assignment
 * needs the driver's word first). The command is durable; only its answer is held, for a bounded
 * time.
 *
 * Where there are several replicas, what he waits for may be decided in another one, which then
 * signals the answer. If that is lost, or too long for a signal, he gets the answer that his own
 * command had, when his time is up.
 */
#include "base/check.h"
#include "runtime/executor_internal.h"

#include <string.h>

#define SIGNAL_WAKE "wake" /* struct wake_head, then the texts whose lengths it names */

struct wake_head {
    int32_t status;
    uint32_t key_len, etag_len, body_len;
};

bool parked_hold(struct executor *x, struct command *cmd, int64_t now_us) {
    if (x->parked_count == EXECUTOR_PARKED_MAX)
        return false;
    x->parked[x->parked_count++] =
        (struct parked_call){.cmd = cmd, .deadline_us = now_us + EXECUTOR_PARK_TIMEOUT_US};
    x->stats.parked = x->parked_count;
    return true;
}

static void release(struct executor *x, int32_t i) {
    struct command *cmd = x->parked[i].cmd;
    x->parked[i] = x->parked[--x->parked_count];
    x->stats.parked = x->parked_count;
    cmd->finish(cmd, 0, &cmd->decision.response);
}

static struct response response_copy(struct arena *a, const struct response *from) {
    struct response copy = *from;
    copy.body = arena_str(a, from->body);
    for (int32_t i = 0; i < copy.header_count; i++)
        copy.headers[i].value = arena_str(a, copy.headers[i].value);
    return copy;
}

static bool wake_here(struct executor *x, struct str key, const struct response *response) {
    bool found = false;
    for (int32_t i = x->parked_count - 1; i >= 0; i--) {
        struct command *cmd = x->parked[i].cmd;
        if (!str_eq(cmd->decision.park_key, key))
            continue;
        cmd->decision.response = response_copy(cmd->arena, response);
        release(x, i);
        found = true;
    }
    return found;
}

static struct str etag_of(const struct response *r) {
    for (int32_t i = 0; i < r->header_count; i++) {
        if (str_is(r->headers[i].name, "ETag"))
            return r->headers[i].value;
    }
    return STR_NONE;
}

static char *put(char *at, struct str s) {
    if (s.len > 0)
        memcpy(at, s.p, s.len);
    return at + s.len;
}

static void wake_elsewhere(struct executor *x, struct str key, const struct response *r) {
    char bytes[SIGNAL_BYTES_MAX];
    struct str etag = etag_of(r);
    const struct wake_head head = {.status = r->status,
                                   .key_len = (uint32_t)key.len,
                                   .etag_len = (uint32_t)etag.len,
                                   .body_len = (uint32_t)r->body.len};
    if (sizeof(head) + key.len + etag.len + r->body.len > sizeof(bytes))
        return;
    memcpy(bytes, &head, sizeof(head));
    char *end = put(put(put(bytes + sizeof(head), key), etag), r->body);
    x->o.bus->ops->signal(x->o.bus, SIGNAL_WAKE, bytes, (size_t)(end - bytes));
}

void parked_wake(struct executor *x, struct str key, const struct response *response) {
    if (!wake_here(x, key, response) && x->o.peers != NULL)
        wake_elsewhere(x, key, response);
}

static void on_wake(void *consumer, struct str topic, const void *data, size_t len) {
    (void)topic;
    struct wake_head head;
    if (len < sizeof(head))
        return;
    memcpy(&head, data, sizeof(head));
    if ((uint64_t)head.key_len + head.etag_len + head.body_len != len - sizeof(head) ||
        head.status < 200 || head.status > 599)
        return; /* of another build */
    const char *at = (const char *)data + sizeof(head);
    struct str key = {at, head.key_len}, etag = {at + head.key_len, head.etag_len};
    struct response r = {
        .status = head.status,
        .content_type = head.status >= 400 ? "application/problem+json" : NULL,
        .body = {at + head.key_len + head.etag_len, head.body_len},
    };
    if (etag.len > 0)
        response_header(&r, "ETag", etag);
    wake_here(consumer, key, &r);
}

void parked_listen(struct executor *x) {
    CHECK(x->o.bus->ops->listen(x->o.bus, SIGNAL_WAKE, on_wake, x) == 0);
}

void parked_expire(struct executor *x, int64_t now_us, bool all) {
    for (int32_t i = x->parked_count - 1; i >= 0; i--) {
        if (all || now_us >= x->parked[i].deadline_us)
            release(x, i);
    }
}
