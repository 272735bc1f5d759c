/* deny_cache_test.c - the cache never denies what the store would admit.
 *
 * Two stores are asked the same: one directly, one with the cache in front, as a client uses it: a
 * denial is put in, an admission, a refund or a reset drops the key. What the cache answers, the
 * store behind it never hears of. Every decision must be the same, and after it the two stores too,
 * which shows that what the store was not told would have changed nothing.
 *
 * The direct one is subject_algo, which the traces hold to the models; the other is kept here, as
 * its state must be seen. The server's clock runs beside the steady one, evenly or not, questions
 * and answers take time, limits change, costs are of any size, and some requests bring a time of
 * their own, set back at times.
 *
 * WEIR_SEED and WEIR_TRACES as for the other properties. */

#include "prop/session.h"
#include "redis/deny_cache.h"

#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SECOND INT64_C(1000000)
#define KEYS 3
#define STEPS 200
/* Parts in a million by which clocks are slewed apart at most: deny_cache.c's reason for its
 * margin. */
#define SLEW 83333

/* One key of the store behind the cache. */
struct kept {
    struct weir_state state;
    struct weir_state block;
};

struct world {
    struct random *random;
    bool uneven;  /* the server's clock runs unevenly, and answers take time */
    bool crowded; /* others use the keys, too */
    enum weir_algorithm algorithm;
    struct weir_limit_spec spec;
    struct weir_limit *limit;
    int64_t steady_us;
    int64_t server_us;
    int64_t supplied_us;
    int64_t retry_us; /* of the last denial */
    void *direct[KEYS];
    struct kept kept[KEYS];
    struct weir_deny_cache *cache;
    uint64_t denied;
    uint64_t cached;
    uint64_t seed;
};

/* ---- Time ---- */

/* Steady time passes, and the server's with it. */
static void pass(struct world *world, int64_t duration_us)
{
    int64_t slew_us = 0;
    if (world->uneven) {
        slew_us = duration_us * random_between(world->random, -SLEW, SLEW) / 1000000;
    }
    world->steady_us += duration_us;
    world->server_us += duration_us + slew_us;
    world->supplied_us += duration_us;
}

static void question_travels(struct world *world)
{
    if (world->uneven) {
        pass(world, (int64_t)random_below(world->random, 20000));
    }
}

static void a_while_passes(struct world *world)
{
    struct random *random = world->random;
    switch (random_below(random, 6)) {
    case 0:
        break;
    case 1:
    case 2:
        pass(world, (int64_t)random_wide(random, 1500000));
        break;
    case 3: /* about when the last denial ends */
        if (world->retry_us > 0 && world->retry_us < 100 * SECOND) {
            const int64_t off_us = random_between(random, -2, 2);
            pass(world, world->retry_us + off_us > 0 ? world->retry_us + off_us : 0);
        }
        break;
    case 4: /* on the way there */
        if (world->retry_us > 0 && world->retry_us < 100 * SECOND) {
            pass(world, (int64_t)random_below(random, (uint64_t)world->retry_us));
        }
        break;
    default:
        pass(world, random_pause(random, &world->spec) % (10 * SECOND));
        break;
    }
}

/* A time of the caller's own: about the server's, now and then set back or ahead. */
static int64_t supplied_now(struct world *world)
{
    if (random_once_in(world->random, 20)) {
        const int64_t span_us = spec_span(&world->spec);
        const int64_t most_us = span_us < 100 * SECOND ? 2 * span_us + 2 * SECOND : 200 * SECOND;
        world->supplied_us = world->server_us + random_between(world->random, -most_us, most_us);
    }
    return world->supplied_us;
}

/* ---- The store behind the cache ---- */

/* Whether the key is blocked at `now`; with `mend` what the clock rule pulls in is kept. */
static bool blocked(struct world *world, struct kept *kept, int64_t now_us, bool mend,
                    int64_t *ret_until_us)
{
    if (world->limit->block_us == 0) {
        return false;
    }
    const struct weir_step step = weir_block_step(world->limit, kept->block, now_us);
    if (step.write && mend) {
        kept->block = step.next;
    }
    *ret_until_us = step.next.until_us;
    return step.next.until_us > now_us;
}

