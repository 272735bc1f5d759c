/* script.h - the decisions as scripts in Redis: what is sent for some questions, and what the
 * answers mean.
 *
 * Read redis/README.md and token-bucket.lua beside it first. A script adds, carries and compares
 * whole numbers below 2^53 that are prepared here. It decides, and writes the key's next state;
 * what it answers is the time it decided at and the state that it found. From these the decision is
 * worked out here, by the very functions of src/algo that the tables use, so that limit, remaining,
 * retry_after and the rest are the same to the last microsecond by construction, and only whether
 * to admit is written twice. The property tests hold the two together.
 *
 * Pure: bytes in, bytes out; no connection, no clock. Everything here may be used by any thread. */

#ifndef WEIR_REDIS_SCRIPT_H
#define WEIR_REDIS_SCRIPT_H

#include "algo/algo.h"
#include "resp/resp.h"
#include "weir/store.h"

/* The most questions in one call, so that no call holds Redis for more than a fraction of a
 * millisecond. */
#define WEIR_SCRIPT_QUESTIONS_MAX 64

/* How much a question under this limit takes of Redis, at most, beside one under a bucket. Calls
 * that share what need not share are to weigh WEIR_SCRIPT_QUESTIONS_MAX in all, or less; a group is
 * never cut, so it may weigh more. */
unsigned weir_script_weight(const struct weir_limit *limit);

/* The texts of all scripts and their SHA-1 names. Immutable. */
struct weir_scripts;
struct weir_scripts *weir_scripts_new(const struct weir_allocator *allocator);
void weir_scripts_free(struct weir_scripts *scripts);

/* One question. `name` is the Redis key (weir_redis_name); the same name may come more than once in
 * a call, and is then decided on one after another. */
struct weir_script_question {
    const struct weir_limit *limit;
    struct weir_bytes name;
    uint64_t cost;  /* 1 or more; REFUND: any; a `together` may have peeks of 1 in it, `look` */
    bool look;      /* together: this one takes nothing */
    uint16_t group; /* together: which belong to one check_all; ascending from 0 */
};

/* One call. Not together: all questions have the same verb, and limits that are the same but for
 * their address (weir_script_same_limit). Together: verb is CHECK, and each group is taken whole or
 * not at all. */
struct weir_script_call {
    enum weir_verb verb;
    bool together;
    int64_t now_us;   /* WEIR_CLOCK: the server's time */
    int64_t guess_us; /* about what the server's time is, 0..WEIR_TIME_MAX; read where that is to be
                         used and a limit is a calendar-window (but of WEIR_CALENDAR_EPOCH), whose
                         windows around it are sent along: two before, three after */
    const struct weir_script_question *questions;
    size_t count; /* 1..WEIR_SCRIPT_QUESTIONS_MAX */
};

/* What came of one question. */
struct weir_script_answer {
    enum weir_failure failure; /* 0, or VALUE, REPLY */
    /* With REPLY, of all answers: nothing was decided, nor written, as the server's time, which is
     * now_us, is in none of the windows that were sent; the same call with that for a guess will
     * be. */
    bool again;
    bool state_known;              /* see below */
    struct weir_decision decision; /* source REDIS; nothing for a RESET */
    /* For the deny cache: what the key's state is after this, where that is known (all but
     * sliding-log and RESET: state_known), and the time it was decided at. */
    struct weir_state state;
    int64_t block_until_us; /* 0: no block */
    int64_t now_us;
};

/* Appends the command for `call` to `out`: EVALSHA, or EVAL with the script's text. */
void weir_script_write(const struct weir_scripts *scripts, const struct weir_script_call *call,
                       bool with_text, struct weir_buffer *out);

/* Reads the reply (no error reply: see failure.h) to such a command: an answer for each question. A
 * reply of the wrong shape gives every question WEIR_FAILURE_REPLY; a value that is none of ours
 * gives the questions about that key WEIR_FAILURE_VALUE (together: all of its group, of which then
 * nothing was taken). */
void weir_script_read(const struct weir_scripts *scripts, const struct weir_script_call *call,
                      const struct weir_resp_value *values, size_t count,
                      struct weir_script_answer *ret_answers);

/* Whether two limits ask the same of a script, so that their questions may share a call. */
bool weir_script_same_limit(const struct weir_limit *a, const struct weir_limit *b);

/* Appends SCRIPT LOAD for script `index`; false where there is none of this number. For `weir
 * store`. */
bool weir_script_write_load(const struct weir_scripts *scripts, size_t index,
                            struct weir_buffer *out);

/* ---- Names (name.c) ------------------------------------------------------------------------- */

/* The longest name: the prefix, a key and a limit's name with every byte escaped, and what stands
 * between them. */
#define WEIR_REDIS_NAME_MAX (64 + 3 * WEIR_KEY_MAX + 3 * WEIR_NAME_MAX + 128)

/* Appends the name of the Redis key that holds the state of `key` under `limit`:
 *
 *     weir:{KEY}:ALGORITHM:NAME      a limit with a name
 *     weir:{KEY}:ALGORITHM/PERIOD    one without: 10s, 1m, day, day/Europe/Rome, epoch/10s
 *
 * In KEY, NAME and a time zone the bytes '%' '{' '}' ':' (the last not in KEY), space and all below
 * it, and DEL are written %XX; an empty KEY is a lone '%'. So no two keys or limits ever meet, and
 * all keys of one KEY are in one slot of a cluster. Its block, while it runs, is kept under this
 * name and ":block". */
void weir_redis_name(struct weir_bytes prefix, const struct weir_limit *limit,
                     struct weir_bytes key, struct weir_buffer *out);

/* The cluster slot of a Redis key: CRC16 of its hash tag, 0..16383. */
uint16_t weir_redis_slot(struct weir_bytes name);

#endif
