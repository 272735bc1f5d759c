/* reader_test.c - what a reader does besides reading: it takes memory sparingly and survives where
 * there is none, looks neither past its bytes nor at them again, and stays with what it said. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "resp/reader.h"
#include "support/resp_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* ---- Memory ------------------------------------------------------------------------------- */

/* An allocator that knows what it gave, and fails once, at its `fail_at`-th call counted from 1. */
struct account {
    unsigned calls;
    unsigned fail_at;
    unsigned given;
    size_t bytes;
};

static void *account_allocate(void *context, size_t size, size_t alignment)
{
    struct account *account = context;
    assert_true(size > 0 && alignment <= _Alignof(max_align_t));
    if (++account->calls == account->fail_at) {
        return NULL;
    }
    account->given++;
    account->bytes += size;
    void *memory = malloc(size);
    assert_non_null(memory);
    memset(memory, 0xa5, size);
    return memory;
}

static void account_release(void *context, void *memory, size_t size)
{
    struct account *account = context;
    assert_non_null(memory);
    assert_true(account->given > 0 && account->bytes >= size);
    account->given--;
    account->bytes -= size;
    free(memory);
}

/* "*N" and N small strings: N + 1 values. */
static struct weir_bytes array_of(size_t count, char *bytes, size_t room)
{
    int len = snprintf(bytes, room, "*%zu\r\n", count);
    for (size_t i = 0; i < count; i++) {
        len += snprintf(bytes + len, room - (size_t)len, "$3\r\n%03zu\r\n", i % 1000);
        assert_true((size_t)len < room);
    }
    return weir_bytes(bytes, (size_t)len);
}

static void expect_array(struct weir_resp_reader *reader, struct weir_bytes input, size_t count)
{
    size_t used;
    assert_int_equal(weir_resp_read(reader, input, &used), WEIR_RESP_VALUE);
    assert_int_equal(used, input.len);
    size_t found;
    const struct weir_resp_value *values = weir_resp_values(reader, &found);
    assert_int_equal(found, count + 1);
    assert_int_equal(values[0].count, count);
    for (size_t i = 0; i < count; i++) {
        char expected[8];
        (void)snprintf(expected, sizeof(expected), "%03zu", i % 1000);
        assert_memory_equal(values[1 + i].text.ptr, expected, 3);
    }
}

#define ARRAY_BYTES (1 << 17)

static void a_small_reply_takes_no_memory(void **state)
{
    (void)state;
    struct account account = {0};
    const struct weir_allocator allocator = {account_allocate, account_release, &account};
    struct weir_resp_reader *reader = weir_resp_reader_new(NULL, &allocator);
    char bytes[1024];
    assert_int_equal(account.calls, 1);
    for (size_t count = 0; count < WEIR_RESP_VALUES_OWN; count++) {
        expect_array(reader, array_of(count, bytes, sizeof(bytes)), count);
    }
    assert_int_equal(account.calls, 1);
    expect_array(reader, array_of(WEIR_RESP_VALUES_OWN, bytes, sizeof(bytes)),
                 WEIR_RESP_VALUES_OWN);
    assert_int_equal(account.calls, 2);
    weir_resp_reader_free(reader);
    assert_int_equal(account.given, 0);
    assert_int_equal(account.bytes, 0);
}

static void the_memory_of_a_reply_is_kept_unless_it_was_a_giant(void **state)
{
    (void)state;
    struct account account = {0};
    const struct weir_allocator allocator = {account_allocate, account_release, &account};
    struct weir_resp_reader *reader = weir_resp_reader_new(NULL, &allocator);
    char *bytes = test_malloc(ARRAY_BYTES);
    const size_t kept = WEIR_RESP_VALUES_KEPT - 1;
    expect_array(reader, array_of(kept, bytes, ARRAY_BYTES), kept);
    const unsigned calls = account.calls;
    expect_array(reader, array_of(kept, bytes, ARRAY_BYTES), kept);
    assert_int_equal(account.calls, calls);
    assert_int_equal(account.given, 2);

    expect_array(reader, array_of(kept + 1, bytes, ARRAY_BYTES), kept + 1);
    assert_int_equal(account.given, 2);
    expect_array(reader, array_of(1, bytes, ARRAY_BYTES), 1);
    assert_int_equal(account.given, 1);

    /* A reset gives back what half a reply took. */
    const struct weir_bytes half = array_of(kept, bytes, ARRAY_BYTES);
    size_t used;
    assert_int_equal(weir_resp_read(reader, weir_bytes(half.ptr, half.len - 1), &used),
                     WEIR_RESP_MORE);
    assert_int_equal(account.given, 2);
    weir_resp_reader_reset(reader);
    assert_int_equal(account.given, 1);
    weir_resp_reader_free(reader);
    assert_int_equal(account.bytes, 0);
    test_free(bytes);
}

