/* activation_test.c - sockets that another process opens and hands over: by their names, what is
 * made of them, and what is said of those that are no use. */

#include "server/activation.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* The most that a test hands over. */
#define HANDED_MAX 8

enum kind {
    LISTENING,
    CONNECTED, /* a stream socket that is not listening */
    DATAGRAM,
    FILE_OF_OURS /* no socket */
};

/* What is handed over: at 3, 4, ... in this order, under `names` (NULL: none are told). */
struct handing {
    const char *names;
    size_t count;
    enum kind kinds[HANDED_MAX];
    const char *told; /* as LISTEN_FDS; NULL: `count` */
    bool to_another;  /* LISTEN_PID is not the process's */
};

static int make(enum kind kind)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (kind == FILE_OF_OURS) {
        return open("/dev/null", O_RDONLY | O_CLOEXEC);
    }
    const int type = kind == DATAGRAM ? SOCK_DGRAM : SOCK_STREAM;
    const int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        return -1;
    }
    return kind != LISTENING || listen(fd, 1) == 0 ? fd : -1;
}

static unsigned port_of(int fd)
{
    struct sockaddr_in address;
    socklen_t length = sizeof(address);
    return getsockname(fd, (struct sockaddr *)&address, &length) == 0 ? ntohs(address.sin_port) : 0;
}

/* In a process of its own: has things handed over, and then runs. */
static void hand_over(const struct handing *handing)
{
    char text[24];
    int high[HANDED_MAX];
    for (size_t i = 0; i < handing->count; i++) {
        const int fd = make(handing->kinds[i]);
        high[i] = fcntl(fd, F_DUPFD_CLOEXEC, 100);
        if (fd < 0 || high[i] < 0) {
            _exit(2);
        }
        (void)close(fd);
    }
    for (size_t i = 0; i < handing->count; i++) {
        (void)dup2(high[i], 3 + (int)i); /* without close-on-exec, as systemd does */
    }
    (void)snprintf(text, sizeof(text), "%d", (int)getpid() + (handing->to_another ? 1 : 0));
    (void)setenv("LISTEN_PID", text, 1);
    (void)snprintf(text, sizeof(text), "%zu", handing->count);
    (void)setenv("LISTEN_FDS", handing->told != NULL ? handing->told : text, 1);
    (void)unsetenv("LISTEN_FDNAMES");
    if (handing->names != NULL) {
        (void)setenv("LISTEN_FDNAMES", handing->names, 1);
    }
}

/* What comes of taking `name`: "descriptor N" for the one that was handed over as the Nth, "not as
 * it should be: ...", or the error's message. */
