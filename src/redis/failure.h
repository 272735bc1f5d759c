/* failure.h - what an error reply of Redis means (failure.c). */

#ifndef WEIR_REDIS_FAILURE_H
#define WEIR_REDIS_FAILURE_H

#include "weir/weir.h"

/* How much of an error's text is looked at, in bytes: far more than any server says. */
#define WEIR_FAILURE_TEXT_MAX 1024

/* What to do about an error reply. */
enum weir_remedy {
    WEIR_REMEDY_NONE,    /* nothing: on_error decides */
    WEIR_REMEDY_TEXT,    /* NOSCRIPT: the same, with the script's text */
    WEIR_REMEDY_MOVED,   /* MOVED: another server has the slot, for good */
    WEIR_REMEDY_ASK,     /* ASK: another server has it, for this once */
    WEIR_REMEDY_AGAIN,   /* TRYAGAIN, CLUSTERDOWN: a little later, while the deadline lasts */
    WEIR_REMEDY_PRIMARY, /* READONLY, MASTERDOWN: look for the primary again */
    WEIR_REMEDY_LOGIN    /* NOAUTH, WRONGPASS: the connection is of no use */
};

struct weir_complaint {
    enum weir_failure failure;
    enum weir_remedy remedy;
    bool down;                 /* the server can serve nobody: counts for its circuit */
    uint16_t slot;             /* MOVED, ASK */
    struct weir_bytes address; /* MOVED, ASK: "host:port" in `text` */
};

/* Reads the text of an error reply, without its '-'. A reply that is no error never comes here. */
void weir_failure_read(struct weir_bytes text, struct weir_complaint *ret_complaint);

/* Copies `text` to `buffer`, cut to `size` with its NUL, unprintable bytes as '?', for people.
 * Where a server that does not know a command tells its arguments, it is cut before these: one of
 * HELLO's is the password. */
void weir_failure_quote(struct weir_bytes text, char *buffer, size_t size);

#endif
