/* routed.c - see routed.h. */

#include "support/routed.h"

#include "redis/script.h"
#include "tls/tls.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORDS_MAX 16
#define TRIES_MAX 16
#define AGAIN_US 3000

static void insist(bool holds, const char *what)
{
    if (!holds) {
        (void)fprintf(stderr, "routed: %s\n", what);
        abort();
    }
}

static int64_t now_us(void)
{
    return (int64_t)(uv_hrtime() / 1000);
}

/* ---- The route ---- */

static void on_changed(void *owner)
{
    ((struct routed *)owner)->changed++;
}

static void on_moved(void *owner)
{
    ((struct routed *)owner)->moved++;
}

static void on_leaving(void *owner, struct weir_node *node)
{
    insist(weir_node_address(node) != NULL, "a node that leaves can still be looked at");
    ((struct routed *)owner)->leaving++;
}

static const struct weir_route_events events = {
    .changed = on_changed,
    .moved = on_moved,
    .leaving = on_leaving,
};

struct weir_redis_config routed_config(enum weir_topology topology, const unsigned *ports,
                                       size_t count)
{
    struct weir_redis_config config = {
        .topology = topology,
        .seed_count = count,
        .deadline_us = WEIR_DEADLINE_DEFAULT_US,
        .on_error = WEIR_ON_ERROR_LOCAL,
        .prefix = "weir",
    };
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(config.seeds[i].host, sizeof config.seeds[i].host, "127.0.0.1");
        config.seeds[i].port = (uint16_t)ports[i];
    }
    return config;
}

static void *allocate(void *context, size_t size, size_t alignment)
{
    struct routed *routed = context;
    void *memory = NULL;
    if (++routed->allocations == routed->starved) {
        return NULL;
    }
    return posix_memalign(&memory, alignment < sizeof memory ? sizeof memory : alignment, size) == 0
               ? memory
               : NULL;
}

static void give_back(void *context, void *memory, size_t size)
{
    (void)context;
    (void)size;
    free(memory);
}

static void finish(struct routed *routed)
{
    (void)uv_run(&routed->loop, UV_RUN_DEFAULT);
    insist(uv_loop_close(&routed->loop) == 0, "a handle was left on the loop");
    weir_tls_context_free(routed->tls);
    free(routed);
}

struct routed *routed_open_starved(const struct weir_redis_config *config, size_t nth)
{
    struct routed *routed = calloc(1, sizeof *routed);
    insist(routed != NULL && uv_loop_init(&routed->loop) == 0, "no loop");
    routed->config = *config;
    routed->starved = nth;
    routed->allocator =
        (struct weir_allocator){.allocate = allocate, .release = give_back, .context = routed};
    if (config->tls.on) {
        insist(weir_tls_context_new(&routed->config.tls, &routed->tls, NULL) == WEIR_OK, "no TLS");
    }
    const struct weir_route_options options = {
        .loop = &routed->loop,
        .allocator = &routed->allocator,
        .config = &routed->config,
        .tls = routed->tls,
        .events = &events,
        .owner = routed,
    };
    routed->route = config->topology == WEIR_TOPOLOGY_CLUSTER ? weir_route_cluster_new(&options)
                                                              : weir_route_sentinel_new(&options);
    if (routed->route == NULL) {
        finish(routed);
        return NULL;
    }
    routed->route->ops->start(routed->route);
    return routed;
}

struct routed *routed_open(const struct weir_redis_config *config)
{
    struct routed *routed = routed_open_starved(config, 0);
    insist(routed != NULL, "no memory");
    return routed;
}

void routed_close(struct routed *routed)
{
    routed->route->ops->free(routed->route, WEIR_FAILURE_CLOSED);
    finish(routed);
}

/* How many allocations it takes to open a route and answer one command. */
size_t routed_allocations(const struct weir_redis_config *config)
{
    struct routed *routed = routed_open(config);
    (void)routed_ask(routed, "a", "EXISTS", "a", NULL);
    const size_t count = routed->allocations;
    routed_close(routed);
    return count;
}

/* ---- Commands ---- */

