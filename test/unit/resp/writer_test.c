/* writer_test.c - what is written is what is read again; it is there whole or not at all. */

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

static void expect_bytes(struct weir_buffer *writer, const char *expected)
{
    assert_false(writer->failed);
    assert_int_equal(writer->len, strlen(expected));
    assert_memory_equal(writer->bytes, expected, writer->len);
    weir_buffer_clear(writer);
}

static void a_client_writes_these_bytes(void **state)
{
    (void)state;
    struct weir_buffer writer = {0};
    weir_resp_put_array(&writer, 0);
    expect_bytes(&writer, "*0\r\n");
    weir_resp_put_array(&writer, SIZE_MAX);
    expect_bytes(&writer, "*18446744073709551615\r\n");
    weir_resp_put_bulk(&writer, weir_bytes(NULL, 0));
    expect_bytes(&writer, "$0\r\n\r\n");
    weir_resp_put_bulk_text(&writer, "hello, world");
    expect_bytes(&writer, "$12\r\nhello, world\r\n");
    weir_resp_put_bulk_integer(&writer, 0);
    expect_bytes(&writer, "$1\r\n0\r\n");
    weir_resp_put_bulk_integer(&writer, -1);
    expect_bytes(&writer, "$2\r\n-1\r\n");
    weir_resp_put_bulk_integer(&writer, INT64_MIN);
    expect_bytes(&writer, "$20\r\n-9223372036854775808\r\n");
    weir_buffer_put(&writer, weir_text("+as it\ris"));
    weir_buffer_put(&writer, weir_bytes(NULL, 0));
    expect_bytes(&writer, "+as it\ris");
    const struct weir_bytes words[] = {weir_text("SET"), weir_text("key"), {NULL, 0}};
    weir_resp_put_command(&writer, words, 3);
    weir_resp_put_command(&writer, words, 1);
    expect_bytes(&writer, "*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$0\r\n\r\n*1\r\n$3\r\nSET\r\n");
    weir_buffer_deinit(&writer);
}

static void a_server_writes_these_bytes(void **state)
{
    (void)state;
    struct weir_buffer writer = {0};
    weir_resp_put_simple(&writer, "OK");
    expect_bytes(&writer, "+OK\r\n");
    weir_resp_put_simple(&writer, "");
    expect_bytes(&writer, "+\r\n");
    weir_resp_put_error(&writer, "ERR no\r\nbreaks\nhere");
    expect_bytes(&writer, "-ERR no  breaks here\r\n");
    weir_resp_put_integer(&writer, -42);
    expect_bytes(&writer, ":-42\r\n");
    weir_resp_put_nil(&writer, 2);
    weir_resp_put_nil(&writer, 3);
    expect_bytes(&writer, "$-1\r\n_\r\n");
    weir_resp_put_boolean(&writer, true, 2);
    weir_resp_put_boolean(&writer, false, 2);
    weir_resp_put_boolean(&writer, true, 3);
    weir_resp_put_boolean(&writer, false, 3);
    expect_bytes(&writer, ":1\r\n:0\r\n#t\r\n#f\r\n");
    weir_resp_put_map(&writer, 3, 2);
    weir_resp_put_map(&writer, 3, 3);
    expect_bytes(&writer, "*6\r\n%3\r\n");
    weir_buffer_deinit(&writer);
}

/* ---- Numbers ------------------------------------------------------------------------------ */

static void expect_number(struct weir_buffer *writer, int64_t number)
{
    char expected[96];
    char digits[32];
    (void)snprintf(digits, sizeof(digits), "%lld", (long long)number);
    (void)snprintf(expected, sizeof(expected), ":%s\r\n$%zu\r\n%s\r\n", digits, strlen(digits),
                   digits);
    weir_resp_put_integer(writer, number);
    weir_resp_put_bulk_integer(writer, number);
    expect_bytes(writer, expected);
    int64_t again = ~number;
    assert_true(weir_resp_integer(weir_text(digits), &again));
    assert_int_equal(again, number);
}

