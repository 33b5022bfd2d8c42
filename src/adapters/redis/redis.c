/* The thread. It connects, then turns: send what waits and is due, wait for the sockets or a wake,
 * take in what came. Commands are answered in order, so a ring of what was asked is all there is to
 * remember. Anything that is wrong with the link (an error, a late answer, a server whose memory is
 * not the one we knew) ends it, and the next one puts everything right: there is one way to recover
 * and every fault takes it.
 *
 * After connecting: subscribe; SCAN the keys page by page and let a script tell us of each page on
 * a channel of our own, in order with what everybody is told; what was not heard of is put back
 * from the mirror; ready.
 */
#include "adapters/redis/redis_private.h"

#include "base/arena.h"
#include "base/check.h"
#include "base/err.h"
#include "base/timestamp.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#define STOP_PATIENCE_US 200000 /* for what is under way when it is to end */
#define SCAN_COUNT "500"

/* ---- waking and waiting ---- */

static void ring(int fd) {
    uint64_t one = 1;
    while (write(fd, &one, sizeof one) < 0 && errno == EINTR) {
    }
}

void redis_wake(struct redis *r) {
    if (!atomic_exchange(&r->awake, true))
        ring(r->wake_fd);
}

static int timeout_ms(int64_t until_us) {
    int64_t rest_us = until_us - clock_mono_us();
    return rest_us <= 0 ? 0 : (int)((rest_us + 999) / 1000);
}

bool redis_wait_fd(struct redis *r, int fd, short events, int64_t until_us) {
    while (!r->stopping) {
        struct pollfd fds[] = {{r->stop_fd, POLLIN, 0}, {fd, events, 0}};
        int n = poll(fds, fd >= 0 ? 2 : 1, timeout_ms(until_us));
        if (n < 0 && errno != EINTR)
            return false;
        if (n > 0 && fds[1].revents)
            return true;
        if (clock_mono_us() >= until_us)
            return false;
    }
    return false;
}

/* ---- commands ---- */

static void give_up(struct redis *r, const char *why) {
    if (!r->broken)
        r->broken = why;
}

static bool may_ask(const struct redis *r) {
    return !r->broken && r->asked_count < REDIS_ASKED_MAX;
}

/* Puts a command into the connection's buffer. */
static void command(struct redis *r, enum redis_asked what, int argc, const char **argv,
                    const size_t *lens) {
    CHECK(r->asked_count < REDIS_ASKED_MAX);
    if (redisAppendCommandArgv(r->link.commands, argc, argv, lens) != REDIS_OK) {
        give_up(r, "the connection broke");
        return;
    }
    int at = (r->asked_first + r->asked_count++) % REDIS_ASKED_MAX;
    r->asked[at].what = what;
    r->asked[at].at_us = clock_mono_us();
}

/* What hiredis still holds for the socket. Its sds strings know their length; asking is not part of
 * its interface, but what has been written is cut off at once. */
static bool unsent(const struct redis *r) {
    return r->link.commands->obuf && r->link.commands->obuf[0] != '\0';
}

/* The script's head of a message. */
static size_t message_head(const struct redis *r, char kind, char out[64]) {
    return (size_t)snprintf(out, 64, "1 %s %llu %c\n", r->origin, (unsigned long long)r->batch_no,
                            kind);
}

/* ---- the cache's batches ---- */

