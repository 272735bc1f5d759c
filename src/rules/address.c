/* address.c - see address.h. */

#include "rules/address.h"

#include <arpa/inet.h>
#include <assert.h>
#include <string.h>

/* Where in an IPv6 address one of IPv4 stands, and what comes before it. */
#define MAPPED_AT 12
static const uint8_t mapped_start[MAPPED_AT] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

bool weir_address_read(struct weir_bytes text, struct weir_address *ret_address)
{
    char copy[WEIR_ADDRESS_TEXT_MAX];
    if (text.len == 0 || text.len >= sizeof(copy) || memchr(text.ptr, '\0', text.len) != NULL) {
        return false;
    }
    /* No address starts otherwise, and most values are none. */
    if (strchr("0123456789abcdefABCDEF:", text.ptr[0]) == NULL) {
        return false;
    }
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    struct weir_address address = {.family = WEIR_FAMILY_4};
    if (inet_pton(AF_INET, copy, address.bytes) != 1) {
        if (inet_pton(AF_INET6, copy, address.bytes) != 1) {
            return false;
        }
        address.family = WEIR_FAMILY_6;
        if (memcmp(address.bytes, mapped_start, MAPPED_AT) == 0) {
            address.family = WEIR_FAMILY_4;
            memcpy(address.bytes, address.bytes + MAPPED_AT, 4);
            memset(address.bytes + 4, 0, 12);
        }
    }
    *ret_address = address;
    return true;
}

void weir_address_mask(struct weir_address *address, unsigned prefix)
{
    unsigned byte = prefix / 8;
    if (byte >= sizeof(address->bytes)) {
        return;
    }
    address->bytes[byte] = (uint8_t)(address->bytes[byte] & (0xff00U >> (prefix % 8)));
    for (byte++; byte < sizeof(address->bytes); byte++) {
        address->bytes[byte] = 0;
    }
}

bool weir_cidr_holds(const struct weir_cidr *cidr, const struct weir_address *address)
{
    if (cidr->address.family != address->family) {
        return false;
    }
    struct weir_address masked = *address;
    weir_address_mask(&masked, cidr->prefix);
    return memcmp(masked.bytes, cidr->address.bytes, sizeof(masked.bytes)) == 0;
}

/* ---- Writing ---- */

static size_t write_decimal(uint8_t number, char *text)
{
    size_t len = 0;
    if (number >= 100) {
        text[len++] = (char)('0' + number / 100);
    }
    if (number >= 10) {
        text[len++] = (char)('0' + number / 10 % 10);
    }
    text[len++] = (char)('0' + number % 10);
    return len;
}

static size_t write_hexadecimal(unsigned group, char *text)
{
    static const char digits[] = "0123456789abcdef";
    size_t len = 0;
    for (int shift = 12; shift >= 0; shift -= 4) {
        if (len > 0 || shift == 0 || (group >> shift) != 0) {
            text[len++] = digits[(group >> shift) & 15];
        }
    }
    return len;
}

static unsigned group_of(const struct weir_address *address, unsigned index)
{
    return (unsigned)address->bytes[2 * index] << 8 | address->bytes[2 * index + 1];
}

/* The longest run of zero groups, two or more, the first of several: what "::" stands for. */
static unsigned longest_run(const struct weir_address *address, unsigned *ret_start)
{
    unsigned best = 1;
    unsigned run = 0;
    *ret_start = 8;
    for (unsigned i = 0; i < 8; i++) {
        run = group_of(address, i) == 0 ? run + 1 : 0;
        if (run > best) {
            best = run;
            *ret_start = i + 1 - run;
        }
    }
    return best;
}

static size_t write_6(const struct weir_address *address, char *text)
{
    size_t len = 0;
    unsigned start;
    const unsigned run = longest_run(address, &start);
    for (unsigned i = 0; i < 8;) {
        if (i == start) {
            text[len++] = ':';
            text[len++] = ':';
            i += run;
            continue;
        }
        if (i > 0 && text[len - 1] != ':') {
            text[len++] = ':';
        }
        len += write_hexadecimal(group_of(address, i), text + len);
        i++;
    }
    return len;
}

size_t weir_address_write(const struct weir_address *address, char text[WEIR_ADDRESS_TEXT_MAX])
{
    size_t len = 0;
    assert(address->family != WEIR_FAMILY_NONE);
    if (address->family == WEIR_FAMILY_6) {
        len = write_6(address, text);
    } else {
        for (unsigned i = 0; i < 4; i++) {
            if (i > 0) {
                text[len++] = '.';
            }
            len += write_decimal(address->bytes[i], text + len);
        }
    }
    text[len] = '\0';
    return len;
}

/* ---- Networks ---- */

/* A number of up to three digits without leading zeros; false where it is none. */
static bool read_prefix(struct weir_bytes text, unsigned *ret_prefix)
{
    unsigned number = 0;
    if (text.len == 0 || text.len > 3 || (text.len > 1 && text.ptr[0] == '0')) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9') {
            return false;
        }
        number = number * 10 + (unsigned)(text.ptr[i] - '0');
    }
    *ret_prefix = number;
    return true;
}

enum weir_cidr_trouble weir_cidr_read(struct weir_bytes text, struct weir_cidr *ret_cidr)
{
    struct weir_cidr cidr = {.prefix = 0};
    const char *slash = text.len > 0 ? memchr(text.ptr, '/', text.len) : NULL;
    const size_t len = slash != NULL ? (size_t)(slash - text.ptr) : text.len;
    if (!weir_address_read(weir_bytes(text.ptr, len), &cidr.address)) {
        return WEIR_CIDR_NO_ADDRESS;
    }
    const bool mapped = cidr.address.family == WEIR_FAMILY_4 && memchr(text.ptr, ':', len) != NULL;
    const unsigned bits = cidr.address.family == WEIR_FAMILY_4 && !mapped ? 32 : 128;
    cidr.prefix = bits;
    if (slash != NULL && (!read_prefix(weir_bytes(slash + 1, text.len - len - 1), &cidr.prefix) ||
                          cidr.prefix > bits)) {
        return WEIR_CIDR_NO_PREFIX;
    }
    if (mapped) {
        /* ::ffff:10.0.0.0/104 is 10.0.0.0/8; a shorter prefix would reach past IPv4. */
        if (cidr.prefix < 96) {
            return WEIR_CIDR_NO_PREFIX;
        }
        cidr.prefix -= 96;
    }
    const struct weir_address whole = cidr.address;
    weir_address_mask(&cidr.address, cidr.prefix);
    *ret_cidr = cidr;
    return memcmp(whole.bytes, cidr.address.bytes, sizeof(whole.bytes)) == 0 ? WEIR_CIDR_FINE
                                                                             : WEIR_CIDR_BITS_LEFT;
}
