/* sentinels.c - see sentinels.h. */

#include "redis/sentinels.h"

#include "base/alloc.h"
#include "redis/agenda.h"
#include "redis/failure.h"
#include "redis/sentinel_reply.h"

#include <assert.h>
#include <stdio.h>

enum vote {
    VOTE_NONE,  /* not in this round; or it can't */
    VOTE_GIVEN, /* for `primary` */
    VOTE_BLANK  /* it knows of no such service */
};

/* A command, and whether it is with its node. */
struct errand {
    struct weir_command command;
    bool under_way;
};

struct sentinel {
    struct weir_sentinels *all;
    struct weir_node *asked;    /* NULL: the place is free */
    struct weir_node *listened; /* the one with the subscription */
    struct errand vote_errand;
    struct errand others_errand;
    struct errand subscribe_errand;
    bool seed;
    int64_t heard_us; /* when it was last heard, or heard of */
    int64_t learn_us; /* when it is to be asked for the others again */
    enum vote vote;
    struct weir_address primary;
    char refusal[160]; /* what it said instead of an answer; empty: it answered */
};

struct weir_sentinels {
    struct weir_sentinels_options options;
    bool freed;
    bool sending; /* an errand is being handed to a node, which may refuse it */
    struct sentinel places[WEIR_SENTINELS_MAX];
};

/* ---- Errands ---- */

static size_t write_words(struct weir_buffer *writer, const char *first, const char *second,
                          const char *third)
{
    const struct weir_bytes words[] = {weir_text(first), weir_text(second),
                                       weir_text(third == NULL ? "" : third)};
    weir_resp_put_command(writer, words, third == NULL ? 2 : 3);
    return 1;
}

static const char *service_of(const struct sentinel *sentinel)
{
    return sentinel->all->options.config->service;
}

