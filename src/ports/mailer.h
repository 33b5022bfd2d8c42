/* The mailer port: one message to one address, and word of what became of it. It keeps nothing: who
 * sends keeps the message until it has heard, and sends it again if it hears nothing. So a message
 * may arrive twice, with the same Message-ID.
 *
 * Adapters: curl (SMTP), mail (a folder of .eml files), sim (loses, doubles, refuses).
 */
#ifndef LORRY_PORTS_MAILER_H
#define LORRY_PORTS_MAILER_H

#include "base/str.h"

#include <stdint.h>

#define MAIL_ADDRESS_MAX 254 /* bytes */
#define MAIL_SUBJECT_MAX 400
#define MAIL_TEXT_MAX 32768
#define MAIL_DETAIL_MAX 240

struct mail {
    struct str id; /* letters, digits and '_': its Message-ID, the same at every attempt */
    struct str to;
    struct str subject;
    struct str text, html; /* HTML may be absent */
    struct str language;   /* "sv"; absent: not said */
    int64_t at_us;         /* its Date */
};

enum mail_result {
    MAIL_SENT,    /* the other side has taken it */
    MAIL_LATER,   /* not now: it is away, full, or says so (4yz) */
    MAIL_REFUSED, /* never: no such address (5yz), or a message that cannot be */
};
struct mail_outcome {
    enum mail_result result;
    int32_t status;               /* the server's code, 0: none */
    int32_t latency_ms;           /* from send to the outcome */
    char detail[MAIL_DETAIL_MAX]; /* what is wrong, in words without the address; "" if sent */
};
/* On any thread, once; not after close. */
typedef void (*mail_done_fn)(void *arg, const struct mail_outcome *outcome);

struct mailer;
struct mailer_ops {
    /* Copies MAIL; never waits. ERR_FULL: as many are under way as may be, and DONE will not be
     * called. Any thread. */
    int (*send)(struct mailer *m, const struct mail *mail, mail_done_fn done, void *arg);
    /* What is under way gets its outcome (MAIL_LATER) first. */
    void (*close)(struct mailer *m);
};
struct mailer {
    const struct mailer_ops *ops;
    int32_t under_way_max; /* messages at once */
};

#endif
