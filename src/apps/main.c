/* The `lorry` command: finds the subcommand, resolves its configuration, runs it. */
#include "apps/commands.h"
#include "apps/settings.h"
#include "base/check.h"
#include "base/err.h"
#include "runtime/token.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <uv.h>

static const struct config_command commands[] = {
    {.name = "serve",
     .summary = "Run the platform: API, WebSockets, all services or some of them",
     .details =
         "State lies in the data folder and survives restarts. SIGTERM or Ctrl-C drains: not\n"
         "ready, no new connections, what is in flight is finished.\n"
         "One process does all. With a store that processes share, RabbitMQ and Redis any number\n"
         "of them does it together, each what --service says (\"Several processes\").\n",
     .tables = settings_of_serve},
    {.name = "simulate",
     .summary = "A city of simulated customers and drivers against a running server, with an audit",
     .details =
         "Every simulated person is a real client: it registers, signs in, books, drives and\n"
         "listens over HTTP and WebSocket. At the end the run audits what it saw; the exit\n"
         "status is 1 if the audit fails.\n",
     .arguments = "[URL]",
     .arguments_max = 1,
     .tables = simulate_tables},
    {.name = "check",
     .summary = "The deterministic simulator: the real services under faults, in virtual time",
     .details =
         "Each seed chooses a workload and faults, is run twice, and must leave the same trace.\n"
         "A failure prints its seed; --seed N replays it.\n",
     .tables = check_tables},
    {.name = "bench",
     .summary = "Named benchmarks; --list names them",
     .arguments = "[NAME]",
     .arguments_max = 1,
     .tables = bench_tables},
    {.name = "user add",
     .summary = "Make an account of any role, on the store itself; makes the first admin",
     .details =
         "The password is read from --password-file, or from standard input. A server may be\n"
         "running on the same folder.\n",
     .tables = user_add_tables},
    {.name = "user list", .summary = "List the accounts", .tables = user_list_tables},
    {.name = "user set-role",
     .summary = "Give an account another role",
     .tables = user_set_role_tables},
    {.name = "user disable",
     .summary = "Disable an account and end its sessions (--undo enables it again)",
     .tables = user_disable_tables},
    {.name = "user reset-second-factor",
     .summary = "Take away a lost second factor, and end the account's sessions",
     .tables = user_reset_factor_tables},
    {.name = "keys list",
     .summary = "List the keys that access tokens are signed with, without their secrets",
     .tables = keys_list_tables},
    {.name = "keys rotate",
     .summary = "Retire the key that signs; the next one takes over",
     .details =
         "Sessions go on, and a running server takes the new key up within some seconds.\n"
         "The retired one is known until its last token has run out: --access-ttl-s must be\n"
         "the server's.\n",
     .tables = keys_rotate_tables},
    {.name = "backup",
     .summary = "Copy the data folder of a server, which may be running, and verify the copy",
     .details = "What is copied is one moment: the database and every file beside it that cannot\n"
                "be made again, with checksums. The copy is read back before it gets its name;\n"
                "nothing that is there is ever overwritten.\n",
     .arguments = "[FOLDER]",
     .arguments_max = 1,
     .tables = backup_tables},
    {.name = "restore",
     .summary = "Make a data folder from a back-up, which is verified first",
     .details = "The folder that --data names must be empty, or not there. If anything is wrong\n"
                "nothing is left in it.\n",
     .arguments = "BACKUP",
     .arguments_max = 1,
     .tables = restore_tables},
    {.name = "export",
     .summary = "Write all that a store keeps into a file, a line of JSON for each record",
     .details = "From SQLite and PostgreSQL it is of one moment, and servers may be at work; on\n"
                "MongoDB they must be stopped. Without FILE, or with -, to standard output:\n"
                "lorry export | zstd > lorry.jsonl.zst\n",
     .arguments = "[FILE]",
     .arguments_max = 1,
     .tables = export_tables},
    {.name = "import",
     .summary = "Fill an empty store of any kind from such a file",
     .details = "The file is verified first, what was written is read back and compared, and only\n"
                "then can anybody see it: if anything is wrong nothing is left. Without FILE, or\n"
                "with -, from standard input.\n",
     .arguments = "[FILE]",
     .arguments_max = 1,
     .tables = import_tables},
    {.name = "verify",
     .summary = "Check a booking's custody bundle offline: its chain, signature and pictures",
     .details =
         "FILE is what GET /v1/bookings/{id}/custody gave, the others are pictures of its\n"
         "proofs; --files takes a folder that must have all of them. Says what was changed,\n"
         "exit status 1, if anything was. No server and no data folder is needed.\n",
     .arguments = "FILE [PICTURE...]",
     .arguments_max = CONFIG_ARGUMENTS_MAX,
     .tables = verify_tables},
    {.name = "map build",
     .summary = "Make a map, and the road network, of an OpenStreetMap extract (.osm.pbf)",
     .details =
         "Writes FILE.mbtiles for `lorry serve --map`, and FILE.streets.json for --streets, from\n"
         "which routes and places come, by Debian's tilemaker and osmium-tool. Whole or not at\n"
         "all; what is there is replaced when all went well.\n",
     .arguments = "FILE.osm.pbf",
     .arguments_max = 1,
     .tables = map_build_tables},
    {.name = "health",
     .summary = "Ask the server that listens here whether it is ready",
     .details = "Exit status 0 if it is, 1 if it drains, waits for something or does not answer.\n",
     .tables = health_tables},
    {.name = "dead-letters list",
     .summary = "List the events that could not be consumed and were put aside by the broker",
     .details = "Id, type, key, the service that could not, why, how often it came to that, when.\n"
                "\"rejected\": the service said that the event itself is at fault, its log says\n"
                "why. \"delivery_limit\": it ended the processes that it was given to.\n",
     .tables = dead_letters_list_tables},
    {.name = "dead-letters show",
     .summary = "Show dead letters whole, with the data of the event",
     .arguments = "ID...",
     .arguments_max = CONFIG_ARGUMENTS_MAX,
     .tables = dead_letters_show_tables},
    {.name = "dead-letters replay",
     .summary = "Give dead letters to their service once more",
     .details = "With the same id, so that it has no second effect where it has had one.\n",
     .arguments = "[ID...]",
     .arguments_max = CONFIG_ARGUMENTS_MAX,
     .tables = dead_letters_change_tables},
    {.name = "dead-letters drop",
     .summary = "Delete dead letters for good",
     .arguments = "[ID...]",
     .arguments_max = CONFIG_ARGUMENTS_MAX,
     .tables = dead_letters_change_tables},
    {.name = "config",
     .summary = "Print the effective settings and where each came from",
     .tables = settings_of_config},
    {.name = "version", .summary = "Print version and build", .tables = NULL},
    {.name = "help",
     .summary = "Help, also for each command",
     .arguments = "[COMMAND]",
     .arguments_max = 2},
    {.name = "man",
     .summary = "Write a manual page: of lorry, of a command, or of lorry.conf",
     .details = "For packages, and to read one: lorry man serve | man -l -\n",
     .arguments = "[COMMAND]",
     .arguments_max = 2},
    {.name = "completion",
     .summary = "Write the completion of commands and flags for bash",
     .details = "To use it in this shell: source <(lorry completion)\n"},
    {.name = NULL},
};
static int (*const runs[])(struct config *c) = {
    command_serve,
    command_simulate,
    command_check,
    command_bench,
    command_user_add,
    command_user_list,
    command_user_set_role,
    command_user_disable,
    command_user_reset_factor,
    command_keys_list,
    command_keys_rotate,
    command_backup,
    command_restore,
    command_export,
    command_import,
    command_verify,
    command_map_build,
    command_health,
    command_dead_letters_list,
    command_dead_letters_show,
    command_dead_letters_replay,
    command_dead_letters_drop,
    command_config,
};

