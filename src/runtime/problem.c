/* Problem documents, and the one table of everything that can go wrong. */
#include "runtime/problem.h"

#include "base/check.h"
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>

#define ROW(id, slug, status, title, explain) [PROBLEM_##id] = {slug, status, title, explain}

const struct problem_def problem_table[PROBLEM_COUNT] = {
    ROW(INVALID_REQUEST, "invalid-request", 422, "Invalid request",
        "The body is JSON, but some of its fields are not what they should be. Each entry of "
        "errors "
        "names one field by a JSON pointer and says what is wrong with it. Mend them all and send "
        "the request again; nothing was changed."),
    ROW(MALFORMED_JSON, "malformed-json", 400, "Malformed JSON",
        "The body is not valid JSON. The detail gives the line and the column where reading it "
        "stopped. Nothing was changed."),
    ROW(BAD_PARAMETER, "bad-parameter", 422, "Bad parameter",
        "A query parameter or a request header is missing or out of its range. The detail names "
        "it."),
    ROW(UNAUTHENTICATED, "unauthenticated", 401, "Not signed in",
        "This needs an access token, sent as \"Authorization: Bearer <token>\". The one that came "
        "is "
        "missing, malformed, expired, or of a session that has ended. Sign in or refresh, and try "
        "again."),
    ROW(INVALID_CREDENTIALS, "invalid-credentials", 401, "Wrong e-mail or password",
        "No account has this e-mail and password. The answer is the same whether or not the e-mail "
        "is known."),
    ROW(INVALID_REFRESH, "invalid-refresh-token", 401, "Refresh token not valid",
        "The refresh token is unknown, expired, or was used before. A token that comes a second "
        "time "
        "ends its whole session, because one of the two who sent it should not have it. Sign in "
        "again."),
    ROW(FORBIDDEN, "forbidden", 403, "Not allowed",
        "You are signed in, but your role may not do this."),
    ROW(ACCOUNT_DISABLED, "account-disabled", 403, "Account disabled",
        "An administrator has disabled this account."),
    ROW(SECOND_FACTOR_REQUIRED, "second-factor-required", 401, "Second factor required",
        "E-mail and password are right, and the account has a second factor: send the same request "
        "again with the six digits that the authenticator shows, or one of the recovery codes, as "
        "code."),
    ROW(NOT_CONFIRMED, "not-confirmed", 403, "Not confirmed",
        "The password or the code that was to confirm this is not right, or the code was used "
        "before. Each code is good once. Wrong ones count like wrong passwords."),
    ROW(SECOND_FACTOR_MISSING, "second-factor-missing", 403, "Second factor missing",
        "Here your role must have a second factor, and your account has none yet, so it may do "
        "nothing but see to itself. Enrol one (POST /v1/me/second-factor, then confirm it) and "
        "refresh your token."),
    ROW(SECOND_FACTOR_STATE, "second-factor-state", 409, "Second factor as it is",
        "A second factor is in force already and must be removed first; or there is none to "
        "confirm or remove."),
    ROW(NO_MAIL, "no-mail", 409, "No mail here",
        "This server has no way to send mail, so nothing can be confirmed by it. Whoever runs it "
        "says with --mail how mail leaves."),
    ROW(TOO_MANY_KEYS, "too-many-keys", 409, "Too many API keys",
        "This account has as many API keys as one may have. Revoke those that are not used."),
    ROW(NOT_FOUND, "not-found", 404, "Not found",
        "There is nothing here, or nothing that you may see."),
    ROW(METHOD_NOT_ALLOWED, "method-not-allowed", 405, "Method not allowed",
        "The address exists, but not for this method. The Allow header lists those it has."),
    ROW(UNSUPPORTED_TYPE, "unsupported-media-type", 415, "Unsupported media type",
        "Bodies are application/json in UTF-8, without a Content-Encoding."),
    ROW(PAYLOAD_TOO_LARGE, "payload-too-large", 413, "Payload too large",
        "The body is larger than 1 MiB."),
    ROW(UPGRADE_REQUIRED, "upgrade-required", 426, "WebSocket expected",
        "This address speaks WebSocket (RFC 6455) only."),
    ROW(PRECONDITION_FAILED, "precondition-failed", 412, "Changed in the meantime",
        "If-Match names a version that is not the current one: somebody changed it since you read "
        "it. Read it again and decide again."),
    ROW(VERSION_CONFLICT, "version-conflict", 409, "Changed in the meantime",
        "The version in the body is not the current one: somebody changed it since you read it. "
        "Read "
        "it again and decide again."),
    ROW(IDEMPOTENCY_MISMATCH, "idempotency-mismatch", 422, "Idempotency key used differently",
        "This Idempotency-Key was used for a request with another body. Use a new key for a new "
        "request; keep it only to repeat the same one."),
    ROW(TOO_MANY_REQUESTS, "too-many-requests", 429, "Too many requests",
        "You are faster than this address allows. Retry-After says when to go on."),
    ROW(TOO_MANY_ATTEMPTS, "too-many-attempts", 429, "Too many attempts",
        "Too many wrong passwords in a short time. Retry-After says when the next attempt counts."),
    ROW(OVERLOADED, "overloaded", 503, "Overloaded",
        "The server has as much to do as it can hold. Nothing was changed; try again after "
        "Retry-After seconds."),
    ROW(STORE_UNAVAILABLE, "store-unavailable", 503, "Store unavailable",
        "The store cannot write at the moment (busy, or its disk is full). Nothing was changed; "
        "try "
        "again after Retry-After seconds."),
    ROW(INTERNAL, "internal", 500, "Internal error",
        "Something is wrong on our side. The request id helps the operator to find it in the log."),
    ROW(EMAIL_TAKEN, "email-taken", 409, "E-mail taken",
        "There is an account with this e-mail already. Sign in, or use another e-mail."),
    ROW(LAST_ADMIN, "last-admin", 409, "Last administrator",
        "The last administrator who can sign in cannot be demoted or disabled. Make another one "
        "first."),
    ROW(SETUP_CODE, "setup-code", 403, "Wrong set-up code",
        "The code is the one that the server printed when it was last started; it counts for an "
        "hour, and for twenty attempts. Start the server anew to be given another one, or make the "
        "administrator with `lorry user add` on the machine itself."),
    ROW(SETUP_DONE, "setup-done", 409, "Set up already",
        "The platform has its first administrator. Sign in, or ask him for an account."),
    ROW(OUTSIDE_SERVICE_AREA, "outside-service-area", 422, "Outside the service area",
        "At least one stop lies outside the service area, or the stops are farther apart than this "
        "service drives. Each entry of errors names one such stop."),
    ROW(QUOTE_EXPIRED, "quote-expired", 409, "Quote expired",
        "A quote's price holds until its expires_at. Ask for a new one."),
    ROW(QUOTE_USED, "quote-used", 409, "Quote used",
        "A quote serves for one booking, and this one has served. Ask for a new one."),
    ROW(TOO_MANY_OPEN, "too-many-open-bookings", 409, "Too many open bookings",
        "An account may have only so many bookings that are not delivered, cancelled or expired "
        "yet. Book again when one of them has ended. A business that needs more at once asks the "
        "operator."),
    ROW(TOO_MANY_PLACES, "too-many-places", 409, "Too many saved places",
        "A customer may have saved so many places and no more. Remove one of them first."),
    ROW(TOO_MANY_FAVOURITES, "too-many-favourites", 409, "Too many favourite drivers",
        "A customer may have so many favourite drivers and no more. Remove one of them first."),
    ROW(TOO_MANY_RECURRENCES, "too-many-recurrences", 409, "Too many recurrences",
        "An account may have so many recurrences that have not ended, and no more. End one of them "
        "first; one recurrence can have several days of the week."),
    ROW(TOO_MANY_IMPORTS, "too-many-imports", 409, "Too many imports",
        "As many of this account's imports are under way as there may be at once. Wait until one "
        "has ended, or cancel one, and send the file again."),
    ROW(TOO_MANY_WEBHOOKS, "too-many-webhooks", 409, "Too many webhooks",
        "An account may have only so many webhooks, and so may the whole platform. Remove one that "
        "is not needed; one webhook can hear of several kinds of events."),
    ROW(TOO_MANY_DEVICES, "too-many-devices", 409, "Too many devices",
        "A driver may have only so many devices that report for him. Take one back that is not in "
        "use any more: its token ends at once."),
    ROW(TOO_MANY_VEHICLES, "too-many-vehicles", 409, "Too many vehicles",
        "A driver may have only so many vehicles. Remove one that is not driven any more."),
    ROW(OUTSIDE_SHIFT, "outside-shift", 409, "Outside your shifts",
        "Drivers of this house go on duty within their shifts, and up to 15 minutes before. The "
        "detail says when the next one begins; the office sets them."),
    ROW(DOCUMENTS_LACKING, "documents-lacking", 409, "Documents are lacking",
        "A document that this driver must have has expired, or is not approved yet. The detail "
        "says "
        "which. He sends a new one (POST /v1/driver/documents), and an administrator approves it."),
    ROW(DOCUMENT_STATE, "document-state", 409, "Not possible for this document",
        "What has expired is neither approved nor rejected any more: the driver sends a new one."),
    ROW(ILLEGAL_TRANSITION, "illegal-transition", 409, "Not possible in this state",
        "The booking's state does not allow this. The answer has the state and the moves that are "
        "allowed from it."),
    ROW(OFFER_CLOSED, "offer-closed", 409, "Offer closed",
        "The offer is not open any more: it was accepted by somebody, has expired, was withdrawn, "
        "or "
        "was declined."),
    ROW(ALREADY_RATED, "already-rated", 409, "Already rated", "A booking is rated once."),
    ROW(PROOF_MISSING, "proof-missing", 409, "Proof is missing",
        "The booking asks for proof before this stop counts as done. `missing` says what: a PIN "
        "that "
        "the recipient has, a photo, a signature, or the recipient's name. Send it first "
        "(POST /v1/bookings/{id}/proof)."),
    ROW(CASH_MISSING, "cash-missing", 409, "Cash is not confirmed",
        "The booking asks the driver to take cash at this stop. Say first how much it was "
        "(POST /v1/bookings/{id}/collection): also when it was less, or nothing, then with a "
        "reason."),
    ROW(CASH_CHANGED, "cash-changed", 409, "The balance has changed",
        "What the driver holds, or is owed, is not what the request was made for: somebody has "
        "recorded this already, or he has taken more since. `balance` says what it is now. Look "
        "again, and decide again."),
    ROW(CASH_REVERSED, "cash-reversed", 409, "Not to be reversed",
        "This entry has been reversed already, or is no settlement. What a driver said of cash at "
        "a stop is put right at the booking (POST /v1/bookings/{id}/collection)."),
    ROW(FEE_CHANGED, "fee-changed", 409, "The fee has changed",
        "Cancelling costs more by now than the request agreed to. `fee` says how much; ask again "
        "with it, or keep the booking."),
    ROW(TOO_MANY_CHANGES, "too-many-changes", 409, "Too many changes",
        "The stops of a booking can be changed twelve times, and so can its time; the notes for "
        "them twenty-four times. They stay as they are now."),
    ROW(PRICE_CHANGED, "price-changed", 409, "The price has changed",
        "What was asked for costs more than the booking does, and more than the request agreed to "
        "with `total`. `price` says how much; ask again with it, or leave the booking as it is."),
    ROW(PROMO_UNKNOWN, "promo-unknown", 422, "Unknown promo code",
        "There is no such promo code. Look for a letter too many; after ten tries an account has "
        "to "
        "wait for some minutes."),
    ROW(PROMO_EXPIRED, "promo-expired", 409, "Promo code not valid now",
        "The code has ended, or its time has not come yet. Ask for the price without it."),
    ROW(PROMO_USED_UP, "promo-used-up", 409, "Promo code used up",
        "The code has been used as often as it may be, by all together or by this account. A use "
        "comes back when its booking is cancelled or finds no driver. Ask for the price without "
        "it."),
    ROW(PROMO_NOT_FOR_THIS, "promo-not-for-this", 422, "Promo code not for this",
        "The code is for other trips: another class, another place, a higher price, or a first "
        "booking. `errors` says which. Ask for the price without it."),
    ROW(PROMO_EXISTS, "promo-exists", 409, "Promo code exists",
        "There is such a code, perhaps one that has ended. Codes are given out once; think of "
        "another word."),
    ROW(DRIVER_UNAVAILABLE, "driver-unavailable", 409, "Driver not available",
        "This driver cannot take the booking now. The detail says why."),
    ROW(NOT_APPROVED, "not-approved", 403, "Not approved",
        "A driver goes on duty once an administrator has approved him."),
    ROW(NO_VEHICLE, "no-vehicle", 409, "No vehicle",
        "Tell which vehicle you drive (PUT /v1/driver) before you go on duty."),
    ROW(ACTIVE_BOOKING, "active-booking", 409, "Active booking",
        "This is not possible while you have a booking to finish."),
    ROW(LINK_EXPIRED, "link-expired", 410, "Link expired",
        "A tracking link works until some days after the booking has ended."),
    ROW(MALFORMED_REQUEST, "malformed-request", 400, "Malformed request",
        "What came is not a request of HTTP/1.1 (RFC 9112), or one that two readers could "
        "understand "
        "differently. The connection is closed; nothing was changed."),
    ROW(REQUEST_TIMEOUT, "request-timeout", 408, "Request timeout",
        "The request began and did not end in time. The connection is closed; nothing was "
        "changed."),
    ROW(URI_TOO_LONG, "uri-too-long", 414, "Address too long",
        "The request's address is longer than this server reads."),
    ROW(EXPECTATION_FAILED, "expectation-failed", 417, "Expectation failed",
        "The only expectation that is known is 100-continue."),
    ROW(HEADERS_TOO_LARGE, "headers-too-large", 431, "Headers too large",
        "The request's header fields are too many, or too large together."),
    ROW(NOT_IMPLEMENTED, "not-implemented", 501, "Not implemented",
        "The method, the version of HTTP or the transfer coding is one that this server does not "
        "speak."),
    ROW(BAD_GATEWAY, "bad-gateway", 502, "No server could be reached",
        "The proxy in front of the servers found none that answers. Whether a request that changes "
        "something has counted is not known: with an Idempotency-Key it may simply be sent again."),
    ROW(GATEWAY_TIMEOUT, "gateway-timeout", 504, "No answer in time",
        "The proxy in front of the servers waited for an answer in vain. Whether a request that "
        "changes something has counted is not known: with an Idempotency-Key it may simply be sent "
        "again."),
};

