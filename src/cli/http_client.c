/* http_client.c - see http_client.h.
 *
 * The socket doesn't block; whatever has to be waited for is waited for with poll(2), beside what
 * the caller wants watched, until the one deadline. */

#include "cli/http_client.h"

#include "cli/wait.h"

#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define MESSAGE_MAX sizeof(((struct cli_http_answer *)0)->message)
#define WATCHED_MAX 2
#define READ_SIZE 16384

/* ---- Where ---- */

static bool refuse(char message[256], const char *why)
{
    (void)snprintf(message, MESSAGE_MAX, "%s", why);
    return false;
}

/* "host", "host:port", "[::1]:port", with nothing but a '/' behind it. */
static bool read_authority(const char *text, struct cli_http_place *place, char message[256])
{
    const bool bracket = *text == '[';
    const char *host = text + bracket;
    const size_t host_len = strcspn(host, bracket ? "]" : ":/");
    const char *rest = host + host_len + (bracket && host[host_len] == ']');
    const char *port = *rest == ':' ? rest + 1 : "80";
    const size_t port_len = strcspn(port, "/");
    const char *behind = *rest == ':' ? port + port_len : rest;
    if (host_len == 0 || host_len >= sizeof(place->host) || (bracket && host[host_len] != ']') ||
        host[strcspn(host, "@?# \t\r\n")] != '\0') {
        return refuse(message, "expected http://HOST:PORT, as http://127.0.0.1:8080");
    }
    if (strcmp(behind, "") != 0 && strcmp(behind, "/") != 0) {
        return refuse(message, "expected nothing behind http://HOST:PORT");
    }
    if (port_len == 0 || port_len >= sizeof(place->port) ||
        strspn(port, "0123456789") != port_len) {
        return refuse(message, "expected a port from 1 to 65535");
    }
    memcpy(place->host, host, host_len);
    place->host[host_len] = '\0';
    memcpy(place->port, port, port_len);
    place->port[port_len] = '\0';
    return true;
}

bool cli_http_place_read(const char *url, struct cli_http_place *ret_place, char message[256])
{
    static const char http[] = "http://";
    static const char local[] = "unix:";
    struct cli_http_place place = {.host = ""};
    (void)snprintf(place.shown, sizeof(place.shown), "%s", url);
    if (strncmp(url, local, strlen(local)) == 0) {
        const char *path = url + strlen(local);
        if (*path != '/' || strlen(path) >= sizeof(place.path)) {
            return refuse(message, "expected unix:/PATH, of at most 107 bytes");
        }
        (void)snprintf(place.path, sizeof(place.path), "%s", path);
        *ret_place = place;
        return true;
    }
    if (strncmp(url, "https://", strlen("https://")) == 0) {
        return refuse(message,
                      "TLS is not spoken here: ask at a listener on 127.0.0.1, or unix:/PATH");
    }
    if (strncmp(url, http, strlen(http)) != 0) {
        return refuse(message, "expected http://HOST:PORT or unix:/PATH");
    }
    if (!read_authority(url + strlen(http), &place, message)) {
        return false;
    }
    *ret_place = place;
    return true;
}

/* ---- Waiting ---- */

struct visit {
    const struct cli_http_question *question;
    struct cli_http_answer *answer;
    int64_t until_us;
    int fd;
};

__attribute__((format(printf, 2, 3))) static enum cli_http_result fail(const struct visit *visit,
                                                                       const char *format, ...)
{
    char why[160];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(why, sizeof(why), format, arguments);
    va_end(arguments);
    (void)snprintf(visit->answer->message, MESSAGE_MAX, "%.80s: %s", visit->question->place->shown,
                   why);
    return CLI_HTTP_FAILED;
}

static enum cli_http_result fail_by(const struct visit *visit, int error)
{
    return fail(visit, "%s", strerrordesc_np(error));
}

