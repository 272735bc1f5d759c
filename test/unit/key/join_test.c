/* join_test.c - two lists of parts have one key if and only if they are one list. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/random.h"
#include "weir/weir.h"

#include <stdlib.h>
#include <string.h>

#define PARTS_MAX 4

static void expect_key(const struct weir_bytes *parts, size_t count, const char *expected)
{
    char buffer[64];
    struct weir_bytes key;
    assert_int_equal(weir_key_join(parts, count, buffer, sizeof(buffer), &key), WEIR_OK);
    assert_ptr_equal(key.ptr, buffer);
    assert_int_equal(key.len, strlen(expected));
    assert_memory_equal(key.ptr, expected, key.len);
}

/* The examples of weir.h, and each byte that is written in another way. */
static void keys_are_written_as_the_header_says(void **state)
{
    (void)state;
    const struct weir_bytes a_b_c[] = {weir_text("a_b"), weir_text("c")};
    const struct weir_bytes a_bc[] = {weir_text("a"), weir_text("b_c")};
    const struct weir_bytes a_nothing[] = {weir_text("a"), {NULL, 0}};
    const struct weir_bytes special[] = {weir_text("1:2%{3} "), weir_bytes("\0\x7f\xff", 3)};
    expect_key(a_b_c, 2, "a_b:c");
    expect_key(a_bc, 2, "a:b_c");
    expect_key(a_nothing, 1, "a");
    expect_key(a_nothing, 2, "a:");
    expect_key(a_nothing + 1, 1, "");
    expect_key(special, 2, "1%3A2%25%7B3%7D%20:%00%7F\xff");
}

static void each_byte_is_plain_or_escaped(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        const unsigned char byte = (unsigned char)c;
        const struct weir_bytes part = weir_bytes(&byte, 1);
        const bool escaped = c <= 0x20 || c == 0x7f || strchr(":%{}", c) != NULL;
        char buffer[4] = "";
        struct weir_bytes key;
        assert_int_equal(weir_key_join(&part, 1, buffer, sizeof(buffer), &key), WEIR_OK);
        assert_int_equal(key.len, escaped ? 3 : 1);
        assert_int_equal((unsigned char)buffer[0], escaped ? '%' : byte);
        if (escaped) {
            char digits[3] = {buffer[1], buffer[2], '\0'};
            assert_int_equal(strtol(digits, NULL, 16), c);
        }
    }
}

static void a_key_is_at_most_its_buffer_and_its_bound(void **state)
{
    (void)state;
    static char part[WEIR_KEY_MAX + 1];
    static char buffer[2 * WEIR_KEY_MAX];
    memset(part, 'x', sizeof(part));
    struct weir_bytes key = {"untouched", 9};
    struct weir_bytes parts[] = {weir_bytes(part, WEIR_KEY_MAX), {NULL, 0}};
    assert_int_equal(weir_key_join(parts, 1, buffer, sizeof(buffer), &key), WEIR_OK);
    assert_int_equal(key.len, WEIR_KEY_MAX);

    key = weir_text("untouched");
    assert_int_equal(weir_key_join(parts, 2, buffer, sizeof(buffer), &key), WEIR_ERR_KEY_LENGTH);
    parts[0].len = WEIR_KEY_MAX + 1;
    assert_int_equal(weir_key_join(parts, 1, buffer, sizeof(buffer), &key), WEIR_ERR_KEY_LENGTH);
    parts[0].len = WEIR_KEY_MAX - 2;
    part[0] = ':';
    assert_int_equal(weir_key_join(parts, 1, buffer, sizeof(buffer), &key), WEIR_OK);
    key = weir_text("untouched");
    parts[0].len = WEIR_KEY_MAX - 1;
    assert_int_equal(weir_key_join(parts, 1, buffer, sizeof(buffer), &key), WEIR_ERR_KEY_LENGTH);
    assert_int_equal(weir_key_join(parts, 0, buffer, sizeof(buffer), &key), WEIR_ERR_ARGUMENT);
    assert_string_equal(key.ptr, "untouched");
}

/* Not one byte is written past the size that was given. */
static void nothing_is_written_past_the_buffer(void **state)
{
    (void)state;
    const struct weir_bytes parts[] = {weir_text("a:b"), weir_text("c")};
    char whole[8];
    struct weir_bytes key;
    assert_int_equal(weir_key_join(parts, 2, whole, 7, &key), WEIR_OK);
    assert_memory_equal(whole, "a%3Ab:c", 7);
    for (size_t size = 0; size < 7; size++) {
        char buffer[8];
        memset(buffer, '#', sizeof(buffer));
        assert_int_equal(weir_key_join(parts, 2, buffer, size, &key), WEIR_ERR_KEY_LENGTH);
        for (size_t i = size; i < sizeof(buffer); i++) {
            assert_int_equal(buffer[i], '#');
        }
    }
    assert_int_equal(weir_key_join(parts, 2, NULL, 0, &key), WEIR_ERR_KEY_LENGTH);
}

struct joined {
    char bytes[32];
    size_t len;
};

static int compare_joined(const void *a, const void *b)
{
    const struct joined *left = a;
    const struct joined *right = b;
    if (left->len != right->len) {
        return left->len < right->len ? -1 : 1;
    }
    return memcmp(left->bytes, right->bytes, left->len);
}