static void look(struct world *world, struct kept *kept, uint64_t cost, int64_t now_us,
                 struct weir_decision *ret_decision)
{
    int64_t until_us = 0;
    *ret_decision = (struct weir_decision){.source = WEIR_SOURCE_REDIS};
    (void)weir_algo_step(world->limit, kept->state, now_us, cost, false, ret_decision);
    if (blocked(world, kept, now_us, false, &until_us)) {
        weir_block_decide(until_us, now_us, ret_decision);
    }
}

static void take(struct world *world, struct kept *kept, uint64_t cost, int64_t now_us,
                 struct weir_decision *ret_decision)
{
    const struct weir_limit *limit = world->limit;
    const bool possible = cost <= limit->ceiling;
    int64_t until_us = 0;
    const bool running = blocked(world, kept, now_us, possible, &until_us);
    *ret_decision = (struct weir_decision){.source = WEIR_SOURCE_REDIS};
    const struct weir_step step =
        weir_algo_step(limit, kept->state, now_us, cost, !running, ret_decision);
    if (step.write || step.clamped) {
        kept->state = step.next;
    }
    if (!running && limit->block_us > 0 && !ret_decision->allowed && possible) {
        until_us = now_us + limit->block_us;
        kept->block = (struct weir_state){until_us, 1};
    }
    if (until_us > now_us) {
        weir_block_decide(until_us, now_us, ret_decision);
    }
}

/* ---- What a client does ---- */

static const char *name_of(const struct world *world, size_t key)
{
    static char name[64];
    (void)snprintf(name, sizeof(name), "weir:{%zu}:%s:n", key,
                   weir_algorithm_name(world->algorithm));
    return name;
}

static void put(struct world *world, size_t key, int64_t now_us, int64_t sent_us, bool own_clock)
{
    const struct kept *kept = &world->kept[key];
    const bool runs = world->limit->block_us > 0 && kept->block.until_us > now_us;
    const struct weir_denial denial = {
        .state = kept->state,
        .block_until_us = runs ? kept->block.until_us : 0,
        .server_now_us = now_us,
        .sent_us = sent_us,
        .answered_us = world->steady_us,
        .own_clock = own_clock,
    };
    weir_deny_cache_put(world->cache, weir_text(name_of(world, key)), &denial);
}

static void drop(struct world *world, size_t key)
{
    weir_deny_cache_drop(world->cache, weir_text(name_of(world, key)));
}

static void differ(const struct world *world, const char *what,
                   const struct weir_decision *expected, const struct weir_decision *found)
{
    fail_msg("%s, WEIR_SEED=%llu: allowed %d, remaining %llu, retry %lld, reset %lld, blocked %d; "
             "found %d, %llu, %lld, %lld, %d, source %d",
             what, (unsigned long long)world->seed, (int)expected->allowed,
             (unsigned long long)expected->remaining, (long long)expected->retry_after_us,
             (long long)expected->reset_after_us, (int)expected->blocked, (int)found->allowed,
             (unsigned long long)found->remaining, (long long)found->retry_after_us,
             (long long)found->reset_after_us, (int)found->blocked, (int)found->source);
}

/* Where clocks run evenly and nobody else comes, every number; else whether it is allowed, as a
 * number that is reckoned is a little off, and others make it so. */
static void compare(const struct world *world, const struct weir_decision *expected,
                    const struct weir_decision *found, bool exact)
{
    if (exact ? !decision_same(expected, found) : expected->allowed != found->allowed) {
        differ(world, found->source == WEIR_SOURCE_DENY_CACHE ? "the cache" : "the store", expected,
               found);
    }
}

