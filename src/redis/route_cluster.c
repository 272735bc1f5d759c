/* route_cluster.c - the route to a cluster: which of its servers has a slot. Read route.h,
 * cluster_map.h and cluster_asking.h first.
 *
 * The map comes from any server that is known, seeds included, and is looked at again when
 * something says that it is out of date: MOVED, CLUSTERDOWN, a lost connection, a slot that nobody
 * has. However many say so, one round of questions is under way at a time, and rounds that follow
 * each other have growing pauses in between. What MOVED says is believed at once, for its slot.
 *
 * A server that the map does not name any more is left alone until all that may be on its way to it
 * has run out of time, and is then freed. New ones are connected when they are first needed.
 *
 * Invariant: `owner[slot]` is the index of a member with a node, or nobody's; a member's `slots` is
 * how often it is named there. Nobody outside is called from within a call of the route's own:
 * ITEM_TELL does that later. */

#include "redis/route.h"

#include "base/alloc.h"
#include "redis/agenda.h"
#include "redis/cluster_asking.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* Servers that are known at once: those of one map, of the one before it, and of seeds. */
#define MEMBERS_MAX (2 * WEIR_CLUSTER_NODES_MAX + WEIR_SEEDS_MAX)
#define MEMBERS_FIRST 16
#define NOBODY UINT16_MAX
_Static_assert(MEMBERS_MAX < NOBODY, "every member has an index");

/* From the start of one round to that of the next, at least: it doubles from the first to the
 * second, which is as long as a failover may go unnoticed; after so many rounds, which is after
 * some twenty seconds, this is none, and the pauses are to cost a large cluster little. */
#define ROUND_PAUSE_MIN_US INT64_C(100000)
#define ROUND_PAUSE_MAX_US INT64_C(500000)
#define ROUNDS_IN_HASTE 50
#define ROUND_PAUSE_LONG_US INT64_C(5000000)
/* After so long without a round the pauses are short again. */
#define CALM_US INT64_C(10000000)
/* How long a server may take to tell the map before another is asked besides. */
#define HEDGE_US INT64_C(250000)

enum item {
    ITEM_TELL,  /* tell the owner what has changed */
    ITEM_ROUND, /* ask for the map */
    ITEM_HEDGE, /* ask another besides */
    ITEM_REAP   /* free those that have no slots any more */
};

struct member {
    struct weir_node *node; /* NULL: the place is free */
    uint32_t slots;
    uint64_t asked;    /* the round in which it was asked for the map */
    int64_t needed_us; /* without slots: when it was last handed out */
};

struct cluster {
    struct weir_route route; /* first, so that a route is one of these */
    struct weir_route_options options;
    struct weir_agenda agenda;
    struct weir_cluster_asking asking;
    struct member *members;
    size_t count; /* places in use, free ones in between included */
    size_t room;
    uint64_t round;
    uint32_t seeds_asked; /* a bit for each, in this round */
    unsigned rounds;      /* since it was calm */
    int64_t round_us;     /* when the last round began */
    int64_t next_us;      /* when the next may */
    bool again;           /* something came up since this round began */
    bool known;           /* a map was read */
    bool changed;         /* to be told */
    bool moved;
    bool freed;
    uint16_t owner[WEIR_SLOTS];
};
_Static_assert(WEIR_SEEDS_MAX <= 32, "every seed has a bit");

/* ---- News for the owner ---- */

static void tell(struct cluster *cluster, bool moved)
{
    cluster->changed = true;
    cluster->moved = cluster->moved || moved;
    weir_agenda_hasten(&cluster->agenda, ITEM_TELL, weir_agenda_now());
}

/* Either call may free the route. */
static void tell_now(struct cluster *cluster)
{
    const struct weir_route_events *events = cluster->options.events;
    const bool changed = cluster->changed;
    const bool moved = cluster->moved;
    cluster->changed = false;
    cluster->moved = false;
    if (moved) {
        events->moved(cluster->options.owner);
    }
    if (changed && !cluster->freed) {
        events->changed(cluster->options.owner);
    }
}

/* ---- Members ---- */

static void on_up(void *owner, struct weir_node *node);
static void on_down(void *owner, struct weir_node *node, enum weir_failure failure);

