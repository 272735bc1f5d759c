/* http_oracle.h - what llhttp 8.1.0 makes of bytes, in its strict mode, beside what our reader
 * does.
 *
 * Whatever we take for a request llhttp does too, with the same method, target, version, headers
 * and body, that ends at the same byte; but for methods that it doesn't know, and one difference in
 * what it tells: it leaves a blank at the end of a value.
 *
 * The other way round we are stricter. What it takes and we refuse is one of these:
 *
 *   blanks       before a header's colon, at the start of a line that goes on (it joins them), more
 *                than one in the first line, before and in a chunk's line
 *   line ends    more than one empty line before a request, a request line or a header that ends
 *                with LF alone
 *   versions     HTTP/0.9 and 2.0
 *   the target   '#', anything but a path, "*" of OPTIONS, and an http URL; CONNECT
 *   methods      such as have other bytes than capitals and '-' (M-SEARCH is fine)
 *   Host         none, two, or bytes that are no host
 *   lengths      Transfer-Encoding in HTTP/1.0, with other codings, or said twice;
 *                a length past our limits
 *   Expect       other than 100-continue
 *   extensions   that are none by the grammar; trailers that say what only a header may
 *   bounds       all of ours: it has none */

#ifndef WEIR_TEST_SUPPORT_HTTP_ORACLE_H
#define WEIR_TEST_SUPPORT_HTTP_ORACLE_H

#include "weir/weir.h"

/* Gives the requests that `input` consists of, one after the other, to both. Returns NULL where
 * they agree, else a report of how they don't, to be released with free. */
char *http_oracle_objection(struct weir_bytes input);

#endif