static void send_batch(struct redis *r, int64_t now_us) {
    static const size_t fixed = 10; /* EVALSHA sha count epoch-key, then six of its arguments */
    const char *argv[10 + REDIS_BATCH_MAX * 7];
    size_t lens[COUNT_OF(argv)], n = 0;
    struct redis_batch *b = &r->batch;
    char head[64], count[24], fresh[REDIS_EPOCH_TEXT], skip[24], buried[24];
    b->count = 0;
    b->bytes.len = 0;
    if (r->cache && !r->scanning)
        redis_cache_batch(r->cache, b);
    r->batch_no++;
    message_head(r, 'b', head);
    snprintf(count, sizeof count, "%d", b->count + 1);
    snprintf(fresh, sizeof fresh, "%016llx",
             (unsigned long long)clock_wall_us() << 12 | (r->origin_id & 0xfff));
    snprintf(skip, sizeof skip, "%zu", strlen(r->keys));
    snprintf(buried, sizeof buried, "%d", REDIS_BURIED_MS);
#define PUT(text) (argv[n] = (text), lens[n] = strlen(argv[n]), n++)
    PUT("EVALSHA");
    PUT(r->link.sync_sha);
    PUT(count);
    PUT(r->epoch_key);
    for (int i = 0; i < b->count; i++, n++) {
        argv[n] = b->bytes.p + b->keys[i].at;
        lens[n] = b->keys[i].len;
    }
    PUT(r->link.epoch);
    PUT(b->count > 0 ? r->to_cache : r->to_me); /* a mere beat is nobody else's business */
    PUT(head);
    PUT(fresh);
    PUT(skip);
    PUT(buried);
#undef PUT
    CHECK(n == fixed + (size_t)b->count);
    for (int i = 0; i < b->count * 6; i++, n++) {
        argv[n] = b->bytes.p + b->args[i].at;
        lens[n] = b->args[i].len;
    }
    r->batch_away = true;
    r->batch_at_us = now_us;
    command(r, ASKED_SYNC, (int)n, argv, lens);
}

static void scan_on(struct redis *r) {
    char pattern[REDIS_NAME_MAX + 2];
    snprintf(pattern, sizeof pattern, "%s*", r->keys);
    const char *argv[] = {"SCAN", r->cursor, "MATCH", pattern, "COUNT", SCAN_COUNT};
    size_t lens[COUNT_OF(argv)];
    for (size_t i = 0; i < COUNT_OF(argv); i++)
        lens[i] = strlen(argv[i]);
    command(r, ASKED_SCAN, COUNT_OF(argv), argv, lens);
}

/* Has the script tell us of KEYS; without any, of the end. */
static void read_keys(struct redis *r, const redisReply *keys, size_t count, char kind) {
    const char **argv = xcalloc(count + 6, sizeof *argv);
    size_t *lens = xcalloc(count + 6, sizeof *lens), n = 0;
    char head[64], count_text[24], skip[24];
    message_head(r, kind, head);
    snprintf(count_text, sizeof count_text, "%zu", count);
    snprintf(skip, sizeof skip, "%zu", strlen(r->keys));
    argv[n++] = "EVALSHA";
    argv[n++] = r->link.read_sha;
    argv[n++] = count_text;
    for (size_t i = 0; i < count; i++, n++) {
        argv[n] = keys->element[i]->str;
        lens[n] = (size_t)keys->element[i]->len;
    }
    argv[n++] = r->to_me;
    argv[n++] = head;
    argv[n++] = skip;
    for (size_t i = 0; i < n; i++)
        if (i < 3 || i >= count + 3)
            lens[i] = strlen(argv[i]);
    command(r, ASKED_READ, (int)n, argv, lens);
    free(argv);
    free(lens);
}

static void on_scanned(struct redis *r, const redisReply *reply) {
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 ||
        reply->element[0]->type != REDIS_REPLY_STRING ||
        (size_t)reply->element[0]->len >= sizeof r->cursor ||
        reply->element[1]->type != REDIS_REPLY_ARRAY) {
        give_up(r, "the server's answer to SCAN is none");
        return;
    }
    const redisReply *keys = reply->element[1];
    for (size_t i = 0; i < keys->elements; i++)
        if (keys->element[i]->type != REDIS_REPLY_STRING) {
            give_up(r, "the server's answer to SCAN is none");
            return;
        }
    memcpy(r->cursor, reply->element[0]->str, (size_t)reply->element[0]->len + 1);
    r->scan_keys += (int64_t)keys->elements;
    if (keys->elements > 0)
        read_keys(r, keys, keys->elements, 'p');
    if (strcmp(r->cursor, "0") == 0 || r->scan_keys >= redis_cache_max(r->cache))
        read_keys(r, NULL, 0, 'e');
    else
        scan_on(r);
}

