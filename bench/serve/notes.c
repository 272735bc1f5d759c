/* notes.c - see notes.h. */

#include "notes.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

const char placeholder[KEY_LEN] = {'u', 's', 'e', 'r', ':', '0', '0', '0',
                                   '0', '0', '0', '0', '0', '0', '0', '0'};

static uint32_t notes[NOTES_MAX];
static size_t notes_count;

void die(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)fputs("bench: ", stderr);
    (void)vfprintf(stderr, format, arguments);
    (void)fputc('\n', stderr);
    va_end(arguments);
    exit(2);
}

int64_t clock_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static unsigned digit_of(char letter)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = letter != '\0' ? strchr(digits, letter) : NULL;
    if (at == NULL) {
        die("no hexadecimal digit: %c", letter);
    }
    return (unsigned)(at - digits);
}

size_t read_hex(const char *hex, char *bytes, size_t size)
{
    const size_t len = strlen(hex) / 2;
    if (len > size) {
        die("too long a request: %zu bytes", len);
    }
    for (size_t i = 0; i < len; i++) {
        bytes[i] = (char)(digit_of(hex[2 * i]) << 4 | digit_of(hex[2 * i + 1]));
    }
    return len;
}

void write_key(char *key, uint32_t number)
{
    for (char *digit = key + KEY_LEN - 1; number > 0; digit--) {
        *digit = (char)('0' + number % 10);
        number /= 10;
    }
}

/* ---- Latencies ---- */

void clear_notes(void)
{
    notes_count = 0;
}

void note(int64_t ns)
{
    if (notes_count < NOTES_MAX) {
        notes[notes_count++] = ns < UINT32_MAX ? (uint32_t)ns : UINT32_MAX;
    }
}

static int by_size(const void *left, const void *right)
{
    const uint32_t a = *(const uint32_t *)left;
    const uint32_t b = *(const uint32_t *)right;
    return (a > b) - (a < b);
}

static double percentile_us(double share)
{
    const size_t at = (size_t)((double)(notes_count - 1) * share);
    return notes_count > 0 ? notes[at] / 1000.0 : 0;
}

void answer(uint64_t count, uint64_t allowed, int64_t elapsed_ns)
{
    qsort(notes, notes_count, sizeof(*notes), by_size);
    printf("{\"count\": %llu, \"allowed\": %llu, \"ns\": %lld, \"p50\": %.1f, \"p99\": %.1f, "
           "\"p999\": %.1f, \"max\": %.1f}\n",
           (unsigned long long)count, (unsigned long long)allowed, (long long)elapsed_ns,
           percentile_us(0.5), percentile_us(0.99), percentile_us(0.999), percentile_us(1));
}

/* ---- Connections ---- */

int open_lane(int poll, uint16_t port, void *data)
{
    const struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int on = 1;
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = data};
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0 ||
        fcntl(fd, F_SETFL, O_NONBLOCK) != 0 || epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event) != 0) {
        die("can't connect to port %u", port);
    }
    return fd;
}

void send_all(int fd, const char *bytes, size_t len)
{
    for (size_t sent = 0; sent < len;) {
        const ssize_t some = send(fd, bytes + sent, len - sent, MSG_NOSIGNAL);
        if (some < 0 && errno != EAGAIN && errno != EINTR) {
            die("can't send: %s", strerror(errno));
        }
        sent += some > 0 ? (size_t)some : 0;
    }
}
