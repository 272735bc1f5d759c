/* model_bucket.c - token-bucket and leaky-bucket as a level that refills, in exact rationals.
 *
 * A bucket holds at most `burst` tokens and gains one every interval = period/count microseconds.
 * A request of cost c is admitted if at least c tokens are there, and takes them. What is kept of a
 * bucket is the moment at which it is full again, so that a limit that is changed keeps the debt as
 * a time. */

#include "prop/model_parts.h"

#include <assert.h>

void model_bucket_init(struct model_bucket *bucket)
{
    mpq_inits(bucket->full_at, bucket->interval, bucket->depth, bucket->owed, bucket->level,
              bucket->time, NULL);
    mpz_inits(bucket->denominator, bucket->whole, NULL);
    model_bucket_clear(bucket);
}

void model_bucket_deinit(struct model_bucket *bucket)
{
    mpq_clears(bucket->full_at, bucket->interval, bucket->depth, bucket->owed, bucket->level,
               bucket->time, NULL);
    mpz_clears(bucket->denominator, bucket->whole, NULL);
}

void model_bucket_clear(struct model_bucket *bucket)
{
    mpq_set_ui(bucket->full_at, 0, 1);
    mpz_set_ui(bucket->denominator, 1);
}

static int64_t floor_of(struct model_bucket *bucket, mpq_srcptr value)
{
    mpz_fdiv_q(bucket->whole, mpq_numref(value), mpq_denref(value));
    assert(mpz_fits_slong_p(bucket->whole));
    return mpz_get_si(bucket->whole);
}

static int64_t ceiling_of(struct model_bucket *bucket, mpq_srcptr value)
{
    mpz_cdiv_q(bucket->whole, mpq_numref(value), mpq_denref(value));
    assert(mpz_fits_slong_p(bucket->whole));
    return mpz_get_si(bucket->whole);
}

/* Works out the interval and the depth, the time in which an empty bucket fills up. */
static void measure(struct model_bucket *bucket, const struct weir_limit_spec *spec)
{
    mpq_set_ui(bucket->interval, (unsigned long)spec->period_us, spec->count);
    mpq_canonicalize(bucket->interval);
    mpq_set_ui(bucket->depth, spec->burst, 1);
    mpq_mul(bucket->depth, bucket->depth, bucket->interval);
}

/* What of the state is a matter of how it is kept: a time is whole microseconds and a number of
 * parts, which are parts of whatever denominator the limit has that reads them. Parts that the
 * present denominator does not have count as one whole microsecond. Leaves full_at as that reads it
 * in bucket->time. */
static void recall(struct model_bucket *bucket)
{
    mpq_set(bucket->time, bucket->full_at);
    if (mpz_cmp(bucket->denominator, mpq_denref(bucket->interval)) == 0) {
        return;
    }
    mpz_fdiv_q(bucket->whole, mpq_numref(bucket->full_at), mpq_denref(bucket->full_at));
    mpq_t fraction;
    mpq_init(fraction);
    mpq_set_z(fraction, bucket->whole);
    mpq_sub(fraction, bucket->full_at, fraction);
    mpq_set_z(bucket->time, bucket->denominator);
    mpq_mul(fraction, fraction, bucket->time);
    assert(mpz_cmp_ui(mpq_denref(fraction), 1) == 0);
    mpq_set_z(bucket->time, bucket->whole);
    if (mpz_cmp(mpq_numref(fraction), mpq_denref(bucket->interval)) >= 0) {
        mpq_set_ui(fraction, 1, 1);
    } else {
        mpz_set(mpq_denref(fraction), mpq_denref(bucket->interval));
        mpq_canonicalize(fraction);
    }
    mpq_add(bucket->time, bucket->time, fraction);
    mpq_clear(fraction);
}

/* How long until the bucket is full, by the clock rule, into bucket->owed; true where it was
 * repaired. The rule is about microseconds: fractions of one are no reason to repair. */
static bool owe(struct model_bucket *bucket, const struct model_ask *ask)
{
    measure(bucket, ask->spec);
    recall(bucket);
    mpq_set_si(bucket->owed, ask->now_us, 1);
    mpq_sub(bucket->owed, bucket->time, bucket->owed);
    if (mpq_sgn(bucket->owed) < 0) {
        mpq_set_ui(bucket->owed, 0, 1);
    }
    const int64_t span_us = floor_of(bucket, bucket->depth);
    if (floor_of(bucket, bucket->owed) <= span_us + model_slack(span_us)) {
        return false;
    }
    mpq_set(bucket->owed, bucket->depth);
    return true;
}

/* Keeps that the bucket will be full bucket->owed after now. */
static void keep(struct model_bucket *bucket, int64_t now_us)
{
    mpq_set_si(bucket->time, now_us, 1);
    mpq_add(bucket->full_at, bucket->time, bucket->owed);
    mpz_set(bucket->denominator, mpq_denref(bucket->interval));
}

void model_bucket_decide(struct model_bucket *bucket, const struct model_ask *ask,
                         struct weir_decision *decision)
{
    const bool repaired = owe(bucket, ask);
    const bool possible = ask->cost <= ask->spec->burst;

    /* The level: burst less one token for each interval that is owed. Below 0 only within the
     * slack. */
    mpq_set_ui(bucket->level, ask->spec->burst, 1);
    mpq_div(bucket->time, bucket->owed, bucket->interval);
    mpq_sub(bucket->level, bucket->level, bucket->time);

    const bool allowed = possible && mpq_cmp_ui(bucket->level, ask->cost, 1) >= 0;
    *decision = (struct weir_decision){.allowed = allowed, .limit = ask->spec->burst};
    if (allowed && ask->spec->algorithm == WEIR_LEAKY_BUCKET) {
        decision->delay_us = ceiling_of(bucket, bucket->owed);
    }
    if (!possible) {
        decision->retry_after_us = WEIR_NEVER;
    } else if (!allowed) {
        /* So long as the missing tokens take to come. */
        mpq_set_ui(bucket->time, ask->cost, 1);
        mpq_sub(bucket->time, bucket->time, bucket->level);
        mpq_mul(bucket->time, bucket->time, bucket->interval);
        decision->retry_after_us = ceiling_of(bucket, bucket->time);
    }
    if (allowed && ask->take) {
        mpq_set_ui(bucket->time, ask->cost, 1);
        mpq_sub(bucket->level, bucket->level, bucket->time);
        mpq_mul(bucket->time, bucket->time, bucket->interval);
        mpq_add(bucket->owed, bucket->owed, bucket->time);
    }
    decision->remaining =
        mpq_sgn(bucket->level) > 0 ? (uint64_t)floor_of(bucket, bucket->level) : 0;
    decision->reset_after_us = ceiling_of(bucket, bucket->owed);
    if ((allowed && ask->take) || (repaired && possible && ask->mend)) {
        keep(bucket, ask->now_us);
    }
}

void model_bucket_refund(struct model_bucket *bucket, const struct model_ask *ask)
{
    owe(bucket, ask);
    if (ask->cost == 0 || mpq_sgn(bucket->owed) == 0) {
        return;
    }
    mpq_set_ui(bucket->time, ask->cost, 1);
    mpq_mul(bucket->time, bucket->time, bucket->interval);
    mpq_sub(bucket->owed, bucket->owed, bucket->time);
    if (mpq_sgn(bucket->owed) < 0) {
        mpq_set_ui(bucket->owed, 0, 1);
    }
    keep(bucket, ask->now_us);
}
