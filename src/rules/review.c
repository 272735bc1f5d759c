/* review.c - what a policy comes to that its author can't have meant; see rules.h.
 *
 * A warning that is wrong is worse than none, as it teaches not to read them. So each is given only
 * where relate.h is sure; and that one rule hides another only where the same requests, under the
 * same key and at the same cost, meet a limit that at every moment has no more left than the other.
 * Of a window that opens at a key's first request that is so only where both have the same
 * requests: else the two open at different times. */

#include "base/checked.h"
#include "policy/words.h"
#include "rules/policy.h"
#include "rules/relate.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

/* Pairs of rules that are compared: those of some 3000 rules. */
#define PAIRS_MAX 10000000

/* The longest warning, NUL included. */
#define MESSAGE_MAX 512

/* All that has to hold for a rule to apply. */
#define DEMANDS_MAX (WEIR_CONDITIONS_MAX + WEIR_KEY_PARTS_MAX)

struct demands {
    size_t count;
    const struct weir_condition *list[DEMANDS_MAX];
    struct weir_condition present[WEIR_KEY_PARTS_MAX]; /* what the key needs */
};

struct review {
    const struct weir_policy *policy;
    weir_complain_fn *complain;
    void *context;
};

static const struct weir_test present_test = {.kind = WEIR_TEST_PRESENT};

__attribute__((format(printf, 3, 4))) static void warn(const struct review *review,
                                                       const struct weir_origin *origin,
                                                       const char *format, ...)
{
    char message[MESSAGE_MAX];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    review->complain(review->context, origin, true, message);
}

/* Of a rule that a warning is about. */
static struct weir_quote name_of(const struct weir_rule *rule)
{
    return weir_word_quote(rule->spec->name);
}

static const char *elsewhere(const struct weir_origin *here, const struct weir_origin *there)
{
    return here->file == there->file ? "" : " of another file";
}

/* ---- What can never be ---- */

static void demands_of(const struct weir_rule *rule, struct demands *demands)
{
    size_t present = 0;
    demands->count = 0;
    for (uint32_t i = 0; i < rule->conditions.count; i++) {
        demands->list[demands->count++] = &rule->conditions.conditions[i];
    }
    for (size_t i = 0; i < rule->spec->key_count; i++) {
        if (!rule->key[i].optional) {
            demands->present[present] = (struct weir_condition){
                .slot = rule->key[i].slot, .count = 1, .tests = &present_test};
            demands->list[demands->count++] = &demands->present[present++];
        }
    }
}

/* Whether all values that the condition asks for are excluded, each by some other. */
static bool all_values_excluded(const struct weir_condition *condition,
                                const struct weir_condition *const *others, size_t count)
{
    for (uint32_t i = 0; i < condition->count; i++) {
        if (condition->negated || condition->tests[i].kind != WEIR_TEST_EXACT) {
            return false;
        }
        size_t j = 0;
        while (j < count && (others[j]->slot != condition->slot || others[j]->has_regex ||
                             !weir_condition_excludes(others[j], condition->tests[i].text))) {
            j++;
        }
        if (j == count) {
            return false;
        }
    }
    return true;
}

/* A condition that can't hold together with another of the list, or NULL. `ret_other` may be NULL
 * where it is several. */
static const struct weir_condition *contradiction(const struct weir_condition *const *list,
                                                  size_t count,
                                                  const struct weir_condition **ret_other)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < i; j++) {
            if (list[i]->slot == list[j]->slot && weir_conditions_contradict(list[i], list[j])) {
                /* What the key needs has no place of its own: the condition is named. */
                *ret_other = list[i]->spec != NULL ? list[j] : list[i];
                return list[i]->spec != NULL ? list[i] : list[j];
            }
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (list[i]->spec != NULL && all_values_excluded(list[i], list, count)) {
            *ret_other = NULL;
            return list[i];
        }
    }
    return NULL;
}

static bool review_conditions(const struct review *review, const struct weir_rule *rule,
                              const struct demands *demands)
{
    const struct weir_condition *other = NULL;
    const struct weir_condition *bad = contradiction(demands->list, demands->count, &other);
    if (bad == NULL) {
        return false;
    }
    const struct weir_origin *origin = &bad->spec->origin;
    const struct weir_quote attribute = weir_word_quote(bad->spec->attribute);
    if (other == NULL) {
        warn(review, origin,
             "the rule \"%s\" can never match: its other conditions on \"%s\" leave none of these "
             "values",
             name_of(rule).text, attribute.text);
    } else if (other->spec == NULL) {
        warn(review, origin,
             "the rule \"%s\" can never match: its key needs \"%s\", which this condition forbids",
             name_of(rule).text, attribute.text);
    } else {
        warn(review, origin,
             "the rule \"%s\" can never match: no \"%s\" satisfies this and the condition of line "
             "%u%s",
             name_of(rule).text, attribute.text, other->spec->origin.line,
             elsewhere(origin, &other->spec->origin));
    }
    return true;
}

