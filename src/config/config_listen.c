/* config_listen.c - where to listen, and who may ask there; see parts.h. */

#include "base/url.h"
#include "config/parts.h"

#include <string.h>
#include <sys/stat.h>

#define MODE_DEFAULT 0660

struct listener_nodes {
    const struct weir_node *http;
    const struct weir_node *resp;
    const struct weir_node *grpc;
    const struct weir_node *tokens;
    const struct weir_node *rights;
    const struct weir_node *trusted_proxies;
    const struct weir_node *tls;
    const struct weir_node *mode;
    bool x_ratelimit;
    bool insecure;
};

struct tls_nodes {
    const struct weir_node *certificate;
    const struct weir_node *key;
    const struct weir_node *client_authority;
};

#define LISTENER(key, kind) \
#key, WEIR_VALUE_##kind, false, offsetof(struct listener_nodes, key), 0, 0, 0, NULL
#define TLS(key, required) \
#key, WEIR_VALUE_NODE, required, offsetof(struct tls_nodes, key), 0, 0, 0, NULL

static const struct weir_key listener_keys[] = {
    {LISTENER(http, NODE)},           {LISTENER(resp, NODE)},   {LISTENER(grpc, NODE)},
    {LISTENER(tokens, LIST)},         {LISTENER(rights, NODE)}, {LISTENER(trusted_proxies, NODE)},
    {LISTENER(x_ratelimit, BOOLEAN)}, {LISTENER(tls, NODE)},    {LISTENER(mode, NODE)},
    {LISTENER(insecure, BOOLEAN)},
};

const struct weir_form weir_form_listener = {
    .name = "listener",
    .what = "a listener",
    .keys = listener_keys,
    .count = sizeof(listener_keys) / sizeof(listener_keys[0]),
};

static const struct weir_key tls_keys[] = {
    {TLS(certificate, true)},
    {TLS(key, true)},
    {TLS(client_authority, false)},
};

const struct weir_form weir_form_tls = {
    .name = "tls",
    .what = "tls",
    .keys = tls_keys,
    .count = sizeof(tls_keys) / sizeof(tls_keys[0]),
};

/* ---- Parts of a listener ------------------------------------------------------------------ */

/* In octal, as chmod takes it: the one number here that begins with 0. */
static bool read_mode(struct weir_reading *reading, const struct weir_node *node,
                      unsigned *ret_mode)
{
    struct weir_bytes text;
    struct weir_bytes rest;
    uint64_t mode;
    if (!weir_read_scalar(reading, node, "mode", &text)) {
        return false;
    }
    if (!weir_url_number(text, 8, &mode, &rest) || rest.len > 0 || mode > 0777 ||
        text.ptr[0] != '0') {
        const struct weir_quote quote = weir_node_quote(node);
        weir_complain(reading->complaints, node->origin,
                      "mode: expected a file's mode in octal from 0000 to 0777, as \"0660\", not "
                      "'%s'",
                      quote.text);
        return false;
    }
    *ret_mode = (unsigned)mode;
    return true;
}

static void read_trusted(struct weir_reading *reading, const struct weir_node *node,
                         struct weir_listener *listener)
{
    struct weir_items items;
    weir_items_of(node, &items);
    struct weir_network *list = weir_memory_take(reading->kept, items.count, sizeof(*list));
    size_t count = 0;
    for (const struct weir_entry *item = items.entries; item != NULL && list != NULL;
         item = item->next) {
        count += weir_read_network(reading, item->value, &list[count]) ? 1 : 0;
    }
    listener->trusted = list;
    listener->trusted_count = list != NULL ? count : 0;
}

static void read_tls(struct weir_reading *reading, const struct weir_node *node,
                     struct weir_listener *listener)
{
    struct tls_nodes nodes = {0};
    if (!weir_read_form(reading, node, &weir_form_tls, &nodes)) {
        return;
    }
    struct weir_listener_tls *tls = weir_memory_take(reading->kept, 1, sizeof(*tls));
    if (tls == NULL) {
        return;
    }
    tls->certificate = weir_read_path(reading, nodes.certificate, "certificate");
    tls->key = weir_read_path(reading, nodes.key, "key");
    if (nodes.client_authority != NULL) {
        tls->client_authority = weir_read_path(reading, nodes.client_authority, "client_authority");
    }
    listener->tls = tls;
}

/* ---- What goes together ------------------------------------------------------------------- */

static void refuse_with(struct weir_reading *reading, const struct weir_node *node,
                        const char *message)
{
    if (node != NULL) {
        weir_complain(reading->complaints, node->origin, "%s", message);
    }
}

static void check_together(struct weir_reading *reading, const struct weir_node *node,
                           const struct listener_nodes *nodes, const struct weir_listener *listener)
{
    if (listener->protocol != WEIR_PROTOCOL_HTTP) {
        refuse_with(reading, nodes->trusted_proxies, "trusted_proxies: only of an http listener");
        refuse_with(reading, nodes->x_ratelimit ? node : NULL,
                    "x_ratelimit: only of an http listener");
    }
    if (listener->path == NULL) {
        refuse_with(reading, nodes->mode, "mode: only of a unix socket, as unix:/run/weir.sock");
    } else {
        refuse_with(reading, nodes->tls, "tls: not of a unix socket, whose mode says who may");
    }
    const bool certified = listener->tls != NULL && listener->tls->client_authority != NULL;
    if (!weir_is_local(listener) && listener->rights != 0 && !certified && !listener->insecure) {
        refuse_with(reading, node,
                    listener->path != NULL
                        ? "others on this machine may write to this socket: write tokens, or mode: "
                          "\"0660\", or insecure: true if anybody may ask"
                        : "this is not only for this machine: write tokens or tls with "
                          "client_authority, or insecure: true if anybody may ask");
    }
    if (reading->review && !weir_is_local(listener) && listener->path == NULL &&
        listener->tls == NULL && listener->token_count > 0) {
        weir_warn(reading->complaints, node->origin,
                  "tokens go over the network in clear here; write tls");
    }
}

