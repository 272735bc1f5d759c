/* envoy.h - the files and the environment of envoyproxy/ratelimit, read into a configuration of
 * weir's (envoy.c).
 *
 * Read rls.h and config.h first. A folder of YAML files, one domain each, gives the rules; the
 * environment's variables give listeners, store and settings. Whatever is wrong is complained of,
 * all at once, with file, line, column and what to write instead; a variable that is set and that
 * weir does not honour is warned of.
 *
 * Invariant: a configuration is whole, or there is none. */

#ifndef WEIR_ENVOY_ENVOY_H
#define WEIR_ENVOY_ENVOY_H

#include "config/config.h"

/* The configuration of the folder `path`; NULL: the one that RUNTIME_ROOT, RUNTIME_SUBDIRECTORY and
 * RUNTIME_APPDIRECTORY name. The result has `rls` set, a listener for gRPC, one for HTTP and one
 * for debugging, the folder (and what it links to) in `folders` for whoever watches, and goes with
 * weir_config_free. Complaints and warnings are appended to `messages` as whole lines. Errors as
 * weir_config_read. Threads: any; reads the environment. */
WEIR_MUST_CHECK enum weir_status weir_envoy_read(const char *path, struct weir_buffer *messages,
                                                 struct weir_config **ret_config);

#endif
