/* libFuzzer: a whole connection of any bytes, requests and frames. The first byte says how the rest
 * is split into reads. Beyond not crashing: the answers are the same as to all the bytes in one
 * read, and nothing is left open or running.
 *
 *   CC=clang CXX=clang++ meson setup build-fuzz -Dfuzz=true -Db_sanitize=address,undefined
 *   build-fuzz/src/adapters/http/fuzz-http tests/corpora/http
 */
#include "adapters/http/test_support.h"

#include "base/check.h"

#include <string.h>

#define OUT_MAX ((size_t)1 << 20)

static void (*request_of_tests)(void *app, struct call *c);

/* Without the paths that answer from another thread, which is when it likes. */
static void on_request(void *app, struct call *c) {
    if (str_starts(c->request.path, "/later") || str_starts(c->request.path, "/hold") ||
        str_starts(c->request.path, "/big")) {
        c->response.status = 404;
        c->reply(c);
    } else {
        request_of_tests(app, c);
    }
}

static int64_t fixed_now_us(const struct clock *c) {
    (void)c;
    return INT64_C(1795000000000000);
}

/* "100 Continue" depends on whether the body has come already: it is taken out. */
static size_t without_continue(char *p, size_t len) {
    static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
    char *at;
    while ((at = memmem(p, len, text, sizeof text - 1)) != NULL) {
        memmove(at, at + sizeof text - 1, len - (size_t)(at - p) - (sizeof text - 1));
        len -= sizeof text - 1;
    }
    return len;
}

static size_t run(struct lab *l, const uint8_t *bytes, size_t len, size_t step, char *out) {
    rng_seed(&l->thread->rng, 1); /* the same request ids each time */
    size_t n = lab_exchange(l, bytes, len, step, out, OUT_MAX);
    CHECK(l->thread->running == 0 && l->thread->connections == 0);
    return without_continue(out, n);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
    static struct app app;
    static const struct clock clock = {fixed_now_us};
    static char whole[OUT_MAX], split[OUT_MAX];
    struct lab lab;
    if (len < 1)
        return 0;
    struct http_options o = app_options(&app, 1);
    request_of_tests = o.request;
    o.request = on_request;
    o.tick = NULL;
    o.clock = &clock;
    o.limits.head_bytes_max = 1024;
    o.limits.body_bytes_max = 512;
    o.limits.pipeline_max = 3;
    lab_open(&lab, &o);
    size_t n = run(&lab, bytes + 1, len - 1, 0, whole);
    size_t m = run(&lab, bytes + 1, len - 1, 1 + bytes[0] % 32, split);
    CHECK(n == m && memcmp(whole, split, n) == 0);
    lab_close(&lab);
    return 0;
}
