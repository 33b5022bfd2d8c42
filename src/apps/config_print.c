/* What the tables look like to people: the help, the effective settings with their origins, the
 * problems. All of it is made from the same tables as the flags themselves.
 */
#include "apps/config.h"

#include "base/check.h"
#include "json/writer.h"

#include <string.h>

#define HELP_COLUMN 34 /* where the words begin */
#define HELP_WIDTH 100

static void write_messages(const struct config *c, const struct config_messages *m,
                           const char *kind, struct buf *out) {
    for (int32_t i = 0; i < m->count; i++)
        buf_printf(out, "%s: %s%.*s\n", c->program->name, kind, STR_ARG(m->items[i]));
    if (m->more > 0)
        buf_printf(out, "%s: and %d more\n", c->program->name, m->more);
}

void config_write_problems(const struct config *c, struct buf *out) {
    write_messages(c, &c->problems, "", out);
    buf_printf(out, "%s: \"%s help %s\" tells all there is to set\n", c->program->name,
               c->program->name, c->command->name);
}

void config_write_warnings(const struct config *c, struct buf *out) {
    write_messages(c, &c->warnings, "warning: ", out);
}

/* ---- effective settings ---- */

static struct str value_shown(const struct config_value *v, struct arena *a) {
    if (!v->text.p)
        return STR("-");
    if (v->setting->kind == CONFIG_URL)
        return config_masked(v->text, a);
    return v->setting->secret ? STR("(hidden)") : v->text;
}

void config_write_table(const struct config *c, struct buf *out) {
    int key_width = 0, value_width = 0;
    struct arena a;
    arena_init(&a, 1024);
    for (int32_t i = 0; i < c->count; i++) {
        int key = (int)strlen(c->values[i].setting->key);
        int value = (int)value_shown(&c->values[i], &a).len;
        key_width = key > key_width ? key : key_width;
        value_width = value > value_width ? value : value_width;
    }
    for (int32_t i = 0; i < c->count; i++) {
        const struct config_value *v = &c->values[i];
        struct str value = value_shown(v, &a);
        buf_printf(out, "%-*s  %.*s%*s  %.*s\n", key_width, v->setting->key, STR_ARG(value),
                   value_width - (int)value.len, "", STR_ARG(v->origin));
    }
    arena_free(&a);
}

static void write_url(struct str text, struct jw *w) {
    struct arena a;
    arena_init(&a, 1024);
    jw_str(w, config_masked(text, &a));
    arena_free(&a);
}

static void write_json_value(const struct config_value *v, struct jw *w) {
    if (!v->text.p || v->setting->secret) {
        jw_null(w);
        return;
    }
    switch (v->setting->kind) {
    case CONFIG_INT:
    case CONFIG_DURATION:
        jw_i64(w, v->number);
        return;
    case CONFIG_BOOL:
        jw_bool(w, v->number != 0);
        return;
    case CONFIG_STRING:
    case CONFIG_PATH:
    case CONFIG_ENUM:
    case CONFIG_LIST:
    case CONFIG_ADDRESS:
        jw_str(w, v->text);
        return;
    case CONFIG_URL:
        write_url(v->text, w);
        return;
    }
    UNREACHABLE();
}

void config_write_json(const struct config *c, struct buf *out) {
    static const char *const sources[] = {"default", "file", "environment", "flag"};
    struct jw w;
    jw_init(&w, out);
    jw_object(&w);
    jw_kv_str(&w, "file", c->file);
    jw_key(&w, "settings");
    jw_array(&w);
    for (int32_t i = 0; i < c->count; i++) {
        const struct config_value *v = &c->values[i];
        jw_object(&w);
        jw_kv_str(&w, "key", str_from(v->setting->key));
        jw_key(&w, "value");
        write_json_value(v, &w);
        if (v->setting->secret) {
            jw_key(&w, "hidden");
            jw_bool(&w, v->text.p != NULL);
        }
        jw_kv_str(&w, "source", str_from(sources[v->source]));
        jw_kv_str(&w, "origin", v->origin);
        jw_end(&w);
    }
    jw_end(&w);
    jw_end(&w);
    buf_add_char(out, '\n');
}

/* ---- help ---- */

const char *config_placeholder(const struct config_setting *s, bool from_file) {
    if (from_file)
        return "FILE";
    if (s->placeholder)
        return s->placeholder;
    switch (s->kind) {
    case CONFIG_STRING:
        return "TEXT";
    case CONFIG_PATH:
        return "PATH";
    case CONFIG_INT:
        return "N";
    case CONFIG_DURATION:
        return "SECONDS";
    case CONFIG_BOOL:
        return NULL;
    case CONFIG_ENUM:
        return "WORD";
    case CONFIG_LIST:
        return "WORD,...";
    case CONFIG_URL:
        return "URL";
    case CONFIG_ADDRESS:
        return "ADDR:PORT";
    }
    UNREACHABLE();
}