struct errand {
    struct weir_command command;
    struct routed *routed;
    struct weir_bytes words[WORDS_MAX];
    size_t count;
    uint16_t slot;
    bool asking;
    bool under_way;
    bool over;
    int64_t again_us; /* not under way: when to go on */
    struct routed_answer answer;
};

static size_t on_write(struct weir_command *command, struct weir_node *node,
                       struct weir_buffer *writer)
{
    const struct errand *errand = command->context;
    (void)node;
    if (errand->asking) {
        const struct weir_bytes word = weir_text("ASKING");
        weir_resp_put_command(writer, &word, 1);
    }
    weir_resp_put_command(writer, errand->words, errand->count);
    return errand->asking ? 2 : 1;
}

static void send_to(struct errand *errand, struct weir_node *node)
{
    errand->under_way = true;
    errand->answer.sent++;
    (void)weir_node_send(node, &errand->command, true);
}

static void again(struct errand *errand, enum weir_failure failure)
{
    errand->answer.failure = failure;
    errand->again_us = now_us() + AGAIN_US;
}

static void complain(struct errand *errand, struct weir_node *node, struct weir_bytes text)
{
    struct weir_route *route = errand->routed->route;
    struct weir_complaint complaint;
    weir_failure_read(text, &complaint);
    weir_node_judge(node, complaint.down);
    if (complaint.remedy == WEIR_REMEDY_NONE || complaint.remedy == WEIR_REMEDY_TEXT) {
        errand->over = true;
        return;
    }
    struct weir_node *other = route->ops->complained(route, node, &complaint);
    insist(weir_node_address(node) != NULL, "the node is still there");
    errand->asking = complaint.remedy == WEIR_REMEDY_ASK;
    if (other != NULL && errand->answer.sent < TRIES_MAX) {
        send_to(errand, other);
    } else {
        again(errand, complaint.failure);
    }
}

static void on_done(struct weir_command *command, struct weir_node *node,
                    const struct weir_outcome *outcome)
{
    struct errand *errand = command->context;
    errand->under_way = false;
    errand->answer.port = weir_node_address(node)->port;
    errand->answer.failure = outcome->failure;
    errand->asking = false;
    if (outcome->failure != WEIR_FAILURE_NONE) {
        again(errand, outcome->failure);
        return;
    }
    const struct weir_resp_value *value = &outcome->values[0];
    if (value->type == WEIR_RESP_INTEGER) {
        (void)snprintf(errand->answer.text, sizeof errand->answer.text, "%lld",
                       (long long)value->integer);
    } else {
        weir_failure_quote(value->text, errand->answer.text, sizeof errand->answer.text);
    }
    if (value->type == WEIR_RESP_ERROR) {
        complain(errand, node, value->text);
    } else {
        weir_node_judge(node, false);
        errand->over = true;
    }
}

static uint16_t slot_of(const struct routed *routed, const char *key)
{
    return routed->config.topology == WEIR_TOPOLOGY_CLUSTER ? weir_redis_slot(weir_text(key)) : 0;
}

static void go(struct errand *errand)
{
    struct weir_route *route = errand->routed->route;
    enum weir_failure failure = WEIR_FAILURE_NONE;
    struct weir_node *node = route->ops->node_for(route, errand->slot, &failure);
    if (node != NULL) {
        send_to(errand, node);
    } else {
        insist(failure != WEIR_FAILURE_NONE, "a route that knows nothing says why");
        again(errand, failure);
    }
}

static void on_tick(uv_timer_t *timer)
{
    (void)timer;
}

static void on_tick_closed(uv_handle_t *handle)
{
    *(bool *)handle->data = true;
}

/* Runs the loop until `until` says so or `at_us` has come; returns whether it said so. */
static bool run_until(struct routed *routed, bool (*until)(void *context), void *context,
                      int64_t at_us)
{
    uv_timer_t tick;
    bool closed = false;
    bool holds = false;
    (void)uv_timer_init(&routed->loop, &tick);
    tick.data = &closed;
    (void)uv_timer_start(&tick, on_tick, 0, 2);
    while (!(holds = until(context)) && now_us() < at_us) {
        (void)uv_run(&routed->loop, UV_RUN_ONCE);
    }
    uv_close((uv_handle_t *)&tick, on_tick_closed);
    while (!closed) {
        (void)uv_run(&routed->loop, UV_RUN_NOWAIT);
    }
    return holds;
}

