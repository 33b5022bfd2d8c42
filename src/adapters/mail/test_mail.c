#include "adapters/mail/mail_folder.h"
#include "adapters/mail/mime.h"
#include "base/check.h"
#include "base/err.h"
#include "base/test.h"

#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct mail sound(void) {
    return (struct mail){.id = STR("dlv_01HZZZZZZZZZZZZZZZZZZZZZZZ"),
                         .to = STR("kim@example.com"),
                         .subject = STR("Your booking"),
                         .text = STR("Hello,\n\n.dot\nend"),
                         .at_us = INT64_C(1795428000000000)};
}

static struct str composed(struct arena *a, const struct mail *m) {
    struct str text;
    assert_int_equal(mime_compose(m, STR("Lorry AB <lorry@example.com>"), a, &text), 0);
    return text;
}

static bool has(struct str text, const char *what) {
    return memmem(text.p, text.len, what, strlen(what)) != NULL;
}

static void test_addresses(void **state) {
    (void)state;
    static const char *const good[] = {"a@b", "first.last+tag@sub.example.com",
                                       "o'neil@example.com", "x_y-z@1.example"};
    static const char *const bad[] = {
        "",         "a",           "@b",          "a@",        "a@b@c",
        "a b@c.d",  "a@b c",       "a@b\r\nX: y", "a\r\n@b.c", "a@b.c\n",
        "<a@b.c>",  "a@b.c>",      "a,b@c.d",     "a;b@c.d",   "\"a\"@b.c",
        "a@b..c",   ".a@b.c",      "a.@b.c",      "a..b@c.d",  "a@-b.c",
        "a@b_c.d",  "a@[1.2.3.4]", "a@b.c.",      "-oX@b.c",   "a@b\xc3\xa5.c",
        "\xff@b.c", "a\x01@b.c",   "a(b)@c.d"};
    for (size_t i = 0; i < COUNT_OF(good); i++)
        assert_true(mime_is_address(str_from(good[i]), true));
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_false(mime_is_address(str_from(bad[i]), true));
    assert_true(mime_is_address(STR("j\xc3\xb6rgen@example.com"), false));
    assert_false(mime_is_address(STR("j\xc3\xb6rgen@example.com"), true));
    char longer[300];
    memset(longer, 'a', sizeof(longer));
    memcpy(longer + 250, "@b.example", 10);
    assert_false(mime_is_address((struct str){longer, 260}, true));
}

/* Whatever stands in a value, no line of the head begins with what was not meant to. */
static void test_nothing_begins_a_header(void **state) {
    (void)state;
    static const char *const evil[] = {"Hi\r\nBcc: all@example.com",
                                       "Hi\nBcc: all@example.com",
                                       "Hi\rBcc: all@example.com",
                                       "=?utf-8?Q?=0D=0ABcc:_x?=",
                                       ("\xe2\x80\xa8"
                                        "Bcc: x"),
                                       "Hi\x01\x7f"};
    struct arena a;
    arena_init(&a, 4096);
    for (size_t i = 0; i < COUNT_OF(evil); i++) {
        struct mail m = sound();
        m.subject = str_from(evil[i]);
        struct str text = composed(&a, &m);
        struct str head = {
            text.p, (size_t)((const char *)memmem(text.p, text.len, "\r\n\r\n", 4) - text.p)};
        assert_false(has(head, "\nBcc"));
        assert_false(has(head, "\rBcc"));
        assert_true(has(head, "Subject: =?utf-8?B?"));
        struct str from = arena_printf(&a, "%s <lorry@example.com>", evil[i]);
        if (mime_compose(&m, from, &a, &text) == 0)
            assert_false(has(text, "\nBcc"));
    }
    struct mail m = sound();
    m.to = STR("a@b.c\r\nBcc: x@y.z");
    struct str text;
    assert_int_equal(mime_compose(&m, STR("a@b.c"), &a, &text), ERR_INVALID);
    m = sound();
    m.id = STR("x>\r\nBcc: <x");
    assert_int_equal(mime_compose(&m, STR("a@b.c"), &a, &text), ERR_INVALID);
    m = sound();
    m.language = STR("sv\r\nBcc: x");
    assert_int_equal(mime_compose(&m, STR("a@b.c"), &a, &text), ERR_INVALID);
    m = sound();
    m.text = STR("\xc3");
    assert_int_equal(mime_compose(&m, STR("a@b.c"), &a, &text), ERR_INVALID);
    m = sound();
    assert_int_equal(mime_compose(&m, STR("nobody"), &a, &text), ERR_INVALID);
    char *large = arena_bytes(&a, MAIL_TEXT_MAX + 1);
    memset(large, 'x', MAIL_TEXT_MAX + 1);
    m.text = (struct str){large, MAIL_TEXT_MAX + 1};
    assert_int_equal(mime_compose(&m, STR("a@b.c"), &a, &text), ERR_LIMIT);
    arena_free(&a);
}

