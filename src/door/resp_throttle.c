/* resp_throttle.c - CL.THROTTLE and THROTTLE: a limit in numbers, and five integers for an answer.
 * See resp_parts.h.
 *
 * CL.THROTTLE is as redis-cell 0.4 has it: `max_burst` is what passes at once beyond the first
 * request, so that the limit is one more. THROTTLE is as throttlecrab 0.4 has it: `max_burst` is
 * the limit itself, and the answer's order is another. Both are token buckets, and a key of one is
 * a key of the other. What differs from both is on purpose: seconds are rounded up, and nothing is
 * computed in floating point. A refund is never more than was taken. */

#include "door/resp_parts.h"

#include <string.h>

#define US_PER_S INT64_C(1000000)

/* Digits that are no number beyond 64 bits. */
#define DIGITS_SHORT 18

/* Of a word that is no number so many bytes are told. */
#define ECHOED_MAX 128

/* ---- Numbers ------------------------------------------------------------------------------- */

/* What weir_resp_integer does not take, but redis-cell does. */
static bool read_lenient(struct weir_bytes text, int64_t *ret_number)
{
    size_t at = text.len > 0 && (text.ptr[0] == '-' || text.ptr[0] == '+');
    const bool negative = at == 1 && text.ptr[0] == '-';
    if (at == text.len) {
        return false;
    }
    int64_t number = 0;
    for (; at < text.len; at++) {
        const int digit = text.ptr[at] - '0';
        if (digit < 0 || digit > 9 || __builtin_mul_overflow(number, 10, &number) ||
            __builtin_sub_overflow(number, digit, &number)) {
            return false;
        }
    }
    if (!negative && number == INT64_MIN) {
        return false;
    }
    *ret_number = negative ? number : -number;
    return true;
}

bool weir_resp_number_of(struct weir_bytes text, int64_t *ret_number)
{
    /* Nearly all are short, and then no longer than it takes to ask what they are. */
    size_t at = 0;
    uint64_t number = 0;
    while (at < text.len && at < DIGITS_SHORT && text.ptr[at] >= '0' && text.ptr[at] <= '9') {
        number = number * 10 + (uint64_t)(text.ptr[at] - '0');
        at++;
    }
    if (at == text.len && at > 0) {
        *ret_number = (int64_t)number;
        return true;
    }
    return weir_resp_integer(text, ret_number) || read_lenient(text, ret_number);
}

/* ---- Limits -------------------------------------------------------------------------------- */

/* What a command asks for. `burst` is all that passes at once. */
struct throttle {
    int64_t burst;
    int64_t count;
    int64_t period; /* s */
    int64_t quantity;
};

void weir_resp_drop_limit(struct weir_resp_session *session)
{
    if (session->limit != NULL) {
        weir_ad_hoc_release(session->limit);
        session->limit = NULL;
    }
}

/* Makes the session's limit the one that is asked for; says why where it can't. */
static bool bring_limit(struct weir_resp_session *session, const struct throttle *throttle)
{
    const struct weir_limit_spec spec = {
        .algorithm = WEIR_TOKEN_BUCKET,
        .count = (uint64_t)throttle->count,
        .period_us = throttle->period * US_PER_S,
        .burst = (uint64_t)throttle->burst,
    };
    struct weir_error error = {0};
    struct weir_ad_hoc *limit;
    const enum weir_status status = weir_ad_hoc_spec(session->session.desk->limits, &spec,
                                                     weir_text(WEIR_THROTTLE_NAME), &limit, &error);
    if (status != WEIR_OK) {
        weir_resp_put_status(weir_session_say(&session->session), status, error.message);
        return false;
    }
    weir_resp_drop_limit(session);
    session->limit = limit;
    session->limit_burst = throttle->burst;
    session->limit_count = throttle->count;
    session->limit_period = throttle->period;
    return true;
}

