/* route_sentinel.c - the route to the primary that sentinels watch over. Read route.h and
 * sentinels.h first.
 *
 *     round      all sentinels are asked; whom most of them name is
 *     probed     connected, and asked for its role; a primary is
 *     adopted    and is the one for all keys, until its connection is lost, it says that it may not
 *                be written to, or most sentinels name another that proves to be a primary
 *
 * Rounds go on at leisure while there is a primary, as a safety net under what the sentinels tell
 * of themselves; with growing pauses while there is none. A primary that was lost is not connected
 * again but looked for anew: the server that is there now may be one that was a primary before, and
 * does not know yet that it no longer is. While the connection holds, all sentinels may be gone.
 *
 * Invariant: a node is handed out only after it said of itself that it is a primary, on the very
 * connection that it is then written to. Nobody outside is called from within a call of the route's
 * own: ITEM_TELL does that later. */

#include "redis/route.h"

#include "base/alloc.h"
#include "redis/agenda.h"
#include "redis/sentinel_reply.h"
#include "redis/sentinels.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* Between two rounds while there is a primary, half of it at least. */
#define POLL_US INT64_C(2000000)
/* Between two rounds while there is none. */
#define SEARCH_MIN_US INT64_C(50000)
#define SEARCH_MAX_US INT64_C(1000000)
/* How long the first vote waits for the others. */
#define SETTLE_US INT64_C(100000)
/* How long a server may take to connect and tell its role. */
#define PROBE_US INT64_C(2500000)
/* Former primaries whose last replies may still come; the oldest goes where there are more. */
#define RETIRED_MAX 4
/* Servers that are probed in vain in one round. */
#define REFUSED_MAX 8

enum item {
    ITEM_TELL,   /* tell the owner what has changed */
    ITEM_ROUND,  /* ask the sentinels */
    ITEM_SETTLE, /* go by the votes that are there */
    ITEM_PROBE,  /* it takes too long */
    ITEM_REAP    /* free those that have retired */
};

struct retired {
    struct weir_node *node; /* NULL: the place is free */
    int64_t since_us;
};

struct watch {
    struct weir_route route; /* first, so that a route is one of these */
    struct weir_route_options options;
    struct weir_agenda agenda;
    struct weir_sentinels *sentinels;
    struct weir_node *primary; /* NULL: none is known */
    struct weir_node *probe;   /* NULL: none is being probed */
    struct weir_command role;  /* of the probe */
    bool role_asked;
    struct weir_address last; /* where the last primary was; port and host empty: there was none */
    struct weir_address refused[REFUSED_MAX]; /* in this round */
    size_t refused_count;
    struct retired retired[RETIRED_MAX];
    bool open; /* the round is not over */
    bool settled;
    int64_t round_us; /* when it began */
    unsigned searches;
    bool changed; /* to be told */
    bool moved;
    bool freed;
    enum weir_failure failure; /* why there is no primary */
    char message[480];
};

/* ---- News for the owner ---- */

static void tell(struct watch *watch, bool moved)
{
    watch->changed = true;
    watch->moved = watch->moved || moved;
    weir_agenda_hasten(&watch->agenda, ITEM_TELL, weir_agenda_now());
}

/* Either call may free the route. */
static void tell_now(struct watch *watch)
{
    const struct weir_route_events *events = watch->options.events;
    const bool changed = watch->changed;
    const bool moved = watch->moved;
    watch->changed = false;
    watch->moved = false;
    if (moved) {
        events->moved(watch->options.owner);
    }
    if (changed && !watch->freed) {
        events->changed(watch->options.owner);
    }
}

static void let_go(struct watch *watch, struct weir_node *node, enum weir_failure failure)
{
    if (watch->options.events->leaving != NULL) {
        watch->options.events->leaving(watch->options.owner, node);
    }
    weir_node_free(node, failure);
}

/* ---- Former primaries ---- */

static int64_t linger_us(const struct watch *watch)
{
    return watch->options.config->deadline_us + WEIR_NODE_STALL_US;
}

static void reap(struct watch *watch, struct retired *retired)
{
    struct weir_node *node = retired->node;
    retired->node = NULL;
    let_go(watch, node, WEIR_FAILURE_NO_PRIMARY);
}

