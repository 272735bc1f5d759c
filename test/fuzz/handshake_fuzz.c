/* handshake_fuzz.c - any bytes as a server's replies in the handshake.
 *
 * The first byte chooses what is asked for; the rest is what the server says. Whatever that is, the
 * handshake ends with the replies it asked for, and what is kept of them prints and holds no part
 * of the password, which the bytes may well repeat. */

#include "redis/handshake.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* No one scene of a handshake has more replies: HELLO, AUTH, SETNAME, SELECT, twice over. */
#define REPLIES_MAX 8

static const struct weir_login login = {.user = "bob", .password = "Secret7Word"};
static const struct weir_login nobody = {.user = ""};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const char *text, size_t size)
{
    const char *end = memchr(text, '\0', size);
    assert(end != NULL);
    for (const char *at = text; at < end; at++) {
        assert(*at >= ' ' && *at <= '~');
    }
}

static void check_info(const struct weir_server_info *info)
{
    check_text(info->kind, sizeof(info->kind));
    check_text(info->version, sizeof(info->version));
    check_text(info->role, sizeof(info->role));
    assert(info->protocol == 2 || info->protocol == 3);
}

static void check_end(const struct weir_handshake *handshake, enum weir_handshake_state state)
{
    check_text(handshake->message, sizeof(handshake->message));
    assert(state != WEIR_HANDSHAKE_FAILED || handshake->failure != WEIR_FAILURE_NONE);
    assert(handshake->failure == WEIR_FAILURE_NONE || handshake->message[0] != '\0');
    if (handshake->options->login->password[0] != '\0') {
        assert(strstr(handshake->message, "Secr") == NULL);
    }
}

static void read_replies(const struct weir_connection_options *options, struct weir_bytes input)
{
    struct weir_server_info info = {.protocol = 2};
    struct weir_handshake handshake;
    struct weir_buffer out = {.bytes = NULL};
    struct weir_resp_reader *reader = weir_resp_reader_new(&(struct weir_resp_limits){0}, NULL);
    if (reader == NULL) {
        abort();
    }
    weir_handshake_start(&handshake, options, &out);
    assert(!out.failed && out.len > 0);
    enum weir_handshake_state state = WEIR_HANDSHAKE_ON;
    unsigned replies = 0;
    size_t used = 0;
    while (state == WEIR_HANDSHAKE_ON && weir_resp_read(reader, input, &used) == WEIR_RESP_VALUE) {
        size_t count;
        const struct weir_resp_value *values = weir_resp_values(reader, &count);
        input = weir_bytes(input.ptr + used, input.len - used);
        if (values[0].type == WEIR_RESP_PUSH) {
            continue; /* the connection keeps these */
        }
        state = weir_handshake_reply(&handshake, values, &info, &out);
        replies++;
        assert(replies <= REPLIES_MAX);
    }
    check_info(&info);
    check_end(&handshake, state);
    weir_resp_reader_free(reader);
    weir_buffer_deinit(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    const struct weir_connection_options options = {
        .login = (data[0] & 1U) != 0 ? &login : &nobody,
        .database = (data[0] & 2U) != 0 ? 3 : 0,
        .sentinel = (data[0] & 4U) != 0,
        .resp2 = (data[0] & 8U) != 0,
    };
    read_replies(&options, weir_bytes(data + 1, size - 1));
    return 0;
}