/* Of each number of digits and of bits the first and the last, and others by chance. */
static void numbers_are_written_and_read_as_by_the_c_library(void **state)
{
    (void)state;
    struct weir_buffer writer = {0};
    expect_number(&writer, 0);
    expect_number(&writer, INT64_MAX);
    expect_number(&writer, INT64_MIN);
    for (int64_t power = 1; power <= INT64_MAX / 10; power *= 10) {
        for (int64_t near = -1; near <= 1; near++) {
            expect_number(&writer, power * 10 + near);
            expect_number(&writer, -(power * 10 + near));
        }
    }
    for (unsigned bits = 0; bits < 63; bits++) {
        expect_number(&writer, (int64_t)(UINT64_C(1) << bits));
        expect_number(&writer, -(int64_t)(UINT64_C(1) << bits));
        expect_number(&writer, (int64_t)(UINT64_C(1) << bits) - 1);
    }
    const uint64_t seed = random_seed(20262);
    print_message("# seed %llu\n", (unsigned long long)seed);
    struct random random = random_from(seed);
    for (size_t i = 0; i < random_rounds(200000); i++) {
        const int64_t number = (int64_t)random_wide(&random, INT64_MAX);
        expect_number(&writer, random_once_in(&random, 2) ? number : -number);
    }
    weir_buffer_deinit(&writer);
}

static void what_redis_would_not_write_is_no_integer(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "-",
        "+1",
        "-0",
        "00",
        "01",
        "-01",
        " 1",
        "1 ",
        "1.0",
        "1e3",
        "0x10",
        "1\r",
        "12345678a",
        "1234567/",
        "1234567:",
        "--1",
        "nan",
        "9223372036854775808",
        "-9223372036854775809",
        "99999999999999999999",
        "18446744073709551616",
        "1234567890123456789012345678901234567890",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        int64_t integer = 77;
        assert_false(weir_resp_integer(weir_text(texts[i]), &integer));
        assert_int_equal(integer, 77);
    }
    int64_t integer = 77;
    assert_false(weir_resp_integer(weir_bytes(NULL, 0), &integer));
    assert_false(weir_resp_integer(weir_bytes("1\0", 2), &integer));
    assert_false(weir_resp_integer(weir_bytes("1\xff\xff\xff\xff\xff\xff\xff\xff", 9), &integer));
    assert_int_equal(integer, 77);
}

/* The digits of all bytes before and after '0' and '9', at each place of a word. */
static void each_byte_is_a_digit_or_ends_the_number(void **state)
{
    (void)state;
    for (size_t len = 1; len <= 18; len++) {
        for (size_t at = 0; at < len; at++) {
            for (int byte = 0; byte < 256; byte++) {
                char digits[32];
                memset(digits, '7', len);
                digits[at] = (char)byte;
                digits[len] = '\0';
                const bool is_number = (byte >= '1' && byte <= '9') ||
                                       (byte == '0' && (at > 0 || len == 1)) ||
                                       (byte == '-' && at == 0 && len > 1);
                int64_t integer = 0;
                assert_int_equal(weir_resp_integer(weir_bytes(digits, len), &integer), is_number);
                assert_int_equal(integer, is_number ? strtoll(digits, NULL, 10) : 0);
            }
        }
    }
}

/* ---- There and back ----------------------------------------------------------------------- */

/* Writes a random value, nested to `depth`, and its text as resp_text.h has it. */
struct author {
    struct random random;
    struct weir_buffer writer;
    FILE *text;
    unsigned protocol;
};

static void write_scalar(struct author *author)
{
    static const char *const words[] = {"", "OK", "ERR some words", "a rather longer text than 16"};
    const char *word = words[random_below(&author->random, 4)];
    const int64_t number = (int64_t)random_wide(&author->random, INT64_MAX);
    const bool value = random_once_in(&author->random, 2);
    switch (random_below(&author->random, 7)) {
    case 0:
        weir_resp_put_simple(&author->writer, word);
        (void)fprintf(author->text, "+%s", word);
        break;
    case 1:
        weir_resp_put_error(&author->writer, word);
        (void)fprintf(author->text, "-%s", word);
        break;
    case 2:
        weir_resp_put_integer(&author->writer, number);
        (void)fprintf(author->text, ":%lld", (long long)number);
        break;
    case 3:
        weir_resp_put_bulk_text(&author->writer, word);
        (void)fprintf(author->text, "\"%s\"", word);
        break;
    case 4:
        weir_resp_put_bulk_integer(&author->writer, -number);
        (void)fprintf(author->text, "\"-%lld\"", (long long)number);
        break;
    case 5:
        weir_resp_put_nil(&author->writer, author->protocol);
        (void)fputs("nil", author->text);
        break;
    default:
        weir_resp_put_boolean(&author->writer, value, author->protocol);
        (void)fputs(author->protocol == 3 ? (value ? "true" : "false") : (value ? ":1" : ":0"),
                    author->text);
    }
}

