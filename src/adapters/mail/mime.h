/* A message as it goes over the wire (RFC 5322, 2045, 2047): pure. Nothing that a header is made of
 * can begin a header of its own: what is not plain printable ASCII is encoded, controls included.
 */
#ifndef LORRY_ADAPTERS_MAIL_MIME_H
#define LORRY_ADAPTERS_MAIL_MIME_H

#include "base/arena.h"
#include "ports/mailer.h"

/* May S stand between < and > in an envelope and a header? One @, no spaces, controls, brackets,
 * quotes or commas, at most MAIL_ADDRESS_MAX bytes, a domain of letters, digits, dots and hyphens.
 * The local part may be UTF-8 (RFC 6531) only where ASCII_ONLY is false. */
bool mime_is_address(struct str s, bool ascii_only);
/* "Name <a@b>" or "a@b" taken apart; the name may be absent. ERR_INVALID. */
int mime_sender(struct str s, struct str *ret_name, struct str *ret_address);
/* The whole message with CRLF at every line's end, in A. ERR_INVALID: an address or id that cannot
 * be, a text that is not UTF-8; ERR_LIMIT: too long. */
int mime_compose(const struct mail *mail, struct str from, struct arena *a, struct str *ret_text);

#endif
