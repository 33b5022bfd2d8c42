/* The web app's files over a folder on disk: which address gets what, with which headers. */
#include "adapters/web/web.h"
#include "base/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct folder {
    char path[64];
    struct arena arena;
    struct web *web;
};

static void put(const struct folder *f, const char *name, const char *bytes) {
    char path[128];
    snprintf(path, sizeof path, "%s/%s", f->path, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, strlen(bytes), file), strlen(bytes));
    assert_int_equal(fclose(file), 0);
}

static int setup(void **state) {
    struct folder *f = calloc(1, sizeof(*f));
    char assets[96];
    snprintf(f->path, sizeof f->path, "/tmp/lorry-web-XXXXXX");
    assert_non_null(mkdtemp(f->path));
    snprintf(assets, sizeof assets, "%s/assets", f->path);
    assert_int_equal(mkdir(assets, 0700), 0);
    put(f, "index.html", "<!doctype html>");
    put(f, "index.html.br", "brotli of index");
    put(f, "drive.html", "<!doctype html><title>drive");
    put(f, "assets/app-1a2b.js", "let app");
    put(f, "assets/app-1a2b.js.gz", "gzip of app");
    put(f, "assets/only.css.br", "without its plain form");
    put(f, "sw.js", "worker");
    put(f, ".secret", "hidden");
    arena_init(&f->arena, 4096);
    *state = f;
    return 0;
}

static int teardown(void **state) {
    struct folder *f = *state;
    char command[128];
    web_close(f->web);
    arena_free(&f->arena);
    snprintf(command, sizeof command, "rm -rf %s", f->path);
    assert_int_equal(system(command), 0); /* NOLINT(cert-env33-c): a folder of our own */
    free(f);
    return 0;
}

static void replied(struct call *c) {
    (void)c;
}

/* Asks for PATH; the answer's status, 0 when it is not the app's. HEADER may be NULL. */
static int ask(struct folder *f, struct call *c, const char *method, const char *path,
               struct header *header) {
    struct str why;
    if (f->web == NULL)
        assert_int_equal(web_open(f->path, &f->arena, &f->web, &why), 0);
    *c = (struct call){.request = {.method = str_from(method), .path = str_from(path)},
                       .reply = replied};
    c->request.headers = header;
    c->request.header_count = header != NULL ? 1 : 0;
    return web_answer(f->web, c) ? c->response.status : 0;
}

static struct str header_of(const struct call *c, const char *name) {
    for (int32_t i = 0; i < c->response.header_count; i++) {
        if (str_is(c->response.headers[i].name, name))
            return c->response.headers[i].value;
    }
    return STR_NONE;
}

static void test_files_and_pages(void **state) {
    struct folder *f = *state;
    struct call c;
    assert_int_equal(ask(f, &c, "GET", "/assets/app-1a2b.js", NULL), 200);
    assert_true(str_is(c.response.body, "let app"));
    assert_string_equal(c.response.content_type, "text/javascript; charset=utf-8");
    assert_true(str_is(header_of(&c, "Cache-Control"), "public, max-age=31536000, immutable"));
    assert_int_equal(ask(f, &c, "GET", "/sw.js", NULL), 200);
    assert_true(str_is(header_of(&c, "Cache-Control"), "no-cache"));

    static const char *const pages[] = {"/", "/book", "/dispatch/bkg_1/trace", "/track/abc"};
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
        assert_int_equal(ask(f, &c, "GET", pages[i], NULL), 200);
        assert_true(str_is(c.response.body, "<!doctype html>"));
        assert_true(str_starts(header_of(&c, "Content-Security-Policy"), "default-src 'self'"));
    }
    assert_true(str_is(header_of(&c, "Referrer-Policy"), "no-referrer")); /* a tracking link */
    assert_true(str_is(header_of(&c, "X-Robots-Tag"), "noindex, nofollow"));
}

static void test_a_face_has_a_page_of_its_own(void **state) {
    struct folder *f = *state;
    struct call c;
    static const struct {
        const char *path, *body;
    } pages[] = {
        {"/drive", "<!doctype html><title>drive"},
        {"/drive/history/bkg_1", "<!doctype html><title>drive"},
        {"/drive.html", "<!doctype html><title>drive"},
        {"/driver", "<!doctype html>"},
        {"//drive", "<!doctype html>"},
        {"/assets", "<!doctype html>"},
        {"/a-first-part-that-is-longer-than-the-name-of-any-face", "<!doctype html>"},
    };
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
        assert_int_equal(ask(f, &c, "GET", pages[i].path, NULL), 200);
        assert_true(str_is(c.response.body, pages[i].body));
        assert_true(str_starts(header_of(&c, "Content-Security-Policy"), "default-src 'self'"));
    }
}

