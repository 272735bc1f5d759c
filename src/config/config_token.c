/* config_token.c - tokens, whose secrets come from files or the environment; see parts.h.
 *
 * No message repeats a secret or a part of it. */

#include "config/parts.h"

#include <string.h>
#include <sys/stat.h>

#define SECRET_MIN 16
#define SECRET_MAX 1024
#define TOKEN_NAME_MAX 128

struct token_nodes {
    const struct weir_node *name;
    const struct weir_node *file;
    const struct weir_node *env;
    const struct weir_node *rights;
};

#define TOKEN(key) #key, WEIR_VALUE_NODE, false, offsetof(struct token_nodes, key), 0, 0, 0, NULL

static const struct weir_key token_keys[] = {
    {TOKEN(name)},
    {TOKEN(file)},
    {TOKEN(env)},
    {TOKEN(rights)},
};

const struct weir_form weir_form_token = {
    .name = "token",
    .what = "a token",
    .keys = token_keys,
    .count = sizeof(token_keys) / sizeof(token_keys[0]),
};

/* ---- Rights ------------------------------------------------------------------------------- */

static bool read_right(struct weir_reading *reading, const struct weir_node *node, unsigned *rights)
{
    static const struct {
        const char *name;
        unsigned bit;
    } names[] = {
        {"decide", WEIR_RIGHT_DECIDE},
        {"read", WEIR_RIGHT_READ},
        {"administer", WEIR_RIGHT_ADMINISTER},
    };
    struct weir_bytes text;
    if (!weir_read_scalar(reading, node, "rights", &text)) {
        return false;
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (weir_word_is(text, names[i].name)) {
            *rights |= names[i].bit;
            return true;
        }
    }
    const struct weir_quote quote = weir_node_quote(node);
    weir_complain(reading->complaints, node->origin,
                  "rights: expected decide, read or administer, not '%s'", quote.text);
    return false;
}

bool weir_read_rights(struct weir_reading *reading, const struct weir_node *node,
                      unsigned *ret_rights)
{
    struct weir_items items;
    unsigned rights = 0;
    bool good = true;
    weir_items_of(node, &items);
    for (const struct weir_entry *item = items.entries; item != NULL; item = item->next) {
        good = read_right(reading, item->value, &rights) && good;
    }
    if (good) {
        *ret_rights = rights;
    }
    return good;
}

/* ---- Secrets ------------------------------------------------------------------------------ */

/* Visible ASCII, so that it can be shown in a header; without the line's end. */
static bool keep_secret(struct weir_reading *reading, const struct weir_node *node,
                        struct weir_bytes bytes, struct weir_token *token)
{
    const char *line = bytes.len > 0 ? memchr(bytes.ptr, '\n', bytes.len) : NULL;
    struct weir_bytes secret =
        weir_bytes(bytes.ptr, line != NULL ? (size_t)(line - bytes.ptr) : bytes.len);
    if (secret.len > 0 && secret.ptr[secret.len - 1] == '\r') {
        secret.len--;
    }
    bool good = secret.len >= SECRET_MIN && secret.len <= SECRET_MAX;
    for (size_t i = 0; i < secret.len; i++) {
        good = good && secret.ptr[i] > ' ' && secret.ptr[i] <= '~';
    }
    if (!good) {
        weir_complain(reading->complaints, node->origin,
                      "a secret has 16 to 1024 letters, digits and signs, without blanks; as "
                      "`openssl rand -hex 32` makes one");
        return false;
    }
    token->secret = weir_memory_copy(reading->kept, secret);
    return token->secret != NULL;
}

_Static_assert(SECRET_MIN == 16 && SECRET_MAX == 1024, "the message above says so");

