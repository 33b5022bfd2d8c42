/* Problem documents (RFC 9457): every kind of error that the API can answer with is one row of one
 * table, and every row has a page at /problems/<slug> that explains it.
 */
#ifndef LORRY_RUNTIME_PROBLEM_H
#define LORRY_RUNTIME_PROBLEM_H

#include "runtime/call.h"
#include "json/schema.h"

enum problem {
    PROBLEM_INVALID_REQUEST,        /* 422: fields are not valid */
    PROBLEM_MALFORMED_JSON,         /* 400 */
    PROBLEM_BAD_PARAMETER,          /* 422: query parameters or headers */
    PROBLEM_UNAUTHENTICATED,        /* 401 */
    PROBLEM_INVALID_CREDENTIALS,    /* 401: login */
    PROBLEM_INVALID_REFRESH,        /* 401: refresh token spent, ended, expired or unknown */
    PROBLEM_FORBIDDEN,              /* 403: role */
    PROBLEM_ACCOUNT_DISABLED,       /* 403 */
    PROBLEM_SECOND_FACTOR_REQUIRED, /* 401: login */
    PROBLEM_NOT_CONFIRMED,          /* 403: a password or code that was to confirm something */
    PROBLEM_SECOND_FACTOR_MISSING,  /* 403: the role needs one */
    PROBLEM_SECOND_FACTOR_STATE,    /* 409: there is one already, or none */
    PROBLEM_NO_MAIL,                /* 409: the server has no way to send any */
    PROBLEM_TOO_MANY_KEYS,          /* 409: API keys of one account */
    PROBLEM_NOT_FOUND,              /* 404 */
    PROBLEM_METHOD_NOT_ALLOWED,     /* 405 */
    PROBLEM_UNSUPPORTED_TYPE,       /* 415 */
    PROBLEM_PAYLOAD_TOO_LARGE,      /* 413 */
    PROBLEM_UPGRADE_REQUIRED,       /* 426 */
    PROBLEM_PRECONDITION_FAILED,    /* 412: If-Match */
    PROBLEM_VERSION_CONFLICT,       /* 409: "version" in the body */
    PROBLEM_IDEMPOTENCY_MISMATCH,   /* 422: same key, other body */
    PROBLEM_TOO_MANY_REQUESTS,      /* 429 */
    PROBLEM_TOO_MANY_ATTEMPTS,      /* 429: login */
    PROBLEM_OVERLOADED,             /* 503: a queue is full */
    PROBLEM_STORE_UNAVAILABLE,      /* 503: disk full, busy */
    PROBLEM_INTERNAL,               /* 500 */
    PROBLEM_EMAIL_TAKEN,            /* 409 */
    PROBLEM_LAST_ADMIN,             /* 409: the last admin cannot demote or disable himself */
    PROBLEM_SETUP_CODE,             /* 403: not the code that the server printed */
    PROBLEM_SETUP_DONE,             /* 409: there is an administrator */
    PROBLEM_OUTSIDE_SERVICE_AREA,   /* 422 */
    PROBLEM_QUOTE_EXPIRED,          /* 409 */
    PROBLEM_QUOTE_USED,             /* 409 */
    PROBLEM_TOO_MANY_OPEN,          /* 409: one customer's open bookings */
    PROBLEM_TOO_MANY_PLACES,        /* 409: one customer's saved places */
    PROBLEM_TOO_MANY_FAVOURITES,    /* 409: one customer's favourite drivers */
    PROBLEM_TOO_MANY_RECURRENCES,   /* 409: one account's, that have not ended */
    PROBLEM_TOO_MANY_IMPORTS,       /* 409: one account's, under way */
    PROBLEM_TOO_MANY_WEBHOOKS,      /* 409: one account's */
    PROBLEM_ILLEGAL_TRANSITION,     /* 409 */
    PROBLEM_OFFER_CLOSED,           /* 409 */
    PROBLEM_ALREADY_RATED,          /* 409 */
    PROBLEM_PROOF_MISSING,          /* 409: a stop cannot be done yet */
    PROBLEM_CASH_MISSING,           /* 409: a stop cannot be done yet */
    PROBLEM_CASH_REVERSED,          /* 409 */
    PROBLEM_CASH_CHANGED,           /* 409: a settlement was made for another balance */
    PROBLEM_FEE_CHANGED,            /* 409: cancelling costs more than was agreed to */
    PROBLEM_TOO_MANY_CHANGES,       /* 409: of one booking's stops or time */
    PROBLEM_PRICE_CHANGED,          /* 409: a change costs more than was agreed to */
    PROBLEM_PROMO_UNKNOWN,          /* 422: there is no such code */
    PROBLEM_PROMO_EXPIRED,          /* 409: ended, past its time or before it */
    PROBLEM_PROMO_USED_UP,          /* 409: by all, or by this customer */
    PROBLEM_PROMO_NOT_FOR_THIS,     /* 422: not for this trip or customer */
    PROBLEM_PROMO_EXISTS,           /* 409: there is such a code already */
    PROBLEM_DRIVER_UNAVAILABLE,     /* 409: assign */
    PROBLEM_NOT_APPROVED,           /* 403 */
    PROBLEM_NO_VEHICLE,             /* 409: duty on without a vehicle */
    PROBLEM_ACTIVE_BOOKING,         /* 409: off duty, change of vehicle with an active booking */
    PROBLEM_LINK_EXPIRED,           /* 410: tracking link */
    PROBLEM_TOO_MANY_DEVICES,       /* 409: of one driver */
    PROBLEM_TOO_MANY_VEHICLES,      /* 409: of one driver */
    PROBLEM_OUTSIDE_SHIFT,          /* 409: duty on */
    PROBLEM_DOCUMENTS_LACKING,      /* 409: duty on, approval */
    PROBLEM_DOCUMENT_STATE,         /* 409: review */
    /* what the HTTP adapter refuses before there is a request */
    PROBLEM_MALFORMED_REQUEST,  /* 400 */
    PROBLEM_REQUEST_TIMEOUT,    /* 408 */
    PROBLEM_URI_TOO_LONG,       /* 414 */
    PROBLEM_EXPECTATION_FAILED, /* 417 */
    PROBLEM_HEADERS_TOO_LARGE,  /* 431 */
    PROBLEM_NOT_IMPLEMENTED,    /* 501, 505 */
    /* what a proxy in front of the servers says (deploy/nginx) */
    PROBLEM_BAD_GATEWAY,     /* 502 */
    PROBLEM_GATEWAY_TIMEOUT, /* 504 */
    PROBLEM_COUNT
};
struct problem_def {
    const char *slug; /* "email-taken" */
    int status;
    const char *title;   /* "E-mail taken" */
    const char *explain; /* a paragraph or two for the page: what it means, what to do */
};
extern const struct problem_def problem_table[PROBLEM_COUNT];

