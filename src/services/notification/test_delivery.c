/* Deliveries against a mailer that does as the test says: each promise of delivery.h on its own. */
#include "services/notification/recipients.h"
#include "services/notification/test_kit.h"

#define POST_MAX 256
#define HOUR_S INT64_C(3600)

/* ---- a mailer by hand ---- */

struct letter {
    char id[ID_TEXT_MAX], to[64], subject[200];
    mail_done_fn done; /* NULL: its outcome was told */
    void *arg;
};
struct postbox {
    struct mailer mailer;
    struct letter letters[POST_MAX];
    int32_t count, under_way, most;
};

static int post_send(struct mailer *m, const struct mail *mail, mail_done_fn done, void *arg) {
    struct postbox *p = (struct postbox *)m;
    CHECK(p->count < POST_MAX);
    assert_true(p->under_way < m->under_way_max);
    struct letter *l = &p->letters[p->count++];
    l->done = done;
    l->arg = arg;
    copy_text(l->id, sizeof(l->id), mail->id);
    copy_text(l->to, sizeof(l->to), mail->to);
    copy_text(l->subject, sizeof(l->subject), mail->subject);
    p->under_way++;
    p->most = p->most > p->under_way ? p->most : p->under_way;
    return 0;
}

static void post_close(struct mailer *m) {
    (void)m;
}
static const struct mailer_ops post_ops = {post_send, post_close};

static void post_tell(struct postbox *p, int32_t i, enum mail_result result) {
    struct letter *l = &p->letters[i];
    struct mail_outcome out = {.result = result, .latency_ms = 30};
    if (result != MAIL_SENT)
        snprintf(out.detail, sizeof(out.detail), "it says no");
    mail_done_fn done = l->done;
    CHECK(done != NULL);
    l->done = NULL;
    p->under_way--;
    done(l->arg, &out);
}

static void post_tell_all(struct postbox *p, enum mail_result result) {
    for (int32_t i = 0; i < p->count; i++) {
        if (p->letters[i].done != NULL)
            post_tell(p, i, result);
    }
}

static struct kit *kit_with(struct postbox *p) {
    *p = (struct postbox){.mailer = {&post_ops, 4}};
    struct kit *k = kit_new(7, 0, 0);
    k->o.mailer = &p->mailer;
    kit_crash(k); /* opened again, with the mailer */
    return k;
}

static void kit_end(struct kit *k, struct postbox *p) {
    post_tell_all(p, MAIL_LATER);
    kit_free(k);
}

static int32_t want(struct kit *k, struct ev_mail m) {
    if (m.template.p == NULL)
        m.template = STR("verify_email");
    if (m.to.p == NULL)
        m.to = STR("kim@example.com");
    m.user_id = house_id(k->h, "usr");
    m.code = STR("123456");
    int32_t i = kit_event_of(k, EV_MAIL_WANTED, m.user_id, &ev_mail_schema, &m);
    kit_publish(k, i);
    house_settle(k->h);
    house_advance(k->h, 200 * US_PER_MS);
    return i;
}

/* The one delivery there is, or that of event I. */
static struct delivery *stored(struct kit *k, int32_t i) {
    struct store *s = memory_disk_open(k->h->disk, false, NULL);
    struct store_query q = {.collection = &delivery_collection, .limit = 200};
    struct store_doc *docs;
    int32_t count;
    struct delivery *found = NULL;
    assert_int_equal(s->ops->list(s, &q, &k->h->arena, &docs, &count), 0);
    for (int32_t n = 0; n < count; n++) {
        void *state;
        assert_int_equal(
            aggregate_decode(&delivery_aggregate, &docs[n], k->parser, &k->h->arena, &state), 0);
        struct delivery *d = state;
        if (str_eq(d->event_id, k->events[i].event.id))
            found = d;
    }
    s->ops->close(s);
    return found;
}

/* ---- */

static void test_sent_once(void **state) {
    (void)state;
    struct postbox p;
    struct kit *k = kit_with(&p);
    int32_t i = want(k, (struct ev_mail){.language = STR("sv-FI"), .name = STR("Kim")});
    assert_int_equal(p.count, 1);
    assert_string_equal(p.letters[0].to, "kim@example.com");
    assert_string_equal(p.letters[0].subject, "Bekr\xc3\xa4"
                                              "fta din e-postadress");
    assert_str(stored(k, i)->head.id, p.letters[0].id);
    assert_int_equal(stored(k, i)->state, DELIVERY_PENDING);
    post_tell(&p, 0, MAIL_SENT);
    house_settle(k->h);
    const struct delivery *d = stored(k, i);
    assert_int_equal(d->state, DELIVERY_SENT);
    assert_int_equal(d->log_count, 1);
    assert_null(d->to.p); /* nobody's business any more */
    assert_null(d->code.p);
    kit_publish(k, i); /* the event comes again */
    house_advance(k->h, 3600 * US_PER_S);
    assert_int_equal(p.count, 1);
    kit_end(k, &p);
}

static void test_tried_again_then_given_up(void **state) {
    (void)state;
    struct postbox p;
    struct kit *k = kit_with(&p);
    int32_t i = want(k, (struct ev_mail){0});
    int64_t begun_us = k->h->now_us, waited_us = 0;
    for (int32_t n = 1; n <= MAIL_TRY_MAX; n++) {
        if (p.count < n)
            break; /* two days have passed */
        assert_int_equal(p.count, n);
        assert_string_equal(p.letters[n - 1].id, p.letters[0].id);
        post_tell(&p, n - 1, MAIL_LATER);
        house_settle(k->h);
        const struct delivery *d = stored(k, i);
        if (d->state != DELIVERY_PENDING)
            break;
        int64_t wait_us = d->next_us - k->h->now_us;
        assert_true(wait_us > waited_us / 2 && wait_us <= INT64_C(18000) * US_PER_S);
        waited_us = wait_us;
        house_advance(k->h, wait_us - US_PER_S);
        assert_int_equal(p.count, n); /* not sooner */
        house_advance(k->h, 2 * US_PER_S);
    }
    const struct delivery *d = stored(k, i);
    assert_int_equal(d->state, DELIVERY_DEAD);
    assert_true(d->tries >= 8 && d->tries <= MAIL_TRY_MAX);
    assert_str(d->to, "kim@example.com"); /* for another try by hand */
    assert_str(d->log[0].detail, "it says no");
    assert_true(k->h->now_us - begun_us <= MAIL_KEEP_TRYING_US);
    int32_t count = p.count;
    house_advance(k->h, US_PER_DAY);
    assert_int_equal(p.count, count);
    kit_end(k, &p);
}