/* Asks both stores, the second by way of the cache. */
static void ask(struct world *world, size_t key, uint64_t cost, bool peek, bool own_clock)
{
    const int64_t now_us = own_clock ? WEIR_CLOCK : supplied_now(world);
    const int64_t decided_us = own_clock ? world->server_us : now_us;
    void (*const direct)(void *, uint64_t, int64_t, struct weir_decision *) =
        peek ? subject_algo.peek : subject_algo.check;
    struct weir_decision expected = {.allowed = false};
    struct weir_decision found;
    const bool cached =
        weir_deny_cache_get(world->cache, weir_text(name_of(world, key)),
                            &(struct weir_request){.limit = world->limit, .cost = cost}, now_us,
                            world->steady_us, &found);
    if (cached) {
        direct(world->direct[key], cost, decided_us, &expected);
        compare(world, &expected, &found, !world->crowded && (!own_clock || !world->uneven));
        assert_int_equal(found.source, WEIR_SOURCE_DENY_CACHE);
    } else {
        const int64_t sent_us = world->steady_us;
        question_travels(world);
        const int64_t at_us = own_clock ? world->server_us : now_us;
        direct(world->direct[key], cost, at_us, &expected);
        (peek ? look : take)(world, &world->kept[key], cost, at_us, &found);
        question_travels(world);
        compare(world, &expected, &found, true);
        if (!found.allowed) {
            put(world, key, at_us, sent_us, own_clock);
        } else if (!peek) {
            drop(world, key);
        }
    }
    if (!found.allowed) {
        world->denied++;
        world->cached += cached ? 1 : 0;
        world->retry_us = found.retry_after_us;
    }
}

static void give_back(struct world *world, size_t key, uint64_t cost, bool own_clock)
{
    struct weir_decision unwanted;
    const int64_t now_us = own_clock ? world->server_us : supplied_now(world);
    subject_algo.refund(world->direct[key], cost, now_us, &unwanted);
    const struct weir_step step =
        weir_algo_refund(world->limit, world->kept[key].state, now_us, cost);
    if (step.write) {
        world->kept[key].state = step.next;
    }
    drop(world, key);
}

static void forget(struct world *world, size_t key)
{
    subject_algo.reset(world->direct[key]);
    world->kept[key] = (struct kept){{0, 0}, {0, 0}};
    drop(world, key);
}

/* Somebody else's check: the cache is not told. */
static void another_asks(struct world *world, size_t key, uint64_t cost)
{
    struct weir_decision unwanted;
    subject_algo.check(world->direct[key], cost, world->server_us, &unwanted);
    take(world, &world->kept[key], cost, world->server_us, &unwanted);
}

static void change_limit(struct world *world, const struct weir_limit_spec *spec)
{
    world->spec = *spec;
    weir_limit_free(world->limit);
    assert_int_equal(weir_limit_new(spec, NULL, &world->limit, NULL), WEIR_OK);
    for (size_t key = 0; key < KEYS; key++) {
        subject_algo.limit(world->direct[key], spec);
    }
}

/* ---- Traces ---- */

static struct weir_limit_spec some_limit(struct world *world)
{
    struct weir_limit_spec spec = random_once_in(world->random, 2)
                                      ? random_limit(world->random, world->algorithm)
                                      : random_small_limit(world->random, world->algorithm, 6);
    /* About a second is where the cache's own bound is. */
    if (spec.period_us > 0 && random_once_in(world->random, 2)) {
        spec.period_us = random_between(world->random, 2000, 5 * SECOND);
    }
    if (random_once_in(world->random, 3)) {
        spec.block_us = (int64_t)random_wide(world->random, (uint64_t)(20 * SECOND));
    }
    struct weir_limit *limit = NULL;
    if (weir_limit_new(&spec, NULL, &limit, NULL) != WEIR_OK) {
        spec = random_small_limit(world->random, world->algorithm, 6);
    }
    weir_limit_free(limit);
    return spec;
}

static uint64_t some_cost(struct world *world, size_t key)
{
    struct weir_decision seen;
    look(world, &world->kept[key], 1, world->server_us, &seen);
    const uint64_t ceiling = world->limit->ceiling;
    switch (random_below(world->random, 6)) {
    case 0:
        return seen.remaining + 1;
    case 1:
        return seen.remaining > 0 ? seen.remaining : 1;
    case 2:
        return random_once_in(world->random, 4) ? ceiling + 1 : ceiling;
    case 3:
        return 1 + random_below(world->random, ceiling);
    default:
        return 1;
    }
}