static void on_reply(struct redis *r, const redisReply *reply) {
    if (r->asked_count == 0) {
        give_up(r, "the server answers what nobody asked");
        return;
    }
    enum redis_asked what = r->asked[r->asked_first].what;
    r->asked_first = (r->asked_first + 1) % REDIS_ASKED_MAX;
    r->asked_count--;
    if (reply->type == REDIS_REPLY_ERROR) {
        snprintf(r->why, sizeof r->why, "the server refused: %s", reply->str);
        give_up(r, r->why);
    } else if (what == ASKED_SYNC && reply->type == REDIS_REPLY_INTEGER && reply->integer == 0) {
        r->lost_memory = true;
        give_up(r, "the server has lost its memory");
    } else if (what == ASKED_SCAN) {
        on_scanned(r, reply);
    }
}

/* ---- what is heard ---- */

/* Takes a word up to the next END. */
static bool word(struct str *s, char end, struct str *ret) {
    const char *at = s->len > 0 ? memchr(s->p, end, s->len) : NULL;
    if (!at)
        return false;
    *ret = (struct str){s->p, (size_t)(at - s->p)};
    *s = str_sub(*s, ret->len + 1, s->len);
    return true;
}

static bool life_of(struct str s, uint64_t *ret) {
    *ret = 0;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.p[i];
        if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f'))
            return false;
        *ret = *ret << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    return s.len == 16;
}

/* One line of a message. False: the rest cannot be read. RET->key.p NULL: of no use, go on. */
static bool heard_line(struct str *s, struct redis_heard *ret) {
    struct str len_text, value, life, ttl;
    int64_t len, ttl_ms;
    *ret = (struct redis_heard){0};
    if (!word(s, ' ', &len_text) || !word(s, ' ', &value) || !word(s, ' ', &life) ||
        !word(s, ' ', &ttl) || str_to_i64(len_text, &len) < 0 || len < 0 ||
        (uint64_t)len >= s->len || s->p[len] != '\n')
        return false;
    struct str key = {s->p, (size_t)len};
    *s = str_sub(*s, key.len + 1, s->len);
    ret->buried = str_is(value, "-");
    if (key.len > REDIS_KEY_MAX || (!ret->buried && str_to_i64(value, &ret->value) < 0) ||
        !life_of(life, &ret->life) || str_to_i64(ttl, &ttl_ms) < 0 || ttl_ms < 0)
        return true;
    ret->ttl_us = ttl_ms < INT64_MAX / 1000 ? ttl_ms * 1000 : INT64_MAX;
    ret->key = key;
    return true;
}

static void on_cache_message(struct redis *r, struct str s) {
    struct str version, origin, batch, kind;
    int64_t batch_no;
    int32_t n = 0;
    if (!word(&s, ' ', &version) || !word(&s, ' ', &origin) || !word(&s, ' ', &batch) ||
        !word(&s, '\n', &kind) || !str_is(version, "1") || str_to_i64(batch, &batch_no) < 0 ||
        kind.len != 1) {
        r->garbage++;
        return;
    }
    bool mine = str_is(origin, r->origin);
    bool own = mine && kind.p[0] == 'b' && r->batch_away && (uint64_t)batch_no == r->batch_no;
    while (s.len > 0 && r->cache) {
        if (!heard_line(&s, &r->heard[n])) {
            r->garbage++;
            break;
        }
        if (r->heard[n].key.p)
            n++;
        if (n == REDIS_BATCH_MAX) {
            redis_cache_heard(r->cache, r->heard, n, own);
            n = 0;
        }
    }
    if (r->cache && n > 0)
        redis_cache_heard(r->cache, r->heard, n, own);
    if (own) {
        r->batch_away = false;
        r->sync_us = clock_mono_us() - r->batch_at_us;
        if (r->cache)
            redis_cache_confirmed(r->cache);
    } else if (mine && kind.p[0] == 'e' && r->scanning) {
        r->scanning = false;
        redis_cache_refilled(r->cache);
        r->ready = true;
    }
}

