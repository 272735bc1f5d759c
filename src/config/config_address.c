/* config_address.c - where to listen, and networks; see parts.h. */

#include "base/url.h"
#include "config/parts.h"
#include "rules/address.h"

#include <string.h>
#include <sys/stat.h>

/* The longest path of a unix socket, as struct sockaddr_un has it. */
#define SOCKET_PATH_MAX 107
#define SYSTEMD_NAME_MAX 255

/* The bits of an IPv4 network in ::ffff:0:0/96. */
#define MAPPED_BITS 96

/* ---- Networks ----------------------------------------------------------------------------- */

static void network_of(const struct weir_address *address, unsigned prefix,
                       struct weir_network *ret_network)
{
    struct weir_network network = {.prefix = prefix};
    if (address->family == WEIR_FAMILY_4) {
        network.address[10] = 0xff;
        network.address[11] = 0xff;
        memcpy(network.address + 12, address->bytes, 4);
        network.prefix += MAPPED_BITS;
    } else {
        memcpy(network.address, address->bytes, 16);
    }
    *ret_network = network;
}

bool weir_read_network(struct weir_reading *reading, const struct weir_node *node,
                       struct weir_network *ret_network)
{
    struct weir_bytes text;
    struct weir_cidr cidr;
    if (!weir_read_scalar(reading, node, "trusted_proxies", &text)) {
        return false;
    }
    const enum weir_cidr_trouble trouble = weir_cidr_read(text, &cidr);
    const struct weir_quote quote = weir_node_quote(node);
    char clean[WEIR_ADDRESS_TEXT_MAX];
    switch (trouble) {
    case WEIR_CIDR_FINE:
        network_of(&cidr.address, cidr.prefix, ret_network);
        return true;
    case WEIR_CIDR_BITS_LEFT:
        (void)weir_address_write(&cidr.address, clean);
        weir_complain(reading->complaints, node->origin,
                      "'%s' has bits set past its prefix; write %s/%u", quote.text, clean,
                      cidr.prefix);
        return false;
    case WEIR_CIDR_NO_ADDRESS:
    case WEIR_CIDR_NO_PREFIX:
        break;
    }
    weir_complain(reading->complaints, node->origin,
                  "expected a network, as 10.0.0.0/8 or ::1, not '%s'", quote.text);
    return false;
}

static bool holds(const struct weir_network *network, const struct weir_network *address)
{
    const unsigned bytes = network->prefix / 8;
    const unsigned bits = network->prefix % 8;
    if (memcmp(network->address, address->address, bytes) != 0) {
        return false;
    }
    const unsigned mask = bits > 0 ? 0xffU << (8 - bits) & 0xffU : 0;
    return bits == 0 || ((network->address[bytes] ^ address->address[bytes]) & mask) == 0;
}

bool weir_network_holds(const struct weir_network *networks, size_t count,
                        struct weir_bytes address)
{
    struct weir_address read;
    struct weir_network single;
    if (!weir_address_read(address, &read)) {
        return false;
    }
    network_of(&read, 0, &single);
    for (size_t i = 0; i < count; i++) {
        if (holds(&networks[i], &single)) {
            return true;
        }
    }
    return false;
}

bool weir_is_local(const struct weir_listener *listener)
{
    static const struct weir_network loopback[] = {
        {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127}, MAPPED_BITS + 8},
        {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 128},
    };
    if (listener->systemd != NULL) {
        return true;
    }
    if (listener->path != NULL) {
        return (listener->mode & S_IWOTH) == 0;
    }
    return listener->host != NULL && weir_network_holds(loopback, 2, weir_text(listener->host));
}

/* ---- Where to listen ---------------------------------------------------------------------- */

static bool refuse_address(struct weir_reading *reading, const struct weir_node *node,
                           const char *message)
{
    weir_complain(reading->complaints, node->origin, "%s", message);
    return false;
}

