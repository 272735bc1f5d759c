/* rate_test.c - amounts of time as whole microseconds and a fraction, against GMP. */

#include "algo/rate.h"
#include "support/random.h"

#include <gmp.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define DAY INT64_C(86400000000)

/* The largest numbers that a rate may be made of, and others that are awkward. */
static const uint64_t counts[] = {1, 2, 3, 7, 60, 999983, 4294967291, 4294967294, WEIR_COUNT_MAX};
static const int64_t periods[] = {1,       2,   7,         1000000,       60000000,
                                  DAY - 1, DAY, 365 * DAY, 366 * DAY - 1, 366 * DAY};

#define COUNTS (sizeof(counts) / sizeof(counts[0]))
#define PERIODS (sizeof(periods) / sizeof(periods[0]))

typedef void with_rate(const struct weir_rate *rate, uint64_t burst, struct random *random);

/* Runs `test` with all rates of the awkward numbers, and many random ones. */
static void for_all_rates(with_rate *test)
{
    struct weir_rate rate;
    struct random random = random_from(random_seed(1));
    for (size_t i = 0; i < COUNTS * PERIODS * COUNTS; i++) {
        const uint64_t burst = counts[i / PERIODS / COUNTS];
        if (weir_rate_prepare(counts[i % COUNTS], periods[i / COUNTS % PERIODS], burst, &rate)) {
            test(&rate, burst, &random);
        }
    }
    for (size_t i = 0; i < random_rounds(20000); i++) {
        const uint64_t count = random_wide(&random, WEIR_COUNT_MAX);
        const int64_t period_us = (int64_t)random_wide(&random, (uint64_t)WEIR_PERIOD_MAX);
        const uint64_t burst = random_wide(&random, WEIR_COUNT_MAX);
        if (weir_rate_prepare(count, period_us, burst, &rate)) {
            test(&rate, burst, &random);
        }
    }
}

/* whole * denominator + part, the amount in parts of a microsecond. */
static void set_parts(mpz_t parts, const struct weir_rate *rate, struct weir_span span)
{
    mpz_set_si(parts, span.whole);
    mpz_mul_ui(parts, parts, rate->denominator);
    mpz_add_ui(parts, parts, span.part);
}

static struct weir_span span_of(const struct weir_rate *rate, const mpz_t parts)
{
    mpz_t whole;
    mpz_t part;
    mpz_inits(whole, part, NULL);
    mpz_fdiv_qr_ui(whole, part, parts, rate->denominator);
    const struct weir_span span = {mpz_get_si(whole), mpz_get_ui(part)};
    mpz_clears(whole, part, NULL);
    return span;
}

static void assert_span(struct weir_span expected, struct weir_span found)
{
    assert_int_equal(expected.whole, found.whole);
    assert_int_equal(expected.part, found.part);
}

/* ---- Preparing ---- */

static void prepare_one(uint64_t count, int64_t period_us, uint64_t burst)
{
    mpq_t interval;
    mpq_t depth;
    mpq_t most;
    struct weir_rate rate = {0};
    mpq_inits(interval, depth, most, NULL);
    mpq_set_ui(interval, (unsigned long)period_us, count);
    mpq_canonicalize(interval);
    mpq_set_ui(depth, burst, 1);
    mpq_mul(depth, depth, interval);
    mpq_set_si(most, WEIR_PERIOD_MAX, 1);
    const bool fits = mpq_cmp(depth, most) <= 0;
    assert_int_equal(weir_rate_prepare(count, period_us, burst, &rate), fits);
    if (fits) {
        mpz_t parts;
        mpz_init(parts);
        assert_int_equal(rate.numerator, mpz_get_ui(mpq_numref(interval)));
        assert_int_equal(rate.denominator, mpz_get_ui(mpq_denref(interval)));
        assert_span(span_of(&rate, mpq_numref(interval)),
                    (struct weir_span){rate.interval_us, rate.interval_part});
        mpz_mul_ui(parts, mpq_numref(interval), burst);
        assert_span(span_of(&rate, parts), (struct weir_span){rate.depth_us, rate.depth_part});
        assert_int_equal(rate.narrow, mpz_sizeinbase(parts, 2) <= 64);
        mpz_clear(parts);
    }
    mpq_clears(interval, depth, most, NULL);
}

