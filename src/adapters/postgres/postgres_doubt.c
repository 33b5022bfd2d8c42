/* What became of commits whose answer was lost. Each batch of a writer has a number, and leaves in
 * the writer's own row of `nodes`, in the same transaction, which of its changes went through.
 * Whoever lost the answer reads that row when he is back (his old session has ended by then), so he
 * knows it whatever others have made of the documents since: the commit_id on the document may be
 * another writer's by now. His first get of each document tells him his own instead.
 */
#include "adapters/postgres/postgres_private.h"

#include "base/check.h"

#include <stdlib.h>
#include <string.h>

#define DOUBTS_MAX 1024 /* the oldest are forgotten: their documents' commit_id has to do */
#define COMMIT_ID_MAX 64

enum fate { FATE_OPEN, FATE_DONE, FATE_NOT };

struct doubt {
    const struct store_collection *collection;
    int64_t batch;
    int32_t ord;
    enum fate fate;
    size_t id_len, commit_len;
    char id[STORE_ID_MAX], commit_id[COMMIT_ID_MAX];
};

struct postgres_doubts {
    int32_t count;
    struct doubt at[DOUBTS_MAX];
};

void postgres_doubt(struct postgres_store *s, const struct store_change *changes, int32_t count) {
    if (!s->doubts)
        s->doubts = xcalloc(1, sizeof *s->doubts);
    struct postgres_doubts *d = s->doubts;
    int32_t gone = d->count + count - DOUBTS_MAX;
    if (gone > 0) {
        memmove(d->at, d->at + gone, (size_t)(d->count - gone) * sizeof *d->at);
        d->count -= gone;
    }
    for (int32_t i = 0; i < count; i++) {
        const struct store_change *c = &changes[i];
        if (!c->commit_id.p || c->commit_id.len > COMMIT_ID_MAX)
            continue;
        struct doubt *x = &d->at[d->count++];
        *x = (struct doubt){.collection = c->collection,
                            .batch = s->batch,
                            .ord = i,
                            .id_len = c->id.len,
                            .commit_len = c->commit_id.len};
        memcpy(x->id, c->id.p, c->id.len);
        memcpy(x->commit_id, c->commit_id.p, c->commit_id.len);
    }
}

/* Is NUMBER among those of "{1,2,30}"? */
static bool listed(struct str list, int32_t number) {
    const char *p = list.p, *end = list.p ? list.p + list.len : NULL;
    while (p && p < end) {
        char *next;
        if (*p < '0' || *p > '9') {
            p++;
            continue;
        }
        if (strtol(p, &next, 10) == number)
            return true;
        p = next;
    }
    return false;
}

void postgres_doubts_end(struct postgres_store *s, int64_t batch, struct str done) {
    for (int32_t i = 0; s->doubts && i < s->doubts->count; i++) {
        struct doubt *x = &s->doubts->at[i];
        if (x->fate == FATE_OPEN)
            x->fate = x->batch == batch && listed(done, x->ord) ? FATE_DONE : FATE_NOT;
    }
}

void postgres_doubts_tell(struct postgres_store *s, const struct store_collection *c, struct str id,
                          struct arena *a, struct store_doc *doc) {
    struct postgres_doubts *d = s->doubts;
    if (!d || d->count == 0)
        return;
    int32_t kept = 0;
    for (int32_t i = 0; i < d->count; i++) {
        const struct doubt *x = &d->at[i];
        if (x->collection == c && str_eq((struct str){x->id, x->id_len}, id)) {
            if (x->fate == FATE_DONE)
                doc->commit_id = arena_str(a, (struct str){x->commit_id, x->commit_len});
            continue;
        }
        if (kept != i)
            d->at[kept] = *x;
        kept++;
    }
    d->count = kept;
}