/* A header that promises much takes nothing before it comes. */
static void a_promise_takes_no_memory(void **state)
{
    (void)state;
    struct account account = {0};
    const struct weir_allocator allocator = {account_allocate, account_release, &account};
    struct weir_resp_reader *reader = weir_resp_reader_new(NULL, &allocator);
    const struct weir_bytes input = weir_text("*2\r\n*60000\r\n:1\r\n$1000000\r\nabc");
    size_t used;
    assert_int_equal(weir_resp_read(reader, input, &used), WEIR_RESP_MORE);
    assert_int_equal(account.calls, 1);
    weir_resp_reader_free(reader);
}

/* Each allocation fails in turn: the call says so, and the next one goes on. */
static void a_read_goes_on_after_an_allocation_failed(void **state)
{
    (void)state;
    char *bytes = test_malloc(ARRAY_BYTES);
    unsigned tried = 0;
    for (bool failed = true; failed; tried++) {
        struct account account = {.fail_at = tried + 1};
        const struct weir_allocator allocator = {account_allocate, account_release, &account};
        struct weir_resp_reader *reader = weir_resp_reader_new(NULL, &allocator);
        failed = reader == NULL;
        if (reader != NULL) {
            const struct weir_bytes input = array_of(2000, bytes, ARRAY_BYTES);
            size_t used = 0;
            const enum weir_resp_state first = weir_resp_read(reader, input, &used);
            failed = first == WEIR_RESP_NO_MEMORY;
            assert_true(failed || first == WEIR_RESP_VALUE);
            assert_int_equal(used, failed ? 0 : input.len);
            assert_string_equal(weir_resp_complaint(reader), "");
            if (failed) {
                expect_array(reader, input, 2000);
            }
        }
        weir_resp_reader_free(reader);
        assert_int_equal(account.given, 0);
        assert_int_equal(account.bytes, 0);
    }
    assert_int_equal(tried, 1 + 6 + 1); /* the reader; 64 values, 128, to 2048; none */
    test_free(bytes);
}

static void a_line_of_words_goes_on_after_an_allocation_failed(void **state)
{
    (void)state;
    char line[256];
    size_t len = 0;
    for (size_t i = 0; i < 100; i++) {
        line[len++] = 'w';
        line[len++] = ' ';
    }
    line[len++] = '\n';
    for (unsigned fail_at = 2; fail_at < 4; fail_at++) {
        struct account account = {.fail_at = fail_at};
        const struct weir_allocator allocator = {account_allocate, account_release, &account};
        const struct weir_resp_limits limits = {.commands = true};
        struct weir_resp_reader *reader = weir_resp_reader_new(&limits, &allocator);
        size_t used;
        size_t count;
        assert_int_equal(weir_resp_read(reader, weir_bytes(line, len), &used), WEIR_RESP_NO_MEMORY);
        assert_int_equal(weir_resp_read(reader, weir_bytes(line, len), &used), WEIR_RESP_VALUE);
        assert_int_equal(weir_resp_values(reader, &count)->count, 100);
        assert_int_equal(count, 101);
        weir_resp_reader_free(reader);
        assert_int_equal(account.given, 0);
    }
}

static void freeing_nothing_is_fine(void **state)
{
    (void)state;
    weir_resp_reader_free(NULL);
}

/* ---- Bytes that may not be looked at ------------------------------------------------------ */

/* Pages that a text is shown through, one after the other. */
struct pages {
    char *bytes;
    size_t size;
    size_t page;
};

