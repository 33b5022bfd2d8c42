/* What the world sees: JSON by hand, because these shapes are fixed and differ from what is kept.
 * Everybody who may see a booking sees the same, but for names, numbers, notes and the link
 * (events/sight.h);
 * a tracking link shows less.
 */
#include "base/check.h"
#include "geo/geo.h"
#include "services/booking/collect.h"
#include "services/booking/fees.h"
#include "services/booking/internal.h"

#include <math.h>
#include <string.h>

#define VIEW_CAP_FIRST 2048

static void write_items(struct jw *w, const struct price *p) {
    jw_key(w, "items");
    jw_array(w);
    for (int32_t i = 0; i < p->item_count; i++) {
        const struct price_item *item = &p->items[i];
        jw_object(w);
        jw_key(w, "code");
        jw_cstr(w, item_code_names[item->code]);
        if (item->quantity != I64_ABSENT) {
            jw_kv_i64(w, "quantity", item->quantity);
            jw_key(w, "unit");
            jw_cstr(w, item_unit_names[item->code]);
        }
        jw_kv_i64(w, "amount", item->amount);
        jw_end(w);
    }
    jw_end(w);
}

static void write_taxes(struct jw *w, const struct price *p) {
    jw_key(w, "taxes");
    jw_array(w);
    for (int32_t i = 0; i < p->tax_count; i++) {
        const struct price_tax *tax = &p->taxes[i];
        jw_object(w);
        jw_kv_str(w, "name", tax->name);
        jw_kv_i64(w, "rate_bp", tax->rate_bp);
        jw_kv_i64(w, "amount", tax->amount);
        jw_key(w, "included");
        jw_bool(w, p->taxes_included);
        jw_end(w);
    }
    jw_end(w);
}

/* Of bookings that are older than versions are, none is said. */
static void write_tariff(struct jw *w, const struct terms *t) {
    if (t->tariff_version > 0)
        jw_kv_i64(w, "tariff_version", t->tariff_version);
}

void place_write(struct jw *w, int32_t index, bool back, const struct place *p) {
    jw_kv_i64(w, "index", index);
    jw_key(w, "kind");
    jw_cstr(w, back ? "return" : index == 0 ? "pickup" : "dropoff");
    jw_kv_point(w, place_point(p));
    jw_kv_str(w, "address", p->address);
}

static void write_window(struct jw *w, const struct window *window) {
    jw_key(w, "pickup_window");
    if (window == NULL) {
        jw_null(w);
        return;
    }
    jw_object(w);
    jw_kv_time(w, "from", window->from_us);
    jw_kv_time(w, "to", window->to_us);
    jw_end(w);
}

/* Nothing is said where nothing was. */
static void write_goods(struct jw *w, const struct goods *goods, int32_t count) {
    if (count == 0)
        return;
    jw_key(w, "goods");
    jw_array(w);
    for (int32_t i = 0; i < count; i++)
        schema_write(&goods_schema, &goods[i], S_OUT, w);
    jw_end(w);
}

/* What may come on top, by what was agreed: waiting, and the way back of what cannot be delivered.
 * B, if there is one, has its driver wait since a moment: whoever shows it counts on from there. */
static void write_extras(struct jw *w, const struct terms *t, const struct booking *b) {
    if (t->waiting_per_minute > 0) {
        jw_key(w, "waiting");
        jw_object(w);
        jw_kv_i64(w, "free_minutes", t->waiting_free_minutes);
        jw_kv_i64(w, "per_minute", t->waiting_per_minute);
        if (b != NULL && booking_is_at_stop(b->state)) {
            int32_t stop = booking_next_stop(b);
            jw_kv_i64(w, "stop", stop);
            jw_kv_time(w, "since", fees_waiting_from(b, stop));
        }
        jw_end(w);
    }
    if (t->return_percent != I64_ABSENT && t->tariff_version > 0) {
        jw_key(w, "returns");
        jw_object(w);
        jw_kv_i64(w, "percent", t->return_percent);
        jw_end(w);
    }
}

/* ---- quotes ---- */

