/* resp_desk.h - a desk over a store in memory, and peers of its RESP door: bytes in, bytes out.
 *
 * The policy has the rules below. What takes time takes a day for one request, so that answers in
 * seconds don't depend on how long a test takes. */

#ifndef WEIR_TEST_SUPPORT_RESP_DESK_H
#define WEIR_TEST_SUPPORT_RESP_DESK_H

#include "door/desk.h"
#include "support/resp_text.h"

/* The rules, in order:
 *
 *     login    path is /login; key ip; 3/day fixed-window block 1d
 *     all      key ip; 100/day; cost from the attribute cost; allow where ip is 10.0.0.1, deny
 *              where ip is 10.0.0.66
 *     watched  path is /login; key user; 1/day; shadow */
#define RESP_DESK_RULES 3

/* Tokens of a listener that asks for one. */
#define RESP_DESK_DECIDER "decider-secret-0"
#define RESP_DESK_READER "reader-secret-00"
#define RESP_DESK_MASTER "master-secret-00"
#define RESP_DESK_NAMELESS "nobodys-secret-0"
#define RESP_DESK_TOKENS 4

struct resp_desk_options {
    const char *store; /* NULL: "memory:?size=1MiB" */
    bool no_ad_hoc;
    bool tokens;     /* of users decider, reader and master, and of nobody */
    unsigned rights; /* of a peer that has shown none; 0 without tokens: all */
    uint32_t pipeline;
    uint32_t body_bytes;
    uint32_t output_bytes;
};

struct resp_desk;

/* Ends the process where it can't be made. NULL: no options. */
struct resp_desk *resp_desk_new(const struct resp_desk_options *options);
/* With all its peers. */
void resp_desk_free(struct resp_desk *desk);

struct weir_desk *resp_desk_of(struct resp_desk *desk);

/* How often sessions were woken, and what one worker has counted is in desk->options.tally. */
struct weir_session *resp_desk_peer(struct resp_desk *desk);
void resp_desk_leave(struct resp_desk *desk, struct weir_session *session);

/* Gives the session all of `input`, as `feed` cuts it, with a flush after each piece; takes what it
 * answers. Returns all of that, in memory that the next call reuses. */
struct weir_bytes resp_desk_bytes(struct resp_desk *desk, struct weir_session *session,
                                  struct weir_bytes input, struct resp_feed feed);

/* The same of text as resp_text_bytes reads it, each line being a command as people type it (or
 * what it starts with, '*'): the answers as resp_transcript writes them, in memory to free. */
char *resp_desk_talk(struct resp_desk *desk, struct weir_session *session, const char *text);

#endif
