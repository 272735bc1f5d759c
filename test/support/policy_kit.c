/* policy_kit.c - see policy_kit.h. */

#include "support/policy_kit.h"

#include "base/buffer.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Blocks that the kit has allocated. */
struct block {
    struct block *next;
};

struct policy_kit {
    struct block *blocks;
    struct weir_limit **limits;
    size_t limit_count;
    struct weir_rule_spec *rules;
    struct weir_policy_spec spec;
    uint32_t line;
    struct weir_buffer notes;
};

static void *must(void *memory)
{
    if (memory == NULL) {
        abort();
    }
    return memory;
}

static void *get(struct policy_kit *kit, size_t count, size_t size)
{
    struct block *block = must(calloc(1, sizeof(max_align_t) + (count + 1) * size));
    block->next = kit->blocks;
    kit->blocks = block;
    return (char *)block + sizeof(max_align_t);
}

/* One more at the end of a list of the kit's. */
static void *grown(const void *list, size_t count, size_t size)
{
    void *more = must(realloc((void *)(uintptr_t)list, (count + 1) * size));
    memset((char *)more + count * size, 0, size);
    return more;
}

struct policy_kit *policy_kit_new(void)
{
    return must(calloc(1, sizeof(struct policy_kit)));
}

static void free_list(const void *list)
{
    free((void *)(uintptr_t)list);
}

void policy_kit_free(struct policy_kit *kit)
{
    for (size_t i = 0; i < kit->spec.rule_count; i++) {
        free_list(kit->rules[i].allow);
        free_list(kit->rules[i].deny);
        free_list(kit->rules[i].tiers);
        free_list(kit->rules[i].overrides);
    }
    for (size_t i = 0; i < kit->limit_count; i++) {
        weir_limit_free(kit->limits[i]);
    }
    while (kit->blocks != NULL) {
        struct block *block = kit->blocks;
        kit->blocks = block->next;
        free(block);
    }
    free(kit->limits);
    free(kit->rules);
    weir_buffer_deinit(&kit->notes);
    free(kit);
}

/* ---- Reading the texts ---- */

static struct weir_bytes copy(struct policy_kit *kit, const char *text, size_t len)
{
    char *bytes = get(kit, len, 1);
    memcpy(bytes, text, len);
    return weir_bytes(bytes, len);
}

static size_t count_of(const char *text, char c)
{
    size_t count = 0;
    for (; *text != '\0'; text++) {
        count += *text == c ? 1 : 0;
    }
    return count;
}

static struct weir_limit *limit_of(struct policy_kit *kit, const char *text)
{
    if (text == NULL) {
        return NULL;
    }
    kit->limits = grown(kit->limits, kit->limit_count, sizeof(struct weir_limit *));
    struct weir_limit **limit = &kit->limits[kit->limit_count++];
    if (weir_limit_parse(weir_text(text), NULL, limit, NULL) != WEIR_OK) {
        abort();
    }
    return *limit;
}

static enum weir_test_kind kind_of(const char *text, size_t len)
{
    static const char *const kinds[] = {"exact", "prefix",  "glob",  "cidr",
                                        "regex", "present", "absent"};
    for (unsigned i = 0; i < 7; i++) {
        if (strlen(kinds[i]) == len && memcmp(kinds[i], text, len) == 0) {
            return (enum weir_test_kind)i;
        }
    }
    abort();
}