static void write_quote(struct jw *w, const struct quote_set *s, const struct quote *q,
                        struct arena *a) {
    jw_object(w);
    jw_kv_str(w, "id", id_variant(a, s->head.id, (unsigned)q->vehicle));
    jw_key(w, "vehicle");
    jw_cstr(w, vehicle_names[q->vehicle]);
    jw_kv_i64(w, "distance_m", q->distance_m);
    jw_kv_i64(w, "duration_s", q->duration_s);
    jw_kv_str(w, "currency", q->price.currency);
    jw_kv_i64(w, "total", q->price.total);
    write_items(w, &q->price);
    write_taxes(w, &q->price);
    write_tariff(w, &q->terms);
    write_extras(w, &q->terms, NULL);
    if (price_discount(&q->price) > 0)
        jw_kv_str(w, "promo_code", s->promo->code);
    if (q->promo_unfit.p != NULL)
        jw_kv_str(w, "promo_unfit", q->promo_unfit);
    jw_key(w, "pickup_eta_s");
    if (q->pickup_eta_s != I64_ABSENT)
        jw_i64(w, q->pickup_eta_s);
    else
        jw_null(w);
    jw_kv_str(w, "polyline", q->polyline);
    jw_key(w, "estimate");
    jw_bool(w, q->estimate);
    jw_kv_time(w, "expires_at", s->expires_at_us);
    if (s->again_of.p != NULL)
        jw_kv_str(w, "again_of", s->again_of);
    write_window(w, s->pickup_window);
    jw_key(w, "surge_applies");
    jw_bool(w, !s->waits);
    jw_key(w, "stops");
    jw_array(w);
    for (int32_t i = 0; i < s->stop_count; i++) {
        jw_object(w);
        place_write(w, i, false, &s->stops[i]);
        jw_end(w);
    }
    jw_end(w);
    jw_end(w);
}

struct str quote_set_view(const struct quote_set *s, int64_t collect_max, struct arena *a) {
    struct buf out;
    struct jw w;
    buf_init(&out, a, VIEW_CAP_FIRST);
    jw_init(&w, &out);
    jw_object(&w);
    jw_key(&w, "quotes");
    jw_array(&w);
    for (int32_t i = 0; i < s->quote_count; i++)
        write_quote(&w, s, &s->quotes[i], a);
    jw_end(&w);
    jw_kv_i64(&w, "collect_max", collect_max);
    if (s->unfit_count > 0) {
        jw_key(&w, "unfit");
        jw_array(&w);
        for (int32_t i = 0; i < s->unfit_count; i++) {
            jw_object(&w);
            jw_key(&w, "vehicle");
            jw_cstr(&w, vehicle_names[s->unfit[i].vehicle]);
            jw_kv_str(&w, "reason", arena_printf(a, "the goods %.*s", STR_ARG(s->unfit[i].reason)));
            jw_end(&w);
        }
        jw_end(&w);
    }
    jw_end(&w);
    return buf_str(&out);
}

/* ---- bookings ---- */

/* What is not known is left out: a booking is told often, and most of the time none of it is. */
static void write_known_time(struct jw *w, const char *key, int64_t at_us) {
    if (at_us != 0)
        jw_kv_time(w, key, at_us);
}

/* Who is there, and what he is to know who comes there. */
static void write_people(struct jw *w, const struct booking_stop *s,
                         const struct booking_sight *seen) {
    jw_key(w, "contact");
    if (s->contact != NULL && seen->contacts != SIGHT_NONE) {
        jw_object(w);
        jw_kv_str(w, "name", sight_name(seen->contacts, s->contact->name));
        jw_kv_str(w, "phone",
                  sight_number(seen->contacts, s->contact->phone, seen->line, w->out->arena));
        jw_end(w);
    } else {
        jw_null(w);
    }
    jw_kv_str(w, "note", sight_has_notes(seen->contacts) ? s->note : STR_NONE);
}

