/* json_test.c - messages of the rate limit service in proto3's JSON: every form a field may have,
 * what is refused and where, and responses as text. */

#include "rls/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define ALL(requests_per_unit, hits_addend, negative)                                              \
    "{\"domain\": \"w\\u0065b\", \"descriptors\": [{\"entries\": [{\"key\": \"k\", \"value\": "    \
    "\"v\"}, {\"key\": \"e\"}], \"limit\": {\"" requests_per_unit                                  \
    "\": \"5\", \"unit\": \"MINUTE\"}, \"" hits_addend "\": \"18446744073709551615\", \"" negative \
    "\": true}, {}], \"" hits_addend "\": 2}"

static void either_name_is_read(void **state)
{
    (void)state;
    static const char *const texts[] = {
        ALL("requestsPerUnit", "hitsAddend", "isNegativeHits"),
        ALL("requests_per_unit", "hits_addend", "is_negative_hits")};
    for (size_t i = 0; i < 2; i++) {
        struct weir_arena arena = {0};
        struct weir_rls_request request;
        struct weir_error error = {.message = ""};
        if (weir_rls_json_decode(weir_text(texts[i]), &arena, &request, &error) != WEIR_OK) {
            fail_msg("%s", error.message);
        }
        assert_int_equal(request.domain.len, 3);
        assert_memory_equal(request.domain.ptr, "web", 3);
        assert_int_equal(request.hits, 2);
        assert_int_equal(request.descriptor_count, 2);
        const struct weir_rls_descriptor *first = &request.descriptors[0];
        assert_int_equal(first->entry_count, 2);
        assert_memory_equal(first->entries[0].value.ptr, "v", 1);
        assert_int_equal(first->entries[1].value.len, 0);
        assert_true(first->has_limit && first->has_hits && first->negative);
        assert_int_equal(first->limit_requests, 5);
        assert_int_equal(first->limit_unit, WEIR_RLS_MINUTE);
        assert_true(first->hits == UINT64_MAX);
        weir_arena_deinit(&arena);
    }
}

static void null_is_not_there(void **state)
{
    (void)state;
    struct weir_arena arena = {0};
    struct weir_rls_request request;
    assert_int_equal(
        weir_rls_json_decode(weir_text("{\"domain\": null, \"hitsAddend\": null, \"descriptors\": "
                                       "[{\"entries\": null, \"limit\": null, \"hitsAddend\": "
                                       "null, \"isNegativeHits\": null}]}"),
                             &arena, &request, NULL),
        WEIR_OK);
    assert_int_equal(request.domain.len, 0);
    assert_int_equal(request.descriptor_count, 1);
    assert_false(request.descriptors[0].has_limit || request.descriptors[0].has_hits);
    weir_arena_deinit(&arena);
}

static void what_is_wrong_is_refused_where_it_stands(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *message;
    } cases[] = {
        {"", "line 1, column 1: "},
        {"[]", "line 1, column 1: expected an object"},
        {"{\"domain\": 5}", "column 12: expected a string"},
        {"{\"domain\": \"a\", \"domain\": \"b\"}", "twice"},
        {"{\"hitsAddend\": 1, \"hits_addend\": 2}", "this field is there twice"},
        {"{\"domian\": \"a\"}", "column 2: there is no such field"},
        {"{\"hitsAddend\": -1}", "expected a whole number of 0 to 4294967295"},
        {"{\"hitsAddend\": 4294967296}", "expected a whole number of 0 to 4294967295"},
        {"{\"hitsAddend\": \"x\"}", "expected a whole number"},
        {"{\"hitsAddend\": 1.5}", "expected a whole number"},
        {"{\"descriptors\": {}}", "expected an array"},
        {"{\"descriptors\": [5]}", "expected an object"},
        {"{\"descriptors\":\n[{\"limit\": {\"unit\": \"WEEKS\"}}]}",
         "line 2, column 21: expected a unit"},
        {"{\"descriptors\": [{\"isNegativeHits\": 1}]}", "expected true or false"},
        {"{} x", "column 4"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct weir_arena arena = {0};
        struct weir_rls_request request;
        struct weir_error error = {.message = ""};
        assert_int_equal(weir_rls_json_decode(weir_text(cases[i].text), &arena, &request, &error),
                         WEIR_ERR_FORMAT);
        if (strstr(error.message, cases[i].message) == NULL) {
            fail_msg("%s: %s", cases[i].text, error.message);
        }
        weir_arena_deinit(&arena);
    }
}

