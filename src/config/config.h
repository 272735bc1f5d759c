/* config.h - the file that `weir serve -c` takes: the store, the listeners, the rules (config.c).
 *
 * Read rules.h first. YAML is read into a tree whose nodes know file, line and column; the tree is
 * walked by what each place may hold; all that is wrong is said, each with what to write instead,
 * and only a file in which nothing is wrong gives a configuration. What is read is owned by the
 * configuration and goes with it.
 *
 * Invariant: a configuration is whole and immutable. Any thread may read it. */

#ifndef WEIR_CONFIG_CONFIG_H
#define WEIR_CONFIG_CONFIG_H

#include "base/buffer.h"
#include "rules/rules.h"
#include "weir/weir.h"

#define WEIR_LISTENERS_MAX 32
#define WEIR_TOKENS_MAX 64 /* of one listener */
#define WEIR_WORKERS_MAX 256
#define WEIR_CONFIG_FILE_MAX (64 * 1024 * 1024) /* bytes of one file */
#define WEIR_CONFIG_FILES_MAX 256               /* with all that it includes */
#define WEIR_CONFIG_DEPTH_MAX 32                /* levels of one file, and of includes */

enum weir_protocol {
    WEIR_PROTOCOL_HTTP = 0,
    WEIR_PROTOCOL_RESP,
    WEIR_PROTOCOL_GRPC, /* Envoy's rate limit service */
    WEIR_PROTOCOL_COUNT
};

/* What a peer may do; a set of bits. /healthz and /readyz take none. */
enum weir_rights {
    WEIR_RIGHT_DECIDE = 1,     /* check, peek, refund, forward-auth */
    WEIR_RIGHT_READ = 2,       /* metrics, status, rules, top */
    WEIR_RIGHT_ADMINISTER = 4, /* reset */
    WEIR_RIGHTS_ALL = 7
};

/* A secret that a peer may show: Authorization: Bearer, or AUTH. Read from the file, or the
 * environment variable, that the configuration names; it is never in the file itself. */
struct weir_token {
    char *name;   /* for logs, and AUTH's user; empty: any user */
    char *secret; /* 16 bytes or more, NUL-terminated */
    unsigned rights;
};

struct weir_rls_policy;

struct weir_listener_tls {
    char *certificate; /* path, PEM, the chain too */
    char *key;
    char *client_authority; /* path, PEM: clients show a certificate of it; NULL: none asked for */
};

struct weir_network {
    uint8_t address[16]; /* an IPv4 network as ::ffff:a.b.c.d/96+n */
    unsigned prefix;
};

struct weir_listener {
    enum weir_protocol protocol;
    char *host;    /* "127.0.0.1", "::1"; NULL: a unix socket, or the system's */
    uint16_t port; /* 0: one that is free, which is told on start */
    char *path;    /* of a unix socket; NULL */
    unsigned mode; /* of a unix socket's file: 0660 */
    char *systemd; /* the name of a socket that systemd hands over (FileDescriptorName); NULL */
    struct weir_listener_tls *tls; /* NULL: in clear */
    struct weir_token *tokens;
    size_t token_count; /* 0: every peer has `rights` */
    unsigned rights;    /* of a peer that shows no token: none where there are tokens, else all */
    struct weir_network *trusted; /* proxies whose X-Forwarded-For (or Forwarded) is believed */
    size_t trusted_count;
    bool x_ratelimit; /* X-RateLimit-* headers too */
    /* Anybody may ask, wherever it listens. For the server, which alone learns where a socket of
     * systemd's listens. */
    bool insecure;
    struct weir_origin origin;
};

/* What one peer, or all, may take. Each has its default in config_server.c. */
struct weir_caps {
    uint32_t connections; /* of one worker, all listeners: past it a new one is closed */
    uint32_t pipeline;   /* requests of one connection that wait for answers: then it is not read */
    uint32_t head_bytes; /* of a request line and headers */
    uint32_t body_bytes; /* of a body, or of a RESP command */
    uint32_t output_bytes; /* answers that a peer does not take: then it is closed */
    uint32_t batch;        /* checks in one POST /v1/check */
    int64_t idle_us;       /* nothing asked and nothing owed for so long: closed */
    int64_t request_us;    /* from the first byte of a request to its last */
    int64_t write_us;      /* a peer that takes nothing of what is owed for so long is closed */
    int64_t drain_us;      /* on SIGTERM, what is under way has this long */
    int64_t hold_us; /* the longest that leaky-bucket's delay holds an answer; past it: denied */
};

enum weir_log_level {
    WEIR_LOG_ERROR = 0,
    WEIR_LOG_WARNING,
    WEIR_LOG_INFO,
    WEIR_LOG_DEBUG
};

struct weir_config {
    char *store;        /* a URL of redis.h; memory: by default */
    uint32_t workers;   /* 0 was written, or nothing: a worker a core */
    int64_t timeout_us; /* for one decision; 0: as the store has it */
    struct weir_listener *listeners;
    size_t listener_count;
    struct weir_caps caps;
    unsigned ipv6_prefix; /* of a key part `ip` that does not say: 64 */
    bool watch;           /* reload when a file changes: true */
    enum weir_log_level log_level;
    bool log_json;
    uint32_t log_denials; /* denials logged in a second, at most; 0: none */
    uint32_t top_size;    /* offenders of each rule that are watched; 0: none */
    bool ad_hoc;          /* peers may bring limits of their own: CL.THROTTLE and so on */
    struct weir_policy *policy;
    /* Rules of Envoy's rate limit service (rls.h), read from files of envoyproxy/ratelimit; NULL:
     * its requests are asked by `policy`. */
    struct weir_rls_policy *rls;
    char **files; /* all that was read, the first being the one named; those of tokens too */
    size_t file_count;
    char **folders; /* in which patterns of include look */
    size_t folder_count;
    /* Of all bytes of all files, after ${}: of what was meant. It says nothing of secrets and
     * certificates, which may change while it does not. */
    uint64_t fingerprint;
    size_t bytes;       /* of memory that all of it takes, the policy too */
    const void *memory; /* config.c's */
};

/* Reads `path`. Complaints are appended to `messages` as whole lines, "FILE:LINE:COLUMN: error:
 * what; what instead", in the order of the files; warnings of weir_policy_review where `review`.
 * Errors: WEIR_ERR_ARGUMENT where there was anything wrong, WEIR_ERR_SYSTEM where `path` itself
 * can't be read, WEIR_ERR_NO_MEMORY. Threads: any; reads the environment. */
WEIR_MUST_CHECK enum weir_status weir_config_read(const char *path, bool review,
                                                  struct weir_buffer *messages,
                                                  struct weir_config **ret_config);
void weir_config_free(struct weir_config *config);

/* What differs between two configurations that a running server can't take on: a list of the names
 * of settings, as "store, listen", in `text` of `size` bytes; empty where there is none. */
void weir_config_needs_restart(const struct weir_config *running, const struct weir_config *next,
                               char *text, size_t size);

/* The listener of `config` that listens where `listener` does, or NULL. */
const struct weir_listener *weir_config_find_listener(const struct weir_config *config,
                                                      const struct weir_listener *listener);

/* Whether the same may be done at both, by the same peers. */
bool weir_listener_same_access(const struct weir_listener *a, const struct weir_listener *b);

/* Whether `address`, as text ("10.0.0.7", "::1"), is in one of the networks. */
bool weir_network_holds(const struct weir_network *networks, size_t count,
                        struct weir_bytes address);

#endif
