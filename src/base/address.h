/* IP addresses, as bytes: IPv4 is kept as IPv6 keeps it (::ffff:a.b.c.d), so that the same machine
 * is the same address however it came in. And networks of them ("10.0.0.0/8"). No names, no zones,
 * no ports. Pure; any thread.
 */
#ifndef LORRY_BASE_ADDRESS_H
#define LORRY_BASE_ADDRESS_H

#include "base/str.h"

#define ADDRESS_BYTES 16
#define ADDRESS_TEXT_MAX 46 /* with its NUL */
#define NETWORKS_MAX 64     /* of one list */

struct address {
    unsigned char b[ADDRESS_BYTES];
};
struct network {
    struct address first;
    int bits; /* 0..128 of FIRST that its addresses share */
};

bool address_parse(struct str text, struct address *ret_address);
void address_format(const struct address *a, char out[ADDRESS_TEXT_MAX]);
bool address_is_v4(const struct address *a);
/* Is A one that anybody on the Internet may have? Not this machine, not a private or link-local
 * network (nor one of a cloud's own services), not multicast or reserved, nor an IPv6 address in
 * which such an IPv4 address hides. By IANA's registries of special-purpose addresses. */
bool address_is_public(const struct address *a);
/* Whose limits A falls under: of IPv6 its /64, because whoever has one address of that has all of
 * them; an IPv4 address is itself. */
struct network address_holder(const struct address *a);

/* An address, or an address, "/" and how many bits; what follows the bits must be zero. */
bool network_parse(struct str text, struct network *ret_network);
bool network_has(const struct network *n, const struct address *a);
bool networks_have(const struct network *list, int32_t count, const struct address *a);
/* A list with commas between (spaces are fine) into OUT, which has room for NETWORKS_MAX. Returns
 * how many, or ERR_INVALID. */
int32_t networks_parse(struct str text, struct network *out);

#endif
