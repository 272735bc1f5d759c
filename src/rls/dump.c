/* dump.c - the rules of a policy as lines, for /rlconfig. */

#include "rls/policy_parts.h"

#include <assert.h>

static void put_flag(struct weir_buffer *out, const char *name, bool flag)
{
    weir_buffer_put_text(out, name);
    weir_buffer_put_text(out, flag ? "true" : "false");
}

void weir_rls_policy_dump(const struct weir_rls_policy *policy, struct weir_buffer *out)
{
    assert(policy != NULL && out != NULL);
    for (size_t i = 0; i < policy->rule_count; i++) {
        const struct weir_rls_rule *rule = &policy->rules[i].rule;
        weir_buffer_put(out, rule->full_key);
        weir_buffer_put_text(out, ": unit=");
        weir_buffer_put_text(out, weir_rls_unit_name(rule->spec->unlimited ? WEIR_RLS_UNKNOWN_UNIT
                                                                           : rule->spec->unit));
        weir_buffer_put_text(out, " requests_per_unit=");
        weir_buffer_put_number(out, rule->spec->requests_per_unit);
        put_flag(out, ", shadow_mode: ", rule->spec->shadow_mode);
        put_flag(out, ", quota_mode: ", rule->spec->quota_mode);
        weir_buffer_put_text(out, "\n");
    }
}
