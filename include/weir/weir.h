/* weir.h - decide how often something may happen.
 *
 * The whole of it, in the order in which a program meets it:
 *
 *     struct weir_limit *limit;                        what is allowed:        "100/m burst 20"
 *     struct weir *weir;                               where the state lives:  "memory:"
 *     struct weir_decision decision;                   what came of a request
 *
 *     weir_limit_parse(weir_text("100/m"), NULL, &limit, NULL);
 *     weir_open("memory:", NULL, &weir, NULL);
 *     weir_check(weir, limit, weir_text("user123"), 1, WEIR_CLOCK, &decision);
 *     if (!decision.allowed) ... wait decision.retry_after_us, or refuse
 *
 * Conventions, true of every function here unless its comment says otherwise:
 *
 *   Times are whole microseconds. A point in time is counted from 1970-01-01 00:00 UTC and lies in
 *   0..WEIR_TIME_MAX; a duration is rounded up, so that waiting exactly that long is long enough.
 *   Every fallible function returns a weir_status and writes its outputs, which come last and are
 *   named ret_, only when that is WEIR_OK. Pointers and slices passed in are borrowed for the call;
 *   nothing keeps them, nothing frees them. Keys are bytes: any byte, NUL included.
 *   Handles may be used from any number of threads at once; only closing or freeing one needs the
 *   others to have finished. No function takes a lock another thread could hold for long, logs,
 *   touches a signal, or keeps a global. No check allocates.
 *   Passing NULL where a comment does not allow it is a programming error and asserts.
 *
 * The definitions of the algorithms, and which to choose, are in docs/algorithms.md. A store that
 * many machines share, over Redis or Valkey, is opened by weir_redis_open, see redis.h; from then
 * on it is used as any other. */

#ifndef WEIR_WEIR_H
#define WEIR_WEIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define WEIR_API __attribute__((visibility("default")))
#define WEIR_MUST_CHECK __attribute__((warn_unused_result))
#else
#define WEIR_API
#define WEIR_MUST_CHECK
#endif

#define WEIR_VERSION_MAJOR 0
#define WEIR_VERSION_MINOR 1
#define WEIR_VERSION_PATCH 0
#define WEIR_VERSION "0.1.0"

/* The version of the library that is linked, e.g. "0.1.0". Static; never NULL. */
WEIR_API const char *weir_version(void);

/* ---- Status ------------------------------------------------------------------------------- */

/* What a function came to. A denied request is no error: it is WEIR_OK with a decision. The numbers
 * are stable: a new status gets a new number. */
enum weir_status {
    WEIR_OK = 0,
    WEIR_ERR_NO_MEMORY = 1,   /* the allocator, or the system, had none left */
    WEIR_ERR_ARGUMENT = 2,    /* a value is outside the range its comment gives */
    WEIR_ERR_LIMIT = 3,       /* a limit's text or numbers can't be had; see weir_error */
    WEIR_ERR_URL = 4,         /* a store's URL can't be read; see weir_error */
    WEIR_ERR_TIME = 5,        /* `now` is outside 0..WEIR_TIME_MAX, or the clock can't be read */
    WEIR_ERR_KEY_LENGTH = 6,  /* a key is longer than WEIR_KEY_MAX, or its buffer too small */
    WEIR_ERR_UNSUPPORTED = 7, /* not by this store, or not on this processor */
    WEIR_ERR_FORMAT = 8,      /* a shared file is cut, corrupt, or of another version or size */
    WEIR_ERR_SYSTEM = 9,      /* a system call failed; see weir_error for which and why */
    WEIR_ERR_SAME_STATE = 10, /* two different limits in one call would share one key's state */
    WEIR_ERR_BUFFER = 11,     /* the buffer is too small for the answer */
    WEIR_ERR_FULL = 12,       /* the side arena of sliding-log has no room; nothing was taken */
    WEIR_ERR_STORE = 13,      /* the shared store could not be asked to do this; nothing is known */
    WEIR_ERR_BUSY = 14        /* a blocking call on the very loop that would have to answer it */
};

/* A sentence for `status`, without a newline. Static; never NULL, also for unknown numbers. */
WEIR_API const char *weir_strerror(enum weir_status status);

