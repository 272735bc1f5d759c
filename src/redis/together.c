/* together.c - all or none, where the keys are in several slots of a cluster and so no one script
 * can see them all. Read flight.h first.
 *
 *     look    peek at all; where one would be denied, go to deny
 *     take    each slot's requests by one script, all or none of them, all slots at once
 *     back    where a slot denied or failed: give back what the other slots have taken
 *     again   and look once more, for what is to be said of those that would have passed
 *     deny    ask those that a look found denied for real, as a denial may start a block; what is
 *             admitted after all is given back
 *
 * Each step is one or more calls of our own, parts, whose failures come back as they are.
 *
 * Never too often: what is given back is only what is known to have been taken. A slot whose answer
 * never came may have taken, and keeps it. Taking has half of the time that is left, so that there
 * is time to give back before the call's own deadline, with which the keys are the caller's again.
 * But a window that ends between taking and giving back is another one then, which gets what the
 * former was to have back (and sliding-log gives back its newest): docs/failure-modes.md says so.
 */

#include "redis/flight.h"

#include "base/alloc.h"

#include <assert.h>
#include <string.h>

/* Some of the requests, asked as one call. */
struct part {
    struct weir_call call;
    struct weir_together *whole;
    size_t first; /* where its requests begin in `sorted`, or in `some` */
};

struct weir_together {
    struct weir_client *client;
    struct weir_call *call;
    struct weir_together *next; /* among the spare ones */
    void (*then)(struct weir_together *together);
    size_t count;
    size_t slots;
    size_t waiting;            /* parts that are under way */
    enum weir_failure failure; /* of a part, in this step */
    enum weir_failure cause;   /* what is to be said once all is given back */
    bool denied[WEIR_CHECK_ALL_MAX];
    uint16_t slot[WEIR_CHECK_ALL_MAX];  /* by slot, and within one in the caller's order: */
    uint8_t origin[WEIR_CHECK_ALL_MAX]; /* which of the caller's requests it is */
    struct weir_request sorted[WEIR_CHECK_ALL_MAX];
    struct weir_decision decisions[WEIR_CHECK_ALL_MAX];
    size_t some_count;                       /* requests that are given back, or asked for real */
    uint8_t some_origin[WEIR_CHECK_ALL_MAX]; /* their places in `sorted` */
    struct weir_request some[WEIR_CHECK_ALL_MAX];
    struct weir_decision some_decisions[WEIR_CHECK_ALL_MAX];
    struct part parts[WEIR_CHECK_ALL_MAX];
};

/* ---- Parts ---- */

static void on_part(struct weir_call *call)
{
    struct part *part = call->context;
    struct weir_together *together = part->whole;
    if (weir_record_of(call)->failure != WEIR_FAILURE_NONE) {
        together->failure = weir_record_of(call)->failure;
    }
    if (--together->waiting == 0) {
        together->then(together);
    }
}

static void prepare(struct weir_together *together, struct part *part, enum weir_verb verb,
                    bool joined)
{
    part->whole = together;
    part->call = (struct weir_call){
        .verb = verb,
        .together = joined,
        .now_us = together->call->now_us,
        .done = on_part,
        .context = part,
    };
}

static void ask(struct weir_together *together, size_t parts, int64_t deadline_us,
                void (*then)(struct weir_together *together))
{
    together->then = then;
    together->failure = WEIR_FAILURE_NONE;
    together->waiting = parts;
    for (size_t i = 0; i < parts; i++) {
        weir_client_submit_part(together->client, &together->parts[i].call, deadline_us);
    }
}

static int64_t deadline_of(const struct weir_together *together)
{
    return weir_record_of(together->call)->deadline_us;
}

static void look(struct weir_together *together, void (*then)(struct weir_together *together))
{
    struct part *part = &together->parts[0];
    prepare(together, part, WEIR_VERB_PEEK, false);
    part->call.requests = together->sorted;
    part->call.count = together->count;
    part->call.decisions = together->decisions;
    ask(together, 1, deadline_of(together), then);
}