static void on_heard(struct redis *r, const redisReply *reply) {
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 3 ||
        reply->element[0]->type != REDIS_REPLY_STRING ||
        reply->element[1]->type != REDIS_REPLY_STRING) {
        if (reply->type == REDIS_REPLY_ERROR)
            give_up(r, "the server ends the subscription");
        return;
    }
    const redisReply *data = reply->element[2];
    if (strcmp(reply->element[0]->str, "message") != 0 || data->type != REDIS_REPLY_STRING)
        return; /* "subscribe" */
    struct str message = {data->str, (size_t)data->len};
    if (r->signals && strcmp(reply->element[1]->str, r->to_signals) == 0)
        redis_signals_heard(r->signals, message);
    else
        on_cache_message(r, message);
}

static void take_in(struct redis *r, redisContext *c,
                    void (*on)(struct redis *, const redisReply *)) {
    void *reply = NULL;
    if (redisBufferRead(c) != REDIS_OK) {
        give_up(r, c->err == REDIS_ERR_EOF ? "the server closed the connection"
                                           : "the connection broke");
        return;
    }
    while (!r->broken) {
        if (redisGetReplyFromReader(c, &reply) != REDIS_OK) {
            give_up(r, "the server does not speak Redis's protocol");
            return;
        }
        if (!reply)
            break;
        on(r, reply);
        freeReplyObject(reply);
    }
    if (c->reader->len > REDIS_HEARD_MAX)
        give_up(r, "a message is too long");
}

/* ---- turning ---- */

static void send_packs(struct redis *r) {
    size_t bytes = 0;
    while (bytes < REDIS_OBUF_MAX && may_ask(r)) {
        struct redis_pack *p = redis_signals_take(r->signals);
        if (!p)
            break;
        const char *argv[] = {"PUBLISH", r->to_signals, p->bytes};
        const size_t lens[] = {7, strlen(r->to_signals), p->len};
        command(r, ASKED_PUBLISH, 3, argv, lens);
        bytes += p->len;
        free(p);
    }
}

/* Sends what waits and is due. Returns when there is more to do, if nothing happens meanwhile. */
static int64_t send_due(struct redis *r, int64_t now_us) {
    int64_t next_us = r->batch_at_us + REDIS_BEAT_US;
    int64_t writes = r->cache && !r->scanning ? redis_cache_waits(r->cache) : 0;
    if (r->batch_away)
        next_us = r->batch_at_us + REDIS_ANSWER_US + 1000;
    else if (may_ask(r)) {
        int64_t due_us = r->batch_at_us + (writes >= REDIS_BATCH_MAX ? 0
                                           : writes > 0              ? REDIS_SYNC_US
                                                                     : REDIS_BEAT_US);
        if (now_us >= due_us)
            send_batch(r, now_us);
        else
            next_us = due_us;
    }
    if (r->signals && redis_signals_waits(r->signals) && !unsent(r)) {
        if (now_us < r->pack_at_us + REDIS_PACK_US)
            return next_us < r->pack_at_us + REDIS_PACK_US ? next_us
                                                           : r->pack_at_us + REDIS_PACK_US;
        send_packs(r);
        r->pack_at_us = now_us;
    }
    return next_us;
}

static void look_for_lateness(struct redis *r, int64_t now_us) {
    if (r->asked_count > 0 && now_us - r->asked[r->asked_first].at_us > REDIS_ANSWER_US)
        give_up(r, "no answer in time");
    if (r->batch_away && now_us - r->batch_at_us > REDIS_ANSWER_US)
        give_up(r, "own messages do not come back");
}