static void test_refused_at_once(void **state) {
    (void)state;
    struct postbox p;
    struct kit *k = kit_with(&p);
    int32_t i = want(k, (struct ev_mail){0});
    post_tell(&p, 0, MAIL_REFUSED);
    house_settle(k->h);
    assert_int_equal(stored(k, i)->state, DELIVERY_DEAD);
    house_advance(k->h, US_PER_DAY);
    assert_int_equal(p.count, 1);
    kit_end(k, &p);
}

/* The process dies with a message under way: it is sent again, and can be recognised. */
static void test_lost_result(void **state) {
    (void)state;
    struct postbox p;
    struct kit *k = kit_with(&p);
    int32_t i = want(k, (struct ev_mail){0});
    post_tell(&p, 0, MAIL_SENT); /* nobody hears it: */
    kit_crash(k);
    house_advance(k->h, DELIVERY_LEASE_US - 2 * US_PER_S);
    assert_int_equal(p.count, 1);
    house_advance(k->h, 180 * US_PER_S);
    assert_int_equal(p.count, 2);
    assert_string_equal(p.letters[1].id, p.letters[0].id);
    post_tell(&p, 1, MAIL_SENT);
    house_settle(k->h);
    assert_int_equal(stored(k, i)->state, DELIVERY_SENT);
    assert_str(stored(k, i)->log[0].detail, "nothing was heard");
    kit_end(k, &p);
}

/* A result that comes after its lease: success counts, failure does not. */
static void test_late_result(void **state) {
    (void)state;
    for (int32_t arrived = 0; arrived < 2; arrived++) {
        struct postbox p;
        struct kit *k = kit_with(&p);
        int32_t i = want(k, (struct ev_mail){0});
        house_advance(k->h, DELIVERY_LEASE_US + 200 * US_PER_S);
        assert_int_equal(p.count, 2);
        post_tell(&p, 0, arrived ? MAIL_SENT : MAIL_REFUSED);
        house_settle(k->h);
        assert_int_equal(stored(k, i)->state, arrived ? DELIVERY_SENT : DELIVERY_PENDING);
        kit_end(k, &p);
    }
}

static void test_expires(void **state) {
    (void)state;
    struct postbox p;
    struct kit *k = kit_with(&p);
    int32_t i = want(k, (struct ev_mail){.expires_at_us = k->h->now_us + 300 * US_PER_S});
    post_tell(&p, 0, MAIL_LATER);
    house_advance(k->h, 100 * US_PER_S);
    assert_int_equal(p.count, 2);
    post_tell(&p, 1, MAIL_LATER); /* the next would be too late */
    house_advance(k->h, US_PER_DAY);
    assert_int_equal(p.count, 2);
    assert_int_equal(stored(k, i)->state, DELIVERY_DEAD);
    i = want(k, (struct ev_mail){.expires_at_us = k->h->now_us - 1});
    assert_int_equal(p.count, 2);
    assert_int_equal(stored(k, i)->state, DELIVERY_DEAD);
    kit_end(k, &p);
}

static void test_no_more_than_fit(void **state) {
    (void)state;
    struct postbox p;
    struct kit *k = kit_with(&p);
    for (int32_t n = 0; n < 60; n++)
        want(k, (struct ev_mail){0});
    assert_int_equal(p.count, 4);
    for (int32_t n = 0; n < 60 * 20 && p.count < 60; n++) {
        post_tell_all(&p, MAIL_SENT);
        house_advance(k->h, 100 * US_PER_MS);
    }
    assert_int_equal(p.count, 60);
    assert_int_equal(p.most, 4);
    post_tell_all(&p, MAIL_SENT);
    house_advance(k->h, 10 * US_PER_S);
    for (int32_t i = 0; i < 60; i++)
        assert_int_equal(stored(k, i)->state, DELIVERY_SENT);
    kit_end(k, &p);
}

static void test_what_cannot_be_sent(void **state) {
    (void)state;
    struct postbox p;
    struct kit *k = kit_with(&p);
    int32_t i = want(k, (struct ev_mail){.template = STR("no_such")});
    assert_null(stored(k, i));
    k->o.mailer = NULL;
    kit_crash(k);
    i = want(k, (struct ev_mail){0});
    assert_null(stored(k, i));
    assert_true(kit_all_confirmed(k)); /* it holds up nobody */
    assert_int_equal(p.count, 0);
    kit_end(k, &p);
}

/* A store that fails now and then changes nothing of it. */
static void test_faulty_store(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 8; seed++) {
        struct postbox p;
        struct kit *k = kit_with(&p);
        rng_seed(&k->h->rng, seed);
        k->h->faults = (struct memory_store_faults){.rng = &k->h->rng,
                                                    .busy = 0.2,
                                                    .conflict = 0.2,
                                                    .unknown_committed = 0.1,
                                                    .unknown_lost = 0.1};
        for (int32_t n = 0; n < 8; n++)
            want(k, (struct ev_mail){0});
        for (int32_t n = 0; n < 200; n++) {
            post_tell_all(&p, rng_below(&k->h->rng, 3) == 0 ? MAIL_LATER : MAIL_SENT);
            house_advance(k->h, 20 * US_PER_S);
        }
        k->h->faults = (struct memory_store_faults){.rng = &k->h->rng};
        for (int32_t n = 0; n < 20; n++) {
            house_advance(k->h, 1000 * US_PER_S);
            post_tell_all(&p, MAIL_SENT);
        }
        house_settle(k->h);
        for (int32_t i = 0; i < 8; i++)
            assert_int_equal(stored(k, i)->state, DELIVERY_SENT);
        assert_true(p.most <= 4);
        assert_int_equal(p.under_way, 0);
        kit_end(k, &p);
    }
}

