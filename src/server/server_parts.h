/* server_parts.h - the server as the control thread's files see it: server.c starts and ends it,
 * control.c looks after it, reload.c takes on configurations, facts.c tells of it. */

#ifndef WEIR_SERVER_SERVER_PARTS_H
#define WEIR_SERVER_SERVER_PARTS_H

#include "rls/stats.h"
#include "server/generation.h"
#include "server/server.h"
#include "server/watch.h"
#include "server/worker.h"

#include <pthread.h>
#include <stdatomic.h>
#include <uv.h>

struct weir_server {
    struct weir_service service; /* first: a service is its server */
    struct weir_server_options options;
    struct weir_generation *first;   /* of the start: its listeners and store are what is served */
    struct weir_generation *current; /* of now */
    struct weir_view *own;           /* keeps the first from going */
    struct weir_metrics *metrics;
    struct weir_rls_stats *rls_stats;
    struct weir_log *log;
    struct weir *store; /* shared by all workers; NULL: each has its own, over Redis */
    struct weir *local; /* theirs, for on_error=local */
    struct weir_tls_context **tls;
    struct weir_listening *listening;
    char (*addresses)[128];
    struct weir_worker **workers;
    uint32_t worker_count;    /* as many as there are to be */
    _Atomic uint32_t started; /* as many as there are: the first serve while more are started */
    int64_t started_us;
    uv_loop_t loop;
    uv_signal_t signals[3];
    uv_timer_t tick;
    struct weir_watch *watch;
    bool ending;
    int64_t end_by_ns;   /* when what is under way has had its time */
    int64_t stats_at_ns; /* when the store is counted next */
    int64_t alive_at_ns; /* when systemd is told of life next */
    int64_t watchdog_us; /* systemd waits so long for a sign of life; 0 */

    /* Shared with the workers, whose doors tell of it. */
    _Atomic bool draining;      /* relaxed: readiness may be told a moment late */
    pthread_mutex_t facts_lock; /* for what follows, held for copying alone */
    struct weir_stats stats;    /* of the shared store */
    uint64_t policy_version;
    uint64_t policy_fingerprint;
    uint64_t policy_rules;
    int64_t policy_loaded_us;
    uint64_t reloads_failed;
    bool reload_is_bad;
    struct weir_buffer reload_messages;
    char needs_restart[256];
};

/* ---- control.c ----------------------------------------------------------------------------- */

/* Has the signals that are watched wait, or come: those that come between the first answer of a
 * worker and the control thread's watching would end the process. Threads that are started
 * meanwhile never get them. */
void weir_server_hold_signals(bool hold);

/* Watches the files of `config`, and the folders that its patterns look into; false: no memory. */
bool weir_server_watch(struct weir_server *server, const struct weir_config *config);

/* Runs the control thread's loop until the end. False: it could not. */
bool weir_server_control(struct weir_server *server);

/* ---- reload.c ------------------------------------------------------------------------------ */

/* Notes that `generation` is what is served from now on. Takes over the use. */
void weir_server_note(struct weir_server *server, struct weir_generation *generation);

/* Reads what `options` name. `review` as for weir_config_read. */
enum weir_status weir_server_read(const struct weir_server_options *options, bool review,
                                  struct weir_buffer *messages, struct weir_config **ret_config);

/* Reads the file again: all workers get it, or nobody does. */
void weir_server_reload(struct weir_server *server);

/* ---- facts.c ------------------------------------------------------------------------------- */

void weir_server_describe(struct weir_server *server);

/* Counts the shared store, which takes long for a large one: so seldom that it is a hundredth of
 * the time at most. */
void weir_server_count_store(struct weir_server *server, int64_t now_ns);

#endif
