/* model_sliding.c - the two-counter estimate, straight from its formula.
 *
 * estimate(t) = previous * weight(t) + current, where weight(t) is the part of the previous window
 * that the last period before t still overlaps, rounded up to a whole number of 1/2^20. A cost fits
 * at t where estimate(t) + cost <= count. When a denied request will fit is not solved for but
 * searched for: between two admissions the estimate never grows. */

#include "prop/model_parts.h"

#include <assert.h>

/* The counts as they are at some time, and from when on they count. */
struct view {
    int64_t window; /* the number of the current window, window 0 starting at time 0 */
    wide previous;
    wide current;
    int64_t from_us; /* a time before this counts as this */
};

void model_sliding_init(struct model_sliding *sliding)
{
    mpq_inits(sliding->weight, sliding->estimate, NULL);
    model_sliding_clear(sliding);
}

void model_sliding_deinit(struct model_sliding *sliding)
{
    mpq_clears(sliding->weight, sliding->estimate, NULL);
}

void model_sliding_clear(struct model_sliding *sliding)
{
    sliding->forgotten_us = 0;
    sliding->previous = 0;
    sliding->current = 0;
}

static wide least(wide a, wide b)
{
    return a < b ? a : b;
}

/* How an end is kept: in units of 2^10 us, rounded up. */
static int64_t kept_as(int64_t end_us)
{
    return (end_us + 1023) / 1024 * 1024;
}

/* The counts as they stand at now; true where they need repair.
 *
 * What of this is a matter of how the state is kept: of the time, only the rounded end of the
 * window after the current one is known. If some window of the present period has an end that is
 * kept as this, it is that one. If none has, the counts were made under another period: together,
 * they go into the window of now. (As no two ends of a period of 2000 us or more are kept alike,
 * the search need only look at the last end at or before the one that is kept.) */
static bool look(const struct model_sliding *kept, const struct model_ask *ask, struct view *view)
{
    const int64_t period_us = ask->spec->period_us;
    const wide count = (wide)ask->spec->count;
    const int64_t now_window = ask->now_us / period_us;
    *view = (struct view){now_window, 0, 0, ask->now_us};
    if ((kept->previous == 0 && kept->current == 0) || kept->forgotten_us <= ask->now_us) {
        return false;
    }
    const wide previous = least(kept->previous, count);
    const wide current = least(kept->current, count);
    const int64_t ends = kept->forgotten_us / period_us;
    if (kept_as(ends * period_us) != kept->forgotten_us) {
        view->current = least(previous + current, count);
        return true;
    }
    const int64_t window = ends - 2;
    if (window == now_window) {
        view->previous = previous;
        view->current = current;
    } else if (window == now_window - 1) {
        view->previous = current;
    } else if (window > now_window) {
        view->previous = previous;
        view->current = current;
        if (window * period_us - ask->now_us > model_slack(period_us)) {
            return true;
        }
        view->window = window;
        view->from_us = window * period_us;
    }
    return false;
}

/* Works out the estimate at a time from view->from_us on, if nothing more comes. */
static void estimate_at(struct model_sliding *scratch, const struct view *view, int64_t period_us,
                        int64_t at_us)
{
    const int64_t since_us = at_us - view->window * period_us;
    assert(since_us >= 0);
    const int64_t passed = since_us / period_us;
    const wide previous = passed == 0 ? view->previous : passed == 1 ? view->current : 0;
    const wide current = passed == 0 ? view->current : 0;
    const int64_t overlap_us = period_us - since_us % period_us;

    mpq_set_si(scratch->weight, overlap_us, (unsigned long)period_us);
    mpq_canonicalize(scratch->weight);
    mpq_mul_2exp(scratch->weight, scratch->weight, 20);
    mpz_cdiv_q(mpq_numref(scratch->weight), mpq_numref(scratch->weight),
               mpq_denref(scratch->weight));
    mpz_set_ui(mpq_denref(scratch->weight), 1);
    mpq_div_2exp(scratch->weight, scratch->weight, 20);

    mpq_set_ui(scratch->estimate, (unsigned long)previous, 1);
    mpq_mul(scratch->estimate, scratch->estimate, scratch->weight);
    mpq_set_ui(scratch->weight, (unsigned long)current, 1);
    mpq_add(scratch->estimate, scratch->estimate, scratch->weight);
}

