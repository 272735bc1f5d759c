/* cluster_asking.c - see cluster_asking.h. */

#include "redis/cluster_asking.h"

#include "redis/agenda.h"
#include "redis/failure.h"

#include <assert.h>
#include <stdio.h>

/* ---- What went wrong ---- */

static void note(struct weir_cluster_asking *asking, const struct weir_node *node,
                 enum weir_failure failure, const char *why)
{
    char address[128];
    weir_address_format(weir_node_address(node), address, sizeof address);
    asking->failure = failure;
    (void)snprintf(asking->message, sizeof asking->message, "%s: %s", address, why);
}

static void note_lost(struct weir_cluster_asking *asking, const struct weir_node *node,
                      enum weir_failure failure)
{
    const char *why = "";
    const enum weir_failure known = weir_node_failure(node, &why);
    const bool says = known != WEIR_FAILURE_NONE && why[0] != '\0';
    note(asking, node, says ? known : failure, says ? why : weir_failure_text(failure));
}

static void note_refused(struct weir_cluster_asking *asking, const struct weir_node *node,
                         struct weir_bytes text)
{
    char why[160];
    struct weir_complaint complaint;
    weir_failure_read(text, &complaint);
    weir_failure_quote(text, why, sizeof why);
    note(asking, node, complaint.failure, why);
}

/* ---- Questions ---- */

static size_t write_question(struct weir_command *command, struct weir_node *node,
                             struct weir_buffer *writer)
{
    const struct weir_cluster_question *question = command->context;
    (void)node;
    const struct weir_bytes words[] = {weir_text("CLUSTER"),
                                       weir_text(question->shards ? "SHARDS" : "SLOTS")};
    weir_resp_put_command(writer, words, 2);
    return 1;
}

static void on_answer(struct weir_command *command, struct weir_node *node,
                      const struct weir_outcome *outcome);

static struct weir_cluster_question *spare_question(struct weir_cluster_asking *asking)
{
    for (size_t i = 0; i < WEIR_CLUSTER_QUESTIONS; i++) {
        if (asking->questions[i].node == NULL) {
            return &asking->questions[i];
        }
    }
    return NULL;
}

static bool is_waiting(const struct weir_cluster_asking *asking)
{
    for (size_t i = 0; i < WEIR_CLUSTER_QUESTIONS; i++) {
        if (asking->questions[i].node != NULL) {
            return true;
        }
    }
    return false;
}

/* Hands the question to `node`; false where that would not have it. */
static bool put_to(struct weir_cluster_asking *asking, struct weir_cluster_question *question,
                   struct weir_node *node, bool shards)
{
    question->node = node;
    question->shards = shards;
    question->command = (struct weir_command){
        .write = write_question,
        .done = on_answer,
        .deadline_us = weir_agenda_now() + WEIR_CLUSTER_QUESTION_US,
        .context = question,
    };
    asking->sending = true;
    const bool sent = weir_node_send(node, &question->command, false);
    asking->sending = false;
    if (!sent) {
        question->node = NULL;
        note_lost(asking, node, WEIR_FAILURE_UNREACHABLE);
    }
    return sent;
}

/* Asks the next who takes the question; where there is none, and no answer to wait for, nobody
 * knows. */
static void ask_next(struct weir_cluster_asking *asking)
{
    struct weir_cluster_question *question = spare_question(asking);
    struct weir_node *node = NULL;
    while (question != NULL && (node = asking->events->next(asking->owner)) != NULL) {
        if (put_to(asking, question, node, false)) {
            return;
        }
    }
    if (!is_waiting(asking)) {
        asking->running = false;
        asking->events->over(asking->owner, NULL);
    }
}

/* ---- Answers ---- */