/* The name of `status`, e.g. "WEIR_ERR_LIMIT". Static; never NULL, also for unknown numbers. */
WEIR_API const char *weir_status_name(enum weir_status status);

/* Where and why, for the calls that read something a person wrote. `offset` and `length` are the
 * bytes of the input that are meant (0 and 0 where no part is); `message` says what is wrong and
 * what to write instead, and always ends in NUL. */
struct weir_error {
    size_t offset;
    size_t length;
    char message[240];
};

/* ---- Bytes -------------------------------------------------------------------------------- */

/* A borrowed slice. `ptr` may be NULL where `len` is 0. */
struct weir_bytes {
    const char *ptr;
    size_t len;
};

/* The slice of `len` bytes at `ptr`. */
static inline struct weir_bytes weir_bytes(const void *ptr, size_t len)
{
    struct weir_bytes bytes;
    bytes.ptr = (const char *)ptr;
    bytes.len = len;
    return bytes;
}

/* The slice of a NUL-terminated string, without its NUL. */
static inline struct weir_bytes weir_text(const char *text)
{
    size_t len = 0;
    while (text[len] != '\0') {
        len++;
    }
    return weir_bytes(text, len);
}

/* The longest key, in bytes. A key may be empty. */
#define WEIR_KEY_MAX 4096

/* Makes one key of several parts, so that no two lists of parts ever give the same bytes: parts are
 * joined by ':' and, inside a part, the bytes ':' '%' '{' '}', space, and all below it, DEL
 * included, are written as %XX. So ("a_b","c") is not ("a","b_c"), and ("a","") is not ("a").
 * `count` is 1 or more. Writes at most `size` bytes to `buffer` (no NUL) and points `ret_key` at
 * them. Errors: WEIR_ERR_ARGUMENT for no parts, WEIR_ERR_KEY_LENGTH where the key would be longer
 * than `size` or WEIR_KEY_MAX. A part of n bytes takes at most 3n. Threads: no shared state. */
WEIR_API WEIR_MUST_CHECK enum weir_status weir_key_join(const struct weir_bytes *parts,
                                                        size_t count, char *buffer, size_t size,
                                                        struct weir_bytes *ret_key);

/* ---- Memory ------------------------------------------------------------------------------- */

/* Where memory comes from. `allocate` gives `size` bytes aligned to `alignment` (a power of two, at
 * most 4096), or NULL; `release` takes back what allocate gave, with the same size. Either may be
 * called from whichever thread opens, parses, closes or frees. */
struct weir_allocator {
    void *(*allocate)(void *context, size_t size, size_t alignment);
    void (*release)(void *context, void *memory, size_t size);
    void *context;
};

/* ---- Limits ------------------------------------------------------------------------------- */

enum weir_algorithm {
    WEIR_TOKEN_BUCKET = 0, /* `burst` at once, then one every period/count */
    WEIR_LEAKY_BUCKET,     /* the same admission; what is admitted leaves evenly spaced (`delay`) */
    WEIR_FIXED_WINDOW,     /* `count` in a window that opens at the first admitted request */
    WEIR_CALENDAR_WINDOW,  /* `count` in a minute, hour, day, week, month or year of a time zone, or
                              in a period counted from 1970 on */
    WEIR_SLIDING_WINDOW,   /* the two-counter estimate of a moving window */
    WEIR_SLIDING_LOG       /* exactly `count` in any stretch of `period` */
};

/* "token-bucket" for WEIR_TOKEN_BUCKET, and so on. Static; NULL for a number that is none. */
WEIR_API const char *weir_algorithm_name(enum weir_algorithm algorithm);

enum weir_calendar {
    WEIR_CALENDAR_NONE = 0,
    WEIR_CALENDAR_MINUTE,
    WEIR_CALENDAR_HOUR,
    WEIR_CALENDAR_DAY,
    WEIR_CALENDAR_WEEK, /* from Monday */
    WEIR_CALENDAR_MONTH,
    WEIR_CALENDAR_YEAR,
    WEIR_CALENDAR_EPOCH /* windows of `period_us`, one after another from 1970-01-01 00:00 UTC on */
};

/* The longest period and block, and the longest a bucket may take to refill: a leap year. */
#define WEIR_PERIOD_MAX (INT64_C(366) * 86400 * 1000000)

