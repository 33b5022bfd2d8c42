/* GET /v1/bookings/{id}/custody. */
#include "services/booking/custody.h"
#include "services/booking/internal.h"

void handle_custody(struct call *c) {
    const struct booking_service *s = c->service;
    const struct booking *b = visible_booking(c);
    struct signature signature;
    if (b == NULL)
        return;
    if (s->o.sign == NULL) {
        call_problem(c, PROBLEM_NOT_FOUND, "nothing is signed here");
        return;
    }
    bool staff = (booking_hats(b, &c->who) & HAT_STAFF) != 0;
    struct str text = custody_text(b, staff, c->now_us, &c->arena);
    struct str digest = digest_of(&text, 1, &c->arena);
    int err = s->o.sign(s->o.sign_arg, STR(CUSTODY_MARK), digest, &c->arena, &signature);
    if (err < 0) {
        call_error(c, err);
        return;
    }
    struct str last = custody_signature(digest, &signature, &c->arena);
    response_header(&c->response, "Cache-Control", STR("no-store"));
    response_header(&c->response, "Content-Disposition",
                    arena_printf(&c->arena, "attachment; filename=\"lorry-%.*s.custody.jsonl\"",
                                 STR_ARG(b->code)));
    c->response.status = 200;
    c->response.content_type = "application/x-ndjson";
    c->response.body = arena_printf(&c->arena, "%.*s%.*s", STR_ARG(text), STR_ARG(last));
    c->reply(c);
}
