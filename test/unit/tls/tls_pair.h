/* tls_pair.h - a client and a server that talk TLS to each other in memory. */

#ifndef WEIR_TEST_UNIT_TLS_TLS_PAIR_H
#define WEIR_TEST_UNIT_TLS_TLS_PAIR_H

#include "support/rig.h"
#include "tls/tls.h"

/* One side. */
struct tls_end {
    struct weir_tls *tls;
    struct weir_buffer plain; /* what it was told */
    struct weir_buffer wire;  /* what it has to send */
    enum weir_failure failure;
    char message[160];
};

struct tls_pair {
    struct tls_end client;
    struct tls_end server;
};

/* Whom they trust and what they show: all empty is a server that asks for nothing, and a client
 * that trusts it. */
struct tls_wish {
    const struct rig_certificates *certificates; /* the server's, and whom both trust */
    bool asks;                                   /* the server: for a certificate */
    const char *shown;                           /* by the client; NULL: none */
    const char *shown_key;
};

/* What the connections of a wish share. */
struct tls_contexts {
    struct weir_tls_context *client;
    struct weir_tls_context *server;
};
struct tls_contexts tls_contexts_open(const struct tls_wish *wish);
void tls_contexts_close(struct tls_contexts *contexts);

/* Fills in `pair`, of which nothing is there yet; with contexts of its own where it says no others.
 */
void tls_pair_open_with(struct tls_pair *pair, const struct tls_contexts *contexts);
void tls_pair_open(struct tls_pair *pair, const struct tls_wish *wish);
void tls_pair_close(struct tls_pair *pair);

/* Hands `bytes` to an end. */
void tls_end_take(struct tls_end *end, struct weir_bytes bytes);

/* Sends all that waits, both ways, in parts of at most `part` bytes, until there is no more to say
 * or an end has failed. The client begins. */
void tls_pair_shake(struct tls_pair *pair, size_t part);

/* Whether both are ready and none has failed. */
bool tls_pair_is_ready(const struct tls_pair *pair);

/* One end says `text`, which the other has to understand. */
void tls_pair_say(struct tls_pair *pair, bool from_client, struct weir_bytes text);

#endif