static void take(const struct handing *handing, const char *name, char *text, size_t size)
{
    struct weir_error error = {0};
    unsigned ports[HANDED_MAX];
    hand_over(handing);
    for (size_t i = 0; i < handing->count; i++) {
        ports[i] = port_of(3 + (int)i);
    }
    int fd = -2;
    const enum weir_status status = weir_activation_take(name, &fd, &error);
    if (status != WEIR_OK) {
        (void)snprintf(text, size, "%s%s", status == WEIR_ERR_SYSTEM && fd == -2 ? "" : "? ",
                       error.message);
        return;
    }
    weir_activation_forget();
    (void)snprintf(text, size, "?");
    for (size_t i = 0; i < handing->count; i++) {
        if (ports[i] == port_of(fd)) {
            (void)snprintf(text, size, "descriptor %zu", i);
        }
    }
    bool good = (fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0 && (fcntl(fd, F_GETFL) & O_NONBLOCK) != 0;
    for (size_t i = 0; i < handing->count; i++) {
        good = good && (fd == 3 + (int)i || fcntl(3 + (int)i, F_GETFD) < 0);
    }
    good = good && getenv("LISTEN_PID") == NULL && getenv("LISTEN_FDS") == NULL &&
           getenv("LISTEN_FDNAMES") == NULL;
    if (!good) {
        (void)snprintf(text, size, "not as it should be");
    }
}

static void expect(const struct handing *handing, const char *name, const char *expected)
{
    char text[512];
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        const int end = fcntl(ends[1], F_DUPFD_CLOEXEC, 200);
        take(handing, name, text, sizeof(text));
        _exit(write(end, text, strlen(text)) >= 0 ? 0 : 1);
    }
    (void)close(ends[1]);
    const ssize_t count = read(ends[0], text, sizeof(text) - 1);
    (void)close(ends[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    text[count > 0 ? count : 0] = '\0';
    assert_string_equal(text, expected);
}

static void a_socket_is_taken_by_its_name(void **state)
{
    const struct handing three = {"http:resp:more", 3, {LISTENING, LISTENING, LISTENING}, 0, 0};
    const struct handing nameless = {NULL, 1, {LISTENING}, 0, 0};
    const struct handing empty = {":resp:", 3, {LISTENING, LISTENING, LISTENING}, 0, 0};
    (void)state;
    expect(&three, "http", "descriptor 0");
    expect(&three, "resp", "descriptor 1");
    expect(&three, "more", "descriptor 2");
    expect(&nameless, "unknown", "descriptor 0"); /* what systemd calls it */
    expect(&empty, "resp", "descriptor 1");
}

static void what_is_not_there_is_said(void **state)
{
    const struct handing two = {"http:resp", 2, {LISTENING, LISTENING}, 0, 0};
    const struct handing twice = {"http:resp:http", 3, {LISTENING, LISTENING, LISTENING}, 0, 0};
    const struct handing fewer = {"http", 3, {LISTENING, LISTENING, LISTENING}, 0, 0};
    (void)state;
    expect(&two, "admin", "systemd hands over no socket admin, but: http, resp");
    expect(&two, "htt", "systemd hands over no socket htt, but: http, resp");
    expect(&two, "http:resp", "systemd hands over no socket http:resp, but: http, resp");
    expect(
        &twice, "http",
        "systemd hands over 2 sockets http: give each a unit and a FileDescriptorName= of its own");
    expect(&fewer, "http", "descriptor 0");
    expect(&fewer, "resp", "systemd hands over no socket resp, but: http, , ");
}

static void many_names_are_cut(void **state)
{
    char names[256];
    char expected[256];
    const struct handing two = {names, 2, {LISTENING, LISTENING}, 0, 0};
    (void)state;
    memset(names, 'n', 200);
    (void)snprintf(names + 200, 8, ":m");
    (void)snprintf(expected, sizeof(expected), "systemd hands over no socket a, but: %.117s, ",
                   names);
    expect(&two, "a", expected);
}

static void nothing_is_handed_over(void **state)
{
    static const char *const counts[] = {"0", "-1", "", "x", "1x", "99999999999999999999", "1025"};
    const struct handing others = {"http", 1, {LISTENING}, NULL, true};
    (void)state;
    expect(&others, "http", "systemd hands no sockets over, so none that is called http");
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        const struct handing none = {"http", 1, {LISTENING}, counts[i], false};
        expect(&none, "http", "systemd hands no sockets over, so none that is called http");
    }
}

static void only_what_listens_is_of_use(void **state)
{
    const struct handing odd = {"a:b:c:d", 4, {CONNECTED, DATAGRAM, FILE_OF_OURS, LISTENING}, 0, 0};
    (void)state;
    expect(&odd, "a", "what systemd hands over as a is not listening: its unit needs Accept=no");
    expect(&odd, "b",
           "what systemd hands over as b is no stream socket: its unit needs ListenStream=");
    expect(&odd, "c", "what systemd hands over as c is no socket");
    expect(&odd, "d", "descriptor 3");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_socket_is_taken_by_its_name),
        cmocka_unit_test(what_is_not_there_is_said),
        cmocka_unit_test(many_names_are_cut),
        cmocka_unit_test(nothing_is_handed_over),
        cmocka_unit_test(only_what_listens_is_of_use),
    };
    return cmocka_run_group_tests_name("activation", tests, NULL, NULL);
}
