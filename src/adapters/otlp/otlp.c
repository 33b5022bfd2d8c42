/* The thread: take a batch, post it, until it is taken or given up; then the next one. What a
 * collector answers decides, as OTLP has it: 429, 502, 503, 504 and whatever does not arrive at all
 * may be tried again, anything else would be refused the next time, too.
 */
#include "adapters/otlp/otlp.h"

#include "base/check.h"
#include "base/err.h"
#include "base/rng.h"
#include "base/timestamp.h"
#include "base/units.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define URL_MAX 1024
#define TAKE_WAIT_US (1 * US_PER_S) /* for a batch to become full */
#define CONNECT_TIMEOUT_MS 3000L
#define TIMEOUT_MS 10000L
#define ATTEMPTS_MAX 8                  /* of one batch: some two minutes */
#define BACKOFF_FIRST_US (1 * US_PER_S) /* doubled each time, … */
#define BACKOFF_MAX_US (30 * US_PER_S)  /* … up to this; half of it is left to chance */
#define DRAIN_US (3 * US_PER_S)         /* for what waits at the end */
#define NAP_US 20000

struct otlp {
    struct otlp_options o;
    char url[URL_MAX], service[128], instance[64], host[256];
    struct rng rng;
    CURL *curl;
    struct curl_slist *headers;
    struct span *batch; /* SPANS_BATCH_MAX of them */
    struct arena arena;
    bool away; /* it has been said that the collector does not take them */
    char error[CURL_ERROR_SIZE];
    _Atomic int64_t end_us; /* nothing is sent any more; 0: not closed */
    pthread_t thread;
};

/* ---- one attempt ---- */

static size_t ignore(char *bytes, size_t size, size_t count, void *arg) {
    (void)bytes, (void)arg;
    return size * count;
}

/* Called by libcurl about once a second at least: the end must not wait for a collector that hangs.
 */
static int on_progress(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d) {
    const struct otlp *o = arg;
    (void)a, (void)b, (void)c, (void)d;
    return o->end_us != 0 && clock_mono_us() >= o->end_us;
}

enum outcome { TAKEN, LATER, REFUSED };

static void complain(struct otlp *o, const char *why, long status) {
    if (!o->away && status > 0)
        log_warn(o->o.log, "the collector at %s answers %ld: its spans may be lost", o->url,
                 status);
    else if (!o->away)
        log_warn(o->o.log, "the collector at %s is away: %s", o->url, why);
    o->away = true;
}

static enum outcome attempt(struct otlp *o, struct str body, int64_t *ret_wait_us) {
    long status = 0;
    curl_off_t retry_after_s = 0;
    o->error[0] = '\0';
    curl_easy_setopt(o->curl, CURLOPT_POSTFIELDS, body.p);
    curl_easy_setopt(o->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.len);
    CURLcode code = curl_easy_perform(o->curl);
    *ret_wait_us = 0;
    if (code == CURLE_OK) {
        curl_easy_getinfo(o->curl, CURLINFO_RESPONSE_CODE, &status);
        curl_easy_getinfo(o->curl, CURLINFO_RETRY_AFTER, &retry_after_s);
    }
    if (status >= 200 && status < 300) {
        if (o->away)
            log_info(o->o.log, "the collector at %s takes spans again", o->url);
        o->away = false;
        return TAKEN;
    }
    spans_failed(o->o.spans);
    complain(o, o->error[0] ? o->error : curl_easy_strerror(code), status);
    if (retry_after_s > 0)
        *ret_wait_us =
            retry_after_s > BACKOFF_MAX_US / US_PER_S ? BACKOFF_MAX_US : retry_after_s * US_PER_S;
    bool later = status == 0 || status == 429 || status == 502 || status == 503 || status == 504;
    return later ? LATER : REFUSED;
}

/* ---- the thread ---- */

/* Between half of what is due and all of it: many processes shall not come back at once. */
static void pause_for(struct otlp *o, int attempt, int64_t asked_us) {
    int64_t wait_us = BACKOFF_FIRST_US << attempt;
    if (wait_us > BACKOFF_MAX_US)
        wait_us = BACKOFF_MAX_US;
    wait_us = rng_between(&o->rng, wait_us / 2, wait_us);
    int64_t until_us = clock_mono_us() + (asked_us > wait_us ? asked_us : wait_us);
    while (clock_mono_us() < until_us && !spans_closed(o->o.spans))
        usleep(NAP_US);
}