static const struct weir_node_events node_events = {.up = on_up, .down = on_down};

static size_t find_member(const struct cluster *cluster, const struct weir_address *address)
{
    for (size_t i = 0; i < cluster->count; i++) {
        struct weir_node *node = cluster->members[i].node;
        if (node != NULL && weir_address_same(weir_node_address(node), address)) {
            return i;
        }
    }
    return NOBODY;
}

static struct member *member_of(const struct cluster *cluster, const struct weir_node *node)
{
    for (size_t i = 0; i < cluster->count; i++) {
        if (cluster->members[i].node == node) {
            return &cluster->members[i];
        }
    }
    return NULL;
}

/* A free place, at the end where there is none before; NOBODY where there can be no more. */
static size_t free_place(struct cluster *cluster)
{
    for (size_t i = 0; i < cluster->count; i++) {
        if (cluster->members[i].node == NULL) {
            return i;
        }
    }
    if (cluster->count < cluster->room) {
        return cluster->count;
    }
    const size_t room = cluster->room == 0 ? MEMBERS_FIRST : 2 * cluster->room;
    struct member *members = NULL;
    if (cluster->count < MEMBERS_MAX) {
        members =
            weir_alloc(cluster->options.allocator, room * sizeof *members, _Alignof(struct member));
    }
    if (members == NULL) {
        return NOBODY;
    }
    if (cluster->count > 0) {
        memcpy(members, cluster->members, cluster->count * sizeof *members);
    }
    weir_release(cluster->options.allocator, cluster->members,
                 cluster->room * sizeof *cluster->members);
    cluster->members = members;
    cluster->room = room;
    return cluster->count;
}

/* How long one without slots is kept: until what was sent to it has run out of time, calls with a
 * longer timeout of their own apart. */
static int64_t linger_us(const struct cluster *cluster)
{
    return cluster->options.config->deadline_us + WEIR_NODE_STALL_US;
}

static void reap_later(struct cluster *cluster, int64_t from_us)
{
    weir_agenda_hasten(&cluster->agenda, ITEM_REAP, from_us + linger_us(cluster));
}

/* The index of the member at `address`, which is there from now on; NOBODY where there is no memory
 * for it. */
static size_t member_at(struct cluster *cluster, const struct weir_address *address)
{
    size_t place = find_member(cluster, address);
    if (place != NOBODY) {
        return place;
    }
    const struct weir_node_options options = {
        .loop = cluster->options.loop,
        .allocator = cluster->options.allocator,
        .config = cluster->options.config,
        .tls = cluster->options.tls,
        .events = &node_events,
        .owner = cluster,
    };
    place = free_place(cluster);
    struct weir_node *node = place == NOBODY ? NULL : weir_node_new(&options, address);
    if (node == NULL) {
        return NOBODY;
    }
    const int64_t now_us = weir_agenda_now();
    cluster->members[place] = (struct member){.node = node, .needed_us = now_us};
    cluster->count += place == cluster->count ? 1 : 0;
    reap_later(cluster, now_us);
    return place;
}

/* Frees those that have been without slots for long enough. */
static void reap(struct cluster *cluster)
{
    const int64_t now_us = weir_agenda_now();
    for (size_t i = 0; i < cluster->count && cluster->known; i++) {
        struct member *member = &cluster->members[i];
        struct weir_node *node = member->node;
        if (node == NULL || member->slots > 0) {
            continue;
        }
        if (weir_cluster_asking_asks(&cluster->asking, node)) {
            reap_later(cluster, now_us);
        } else if (member->needed_us + linger_us(cluster) > now_us) {
            reap_later(cluster, member->needed_us);
        } else {
            member->node = NULL;
            if (cluster->options.events->leaving != NULL) {
                cluster->options.events->leaving(cluster->options.owner, node);
            }
            weir_node_free(node, WEIR_FAILURE_CLUSTER);
        }
    }
}

/* ---- Rounds ---- */

/* Something says that the map is out of date, or that there is none. */
static void want_map(struct cluster *cluster)
{
    if (cluster->asking.running) {
        cluster->again = true;
        return;
    }
    const int64_t now_us = weir_agenda_now();
    weir_agenda_hasten(&cluster->agenda, ITEM_ROUND,
                       now_us < cluster->next_us ? cluster->next_us : now_us);
}

