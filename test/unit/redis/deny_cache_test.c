/* deny_cache_test.c - what is kept of a denial, for how long, and in how much memory.
 * prop/deny_cache_test.c holds that it never denies what the store would admit. */

#include "redis/deny_cache.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "support/fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECOND INT64_C(1000000)
#define NOW FIXTURE_NOW
#define STEADY INT64_C(500000000)
#define SET_BYTES ((uint64_t)(64 * WEIR_DENY_CACHE_WAYS))

/* An allocator that counts, and has no more than `most` bytes. */
struct purse {
    uint64_t held;
    uint64_t calls;
    uint64_t most;
};

static void *purse_allocate(void *context, size_t size, size_t alignment)
{
    struct purse *purse = context;
    if (purse->held + size > purse->most) {
        return NULL;
    }
    purse->held += size;
    purse->calls++;
    return aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
}

static void purse_release(void *context, void *memory, size_t size)
{
    struct purse *purse = context;
    purse->held -= size;
    free(memory);
}

/* A bucket of 10 a second that is empty at NOW: the next token comes 100 ms later. */
static struct weir_denial denial_now(void)
{
    return (struct weir_denial){
        .state = {NOW + SECOND, 0},
        .server_now_us = NOW,
        .sent_us = STEADY,
        .answered_us = STEADY,
        .own_clock = true,
    };
}

struct scene {
    struct weir_deny_cache *cache;
    struct weir_limit *limit;
};

static struct scene scene_open(const char *limit)
{
    struct scene scene = {weir_deny_cache_new(1 << 16, NULL), fixture_limit(limit)};
    assert_non_null(scene.cache);
    return scene;
}

static void scene_close(struct scene *scene)
{
    weir_deny_cache_free(scene->cache);
    weir_limit_free(scene->limit);
}

/* Whether it answers for the name "k" and a cost of 1, by the server's clock. */
static bool answers(struct scene *scene, int64_t after_us)
{
    struct weir_decision decision;
    return weir_deny_cache_get(scene->cache, weir_text("k"),
                               &(struct weir_request){.limit = scene->limit, .cost = 1}, WEIR_CLOCK,
                               STEADY + after_us, &decision);
}

static void a_denial_is_answered_as_the_store_would(void **state)
{
    (void)state;
    struct scene scene = scene_open("10/s");
    const struct weir_denial denial = denial_now();
    struct weir_decision decision;
    memset(&decision, 0xff, sizeof(decision));
    weir_deny_cache_put(scene.cache, weir_text("k"), &denial);
    assert_true(weir_deny_cache_get(scene.cache, weir_text("k"),
                                    &(struct weir_request){.limit = scene.limit, .cost = 1},
                                    WEIR_CLOCK, STEADY + 40000, &decision));
    assert_false(decision.allowed);
    assert_false(decision.blocked);
    assert_int_equal(decision.failure, WEIR_FAILURE_NONE);
    assert_int_equal(decision.source, WEIR_SOURCE_DENY_CACHE);
    assert_int_equal(decision.limit, 10);
    assert_int_equal(decision.remaining, 0);
    assert_int_equal(decision.retry_after_us, 60000);
    assert_int_equal(decision.reset_after_us, SECOND - 40000);
    assert_int_equal(decision.delay_us, 0);
    scene_close(&scene);
}

/* The margin is a quarter of the time since, and a microsecond: 79999 + 19999 + 1 is the last that
 * is below 100000. */
static void it_answers_until_the_margin_before_the_store_would_admit(void **state)
{
    (void)state;
    struct scene scene = scene_open("10/s");
    const struct weir_denial denial = denial_now();
    weir_deny_cache_put(scene.cache, weir_text("k"), &denial);
    assert_true(answers(&scene, 0));
    assert_true(answers(&scene, 79999));
    assert_false(answers(&scene, 80000));
    assert_false(answers(&scene, -1));
    scene_close(&scene);
}

