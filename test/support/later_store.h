/* later_store.h - a store that answers when the test says so, in whatever order: what a store over
 * a network may do, without one. It decides in a memory: table of its own. */

#ifndef WEIR_TEST_SUPPORT_LATER_STORE_H
#define WEIR_TEST_SUPPORT_LATER_STORE_H

#include "support/random.h"
#include "weir/weir.h"

/* The most calls that wait. */
#define LATER_STORE_ROOM 4096

struct later_store;

/* A handle over a new one, to be closed by weir_close. */
struct weir *later_store_open(struct later_store **ret_store);

/* How many calls wait. */
size_t later_store_waiting(const struct later_store *store);

/* Decides and answers one of those that wait: the `index`th, in the order in which they came. */
void later_store_answer(struct later_store *store, size_t index);

/* Answers all, in an order that `random` makes. */
void later_store_answer_all(struct later_store *store, struct random *random);

#endif
