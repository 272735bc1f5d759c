/* model.h - what every algorithm answers, worked out slowly and plainly.
 *
 * The model is the other half of each property test: it is written from the definitions (DESIGN.md
 * section 3, the heads of src/algo), in exact rationals of any size, and shares no code with the
 * engine; of its headers it includes weir.h alone, for the words. Where the engine keeps one
 * number the model keeps a level, a count or a list; where the engine solves an equation the model
 * tries.
 *
 * A model holds one key. It keeps its state when the limit's numbers change; another algorithm
 * starts it afresh, as that is another state in a store. */

#ifndef WEIR_TEST_PROP_MODEL_H
#define WEIR_TEST_PROP_MODEL_H

#include "weir/weir.h"

struct model;

struct model *model_new(void);
void model_free(struct model *model);

/* The limit from here on. It must be one that weir_limit_new takes. */
void model_limit(struct model *model, const struct weir_limit_spec *spec);

/* As the functions of the same names in weir.h; `source` of the decision is left 0. */
struct weir_decision model_check(struct model *model, uint64_t cost, int64_t now_us);
struct weir_decision model_peek(struct model *model, uint64_t cost, int64_t now_us);
struct weir_decision model_refund(struct model *model, uint64_t cost, int64_t now_us);
void model_reset(struct model *model);

#endif
