/* http_desk.c - see http_desk.h. */

#include "support/http_desk.h"

#include "support/fixture.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define PEERS_MAX 64

/* A configuration, and the view on it; it goes when nothing uses it. */
struct taken {
    struct weir_view view;
    struct weir_config *config;
    uint32_t *numbers;
    struct http_desk *desk;
};

struct http_desk {
    struct weir_metrics *metrics;
    struct weir_log *log;
    struct weir_service service;
    struct weir *store;
    struct weir_desk *desk;
    const struct weir_listener *listener;
    struct taken *first; /* whose listener is used */
    struct weir_session *peers[PEERS_MAX];
    char addresses[PEERS_MAX][64];
    struct weir_buffer said;
    struct weir_exchange *held;
    int64_t held_us;
    const char *unready;
    uint64_t version;
    unsigned views;
};

/* ---- What a server would do ---------------------------------------------------------------- */

static struct http_desk *desk_of(struct weir_service *service)
{
    return (struct http_desk *)((char *)service - offsetof(struct http_desk, service));
}

static void tell_facts(struct weir_service *service, struct weir_metrics_facts *ret_facts)
{
    *ret_facts = (struct weir_metrics_facts){
        .version = "0.1.0",
        .compiler = "cc",
        .store = "memory",
        .policy_version = desk_of(service)->version,
        .policy_fingerprint = 0xabc,
        .policy_rules = weir_policy_count(desk_of(service)->desk->view->config->policy),
        .policy_loaded_us = FIXTURE_NOW,
        .started_us = FIXTURE_NOW,
        .now_us = FIXTURE_NOW + 1000000,
        .workers = 2,
        .reload_is_bad = true,
        .reloads_failed = 1,
    };
}

static void tell_messages(struct weir_service *service, struct weir_buffer *out)
{
    (void)service;
    weir_buffer_put_text(out, "weir.yaml:1:1: error: nothing\n");
}

static void tell_changes(struct weir_service *service, char *text, size_t size)
{
    (void)service;
    (void)snprintf(text, size, "store, listen");
}

static bool is_ready(struct weir_service *service, const char **ret_why)
{
    *ret_why = desk_of(service)->unready;
    return *ret_why == NULL;
}

static void hold(void *context, struct weir_exchange *exchange, int64_t us)
{
    struct http_desk *desk = context;
    assert(desk->held == NULL);
    desk->held = exchange;
    desk->held_us = us;
}

static void forget(void *context, struct weir_exchange *exchange)
{
    struct http_desk *desk = context;
    assert(desk->held == exchange);
    desk->held = NULL;
}

static void wake(void *context, struct weir_session *session)
{
    (void)context;
    (void)session;
}

static void stir(void *context)
{
    (void)context;
}

static void release_view(struct weir_view *view)
{
    struct taken *taken = view->owner;
    taken->desk->views--;
    /* The peers' listener is the first one's, whatever is taken on later. */
    if (taken != taken->desk->first) {
        weir_config_free(taken->config);
        free(taken->numbers);
        free(taken);
    }
}

/* ---- Making -------------------------------------------------------------------------------- */

static struct weir_config *read_config(const char *yaml)
{
    const struct fixture_folder folder = fixture_folder_make();
    const char *path = fixture_path(&folder, "weir.yaml");
    FILE *file = fopen(path, "w");
    assert(file != NULL);
    fputs(yaml, file);
    fclose(file);
    struct weir_buffer messages = {0};
    struct weir_config *config = NULL;
    const enum weir_status status = weir_config_read(path, false, &messages, &config);
    if (status != WEIR_OK) {
        fprintf(stderr, "%.*s\n", (int)messages.len, messages.bytes);
        abort();
    }
    weir_buffer_deinit(&messages);
    fixture_folder_remove(&folder);
    return config;
}

