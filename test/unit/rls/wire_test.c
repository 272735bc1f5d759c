/* wire_test.c - messages of the rate limit service as protobuf: every field, whatever its order;
 * what is cut, of a wrong type or not UTF-8; the bounds; responses byte by byte. */

#include "rls/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define BYTES(text) weir_bytes(text, sizeof(text) - 1)

static enum weir_status decode(struct weir_bytes bytes, struct weir_arena *arena,
                               struct weir_rls_request *request)
{
    struct weir_error error = {.message = ""};
    return weir_rls_decode(bytes, arena, request, &error);
}

static void assert_text(struct weir_bytes found, const char *expected, size_t len)
{
    assert_int_equal(found.len, len);
    assert_memory_equal(len > 0 ? found.ptr : "", expected, len);
}

/* domain "web"; a descriptor ("k", "a\0b"), ("e", "") with limit 5/MINUTE, hits 9, negative; one
 * without anything; hits 2; and a field that is not known. */
#define WHOLE                           \
    "\x0a\x03web"                       \
    "\x12\x1d\x0a\x08\x0a\x01k\x12\x03" \
    "a\0b"                              \
    "\x0a\x05\x0a\x01"                  \
    "e\x12\x00\x12\x04\x08\x05\x10\x02\x1a\x02\x08\x09 \x01\x12\x00\x18\x02z\x03xyz"

static void every_field_is_read(void **state)
{
    (void)state;
    struct weir_arena arena = {0};
    struct weir_rls_request request;
    assert_int_equal(decode(BYTES(WHOLE), &arena, &request), WEIR_OK);
    assert_text(request.domain, "web", 3);
    assert_int_equal(request.hits, 2);
    assert_int_equal(request.descriptor_count, 2);
    const struct weir_rls_descriptor *first = &request.descriptors[0];
    assert_int_equal(first->entry_count, 2);
    assert_text(first->entries[0].key, "k", 1);
    assert_text(first->entries[0].value, "a\0b", 3);
    assert_text(first->entries[1].key, "e", 1);
    assert_text(first->entries[1].value, "", 0);
    assert_true(first->has_limit);
    assert_int_equal(first->limit_requests, 5);
    assert_int_equal(first->limit_unit, WEIR_RLS_MINUTE);
    assert_true(first->has_hits);
    assert_int_equal(first->hits, 9);
    assert_true(first->negative);
    const struct weir_rls_descriptor *second = &request.descriptors[1];
    assert_int_equal(second->entry_count, 0);
    assert_false(second->has_limit || second->has_hits || second->negative);
    weir_arena_deinit(&arena);
}

/* Cut anywhere it is refused, or it is a request that has less; never more. */
static void a_cut_message_is_refused_or_shorter(void **state)
{
    (void)state;
    const struct weir_bytes whole = BYTES(WHOLE);
    for (size_t len = 0; len < whole.len; len++) {
        struct weir_arena arena = {0};
        struct weir_rls_request request;
        char *copy = malloc(len > 0 ? len : 1); /* so that a sanitizer sees a look behind it */
        assert_non_null(copy);
        memcpy(copy, whole.ptr, len);
        const enum weir_status status = decode(weir_bytes(copy, len), &arena, &request);
        assert_true(status == WEIR_OK || status == WEIR_ERR_FORMAT);
        assert_true(status != WEIR_OK || request.descriptor_count <= 2);
        weir_arena_deinit(&arena);
        free(copy);
    }
}

