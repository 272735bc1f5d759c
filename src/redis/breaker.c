/* breaker.c - see breaker.h. */

#include "redis/breaker.h"

#include <assert.h>
#include <stddef.h>

static int64_t doubled(int64_t pause_us, int64_t max_us)
{
    return pause_us > max_us / 2 ? max_us : pause_us * 2;
}

/* Between half and the whole of `pause_us`, so that those who failed together don't come back
 * together. */
static int64_t jittered(int64_t pause_us, uint64_t random)
{
    const int64_t half_us = pause_us / 2;
    return half_us + (int64_t)(random % (uint64_t)(pause_us - half_us + 1));
}

static void open_circuit(struct weir_breaker *breaker, int64_t now_us, uint64_t random)
{
    breaker->pause_us = breaker->pause_us == 0
                            ? WEIR_BREAKER_PAUSE_MIN_US
                            : doubled(breaker->pause_us, WEIR_BREAKER_PAUSE_MAX_US);
    breaker->state = WEIR_BREAKER_OPEN;
    breaker->trying = false;
    breaker->until_us = now_us + jittered(breaker->pause_us, random);
    breaker->opened++;
}

bool weir_breaker_admit(struct weir_breaker *breaker, int64_t now_us)
{
    assert(breaker != NULL);
    if (breaker->state == WEIR_BREAKER_CLOSED) {
        return true;
    }
    if (breaker->state == WEIR_BREAKER_OPEN && now_us >= breaker->until_us) {
        breaker->state = WEIR_BREAKER_HALF_OPEN;
    }
    if (breaker->state == WEIR_BREAKER_OPEN || breaker->trying) {
        return false;
    }
    breaker->trying = true;
    return true;
}

void weir_breaker_success(struct weir_breaker *breaker)
{
    assert(breaker != NULL);
    const uint64_t opened = breaker->opened;
    *breaker = (struct weir_breaker){.opened = opened};
}

void weir_breaker_failure(struct weir_breaker *breaker, int64_t now_us, uint64_t random)
{
    assert(breaker != NULL);
    if (breaker->state == WEIR_BREAKER_HALF_OPEN) {
        open_circuit(breaker, now_us, random);
        return;
    }
    /* One that was under way when the circuit opened has nothing new to tell. */
    if (breaker->state == WEIR_BREAKER_CLOSED && ++breaker->failures >= WEIR_BREAKER_FAILURES) {
        open_circuit(breaker, now_us, random);
    }
}

void weir_breaker_cancel(struct weir_breaker *breaker)
{
    assert(breaker != NULL);
    breaker->trying = false;
}

int64_t weir_breaker_wait(const struct weir_breaker *breaker, int64_t now_us)
{
    assert(breaker != NULL);
    const bool open = breaker->state == WEIR_BREAKER_OPEN && breaker->until_us > now_us;
    return open ? breaker->until_us - now_us : 0;
}

int64_t weir_backoff(unsigned attempt, int64_t min_us, int64_t max_us, uint64_t random)
{
    assert(min_us > 0 && min_us <= max_us);
    int64_t pause_us = min_us;
    for (unsigned i = 0; i < attempt && pause_us < max_us; i++) {
        pause_us = doubled(pause_us, max_us);
    }
    return jittered(pause_us, random);
}
