/* resp_desk.c - see resp_desk.h. */

#include "support/resp_desk.h"

#include "support/fixture.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PEERS_MAX 8

struct resp_desk {
    struct weir_config config;
    struct weir_listener listener;
    struct weir_token tokens[RESP_DESK_TOKENS];
    struct weir_limit *limits[RESP_DESK_RULES];
    struct weir_rule_spec rules[RESP_DESK_RULES];
    struct weir_policy_spec spec;
    uint32_t numbers[RESP_DESK_RULES];
    struct weir_view view;
    struct weir_metrics *metrics;
    struct weir_log *log;
    struct weir_service service;
    struct weir *store;
    struct weir_desk *desk;
    struct weir_session *peers[PEERS_MAX];
    struct weir_buffer said;
    bool stirred;
    bool released;
};

/* ---- The policy ---------------------------------------------------------------------------- */

#define TEXT(text)               \
    {                            \
        (text), sizeof(text) - 1 \
    }

static const struct weir_test_spec login_tests[] = {
    {.kind = WEIR_TEST_EXACT, .text = TEXT("/login")}};
static const struct weir_condition_spec login_conditions[] = {
    {.attribute = TEXT("path"), .tests = login_tests, .count = 1}};
static const struct weir_key_part_spec by_ip[] = {{.attribute = TEXT("ip")}};
static const struct weir_key_part_spec by_user[] = {{.attribute = TEXT("user")}};
static const struct weir_test_spec friend_tests[] = {
    {.kind = WEIR_TEST_EXACT, .text = TEXT("10.0.0.1")}};
static const struct weir_condition_spec friend_conditions[] = {
    {.attribute = TEXT("ip"), .tests = friend_tests, .count = 1}};
static const struct weir_listed_spec friends[] = {
    {.conditions = friend_conditions, .count = 1, .until_us = INT64_MAX}};
static const struct weir_test_spec foe_tests[] = {
    {.kind = WEIR_TEST_EXACT, .text = TEXT("10.0.0.66")}};
static const struct weir_condition_spec foe_conditions[] = {
    {.attribute = TEXT("ip"), .tests = foe_tests, .count = 1}};
static const struct weir_listed_spec foes[] = {
    {.conditions = foe_conditions, .count = 1, .until_us = INT64_MAX}};

static struct weir_limit *make_limit(const char *text, const char *name)
{
    const struct weir_limit_options options = {.size = sizeof(options), .name = weir_text(name)};
    struct weir_limit *limit = NULL;
    const enum weir_status status = weir_limit_parse(weir_text(text), &options, &limit, NULL);
    assert(status == WEIR_OK);
    (void)status;
    return limit;
}

static void make_policy(struct resp_desk *desk)
{
    desk->limits[0] = make_limit("3/day fixed-window block 1d", "login");
    desk->limits[1] = make_limit("100/day", "all");
    desk->limits[2] = make_limit("1/day", "watched");
    struct weir_rule_spec *const rules = desk->rules;
    rules[0] = (struct weir_rule_spec){.name = TEXT("login"),
                                       .conditions = login_conditions,
                                       .condition_count = 1,
                                       .key = by_ip,
                                       .key_count = 1,
                                       .limit = desk->limits[0]};
    rules[1] = (struct weir_rule_spec){.name = TEXT("all"),
                                       .key = by_ip,
                                       .key_count = 1,
                                       .limit = desk->limits[1],
                                       .allow = friends,
                                       .allow_count = 1,
                                       .deny = foes,
                                       .deny_count = 1,
                                       .cost_from = TEXT("cost")};
    rules[2] = (struct weir_rule_spec){.name = TEXT("watched"),
                                       .conditions = login_conditions,
                                       .condition_count = 1,
                                       .key = by_user,
                                       .key_count = 1,
                                       .limit = desk->limits[2],
                                       .shadow = true};
    desk->spec = (struct weir_policy_spec){.rules = rules, .rule_count = RESP_DESK_RULES};
    const enum weir_status status =
        weir_policy_new(&desk->spec, NULL, NULL, NULL, &desk->config.policy);
    assert(status == WEIR_OK);
    (void)status;
}

/* ---- What a server has besides ------------------------------------------------------------- */

