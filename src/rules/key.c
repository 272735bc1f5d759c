/* key.c - the key under which a request is counted; see policy.h. */

#include "rules/policy.h"

#include <assert.h>

struct weir_bytes weir_key_part_bytes(const struct weir_key_part *part, struct weir_value *value,
                                      char text[WEIR_ADDRESS_TEXT_MAX])
{
    if (part->ipv4_prefix == 0 && part->ipv6_prefix == 0) {
        return value->bytes;
    }
    struct weir_address address = *weir_value_address(value);
    const unsigned prefix = address.family == WEIR_FAMILY_4 ? part->ipv4_prefix : part->ipv6_prefix;
    if (address.family == WEIR_FAMILY_NONE || (address.family == WEIR_FAMILY_6 && prefix == 0)) {
        return value->bytes;
    }
    /* Of IPv4 there is one way to write it, but for that in IPv6: so without a prefix too. */
    if (prefix > 0) {
        weir_address_mask(&address, prefix);
    }
    return weir_bytes(text, weir_address_write(&address, text));
}

enum weir_status weir_rule_key(const struct weir_rule *rule, struct weir_value *const *values,
                               char *buffer, struct weir_bytes *ret_key)
{
    const size_t count = rule->spec->key_count;
    __attribute__((uninitialized)) char texts[WEIR_KEY_PARTS_MAX][WEIR_ADDRESS_TEXT_MAX];
    __attribute__((uninitialized)) struct weir_bytes parts[WEIR_KEY_PARTS_MAX];
    assert(count <= WEIR_KEY_PARTS_MAX);
    if (count == 0) {
        *ret_key = weir_bytes(buffer, 0);
        return WEIR_OK;
    }
    for (size_t i = 0; i < count; i++) {
        parts[i] = values[i] == NULL ? weir_bytes(NULL, 0)
                                     : weir_key_part_bytes(&rule->key[i], values[i], texts[i]);
    }
    return weir_key_join(parts, count, buffer, WEIR_KEY_MAX, ret_key);
}