/* ---- webhooks ---- */

struct pillar {
    struct poster poster;
    struct {
        char id[ID_TEXT_MAX], url[64], body[1024];
        post_done_fn done;
        void *arg;
    } posts[POST_MAX];
    int32_t count;
    int32_t status;   /* that it answers */
    bool slow;        /* it does so when box_answers is called … */
    int32_t answered; /* … to those before this one */
};

static int box_send(struct poster *p, const struct post *post, post_done_fn done, void *arg) {
    struct pillar *b = (struct pillar *)p;
    CHECK(b->count < POST_MAX);
    copy_text(b->posts[b->count].id, ID_TEXT_MAX, post->headers[0].value);
    copy_text(b->posts[b->count].body, sizeof(b->posts[0].body), post->body);
    copy_text(b->posts[b->count].url, 64, post->url);
    b->posts[b->count].done = done;
    b->posts[b->count++].arg = arg;
    assert_true(!b->slow || b->count - b->answered <= p->under_way_max);
    if (b->slow)
        return 0;
    b->answered = b->count;
    const struct post_outcome out = {.status = b->status, .latency_ms = 5};
    done(arg, &out);
    return 0;
}

static void box_answers(struct pillar *b) {
    const struct post_outcome out = {.status = b->status, .latency_ms = 15000};
    b->slow = false;
    for (int32_t end = b->count; b->answered < end; b->answered++)
        b->posts[b->answered].done(b->posts[b->answered].arg, &out);
}

static void box_close(struct poster *p) {
    (void)p;
}
static const struct poster_ops box_ops = {box_send, box_close};

static struct kit *kit_with_box(struct pillar *b, int32_t status) {
    *b = (struct pillar){.poster = {&box_ops, 8, 2}, .status = status};
    struct kit *k = kit_new(7, 0, 0);
    k->o.poster = &b->poster;
    k->o.entropy = &k->h->entropy;
    kit_crash(k);
    return k;
}

static struct str make_webhook(struct kit *k, struct identity who, const char *body) {
    struct house_answer a =
        house_call(k->h, &(struct house_request){
                             .method = "POST", .path = "/v1/webhooks", .body = body, .who = who});
    assert_int_equal(a.status, 201);
    struct json_value root, id;
    assert_int_equal(json_parse(k->parser, a.body, &root), 0);
    assert_true(json_get(root, "id", &id));
    return arena_str(&k->h->arena, json_text(id));
}

static struct house_answer webhook_of(struct kit *k, struct identity who, struct str id) {
    const char *path = arena_printf(&k->h->arena, "/v1/webhooks/%.*s", STR_ARG(id)).p;
    return house_call(k->h, &(struct house_request){.method = "GET", .path = path, .who = who});
}

static void test_three_days_then_disabled(void **state) {
    (void)state;
    struct pillar b;
    struct kit *k = kit_with_box(&b, 500);
    struct identity who = house_who(k->h, ROLE_CUSTOMER, NULL);
    struct str id = make_webhook(k, who, "{\"url\":\"https://a.example/x\"}");
    struct ev_booking booking = kit_booking(k, who.user_id);
    kit_tell(k, EV_BOOKING_REQUESTED, &booking);
    house_advance(k->h, US_PER_S);
    assert_int_equal(b.count, 1);
    kit_crash(k); /* what is known of webhooks and tries comes back from the store */
    for (int32_t hour = 0; hour < 59; hour++)
        house_advance(k->h, 3600 * US_PER_S);
    assert_true(b.count >= 9 && b.count <= 14);
    assert_true(kit_has(webhook_of(k, who, id).body, "\"status\":\"enabled\""));
    for (int32_t hour = 0; hour < 24; hour++)
        house_advance(k->h, 3600 * US_PER_S);
    for (int32_t i = 0; i < b.count; i++)
        assert_string_equal(b.posts[i].id, b.posts[0].id);
    assert_true(kit_has(webhook_of(k, who, id).body, "\"status\":\"disabled\""));
    assert_int_equal(kit_head(k, who.user_id), 2); /* the booking, and that it is disabled */
    int32_t count = b.count;
    kit_moves(k, &booking, BOOKING_ASSIGNED);
    kit_tell(k, EV_BOOKING_ASSIGNED, &booking);
    house_advance(k->h, 3600 * US_PER_S);
    assert_int_equal(b.count, count);
    kit_free(k);
}

/* One message that is not taken does not disable a webhook that takes others. */
static void test_one_bad_message(void **state) {
    (void)state;
    struct pillar b;
    struct kit *k = kit_with_box(&b, 500);
    struct identity who = house_who(k->h, ROLE_CUSTOMER, NULL);
    struct str id = make_webhook(k, who, "{\"url\":\"https://a.example/x\"}");
    struct ev_booking booking = kit_booking(k, who.user_id);
    kit_tell(k, EV_BOOKING_REQUESTED, &booking);
    house_advance(k->h, INT64_C(252000) * US_PER_S);
    b.status = 200;
    struct ev_booking other = kit_booking(k, who.user_id);
    kit_tell(k, EV_BOOKING_REQUESTED, &other);
    house_advance(k->h, US_PER_S);
    b.status = 500;
    house_advance(k->h, INT64_C(72000) * US_PER_S);
    assert_true(kit_has(webhook_of(k, who, id).body, "\"status\":\"enabled\""));
    kit_free(k);
}

