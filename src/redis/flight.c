/* flight.c - questions on their way: boarding, departing, and what to do about what comes back.
 * Read flight.h first.
 *
 * A flight is sent again only where it is certain that its script was not carried out: it was never
 * written, or the server refused it (NOSCRIPT, MOVED, ASK, TRYAGAIN, READONLY) as a whole. */

#include "redis/flight.h"

#include "base/alloc.h"

#include <assert.h>

/* How often a flight is sent: a script that is not there, and a few moves of its slot. */
#define ATTEMPTS_MAX 16
/* How many are kept for later calls; what a storm needed besides is given back after it. */
#define SPARE_MAX 256
/* How long one waits before it asks again what was refused for the moment. */
#define AGAIN_US INT64_C(3000)
/* How long nobody may have a slot before calls no longer wait for somebody to. */
#define LOST_US INT64_C(500000)
/* What to say of when Redis is tried again where nobody knows. */
#define RETRY_US WEIR_NODE_RETRY_MIN_US

/* ---- All there are ---- */

static size_t on_write(struct weir_command *command, struct weir_node *node,
                       struct weir_buffer *writer);
static void on_done(struct weir_command *command, struct weir_node *node,
                    const struct weir_outcome *outcome);

static struct weir_flight *spare_flight(struct weir_client *client)
{
    struct weir_flight *flight = client->spare;
    if (flight != NULL) {
        client->spare = flight->next;
        client->spare_count--;
        return flight;
    }
    const struct weir_allocator *allocator = client->options.allocator;
    flight = weir_alloc(allocator, sizeof(*flight), _Alignof(max_align_t));
    if (flight != NULL) {
        flight->client = client;
        flight->names.allocator = allocator;
        flight->command.write = on_write;
        flight->command.done = on_done;
        flight->command.context = flight;
        flight->script.questions = flight->questions;
    }
    return flight;
}

static void enlist(struct weir_client *client, struct weir_flight *flight)
{
    flight->previous = NULL;
    flight->next = client->flights;
    if (flight->next != NULL) {
        flight->next->previous = flight;
    }
    client->flights = flight;
}

static void release(struct weir_client *client, struct weir_flight *flight)
{
    weir_buffer_deinit(&flight->names);
    weir_release(client->options.allocator, flight, sizeof(*flight));
}

/* All of its questions are answered. */
static void retire(struct weir_flight *flight)
{
    struct weir_client *client = flight->client;
    *(flight->previous != NULL ? &flight->previous->next : &client->flights) = flight->next;
    if (flight->next != NULL) {
        flight->next->previous = flight->previous;
    }
    /* While it closes, somebody further up on the stack may yet look at it. */
    if (client->spare_count >= SPARE_MAX && !client->closing) {
        release(client, flight);
        return;
    }
    flight->place = WEIR_FLIGHT_SPARE;
    flight->next = client->spare;
    client->spare = flight;
    client->spare_count++;
}

void weir_flights_free(struct weir_client *client)
{
    assert(client->flights == NULL);
    while (client->spare != NULL) {
        struct weir_flight *flight = client->spare;
        client->spare = flight->next;
        release(client, flight);
    }
}

/* ---- Boarding ---- */

static void depart(struct weir_flight *flight);

static bool same_limits(const struct weir_limit *a, const struct weir_limit *b)
{
    return a == b || weir_script_same_limit(a, b);
}

/* What a flight has to be for a question of `call`. */
struct destination {
    enum weir_verb verb;
    bool together;
    int64_t now_us;
    int64_t deadline_us;
    uint16_t slot;
    const struct weir_limit *limit; /* NULL: any */
    unsigned weight;                /* of all that has to go together */
};

static bool goes_to(const struct weir_flight *flight, const struct destination *to)
{
    return flight->script.verb == to->verb && flight->script.together == to->together &&
           flight->slot == to->slot && flight->script.now_us == to->now_us &&
           flight->deadline_us == to->deadline_us &&
           flight->weight + to->weight <= WEIR_SCRIPT_QUESTIONS_MAX &&
           (to->limit == NULL || same_limits(flight->questions[0].limit, to->limit));
}

static void close_boarding(struct weir_client *client, size_t place)
{
    struct weir_flight *flight = client->open[place];
    client->open_count--;
    for (size_t i = place; i < client->open_count; i++) {
        client->open[i] = client->open[i + 1];
    }
    depart(flight);
}

void weir_flights_depart(struct weir_client *client)
{
    while (client->open_count > 0) {
        close_boarding(client, 0);
    }
}

/* Whether one that was opened after `place` has a question of the same call about the same key,
 * which must be asked first. */
