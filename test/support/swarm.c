/* swarm.c - see swarm.h. */

#include "support/swarm.h"

#include "support/rig.h"
#include "support/rig_process.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* What a busy machine may add to a deadline. */
#define MARGIN_US INT64_C(2000000)
#define LOOK_MS 5
#define LOOK_UP 500

struct swarm {
    uv_loop_t loop;
    uv_timer_t looker;
    struct weir_allocator allocator; /* malloc, counted */
    atomic_size_t allocated;
    struct weir *weir;
    struct weir_limit *limit;
    unsigned generation;
    size_t ended_count;
    int64_t submitted_us;
    struct weir_call calls[SWARM_CALLS];
    struct weir_request requests[SWARM_CALLS];
    struct weir_decision decisions[SWARM_CALLS];
    char keys[SWARM_CALLS][24];
    unsigned ended[SWARM_CALLS];
    int64_t took_us[SWARM_CALLS];
};

static int64_t steady_us(void)
{
    return (int64_t)(uv_hrtime() / 1000);
}

/* ---- Memory, counted ---- */

static void *take(void *context, size_t size, size_t alignment)
{
    struct swarm *swarm = context;
    void *memory = aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
    if (memory != NULL) {
        (void)atomic_fetch_add(&swarm->allocated, size);
    }
    return memory;
}

static void give(void *context, void *memory, size_t size)
{
    struct swarm *swarm = context;
    if (memory != NULL) {
        (void)atomic_fetch_sub(&swarm->allocated, size);
    }
    free(memory);
}

/* ---- The loop ---- */

/* Wakes the loop, so that it is looked at. */
static void on_look(uv_timer_t *looker)
{
    (void)looker;
}

void swarm_run_until(struct swarm *swarm, bool (*condition)(void *context), void *context,
                     const char *what)
{
    const int64_t last_ms = rig_monotonic_ms() + RIG_PATIENCE_MS;
    while (!condition(context)) {
        if (rig_monotonic_ms() > last_ms) {
            rig_fail("waited in vain for %s", what);
        }
        (void)uv_run(&swarm->loop, UV_RUN_ONCE);
    }
}

struct swarm *swarm_open(const char *url)
{
    struct swarm *swarm = calloc(1, sizeof(*swarm));
    assert_non_null(swarm);
    const struct weir_limit_options limit = {.size = sizeof(limit), .name = weir_text("swarm")};
    assert_int_equal(
        weir_limit_parse(weir_text("3/360d fixed-window"), &limit, &swarm->limit, NULL), WEIR_OK);
    assert_int_equal(uv_loop_init(&swarm->loop), 0);
    assert_int_equal(uv_timer_init(&swarm->loop, &swarm->looker), 0);
    assert_int_equal(uv_timer_start(&swarm->looker, on_look, LOOK_MS, LOOK_MS), 0);
    swarm->allocator = (struct weir_allocator){take, give, swarm};
    const struct weir_redis_options options = {
        .size = sizeof(options), .allocator = &swarm->allocator, .loop = &swarm->loop};
    struct weir_error error = {0, 0, ""};
    if (weir_redis_open(url, &options, &swarm->weir, &error) != WEIR_OK) {
        rig_fail("%s: %s", url, error.message);
    }
    return swarm;
}

struct weir *swarm_store(struct swarm *swarm)
{
    return swarm->weir;
}

/* ---- One call, until Redis answers ---- */

struct probe {
    struct swarm *swarm;
    struct weir_call call;
    struct weir_request request;
    struct weir_decision decision;
    bool under_way;
    bool answered;
};

static void probe_done(struct weir_call *call)
{
    struct probe *probe = call->context;
    probe->under_way = false;
    probe->answered = probe->decision.source == WEIR_SOURCE_REDIS;
}

static bool probe_answered(void *context)
{
    struct probe *probe = context;
    if (!probe->answered && !probe->under_way) {
        probe->request = (struct weir_request){probe->swarm->limit, weir_text("probe"), 0};
        probe->call = (struct weir_call){
            .requests = &probe->request,
            .count = 1,
            .now_us = WEIR_CLOCK,
            .decisions = &probe->decision,
            .done = probe_done,
            .context = probe,
        };
        probe->under_way = true;
        weir_submit(probe->swarm->weir, &probe->call);
    }
    return probe->answered;
}

int64_t swarm_await_redis(struct swarm *swarm)
{
    struct probe probe = {.swarm = swarm};
    const int64_t before_us = steady_us();
    swarm_run_until(swarm, probe_answered, &probe, "Redis to answer");
    return steady_us() - before_us;
}

/* ---- All calls ---- */

static void one_is_done(struct weir_call *call)
{
    struct swarm *swarm = call->context;
    const size_t i = (size_t)(call - swarm->calls);
    swarm->ended[i]++;
    swarm->took_us[i] = steady_us() - swarm->submitted_us;
    swarm->ended_count++;
}