/* WORDS from COLUMN on, broken at spaces before HELP_WIDTH. */
static void write_wrapped(struct str words, size_t column, struct buf *out) {
    while (words.len > HELP_WIDTH - column) {
        size_t cut = HELP_WIDTH - column;
        while (cut > 0 && words.p[cut] != ' ')
            cut--;
        if (cut == 0)
            break; /* one word that is wider than the line */
        buf_printf(out, "%.*s\n%*s", (int)cut, words.p, (int)column, "");
        words = str_sub(words, cut + 1, words.len);
    }
    buf_printf(out, "%.*s\n", STR_ARG(words));
}

struct str config_words(const struct config_setting *s, struct arena *a) {
    struct buf words;
    buf_init(&words, a, 160);
    buf_add_cstr(&words, s->help);
    if (s->kind == CONFIG_ENUM || s->kind == CONFIG_LIST) {
        buf_add_cstr(&words, ":");
        for (int32_t i = 0; s->names[i]; i++)
            buf_printf(&words, "%s %s", i > 0 ? "," : "", s->names[i]);
    }
    bool ranged = (s->kind == CONFIG_INT || s->kind == CONFIG_DURATION) && (s->min || s->max);
    if (ranged && s->fallback)
        buf_printf(&words, " (%lld to %lld; default %s)", (long long)s->min, (long long)s->max,
                   s->fallback);
    else if (ranged)
        buf_printf(&words, " (%lld to %lld)", (long long)s->min, (long long)s->max);
    else if (s->fallback && s->kind != CONFIG_BOOL)
        buf_printf(&words, " (default %s)", s->fallback);
    return buf_str(&words);
}

static void write_setting(const struct config_setting *s, struct arena *a, struct buf *out) {
    bool on = s->kind == CONFIG_BOOL && s->fallback && strcmp(s->fallback, "true") == 0;
    struct str flag = config_flag_name(s->key, s->secret, a);
    if (on)
        flag = arena_printf(a, "--no-%.*s", (int)flag.len - 2, flag.p + 2);
    const char *what = config_placeholder(s, s->secret);
    struct str left =
        arena_printf(a, "  %.*s%s%s", STR_ARG(flag), what ? " " : "", what ? what : "");
    if (left.len + 2 > HELP_COLUMN)
        buf_printf(out, "%.*s\n%*s", STR_ARG(left), HELP_COLUMN, "");
    else
        buf_printf(out, "%-*.*s", HELP_COLUMN, STR_ARG(left));
    write_wrapped(config_words(s, a), HELP_COLUMN, out);
}

void config_write_command_help(const struct config_program *program,
                               const struct config_command *command, struct buf *out) {
    struct arena a;
    arena_init(&a, 8192);
    const struct config_setting *example = NULL;
    buf_printf(out, "%s %s: %s\n\nUsage: %s %s%s%s%s\n", program->name, command->name,
               command->summary, program->name, command->name, command->tables ? " [FLAG]..." : "",
               command->arguments ? " " : "", command->arguments ? command->arguments : "");
    if (command->details)
        buf_printf(out, "\n%s", command->details);
    for (const struct config_table *const *table = command->tables; table && *table; table++) {
        buf_printf(out, "\n%s\n", (*table)->title);
        for (int32_t i = 0; i < (*table)->count; i++) {
            example = example ? example : &(*table)->settings[i];
            write_setting(&(*table)->settings[i], &a, out);
        }
    }
    if (example) {
        struct str flag = config_flag_name(example->key, example->secret, &a);
        struct str env = config_env_name(example->key, example->secret, &a);
        buf_printf(
            out,
            "\nEach flag is also a variable of the environment (%.*s is %.*s) and a line of "
            "the\nfile that --config FILE or LORRY_CONFIG names (%s%s = …). A flag wins over "
            "the\nenvironment, and that over the file. Times are seconds, or 15m, 24h, 30d.\n",
            STR_ARG(flag), STR_ARG(env), example->key, example->secret ? "_file" : "");
    }
    arena_free(&a);
}

void config_write_help(const struct config_program *program, struct buf *out) {
    int width = 0;
    for (const struct config_command *command = program->commands; command->name; command++) {
        int len = (int)strlen(command->name);
        width = len > width ? len : width;
    }
    buf_printf(out, "%s: %s\n\nUsage: %s COMMAND [FLAG]...\n\n", program->name, program->summary,
               program->name);
    for (const struct config_command *command = program->commands; command->name; command++)
        buf_printf(out, "  %-*s  %s\n", width, command->name, command->summary);
    buf_printf(out, "\n\"%s help COMMAND\" tells its flags.\n", program->name);
}
