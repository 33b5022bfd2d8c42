/* Tariffs in and out. The file is checked whole: whoever wrote it gets every mistake at once. */
#include "services/booking/tariff.h"

#include "base/buf.h"
#include "base/check.h"
#include "base/err.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

const struct tariffs tariffs_default = {
    .currency = "SEK",
    .classes =
        {
            [VEHICLE_BIKE] = {VEHICLE_BIKE, 4900, 900, 250, 5900, 1500},
            [VEHICLE_CAR] = {VEHICLE_CAR, 6900, 1200, 250, 8900, 2500},
            [VEHICLE_VAN] = {VEHICLE_VAN, 9900, 1500, 260, 12900, 3500},
            [VEHICLE_TRUCK] = {VEHICLE_TRUCK, 19900, 2900, 600, 29900, 7500},
        },
};

struct tariff_file {
    struct str currency;
    struct tariff *tariffs;
    int32_t tariff_count;
};

#define AMOUNT(member, more_flags)                                                                 \
    {                                                                                              \
#member, S_I64, S_IN | S_OUT | (more_flags), offsetof(struct tariff, member),              \
            .min = 0, .max = TARIFF_AMOUNT_MAX                                                     \
    }

static const struct schema_field tariff_fields[] = {
    {"vehicle", S_ENUM, S_IN | S_OUT | S_REQUIRED, offsetof(struct tariff, vehicle),
     .names = vehicle_names},
    AMOUNT(base, S_REQUIRED),
    AMOUNT(per_km, S_REQUIRED),
    AMOUNT(per_minute, S_REQUIRED),
    AMOUNT(minimum, S_REQUIRED),
    AMOUNT(per_stop, 0),
};
static const struct schema tariff_schema = SCHEMA(struct tariff, "Tariff", tariff_fields);

static const struct schema_field file_fields[] = {
    {"currency", S_LINE, S_IN | S_REQUIRED, offsetof(struct tariff_file, currency), .min = 3,
     .max = 3},
    {"tariffs", S_LIST, S_IN | S_REQUIRED, offsetof(struct tariff_file, tariffs),
     offsetof(struct tariff_file, tariff_count), .min = 1, .max = VEHICLE_COUNT - 1,
     .sub = &tariff_schema},
};
static const struct schema file_schema = SCHEMA(struct tariff_file, "TariffFile", file_fields);

static void check_file(const struct tariff_file *f, struct arena *a, struct field_errors *errors) {
    bool seen[VEHICLE_COUNT] = {false};
    for (int32_t i = 0; i < f->tariff_count; i++) {
        int32_t vehicle = f->tariffs[i].vehicle;
        if (vehicle != VEHICLE_NONE && seen[vehicle])
            field_errors_add(errors, a, arena_printf(a, "/tariffs/%d/vehicle", i),
                             "%s stands here twice", vehicle_names[vehicle]);
        seen[vehicle] = true;
    }
    for (size_t i = 0; i < f->currency.len; i++) {
        if (f->currency.p[i] < 'A' || f->currency.p[i] > 'Z') {
            field_errors_add(errors, a, STR("/currency"),
                             "must be an ISO 4217 code: three capital letters, such as SEK");
            break;
        }
    }
}

/* Parses TEXT with a parser of its own: configuration is read once. */
int tariffs_parse(struct str json, struct arena *a, struct tariffs *ret,
                  struct field_errors *errors) {
    struct json_parser *parser = json_parser_new();
    struct json_value root;
    struct tariff_file file = {0};
    if (json_parse(parser, json, &root) < 0) {
        int line = 0, column = 0;
        struct str what = STR_NONE;
        json_error_at(json, a, &line, &column, &what);
        field_errors_add(errors, a, STR(""), "is not JSON: line %d, column %d: %.*s", line, column,
                         STR_ARG(what));
    } else {
        schema_read(&file_schema, root, S_IN, a, STR(""), &file, errors);
        check_file(&file, a, errors);
    }
    if (errors->count == 0) {
        struct tariffs t = {0};
        CHECK(file.currency.p != NULL && file.currency.len == 3);
        memcpy(t.currency, file.currency.p, 3);
        for (int32_t i = 0; i < file.tariff_count; i++) {
            struct tariff *class = &t.classes[file.tariffs[i].vehicle];
            *class = file.tariffs[i];
            if (class->per_stop == I64_ABSENT)
                class->per_stop = 0;
        }
        *ret = t;
    }
    json_parser_free(parser);
    return errors->count == 0 ? 0 : ERR_INVALID;
}

int tariffs_load(const char *path, struct arena *a, struct tariffs *ret,
                 struct str *ret_complaint) {
    struct str text;
    int err = booking_file_read(path, a, &text);
    if (err < 0) {
        *ret_complaint = arena_printf(a, "%s: %s", path, err_text(err));
        return err;
    }
    struct field_errors errors = {0};
    err = tariffs_parse(text, a, ret, &errors);
    if (err < 0)
        *ret_complaint = booking_file_complaint(path, &errors, a);
    return err;
}

struct str tariffs_classes(const struct tariffs *t, struct arena *a) {
    struct buf out;
    buf_init(&out, a, 64);
    for (int32_t v = 0; v < VEHICLE_COUNT; v++) {
        if (t->classes[v].vehicle != VEHICLE_NONE)
            buf_printf(&out, "%s%s", out.len > 0 ? ", " : "", vehicle_names[v]);
    }
    return buf_str(&out);
}

struct str tariffs_json(const struct tariffs *t, struct arena *a) {
    struct buf out;
    struct jw w;
    buf_init(&out, a, 1024);
    jw_init(&w, &out);
    jw_object(&w);
    jw_kv_str(&w, "currency", str_from(t->currency));
    jw_key(&w, "items");
    jw_array(&w);
    for (int32_t v = 0; v < VEHICLE_COUNT; v++) {
        if (t->classes[v].vehicle != VEHICLE_NONE)
            schema_write(&tariff_schema, &t->classes[v], S_OUT, &w);
    }
    jw_end(&w);
    jw_key(&w, "next_cursor");
    jw_null(&w);
    jw_end(&w);
    return buf_str(&out);
}

/* ---- files of configuration ---- */

int booking_file_read(const char *path, struct arena *a, struct str *ret_text) {
    FILE *f = fopen(path, "rbe");
    if (f == NULL)
        return ERR_NOT_FOUND;
    char *bytes = arena_bytes(a, BOOKING_FILE_BYTES_MAX + 1);
    size_t n = fread(bytes, 1, BOOKING_FILE_BYTES_MAX + 1, f);
    int err = ferror(f) ? ERR_IO : n > BOOKING_FILE_BYTES_MAX ? ERR_LIMIT : 0;
    fclose(f);
    if (err == 0)
        *ret_text = (struct str){bytes, n};
    return err;
}

struct str booking_file_complaint(const char *path, const struct field_errors *errors,
                                  struct arena *a) {
    struct buf out;
    buf_init(&out, a, 256);
    for (int i = 0; i < errors->count; i++)
        buf_printf(&out, "%s%s: %.*s%s%.*s", i > 0 ? "\n" : "", path,
                   STR_ARG(errors->items[i].pointer), errors->items[i].pointer.len > 0 ? " " : "",
                   STR_ARG(errors->items[i].detail));
    if (errors->more > 0)
        buf_printf(&out, "\n%s: and %d more", path, errors->more);
    return buf_str(&out);
}