static void reap_old(struct watch *watch)
{
    const int64_t now_us = weir_agenda_now();
    for (size_t i = 0; i < RETIRED_MAX; i++) {
        struct retired *retired = &watch->retired[i];
        const int64_t due_us = retired->since_us + linger_us(watch);
        if (retired->node != NULL && due_us <= now_us) {
            reap(watch, retired);
        } else if (retired->node != NULL) {
            weir_agenda_hasten(&watch->agenda, ITEM_REAP, due_us);
        }
    }
}

/* It gets no more commands, but those that it has may still be answered. */
static void retire(struct watch *watch, struct weir_node *node)
{
    const int64_t now_us = weir_agenda_now();
    struct retired *place = &watch->retired[0];
    for (size_t i = 1; i < RETIRED_MAX && place->node != NULL; i++) {
        struct retired *other = &watch->retired[i];
        if (other->node == NULL || other->since_us < place->since_us) {
            place = other;
        }
    }
    if (place->node != NULL) {
        reap(watch, place);
    }
    *place = (struct retired){.node = node, .since_us = now_us};
    weir_agenda_hasten(&watch->agenda, ITEM_REAP, now_us + linger_us(watch));
}

static struct retired *retired_of(struct watch *watch, const struct weir_node *node)
{
    for (size_t i = 0; i < RETIRED_MAX; i++) {
        if (watch->retired[i].node == node) {
            return &watch->retired[i];
        }
    }
    return NULL;
}

/* ---- Rounds ---- */

/* Something says that the primary is another now, or that there is none. */
static void look_again(struct watch *watch)
{
    const int64_t now_us = weir_agenda_now();
    const int64_t earliest_us = watch->round_us + SEARCH_MIN_US;
    weir_agenda_hasten(&watch->agenda, ITEM_ROUND, now_us < earliest_us ? earliest_us : now_us);
}

static void begin_round(struct watch *watch)
{
    const int64_t now_us = weir_agenda_now();
    const int64_t pause_us =
        watch->primary != NULL
            ? weir_agenda_pause(&watch->agenda, 0, POLL_US, POLL_US)
            : weir_agenda_pause(&watch->agenda, watch->searches++, SEARCH_MIN_US, SEARCH_MAX_US);
    watch->round_us = now_us;
    watch->open = true;
    watch->settled = false;
    watch->refused_count = 0;
    weir_agenda_drop(&watch->agenda, ITEM_SETTLE);
    weir_agenda_set(&watch->agenda, ITEM_ROUND, now_us + pause_us);
    weir_sentinels_ask(watch->sentinels);
}

/* The round is over, and there is still no primary: says why. What a probe came to has been
 * said. */
static void give_up_round(struct watch *watch, const struct weir_sentinels_poll *poll)
{
    watch->open = false;
    if (watch->refused_count > 0) {
        return;
    }
    watch->failure = WEIR_FAILURE_NO_PRIMARY;
    if (poll->blank > 0) {
        (void)snprintf(watch->message, sizeof watch->message,
                       "no sentinel knows of a primary by the name of '%s'",
                       watch->options.config->service);
        return;
    }
    char trouble[320] = "none of them answers";
    weir_sentinels_trouble(watch->sentinels, trouble, sizeof trouble);
    (void)snprintf(watch->message, sizeof watch->message, "no sentinel can be asked; %s", trouble);
}

/* ---- Probing ---- */

static void on_up(void *owner, struct weir_node *node);
static void on_down(void *owner, struct weir_node *node, enum weir_failure failure);

static const struct weir_node_events node_events = {.up = on_up, .down = on_down};

static void end_probe(struct watch *watch)
{
    struct weir_node *node = watch->probe;
    if (node == NULL) {
        return;
    }
    if (watch->role_asked) {
        weir_node_cancel(node, &watch->role);
        watch->role_asked = false;
    }
    watch->probe = NULL;
    weir_agenda_drop(&watch->agenda, ITEM_PROBE);
    let_go(watch, node, WEIR_FAILURE_NO_PRIMARY);
}

static void choose(struct watch *watch);

/* The server that is being probed won't do. */
static void refuse_probe(struct watch *watch, enum weir_failure failure, const char *why)
{
    char address[128];
    weir_address_format(weir_node_address(watch->probe), address, sizeof address);
    watch->failure = failure;
    (void)snprintf(watch->message, sizeof watch->message, "%s, which the sentinels name: %s",
                   address, why);
    if (watch->refused_count < REFUSED_MAX) {
        watch->refused[watch->refused_count++] = *weir_node_address(watch->probe);
    }
    end_probe(watch);
    choose(watch);
}

