/* `lorry verify`: looks at a custody bundle offline. It needs no server, no store, no network. */
#include "apps/commands.h"
#include "base/check.h"
#include "base/err.h"
#include "services/booking/custody.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PICTURE_BYTES_MAX (INT64_C(16) << 20)
#define KEYS_BYTES_MAX (INT64_C(64) << 10)
#define FILES_MAX 10000 /* in the folder: looked at */
#define PATH_BYTES_MAX 4096

static const struct config_setting settings[] = {
    {.key = "keys",
     .kind = CONFIG_PATH,
     .placeholder = "FILE",
     .help = "The platform's public keys, as GET /.well-known/jwks.json gave them"},
    {.key = "files",
     .kind = CONFIG_PATH,
     .placeholder = "DIR",
     .help = "The folder with the bundle's pictures, under any name: each one that it names must "
             "be there, unchanged"},
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

/* Which of the COUNT hashes is that of the file, if it is any's: *FOUND is set. */
static void look_at_file(const char *path, const struct str *hex, int32_t count, bool *found) {
    struct arena a;
    struct str bytes;
    arena_init(&a, 4096);
    if (read_file(path, PICTURE_BYTES_MAX, &a, &bytes)) {
        struct str own = digest_hex(bytes, &a);
        for (int32_t i = 0; i < count; i++)
            found[i] = found[i] || str_eq(hex[i], own);
    }
    arena_free(&a);
}

/* Is each picture that the bundle names in the folder? Others in there are nobody's business. */
static int check_folder(const char *folder, struct str bundle) {
    struct str hex[CUSTODY_PICTURES_MAX];
    bool found[CUSTODY_PICTURES_MAX] = {false};
    int32_t count = custody_pictures(bundle, hex), there = 0, looked = 0;
    DIR *dir = opendir(folder);
    if (dir == NULL) {
        fprintf(stderr, "lorry: cannot read %s: %s\n", folder, strerror(errno));
        return 1;
    }
    for (const struct dirent *e; looked < FILES_MAX && (e = readdir(dir)) != NULL;) {
        char path[PATH_BYTES_MAX];
        int len = snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
        if (e->d_name[0] == '.' || e->d_type == DT_DIR || len < 0 || (size_t)len >= sizeof(path))
            continue;
        looked++;
        look_at_file(path, hex, count, found);
    }
    closedir(dir);
    for (int32_t i = 0; i < count; i++) {
        there += found[i];
        if (!found[i])
            fprintf(stderr, "lorry: the picture with SHA-256 %.*s is NOT in %s, or was changed\n",
                    STR_ARG(hex[i]), folder);
    }
    printf("%s: %d of the %d pictures that the bundle names\n", folder, (int)there, (int)count);
    return there == count ? 0 : 1;
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
    if (config_is_given(c, "files") && check_folder(config_cstr(c, "files"), text) != 0)
        status = 1;
    return report.fault_count > 0 || fflush(stdout) != 0 ? 1 : status;
}
