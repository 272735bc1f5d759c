/* duration.h - lengths of time in text: "15m", "1h30m", "month". */

#ifndef WEIR_POLICY_DURATION_H
#define WEIR_POLICY_DURATION_H

#include "policy/words.h"
#include "weir/weir.h"

/* What was written. A month and a year have no fixed length: they are told by `calendar` alone. */
struct weir_duration {
    int64_t us; /* 1 or more, INT64_MAX where it is too large; 0 where `vague` is set */
    enum weir_calendar calendar; /* where it is exactly one such unit, as "m", "1day" or "month" */
    const char *vague;           /* "month" or "year" where one is in it, else NULL */
};

/* Reads `word`, which is not empty and whose first byte is at `offset` of the text. WEIR_OK or
 * WEIR_ERR_LIMIT. */
enum weir_status weir_duration_parse(struct weir_bytes word, size_t offset,
                                     struct weir_duration *ret_duration,
                                     struct weir_error *ret_error);

/* The largest unit that divides `us` (1 or more) exactly, as it is written, and how many. */
const char *weir_duration_unit(int64_t us, int64_t *ret_count);

/* As it is written after the slash of a calendar-window without `epoch`. */
const char *weir_calendar_unit(enum weir_calendar calendar);

#endif
