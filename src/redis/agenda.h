/* agenda.h - what a route is to do later: a few things, each with its time, over one timer
 * (agenda.c).
 *
 * Times are uv_hrtime's, in microseconds. Each thing is a number below WEIR_AGENDA_ITEMS that its
 * owner gives a meaning. On the loop's thread.
 *
 * Invariant: `act` is called from the loop alone, never from within a call of these functions, once
 * for each time that was set and not taken back; after weir_agenda_close never. */

#ifndef WEIR_REDIS_AGENDA_H
#define WEIR_REDIS_AGENDA_H

#include "weir/weir.h"

#include <uv.h>

#define WEIR_AGENDA_ITEMS 6

struct weir_agenda {
    uv_timer_t timer;
    int64_t due_us[WEIR_AGENDA_ITEMS]; /* 0: nothing to do */
    void (*act)(void *context, unsigned item);
    void (*closed)(void *context);
    void *context;
    uint64_t random;
    bool closing;
};

/* Cannot fail: libuv's timers take no memory. */
void weir_agenda_open(struct weir_agenda *agenda, uv_loop_t *loop,
                      void (*act)(void *context, unsigned item), void *context);

/* Lets go of it all; calls `closed` in a later turn of the loop. */
void weir_agenda_close(struct weir_agenda *agenda, void (*closed)(void *context));

/* Is to be done at `at_us`, and not at any other time that was set before. */
void weir_agenda_set(struct weir_agenda *agenda, unsigned item, int64_t at_us);
/* The same, unless it is to be done earlier anyway. */
void weir_agenda_hasten(struct weir_agenda *agenda, unsigned item, int64_t at_us);
void weir_agenda_drop(struct weir_agenda *agenda, unsigned item);
bool weir_agenda_has(const struct weir_agenda *agenda, unsigned item);

int64_t weir_agenda_now(void);

/* weir_backoff, with randomness of its own. */
int64_t weir_agenda_pause(struct weir_agenda *agenda, unsigned attempt, int64_t min_us,
                          int64_t max_us);

/* A number below `bound`, which is 1 or more; for spreading load, not for what must not be
 * guessed. */
size_t weir_agenda_random(struct weir_agenda *agenda, size_t bound);

#endif
