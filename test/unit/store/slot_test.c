/* slot_test.c - states into 80 bits and back, where keys go, and what an orphaned claim comes to.
 *
 * What happens when several are at it is in test/model and crowd_test.c. */

#include "store/slot_state.h"
#include "store/table.h"
#include "support/fixture.h"
#include "support/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TAG (UINT64_C(0x123456789abc) << WEIR_TAG_SHIFT)

/* ---- States ---- */

static void must_round_trip(enum weir_kind kind, struct weir_state state, int64_t now_us)
{
    const struct weir_pair value = weir_slot_pack(TAG, kind, state, now_us);
    const struct weir_state back = weir_slot_unpack(value, kind, now_us);
    assert_int_equal(weir_slot_kind(value), kind);
    assert_true(weir_slot_live(value));
    assert_true(weir_slot_lives(value.low, TAG));
    assert_true(weir_slot_matches(value.low, TAG));
    assert_false(weir_slot_lives(value.low, TAG ^ (UINT64_C(1) << WEIR_TAG_SHIFT)));
    assert_int_equal(back.until_us, state.until_us > now_us ? state.until_us : now_us);
    assert_int_equal(back.payload, state.payload);
    assert_int_equal(weir_slot_until(value, kind, now_us), back.until_us);
}

static void a_fine_state_comes_back_whole(void **state)
{
    (void)state;
    struct random random = random_from(random_seed(1));
    for (size_t i = 0; i < random_rounds(100000); i++) {
        const int64_t now_us = random_between(&random, 0, WEIR_TIME_MAX);
        const struct weir_state sample = {now_us +
                                              random_between(&random, -1000, 2 * WEIR_PERIOD_MAX),
                                          random_next(&random) & UINT32_MAX};
        must_round_trip(WEIR_KIND_FINE, sample, now_us);
    }
}

/* A coarse state's time is a whole number of its units, as sliding-window makes it. */
static void a_coarse_state_comes_back_whole(void **state)
{
    (void)state;
    struct random random = random_from(random_seed(2));
    for (size_t i = 0; i < random_rounds(100000); i++) {
        const int64_t unit = INT64_C(1) << WEIR_COARSE_BITS;
        const int64_t now_us = random_between(&random, 0, WEIR_TIME_MAX / unit) * unit;
        const struct weir_state sample = {
            now_us + random_between(&random, 0, 2 * WEIR_PERIOD_MAX / unit) * unit,
            random_next(&random) & ((UINT64_C(1) << (2 * WEIR_SLIDING_BITS)) - 1)};
        must_round_trip(WEIR_KIND_COARSE, sample, now_us);
    }
}

/* The times kept in a slot come round again after 2^48 us; what lies across that edge is still
 * ahead. */
static void the_edges_of_the_field_are_no_edges_of_time(void **state)
{
    (void)state;
    const int64_t turn = INT64_C(1) << WEIR_TIME_BITS;
    const int64_t unit = INT64_C(1) << WEIR_COARSE_BITS;
    for (int64_t around = -2; around <= 2; around++) {
        for (int64_t turns = 1; turns <= 15; turns++) {
            const int64_t now_us = turns * turn + around;
            must_round_trip(WEIR_KIND_FINE, (struct weir_state){now_us, UINT32_MAX}, now_us);
            must_round_trip(WEIR_KIND_FINE, (struct weir_state){now_us + 5, 7}, now_us);
            must_round_trip(WEIR_KIND_FINE, (struct weir_state){now_us + 2 * WEIR_PERIOD_MAX, 0},
                            now_us);
            const int64_t coarse_us = turns * turn + around * unit;
            must_round_trip(WEIR_KIND_COARSE, (struct weir_state){coarse_us + 3 * unit, 1},
                            coarse_us);
        }
    }
    must_round_trip(WEIR_KIND_FINE, (struct weir_state){0, 0}, 0);
    must_round_trip(WEIR_KIND_FINE,
                    (struct weir_state){WEIR_TIME_MAX + 2 * WEIR_PERIOD_MAX, UINT32_MAX},
                    WEIR_TIME_MAX);
}