static const struct config_command the_file = {.name = "lorry.conf"}; /* it has a page, too */

static const struct config_program program = {
    "lorry", "self-hosted, on-demand logistics: booking, dispatch, tracking", commands};

static int flush_to(FILE *out, struct buf *text) {
    bool whole = fwrite(text->p, 1, text->len, out) == text->len;
    return fflush(out) == 0 && whole ? 0 : 1;
}

int command_config(struct config *c) {
    struct buf out;
    settings_check(c);
    buf_init(&out, &c->arena, 4096);
    if (c->problems.count > 0)
        config_write_problems(c, &out);
    else if (config_bool(c, "json"))
        config_write_json(c, &out);
    else
        config_write_table(c, &out);
    int status = c->problems.count > 0 ? 2 : 0;
    return flush_to(status == 0 ? stdout : stderr, &out) | status;
}

#ifdef __clang__
#define COMPILER "clang " __clang_version__
#else
#define COMPILER "gcc " __VERSION__
#endif

/* No date: the same source gives the same binary. */
static int version(void) {
    struct utsname machine;
    printf("lorry %s\nbuilt with %s%s%s\nlibuv %s, libsodium %s\n", LORRY_VERSION, COMPILER,
           uname(&machine) == 0 ? ", runs on " : "", uname(&machine) == 0 ? machine.machine : "",
           uv_version_string(), sodium_version_string());
    return fflush(stdout) == 0 ? 0 : 1;
}