static void step(struct world *world)
{
    struct random *random = world->random;
    const size_t key = random_below(random, KEYS);
    /* Others decide at the server's time: with times of all sorts on one key the second is all that
     * is promised. */
    const bool own_clock = world->crowded || !random_once_in(random, 5);
    const uint64_t cost = some_cost(world, key);
    a_while_passes(world);
    switch (random_below(random, 40)) {
    case 0:
    case 1:
        give_back(world, key, cost, own_clock);
        break;
    case 2:
        forget(world, key);
        break;
    case 3:
        /* A changed limit may mend what others have written meanwhile; that is then a second late.
         */
        if (!world->crowded) {
            const struct weir_limit_spec spec = some_limit(world);
            change_limit(world, &spec);
        }
        break;
    case 4:
        weir_deny_cache_clear(world->cache);
        break;
    case 5:
    case 6:
    case 7:
        ask(world, key, cost, true, own_clock);
        break;
    case 8:
    case 9:
    case 10:
        if (world->crowded) {
            another_asks(world, key, cost);
        }
        break;
    default:
        ask(world, key, cost, false, own_clock);
        break;
    }
    struct weir_decision expected = {.allowed = false};
    struct weir_decision found;
    subject_algo.peek(world->direct[key], 1, world->server_us, &expected);
    look(world, &world->kept[key], 1, world->server_us, &found);
    compare(world, &expected, &found, true);
}

/* One trace; adds to how many denials there were, and how many the cache answered. */
static void run_trace(struct world *world, uint64_t seed)
{
    struct random random = random_from(seed);
    world->seed = seed;
    world->random = &random;
    world->server_us = random_between(&random, 1000 * SECOND, WEIR_TIME_MAX / 2);
    world->supplied_us = world->server_us;
    world->steady_us = random_between(&random, 0, 1000 * SECOND);
    world->retry_us = 0;
    world->cache = weir_deny_cache_new(random_once_in(&random, 4) ? 384 : 8192, NULL);
    assert_non_null(world->cache);
    world->limit = NULL;
    for (size_t key = 0; key < KEYS; key++) {
        world->direct[key] = subject_algo.open();
        world->kept[key] = (struct kept){{0, 0}, {0, 0}};
    }
    const struct weir_limit_spec spec = some_limit(world);
    change_limit(world, &spec);
    for (size_t i = 0; i < STEPS; i++) {
        step(world);
    }
    for (size_t key = 0; key < KEYS; key++) {
        subject_algo.close(world->direct[key]);
    }
    weir_limit_free(world->limit);
    weir_deny_cache_free(world->cache);
}

/* A good share of the denials must come from the cache, or it is of no use. */
static void hold_for_all(bool uneven, bool crowded)
{
    for (enum weir_algorithm a = WEIR_TOKEN_BUCKET; a < WEIR_SLIDING_LOG; a++) {
        struct world world = {.uneven = uneven, .crowded = crowded, .algorithm = a};
        const uint64_t first = random_seed(1);
        const size_t rounds = random_rounds(400);
        for (size_t round = 0; round < rounds; round++) {
            run_trace(&world, first + round);
        }
        assert_true(world.denied > rounds * STEPS / 10);
        assert_true(world.cached > world.denied / 8);
    }
}

static void alone_with_even_clocks_every_number_is_the_stores(void **state)
{
    (void)state;
    hold_for_all(false, false);
}

static void uneven_clocks_and_slow_answers_never_deny_for_longer(void **state)
{
    (void)state;
    hold_for_all(true, false);
}

static void others_on_the_same_keys_change_nothing(void **state)
{
    (void)state;
    hold_for_all(true, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(alone_with_even_clocks_every_number_is_the_stores),
        cmocka_unit_test(uneven_clocks_and_slow_answers_never_deny_for_longer),
        cmocka_unit_test(others_on_the_same_keys_change_nothing),
    };
    return cmocka_run_group_tests_name("deny_cache_traces", tests, NULL, NULL);
}
