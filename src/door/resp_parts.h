/* resp_parts.h - what the files of the RESP door share. Read desk.h and ../resp/resp.h first, then
 * resp_session.c.
 *
 * A command is an array of words, of which the first is its name. It is looked up in a table
 * (resp_table.c) and run by what stands there: it says its answer at once (weir_session_say), or
 * makes an exchange, whose answer is written when the store has spoken. */

#ifndef WEIR_DOOR_RESP_PARTS_H
#define WEIR_DOOR_RESP_PARTS_H

#include "door/desk.h"
#include "door/limits.h"
#include "resp/resp.h"

/* Words of one command: enough for all attributes that a request may have, and its options. */
#define WEIR_RESP_WORDS_MAX 256

/* Bytes of a name that a peer gives itself, or its library. */
#define WEIR_RESP_NAME_MAX 128

/* How the answer of an exchange is written: exchange->kind. The protocol's version at the time of
 * the request is in exchange->flags. */
enum weir_resp_answer {
    WEIR_RESP_ANSWER_CELL = 0, /* as CL.THROTTLE; numbers[0]: admitted, whatever the decision */
    WEIR_RESP_ANSWER_CRAB,     /* as THROTTLE; numbers[0] likewise */
    WEIR_RESP_ANSWER_OUTCOME,  /* as WEIR.CHECK */
    WEIR_RESP_ANSWER_FORGOTTEN /* as WEIR.RESET */
};

struct weir_resp_name {
    uint8_t len;
    char bytes[WEIR_RESP_NAME_MAX];
};

_Static_assert(WEIR_RESP_NAME_MAX <= UINT8_MAX, "a name's length");

struct weir_resp_session {
    struct weir_session session; /* first: a session of the desk is one of these */
    struct weir_resp_reader *reader;
    unsigned protocol;      /* 2 or 3 */
    bool shown;             /* a token was shown: */
    struct weir_bytes user; /* its name, which is the listener's */
    int64_t started_ns;     /* monotonic; also its id */
    /* The limit that CL.THROTTLE or THROTTLE last brought, which a peer seldom changes. */
    struct weir_ad_hoc *limit; /* NULL, or in use */
    int64_t limit_burst;
    int64_t limit_count;
    int64_t limit_period; /* s */
    struct weir_resp_name name;
    struct weir_resp_name library;
    struct weir_resp_name library_version;
};

/* What runs a command. words[0] is its name; there are as many as its arity asks for. */
typedef void weir_resp_run_fn(struct weir_resp_session *session,
                              const struct weir_resp_value *words, uint32_t count);

/* What is needed to run a command, besides a right: nothing at all, or to be let in. */
#define WEIR_RESP_ANYBODY 0x100u
#define WEIR_RESP_PEER 0u

struct weir_resp_command {
    const char *name; /* in small letters */
    int arity;        /* words, its own included; below 0: so many or more. As Redis counts. */
    unsigned needs;   /* enum weir_rights, or one of the two above */
    bool has_key;     /* word 1 is a key */
    weir_resp_run_fn *run;
    const char *flags; /* as COMMAND tells them, with blanks between */
    const char *usage; /* what follows the name */
    const char *summary;
    const struct weir_resp_command *parts; /* its subcommands; NULL: none */
    size_t part_count;
};

extern const struct weir_resp_command weir_resp_commands[];
extern const size_t weir_resp_command_count;

/* The command of this name, in letters of any size; NULL. */
const struct weir_resp_command *weir_resp_find(const struct weir_resp_command *commands,
                                               size_t count, struct weir_bytes name);

/* ---- Words --------------------------------------------------------------------------------- */

/* Whether `bytes` is `text`, which is in small letters, in letters of any size. */
bool weir_resp_is(struct weir_bytes bytes, const char *text);

/* A whole number as redis-cell reads one: with a sign of either kind, and zeros before it. */
bool weir_resp_number_of(struct weir_bytes text, int64_t *ret_number);

/* ---- Saying -------------------------------------------------------------------------------- */

/* An error: a code as "ERR", a blank, a sentence. */
void weir_resp_refuse(struct weir_resp_session *session, const char *text);
void weir_resp_refuse_print(struct weir_resp_session *session, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Whether a name is one that a peer may give itself; says that it is not; takes one that is. */
bool weir_resp_name_is_plain(struct weir_bytes name);
void weir_resp_refuse_name(struct weir_resp_session *session, const char *what);
void weir_resp_set_name(struct weir_resp_name *name, struct weir_bytes bytes);

/* What an inquiry came to that is not WEIR_OK: -ERR where the request is to blame, -UNAVAILABLE
 * where it is not. `message` may be NULL. */
void weir_resp_put_status(struct weir_buffer *out, enum weir_status status, const char *message);

/* ---- Commands ------------------------------------------------------------------------------ */

weir_resp_run_fn weir_resp_run_cl_throttle; /* resp_throttle.c */
weir_resp_run_fn weir_resp_run_throttle;
weir_resp_run_fn weir_resp_run_check; /* resp_check.c */
weir_resp_run_fn weir_resp_run_peek;
weir_resp_run_fn weir_resp_run_refund;
weir_resp_run_fn weir_resp_run_forget;
weir_resp_run_fn weir_resp_run_auth; /* resp_login.c */
weir_resp_run_fn weir_resp_run_hello;
weir_resp_run_fn weir_resp_run_reset;
weir_resp_run_fn weir_resp_run_quit;
weir_resp_run_fn weir_resp_run_select;
weir_resp_run_fn weir_resp_run_ping; /* resp_client.c */
weir_resp_run_fn weir_resp_run_echo;
weir_resp_run_fn weir_resp_run_transaction;
weir_resp_run_fn weir_resp_run_client_setname;
weir_resp_run_fn weir_resp_run_client_getname;
weir_resp_run_fn weir_resp_run_client_setinfo;
weir_resp_run_fn weir_resp_run_client_id;
weir_resp_run_fn weir_resp_run_client_info;
weir_resp_run_fn weir_resp_run_client_switch;
weir_resp_run_fn weir_resp_run_client_reply;
weir_resp_run_fn weir_resp_run_command; /* resp_command.c */
weir_resp_run_fn weir_resp_run_command_count;
weir_resp_run_fn weir_resp_run_command_list;
weir_resp_run_fn weir_resp_run_command_info;
weir_resp_run_fn weir_resp_run_command_docs;
weir_resp_run_fn weir_resp_run_help;
weir_resp_run_fn weir_resp_run_info; /* resp_info.c */
weir_resp_run_fn weir_resp_run_config_get;

/* Whether peers may bring limits of their own; says why not. */
bool weir_resp_may_bring(struct weir_resp_session *session);

/* Lets go of the session's limit. */
void weir_resp_drop_limit(struct weir_resp_session *session);

/* Writes the answer of a decided exchange, by its kind. */
void weir_resp_answer_throttle(struct weir_buffer *out, const struct weir_exchange *exchange);
void weir_resp_answer_outcome(struct weir_buffer *out, const struct weir_exchange *exchange);
void weir_resp_answer_forgotten(struct weir_buffer *out, const struct weir_exchange *exchange);

#endif
