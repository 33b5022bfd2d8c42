/* The arena and the buffer. */
#include "base/arena.h"
#include "base/buf.h"
#include "base/check.h"
#include "base/err.h"
#include "base/rng.h"
#include "base/test.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void arena_gives_zeroed_aligned_memory(void **state) {
    (void)state;
    struct arena a;
    arena_init(&a, 1024);
    struct rng rng;
    rng_seed(&rng, 4);
    for (int round = 0; round < 50; round++) {
        for (int i = 0; i < 200; i++) {
            size_t bytes = rng_below(&rng, i % 50 == 0 ? 5000 : 100);
            unsigned char *p = arena_alloc(&a, bytes);
            assert_int_equal((uintptr_t)p % 16, 0);
            for (size_t k = 0; k < bytes; k++)
                assert_int_equal(p[k], 0);
            memset(p, 0xFF, bytes); /* so that the next round would see what was not cleared */
            memset(arena_bytes(&a, 3), 0xFF, 3);
        }
        arena_reset(&a);
        assert_int_equal(a.used_bytes, 0);
    }
    arena_free(&a);
    arena_free(&a);
}

static void arena_allocations_do_not_overlap(void **state) {
    (void)state;
    enum { COUNT = 3000 };
    struct arena a;
    arena_init(&a, 256);
    struct rng rng;
    rng_seed(&rng, 5);
    static struct {
        unsigned char *p;
        size_t len;
    } all[COUNT];
    for (int i = 0; i < COUNT; i++) {
        all[i].len = rng_below(&rng, 300);
        all[i].p = i % 2 ? arena_alloc(&a, all[i].len) : (void *)arena_bytes(&a, all[i].len);
        memset(all[i].p, i % 251, all[i].len);
    }
    for (int i = 0; i < COUNT; i++) {
        for (size_t k = 0; k < all[i].len; k++)
            assert_int_equal(all[i].p[k], i % 251);
    }
    arena_free(&a);
}

static void arena_keeps_its_first_block_only(void **state) {
    (void)state;
    struct arena a;
    arena_init(&a, 4096);
    void *first = arena_alloc(&a, 100);
    for (int i = 0; i < 100; i++)
        arena_alloc(&a, 4000);
    arena_reset(&a);
    assert_ptr_equal(arena_alloc(&a, 100), first);
    arena_reset(&a);
    arena_free(&a);
    assert_null(a.block);
    arena_alloc(&a, (size_t)3 << 20); /* one bigger than any block */
    assert_non_null(a.block);
    arena_reset(&a);
    assert_null(a.block); /* is not kept for a life of small requests */
    arena_free(&a);
}

static void arena_strings(void **state) {
    (void)state;
    struct arena a;
    arena_init(&a, 256);
    assert_null(arena_str(&a, STR_NONE).p);
    struct str empty = arena_str(&a, STR(""));
    assert_true(empty.p != NULL && empty.len == 0 && empty.p[0] == '\0');
    struct str part = arena_str(&a, (struct str){"abcdef", 3});
    assert_string_equal(part.p, "abc");
    assert_string_equal(arena_cstr(&a, STR_NONE), "");
    assert_str(arena_printf(&a, "%s-%d", "x", 7), "x-7");
    for (int len = 250; len < 262; len++) { /* around the first try's size */
        struct str s = arena_printf(&a, "%*d", len, 1);
        assert_int_equal(s.len, len);
        assert_int_equal(s.p[len - 1], '1');
        assert_int_equal(s.p[len], '\0');
    }
    arena_free(&a);
}

static void arena_extends_only_the_newest(void **state) {
    (void)state;
    struct arena a;
    arena_init(&a, 1024);
    char *old = arena_bytes(&a, 16), *last = arena_bytes(&a, 16);
    assert_false(arena_extend(&a, old, 16, 8));
    assert_true(arena_extend(&a, last, 16, 100));
    memset(last, 1, 116);
    assert_int_equal(a.used_bytes, 132);
    assert_false(arena_extend(&a, last, 116, 5000));
    assert_false(arena_extend(&a, NULL, 0, 1));
    char *next = arena_bytes(&a, 1);
    assert_true(next >= last + 116);
    arena_free(&a);
}

#if defined(__SANITIZE_ADDRESS__)
#define ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ASAN 1
#endif
#endif

#ifdef ASAN
#include <sanitizer/asan_interface.h>