static void it_answers_for_a_second_at_most(void **state)
{
    (void)state;
    struct scene scene = scene_open("10/h");
    struct weir_denial denial = denial_now();
    denial.state.until_us = NOW + 3600 * SECOND;
    weir_deny_cache_put(scene.cache, weir_text("k"), &denial);
    assert_true(answers(&scene, WEIR_DENY_CACHE_MAX_US - 1));
    assert_false(answers(&scene, WEIR_DENY_CACHE_MAX_US));
    scene_close(&scene);
}

/* The question took 30 ms: somewhen in it the server decided. */
static void waiting_out_what_it_says_is_enough(void **state)
{
    (void)state;
    struct scene scene = scene_open("10/s");
    struct weir_denial denial = denial_now();
    denial.answered_us = STEADY + 30000;
    struct weir_decision decision;
    weir_deny_cache_put(scene.cache, weir_text("k"), &denial);
    assert_true(weir_deny_cache_get(scene.cache, weir_text("k"),
                                    &(struct weir_request){.limit = scene.limit, .cost = 1},
                                    WEIR_CLOCK, STEADY + 50000, &decision));
    assert_int_equal(decision.retry_after_us, 80000);
    scene_close(&scene);
}

static void other_costs_and_a_changed_limit_are_decided_anew(void **state)
{
    (void)state;
    struct scene scene = scene_open("10/s");
    struct weir_limit *larger = fixture_limit("20/s");
    struct weir_denial denial = denial_now();
    denial.state.until_us = NOW + SECOND / 2; /* five are left */
    struct weir_decision decision;
    weir_deny_cache_put(scene.cache, weir_text("k"), &denial);
    assert_false(answers(&scene, 0));
    assert_true(weir_deny_cache_get(scene.cache, weir_text("k"),
                                    &(struct weir_request){.limit = scene.limit, .cost = 6},
                                    WEIR_CLOCK, STEADY, &decision));
    assert_int_equal(decision.remaining, 5);
    assert_int_equal(decision.retry_after_us, 100000);
    assert_true(weir_deny_cache_get(scene.cache, weir_text("k"),
                                    &(struct weir_request){.limit = scene.limit, .cost = 11},
                                    WEIR_CLOCK, STEADY, &decision));
    assert_true(decision.retry_after_us == WEIR_NEVER);
    assert_false(weir_deny_cache_get(scene.cache, weir_text("k"),
                                     &(struct weir_request){.limit = larger, .cost = 10},
                                     WEIR_CLOCK, STEADY, &decision));
    assert_true(weir_deny_cache_get(scene.cache, weir_text("k"),
                                    &(struct weir_request){.limit = larger, .cost = 11}, WEIR_CLOCK,
                                    STEADY, &decision));
    assert_int_equal(decision.limit, 20);
    weir_limit_free(larger);
    scene_close(&scene);
}

/* A denial that would start a block has to be written by the store. */
static void a_block_is_answered_while_it_runs(void **state)
{
    (void)state;
    struct scene scene = scene_open("10/s block 1m");
    struct weir_denial denial = denial_now();
    struct weir_decision decision;
    weir_deny_cache_put(scene.cache, weir_text("k"), &denial);
    assert_false(answers(&scene, 0));
    denial.block_until_us = NOW + 60 * SECOND;
    denial.state = (struct weir_state){0, 0};
    weir_deny_cache_put(scene.cache, weir_text("k"), &denial);
    assert_true(weir_deny_cache_get(scene.cache, weir_text("k"),
                                    &(struct weir_request){.limit = scene.limit, .cost = 1},
                                    WEIR_CLOCK, STEADY, &decision));
    assert_true(decision.blocked);
    assert_int_equal(decision.retry_after_us, 60 * SECOND);
    denial.block_until_us = NOW + 100;
    weir_deny_cache_put(scene.cache, weir_text("k"), &denial);
    assert_true(answers(&scene, 78));
    assert_false(answers(&scene, 80));
    scene_close(&scene);
}

