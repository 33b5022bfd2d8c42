#include "contract.h"

#include "adapters/blobs/blob_folder.h"
#include "adapters/memory/memory_blobs.h"
#include "base/err.h"
#include "base/timestamp.h"

#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 300
#define TWO_HOURS_S 7200

static char folder[] = "/tmp/lorry-blobs-XXXXXX";
static struct arena arena;

static struct blobs *open_folder(void) {
    struct blobs *b = NULL;
    struct str why;
    return blob_folder_open(folder, &arena, &b, &why) == 0 ? b : NULL;
}

static void path_of(const char *name, char path[256]) {
    snprintf(path, 256, "%s/%.2s/%s", folder, name, name + 2);
}

static void age_file(struct blobs *b, const char *name) {
    char path[256];
    struct timespec old = {.tv_sec = time(NULL) - TWO_HOURS_S};
    (void)b;
    path_of(name, path);
    (void)utimensat(AT_FDCWD, path, (struct timespec[]){old, old}, 0); /* gone: fine, too */
}

static int64_t now_us = INT64_C(1000000) * US_PER_S;
static int64_t memory_now(const struct clock *c) {
    (void)c;
    return now_us;
}
static const struct clock memory_clock = {memory_now};
static struct blobs *open_memory(void) {
    return memory_blobs_new(&memory_clock, NULL, NULL);
}
static void age_memory(struct blobs *b, const char *name) {
    (void)b;
    (void)name;
    now_us += TWO_HOURS_S * US_PER_S;
}

/* ---- the folder: one puts what another takes away ---- */

#define NAME "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

static void *sweep(void *arg) {
    struct blobs *b = open_folder();
    for (int i = 0; i < ROUNDS; i++)
        (void)b->ops->remove(b, STR(NAME), 3600);
    b->ops->close(b);
    return arg;
}

static void put_and_remove_exclude_each_other(void **state) {
    struct blobs *b = open_folder();
    pthread_t thread;
    struct str back;
    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, sweep, NULL), 0);
    for (int i = 0; i < ROUNDS; i++) {
        age_file(b, NAME);
        assert_int_equal(b->ops->put(b, STR(NAME), STR("test")), 0);
        assert_int_equal(b->ops->get(b, STR(NAME), &arena, &back), 0);
        assert_true(str_is(back, "test"));
    }
    pthread_join(thread, NULL);
    b->ops->close(b);
}

static void nothing_half_written_is_there(void **state) {
    char path[256], part[300];
    struct blobs *b = open_folder();
    struct str back;
    (void)state;
    path_of(NAME, path);
    snprintf(part, sizeof part, "%s.tmp", path);
    (void)unlink(path);
    FILE *f = fopen(part, "w"); /* left behind by somebody who ended in the middle */
    assert_non_null(f);
    fputs("te", f);
    fclose(f);
    assert_int_equal(b->ops->get(b, STR(NAME), &arena, &back), ERR_NOT_FOUND);
    assert_int_equal(b->ops->put(b, STR(NAME), STR("test")), 0);
    assert_int_not_equal(access(part, F_OK), 0);
    assert_int_equal(b->ops->get(b, STR(NAME), &arena, &back), 0);
    assert_true(str_is(back, "test"));
    b->ops->close(b);
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at) {
    (void)st;
    (void)kind;
    (void)at;
    return remove(path);
}

int main(void) {
    const struct blobs_factory in_folder = {"blobs folder", open_folder, open_folder, age_file};
    const struct blobs_factory in_memory = {"blobs memory", open_memory, NULL, age_memory};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(put_and_remove_exclude_each_other),
        cmocka_unit_test(nothing_half_written_is_there),
    };
    arena_init(&arena, 4096);
    if (mkdtemp(folder) == NULL)
        return 1;
    int failed = blobs_contract(&in_folder) + blobs_contract(&in_memory) +
                 cmocka_run_group_tests_name("blobs folder alone", tests, NULL, NULL);
    nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    arena_free(&arena);
    return failed;
}