static bool overtakes(const struct weir_client *client, size_t place, const struct weir_call *call,
                      uint32_t hash)
{
    for (size_t i = place + 1; hash != 0 && i < client->open_count; i++) {
        const struct weir_flight *later = client->open[i];
        for (size_t j = 0; j < later->script.count; j++) {
            if (later->hashes[j] == hash && later->passengers[j].call == call) {
                return true;
            }
        }
    }
    return false;
}

static struct weir_flight *open_flight(struct weir_client *client, const struct destination *to)
{
    struct weir_flight *flight = spare_flight(client);
    if (flight == NULL) {
        return NULL;
    }
    if (client->open_count == WEIR_FLIGHTS_OPEN_MAX) {
        close_boarding(client, 0);
    }
    weir_buffer_clear(&flight->names);
    flight->script.verb = to->verb;
    flight->script.together = to->together;
    flight->script.now_us = to->now_us;
    flight->script.count = 0;
    flight->weight = 0;
    flight->deadline_us = to->deadline_us;
    flight->slot = to->slot;
    flight->groups = 0;
    flight->attempts = 0;
    flight->with_text = false;
    flight->asking = false;
    flight->place = WEIR_FLIGHT_BOARDING;
    enlist(client, flight);
    client->open[client->open_count++] = flight;
    return flight;
}

/* An open flight for it, or a new one; NULL where there is no memory. */
static struct weir_flight *find_flight(struct weir_client *client, const struct destination *to,
                                       const struct weir_call *call, uint32_t hash)
{
    for (size_t i = client->open_count; i-- > 0;) {
        if (!goes_to(client->open[i], to)) {
            continue;
        }
        if (!overtakes(client, i, call, hash)) {
            return client->open[i];
        }
        weir_flights_depart(client);
        break;
    }
    return open_flight(client, to);
}

/* Adds the question whose name is in client->name; false where there is no memory. */
static bool add_question(struct weir_flight *flight, const struct weir_script_question *question,
                         struct weir_passenger passenger, uint32_t hash)
{
    const struct weir_buffer *name = &flight->client->name;
    if (!weir_buffer_reserve(&flight->names, name->len)) {
        return false;
    }
    weir_buffer_put(&flight->names, weir_bytes(name->bytes, name->len));
    const size_t i = flight->script.count++;
    flight->questions[i] = *question;
    /* Where its name is will be known when all are there: the buffer may move until then. */
    flight->questions[i].name = weir_bytes(NULL, name->len);
    flight->passengers[i] = passenger;
    flight->hashes[i] = hash;
    flight->weight += weir_script_weight(question->limit);
    return true;
}

/* Never 0, which stands for none. */
static uint32_t hash_of(struct weir_bytes name)
{
    uint32_t hash = UINT32_C(2166136261);
    for (size_t i = 0; i < name.len; i++) {
        hash = (hash ^ (unsigned char)name.ptr[i]) * UINT32_C(16777619);
    }
    return hash | 1;
}

static struct destination destination_of(const struct weir_call *call, enum weir_verb verb,
                                         uint16_t slot)
{
    return (struct destination){
        .verb = verb,
        .together = call->together,
        /* Forgetting takes no time; and no state is too old to be ours at 0. */
        .now_us = verb == WEIR_VERB_RESET ? 0 : call->now_us,
        .deadline_us = weir_record_of((struct weir_call *)(uintptr_t)call)->deadline_us,
        .slot = slot,
    };
}

void weir_flight_board(struct weir_client *client, struct weir_call *call, size_t index,
                       uint16_t slot)
{
    const struct weir_request *request = &call->requests[index];
    const struct weir_passenger passenger = {call, index};
    struct destination to = destination_of(call, weir_client_verb(call, request), slot);
    to.limit = request->limit;
    to.weight = weir_script_weight(request->limit);
    const uint32_t hash =
        call->count > 1 ? hash_of(weir_bytes(client->name.bytes, client->name.len)) : 0;
    struct weir_flight *flight = find_flight(client, &to, call, hash);
    const struct weir_script_question question = {
        .limit = request->limit,
        .cost = weir_client_cost(request),
    };
    if (flight == NULL || !add_question(flight, &question, passenger, hash)) {
        weir_answer_on_error(client, passenger, WEIR_FAILURE_NO_MEMORY, RETRY_US);
    }
}

/* All of them, or none. */
static bool add_group(struct weir_flight *flight, struct weir_call *call)
{
    const size_t before = flight->script.count;
    const unsigned weight_before = flight->weight;
    const size_t names_before = flight->names.len;
    for (size_t i = 0; i < call->count; i++) {
        const struct weir_request *request = &call->requests[i];
        const struct weir_script_question question = {
            .limit = request->limit,
            .cost = weir_client_cost(request),
            .look = request->cost == 0,
            .group = flight->groups,
        };
        uint16_t slot;
        if (!weir_client_name(flight->client, request, &slot) ||
            !add_question(flight, &question, (struct weir_passenger){call, i}, 0)) {
            flight->script.count = before;
            flight->weight = weight_before;
            flight->names.len = names_before;
            return false;
        }
    }
    flight->groups++;
    return true;
}

