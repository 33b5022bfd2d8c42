/* `lorry export` and `lorry import`: all that a store keeps, as a file, and from that file into an
 * empty store of any kind. The file is written under another name first; the import is read back
 * from the store and compared before anybody can see it. Both stream: memory does not grow with the
 * store.
 *
 * A SQLite database is built in a folder inside the data folder and moved up when it is done;
 * PostgreSQL has one transaction; MongoDB is marked while it is half done (ports/dump.h).
 */
#include "apps/archive.h"
#include "apps/commands.h"
#include "apps/folder.h"
#include "apps/progress.h"
#include "apps/settings.h"
#include "base/check.h"
#include "base/err.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOAD_RECORDS 500
#define LOAD_BYTES ((size_t)8 << 20)

const struct config_table *const export_tables[] = {&settings_data, NULL};
const struct config_table *const import_tables[] = {&settings_data, NULL};

struct transfer {
    struct config *c;
    struct arena *a;   /* the command's */
    struct arena page; /* begins anew with each page */
    struct str why;
    struct stores stores;
    struct progress progress;
};

static void transfer_init(struct transfer *t, struct config *c) {
    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is an error like a full disk */
    signal(SIGPIPE, SIG_IGN);
    *t = (struct transfer){.c = c, .a = &c->arena, .why = STR("it failed")};
    arena_init(&t->page, 1 << 20);
    progress_begin(&t->progress, "records", 1);
}

static int transfer_end(struct transfer *t, int r) {
    arena_free(&t->page);
    stores_close(&t->stores);
    if (r < 0)
        fprintf(stderr, "lorry: %.*s\n", STR_ARG(t->why));
    return r < 0 ? 1 : fflush(stdout) == 0 ? 0 : 1;
}

static int say(struct transfer *t, int code, const char *why) {
    t->why = arena_str(t->a, str_from(why));
    return code;
}

static bool to_stream(const struct config *c) {
    return c->argument_count == 0 || str_is(c->arguments[0], "-");
}

/* Counts of every part, for people; on standard error where the records go to standard output. */
static void print_tally(const struct archive_tally *tally, FILE *out) {
    for (int i = 0; i < tally->collection_count + STORE_RECORD_KINDS - 1; i++)
        if (tally->parts[i].records > 0)
            fprintf(out, "  %-16s %lld\n", archive_part_name(tally, i),
                    (long long)tally->parts[i].records);
}

/* ---- `lorry export` ---- */

static int copy_out(struct transfer *t, struct store_dump *dump, struct archive_out *out,
                    const char *name) {
    for (;;) {
        struct store_record *records;
        int32_t count = 0;
        arena_reset(&t->page);
        int r = dump->ops->next(dump, &t->page, &records, &count);
        if (r < 0)
            return say(t, r, dump->why);
        if (count == 0)
            return 0;
        for (int32_t i = 0; r == 0 && i < count; i++)
            r = archive_out_add(out, &records[i], &t->page);
        if (r == ERR_INVALID)
            return say(t, r, "the store holds a document that is no JSON object");
        if (r < 0)
            return folder_failed("write", name, t->a, &t->why);
        progress_show(&t->progress, archive_out_tally(out)->records, 0);
    }
}

static int write_archive(struct transfer *t, FILE *file, FILE *words, const char *name) {
    struct store_dump *dump;
    if (t->stores.port->dump(t->stores.port, t->a, &dump, &t->why) < 0)
        return ERR_IO;
    struct archive_out *out = archive_out_new(file, t->stores.name);
    int r = copy_out(t, dump, out, name);
    dump->ops->close(dump);
    if (r == 0 && archive_out_end(out) < 0)
        r = folder_failed("write", name, t->a, &t->why);
    if (r == 0 && file != stdout && fsync(fileno(file)) < 0)
        r = folder_failed("write", name, t->a, &t->why);
    double seconds = progress_end(&t->progress);
    if (r == 0) {
        int64_t records = archive_out_tally(out)->records;
        fprintf(words, "%s: %lld records, %.1f MB in %.1f s (%.0f records/s).\n", name,
                (long long)records, (double)archive_out_bytes(out) / 1e6, seconds,
                (double)records / seconds);
        print_tally(archive_out_tally(out), words);
    }
    archive_out_free(out);
    return r;
}

