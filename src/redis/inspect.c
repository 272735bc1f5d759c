/* inspect.c - how things stand with each server, for people: weir_client_inspect of client.h.
 *
 * A tour waits until the route knows its servers, then visits them all at once; each visit asks one
 * thing after another, so that the times it takes are those of one question: PING, TIME, and the
 * scripts, which are loaded on the way. */

#include "redis/flight.h"

#include "base/alloc.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* How often a route that knows nothing yet is asked again. */
#define LOOK_MS 5

struct tour;

struct visit {
    struct weir_command command;
    struct tour *tour;
    struct weir_redis_server *server;
    size_t step; /* 0: PING, 1: TIME, 2 and more: script step - 2 */
};

struct tour {
    struct weir_client *client;
    const struct weir_allocator *allocator; /* the client may be gone before the timer is closed */
    struct weir_inspection *inspection;
    uv_timer_t timer;
    int64_t deadline_us;
    size_t left;
    size_t room; /* visits that there is memory for */
    struct visit visits[];
};

static size_t tour_size(size_t room)
{
    return sizeof(struct tour) + room * sizeof(struct visit);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct tour *tour = handle->data;
    weir_release(tour->allocator, tour, tour_size(tour->room));
}

static void finish(struct tour *tour)
{
    struct weir_inspection *inspection = tour->inspection;
    uv_close((uv_handle_t *)&tour->timer, on_timer_closed);
    inspection->done(inspection);
}

/* ---- A visit ---- */

static size_t on_write(struct weir_command *command, struct weir_node *node,
                       struct weir_buffer *writer)
{
    const struct visit *visit = command->context;
    (void)node;
    if (visit->step < 2) {
        weir_resp_put_array(writer, 1);
        weir_resp_put_bulk_text(writer, visit->step == 0 ? "PING" : "TIME");
    } else {
        (void)weir_script_write_load(visit->tour->client->scripts, visit->step - 2, writer);
    }
    return 1;
}

static void read_time(struct weir_redis_server *server, const struct weir_outcome *outcome)
{
    int64_t seconds = 0;
    int64_t micros = 0;
    struct timespec here;
    if (outcome->count == 3 && weir_resp_integer(outcome->values[1].text, &seconds) &&
        weir_resp_integer(outcome->values[2].text, &micros) &&
        clock_gettime(CLOCK_REALTIME, &here) == 0) {
        /* It read its clock somewhere between our asking and now: in the middle, let us say. */
        const int64_t ago_us = (weir_steady_us() - outcome->sent_us) / 2;
        const int64_t here_us = (int64_t)here.tv_sec * 1000000 + here.tv_nsec / 1000 - ago_us;
        server->clock_ahead_us = seconds * 1000000 + micros - here_us;
        server->clock_known = true;
    }
}

static void read_failure(struct visit *visit, struct weir_node *node,
                         const struct weir_outcome *outcome)
{
    struct weir_redis_server *server = visit->server;
    const char *message = "";
    server->failure = (uint16_t)outcome->failure;
    if (outcome->failure == WEIR_FAILURE_NONE) {
        struct weir_complaint complaint;
        weir_failure_read(outcome->values[0].text, &complaint);
        server->failure = (uint16_t)complaint.failure;
        weir_failure_quote(outcome->values[0].text, server->message, sizeof(server->message));
        return;
    }
    if (weir_node_failure(node, &message) != WEIR_FAILURE_NONE) {
        (void)snprintf(server->message, sizeof(server->message), "%s", message);
    }
}

static bool has_step(const struct visit *visit)
{
    struct weir_buffer writer = {.allocator = visit->tour->client->options.allocator};
    const bool there = visit->step < 2 || weir_script_write_load(visit->tour->client->scripts,
                                                                 visit->step - 2, &writer);
    weir_buffer_deinit(&writer);
    return there;
}

static void leave(struct visit *visit)
{
    if (--visit->tour->left == 0) {
        finish(visit->tour);
    }
}

