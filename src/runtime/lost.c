/* Commits whose answer was lost. The store has all of a document's changes or none, and nobody
 * knows which; the document itself says it: it carries the id of its last commit,
 * "<batch>.<ordinal>". A command was written if its document has an id of the same batch with its
 * own ordinal or a later one.
 *
 * That trace must not be wiped out before it is read. So whoever was lost goes first in the next
 * batch, is looked for before anything else is decided, and while the store cannot be asked nothing
 * else is decided on that document.
 */
#include "base/check.h"
#include "base/err.h"
#include "base/id.h"
#include "runtime/executor_internal.h"

#define COMMIT_ID_BATCH_LEN (4 + ULID_TEXT_LEN) /* "cmt_…" */

/* Is LATEST, the id on the document, of the same batch as MINE and not before it? */
static bool commit_reached(struct str latest, struct str mine) {
    return latest.len == mine.len &&
           str_eq(str_sub(latest, 0, COMMIT_ID_BATCH_LEN), str_sub(mine, 0, COMMIT_ID_BATCH_LEN)) &&
           str_cmp(latest, mine) >= 0;
}

/* Asks the store what became of CMD's document. False: it could not be asked. */
static bool look(struct executor *x, struct command *cmd, struct store_doc *ret_doc) {
    const struct command *before = map_get(&x->latest, executor_latest_key(x, cmd));
    if (before != NULL && before->outcome == OUTCOME_UNSEEN)
        return false; /* memory follows in order: after the one before it */
    int err = x->o.store->ops->get(x->o.store, cmd->type->aggregate->collection, cmd->id,
                                   cmd->arena, ret_doc);
    if (err == ERR_NOT_FOUND)
        *ret_doc = (struct store_doc){0};
    return err == 0 || err == ERR_NOT_FOUND;
}

/* Did a commit whose answer was lost get there after all? True: nothing to decide now. */
static bool found_again(struct executor *x, struct command *cmd) {
    struct store_doc doc;
    if (!look(x, cmd, &doc)) {
        /* Another write of this document would wipe out the trace: it waits, too. */
        cmd->outcome = OUTCOME_UNSEEN;
        map_put(&x->latest, executor_latest_key(x, cmd), cmd);
        return true;
    }
    struct str lost = cmd->lost_commit_id;
    cmd->lost_commit_id = STR_NONE;
    bool there = doc.id.p != NULL ? commit_reached(doc.commit_id, lost) : cmd->decision.remove;
    if (!there) {
        /* After its last attempt a command was only looked for. */
        if (cmd->attempts >= EXECUTOR_ATTEMPTS_MAX)
            cmd->outcome = ERR_UNAVAILABLE;
        return cmd->outcome != 0;
    }
    x->stats.commits++;
    if (cmd->type->applied != NULL)
        cmd->type->applied(cmd, &cmd->decision, cmd->decision.state);
    return true;
}

void executor_recall(struct executor *x, struct command *cmd) {
    cmd->recalled = cmd->lost_commit_id.p != NULL && found_again(x, cmd);
}

void executor_keep_lost(struct executor *x, struct command *cmd) {
    const struct store_change *change = &cmd->change;
    struct store_doc doc = {
        .id = change->id, .version = change->expected_version + 1, .state = change->state};
    cmd->lost_commit_id = arena_str(cmd->arena, change->commit_id);
    if (!change->remove)
        CHECK(aggregate_decode(cmd->type->aggregate, &doc, x->parser, cmd->arena,
                               &cmd->decision.state) == 0);
}
