/* rls.h - Envoy's rate limit service, version 3: what is asked, which rules apply, what is
 * answered.
 *
 * A request names a domain and has descriptors, each a list of keys and values. A policy has a tree
 * of rules for each domain, as envoyproxy/ratelimit's files describe it. A plan says of every
 * descriptor what is to be asked of the store; weir_rls_answer makes of the store's decisions the
 * response. Who asks the store is not known here, nor are bytes on the wire (wire.h, json.h) or
 * files (src/envoy).
 *
 * Requests, plans and responses live in an arena, and borrow from one another. A policy is
 * immutable: any thread may use it.
 *
 * Invariant: a plan depends on the policy and the request alone, a response on these, the decisions
 * and the clock. */

#ifndef WEIR_RLS_RLS_H
#define WEIR_RLS_RLS_H

#include "base/arena.h"
#include "base/buffer.h"
#include "weir/weir.h"

#define WEIR_RLS_DESCRIPTORS_MAX 1024 /* of one request */
#define WEIR_RLS_ENTRIES_MAX 64       /* of one descriptor */
#define WEIR_RLS_DEPTH_MAX 64         /* of a policy's tree */
#define WEIR_RLS_RULES_MAX 1000000    /* of a policy, all domains */
#define WEIR_RLS_KEY_MAX WEIR_KEY_MAX

/* ---- What is asked ------------------------------------------------------------------------ */

/* By their numbers on the wire. WEEK is of answers and files alone. */
enum weir_rls_unit {
    WEIR_RLS_UNKNOWN_UNIT = 0,
    WEIR_RLS_SECOND = 1,
    WEIR_RLS_MINUTE = 2,
    WEIR_RLS_HOUR = 3,
    WEIR_RLS_DAY = 4,
    WEIR_RLS_MONTH = 5, /* 30 days */
    WEIR_RLS_YEAR = 6,  /* 365 days */
    WEIR_RLS_WEEK = 7,
    WEIR_RLS_UNIT_COUNT
};

struct weir_rls_entry {
    struct weir_bytes key;
    struct weir_bytes value;
};

struct weir_rls_descriptor {
    const struct weir_rls_entry *entries;
    size_t entry_count;
    bool has_limit; /* a limit that travels with the request */
    uint32_t limit_requests;
    enum weir_rls_unit limit_unit;
    bool has_hits; /* overrides the request's; 0: only look */
    uint64_t hits;
    bool negative; /* give back */
};

struct weir_rls_request {
    struct weir_bytes domain;
    const struct weir_rls_descriptor *descriptors;
    size_t descriptor_count;
    uint32_t hits; /* 0: 1 */
};

/* ---- What is answered --------------------------------------------------------------------- */

enum weir_rls_code {
    WEIR_RLS_UNKNOWN = 0, /* never sent */
    WEIR_RLS_OK = 1,
    WEIR_RLS_OVER_LIMIT = 2
};

/* A google.protobuf.Value. */
enum weir_rls_value_kind {
    WEIR_RLS_NULL = 0,
    WEIR_RLS_NUMBER,
    WEIR_RLS_TEXT,
    WEIR_RLS_BOOLEAN,
    WEIR_RLS_STRUCT,
    WEIR_RLS_LIST
};

struct weir_rls_value {
    enum weir_rls_value_kind kind;
    bool boolean;
    double number;
    struct weir_bytes text;
    const struct weir_bytes *names;      /* of a struct's fields: `count` */
    const struct weir_rls_value *values; /* of a struct or a list: `count` */
    size_t count;
};

struct weir_rls_status {
    enum weir_rls_code code;
    bool has_limit; /* the next three are sent */
    uint32_t requests_per_unit;
    enum weir_rls_unit unit;
    struct weir_bytes name;
    uint32_t remaining;
    bool has_reset;
    int64_t reset_us;
};

struct weir_rls_header {
    struct weir_bytes key;
    struct weir_bytes value;
};