void weir_flight_board_together(struct weir_client *client, struct weir_call *call, uint16_t slot)
{
    struct destination to = destination_of(call, WEIR_VERB_CHECK, slot);
    for (size_t i = 0; i < call->count; i++) {
        to.weight += weir_script_weight(call->requests[i].limit);
    }
    struct weir_flight *flight = client->closing ? NULL : find_flight(client, &to, call, 0);
    if (flight == NULL || !add_group(flight, call)) {
        const enum weir_failure failure =
            client->closing ? WEIR_FAILURE_CLOSED : WEIR_FAILURE_NO_MEMORY;
        weir_answer_together_on_error(client, call, failure, RETRY_US);
    }
}

/* ---- Departing ---- */

static void park(struct weir_flight *flight, int64_t again_us, enum weir_failure failure)
{
    struct weir_client *client = flight->client;
    flight->place = WEIR_FLIGHT_PARKED;
    flight->again_us = again_us < flight->deadline_us ? again_us : flight->deadline_us;
    flight->failure = failure;
    flight->next_parked = client->parked;
    client->parked = flight;
    weir_client_wake_at(client, flight->again_us);
}

static void end(struct weir_flight *flight, enum weir_failure failure, int64_t retry_us)
{
    flight->place = WEIR_FLIGHT_HELD;
    weir_answer_failure(flight, failure, retry_us);
    retire(flight);
}

static void send_to(struct weir_flight *flight, struct weir_node *node)
{
    flight->place = WEIR_FLIGHT_SENT;
    flight->command.deadline_us = flight->deadline_us;
    if (weir_node_send(node, &flight->command, true)) {
        flight->client->stats.redis_calls++;
    }
}

/* Whether nobody has had its slot for so long that waiting for somebody is no use. What has been
 * waited for as long as a whole deadline allows need not be waited for by each call anew. */
static bool is_lost(const struct weir_flight *flight)
{
    struct weir_client *client = flight->client;
    const int64_t deadline_us = client->options.config->deadline_us;
    const int64_t now_us = weir_steady_us();
    int64_t *since_us = &client->lost_us[flight->slot % WEIR_LOST_PLACES];
    if (*since_us == 0) {
        *since_us = now_us;
    }
    return now_us - *since_us >= (deadline_us > LOST_US ? deadline_us : LOST_US);
}

/* To the server that has its slot, as far as is known. */
static void go(struct weir_flight *flight)
{
    struct weir_route *route = flight->client->route;
    if (flight->client->closing) {
        end(flight, WEIR_FAILURE_CLOSED, RETRY_US);
        return;
    }
    enum weir_failure failure = WEIR_FAILURE_UNREACHABLE;
    struct weir_node *node = route->ops->node_for(route, flight->slot, &failure);
    flight->asking = false;
    if (node != NULL) {
        flight->client->lost_us[flight->slot % WEIR_LOST_PLACES] = 0;
        send_to(flight, node);
    } else if (is_lost(flight)) {
        end(flight, failure, RETRY_US);
    } else {
        park(flight, INT64_MAX, failure);
    }
}

static int64_t wall_us(void)
{
    uv_timeval64_t now;
    return uv_gettimeofday(&now) == 0 ? now.tv_sec * 1000000 + now.tv_usec : 0;
}

/* About what the servers' time is: ours, and what their clocks were found to be ahead of it. */
static int64_t guess_time(const struct weir_client *client)
{
    const int64_t guess_us = wall_us() + client->clock_ahead_us;
    return guess_us < 0 ? 0 : guess_us > WEIR_TIME_MAX ? WEIR_TIME_MAX : guess_us;
}

static void depart(struct weir_flight *flight)
{
    const char *name = flight->names.bytes;
    flight->script.guess_us = guess_time(flight->client);
    for (size_t i = 0; i < flight->script.count; i++) {
        flight->questions[i].name.ptr = name;
        name += flight->questions[i].name.len;
    }
    if (flight->script.count == 0) {
        /* Whoever opened it had no memory for more. */
        retire(flight);
    } else {
        go(flight);
    }
}

static size_t on_write(struct weir_command *command, struct weir_node *node,
                       struct weir_buffer *writer)
{
    const struct weir_flight *flight = command->context;
    (void)node;
    if (flight->asking) {
        weir_resp_put_array(writer, 1);
        weir_resp_put_bulk_text(writer, "ASKING");
    }
    weir_script_write(flight->client->scripts, &flight->script, flight->with_text, writer);
    return flight->asking ? 2 : 1;
}

/* ---- Parked ---- */

