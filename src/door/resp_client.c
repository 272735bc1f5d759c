/* resp_client.c - what client libraries say of themselves, and how they ask whether anybody is
 * there: CLIENT, PING, ECHO; and transactions, which there are none of. See resp_parts.h. */

#include "door/resp_parts.h"

#include <string.h>

#define NS_PER_S 1000000000

static void say_ok(struct weir_resp_session *session)
{
    weir_resp_put_simple(weir_session_say(&session->session), "OK");
}

/* ---- PING and ECHO ------------------------------------------------------------------------- */

void weir_resp_run_ping(struct weir_resp_session *session, const struct weir_resp_value *words,
                        uint32_t count)
{
    if (count > 2) {
        weir_resp_refuse(session, "ERR wrong number of arguments for 'ping' command");
    } else if (count == 2) {
        weir_resp_put_bulk(weir_session_say(&session->session), words[1].text);
    } else {
        weir_buffer_put(weir_session_say(&session->session), weir_bytes("+PONG\r\n", 7));
    }
}

void weir_resp_run_echo(struct weir_resp_session *session, const struct weir_resp_value *words,
                        uint32_t count)
{
    (void)count;
    weir_resp_put_bulk(weir_session_say(&session->session), words[1].text);
}

/* Libraries put what they send together into one by default: they are told what to do instead. */
void weir_resp_run_transaction(struct weir_resp_session *session,
                               const struct weir_resp_value *words, uint32_t count)
{
    (void)count;
    if (weir_resp_is(words[0].text, "multi")) {
        weir_resp_refuse(session,
                         "ERR MULTI is not supported: each command decides by itself; send "
                         "them as a pipeline without a transaction");
    } else if (weir_resp_is(words[0].text, "exec")) {
        weir_resp_refuse(session, "ERR EXEC without MULTI");
    } else {
        weir_resp_refuse(session, "ERR DISCARD without MULTI");
    }
}

/* ---- Names --------------------------------------------------------------------------------- */

bool weir_resp_name_is_plain(struct weir_bytes name)
{
    if (name.len > WEIR_RESP_NAME_MAX) {
        return false;
    }
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] < '!' || name.ptr[i] > '~') {
            return false;
        }
    }
    return true;
}

void weir_resp_refuse_name(struct weir_resp_session *session, const char *what)
{
    weir_resp_refuse_print(session,
                           "ERR %s cannot contain spaces, newlines or special characters, nor have "
                           "more than %d bytes.",
                           what, WEIR_RESP_NAME_MAX);
}

void weir_resp_set_name(struct weir_resp_name *name, struct weir_bytes bytes)
{
    name->len = (uint8_t)bytes.len;
    if (bytes.len > 0) {
        memcpy(name->bytes, bytes.ptr, bytes.len);
    }
}

void weir_resp_run_client_setname(struct weir_resp_session *session,
                                  const struct weir_resp_value *words, uint32_t count)
{
    (void)count;
    if (!weir_resp_name_is_plain(words[2].text)) {
        weir_resp_refuse_name(session, "Client names");
        return;
    }
    weir_resp_set_name(&session->name, words[2].text);
    say_ok(session);
}

void weir_resp_run_client_getname(struct weir_resp_session *session,
                                  const struct weir_resp_value *words, uint32_t count)
{
    (void)words;
    (void)count;
    struct weir_buffer *out = weir_session_say(&session->session);
    if (session->name.len > 0) {
        weir_resp_put_bulk(out, weir_bytes(session->name.bytes, session->name.len));
    } else {
        weir_resp_put_nil(out, session->protocol);
    }
}

void weir_resp_run_client_setinfo(struct weir_resp_session *session,
                                  const struct weir_resp_value *words, uint32_t count)
{
    (void)count;
    const bool is_name = weir_resp_is(words[2].text, "lib-name");
    const struct weir_bytes option = words[2].text;
    if (!is_name && !weir_resp_is(option, "lib-ver")) {
        weir_resp_refuse_print(
            session, "ERR Unrecognized option '%.*s'",
            (int)(option.len < WEIR_RESP_NAME_MAX ? option.len : WEIR_RESP_NAME_MAX),
            option.len > 0 ? option.ptr : "");
        return;
    }
    if (!weir_resp_name_is_plain(words[3].text)) {
        weir_resp_refuse_name(session, is_name ? "lib-name" : "lib-ver");
        return;
    }
    weir_resp_set_name(is_name ? &session->library : &session->library_version, words[3].text);
    say_ok(session);
}

/* ---- The connection ------------------------------------------------------------------------ */

void weir_resp_run_client_id(struct weir_resp_session *session, const struct weir_resp_value *words,
                             uint32_t count)
{
    (void)words;
    (void)count;
    weir_resp_put_integer(weir_session_say(&session->session), session->started_ns);
}

void weir_resp_run_client_info(struct weir_resp_session *session,
                               const struct weir_resp_value *words, uint32_t count)
{
    (void)words;
    (void)count;
    const struct weir_session *base = &session->session;
    struct weir_buffer *text = &base->desk->scratch;
    const int64_t age_ns = base->desk->now_ns - session->started_ns;
    weir_buffer_clear(text);
    weir_buffer_print(text,
                      "id=%lld addr=%.*s name=%.*s age=%lld db=0 user=%.*s resp=%u lib-name=%.*s "
                      "lib-ver=%.*s\n",
                      (long long)session->started_ns, (int)base->peer.len,
                      base->peer.len > 0 ? base->peer.ptr : "", (int)session->name.len,
                      session->name.bytes, (long long)(age_ns > 0 ? age_ns / NS_PER_S : 0),
                      (int)session->user.len, session->user.len > 0 ? session->user.ptr : "",
                      session->protocol, (int)session->library.len, session->library.bytes,
                      (int)session->library_version.len, session->library_version.bytes);
    weir_resp_put_bulk(weir_session_say(&session->session), weir_buffer_bytes(text));
}

/* NO-EVICT and NO-TOUCH say what is so anyhow: no connection is ended to save memory, and no key
 * is kept longer for being looked at. */
void weir_resp_run_client_switch(struct weir_resp_session *session,
                                 const struct weir_resp_value *words, uint32_t count)
{
    (void)count;
    if (weir_resp_is(words[2].text, "on") || weir_resp_is(words[2].text, "off")) {
        say_ok(session);
    } else {
        weir_resp_refuse(session, "ERR syntax error");
    }
}

void weir_resp_run_client_reply(struct weir_resp_session *session,
                                const struct weir_resp_value *words, uint32_t count)
{
    (void)count;
    if (weir_resp_is(words[2].text, "on")) {
        say_ok(session);
    } else if (weir_resp_is(words[2].text, "off") || weir_resp_is(words[2].text, "skip")) {
        weir_resp_refuse(session, "ERR CLIENT REPLY OFF and SKIP are not supported: every command "
                                  "is answered");
    } else {
        weir_resp_refuse(session, "ERR syntax error");
    }
}
