/* join.c - one key of several parts, so that no two lists of parts ever meet.
 *
 * ':' parts the parts and never stands inside one, as every byte that means something here (or to
 * those who keep or print keys: '{' and '}' choose a cluster's node) is written as '%' and two
 * digits. '%' is one of them, so the joined key can be taken apart again in one way only. */

#include "weir/weir.h"

#include <assert.h>

static bool needs_escape(unsigned char c)
{
    return c <= ' ' || c == 0x7f || c == ':' || c == '%' || c == '{' || c == '}';
}

/* Writes one part at `at` and moves it on; false where it does not fit in `size`. */
static bool write_part(struct weir_bytes part, char *buffer, size_t size, size_t *at)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t i = *at;
    for (size_t from = 0; from < part.len; from++) {
        const unsigned char c = (unsigned char)part.ptr[from];
        const size_t needed = needs_escape(c) ? 3 : 1;
        if (size - i < needed) {
            return false;
        }
        if (needed == 1) {
            buffer[i++] = part.ptr[from];
        } else {
            buffer[i++] = '%';
            buffer[i++] = digits[c >> 4];
            buffer[i++] = digits[c & 15];
        }
    }
    *at = i;
    return true;
}

enum weir_status weir_key_join(const struct weir_bytes *parts, size_t count, char *buffer,
                               size_t size, struct weir_bytes *ret_key)
{
    assert(parts != NULL || count == 0);
    assert(buffer != NULL || size == 0);
    assert(ret_key != NULL);
    if (count == 0) {
        return WEIR_ERR_ARGUMENT;
    }
    const size_t room = size < WEIR_KEY_MAX ? size : WEIR_KEY_MAX;
    size_t length = 0;
    for (size_t i = 0; i < count; i++) {
        if (i > 0) {
            if (length == room) {
                return WEIR_ERR_KEY_LENGTH;
            }
            buffer[length++] = ':';
        }
        if (!write_part(parts[i], buffer, room, &length)) {
            return WEIR_ERR_KEY_LENGTH;
        }
    }
    *ret_key = weir_bytes(buffer, length);
    return WEIR_OK;
}
