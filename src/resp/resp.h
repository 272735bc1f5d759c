/* resp.h - the Redis serialization protocol, RESP2 and RESP3, as bytes in and values out, and the
 * other way round. No sockets, no waiting.
 *
 * Whoever has a connection keeps a buffer of what came in and shows it to a reader: the reader says
 * that a whole value is there, and where its parts are; or that more is needed; or that this is no
 * RESP, or more of it than the limits allow, after which the connection is of no further use.
 * Values are a flat list in the order of the bytes, and their text is in the caller's buffer:
 * nothing is copied, and a list of numbers costs no allocation.
 *
 *     while (weir_resp_read(reader, weir_bytes(buffer, len), &used) == WEIR_RESP_VALUE) {
 *         ... weir_resp_values(reader), then drop the first `used` bytes of the buffer
 *     }
 *
 * A client reads replies with it; a server reads commands, which are arrays of bulk strings or, as
 * people type them, lines of words ("inline commands").
 *
 * Source: the RESP protocol specification (redis.io), versions 2 and 3. Streamed strings and
 * aggregates, which no server sends, are refused.
 *
 * Invariant: a reader never looks beyond the bytes it is given, never holds on to them between
 * calls (it remembers offsets), and reads each byte a bounded number of times however they are
 * split (but the first of a long line: that once a call). */

#ifndef WEIR_RESP_RESP_H
#define WEIR_RESP_RESP_H

#include "base/buffer.h"
#include "weir/weir.h"

enum weir_resp_type {
    WEIR_RESP_SIMPLE = 1, /* +text */
    WEIR_RESP_ERROR,      /* -text; RESP3's !n too */
    WEIR_RESP_INTEGER,    /* :n */
    WEIR_RESP_BULK,       /* $n; RESP3's =n too, without its three letters and ':' */
    WEIR_RESP_NIL,        /* $-1, *-1, _ */
    WEIR_RESP_BOOLEAN,    /* #t, #f: integer is 1 or 0 */
    WEIR_RESP_DOUBLE,     /* ,text: text only, as doubles have no place here */
    WEIR_RESP_BIG,        /* (text */
    WEIR_RESP_ARRAY,      /* *n */
    WEIR_RESP_SET,        /* ~n */
    WEIR_RESP_MAP,        /* %n: count is twice n, names and values in turn */
    WEIR_RESP_PUSH        /* >n: at the top only */
};

/* One value. The parts of an aggregate follow it; `next` is the index of what comes after all of
 * them, so a part is skipped by going on there. An attribute (RESP3's |n, what a server says about
 * the value after it) is read and left out. */
struct weir_resp_value {
    enum weir_resp_type type;
    uint32_t count;  /* of an aggregate: how many values it has as its own parts */
    uint32_t next;   /* the index after this value and all its parts */
    int64_t integer; /* of an integer or a boolean */
    struct weir_bytes text;
};

/* What is too much. A zero is the default below. */
struct weir_resp_limits {
    uint32_t depth;  /* aggregates within one another, counting the outermost */
    uint32_t values; /* in all of one reply, aggregates and the parts of attributes included */
    uint32_t text;   /* bytes of one string or line */
    uint64_t bytes;  /* of one whole reply */
    bool commands;   /* a server's side: only arrays of bulk strings, and inline commands */
};

#define WEIR_RESP_DEPTH 8
#define WEIR_RESP_VALUES 65536
#define WEIR_RESP_TEXT (UINT32_C(1) << 20)
#define WEIR_RESP_BYTES (UINT64_C(16) << 20)

enum weir_resp_state {
    WEIR_RESP_VALUE = 1, /* a whole value: see weir_resp_values */
    WEIR_RESP_MORE,      /* the bytes end before the value does */
    WEIR_RESP_BAD,       /* this is no RESP: see weir_resp_complaint */
    WEIR_RESP_LARGE,     /* it is more than the limits allow: see weir_resp_complaint */
    WEIR_RESP_NO_MEMORY  /* nothing is lost: the same call may be tried again */
};

struct weir_resp_reader;

/* A reader of its own for each connection, from `allocator` (NULL: malloc). NULL where there is no
 * memory. weir_resp_reader_free takes NULL. weir_resp_reader_reset forgets a value half read, as
 * for a new connection. */
struct weir_resp_reader *weir_resp_reader_new(const struct weir_resp_limits *limits,
                                              const struct weir_allocator *allocator);
void weir_resp_reader_free(struct weir_resp_reader *reader);
void weir_resp_reader_reset(struct weir_resp_reader *reader);

/* Reads the value that `input` starts with. Until it is whole, each call is to be given the same
 * bytes again with what came after them (they may have moved). `ret_used`, written where a value is
 * whole, is how many bytes it took. After BAD or LARGE every call says the same, until a reset.
 *
 * A command is an array of bulk strings. An empty one, which is an empty array or an empty line, is
 * an array of no values: servers ignore it. */
enum weir_resp_state weir_resp_read(struct weir_resp_reader *reader, struct weir_bytes input,
                                    size_t *ret_used);

/* The value that the last call found: values[0], and after it its parts; none (`ret_count` is 0)
 * where it found none. Good until the next call, and as long as the bytes stay where they were. */
const struct weir_resp_value *weir_resp_values(const struct weir_resp_reader *reader,
                                               size_t *ret_count);

/* What was wrong, after WEIR_RESP_BAD or WEIR_RESP_LARGE: a sentence without its stop. Static;
 * empty where nothing was wrong. */
const char *weir_resp_complaint(const struct weir_resp_reader *reader);

/* ---- Writing ------------------------------------------------------------------------------ */

/* Each call writes all of what it says to the buffer, or nothing (base/buffer.h). */

/* *n: the start of a command, or of an array in a reply. */
void weir_resp_put_array(struct weir_buffer *writer, size_t count);

/* $n: a bulk string; of the decimal digits of a number. */
void weir_resp_put_bulk(struct weir_buffer *writer, struct weir_bytes bytes);
void weir_resp_put_bulk_text(struct weir_buffer *writer, const char *text);
void weir_resp_put_bulk_integer(struct weir_buffer *writer, int64_t integer);

/* What only a server says. A simple string or error has no line break in it: those are written as
 * spaces. A map has `count` pairs; for RESP2 (`protocol` 2) it is an array of twice as many, as a
 * boolean is 1 or 0 and a nil the nil bulk string. */
void weir_resp_put_simple(struct weir_buffer *writer, const char *text);
void weir_resp_put_error(struct weir_buffer *writer, const char *text);
void weir_resp_put_integer(struct weir_buffer *writer, int64_t integer);
void weir_resp_put_nil(struct weir_buffer *writer, unsigned protocol);
void weir_resp_put_boolean(struct weir_buffer *writer, bool value, unsigned protocol);
void weir_resp_put_map(struct weir_buffer *writer, size_t count, unsigned protocol);

/* A whole command of `count` words. */
void weir_resp_put_command(struct weir_buffer *writer, const struct weir_bytes *words,
                           size_t count);

/* The number that all of `text` is, in decimal, as Redis writes it (no sign but '-', no leading
 * zero): false where it is none. For values that come as strings. */
bool weir_resp_integer(struct weir_bytes text, int64_t *ret_integer);

#endif
