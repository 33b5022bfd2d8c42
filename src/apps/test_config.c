/* Configuration: precedence, kinds, refusals, files, secrets, and what people are shown. */
#include "apps/config.h"
#include "apps/settings.h"

#include "base/check.h"
#include "base/err.h"
#include "base/rng.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>
// cmocka wants the four above it
#include <cmocka.h>

#define WORDS_MAX 64

/* ---- a small program of two commands ---- */

static bool is_code(struct str s) {
    return s.len == 3;
}
static const char *const shops[] = {"none", "http", "https", NULL};
static const char *const colours[] = {"red", "green", "blue", NULL};
static const struct config_setting paint_settings[] = {
    {.key = "listen", .kind = CONFIG_ADDRESS, .fallback = "127.0.0.1:8080", .help = "Where"},
    {.key = "pots_max", .kind = CONFIG_INT, .fallback = "4", .min = 1, .max = 10, .help = "Pots"},
    {.key = "any_number", .kind = CONFIG_INT, .help = "Any"},
    {.key = "dry_s", .kind = CONFIG_DURATION, .fallback = "90", .max = 864000, .help = "Drying"},
    {.key = "gloss", .kind = CONFIG_BOOL, .fallback = "false", .help = "Shine"},
    {.key = "stir", .kind = CONFIG_BOOL, .fallback = "true", .help = "Stir it"},
    {.key = "colour", .kind = CONFIG_ENUM, .fallback = "red", .names = colours, .help = "Colour"},
    {.key = "shelf", .kind = CONFIG_PATH, .help = "Where the pots stand"},
    {.key = "maker", .kind = CONFIG_STRING, .fallback = "Bo", .help = "Who made it"},
    {.key = "code",
     .kind = CONFIG_STRING,
     .valid = is_code,
     .expects = "three letters",
     .help = "Its code"},
    {.key = "password", .kind = CONFIG_STRING, .secret = true, .help = "The secret"},
    {.key = "rooms",
     .kind = CONFIG_LIST,
     .fallback = "red,blue",
     .names = colours,
     .help = "Where"},
    {.key = "shop", .kind = CONFIG_URL, .fallback = "none", .names = shops, .help = "From where"},
};
static const struct config_table paint_table = {"Paint", paint_settings, COUNT_OF(paint_settings)};
static const struct config_table *const paint_tables[] = {&paint_table, NULL};
static const struct config_setting wash_settings[] = {
    {.key = "soap_g", .kind = CONFIG_INT, .fallback = "5", .help = "Soap"},
};
static const struct config_table wash_table = {"Wash", wash_settings, COUNT_OF(wash_settings)};
static const struct config_table *const wash_tables[] = {&wash_table, NULL};
static const struct config_command commands[] = {
    {.name = "paint", .summary = "paints", .tables = paint_tables},
    {.name = "wash", .summary = "washes", .tables = wash_tables},
    {.name = "user", .summary = "tells of users"},
    {.name = "user add", .summary = "adds one", .arguments = "NAME", .arguments_max = 2},
    {.name = NULL},
};
static const struct config_program program = {"lorry", "tests", commands};
enum { PAINT, WASH, USER, USER_ADD };

/* ---- helpers ---- */

struct fixture {
    char dir[64];
    char file[96], secret[96];
    struct config c;
    struct buf out;
};

