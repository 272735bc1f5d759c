/* config.c - see config.h.
 *
 *     SCHEME://[USER:PASSWORD@]HOST[:PORT],.../PATH?OPTIONS
 *
 * Invariant: no message repeats a part of the URL, of which any may turn out to be a password that
 * was written in the wrong place. */

#include "redis/config.h"

#include "base/alloc.h"
#include "base/error.h"
#include "redis/config_parts.h"

#include <arpa/inet.h>
#include <assert.h>
#include <string.h>
#include <sys/un.h>

#define PORT_DEFAULT 6379
#define PORT_SENTINEL 26379

/* The highest number that a server can be told to have. */
#define DATABASE_MAX INT32_MAX

#define LOCAL_DEFAULT ((uint64_t)8 << 20)
#define DENY_CACHE_DEFAULT ((uint64_t)1 << 20)

static const struct weir_scheme schemes[] = {
    {"redis", WEIR_TOPOLOGY_SINGLE, false, false},
    {"rediss", WEIR_TOPOLOGY_SINGLE, true, false},
    {"redis+unix", WEIR_TOPOLOGY_SINGLE, false, true},
    {"redis+sentinel", WEIR_TOPOLOGY_SENTINEL, false, false},
    {"rediss+sentinel", WEIR_TOPOLOGY_SENTINEL, true, false},
    {"redis+cluster", WEIR_TOPOLOGY_CLUSTER, false, false},
    {"rediss+cluster", WEIR_TOPOLOGY_CLUSTER, true, false},
};

/* ---- Hosts -------------------------------------------------------------------------------- */

static bool is_name_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-' || c == '_';
}

/* An address and, after a '%', the interface that it is at. */
static bool is_ipv6(const char *text)
{
    char digits[INET6_ADDRSTRLEN];
    struct in6_addr binary;
    const size_t length = strcspn(text, "%");
    if (length >= sizeof(digits)) {
        return false;
    }
    memcpy(digits, text, length);
    digits[length] = '\0';
    const char *zone = text + length;
    for (size_t i = 1; zone[0] != '\0' && (i == 1 || zone[i] != '\0'); i++) {
        if (!is_name_byte(zone[i])) {
            return false;
        }
    }
    return inet_pton(AF_INET6, digits, &binary) == 1;
}

/* "[::1]", "[fe80::1%25eth0]". */
static enum weir_status read_ipv6(const struct weir_url_part *part, struct weir_address *address)
{
    const struct weir_bytes bytes = part->bytes;
    const struct weir_url_part inside = weir_url_at(part, weir_bytes(bytes.ptr + 1, bytes.len - 2));
    size_t length;
    const enum weir_status status =
        weir_url_decode(&inside, "the address", address->host, sizeof(address->host), &length);
    if (status != WEIR_OK) {
        return status;
    }
    return is_ipv6(address->host) ? WEIR_OK
                                  : weir_url_refuse(part, "expected an IPv6 address, as [::1]");
}

static enum weir_status read_name(const struct weir_url_part *part, struct weir_address *address)
{
    const struct weir_bytes bytes = part->bytes;
    if (bytes.len == 0) {
        return weir_url_refuse(part, "expected a host, as localhost, 127.0.0.1 or [::1]");
    }
    if (bytes.len > WEIR_HOST_MAX) {
        return weir_url_refuse(part, "the host's name is longer than 255 bytes");
    }
    for (size_t i = 0; i < bytes.len; i++) {
        if (!is_name_byte(bytes.ptr[i])) {
            return weir_url_refuse(part, "a host has letters, digits, '.', '-' and '_'; what else "
                                         "there is in a user or password is written %XX");
        }
    }
    memcpy(address->host, bytes.ptr, bytes.len);
    address->host[bytes.len] = '\0';
    return WEIR_OK;
}

_Static_assert(WEIR_HOST_MAX == 255, "the message above says so");

static enum weir_status read_port(const struct weir_url_part *part, struct weir_address *address)
{
    uint64_t port;
    struct weir_bytes rest;
    if (!weir_url_number(part->bytes, 10, &port, &rest) || rest.len > 0 || port < 1 ||
        port > UINT16_MAX) {
        return weir_url_refuse(part, "expected a port, 1 to 65535");
    }
    address->port = (uint16_t)port;
    return WEIR_OK;
}

