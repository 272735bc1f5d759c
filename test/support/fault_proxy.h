/* fault_proxy.h - stands between a client and a server of 127.0.0.1, as a thread of the test, and
 * does to their bytes what networks do.
 *
 * Every call but those that only tell returns when the proxy has taken it up: what is sent after it
 * meets the new behaviour. Not for use from several threads at once. */

#ifndef WEIR_TEST_SUPPORT_FAULT_PROXY_H
#define WEIR_TEST_SUPPORT_FAULT_PROXY_H

#include <stdbool.h>
#include <stdint.h>

struct fault_proxy;

/* All zero: passes everything at once. What is set together holds together. */
struct fault_proxy_behaviour {
    /* Nobody listens on the port: new connections are refused. Those that exist go on. */
    bool refuse;

    /* Bytes of this direction are not read: the kernel takes them until its buffers are full. Both
     * together are a server that accepts and never answers; to_client alone one whose answers are
     * lost. They go on their way when it ends. */
    bool stall_to_server;
    bool stall_to_client;

    /* How long bytes are under way. */
    unsigned delay_to_server_ms;
    unsigned delay_to_client_ms;

    /* Bytes go one by one, with this pause between two; 0: as they come. */
    unsigned trickle_ms;

    /* To the client, a connection ends after so many bytes from now on; 0: never. */
    uint64_t truncate_after;
};

/* Listens on a free port and passes everything to `server_port`. */
struct fault_proxy *fault_proxy_start(uint16_t server_port);

/* Ends the thread and all connections. NULL is fine. */
void fault_proxy_stop(struct fault_proxy *proxy);

uint16_t fault_proxy_port(const struct fault_proxy *proxy);

/* Behaves so from now on; NULL: passes everything at once. */
void fault_proxy_set(struct fault_proxy *proxy, const struct fault_proxy_behaviour *behaviour);

/* Ends all connections that there are: in order, or with a reset; what is under way in them is
 * lost. */
void fault_proxy_cut(struct fault_proxy *proxy);
void fault_proxy_reset(struct fault_proxy *proxy);

/* What came to it so far: connections accepted, connections now, bytes passed on to the server and
 * to the client. */
struct fault_proxy_account {
    uint64_t accepted;
    uint64_t open;
    uint64_t to_server;
    uint64_t to_client;
};
struct fault_proxy_account fault_proxy_tell(struct fault_proxy *proxy);

#endif