static void a_rate_is_in_lowest_terms_and_its_products_are_exact(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNTS * PERIODS * COUNTS; i++) {
        prepare_one(counts[i % COUNTS], periods[i / COUNTS % PERIODS],
                    counts[i / PERIODS / COUNTS]);
    }
}

/* A burst may take WEIR_PERIOD_MAX to come back, and not a microsecond more. */
static void a_burst_comes_back_within_the_longest_period(void **state)
{
    struct weir_rate rate;
    (void)state;
    assert_true(weir_rate_prepare(1, WEIR_PERIOD_MAX, 1, &rate));
    assert_int_equal(rate.depth_us, WEIR_PERIOD_MAX);
    assert_false(weir_rate_prepare(1, WEIR_PERIOD_MAX, 2, &rate));
    assert_true(weir_rate_prepare(2, WEIR_PERIOD_MAX, 2, &rate));
    assert_false(weir_rate_prepare(2, WEIR_PERIOD_MAX, 3, &rate));
    assert_true(weir_rate_prepare(1, WEIR_PERIOD_MAX / 2, 2, &rate));
    assert_false(weir_rate_prepare(1, WEIR_PERIOD_MAX / 2 + 1, 2, &rate));
    assert_true(weir_rate_prepare(WEIR_COUNT_MAX, WEIR_PERIOD_MAX, WEIR_COUNT_MAX, &rate));
    assert_false(rate.narrow);
}

/* 64 bits are enough up to 2^64 - 1 parts, and are used no further. */
static void narrow_is_decided_at_two_to_the_64(void **state)
{
    struct weir_rate rate;
    (void)state;
    /* 2^64 - 1 = 3 * 5 * 17 * 257 * 641 * 65537 * 6700417. */
    const uint64_t burst = 65537 * UINT64_C(65535);
    const int64_t period_us = (int64_t)(UINT64_MAX / burst);
    assert_true(UINT64_MAX % burst == 0 && (uint64_t)period_us * burst == UINT64_MAX);
    assert_true(weir_rate_prepare(4294967291, period_us, burst, &rate));
    assert_true(rate.narrow);
    assert_true(weir_rate_prepare(4294967291, period_us + 1, burst, &rate));
    assert_false(rate.narrow);
}

/* ---- Sums ---- */

static void sums(const struct weir_rate *rate, uint64_t burst, struct random *random)
{
    mpz_t a;
    mpz_t b;
    mpz_inits(a, b, NULL);
    struct weir_span x = {random_between(random, 0, 2 * rate->depth_us + 1),
                          random_below(random, rate->denominator)};
    struct weir_span y = {random_between(random, 0, 2 * rate->depth_us + 1),
                          random_once_in(random, 4) ? x.part
                                                    : random_below(random, rate->denominator)};
    (void)burst;
    y.whole = random_once_in(random, 4) ? x.whole : y.whole;
    set_parts(a, rate, x);
    set_parts(b, rate, y);
    const int order = mpz_cmp(a, b);
    assert_int_equal(weir_span_exceeds(x, y), order > 0);
    assert_int_equal(weir_span_exceeds(y, x), order < 0);
    assert_int_equal(weir_span_ceil(x), x.whole + (x.part != 0 ? 1 : 0));
    mpz_add(a, a, b);
    assert_span(span_of(rate, a), weir_span_add(rate, x, y));
    mpz_sub(a, a, b);
    mpz_sub(a, a, b);
    assert_span(span_of(rate, a), weir_span_sub(rate, x, y));
    mpz_clears(a, b, NULL);
}

static void sums_carry_and_borrow(void **state)
{
    (void)state;
    for_all_rates(sums);
}

/* ---- Products and quotients ---- */

