/* Outgoing transfers: one thread that drives libcurl's multi interface for whoever sends something
 * out of the house (mail, webhooks). Nothing here knows what is sent: a job sets the options of its
 * transfer and reads the result, both on that thread.
 *
 * The calls that nobody must forget are made here: no signals, no redirects, no proxy out of the
 * environment, a bounded time.
 *
 * libcurl waits inside a call for some of what an SMTP server says. So each user has a thread of
 * his own, and closing shuts the sockets down, which ends any such wait.
 */
#ifndef LORRY_ADAPTERS_CURL_OUTGOING_H
#define LORRY_ADAPTERS_CURL_OUTGOING_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct outgoing_job {
    int64_t timeout_ms, connect_timeout_ms;
    /* Sets what the transfer is. Anything but CURLE_OK ends it at once with that code. */
    CURLcode (*begin)(struct outgoing_job *job, CURL *easy);
    /* Optional: may it connect to this address? Asked of each that it is about to connect to, after
     * the name was looked up. */
    bool (*allows)(struct outgoing_job *job, const struct sockaddr *address);
    /* It is over, once. The job is its owner's again. */
    void (*end)(struct outgoing_job *job, CURL *easy, CURLcode code, const char *error);
    /* the thread's own */
    struct outgoing_job *next;
    struct outgoing *outgoing;
    char error[CURL_ERROR_SIZE];
};

struct outgoing;
/* UNDER_WAY_MAX jobs at once. NULL: libcurl or the thread cannot be started. */
struct outgoing *outgoing_open(int32_t under_way_max);
/* ERR_FULL: END will not be called. Any thread. */
int outgoing_submit(struct outgoing *o, struct outgoing_job *job);
/* Ends all jobs (CURLE_ABORTED_BY_CALLBACK), then the thread. NULL ok. */
void outgoing_close(struct outgoing *o);

#endif