/* A state, or a block, that the clock rule pulls in is to be written. */
static void what_is_to_be_mended_is_left_to_the_store(void **state)
{
    (void)state;
    struct scene scene = scene_open("10/s block 2s");
    struct weir_denial denial = denial_now();
    denial.block_until_us = NOW + SECOND;
    denial.state.until_us = NOW + 2 * SECOND;
    weir_deny_cache_put(scene.cache, weir_text("k"), &denial);
    assert_true(answers(&scene, 0));
    denial.state.until_us += 1;
    weir_deny_cache_put(scene.cache, weir_text("k"), &denial);
    assert_false(answers(&scene, 0));
    /* Also where only the latest that it may be by now is late enough to leave it. */
    assert_false(answers(&scene, 100));
    denial.state.until_us -= 1;
    denial.block_until_us = NOW + 3 * SECOND;
    weir_deny_cache_put(scene.cache, weir_text("k"), &denial);
    assert_true(answers(&scene, 0));
    denial.block_until_us += 1;
    weir_deny_cache_put(scene.cache, weir_text("k"), &denial);
    assert_false(answers(&scene, 0));
    scene_close(&scene);
}

static void each_clock_answers_for_itself(void **state)
{
    (void)state;
    struct scene scene = scene_open("10/s");
    struct weir_denial denial = denial_now();
    struct weir_decision decision;
    const struct weir_bytes name = weir_text("k");
    weir_deny_cache_put(scene.cache, name, &denial);
    /* At a time that was supplied there is nothing to reckon. */
    assert_true(weir_deny_cache_get(scene.cache, name,
                                    &(struct weir_request){.limit = scene.limit, .cost = 1},
                                    NOW + 99999, STEADY + 999999, &decision));
    assert_int_equal(decision.retry_after_us, 1);
    assert_false(weir_deny_cache_get(scene.cache, name,
                                     &(struct weir_request){.limit = scene.limit, .cost = 1},
                                     NOW + 100000, STEADY, &decision));
    assert_true(weir_deny_cache_get(scene.cache, name,
                                    &(struct weir_request){.limit = scene.limit, .cost = 1},
                                    NOW - SECOND, STEADY, &decision));
    assert_false(weir_deny_cache_get(scene.cache, name,
                                     &(struct weir_request){.limit = scene.limit, .cost = 1},
                                     NOW - SECOND - 1, STEADY, &decision));
    /* And of the server's clock a supplied time says nothing. */
    denial.own_clock = false;
    weir_deny_cache_put(scene.cache, name, &denial);
    assert_false(answers(&scene, 0));
    assert_true(weir_deny_cache_get(scene.cache, name,
                                    &(struct weir_request){.limit = scene.limit, .cost = 1}, NOW,
                                    STEADY, &decision));
    scene_close(&scene);
}

static void what_is_dropped_or_cleared_is_gone(void **state)
{
    (void)state;
    struct scene scene = scene_open("10/s");
    const struct weir_denial denial = denial_now();
    weir_deny_cache_drop(scene.cache, weir_text("k"));
    weir_deny_cache_put(scene.cache, weir_text("k"), &denial);
    weir_deny_cache_drop(scene.cache, weir_text("j"));
    assert_true(answers(&scene, 0));
    weir_deny_cache_drop(scene.cache, weir_text("k"));
    assert_false(answers(&scene, 0));
    weir_deny_cache_put(scene.cache, weir_text("k"), &denial);
    assert_true(answers(&scene, 0));
    weir_deny_cache_clear(scene.cache);
    assert_false(answers(&scene, 0));
    weir_deny_cache_put(scene.cache, weir_text("k"), &denial);
    assert_true(answers(&scene, 0));
    scene_close(&scene);
}

/* They come from outside. An old entry goes all the same: it is not what was said last. */
static void nothing_is_kept_of_what_is_over_or_out_of_range(void **state)
{
    (void)state;
    struct scene scene = scene_open("10/s");
    const struct weir_denial good = denial_now();
    struct weir_denial denials[6] = {good, good, good, good, good, good};
    denials[0].state.until_us = NOW;
    denials[1].state.until_us = -1;
    denials[2].state.until_us = INT64_MAX;
    denials[3].block_until_us = INT64_MIN;
    denials[4].server_now_us = WEIR_TIME_MAX + 1;
    denials[5].server_now_us = -1;
    for (size_t i = 0; i < 6; i++) {
        weir_deny_cache_put(scene.cache, weir_text("k"), &good);
        assert_true(answers(&scene, 0));
        weir_deny_cache_put(scene.cache, weir_text("k"), &denials[i]);
        assert_false(answers(&scene, 0));
    }
    scene_close(&scene);
}