static void start_probe(struct watch *watch, const struct weir_address *address)
{
    const struct weir_node_options options = {
        .loop = watch->options.loop,
        .allocator = watch->options.allocator,
        .config = watch->options.config,
        .tls = watch->options.tls,
        .events = &node_events,
        .owner = watch,
    };
    end_probe(watch);
    watch->probe = weir_node_new(&options, address);
    if (watch->probe == NULL) {
        watch->failure = WEIR_FAILURE_NO_MEMORY;
        (void)snprintf(watch->message, sizeof watch->message, "%s",
                       weir_failure_text(WEIR_FAILURE_NO_MEMORY));
        watch->open = false;
        return;
    }
    weir_node_connect(watch->probe);
    weir_agenda_set(&watch->agenda, ITEM_PROBE, weir_agenda_now() + PROBE_US);
}

static void adopt(struct watch *watch)
{
    struct weir_node *former = watch->primary;
    const bool first = watch->last.host[0] == '\0';
    const bool moved = !first && !weir_address_same(&watch->last, weir_node_address(watch->probe));
    watch->primary = watch->probe;
    watch->probe = NULL;
    watch->last = *weir_node_address(watch->primary);
    watch->searches = 0;
    watch->failure = WEIR_FAILURE_NONE;
    watch->message[0] = '\0';
    weir_agenda_drop(&watch->agenda, ITEM_PROBE);
    weir_agenda_set(&watch->agenda, ITEM_ROUND,
                    weir_agenda_now() + weir_agenda_pause(&watch->agenda, 0, POLL_US, POLL_US));
    if (former != NULL) {
        retire(watch, former);
    }
    tell(watch, moved);
}

static size_t write_role(struct weir_command *command, struct weir_node *node,
                         struct weir_buffer *writer)
{
    const struct weir_bytes word = weir_text("ROLE");
    (void)command;
    (void)node;
    weir_resp_put_command(writer, &word, 1);
    return 1;
}

static void on_role(struct weir_command *command, struct weir_node *node,
                    const struct weir_outcome *outcome)
{
    struct watch *watch = command->context;
    if (!watch->role_asked || node != watch->probe) {
        return;
    }
    watch->role_asked = false;
    if (outcome->failure != WEIR_FAILURE_NONE) {
        refuse_probe(watch, outcome->failure, weir_failure_text(outcome->failure));
    } else if (outcome->values[0].type == WEIR_RESP_ERROR) {
        char why[160];
        struct weir_complaint complaint;
        weir_failure_read(outcome->values[0].text, &complaint);
        weir_failure_quote(outcome->values[0].text, why, sizeof why);
        refuse_probe(watch, complaint.failure, why);
    } else if (!weir_role_is_primary(outcome->values, outcome->count)) {
        refuse_probe(watch, WEIR_FAILURE_NO_PRIMARY, "it is a replica");
    } else {
        adopt(watch);
    }
}

/* Where the handshake did not say it. */
static void ask_role(struct watch *watch)
{
    watch->role = (struct weir_command){
        .write = write_role,
        .done = on_role,
        .deadline_us = weir_agenda_now() + PROBE_US,
        .context = watch,
    };
    /* It has just connected, so that it takes the command, unless there is no memory. */
    if (weir_node_send(watch->probe, &watch->role, false)) {
        watch->role_asked = true;
    } else {
        refuse_probe(watch, WEIR_FAILURE_LOST, weir_failure_text(WEIR_FAILURE_LOST));
    }
}

/* The primary is none any more until it, or another, has been found and asked again. */
static void lose(struct watch *watch, enum weir_failure failure, const char *why)
{
    struct weir_node *node = watch->primary;
    char address[128];
    weir_address_format(weir_node_address(node), address, sizeof address);
    (void)snprintf(watch->message, sizeof watch->message, "%s: %s", address, why);
    watch->failure = failure;
    watch->primary = NULL;
    let_go(watch, node, failure);
    look_again(watch);
}

