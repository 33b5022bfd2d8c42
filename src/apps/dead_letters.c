/* `lorry dead-letters list|show|replay|drop`: the events that a broker keeps aside because they
 * could not be consumed.
 */
#include "adapters/amqp/dead_letters.h"
#include "apps/commands.h"
#include "apps/modules.h"
#include "apps/settings.h"
#include "base/timestamp.h"
#include "json/writer.h"

#include <stdio.h>

static const struct config_setting which_settings[] = {
    {.key = "group",
     .kind = CONFIG_ENUM,
     .names = service_names,
     .help = "Only what this service could not consume"},
    {.key = "limit",
     .kind = CONFIG_INT,
     .fallback = "1000",
     .min = 1,
     .max = AMQP_DEAD_MAX,
     .help = "Look at so many of each service, oldest first"},
};
static const struct config_table which = {"Which", which_settings, 2};

static const struct config_setting all_settings[] = {
    {.key = "all", .kind = CONFIG_BOOL, .fallback = "false", .help = "All that are looked at"},
};
static const struct config_table all = {"Choice", all_settings, 1};

const struct config_table *const dead_letters_list_tables[] = {&settings_bus, &which,
                                                               &settings_output, NULL};
const struct config_table *const dead_letters_show_tables[] = {&settings_bus, &which, NULL};
const struct config_table *const dead_letters_change_tables[] = {&settings_bus, &which, &all, NULL};

struct work {
    struct config *c;
    enum dead_letter_fate fate; /* of those that are chosen */
    void (*print)(struct work *w, const struct dead_letter *l);
    bool json, all;
    int64_t found;
};

static bool chosen(const struct work *w, struct str id) {
    for (int32_t i = 0; i < w->c->argument_count; i++)
        if (id.p != NULL && str_eq(w->c->arguments[i], id))
            return true;
    return w->all;
}

static enum dead_letter_fate judge(void *arg, const struct dead_letter *l) {
    struct work *w = arg;
    if (!chosen(w, l->event.id))
        return DEAD_LETTER_KEEP;
    w->found++;
    if (w->print != NULL)
        w->print(w, l);
    return w->fate;
}

/* Walks each group's letters. Returns the exit status. */
static int walk(struct work *w) {
    const struct config *c = w->c;
    struct amqp_options o = {.uri = config_cstr(c, "bus"), .ca_file = config_cstr(c, "bus_ca")};
    if (config_enum(c, "bus") == BUS_INPROC) {
        fprintf(stderr, "lorry: no broker is named; --bus, --bus-file or LORRY_BUS must do it\n");
        return 2;
    }
    struct str why = STR_NONE;
    const void *module;
    if (module_load(MODULE_AMQP, &w->c->arena, &module, &why) < 0) {
        fprintf(stderr, "lorry: %.*s\n", STR_ARG(why));
        return 1;
    }
    const struct amqp_module *driver = module;
    for (int i = 0; service_names[i] != NULL; i++) {
        if (config_is_given(c, "group") && config_enum(c, "group") != i)
            continue;
        if (driver->dead_letters_walk(&o, service_names[i], (int32_t)config_int(c, "limit"), judge,
                                      w, &w->c->arena, &why) < 0) {
            fprintf(stderr, "lorry: %.*s\n", STR_ARG(why));
            return 1;
        }
    }
    return 0;
}

/* ---- printing ---- */

/* A column of a table: what stands in a message that is not ours may be anything. */
static void print_column(struct str s, int width) {
    putchar(' ');
    for (size_t i = 0; i < s.len; i++)
        putchar(s.p[i] > ' ' && s.p[i] < 127 ? s.p[i] : '?');
    if (s.len == 0)
        putchar('-');
    for (int i = s.len > 0 ? (int)s.len : 1; i < width; i++)
        putchar(' ');
}

static void print_row(const struct dead_letter *l) {
    char when[TIMESTAMP_TEXT_MAX] = "-", deaths[24];
    if (l->died_us > 0)
        timestamp_format(l->died_us, when);
    snprintf(deaths, sizeof(deaths), "%lld", (long long)l->deaths);
    print_column(l->event.id, 30);
    print_column(l->event.type, 22);
    print_column(l->event.key, 30);
    print_column(str_from(l->group), 12);
    print_column(l->reason, 14);
    print_column(str_from(deaths), 6);
    print_column(str_from(when), 1);
    putchar('\n');
}

