/* buffer.c - see buffer.h.
 *
 * Invariant: room >= len, and bytes[0..len) is what whole calls wrote. */

#include "base/buffer.h"

#include "base/alloc.h"
#include "base/checked.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* The first memory that a buffer takes. */
#define ROOM_FIRST 512

/* The most digits of a number. */
#define DIGITS_MAX 20

void weir_buffer_deinit(struct weir_buffer *buffer)
{
    weir_release(weir_allocator_or_default(buffer->allocator), buffer->bytes, buffer->room);
    *buffer = (struct weir_buffer){.allocator = buffer->allocator};
}

void weir_buffer_clear(struct weir_buffer *buffer)
{
    buffer->len = 0;
    buffer->failed = false;
}

/* Memory for `wanted` bytes or twice what there was; false where there is none. */
static bool enlarge(struct weir_buffer *buffer, size_t wanted)
{
    const struct weir_allocator *allocator = weir_allocator_or_default(buffer->allocator);
    size_t room = buffer->room <= SIZE_MAX / 2 ? buffer->room * 2 : SIZE_MAX;
    room = room > ROOM_FIRST ? room : ROOM_FIRST;
    room = room > wanted ? room : wanted;
    char *bytes = weir_alloc(allocator, room, 1);
    if (bytes == NULL) {
        return false;
    }
    if (buffer->len > 0) {
        memcpy(bytes, buffer->bytes, buffer->len);
    }
    weir_release(allocator, buffer->bytes, buffer->room);
    buffer->bytes = bytes;
    buffer->room = room;
    return true;
}

bool weir_buffer_grow(struct weir_buffer *buffer, size_t more)
{
    size_t wanted;
    if (buffer->failed || ckd_add(&wanted, buffer->len, more) || !enlarge(buffer, wanted)) {
        buffer->failed = true;
        return false;
    }
    return true;
}

void weir_buffer_put(struct weir_buffer *buffer, struct weir_bytes bytes)
{
    if (weir_buffer_reserve(buffer, bytes.len) && bytes.len > 0) {
        memcpy(buffer->bytes + buffer->len, bytes.ptr, bytes.len);
        buffer->len += bytes.len;
    }
}

void weir_buffer_put_text(struct weir_buffer *buffer, const char *text)
{
    weir_buffer_put(buffer, weir_text(text));
}

void weir_buffer_put_number(struct weir_buffer *buffer, uint64_t number)
{
    char digits[DIGITS_MAX];
    size_t at = DIGITS_MAX;
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    weir_buffer_put(buffer, weir_bytes(digits + at, DIGITS_MAX - at));
}

void weir_buffer_print(struct weir_buffer *buffer, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    va_list again;
    va_copy(again, arguments);
    const int len = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    assert(len >= 0);
    if (weir_buffer_reserve(buffer, (size_t)len + 1)) {
        (void)vsnprintf(buffer->bytes + buffer->len, (size_t)len + 1, format, again);
        buffer->len += (size_t)len;
    }
    va_end(again);
}

void weir_buffer_drop(struct weir_buffer *buffer, size_t count)
{
    assert(count <= buffer->len);
    buffer->len -= count;
    if (buffer->len > 0 && count > 0) {
        memmove(buffer->bytes, buffer->bytes + count, buffer->len);
    }
}
