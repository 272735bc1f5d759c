/* resp_session.c - a peer that speaks RESP: from its bytes to commands, and who may run them. See
 * desk.h and resp_parts.h.
 *
 * Invariant: each command is answered once, in the order in which they came. Reading stops where
 * what is owed, or was said and has not been taken, is as much as one peer may have. */

#include "base/alloc.h"
#include "door/resp_parts.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* An error's text, which may have names and words of the peer's in it. */
#define ERROR_MAX 512

/* Of the words of a command that is unknown so many bytes are told, as redis-server does it. */
#define ECHOED_MAX 128

/* ---- Saying -------------------------------------------------------------------------------- */

void weir_resp_refuse(struct weir_resp_session *session, const char *text)
{
    weir_resp_put_error(weir_session_say(&session->session), text);
}

void weir_resp_refuse_print(struct weir_resp_session *session, const char *format, ...)
{
    char text[ERROR_MAX];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    weir_resp_refuse(session, text);
}

void weir_resp_put_status(struct weir_buffer *out, enum weir_status status, const char *message)
{
    const bool asker = status == WEIR_ERR_ARGUMENT || status == WEIR_ERR_LIMIT ||
                       status == WEIR_ERR_KEY_LENGTH || status == WEIR_ERR_UNSUPPORTED ||
                       status == WEIR_ERR_SAME_STATE;
    char text[ERROR_MAX];
    (void)snprintf(text, sizeof(text), "%s %s", asker ? "ERR" : "UNAVAILABLE",
                   message != NULL && message[0] != '\0' ? message : weir_strerror(status));
    weir_resp_put_error(out, text);
}

/* What is no command of ours, with the words that it begins with. */
static void refuse_unknown(struct weir_resp_session *session, const struct weir_resp_value *words,
                           uint32_t count)
{
    char echoed[ECHOED_MAX + 8] = "";
    size_t len = 0;
    for (uint32_t i = 1; i < count && len < ECHOED_MAX; i++) {
        const size_t left = ECHOED_MAX - len;
        const size_t word = words[i].text.len < left ? words[i].text.len : left;
        const int written = snprintf(echoed + len, sizeof(echoed) - len, "'%.*s' ", (int)word,
                                     word > 0 ? words[i].text.ptr : "");
        len += written > 0 ? (size_t)written : 0;
    }
    const struct weir_bytes name = words[0].text;
    weir_resp_refuse_print(session, "ERR unknown command '%.*s', with args beginning with: %s",
                           (int)(name.len < ECHOED_MAX ? name.len : ECHOED_MAX),
                           name.len > 0 ? name.ptr : "", echoed);
}

/* ---- Running ------------------------------------------------------------------------------- */

static bool is_arity(const struct weir_resp_command *command, uint32_t count)
{
    const uint32_t least = (uint32_t)(command->arity < 0 ? -command->arity : command->arity);
    return command->arity < 0 ? count >= least : count == least;
}

static bool may_run(const struct weir_resp_session *session,
                    const struct weir_resp_command *command)
{
    const unsigned rights = session->session.rights;
    return command->needs == WEIR_RESP_ANYBODY ||
           (rights != 0 && (rights & command->needs) == command->needs);
}

/* `part` is a part of the command, as setname of client, or the command itself. */
static void refuse_peer(struct weir_resp_session *session, const struct weir_resp_command *command,
                        const struct weir_resp_command *part)
{
    weir_tally_count(session->session.desk->options.tally, WEIR_COUNT_UNAUTHORIZED, 1);
    if (!session->shown) {
        weir_resp_refuse(session, "NOAUTH Authentication required.");
        return;
    }
    weir_resp_refuse_print(
        session, "NOPERM User %.*s has no permissions to run the '%s%s%s' command",
        (int)session->user.len, session->user.len > 0 ? session->user.ptr : "", command->name,
        part != command ? "|" : "", part != command ? part->name : "");
}

/* What a browser can be made to send to an address of its own machine: a request of HTTP has a line
 * of one of these words. Nothing that follows it is to be read as a command. */
static bool is_http(const struct weir_resp_value *words)
{
    return weir_resp_is(words[0].text, "post") || weir_resp_is(words[0].text, "host:");
}

/* The subcommand that words[1] names; the command itself where it has none, or none is named. */
static const struct weir_resp_command *find_part(struct weir_resp_session *session,
                                                 const struct weir_resp_command *command,
                                                 const struct weir_resp_value *words,
                                                 uint32_t count)
{
    if (command->parts == NULL || count < 2) {
        return command;
    }
    const struct weir_bytes name = words[1].text;
    const struct weir_resp_command *part =
        weir_resp_find(command->parts, command->part_count, name);
    if (part == NULL) {
        char upper[16];
        size_t len = 0;
        for (; command->name[len] != '\0' && len + 1 < sizeof(upper); len++) {
            upper[len] = (char)(command->name[len] - ('a' - 'A'));
        }
        upper[len] = '\0';
        weir_resp_refuse_print(session, "ERR unknown subcommand '%.*s'. Try %s HELP.",
                               (int)(name.len < ECHOED_MAX ? name.len : ECHOED_MAX),
                               name.len > 0 ? name.ptr : "", upper);
    }
    return part;
}