static struct pages pages_new(size_t size)
{
    struct pages pages = {.page = (size_t)sysconf(_SC_PAGESIZE)};
    pages.size = (size + pages.page - 1) / pages.page * pages.page;
    pages.bytes =
        mmap(NULL, pages.size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(pages.bytes, MAP_FAILED);
    return pages;
}

static void protect(const struct pages *pages, size_t from, size_t to, int how)
{
    if (from < to) {
        assert_int_equal(mprotect(pages->bytes + from, to - from, how), 0);
    }
}

/* Shows a reader the first `len` bytes of the pages, a byte more each time, with nothing to be seen
 * but the page of the newest byte and the one before, and the first: always where `see_first`, else
 * at the end again, when a string's length may be read once more. */
static size_t read_through_a_slit(const struct pages *pages, size_t len, bool see_first)
{
    struct weir_resp_reader *reader = weir_resp_reader_new(NULL, NULL);
    size_t used;
    size_t count;
    protect(pages, 0, pages->size, PROT_NONE);
    protect(pages, 0, pages->page, PROT_READ);
    for (size_t shown = 1; shown < len; shown++) {
        const size_t newest = (shown - 1) / pages->page * pages->page;
        if (newest == shown - 1 && newest > 0) {
            protect(pages, newest, newest + pages->page, PROT_READ);
        }
        if (newest == shown - 1 && newest > 2 * pages->page) {
            protect(pages, newest - 2 * pages->page, newest - pages->page, PROT_NONE);
        }
        if (newest == shown - 1 && newest == 2 * pages->page && !see_first) {
            protect(pages, 0, pages->page, PROT_NONE);
        }
        assert_int_equal(weir_resp_read(reader, weir_bytes(pages->bytes, shown), &used),
                         WEIR_RESP_MORE);
    }
    protect(pages, 0, pages->page, PROT_READ);
    protect(pages, (len - 1) / pages->page * pages->page, pages->size, PROT_READ);
    assert_int_equal(weir_resp_read(reader, weir_bytes(pages->bytes, len), &used), WEIR_RESP_VALUE);
    assert_int_equal(used, len);
    (void)weir_resp_values(reader, &count);
    weir_resp_reader_free(reader);
    assert_int_equal(munmap(pages->bytes, pages->size), 0);
    return count;
}

/* A line's type is read again, nothing else is. */
static void a_long_text_in_single_bytes_is_looked_at_once(void **state)
{
    (void)state;
    static const char *const headers[] = {"$1048576\r\n", "!1048576\r\n", "+", "-"};
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        const size_t header = strlen(headers[i]);
        const struct pages pages = pages_new(header + WEIR_RESP_TEXT + 2);
        memcpy(pages.bytes, headers[i], header);
        memset(pages.bytes + header, 'x', WEIR_RESP_TEXT);
        memcpy(pages.bytes + header + WEIR_RESP_TEXT, "\r\n", 2);
        assert_int_equal(read_through_a_slit(&pages, header + WEIR_RESP_TEXT + 2, i >= 2), 1);
    }
}

static void a_long_array_in_single_bytes_is_looked_at_once(void **state)
{
    (void)state;
    static const char *const parts[] = {":-12345\r\n", "$3\r\nabc\r\n", "+OK\r\n", "_\r\n"};
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        const size_t part = strlen(parts[i]);
        const size_t header = strlen("*65535\r\n");
        const size_t len = header + part * (WEIR_RESP_VALUES - 1);
        const struct pages pages = pages_new(len);
        memcpy(pages.bytes, "*65535\r\n", header);
        for (size_t at = header; at < len; at += part) {
            memcpy(pages.bytes + at, parts[i], part);
        }
        assert_int_equal(read_through_a_slit(&pages, len, false), WEIR_RESP_VALUES);
    }
}

/* Every text that ends where a page does, with one behind it that can't be read; it begins there
 * too, so that there are not eight bytes to be read at once. */
static void nothing_is_looked_at_past_the_end(void **state)
{
    (void)state;
    static const char *const texts[] = {
        ":1\r\n",
        ":123456789\r\n",
        "+OK\r\n",
        "+eight by\r\n",
        "$1\r\na\r\n",
        "$-1\r\n",
        "_\r\n",
        "#t\r\n",
        "*2\r\n_\r\n",
        ":1234567",
        ":12345678",
        ":-",
        "+",
        "+a long li",
        "$10\r\n123456",
        "#",
        "*",
        "|",
        ",1.5\r\n",
        "(123\r\n",
        "%1\r\n",
        "=4\r\ntxt:\r",
        "$1",
        "*-1\r",
    };
    const struct pages pages = pages_new(3 * (size_t)sysconf(_SC_PAGESIZE));
    char *const end = pages.bytes + 2 * pages.page;
    protect(&pages, 2 * pages.page, 3 * pages.page, PROT_NONE);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        const size_t len = strlen(texts[i]);
        memcpy(end - len, texts[i], len);
        for (unsigned commands = 0; commands < 2; commands++) {
            const struct weir_resp_limits limits = {.commands = commands == 1};
            struct weir_resp_reader *reader = weir_resp_reader_new(&limits, NULL);
            size_t used;
            (void)weir_resp_read(reader, weir_bytes(end - len, len), &used);
            weir_resp_reader_free(reader);
        }
    }
    assert_int_equal(munmap(pages.bytes, pages.size), 0);
}