/* ---- Lists, tiers, overrides ---- */

/* Warns of entries whose conditions contradict each other, or the rule's. */
static void review_list(const struct review *review, const struct weir_rule *rule,
                        const struct demands *demands, const struct weir_list *list)
{
    const struct weir_condition *all[DEMANDS_MAX + WEIR_CONDITIONS_MAX];
    for (size_t i = 0; i < demands->count; i++) {
        all[i] = demands->list[i];
    }
    for (uint32_t i = 0; i < list->count; i++) {
        const struct weir_conjunction *entry = &list->items[i];
        const struct weir_condition *other = NULL;
        for (uint32_t j = 0; j < entry->count; j++) {
            all[demands->count + j] = &entry->conditions[j];
        }
        if (contradiction(all, demands->count + entry->count, &other) != NULL) {
            warn(review, &list->spec[i].origin,
                 "this entry never applies: what it asks for can't be where the rule \"%s\" (line "
                 "%u%s) matches",
                 name_of(rule).text, rule->spec->origin.line,
                 elsewhere(&list->spec[i].origin, &rule->spec->origin));
        }
    }
}

/* Whether the rule's conditions can't hold where the attribute has this value. */
static bool is_excluded(const struct demands *demands, uint32_t slot, struct weir_bytes value)
{
    for (size_t i = 0; i < demands->count; i++) {
        if (demands->list[i]->slot == slot && weir_condition_excludes(demands->list[i], value)) {
            return true;
        }
    }
    return false;
}

static void review_tiers(const struct review *review, const struct weir_rule *rule,
                         const struct demands *demands)
{
    const struct weir_policy *policy = review->policy;
    for (size_t i = 0; i < rule->spec->tier_count; i++) {
        const struct weir_tier_spec *tier = &rule->spec->tiers[i];
        struct weir_values values = {.count = 1};
        values.places[rule->tier_slot % WEIR_VALUE_PLACES] = 1;
        values.values[0] = (struct weir_value){.bytes = tier->value, .slot = rule->tier_slot};
        size_t first;
        (void)weir_rule_tier(policy, rule, &values, &first);
        if (first != i) {
            const struct weir_origin *other = &rule->spec->tiers[first].origin;
            warn(review, &tier->origin,
                 "the tier \"%s\" of the rule \"%s\" never applies: line %u%s has one of the same "
                 "value",
                 weir_word_quote(tier->value).text, name_of(rule).text, other->line,
                 elsewhere(&tier->origin, other));
        } else if (is_excluded(demands, rule->tier_slot, tier->value)) {
            warn(review, &tier->origin,
                 "the tier \"%s\" never applies: the rule \"%s\" (line %u%s) does not match where "
                 "\"%s\" has this value",
                 weir_word_quote(tier->value).text, name_of(rule).text, rule->spec->origin.line,
                 elsewhere(&tier->origin, &rule->spec->origin),
                 weir_word_quote(rule->spec->tier_by).text);
        }
    }
}

static void review_overrides(const struct review *review, const struct weir_rule *rule)
{
    for (size_t i = 0; i < rule->spec->override_count; i++) {
        const size_t first = weir_rule_override(review->policy, rule, rule->override_keys[i]);
        if (first != i) {
            const struct weir_origin *here = &rule->spec->overrides[i].origin;
            const struct weir_origin *other = &rule->spec->overrides[first].origin;
            warn(review, here,
                 "this override of the rule \"%s\" never applies: line %u%s has one for the same "
                 "key",
                 name_of(rule).text, other->line, elsewhere(here, other));
        }
    }
}

/* ---- Rules that another hides ---- */

/* Whether every request that `a` applies to is one that `b` applies to. */
static bool applies_within(const struct demands *a, const struct demands *b)
{
    for (size_t i = 0; i < b->count; i++) {
        size_t j = 0;
        while (j < a->count && (a->list[j]->slot != b->list[i]->slot ||
                                !weir_condition_implies(a->list[j], b->list[i]))) {
            j++;
        }
        if (j == a->count) {
            return false;
        }
    }
    return true;
}

static bool same_key(const struct weir_rule *a, const struct weir_rule *b)
{
    if (a->spec->key_count != b->spec->key_count) {
        return false;
    }
    for (size_t i = 0; i < a->spec->key_count; i++) {
        if (a->key[i].slot != b->key[i].slot || a->key[i].ipv4_prefix != b->key[i].ipv4_prefix ||
            a->key[i].ipv6_prefix != b->key[i].ipv6_prefix) {
            return false;
        }
    }
    return true;
}

