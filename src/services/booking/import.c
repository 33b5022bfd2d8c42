/* The document of an import, and what is decided about it. import.h says how it goes. */
#include "services/booking/import.h"

#include "base/check.h"
#include "base/err.h"
#include "base/id.h"
#include "base/timestamp.h"
#include "services/booking/standing.h"

#include <stddef.h>
#include <string.h>

#define STEP_US (20 * INT64_C(1000))         /* between two steps of a dry run */
#define LOOK_US (100 * INT64_C(1000))        /* until the bookings of a step are looked for … */
#define LOOK_DOUBLED_MAX 7                   /* … then twice as long, so often at most */
#define TELL_EVERY_US (INT64_C(1) * 1000000) /* while it goes on */

const char *const import_state_names[] = {NULL, "running", "cancelling", "cancelled", "done", NULL};
const char *const row_state_names[] = {NULL,    "waiting", "ordered",   "booked",
                                       "valid", "failed",  "cancelled", NULL};

#define AT(type, member) .flags = S_STORE, .offset = offsetof(struct type, member)
static const struct schema_field error_fields[] = {
    {"pointer", S_STR, .flags = S_STORE | S_OUT, .offset = offsetof(struct row_error, pointer)},
    {"detail", S_STR, .flags = S_STORE | S_OUT, .offset = offsetof(struct row_error, detail)},
};
static const struct schema error_schema = SCHEMA(struct row_error, "RowError", error_fields);
static const struct schema_field row_fields[] = {
    {"number", S_I64, AT(import_row, number)},
    {"state", S_ENUM, AT(import_row, state), .names = row_state_names},
    {"reference", S_STR, AT(import_row, reference)},
    {"order", S_OBJECT_PTR, AT(import_row, order), .sub = &order_schema},
    {"total", S_I64, AT(import_row, total)},
    {"errors", S_LIST, AT(import_row, errors),
     .count_offset = offsetof(struct import_row, error_count), .sub = &error_schema,
     .max = IMPORT_ERRORS_MAX},
};
static const struct schema row_schema = SCHEMA(struct import_row, "StoredImportRow", row_fields);
static const struct schema_field import_fields[] = {
    {"id", S_ID, S_OUT, offsetof(struct import, head.id), .hint = "imp"},
    {"version", S_I64, S_OUT, offsetof(struct import, head.version)},
    {"owner_id", S_ID, AT(import, owner_id), .hint = "usr"},
    {"role", S_ENUM, AT(import, role), .names = role_names},
    {"state", S_ENUM, AT(import, state), .names = import_state_names},
    {"csv", S_BOOL, AT(import, csv)},
    {"dry_run", S_BOOL, AT(import, dry_run)},
    {"currency", S_STR, AT(import, currency)},
    {"rows", S_LIST, AT(import, rows), .count_offset = offsetof(struct import, row_count),
     .sub = &row_schema, .max = IMPORT_ROWS_MAX},
    {"created_at", S_TIME, AT(import, created_at_us)},
    {"ended_at", S_TIME, AT(import, ended_at_us)},
    {"next", S_TIME, AT(import, next_us)},
    {"told", S_TIME, AT(import, told_us)},
    {"waits", S_I64, AT(import, waits)},
};
const struct schema import_schema = SCHEMA(struct import, "StoredImport", import_fields);
const struct store_collection import_collection = {
    .name = "booking_imports", .indexes = {"owner_id", "under_way"}, .timers = true};

static bool under_way(const struct import *im) {
    return im->state == IMPORT_RUNNING || im->state == IMPORT_CANCELLING;
}

static void import_keys(const void *state, struct arena *a, struct str ret_keys[STORE_KEYS_MAX]) {
    const struct import *im = state;
    (void)a;
    ret_keys[0] = im->owner_id;
    ret_keys[1] = under_way(im) ? im->owner_id : STR_NONE;
}
static int64_t import_wake_at(const void *state) {
    return ((const struct import *)state)->next_us;
}
const struct aggregate import_aggregate = {&import_collection, &import_schema, import_keys,
                                           import_wake_at};

