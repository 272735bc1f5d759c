/* subject.h - something that decides, whatever it is made of: what a trace is run on.
 *
 * A subject holds one key, as a model does. Times are in 0..WEIR_TIME_MAX. `source` of a decision
 * is not looked at. A new kind of store gets one more of these and is held to all traces and
 * vectors. */

#ifndef WEIR_TEST_PROP_SUBJECT_H
#define WEIR_TEST_PROP_SUBJECT_H

#include "weir/weir.h"

struct subject {
    const char *name;
    bool (*holds)(enum weir_algorithm algorithm);
    /* What a store that keeps times in fewer bits can tell apart: how far a clock may be set back
     * below the latest time that it showed, and how long a trace may be. Beyond that a key may be
     * forgotten. */
    int64_t back_us;
    int64_t forward_us;

    void *(*open)(void);
    void (*close)(void *self);
    /* A key that was never used. */
    void (*fresh)(void *self);
    void (*limit)(void *self, const struct weir_limit_spec *spec);
    void (*check)(void *self, uint64_t cost, int64_t now_us, struct weir_decision *ret_decision);
    void (*peek)(void *self, uint64_t cost, int64_t now_us, struct weir_decision *ret_decision);
    void (*refund)(void *self, uint64_t cost, int64_t now_us, struct weir_decision *ret_decision);
    void (*reset)(void *self);
};

extern const struct subject subject_model;  /* the model itself */
extern const struct subject subject_algo;   /* src/algo, without a store */
extern const struct subject subject_memory; /* the library's own calls, on "memory:" */
extern const struct subject subject_shm;    /* and on "shm:" */
extern const struct subject subject_all;    /* on "memory:", checked by weir_check_all */
extern const struct subject subject_batch;  /* and by weir_check_batch */

#endif