/* Whether a rule is a limit and nothing besides. */
static bool is_plain(const struct weir_rule *rule)
{
    const struct weir_rule_spec *spec = rule->spec;
    return spec->limit != NULL && !spec->shadow && spec->tier_count == 0 &&
           spec->override_count == 0 && spec->allow_count == 0 && spec->deny_count == 0;
}

static bool same_cost(const struct weir_rule *a, const struct weir_rule *b)
{
    return a->cost_slot == b->cost_slot && a->cost_max == b->cost_max &&
           a->spec->cost == b->spec->cost;
}

static bool is_bucket(const struct weir_limit_spec *spec)
{
    return spec->algorithm == WEIR_TOKEN_BUCKET || spec->algorithm == WEIR_LEAKY_BUCKET;
}

/* Whether `a` at no moment has more left than `b`, where it has `b`'s requests (`same`: exactly
 * these) and perhaps others. */
static bool is_never_laxer(const struct weir_limit *a, const struct weir_limit *b, bool same)
{
    struct weir_limit_spec left;
    struct weir_limit_spec right;
    weir_limit_describe(a, &left);
    weir_limit_describe(b, &right);
    if (left.algorithm != right.algorithm || left.block_us < right.block_us) {
        return false;
    }
    if (is_bucket(&left)) {
        return left.burst <= right.burst && (weir_u128)left.count * (uint64_t)right.period_us <=
                                                (weir_u128)right.count * (uint64_t)left.period_us;
    }
    const bool moves = left.algorithm == WEIR_FIXED_WINDOW || left.algorithm == WEIR_SLIDING_WINDOW;
    return left.count <= right.count && left.period_us == right.period_us &&
           left.calendar == right.calendar &&
           memcmp(left.zone, right.zone, sizeof(left.zone)) == 0 && (same || !moves);
}

/* Whether `other` hides `rule`, whose demands are `demands`. Of two that hide each other the later
 * one is said to be hidden. */
static bool hides(const struct weir_rule *other, const struct weir_rule *rule,
                  const struct demands *demands)
{
    struct demands others;
    if (!same_key(other, rule) || !is_plain(other) || !same_cost(other, rule)) {
        return false;
    }
    demands_of(other, &others);
    if (!applies_within(demands, &others)) {
        return false;
    }
    const bool same = applies_within(&others, demands);
    const struct weir_limit *limit = rule->spec->limit;
    const struct weir_limit *limit_other = other->spec->limit;
    return is_never_laxer(limit_other, limit, same) &&
           (other < rule || !same || !is_never_laxer(limit, limit_other, same));
}

static void review_hidden(const struct review *review, const struct weir_rule *rule,
                          const struct demands *demands, size_t *pairs_left)
{
    const struct weir_policy *policy = review->policy;
    const size_t count = policy->spec->rule_count;
    if (!is_plain(rule)) {
        return;
    }
    for (size_t i = 0; i<count && * pairs_left> 0; i++, (*pairs_left)--) {
        const struct weir_rule *other = &policy->rules[i];
        if (other == rule || !hides(other, rule, demands)) {
            continue;
        }
        warn(review, &rule->spec->origin,
             "the rule \"%s\" is hidden by \"%s\" (line %u%s), which matches whenever it does, has "
             "the same key, and never admits more",
             name_of(rule).text, name_of(other).text, other->spec->origin.line,
             elsewhere(&rule->spec->origin, &other->spec->origin));
        return;
    }
}

/* ---- Policies ---- */

static void review_rule(const struct review *review, const struct weir_rule *rule,
                        size_t *pairs_left)
{
    struct demands demands;
    const struct weir_rule_spec *spec = rule->spec;
    demands_of(rule, &demands);
    if (review_conditions(review, rule, &demands)) {
        return;
    }
    if (spec->limit == NULL && spec->tier_count == 0 && spec->override_count == 0 &&
        spec->deny_count == 0) {
        warn(review, &spec->origin,
             "the rule \"%s\" does nothing: it has no limit, no tiers, and denies nobody",
             name_of(rule).text);
    }
    review_list(review, rule, &demands, &rule->deny);
    review_list(review, rule, &demands, &rule->allow);
    review_tiers(review, rule, &demands);
    review_overrides(review, rule);
    review_hidden(review, rule, &demands, pairs_left);
}

void weir_policy_review(const struct weir_policy *policy, weir_complain_fn *complain, void *context)
{
    assert(policy != NULL && complain != NULL);
    const struct review review = {policy, complain, context};
    size_t pairs_left = PAIRS_MAX;
    for (size_t i = 0; i < policy->spec->rule_count; i++) {
        review_rule(&review, &policy->rules[i], &pairs_left);
    }
}
