/* variables.c - the environment of envoyproxy/ratelimit, read into the text of a configuration. See
 * parts.h.
 *
 * The table is all there is to know of each variable; the manual is held to it. */

#include "envoy/parts.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define HOST_DEFAULT "127.0.0.1"

/* ---- The table ----------------------------------------------------------------------------- */

#define HONOURED WEIR_VARIABLE_HONOURED
#define IGNORED WEIR_VARIABLE_IGNORED
#define REFUSED WEIR_VARIABLE_REFUSED

static const char no_xds[] = "the configuration comes from files";
static const char no_statsd[] = "weir sends nothing: it is asked, at /metrics and /stats";
static const char no_pool[] =
    "weir has one connection for all that waits, see docs/manual/redis.md";
static const char no_memcache[] = "there is no memcached: set BACKEND_TYPE=redis and REDIS_URL";
static const char no_second[] = "one store has all rules";
static const char no_trace[] = "weir does not trace";
static const char a_listener[] = "a listener's address; 127.0.0.1 where none is named";

const struct weir_variable weir_variables[] = {
    {"HOST", HONOURED, "", a_listener},
    {"PORT", HONOURED, "", "the port of /json and /healthcheck"},
    {"GRPC_HOST", HONOURED, "", a_listener},
    {"GRPC_PORT", HONOURED, "", "the port of gRPC"},
    {"GRPC_UDS", HONOURED, "", "a unix socket in place of GRPC_HOST and GRPC_PORT"},
    {"DEBUG_HOST", HONOURED, "", a_listener},
    {"DEBUG_PORT", HONOURED, "", "the port of /stats and /rlconfig"},
    {"GRPC_SERVER_USE_TLS", HONOURED, "", "TLS for gRPC"},
    {"GRPC_SERVER_TLS_CERT", HONOURED, "", "its certificate"},
    {"GRPC_SERVER_TLS_KEY", HONOURED, "", "and the key of that"},
    {"GRPC_CLIENT_TLS_CACERT", HONOURED, "", "clients show a certificate of this authority"},
    {"GRPC_CLIENT_TLS_SAN", REFUSED, "",
     "names in clients' certificates are not looked at: have "
     "an authority of your own for GRPC_CLIENT_TLS_CACERT"},
    {"GRPC_MAX_CONNECTION_AGE", IGNORED, "24h", "connections live as long as their clients want"},
    {"GRPC_MAX_CONNECTION_AGE_GRACE", IGNORED, "1h",
     "connections live as long as their clients want"},
    {"LOG_LEVEL", HONOURED, "", "debug, info, warn, error"},
    {"LOG_FORMAT", HONOURED, "", "text or json"},
    {"RUNTIME_ROOT", HONOURED, "", "with --envoy: where the folder of files is"},
    {"RUNTIME_SUBDIRECTORY", HONOURED, "", "likewise"},
    {"RUNTIME_APPDIRECTORY", HONOURED, "", "likewise"},
    {"RUNTIME_IGNOREDOTFILES", IGNORED, "true", "files that begin with a dot are never read"},
    {"RUNTIME_WATCH_ROOT", IGNORED, "true", "the files, and what links to them, are watched"},
    {"MERGE_DOMAIN_CONFIG", HONOURED, "", "files of one domain are one"},
    {"CONFIG_TYPE", HONOURED, "", "FILE; GRPC_XDS_SOTW is refused"},
    {"FORCE_START_WITHOUT_INITIAL_CONFIG", IGNORED, "false",
     "the first configuration has to be right; later ones are taken on or not"},
    {"HEALTHY_WITH_AT_LEAST_ONE_CONFIG_LOADED", IGNORED, "false",
     "weir starts with a configuration, or not at all"},
    {"CACHE_KEY_PREFIX", HONOURED, "", "a part of every key"},
    {"NEAR_LIMIT_RATIO", HONOURED, "", "what near_limit counts from"},
    {"EXPIRATION_JITTER_MAX_SECONDS", IGNORED, "300", "keys expire when they are as if never used"},
    {"LOCAL_CACHE_SIZE_IN_BYTES", IGNORED, "0",
     "denials that still hold are remembered anyway, in a megabyte"},
    {"STOP_CACHE_KEY_INCREMENT_WHEN_OVERLIMIT", IGNORED, "false",
     "nothing is counted past a limit; write atomic: true in a file for all or none"},
    {"LIMIT_RESPONSE_HEADERS_ENABLED", HONOURED, "", "the three headers"},
    {"LIMIT_LIMIT_HEADER", HONOURED, "", "the name of one"},
    {"LIMIT_REMAINING_HEADER", HONOURED, "", "likewise"},
    {"LIMIT_RESET_HEADER", HONOURED, "", "likewise"},
    {"SHADOW_MODE", HONOURED, "", "counts, and denies nothing"},
    {"QUOTA_MODE", HONOURED, "", "every rule is a quota"},
    {"RESPONSE_DYNAMIC_METADATA", HONOURED, "", "dynamic metadata in responses"},
    {"BACKEND_TYPE", HONOURED, "", "redis; memcache is refused"},
    {"REDIS_SOCKET_TYPE", HONOURED, "", "unix, tcp or tls"},
    {"REDIS_TYPE", HONOURED, "", "SINGLE, SENTINEL or CLUSTER"},
    {"REDIS_URL", HONOURED, "", "where Redis is; where it is not set, the state is in memory"},
    {"REDIS_AUTH", HONOURED, "", "a password, or user:password"},
    {"REDIS_SENTINEL_AUTH", HONOURED, "", "the password of sentinels"},
    {"REDIS_TLS", HONOURED, "", "TLS to Redis"},
    {"REDIS_TLS_CLIENT_CERT", HONOURED, "", "a certificate to show"},
    {"REDIS_TLS_CLIENT_KEY", HONOURED, "", "its key"},
    {"REDIS_TLS_CACERT", HONOURED, "", "the authority to trust"},
    {"REDIS_TLS_SKIP_HOSTNAME_VERIFICATION", REFUSED, "false",
     "a name that is not looked at is no check: give the certificate the right name"},
    {"REDIS_TIMEOUT", HONOURED, "",
     "a decision's deadline, a minute at most; 50ms where none is set"},
    {"REDIS_POOL_SIZE", IGNORED, "10", no_pool},
    {"REDIS_POOL_ON_EMPTY_BEHAVIOR", IGNORED, "WAIT", no_pool},
    {"REDIS_PIPELINE_WINDOW", IGNORED, "0", no_pool},
    {"REDIS_PIPELINE_LIMIT", IGNORED, "0", no_pool},
    {"REDIS_CLUSTER_PIPELINE_PARALLELISM", IGNORED, "1", no_pool},
    {"REDIS_HEALTH_CHECK_ACTIVE_CONNECTION", IGNORED, "false",
     "on_error decides while Redis is gone, so that weir is healthy then"},
    {"REDIS_STARTUP_INITIAL_INTERVAL", IGNORED, "1s", "weir starts without Redis too"},
    {"REDIS_STARTUP_MAX_INTERVAL", IGNORED, "30s", "weir starts without Redis too"},
    {"REDIS_STARTUP_MAX_ELAPSED_TIME", IGNORED, "0", "weir starts without Redis too"},
    {"REDIS_PERSECOND", IGNORED, "false", no_second},
    {"REDIS_PERSECOND_SOCKET_TYPE", IGNORED, "unix", no_second},
    {"REDIS_PERSECOND_TYPE", IGNORED, "SINGLE", no_second},
    {"REDIS_PERSECOND_URL", IGNORED, "", no_second},
    {"REDIS_PERSECOND_AUTH", IGNORED, "", no_second},
    {"REDIS_PERSECOND_SENTINEL_AUTH", IGNORED, "", no_second},
    {"REDIS_PERSECOND_TLS", IGNORED, "false", no_second},
    {"REDIS_PERSECOND_TIMEOUT", IGNORED, "10s", no_second},
    {"REDIS_PERSECOND_POOL_SIZE", IGNORED, "10", no_second},
    {"REDIS_PERSECOND_POOL_ON_EMPTY_BEHAVIOR", IGNORED, "WAIT", no_second},
    {"REDIS_PERSECOND_PIPELINE_WINDOW", IGNORED, "0", no_second},
    {"REDIS_PERSECOND_PIPELINE_LIMIT", IGNORED, "0", no_second},
    {"REDIS_PERSECOND_CLUSTER_PIPELINE_PARALLELISM", IGNORED, "1", no_second},
    {"MEMCACHE_HOST_PORT", IGNORED, "", no_memcache},
    {"MEMCACHE_SRV", IGNORED, "", no_memcache},
    {"MEMCACHE_SRV_REFRESH", IGNORED, "0", no_memcache},
    {"MEMCACHE_MAX_IDLE_CONNS", IGNORED, "2", no_memcache},
    {"MEMCACHE_TLS", IGNORED, "false", no_memcache},
    {"MEMCACHE_TLS_CLIENT_CERT", IGNORED, "", no_memcache},
    {"MEMCACHE_TLS_CLIENT_KEY", IGNORED, "", no_memcache},
    {"MEMCACHE_TLS_CACERT", IGNORED, "", no_memcache},
    {"MEMCACHE_TLS_SKIP_HOSTNAME_VERIFICATION", IGNORED, "false", no_memcache},
    {"USE_PROMETHEUS", HONOURED, "", "a listener for /metrics alone"},
    {"PROMETHEUS_ADDR", HONOURED, "", "its address; a port alone is of 127.0.0.1"},
    {"PROMETHEUS_PATH", REFUSED, "/metrics", "metrics are at /metrics"},
    {"PROMETHEUS_MAPPER_YAML", IGNORED, "", "names and labels are those of the default mapping"},
    {"PROMETHEUS_RESPONSE_TIME_AS_MILLISECONDS", IGNORED, "false",
     "weir_request_duration_seconds has the times, by microseconds"},
    {"USE_STATSD", HONOURED, "", "false is what weir does anyway"},
    {"STATSD_HOST", IGNORED, "localhost", no_statsd},
    {"STATSD_PORT", IGNORED, "8125", no_statsd},
    {"USE_DOG_STATSD", IGNORED, "false", no_statsd},
    {"USE_DOG_STATSD_MOGRIFIERS", IGNORED, "", no_statsd},
    {"EXTRA_TAGS", IGNORED, "", no_statsd},
    {"STATS_FLUSH_INTERVAL", IGNORED, "10s", no_statsd},
    {"DISABLE_STATS", IGNORED, "false", "what is counted costs next to nothing"},
    {"CONFIG_GRPC_XDS_NODE_ID", IGNORED, "default", no_xds},
    {"CONFIG_GRPC_XDS_NODE_METADATA", IGNORED, "", no_xds},
    {"CONFIG_GRPC_XDS_SERVER_URL", IGNORED, "localhost:18000", no_xds},
    {"CONFIG_GRPC_XDS_SERVER_CONNECT_RETRY_INTERVAL", IGNORED, "3s", no_xds},
    {"CONFIG_GRPC_XDS_CLIENT_ADDITIONAL_HEADERS", IGNORED, "", no_xds},
    {"CONFIG_GRPC_XDS_SERVER_USE_TLS", IGNORED, "false", no_xds},
    {"CONFIG_GRPC_XDS_CLIENT_TLS_CERT", IGNORED, "", no_xds},
    {"CONFIG_GRPC_XDS_CLIENT_TLS_KEY", IGNORED, "", no_xds},
    {"CONFIG_GRPC_XDS_SERVER_TLS_CACERT", IGNORED, "", no_xds},
    {"CONFIG_GRPC_XDS_SERVER_TLS_SAN", IGNORED, "", no_xds},
    {"XDS_CLIENT_BACKOFF_INITIAL_INTERVAL", IGNORED, "10s", no_xds},
    {"XDS_CLIENT_BACKOFF_MAX_INTERVAL", IGNORED, "60s", no_xds},
    {"XDS_CLIENT_BACKOFF_RANDOM_FACTOR", IGNORED, "0.5", no_xds},
    {"XDS_CLIENT_BACKOFF_JITTER", IGNORED, "true", no_xds},
    {"XDS_CLIENT_MAX_MSG_SIZE_IN_BYTES", IGNORED, "", no_xds},
    {"TRACING_ENABLED", IGNORED, "false", no_trace},
    {"TRACING_SERVICE_NAME", IGNORED, "RateLimit", no_trace},
    {"TRACING_SERVICE_NAMESPACE", IGNORED, "", no_trace},
    {"TRACING_SERVICE_INSTANCE_ID", IGNORED, "", no_trace},
    {"TRACING_EXPORTER_PROTOCOL", IGNORED, "http", no_trace},
    {"TRACING_SAMPLING_RATE", IGNORED, "1", no_trace},
};
const size_t weir_variable_count = sizeof(weir_variables) / sizeof(weir_variables[0]);

