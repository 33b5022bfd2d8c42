/* Configuration. One const table says everything there is to say about a setting, and from that
 * table come its flag, its environment variable, its key in the configuration file, its line in the
 * help, and what a wrong value is told:
 *
 *   flag (--offer-timeout-s 30) > environment (LORRY_OFFER_TIMEOUT_S=30)
 *     > file (offer_timeout_s = 30; --config FILE or LORRY_CONFIG) > default
 *
 * Each command has its own tables (`lorry serve`, `lorry simulate`); one file and one environment
 * serve them all, so a key that belongs to another command is passed over there, while a flag of
 * another command is refused. Every problem is gathered and told at once, with key, value, origin
 * and what would be right. An empty environment variable counts as not set.
 *
 * Secrets never stand on a command line, where every user of the machine can read them: a secret
 * setting "password" has the flag --password-file, the variables LORRY_PASSWORD and
 * LORRY_PASSWORD_FILE, and the file keys password and password_file. A URL may hold a password, so
 * it has a file, too; with a password in it it is refused on a command line, and what is printed of
 * it has none.
 *
 * Everything that loading makes lives in the config's own arena. One owner; after loading it is
 * read-only and any thread may read it.
 */
#ifndef LORRY_APPS_CONFIG_H
#define LORRY_APPS_CONFIG_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

#define CONFIG_SETTINGS_MAX 192 /* of one command */
#define CONFIG_ARGUMENTS_MAX 16
#define CONFIG_PROBLEMS_MAX 32
#define CONFIG_FILE_BYTES_MAX ((size_t)256 << 10)
#define CONFIG_SECRET_BYTES_MAX ((size_t)4 << 10)
#define CONFIG_VALUE_BYTES_MAX 4096

enum config_kind {
    CONFIG_STRING,   /* one line; min/max: bytes, both 0 for 1..1000 */
    CONFIG_PATH,     /* as given: relative to the working directory */
    CONFIG_INT,      /* min/max, both 0 for any */
    CONFIG_DURATION, /* whole seconds: 90, 90s, 15m, 24h, 30d; min/max in seconds */
    CONFIG_BOOL,     /* true/false, yes/no, on/off, 1/0; as a flag --demo, --no-demo, --demo=yes */
    CONFIG_ENUM,     /* one of names */
    CONFIG_LIST,     /* some of names, with commas between; as a flag also given again and again */
    CONFIG_URL,    /* one of names with "://…" behind it; that of the default alone, as a word */
    CONFIG_ADDRESS /* 127.0.0.1:8080, [::1]:8080, localhost:8080; port 0 is any free one */
};

struct config_setting {
    const char *key;  /* "offer_timeout_s"; the unit is in the name */
    const char *help; /* one line, no full stop at its end */
    enum config_kind kind;
    bool secret;
    const char *fallback;    /* the default, as text; NULL: none */
    const char *placeholder; /* for the help: "FILE"; NULL: from the kind */
    int64_t min, max;
    const char *const *names;        /* ENUM, LIST, URL: ends with NULL */
    bool (*valid)(struct str value); /* CONFIG_STRING: NULL for anything */
    const char *expects;             /* what VALID wants: "three capital letters, such as SEK" */
};

/* A group of settings with a heading of its own in the help. */
struct config_table {
    const char *title;
    const struct config_setting *settings;
    int32_t count;
};

struct config_command {
    const char *name;      /* "serve", "user add" */
    const char *summary;   /* one line: what it does */
    const char *details;   /* for its help, may be NULL: whole lines */
    const char *arguments; /* as the usage line shows them: "[NAME]"; NULL: takes none */
    int32_t arguments_max;
    const struct config_table *const *tables; /* ends with NULL; may be NULL */
};

struct config_program {
    const char *name;                      /* "lorry" */
    const char *summary;                   /* what it is */
    const struct config_command *commands; /* ends with one whose name is NULL */
};

enum config_source { CONFIG_DEFAULT, CONFIG_FILE, CONFIG_ENVIRONMENT, CONFIG_FLAG };

struct config_value {
    const struct config_setting *setting;
    struct str text;   /* in normal form; absent: not set and no default */
    struct str host;   /* CONFIG_ADDRESS */
    int64_t number;    /* INT, DURATION (seconds), BOOL, ENUM and URL (index into names), LIST (a
                          bit for each of names), ADDRESS (port) */
    struct str origin; /* "environment LORRY_LISTEN", "/etc/lorry.conf:3", "default" */
    enum config_source source;
};

struct config_messages {
    struct str items[CONFIG_PROBLEMS_MAX];
    int32_t count, more; /* more: those that had no room */
};