struct weir_rls_response {
    enum weir_rls_code overall;
    const struct weir_rls_status *statuses;
    size_t status_count;
    const struct weir_rls_header *headers; /* response_headers_to_add */
    size_t header_count;
    const struct weir_rls_value *metadata; /* a struct; NULL: none */
};

/* ---- What a policy is made of ------------------------------------------------------------- */

/* One descriptor of a file. Matching: at each level the entry's `key` with its value, exactly; then
 * patterns (a value or a key with '*', each for any bytes) in the file's order; then the bare
 * `key`. What was found is never given up for another, where it leads nowhere. A limit applies only
 * where the request has no entry below it. */
struct weir_rls_node_spec {
    struct weir_bytes key;   /* not empty */
    struct weir_bytes value; /* empty: any value, each with a counter of its own */
    bool has_rule;           /* the fields of a rate_limit, below, count */
    const struct weir_rls_node_spec *children;
    size_t child_count;
    /* Of the rule. */
    bool unlimited;
    uint32_t requests_per_unit; /* 0: always over */
    enum weir_rls_unit unit;
    /* What decides; NULL where unlimited, or requests_per_unit is 0. Windows aligned to the epoch,
     * or, by `algorithm`, any other limit of weir's. */
    const struct weir_limit *limit;
    struct weir_bytes name; /* empty: none */
    const struct weir_bytes *replaces;
    size_t replaces_count;
    /* Of the descriptor. */
    bool shadow_mode;
    bool quota_mode;
    bool detailed_metric;
    bool value_to_metric;
    bool share_threshold;
    const struct weir_rls_value *metadata; /* a struct; NULL: none */
};

struct weir_rls_domain_spec {
    struct weir_bytes name;
    const struct weir_rls_node_spec *children;
    size_t child_count;
    bool atomic; /* all of a request's descriptors or none, and a denied one takes nothing */
};

/* Of the service as a whole. */
struct weir_rls_settings {
    bool shadow_mode;
    bool quota_mode;
    bool dynamic_metadata;
    bool any_domain; /* a limit that travels with a request applies in unknown domains, too */
    bool headers;    /* the next three are sent */
    struct weir_bytes limit_header;
    struct weir_bytes remaining_header;
    struct weir_bytes reset_header;
    double near_limit_ratio;      /* 0.8 */
    struct weir_bytes key_prefix; /* of every key of the store; empty */
};

struct weir_rls_spec {
    const struct weir_rls_domain_spec *domains; /* no name twice: merged by whoever reads them */
    size_t domain_count;
    struct weir_rls_settings settings;
};

/* ---- Policies ----------------------------------------------------------------------------- */

struct weir_rls_policy;

/* Prepares a policy. The specification and all it points at are borrowed as long as it lives, and
 * have been found to be right by whoever read them. Errors: WEIR_ERR_NO_MEMORY. */
WEIR_MUST_CHECK enum weir_status weir_rls_policy_new(const struct weir_rls_spec *spec,
                                                     const struct weir_allocator *allocator,
                                                     struct weir_rls_policy **ret_policy);
void weir_rls_policy_free(struct weir_rls_policy *policy);
const struct weir_rls_settings *weir_rls_policy_settings(const struct weir_rls_policy *policy);

/* Its rules, in an order that the specification alone decides. */
struct weir_rls_rule {
    const struct weir_rls_node_spec *spec;
    struct weir_bytes full_key; /* "domain.key_value.key": of metrics, /stats and /rlconfig */
    size_t index;
};
size_t weir_rls_policy_count(const struct weir_rls_policy *policy);
const struct weir_rls_rule *weir_rls_policy_rule(const struct weir_rls_policy *policy,
                                                 size_t index);

/* The flat list of /rlconfig: a line a rule, as envoyproxy/ratelimit writes it. */
void weir_rls_policy_dump(const struct weir_rls_policy *policy, struct weir_buffer *out);