/* HOST[:PORT]. */
static enum weir_status read_host(const struct weir_url_part *part, uint16_t port_default,
                                  struct weir_address *address)
{
    const struct weir_bytes bytes = part->bytes;
    const bool brackets = bytes.len > 0 && bytes.ptr[0] == '[';
    const char *end = NULL;
    if (brackets) {
        end = memchr(bytes.ptr, ']', bytes.len);
        if (end == NULL) {
            return weir_url_refuse(part, "expected an IPv6 address, as [::1]");
        }
        end++;
    } else if (bytes.len > 0) {
        end = memchr(bytes.ptr, ':', bytes.len);
        if (end != memrchr(bytes.ptr, ':', bytes.len)) {
            return weir_url_refuse(part, "an IPv6 address is written in brackets, as [::1]:6379");
        }
    }
    const size_t length = end != NULL ? (size_t)(end - bytes.ptr) : bytes.len;
    const struct weir_url_part host = weir_url_at(part, weir_bytes(bytes.ptr, length));
    const struct weir_url_part rest =
        weir_url_at(part, weir_bytes(bytes.ptr + length, bytes.len - length));
    address->port = port_default;
    const enum weir_status status =
        brackets ? read_ipv6(&host, address) : read_name(&host, address);
    if (status != WEIR_OK || rest.bytes.len == 0) {
        return status;
    }
    if (rest.bytes.ptr[0] != ':') {
        return weir_url_refuse(&rest, "expected ':' and a port, or the end of the host");
    }
    const struct weir_url_part port =
        weir_url_at(part, weir_bytes(rest.bytes.ptr + 1, rest.bytes.len - 1));
    return read_port(&port, address);
}

static enum weir_status read_hosts(struct weir_config_reader *reader, struct weir_bytes hosts)
{
    struct weir_redis_config *config = reader->config;
    const bool sentinel = config->topology == WEIR_TOPOLOGY_SENTINEL;
    bool more = true;
    while (more) {
        const char *comma = hosts.len > 0 ? memchr(hosts.ptr, ',', hosts.len) : NULL;
        const size_t length = comma != NULL ? (size_t)(comma - hosts.ptr) : hosts.len;
        const struct weir_url_part host = weir_url_at(&reader->url, weir_bytes(hosts.ptr, length));
        more = comma != NULL;
        if (more && config->topology == WEIR_TOPOLOGY_SINGLE) {
            const struct weir_url_part all = weir_url_at(&reader->url, hosts);
            return weir_url_refuse(&all, "expected one host: several are those of redis+cluster:// "
                                         "or redis+sentinel://");
        }
        if (config->seed_count == WEIR_SEEDS_MAX) {
            return weir_url_refuse(&host, "there are at most 32 hosts in a URL");
        }
        const enum weir_status status = read_host(&host, sentinel ? PORT_SENTINEL : PORT_DEFAULT,
                                                  &config->seeds[config->seed_count]);
        if (status != WEIR_OK) {
            return status;
        }
        config->seed_count++;
        hosts = more ? weir_bytes(comma + 1, hosts.len - length - 1) : hosts;
    }
    return WEIR_OK;
}

_Static_assert(WEIR_SEEDS_MAX == 32, "the message above says so");

/* [USER[:PASSWORD]@]HOSTS: notes where the login is. */
static enum weir_status read_authority(struct weir_config_reader *reader,
                                       struct weir_bytes authority)
{
    const char *at = authority.len > 0 ? memrchr(authority.ptr, '@', authority.len) : NULL;
    if (at == NULL) {
        return read_hosts(reader, authority);
    }
    const size_t length = (size_t)(at - authority.ptr);
    const char *colon = length > 0 ? memchr(authority.ptr, ':', length) : NULL;
    const size_t user_length = colon != NULL ? (size_t)(colon - authority.ptr) : length;
    if (user_length > 0) {
        reader->user = weir_bytes(authority.ptr, user_length);
    }
    if (colon != NULL && user_length + 1 < length) {
        reader->password = weir_bytes(colon + 1, length - user_length - 1);
    }
    return read_hosts(reader, weir_bytes(at + 1, authority.len - length - 1));
}

