/* address.c - where a server listens, as text; see config.h. */

#include "redis/config.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

void weir_address_format(const struct weir_address *address, char *buffer, size_t size)
{
    assert(size > 0);
    if (address->port == 0) {
        (void)snprintf(buffer, size, "%s", address->host);
    } else if (strchr(address->host, ':') != NULL) {
        (void)snprintf(buffer, size, "[%s]:%u", address->host, address->port);
    } else {
        (void)snprintf(buffer, size, "%s:%u", address->host, address->port);
    }
}

bool weir_address_same(const struct weir_address *a, const struct weir_address *b)
{
    return a->port == b->port && strcmp(a->host, b->host) == 0;
}

/* The port that all of `text` is; 0 where it is none. */
static uint16_t read_port(struct weir_bytes text)
{
    unsigned port = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9' || i == 5) {
            return 0;
        }
        port = port * 10 + (unsigned)(text.ptr[i] - '0');
    }
    return port <= UINT16_MAX ? (uint16_t)port : 0;
}

/* Whether this may be in a name, or an address of either kind. */
static bool is_host_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr(".-_:%", c) != NULL);
}

bool weir_address_moved(struct weir_bytes text, const struct weir_address *asked,
                        struct weir_address *ret_address)
{
    const char *colon = text.len > 0 ? memrchr(text.ptr, ':', text.len) : NULL;
    if (colon == NULL) {
        return false;
    }
    const size_t length = (size_t)(colon - text.ptr);
    struct weir_address address = {
        .port = read_port(weir_bytes(colon + 1, text.len - length - 1)),
    };
    if (address.port == 0 || length > WEIR_HOST_MAX) {
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        if (!is_host_byte(text.ptr[i])) {
            return false;
        }
    }
    memcpy(address.host, text.ptr, length);
    if (length == 0) {
        memcpy(address.host, asked->host, sizeof(address.host));
    }
    *ret_address = address;
    return true;
}