static void begin_round(struct cluster *cluster)
{
    if (cluster->asking.running) {
        return;
    }
    const int64_t now_us = weir_agenda_now();
    if (now_us - cluster->round_us > CALM_US) {
        cluster->rounds = 0;
    }
    cluster->round_us = now_us;
    const int64_t longest_us =
        cluster->rounds < ROUNDS_IN_HASTE ? ROUND_PAUSE_MAX_US : ROUND_PAUSE_LONG_US;
    cluster->next_us = now_us + weir_agenda_pause(&cluster->agenda, cluster->rounds++,
                                                  ROUND_PAUSE_MIN_US, longest_us);
    cluster->again = false;
    cluster->round++;
    cluster->seeds_asked = 0;
    weir_agenda_set(&cluster->agenda, ITEM_HEDGE, now_us + HEDGE_US);
    weir_cluster_asking_begin(&cluster->asking);
}

/* How likely a node is to answer soon: 0 for a connected one, 2 for one that was lost. */
static unsigned reluctance(const struct weir_node *node)
{
    const char *message = "";
    return weir_node_is_up(node)                                    ? 0
           : weir_node_failure(node, &message) == WEIR_FAILURE_NONE ? 1
                                                                    : 2;
}

/* One that has not been asked in this round, of those that are not too reluctant. */
static struct weir_node *next_member(struct cluster *cluster, unsigned most)
{
    const size_t from =
        cluster->count == 0 ? 0 : weir_agenda_random(&cluster->agenda, cluster->count);
    for (size_t i = 0; i < cluster->count; i++) {
        struct member *member = &cluster->members[(from + i) % cluster->count];
        if (member->node != NULL && member->asked != cluster->round &&
            reluctance(member->node) <= most) {
            member->asked = cluster->round;
            return member->node;
        }
    }
    return NULL;
}

/* A seed that was no member when this round came to it. */
static struct weir_node *next_seed(struct cluster *cluster)
{
    const struct weir_redis_config *config = cluster->options.config;
    for (size_t i = 0; i < config->seed_count; i++) {
        const uint32_t bit = UINT32_C(1) << i;
        if ((cluster->seeds_asked & bit) != 0) {
            continue;
        }
        cluster->seeds_asked |= bit;
        const size_t place = member_at(cluster, &config->seeds[i]);
        if (place != NOBODY && cluster->members[place].asked != cluster->round) {
            cluster->members[place].asked = cluster->round;
            return cluster->members[place].node;
        }
    }
    return NULL;
}

static struct weir_node *on_next(void *owner)
{
    struct cluster *cluster = owner;
    struct weir_node *node = NULL;
    for (unsigned most = 0; node == NULL && most <= 2; most++) {
        node = next_member(cluster, most);
    }
    return node != NULL ? node : next_seed(cluster);
}

/* Whether somebody who has slots can't be reached. */
static bool is_troubled(const struct cluster *cluster)
{
    for (size_t i = 0; i < cluster->count; i++) {
        const struct member *member = &cluster->members[i];
        if (member->node != NULL && member->slots > 0 && reluctance(member->node) == 2) {
            return true;
        }
    }
    return false;
}

static void take_map(struct cluster *cluster, const struct weir_cluster_map *map);

static void on_over(void *owner, const struct weir_cluster_map *map)
{
    struct cluster *cluster = owner;
    weir_agenda_drop(&cluster->agenda, ITEM_HEDGE);
    if (map != NULL) {
        take_map(cluster, map);
    }
    if (cluster->again || map == NULL || is_troubled(cluster)) {
        want_map(cluster);
    }
}

static const struct weir_cluster_asking_events asking_events = {.next = on_next, .over = on_over};

static void act(void *context, unsigned item)
{
    struct cluster *cluster = context;
    switch ((enum item)item) {
    case ITEM_TELL:
        tell_now(cluster);
        break;
    case ITEM_ROUND:
        begin_round(cluster);
        break;
    case ITEM_HEDGE:
        weir_cluster_asking_hasten(&cluster->asking);
        if (cluster->asking.running) {
            weir_agenda_set(&cluster->agenda, ITEM_HEDGE, weir_agenda_now() + HEDGE_US);
        }
        break;
    case ITEM_REAP:
        reap(cluster);
        break;
    default:
        assert(false && "the agenda has only these");
    }
}