/* As long as nobody asks for it for less than four years, a state of the past is read as one. */
static void an_old_state_is_read_as_past(void **state)
{
    (void)state;
    const struct weir_state sample = {FIXTURE_NOW, 5};
    const struct weir_pair value = weir_slot_pack(TAG, WEIR_KIND_FINE, sample, FIXTURE_NOW);
    for (int64_t years = 1; years <= 4; years++) {
        const int64_t later_us = FIXTURE_NOW + years * 365 * 86400 * INT64_C(1000000);
        assert_int_equal(weir_slot_until(value, WEIR_KIND_FINE, later_us), FIXTURE_NOW);
    }
}

static void an_empty_or_pending_slot_is_nobodys(void **state)
{
    (void)state;
    const uint64_t pending = TAG | (uint64_t)WEIR_KIND_PENDING << WEIR_KIND_SHIFT;
    assert_false(weir_slot_lives(0, TAG));
    assert_false(weir_slot_matches(0, TAG));
    /* A tag of 0 is a tag like any other. */
    assert_false(weir_slot_matches(0, 0));
    assert_false(weir_slot_lives(0, 0));
    assert_true(weir_slot_matches((uint64_t)WEIR_KIND_PENDING << WEIR_KIND_SHIFT, 0));
    assert_true(weir_slot_lives((uint64_t)WEIR_KIND_FINE << WEIR_KIND_SHIFT, 0));
    assert_false(weir_slot_lives(pending | 0xffff, TAG));
    assert_true(weir_slot_matches(pending, TAG));
}

/* ---- Places ---- */

#define SETS 64

struct test_table {
    struct weir_table table;
    struct weir_table_header *header;
};

static struct test_table table_make(void)
{
    struct test_table made;
    const uint64_t slots = SETS * WEIR_SET_SLOTS;
    made.header = aligned_alloc(WEIR_TABLE_SET_BYTES, weir_table_bytes(slots));
    assert_non_null(made.header);
    memset(made.header, 0, weir_table_bytes(slots));
    assert_int_equal(weir_table_format(made.header, slots, FIXTURE_NOW), WEIR_OK);
    weir_table_init(&made.table, made.header);
    return made;
}

static void table_free(struct test_table *made)
{
    free(made->header);
}

static void keys_spread_over_all_sets_and_slots(void **state)
{
    (void)state;
    struct test_table made = table_make();
    unsigned sets[SETS] = {0};
    unsigned own[WEIR_SET_SLOTS] = {0};
    const unsigned keys = 64000;
    for (unsigned i = 0; i < keys; i++) {
        const uint64_t hash = weir_hash_from(&made.table.start, 0, weir_bytes(&i, sizeof(i)));
        const struct weir_place place = weir_table_place(&made.table, hash);
        const uint64_t slot = (uint64_t)(place.set - made.table.slots);
        assert_int_equal(slot % WEIR_SET_SLOTS, 0);
        assert_true(slot / WEIR_SET_SLOTS < SETS);
        assert_int_equal(place.tag & ~WEIR_TAG_MASK, 0);
        sets[slot / WEIR_SET_SLOTS]++;
        own[weir_slot_order(place.tag, 0)]++;
    }
    /* 1000 a set and 8000 a slot are due, give or take six standard deviations. */
    for (unsigned i = 0; i < SETS; i++) {
        assert_in_range(sets[i], 810, 1190);
    }
    for (unsigned i = 0; i < WEIR_SET_SLOTS; i++) {
        assert_in_range(own[i], 7490, 8510);
    }
    table_free(&made);
}

static void the_first_and_the_last_hash_are_in_the_table(void **state)
{
    (void)state;
    struct test_table made = table_make();
    assert_ptr_equal(weir_table_place(&made.table, 0).set, made.table.slots);
    assert_ptr_equal(weir_table_place(&made.table, UINT64_MAX).set,
                     made.table.slots + (SETS - 1) * WEIR_SET_SLOTS);
    table_free(&made);
}

