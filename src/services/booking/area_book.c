#include "services/booking/area_book.h"

#include "base/err.h"

#include <stddef.h>

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

static void book_area(struct area_book *b, const struct area *area) {
    b->area = area;
    if (area == NULL)
        return;
    struct area shown = area_shown(area, &b->head.arena);
    struct buf out;
    struct jw w;
    buf_init(&out, &b->head.arena, 1024);
    jw_init(&w, &out);
    area_write(&w, &shown);
    b->shown = buf_str(&out);
}

static void book_house(void *book, const void *house) {
    struct area_book *b = book;
    b->number = 1;
    book_area(b, house);
}

/* What lies in the store met the rules of its day: none but the shape is asked for. */
static int book_doc(struct area_book *b, const struct area_doc *doc) {
    struct field_errors errors = {0};
    struct area *area = NULL;
    b->number = doc->head.version + 1;
    b->updated_at_us = doc->updated_at_us;
    b->updated_by = arena_str(&b->head.arena, doc->updated_by);
    if (doc->area.p != NULL) {
        area = arena_new(&b->head.arena, struct area);
        if (area_parse(doc->area, &b->head.arena, area, &errors) < 0)
            return ERR_CORRUPT;
    }
    book_area(b, area);
    return 0;
}

static int book_read(void *book, const void *house, struct store *store, struct json_parser *p) {
    struct area_book *b = book;
    void *state = NULL;
    int err = aggregate_get(&area_aggregate, store, p, AREA_DOC_ID, &b->head.arena, &state);
    if (err == 0)
        return book_doc(b, state);
    if (err != ERR_NOT_FOUND)
        return err;
    book_house(b, house);
    return 0;
}

const struct shelf_kind area_shelf = {.book_size = sizeof(struct area_book),
                                      .signal = "service_area",
                                      .house = book_house,
                                      .read = book_read};
