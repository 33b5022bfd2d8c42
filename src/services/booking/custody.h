/* The chain of custody: what a booking's timeline says cannot be changed afterwards unnoticed.
 *
 * Each entry of the timeline is chained as it is written:
 *
 *   sealed  what not everybody sees, and what may be erased, as JSON:
 *           {"salt":…,"actor_id":…,"reason":…,"driver_id":…,"offer_id":…,"proof":{…}}
 *   entry   the rest: {"seq":…,"at":…,"type":…,"state":…,"actor":…,"stop":…,"stars":…,
 *           "amount":…,"from":[…],"seal":…} where seal is SHA-256 of sealed
 *   chain   SHA-256 of the chain before, a line break, and entry
 *
 * Members stand in this order, those that are absent are left out, no white space is between them,
 * strings are escaped only where RFC 8259 asks for it: there is one text for each entry. Before the
 * first entry stands SHA-256 of "lorry custody 1\n" and the booking's id. SHA-256 is written as
 * base64url without padding.
 *
 * So an entry can be shown without what is sealed in it, and forget that, and the chain holds.
 * Words that people have typed could be guessed: they are sealed with a salt, which goes with them.
 *
 * The bundle is JSON Lines: what it is, then the entries, then what each stop has been proven by,
 * then the signature of all before it. docs/proof.md tells it for those who check it.
 */
#ifndef LORRY_BOOKING_CUSTODY_H
#define LORRY_BOOKING_CUSTODY_H

#include "ports/entropy.h"
#include "runtime/signature.h"
#include "services/booking/types.h"
#include "json/reader.h"

#define CUSTODY_MARK "lorry custody 1" /* what the hashes and signatures of a bundle are for */
#define CUSTODY_BYTES_MAX (INT64_C(4) << 20)

/* Chains the entries of B from its FROMth on; ID is the booking's; salts come from E. New strings
 * live in A. */
void custody_chain(struct booking *b, struct str id, int32_t from, struct entropy *e,
                   struct arena *a);
/* What stands before the first of a booking's chained entries. */
struct str custody_first_link(struct str booking_id, struct arena *a);
/* SHA-256 of what is sealed of T, whether it is still there or not. */
struct str custody_seal(const struct timeline_entry *t, struct arena *a);

/* The bundle without its last line; STAFF: also what only staff may see. */
struct str custody_text(const struct booking *b, bool staff, int64_t now_us, struct arena *a);
/* The last line of the bundle TEXT, of which DIGEST is signed. */
struct str custody_signature(struct str digest, const struct signature *s, struct arena *a);

/* ---- looking at one ---- */

#define CUSTODY_FAULTS_MAX 40

struct custody_report {
    struct str faults[CUSTODY_FAULTS_MAX]; /* each says what was changed, missing or added */
    int32_t fault_count;                   /* 0: it is as it was signed */
    int32_t fault_more;                    /* those for which there was no room */
    struct str booking_id, made_at, kid;   /* may be absent where there are faults */
    int32_t entries, unchained, sealed;    /* sealed: entries that were shown without */
};
/* Looks at the bundle TEXT; JWKS: the platform's keys, absent: the key that the bundle names itself
 * is believed. Everything lives in A. Pure. */
void custody_check(struct str text, struct str jwks, struct arena *a, struct custody_report *ret);
#define CUSTODY_PICTURES_MAX 256
/* The SHA-256 (hex) of each picture that the bundle names, each once, as they stand in TEXT. */
int32_t custody_pictures(struct str text, struct str ret_hex[CUSTODY_PICTURES_MAX]);
/* Does the bundle name a picture of that SHA-256 (hex)? */
bool custody_names(struct str text, struct str sha256_hex);

#endif
