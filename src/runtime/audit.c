/* Notes for the audit log: who, what, and the members that differ. */
#include "runtime/audit.h"

#include "base/check.h"

#include <string.h>

/* The members of the two sides as they differ. */
struct sides {
    struct buf before, after;
    struct jw before_w, after_w;
};

static bool wanted(const struct schema_field *f, unsigned mask, const char *const *only) {
    if ((f->flags & mask) == 0 || strcmp(f->name, "version") == 0)
        return false;
    for (int32_t i = 0; only != NULL; i++) {
        if (only[i] == NULL)
            return false;
        if (strcmp(only[i], f->name) == 0)
            return true;
    }
    return true;
}

/* One field as an object of its own: {"role":"admin"}, or {} when it is absent. */
static struct str field_text(const struct schema *s, int32_t i, const void *of, unsigned mask,
                             struct arena *a) {
    struct schema one = {s->name, &s->fields[i], 1, s->size};
    return of != NULL ? schema_text(&one, of, mask, a) : STR("{}");
}

static void add_side(struct jw *w, const struct schema *s, int32_t i, const void *of,
                     unsigned mask) {
    struct schema one = {s->name, &s->fields[i], 1, s->size};
    if (of != NULL)
        schema_write_fields(&one, of, mask, w);
}

static void compare(struct sides *sides, const struct schema *s, const void *before,
                    const void *after, const struct audit_more *more, struct arena *a) {
    unsigned mask = more->kept ? S_STORE : S_OUT;
    for (int32_t i = 0; i < s->count; i++) {
        if (!wanted(&s->fields[i], mask, more->only) ||
            str_eq(field_text(s, i, before, mask, a), field_text(s, i, after, mask, a)))
            continue;
        add_side(&sides->before_w, s, i, before, mask);
        add_side(&sides->after_w, s, i, after, mask);
    }
}

static struct str side_text(const struct buf *side, const void *of) {
    if (of == NULL)
        return STR_NONE;
    return side->len <= AUDIT_SIDE_BYTES_MAX ? buf_str(side) : STR("{\"too_large\":true}");
}

void decision_audit(struct decision *d, const struct command *cmd, const struct decide_ctx *ctx,
                    const char *action, const void *before, const void *after,
                    const struct audit_more *more) {
    static const struct audit_more nothing = {0};
    more = more != NULL ? more : &nothing;
    const struct schema *s = more->schema != NULL ? more->schema : cmd->type->aggregate->schema;
    struct sides sides;
    buf_init(&sides.before, ctx->arena, 256);
    buf_init(&sides.after, ctx->arena, 256);
    jw_init(&sides.before_w, &sides.before);
    jw_init(&sides.after_w, &sides.after);
    jw_object(&sides.before_w);
    jw_object(&sides.after_w);
    compare(&sides, s, before, after, more, ctx->arena);
    jw_end(&sides.before_w);
    jw_end(&sides.after_w);
    bool signed_in = cmd->who.role != ROLE_NONE;
    struct ev_audit note = {
        .actor_id = signed_in ? cmd->who.user_id : STR_NONE,
        .actor_role = (int32_t)cmd->who.role,
        .key_id = str_starts(cmd->who.sid, "apk_") ? cmd->who.sid : STR_NONE,
        .source = signed_in                                 ? AUDIT_API
                  : str_is(cmd->who.name, AUDIT_SHELL_NAME) ? AUDIT_SHELL
                                                            : AUDIT_SYSTEM,
        .action = str_from(action),
        .subject_id = more->subject_id.p != NULL ? more->subject_id : cmd->id,
        .before = side_text(&sides.before, before),
        .after = side_text(&sides.after, after),
        .reason = more->reason,
    };
    decision_event(d, cmd, ctx, EV_AUDIT_RECORDED, note.subject_id, &ev_audit_schema, &note);
}
