/* rig.h - real Redis or Valkey servers for a test: each a process of its own on a free port of
 * 127.0.0.1, in a folder that goes away with it. rig_cluster.h and rig_sentinel.h make more of
 * them.
 *
 * A server never outlives its test: it is stopped by its process id, and the kernel kills it when
 * the thread that started it ends, so start servers in a thread that lasts (cmocka's is one). What
 * can't be had ends the test process with a word on standard error: a missing server is no reason
 * to pass.
 *
 * Which server: the one that the options name, else the program in WEIR_TEST_SERVER (tools/servers
 * lists some), else redis-server. */

#ifndef WEIR_TEST_SUPPORT_RIG_H
#define WEIR_TEST_SUPPORT_RIG_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* How long anything here is waited for: far longer than it takes, as a machine may be busy. */
#define RIG_PATIENCE_MS 30000

struct rig_redis;

/* Paths of PEM files, made for this process: P-256 keys, and certificates that end in a day. */
struct rig_certificates {
    char authority[128];          /* signs all of the following but the last */
    char server[128];             /* for 127.0.0.1, ::1 and localhost */
    char server_key[128];         /* of every certificate for servers here */
    char client[128];             /* for clients, of the subject "weir test client" */
    char client_key[128];         /* its key */
    char elsewhere[128];          /* for a server of the name elsewhere.invalid */
    char expired[128];            /* for 127.0.0.1, ::1 and localhost, until yesterday */
    char future[128];             /* the same, from tomorrow on */
    char stranger_authority[128]; /* an authority that has signed none of these */
};

/* All zero is a plain server without a password that saves nothing. What it points to is borrowed
 * until the server is stopped. */
struct rig_redis_options {
    /* The program. NULL: see above. */
    const char *server;

    /* Further lines of redis.conf ("maxmemory 2mb", "user bob on >secret ~* +@all"), up to a NULL;
     * NULL: none. FOLDER in a line stands for the server's folder. */
    const char *const *lines;

    /* Further environment of the server ("NAME=VALUE"), up to a NULL; NULL: none. */
    const char *const *environment;

    /* The password of the default user; NULL: none is asked for. */
    const char *password;

    /* Serves TLS too, on a port of its own, see rig_redis_tls_port; with `certificates`, or, where
     * that is NULL, with some of its own, which rig_redis_certificates tells. tls_clients: only to
     * those who show the client certificate. */
    bool tls;
    bool tls_clients;
    const struct rig_certificates *certificates;

    /* Runs with rig_clock.c, so that rig_redis_shift_clock can move the server's time of day. */
    bool clock;

    /* Runs as a Sentinel; see rig_sentinel.h. */
    bool sentinel;

    /* The port to listen on. 0: a free one. */
    uint16_t port;
};

/* Starts a server and waits until it answers. `options` may be NULL. */
struct rig_redis *rig_redis_start(const struct rig_redis_options *options);

/* Stops it and removes its folder. NULL is fine. */
void rig_redis_stop(struct rig_redis *redis);

/* ---- What it is ---- */

uint16_t rig_redis_port(const struct rig_redis *redis);
uint16_t rig_redis_tls_port(const struct rig_redis *redis);
pid_t rig_redis_pid(const struct rig_redis *redis);

/* The path of its unix socket, and of its folder. */
const char *rig_redis_socket(const struct rig_redis *redis);
const char *rig_redis_folder(const struct rig_redis *redis);

/* "redis://[:PASSWORD@]127.0.0.1:PORT", and "rediss://[:PASSWORD@]127.0.0.1:TLSPORT". */
const char *rig_redis_url(const struct rig_redis *redis);
const char *rig_redis_tls_url(const struct rig_redis *redis);

/* What its INFO says it is: Valkey, or Redis, and the version of whichever it is. */
bool rig_redis_is_valkey(const struct rig_redis *redis);
unsigned rig_redis_version(const struct rig_redis *redis);

/* The number that rig_redis_version gives for a version. */
#define RIG_VERSION(major, minor, patch) ((major)*10000U + (minor)*100U + (patch))

/* ---- What befalls it ---- */

/* Sends it a signal that ends it (SIGKILL, SIGTERM), and waits until it has ended. */
void rig_redis_kill(struct rig_redis *redis, int signal_number);

/* Stops it with SIGSTOP, so that the kernel accepts connections for it and it never answers; and
 * lets it go on. Both return when it is so. */
void rig_redis_pause(struct rig_redis *redis);
void rig_redis_resume(struct rig_redis *redis);

/* Starts it anew on the same ports, in the same folder (killing it first, where it still runs), and
 * waits until it answers. */
void rig_redis_restart(struct rig_redis *redis);

/* Moves the server's time of day `offset_us` away from the true one, and waits until it has moved
 * (but not for a server that does not answer). Needs the option `clock`, and a server that isn't
 * linked statically. */
void rig_redis_shift_clock(struct rig_redis *redis, int64_t offset_us);

/* ---- Asking it ---- */

/* Sends a command, its words up to a NULL, over a connection of its own and returns the reply as
 * text, in memory of the calling thread that its next command reuses: strings and numbers as they
 * are, nil as
 * "(nil)", an error as "(error) ERR ...", an array as lines ("(empty)" has none). Where no answer
 * came: "(no answer) WHY"; that takes 2 seconds where the server is paused. */
const char *rig_command(unsigned port, ...) __attribute__((sentinel));

/* The same, with the server's password. */
const char *rig_redis_command(const struct rig_redis *redis, ...) __attribute__((sentinel));

/* The number after "NAME:" in INFO, or -1 where there is no such line. */
int64_t rig_redis_info(const struct rig_redis *redis, const char *name);

/* ---- Waiting ---- */

/* Something that comes true by itself. */
typedef bool rig_condition(void *context);

/* Waits until it is true, looking every few milliseconds. After RIG_PATIENCE_MS the process ends,
 * with `what` in its last words. */
void rig_wait(rig_condition *condition, void *context, const char *what);

/* ---- Certificates ---- */

/* Makes them in `folder`. */
void rig_certificates_make(const char *folder, struct rig_certificates *ret_certificates);

/* Those of a server that was started with the option tls. */
const struct rig_certificates *rig_redis_certificates(const struct rig_redis *redis);

#endif