struct config {
    struct arena arena;
    const struct config_program *program;
    const struct config_command *command;
    struct config_value values[CONFIG_SETTINGS_MAX];
    int32_t count;
    struct str arguments[CONFIG_ARGUMENTS_MAX]; /* what is not a flag; NUL-terminated */
    int32_t argument_count;
    struct config_messages problems, warnings;
    struct str file; /* the configuration file that was read; absent: none */
    bool help;       /* --help or -h was given: nothing else was looked at */
};

/* The command that the first words of ARGV name ("user add" before "user"), NULL if none does.
 * RET_USED is how many words it took. */
const struct config_command *config_command_find(const struct config_program *program, int argc,
                                                 char *const argv[], int *ret_used);
/* The command or flag most like WORD, for "did you mean"; NULL if none is near. */
const char *config_command_near(const struct config_program *program, struct str word);

/* Resolves all settings of COMMAND from what follows it on the command line, ENVP (ends with NULL)
 * and the file that they name. Returns 0, or ERR_INVALID with `problems` filled. Either way C is to
 * be freed with config_free. */
int config_load(struct config *c, const struct config_program *program,
                const struct config_command *command, int argc, char *const argv[],
                char *const envp[]);
void config_free(struct config *c);

/* The value of KEY, which must be in the command's tables, and of that kind. */
struct str config_text(const struct config *c, const char *key);  /* any kind; may be absent */
const char *config_cstr(const struct config *c, const char *key); /* the same; NULL: absent */
int64_t config_int(const struct config *c, const char *key);      /* INT, DURATION */
bool config_bool(const struct config *c, const char *key);        /* BOOL */
int32_t config_enum(const struct config *c, const char *key);     /* ENUM, URL: index into names */
uint32_t config_list(const struct config *c, const char *key);    /* LIST: bits */
const char *config_host(const struct config *c, const char *key); /* ADDRESS: IP literal */
int config_port(const struct config *c, const char *key);         /* ADDRESS */
bool config_is_given(const struct config *c, const char *key);    /* by other than its default */

/* Adds a problem with KEY's value, for what only the application can know: "must not be below
 * search_radius_m (3000)". */
void config_refuse(struct config *c, const char *key, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* For people: all problems, or all warnings, one a line, each after "lorry: ". */
void config_write_problems(const struct config *c, struct buf *out);
void config_write_warnings(const struct config *c, struct buf *out);
/* What `lorry config` prints: key, value and origin; secrets only as "(hidden)". */
void config_write_table(const struct config *c, struct buf *out);
void config_write_json(const struct config *c, struct buf *out);
/* `lorry help` and `lorry help COMMAND`. */
void config_write_help(const struct config_program *program, struct buf *out);
void config_write_command_help(const struct config_program *program,
                               const struct config_command *command, struct buf *out);

/* Manual pages in mdoc(7): of the program, of a command, of the configuration file (section 5); and
 * the program's completion for bash. */
void config_write_manual(const struct config_program *program, struct buf *out);
void config_write_command_manual(const struct config_program *program,
                                 const struct config_command *command, struct buf *out);
void config_write_file_manual(const struct config_program *program, struct buf *out);
void config_write_completion(const struct config_program *program, struct buf *out);

/* The parts below are for config_*.c and their tests. */

/* Reads TEXT as SETTING wants it into *ret_value (all but setting, origin and source). Returns
 * ERR_INVALID when it is not right. */
int config_parse(const struct config_setting *setting, struct str text, struct arena *a,
                 struct config_value *ret_value);
/* May its value be read from a file that another setting ("store_file") names? */
bool config_has_file(const struct config_setting *setting);
/* TEXT without the password that a URL may hold; the same if it holds none. */
struct str config_masked(struct str text, struct arena *a);
/* What would be right: "a whole number from 1 to 10". */
struct str config_expects(const struct config_setting *setting, struct arena *a);
/* "--offer-timeout-s", "LORRY_OFFER_TIMEOUT_S"; those of a secret's file with FROM_FILE. */
struct str config_flag_name(const char *key, bool from_file, struct arena *a);
struct str config_env_name(const char *key, bool from_file, struct arena *a);
/* What a setting is, with its limits or names and its default: "Where to listen (default …)". */
struct str config_words(const struct config_setting *setting, struct arena *a);
/* What stands for its value: "FILE"; NULL for a bool. */
const char *config_placeholder(const struct config_setting *setting, bool from_file);
/* How many letters must be added, dropped, changed or swapped; 99 when either is too long. */
int32_t config_distance(struct str a, struct str b);

#endif
