/* A wire between a client and a server on 127.0.0.1, for tests: it passes everything on, or does
 * what wires do. A thread of its own; the calls may come from any. */
#ifndef LORRY_TESTS_WIRE_H
#define LORRY_TESTS_WIRE_H

enum wire_mode {
    WIRE_PASS,
    WIRE_DEAF,  /* what the server says is lost */
    WIRE_MUTE,  /* what the client says is lost */
    WIRE_FROZEN /* connections are accepted, and nothing moves */
};

struct wire;
struct wire *wire_new(int server_port);
int wire_port(const struct wire *w);
void wire_set(struct wire *w, enum wire_mode mode);
/* After MS all connections are cut, and from then on the wire passes again. */
void wire_cut_in(struct wire *w, int ms);
struct wire *wire_free(struct wire *w);

#endif
