/* weir.c - weir, called as any program calls it: the public header and libweir.a.
 *
 * One table for all the rows, with room for more than the keys of them, and a small one for each
 * algorithm. */

#include "bench.h"

#include "weir/weir.h"

#include <stdio.h>
#include <stdlib.h>

static const char *const limit_texts[BENCH_ALGORITHMS] = {
    [BENCH_OPEN] = "1000000/s burst 100000000",
    [BENCH_CLOSED] = "1/h",
    [BENCH_KEYED] = "1000/m",
};

/* Of each algorithm one that admits a hot key's every request, and one for many keys. */
static const struct {
    const char *hot;
    const char *few;
} algorithm_texts[BENCH_ALGORITHM_COUNT] = {
    {"1000000/s burst 100000000", "1000/m"},
    {"999983/s burst 100000000", "997/m"},
    {"1000000/s leaky-bucket burst 100000000", "1000/m leaky-bucket"},
    {"1000000000/s fixed-window", "1000/m fixed-window"},
    {"4000000000/month calendar-window Europe/Rome", "1000/month calendar-window Europe/Rome"},
    {"2000000/s sliding-window", "1000/m sliding-window"},
    {"10000/4ms sliding-log", "1000/m sliding-log"},
};

struct weir_bench {
    struct weir *weir;
    const struct weir_limit *limit;
};

static struct weir *many;
static size_t many_keys;
static struct weir *few[BENCH_ALGORITHM_COUNT];
static struct weir_limit *limits[BENCH_ALGORITHMS];
static struct weir_limit *hot_limits[BENCH_ALGORITHM_COUNT];
static struct weir_limit *few_limits[BENCH_ALGORITHM_COUNT];

static void must(enum weir_status status, const char *what, const struct weir_error *error)
{
    if (status != WEIR_OK) {
        bench_die("%s: %s: %s", what, weir_status_name(status),
                  error != NULL ? error->message : "");
    }
}

/* The name keeps limits apart that have the same algorithm and period. */
static struct weir_limit *parse(const char *text, const char *name)
{
    struct weir_limit *limit;
    struct weir_error error = {0};
    const struct weir_limit_options options = {.size = sizeof(options), .name = weir_text(name)};
    must(weir_limit_parse(weir_text(text), &options, &limit, &error), text, &error);
    return limit;
}

static struct weir *open_for(size_t keys, size_t log_bytes)
{
    char url[128];
    struct weir *weir;
    struct weir_error error = {0};
    (void)snprintf(url, sizeof(url), "memory:?size=%zuB&log=%zuB",
                   (size_t)bench_weir_slots(keys) * 16 + 4096, log_bytes);
    must(weir_open(url, NULL, &weir, &error), url, &error);
    return weir;
}

uint64_t bench_weir_slots(size_t keys)
{
    const uint64_t slots = (uint64_t)keys * 3;
    return slots < BENCH_SLOTS_MIN ? BENCH_SLOTS_MIN : slots / 8 * 8;
}

static void weir_bench_open(size_t keys)
{
    many = open_for(keys, (size_t)64 << 10);
    many_keys = keys;
    for (unsigned i = 0; i < BENCH_ALGORITHMS; i++) {
        limits[i] = parse(limit_texts[i], limit_texts[i]);
    }
    for (unsigned i = 0; i < BENCH_ALGORITHM_COUNT; i++) {
        hot_limits[i] = parse(algorithm_texts[i].hot, "hot");
        few_limits[i] = parse(algorithm_texts[i].few, "few");
        few[i] = open_for(BENCH_FEW, (size_t)512 << 20);
    }
}

static inline bool ask(void *self, const char *key, size_t len, int64_t now_us)
{
    const struct weir_bench *bench = self;
    struct weir_decision decision;
    return weir_check(bench->weir, bench->limit, weir_bytes(key, len), 1, now_us, &decision) ==
               WEIR_OK &&
           decision.allowed;
}

static inline bool ask_clock(void *self, const char *key, size_t len, int64_t now_us)
{
    (void)now_us;
    return ask(self, key, len, WEIR_CLOCK);
}

