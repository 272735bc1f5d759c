/* grpc_test.c - a connection held against nghttp2's own client, both in memory: calls and their
 * answers however the bytes are cut, what is no gRPC, and peers that take more than they may. */

#include "grpc/parts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define STREAMS 8
#define HEADER_BYTES 4096
#define MESSAGE_BYTES 65536

/* ---- The two ends -------------------------------------------------------------------------- */

struct ends {
    struct weir_grpc *server;
    nghttp2_session *client;
    struct weir_buffer answer; /* of the stream that is looked at: DATA */
    char status[8];            /* :status */
    char grpc_status[8];
    char grpc_message[256];
    char log[4096];  /* what the server was told */
    uint32_t closed; /* streams */
    uint32_t reset_code;
    bool went_away;
    size_t piece; /* bytes that are handed over at once; 0: all */
    bool waits;   /* the server answers when the test says so */
    struct weir_grpc_call *call;
    const char *reason;
};

static void note(struct ends *ends, const char *what)
{
    const size_t len = strlen(ends->log);
    (void)snprintf(ends->log + len, sizeof(ends->log) - len, "%s", what);
}

static bool begin(void *context, struct weir_grpc_call *call)
{
    struct ends *ends = context;
    char text[128];
    const struct weir_bytes path = weir_grpc_path(call);
    const struct weir_bytes secret = weir_grpc_authorization(call);
    (void)snprintf(text, sizeof(text), "<%.*s %.*s %lld>", (int)path.len, path.ptr, (int)secret.len,
                   secret.ptr != NULL ? secret.ptr : "", (long long)weir_grpc_timeout_us(call));
    note(ends, text);
    ends->call = call;
    return true;
}

/* Says what it was told; "end" ends the call. */
static void message(void *context, struct weir_grpc_call *call, struct weir_bytes bytes)
{
    struct ends *ends = context;
    char text[64];
    (void)snprintf(text, sizeof(text), "[%zu %.*s]", bytes.len,
                   bytes.len < 20 ? (int)bytes.len : 20, bytes.ptr);
    note(ends, text);
    weir_grpc_set_data(call, ends);
    if (!ends->waits) {
        weir_grpc_reply(call, bytes);
    }
}

static void half_closed(void *context, struct weir_grpc_call *call)
{
    struct ends *ends = context;
    note(ends, "/");
    if (!ends->waits) {
        weir_grpc_finish(call, WEIR_GRPC_OK, NULL);
    }
}

static void gone(void *context, struct weir_grpc_call *call)
{
    struct ends *ends = context;
    note(ends, "!");
    if (ends->call == call) {
        ends->call = NULL;
    }
}

static const struct weir_grpc_ops ops = {begin, message, half_closed, gone};

/* NOLINTNEXTLINE(readability-function-size): nghttp2 tells with eight */
static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *context)
{
    struct ends *ends = context;
    static const char *const names[] = {":status", "grpc-status", "grpc-message"};
    char *const places[] = {ends->status, ends->grpc_status, ends->grpc_message};
    const size_t sizes[] = {sizeof(ends->status), sizeof(ends->grpc_status),
                            sizeof(ends->grpc_message)};
    (void)session;
    (void)frame;
    (void)flags;
    for (size_t i = 0; i < 3; i++) {
        if (strlen(names[i]) == name_len && memcmp(names[i], name, name_len) == 0) {
            (void)snprintf(places[i], sizes[i], "%.*s", (int)value_len, (const char *)value);
        }
    }
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *data,
                   size_t len, void *context)
{
    struct ends *ends = context;
    (void)session;
    (void)flags;
    (void)stream;
    weir_buffer_put(&ends->answer, weir_bytes(data, len));
    return 0;
}

static int on_close(nghttp2_session *session, int32_t stream, uint32_t code, void *context)
{
    struct ends *ends = context;
    (void)session;
    (void)stream;
    ends->closed++;
    ends->reset_code = code;
    return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
    struct ends *ends = context;
    (void)session;
    ends->went_away = ends->went_away || frame->hd.type == NGHTTP2_GOAWAY;
    return 0;
}