/* "path!=prefix:/a|exact:/b", without what parts it from the next. */
static void read_condition(struct policy_kit *kit, const char *text, size_t len,
                           struct weir_condition_spec *condition)
{
    const char *end = text + len;
    const char *equals = must(memchr(text, '=', len));
    condition->negated = equals > text && equals[-1] == '!';
    condition->attribute = copy(kit, text, (size_t)(equals - text) - (condition->negated ? 1 : 0));
    char *whole = get(kit, len, 1);
    memcpy(whole, text, len);
    struct weir_test_spec *tests = get(kit, count_of(whole, '|') + 1, sizeof(*tests));
    condition->tests = tests;
    for (const char *at = equals + 1; at < end;) {
        const char *bar = memchr(at, '|', (size_t)(end - at));
        const char *stop = bar != NULL ? bar : end;
        const char *colon = must(memchr(at, ':', (size_t)(stop - at)));
        struct weir_test_spec *test = &tests[condition->count++];
        test->kind = kind_of(at, (size_t)(colon - at));
        test->text = copy(kit, colon + 1, (size_t)(stop - colon) - 1);
        test->origin = (struct weir_origin){0, kit->line, (uint32_t)condition->count};
        at = stop + 1;
    }
    condition->origin = (struct weir_origin){0, kit->line, 1};
}

static struct weir_condition_spec *conditions_of(struct policy_kit *kit, const char *text,
                                                 size_t *ret_count)
{
    struct weir_condition_spec *conditions = get(kit, count_of(text, ';') + 1, sizeof(*conditions));
    *ret_count = 0;
    while (*text != '\0') {
        const size_t len = strcspn(text, ";");
        read_condition(kit, text, len, &conditions[(*ret_count)++]);
        text += text[len] == ';' ? len + 1 : len;
    }
    return conditions;
}

/* "ip/24/64,user?" */
static struct weir_key_part_spec *key_of(struct policy_kit *kit, const char *text,
                                         size_t *ret_count)
{
    struct weir_key_part_spec *parts = get(kit, count_of(text, ',') + 1, sizeof(*parts));
    *ret_count = 0;
    while (*text != '\0') {
        struct weir_key_part_spec *part = &parts[(*ret_count)++];
        const size_t len = strcspn(text, "/?,");
        part->attribute = copy(kit, text, len);
        part->origin = (struct weir_origin){0, kit->line, (uint32_t)*ret_count};
        text += len;
        if (*text == '/') {
            char *end;
            part->ipv4_prefix = (uint8_t)strtoul(text + 1, &end, 10);
            part->ipv6_prefix = (uint8_t)strtoul(end + 1, &end, 10);
            text = end;
        }
        part->optional = *text == '?';
        text += part->optional ? 1 : 0;
        text += *text == ',' ? 1 : 0;
    }
    return parts;
}

size_t policy_kit_attributes(const char *text, struct weir_attribute *attributes)
{
    size_t count = 0;
    while (*text != '\0') {
        const size_t len = strcspn(text, ";");
        const char *equals = must(memchr(text, '=', len));
        attributes[count].name = weir_bytes(text, (size_t)(equals - text));
        attributes[count].value = weir_bytes(equals + 1, len - (size_t)(equals - text) - 1);
        count++;
        text += text[len] == ';' ? len + 1 : len;
    }
    return count;
}

/* ---- Adding ---- */

struct weir_rule_spec *policy_kit_rule(struct policy_kit *kit, const char *name, const char *limit,
                                       const char *conditions, const char *key)
{
    kit->rules = grown(kit->rules, kit->spec.rule_count, sizeof(*kit->rules));
    struct weir_rule_spec *rule = &kit->rules[kit->spec.rule_count++];
    kit->line++;
    rule->name = copy(kit, name, strlen(name));
    rule->limit = limit_of(kit, limit);
    rule->conditions = conditions_of(kit, conditions, &rule->condition_count);
    rule->key = key_of(kit, key, &rule->key_count);
    rule->origin = (struct weir_origin){0, kit->line, 1};
    return rule;
}

static struct weir_rule_spec *last_rule(struct policy_kit *kit)
{
    kit->line++;
    return &kit->rules[kit->spec.rule_count - 1];
}

