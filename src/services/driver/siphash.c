#include "services/driver/siphash.h"

struct sip {
    uint64_t a, b, c, d;
};

static uint64_t rotate(uint64_t x, int bits) {
    return x << bits | x >> (64 - bits);
}

/* Little endian, whatever the machine. */
static uint64_t load(const unsigned char *p, size_t bytes) {
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; i++)
        value |= (uint64_t)p[i] << (8 * i);
    return value;
}

static void rounds(struct sip *s, int count) {
    for (int i = 0; i < count; i++) {
        s->a += s->b;
        s->c += s->d;
        s->b = rotate(s->b, 13) ^ s->a;
        s->d = rotate(s->d, 16) ^ s->c;
        s->a = rotate(s->a, 32) + s->d;
        s->c += s->b;
        s->d = rotate(s->d, 21) ^ s->a;
        s->b = rotate(s->b, 17) ^ s->c;
        s->c = rotate(s->c, 32);
    }
}

static void take(struct sip *s, uint64_t word) {
    s->d ^= word;
    rounds(s, 2);
    s->a ^= word;
}

uint64_t siphash(struct str text, const unsigned char key[SIPHASH_KEY_BYTES]) {
    uint64_t low = load(key, 8), high = load(key + 8, 8);
    struct sip s = {low ^ 0x736f6d6570736575U, high ^ 0x646f72616e646f6dU,
                    low ^ 0x6c7967656e657261U, high ^ 0x7465646279746573U};
    const unsigned char *p = (const unsigned char *)text.p;
    size_t words = text.len / 8;
    for (size_t i = 0; i < words; i++)
        take(&s, load(p + 8 * i, 8));
    take(&s, load(p + 8 * words, text.len % 8) | (uint64_t)text.len << 56);
    s.c ^= 0xff;
    rounds(&s, 4);
    return s.a ^ s.b ^ s.c ^ s.d;
}