static struct ends *ends_new(bool waits)
{
    struct ends *ends = calloc(1, sizeof(*ends));
    assert_non_null(ends);
    const struct weir_grpc_options options = {.ops = &ops,
                                              .context = ends,
                                              .streams = STREAMS,
                                              .header_bytes = HEADER_BYTES,
                                              .message_bytes = MESSAGE_BYTES};
    nghttp2_session_callbacks *callbacks;
    assert_int_equal(nghttp2_session_callbacks_new(&callbacks), 0);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    assert_int_equal(nghttp2_session_client_new(&ends->client, callbacks, ends), 0);
    nghttp2_session_callbacks_del(callbacks);
    assert_int_equal(nghttp2_submit_settings(ends->client, NGHTTP2_FLAG_NONE, NULL, 0), 0);
    ends->waits = waits;
    ends->server = weir_grpc_new(&options);
    assert_non_null(ends->server);
    return ends;
}

static void ends_free(struct ends *ends)
{
    weir_grpc_free(ends->server);
    nghttp2_session_del(ends->client);
    weir_buffer_deinit(&ends->answer);
    free(ends);
}

/* Gives the server bytes, in pieces; false once it has given up. */
static bool give(struct ends *ends, const void *bytes, size_t len)
{
    const char *at = bytes;
    bool good = true;
    while (len > 0 && good) {
        const size_t some = ends->piece > 0 && ends->piece < len ? ends->piece : len;
        good = weir_grpc_receive(ends->server, weir_bytes(at, some));
        ends->reason = weir_grpc_broken(ends->server);
        at += some;
        len -= some;
    }
    return good;
}

/* Carries bytes both ways until there are none; false once the server has given up. */
static bool carry(struct ends *ends)
{
    bool good = true;
    for (bool moved = true; moved;) {
        const uint8_t *bytes;
        moved = false;
        for (ssize_t len; (len = nghttp2_session_mem_send(ends->client, &bytes)) > 0;) {
            good = give(ends, bytes, (size_t)len) && good;
            moved = true;
        }
        struct weir_buffer out = {0};
        weir_grpc_send(ends->server, &out, 1 << 20);
        if (out.len > 0) {
            moved = true;
            assert_true(nghttp2_session_mem_recv(ends->client, (const uint8_t *)out.bytes,
                                                 out.len) == (ssize_t)out.len);
        }
        weir_buffer_deinit(&out);
    }
    return good;
}

/* ---- Requests ------------------------------------------------------------------------------ */

struct body {
    const char *bytes;
    size_t len;
    size_t sent;
    bool open; /* more is to come */
};

/* NOLINTNEXTLINE(readability-function-size): nghttp2 asks with seven */
static ssize_t give_body(nghttp2_session *session, int32_t stream, uint8_t *buffer, size_t length,
                         uint32_t *flags, nghttp2_data_source *source, void *context)
{
    struct body *body = source->ptr;
    const size_t left = body->len - body->sent;
    const size_t some = left < length ? left : length;
    (void)session;
    (void)stream;
    (void)context;
    memcpy(buffer, body->bytes + body->sent, some);
    body->sent += some;
    if (body->sent == body->len && !body->open) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    } else if (some == 0) {
        return NGHTTP2_ERR_DEFERRED;
    }
    return (ssize_t)some;
}

static nghttp2_nv header(const char *name, const char *value)
{
    return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name),
                        strlen(value), NGHTTP2_NV_FLAG_NONE};
}

/* A call with up to two headers more; those of a name above are in its place. */
static int32_t call(struct ends *ends, const char *const more[2][2], struct body *body)
{
    nghttp2_nv headers[8] = {header(":method", "POST"), header(":scheme", "http"),
                             header(":path", "/a.B/C"), header(":authority", "x"),
                             header("content-type", "application/grpc")};
    size_t count = 5;
    for (size_t i = 0; more != NULL && i < 2 && more[i][0] != NULL; i++) {
        size_t at = 0;
        while (at < count && strcmp((const char *)headers[at].name, more[i][0]) != 0) {
            at++;
        }
        headers[at] = header(more[i][0], more[i][1]);
        count += at == count ? 1 : 0;
    }
    const nghttp2_data_provider provider = {.source = {.ptr = body}, .read_callback = give_body};
    const int32_t stream = nghttp2_submit_request(ends->client, NULL, headers, count,
                                                  body != NULL ? &provider : NULL, NULL);
    assert_true(stream > 0);
    return stream;
}