/* ---- Values -------------------------------------------------------------------------------- */

const char *weir_envoy_variable(const struct weir_config_source *source, const char *name)
{
    const char *value = source->environment(source->context, name);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

void weir_variable_complain(struct weir_variables *variables, const char *name, const char *format,
                            ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    variables->failed = true;
    weir_buffer_print(variables->messages, "environment: error: %s: %s\n", name, text);
}

/* As Go's strconv.ParseBool has them. */
bool weir_variable_truth(struct weir_variables *variables, const char *name)
{
    static const char *const truths[] = {"1", "t", "T", "true", "TRUE", "True"};
    static const char *const untruths[] = {"0", "f", "F", "false", "FALSE", "False"};
    const char *value = weir_envoy_variable(variables->source, name);
    for (size_t i = 0; value != NULL && i < sizeof(truths) / sizeof(truths[0]); i++) {
        if (strcmp(value, truths[i]) == 0) {
            return true;
        }
        if (strcmp(value, untruths[i]) == 0) {
            return false;
        }
    }
    if (value != NULL) {
        weir_variable_complain(variables, name, "expected true or false, not '%.40s'", value);
    }
    return false;
}

bool weir_go_duration(const char *text, int64_t *ret_us)
{
    static const struct {
        const char *name;
        double us;
    } units[] = {{"ns", 0.001}, {"us", 1},       {"\xc2\xb5s", 1}, {"ms", 1000},
                 {"s", 1e6},    {"m", 60 * 1e6}, {"h", 3600 * 1e6}};
    double sum = 0;
    if (strcmp(text, "0") == 0) {
        *ret_us = 0;
        return true;
    }
    if (*text == '\0') {
        return false;
    }
    while (*text != '\0') {
        char *end;
        if (!isdigit((unsigned char)*text) && *text != '.') {
            return false;
        }
        const double number = strtod(text, &end);
        const size_t len = strcspn(end, "0123456789.");
        size_t unit = 0;
        const size_t count = sizeof(units) / sizeof(units[0]);
        while (unit < count &&
               (strlen(units[unit].name) != len || memcmp(units[unit].name, end, len) != 0)) {
            unit++;
        }
        if (end == text || unit == count) {
            return false;
        }
        sum += number * units[unit].us;
        text = end + len;
    }
    if (sum > (double)WEIR_PERIOD_MAX) {
        return false;
    }
    *ret_us = (int64_t)sum;
    return true;
}

void weir_put_quoted(struct weir_buffer *out, const char *text)
{
    weir_buffer_put_text(out, "\"");
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\') {
            weir_buffer_print(out, "\\%c", *text);
        } else if (*text == '$' && text[1] == '{') {
            weir_buffer_put_text(out, "$$");
        } else if ((unsigned char)*text < ' ' || *text == 0x7f) {
            weir_buffer_print(out, "\\x%02x", (unsigned)(unsigned char)*text);
        } else {
            weir_buffer_put(out, weir_bytes(text, 1));
        }
    }
    weir_buffer_put_text(out, "\"");
}

