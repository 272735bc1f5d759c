/* wire_test.c - the cases of test/wire/http*.txt: what bytes mean to a server, however they come.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/http_text.h"
#include "support/random.h"
#include "support/wire.h"

#include <stdlib.h>
#include <string.h>

/* The most that all good cases come to. */
#define WIRE_ALL_MAX (1 << 18)

static const struct http_limits usual = {0, 0, 0};

static void each_file(void (*look)(const struct wire_case *wire, void *context), void *context)
{
    wire_each("http.txt", look, context);
    wire_each("http_refused.txt", look, context);
}

static void expect(const struct wire_case *wire, struct resp_feed feed)
{
    char *text = http_transcript(&usual, wire->bytes, feed);
    if (strcmp(text, wire->expected) != 0) {
        print_error("%.*s (pieces %d, %zu)\n", (int)wire->bytes.len, wire->bytes.ptr,
                    (int)feed.pieces, feed.first);
    }
    assert_string_equal(text, wire->expected);
    free(text);
}

static void look_whole(const struct wire_case *wire, void *context)
{
    (void)context;
    expect(wire, (struct resp_feed){.pieces = RESP_WHOLE});
}

static void look_in_two(const struct wire_case *wire, void *context)
{
    (void)context;
    for (size_t first = 1; first < wire->bytes.len; first++) {
        expect(wire, (struct resp_feed){.pieces = RESP_TWO, .first = first});
    }
}

static void look_byte_by_byte(const struct wire_case *wire, void *context)
{
    (void)context;
    expect(wire, (struct resp_feed){.pieces = RESP_SINGLE});
}

/* What is cut off is never a request that the whole has not, and never bad. */
static void look_cut_off(const struct wire_case *wire, void *context)
{
    (void)context;
    if (http_transcript_trouble(wire->expected) != NULL) {
        return;
    }
    for (size_t len = 1; len < wire->bytes.len; len++) {
        char *text = http_transcript(&usual, weir_bytes(wire->bytes.ptr, len),
                                     (struct resp_feed){.pieces = RESP_WHOLE});
        const char *trouble = http_transcript_trouble(text);
        const size_t good = trouble != NULL ? (size_t)(trouble - text) : strlen(text);
        assert_true(trouble == NULL || strcmp(trouble, "more\n") == 0);
        assert_true(good < strlen(wire->expected));
        assert_memory_equal(text, wire->expected, good);
        free(text);
    }
}

static void cases_are_read_whole(void **state)
{
    (void)state;
    each_file(look_whole, NULL);
}

static void cases_are_read_in_two_pieces_at_every_place(void **state)
{
    (void)state;
    each_file(look_in_two, NULL);
}

static void cases_are_read_byte_by_byte(void **state)
{
    (void)state;
    each_file(look_byte_by_byte, NULL);
}

static void a_request_that_is_cut_off_needs_more(void **state)
{
    (void)state;
    each_file(look_cut_off, NULL);
}

/* All good cases, one after the other. */
struct together {
    char *bytes;
    char *expected;
    size_t len;
};

static void add_good(const struct wire_case *wire, void *context)
{
    struct together *all = context;
    if (http_transcript_trouble(wire->expected) == NULL) {
        assert_true(all->len + wire->bytes.len <= WIRE_ALL_MAX);
        memcpy(all->bytes + all->len, wire->bytes.ptr, wire->bytes.len);
        all->len += wire->bytes.len;
        assert_true(strlen(all->expected) + strlen(wire->expected) < WIRE_ALL_MAX);
        memcpy(all->expected + strlen(all->expected), wire->expected, strlen(wire->expected) + 1);
    }
}

static void requests_in_a_row_are_read_in_random_pieces(void **state)
{
    (void)state;
    struct together all = {test_malloc(WIRE_ALL_MAX), test_calloc(1, WIRE_ALL_MAX), 0};
    each_file(add_good, &all);
    const uint64_t seed = random_seed(20262);
    print_message("# seed %llu\n", (unsigned long long)seed);
    struct resp_feed feed = {RESP_RANDOM, 0, random_from(seed)};
    for (size_t i = 0; i < random_rounds(100); i++) {
        (void)random_next(&feed.random);
        char *text = http_transcript(&usual, weir_bytes(all.bytes, all.len), feed);
        assert_string_equal(text, all.expected);
        free(text);
    }
    test_free(all.bytes);
    test_free(all.expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cases_are_read_whole),
        cmocka_unit_test(cases_are_read_in_two_pieces_at_every_place),
        cmocka_unit_test(cases_are_read_byte_by_byte),
        cmocka_unit_test(a_request_that_is_cut_off_needs_more),
        cmocka_unit_test(requests_in_a_row_are_read_in_random_pieces),
    };
    return cmocka_run_group_tests_name("http_wire", tests, NULL, NULL);
}