/* ---- Paths -------------------------------------------------------------------------------- */

enum weir_status weir_config_database(const struct weir_url_part *part,
                                      struct weir_redis_config *config)
{
    uint64_t number;
    struct weir_bytes rest;
    if (!weir_url_number(part->bytes, 10, &number, &rest) || rest.len > 0 ||
        number > DATABASE_MAX) {
        return weir_url_refuse(part, "expected the number of a database, as 0");
    }
    config->database = (uint32_t)number;
    return WEIR_OK;
}

/* SERVICE[/DATABASE]. */
static enum weir_status read_service(const struct weir_url_part *part,
                                     struct weir_redis_config *config)
{
    const struct weir_bytes bytes = part->bytes;
    const char *slash = bytes.len > 0 ? memchr(bytes.ptr, '/', bytes.len) : NULL;
    const size_t length = slash != NULL ? (size_t)(slash - bytes.ptr) : bytes.len;
    const struct weir_url_part name = weir_url_at(part, weir_bytes(bytes.ptr, length));
    size_t decoded;
    if (length == 0) {
        return weir_url_refuse(&name, "expected the service that the sentinels watch over, as "
                                      "redis+sentinel://host/mymaster");
    }
    const enum weir_status status =
        weir_url_decode(&name, "the service", config->service, sizeof(config->service), &decoded);
    if (status != WEIR_OK || slash == NULL) {
        return status;
    }
    const struct weir_url_part database =
        weir_url_at(part, weir_bytes(slash + 1, bytes.len - length - 1));
    return weir_config_database(&database, config);
}

static enum weir_status read_socket(const struct weir_url_part *part,
                                    struct weir_redis_config *config)
{
    struct weir_address *address = &config->seeds[0];
    size_t length;
    if (part->bytes.len < 2 || part->bytes.ptr[0] != '/') {
        return weir_url_refuse(part, "expected the socket's path, as redis+unix:///run/redis.sock");
    }
    config->seed_count = 1;
    return weir_url_decode(part, "the socket's path", address->host,
                           sizeof(((struct sockaddr_un *)0)->sun_path), &length);
}

_Static_assert(sizeof(((struct sockaddr_un *)0)->sun_path) <= WEIR_HOST_MAX + 1,
               "the path of a socket has room where a host has");

/* What follows the hosts, with its '/'. */
static enum weir_status read_path(struct weir_config_reader *reader, struct weir_bytes path)
{
    struct weir_redis_config *config = reader->config;
    const size_t skipped = path.len > 0 ? 1 : 0;
    const struct weir_url_part part =
        weir_url_at(&reader->url, weir_bytes(path.ptr + skipped, path.len - skipped));
    if (config->topology == WEIR_TOPOLOGY_SENTINEL) {
        return read_service(&part, config);
    }
    if (part.bytes.len == 0) {
        return WEIR_OK;
    }
    if (config->topology == WEIR_TOPOLOGY_CLUSTER) {
        return weir_url_refuse(&part, "a cluster has no databases to choose from: leave this out");
    }
    return weir_config_database(&part, config);
}

/* ---- The whole ---------------------------------------------------------------------------- */

static const struct weir_scheme *find_scheme(struct weir_bytes name)
{
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        if (weir_url_is(name, schemes[i].name)) {
            return &schemes[i];
        }
    }
    return NULL;
}

static enum weir_status refuse_scheme(const struct weir_url_part *name)
{
    if (weir_url_is(name->bytes, "rediss+unix")) {
        return weir_url_refuse(name, "there is no TLS over a unix socket: write redis+unix://");
    }
    return weir_url_refuse(name, "expected redis://, rediss://, redis+unix://, redis+sentinel://, "
                                 "redis+cluster:// (the last two also as rediss+...), memory: or "
                                 "shm:");
}