/* What follows "unix:" or "systemd:". */
static bool read_name(struct weir_reading *reading, const struct weir_node *node,
                      struct weir_bytes name, struct weir_listener *listener)
{
    const bool socket = name.len > 0 && name.ptr[0] == '/';
    if (name.len == 0 || name.len > (socket ? SOCKET_PATH_MAX : SYSTEMD_NAME_MAX)) {
        return refuse_address(reading, node,
                              "expected a path of 1 to 107 bytes, as unix:/run/weir/http.sock, or "
                              "the name of a systemd socket of at most 255, as systemd:http");
    }
    char *copy = weir_memory_copy(reading->kept, name);
    listener->path = socket ? copy : NULL;
    listener->systemd = socket ? NULL : copy;
    return copy != NULL;
}

_Static_assert(SOCKET_PATH_MAX == 107 && SYSTEMD_NAME_MAX == 255, "the message above says so");

static bool read_unix(struct weir_reading *reading, const struct weir_node *node,
                      struct weir_bytes path, struct weir_listener *listener)
{
    if (path.len == 0 || path.ptr[0] != '/') {
        return refuse_address(reading, node,
                              "expected an absolute path, as unix:/run/weir/http.sock");
    }
    return read_name(reading, node, path, listener);
}

static bool read_systemd(struct weir_reading *reading, const struct weir_node *node,
                         struct weir_bytes name, struct weir_listener *listener)
{
    if (name.len > 0 && memchr(name.ptr, '/', name.len) != NULL) {
        return refuse_address(reading, node,
                              "expected the name of a systemd socket (FileDescriptorName=), as "
                              "systemd:http");
    }
    return read_name(reading, node, name, listener);
}

/* HOST:PORT; the host in brackets where it is IPv6. */
static bool split_host(struct weir_bytes text, struct weir_bytes *ret_host,
                       struct weir_bytes *ret_port)
{
    const char *colon = text.len > 0 ? memrchr(text.ptr, ':', text.len) : NULL;
    if (colon == NULL) {
        return false;
    }
    struct weir_bytes host = weir_bytes(text.ptr, (size_t)(colon - text.ptr));
    *ret_port = weir_bytes(colon + 1, text.len - host.len - 1);
    const bool brackets = host.len >= 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']';
    if (!brackets && host.len > 0 && memchr(host.ptr, ':', host.len) != NULL) {
        return false;
    }
    *ret_host = brackets ? weir_bytes(host.ptr + 1, host.len - 2) : host;
    return true;
}

static bool read_host(struct weir_reading *reading, const struct weir_node *node,
                      struct weir_bytes text, struct weir_listener *listener)
{
    struct weir_bytes host;
    struct weir_bytes port;
    struct weir_bytes rest;
    struct weir_address address;
    uint64_t number;
    if (!split_host(text, &host, &port) || host.len == 0) {
        return refuse_address(reading, node,
                              "expected ADDRESS:PORT, as 127.0.0.1:8080 or [::1]:8080; all "
                              "addresses are 0.0.0.0:8080 or [::]:8080");
    }
    if (!weir_address_read(host, &address)) {
        return refuse_address(reading, node,
                              "expected an address as digits, not a name: 127.0.0.1:8080 or "
                              "[::1]:8080");
    }
    if (!weir_url_number(port, 10, &number, &rest) || rest.len > 0 || number > UINT16_MAX) {
        return refuse_address(reading, node,
                              "expected a port from 1 to 65535, or 0 for one that is free");
    }
    listener->host = weir_memory_copy(reading->kept, host);
    listener->port = (uint16_t)number;
    return listener->host != NULL;
}

bool weir_read_address(struct weir_reading *reading, const struct weir_node *node,
                       struct weir_listener *listener)
{
    static const char unix_scheme[] = "unix:";
    static const char systemd_scheme[] = "systemd:";
    const size_t unix_len = sizeof(unix_scheme) - 1;
    const size_t systemd_len = sizeof(systemd_scheme) - 1;
    struct weir_bytes text;
    if (!weir_read_scalar(reading, node, "an address", &text)) {
        return false;
    }
    if (text.len >= unix_len && memcmp(text.ptr, unix_scheme, unix_len) == 0) {
        return read_unix(reading, node, weir_bytes(text.ptr + unix_len, text.len - unix_len),
                         listener);
    }
    if (text.len >= systemd_len && memcmp(text.ptr, systemd_scheme, systemd_len) == 0) {
        return read_systemd(reading, node,
                            weir_bytes(text.ptr + systemd_len, text.len - systemd_len), listener);
    }
    return read_host(reading, node, text, listener);
}