#define WEIR_COUNT_MAX UINT32_MAX             /* the largest count and burst of any limit */
#define WEIR_LOG_COUNT_MAX 10000              /* the largest count of sliding-log */
#define WEIR_SLIDING_COUNT_MAX 2097151        /* the largest count of sliding-window, 2^21 - 1 */
#define WEIR_SLIDING_PERIOD_MIN INT64_C(2000) /* the shortest period of sliding-window, in us */
#define WEIR_NAME_MAX 128                     /* the longest name of a limit, in bytes */
#define WEIR_ZONE_MAX 63                      /* the longest name of a time zone, in bytes */
#define WEIR_TEXT_MAX 160                     /* no canonical text is longer, NUL included */

/* A limit in numbers. Zero every field that is not meant: `struct weir_limit_spec spec = {0};`. */
struct weir_limit_spec {
    enum weir_algorithm algorithm;
    enum weir_calendar calendar;  /* for calendar-window, and only there; `period_us` is then 0, but
                                     for WEIR_CALENDAR_EPOCH */
    uint64_t count;               /* 1..WEIR_COUNT_MAX, less for the sliding algorithms */
    int64_t period_us;            /* 1..WEIR_PERIOD_MAX */
    uint64_t burst;               /* 1..WEIR_COUNT_MAX; the buckets only; 0: as `count` */
    int64_t block_us;             /* 1..WEIR_PERIOD_MAX; 0: no block */
    char zone[WEIR_ZONE_MAX + 1]; /* calendar-window: a name as "Europe/Rome"; empty: "UTC". Empty
                                     for WEIR_CALENDAR_EPOCH, which has none */
};

/* What decides where a shared store can't be asked. */
enum weir_on_error {
    WEIR_ON_ERROR_DEFAULT = 0, /* of a limit: as the store says; of a store: local */
    WEIR_ON_ERROR_DENY,        /* nothing passes */
    WEIR_ON_ERROR_ALLOW,       /* everything passes */
    WEIR_ON_ERROR_LOCAL        /* a table in this process, with the same limits */
};

/* How a limit is made. All zero (or a NULL pointer) means: no name, malloc, the system's time
 * zones. */
struct weir_limit_options {
    size_t size; /* sizeof(struct weir_limit_options), so that fields may be added */
    /* The rule this limit belongs to: at most WEIR_NAME_MAX bytes. It is part of where a key's
     * state lives: limits of different names never touch each other's state, and a limit that is
     * changed but keeps its name and algorithm keeps every key's debt. Empty: the algorithm and
     * period stand in for a name, so that "10/s" and "100/m" on one key are two budgets, and "20/s"
     * takes over from "10/s". */
    struct weir_bytes name;
    const struct weir_allocator *allocator; /* NULL: malloc and free */
    const char *zone_directory;             /* NULL: "/usr/share/zoneinfo" */
    enum weir_on_error on_error; /* what decides under this limit where a shared store can't */
};

/* A limit, prepared for deciding. Immutable, so any thread may use it at any time, with any
 * store. */
struct weir_limit;

/* Reads a limit from its text:
 *
 *     COUNT/PERIOD [ALGORITHM [ZONE | epoch]] [burst COUNT] [block DURATION]
 *
 *     100/m                                    token-bucket, burst 100
 *     5/10s fixed-window
 *     20/s burst 50
 *     5/15m sliding-log block 15m
 *     10000/month calendar-window Europe/Rome
 *     100/10m calendar-window epoch
 *
 * The grammar, units and canonical form are in the manual page weir-limit(7). `options` may be
 * NULL, and so may `ret_error`, which is written only on failure. Errors: WEIR_ERR_LIMIT with the
 * place and what to write instead, WEIR_ERR_NO_MEMORY, WEIR_ERR_ARGUMENT for a name that is too
 * long, WEIR_ERR_SYSTEM where a time zone's file can't be read. Free with weir_limit_free. */
WEIR_API WEIR_MUST_CHECK enum weir_status weir_limit_parse(struct weir_bytes text,
                                                           const struct weir_limit_options *options,
                                                           struct weir_limit **ret_limit,
                                                           struct weir_error *ret_error);

/* Makes a limit from numbers; the same ranges, refusals and errors as weir_limit_parse (an error's
 * offset and length are then 0). */
