/* slot_model.cpp - the protocol of slot.h, as it ships, run through relacy.
 *
 * relacy runs the threads of a scenario again and again, switching between them at every access to
 * a slot, and lets weaker loads be stale as far as C++11 allows. Here a slot is one atomic of 16
 * bytes: loads and swaps are sequentially consistent, the look at the low half is relaxed, as
 * base/pair.h has them. slot.h is included, not transcribed. A set has two slots here, as what can
 * go wrong takes two, and schedules of up to three switches besides those that a thread's end
 * brings; slot_wide_model.cpp has three and two.
 *
 * A key's state here is how often it was admitted, in the high half of its slot. After every swap
 * that succeeds, no key may live twice; at the end, no admission may be lost or be one too many.
 *
 * The twins (slot_*_twin.cpp) include this file with one thing wrong each: they pass only if relacy
 * finds a violation. So we know that the scenarios would find it here. */

#ifndef WEIR_SET_SLOTS
#define WEIR_SET_SLOTS 2
#define MODEL_BOUND 3
#endif
#define WEIR_LINE_SLOTS WEIR_SET_SLOTS

#include <relacy/relacy.hpp>

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <sstream>

struct weir_pair {
    uint64_t low;
    uint64_t high;
};

static bool operator==(const weir_pair &a, const weir_pair &b)
{
    return a.low == b.low && a.high == b.high;
}

static std::ostream &operator<<(std::ostream &out, const weir_pair &value)
{
    return out << std::hex << value.low << "/" << value.high << std::dec;
}

typedef rl::atomic<weir_pair> model_slot;

static weir_pair model_load(const model_slot *slot);
static uint64_t model_low(const model_slot *slot);
static uint64_t model_high(const model_slot *slot);
static bool model_swap(model_slot *slot, weir_pair expected, weir_pair desired);

#define W_SLOT model_slot
#define W_LOAD(slot) model_load(slot)
#define W_LOW(slot) model_low(slot)
#define W_HIGH(slot) model_high(slot)
#define W_SWAP(slot, expected, desired) model_swap((slot), (expected), (desired))

#include "store/slot.h"

#ifdef WEIR_MODEL_WEAK
#define MODEL_LOAD_ORDER rl::mo_acquire
#define MODEL_SWAP_ORDER rl::mo_acq_rel
#else
#define MODEL_LOAD_ORDER rl::mo_seq_cst
#define MODEL_SWAP_ORDER rl::mo_seq_cst
#endif

#ifdef WEIR_MODEL_REFUTED
static const bool must_be_refuted = true;
#else
static const bool must_be_refuted = false;
#endif

/* Keys that all look at the same slot first, in a set of two and of three: they are in each other's
 * way. */
static const uint64_t KEY = UINT64_C(6) << WEIR_TAG_SHIFT;
static const uint64_t OTHER = UINT64_C(12) << WEIR_TAG_SHIFT;
static const uint64_t FILLER = UINT64_C(18) << WEIR_TAG_SHIFT;

enum {
    THREADS_MAX = 3,
    IMMORTAL = 1000
};

/* ---- One set, and what may be done to it ---- */

struct set_model {
    model_slot slots[WEIR_SET_SLOTS];
    weir_pair shadow[WEIR_SET_SLOTS]; /* what each holds by the order of swaps, for checking only */
    int steps_left[THREADS_MAX];      /* until the thread is killed */
    uint64_t numbers;                 /* of pending slots */
    unsigned admitted;
    unsigned limit;
};

static set_model *current;

static bool killed()
{
    return current->steps_left[rl::ctx().threadx_->index_] <= 0;
}

/* Counts down to the death of this thread; true where it has come. */
static bool die_one_step()
{
    if (killed()) {
        return true;
    }
    int &left = current->steps_left[rl::ctx().threadx_->index_];
    if (left != IMMORTAL) {
        left--;
    }
    return false;
}

static weir_pair model_load(const model_slot *slot)
{
    const weir_pair nothing = {0, 0};
    return die_one_step() ? nothing : slot->load(MODEL_LOAD_ORDER, $);
}

static uint64_t model_low(const model_slot *slot)
{
    return die_one_step() ? 0 : slot->load(rl::mo_relaxed, $).low;
}

/* Another load than that of the low half: it may see another moment, before or after. */
static uint64_t model_high(const model_slot *slot)
{
    return die_one_step() ? 0 : slot->load(rl::mo_relaxed, $).high;
}

