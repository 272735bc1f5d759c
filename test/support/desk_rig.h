/* desk_rig.h - a desk for tests: over any store, with a policy or without, and sessions whose
 * answers are lines of text. */

#ifndef WEIR_TEST_SUPPORT_DESK_RIG_H
#define WEIR_TEST_SUPPORT_DESK_RIG_H

#include "door/desk.h"
#include "door/limits.h"

#define DESK_RIG_HELD_MAX 64

struct desk_rig {
    struct weir *store;
    struct weir_metrics *metrics;
    struct weir_log *log;
    struct weir_config config;
    struct weir_service service;
    struct weir_listener listener;
    struct weir_view view;
    uint32_t numbers[64];
    struct weir_desk *desk;
    struct weir_exchange *held[DESK_RIG_HELD_MAX];
    int64_t held_us[DESK_RIG_HELD_MAX];
    size_t held_count;
    size_t woken;    /* calls of wake */
    size_t stirred;  /* calls of stir */
    size_t released; /* views let go */
};

/* A desk over `store`, which it closes; the policy (NULL: one without rules) stays the caller's. */
struct desk_rig *desk_rig_open(struct weir *store, const struct weir_policy *policy);
void desk_rig_close(struct desk_rig *rig);

/* A session whose answers are lines: see desk_rig.c. `hold` makes it hold what has a delay. */
struct weir_session *desk_rig_session(struct desk_rig *rig, bool hold);

/* One whose answers come as they are decided. */
struct weir_session *desk_rig_unordered(struct desk_rig *rig);

/* What it has answered since the last call; good until the next. */
const char *desk_rig_answers(struct weir_session *session);

/* A limit that is in use until it is asked. */
struct weir_ad_hoc *desk_rig_limit(struct desk_rig *rig, const char *text);

/* An exchange of one question by a limit, submitted. */
void desk_rig_ask(struct weir_session *session, enum weir_verb verb, const char *limit,
                  const char *key, uint64_t cost);

#endif
