/* step_parts.c - see step_parts.h. */

#include "unit/algo/step_parts.h"

#include "prop/session.h"
#include "prop/trace.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct weir_limit *limit_of(const char *text)
{
    struct weir_limit *limit;
    assert_int_equal(weir_limit_parse(weir_text(text), NULL, &limit, NULL), WEIR_OK);
    return limit;
}

struct weir_decision take_from(const struct weir_limit *limit, struct weir_state *state,
                               int64_t now_us, uint64_t cost)
{
    struct weir_decision decision = {0};
    struct weir_step step = weir_algo_step(limit, *state, now_us, cost, true, &decision);
    if (step.write) {
        *state = step.next;
    }
    return decision;
}

struct weir_decision look_at(const struct weir_limit *limit, struct weir_state state,
                             int64_t now_us, uint64_t cost)
{
    struct weir_decision decision = {0};
    struct weir_step step = weir_algo_step(limit, state, now_us, cost, false, &decision);
    assert_false(step.write);
    return decision;
}

void give_back_to(const struct weir_limit *limit, struct weir_state *state, int64_t now_us,
                  uint64_t cost)
{
    struct weir_step step = weir_algo_refund(limit, *state, now_us, cost);
    if (step.write) {
        *state = step.next;
    }
}

void assert_sane(const struct weir_limit *limit, struct weir_state state, int64_t now_us,
                 uint64_t cost)
{
    struct weir_limit_spec spec;
    weir_limit_describe(limit, &spec);
    const int64_t most_us = spec_span(&spec) + spec_slack(&spec) + 1;
    const struct weir_decision seen = look_at(limit, state, now_us, cost);
    assert_true(seen.remaining <= seen.limit);
    assert_true(seen.allowed == (cost <= seen.remaining));
    assert_true(seen.reset_after_us >= 0 && seen.reset_after_us <= most_us);
    assert_true(seen.delay_us >= 0 && seen.delay_us <= most_us);
    if (cost > seen.limit) {
        assert_true(seen.retry_after_us == WEIR_NEVER);
    } else {
        assert_true(seen.allowed == (seen.retry_after_us == 0));
        assert_true(seen.retry_after_us >= 0 && seen.retry_after_us <= most_us);
    }
    const struct weir_decision taken = take_from(limit, &state, now_us, cost);
    assert_true(taken.allowed == seen.allowed);
    assert_true(taken.retry_after_us == seen.retry_after_us);
    if (!seen.allowed && cost <= seen.limit && seen.retry_after_us <= WEIR_TIME_MAX - now_us) {
        assert_true(look_at(limit, state, now_us + seen.retry_after_us, cost).allowed);
    }
    give_back_to(limit, &state, now_us, UINT64_MAX);
    assert_true(look_at(limit, state, now_us, 1).remaining == seen.limit);
}

void any_state_is_survived(enum weir_algorithm algorithm, unsigned payload_bits)
{
    struct random random = random_from(random_seed(1));
    for (size_t i = 0; i < random_rounds(20000); i++) {
        struct weir_limit *limit;
        const struct weir_limit_spec spec = random_limit(&random, algorithm);
        assert_int_equal(weir_limit_new(&spec, NULL, &limit, NULL), WEIR_OK);
        for (int j = 0; j < 4; j++) {
            const int64_t now_us = random_once_in(&random, 10)
                                       ? WEIR_TIME_MAX - random_between(&random, 0, 1)
                                       : random_between(&random, 0, WEIR_TIME_MAX);
            const int64_t away_us = (int64_t)random_wide(&random, UINT64_C(1) << 47);
            const struct weir_state state = {
                .until_us = random_once_in(&random, 2) ? now_us + away_us : now_us - away_us,
                .payload = random_next(&random) >> (64 - payload_bits),
            };
            assert_sane(limit, state, now_us,
                        random_once_in(&random, 8) ? UINT64_MAX
                                                   : random_wide(&random, WEIR_COUNT_MAX));
        }
        weir_limit_free(limit);
    }
}