/* The address of the one protocol that is named; NULL: none is, or several. */
static const struct weir_node *find_protocol(const struct listener_nodes *nodes,
                                             enum weir_protocol *ret_protocol)
{
    const struct weir_node *const addresses[WEIR_PROTOCOL_COUNT] = {
        [WEIR_PROTOCOL_HTTP] = nodes->http,
        [WEIR_PROTOCOL_RESP] = nodes->resp,
        [WEIR_PROTOCOL_GRPC] = nodes->grpc,
    };
    const struct weir_node *found = NULL;
    for (size_t i = 0; i < WEIR_PROTOCOL_COUNT; i++) {
        if (addresses[i] != NULL) {
            if (found != NULL) {
                return NULL;
            }
            found = addresses[i];
            *ret_protocol = (enum weir_protocol)i;
        }
    }
    return found;
}

static void read_listener(struct weir_reading *reading, const struct weir_node *node,
                          struct weir_listener *listener)
{
    struct listener_nodes nodes = {0};
    listener->origin = node->origin;
    listener->mode = MODE_DEFAULT;
    const bool good = weir_read_form(reading, node, &weir_form_listener, &nodes);
    if (node->kind != WEIR_NODE_MAP) {
        return;
    }
    const struct weir_node *address = find_protocol(&nodes, &listener->protocol);
    if (address == NULL) {
        weir_complain(reading->complaints, node->origin,
                      "a listener needs one of 'http', 'resp' and 'grpc', as http: 127.0.0.1:8080");
        return;
    }
    listener->x_ratelimit = nodes.x_ratelimit;
    listener->insecure = nodes.insecure;
    bool whole = weir_read_address(reading, address, listener) && good;
    if (nodes.mode != NULL) {
        whole = read_mode(reading, nodes.mode, &listener->mode) && whole;
    }
    if (nodes.tokens != NULL) {
        weir_read_tokens(reading, nodes.tokens, listener);
    }
    if (nodes.trusted_proxies != NULL) {
        read_trusted(reading, nodes.trusted_proxies, listener);
    }
    if (nodes.tls != NULL) {
        read_tls(reading, nodes.tls, listener);
        whole = whole && listener->tls != NULL;
    }
    listener->rights = nodes.tokens != NULL ? 0 : WEIR_RIGHTS_ALL;
    if (nodes.rights != NULL) {
        whole = weir_read_rights(reading, nodes.rights, &listener->rights) && whole;
    }
    if (whole) {
        check_together(reading, node, &nodes, listener);
    }
}

/* ---- All of them -------------------------------------------------------------------------- */

static bool same_text(const char *a, const char *b)
{
    return a != NULL && b != NULL && strcmp(a, b) == 0;
}

static bool same_place(const struct weir_listener *a, const struct weir_listener *b)
{
    return same_text(a->path, b->path) || same_text(a->systemd, b->systemd) ||
           (same_text(a->host, b->host) && a->port == b->port && a->port != 0);
}

static void check_places(struct weir_reading *reading, const struct weir_config *config)
{
    for (size_t i = 1; i < config->listener_count; i++) {
        for (size_t j = 0; j < i; j++) {
            if (same_place(&config->listeners[i], &config->listeners[j])) {
                weir_complain(reading->complaints, config->listeners[i].origin,
                              "this is where the listener of line %u listens already",
                              config->listeners[j].origin.line);
            }
        }
    }
}

/* HTTP and RESP, for this machine alone. */
static void set_default(struct weir_reading *reading, struct weir_config *config)
{
    static const uint16_t ports[] = {[WEIR_PROTOCOL_HTTP] = 8080, [WEIR_PROTOCOL_RESP] = 6380};
    const size_t count = sizeof(ports) / sizeof(ports[0]);
    config->listeners = weir_memory_take(reading->kept, count, sizeof(*config->listeners));
    for (size_t i = 0; i < count && config->listeners != NULL; i++) {
        config->listeners[i] = (struct weir_listener){
            .protocol = (enum weir_protocol)i,
            .host = weir_memory_copy(reading->kept, weir_text("127.0.0.1")),
            .port = ports[i],
            .mode = MODE_DEFAULT,
            .rights = WEIR_RIGHTS_ALL,
        };
        config->listener_count = i + 1;
    }
}

void weir_read_listeners(struct weir_reading *reading, const struct weir_node *listen)
{
    struct weir_config *config = &reading->owned->config;
    if (listen == NULL) {
        set_default(reading, config);
        return;
    }
    if (listen->count < 1 || listen->count > WEIR_LISTENERS_MAX) {
        weir_complain(reading->complaints, listen->origin, "listen: expected 1 to 32 listeners");
        return;
    }
    config->listeners = weir_memory_take(reading->kept, listen->count, sizeof(*config->listeners));
    for (const struct weir_entry *item = listen->entries; item != NULL && config->listeners != NULL;
         item = item->next) {
        read_listener(reading, item->value, &config->listeners[config->listener_count++]);
    }
    if (config->listeners != NULL) {
        check_places(reading, config);
    }
}

_Static_assert(WEIR_LISTENERS_MAX == 32, "the message above says so");
