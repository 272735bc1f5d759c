/* script_replay.c - what a script decided, worked out from what it found.
 *
 * Read redis/ask.lua, each.lua and together.lua beside this: the questions are gone through in the
 * same order and with the same turns. What is asked of a key's own state is answered by src/algo,
 * as in a table (store/table_store.c), and what comes of all of a group as in engine/engine.c. */

#include "redis/script_parts.h"

#include "algo/sliding_log.h"

#include <assert.h>

/* ---- One key's own state ----------------------------------------------------------------------
 */

/* The record of one step of sliding-log. */
struct record {
    int64_t units; /* -1: an entry is none of ours */
    int64_t newest_us;
    int64_t expired;
    int64_t way_us;
};

static bool next_record(struct weir_script_replay *replay, struct record *ret_record)
{
    if (replay->broken || replay->tape_count - replay->tape_at < WEIR_SCRIPT_RECORD) {
        replay->broken = true;
        return false;
    }
    const struct weir_resp_value *at = &replay->tape[replay->tape_at];
    replay->tape_at += WEIR_SCRIPT_RECORD;
    *ret_record = (struct record){at[0].integer, at[1].integer, at[2].integer, at[3].integer};
    return true;
}

/* Shows the scan two entries that stand for the list: all that has expired, and what is in the way
 * with all before it. False where there can be no such list. */
static bool show(struct weir_log_scan *scan, const struct record *record)
{
    const struct weir_limit *limit = scan->limit;
    const int64_t edge_us = scan->at_us - limit->period_us;
    const uint64_t units = (uint64_t)record->units;
    const uint64_t expired = (uint64_t)record->expired;
    if (record->expired < 0 || expired > units) {
        return false;
    }
    if (expired > 0) {
        (void)weir_log_scan_entry(scan, (struct weir_log_entry){edge_us, expired});
    }
    if (weir_log_admits(scan) || scan->cost > limit->ceiling) {
        return true;
    }
    if (record->way_us <= edge_us || record->way_us > WEIR_SCRIPT_NUMBER_MAX) {
        return false;
    }
    const uint64_t number = units + scan->cost - limit->ceiling;
    (void)weir_log_scan_entry(scan, (struct weir_log_entry){record->way_us, number - expired});
    return true;
}

static void log_step(struct weir_script_replay *replay, const struct weir_limit *limit,
                     struct weir_script_key *key, uint64_t cost, enum weir_verb verb,
                     struct weir_decision *decision)
{
    struct record record;
    if (!next_record(replay, &record)) {
        return;
    }
    if (record.units < 0) {
        key->foreign = true;
        return;
    }
    if (record.units > WEIR_SCRIPT_NUMBER_MAX || record.newest_us < 0 ||
        record.newest_us > WEIR_SCRIPT_NUMBER_MAX) {
        replay->broken = true;
        return;
    }
    struct weir_log_scan scan;
    const struct weir_log_extent extent = {record.newest_us, (uint64_t)record.units};
    if (weir_log_scan_start(&scan, limit, extent, replay->now_us, cost) && !show(&scan, &record)) {
        replay->broken = true;
        return;
    }
    weir_log_decide(&scan, verb == WEIR_VERB_CHECK && weir_log_admits(&scan), decision);
}

static void own_step(struct weir_script_replay *replay, const struct weir_limit *limit,
                     struct weir_script_key *key, uint64_t cost, enum weir_verb verb,
                     struct weir_decision *decision)
{
    *decision = (struct weir_decision){.source = WEIR_SOURCE_REDIS};
    if (limit->algorithm == WEIR_SLIDING_LOG) {
        log_step(replay, limit, key, cost, verb, decision);
        return;
    }
    const bool check = verb == WEIR_VERB_CHECK;
    const struct weir_step step =
        weir_algo_step(limit, key->own, replay->now_us, cost, check, decision);
    if (check ? step.write : step.clamped && verb == WEIR_VERB_MEND) {
        key->own = step.next;
    }
}

/* ---- With its block ---------------------------------------------------------------------------
 */

/* ask() of ask.lua. */
static void ask(struct weir_script_replay *replay, size_t question, uint64_t cost,
                enum weir_verb verb, struct weir_decision *ret_decision)
{
    const struct weir_limit *limit = replay->call->questions[question].limit;
    struct weir_script_key *key = &replay->keys[replay->plan->name_of[question]];
    const int64_t now_us = replay->now_us;
    if (limit->block_us == 0) {
        own_step(replay, limit, key, cost, verb, ret_decision);
        return;
    }
    const bool writes = verb != WEIR_VERB_PEEK && cost <= limit->ceiling;
    const struct weir_step block =
        weir_block_step(limit, (struct weir_state){key->block_until_us, 1}, now_us);
    if (block.write && writes) {
        key->block_until_us = block.next.until_us;
    }
    int64_t until_us = block.next.until_us;
    if (until_us > now_us) {
        const enum weir_verb quiet = writes ? WEIR_VERB_MEND : WEIR_VERB_PEEK;
        own_step(replay, limit, key, cost, quiet, ret_decision);
    } else {
        own_step(replay, limit, key, cost, verb, ret_decision);
        if (!ret_decision->allowed && verb == WEIR_VERB_CHECK && writes && !key->foreign) {
            until_us = now_us + limit->block_us;
            key->block_until_us = until_us;
        }
    }
    if (until_us > now_us) {
        weir_block_decide(until_us, now_us, ret_decision);
    }
}

