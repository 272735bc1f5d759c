/* wire_test.c - the cases of test/wire: what bytes mean, however they come. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/random.h"
#include "support/resp_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The longest line of a file, and the most that a case, or all good ones of a file, come to. */
#define WIRE_LINE_MAX 4096
#define WIRE_CASE_MAX 16384
#define WIRE_ALL_MAX (1 << 18)

static const char *const reply_files[] = {"replies.txt", "resp3.txt", "refused.txt"};
static const char *const command_files[] = {"commands.txt"};

/* A file that is being read, and one case of it. */
struct wire {
    FILE *file;
    char line[WIRE_LINE_MAX]; /* the first that belongs to the next case; empty at the end */
    char bytes[WIRE_CASE_MAX];
    size_t len;
    char expected[WIRE_CASE_MAX];
    struct weir_resp_limits limits;
    size_t cases;
};

static void next_line(struct wire *wire)
{
    do {
        if (fgets(wire->line, sizeof(wire->line), wire->file) == NULL) {
            wire->line[0] = '\0';
            return;
        }
        char *end = strchr(wire->line, '\n');
        assert_non_null(end);
        *end = '\0';
    } while (wire->line[0] == '\0' || strncmp(wire->line, "# ", 2) == 0);
}

static bool is_expected(const char *line)
{
    return strncmp(line, "    ", 4) == 0;
}

/* Reads the next case; false at the end of the file. */
static bool next_case(struct wire *wire)
{
    wire->len = 0;
    size_t expected = 0;
    while (wire->line[0] != '\0' && !is_expected(wire->line)) {
        assert_true(wire->len + strlen(wire->line) <= sizeof(wire->bytes));
        wire->len += resp_text_bytes(wire->line, wire->bytes + wire->len);
        next_line(wire);
    }
    while (is_expected(wire->line)) {
        const int len = snprintf(wire->expected + expected, sizeof(wire->expected) - expected,
                                 "%s\n", wire->line + 4);
        assert_true(len > 0 && (size_t)len < sizeof(wire->expected) - expected);
        expected += (size_t)len;
        next_line(wire);
    }
    assert_true((wire->len == 0) == (expected == 0));
    wire->cases++;
    return wire->len > 0;
}

/* Calls `look` with each case of a file. */
static void each_case(const char *name, bool commands,
                      void (*look)(const struct wire *wire, void *context), void *context)
{
    struct wire wire = {.limits = {.commands = commands}};
    char path[256];
    (void)snprintf(path, sizeof(path), "test/wire/%s", name);
    wire.file = fopen(path, "r");
    assert_non_null(wire.file);
    next_line(&wire);
    while (next_case(&wire)) {
        look(&wire, context);
    }
    assert_true(feof(wire.file));
    assert_true(wire.cases > 10);
    (void)fclose(wire.file);
}

static void each_file(void (*look)(const struct wire *wire, void *context), void *context)
{
    for (size_t i = 0; i < sizeof(reply_files) / sizeof(reply_files[0]); i++) {
        each_case(reply_files[i], false, look, context);
    }
    for (size_t i = 0; i < sizeof(command_files) / sizeof(command_files[0]); i++) {
        each_case(command_files[i], true, look, context);
    }
}

static void expect(const struct wire *wire, struct resp_feed feed)
{
    char *text = resp_transcript(&wire->limits, weir_bytes(wire->bytes, wire->len), feed);
    if (strcmp(text, wire->expected) != 0) {
        print_error("%.*s (pieces %d, %zu)\n", (int)wire->len, wire->bytes, (int)feed.pieces,
                    feed.first);
    }
    assert_string_equal(text, wire->expected);
    free(text);
}

static void look_whole(const struct wire *wire, void *context)
{
    (void)context;
    expect(wire, (struct resp_feed){.pieces = RESP_WHOLE});
}

static void look_in_two(const struct wire *wire, void *context)
{
    (void)context;
    for (size_t first = 1; first < wire->len; first++) {
        expect(wire, (struct resp_feed){.pieces = RESP_TWO, .first = first});
    }
}

static void look_byte_by_byte(const struct wire *wire, void *context)
{
    (void)context;
    expect(wire, (struct resp_feed){.pieces = RESP_SINGLE});
}

/* What is cut off is never a value that the whole has not, and never bad. */
static void look_cut_off(const struct wire *wire, void *context)
{
    (void)context;
    if (resp_transcript_trouble(wire->expected) != NULL) {
        return;
    }
    for (size_t len = 1; len < wire->len; len++) {
        char *text = resp_transcript(&wire->limits, weir_bytes(wire->bytes, len),
                                     (struct resp_feed){.pieces = RESP_WHOLE});
        const char *trouble = resp_transcript_trouble(text);
        const size_t values = trouble != NULL ? (size_t)(trouble - text) : strlen(text);
        assert_true(trouble == NULL || strcmp(trouble, "more\n") == 0);
        assert_true(values < strlen(wire->expected));
        assert_memory_equal(text, wire->expected, values);
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

static void add_good(const struct wire *wire, void *context)
{
    struct together *all = context;
    if (resp_transcript_trouble(wire->expected) == NULL) {
        assert_true(all->len + wire->len <= WIRE_ALL_MAX);
        memcpy(all->bytes + all->len, wire->bytes, wire->len);
        all->len += wire->len;
        assert_true(strlen(all->expected) + strlen(wire->expected) < WIRE_ALL_MAX);
        memcpy(all->expected + strlen(all->expected), wire->expected, strlen(wire->expected) + 1);
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
