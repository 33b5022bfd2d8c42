/* Files from the upload to the broom, in a house. */
#include "adapters/memory/memory_blobs.h"
#include "base/check.h"
#include "base/timestamp.h"
#include "events/events.h"
#include "runtime/executor.h"
#include "services/files/files_service.h"
#include "services/files/record.h"
#include "services/files/test_images.h"
#include "testing/house.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define HOUR_US (INT64_C(3600) * US_PER_S)

/* Another service: it attaches what it is told to, and lets go. */
struct desk {
    struct files *files;
    bool open; /* may others see? */
};

static void then(struct call *c, struct file_claim *claims, int32_t count, void *arg) {
    (void)arg;
    assert_true(count <= 1);
    call_json(c, 200, count > 0 ? claims[0].sha256 : STR("none"));
}

static void desk_attach(struct call *c) {
    struct desk *d = c->service;
    struct file_claim *claim = arena_new(&c->arena, struct file_claim);
    *claim = (struct file_claim){.id = c->params[1], .pointer = "/file_id", .types = FILE_IMAGES};
    d->files->ops->attach(d->files, c, c->params[0], claim, 1, then, NULL);
}

static void desk_show(struct call *c) {
    struct desk *d = c->service;
    d->files->ops->serve(d->files, c, c->params[1], c->params[0]);
}

struct release_args {
    struct str file, subject;
};
static void decide_release(const struct command *cmd, const struct decide_ctx *ctx,
                           const void *state, struct decision *ret) {
    const struct release_args *args = cmd->args;
    const struct ev_file e = {.file_id = args->file, .subject = args->subject};
    (void)state;
    decision_event(ret, cmd, ctx, EV_FILE_RELEASED, args->file, &ev_file_schema, &e);
    decision_state(ret, cmd, NULL, arena_new(ctx->arena, struct aggregate_head));
}
static const struct schema_field nothing_fields[] = {{"id", S_ID, .flags = S_OUT}};
static const struct schema nothing_schema =
    SCHEMA(struct aggregate_head, "Nothing", nothing_fields);
static const struct store_collection desk_collection = {.name = "desks"};
static const struct aggregate desk_aggregate = {.collection = &desk_collection,
                                                .schema = &nothing_schema};
static const struct command_type release_type = {
    .name = "desk.release", .aggregate = &desk_aggregate, .decide = decide_release};

static void desk_release(struct call *c) {
    struct release_args *args = arena_new(&c->arena, struct release_args);
    *args = (struct release_args){c->params[1], c->params[0]};
    call_command(c, &release_type, id_new(&c->arena, "dsk", c->now_us, c->worker->rng), args);
}

static const struct route_entry desk_routes[] = {
    {"POST", "/desk/{id}/attach/{file}", ROLES_ANY, desk_attach, NULL, 0, "a"},
    {"GET", "/desk/{id}/show/{file}", ROLES_PUBLIC, desk_show, NULL, 0, "s"},
    {"POST", "/desk/{id}/release/{file}", ROLES_ANY, desk_release, NULL, 0, "r"},
};
static const struct store_collection *const desk_collections[] = {&desk_collection, NULL};
static const struct service_def desk_def = {.name = "desk",
                                            .routes = desk_routes,
                                            .route_count = COUNT_OF(desk_routes),
                                            .collections = desk_collections};

static bool may_see(void *arg, struct call *c, struct str subject) {
    (void)c;
    (void)subject;
    return ((struct desk *)arg)->open;
}

struct fixture {
    struct house *house;
    struct files_service *files;
    struct blobs *blobs;
    struct memory_blob_faults faults;
    struct desk desk;
    struct identity ola, eva;
};

static int setup(void **state) {
    static struct fixture f;
    f = (struct fixture){.house = house_new(11)};
    struct house *h = f.house;
    f.blobs = memory_blobs_new(&h->clock, &f.faults, &h->rng);
    f.files = files_service_new(&(struct files_options){
        .blobs = f.blobs, .clock = &h->clock, .cache = h->cache, .bytes_per_day_max = 1 << 20});
    f.desk.files = files_service_port(f.files);
    files_service_viewer(f.files, &(struct file_viewer){"dsk", may_see, &f.desk});
    house_open(h, (struct service[]){files_service(f.files), {.def = &desk_def, .self = &f.desk}},
               2);
    files_service_executor(f.files, h->executor);
    f.ola = house_who(h, ROLE_DRIVER, "usr_01M850A1E7QCRB3XG104WRR17N");
    f.eva = house_who(h, ROLE_CUSTOMER, "usr_01M850A1E7QCRB3XG104WRR18N");
    *state = &f;
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    struct files_service *files = f->files;
    files_service_stop(files);
    house_free(f->house);
    files_service_free(files);
    f->blobs->ops->close(f->blobs);
    return 0;
}

