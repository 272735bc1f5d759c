/* http_door_fuzz.c - any bytes to a peer's session of the HTTP door, in any pieces.
 *
 * However they come, as many requests are answered, with the same statuses, and nothing is said but
 * whole answers. The first byte says who the peer is, the
 * second how the bytes are cut. Inputs of up to SPLIT_MAX bytes are cut at every place. */

#include "support/http_desk.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INPUT_MAX 4096
#define SPLIT_MAX 96
#define ANSWERS_MAX 512

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Limits that are never used up, so that an answer does not depend on those before it. */
static const char policy[] =
    "listen: [{http: '127.0.0.1:0', trusted_proxies: [10.0.0.0/8], x_ratelimit: true}]\n"
    "caps: {batch: 3, pipeline: 5, head: 2KiB, body: 1KiB}\n"
    "rules:\n"
    "  - {name: path, match: {path: {glob: '/a/*'}, method: [GET, POST]}, key: [ip, header.x-a],\n"
    "     limit: 4000000000/day}\n"
    "  - {name: all, key: ip, limit: 4000000000/day, deny: [192.0.2.66], allow: [192.0.2.1]}\n"
    "  - {name: parts, key: [cookie.sid, query.user], limit: 4000000000/day}\n"
    "  - {name: seen, match: {host: a}, key: ip, limit: 4000000000/day, shadow: true}\n";

/* The statuses of all answers, one after another; the process ends where they are not whole. */
struct statuses {
    unsigned list[ANSWERS_MAX];
    size_t count;
};

static void read_statuses(const char *said, struct statuses *statuses)
{
    const char *at = said;
    statuses->count = 0;
    while (*at != '\0') {
        const char *end = strstr(at, "\r\n\r\n");
        const unsigned status = http_answer_status(at);
        if (end == NULL || status == 0 || statuses->count == ANSWERS_MAX) {
            (void)fprintf(stderr, "no answer: %s\n", at);
            abort();
        }
        size_t body = 0;
        if (status != 100) {
            body = strtoul(http_answer_header(at, "Content-Length"), NULL, 10);
            statuses->list[statuses->count++] = status;
        }
        at = end + 4;
        /* Of a HEAD the next answer, or nothing, stands where the body would. */
        const size_t left = strlen(at);
        const bool none = body == 0 || left == 0 || strncmp(at, "HTTP/1.1 ", 9) == 0;
        if (!none && left < body) {
            abort();
        }
        at += none ? 0 : body;
    }
}

/* What a new session says to all of it, in pieces of `piece` bytes (0: as one). */
static void run(const char *peer, struct weir_bytes input, size_t piece, struct statuses *statuses)
{
    static struct http_desk *desk; /* for all runs: it takes longer to make than to ask */
    if (desk == NULL) {
        desk = http_desk_new(policy, "memory:?size=64KiB");
    }
    struct weir_session *session = http_desk_peer(desk, peer);
    read_statuses(http_desk_bytes(desk, session, input, piece), statuses);
    http_desk_leave(desk, session);
}

static void expect_same(const struct statuses *a, const struct statuses *b)
{
    if (a->count != b->count || memcmp(a->list, b->list, a->count * sizeof(a->list[0])) != 0) {
        (void)fprintf(stderr, "%zu answers, and %zu in pieces\n", a->count, b->count);
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const peers[] = {"", "10.0.0.1", "192.0.2.1", "2001:db8::1"};
    if (size < 2 || size > INPUT_MAX) {
        return 0;
    }
    const char *peer = peers[data[0] % 4];
    const struct weir_bytes input = weir_bytes(data + 2, size - 2);
    struct statuses whole;
    struct statuses pieces;
    run(peer, input, 0, &whole);
    run(peer, input, data[1] % 61U + 1, &pieces);
    expect_same(&whole, &pieces);
    if (input.len <= SPLIT_MAX) {
        run(peer, input, 1, &pieces);
        expect_same(&whole, &pieces);
    }
    return 0;
}
