/* glob.h - patterns of paths: * is any bytes but '/', ** any bytes, ? one byte but '/' (glob.c). */

#ifndef WEIR_RULES_GLOB_H
#define WEIR_RULES_GLOB_H

#include "base/arena.h"
#include "weir/weir.h"

struct weir_glob;

/* Prepares a pattern, whose text is borrowed; every text is one. NULL: no memory. */
struct weir_glob *weir_glob_new(struct weir_bytes pattern, struct weir_arena *arena);

/* Whether all of `value` is the pattern. Takes no more steps than the lengths of the two, and the
 * number of '/' in the pattern, multiplied. */
bool weir_glob_matches(const struct weir_glob *glob, struct weir_bytes value);

/* What every value that matches starts with; may be empty. */
struct weir_bytes weir_glob_start(struct weir_bytes pattern);

#endif