/* Without recursion, as the house has none: an array of arrays and maps of scalars. */
static void write_reply(struct author *author)
{
    const size_t count = (size_t)random_below(&author->random, 5);
    weir_resp_put_array(&author->writer, count);
    (void)fputc('[', author->text);
    for (size_t i = 0; i < count; i++) {
        const size_t pairs = (size_t)random_below(&author->random, 4);
        (void)fprintf(author->text, "%s%s[", i > 0 ? " " : "", author->protocol == 3 ? "%" : "");
        weir_resp_put_map(&author->writer, pairs, author->protocol);
        for (size_t k = 0; k < 2 * pairs; k++) {
            (void)fputs(k > 0 ? " " : "", author->text);
            write_scalar(author);
        }
        (void)fputc(']', author->text);
    }
    (void)fputs("]\n", author->text);
}

static void what_is_written_is_read_again(void **state)
{
    (void)state;
    const uint64_t seed = random_seed(20263);
    print_message("# seed %llu\n", (unsigned long long)seed);
    struct author author = {.random = random_from(seed)};
    for (size_t i = 0; i < random_rounds(2000); i++) {
        char *expected = NULL;
        size_t size = 0;
        author.text = open_memstream(&expected, &size);
        author.protocol = 2 + (unsigned)random_below(&author.random, 2);
        for (size_t replies = 0; replies < 3; replies++) {
            write_reply(&author);
        }
        (void)fclose(author.text);
        assert_false(author.writer.failed);
        const struct weir_resp_limits limits = {0};
        char *text = resp_transcript(&limits, weir_bytes(author.writer.bytes, author.writer.len),
                                     (struct resp_feed){RESP_RANDOM, 0, author.random});
        assert_string_equal(text, expected);
        free(text);
        free(expected);
        weir_buffer_clear(&author.writer);
    }
    weir_buffer_deinit(&author.writer);
}

/* ---- Memory ------------------------------------------------------------------------------- */

/* Gives `left` blocks, each filled with what is not zero. */
struct ration {
    unsigned left;
    size_t given;
};

static void *ration_allocate(void *context, size_t size, size_t alignment)
{
    struct ration *ration = context;
    (void)alignment;
    if (ration->left == 0) {
        return NULL;
    }
    ration->left--;
    ration->given += size;
    return malloc(size);
}

static void ration_release(void *context, void *memory, size_t size)
{
    struct ration *ration = context;
    ration->given -= size;
    free(memory);
}

/* Writes the same commands with memory for no block, one, two, ...: what is there of them is whole.
 */
static void without_memory_a_call_writes_nothing(void **state)
{
    (void)state;
    char long_word[300];
    memset(long_word, 'x', sizeof(long_word));
    const struct weir_bytes words[] = {weir_text("GET"), weir_bytes(long_word, sizeof(long_word))};
    const size_t each = strlen("*2\r\n$3\r\nGET\r\n$300\r\n\r\n") + sizeof(long_word);
    bool failed = true;
    unsigned blocks = 0;
    for (; failed; blocks++) {
        struct ration ration = {.left = blocks};
        const struct weir_allocator allocator = {ration_allocate, ration_release, &ration};
        struct weir_buffer writer = {.allocator = &allocator};
        for (size_t i = 0; i < 20; i++) {
            weir_resp_put_command(&writer, words, 2);
        }
        failed = writer.failed;
        assert_int_equal(writer.len % each, 0);
        assert_true(failed ? writer.len < 20 * each : writer.len == 20 * each);
        /* Once it has failed there is memory again, but what came before is missing. */
        ration.left = 1;
        const size_t len = writer.len;
        weir_resp_put_simple(&writer, "OK");
        assert_int_equal(writer.len, failed ? len : len + 5);
        assert_int_equal(weir_buffer_reserve(&writer, 1), !failed);
        weir_buffer_clear(&writer);
        assert_false(writer.failed);
        assert_true(weir_buffer_reserve(&writer, 1));
        weir_buffer_deinit(&writer);
        assert_ptr_equal(writer.allocator, &allocator);
        assert_int_equal(ration.given, 0);
    }
    assert_true(blocks > 3);
}