/* Reads a map; false where it is none, or none with slots. */
static bool read_map(struct weir_cluster_asking *asking, const struct weir_node *node, bool shards,
                     const struct weir_outcome *outcome, struct weir_cluster_map **ret_map)
{
    const struct weir_address *asked = weir_node_address(node);
    const enum weir_status status =
        shards ? weir_cluster_shards_read(outcome->values, outcome->count, asked, asking->tls,
                                          asking->allocator, ret_map)
               : weir_cluster_slots_read(outcome->values, outcome->count, asked, asking->allocator,
                                         ret_map);
    if (status != WEIR_OK) {
        const bool memory = status == WEIR_ERR_NO_MEMORY;
        note(asking, node, memory ? WEIR_FAILURE_NO_MEMORY : WEIR_FAILURE_REPLY,
             memory ? "there is no memory for the cluster's map"
                    : "its map of the cluster is none");
        return false;
    }
    if ((*ret_map)->covered == 0) {
        note(asking, node, WEIR_FAILURE_CLUSTER, "it knows of no server with slots");
        weir_cluster_map_free(*ret_map);
        return false;
    }
    return true;
}

static void on_answer(struct weir_command *command, struct weir_node *node,
                      const struct weir_outcome *outcome)
{
    struct weir_cluster_question *question = command->context;
    struct weir_cluster_asking *asking = question->asking;
    if (asking->sending) {
        return; /* put_to() sees it */
    }
    question->node = NULL;
    struct weir_cluster_map *map = NULL;
    if (outcome->failure != WEIR_FAILURE_NONE) {
        note_lost(asking, node, outcome->failure);
    } else if (outcome->values[0].type == WEIR_RESP_ERROR) {
        note_refused(asking, node, outcome->values[0].text);
        if (!question->shards && put_to(asking, question, node, true)) {
            return;
        }
    } else if (read_map(asking, node, question->shards, outcome, &map)) {
        weir_cluster_asking_stop(asking);
        asking->events->over(asking->owner, map);
        weir_cluster_map_free(map);
        return;
    }
    ask_next(asking);
}

/* ---- Rounds ---- */

void weir_cluster_asking_init(struct weir_cluster_asking *asking,
                              const struct weir_cluster_asking_events *events, void *owner,
                              const struct weir_allocator *allocator, bool tls)
{
    *asking = (struct weir_cluster_asking){
        .events = events,
        .owner = owner,
        .allocator = allocator,
        .tls = tls,
        .failure = WEIR_FAILURE_CLUSTER,
        .message = "no server of the cluster has been asked yet",
    };
    for (size_t i = 0; i < WEIR_CLUSTER_QUESTIONS; i++) {
        asking->questions[i].asking = asking;
    }
}

void weir_cluster_asking_begin(struct weir_cluster_asking *asking)
{
    assert(!asking->running);
    asking->running = true;
    ask_next(asking);
}

void weir_cluster_asking_hasten(struct weir_cluster_asking *asking)
{
    if (asking->running && spare_question(asking) != NULL) {
        ask_next(asking);
    }
}

void weir_cluster_asking_lost(struct weir_cluster_asking *asking, struct weir_node *node)
{
    for (size_t i = 0; i < WEIR_CLUSTER_QUESTIONS; i++) {
        struct weir_cluster_question *question = &asking->questions[i];
        if (question->node == node) {
            weir_node_cancel(node, &question->command);
            question->node = NULL;
            note_lost(asking, node, WEIR_FAILURE_LOST);
            ask_next(asking);
            return;
        }
    }
}

bool weir_cluster_asking_asks(const struct weir_cluster_asking *asking,
                              const struct weir_node *node)
{
    for (size_t i = 0; i < WEIR_CLUSTER_QUESTIONS; i++) {
        if (asking->questions[i].node == node) {
            return true;
        }
    }
    return false;
}

void weir_cluster_asking_stop(struct weir_cluster_asking *asking)
{
    for (size_t i = 0; i < WEIR_CLUSTER_QUESTIONS; i++) {
        struct weir_cluster_question *question = &asking->questions[i];
        if (question->node != NULL) {
            weir_node_cancel(question->node, &question->command);
            question->node = NULL;
        }
    }
    asking->running = false;
}