/* However often an event comes, and whatever webhooks come and go meanwhile, each hears once. */
static void test_events_that_come_again(void **state) {
    (void)state;
    struct pillar b;
    struct kit *k = kit_with_box(&b, 200);
    struct identity who = house_who(k->h, ROLE_CUSTOMER, NULL);
    struct identity boss = house_who(k->h, ROLE_ADMIN, NULL);
    make_webhook(k, who, "{\"url\":\"https://a.example/1\"}");
    make_webhook(k, who, "{\"url\":\"https://a.example/2\",\"events\":[\"booking.delivered\"]}");
    make_webhook(k, boss, "{\"url\":\"https://a.example/3\"}");
    struct ev_booking booking = kit_booking(k, who.user_id);
    int32_t i = kit_event(k, EV_BOOKING_REQUESTED, &booking);
    kit_publish(k, i);
    house_advance(k->h, US_PER_S);
    assert_int_equal(b.count, 2);
    make_webhook(k, boss, "{\"url\":\"https://a.example/4\"}");
    kit_publish(k, i);
    kit_publish(k, i);
    house_advance(k->h, US_PER_S);
    assert_int_equal(b.count, 3);
    assert_string_equal(b.posts[2].url, "https://a.example/4");
    kit_free(k);
}

/* What is sent is out of the house: a customer's has no number but his own people's; the house's
 * own webhook has all. */
static void test_numbers_leave_masked(void **state) {
    (void)state;
    struct pillar b;
    struct kit *k = kit_with_box(&b, 200);
    struct identity who = house_who(k->h, ROLE_CUSTOMER, NULL);
    make_webhook(k, who, "{\"url\":\"https://a.example/1\"}");
    make_webhook(k, house_who(k->h, ROLE_ADMIN, NULL), "{\"url\":\"https://a.example/2\"}");
    struct ev_booking booking = kit_booking(k, who.user_id);
    kit_moves(k, &booking, BOOKING_ASSIGNED);
    booking.view = STR("{\"stops\":[{\"contact\":{\"phone\":\"+46701234567\"}}],\"driver\":"
                       "{\"name\":\"Ola Berg\",\"phone\":\"+46707654321\"}}");
    kit_tell(k, EV_BOOKING_ASSIGNED, &booking);
    house_advance(k->h, US_PER_S);
    assert_int_equal(b.count, 2);
    for (int i = 0; i < 2; i++) {
        bool all = strcmp(b.posts[i].url, "https://a.example/2") == 0;
        assert_non_null(strstr(b.posts[i].body, "+46701234567"));
        assert_int_equal(strstr(b.posts[i].body, "+46707654321") != NULL, all);
        assert_int_equal(strstr(b.posts[i].body, "Berg") != NULL, all);
    }
    kit_free(k);
}

/* What somebody has put into a broker's queue: of each type one that says nothing, one whose id is
 * no id, and one of a time that could not be read back. Nothing comes of it, and what comes after
 * is taken. */
static void test_events_of_nobody(void **state) {
    (void)state;
    struct pillar b;
    struct kit *k = kit_with_box(&b, 200);
    struct identity boss = house_who(k->h, ROLE_ADMIN, NULL);
    make_webhook(k, boss, "{\"url\":\"https://a.example/1\"}");
    struct ev_booking booking = kit_booking(k, house_id(k->h, "usr"));
    for (int32_t type = 0; type < notification_event_count; type++) {
        int32_t empty = kit_event(k, notification_events[type].type, &booking);
        k->events[empty].event.data = STR("{}");
        kit_publish(k, empty);
        int32_t nameless = kit_event(k, notification_events[type].type, &booking);
        k->events[nameless].event.id = STR("forged");
        kit_publish(k, nameless);
        int32_t timeless = kit_event(k, notification_events[type].type, &booking);
        k->events[timeless].event.at_us = type % 2 == 0 ? INT64_MAX : -1;
        kit_publish(k, timeless);
        house_advance(k->h, US_PER_S);
    }
    assert_true(kit_all_confirmed(k));
    assert_int_equal(b.count, 0);
    kit_tell(k, EV_BOOKING_REQUESTED, &booking);
    house_advance(k->h, US_PER_S);
    assert_int_equal(b.count, 1);
    kit_free(k);
}

/* ---- a webhook and its owner ---- */

static void account_becomes(struct kit *k, struct str user_id, int32_t role, bool disabled) {
    const struct ev_account a = {.user_id = user_id, .role = role, .disabled = disabled};
    house_advance(k->h, US_PER_S);
    kit_publish(k, kit_event_of(k, EV_ACCOUNT_CHANGED, user_id, &ev_account_schema, &a));
    house_settle(k->h);
}

static int32_t told_of_one(struct kit *k, struct pillar *b, struct str customer) {
    int32_t before = b->count;
    struct ev_booking booking = kit_booking(k, customer);
    kit_tell(k, EV_BOOKING_REQUESTED, &booking);
    house_advance(k->h, US_PER_S);
    return b->count - before;
}

static void test_owner_not_what_he_was(void **state) {
    (void)state;
    struct pillar b;
    struct kit *k = kit_with_box(&b, 200);
    struct identity who = house_who(k->h, ROLE_CUSTOMER, NULL);
    struct identity boss = house_who(k->h, ROLE_ADMIN, NULL);
    struct identity other = house_who(k->h, ROLE_ADMIN, NULL);
    make_webhook(k, who, "{\"url\":\"https://a.example/1\"}");
    struct str of_boss = make_webhook(k, boss, "{\"url\":\"https://a.example/2\"}");
    make_webhook(k, other, "{\"url\":\"https://a.example/3\"}");
    assert_int_equal(told_of_one(k, &b, who.user_id), 3);
    account_becomes(k, boss.user_id, ROLE_ADMIN, false); /* his name, say */
    assert_int_equal(told_of_one(k, &b, who.user_id), 3);
    account_becomes(k, boss.user_id, ROLE_CUSTOMER, false);
    assert_int_equal(told_of_one(k, &b, who.user_id), 2);
    boss.role = ROLE_CUSTOMER;
    assert_int_equal(webhook_of(k, boss, of_boss).status, 404);
    assert_true(kit_has(webhook_of(k, other, of_boss).body, "no admin's any more"));
    account_becomes(k, who.user_id, ROLE_CUSTOMER, true);
    assert_int_equal(told_of_one(k, &b, who.user_id), 1);
    kit_crash(k); /* it is not only memory that knows */
    assert_int_equal(told_of_one(k, &b, who.user_id), 1);
    account_becomes(k, other.user_id, ROLE_ADMIN, true);
    assert_int_equal(told_of_one(k, &b, who.user_id), 0);
    kit_free(k);
}