WEIR_API WEIR_MUST_CHECK enum weir_status weir_limit_new(const struct weir_limit_spec *spec,
                                                         const struct weir_limit_options *options,
                                                         struct weir_limit **ret_limit,
                                                         struct weir_error *ret_error);

/* Writes the limit's canonical text and a NUL to `buffer` of `size` bytes; WEIR_TEXT_MAX is always
 * enough. weir_limit_parse reads it back to the same limit (the name is not part of the text).
 * Errors: WEIR_ERR_BUFFER. `ret_len` (may be NULL) is the length without the NUL. */
WEIR_API WEIR_MUST_CHECK enum weir_status weir_limit_format(const struct weir_limit *limit,
                                                            char *buffer, size_t size,
                                                            size_t *ret_len);

/* The limit in numbers again: `burst` filled in for the buckets, `zone` for calendar-window
 * (but for WEIR_CALENDAR_EPOCH). */
WEIR_API void weir_limit_describe(const struct weir_limit *limit, struct weir_limit_spec *ret_spec);

/* Frees a limit; NULL is fine. No check with it may be under way. */
WEIR_API void weir_limit_free(struct weir_limit *limit);

/* ---- Stores ------------------------------------------------------------------------------- */

struct weir_options {
    size_t size;                            /* sizeof(struct weir_options) */
    const struct weir_allocator *allocator; /* NULL: the system's pages and malloc */
};

/* An open store. */
struct weir;

/* Opens the store that `url` names:
 *
 *     memory:?size=64MiB&log=16MiB   a table in this process (a fork gets a copy)
 *     shm:/path?size=64MiB&mode=0600 the same table in a mapped file, shared by all who open it;
 *                                    made if it isn't there; it outlives every process
 *
 * `size` is the table's memory, fixed from here on: 16 bytes a client, plus at most 4096 (default
 * 64 MiB; 8 KiB to 1 TiB; B, KiB, MiB, GiB, TiB). `log` bounds what sliding-log may take besides
 * (memory: only, default 16 MiB, untouched until used). An shm file that exists keeps its size and
 * mode; a different `size` is refused. A fork while other threads are deciding may leave a
 * sliding-log of a memory: store locked in the child; the table itself knows no locks. `options`
 * may be NULL, and so may `ret_error`, which is written only on failure. Errors: WEIR_ERR_URL,
 * WEIR_ERR_NO_MEMORY, WEIR_ERR_UNSUPPORTED (a processor without a 16-byte load and
 * compare-and-swap; on x86-64: cx16 and AVX), WEIR_ERR_FORMAT (the file is left untouched),
 * WEIR_ERR_SYSTEM. */
WEIR_API WEIR_MUST_CHECK enum weir_status weir_open(const char *url,
                                                    const struct weir_options *options,
                                                    struct weir **ret_weir,
                                                    struct weir_error *ret_error);

/* Closes a store; NULL is fine. What is in an shm file stays there. No call may be under way. */
WEIR_API void weir_close(struct weir *weir);

/* ---- Deciding ----------------------------------------------------------------------------- */

/* As `now_us`: read the system's clock (CLOCK_REALTIME), once per call. */
#define WEIR_CLOCK INT64_MIN

/* The last point in time that can be used as `now`: 2^52 us, in the year 2112. */
#define WEIR_TIME_MAX (INT64_C(1) << 52)

/* As retry_after_us: this request can never be admitted, its cost is over what the limit can
 * hold. */
#define WEIR_NEVER INT64_MAX

/* As a clock's reading may be a little late (a thread that was put aside, an event loop's turn), a
 * `now` up to this much, or one span of the limit, behind a key's own state counts as that state's
 * time; one further behind is a clock that was set back, and the state is pulled to what the limit
 * can produce at `now`. See docs/algorithms.md, "Clocks". */
#define WEIR_CLOCK_SLACK_US INT64_C(1000000)

/* Who answered. */
enum weir_source {
    WEIR_SOURCE_MEMORY = 1, /* a memory: store */
    WEIR_SOURCE_SHM = 2,    /* a shm: store */
    WEIR_SOURCE_REDIS = 3,  /* Redis or Valkey */
    WEIR_SOURCE_DENY_CACHE =
        4,                   /* what Redis said of this key a moment ago: it must be denied still */
    WEIR_SOURCE_LOCAL = 5,   /* Redis could not: the table in this process, see `failure` */
    WEIR_SOURCE_ON_ERROR = 6 /* Redis could not: on_error=deny or allow, see `failure` */
};

