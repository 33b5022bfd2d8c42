#include "services/auth/totp.h"

#include "base/err.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

struct str totp_base32(const unsigned char *bytes, size_t len, struct arena *a) {
    char *out = arena_bytes(a, (len * 8 + 4) / 5 + 1);
    size_t n = 0;
    uint32_t bits = 0;
    int have = 0;
    for (size_t i = 0; i < len; i++) {
        bits = bits << 8 | bytes[i];
        for (have += 8; have >= 5; have -= 5)
            out[n++] = alphabet[bits >> (have - 5) & 31];
    }
    if (have > 0)
        out[n++] = alphabet[bits << (5 - have) & 31];
    out[n] = 0;
    return (struct str){out, n};
}

static int from_base32(struct str text, unsigned char *out, size_t cap, size_t *ret_len) {
    uint32_t bits = 0;
    int have = 0;
    *ret_len = 0;
    for (size_t i = 0; i < text.len; i++) {
        const char *at = text.p[i] != 0 ? strchr(alphabet, text.p[i]) : NULL;
        if (at == NULL || *ret_len == cap)
            return ERR_INVALID;
        bits = bits << 5 | (uint32_t)(at - alphabet);
        have += 5;
        if (have >= 8) {
            have -= 8;
            out[(*ret_len)++] = (unsigned char)(bits >> have);
        }
    }
    return 0;
}

int totp_code(struct str secret, int64_t step, char ret_code[TOTP_DIGITS + 1]) {
    unsigned char key[64], counter[8], mac[EVP_MAX_MD_SIZE];
    size_t key_len;
    unsigned mac_len = 0;
    if (from_base32(secret, key, sizeof(key), &key_len) < 0 || key_len == 0)
        return ERR_INVALID;
    for (int i = 0; i < 8; i++)
        counter[i] = (unsigned char)((uint64_t)step >> (56 - 8 * i));
    if (HMAC(EVP_sha1(), key, (int)key_len, counter, sizeof(counter), mac, &mac_len) == NULL ||
        mac_len != 20)
        return ERR_INVALID;
    int at = mac[19] & 15; /* RFC 4226, 5.3: dynamic truncation */
    uint32_t word = (uint32_t)(mac[at] & 127) << 24 | (uint32_t)mac[at + 1] << 16 |
                    (uint32_t)mac[at + 2] << 8 | mac[at + 3];
    snprintf(ret_code, TOTP_DIGITS + 1, "%06u", word % 1000000);
    return 0;
}

int totp_check(struct str secret, struct str code, int64_t now_us, int64_t last_step,
               int64_t *ret_step) {
    int64_t now = now_us / TOTP_STEP_US;
    int err = ERR_DENIED;
    for (int64_t step = now - TOTP_STEPS_AROUND; step <= now + TOTP_STEPS_AROUND; step++) {
        char want[TOTP_DIGITS + 1];
        if (totp_code(secret, step, want) == 0 && str_eq_secret(code, str_from(want)) &&
            step > last_step) {
            *ret_step = step;
            err = 0;
        }
    }
    return err;
}
