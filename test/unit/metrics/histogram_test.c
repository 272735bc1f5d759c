/* histogram_test.c - what a histogram of times says of them, in quantiles and to Prometheus. */

#include "metrics/histogram.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "support/random.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define US INT64_C(1000)
#define SECOND INT64_C(1000000000)

static struct weir_histogram *histogram_of(const int64_t *times, size_t count)
{
    struct weir_histogram *histogram = weir_histogram_new();
    assert_non_null(histogram);
    for (size_t i = 0; i < count; i++) {
        weir_histogram_record(histogram, times[i]);
    }
    return histogram;
}

static void an_empty_one_knows_nothing(void **state)
{
    (void)state;
    struct weir_histogram *histogram = weir_histogram_new();
    assert_int_equal(weir_histogram_count(histogram), 0);
    assert_int_equal(weir_histogram_quantile(histogram, 5000), 0);
    assert_int_equal(weir_histogram_quantile(histogram, 10000), 0);
    weir_histogram_free(histogram);
    weir_histogram_free(NULL);
}

static int ascending(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a;
    const int64_t y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Of the scale: above the true quantile, and by no more than an eighth. */
static void quantiles_are_right_to_an_eighth(void **state)
{
    (void)state;
    static const unsigned shares[] = {1, 100, 2500, 5000, 9000, 9900, 9990, 9999, 10000};
    struct random random = random_from(random_seed(17));
    const size_t count = 20000;
    int64_t *times = calloc(count, sizeof(times[0]));
    for (size_t i = 0; i < count; i++) {
        times[i] = 1024 + (int64_t)random_wide(&random, (uint64_t)(60 * SECOND));
    }
    struct weir_histogram *histogram = histogram_of(times, count);
    qsort(times, count, sizeof(times[0]), ascending);
    for (size_t i = 0; i < sizeof(shares) / sizeof(shares[0]); i++) {
        const size_t rank = (count * shares[i] + 9999) / 10000;
        const int64_t exact = times[rank - 1];
        const int64_t told = weir_histogram_quantile(histogram, shares[i]);
        assert_true(told > exact);
        assert_true(told <= exact + exact / 8 + 1);
    }
    weir_histogram_free(histogram);
    free(times);
}

static void the_ends_of_the_scale(void **state)
{
    (void)state;
    struct weir_histogram *histogram = histogram_of((const int64_t[]){-1, 0, 1, 1023}, 4);
    assert_int_equal(weir_histogram_quantile(histogram, 10000), 1024);
    weir_histogram_record(histogram, (INT64_C(1) << 36) - 1);
    assert_int_equal(weir_histogram_quantile(histogram, 10000), INT64_C(1) << 36);
    weir_histogram_record(histogram, INT64_C(1) << 36);
    assert_int_equal(weir_histogram_quantile(histogram, 10000), INT64_MAX);
    weir_histogram_record(histogram, INT64_MAX);
    assert_int_equal(weir_histogram_count(histogram), 7);
    weir_histogram_free(histogram);
}

/* Each time that Prometheus has a bound at, and one past it. */
static const struct {
    int64_t ns;
    const char *text;
} bounds[] = {
    {10 * US, "1e-05"},      {25 * US, "2.5e-05"},  {50 * US, "5e-05"},    {100 * US, "0.0001"},
    {250 * US, "0.00025"},   {500 * US, "0.0005"},  {1000 * US, "0.001"},  {2500 * US, "0.0025"},
    {5000 * US, "0.005"},    {10000 * US, "0.01"},  {25000 * US, "0.025"}, {50000 * US, "0.05"},
    {100000 * US, "0.1"},    {250000 * US, "0.25"}, {500000 * US, "0.5"},  {SECOND, "1"},
    {5 * SECOND / 2, "2.5"}, {5 * SECOND, "5"},     {10 * SECOND, "10"},
};

#define BOUND_COUNT (sizeof(bounds) / sizeof(bounds[0]))

/* The number of the line that begins with `series`. */
static unsigned long long number_of(const struct weir_buffer *told, const char *series)
{
    const size_t len = strlen(series);
    const char *line = told->bytes;
    while (line != NULL && strncmp(line, series, len) != 0) {
        line = strchr(line, '\n');
        line = line != NULL ? line + 1 : NULL;
    }
    assert_non_null(line);
    return strtoull(line + len, NULL, 10);
}

static void prometheus_is_told_how_many_took_no_longer(void **state)
{
    (void)state;
    struct weir_histogram *histogram = weir_histogram_new();
    for (size_t i = 0; i < BOUND_COUNT; i++) {
        weir_histogram_record(histogram, bounds[i].ns);
        weir_histogram_record(histogram, bounds[i].ns + 1);
    }
    struct weir_buffer told = {0};
    weir_histogram_tell(histogram, "took_seconds", "door=\"http\"", &told);
    weir_buffer_put(&told, weir_bytes("", 1));
    for (size_t i = 0; i < BOUND_COUNT; i++) {
        char series[96];
        (void)snprintf(series, sizeof(series), "took_seconds_bucket{door=\"http\",le=\"%s\"} ",
                       bounds[i].text);
        assert_int_equal(number_of(&told, series), 2 * i + 1);
    }
    assert_int_equal(number_of(&told, "took_seconds_bucket{door=\"http\",le=\"+Inf\"} "),
                     2 * BOUND_COUNT);
    assert_int_equal(number_of(&told, "took_seconds_count{door=\"http\"} "), 2 * BOUND_COUNT);
    weir_buffer_deinit(&told);
    weir_histogram_free(histogram);
}

static void the_sum_is_in_seconds_and_exact(void **state)
{
    (void)state;
    struct weir_histogram *histogram =
        histogram_of((const int64_t[]){1, 3 * SECOND, 20 * SECOND + 999999998}, 3);
    struct weir_buffer told = {0};
    weir_histogram_tell(histogram, "t", "", &told);
    weir_buffer_put(&told, weir_bytes("", 1));
    assert_non_null(strstr(told.bytes, "\nt_sum 23.999999999\nt_count 3\n"));
    assert_non_null(strstr(told.bytes, "t_bucket{le=\"1e-05\"} 1\n"));
    assert_non_null(strstr(told.bytes, "t_bucket{le=\"10\"} 2\nt_bucket{le=\"+Inf\"} 3\n"));
    weir_buffer_deinit(&told);
    weir_histogram_free(histogram);
}

static void two_are_told_as_one(void **state)
{
    (void)state;
    struct weir_histogram *one = histogram_of((const int64_t[]){5 * US, SECOND}, 2);
    struct weir_histogram *other = histogram_of((const int64_t[]){7 * US, 90 * SECOND}, 2);
    struct weir_histogram *both =
        histogram_of((const int64_t[]){5 * US, SECOND, 7 * US, 90 * SECOND}, 4);
    weir_histogram_add(one, other);
    struct weir_buffer told = {0};
    struct weir_buffer expected = {0};
    weir_histogram_tell(one, "t", "", &told);
    weir_histogram_tell(both, "t", "", &expected);
    assert_int_equal(told.len, expected.len);
    assert_memory_equal(told.bytes, expected.bytes, told.len);
    for (unsigned share = 0; share <= 10000; share += 500) {
        assert_int_equal(weir_histogram_quantile(one, share), weir_histogram_quantile(both, share));
    }
    weir_buffer_deinit(&told);
    weir_buffer_deinit(&expected);
    weir_histogram_free(one);
    weir_histogram_free(other);
    weir_histogram_free(both);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_one_knows_nothing),
        cmocka_unit_test(quantiles_are_right_to_an_eighth),
        cmocka_unit_test(the_ends_of_the_scale),
        cmocka_unit_test(prometheus_is_told_how_many_took_no_longer),
        cmocka_unit_test(the_sum_is_in_seconds_and_exact),
        cmocka_unit_test(two_are_told_as_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
