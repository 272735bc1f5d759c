/* url.c - see url.h. */

#include "base/url.h"

#include "base/error.h"

#include <string.h>

struct weir_url_part weir_url_at(const struct weir_url_part *part, struct weir_bytes bytes)
{
    return (struct weir_url_part){part->url, bytes, part->error};
}

enum weir_status weir_url_refuse(const struct weir_url_part *part, const char *message)
{
    weir_error_set(part->error, (size_t)(part->bytes.ptr - part->url), part->bytes.len, "%s",
                   message);
    return WEIR_ERR_URL;
}

bool weir_url_is(struct weir_bytes bytes, const char *text)
{
    return bytes.len == strlen(text) && memcmp(bytes.ptr, text, bytes.len) == 0;
}

bool weir_url_number(struct weir_bytes bytes, unsigned base, uint64_t *ret_number,
                     struct weir_bytes *ret_rest)
{
    uint64_t number = 0;
    size_t i = 0;
    for (; i < bytes.len && bytes.ptr[i] >= '0' && bytes.ptr[i] < (char)('0' + (int)base); i++) {
        number = number > (UINT64_MAX - 9) / base ? UINT64_MAX
                                                  : number * base + (uint64_t)(bytes.ptr[i] - '0');
    }
    *ret_number = number;
    *ret_rest = weir_bytes(bytes.ptr + i, bytes.len - i);
    return i > 0;
}

enum weir_status weir_url_size(const struct weir_url_part *part, uint64_t least, uint64_t most,
                               uint64_t *ret_size)
{
    static const struct {
        const char *name;
        unsigned shift;
    } units[] = {{"", 0}, {"B", 0}, {"KiB", 10}, {"MiB", 20}, {"GiB", 30}, {"TiB", 40}};
    uint64_t number;
    struct weir_bytes unit;
    if (!weir_url_number(part->bytes, 10, &number, &unit)) {
        return weir_url_refuse(part, "expected a size, as 64MiB");
    }
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (!weir_url_is(unit, units[i].name)) {
            continue;
        }
        if (number > most >> units[i].shift || number << units[i].shift < least) {
            weir_error_set(part->error, (size_t)(part->bytes.ptr - part->url), part->bytes.len,
                           "the size must be %llu KiB to %llu GiB",
                           (unsigned long long)(least >> 10), (unsigned long long)(most >> 30));
            return WEIR_ERR_URL;
        }
        *ret_size = number << units[i].shift;
        return WEIR_OK;
    }
    return weir_url_refuse(part, "expected a unit of B, KiB, MiB, GiB or TiB, as in 64MiB");
}

static int hex_digit(char c)
{
    const char *const digits = "0123456789abcdef";
    const char *at = c != '\0' ? strchr(digits, c >= 'A' && c <= 'F' ? c + ('a' - 'A') : c) : NULL;
    return at != NULL ? (int)(at - digits) : -1;
}

enum weir_status weir_url_decode(const struct weir_url_part *part, const char *what, char *buffer,
                                 size_t size, size_t *ret_len)
{
    size_t length = 0;
    const struct weir_bytes from = part->bytes;
    for (size_t i = 0; i < from.len; i++) {
        char c = from.ptr[i];
        if (c == '%') {
            const int high = i + 2 < from.len ? hex_digit(from.ptr[i + 1]) : -1;
            const int low = high >= 0 ? hex_digit(from.ptr[i + 2]) : -1;
            if (low < 0 || (high == 0 && low == 0)) {
                return weir_url_refuse(part, "expected %XX with two hexadecimal digits, not 00");
            }
            c = (char)(high * 16 + low);
            i += 2;
        }
        if (length + 1 >= size) {
            weir_error_set(part->error, (size_t)(from.ptr - part->url), from.len,
                           "%s is too long: it has at most %zu bytes", what, size - 1);
            return WEIR_ERR_URL;
        }
        buffer[length++] = c;
    }
    buffer[length] = '\0';
    *ret_len = length;
    return WEIR_OK;
}

bool weir_url_next(struct weir_bytes *query, struct weir_bytes *ret_option)
{
    if (query->len == 0) {
        return false;
    }
    const char *end = memchr(query->ptr, '&', query->len);
    const size_t length = end != NULL ? (size_t)(end - query->ptr) : query->len;
    const size_t taken = end != NULL ? length + 1 : length;
    *ret_option = weir_bytes(query->ptr, length);
    *query = weir_bytes(query->ptr + taken, query->len - taken);
    return true;
}

enum weir_status weir_url_split(const struct weir_url_part *option, struct weir_bytes *ret_name,
                                struct weir_bytes *ret_value)
{
    const struct weir_bytes bytes = option->bytes;
    const char *equals = bytes.len > 0 ? memchr(bytes.ptr, '=', bytes.len) : NULL;
    if (equals == NULL) {
        return weir_url_refuse(option, "expected name=value");
    }
    const size_t length = (size_t)(equals - bytes.ptr);
    *ret_name = weir_bytes(bytes.ptr, length);
    *ret_value = weir_bytes(equals + 1, bytes.len - length - 1);
    return WEIR_OK;
}
