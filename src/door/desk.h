/* desk.h - where what peers ask is collected, put to the store together, and answered in order. No
 * sockets: a server has a desk a worker, a test has one over a store in memory.
 *
 * Read rules.h first. A **session** is what a door (http_session.c, resp_session.c) knows of one
 * peer. It reads bytes and makes an **exchange** of each request: an answer that is owed. An
 * exchange has **inquiries**: what the store is to be asked, by rules and attributes or by a limit
 * that the peer brought. When a turn of the loop has read all that came, weir_desk_flush puts all
 * inquiries to the store together; as each exchange is decided, and all before it in its session
 * are answered, the session writes its answer.
 *
 * All of a desk, its sessions and exchanges, belongs to one thread.
 *
 * Invariants: a session's exchanges are answered in the order in which they were made, each once.
 * An exchange outlives its session where the store has not answered yet. A view lives as long as
 * an inquiry that was planned with it. */

#ifndef WEIR_DOOR_DESK_H
#define WEIR_DOOR_DESK_H

#include "base/buffer.h"
#include "config/config.h"
#include "metrics/log.h"
#include "metrics/metrics.h"
#include "rules/rules.h"
#include "weir/weir.h"

struct weir_desk;
struct weir_session;
struct weir_exchange;
struct weir_rls_asked;
struct weir_rls_stats;
struct weir_rls_tally;

/* A configuration as this worker has taken it on. Made and dropped by the server, see
 * weir_desk_take. */
struct weir_view {
    const struct weir_config *config;
    const uint32_t *numbers;                 /* of each rule of the policy: that of metrics.h */
    const uint32_t *rls_numbers;             /* likewise of config->rls */
    uint64_t version;                        /* counted from 1 */
    uint32_t uses;                           /* inquiries, and the desk itself */
    void (*release)(struct weir_view *view); /* called when nothing uses it */
    void *owner;
};

/* ---- Inquiries and exchanges -------------------------------------------------------------- */

/* A limit that a door has found itself: of the configuration, or one that the peer brought. */
struct weir_found {
    const struct weir_limit *limit;
    struct weir_ad_hoc *ad_hoc; /* what `limit` is of, where the peer brought it; else NULL */
    struct weir_bytes key;
    uint64_t cost;
    uint32_t number; /* under which it is counted: that of metrics.h */
    bool shadow;
};

/* One thing asked. */
struct weir_inquiry {
    struct weir_exchange *exchange;
    struct weir_inquiry *next; /* of the same exchange */
    enum weir_verb verb;
    bool barred;                    /* a deny list denies it: its limits are only looked at */
    struct weir_view *view;         /* NULL for a limit that the peer brought */
    struct weir_ad_hoc *limit_used; /* limits.h; NULL where planned by rules, or found */
    struct weir_found *found;       /* one for each request; NULL where planned, or brought */
    bool quiet;                     /* nothing of it is counted */
    /* By rules: the parts of the plan. A limit of the peer's is one request, and has no part. */
    struct weir_part *parts;
    size_t part_count;
    struct weir_request *requests;
    struct weir_decision *decisions;
    size_t request_count;
    size_t enforced;
    /* The answer, once the exchange is decided. */
    enum weir_status status; /* WEIR_OK, or why nothing is known */
    struct weir_outcome outcome;
    /* desk.c's. */
    struct weir_desk *desk; /* where the store answers later */
    int64_t asked_ns;
    uint32_t calls_left;
    size_t placed; /* where its requests are in the turn's batch */
    struct weir_call *calls;
    size_t size; /* of its memory */
};