/* ---- views ---- */

struct tally {
    int64_t rows[ROW_STATE_COUNT], total;
};

static struct tally tally_of(const struct import *im) {
    struct tally t = {0};
    for (int32_t i = 0; i < im->row_count; i++) {
        const struct import_row *row = &im->rows[i];
        bool counts =
            row->state == ROW_ORDERED || row->state == ROW_BOOKED || row->state == ROW_VALID;
        t.rows[row->state]++;
        t.total += counts && row->total != I64_ABSENT ? row->total : 0;
    }
    return t;
}

static void write_import(struct jw *w, const struct import *im) {
    struct tally t = tally_of(im);
    jw_object(w);
    jw_kv_str(w, "id", im->head.id);
    jw_kv_i64(w, "version", im->head.version);
    jw_kv_str(w, "owner_id", im->owner_id);
    jw_kv_str(w, "state", str_from(import_state_names[im->state]));
    jw_kv_str(w, "format", im->csv ? STR("csv") : STR("json"));
    jw_key(w, "dry_run");
    jw_bool(w, im->dry_run);
    jw_key(w, "rows");
    jw_object(w);
    jw_kv_i64(w, "all", im->row_count);
    for (int32_t s = ROW_NONE + 1; s < ROW_STATE_COUNT; s++)
        jw_kv_i64(w, row_state_names[s], t.rows[s]);
    jw_end(w);
    jw_kv_str(w, "currency", im->currency);
    jw_kv_i64(w, "total", t.total);
    jw_kv_time(w, "created_at", im->created_at_us);
    jw_kv_time(w, "ended_at", im->ended_at_us);
    jw_end(w);
}

static struct str import_view(const struct import *im, struct arena *a) {
    struct buf out;
    struct jw w;
    buf_init(&out, a, 512);
    jw_init(&w, &out);
    write_import(&w, im);
    return buf_str(&out);
}

static struct str booking_of(const struct import *im, const struct import_row *row,
                             struct arena *a) {
    return order_booking_id(im->head.id, row->number, im->created_at_us, a);
}

static void write_row(struct jw *w, const struct import *im, const struct import_row *row,
                      struct arena *a) {
    jw_object(w);
    jw_kv_i64(w, "row", row->number);
    jw_kv_str(w, "state", str_from(row_state_names[row->state]));
    jw_kv_str(w, "reference", row->reference);
    jw_kv_str(w, "booking_id", row->state == ROW_BOOKED ? booking_of(im, row, a) : STR_NONE);
    if (row->total != I64_ABSENT)
        jw_kv_i64(w, "total", row->total);
    jw_key(w, "errors");
    jw_array(w);
    for (int32_t i = 0; i < row->error_count; i++)
        schema_write(&error_schema, &row->errors[i], S_OUT, w);
    jw_end(w);
    jw_end(w);
}

/* ---- beginning ---- */

static int load_begin(struct command *cmd, struct store *store, int64_t now_us) {
    struct booking_service *s = cmd->service;
    (void)now_us;
    return begin_reserve(cmd, store, &import_collection, &s->importing, IMPORTS_OPEN_MAX);
}

static void tell(const struct command *cmd, const struct decide_ctx *ctx, struct import *im,
                 struct decision *ret) {
    struct ev_told said = {im->owner_id, im->role, import_view(im, ctx->arena)};
    im->told_us = ctx->now_us;
    decision_event(ret, cmd, ctx, EV_IMPORT_UPDATED, im->head.id, &ev_told_schema, &said);
}

/* Is there nothing left to do? Then it has ended. */
static void maybe_end(struct import *im, const struct decide_ctx *ctx) {
    struct tally t = tally_of(im);
    if (t.rows[ROW_WAITING] + t.rows[ROW_ORDERED] > 0)
        return;
    im->state = im->state == IMPORT_CANCELLING ? IMPORT_CANCELLED : IMPORT_DONE;
    im->ended_at_us = ctx->now_us;
    im->next_us = 0;
}