/* ---- Listeners ----------------------------------------------------------------------------- */

static unsigned read_port(struct weir_variables *variables, const char *name, unsigned standard)
{
    const char *value = weir_envoy_variable(variables->source, name);
    if (value == NULL) {
        return standard;
    }
    char *end;
    const unsigned long port = strtoul(value, &end, 10);
    if (!isdigit((unsigned char)value[0]) || *end != '\0' || port > UINT16_MAX) {
        weir_variable_complain(variables, name, "expected a port, 0 to 65535, not '%.40s'", value);
        return standard;
    }
    return (unsigned)port;
}

/* "host:port", with brackets about an IPv6 address. */
static void put_address(struct weir_buffer *out, const char *host, unsigned port)
{
    char address[320];
    const bool brackets = strchr(host, ':') != NULL && host[0] != '[';
    const bool local = strcmp(host, "localhost") == 0;
    (void)snprintf(address, sizeof(address), "%s%.255s%s:%u", brackets ? "[" : "",
                   local ? HOST_DEFAULT : host, brackets ? "]" : "", port);
    weir_put_quoted(out, address);
}

/* A port that the environment may move. */
struct door {
    const char *protocol;
    const char *rights;
    const char *host; /* the variables' names */
    const char *port;
    unsigned standard;
};

