/* resp_login.c - who a peer is, and which version of the protocol it wants: AUTH, HELLO, RESET,
 * QUIT, SELECT. See resp_parts.h. The texts of errors are those of redis-server 7, as client
 * libraries look at some of them. */

#include "door/resp_parts.h"

#include <string.h>

/* The user that clients name where they were given a password alone. */
#define DEFAULT_USER "default"

#define WRONG_PASSWORD "WRONGPASS invalid username-password pair or user is disabled."

/* ---- AUTH ---------------------------------------------------------------------------------- */

/* Takes on the rights of the token that was shown; false where it is none. */
static bool log_in(struct weir_resp_session *session, struct weir_bytes user,
                   struct weir_bytes secret)
{
    const struct weir_listener *listener = session->session.listener;
    struct weir_bytes name = {NULL, 0};
    unsigned rights = weir_listener_rights(listener, user, secret, &name);
    if (rights == 0 && weir_resp_is(user, DEFAULT_USER)) {
        rights = weir_listener_rights(listener, weir_text(""), secret, &name);
    }
    if (rights == 0) {
        weir_tally_count(session->session.desk->options.tally, WEIR_COUNT_UNAUTHORIZED, 1);
        return false;
    }
    session->session.rights = rights;
    session->shown = true;
    session->user = name;
    return true;
}

void weir_resp_run_auth(struct weir_resp_session *session, const struct weir_resp_value *words,
                        uint32_t count)
{
    if (count > 3) {
        weir_resp_refuse(session, "ERR syntax error");
        return;
    }
    if (count == 2 && session->session.listener->token_count == 0) {
        weir_resp_refuse(session, "ERR AUTH <password> called without any password configured for "
                                  "the default user. Are you sure your configuration is correct?");
        return;
    }
    const struct weir_bytes user = count == 3 ? words[1].text : weir_text("");
    if (!log_in(session, user, words[count - 1].text)) {
        weir_resp_refuse(session, WRONG_PASSWORD);
        return;
    }
    weir_resp_put_simple(weir_session_say(&session->session), "OK");
}

/* ---- HELLO --------------------------------------------------------------------------------- */

/* What HELLO's options ask for. */
struct greeting {
    unsigned protocol;
    struct weir_bytes user;
    struct weir_bytes secret;
    struct weir_bytes name;
    bool has_secret;
    bool has_name;
};

/* Reads words[1] and on; says what is wrong with them. */
static bool read_greeting(struct weir_resp_session *session, const struct weir_resp_value *words,
                          uint32_t count, struct greeting *ret_greeting)
{
    struct greeting greeting = {.protocol = session->protocol};
    int64_t version = greeting.protocol;
    if (count > 1 && !weir_resp_integer(words[1].text, &version)) {
        weir_resp_refuse(session, "ERR Protocol version is not an integer or out of range");
        return false;
    }
    if (version != 2 && version != 3) {
        weir_resp_refuse(session, "NOPROTO unsupported protocol version");
        return false;
    }
    greeting.protocol = (unsigned)version;
    for (uint32_t at = 2; at < count;) {
        if (weir_resp_is(words[at].text, "auth") && at + 2 < count) {
            greeting.user = words[at + 1].text;
            greeting.secret = words[at + 2].text;
            greeting.has_secret = true;
            at += 3;
        } else if (weir_resp_is(words[at].text, "setname") && at + 1 < count) {
            greeting.name = words[at + 1].text;
            greeting.has_name = true;
            at += 2;
        } else {
            const struct weir_bytes text = words[at].text;
            weir_resp_refuse_print(
                session, "ERR Syntax error in HELLO option '%.*s'",
                (int)(text.len < WEIR_RESP_NAME_MAX ? text.len : WEIR_RESP_NAME_MAX),
                text.len > 0 ? text.ptr : "");
            return false;
        }
    }
    *ret_greeting = greeting;
    return true;
}

static void put_pair(struct weir_buffer *out, const char *name, const char *value)
{
    weir_resp_put_bulk_text(out, name);
    weir_resp_put_bulk_text(out, value);
}

static void greet(struct weir_resp_session *session)
{
    struct weir_buffer *out = weir_session_say(&session->session);
    weir_resp_put_map(out, 7, session->protocol);
    put_pair(out, "server", "weir");
    put_pair(out, "version", weir_version());
    weir_resp_put_bulk_text(out, "proto");
    weir_resp_put_integer(out, session->protocol);
    weir_resp_put_bulk_text(out, "id");
    weir_resp_put_integer(out, session->started_ns);
    put_pair(out, "mode", "standalone");
    put_pair(out, "role", "master");
    weir_resp_put_bulk_text(out, "modules");
    weir_resp_put_array(out, 0);
}

void weir_resp_run_hello(struct weir_resp_session *session, const struct weir_resp_value *words,
                         uint32_t count)
{
    struct greeting greeting;
    if (!read_greeting(session, words, count, &greeting)) {
        return;
    }
    if (greeting.has_name && !weir_resp_name_is_plain(greeting.name)) {
        weir_resp_refuse_name(session, "Client names");
        return;
    }
    if (greeting.has_secret && !log_in(session, greeting.user, greeting.secret)) {
        weir_resp_refuse(session, WRONG_PASSWORD);
        return;
    }
    if (session->session.rights == 0) {
        weir_tally_count(session->session.desk->options.tally, WEIR_COUNT_UNAUTHORIZED, 1);
        weir_resp_refuse(session,
                         "NOAUTH HELLO must be called with the client already authenticated, "
                         "otherwise the HELLO <proto> AUTH <user> <pass> option can be used to "
                         "authenticate the client and select the RESP protocol version at the "
                         "same time");
        return;
    }
    if (greeting.has_name) {
        weir_resp_set_name(&session->name, greeting.name);
    }
    session->protocol = greeting.protocol;
    greet(session);
}

/* ---- The rest ------------------------------------------------------------------------------ */

/* As a connection that was just made. */
void weir_resp_run_reset(struct weir_resp_session *session, const struct weir_resp_value *words,
                         uint32_t count)
{
    (void)words;
    (void)count;
    session->session.rights = session->session.listener->rights;
    session->shown = false;
    session->user = weir_bytes(NULL, 0);
    session->protocol = 2;
    weir_resp_set_name(&session->name, weir_bytes(NULL, 0));
    weir_resp_put_simple(weir_session_say(&session->session), "RESET");
}

void weir_resp_run_quit(struct weir_resp_session *session, const struct weir_resp_value *words,
                        uint32_t count)
{
    (void)words;
    (void)count;
    weir_resp_put_simple(weir_session_say(&session->session), "OK");
    session->session.closing = true;
}

/* There is one database. */
void weir_resp_run_select(struct weir_resp_session *session, const struct weir_resp_value *words,
                          uint32_t count)
{
    (void)count;
    int64_t database;
    if (!weir_resp_integer(words[1].text, &database)) {
        weir_resp_refuse(session, "ERR value is not an integer or out of range");
    } else if (database != 0) {
        weir_resp_refuse(session, "ERR DB index is out of range");
    } else {
        weir_resp_put_simple(weir_session_say(&session->session), "OK");
    }
}