/* ---- The map ---- */

/* Gives a slot to the member at `place`, or to nobody. */
static void give_slot(struct cluster *cluster, size_t slot, size_t place)
{
    const uint16_t former = cluster->owner[slot];
    if (former == place) {
        return;
    }
    if (former != NOBODY) {
        struct member *member = &cluster->members[former];
        if (--member->slots == 0) {
            member->needed_us = weir_agenda_now();
            reap_later(cluster, member->needed_us);
        }
    }
    cluster->owner[slot] = (uint16_t)place;
    if (place != NOBODY) {
        cluster->members[place].slots++;
    }
}

static void mark_nodes(struct cluster *cluster)
{
    for (size_t i = 0; i < cluster->count; i++) {
        if (cluster->members[i].node != NULL) {
            weir_node_set_mark(cluster->members[i].node, cluster->members[i].slots);
        }
    }
}

/* Who has a slot that a map leaves out: whoever had it, while it can be asked. A server that has
 * just come to the cluster knows but a part of the map, and one that does not have the slot any
 * more will say so itself. */
static size_t keep_owner(const struct cluster *cluster, size_t slot)
{
    const uint16_t former = cluster->owner[slot];
    return former != NOBODY && weir_node_is_up(cluster->members[former].node) ? former : NOBODY;
}

static void take_map(struct cluster *cluster, const struct weir_cluster_map *map)
{
    uint16_t places[WEIR_CLUSTER_NODES_MAX];
    bool moved = false;
    for (size_t i = 0; i < map->count; i++) {
        places[i] = (uint16_t)member_at(cluster, &map->addresses[i]);
    }
    for (size_t slot = 0; slot < WEIR_SLOTS; slot++) {
        const uint16_t index = map->owner[slot];
        size_t place = index == WEIR_NO_SLOT_OWNER ? NOBODY : places[index];
        if (place == NOBODY) {
            place = keep_owner(cluster, slot);
        }
        moved = moved || (cluster->known && place != cluster->owner[slot]);
        give_slot(cluster, slot, place);
    }
    cluster->known = true;
    mark_nodes(cluster);
    reap_later(cluster, weir_agenda_now());
    tell(cluster, moved);
}

/* ---- Nodes come and go ---- */

static void on_up(void *owner, struct weir_node *node)
{
    (void)node;
    tell(owner, false);
}

static void on_down(void *owner, struct weir_node *node, enum weir_failure failure)
{
    struct cluster *cluster = owner;
    (void)failure;
    weir_cluster_asking_lost(&cluster->asking, node);
    const struct member *member = member_of(cluster, node);
    if (member != NULL && member->slots > 0) {
        want_map(cluster);
    }
}

/* ---- What the client asks and says ---- */

static void start(struct weir_route *route)
{
    want_map((struct cluster *)route);
}

static struct weir_node *node_for(struct weir_route *route, uint16_t slot,
                                  enum weir_failure *ret_failure)
{
    struct cluster *cluster = (struct cluster *)route;
    assert(slot < WEIR_SLOTS);
    if (cluster->freed) {
        *ret_failure = WEIR_FAILURE_CLOSED;
        return NULL;
    }
    const uint16_t place = cluster->owner[slot];
    if (place != NOBODY) {
        return cluster->members[place].node;
    }
    want_map(cluster);
    *ret_failure = cluster->known ? WEIR_FAILURE_CLUSTER : cluster->asking.failure;
    return NULL;
}

/* The node that MOVED or ASK names; NULL where it names none. */
static struct weir_node *redirected(struct cluster *cluster, const struct weir_node *node,
                                    const struct weir_complaint *complaint)
{
    struct weir_address address;
    size_t place = NOBODY;
    if (weir_address_moved(complaint->address, weir_node_address(node), &address)) {
        place = member_at(cluster, &address);
    }
    if (place == NOBODY) {
        return NULL;
    }
    if (complaint->remedy == WEIR_REMEDY_MOVED && complaint->slot < WEIR_SLOTS) {
        give_slot(cluster, complaint->slot, place);
        mark_nodes(cluster);
        tell(cluster, true);
    }
    struct member *member = &cluster->members[place];
    member->needed_us = weir_agenda_now();
    if (member->slots == 0) {
        reap_later(cluster, member->needed_us);
    }
    return member->node;
}