static void answer(const struct command *cmd, const struct decide_ctx *ctx, const struct import *im,
                   int status, struct decision *ret) {
    decision_json(ret, status, import_view(im, ctx->arena));
    decision_etag(ret, cmd, im->head.version);
}

static void decide_begin(const struct command *cmd, const struct decide_ctx *ctx, const void *state,
                         struct decision *ret) {
    const struct begin_facts *facts = cmd->facts;
    if (state != NULL) { /* 80 random bits met */
        decision_problem(ret, cmd, PROBLEM_INTERNAL, "this import exists; try again");
        return;
    }
    if (facts->too_many) {
        decision_problem(ret, cmd, PROBLEM_TOO_MANY_IMPORTS,
                         "%d of your imports are under way, which is as many as may be",
                         IMPORTS_OPEN_MAX);
        return;
    }
    struct import *im = arena_copy(ctx->arena, cmd->args, sizeof(*im));
    im->created_at_us = ctx->now_us;
    im->next_us = ctx->now_us;
    im->state = IMPORT_RUNNING;
    decision_state(ret, cmd, NULL, im);
    maybe_end(im, ctx); /* not one of its rows is sound */
    tell(cmd, ctx, im, ret);
    answer(cmd, ctx, im, 201, ret);
}

static const struct command_type import_begin = {.name = "import.begin",
                                                 .aggregate = &import_aggregate,
                                                 .load = load_begin,
                                                 .decide = decide_begin,
                                                 .applied = begin_applied,
                                                 .undone = begin_over};

/* No further row is begun; each of them says WHY (absent: who asked for it knows). */
static void stop_rows(struct import *im, struct str why, struct arena *a) {
    im->state = IMPORT_CANCELLING;
    for (int32_t i = 0; i < im->row_count; i++) {
        struct import_row *row = &im->rows[i];
        if (row->state != ROW_WAITING)
            continue;
        struct field_errors errors = {0};
        if (why.p != NULL)
            field_errors_add(&errors, a, STR(""), "%.*s", STR_ARG(why));
        import_fail(row, &errors, im->csv, a);
        row->state = ROW_CANCELLED;
    }
}

/* ---- a step ---- */

struct step_row {
    int32_t at;                  /* of the import's rows */
    bool booked;                 /* of one that is ordered */
    const struct quote_set *set; /* of one that waits; NULL: … */
    struct field_errors *errors; /* … why not */
};
struct step {
    int64_t version;  /* of the import that was read */
    const char *stop; /* why nothing more is booked; NULL: it goes on */
    struct step_row rows[IMPORT_STEP_MAX];
    int32_t count;
};

static int look_for(struct command *cmd, struct store *store, const struct import *im,
                    struct step_row *r) {
    struct store_doc doc;
    int err = store->ops->get(store, &booking_collection,
                              booking_of(im, &im->rows[r->at], cmd->arena), cmd->arena, &doc);
    r->booked = err == 0;
    return err == ERR_NOT_FOUND ? 0 : err;
}

static void price_row(struct command *cmd, const struct import *im, int64_t now_us, bool room,
                      struct step_row *r) {
    struct booking_service *s = cmd->service;
    r->errors = arena_new(cmd->arena, struct field_errors);
    const struct order_owner owner = {im->owner_id, im->role, im->head.id};
    r->set = order_price(s, im->rows[r->at].order, &owner, now_us, cmd->arena, r->errors);
    if (r->set == NULL || room)
        return;
    r->set = NULL;
    field_errors_add(r->errors, cmd->arena, STR(""), "%.*s", STR_ARG(open_words(s, cmd->arena)));
}

/* The next that wait. */
static int price_next(struct command *cmd, struct store *store, const struct import *im,
                      int64_t now_us, struct step *step) {
    int32_t room = IMPORT_STEP_MAX;
    int err = im->dry_run
                  ? 0
                  : order_room(cmd->service, store, im->owner_id, im->role, IMPORT_STEP_MAX, &room);
    for (int32_t i = 0; i < im->row_count && step->count < IMPORT_STEP_MAX && err == 0; i++) {
        if (im->rows[i].state != ROW_WAITING)
            continue;
        struct step_row *r = &step->rows[step->count++];
        r->at = i;
        price_row(cmd, im, now_us, room > 0, r);
        room -= r->set != NULL;
    }
    return err;
}

