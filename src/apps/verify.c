/* `lorry verify`: looks at a custody bundle offline. It needs no server, no store, no network. */
#include "apps/commands.h"
#include "base/check.h"
#include "base/err.h"
#include "services/booking/custody.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PICTURE_BYTES_MAX (INT64_C(16) << 20)
#define KEYS_BYTES_MAX (INT64_C(64) << 10)

static const struct config_setting settings[] = {
    {.key = "keys",
     .kind = CONFIG_PATH,
     .placeholder = "FILE",
     .help = "The platform's public keys, as GET /.well-known/jwks.json gave them"},
};
static const struct config_table table = {"Verifying", settings, (int32_t)COUNT_OF(settings)};
const struct config_table *const verify_tables[] = {&table, NULL};

/* The whole file in A. False: it has said why not. */
static bool read_file(const char *path, int64_t bytes_max, struct arena *a, struct str *ret) {
    FILE *f = fopen(path, "rbe");
    if (f == NULL) {
        fprintf(stderr, "lorry: cannot read %s: %s\n", path, strerror(errno));
        return false;
    }
    char *bytes = arena_bytes(a, (size_t)bytes_max + 1);
    size_t n = fread(bytes, 1, (size_t)bytes_max + 1, f);
    bool good = !ferror(f) && n <= (size_t)bytes_max;
    if (!good)
        fprintf(stderr, "lorry: cannot read %s: %s\n", path,
                ferror(f) ? strerror(errno) : "it is larger than any that there is");
    fclose(f);
    *ret = (struct str){bytes, n};
    return good;
}

static void print_faults(const char *path, const struct custody_report *r) {
    fprintf(stderr, "lorry: %s is NOT as it was signed:\n", path);
    for (int32_t i = 0; i < r->fault_count; i++)
        fprintf(stderr, "  %.*s\n", STR_ARG(r->faults[i]));
    if (r->fault_more > 0)
        fprintf(stderr, "  and %d more\n", (int)r->fault_more);
}

static void print_good(const char *path, const struct custody_report *r, bool keys) {
    printf("%s: as it was signed by %.*s at %.*s\n%.*s: %d entries, %d of them chained", path,
           STR_ARG(r->kid), STR_ARG(r->made_at), STR_ARG(r->booking_id), (int)r->entries,
           (int)(r->entries - r->unchained));
    if (r->unchained > 0)
        printf("; %d are from before there were chains: the signature alone holds them",
               (int)r->unchained);
    if (r->sealed > 0)
        printf("; what is sealed in %d is not shown", (int)r->sealed);
    printf("\n%s\n", keys ? "The key is among those given."
                          : "Whose key that is was not looked at: give the platform's by --keys.");
}

/* The pictures behind the bundle: is each one that it names? */
static int check_pictures(const struct config *c, struct str bundle) {
    int status = 0;
    for (int32_t i = 1; i < c->argument_count; i++) {
        struct arena a;
        struct str picture;
        arena_init(&a, 4096);
        bool read = read_file(c->arguments[i].p, PICTURE_BYTES_MAX, &a, &picture);
        bool named = read && custody_names(bundle, digest_hex(picture, &a));
        if (named)
            printf("%s: a picture of this bundle, unchanged\n", c->arguments[i].p);
        else if (read)
            fprintf(stderr, "lorry: %s is NOT a picture of this bundle, or was changed\n",
                    c->arguments[i].p);
        if (!named)
            status = 1;
        arena_free(&a);
    }
    return status;
}

int command_verify(struct config *c) {
    struct str text, jwks = STR_NONE;
    struct custody_report report;
    if (c->argument_count == 0) {
        fprintf(stderr, "lorry: which bundle? See lorry help verify\n");
        return 2;
    }
    const char *path = c->arguments[0].p;
    bool keys = config_is_given(c, "keys");
    if (!read_file(path, CUSTODY_BYTES_MAX, &c->arena, &text) ||
        (keys && !read_file(config_cstr(c, "keys"), KEYS_BYTES_MAX, &c->arena, &jwks)))
        return 1;
    custody_check(text, jwks, &c->arena, &report);
    if (report.fault_count > 0)
        print_faults(path, &report);
    else
        print_good(path, &report, keys);
    int status = check_pictures(c, text);
    return report.fault_count > 0 || fflush(stdout) != 0 ? 1 : status;
}