void swarm_submit(struct swarm *swarm)
{
    swarm->generation++;
    swarm->ended_count = 0;
    memset(swarm->ended, 0, sizeof(swarm->ended));
    swarm->submitted_us = steady_us();
    for (size_t i = 0; i < SWARM_CALLS; i++) {
        rig_format(swarm->keys[i], sizeof(swarm->keys[i]), "%u-%zu", swarm->generation, i);
        swarm->requests[i] = (struct weir_request){swarm->limit, weir_text(swarm->keys[i]), 1};
        swarm->calls[i] = (struct weir_call){
            .requests = &swarm->requests[i],
            .count = 1,
            .now_us = WEIR_CLOCK,
            .decisions = &swarm->decisions[i],
            .done = one_is_done,
            .context = swarm,
        };
        weir_submit(swarm->weir, &swarm->calls[i]);
    }
}

size_t swarm_ended(const struct swarm *swarm)
{
    return swarm->ended_count;
}

static bool all_have_ended(void *context)
{
    const struct swarm *swarm = context;
    return swarm->ended_count >= SWARM_CALLS;
}

static int compare(const void *left, const void *right)
{
    const int64_t a = *(const int64_t *)left;
    const int64_t b = *(const int64_t *)right;
    return a < b ? -1 : a > b;
}

/* What is left once the calls have ended: memory that is not theirs. */
static struct swarm_account sum_up(struct swarm *swarm)
{
    struct swarm_account account = {0};
    for (size_t i = 0; i < SWARM_CALLS; i++) {
        assert_int_equal(swarm->ended[i], 1);
        assert_int_equal(swarm->calls[i].status, WEIR_OK);
        assert_true(swarm->decisions[i].failure < WEIR_FAILURE_COUNT);
        account.by_redis += swarm->decisions[i].source == WEIR_SOURCE_REDIS ? 1 : 0;
        account.failed[swarm->decisions[i].failure]++;
    }
    qsort(swarm->took_us, SWARM_CALLS, sizeof(swarm->took_us[0]), compare);
    account.median_us = swarm->took_us[SWARM_CALLS / 2];
    account.longest_us = swarm->took_us[SWARM_CALLS - 1];
    return account;
}

/* ---- The proof ---- */

static void judge(const struct weir_decision *told, uint64_t used, struct swarm_account *account)
{
    if (told->source == WEIR_SOURCE_REDIS) {
        assert_true(told->allowed);
        assert_int_equal(used, 1);
    } else {
        const bool unknown = told->failure == WEIR_FAILURE_TIMEOUT ||
                             told->failure == WEIR_FAILURE_LOST ||
                             told->failure == WEIR_FAILURE_CLOSED;
        assert_true(used <= (unknown ? 1U : 0U));
        account->carried += used;
    }
}

static void look_up(struct swarm *swarm, const char *url, struct swarm_account *account)
{
    char query[256];
    struct weir *checker = NULL;
    static struct weir_request requests[LOOK_UP];
    static struct weir_decision decisions[LOOK_UP];
    rig_format(query, sizeof(query), "%s?deadline=30s&on_error=deny&deny_cache=0", url);
    assert_int_equal(weir_redis_open(query, NULL, &checker, NULL), WEIR_OK);
    for (size_t begin = 0; begin < SWARM_CALLS; begin += LOOK_UP) {
        for (size_t i = 0; i < LOOK_UP; i++) {
            requests[i] = swarm->requests[begin + i];
            requests[i].cost = 0;
        }
        assert_int_equal(weir_check_batch(checker, requests, LOOK_UP, WEIR_CLOCK, decisions, NULL),
                         WEIR_OK);
        for (size_t i = 0; i < LOOK_UP; i++) {
            assert_int_equal(decisions[i].source, WEIR_SOURCE_REDIS);
            judge(&swarm->decisions[begin + i], decisions[i].limit - decisions[i].remaining,
                  account);
        }
    }
    weir_close(checker);
}

struct swarm_account swarm_finish(struct swarm *swarm, const char *name, int64_t deadline_us,
                                  const char *url)
{
    swarm_run_until(swarm, all_have_ended, swarm, "all calls to end");
    struct swarm_account account = sum_up(swarm);
    if (url != NULL) {
        look_up(swarm, url, &account);
    }
    print_message("# %s: %d calls, median %.1f ms, longest %.1f ms, %llu by Redis, of the others "
                  "%llu charged once\n",
                  name, SWARM_CALLS, (double)account.median_us / 1000,
                  (double)account.longest_us / 1000, (unsigned long long)account.by_redis,
                  (unsigned long long)account.carried);
    assert_true(account.longest_us < deadline_us + MARGIN_US);
    return account;
}

/* ---- Its end ---- */

void swarm_close_store(struct swarm *swarm)
{
    weir_close(swarm->weir);
    swarm->weir = NULL;
}

void swarm_close(struct swarm *swarm)
{
    swarm_close_store(swarm);
    uv_close((uv_handle_t *)&swarm->looker, NULL);
    assert_int_equal(uv_run(&swarm->loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&swarm->loop), 0);
    assert_int_equal(atomic_load(&swarm->allocated), 0);
    for (size_t i = 0; i < SWARM_CALLS; i++) {
        assert_true(swarm->generation == 0 || swarm->ended[i] == 1);
    }
    weir_limit_free(swarm->limit);
    free(swarm);
}
