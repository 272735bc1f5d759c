/* node.c - see node.h.
 *
 * A command is in one of three lists: waiting (not written), sent (written, in the order of the
 * replies), ending (failed, about to be told). Replies that nobody waits for any more are not kept
 * as entries but counted: `skip` of a sent command says how many replies come before its own, and
 * `tail_skip` how many after the last. So a command that leaves the middle of the order hands its
 * place on to the next, and no memory is needed to remember it.
 *
 * Any callback may free the node, or hand it commands, or drop it: its memory stays until libuv has
 * closed its handles, in a later turn, and after each callback everything is looked at anew. */

#include "redis/node.h"

#include "base/alloc.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* How long connecting and the handshake may take together. */
#define CONNECT_US INT64_C(2000000)
/* What the system has not taken yet: beyond this, commands wait with us. */
#define BACKLOG_MAX (UINT32_C(1) << 20)

enum phase {
    PHASE_IDLE, /* nobody has asked yet */
    PHASE_CONNECTING,
    PHASE_UP,
    PHASE_PAUSED /* until retry_at_us */
};

enum place {
    PLACE_NONE = 0,
    PLACE_WAITING = 1,
    PLACE_SENT = 2,
    PLACE_ENDING = 3
};
#define PLACE_MASK 3U
#define FLAG_CIRCUIT 4U /* counts for the circuit */
#define FLAG_TRIAL 8U   /* is the one that tries a half-open circuit */
#define FLAG_WRITTEN 16U

struct list {
    struct weir_command *first;
    struct weir_command *last;
};

struct weir_node {
    struct weir_node_options options;
    struct weir_address address;
    struct weir_connection *connection;
    struct weir_breaker breaker;
    enum phase phase;
    bool freed;
    struct list waiting;
    struct list sent;
    struct list ending;
    size_t count; /* waiting and sent */
    uint32_t tail_skip;
    uv_prepare_t flusher;
    uv_timer_t clock;
    uv_timer_t retry;
    unsigned handles;
    int64_t wake_us; /* when `clock` is set to go off; INT64_MAX: not */
    int64_t
        stall_us; /* when the connection is given up, if no reply comes before; 0: none is late */
    int64_t retry_at_us;
    unsigned attempts; /* to connect, since the last reply */
    uint64_t random;
    uint64_t connected;
    uint64_t mark;
    enum weir_failure failure;
    char message[160];
};

static int64_t steady_us(void)
{
    return (int64_t)(uv_hrtime() / 1000);
}

/* splitmix64: spreads reconnects; nothing depends on its being hard to guess. */
static uint64_t next_random(struct weir_node *node)
{
    node->random += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t mixed = node->random;
    mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94d049bb133111eb);
    return mixed ^ (mixed >> 31);
}

/* ---- Lists ---- */

static enum place place_of(const struct weir_command *command)
{
    return (enum place)(command->state & PLACE_MASK);
}

static struct list *list_of(struct weir_node *node, enum place place)
{
    return place == PLACE_WAITING ? &node->waiting
           : place == PLACE_SENT  ? &node->sent
                                  : &node->ending;
}

static void append(struct weir_node *node, struct weir_command *command, enum place place)
{
    struct list *list = list_of(node, place);
    command->state = (uint8_t)((command->state & ~PLACE_MASK) | place);
    command->next = NULL;
    command->previous = list->last;
    if (list->last != NULL) {
        list->last->next = command;
    } else {
        list->first = command;
    }
    list->last = command;
    node->count += place != PLACE_ENDING ? 1 : 0;
}

/* Takes a command out of its list. Who is owed replies before it keeps them: see the file's head.
 * `replies` is how many of its own are still to come. */
static void take_out(struct weir_node *node, struct weir_command *command, uint32_t replies)
{
    const enum place place = place_of(command);
    assert(place != PLACE_NONE);
    struct list *list = list_of(node, place);
    if (place == PLACE_SENT) {
        *(command->next != NULL ? &command->next->skip : &node->tail_skip) +=
            command->skip + replies;
    }
    *(command->previous != NULL ? &command->previous->next : &list->first) = command->next;
    *(command->next != NULL ? &command->next->previous : &list->last) = command->previous;
    command->state &= (uint8_t)~PLACE_MASK;
    node->count -= place != PLACE_ENDING ? 1 : 0;
}

