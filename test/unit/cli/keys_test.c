/* keys_test.c - keys read from a descriptor (src/cli/keys.c), cut into blocks in every way. */

#include "cli/keys.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* What was read so far: each key followed by '|'. */
struct seen {
    char text[256];
    size_t length;
};

static void take(struct cli_keys *keys, struct seen *seen)
{
    struct weir_bytes key;
    while (cli_keys_next(keys, &key)) {
        assert_true(seen->length + key.len + 1 < sizeof(seen->text));
        if (key.len > 0) {
            memcpy(seen->text + seen->length, key.ptr, key.len);
        }
        seen->length += key.len;
        seen->text[seen->length++] = '|';
    }
}

/* The text written in two parts, cut at `cut`, each of which is read before the next is written. */
static void read_cut(const char *text, size_t cut, struct seen *seen)
{
    int ends[2];
    struct cli_keys keys;
    const size_t length = strlen(text);
    assert_int_equal(pipe(ends), 0);
    assert_true(cli_keys_init(ends[0], &keys));
    *seen = (struct seen){.length = 0};
    if (cut > 0) {
        assert_int_equal(write(ends[1], text, cut), cut);
        assert_true(cli_keys_fill(&keys));
        take(&keys, seen);
    }
    if (cut < length) {
        assert_int_equal(write(ends[1], text + cut, length - cut), length - cut);
    }
    close(ends[1]);
    while (cli_keys_fill(&keys)) {
        take(&keys, seen);
    }
    assert_int_equal(keys.failure, 0);
    assert_int_equal(keys.too_long, 0);
    assert_false(cli_keys_fill(&keys));
    cli_keys_deinit(&keys);
    close(ends[0]);
}

static void test_cut_anywhere(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *keys;
    } cases[] = {
        {"", ""},
        {"\n", "|"},
        {"a", "a|"},
        {"a\n", "a|"},
        {"a\nb", "a|b|"},
        {"\n\nabc\n\n", "||abc||"},
        {"one\r\ntwo\r\n", "one\r|two\r|"},
        {"first line\nsecond line\nthird", "first line|second line|third|"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (size_t cut = 0; cut <= strlen(cases[i].text); cut++) {
            struct seen seen;
            read_cut(cases[i].text, cut, &seen);
            assert_int_equal(seen.length, strlen(cases[i].keys));
            assert_memory_equal(seen.text, cases[i].keys, seen.length);
        }
    }
}

/* A file of lines of `length` bytes between short ones, so long that blocks end anywhere in them.
 */
static void read_long(size_t length, uint64_t expected_long)
{
    struct cli_keys keys;
    FILE *file = tmpfile();
    assert_non_null(file);
    char *line = malloc(length + 1);
    assert_non_null(line);
    memset(line, 'x', length);
    line[length] = '\n';
    const uint64_t lines = 3 * (1 << 20) / (length + 1) + 2;
    for (uint64_t i = 0; i < lines; i++) {
        assert_int_equal(fwrite(line, 1, length + 1, file), length + 1);
        assert_int_equal(fwrite("key\n", 1, 4, file), 4);
    }
    rewind(file);
    assert_true(cli_keys_init(fileno(file), &keys));
    uint64_t short_keys = 0;
    uint64_t long_keys = 0;
    while (cli_keys_fill(&keys)) {
        struct weir_bytes key;
        while (cli_keys_next(&keys, &key)) {
            short_keys += key.len == 3 && memcmp(key.ptr, "key", 3) == 0;
            long_keys += key.len == length && memcmp(key.ptr, line, length) == 0;
        }
    }
    assert_int_equal(short_keys, lines);
    assert_int_equal(long_keys + keys.too_long, lines);
    assert_int_equal(keys.too_long, expected_long == 0 ? 0 : lines);
    assert_int_equal(keys.first, expected_long);
    assert_int_equal(keys.line, 2 * lines);
    cli_keys_deinit(&keys);
    free(line);
    (void)fclose(file);
}

static void test_lines_at_the_bound_and_past_it(void **state)
{
    (void)state;
    read_long(WEIR_KEY_MAX - 1, 0);
    read_long(WEIR_KEY_MAX, 0);
    read_long(WEIR_KEY_MAX + 1, 1);
    read_long((1 << 20) - 1, 1);
    read_long(1 << 20, 1);
    read_long((1 << 20) + 1, 1);
    read_long(5 << 19, 1);
}

static void test_failure_is_kept(void **state)
{
    (void)state;
    struct cli_keys keys;
    assert_true(cli_keys_init(-1, &keys));
    assert_false(cli_keys_fill(&keys));
    assert_int_equal(keys.failure, EBADF);
    assert_false(cli_keys_fill(&keys));
    cli_keys_deinit(&keys);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cut_anywhere),
        cmocka_unit_test(test_lines_at_the_bound_and_past_it),
        cmocka_unit_test(test_failure_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
