/* configuration.c - see configuration.h. */

#include "cli/configuration.h"

#include "cli/message.h"
#include "envoy/envoy.h"

#include <stdio.h>
#include <string.h>

/* Tells what there is to say; whether there is a configuration. */
static bool tell(const struct cli_command *command, enum weir_status status,
                 struct weir_buffer *messages)
{
    if (messages->len > 0) {
        (void)fwrite(messages->bytes, 1, messages->len, stderr);
    }
    if (status == WEIR_ERR_NO_MEMORY) {
        cli_complain(command->name, "%s", weir_strerror(status));
    }
    weir_buffer_deinit(messages);
    return status == WEIR_OK;
}

bool cli_config_open(const struct cli_command *command, const char *path, bool review,
                     struct weir_config **ret_config)
{
    struct weir_buffer messages = {0};
    const enum weir_status status = weir_config_read(path, review, &messages, ret_config);
    return tell(command, status, &messages);
}

bool cli_envoy_open(const struct cli_command *command, const char *path,
                    struct weir_config **ret_config)
{
    struct weir_buffer messages = {0};
    const enum weir_status status = weir_envoy_read(path, &messages, ret_config);
    return tell(command, status, &messages);
}

struct cli_limit_text cli_limit_text(const struct weir_limit *limit)
{
    struct cli_limit_text text = {""};
    if (weir_limit_format(limit, text.text, sizeof(text.text), NULL) != WEIR_OK) {
        text.text[0] = '\0';
    }
    return text;
}

void cli_put_key_parts(struct weir_buffer *out, const struct weir_rule_spec *rule)
{
    for (size_t i = 0; i < rule->key_count; i++) {
        weir_buffer_put_text(out, i > 0 ? ", " : "");
        weir_buffer_put(out, rule->key[i].attribute);
        weir_buffer_put_text(out, rule->key[i].optional ? "?" : "");
    }
    if (rule->key_count == 0) {
        weir_buffer_put_text(out, "all together");
    }
}

void cli_put_listener(struct weir_buffer *out, const struct weir_listener *listener)
{
    static const char *const protocols[WEIR_PROTOCOL_COUNT] = {[WEIR_PROTOCOL_HTTP] = "http ",
                                                               [WEIR_PROTOCOL_RESP] = "resp ",
                                                               [WEIR_PROTOCOL_GRPC] = "grpc "};
    weir_buffer_put_text(out, protocols[listener->protocol]);
    if (listener->path != NULL) {
        weir_buffer_print(out, "unix:%s", listener->path);
    } else if (listener->systemd != NULL) {
        weir_buffer_print(out, "systemd:%s", listener->systemd);
    } else {
        const bool brackets =
            weir_text(listener->host).len > 0 && strchr(listener->host, ':') != NULL;
        weir_buffer_print(out, brackets ? "[%s]:%u" : "%s:%u", listener->host, listener->port);
    }
}