void problem_fill_more(struct response *ret, struct arena *a, struct str request_id, enum problem p,
                       struct str detail, const struct field_errors *errors, struct str extra,
                       int32_t retry_after_s) {
    const struct problem_def *def = &problem_table[p];
    struct buf out;
    buf_init(&out, a, 256);
    struct jw w;
    jw_init(&w, &out);
    jw_object(&w);
    jw_kv_str(&w, "type", arena_printf(a, "/problems/%s", def->slug));
    jw_kv_str(&w, "title", str_from(def->title));
    jw_kv_i64(&w, "status", def->status);
    jw_kv_str(&w, "detail", detail);
    if (errors != NULL)
        field_errors_write(errors, &w);
    jw_kv_str(&w, "request_id", request_id);
    if (extra.len > 0) {
        buf_add_char(&out, ',');
        buf_add_str(&out, extra);
    }
    jw_end(&w);
    *ret = (struct response){
        .status = def->status, .content_type = "application/problem+json", .body = buf_str(&out)};
    if (retry_after_s > 0)
        response_header(ret, "Retry-After", arena_printf(a, "%d", retry_after_s));
    if (def->status == 401)
        response_header(ret, "WWW-Authenticate", STR("Bearer realm=\"lorry\""));
}

void problem_fill(struct response *ret, struct arena *a, struct str request_id, enum problem p,
                  const char *format, ...) {
    va_list args;
    va_start(args, format);
    struct str detail = arena_vprintf(a, format, args);
    va_end(args);
    int32_t retry_after_s = problem_table[p].status == 503 ? 1 : 0;
    problem_fill_more(ret, a, request_id, p, detail, NULL, STR_NONE, retry_after_s);
}