/* Until the socket can do what is wanted. */
static enum cli_http_result await(const struct visit *visit, short events)
{
    struct pollfd watched[1 + WATCHED_MAX] = {{.fd = visit->fd, .events = events}};
    const size_t count = visit->question->watched_count;
    assert(count <= WATCHED_MAX);
    for (size_t i = 0; i < count; i++) {
        watched[1 + i] = (struct pollfd){.fd = visit->question->watched[i], .events = POLLIN};
    }
    for (;;) {
        const int64_t left_us = visit->until_us - cli_monotonic_us();
        if (left_us <= 0) {
            return fail(visit, "no answer within the timeout");
        }
        const int ready = poll(watched, 1 + count, (int)(left_us / 1000 % INT32_MAX) + 1);
        if (ready < 0 && errno != EINTR) {
            return fail_by(visit, errno);
        }
        for (size_t i = 0; i < count && ready > 0; i++) {
            if (watched[1 + i].revents != 0) {
                return CLI_HTTP_INTERRUPTED;
            }
        }
        if (ready > 0) {
            return CLI_HTTP_ANSWERED;
        }
    }
}

/* ---- Connecting ---- */

static enum cli_http_result reach(struct visit *visit, const struct sockaddr *address,
                                  socklen_t length)
{
    visit->fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (visit->fd < 0) {
        return fail_by(visit, errno);
    }
    int error = connect(visit->fd, address, length) == 0 ? 0 : errno;
    if (error == EINPROGRESS) {
        const enum cli_http_result result = await(visit, POLLOUT);
        socklen_t size = sizeof(error);
        if (result != CLI_HTTP_ANSWERED) {
            return result;
        }
        if (getsockopt(visit->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) {
            error = errno;
        }
    }
    return error == 0 ? CLI_HTTP_ANSWERED : fail_by(visit, error);
}

static void leave(struct visit *visit)
{
    if (visit->fd >= 0) {
        (void)close(visit->fd);
        visit->fd = -1;
    }
}

static enum cli_http_result reach_host(struct visit *visit)
{
    const struct cli_http_place *place = visit->question->place;
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    const int error = getaddrinfo(place->host, place->port, &hints, &found);
    if (error != 0) {
        return fail(visit, "%s", gai_strerror(error));
    }
    enum cli_http_result result = fail(visit, "it has no address");
    for (const struct addrinfo *each = found; each != NULL; each = each->ai_next) {
        result = reach(visit, each->ai_addr, each->ai_addrlen);
        if (result != CLI_HTTP_FAILED) {
            break;
        }
        leave(visit);
    }
    freeaddrinfo(found);
    return result;
}

static enum cli_http_result reach_place(struct visit *visit)
{
    const struct cli_http_place *place = visit->question->place;
    if (place->path[0] == '\0') {
        return reach_host(visit);
    }
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", place->path);
    return reach(visit, (const struct sockaddr *)&address, sizeof(address));
}

/* ---- Asking ---- */

static void write_question(const struct cli_http_question *question, struct weir_buffer *out)
{
    const struct cli_http_place *place = question->place;
    const bool is_v6 = strchr(place->host, ':') != NULL;
    weir_buffer_print(out, "GET %s HTTP/1.1\r\nHost: ", question->target);
    if (place->path[0] != '\0') {
        weir_buffer_put_text(out, "localhost");
    } else {
        weir_buffer_print(out, is_v6 ? "[%s]:%s" : "%s:%s", place->host, place->port);
    }
    weir_buffer_put_text(out, "\r\nAccept: application/json\r\nConnection: close\r\n");
    if (question->token != NULL) {
        weir_buffer_print(out, "Authorization: Bearer %s\r\n", question->token);
    }
    weir_buffer_put_text(out, "\r\n");
}

static enum cli_http_result send_all(const struct visit *visit, struct weir_buffer *bytes)
{
    while (bytes->len > 0) {
        const ssize_t sent = send(visit->fd, bytes->bytes, bytes->len, MSG_NOSIGNAL);
        if (sent > 0) {
            weir_buffer_drop(bytes, (size_t)sent);
            continue;
        }
        if (errno != EAGAIN && errno != EINTR) {
            return fail_by(visit, errno);
        }
        const enum cli_http_result result = await(visit, POLLOUT);
        if (result != CLI_HTTP_ANSWERED) {
            return result;
        }
    }
    return CLI_HTTP_ANSWERED;
}

static enum cli_http_result send_question(const struct visit *visit)
{
    struct weir_buffer bytes = {0};
    write_question(visit->question, &bytes);
    const enum cli_http_result result =
        bytes.failed ? fail(visit, "out of memory") : send_all(visit, &bytes);
    weir_buffer_deinit(&bytes);
    return result;
}

/* ---- The answer ---- */

/* What a head says: the status, and how long the body is. */
struct head {
    size_t len; /* with its empty line */
    unsigned status;
    size_t body_len;
    bool has_length;
};

/* Whether the line begins with this name (in any case) and a colon; gives its value. */
static bool is_header(struct weir_bytes line, const char *name, struct weir_bytes *ret_value)
{
    const size_t len = strlen(name);
    if (line.len <= len || strncasecmp(line.ptr, name, len) != 0 || line.ptr[len] != ':') {
        return false;
    }
    struct weir_bytes value = weir_bytes(line.ptr + len + 1, line.len - len - 1);
    while (value.len > 0 && (value.ptr[0] == ' ' || value.ptr[0] == '\t')) {
        value = weir_bytes(value.ptr + 1, value.len - 1);
    }
    while (value.len > 0 && (value.ptr[value.len - 1] == ' ' || value.ptr[value.len - 1] == '\t')) {
        value.len--;
    }
    *ret_value = value;
    return true;
}

/* NULL, or what is wrong with the line. */
static const char *read_length(struct weir_bytes value, struct head *head)
{
    size_t length = 0;
    if (head->has_length || value.len == 0) {
        return "a Content-Length twice, or an empty one";
    }
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] < '0' || value.ptr[i] > '9') {
            return "a Content-Length that is no number";
        }
        length = length * 10 + (size_t)(value.ptr[i] - '0');
        if (length > CLI_HTTP_BODY_MAX) {
            return "an answer that is too long";
        }
    }
    head->has_length = true;
    head->body_len = length;
    return NULL;
}

