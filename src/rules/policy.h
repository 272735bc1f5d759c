/* policy.h - a policy, prepared: what the files of this folder share (policy.c). Read rules.h and
 * condition.h first. */

#ifndef WEIR_RULES_POLICY_H
#define WEIR_RULES_POLICY_H

#include "rules/condition.h"
#include "rules/map.h"
#include "rules/rules.h"

struct weir_key_part {
    uint32_t slot;
    bool optional;
    uint8_t ipv4_prefix;
    uint8_t ipv6_prefix;
};

/* The entries of a list. */
struct weir_list {
    const struct weir_listed_spec *spec;
    struct weir_conjunction *items;
    uint32_t count;
    struct weir_index *index; /* NULL where there are no entries */
};

struct weir_rule {
    const struct weir_rule_spec *spec;
    struct weir_conjunction conditions;
    const struct weir_key_part *key;
    uint32_t tier_slot; /* WEIR_SLOT_NONE: no tiers */
    uint32_t cost_slot; /* WEIR_SLOT_NONE: no attribute says the cost */
    uint64_t cost_max;
    struct weir_map tiers;            /* by value; where there are any */
    struct weir_map overrides;        /* by joined key; likewise */
    struct weir_bytes *override_keys; /* joined */
    struct weir_list allow;
    struct weir_list deny;
};

/* A regular expression of the policy, to be freed with it. */
struct weir_regex_link {
    struct weir_regex *regex;
    struct weir_regex_link *next;
};

struct weir_policy {
    const struct weir_policy_spec *spec;
    const struct weir_allocator *allocator;
    struct weir_arena arena; /* all that follows, but for the regular expressions */
    struct weir_sip start;   /* of a secret of this policy's own */
    struct weir_names names;
    struct weir_rule *rules;
    struct weir_index *index; /* of their conditions */
    struct weir_map by_name;
    struct weir_regex_link *regexes;
};

/* ---- policy.c ---- */

/* One policy being prepared. */
struct weir_preparing {
    struct weir_policy *policy;
    weir_complain_fn *complain;
    void *context;
    bool wrong;     /* something was complained of */
    bool no_memory; /* once it is set, nothing more is looked at */
};

/* Says that something is wrong; printf's format. */
void weir_preparing_refuse(struct weir_preparing *preparing, const struct weir_origin *origin,
                           const char *format, ...) __attribute__((format(printf, 3, 4)));

/* `count` things of `size` bytes for the policy; NULL where no_memory is now set. */
void *weir_preparing_get(struct weir_preparing *preparing, size_t count, size_t size);

/* ---- prepare_condition.c ---- */

/* Prepares conditions, of a rule or of a list's entry. */
void weir_prepare_conjunction(struct weir_preparing *preparing,
                              const struct weir_condition_spec *specs, size_t count,
                              struct weir_conjunction *conjunction);

/* The slot of an attribute's name, which is looked at first. */
uint32_t weir_prepare_slot(struct weir_preparing *preparing, struct weir_bytes name,
                           const struct weir_origin *origin);

/* ---- prepare_rule.c ---- */

void weir_prepare_rule(struct weir_preparing *preparing, const struct weir_rule_spec *spec,
                       struct weir_rule *rule);

/* ---- key.c ---- */

/* What a value counts as in a key: itself, or its network's text, which is written to `text`. */
struct weir_bytes weir_key_part_bytes(const struct weir_key_part *part, struct weir_value *value,
                                      char text[WEIR_ADDRESS_TEXT_MAX]);

/* The key of `count` values (NULL: absent), in `buffer` of WEIR_KEY_MAX bytes. Errors:
 * WEIR_ERR_KEY_LENGTH. */
WEIR_MUST_CHECK enum weir_status weir_rule_key(const struct weir_rule *rule,
                                               struct weir_value *const *values, char *buffer,
                                               struct weir_bytes *ret_key);

/* ---- rule.c ---- */

/* Whether a rule applies: its conditions hold, and what its key needs is there. */
enum weir_truth weir_rule_applies(const struct weir_rule *rule, struct weir_values *values);

/* Whether a list has an entry for the request that is not over at `now_us`. Where several have,
 * `ret_until_us` is the last of their ends. */
enum weir_truth weir_list_holds(const struct weir_list *list, struct weir_values *values,
                                int64_t now_us, int64_t *ret_until_us);

/* The limit of a request's tier: the rule's own where it is in none; NULL: it is not limited. */
const struct weir_limit *weir_rule_tier(const struct weir_policy *policy,
                                        const struct weir_rule *rule, struct weir_values *values,
                                        size_t *ret_tier);

/* The override of a key, or SIZE_MAX. */
size_t weir_rule_override(const struct weir_policy *policy, const struct weir_rule *rule,
                          struct weir_bytes key);

/* What a request costs under a rule, where its own cost is `cost`. Errors: WEIR_ERR_ARGUMENT, where
 * the attribute that says it is no whole number. */
WEIR_MUST_CHECK enum weir_status weir_rule_cost(const struct weir_rule *rule,
                                                struct weir_values *values, uint64_t cost,
                                                uint64_t *ret_cost);

#endif
