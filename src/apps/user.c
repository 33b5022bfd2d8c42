/* `lorry user add|list|set-role|disable|reset-second-factor`: accounts, on the store itself. */
#include "apps/admin_store.h"
#include "apps/commands.h"
#include "apps/settings.h"
#include "base/timestamp.h"

#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define PASSWORD_BYTES_MAX 1024

static const struct config_setting who_settings[] = {
    {.key = "email", .kind = CONFIG_STRING, .placeholder = "E-MAIL", .help = "Whose account"},
};
static const struct config_table who = {"Account", who_settings, 1};

#define ROLE(help_text)                                                                            \
    { {.key = "role", .kind = CONFIG_ENUM, .names = role_names + 1, .help = (help_text)}, }
static const struct config_setting role_settings[] = ROLE("What the person may do");
static const struct config_setting only_settings[] = ROLE("List only those who are this");
static const struct config_table role = {"Role", role_settings, 1};
static const struct config_table only = {"Filter", only_settings, 1};

static const struct config_setting add_settings[] = {
    {.key = "name", .kind = CONFIG_STRING, .placeholder = "NAME", .help = "The person's name"},
    {.key = "phone", .kind = CONFIG_STRING, .placeholder = "PHONE", .help = "Such as +46701234567"},
    {.key = "password",
     .kind = CONFIG_STRING,
     .secret = true,
     .help = "A file with the password, 8 to 128 characters; without it standard input"},
};
static const struct config_table add = {"Person", add_settings, 3};

static const struct config_setting undo_settings[] = {
    {.key = "undo", .kind = CONFIG_BOOL, .fallback = "false", .help = "Enable it again"},
};
static const struct config_table undo = {"Undo", undo_settings, 1};

const struct config_table *const user_add_tables[] = {&settings_data, &who, &role, &add, NULL};
const struct config_table *const user_list_tables[] = {&settings_data, &only, &settings_output,
                                                       NULL};
const struct config_table *const user_set_role_tables[] = {&settings_data, &who, &role, NULL};
const struct config_table *const user_disable_tables[] = {&settings_data, &who, &undo, NULL};

const struct config_table *const user_reset_factor_tables[] = {&settings_data, &who, NULL};

/* True if KEY was given; else says that it is needed. */
static bool needed(struct config *c, const char *key) {
    if (config_is_given(c, key))
        return true;
    fprintf(stderr, "lorry: --%s is needed; try \"lorry help %s\"\n", key, c->command->name);
    return false;
}

static enum role role_of(const struct config *c) {
    return config_is_given(c, "role") ? (enum role)(config_enum(c, "role") + 1) : ROLE_NONE;
}

/* One line of standard input, without echo on a terminal. */
static bool read_password(struct config *c, struct str *ret) {
    if (config_is_given(c, "password")) {
        *ret = config_text(c, "password");
        return true;
    }
    struct termios before;
    bool terminal = isatty(0) && tcgetattr(0, &before) == 0;
    if (terminal) {
        struct termios silent = before;
        silent.c_lflag &= (tcflag_t)~ECHO;
        tcsetattr(0, TCSANOW, &silent);
        fputs("Password (8 to 128 characters): ", stderr);
    }
    char *line = arena_bytes(&c->arena, PASSWORD_BYTES_MAX);
    bool read = fgets(line, PASSWORD_BYTES_MAX, stdin) != NULL;
    if (terminal) {
        tcsetattr(0, TCSANOW, &before);
        fputs("\n", stderr);
    }
    if (!read) {
        fputs("lorry: no password on standard input\n", stderr);
        return false;
    }
    line[strcspn(line, "\r\n")] = 0;
    *ret = str_from(line);
    return true;
}

/* ---- the commands ---- */

int command_user_add(struct config *c) {
    struct admin_store o;
    struct auth_admin_user user = {0};
    if (!needed(c, "email") || !needed(c, "role") || !needed(c, "name") ||
        !read_password(c, &user.password))
        return 2;
    if (!admin_store_open(c, true, 0, &o))
        return 1;
    user.email = config_text(c, "email");
    user.name = config_text(c, "name");
    user.phone = config_text(c, "phone");
    user.role = role_of(c);
    struct str id, why = STR_NONE;
    int err = auth_admin_add(o.admin, &user, &c->arena, &id, &why);
    if (err == 0)
        printf("%.*s  %s  %.*s\n", STR_ARG(id), role_names[user.role], STR_ARG(user.email));
    return admin_store_close(&o, err, why);
}

struct listing {
    bool json;
    struct arena *arena;
};

static void print_account(void *arg, const struct account *account) {
    const struct listing *l = arg;
    if (!l->json) {
        printf("%.*s  %-10s  %-8s  %.*s  %.*s\n", STR_ARG(account->head.id),
               role_names[account->role], account->disabled ? "disabled" : "enabled",
               STR_ARG(account->email), STR_ARG(account->name));
        return;
    }
    struct buf out;
    struct jw w;
    buf_init(&out, l->arena, 256);
    jw_init(&w, &out);
    jw_object(&w);
    jw_kv_str(&w, "id", account->head.id);
    jw_kv_str(&w, "role", str_from(role_names[account->role]));
    jw_key(&w, "disabled");
    jw_bool(&w, account->disabled);
    jw_kv_str(&w, "email", account->email);
    jw_kv_str(&w, "name", account->name);
    jw_kv_time(&w, "created_at", account->created_us);
    jw_end(&w);
    printf("%.*s\n", STR_ARG(buf_str(&out)));
}

int command_user_list(struct config *c) {
    struct admin_store o;
    if (!admin_store_open(c, false, 0, &o))
        return 1;
    struct listing l = {config_bool(c, "json"), &c->arena};
    struct str why = STR_NONE;
    int err = auth_admin_list(o.admin, role_of(c), print_account, &l, &c->arena, &why);
    return admin_store_close(&o, err, why);
}

int command_user_set_role(struct config *c) {
    struct admin_store o;
    if (!needed(c, "email") || !needed(c, "role"))
        return 2;
    if (!admin_store_open(c, false, 0, &o))
        return 1;
    struct str why = STR_NONE;
    int err = auth_admin_set_role(o.admin, config_text(c, "email"), role_of(c), &c->arena, &why);
    if (err == 0)
        printf("%s is now %s\n", config_cstr(c, "email"), role_names[role_of(c)]);
    return admin_store_close(&o, err, why);
}

int command_user_disable(struct config *c) {
    struct admin_store o;
    if (!needed(c, "email"))
        return 2;
    if (!admin_store_open(c, false, 0, &o))
        return 1;
    struct str why = STR_NONE;
    bool disable = !config_bool(c, "undo");
    int err = auth_admin_disable(o.admin, config_text(c, "email"), disable, &c->arena, &why);
    if (err == 0)
        printf("%s is now %s\n", config_cstr(c, "email"), disable ? "disabled" : "enabled");
    return admin_store_close(&o, err, why);
}

int command_user_reset_factor(struct config *c) {
    struct admin_store o;
    if (!needed(c, "email"))
        return 2;
    if (!admin_store_open(c, false, 0, &o))
        return 1;
    struct str why = STR_NONE;
    int err = auth_admin_reset_factor(o.admin, config_text(c, "email"), &c->arena, &why);
    if (err == 0)
        printf("%s has no second factor now\n", config_cstr(c, "email"));
    return admin_store_close(&o, err, why);
}
