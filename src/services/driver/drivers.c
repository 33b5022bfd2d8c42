/* Lists: all drivers, for those who approve them; and the offers that a driver may answer now. */
#include "base/err.h"
#include "events/sight.h"
#include "services/driver/service_internal.h"

void drivers_list(struct call *c) {
    struct driver_service *s = c->service;
    int32_t limit, status = 0, count;
    struct str after;
    if (!call_page(c, &limit, &after) ||
        !call_query_enum(c, "status", driver_status_names, &status))
        return;
    struct store *store = c->worker->reader;
    struct store_doc *docs;
    struct store_query q = {
        .collection = &driver_collection, .after = after, .may_lag = true, .limit = limit};
    if (status != 0) {
        q.index = "status";
        q.key = str_from(driver_status_names[status]);
    }
    int err = store->ops->list(store, &q, &c->arena, &docs, &count);
    struct page p;
    page_begin(&p, c);
    for (int32_t i = 0; err == 0 && i < count; i++) {
        void *state;
        err = aggregate_decode(&driver_aggregate, &docs[i], c->worker->parser, &c->arena, &state);
        if (err < 0)
            break;
        struct fleet_position at;
        bool placed = roster_position(s->roster, docs[i].id, &at) == 0;
        driver_write(&p.w, state, placed ? &at : NULL);
    }
    if (err < 0) {
        call_error(c, err);
        return;
    }
    page_reply(&p, count == limit, count > 0 ? docs[count - 1].id : STR_NONE);
}

/* He does not have it yet: the street, not the house. */
static void write_place(struct jw *w, const char *key, const struct ev_point *p) {
    jw_key(w, key);
    if (p == NULL) {
        jw_null(w);
        return;
    }
    struct ev_point shown = *p;
    shown.address = sight_street(p->address, w->out->arena);
    schema_write(&place_schema, &shown, S_OUT, w);
}

static void write_offer(struct jw *w, const struct driver_claim *claim) {
    jw_object(w);
    jw_kv_str(w, "id", claim->offer_id);
    jw_kv_str(w, "booking_id", claim->booking_id);
    jw_kv_time(w, "expires_at", claim->expires_at_us);
    write_place(w, "pickup", claim->pickup);
    write_place(w, "dropoff", claim->dropoff);
    jw_kv_i64(w, "stops", claim->stop_count);
    jw_kv_i64(w, "pickup_distance_m", claim->pickup_distance_m);
    jw_kv_i64(w, "pickup_eta_s", claim->pickup_eta_s);
    jw_key(w, "earning");
    jw_object(w);
    jw_kv_str(w, "currency", claim->currency);
    jw_kv_i64(w, "amount", claim->earning);
    jw_end(w);
    if (claim->cash > 0) {
        jw_key(w, "cash");
        jw_object(w);
        jw_kv_str(w, "currency", claim->currency);
        jw_kv_i64(w, "amount", claim->cash);
        jw_end(w);
    }
    if (claim->load != NULL) {
        jw_key(w, "load");
        schema_write(&ev_load_schema, claim->load, S_OUT, w);
    }
    if (claim->free_at_us != 0) /* it comes after what he carries now */
        jw_kv_time(w, "free_at", claim->free_at_us);
    jw_end(w);
}

/* The booking has recorded it, and it is not past its time. */
static bool may_answer(const struct driver_claim *claim, int64_t now_us) {
    return claim != NULL && !claim->active && !claim->manual && claim->expires_at_us > now_us;
}

void offers_list(struct call *c) {
    void *state = NULL;
    int err = aggregate_get(&driver_aggregate, c->worker->reader, c->worker->parser,
                            driver_id_of(&c->arena, c->who.user_id), &c->arena, &state);
    if (err < 0 && err != ERR_NOT_FOUND) {
        call_error(c, err);
        return;
    }
    const struct driver *d = state;
    struct page p;
    page_begin(&p, c);
    if (d != NULL && may_answer(d->claim, c->now_us))
        write_offer(&p.w, d->claim);
    if (d != NULL && may_answer(d->next, c->now_us))
        write_offer(&p.w, d->next);
    page_reply(&p, false, STR_NONE);
}
