/* http_rules.c - the rules of the policy of now, as JSON. See http_door.h.
 *
 * By pages, as there may be a hundred thousand rules. Of lists, tiers and overrides it tells how
 * many there are: their values may be personal. */

#include "door/http_door.h"
#include "door/http_query.h"

#define JSON_TYPE "application/json"

/* Rules in one answer. */
#define PAGE_DEFAULT 100
#define PAGE_MAX 1000

static void put_text_of(struct weir_json_writer *json, const struct weir_limit *limit)
{
    char text[WEIR_TEXT_MAX];
    size_t len;
    if (limit == NULL || weir_limit_format(limit, text, sizeof(text), &len) != WEIR_OK) {
        weir_json_put_null(json);
        return;
    }
    weir_json_put_string(json, weir_bytes(text, len));
}

static const char *test_name(enum weir_test_kind kind)
{
    switch (kind) {
    case WEIR_TEST_EXACT:
        return "exact";
    case WEIR_TEST_PREFIX:
        return "prefix";
    case WEIR_TEST_GLOB:
        return "glob";
    case WEIR_TEST_CIDR:
        return "cidr";
    case WEIR_TEST_REGEX:
        return "regex";
    case WEIR_TEST_PRESENT:
        return "present";
    case WEIR_TEST_ABSENT:
        return "absent";
    }
    return "unknown";
}

static void put_test(struct weir_json_writer *json, const struct weir_test_spec *test)
{
    weir_json_put_object(json);
    weir_json_put_name(json, test_name(test->kind));
    if (test->kind == WEIR_TEST_PRESENT || test->kind == WEIR_TEST_ABSENT) {
        weir_json_put_boolean(json, true);
    } else {
        weir_json_put_string(json, test->text);
    }
    weir_json_put_object_end(json);
}

static void put_conditions(struct weir_json_writer *json, const struct weir_rule_spec *rule)
{
    weir_json_put_name(json, "match");
    weir_json_put_array(json);
    for (size_t i = 0; i < rule->condition_count; i++) {
        const struct weir_condition_spec *condition = &rule->conditions[i];
        weir_json_put_object(json);
        weir_json_put_name(json, "attribute");
        weir_json_put_string(json, condition->attribute);
        weir_json_put_name(json, condition->negated ? "none_of" : "any_of");
        weir_json_put_array(json);
        for (size_t j = 0; j < condition->count; j++) {
            put_test(json, &condition->tests[j]);
        }
        weir_json_put_array_end(json);
        weir_json_put_object_end(json);
    }
    weir_json_put_array_end(json);
}

static void put_key(struct weir_json_writer *json, const struct weir_rule_spec *rule)
{
    weir_json_put_name(json, "key");
    weir_json_put_array(json);
    for (size_t i = 0; i < rule->key_count; i++) {
        weir_json_put_string(json, rule->key[i].attribute);
    }
    weir_json_put_array_end(json);
}

static void put_number(struct weir_json_writer *json, const char *name, uint64_t number)
{
    weir_json_put_name(json, name);
    weir_json_put_whole(json, number);
}

static void put_rule(struct weir_json_writer *json, const struct weir_rule_spec *rule)
{
    weir_json_put_object(json);
    weir_json_put_name(json, "name");
    weir_json_put_string(json, rule->name);
    weir_json_put_name(json, "limit");
    put_text_of(json, rule->limit);
    put_key(json, rule);
    put_conditions(json, rule);
    weir_json_put_name(json, "shadow");
    weir_json_put_boolean(json, rule->shadow);
    put_number(json, "tiers", rule->tier_count);
    put_number(json, "overrides", rule->override_count);
    put_number(json, "allowed", rule->allow_count);
    put_number(json, "denied", rule->deny_count);
    weir_json_put_object_end(json);
}

static void say_page(const struct weir_http_visit *visit, size_t first, size_t room, bool goes_on)
{
    struct weir_desk *desk = visit->desk;
    const struct weir_policy *policy = desk->view->config->policy;
    const size_t total = weir_policy_count(policy);
    const size_t from = first < total ? first : total;
    const size_t count = room < total - from ? room : total - from;
    struct weir_json_writer json;
    weir_buffer_clear(&desk->scratch);
    weir_buffer_clear(&desk->scratch_more);
    weir_json_write(&json, &desk->scratch_more);
    weir_json_put_object(&json);
    put_number(&json, "version", desk->view->version);
    put_number(&json, "total", total);
    weir_json_put_name(&json, "rules");
    weir_json_put_array(&json);
    for (size_t i = from; i < from + count; i++) {
        put_rule(&json, weir_policy_rule(policy, i));
    }
    weir_json_put_array_end(&json);
    weir_json_put_name(&json, "next");
    if (goes_on && from + count < total) {
        weir_json_put_whole(&json, from + count);
    } else {
        weir_json_put_null(&json);
    }
    weir_json_put_object_end(&json);
    weir_buffer_put_text(&desk->scratch_more, "\n");
    weir_http_say(visit, 200, JSON_TYPE);
}

void weir_http_tell_rules(const struct weir_http_visit *visit)
{
    struct weir_http_parameter parameters[] = {
        {.name = "rule"},
        {.name = "from", .is_number = true, .most = WEIR_RULES_MAX},
        {.name = "count", .number = PAGE_DEFAULT, .is_number = true, .least = 1, .most = PAGE_MAX},
    };
    if (!weir_http_read_query(visit, parameters, 3)) {
        return;
    }
    size_t from = (size_t)parameters[1].number;
    size_t count = (size_t)parameters[2].number;
    if (parameters[0].given) {
        from = weir_policy_find(visit->desk->view->config->policy, parameters[0].text);
        count = 1;
        if (from == SIZE_MAX) {
            weir_http_say_no_rule(visit, parameters[0].text);
            return;
        }
    }
    say_page(visit, from, count, !parameters[0].given);
}
