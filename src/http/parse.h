/* parse.h - what the files of the HTTP codec share: head.c reads the lines of a head, chunk.c the
 * body that comes in chunks, reader.c steers.
 *
 * A head that is there whole is read in one go. One that is not, or has something wrong with it, is
 * looked at line by line: each byte once, from reader->looked on, and each line once it is whole.
 * So how the bytes were cut never matters: what is wrong is found at the same byte, as the lines
 * are read by the same functions in both ways. */

#ifndef WEIR_HTTP_PARSE_H
#define WEIR_HTTP_PARSE_H

#include "http/http.h"

/* What a byte may be part of. */
#define WEIR_HTTP_NAME 1u /* a header's name: RFC 9110's token */
#define WEIR_HTTP_METHOD \
    2u /* a method: capitals and '-', which all that are registered consist of */
#define WEIR_HTTP_TARGET 4u /* a target: what prints, but '#' */
#define WEIR_HTTP_PATH 8u   /* the same without '?' */
#define WEIR_HTTP_TEXT 16u  /* a line: all but controls, of which it may have tabs */
#define WEIR_HTTP_HOST 32u  /* a host that is a name, without its port */
#define WEIR_HTTP_DIGIT 64u

extern const unsigned char weir_http_bytes[256];

static inline bool weir_http_may(char byte, unsigned part)
{
    return (weir_http_bytes[(unsigned char)byte] & part) != 0;
}

/* The first byte from `at` on that is no such part, or `end`. */
static inline const char *weir_http_skip(const char *at, const char *end, unsigned part)
{
    while (at < end && weir_http_may(*at, part)) {
        at++;
    }
    return at;
}

/* What a hexadecimal digit is worth; -1 of any other byte. */
static inline int weir_http_hex(char byte)
{
    if (byte >= '0' && byte <= '9') {
        return byte - '0';
    }
    byte = (char)(byte | 0x20);
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

/* Says what is wrong, if nothing was yet. */
void weir_http_bad(struct weir_http_reader *reader, unsigned status, const char *complaint);

/* The limits that are in force. */
static inline size_t weir_http_head_max(const struct weir_http_reader *reader)
{
    return reader->max.head != 0 ? reader->max.head : WEIR_HTTP_HEAD_MAX;
}

static inline size_t weir_http_target_max(const struct weir_http_reader *reader)
{
    return reader->max.target != 0 ? reader->max.target : WEIR_HTTP_TARGET_MAX;
}

static inline size_t weir_http_body_max(const struct weir_http_reader *reader)
{
    return reader->max.body != 0 ? reader->max.body : WEIR_HTTP_BODY_MAX;
}

/* Each reads what starts at `at`, and returns where it ends; NULL where it is bad (weir_http_bad
 * was told) or goes on behind `end`. The first two read a line with its CRLF. */
const char *weir_http_request_line(struct weir_http_reader *reader, const char *at, const char *end,
                                   struct weir_http_request *request);
const char *weir_http_header_line(struct weir_http_reader *reader, const char *at, const char *end,
                                  struct weir_http_header *ret_header);
/* A whole head; fills in `request` but for its body, and how long the reader's body is. */
const char *weir_http_head(struct weir_http_reader *reader, struct weir_bytes input,
                           struct weir_http_request *request);

/* The line at reader->line, with its CRLF, that is looked for from reader->looked on; false where
 * it is not there whole, or has a byte that no line has (weir_http_bad was told). Nothing is looked
 * at from the offset `limit` on. */
bool weir_http_line(struct weir_http_reader *reader, struct weir_bytes input, size_t limit,
                    struct weir_bytes *ret_line);

/* Looks at the chunks that have come. REQUEST: all are there, and end at reader->looked. */
enum weir_http_state weir_http_chunks(struct weir_http_reader *reader, struct weir_bytes input);

/* Puts the chunks, which are all there, together; false where there is no memory. */
bool weir_http_join(const struct weir_http_reader *reader, struct weir_bytes input,
                    struct weir_buffer *body);

/* Whether they are the same but for the case of their letters. */
bool weir_http_same(struct weir_bytes one, struct weir_bytes other);

/* What is left between `at` and `end` without the blanks and tabs at both ends. */
struct weir_bytes weir_http_trim(const char *at, const char *end);

/* The next element of a list "a, b" at `at`, without blanks at its ends; empty ones too. Returns
 * what is behind its comma; NULL where there was none. */
const char *weir_http_element(const char *at, const char *end, struct weir_bytes *ret_element);

#endif
