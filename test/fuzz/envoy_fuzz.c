/* envoy_fuzz.c - any bytes as a file of envoyproxy/ratelimit: there is a policy, whose rules can be
 * told, or something was complained of. */

#include "base/alloc.h"
#include "envoy/parts.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#define INPUT_MAX 65536

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *no_variable(void *context, const char *name)
{
    (void)context;
    (void)name;
    return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > INPUT_MAX) {
        return 0;
    }
    const struct weir_config_source source = {.environment = no_variable};
    struct weir_complaints *complaints = calloc(1, sizeof(*complaints));
    struct weir_owned *owned = calloc(1, sizeof(*owned));
    struct weir_reading *reading = calloc(1, sizeof(*reading));
    assert(complaints != NULL && owned != NULL && reading != NULL);
    owned->counted.allocator = *weir_allocator_or_default(NULL);
    owned->memory.arena.allocator = &owned->counted.allocator;
    reading->tree.arena.allocator = &owned->counted.allocator;
    complaints->memory.arena.allocator = &owned->counted.allocator;
    reading->source = &source;
    reading->owned = owned;
    reading->kept = &owned->memory;
    reading->complaints = complaints;
    const struct weir_tree_spec spec = {.bytes = weir_bytes(data, size),
                                        .source = &source,
                                        .memory = &reading->tree,
                                        .complaints = complaints,
                                        .fingerprint = &reading->fingerprint,
                                        .verbatim = true};
    struct weir_envoy_domains domains = {0};
    const struct weir_node *root = weir_tree_read(&spec);
    if (root != NULL) {
        weir_envoy_read_root(reading, root, true, &domains);
    }
    if (complaints->errors == 0 && domains.count > 0) {
        const struct weir_rls_spec rules = {.domains = &domains.list[0].spec, .domain_count = 1};
        struct weir_rls_policy *policy;
        struct weir_buffer dump = {0};
        assert(weir_rls_policy_new(&rules, NULL, &policy) == WEIR_OK);
        weir_rls_policy_dump(policy, &dump);
        assert((dump.len > 0) == (weir_rls_policy_count(policy) > 0));
        weir_buffer_deinit(&dump);
        weir_rls_policy_free(policy);
    }
    for (struct weir_kept_limit *kept = owned->limits; kept != NULL; kept = kept->next) {
        weir_limit_free(kept->limit);
    }
    weir_memory_deinit(&owned->memory);
    weir_memory_deinit(&reading->tree);
    weir_memory_deinit(&complaints->memory);
    free(complaints);
    free(owned);
    free(reading);
    return 0;
}
