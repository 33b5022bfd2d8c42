/* What every person does: signs in (or registers), refreshes before the token ends, keeps a socket
 * that resumes where it was cut, and asks again when there was no answer.
 */
#include "base/check.h"
#include "base/err.h"
#include "base/timestamp.h"
#include "client/city_internal.h"

#include <stdlib.h>
#include <string.h>

#define RETRY_US (INT64_C(300) * 1000)
#define RETRY_MAX_US (INT64_C(3) * 1000000)

/* ---- JSON ---- */

bool city_json(struct city *c, struct str text, struct json_value *ret_root) {
    return text.len > 0 && json_parse(c->parser, text, ret_root) == 0;
}

struct str json_member(struct json_value object, const char *key) {
    struct json_value v;
    if (!json_get(object, key, &v) || json_kind(v) != JSON_IS_STRING)
        return STR_NONE;
    return json_text(v);
}

int64_t json_member_i64(struct json_value object, const char *key, int64_t otherwise) {
    struct json_value v;
    int64_t value;
    return json_get(object, key, &v) && json_i64(v, &value) == 0 ? value : otherwise;
}

int64_t city_real_us(const struct city *c, double seconds) {
    double us = seconds * 1e6 / c->o.speed;
    return us < 1000 ? 1000 : (int64_t)us;
}

/* ---- requests ---- */

struct asking {
    struct asking *next, *before; /* of the city's */
    struct person *person;
    struct net_timer *timer; /* until the next try */
    const char *method;
    struct buf path, body, key;
    bool with_token;
    int32_t tries;
    person_answer_fn answer;
    void *arg;
};

static void ask(void *arg);

static void asking_free(struct asking *a) {
    if (a->before != NULL)
        a->before->next = a->next;
    else
        a->person->city->askings = a->next;
    if (a->next != NULL)
        a->next->before = a->before;
    net_cancel(a->timer);
    buf_free(&a->path);
    buf_free(&a->body);
    buf_free(&a->key);
    free(a);
}

static void try_later(struct asking *a, int32_t retry_after_s) {
    struct city *c = a->person->city;
    int64_t wait_us = RETRY_US << (a->tries < 4 ? a->tries : 4);
    wait_us = wait_us > RETRY_MAX_US ? RETRY_MAX_US : wait_us;
    if (retry_after_s > 0 && retry_after_s < 30 && wait_us < retry_after_s * US_PER_S)
        wait_us = retry_after_s * US_PER_S;
    a->tries++;
    a->timer = net_after(c->net, wait_us + (int64_t)rng_below(&c->rng, 100000), ask, a);
}

/* One line of --requests: when the answer came (or was given up), to the clock on the wall. */
static void write_down(const struct city *c, const struct asking *a,
                       const struct net_answer *answer) {
    if (c->o.requests != NULL && !c->stopped) /* else it was let go, not given up */
        fprintf(
            c->o.requests,
            "{\"at_s\":%.6f,\"took_s\":%.6f,\"status\":%d,\"method\":\"%s\",\"path\":\"%.*s\"}\n",
            (double)clock_wall_us() / 1e6, (double)answer->took_us / 1e6, answer->status, a->method,
            STR_ARG(buf_str(&a->path)));
}

/* Nobody has answered, or not with an answer: a proxy could not get one (502, 504), or what was
 * asked was not taken on. It may have had its effect all the same, so the key is the same again. */
static bool unanswered(int status) {
    return status == 0 || status == 429 || (status >= 502 && status <= 504);
}

static void on_answer(void *arg, const struct net_answer *answer) {
    struct asking *a = arg;
    struct city *c = a->person->city;
    c->sum.requests++;
    write_down(c, a, answer);
    bool again = unanswered(answer->status);
    if (answer->status > 0)
        c->reached = true;
    if (answer->status >= 500 || answer->status == 0 || answer->status == 429)
        c->sum.errors++;
    else if (a->with_token) /* signing in is slow on purpose */
        histogram_record(&c->latency, answer->took_us);
    if (c->stopped) {
        asking_free(a);
        return;
    }
    if (answer->status == 429 && !a->with_token) /* it may last longer than the run */
        city_complain(c, a->person, "has to wait before signing in", answer);
    if (again && (c->reached || a->tries < 20)) {
        try_later(a, answer->retry_after_s);
        return;
    }
    if (a->answer != NULL)
        a->answer(a->person, a->arg, answer);
    asking_free(a);
}

bool person_any_waits(const struct city *c) {
    for (const struct asking *a = c->askings; a != NULL; a = a->next)
        if (a->timer == NULL)
            return true;
    return false;
}