/* Who named a host wants others to reach it; nobody else is let in unasked. All of IPv6 is all of
 * IPv4 too, as with the original: here that takes two listeners. `more` is what each has besides.
 */
static void put_listener(struct weir_variables *variables, struct weir_buffer *out,
                         const struct door *door, struct weir_bytes more)
{
    const char *host = weir_envoy_variable(variables->source, door->host);
    const bool any = host != NULL && (strcmp(host, "::") == 0 || strcmp(host, "[::]") == 0);
    const char *hosts[2] = {host != NULL ? host : HOST_DEFAULT, "0.0.0.0"};
    const unsigned port = read_port(variables, door->port, door->standard);
    for (size_t i = 0; i < (any ? 2 : 1); i++) {
        weir_buffer_print(out, "  - %s: ", door->protocol);
        put_address(out, hosts[i], port);
        weir_buffer_print(out, "\n    rights: [%s]\n%s", door->rights,
                          host != NULL ? "    insecure: true\n" : "");
        weir_buffer_put(out, more);
    }
}

static void put_path(struct weir_variables *variables, struct weir_buffer *out, const char *key,
                     const char *name, bool required)
{
    const char *path = weir_envoy_variable(variables->source, name);
    if (path != NULL) {
        weir_buffer_print(out, "      %s: ", key);
        weir_put_quoted(out, path);
        weir_buffer_put_text(out, "\n");
    } else if (required) {
        weir_variable_complain(variables, name, "GRPC_SERVER_USE_TLS needs it: a path, PEM");
    }
}