/* SEEN: NULL by a tracking link, which shows none of the people there. */
static void write_stop(struct jw *w, const struct booking *b, int32_t i,
                       const struct booking_sight *seen, const struct fleet_eta *eta,
                       int32_t pin_of) {
    const struct booking_stop *s = &b->stops[i];
    bool contact = seen != NULL;
    struct place place = s->place;
    jw_object(w);
    if (contact && seen->contacts == SIGHT_NONE) /* it is not his, or not any more */
        place.address = sight_street(place.address, w->out->arena);
    place_write(w, i, s->back, &place);
    if (contact)
        write_people(w, s, seen);
    jw_key(w, "state");
    jw_cstr(w, stop_state_names[s->state]);
    if (s->reason.p != NULL)
        jw_kv_str(w, "reason", s->reason);
    jw_kv_time(w, "eta", eta->at_us);
    write_known_time(w, "eta_from", eta->early_us);
    write_known_time(w, "eta_to", eta->late_us);
    write_known_time(w, "reached_at", s->reached_at_us);
    write_known_time(w, "left_at", s->left_at_us);
    if (contact || i == pin_of)
        collect_write(w, b, i);
    if (s->proof != NULL) {
        jw_key(w, "proof");
        jw_object(w);
        proof_write(w, b, i, contact || s->state == STOP_DONE);
        if (i == pin_of)
            jw_kv_str(w, "pin", s->proof->pin);
        jw_end(w);
    }
    jw_end(w);
}

static void write_stops(struct jw *w, const struct booking *b, const struct booking_sight *seen,
                        const struct live *live, int32_t pin_of) {
    static const struct fleet_eta unknown;
    jw_key(w, "stops");
    jw_array(w);
    for (int32_t i = 0; i < b->stop_count; i++)
        write_stop(w, b, i, seen,
                   live != NULL && i < live->etas.stop_count ? &live->etas.stops[i] : &unknown,
                   pin_of);
    jw_end(w);
}

/* What his positions say that the driver will say next: one tap for him. */
static void write_suggestion(struct jw *w, const struct booking *b) {
    int32_t next = booking_next_stop(b), state = booking_suggested(b);
    if (state == BOOKING_NONE)
        return;
    jw_key(w, "suggestion");
    jw_object(w);
    jw_key(w, "status");
    jw_cstr(w, booking_state_names[state]);
    jw_kv_i64(w, "stop", next);
    jw_end(w);
}

static void write_free_at(struct jw *w, const struct booking *b) {
    if (booking_waits(b))
        write_known_time(w, "free_at", b->driver->free_at_us);
}

static void write_driver(struct jw *w, const struct booking *b, const struct booking_sight *seen) {
    const struct booking_driver *d = b->driver;
    jw_key(w, "driver");
    if (d == NULL) {
        jw_null(w);
    } else {
        jw_object(w);
        jw_kv_str(w, "id", d->id);
        jw_kv_str(w, "name", sight_name(seen->driver, d->name));
        jw_kv_str(w, "phone", sight_number(seen->driver, d->phone, seen->line, w->out->arena));
        jw_key(w, "rating");
        jw_f64(w, d->rating); /* none yet: null */
        write_free_at(w, b);
        jw_end(w);
    }
    jw_kv_str(w, "vehicle_plate", d != NULL ? d->plate : STR_NONE);
}

void price_write(struct jw *w, const struct price *p, const struct terms *terms) {
    jw_key(w, "price");
    jw_object(w);
    jw_kv_str(w, "currency", p->currency);
    jw_kv_i64(w, "total", p->total);
    write_items(w, p);
    write_taxes(w, p);
    write_tariff(w, terms);
    jw_end(w);
}

static void write_rating(struct jw *w, const struct rating *r) {
    jw_key(w, "rating");
    if (r == NULL) {
        jw_null(w);
        return;
    }
    jw_object(w);
    jw_kv_i64(w, "stars", r->stars);
    jw_kv_str(w, "comment", r->comment);
    jw_end(w);
}

