/* config_options.c - what follows the '?' of a Redis store's URL; see config.h.
 *
 * First each option is put in its place, which tells those that are unknown, come twice, or are of
 * no use with this scheme; then they are read, in the order of the list. */

#include "base/error.h"
#include "redis/config_parts.h"

#include <string.h>

#define LOCAL_MIN ((uint64_t)8 << 10)
#define LOCAL_MAX ((uint64_t)1 << 40)
#define DENY_CACHE_MAX ((uint64_t)1 << 30)

/* What an option is for. */
enum use {
    ALWAYS,
    SOCKETS,
    SENTINELS,
    TLS
};

struct option {
    const char *name;
    enum use use;
    /* NULL: read later, with the logins. */
    enum weir_status (*read)(const struct weir_url_part *value, struct weir_redis_config *config);
};

/* ---- Values ------------------------------------------------------------------------------- */

static enum weir_status read_deadline(const struct weir_url_part *value,
                                      struct weir_redis_config *config)
{
    static const struct {
        const char *name;
        uint64_t us;
    } units[] = {{"us", 1}, {"ms", 1000}, {"s", 1000000}, {"m", 60000000}};
    uint64_t number;
    struct weir_bytes unit;
    if (!weir_url_number(value->bytes, 10, &number, &unit)) {
        return weir_url_refuse(value, "expected a time of 1ms to 1m, as 50ms");
    }
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (!weir_url_is(unit, units[i].name)) {
            continue;
        }
        if (number > (uint64_t)WEIR_DEADLINE_MAX_US / units[i].us ||
            number * units[i].us < (uint64_t)WEIR_DEADLINE_MIN_US) {
            return weir_url_refuse(value, "the deadline must be 1ms to 1m");
        }
        config->deadline_us = (int64_t)(number * units[i].us);
        return WEIR_OK;
    }
    return weir_url_refuse(value, "expected a unit of us, ms, s or m, as in 50ms");
}

static enum weir_status read_on_error(const struct weir_url_part *value,
                                      struct weir_redis_config *config)
{
    static const struct {
        const char *name;
        enum weir_on_error on_error;
    } words[] = {{"local", WEIR_ON_ERROR_LOCAL},
                 {"deny", WEIR_ON_ERROR_DENY},
                 {"allow", WEIR_ON_ERROR_ALLOW}};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (weir_url_is(value->bytes, words[i].name)) {
            config->on_error = words[i].on_error;
            return WEIR_OK;
        }
    }
    return weir_url_refuse(value, "expected local, deny or allow");
}

static enum weir_status read_local(const struct weir_url_part *value,
                                   struct weir_redis_config *config)
{
    return weir_url_size(value, LOCAL_MIN, LOCAL_MAX, &config->local_size);
}

static enum weir_status read_deny_cache(const struct weir_url_part *value,
                                        struct weir_redis_config *config)
{
    return weir_url_size(value, 0, DENY_CACHE_MAX, &config->deny_cache_size);
}

static bool is_prefix_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
}

static enum weir_status read_prefix(const struct weir_url_part *value,
                                    struct weir_redis_config *config)
{
    const struct weir_bytes bytes = value->bytes;
    bool good = bytes.len >= 1 && bytes.len <= WEIR_PREFIX_MAX;
    for (size_t i = 0; i < bytes.len && good; i++) {
        good = is_prefix_byte(bytes.ptr[i]);
    }
    if (!good) {
        return weir_url_refuse(value, "expected 1 to 64 letters, digits, '-', '_' and '.'");
    }
    memcpy(config->prefix, bytes.ptr, bytes.len);
    config->prefix[bytes.len] = '\0';
    return WEIR_OK;
}

_Static_assert(WEIR_PREFIX_MAX == 64, "the message above says so");

static enum weir_status read_file(const struct weir_url_part *value, char *buffer)
{
    size_t length;
    if (value->bytes.len == 0) {
        return weir_url_refuse(value, "expected the path of a file");
    }
    return weir_url_decode(value, "the path", buffer, WEIR_FILE_MAX + 1, &length);
}

