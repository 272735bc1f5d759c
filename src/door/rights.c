/* rights.c - which token of a listener a secret is. See desk.h. */

#include "door/desk.h"

#include <string.h>

/* Looks at all of both, whatever differs first, so that how long it takes says nothing. */
static bool same_secret(struct weir_bytes given, const char *secret)
{
    const size_t len = strlen(secret);
    unsigned differs = given.len != len;
    for (size_t i = 0; i < given.len; i++) {
        differs |= (unsigned char)given.ptr[i] ^ (unsigned char)secret[len > 0 ? i % len : 0];
    }
    return differs == 0;
}

/* A token without a name is anybody's. */
static bool is_user(struct weir_bytes user, const char *name)
{
    return user.len == 0 || name[0] == '\0' ||
           (user.len == strlen(name) && memcmp(user.ptr, name, user.len) == 0);
}

unsigned weir_listener_rights(const struct weir_listener *listener, struct weir_bytes user,
                              struct weir_bytes secret, struct weir_bytes *ret_name)
{
    unsigned rights = 0;
    for (size_t i = 0; i < listener->token_count; i++) {
        const struct weir_token *token = &listener->tokens[i];
        if (same_secret(secret, token->secret) && is_user(user, token->name) && rights == 0) {
            rights = token->rights;
            if (ret_name != NULL) {
                *ret_name = weir_text(token->name);
            }
        }
    }
    return rights;
}
