/* rls_kit.h - policies and requests of the rate limit service from lines of text, for tests.
 *
 * A policy:
 *
 *     domain shop atomic
 *      path=/a* 5/minute name=a replaces=b,c shadow quota detailed values share meta=x:1,y/z:2
 *       user unlimited
 *      user 0/second
 *      ip 10/minute limit=10/m_burst_20
 *
 * Each further space is a level deeper. `limit` is a text of weir's, with '_' for a space; without
 * it windows are aligned to the epoch. `meta` is a struct: names with texts, y/z is z in y.
 *
 * A request's descriptors are parted by '|', entries by ',', what follows a space is of the
 * descriptor: "path=/a,user=x hits=3 negative limit=5/minute|user=y". Nothing is ever escaped. */

#ifndef WEIR_TEST_SUPPORT_RLS_KIT_H
#define WEIR_TEST_SUPPORT_RLS_KIT_H

#include "rls/rls.h"
#include "rls/stats.h"

struct rls_kit;

/* `text` is copied; the process ends where it has no sense. */
struct rls_kit *rls_kit_new(const char *text);
void rls_kit_free(struct rls_kit *kit);

/* To be changed before the policy is made. */
struct weir_rls_settings *rls_kit_settings(struct rls_kit *kit);
const struct weir_rls_spec *rls_kit_spec(struct rls_kit *kit);

/* The policy, made when it is first asked for; the kit's. */
struct weir_rls_policy *rls_kit_policy(struct rls_kit *kit);

/* A request, good as long as the kit. */
struct weir_rls_request rls_kit_request(struct rls_kit *kit, const char *domain, const char *text);

/* The plan of a request, which must not fail; good until rls_kit_clear. */
struct weir_rls_plan rls_kit_plan(struct rls_kit *kit, const char *domain, const char *text);

/* Puts a plan to a store in memory, as a door does, and answers; counted where there is a tally. */
struct weir_rls_response rls_kit_decide(struct rls_kit *kit, const struct weir_rls_plan *plan,
                                        int64_t now_us, struct weir_rls_tally *tally);

/* Plan and decision of one. */
struct weir_rls_response rls_kit_ask(struct rls_kit *kit, const char *domain, const char *text,
                                     int64_t now_us);

/* Forgets plans and responses. */
void rls_kit_clear(struct rls_kit *kit);
struct weir_arena *rls_kit_arena(struct rls_kit *kit);

/* Memory that runs out after so many allocations. */
struct rls_kit_scarce {
    struct weir_allocator allocator;
    size_t left;
    size_t held; /* bytes that were not given back */
};
void rls_kit_scarce_init(struct rls_kit_scarce *scarce, size_t allocations);

#endif
