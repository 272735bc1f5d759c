/* resp_door_fuzz.c - any bytes as what a peer of the RESP door sends.
 *
 * Each command that the codec finds is answered, once, until the session says that it reads no
 * more; what is answered is RESP, of a size that the input bounds; and however the bytes come in
 * pieces, the answers are of the same types in the same order.
 *
 * The first byte says what the listener is like, the second how small the caps are, the third how
 * the bytes are cut. */

#include "support/resp_desk.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* More of it shows nothing more. */
#define INPUT_MAX 2048

/* No answer is longer than this and what its command has. */
#define ANSWER_MAX 16384

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds, const char *what, const char *transcript)
{
    if (!holds) {
        (void)fprintf(stderr, "%s:\n%s", what, transcript);
        abort();
    }
}

/* The commands in the input, up to what is none. */
static size_t count_commands(struct weir_bytes input, uint32_t bytes)
{
    const struct weir_resp_limits limits = {
        .depth = 1, .values = 257, .text = bytes, .bytes = bytes, .commands = true};
    struct weir_resp_reader *reader = weir_resp_reader_new(&limits, NULL);
    size_t commands = 0;
    size_t used = 0;
    while (weir_resp_read(reader, input, &used) == WEIR_RESP_VALUE) {
        size_t count = 0;
        (void)weir_resp_values(reader, &count);
        commands += count > 1;
        input = weir_bytes(input.ptr + used, input.len - used);
    }
    weir_resp_reader_free(reader);
    return commands;
}

/* The first character of each line: what type each answer is. */
static char *types_of(const char *transcript, size_t *ret_count)
{
    char *types = calloc(strlen(transcript) + 1, 1);
    size_t count = 0;
    for (const char *line = transcript; *line != '\0'; line = strchr(line, '\n') + 1) {
        types[count++] = *line;
    }
    *ret_count = count;
    return types;
}

/* What a new desk answers: the types of it. */
static char *talk(const struct resp_desk_options *options, struct weir_bytes input,
                  struct resp_feed feed)
{
    struct resp_desk *desk = resp_desk_new(options);
    struct weir_session *session = resp_desk_peer(desk);
    const struct weir_resp_limits limits = {.bytes = UINT64_C(1) << 30, .values = 1 << 20};
    const struct weir_bytes said = resp_desk_bytes(desk, session, input, feed);
    const size_t commands = count_commands(input, options->body_bytes);
    must(said.len <= (commands + 1) * (ANSWER_MAX + input.len), "too much is answered", "");
    char *transcript = resp_transcript(&limits, said, (struct resp_feed){.pieces = RESP_WHOLE});
    must(resp_transcript_trouble(transcript) == NULL, "this is no RESP", transcript);
    size_t count = 0;
    char *types = types_of(transcript, &count);
    must(session->closing || count == commands, "not all is answered, once", transcript);
    must(count <= commands + 1, "more is answered than was asked", transcript);
    free(transcript);
    resp_desk_free(desk);
    return types;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3 || size > INPUT_MAX) {
        return 0;
    }
    const struct resp_desk_options options = {
        .store = "memory:?size=8KiB",
        .tokens = (data[0] & 1) != 0,
        .no_ad_hoc = (data[0] & 2) != 0,
        .rights = (data[0] & 4) != 0 ? WEIR_RIGHTS_ALL : 0,
        .pipeline = 1 + data[1] % 8U,
        .body_bytes = (data[1] & 64) != 0 ? 64 : 65536,
        .output_bytes = (data[1] & 128) != 0 ? 1024 : 1U << 20,
    };
    const struct weir_bytes input = weir_bytes(data + 3, size - 3);
    char *whole = talk(&options, input, (struct resp_feed){.pieces = RESP_WHOLE});
    const struct resp_feed feeds[] = {
        {.pieces = RESP_SINGLE},
        {.pieces = RESP_TWO, .first = input.len > 0 ? 1 + data[2] % input.len : 1},
        {.pieces = RESP_RANDOM, .random = random_from(data[2])},
    };
    char *parts = talk(&options, input, feeds[data[2] % 3]);
    must(strcmp(whole, parts) == 0, "answered otherwise in pieces", parts);
    free(whole);
    free(parts);
    return 0;
}
