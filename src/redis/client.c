/* client.c - see client.h; this file is where calls come in and where a client begins and ends.
 * Read flight.h first.
 *
 * A call is only noted when it comes. The loop's next turn (`turn`, an idle handle, which libuv
 * runs before it waits) looks at all that were noted, puts their questions into flights, and hands
 * the flights to their servers, each of which writes them all at once before the loop waits again.
 */

#include "redis/flight.h"

#include "base/alloc.h"
#include "base/error.h"
#include "tls/tls.h"

#include <assert.h>
#include <string.h>

/* ---- Calls come in ---- */

static void on_turn(uv_idle_t *turn);

static void note(struct weir_client *client, struct weir_call *call)
{
    if (client->taken_last != NULL) {
        weir_record_of(client->taken_last)->next = call;
    } else {
        client->taken_first = call;
        uv_idle_start(&client->turn, on_turn);
    }
    client->taken_last = call;
}

static void end_at_once(struct weir_client *client, struct weir_call *call)
{
    if (weir_record_of(call)->part) {
        weir_record_of(call)->failure = WEIR_FAILURE_CLOSED;
        weir_answer_done(call, WEIR_OK, 0);
        return;
    }
    if (call->together) {
        weir_answer_together_on_error(client, call, WEIR_FAILURE_CLOSED, 0);
        return;
    }
    if (call->count == 0) {
        weir_answer_done(call, WEIR_OK, 0);
        return;
    }
    const size_t count = call->count;
    for (size_t i = 0; i < count; i++) {
        weir_answer_on_error(client, (struct weir_passenger){call, i}, WEIR_FAILURE_CLOSED, 0);
    }
}

static void take_in(struct weir_client *client, struct weir_call *call, int64_t deadline_us,
                    bool part)
{
    *weir_record_of(call) = (struct weir_record){
        .deadline_us = deadline_us,
        .left = call->count,
        .stopped = call->count,
        .part = part,
    };
    if (client->closing) {
        end_at_once(client, call);
    } else {
        note(client, call);
    }
}

void weir_client_submit(struct weir_client *client, struct weir_call *call)
{
    assert(client != NULL && call != NULL);
    if (client->turn_us == 0) {
        /* All calls of a turn share it, so that those with the store's own deadline end together,
         * and may share a flight. */
        client->turn_us = weir_steady_us();
    }
    const int64_t wait_us =
        call->timeout_us > 0 ? call->timeout_us : client->options.config->deadline_us;
    take_in(client, call, client->turn_us + wait_us, false);
}

void weir_client_submit_part(struct weir_client *client, struct weir_call *call,
                             int64_t deadline_us)
{
    take_in(client, call, deadline_us, true);
}

/* ---- The turn ---- */

enum weir_verb weir_client_verb(const struct weir_call *call, const struct weir_request *request)
{
    const bool looks =
        request->cost == 0 && call->verb != WEIR_VERB_RESET && call->verb != WEIR_VERB_MEND;
    return looks ? WEIR_VERB_PEEK : call->verb;
}

bool weir_client_name(struct weir_client *client, const struct weir_request *request,
                      uint16_t *ret_slot)
{
    weir_buffer_clear(&client->name);
    weir_redis_name(client->prefix, request->limit, request->key, &client->name);
    if (client->name.failed) {
        return false;
    }
    *ret_slot =
        client->cluster ? weir_redis_slot(weir_bytes(client->name.bytes, client->name.len)) : 0;
    return true;
}

/* Whether the deny cache answers. What may change a key so that its numbers are others, or it is
 * admitted again, makes the cache forget it before it goes out: what is given back, and a check
 * that has others of its call behind it. */
static bool deny_cache_answers(struct weir_client *client, const struct weir_call *call,
                               const struct weir_request *request,
                               struct weir_decision *ret_decision)
{
    const struct weir_bytes name = weir_bytes(client->name.bytes, client->name.len);
    const enum weir_verb verb = weir_client_verb(call, request);
    const bool checks = verb == WEIR_VERB_CHECK;
    if (checks && weir_denials_get(client->denials, name, request, call->now_us, weir_steady_us(),
                                   ret_decision)) {
        return true;
    }
    if (verb == WEIR_VERB_REFUND || verb == WEIR_VERB_RESET || (checks && call->count > 1)) {
        weir_denials_drop(client->denials, name);
    }
    return false;
}