static inline bool look(void *self, const char *key, size_t len, int64_t now_us)
{
    const struct weir_bench *bench = self;
    struct weir_decision decision;
    return weir_peek(bench->weir, bench->limit, weir_bytes(key, len), 1, now_us, &decision) ==
               WEIR_OK &&
           decision.allowed;
}

/* Puts the requests together within the time that is measured, as a caller has to. */
static uint64_t together(const struct weir_bench *bench, const struct bench_load *load)
{
    static _Thread_local struct weir_request requests[BENCH_BATCH];
    static _Thread_local struct weir_decision decisions[BENCH_BATCH];
    uint64_t allowed = 0;
    const char *key = load->keys;
    int64_t now_us = load->start_us;
    for (size_t left = load->count; left > 0; now_us += BENCH_BATCH) {
        const size_t chunk = left < BENCH_BATCH ? left : BENCH_BATCH;
        for (size_t i = 0; i < chunk; i++, key += load->stride) {
            requests[i] = (struct weir_request){bench->limit, weir_bytes(key, load->key_len), 1};
        }
        must(weir_check_batch(bench->weir, requests, chunk, now_us, decisions, NULL),
             "weir_check_batch", NULL);
        for (size_t i = 0; i < chunk; i++) {
            allowed += decisions[i].allowed ? 1 : 0;
        }
        left -= chunk;
    }
    return allowed;
}

static struct weir_bench bench_for(const struct bench_load *load)
{
    if (load->limit < BENCH_ALGORITHMS) {
        return (struct weir_bench){many, limits[load->limit]};
    }
    const unsigned algorithm = load->limit - BENCH_ALGORITHMS;
    return (struct weir_bench){few[algorithm],
                               load->few ? few_limits[algorithm] : hot_limits[algorithm]};
}

static uint64_t weir_run(const struct bench_load *load)
{
    struct weir_bench self = bench_for(load);
    switch (load->way) {
    case BENCH_CHECK:
        return bench_each(load, ask, &self);
    case BENCH_CLOCK:
        return bench_each(load, ask_clock, &self);
    case BENCH_PEEK:
        return bench_each(load, look, &self);
    case BENCH_TOGETHER:
        return together(&self, load);
    case BENCH_BARE:
        break;
    }
    bench_die("no such way");
}

/* ---- Memory ---- */

static void *counted(void *context, size_t size, size_t alignment)
{
    *(size_t *)context += size;
    return aligned_alloc(alignment, (size + alignment - 1) & ~(alignment - 1));
}

static void uncounted(void *context, void *memory, size_t size)
{
    (void)context;
    (void)size;
    free(memory);
}

/* Counts all that opening a store asks for. What sliding-log's arena takes is a limit's own, and
 * has a bound of its own: it is left out. */
void bench_weir_memory(void)
{
    size_t asked = 0;
    const struct weir_allocator allocator = {counted, uncounted, &asked};
    struct weir_options options = {.size = sizeof(options), .allocator = &allocator};
    struct weir_error error = {0};
    struct weir_stats of_small = {.size = sizeof(of_small)};
    struct weir_stats of_many = {.size = sizeof(of_many)};
    struct weir *small;
    if (many == NULL) {
        bench_die("fill weir first");
    }
    must(weir_open("memory:?size=64MiB&log=64KiB", &options, &small, &error), "memory", &error);
    must(weir_stats(small, WEIR_CLOCK, &of_small), "stats", NULL);
    weir_close(small);
    must(weir_stats(many, WEIR_CLOCK, &of_many), "stats", NULL);
    printf("{\"slots\": %llu, \"excess\": %llu, \"keys\": %zu, \"table_bytes\": %llu, "
           "\"used\": %llu, \"evicted_live\": %llu, \"evicted_idle\": %llu}\n",
           (unsigned long long)of_small.slots,
           (unsigned long long)(asked - of_small.log_bytes - of_small.slots * 16), many_keys,
           (unsigned long long)of_many.bytes, (unsigned long long)of_many.used,
           (unsigned long long)of_many.evicted_live, (unsigned long long)of_many.evicted_idle);
}

const struct bench_contender bench_weir = {
    .name = "weir",
    .open = weir_bench_open,
    .run = weir_run,
};