static struct taken *take(struct http_desk *desk, const char *yaml)
{
    struct taken *taken = calloc(1, sizeof(*taken));
    assert(taken != NULL);
    taken->desk = desk;
    taken->config = read_config(yaml);
    const size_t count = weir_policy_count(taken->config->policy);
    taken->numbers = calloc(count + 1, sizeof(*taken->numbers));
    assert(taken->numbers != NULL);
    for (size_t i = 0; i < count; i++) {
        taken->numbers[i] =
            weir_metrics_rule(desk->metrics, weir_policy_rule(taken->config->policy, i)->name);
    }
    taken->view = (struct weir_view){.config = taken->config,
                                     .numbers = taken->numbers,
                                     .version = ++desk->version,
                                     .release = release_view,
                                     .owner = taken};
    desk->views++;
    return taken;
}

struct http_desk *http_desk_new(const char *yaml, const char *store)
{
    struct http_desk *desk = calloc(1, sizeof(*desk));
    assert(desk != NULL);
    desk->metrics = weir_metrics_new(1, 10);
    desk->log = weir_log_open(STDERR_FILENO, WEIR_LOG_LINE_ERROR, false, 0);
    desk->store = fixture_open(store != NULL ? store : "memory:?size=1MiB");
    assert(desk->metrics != NULL && desk->log != NULL);
    desk->first = take(desk, yaml);
    desk->listener = &desk->first->config->listeners[0];
    desk->service = (struct weir_service){
        .facts = tell_facts,
        .reload_messages = tell_messages,
        .needs_restart = tell_changes,
        .is_ready = is_ready,
        .metrics = desk->metrics,
    };
    const struct weir_desk_options options = {
        .store = desk->store,
        .view = &desk->first->view,
        .tally = weir_metrics_tally(desk->metrics, 0),
        .log = desk->log,
        .service = &desk->service,
        .later = hold,
        .forget = forget,
        .wake = wake,
        .stir = stir,
        .context = desk,
    };
    if (weir_desk_open(&options, &desk->desk) != WEIR_OK) {
        abort();
    }
    return desk;
}

void http_desk_free(struct http_desk *desk)
{
    for (size_t i = 0; i < PEERS_MAX; i++) {
        if (desk->peers[i] != NULL) {
            weir_session_end(desk->peers[i]);
        }
    }
    weir_desk_close(desk->desk);
    assert(desk->views == 0);
    weir_close(desk->store);
    weir_config_free(desk->first->config);
    free(desk->first->numbers);
    free(desk->first);
    weir_metrics_free(desk->metrics);
    weir_log_close(desk->log);
    weir_buffer_deinit(&desk->said);
    free(desk);
}

struct weir_desk *http_desk_of(struct http_desk *desk)
{
    return desk->desk;
}

void http_desk_reload(struct http_desk *desk, const char *yaml)
{
    weir_desk_take(desk->desk, &take(desk, yaml)->view);
}

void http_desk_set_unready(struct http_desk *desk, const char *why)
{
    desk->unready = why;
}

/* ---- Peers --------------------------------------------------------------------------------- */

struct weir_session *http_desk_peer(struct http_desk *desk, const char *address)
{
    size_t at = 0;
    while (at < PEERS_MAX && desk->peers[at] != NULL) {
        at++;
    }
    assert(at < PEERS_MAX && strlen(address) < sizeof(desk->addresses[at]));
    strcpy(desk->addresses[at], address);
    desk->peers[at] =
        weir_http_session_new(desk->desk, desk->listener, weir_text(desk->addresses[at]));
    assert(desk->peers[at] != NULL);
    return desk->peers[at];
}

void http_desk_leave(struct http_desk *desk, struct weir_session *session)
{
    for (size_t i = 0; i < PEERS_MAX; i++) {
        if (desk->peers[i] == session) {
            desk->peers[i] = NULL;
        }
    }
    weir_session_end(session);
}

/* ---- Talking ------------------------------------------------------------------------------- */

static void take_answers(struct http_desk *desk, struct weir_session *session)
{
    weir_buffer_put(&desk->said, weir_buffer_bytes(&session->out));
    weir_buffer_clear(&session->out);
}

/* Shows the session what it has not used yet, in a block of just that size: a sanitizer sees who
 * looks past its end. Returns how many bytes it used. */
