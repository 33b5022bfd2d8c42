#include "contract.h"

#include "base/err.h"
#include "ports/blobs.h"

#include <stdio.h>
#include <string.h>

#include <sodium.h>

static const struct blobs_factory *factory;

struct fixture {
    struct blobs *blobs;
    struct arena arena;
    char hex[BLOB_NAME_LEN + 1];
};

static int setup(void **state) {
    static struct fixture f;
    f = (struct fixture){.blobs = factory->open()};
    arena_init(&f.arena, 4096);
    *state = &f;
    return f.blobs != NULL ? 0 : -1;
}
static int teardown(void **state) {
    struct fixture *f = *state;
    f->blobs->ops->close(f->blobs);
    arena_free(&f->arena);
    return 0;
}

static struct str name_of(struct fixture *f, struct str bytes) {
    unsigned char hash[crypto_hash_sha256_BYTES];
    crypto_hash_sha256(hash, (const unsigned char *)bytes.p, bytes.len);
    sodium_bin2hex(f->hex, sizeof f->hex, hash, sizeof hash);
    return arena_str(&f->arena, str_from(f->hex));
}

static struct str noise(struct fixture *f, size_t len, unsigned seed) {
    char *p = arena_bytes(&f->arena, len + 1);
    for (size_t i = 0; i < len; i++)
        p[i] = (char)(i * 31 + seed + (i >> 8));
    return (struct str){p, len};
}

static void what_is_put_is_there(void **state) {
    struct fixture *f = *state;
    static const size_t sizes[] = {0, 1, 4095, 70000, (size_t)3 << 20, BLOB_BYTES_MAX};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct str bytes = noise(f, sizes[i], (unsigned)i), back = STR_NONE,
                   name = name_of(f, bytes);
        (void)f->blobs->ops->remove(f->blobs, name, 0);
        assert_int_equal(f->blobs->ops->get(f->blobs, name, &f->arena, &back), ERR_NOT_FOUND);
        assert_int_equal(f->blobs->ops->put(f->blobs, name, bytes), 0);
        assert_int_equal(f->blobs->ops->put(f->blobs, name, bytes), 0);
        struct blobs *other = factory->again != NULL ? factory->again() : f->blobs;
        assert_int_equal(other->ops->get(other, name, &f->arena, &back), 0);
        assert_true(str_eq(back, bytes));
        if (other != f->blobs)
            other->ops->close(other);
    }
}

static void the_young_stays(void **state) {
    struct fixture *f = *state;
    struct str bytes = noise(f, 1000, 77), back, name = name_of(f, bytes);
    assert_int_equal(f->blobs->ops->put(f->blobs, name, bytes), 0);
    assert_int_equal(f->blobs->ops->remove(f->blobs, name, 3600), ERR_BUSY);
    assert_int_equal(f->blobs->ops->get(f->blobs, name, &f->arena, &back), 0);
    assert_int_equal(f->blobs->ops->remove(f->blobs, name, 0), 0);
    assert_int_equal(f->blobs->ops->get(f->blobs, name, &f->arena, &back), ERR_NOT_FOUND);
    assert_int_equal(f->blobs->ops->remove(f->blobs, name, 3600), 0); /* not there is well */
    assert_int_equal(f->blobs->ops->put(f->blobs, name, bytes), 0);
    assert_int_equal(f->blobs->ops->get(f->blobs, name, &f->arena, &back), 0);
}

/* What was put long ago and is put again is young again. */
static void putting_again_makes_young(void **state) {
    struct fixture *f = *state;
    struct str bytes = noise(f, 1000, 78), name = name_of(f, bytes);
    assert_int_equal(f->blobs->ops->put(f->blobs, name, bytes), 0);
    factory->age(f->blobs, name.p);
    assert_int_equal(f->blobs->ops->put(f->blobs, name, bytes), 0);
    assert_int_equal(f->blobs->ops->remove(f->blobs, name, 3600), ERR_BUSY);
    factory->age(f->blobs, name.p);
    assert_int_equal(f->blobs->ops->remove(f->blobs, name, 3600), 0);
}

int blobs_contract(const struct blobs_factory *f) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_put_is_there, setup, teardown),
        cmocka_unit_test_setup_teardown(the_young_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(putting_again_makes_young, setup, teardown),
    };
    factory = f;
    return cmocka_run_group_tests_name(f->name, tests, NULL, NULL);
}