static enum weir_status read_ca(const struct weir_url_part *value, struct weir_redis_config *config)
{
    return read_file(value, config->tls.ca);
}

static enum weir_status read_cert(const struct weir_url_part *value,
                                  struct weir_redis_config *config)
{
    return read_file(value, config->tls.cert);
}

static enum weir_status read_key(const struct weir_url_part *value,
                                 struct weir_redis_config *config)
{
    return read_file(value, config->tls.key);
}

static enum weir_status read_sni(const struct weir_url_part *value,
                                 struct weir_redis_config *config)
{
    const struct weir_bytes bytes = value->bytes;
    bool good = bytes.len >= 1 && bytes.len <= WEIR_HOST_MAX;
    for (size_t i = 0; i < bytes.len && good; i++) {
        good = is_prefix_byte(bytes.ptr[i]) || bytes.ptr[i] == ':';
    }
    if (!good) {
        return weir_url_refuse(value, "expected a host's name or address of at most 255 bytes");
    }
    memcpy(config->tls.sni, bytes.ptr, bytes.len);
    config->tls.sni[bytes.len] = '\0';
    return WEIR_OK;
}

static enum weir_status read_verify(const struct weir_url_part *value,
                                    struct weir_redis_config *config)
{
    if (!weir_url_is(value->bytes, "full") && !weir_url_is(value->bytes, "none")) {
        return weir_url_refuse(value, "expected full or none");
    }
    config->tls.verify = weir_url_is(value->bytes, "full");
    return WEIR_OK;
}

/* ---- Options ------------------------------------------------------------------------------ */

static const struct option options[WEIR_OPTION_COUNT] = {
    [WEIR_OPTION_DB] = {"db", SOCKETS, weir_config_database},
    [WEIR_OPTION_DEADLINE] = {"deadline", ALWAYS, read_deadline},
    [WEIR_OPTION_ON_ERROR] = {"on_error", ALWAYS, read_on_error},
    [WEIR_OPTION_LOCAL] = {"local", ALWAYS, read_local},
    [WEIR_OPTION_DENY_CACHE] = {"deny_cache", ALWAYS, read_deny_cache},
    [WEIR_OPTION_PREFIX] = {"prefix", ALWAYS, read_prefix},
    [WEIR_OPTION_USER] = {"user", ALWAYS, NULL},
    [WEIR_OPTION_PASSWORD_FILE] = {"password_file", ALWAYS, NULL},
    [WEIR_OPTION_PASSWORD_ENV] = {"password_env", ALWAYS, NULL},
    [WEIR_OPTION_SENTINEL_USER] = {"sentinel_user", SENTINELS, NULL},
    [WEIR_OPTION_SENTINEL_PASSWORD_FILE] = {"sentinel_password_file", SENTINELS, NULL},
    [WEIR_OPTION_SENTINEL_PASSWORD_ENV] = {"sentinel_password_env", SENTINELS, NULL},
    [WEIR_OPTION_CA] = {"ca", TLS, read_ca},
    [WEIR_OPTION_CERT] = {"cert", TLS, read_cert},
    [WEIR_OPTION_KEY] = {"key", TLS, read_key},
    [WEIR_OPTION_SNI] = {"sni", TLS, read_sni},
    [WEIR_OPTION_VERIFY] = {"verify", TLS, read_verify},
};

/* Which option is called so; WEIR_OPTION_COUNT: none. */
static size_t find(struct weir_bytes name)
{
    size_t i = 0;
    while (i < WEIR_OPTION_COUNT && !weir_url_is(name, options[i].name)) {
        i++;
    }
    return i;
}

