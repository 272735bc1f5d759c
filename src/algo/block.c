/* block.c - after a denial, deny the key for a while, whatever comes.
 *
 * A block is a state of its own beside the key's: until_us is its end, payload is 1. It works alike
 * for every algorithm, costs nothing for keys that are not blocked, and leaves the key's own state
 * as it was: when the block ends, that decides again. Asking while it runs does not prolong it.
 *
 * Invariant: until_us <= now + block, except within the slack of algo.h. */

#include "algo/algo.h"

#include <assert.h>

struct weir_step weir_block_step(const struct weir_limit *limit, struct weir_state block,
                                 int64_t now_us)
{
    assert(limit->block_us > 0);
    assert(now_us >= 0 && now_us <= WEIR_TIME_MAX);
    int64_t slack_us =
        limit->block_us < WEIR_CLOCK_SLACK_US ? limit->block_us : WEIR_CLOCK_SLACK_US;
    if (block.until_us - now_us > limit->block_us + slack_us) {
        return (struct weir_step){.next = {now_us + limit->block_us, 1}, .write = true};
    }
    return (struct weir_step){.next = block};
}

void weir_block_decide(int64_t until_us, int64_t now_us, struct weir_decision *decision)
{
    assert(until_us > now_us);
    const int64_t left_us = until_us - now_us;
    decision->allowed = false;
    decision->blocked = true;
    decision->remaining = 0;
    decision->delay_us = 0;
    if (decision->retry_after_us < left_us) {
        decision->retry_after_us = left_us;
    }
    if (decision->reset_after_us < left_us) {
        decision->reset_after_us = left_us;
    }
}
