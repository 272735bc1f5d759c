/* agenda.c - see agenda.h. */

#include "redis/agenda.h"

#include "redis/breaker.h"

#include <assert.h>

int64_t weir_agenda_now(void)
{
    return (int64_t)(uv_hrtime() / 1000);
}

/* splitmix64. */
static uint64_t next_random(struct weir_agenda *agenda)
{
    agenda->random += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t mixed = agenda->random;
    mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94d049bb133111eb);
    return mixed ^ (mixed >> 31);
}

static void on_timer(uv_timer_t *timer);

/* Sets the timer for what is due first. */
static void arm(struct weir_agenda *agenda)
{
    int64_t first_us = INT64_MAX;
    for (unsigned item = 0; item < WEIR_AGENDA_ITEMS; item++) {
        if (agenda->due_us[item] != 0 && agenda->due_us[item] < first_us) {
            first_us = agenda->due_us[item];
        }
    }
    if (first_us == INT64_MAX) {
        uv_timer_stop(&agenda->timer);
        return;
    }
    /* The loop's own time may be of a while ago, and the timer then goes off too early: on_timer
     * sets it again. */
    const int64_t left_us = first_us - weir_agenda_now();
    uv_timer_start(&agenda->timer, on_timer, left_us > 0 ? ((uint64_t)left_us + 999) / 1000 : 0, 0);
}

static void on_timer(uv_timer_t *timer)
{
    struct weir_agenda *agenda = timer->data;
    const int64_t now_us = weir_agenda_now();
    for (unsigned item = 0; item < WEIR_AGENDA_ITEMS && !agenda->closing; item++) {
        if (agenda->due_us[item] != 0 && agenda->due_us[item] <= now_us) {
            agenda->due_us[item] = 0;
            agenda->act(agenda->context, item);
        }
    }
    if (!agenda->closing) {
        arm(agenda);
    }
}

void weir_agenda_open(struct weir_agenda *agenda, uv_loop_t *loop,
                      void (*act)(void *context, unsigned item), void *context)
{
    assert(agenda != NULL && loop != NULL && act != NULL);
    *agenda = (struct weir_agenda){.act = act, .context = context};
    (void)uv_timer_init(loop, &agenda->timer);
    agenda->timer.data = agenda;
    if (uv_random(NULL, NULL, &agenda->random, sizeof agenda->random, 0, NULL) != 0) {
        agenda->random = uv_hrtime() ^ (uint64_t)(uintptr_t)agenda;
    }
}

static void on_closed(uv_handle_t *handle)
{
    struct weir_agenda *agenda = handle->data;
    agenda->closed(agenda->context);
}

void weir_agenda_close(struct weir_agenda *agenda, void (*closed)(void *context))
{
    assert(agenda != NULL && closed != NULL && !agenda->closing);
    agenda->closing = true;
    agenda->closed = closed;
    uv_close((uv_handle_t *)&agenda->timer, on_closed);
}

void weir_agenda_set(struct weir_agenda *agenda, unsigned item, int64_t at_us)
{
    assert(item < WEIR_AGENDA_ITEMS && at_us > 0);
    if (!agenda->closing) {
        agenda->due_us[item] = at_us;
        arm(agenda);
    }
}

void weir_agenda_hasten(struct weir_agenda *agenda, unsigned item, int64_t at_us)
{
    assert(item < WEIR_AGENDA_ITEMS);
    if (agenda->due_us[item] == 0 || at_us < agenda->due_us[item]) {
        weir_agenda_set(agenda, item, at_us);
    }
}

void weir_agenda_drop(struct weir_agenda *agenda, unsigned item)
{
    assert(item < WEIR_AGENDA_ITEMS);
    if (!agenda->closing) {
        agenda->due_us[item] = 0;
        arm(agenda);
    }
}

bool weir_agenda_has(const struct weir_agenda *agenda, unsigned item)
{
    assert(item < WEIR_AGENDA_ITEMS);
    return agenda->due_us[item] != 0;
}

int64_t weir_agenda_pause(struct weir_agenda *agenda, unsigned attempt, int64_t min_us,
                          int64_t max_us)
{
    return weir_backoff(attempt, min_us, max_us, next_random(agenda));
}

size_t weir_agenda_random(struct weir_agenda *agenda, size_t bound)
{
    assert(bound > 0);
    return (size_t)(next_random(agenda) % bound);
}
