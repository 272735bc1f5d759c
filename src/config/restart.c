/* restart.c - what a running server can take on of its listeners, and what it can't; see config.h.
 */

#include "config/config.h"

#include <stdio.h>
#include <string.h>

static bool same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* Whether what listens may go on. Who may ask there is no matter of the socket. */
static bool same_listener(const struct weir_listener *a, const struct weir_listener *b)
{
    const struct weir_listener_tls none = {0};
    const struct weir_listener_tls *left = a->tls != NULL ? a->tls : &none;
    const struct weir_listener_tls *right = b->tls != NULL ? b->tls : &none;
    return a->protocol == b->protocol && same_text(a->host, b->host) && a->port == b->port &&
           same_text(a->path, b->path) && a->mode == b->mode && same_text(a->systemd, b->systemd) &&
           same_text(left->certificate, right->certificate) && same_text(left->key, right->key) &&
           same_text(left->client_authority, right->client_authority);
}

static bool same_listeners(const struct weir_config *a, const struct weir_config *b)
{
    bool same = a->listener_count == b->listener_count;
    for (size_t i = 0; i < a->listener_count && same; i++) {
        same = same_listener(&a->listeners[i], &b->listeners[i]);
    }
    return same;
}

const struct weir_listener *weir_config_find_listener(const struct weir_config *config,
                                                      const struct weir_listener *listener)
{
    for (size_t i = 0; i < config->listener_count; i++) {
        if (same_listener(&config->listeners[i], listener)) {
            return &config->listeners[i];
        }
    }
    return NULL;
}

static bool same_network(const struct weir_network *a, const struct weir_network *b)
{
    return a->prefix == b->prefix && memcmp(a->address, b->address, sizeof(a->address)) == 0;
}

bool weir_listener_same_access(const struct weir_listener *a, const struct weir_listener *b)
{
    bool same = a->rights == b->rights && a->token_count == b->token_count &&
                a->trusted_count == b->trusted_count && a->x_ratelimit == b->x_ratelimit;
    for (size_t i = 0; same && i < a->token_count; i++) {
        same = same_text(a->tokens[i].name, b->tokens[i].name) &&
               same_text(a->tokens[i].secret, b->tokens[i].secret) &&
               a->tokens[i].rights == b->tokens[i].rights;
    }
    for (size_t i = 0; same && i < a->trusted_count; i++) {
        same = same_network(&a->trusted[i], &b->trusted[i]);
    }
    return same;
}

void weir_config_needs_restart(const struct weir_config *running, const struct weir_config *next,
                               char *text, size_t size)
{
    const struct {
        const char *name;
        bool same;
    } settings[] = {
        {"store", same_text(running->store, next->store)},
        {"workers", running->workers == next->workers},
        {"listen", same_listeners(running, next)},
    };
    size_t len = 0;
    if (size > 0) {
        text[0] = '\0';
    }
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
        if (!settings[i].same && len < size) {
            len += (size_t)snprintf(text + len, size - len, "%s%s", len > 0 ? ", " : "",
                                    settings[i].name);
        }
    }
}