static void on_done(struct weir_command *command, struct weir_node *node,
                    const struct weir_outcome *outcome)
{
    struct visit *visit = command->context;
    struct weir_redis_server *server = visit->server;
    if (outcome->failure != WEIR_FAILURE_NONE || outcome->values[0].type == WEIR_RESP_ERROR) {
        read_failure(visit, node, outcome);
        leave(visit);
        return;
    }
    if (visit->step == 0) {
        const struct weir_server_info *info = weir_node_info(node);
        (void)snprintf(server->kind, sizeof(server->kind), "%s", info->kind);
        (void)snprintf(server->version, sizeof(server->version), "%s", info->version);
        (void)snprintf(server->role, sizeof(server->role), "%s", info->role);
        server->protocol = info->protocol;
        server->connected = true;
        server->latency_us = weir_steady_us() - outcome->sent_us;
    } else if (visit->step == 1) {
        read_time(server, outcome);
    }
    visit->step++;
    if (has_step(visit)) {
        (void)weir_node_send(node, command, false);
    } else {
        server->scripts_loaded = true;
        leave(visit);
    }
}

/* ---- The tour ---- */

static void count_node(void *context, struct weir_node *node)
{
    (void)node;
    (*(size_t *)context)++;
}

static void visit_node(void *context, struct weir_node *node)
{
    struct tour *tour = context;
    const struct weir_client *client = tour->client;
    struct weir_inspection *inspection = tour->inspection;
    const size_t i = inspection->count++;
    if (i >= tour->room) {
        return;
    }
    struct weir_redis_server *server = &inspection->servers[i];
    *server = (struct weir_redis_server){.latency_us = -1, .tls = client->tls != NULL};
    weir_address_format(weir_node_address(node), server->address, sizeof(server->address));
    server->slots = client->cluster ? (uint32_t)weir_node_mark(node) : 0;
    struct visit *visit = &tour->visits[i];
    *visit = (struct visit){.tour = tour, .server = server};
    visit->command.write = on_write;
    visit->command.done = on_done;
    visit->command.context = visit;
    visit->command.deadline_us = tour->deadline_us;
    tour->left++;
    (void)weir_node_send(node, &visit->command, false);
}

/* Nobody to visit: what the route has to say of that stands for the first server of the URL. */
static void visit_nobody(struct tour *tour, enum weir_failure failure)
{
    struct weir_inspection *inspection = tour->inspection;
    struct weir_route *route = tour->client->route;
    inspection->count = 1;
    if (inspection->room == 0) {
        return;
    }
    struct weir_redis_server *server = &inspection->servers[0];
    *server = (struct weir_redis_server){
        .latency_us = -1,
        .tls = tour->client->tls != NULL,
        .failure = (uint16_t)failure,
    };
    weir_address_format(&tour->client->options.config->seeds[0], server->address,
                        sizeof(server->address));
    if (route->ops->explain != NULL) {
        (void)snprintf(server->message, sizeof(server->message), "%s", route->ops->explain(route));
    }
}

static void on_look(uv_timer_t *timer)
{
    struct tour *tour = timer->data;
    struct weir_client *client = tour->client;
    struct weir_route *route = client->route;
    enum weir_failure failure = WEIR_FAILURE_UNREACHABLE;
    size_t nodes = 0;
    if (route->ops->node_for(route, 0, &failure) == NULL && weir_steady_us() < tour->deadline_us) {
        return;
    }
    uv_timer_stop(timer);
    route->ops->each(route, count_node, &nodes);
    /* One visit stands for the tour itself, so that it does not end while it begins. */
    tour->left = 1;
    tour->inspection->count = 0;
    if (nodes == 0) {
        visit_nobody(tour, failure);
    } else {
        /* Those that have been given up before will say so at once. */
        tour->deadline_us =
            weir_steady_us() < tour->deadline_us ? tour->deadline_us : weir_steady_us() + 1000;
        route->ops->each(route, visit_node, tour);
    }
    if (--tour->left == 0) {
        finish(tour);
    }
}

void weir_client_inspect(struct weir_client *client, struct weir_inspection *inspection)
{
    assert(client != NULL && !client->closing && inspection->done != NULL);
    const size_t size = tour_size(inspection->room);
    struct tour *tour = weir_alloc(client->options.allocator, size, _Alignof(max_align_t));
    inspection->count = 0;
    if (tour == NULL) {
        inspection->done(inspection);
        return;
    }
    tour->client = client;
    tour->allocator = client->options.allocator;
    tour->inspection = inspection;
    tour->room = inspection->room;
    tour->deadline_us = weir_steady_us() + inspection->timeout_us;
    (void)uv_timer_init(client->options.loop, &tour->timer);
    tour->timer.data = tour;
    uv_timer_start(&tour->timer, on_look, 0, LOOK_MS);
}