static void at_the_end_of_time_the_store_is_asked(void **state)
{
    (void)state;
    struct scene scene = scene_open("10/s");
    struct weir_denial denial = denial_now();
    denial.server_now_us = WEIR_TIME_MAX - 10;
    denial.state.until_us = WEIR_TIME_MAX + SECOND - 10;
    weir_deny_cache_put(scene.cache, weir_text("k"), &denial);
    assert_true(answers(&scene, 7));
    assert_false(answers(&scene, 8));
    scene_close(&scene);
}

static void sliding_log_is_never_answered(void **state)
{
    (void)state;
    struct scene scene = scene_open("10/s sliding-log");
    const struct weir_denial denial = denial_now();
    weir_deny_cache_put(scene.cache, weir_text("k"), &denial);
    assert_false(answers(&scene, 0));
    scene_close(&scene);
}

/* ---- Memory ---- */

static void name_of(unsigned number, char *buffer, size_t size)
{
    (void)snprintf(buffer, size, "weir:{%u}:token-bucket", number);
}

static unsigned count_answered(struct weir_deny_cache *cache, const struct weir_limit *limit,
                               unsigned from, unsigned to)
{
    unsigned count = 0;
    char name[64];
    for (unsigned i = from; i < to; i++) {
        struct weir_decision decision;
        name_of(i, name, sizeof(name));
        count += weir_deny_cache_get(cache, weir_text(name),
                                     &(struct weir_request){.limit = limit, .cost = 1}, NOW, STEADY,
                                     &decision);
    }
    return count;
}

static void all_memory_is_taken_at_the_start_and_given_back(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {0, 1, SET_BYTES, 4096, (1 << 20) + 1};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct purse purse = {.most = UINT64_MAX};
        const struct weir_allocator allocator = {purse_allocate, purse_release, &purse};
        struct weir_limit *limit = fixture_limit("10/s");
        struct weir_deny_cache *cache = weir_deny_cache_new(sizes[i], &allocator);
        assert_non_null(cache);
        assert_true(purse.held <= (sizes[i] > SET_BYTES ? sizes[i] : SET_BYTES));
        const struct weir_denial denial = denial_now();
        for (unsigned k = 0; k < 5000; k++) {
            char name[64];
            name_of(k, name, sizeof(name));
            weir_deny_cache_put(cache, weir_text(name), &denial);
            weir_deny_cache_drop(cache, weir_text(k % 3 == 0 ? name : "other"));
        }
        weir_deny_cache_clear(cache);
        assert_int_equal(purse.calls, 1);
        weir_deny_cache_free(cache);
        assert_int_equal(purse.held, 0);
        weir_limit_free(limit);
    }
    weir_deny_cache_free(NULL);
}

static void without_memory_there_is_none(void **state)
{
    (void)state;
    struct purse purse = {.most = 100};
    const struct weir_allocator allocator = {purse_allocate, purse_release, &purse};
    assert_null(weir_deny_cache_new(4096, &allocator));
    assert_int_equal(purse.held, 0);
}

static void too_small_a_cache_never_answers(void **state)
{
    (void)state;
    struct weir_limit *limit = fixture_limit("10/s");
    const struct weir_denial denial = denial_now();
    static const uint64_t sizes[] = {0, SET_BYTES};
    for (size_t i = 0; i < 2; i++) {
        struct weir_deny_cache *cache = weir_deny_cache_new(sizes[i], NULL);
        assert_non_null(cache);
        weir_deny_cache_put(cache, weir_text("weir:{0}:token-bucket"), &denial);
        assert_int_equal(count_answered(cache, limit, 0, 1), 0);
        weir_deny_cache_drop(cache, weir_text("k"));
        weir_deny_cache_clear(cache);
        weir_deny_cache_free(cache);
    }
    weir_limit_free(limit);
}

