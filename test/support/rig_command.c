/* rig_command.c - see rig.h: commands to a server, answered as text. Knows RESP2 and nothing of
 * weir's own codec, so that it may judge it. */

#include "support/rig_command.h"
#include "support/rig.h"
#include "support/rig_process.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* How long a server has to answer. */
#define ANSWER_SECONDS 2

#define REPLY_MAX (256U * 1024U)
#define WORDS_MAX 64
#define NESTING_MAX 8

struct text {
    size_t len;
    char bytes[REPLY_MAX];
};

static void add(struct text *text, const char *bytes, size_t len)
{
    if (len >= sizeof(text->bytes) - text->len) {
        rig_fail("a reply of more than %u bytes", REPLY_MAX);
    }
    memcpy(text->bytes + text->len, bytes, len);
    text->len += len;
    text->bytes[text->len] = '\0';
}

static void add_text(struct text *text, const char *more)
{
    add(text, more, strlen(more));
}

/* ---- Reading ---- */

static bool read_reply(FILE *stream, struct text *text, unsigned nesting);

static bool read_bulk(FILE *stream, struct text *text, long length)
{
    if (length < 0) {
        add_text(text, "(nil)");
        return true;
    }
    for (long i = 0; i < length; i++) {
        const int byte = fgetc(stream);
        if (byte == EOF) {
            return false;
        }
        const char character = (char)byte;
        add(text, &character, 1);
    }
    const int carriage_return = fgetc(stream);
    return carriage_return == '\r' && fgetc(stream) == '\n';
}

/* NOLINTNEXTLINE(misc-no-recursion): to NESTING_MAX */
static bool read_array(FILE *stream, struct text *text, long count, unsigned nesting)
{
    if (count <= 0) {
        add_text(text, count < 0 ? "(nil)" : "(empty)");
    }
    for (long i = 0; i < count; i++) {
        add_text(text, i == 0 ? "" : "\n");
        if (!read_reply(stream, text, nesting + 1)) {
            return false;
        }
    }
    return true;
}

/* Adds one reply to `text`; false where the stream ends or is no RESP2. */
/* NOLINTNEXTLINE(misc-no-recursion): to NESTING_MAX */
static bool read_reply(FILE *stream, struct text *text, unsigned nesting)
{
    char line[1024];
    if (nesting > NESTING_MAX || fgets(line, sizeof(line), stream) == NULL) {
        return false;
    }
    line[strcspn(line, "\r\n")] = '\0';
    switch (line[0]) {
    case '+':
    case ':':
        add_text(text, line + 1);
        return true;
    case '-':
        add_text(text, "(error) ");
        add_text(text, line + 1);
        return true;
    case '$':
        return read_bulk(stream, text, strtol(line + 1, NULL, 10));
    case '*':
        return read_array(stream, text, strtol(line + 1, NULL, 10), nesting);
    default:
        return false;
    }
}

/* ---- Asking ---- */

static bool send_words(FILE *stream, const char *const *words)
{
    size_t count = 0;
    while (words[count] != NULL) {
        count++;
    }
    (void)fprintf(stream, "*%zu\r\n", count);
    for (size_t i = 0; i < count; i++) {
        (void)fprintf(stream, "$%zu\r\n%s\r\n", strlen(words[i]), words[i]);
    }
    return fflush(stream) == 0;
}

static FILE *dial(uint16_t port)
{
    const int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const struct timeval patience = {.tv_sec = ANSWER_SECONDS};
    const struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    (void)setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    (void)setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    if (connect(descriptor, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        const int why = errno;
        (void)close(descriptor);
        errno = why;
        return NULL;
    }
    return fdopen(descriptor, "r+");
}

const char *rig_command_words(uint16_t port, const char *password, const char *const *words)
{
    static _Thread_local struct text reply;
    reply.len = 0;
    reply.bytes[0] = '\0';
    FILE *stream = dial(port);
    if (stream == NULL) {
        rig_format(reply.bytes, sizeof(reply.bytes), "(no answer) %s", strerror(errno));
        return reply.bytes;
    }
    const char *const auth[] = {"AUTH", password, NULL};
    bool answered = password == NULL || (send_words(stream, auth) && read_reply(stream, &reply, 0));
    if (answered && (password == NULL || strcmp(reply.bytes, "OK") == 0)) {
        reply.len = 0;
        reply.bytes[0] = '\0';
        answered = send_words(stream, words) && read_reply(stream, &reply, 0);
    }
    if (!answered) {
        rig_format(reply.bytes, sizeof(reply.bytes), "(no answer) %s", "ended or timed out");
    }
    (void)fclose(stream);
    return reply.bytes;
}

const char *rig_command_list(uint16_t port, const char *password, va_list *arguments)
{
    const char *words[WORDS_MAX + 1];
    size_t count = 0;
    do {
        assert(count <= WORDS_MAX);
        words[count] = va_arg(*arguments, const char *);
    } while (words[count++] != NULL);
    return rig_command_words(port, password, words);
}

const char *rig_command(unsigned port, ...)
{
    va_list arguments;
    va_start(arguments, port);
    const char *reply = rig_command_list((uint16_t)port, NULL, &arguments);
    va_end(arguments);
    return reply;
}
