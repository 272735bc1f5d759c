/* rls_json_fuzz.c - any bytes as a RateLimitRequest in JSON: what is read is within its bounds, and
 * what is not has a message. */

#include "rls/wire.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct weir_arena arena = {.most = (size_t)16 << 20};
    struct weir_rls_request request;
    struct weir_error error = {.message = ""};
    if (weir_rls_json_decode(weir_bytes(data, size), &arena, &request, &error) == WEIR_OK) {
        assert(request.descriptor_count <= WEIR_RLS_DESCRIPTORS_MAX);
        for (size_t i = 0; i < request.descriptor_count; i++) {
            assert(request.descriptors[i].entry_count <= WEIR_RLS_ENTRIES_MAX);
            assert(request.descriptors[i].limit_unit < WEIR_RLS_UNIT_COUNT);
        }
    } else {
        assert(error.message[0] != '\0');
    }
    weir_arena_deinit(&arena);
    return 0;
}