#define ONE "\0\0\0\0\5hello"

static struct body body_of(const char *bytes, size_t len)
{
    return (struct body){.bytes = bytes, .len = len};
}

/* ---- Calls --------------------------------------------------------------------------------- */

static void a_call_is_answered_however_it_is_cut(void **state)
{
    (void)state;
    for (size_t piece = 0; piece < 40; piece++) {
        struct ends *ends = ends_new(false);
        struct body body = body_of(ONE, 10);
        const char *const more[2][2] = {{"authorization", "Bearer x"}, {"grpc-timeout", "20m"}};
        ends->piece = piece;
        (void)call(ends, more, &body);
        assert_true(carry(ends));
        assert_string_equal(ends->log, "</a.B/C Bearer x 20000>[5 hello]/");
        assert_string_equal(ends->status, "200");
        assert_string_equal(ends->grpc_status, "0");
        assert_int_equal(ends->answer.len, 10);
        assert_memory_equal(ends->answer.bytes, ONE, 10);
        assert_int_equal(ends->closed, 1);
        assert_int_equal(weir_grpc_calls(ends->server), 0);
        assert_false(weir_grpc_is_partial(ends->server));
        ends_free(ends);
    }
}

static void messages_follow_one_another(void **state)
{
    (void)state;
    struct ends *ends = ends_new(false);
    struct body body = body_of(ONE ONE "\0\0\0\0\0", 25);
    (void)call(ends, NULL, &body);
    assert_true(carry(ends));
    assert_string_equal(ends->log, "</a.B/C  0>[5 hello][5 hello][0 ]/");
    assert_int_equal(ends->answer.len, 25);
    ends_free(ends);
}

static void calls_are_answered_in_any_order(void **state)
{
    (void)state;
    struct ends *ends = ends_new(true);
    struct weir_grpc_call *calls[2];
    struct body bodies[2] = {body_of(ONE, 10), body_of(ONE, 10)};
    for (size_t i = 0; i < 2; i++) {
        (void)call(ends, NULL, &bodies[i]);
        assert_true(carry(ends));
        calls[i] = ends->call;
    }
    for (size_t i = 2; i-- > 0;) {
        weir_grpc_reply(calls[i], weir_text("late"));
        weir_grpc_finish(calls[i], WEIR_GRPC_OK, NULL);
        assert_true(carry(ends));
        assert_int_equal(ends->closed, 2 - i);
    }
    assert_memory_equal(ends->answer.bytes, "\0\0\0\0\4late\0\0\0\0\4late", 18);
    ends_free(ends);
}

static void an_error_is_headers_alone(void **state)
{
    (void)state;
    struct ends *ends = ends_new(true);
    struct body body = body_of(ONE, 10);
    (void)call(ends, NULL, &body);
    assert_true(carry(ends));
    weir_grpc_finish(ends->call, WEIR_GRPC_INVALID_ARGUMENT, "50% \xc3\xa4\n");
    assert_true(carry(ends));
    assert_string_equal(ends->grpc_status, "3");
    assert_string_equal(ends->grpc_message, "50%25 %C3%A4%0A");
    assert_int_equal(ends->answer.len, 0);
    ends_free(ends);
}

/* More than the peer's window, which it opens as it reads. */
static void a_long_answer_keeps_to_the_window(void **state)
{
    (void)state;
    static char large[200000];
    struct ends *ends = ends_new(true);
    struct body body = body_of(ONE, 10);
    (void)call(ends, NULL, &body);
    assert_true(carry(ends));
    memset(large, 'x', sizeof(large));
    weir_grpc_reply(ends->call, weir_bytes(large, sizeof(large)));
    weir_grpc_finish(ends->call, WEIR_GRPC_OK, NULL);
    assert_true(carry(ends));
    assert_int_equal(ends->answer.len, sizeof(large) + 5);
    assert_string_equal(ends->grpc_status, "0");
    ends_free(ends);
}

