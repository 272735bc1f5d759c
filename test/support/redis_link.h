/* redis_link.h - script calls on a real server, one after another, over a blocking socket: what the
 * tests of the scripts need of a client, and nothing more. */

#ifndef WEIR_TEST_SUPPORT_REDIS_LINK_H
#define WEIR_TEST_SUPPORT_REDIS_LINK_H

#include "redis/script.h"

struct redis_link;

/* A connection to 127.0.0.1; with RESP3 where `protocol` is 3. The process ends where there is
 * none. */
struct redis_link *redis_link_open(uint16_t port, unsigned protocol);
void redis_link_close(struct redis_link *link);

/* Where a command is to be written; empty. */
struct weir_buffer *redis_link_command(struct redis_link *link);

/* Sends what was written and waits for its one reply, good until the next. */
const struct weir_resp_value *redis_link_ask(struct redis_link *link, size_t *ret_count);

/* Carries out a script call, with its text where the server does not know it. The process ends
 * where the server complains. */
void redis_link_call(struct redis_link *link, const struct weir_script_call *call,
                     struct weir_script_answer *ret_answers);

/* A command of a few words; its reply as an integer (a string is read as one; nil: -1). */
int64_t redis_link_number(struct redis_link *link, const char *const *words, size_t count);
#define REDIS_NUMBER(link, ...)                                   \
    redis_link_number((link), (const char *const[]){__VA_ARGS__}, \
                      sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))

/* How many keys there are; the process ends where one of them has no TTL. */
size_t redis_link_count_keys(struct redis_link *link);

/* The Redis key of `key` under `limit`, in memory that the next call reuses. */
struct weir_bytes redis_link_name(struct redis_link *link, const struct weir_limit *limit,
                                  struct weir_bytes key);

#endif