void call_problem(struct call *c, enum problem p, const char *format, ...) {
    va_list args;
    va_start(args, format);
    struct str detail = arena_vprintf(&c->arena, format, args);
    va_end(args);
    problem_fill(&c->response, &c->arena, c->request_id, p, "%.*s", STR_ARG(detail));
    c->reply(c);
}

void call_too_many(struct call *c, struct str detail, int32_t wait_s) {
    CHECK(wait_s > 0);
    problem_fill_more(&c->response, &c->arena, c->request_id, PROBLEM_TOO_MANY_REQUESTS, detail,
                      NULL, STR_NONE, wait_s);
    c->reply(c);
}

void problem_fill_invalid(struct response *ret, struct arena *a, struct str request_id,
                          const struct field_errors *errors) {
    int n = errors->count + errors->more;
    struct str detail =
        arena_printf(a, n == 1 ? "%d field is not valid" : "%d fields are not valid", n);
    problem_fill_more(ret, a, request_id, PROBLEM_INVALID_REQUEST, detail, errors, STR_NONE, 0);
}

void call_invalid(struct call *c, const struct field_errors *errors) {
    problem_fill_invalid(&c->response, &c->arena, c->request_id, errors);
    c->reply(c);
}

void call_error(struct call *c, int err) {
    CHECK(err < 0);
    switch (err) {
    case ERR_NOT_FOUND:
        call_problem(c, PROBLEM_NOT_FOUND, "there is nothing here");
        return;
    case ERR_FULL:
    case ERR_BUSY:
    case ERR_IO:
    case ERR_UNKNOWN:
    case ERR_UNAVAILABLE:
    case ERR_CONFLICT:
    case ERR_TIMEOUT:
        call_problem(c, PROBLEM_STORE_UNAVAILABLE, "the store cannot answer now: %s",
                     err_text(err));
        return;
    default:
        call_problem(c, PROBLEM_INTERNAL, "%s", err_text(err));
    }
}
