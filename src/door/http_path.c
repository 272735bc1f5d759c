/* http_path.c - a path in its one form. See http_door.h.
 *
 * A rule for /login must hold for /%6Cogin, //login and /a/../login as well, as what is behind the
 * proxy may take them for the same. So what can be written in several ways is brought into one.
 * "%2F" stays, as it separates nothing; "%25" stays, so that no two paths get the same form.
 *
 * Source: RFC 3986, 5.2.4 and 6.2.2. */

#include "door/http_door.h"

#include <assert.h>

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    const char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* Whether it is in its one form already, as nearly all are. */
static bool is_plain(struct weir_bytes path)
{
    for (size_t i = 0; i < path.len; i++) {
        const char c = path.ptr[i];
        const char next = i + 1 < path.len ? path.ptr[i + 1] : 'x';
        if (c == '%' || (c == '/' && (next == '/' || next == '.'))) {
            return false;
        }
    }
    return true;
}

/* The byte at `*at`, with its %XX undone, as at most three bytes at `to`. */
static bool take_byte(struct weir_bytes path, size_t *at, char **to)
{
    const char c = path.ptr[(*at)++];
    if (c != '%') {
        *(*to)++ = c;
        return true;
    }
    const int high = *at < path.len ? hex_digit(path.ptr[*at]) : -1;
    const int low = *at + 1 < path.len ? hex_digit(path.ptr[*at + 1]) : -1;
    if (high < 0 || low < 0 || high + low == 0) {
        return false;
    }
    const char byte = (char)(high * 16 + low);
    *at += 2;
    if (byte == '/' || byte == '%') {
        memcpy(*to, byte == '/' ? "%2F" : "%25", 3);
        *to += 3;
    } else {
        *(*to)++ = byte;
    }
    return true;
}

/* Whether the last segment, from `segment` (behind its '/') to `end`, is "." or "..". */
static size_t dots(const char *segment, const char *end)
{
    const size_t len = (size_t)(end - segment);
    return (len == 1 && segment[0] == '.') || (len == 2 && memcmp(segment, "..", 2) == 0) ? len : 0;
}

/* Ends the segment before `to`, which a '/' or the path's end follows: where the next goes. */
static char *end_segment(const char *start, char *to)
{
    char *segment = to;
    while (segment > start && segment[-1] != '/') {
        segment--;
    }
    const size_t up = dots(segment, to);
    if (up == 0) {
        return to;
    }
    if (up == 2 && segment > start + 1) {
        segment--;
        while (segment[-1] != '/') {
            segment--;
        }
    }
    return segment;
}

bool weir_http_normalize(struct weir_bytes path, struct weir_buffer *out)
{
    assert(out->room - out->len >= path.len);
    char *start = out->bytes + out->len;
    if (is_plain(path) || path.ptr[0] != '/') {
        weir_buffer_put(out, path);
        return true;
    }
    char *to = start;
    size_t at = 0;
    while (at < path.len) {
        if (path.ptr[at] != '/') {
            if (!take_byte(path, &at, &to)) {
                return false;
            }
            continue;
        }
        to = end_segment(start, to);
        if (to == start || to[-1] != '/') {
            *to++ = '/';
        }
        at++;
    }
    to = end_segment(start, to);
    out->len += (size_t)(to - start);
    return true;
}
