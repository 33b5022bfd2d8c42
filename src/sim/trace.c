/* The trace. Lines are kept as they are and put into words only when somebody wants to read them;
 * the hash goes over all of every line, so that two runs of a seed can be compared.
 */
#include "sim/sim.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void mix(uint64_t *hash, uint64_t value) {
    *hash = (*hash ^ value) * UINT64_C(0x9e3779b97f4a7c15);
    *hash ^= *hash >> 29;
}

static void keep(char *out, size_t room, struct str s) {
    size_t len = s.len < room - 1 ? s.len : room - 1;
    if (len > 0)
        memcpy(out, s.p, len);
    out[len] = 0;
}

static int print_line(const struct sim *sim, const struct trace_line *l, char *out, size_t room) {
    int64_t at_us = l->at_us - SIM_START_US;
    return snprintf(out, room, "%7lld.%06lld %-12s %-13s %s%s%s  %lld %lld\n",
                    (long long)(at_us / US_PER_S), (long long)(at_us % US_PER_S),
                    l->node >= 0 ? sim->nodes[l->node].name : "-", l->what, l->a,
                    l->b[0] != 0 ? " " : "", l->b, (long long)l->n, (long long)l->m);
}

void sim_trace(struct sim *sim, const char *what, int32_t node, struct str a, struct str b,
               int64_t n, int64_t m) {
    struct sim_trace *t = &sim->trace;
    struct trace_line *l = &t->kept[t->lines++ % SIM_TRACE_KEPT];
    l->at_us = sim->now_us;
    l->what = what;
    l->node = node;
    l->n = n;
    l->m = m;
    keep(l->a, sizeof(l->a), a);
    keep(l->b, sizeof(l->b), b);
    mix(&t->hash, (uint64_t)sim->now_us);
    mix(&t->hash, str_hash(str_from(what), (uint64_t)node));
    mix(&t->hash, str_hash(a, 1));
    mix(&t->hash, str_hash(b, 2));
    mix(&t->hash, (uint64_t)n);
    mix(&t->hash, (uint64_t)m);
    if (sim->print) {
        char line[256];
        print_line(sim, l, line, sizeof(line));
        fputs(line, stdout);
    }
}

void sim_fail(struct sim *sim, const char *invariant, const char *format, ...) {
    struct sim_result *r = sim->result;
    if (r->failed)
        return;
    r->failed = true;
    snprintf(r->invariant, sizeof(r->invariant), "%s", invariant);
    va_list args;
    va_start(args, format);
    vsnprintf(r->what, sizeof(r->what), format, args);
    va_end(args);
    sim_trace(sim, "FAILED", -1, str_from(invariant), STR_NONE, 0, 0);
}

void sim_trace_tail(const struct sim *sim, char *out, size_t room) {
    const struct sim_trace *t = &sim->trace;
    uint64_t kept = t->lines < SIM_TAIL_LINES ? t->lines : SIM_TAIL_LINES;
    size_t at = 0;
    out[0] = 0;
    for (uint64_t i = t->lines - kept; i < t->lines && at < room; i++) {
        int n = print_line(sim, &t->kept[i % SIM_TRACE_KEPT], out + at, room - at);
        at += n > 0 ? (size_t)n : 0;
    }
}