static void erase_account(struct kit *k, struct str user_id) {
    const struct ev_erased gone = {.user_id = user_id, .role = ROLE_CUSTOMER};
    kit_publish(k, kit_event_of(k, EV_ACCOUNT_ERASED, user_id, &ev_erased_schema, &gone));
    house_settle(k->h);
}

static void test_owner_erased(void **state) {
    (void)state;
    struct pillar b;
    struct kit *k = kit_with_box(&b, 200);
    struct identity who = house_who(k->h, ROLE_CUSTOMER, NULL);
    for (int32_t i = 0; i < 3; i++)
        make_webhook(k, who, "{\"url\":\"https://a.example/1\"}");
    make_webhook(k, house_who(k->h, ROLE_CUSTOMER, NULL), "{\"url\":\"https://a.example/2\"}");
    assert_int_equal(k->n->webhook_count, 4);
    erase_account(k, who.user_id);
    assert_int_equal(k->n->webhook_count, 1);
    assert_int_equal(told_of_one(k, &b, who.user_id), 0);
    kit_crash(k);
    assert_int_equal(k->n->webhook_count, 1);
    kit_free(k);
}

/* What another's webhook has not taken yet is not sent any more, if the erased one is named in it.
 */
static void test_erased_not_sent(void **state) {
    (void)state;
    struct pillar b;
    struct kit *k = kit_with_box(&b, 500);
    struct str who = house_id(k->h, "usr"), other = house_id(k->h, "usr");
    make_webhook(k, house_who(k->h, ROLE_ADMIN, NULL), "{\"url\":\"https://a.example/1\"}");
    for (int32_t i = 0; i < 2; i++) {
        struct ev_booking booking = kit_booking(k, i == 0 ? who : other);
        booking.view =
            arena_printf(&k->h->arena, "{\"customer_id\":\"%.*s\"}", STR_ARG(booking.customer_id));
        kit_tell(k, EV_BOOKING_REQUESTED, &booking);
        house_advance(k->h, US_PER_S);
    }
    assert_int_equal(b.count, 2);
    erase_account(k, who);
    house_advance(k->h, 2 * US_PER_S);
    b.status = 200;
    house_advance(k->h, HOUR_S * US_PER_S);
    assert_int_equal(b.count, 3);
    assert_non_null(strstr(b.posts[2].body, other.p));
    kit_free(k);
}

/* By hand is now: not when it would have been tried anyway. */
static void test_again_at_once(void **state) {
    (void)state;
    struct pillar b;
    struct kit *k = kit_with_box(&b, 500);
    struct identity who = house_who(k->h, ROLE_CUSTOMER, NULL);
    make_webhook(k, who, "{\"url\":\"https://a.example/1\"}");
    assert_int_equal(told_of_one(k, &b, who.user_id), 1);
    for (int32_t i = 0; i < 40; i++)
        house_advance(k->h, 60 * US_PER_S);
    int32_t before = b.count;
    assert_int_equal(before, 5); /* the next one in two hours */
    const char *path = arena_printf(&k->h->arena, "/v1/deliveries/%s/retry", b.posts[0].id).p;
    struct house_request again = {.method = "POST", .path = path, .who = who};
    assert_int_equal(house_call(k->h, &again).status, 202);
    house_advance(k->h, US_PER_S);
    assert_int_equal(b.count, before + 1);
    kit_free(k);
}

/* ---- who waits for whom ---- */

/* One with many slow webhooks has a quarter of the places. */
static void test_slow_owner(void **state) {
    (void)state;
    struct pillar b;
    struct kit *k = kit_with_box(&b, 200);
    struct identity who = house_who(k->h, ROLE_CUSTOMER, NULL),
                    other = house_who(k->h, ROLE_CUSTOMER, NULL);
    for (int32_t i = 0; i < 10; i++)
        make_webhook(k, who, "{\"url\":\"https://slow.example/\"}");
    make_webhook(k, other, "{\"url\":\"https://quick.example/\"}");
    b.slow = true;
    assert_int_equal(told_of_one(k, &b, who.user_id), 2);
    assert_int_equal(told_of_one(k, &b, other.user_id), 1);
    assert_string_equal(b.posts[2].url, "https://quick.example/");
    box_answers(&b);
    house_advance(k->h, 120 * US_PER_S);
    assert_int_equal(b.count, 11);
    kit_free(k);
}

static int put_preferences(struct kit *k, struct identity who, const char *body);
static void register_account(struct kit *k, struct str user_id, int32_t role);

/* However many webhooks are slow, a text message finds a place, and the port has one for it. */
static void test_messages_pass_webhooks(void **state) {
    (void)state;
    struct pillar b;
    struct kit *k = kit_with_box(&b, 200);
    k->o.message_url = STR("http://messages.example/");
    k->o.message_secret = STR("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oDazfgi4zFtNA=");
    kit_crash(k);
    struct identity reader = house_who(k->h, ROLE_CUSTOMER, NULL);
    register_account(k, reader.user_id, ROLE_CUSTOMER);
    assert_int_equal(put_preferences(k, reader, "{\"email\":[],\"message\":[\"requested\"]}"), 200);
    b.slow = true;
    for (int32_t i = 0; i < 5; i++) {
        struct identity who = house_who(k->h, ROLE_CUSTOMER, NULL);
        make_webhook(k, who, "{\"url\":\"https://slow.example/1\"}");
        make_webhook(k, who, "{\"url\":\"https://slow.example/2\"}");
        told_of_one(k, &b, who.user_id);
    }
    assert_int_equal(b.count, 6);
    for (int32_t i = 0; i < 3; i++)
        assert_int_equal(told_of_one(k, &b, reader.user_id), i < 2);
    assert_string_equal(b.posts[6].url, "http://messages.example/");
    box_answers(&b);
    house_advance(k->h, 300 * US_PER_S);
    assert_int_equal(b.count, 13);
    kit_free(k);
}

