/* `lorry keys list|rotate`: the keys that access tokens are signed with, on the store itself. */
#include "apps/admin_store.h"
#include "apps/commands.h"
#include "apps/settings.h"
#include "base/timestamp.h"

#include <stdio.h>

const struct config_table *const keys_list_tables[] = {&settings_data, &settings_output, NULL};
const struct config_table *const keys_rotate_tables[] = {&settings_data, &settings_tokens, NULL};

struct listing {
    bool json;
    struct arena *arena;
};

/* What the key does, and until when; what is secret of it is not even at hand here. */
static void print_key(void *arg, const struct auth_admin_key *key) {
    static const char *const uses[] = {
        [AUTH_KEY_RETIRED] = "retired", [AUTH_KEY_SIGNS] = "signs", [AUTH_KEY_NEXT] = "next"};
    const struct listing *l = arg;
    char created[TIMESTAMP_TEXT_MAX], until[TIMESTAMP_TEXT_MAX] = "";
    timestamp_format(key->created_us, created);
    if (key->until_us > 0)
        timestamp_format(key->until_us, until);
    if (!l->json) {
        printf("%.*s  %-7s  made %s%s%s\n", STR_ARG(key->kid), uses[key->use], created,
               key->until_us > 0 ? "  until " : "", until);
        return;
    }
    struct buf out;
    struct jw w;
    buf_init(&out, l->arena, 256);
    jw_init(&w, &out);
    jw_object(&w);
    jw_kv_str(&w, "kid", key->kid);
    jw_kv_str(&w, "use", str_from(uses[key->use]));
    jw_kv_time(&w, "created_at", key->created_us);
    jw_key(&w, "until");
    if (key->until_us > 0)
        jw_str(&w, str_from(until));
    else
        jw_null(&w);
    jw_end(&w);
    printf("%.*s\n", STR_ARG(buf_str(&out)));
}

static int list(struct admin_store *o, struct listing *l, struct str *ret_why) {
    return auth_admin_keys(o->admin, print_key, l, l->arena, ret_why);
}

int command_keys_list(struct config *c) {
    struct admin_store o;
    struct listing l = {config_bool(c, "json"), &c->arena};
    struct str why = STR_NONE;
    if (!admin_store_open(c, false, 0, &o))
        return 1;
    int err = list(&o, &l, &why);
    return admin_store_close(&o, err, why);
}

int command_keys_rotate(struct config *c) {
    struct admin_store o;
    struct listing l = {false, &c->arena};
    struct str why = STR_NONE;
    if (!admin_store_open(c, false, config_int(c, "access_ttl_s"), &o))
        return 1;
    int err = auth_admin_rotate_keys(o.admin, &c->arena, &why);
    if (err == 0)
        err = list(&o, &l, &why);
    return admin_store_close(&o, err, why);
}