static const char *read_header(struct weir_bytes line, struct head *head)
{
    struct weir_bytes value;
    if (line.ptr[0] == ' ' || line.ptr[0] == '\t' || memchr(line.ptr, ':', line.len) == NULL) {
        return "a line that is no header";
    }
    if (is_header(line, "transfer-encoding", &value)) {
        return "an answer in chunks";
    }
    return is_header(line, "content-length", &value) ? read_length(value, head) : NULL;
}

/* "HTTP/1.1 200 OK". */
static const char *read_status(struct weir_bytes line, struct head *head)
{
    static const char version[] = "HTTP/1.";
    const size_t at = sizeof(version) + 1;
    if (line.len < at + 3 || memcmp(line.ptr, version, sizeof(version) - 1) != 0 ||
        line.ptr[at - 1] != ' ') {
        return "something that is not HTTP/1.1";
    }
    for (size_t i = at; i < at + 3; i++) {
        if (line.ptr[i] < '0' || line.ptr[i] > '9') {
            return "a status that is no number";
        }
        head->status = head->status * 10 + (unsigned)(line.ptr[i] - '0');
    }
    return head->status >= 200 ? NULL : "a status that was not asked for";
}

/* All lines of a head that is there whole; NULL, or what is wrong. */
static const char *read_head(struct weir_bytes bytes, struct head *head)
{
    const char *wrong = NULL;
    size_t at = 0;
    for (size_t number = 0; wrong == NULL && at < head->len - 2; number++) {
        const char *end = memmem(bytes.ptr + at, head->len - at, "\r\n", 2);
        const struct weir_bytes line = weir_bytes(bytes.ptr + at, (size_t)(end - bytes.ptr) - at);
        wrong = number == 0 ? read_status(line, head) : read_header(line, head);
        at += line.len + 2;
    }
    return wrong != NULL || head->has_length ? wrong : "an answer without a Content-Length";
}