void booking_write(struct jw *w, const struct booking *b, const struct live *live,
                   const struct booking_sight *seen) {
    char token[ULID_TEXT_LEN + SECRET_LEN];
    jw_object(w);
    jw_kv_str(w, "id", b->head.id);
    jw_kv_str(w, "code", b->code);
    jw_key(w, "state");
    jw_cstr(w, booking_state_names[b->state]);
    jw_kv_str(w, "customer_id", b->customer_id);
    jw_key(w, "vehicle");
    jw_cstr(w, vehicle_names[b->vehicle]);
    jw_kv_i64(w, "version", b->head.version);
    jw_kv_i64(w, "stops_revision", booking_stops_revision(b));
    write_stops(w, b, seen, live, -1); /* its driver sees this, too */
    write_suggestion(w, b);
    write_goods(w, b->goods, b->goods_count);
    price_write(w, &b->price, &b->terms);
    write_extras(w, &b->terms, b);
    jw_kv_i64(w, "distance_m", b->distance_m);
    jw_kv_i64(w, "duration_s", b->duration_s);
    jw_key(w, "estimate");
    jw_bool(w, b->estimate);
    if (b->promo != NULL)
        jw_kv_str(w, "promo_code", b->promo->code);
    jw_key(w, "payment");
    jw_cstr(w, payment_names[b->payment]);
    jw_kv_str(w, "notes", sight_has_notes(seen->contacts) ? b->notes : STR_NONE);
    write_driver(w, b, seen);
    jw_kv_str(w, "tracking_token",
              sight_has_link(seen->contacts) ? tracking_token(b, token) : STR_NONE);
    jw_kv_str(w, "reason", b->reason);
    if (b->state == BOOKING_CANCELLED && b->cancel_fee != I64_ABSENT)
        jw_kv_i64(w, "cancel_fee", b->cancel_fee);
    write_rating(w, b->rating);
    jw_key(w, "prefer_favourites");
    jw_bool(w, b->favourite_count > 0);
    write_window(w, b->pickup_window);
    jw_kv_time(w, "dispatch_at", b->state == BOOKING_SCHEDULED ? b->dispatch_at_us : 0);
    jw_kv_time(w, "created_at", b->created_at_us);
    jw_kv_time(w, "updated_at", b->updated_at_us);
    jw_kv_time(w, "ended_at", b->ended_at_us);
    if (b->made_by.p != NULL)
        jw_kv_str(w, "made_by", b->made_by);
    if (b->held) {
        jw_key(w, "held");
        jw_bool(w, true);
    }
    jw_end(w);
}

struct str booking_view(const struct booking *b, const struct live *live,
                        const struct booking_sight *seen, struct arena *a) {
    struct buf out;
    struct jw w;
    buf_init(&out, a, VIEW_CAP_FIRST);
    jw_init(&w, &out);
    booking_write(&w, b, live, seen);
    return buf_str(&out);
}

/* ---- ledger ---- */

struct str booking_ledger_view(const struct booking *b, unsigned hats, struct arena *a) {
    struct buf out;
    struct jw w;
    buf_init(&out, a, VIEW_CAP_FIRST);
    jw_init(&w, &out);
    jw_object(&w);
    jw_kv_str(&w, "currency", b->price.currency);
    jw_key(&w, "items");
    jw_array(&w);
    for (int32_t i = 0; i < b->ledger_count; i++) {
        const struct ledger_line *line = &b->ledger[i];
        bool shown = (hats & HAT_STAFF) != 0 ||
                     ((hats & HAT_CUSTOMER) != 0 && line->account == LEDGER_CUSTOMER) ||
                     ((hats & HAT_DRIVER) != 0 && line->account == LEDGER_DRIVER);
        if (!shown)
            continue;
        jw_object(&w);
        jw_kv_time(&w, "at", line->at_us);
        jw_key(&w, "account");
        jw_cstr(&w, ledger_account_names[line->account]);
        jw_key(&w, "code");
        jw_cstr(&w, ledger_code_names[line->code]);
        jw_kv_i64(&w, "amount", line->amount);
        jw_end(&w);
    }
    jw_end(&w);
    jw_key(&w, "next_cursor"); /* a ledger is bounded: it comes whole */
    jw_null(&w);
    jw_end(&w);
    return buf_str(&out);
}

/* ---- timeline ---- */

static void write_actor(struct jw *w, const struct timeline_entry *t, bool open) {
    jw_key(w, "actor");
    jw_object(w);
    jw_key(w, "kind");
    jw_cstr(w, entry_actor(t));
    jw_kv_str(w, "id", open ? t->actor_id : STR_NONE);
    jw_end(w);
}

