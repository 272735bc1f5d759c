/* rig_process.h - what rigs are made of: folders, ports, and processes that end with the test. */

#ifndef WEIR_TEST_SUPPORT_RIG_PROCESS_H
#define WEIR_TEST_SUPPORT_RIG_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdnoreturn.h>
#include <sys/types.h>

/* Ends the process with the last words "rig: ...". */
noreturn void rig_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* snprintf into `size` bytes of `text`; what does not fit is a programming error. */
void rig_format(char *text, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

void rig_sleep_ms(int64_t ms);
int64_t rig_monotonic_ms(void);

/* A new folder below TMPDIR or /tmp, named after this process, and its removal with all that is in
 * it. Making one also removes those of processes that ended without having done so. */
void rig_folder_make(char path[static 96]);
void rig_folder_remove(const char *path);

/* A port of 127.0.0.1 that nobody listens on, and whose cluster bus port (port + 10000) is free
 * too. It stays ours, among all rigs of this machine, until the reservation is released. All are
 * below the range from which the kernel takes ports for outgoing connections. */
struct rig_port {
    uint16_t number;
    int reservation;
};
struct rig_port rig_port_reserve(void);
struct rig_port rig_port_reserve_number(uint16_t number);
void rig_port_release(struct rig_port *port);

/* Starts a program that ends with the calling thread at the latest. Words and environment end with
 * NULL; its output goes to the file `log`, and its working directory is `folder`. */
struct rig_program {
    const char *const *words;
    const char *otherwise; /* the program's other name, where there is none of words[0]; or NULL */
    const char *const *environment;
    const char *folder;
    const char *log;
};
pid_t rig_process_start(const struct rig_program *program);

/* Whether it has ended; then it is no longer ours to signal. */
bool rig_process_ended(pid_t process);

/* Ends it by SIGTERM, or by SIGKILL where that took too long, and waits until it has. */
void rig_process_end(pid_t process);

#endif
