/* plan.c - making the plan of a request; see rules.h.
 *
 * First the rules that match are gathered, as the index comes upon them, and put in the order of
 * the file. Then each is looked at by itself: its lists, its limit, its key, its cost; those that
 * are enforced first, so that their requests come first.
 *
 * Invariant: the keys' memory may move while a plan is made, so keys are pointed at when all of
 * them are there. They lie one after another, in the order of the requests. */

#include "base/alloc.h"
#include "policy/words.h"
#include "rules/index.h"
#include "rules/policy.h"

#include <assert.h>

/* The keys' memory at first. */
#define KEYS_ROOM_MIN ((size_t)2 * WEIR_KEY_MAX)

void weir_plan_init(struct weir_plan *plan, const struct weir_allocator *allocator)
{
    assert(plan != NULL);
    plan->part_count = 0;
    plan->request_count = 0;
    plan->enforced = 0;
    plan->keys = NULL;
    plan->keys_len = 0;
    plan->keys_room = 0;
    plan->matcher = NULL;
    plan->allocator = weir_allocator_or_default(allocator);
}

void weir_plan_deinit(struct weir_plan *plan)
{
    assert(plan != NULL);
    weir_release(plan->allocator, plan->keys, plan->keys_room);
    weir_matcher_free(plan->matcher);
    weir_plan_init(plan, plan->allocator);
}

/* ---- Which rules match ---- */

struct match {
    uint32_t rule;
    bool regex_gave_up;
};

struct matches {
    const struct weir_policy *policy;
    struct weir_values *values;
    size_t count;
    struct match list[WEIR_MATCHES_MAX];
    uint32_t past; /* a rule that matched past the most; UINT32_MAX: none did */
};

static bool is_in(const struct matches *matches, uint32_t rule)
{
    for (size_t i = 0; i < matches->count; i++) {
        if (matches->list[i].rule == rule) {
            return true;
        }
    }
    return false;
}

static bool try_rule(void *context, uint32_t number)
{
    struct matches *matches = context;
    const enum weir_truth applies =
        weir_rule_applies(&matches->policy->rules[number], matches->values);
    /* An index comes upon a rule again by another of its alternatives. */
    if (applies == WEIR_NO || is_in(matches, number)) {
        return true;
    }
    if (matches->count == WEIR_MATCHES_MAX) {
        matches->past = number;
        return false;
    }
    matches->list[matches->count++] =
        (struct match){.rule = number, .regex_gave_up = applies == WEIR_UNKNOWN};
    return true;
}

static void sort_matches(struct matches *matches)
{
    for (size_t i = 1; i < matches->count; i++) {
        const struct match match = matches->list[i];
        size_t at = i;
        while (at > 0 && matches->list[at - 1].rule > match.rule) {
            matches->list[at] = matches->list[at - 1];
            at--;
        }
        matches->list[at] = match;
    }
}

static enum weir_status find_matches(struct matches *matches, size_t only,
                                     struct weir_error *ret_error)
{
    const struct weir_policy *policy = matches->policy;
    matches->count = 0;
    matches->past = UINT32_MAX;
    if (only == SIZE_MAX) {
        (void)weir_index_look(policy->index, matches->values, try_rule, matches);
    } else if (only < policy->spec->rule_count) {
        (void)try_rule(matches, (uint32_t)only);
    } else {
        weir_error_set(ret_error, 0, 0, "there is no rule %zu", only);
        return WEIR_ERR_ARGUMENT;
    }
    if (matches->past != UINT32_MAX) {
        weir_error_set(ret_error, 0, 0, "more than %d rules match, \"%s\" among them",
                       WEIR_MATCHES_MAX,
                       weir_word_quote(policy->spec->rules[matches->past].name).text);
        return WEIR_ERR_ARGUMENT;
    }
    sort_matches(matches);
    return WEIR_OK;
}

/* ---- What each comes to ---- */

struct planning {
    const struct weir_policy *policy;
    const struct weir_inquiry_spec *inquiry;
    struct weir_values *values;
    struct weir_plan *plan;
    struct weir_error *error;
};