/* One answer owed. */
struct weir_exchange {
    struct weir_desk *desk;
    struct weir_session *session; /* NULL: the peer has gone, or nobody is owed an answer */
    struct weir_exchange *next;   /* of the same session */
    struct weir_inquiry *inquiries;
    struct weir_inquiry *last_inquiry;
    struct weir_buffer said; /* an answer that was there at once, but had to wait for its turn */
    int64_t started_ns;      /* monotonic: when its last byte was read */
    int64_t timeout_us;      /* what a decision may take, where that is less than the policy has */
    struct weir_view *view;  /* of weir_exchange_hold_view; NULL */
    struct weir_rls_asked *rls; /* rls_door.h; goes with the exchange */
    /* The door's own. */
    uint32_t kind;
    uint32_t flags;
    uint64_t numbers[4];
    struct weir_bytes note; /* of weir_exchange_note: copied, goes with the exchange */
    void *hold;             /* the server's, while it is held */
    /* desk.c's. */
    struct weir_exchange *next_pending;
    uint32_t undecided;
    uint32_t tail_used;
    void *note_memory;
    size_t note_size; /* where it is not in the exchange's block */
    bool submitted;
    bool decided;
    bool held;
    bool direct;  /* an answer in `said` */
    bool changes; /* has a REFUND or a RESET, which no other request of its session may overtake */
    bool asked;   /* the store has it, or has answered */
};

/* ---- Sessions ----------------------------------------------------------------------------- */

struct weir_session_ops {
    enum weir_door door;
    /* Takes in `input`, all that has come and was not used yet; returns how many bytes of it were
     * used. Called again with more bytes, or when what was owed has been answered. Sets `closing`
     * when no more is to be read. */
    size_t (*read)(struct weir_session *session, struct weir_bytes input);
    /* Appends the answer of a decided exchange to session->out. */
    void (*answer)(struct weir_session *session, struct weir_exchange *exchange);
    /* Answers are written as they are decided, whatever was asked before. */
    bool unordered;
    /* Appends to session->out, which is empty, what else there is to say; NULL: nothing is kept
     * elsewhere. */
    void (*fill)(struct weir_session *session);
    /* The server is about to end: no more is taken on, and `closing` is set when all is over. NULL:
     * `closing` is set at once. */
    void (*drain)(struct weir_session *session);
    /* How long a decided exchange's answer is held back; NULL: never. */
    int64_t (*hold)(struct weir_session *session, const struct weir_exchange *exchange);
    /* Frees it. Its exchanges are let go by weir_session_end. */
    void (*close)(struct weir_session *session);
};

/* What every door's session starts with. */
struct weir_session {
    const struct weir_session_ops *ops;
    struct weir_desk *desk;
    const struct weir_listener *listener;
    unsigned rights;
    struct weir_bytes peer; /* its address as text, without port; of a unix socket: empty */
    struct weir_buffer out;
    struct weir_exchange *first;
    struct weir_exchange *last;
    uint32_t owed;
    bool closing;   /* nothing more is read; it is closed when all that is owed is answered */
    bool partial;   /* a request has begun and is not whole: what request_us is for */
    uint32_t whole; /* requests that were read, where `read` uses all that it is given */
    void *owner;    /* the server's */
    /* desk.c's. */
    uint32_t in_store;             /* exchanges that the store has */
    bool barrier;                  /* one of them changes something */
    struct weir_exchange *waiting; /* exchanges that wait for those to be decided, in order */
    struct weir_exchange *waiting_last;
    bool touched;
    struct weir_session *next_touched;
};

/* A new session of a door. NULL: no memory. The listener and `peer` are borrowed for its life. */
struct weir_session *weir_http_session_new(struct weir_desk *desk,
                                           const struct weir_listener *listener,
                                           struct weir_bytes peer);
struct weir_session *weir_resp_session_new(struct weir_desk *desk,
                                           const struct weir_listener *listener,
                                           struct weir_bytes peer);
struct weir_session *weir_grpc_session_new(struct weir_desk *desk,
                                           const struct weir_listener *listener,
                                           struct weir_bytes peer);

/* Fills in what every session starts with. */
void weir_session_begin(struct weir_session *session, const struct weir_session_ops *ops,
                        struct weir_desk *desk, const struct weir_listener *listener,
                        struct weir_bytes peer);

