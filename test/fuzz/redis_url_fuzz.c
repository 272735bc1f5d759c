/* redis_url_fuzz.c - any bytes as a Redis store's URL.
 *
 * What is read is within its bounds, and its addresses can be written and, but for paths, read
 * back. What is refused is refused with a place within the text, in words that print. Files and
 * variables that the text may name are not looked at: a fuzzer would read what is none of its
 * business. */

#include "redis/config.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Longer ones are no different. */
#define URL_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_refusal(const struct weir_error *error, size_t length)
{
    assert(error->offset <= length && error->length <= length - error->offset);
    const char *end = memchr(error->message, '\0', sizeof(error->message));
    assert(end != NULL && end > error->message);
    for (const char *at = error->message; at < end; at++) {
        assert(*at >= ' ' && *at <= '~');
    }
}

static void check_address(const struct weir_address *address)
{
    char text[WEIR_HOST_MAX + 16];
    struct weir_address again = {.port = 0};
    const struct weir_address nobody = {.host = "nobody", .port = 1};
    weir_address_format(address, text, sizeof(text));
    assert(strlen(text) > 0);
    if (address->port == 0) {
        assert(strcmp(text, address->host) == 0 && text[0] == '/');
        return;
    }
    char redirection[WEIR_HOST_MAX + 16];
    size_t length = 0;
    for (const char *at = text; *at != '\0'; at++) {
        if (*at != '[' && *at != ']') {
            redirection[length++] = *at;
        }
    }
    if (!weir_address_moved(weir_bytes(redirection, length), &nobody, &again) ||
        !weir_address_same(address, &again)) {
        abort();
    }
}

static void check_config(const struct weir_redis_config *config)
{
    assert(config->seed_count >= 1 && config->seed_count <= WEIR_SEEDS_MAX);
    assert(config->topology != WEIR_TOPOLOGY_SINGLE || config->seed_count == 1);
    for (size_t i = 0; i < config->seed_count; i++) {
        check_address(&config->seeds[i]);
    }
    assert((config->topology == WEIR_TOPOLOGY_SENTINEL) == (config->service[0] != '\0'));
    assert(config->database <= INT32_MAX);
    assert(config->deadline_us >= WEIR_DEADLINE_MIN_US &&
           config->deadline_us <= WEIR_DEADLINE_MAX_US);
    assert(config->on_error == WEIR_ON_ERROR_LOCAL || config->on_error == WEIR_ON_ERROR_DENY ||
           config->on_error == WEIR_ON_ERROR_ALLOW);
    assert(config->local_size >= (8 << 10) && config->local_size <= UINT64_C(1) << 40);
    assert(config->deny_cache_size <= 1 << 30);
    const size_t prefix = strlen(config->prefix);
    assert(prefix >= 1 && prefix <= WEIR_PREFIX_MAX);
    assert(strlen(config->login.user) <= WEIR_SECRET_MAX);
    assert(strlen(config->login.password) <= WEIR_SECRET_MAX);
    assert(config->tls.on || (!config->tls.verify && config->tls.ca[0] == '\0'));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct weir_redis_config config;
    char url[URL_MAX + 1];
    const size_t length = size < URL_MAX ? size : URL_MAX;
    if (length > 0) {
        memcpy(url, data, length);
    }
    url[length] = '\0';
    if (strstr(url, "password_file=") != NULL || strstr(url, "password_env=") != NULL) {
        return 0;
    }
    struct weir_error error = {0, 0, ""};
    const enum weir_status status = weir_redis_config_read(url, NULL, &config, &error);
    if (status == WEIR_OK) {
        check_config(&config);
    } else {
        assert(status == WEIR_ERR_URL);
        check_refusal(&error, strlen(url));
    }
    return 0;
}
