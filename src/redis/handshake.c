/* handshake.c - see handshake.h. */

#include "redis/handshake.h"

#include "redis/failure.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define CLIENT_NAME "weir"

/* A server's message is not repeated where this much of the start of the password is in it. */
#define SECRET_PART 4

static bool is(struct weir_bytes bytes, const char *text)
{
    return bytes.len == strlen(text) && memcmp(bytes.ptr, text, bytes.len) == 0;
}

static bool starts(struct weir_bytes bytes, const char *text)
{
    return bytes.len >= strlen(text) && memcmp(bytes.ptr, text, strlen(text)) == 0;
}

/* ---- Commands ----------------------------------------------------------------------------- */

static void owe(struct weir_handshake *handshake, enum weir_handshake_step step)
{
    assert(handshake->step_count < WEIR_HANDSHAKE_STEPS_MAX);
    handshake->steps[handshake->step_count++] = step;
}

static bool logs_in(const struct weir_login *login)
{
    return login->user[0] != '\0' || login->password[0] != '\0';
}

static void write_hello(const struct weir_connection_options *options, struct weir_buffer *out)
{
    const struct weir_login *login = options->login;
    const bool auth = logs_in(login);
    weir_resp_put_array(out, auth ? 7 : 4);
    weir_resp_put_bulk_text(out, "HELLO");
    weir_resp_put_bulk_text(out, options->resp2 ? "2" : "3");
    if (auth) {
        weir_resp_put_bulk_text(out, "AUTH");
        weir_resp_put_bulk_text(out, login->user[0] != '\0' ? login->user : "default");
        weir_resp_put_bulk_text(out, login->password);
    }
    weir_resp_put_bulk_text(out, "SETNAME");
    weir_resp_put_bulk_text(out, CLIENT_NAME);
}

static void write_auth(const struct weir_login *login, struct weir_buffer *out)
{
    const bool user = login->user[0] != '\0';
    weir_resp_put_array(out, user ? 3 : 2);
    weir_resp_put_bulk_text(out, "AUTH");
    if (user) {
        weir_resp_put_bulk_text(out, login->user);
    }
    weir_resp_put_bulk_text(out, login->password);
}

static void write_rest(struct weir_handshake *handshake, struct weir_buffer *out)
{
    const struct weir_connection_options *options = handshake->options;
    if (options->sentinel) {
        return;
    }
    if (options->database != 0) {
        owe(handshake, WEIR_STEP_SELECT);
        weir_resp_put_array(out, 2);
        weir_resp_put_bulk_text(out, "SELECT");
        weir_resp_put_bulk_integer(out, options->database);
    }
}

void weir_handshake_start(struct weir_handshake *handshake,
                          const struct weir_connection_options *options, struct weir_buffer *out)
{
    *handshake = (struct weir_handshake){.options = options};
    owe(handshake, WEIR_STEP_HELLO);
    write_hello(options, out);
    write_rest(handshake, out);
}

/* All over again, for a server without HELLO. */
static void start_plainly(struct weir_handshake *handshake, struct weir_buffer *out)
{
    handshake->step_count = 0;
    handshake->step_next = 0;
    handshake->refused = false;
    if (logs_in(handshake->options->login)) {
        owe(handshake, WEIR_STEP_AUTH);
        write_auth(handshake->options->login, out);
    }
    owe(handshake, WEIR_STEP_SETNAME);
    weir_resp_put_array(out, 3);
    weir_resp_put_bulk_text(out, "CLIENT");
    weir_resp_put_bulk_text(out, "SETNAME");
    weir_resp_put_bulk_text(out, CLIENT_NAME);
    write_rest(handshake, out);
}

/* ---- Replies ------------------------------------------------------------------------------ */

/* Whether a server's words hold something of the password: one that does not know a command says
 * which, "with args beginning with: ...". */
static bool betrays(const struct weir_login *login, struct weir_bytes text)
{
    const size_t length = strlen(login->password);
    const size_t part = length < SECRET_PART ? length : SECRET_PART;
    return part > 0 && text.len > 0 && memmem(text.ptr, text.len, login->password, part) != NULL;
}

static void note(struct weir_handshake *handshake, enum weir_failure failure,
                 struct weir_bytes text)
{
    static const char aside[] = ", with args";
    const char *end = text.len > 0 ? memmem(text.ptr, text.len, aside, sizeof(aside) - 1) : NULL;
    if (end != NULL) {
        text.len = (size_t)(end - text.ptr);
    }
    handshake->failure = failure;
    if (betrays(handshake->options->login, text)) {
        text = weir_text("it refuses, in words that hold a part of the password");
    }
    if (text.len == 0) {
        text = weir_text("it refuses without a word");
    }
    weir_failure_quote(text, handshake->message, sizeof(handshake->message));
}