/* Room for one more key, however long. */
static bool make_room(struct weir_plan *plan)
{
    if (plan->keys_room - plan->keys_len >= WEIR_KEY_MAX) {
        return true;
    }
    size_t room = plan->keys_room * 2 > KEYS_ROOM_MIN ? plan->keys_room * 2 : KEYS_ROOM_MIN;
    room = room < (size_t)WEIR_MATCHES_MAX * WEIR_KEY_MAX ? room
                                                          : (size_t)WEIR_MATCHES_MAX * WEIR_KEY_MAX;
    char *keys = weir_alloc(plan->allocator, room, 1);
    if (keys == NULL) {
        return false;
    }
    if (plan->keys_len > 0) {
        memcpy(keys, plan->keys, plan->keys_len);
    }
    weir_release(plan->allocator, plan->keys, plan->keys_room);
    plan->keys = keys;
    plan->keys_room = room;
    return true;
}

static enum weir_status refuse_key(const struct planning *planning, const struct weir_rule *rule,
                                   struct weir_value *const *values)
{
    size_t longest = 0;
    for (size_t i = 1; i < rule->spec->key_count; i++) {
        if (values[i] != NULL &&
            (values[longest] == NULL || values[i]->bytes.len > values[longest]->bytes.len)) {
            longest = i;
        }
    }
    weir_error_set(planning->error, 0, 0,
                   "the key of the rule \"%s\" is longer than %d bytes; its longest part is \"%s\"",
                   weir_word_quote(rule->spec->name).text, WEIR_KEY_MAX,
                   weir_word_quote(rule->spec->key[longest].attribute).text);
    return WEIR_ERR_KEY_LENGTH;
}

/* Writes the rule's key behind those that are there. */
static enum weir_status write_key(const struct planning *planning, const struct weir_rule *rule,
                                  struct weir_bytes *ret_key)
{
    struct weir_plan *plan = planning->plan;
    struct weir_value *values[WEIR_KEY_PARTS_MAX];
    if (!make_room(plan)) {
        weir_error_set(planning->error, 0, 0, "out of memory");
        return WEIR_ERR_NO_MEMORY;
    }
    for (size_t i = 0; i < rule->spec->key_count; i++) {
        values[i] = weir_values_get(planning->values, rule->key[i].slot);
    }
    const enum weir_status status =
        weir_rule_key(rule, values, plan->keys + plan->keys_len, ret_key);
    return status == WEIR_OK ? WEIR_OK : refuse_key(planning, rule, values);
}

static enum weir_status refuse_cost(const struct planning *planning, const struct weir_rule *rule)
{
    const struct weir_value *value = weir_values_get(planning->values, rule->cost_slot);
    weir_error_set(
        planning->error, 0, 0,
        "the rule \"%s\" takes its cost from \"%s\", which is \"%s\" and no whole number",
        weir_word_quote(rule->spec->name).text, weir_word_quote(rule->spec->cost_from).text,
        weir_word_quote(value->bytes).text);
    return WEIR_ERR_ARGUMENT;
}

/* Adds the request of a rule's limit; *ret_limited is false where it has none for this one. */
static enum weir_status add_request(const struct planning *planning, const struct weir_rule *rule,
                                    bool *ret_limited)
{
    struct weir_plan *plan = planning->plan;
    struct weir_request *request = &plan->requests[plan->request_count];
    size_t tier;
    const struct weir_limit *limit =
        weir_rule_tier(planning->policy, rule, planning->values, &tier);
    *ret_limited = false;
    if (limit == NULL && rule->spec->override_count == 0) {
        return WEIR_OK;
    }
    struct weir_bytes key = weir_bytes(NULL, 0);
    enum weir_status status = write_key(planning, rule, &key);
    if (status != WEIR_OK) {
        return status;
    }
    const size_t override = weir_rule_override(planning->policy, rule, key);
    limit = override != SIZE_MAX ? rule->spec->overrides[override].limit : limit;
    if (limit == NULL) {
        return WEIR_OK;
    }
    uint64_t cost = 0;
    if (weir_rule_cost(rule, planning->values, planning->inquiry->cost, &cost) != WEIR_OK) {
        return refuse_cost(planning, rule);
    }
    *request = (struct weir_request){.limit = limit, .key = key, .cost = cost};
    plan->keys_len += key.len;
    plan->request_count++;
    *ret_limited = true;
    return WEIR_OK;
}

/* Looks at the lists: deny before allow. */
static void look_at_lists(const struct planning *planning, const struct weir_rule *rule,
                          struct weir_part *part)
{
    const int64_t now_us = planning->inquiry->now_us;
    int64_t until_us = 0;
    enum weir_truth listed = weir_list_holds(&rule->deny, planning->values, now_us, &until_us);
    part->regex_gave_up = part->regex_gave_up || listed == WEIR_UNKNOWN;
    if (listed != WEIR_NO) {
        part->listing = WEIR_LISTED_DENY;
        part->until_us = until_us;
        return;
    }
    listed = weir_list_holds(&rule->allow, planning->values, now_us, &until_us);
    part->regex_gave_up = part->regex_gave_up || listed == WEIR_UNKNOWN;
    if (listed == WEIR_YES) {
        part->listing = WEIR_LISTED_ALLOW;
        part->until_us = until_us;
    }
}

