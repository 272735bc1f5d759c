/* rules.h - which limits apply to a request, and under which keys.
 *
 * A request is a list of attributes: names and values, as `ip` and `path`. A rule has conditions on
 * attributes, names the attributes of its key, and has a limit. A policy is all the rules, prepared
 * for matching: immutable, so that any thread may use it, and swapped whole when its file changes.
 *
 * Making a plan of a request is the whole of this folder: which rules match, and for each the limit
 * (its own, that of a tier, or that of a key), the key, the cost, or what a list says. The plan's
 * requests are then put to a store by whoever has one, and what came of them is summed up by
 * weir_plan_sum. No I/O, no clock; no allocation where a plan is made.
 *
 * Invariant: a policy's answers depend on the specification and the attributes alone; the index
 * (index.c) only leaves out rules that could not have matched. */

#ifndef WEIR_RULES_RULES_H
#define WEIR_RULES_RULES_H

#include "weir/weir.h"

#define WEIR_ATTRIBUTES_MAX 64        /* of one request */
#define WEIR_ATTRIBUTE_NAME_MAX 64    /* bytes of a name */
#define WEIR_ATTRIBUTE_VALUE_MAX 8192 /* bytes of a value */
#define WEIR_RULES_MAX 100000         /* of one policy */
#define WEIR_MATCHES_MAX 64           /* rules that may match one request: WEIR_CHECK_ALL_MAX */
#define WEIR_CONDITIONS_MAX 32        /* of one rule */
#define WEIR_KEY_PARTS_MAX 16         /* attributes of one key */
#define WEIR_ENTRIES_MAX 1000000      /* of one list, and tiers and overrides of one rule */
#define WEIR_COST_MAX UINT32_MAX      /* of one request */

struct weir_attribute {
    struct weir_bytes name;
    struct weir_bytes value;
};

/* ---- What a policy is made of ------------------------------------------------------------- */

/* Where something was written, for messages: a line and column from 1, of file `file` (an index of
 * whoever read it). All zero: nowhere. */
struct weir_origin {
    uint32_t file;
    uint32_t line;
    uint32_t column;
};

enum weir_test_kind {
    WEIR_TEST_EXACT = 0, /* the value is `text` */
    WEIR_TEST_PREFIX,    /* it starts with it */
    WEIR_TEST_GLOB,  /* it is all of the pattern: * any bytes but '/', ** any bytes, ? one byte but
                        '/' */
    WEIR_TEST_CIDR,  /* it is an address in the network, "10.0.0.0/8", "2001:db8::/32" */
    WEIR_TEST_REGEX, /* the regular expression (PCRE2) finds something in it */
    WEIR_TEST_PRESENT, /* the request has the attribute */
    WEIR_TEST_ABSENT   /* it has not */
};

struct weir_test_spec {
    enum weir_test_kind kind;
    struct weir_origin origin;
    struct weir_bytes text; /* not of PRESENT and ABSENT */
};

/* A condition holds where any of its tests does; negated: where none does, so also where the
 * attribute is absent. All of a rule's conditions must hold; several may be on one attribute. */
struct weir_condition_spec {
    struct weir_bytes attribute;
    const struct weir_test_spec *tests;
    size_t count; /* 1 or more */
    bool negated;
    struct weir_origin origin;
};

/* One part of a key. A rule does not apply where a part that is not optional is absent. */
struct weir_key_part_spec {
    struct weir_bytes attribute;
    bool optional;       /* absent counts as empty */
    uint8_t ipv4_prefix; /* an IPv4 address counts as its network: 1..32; 0: as it is written */
    uint8_t ipv6_prefix; /* 1..128; 0: as it is written */
    struct weir_origin origin;
};

/* `limit` in place of the rule's own where the attribute `tier_by` is `value`. */
struct weir_tier_spec {
    struct weir_bytes value;
    const struct weir_limit *limit;
    struct weir_origin origin;
};

/* `limit` in place of any other for one key: as many values as the rule's key has parts. */
struct weir_override_spec {
    const struct weir_bytes *values;
    const struct weir_limit *limit;
    struct weir_origin origin;
};

/* An entry of a list of who always passes, or never does, under this rule. */
struct weir_listed_spec {
    const struct weir_condition_spec *conditions;
    size_t count;
    int64_t until_us; /* the entry is over from here on; INT64_MAX: never */
    struct weir_origin origin;
};

struct weir_rule_spec {
    struct weir_bytes name; /* 1..WEIR_NAME_MAX bytes; of no other rule */
    const struct weir_condition_spec *conditions;
    size_t condition_count;
    const struct weir_key_part_spec *key; /* none: all requests share one budget */
    size_t key_count;
    const struct weir_limit *limit; /* NULL: what is in no tier is not limited */
    struct weir_bytes tier_by;
    const struct weir_tier_spec *tiers;
    size_t tier_count;
    const struct weir_override_spec *overrides;
    size_t override_count;
    const struct weir_listed_spec *allow; /* not limited by this rule */
    size_t allow_count;
    const struct weir_listed_spec *deny; /* always denied; before `allow` */
    size_t deny_count;
    struct weir_bytes cost_from; /* the attribute that says the cost, a whole number; empty: none */
    uint64_t cost;               /* the cost where cost_from says none; 0: the request's own */
    uint64_t cost_max;           /* what a cost_from above it counts as; 0: WEIR_COST_MAX */
    bool shadow;                 /* decides and counts, never denies */
    struct weir_origin origin;
};

struct weir_policy_spec {
    const struct weir_rule_spec *rules;
    size_t rule_count;
};

