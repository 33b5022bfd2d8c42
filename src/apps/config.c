/* Resolving: the sources are read from the strongest to the weakest (flags, environment, file),
 * each leaving its text where no stronger one has; then each setting's winning text is read as its
 * kind. So only what takes effect is judged, and a flag can mend what a file has wrong. What is
 * unknown or malformed is a problem wherever it stands. Everything lives in the config's arena.
 */
#include "apps/config.h"

#include "base/check.h"
#include "base/err.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#define SHOWN_BYTES_MAX 80 /* of a wrong value, in a problem */

/* What one source said about a setting, not yet read. */
struct said {
    struct str text, origin;
    enum config_source source;
    bool from_file; /* text is the path of a secret's file */
};

struct loader {
    struct config *c;
    struct arena *a;
    struct said said[CONFIG_SETTINGS_MAX]; /* beside c->values */
    struct said config_file;               /* --config or LORRY_CONFIG */
};

enum name_form { NAME_KEY, NAME_FLAG, NAME_ENV };

/* ---- messages ---- */

static void add_message(struct config_messages *m, struct arena *a, const char *format,
                        va_list args) {
    if (m->count == CONFIG_PROBLEMS_MAX)
        m->more++;
    else
        m->items[m->count++] = arena_vprintf(a, format, args);
}

