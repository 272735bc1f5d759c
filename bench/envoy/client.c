/* client.c - the client that bench/envoy/envoy_measure.py loads services with: a gRPC client as
 * light as one can be, so that the service is what is measured.
 *
 *     bench-envoy            reads commands, one a line, and answers each with one of JSON:
 *
 *     ask NAME HEX                            the message of a call, with its five bytes in front
 *     run NAME PORT LANES STREAMS KEYS MS     STREAMS calls at a time on each of LANES connections,
 *                                             a new one for each that is answered
 *     pace NAME PORT LANES RATE KEYS MS       RATE calls a second, whatever is answered when
 *
 * Frames are written by hand: the first call of a connection puts its headers into the peer's
 * table, as real clients do, and those after it name them by their places. Only the key in the
 * message differs from call to call (in all descriptors at once). Each call is a HEADERS and a DATA
 * frame; calls that answers which came together make room for go out in one write.
 *
 * Every answer is looked at: its headers are inflated by nghttp2, and it has to be a message whose
 * overall_code is OK or OVER_LIMIT, and then trailers with grpc-status 0. Anything else ends the
 * program. `pace` takes each latency from when the call was due, not from when it could be sent. */

#include "../serve/notes.h"

#include <errno.h>
#include <nghttp2/nghttp2.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define KINDS_MAX 8
#define MESSAGE_MAX 1024
#define PLACES_MAX 16
#define LANES_MAX 64
#define STREAMS_MAX 128 /* of a connection, at once */
#define SLOTS 4096      /* of calls that are not answered; a power of two */
#define ROOM ((size_t)1 << 18)
#define LINE_MAX_LEN 4096
#define HEAD_LEN 9
#define WINDOW 65535 /* that a peer gives a connection, before it says more */

enum frame {
    DATA = 0,
    HEADERS = 1,
    RST_STREAM = 3,
    SETTINGS = 4,
    PING = 6,
    GOAWAY = 7,
    WINDOW_UPDATE = 8
};
#define END_STREAM 1
#define ACK 1
#define END_HEADERS 4
#define PADDED 8

/* The first call's headers, each put into the table, and those of all others, which name them. */
#define FIRST_HEADERS                                                      \
    "\x83\x86"                                                             \
    "\x44\x3c/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit" \
    "\x41\x09"                                                             \
    "127.0.0.1"                                                            \
    "\x5f\x10"                                                             \
    "application/grpc"                                                     \
    "\x40\x02te\x08trailers"                                               \
    "\x40\x0cgrpc-timeout\x03"                                             \
    "10S"
#define LATER_HEADERS "\x83\x86\xc2\xc1\xc0\xbf\xbe"

/* Settings, and windows so wide that the peer never waits for us. */
static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
                              "\0\0\x06\x04\0\0\0\0\0\0\x04\x7f\xff\xff\xff"
                              "\0\0\x04\x08\0\0\0\0\0\x7f\xfe\0\0";

struct kind {
    char name[32];
    char bytes[MESSAGE_MAX];
    size_t len;
    size_t places[PLACES_MAX];
    size_t place_count;
};

struct slot {
    int64_t due_ns;
    bool open;
    bool told; /* its message has come */
};

struct lane {
    nghttp2_hd_inflater *inflater;
    uint32_t next_stream;
    unsigned waits;
    int64_t window;
    int fd;
    size_t out_len;
    size_t got;
    struct slot slots[SLOTS];
    char out[ROOM];
    char in[ROOM];
};

struct load {
    const struct kind *kind;
    unsigned lanes;
    uint32_t keys;
    int64_t limit_ns;
    uint32_t at;
    uint64_t count;
    uint64_t allowed;
    bool paced;
};

static struct kind kinds[KINDS_MAX];
static size_t kinds_count;
static struct lane lanes[LANES_MAX];

/* ---- What is sent ---- */

