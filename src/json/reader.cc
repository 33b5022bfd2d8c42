/* The one C++ file in the house. simdjson's DOM parser leaves a document as a "tape" of 64-bit
 * words (doc/tape.md of simdjson): a word's top byte is its type, the rest a payload; numbers stand
 * in the word after; a string's payload is the offset of its length and bytes in a second buffer; a
 * container's is the index after its end, and the count of its elements. A json_value is an index
 * into that tape, so walking it allocates nothing and calls nothing of simdjson.
 *
 * The parser owns the tape, the strings and a padded copy of the text; all of them only grow, to
 * the next power of two over the longest text parsed.
 */
#include "json/reader.h"

#include "base/err.h"

#include <cstdlib>
#include <cstring>
#include <new>

#define SIMDJSON_EXCEPTIONS 0
#include <simdjson.h>

struct json_parser {
    simdjson::dom::parser parser;
    char *padded = nullptr;
    size_t capacity = 0; /* of padded, without the padding, and of the parser's buffers */
};

namespace {

constexpr size_t capacity_min = 4096;
constexpr uint64_t payload_mask = (uint64_t(1) << 56) - 1;
constexpr uint64_t count_max = 0xFFFFFF; /* the tape counts no further */

/* Room for LEN bytes, in powers of two so that slowly growing texts do not allocate each time. */
bool reserve(json_parser *p, size_t len) {
    if (len <= p->capacity)
        return true;
    size_t capacity = capacity_min;
    while (capacity < len)
        capacity *= 2;
    char *padded =
        static_cast<char *>(std::realloc(p->padded, capacity + simdjson::SIMDJSON_PADDING));
    if (!padded)
        return false;
    p->padded = padded;
    p->capacity = 0;
    /* simdjson counts from one, and takes an empty container for a scalar. */
    if (p->parser.allocate(capacity, JSON_DEPTH_MAX + 1) || p->parser.doc.allocate(capacity))
        return false;
    p->capacity = capacity;
    return true;
}

inline const simdjson::dom::document *document_of(const void *doc) {
    return static_cast<const simdjson::dom::document *>(doc);
}
inline uint64_t word_at(const void *doc, size_t at) {
    return document_of(doc)->tape[at];
}
inline char tag_of(uint64_t word) {
    return static_cast<char>(word >> 56);
}
/* Of a container: the index after its closing word. */
inline size_t after_container(uint64_t word) {
    return static_cast<uint32_t>(word);
}
inline size_t after(const void *doc, size_t at) {
    uint64_t word = word_at(doc, at);
    switch (tag_of(word)) {
    case '[':
    case '{':
        return after_container(word);
    case 'l':
    case 'u':
    case 'd':
        return at + 2;
    default:
        return at + 1;
    }
}
inline str string_at(const void *doc, uint64_t word) {
    const uint8_t *p = document_of(doc)->string_buf.get() + (word & payload_mask);
    uint32_t len;
    std::memcpy(&len, p, sizeof len);
    return str{reinterpret_cast<const char *>(p + sizeof len), len};
}
inline double double_of(uint64_t bits) {
    double value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

} // namespace

extern "C" {

struct json_parser *json_parser_new(void) {
    json_parser *p = new (std::nothrow) json_parser;
    if (!p)
        std::abort(); /* as xmalloc does */
    return p;
}

struct json_parser *json_parser_free(struct json_parser *p) {
    if (p)
        std::free(p->padded);
    delete p;
    return nullptr;
}

int json_parse(struct json_parser *p, struct str text, struct json_value *ret_root) {
    if (text.len == 0)
        return ERR_INVALID;
    if (text.len > simdjson::SIMDJSON_MAXSIZE_BYTES / 2)
        return ERR_LIMIT;
    if (!reserve(p, text.len))
        std::abort();
    std::memcpy(p->padded, text.p, text.len);
    std::memset(p->padded + text.len, ' ', simdjson::SIMDJSON_PADDING);
    if (p->parser.parse(p->padded, text.len, false).error())
        return ERR_INVALID;
    *ret_root = json_value{&p->parser.doc, 1}; /* word 0 is the root's frame */
    return 0;
}

enum json_kind json_kind(struct json_value v) {
    uint64_t word = word_at(v.doc, v.at);
    switch (tag_of(word)) {
    case '{':
        return JSON_IS_OBJECT;
    case '[':
        return JSON_IS_ARRAY;
    case '"':
        return JSON_IS_STRING;
    case 'l':
        return JSON_IS_INT;
    case 'u': /* over INT64_MAX: only a double can hold it here */
    case 'd':
        return JSON_IS_DOUBLE;
    case 't':
    case 'f':
        return JSON_IS_BOOL;
    default:
        return JSON_IS_NULL;
    }
}

bool json_bool(struct json_value v) {
    return tag_of(word_at(v.doc, v.at)) == 't';
}

int json_i64(struct json_value v, int64_t *ret_value) {
    if (tag_of(word_at(v.doc, v.at)) != 'l')
        return ERR_INVALID;
    *ret_value = static_cast<int64_t>(word_at(v.doc, v.at + 1));
    return 0;
}

int json_f64(struct json_value v, double *ret_value) {
    switch (tag_of(word_at(v.doc, v.at))) {
    case 'd':
        *ret_value = double_of(word_at(v.doc, v.at + 1));
        return 0;
    case 'l':
        *ret_value = static_cast<double>(static_cast<int64_t>(word_at(v.doc, v.at + 1)));
        return 0;
    case 'u':
        *ret_value = static_cast<double>(word_at(v.doc, v.at + 1));
        return 0;
    default:
        return ERR_INVALID;
    }
}

struct str json_text(struct json_value v) {
    uint64_t word = word_at(v.doc, v.at);
    return tag_of(word) == '"' ? string_at(v.doc, word) : str{nullptr, 0};
}

size_t json_count(struct json_value v) {
    uint64_t word = word_at(v.doc, v.at);
    if (tag_of(word) != '[' && tag_of(word) != '{')
        return 0;
    uint64_t count = (word >> 32) & count_max;
    if (count < count_max)
        return count;
    count = 0;
    for (struct json_iter it = json_iter(v); json_next(&it);)
        count++;
    return count;
}

struct json_iter json_iter(struct json_value v) {
    struct json_iter it = {};
    uint64_t word = word_at(v.doc, v.at);
    char tag = tag_of(word);
    if (tag != '[' && tag != '{')
        return it;
    it.doc = v.doc;
    it.next = v.at + 1;
    it.end = after_container(word) - 1;
    it.object = tag == '{';
    return it;
}

bool json_next(struct json_iter *it) {
    if (it->next >= it->end)
        return false;
    if (it->object)
        it->key = string_at(it->doc, word_at(it->doc, it->next++));
    it->value = json_value{it->doc, it->next};
    it->next = after(it->doc, it->next);
    return true;
}

bool json_get(struct json_value object, const char *key, struct json_value *ret_value) {
    struct json_iter it = json_iter(object);
    size_t len = std::strlen(key);
    while (it.object && json_next(&it)) {
        if (it.key.len == len && std::memcmp(it.key.p, key, len) == 0) {
            *ret_value = it.value;
            return true;
        }
    }
    return false;
}

} // extern "C"