static void problem(struct loader *l, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void problem(struct loader *l, const char *format, ...) {
    va_list args;
    va_start(args, format);
    add_message(&l->c->problems, l->a, format, args);
    va_end(args);
}

static void warning(struct loader *l, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void warning(struct loader *l, const char *format, ...) {
    va_list args;
    va_start(args, format);
    add_message(&l->c->warnings, l->a, format, args);
    va_end(args);
}

/* TEXT in quotes, fit for a terminal: cut when long, and bytes that could steer it replaced. */
static struct str shown(struct str text, struct arena *a) {
    bool cut = text.len > SHOWN_BYTES_MAX, ascii = true;
    struct str part = str_sub(text, 0, SHOWN_BYTES_MAX);
    for (size_t i = 0; i < part.len; i++)
        ascii = ascii && (unsigned char)part.p[i] < 0x80;
    size_t chars;
    bool clean = ascii || (!cut && str_is_utf8(part, &chars));
    char *copy = arena_cstr(a, part);
    for (size_t i = 0; i < part.len; i++) {
        unsigned char c = (unsigned char)copy[i];
        if (c < 0x20 || c == 0x7f || (c >= 0x80 && !clean))
            copy[i] = '?';
    }
    return arena_printf(a, "\"%s%s\"", copy, cut ? "…" : "");
}

/* ---- the tables ---- */

/* The command's settings in the order of its tables, NULL after the last. */
static const struct config_setting *setting_at(const struct config_command *command,
                                               int32_t index) {
    for (const struct config_table *const *t = command->tables; t && *t; t++) {
        if (index < (*t)->count)
            return &(*t)->settings[index];
        index -= (*t)->count;
    }
    return NULL;
}

/* Is KEY the setting's, or that of its secret's file? */
static bool is_key_of(const struct config_setting *s, struct str key, bool *ret_from_file) {
    if (str_is(key, s->key)) {
        *ret_from_file = false;
        return true;
    }
    if (!config_has_file(s) || !str_ends(key, "_file") ||
        !str_is(str_sub(key, 0, key.len - 5), s->key))
        return false;
    *ret_from_file = true;
    return true;
}

/* Index into c->values, or -1. */
static int32_t find(const struct config *c, struct str key, bool *ret_from_file) {
    for (int32_t i = 0; i < c->count; i++) {
        if (is_key_of(c->values[i].setting, key, ret_from_file))
            return i;
    }
    return -1;
}

/* A command of the program that knows KEY, NULL if none does. */
static const struct config_command *find_owner(const struct config_program *program,
                                               struct str key) {
    for (const struct config_command *command = program->commands; command->name; command++) {
        const struct config_setting *s;
        for (int32_t i = 0; (s = setting_at(command, i)); i++) {
            bool from_file;
            if (is_key_of(s, key, &from_file))
                return command;
        }
    }
    return NULL;
}

static struct str name_in(enum name_form form, const char *key, bool from_file, struct arena *a) {
    if (form == NAME_FLAG)
        return config_flag_name(key, from_file, a);
    if (form == NAME_ENV)
        return config_env_name(key, from_file, a);
    return arena_printf(a, "%s%s", key, from_file ? "_file" : "");
}

/* Keeps the nearer of the two, if it is near at all: a slip for each four letters. */
static void keep_nearer(struct str word, struct str candidate, struct str *best,
                        int32_t *best_distance) {
    int32_t distance = config_distance(word, candidate);
    if (distance < *best_distance && distance <= 1 + (int32_t)word.len / 4) {
        *best_distance = distance;
        *best = candidate;
    }
}

/* "; did you mean X?", or "". ONLY: the command whose settings count, NULL for all. */
static struct str did_you_mean(struct loader *l, const struct config_command *only,
                               enum name_form form, struct str word) {
    struct str best = STR_NONE;
    int32_t distance = INT32_MAX;
    for (const struct config_command *command = l->c->program->commands; command->name; command++) {
        if (only && command != only)
            continue;
        const struct config_setting *s;
        for (int32_t i = 0; (s = setting_at(command, i)); i++) {
            if (!s->secret || form != NAME_FLAG)
                keep_nearer(word, name_in(form, s->key, false, l->a), &best, &distance);
            if (config_has_file(s))
                keep_nearer(word, name_in(form, s->key, true, l->a), &best, &distance);
        }
    }
    if (form == NAME_FLAG) {
        keep_nearer(word, STR("--config"), &best, &distance);
        keep_nearer(word, STR("--help"), &best, &distance);
    } else if (form == NAME_ENV) {
        keep_nearer(word, STR("LORRY_CONFIG"), &best, &distance);
    }
    return best.p ? arena_printf(l->a, "; did you mean %.*s?", STR_ARG(best)) : STR("");
}

/* ---- what the sources say ---- */

/* Takes TEXT for a setting unless a stronger source has spoken. WHERE tells the origin. */
static void take(struct loader *l, int32_t index, struct said said) {
    struct said *old = &l->said[index];
    const char *key = l->c->values[index].setting->key;
    if (old->origin.p && old->source > said.source)
        return;
    if (old->origin.p && old->source == said.source && said.source != CONFIG_FLAG) {
        problem(l, "%s is set twice: by %.*s and by %.*s", key, STR_ARG(old->origin),
                STR_ARG(said.origin));
        return;
    }
    /* Of a flag given twice the later one counts, or both if it is a list. */
    bool joins = old->origin.p && l->c->values[index].setting->kind == CONFIG_LIST;
    if (joins && old->source == said.source)
        said.text = arena_printf(l->a, "%.*s,%.*s", STR_ARG(old->text), STR_ARG(said.text));
    *old = said;
}

/* A flag as it was written. */
struct flag {
    struct str word;  /* "--offer-timeout-s" */
    struct str key;   /* "offer_timeout_s"; absent when no setting can be meant */
    struct str value; /* what stands after '='; absent when there is none */
};

static struct flag read_flag(struct loader *l, const char *text) {
    struct flag f = {str_from(text), STR_NONE, STR_NONE};
    const char *equals = strchr(text, '=');
    if (equals) {
        f.value = str_from(equals + 1);
        f.word.len = (size_t)(equals - text);
    }
    char *letters = arena_cstr(l->a, str_sub(f.word, 2, f.word.len));
    if (strchr(letters, '_'))
        return f;
    for (char *p = letters; *p; p++)
        *p = *p == '-' ? '_' : *p;
    f.key = str_from(letters);
    return f;
}

static void refuse_flag(struct loader *l, const struct flag *f) {
    struct config *c = l->c;
    const struct config_command *owner = f->key.p ? find_owner(c->program, f->key) : NULL;
    struct str hint =
        owner ? arena_printf(l->a, "; it belongs to \"%s %s\"", c->program->name, owner->name)
              : did_you_mean(l, c->command, NAME_FLAG, f->word);
    struct str text = shown(f->word, l->a);
    problem(l, "%.*s is not a flag of \"%s %s\"%.*s", STR_ARG(text), c->program->name,
            c->command->name, STR_ARG(hint));
}

/* The flag's value: after its '=', or the next word. Adds to *USED, or a problem. */
static bool flag_value(struct loader *l, struct flag *f, struct str expects, int argc,
                       char *const argv[], int *used) {
    if (f->value.p)
        return true;
    if (argc < 2 || strncmp(argv[1], "--", 2) == 0) {
        problem(l, "%.*s needs a value: %.*s", STR_ARG(f->word), STR_ARG(expects));
        return false;
    }
    f->value = str_from(argv[1]);
    *used += 1;
    return true;
}

/* A flag of setting INDEX. Returns how many words of ARGV it took. */
static int take_setting_flag(struct loader *l, struct flag *f, int32_t index, bool from_file,
                             int argc, char *const argv[]) {
    const struct config_setting *s = l->c->values[index].setting;
    int used = 1;
    if (s->kind == CONFIG_BOOL && !f->value.p)
        f->value = STR("true");
    struct str expects = from_file ? STR("a path") : config_expects(s, l->a);
    if (!flag_value(l, f, expects, argc, argv, &used))
        return used;
    struct str origin = arena_printf(l->a, "flag %.*s", STR_ARG(f->word));
    bool shows =
        s->secret || (s->kind == CONFIG_URL && !str_eq(config_masked(f->value, l->a), f->value));
    if (shows && !from_file) {
        struct str flag = config_flag_name(s->key, true, l->a);
        problem(l, "%.*s would show the %s to every user of this machine; use %.*s FILE",
                STR_ARG(f->word), s->secret ? "secret" : "password", STR_ARG(flag));
    } else {
        take(l, index, (struct said){f->value, origin, CONFIG_FLAG, from_file});
    }
    return used;
}

/* "--key value", "--key=value", "--demo", "--no-demo". Returns how many words of ARGV it took. */
static int take_flag(struct loader *l, int argc, char *const argv[]) {
    struct flag f = read_flag(l, argv[0]);
    bool from_file;
    int used = 1;
    if (str_is(f.key, "config")) {
        if (flag_value(l, &f, STR("a path"), argc, argv, &used))
            l->config_file = (struct said){f.value, STR("flag --config"), CONFIG_FLAG, false};
        return used;
    }
    int32_t index = f.key.p ? find(l->c, f.key, &from_file) : -1;
    if (index >= 0)
        return take_setting_flag(l, &f, index, from_file, argc, argv);

    index = str_starts(f.key, "no_") ? find(l->c, str_sub(f.key, 3, f.key.len), &from_file) : -1;
    if (index >= 0 && l->c->values[index].setting->kind == CONFIG_BOOL && !f.value.p) {
        f.value = STR("false");
        return take_setting_flag(l, &f, index, false, argc, argv);
    }
    refuse_flag(l, &f);
    /* Where no arguments are taken, the word after it was meant as its value: one problem, not two.
     */
    bool alone = f.value.p || argc < 2 || argv[1][0] == '-' || l->c->command->arguments_max > 0;
    return alone ? 1 : 2;
}

static void take_argument(struct loader *l, const char *word) {
    struct config *c = l->c;
    if (c->argument_count < c->command->arguments_max && c->argument_count < CONFIG_ARGUMENTS_MAX) {
        c->arguments[c->argument_count++] = arena_str(l->a, str_from(word));
        return;
    }
    struct str text = shown(str_from(word), l->a);
    problem(l, "%.*s is one argument too many for \"%s %s\"%s", STR_ARG(text), c->program->name,
            c->command->name, word[0] == '-' ? " (flags begin with two dashes)" : "");
}

/* False when help was asked for. */
static bool take_flags(struct loader *l, int argc, char *const argv[]) {
    bool flags_end = false;
    for (int i = 0; i < argc;) {
        const char *word = argv[i];
        if (!flags_end && (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0))
            return false;
        if (!flags_end && strcmp(word, "--") == 0) {
            flags_end = true;
            i++;
        } else if (!flags_end && strncmp(word, "--", 2) == 0) {
            i += take_flag(l, argc - i, argv + i);
        } else {
            take_argument(l, word);
            i++;
        }
    }
    return true;
}

/* The program's tests and scripts have variables of their own, which are nobody's slip. */
static bool is_foreign_env(struct str name) {
    return str_starts(name, "LORRY_TEST_") || str_is(name, "LORRY_DEPS");
}

static void take_environment(struct loader *l, char *const envp[]) {
    for (; envp && *envp; envp++) {
        const char *equals = strchr(*envp, '=');
        struct str name = str_sub(str_from(*envp), 0, equals ? (size_t)(equals - *envp) : 0);
        if (!equals || !str_starts(name, "LORRY_") || is_foreign_env(name) || equals[1] == '\0')
            continue;
        char *letters = arena_cstr(l->a, str_sub(name, 6, name.len));
        bool lower = false;
        for (char *p = letters; *p; p++) {
            lower = lower || (*p >= 'a' && *p <= 'z');
            *p = *p >= 'A' && *p <= 'Z' ? (char)(*p - 'A' + 'a') : *p;
        }
        struct str key = str_from(letters);
        struct str origin = arena_printf(l->a, "environment %.*s", STR_ARG(name));
        struct said said = {str_from(equals + 1), origin, CONFIG_ENVIRONMENT, false};
        int32_t index = lower ? -1 : find(l->c, key, &said.from_file);
        if (index >= 0) {
            take(l, index, said);
        } else if (str_is(name, "LORRY_CONFIG")) {
            if (!l->config_file.text.p)
                l->config_file = said;
        } else if (lower || !find_owner(l->c->program, key)) {
            struct str text = shown(name, l->a);
            struct str hint = did_you_mean(l, NULL, NAME_ENV, name);
            warning(l, "environment variable %.*s is not a setting and has no effect%.*s",
                    STR_ARG(text), STR_ARG(hint));
        }
    }
}

static bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\r';
}

static struct str trim(struct str s) {
    while (s.len > 0 && is_space(s.p[0]))
        s = str_sub(s, 1, s.len);
    while (s.len > 0 && is_space(s.p[s.len - 1]))
        s.len--;
    return s;
}

/* The value of a line: a quoted one as it stands between its quotes, another one trimmed and
 * without its comment. False when a quote is not closed or something follows it. */
static bool file_value(struct str rest, struct str *ret_value) {
    rest = trim(rest);
    if (rest.len > 0 && rest.p[0] == '"') {
        const char *close = memchr(rest.p + 1, '"', rest.len - 1);
        if (!close)
            return false;
        *ret_value = (struct str){rest.p + 1, (size_t)(close - rest.p) - 1};
        struct str after = trim(str_sub(rest, ret_value->len + 2, rest.len));
        return after.len == 0 || after.p[0] == '#';
    }
    for (size_t i = 0; i < rest.len; i++) {
        if (rest.p[i] == '#' && (i == 0 || is_space(rest.p[i - 1])))
            rest.len = i;
    }
    *ret_value = trim(rest);
    return true;
}

static void take_line(struct loader *l, struct str line, int32_t number) {
    struct str file = l->c->file;
    line = trim(line);
    if (line.len == 0 || line.p[0] == '#')
        return;
    const char *equals = memchr(line.p, '=', line.len);
    struct str key = equals ? trim((struct str){line.p, (size_t)(equals - line.p)}) : STR_NONE;
    struct str value;
    if (key.len == 0 ||
        !file_value(str_sub(line, (size_t)(equals - line.p) + 1, line.len), &value)) {
        problem(l,
                "%.*s:%d: this is not a line of the form key = value, key = \"value\" or # comment",
                STR_ARG(file), number);
        return;
    }
    struct said said = {value, arena_printf(l->a, "%.*s:%d", STR_ARG(file), number), CONFIG_FILE,
                        false};
    int32_t index = find(l->c, key, &said.from_file);
    if (index >= 0) {
        take(l, index, said);
    } else if (!find_owner(l->c->program, key)) {
        struct str text = shown(key, l->a);
        struct str hint = did_you_mean(l, NULL, NAME_KEY, key);
        problem(l, "%.*s:%d: %.*s is not a setting%.*s", STR_ARG(file), number, STR_ARG(text),
                STR_ARG(hint));
    }
}

/* The whole of a file of at most BYTES_MAX (a pipe will do), or what is wrong with it. */
static const char *read_file(const char *path, size_t bytes_max, struct arena *a,
                             struct str *ret_text) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return strerror(errno);
    char *bytes = arena_bytes(a, bytes_max + 1);
    size_t len = 0;
    const char *wrong = NULL;
    while (len <= bytes_max) {
        ssize_t n = read(fd, bytes + len, bytes_max + 1 - len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            wrong = strerror(errno);
        if (n <= 0)
            break;
        len += (size_t)n;
    }
    close(fd);
    if (!wrong && len > bytes_max)
        wrong = "it is too large";
    if (!wrong)
        *ret_text = (struct str){bytes, len};
    return wrong;
}

static void take_file(struct loader *l) {
    struct config *c = l->c;
    if (!l->config_file.text.p)
        return;
    struct str text = STR_NONE;
    c->file = arena_str(l->a, l->config_file.text);
    const char *wrong = read_file(c->file.p, CONFIG_FILE_BYTES_MAX, l->a, &text);
    if (wrong) {
        struct str name = shown(c->file, l->a);
        problem(l, "the configuration file %.*s (%.*s) cannot be read: %s", STR_ARG(name),
                STR_ARG(l->config_file.origin), wrong);
        return;
    }
    for (int32_t number = 1; text.len > 0; number++) {
        const char *end = memchr(text.p, '\n', text.len);
        size_t len = end ? (size_t)(end - text.p) : text.len;
        take_line(l, str_sub(text, 0, len), number);
        text = str_sub(text, end ? len + 1 : len, text.len);
    }
}

/* ---- from what was said to values ---- */

/* Replaces a secret's path by what its file holds, without the newline at its end. */
static bool read_secret(struct loader *l, const struct config_setting *s, struct said *said) {
    struct str text = STR_NONE;
    const char *path = arena_cstr(l->a, said->text);
    const char *wrong = read_file(path, CONFIG_SECRET_BYTES_MAX, l->a, &text);
    if (wrong) {
        struct str name = shown(said->text, l->a);
        problem(l, "%s: its file %.*s (%.*s) cannot be read: %s", s->key, STR_ARG(name),
                STR_ARG(said->origin), wrong);
        return false;
    }
    if (text.len > 0 && text.p[text.len - 1] == '\n')
        text.len--;
    if (text.len > 0 && text.p[text.len - 1] == '\r')
        text.len--;
    said->text = text;
    return true;
}

static void settle(struct loader *l, int32_t index) {
    struct config_value *v = &l->c->values[index];
    const struct config_setting *s = v->setting;
    v->source = CONFIG_DEFAULT;
    v->origin = STR("default");
    if (s->fallback)
        CHECK(config_parse(s, str_from(s->fallback), l->a, v) == 0);

    struct said said = l->said[index];
    if (!said.origin.p || (said.from_file && !read_secret(l, s, &said)))
        return;
    v->source = said.source;
    v->origin = said.origin;
    if (config_parse(s, said.text, l->a, v) == 0)
        return;
    struct str text = s->secret ? STR("its value") : shown(config_masked(said.text, l->a), l->a);
    struct str expects = config_expects(s, l->a);
    problem(l, "%s: %.*s (%.*s) is not right; it must be %.*s", s->key, STR_ARG(text),
            STR_ARG(said.origin), STR_ARG(expects));
}

int config_load(struct config *c, const struct config_program *program,
                const struct config_command *command, int argc, char *const argv[],
                char *const envp[]) {
    *c = (struct config){.program = program, .command = command};
    arena_init(&c->arena, 8192);
    const struct config_setting *s;
    for (; (s = setting_at(command, c->count)); c->count++) {
        CHECK(c->count < CONFIG_SETTINGS_MAX);
        c->values[c->count].setting = s;
    }
    struct loader l = {.c = c, .a = &c->arena};
    c->help = !take_flags(&l, argc, argv);
    if (c->help) {
        c->problems = (struct config_messages){0};
        return 0;
    }
    take_environment(&l, envp);
    take_file(&l);
    for (int32_t i = 0; i < c->count; i++)
        settle(&l, i);
    return c->problems.count > 0 ? ERR_INVALID : 0;
}

void config_free(struct config *c) {
    arena_free(&c->arena);
}

/* ---- asking ---- */

static const struct config_value *value_of(const struct config *c, const char *key) {
    for (int32_t i = 0; i < c->count; i++) {
        if (strcmp(c->values[i].setting->key, key) == 0)
            return &c->values[i];
    }
    check_failed(__FILE__, __LINE__, key);
}

static const struct config_value *value_of_kind(const struct config *c, const char *key,
                                                enum config_kind kind) {
    const struct config_value *v = value_of(c, key);
    CHECK(v->setting->kind == kind);
    CHECK(v->text.p); /* it has a default, or the caller has asked config_text() first */
    return v;
}

struct str config_text(const struct config *c, const char *key) {
    return value_of(c, key)->text;
}

const char *config_cstr(const struct config *c, const char *key) {
    return value_of(c, key)->text.p;
}

int64_t config_int(const struct config *c, const char *key) {
    const struct config_value *v = value_of(c, key);
    CHECK(v->setting->kind == CONFIG_INT || v->setting->kind == CONFIG_DURATION);
    CHECK(v->text.p);
    return v->number;
}

bool config_bool(const struct config *c, const char *key) {
    return value_of_kind(c, key, CONFIG_BOOL)->number != 0;
}

int32_t config_enum(const struct config *c, const char *key) {
    const struct config_value *v = value_of(c, key);
    CHECK(v->setting->kind == CONFIG_ENUM || v->setting->kind == CONFIG_URL);
    CHECK(v->text.p);
    return (int32_t)v->number;
}

uint32_t config_list(const struct config *c, const char *key) {
    return (uint32_t)value_of_kind(c, key, CONFIG_LIST)->number;
}

const char *config_host(const struct config *c, const char *key) {
    return value_of_kind(c, key, CONFIG_ADDRESS)->host.p;
}

int config_port(const struct config *c, const char *key) {
    return (int)value_of_kind(c, key, CONFIG_ADDRESS)->number;
}

bool config_is_given(const struct config *c, const char *key) {
    return value_of(c, key)->source != CONFIG_DEFAULT;
}

void config_refuse(struct config *c, const char *key, const char *format, ...) {
    const struct config_value *v = value_of(c, key);
    va_list args;
    va_start(args, format);
    struct str why = arena_vprintf(&c->arena, format, args);
    va_end(args);
    struct str text =
        v->setting->secret ? STR("its value") : shown(config_masked(v->text, &c->arena), &c->arena);
    struct loader l = {.c = c, .a = &c->arena};
    problem(&l, "%s: %.*s (%.*s) is not right; it %.*s", key, STR_ARG(text), STR_ARG(v->origin),
            STR_ARG(why));
}

/* ---- commands ---- */

/* How many of the first words of ARGV the command's name takes, 0 when it is another one. */
static int words_of(const char *name, int argc, char *const argv[]) {
    struct str rest = str_from(name);
    int used = 0;
    while (rest.len > 0) {
        const char *space = memchr(rest.p, ' ', rest.len);
        size_t len = space ? (size_t)(space - rest.p) : rest.len;
        if (used >= argc || !str_is(str_sub(rest, 0, len), argv[used]))
            return 0;
        used++;
        rest = str_sub(rest, space ? len + 1 : len, rest.len);
    }
    return used;
}

const struct config_command *config_command_find(const struct config_program *program, int argc,
                                                 char *const argv[], int *ret_used) {
    const struct config_command *best = NULL;
    int best_used = 0;
    for (const struct config_command *command = program->commands; command->name; command++) {
        int used = words_of(command->name, argc, argv);
        if (used > best_used) {
            best = command;
            best_used = used;
        }
    }
    if (best)
        *ret_used = best_used;
    return best;
}

const char *config_command_near(const struct config_program *program, struct str word) {
    struct str best = STR_NONE;
    int32_t distance = INT32_MAX;
    for (const struct config_command *command = program->commands; command->name; command++)
        keep_nearer(word, str_from(command->name), &best, &distance);
    return best.p;
}