/* USER:PASSWORD@HOST/DATABASE, or a path. */
static enum weir_status read_place(struct weir_config_reader *reader, struct weir_bytes authority,
                                   struct weir_bytes path)
{
    const struct weir_url_part server = weir_url_at(&reader->url, authority);
    const struct weir_url_part rest = weir_url_at(&reader->url, path);
    if (reader->scheme->socket) {
        return authority.len == 0
                   ? read_socket(&rest, reader->config)
                   : weir_url_refuse(&server, "expected three slashes, as redis+unix:///path; a "
                                              "user goes into user=, a password into "
                                              "password_file= or password_env=");
    }
    if (memchr(authority.ptr, '@', authority.len) == NULL &&
        memchr(path.ptr, '@', path.len) != NULL) {
        return weir_url_refuse(&rest, "in a user, password or service, '/' is written %2F, '?' %3F "
                                      "and '@' %40");
    }
    const enum weir_status status = read_authority(reader, authority);
    return status == WEIR_OK ? read_path(reader, path) : status;
}

static enum weir_status read_url(struct weir_config_reader *reader)
{
    const struct weir_bytes url = reader->url.bytes;
    const size_t length = strcspn(url.ptr, ":/?");
    const struct weir_url_part name = weir_url_at(&reader->url, weir_bytes(url.ptr, length));
    reader->scheme = find_scheme(name.bytes);
    if (reader->scheme == NULL || strncmp(url.ptr + length, "://", 3) != 0) {
        return refuse_scheme(&name);
    }
    struct weir_redis_config *config = reader->config;
    config->topology = reader->scheme->topology;
    config->tls.on = reader->scheme->tls;
    config->tls.verify = reader->scheme->tls;
    /* The URL ends in NUL, and so does each search. */
    const struct weir_bytes rest = weir_bytes(url.ptr + length + 3, url.len - length - 3);
    const size_t authority = strcspn(rest.ptr, "/?");
    const size_t place = authority + strcspn(rest.ptr + authority, "?");
    const size_t query = place < rest.len ? place + 1 : place;
    const enum weir_status status = read_place(reader, weir_bytes(rest.ptr, authority),
                                               weir_bytes(rest.ptr + authority, place - authority));
    return status == WEIR_OK
               ? weir_config_options(reader, weir_bytes(rest.ptr + query, rest.len - query))
               : status;
}

static enum weir_status read_all(const char *url, const struct weir_redis_options *options,
                                 struct weir_redis_config *config, struct weir_error *ret_error)
{
    struct weir_config_reader reader = {
        .url = {url, weir_text(url), ret_error},
        .config = config,
    };
    config->deadline_us = WEIR_DEADLINE_DEFAULT_US;
    config->on_error = WEIR_ON_ERROR_LOCAL;
    config->local_size = LOCAL_DEFAULT;
    config->deny_cache_size = DENY_CACHE_DEFAULT;
    memcpy(config->prefix, "weir", sizeof("weir"));
    const enum weir_status status = read_url(&reader);
    return status == WEIR_OK ? weir_config_logins(&reader, options) : status;
}

enum weir_status weir_redis_config_read(const char *url, const struct weir_redis_options *options,
                                        struct weir_redis_config *ret_config,
                                        struct weir_error *ret_error)
{
    assert(url != NULL && ret_config != NULL);
    if (options != NULL && options->size < sizeof(*options)) {
        weir_error_set(ret_error, 0, 0, "expected size = sizeof(struct weir_redis_options)");
        return WEIR_ERR_ARGUMENT;
    }
    const struct weir_allocator *allocator =
        weir_allocator_or_default(options != NULL ? options->allocator : NULL);
    struct weir_redis_config *config =
        weir_alloc(allocator, sizeof(*config), _Alignof(struct weir_redis_config));
    if (config == NULL) {
        weir_error_set(ret_error, 0, 0, "out of memory");
        return WEIR_ERR_NO_MEMORY;
    }
    const enum weir_status status = read_all(url, options, config, ret_error);
    if (status == WEIR_OK) {
        memcpy(ret_config, config, sizeof(*config));
    }
    weir_redis_config_wipe(config);
    weir_release(allocator, config, sizeof(*config));
    return status;
}

void weir_redis_config_wipe(struct weir_redis_config *config)
{
    explicit_bzero(&config->login, sizeof(config->login));
    explicit_bzero(&config->sentinel_login, sizeof(config->sentinel_login));
}