static void launch_one(struct weir_client *client, struct weir_call *call, size_t index)
{
    const struct weir_request *request = &call->requests[index];
    const struct weir_passenger passenger = {call, index};
    struct weir_decision decision;
    uint16_t slot;
    if (client->closing) {
        /* Since the question before this one, whose answer closed it. */
        weir_answer_on_error(client, passenger, WEIR_FAILURE_CLOSED, 0);
    } else if (!weir_client_name(client, request, &slot)) {
        weir_answer_on_error(client, passenger, WEIR_FAILURE_NO_MEMORY, 0);
    } else if (deny_cache_answers(client, call, request, &decision)) {
        weir_answer_decision(passenger, &decision);
    } else {
        weir_flight_board(client, call, index, slot);
    }
}

/* Whether all keys of a call are in one slot. */
static bool one_slot(struct weir_client *client, const struct weir_call *call, uint16_t *ret_slot)
{
    *ret_slot = 0;
    for (size_t i = 0; client->cluster && i < call->count; i++) {
        uint16_t slot;
        if (!weir_client_name(client, &call->requests[i], &slot)) {
            slot = *ret_slot; /* boarding will say so */
        }
        if (i > 0 && slot != *ret_slot) {
            return false;
        }
        *ret_slot = slot;
    }
    return true;
}

static void launch(struct weir_client *client, struct weir_call *call)
{
    uint16_t slot;
    if (call->count == 0) {
        weir_answer_done(call, WEIR_OK, 0);
    } else if (call->together && one_slot(client, call, &slot)) {
        weir_flight_board_together(client, call, slot);
    } else if (call->together) {
        weir_together_begin(client, call);
    } else {
        /* The call may be done with its last question, and is not looked at after that. */
        const size_t count = call->count;
        for (size_t i = 0; i < count; i++) {
            launch_one(client, call, i);
        }
    }
}

static void on_turn(uv_idle_t *turn)
{
    struct weir_client *client = turn->data;
    uv_idle_stop(turn);
    if (client->route_changed) {
        weir_flights_look(client);
    }
    /* Only those that are there now: what their ends bring anew has another turn. */
    struct weir_call *last = client->taken_last;
    while (client->taken_first != NULL) {
        struct weir_call *call = client->taken_first;
        client->taken_first = weir_record_of(call)->next;
        if (client->taken_first == NULL) {
            client->taken_last = NULL;
        }
        launch(client, call);
        if (call == last) {
            break;
        }
    }
    weir_flights_depart(client);
    client->turn_us = 0;
    if (client->taken_first != NULL && !client->closing) {
        uv_idle_start(&client->turn, on_turn);
    }
}

/* ---- The route's news ---- */

static void on_changed(void *owner)
{
    struct weir_client *client = owner;
    if (client->parked != NULL && !client->closing) {
        client->route_changed = true;
        uv_idle_start(&client->turn, on_turn);
    }
}

static void on_moved(void *owner)
{
    struct weir_client *client = owner;
    weir_denials_clear(client->denials);
    client->distrust_us = weir_steady_us();
}

/* What it counted stays, but it is not there any more. */
static void on_leaving(void *owner, struct weir_node *node)
{
    struct weir_client *client = owner;
    struct weir_stats *stats = &client->stats;
    weir_node_stats(node, stats);
    stats->redis_open = 0;
    stats->circuits_open = 0;
}

static void on_clock(uv_timer_t *timer)
{
    struct weir_client *client = timer->data;
    client->wake_us = INT64_MAX;
    weir_flights_look(client);
}

static const struct weir_route_events route_events = {
    .changed = on_changed,
    .moved = on_moved,
    .leaving = on_leaving,
};

void weir_client_wake_at(struct weir_client *client, int64_t at_us)
{
    if (at_us < client->wake_us && !client->closing) {
        const int64_t left_us = at_us - weir_steady_us();
        client->wake_us = at_us;
        uv_timer_start(&client->clock, on_clock, left_us > 0 ? (uint64_t)(left_us + 999) / 1000 : 0,
                       0);
    }
}

/* ---- Its life ---- */

static void release(struct weir_client *client)
{
    const struct weir_allocator *allocator = client->options.allocator;
    weir_flights_free(client);
    weir_together_free_spare(client);
    weir_buffer_deinit(&client->name);
    weir_denials_free(client->denials);
    weir_fallback_free(client->fallback);
    weir_scripts_free(client->scripts);
    weir_tls_context_free(client->tls);
    weir_release(allocator, client, sizeof(*client));
}