/* It has something in `out`, or may read again: its `wake` follows at the end of the flush. */
void weir_session_touch(struct weir_session *session);

/* Ends a session: its exchanges are dropped, or orphaned where the store still has them. */
void weir_session_end(struct weir_session *session);

/* Whether no more is to be read before something is answered: the pipeline is full. */
bool weir_session_is_full(const struct weir_session *session);

/* ---- What a door does --------------------------------------------------------------------- */

/* Where to write an answer that needs no store: session->out itself where nothing is owed, else a
 * buffer that waits for its turn. Never NULL: where there is no memory it is one that has `failed`,
 * and the session is closing. Good until the next exchange of the session is made. */
struct weir_buffer *weir_session_say(struct weir_session *session);

/* A new exchange at the end of what is owed. NULL: no memory; the session is then closing. */
struct weir_exchange *weir_exchange_new(struct weir_session *session);

/* Memory that goes with the exchange: a copy of `bytes` as its note. False: no memory. */
bool weir_exchange_note(struct weir_exchange *exchange, struct weir_bytes bytes);

/* Adds an inquiry by the rules of the policy of now. Errors as weir_policy_plan, with a message.
 * PEEK answers for the cost and takes nothing; REFUND and RESET go to every limit that a check
 * would have asked, shadow ones too, listed ones not. */
WEIR_MUST_CHECK enum weir_status weir_exchange_ask(struct weir_exchange *exchange,
                                                   enum weir_verb verb,
                                                   const struct weir_inquiry_spec *inquiry,
                                                   struct weir_error *ret_error);

/* Adds an inquiry by a limit that the peer brought; takes over the caller's use of it, also where
 * it fails. Errors: WEIR_ERR_KEY_LENGTH, WEIR_ERR_NO_MEMORY. */
struct weir_ad_hoc;
WEIR_MUST_CHECK enum weir_status weir_exchange_ask_limit(struct weir_exchange *exchange,
                                                         enum weir_verb verb,
                                                         struct weir_ad_hoc *limit,
                                                         struct weir_bytes key, uint64_t cost);

/* Adds an inquiry by limits that the door has found, 1 or more; of a CHECK by several, all or none.
 * Takes over the caller's uses of what peers brought, also where it fails. What is found in the
 * configuration has to be held by weir_exchange_hold_view. Errors: WEIR_ERR_KEY_LENGTH,
 * WEIR_ERR_NO_MEMORY. */
WEIR_MUST_CHECK enum weir_status weir_exchange_ask_found(struct weir_exchange *exchange,
                                                         enum weir_verb verb,
                                                         const struct weir_found *found,
                                                         size_t count);

/* Keeps the configuration of now for as long as the exchange lives. */
void weir_exchange_hold_view(struct weir_exchange *exchange);

/* An exchange that nobody is owed an answer of. It may be submitted; what its inquiries come to is
 * not counted. NULL: no memory. */
struct weir_exchange *weir_exchange_unowed(struct weir_desk *desk);

/* Drops one of weir_exchange_unowed that was not submitted. */
void weir_exchange_discard(struct weir_exchange *exchange);

/* No more inquiries come: it goes to the store at the end of the turn. One without inquiries is
 * decided. */
void weir_exchange_submit(struct weir_exchange *exchange);

/* Drops the newest exchange of a session, which has not been submitted: to say something else. */
void weir_exchange_drop(struct weir_exchange *exchange);

/* The listener's token that is `secret`, of this `user` (empty: any): its rights, or 0. Takes the
 * same time for every secret of a length. `ret_name` may be NULL. */
unsigned weir_listener_rights(const struct weir_listener *listener, struct weir_bytes user,
                              struct weir_bytes secret, struct weir_bytes *ret_name);

/* ---- Desks -------------------------------------------------------------------------------- */

/* The rule under which limits that peers bring are counted. */
#define WEIR_AD_HOC_RULE "(ad hoc)"

