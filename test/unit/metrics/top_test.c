/* top_test.c - what Space-Saving promises of every key, against an exact count.
 *
 * For each key of the list count - error <= true <= count; whoever has more than N / size is in the
 * list, in one list as in several told as one. */

#include "metrics/top.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "support/random.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIZE 50
#define KEYS 5000
#define LISTS 4
#define RULE 7

/* Keys by number, and what each truly cost. */
struct stream {
    struct weir_top *lists[LISTS];
    uint32_t list_count;
    uint64_t truth[KEYS];
    uint64_t all;
};

static struct stream *stream_open(uint32_t lists)
{
    struct stream *stream = calloc(1, sizeof(*stream));
    assert_non_null(stream);
    stream->list_count = lists;
    for (uint32_t i = 0; i < lists; i++) {
        stream->lists[i] = weir_top_new(SIZE);
        assert_non_null(stream->lists[i]);
    }
    return stream;
}

static void stream_close(struct stream *stream)
{
    for (uint32_t i = 0; i < stream->list_count; i++) {
        weir_top_free(stream->lists[i]);
    }
    free(stream);
}

static struct weir_top_key key_of(uint32_t number, char text[16])
{
    const int len = snprintf(text, 16, "key-%u", number);
    /* A bad hash, under which many keys share a place of the index: gaps that entries leave there
     * matter then. */
    return (struct weir_top_key){(uint64_t)number << 16 | number % 61, RULE,
                                 weir_bytes(text, (size_t)len)};
}

static void feed(struct stream *stream, uint32_t list, uint32_t number, uint64_t cost)
{
    char text[16];
    const struct weir_top_key key = key_of(number, text);
    weir_top_count(stream->lists[list], &key, cost);
    stream->truth[number] += cost;
    stream->all += cost;
}

/* All lists as one, in `entries` of LISTS * SIZE; gives how many. */
static size_t tell(const struct stream *stream, struct weir_top_entry *entries)
{
    size_t count = 0;
    uint64_t floors = 0;
    for (uint32_t i = 0; i < stream->list_count; i++) {
        const size_t more = weir_top_copy(stream->lists[i], RULE, entries + count);
        const uint64_t floor = weir_top_floor(stream->lists[i]);
        weir_top_lessen(entries + count, more, floor);
        floors += floor;
        count += more;
    }
    return weir_top_merge(entries, count, floors);
}

/* Everything that is promised, of what has been fed so far. */
static void holds(const struct stream *stream)
{
    struct weir_top_entry *entries = calloc(LISTS * SIZE, sizeof(entries[0]));
    bool listed[KEYS] = {false};
    const size_t count = tell(stream, entries);
    for (size_t i = 0; i < count; i++) {
        const uint32_t number = (uint32_t)strtoul(entries[i].key + strlen("key-"), NULL, 10);
        const uint64_t truth = stream->truth[number];
        assert_true(entries[i].count >= truth);
        assert_true(entries[i].error <= entries[i].count);
        assert_true(entries[i].count - entries[i].error <= truth);
        assert_true(i == 0 || entries[i - 1].count >= entries[i].count);
        assert_false(listed[number]);
        /* Of several lists too the first SIZE are enough. */
        listed[number] = i < SIZE;
    }
    for (uint32_t i = 0; i < KEYS; i++) {
        assert_true(listed[i] || stream->truth[i] <= stream->all / SIZE);
    }
    free(entries);
}

/* ---- Streams ------------------------------------------------------------------------------ */

/* Key i comes about as often as 1 / (i + 1). */
static uint32_t zipf(struct random *random)
{
    return (uint32_t)random_wide(random, KEYS) - 1;
}

