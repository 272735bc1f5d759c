/* client.c - the client that bench/serve/serve_measure.py loads servers with: as light as one can
 * be, so that the server is what is measured.
 *
 *     bench-serve            reads commands, one a line, and answers each with one of JSON:
 *
 *     ask NAME PROTOCOL ALLOWED HEX           what is sent for one request, and what says "allowed"
 *     run NAME PORT LANES TOGETHER KEYS MS    each lane sends TOGETHER requests in one write, and
 *                                             again when all of them are answered
 *     pace NAME PORT LANES RATE KEYS MS       RATE requests a second, whatever is answered when
 *
 * Requests are ready beforehand but for their keys. An answer is read no further than to its end
 * and to what says whether it allowed: of RESP the first integer, of HTTP the word ALLOWED in its
 * body, or for "-" the status 200. Any error, or another status than 200 and 429, ends the program.
 *
 * `pace` takes each latency from when the request was due, not from when it could be sent: a server
 * that stops for a moment is charged for all that was due meanwhile. */

#include "notes.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define KINDS_MAX 32
#define REQUEST_MAX 1024
#define LANES_MAX 64
#define TOGETHER_MAX 64
#define REPLIES_ROOM ((size_t)1 << 16)
#define LINE_MAX_LEN 4096
#define OWED_MAX 65536 /* of a lane that is paced; a power of two */

struct kind {
    char name[32];
    bool http;
    char allowed[32];
    char bytes[REQUEST_MAX];
    size_t len;
    size_t place; /* of the key; len where there is none */
};

struct lane {
    int64_t *due_ns; /* of answers that are waited for, as a ring */
    size_t got;
    int fd;
    unsigned waits; /* for so many answers */
    uint32_t due_first;
    char requests[TOGETHER_MAX * REQUEST_MAX];
    char replies[REPLIES_ROOM];
};

struct load {
    const struct kind *kind;
    unsigned lanes;
    unsigned together;
    uint32_t keys;
    int64_t limit_ns;
    uint32_t at;
    uint64_t count;
    uint64_t allowed;
};

static struct kind kinds[KINDS_MAX];
static size_t kinds_count;
static struct lane lanes[LANES_MAX];

/* ---- What is sent ---- */