static void check_that_no_key_lives_twice()
{
    for (unsigned i = 0; i < WEIR_SET_SLOTS; i++) {
        for (unsigned j = 0; j < i; j++) {
            RL_ASSERT(
                !weir_slot_live(current->shadow[i]) || !weir_slot_live(current->shadow[j]) ||
                !weir_slot_matches(current->shadow[i].low, current->shadow[j].low & WEIR_TAG_MASK));
        }
    }
}

static bool model_swap(model_slot *slot, weir_pair expected, weir_pair desired)
{
    if (die_one_step() || !slot->compare_exchange_strong(expected, desired, MODEL_SWAP_ORDER, $)) {
        return false;
    }
    current->shadow[slot - current->slots] = desired;
    check_that_no_key_lives_twice();
    return true;
}

static weir_pair live(uint64_t tag, uint64_t admitted)
{
    const weir_pair value = {tag | (uint64_t)WEIR_KIND_FINE << WEIR_KIND_SHIFT, admitted};
    return value;
}

static weir_pair pending(void *numbers, uint64_t tag)
{
    uint64_t *next = static_cast<uint64_t *>(numbers);
#ifndef WEIR_MODEL_UNNUMBERED
    *next += 1;
#endif
    const weir_pair value = {tag | (uint64_t)WEIR_KIND_PENDING << WEIR_KIND_SHIFT, *next};
    return value;
}

/* As slot_rank() of table.c: what is idle goes before what is pending, and that before all else. */
static int64_t rank(weir_pair value, int64_t now)
{
    switch (weir_slot_kind(value)) {
    case WEIR_KIND_EMPTY:
        return INT64_MIN;
    case WEIR_KIND_PENDING:
        return now;
    default:
        return weir_slot_matches(value.low, FILLER) ? now - 1 : now + (int64_t)value.high;
    }
}

/* As bucket_check() of table_store.c: admits by a glance at the key's own slot and a swap, or not
 * at all. */
static bool take_at_a_glance(uint64_t tag)
{
    model_slot *own = &current->slots[weir_slot_own(tag)];
    const weir_pair value = weir_slot_glance(own);
    const weir_pair desired = live(tag, value.high + 1);
    if (!weir_slot_lives(value.low, tag) || desired.high > current->limit ||
        !model_swap(own, value, desired)) {
        return false;
    }
    current->admitted += tag == KEY ? 1 : 0;
    return true;
}

/* Asks once: the loop of table.c's check(), over a state that only counts. */
static void take(uint64_t tag)
{
    const weir_claimer claimer = {rank, 0, pending, &current->numbers};
    while (!killed()) {
        weir_pair value = {0, 0};
        weir_pair replaced;
        unsigned at = weir_slot_find(current->slots, tag, &value);
        const weir_pair desired = live(tag, at != WEIR_SET_SLOTS ? value.high + 1 : 1);
        if (killed() || desired.high > current->limit) {
            return;
        }
        if (at != WEIR_SET_SLOTS
                ? model_swap(&current->slots[at], value, desired)
                : weir_slot_insert(current->slots, tag, desired, &claimer, &replaced)) {
            current->admitted += tag == KEY ? 1 : 0;
            return;
        }
    }
}

/* Asks once, as the hot path does. */
static void take_quickly(uint64_t tag)
{
    if (!take_at_a_glance(tag)) {
        take(tag);
    }
}

/* As weir_table_forget(). */
static void forget(uint64_t tag)
{
    const weir_pair empty = {0, 0};
    weir_pair value = {0, 0};
    unsigned at;
    do {
        at = weir_slot_find(current->slots, tag, &value);
    } while (!killed() && at != WEIR_SET_SLOTS && !model_swap(&current->slots[at], value, empty));
}

/* As weir_table_refund() of a cost of 1: the key stays, with less. */
static void refund(uint64_t tag)
{
    for (;;) {
        weir_pair value = {0, 0};
        unsigned at = weir_slot_find(current->slots, tag, &value);
        if (killed() || at == WEIR_SET_SLOTS || value.high == 0 ||
            model_swap(&current->slots[at], value, live(tag, value.high - 1))) {
            return;
        }
    }
}

/* ---- Scenarios ---- */

template <typename scenario, unsigned threads>
struct scenario_of : rl::test_suite<scenario, threads>, set_model {
    void start(unsigned the_limit)
    {
        current = this;
        const weir_pair empty = {0, 0};
        for (unsigned i = 0; i < WEIR_SET_SLOTS; i++) {
            put(i, empty);
        }
        for (unsigned i = 0; i < THREADS_MAX; i++) {
            steps_left[i] = IMMORTAL;
        }
        numbers = 0;
        admitted = 0;
        limit = the_limit;
    }

