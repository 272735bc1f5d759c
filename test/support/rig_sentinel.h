/* rig_sentinel.h - a primary, its replicas and the sentinels that watch them, for a test. rig.h
 * says what holds for each of the servers. */

#ifndef WEIR_TEST_SUPPORT_RIG_SENTINEL_H
#define WEIR_TEST_SUPPORT_RIG_SENTINEL_H

#include "support/rig.h"

#include <stddef.h>

#define RIG_WATCHED_MAX 4U
#define RIG_SENTINELS_MAX 5U

/* The name of the service. */
#define RIG_SERVICE "budget"

struct rig_sentinel;

struct rig_sentinel_options {
    unsigned replicas;  /* 1 or more */
    unsigned sentinels; /* 0: 3. The quorum is their majority. */

    /* After how long a silent server is taken for dead; 0: 800. A failover takes about a second
     * more. */
    unsigned down_after_ms;

    /* The password of the sentinels themselves; NULL: none. */
    const char *sentinel_password;

    /* Of the servers that they watch. With `tls`, all talk TLS among themselves too. */
    struct rig_redis_options node;
};

/* Starts it and waits until the replicas are in step and every sentinel knows all others, and them.
 */
struct rig_sentinel *rig_sentinel_start(const struct rig_sentinel_options *options);

/* Stops it. NULL is fine. */
void rig_sentinel_stop(struct rig_sentinel *sentinel);

/* The servers, from 0, which is the primary at the start; and the sentinels, from 0. */
struct rig_redis *rig_sentinel_node(const struct rig_sentinel *sentinel, size_t node);
struct rig_redis *rig_sentinel_watcher(const struct rig_sentinel *sentinel, size_t watcher);

/* "redis+sentinel://[:PASSWORD@]127.0.0.1:PORT,.../budget" of all sentinels, and the same for TLS.
 */
const char *rig_sentinel_url(const struct rig_sentinel *sentinel);
const char *rig_sentinel_tls_url(const struct rig_sentinel *sentinel);

/* Which server is the primary, as most of the sentinels say that run. */
size_t rig_sentinel_primary(const struct rig_sentinel *sentinel);

/* Waits until all sentinels that run call one other than `former` the primary, and it is; returns
 * which. */
size_t rig_sentinel_wait_primary(struct rig_sentinel *sentinel, size_t former);

/* Has the sentinels move the primary without a cause, and waits until they have; returns where to.
 */
size_t rig_sentinel_failover(struct rig_sentinel *sentinel);

#endif
