/* The WebSocket handshake, RFC 6455 §4.2. A request that asks for another protocol, or lacks
 * "Connection: upgrade", is a plain request to us; one that asks for a WebSocket the wrong way is
 * refused, so that the application only ever sees sound ones.
 */
#include "adapters/http/internal.h"

#include "base/check.h"

#include <openssl/evp.h>
#include <openssl/sha.h>
#include <string.h>

#define WS_GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
#define WS_KEY_LEN 24 /* base64 of 16 bytes */

static const struct refusal refusal_version = {426,
                                               "upgrade-required",
                                               "WebSocket version",
                                               "the WebSocket version is 13",
                                               "Sec-WebSocket-Version",
                                               "13"};
static const struct refusal refusal_key = {
    400,
    "malformed-request",
    "Malformed request",
    "the WebSocket handshake has one Sec-WebSocket-Key of 16 bytes in base64 and no body",
    NULL,
    NULL};

/* Is TOKEN among the comma-separated ones of LIST? */
static bool has_token(struct str list, const char *token) {
    size_t at = 0;
    while (at < list.len) {
        const char *comma = memchr(list.p + at, ',', list.len - at);
        size_t end = comma != NULL ? (size_t)(comma - list.p) : list.len;
        size_t from = at, to = end;
        while (from < to && (list.p[from] == ' ' || list.p[from] == '\t'))
            from++;
        while (to > from && (list.p[to - 1] == ' ' || list.p[to - 1] == '\t'))
            to--;
        if (str_eq_nocase(str_sub(list, from, to - from), token))
            return true;
        at = end + 1;
    }
    return false;
}

static bool header_has_token(const struct request *r, const char *name, const char *token) {
    for (int32_t i = 0; i < r->header_count; i++) {
        if (str_is(r->headers[i].name, name) && has_token(r->headers[i].value, token))
            return true;
    }
    return false;
}

static bool key_sound(const struct request *r) {
    struct str key = STR_NONE;
    for (int32_t i = 0; i < r->header_count; i++) {
        if (!str_is(r->headers[i].name, "sec-websocket-key"))
            continue;
        if (key.p != NULL)
            return false;
        key = r->headers[i].value;
    }
    if (key.len != WS_KEY_LEN || !str_ends(key, "=="))
        return false;
    for (size_t i = 0; i < WS_KEY_LEN - 2; i++) {
        char ch = key.p[i];
        bool ok = (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') ||
                  (ch >= '0' && ch <= '9') || ch == '+' || ch == '/';
        if (!ok)
            return false;
    }
    return true;
}

const struct refusal *handshake_check(struct exchange *ex) {
    struct request *r = &ex->call.request;
    if ((ex->parser.flags & F_UPGRADE) == 0 || ex->http10 || ex->parser.method != HTTP_GET ||
        !header_has_token(r, "upgrade", "websocket") ||
        !header_has_token(r, "connection", "upgrade"))
        return NULL;
    if (!str_is(request_header(r, "sec-websocket-version"), "13"))
        return &refusal_version;
    bool body = (ex->parser.flags & F_CHUNKED) != 0 || ex->parser.content_length > 0;
    if (body || !key_sound(r))
        return &refusal_key;
    r->upgrade = true;
    return NULL;
}

void handshake_accept_key(struct str key, char out[WS_ACCEPT_LEN + 1]) {
    CHECK(key.len == WS_KEY_LEN);
    unsigned char text[WS_KEY_LEN + sizeof WS_GUID - 1], digest[SHA_DIGEST_LENGTH];
    memcpy(text, key.p, WS_KEY_LEN);
    memcpy(text + WS_KEY_LEN, WS_GUID, sizeof WS_GUID - 1);
    SHA1(text, sizeof text, digest);
    CHECK(EVP_EncodeBlock((unsigned char *)out, digest, sizeof digest) == WS_ACCEPT_LEN);
}
