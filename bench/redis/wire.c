/* wire.c - contenders that are known by their bytes: floors, and what libraries were seen to send.
 *
 * As little as a client can do, so that what is measured is Redis: the requests of a write are
 * there beforehand but for the keys, and a reply is read no further than to its end and its first
 * integer. Several connections are served in turn, each with blocking calls: while one is read, the
 * others' requests are with Redis. */

#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define WIRES_MAX 32
#define PLACES_MAX 8
#define REQUEST_MAX 1024
#define REPLIES_ROOM ((size_t)1 << 18)

static const char placeholder[] = "user:00000000000";

struct wire {
    char name[32];
    unsigned replies;
    int64_t low;
    int64_t high;
    char bytes[REQUEST_MAX];
    size_t len;
    size_t places[PLACES_MAX];
    size_t places_count;
};

struct connection {
    int fd;
    char *requests;
    char *replies;
    int64_t sent_ns;
};

static struct wire wires[WIRES_MAX];
static size_t wires_count;
static struct connection connections[LOAD_LANES_MAX];

/* ---- What a contender sends ---- */

static unsigned digit_of(char letter)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = letter != '\0' ? strchr(digits, letter) : NULL;
    if (at == NULL) {
        load_die("no hexadecimal digit: %c", letter);
    }
    return (unsigned)(at - digits);
}

void wire_describe(const char *name, unsigned replies, int64_t low, int64_t high, const char *hex)
{
    const size_t digits = strlen(hex);
    if (wires_count == WIRES_MAX || digits / 2 > REQUEST_MAX || digits % 2 != 0) {
        load_die("too many contenders, or too long a request: %s", name);
    }
    struct wire *wire = &wires[wires_count++];
    *wire = (struct wire){.replies = replies, .low = low, .high = high, .len = digits / 2};
    (void)snprintf(wire->name, sizeof(wire->name), "%s", name);
    for (size_t i = 0; i < wire->len; i++) {
        wire->bytes[i] = (char)(digit_of(hex[2 * i]) << 4 | digit_of(hex[2 * i + 1]));
    }
    for (size_t i = 0; i + LOAD_KEY_LEN <= wire->len; i++) {
        if (memcmp(wire->bytes + i, placeholder, LOAD_KEY_LEN) == 0) {
            if (wire->places_count == PLACES_MAX) {
                load_die("the key stands in too many places: %s", name);
            }
            wire->places[wire->places_count++] = i;
        }
    }
}

/* A write's requests, whole; the keys come later. */
static void copy_requests(const struct wire *wire, unsigned together, char *requests)
{
    for (unsigned i = 0; i < together; i++) {
        memcpy(requests + i * wire->len, wire->bytes, wire->len);
    }
}

static void put_keys(const struct wire *wire, unsigned together, struct load_walk *walk,
                     char *requests)
{
    for (unsigned i = 0; i < together; i++) {
        const char *key = load_walk_next(walk);
        for (size_t place = 0; place < wire->places_count; place++) {
            memcpy(requests + i * wire->len + wire->places[place], key, LOAD_KEY_LEN);
        }
    }
}

/* ---- Replies ---- */

/* The first integer among a decision's replies. */
struct first_integer {
    bool known;
    int64_t value;
};

/* The byte after one whole reply, whatever it holds; NULL where it has not all come. */
static const char *skip_reply(const char *at, const char *end, struct first_integer *first)
{
    for (int64_t left = 1; left > 0; left--) {
        const char *line_end = at < end ? memchr(at, '\n', (size_t)(end - at)) : NULL;
        if (line_end == NULL) {
            return NULL;
        }
        const char type = *at;
        const int64_t number =
            type == ':' || type == '*' || type == '$' ? strtoll(at + 1, NULL, 10) : 0;
        if (type == '-') {
            load_die("Redis answered: %.*s", (int)(line_end - at - 1), at);
        }
        at = line_end + 1;
        if (type == ':' && !first->known) {
            *first = (struct first_integer){true, number};
        } else if (type == '*' && number > 0) {
            left += number;
        } else if (type == '$' && number >= 0) {
            if (end - at < number + 2) {
                return NULL;
            }
            at += number + 2;
        }
    }
    return at;
}