/* How many requests of cost 1 fit then: count less the estimate, rounded down. */
static uint64_t room_at(struct model_sliding *scratch, const struct view *view,
                        const struct weir_limit_spec *spec, int64_t at_us)
{
    estimate_at(scratch, view, spec->period_us, at_us < view->from_us ? view->from_us : at_us);
    mpq_set_ui(scratch->weight, spec->count, 1);
    mpq_sub(scratch->weight, scratch->weight, scratch->estimate);
    if (mpq_sgn(scratch->weight) <= 0) {
        return 0;
    }
    mpz_fdiv_q(mpq_numref(scratch->weight), mpq_numref(scratch->weight),
               mpq_denref(scratch->weight));
    return mpz_get_ui(mpq_numref(scratch->weight));
}

/* The first time at which the cost fits: not now, but at the latest when all is forgotten. */
static int64_t search(struct model_sliding *scratch, const struct view *view,
                      const struct model_ask *ask)
{
    int64_t denied_us = ask->now_us;
    int64_t admitted_us = (view->window + 2) * ask->spec->period_us;
    while (admitted_us - denied_us > 1) {
        const int64_t middle_us = denied_us + (admitted_us - denied_us) / 2;
        if (ask->cost <= room_at(scratch, view, ask->spec, middle_us)) {
            admitted_us = middle_us;
        } else {
            denied_us = middle_us;
        }
    }
    return admitted_us;
}

static void keep(struct model_sliding *kept, const struct view *view, int64_t period_us)
{
    kept->previous = view->previous;
    kept->current = view->current;
    kept->forgotten_us = kept_as((view->window + 2) * period_us);
}

void model_sliding_decide(struct model_sliding *kept, const struct model_ask *ask,
                          struct weir_decision *decision)
{
    struct view view;
    const bool repaired = look(kept, ask, &view);
    const int64_t period_us = ask->spec->period_us;
    const uint64_t room = room_at(kept, &view, ask->spec, ask->now_us);
    const bool possible = ask->cost <= ask->spec->count;
    const bool allowed = ask->cost <= room;
    *decision = (struct weir_decision){
        .allowed = allowed,
        .limit = ask->spec->count,
        .remaining = allowed && ask->take ? room - ask->cost : room,
    };
    if (!possible) {
        decision->retry_after_us = WEIR_NEVER;
    } else if (!allowed) {
        decision->retry_after_us = search(kept, &view, ask) - ask->now_us;
    }
    if (allowed && ask->take) {
        view.current += (wide)ask->cost;
    }
    if (view.current > 0) {
        decision->reset_after_us = (view.window + 2) * period_us - ask->now_us;
    } else if (view.previous > 0) {
        decision->reset_after_us = (view.window + 1) * period_us - ask->now_us;
    }
    if ((allowed && ask->take) || (repaired && possible && ask->mend)) {
        keep(kept, &view, period_us);
    }
}

/* The latest requests are given back first: the current window's, then the one's before. */
void model_sliding_refund(struct model_sliding *kept, const struct model_ask *ask)
{
    struct view view;
    look(kept, ask, &view);
    if (ask->cost == 0 || (view.previous == 0 && view.current == 0)) {
        return;
    }
    wide left = (wide)ask->cost;
    const wide from_current = least(left, view.current);
    view.current -= from_current;
    left -= from_current;
    view.previous -= least(left, view.previous);
    keep(kept, &view, ask->spec->period_us);
}