static void what_is_wrong_is_refused_or_passed_over(void **state)
{
    (void)state;
    static const struct {
        struct weir_bytes bytes;
        enum weir_status status;
    } cases[] = {
        {{"\x0a\x01\xff", 3}, WEIR_ERR_FORMAT},                 /* a domain that is not UTF-8 */
        {{"\x0a\x02\xc3\xa4", 4}, WEIR_OK},                     /* one that is */
        {{"\x0a\x03\xed\xa0\x80", 5}, WEIR_ERR_FORMAT},         /* half of a surrogate */
        {{"\x12\x05\x0a\x03\x0a\x01\xfe", 7}, WEIR_ERR_FORMAT}, /* a key that is not */
        {{"\x08\x07", 2}, WEIR_OK},                             /* a domain that is a number */
        {{"\x1d\1\2\3\4", 5}, WEIR_OK},                         /* hits of four bytes */
        {{"\x19\1\2\3\4\5\6\7\x08", 9}, WEIR_OK},               /* and of eight */
        {{"\x1d\1\2\3", 4}, WEIR_ERR_FORMAT},
        {{"\x1b\x1c", 2}, WEIR_ERR_FORMAT}, /* a group */
        {{"\x00\x00", 2}, WEIR_ERR_FORMAT}, /* field 0 */
        {{"\x18\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 11}, WEIR_OK},
        {{"\x18\x80\x80\x80\x80\x80\x80\x80\x80\x80\x02", 11}, WEIR_ERR_FORMAT},
        {{"\x18\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 12}, WEIR_ERR_FORMAT},
        {{"\x0a\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 11}, WEIR_ERR_FORMAT},
        {{"\xff", 1}, WEIR_ERR_FORMAT},
        {{"", 0}, WEIR_OK},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct weir_arena arena = {0};
        struct weir_rls_request request;
        const enum weir_status status = decode(cases[i].bytes, &arena, &request);
        if (status != cases[i].status) {
            fail_msg("case %zu: %s", i, weir_status_name(status));
        }
        weir_arena_deinit(&arena);
    }
}

static void there_is_an_end_to_descriptors_and_entries(void **state)
{
    (void)state;
    for (size_t over = 0; over < 2; over++) {
        struct weir_arena arena = {0};
        struct weir_buffer many = {0};
        struct weir_rls_request request;
        for (size_t i = 0; i < WEIR_RLS_DESCRIPTORS_MAX + over; i++) {
            weir_buffer_put(&many, BYTES("\x12\x00"));
        }
        assert_int_equal(decode(weir_buffer_bytes(&many), &arena, &request),
                         over == 0 ? WEIR_OK : WEIR_ERR_ARGUMENT);
        weir_buffer_clear(&many);
        const char head[3] = {0x12, (char)(0x80 | ((WEIR_RLS_ENTRIES_MAX + over) * 2 & 0x7f)), 1};
        weir_buffer_put(&many, weir_bytes(head, 3));
        for (size_t i = 0; i < WEIR_RLS_ENTRIES_MAX + over; i++) {
            weir_buffer_put(&many, BYTES("\x0a\x00"));
        }
        assert_int_equal(decode(weir_buffer_bytes(&many), &arena, &request),
                         over == 0 ? WEIR_OK : WEIR_ERR_ARGUMENT);
        weir_buffer_deinit(&many);
        weir_arena_deinit(&arena);
    }
}

static void too_little_memory_is_said(void **state)
{
    (void)state;
    struct weir_arena arena = {.most = 16};
    struct weir_rls_request request;
    assert_int_equal(decode(BYTES(WHOLE), &arena, &request), WEIR_ERR_NO_MEMORY);
    weir_arena_deinit(&arena);
}

/* ---- Responses ----------------------------------------------------------------------------- */

static void assert_encoded(const struct weir_rls_response *response, const char *bytes, size_t len)
{
    struct weir_arena arena = {0};
    struct weir_buffer out = {0};
    weir_rls_encode(response, &out);
    assert_int_equal(out.len, len);
    assert_memory_equal(out.bytes, bytes, len);
    weir_buffer_deinit(&out);
    weir_arena_deinit(&arena);
}

static void a_response_is_written_byte_by_byte(void **state)
{
    (void)state;
    static const struct weir_rls_status statuses[] = {
        {.code = WEIR_RLS_OK,
         .has_limit = true,
         .requests_per_unit = 5,
         .unit = WEIR_RLS_MINUTE,
         .name = {"n", 1},
         .remaining = 300,
         .has_reset = true,
         .reset_us = 1500000},
        {.code = WEIR_RLS_OVER_LIMIT},
    };
    static const struct weir_rls_header headers[] = {{{"a", 1}, {"b", 1}}};
    const struct weir_rls_response response = {.overall = WEIR_RLS_OVER_LIMIT,
                                               .statuses = statuses,
                                               .status_count = 2,
                                               .headers = headers,
                                               .header_count = 1};
    assert_encoded(&response,
                   "\x08\x02"
                   "\x12\x18\x08\x01\x12\x07\x08\x05\x10\x02\x1a\x01n\x18\xac\x02\x22\x08\x08\x01"
                   "\x10\x80\xca\xb5\xee\x01"
                   "\x12\x02\x08\x02"
                   "\x1a\x06\x0a\x01"
                   "a\x12\x01"
                   "b",
                   2 + 26 + 4 + 8);
}

/* A length of two bytes moves what was written behind one. */
static void a_long_text_has_a_long_length(void **state)
{
    (void)state;
    static char text[200];
    static char expected[210] = "\x08\x01\x1a\xce\x01\x0a\x01k\x12\xc8\x01";
    memset(text, 'x', sizeof(text));
    memset(expected + 11, 'x', 200 - 1);
    expected[210 - 1] = 'x';
    const struct weir_rls_header header = {{"k", 1}, {text, 200}};
    const struct weir_rls_response response = {
        .overall = WEIR_RLS_OK, .headers = &header, .header_count = 1};
    struct weir_arena arena = {0};
    struct weir_buffer out = {0};
    weir_rls_encode(&response, &out);
    assert_int_equal(out.len, 11 + 200);
    assert_memory_equal(out.bytes, expected, 210);
    weir_buffer_deinit(&out);
    weir_arena_deinit(&arena);
}

static void metadata_is_a_struct(void **state)
{
    (void)state;
    static const struct weir_rls_value items[] = {{.kind = WEIR_RLS_BOOLEAN, .boolean = true},
                                                  {.kind = WEIR_RLS_NULL}};
    static const struct weir_rls_value values[] = {
        {.kind = WEIR_RLS_NUMBER, .number = 1.5},
        {.kind = WEIR_RLS_TEXT, .text = {"", 0}},
        {.kind = WEIR_RLS_LIST, .values = items, .count = 2}};
    static const struct weir_bytes names[] = {{"n", 1}, {"t", 1}, {"l", 1}};
    static const struct weir_rls_value metadata = {
        .kind = WEIR_RLS_STRUCT, .names = names, .values = values, .count = 3};
    const struct weir_rls_response response = {.overall = WEIR_RLS_OK, .metadata = &metadata};
    assert_encoded(&response,
                   "\x08\x01\x32\x2a"
                   "\x0a\x0e\x0a\x01n\x12\x09\x11\0\0\0\0\0\0\xf8\x3f"
                   "\x0a\x07\x0a\x01t\x12\x02\x1a\x00"
                   "\x0a\x0f\x0a\x01l\x12\x0a\x32\x08\x0a\x02\x20\x01\x0a\x02\x08\x00",
                   2 + 2 + 16 + 9 + 17 + 2 - 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_field_is_read),
        cmocka_unit_test(a_cut_message_is_refused_or_shorter),
        cmocka_unit_test(what_is_wrong_is_refused_or_passed_over),
        cmocka_unit_test(there_is_an_end_to_descriptors_and_entries),
        cmocka_unit_test(too_little_memory_is_said),
        cmocka_unit_test(a_response_is_written_byte_by_byte),
        cmocka_unit_test(a_long_text_has_a_long_length),
        cmocka_unit_test(metadata_is_a_struct),
    };
    return cmocka_run_group_tests_name("rls_wire", tests, NULL, NULL);
}
