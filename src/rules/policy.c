/* policy.c - see policy.h. Making a policy of its specification, and looking at it. */

#include "rules/policy.h"

#include "base/alloc.h"
#include "policy/words.h"
#include "rules/index.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/random.h>

/* The longest message of a complaint, NUL included. */
#define MESSAGE_MAX 512

void weir_preparing_refuse(struct weir_preparing *preparing, const struct weir_origin *origin,
                           const char *format, ...)
{
    char message[MESSAGE_MAX];
    preparing->wrong = true;
    if (preparing->complain == NULL) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    preparing->complain(preparing->context, origin, false, message);
}

void *weir_preparing_get(struct weir_preparing *preparing, size_t count, size_t size)
{
    void *memory = weir_arena_get(&preparing->policy->arena, count, size);
    if (memory == NULL) {
        preparing->no_memory = true;
    }
    return memory;
}

/* ---- Names of rules ---- */

static uint64_t name_hash(const struct weir_policy *policy, struct weir_bytes name)
{
    return weir_hash_from(&policy->start, 1, name);
}

size_t weir_policy_find(const struct weir_policy *policy, struct weir_bytes name)
{
    uint32_t count;
    assert(policy != NULL);
    const uint32_t *rules = weir_map_find(&policy->by_name, name_hash(policy, name), &count);
    for (uint32_t i = 0; i < count; i++) {
        if (weir_same_bytes(policy->spec->rules[rules[i]].name, name)) {
            return rules[i];
        }
    }
    return SIZE_MAX;
}

static void make_names(struct weir_preparing *preparing)
{
    struct weir_policy *policy = preparing->policy;
    const struct weir_policy_spec *spec = policy->spec;
    struct weir_arena temporary = {.allocator = policy->allocator};
    struct weir_pair *pairs = weir_arena_get(&temporary, spec->rule_count, sizeof(*pairs));
    for (size_t i = 0; pairs != NULL && i < spec->rule_count; i++) {
        pairs[i].hash = name_hash(policy, spec->rules[i].name);
        pairs[i].number = (uint32_t)i;
    }
    if (pairs == NULL ||
        !weir_map_make(&policy->by_name, pairs, spec->rule_count, &policy->arena)) {
        preparing->no_memory = true;
    }
    weir_arena_deinit(&temporary);
}

static void check_name(struct weir_preparing *preparing, const struct weir_rule_spec *spec)
{
    if (spec->name.len == 0) {
        weir_preparing_refuse(preparing, &spec->origin, "the rule has no name");
        return;
    }
    if (spec->name.len > WEIR_NAME_MAX) {
        weir_preparing_refuse(preparing, &spec->origin,
                              "the rule's name has %zu bytes; %d is the most", spec->name.len,
                              WEIR_NAME_MAX);
    }
    const size_t first = weir_policy_find(preparing->policy, spec->name);
    const struct weir_rule_spec *other = &preparing->policy->spec->rules[first];
    if (other != spec) {
        weir_preparing_refuse(
            preparing, &spec->origin,
            "there is a rule \"%s\" already, in line %u%s: give this one a name of its own",
            weir_word_quote(spec->name).text, other->origin.line,
            other->origin.file == spec->origin.file ? "" : " of another file");
    }
}

/* ---- Policies ---- */

static bool make_secret(struct weir_policy *policy)
{
    struct weir_secret secret;
    if (getrandom(&secret, sizeof(secret), 0) != (ssize_t)sizeof(secret)) {
        return false;
    }
    policy->start = weir_sip_start(&secret);
    return true;
}

static void make_index(struct weir_preparing *preparing)
{
    struct weir_policy *policy = preparing->policy;
    const size_t count = policy->spec->rule_count;
    struct weir_arena temporary = {.allocator = policy->allocator};
    struct weir_conjunction *items = weir_arena_get(&temporary, count, sizeof(*items));
    if (items != NULL) {
        for (size_t i = 0; i < count; i++) {
            items[i] = policy->rules[i].conditions;
        }
        policy->index = weir_index_new(items, count, &policy->start, &policy->arena);
    }
    if (policy->index == NULL) {
        preparing->no_memory = true;
    }
    weir_arena_deinit(&temporary);
}

static enum weir_status prepare(struct weir_preparing *preparing)
{
    static const struct weir_origin nowhere = {0, 0, 0};
    struct weir_policy *policy = preparing->policy;
    const struct weir_policy_spec *spec = policy->spec;
    if (spec->rule_count > WEIR_RULES_MAX) {
        weir_preparing_refuse(preparing, &nowhere, "there are %zu rules; %d is the most",
                              spec->rule_count, WEIR_RULES_MAX);
        return WEIR_ERR_ARGUMENT;
    }
    policy->rules = weir_preparing_get(preparing, spec->rule_count, sizeof(*policy->rules));
    make_names(preparing);
    for (size_t i = 0; i < spec->rule_count && !preparing->no_memory; i++) {
        check_name(preparing, &spec->rules[i]);
        weir_prepare_rule(preparing, &spec->rules[i], &policy->rules[i]);
    }
    if (!preparing->no_memory && !preparing->wrong) {
        make_index(preparing);
    }
    if (preparing->no_memory) {
        return WEIR_ERR_NO_MEMORY;
    }
    return preparing->wrong ? WEIR_ERR_ARGUMENT : WEIR_OK;
}

enum weir_status weir_policy_new(const struct weir_policy_spec *spec,
                                 const struct weir_allocator *allocator, weir_complain_fn *complain,
                                 void *context, struct weir_policy **ret_policy)
{
    assert(spec != NULL && (spec->rules != NULL || spec->rule_count == 0));
    assert(ret_policy != NULL);
    allocator = weir_allocator_or_default(allocator);
    struct weir_policy *policy = weir_alloc(allocator, sizeof(*policy), _Alignof(max_align_t));
    if (policy == NULL) {
        return WEIR_ERR_NO_MEMORY;
    }
    policy->spec = spec;
    policy->allocator = allocator;
    policy->arena.allocator = allocator;
    policy->names.arena = &policy->arena;
    struct weir_preparing preparing = {.policy = policy, .complain = complain, .context = context};
    enum weir_status status = WEIR_ERR_SYSTEM;
    if (make_secret(policy)) {
        policy->names.start = policy->start;
        status = prepare(&preparing);
    }
    if (status != WEIR_OK) {
        weir_policy_free(policy);
        return status;
    }
    *ret_policy = policy;
    return WEIR_OK;
}

void weir_policy_free(struct weir_policy *policy)
{
    if (policy == NULL) {
        return;
    }
    for (struct weir_regex_link *link = policy->regexes; link != NULL; link = link->next) {
        weir_regex_free(link->regex);
    }
    weir_arena_deinit(&policy->arena);
    weir_release(policy->allocator, policy, sizeof(*policy));
}

size_t weir_policy_count(const struct weir_policy *policy)
{
    assert(policy != NULL);
    return policy->spec->rule_count;
}

const struct weir_rule_spec *weir_policy_rule(const struct weir_policy *policy, size_t index)
{
    assert(policy != NULL && index < policy->spec->rule_count);
    return &policy->spec->rules[index];
}
