/* The poster over HTTPS. The address that is connected to is looked at when it is connected to,
 * after the name was looked up: so neither a name that leads inside, nor one that changes its mind,
 * nor an address in an odd notation, reaches this machine or its network. Redirects are not
 * followed.
 */
#ifndef LORRY_ADAPTERS_CURL_CURL_POSTER_H
#define LORRY_ADAPTERS_CURL_CURL_POSTER_H

#include "base/arena.h"
#include "ports/poster.h"

#define CURL_POSTER_UNDER_WAY_MAX 64
#define CURL_POSTER_EACH_MAX 4

struct curl_poster_options {
    bool allow_private;  /* also http://, and addresses that are not public: for tests */
    const char *ca_file; /* PEM of who may vouch for receivers; NULL: the system's */
    int64_t timeout_ms;  /* 0: 15 s */
};
int curl_poster_open(const struct curl_poster_options *o, struct arena *a,
                     struct poster **ret_poster, struct str *ret_why);

#endif