/* As many stay as there is room for, a little less where sets fill unevenly, and never more. */
static void a_flood_of_names_takes_no_more_room(void **state)
{
    (void)state;
    struct weir_limit *limit = fixture_limit("10/s");
    const uint64_t bytes = 1 << 16;
    const unsigned room = (unsigned)(bytes / 64);
    struct weir_deny_cache *cache = weir_deny_cache_new(bytes, NULL);
    const struct weir_denial denial = denial_now();
    for (unsigned i = 0; i < 50 * room; i++) {
        char name[64];
        name_of(i, name, sizeof(name));
        weir_deny_cache_put(cache, weir_text(name), &denial);
    }
    const unsigned answered = count_answered(cache, limit, 0, 50 * room);
    assert_true(answered <= room);
    assert_true(answered > room - room / 10);
    weir_deny_cache_free(cache);
    weir_limit_free(limit);
}

/* Five in a set of four: the one that ends soonest is not among those that stay. */
static void the_one_that_ends_soonest_goes(void **state)
{
    (void)state;
    struct weir_limit *limit = fixture_limit("10/s");
    for (unsigned soonest = 0; soonest < 5; soonest++) {
        struct weir_deny_cache *cache = weir_deny_cache_new(2 * SET_BYTES, NULL);
        for (unsigned i = 0; i < 5; i++) {
            char name[64];
            name_of(i, name, sizeof(name));
            struct weir_denial denial = denial_now();
            denial.state.until_us = NOW + 950000 + (i == soonest ? 0 : 1 + i);
            weir_deny_cache_put(cache, weir_text(name), &denial);
        }
        assert_int_equal(count_answered(cache, limit, 0, 5), WEIR_DENY_CACHE_WAYS);
        assert_int_equal(count_answered(cache, limit, soonest, soonest + 1), 0);
        weir_deny_cache_free(cache);
    }
    weir_limit_free(limit);
}

/* Two caches keep their secrets to themselves: what shares a set in one does not in the other. */
static void no_two_caches_lay_names_out_alike(void **state)
{
    (void)state;
    struct weir_limit *limit = fixture_limit("10/s");
    const unsigned count = 64;
    uint64_t kept[2] = {0, 0};
    for (unsigned c = 0; c < 2; c++) {
        struct weir_deny_cache *cache = weir_deny_cache_new(4096, NULL);
        const struct weir_denial denial = denial_now();
        for (unsigned i = 0; i < count; i++) {
            char name[64];
            name_of(i, name, sizeof(name));
            weir_deny_cache_put(cache, weir_text(name), &denial);
        }
        for (unsigned i = 0; i < count; i++) {
            kept[c] |= (uint64_t)count_answered(cache, limit, i, i + 1) << i;
        }
        weir_deny_cache_free(cache);
    }
    assert_true(kept[0] != kept[1]);
    weir_limit_free(limit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_denial_is_answered_as_the_store_would),
        cmocka_unit_test(it_answers_until_the_margin_before_the_store_would_admit),
        cmocka_unit_test(it_answers_for_a_second_at_most),
        cmocka_unit_test(waiting_out_what_it_says_is_enough),
        cmocka_unit_test(other_costs_and_a_changed_limit_are_decided_anew),
        cmocka_unit_test(a_block_is_answered_while_it_runs),
        cmocka_unit_test(what_is_to_be_mended_is_left_to_the_store),
        cmocka_unit_test(each_clock_answers_for_itself),
        cmocka_unit_test(what_is_dropped_or_cleared_is_gone),
        cmocka_unit_test(nothing_is_kept_of_what_is_over_or_out_of_range),
        cmocka_unit_test(at_the_end_of_time_the_store_is_asked),
        cmocka_unit_test(sliding_log_is_never_answered),
        cmocka_unit_test(all_memory_is_taken_at_the_start_and_given_back),
        cmocka_unit_test(without_memory_there_is_none),
        cmocka_unit_test(too_small_a_cache_never_answers),
        cmocka_unit_test(a_flood_of_names_takes_no_more_room),
        cmocka_unit_test(the_one_that_ends_soonest_goes),
        cmocka_unit_test(no_two_caches_lay_names_out_alike),
    };
    return cmocka_run_group_tests_name("deny_cache", tests, NULL, NULL);
}
