/* limits.h - limits that peers bring with their requests: each is read once, and kept while it is
 * in use or was lately (limits.c).
 *
 * A fixed number of places, so that a peer who never brings the same limit twice can only make it
 * slow for itself. One thread's. */

#ifndef WEIR_DOOR_LIMITS_H
#define WEIR_DOOR_LIMITS_H

#include "weir/weir.h"

/* Limits that are kept while nothing uses them. */
#define WEIR_AD_HOC_MAX 1024

/* The name under which the keys of CL.THROTTLE and THROTTLE keep their state, so that a key whose
 * numbers change keeps its debt, as in redis-cell. */
#define WEIR_THROTTLE_NAME "throttle"

struct weir_ad_hoc_limits;

/* One limit in use, or kept. */
struct weir_ad_hoc {
    struct weir_limit *limit;
    uint32_t uses;
    bool kept; /* in the table */
    uint64_t hash;
    struct weir_limit_spec spec; /* where it was brought in numbers */
    char text[WEIR_TEXT_MAX];    /* where it was brought as text: that text; else empty */
    char name[WEIR_NAME_MAX];
    size_t name_len;
    struct weir_ad_hoc_limits *limits;
};

struct weir_ad_hoc_limits *weir_ad_hoc_limits_new(const struct weir_allocator *allocator);
/* Nothing may be in use. */
void weir_ad_hoc_limits_free(struct weir_ad_hoc_limits *limits);

/* The limit of this text and name (empty: none), in use until weir_ad_hoc_release. Errors as
 * weir_limit_parse; a text of WEIR_TEXT_MAX bytes or more is refused. */
WEIR_MUST_CHECK enum weir_status weir_ad_hoc_text(struct weir_ad_hoc_limits *limits,
                                                  struct weir_bytes text, struct weir_bytes name,
                                                  struct weir_ad_hoc **ret_limit,
                                                  struct weir_error *ret_error);

/* The same of numbers. */
WEIR_MUST_CHECK enum weir_status weir_ad_hoc_spec(struct weir_ad_hoc_limits *limits,
                                                  const struct weir_limit_spec *spec,
                                                  struct weir_bytes name,
                                                  struct weir_ad_hoc **ret_limit,
                                                  struct weir_error *ret_error);

void weir_ad_hoc_release(struct weir_ad_hoc *limit);

#endif
