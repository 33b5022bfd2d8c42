/* Manual pages, in mdoc(7), from the same tables as the flags themselves. */
#include "apps/config.h"

#include <string.h>

#define MANUAL_DATE "November 29, 2026" /* when the wording last changed */
#define MANUAL_KEYS_MAX 512             /* of all commands, in lorry.conf(5) */

#define MANUAL_WIDTH 72 /* of a source line: over 80, letters spelt out, is bad style in mdoc */

static size_t word_end(struct str text, size_t at) {
    while (at < text.len && text.p[at] != ' ' && text.p[at] != '\n')
        at++;
    return at;
}

/* TEXT, word by word, with what roff would take for itself made harmless. Sentences begin on lines
 * of their own, as mdoc wants it. */
static void write_text(struct str text, struct buf *out) {
    size_t column = 0;
    for (size_t at = 0, end; at < text.len; at = end + 1) {
        end = word_end(text, at);
        if (end == at)
            continue;
        bool sentence = at > 1 && strchr(".!?", text.p[at - 2]) != NULL;
        if (column > 0 && (sentence || column + 1 + end - at > MANUAL_WIDTH)) {
            buf_add_char(out, '\n');
            column = 0;
        }
        if (column > 0)
            buf_add_char(out, ' ');
        else if (text.p[at] == '.' || text.p[at] == '\'')
            buf_add_cstr(out, "\\&");
        column += (column > 0) + end - at;
        for (; at < end; at++) {
            if (text.p[at] == '\\')
                buf_add_cstr(out, "\\e");
            else
                buf_add_char(out, text.p[at]);
        }
    }
    buf_add_char(out, '\n');
}

static void write_sentence(struct str text, struct buf *out) {
    bool ended = text.len > 0 && strchr(".!?\n", text.p[text.len - 1]) != NULL;
    struct arena a;
    arena_init(&a, 1024);
    write_text(ended ? text : arena_printf(&a, "%.*s.", STR_ARG(text)), out);
    arena_free(&a);
}

static void write_head(const char *page, const char *section, struct buf *out) {
    buf_add_cstr(out, ".Dd " MANUAL_DATE "\n.Dt ");
    for (const char *c = page; *c != '\0'; c++)
        buf_add_char(out, *c >= 'a' && *c <= 'z' ? (char)(*c - 32) : *c == ' ' ? '-' : *c);
    buf_printf(out, " %s\n.Os\n.Sh NAME\n.Nm ", section);
    for (const char *c = page; *c != '\0'; c++)
        buf_add_char(out, *c == ' ' ? '-' : *c);
    buf_add_char(out, '\n');
}

/* The name of a command's page: "lorry-user-add". */
static struct str page_name(const struct config_program *program,
                            const struct config_command *command, struct arena *a) {
    struct buf name;
    buf_init(&name, a, 64);
    buf_printf(&name, "%s-", program->name);
    for (const char *c = command->name; *c != '\0'; c++)
        buf_add_char(&name, *c == ' ' ? '-' : *c);
    return buf_str(&name);
}

static void write_flag(const struct config_setting *s, struct arena *a, struct buf *out) {
    bool on = s->kind == CONFIG_BOOL && s->fallback && strcmp(s->fallback, "true") == 0;
    struct str flag = config_flag_name(s->key, s->secret, a);
    const char *what = config_placeholder(s, s->secret);
    buf_printf(out, ".It Fl Fl %s%.*s%s%s\n", on ? "no-" : "", (int)flag.len - 2, flag.p + 2,
               what ? " Ar " : "", what ? what : "");
    write_sentence(config_words(s, a), out);
}

static void write_tables(const struct config_command *command, struct arena *a, struct buf *out) {
    for (const struct config_table *const *table = command->tables; table && *table; table++) {
        buf_printf(out, ".Ss %s\n.Bl -tag -width Ds\n", (*table)->title);
        for (int32_t i = 0; i < (*table)->count; i++)
            write_flag(&(*table)->settings[i], a, out);
        buf_add_cstr(out, ".El\n");
    }
}

static void write_ends(const struct config_program *program, bool settings, struct buf *out) {
    if (settings)
        buf_printf(
            out,
            ".Sh ENVIRONMENT\nEach flag is also a variable:\n.Fl Fl log-level\nis\n"
            ".Ev LORRY_LOG_LEVEL .\nA flag wins over the environment,\nand that over the file"
            " that\n.Fl Fl config Ar FILE\nor\n.Ev LORRY_CONFIG\nnames; see\n.Xr %s.conf 5 "
            ".\n",
            program->name);
    buf_add_cstr(out, ".Sh EXIT STATUS\n0 on success, 1 if it failed, 2 if a flag or a setting is "
                      "not right;\nwhat would be right is said on standard error.\n");
}