static struct str valid_text(struct str s) {
    size_t chars;
    return str_is_utf8(s, &chars) ? s : STR_NONE;
}

static void print_json(struct work *w, const struct dead_letter *l) {
    struct arena a;
    struct buf out;
    struct jw j;
    (void)w;
    arena_init(&a, 1024);
    buf_init(&out, &a, 512);
    jw_init(&j, &out);
    jw_object(&j);
    jw_kv_str(&j, "id", valid_text(l->event.id));
    jw_kv_str(&j, "type", valid_text(l->event.type));
    jw_kv_str(&j, "key", valid_text(l->event.key));
    jw_kv_str(&j, "group", str_from(l->group));
    jw_kv_str(&j, "reason", valid_text(l->reason));
    jw_kv_i64(&j, "deaths", l->deaths);
    jw_kv_time(&j, "died_at", l->died_us);
    jw_kv_time(&j, "event_at", l->event.at_us);
    jw_kv_str(&j, "request_id", valid_text(l->event.request_id));
    jw_kv_str(&j, "traceparent", valid_text(l->event.traceparent));
    jw_kv_i64(&j, "bytes", (int64_t)l->event.data.len);
    jw_end(&j);
    printf("%.*s\n", STR_ARG(buf_str(&out)));
    arena_free(&a);
}

static void print_line(struct work *w, const struct dead_letter *l) {
    if (w->json)
        print_json(w, l);
    else
        print_row(l);
}

/* What a terminal would take for more than text is written as \xHH: the data are whatever somebody
 * has put there. Also the C1 controls, which UTF-8 writes as C2 80 to C2 9F. */
static void print_escaped(struct str s) {
    size_t chars;
    bool text = str_is_utf8(s, &chars);
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.p[i],
                      next = i + 1 < s.len ? (unsigned char)s.p[i + 1] : 0;
        bool c1 = c == 0xc2 && next >= 0x80 && next <= 0x9f;
        bool plain =
            c == '\n' || c == '\t' || (c >= 0x20 && c != 0x7f && (c < 0x80 || (text && !c1)));
        if (plain)
            putchar(c);
        else
            printf("\\x%02x", c);
        if (c1)
            printf("\\x%02x", (unsigned char)s.p[++i]);
    }
}

/* All of it, and the data as they are: for the operator, who may know them. */
static void print_whole(struct work *w, const struct dead_letter *l) {
    print_json(w, l);
    print_escaped(l->event.data);
    putchar('\n');
}

/* ---- the commands ---- */

int command_dead_letters_list(struct config *c) {
    struct work w = {.c = c, .print = print_line, .json = config_bool(c, "json"), .all = true};
    int status = walk(&w);
    if (status == 0 && w.found == 0 && !w.json)
        printf("There are no dead letters.\n");
    return status;
}

int command_dead_letters_show(struct config *c) {
    struct work w = {.c = c, .print = print_whole};
    if (c->argument_count == 0) {
        fprintf(stderr, "lorry: whose? Name the ids; \"lorry dead-letters list\" tells them\n");
        return 2;
    }
    int status = walk(&w);
    if (status == 0 && w.found == 0) {
        fprintf(stderr, "lorry: there is no such dead letter\n");
        return 1;
    }
    return status;
}

static int change(struct config *c, enum dead_letter_fate fate, const char *done) {
    struct work w = {.c = c, .fate = fate, .all = config_bool(c, "all")};
    if (w.all == (c->argument_count > 0)) {
        fprintf(stderr, "lorry: name the ids, or say --all\n");
        return 2;
    }
    int status = walk(&w);
    printf("%lld %s\n", (long long)w.found, done);
    return status != 0 || w.all || w.found > 0 ? status : 1;
}

int command_dead_letters_replay(struct config *c) {
    return change(c, DEAD_LETTER_REPLAY, "replayed");
}

int command_dead_letters_drop(struct config *c) {
    return change(c, DEAD_LETTER_DROP, "dropped");
}