static void describe(const char *name, const char *hex)
{
    if (kinds_count == KINDS_MAX) {
        die("too many kinds: %s", name);
    }
    struct kind *kind = &kinds[kinds_count++];
    (void)snprintf(kind->name, sizeof(kind->name), "%s", name);
    kind->len = read_hex(hex, kind->bytes, sizeof(kind->bytes));
    for (const char *at = kind->bytes; kind->place_count < PLACES_MAX; at += KEY_LEN) {
        at = memmem(at, kind->len - (size_t)(at - kind->bytes), placeholder, KEY_LEN);
        if (at == NULL) {
            return;
        }
        kind->places[kind->place_count++] = (size_t)(at - kind->bytes);
    }
}

static const struct kind *kind_named(const char *name)
{
    for (size_t i = 0; i < kinds_count; i++) {
        if (strcmp(kinds[i].name, name) == 0) {
            return &kinds[i];
        }
    }
    die("who is '%s'?", name);
}

static void put(struct lane *lane, const void *bytes, size_t len)
{
    if (ROOM - lane->out_len < len) {
        die("too much to send at once");
    }
    memcpy(lane->out + lane->out_len, bytes, len);
    lane->out_len += len;
}

static void put_frame(struct lane *lane, enum frame type, unsigned flags, uint32_t stream,
                      struct iovec payload)
{
    const size_t len = payload.iov_len;
    const unsigned char head[HEAD_LEN] = {
        (unsigned char)(len >> 16),    (unsigned char)(len >> 8),    (unsigned char)len,
        (unsigned char)type,           (unsigned char)flags,         (unsigned char)(stream >> 24),
        (unsigned char)(stream >> 16), (unsigned char)(stream >> 8), (unsigned char)stream};
    put(lane, head, sizeof(head));
    put(lane, payload.iov_base, len);
}

static struct slot *slot_of(struct lane *lane, uint32_t stream)
{
    return &lane->slots[stream / 2 % SLOTS];
}

static void put_call(struct load *load, struct lane *lane, int64_t due_ns)
{
    static char first[] = FIRST_HEADERS;
    static char later[] = LATER_HEADERS;
    const struct kind *kind = load->kind;
    const uint32_t stream = lane->next_stream;
    struct slot *slot = slot_of(lane, stream);
    if (slot->open) {
        die("%s: a call was not answered, and %d after it were", kind->name, SLOTS);
    }
    *slot = (struct slot){.due_ns = due_ns, .open = true};
    put_frame(lane, HEADERS, END_HEADERS, stream,
              stream == 1 ? (struct iovec){first, sizeof(first) - 1}
                          : (struct iovec){later, sizeof(later) - 1});
    put_frame(lane, DATA, END_STREAM, stream,
              (struct iovec){(char *)(uintptr_t)kind->bytes, kind->len});
    char *message = lane->out + lane->out_len - kind->len;
    for (size_t i = 0; i < kind->place_count; i++) {
        write_key(message + kind->places[i], load->at);
    }
    load->at = (load->at + STEP) % load->keys;
    lane->window -= (int64_t)kind->len;
    if (lane->window < 0) {
        die("%s: it gave no more room to send", kind->name);
    }
    lane->next_stream += 2;
    lane->waits++;
}

static void flush(struct lane *lane)
{
    if (lane->out_len > 0) {
        send_all(lane->fd, lane->out, lane->out_len);
        lane->out_len = 0;
    }
}

/* ---- What is answered ---- */

static uint32_t number_at(const unsigned char *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/* All of a block, so that the table is as the peer has it; whether it says grpc-status 0. */
static bool inflate(struct lane *lane, const unsigned char *block, size_t len)
{
    bool fine = false;
    int flags = 0;
    while ((flags & NGHTTP2_HD_INFLATE_FINAL) == 0) {
        nghttp2_nv header;
        const ssize_t used = nghttp2_hd_inflate_hd2(lane->inflater, &header, &flags, block, len, 1);
        if (used < 0) {
            die("headers that can't be read");
        }
        block += used;
        len -= (size_t)used;
        if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0 && header.namelen == strlen("grpc-status") &&
            memcmp(header.name, "grpc-status", header.namelen) == 0) {
            fine = header.valuelen == 1 && header.value[0] == '0';
        }
    }
    (void)nghttp2_hd_inflate_end_headers(lane->inflater);
    return fine;
}

