/* reader.h - what a reader is inside, and what its files share: reader.c steers and reads what both
 * versions of RESP have, resp3.c what only the third has, command.c what a server is told.
 *
 * A function that reads a part looks at the bytes from cursor->at on. Where the part is there whole
 * it adds its value, moves cursor->at behind it and returns WEIR_RESP_VALUE; else it changes
 * nothing, and says why: more is needed, or this is bad. So a part that was cut off is read again
 * from its first byte, and what would be long to read again is remembered here: up to where a line
 * was searched for its end (`looked`), and how many bytes a string takes (`need`).
 *
 * Invariant: values[0..count) and frames[0..depth] describe all that is before `at`, by indexes and
 * offsets alone. */

#ifndef WEIR_RESP_READER_H
#define WEIR_RESP_READER_H

#include "resp/resp.h"

/* Values that take no allocation, and the most whose memory is kept for the next reply. */
#define WEIR_RESP_VALUES_OWN 32
#define WEIR_RESP_VALUES_KEPT 1024

/* An attribute, while its parts are read. It is dropped with them, so that nobody else sees it. */
#define WEIR_RESP_ATTRIBUTE ((enum weir_resp_type)(WEIR_RESP_PUSH + 1))

/* An aggregate of which parts are missing. frames[0] is what waits for the value at the top. */
struct weir_resp_frame {
    uint32_t left;  /* parts that are not whole; while one is read, it is among them */
    uint32_t index; /* of the aggregate's value */
};

struct weir_resp_reader {
    const struct weir_allocator *allocator;
    struct weir_resp_limits limits;
    struct weir_resp_value *values; /* `own`, or from the allocator */
    uint32_t room;
    uint32_t count;
    uint32_t found; /* the values of the last call's reply */
    uint32_t depth;
    uint64_t promised; /* values there will be: each aggregate counts its parts when it starts */
    size_t at;
    size_t looked;                /* no line that is being read ends before this offset */
    uint64_t need;                /* with fewer bytes than these no part gets whole */
    bool split;                   /* a call has returned in the middle of this value */
    enum weir_resp_state failure; /* BAD or LARGE, or 0 */
    const char *complaint;
    struct weir_resp_value own[WEIR_RESP_VALUES_OWN];
    struct weir_resp_frame frames[];
};

struct weir_resp_cursor {
    const char *start; /* of the input */
    const char *at;
    const char *end; /* of the input, or of what limits.bytes lets us see of it */
};

/* ---- Ways to say that a part is not there ------------------------------------------------- */

/* Nothing can be done before there are `need` bytes. */
enum weir_resp_state weir_resp_more(struct weir_resp_reader *reader, uint64_t need);

/* The same where any byte more may do. */
enum weir_resp_state weir_resp_more_bytes(struct weir_resp_reader *reader,
                                          const struct weir_resp_cursor *cursor);

enum weir_resp_state weir_resp_bad(struct weir_resp_reader *reader, const char *complaint);
enum weir_resp_state weir_resp_large(struct weir_resp_reader *reader, const char *complaint);

/* ---- Parts -------------------------------------------------------------------------------- */

/* Adds a value of `type`; there is room for one whenever a part is read. */
static inline struct weir_resp_value *weir_resp_add(struct weir_resp_reader *reader,
                                                    enum weir_resp_type type)
{
    struct weir_resp_value *value = &reader->values[reader->count++];
    *value = (struct weir_resp_value){.type = type, .next = reader->count};
    return value;
}

/* The same of a value with text. Its offset stands in for the pointer should the bytes move. */
static inline void weir_resp_add_text(struct weir_resp_reader *reader,
                                      const struct weir_resp_cursor *cursor,
                                      enum weir_resp_type type, struct weir_bytes text)
{
    struct weir_resp_value *value = weir_resp_add(reader, type);
    value->integer = text.ptr - cursor->start;
    value->text = text;
}

/* Makes room for one value more; false where there is no memory. */
bool weir_resp_make_room(struct weir_resp_reader *reader);

/* Opens an aggregate of `count` values, whose header ends before `after`. */
enum weir_resp_state weir_resp_open(struct weir_resp_reader *reader,
                                    struct weir_resp_cursor *cursor, enum weir_resp_type type,
                                    uint64_t count, const char *after);

/* The number between a part's first byte and CRLF: what is behind that; NULL where there is none,
 * and then what that means. */
const char *weir_resp_number(const struct weir_resp_cursor *cursor, int64_t *ret_number);
enum weir_resp_state weir_resp_number_trouble(struct weir_resp_reader *reader,
                                              const struct weir_resp_cursor *cursor);

/* The text between a part's first byte and CRLF. Points `ret_after` behind that. */
enum weir_resp_state weir_resp_line(struct weir_resp_reader *reader,
                                    const struct weir_resp_cursor *cursor,
                                    struct weir_bytes *ret_text, const char **ret_after);

/* The text of a length and as many bytes, between CRLFs. The length is not below 0. */
enum weir_resp_state weir_resp_sized(struct weir_resp_reader *reader,
                                     const struct weir_resp_cursor *cursor,
                                     struct weir_bytes *ret_text, const char **ret_after);

/* Reads a part by its first byte, which is there: of those that only RESP3 has, and of a command.
 */
enum weir_resp_state weir_resp_read_resp3(struct weir_resp_reader *reader,
                                          struct weir_resp_cursor *cursor);
enum weir_resp_state weir_resp_read_command(struct weir_resp_reader *reader,
                                            struct weir_resp_cursor *cursor);

#endif