/* Nobody is there to book for whose account was disabled since, or is erased. */
static int look_at_owner(struct command *cmd, struct store *store, const struct import *im,
                         struct step *step) {
    enum standing standing;
    int64_t since_us;
    int err = standing_of(store, executor_parser(cmd->executor), im->owner_id, cmd->arena,
                          &standing, &since_us);
    if (err == 0 && standing == STANDING_ERASED)
        step->stop = "the account was erased";
    else if (err == 0 && standing == STANDING_DISABLED && since_us > im->created_at_us)
        step->stop = "the account was disabled";
    return err;
}

/* What is known of those that are ordered; if none is any more, the price of the next. */
static int load_step(struct command *cmd, struct store *store, int64_t now_us) {
    struct step *step = arena_new(cmd->arena, struct step);
    struct json_parser *parser = executor_parser(cmd->executor);
    void *state;
    cmd->facts = step;
    int err = aggregate_get(&import_aggregate, store, parser, cmd->id, cmd->arena, &state);
    if (err < 0)
        return err == ERR_NOT_FOUND ? 0 : err;
    const struct import *im = state;
    step->version = im->head.version;
    for (int32_t i = 0; i < im->row_count && err == 0; i++) {
        if (im->rows[i].state != ROW_ORDERED)
            continue;
        CHECK(step->count < IMPORT_STEP_MAX);
        struct step_row *r = &step->rows[step->count++];
        r->at = i;
        err = look_for(cmd, store, im, r);
    }
    if (err == 0 && im->state == IMPORT_RUNNING)
        err = look_at_owner(cmd, store, im, step);
    if (err == 0 && step->count == 0 && step->stop == NULL && im->state == IMPORT_RUNNING)
        err = price_next(cmd, store, im, now_us, step);
    return err;
}

static void settle_row(const struct command *cmd, const struct decide_ctx *ctx, struct import *im,
                       const struct step_row *r, struct decision *ret) {
    struct import_row *row = &im->rows[r->at];
    if (row->state == ROW_ORDERED) {
        row->state = r->booked ? ROW_BOOKED : ROW_ORDERED;
        return;
    }
    row->order = NULL;
    if (r->set == NULL) {
        import_fail(row, r->errors, im->csv, ctx->arena);
        return;
    }
    row->total = r->set->quotes[0].price.total;
    im->currency = r->set->quotes[0].price.currency;
    row->state = im->dry_run ? ROW_VALID : ROW_ORDERED;
    if (!im->dry_run)
        order_send(ret, cmd, ctx, booking_of(im, row, ctx->arena), r->set);
}

/* How long until the next step: twice as long each time that nothing has come of one. */
static int64_t pause_us(const struct import *im) {
    int64_t doubled = im->waits < LOOK_DOUBLED_MAX ? im->waits : LOOK_DOUBLED_MAX;
    return tally_of(im).rows[ROW_ORDERED] == 0 ? STEP_US : LOOK_US << doubled;
}

static struct import *import_edit(const struct command *cmd, const struct decide_ctx *ctx,
                                  const struct import *old, struct decision *ret) {
    struct import *im = arena_copy(ctx->arena, old, sizeof(*im));
    im->rows = arena_copy(ctx->arena, old->rows, (size_t)old->row_count * sizeof(*im->rows));
    decision_state(ret, cmd, old, im);
    return im;
}

static void decide_step(const struct command *cmd, const struct decide_ctx *ctx, const void *state,
                        struct decision *ret) {
    const struct import *old = state;
    const struct step *step = cmd->facts;
    if (old == NULL || old->next_us == 0 || old->next_us > ctx->now_us ||
        step->version != old->head.version)
        return; /* it comes again */
    struct import *im = import_edit(cmd, ctx, old, ret);
    bool moved = step->stop != NULL;
    if (step->stop != NULL)
        stop_rows(im, str_from(step->stop), ctx->arena);
    for (int32_t i = 0; i < step->count; i++) {
        int32_t before = im->rows[step->rows[i].at].state;
        settle_row(cmd, ctx, im, &step->rows[i], ret);
        moved = moved || im->rows[step->rows[i].at].state != before;
    }
    im->waits = moved ? 0 : im->waits + 1;
    im->next_us = ctx->now_us + pause_us(im);
    maybe_end(im, ctx);
    if (im->next_us == 0 || (moved && ctx->now_us - im->told_us >= TELL_EVERY_US))
        tell(cmd, ctx, im, ret);
}