/* A place that was given back unused does not make its receiver look quick. */
static void test_unused_slot(void **state) {
    (void)state;
    struct slots s;
    int64_t now_us = US_PER_DAY;
    slots_init(&s);
    assert_int_equal(slots_take(&s, STR("a"), 2, now_us), 0);
    assert_int_equal(slots_take(&s, STR("a"), 2, now_us), 0);
    slots_give(&s, STR("a"), 8 * US_PER_S, now_us);
    for (int32_t i = 0; i < 20; i++) {
        assert_int_equal(slots_take(&s, STR("a"), 2, now_us), 0);
        slots_give(&s, STR("a"), SLOT_NOT_USED, now_us);
    }
    assert_int_equal(slots_take(&s, STR("a"), 2, now_us), 0);
    assert_int_equal(slots_take(&s, STR("a"), 2, now_us), now_us + US_PER_S);
    slots_free(&s);
}

/* ---- who wants what ---- */

static void register_account(struct kit *k, struct str user_id, int32_t role) {
    struct ev_account a = {.user_id = user_id,
                           .name = STR("Kim"),
                           .phone = STR("+46701234567"),
                           .email = STR("kim@example.com"),
                           .role = role};
    kit_publish(k, kit_event_of(k, EV_ACCOUNT_REGISTERED, user_id, &ev_account_schema, &a));
    house_settle(k->h);
}

static int put_preferences(struct kit *k, struct identity who, const char *body) {
    return house_call(k->h, &(struct house_request){.method = "PUT",
                                                    .path = "/v1/notifications/preferences",
                                                    .body = body,
                                                    .who = who})
        .status;
}

static void move(struct kit *k, struct ev_booking *b, const char *type, int32_t state) {
    kit_moves(k, b, state);
    b->view = STR("{\"code\":\"ABC123\"}");
    kit_tell(k, type, b);
    house_advance(k->h, 100 * US_PER_MS);
}

static void test_preferences(void **state) {
    (void)state;
    struct postbox p;
    struct kit *k = kit_with(&p);
    struct identity who = house_who(k->h, ROLE_CUSTOMER, NULL);
    struct ev_booking b = kit_booking(k, who.user_id);
    kit_tell(k, EV_BOOKING_REQUESTED, &b); /* its account comes later: not by default, anyway */
    kit_moves(k, &b, BOOKING_ASSIGNED);
    kit_tell(k, EV_BOOKING_ASSIGNED, &b);
    assert_int_equal(p.count, 0);
    register_account(k, who.user_id, ROLE_CUSTOMER);
    house_advance(k->h, 30 * US_PER_S);
    assert_int_equal(p.count, 1); /* what had waited for it */
    assert_string_equal(p.letters[0].to, "kim@example.com");
    post_tell_all(&p, MAIL_SENT);
    assert_int_equal(put_preferences(k, who,
                                     "{\"email\":[\"picked_up\"],\"message\":[],"
                                     "\"language\":\"sv\"}"),
                     200);
    move(k, &b, EV_BOOKING_PROGRESSED, BOOKING_ARRIVED_PICKUP);
    assert_int_equal(p.count, 1);
    move(k, &b, EV_BOOKING_PROGRESSED, BOOKING_PICKED_UP);
    assert_int_equal(p.count, 2);
    assert_true(kit_has(str_from(p.letters[1].subject), "upph\xc3\xa4mtad"));
    move(k, &b, EV_BOOKING_DELIVERED, BOOKING_DELIVERED);
    assert_int_equal(p.count, 2);
    kit_end(k, &p);
}

/* A day of a recurrence that is not booked: an entry in its owner's inbox, and a mail, once however
 * often the event comes, if he wants to hear of what does not come about. */
static void test_not_booked(void **state) {
    (void)state;
    struct postbox p;
    struct kit *k = kit_with(&p);
    struct identity who = house_who(k->h, ROLE_CUSTOMER, NULL),
                    other = house_who(k->h, ROLE_CUSTOMER, NULL);
    struct ev_not_booked said = {.user_id = who.user_id,
                                 .role = ROLE_CUSTOMER,
                                 .recurrence_id = house_id(k->h, "rec"),
                                 .name = STR("Bread"),
                                 .date = STR("2026-11-30"),
                                 .reason = STR("too_dear"),
                                 .detail = STR("it costs 16900"),
                                 .from_us = k->h->now_us + 7 * US_PER_DAY,
                                 .to_us = k->h->now_us + 7 * US_PER_DAY + 3600 * US_PER_S};
    register_account(k, who.user_id, ROLE_CUSTOMER);
    int32_t i =
        kit_event_of(k, EV_RECURRENCE_FAILED, said.recurrence_id, &ev_not_booked_schema, &said);
    for (int n = 0; n < 3; n++) {
        kit_publish(k, i);
        house_advance(k->h, US_PER_S);
    }
    assert_int_equal(p.count, 1);
    assert_true(kit_has(str_from(p.letters[0].subject), "Shall it be booked? Your recurring trip"));
    post_tell_all(&p, MAIL_SENT);
    struct house_request r = {.method = "GET", .path = "/v1/notifications", .who = who};
    struct house_answer a = house_call(k->h, &r);
    assert_int_equal(a.status, 200);
    assert_true(kit_has(a.body, "\"type\":\"recurrence.failed\"") &&
                kit_has(a.body, "\"date\":\"2026-11-30\"") && kit_has(a.body, "too_dear"));
    r.who = other;
    assert_false(kit_has(house_call(k->h, &r).body, "recurrence"));
    assert_int_equal(put_preferences(k, who, "{\"email\":[\"delivered\"],\"message\":[]}"), 200);
    kit_publish(
        k, kit_event_of(k, EV_RECURRENCE_FAILED, said.recurrence_id, &ev_not_booked_schema, &said));
    house_advance(k->h, US_PER_S);
    assert_int_equal(p.count, 1);
    /* what a broker holds may be anything */
    said.user_id = STR("nobody");
    kit_publish(
        k, kit_event_of(k, EV_RECURRENCE_FAILED, said.recurrence_id, &ev_not_booked_schema, &said));
    said.user_id = who.user_id;
    said.recurrence_id = STR_NONE;
    kit_publish(k, kit_event_of(k, EV_RECURRENCE_FAILED, STR("x"), &ev_not_booked_schema, &said));
    house_advance(k->h, US_PER_S);
    assert_int_equal(p.count, 1);
    kit_end(k, &p);
}