static size_t write_vote(struct weir_command *command, struct weir_node *node,
                         struct weir_buffer *writer)
{
    (void)node;
    return write_words(writer, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", service_of(command->context));
}

static size_t write_others(struct weir_command *command, struct weir_node *node,
                           struct weir_buffer *writer)
{
    (void)node;
    return write_words(writer, "SENTINEL", "SENTINELS", service_of(command->context));
}

static size_t write_subscribe(struct weir_command *command, struct weir_node *node,
                              struct weir_buffer *writer)
{
    (void)command;
    (void)node;
    return write_words(writer, "SUBSCRIBE", WEIR_SENTINEL_CHANNEL, NULL);
}

/* Sends one out, unless it is. */
static void send_out(struct sentinel *sentinel, struct errand *errand, struct weir_node *node)
{
    struct weir_sentinels *all = sentinel->all;
    if (errand->under_way || all->freed) {
        return;
    }
    errand->command.context = sentinel;
    errand->command.deadline_us = weir_agenda_now() + WEIR_SENTINEL_QUESTION_US;
    all->sending = true;
    errand->under_way = weir_node_send(node, &errand->command, false);
    all->sending = false;
}

static void call_back(struct errand *errand, struct weir_node *node)
{
    if (errand->under_way) {
        weir_node_cancel(node, &errand->command);
        errand->under_way = false;
    }
}

/* ---- Sentinels come and go ---- */

static void on_up(void *owner, struct weir_node *node);
static void on_down(void *owner, struct weir_node *node, enum weir_failure failure);
static void on_push(void *owner, struct weir_node *node, const struct weir_resp_value *values,
                    size_t count);
static void on_vote(struct weir_command *command, struct weir_node *node,
                    const struct weir_outcome *outcome);
static void on_others(struct weir_command *command, struct weir_node *node,
                      const struct weir_outcome *outcome);
static void on_subscribed(struct weir_command *command, struct weir_node *node,
                          const struct weir_outcome *outcome);

static const struct weir_node_events node_events = {.up = on_up, .down = on_down, .push = on_push};

static struct sentinel *find(struct weir_sentinels *all, const struct weir_address *address)
{
    for (size_t i = 0; i < WEIR_SENTINELS_MAX; i++) {
        struct sentinel *sentinel = &all->places[i];
        if (sentinel->asked != NULL &&
            weir_address_same(weir_node_address(sentinel->asked), address)) {
            return sentinel;
        }
    }
    return NULL;
}

static struct sentinel *free_place(struct weir_sentinels *all)
{
    for (size_t i = 0; i < WEIR_SENTINELS_MAX; i++) {
        if (all->places[i].asked == NULL) {
            return &all->places[i];
        }
    }
    return NULL;
}

static void leave(struct sentinel *sentinel)
{
    struct weir_node *asked = sentinel->asked;
    struct weir_node *listened = sentinel->listened;
    call_back(&sentinel->vote_errand, asked);
    call_back(&sentinel->others_errand, asked);
    call_back(&sentinel->subscribe_errand, listened);
    sentinel->asked = NULL;
    sentinel->listened = NULL;
    weir_node_free(asked, WEIR_FAILURE_CLOSED);
    weir_node_free(listened, WEIR_FAILURE_CLOSED);
}

/* False where there is no memory or no place for it. */
static bool join(struct weir_sentinels *all, const struct weir_address *address, bool seed)
{
    struct sentinel *sentinel = free_place(all);
    if (sentinel == NULL) {
        return false;
    }
    *sentinel = (struct sentinel){
        .all = all,
        .seed = seed,
        .heard_us = weir_agenda_now(),
        .vote_errand.command = {.write = write_vote, .done = on_vote},
        .others_errand.command = {.write = write_others, .done = on_others},
        .subscribe_errand.command = {.write = write_subscribe, .done = on_subscribed},
    };
    const struct weir_node_options options = {
        .loop = all->options.loop,
        .allocator = all->options.allocator,
        .config = all->options.config,
        .tls = all->options.tls,
        .sentinel = true,
        .events = &node_events,
        .owner = sentinel,
    };
    struct weir_node *asked = weir_node_new(&options, address);
    struct weir_node *listened = asked == NULL ? NULL : weir_node_new(&options, address);
    if (listened == NULL) {
        weir_node_free(asked, WEIR_FAILURE_NO_MEMORY);
        return false;
    }
    sentinel->asked = asked;
    sentinel->listened = listened;
    weir_node_connect(asked);
    weir_node_connect(listened);
    return true;
}

/* Another sentinel tells of one at `address`. */
static void hear_of(void *context, const struct weir_address *address)
{
    struct weir_sentinels *all = context;
    struct sentinel *sentinel = find(all, address);
    if (sentinel != NULL) {
        sentinel->heard_us = weir_agenda_now();
        return;
    }
    sentinel = join(all, address, false) ? find(all, address) : NULL;
    if (sentinel != NULL) {
        send_out(sentinel, &sentinel->vote_errand, sentinel->asked);
    }
}

/* Those that are gone, and that nobody speaks of any more. */
static void forget_some(struct weir_sentinels *all)
{
    const int64_t now_us = weir_agenda_now();
    for (size_t i = 0; i < WEIR_SENTINELS_MAX; i++) {
        struct sentinel *sentinel = &all->places[i];
        if (sentinel->asked != NULL && !sentinel->seed && !weir_node_is_up(sentinel->asked) &&
            now_us - sentinel->heard_us > WEIR_SENTINEL_FORGET_US) {
            leave(sentinel);
        }
    }
}

/* ---- What they say ---- */

static void refuse(struct sentinel *sentinel, const struct weir_outcome *outcome)
{
    const struct weir_resp_value *value = &outcome->values[0];
    weir_failure_quote(value->type == WEIR_RESP_ERROR ? value->text
                                                      : weir_text("its answer has no sense"),
                       sentinel->refusal, sizeof sentinel->refusal);
}

static void on_vote(struct weir_command *command, struct weir_node *node,
                    const struct weir_outcome *outcome)
{
    struct sentinel *sentinel = command->context;
    struct weir_sentinels *all = sentinel->all;
    (void)node;
    if (all->sending) {
        return; /* send_out() sees it */
    }
    sentinel->vote_errand.under_way = false;
    sentinel->refusal[0] = '\0';
    if (outcome->failure == WEIR_FAILURE_NONE) {
        sentinel->heard_us = weir_agenda_now();
        switch (weir_sentinel_primary_read(outcome->values, outcome->count, &sentinel->primary)) {
        case WEIR_SENTINEL_PRIMARY:
            sentinel->vote = VOTE_GIVEN;
            break;
        case WEIR_SENTINEL_NO_SUCH:
            sentinel->vote = VOTE_BLANK;
            break;
        case WEIR_SENTINEL_NONSENSE:
        default:
            refuse(sentinel, outcome);
            break;
        }
    }
    all->options.heard(all->options.owner, false);
}

static void on_others(struct weir_command *command, struct weir_node *node,
                      const struct weir_outcome *outcome)
{
    struct sentinel *sentinel = command->context;
    (void)node;
    if (sentinel->all->sending) {
        return;
    }
    sentinel->others_errand.under_way = false;
    if (outcome->failure == WEIR_FAILURE_NONE) {
        sentinel->learn_us = weir_agenda_now() + WEIR_SENTINEL_LEARN_US;
        weir_sentinel_others_read(outcome->values, outcome->count, hear_of, sentinel->all);
    }
}

/* One that does not let us subscribe is still asked. */
static void on_subscribed(struct weir_command *command, struct weir_node *node,
                          const struct weir_outcome *outcome)
{
    struct sentinel *sentinel = command->context;
    (void)node;
    (void)outcome;
    sentinel->subscribe_errand.under_way = false;
}

static void on_push(void *owner, struct weir_node *node, const struct weir_resp_value *values,
                    size_t count)
{
    struct sentinel *sentinel = owner;
    struct weir_sentinels *all = sentinel->all;
    (void)node;
    if (weir_sentinel_switch_read(values, count, service_of(sentinel), &sentinel->primary)) {
        sentinel->vote = VOTE_GIVEN;
        all->options.heard(all->options.owner, true);
    }
}

static void on_up(void *owner, struct weir_node *node)
{
    struct sentinel *sentinel = owner;
    if (node == sentinel->listened) {
        send_out(sentinel, &sentinel->subscribe_errand, node);
    } else {
        send_out(sentinel, &sentinel->others_errand, node);
    }
}

/* A sentinel that does not answer may not tell of anything either, however open its other
 * connection looks. */
static void on_down(void *owner, struct weir_node *node, enum weir_failure failure)
{
    struct sentinel *sentinel = owner;
    struct weir_sentinels *all = sentinel->all;
    if (node != sentinel->asked) {
        return;
    }
    weir_node_drop(sentinel->listened, failure);
    const bool was_asked = sentinel->vote_errand.under_way;
    call_back(&sentinel->vote_errand, node);
    call_back(&sentinel->others_errand, node);
    if (was_asked) {
        all->options.heard(all->options.owner, false);
    }
}

/* ---- Rounds ---- */

void weir_sentinels_ask(struct weir_sentinels *all)
{
    const int64_t now_us = weir_agenda_now();
    forget_some(all);
    for (size_t i = 0; i < WEIR_SENTINELS_MAX; i++) {
        struct sentinel *sentinel = &all->places[i];
        sentinel->vote = VOTE_NONE;
        if (sentinel->asked == NULL) {
            continue;
        }
        send_out(sentinel, &sentinel->vote_errand, sentinel->asked);
        if (now_us >= sentinel->learn_us && weir_node_is_up(sentinel->asked)) {
            send_out(sentinel, &sentinel->others_errand, sentinel->asked);
        }
    }
    all->options.heard(all->options.owner, false);
}

/* Whether it may vote yet. One that was lost and is being connected again may, too, but nobody
 * waits for it. */
static bool is_pending(const struct sentinel *sentinel)
{
    const char *message = "";
    return sentinel->vote == VOTE_NONE && sentinel->vote_errand.under_way &&
           (weir_node_is_up(sentinel->asked) ||
            weir_node_failure(sentinel->asked, &message) == WEIR_FAILURE_NONE);
}

struct weir_sentinels_poll weir_sentinels_poll(const struct weir_sentinels *all)
{
    struct weir_sentinels_poll poll = {0};
    for (size_t i = 0; i < WEIR_SENTINELS_MAX; i++) {
        const struct sentinel *sentinel = &all->places[i];
        if (sentinel->asked != NULL) {
            poll.known++;
            poll.voted += sentinel->vote == VOTE_GIVEN ? 1 : 0;
            poll.blank += sentinel->vote == VOTE_BLANK ? 1 : 0;
            poll.pending += is_pending(sentinel) ? 1 : 0;
        }
    }
    return poll;
}

size_t weir_sentinels_votes(const struct weir_sentinels *all, const struct weir_address *address)
{
    size_t votes = 0;
    for (size_t i = 0; i < WEIR_SENTINELS_MAX; i++) {
        const struct sentinel *sentinel = &all->places[i];
        votes += sentinel->asked != NULL && sentinel->vote == VOTE_GIVEN &&
                         weir_address_same(&sentinel->primary, address)
                     ? 1
                     : 0;
    }
    return votes;
}

static bool is_among(const struct weir_address *address, const struct weir_address *list,
                     size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (weir_address_same(address, &list[i])) {
            return true;
        }
    }
    return false;
}

