/* server.h - `weir serve`: a configuration, its listeners, and workers that serve them (server.c).
 *
 * Read desk.h first. One thread, the caller's, looks after the whole: signals, the file, what is
 * told of the store. Each worker is a thread with a loop and a desk of its own (worker.c), a socket
 * of its own for every listener (listener.c), and its peers (peer.c). Workers share the store where
 * that is memory, and the metrics; nothing else that changes, and wait for nobody.
 *
 * Invariant: a configuration is taken on whole, by all workers, or not at all. */

#ifndef WEIR_SERVER_SERVER_H
#define WEIR_SERVER_SERVER_H

#include <stdbool.h>

struct weir_server_options {
    const char *path;             /* of the configuration */
    bool envoy;                   /* `path` is a folder of envoyproxy/ratelimit's files; NULL: the
                                     environment names it */
    void (*ready)(void *context); /* once every listener takes connections; NULL */
    void *context;
};

/* Serves until SIGTERM or SIGINT, and then until what is under way is answered or caps.drain is
 * over. Messages go to stderr. True: it was asked to end; false: it could not start. */
bool weir_server_run(const struct weir_server_options *options);

#endif