static struct weir_route *route_new(struct weir_client *client)
{
    const struct weir_route_options options = {
        .loop = client->options.loop,
        .allocator = client->options.allocator,
        .config = client->options.config,
        .tls = client->tls,
        .events = &route_events,
        .owner = client,
    };
    switch (client->options.config->topology) {
    case WEIR_TOPOLOGY_SENTINEL:
        return weir_route_sentinel_new(&options);
    case WEIR_TOPOLOGY_CLUSTER:
        return weir_route_cluster_new(&options);
    case WEIR_TOPOLOGY_SINGLE:
    default:
        return weir_route_single_new(&options);
    }
}

/* All that needs memory. */
static bool furnish(struct weir_client *client)
{
    const struct weir_client_options *options = &client->options;
    client->scripts = weir_scripts_new(options->allocator);
    client->denials = weir_denials_new(options->config->deny_cache_size, options->allocator);
    client->fallback = weir_fallback_new(options->config, options->allocator);
    if (client->scripts == NULL || client->denials == NULL || client->fallback == NULL) {
        return false;
    }
    /* The last, as it has handles on the loop once it is there. */
    client->route = route_new(client);
    return client->route != NULL;
}

enum weir_status weir_client_open(const struct weir_client_options *options,
                                  struct weir_client **ret_client, struct weir_error *ret_error)
{
    assert(options != NULL && options->loop != NULL && ret_client != NULL);
    struct weir_client *client =
        weir_alloc(options->allocator, sizeof(*client), _Alignof(max_align_t));
    if (client == NULL) {
        return WEIR_ERR_NO_MEMORY;
    }
    client->options = *options;
    client->name.allocator = options->allocator;
    client->prefix = weir_text(options->config->prefix);
    client->cluster = options->config->topology == WEIR_TOPOLOGY_CLUSTER;
    client->wake_us = INT64_MAX;
    enum weir_status status = WEIR_OK;
    if (options->config->tls.on) {
        status = weir_tls_context_new(&options->config->tls, &client->tls, ret_error);
    }
    if (status == WEIR_OK && !furnish(client)) {
        status = WEIR_ERR_NO_MEMORY;
    }
    if (status != WEIR_OK) {
        release(client);
        return status;
    }
    (void)uv_idle_init(options->loop, &client->turn);
    (void)uv_timer_init(options->loop, &client->clock);
    client->turn.data = client;
    client->clock.data = client;
    client->handles = 2;
    client->route->ops->start(client->route);
    *ret_client = client;
    return WEIR_OK;
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct weir_client *client = handle->data;
    if (--client->handles == 0) {
        void (*closed)(void *context) = client->closed;
        void *context = client->closed_context;
        release(client);
        closed(context);
    }
}

void weir_client_close(struct weir_client *client, void (*closed)(void *context), void *context)
{
    assert(client != NULL && closed != NULL && !client->closing);
    client->closing = true;
    client->closed = closed;
    client->closed_context = context;
    client->route->ops->free(client->route, WEIR_FAILURE_CLOSED);
    client->route = NULL;
    weir_flights_end(client);
    while (client->taken_first != NULL) {
        struct weir_call *call = client->taken_first;
        client->taken_first = weir_record_of(call)->next;
        end_at_once(client, call);
    }
    client->taken_last = NULL;
    uv_close((uv_handle_t *)&client->turn, on_handle_closed);
    uv_close((uv_handle_t *)&client->clock, on_handle_closed);
}

/* ---- Looking at it ---- */

static void add_node(void *context, struct weir_node *node)
{
    weir_node_stats(node, context);
}

void weir_client_stats(struct weir_client *client, int64_t now_us, struct weir_stats *ret_stats)
{
    assert(client != NULL && !client->closing);
    *ret_stats = client->stats;
    weir_fallback_stats(client->fallback, now_us, ret_stats);
    ret_stats->deny_cached = weir_denials_answered(client->denials);
    client->route->ops->each(client->route, add_node, ret_stats);
}

bool weir_client_is_idle(const struct weir_client *client)
{
    return client->flights == NULL && client->taken_first == NULL && !client->closing;
}

struct weir_denials *weir_client_denials(struct weir_client *client)
{
    return client->denials;
}
