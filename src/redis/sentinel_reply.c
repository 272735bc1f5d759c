/* sentinel_reply.c - see sentinel_reply.h. */

#include "redis/sentinel_reply.h"

#include "redis/peer.h"

#include <assert.h>
#include <string.h>

/* A host and a port that can be connected to. A sentinel leaves neither open. */
static bool read_address(const struct weir_resp_value *host, const struct weir_resp_value *port,
                         struct weir_address *ret_address)
{
    struct weir_address address;
    if (weir_peer_host(host, address.host) != WEIR_PEER_NAMED ||
        !weir_peer_port(port, &address.port) || address.port == 0) {
        return false;
    }
    *ret_address = address;
    return true;
}

enum weir_sentinel_answer weir_sentinel_primary_read(const struct weir_resp_value *values,
                                                     size_t count, struct weir_address *ret_address)
{
    assert(values != NULL && ret_address != NULL);
    if (count > 0 && values[0].type == WEIR_RESP_NIL) {
        return WEIR_SENTINEL_NO_SUCH;
    }
    if (count == 0 || values[0].type != WEIR_RESP_ARRAY || values[0].count != 2 ||
        !read_address(&values[1], &values[values[1].next], ret_address)) {
        return WEIR_SENTINEL_NONSENSE;
    }
    return WEIR_SENTINEL_PRIMARY;
}

/* The address in the fields of one sentinel, at index `at`. */
static bool read_fields(const struct weir_resp_value *values, uint32_t at,
                        struct weir_address *ret_address)
{
    const struct weir_resp_value *fields = &values[at];
    if ((fields->type != WEIR_RESP_ARRAY && fields->type != WEIR_RESP_MAP) ||
        fields->count % 2 != 0) {
        return false;
    }
    uint32_t host = 0;
    uint32_t port = 0;
    for (uint32_t name = at + 1; name < fields->next;) {
        const uint32_t value = values[name].next;
        host = weir_peer_is(&values[name], "ip") ? value : host;
        port = weir_peer_is(&values[name], "port") ? value : port;
        name = values[value].next;
    }
    return host != 0 && port != 0 && read_address(&values[host], &values[port], ret_address);
}

void weir_sentinel_others_read(const struct weir_resp_value *values, size_t count,
                               void (*see)(void *context, const struct weir_address *address),
                               void *context)
{
    assert(values != NULL && see != NULL);
    if (count == 0 || values[0].type != WEIR_RESP_ARRAY) {
        return;
    }
    for (uint32_t at = 1; at < values[0].next; at = values[at].next) {
        struct weir_address address;
        if (read_fields(values, at, &address)) {
            see(context, &address);
        }
    }
}

/* Takes the next word off `text`; words are apart by one space. */
static struct weir_bytes next_word(struct weir_bytes *text)
{
    size_t len = 0;
    while (len < text->len && text->ptr[len] != ' ') {
        len++;
    }
    const struct weir_bytes word = weir_bytes(text->ptr, len);
    const size_t used = len < text->len ? len + 1 : len;
    *text = weir_bytes(text->ptr + used, text->len - used);
    return word;
}

/* "SERVICE OLDHOST OLDPORT NEWHOST NEWPORT". A service's name has no space in it: the sentinels
 * could not read their own messages to each other. */
bool weir_sentinel_switch_read(const struct weir_resp_value *values, size_t count,
                               const char *service, struct weir_address *ret_address)
{
    assert(values != NULL && service != NULL && ret_address != NULL);
    if (count != 4 || (values[0].type != WEIR_RESP_ARRAY && values[0].type != WEIR_RESP_PUSH) ||
        !weir_peer_is(&values[1], "message") || !weir_peer_is(&values[2], WEIR_SENTINEL_CHANNEL) ||
        values[3].type != WEIR_RESP_BULK) {
        return false;
    }
    struct weir_bytes text = values[3].text;
    const struct weir_resp_value name = {.type = WEIR_RESP_BULK, .text = next_word(&text)};
    (void)next_word(&text);
    (void)next_word(&text);
    const struct weir_resp_value host = {.type = WEIR_RESP_BULK, .text = next_word(&text)};
    const struct weir_resp_value port = {.type = WEIR_RESP_BULK, .text = next_word(&text)};
    return weir_peer_is(&name, service) && text.len == 0 && read_address(&host, &port, ret_address);
}

bool weir_role_is_primary(const struct weir_resp_value *values, size_t count)
{
    assert(values != NULL);
    return count > 1 && values[0].type == WEIR_RESP_ARRAY && values[0].count > 0 &&
           weir_peer_is(&values[1], "master");
}