void weir_flights_look(struct weir_client *client)
{
    const int64_t now_us = weir_steady_us();
    const bool changed = client->route_changed;
    struct weir_flight *look = client->parked;
    client->route_changed = false;
    client->parked = NULL;
    while (look != NULL) {
        struct weir_flight *flight = look;
        look = flight->next_parked;
        if (flight->place != WEIR_FLIGHT_PARKED) {
            continue;
        }
        if (flight->deadline_us <= now_us) {
            end(flight, flight->failure, RETRY_US);
        } else if (changed || flight->again_us <= now_us) {
            go(flight);
        } else {
            park(flight, flight->again_us, flight->failure);
        }
    }
}

/* ---- What came back ---- */

/* Sends it again at once, or, where that has been done often, a little later. */
static void resend(struct weir_flight *flight, struct weir_node *node, enum weir_failure failure)
{
    if (node != NULL && ++flight->attempts <= ATTEMPTS_MAX) {
        send_to(flight, node);
    } else {
        park(flight, weir_steady_us() + AGAIN_US, failure);
    }
}

static void complain(struct weir_flight *flight, struct weir_node *node, struct weir_bytes text)
{
    const struct weir_client *client = flight->client;
    const bool single = client->options.config->topology == WEIR_TOPOLOGY_SINGLE;
    struct weir_complaint complaint;
    weir_failure_read(text, &complaint);
    weir_node_judge(node, complaint.down);
    if (complaint.remedy == WEIR_REMEDY_TEXT && !flight->with_text) {
        flight->with_text = true;
        send_to(flight, node);
        return;
    }
    struct weir_node *other = NULL;
    if (complaint.remedy != WEIR_REMEDY_NONE && complaint.remedy != WEIR_REMEDY_TEXT) {
        other = client->route->ops->complained(client->route, node, &complaint);
    }
    /* One server has no other primary to look for; where it is a cluster's, it knows of no other
     * node, and asking again would end no better. */
    const bool moved =
        !single && (complaint.remedy == WEIR_REMEDY_MOVED || complaint.remedy == WEIR_REMEDY_ASK);
    const bool later = complaint.remedy == WEIR_REMEDY_AGAIN ||
                       (complaint.remedy == WEIR_REMEDY_PRIMARY && !single);
    if (moved || later) {
        flight->asking = complaint.remedy == WEIR_REMEDY_ASK;
        resend(flight, moved ? other : NULL, complaint.failure);
    } else {
        end(flight, complaint.failure, weir_node_wait(node, weir_steady_us()));
    }
}

/* Whether a command that was not written may go another way. */
static bool may_go_on(const struct weir_flight *flight, const struct weir_outcome *outcome)
{
    const struct weir_client *client = flight->client;
    return !outcome->written && !client->closing &&
           client->options.config->topology != WEIR_TOPOLOGY_SINGLE &&
           outcome->failure != WEIR_FAILURE_TIMEOUT && outcome->failure != WEIR_FAILURE_CIRCUIT &&
           outcome->failure != WEIR_FAILURE_FULL && flight->deadline_us > weir_steady_us();
}

static void on_done(struct weir_command *command, struct weir_node *node,
                    const struct weir_outcome *outcome)
{
    struct weir_flight *flight = command->context;
    struct weir_client *client = flight->client;
    flight->place = WEIR_FLIGHT_HELD;
    if (outcome->failure != WEIR_FAILURE_NONE) {
        if (may_go_on(flight, outcome)) {
            park(flight, weir_steady_us() + AGAIN_US, outcome->failure);
        } else {
            end(flight, outcome->failure, weir_node_wait(node, weir_steady_us()));
        }
        return;
    }
    assert(outcome->count > 0);
    if (outcome->values[0].type == WEIR_RESP_ERROR) {
        complain(flight, node, outcome->values[0].text);
        return;
    }
    weir_node_judge(node, false);
    weir_script_read(client->scripts, &flight->script, outcome->values, outcome->count,
                     client->answers);
    if (client->answers[0].again && flight->attempts < ATTEMPTS_MAX) {
        /* Its clock is so far from what was guessed that nothing was decided. */
        flight->attempts++;
        client->clock_ahead_us = client->answers[0].now_us - wall_us();
        flight->script.guess_us = client->answers[0].now_us;
        send_to(flight, node);
        return;
    }
    weir_answer_flight(flight, client->answers, outcome->sent_us);
    retire(flight);
}

void weir_flights_end(struct weir_client *client)
{
    client->open_count = 0;
    client->parked = NULL;
    /* One that is being looked at by a function further up on the stack is that one's to retire. */
    struct weir_flight *flight = client->flights;
    while (flight != NULL) {
        weir_answer_failure(flight, WEIR_FAILURE_CLOSED, RETRY_US);
        struct weir_flight *next = flight->next;
        if (flight->place != WEIR_FLIGHT_HELD) {
            retire(flight);
        }
        flight = next;
    }
}