static void on_a_zipf_stream(void **state)
{
    (void)state;
    for (uint32_t lists = 1; lists <= LISTS; lists++) {
        struct random random = random_from(random_seed(23) + lists);
        struct stream *stream = stream_open(lists);
        const size_t rounds = random_rounds(60000);
        for (size_t i = 0; i < rounds; i++) {
            const uint64_t cost = random_once_in(&random, 10) ? random_below(&random, 100) : 1;
            feed(stream, (uint32_t)random_below(&random, lists), zipf(&random), cost);
            if (i % 5000 == 0) {
                holds(stream);
            }
        }
        holds(stream);
        stream_close(stream);
    }
}

/* A heavy key, then ever new ones that push each other out, over and over. */
static void among_ever_new_keys(void **state)
{
    (void)state;
    struct stream *stream = stream_open(1);
    for (uint32_t i = 0; i < 100000; i++) {
        feed(stream, 0, i % 40 == 0 ? 3 : 10 + i % (KEYS - 10), 1);
    }
    assert_true(stream->truth[3] > stream->all / SIZE);
    holds(stream);
    stream_close(stream);
}

/* Those who come last inherit the most: what is known of them is in the error. */
static void when_the_heavy_come_last(void **state)
{
    (void)state;
    struct stream *stream = stream_open(1);
    for (uint32_t i = 0; i < 20 * KEYS; i++) {
        feed(stream, 0, i % KEYS, 1);
    }
    for (uint32_t i = 0; i < SIZE / 2; i++) {
        feed(stream, 0, i, stream->all / SIZE + 1);
    }
    holds(stream);
    stream_close(stream);
}

/* Each list has keys of its own, none of them heavy there, and one that is heavy over all. */
static void over_lists_that_know_different_keys(void **state)
{
    (void)state;
    struct stream *stream = stream_open(LISTS);
    for (uint32_t i = 0; i < 200000; i++) {
        const uint32_t list = i % LISTS;
        const uint32_t own = 1 + list * (KEYS / LISTS - 1) + i / LISTS % (KEYS / LISTS - 1);
        feed(stream, list, i % 97 < 3 ? 0 : own, 1);
    }
    assert_true(stream->truth[0] > stream->all / SIZE);
    holds(stream);
    stream_close(stream);
}

/* ---- Edges -------------------------------------------------------------------------------- */

static void few_keys_are_counted_exactly(void **state)
{
    (void)state;
    struct stream *stream = stream_open(2);
    struct weir_top_entry entries[LISTS * SIZE];
    for (uint32_t i = 0; i < SIZE; i++) {
        feed(stream, i % 2, i, i + 1);
        feed(stream, (i + 1) % 2, i, 1000);
    }
    assert_int_equal(tell(stream, entries), SIZE);
    for (uint32_t i = 0; i < SIZE; i++) {
        assert_int_equal(entries[i].count, 1000 + SIZE - i);
        assert_int_equal(entries[i].error, 0);
    }
    stream_close(stream);
}

static void a_list_of_one(void **state)
{
    (void)state;
    struct weir_top *top = weir_top_new(1);
    struct weir_top_entry entry;
    weir_top_count(top, &(struct weir_top_key){1, 0, weir_text("a")}, 5);
    assert_int_equal(weir_top_floor(top), 5);
    weir_top_count(top, &(struct weir_top_key){2, 0, weir_text("b")}, 2);
    assert_int_equal(weir_top_copy(top, 0, &entry), 1);
    assert_string_equal(entry.key, "b");
    assert_int_equal(entry.count, 7);
    assert_int_equal(entry.error, 5);
    weir_top_free(top);
    weir_top_free(NULL);
}

static void nothing_costs_nothing(void **state)
{
    (void)state;
    struct weir_top *top = weir_top_new(2);
    struct weir_top_entry entries[2];
    weir_top_count(top, &(struct weir_top_key){1, 0, weir_text("a")}, 0);
    assert_int_equal(weir_top_copy(top, 0, entries), 0);
    weir_top_free(top);
}

