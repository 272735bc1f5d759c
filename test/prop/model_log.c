/* model_log.c - sliding-log as the whole list of what was admitted, gone through from end to end.
 *
 * A request of cost c is admitted if the units admitted in the last period, c included, are at most
 * count. A unit admitted at s is in the last period at t while t - s < period. Of more units than
 * the limit can hold, as a limit made smaller may find, the newest count. Where the clock rule
 * takes now for the list's own time (that of the newest unit), what is admitted is dated so too. */

#include "prop/model_parts.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void model_log_init(struct model_log *log)
{
    *log = (struct model_log){NULL, 0, 0};
}

void model_log_deinit(struct model_log *log)
{
    free(log->entries);
    model_log_init(log);
}

void model_log_clear(struct model_log *log)
{
    log->count = 0;
}

static void append(struct model_log *log, int64_t at_us, uint64_t cost)
{
    if (log->count == log->room) {
        log->room = log->room == 0 ? 16 : log->room * 2;
        log->entries = realloc(log->entries, log->room * sizeof(log->entries[0]));
        assert(log->entries != NULL);
    }
    log->entries[log->count] = (struct model_log_entry){at_us, cost};
    log->count++;
}

static uint64_t units_since(const struct model_log *log, int64_t after_us)
{
    uint64_t units = 0;
    for (size_t i = 0; i < log->count; i++) {
        if (log->entries[i].at_us > after_us) {
            units += log->entries[i].cost;
        }
    }
    return units;
}

/* Takes `cost` units away at one end of the list. */
static void remove_units(struct model_log *log, uint64_t cost, bool newest_first)
{
    while (cost > 0 && log->count > 0) {
        struct model_log_entry *entry = &log->entries[newest_first ? log->count - 1 : 0];
        if (entry->cost > cost) {
            entry->cost -= cost;
            return;
        }
        cost -= entry->cost;
        log->count--;
        if (!newest_first) {
            memmove(log->entries, log->entries + 1, log->count * sizeof(log->entries[0]));
        }
    }
}

/* The list as it counts now, in a copy; true where the clock rule repaired it. `ret_at_us` is the
 * time that now counts as. */
static bool look(const struct model_log *kept, const struct model_ask *ask,
                 struct model_log *ret_list, int64_t *ret_at_us)
{
    const int64_t period_us = ask->spec->period_us;
    *ret_at_us = ask->now_us;
    model_log_init(ret_list);
    if (kept->count == 0) {
        return false;
    }
    bool repaired = false;
    const int64_t newest_us = kept->entries[kept->count - 1].at_us;
    if (newest_us - ask->now_us > model_slack(period_us)) {
        repaired = true;
    } else if (newest_us > ask->now_us) {
        *ret_at_us = newest_us;
    }
    for (size_t i = 0; i < kept->count; i++) {
        int64_t at_us = kept->entries[i].at_us;
        at_us = at_us < *ret_at_us ? at_us : *ret_at_us;
        if (*ret_at_us - at_us < period_us) {
            append(ret_list, at_us, kept->entries[i].cost);
        }
    }
    const uint64_t units = units_since(ret_list, INT64_MIN);
    if (units > ask->spec->count) {
        remove_units(ret_list, units - ask->spec->count, false);
    }
    return repaired;
}

static void keep(struct model_log *kept, struct model_log *list)
{
    struct model_log old = *kept;
    *kept = *list;
    *list = old;
}

/* When a cost that is possible fits: as soon as enough of the oldest have left. */
static int64_t fits_at(const struct model_log *list, const struct model_ask *ask)
{
    for (size_t i = 0; i < list->count; i++) {
        const int64_t leaves_us = list->entries[i].at_us + ask->spec->period_us;
        if (units_since(list, list->entries[i].at_us) + ask->cost <= ask->spec->count) {
            return leaves_us;
        }
    }
    assert(!"an empty list takes every possible cost");
    return 0;
}

void model_log_decide(struct model_log *kept, const struct model_ask *ask,
                      struct weir_decision *decision)
{
    struct model_log list;
    int64_t at_us;
    const bool repaired = look(kept, ask, &list, &at_us);
    const uint64_t count = ask->spec->count;
    uint64_t units = units_since(&list, INT64_MIN);
    const bool possible = ask->cost <= count;
    const bool allowed = possible && units + ask->cost <= count;
    *decision = (struct weir_decision){.allowed = allowed, .limit = count};
    if (!possible) {
        decision->retry_after_us = WEIR_NEVER;
    } else if (!allowed) {
        decision->retry_after_us = fits_at(&list, ask) - ask->now_us;
    }
    if (allowed && ask->take) {
        append(&list, at_us, ask->cost);
        units += ask->cost;
    }
    decision->remaining = count - units;
    if (units > 0) {
        decision->reset_after_us =
            list.entries[list.count - 1].at_us + ask->spec->period_us - ask->now_us;
    }
    if ((allowed && ask->take) || (repaired && possible && ask->mend)) {
        keep(kept, &list);
    }
    model_log_deinit(&list);
}

/* The latest requests are given back first. */
void model_log_refund(struct model_log *kept, const struct model_ask *ask)
{
    struct model_log list;
    int64_t at_us;
    (void)look(kept, ask, &list, &at_us);
    if (ask->cost > 0 && list.count > 0) {
        remove_units(&list, ask->cost, true);
        keep(kept, &list);
    }
    model_log_deinit(&list);
}