/* The one that is asked for most is known by its bytes as it is mostly written. */
static const struct weir_resp_command *find(struct weir_bytes name)
{
    static const char most[] = "CL.THROTTLE";
    if (name.len == sizeof(most) - 1 && memcmp(name.ptr, most, sizeof(most) - 1) == 0) {
        return &weir_resp_commands[0];
    }
    return weir_resp_find(weir_resp_commands, weir_resp_command_count, name);
}

static void run(struct weir_resp_session *session, const struct weir_resp_value *words,
                uint32_t count)
{
    const struct weir_resp_command *command = find(words[0].text);
    if (command == NULL) {
        if (is_http(words)) {
            session->session.closing = true;
            weir_tally_count(session->session.desk->options.tally, WEIR_COUNT_BAD_RESP, 1);
        }
        refuse_unknown(session, words, count);
        return;
    }
    const struct weir_resp_command *part = find_part(session, command, words, count);
    if (part == NULL) {
        return;
    }
    if (!is_arity(part, count)) {
        weir_resp_refuse_print(session, "ERR wrong number of arguments for '%s%s%s' command",
                               command->name, part != command ? "|" : "",
                               part != command ? part->name : "");
        return;
    }
    if (!may_run(session, part)) {
        refuse_peer(session, command, part);
        return;
    }
    part->run(session, words, count);
}

/* ---- Reading ------------------------------------------------------------------------------- */

/* What can't be read any further: says why, and reads no more. */
static void give_up(struct weir_resp_session *session, enum weir_resp_state state)
{
    session->session.closing = true;
    if (state == WEIR_RESP_NO_MEMORY) {
        weir_resp_refuse(session, "UNAVAILABLE out of memory");
        return;
    }
    weir_tally_count(session->session.desk->options.tally, WEIR_COUNT_BAD_RESP, 1);
    weir_resp_refuse_print(session, "ERR Protocol error: %s", weir_resp_complaint(session->reader));
}

static size_t session_read(struct weir_session *base, struct weir_bytes input)
{
    struct weir_resp_session *session = (struct weir_resp_session *)base;
    size_t at = 0;
    uint64_t commands = 0;
    base->partial = false;
    while (at < input.len && !base->closing && !weir_session_is_full(base)) {
        size_t used = 0;
        const struct weir_bytes rest = weir_bytes(input.ptr + at, input.len - at);
        const enum weir_resp_state state = weir_resp_read(session->reader, rest, &used);
        if (state == WEIR_RESP_MORE) {
            base->partial = true;
            break;
        }
        if (state != WEIR_RESP_VALUE) {
            give_up(session, state);
            break;
        }
        at += used;
        size_t count = 0;
        const struct weir_resp_value *words = weir_resp_values(session->reader, &count);
        if (count > 1) {
            commands++;
            run(session, words + 1, (uint32_t)count - 1);
        }
    }
    if (commands > 0) {
        weir_tally_count(base->desk->options.tally, WEIR_COUNT_REQUESTS_RESP, commands);
    }
    base->closing = base->closing || base->out.failed;
    return base->closing ? input.len : at;
}

/* ---- Life ---------------------------------------------------------------------------------- */

static void session_answer(struct weir_session *base, struct weir_exchange *exchange)
{
    switch ((enum weir_resp_answer)exchange->kind) {
    case WEIR_RESP_ANSWER_CELL:
    case WEIR_RESP_ANSWER_CRAB:
        weir_resp_answer_throttle(&base->out, exchange);
        break;
    case WEIR_RESP_ANSWER_OUTCOME:
        weir_resp_answer_outcome(&base->out, exchange);
        break;
    case WEIR_RESP_ANSWER_FORGOTTEN:
        weir_resp_answer_forgotten(&base->out, exchange);
        break;
    }
    base->closing = base->closing || base->out.failed;
}

static void session_close(struct weir_session *base)
{
    struct weir_resp_session *session = (struct weir_resp_session *)base;
    weir_resp_drop_limit(session);
    weir_resp_reader_free(session->reader);
    weir_release(base->desk->allocator, session, sizeof(*session));
}

static const struct weir_session_ops session_ops = {
    .door = WEIR_DOOR_RESP,
    .read = session_read,
    .answer = session_answer,
    .close = session_close,
};

static int64_t read_monotonic(void)
{
    struct timespec time;
    const int failed = clock_gettime(CLOCK_MONOTONIC, &time);
    assert(failed == 0);
    (void)failed;
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

struct weir_session *weir_resp_session_new(struct weir_desk *desk,
                                           const struct weir_listener *listener,
                                           struct weir_bytes peer)
{
    const uint32_t bytes = desk->view->config->caps.body_bytes;
    const struct weir_resp_limits limits = {
        .depth = 1,
        .values = WEIR_RESP_WORDS_MAX + 1,
        .text = bytes,
        .bytes = bytes,
        .commands = true,
    };
    struct weir_resp_session *session =
        weir_alloc(desk->allocator, sizeof(*session), _Alignof(struct weir_resp_session));
    if (session == NULL) {
        return NULL;
    }
    session->reader = weir_resp_reader_new(&limits, desk->allocator);
    if (session->reader == NULL) {
        weir_release(desk->allocator, session, sizeof(*session));
        return NULL;
    }
    weir_session_begin(&session->session, &session_ops, desk, listener, peer);
    session->protocol = 2;
    session->started_ns = read_monotonic();
    return &session->session;
}