const struct weir_address *weir_sentinels_choice(const struct weir_sentinels *all,
                                                 const struct weir_address *but, size_t count)
{
    const struct weir_address *best = NULL;
    size_t most = 0;
    for (size_t i = 0; i < WEIR_SENTINELS_MAX; i++) {
        const struct sentinel *sentinel = &all->places[i];
        if (sentinel->asked == NULL || sentinel->vote != VOTE_GIVEN ||
            is_among(&sentinel->primary, but, count)) {
            continue;
        }
        const size_t votes = weir_sentinels_votes(all, &sentinel->primary);
        if (votes > most) {
            most = votes;
            best = &sentinel->primary;
        }
    }
    return best;
}

void weir_sentinels_trouble(const struct weir_sentinels *all, char *message, size_t size)
{
    for (size_t i = 0; i < WEIR_SENTINELS_MAX; i++) {
        const struct sentinel *sentinel = &all->places[i];
        if (sentinel->asked == NULL) {
            continue;
        }
        const char *why = "";
        const enum weir_failure failure = weir_node_failure(sentinel->asked, &why);
        why = sentinel->refusal[0] != '\0' ? sentinel->refusal : why;
        if (why[0] == '\0' && failure != WEIR_FAILURE_NONE) {
            why = weir_failure_text(failure);
        }
        if (why[0] != '\0') {
            char address[128];
            weir_address_format(weir_node_address(sentinel->asked), address, sizeof address);
            (void)snprintf(message, size, "sentinel %s: %s", address, why);
            return;
        }
    }
}

/* ---- Its life ---- */

struct weir_sentinels *weir_sentinels_new(const struct weir_sentinels_options *options)
{
    assert(options != NULL && options->heard != NULL);
    struct weir_sentinels *all =
        weir_alloc(options->allocator, sizeof *all, _Alignof(struct weir_sentinels));
    if (all == NULL) {
        return NULL;
    }
    all->options = *options;
    const struct weir_redis_config *config = options->config;
    for (size_t i = 0; i < config->seed_count; i++) {
        if (find(all, &config->seeds[i]) == NULL && !join(all, &config->seeds[i], true)) {
            weir_sentinels_free(all);
            return NULL;
        }
    }
    return all;
}

void weir_sentinels_free(struct weir_sentinels *all)
{
    if (all == NULL) {
        return;
    }
    all->freed = true;
    for (size_t i = 0; i < WEIR_SENTINELS_MAX; i++) {
        if (all->places[i].asked != NULL) {
            leave(&all->places[i]);
        }
    }
    weir_release(all->options.allocator, all, sizeof *all);
}
