/* resp_text.h - RESP values as text, and what a reader makes of bytes that come in pieces.
 *
 * A value is written as
 *
 *     :5  "bulk"  +simple  -error  nil  true  false  ,1.5  (123
 *     [ARRAY...]  ~[SET...]  %[NAME VALUE...]  >[PUSH...]
 *
 * and its bytes that don't print, quotes and backslashes as \r, \n, \", \\ and \xHH. */

#ifndef WEIR_TEST_SUPPORT_RESP_TEXT_H
#define WEIR_TEST_SUPPORT_RESP_TEXT_H

#include "resp/resp.h"
#include "support/random.h"

#include <stdio.h>

/* Writes the bytes that `text` stands for, where \r, \n, \\, \" and \xHH are as above, to `bytes`,
 * which has room for strlen(text); returns how many. */
size_t resp_text_bytes(const char *text, char *bytes);

/* Writes bytes to `to` in that way. */
void resp_text_print(FILE *to, struct weir_bytes bytes);

/* How bytes come: all at once, `first` and then the rest, one by one, or as it happens. */
enum resp_pieces {
    RESP_WHOLE,
    RESP_TWO,
    RESP_SINGLE,
    RESP_RANDOM
};

struct resp_feed {
    enum resp_pieces pieces;
    size_t first;
    struct random random;
};

/* How many bytes come next of the `left` ones, at least 1. */
size_t resp_feed_next(struct resp_feed *feed, size_t left);

/* What a new reader makes of `input`: a line for each value, and then, where the bytes don't end
 * with one, "more", "bad: COMPLAINT" or "large: COMPLAINT". Each time bytes come, all that were not
 * used yet are moved to a block of just their size, as a buffer may, and a sanitizer will see who
 * looks past its end. Ends the process where a value contradicts itself or the limits. Release it
 * with free. */
char *resp_transcript(const struct weir_resp_limits *limits, struct weir_bytes input,
                      struct resp_feed feed);

/* The last line of a transcript: "more", "bad: ..." or "large: ..."; NULL where all are values. */
const char *resp_transcript_trouble(const char *transcript);

/* The values of one reply, in the same way. */
char *resp_values_text(const struct weir_resp_value *values, size_t count);

#endif
