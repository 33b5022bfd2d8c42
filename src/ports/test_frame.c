#include "base/test.h"
#include "ports/socket.h"

#include <pthread.h>
#include <string.h>

static void a_frame_is_a_copy(void **state) {
    (void)state;
    char text[] = "{\"type\":\"position\"}";
    struct frame *f = frame_new(str_from(text));
    size_t len = strlen(text);
    memset(text, '?', len);
    assert_int_equal(f->len, len);
    assert_memory_equal(f->bytes, "{\"type\":\"position\"}", len);
    assert_ptr_equal(frame_ref(f), f);
    frame_unref(f);
    assert_int_equal(f->bytes[0], '{'); /* one reference is left */
    frame_unref(f);
    struct frame *empty = frame_new(STR(""));
    assert_int_equal(empty->len, 0);
    frame_unref(empty);
}

static void *use_many_times(void *arg) {
    for (int i = 0; i < 100000; i++)
        frame_unref(frame_ref(arg));
    frame_unref(arg);
    return NULL;
}

/* Whether the last one frees it, and only he, is for the sanitizers to say. */
static void a_frame_is_shared_between_threads(void **state) {
    (void)state;
    struct frame *f = frame_new(STR("x"));
    pthread_t threads[3];
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use_many_times, frame_ref(f)), 0);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(f->refs, 1);
    frame_unref(f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_frame_is_a_copy),
        cmocka_unit_test(a_frame_is_shared_between_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
