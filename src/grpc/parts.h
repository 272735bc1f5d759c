/* parts.h - a connection and its calls as the folder's files see them: grpc.c feeds nghttp2 and
 * hears of it, headers.c reads what a call's headers say, message.c takes messages apart, call.c
 * answers. See grpc.h. */

#ifndef WEIR_GRPC_PARTS_H
#define WEIR_GRPC_PARTS_H

#include "grpc/grpc.h"

#include <nghttp2/nghttp2.h>

/* The longest grpc-timeout has eight digits and a letter. */
#define WEIR_GRPC_TIMEOUT_MAX 9

/* A grpc-message that is longer is cut. */
#define WEIR_GRPC_TROUBLE_MAX 256

/* What precedes a message: whether it is compressed, and its length. */
#define WEIR_GRPC_PREFIX 5

struct weir_grpc_call {
    struct weir_grpc *grpc;
    struct weir_grpc_call *next;
    struct weir_grpc_call *previous;
    void *data;
    int32_t stream;
    size_t header_bytes;
    struct weir_buffer text; /* the path, then the value of `authorization` */
    size_t path_len;
    size_t authorization_at;
    size_t authorization_len;
    int64_t timeout_us;
    struct weir_buffer in; /* of a message that has not come whole */
    struct weir_buffer out;
    size_t sent; /* of `out` */
    enum weir_grpc_status status;
    char trouble[WEIR_GRPC_TROUBLE_MAX]; /* grpc-message, percent-encoded */
    uint8_t wrong;                       /* enum weir_grpc_wrong: what the headers lack or say */
    bool is_post;
    bool is_grpc; /* content-type */
    bool begun;   /* the owner knows of it */
    bool half_closed;
    bool heard; /* a whole message has come */
    bool owing; /* none has, or a part of another */
    bool headers_sent;
    bool deferred; /* nghttp2 waits for more of `out` */
    bool finished;
    bool answered; /* the last of it has been sent */
};

/* What may be wrong with a call's headers. */
enum weir_grpc_wrong {
    WEIR_GRPC_NOTHING_WRONG = 0,
    WEIR_GRPC_WRONG_TIMEOUT,
    WEIR_GRPC_WRONG_ENCODING,
    WEIR_GRPC_TOO_LARGE,
    WEIR_GRPC_NO_MEMORY
};

struct weir_grpc {
    nghttp2_session *session;
    struct weir_grpc_options options;
    nghttp2_mem memory;
    struct weir_grpc_call *calls; /* a list */
    uint32_t call_count;
    uint32_t owing_count; /* of those, which the peer has not sent the whole of */
    uint32_t resets; /* calls that the peer reset before they were answered, less those answered */
    uint32_t empty_frames; /* DATA without data, in a row */
    const char *broken;    /* why it is over; NULL: it is not */
    bool draining;
    bool leaving; /* the peer has sent GOAWAY: no more calls come */
    /* Where in a frame the input ends. */
    uint32_t preface_left;
    uint32_t frame_left; /* of its payload */
    uint8_t head_len;
    uint8_t head[9];
};

/* ---- headers.c ---- */

/* One header of a call. */
void weir_grpc_take_header(struct weir_grpc_call *call, struct weir_bytes name,
                           struct weir_bytes value);

/* Microseconds; false: it can't be read. */
bool weir_grpc_read_timeout(struct weir_bytes text, int64_t *ret_us);

/* ---- message.c ---- */

/* Takes bytes of a call's body: tells the owner of each message that is whole. */
void weir_grpc_take_body(struct weir_grpc_call *call, struct weir_bytes bytes);

/* Counts a call among those whose peer owes the rest of what it began, or no longer. */
void weir_grpc_note_owed(struct weir_grpc_call *call);

/* ---- call.c ---- */

/* Ends a call that is no gRPC with an HTTP status. */
void weir_grpc_refuse(struct weir_grpc_call *call, const char *http_status);

/* Frees a call that nghttp2 knows nothing of any more. */
void weir_grpc_call_free(struct weir_grpc_call *call);

#endif