static void add_some(struct weir_together *together, size_t place)
{
    const size_t i = together->some_count++;
    together->some[i] = together->sorted[place];
    together->some_origin[i] = (uint8_t)place;
}

/* Asks for all of `some`, from `first` on, with one verb. */
static void prepare_some(struct weir_together *together, struct part *part, enum weir_verb verb,
                         size_t first)
{
    prepare(together, part, verb, false);
    part->first = first;
    part->call.requests = &together->some[first];
    part->call.count = together->some_count - first;
    part->call.decisions = &together->some_decisions[first];
}

/* Gives back all of `some`, where there is any. */
static void give_back(struct weir_together *together, void (*then)(struct weir_together *together))
{
    if (together->some_count == 0) {
        then(together);
        return;
    }
    prepare_some(together, &together->parts[0], WEIR_VERB_REFUND, 0);
    ask(together, 1, deadline_of(together), then);
}

/* ---- Its end ---- */

static void put_away(struct weir_together *together)
{
    together->next = together->client->spare_together;
    together->client->spare_together = together;
}

/* With the decisions as they are. */
static void answer(struct weir_together *together)
{
    struct weir_call *call = together->call;
    size_t denied = call->count;
    for (size_t i = 0; i < together->count; i++) {
        const size_t origin = together->origin[i];
        call->decisions[origin] = together->decisions[i];
        if (!together->decisions[i].allowed && origin < denied) {
            denied = origin;
        }
    }
    put_away(together);
    weir_answer_done(call, WEIR_OK, denied);
}

static void fail(struct weir_together *together, enum weir_failure failure)
{
    struct weir_client *client = together->client;
    struct weir_call *call = together->call;
    put_away(together);
    weir_answer_together_on_error(client, call, failure, WEIR_NODE_RETRY_MIN_US);
}

/* ---- Take ---- */

static bool failed(struct part *part)
{
    return weir_record_of(&part->call)->failure != WEIR_FAILURE_NONE;
}

static void after_back_failed(struct weir_together *together)
{
    fail(together, together->cause);
}

/* The denials stand; the rest is as the last look found it, where there was time for one. */
static void after_again(struct weir_together *together)
{
    for (size_t i = 0; i < together->count; i++) {
        if (together->denied[i]) {
            together->decisions[i] = together->some_decisions[i];
        } else if (together->failure != WEIR_FAILURE_NONE) {
            /* It would have passed a moment ago. */
            together->decisions[i].allowed = true;
        }
    }
    answer(together);
}

static void after_back_denied(struct weir_together *together)
{
    /* The refunds' answers are of no use: their places keep the denials over the look. */
    memcpy(together->some_decisions, together->decisions, sizeof(together->decisions));
    look(together, after_again);
}

static void after_take(struct weir_together *together)
{
    const enum weir_failure failure = together->failure;
    bool denied = false;
    together->some_count = 0;
    for (size_t i = 0; i < together->slots; i++) {
        struct part *part = &together->parts[i];
        const bool took = !failed(part) && part->call.answered == part->call.count;
        for (size_t j = 0; j < part->call.count; j++) {
            const size_t place = part->first + j;
            together->denied[place] = !failed(part) && !together->decisions[place].allowed;
            denied = denied || together->denied[place];
            if (took && together->sorted[place].cost > 0) {
                add_some(together, place);
            }
        }
    }
    if (failure == WEIR_FAILURE_NONE && !denied) {
        answer(together);
    } else if (denied) {
        give_back(together, after_back_denied);
    } else {
        together->cause = failure;
        give_back(together, after_back_failed);
    }
}

static void take(struct weir_together *together)
{
    const int64_t now_us = weir_steady_us();
    together->slots = 0;
    size_t i = 0;
    while (i < together->count) {
        struct part *part = &together->parts[together->slots++];
        size_t end = i + 1;
        while (end < together->count && together->slot[end] == together->slot[i]) {
            end++;
        }
        prepare(together, part, WEIR_VERB_CHECK, true);
        part->first = i;
        part->call.requests = &together->sorted[i];
        part->call.count = end - i;
        part->call.decisions = &together->decisions[i];
        i = end;
    }
    ask(together, together->slots, now_us + (deadline_of(together) - now_us) / 2, after_take);
}

