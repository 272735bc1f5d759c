/* script_parts.h - what the files of script.h share: which question is about which key, and the
 * scripts' texts.
 *
 * script.c keeps the texts, script_write.c says what is asked, script_read.c reads what came back,
 * script_replay.c works out from it what was decided. The first and the last must go the same way
 * through the questions as redis/each.lua and redis/together.lua do. */

#ifndef WEIR_REDIS_SCRIPT_PARTS_H
#define WEIR_REDIS_SCRIPT_PARTS_H

#include "redis/script.h"

/* ---- Texts: weir_scripts.c, made by redis/embed ------------------------------------------------
 */

enum weir_script_index {
    WEIR_SCRIPT_TOKEN_BUCKET = 0,
    WEIR_SCRIPT_WINDOW,
    WEIR_SCRIPT_SLIDING_WINDOW,
    WEIR_SCRIPT_SLIDING_LOG,
    WEIR_SCRIPT_TOGETHER,
    WEIR_SCRIPT_COUNT
};

struct weir_script_text {
    const char *name;
    struct weir_bytes text;
};
extern const struct weir_script_text weir_script_texts[WEIR_SCRIPT_COUNT];

#define WEIR_SHA1_TEXT 40

struct weir_scripts {
    char sha1[WEIR_SCRIPT_COUNT][WEIR_SHA1_TEXT];
    struct weir_allocator allocator;
};

enum weir_script_index weir_script_index(const struct weir_script_call *call);

/* ---- Which question is about which key: script_plan.c -----------------------------------------
 */

#define WEIR_SCRIPT_NONE UINT8_MAX
_Static_assert(WEIR_SCRIPT_QUESTIONS_MAX < WEIR_SCRIPT_NONE, "questions are numbered by bytes");

/* Names, and a together's limits, are numbered by the first question that has them. */
struct weir_script_plan {
    uint8_t names;
    uint8_t limits;                              /* together */
    bool repeated;                               /* a name comes more than once */
    uint8_t name_of[WEIR_SCRIPT_QUESTIONS_MAX];  /* of each question */
    uint8_t limit_of[WEIR_SCRIPT_QUESTIONS_MAX]; /* of each question; together */
    uint8_t next[WEIR_SCRIPT_QUESTIONS_MAX];     /* the next question of the same name, or NONE */
    uint8_t first[WEIR_SCRIPT_QUESTIONS_MAX];    /* of each name: its first question */
    uint8_t example[WEIR_SCRIPT_QUESTIONS_MAX];  /* of each limit: its first question */
    uint8_t keys;                                /* names and names of blocks */
    uint8_t block[WEIR_SCRIPT_QUESTIONS_MAX]; /* of each name: the place of its block's name among
                                                 the keys, or NONE */
};

void weir_script_plan(const struct weir_script_call *call, struct weir_script_plan *ret_plan);

/* ---- What the scripts found: script_read.c, script_replay.c ------------------------------------
 */

/* No number in a script is larger: one more, and a double would take the next for it. */
#define WEIR_SCRIPT_NUMBER_MAX ((INT64_C(1) << 53) - 1)

/* A key as it was found, and then as the questions leave it. */
struct weir_script_key {
    struct weir_state own; /* none of sliding-log */
    int64_t block_until_us;
    bool foreign; /* a value that is none of ours */
};

/* What a step of sliding-log told: sliding-log.lua. */
#define WEIR_SCRIPT_RECORD 4

struct weir_script_replay {
    const struct weir_script_call *call;
    const struct weir_script_plan *plan;
    int64_t now_us;
    const struct weir_resp_value *tape; /* integers */
    size_t tape_count;
    size_t tape_at;
    bool broken; /* the tape does not fit the questions */
    struct weir_script_key keys[WEIR_SCRIPT_QUESTIONS_MAX]; /* by name */
};

/* Goes through all questions. What it says is worth nothing where it leaves `broken`. */
void weir_script_replay(struct weir_script_replay *replay, struct weir_script_answer *ret_answers);

#endif