static enum weir_handshake_state nonsense(struct weir_handshake *handshake, const char *message)
{
    note(handshake, WEIR_FAILURE_REPLY, weir_text(message));
    return WEIR_HANDSHAKE_FAILED;
}

/* One name and value of HELLO's reply. */
static void read_fact(struct weir_bytes name, const struct weir_resp_value *value,
                      struct weir_server_info *info)
{
    if (is(name, "server")) {
        weir_failure_quote(value->text, info->kind, sizeof(info->kind));
    } else if (is(name, "version")) {
        weir_failure_quote(value->text, info->version, sizeof(info->version));
    } else if (is(name, "role")) {
        const bool primary = is(value->text, "master") || is(value->text, "primary");
        const bool replica = is(value->text, "replica") || is(value->text, "slave");
        const char *role = primary ? "primary" : replica ? "replica" : "";
        weir_failure_quote(weir_text(role), info->role, sizeof(info->role));
    } else if (is(name, "proto") && value->type == WEIR_RESP_INTEGER) {
        info->protocol = value->integer == 3 ? 3 : 2;
    }
}

/* A map, or, in RESP2, the same as an array. */
static bool read_hello(const struct weir_resp_value *values, struct weir_server_info *info)
{
    if (values[0].type != WEIR_RESP_MAP && values[0].type != WEIR_RESP_ARRAY) {
        return false;
    }
    info->protocol = values[0].type == WEIR_RESP_MAP ? 3 : 2;
    const uint32_t end = values[0].next;
    uint32_t i = 1;
    for (uint32_t pair = 0; pair < values[0].count / 2 && i < end; pair++) {
        const struct weir_resp_value *name = &values[i];
        i = name->next;
        read_fact(name->text, &values[i], info);
        i = values[i].next;
    }
    return true;
}

/* Whether an error in reply to HELLO says that there is none to be had, rather than that nothing
 * is. Valkey 9 tells nobody which commands it has before they have logged in: what HELLO with a
 * password gets there, where there is no HELLO, is that it should have had one. */
static bool refuses_hello(const struct weir_login *login, struct weir_bytes text)
{
    return starts(text, "ERR ") || starts(text, "NOPERM ") || starts(text, "NOPROTO ") ||
           (logs_in(login) && starts(text, "NOAUTH "));
}

static enum weir_handshake_state take_error(struct weir_handshake *handshake,
                                            enum weir_handshake_step step, struct weir_bytes text)
{
    struct weir_complaint complaint;
    weir_failure_read(text, &complaint);
    enum weir_failure failure = complaint.failure;
    const bool login = failure == WEIR_FAILURE_AUTH;
    if (step == WEIR_STEP_HELLO && refuses_hello(handshake->options->login, text)) {
        note(handshake, failure, text);
        handshake->refused = true;
        return WEIR_HANDSHAKE_ON;
    }
    if (handshake->refused || (!login && step >= WEIR_STEP_SETNAME && step != WEIR_STEP_SELECT)) {
        return WEIR_HANDSHAKE_ON; /* asked again anyway; or nice to have */
    }
    if (failure == WEIR_FAILURE_REFUSED && starts(text, "ERR ")) {
        failure = step == WEIR_STEP_SELECT ? WEIR_FAILURE_DATABASE : failure;
        failure = step == WEIR_STEP_AUTH ? WEIR_FAILURE_AUTH : failure;
    }
    note(handshake, failure, text);
    return WEIR_HANDSHAKE_FAILED;
}

static enum weir_handshake_state take_answer(struct weir_handshake *handshake,
                                             enum weir_handshake_step step,
                                             const struct weir_resp_value *values,
                                             struct weir_server_info *info)
{
    if (step == WEIR_STEP_HELLO && !read_hello(values, info)) {
        return nonsense(handshake, "it answers HELLO with something else");
    }
    return WEIR_HANDSHAKE_ON;
}

enum weir_handshake_state weir_handshake_reply(struct weir_handshake *handshake,
                                               const struct weir_resp_value *values,
                                               struct weir_server_info *info,
                                               struct weir_buffer *out)
{
    assert(handshake->step_next < handshake->step_count);
    const enum weir_handshake_step step = handshake->steps[handshake->step_next++];
    const enum weir_handshake_state state = values[0].type == WEIR_RESP_ERROR
                                                ? take_error(handshake, step, values[0].text)
                                                : take_answer(handshake, step, values, info);
    if (state != WEIR_HANDSHAKE_ON || handshake->step_next < handshake->step_count) {
        return state;
    }
    if (handshake->refused) {
        info->protocol = 2;
        start_plainly(handshake, out);
        return WEIR_HANDSHAKE_ON;
    }
    return WEIR_HANDSHAKE_DONE;
}