/* Who has chosen before his account was heard of is told all the same. */
static void test_chosen_early(void **state) {
    (void)state;
    struct postbox p;
    struct kit *k = kit_with(&p);
    struct identity who = house_who(k->h, ROLE_CUSTOMER, NULL);
    assert_int_equal(put_preferences(k, who, "{\"email\":[\"requested\"],\"message\":[]}"), 200);
    struct ev_booking b = kit_booking(k, who.user_id);
    kit_tell(k, EV_BOOKING_REQUESTED, &b);
    house_advance(k->h, US_PER_S);
    assert_int_equal(p.count, 0);
    register_account(k, who.user_id, ROLE_CUSTOMER);
    house_advance(k->h, 30 * US_PER_S);
    assert_int_equal(p.count, 1);
    post_tell_all(&p, MAIL_SENT);
    kit_end(k, &p);
}

static void test_bad_preferences(void **state) {
    (void)state;
    struct postbox p;
    struct kit *k = kit_with(&p);
    struct identity who = house_who(k->h, ROLE_CUSTOMER, NULL);
    static const char *const bad[] = {
        "{}",
        "{\"email\":[]}",
        "{\"email\":[\"nonsense\"],\"message\":[]}",
        "{\"email\":[],\"message\":[\"\"]}",
        "{\"email\":\"assigned\",\"message\":[]}",
        "{\"email\":[],\"message\":[],\"language\":\"de\"}",
        "{\"email\":[],\"message\":[],\"timezone\":\"Mars/Olympus\"}",
        "{\"email\":[],\"message\":[],\"timezone\":\"../../etc/passwd\"}",
        "{\"email\":[],\"message\":[],\"quiet_from\":\"22:00\"}",
        "{\"email\":[],\"message\":[],\"quiet_from\":\"24:00\",\"quiet_until\":\"07:00\"}",
        "{\"email\":[],\"message\":[],\"quiet_from\":\"2:00:\",\"quiet_until\":\"07:60\"}",
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_int_equal(put_preferences(k, who, bad[i]), 422);
    kit_end(k, &p);
}

/* Whoever waits for a driver who finishes something else is not told that he is on the way. */
static void test_next(void **state) {
    (void)state;
    struct postbox p;
    struct kit *k = kit_with(&p);
    struct identity who = house_who(k->h, ROLE_CUSTOMER, NULL);
    register_account(k, who.user_id, ROLE_CUSTOMER);
    struct ev_booking b = kit_booking(k, who.user_id);
    struct ev_offer offer = {.id = house_id(k->h, "ofr"), .free_at_us = k->h->now_us + US_PER_S};
    b.offer = &offer;
    move(k, &b, EV_BOOKING_ASSIGNED, BOOKING_ASSIGNED);
    assert_int_equal(p.count, 1); /* by default: it is one of "assigned" */
    assert_non_null(strstr(p.letters[0].subject, "is finishing another job nearby"));
    offer.free_at_us = 0;
    move(k, &b, EV_BOOKING_DRIVER_FREE, BOOKING_ASSIGNED);
    assert_int_equal(p.count, 1);
    move(k, &b, EV_BOOKING_ASSIGNED, BOOKING_ASSIGNED);
    assert_int_equal(p.count, 2);
    assert_non_null(strstr(p.letters[1].subject, "A driver has taken"));
    kit_end(k, &p);
}

/* The house's clock shows 10:00 UTC when it is made: 11:00 in Stockholm, in winter. */
static void test_quiet_hours(void **state) {
    (void)state;
    struct postbox p;
    struct kit *k = kit_with(&p);
    struct identity who = house_who(k->h, ROLE_CUSTOMER, NULL);
    register_account(k, who.user_id, ROLE_CUSTOMER);
    assert_int_equal(put_preferences(k, who,
                                     "{\"email\":[\"assigned\",\"offer\"],\"message\":[],"
                                     "\"timezone\":\"Europe/Stockholm\",\"quiet_from\":\"10:30\","
                                     "\"quiet_until\":\"12:00\"}"),
                     200);
    struct ev_booking b = kit_booking(k, who.user_id);
    move(k, &b, EV_BOOKING_ASSIGNED, BOOKING_ASSIGNED);
    house_advance(k->h, 3500 * US_PER_S);
    assert_int_equal(p.count, 0);
    kit_crash(k); /* what waits is data */
    house_advance(k->h, 200 * US_PER_S);
    assert_int_equal(p.count, 1);
    kit_end(k, &p);
}

static void test_quiet_until(void **state) {
    (void)state;
    static const struct {
        const char *from, *until;
        int64_t now_s, wait_s; /* after midnight UTC, which is the zone */
    } cases[] = {
        {"22:00", "07:00", 21 * HOUR_S, 0},
        {"22:00", "07:00", 22 * HOUR_S, 9 * HOUR_S},
        {"22:00", "07:00", 3 * HOUR_S + 61, 4 * HOUR_S - 61},
        {"22:00", "07:00", 7 * HOUR_S, 0},
        {"09:00", "17:00", 8 * HOUR_S, 0},
        {"09:00", "17:00", 16 * HOUR_S + 3599, 1},
        {"09:00", "17:00", 17 * HOUR_S, 0},
        {"09:00", "09:00", 9 * HOUR_S, 0},
        {"00:00", "23:59", 0, 23 * HOUR_S + INT64_C(3540)},
    };
    struct arena a;
    arena_init(&a, 1024);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct recipient r = {.quiet_from = str_from(cases[i].from),
                                    .quiet_until = str_from(cases[i].until)};
        int64_t now_us = (INT64_C(20000) * 86400 + cases[i].now_s) * US_PER_S;
        assert_int_equal(recipient_quiet_until(&r, now_us, &a) - now_us,
                         cases[i].wait_s * US_PER_S);
    }
    arena_free(&a);
}