/* What is known of the whole server: the server's. */
struct weir_service {
    /* What metrics and status tell of the server as a whole. */
    void (*facts)(struct weir_service *service, struct weir_metrics_facts *ret_facts);
    /* The last failed attempt to reload: its messages, appended to `out`; nothing where none. */
    void (*reload_messages)(struct weir_service *service, struct weir_buffer *out);
    /* Settings that were changed and wait for a restart, as "store, listen"; "" */
    void (*needs_restart)(struct weir_service *service, char *text, size_t size);
    /* Whether it takes requests: false from SIGTERM on, and where the store can't be asked and
     * nothing decides in its place. `ret_why` is static. */
    bool (*is_ready)(struct weir_service *service, const char **ret_why);
    struct weir_metrics *metrics;
    struct weir_rls_stats *rls_stats; /* NULL: nothing is counted of the rate limit service */
};

struct weir_desk_options {
    struct weir *store;
    struct weir_view *view;
    struct weir_tally *tally;
    struct weir_rls_tally *rls_tally; /* NULL as above */
    struct weir_log *log;
    struct weir_service *service;
    const struct weir_allocator *allocator; /* NULL: malloc */
    /* Holds a decided exchange's answer: weir_exchange_release after `us`. */
    void (*later)(void *context, struct weir_exchange *exchange, int64_t us);
    /* A held exchange is no more: its session ended. */
    void (*forget)(void *context, struct weir_exchange *exchange);
    /* A session has something in `out`, or may read again. Once a session for each flush. */
    void (*wake)(void *context, struct weir_session *session);
    /* The store answered outside weir_desk_flush: one is needed soon, without waiting for input. */
    void (*stir)(void *context);
    void *context;
};

/* One worker's. Doors may read all of it. */
struct weir_desk {
    struct weir_desk_options options;
    const struct weir_allocator *allocator;
    struct weir_view *view;
    struct weir_plan plan;                /* scratch */
    struct weir_buffer scratch;           /* a door's, during one read or answer */
    struct weir_buffer scratch_more;      /* and a second */
    struct weir_buffer none;              /* what weir_session_say gives where there is no memory */
    struct weir_ad_hoc_limits *limits;    /* limits.h */
    struct weir_http_wanted *http_wanted; /* http_wanted.c's: what the policy's rules look at */
    bool immediate;                       /* the store answers at once */
    int64_t now_us; /* the wall clock at the start of this turn, or of the flush */
    int64_t now_ns; /* monotonic, likewise */
    struct weir_exchange *pending;
    struct weir_exchange *pending_last;
    struct weir_session *touched;
    struct weir_session *waking; /* of those, whose turn it is */
    struct weir_request *batch;  /* of all inquiries of one request each */
    struct weir_decision *batch_decisions;
    size_t batch_room;
    struct weir_inquiry **batch_owners;
    size_t batch_count;
    uint32_t ad_hoc_number; /* under which limits that peers brought are counted */
    uint64_t in_store;      /* calls that the store has */
    void *spare;            /* memory of exchanges to use again */
    uint32_t spare_count;
    struct weir_rls_policy *rls_empty; /* without rules; NULL: not made yet */
    struct weir_rls_asked *rls_spare;  /* likewise of what the rate limit service was asked */
    uint32_t rls_spare_count;
};

WEIR_MUST_CHECK enum weir_status weir_desk_open(const struct weir_desk_options *options,
                                                struct weir_desk **ret_desk);
/* Every session has ended, and the store has been closed or has nothing of it. */
void weir_desk_close(struct weir_desk *desk);

/* Reads the clocks: at the start of a turn. */
void weir_desk_turn(struct weir_desk *desk);

/* Puts what is pending to the store, and answers what is decided. At the end of a turn. */
void weir_desk_flush(struct weir_desk *desk);

/* From now on plans are made with `view`; the former one is released when nothing uses it. */
void weir_desk_take(struct weir_desk *desk, struct weir_view *view);

/* A held exchange's time has come. The session's `wake` follows. */
void weir_exchange_release(struct weir_exchange *exchange);

#endif