static void describe(const char *name, const char *protocol, const char *allowed, const char *hex)
{
    if (kinds_count == KINDS_MAX) {
        die("too many kinds: %s", name);
    }
    struct kind *kind = &kinds[kinds_count++];
    *kind = (struct kind){.http = strcmp(protocol, "http") == 0};
    (void)snprintf(kind->name, sizeof(kind->name), "%s", name);
    (void)snprintf(kind->allowed, sizeof(kind->allowed), "%s", allowed);
    kind->len = read_hex(hex, kind->bytes, sizeof(kind->bytes));
    const char *key = memmem(kind->bytes, kind->len, placeholder, KEY_LEN);
    kind->place = key != NULL ? (size_t)(key - kind->bytes) : kind->len;
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

static void put_key(struct load *load, char *request)
{
    if (load->kind->place == load->kind->len) {
        return;
    }
    write_key(request + load->kind->place, load->at);
    load->at = (load->at + STEP) % load->keys;
}

/* The first `count` requests of a lane anew. */
static void send_requests(struct load *load, struct lane *lane, unsigned count)
{
    const struct kind *kind = load->kind;
    for (unsigned i = 0; i < count; i++) {
        memcpy(lane->requests + i * kind->len, kind->bytes, kind->len);
        put_key(load, lane->requests + i * kind->len);
    }
    send_all(lane->fd, lane->requests, count * kind->len);
    lane->waits += count;
}

/* ---- What is answered ---- */

/* The byte after an answer, or NULL where it has not all come. */
static const char *skip_resp(const struct kind *kind, const char *at, const char *end,
                             bool *ret_allowed)
{
    bool first = true;
    *ret_allowed = true;
    for (int64_t left = 1; left > 0; left--) {
        const char *line_end = at < end ? memchr(at, '\n', (size_t)(end - at)) : NULL;
        if (line_end == NULL) {
            return NULL;
        }
        if (*at == '-') {
            die("%s: %.*s", kind->name, (int)(line_end - at - 1), at);
        }
        if (*at == '*') {
            left += strtoll(at + 1, NULL, 10);
        } else if (*at == ':' && first) {
            first = false;
            *ret_allowed = kind->allowed[0] == '-' || at[1] == kind->allowed[0];
        }
        at = line_end + 1;
    }
    return at;
}

static const char *skip_http(const struct kind *kind, const char *at, const char *end,
                             bool *ret_allowed)
{
    static const char length[] = "\r\nContent-Length: ";
    const char *body = memmem(at, (size_t)(end - at), "\r\n\r\n", 4);
    if (body == NULL) {
        return NULL;
    }
    const char *found = memmem(at, (size_t)(body - at), length, sizeof(length) - 1);
    const size_t len = found != NULL ? strtoul(found + sizeof(length) - 1, NULL, 10) : 0;
    body += 4;
    if ((size_t)(end - body) < len) {
        return NULL;
    }
    if (memcmp(at + 9, "200", 3) != 0 && memcmp(at + 9, "429", 3) != 0) {
        die("%s: %.*s", kind->name, (int)(body + len - at), at);
    }
    *ret_allowed = kind->allowed[0] == '-'
                       ? at[9] == '2'
                       : memmem(body, len, kind->allowed, strlen(kind->allowed)) != NULL;
    return body + len;
}

/* Takes what has come for a lane; gives how many answers that were. */
static unsigned take_answers(struct load *load, struct lane *lane)
{
    const ssize_t some = recv(lane->fd, lane->replies + lane->got, REPLIES_ROOM - lane->got, 0);
    if (some <= 0) {
        if (some < 0 && (errno == EAGAIN || errno == EINTR)) {
            return 0;
        }
        die("%s: the connection ended, or too long an answer", load->kind->name);
    }
    lane->got += (size_t)some;
    const char *at = lane->replies;
    const char *end = lane->replies + lane->got;
    unsigned answers = 0;
    bool allowed;
    while (at < end) {
        const char *next = load->kind->http ? skip_http(load->kind, at, end, &allowed)
                                            : skip_resp(load->kind, at, end, &allowed);
        if (next == NULL) {
            break;
        }
        at = next;
        answers++;
        load->allowed += allowed ? 1 : 0;
    }
    if (answers > lane->waits) {
        die("%s: more answers than were due", load->kind->name);
    }
    lane->got = (size_t)(end - at);
    memmove(lane->replies, at, lane->got);
    lane->waits -= answers;
    load->count += answers;
    return answers;
}

/* ---- Lanes ---- */

static int open_lanes(const struct load *load, uint16_t port)
{
    const int poll = epoll_create1(EPOLL_CLOEXEC);
    for (unsigned i = 0; i < load->lanes; i++) {
        struct lane *lane = &lanes[i];
        lane->got = 0;
        lane->waits = 0;
        lane->due_first = 0;
        lane->fd = open_lane(poll, port, lane);
    }
    return poll;
}

static void close_lanes(const struct load *load, int poll)
{
    for (unsigned i = 0; i < load->lanes; i++) {
        (void)close(lanes[i].fd);
    }
    (void)close(poll);
}

/* ---- run ---- */

static void run(struct load *load, uint16_t port)
{
    struct epoll_event events[LANES_MAX];
    const int poll = open_lanes(load, port);
    const int64_t start_ns = clock_ns();
    unsigned busy = load->lanes;
    clear_notes();
    for (unsigned i = 0; i < load->lanes; i++) {
        send_requests(load, &lanes[i], load->together);
    }
    while (busy > 0) {
        const int ready = epoll_wait(poll, events, LANES_MAX, -1);
        const bool over = clock_ns() - start_ns > load->limit_ns;
        for (int i = 0; i < ready; i++) {
            struct lane *lane = events[i].data.ptr;
            if (take_answers(load, lane) == 0 || lane->waits > 0) {
                continue;
            }
            if (over) {
                busy--;
            } else {
                send_requests(load, lane, load->together);
            }
        }
    }
    answer(load->count, load->allowed, clock_ns() - start_ns);
    close_lanes(load, poll);
}

/* ---- pace ---- */

static void note_latencies(struct lane *lane, unsigned answers, int64_t now_ns)
{
    for (; answers > 0; answers--) {
        note(now_ns - lane->due_ns[lane->due_first++ % OWED_MAX]);
    }
}

static void pace(struct load *load, uint16_t port, unsigned rate)
{
    struct epoll_event events[LANES_MAX];
    const int poll = open_lanes(load, port);
    const int64_t start_ns = clock_ns();
    const uint64_t due = (uint64_t)load->limit_ns * rate / 1000000000;
    uint64_t sent = 0;
    clear_notes();
    while (load->count < due) {
        int64_t now_ns = clock_ns();
        while (sent < due && start_ns + (int64_t)(sent * 1000000000 / rate) <= now_ns) {
            struct lane *lane = &lanes[sent % load->lanes];
            if (lane->waits == OWED_MAX) {
                die("%s: too many answers are owed", load->kind->name);
            }
            lane->due_ns[(lane->due_first + lane->waits) % OWED_MAX] =
                start_ns + (int64_t)(sent * 1000000000 / rate);
            send_requests(load, lane, 1);
            sent++;
        }
        const int ready = epoll_wait(poll, events, LANES_MAX, 0);
        for (int i = 0; i < ready; i++) {
            struct lane *lane = events[i].data.ptr;
            const unsigned answers = take_answers(load, lane);
            now_ns = clock_ns();
            note_latencies(lane, answers, now_ns);
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
    char protocol[8];
    char allowed[32];
    unsigned port;
    unsigned number;
    unsigned milliseconds;
    struct load load = {.together = 1};
    if (sscanf(line, "ask %31s %7s %31s %4095s", name, protocol, allowed, hex) == 4) {
        describe(name, protocol, allowed, hex);
        printf("{}\n");
    } else if (sscanf(line, "%7s %31s %u %u %u %u %u", protocol, name, &port, &load.lanes, &number,
                      &load.keys, &milliseconds) == 7 &&
               load.lanes >= 1 && load.lanes <= LANES_MAX && load.keys > 0 && number > 0) {
        load.kind = kind_named(name);
        load.limit_ns = (int64_t)milliseconds * 1000000;
        if (strcmp(protocol, "pace") == 0) {
            pace(&load, (uint16_t)port, number);
        } else if (number <= TOGETHER_MAX) {
            load.together = number;
            run(&load, (uint16_t)port);
        }
    } else {
        die("what is meant by: %s", line);
    }
    (void)fflush(stdout);
}

int main(void)
{
    char line[LINE_MAX_LEN];
    for (unsigned i = 0; i < LANES_MAX; i++) {
        lanes[i].due_ns = malloc(OWED_MAX * sizeof(int64_t));
        if (lanes[i].due_ns == NULL) {
            die("no memory");
        }
    }
    while (fgets(line, sizeof(line), stdin) != NULL) {
        command(line);
    }
    return 0;
}