static enum weir_status add_part(const struct planning *planning, struct match match)
{
    struct weir_plan *plan = planning->plan;
    const struct weir_rule *rule = &planning->policy->rules[match.rule];
    struct weir_part part = {.rule = match.rule,
                             .listing = WEIR_LISTED_NOT,
                             .shadow = rule->spec->shadow,
                             .regex_gave_up = match.regex_gave_up,
                             .request = (uint32_t)plan->request_count};
    look_at_lists(planning, rule, &part);
    bool limited = true;
    if (part.listing == WEIR_LISTED_NOT) {
        const enum weir_status status = add_request(planning, rule, &limited);
        if (status != WEIR_OK) {
            return status;
        }
    }
    if (limited) {
        plan->parts[plan->part_count++] = part;
    }
    return WEIR_OK;
}

static void sort_parts(struct weir_plan *plan)
{
    for (size_t i = plan->enforced; i < plan->part_count; i++) {
        const struct weir_part part = plan->parts[i];
        size_t at = i;
        while (at > 0 && plan->parts[at - 1].rule > part.rule) {
            plan->parts[at] = plan->parts[at - 1];
            at--;
        }
        plan->parts[at] = part;
    }
}

static enum weir_status make(const struct planning *planning, const struct matches *matches)
{
    struct weir_plan *plan = planning->plan;
    for (unsigned shadow = 0; shadow < 2; shadow++) {
        for (size_t i = 0; i < matches->count; i++) {
            const uint32_t rule = matches->list[i].rule;
            if (planning->policy->rules[rule].spec->shadow != (shadow == 1)) {
                continue;
            }
            const enum weir_status status = add_part(planning, matches->list[i]);
            if (status != WEIR_OK) {
                return status;
            }
        }
        plan->enforced = shadow == 0 ? plan->request_count : plan->enforced;
    }
    sort_parts(plan);
    const char *key = plan->keys;
    for (size_t i = 0; i < plan->request_count; i++) {
        plan->requests[i].key.ptr = key;
        key = plan->requests[i].key.len > 0 ? key + plan->requests[i].key.len : key;
    }
    return WEIR_OK;
}

/* ---- Plans ---- */

static enum weir_status bind(const struct planning *planning)
{
    struct weir_plan *plan = planning->plan;
    const struct weir_inquiry_spec *inquiry = planning->inquiry;
    if (inquiry->cost > WEIR_COST_MAX) {
        weir_error_set(planning->error, 0, 0, "the cost of a request is at most %u", WEIR_COST_MAX);
        return WEIR_ERR_ARGUMENT;
    }
    const enum weir_status status =
        weir_values_bind(planning->values, &planning->policy->names, inquiry, planning->error);
    if (status != WEIR_OK) {
        return status;
    }
    if (planning->policy->regexes != NULL && plan->matcher == NULL) {
        plan->matcher = weir_matcher_new(plan->allocator);
        if (plan->matcher == NULL) {
            weir_error_set(planning->error, 0, 0, "out of memory");
            return WEIR_ERR_NO_MEMORY;
        }
    }
    planning->values->matcher = plan->matcher;
    return WEIR_OK;
}

enum weir_status weir_policy_plan(const struct weir_policy *policy,
                                  const struct weir_inquiry_spec *inquiry, struct weir_plan *plan,
                                  struct weir_error *ret_error)
{
    assert(policy != NULL && inquiry != NULL && plan != NULL);
    __attribute__((uninitialized)) struct weir_values values;
    __attribute__((uninitialized)) struct matches matches;
    const struct planning planning = {policy, inquiry, &values, plan, ret_error};
    plan->part_count = 0;
    plan->request_count = 0;
    plan->enforced = 0;
    plan->keys_len = 0;
    enum weir_status status = bind(&planning);
    if (status != WEIR_OK) {
        return status;
    }
    matches.policy = policy;
    matches.values = &values;
    status = find_matches(&matches, inquiry->only, ret_error);
    return status == WEIR_OK ? make(&planning, &matches) : status;
}
