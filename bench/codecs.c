/* codecs.c - what reading a request costs: our readers of HTTP and JSON beside llhttp and jansson,
 * on the same bytes, in turn.
 *
 *     ninja -C build bench/bench-codecs && taskset -c 1 build/bench/bench-codecs
 *
 * A line for each kind of bytes and each reader: the least, and the median, of the rounds, in
 * nanoseconds. llhttp is compiled as Debian has it, not in its strict mode, and told to do what
 * ours does: to leave each header's name and value, the target and the body where they can be
 * found. */

#include "http/http.h"
#include "json/json.h"

#include <jansson.h>
#include <llhttp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ROUNDS 15
#define TIMES 100000

static const char get[] =
    "GET /v1/status HTTP/1.1\r\nHost: localhost:8080\r\nUser-Agent: a/1.2\r\n\r\n";

static const char subrequest[] =
    "GET /v1/forward-auth HTTP/1.0\r\n"
    "X-Original-URI: /api/v2/orders/1234567/items?limit=100&offset=200&sort=created_at\r\n"
    "X-Original-Method: GET\r\nX-Real-IP: 203.0.113.195\r\nX-Forwarded-For: 203.0.113.195\r\n"
    "X-Forwarded-Proto: https\r\nHost: api.example.com\r\nConnection: close\r\n"
    "user-agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/120.0.0.0 Safari/537.36\r\naccept: application/json, text/plain, */*\r\n"
    "accept-language: en-US,en;q=0.9\r\naccept-encoding: gzip, deflate, br\r\n"
    "referer: https://app.example.com/dashboard\r\n"
    "cookie: session=0123456789abcdef0123456789abcdef; theme=dark; lang=en-US\r\n\r\n";

static const char post[] =
    "POST /v1/check HTTP/1.1\r\nHost: localhost:8080\r\nContent-Type: application/json\r\n"
    "Content-Length: 60\r\n\r\n"
    "{\"rule\":\"login\",\"attributes\":{\"user\":\"u1234567\"},\"cost\":100}";

static const char check[] = "{\"checks\":[{\"rule\":\"login\",\"attributes\":{\"user\":"
                            "\"u12345\",\"address\":\"203.0.113.9\","
                            "\"path\":\"/api/v2/orders\"},\"cost\":1,\"peek\":false}]}";

/* ---- The readers -------------------------------------------------------------------------- */

/* What all of them leave, so that no reader has less to do. */
struct result {
    struct weir_http_request request;
    struct weir_http_header headers[WEIR_HTTP_HEADERS_MAX];
    size_t header_count;
    struct weir_bytes target;
    struct weir_bytes body;
    struct weir_buffer buffer;
    struct weir_json_reader json;
    size_t good;
};

static void weir_http(struct weir_bytes input, struct result *result)
{
    struct weir_http_reader reader = {.looked = 0};
    size_t used = 0;
    const enum weir_http_state state =
        weir_http_read(&reader, input, &result->buffer, &result->request, &used);
    result->good += state == WEIR_HTTP_REQUEST;
}

static int on_url(llhttp_t *parser, const char *at, size_t len)
{
    struct result *result = parser->data;
    result->target = weir_bytes(at, len);
    return 0;
}

static int on_field(llhttp_t *parser, const char *at, size_t len)
{
    struct result *result = parser->data;
    result->headers[result->header_count].name = weir_bytes(at, len);
    return 0;
}

static int on_value(llhttp_t *parser, const char *at, size_t len)
{
    struct result *result = parser->data;
    result->headers[result->header_count++].value = weir_bytes(at, len);
    return 0;
}

static int on_body(llhttp_t *parser, const char *at, size_t len)
{
    struct result *result = parser->data;
    result->body = weir_bytes(at, len);
    return 0;
}

static int on_complete(llhttp_t *parser)
{
    struct result *result = parser->data;
    result->good++;
    return 0;
}

static const llhttp_settings_t settings = {
    .on_url = on_url,
    .on_header_field = on_field,
    .on_header_value = on_value,
    .on_body = on_body,
    .on_message_complete = on_complete,
};

static void llhttp(struct weir_bytes input, struct result *result)
{
    llhttp_t parser;
    llhttp_init(&parser, HTTP_REQUEST, &settings);
    parser.data = result;
    result->header_count = 0;
    (void)llhttp_execute(&parser, input.ptr, input.len);
}

static void weir_json(struct weir_bytes input, struct result *result)
{
    weir_json_begin(&result->json, input, &result->buffer);
    enum weir_json_token token;
    while ((token = weir_json_next(&result->json)) > WEIR_JSON_BAD) {
    }
    result->good += token == WEIR_JSON_END;
}

static void jansson(struct weir_bytes input, struct result *result)
{
    json_t *tree = json_loadb(input.ptr, input.len, JSON_REJECT_DUPLICATES, NULL);
    result->good += tree != NULL;
    json_decref(tree);
}

/* ---- Measuring ---------------------------------------------------------------------------- */

struct row {
    const char *bytes;
    const char *name;
    const char *text;
    void (*read)(struct weir_bytes input, struct result *result);
    double ns[ROUNDS];
};

static double now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* Nanoseconds for one of many; ends the process where not all are read. */
static double measure(const struct row *row, struct result *result)
{
    const struct weir_bytes input = weir_text(row->text);
    result->good = 0;
    const double from = now_ns();
    for (size_t i = 0; i < TIMES; i++) {
        __asm__ volatile("" : : "r"(input.ptr) : "memory");
        row->read(input, result);
    }
    const double ns = (now_ns() - from) / TIMES;
    if (result->good != TIMES) {
        (void)fprintf(stderr, "%s does not take %s\n", row->name, row->bytes);
        exit(1);
    }
    return ns;
}

static int compare(const void *one, const void *other)
{
    const double a = *(const double *)one;
    const double b = *(const double *)other;
    return (a > b) - (a < b);
}

int main(void)
{
    static struct row rows[] = {
        {"GET", "weir", get, weir_http, {0}},
        {"GET", "llhttp", get, llhttp, {0}},
        {"subrequest", "weir", subrequest, weir_http, {0}},
        {"subrequest", "llhttp", subrequest, llhttp, {0}},
        {"POST", "weir", post, weir_http, {0}},
        {"POST", "llhttp", post, llhttp, {0}},
        {"JSON", "weir", check, weir_json, {0}},
        {"JSON", "jansson", check, jansson, {0}},
    };
    static struct result result;
    for (size_t round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
            rows[i].ns[round] = measure(&rows[i], &result);
        }
    }
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct row *row = &rows[i];
        qsort(row->ns, ROUNDS, sizeof(row->ns[0]), compare);
        (void)printf("%-10s %4zu bytes  %-8s %7.1f ns  (median %.1f)\n", row->bytes,
                     strlen(row->text), row->name, row->ns[0], row->ns[ROUNDS / 2]);
    }
    weir_buffer_deinit(&result.buffer);
    return 0;
}