static void lists_have_an_end(void **state)
{
    (void)state;
    for (size_t over = 0; over < 2; over++) {
        struct weir_arena arena = {0};
        struct weir_buffer text = {0};
        struct weir_rls_request request;
        weir_buffer_put_text(&text, "{\"descriptors\": [");
        for (size_t i = 0; i < WEIR_RLS_DESCRIPTORS_MAX + over; i++) {
            weir_buffer_put_text(&text, i > 0 ? ",{}" : "{}");
        }
        weir_buffer_put_text(&text, "]}");
        assert_int_equal(weir_rls_json_decode(weir_buffer_bytes(&text), &arena, &request, NULL),
                         over == 0 ? WEIR_OK : WEIR_ERR_ARGUMENT);
        weir_buffer_deinit(&text);
        weir_arena_deinit(&arena);
    }
}

static void too_little_memory_is_said(void **state)
{
    (void)state;
    struct weir_arena arena = {.most = 16};
    struct weir_rls_request request;
    assert_int_equal(
        weir_rls_json_decode(weir_text("{\"descriptors\": [{}]}"), &arena, &request, NULL),
        WEIR_ERR_NO_MEMORY);
    weir_arena_deinit(&arena);
}

static void a_response_is_text(void **state)
{
    (void)state;
    static const struct weir_rls_status statuses[] = {
        {.code = WEIR_RLS_OVER_LIMIT,
         .has_limit = true,
         .requests_per_unit = 5,
         .unit = WEIR_RLS_WEEK,
         .name = {"\"", 1},
         .has_reset = true,
         .reset_us = 1500000},
        {.code = WEIR_RLS_OK, .remaining = UINT32_MAX, .has_reset = true, .reset_us = 1},
    };
    static const struct weir_rls_value items[] = {{.kind = WEIR_RLS_NUMBER, .number = 3},
                                                  {.kind = WEIR_RLS_NUMBER, .number = 0.5},
                                                  {.kind = WEIR_RLS_NULL}};
    static const struct weir_rls_value values[] = {
        {.kind = WEIR_RLS_LIST, .values = items, .count = 3}, {.kind = WEIR_RLS_BOOLEAN}};
    static const struct weir_bytes names[] = {{"a", 1}, {"b", 1}};
    static const struct weir_rls_value metadata = {
        .kind = WEIR_RLS_STRUCT, .names = names, .values = values, .count = 2};
    static const struct weir_rls_header headers[] = {{{"h", 1}, {"1", 1}}};
    const struct weir_rls_response response = {.overall = WEIR_RLS_OVER_LIMIT,
                                               .statuses = statuses,
                                               .status_count = 2,
                                               .headers = headers,
                                               .header_count = 1,
                                               .metadata = &metadata};
    struct weir_buffer out = {0};
    weir_rls_json_encode(&response, &out);
    weir_buffer_put(&out, weir_bytes("", 1));
    assert_string_equal(
        out.bytes,
        "{\"overallCode\":\"OVER_LIMIT\",\"statuses\":[{\"code\":\"OVER_LIMIT\",\"currentLimit\":{"
        "\"requestsPerUnit\":5,\"unit\":\"WEEK\",\"name\":\"\\\"\"},\"durationUntilReset\":"
        "\"1.500s\"},{\"code\":\"OK\",\"limitRemaining\":4294967295,\"durationUntilReset\":"
        "\"0.000001s\"}],\"responseHeadersToAdd\":[{\"key\":\"h\",\"value\":\"1\"}],"
        "\"dynamicMetadata\":{\"a\":[3,0.5,null],\"b\":false}}");
    weir_buffer_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(either_name_is_read),
        cmocka_unit_test(null_is_not_there),
        cmocka_unit_test(what_is_wrong_is_refused_where_it_stands),
        cmocka_unit_test(lists_have_an_end),
        cmocka_unit_test(too_little_memory_is_said),
        cmocka_unit_test(a_response_is_text),
    };
    return cmocka_run_group_tests_name("rls_json", tests, NULL, NULL);
}
