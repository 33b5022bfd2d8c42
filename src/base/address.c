#include "base/address.h"

#include "base/check.h"
#include "base/err.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <string.h>

#define MAPPED_BYTES 12 /* before the four of an IPv4 address */
static const unsigned char mapped[MAPPED_BYTES] = {[10] = 0xff, [11] = 0xff};

bool address_parse(struct str text, struct address *ret_address) {
    char copy[ADDRESS_TEXT_MAX];
    struct address a;
    if (text.len == 0 || text.len >= sizeof copy || memchr(text.p, 0, text.len) != NULL)
        return false;
    memcpy(copy, text.p, text.len);
    copy[text.len] = 0;
    if (inet_pton(AF_INET, copy, a.b + MAPPED_BYTES) == 1)
        memcpy(a.b, mapped, MAPPED_BYTES);
    else if (inet_pton(AF_INET6, copy, a.b) != 1)
        return false;
    *ret_address = a;
    return true;
}

bool address_is_v4(const struct address *a) {
    return memcmp(a->b, mapped, MAPPED_BYTES) == 0;
}

void address_format(const struct address *a, char out[ADDRESS_TEXT_MAX]) {
    const char *text = address_is_v4(a)
                           ? inet_ntop(AF_INET, a->b + MAPPED_BYTES, out, ADDRESS_TEXT_MAX)
                           : inet_ntop(AF_INET6, a->b, out, ADDRESS_TEXT_MAX);
    CHECK(text != NULL);
}

/* A with all behind its first BITS zero. */
static struct address prefix(const struct address *a, int bits) {
    struct address out = {{0}};
    memcpy(out.b, a->b, (size_t)bits / 8);
    if (bits % 8 != 0)
        out.b[bits / 8] = a->b[bits / 8] & (unsigned char)(0xff << (8 - bits % 8));
    return out;
}

struct network address_holder(const struct address *a) {
    int bits = address_is_v4(a) ? 128 : 64;
    return (struct network){prefix(a, bits), bits};
}

bool network_has(const struct network *n, const struct address *a) {
    struct address first = prefix(a, n->bits);
    return memcmp(first.b, n->first.b, ADDRESS_BYTES) == 0;
}

bool networks_have(const struct network *list, int32_t count, const struct address *a) {
    for (int32_t i = 0; i < count; i++) {
        if (network_has(&list[i], a))
            return true;
    }
    return false;
}

/* One to three digits. */
static bool read_bits(struct str text, int most, int *ret_bits) {
    int bits = 0;
    if (text.len < 1 || text.len > 3)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.p[i] < '0' || text.p[i] > '9')
            return false;
        bits = bits * 10 + (text.p[i] - '0');
    }
    *ret_bits = bits;
    return bits <= most;
}

bool network_parse(struct str text, struct network *ret_network) {
    const char *slash = text.len > 0 ? memchr(text.p, '/', text.len) : NULL;
    size_t len = slash != NULL ? (size_t)(slash - text.p) : text.len;
    struct network n = {.bits = 128};
    if (!address_parse(str_sub(text, 0, len), &n.first))
        return false;
    /* ::ffff:a.b.c.d counts its bits as IPv6 does, a.b.c.d as IPv4 does. */
    bool four = memchr(text.p, ':', len) == NULL;
    if (slash != NULL) {
        if (!read_bits(str_sub(text, len + 1, SIZE_MAX), four ? 32 : 128, &n.bits))
            return false;
        n.bits += four ? 96 : 0;
    }
    struct address first = prefix(&n.first, n.bits);
    if (memcmp(first.b, n.first.b, ADDRESS_BYTES) != 0)
        return false;
    *ret_network = n;
    return true;
}

static struct str trim(struct str s) {
    while (s.len > 0 && s.p[0] == ' ')
        s = str_sub(s, 1, SIZE_MAX);
    while (s.len > 0 && s.p[s.len - 1] == ' ')
        s.len--;
    return s;
}

int32_t networks_parse(struct str text, struct network *out) {
    int32_t count = 0;
    for (size_t at = 0; at <= text.len;) {
        size_t end = at;
        while (end < text.len && text.p[end] != ',')
            end++;
        struct str item = trim(str_sub(text, at, end - at));
        if (count == NETWORKS_MAX || !network_parse(item, &out[count]))
            return ERR_INVALID;
        count++;
        at = end + 1;
    }
    return count;
}

/* ---- who is public ---- */

/* First bytes and how many bits of them count. IPv4 as the last four bytes. */
static const struct {
    unsigned char first[4];
    int bits;
} special_v4[] = {
    {{0}, 8},
    {{10}, 8},
    {{100, 64}, 10},
    {{127}, 8},
    {{169, 254}, 16},
    {{172, 16}, 12},
    {{192, 0, 0}, 24},
    {{192, 0, 2}, 24},
    {{192, 31, 196}, 24},
    {{192, 52, 193}, 24},
    {{192, 88, 99}, 24},
    {{192, 168}, 16},
    {{192, 175, 48}, 24},
    {{198, 18}, 15},
    {{198, 51, 100}, 24},
    {{203, 0, 113}, 24},
    {{168, 63, 129, 16}, 32}, /* a cloud's own */
    {{224}, 4},
    {{240}, 4},
};
/* Of IPv6 only 2000::/3 is given out; in it these are not, or hide an IPv4 address. */
static const struct {
    unsigned char first[6];
    int bits;
} special_v6[] = {
    {{0x20, 0x01}, 23}, /* protocols, Teredo */
    {{0x20, 0x01, 0x0d, 0xb8}, 32},
    {{0x20, 0x02}, 16}, /* 6to4 */
    {{0x26, 0x20, 0x00, 0x4f, 0x80, 0x00}, 48},
    {{0x3f, 0xff}, 20},
};

static bool begins(const unsigned char *bytes, const unsigned char *first, int bits) {
    int whole = bits / 8, rest = bits % 8;
    if (memcmp(bytes, first, (size_t)whole) != 0)
        return false;
    return rest == 0 || (bytes[whole] ^ first[whole]) >> (8 - rest) == 0;
}

bool address_is_public(const struct address *a) {
    if (address_is_v4(a)) {
        for (size_t i = 0; i < sizeof(special_v4) / sizeof(special_v4[0]); i++) {
            if (begins(a->b + 12, special_v4[i].first, special_v4[i].bits))
                return false;
        }
        return true;
    }
    if (a->b[0] >> 5 != 1)
        return false;
    for (size_t i = 0; i < sizeof(special_v6) / sizeof(special_v6[0]); i++) {
        if (begins(a->b, special_v6[i].first, special_v6[i].bits))
            return false;
    }
    return true;
}
