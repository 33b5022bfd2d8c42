/* The mailer over SMTP: smtp://, with STARTTLS, and smtps://. */
#ifndef LORRY_ADAPTERS_CURL_CURL_MAILER_H
#define LORRY_ADAPTERS_CURL_CURL_MAILER_H

#include "adapters/curl/curl_blobs.h"
#include "adapters/curl/curl_poster.h"
#include "base/arena.h"
#include "base/module.h"
#include "ports/mailer.h"

/* When the connection is not TLS from its beginning. */
enum mail_tls {
    MAIL_TLS_AUTO,     /* STARTTLS if the server has it; with a user in the URL it must have it */
    MAIL_TLS_REQUIRED, /* it must have it */
    MAIL_TLS_OFF,      /* not even if it has */
};
struct curl_mailer_options {
    const char *url;  /* smtp://USER:PASSWORD@HOST:PORT, percent-encoded; smtps:// */
    const char *from; /* "Name <a@b>" or an address */
    enum mail_tls tls;
    const char *ca_file; /* PEM of who may vouch for the server; NULL: the system's */
    int64_t timeout_ms;  /* of one message; 0: 60 s */
};
/* Connects to nothing yet. On failure *RET_WHY, in A, says in a sentence what is wrong. */
int curl_mailer_open(const struct curl_mailer_options *o, struct arena *a,
                     struct mailer **ret_mailer, struct str *ret_why);

/* What lorry-curl.so gives: the functions above, by the same names. */
struct curl_module {
    struct module module;
    int (*mailer_open)(const struct curl_mailer_options *o, struct arena *a,
                       struct mailer **ret_mailer, struct str *ret_why);
    int (*poster_open)(const struct curl_poster_options *o, struct arena *a,
                       struct poster **ret_poster, struct str *ret_why);
    int (*blobs_open)(const struct curl_blobs_options *o, struct arena *a, struct blobs **ret_blobs,
                      struct str *ret_why);
};

#endif