static void rules_have_keys_of_their_own(void **state)
{
    (void)state;
    struct weir_top *top = weir_top_new(4);
    struct weir_top_entry entries[4];
    weir_top_count(top, &(struct weir_top_key){1, 0, weir_text("a")}, 1);
    weir_top_count(top, &(struct weir_top_key){1, 1, weir_text("a")}, 2);
    assert_int_equal(weir_top_copy(top, 1, entries), 1);
    assert_int_equal(entries[0].count, 2);
    weir_top_free(top);
}

static void long_keys_are_cut_and_told_apart(void **state)
{
    (void)state;
    char text[WEIR_TOP_KEY_MAX + 2];
    struct weir_top *top = weir_top_new(4);
    struct weir_top_entry entries[4];
    memset(text, 'x', sizeof(text));
    weir_top_count(top, &(struct weir_top_key){1, 0, weir_bytes(text, WEIR_TOP_KEY_MAX)}, 1);
    assert_int_equal(weir_top_copy(top, 0, entries), 1);
    assert_int_equal(strlen(entries[0].key), WEIR_TOP_KEY_MAX);
    assert_int_equal(entries[0].key[WEIR_TOP_KEY_MAX - 1], 'x');
    weir_top_count(top, &(struct weir_top_key){2, 0, weir_bytes(text, sizeof(text))}, 1);
    text[sizeof(text) - 1] = 'y';
    weir_top_count(top, &(struct weir_top_key){3, 0, weir_bytes(text, sizeof(text))}, 1);
    weir_top_count(top, &(struct weir_top_key){3, 0, weir_bytes(text, sizeof(text))}, 1);
    assert_int_equal(weir_top_copy(top, 0, entries), 3);
    assert_int_equal(weir_top_merge(entries, 3, 0), 3);
    assert_int_equal(entries[0].count, 2);
    assert_string_equal(entries[0].key + WEIR_TOP_KEY_MAX - 4, "x...");
    weir_top_free(top);
}

static void any_bytes_are_a_key(void **state)
{
    (void)state;
    struct weir_top *top = weir_top_new(4);
    struct weir_top_entry entries[4];
    weir_top_count(top, &(struct weir_top_key){9, 0, weir_bytes(NULL, 0)}, 1);
    weir_top_count(top, &(struct weir_top_key){9, 0, weir_bytes("a\0b", 3)}, 1);
    weir_top_count(top, &(struct weir_top_key){9, 0, weir_bytes("a\0c", 3)}, 1);
    weir_top_count(top, &(struct weir_top_key){9, 0, weir_bytes(NULL, 0)}, 1);
    assert_int_equal(weir_top_copy(top, 0, entries), 3);
    assert_int_equal(weir_top_merge(entries, 3, 0), 3);
    assert_int_equal(entries[0].key_len, 0);
    assert_int_equal(entries[0].count, 2);
    assert_int_equal(entries[1].key_len, 3);
    weir_top_free(top);
}

static void counts_stop_before_they_wrap(void **state)
{
    (void)state;
    struct weir_top *top = weir_top_new(1);
    struct weir_top_entry entry;
    for (uint64_t i = 0; i < 3; i++) {
        weir_top_count(top, &(struct weir_top_key){i, 0, weir_text("a")}, UINT64_MAX);
    }
    assert_int_equal(weir_top_copy(top, 0, &entry), 1);
    assert_true(entry.count == UINT64_C(1) << 54);
    weir_top_free(top);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(on_a_zipf_stream),
        cmocka_unit_test(among_ever_new_keys),
        cmocka_unit_test(when_the_heavy_come_last),
        cmocka_unit_test(over_lists_that_know_different_keys),
        cmocka_unit_test(few_keys_are_counted_exactly),
        cmocka_unit_test(a_list_of_one),
        cmocka_unit_test(nothing_costs_nothing),
        cmocka_unit_test(rules_have_keys_of_their_own),
        cmocka_unit_test(long_keys_are_cut_and_told_apart),
        cmocka_unit_test(any_bytes_are_a_key),
        cmocka_unit_test(counts_stop_before_they_wrap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
