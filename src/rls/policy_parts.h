/* policy_parts.h - how a policy is laid out: what policy.c makes, and match.c and plan.c read.
 *
 * Every domain and every descriptor of the files is a node. All nodes are in one hash table, under
 * their parent's number, their key and their value, so that a level of any size costs a look or
 * two; patterns are a list at their parent besides, in the file's order.
 *
 * The table's hash has no secret: what is in it comes from the configuration alone, and whoever
 * asks can at worst aim at its longest run. */

#ifndef WEIR_RLS_POLICY_PARTS_H
#define WEIR_RLS_POLICY_PARTS_H

#include "base/hash.h"
#include "rls/rls.h"

struct weir_rls_node;

/* A text with '*', each for any bytes; or without one, for itself. */
struct weir_rls_glob {
    struct weir_bytes start;  /* before the first '*', or all */
    struct weir_bytes middle; /* between the first and the last, with those in between */
    struct weir_bytes end;    /* behind the last */
    bool open;                /* it has one */
};

struct weir_rls_pattern {
    struct weir_rls_glob key;
    struct weir_rls_glob value;
    const struct weir_rls_node *node;
};

/* A rule with what is worked out of it once. */
struct weir_rls_prepared {
    struct weir_rls_rule rule; /* first: what the header hands out */
    bool aligned;              /* its limit's windows are, to the epoch */
    uint32_t name;             /* its name's number among those that are replaced, or NO_NAME */
    const uint32_t *replaces;  /* numbers of names: spec->replaces_count of them */
};
#define WEIR_RLS_NO_NAME UINT32_MAX

struct weir_rls_node {
    const struct weir_rls_node *parent;
    struct weir_bytes key; /* of a domain: its name */
    struct weir_bytes value;
    const struct weir_rls_node_spec *spec; /* NULL: a domain */
    const struct weir_rls_prepared *rule;  /* NULL: none */
    struct weir_rls_pattern *patterns;
    size_t pattern_count;
    uint64_t number; /* from 1, of all nodes; 0: the parent of all domains */
    bool has_children;
    bool has_exact; /* some child has a value */
    bool has_bare;  /* some child has none */
    bool atomic;    /* of a domain */
};

struct weir_rls_place {
    uint64_t hash;
    const struct weir_rls_node *node; /* NULL: empty */
};

struct weir_rls_policy {
    const struct weir_rls_spec *spec;
    const struct weir_allocator *allocator;
    struct weir_arena arena;
    struct weir_sip start;
    struct weir_rls_node root;
    struct weir_rls_place *places; /* open addressing, at most half of them taken */
    size_t place_mask;
    struct weir_rls_prepared *rules;
    size_t rule_count;
    size_t name_count; /* names that some rule replaces */
};

static inline bool weir_rls_same(struct weir_bytes a, struct weir_bytes b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* A spread of numbers that count up: 2^64 over the golden ratio. */
#define WEIR_RLS_SPREAD UINT64_C(0x9e3779b97f4a7c15)

static inline uint64_t weir_rls_key_hash(const struct weir_rls_policy *policy,
                                         const struct weir_rls_node *parent, struct weir_bytes key)
{
    return weir_hash_from(&policy->start, parent->number * WEIR_RLS_SPREAD, key);
}

/* `key_hash` is of weir_rls_key_hash; an empty value is that of a bare key. */
static inline uint64_t weir_rls_hash(const struct weir_rls_policy *policy, uint64_t key_hash,
                                     struct weir_bytes value)
{
    return value.len == 0 ? key_hash : weir_hash_from(&policy->start, key_hash, value);
}

/* ---- match.c ------------------------------------------------------------------------------ */

struct weir_rls_glob weir_rls_glob_of(struct weir_bytes text);
bool weir_rls_glob_matches(const struct weir_rls_glob *glob, struct weir_bytes value);

/* NULL: there is none of this name. */
const struct weir_rls_node *weir_rls_find_domain(const struct weir_rls_policy *policy,
                                                 struct weir_bytes name);

enum weir_rls_how {
    WEIR_RLS_EXACT = 0,
    WEIR_RLS_BY_PATTERN,
    WEIR_RLS_BARE
};

/* What an entry met. */
struct weir_rls_step {
    const struct weir_rls_node *node;
    enum weir_rls_how how;
};

/* The rule of a descriptor, at most WEIR_RLS_ENTRIES_MAX entries long, or NULL; `steps` has a place
 * for each entry, and all are filled where there is a rule. */
const struct weir_rls_prepared *weir_rls_match(const struct weir_rls_policy *policy,
                                               const struct weir_rls_node *domain,
                                               const struct weir_rls_descriptor *descriptor,
                                               struct weir_rls_step *steps);

/* ---- plan_key.c --------------------------------------------------------------------------- */

/* Whose. */
struct weir_rls_budget {
    struct weir_bytes prefix; /* ahead of all keys; may be empty */
    struct weir_bytes domain;
    const struct weir_rls_descriptor *descriptor;
    const struct weir_rls_step *steps; /* of the descriptor's entries; NULL: an override's */
};

/* Its key, in `arena`: prefix, domain, keys and values; where that is longer than WEIR_RLS_KEY_MAX
 * a hash in place of keys and values. False: no memory. */
bool weir_rls_make_key(const struct weir_rls_budget *budget, struct weir_arena *arena,
                       struct weir_bytes *ret_key);

/* ---- plan_name.c -------------------------------------------------------------------------- */

/* The pattern that stands for an entry's value, in keys and in names, where all values that match
 * share a counter; empty: the value stands for itself. */
struct weir_bytes weir_rls_shared(const struct weir_rls_step *step);

/* The name under which a descriptor is counted, in `arena`: of a rule, or (`steps` and `rule` NULL)
 * of an override. Empty: under the rule's own. NULL as its pointer: no memory. */
struct weir_bytes weir_rls_stat_name(const struct weir_rls_request *request,
                                     const struct weir_rls_descriptor *descriptor,
                                     const struct weir_rls_prepared *rule,
                                     const struct weir_rls_step *steps, struct weir_arena *arena);

/* ---- answer_count.c, metadata.c ----------------------------------------------------------- */

/* What is added up for one item that the store, or a limit of 0, has decided. */
struct weir_rls_verdict {
    bool over;
    bool taken; /* what was allowed was taken, too */
    bool deny_cached;
    bool shadow;
    uint64_t limit;     /* the most that there is */
    uint64_t remaining; /* of it, after what was taken */
};

void weir_rls_count(const struct weir_rls_verdict *verdict, const struct weir_rls_item *item,
                    double near_limit_ratio, uint64_t *hits);

/* A struct in `arena`, of the request and what is written at the rules that passed; NULL: no
 * memory. */
const struct weir_rls_value *weir_rls_metadata(const struct weir_rls_plan *plan,
                                               const struct weir_rls_status *statuses,
                                               struct weir_arena *arena);

/* The word of a unit, "SECOND"; "UNKNOWN" for what is none. */
const char *weir_rls_unit_name(enum weir_rls_unit unit);

/* Seconds of a unit; 0 for what is none. */
int64_t weir_rls_unit_seconds(enum weir_rls_unit unit);

#endif