static void put_grpc(struct weir_variables *variables, struct weir_buffer *out)
{
    const char *socket = weir_envoy_variable(variables->source, "GRPC_UDS");
    const bool tls = weir_variable_truth(variables, "GRPC_SERVER_USE_TLS");
    if (socket != NULL) {
        char address[320];
        (void)snprintf(address, sizeof(address), "unix:%.300s", socket);
        weir_buffer_put_text(out, "  - grpc: ");
        weir_put_quoted(out, address);
        weir_buffer_put_text(out, "\n    rights: [decide]\n    insecure: true\n");
        if (tls) {
            weir_variable_complain(variables, "GRPC_SERVER_USE_TLS",
                                   "GRPC_UDS is a unix socket, whose mode says who may: leave out "
                                   "one of them");
        }
        return;
    }
    static const struct door door = {"grpc", "decide", "GRPC_HOST", "GRPC_PORT", 8081};
    struct weir_buffer more = {.allocator = out->allocator};
    if (tls) {
        weir_buffer_put_text(&more, "    tls:\n");
        put_path(variables, &more, "certificate", "GRPC_SERVER_TLS_CERT", true);
        put_path(variables, &more, "key", "GRPC_SERVER_TLS_KEY", true);
        put_path(variables, &more, "client_authority", "GRPC_CLIENT_TLS_CACERT", false);
    }
    out->failed = out->failed || more.failed;
    put_listener(variables, out, &door, weir_buffer_bytes(&more));
    weir_buffer_deinit(&more);
}

