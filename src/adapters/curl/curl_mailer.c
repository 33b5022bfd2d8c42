#include "adapters/curl/curl_mailer.h"

#include "adapters/curl/outgoing.h"
#include "adapters/mail/mime.h"
#include "base/err.h"
#include "base/timestamp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define UNDER_WAY_MAX 8
#define TIMEOUT_MS 60000
#define CONNECT_TIMEOUT_MS 15000

struct curl_mailer {
    struct mailer mailer;
    struct outgoing *outgoing;
    struct arena arena;
    char *url, *from, *sender, *ca_file;
    bool with_user;
    enum mail_tls tls;
    int64_t timeout_ms;
};
struct letter {
    struct outgoing_job job;
    struct curl_mailer *mailer;
    struct arena arena;
    char *to;
    struct str text;
    size_t read_bytes;
    struct curl_slist *recipients;
    mail_done_fn done;
    void *arg;
    int64_t sent_us;
};

static size_t read_text(char *out, size_t size, size_t count, void *arg) {
    struct letter *l = arg;
    size_t n = l->text.len - l->read_bytes;
    if (n > size * count)
        n = size * count;
    memcpy(out, l->text.p + l->read_bytes, n);
    l->read_bytes += n;
    return n;
}

static long use_ssl(const struct curl_mailer *m) {
    if (m->tls == MAIL_TLS_OFF)
        return CURLUSESSL_NONE;
    return m->tls == MAIL_TLS_REQUIRED || m->with_user ? CURLUSESSL_ALL : CURLUSESSL_TRY;
}

static CURLcode letter_begin(struct outgoing_job *job, CURL *easy) {
    struct letter *l = (struct letter *)job;
    const struct curl_mailer *m = l->mailer;
    l->recipients = curl_slist_append(NULL, l->to);
    if (l->recipients == NULL)
        return CURLE_OUT_OF_MEMORY;
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    curl_easy_setopt(easy, CURLOPT_USE_SSL, use_ssl(m));
    if (m->ca_file != NULL)
        curl_easy_setopt(easy, CURLOPT_CAINFO, m->ca_file);
    curl_easy_setopt(easy, CURLOPT_MAIL_FROM, m->sender);
    curl_easy_setopt(easy, CURLOPT_MAIL_RCPT, l->recipients);
    curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(easy, CURLOPT_READFUNCTION, read_text);
    curl_easy_setopt(easy, CURLOPT_READDATA, l);
    return curl_easy_setopt(easy, CURLOPT_URL, m->url);
}

/* A code of 5yz is the last word on this message; but not one about who we are (530 to 538), which
 * an operator will mend. */
static enum mail_result result_of(CURLcode code, long status) {
    if (code == CURLE_OK)
        return MAIL_SENT;
    bool ours = (status >= 530 && status <= 538) || code == CURLE_LOGIN_DENIED ||
                code == CURLE_USE_SSL_FAILED;
    return status >= 500 && status < 600 && !ours ? MAIL_REFUSED : MAIL_LATER;
}

static void letter_end(struct outgoing_job *job, CURL *easy, CURLcode code, const char *error) {
    struct letter *l = (struct letter *)job;
    long status = 0;
    if (easy != NULL)
        curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    struct mail_outcome out = {.result = result_of(code, status),
                               .status = (int32_t)status,
                               .latency_ms = (int32_t)((clock_mono_us() - l->sent_us) / US_PER_MS)};
    if (out.result != MAIL_SENT)
        snprintf(out.detail, sizeof(out.detail), "%s", error);
    l->done(l->arg, &out);
    curl_slist_free_all(l->recipients);
    arena_free(&l->arena);
    free(l);
}

/* What cannot be composed would not be better the next time. */
static int refuse(struct letter *l) {
    struct mail_outcome out = {.result = MAIL_REFUSED};
    snprintf(out.detail, sizeof(out.detail), "the message or its address cannot be");
    l->done(l->arg, &out);
    arena_free(&l->arena);
    free(l);
    return 0;
}

static int mailer_send(struct mailer *mailer, const struct mail *mail, mail_done_fn done,
                       void *arg) {
    struct curl_mailer *m = (struct curl_mailer *)mailer;
    struct letter *l = xcalloc(1, sizeof(*l));
    l->mailer = m;
    l->done = done;
    l->arg = arg;
    l->sent_us = clock_mono_us();
    l->job = (struct outgoing_job){.timeout_ms = m->timeout_ms,
                                   .connect_timeout_ms = CONNECT_TIMEOUT_MS,
                                   .begin = letter_begin,
                                   .end = letter_end};
    arena_init(&l->arena, 8192);
    if (mime_compose(mail, str_from(m->from), &l->arena, &l->text) < 0)
        return refuse(l);
    l->to = arena_cstr(&l->arena, mail->to);
    int err = outgoing_submit(m->outgoing, &l->job);
    if (err < 0) {
        arena_free(&l->arena);
        free(l);
    }
    return err;
}

static void mailer_close(struct mailer *mailer) {
    struct curl_mailer *m = (struct curl_mailer *)mailer;
    outgoing_close(m->outgoing);
    arena_free(&m->arena);
    free(m);
}
static const struct mailer_ops mailer_ops = {mailer_send, mailer_close};

static const char *fault_of(const struct curl_mailer_options *o, bool *ret_user) {
    struct str name, address;
    if (mime_sender(str_from(o->from), &name, &address) < 0)
        return "the sender of mail is not an address";
    if (o->ca_file != NULL && access(o->ca_file, R_OK) != 0)
        return "the file of who may vouch for the mail server cannot be read";
    CURLU *url = curl_url();
    char *user = NULL;
    CURLUcode code = curl_url_set(url, CURLUPART_URL, o->url, 0);
    *ret_user = code == CURLUE_OK && curl_url_get(url, CURLUPART_USER, &user, 0) == CURLUE_OK;
    curl_free(user);
    curl_url_cleanup(url);
    return code == CURLUE_OK ? NULL : "the address of the mail server is not a URL";
}

int curl_mailer_open(const struct curl_mailer_options *o, struct arena *a,
                     struct mailer **ret_mailer, struct str *ret_why) {
    bool with_user = false;
    const char *fault = fault_of(o, &with_user);
    if (fault != NULL) {
        *ret_why = arena_str(a, str_from(fault));
        return ERR_INVALID;
    }
    struct str name, sender;
    mime_sender(str_from(o->from), &name, &sender);
    struct curl_mailer *m = xcalloc(1, sizeof(*m));
    arena_init(&m->arena, 1024);
    m->mailer = (struct mailer){&mailer_ops, UNDER_WAY_MAX};
    m->url = arena_cstr(&m->arena, str_from(o->url));
    m->from = arena_cstr(&m->arena, str_from(o->from));
    m->sender = arena_cstr(&m->arena, arena_printf(&m->arena, "<%.*s>", STR_ARG(sender)));
    m->ca_file = o->ca_file != NULL ? arena_cstr(&m->arena, str_from(o->ca_file)) : NULL;
    m->with_user = with_user;
    m->tls = o->tls;
    m->timeout_ms = o->timeout_ms > 0 ? o->timeout_ms : TIMEOUT_MS;
    m->outgoing = outgoing_open(UNDER_WAY_MAX);
    if (m->outgoing == NULL) {
        mailer_close(&m->mailer);
        *ret_why = STR("the thread for mail cannot be started");
        return ERR_LIMIT;
    }
    *ret_mailer = &m->mailer;
    return 0;
}