/* ---- Time ---- */

static void on_clock(uv_timer_t *timer);

/* Sees to it that the clock goes off at `at_us` at the latest. */
static void wake_at(struct weir_node *node, int64_t at_us)
{
    if (at_us >= node->wake_us || node->freed) {
        return;
    }
    const int64_t left_us = at_us - steady_us();
    node->wake_us = at_us;
    /* The loop's own time may be of a while ago, and the clock then goes off too early: on_clock
     * sets it again. */
    uv_timer_start(&node->clock, on_clock, left_us > 0 ? (uint64_t)(left_us + 999) / 1000 : 0, 0);
}

/* ---- Commands that end without a reply ---- */

/* To the list of those that are about to be told. */
static void doom(struct weir_node *node, struct weir_command *command, enum weir_failure failure)
{
    const bool written = place_of(command) == PLACE_SENT;
    take_out(node, command, 1);
    command->skip = (uint32_t)failure;
    command->state = (uint8_t)((command->state & ~FLAG_WRITTEN) | (written ? FLAG_WRITTEN : 0));
    append(node, command, PLACE_ENDING);
}

static void doom_all(struct weir_node *node, enum place place, enum weir_failure failure)
{
    struct list *list = list_of(node, place);
    while (list->first != NULL) {
        doom(node, list->first, failure);
    }
}

/* Tells them. What befell them together - a lost connection, one moment's deadlines - is one
 * failure for the circuit. */
static void tell_doomed(struct weir_node *node, bool counts)
{
    bool circuit = false;
    for (struct weir_command *each = node->ending.first; each != NULL; each = each->next) {
        circuit = circuit || (each->state & FLAG_CIRCUIT) != 0;
    }
    if (circuit && counts) {
        weir_breaker_failure(&node->breaker, steady_us(), next_random(node));
    }
    while (node->ending.first != NULL) {
        struct weir_command *command = node->ending.first;
        const struct weir_outcome outcome = {
            .failure = (enum weir_failure)command->skip,
            .written = (command->state & FLAG_WRITTEN) != 0,
            .sent_us = command->sent_us,
        };
        take_out(node, command, 0);
        command->state = 0;
        command->done(command, node, &outcome);
    }
}

/* Why a command that was never written has not been. */
static enum weir_failure reason(const struct weir_node *node)
{
    const bool known = node->phase != PHASE_UP && node->failure != WEIR_FAILURE_NONE;
    return known ? node->failure : WEIR_FAILURE_TIMEOUT;
}

/* ---- Connecting ---- */

static void on_retry(uv_timer_t *timer);

static void remember(struct weir_node *node, enum weir_failure failure, const char *message)
{
    node->failure = failure;
    (void)snprintf(node->message, sizeof(node->message), "%s", message);
}

/* After the connection is gone: commands that were written have failed; those that wait do so until
 * the next one, unless that can't be there in time. */
static void fall(struct weir_node *node, enum weir_failure failure)
{
    const int64_t pause_us = weir_backoff(node->attempts, WEIR_NODE_RETRY_MIN_US,
                                          WEIR_NODE_RETRY_MAX_US, next_random(node));
    node->phase = PHASE_PAUSED;
    node->attempts += node->attempts < 64 ? 1 : 0;
    node->retry_at_us = steady_us() + pause_us;
    node->stall_us = 0;
    uv_timer_start(&node->retry, on_retry, (uint64_t)(pause_us + 999) / 1000, 0);
    doom_all(node, PLACE_SENT, failure);
    node->tail_skip = 0;
    struct weir_command *next = NULL;
    for (struct weir_command *each = node->waiting.first; each != NULL; each = next) {
        next = each->next;
        if (each->deadline_us <= node->retry_at_us) {
            doom(node, each, failure);
        }
    }
}

void weir_node_connect(struct weir_node *node)
{
    assert(node != NULL);
    if (node->freed || (node->phase != PHASE_IDLE && node->phase != PHASE_PAUSED)) {
        return;
    }
    uv_timer_stop(&node->retry);
    node->phase = PHASE_CONNECTING;
    weir_connection_connect(node->connection, &node->address);
}

static void on_retry(uv_timer_t *timer)
{
    weir_node_connect(timer->data);
}

static void on_flush(uv_prepare_t *flusher);