/* ---- States ------------------------------------------------------------------------------- */

static void what_is_bad_stays_bad_until_a_reset(void **state)
{
    (void)state;
    struct weir_resp_reader *reader = weir_resp_reader_new(NULL, NULL);
    const struct weir_bytes good = weir_text(":1\r\n");
    size_t used = 77;
    size_t count;
    assert_int_equal(weir_resp_read(reader, weir_text("x"), &used), WEIR_RESP_BAD);
    assert_int_equal(weir_resp_read(reader, good, &used), WEIR_RESP_BAD);
    assert_int_equal(weir_resp_read(reader, weir_bytes(NULL, 0), &used), WEIR_RESP_BAD);
    assert_string_not_equal(weir_resp_complaint(reader), "");
    weir_resp_reader_reset(reader);
    assert_string_equal(weir_resp_complaint(reader), "");
    assert_int_equal(weir_resp_read(reader, weir_text("*65536\r\n"), &used), WEIR_RESP_LARGE);
    assert_int_equal(weir_resp_read(reader, good, &used), WEIR_RESP_LARGE);
    assert_int_equal(used, 77);
    weir_resp_reader_reset(reader);
    assert_int_equal(weir_resp_read(reader, good, &used), WEIR_RESP_VALUE);
    assert_int_equal(weir_resp_values(reader, &count)->integer, 1);
    assert_int_equal(count, 1);
    weir_resp_reader_free(reader);
}

static void a_reset_forgets_half_a_value(void **state)
{
    (void)state;
    static const char *const halves[] = {"*2\r\n:1\r\n", "$100\r\nabc", "+a line that is long",
                                         "|1\r\n+a\r\n", "*1\r\n*1\r\n*1\r\n"};
    struct weir_resp_reader *reader = weir_resp_reader_new(NULL, NULL);
    for (size_t i = 0; i < sizeof(halves) / sizeof(halves[0]); i++) {
        size_t used;
        size_t count;
        assert_int_equal(weir_resp_read(reader, weir_text(halves[i]), &used), WEIR_RESP_MORE);
        weir_resp_reader_reset(reader);
        assert_int_equal(weir_resp_read(reader, weir_text("+OK\r\n"), &used), WEIR_RESP_VALUE);
        const struct weir_resp_value *values = weir_resp_values(reader, &count);
        char *text = resp_values_text(values, count);
        assert_string_equal(text, "+OK");
        free(text);
    }
    weir_resp_reader_free(reader);
}

/* The values of a reply are there until the next call, and then no more. */
static void values_are_those_of_the_last_call(void **state)
{
    (void)state;
    struct weir_resp_reader *reader = weir_resp_reader_new(NULL, NULL);
    size_t used;
    size_t count = 77;
    (void)weir_resp_values(reader, &count);
    assert_int_equal(count, 0);
    assert_int_equal(weir_resp_read(reader, weir_text("*1\r\n:1\r\n"), &used), WEIR_RESP_VALUE);
    (void)weir_resp_values(reader, &count);
    assert_int_equal(count, 2);
    assert_int_equal(weir_resp_read(reader, weir_bytes(NULL, 0), &used), WEIR_RESP_MORE);
    (void)weir_resp_values(reader, &count);
    assert_int_equal(count, 0);
    weir_resp_reader_free(reader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_small_reply_takes_no_memory),
        cmocka_unit_test(the_memory_of_a_reply_is_kept_unless_it_was_a_giant),
        cmocka_unit_test(a_promise_takes_no_memory),
        cmocka_unit_test(a_read_goes_on_after_an_allocation_failed),
        cmocka_unit_test(a_line_of_words_goes_on_after_an_allocation_failed),
        cmocka_unit_test(freeing_nothing_is_fine),
        cmocka_unit_test(a_long_text_in_single_bytes_is_looked_at_once),
        cmocka_unit_test(a_long_array_in_single_bytes_is_looked_at_once),
        cmocka_unit_test(nothing_is_looked_at_past_the_end),
        cmocka_unit_test(what_is_bad_stays_bad_until_a_reset),
        cmocka_unit_test(a_reset_forgets_half_a_value),
        cmocka_unit_test(values_are_those_of_the_last_call),
    };
    return cmocka_run_group_tests_name("resp_reader", tests, NULL, NULL);
}
