/* regex.h - regular expressions, by PCRE2, with a bound on what a value can make one cost
 * (regex.c).
 *
 * Expressions are of bytes: '.' is one byte, newlines too, and '$' is the very end. A value need
 * not be UTF-8, and what is no UTF-8 must not be a way around a rule; so a letter that is no ASCII
 * is two bytes or more here, and is to be put in (?:...) where it is repeated. */

#ifndef WEIR_RULES_REGEX_H
#define WEIR_RULES_REGEX_H

#include "weir/weir.h"

/* Steps that one search may take: parts of the expression tried, and bytes passed. */
#define WEIR_REGEX_STEPS_MAX 200000

/* What a test, or all of a condition, comes to. */
enum weir_truth {
    WEIR_NO = 0,
    WEIR_YES,
    WEIR_UNKNOWN /* a regular expression took too long */
};

struct weir_regex;

/* Where PCRE2 writes while it searches. One thread's at a time; for any expression. */
struct weir_matcher;

/* Prepares an expression, compiled to the processor's own code where that can be. Errors:
 * WEIR_ERR_ARGUMENT, with the place in the expression, WEIR_ERR_NO_MEMORY. */
WEIR_MUST_CHECK enum weir_status weir_regex_new(struct weir_bytes pattern,
                                                const struct weir_allocator *allocator,
                                                struct weir_regex **ret_regex,
                                                struct weir_error *ret_error);
void weir_regex_free(struct weir_regex *regex);

/* NULL: no memory. */
struct weir_matcher *weir_matcher_new(const struct weir_allocator *allocator);
void weir_matcher_free(struct weir_matcher *matcher);

/* Whether the expression finds something in `value`. */
enum weir_truth weir_regex_find(const struct weir_regex *regex, struct weir_bytes value,
                                struct weir_matcher *matcher);

#endif
