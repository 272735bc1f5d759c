/* thread.h - a loop on a thread of its own, and calls from all other threads (thread.c).
 *
 * Whoever wants something of the client leaves an errand, which the loop's thread runs; those who
 * wait sleep until it is done. */

#ifndef WEIR_REDIS_THREAD_H
#define WEIR_REDIS_THREAD_H

#include "redis/client.h"

struct weir_thread;

/* Starts a client and its thread. `options->loop` is not looked at. */
enum weir_status weir_thread_start(const struct weir_client_options *options,
                                   struct weir_thread **ret_thread, struct weir_error *ret_error);

/* Ends both. Nothing else may be under way but calls that were submitted: those end. NULL is
 * fine. */
void weir_thread_stop(struct weir_thread *thread);

/* Whether the caller is the loop's thread, on which nothing below may wait. */
bool weir_thread_is_here(const struct weir_thread *thread);

/* From any thread: hands over a call; `done` is called on the loop's thread. */
void weir_thread_submit(struct weir_thread *thread, struct weir_call *call);

/* From any thread but the loop's: the same, and waits for its end. `done` and `context` of the call
 * are not the caller's. */
void weir_thread_ask(struct weir_thread *thread, struct weir_call *call);

/* From any thread but the loop's: as the functions of the client, waiting. */
void weir_thread_stats(struct weir_thread *thread, int64_t now_us, struct weir_stats *ret_stats);
void weir_thread_inspect(struct weir_thread *thread, struct weir_inspection *inspection);

/* Any thread may look at these. */
struct weir_denials *weir_thread_denials(const struct weir_thread *thread);

/* On the loop's thread. */
struct weir_client *weir_thread_client(const struct weir_thread *thread);

#endif