static struct weir_node *complained(struct weir_route *route, struct weir_node *node,
                                    const struct weir_complaint *complaint)
{
    struct cluster *cluster = (struct cluster *)route;
    if (cluster->freed) {
        return NULL;
    }
    switch (complaint->remedy) {
    case WEIR_REMEDY_MOVED:
        want_map(cluster);
        return redirected(cluster, node, complaint);
    case WEIR_REMEDY_ASK:
        return redirected(cluster, node, complaint);
    case WEIR_REMEDY_AGAIN:
        if (complaint->down) {
            want_map(cluster);
        }
        return NULL;
    case WEIR_REMEDY_LOGIN:
        weir_node_drop(node, complaint->failure);
        weir_cluster_asking_lost(&cluster->asking, node);
        want_map(cluster);
        return NULL;
    case WEIR_REMEDY_PRIMARY:
        want_map(cluster);
        return NULL;
    case WEIR_REMEDY_NONE:
    case WEIR_REMEDY_TEXT:
    default:
        return NULL;
    }
}

/* Once there is a map, those that have slots; before, whoever may tell one. */
static void each(struct weir_route *route, void (*see)(void *context, struct weir_node *node),
                 void *context)
{
    const struct cluster *cluster = (const struct cluster *)route;
    for (size_t i = 0; i < cluster->count; i++) {
        const struct member *member = &cluster->members[i];
        if (member->node != NULL && (member->slots > 0 || !cluster->known)) {
            see(context, member->node);
        }
    }
}

static const char *explain(struct weir_route *route)
{
    const struct cluster *cluster = (const struct cluster *)route;
    return cluster->known ? "no server of the cluster has the key's slot" : cluster->asking.message;
}

/* ---- Its life ---- */

static void on_closed(void *context)
{
    struct cluster *cluster = context;
    const struct weir_allocator *allocator = cluster->options.allocator;
    weir_release(allocator, cluster->members, cluster->room * sizeof *cluster->members);
    weir_release(allocator, cluster, sizeof *cluster);
}

static void cluster_free(struct weir_route *route, enum weir_failure failure)
{
    struct cluster *cluster = (struct cluster *)route;
    assert(!cluster->freed);
    cluster->freed = true;
    weir_cluster_asking_stop(&cluster->asking);
    for (size_t i = 0; i < cluster->count; i++) {
        struct weir_node *node = cluster->members[i].node;
        cluster->members[i].node = NULL;
        weir_node_free(node, failure);
    }
    weir_agenda_close(&cluster->agenda, on_closed);
}

static const struct weir_route_ops cluster_ops = {
    .start = start,
    .node_for = node_for,
    .complained = complained,
    .each = each,
    .free = cluster_free,
    .explain = explain,
};

struct weir_route *weir_route_cluster_new(const struct weir_route_options *options)
{
    assert(options != NULL && options->config->database == 0);
    struct cluster *cluster =
        weir_alloc(options->allocator, sizeof *cluster, _Alignof(struct cluster));
    if (cluster == NULL) {
        return NULL;
    }
    cluster->route.ops = &cluster_ops;
    cluster->options = *options;
    weir_cluster_asking_init(&cluster->asking, &asking_events, cluster, options->allocator,
                             options->tls != NULL);
    weir_agenda_open(&cluster->agenda, options->loop, act, cluster);
    for (size_t slot = 0; slot < WEIR_SLOTS; slot++) {
        cluster->owner[slot] = NOBODY;
    }
    /* So that there is somebody to look at before there is a map. */
    for (size_t i = 0; i < options->config->seed_count; i++) {
        if (member_at(cluster, &options->config->seeds[i]) == NOBODY) {
            cluster_free(&cluster->route, WEIR_FAILURE_NO_MEMORY);
            return NULL;
        }
    }
    return &cluster->route;
}