static size_t show(struct http_desk *desk, struct weir_session *session, struct weir_bytes bytes)
{
    char *block = malloc(bytes.len + (bytes.len == 0));
    assert(block != NULL);
    if (bytes.len > 0) {
        memcpy(block, bytes.ptr, bytes.len);
    }
    weir_desk_turn(desk->desk);
    const size_t used = session->ops->read(session, weir_bytes(block, bytes.len));
    free(block);
    assert(used <= bytes.len);
    weir_desk_flush(desk->desk);
    take_answers(desk, session);
    return used;
}

static const char *said(struct http_desk *desk)
{
    weir_buffer_put(&desk->said, weir_bytes("", 1));
    assert(!desk->said.failed);
    return desk->said.bytes;
}

const char *http_desk_bytes(struct http_desk *desk, struct weir_session *session,
                            struct weir_bytes input, size_t piece)
{
    size_t come = 0;
    size_t used = 0;
    weir_buffer_clear(&desk->said);
    while (come < input.len && !session->closing) {
        come = piece == 0 || piece > input.len - come ? input.len : come + piece;
        size_t now;
        do {
            now = show(desk, session, weir_bytes(input.ptr + used, come - used));
            used += now;
        } while (now > 0 && used < come && !session->closing && desk->held == NULL);
    }
    return said(desk);
}

const char *http_desk_ask(struct http_desk *desk, struct weir_session *session, const char *what,
                          const char *headers, const char *body)
{
    struct weir_buffer request = {0};
    weir_buffer_print(&request, "%s HTTP/1.1\r\nHost: weir.example\r\n%s", what, headers);
    if (body != NULL) {
        weir_buffer_print(&request, "Content-Length: %zu\r\n", strlen(body));
    }
    weir_buffer_print(&request, "\r\n%s", body != NULL ? body : "");
    const char *answer = http_desk_bytes(desk, session, weir_buffer_bytes(&request), 0);
    weir_buffer_deinit(&request);
    return answer;
}

const char *http_desk_post(struct http_desk *desk, const char *path, const char *body,
                           unsigned status)
{
    char what[64];
    struct weir_session *session = http_desk_peer(desk, "192.0.2.1");
    (void)snprintf(what, sizeof(what), "POST %s", path);
    const char *answer =
        http_desk_ask(desk, session, what, "Content-Type: application/json\r\n", body);
    http_desk_leave(desk, session);
    if (http_answer_status(answer) != status) {
        fprintf(stderr, "%s %s: %s\n", what, body, answer);
        abort();
    }
    return http_answer_body(answer);
}

int64_t http_desk_held(const struct http_desk *desk)
{
    return desk->held != NULL ? desk->held_us : 0;
}

const char *http_desk_release(struct http_desk *desk, struct weir_session *session)
{
    struct weir_exchange *exchange = desk->held;
    desk->held = NULL;
    weir_buffer_clear(&desk->said);
    weir_exchange_release(exchange);
    weir_desk_flush(desk->desk);
    take_answers(desk, session);
    return said(desk);
}

/* ---- Answers ------------------------------------------------------------------------------- */

unsigned http_answer_status(const char *answer)
{
    unsigned status = 0;
    return sscanf(answer, "HTTP/1.1 %u ", &status) == 1 ? status : 0;
}

const char *http_answer_header(const char *answer, const char *name)
{
    static char value[4096];
    const size_t len = strlen(name);
    const char *line = strstr(answer, "\r\n");
    while (line != NULL && strncmp(line, "\r\n\r\n", 4) != 0) {
        line += 2;
        const char *end = strstr(line, "\r\n");
        assert(end != NULL);
        if (strncasecmp(line, name, len) == 0 && strncmp(line + len, ": ", 2) == 0) {
            (void)snprintf(value, sizeof(value), "%.*s", (int)(end - line - (ptrdiff_t)len - 2),
                           line + len + 2);
            return value;
        }
        line = end;
    }
    return NULL;
}

const char *http_answer_body(const char *answer)
{
    const char *end = strstr(answer, "\r\n\r\n");
    return end != NULL ? end + 4 : "";
}
