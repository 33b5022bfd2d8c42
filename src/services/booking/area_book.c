#include "services/booking/area_book.h"

#include "base/check.h"
#include "base/err.h"

#include <stddef.h>
#include <stdlib.h>

#define PAST_AT(member) .offset = offsetof(struct area_past, member)
static const struct schema_field past_fields[] = {
    {"version", S_I64, S_STORE, PAST_AT(number)},
    {"area", S_RAW, S_STORE, PAST_AT(area)},
    {"updated_at", S_TIME, S_STORE, PAST_AT(updated_at_us)},
    {"updated_by", S_ID, S_STORE, PAST_AT(updated_by), .hint = "usr"},
};
static const struct schema past_schema =
    SCHEMA(struct area_past, "StoredServiceAreaVersion", past_fields);
#define AT(member) .offset = offsetof(struct area_doc, member)
static const struct schema_field doc_fields[] = {
    {"id", S_ID, S_OUT, AT(head.id), .hint = "sva"},
    {"version", S_I64, S_OUT, AT(head.version)},
    {"area", S_RAW, S_OUT | S_STORE, AT(area)},
    {"updated_at", S_TIME, S_STORE, AT(updated_at_us)},
    {"updated_by", S_ID, S_STORE, AT(updated_by), .hint = "usr"},
    {"past", S_LIST, S_STORE, AT(past), .count_offset = offsetof(struct area_doc, past_count),
     .max = AREA_PAST_MAX, .sub = &past_schema},
};
static const struct schema doc_schema = SCHEMA(struct area_doc, "StoredServiceArea", doc_fields);
const struct store_collection area_collection = {.name = "service_areas"};
const struct aggregate area_aggregate = {&area_collection, &doc_schema, NULL, NULL};

static struct area_book *book_new(void) {
    struct area_book *b = xcalloc(1, sizeof(*b));
    arena_init(&b->arena, 8192);
    b->readers = 1;
    b->number = 1;
    return b;
}

static void book_free(struct area_book *b) {
    arena_free(&b->arena);
    free(b);
}

static void book_area(struct area_book *b, const struct area *area) {
    b->area = area;
    if (area == NULL)
        return;
    struct area shown = area_shown(area, &b->arena);
    struct buf out;
    struct jw w;
    buf_init(&out, &b->arena, 1024);
    jw_init(&w, &out);
    area_write(&w, &shown);
    b->shown = buf_str(&out);
}

/* ---- reading ---- */

/* What lies in the store met the rules of its day: none but the shape is asked for. */
static int book_doc(struct area_book *b, const struct area_doc *doc) {
    struct field_errors errors = {0};
    struct area *area = NULL;
    b->number = doc->head.version + 1;
    b->updated_at_us = doc->updated_at_us;
    b->updated_by = arena_str(&b->arena, doc->updated_by);
    if (doc->area.p != NULL) {
        area = arena_new(&b->arena, struct area);
        if (area_parse(doc->area, &b->arena, area, &errors) < 0)
            return ERR_CORRUPT;
    }
    book_area(b, area);
    return 0;
}

static void put_book(struct area_shelf *s, struct area_book *b) {
    pthread_mutex_lock(&s->lock);
    struct area_book *old = s->book;
    s->book = b;
    bool last = old != NULL && --old->readers == 0;
    pthread_mutex_unlock(&s->lock);
    if (last)
        book_free(old);
}

int area_shelf_read(struct area_shelf *s, struct store *store, int64_t now_us) {
    struct area_book *b = book_new();
    struct json_parser *p = json_parser_new();
    void *state = NULL;
    atomic_store(&s->stale, false);
    int err = aggregate_get(&area_aggregate, store, p, AREA_DOC_ID, &b->arena, &state);
    if (err == 0)
        err = book_doc(b, state);
    else if (err == ERR_NOT_FOUND) {
        book_area(b, s->house);
        err = 0;
    }
    json_parser_free(p);
    if (err < 0) {
        book_free(b);
        atomic_store(&s->stale, true);
        return err;
    }
    s->read_us = now_us;
    put_book(s, b);
    return 0;
}

void area_shelf_follow(struct area_shelf *s, struct store *store, int64_t now_us) {
    bool missed = s->peers != NULL && s->read_us < peers_missed_us(s->peers, now_us) &&
                  now_us - s->read_us >= AREA_READ_US;
    if (missed || atomic_load(&s->stale))
        area_shelf_read(s, store, now_us);
}

void area_shelf_written(struct area_shelf *s, struct store *store, int64_t now_us) {
    area_shelf_read(s, store, now_us);
    if (s->peers != NULL)
        s->bus->ops->signal(s->bus, SIGNAL_AREA, "", 0);
}

/* ---- the shelf ---- */

static void on_area(void *shelf, struct str topic, const void *data, size_t len) {
    (void)topic;
    (void)data;
    (void)len;
    struct area_shelf *s = shelf;
    atomic_store(&s->stale, true);
}

void area_shelf_init(struct area_shelf *s, const struct area *house, struct bus *bus,
                     struct peers *peers) {
    *s = (struct area_shelf){.house = house, .bus = bus, .peers = peers};
    CHECK(pthread_mutex_init(&s->lock, NULL) == 0);
    if (peers != NULL)
        CHECK(bus->ops->listen(bus, SIGNAL_AREA, on_area, s) == 0);
    struct area_book *b = book_new();
    book_area(b, house);
    put_book(s, b);
}

void area_shelf_free(struct area_shelf *s) {
    CHECK(s->book != NULL && s->book->readers == 1);
    book_free(s->book);
    pthread_mutex_destroy(&s->lock);
}

struct area_book *area_book_take(struct area_shelf *s) {
    pthread_mutex_lock(&s->lock);
    struct area_book *b = s->book;
    b->readers++;
    pthread_mutex_unlock(&s->lock);
    return b;
}

void area_book_give(struct area_shelf *s, struct area_book *b) {
    pthread_mutex_lock(&s->lock);
    bool last = --b->readers == 0;
    pthread_mutex_unlock(&s->lock);
    if (last)
        book_free(b);
}
