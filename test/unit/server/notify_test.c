/* notify_test.c - what systemd is told, over a real socket of either kind; and that nobody is held
 * up where there is none that listens. */

#include "server/notify.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[64];
static int listener = -1;

/* Listens as systemd does, and says where. `name` is a path, or begins with '@'. */
static void listen_at(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const size_t length = strlen(name);
    assert_true(length < sizeof(address.sun_path));
    memcpy(address.sun_path, name, length);
    if (name[0] == '@') {
        address.sun_path[0] = '\0';
    }
    listener = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_true(listener >= 0);
    const size_t size = offsetof(struct sockaddr_un, sun_path) + length + (name[0] == '/');
    assert_int_equal(bind(listener, (struct sockaddr *)&address, (socklen_t)size), 0);
    assert_int_equal(setenv("NOTIFY_SOCKET", name, 1), 0);
}

/* The next message, or "" where there is none. */
static const char *heard(void)
{
    static char message[1024];
    const ssize_t count = recv(listener, message, sizeof(message) - 1, 0);
    message[count > 0 ? count : 0] = '\0';
    return message;
}

static int begin(void **state)
{
    char path[96];
    (void)state;
    (void)snprintf(folder, sizeof(folder), "/tmp/weir-notify-XXXXXX");
    if (mkdtemp(folder) == NULL) {
        return -1;
    }
    (void)snprintf(path, sizeof(path), "%s/notify", folder);
    listen_at(path);
    return 0;
}

static int end(void **state)
{
    char path[96];
    (void)state;
    (void)close(listener);
    (void)unsetenv("NOTIFY_SOCKET");
    (void)unsetenv("WATCHDOG_USEC");
    (void)unsetenv("WATCHDOG_PID");
    (void)snprintf(path, sizeof(path), "%s/notify", folder);
    (void)unlink(path);
    return rmdir(folder);
}

static int64_t monotonic_us(void)
{
    struct timespec now;
    assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &now), 0);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void expect_all(void)
{
    weir_notify_ready("12 rules");
    assert_string_equal(heard(), "READY=1\nSTATUS=12 rules\n");
    weir_notify_stopping();
    assert_string_equal(heard(), "STOPPING=1\n");
    weir_notify_alive();
    assert_string_equal(heard(), "WATCHDOG=1\n");
    const int64_t before_us = monotonic_us();
    weir_notify_reloading();
    const int64_t after_us = monotonic_us();
    int64_t told_us = 0;
    char rest[8] = "";
    assert_int_equal(
        sscanf(heard(), "RELOADING=1\nMONOTONIC_USEC=%" SCNd64 "%1[\n]", &told_us, rest), 2);
    assert_true(told_us >= before_us && told_us <= after_us);
    assert_string_equal(heard(), "");
}

static void systemd_is_told(void **state)
{
    (void)state;
    expect_all();
}

static void systemd_is_told_at_a_name_of_the_abstract_kind(void **state)
{
    char name[64];
    (void)state;
    (void)close(listener);
    (void)snprintf(name, sizeof(name), "@weir-test-%d", (int)getpid());
    listen_at(name);
    expect_all();
}

static void a_status_is_one_line(void **state)
{
    char status[301];
    char expected[256];
    (void)state;
    weir_notify_ready("a\nSTOPPING=1\r\x01z");
    assert_string_equal(heard(), "READY=1\nSTATUS=a STOPPING=1  z\n");
    memset(status, 's', sizeof(status) - 1);
    status[300] = '\0';
    weir_notify_ready(status);
    (void)snprintf(expected, sizeof(expected), "READY=1\nSTATUS=%.200s\n", status);
    assert_string_equal(heard(), expected);
}

static void nobody_is_told_where_nobody_listens(void **state)
{
    static char long_path[200];
    static const char *const nowhere[] = {
        "", "/", "@", "relative", "/nowhere/at/all", long_path, "vsock:2:1234"};
    (void)state;
    memset(long_path, '/', sizeof(long_path) - 1);
    for (size_t i = 0; i < sizeof(nowhere) / sizeof(nowhere[0]); i++) {
        assert_int_equal(setenv("NOTIFY_SOCKET", nowhere[i], 1), 0);
        weir_notify_ready("on");
        weir_notify_alive();
    }
    assert_int_equal(unsetenv("NOTIFY_SOCKET"), 0);
    weir_notify_ready("on");
    weir_notify_reloading();
    weir_notify_stopping();
    assert_string_equal(heard(), "");
}

/* systemd hangs: its socket fills up, and we go on. */
static void nobody_is_waited_for(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 5000; i++) {
        weir_notify_alive();
    }
    assert_string_equal(heard(), "WATCHDOG=1\n");
}

static void the_watchdog_is_read(void **state)
{
    static const struct {
        const char *us;
        int64_t expected;
    } cases[] = {
        {"30000000", 30000000},      {"1", 1}, {"0", 0}, {"", 0}, {"-5", 0}, {"x", 0}, {"12x", 0},
        {"99999999999999999999", 0},
    };
    char pid[24];
    (void)state;
    assert_int_equal(weir_notify_watchdog_us(), 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(setenv("WATCHDOG_USEC", cases[i].us, 1), 0);
        assert_true(weir_notify_watchdog_us() == cases[i].expected);
    }
    assert_int_equal(setenv("WATCHDOG_USEC", "2000000", 1), 0);
    (void)snprintf(pid, sizeof(pid), "%d", (int)getpid());
    assert_int_equal(setenv("WATCHDOG_PID", pid, 1), 0);
    assert_true(weir_notify_watchdog_us() == 2000000);
    assert_int_equal(setenv("WATCHDOG_PID", "1", 1), 0); /* another's */
    assert_true(weir_notify_watchdog_us() == 0);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        CASE(systemd_is_told),      CASE(systemd_is_told_at_a_name_of_the_abstract_kind),
        CASE(a_status_is_one_line), CASE(nobody_is_told_where_nobody_listens),
        CASE(nobody_is_waited_for), CASE(the_watchdog_is_read),
    };
    return cmocka_run_group_tests_name("notify", tests, NULL, NULL);
}
