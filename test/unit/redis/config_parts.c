/* config_parts.c - see config_parts.h. */

#include "unit/redis/config_parts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct weir_redis_config config;

void read_good(const char *url, const struct weir_redis_options *options)
{
    struct weir_error error = {0, 0, ""};
    memset(&config, 0x5a, sizeof(config));
    if (weir_redis_config_read(url, options, &config, &error) != WEIR_OK) {
        fail_msg("%s: %s", url, error.message);
    }
}

void read_bad(const char *marked, enum weir_status expected, const char *message)
{
    static char url[16384];
    static struct weir_redis_config before;
    const size_t offset = strcspn(marked, "<");
    const size_t length = marked[offset] == '<' ? strcspn(marked + offset, ">") - 1 : 0;
    (void)snprintf(url, sizeof(url), "%.*s%.*s%s", (int)offset, marked, (int)length,
                   marked + offset + 1, marked[offset] == '<' ? marked + offset + length + 2 : "");
    const size_t place = marked[offset] == '<' ? offset : 0;
    struct weir_error error = {99, 99, ""};
    memset(&config, 0x5a, sizeof(config));
    memset(&before, 0x5a, sizeof(before));
    const enum weir_status status = weir_redis_config_read(url, NULL, &config, &error);
    if (status != expected || strstr(error.message, message) == NULL || error.offset != place ||
        error.length != length) {
        fail_msg("%s: %s, at %zu, %zu: %s", url, weir_status_name(status), error.offset,
                 error.length, error.message);
    }
    assert_memory_equal(&config, &before, sizeof(config));
    assert_int_equal(weir_redis_config_read(url, NULL, &config, NULL), expected);
}