static void on_ready(void *owner)
{
    struct weir_node *node = owner;
    node->phase = PHASE_UP;
    node->connected++;
    remember(node, WEIR_FAILURE_NONE, "");
    if (node->breaker.state == WEIR_BREAKER_OPEN) {
        /* It speaks again: the next call may see what it says. */
        node->breaker.until_us = steady_us();
    }
    node->options.events->up(node->options.owner, node);
    if (!node->freed && node->waiting.first != NULL) {
        uv_prepare_start(&node->flusher, on_flush);
    }
}

static void on_closed(void *owner, enum weir_failure failure, const char *message)
{
    struct weir_node *node = owner;
    const bool was_up = node->phase == PHASE_UP;
    remember(node, failure, message);
    fall(node, was_up ? WEIR_FAILURE_LOST : failure);
    tell_doomed(node, true);
    if (!node->freed) {
        node->options.events->down(node->options.owner, node, failure);
    }
}

void weir_node_drop(struct weir_node *node, enum weir_failure failure)
{
    assert(node != NULL);
    if (node->freed || (node->phase != PHASE_UP && node->phase != PHASE_CONNECTING)) {
        return;
    }
    weir_connection_abandon(node->connection);
    remember(node, failure, weir_failure_text(failure));
    fall(node, failure);
    tell_doomed(node, true);
}

/* ---- Deadlines ---- */

/* Dooms what in `list` is past its deadline; returns the earliest deadline of the rest. */
static int64_t expire(struct weir_node *node, struct list *list, int64_t now_us)
{
    int64_t earliest_us = INT64_MAX;
    struct weir_command *next = NULL;
    for (struct weir_command *each = list->first; each != NULL; each = next) {
        next = each->next;
        if (each->deadline_us > now_us) {
            earliest_us = each->deadline_us < earliest_us ? each->deadline_us : earliest_us;
            continue;
        }
        const bool sent = place_of(each) == PLACE_SENT;
        if (sent && node->stall_us == 0) {
            node->stall_us = now_us + WEIR_NODE_STALL_US;
        }
        doom(node, each, sent ? WEIR_FAILURE_TIMEOUT : reason(node));
    }
    return earliest_us;
}

static void on_clock(uv_timer_t *timer)
{
    struct weir_node *node = timer->data;
    const int64_t now_us = steady_us();
    node->wake_us = INT64_MAX;
    int64_t wake_us = expire(node, &node->waiting, now_us);
    const int64_t sent_us = expire(node, &node->sent, now_us);
    wake_us = sent_us < wake_us ? sent_us : wake_us;
    const bool stalled = node->stall_us != 0 && node->stall_us <= now_us;
    if (!stalled && node->stall_us != 0 && node->stall_us < wake_us) {
        wake_us = node->stall_us;
    }
    if (wake_us != INT64_MAX) {
        wake_at(node, wake_us);
    }
    if (stalled) {
        weir_node_drop(node, WEIR_FAILURE_TIMEOUT);
    }
    tell_doomed(node, true);
    if (stalled && !node->freed) {
        node->options.events->down(node->options.owner, node, WEIR_FAILURE_TIMEOUT);
    }
}

/* ---- Replies ---- */

static void on_reply(void *owner, const struct weir_resp_value *values, size_t count)
{
    struct weir_node *node = owner;
    struct weir_command *command = node->sent.first;
    uint32_t *skip = command != NULL ? &command->skip : &node->tail_skip;
    node->attempts = 0;
    if (*skip > 0) {
        /* For one that has run out of time, or the OK to an ASKING. It is alive, at least. */
        (*skip)--;
        if (node->stall_us != 0) {
            node->stall_us = steady_us() + WEIR_NODE_STALL_US;
        }
        return;
    }
    if (command == NULL) {
        /* Nobody asked for this one: what comes after it can't be told apart either. */
        weir_node_drop(node, WEIR_FAILURE_REPLY);
        node->options.events->down(node->options.owner, node, WEIR_FAILURE_REPLY);
        return;
    }
    /* Replies come in order, so what was late is all in. */
    node->stall_us = 0;
    take_out(node, command, 0);
    command->state = 0;
    const struct weir_outcome outcome = {
        .written = true,
        .values = values,
        .count = count,
        .sent_us = command->sent_us,
    };
    command->done(command, node, &outcome);
}

