/* rls_wire_fuzz.c - any bytes as a RateLimitRequest: what is read is within its bounds and borrows
 * from nothing else, and a response that repeats it can be written. */

#include "rls/wire.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Looks at every byte of a text, so that a sanitizer does. */
static size_t sum(struct weir_bytes text)
{
    size_t sum = 0;
    for (size_t i = 0; i < text.len; i++) {
        sum += (unsigned char)text.ptr[i];
    }
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct weir_arena arena = {.most = (size_t)16 << 20};
    struct weir_rls_request request;
    struct weir_error error = {.message = ""};
    if (weir_rls_decode(weir_bytes(data, size), &arena, &request, &error) == WEIR_OK) {
        struct weir_rls_header headers[WEIR_RLS_ENTRIES_MAX];
        size_t count = 0;
        volatile size_t seen = sum(request.domain);
        assert(request.descriptor_count <= WEIR_RLS_DESCRIPTORS_MAX);
        for (size_t i = 0; i < request.descriptor_count; i++) {
            const struct weir_rls_descriptor *descriptor = &request.descriptors[i];
            assert(descriptor->entry_count <= WEIR_RLS_ENTRIES_MAX);
            assert(descriptor->limit_unit < WEIR_RLS_UNIT_COUNT);
            count = descriptor->entry_count;
            for (size_t j = 0; j < count; j++) {
                seen += sum(descriptor->entries[j].key) + sum(descriptor->entries[j].value);
                headers[j] = (struct weir_rls_header){descriptor->entries[j].key,
                                                      descriptor->entries[j].value};
            }
        }
        (void)seen;
        const struct weir_rls_response response = {
            .overall = WEIR_RLS_OK, .headers = headers, .header_count = count};
        struct weir_buffer out = {0};
        weir_rls_encode(&response, &out);
        weir_rls_json_encode(&response, &out);
        assert(!out.failed);
        weir_buffer_deinit(&out);
    } else {
        assert(error.message[0] != '\0');
    }
    weir_arena_deinit(&arena);
    return 0;
}
