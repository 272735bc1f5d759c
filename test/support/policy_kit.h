/* policy_kit.h - policies from a line of text a rule, for tests.
 *
 * Conditions: "path=prefix:/a|glob:/b*;ip!=cidr:10.0.0.0/8;user=present:" - tests of one condition
 * are parted by '|', conditions by ';', and != negates. A key: "ip/24/64,user?" - prefixes, and
 * what is optional. Attributes of a request: "path=/a;ip=10.0.0.1". Nothing is ever escaped.
 *
 * Origins: a rule, tier, override or entry has line 1, 2, 3... in the order in which they were
 * made; a condition and its tests have that line, and columns from 1. */

#ifndef WEIR_TEST_SUPPORT_POLICY_KIT_H
#define WEIR_TEST_SUPPORT_POLICY_KIT_H

#include "rules/rules.h"

struct policy_kit;

struct policy_kit *policy_kit_new(void);
void policy_kit_free(struct policy_kit *kit);

/* Adds a rule; `limit` NULL: none. The answer is its place, good until the policy is made. */
struct weir_rule_spec *policy_kit_rule(struct policy_kit *kit, const char *name, const char *limit,
                                       const char *conditions, const char *key);
/* To the rule that was added last. */
void policy_kit_deny(struct policy_kit *kit, const char *conditions, int64_t until_us);
void policy_kit_allow(struct policy_kit *kit, const char *conditions, int64_t until_us);
void policy_kit_tier(struct policy_kit *kit, const char *value, const char *limit);
/* `values` parted by ','. */
void policy_kit_override(struct policy_kit *kit, const char *values, const char *limit);

const struct weir_policy_spec *policy_kit_spec(struct policy_kit *kit);

/* The policy; asserts that there is nothing to complain of. Freed by the caller, before the kit. */
struct weir_policy *policy_kit_make(struct policy_kit *kit);

/* What is complained of, a line each: "error 1:1 message". The kit's. */
const char *policy_kit_complaints(struct policy_kit *kit);
/* The warnings of a review, likewise. */
const char *policy_kit_review(struct policy_kit *kit, const struct weir_policy *policy);

/* A complain function whose context is the kit. */
void policy_kit_note(void *context, const struct weir_origin *origin, bool warning,
                     const char *message);

/* Attributes of a text; at most WEIR_ATTRIBUTES_MAX + 1. */
size_t policy_kit_attributes(const char *text, struct weir_attribute *attributes);

#endif