static enum weir_status refuse_name(const struct weir_url_part *name)
{
    if (weir_url_is(name->bytes, "password") || weir_url_is(name->bytes, "sentinel_password")) {
        return weir_url_refuse(name, "a password goes before the host, as user:password@host, or "
                                     "into a file or the environment: password_file=, "
                                     "password_env=");
    }
    return weir_url_refuse(name, "there is no such option; there are deadline, on_error, local, "
                                 "deny_cache, prefix, user, password_file, password_env, "
                                 "sentinel_user, sentinel_password_file, sentinel_password_env, "
                                 "db, ca, cert, key, sni and verify");
}

/* Whether this scheme has a use for option `i`. */
static enum weir_status look_at_use(const struct weir_config_reader *reader,
                                    const struct weir_url_part *name, size_t i)
{
    const struct weir_scheme *scheme = reader->scheme;
    if (options[i].use == SOCKETS && !scheme->socket) {
        return weir_url_refuse(name, scheme->topology == WEIR_TOPOLOGY_CLUSTER
                                         ? "a cluster has no databases to choose from"
                                         : "the database goes into the path, as redis://host/2");
    }
    if (options[i].use == SENTINELS && scheme->topology != WEIR_TOPOLOGY_SENTINEL) {
        return weir_url_refuse(name, "this is for redis+sentinel:// and rediss+sentinel:// alone");
    }
    if (options[i].use == TLS && !scheme->tls) {
        return weir_url_refuse(name, "this is for TLS: rediss:// and rediss+...:// alone");
    }
    return WEIR_OK;
}

static enum weir_status place(struct weir_config_reader *reader, const struct weir_url_part *option)
{
    struct weir_bytes name_bytes;
    struct weir_bytes value;
    enum weir_status status = weir_url_split(option, &name_bytes, &value);
    if (status != WEIR_OK) {
        return status;
    }
    const struct weir_url_part name = weir_url_at(option, name_bytes);
    const size_t i = find(name_bytes);
    if (i == WEIR_OPTION_COUNT) {
        return refuse_name(&name);
    }
    status = look_at_use(reader, &name, i);
    if (status == WEIR_OK && reader->values[i].ptr != NULL) {
        status = weir_url_refuse(&name, "this option is there twice");
    }
    if (status == WEIR_OK) {
        reader->values[i] = value;
    }
    return status;
}

/* What must not be together, or only be together. */
static enum weir_status look_at_all(const struct weir_config_reader *reader)
{
    const struct weir_bytes *values = reader->values;
    const struct weir_url_part cert = weir_url_at(&reader->url, values[WEIR_OPTION_CERT]);
    const struct weir_url_part key = weir_url_at(&reader->url, values[WEIR_OPTION_KEY]);
    const struct weir_url_part ca = weir_url_at(&reader->url, values[WEIR_OPTION_CA]);
    if (cert.bytes.ptr != NULL && key.bytes.ptr == NULL) {
        return weir_url_refuse(&cert, "a certificate needs its key: key=/path");
    }
    if (key.bytes.ptr != NULL && cert.bytes.ptr == NULL) {
        return weir_url_refuse(&key, "a key needs its certificate: cert=/path");
    }
    if (ca.bytes.ptr != NULL && !reader->config->tls.verify) {
        return weir_url_refuse(&ca, "verify=none asks no authority: leave one of the two out");
    }
    return WEIR_OK;
}

enum weir_status weir_config_options(struct weir_config_reader *reader, struct weir_bytes query)
{
    struct weir_bytes option;
    while (weir_url_next(&query, &option)) {
        const struct weir_url_part part = weir_url_at(&reader->url, option);
        const enum weir_status status = place(reader, &part);
        if (status != WEIR_OK) {
            return status;
        }
    }
    for (size_t i = 0; i < WEIR_OPTION_COUNT; i++) {
        const struct weir_url_part value = weir_url_at(&reader->url, reader->values[i]);
        if (value.bytes.ptr == NULL || options[i].read == NULL) {
            continue;
        }
        const enum weir_status status = options[i].read(&value, reader->config);
        if (status != WEIR_OK) {
            return status;
        }
    }
    return look_at_all(reader);
}