/* ---- Deny ---- */

static void after_deny_back(struct weir_together *together)
{
    answer(together);
}

static void after_deny(struct weir_together *together)
{
    const size_t parts = together->slots;
    bool back[WEIR_CHECK_ALL_MAX] = {false};
    for (size_t p = 0; p < parts; p++) {
        struct part *part = &together->parts[p];
        for (size_t j = 0; !failed(part) && j < part->call.count; j++) {
            const size_t i = part->first + j;
            const size_t place = together->some_origin[i];
            if (!together->some_decisions[i].allowed) {
                together->decisions[place] = together->some_decisions[i];
            } else if (part->call.verb == WEIR_VERB_CHECK) {
                back[place] = true;
            }
        }
    }
    together->some_count = 0;
    for (size_t place = 0; place < together->count; place++) {
        if (back[place]) {
            add_some(together, place);
        }
    }
    give_back(together, after_deny_back);
}

/* Those with a block are asked for real, one by one; of the others what is to be mended is. */
static void deny(struct weir_together *together)
{
    size_t parts = 0;
    together->some_count = 0;
    for (int blocks = 1; blocks >= 0; blocks--) {
        const size_t first = together->some_count;
        for (size_t i = 0; i < together->count; i++) {
            const bool has_block = together->sorted[i].limit->block_us > 0;
            if (!together->decisions[i].allowed && has_block == (blocks == 1)) {
                add_some(together, i);
            }
        }
        if (together->some_count > first) {
            prepare_some(together, &together->parts[parts++],
                         blocks == 1 ? WEIR_VERB_CHECK : WEIR_VERB_MEND, first);
        }
    }
    together->slots = parts;
    const int64_t now_us = weir_steady_us();
    ask(together, parts, now_us + (deadline_of(together) - now_us) / 2, after_deny);
}

/* ---- Look ---- */

static void after_look(struct weir_together *together)
{
    if (together->failure != WEIR_FAILURE_NONE) {
        fail(together, together->failure);
        return;
    }
    for (size_t i = 0; i < together->count; i++) {
        if (!together->decisions[i].allowed) {
            deny(together);
            return;
        }
    }
    take(together);
}

/* Sorted by slot, the caller's order within each: by insertion, as there are few. */
static bool sort(struct weir_together *together)
{
    const struct weir_call *call = together->call;
    together->count = call->count;
    for (size_t i = 0; i < call->count; i++) {
        uint16_t slot;
        if (!weir_client_name(together->client, &call->requests[i], &slot)) {
            return false;
        }
        size_t place = i;
        while (place > 0 && together->slot[place - 1] > slot) {
            together->slot[place] = together->slot[place - 1];
            together->origin[place] = together->origin[place - 1];
            together->sorted[place] = together->sorted[place - 1];
            place--;
        }
        together->slot[place] = slot;
        together->origin[place] = (uint8_t)i;
        together->sorted[place] = call->requests[i];
    }
    return true;
}

void weir_together_begin(struct weir_client *client, struct weir_call *call)
{
    assert(call->count <= WEIR_CHECK_ALL_MAX);
    struct weir_together *together = client->spare_together;
    if (together != NULL) {
        client->spare_together = together->next;
    } else {
        together = weir_alloc(client->options.allocator, sizeof(*together), _Alignof(max_align_t));
    }
    if (together == NULL) {
        weir_answer_together_on_error(client, call, WEIR_FAILURE_NO_MEMORY, WEIR_NODE_RETRY_MIN_US);
        return;
    }
    together->client = client;
    together->call = call;
    if (!sort(together)) {
        fail(together, WEIR_FAILURE_NO_MEMORY);
    } else {
        look(together, after_look);
    }
}

void weir_together_free_spare(struct weir_client *client)
{
    while (client->spare_together != NULL) {
        struct weir_together *together = client->spare_together;
        client->spare_together = together->next;
        weir_release(client->options.allocator, together, sizeof(*together));
    }
}
