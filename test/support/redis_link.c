/* redis_link.c - see redis_link.h. */

#include "support/redis_link.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct redis_link {
    int socket;
    struct weir_scripts *scripts;
    struct weir_resp_reader *reader;
    struct weir_buffer out;
    struct weir_buffer name;
    char *input;
    size_t len;
    size_t room;
    size_t used; /* by the last reply */
};

static void must(bool condition, const char *what)
{
    if (!condition) {
        fprintf(stderr, "redis_link: %s\n", what);
        abort();
    }
}

static void fail_with(struct weir_bytes text)
{
    fprintf(stderr, "redis_link: the server says: %.*s\n", (int)text.len, text.ptr);
    abort();
}

struct redis_link *redis_link_open(uint16_t port, unsigned protocol)
{
    struct redis_link *link = calloc(1, sizeof(*link));
    must(link != NULL, "no memory");
    link->room = 1 << 16;
    link->input = malloc(link->room);
    link->scripts = weir_scripts_new(NULL);
    link->reader = weir_resp_reader_new(NULL, NULL);
    must(link->input != NULL && link->scripts != NULL && link->reader != NULL, "no memory");
    const struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons(port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    const int on = 1;
    link->socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(link->socket >= 0 &&
             connect(link->socket, (const struct sockaddr *)(const void *)&address,
                     sizeof(address)) == 0 &&
             setsockopt(link->socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == 0,
         "no connection");
    if (protocol == 3) {
        size_t count;
        const struct weir_bytes words[] = {weir_text("HELLO"), weir_text("3")};
        weir_resp_put_command(redis_link_command(link), words, 2);
        must(redis_link_ask(link, &count)->type == WEIR_RESP_MAP, "no RESP3");
    }
    return link;
}

void redis_link_close(struct redis_link *link)
{
    close(link->socket);
    weir_scripts_free(link->scripts);
    weir_resp_reader_free(link->reader);
    weir_buffer_deinit(&link->out);
    weir_buffer_deinit(&link->name);
    free(link->input);
    free(link);
}

struct weir_buffer *redis_link_command(struct redis_link *link)
{
    weir_buffer_clear(&link->out);
    return &link->out;
}

static void send_all(struct redis_link *link)
{
    must(!link->out.failed, "no memory");
    for (size_t sent = 0; sent < link->out.len;) {
        const ssize_t size =
            send(link->socket, link->out.bytes + sent, link->out.len - sent, MSG_NOSIGNAL);
        must(size > 0, "the connection was lost");
        sent += (size_t)size;
    }
}

static void receive_some(struct redis_link *link)
{
    if (link->len == link->room) {
        link->room *= 2;
        link->input = realloc(link->input, link->room);
        must(link->input != NULL, "no memory");
    }
    const ssize_t size = recv(link->socket, link->input + link->len, link->room - link->len, 0);
    must(size > 0, "the connection was lost");
    link->len += (size_t)size;
}

const struct weir_resp_value *redis_link_ask(struct redis_link *link, size_t *ret_count)
{
    send_all(link);
    memmove(link->input, link->input + link->used, link->len - link->used);
    link->len -= link->used;
    link->used = 0;
    for (;;) {
        const enum weir_resp_state state =
            weir_resp_read(link->reader, weir_bytes(link->input, link->len), &link->used);
        if (state == WEIR_RESP_VALUE) {
            return weir_resp_values(link->reader, ret_count);
        }
        must(state == WEIR_RESP_MORE, "the reply is no RESP");
        receive_some(link);
    }
}

void redis_link_call(struct redis_link *link, const struct weir_script_call *call,
                     struct weir_script_answer *ret_answers)
{
    size_t count;
    weir_script_write(link->scripts, call, false, redis_link_command(link));
    const struct weir_resp_value *values = redis_link_ask(link, &count);
    if (values[0].type == WEIR_RESP_ERROR && values[0].text.len >= 8 &&
        memcmp(values[0].text.ptr, "NOSCRIPT", 8) == 0) {
        weir_script_write(link->scripts, call, true, redis_link_command(link));
        values = redis_link_ask(link, &count);
    }
    if (values[0].type == WEIR_RESP_ERROR) {
        fail_with(values[0].text);
    }
    weir_script_read(link->scripts, call, values, count, ret_answers);
}

int64_t redis_link_number(struct redis_link *link, const char *const *words, size_t count)
{
    struct weir_buffer *out = redis_link_command(link);
    weir_resp_put_array(out, count);
    for (size_t i = 0; i < count; i++) {
        weir_resp_put_bulk_text(out, words[i]);
    }
    size_t parts;
    const struct weir_resp_value *value = redis_link_ask(link, &parts);
    int64_t number = -1;
    if (value->type == WEIR_RESP_ERROR) {
        fail_with(value->text);
    }
    if (value->type == WEIR_RESP_INTEGER) {
        return value->integer;
    }
    (void)weir_resp_integer(value->text, &number);
    return number;
}

size_t redis_link_count_keys(struct redis_link *link)
{
    static const char script[] = "local names = redis.call('KEYS', '*') "
                                 "for i = 1, #names do "
                                 "if redis.call('PTTL', names[i]) == -1 then "
                                 "return redis.error_reply('ERR no TTL: ' .. names[i]) end end "
                                 "return #names";
    return (size_t)REDIS_NUMBER(link, "EVAL", script, "0");
}

struct weir_bytes redis_link_name(struct redis_link *link, const struct weir_limit *limit,
                                  struct weir_bytes key)
{
    weir_buffer_clear(&link->name);
    weir_redis_name(weir_text("weir"), limit, key, &link->name);
    must(!link->name.failed, "no memory");
    return weir_bytes(link->name.bytes, link->name.len);
}
