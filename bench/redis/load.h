/* load.h - what is measured over Redis: a load, its keys, and who answers it.
 *
 * A contender makes decisions: one of weir's handles (weir.c), or one that is known by the bytes of
 * its requests alone (wire.c): a floor, or what a library was seen to send. redis/measure.py asks
 * for one short measurement after another, each contender in turn. */

#ifndef WEIR_BENCH_REDIS_LOAD_H
#define WEIR_BENCH_REDIS_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* "user:" and eleven digits. */
#define LOAD_KEY_LEN 16
#define LOAD_KEYS_MAX 1000000

/* From one key to the next: no number of keys that is made of twos and fives has a factor in common
 * with it, so that each comes once before any comes again. */
#define LOAD_STEP 61803

#define LOAD_LANES_MAX 16
#define LOAD_TOGETHER_MAX 256

/* So many decisions are made at once: `lanes` connections (or threads, for weir), each with
 * `together` of them in one write (or one call). Ends after `count` decisions or `limit_ns`. */
struct load {
    unsigned lanes;
    unsigned together;
    uint32_t keys;
    uint64_t count;
    int64_t limit_ns;
};

struct load_answer {
    uint64_t count;
    uint64_t admitted;
    int64_t elapsed_ns;
};

/* Makes the names of the keys, and room for the times that single decisions take. */
void load_start(void);

/* Where a lane is among the keys. */
struct load_walk {
    uint32_t at;
    uint32_t keys;
};

/* A lane's walk begins where the last load ended, and further on by its share of the keys. */
struct load_walk load_walk_start(const struct load *load, unsigned lane);
const char *load_walk_next(struct load_walk *walk);
/* Where the next load is to begin. */
void load_walk_end(const struct load_walk *walk);

int64_t load_clock_ns(void);

/* Notes how long a decision took that was made alone. One lane. */
void load_note_ns(int64_t ns);
/* The time that `percent` of them don't exceed; 0 where none was noted. */
int64_t load_percentile_ns(unsigned percent);
void load_notes_clear(void);

/* Ends the program with a message; printf's format. */
__attribute__((format(printf, 1, 2), noreturn)) void load_die(const char *format, ...);

/* wire.c: describes one decision of `name`: the bytes of its requests, as hexadecimal digits, with
 * the first key wherever a key is to stand; how many replies they get; and between which numbers
 * the first integer among these lies where the decision is to admit. */
void wire_describe(const char *name, unsigned replies, int64_t low, int64_t high, const char *hex);
void wire_connect(uint16_t port);
/* False: there is none of this name. */
bool wire_run(const char *name, const struct load *load, struct load_answer *ret_answer);

/* weir.c: `name` is then a limit, of the rule's name `rule`. */
void weir_describe(const char *name, const char *rule, const char *text);
void weir_connect(uint16_t port);
bool weir_run(const char *name, const struct load *load, struct load_answer *ret_answer);

#endif