static void each_key_looks_at_every_slot_once(void **state)
{
    (void)state;
    for (uint64_t own = 1; own <= 64; own++) {
        unsigned seen = 0;
        for (unsigned i = 0; i < WEIR_SET_SLOTS; i++) {
            const unsigned at = weir_slot_order(own << WEIR_TAG_SHIFT, i);
            assert_true(at < WEIR_SET_SLOTS);
            seen |= 1U << at;
            if (i < WEIR_LINE_SLOTS) {
                assert_int_equal(at / WEIR_LINE_SLOTS,
                                 weir_slot_order(own << WEIR_TAG_SHIFT, 0) / WEIR_LINE_SLOTS);
            }
        }
        assert_int_equal(seen, (1U << WEIR_SET_SLOTS) - 1);
    }
}

/* The story: the tag of a block was the key's own with some bits turned, and that, where nothing
 * was left of it, those bits; so the one key whose tag is those bits shared its state with its
 * block. */
static void no_key_shares_its_place_with_its_block(void **state)
{
    (void)state;
    struct test_table made = table_make();
    const uint64_t bits = weir_place_of_block((struct weir_place){made.table.slots, TAG}).tag ^ TAG;
    const uint64_t tags[] = {TAG, bits, ~bits & WEIR_TAG_MASK, 0, WEIR_TAG_MASK};
    for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]); i++) {
        const struct weir_place place = {made.table.slots, tags[i]};
        const struct weir_place block = weir_place_of_block(place);
        assert_ptr_equal(block.set, place.set);
        assert_int_not_equal(block.tag, place.tag);
        assert_int_equal(block.tag & ~WEIR_TAG_MASK, 0);
    }
    table_free(&made);
}

/* ---- What a killed process leaves ---- */

static struct weir_pair claim_of(uint64_t tag, uint64_t number)
{
    return (struct weir_pair){tag | (uint64_t)WEIR_KIND_PENDING << WEIR_KIND_SHIFT, number};
}

static struct weir_decision ask(struct test_table *made, uint64_t tag,
                                const struct weir_limit *limit)
{
    struct weir_decision decision;
    const struct weir_ask question = {
        .limit = limit, .cost = 1, .now_us = FIXTURE_NOW, .verb = WEIR_VERB_CHECK};
    weir_table_check(&made->table, (struct weir_place){made->table.slots, tag}, &question,
                     &decision);
    return decision;
}

/* How many slots of the first set are of `kind`, and are the key's. */
static unsigned count_slots(const struct test_table *made, uint64_t tag, enum weir_kind kind)
{
    unsigned count = 0;
    for (unsigned i = 0; i < WEIR_SET_SLOTS; i++) {
        const struct weir_pair value = weir_pair_load(&made->table.slots[i]);
        count += weir_slot_matches(value.low, tag) && weir_slot_kind(value) == kind ? 1 : 0;
    }
    return count;
}

/* Any number of claims that nobody will settle, in any slots. */
static void orphaned_claims_of_a_key_become_its_slot(void **state)
{
    (void)state;
    struct weir_limit *limit = fixture_limit("2/d");
    for (unsigned which = 0; which < 1U << WEIR_SET_SLOTS; which++) {
        const uint64_t tag = which % 2 == 0 ? TAG : 0;
        struct test_table made = table_make();
        for (unsigned i = 0; i < WEIR_SET_SLOTS; i++) {
            if ((which >> i & 1) != 0) {
                made.table.slots[i] = claim_of(tag, i);
            }
        }
        assert_true(ask(&made, tag, limit).allowed);
        assert_int_equal(count_slots(&made, tag, WEIR_KIND_FINE), 1);
        assert_int_equal(count_slots(&made, tag, WEIR_KIND_PENDING), 0);
        assert_true(ask(&made, tag, limit).allowed);
        assert_false(ask(&made, tag, limit).allowed);
        table_free(&made);
    }
    weir_limit_free(limit);
}