static void on_up(void *owner, struct weir_node *node)
{
    struct watch *watch = owner;
    if (node == watch->primary) {
        /* It lost its connection unheard, for want of memory: what it is now nobody knows. */
        lose(watch, WEIR_FAILURE_LOST, weir_failure_text(WEIR_FAILURE_LOST));
        return;
    }
    if (node != watch->probe) {
        struct retired *retired = retired_of(watch, node);
        if (retired != NULL) {
            reap(watch, retired);
        }
        return;
    }
    const char *role = weir_node_info(node)->role;
    if (role[0] == '\0') {
        ask_role(watch);
    } else if (strcmp(role, "primary") == 0) {
        adopt(watch);
    } else {
        refuse_probe(watch, WEIR_FAILURE_NO_PRIMARY, "it is a replica");
    }
}

static void on_down(void *owner, struct weir_node *node, enum weir_failure failure)
{
    struct watch *watch = owner;
    const char *message = "";
    (void)weir_node_failure(node, &message);
    const char *why = message[0] != '\0' ? message : weir_failure_text(failure);
    if (node == watch->probe) {
        refuse_probe(watch, failure, why);
    } else if (node == watch->primary) {
        lose(watch, failure, why);
    }
}

/* ---- Going by the votes ---- */

static size_t majority(const struct weir_sentinels_poll *poll)
{
    return poll->known / 2 + 1;
}

/* There is a primary, and it works: only most of all sentinels, and not just of those that answer,
 * can have another looked at. */
static void choose_another(struct watch *watch, const struct weir_address *best,
                           const struct weir_sentinels_poll *poll)
{
    const bool other = best != NULL &&
                       !weir_address_same(best, weir_node_address(watch->primary)) &&
                       weir_sentinels_votes(watch->sentinels, best) >= majority(poll);
    if (!other) {
        end_probe(watch);
        watch->open = poll->pending > 0;
    } else if (watch->probe == NULL || !weir_address_same(best, weir_node_address(watch->probe))) {
        start_probe(watch, best);
    }
}

static void choose(struct watch *watch)
{
    const struct weir_sentinels_poll poll = weir_sentinels_poll(watch->sentinels);
    const struct weir_address *best =
        watch->refused_count < REFUSED_MAX
            ? weir_sentinels_choice(watch->sentinels, watch->refused, watch->refused_count)
            : NULL;
    if (watch->primary != NULL) {
        choose_another(watch, best, &poll);
        return;
    }
    /* The one that is being probed was named a moment ago: another has to have more votes. */
    if (watch->probe != NULL &&
        (best == NULL ||
         weir_sentinels_votes(watch->sentinels, best) <=
             weir_sentinels_votes(watch->sentinels, weir_node_address(watch->probe)))) {
        return;
    }
    if (best != NULL) {
        start_probe(watch, best);
    } else if (poll.pending == 0) {
        give_up_round(watch, &poll);
    }
}

/* Goes by the votes as soon as most of all are for one, all are in, or the first has waited long
 * enough for the others. */
static void consider(struct watch *watch)
{
    if (!watch->open) {
        return;
    }
    const struct weir_sentinels_poll poll = weir_sentinels_poll(watch->sentinels);
    const struct weir_address *best = weir_sentinels_choice(watch->sentinels, NULL, 0);
    const bool clear =
        best != NULL && weir_sentinels_votes(watch->sentinels, best) >= majority(&poll);
    if (clear || watch->settled || poll.pending == 0) {
        choose(watch);
    } else if (poll.voted > 0 && !weir_agenda_has(&watch->agenda, ITEM_SETTLE)) {
        weir_agenda_set(&watch->agenda, ITEM_SETTLE, weir_agenda_now() + SETTLE_US);
    }
}

static void on_heard(void *owner, bool told)
{
    struct watch *watch = owner;
    if (told) {
        look_again(watch);
    }
    consider(watch);
}

static void act(void *context, unsigned item)
{
    struct watch *watch = context;
    switch ((enum item)item) {
    case ITEM_TELL:
        tell_now(watch);
        break;
    case ITEM_ROUND:
        begin_round(watch);
        break;
    case ITEM_SETTLE:
        watch->settled = true;
        consider(watch);
        break;
    case ITEM_PROBE:
        if (watch->probe != NULL) {
            refuse_probe(watch, WEIR_FAILURE_TIMEOUT, "it does not answer");
        }
        break;
    case ITEM_REAP:
        reap_old(watch);
        break;
    default:
        assert(false && "the agenda has only these");
    }
}

