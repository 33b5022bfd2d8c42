/* One thread and a short list of what it has yet to write. A file is written under another name and
 * then renamed, so that who looks into the folder sees whole messages only.
 */
#include "adapters/mail/mail_folder.h"

#include "adapters/mail/mime.h"
#include "base/check.h"
#include "base/err.h"
#include "base/timestamp.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER_UNDER_WAY_MAX 16
#define FOLDER_PATH_MAX 1024

struct letter {
    struct letter *next;
    struct mail mail;
    struct arena arena;
    mail_done_fn done;
    void *arg;
    int64_t sent_us;
};
struct mail_folder {
    struct mailer mailer;
    char dir[FOLDER_PATH_MAX - 80];
    char from[MAIL_ADDRESS_MAX + 256];
    pthread_mutex_t lock;
    pthread_cond_t work;
    struct letter *first, **last;
    int32_t under_way;
    bool closing;
    pthread_t thread;
};

static int write_file(const char *path, struct str text) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return ERR_IO;
    size_t at = 0;
    while (at < text.len) {
        ssize_t n = write(fd, text.p + at, text.len - at);
        if (n <= 0)
            break;
        at += (size_t)n;
    }
    return close(fd) == 0 && at == text.len ? 0 : ERR_IO;
}

static void deliver(const struct mail_folder *f, struct letter *l, struct mail_outcome *out) {
    char path[FOLDER_PATH_MAX], part[FOLDER_PATH_MAX];
    struct str text;
    if (mime_compose(&l->mail, str_from(f->from), &l->arena, &text) < 0) {
        out->result = MAIL_REFUSED;
        snprintf(out->detail, sizeof(out->detail), "the message or its address cannot be");
        return;
    }
    snprintf(path, sizeof(path), "%s/%.*s.eml", f->dir, STR_ARG(l->mail.id));
    snprintf(part, sizeof(part), "%s/.%.*s.part", f->dir, STR_ARG(l->mail.id));
    if (write_file(part, text) < 0 || rename(part, path) != 0) {
        out->result = MAIL_LATER;
        snprintf(out->detail, sizeof(out->detail), "cannot write the file: %s", strerror(errno));
        unlink(part);
    }
}

static void *folder_thread(void *arg) {
    struct mail_folder *f = arg;
    pthread_mutex_lock(&f->lock);
    for (;;) {
        while (f->first == NULL && !f->closing)
            pthread_cond_wait(&f->work, &f->lock);
        struct letter *l = f->first;
        if (l == NULL)
            break;
        f->first = l->next;
        if (f->first == NULL)
            f->last = &f->first;
        pthread_mutex_unlock(&f->lock);
        struct mail_outcome out = {.result = MAIL_SENT};
        deliver(f, l, &out);
        out.latency_ms = (int32_t)((clock_mono_us() - l->sent_us) / US_PER_MS);
        l->done(l->arg, &out);
        arena_free(&l->arena);
        free(l);
        pthread_mutex_lock(&f->lock);
        f->under_way--;
    }
    pthread_mutex_unlock(&f->lock);
    return NULL;
}

static int folder_send(struct mailer *m, const struct mail *mail, mail_done_fn done, void *arg) {
    struct mail_folder *f = (struct mail_folder *)m;
    pthread_mutex_lock(&f->lock);
    bool room = f->under_way < m->under_way_max && !f->closing;
    if (room) {
        struct letter *l = xcalloc(1, sizeof(*l));
        arena_init(&l->arena, 4096);
        l->mail = (struct mail){.id = arena_str(&l->arena, mail->id),
                                .to = arena_str(&l->arena, mail->to),
                                .subject = arena_str(&l->arena, mail->subject),
                                .text = arena_str(&l->arena, mail->text),
                                .html = arena_str(&l->arena, mail->html),
                                .language = arena_str(&l->arena, mail->language),
                                .at_us = mail->at_us};
        l->done = done;
        l->arg = arg;
        l->sent_us = clock_mono_us();
        *f->last = l;
        f->last = &l->next;
        f->under_way++;
        pthread_cond_signal(&f->work);
    }
    pthread_mutex_unlock(&f->lock);
    return room ? 0 : ERR_FULL;
}

static void folder_close(struct mailer *m) {
    struct mail_folder *f = (struct mail_folder *)m;
    pthread_mutex_lock(&f->lock);
    f->closing = true;
    pthread_cond_signal(&f->work);
    pthread_mutex_unlock(&f->lock);
    pthread_join(f->thread, NULL);
    pthread_cond_destroy(&f->work);
    pthread_mutex_destroy(&f->lock);
    free(f);
}
static const struct mailer_ops folder_ops = {folder_send, folder_close};

static int prepare(const char *dir, const char *from, struct arena *a, struct str *ret_why) {
    struct str name, address;
    if (strlen(dir) >= sizeof(((struct mail_folder *)0)->dir) ||
        strlen(from) >= sizeof(((struct mail_folder *)0)->from)) {
        *ret_why = STR("the mail folder's path or the sender is too long");
        return ERR_LIMIT;
    }
    if (mime_sender(str_from(from), &name, &address) < 0) {
        *ret_why = STR("the sender of mail is not an address");
        return ERR_INVALID;
    }
    struct stat st;
    if ((mkdir(dir, 0700) == 0 || errno == EEXIST) && stat(dir, &st) == 0 && S_ISDIR(st.st_mode) &&
        access(dir, W_OK) == 0)
        return 0;
    *ret_why = arena_printf(a, "mail cannot be written into the folder %s", dir);
    return ERR_IO;
}

int mail_folder_open(const char *dir, const char *from, struct arena *a, struct mailer **ret_mailer,
                     struct str *ret_why) {
    int err = prepare(dir, from, a, ret_why);
    if (err < 0)
        return err;
    struct mail_folder *f = xcalloc(1, sizeof(*f));
    f->mailer = (struct mailer){&folder_ops, FOLDER_UNDER_WAY_MAX};
    memcpy(f->dir, dir, strlen(dir) + 1);
    memcpy(f->from, from, strlen(from) + 1);
    f->last = &f->first;
    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->work, NULL);
    if (pthread_create(&f->thread, NULL, folder_thread, f) != 0) {
        free(f);
        *ret_why = STR("the thread for mail cannot be started");
        return ERR_LIMIT;
    }
    *ret_mailer = &f->mailer;
    return 0;
}