static void test_not_the_apps(void **state) {
    struct folder *f = *state;
    struct call c;
    static const char *const paths[] = {"/v1",
                                        "/v1/nothing",
                                        "/problems/nothing",
                                        "/.well-known/x",
                                        "/metrics",
                                        "/assets/gone.js",
                                        "/assets/only.css",
                                        "/.secret",
                                        "/assets/../.secret",
                                        "/../../etc/passwd.d"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        assert_int_equal(ask(f, &c, "GET", paths[i], NULL), 0);
    assert_int_equal(ask(f, &c, "POST", "/", NULL), 0);
    assert_int_equal(ask(f, &c, "HEAD", "/", NULL), 200);
}

static void test_compressed_for_whoever_takes_it(void **state) {
    struct folder *f = *state;
    struct call c;
    static const struct {
        const char *accept, *path, *encoding;
    } cases[] = {
        {"gzip, deflate, br", "/", "br"},
        {"br;q=0.5", "/", "br"},
        {"br;q=0, gzip", "/", NULL}, /* there is no gzip of it */
        {"br;q=0.0", "/", NULL},
        {"br; q=0", "/", NULL},
        {"br;q=0.001", "/", "br"},
        {"br;q=0,gzip;q=1", "/", NULL},
        {"brotli", "/", NULL},
        {"gzip", "/assets/app-1a2b.js", "gzip"},
        {"GZIP;q=1", "/assets/app-1a2b.js", "gzip"},
        {"identity", "/assets/app-1a2b.js", NULL},
        {"", "/assets/app-1a2b.js", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct header h = {STR("accept-encoding"), str_from(cases[i].accept)};
        assert_int_equal(ask(f, &c, "GET", cases[i].path, &h), 200);
        struct str encoding = header_of(&c, "Content-Encoding");
        assert_true(cases[i].encoding == NULL ? encoding.p == NULL
                                              : str_is(encoding, cases[i].encoding));
        assert_true(str_is(header_of(&c, "Vary"), "Accept-Encoding"));
    }
}

static void test_what_a_browser_has_is_not_sent_again(void **state) {
    struct folder *f = *state;
    struct call c;
    assert_int_equal(ask(f, &c, "GET", "/", NULL), 200);
    struct header h = {STR("if-none-match"), header_of(&c, "ETag")};
    assert_int_equal(ask(f, &c, "GET", "/", &h), 304);
    h.value = STR("W/\"0\"");
    assert_int_equal(ask(f, &c, "GET", "/", &h), 200);
}

static void test_what_is_of_another_build_is_not_sent(void **state) {
    struct folder *f = *state;
    struct call c;
    assert_int_equal(ask(f, &c, "GET", "/", NULL), 200);
    assert_int_equal(ask(f, &c, "GET", "/sw.js", NULL), 200);
    put(f, "index.html", "<!doctype html><title>new");
    put(f, "sw.js", "new worker");
    put(f, "assets/app-1a2b.js", "let it_be_new");
    assert_int_equal(ask(f, &c, "GET", "/", NULL), 200); /* what was read stays */
    assert_true(str_is(c.response.body, "<!doctype html>"));
    assert_int_equal(ask(f, &c, "GET", "/sw.js", NULL), 200);
    assert_true(str_is(c.response.body, "worker"));
    assert_int_equal(ask(f, &c, "GET", "/assets/app-1a2b.js", NULL), 0);
    put(f, "assets/app-1a2b.js", "let app"); /* too late: it is another one */
    assert_int_equal(ask(f, &c, "GET", "/assets/app-1a2b.js", NULL), 0);
}

static void test_folders_that_are_no_app(void **state) {
    struct folder *f = *state;
    struct web *web = NULL;
    struct str why = STR_NONE;
    char path[128];
    assert_int_equal(web_open("/nonexistent", &f->arena, &web, &why), ERR_NOT_FOUND);
    assert_true(why.len > 0);
    snprintf(path, sizeof path, "%s/assets", f->path);
    assert_int_equal(web_open(path, &f->arena, &web, &why), ERR_NOT_FOUND);
    assert_true(str_starts(why, "this is not the web app"));

    snprintf(path, sizeof path, "%s/huge", f->path);
    FILE *huge = fopen(path, "w");
    assert_non_null(huge);
    assert_int_equal(ftruncate(fileno(huge), (off_t)WEB_BYTES_MAX), 0);
    fclose(huge);
    assert_int_equal(web_open(f->path, &f->arena, &web, &why), ERR_LIMIT);
    assert_null(web);
}

static void test_links_lead_nowhere(void **state) {
    struct folder *f = *state;
    struct call c;
    char path[128];
    snprintf(path, sizeof path, "%s/passwd.txt", f->path);
    assert_int_equal(symlink("/etc/passwd", path), 0);
    assert_int_equal(ask(f, &c, "GET", "/passwd.txt", NULL), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_files_and_pages, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_face_has_a_page_of_its_own, setup, teardown),
        cmocka_unit_test_setup_teardown(test_not_the_apps, setup, teardown),
        cmocka_unit_test_setup_teardown(test_compressed_for_whoever_takes_it, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_a_browser_has_is_not_sent_again, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_of_another_build_is_not_sent, setup, teardown),
        cmocka_unit_test_setup_teardown(test_folders_that_are_no_app, setup, teardown),
        cmocka_unit_test_setup_teardown(test_links_lead_nowhere, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
