/* Completion for bash, from the same tables as the flags themselves. */
#include "apps/config.h"

#include <string.h>

static void write_flags(const struct config_command *command, struct arena *a, struct buf *out) {
    buf_printf(out, "    \"%s\") flags=\"--config --help", command->name);
    for (const struct config_table *const *table = command->tables; table && *table; table++) {
        for (int32_t i = 0; i < (*table)->count; i++) {
            const struct config_setting *s = &(*table)->settings[i];
            struct str flag = config_flag_name(s->key, s->secret, a);
            buf_printf(out, " %.*s", STR_ARG(flag));
            if (s->kind == CONFIG_BOOL)
                buf_printf(out, " --no-%.*s", (int)flag.len - 2, flag.p + 2);
        }
    }
    buf_add_cstr(out, "\" ;;\n");
}

/* What may follow a flag; nothing for paths, which the shell completes itself. */
static void write_values(const struct config_command *command, struct arena *a, struct buf *out) {
    for (const struct config_table *const *table = command->tables; table && *table; table++) {
        for (int32_t i = 0; i < (*table)->count; i++) {
            const struct config_setting *s = &(*table)->settings[i];
            bool path = s->kind == CONFIG_PATH || s->secret;
            if (s->kind == CONFIG_BOOL)
                continue;
            struct str flag = config_flag_name(s->key, s->secret, a);
            buf_printf(out, "    \"%s %.*s\") known=%s values=\"", command->name, STR_ARG(flag),
                       path ? "path" : "yes");
            for (int32_t k = 0; s->kind == CONFIG_ENUM && s->names[k]; k++)
                buf_printf(out, "%s%s", k > 0 ? " " : "", s->names[k]);
            buf_add_cstr(out, "\" ;;\n");
        }
    }
}

static void write_names(const struct config_program *program, struct buf *out) {
    buf_add_cstr(out, "    local commands=\"");
    for (const struct config_command *c = program->commands; c->name; c++)
        buf_printf(out, "%s%s", c == program->commands ? "" : "|", c->name);
    buf_add_cstr(out, "\"\n");
}

/* The words of the line into $command (one of the table, or what leads to one), then what comes
 * after it. The first word that begins with "-" ends a command. */
static const char find_command[] =
    "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}\n"
    "    local command=\"\" i=1 flags=\"\" values=\"\" known=\"\" next\n"
    "    [ \"$cur\" != = ] || cur=\"\"\n"
    "    [ \"$prev\" != = ] || prev=${COMP_WORDS[COMP_CWORD - 2]}\n"
    "    case \"${COMP_WORDS[1]}\" in help | man) [ \"$COMP_CWORD\" -lt 2 ] || i=2 ;; esac\n"
    "    while [ \"$i\" -lt \"$COMP_CWORD\" ]; do\n"
    "        next=\"${command:+$command }${COMP_WORDS[i]}\"\n"
    "        case \"|$commands|\" in *\"|$next|\"* | *\"|$next \"*) command=$next ;; *) break ;; "
    "esac\n"
    "        i=$((i + 1))\n"
    "    done\n";

static const char complete[] =
    "    if [ \"$known\" = path ] || [ \"$prev\" = --config ]; then\n"
    "        return\n" /* the shell's own way: files */
    "    elif [ -n \"$known\" ]; then\n"
    "        mapfile -t COMPREPLY < <(compgen -W \"$values\" -- \"$cur\")\n"
    "        [ -n \"$values\" ] || compopt +o default 2>/dev/null\n"
    "    elif [ \"${cur:0:1}\" = - ]; then\n"
    "        mapfile -t COMPREPLY < <(compgen -W \"$flags\" -- \"$cur\")\n"
    "    elif [ \"$i\" -eq \"$COMP_CWORD\" ]; then\n"
    "        local rest=${commands//|/$'\\n'} words=\"\"\n"
    "        while read -r next; do\n"
    "            next=\"$next \"\n"
    "            case \"$next\" in \"${command:+$command }\"?*)\n"
    "                next=${next#\"${command:+$command }\"} words=\"$words ${next%% *}\" ;;\n"
    "            esac\n"
    "        done <<<\"$rest\"\n"
    "        mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\" | sort -u)\n"
    "    fi\n";

void config_write_completion(const struct config_program *program, struct buf *out) {
    struct arena a;
    arena_init(&a, 8192);
    buf_printf(out,
               "# Completion of %s's commands, flags and values for bash; written by\n"
               "# \"%s completion\".\n_%s() {\n",
               program->name, program->name, program->name);
    write_names(program, out);
    buf_add_cstr(out, find_command);
    buf_add_cstr(out, "    COMPREPLY=()\n    case \"$command\" in\n");
    for (const struct config_command *c = program->commands; c->name; c++) {
        if (c->tables)
            write_flags(c, &a, out);
    }
    buf_add_cstr(out, "    esac\n    case \"$command $prev\" in\n");
    for (const struct config_command *c = program->commands; c->name; c++)
        write_values(c, &a, out);
    buf_add_cstr(out, "    esac\n");
    buf_add_cstr(out, complete);
    buf_printf(out, "}\ncomplete -o default -F _%s %s\n", program->name, program->name);
    arena_free(&a);
}