/* ":9090", "10.0.0.1:9090". */
static void put_prometheus(struct weir_variables *variables, struct weir_buffer *out)
{
    const char *address = weir_envoy_variable(variables->source, "PROMETHEUS_ADDR");
    if (!weir_variable_truth(variables, "USE_PROMETHEUS")) {
        return;
    }
    address = address != NULL ? address : ":9090";
    char text[320];
    (void)snprintf(text, sizeof(text), "%s%.300s", address[0] == ':' ? HOST_DEFAULT : "", address);
    weir_buffer_put_text(out, "  - http: ");
    weir_put_quoted(out, text);
    weir_buffer_print(out, "\n    rights: [read]\n%s",
                      address[0] == ':' ? "" : "    insecure: true\n");
}

static void put_listeners(struct weir_variables *variables, struct weir_buffer *out)
{
    static const struct door http = {"http", "decide", "HOST", "PORT", 8080};
    static const struct door debug = {"http", "read", "DEBUG_HOST", "DEBUG_PORT", 6070};
    weir_buffer_put_text(out, "listen:\n");
    put_grpc(variables, out);
    put_listener(variables, out, &http, weir_bytes(NULL, 0));
    put_listener(variables, out, &debug, weir_bytes(NULL, 0));
    put_prometheus(variables, out);
}

/* ---- The rest ------------------------------------------------------------------------------ */

static void put_log(struct weir_variables *variables, struct weir_buffer *out)
{
    static const struct {
        const char *theirs;
        const char *ours;
    } levels[] = {{"trace", "debug"},  {"debug", "debug"},     {"info", "info"},
                  {"warn", "warning"}, {"warning", "warning"}, {"error", "error"},
                  {"fatal", "error"},  {"panic", "error"}};
    const char *level = weir_envoy_variable(variables->source, "LOG_LEVEL");
    const char *format = weir_envoy_variable(variables->source, "LOG_FORMAT");
    const char *ours = level == NULL ? "warning" : NULL;
    for (size_t i = 0; level != NULL && i < sizeof(levels) / sizeof(levels[0]); i++) {
        ours = strcasecmp(level, levels[i].theirs) == 0 ? levels[i].ours : ours;
    }
    if (ours == NULL) {
        weir_variable_complain(variables, "LOG_LEVEL",
                               "expected debug, info, warn or error, not '%.40s'", level);
        ours = "warning";
    }
    if (format != NULL && strcasecmp(format, "text") != 0 && strcasecmp(format, "json") != 0) {
        weir_variable_complain(variables, "LOG_FORMAT", "expected text or json, not '%.40s'",
                               format);
    }
    weir_buffer_print(out, "log: {level: %s, format: %s}\n", ours,
                      format != NULL && strcasecmp(format, "json") == 0 ? "json" : "text");
}

static void put_store(struct weir_variables *variables, struct weir_buffer *out)
{
    struct weir_buffer url = {.allocator = out->allocator};
    const int64_t timeout_ms = weir_envoy_timeout_ms(variables);
    weir_envoy_store(variables, &url);
    if (url.len > 0) {
        weir_buffer_put(&url, weir_bytes("", 1));
        weir_buffer_put_text(out, "store: {url: ");
        weir_put_quoted(out, url.failed ? "" : url.bytes);
        weir_buffer_print(out, ", timeout: %lldms}\n", (long long)timeout_ms);
        explicit_bzero(url.bytes, url.len);
    }
    weir_buffer_deinit(&url);
}

static struct weir_bytes text_or(const struct weir_config_source *source, const char *name,
                                 const char *standard)
{
    const char *value = weir_envoy_variable(source, name);
    return weir_text(value != NULL ? value : standard);
}