/* ---- What the client asks and says ---- */

static void start(struct weir_route *route)
{
    look_again((struct watch *)route);
}

static struct weir_node *node_for(struct weir_route *route, uint16_t slot,
                                  enum weir_failure *ret_failure)
{
    struct watch *watch = (struct watch *)route;
    (void)slot;
    if (watch->primary == NULL) {
        *ret_failure = watch->freed ? WEIR_FAILURE_CLOSED : watch->failure;
    }
    return watch->primary;
}

static struct weir_node *complained(struct weir_route *route, struct weir_node *node,
                                    const struct weir_complaint *complaint)
{
    struct watch *watch = (struct watch *)route;
    const bool login = complaint->remedy == WEIR_REMEDY_LOGIN;
    if (watch->freed || (complaint->remedy != WEIR_REMEDY_PRIMARY && !login)) {
        return NULL;
    }
    if (node == watch->primary) {
        char address[128];
        weir_address_format(weir_node_address(node), address, sizeof address);
        (void)snprintf(watch->message, sizeof watch->message, "%s: %s", address,
                       weir_failure_text(complaint->failure));
        watch->failure = login ? complaint->failure : WEIR_FAILURE_NO_PRIMARY;
        watch->primary = NULL;
        retire(watch, node);
        look_again(watch);
    } else if (watch->primary != NULL) {
        /* Of one that has retired: there is another by now. */
        tell(watch, false);
    }
    if (login) {
        weir_node_drop(node, complaint->failure);
    }
    return NULL;
}

static void each(struct weir_route *route, void (*see)(void *context, struct weir_node *node),
                 void *context)
{
    const struct watch *watch = (const struct watch *)route;
    struct weir_node *node = watch->primary != NULL ? watch->primary : watch->probe;
    if (node != NULL) {
        see(context, node);
    }
}

static const char *explain(struct weir_route *route)
{
    return ((const struct watch *)route)->message;
}

/* ---- Its life ---- */

static void on_closed(void *context)
{
    struct watch *watch = context;
    weir_release(watch->options.allocator, watch, sizeof *watch);
}

static void watch_free(struct weir_route *route, enum weir_failure failure)
{
    struct watch *watch = (struct watch *)route;
    assert(!watch->freed);
    watch->freed = true;
    weir_sentinels_free(watch->sentinels);
    watch->sentinels = NULL;
    if (watch->role_asked) {
        weir_node_cancel(watch->probe, &watch->role);
        watch->role_asked = false;
    }
    struct weir_node *nodes[RETIRED_MAX + 2] = {watch->primary, watch->probe};
    watch->primary = NULL;
    watch->probe = NULL;
    for (size_t i = 0; i < RETIRED_MAX; i++) {
        nodes[i + 2] = watch->retired[i].node;
        watch->retired[i].node = NULL;
    }
    for (size_t i = 0; i < RETIRED_MAX + 2; i++) {
        weir_node_free(nodes[i], failure);
    }
    weir_agenda_close(&watch->agenda, on_closed);
}

static const struct weir_route_ops watch_ops = {
    .start = start,
    .node_for = node_for,
    .complained = complained,
    .each = each,
    .free = watch_free,
    .explain = explain,
};

struct weir_route *weir_route_sentinel_new(const struct weir_route_options *options)
{
    assert(options != NULL && options->config->service[0] != '\0');
    struct watch *watch = weir_alloc(options->allocator, sizeof *watch, _Alignof(struct watch));
    if (watch == NULL) {
        return NULL;
    }
    watch->route.ops = &watch_ops;
    watch->options = *options;
    watch->failure = WEIR_FAILURE_NO_PRIMARY;
    (void)snprintf(watch->message, sizeof watch->message, "the sentinels have not answered yet");
    const struct weir_sentinels_options sentinels = {
        .loop = options->loop,
        .allocator = options->allocator,
        .config = options->config,
        .tls = options->tls,
        .heard = on_heard,
        .owner = watch,
    };
    watch->sentinels = weir_sentinels_new(&sentinels);
    if (watch->sentinels == NULL) {
        weir_release(options->allocator, watch, sizeof *watch);
        return NULL;
    }
    weir_agenda_open(&watch->agenda, options->loop, act, watch);
    return &watch->route;
}