void config_write_command_manual(const struct config_program *program,
                                 const struct config_command *command, struct buf *out) {
    struct arena a;
    arena_init(&a, 8192);
    struct str page = page_name(program, command, &a);
    write_head(arena_cstr(&a, page), "1", out);
    buf_add_cstr(out, ".Nd ");
    write_text(str_from(command->summary), out);
    buf_printf(out, ".Sh SYNOPSIS\n.Nm %s %s\n", program->name, command->name);
    if (command->tables)
        buf_add_cstr(out, ".Op Ar flag ...\n");
    if (command->arguments) {
        size_t len = strlen(command->arguments);
        bool optional = command->arguments[0] == '[' && command->arguments[len - 1] == ']';
        buf_printf(out, ".%sAr %.*s\n", optional ? "Op " : "", (int)(len - (optional ? 2 : 0)),
                   command->arguments + (optional ? 1 : 0));
    }
    buf_add_cstr(out, ".Sh DESCRIPTION\n");
    write_sentence(str_from(command->summary), out);
    if (command->details) {
        buf_add_cstr(out, ".Pp\n");
        write_text(str_from(command->details), out);
    }
    write_tables(command, &a, out);
    write_ends(program, command->tables != NULL, out);
    buf_printf(out, ".Sh SEE ALSO\n.Xr %s 1 ,\n.Xr %s.conf 5\n", program->name, program->name);
    arena_free(&a);
}

void config_write_manual(const struct config_program *program, struct buf *out) {
    struct arena a;
    arena_init(&a, 8192);
    write_head(program->name, "1", out);
    buf_add_cstr(out, ".Nd ");
    write_text(str_from(program->summary), out);
    buf_printf(out,
               ".Sh SYNOPSIS\n.Nm\n.Ar command\n.Op Ar flag ...\n.Sh DESCRIPTION\n.Nm\nhas a page "
               "for each command:\n.Bl -tag -width Ds\n");
    for (const struct config_command *command = program->commands; command->name; command++) {
        buf_printf(out, ".It Xr %.*s 1\n", STR_ARG(page_name(program, command, &a)));
        write_sentence(str_from(command->summary), out);
    }
    buf_add_cstr(out, ".El\n");
    write_ends(program, true, out);
    buf_printf(out, ".Sh SEE ALSO\n.Xr %s.conf 5\n", program->name);
    arena_free(&a);
}

/* ---- the file ---- */

struct keys {
    const struct config_setting *met[MANUAL_KEYS_MAX]; /* a table may belong to several commands */
    int32_t count;
};

static bool meet(struct keys *keys, const struct config_setting *s) {
    for (int32_t i = 0; i < keys->count; i++) {
        if (strcmp(keys->met[i]->key, s->key) == 0)
            return false;
    }
    if (keys->count == MANUAL_KEYS_MAX)
        return false;
    keys->met[keys->count++] = s;
    return true;
}

static void write_key(const struct config_setting *s, struct arena *a, struct buf *out) {
    const char *what = config_placeholder(s, s->secret);
    buf_printf(out, ".It Ic %s%s No = Ar %s\n", s->key, s->secret ? "_file" : "",
               what ? what : "yes|no");
    struct str words = config_words(s, a);
    if (s->kind == CONFIG_BOOL)
        words = arena_printf(a, "%.*s (default %s)", STR_ARG(words), s->fallback);
    write_sentence(words, out);
}

void config_write_file_manual(const struct config_program *program, struct buf *out) {
    struct arena a;
    struct keys keys = {.count = 0};
    arena_init(&a, 8192);
    write_head(arena_cstr(&a, arena_printf(&a, "%s.conf", program->name)), "5", out);
    buf_printf(
        out,
        ".Nd settings of %s\n.Sh DESCRIPTION\nThe file that\n.Fl Fl config Ar FILE\nor\n"
        ".Ev LORRY_CONFIG\nnames: a setting on each line, as\n.Ic key No = Ar value .\n"
        "Empty lines and those that begin with # are passed over.\n"
        "Settings of other commands may stand in it, too.\n"
        "Times are seconds, or 15m, 24h, 30d.\n.Pp\n"
        "A setting is taken from the flag of its name, else from the environment,\n"
        "else from this file.\n.Ql %s config\nprints what is in effect, and where it came from.\n",
        program->name, program->name);
    for (const struct config_command *command = program->commands; command->name; command++) {
        for (const struct config_table *const *table = command->tables; table && *table; table++) {
            bool open = false;
            for (int32_t i = 0; i < (*table)->count; i++) {
                if (!meet(&keys, &(*table)->settings[i]))
                    continue;
                if (!open)
                    buf_printf(out, ".Ss %s\n.Bl -tag -width Ds\n", (*table)->title);
                open = true;
                write_key(&(*table)->settings[i], &a, out);
            }
            if (open)
                buf_add_cstr(out, ".El\n");
        }
    }
    buf_printf(out,
               ".Sh FILES\n.Bl -tag -width Ds\n.It Pa /etc/lorry/lorry.conf\nThe one that the "
               "service of the Debian package reads.\n.El\n.Sh SEE ALSO\n.Xr %s 1\n",
               program->name);
    arena_free(&a);
}