static void a_reset_call_is_gone(void **state)
{
    (void)state;
    struct ends *ends = ends_new(true);
    struct body body = body_of(ONE, 10);
    const int32_t stream = call(ends, NULL, &body);
    assert_true(carry(ends));
    assert_int_equal(nghttp2_submit_rst_stream(ends->client, 0, stream, NGHTTP2_CANCEL), 0);
    assert_true(carry(ends));
    assert_string_equal(ends->log, "</a.B/C  0>[5 hello]/!");
    assert_int_equal(weir_grpc_calls(ends->server), 0);
    ends_free(ends);
}

static void calls_under_way_are_gone_with_the_connection(void **state)
{
    (void)state;
    struct ends *ends = ends_new(true);
    struct body body = body_of(ONE, 10);
    (void)call(ends, NULL, &body);
    assert_true(carry(ends));
    weir_grpc_free(ends->server);
    ends->server = NULL;
    assert_string_equal(ends->log, "</a.B/C  0>[5 hello]/!");
    ends_free(ends);
}

static void a_drained_connection_ends_with_its_last_call(void **state)
{
    (void)state;
    struct ends *ends = ends_new(true);
    struct body body = body_of(ONE, 10);
    (void)call(ends, NULL, &body);
    assert_true(carry(ends));
    weir_grpc_drain(ends->server);
    assert_true(carry(ends));
    assert_true(ends->went_away);
    assert_false(weir_grpc_is_over(ends->server));
    weir_grpc_finish(ends->call, WEIR_GRPC_OK, NULL);
    (void)carry(ends);
    assert_true(weir_grpc_is_over(ends->server));
    assert_string_equal(ends->grpc_status, "0");
    ends_free(ends);
}

/* ---- What is no gRPC ----------------------------------------------------------------------- */

static void what_is_no_grpc_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *more[2][2];
        const char *body;
        size_t len;
        const char *status;
        const char *grpc_status;
    } cases[] = {
        {{{":method", "GET"}}, ONE, 10, "405", ""},
        {{{"content-type", "application/json"}}, ONE, 10, "415", ""},
        {{{"content-type", "application/grpcx"}}, ONE, 10, "415", ""},
        {{{"content-type", "application/grpc+proto"}}, ONE, 10, "200", "0"},
        {{{"grpc-timeout", "x"}}, ONE, 10, "200", "13"},
        {{{"grpc-timeout", "123456789S"}}, ONE, 10, "200", "13"},
        {{{"grpc-encoding", "gzip"}}, ONE, 10, "200", "12"},
        {{{"grpc-encoding", "identity"}}, ONE, 10, "200", "0"},
        {{{NULL}}, "\1\0\0\0\5hello", 10, "200", "12"},
        {{{NULL}}, "\2\0\0\0\5hello", 10, "200", "13"},
        {{{NULL}}, "\0\0\1\0\1hello", 10, "200", "8"},
        {{{NULL}}, "\0\0\0\0\6hello", 10, "200", "13"},
        {{{NULL}}, "\0\0\0", 3, "200", "13"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct ends *ends = ends_new(false);
        struct body body = body_of(cases[i].body, cases[i].len);
        (void)call(ends, cases[i].more, &body);
        assert_true(carry(ends));
        if (strcmp(ends->status, cases[i].status) != 0 ||
            strcmp(ends->grpc_status, cases[i].grpc_status) != 0 || ends->closed != 1) {
            fail_msg("case %zu: %s %s %s", i, ends->status, ends->grpc_status, ends->grpc_message);
        }
        ends_free(ends);
    }
}

static void a_timeout_is_a_number_and_a_unit(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t us;
    } cases[] = {{"1H", INT64_C(3600000000)},
                 {"2M", 120000000},
                 {"3S", 3000000},
                 {"20m", 20000},
                 {"7u", 7},
                 {"1999n", 1},
                 {"0n", 1},
                 {"0S", 1},
                 {"99999999H", INT64_C(366) * 86400 * 1000000},
                 {"", 0},
                 {"S", 0},
                 {"1", 0},
                 {"1s", 0},
                 {"-1S", 0},
                 {"1.5S", 0},
                 {"123456789n", 0}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t us = 0;
        const bool read = weir_grpc_read_timeout(weir_text(cases[i].text), &us);
        assert_int_equal(read, cases[i].us != 0);
        assert_int_equal(us, cases[i].us);
    }
}