static void on_push(void *owner, const struct weir_resp_value *values, size_t count)
{
    struct weir_node *node = owner;
    if (node->options.events->push != NULL) {
        node->options.events->push(node->options.owner, node, values, count);
    }
}

void weir_node_judge(struct weir_node *node, bool down)
{
    assert(node != NULL);
    if (down) {
        weir_breaker_failure(&node->breaker, steady_us(), next_random(node));
    } else {
        weir_breaker_success(&node->breaker);
    }
}

/* ---- Sending ---- */

static void on_flush(uv_prepare_t *flusher)
{
    struct weir_node *node = flusher->data;
    uv_prepare_stop(flusher);
    if (node->phase != PHASE_UP) {
        return;
    }
    struct weir_buffer *writer = weir_connection_writer(node->connection);
    const int64_t now_us = steady_us();
    size_t written = 0;
    while (node->waiting.first != NULL &&
           weir_connection_backlog(node->connection) + writer->len < BACKLOG_MAX) {
        struct weir_command *command = node->waiting.first;
        const size_t replies = command->write(command, node, writer);
        assert(replies > 0);
        take_out(node, command, 0);
        command->skip = node->tail_skip + (uint32_t)replies - 1;
        command->sent_us = now_us;
        node->tail_skip = 0;
        append(node, command, PLACE_SENT);
        written += replies;
    }
    if (writer->failed) {
        /* Half a command may be in there: nothing after it would be understood. */
        weir_node_drop(node, WEIR_FAILURE_NO_MEMORY);
        if (!node->freed) {
            node->options.events->down(node->options.owner, node, WEIR_FAILURE_NO_MEMORY);
        }
        return;
    }
    if (node->waiting.first != NULL) {
        /* The server does not read as fast as we write: look again, a little later. */
        wake_at(node, now_us + 1000);
    }
    if (written > 0) {
        weir_connection_flush(node->connection, written);
    }
}

/* Why a command can't be taken, or WEIR_FAILURE_NONE. */
static enum weir_failure refusal(struct weir_node *node, const struct weir_command *command,
                                 bool needs_circuit)
{
    if (node->freed) {
        return WEIR_FAILURE_CLOSED;
    }
    if (node->count >= WEIR_NODE_COMMANDS_MAX) {
        return WEIR_FAILURE_FULL;
    }
    if (needs_circuit && !weir_breaker_admit(&node->breaker, steady_us())) {
        return WEIR_FAILURE_CIRCUIT;
    }
    if (node->phase == PHASE_PAUSED && command->deadline_us <= node->retry_at_us) {
        if (needs_circuit) {
            weir_breaker_failure(&node->breaker, steady_us(), next_random(node));
        }
        return node->failure;
    }
    return WEIR_FAILURE_NONE;
}

bool weir_node_send(struct weir_node *node, struct weir_command *command, bool needs_circuit)
{
    assert(node != NULL && command->write != NULL && command->done != NULL);
    assert(place_of(command) == PLACE_NONE);
    const enum weir_failure failure = refusal(node, command, needs_circuit);
    if (failure != WEIR_FAILURE_NONE) {
        const struct weir_outcome outcome = {.failure = failure};
        command->done(command, node, &outcome);
        return false;
    }
    const bool trial = needs_circuit && node->breaker.state == WEIR_BREAKER_HALF_OPEN;
    command->state = (uint8_t)((needs_circuit ? FLAG_CIRCUIT : 0) | (trial ? FLAG_TRIAL : 0));
    command->skip = 0;
    command->sent_us = 0;
    append(node, command, PLACE_WAITING);
    wake_at(node, command->deadline_us);
    if (node->phase == PHASE_UP) {
        uv_prepare_start(&node->flusher, on_flush);
    } else if (node->phase == PHASE_IDLE) {
        weir_node_connect(node);
    }
    return true;
}

void weir_node_cancel(struct weir_node *node, struct weir_command *command)
{
    assert(node != NULL && place_of(command) != PLACE_NONE);
    if ((command->state & FLAG_TRIAL) != 0) {
        weir_breaker_cancel(&node->breaker);
    }
    take_out(node, command, place_of(command) == PLACE_SENT ? 1 : 0);
    command->state = 0;
}

/* ---- Its life ---- */