static void test_lines_are_short_and_end_as_they_must(void **state) {
    (void)state;
    struct arena a;
    arena_init(&a, 4096);
    struct mail m = sound();
    char words[3000];
    for (size_t i = 0; i + 2 < sizeof(words); i += 3)
        memcpy(words + i, i % 7 == 0 ? "=  " : "\xe0\xa4\xa8", 3);
    m.text = (struct str){words, (size_t)2997};
    m.html = STR("<p>It is a line that goes on, and on, and on, over more than a hundred bytes in "
                 "all of them; and it ends with spaces   \n</p>");
    m.subject = STR("\xd9\x85\xd8\xb1\xd8\xad\xd8\xa8\xd9\x8b\xd8\xa7 "
                    "\xd9\x85\xd8\xb1\xd8\xad\xd8\xa8\xd9\x8b\xd8\xa7 "
                    "\xd9\x85\xd8\xb1\xd8\xad\xd8\xa8\xd9\x8b\xd8\xa7 "
                    "\xd9\x85\xd8\xb1\xd8\xad\xd8\xa8\xd9\x8b\xd8\xa7");
    struct str text = composed(&a, &m);
    size_t begun = 0;
    for (size_t i = 0; i < text.len; i++) {
        assert_true((unsigned char)text.p[i] < 0x80);
        if (text.p[i] == '\n') {
            assert_true(i > 0 && text.p[i - 1] == '\r');
            assert_true(i - 1 - begun <= 78);
            begun = i + 1;
        }
    }
    assert_true(has(text, "Message-ID: <dlv_01HZZZZZZZZZZZZZZZZZZZZZZZ@example.com>\r\n"));
    assert_true(has(text, "Date: Mon, 23 Nov 2026 10:00:00 +0000\r\n"));
    arena_free(&a);
}

/* ---- the folder ---- */

struct wait {
    pthread_mutex_t lock;
    pthread_cond_t cond;
    int32_t done;
    struct mail_outcome last;
};

static void on_done(void *arg, const struct mail_outcome *o) {
    struct wait *w = arg;
    pthread_mutex_lock(&w->lock);
    w->done++;
    w->last = *o;
    pthread_cond_signal(&w->cond);
    pthread_mutex_unlock(&w->lock);
}

static void wait_for(struct wait *w, int32_t count) {
    pthread_mutex_lock(&w->lock);
    while (w->done < count)
        pthread_cond_wait(&w->cond, &w->lock);
    pthread_mutex_unlock(&w->lock);
}

static int32_t files_in(const char *dir) {
    int32_t count = 0;
    DIR *d = opendir(dir);
    for (const struct dirent *e; (e = readdir(d)) != NULL;)
        count += e->d_name[0] != '.' || strlen(e->d_name) > 2;
    closedir(d);
    return count;
}

static void test_folder(void **state) {
    (void)state;
    char dir[] = "/tmp/lorry-mail-XXXXXX", inner[64], file[128];
    struct arena a;
    struct str why;
    struct mailer *mailer;
    struct wait w = {.lock = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER};
    arena_init(&a, 4096);
    assert_non_null(mkdtemp(dir));
    snprintf(inner, sizeof(inner), "%s/mail", dir);
    assert_int_equal(mail_folder_open(inner, "nobody", &a, &mailer, &why), ERR_INVALID);
    assert_int_equal(mail_folder_open("/proc/no/such", "a@b.c", &a, &mailer, &why), ERR_IO);
    assert_int_equal(mail_folder_open(inner, "Lorry <a@b.c>", &a, &mailer, &why), 0);
    struct mail m = sound();
    assert_int_equal(mailer->ops->send(mailer, &m, on_done, &w), 0);
    wait_for(&w, 1);
    assert_int_equal(w.last.result, MAIL_SENT);
    assert_int_equal(mailer->ops->send(mailer, &m, on_done, &w), 0); /* the same, once more */
    wait_for(&w, 2);
    assert_int_equal(files_in(inner), 1);
    m.to = STR("nobody");
    assert_int_equal(mailer->ops->send(mailer, &m, on_done, &w), 0);
    wait_for(&w, 3);
    assert_int_equal(w.last.result, MAIL_REFUSED);
    snprintf(file, sizeof(file), "%s/dlv_01HZZZZZZZZZZZZZZZZZZZZZZZ.eml", inner);
    assert_int_equal(unlink(file), 0);
    assert_int_equal(rmdir(inner), 0);
    m = sound();
    assert_int_equal(mailer->ops->send(mailer, &m, on_done, &w), 0); /* its folder is gone */
    wait_for(&w, 4);
    assert_int_equal(w.last.result, MAIL_LATER);
    mailer->ops->close(mailer);
    rmdir(dir);
    arena_free(&a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_nothing_begins_a_header),
        cmocka_unit_test(test_lines_are_short_and_end_as_they_must),
        cmocka_unit_test(test_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
