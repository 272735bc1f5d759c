/* config.h - a Redis store's URL and options, read and checked (config.c). redis.h of the public
 * headers has the grammar. */

#ifndef WEIR_REDIS_CONFIG_H
#define WEIR_REDIS_CONFIG_H

#include "tls/tls.h"
#include "weir/redis.h"

enum weir_topology {
    WEIR_TOPOLOGY_SINGLE,
    WEIR_TOPOLOGY_SENTINEL,
    WEIR_TOPOLOGY_CLUSTER
};

#define WEIR_HOST_MAX WEIR_TLS_NAME_MAX
#define WEIR_SECRET_MAX 1024 /* the longest user or password, in bytes */
#define WEIR_SEEDS_MAX 32    /* the most host:port in one URL */
#define WEIR_PREFIX_MAX 64
#define WEIR_FILE_MAX WEIR_TLS_PATH_MAX /* the longest path of a file */

#define WEIR_DEADLINE_DEFAULT_US INT64_C(50000)
#define WEIR_DEADLINE_MIN_US INT64_C(1000)
#define WEIR_DEADLINE_MAX_US INT64_C(60000000)

/* Where a server listens: a host and port, or, with port 0, the path of a unix socket. */
struct weir_address {
    char host[WEIR_HOST_MAX + 1];
    uint16_t port;
};

/* Who we are to a server. Empty: nobody in particular. */
struct weir_login {
    char user[WEIR_SECRET_MAX + 1];
    char password[WEIR_SECRET_MAX + 1];
};

struct weir_redis_config {
    enum weir_topology topology;
    struct weir_address seeds[WEIR_SEEDS_MAX]; /* one, or those of sentinels or of a cluster */
    size_t seed_count;                         /* 1 or more */
    char service[WEIR_HOST_MAX + 1];           /* sentinel */
    uint32_t database;
    struct weir_login login;
    struct weir_login sentinel_login;
    struct weir_tls_config tls;
    int64_t deadline_us;
    enum weir_on_error on_error; /* never DEFAULT */
    struct weir *local;          /* the caller's, for `local`; NULL: the fallback opens one */
    uint64_t local_size;         /* bytes */
    bool local_mapped;           /* the caller has brought no allocator: from the system's pages */
    uint64_t deny_cache_size;    /* bytes; 0: none */
    char prefix[WEIR_PREFIX_MAX + 1];
};

/* Reads it all, passwords from files and the environment too. `options` may be NULL. Errors:
 * WEIR_ERR_URL with the place, WEIR_ERR_ARGUMENT, WEIR_ERR_SYSTEM (a password's file). */
enum weir_status weir_redis_config_read(const char *url, const struct weir_redis_options *options,
                                        struct weir_redis_config *ret_config,
                                        struct weir_error *ret_error);

/* Wipes what is secret in it. */
void weir_redis_config_wipe(struct weir_redis_config *config);

/* "host:port", "[v6]:port" or the path, into `buffer`, cut to `size` with its NUL. */
void weir_address_format(const struct weir_address *address, char *buffer, size_t size);
bool weir_address_same(const struct weir_address *a, const struct weir_address *b);

/* Reads "host:port" as MOVED and ASK write it (an IPv6 address has no brackets there; an empty host
 * is the one of `asked`); false where it is none. */
bool weir_address_moved(struct weir_bytes text, const struct weir_address *asked,
                        struct weir_address *ret_address);

#endif