static void deliver(struct otlp *o, int32_t count) {
    const struct otlp_resource resource = {o->service, o->instance, o->host, getpid()};
    struct buf body;
    enum outcome outcome = LATER;
    arena_reset(&o->arena);
    buf_init(&body, &o->arena, (size_t)count * 1024);
    otlp_encode(&resource, o->batch, count, &body);
    for (int i = 0; outcome == LATER && i < ATTEMPTS_MAX; i++) {
        bool last = spans_closed(o->o.spans);
        int64_t asked_us;
        if (last && clock_mono_us() >= o->end_us)
            break;
        outcome = attempt(o, buf_str(&body), &asked_us);
        if (last)
            break; /* one attempt for each batch at the end */
        if (outcome == LATER)
            pause_for(o, i, asked_us);
    }
    if (outcome == TAKEN)
        spans_sent(o->o.spans, count);
    else
        spans_lost(o->o.spans, count);
}

static void *run(void *arg) {
    struct otlp *o = arg;
    for (;;) {
        bool closed =
            spans_closed(o->o.spans); /* looked at first: then what is taken is the rest */
        int32_t count = spans_take(o->o.spans, o->batch, SPANS_BATCH_MAX, TAKE_WAIT_US);
        if (count > 0)
            deliver(o, count);
        else if (closed)
            return NULL;
    }
}

/* ---- opening and closing ---- */

static bool set_up(struct otlp *o) {
    o->curl = curl_easy_init();
    o->headers = curl_slist_append(NULL, "Content-Type: application/json");
    struct curl_slist *more = o->headers ? curl_slist_append(o->headers, "Expect:") : NULL;
    if (!o->curl || !more)
        return false;
    curl_easy_setopt(o->curl, CURLOPT_URL, o->url);
    curl_easy_setopt(o->curl, CURLOPT_HTTPHEADER, o->headers);
    curl_easy_setopt(o->curl, CURLOPT_POST, 1L);
    curl_easy_setopt(o->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(o->curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(o->curl, CURLOPT_PROXY, ""); /* none out of the environment */
    curl_easy_setopt(o->curl, CURLOPT_USERAGENT, "lorry/" LORRY_VERSION);
    curl_easy_setopt(o->curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS);
    curl_easy_setopt(o->curl, CURLOPT_TIMEOUT_MS, TIMEOUT_MS);
    curl_easy_setopt(o->curl, CURLOPT_ERRORBUFFER, o->error);
    curl_easy_setopt(o->curl, CURLOPT_WRITEFUNCTION, ignore);
    curl_easy_setopt(o->curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(o->curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(o->curl, CURLOPT_XFERINFODATA, o);
    return true;
}

static void tear_down(struct otlp *o) {
    curl_easy_cleanup(o->curl);
    curl_slist_free_all(o->headers);
    curl_global_cleanup();
    arena_free(&o->arena);
    free(o->batch);
    free(o);
}

/* "http://host:4318/" is the same as without the slash. */
static bool put_url(struct otlp *o, const char *url) {
    size_t len = strlen(url);
    while (len > 0 && url[len - 1] == '/')
        len--;
    int n = snprintf(o->url, sizeof o->url, "%.*s/v1/traces", (int)len, url);
    CURLU *parts = curl_url();
    bool good = n < (int)sizeof o->url && parts != NULL &&
                curl_url_set(parts, CURLUPART_URL, o->url, 0) == CURLUE_OK;
    curl_url_cleanup(parts);
    return good;
}

int otlp_open(const struct otlp_options *options, struct arena *a, struct otlp **ret,
              struct str *ret_why) {
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        *ret_why = STR("libcurl cannot be started");
        return ERR_LIMIT;
    }
    struct otlp *o = xcalloc(1, sizeof *o);
    o->o = *options;
    arena_init(&o->arena, 65536);
    rng_seed(&o->rng, options->seed);
    snprintf(o->service, sizeof o->service, "%s", options->service);
    snprintf(o->instance, sizeof o->instance, "%s", options->instance);
    if (gethostname(o->host, sizeof o->host - 1) != 0)
        snprintf(o->host, sizeof o->host, "localhost");
    o->batch = xcalloc(SPANS_BATCH_MAX, sizeof *o->batch);
    if (!put_url(o, options->url)) {
        *ret_why = arena_printf(a, "%s is no URL of a collector, as http://127.0.0.1:4318 is",
                                options->url);
        tear_down(o);
        return ERR_INVALID;
    }
    if (!set_up(o) || pthread_create(&o->thread, NULL, run, o) != 0) {
        *ret_why = STR("the exporter of spans cannot be started");
        tear_down(o);
        return ERR_LIMIT;
    }
    *ret = o;
    return 0;
}

void otlp_close(struct otlp *o) {
    if (!o)
        return;
    o->end_us = clock_mono_us() + DRAIN_US;
    spans_close(o->o.spans);
    pthread_join(o->thread, NULL);
    tear_down(o);
}