/* Every template in every language is whole, and what is filled in cannot become markup. */
static void test_words(void **state) {
    (void)state;
    static const char *const kinds[] = {"verify_email",
                                        "reset_password",
                                        "email_changed",
                                        "password_changed",
                                        "second_factor_changed",
                                        "new_sign_in",
                                        "booking_requested",
                                        "booking_assigned",
                                        "booking_assigned_next",
                                        "booking_arrived_pickup",
                                        "booking_picked_up",
                                        "booking_arrived_dropoff",
                                        "booking_delivered",
                                        "booking_cancelled",
                                        "booking_expired",
                                        "booking_failed",
                                        "booking_stop_failed",
                                        "booking_returning",
                                        "booking_arrived_return",
                                        "booking_returned",
                                        "booking_stops_changed",
                                        "booking_offer",
                                        "booking_scheduled",
                                        "booking_reminded",
                                        "recurrence_failed",
                                        "recurrence_held",
                                        "driver_shift_begins",
                                        "driver_shift_ended",
                                        "driver_document_expires",
                                        "driver_document_expired",
                                        "driver_document_approved",
                                        "driver_document_rejected",
                                        "driver_approved",
                                        "driver_suspended",
                                        "driver_cash_settled",
                                        "driver_cash_reversed"};
    static const char *const tags[] = {"en", "sv", "hi", "ar", "de", "", "x"};
    struct arena a;
    arena_init(&a, 4096);
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        for (size_t l = 0; l < COUNT_OF(tags); l++) {
            struct words w;
            const struct delivery d = {.kind = str_from(kinds[i]),
                                       .language = str_from(tags[l]),
                                       .name = STR("<b>Kim & \"Co\"</b>"),
                                       .link = STR("https://example.com/?a=1&b=\"><x"),
                                       .code = STR("12<3"),
                                       .document = STR("<i>licence"),
                                       .when = STR("2026-11-24 10:00–12:00"),
                                       .reason = STR("<u>blurred"),
                                       .booking = STR("ABC123")};
            assert_int_equal(words_of(&d, &a, &w), 0);
            assert_true(w.subject.len > 0 && w.text.len > 0);
            assert_false(kit_has(w.text, "{") || kit_has(w.html, "{") || kit_has(w.subject, "{"));
            assert_true(kit_has(w.text, "<b>Kim"));
            assert_false(kit_has(w.html, "<b>Kim") || kit_has(w.html, "><x") ||
                         kit_has(w.html, "12<3") || kit_has(w.html, "<i>") ||
                         kit_has(w.html, "<u>"));
            assert_int_equal(kit_has(w.html, "dir=\"rtl\""), l == 3);
        }
    }
    struct words w;
    const struct delivery bare = {.kind = STR("verify_email")};
    assert_int_equal(words_of(&bare, &a, &w), 0);
    assert_str(w.text, "Please confirm that this address is yours.\n\n"
                       "If you did not ask for this, you need not do anything.\n\n");
    const struct delivery other = {.kind = STR("other")};
    assert_int_equal(words_of(&other, &a, &w), ERR_NOT_FOUND);
    const struct delivery script = {.kind = STR("verify_email"),
                                    .link = STR("javascript:alert(1)")};
    assert_int_equal(words_of(&script, &a, &w), 0);
    assert_false(kit_has(w.html, "href"));
    arena_free(&a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sent_once),
        cmocka_unit_test(test_not_booked),
        cmocka_unit_test(test_tried_again_then_given_up),
        cmocka_unit_test(test_refused_at_once),
        cmocka_unit_test(test_lost_result),
        cmocka_unit_test(test_late_result),
        cmocka_unit_test(test_expires),
        cmocka_unit_test(test_no_more_than_fit),
        cmocka_unit_test(test_what_cannot_be_sent),
        cmocka_unit_test(test_faulty_store),
        cmocka_unit_test(test_three_days_then_disabled),
        cmocka_unit_test(test_one_bad_message),
        cmocka_unit_test(test_events_that_come_again),
        cmocka_unit_test(test_numbers_leave_masked),
        cmocka_unit_test(test_events_of_nobody),
        cmocka_unit_test(test_owner_not_what_he_was),
        cmocka_unit_test(test_owner_erased),
        cmocka_unit_test(test_erased_not_sent),
        cmocka_unit_test(test_again_at_once),
        cmocka_unit_test(test_slow_owner),
        cmocka_unit_test(test_messages_pass_webhooks),
        cmocka_unit_test(test_unused_slot),
        cmocka_unit_test(test_preferences),
        cmocka_unit_test(test_chosen_early),
        cmocka_unit_test(test_bad_preferences),
        cmocka_unit_test(test_next),
        cmocka_unit_test(test_quiet_hours),
        cmocka_unit_test(test_quiet_until),
        cmocka_unit_test(test_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