static void take_message(struct load *load, struct slot *slot, const unsigned char *bytes,
                         size_t len)
{
    if (len == 0) {
        return;
    }
    /* Uncompressed, and overall_code, which is first, OK or OVER_LIMIT. */
    if (slot->told || len < 7 || bytes[0] != 0 || number_at(bytes + 1) != len - 5 ||
        bytes[5] != 0x08 || (bytes[6] != 1 && bytes[6] != 2)) {
        die("%s: what is answered is no response", load->kind->name);
    }
    slot->told = true;
    load->allowed += bytes[6] == 1 ? 1 : 0;
}

static void take_end(struct load *load, struct lane *lane, struct slot *slot, bool fine)
{
    if (!slot->open || !slot->told || !fine) {
        die("%s: a call ended without an answer", load->kind->name);
    }
    slot->open = false;
    lane->waits--;
    load->count++;
    if (load->paced) {
        note(clock_ns() - slot->due_ns);
    }
}

static void take_frame(struct load *load, struct lane *lane, const unsigned char *head, size_t len)
{
    const unsigned char *payload = head + HEAD_LEN;
    const unsigned flags = head[4];
    struct slot *slot = slot_of(lane, number_at(head + 5));
    bool fine;
    switch ((enum frame)head[3]) {
    case DATA:
        take_message(load, slot, payload, (flags & PADDED) == 0 ? len : 1);
        break;
    case HEADERS:
        if ((flags & END_HEADERS) == 0 || (flags & PADDED) != 0) {
            die("%s: headers in parts, or padded", load->kind->name);
        }
        fine = inflate(lane, payload, len);
        if ((flags & END_STREAM) != 0) {
            take_end(load, lane, slot, fine);
        }
        break;
    case SETTINGS:
        if ((flags & ACK) == 0) {
            put_frame(lane, SETTINGS, ACK, 0, (struct iovec){lane->out, 0});
        }
        break;
    case PING:
        if ((flags & ACK) == 0) {
            put_frame(lane, PING, ACK, 0, (struct iovec){(char *)(uintptr_t)payload, len});
        }
        break;
    case WINDOW_UPDATE:
        lane->window += number_at(head + 5) == 0 ? number_at(payload) : 0;
        break;
    case RST_STREAM:
    case GOAWAY:
        die("%s: it ended a call or the connection: %u", load->kind->name, payload[len - 1]);
    }
}

/* Takes what has come for a lane; gives how many answers that were. */
static unsigned take_answers(struct load *load, struct lane *lane)
{
    const ssize_t some = recv(lane->fd, lane->in + lane->got, ROOM - lane->got, 0);
    if (some <= 0) {
        if (some < 0 && (errno == EAGAIN || errno == EINTR)) {
            return 0;
        }
        die("%s: the connection ended, or too long an answer", load->kind->name);
    }
    lane->got += (size_t)some;
    const unsigned waited = lane->waits;
    size_t at = 0;
    while (lane->got - at >= HEAD_LEN) {
        const unsigned char *head = (const unsigned char *)lane->in + at;
        const size_t len = (size_t)head[0] << 16 | (size_t)head[1] << 8 | head[2];
        if (lane->got - at < HEAD_LEN + len) {
            break;
        }
        take_frame(load, lane, head, len);
        at += HEAD_LEN + len;
    }
    lane->got -= at;
    memmove(lane->in, lane->in + at, lane->got);
    return waited - lane->waits;
}

/* ---- Lanes ---- */

static int open_lanes(const struct load *load, uint16_t port)
{
    const int poll = epoll_create1(EPOLL_CLOEXEC);
    for (unsigned i = 0; i < load->lanes; i++) {
        struct lane *lane = &lanes[i];
        memset(lane->slots, 0, sizeof(lane->slots));
        lane->next_stream = 1;
        lane->waits = 0;
        lane->window = WINDOW;
        lane->got = 0;
        lane->out_len = 0;
        if (nghttp2_hd_inflate_new(&lane->inflater) != 0) {
            die("no memory");
        }
        lane->fd = open_lane(poll, port, lane);
        put(lane, preface, sizeof(preface) - 1);
    }
    return poll;
}