/* Why a shared store did not answer. The numbers are stable. */
enum weir_failure {
    WEIR_FAILURE_NONE = 0,
    WEIR_FAILURE_TIMEOUT = 1,     /* no answer came before the deadline */
    WEIR_FAILURE_UNREACHABLE = 2, /* no connection could be made */
    WEIR_FAILURE_LOST = 3,        /* the connection was lost before the answer came */
    WEIR_FAILURE_CIRCUIT = 4,     /* it failed so often that it is left alone for a moment */
    WEIR_FAILURE_FULL = 5,        /* too many requests are waiting for it */
    WEIR_FAILURE_TLS = 6,         /* no TLS, or a certificate that is not trusted */
    WEIR_FAILURE_AUTH = 7,        /* it refuses the user or password, or asks for one */
    WEIR_FAILURE_NOPERM = 8,      /* its ACL does not let this user do what a decision takes */
    WEIR_FAILURE_DATABASE = 9,    /* it has no database of this number */
    WEIR_FAILURE_READONLY = 10,   /* it is a replica, or may not be written to */
    WEIR_FAILURE_OOM = 11,        /* it has used all the memory that it may */
    WEIR_FAILURE_LOADING = 12,    /* it is still loading its data */
    WEIR_FAILURE_BUSY = 13,       /* it is held up by somebody's script or function */
    WEIR_FAILURE_MISCONF = 14,    /* it can't save its data and refuses to be written to */
    WEIR_FAILURE_CLUSTER = 15, /* the cluster, or this key's part of it, is down or on the move */
    WEIR_FAILURE_NO_PRIMARY = 16, /* no sentinel knows of a primary */
    WEIR_FAILURE_REPLICAS = 17,   /* it has too few replicas to accept writes */
    WEIR_FAILURE_KILLED = 18,     /* somebody ended the script */
    WEIR_FAILURE_VALUE = 19,      /* what is kept under the key is none of ours */
    WEIR_FAILURE_REPLY = 20,      /* its answer has no sense */
    WEIR_FAILURE_REFUSED = 21,    /* it refuses, for a reason of its own */
    WEIR_FAILURE_CLOSED = 22,     /* the store was closed meanwhile */
    WEIR_FAILURE_NO_MEMORY = 23   /* this process has no memory left */
};
#define WEIR_FAILURE_COUNT 24

/* A word for `failure`, as "timeout", and a sentence without a newline. Static; never NULL, also
 * for unknown numbers. */
WEIR_API const char *weir_failure_name(enum weir_failure failure);
WEIR_API const char *weir_failure_text(enum weir_failure failure);

/* What came of a request. */
struct weir_decision {
    bool allowed;
    bool blocked;     /* the limit's `block` is running: since this denial, or an earlier one */
    uint16_t failure; /* an enum weir_failure: why Redis did not answer; 0 where none is */
    enum weir_source source; /* which store answered */
    uint64_t limit;          /* the most the limit holds: burst for the buckets, else count */
    uint64_t remaining;      /* how many further requests of cost 1 would be admitted right now */
    /* 0 if allowed; else how long until this same request would be admitted if nothing else came,
     * or WEIR_NEVER. */
    int64_t retry_after_us;
    int64_t reset_after_us; /* how long until the key is as if never used */
    int64_t delay_us;       /* leaky-bucket: how long an admitted request waits for its turn */
};

/* Asks whether a request of `cost` by `key` may pass now, and takes the cost if so. Cost 0 only
 * looks: it answers for a cost of 1 and takes nothing. A denied request takes nothing and changes
 * nothing, save that it starts the limit's `block`, where there is one and none is running; a cost
 * that could never fit (retry_after_us is WEIR_NEVER) does not even do that. `now_us`:
 * 0..WEIR_TIME_MAX, or WEIR_CLOCK. Errors: WEIR_ERR_TIME, WEIR_ERR_KEY_LENGTH, WEIR_ERR_UNSUPPORTED
 * (sliding-log in an shm store), WEIR_ERR_FULL. */