static void times_one(const struct weir_rate *rate, uint64_t cost)
{
    mpz_t product;
    mpz_init(product);
    mpz_set_ui(product, rate->numerator);
    mpz_mul_ui(product, product, cost);
    assert_span(span_of(rate, product), weir_rate_times(rate, cost));
    mpz_clear(product);
}

static void times(const struct weir_rate *rate, uint64_t burst, struct random *random)
{
    times_one(rate, 1);
    times_one(rate, burst);
    times_one(rate, 1 + random_below(random, burst));
    /* The last cost whose product has 64 bits, and the first whose has more. */
    const uint64_t edge = UINT64_MAX / rate->numerator;
    if (edge > 0 && edge < burst) {
        times_one(rate, edge);
        times_one(rate, edge + 1);
    }
}

static void a_cost_is_so_many_intervals(void **state)
{
    (void)state;
    for_all_rates(times);
}

static void intervals_one(const struct weir_rate *rate, const mpz_t parts)
{
    mpz_t quotient;
    mpz_init(quotient);
    mpz_fdiv_q_ui(quotient, parts, rate->numerator);
    assert_int_equal(mpz_get_ui(quotient), weir_rate_intervals(rate, span_of(rate, parts)));
    mpz_clear(quotient);
}

/* Around whole numbers of intervals, the last one included, where an estimate would be wrong by
 * one. */
static void intervals(const struct weir_rate *rate, uint64_t burst, struct random *random)
{
    mpz_t parts;
    mpz_init(parts);
    const uint64_t whole[] = {0, 1, burst - 1, burst, random_below(random, burst + 1)};
    for (size_t i = 0; i < sizeof(whole) / sizeof(whole[0]); i++) {
        for (int nudge = -1; nudge <= 1; nudge++) {
            mpz_set_ui(parts, rate->numerator);
            mpz_mul_ui(parts, parts, whole[i]);
            if ((nudge < 0 && whole[i] == 0) || (nudge > 0 && whole[i] == burst)) {
                continue;
            }
            mpz_add_ui(parts, parts, 1);
            mpz_sub_ui(parts, parts, (unsigned long)(1 - nudge));
            intervals_one(rate, parts);
        }
    }
    const struct weir_span room = {random_between(random, 0, rate->depth_us),
                                   rate->depth_part > 0 ? random_below(random, rate->depth_part)
                                                        : 0};
    set_parts(parts, rate, room);
    intervals_one(rate, parts);
    mpz_clear(parts);
}

static void dividing_by_the_reciprocal_is_exact(void **state)
{
    (void)state;
    for_all_rates(intervals);
}

/* The largest dividends that 64 bits hold, where the estimate has the least to spare. */
static void dividing_is_exact_up_to_two_to_the_64(void **state)
{
    struct weir_rate rate;
    mpz_t parts;
    (void)state;
    mpz_init(parts);
    for (uint64_t burst = WEIR_COUNT_MAX; burst > WEIR_COUNT_MAX - 2000; burst--) {
        /* The longest period whose product with the burst has 64 bits. */
        const int64_t period_us = (int64_t)(UINT64_MAX / burst);
        assert_true(weir_rate_prepare(4294967291, period_us, burst, &rate));
        assert_true(rate.narrow);
        for (uint64_t less = 0; less < 4; less++) {
            mpz_set_ui(parts, (uint64_t)period_us * burst - less);
            intervals_one(&rate, parts);
            mpz_set_ui(parts, (uint64_t)period_us * (burst - 1) - less);
            intervals_one(&rate, parts);
        }
    }
    mpz_clear(parts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rate_is_in_lowest_terms_and_its_products_are_exact),
        cmocka_unit_test(a_burst_comes_back_within_the_longest_period),
        cmocka_unit_test(narrow_is_decided_at_two_to_the_64),
        cmocka_unit_test(sums_carry_and_borrow),
        cmocka_unit_test(a_cost_is_so_many_intervals),
        cmocka_unit_test(dividing_by_the_reciprocal_is_exact),
        cmocka_unit_test(dividing_is_exact_up_to_two_to_the_64),
    };
    return cmocka_run_group_tests_name("rate", tests, NULL, NULL);
}