static void tell_facts(struct weir_service *service, struct weir_metrics_facts *ret_facts)
{
    (void)service;
    *ret_facts = (struct weir_metrics_facts){
        .version = weir_version(),
        .compiler = "",
        .store = "memory",
        .policy_version = 1,
        .policy_fingerprint = 0xabcdef,
        .policy_rules = RESP_DESK_RULES,
        .started_us = 1000000,
        .now_us = 8500000,
        .workers = 1,
        .connections = 5,
        .stats = {.size = sizeof(struct weir_stats), .bytes = 1048576, .slots = 65536, .used = 3},
    };
}

static void tell_nothing(struct weir_service *service, struct weir_buffer *out)
{
    (void)service;
    (void)out;
}

static void tell_no_changes(struct weir_service *service, char *text, size_t size)
{
    (void)service;
    assert(size > 0);
    text[0] = '\0';
}

static bool is_ready(struct weir_service *service, const char **ret_why)
{
    (void)service;
    (void)ret_why;
    return true;
}

/* The RESP door holds nothing. */
static void hold(void *context, struct weir_exchange *exchange, int64_t us)
{
    (void)context;
    (void)exchange;
    (void)us;
    assert(false && "nothing is held");
}

static void forget(void *context, struct weir_exchange *exchange)
{
    (void)context;
    (void)exchange;
    assert(false && "nothing is held");
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
    struct resp_desk *desk = view->owner;
    desk->released = true;
}

/* ---- Making -------------------------------------------------------------------------------- */

static void make_listener(struct resp_desk *desk, const struct resp_desk_options *options)
{
    desk->tokens[0] = (struct weir_token){"decider", RESP_DESK_DECIDER, WEIR_RIGHT_DECIDE};
    desk->tokens[1] = (struct weir_token){"reader", RESP_DESK_READER, WEIR_RIGHT_READ};
    desk->tokens[2] = (struct weir_token){"master", RESP_DESK_MASTER, WEIR_RIGHTS_ALL};
    desk->tokens[3] = (struct weir_token){"", RESP_DESK_NAMELESS, WEIR_RIGHT_DECIDE};
    desk->listener = (struct weir_listener){
        .protocol = WEIR_PROTOCOL_RESP,
        .tokens = options->tokens ? desk->tokens : NULL,
        .token_count = options->tokens ? RESP_DESK_TOKENS : 0,
        .rights = options->tokens ? options->rights : WEIR_RIGHTS_ALL,
    };
}

static uint32_t or_default(uint32_t number, uint32_t fallback)
{
    return number != 0 ? number : fallback;
}

static void make_config(struct resp_desk *desk, const struct resp_desk_options *options)
{
    desk->config.ad_hoc = !options->no_ad_hoc;
    desk->config.caps = (struct weir_caps){
        .connections = 100,
        .pipeline = or_default(options->pipeline, 1024),
        .head_bytes = 16384,
        .body_bytes = or_default(options->body_bytes, 65536),
        .output_bytes = or_default(options->output_bytes, 1 << 20),
        .batch = 64,
        .idle_us = INT64_C(300) * 1000000,
    };
    desk->view = (struct weir_view){
        .config = &desk->config,
        .numbers = desk->numbers,
        .version = 1,
        .release = release_view,
        .owner = desk,
    };
}

struct resp_desk *resp_desk_new(const struct resp_desk_options *options)
{
    static const struct resp_desk_options defaults = {0};
    struct resp_desk *desk = calloc(1, sizeof(*desk));
    assert(desk != NULL);
    options = options != NULL ? options : &defaults;
    make_policy(desk);
    make_listener(desk, options);
    make_config(desk, options);
    desk->store = fixture_open(options->store != NULL ? options->store : "memory:?size=1MiB");
    desk->metrics = weir_metrics_new(1, 0);
    desk->log = weir_log_open(STDERR_FILENO, WEIR_LOG_LINE_ERROR, false, 0);
    assert(desk->metrics != NULL && desk->log != NULL);
    for (size_t i = 0; i < RESP_DESK_RULES; i++) {
        desk->numbers[i] = weir_metrics_rule(desk->metrics, desk->rules[i].name);
    }
    desk->service = (struct weir_service){tell_facts, tell_nothing,  tell_no_changes,
                                          is_ready,   desk->metrics, NULL};
    const struct weir_desk_options desk_options = {
        .store = desk->store,
        .view = &desk->view,
        .tally = weir_metrics_tally(desk->metrics, 0),
        .log = desk->log,
        .service = &desk->service,
        .later = hold,
        .forget = forget,
        .wake = wake,
        .stir = stir,
        .context = desk,
    };
    const enum weir_status status = weir_desk_open(&desk_options, &desk->desk);
    assert(status == WEIR_OK);
    (void)status;
    return desk;
}

