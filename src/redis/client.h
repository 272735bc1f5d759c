/* client.h - calls of the library on their way to Redis and back, on one loop (client.c).
 *
 * Read script.h, node.h and route.h first. A call's requests become questions: what the deny cache
 * can answer is answered; the rest waits for the end of the loop's turn, when all that has come
 * together is put into as few script calls as may be - questions of one verb, limit, time and
 * deadline, and in a cluster of one slot - and each of these, a flight, goes to its server. The
 * reply, or its absence, answers the questions; when all of a call's are answered, its `done` is
 * called.
 *
 * All or none, over one server or slot, is one flight; over several slots of a cluster it is look
 * at all, then take slot by slot, and give back what was taken where one denies (together.c).
 *
 * Invariants: every call that comes in is answered once, at its deadline at the latest (give or
 * take a turn of the loop). A question whose script may have been carried out is never sent again.
 */

#ifndef WEIR_REDIS_CLIENT_H
#define WEIR_REDIS_CLIENT_H

#include "redis/config.h"
#include "weir/redis.h"
#include "weir/store.h"

#include <uv.h>

struct weir_client;
struct weir_denials;

struct weir_client_options {
    uv_loop_t *loop;
    const struct weir_allocator *allocator; /* not NULL; outlives all that it gave */
    const struct weir_redis_config *config; /* borrowed for as long as anything of it lives */
};

/* Starts a client on a loop that may be running elsewhere not yet, or by this thread. */
enum weir_status weir_client_open(const struct weir_client_options *options,
                                  struct weir_client **ret_client, struct weir_error *ret_error);

/* On the loop's thread. The engine has looked at the call. */
void weir_client_submit(struct weir_client *client, struct weir_call *call);

/* On the loop's thread: ends what is under way with WEIR_FAILURE_CLOSED, within this call; `closed`
 * is called in a later turn of the loop. What libuv has still to close of its connections is given
 * back to the allocator as that happens. */
void weir_client_close(struct weir_client *client, void (*closed)(void *context), void *context);

/* On the loop's thread. */
void weir_client_stats(struct weir_client *client, int64_t now_us, struct weir_stats *ret_stats);

/* On the loop's thread: whether no call is with it. */
bool weir_client_is_idle(const struct weir_client *client);

/* The denials that it knows of, which any thread may look at. */
struct weir_denials *weir_client_denials(struct weir_client *client);

/* On the loop's thread: asks every server PING and TIME, and calls `done` when all have answered or
 * `timeout_us` is over. `servers` has `room` places. */
struct weir_inspection {
    struct weir_redis_server *servers;
    size_t room;
    size_t count; /* written: how many there are */
    int64_t timeout_us;
    void (*done)(struct weir_inspection *inspection);
    void *context;
};
void weir_client_inspect(struct weir_client *client, struct weir_inspection *inspection);

#endif