WEIR_API WEIR_MUST_CHECK enum weir_status weir_check(struct weir *weir,
                                                     const struct weir_limit *limit,
                                                     struct weir_bytes key, uint64_t cost,
                                                     int64_t now_us,
                                                     struct weir_decision *ret_decision);

/* What weir_check would answer, without taking anything, starting a block, or writing at all.
 * Errors as weir_check. */
WEIR_API WEIR_MUST_CHECK enum weir_status weir_peek(struct weir *weir,
                                                    const struct weir_limit *limit,
                                                    struct weir_bytes key, uint64_t cost,
                                                    int64_t now_us,
                                                    struct weir_decision *ret_decision);

/* Gives `cost` back to the key, never above full; a block that is running goes on. For requests
 * that were admitted and then not made. `ret_decision` (may be NULL) is what a peek of cost 1
 * answers afterwards. Errors as weir_check. */
WEIR_API WEIR_MUST_CHECK enum weir_status weir_refund(struct weir *weir,
                                                      const struct weir_limit *limit,
                                                      struct weir_bytes key, uint64_t cost,
                                                      int64_t now_us,
                                                      struct weir_decision *ret_decision);

/* Forgets the key under this limit, its block included. Errors: WEIR_ERR_KEY_LENGTH,
 * WEIR_ERR_UNSUPPORTED. */
WEIR_API WEIR_MUST_CHECK enum weir_status weir_reset(struct weir *weir,
                                                     const struct weir_limit *limit,
                                                     struct weir_bytes key);

/* One of several questions asked together. */
struct weir_request {
    const struct weir_limit *limit;
    struct weir_bytes key;
    uint64_t cost; /* as in weir_check */
};

/* The most requests in one weir_check_all. weir_check_batch has no such bound. */
#define WEIR_CHECK_ALL_MAX 64

/* Takes from all of `requests`, or from none: all are admitted, or those that deny are named and
 * the rest are left as they were. While it is under way another thread may find the costs taken
 * that are given back a moment later: it can be denied for that moment. Nothing is admitted too
 * often, unless this thread is put aside in that moment for longer than the limit takes to forget
 * the cost by itself: what is then given back comes off what others have used since. `count`
 * is 1..WEIR_CHECK_ALL_MAX. `ret_decisions` has `count` places: where all were admitted they are
 * those of weir_check, else those of weir_peek for the requests that would have been admitted, and
 * of the denial for those that denied. `ret_denied` (may be NULL) is the index of the first that
 * denied, or `count`. Errors as weir_check (nothing is then taken), and WEIR_ERR_SAME_STATE where
 * two different limits in the call would share one key's state (give them names), WEIR_ERR_ARGUMENT
 * for the count. */
WEIR_API WEIR_MUST_CHECK enum weir_status weir_check_all(struct weir *weir,
                                                         const struct weir_request *requests,
                                                         size_t count, int64_t now_us,
                                                         struct weir_decision *ret_decisions,
                                                         size_t *ret_denied);

/* Checks each of `requests` by itself, in order, as `count` calls of weir_check with one `now`
 * would, but with the memory of many keys fetched at once: on tables larger than the caches,
 * several times faster. `ret_decisions` has `count` places. Errors as weir_check; they are found
 * before the first request is decided, except WEIR_ERR_FULL, at which the rest is left unasked.
 * `ret_done` (may be NULL) is how many were decided, also on failure. */
WEIR_API WEIR_MUST_CHECK enum weir_status weir_check_batch(struct weir *weir,
                                                           const struct weir_request *requests,
                                                           size_t count, int64_t now_us,
                                                           struct weir_decision *ret_decisions,
                                                           size_t *ret_done);

/* Waits until the request is admitted (and, for leaky-bucket, until its turn has come), or gives
 * up: returns with `allowed` false as soon as it is plain that it can't be admitted within
 * `timeout_us` (0..WEIR_PERIOD_MAX). Waiting is looking, not asking: it starts no block. Sleeps the
 * calling thread, through signals too. Reads the clock. Errors as weir_check, WEIR_ERR_ARGUMENT. */
