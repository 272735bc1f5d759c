/* redis.h - one budget for many processes and machines: a store over Redis or Valkey.
 *
 * Read weir.h first. weir_redis_open gives a handle that every call of weir.h takes, and that
 * decides exactly as one in memory does:
 *
 *     redis://[user:password@]host[:port][/database]      one server, 6.2 or newer
 *     rediss://...                                         the same over TLS
 *     redis+unix:///path[?db=N]                            over a unix socket
 *     redis+sentinel://[user:password@]host[:port],.../service[/database]
 *     redis+cluster://[user:password@]host[:port],...      both also as rediss+...
 *
 * A user, password, path or service may hold %XX; an IPv6 address stands in brackets. Ports: 6379,
 * for sentinels 26379. After a '?' may follow, joined by '&':
 *
 *     deadline=50ms        how long a decision may wait for Redis: 1ms to 1m
 *     on_error=local       what decides where Redis does not: local, deny or allow
 *     local=8MiB           the table for on_error=local (see memory: in weir.h)
 *     deny_cache=1MiB      the memory for denials that still hold; 0: none; to 1GiB
 *     prefix=weir          what every key begins with: 1 to 64 letters, digits, '-', '_', '.'
 *     password_file=/path  the password is the first line of this file
 *     password_env=NAME    the password is in this environment variable
 *     user=NAME            the ACL user, where there is no user:password@ in the URL
 *     sentinel_user=, sentinel_password_file=, sentinel_password_env=   of the sentinels themselves
 *     ca=/path             TLS: the authorities to trust, PEM; the system's where there is none
 *     cert=/path key=/path TLS: a certificate and its key to show, PEM
 *     sni=NAME             TLS: the name to ask for and to find in the certificate; the host's own
 *     verify=full          TLS: full, or none (no better than plain TCP against who can intercept)
 *
 * What happens when Redis is slow, gone or failing over: docs/failure-modes.md. In short: a
 * decision is there at its deadline at the latest, and says by `source` and `failure` who made it.
 */

#ifndef WEIR_REDIS_H
#define WEIR_REDIS_H

#include "weir/weir.h"

#ifdef __cplusplus
extern "C" {
#endif

/* libuv's. */
struct uv_loop_s;

struct weir_redis_options {
    size_t size;                            /* sizeof(struct weir_redis_options) */
    const struct weir_allocator *allocator; /* NULL: malloc; libuv and OpenSSL use their own */
    /* NULL: a thread of its own does the talking, and any thread may call anything; a call that
     * waits may do some of it itself, and takes up to 64 KiB of its thread's stack. Otherwise a
     * loop of the caller's: weir_submit on its thread is then the only way to ask (weir_check and
     * the other calls that wait answer WEIR_ERR_BUSY), `done` is called from the loop, and
     * weir_close, on that thread too but not from within a `done`, lets calls under way end with
     * WEIR_FAILURE_CLOSED before it returns, and leaves handles to be closed in the loop's next
     * turns. */
    struct uv_loop_s *loop;
    struct weir_bytes password; /* instead of one in the URL, where it may be seen by others */
    struct weir_bytes sentinel_password;
    /* What on_error=local asks, in place of a table of this handle's own: one of weir_open with a
     * memory: URL, that outlives this one. Handles of one process that are given the same have one
     * budget between them while Redis is gone, not one each. weir_stats of this one leaves it out.
     * NULL: a table of its own, of the URL's `local=`. */
    struct weir *local;
};

/* Opens the store that `url` names. A child after fork must open its own and leave this one alone.
 * Returns without having connected: a server that is not there
 * yet is one that is gone, and on_error decides. `options` may be NULL, and so may `ret_error`,
 * which is written only on failure and never holds a password. Also takes memory: and shm: URLs, as
 * weir_open does, so that one call serves all (`loop` and `local` are then not used). Errors:
 * WEIR_ERR_URL, WEIR_ERR_ARGUMENT (`local` is no memory: store, too), WEIR_ERR_NO_MEMORY,
 * WEIR_ERR_SYSTEM (a file, a thread), and those of weir_open. */
WEIR_API WEIR_MUST_CHECK enum weir_status weir_redis_open(const char *url,
                                                          const struct weir_redis_options *options,
                                                          struct weir **ret_weir,
                                                          struct weir_error *ret_error);

/* How things stand with one server, for people. */
struct weir_redis_server {
    char address[128]; /* "127.0.0.1:6379", "[::1]:6379", "/run/redis.sock" */
    char role[16];     /* "primary", "replica"; empty: not known */
    char kind[16];     /* "redis", "valkey", or what it calls itself; empty: not known */
    char version[24];
    int64_t latency_us;     /* of its last answer; -1: not known */
    int64_t clock_ahead_us; /* its clock less this machine's, to within the latency, */
    bool clock_known;       /* where this says so */
    bool connected;
    bool tls;
    bool scripts_loaded;
    uint32_t slots;    /* of a cluster: how many of the 16384 are its own */
    uint16_t failure;  /* enum weir_failure: why it is not connected; 0: it is, or not tried */
    uint8_t protocol;  /* RESP 2 or 3 */
    char message[160]; /* what it, or the system, said of the failure; never a password */
};

/* What was found behind the URL: asks (PING, TIME) and waits up to `timeout_us`
 * (1..WEIR_PERIOD_MAX) for connections and answers. Fills at most `room` places, one a server that
 * is talked to
 * (`ret_count` may be more than `room`). Errors: WEIR_ERR_UNSUPPORTED where `weir` is no Redis
 * store, WEIR_ERR_BUSY for one on a loop of the caller's, WEIR_ERR_ARGUMENT. */
WEIR_API WEIR_MUST_CHECK enum weir_status weir_redis_inspect(struct weir *weir, int64_t timeout_us,
                                                             struct weir_redis_server *ret_servers,
                                                             size_t room, size_t *ret_count);

/* The key under which Redis keeps the state of `key` under `limit`, e.g. to look at it by hand:
 * written to `buffer` of `size` bytes, without NUL. Errors: WEIR_ERR_BUFFER, WEIR_ERR_KEY_LENGTH,
 * WEIR_ERR_UNSUPPORTED where `weir` is no Redis store. */
WEIR_API WEIR_MUST_CHECK enum weir_status weir_redis_key(struct weir *weir,
                                                         const struct weir_limit *limit,
                                                         struct weir_bytes key, char *buffer,
                                                         size_t size, size_t *ret_len);

#ifdef __cplusplus
}
#endif

#endif