static void step_applied(const struct command *cmd, const struct decision *d, const void *state) {
    struct booking_service *s = cmd->service;
    const struct step *step = cmd->facts;
    const struct import *im = state;
    for (int32_t i = 0; d->state != NULL && i < step->count; i++)
        atomic_fetch_add_explicit(&s->import_rows[im->rows[step->rows[i].at].state], 1,
                                  memory_order_relaxed);
}

const struct command_type import_wake = {.name = "import.step",
                                         .aggregate = &import_aggregate,
                                         .load = load_step,
                                         .decide = decide_step,
                                         .applied = step_applied};

/* ---- cancelling ---- */

static bool visible(const struct import *im, const struct identity *who) {
    return who->role == ROLE_DISPATCHER || who->role == ROLE_ADMIN ||
           str_eq(im->owner_id, who->user_id);
}

static void decide_cancel(const struct command *cmd, const struct decide_ctx *ctx,
                          const void *state, struct decision *ret) {
    const struct import *old = state;
    if (old == NULL || !visible(old, &cmd->who)) {
        decision_problem(ret, cmd, PROBLEM_NOT_FOUND, "there is no such import");
        return;
    }
    if (old->state == IMPORT_DONE) {
        decision_problem(ret, cmd, PROBLEM_ILLEGAL_TRANSITION,
                         "this import is done; its bookings are cancelled one by one");
        return;
    }
    if (old->state != IMPORT_RUNNING) {
        answer(cmd, ctx, old, 200, ret);
        return;
    }
    struct import *im = import_edit(cmd, ctx, old, ret);
    stop_rows(im, STR_NONE, ctx->arena);
    maybe_end(im, ctx);
    tell(cmd, ctx, im, ret);
    answer(cmd, ctx, im, 200, ret);
}

static const struct command_type import_cancel = {
    .name = "import.cancel", .aggregate = &import_aggregate, .decide = decide_cancel};

/* ---- routes ---- */

static bool is_type(struct str said, const char *type) {
    size_t end = 0;
    while (end < said.len && said.p[end] != ';' && said.p[end] != ' ')
        end++;
    return str_eq_nocase(str_sub(said, 0, end), type);
}

static const char *const dry_run_names[] = {NULL, "false", "true", NULL};

/* Fills IM from the body. False: replied. */
static bool read_file(struct call *c, struct import *im) {
    struct str type = call_header(c, "content-type"), why, encoding;
    const struct import_source src = {c->service, c->worker->parser, &c->arena, c->now_us};
    encoding = call_header(c, "content-encoding");
    im->csv = is_type(type, "text/csv");
    if ((!im->csv && !is_type(type, "application/json")) ||
        (encoding.len > 0 && !str_eq_nocase(encoding, "identity"))) {
        call_problem(c, PROBLEM_UNSUPPORTED_TYPE,
                     "the body must be the file itself, text/csv or application/json");
        return false;
    }
    if (c->request.body.len > IMPORT_BYTES_MAX) {
        call_problem(c, PROBLEM_PAYLOAD_TOO_LARGE, "a file may have %d bytes", IMPORT_BYTES_MAX);
        return false;
    }
    if (!im->csv && json_parse(c->worker->parser, c->request.body, &c->json) < 0) {
        int line, column;
        json_error_at(c->request.body, &c->arena, &line, &column, &why);
        call_problem(c, PROBLEM_MALFORMED_JSON, "line %d, column %d: %.*s", line, column,
                     STR_ARG(why));
        return false;
    }
    if (im->csv ? import_read_csv(&src, c->request.body, im, &why)
                : import_read_json(&src, c->json, im, &why))
        return true;
    struct field_errors errors = {0};
    field_errors_add(&errors, &c->arena, STR(""), "%.*s", STR_ARG(why));
    call_invalid(c, &errors);
    return false;
}

