/* grpc_methods.c - the methods that there are, and those that need no store: health and reflection.
 * See grpc_door.h. */

#include "door/grpc_door.h"

#include <string.h>

static const struct weir_grpc_method methods[] = {
    {"/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit", WEIR_RIGHT_DECIDE, false,
     weir_grpc_should_rate_limit},
};

const struct weir_grpc_method *weir_grpc_find(struct weir_bytes path)
{
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        const struct weir_bytes known = weir_text(methods[i].path);
        if (known.len == path.len && memcmp(known.ptr, path.ptr, path.len) == 0) {
            return &methods[i];
        }
    }
    return NULL;
}

void weir_grpc_tell_ending(struct weir_grpc_visit *visit)
{
    weir_grpc_end(visit, WEIR_GRPC_UNAVAILABLE, "the server is about to end");
}
