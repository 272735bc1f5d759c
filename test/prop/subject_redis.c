/* subject_redis.c - see subject_redis.h. Closing looks for keys without a TTL. */

#include "prop/subject_redis.h"

#include "support/redis_link.h"
#include "support/rig.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

struct key {
    struct rig_redis *server;
    struct redis_link *link;
    struct weir_limit *limit;
    uint64_t number; /* each trace has a key of its own */
};

static bool holds(enum weir_algorithm algorithm)
{
    (void)algorithm;
    return true;
}

static void *open_with(unsigned protocol)
{
    struct key *key = calloc(1, sizeof(*key));
    assert(key != NULL);
    key->server = rig_redis_start(NULL);
    key->link = redis_link_open(rig_redis_port(key->server), protocol);
    return key;
}

static void *open_each(void)
{
    return open_with(2);
}

static void *open_together(void)
{
    return open_with(3);
}

static void close_key(void *self)
{
    struct key *key = self;
    (void)redis_link_count_keys(key->link);
    redis_link_close(key->link);
    rig_redis_stop(key->server);
    weir_limit_free(key->limit);
    free(key);
}

static void fresh(void *self)
{
    struct key *key = self;
    key->number++;
}

static void set_limit(void *self, const struct weir_limit_spec *spec)
{
    struct key *key = self;
    const struct weir_limit_options options = {.size = sizeof(options), .name = weir_text("rule")};
    weir_limit_free(key->limit);
    const enum weir_status status = weir_limit_new(spec, &options, &key->limit, NULL);
    assert(status == WEIR_OK);
    (void)status;
}

/* What must hold of every answer about a key that only we have written. */
static void look_at(const struct weir_script_answer *answer, int64_t now_us)
{
    if (answer->failure != WEIR_FAILURE_NONE || answer->now_us != now_us) {
        fprintf(stderr, "subject_redis: %s\n", weir_failure_text(answer->failure));
        abort();
    }
}

static void ask(struct key *key, enum weir_verb verb, bool together, uint64_t cost, int64_t now_us,
                struct weir_decision *ret_decision)
{
    const struct weir_script_question question = {
        .limit = key->limit,
        .name =
            redis_link_name(key->link, key->limit, weir_bytes(&key->number, sizeof(key->number))),
        .cost = cost,
    };
    const struct weir_script_call call = {
        .verb = verb,
        .together = together,
        .now_us = now_us,
        .questions = &question,
        .count = 1,
    };
    struct weir_script_answer answer;
    redis_link_call(key->link, &call, &answer);
    look_at(&answer, now_us);
    *ret_decision = answer.decision;
}

static void peek(void *self, uint64_t cost, int64_t now_us, struct weir_decision *ret_decision)
{
    ask(self, WEIR_VERB_PEEK, false, cost > 0 ? cost : 1, now_us, ret_decision);
}

static void check(void *self, uint64_t cost, int64_t now_us, struct weir_decision *ret_decision)
{
    if (cost == 0) {
        peek(self, 1, now_us, ret_decision);
        return;
    }
    ask(self, WEIR_VERB_CHECK, false, cost, now_us, ret_decision);
}

static void check_together(void *self, uint64_t cost, int64_t now_us,
                           struct weir_decision *ret_decision)
{
    if (cost == 0) {
        peek(self, 1, now_us, ret_decision);
        return;
    }
    ask(self, WEIR_VERB_CHECK, true, cost, now_us, ret_decision);
}

static void refund(void *self, uint64_t cost, int64_t now_us, struct weir_decision *ret_decision)
{
    ask(self, WEIR_VERB_REFUND, false, cost, now_us, ret_decision);
}

static void reset(void *self)
{
    struct weir_decision unwanted;
    ask(self, WEIR_VERB_RESET, false, 1, 0, &unwanted);
}

const struct subject subject_redis = {
    .name = "redis",
    .holds = holds,
    .back_us = INT64_MAX,
    .forward_us = INT64_MAX,
    .open = open_each,
    .close = close_key,
    .fresh = fresh,
    .limit = set_limit,
    .check = check,
    .peek = peek,
    .refund = refund,
    .reset = reset,
};

const struct subject subject_redis_together = {
    .name = "redis_together",
    .holds = holds,
    .back_us = INT64_MAX,
    .forward_us = INT64_MAX,
    .open = open_together,
    .close = close_key,
    .fresh = fresh,
    .limit = set_limit,
    .check = check_together,
    .peek = peek,
    .refund = refund,
    .reset = reset,
};