/* ---- Policies ----------------------------------------------------------------------------- */

struct weir_policy;

/* What is wrong with a specification, or (warning) with what it comes to. */
typedef void weir_complain_fn(void *context, const struct weir_origin *origin, bool warning,
                              const char *message);

/* Prepares a policy. The specification, its texts and its limits are borrowed for as long as the
 * policy lives. Complains of all that is wrong (a name twice, a network, glob or regular expression
 * that can't be read, ...), not only of the first. Errors: WEIR_ERR_ARGUMENT where there was
 * something wrong, WEIR_ERR_NO_MEMORY. `complain` may be NULL. */
WEIR_MUST_CHECK enum weir_status weir_policy_new(const struct weir_policy_spec *spec,
                                                 const struct weir_allocator *allocator,
                                                 weir_complain_fn *complain, void *context,
                                                 struct weir_policy **ret_policy);
void weir_policy_free(struct weir_policy *policy);

size_t weir_policy_count(const struct weir_policy *policy);
const struct weir_rule_spec *weir_policy_rule(const struct weir_policy *policy, size_t index);

/* The rule of this name, or SIZE_MAX. */
size_t weir_policy_find(const struct weir_policy *policy, struct weir_bytes name);

/* Warns of rules that can never match, of rules that another hides (one that matches whenever they
 * do, with the same key, and never admits more), of lists and tiers that never apply, of a tier
 * value or override twice. For `weir validate`: may take a second for a thousand rules. */
void weir_policy_review(const struct weir_policy *policy, weir_complain_fn *complain,
                        void *context);

/* ---- Plans -------------------------------------------------------------------------------- */

/* What is asked. */
struct weir_inquiry_spec {
    const struct weir_attribute *attributes; /* a name twice: the first counts */
    size_t count;                            /* 0..WEIR_ATTRIBUTES_MAX */
    uint64_t cost;  /* the request's own; 0: only look, whatever the rules say */
    size_t only;    /* one rule's index; SIZE_MAX: all that match */
    int64_t now_us; /* for the ends of lists' entries */
};

enum weir_listing {
    WEIR_LISTED_NOT = 0,
    WEIR_LISTED_ALLOW, /* this rule lets it pass, unlimited */
    WEIR_LISTED_DENY   /* this rule denies it, whatever the limit */
};

/* One rule that matched. */
struct weir_part {
    uint32_t rule;
    uint8_t listing; /* enum weir_listing; but for NOT, `request` says nothing */
    bool shadow;
    bool regex_gave_up; /* a regular expression took too long; it counts as what enforces: matched
                           by a rule and by `deny`, negated or not, and not by `allow` */
    uint32_t request;   /* index in the plan's requests */
    int64_t until_us;   /* where listed: the entry's end */
};

/* The plan of one request. The caller's, reused from request to request: some 10 KiB and the keys'
 * memory. Requests are in the order of parts, those of enforced rules first: requests[0..enforced)
 * are to be asked together (all or none), requests[enforced..request_count) each by itself. */
struct weir_plan {
    struct weir_part parts[WEIR_MATCHES_MAX];
    size_t part_count;
    struct weir_request requests[WEIR_MATCHES_MAX];
    size_t request_count;
    size_t enforced;
    char *keys; /* of weir_plan_init: WEIR_MATCHES_MAX * WEIR_KEY_MAX bytes at most, grown */
    size_t keys_len;
    size_t keys_room;
    const struct weir_allocator *allocator;
    struct weir_matcher *matcher; /* of the first policy with regular expressions, for all */
};

void weir_plan_init(struct weir_plan *plan, const struct weir_allocator *allocator);
void weir_plan_deinit(struct weir_plan *plan);

/* Makes the plan of a request. Its keys are in the plan's own memory, its limits in the policy's.
 * Errors, with a message naming rule and attribute: WEIR_ERR_ARGUMENT (too many attributes, a name
 * or value that is too long, a cost that is no number, more than WEIR_MATCHES_MAX rules that
 * match), WEIR_ERR_KEY_LENGTH, WEIR_ERR_NO_MEMORY. Nothing matching is no error: no parts. */
WEIR_MUST_CHECK enum weir_status weir_policy_plan(const struct weir_policy *policy,
                                                  const struct weir_inquiry_spec *inquiry,
                                                  struct weir_plan *plan,
                                                  struct weir_error *ret_error);

/* What it came to, over all parts. */
struct weir_outcome {
    bool allowed;
    uint32_t part;          /* the one that says most: of a denial the one that holds longest (a
                               deny list before all), else the enforced one with the least remaining
                               by its share of the limit; UINT32_MAX: no enforced rule matched */
    int64_t retry_after_us; /* 0; of a list, until the entry ends; WEIR_NEVER: never */
    int64_t delay_us;       /* the longest of the enforced parts'; 0 where it is denied */
    uint16_t failure;       /* enum weir_failure: the first of an enforced part's; 0 */
};

/* Sums up `part_count` parts; decisions are those of the plan's requests, by their indexes. */
struct weir_outcome weir_plan_sum(const struct weir_part *parts, size_t part_count,
                                  const struct weir_decision *decisions, int64_t now_us);

/* Why each rule matches or does not, one call a rule, in order: `why` is a sentence as
 * "path is /a, which does not start with /login". For `weir explain`. */
typedef void weir_explain_fn(void *context, size_t rule, bool matches, const char *why);
void weir_policy_explain(const struct weir_policy *policy, const struct weir_inquiry_spec *inquiry,
                         weir_explain_fn *explain, void *context);

#endif