static bool has_limit(const struct weir_resp_session *session, const struct throttle *throttle)
{
    return session->limit != NULL && session->limit_burst == throttle->burst &&
           session->limit_count == throttle->count && session->limit_period == throttle->period;
}

/* Says which number is more than any limit takes. */
static bool is_in_range(struct weir_resp_session *session, const struct throttle *throttle)
{
    if (throttle->burst < 1 || throttle->burst > (int64_t)WEIR_COUNT_MAX) {
        weir_resp_refuse_print(session,
                               "ERR max_burst is out of range: a limit lets 1 to %lld "
                               "requests pass at once",
                               (long long)WEIR_COUNT_MAX);
        return false;
    }
    if (throttle->count < 1 || throttle->count > (int64_t)WEIR_COUNT_MAX) {
        weir_resp_refuse_print(session, "ERR count is out of range: it is 1 to %lld",
                               (long long)WEIR_COUNT_MAX);
        return false;
    }
    if (throttle->period < 1 || throttle->period > WEIR_PERIOD_MAX / US_PER_S) {
        weir_resp_refuse_print(session, "ERR period is out of range: it is 1 to %lld seconds",
                               (long long)(WEIR_PERIOD_MAX / US_PER_S));
        return false;
    }
    return true;
}

/* ---- Asking -------------------------------------------------------------------------------- */

static void ask(struct weir_resp_session *session, enum weir_resp_answer kind,
                struct weir_bytes key, const struct throttle *throttle)
{
    if (!has_limit(session, throttle) &&
        (!is_in_range(session, throttle) || !bring_limit(session, throttle))) {
        return;
    }
    struct weir_exchange *exchange = weir_exchange_new(&session->session);
    if (exchange == NULL) {
        return;
    }
    const int64_t quantity = throttle->quantity;
    enum weir_verb verb = WEIR_VERB_CHECK;
    if (quantity <= 0) {
        verb = quantity == 0 ? WEIR_VERB_PEEK : WEIR_VERB_REFUND;
    }
    exchange->kind = kind;
    exchange->numbers[0] = quantity <= 0;
    session->limit->uses++;
    const enum weir_status status =
        weir_exchange_ask_limit(exchange, verb, session->limit, key,
                                quantity < 0 ? 0 - (uint64_t)quantity : (uint64_t)quantity);
    if (status != WEIR_OK) {
        weir_exchange_drop(exchange);
        weir_resp_put_status(weir_session_say(&session->session), status, NULL);
        return;
    }
    weir_exchange_submit(exchange);
}

bool weir_resp_may_bring(struct weir_resp_session *session)
{
    if (session->session.desk->view->config->ad_hoc) {
        return true;
    }
    weir_resp_refuse(session, "NOPERM this server takes no limits of its peers' own (ad_hoc: "
                              "false); ask by its rules, with WEIR.CHECK ATTRS");
    return false;
}

/* words[2] and on: max_burst, count, period and, where it is there, quantity; else 1. Returns the
 * index of the one that is no number, or 0. */
static uint32_t read_numbers(const struct weir_resp_value *words, uint32_t count,
                             struct throttle *ret_throttle)
{
    int64_t *const numbers[] = {&ret_throttle->burst, &ret_throttle->count, &ret_throttle->period,
                                &ret_throttle->quantity};
    ret_throttle->quantity = 1;
    for (uint32_t i = 2; i < count; i++) {
        if (!weir_resp_number_of(words[i].text, numbers[i - 2])) {
            return i;
        }
    }
    return 0;
}

#define THROTTLE_WORDS_MIN 5
#define THROTTLE_WORDS_MAX 6