static void headers_have_an_end(void **state)
{
    (void)state;
    static char value[HEADER_BYTES];
    memset(value, 'v', sizeof(value));
    for (unsigned over = 0; over < 2; over++) {
        struct ends *ends = ends_new(false);
        struct body body = body_of(ONE, 10);
        /* Those that every call has, and the name of this one. */
        const size_t others = strlen(":methodPOST:schemehttp:path/a.B/C:authorityxcontent-type"
                                     "application/grpcx-long");
        value[HEADER_BYTES - others + over] = '\0';
        const char *const more[2][2] = {{"x-long", value}};
        (void)call(ends, more, &body);
        assert_true(carry(ends));
        assert_string_equal(ends->status, over == 0 ? "200" : "431");
        value[HEADER_BYTES - others + over] = 'v';
        ends_free(ends);
    }
}

static void what_is_no_http2_is_given_up(void **state)
{
    (void)state;
    struct ends *ends = ends_new(false);
    assert_false(give(ends, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27));
    assert_non_null(ends->reason);
    struct weir_buffer out = {0};
    weir_grpc_send(ends->server, &out, 1 << 20);
    weir_buffer_deinit(&out);
    assert_true(weir_grpc_is_over(ends->server));
    assert_false(give(ends, "x", 1));
    ends_free(ends);
}

/* ---- Peers that take more than they may ---------------------------------------------------- */

#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
#define EMPTY_SETTINGS "\0\0\0\4\0\0\0\0\0"

static bool greet(struct ends *ends)
{
    return give(ends, PREFACE, 24) && give(ends, EMPTY_SETTINGS, 9);
}

/* Gives the same bytes until they are too many; how often they were taken. */
static size_t flood(struct ends *ends, const void *bytes, size_t len, size_t most)
{
    size_t taken = 0;
    while (taken < most && give(ends, bytes, len)) {
        taken++;
    }
    return taken;
}

static void floods_are_given_up(void **state)
{
    (void)state;
    static const struct {
        const char *frame;
        size_t len;
        size_t most; /* that may be taken */
    } cases[] = {
        {EMPTY_SETTINGS, 9, 200},
        {"\0\0\10\6\0\0\0\0\0pingping", 17, 200},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct ends *ends = ends_new(false);
        assert_true(greet(ends));
        const size_t taken = flood(ends, cases[i].frame, cases[i].len, 100000);
        if (taken > cases[i].most) {
            fail_msg("case %zu: %zu were taken", i, taken);
        }
        ends_free(ends);
    }
}

/* Streams that are opened and reset at once. */
static void rapid_resets_are_given_up(void **state)
{
    (void)state;
    struct ends *ends = ends_new(true);
    size_t opened = 0;
    bool good = true;
    while (good && opened < 100000) {
        struct body body = body_of(ONE, 10);
        const int32_t stream = call(ends, NULL, &body);
        good = carry(ends);
        if (good) {
            (void)nghttp2_submit_rst_stream(ends->client, 0, stream, NGHTTP2_CANCEL);
            good = carry(ends);
        }
        opened++;
        ends->log[0] = '\0';
    }
    assert_int_equal(opened, 1001);
    assert_true(weir_grpc_calls(ends->server) <= STREAMS);
    ends_free(ends);
}

/* The same of calls that were refused before they are reset: their answers are never sent. */
static void resets_of_refused_calls_count_too(void **state)
{
    (void)state;
    struct ends *ends = ends_new(true);
    assert_true(greet(ends));
    static const char head[] = "\0\0\1\1\5\0\0\0\1\x83\0\0\4\3\0\0\0\0\1\0\0\0\10";
    size_t taken = 0;
    bool good = true;
    for (uint32_t stream = 1; good && taken < 100000; stream += 2, taken++) {
        char frames[sizeof(head) - 1];
        memcpy(frames, head, sizeof(frames));
        for (size_t at = 5; at < sizeof(frames); at += 10) {
            frames[at] = (char)(stream >> 24);
            frames[at + 1] = (char)(stream >> 16);
            frames[at + 2] = (char)(stream >> 8);
            frames[at + 3] = (char)stream;
        }
        good = give(ends, frames, sizeof(frames));
    }
    assert_true(taken <= 1100);
    ends_free(ends);
}