static int setup(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    snprintf(f->dir, sizeof f->dir, "/tmp/lorry-config-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    snprintf(f->file, sizeof f->file, "%s/lorry.conf", f->dir);
    snprintf(f->secret, sizeof f->secret, "%s/secret", f->dir);
    buf_init(&f->out, NULL, 256);
    *state = f;
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    unlink(f->file);
    unlink(f->secret);
    rmdir(f->dir);
    config_free(&f->c);
    buf_free(&f->out);
    free(f);
    return 0;
}

static void write_file(const char *path, const char *bytes, size_t len) {
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

/* Splits LINE at '|' into words that live in COPY. */
static int split(const char *line, char *copy, size_t size, char *words[WORDS_MAX]) {
    int count = 0;
    snprintf(copy, size, "%s", line);
    for (char *word = copy; line[0] && word; count++) {
        char *bar = strchr(word, '|');
        if (bar)
            *bar = '\0';
        words[count] = word;
        word = bar ? bar + 1 : NULL;
    }
    words[count] = NULL;
    return count;
}

/* Loads COMMAND from flags and environment, both words parted by '|', and a file's text (NULL:
 * none). */
static int load_command(struct fixture *f, int command, const char *flags, const char *env,
                        const char *file) {
    char flag_bytes[1024], env_bytes[1024], config_var[128];
    char *argv[WORDS_MAX], *envp[WORDS_MAX];
    int argc = split(flags, flag_bytes, sizeof flag_bytes, argv);
    int envc = split(env, env_bytes, sizeof env_bytes, envp);
    if (file) {
        write_file(f->file, file, strlen(file));
        snprintf(config_var, sizeof config_var, "LORRY_CONFIG=%s", f->file);
        envp[envc++] = config_var;
        envp[envc] = NULL;
    }
    config_free(&f->c);
    return config_load(&f->c, &program, &commands[command], argc, argv, envp);
}

static int load(struct fixture *f, const char *flags, const char *env, const char *file) {
    return load_command(f, PAINT, flags, env, file);
}

static const char *written(struct fixture *f, void (*write)(const struct config *, struct buf *)) {
    f->out.len = 0;
    write(&f->c, &f->out);
    buf_add_char(&f->out, '\0');
    return f->out.p;
}

static void assert_has(const char *text, const char *part) {
    if (!strstr(text, part))
        fail_msg("wanted \"%s\" in:\n%s", part, text);
}

static void assert_text(const struct config *c, const char *key, const char *text) {
    const char *got = config_cstr(c, key);
    if (!got || !text ? got != text : strcmp(got, text) != 0)
        fail_msg("%s is %s, wanted %s", key, got ? got : "absent", text ? text : "absent");
}

/* ---- precedence and origins ---- */

static void test_precedence(void **state) {
    struct fixture *f = *state;
    assert_int_equal(load(f, "", "", NULL), 0);
    assert_text(&f->c, "maker", "Bo");
    assert_text(&f->c, "shelf", NULL);
    assert_false(config_is_given(&f->c, "maker"));
    assert_has(written(f, config_write_table), "maker       Bo");

    assert_int_equal(load(f, "", "", "maker = file\n"), 0);
    assert_text(&f->c, "maker", "file");
    assert_has(written(f, config_write_table), "lorry.conf:1");

    assert_int_equal(load(f, "", "LORRY_MAKER=env", "# a\nmaker = file\n"), 0);
    assert_text(&f->c, "maker", "env");
    assert_has(written(f, config_write_table), "environment LORRY_MAKER");

    assert_int_equal(load(f, "--maker|flag", "LORRY_MAKER=env", "maker = file\n"), 0);
    assert_text(&f->c, "maker", "flag");
    assert_has(written(f, config_write_table), "flag --maker");
    assert_true(config_is_given(&f->c, "maker"));

    /* an empty variable is not set; a later flag counts; --config beats LORRY_CONFIG */
    assert_int_equal(load(f, "", "LORRY_MAKER=", "maker = file\n"), 0);
    assert_text(&f->c, "maker", "file");
    assert_int_equal(load(f, "--maker|one|--maker=two", "", NULL), 0);
    assert_text(&f->c, "maker", "two");
    char flags[128];
    snprintf(flags, sizeof flags, "--config|%s", f->file);
    write_file(f->file, "maker=flagged", 13);
    assert_int_equal(load(f, flags, "LORRY_CONFIG=/nowhere/at/all", NULL), 0);
    assert_text(&f->c, "maker", "flagged");
    assert_string_equal(f->c.file.p, f->file);
}

/* Against a twin that asks the sources one by one, in the order of the documentation. */
static void test_precedence_twin(void **state) {
    struct fixture *f = *state;
    static const char *const keys[] = {"maker", "shelf", "pots_max", "dry_s"};
    for (uint64_t seed = 1; seed <= 400; seed++) {
        struct rng rng;
        rng_seed(&rng, seed);
        char flags[512] = "", env[512] = "", file[512] = "", value[16];
        char expected[COUNT_OF(keys)][16] = {"Bo", "", "4", "90"};
        const char *const sources[] = {"file", "env", "flag"};
        for (size_t source = 0; source < COUNT_OF(sources); source++) {
            for (size_t k = 0; k < COUNT_OF(keys); k++) {
                if (rng_below(&rng, 2))
                    continue;
                snprintf(value, sizeof value, "%d", 1 + (int)rng_below(&rng, 10));
                memcpy(expected[k], value, sizeof value);
                char *into = source == 0 ? file : source == 1 ? env : flags;
                size_t len = strlen(into);
                struct str flag = config_flag_name(keys[k], false, &f->c.arena);
                struct str var = config_env_name(keys[k], false, &f->c.arena);
                if (source == 0)
                    snprintf(into + len, 512 - len, "%s = %s\n", keys[k], value);
                else if (source == 1)
                    snprintf(into + len, 512 - len, "%s%s=%s", len ? "|" : "", var.p, value);
                else
                    snprintf(into + len, 512 - len, "%s%s|%s", len ? "|" : "", flag.p, value);
            }
        }
        assert_int_equal(load(f, flags, env, file), 0);
        for (size_t k = 0; k < COUNT_OF(keys); k++)
            assert_text(&f->c, keys[k], expected[k][0] ? expected[k] : NULL);
    }
}

/* ---- kinds ---- */

static void test_kinds(void **state) {
    struct fixture *f = *state;
    static const struct {
        const char *key, *text, *normal; /* normal NULL: refused */
    } cases[] = {
        {"listen", "127.0.0.1:0", "127.0.0.1:0"},
        {"listen", "localhost:80", "127.0.0.1:80"},
        {"listen", "[::1]:8080", "[::1]:8080"},
        {"listen", "0.0.0.0:65535", "0.0.0.0:65535"},
        {"listen", "127.0.0.1:65536", NULL},
        {"listen", "127.0.0.1:-1", NULL},
        {"listen", "127.0.0.1:", NULL},
        {"listen", "127.0.0.1", NULL},
        {"listen", ":8080", NULL},
        {"listen", "8080", NULL},
        {"listen", "::1:8080", NULL},
        {"listen", "[::1:8080", NULL},
        {"listen", "[]:8080", NULL},
        {"listen", "[:80", NULL},
        {"listen", "example.com:80", NULL},
        {"listen", "127.0.0.1:80a", NULL},
        {"listen", "127.0.0.1.5:80", NULL},
        {"pots_max", "1", "1"},
        {"pots_max", "10", "10"},
        {"pots_max", "010", "10"},
        {"pots_max", "0", NULL},
        {"pots_max", "11", NULL},
        {"pots_max", "-1", NULL},
        {"pots_max", "4.0", NULL},
        {"pots_max", "4x", NULL},
        {"pots_max", " 4", NULL},
        {"pots_max", "99999999999999999999", NULL},
        {"any_number", "-9223372036854775808", "-9223372036854775808"},
        {"any_number", "9223372036854775807", "9223372036854775807"},
        {"any_number", "9223372036854775808", NULL},
        {"dry_s", "0", "0"},
        {"dry_s", "90", "90"},
        {"dry_s", "90s", "90"},
        {"dry_s", "15m", "900"},
        {"dry_s", "24h", "86400"},
        {"dry_s", "10d", "864000"},
        {"dry_s", "11d", NULL},
        {"dry_s", "d", NULL},
        {"dry_s", "1w", NULL},
        {"dry_s", "1hm", NULL},
        {"dry_s", "-1m", NULL},
        {"dry_s", "9223372036854775807d", NULL},
        {"gloss", "yes", "true"},
        {"gloss", "on", "true"},
        {"gloss", "1", "true"},
        {"gloss", "off", "false"},
        {"gloss", "no", "false"},
        {"gloss", "TRUE", NULL},
        {"gloss", "2", NULL},
        {"colour", "blue", "blue"},
        {"colour", "Blue", NULL},
        {"colour", "blu", NULL},
        {"shelf", "a b/ö", "a b/ö"},
        {"maker", "Åke & Co", "Åke & Co"},
        {"maker", "a\tb", NULL},
        {"maker", "a\x7f", NULL},
        {"maker", "\xff\xfe", NULL},
        {"code", "abc", "abc"},
        {"code", "abcd", NULL},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct str flag = config_flag_name(cases[i].key, false, &f->c.arena);
        char flags[256];
        snprintf(flags, sizeof flags, "%s=%s", flag.p, cases[i].text);
        int rc = load(f, flags, "", NULL);
        if (cases[i].normal) {
            if (rc)
                fail_msg("%s was refused: %s", flags, written(f, config_write_problems));
            assert_text(&f->c, cases[i].key, cases[i].normal);
        } else {
            if (rc != ERR_INVALID)
                fail_msg("%s was taken", flags);
            assert_int_equal(f->c.problems.count, 1);
        }
    }
}

static void test_getters(void **state) {
    struct fixture *f = *state;
    assert_int_equal(load(f, "--listen|[::1]:81|--dry-s|2m|--colour|blue|--pots-max=7", "", NULL),
                     0);
    assert_string_equal(config_host(&f->c, "listen"), "::1");
    assert_int_equal(config_port(&f->c, "listen"), 81);
    assert_int_equal(config_int(&f->c, "dry_s"), 120);
    assert_int_equal(config_int(&f->c, "pots_max"), 7);
    assert_int_equal(config_enum(&f->c, "colour"), 2);
    assert_false(config_bool(&f->c, "gloss"));
    assert_true(config_bool(&f->c, "stir"));
    assert_null(config_text(&f->c, "shelf").p);
}

/* ---- the command line ---- */

static void test_flags(void **state) {
    struct fixture *f = *state;
    assert_int_equal(load(f, "--gloss|--no-stir", "", NULL), 0);
    assert_true(config_bool(&f->c, "gloss"));
    assert_false(config_bool(&f->c, "stir"));
    assert_int_equal(load(f, "--gloss=off|--maker=a=b", "LORRY_GLOSS=on", NULL), 0);
    assert_false(config_bool(&f->c, "gloss"));
    assert_text(&f->c, "maker", "a=b");
    assert_int_equal(load(f, "--any-number|-5", "", NULL), 0);
    assert_int_equal(config_int(&f->c, "any_number"), -5);

    assert_int_equal(load(f, "--maker|--help", "", NULL), 0);
    assert_true(f->c.help);
    assert_int_equal(load(f, "--nonsense|-h", "", NULL), 0);
    assert_true(f->c.help);

    assert_int_equal(load_command(f, USER_ADD, "Ada|-|--", "", NULL), 0);
    assert_int_equal(f->c.argument_count, 2);
    assert_string_equal(f->c.arguments[0].p, "Ada");
    assert_string_equal(f->c.arguments[1].p, "-");
    assert_int_equal(load_command(f, USER_ADD, "--|--help", "", NULL), 0);
    assert_false(f->c.help);
    assert_string_equal(f->c.arguments[0].p, "--help");
}

static void test_flag_refusals(void **state) {
    struct fixture *f = *state;
    static const struct {
        const char *flags, *said;
    } cases[] = {
        {"--listne|x", "\"--listne\" is not a flag of \"lorry paint\"; did you mean --listen?"},
        {"--pots_max|3", "did you mean --pots-max?"},
        {"--confg|3", "did you mean --config?"},
        {"--no-maker", "\"--no-maker\" is not a flag of \"lorry paint\""},
        {"--no-gloss=yes", "\"--no-gloss\" is not a flag"},
        {"--xyzzy", "\"--xyzzy\" is not a flag of \"lorry paint\"\n"},
        {"--soap-g|3",
         "\"--soap-g\" is not a flag of \"lorry paint\"; it belongs to \"lorry wash\""},
        {"--=", "\"--\" is not a flag"},
        {"--maker", "--maker needs a value: a line of 1 to 1000 bytes"},
        {"--pots-max|--gloss", "--pots-max needs a value: a whole number from 1 to 10"},
        {"--config", "--config needs a value: a path"},
        {"--config=", "the configuration file \"\" (flag --config) cannot be read"},
        {"house", "\"house\" is one argument too many for \"lorry paint\""},
        {"-x", "(flags begin with two dashes)"},
        {"--password|hunter2",
         "--password would show the secret to every user of this machine; use "
         "--password-file FILE"},
        {"--colour|mauve",
         "colour: \"mauve\" (flag --colour) is not right; it must be one of red, green, blue"},
        {"--pots-max|0",
         "pots_max: \"0\" (flag --pots-max) is not right; it must be a whole number "
         "from 1 to 10"},
        {"--maker=", "maker: \"\" (flag --maker) is not right"},
        {"--code|abcd", "it must be three letters"},
        {"--listen|x", "such as 127.0.0.1:8080 or [::1]:8080"},
        {"--dry-s|x", "a time from 0 to 864000 seconds, such as 90, 90s, 15m, 24h or 30d"},
        {"--maker|a\x1b[31mb\nc", "maker: \"a?[31mb?c\" (flag --maker)"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(load(f, cases[i].flags, "", NULL), ERR_INVALID);
        const char *said = written(f, config_write_problems);
        assert_has(said, cases[i].said);
        assert_null(strstr(said, "hunter2"));
        assert_int_equal(f->c.problems.count, 1);
    }
}

/* All problems at once, whatever their source; only what takes effect is judged. */
static void test_all_problems(void **state) {
    struct fixture *f = *state;
    assert_int_equal(load(f, "--pots-max|99|--bogus", "LORRY_COLOUR=mauve|LORRY_DRY_S=soon",
                          "gloss = perhaps\nlisen = 1\nrubbish\n"),
                     ERR_INVALID);
    assert_int_equal(f->c.problems.count, 7);
    const char *said = written(f, config_write_problems);
    assert_has(said, "(flag --pots-max)");
    assert_has(said, "--bogus");
    assert_has(said, "\"mauve\" (environment LORRY_COLOUR)");
    assert_has(said, "\"soon\" (environment LORRY_DRY_S)");
    assert_has(said, "lorry.conf:1) is not right; it must be true or false");
    assert_has(said, "lorry.conf:2: \"lisen\" is not a setting; did you mean listen?");
    assert_has(said, "lorry.conf:3: this is not a line of the form key = value");
    assert_has(said, "\"lorry help paint\"");

    assert_int_equal(load(f, "--colour|green", "LORRY_COLOUR=mauve", "colour = puce\n"), 0);
    assert_text(&f->c, "colour", "green");

    char many[1024] = "--bogus";
    for (int i = 1; i < CONFIG_PROBLEMS_MAX + 3; i++)
        memcpy(many + strlen(many), "|--bogus", sizeof "|--bogus");
    assert_int_equal(load(f, many, "", NULL), ERR_INVALID);
    assert_int_equal(f->c.problems.count, CONFIG_PROBLEMS_MAX);
    assert_has(written(f, config_write_problems), "and 3 more");
}

/* ---- the environment ---- */

static void test_environment(void **state) {
    struct fixture *f = *state;
    assert_int_equal(load(f, "",
                          "PATH=/bin|LORRY_LISTN=x|LORRY_SOAP_G=many|LORRY_TEST_DB=1|"
                          "LORRY_DEPS=skip|LORRY_maker=x|LORRY_|LORRY_|nonsense",
                          NULL),
                     0);
    const char *said = written(f, config_write_warnings);
    assert_has(said, "warning: environment variable \"LORRY_LISTN\" is not a setting and has no "
                     "effect; did you mean LORRY_LISTEN?");
    assert_has(said, "\"LORRY_maker\"");
    assert_int_equal(f->c.warnings.count, 2);
    assert_text(&f->c, "maker", "Bo");
    /* what belongs to another command is that one's affair */
    assert_int_equal(load_command(f, WASH, "", "LORRY_SOAP_G=many", NULL), ERR_INVALID);
    assert_int_equal(load_command(f, WASH, "", "LORRY_POTS_MAX=many", "pots_max = many\n"), 0);
}

/* ---- files ---- */

static void test_file_syntax(void **state) {
    struct fixture *f = *state;
    assert_int_equal(load(f, "", "",
                          "# paint\r\n"
                          "\n"
                          "  maker=Bo # Berg\r\n"
                          "code = \"a#b\"   # quoted\n"
                          "\tshelf\t=\t\" two words \"\n"
                          "pots_max = 3\n"
                          "listen = 0.0.0.0:1#2\n"
                          "colour = blue"),
                     ERR_INVALID);
    assert_int_equal(f->c.problems.count, 1); /* "1#2": no space before it, so no comment */
    assert_text(&f->c, "maker", "Bo");
    assert_text(&f->c, "code", "a#b");
    assert_text(&f->c, "shelf", " two words ");
    assert_int_equal(config_int(&f->c, "pots_max"), 3);
    assert_text(&f->c, "colour", "blue");

    static const char *const bad[] = {
        "maker\n",   "= Bo\n",         "maker = \"Bo\n", "maker = \"Bo\" Berg\n",
        "maker =\n", "maker = # Bo\n", "Maker = Bo\n",   "maker = a\nmaker = a\n",
        "[server]\n"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        if (load(f, "", "", bad[i]) != ERR_INVALID)
            fail_msg("taken: %s", bad[i]);
        assert_has(written(f, config_write_problems), "lorry.conf:");
    }
    assert_int_equal(load(f, "", "", "maker = a\n\nmaker = b\n"), ERR_INVALID);
    const char *said = written(f, config_write_problems);
    assert_has(said, "maker is set twice: by ");
    assert_has(said, "lorry.conf:3");
}

static void test_file_faults(void **state) {
    struct fixture *f = *state;
    assert_int_equal(load(f, "--config|/nowhere/x.conf", "", NULL), ERR_INVALID);
    assert_has(written(f, config_write_problems), "No such file or directory");
    assert_int_equal(load(f, "--config|/tmp", "", NULL), ERR_INVALID);
    assert_has(written(f, config_write_problems), "directory");

    size_t size = CONFIG_FILE_BYTES_MAX;
    char *large = malloc(size + 1), flags[128];
    assert_non_null(large);
    memset(large, '\n', size + 1);
    snprintf(flags, sizeof flags, "--config|%s", f->file);
    write_file(f->file, large, size);
    assert_int_equal(load(f, flags, "", NULL), 0);
    write_file(f->file, large, size + 1);
    assert_int_equal(load(f, flags, "", NULL), ERR_INVALID);
    assert_has(written(f, config_write_problems), "too large");
    free(large);

    write_file(f->file, "maker = a\0b\n", 12);
    assert_int_equal(load(f, flags, "", NULL), ERR_INVALID);
}

/* ---- secrets ---- */

static void test_secrets(void **state) {
    struct fixture *f = *state;
    char flags[128], env[256], file[256];
    write_file(f->secret, "hunter2\n", 8);
    snprintf(flags, sizeof flags, "--password-file|%s", f->secret);
    assert_int_equal(load(f, flags, "LORRY_PASSWORD=weaker", NULL), 0);
    assert_text(&f->c, "password", "hunter2");
    assert_has(written(f, config_write_table), "(hidden)        flag --password-file");
    assert_null(strstr(written(f, config_write_table), "hunter2"));
    assert_null(strstr(written(f, config_write_json), "hunter2"));

    snprintf(env, sizeof env, "LORRY_PASSWORD_FILE=%s", f->secret);
    assert_int_equal(load(f, "", env, NULL), 0);
    assert_text(&f->c, "password", "hunter2");
    snprintf(file, sizeof file, "password_file = %s\n", f->secret);
    assert_int_equal(load(f, "", "", file), 0);
    assert_text(&f->c, "password", "hunter2");
    assert_int_equal(load(f, "", "LORRY_PASSWORD=plain", NULL), 0);
    assert_text(&f->c, "password", "plain");

    snprintf(env, sizeof env, "LORRY_PASSWORD=hunter3|LORRY_PASSWORD_FILE=%s", f->secret);
    assert_int_equal(load(f, "", env, NULL), ERR_INVALID);
    assert_has(written(f, config_write_problems), "password is set twice");
    assert_null(strstr(written(f, config_write_problems), "hunter3"));

    write_file(f->secret, "hun\tter\n", 8);
    assert_int_equal(load(f, flags, "", NULL), ERR_INVALID);
    assert_has(written(f, config_write_problems), "password: its value (flag --password-file)");
    assert_null(strstr(written(f, config_write_problems), "hun"));
    unlink(f->secret);
    assert_int_equal(load(f, flags, "", NULL), ERR_INVALID);
    assert_has(written(f, config_write_problems), "password: its file \"");
    /* only a secret has a file */
    assert_int_equal(load(f, "--maker-file|x", "", NULL), ERR_INVALID);
    assert_int_equal(load(f, "--passwordfile|x", "", NULL), ERR_INVALID);
    assert_has(written(f, config_write_problems), "did you mean --password-file?");
}

static void test_lists(void **state) {
    struct fixture *f = *state;
    assert_int_equal(load(f, "", "", NULL), 0);
    assert_int_equal(config_list(&f->c, "rooms"), 5);
    assert_int_equal(load(f, "--rooms|blue|--rooms=green,blue", "LORRY_ROOMS=red", NULL), 0);
    assert_int_equal(config_list(&f->c, "rooms"), 6);
    assert_text(&f->c, "rooms", "green,blue");
    static const char *const wrong[] = {"--rooms=", "--rooms=red,", "--rooms=,", "--rooms=mauve"};
    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        assert_int_equal(load(f, wrong[i], "", NULL), ERR_INVALID);
    assert_has(written(f, config_write_problems), "some of red, green, blue, with commas between");
}

/* A password in a URL is nowhere to be seen, and is not taken from a command line. */
static void test_urls(void **state) {
    struct fixture *f = *state;
    static const struct {
        const char *url, *shown;
    } urls[] = {
        {"http://bo:hunter2@shop/x?y=1", "http://bo:***@shop/x?y=1"},
        {"https://:hunter2@a:1,b:2/x", "https://:***@a:1,b:2/x"},
        {"http://bo:hun@ter2/?@shop", "http://bo:***@shop"},
        {"http://shop/x?a=b&password=hunter2&c=d", "http://shop/x?a=b&password=***&c=d"},
        {"http://bo:hunter2@shop/?password=hunter2", "http://bo:***@shop/?password=***"},
    };
    char flags[160], env[256];
    for (size_t i = 0; i < COUNT_OF(urls); i++) {
        write_file(f->secret, urls[i].url, strlen(urls[i].url));
        snprintf(flags, sizeof flags, "--shop-file|%s", f->secret);
        assert_int_equal(load(f, flags, "", NULL), 0);
        assert_text(&f->c, "shop", urls[i].url);
        snprintf(env, sizeof env, "LORRY_SHOP=%s", urls[i].url);
        assert_int_equal(load(f, "", env, NULL), 0);
        assert_has(written(f, config_write_table), urls[i].shown);
        assert_null(strstr(written(f, config_write_table), "hunter2"));
        assert_null(strstr(written(f, config_write_json), "hunter2"));
        config_refuse(&f->c, "shop", "is shut");
        assert_has(written(f, config_write_problems), "is shut");
        assert_null(strstr(written(f, config_write_problems), "hunter2"));
        snprintf(flags, sizeof flags, "--shop|%s", urls[i].url);
        assert_int_equal(load(f, flags, "", NULL), ERR_INVALID);
        assert_has(written(f, config_write_problems), "would show the password");
        assert_null(strstr(written(f, config_write_problems), "hunter2"));
    }
    assert_int_equal(load(f, "--shop|http://bo@shop:1/x:y@z", "", NULL), ERR_INVALID);
    assert_int_equal(load(f, "--shop|https://bo@shop", "", NULL), 0);
    assert_int_equal(config_enum(&f->c, "shop"), 2);
    assert_int_equal(load(f, "", "", NULL), 0);
    assert_int_equal(config_enum(&f->c, "shop"), 0);
    static const char *const wrong[] = {"--shop=none://x", "--shop=http", "--shop=http://",
                                        "--shop=ftp://x", "--shop="};
    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        assert_int_equal(load(f, wrong[i], "", NULL), ERR_INVALID);
    assert_has(written(f, config_write_problems),
               "none, or a URL that begins with one of http, https");
}

/* ---- what people are shown ---- */

static void test_json(void **state) {
    struct fixture *f = *state;
    assert_int_equal(load(f, "--gloss", "LORRY_POTS_MAX=7", "password = p\n"), 0);
    json_t *root = json_loads(written(f, config_write_json), JSON_DISABLE_EOF_CHECK, NULL);
    assert_non_null(root);
    assert_string_equal(json_string_value(json_object_get(root, "file")), f->file);
    json_t *settings = json_object_get(root, "settings"), *setting;
    size_t i;
    int seen = 0;
    json_array_foreach(settings, i, setting) {
        const char *key = json_string_value(json_object_get(setting, "key"));
        const char *source = json_string_value(json_object_get(setting, "source"));
        json_t *value = json_object_get(setting, "value");
        if (strcmp(key, "gloss") == 0) {
            seen += json_is_true(value) && strcmp(source, "flag") == 0;
        } else if (strcmp(key, "pots_max") == 0) {
            seen += json_integer_value(value) == 7 && strcmp(source, "environment") == 0;
        } else if (strcmp(key, "password") == 0) {
            seen += json_is_null(value) && strcmp(source, "file") == 0 &&
                    json_is_true(json_object_get(setting, "hidden"));
        } else if (strcmp(key, "shelf") == 0) {
            seen += json_is_null(value) && strcmp(source, "default") == 0;
        }
    }
    assert_int_equal(seen, 4);
    assert_int_equal(json_array_size(settings), COUNT_OF(paint_settings));
    json_decref(root);
}

static void test_commands(void **state) {
    (void)state;
    char *add[] = {"user", "add", "x", NULL}, *list[] = {"user", "lisst", NULL};
    char *none[] = {"pant", NULL};
    int used = 0;
    assert_ptr_equal(config_command_find(&program, 3, add, &used), &commands[USER_ADD]);
    assert_int_equal(used, 2);
    assert_ptr_equal(config_command_find(&program, 1, add, &used), &commands[USER]);
    assert_ptr_equal(config_command_find(&program, 2, list, &used), &commands[USER]);
    assert_int_equal(used, 1);
    assert_null(config_command_find(&program, 1, none, &used));
    assert_null(config_command_find(&program, 0, none, &used));
    assert_string_equal(config_command_near(&program, STR("pant")), "paint");
    assert_null(config_command_near(&program, STR("zebra")));
}

/* The settings of the real program: defaults that hold, names that cannot be mistaken, and a help
 * that names them all within the width of the page. */
static void test_settings_of_serve(void **state) {
    struct fixture *f = *state;
    static const struct config_command serve[] = {
        {.name = "serve", .summary = "serves", .tables = settings_of_config}, {.name = NULL}};
    static const struct config_program real = {"lorry", "x", serve};
    char *no_words[] = {NULL};
    assert_int_equal(config_load(&f->c, &real, &serve[0], 0, no_words, no_words), 0);
    assert_int_equal(settings_check(&f->c), 0);
    config_free(&f->c);
    static char *const folder[] = {"LORRY_MAIL=file:mail", NULL};
    static char *const nothing[] = {"LORRY_MAIL=file:", NULL};
    assert_int_equal(config_load(&f->c, &real, &serve[0], 0, no_words, nothing), ERR_INVALID);
    config_free(&f->c);
    assert_int_equal(config_load(&f->c, &real, &serve[0], 0, no_words, folder), 0);
    assert_int_equal(config_enum(&f->c, "mail"), MAIL_BY_FILE);
    config_free(&f->c);
    assert_int_equal(config_load(&f->c, &real, &serve[0], 0, no_words, no_words), 0);
    int32_t known = 0;
    for (const struct config_table *const *t = settings_of_config; *t != NULL; t++)
        known += (*t)->count;
    assert_int_equal(f->c.count, known);
    assert_true(known > 30);

    f->out.len = 0;
    config_write_command_help(&real, &serve[0], &f->out);
    buf_add_char(&f->out, '\0');
    for (int32_t i = 0; i < f->c.count; i++) {
        const char *key = f->c.values[i].setting->key;
        assert_has(f->out.p, config_flag_name(key, false, &f->c.arena).p);
        assert_int_equal(strspn(key, "abcdefghijklmnopqrstuvwxyz_0123456789"), strlen(key));
        assert_false(str_starts(str_from(key), "no_") || str_ends(str_from(key), "_file"));
        assert_string_not_equal(key, "config");
        assert_string_not_equal(key, "help");
        for (int32_t j = 0; j < i; j++)
            assert_string_not_equal(key, f->c.values[j].setting->key);
    }
    for (const char *line = f->out.p; *line;) {
        size_t len = strcspn(line, "\n");
        assert_in_range(len, 0, 102); /* "…" counts three */
        line += len + (line[len] == '\n');
    }
}

static void test_settings_check(void **state) {
    struct fixture *f = *state;
    static const struct config_command serve[] = {
        {.name = "serve", .summary = "serves", .tables = settings_of_serve}, {.name = NULL}};
    static const struct config_program real = {"lorry", "x", serve};
    static const struct {
        const char *flags, *said;
    } cases[] = {
        {"--search-radius-max-m|2999", "search_radius_max_m: \"2999\" (flag --search-radius-max-m) "
                                       "is not right; it must not be below search_radius_m"},
        {"--access-ttl-s|1d|--refresh-ttl-s|24h", "must be more than access_ttl_s, which is 86400"},
        {"--offer-timeout-s|4m", "search_timeout_s: \"180\" (default)"},
        {"--issuer|a b", "without spaces"},
        {"--store|mysql://x", "it must be sqlite, or a URL that begins with one of postgres, "},
        {"--store|postgres://u:p@x", "would show the password"},
        {"--store-read|postgres://x", "store_read: \"postgres://x\" (flag --store-read) is not "
                                      "right; it needs a PostgreSQL store"},
        {"--bus|amqp://x|--cache|redis://x", "needs a store that processes can share"},
        {"--bus|amqp://x|--store|postgres://x", "needs --cache redis://"},
        {"--cache|redis://x", "which need --bus amqp://"},
        {"--service|auth", "must be all of them where there is no --bus"},
        {"--bus|amqp://x|--store|postgres://x|--cache|redis://x|--service|auth|--demo",
         "demo: \"true\" (flag --demo) is not right; it needs all services"},
        {"--offer-wave|11", "from 1 to 10"},
        {"--trusted-proxies|10.0.0.1/8", "addresses and networks with commas between"},
        {"--trusted-proxies|", "addresses and networks with commas between"},
        {"--fixes-per-hour-max|999", "must be 0 or have room for one batch, which is 1000"},
        {"--driver-approval|always", "one of manual, auto"},
    };
    char *no_env[] = {NULL}, bytes[256], *argv[WORDS_MAX];
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int argc = split(cases[i].flags, bytes, sizeof bytes, argv);
        config_free(&f->c);
        int rc = config_load(&f->c, &real, &serve[0], argc, argv, no_env);
        assert_int_equal(rc < 0 ? rc : settings_check(&f->c), ERR_INVALID);
        assert_has(written(f, config_write_problems), cases[i].said);
    }
}

/* ---- twins and hostile input ---- */

static int32_t distance_slowly(struct str a, struct str b) {
    if (a.len == 0 || b.len == 0)
        return (int32_t)(a.len + b.len);
    struct str a1 = str_sub(a, 1, a.len), b1 = str_sub(b, 1, b.len);
    int32_t best = distance_slowly(a1, b1) + (a.p[0] != b.p[0]);
    int32_t drop = distance_slowly(a1, b) + 1, add = distance_slowly(a, b1) + 1;
    best = drop < best ? drop : best;
    best = add < best ? add : best;
    if (a.len > 1 && b.len > 1 && a.p[0] == b.p[1] && a.p[1] == b.p[0]) {
        int32_t swap = distance_slowly(str_sub(a, 2, a.len), str_sub(b, 2, b.len)) + 1;
        best = swap < best ? swap : best;
    }
    return best;
}

static void test_distance_twin(void **state) {
    (void)state;
    struct rng rng;
    rng_seed(&rng, 20261123);
    for (int round = 0; round < 3000; round++) {
        char a[6], b[6];
        struct str sa = {a, rng_below(&rng, 6)}, sb = {b, rng_below(&rng, 6)};
        for (size_t i = 0; i < sizeof a; i++) {
            a[i] = (char)('a' + rng_below(&rng, 3));
            b[i] = (char)('a' + rng_below(&rng, 3));
        }
        assert_int_equal(config_distance(sa, sb), distance_slowly(sa, sb));
    }
    assert_int_equal(
        config_distance(STR("0123456789012345678901234567890123456789012345678"), STR("x")), 99);
}

/* Bytes from a seed, biased to what the syntax knows. */
static void random_text(struct rng *rng, char *text, size_t size, bool zero_bytes) {
    static const char *const pieces[] = {
        "maker", "pots_max", "password", "listen", "--",     "no-",    "=",    "\"",
        "#",     "\n",       " ",        "[::1]:", "LORRY_", "config", "file", "_",
        "9",     "d",        "\xc3\xa5", "\x80",   "\x1b",   "-h",     "/",    "|"};
    size_t len = 0;
    for (uint64_t n = rng_below(rng, 12); n > 0 && len + 10 < size; n--) {
        if (rng_below(rng, 8) == 0) {
            text[len++] = (char)(zero_bytes ? rng_below(rng, 256) : 1 + rng_below(rng, 255));
        } else {
            const char *piece = pieces[rng_below(rng, COUNT_OF(pieces))];
            memcpy(text + len, piece, strlen(piece));
            len += strlen(piece);
        }
    }
    text[len] = '\0';
}

static void test_hostile_twin(void **state) {
    struct fixture *f = *state;
    for (uint64_t seed = 1; seed <= 3000; seed++) {
        struct rng rng;
        rng_seed(&rng, seed);
        char words[6][160], *argv[4] = {words[0], words[1], words[2], NULL};
        char *envp[3] = {words[3], words[4], NULL};
        for (size_t i = 0; i < COUNT_OF(words); i++)
            random_text(&rng, words[i], sizeof words[i], false);
        char file[160];
        random_text(&rng, file, sizeof file, true);
        write_file(f->file, file, sizeof file);
        if (rng_below(&rng, 2))
            snprintf(words[3], sizeof words[3], "LORRY_CONFIG=%s", f->file);
        config_free(&f->c);
        int rc = config_load(&f->c, &program, &commands[PAINT], 3, argv, envp);
        assert_true(f->c.help || (rc == 0) == (f->c.problems.count == 0));
        const struct config_messages *both[] = {&f->c.problems, &f->c.warnings};
        for (size_t m = 0; m < COUNT_OF(both); m++) {
            for (int32_t i = 0; i < both[m]->count; i++) {
                size_t chars;
                struct str text = both[m]->items[i];
                assert_true(str_is_utf8(text, &chars));
                for (size_t at = 0; at < text.len; at++)
                    assert_true((unsigned char)text.p[at] >= 0x20);
            }
        }
        if (rc == 0 && !f->c.help)
            assert_in_range(config_int(&f->c, "pots_max"), 1, 10);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_precedence, setup, teardown),
        cmocka_unit_test_setup_teardown(test_precedence_twin, setup, teardown),
        cmocka_unit_test_setup_teardown(test_kinds, setup, teardown),
        cmocka_unit_test_setup_teardown(test_getters, setup, teardown),
        cmocka_unit_test_setup_teardown(test_flags, setup, teardown),
        cmocka_unit_test_setup_teardown(test_flag_refusals, setup, teardown),
        cmocka_unit_test_setup_teardown(test_all_problems, setup, teardown),
        cmocka_unit_test_setup_teardown(test_environment, setup, teardown),
        cmocka_unit_test_setup_teardown(test_file_syntax, setup, teardown),
        cmocka_unit_test_setup_teardown(test_file_faults, setup, teardown),
        cmocka_unit_test_setup_teardown(test_secrets, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lists, setup, teardown),
        cmocka_unit_test_setup_teardown(test_urls, setup, teardown),
        cmocka_unit_test_setup_teardown(test_json, setup, teardown),
        cmocka_unit_test(test_commands),
        cmocka_unit_test_setup_teardown(test_settings_of_serve, setup, teardown),
        cmocka_unit_test_setup_teardown(test_settings_check, setup, teardown),
        cmocka_unit_test(test_distance_twin),
        cmocka_unit_test_setup_teardown(test_hostile_twin, setup, teardown),
    };
    return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
