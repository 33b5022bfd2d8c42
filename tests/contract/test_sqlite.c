/* The sqlite store: the contract, then what only a file can suffer. */
#include "contract.h"

#include "adapters/sqlite/sqlite_store.h"
#include "base/check.h"
#include "base/err.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct folder {
    char dir[64];
    struct sqlite_options options;
    struct sqlite_source *source;
};

static int open_source(struct folder *f, struct arena *a, struct str *ret_why) {
    return sqlite_source_open(&f->options, a, &f->source, ret_why);
}

static void must_open(struct folder *f) {
    struct arena a;
    struct str why = STR_NONE;
    arena_init(&a, 1024);
    if (open_source(f, &a, &why) != 0)
        fail_msg("%.*s", STR_ARG(why));
    arena_free(&a);
}

static void *make(const struct store_collection *const *collections, int count) {
    struct folder *f = calloc(1, sizeof *f);
    const char *tmp = getenv("TMPDIR");
    snprintf(f->dir, sizeof f->dir, "%s/lorry-test-XXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(f->dir));
    f->options = (struct sqlite_options){
        .dir = f->dir, .collections = collections, .collection_count = count};
    must_open(f);
    return f;
}

static struct store_source *source(void *data) {
    return sqlite_source_port(((struct folder *)data)->source);
}

static void reopen(void *data) {
    struct folder *f = data;
    f->source = sqlite_source_close(f->source);
    must_open(f);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw) {
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static void drop(void *data) {
    struct folder *f = data;
    sqlite_source_close(f->source);
    nftw(f->dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    free(f);
}

int main(void) {
    const struct store_factory f = {"sqlite store", make, source, reopen, drop};
    return store_contract(&f);
}