static void an_orphaned_claim_beside_the_living_key_changes_nothing(void **state)
{
    (void)state;
    struct weir_limit *limit = fixture_limit("2/d");
    struct test_table made = table_make();
    assert_true(ask(&made, TAG, limit).allowed);
    for (unsigned i = 0; i < WEIR_SET_SLOTS; i++) {
        if (!weir_slot_live(made.table.slots[i])) {
            made.table.slots[i] = claim_of(TAG, i);
        }
    }
    assert_true(ask(&made, TAG, limit).allowed);
    assert_false(ask(&made, TAG, limit).allowed);
    assert_int_equal(count_slots(&made, TAG, WEIR_KIND_FINE), 1);
    table_free(&made);
    weir_limit_free(limit);
}

/* A set full of others' orphans has room, as they hold nothing; and nothing was evicted. */
static void orphaned_claims_of_others_make_room(void **state)
{
    (void)state;
    struct weir_limit *limit = fixture_limit("1/d");
    struct test_table made = table_make();
    for (unsigned i = 0; i < WEIR_SET_SLOTS; i++) {
        made.table.slots[i] = claim_of((uint64_t)(i + 1) << WEIR_TAG_SHIFT, i);
    }
    for (uint64_t i = 0; i < WEIR_SET_SLOTS; i++) {
        const uint64_t tag = TAG + (i << WEIR_TAG_SHIFT);
        assert_true(ask(&made, tag, limit).allowed);
        assert_int_equal(count_slots(&made, tag, WEIR_KIND_FINE), 1);
    }
    for (uint64_t i = 0; i < WEIR_SET_SLOTS; i++) {
        assert_false(ask(&made, TAG + (i << WEIR_TAG_SHIFT), limit).allowed);
    }
    struct weir_stats stats = {.size = sizeof(stats)};
    weir_table_stats(&made.table, FIXTURE_NOW, &stats);
    assert_int_equal(stats.used, WEIR_SET_SLOTS);
    assert_int_equal(stats.live, WEIR_SET_SLOTS);
    assert_int_equal(stats.evicted_idle, 0);
    assert_int_equal(stats.evicted_live, 0);
    table_free(&made);
    weir_limit_free(limit);
}

/* ---- Who goes when a set is full ---- */

static void the_one_nearest_to_never_used_goes_first(void **state)
{
    (void)state;
    struct weir_limit *limit = fixture_limit("100/d");
    struct weir_stats stats = {.size = sizeof(stats)};
    struct test_table made = table_make();
    for (uint64_t i = 0; i < WEIR_SET_SLOTS; i++) {
        for (uint64_t times = 0; times <= (i == 3 ? 0 : 5); times++) {
            assert_true(ask(&made, TAG + (i << WEIR_TAG_SHIFT), limit).allowed);
        }
    }
    assert_true(ask(&made, TAG + (UINT64_C(100) << WEIR_TAG_SHIFT), limit).allowed);
    weir_table_stats(&made.table, FIXTURE_NOW, &stats);
    assert_int_equal(stats.evicted_live, 1);
    assert_int_equal(stats.evicted_idle, 0);
    for (uint64_t i = 0; i < WEIR_SET_SLOTS; i++) {
        assert_int_equal(count_slots(&made, TAG + (i << WEIR_TAG_SHIFT), WEIR_KIND_FINE),
                         i == 3 ? 0 : 1);
    }
    table_free(&made);
    weir_limit_free(limit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fine_state_comes_back_whole),
        cmocka_unit_test(a_coarse_state_comes_back_whole),
        cmocka_unit_test(the_edges_of_the_field_are_no_edges_of_time),
        cmocka_unit_test(an_old_state_is_read_as_past),
        cmocka_unit_test(an_empty_or_pending_slot_is_nobodys),
        cmocka_unit_test(keys_spread_over_all_sets_and_slots),
        cmocka_unit_test(the_first_and_the_last_hash_are_in_the_table),
        cmocka_unit_test(each_key_looks_at_every_slot_once),
        cmocka_unit_test(no_key_shares_its_place_with_its_block),
        cmocka_unit_test(orphaned_claims_of_a_key_become_its_slot),
        cmocka_unit_test(an_orphaned_claim_beside_the_living_key_changes_nothing),
        cmocka_unit_test(orphaned_claims_of_others_make_room),
        cmocka_unit_test(the_one_nearest_to_never_used_goes_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