static struct house_answer upload(struct fixture *f, struct identity who, const char *type,
                                  struct str bytes, const char *key) {
    struct house_request r = {.method = "POST",
                              .path = "/v1/files",
                              .bytes = bytes,
                              .who = who,
                              .headers = {{STR("content-type"), str_from(type)}}};
    if (key != NULL)
        r.headers[1] = (struct header){STR("idempotency-key"), str_from(key)};
    return house_call(f->house, &r);
}

static struct house_answer ask(struct fixture *f, struct identity who, const char *method,
                               const char *format, struct str a, struct str b) {
    char path[256];
    snprintf(path, sizeof path, format, STR_ARG(a), STR_ARG(b));
    return house_call(f->house,
                      &(struct house_request){.method = method, .path = path, .who = who});
}

static struct house_answer get(struct fixture *f, struct identity who, struct str id) {
    return ask(f, who, "GET", "/v1/files/%.*s%.*s", id, STR(""));
}

static struct str member(struct fixture *f, struct str json, const char *name) {
    struct json_value v, m;
    assert_int_equal(json_parse(f->house->worker.parser, json, &v), 0);
    assert_true(json_get(v, name, &m));
    return arena_str(&f->house->arena, json_text(m));
}

static struct str picture(struct fixture *f, int width) {
    return test_jpeg(&f->house->arena, width, 20, false, STR_NONE);
}

static struct str uploaded(struct fixture *f, struct identity who, int width) {
    struct house_answer a = upload(f, who, "image/jpeg", picture(f, width), NULL);
    assert_int_equal(a.status, 201);
    return member(f, a.body, "id");
}

static bool has(struct str text, const char *part) {
    return memmem(text.p, text.len, part, strlen(part)) != NULL;
}

static const struct str desk_id = {"dsk_01M850A1E7QCRB3XG104WRR19N", 30};

static const char *header_of(const struct house_answer *a, const char *name) {
    for (int32_t i = 0; i < a->response.header_count; i++) {
        if (str_is(a->response.headers[i].name, name))
            return a->response.headers[i].value.p;
    }
    return "";
}

static void an_upload_is_read_by_its_owner(void **state) {
    struct fixture *f = *state;
    struct house_answer a = upload(f, f->ola, "image/jpeg", picture(f, 30), NULL);
    assert_int_equal(a.status, 201);
    struct str id = member(f, a.body, "id");
    assert_true(has(a.body, "\"width\":30,\"height\":20"));
    struct house_answer b = get(f, f->ola, id);
    assert_int_equal(b.status, 200);
    assert_string_equal(b.response.content_type, "image/jpeg");
    assert_string_equal(header_of(&b, "X-Content-Type-Options"), "nosniff");
    assert_non_null(strstr(header_of(&b, "Content-Security-Policy"), "sandbox"));
    assert_int_equal(get(f, f->eva, id).status, 404);
    assert_int_equal(get(f, f->ola, STR("fil_1")).status, 404);
    assert_int_equal(get(f, f->ola, STR("fil_01M850A1E7QCRB3XG104WRR17N")).status, 404);
    memory_blobs_spoil(f->blobs, member(f, a.body, "sha256"));
    assert_int_equal(get(f, f->ola, id).status, 500); /* never something else than was put */
}

static void what_is_not_taken(void **state) {
    struct fixture *f = *state;
    struct str jpeg = picture(f, 30);
    const struct {
        const char *type;
        struct str bytes;
        int status;
    } cases[] = {{"image/png", jpeg, 422},
                 {"image/jpeg", str_sub(jpeg, 0, jpeg.len / 2), 422},
                 {"image/jpeg", STR(""), 422},
                 {"image/gif", STR("GIF89a"), 415},
                 {"image/svg+xml", STR("<svg/>"), 415},
                 {"application/json", STR("{}"), 415},
                 {"", jpeg, 415},
                 {"application/pdf", STR("%PDF-1.7 but no end"), 422}};
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_int_equal(upload(f, f->ola, cases[i].type, cases[i].bytes, NULL).status,
                         cases[i].status);
    assert_int_equal(memory_blobs_count(f->blobs), 0);
    f->faults.refused = 1000;
    assert_int_equal(upload(f, f->ola, "image/jpeg", jpeg, NULL).status, 503);
    f->faults.refused = 0;
    assert_int_equal(upload(f, f->ola, "image/jpeg", jpeg, NULL).status, 201);
}

static void a_day_has_a_budget(void **state) {
    struct fixture *f = *state;
    struct str jpeg = test_jpeg(&f->house->arena, 900, 600, false, STR_NONE);
    int status = 201, count = 0;
    for (; status == 201 && count < 100; count++)
        status = upload(f, f->ola, "image/jpeg", jpeg, NULL).status;
    assert_int_equal(status, 429);
    assert_true((int64_t)jpeg.len * count > 1 << 20);
    assert_int_equal(upload(f, f->eva, "image/jpeg", jpeg, NULL).status, 201);
    house_advance(f->house, 25 * HOUR_US);
    assert_int_equal(upload(f, f->ola, "image/jpeg", jpeg, NULL).status, 201);
}