/* The byte after the replies of one decision, or NULL. */
static const char *skip_decision(const struct wire *wire, const char *at, const char *end,
                                 uint64_t *admitted)
{
    struct first_integer first = {0};
    for (unsigned i = 0; i < wire->replies; i++) {
        at = skip_reply(at, end, &first);
        if (at == NULL) {
            return NULL;
        }
    }
    *admitted += first.known && first.value >= wire->low && first.value <= wire->high ? 1 : 0;
    return at;
}

/* ---- Connections ---- */

void wire_connect(uint16_t port)
{
    const struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons(port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    const int on = 1;
    for (unsigned i = 0; i < LOAD_LANES_MAX; i++) {
        struct connection *connection = &connections[i];
        connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        connection->requests = malloc((size_t)LOAD_TOGETHER_MAX * REQUEST_MAX);
        connection->replies = malloc(REPLIES_ROOM);
        if (connection->fd < 0 || connection->requests == NULL || connection->replies == NULL ||
            connect(connection->fd, (const struct sockaddr *)&address, sizeof(address)) != 0 ||
            setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0) {
            load_die("can't connect to port %u", port);
        }
    }
}

static void send_requests(struct connection *connection, size_t len)
{
    const char *at = connection->requests;
    connection->sent_ns = load_clock_ns();
    while (len > 0) {
        const ssize_t sent = send(connection->fd, at, len, MSG_NOSIGNAL);
        if (sent < 0 && errno != EINTR) {
            load_die("can't send");
        }
        at += sent > 0 ? sent : 0;
        len -= sent > 0 ? (size_t)sent : 0;
    }
}

/* Waits for the replies of `together` decisions; the answer is how many of them admitted. */
static uint64_t receive(const struct wire *wire, struct connection *connection, unsigned together)
{
    uint64_t admitted = 0;
    const char *at = connection->replies;
    char *end = connection->replies;
    while (together > 0) {
        const size_t room = REPLIES_ROOM - (size_t)(end - connection->replies);
        const ssize_t received = recv(connection->fd, end, room, 0);
        if (received <= 0) {
            if (received < 0 && errno == EINTR) {
                continue;
            }
            load_die("the connection ended, or too long a reply");
        }
        end += received;
        const char *next;
        while (together > 0 && (next = skip_decision(wire, at, end, &admitted)) != NULL) {
            at = next;
            together--;
        }
    }
    if (at != end) {
        load_die("%s: more replies than were due", wire->name);
    }
    return admitted;
}

/* ---- A load ---- */

static struct wire *wire_named(const char *name)
{
    for (size_t i = 0; i < wires_count; i++) {
        if (strcmp(wires[i].name, name) == 0) {
            return &wires[i];
        }
    }
    return NULL;
}

bool wire_run(const char *name, const struct load *load, struct load_answer *ret_answer)
{
    const struct wire *wire = wire_named(name);
    const bool alone = load->lanes == 1 && load->together == 1;
    const size_t len = wire != NULL ? wire->len * load->together : 0;
    struct load_answer answer = {0};
    struct load_walk walk = load_walk_start(load, 0);
    uint64_t sent = 0;
    unsigned busy = load->lanes;
    if (wire == NULL) {
        return false;
    }
    const int64_t start_ns = load_clock_ns();
    for (unsigned i = 0; i < load->lanes; i++, sent += load->together) {
        copy_requests(wire, load->together, connections[i].requests);
        put_keys(wire, load->together, &walk, connections[i].requests);
        send_requests(&connections[i], len);
    }
    /* Once there is no more to send, each connection is read a last time, in the same order. */
    for (unsigned i = 0; busy > 0; i = (i + 1) % load->lanes) {
        struct connection *connection = &connections[i];
        answer.admitted += receive(wire, connection, load->together);
        answer.count += load->together;
        const int64_t now_ns = load_clock_ns();
        answer.elapsed_ns = now_ns - start_ns;
        if (alone) {
            load_note_ns(now_ns - connection->sent_ns);
        }
        if (sent < load->count && answer.elapsed_ns < load->limit_ns) {
            put_keys(wire, load->together, &walk, connection->requests);
            send_requests(connection, len);
            sent += load->together;
        } else {
            busy--;
        }
    }
    load_walk_end(&walk);
    *ret_answer = answer;
    return true;
}