void resp_desk_free(struct resp_desk *desk)
{
    for (size_t i = 0; i < PEERS_MAX; i++) {
        if (desk->peers[i] != NULL) {
            weir_session_end(desk->peers[i]);
        }
    }
    weir_desk_close(desk->desk);
    assert(desk->released);
    weir_close(desk->store);
    weir_metrics_free(desk->metrics);
    weir_log_close(desk->log);
    weir_policy_free(desk->config.policy);
    for (size_t i = 0; i < RESP_DESK_RULES; i++) {
        weir_limit_free(desk->limits[i]);
    }
    weir_buffer_deinit(&desk->said);
    free(desk);
}

struct weir_desk *resp_desk_of(struct resp_desk *desk)
{
    return desk->desk;
}

struct weir_session *resp_desk_peer(struct resp_desk *desk)
{
    size_t at = 0;
    while (at < PEERS_MAX && desk->peers[at] != NULL) {
        at++;
    }
    assert(at < PEERS_MAX);
    desk->peers[at] = weir_resp_session_new(desk->desk, &desk->listener, weir_text("127.0.0.1"));
    assert(desk->peers[at] != NULL);
    return desk->peers[at];
}

void resp_desk_leave(struct resp_desk *desk, struct weir_session *session)
{
    for (size_t i = 0; i < PEERS_MAX; i++) {
        if (desk->peers[i] == session) {
            desk->peers[i] = NULL;
        }
    }
    weir_session_end(session);
}

/* ---- Talking ------------------------------------------------------------------------------- */

/* Takes what is answered, as a peer's system does. */
static void take_answers(struct resp_desk *desk, struct weir_session *session)
{
    weir_buffer_put(&desk->said, weir_buffer_bytes(&session->out));
    weir_buffer_clear(&session->out);
}

/* Lets the session read `bytes`, which it may not use to the end, in a block of just their size:
 * a sanitizer sees who looks past its end. Returns how many it used. */
static size_t read_once(struct resp_desk *desk, struct weir_session *session,
                        struct weir_bytes bytes)
{
    char *block = malloc(bytes.len);
    assert(block != NULL);
    memcpy(block, bytes.ptr, bytes.len);
    weir_desk_turn(desk->desk);
    const size_t used = session->ops->read(session, weir_bytes(block, bytes.len));
    assert(used <= bytes.len);
    free(block);
    weir_desk_flush(desk->desk);
    take_answers(desk, session);
    return used;
}

struct weir_bytes resp_desk_bytes(struct resp_desk *desk, struct weir_session *session,
                                  struct weir_bytes input, struct resp_feed feed)
{
    size_t used = 0;
    weir_buffer_clear(&desk->said);
    for (size_t come = 0; come < input.len && !session->closing;) {
        come += resp_feed_next(&feed, input.len - come);
        size_t now;
        /* As long as it goes on by itself: it stops where its pipeline is full. */
        do {
            now = read_once(desk, session, weir_bytes(input.ptr + used, come - used));
            used += now;
        } while (now > 0 && used < come && !session->closing);
    }
    return weir_buffer_bytes(&desk->said);
}

char *resp_desk_talk(struct resp_desk *desk, struct weir_session *session, const char *text)
{
    char *bytes = malloc(strlen(text) + 1);
    assert(bytes != NULL);
    const size_t len = resp_text_bytes(text, bytes);
    const struct weir_bytes said = resp_desk_bytes(desk, session, weir_bytes(bytes, len),
                                                   (struct resp_feed){.pieces = RESP_WHOLE});
    const struct weir_resp_limits limits = {0};
    char *transcript = resp_transcript(&limits, said, (struct resp_feed){.pieces = RESP_WHOLE});
    free(bytes);
    return transcript;
}