static bool read_secret_file(struct weir_reading *reading, const struct weir_node *node,
                             struct weir_token *token)
{
    char *path = weir_read_path(reading, node, "file");
    if (path == NULL || weir_add_file(reading, path, node->origin) < 0) {
        return false;
    }
    struct weir_buffer bytes = {.allocator = reading->source->allocator};
    struct weir_file_facts facts = {0};
    struct weir_error error = {0};
    const enum weir_status status = reading->source->read(reading->source->context, path,
                                                          SECRET_MAX + 2, &bytes, &facts, &error);
    bool good = false;
    if (status == WEIR_ERR_NO_MEMORY) {
        reading->kept->failed = true;
    } else if (status != WEIR_OK) {
        weir_complain(reading->complaints, node->origin, "file: %s can't be read: %s", path,
                      error.message);
    } else {
        good = keep_secret(reading, node, weir_buffer_bytes(&bytes), token);
    }
    if (good && (facts.mode & S_IROTH) != 0) {
        weir_warn(reading->complaints, node->origin,
                  "everybody on this machine may read %s: chmod o-r", path);
    }
    if (bytes.len > 0) {
        explicit_bzero(bytes.bytes, bytes.len);
    }
    weir_buffer_deinit(&bytes);
    return good;
}

static bool read_secret_variable(struct weir_reading *reading, const struct weir_node *node,
                                 struct weir_token *token)
{
    struct weir_bytes name;
    if (!weir_read_scalar(reading, node, "env", &name)) {
        return false;
    }
    const char *value = reading->source->environment(reading->source->context, name.ptr);
    if (value == NULL) {
        const struct weir_quote quote = weir_node_quote(node);
        weir_complain(reading->complaints, node->origin, "env: the variable %s is not set",
                      quote.text);
        return false;
    }
    return keep_secret(reading, node, weir_text(value), token);
}

/* ---- Tokens ------------------------------------------------------------------------------- */

static bool read_name(struct weir_reading *reading, const struct weir_node *node,
                      struct weir_token *token)
{
    struct weir_bytes name = {"", 0};
    if (node != NULL && !weir_read_scalar(reading, node, "name", &name)) {
        return false;
    }
    bool good = name.len <= TOKEN_NAME_MAX;
    for (size_t i = 0; i < name.len; i++) {
        good = good && name.ptr[i] > ' ' && name.ptr[i] <= '~';
    }
    if (!good) {
        weir_complain(reading->complaints, node->origin,
                      "name: at most 128 letters, digits and signs, without blanks");
        return false;
    }
    token->name = weir_memory_copy(reading->kept, name);
    return token->name != NULL;
}

_Static_assert(TOKEN_NAME_MAX == 128, "the message above says so");

static void read_token(struct weir_reading *reading, const struct weir_node *node,
                       struct weir_token *token)
{
    struct token_nodes nodes = {0};
    token->rights = WEIR_RIGHT_DECIDE;
    if (!weir_read_form(reading, node, &weir_form_token, &nodes)) {
        return;
    }
    if ((nodes.file == NULL) == (nodes.env == NULL)) {
        weir_complain(reading->complaints, node->origin,
                      "a token needs either 'file' or 'env', where its secret is");
        return;
    }
    (void)read_name(reading, nodes.name, token);
    if (nodes.rights != NULL) {
        (void)weir_read_rights(reading, nodes.rights, &token->rights);
    }
    if (nodes.file != NULL) {
        (void)read_secret_file(reading, nodes.file, token);
    } else {
        (void)read_secret_variable(reading, nodes.env, token);
    }
}

void weir_read_tokens(struct weir_reading *reading, const struct weir_node *tokens,
                      struct weir_listener *listener)
{
    if (tokens->count > WEIR_TOKENS_MAX) {
        weir_complain(reading->complaints, tokens->origin, "a listener has at most 64 tokens");
        return;
    }
    struct weir_token *list = weir_memory_take(reading->kept, tokens->count, sizeof(*list));
    if (list == NULL) {
        return;
    }
    size_t count = 0;
    for (const struct weir_entry *item = tokens->entries; item != NULL; item = item->next) {
        read_token(reading, item->value, &list[count++]);
    }
    listener->tokens = list;
    listener->token_count = count;
}

_Static_assert(WEIR_TOKENS_MAX == 64, "the message above says so");