static void a_head_does_not_go_on_for_ever(void **state)
{
    (void)state;
    struct ends *ends = ends_new(false);
    assert_true(greet(ends));
    /* HEADERS without END_HEADERS, then CONTINUATION with one literal header each. */
    assert_true(give(ends, "\0\0\1\1\0\0\0\0\1\x83", 10));
    assert_true(flood(ends, "\0\0\5\11\0\0\0\0\1\0\1a\1b", 14, 1000) < 20);
    ends_free(ends);
}

static void empty_frames_are_given_up(void **state)
{
    (void)state;
    struct ends *ends = ends_new(true);
    struct body body = {.bytes = "", .open = true};
    const int32_t stream = call(ends, NULL, &body);
    assert_true(carry(ends));
    assert_int_equal(stream, 1);
    assert_int_equal(flood(ends, "\0\0\0\0\0\0\0\0\1", 9, 1000), 100);
    ends_free(ends);
}

static void no_more_streams_than_there_may_be(void **state)
{
    (void)state;
    struct ends *ends = ends_new(true);
    struct body bodies[STREAMS + 4];
    for (size_t i = 0; i < STREAMS + 4; i++) {
        bodies[i] = body_of(ONE, 10);
        (void)call(ends, NULL, &bodies[i]);
        assert_true(carry(ends));
        assert_true(weir_grpc_calls(ends->server) <= STREAMS);
    }
    /* A client that keeps to what it was told waits. */
    assert_int_equal(weir_grpc_calls(ends->server), STREAMS);
    ends_free(ends);
}

/* ---- Memory -------------------------------------------------------------------------------- */

struct scarce {
    size_t left;
};

static void *allocate(void *context, size_t size, size_t alignment)
{
    struct scarce *scarce = context;
    if (scarce->left == 0) {
        return NULL;
    }
    scarce->left--;
    return aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
}

static void release(void *context, void *memory, size_t size)
{
    (void)context;
    (void)size;
    free(memory);
}

/* Whatever allocation fails: the call is answered, refused or gone, and nothing is lost. */
static void without_memory_nothing_breaks(void **state)
{
    (void)state;
    for (size_t left = 0; left < 60; left++) {
        struct ends *ends = ends_new(false);
        struct scarce scarce = {left};
        const struct weir_allocator allocator = {allocate, release, &scarce};
        const struct weir_grpc_options options = {.ops = &ops,
                                                  .context = ends,
                                                  .allocator = &allocator,
                                                  .streams = STREAMS,
                                                  .header_bytes = HEADER_BYTES,
                                                  .message_bytes = MESSAGE_BYTES};
        weir_grpc_free(ends->server);
        ends->server = weir_grpc_new(&options);
        if (ends->server != NULL) {
            struct body body = body_of(ONE, 10);
            (void)call(ends, NULL, &body);
            (void)carry(ends);
        } else {
            assert_true(left < 40);
        }
        ends_free(ends);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_is_answered_however_it_is_cut),
        cmocka_unit_test(messages_follow_one_another),
        cmocka_unit_test(calls_are_answered_in_any_order),
        cmocka_unit_test(an_error_is_headers_alone),
        cmocka_unit_test(a_long_answer_keeps_to_the_window),
        cmocka_unit_test(a_reset_call_is_gone),
        cmocka_unit_test(calls_under_way_are_gone_with_the_connection),
        cmocka_unit_test(a_drained_connection_ends_with_its_last_call),
        cmocka_unit_test(what_is_no_grpc_is_refused),
        cmocka_unit_test(a_timeout_is_a_number_and_a_unit),
        cmocka_unit_test(headers_have_an_end),
        cmocka_unit_test(what_is_no_http2_is_given_up),
        cmocka_unit_test(floods_are_given_up),
        cmocka_unit_test(rapid_resets_are_given_up),
        cmocka_unit_test(resets_of_refused_calls_count_too),
        cmocka_unit_test(a_head_does_not_go_on_for_ever),
        cmocka_unit_test(empty_frames_are_given_up),
        cmocka_unit_test(no_more_streams_than_there_may_be),
        cmocka_unit_test(without_memory_nothing_breaks),
    };
    return cmocka_run_group_tests_name("grpc", tests, NULL, NULL);
}