static const struct weir_connection_events connection_events = {
    .ready = on_ready,
    .reply = on_reply,
    .push = on_push,
    .closed = on_closed,
};

static void on_handle_closed(uv_handle_t *handle)
{
    struct weir_node *node = handle->data;
    if (--node->handles == 0) {
        const struct weir_allocator *allocator = node->options.allocator;
        weir_release(allocator, node, sizeof(*node));
    }
}

/* None of these can fail in libuv. */
static void open_handles(struct weir_node *node)
{
    (void)uv_prepare_init(node->options.loop, &node->flusher);
    (void)uv_timer_init(node->options.loop, &node->clock);
    (void)uv_timer_init(node->options.loop, &node->retry);
    node->flusher.data = node;
    node->clock.data = node;
    node->retry.data = node;
    node->handles = 3;
}

struct weir_node *weir_node_new(const struct weir_node_options *options,
                                const struct weir_address *address)
{
    struct weir_node *node = weir_alloc(options->allocator, sizeof(*node), _Alignof(max_align_t));
    if (node == NULL) {
        return NULL;
    }
    node->options = *options;
    node->address = *address;
    node->wake_us = INT64_MAX;
    const struct weir_redis_config *config = options->config;
    const struct weir_connection_options connection = {
        .loop = options->loop,
        .allocator = options->allocator,
        .login = options->sentinel ? &config->sentinel_login : &config->login,
        .tls = options->tls,
        .database = options->sentinel ? 0 : config->database,
        .sentinel = options->sentinel,
        .resp2 = options->sentinel,
        .timeout_us = CONNECT_US,
        .events = &connection_events,
        .owner = node,
    };
    node->connection = weir_connection_new(&connection);
    if (node->connection == NULL) {
        weir_release(options->allocator, node, sizeof(*node));
        return NULL;
    }
    if (uv_random(NULL, NULL, &node->random, sizeof(node->random), 0, NULL) != 0) {
        node->random = uv_hrtime() ^ (uint64_t)(uintptr_t)node;
    }
    open_handles(node);
    return node;
}

void weir_node_free(struct weir_node *node, enum weir_failure failure)
{
    if (node == NULL || node->freed) {
        return;
    }
    node->freed = true;
    node->phase = PHASE_PAUSED;
    weir_connection_free(node->connection);
    node->connection = NULL;
    doom_all(node, PLACE_SENT, failure);
    doom_all(node, PLACE_WAITING, failure);
    uv_close((uv_handle_t *)&node->flusher, on_handle_closed);
    uv_close((uv_handle_t *)&node->clock, on_handle_closed);
    uv_close((uv_handle_t *)&node->retry, on_handle_closed);
    tell_doomed(node, false);
}

/* ---- Looking at it ---- */

const struct weir_address *weir_node_address(const struct weir_node *node)
{
    return &node->address;
}

bool weir_node_is_up(const struct weir_node *node)
{
    return node->phase == PHASE_UP;
}

const struct weir_server_info *weir_node_info(const struct weir_node *node)
{
    return weir_connection_info(node->connection);
}

const struct weir_breaker *weir_node_breaker(const struct weir_node *node)
{
    return &node->breaker;
}

int64_t weir_node_wait(const struct weir_node *node, int64_t now_us)
{
    const int64_t circuit_us = weir_breaker_wait(&node->breaker, now_us);
    const int64_t retry_us = node->phase == PHASE_PAUSED ? node->retry_at_us - now_us : 0;
    return retry_us > circuit_us ? retry_us : circuit_us;
}

enum weir_failure weir_node_failure(const struct weir_node *node, const char **ret_message)
{
    *ret_message = node->message;
    return node->failure;
}

void weir_node_set_mark(struct weir_node *node, uint64_t mark)
{
    node->mark = mark;
}

uint64_t weir_node_mark(const struct weir_node *node)
{
    return node->mark;
}

void weir_node_stats(const struct weir_node *node, struct weir_stats *stats)
{
    stats->redis_writes += weir_connection_writes(node->connection);
    stats->redis_connected += node->connected;
    stats->redis_open += node->phase == PHASE_UP ? 1 : 0;
    stats->circuit_opened += node->breaker.opened;
    stats->circuits_open += node->breaker.state != WEIR_BREAKER_CLOSED ? 1 : 0;
}
