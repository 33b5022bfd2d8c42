#include "services/booking/ledger.h"

#include "base/check.h"
#include "services/booking/price.h"

#include <string.h>

struct page_of {
    struct booking *b;
    int64_t at_us, sum;
};

static struct page_of open_page(struct booking *b, int64_t now_us, struct arena *a) {
    struct ledger_line *lines = arena_array(a, struct ledger_line, LEDGER_MAX);
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

void ledger_delivered(struct booking *b, int64_t now_us, struct arena *a) {
    struct page_of p = open_page(b, now_us, a);
    const struct price *price = &b->price;
    add(&p, LEDGER_CUSTOMER, LINE_CHARGE, -price->total);
    share(&p, price_gross(price), b->earning);
    add(&p, LEDGER_TAX, LINE_TAX, price_tax(price));
    add(&p, LEDGER_PROMO, LINE_DISCOUNT, -price_discount(price));
    if (b->payment == PAYMENT_CASH) {
        add(&p, LEDGER_CUSTOMER, LINE_CASH, price->total);
        add(&p, LEDGER_DRIVER, LINE_CASH, -price->total);
    }
    CHECK(p.sum == 0);
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
