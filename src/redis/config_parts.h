/* config_parts.h - what config.c (who and where), config_options.c (what follows the '?') and
 * config_login.c (as whom) share while they read a URL. */

#ifndef WEIR_REDIS_CONFIG_PARTS_H
#define WEIR_REDIS_CONFIG_PARTS_H

#include "base/url.h"
#include "redis/config.h"

struct weir_scheme {
    const char *name;
    enum weir_topology topology;
    bool tls;
    bool socket; /* a unix socket */
};

enum weir_config_option {
    WEIR_OPTION_DB,
    WEIR_OPTION_DEADLINE,
    WEIR_OPTION_ON_ERROR,
    WEIR_OPTION_LOCAL,
    WEIR_OPTION_DENY_CACHE,
    WEIR_OPTION_PREFIX,
    WEIR_OPTION_USER,
    WEIR_OPTION_PASSWORD_FILE,
    WEIR_OPTION_PASSWORD_ENV,
    WEIR_OPTION_SENTINEL_USER,
    WEIR_OPTION_SENTINEL_PASSWORD_FILE,
    WEIR_OPTION_SENTINEL_PASSWORD_ENV,
    WEIR_OPTION_CA,
    WEIR_OPTION_CERT,
    WEIR_OPTION_KEY,
    WEIR_OPTION_SNI,
    WEIR_OPTION_VERIFY,
    WEIR_OPTION_COUNT
};

/* What was found so far. A place in the URL whose pointer is NULL was not there. */
struct weir_config_reader {
    struct weir_url_part url; /* all of it */
    const struct weir_scheme *scheme;
    struct weir_bytes user; /* before the '@' */
    struct weir_bytes password;
    struct weir_bytes values[WEIR_OPTION_COUNT];
    struct weir_redis_config *config;
};

/* A database's number. */
enum weir_status weir_config_database(const struct weir_url_part *part,
                                      struct weir_redis_config *config);

/* Reads what follows the '?', but for logins: of these the places alone. */
enum weir_status weir_config_options(struct weir_config_reader *reader, struct weir_bytes query);

/* Reads users and passwords from wherever they are. */
enum weir_status weir_config_logins(struct weir_config_reader *reader,
                                    const struct weir_redis_options *options);

#endif
