/* Cash, as the oracle sees it: every entry of every driver's book adds up to zero, and so does each
 * book; a book is the sum of its entries, each counted once; and what drivers hold was taken at the
 * stops of bookings.
 */
#include "sim/oracle.h"

#include <string.h>

/* The amounts of LINES, by account; they add up to zero. */
static void read_lines(struct oracle *o, struct str id, struct json_value lines,
                       int64_t ret[CASH_ACCOUNT_COUNT]) {
    int64_t sum = 0;
    for (int i = CASH_NONE + 1; i < CASH_ACCOUNT_COUNT; i++) {
        int64_t amount = sim_json_i64(lines, cash_account_names[i]);
        ret[i] = amount != I64_ABSENT ? amount : 0;
        sum += ret[i];
    }
    SIM_EXPECT(o->sim, sum == 0, "ledgers add up to zero", "%.*s adds up to %lld", STR_ARG(id),
               (long long)sum);
}

void oracle_cash_book(struct oracle *o, struct json_value root, struct shadow_driver *d) {
    struct json_value cash, sum;
    if (json_get(root, "cash", &cash) && json_get(cash, "sum", &sum))
        read_lines(o, str_from(d->id), sum, d->cash);
}

/* Made once, and reversed once at most. */
void oracle_cash_entry(struct oracle *o, const struct store_change *change) {
    struct json_value root, lines;
    int64_t amounts[CASH_ACCOUNT_COUNT] = {0};
    bool sound =
        json_parse(o->parser, change->state, &root) == 0 && json_get(root, "lines", &lines);
    SIM_EXPECT(o->sim, sound && change->expected_version <= 1, "an entry is reversed once at most",
               "%.*s after version %lld", STR_ARG(change->id), (long long)change->expected_version);
    if (!sound || change->expected_version > 0)
        return;
    read_lines(o, change->id, lines, amounts);
    struct shadow_driver *d = shadow_driver(o, sim_json_str(root, "driver_id"));
    for (int i = CASH_NONE + 1; i < CASH_ACCOUNT_COUNT; i++)
        d->entered[i] += amounts[i];
    if (sim_json_str(root, "booking_id").p != NULL)
        d->cash_taken += amounts[CASH_HELD];
    sim_trace(o->sim, "cash", -1, change->id, sim_json_str(root, "kind"), amounts[CASH_HELD],
              amounts[CASH_TILL]);
}

void oracle_cash_booking(struct json_value root, struct shadow_booking *b) {
    struct json_value ledger;
    b->cash_taken = 0;
    if (!json_get(root, "ledger", &ledger))
        return;
    for (struct json_iter it = json_iter(ledger); json_next(&it);) {
        struct str code = sim_json_str(it.value, "code");
        if (str_is(sim_json_str(it.value, "account"), "driver") &&
            (str_is(code, "cash") || str_is(code, "collected")))
            b->cash_taken -= sim_json_i64(it.value, "amount");
    }
}

void oracle_cash_verdict(struct oracle *o) {
    for (const struct shadow_driver *d = o->first_driver; d != NULL; d = d->next) {
        int64_t taken = 0;
        for (int i = CASH_NONE + 1; i < CASH_ACCOUNT_COUNT; i++)
            SIM_EXPECT(o->sim, d->cash[i] == d->entered[i], "a book is the sum of its entries",
                       "%s: %s is %lld, its entries are %lld", d->id, cash_account_names[i],
                       (long long)d->cash[i], (long long)d->entered[i]);
        for (const struct shadow_booking *b = o->first_booking; b != NULL; b = b->next)
            taken += strcmp(b->driver_id, d->id) == 0 ? b->cash_taken : 0;
        SIM_EXPECT(o->sim, taken == d->cash_taken, "cash that was taken is in the books",
                   "%s took %lld, his book says %lld", d->id, (long long)taken,
                   (long long)d->cash_taken);
    }
}