static void each_call_survives_a_lack_of_memory(void **state)
{
    (void)state;
    struct ration ration = {0};
    const struct weir_allocator allocator = {ration_allocate, ration_release, &ration};
    struct weir_buffer writer = {.allocator = &allocator};
    const struct weir_bytes word = weir_text("word");
    weir_buffer_put(&writer, word);
    assert_true(writer.failed);
    weir_resp_put_array(&writer, 1);
    weir_resp_put_bulk(&writer, word);
    weir_resp_put_bulk_integer(&writer, 1);
    weir_resp_put_command(&writer, &word, 1);
    weir_resp_put_simple(&writer, "a");
    weir_resp_put_error(&writer, "a");
    weir_resp_put_integer(&writer, 1);
    weir_resp_put_nil(&writer, 2);
    weir_resp_put_boolean(&writer, true, 3);
    weir_resp_put_map(&writer, 1, 2);
    assert_true(writer.failed);
    assert_int_equal(writer.len, 0);
    weir_buffer_deinit(&writer);
}

/* Lengths whose sum is more than any memory. Nothing is read of words that are refused. */
static void sizes_that_overflow_are_refused(void **state)
{
    (void)state;
    struct weir_buffer writer = {0};
    const struct weir_bytes huge = {"", SIZE_MAX - 10};
    const struct weir_bytes halves[] = {{"", SIZE_MAX / 2}, {"", SIZE_MAX / 2}};
    weir_resp_put_simple(&writer, "OK");
    weir_resp_put_bulk(&writer, huge);
    assert_true(writer.failed);
    writer.failed = false;
    weir_resp_put_command(&writer, halves, 2);
    assert_true(writer.failed);
    writer.failed = false;
    assert_false(weir_buffer_reserve(&writer, SIZE_MAX - 2));
    assert_true(writer.failed);
    writer.failed = false;
    expect_bytes(&writer, "+OK\r\n");
    weir_buffer_deinit(&writer);
}

/* What a caller writes himself into the room that he asked for. */
static void room_that_was_reserved_can_be_written(void **state)
{
    (void)state;
    struct weir_buffer writer = {0};
    weir_resp_put_simple(&writer, "before");
    assert_true(weir_buffer_reserve(&writer, 100000));
    memset(writer.bytes + writer.len, '.', 100000);
    assert_memory_equal(writer.bytes, "+before\r\n", 9);
    writer.len += 2;
    weir_resp_put_simple(&writer, "after");
    expect_bytes(&writer, "+before\r\n..+after\r\n");
    const char *const bytes = writer.bytes;
    weir_buffer_put(&writer, weir_text("kept"));
    assert_ptr_equal(writer.bytes, bytes);
    weir_buffer_deinit(&writer);
    assert_null(writer.bytes);
    weir_buffer_deinit(&writer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_client_writes_these_bytes),
        cmocka_unit_test(a_server_writes_these_bytes),
        cmocka_unit_test(numbers_are_written_and_read_as_by_the_c_library),
        cmocka_unit_test(what_redis_would_not_write_is_no_integer),
        cmocka_unit_test(each_byte_is_a_digit_or_ends_the_number),
        cmocka_unit_test(what_is_written_is_read_again),
        cmocka_unit_test(without_memory_a_call_writes_nothing),
        cmocka_unit_test(each_call_survives_a_lack_of_memory),
        cmocka_unit_test(sizes_that_overflow_are_refused),
        cmocka_unit_test(room_that_was_reserved_can_be_written),
    };
    return cmocka_run_group_tests_name("resp_writer", tests, NULL, NULL);
}