/* Reads on; with `ret_more` false once the server has said all. */
static enum cli_http_result receive(const struct visit *visit, bool *ret_more)
{
    struct weir_buffer *bytes = &visit->answer->bytes;
    for (;;) {
        if (!weir_buffer_reserve(bytes, READ_SIZE)) {
            return fail(visit, "out of memory");
        }
        const ssize_t got = recv(visit->fd, bytes->bytes + bytes->len, READ_SIZE, 0);
        if (got >= 0) {
            bytes->len += (size_t)got;
            *ret_more = got > 0;
            return CLI_HTTP_ANSWERED;
        }
        if (errno != EAGAIN && errno != EINTR) {
            return fail_by(visit, errno);
        }
        const enum cli_http_result result = await(visit, POLLIN);
        if (result != CLI_HTTP_ANSWERED) {
            return result;
        }
    }
}

/* Looks at what has come so far; NULL, or what is wrong. */
static const char *look_at(const struct weir_buffer *bytes, struct head *head)
{
    if (head->len > 0) {
        return NULL;
    }
    const char *end = bytes->len > 0 ? memmem(bytes->bytes, bytes->len, "\r\n\r\n", 4) : NULL;
    if (end == NULL) {
        return bytes->len > CLI_HTTP_HEAD_MAX ? "headers that are too long" : NULL;
    }
    head->len = (size_t)(end - bytes->bytes) + 4;
    return read_head(weir_buffer_bytes(bytes), head);
}

static enum cli_http_result read_answer(const struct visit *visit)
{
    struct cli_http_answer *answer = visit->answer;
    struct head head = {.len = 0};
    bool more = true;
    while (head.len == 0 || answer->bytes.len < head.len + head.body_len) {
        const enum cli_http_result result = receive(visit, &more);
        if (result != CLI_HTTP_ANSWERED) {
            return result;
        }
        const char *wrong = look_at(&answer->bytes, &head);
        if (wrong != NULL) {
            return fail(visit, "this is no weir: it answers with %s", wrong);
        }
        const bool whole = head.len > 0 && answer->bytes.len >= head.len + head.body_len;
        if (!more && !whole) {
            return fail(visit, "it closed the connection %s",
                        answer->bytes.len > 0 ? "within its answer" : "without an answer");
        }
    }
    if (answer->bytes.len > head.len + head.body_len) {
        return fail(visit, "this is no weir: it answers with more than its Content-Length");
    }
    answer->status = head.status;
    answer->body = weir_bytes(answer->bytes.bytes + head.len, head.body_len);
    return CLI_HTTP_ANSWERED;
}

enum cli_http_result cli_http_ask(const struct cli_http_question *question,
                                  struct cli_http_answer *answer)
{
    struct visit visit = {.question = question,
                          .answer = answer,
                          .until_us = cli_monotonic_us() + question->timeout_us,
                          .fd = -1};
    weir_buffer_clear(&answer->bytes);
    answer->status = 0;
    answer->body = weir_bytes(NULL, 0);
    answer->message[0] = '\0';
    enum cli_http_result result = reach_place(&visit);
    if (result == CLI_HTTP_ANSWERED) {
        result = send_question(&visit);
    }
    if (result == CLI_HTTP_ANSWERED) {
        result = read_answer(&visit);
    }
    leave(&visit);
    return result;
}

void cli_http_answer_deinit(struct cli_http_answer *answer)
{
    weir_buffer_deinit(&answer->bytes);
}