static void turn(struct redis *r, int64_t until_us) {
    redisContext *out = r->link.commands, *in = r->link.heard;
    uint64_t rung;
    int done;
    r->awake = false; /* before looking: who puts something there now wakes us */
    int64_t next_us = send_due(r, clock_mono_us());
    if (!r->broken && redisBufferWrite(out, &done) != REDIS_OK)
        give_up(r, "the connection broke");
    if (r->broken)
        return;
    if (next_us > until_us)
        next_us = until_us;
    struct pollfd fds[] = {{out->fd, (short)(unsent(r) ? POLLIN | POLLOUT : POLLIN), 0},
                           {in->fd, POLLIN, 0},
                           {r->wake_fd, POLLIN, 0},
                           {r->stop_fd, POLLIN, 0}};
    int n = poll(fds, r->stopping ? 3 : 4, timeout_ms(next_us));
    r->awake = true;
    if (n < 0 && errno != EINTR)
        give_up(r, "poll failed");
    if (n > 0) {
        if (fds[0].revents & ~POLLOUT)
            take_in(r, out, on_reply);
        if (fds[1].revents && !r->broken)
            take_in(r, in, on_heard);
        if (fds[2].revents && read(r->wake_fd, &rung, sizeof rung) < 0 && errno != EAGAIN)
            give_up(r, "read failed");
    }
    look_for_lateness(r, clock_mono_us());
}

static void link_up(struct redis *r) {
    r->broken = NULL;
    r->lost_memory = false;
    r->asked_first = r->asked_count = 0;
    r->batch_away = false;
    r->batch_at_us = r->pack_at_us = 0;
    r->scanning = r->cache != NULL;
    r->scan_keys = 0;
    if (r->cache) {
        redis_cache_link_up(r->cache);
        memcpy(r->cursor, "0", 2);
        scan_on(r);
    }
    if (r->signals)
        redis_signals_link_up(r->signals);
    r->connects++;
    r->connected = true;
    r->ready = r->cache == NULL;
    log_info(r->log, "redis: connected");
}

static void link_down(struct redis *r) {
    int32_t unanswered = 0;
    for (int i = 0; i < r->asked_count; i++)
        unanswered += r->asked[(r->asked_first + i) % REDIS_ASKED_MAX].what == ASKED_PUBLISH;
    r->ready = r->connected = false;
    redis_link_close(&r->link);
    if (r->signals)
        redis_signals_link_down(r->signals, unanswered);
    if (!r->stopping) {
        r->failures++;
        log_warn(r->log, "redis: %s; going on without", r->broken);
    }
}

static bool busy(struct redis *r) {
    return r->batch_away || r->scanning || (r->cache && redis_cache_waits(r->cache) > 0) ||
           (r->signals && redis_signals_waits(r->signals)) || unsent(r);
}

static void serve_link(struct redis *r) {
    while (!r->broken && !r->stopping)
        turn(r, INT64_MAX);
    int64_t until_us = clock_mono_us() + STOP_PATIENCE_US;
    while (!r->broken && clock_mono_us() < until_us && busy(r))
        turn(r, until_us);
}

static void *thread_run(void *arg) {
    struct redis *r = arg;
    sigset_t all; /* signals are others' business; hiredis writes to broken connections, too */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
    int64_t pause_us = REDIS_BACKOFF_MIN_US;
    char said[sizeof r->why] = ""; /* an absence is told of once for each reason */
    while (!r->stopping) {
        const char *why;
        if (redis_link_open(r, &r->link, &why) == 0) {
            int64_t since_us = clock_mono_us();
            link_up(r);
            serve_link(r);
            link_down(r);
            said[0] = '\0';
            if (clock_mono_us() - since_us > REDIS_BACKOFF_MAX_US || r->lost_memory)
                pause_us = REDIS_BACKOFF_MIN_US;
        } else {
            if (strcmp(said, why) != 0 && !r->stopping)
                log_warn(r->log, "redis: %s; going on without", why);
            snprintf(said, sizeof said, "%s", why);
            r->failures++;
        }
        redis_wait_fd(r, -1, 0,
                      clock_mono_us() + rng_between(&r->rng, pause_us / 2, pause_us * 3 / 2));
        pause_us = pause_us * 2 < REDIS_BACKOFF_MAX_US ? pause_us * 2 : REDIS_BACKOFF_MAX_US;
    }
    return NULL;
}

