/* json_text.h - what a reader makes of JSON, as text, and that written again. */

#ifndef WEIR_TEST_SUPPORT_JSON_TEXT_H
#define WEIR_TEST_SUPPORT_JSON_TEXT_H

#include "json/json.h"

/* A new reader's tokens: { } [ ] name: "string" number true false null, with blanks between, texts'
 * bytes as in resp_text.h; and then, where the input is bad, "bad LINE:COLUMN COMPLAINT". The input
 * is read from a block of just its size. Ends the process where a text is neither in the input nor
 * in scratch. Release it with free. */
char *json_transcript(struct weir_bytes input);

/* The same with numbers that are not whole as null, and whole ones in plain digits. */
char *json_plain_transcript(struct weir_bytes input);

/* Writes what is read from good JSON, as json_plain_transcript has it; names up to their first NUL.
 */
void json_rewrite(struct weir_bytes input, struct weir_buffer *out);

#endif