static void write_data(struct jw *w, const struct timeline_entry *t, bool open) {
    jw_key(w, "data");
    jw_object(w);
    jw_key(w, "state");
    jw_cstr(w, booking_state_names[t->state]);
    if (t->stop != I64_ABSENT)
        jw_kv_i64(w, "stop", t->stop);
    if (t->stars != I64_ABSENT)
        jw_kv_i64(w, "stars", t->stars);
    if (t->amount != I64_ABSENT)
        jw_kv_i64(w, "amount", t->amount);
    if (t->from.p != NULL) {
        jw_key(w, "from");
        jw_raw(w, t->from);
    }
    if (open && t->reason.p != NULL)
        jw_kv_str(w, "reason", t->reason);
    if (open && t->driver_id.p != NULL)
        jw_kv_str(w, "driver_id", t->driver_id);
    if (open && t->offer_id.p != NULL)
        jw_kv_str(w, "offer_id", t->offer_id);
    if (open && t->proof.p != NULL) {
        jw_key(w, "proof");
        jw_raw(w, t->proof);
    }
    jw_end(w);
}

bool booking_entry_confidential(const struct timeline_entry *t) {
    return t->type == ENTRY_OFFERED || t->type == ENTRY_OFFER_CLOSED ||
           t->type == ENTRY_ASSIGN_WANTED || t->type == ENTRY_UNASSIGNED;
}

struct str booking_timeline_view(const struct booking *b, bool staff, struct arena *a) {
    struct buf out;
    struct jw w;
    buf_init(&out, a, VIEW_CAP_FIRST);
    jw_init(&w, &out);
    jw_object(&w);
    jw_key(&w, "items");
    jw_array(&w);
    for (int32_t i = 0; i < b->timeline_count; i++) {
        const struct timeline_entry *t = &b->timeline[i];
        bool open = staff || !booking_entry_confidential(t);
        jw_object(&w);
        jw_kv_i64(&w, "seq", i + 1);
        jw_kv_time(&w, "at", t->at_us);
        jw_key(&w, "type");
        jw_cstr(&w, entry_type_names[t->type]);
        write_actor(&w, t, open);
        write_data(&w, t, open);
        jw_end(&w);
    }
    jw_end(&w);
    jw_key(&w, "next_cursor"); /* a timeline is bounded: it comes whole */
    jw_null(&w);
    jw_end(&w);
    return buf_str(&out);
}

/* ---- tracking ---- */

static void write_position(struct jw *w, const struct live *live) {
    jw_key(w, "position");
    if (!live->known) {
        jw_null(w);
        return;
    }
    jw_object(w);
    jw_kv_point(w, live->position.at);
    jw_key(w, "bearing_deg");
    if (live->position.bearing_deg >= 0)
        jw_i64(w, live->position.bearing_deg);
    else
        jw_null(w);
    jw_kv_time(w, "at", live->position.at_us);
    jw_end(w);
}

struct str booking_tracking_view(const struct booking *b, const struct live *live, int32_t stop,
                                 struct arena *a) {
    struct buf out;
    struct jw w;
    buf_init(&out, a, VIEW_CAP_FIRST);
    jw_init(&w, &out);
    jw_object(&w);
    jw_kv_str(&w, "code", b->code);
    jw_key(&w, "state");
    jw_cstr(&w, booking_state_names[b->state]);
    write_stops(&w, b, NULL, live, stop);
    jw_key(&w, "driver");
    if (b->driver != NULL) {
        /* However long ago it ended, a link shows the same, and no number at any time. */
        enum sight sight = sight_of(VIEWER_LINK, STAGE_LIVE).driver;
        jw_object(&w);
        jw_kv_str(&w, "name", sight_name(sight, b->driver->name));
        jw_key(&w, "vehicle");
        jw_cstr(&w, vehicle_names[b->vehicle]);
        jw_kv_str(&w, "plate", b->driver->plate);
        write_free_at(&w, b);
        jw_end(&w);
    } else {
        jw_null(&w);
    }
    write_position(&w, live);
    jw_kv_time(&w, "eta", live->eta_us);
    if (live->eta_us != 0) {
        const struct fleet_eta *eta = &live->etas.stops[booking_next_stop(b)];
        write_known_time(&w, "eta_from", eta->early_us);
        write_known_time(&w, "eta_to", eta->late_us);
    }
    if (b->reason.p != NULL && b->state != BOOKING_CANCELLED)
        jw_kv_str(&w, "reason", b->reason);
    jw_key(&w, "rating");
    if (b->rating != NULL) {
        jw_object(&w);
        jw_kv_i64(&w, "stars", b->rating->stars); /* what was said with it is the customer's */
        jw_end(&w);
    } else {
        jw_null(&w);
    }
    jw_end(&w);
    return buf_str(&out);
}
