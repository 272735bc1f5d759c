/* buffer.h - bytes that are put together: a buffer that grows (buffer.c).
 *
 * All zero is an empty one over malloc. `failed` is set once memory runs out: what is written from
 * then on is dropped, so that it can be asked once, at the end; what one call writes is there
 * whole, or not at all. */

#ifndef WEIR_BASE_BUFFER_H
#define WEIR_BASE_BUFFER_H

#include "weir/weir.h"

struct weir_buffer {
    char *bytes;
    size_t len;
    size_t room;
    const struct weir_allocator *allocator;
    bool failed;
};

/* Gives the memory back: an empty buffer over the same allocator. */
void weir_buffer_deinit(struct weir_buffer *buffer);

/* Forgets what was written and that it failed, and keeps the memory. */
void weir_buffer_clear(struct weir_buffer *buffer);

/* Memory for `more` bytes where there is not enough; what weir_buffer_reserve is behind its look.
 */
bool weir_buffer_grow(struct weir_buffer *buffer, size_t more);

/* Room for `more` bytes, to be written at bytes + len by the caller; false where there is none. */
static inline bool weir_buffer_reserve(struct weir_buffer *buffer, size_t more)
{
    return (!buffer->failed && more <= buffer->room - buffer->len) ||
           weir_buffer_grow(buffer, more);
}

/* Bytes as they are; a text without its NUL; a number in decimal. */
void weir_buffer_put(struct weir_buffer *buffer, struct weir_bytes bytes);
void weir_buffer_put_text(struct weir_buffer *buffer, const char *text);
void weir_buffer_put_number(struct weir_buffer *buffer, uint64_t number);

/* As printf, for what is no matter of speed. */
void weir_buffer_print(struct weir_buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Drops the first `count` bytes, at most all there are. */
void weir_buffer_drop(struct weir_buffer *buffer, size_t count);

/* What is in it. */
static inline struct weir_bytes weir_buffer_bytes(const struct weir_buffer *buffer)
{
    return weir_bytes(buffer->bytes, buffer->len);
}

#endif