/* The parts of up to two letters of an alphabet made of all that means something in a key. */
#define LETTERS "a:%3A"
#define LETTER_COUNT 5
#define PART_COUNT (1 + LETTER_COUNT + LETTER_COUNT * LETTER_COUNT)

static size_t make_parts(char storage[PART_COUNT][2], struct weir_bytes parts[PART_COUNT])
{
    size_t count = 0;
    parts[count++] = weir_bytes(NULL, 0);
    for (size_t i = 0; i < LETTER_COUNT; i++) {
        storage[count][0] = LETTERS[i];
        parts[count] = weir_bytes(storage[count], 1);
        count++;
        for (size_t j = 0; j < LETTER_COUNT; j++) {
            storage[count][0] = LETTERS[i];
            storage[count][1] = LETTERS[j];
            parts[count] = weir_bytes(storage[count], 2);
            count++;
        }
    }
    return count;
}

static void join_into(struct joined *joined, const struct weir_bytes *parts, size_t count)
{
    struct weir_bytes key;
    assert_int_equal(weir_key_join(parts, count, joined->bytes, sizeof(joined->bytes), &key),
                     WEIR_OK);
    joined->len = key.len;
}

/* All lists of one to three such parts, 30,783 of them, have as many keys. */
static void no_two_of_all_short_lists_meet(void **state)
{
    (void)state;
    char storage[PART_COUNT][2];
    struct weir_bytes part[PART_COUNT];
    const size_t parts = make_parts(storage, part);
    assert_int_equal(parts, PART_COUNT);
    const size_t lists = parts + parts * parts + parts * parts * parts;
    struct joined *all = calloc(lists, sizeof(*all));
    assert_non_null(all);
    size_t count = 0;
    for (size_t i = 0; i < parts; i++) {
        join_into(&all[count++], &part[i], 1);
        for (size_t j = 0; j < parts; j++) {
            join_into(&all[count++], (struct weir_bytes[]){part[i], part[j]}, 2);
            for (size_t k = 0; k < parts; k++) {
                join_into(&all[count++], (struct weir_bytes[]){part[i], part[j], part[k]}, 3);
            }
        }
    }
    assert_int_equal(count, lists);
    qsort(all, count, sizeof(*all), compare_joined);
    for (size_t i = 1; i < count; i++) {
        assert_int_not_equal(compare_joined(&all[i - 1], &all[i]), 0);
    }
    free(all);
}

struct list {
    char storage[PARTS_MAX][4];
    struct weir_bytes parts[PARTS_MAX];
    size_t count;
};

static void make_list(struct random *random, struct list *list)
{
    static const char letters[] = {'a', 'b', ':', '%', '2', '5', '\0', '{'};
    list->count = 1 + random_below(random, PARTS_MAX);
    for (size_t i = 0; i < list->count; i++) {
        const size_t length = random_below(random, 4);
        for (size_t k = 0; k < length; k++) {
            list->storage[i][k] = letters[random_below(random, sizeof(letters))];
        }
        list->parts[i] = weir_bytes(list->storage[i], length);
    }
}

static bool same_list(const struct list *a, const struct list *b)
{
    bool same = a->count == b->count;
    for (size_t i = 0; same && i < a->count; i++) {
        same = a->parts[i].len == b->parts[i].len &&
               memcmp(a->parts[i].ptr, b->parts[i].ptr, a->parts[i].len) == 0;
    }
    return same;
}

/* And so for pairs of random lists that are alike: one is the other with a little moved. */
static void lists_are_equal_if_and_only_if_their_keys_are(void **state)
{
    (void)state;
    struct random random = random_from(random_seed(3));
    const size_t rounds = random_rounds(300000);
    size_t equal = 0;
    for (size_t round = 0; round < rounds; round++) {
        struct list a;
        make_list(&random, &a);
        struct list b = a;
        for (size_t i = 0; i < b.count; i++) {
            b.parts[i].ptr = b.storage[i];
        }
        const size_t i = random_below(&random, b.count);
        if (random_once_in(&random, 2) && b.parts[i].len > 0) {
            b.parts[i].len--;
        }
        if (random_once_in(&random, 4)) {
            make_list(&random, &b);
        }
        char first[64];
        char second[64];
        struct weir_bytes key;
        struct weir_bytes other;
        assert_int_equal(weir_key_join(a.parts, a.count, first, sizeof(first), &key), WEIR_OK);
        assert_int_equal(weir_key_join(b.parts, b.count, second, sizeof(second), &other), WEIR_OK);
        const bool same = key.len == other.len && memcmp(first, second, key.len) == 0;
        assert_int_equal(same, same_list(&a, &b));
        equal += same ? 1 : 0;
    }
    assert_true(equal > 0 && equal < rounds);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_written_as_the_header_says),
        cmocka_unit_test(each_byte_is_plain_or_escaped),
        cmocka_unit_test(a_key_is_at_most_its_buffer_and_its_bound),
        cmocka_unit_test(nothing_is_written_past_the_buffer),
        cmocka_unit_test(no_two_of_all_short_lists_meet),
        cmocka_unit_test(lists_are_equal_if_and_only_if_their_keys_are),
    };
    return cmocka_run_group_tests_name("key join", tests, NULL, NULL);
}
