/* http_oracle.c - see http_oracle.h. */

#include "support/http_oracle.h"

#include "http/http.h"
#include "support/resp_text.h"

#include <assert.h>
#include <llhttp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What stands for a method that llhttp doesn't know. */
#define KNOWN "GET"

/* A request as one text: METHOD TARGET MINOR, a line for each header, an empty line, the body. */
struct account {
    struct weir_buffer text;
    struct weir_buffer body;
    size_t value; /* where the value that is being told starts */
    bool trailers;
    bool complete;
};

static void account_free(struct account *account)
{
    weir_buffer_deinit(&account->text);
    weir_buffer_deinit(&account->body);
}

/* ---- What llhttp says --------------------------------------------------------------------- */

static int on_url(llhttp_t *parser, const char *at, size_t len)
{
    struct account *account = parser->data;
    weir_buffer_put(&account->text, weir_bytes(at, len));
    return 0;
}

static int on_header(llhttp_t *parser, const char *at, size_t len)
{
    struct account *account = parser->data;
    if (!account->trailers) {
        weir_buffer_put(&account->text, weir_bytes(at, len));
    }
    return 0;
}

static int on_url_complete(llhttp_t *parser)
{
    struct account *account = parser->data;
    weir_buffer_put_text(&account->text, " ");
    return 0;
}

static int on_version_complete(llhttp_t *parser)
{
    struct account *account = parser->data;
    weir_buffer_put_number(&account->text, parser->http_major);
    weir_buffer_put_text(&account->text, ".");
    weir_buffer_put_number(&account->text, parser->http_minor);
    weir_buffer_put_text(&account->text, "\n");
    return 0;
}

static int on_field_complete(llhttp_t *parser)
{
    struct account *account = parser->data;
    (void)on_header(parser, ":", 1);
    account->value = account->text.len;
    return 0;
}

/* It leaves the blanks at a value's end. */
static int on_value_complete(llhttp_t *parser)
{
    struct account *account = parser->data;
    if (!account->trailers) {
        while (account->text.len > account->value &&
               strchr(" \t", account->text.bytes[account->text.len - 1]) != NULL) {
            account->text.len--;
        }
    }
    return on_header(parser, "\n", 1);
}

static int on_headers_complete(llhttp_t *parser)
{
    struct account *account = parser->data;
    account->trailers = true;
    return 0;
}

static int on_body(llhttp_t *parser, const char *at, size_t len)
{
    struct account *account = parser->data;
    weir_buffer_put(&account->body, weir_bytes(at, len));
    return 0;
}

static int on_message_complete(llhttp_t *parser)
{
    struct account *account = parser->data;
    weir_buffer_put_text(&account->text, "\n");
    weir_buffer_put(&account->text, weir_buffer_bytes(&account->body));
    account->complete = true;
    return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
    .on_method = on_url,
    .on_method_complete = on_url_complete,
    .on_url = on_url,
    .on_url_complete = on_url_complete,
    .on_version_complete = on_version_complete,
    .on_header_field = on_header,
    .on_header_field_complete = on_field_complete,
    .on_header_value = on_header,
    .on_header_value_complete = on_value_complete,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

/* Behind an extension with a plain value it looks for a size again: whether `at` is in such a line.
 */
static bool is_second_extension(struct weir_bytes input, const char *at)
{
    const char *line = at;
    while (line > input.ptr && line[-1] != '\n') {
        line--;
    }
    const char *const end = at < input.ptr + input.len ? at + 1 : at;
    const char *value = memchr(line, '=', (size_t)(end - line));
    return value != NULL && memchr(line, ';', (size_t)(value - line)) != NULL &&
           memchr(value, ';', (size_t)(end - value)) != NULL;
}

/* Reads one request: how many bytes it takes, 0 where it is not there whole or bad, SIZE_MAX where
 * it would be but for what is known of llhttp. */
static size_t ask_llhttp(struct weir_bytes input, struct account *account, const char **ret_reason)
{
    llhttp_t parser;
    llhttp_init(&parser, HTTP_REQUEST, &settings);
    parser.data = account;
    const llhttp_errno_t error = llhttp_execute(&parser, input.ptr, input.len);
    *ret_reason = error == HPE_OK ? "" : llhttp_get_error_reason(&parser);
    const char *const at = error == HPE_OK ? input.ptr : llhttp_get_error_pos(&parser);
    if (error == HPE_INVALID_CHUNK_SIZE && is_second_extension(input, at)) {
        return SIZE_MAX;
    }
    return account->complete ? (size_t)(at - input.ptr) : 0;
}

/* ---- What we say -------------------------------------------------------------------------- */

static void account_for(const struct weir_http_request *request, struct weir_bytes method,
                        struct account *account)
{
    struct weir_buffer *text = &account->text;
    weir_buffer_put(text, method);
    weir_buffer_put_text(text, " ");
    weir_buffer_put(text, request->target);
    weir_buffer_put_text(text, " 1.");
    weir_buffer_put_number(text, request->minor);
    weir_buffer_put_text(text, "\n");
    for (size_t i = 0; i < request->header_count; i++) {
        weir_buffer_put(text, request->headers[i].name);
        weir_buffer_put_text(text, ":");
        weir_buffer_put(text, request->headers[i].value);
        weir_buffer_put_text(text, "\n");
    }
    weir_buffer_put_text(text, "\n");
    weir_buffer_put(text, request->body);
}

/* Whether llhttp knows it of HTTP. */
static bool is_known(struct weir_bytes method)
{
    static const char *const known[] = {"GET",    "HEAD",    "POST",  "PUT",
                                        "DELETE", "OPTIONS", "PATCH", "TRACE"};
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (method.len == strlen(known[i]) && memcmp(method.ptr, known[i], method.len) == 0) {
            return true;
        }
    }
    return false;
}