static void ask(void *arg) {
    struct asking *a = arg;
    struct person *p = a->person;
    a->timer = NULL;
    if (p->city->stopped || p->city->hushed) {
        asking_free(a);
        return;
    }
    struct net_request r = {.method = a->method,
                            .path = buf_str(&a->path),
                            .token = a->with_token ? buf_str(&p->token) : STR_NONE,
                            .idempotency_key = a->key.len > 0 ? buf_str(&a->key) : STR_NONE,
                            .body = a->body.len > 0 ? buf_str(&a->body) : STR_NONE};
    if (!net_send(p->conn, &r, on_answer, a))
        a->timer = net_after(p->city->net, RETRY_US, ask, a);
}

static struct asking *asking_new(struct person *p, const char *method, struct str path,
                                 struct str body) {
    struct asking *a = xcalloc(1, sizeof(*a));
    a->next = p->city->askings;
    if (a->next != NULL)
        a->next->before = a;
    p->city->askings = a;
    a->person = p;
    a->method = method;
    buf_init(&a->path, NULL, path.len + 1);
    buf_add_str(&a->path, path);
    buf_init(&a->body, NULL, body.len + 1);
    if (body.len > 0)
        buf_add_str(&a->body, body);
    buf_init(&a->key, NULL, 48);
    return a;
}

void person_call(struct person *p, const char *method, struct str path, struct str body, bool key,
                 person_answer_fn answer, void *arg) {
    struct asking *a = asking_new(p, method, path, body);
    a->with_token = true;
    a->answer = answer;
    a->arg = arg;
    if (key)
        buf_printf(&a->key, "%016llx%016llx", (unsigned long long)rng_next(&p->city->rng),
                   (unsigned long long)rng_next(&p->city->rng));
    ask(a);
}

static void person_call_public(struct person *p, const char *path, struct str body,
                               person_answer_fn answer) {
    struct asking *a = asking_new(p, "POST", str_from(path), body);
    a->answer = answer;
    ask(a);
}

/* ---- signing in ---- */

static void on_signed_in(struct person *p, void *arg, const struct net_answer *a);
static void open_socket(void *arg);

static struct str credentials(struct person *p, bool with_name) {
    struct arena *a = &p->city->scratch;
    struct buf out;
    arena_reset(a);
    buf_init(&out, a, 256);
    struct jw w;
    jw_init(&w, &out);
    jw_object(&w);
    jw_kv_str(&w, "email", str_from(p->email));
    bool admin = p == p->city->admin;
    jw_kv_str(&w, "password", str_from(admin ? p->city->o.admin_password : p->city->o.password));
    if (with_name) {
        jw_kv_str(&w, "name", str_from(p->name));
        jw_kv_str(&w, "phone", arena_printf(a, "+46700%06d", p->number));
        jw_kv_str(&w, "role", str_from(p->kind->role));
    }
    jw_end(&w);
    return buf_str(&out);
}

static void refresh_answer(struct person *p, void *arg, const struct net_answer *a) {
    if (a->status == 200)
        on_signed_in(p, arg, a);
    else
        person_call_public(p, "/v1/auth/login", credentials(p, false), on_signed_in);
}

static void refresh(void *arg) {
    struct person *p = arg;
    p->refresh_timer = NULL;
    struct arena *a = &p->city->scratch;
    arena_reset(a);
    person_call_public(
        p, "/v1/auth/refresh",
        arena_printf(a, "{\"refresh_token\":\"%.*s\"}", STR_ARG(buf_str(&p->refresh_token))),
        refresh_answer);
}

static void keep(struct buf *out, struct str s) {
    out->len = 0;
    buf_add_str(out, s);
}

static void on_signed_in(struct person *p, void *arg, const struct net_answer *a) {
    (void)arg;
    struct json_value root, user;
    if ((a->status != 200 && a->status != 201) || !city_json(p->city, a->body, &root)) {
        city_complain(p->city, p, "cannot sign in", a); /* and is left out */
        return;
    }
    keep(&p->token, json_member(root, "access_token"));
    keep(&p->refresh_token, json_member(root, "refresh_token"));
    if (json_get(root, "user", &user)) {
        struct str id = json_member(user, "id");
        snprintf(p->user_id, sizeof(p->user_id), "%.*s", STR_ARG(id));
    }
    int64_t lives_s = json_member_i64(root, "expires_in", 900);
    net_cancel(p->refresh_timer);
    p->refresh_timer = net_after(p->city->net, lives_s * US_PER_S * 7 / 10, refresh, p);
    bool first = !p->signed_in;
    p->signed_in = true;
    struct arena *scratch = &p->city->scratch;
    arena_reset(scratch);
    if (p->socket != NULL)
        person_socket_send(p, arena_printf(scratch, "{\"type\":\"auth\",\"token\":\"%.*s\"}",
                                           STR_ARG(buf_str(&p->token))));
    if (first)
        open_socket(p);
}

