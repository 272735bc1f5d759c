/* desk_parts.h - what the desk's files share: session.c keeps what is owed to a peer, inquiry.c
 * lays out what is asked, desk.c puts it to the store, settle.c says what came of it. See desk.h.
 */

#ifndef WEIR_DOOR_DESK_PARTS_H
#define WEIR_DOOR_DESK_PARTS_H

#include "door/desk.h"
#include "door/limits.h"

/* Memory of an exchange: itself, and room for what one short inquiry takes, so that the usual
 * request takes one piece of memory, which is used again. */
#define WEIR_EXCHANGE_BLOCK 896

/* Blocks that are kept for the next exchanges. */
#define WEIR_EXCHANGE_SPARES 1024

/* `size` bytes that go with the exchange, from its block or else from the allocator (`ret_size` is
 * then what to release, else 0). Not zeroed. NULL: no memory. */
void *weir_exchange_room(struct weir_exchange *exchange, size_t size, size_t *ret_size);

/* Frees an exchange that is in no list. */
void weir_exchange_free(struct weir_desk *desk, struct weir_exchange *exchange);

/* Frees what is beside the exchange, and lets go of view and limit. */
void weir_inquiry_free(struct weir_desk *desk, struct weir_inquiry *inquiry);

/* At the end of what the desk puts to the store next. */
void weir_desk_pend(struct weir_desk *desk, struct weir_exchange *exchange);

/* One of the session's exchanges that the store had is decided: what waited for it may go. */
void weir_session_decided(struct weir_session *session, const struct weir_exchange *decided);

/* Writes the answer of one exchange of an unordered session, which is the end of it. */
void weir_exchange_answer(struct weir_exchange *exchange);

/* Writes the answers that are there and whose turn it is. */
void weir_session_answer(struct weir_session *session);

/* The store has answered an inquiry, or need not be asked: sums it up and counts it. */
void weir_inquiry_settle(struct weir_desk *desk, struct weir_inquiry *inquiry);

/* All inquiries of an exchange are settled: answers, holds, or frees it. */
void weir_exchange_decide(struct weir_desk *desk, struct weir_exchange *exchange);

#endif