/* ---- Both --------------------------------------------------------------------------------- */

static char *report(struct weir_bytes input, const char *what, const struct account *ours,
                    const struct account *theirs)
{
    char *text = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&text, &size);
    assert(to != NULL);
    (void)fprintf(to, "%s\n    ", what);
    resp_text_print(to, input);
    (void)fputs("\nours:\n    ", to);
    resp_text_print(to, weir_buffer_bytes(&ours->text));
    (void)fputs("\nllhttp's:\n    ", to);
    resp_text_print(to, weir_buffer_bytes(&theirs->text));
    (void)fputc('\n', to);
    (void)fclose(to);
    return text;
}

/* The bytes of `input` with another method, to be released. The request may have an empty line
 * before it. */
static struct weir_bytes with_method(struct weir_bytes input, struct weir_bytes method,
                                     const char *other)
{
    const size_t before = (size_t)(method.ptr - input.ptr);
    const size_t other_len = strlen(other);
    const size_t len = input.len - method.len + other_len;
    char *bytes = malloc(len);
    assert(bytes != NULL);
    memcpy(bytes, input.ptr, before);
    memcpy(bytes + before, other, other_len);
    memcpy(bytes + before + other_len, method.ptr + method.len, input.len - before - method.len);
    return weir_bytes(bytes, len);
}

/* Shows llhttp what we took for a request of `used` bytes, and what follows it. */
static char *compare(struct weir_bytes input, const struct weir_http_request *request, size_t used)
{
    struct account ours = {.value = 0};
    struct account theirs = {.value = 0};
    struct weir_bytes method = request->method;
    struct weir_bytes shown = input;
    const bool known = is_known(method);
    if (!known) {
        shown = with_method(input, method, KNOWN);
        used = used - method.len + strlen(KNOWN);
        method = weir_text(KNOWN);
    }
    account_for(request, method, &ours);
    const char *reason = "";
    const size_t theirs_used = ask_llhttp(shown, &theirs, &reason);
    char *objection = NULL;
    if (theirs_used == 0) {
        objection = report(shown, reason[0] == '\0' ? "llhttp needs more" : reason, &ours, &theirs);
    } else if (theirs_used != SIZE_MAX && theirs_used != used) {
        objection = report(shown, "llhttp sees another end", &ours, &theirs);
    } else if (theirs_used != SIZE_MAX &&
               (ours.text.len != theirs.text.len ||
                memcmp(ours.text.bytes, theirs.text.bytes, ours.text.len) != 0)) {
        objection = report(shown, "llhttp sees another request", &ours, &theirs);
    }
    if (!known) {
        free((void *)(uintptr_t)shown.ptr);
    }
    account_free(&ours);
    account_free(&theirs);
    return objection;
}

/* What we wait for the end of must not be whole to llhttp. */
static char *compare_more(struct weir_bytes input)
{
    const struct account ours = {.value = 0};
    struct account theirs = {.value = 0};
    const char *reason = "";
    char *objection = NULL;
    if (ask_llhttp(input, &theirs, &reason) - 1 < SIZE_MAX - 1) {
        objection = report(input, "we need more, llhttp doesn't", &ours, &theirs);
    }
    account_free(&theirs);
    return objection;
}

char *http_oracle_objection(struct weir_bytes input)
{
    struct weir_http_reader reader = {.looked = 0};
    struct weir_http_request *request = malloc(sizeof(*request));
    assert(request != NULL);
    struct weir_buffer body = {0};
    char *objection = NULL;
    size_t used = 0;
    enum weir_http_state state = WEIR_HTTP_REQUEST;
    while (input.len > 0 && objection == NULL && state == WEIR_HTTP_REQUEST) {
        state = weir_http_read(&reader, input, &body, request, &used);
        if (state == WEIR_HTTP_REQUEST) {
            objection = compare(input, request, used);
            input = weir_bytes(input.ptr + used, input.len - used);
        } else if (state != WEIR_HTTP_BAD) {
            objection = compare_more(input);
        }
    }
    weir_buffer_deinit(&body);
    free(request);
    return objection;
}