/* ---- Plans -------------------------------------------------------------------------------- */

enum weir_rls_fate {
    WEIR_RLS_NO_RULE = 0, /* OK, without a limit; also where another rule replaces this one's */
    WEIR_RLS_UNLIMITED,   /* OK, with all there is remaining */
    WEIR_RLS_ALWAYS_OVER, /* requests_per_unit 0 */
    WEIR_RLS_ASK,         /* `limit`, `key`, `cost`, `verb` are to be put to the store */
    WEIR_RLS_ASK_OVERRIDE /* the same, but the limit is to be made of `override` first */
};

/* What is to be done for one descriptor. */
struct weir_rls_item {
    enum weir_rls_fate fate;
    enum weir_verb verb; /* CHECK; PEEK for 0 hits, REFUND for negative ones */
    bool together;       /* to be checked with all others that say so, all or none: see `atomic` */
    const struct weir_rls_rule *rule; /* NULL: none, or an override's */
    const struct weir_limit *limit;   /* of the rule; NULL for an override */
    struct weir_limit_spec override;
    uint32_t requests_per_unit; /* of the rule or the override */
    enum weir_rls_unit unit;
    struct weir_bytes key;  /* in the plan's arena: domain and entries by weir_key_join */
    uint64_t hits;          /* as asked, for the metrics */
    uint64_t cost;          /* 0 for a look */
    struct weir_bytes stat; /* name in /stats, where it is not the rule's full_key; else empty */
};

struct weir_rls_plan {
    const struct weir_rls_request *request;
    struct weir_rls_item *items; /* one a descriptor, in order */
    size_t count;
    /* Some items are `together`: all CHECKs of an atomic domain that can deny by themselves, which
     * shadow and quota modes don't. Where one of these is ALWAYS_OVER, none is `together`, and the
     * others are PEEKs of their cost. */
    bool atomic;
    bool unknown_domain;
};

/* Makes the plan, in `arena`. Errors, with a message for the caller: WEIR_ERR_ARGUMENT (no domain,
 * no descriptors, too many of them, of their entries, or of what is to be checked together; an
 * override whose unit is unknown), WEIR_ERR_NO_MEMORY. */
WEIR_MUST_CHECK enum weir_status weir_rls_plan(const struct weir_rls_policy *policy,
                                               const struct weir_rls_request *request,
                                               struct weir_arena *arena,
                                               struct weir_rls_plan *ret_plan,
                                               struct weir_error *ret_error);

/* ---- Answers ------------------------------------------------------------------------------ */

struct weir_rls_tally; /* stats.h: one worker's counters; NULL: nothing is counted */

/* What came of it. `decisions` has a place for each item; only those with fate ASK or ASK_OVERRIDE
 * are looked at (of a REFUND: the decision of a PEEK for 1 after it, or of the refund itself; it is
 * OK whatever remains). Where one of those `together` was denied, what was allowed of them was not
 * taken. A look (0 hits) is OVER_LIMIT where nothing remains. The response is in `arena`, and
 * borrows from the policy and the request. Errors: WEIR_ERR_NO_MEMORY; nothing is then counted. */
WEIR_MUST_CHECK enum weir_status weir_rls_answer(const struct weir_rls_policy *policy,
                                                 const struct weir_rls_plan *plan,
                                                 const struct weir_decision *decisions,
                                                 int64_t now_us, struct weir_arena *arena,
                                                 struct weir_rls_tally *tally,
                                                 struct weir_rls_response *ret_response);

/* What of a denied check that asked for more than 1 is to be taken all the same, so that a budget
 * that was overrun is used up: what remained; 0: nothing. As envoyproxy/ratelimit counts, save in
 * what is `together`, and where no store was asked. */
uint64_t weir_rls_rest(const struct weir_rls_plan *plan, size_t item,
                       const struct weir_decision *decision);

#endif