/* Under another name until it is whole. */
static int write_file(struct transfer *t, const char *name) {
    const char *partial = arena_cstr(t->a, arena_printf(t->a, "%s.partial", name));
    struct stat st;
    if (lstat(name, &st) == 0) {
        t->why = arena_printf(t->a, "%s is there already: name a file that is not", name);
        return ERR_CONFLICT;
    }
    unlink(partial); /* of one that was cut off */
    int fd = open(partial, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (file == NULL)
        return folder_failed("make", partial, t->a, &t->why);
    int r = write_archive(t, file, stdout, name);
    if (fclose(file) != 0 && r == 0)
        r = folder_failed("write", partial, t->a, &t->why);
    if (r == 0 && renameat2(AT_FDCWD, partial, AT_FDCWD, name, RENAME_NOREPLACE) < 0)
        r = folder_failed("give its name to", name, t->a, &t->why);
    if (r < 0)
        unlink(partial);
    return r;
}

int command_export(struct config *c) {
    struct transfer t;
    const char *dir = config_cstr(c, "data");
    const char *database = arena_cstr(&c->arena, arena_printf(&c->arena, "%s/lorry.db", dir));
    if (settings_store(c) == STORE_SQLITE && access(database, F_OK) != 0) {
        fprintf(stderr, "lorry: there is no database %s; --data names the folder of the server\n",
                database);
        return 1;
    }
    transfer_init(&t, c);
    int r = stores_open(c, true, NULL, t.a, &t.stores, &t.why);
    if (r == 0)
        r = to_stream(c) ? write_archive(&t, stdout, stderr, "standard output")
                         : write_file(&t, c->arguments[0].p);
    return transfer_end(&t, r);
}

/* ---- `lorry import` ---- */

struct import {
    struct transfer t;
    FILE *file;
    bool in_place; /* SQLite: */
    const char *dir, *partial;
};

/* Everything in the file, into LOAD unless that is NULL: then it is only read. */
static int copy_in(struct import *m, struct archive_in *in, struct store_load *load) {
    struct transfer *t = &m->t;
    struct store_record *records = arena_array(t->a, struct store_record, LOAD_RECORDS);
    int r = 1;
    while (r == 1) {
        int32_t count = 0;
        arena_reset(&t->page);
        while (count < LOAD_RECORDS && t->page.used_bytes < LOAD_BYTES &&
               (r = archive_in_next(in, &t->page, &records[count], &t->why)) == 1)
            count++;
        if (r < 0)
            t->why = arena_str(t->a, t->why); /* outlives the page */
        else if (load != NULL && count > 0 && load->ops->add(load, records, count) < 0)
            r = say(t, ERR_IO, load->why);
        progress_show(&t->progress, archive_in_tally(in)->records, 0);
    }
    return r;
}

/* The first pass: is the file whole, and ours? Nothing has been touched yet. */
static int check_file(struct import *m) {
    struct archive_in *in;
    struct stat st;
    if (fstat(fileno(m->file), &st) < 0 || !S_ISREG(st.st_mode))
        return 0; /* a pipe can be read once */
    int r = archive_in_new(m->file, m->t.a, &in, &m->t.why);
    if (r < 0)
        return r;
    r = copy_in(m, in, NULL);
    archive_in_free(in);
    rewind(m->file);
    return r;
}

/* What the store holds now is what the file said. */
static int compare(struct import *m, struct store_load *load, const struct archive_tally *wanted) {
    struct transfer *t = &m->t;
    struct archive_tally found;
    struct store_dump *dump;
    struct store_record *records;
    struct str line;
    int32_t count = 1;
    if (load->ops->dump(load, &dump) < 0)
        return say(t, ERR_IO, load->why);
    archive_tally_init(&found);
    int r = 0;
    while (r == 0 && count > 0) {
        arena_reset(&t->page);
        r = dump->ops->next(dump, &t->page, &records, &count);
        if (r < 0)
            say(t, r, dump->why);
        for (int32_t i = 0; r == 0 && i < count; i++)
            r = archive_tally_add(&found, &records[i], &t->page, &line);
        progress_show(&t->progress, found.records, wanted->records);
    }
    dump->ops->close(dump);
    const char *part = r == 0 ? archive_tally_differ(wanted, &found) : NULL;
    if (part != NULL) {
        t->why = arena_printf(t->a, "what the store holds is not what was written to it: %s", part);
        r = ERR_CORRUPT;
    }
    archive_tally_free(&found);
    return r;
}

static int load_all(struct import *m) {
    struct transfer *t = &m->t;
    struct store_load *load;
    struct archive_in *in = NULL;
    int r = t->stores.port->load(t->stores.port, t->a, &load, &t->why);
    if (r < 0)
        return r;
    r = archive_in_new(m->file, t->a, &in, &t->why);
    if (r == 0)
        r = copy_in(m, in, load);
    if (r == 0)
        r = compare(m, load, archive_in_tally(in));
    if (r == 0 && load->ops->finish(load) < 0)
        r = say(t, ERR_IO, load->why);
    load->ops->close(load);
    double seconds = progress_end(&t->progress);
    if (r == 0) {
        int64_t records = archive_in_tally(in)->records;
        printf("%lld records in %.1f s (%.0f records/s), read back and compared.\n",
               (long long)records, seconds, (double)records / seconds);
        print_tally(archive_in_tally(in), stdout);
    }
    archive_in_free(in);
    return r;
}

/* SQLite: the folder in which the database is built. */
static int prepare_folder(struct import *m) {
    struct transfer *t = &m->t;
    struct stat st;
    m->dir = config_cstr(t->c, "data");
    m->partial = arena_cstr(t->a, arena_printf(t->a, "%s/import.partial", m->dir));
    const char *database = arena_cstr(t->a, arena_printf(t->a, "%s/lorry.db", m->dir));
    if (lstat(database, &st) == 0) {
        t->why =
            arena_printf(t->a, "%s is there already: --data names a folder without one", database);
        return ERR_CONFLICT;
    }
    m->in_place = true;
    return 0;
}

static int open_target(struct import *m) {
    struct transfer *t = &m->t;
    if (!m->in_place)
        return stores_open(t->c, true, NULL, t->a, &t->stores, &t->why);
    folder_remove(m->partial); /* of one that was cut off */
    return stores_open_folder(m->partial, t->a, &t->stores, &t->why);
}

static int move_up(struct import *m) {
    struct transfer *t = &m->t;
    const char *from = arena_cstr(t->a, arena_printf(t->a, "%s/lorry.db", m->partial));
    const char *to = arena_cstr(t->a, arena_printf(t->a, "%s/lorry.db", m->dir));
    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) < 0)
        return folder_failed("give its name to", to, t->a, &t->why);
    return folder_sync(m->dir, t->a, &t->why);
}

static int run_import(struct import *m) {
    struct transfer *t = &m->t;
    int r = settings_store(t->c) == STORE_SQLITE ? prepare_folder(m) : 0;
    if (r == 0)
        r = check_file(m);
    if (r == 0)
        r = open_target(m);
    if (r == 0)
        r = load_all(m);
    stores_close(&t->stores);
    if (r == 0 && m->in_place)
        r = move_up(m);
    if (m->in_place) {
        folder_remove(m->partial);
        if (r < 0)
            rmdir(m->dir); /* if it was made for this */
    }
    return r;
}

int command_import(struct config *c) {
    struct import m = {.file = stdin};
    if (!to_stream(c))
        m.file = fopen(c->arguments[0].p, "re");
    if (m.file == NULL) {
        fprintf(stderr, "lorry: cannot read %s: %s\n", c->arguments[0].p, strerror(errno));
        return 1;
    }
    transfer_init(&m.t, c);
    int r = run_import(&m);
    if (m.file != stdin)
        fclose(m.file);
    return transfer_end(&m.t, r);
}
