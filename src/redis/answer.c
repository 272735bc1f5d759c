/* answer.c - answers come back to their calls. Read flight.h first.
 *
 * Each question's passenger is taken out of its flight before it is answered, as the end of a call
 * may bring anything, the end of the client included. */

#include "redis/flight.h"

#include <assert.h>

/* ---- Calls ---- */

void weir_answer_done(struct weir_call *call, enum weir_status status, size_t answered)
{
    call->status = status;
    call->answered = answered;
    call->done(call);
}

/* One question less is open. */
static void settle(struct weir_passenger passenger, enum weir_status status)
{
    struct weir_record *record = weir_record_of(passenger.call);
    if (status != WEIR_OK && passenger.index < record->stopped) {
        record->stopped = passenger.index;
        record->status = status;
    }
    assert(record->left > 0);
    if (--record->left == 0) {
        weir_answer_done(passenger.call, record->status, record->stopped);
    }
}

void weir_answer_decision(struct weir_passenger passenger, const struct weir_decision *decision)
{
    if (passenger.call->decisions != NULL) {
        passenger.call->decisions[passenger.index] = *decision;
    }
    settle(passenger, WEIR_OK);
}

/* ---- Without Redis ---- */

void weir_answer_on_error(struct weir_client *client, struct weir_passenger passenger,
                          enum weir_failure failure, int64_t retry_us)
{
    struct weir_call *call = passenger.call;
    if (weir_record_of(call)->part) {
        weir_record_of(call)->failure = failure;
        settle(passenger, WEIR_OK);
        return;
    }
    struct weir_request request = call->requests[passenger.index];
    const enum weir_verb verb = weir_client_verb(call, &request);
    request.cost = weir_client_cost(&request);
    struct weir_decision decision;
    client->stats.failed[failure]++;
    const enum weir_status status =
        weir_fallback_decide(client->fallback, verb, &request,
                             &(struct weir_outage){failure, retry_us, call->now_us}, &decision);
    if (status == WEIR_OK) {
        weir_answer_decision(passenger, &decision);
    } else {
        settle(passenger, status);
    }
}

void weir_answer_together_on_error(struct weir_client *client, struct weir_call *call,
                                   enum weir_failure failure, int64_t retry_us)
{
    if (weir_record_of(call)->part) {
        weir_record_of(call)->failure = failure;
        weir_answer_done(call, WEIR_OK, 0);
        return;
    }
    size_t denied = 0;
    client->stats.failed[failure] += call->count;
    const enum weir_status status = weir_fallback_decide_all(
        client->fallback, call->requests, call->count,
        &(struct weir_outage){failure, retry_us, call->now_us}, call->decisions, &denied);
    weir_answer_done(call, status, denied);
}

/* Takes the passengers of the rest of the group that question `i` begins; returns where the next
 * group begins. */
static size_t take_group(struct weir_flight *flight, size_t i)
{
    const uint16_t group = flight->questions[i].group;
    while (i < flight->script.count && flight->questions[i].group == group) {
        weir_flight_take(flight, i);
        i++;
    }
    return i;
}

void weir_answer_failure(struct weir_flight *flight, enum weir_failure failure, int64_t retry_us)
{
    struct weir_client *client = flight->client;
    if (flight->script.verb == WEIR_VERB_REFUND || flight->script.verb == WEIR_VERB_RESET) {
        client->distrust_us = weir_steady_us();
        /* It may have been done: what a check of before it said meanwhile is no more to be told. */
        for (size_t i = 0; i < flight->script.count; i++) {
            weir_denials_drop(client->denials, flight->questions[i].name);
        }
    }
    size_t i = 0;
    while (i < flight->script.count) {
        const struct weir_passenger passenger = flight->passengers[i];
        const bool group = flight->script.together;
        i = group ? take_group(flight, i) : i + 1;
        if (passenger.call == NULL) {
            continue;
        }
        if (group) {
            weir_answer_together_on_error(client, passenger.call, failure, retry_us);
        } else {
            weir_flight_take(flight, i - 1);
            weir_answer_on_error(client, passenger, failure, retry_us);
        }
    }
}

/* ---- By Redis ---- */

/* What an answer says of a key that the deny cache may know. */
static void tell_denials(struct weir_flight *flight, size_t i,
                         const struct weir_script_answer *answer, int64_t sent_us)
{
    struct weir_client *client = flight->client;
    const struct weir_script_question *question = &flight->questions[i];
    const enum weir_verb verb = flight->script.verb;
    const bool checks = verb == WEIR_VERB_CHECK && !question->look;
    if (checks && !answer->decision.allowed) {
        if (answer->state_known && sent_us > client->distrust_us) {
            const struct weir_denial denial = {
                .state = answer->state,
                .block_until_us = answer->block_until_us,
                .server_now_us = answer->now_us,
                .sent_us = sent_us,
                .answered_us = weir_steady_us(),
                .own_clock = flight->script.now_us == WEIR_CLOCK,
            };
            weir_denials_put(client->denials, question->name, &denial);
        }
    } else if (checks || verb == WEIR_VERB_REFUND || verb == WEIR_VERB_RESET) {
        weir_denials_drop(client->denials, question->name);
    }
}

static void answer_one(struct weir_flight *flight, size_t i,
                       const struct weir_script_answer *answer, int64_t sent_us)
{
    struct weir_client *client = flight->client;
    const struct weir_passenger passenger = weir_flight_take(flight, i);
    if (passenger.call == NULL) {
        return;
    }
    if (answer->failure != WEIR_FAILURE_NONE) {
        weir_answer_on_error(client, passenger, answer->failure, 0);
        return;
    }
    client->stats.redis_decided++;
    tell_denials(flight, i, answer, sent_us);
    if (flight->script.verb == WEIR_VERB_RESET) {
        weir_fallback_forget(client->fallback, &passenger.call->requests[passenger.index]);
        settle(passenger, WEIR_OK);
    } else {
        weir_answer_decision(passenger, &answer->decision);
    }
}

/* Questions [begin, end) are one call. */
static void answer_group(struct weir_flight *flight, size_t begin, size_t end,
                         const struct weir_script_answer *answers, int64_t sent_us)
{
    struct weir_client *client = flight->client;
    struct weir_call *call = flight->passengers[begin].call;
    size_t denied = end;
    take_group(flight, begin);
    if (call == NULL) {
        return;
    }
    for (size_t i = begin; i < end; i++) {
        if (answers[i].failure != WEIR_FAILURE_NONE) {
            weir_answer_together_on_error(client, call, answers[i].failure, 0);
            return;
        }
        if (!answers[i].decision.allowed && denied == end) {
            denied = i;
        }
    }
    for (size_t i = begin; i < end; i++) {
        /* Where one denies, those that would have passed have been left as they were. */
        if (denied == end || !answers[i].decision.allowed) {
            tell_denials(flight, i, &answers[i], sent_us);
        }
        call->decisions[i - begin] = answers[i].decision;
    }
    client->stats.redis_decided += end - begin;
    weir_answer_done(call, WEIR_OK, denied - begin);
}

void weir_answer_flight(struct weir_flight *flight, const struct weir_script_answer *answers,
                        int64_t sent_us)
{
    size_t i = 0;
    while (i < flight->script.count) {
        if (!flight->script.together) {
            answer_one(flight, i, &answers[i], sent_us);
            i++;
            continue;
        }
        size_t end = i + 1;
        while (end < flight->script.count &&
               flight->questions[end].group == flight->questions[i].group) {
            end++;
        }
        answer_group(flight, i, end, answers, sent_us);
        i = end;
    }
}