static void a_key_counts_once(void **state) {
    struct fixture *f = *state;
    struct house_answer a = upload(f, f->ola, "image/jpeg", picture(f, 30), "k");
    struct house_answer b = upload(f, f->ola, "image/jpeg", picture(f, 30), "k");
    assert_int_equal(b.status, 201);
    assert_true(str_eq(a.body, b.body));
    assert_int_equal(upload(f, f->ola, "image/jpeg", picture(f, 31), "k").status, 422);
    assert_int_equal(memory_blobs_count(f->blobs), 2);
    house_advance(f->house, 26 * HOUR_US);
    assert_int_equal(memory_blobs_count(f->blobs), 0);
}

static void the_unattached_go(void **state) {
    struct fixture *f = *state;
    struct str first = uploaded(f, f->ola, 30), second = uploaded(f, f->eva, 30);
    assert_int_equal(memory_blobs_count(f->blobs), 1); /* the same bytes */
    assert_int_equal(ask(f, f->eva, "POST", "/desk/%.*s/attach/%.*s", desk_id, second).status, 200);
    house_advance(f->house, 23 * HOUR_US);
    assert_int_equal(get(f, f->ola, first).status, 200);
    house_advance(f->house, 2 * HOUR_US);
    assert_int_equal(get(f, f->ola, first).status, 404);
    assert_int_equal(get(f, f->eva, second).status, 200); /* one goes, the bytes stay */
    assert_int_equal(ask(f, f->eva, "POST", "/desk/%.*s/release/%.*s", desk_id, second).status,
                     204);
    house_settle(f->house);
    assert_int_equal(get(f, f->eva, second).status, 404);
    house_advance(f->house, HOUR_US);
    assert_int_equal(memory_blobs_count(f->blobs), 0);
}

/* While the disk says no the broom comes again, and nothing is forgotten before its bytes are gone.
 */
static void the_broom_comes_again(void **state) {
    struct fixture *f = *state;
    uploaded(f, f->ola, 30);
    f->faults.refused = 1000;
    house_advance(f->house, 26 * HOUR_US);
    assert_int_equal(memory_blobs_count(f->blobs), 1);
    f->faults.refused = 0;
    house_advance(f->house, HOUR_US);
    assert_int_equal(memory_blobs_count(f->blobs), 0);
}

static void attaching(void **state) {
    struct fixture *f = *state;
    struct str id = uploaded(f, f->ola, 30);
    const char *attach = "/desk/%.*s/attach/%.*s";
    struct str other = STR("dsk_01M850A1E7QCRB3XG104WRR1AN");
    struct house_answer a = ask(f, f->eva, "POST", attach, desk_id, id); /* not hers */
    assert_int_equal(a.status, 422);
    assert_true(has(a.body, "\"pointer\":\"/file_id\""));
    a = ask(f, f->ola, "POST", attach, desk_id, id);
    assert_int_equal(a.status, 200);
    assert_int_equal(a.body.len, 64);
    struct house_answer again = ask(f, f->ola, "POST", attach, desk_id, id);
    assert_int_equal(again.status, 200);
    assert_true(str_eq(again.body, a.body));
    assert_int_equal(ask(f, f->ola, "POST", attach, other, id).status, 422);
    assert_int_equal(get(f, f->eva, id).status, 404);
    f->desk.open = true;
    assert_int_equal(get(f, f->eva, id).status, 200);
    struct identity nobody = {0};
    assert_int_equal(ask(f, nobody, "GET", "/desk/%.*s/show/%.*s", desk_id, id).status, 200);
    assert_int_equal(ask(f, nobody, "GET", "/desk/%.*s/show/%.*s", other, id).status, 404);
    struct str pdf = STR("%PDF-1.7\n1 0 obj <<>> endobj\nstartxref\n9\n%%EOF\n");
    a = upload(f, f->ola, "application/pdf", pdf, NULL);
    assert_int_equal(a.status, 201);
    assert_int_equal(ask(f, f->ola, "POST", attach, desk_id, member(f, a.body, "id")).status, 422);
    a = get(f, f->ola, member(f, a.body, "id"));
    assert_int_equal(strncmp(header_of(&a, "Content-Disposition"), "attachment", 10), 0);
    house_advance(f->house, 100 * HOUR_US);
    assert_int_equal(get(f, f->ola, id).status, 200);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_upload_is_read_by_its_owner, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_not_taken, setup, teardown),
        cmocka_unit_test_setup_teardown(a_day_has_a_budget, setup, teardown),
        cmocka_unit_test_setup_teardown(a_key_counts_once, setup, teardown),
        cmocka_unit_test_setup_teardown(the_unattached_go, setup, teardown),
        cmocka_unit_test_setup_teardown(the_broom_comes_again, setup, teardown),
        cmocka_unit_test_setup_teardown(attaching, setup, teardown),
    };
    return cmocka_run_group_tests_name("files", tests, NULL, NULL);
}
