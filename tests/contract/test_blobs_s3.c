/* Against the server that s3_server.py is: LORRY_TEST_S3 is its address. */
#include "contract.h"

#include "adapters/curl/curl_blobs.h"
#include "base/err.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct arena arena;

static int open_at(const char *url, struct blobs **ret) {
    struct str why = STR_NONE;
    return curl_blobs_open(&(struct curl_blobs_options){.url = url, .timeout_ms = 20000}, &arena,
                           ret, &why);
}

static struct blobs *open_bucket(void) {
    struct blobs *b = NULL;
    return open_at(getenv("LORRY_TEST_S3"), &b) == 0 ? b : NULL;
}

/* The stand-in takes "age" in the place of a bucket for: this one was put two hours ago. */
static void age(struct blobs *b, const char *name) {
    char url[512], *at;
    struct blobs *old = NULL;
    struct str back;
    (void)b;
    snprintf(url, sizeof url, "%s", getenv("LORRY_TEST_S3"));
    at = strstr(url, "/bucket/");
    assert_non_null(at);
    memcpy(at, "/ageing/", 8);
    assert_int_equal(open_at(url, &old), 0);
    assert_int_equal(old->ops->get(old, str_from(name), &arena, &back), 0);
    old->ops->close(old);
}

static void wrong_secrets_and_addresses(void **state) {
    static const char *const bad[] = {"s3://host/bucket", "s3://key:secret@host", "s3://", "s3:x",
                                      "s3://key:secret@host/"};
    struct blobs *b = NULL;
    struct str back;
    char url[512];
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(open_at(bad[i], &b), ERR_INVALID);
    snprintf(url, sizeof url, "s3+http://test:wrong@%s", strchr(getenv("LORRY_TEST_S3"), '@') + 1);
    assert_int_equal(open_at(url, &b), 0);
    struct str name = STR("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08");
    assert_int_equal(b->ops->put(b, name, STR("test")), ERR_IO);
    assert_int_equal(b->ops->get(b, name, &arena, &back), ERR_IO);
    b->ops->close(b);
    assert_int_equal(open_at("s3+http://a:b@127.0.0.1:1/bucket", &b), 0);
    assert_int_equal(b->ops->put(b, name, STR("test")), ERR_UNAVAILABLE);
    b->ops->close(b);
}

int main(void) {
    const struct blobs_factory f = {"blobs s3", open_bucket, open_bucket, age};
    const struct CMUnitTest tests[] = {cmocka_unit_test(wrong_secrets_and_addresses)};
    arena_init(&arena, 4096);
    int failed =
        blobs_contract(&f) + cmocka_run_group_tests_name("blobs s3 alone", tests, NULL, NULL);
    arena_free(&arena);
    return failed;
}
