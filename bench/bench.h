/* bench.h - what is measured: a load, the rows that put it together, and who answers it.
 *
 * A contender answers requests, one key after another: a floor, weir, or an opponent. A row says
 * which keys are asked about, under which limit, in which way and by how many threads. bench/run
 * asks for rows one round after another, each contender in turn, so that all the ratios it prints
 * are of one run. */

#ifndef WEIR_BENCH_BENCH_H
#define WEIR_BENCH_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* "user:" and eleven digits. */
#define BENCH_KEY_LEN 16

/* Requests for one `now`: the supplied clock moves on by as many microseconds after as many. */
#define BENCH_TURN 1024

/* Requests in one call of weir_check_batch. */
#define BENCH_BATCH 256

/* How many keys the rows of the algorithms ask about, beside the hot one. */
#define BENCH_FEW 1000000

/* How the requests are made. */
enum bench_way {
    BENCH_CHECK,    /* one at a time, `now` supplied */
    BENCH_CLOCK,    /* one at a time, whoever answers reads the clock */
    BENCH_PEEK,     /* one at a time, only looking */
    BENCH_TOGETHER, /* many in one call, `now` supplied */
    BENCH_BARE      /* nothing but a reading of the clock */
};

enum bench_limit {
    BENCH_OPEN,   /* so high that all are admitted: 1000000 a second, 100000000 at once */
    BENCH_CLOSED, /* 1 an hour: after the first all are denied */
    BENCH_KEYED,  /* 1000 a minute, more than any key is asked for */
    BENCH_ALGORITHMS
};

/* The six, and a token-bucket whose interval is no whole number of microseconds. */
#define BENCH_ALGORITHM_COUNT 7

/* What one thread is to do. Requests name keys one after another from `keys`, `stride` bytes apart:
 * 0 for a hot key. */
struct bench_load {
    const char *keys;
    size_t stride;
    size_t key_len;
    size_t count;
    int64_t start_us;
    enum bench_way way;
    unsigned limit; /* enum bench_limit, or BENCH_ALGORITHMS and the number of one */
    bool few;       /* over the memory of BENCH_FEW keys */
};

struct bench_contender {
    const char *name;
    /* Makes room for `keys` keys. */
    void (*open)(size_t keys);
    /* Does the load; the answer is how many were admitted. Any number of threads. */
    uint64_t (*run)(const struct bench_load *load);
};

extern const struct bench_contender bench_floor;
extern const struct bench_contender bench_weir;
extern const struct bench_contender bench_mutex_map;
extern const struct bench_contender bench_sharded_map;

/* The slots of a table for `keys` keys: three a key, as docs/manual/c.md advises. */
#define BENCH_SLOTS_MIN ((uint64_t)1 << 16)
uint64_t bench_weir_slots(size_t keys);

/* Prints what is only true of weir: the bytes of a client, and what became of the keys. */
void bench_weir_memory(void);

/* Ends the program with a message; printf's format. */
__attribute__((format(printf, 1, 2), noreturn)) void bench_die(const char *format, ...);

typedef bool (*bench_ask)(void *self, const char *key, size_t key_len, int64_t now_us);

/* Asks for each key of the load in turn. `ask` is a constant wherever this is called, so that it is
 * inlined. */
__attribute__((always_inline)) static inline uint64_t bench_each(const struct bench_load *load,
                                                                 bench_ask ask, void *self)
{
    uint64_t allowed = 0;
    int64_t now_us = load->start_us;
    const char *key = load->keys;
    const size_t key_len = load->key_len;
    const size_t stride = load->stride;
    for (size_t left = load->count; left > 0; now_us += BENCH_TURN) {
        size_t turn = left < BENCH_TURN ? left : BENCH_TURN;
        left -= turn;
        for (; turn > 0; turn--, key += stride) {
            allowed += ask(self, key, key_len, now_us) ? 1 : 0;
        }
    }
    return allowed;
}

#endif
