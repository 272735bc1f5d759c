/* json.h - JSON (RFC 8259), read as a stream of tokens over bytes that are all there, and written.
 *
 * Strict: UTF-8, no comments, no trailing commas, no names without quotes, nothing after the value,
 * at most WEIR_JSON_DEPTH levels. A reader allocates nothing but for strings with escapes in them,
 * which are put together in its own scratch. Names that come twice in one object are refused; so
 * that looking for them stays cheap, whatever the names, objects that are open at one time may have
 * WEIR_JSON_NAMES of them in all.
 *
 *     weir_json_begin(&reader, bytes, &scratch);
 *     while ((token = weir_json_next(&reader)) ...)
 *
 * Source: RFC 8259, RFC 3629. */

#ifndef WEIR_JSON_JSON_H
#define WEIR_JSON_JSON_H

#include "base/buffer.h"
#include "weir/weir.h"

#define WEIR_JSON_DEPTH 16
#define WEIR_JSON_NAMES 128 /* of all objects that are open at one time */

enum weir_json_token {
    WEIR_JSON_END = 0, /* the value is over, and so are the bytes */
    WEIR_JSON_BAD,     /* this is no JSON: see `complaint`, and `line`, `column` of `at` */
    WEIR_JSON_OBJECT,
    WEIR_JSON_OBJECT_END,
    WEIR_JSON_ARRAY,
    WEIR_JSON_ARRAY_END,
    WEIR_JSON_NAME,   /* of a member: `text`; its value is the next token */
    WEIR_JSON_STRING, /* `text`, its escapes undone */
    WEIR_JSON_NUMBER, /* `text`, as it is written */
    WEIR_JSON_TRUE,
    WEIR_JSON_FALSE,
    WEIR_JSON_NULL
};

struct weir_json_reader {
    struct weir_bytes input;
    size_t at;    /* the byte that is read next */
    size_t start; /* where the last token starts */
    struct weir_buffer *scratch;
    struct weir_bytes text; /* of the last token: in the input, or in scratch until it is cleared */
    const char *complaint;  /* static, after WEIR_JSON_BAD */
    unsigned depth;
    uint32_t arrays; /* bit d: level d is an array */
    uint8_t expects; /* json's own, as all below */
    uint8_t name_count;
    uint8_t first_names[WEIR_JSON_DEPTH + 1]; /* of level d's: names[first_names[d]] and on */
    struct weir_json_known {
        const char *text;
        uint32_t len;
        uint32_t hash;
    } names[WEIR_JSON_NAMES];
};

/* `scratch` is cleared, and borrowed until the reader is done with: texts with escapes stay good in
 * it for all that time, as it is given room for all of them first. */
void weir_json_begin(struct weir_json_reader *reader, struct weir_bytes input,
                     struct weir_buffer *scratch);

enum weir_json_token weir_json_next(struct weir_json_reader *reader);

/* After OBJECT or ARRAY: goes on behind its end; after another value: nothing. False: it was BAD.
 */
bool weir_json_skip(struct weir_json_reader *reader);

/* The number that a token is, a whole one of 0 to 2^63-1 ("1e3" and "1.0" are such too); false
 * where it is none. */
bool weir_json_whole(struct weir_bytes text, uint64_t *ret_number);

/* Line and column, from 1, of an offset. */
void weir_json_place(struct weir_bytes input, size_t offset, size_t *ret_line, size_t *ret_column);

/* ---- Writing ------------------------------------------------------------------------------ */

/* Puts commas and colons where they belong. */
struct weir_json_writer {
    struct weir_buffer *out;
    unsigned depth;
    uint32_t begun; /* bit d: level d has a value already */
    bool named;     /* a name waits for its value */
};

void weir_json_write(struct weir_json_writer *writer, struct weir_buffer *out);
void weir_json_put_object(struct weir_json_writer *writer);
void weir_json_put_object_end(struct weir_json_writer *writer);
void weir_json_put_array(struct weir_json_writer *writer);
void weir_json_put_array_end(struct weir_json_writer *writer);
void weir_json_put_name(struct weir_json_writer *writer, const char *name);
/* Bytes that are no UTF-8 are written as U+FFFD. */
void weir_json_put_string(struct weir_json_writer *writer, struct weir_bytes text);
void weir_json_put_text(struct weir_json_writer *writer, const char *text);
void weir_json_put_whole(struct weir_json_writer *writer, uint64_t number);
void weir_json_put_signed(struct weir_json_writer *writer, int64_t number);
/* Microseconds as seconds with up to six decimals: 1500000 is 1.5. */
void weir_json_put_seconds(struct weir_json_writer *writer, int64_t us);
void weir_json_put_boolean(struct weir_json_writer *writer, bool value);
void weir_json_put_null(struct weir_json_writer *writer);

#endif