/* What a refund changes; of a list the script tells nothing but the look after it. */
static void give_back(struct weir_script_replay *replay, size_t question)
{
    const struct weir_script_question *asked = &replay->call->questions[question];
    struct weir_script_key *key = &replay->keys[replay->plan->name_of[question]];
    if (asked->look || asked->limit->algorithm == WEIR_SLIDING_LOG) {
        return;
    }
    const struct weir_step step =
        weir_algo_refund(asked->limit, key->own, replay->now_us, asked->cost);
    if (step.write) {
        key->own = step.next;
    }
}

static void answer(const struct weir_script_replay *replay, size_t question,
                   struct weir_script_answer *answer)
{
    const struct weir_script_key *key = &replay->keys[replay->plan->name_of[question]];
    answer->now_us = replay->now_us;
    if (key->foreign) {
        answer->failure = WEIR_FAILURE_VALUE;
        return;
    }
    answer->state_known = replay->call->verb != WEIR_VERB_RESET &&
                          replay->call->questions[question].limit->algorithm != WEIR_SLIDING_LOG;
    if (answer->state_known) {
        answer->state = key->own;
        answer->block_until_us = key->block_until_us > replay->now_us ? key->block_until_us : 0;
    }
}

/* ---- Each by itself ---------------------------------------------------------------------------
 */

static void serve(struct weir_script_replay *replay, size_t question,
                  struct weir_script_answer *ret_answer)
{
    const struct weir_script_question *asked = &replay->call->questions[question];
    const enum weir_verb verb = replay->call->verb;
    if (verb == WEIR_VERB_REFUND) {
        give_back(replay, question);
        ask(replay, question, 1, WEIR_VERB_PEEK, &ret_answer->decision);
    } else if (verb != WEIR_VERB_RESET) {
        ask(replay, question, asked->cost, verb, &ret_answer->decision);
    }
}

/* Key by key, as each.lua does. */
static void replay_each(struct weir_script_replay *replay, struct weir_script_answer *answers)
{
    const struct weir_script_plan *plan = replay->plan;
    for (size_t name = 0; name < plan->names; name++) {
        const bool ours = !replay->keys[name].foreign;
        for (uint8_t i = plan->first[name]; i != WEIR_SCRIPT_NONE; i = plan->next[i]) {
            if (ours) {
                serve(replay, i, &answers[i]);
            }
            answer(replay, i, &answers[i]);
        }
    }
}

/* ---- Together ---------------------------------------------------------------------------------
 */

struct group {
    struct weir_script_replay *replay;
    struct weir_script_answer *answers; /* of its questions, the first of which is */
    size_t from;
    size_t count;
};

static void put(const struct group *group, size_t i, enum weir_verb verb,
                struct weir_decision *ret_decision)
{
    const struct weir_script_question *asked = &group->replay->call->questions[group->from + i];
    ask(group->replay, group->from + i, asked->cost, asked->look ? WEIR_VERB_PEEK : verb,
        ret_decision);
}

static bool look(const struct group *group)
{
    bool passes = true;
    for (size_t i = 0; i < group->count; i++) {
        put(group, i, WEIR_VERB_PEEK, &group->answers[i].decision);
        passes = passes && group->answers[i].decision.allowed;
    }
    return passes;
}

static void take(const struct group *group)
{
    for (size_t i = 0; i < group->count; i++) {
        struct weir_decision *decision = &group->answers[i].decision;
        put(group, i, WEIR_VERB_CHECK, decision);
        if (!decision->allowed) {
            const struct weir_decision denial = *decision;
            for (size_t j = 0; j < i; j++) {
                give_back(group->replay, group->from + j);
            }
            (void)look(group);
            *decision = denial;
            return;
        }
    }
}

static void deny(const struct group *group)
{
    for (size_t i = 0; i < group->count; i++) {
        if (group->answers[i].decision.allowed) {
            continue;
        }
        const bool starts = group->replay->call->questions[group->from + i].limit->block_us > 0;
        struct weir_decision decision;
        put(group, i, starts ? WEIR_VERB_CHECK : WEIR_VERB_MEND, &decision);
        if (!decision.allowed) {
            group->answers[i].decision = decision;
        } else if (starts) {
            give_back(group->replay, group->from + i);
        }
    }
}

static bool all_ours(const struct group *group)
{
    for (size_t i = 0; i < group->count; i++) {
        const size_t name = group->replay->plan->name_of[group->from + i];
        if (group->replay->keys[name].foreign) {
            return false;
        }
    }
    return true;
}

static void replay_group(const struct group *group)
{
    if (all_ours(group)) {
        if (look(group)) {
            take(group);
        } else {
            deny(group);
        }
    }
    const bool ours = all_ours(group);
    for (size_t i = 0; i < group->count; i++) {
        answer(group->replay, group->from + i, &group->answers[i]);
        if (!ours) {
            group->answers[i] = (struct weir_script_answer){.failure = WEIR_FAILURE_VALUE,
                                                            .now_us = group->replay->now_us};
        }
    }
}

void weir_script_replay(struct weir_script_replay *replay, struct weir_script_answer *ret_answers)
{
    const struct weir_script_call *call = replay->call;
    for (size_t i = 0; i < call->count; i++) {
        ret_answers[i] = (struct weir_script_answer){.failure = WEIR_FAILURE_NONE};
    }
    if (!call->together) {
        replay_each(replay, ret_answers);
        return;
    }
    for (size_t from = 0; from < call->count;) {
        size_t end = from + 1;
        while (end < call->count && call->questions[end].group == call->questions[from].group) {
            end++;
        }
        replay_group(&(struct group){replay, &ret_answers[from], from, end - from});
        from = end;
    }
}
