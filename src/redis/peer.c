/* peer.c - see peer.h. */

#include "redis/peer.h"

#include <assert.h>
#include <string.h>

static bool is_string(const struct weir_resp_value *value)
{
    return value->type == WEIR_RESP_BULK || value->type == WEIR_RESP_SIMPLE;
}

/* Letters, digits and what stands between them in names and addresses, a zone's '%' included. What
 * else a resolver may take is left to it; spaces, controls and bytes beyond ASCII are in no host.
 */
static bool may_be_host(struct weir_bytes text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] <= ' ' || text.ptr[i] > '~') {
            return false;
        }
    }
    return text.len > 0 && text.len <= WEIR_HOST_MAX;
}

enum weir_peer_host weir_peer_host(const struct weir_resp_value *value, char *ret_host)
{
    assert(value != NULL && ret_host != NULL);
    if (value->type == WEIR_RESP_NIL) {
        return WEIR_PEER_SAME;
    }
    if (!is_string(value)) {
        return WEIR_PEER_BAD;
    }
    if (value->text.len == 0) {
        return WEIR_PEER_SAME;
    }
    if (weir_peer_is(value, "?")) {
        return WEIR_PEER_UNKNOWN;
    }
    if (!may_be_host(value->text)) {
        return WEIR_PEER_BAD;
    }
    memcpy(ret_host, value->text.ptr, value->text.len);
    ret_host[value->text.len] = '\0';
    return WEIR_PEER_NAMED;
}

bool weir_peer_port(const struct weir_resp_value *value, uint16_t *ret_port)
{
    assert(value != NULL && ret_port != NULL);
    int64_t port = value->integer;
    if (value->type != WEIR_RESP_INTEGER &&
        !(is_string(value) && weir_resp_integer(value->text, &port))) {
        return false;
    }
    if (port < 0 || port > UINT16_MAX) {
        return false;
    }
    *ret_port = (uint16_t)port;
    return true;
}

bool weir_peer_is(const struct weir_resp_value *value, const char *word)
{
    assert(value != NULL && word != NULL);
    const struct weir_bytes wanted = weir_text(word);
    return is_string(value) && value->text.len == wanted.len &&
           memcmp(value->text.ptr, wanted.ptr, wanted.len) == 0;
}