    /* A set that is too small for a scenario's last entries goes without. */
    void put(unsigned at, weir_pair value)
    {
        if (at >= WEIR_SET_SLOTS) {
            return;
        }
        slots[at].store(value, rl::mo_relaxed, $);
        shadow[at] = value;
    }

    /* A pending slot of somebody who was killed before this scenario began. */
    void put_orphan(unsigned at, uint64_t tag)
    {
        put(at, pending(&numbers, tag));
    }

    uint64_t admitted_by_table() const
    {
        uint64_t sum = 0;
        for (unsigned i = 0; i < WEIR_SET_SLOTS; i++) {
            if (weir_slot_live(shadow[i]) && weir_slot_matches(shadow[i].low, KEY)) {
                sum += shadow[i].high;
            }
        }
        return sum;
    }

    /* Nothing was taken from KEY by others: the table knows of each admission, and of no other. */
    void must_be_exact(unsigned expected)
    {
        RL_ASSERT(admitted == expected);
        RL_ASSERT(admitted_by_table() == expected);
    }
};

/* Two threads take twice each from a new key that has room for three. */
struct two_takers : scenario_of<two_takers, 2> {
    void before()
    {
        start(3);
    }
    void thread(unsigned)
    {
        take(KEY);
        take(KEY);
    }
    void after()
    {
        must_be_exact(3);
    }
};

/* Three threads take from a new key that has room for two. */
struct three_takers : scenario_of<three_takers, 3> {
    void before()
    {
        start(2);
    }
    void thread(unsigned)
    {
        take(KEY);
    }
    void after()
    {
        must_be_exact(2);
    }
};

/* The set is full of idle keys; while two take from a new key, a third thread forgets one of those,
 * so that the two may choose different slots. */
struct takers_and_freed_slot : scenario_of<takers_and_freed_slot, 3> {
    void before()
    {
        start(2);
        put(0, live(FILLER, 1));
        put(1, live(OTHER, 1));
        put(2, live(OTHER + FILLER, 9));
    }
    void thread(unsigned index)
    {
        if (index == 2) {
            forget(OTHER);
        } else {
            take(KEY);
        }
    }
    void after()
    {
        must_be_exact(2);
    }
};

/* Another key is new to the set as well, and wants the same slot. The key that is counted has the
 * higher rank once it lives, so it is never the one to go. */
struct takers_and_newcomer : scenario_of<takers_and_newcomer, 3> {
    void before()
    {
        start(2);
        put(1, live(FILLER, 1));
        put(2, live(OTHER + FILLER, 9));
    }
    void thread(unsigned index)
    {
        take(index == 2 ? OTHER : KEY);
    }
    void after()
    {
        RL_ASSERT(admitted_by_table() <= admitted && admitted <= 2);
    }
};

/* The key is forgotten while two others take from it: it never lives twice, and since it is
 * forgotten once, it never gets more than its limit twice. */
struct takers_and_reset : scenario_of<takers_and_reset, 3> {
    void before()
    {
        start(1);
    }
    void thread(unsigned index)
    {
        take(KEY);
        if (index == 2) {
            forget(KEY);
        }
    }
    void after()
    {
        RL_ASSERT(admitted >= 1 && admitted <= 2);
        RL_ASSERT(admitted_by_table() <= 1);
    }
};

/* One of three gives back what it took. */
struct takers_and_refund : scenario_of<takers_and_refund, 3> {
    void before()
    {
        start(2);
    }
    void thread(unsigned index)
    {
        take(KEY);
        if (index == 2) {
            refund(KEY);
        }
    }
    void after()
    {
        RL_ASSERT(admitted >= 2 && admitted <= 3);
        RL_ASSERT(admitted_by_table() == admitted - 1);
    }
};

/* Two processes were killed after claiming, in different slots; two others take, and a third brings
 * another key. */
struct orphans_adopted : scenario_of<orphans_adopted, 3> {
    void before()
    {
        start(2);
        put_orphan(0, KEY);
        put_orphan(1, KEY);
        put(2, live(FILLER, 1));
    }
    void thread(unsigned index)
    {
        take(index == 2 ? OTHER : KEY);
    }
    void after()
    {
        RL_ASSERT(admitted_by_table() <= admitted && admitted <= 2);
    }
};

/* One of three is killed, at any step. What it was told counts; the rest get what is left, no less.
 */
