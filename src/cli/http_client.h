/* http_client.h - asks a server one thing over HTTP/1.1, and reads what it answers: for weir top.
 *
 * One connection a question, which the server is asked to close. An answer has a Content-Length;
 * one in chunks, or without a length, is no answer of weir's. All of it has one deadline. */

#ifndef WEIR_CLI_HTTP_CLIENT_H
#define WEIR_CLI_HTTP_CLIENT_H

#include "base/buffer.h"

/* Bytes of an answer's head, and of its body. */
#define CLI_HTTP_HEAD_MAX (16 * 1024)
#define CLI_HTTP_BODY_MAX (4 * 1024 * 1024)

/* Bytes of a token. */
#define CLI_HTTP_TOKEN_MAX 4096

/* Where a server is: http://host:port, or unix:/path. */
struct cli_http_place {
    char shown[320];
    char host[256]; /* as the header Host has it, without the port; empty: a unix socket */
    char port[6];
    char path[108]; /* of the unix socket */
};

/* False, and why in `message`, where `url` is none. */
bool cli_http_place_read(const char *url, struct cli_http_place *ret_place, char message[256]);

struct cli_http_question {
    const struct cli_http_place *place;
    const char *target; /* "/v1/top" */
    const char *token;  /* NULL: none */
    int64_t timeout_us;
    const int *watched; /* descriptors: once one can be read, the answer is waited for no longer */
    size_t watched_count; /* at most 2 */
};

enum cli_http_result {
    CLI_HTTP_ANSWERED = 0,
    CLI_HTTP_FAILED, /* why is in `message` */
    CLI_HTTP_INTERRUPTED
};

struct cli_http_answer {
    struct weir_buffer bytes; /* all of it */
    unsigned status;
    struct weir_bytes body; /* in `bytes` */
    char message[256];
};

/* `answer` is all zero, or of the question before. */
enum cli_http_result cli_http_ask(const struct cli_http_question *question,
                                  struct cli_http_answer *answer);

void cli_http_answer_deinit(struct cli_http_answer *answer);

#endif