static void arena_is_poisoned_where_not_in_use(void **state) {
    (void)state;
    struct arena a;
    arena_init(&a, 1024);
    char *p = arena_bytes(&a, 13), *q = arena_bytes(&a, 1);
    assert_false(__asan_address_is_poisoned(p + 12));
    assert_true(__asan_address_is_poisoned(p + 13));
    assert_false(__asan_address_is_poisoned(q));
    assert_true(__asan_address_is_poisoned(q + 1));
    assert_true(arena_extend(&a, q, 1, 30));
    assert_false(__asan_address_is_poisoned(q + 30));
    assert_true(__asan_address_is_poisoned(q + 31));
    arena_reset(&a);
    assert_true(__asan_address_is_poisoned(p));
    arena_free(&a);
}
#endif

static void buffer_like_its_twin(void **state) {
    (void)state;
    struct arena a;
    arena_init(&a, 256);
    struct rng rng;
    rng_seed(&rng, 6);
    for (int round = 0; round < 200; round++) {
        static char twin[1 << 16];
        size_t len = 0;
        struct buf b;
        buf_init(&b, round % 2 ? &a : NULL, rng_below(&rng, 3) * 10);
        for (int i = 0; i < 60; i++) {
            int64_t number = (int64_t)rng_next(&rng) >> rng_below(&rng, 64);
            char text[400];
            memset(text, 'a' + i % 26, sizeof text);
            size_t n = rng_below(&rng, sizeof text);
            switch (rng_below(&rng, 5)) {
            case 0:
                buf_add(&b, text, n);
                memcpy(twin + len, text, n);
                len += n;
                break;
            case 1:
                buf_add_char(&b, 'c');
                twin[len++] = 'c';
                break;
            case 2:
                buf_add_i64(&b, number);
                len += (size_t)sprintf(twin + len, "%lld", (long long)number);
                break;
            case 3:
                buf_printf(&b, "<%.*s|%lld>", (int)n, text, (long long)number);
                len += (size_t)sprintf(twin + len, "<%.*s|%lld>", (int)n, text, (long long)number);
                break;
            default:
                if (b.arena) /* something else becomes the arena's newest */
                    memset(arena_bytes(&a, 20), 'x', 20);
                buf_add_str(&b, STR("str"));
                buf_add_cstr(&b, "cstr");
                memcpy(twin + len, "strcstr", 7);
                len += 7;
            }
            assert_int_equal(b.len, len);
            assert_memory_equal(buf_str(&b).p, twin, len);
        }
        buf_free(&b);
        if (round % 20 == 0)
            arena_reset(&a);
    }
    struct buf empty;
    buf_init(&empty, NULL, 0);
    buf_add(&empty, NULL, 0);
    buf_add_str(&empty, STR_NONE);
    assert_str(buf_str(&empty), "");
    buf_add_i64(&empty, INT64_MIN);
    assert_str(buf_str(&empty), "-9223372036854775808");
    buf_free(&empty);
    arena_free(&a);
}

/* The signal that running WHAT in a child process ends with. */
static int signal_of(void (*what)(void)) {
    pid_t pid = fork();
    if (pid == 0) {
        if (freopen("/dev/null", "w", stderr) == NULL)
            _exit(1);
        what();
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void fails_a_check(void) {
    CHECK(1 + 1 == 3);
}

static void passes_a_check(void) {
    CHECK(1 + 1 == 2);
}

static void a_failed_check_aborts(void **state) {
    (void)state;
    assert_int_equal(signal_of(fails_a_check), SIGABRT);
    assert_int_equal(signal_of(passes_a_check), 0);
}

static void every_error_has_words(void **state) {
    (void)state;
    for (int code = 0; code >= ERR_UNAVAILABLE; code--) {
        assert_string_not_equal(err_text(code), "unknown error");
        for (int other = 0; other > code; other--)
            assert_string_not_equal(err_text(code), err_text(other));
    }
    assert_string_equal(err_text(-999), "unknown error");
    assert_string_equal(err_text(7), "unknown error");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arena_gives_zeroed_aligned_memory),
        cmocka_unit_test(arena_allocations_do_not_overlap),
        cmocka_unit_test(arena_keeps_its_first_block_only),
        cmocka_unit_test(arena_strings),
        cmocka_unit_test(arena_extends_only_the_newest),
#ifdef ASAN
        cmocka_unit_test(arena_is_poisoned_where_not_in_use),
#endif
        cmocka_unit_test(buffer_like_its_twin),
        cmocka_unit_test(a_failed_check_aborts),
        cmocka_unit_test(every_error_has_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