void weir_resp_run_cl_throttle(struct weir_resp_session *session,
                               const struct weir_resp_value *words, uint32_t count)
{
    if (count < THROTTLE_WORDS_MIN || count > THROTTLE_WORDS_MAX) {
        weir_resp_refuse(session, "Cell error: Store error: Usage: cl.throttle <key> <max_burst> "
                                  "<count per period> <period> [<quantity>]");
        return;
    }
    struct throttle throttle = {0};
    const uint32_t bad = read_numbers(words, count, &throttle);
    if (bad != 0) {
        const struct weir_bytes text = words[bad].text;
        weir_resp_refuse_print(session, "Cell error: Store error: Couldn't parse as integer: %.*s",
                               (int)(text.len < ECHOED_MAX ? text.len : ECHOED_MAX),
                               text.len > 0 ? text.ptr : "");
        return;
    }
    if (throttle.count == 0 || throttle.period == 0) {
        weir_resp_refuse(session, "Cell error: Store error: Zero rates are not supported");
        return;
    }
    /* One more; a number that has none is refused with those that are out of range. */
    throttle.burst += throttle.burst < INT64_MAX;
    if (weir_resp_may_bring(session)) {
        ask(session, WEIR_RESP_ANSWER_CELL, words[1].text, &throttle);
    }
}

void weir_resp_run_throttle(struct weir_resp_session *session, const struct weir_resp_value *words,
                            uint32_t count)
{
    static const char *const names[] = {"max_burst", "count_per_period", "period", "quantity"};
    if (count > THROTTLE_WORDS_MAX) {
        weir_resp_refuse(session, "ERR wrong number of arguments for 'throttle' command");
        return;
    }
    struct throttle throttle = {0};
    const uint32_t bad = read_numbers(words, count, &throttle);
    if (bad != 0) {
        weir_resp_refuse_print(session, "ERR invalid %s", names[bad - 2]);
        return;
    }
    if (throttle.quantity < 0) {
        weir_resp_refuse_print(session, "ERR negative quantity: %lld",
                               (long long)throttle.quantity);
        return;
    }
    if (throttle.burst <= 0 || throttle.count <= 0 || throttle.period <= 0) {
        weir_resp_refuse(session, "ERR invalid rate limit parameters");
        return;
    }
    if (weir_resp_may_bring(session)) {
        ask(session, WEIR_RESP_ANSWER_CRAB, words[1].text, &throttle);
    }
}

/* ---- Answering ----------------------------------------------------------------------------- */

/* In whole seconds, rounded up; -1 for never. */
static int64_t seconds(int64_t us)
{
    return us == WEIR_NEVER ? -1 : us / US_PER_S + (us % US_PER_S > 0);
}

static void put_integer(struct weir_buffer *out, int64_t integer)
{
    if (integer < 0 || integer > 9 || !weir_buffer_reserve(out, 4)) {
        weir_resp_put_integer(out, integer);
        return;
    }
    const char text[4] = {':', (char)('0' + integer), '\r', '\n'};
    memcpy(out->bytes + out->len, text, sizeof(text));
    out->len += sizeof(text);
}

void weir_resp_answer_throttle(struct weir_buffer *out, const struct weir_exchange *exchange)
{
    const struct weir_inquiry *inquiry = exchange->inquiries;
    if (inquiry->status != WEIR_OK) {
        weir_resp_put_status(out, inquiry->status, NULL);
        return;
    }
    const struct weir_decision *decision = &inquiry->decisions[0];
    const bool allowed = decision->allowed || exchange->numbers[0] != 0;
    const int64_t reset_after = seconds(decision->reset_after_us);
    const int64_t retry_after = seconds(decision->retry_after_us);
    weir_resp_put_array(out, 5);
    if (exchange->kind == WEIR_RESP_ANSWER_CELL) {
        put_integer(out, !allowed);
        put_integer(out, (int64_t)decision->limit);
        put_integer(out, (int64_t)decision->remaining);
        put_integer(out, allowed ? -1 : retry_after);
        put_integer(out, reset_after);
    } else {
        put_integer(out, allowed);
        put_integer(out, (int64_t)decision->limit);
        put_integer(out, (int64_t)decision->remaining);
        put_integer(out, reset_after);
        put_integer(out, allowed ? 0 : retry_after);
    }
}