WEIR_API WEIR_MUST_CHECK enum weir_status weir_acquire(struct weir *weir,
                                                       const struct weir_limit *limit,
                                                       struct weir_bytes key, uint64_t cost,
                                                       int64_t timeout_us,
                                                       struct weir_decision *ret_decision);

/* ---- Without waiting ---------------------------------------------------------------------- */

/* What is asked of a store. */
enum weir_verb {
    WEIR_VERB_CHECK = 0, /* decide and take: weir_check */
    WEIR_VERB_PEEK,      /* decide only, write nothing: weir_peek */
    WEIR_VERB_MEND,      /* a peek that writes what the clock rule clamps, as a denied check does */
    WEIR_VERB_REFUND,    /* give back: weir_refund */
    WEIR_VERB_RESET      /* forget: weir_reset */
};

/* Requests on their way. The caller's, untouched by the caller from weir_submit until `done` is
 * called. Zero every field that is not meant. */
struct weir_call {
    enum weir_verb verb;
    bool together; /* CHECK only: all or none, as weir_check_all; at most WEIR_CHECK_ALL_MAX */
    const struct weir_request *requests; /* borrowed, with limits and keys, until done */
    size_t count;
    int64_t now_us; /* as in weir_check; WEIR_CLOCK: the store's own time */
    int64_t
        timeout_us; /* how long an answer may take, 1..WEIR_PERIOD_MAX; 0: as the store has it */
    struct weir_decision *decisions; /* `count` places; a RESET writes none, and may have NULL */
    void (*done)(
        struct weir_call *call); /* called once; it may free the call, or submit it again */
    void *context;               /* the caller's own */

    /* The answer. `answered` is for a `together` the first that denied, or `count`; else how many
     * were decided. */
    enum weir_status status;
    size_t answered;

    void *internal[12]; /* the store's, meanwhile */
};

/* Asks without waiting: `done` is called when all is decided. A store in memory decides at once,
 * and calls it before this returns. A Redis store calls it on the thread of its loop; with a loop
 * of the caller's (see redis.h) this is to be called on the loop's thread, else on any. Calls under
 * way together may be decided in any order. Errors are those of the call that waits (weir_check and
 * so on), and come as `status`; WEIR_ERR_ARGUMENT for a timeout out of range. */
WEIR_API void weir_submit(struct weir *weir, struct weir_call *call);

/* ---- Looking inside ----------------------------------------------------------------------- */

struct weir_stats {
    size_t size;           /* set by the caller: sizeof(struct weir_stats) */
    uint64_t bytes;        /* the table's memory, fixed at open */
    uint64_t slots;        /* how many clients it has room for */
    uint64_t used;         /* slots that hold a client, whether or not it still matters */
    uint64_t live;         /* of these, clients that are not yet as if never used at `now` */
    uint64_t evicted_idle; /* entries replaced since it was made that were as if never used */
    uint64_t evicted_live; /* and entries that were not: a larger table would have kept them */
    uint64_t log_bytes;    /* sliding-log's arena (memory: only): its bound, */
    uint64_t log_used;     /* what of it is in use, */
    uint64_t log_evicted;  /* and logs given up while they still mattered */
    /* A Redis store; the lines above are then those of its table for on_error=local. Counted since
     * it was opened. */
    uint64_t redis_decided;              /* requests that Redis answered, */
    uint64_t redis_calls;                /* in so many script calls, */
    uint64_t redis_writes;               /* in so many writes to a connection */
    uint64_t redis_connected;            /* connections made */
    uint64_t redis_open;                 /* connections that are up now */
    uint64_t deny_cached;                /* requests that the deny cache answered */
    uint64_t circuit_opened;             /* how often a circuit opened; */
    uint64_t circuits_open;              /* how many are open now */
    uint64_t failed[WEIR_FAILURE_COUNT]; /* requests that on_error decided, by enum weir_failure */
};

/* Counts the table, reading all of it: about 10 ms for each 64 MiB. `now_us` as in weir_check.
 * Fills what `ret_stats->size` has room for. Errors: WEIR_ERR_TIME, WEIR_ERR_ARGUMENT (no size). */
WEIR_API WEIR_MUST_CHECK enum weir_status weir_stats(struct weir *weir, int64_t now_us,
                                                     struct weir_stats *ret_stats);

#ifdef __cplusplus
}
#endif

#endif
