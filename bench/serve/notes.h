/* notes.h - what the clients of bench/serve and bench/envoy share: latencies noted and summed up,
 * the clock, and the end of it all. Read client.c first. */

#ifndef WEIR_BENCH_NOTES_H
#define WEIR_BENCH_NOTES_H

#include <stddef.h>
#include <stdint.h>

/* From one key to the next, see bench/redis/load.h. */
#define STEP 61803

#define NOTES_MAX ((size_t)1 << 23)
#define KEY_LEN 16

/* Stands in a request where a key goes. */
extern const char placeholder[KEY_LEN];

/* Says what is wrong, and ends the program. */
__attribute__((format(printf, 1, 2), noreturn)) void die(const char *format, ...);

int64_t clock_ns(void);

/* The bytes that `hex` says, at most `size`; how many. */
size_t read_hex(const char *hex, char *bytes, size_t size);

/* The digits of `number` in place of the key's last ones. */
void write_key(char *key, uint32_t number);

void clear_notes(void);
void note(int64_t ns);

/* A line of JSON: how many, how many of these were allowed, how long it took, the latencies. */
void answer(uint64_t count, uint64_t allowed, int64_t elapsed_ns);

/* A connection to a port of this machine, that neither waits nor gathers; it is in `poll`, with
 * `data`. */
int open_lane(int poll, uint16_t port, void *data);

/* Sends all of it. */
void send_all(int fd, const char *bytes, size_t len);

#endif
