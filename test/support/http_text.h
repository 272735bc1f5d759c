/* http_text.h - HTTP requests as text, and what a reader makes of bytes that come in pieces.
 *
 * A request is written as
 *
 *     GET "/path" query "a=b" HTTP/1.1 host "a" close [Name: "value", ...] body "..."
 *
 * without what is empty; "close" where the connection may not be kept; bytes as in resp_text.h. */

#ifndef WEIR_TEST_SUPPORT_HTTP_TEXT_H
#define WEIR_TEST_SUPPORT_HTTP_TEXT_H

#include "http/http.h"
#include "support/resp_text.h"

/* A reader's limits; 0 for those that it has if none are given. */
struct http_limits {
    size_t head;
    size_t target;
    size_t body;
};

/* What a new reader makes of `input`: a line for each request, and then, where the bytes don't end
 * with one, "more" or "bad STATUS: COMPLAINT". Each time bytes come, all that were not used yet are
 * moved to a block of just their size, as a buffer may, and a sanitizer will see who looks past its
 * end; nothing but the reader is kept from call to call. Ends the process where a request's texts
 * are not in its bytes. Release it with free. */
char *http_transcript(const struct http_limits *limits, struct weir_bytes input,
                      struct resp_feed feed);

/* The last line of a transcript: "more" or "bad ..."; NULL where all are requests. */
const char *http_transcript_trouble(const char *transcript);

#endif