static void read_settings(struct weir_variables *variables, struct weir_envoy_settings *settings)
{
    const struct weir_config_source *source = variables->source;
    struct weir_rls_settings *rls = &settings->rls;
    const char *ratio = weir_envoy_variable(source, "NEAR_LIMIT_RATIO");
    rls->shadow_mode = weir_variable_truth(variables, "SHADOW_MODE");
    rls->quota_mode = weir_variable_truth(variables, "QUOTA_MODE");
    rls->dynamic_metadata = weir_variable_truth(variables, "RESPONSE_DYNAMIC_METADATA");
    rls->headers = weir_variable_truth(variables, "LIMIT_RESPONSE_HEADERS_ENABLED");
    rls->limit_header = text_or(source, "LIMIT_LIMIT_HEADER", "RateLimit-Limit");
    rls->remaining_header = text_or(source, "LIMIT_REMAINING_HEADER", "RateLimit-Remaining");
    rls->reset_header = text_or(source, "LIMIT_RESET_HEADER", "RateLimit-Reset");
    rls->key_prefix = text_or(source, "CACHE_KEY_PREFIX", "");
    rls->near_limit_ratio = 0.8;
    settings->merge_domains = weir_variable_truth(variables, "MERGE_DOMAIN_CONFIG");
    if (ratio != NULL) {
        char *end;
        rls->near_limit_ratio = strtod(ratio, &end);
        if (*end != '\0' || !(rls->near_limit_ratio >= 0 && rls->near_limit_ratio <= 1)) {
            weir_variable_complain(variables, "NEAR_LIMIT_RATIO",
                                   "expected a number of 0 to 1, not '%.40s'", ratio);
        }
    }
}

static void read_folder(const struct weir_config_source *source, struct weir_buffer *folder)
{
    const char *below = weir_envoy_variable(source, "RUNTIME_SUBDIRECTORY");
    const struct weir_bytes root = text_or(source, "RUNTIME_ROOT", "/srv/runtime_data/current");
    const struct weir_bytes app = text_or(source, "RUNTIME_APPDIRECTORY", "config");
    weir_buffer_put(folder, root);
    weir_buffer_print(folder, "%s%s/%s", below != NULL ? "/" : "", below != NULL ? below : "",
                      app.ptr);
    weir_buffer_put(folder, weir_bytes("", 1));
}

static void check_kinds(struct weir_variables *variables)
{
    const char *type = weir_envoy_variable(variables->source, "CONFIG_TYPE");
    const char *backend = weir_envoy_variable(variables->source, "BACKEND_TYPE");
    if (type != NULL && strcmp(type, "FILE") != 0) {
        weir_variable_complain(variables, "CONFIG_TYPE",
                               "weir reads files: write FILE, and have them written where "
                               "--envoy-config names");
    }
    if (backend != NULL && strcmp(backend, "redis") != 0) {
        weir_variable_complain(variables, "BACKEND_TYPE", "%s", no_memcache);
    }
}

/* What is set to something else than what it is anyway, and not honoured. */
static void tell_others(struct weir_variables *variables)
{
    for (size_t i = 0; i < weir_variable_count; i++) {
        const struct weir_variable *variable = &weir_variables[i];
        const char *value = weir_envoy_variable(variables->source, variable->name);
        if (variable->use == WEIR_VARIABLE_HONOURED || value == NULL ||
            strcasecmp(value, variable->standard) == 0) {
            continue;
        }
        if (variable->use == WEIR_VARIABLE_REFUSED) {
            weir_variable_complain(variables, variable->name, "%s", variable->why);
        } else {
            weir_buffer_print(variables->messages, "environment: warning: %s is ignored: %s\n",
                              variable->name, variable->why);
        }
    }
}

void weir_envoy_variables(const struct weir_config_source *source, struct weir_buffer *config,
                          struct weir_buffer *messages, struct weir_envoy_settings *ret_settings)
{
    struct weir_variables variables = {.source = source, .messages = messages};
    check_kinds(&variables);
    put_store(&variables, config);
    put_listeners(&variables, config);
    put_log(&variables, config);
    read_settings(&variables, ret_settings);
    read_folder(source, &ret_settings->folder);
    tell_others(&variables);
    ret_settings->failed = variables.failed || config->failed || ret_settings->folder.failed;
}