static void close_lanes(const struct load *load, int poll)
{
    for (unsigned i = 0; i < load->lanes; i++) {
        (void)close(lanes[i].fd);
        nghttp2_hd_inflate_del(lanes[i].inflater);
    }
    (void)close(poll);
}

/* ---- run ---- */

static void run(struct load *load, uint16_t port, unsigned streams)
{
    struct epoll_event events[LANES_MAX];
    const int poll = open_lanes(load, port);
    const int64_t start_ns = clock_ns();
    unsigned busy = load->lanes;
    clear_notes();
    for (unsigned i = 0; i < load->lanes; i++) {
        for (unsigned j = 0; j < streams; j++) {
            put_call(load, &lanes[i], 0);
        }
        flush(&lanes[i]);
    }
    while (busy > 0) {
        const int ready = epoll_wait(poll, events, LANES_MAX, -1);
        const bool over = clock_ns() - start_ns > load->limit_ns;
        for (int i = 0; i < ready; i++) {
            struct lane *lane = events[i].data.ptr;
            unsigned answers = take_answers(load, lane);
            for (; answers > 0 && !over; answers--) {
                put_call(load, lane, 0);
            }
            flush(lane);
            busy -= answers > 0 && lane->waits == 0 ? 1 : 0;
        }
    }
    answer(load->count, load->allowed, clock_ns() - start_ns);
    close_lanes(load, poll);
}

/* ---- pace ---- */

/* The next lane, from `first` on, that may have one more call; NULL: none may. */
static struct lane *free_lane(const struct load *load, uint64_t first)
{
    for (unsigned i = 0; i < load->lanes; i++) {
        struct lane *lane = &lanes[(first + i) % load->lanes];
        if (lane->waits < STREAMS_MAX) {
            return lane;
        }
    }
    return NULL;
}

static void pace(struct load *load, uint16_t port, unsigned rate)
{
    struct epoll_event events[LANES_MAX];
    const int poll = open_lanes(load, port);
    const int64_t start_ns = clock_ns();
    const uint64_t due = (uint64_t)load->limit_ns * rate / 1000000000;
    uint64_t sent = 0;
    clear_notes();
    load->paced = true;
    while (load->count < due) {
        const int64_t now_ns = clock_ns();
        struct lane *lane = free_lane(load, sent);
        int64_t due_ns = start_ns + (int64_t)(sent * 1000000000 / rate);
        while (sent < due && due_ns <= now_ns && lane != NULL) {
            put_call(load, lane, due_ns);
            flush(lane);
            sent++;
            due_ns = start_ns + (int64_t)(sent * 1000000000 / rate);
            lane = free_lane(load, sent);
        }
        const int ready = epoll_wait(poll, events, LANES_MAX, 0);
        for (int i = 0; i < ready; i++) {
            (void)take_answers(load, events[i].data.ptr);
            flush(events[i].data.ptr);
        }
    }
    answer(load->count, load->allowed, clock_ns() - start_ns);
    close_lanes(load, poll);
}

/* ---- Commands ---- */

static void command(const char *line)
{
    static char hex[LINE_MAX_LEN];
    char name[32];
    char what[8];
    unsigned port;
    unsigned number;
    unsigned milliseconds;
    struct load load = {0};
    if (sscanf(line, "ask %31s %4095s", name, hex) == 2) {
        describe(name, hex);
        printf("{}\n");
    } else if (sscanf(line, "%7s %31s %u %u %u %u %u", what, name, &port, &load.lanes, &number,
                      &load.keys, &milliseconds) == 7 &&
               load.lanes >= 1 && load.lanes <= LANES_MAX && load.keys > 0 && number > 0) {
        load.kind = kind_named(name);
        load.limit_ns = (int64_t)milliseconds * 1000000;
        if (strcmp(what, "pace") == 0) {
            pace(&load, (uint16_t)port, number);
        } else if (number <= STREAMS_MAX) {
            run(&load, (uint16_t)port, number);
        } else {
            die("too many streams: %u", number);
        }
    } else {
        die("what is meant by: %s", line);
    }
    (void)fflush(stdout);
}

int main(void)
{
    char line[LINE_MAX_LEN];
    while (fgets(line, sizeof(line), stdin) != NULL) {
        command(line);
    }
    return 0;
}
