/* grpc_fuzz.c - any bytes as what a peer sends, behind a preface where the first byte is odd, whole
 * and in pieces: each call ends once, and what is given back is bounded. */

#include "grpc/grpc.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#define INPUT_MAX 65536
#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct counts {
    size_t begun;
    size_t ended;
};

static bool begin(void *context, struct weir_grpc_call *call)
{
    struct counts *counts = context;
    (void)weir_grpc_path(call);
    counts->begun++;
    return true;
}

static void message(void *context, struct weir_grpc_call *call, struct weir_bytes bytes)
{
    struct counts *counts = context;
    weir_grpc_reply(call, bytes);
    if (bytes.len % 3 == 1) {
        counts->ended++;
        weir_grpc_finish(call, WEIR_GRPC_OK, "done");
    }
}

static void half_closed(void *context, struct weir_grpc_call *call)
{
    struct counts *counts = context;
    counts->ended++;
    weir_grpc_finish(call, WEIR_GRPC_INTERNAL, NULL);
}

static void gone(void *context, struct weir_grpc_call *call)
{
    struct counts *counts = context;
    (void)call;
    counts->ended++;
}

static void try(const uint8_t *data, size_t size, size_t piece, bool greets)
{
    static const struct weir_grpc_ops ops = {begin, message, half_closed, gone};
    struct counts counts = {0};
    const struct weir_grpc_options options = {
        .ops = &ops, .context = &counts, .streams = 8, .header_bytes = 4096, .message_bytes = 4096};
    struct weir_grpc *grpc = weir_grpc_new(&options);
    assert(grpc != NULL);
    bool good = !greets || weir_grpc_receive(grpc, weir_bytes(PREFACE, 33));
    for (size_t at = 0; at < size && good; at += piece) {
        const size_t some = size - at < piece ? size - at : piece;
        struct weir_buffer out = {0};
        good = weir_grpc_receive(grpc, weir_bytes(data + at, some));
        weir_grpc_send(grpc, &out, 65536);
        assert(weir_grpc_calls(grpc) <= 8 + 1);
        weir_buffer_deinit(&out);
    }
    weir_grpc_free(grpc);
    assert(counts.begun == counts.ended);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 1 && size <= INPUT_MAX) {
        try(data + 1, size - 1, size, data[0] % 2 == 1);
        try(data + 1, size - 1, 1 + data[0] / 2, data[0] % 2 == 1);
    }
    return 0;
}
