/* store.c - the URL of the store that REDIS_* name. See parts.h.
 *
 * Whoever reads the source of envoyproxy/ratelimit finds REDIS_URL to be host:port, a path where
 * REDIS_SOCKET_TYPE is unix, for Sentinel the service and then sentinels, for Cluster nodes, all
 * with commas; and redis:// and rediss:// in front of a host. */

#include "envoy/parts.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

/* The longest deadline that a store takes. */
#define DEADLINE_US_MAX INT64_C(60000000)
#define DEADLINE_DEFAULT_MS 50

/* What is not a letter, a digit or one of a few more, as %XX. */
static void put_escaped(struct weir_buffer *url, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        const unsigned char byte = (unsigned char)text[i];
        if (isalnum(byte) || strchr("-._~/", (char)byte) != NULL) {
            weir_buffer_put(url, weir_bytes(text + i, 1));
        } else {
            weir_buffer_print(url, "%%%02X", byte);
        }
    }
}

enum shape {
    SHAPE_SINGLE = 0,
    SHAPE_SENTINEL,
    SHAPE_CLUSTER
};

static enum shape read_shape(struct weir_variables *variables)
{
    const char *type = weir_envoy_variable(variables->source, "REDIS_TYPE");
    if (type == NULL || strcasecmp(type, "SINGLE") == 0) {
        return SHAPE_SINGLE;
    }
    if (strcasecmp(type, "SENTINEL") == 0) {
        return SHAPE_SENTINEL;
    }
    if (strcasecmp(type, "CLUSTER") != 0) {
        weir_variable_complain(variables, "REDIS_TYPE",
                               "expected SINGLE, SENTINEL or CLUSTER, not '%.40s'", type);
    }
    return SHAPE_CLUSTER;
}

/* The user, where REDIS_AUTH has one, and the password. */
static void put_credentials(struct weir_buffer *url, const char *auth)
{
    const char *colon = auth != NULL ? strchr(auth, ':') : NULL;
    if (colon != NULL) {
        put_escaped(url, auth, (size_t)(colon - auth));
        weir_buffer_put_text(url, ":");
        put_escaped(url, colon + 1, strlen(colon + 1));
        weir_buffer_put_text(url, "@");
    } else if (auth != NULL) {
        weir_buffer_put_text(url, ":");
        put_escaped(url, auth, strlen(auth));
        weir_buffer_put_text(url, "@");
    }
}

/* Without a scheme in front. */
static const char *bare(const char *address, bool *ret_tls)
{
    static const char *const schemes[] = {"redis://", "rediss://", "tcp://"};
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        if (strncasecmp(address, schemes[i], strlen(schemes[i])) == 0) {
            *ret_tls = *ret_tls || i == 1;
            return address + strlen(schemes[i]);
        }
    }
    return address;
}

static void put_option(struct weir_buffer *url, const char *name, const char *value)
{
    const bool first = url->len == 0 || memchr(url->bytes, '?', url->len) == NULL;
    weir_buffer_print(url, "%s%s=", first ? "?" : "&", name);
    put_escaped(url, value, strlen(value));
}

static void put_options(struct weir_variables *variables, struct weir_buffer *url, bool tls,
                        enum shape shape)
{
    static const struct {
        const char *variable;
        const char *option;
    } paths[] = {{"REDIS_TLS_CACERT", "ca"},
                 {"REDIS_TLS_CLIENT_CERT", "cert"},
                 {"REDIS_TLS_CLIENT_KEY", "key"}};
    for (size_t i = 0; tls && i < sizeof(paths) / sizeof(paths[0]); i++) {
        const char *path = weir_envoy_variable(variables->source, paths[i].variable);
        if (path != NULL) {
            put_option(url, paths[i].option, path);
        }
    }
    if (shape == SHAPE_SENTINEL &&
        weir_envoy_variable(variables->source, "REDIS_SENTINEL_AUTH") != NULL) {
        put_option(url, "sentinel_password_env", "REDIS_SENTINEL_AUTH");
    }
}

int64_t weir_envoy_timeout_ms(struct weir_variables *variables)
{
    const char *timeout = weir_envoy_variable(variables->source, "REDIS_TIMEOUT");
    int64_t us = 0;
    if (timeout == NULL) {
        return DEADLINE_DEFAULT_MS;
    }
    if (!weir_go_duration(timeout, &us) || us < 1000) {
        weir_variable_complain(variables, "REDIS_TIMEOUT",
                               "expected a duration of 1ms or more, as 50ms, not '%.40s'", timeout);
        return DEADLINE_DEFAULT_MS;
    }
    return (us < DEADLINE_US_MAX ? us : DEADLINE_US_MAX) / 1000;
}

/* "service,host:port,host:port": the service comes last in a URL. */
static void put_sentinels(struct weir_variables *variables, struct weir_buffer *url,
                          const char *address)
{
    const char *comma = strchr(address, ',');
    if (comma == NULL || comma == address) {
        weir_variable_complain(variables, "REDIS_URL",
                               "of SENTINEL it is the service and then sentinels, as "
                               "mymaster,host:26379,host:26379");
        return;
    }
    weir_buffer_put_text(url, comma + 1);
    weir_buffer_put_text(url, "/");
    put_escaped(url, address, (size_t)(comma - address));
}

void weir_envoy_store(struct weir_variables *variables, struct weir_buffer *url)
{
    static const char *const schemes[] = {"redis", "redis+sentinel", "redis+cluster"};
    static const char *const secure[] = {"rediss", "rediss+sentinel", "rediss+cluster"};
    const char *address = weir_envoy_variable(variables->source, "REDIS_URL");
    const char *kind = weir_envoy_variable(variables->source, "REDIS_SOCKET_TYPE");
    const char *auth = weir_envoy_variable(variables->source, "REDIS_AUTH");
    const enum shape shape = read_shape(variables);
    bool tls = weir_variable_truth(variables, "REDIS_TLS");
    if (address == NULL) {
        return;
    }
    if (kind != NULL && strcasecmp(kind, "tls") == 0) {
        tls = true;
    } else if (kind != NULL && strcasecmp(kind, "tcp") != 0 && strcasecmp(kind, "unix") != 0) {
        weir_variable_complain(variables, "REDIS_SOCKET_TYPE",
                               "expected unix, tcp or tls, not '%.40s'", kind);
    }
    const char *rest = bare(address, &tls);
    if (rest[0] == '/') {
        weir_buffer_put_text(url, "redis+unix://");
        put_credentials(url, auth);
        put_escaped(url, rest, strlen(rest));
    } else {
        weir_buffer_print(url, "%s://", (tls ? secure : schemes)[shape]);
        put_credentials(url, auth);
        if (shape == SHAPE_SENTINEL) {
            put_sentinels(variables, url, rest);
        } else {
            weir_buffer_put_text(url, rest);
        }
    }
    if (url->len > 0) {
        put_options(variables, url, tls, shape);
    }
}