static void on_register(struct person *p, void *arg, const struct net_answer *a) {
    if (a->status == 409)
        person_call_public(p, "/v1/auth/login", credentials(p, false), on_signed_in);
    else
        on_signed_in(p, arg, a);
}

void person_begin(struct person *p) {
    if (p == p->city->admin)
        person_call_public(p, "/v1/auth/login", credentials(p, false), on_signed_in);
    else
        person_call_public(p, "/v1/auth/register", credentials(p, true), on_register);
}

/* ---- the socket ---- */

static void socket_live(struct person *p) {
    p->live = true;
    if (!p->was_ready) {
        p->was_ready = true;
        p->kind->ready(p);
    }
}

static void on_ready(struct person *p, struct json_value root) {
    int64_t head = json_member_i64(root, "seq", 0);
    p->ready_seq = head;
    if (!p->was_ready)
        p->seq = head; /* the first time: what was before is not ours to audit */
    struct arena *a = &p->city->scratch;
    arena_reset(a);
    person_socket_send(p,
                       arena_printf(a, "{\"type\":\"resume\",\"after\":%lld}", (long long)p->seq));
}

static void socket_opened(void *arg) {
    (void)arg;
}

static void on_event(struct person *p, struct json_value root, struct str type, int64_t seq) {
    struct json_value data;
    if (!json_get(root, "data", &data)) {
        p->kind->event(p, type, root);
        return;
    }
    if (seq > 0)
        audit_seq(p->city, p, seq);
    if (str_is(type, "booking.updated"))
        audit_seen(p->city, p, data);
    p->kind->event(p, type, data);
}

static void socket_text(void *arg, struct str message) {
    struct person *p = arg;
    struct json_value root;
    if (!city_json(p->city, message, &root)) {
        audit_violation(p->city, "%s got a frame that is not JSON", p->email);
        return;
    }
    struct str type = json_member(root, "type");
    int64_t seq = json_member_i64(root, "seq", 0);
    if (str_is(type, "ready"))
        on_ready(p, root);
    else if (str_is(type, "gap"))
        audit_violation(p->city, "%s was told of a gap", p->email);
    struct json_value data;
    if (!p->live && seq > p->ready_seq && json_get(root, "data", &data))
        return; /* the resume came too late: this socket ends, and the next one has it */
    on_event(p, root, type, seq);
    if (str_is(type, "resumed"))
        socket_live(p);
}

static void socket_closed(void *arg, int code) {
    struct person *p = arg;
    p->socket = NULL;
    p->live = false;
    struct city *c = p->city;
    if (c->stopped)
        return;
    c->sum.reconnects++;
    (void)code;
    p->socket_timer =
        net_after(c->net, RETRY_US + (int64_t)rng_below(&c->rng, 700000), open_socket, p);
}

static const struct net_socket_events socket_events = {socket_opened, socket_text, socket_closed};

static void open_socket(void *arg) {
    struct person *p = arg;
    p->socket_timer = NULL;
    if (p->socket != NULL || p->city->stopped)
        return;
    p->socket = net_socket_open(p->city->net, STR("/v1/ws"), buf_str(&p->token), &socket_events, p);
}

bool person_socket_send(struct person *p, struct str text) {
    return p->socket != NULL && net_socket_send(p->socket, text);
}

/* ---- life ---- */

void person_make(struct person *p, struct city *city, const struct person_kind *kind,
                 const char *prefix, int32_t number) {
    static const char *const first[] = {"Asha",  "Bo",   "Carin", "Dag",   "Elsa", "Farid",
                                        "Greta", "Hugo", "Inga",  "Jonas", "Kim",  "Leila"};
    static const char *const last[] = {"Ek", "Berg", "Lind", "Nilsson", "Alm", "Sand", "Hav"};
    *p = (struct person){.city = city, .kind = kind, .number = number};
    snprintf(p->email, sizeof(p->email), "%s%d@%s.example", prefix, number, city->o.tag);
    snprintf(p->name, sizeof(p->name), "%s %s", first[(size_t)number % COUNT_OF(first)],
             last[(size_t)(number / 3) % COUNT_OF(last)]);
    p->conn = net_conn_new(city->net);
    buf_init(&p->token, NULL, 512);
    buf_init(&p->refresh_token, NULL, 128);
}

void person_free(struct person *p) {
    net_cancel(p->refresh_timer);
    net_cancel(p->socket_timer);
    if (p->socket != NULL)
        net_socket_close(p->socket);
    net_conn_free(p->conn);
    struct asking *next; /* those between two tries, which no connection knows of */
    for (struct asking *a = p->city->askings; a != NULL; a = next) {
        next = a->next;
        if (a->person == p)
            asking_free(a);
    }
    buf_free(&p->token);
    buf_free(&p->refresh_token);
}