static const struct weir_listed_spec *listed(struct policy_kit *kit,
                                             const struct weir_listed_spec *list, size_t count,
                                             const char *conditions, int64_t until_us)
{
    struct weir_listed_spec *entries = grown(list, count, sizeof(*entries));
    entries[count].conditions = conditions_of(kit, conditions, &entries[count].count);
    entries[count].until_us = until_us;
    entries[count].origin = (struct weir_origin){0, kit->line, 1};
    return entries;
}

void policy_kit_deny(struct policy_kit *kit, const char *conditions, int64_t until_us)
{
    struct weir_rule_spec *rule = last_rule(kit);
    rule->deny = listed(kit, rule->deny, rule->deny_count, conditions, until_us);
    rule->deny_count++;
}

void policy_kit_allow(struct policy_kit *kit, const char *conditions, int64_t until_us)
{
    struct weir_rule_spec *rule = last_rule(kit);
    rule->allow = listed(kit, rule->allow, rule->allow_count, conditions, until_us);
    rule->allow_count++;
}

void policy_kit_tier(struct policy_kit *kit, const char *value, const char *limit)
{
    struct weir_rule_spec *rule = last_rule(kit);
    struct weir_tier_spec *tiers = grown(rule->tiers, rule->tier_count, sizeof(*tiers));
    tiers[rule->tier_count++] = (struct weir_tier_spec){.value = copy(kit, value, strlen(value)),
                                                        .limit = limit_of(kit, limit),
                                                        .origin = {0, kit->line, 1}};
    rule->tiers = tiers;
}

void policy_kit_override(struct policy_kit *kit, const char *values, const char *limit)
{
    struct weir_rule_spec *rule = last_rule(kit);
    struct weir_override_spec *overrides =
        grown(rule->overrides, rule->override_count, sizeof(*overrides));
    struct weir_bytes *list = get(kit, count_of(values, ',') + 1, sizeof(*list));
    size_t count = 0;
    for (const char *at = values;; count++) {
        const size_t len = strcspn(at, ",");
        list[count] = copy(kit, at, len);
        if (at[len] == '\0') {
            break;
        }
        at += len + 1;
    }
    overrides[rule->override_count++] = (struct weir_override_spec){
        .values = list, .limit = limit_of(kit, limit), .origin = {0, kit->line, 1}};
    rule->overrides = overrides;
}

/* ---- Making ---- */

const struct weir_policy_spec *policy_kit_spec(struct policy_kit *kit)
{
    kit->spec.rules = kit->rules;
    return &kit->spec;
}

void policy_kit_note(void *context, const struct weir_origin *origin, bool warning,
                     const char *message)
{
    struct policy_kit *kit = context;
    weir_buffer_print(&kit->notes, "%s %u:%u %s\n", warning ? "warning" : "error", origin->line,
                      origin->column, message);
}

static const char *notes(struct policy_kit *kit)
{
    weir_buffer_put(&kit->notes, weir_bytes("", 1));
    if (kit->notes.failed) {
        abort();
    }
    return kit->notes.bytes;
}

struct weir_policy *policy_kit_make(struct policy_kit *kit)
{
    struct weir_policy *policy = NULL;
    weir_buffer_clear(&kit->notes);
    if (weir_policy_new(policy_kit_spec(kit), NULL, policy_kit_note, kit, &policy) != WEIR_OK) {
        (void)fprintf(stderr, "%s", notes(kit));
        abort();
    }
    assert(kit->notes.len == 0);
    return policy;
}

const char *policy_kit_complaints(struct policy_kit *kit)
{
    struct weir_policy *policy = NULL;
    weir_buffer_clear(&kit->notes);
    if (weir_policy_new(policy_kit_spec(kit), NULL, policy_kit_note, kit, &policy) == WEIR_OK) {
        weir_policy_free(policy);
        return "";
    }
    return notes(kit);
}

const char *policy_kit_review(struct policy_kit *kit, const struct weir_policy *policy)
{
    weir_buffer_clear(&kit->notes);
    weir_policy_review(policy, policy_kit_note, kit);
    return notes(kit);
}
