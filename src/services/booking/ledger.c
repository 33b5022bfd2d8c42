#include "services/booking/ledger.h"

#include "base/check.h"
#include "services/booking/price.h"

#include <string.h>

struct page_of {
    struct booking *b;
    int64_t at_us, sum;
};

#define PAGE_LINES_MAX 8 /* written at a time */

static struct page_of open_page(struct booking *b, int64_t now_us, struct arena *a) {
    struct ledger_line *lines =
        arena_array(a, struct ledger_line, b->ledger_count + PAGE_LINES_MAX);
    if (b->ledger_count > 0)
        memcpy(lines, b->ledger, (size_t)b->ledger_count * sizeof(*lines));
    b->ledger = lines;
    return (struct page_of){b, now_us, 0};
}

static void add(struct page_of *p, int32_t account, int32_t code, int64_t amount) {
    p->sum += amount;
    if (amount == 0)
        return;
    CHECK(p->b->ledger_count < LEDGER_MAX);
    p->b->ledger[p->b->ledger_count++] =
        (struct ledger_line){.at_us = p->at_us, .account = account, .code = code, .amount = amount};
}

static void share(struct page_of *p, int64_t gross, int64_t earning) {
    CHECK(earning >= 0 && earning <= gross);
    add(p, LEDGER_DRIVER, LINE_EARNING, earning);
    add(p, LEDGER_HOUSE, LINE_COMMISSION, gross - earning);
}

/* From the customer's hand into the driver's. */
static void move_cash(struct page_of *p, int32_t code, int64_t amount) {
    add(p, LEDGER_CUSTOMER, code, amount);
    add(p, LEDGER_DRIVER, code, -amount);
}

int64_t ledger_fares(const struct booking *b) {
    int64_t sum = 0;
    for (int32_t i = 0; i < b->ledger_count; i++)
        sum += b->ledger[i].code == LINE_CASH && b->ledger[i].account == LEDGER_CUSTOMER
                   ? b->ledger[i].amount
                   : 0;
    return sum;
}

void ledger_delivered(struct booking *b, int64_t now_us, struct arena *a) {
    struct page_of p = open_page(b, now_us, a);
    const struct price *price = &b->price;
    add(&p, LEDGER_CUSTOMER, LINE_CHARGE, -price->total);
    share(&p, price_gross(price), b->earning);
    add(&p, LEDGER_TAX, LINE_TAX, price_tax(price));
    add(&p, LEDGER_PROMO, LINE_DISCOUNT, -price_discount(price));
    const struct stop_cash *cash = b->stop_count > 0 ? b->stops[b->stop_count - 1].cash : NULL;
    bool confirmed = cash != NULL && cash->collected != I64_ABSENT;
    if (b->payment == PAYMENT_CASH && !confirmed && price->total > ledger_fares(b))
        move_cash(&p, LINE_CASH, price->total - ledger_fares(b));
    CHECK(p.sum == 0);
}

void ledger_collected(struct booking *b, int64_t goods, int64_t fare, int64_t now_us,
                      struct arena *a) {
    struct page_of p = open_page(b, now_us, a);
    move_cash(&p, LINE_COLLECTED, goods);
    move_cash(&p, LINE_CASH, fare);
    CHECK(p.sum == 0);
}

/* ---- what it is to the book of its driver ---- */

static enum cash_account account_of(const struct ledger_line *line) {
    switch ((enum ledger_account)line->account) {
    case LEDGER_CUSTOMER:
        return line->code == LINE_COLLECTED ? CASH_CUSTOMERS : CASH_FARES;
    case LEDGER_DRIVER:
        return line->code == LINE_EARNING ? CASH_EARNINGS : CASH_HELD;
    case LEDGER_HOUSE:
        return CASH_COMMISSION;
    case LEDGER_TAX:
        return CASH_TAX;
    case LEDGER_PROMO:
        return CASH_DISCOUNTS;
    case LEDGER_NONE:
        break;
    }
    UNREACHABLE();
}

struct cash_lines *ledger_book_lines(const struct booking *b, int32_t from, struct arena *a) {
    if (from >= b->ledger_count)
        return NULL;
    struct cash_lines *lines = arena_new(a, struct cash_lines);
    int64_t sum = 0;
    *lines = (struct cash_lines){{0}};
    for (int32_t i = from; i < b->ledger_count; i++) {
        lines->amount[account_of(&b->ledger[i])] -= b->ledger[i].amount;
        sum += b->ledger[i].amount;
    }
    CHECK(sum == 0);
    return lines;
}

void ledger_cancelled(struct booking *b, int64_t fee, int64_t now_us, struct arena *a) {
    if (fee == 0)
        return;
    struct page_of p = open_page(b, now_us, a);
    add(&p, LEDGER_CUSTOMER, LINE_FEE, -fee);
    /* where nobody was on his way yet, it is the house that has lost a trip */
    share(&p, fee, b->driver != NULL ? price_earning(fee, b->terms.commission_bp) : 0);
    CHECK(p.sum == 0);
}

static int64_t sum_of(const struct booking *b, int32_t code) {
    int64_t sum = 0;
    for (int32_t i = 0; i < b->ledger_count; i++)
        sum += b->ledger[i].code == code ? b->ledger[i].amount : 0;
    return sum;
}

int64_t ledger_earned(const struct booking *b) {
    return sum_of(b, LINE_EARNING);
}

int64_t ledger_gross(const struct booking *b) {
    return sum_of(b, LINE_EARNING) + sum_of(b, LINE_COMMISSION);
}
