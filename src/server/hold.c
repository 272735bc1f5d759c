/* hold.c - answers that are held back, as leaky-bucket's delay asks: a timer each. See worker.h.
 *
 * Each is an answer owed, so that caps.pipeline and caps.connections bound them. */

#include "server/worker_parts.h"

#include <assert.h>
#include <stdlib.h>

struct weir_hold {
    uv_timer_t timer;
    struct weir_worker *worker;
    struct weir_exchange *exchange;
    struct weir_hold *next;
    struct weir_hold *previous;
};

static void on_closed(uv_handle_t *handle)
{
    struct weir_hold *hold = handle->data;
    hold->worker->closing--;
    free(hold);
}

static void end(struct weir_hold *hold)
{
    struct weir_worker *worker = hold->worker;
    if (hold->next != NULL) {
        hold->next->previous = hold->previous;
    }
    if (hold->previous != NULL) {
        hold->previous->next = hold->next;
    } else {
        worker->holds = hold->next;
    }
    worker->closing++;
    uv_close((uv_handle_t *)&hold->timer, on_closed);
}

static void on_time(uv_timer_t *timer)
{
    struct weir_hold *hold = timer->data;
    struct weir_exchange *exchange = hold->exchange;
    end(hold);
    weir_exchange_release(exchange);
}

void weir_hold_later(void *context, struct weir_exchange *exchange, int64_t us)
{
    struct weir_worker *worker = context;
    struct weir_hold *hold = calloc(1, sizeof(*hold));
    if (hold == NULL) {
        /* Without memory the answer goes at once: early is better than never. */
        exchange->held = false;
        return;
    }
    hold->worker = worker;
    hold->exchange = exchange;
    hold->timer.data = hold;
    hold->next = worker->holds;
    if (worker->holds != NULL) {
        worker->holds->previous = hold;
    }
    worker->holds = hold;
    exchange->hold = hold;
    (void)uv_timer_init(&worker->loop, &hold->timer);
    /* The loop's time is the turn's start's, in whole milliseconds: up to one is lost by that. */
    uv_update_time(&worker->loop);
    (void)uv_timer_start(&hold->timer, on_time, (uint64_t)((us + 999) / 1000) + 1, 0);
}

void weir_hold_forget(void *context, struct weir_exchange *exchange)
{
    (void)context;
    assert(exchange->hold != NULL);
    end(exchange->hold);
}