/* The same key for a dry run and for the real one: they are not the same request. */
void handle_import(struct call *c) {
    struct import *im = arena_new(&c->arena, struct import);
    int32_t dry = 0;
    if (!call_query_enum(c, "dry_run", dry_run_names, &dry) || !read_file(c, im))
        return;
    im->dry_run = dry == 2;
    im->owner_id = c->who.user_id;
    im->role = (int32_t)c->who.role;
    struct str id = id_new(&c->arena, "imp", c->now_us, c->worker->rng);
    struct command *cmd = call_command_new(c, &import_begin, id, im);
    if (cmd == NULL)
        return;
    cmd->body_hash ^= im->dry_run ? str_hash(STR("dry_run"), 0) : 0;
    call_command_send(c, cmd);
}

static void write_item(struct page *p, const void *state, const void *arg) {
    (void)arg;
    write_import(&p->w, state);
}

void handle_imports(struct call *c) {
    struct page page;
    int index = c->who.role == ROLE_CUSTOMER ? 0 : -1;
    if (page_list(&page, c, &import_aggregate, index, c->who.user_id, write_item, NULL))
        page_reply(&page, page.more, page.last_id);
}

/* NULL: replied. */
static const struct import *visible_import(struct call *c) {
    if (!id_valid(c->params[0], "imp")) {
        call_problem(c, PROBLEM_NOT_FOUND, "there is no such import");
        return NULL;
    }
    const struct import *im = call_state(c, &import_aggregate, c->params[0]);
    if (im == NULL || visible(im, &c->who)) /* NULL: C is gone with its reply */
        return im;
    call_problem(c, PROBLEM_NOT_FOUND, "there is nothing here"); /* as if there were none */
    return NULL;
}

void handle_get_import(struct call *c) {
    const struct import *im = visible_import(c);
    if (im != NULL)
        call_json_etag(c, im->head.version, import_view(im, &c->arena));
}

/* Its rows in order; the cursor is the number of the last. */
void handle_import_rows(struct call *c) {
    int32_t limit, wanted = ROW_NONE, written = 0;
    struct str after;
    int64_t last = 0;
    bool more = false;
    struct page page;
    if (!call_page(c, &limit, &after) || !call_query_enum(c, "state", row_state_names, &wanted))
        return;
    if (after.p != NULL && str_to_i64(after, &last) < 0) {
        call_problem(c, PROBLEM_BAD_PARAMETER, "cursor must be the next_cursor of an earlier page");
        return;
    }
    const struct import *im = visible_import(c);
    if (im == NULL)
        return;
    page_begin(&page, c);
    for (int32_t i = 0; i < im->row_count && !more; i++) {
        const struct import_row *row = &im->rows[i];
        if (row->number <= last || (wanted != ROW_NONE && row->state != wanted))
            continue;
        more = written == limit;
        if (more)
            break;
        write_row(&page.w, im, row, &c->arena);
        written++;
        after = arena_printf(&c->arena, "%lld", (long long)row->number);
    }
    page_reply(&page, more, after);
}

void handle_cancel_import(struct call *c) {
    if (id_valid(c->params[0], "imp"))
        call_command(c, &import_cancel, c->params[0], NULL);
    else
        call_problem(c, PROBLEM_NOT_FOUND, "there is no such import");
}

/* ---- retention ---- */

void import_prune(struct store *writer, int64_t now_us) {
    struct arena a;
    struct rng zero;
    if (now_us <= IMPORTS_KEPT_US)
        return;
    rng_seed(&zero, 0); /* any id of that time is a bound */
    arena_init(&a, 256);
    writer->ops->prune_docs(writer, &import_collection,
                            id_new(&a, "imp", now_us - IMPORTS_KEPT_US, &zero), IMPORT_ROWS_MAX);
    arena_free(&a);
}
