/* wire_test.c - the cases of test/wire: what bytes mean, however they come. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/random.h"
#include "support/resp_text.h"
#include "support/wire.h"

#include <stdlib.h>
#include <string.h>

/* The most that all good cases of a kind come to. */
#define WIRE_ALL_MAX (1 << 18)

static const char *const reply_files[] = {"replies.txt", "resp3.txt", "refused.txt"};
static const char *const command_files[] = {"commands.txt"};

/* A case, and how it is read. */
struct subject {
    const struct wire_case *wire;
    struct weir_resp_limits limits;
};

struct looking {
    void (*look)(const struct subject *subject, void *context);
    void *context;
    struct weir_resp_limits limits;
};

static void look_with_limits(const struct wire_case *wire, void *context)
{
    const struct looking *looking = context;
    const struct subject subject = {wire, looking->limits};
    looking->look(&subject, looking->context);
}

/* Calls `look` with each case of a file. */
static void each_case(const char *name, bool commands,
                      void (*look)(const struct subject *subject, void *context), void *context)
{
    struct looking looking = {look, context, {.commands = commands}};
    wire_each(name, look_with_limits, &looking);
}

static void each_file(void (*look)(const struct subject *subject, void *context), void *context)
{
    for (size_t i = 0; i < sizeof(reply_files) / sizeof(reply_files[0]); i++) {
        each_case(reply_files[i], false, look, context);
    }
    for (size_t i = 0; i < sizeof(command_files) / sizeof(command_files[0]); i++) {
        each_case(command_files[i], true, look, context);
    }
}

static void expect(const struct subject *subject, struct resp_feed feed)
{
    char *text = resp_transcript(&subject->limits, subject->wire->bytes, feed);
    if (strcmp(text, subject->wire->expected) != 0) {
        print_error("%.*s (pieces %d, %zu)\n", (int)subject->wire->bytes.len,
                    subject->wire->bytes.ptr, (int)feed.pieces, feed.first);
    }
    assert_string_equal(text, subject->wire->expected);
    free(text);
}

static void look_whole(const struct subject *subject, void *context)
{
    (void)context;
    expect(subject, (struct resp_feed){.pieces = RESP_WHOLE});
}

static void look_in_two(const struct subject *subject, void *context)
{
    (void)context;
    for (size_t first = 1; first < subject->wire->bytes.len; first++) {
        expect(subject, (struct resp_feed){.pieces = RESP_TWO, .first = first});
    }
}

static void look_byte_by_byte(const struct subject *subject, void *context)
{
    (void)context;
    expect(subject, (struct resp_feed){.pieces = RESP_SINGLE});
}

/* What is cut off is never a value that the whole has not, and never bad. */
static void look_cut_off(const struct subject *subject, void *context)
{
    (void)context;
    if (resp_transcript_trouble(subject->wire->expected) != NULL) {
        return;
    }
    for (size_t len = 1; len < subject->wire->bytes.len; len++) {
        char *text = resp_transcript(&subject->limits, weir_bytes(subject->wire->bytes.ptr, len),
                                     (struct resp_feed){.pieces = RESP_WHOLE});
        const char *trouble = resp_transcript_trouble(text);
        const size_t values = trouble != NULL ? (size_t)(trouble - text) : strlen(text);
        assert_true(trouble == NULL || strcmp(trouble, "more\n") == 0);
        assert_true(values < strlen(subject->wire->expected));
        assert_memory_equal(text, subject->wire->expected, values);
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

static void a_value_that_is_cut_off_needs_more(void **state)
{
    (void)state;
    each_file(look_cut_off, NULL);
}

/* All good cases of a kind, one after the other. */
struct together {
    char *bytes;
    char *expected;
    size_t len;
};

static void add_good(const struct subject *subject, void *context)
{
    struct together *all = context;
    if (resp_transcript_trouble(subject->wire->expected) == NULL) {
        assert_true(all->len + subject->wire->bytes.len <= WIRE_ALL_MAX);
        memcpy(all->bytes + all->len, subject->wire->bytes.ptr, subject->wire->bytes.len);
        all->len += subject->wire->bytes.len;
        assert_true(strlen(all->expected) + strlen(subject->wire->expected) < WIRE_ALL_MAX);
        memcpy(all->expected + strlen(all->expected), subject->wire->expected,
               strlen(subject->wire->expected) + 1);
    }
}

static void read_together(bool commands, const char *const *files, size_t count)
{
    struct together all = {test_malloc(WIRE_ALL_MAX), test_calloc(1, WIRE_ALL_MAX), 0};
    for (size_t i = 0; i < count; i++) {
        each_case(files[i], commands, add_good, &all);
    }
    const uint64_t seed = random_seed(20261);
    print_message("# seed %llu\n", (unsigned long long)seed);
    const struct weir_resp_limits limits = {.commands = commands};
    struct resp_feed feed = {RESP_RANDOM, 0, random_from(seed)};
    for (size_t i = 0; i < random_rounds(200); i++) {
        (void)random_next(&feed.random);
        char *text = resp_transcript(&limits, weir_bytes(all.bytes, all.len), feed);
        assert_string_equal(text, all.expected);
        free(text);
    }
    test_free(all.bytes);
    test_free(all.expected);
}

static void values_in_a_row_are_read_in_random_pieces(void **state)
{
    (void)state;
    read_together(false, reply_files, sizeof(reply_files) / sizeof(reply_files[0]));
    read_together(true, command_files, sizeof(command_files) / sizeof(command_files[0]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cases_are_read_whole),
        cmocka_unit_test(cases_are_read_in_two_pieces_at_every_place),
        cmocka_unit_test(cases_are_read_byte_by_byte),
        cmocka_unit_test(a_value_that_is_cut_off_needs_more),
        cmocka_unit_test(values_in_a_row_are_read_in_random_pieces),
    };
    return cmocka_run_group_tests_name("resp_wire", tests, NULL, NULL);
}
