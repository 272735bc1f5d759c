/* address.h - Internet addresses and networks, from text and to it (address.c).
 *
 * An IPv4 address that is written as IPv6 (::ffff:192.0.2.1) is the IPv4 address, here and in all
 * that follows: whichever way a listener hears a client, it is the same client. */

#ifndef WEIR_RULES_ADDRESS_H
#define WEIR_RULES_ADDRESS_H

#include "weir/weir.h"

/* The longest text of an address, and room for one with its NUL. */
#define WEIR_ADDRESS_TEXT_MAX 46

enum weir_family {
    WEIR_FAMILY_NONE = 0, /* no address */
    WEIR_FAMILY_4,
    WEIR_FAMILY_6
};

struct weir_address {
    uint8_t bytes[16]; /* of IPv4 the first four; the rest is zero */
    enum weir_family family;
};

/* A network: those addresses of its family whose first `prefix` bits are its own. */
struct weir_cidr {
    struct weir_address address; /* zero past the prefix */
    unsigned prefix;
};

/* Reads dotted decimal, or IPv6 without a zone; false where it is neither. */
bool weir_address_read(struct weir_bytes text, struct weir_address *ret_address);

/* Clears what is past `prefix` bits. */
void weir_address_mask(struct weir_address *address, unsigned prefix);

/* Writes the one canonical text of an address (RFC 5952), with a NUL; its length. */
size_t weir_address_write(const struct weir_address *address, char text[WEIR_ADDRESS_TEXT_MAX]);

bool weir_cidr_holds(const struct weir_cidr *cidr, const struct weir_address *address);

/* What may be wrong with a network's text. */
enum weir_cidr_trouble {
    WEIR_CIDR_FINE = 0,
    WEIR_CIDR_NO_ADDRESS,
    WEIR_CIDR_NO_PREFIX, /* not a number, or more than its family has bits */
    WEIR_CIDR_BITS_LEFT  /* bits are set past the prefix; ret_cidr is the network without them */
};

/* Reads "10.0.0.0/8", "2001:db8::/32", or a single address. */
enum weir_cidr_trouble weir_cidr_read(struct weir_bytes text, struct weir_cidr *ret_cidr);

#endif