/* ---- the whole ---- */

static bool prefix_valid(const char *p) {
    size_t n = strspn(p, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:-_");
    return n <= REDIS_PREFIX_MAX && p[n] == '\0';
}

static void name(char *to, const struct redis *r, const char *what, const char *more) {
    CHECK(snprintf(to, REDIS_NAME_MAX, "%s%s%s", r->prefix, what, more) < REDIS_NAME_MAX);
}

int redis_new(const struct redis_options *o, struct redis **ret, const char **ret_why) {
    struct redis_url url;
    const char *prefix = o->prefix ? o->prefix : "lorry:";
    int err = redis_url_parse(o->url, &url, ret_why);
    if (err < 0)
        return err;
    if (!prefix_valid(prefix)) {
        *ret_why = "its prefix is longer than 32 or has more in it than letters, digits, : - _";
        return ERR_INVALID;
    }
    struct redis *r = xcalloc(1, sizeof *r);
    r->url = url;
    r->log = o->log;
    memcpy(r->prefix, prefix, strlen(prefix) + 1);
    uint64_t seed;
    CHECK(getrandom(&seed, sizeof seed, 0) == sizeof seed);
    rng_seed(&r->rng, seed);
    r->origin_id = rng_next(&r->rng);
    snprintf(r->origin, sizeof r->origin, "%016llx", (unsigned long long)r->origin_id);
    name(r->keys, r, "k:", "");
    name(r->epoch_key, r, "epoch", "");
    name(r->to_cache, r, "cache", "");
    name(r->to_signals, r, "signals", "");
    name(r->to_me, r, "to:", r->origin);
    r->heard = xcalloc(REDIS_BATCH_MAX, sizeof *r->heard);
    buf_init(&r->batch.bytes, NULL, 4096);
    CHECK(pthread_mutex_init(&r->stop_lock, NULL) == 0);
    r->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    r->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    r->awake = true; /* nobody sleeps yet */
    CHECK(r->stop_fd >= 0 && r->wake_fd >= 0);
    *ret = r;
    return 0;
}

int redis_start(struct redis *r) {
    CHECK(!r->started && !r->stopping);
    if (pthread_create(&r->thread, NULL, thread_run, r) != 0)
        return ERR_LIMIT;
    r->started = true;
    return 0;
}

void redis_stop(struct redis *r) {
    pthread_mutex_lock(&r->stop_lock);
    r->stopping = true;
    ring(r->stop_fd);
    if (r->started)
        pthread_join(r->thread, NULL);
    r->started = false;
    pthread_mutex_unlock(&r->stop_lock);
}

struct redis *redis_free(struct redis *r) {
    if (!r)
        return NULL;
    redis_stop(r);
    CHECK(!r->cache && !r->signals);
    close(r->stop_fd);
    close(r->wake_fd);
    pthread_mutex_destroy(&r->stop_lock);
    buf_free(&r->batch.bytes);
    free(r->heard);
    free(r);
    return NULL;
}

bool redis_ready(struct redis *r) {
    return r->ready;
}

bool redis_wait_ready(struct redis *r, int64_t timeout_us) {
    const int64_t until_us = clock_mono_us() + timeout_us;
    while (!r->ready) {
        if (clock_mono_us() >= until_us)
            return false;
        usleep(2000);
    }
    return true;
}

void redis_stats(struct redis *r, struct redis_stats *ret) {
    *ret = (struct redis_stats){.connected = r->connected,
                                .ready = r->ready,
                                .connects = r->connects,
                                .failures = r->failures,
                                .garbage = r->garbage,
                                .sync_us = r->sync_us};
    if (r->cache)
        redis_cache_fill_stats(r->cache, ret);
    if (r->signals)
        redis_signals_fill_stats(r->signals, ret);
}
