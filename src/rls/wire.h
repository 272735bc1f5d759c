/* wire.h - requests and responses of the rate limit service as protobuf (wire.c) and as proto3's
 * JSON (json_read.c, json_write.c).
 *
 * Texts are held to be UTF-8, and may hold NULs: docs/decisions/0012 says why no library reads
 * them. What is not known is passed over, as proto3 wants. */

#ifndef WEIR_RLS_WIRE_H
#define WEIR_RLS_WIRE_H

#include "rls/rls.h"

/* Reads a RateLimitRequest, in `arena`; it may borrow from `bytes`. Errors: WEIR_ERR_FORMAT (no
 * protobuf, or text that is not UTF-8), WEIR_ERR_ARGUMENT (more descriptors or entries than rls.h
 * allows), WEIR_ERR_NO_MEMORY; with a message for whoever sent it. */
WEIR_MUST_CHECK enum weir_status weir_rls_decode(struct weir_bytes bytes, struct weir_arena *arena,
                                                 struct weir_rls_request *ret_request,
                                                 struct weir_error *ret_error);

/* Appends a RateLimitResponse. */
void weir_rls_encode(const struct weir_rls_response *response, struct weir_buffer *out);

/* The same in proto3's JSON: names in lowerCamelCase or as in the .proto, numbers also as strings,
 * enums by name or number, null for what is absent. Unknown fields are refused, as protojson does.
 */
WEIR_MUST_CHECK enum weir_status weir_rls_json_decode(struct weir_bytes bytes,
                                                      struct weir_arena *arena,
                                                      struct weir_rls_request *ret_request,
                                                      struct weir_error *ret_error);
void weir_rls_json_encode(const struct weir_rls_response *response, struct weir_buffer *out);

#endif