/* Fills *RET with a problem document in arena A. DETAIL is a printf format. The adapter adds
 * nothing to the body, so REQUEST_ID is part of it. */
void problem_fill(struct response *ret, struct arena *a, struct str request_id, enum problem p,
                  const char *format, ...) __attribute__((format(printf, 5, 6)));
/* The same with more members: EXTRA is JSON text of members (`"state":"assigned","allowed":[…]`),
 * ERRORS may be NULL. RETRY_AFTER_S > 0 adds the header. */
void problem_fill_more(struct response *ret, struct arena *a, struct str request_id, enum problem p,
                       struct str detail, const struct field_errors *errors, struct str extra,
                       int32_t retry_after_s);

/* 422 invalid-request with every bad field ("2 fields are not valid"). */
void problem_fill_invalid(struct response *ret, struct arena *a, struct str request_id,
                          const struct field_errors *errors);

/* Fills the call's response and replies. */
void call_problem(struct call *c, enum problem p, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* 429 too-many-requests; Retry-After: WAIT_S, which is > 0. */
void call_too_many(struct call *c, struct str detail, int32_t wait_s);
void call_invalid(struct call *c, const struct field_errors *errors);
/* 503 store-unavailable or 500 for an error of a port. */
void call_error(struct call *c, int err);

#endif