struct killed_at_any_step : scenario_of<killed_at_any_step, 3> {
    void before()
    {
        start(2);
        put(0, live(FILLER, 1));
        put(1, live(OTHER, 9));
        put_orphan(2, KEY);
        steps_left[2] = (int)rl::rand(12);
    }
    void thread(unsigned)
    {
        take(KEY);
    }
    void after()
    {
        must_be_exact(2);
    }
};

/* While one has claimed a slot and read the others, its claim is adopted and settled by another,
 * who then forgets the key, puts another key in its place, takes again (so that the key lives
 * elsewhere now), and frees the first slot. A third, who saw that slot empty long ago, claims it.
 * If this claim looked like the first one, the first would settle it, having read the others too
 * early. */
struct claimed_again : scenario_of<claimed_again, 3> {
    void before()
    {
        start(9);
    }
    void thread(unsigned index)
    {
        take(KEY);
        if (index == 2) {
            forget(KEY);
            take(OTHER);
            take(KEY);
            forget(OTHER);
        }
    }
    void after()
    {
        RL_ASSERT(admitted == 4);
    }
};

/* The key lives in its own slot. Two take from it at a glance; a third gives back what it took. */
struct glances_and_refund : scenario_of<glances_and_refund, 3> {
    void before()
    {
        start(2);
        put(weir_slot_own(KEY), live(KEY, 0));
    }
    void thread(unsigned index)
    {
        if (index == 2) {
            take(KEY);
            refund(KEY);
        } else {
            take_quickly(KEY);
        }
    }
    void after()
    {
        RL_ASSERT(admitted >= 2 && admitted <= 3);
        RL_ASSERT(admitted_by_table() == admitted - 1);
    }
};

/* The key's own slot goes to another key, and the key to another slot, while two glance at it. */
struct glances_and_move : scenario_of<glances_and_move, 3> {
    void before()
    {
        start(2);
        put(weir_slot_own(KEY), live(KEY, 0));
    }
    void thread(unsigned index)
    {
        if (index == 2) {
            forget(KEY);
            take(OTHER);
        } else {
            take_quickly(KEY);
        }
    }
    void after()
    {
        RL_ASSERT(admitted == 2 && admitted_by_table() <= 2);
    }
};

/* ---- Running them ---- */

struct tally {
    unsigned runs;
    unsigned refuted;
    unsigned long executions;
};

template <typename scenario>
static void run(const char *name, rl::scheduler_type_e search, unsigned rounds, tally *sum)
{
    rl::ostringstream quiet;
    rl::test_params params;
    params.search_type = search;
    params.context_bound = MODEL_BOUND;
    params.iteration_count = rounds;
    params.output_stream = &quiet;
    params.progress_stream = &quiet;
    const bool held = rl::simulate<scenario>(params);
    std::printf("%s: %s, %lu executions%s%s\n", name, held ? "holds" : "refuted",
                (unsigned long)params.stop_iteration, held ? "" : ": ",
                held ? "" : rl::test_result_str(params.test_result));
    if (!held && !must_be_refuted) {
        std::fputs(quiet.str().c_str(), stdout);
    }
    std::fflush(stdout);
    sum->runs++;
    sum->refuted += held ? 0 : 1;
    sum->executions += (unsigned long)params.stop_iteration;
}

/* Every schedule of few switches, then many of any. A twin is done once it is refuted. */
template <typename scenario> static void run_both(const char *name, tally *sum)
{
    if (must_be_refuted && sum->refuted > 0) {
        return;
    }
    run<scenario>(name, rl::sched_bound, 0, sum);
    run<scenario>(name, rl::sched_random, 20000, sum);
}

int main()
{
    tally sum = {0, 0, 0};
    run_both<two_takers>("two_takers", &sum);
    run_both<three_takers>("three_takers", &sum);
    run_both<takers_and_freed_slot>("takers_and_freed_slot", &sum);
    run_both<claimed_again>("claimed_again", &sum);
    run_both<glances_and_refund>("glances_and_refund", &sum);
    run_both<glances_and_move>("glances_and_move", &sum);
    run_both<takers_and_newcomer>("takers_and_newcomer", &sum);
    run_both<takers_and_reset>("takers_and_reset", &sum);
    run_both<takers_and_refund>("takers_and_refund", &sum);
    run_both<orphans_adopted>("orphans_adopted", &sum);
    run_both<killed_at_any_step>("killed_at_any_step", &sum);
    std::printf("%u runs, %u refuted, %lu executions\n", sum.runs, sum.refuted, sum.executions);
    return (sum.refuted > 0) == must_be_refuted ? 0 : 1;
}
