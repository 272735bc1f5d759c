/* generation.h - a configuration as the server has taken it on (generation.c).
 *
 * The control thread makes a generation, and a view of it for each worker; it goes when the last
 * view of it is released and the control thread has let go too. */

#ifndef WEIR_SERVER_GENERATION_H
#define WEIR_SERVER_GENERATION_H

#include "door/desk.h"

struct weir_generation;

/* Takes over `config`, also where it fails. NULL: no memory. The caller has one use of it. */
struct weir_generation *weir_generation_new(struct weir_config *config,
                                            struct weir_metrics *metrics, uint64_t version);
const struct weir_config *weir_generation_config(const struct weir_generation *generation);
uint64_t weir_generation_version(const struct weir_generation *generation);

/* A view of it, for one worker. NULL: no memory. Any thread may release it. */
struct weir_view *weir_generation_view(struct weir_generation *generation);

/* Lets go of the caller's use. NULL is fine. Threads: any. */
void weir_generation_release(struct weir_generation *generation);

#endif