/* `lorry help`, `lorry help serve`, `lorry serve --help`. */
static int help(const struct config_command *command) {
    struct arena a;
    struct buf out;
    arena_init(&a, 8192);
    buf_init(&out, &a, 4096);
    if (command == NULL)
        config_write_help(&program, &out);
    else
        config_write_command_help(&program, command, &out);
    int status = flush_to(stdout, &out);
    arena_free(&a);
    return status;
}

static int completion(void) {
    struct arena a;
    struct buf out;
    arena_init(&a, 8192);
    buf_init(&out, &a, 16384);
    config_write_completion(&program, &out);
    int status = flush_to(stdout, &out);
    arena_free(&a);
    return status;
}

/* The commands of several words that begin with WORD, such as "user". False: there is none. */
static bool write_group(const char *word, FILE *out) {
    size_t len = strlen(word);
    bool found = false;
    for (const struct config_command *c = commands; c->name != NULL; c++) {
        if (strncmp(c->name, word, len) != 0 || c->name[len] != ' ')
            continue;
        fprintf(out, "%s  lorry %-24s  %s\n", found ? "" : "Usage: one of\n\n", c->name,
                c->summary);
        found = true;
    }
    if (found)
        fprintf(out, "\n\"lorry help %s COMMAND\" tells its flags.\n", word);
    return found;
}

static int unknown(const char *word) {
    if (write_group(word, stderr))
        return 2;
    const char *near = config_command_near(&program, str_from(word));
    fprintf(stderr, "lorry: there is no command \"%s\"", word);
    if (near != NULL)
        fprintf(stderr, "; did you mean \"%s\"?", near);
    fprintf(stderr, "\nTry \"lorry help\".\n");
    return 2;
}

static int run(const struct config_command *command, int argc, char **argv) {
    struct config c;
    struct buf out;
    int status = 2;
    int err = config_load(&c, &program, command, argc, argv, environ);
    buf_init(&out, &c.arena, 1024);
    config_write_warnings(&c, &out);
    if (err < 0)
        config_write_problems(&c, &out);
    flush_to(stderr, &out);
    if (c.help)
        status = help(command);
    else if (err == 0)
        status = runs[command - commands](&c);
    config_free(&c);
    return status;
}

/* "lorry man", "lorry man serve", "lorry man lorry.conf". */
static int manual(const struct config_command *command) {
    struct arena a;
    struct buf out;
    arena_init(&a, 8192);
    buf_init(&out, &a, 16384);
    if (command == &the_file)
        config_write_file_manual(&program, &out);
    else if (command == NULL)
        config_write_manual(&program, &out);
    else
        config_write_command_manual(&program, command, &out);
    int status = flush_to(stdout, &out);
    arena_free(&a);
    return status;
}

/* HOW, about the command that the words after "help" or "man" name. */
static int tell(int argc, char **argv, int (*how)(const struct config_command *command)) {
    int used = 0;
    if (argc == 2)
        return how(NULL);
    if (how == manual && strcmp(argv[2], the_file.name) == 0)
        return how(&the_file);
    const struct config_command *about = config_command_find(&program, argc - 2, argv + 2, &used);
    if (about == NULL && how == help && write_group(argv[2], stdout))
        return 0;
    return about != NULL ? how(about) : unknown(argv[2]);
}

int main(int argc, char **argv) {
    if (argc < 2)
        return help(NULL);
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "version") == 0)
        return version();
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        return help(NULL);
    if (strcmp(argv[1], "help") == 0)
        return tell(argc, argv, help);
    if (strcmp(argv[1], "man") == 0)
        return tell(argc, argv, manual);
    if (strcmp(argv[1], "completion") == 0)
        return completion();
    int used = 0;
    const struct config_command *command = config_command_find(&program, argc - 1, argv + 1, &used);
    if (command == NULL)
        return unknown(argv[1]);
    if ((size_t)(command - commands) >= COUNT_OF(runs))
        return help(NULL);
    token_library_init();
    return run(command, argc - 1 - used, argv + 1 + used);
}