static bool is_over(void *context)
{
    struct errand *errand = context;
    if (!errand->under_way && !errand->over && now_us() >= errand->again_us) {
        go(errand);
    }
    return errand->over;
}

/* Takes it to its end, or to `end_us`. */
static struct routed_answer take(struct errand *errand, int64_t end_us)
{
    errand->command = (struct weir_command){
        .write = on_write,
        .done = on_done,
        .deadline_us = end_us,
        .context = errand,
    };
    if (!run_until(errand->routed, is_over, errand, end_us)) {
        if (errand->under_way) {
            /* Its deadline is now: the node says so in its next turn. */
            const int64_t late_us = now_us() + INT64_C(1000) * RIG_PATIENCE_MS;
            while (errand->under_way && now_us() < late_us) {
                (void)uv_run(&errand->routed->loop, UV_RUN_ONCE);
            }
            insist(!errand->under_way, "a command outlived its deadline");
        }
        if (errand->answer.failure == WEIR_FAILURE_NONE) {
            errand->answer.failure = WEIR_FAILURE_TIMEOUT;
        }
    }
    return errand->answer;
}

static struct errand errand_of(struct routed *routed, const char *key, va_list words)
{
    struct errand errand = {.routed = routed, .slot = slot_of(routed, key)};
    for (const char *word = va_arg(words, const char *); word != NULL;
         word = va_arg(words, const char *)) {
        insist(errand.count < WORDS_MAX, "too many words");
        errand.words[errand.count++] = weir_text(word);
    }
    return errand;
}

struct routed_answer routed_ask_once(struct routed *routed, unsigned wait_ms, const char *key, ...)
{
    va_list words;
    va_start(words, key);
    struct errand errand = errand_of(routed, key, words);
    va_end(words);
    return take(&errand, now_us() + INT64_C(1000) * wait_ms);
}

struct routed_answer routed_ask(struct routed *routed, const char *key, ...)
{
    const int64_t end_us = now_us() + INT64_C(1000) * RIG_PATIENCE_MS;
    struct routed_answer answer;
    va_list words;
    va_start(words, key);
    const struct errand errand = errand_of(routed, key, words);
    va_end(words);
    do {
        struct errand attempt = errand;
        answer = take(&attempt, now_us() + INT64_C(200000));
    } while (answer.failure != WEIR_FAILURE_NONE && now_us() < end_us);
    return answer;
}

/* ---- Waiting, and looking ---- */

struct waiting {
    struct routed *routed;
    bool (*condition)(struct routed *routed, void *context);
    void *context;
};

static bool holds(void *context)
{
    const struct waiting *waiting = context;
    return waiting->condition(waiting->routed, waiting->context);
}

static bool never(void *context)
{
    (void)context;
    return false;
}

void routed_wait(struct routed *routed, bool (*condition)(struct routed *routed, void *context),
                 void *context, const char *what)
{
    struct waiting waiting = {.routed = routed, .condition = condition, .context = context};
    insist(run_until(routed, holds, &waiting, now_us() + INT64_C(1000) * RIG_PATIENCE_MS), what);
}

void routed_run(struct routed *routed, unsigned ms)
{
    (void)run_until(routed, never, NULL, now_us() + INT64_C(1000) * ms);
}

unsigned routed_port(struct routed *routed, const char *key)
{
    enum weir_failure failure = WEIR_FAILURE_NONE;
    const struct weir_node *node =
        routed->route->ops->node_for(routed->route, slot_of(routed, key), &failure);
    return node == NULL ? 0 : weir_node_address(node)->port;
}

struct counted {
    size_t nodes;
    size_t up;
};

static void count_node(void *context, struct weir_node *node)
{
    struct counted *counted = context;
    counted->nodes++;
    counted->up += weir_node_is_up(node) ? 1 : 0;
}

size_t routed_nodes(struct routed *routed, size_t *ret_up)
{
    struct counted counted = {0};
    routed->route->ops->each(routed->route, count_node, &counted);
    if (ret_up != NULL) {
        *ret_up = counted.up;
    }
    return counted.nodes;
}
