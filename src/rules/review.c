/* review.c - what a policy comes to that its author can't have meant. See rules.h. */

#include "rules/rules.h"

#include <stdio.h>
#include <string.h>

static bool same_text(struct weir_bytes a, struct weir_bytes b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* A value that comes twice: the first counts, so that the second never applies. */
static void review_tiers(const struct weir_rule_spec *rule, weir_complain_fn *complain,
                         void *context)
{
    for (size_t i = 1; i < rule->tier_count; i++) {
        for (size_t j = 0; j < i; j++) {
            if (same_text(rule->tiers[i].value, rule->tiers[j].value)) {
                char message[160];
                (void)snprintf(message, sizeof(message),
                               "this tier never applies: its value is that of the tier at line %u",
                               rule->tiers[j].origin.line);
                complain(context, &rule->tiers[i].origin, true, message);
                break;
            }
        }
    }
}

void weir_policy_review(const struct weir_policy *policy, weir_complain_fn *complain, void *context)
{
    for (size_t i = 0; i < weir_policy_count(policy); i++) {
        review_tiers(weir_policy_rule(policy, i), complain, context);
    }
}
