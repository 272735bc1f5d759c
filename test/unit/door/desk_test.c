/* desk_test.c - the desk: every exchange is answered once, in its session's order, whatever order
 * the store answers in; what changes a key is not overtaken; nobody's trouble is another's. */

#include "support/desk_rig.h"
#include "support/later_store.h"
#include "support/random.h"
#include "weir/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct weir *memory(void)
{
    struct weir *weir = NULL;
    assert_int_equal(weir_open("memory:?size=1MiB", NULL, &weir, NULL), WEIR_OK);
    return weir;
}

static void a_turn_is_answered_in_order(void **state)
{
    (void)state;
    struct desk_rig *rig = desk_rig_open(memory(), NULL);
    struct weir_session *one = desk_rig_session(rig, false);
    struct weir_session *two = desk_rig_session(rig, false);
    desk_rig_ask(one, WEIR_VERB_CHECK, "3/h", "a", 1);
    desk_rig_ask(two, WEIR_VERB_CHECK, "3/h", "a", 1);
    desk_rig_ask(one, WEIR_VERB_PEEK, "3/h", "a", 1);
    desk_rig_ask(one, WEIR_VERB_CHECK, "3/h", "a", 2);
    desk_rig_ask(one, WEIR_VERB_RESET, "3/h", "a", 1);
    desk_rig_ask(one, WEIR_VERB_CHECK, "3/h", "a", 1);
    desk_rig_ask(one, WEIR_VERB_REFUND, "3/h", "a", 1);
    assert_int_equal(one->owed, 6);
    assert_string_equal(desk_rig_answers(one), "");
    weir_desk_flush(rig->desk);
    assert_string_equal(desk_rig_answers(one), "+2 \n+1 \n-1 \n-0 \n+2 \n+3 \n");
    assert_string_equal(desk_rig_answers(two), "+1 \n");
    assert_int_equal(rig->woken, 2);
    assert_int_equal(one->owed, 0);
    weir_session_end(one);
    weir_session_end(two);
    desk_rig_close(rig);
}

static void what_is_said_at_once_waits_for_its_turn(void **state)
{
    (void)state;
    struct desk_rig *rig = desk_rig_open(memory(), NULL);
    struct weir_session *session = desk_rig_session(rig, false);
    weir_buffer_put_text(weir_session_say(session), "first\n");
    assert_string_equal(desk_rig_answers(session), "first\n");
    desk_rig_ask(session, WEIR_VERB_CHECK, "3/h", "a", 1);
    weir_buffer_put_text(weir_session_say(session), "second\n");
    weir_buffer_put_text(weir_session_say(session), "third\n");
    desk_rig_ask(session, WEIR_VERB_CHECK, "3/h", "a", 1);
    weir_buffer_put_text(weir_session_say(session), "fourth\n");
    assert_string_equal(desk_rig_answers(session), "");
    weir_desk_flush(rig->desk);
    assert_string_equal(desk_rig_answers(session), "+2 \nsecond\nthird\n+1 \nfourth\n");
    weir_session_end(session);
    desk_rig_close(rig);
}

static void an_exchange_that_is_dropped_is_as_if_never_made(void **state)
{
    (void)state;
    struct desk_rig *rig = desk_rig_open(memory(), NULL);
    struct weir_session *session = desk_rig_session(rig, false);
    desk_rig_ask(session, WEIR_VERB_CHECK, "3/h", "a", 1);
    struct weir_exchange *exchange = weir_exchange_new(session);
    assert_int_equal(weir_exchange_ask_limit(exchange, WEIR_VERB_CHECK, desk_rig_limit(rig, "3/h"),
                                             weir_text("a"), 1),
                     WEIR_OK);
    assert_true(weir_exchange_note(exchange, weir_text("remember")));
    assert_memory_equal(exchange->note.ptr, "remember", 8);
    weir_exchange_drop(exchange);
    assert_int_equal(session->owed, 1);
    desk_rig_ask(session, WEIR_VERB_CHECK, "3/h", "a", 1);
    weir_desk_flush(rig->desk);
    assert_string_equal(desk_rig_answers(session), "+2 \n+1 \n");
    weir_session_end(session);
    desk_rig_close(rig);
}

static void many_inquiries_are_one_answer(void **state)
{
    (void)state;
    struct desk_rig *rig = desk_rig_open(memory(), NULL);
    struct weir_session *session = desk_rig_session(rig, false);
    struct weir_exchange *exchange = weir_exchange_new(session);
    char expected[2048] = "";
    /* More than a block of memory has room for, and more than a batch. */
    for (unsigned i = 0; i < 100; i++) {
        char key[32];
        (void)snprintf(key, sizeof(key), "key %u", i % 50);
        assert_int_equal(weir_exchange_ask_limit(exchange, WEIR_VERB_CHECK,
                                                 desk_rig_limit(rig, "3/h"), weir_text(key), 1),
                         WEIR_OK);
        (void)strcat(expected, i < 50 ? "+2 " : "+1 ");
    }
    (void)strcat(expected, "\n");
    weir_exchange_submit(exchange);
    weir_desk_flush(rig->desk);
    assert_string_equal(desk_rig_answers(session), expected);
    weir_session_end(session);
    desk_rig_close(rig);
}

/* A shm: store can't hold a sliding-log: the batch as a whole is refused, the others must not be.
 */
static void one_refusal_is_not_the_others(void **state)
{
    (void)state;
    struct weir *weir = NULL;
    char url[64];
    (void)snprintf(url, sizeof(url), "shm:/dev/shm/weir-desk-test-%ld?size=1MiB", (long)getpid());
    assert_int_equal(weir_open(url, NULL, &weir, NULL), WEIR_OK);
    struct desk_rig *rig = desk_rig_open(weir, NULL);
    struct weir_session *session = desk_rig_session(rig, false);
    desk_rig_ask(session, WEIR_VERB_CHECK, "3/h", "a", 1);
    desk_rig_ask(session, WEIR_VERB_CHECK, "3/h sliding-log", "a", 1);
    desk_rig_ask(session, WEIR_VERB_CHECK, "3/h", "a", 1);
    weir_desk_flush(rig->desk);
    assert_string_equal(desk_rig_answers(session), "+2 \n!0 \n+1 \n");
    weir_session_end(session);
    desk_rig_close(rig);
    url[strcspn(url, "?")] = '\0';
    assert_int_equal(unlink(url + strlen("shm:")), 0);
}

static void a_key_that_is_too_long_is_refused(void **state)
{
    (void)state;
    struct desk_rig *rig = desk_rig_open(memory(), NULL);
    struct weir_session *session = desk_rig_session(rig, false);
    static char key[WEIR_KEY_MAX + 1];
    struct weir_exchange *exchange = weir_exchange_new(session);
    memset(key, 'k', sizeof(key));
    assert_int_equal(weir_exchange_ask_limit(exchange, WEIR_VERB_CHECK, desk_rig_limit(rig, "3/h"),
                                             weir_bytes(key, WEIR_KEY_MAX + 1), 1),
                     WEIR_ERR_KEY_LENGTH);
    assert_int_equal(weir_exchange_ask_limit(exchange, WEIR_VERB_CHECK, desk_rig_limit(rig, "3/h"),
                                             weir_bytes(key, WEIR_KEY_MAX), 1),
                     WEIR_OK);
    weir_exchange_submit(exchange);
    weir_desk_flush(rig->desk);
    assert_string_equal(desk_rig_answers(session), "+2 \n");
    weir_session_end(session);
    desk_rig_close(rig);
}

static void a_pipeline_has_an_end(void **state)
{
    (void)state;
    struct desk_rig *rig = desk_rig_open(memory(), NULL);
    struct weir_session *session = desk_rig_session(rig, false);
    for (uint32_t i = 0; i < rig->config.caps.pipeline; i++) {
        assert_false(weir_session_is_full(session));
        desk_rig_ask(session, WEIR_VERB_CHECK, "3/h", "a", 1);
    }
    assert_true(weir_session_is_full(session));
    weir_desk_flush(rig->desk);
    assert_false(weir_session_is_full(session));
    rig->config.caps.output_bytes = (uint32_t)session->out.len;
    assert_true(weir_session_is_full(session));
    weir_session_end(session);
    desk_rig_close(rig);
}

/* ---- Turns --------------------------------------------------------------------------------- */

/* Far more than a flush may wake one session. */
#define WOKEN_MAX 1000

/* Each session that is woken says something again, as one with a long pipeline does. */
static void wake_and_go_on(void *context, struct weir_session *session)
{
    struct desk_rig *rig = context;
    rig->woken++;
    if (rig->woken < WOKEN_MAX) {
        weir_session_touch(session);
    }
}

static void a_long_pipeline_leaves_others_their_turn(void **state)
{
    (void)state;
    struct desk_rig *rig = desk_rig_open(memory(), NULL);
    struct weir_session *one = desk_rig_session(rig, false);
    rig->desk->options.wake = wake_and_go_on;
    weir_session_touch(one);
    weir_desk_flush(rig->desk);
    assert_in_range(rig->woken, 1, 10);
    assert_int_equal(rig->stirred, 1);
    weir_session_end(one);
    desk_rig_close(rig);
}

/* The first to be woken ends the others. */
static void wake_and_end(void *context, struct weir_session *session)
{
    struct desk_rig *rig = context;
    struct weir_session **sessions = session->owner;
    rig->woken++;
    for (size_t i = 0; i < 3; i++) {
        if (sessions[i] != session) {
            weir_session_end(sessions[i]);
            sessions[i] = NULL;
        }
    }
}

static void who_has_ended_is_not_woken(void **state)
{
    (void)state;
    struct desk_rig *rig = desk_rig_open(memory(), NULL);
    struct weir_session *sessions[3];
    for (size_t i = 0; i < 3; i++) {
        sessions[i] = desk_rig_session(rig, false);
        sessions[i]->owner = (void *)sessions;
        weir_session_touch(sessions[i]);
    }
    rig->desk->options.wake = wake_and_end;
    weir_desk_flush(rig->desk);
    assert_int_equal(rig->woken, 1);
    for (size_t i = 0; i < 3; i++) {
        if (sessions[i] != NULL) {
            weir_session_end(sessions[i]);
        }
    }
    desk_rig_close(rig);
}

/* ---- Held answers -------------------------------------------------------------------------- */

static void a_held_answer_holds_those_behind_it(void **state)
{
    (void)state;
    struct desk_rig *rig = desk_rig_open(memory(), NULL);
    struct weir_session *session = desk_rig_session(rig, true);
    desk_rig_ask(session, WEIR_VERB_CHECK, "10/m leaky-bucket", "a", 1);
    desk_rig_ask(session, WEIR_VERB_CHECK, "10/m leaky-bucket", "a", 1);
    desk_rig_ask(session, WEIR_VERB_CHECK, "10/m", "b", 1);
    weir_desk_flush(rig->desk);
    assert_string_equal(desk_rig_answers(session), "+9 \n");
    assert_int_equal(rig->held_count, 1);
    assert_int_equal(rig->held_us[0], 6000000);
    struct weir_exchange *held = rig->held[0];
    rig->held_count = 0;
    weir_exchange_release(held);
    assert_int_equal(rig->stirred, 1);
    weir_desk_flush(rig->desk);
    assert_string_equal(desk_rig_answers(session), "+8 \n+9 \n");
    weir_session_end(session);
    desk_rig_close(rig);
}

static void a_peer_that_goes_forgets_what_is_held(void **state)
{
    (void)state;
    struct desk_rig *rig = desk_rig_open(memory(), NULL);
    struct weir_session *session = desk_rig_session(rig, true);
    desk_rig_ask(session, WEIR_VERB_CHECK, "10/m leaky-bucket", "a", 2);
    desk_rig_ask(session, WEIR_VERB_CHECK, "10/m leaky-bucket", "a", 2);
    weir_desk_flush(rig->desk);
    assert_int_equal(rig->held_count, 1);
    desk_rig_ask(session, WEIR_VERB_CHECK, "10/m", "a", 1);
    weir_session_end(session);
    assert_int_equal(rig->held_count, 0);
    weir_desk_flush(rig->desk);
    desk_rig_close(rig);
}

/* ---- A store that answers later ------------------------------------------------------------ */

static void answers_wait_for_those_before_them(void **state)
{
    (void)state;
    struct later_store *store = NULL;
    struct desk_rig *rig = desk_rig_open(later_store_open(&store), NULL);
    struct weir_session *session = desk_rig_session(rig, false);
    desk_rig_ask(session, WEIR_VERB_CHECK, "3/h", "a", 1);
    desk_rig_ask(session, WEIR_VERB_CHECK, "3/h", "b", 2);
    weir_desk_flush(rig->desk);
    assert_int_equal(later_store_waiting(store), 2);
    assert_int_equal(rig->desk->in_store, 2);
    later_store_answer(store, 1);
    weir_desk_flush(rig->desk);
    assert_string_equal(desk_rig_answers(session), "");
    later_store_answer(store, 0);
    assert_int_equal(rig->stirred, 2);
    weir_desk_flush(rig->desk);
    assert_string_equal(desk_rig_answers(session), "+2 \n+1 \n");
    weir_session_end(session);
    desk_rig_close(rig);
}

static void what_changes_a_key_is_not_overtaken(void **state)
{
    (void)state;
    struct later_store *store = NULL;
    struct desk_rig *rig = desk_rig_open(later_store_open(&store), NULL);
    struct weir_session *session = desk_rig_session(rig, false);
    struct weir_session *other = desk_rig_session(rig, false);
    desk_rig_ask(session, WEIR_VERB_CHECK, "3/h", "a", 1);
    desk_rig_ask(session, WEIR_VERB_CHECK, "3/h", "a", 1);
    desk_rig_ask(session, WEIR_VERB_RESET, "3/h", "a", 1);
    desk_rig_ask(session, WEIR_VERB_CHECK, "3/h", "a", 1);
    desk_rig_ask(other, WEIR_VERB_RESET, "3/h", "b", 1);
    weir_desk_flush(rig->desk);
    /* Two checks, and the other's reset, which waits for nobody. */
    assert_int_equal(later_store_waiting(store), 3);
    later_store_answer(store, 2);
    later_store_answer(store, 1);
    weir_desk_flush(rig->desk);
    assert_int_equal(later_store_waiting(store), 1);
    later_store_answer(store, 0);
    weir_desk_flush(rig->desk);
    assert_int_equal(later_store_waiting(store), 1); /* the reset, alone */
    later_store_answer(store, 0);
    weir_desk_flush(rig->desk);
    assert_int_equal(later_store_waiting(store), 1);
    later_store_answer(store, 0);
    weir_desk_flush(rig->desk);
    assert_string_equal(desk_rig_answers(session), "+1 \n+2 \n-0 \n+2 \n");
    weir_session_end(session);
    weir_session_end(other);
    desk_rig_close(rig);
}

static void a_peer_that_goes_leaves_its_questions_to_the_store(void **state)
{
    (void)state;
    struct later_store *store = NULL;
    struct desk_rig *rig = desk_rig_open(later_store_open(&store), NULL);
    struct weir_session *session = desk_rig_session(rig, false);
    desk_rig_ask(session, WEIR_VERB_CHECK, "3/h", "a", 1);
    desk_rig_ask(session, WEIR_VERB_REFUND, "3/h", "a", 1);
    desk_rig_ask(session, WEIR_VERB_CHECK, "3/h", "a", 1);
    weir_desk_flush(rig->desk);
    assert_int_equal(later_store_waiting(store), 1);
    weir_session_end(session);
    weir_desk_flush(rig->desk);
    assert_int_equal(later_store_waiting(store), 3);
    struct random random = random_from(1);
    later_store_answer_all(store, &random);
    assert_int_equal(rig->desk->in_store, 0);
    weir_desk_flush(rig->desk);
    desk_rig_close(rig);
}

/* ---- Against asking one by one ------------------------------------------------------------- */

#define SESSIONS 3
#define STEPS 60

/* What a session asked, and what it was told. Checks of one run, between two that change something,
 * may be decided in any order, so that what they are told is compared in the order of the texts. */
struct told {
    bool changes[STEPS];
    char lines[STEPS][16];
    size_t count;
};

static void ask_step(struct random *random, struct weir_session **sessions, struct told *told)
{
    static const enum weir_verb verbs[] = {WEIR_VERB_CHECK, WEIR_VERB_CHECK,  WEIR_VERB_CHECK,
                                           WEIR_VERB_CHECK, WEIR_VERB_REFUND, WEIR_VERB_RESET};
    const size_t s = (size_t)random_below(random, SESSIONS);
    const enum weir_verb verb = verbs[random_below(random, 6)];
    char key[16];
    (void)snprintf(key, sizeof(key), "%zu-%u", s, (unsigned)random_below(random, 2));
    desk_rig_ask(sessions[s], verb, "5/h", key, 1);
    told[s].changes[told[s].count++] = verb != WEIR_VERB_CHECK;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void read_lines(struct weir_session *session, struct told *told)
{
    const char *at = desk_rig_answers(session);
    for (size_t i = 0; i < told->count; i++) {
        const size_t len = strcspn(at, "\n");
        (void)snprintf(told->lines[i], sizeof(told->lines[i]), "%.*s", (int)len, at);
        assert_int_equal(at[len], '\n');
        at += len + 1;
    }
    assert_int_equal(*at, '\0');
    for (size_t from = 0; from < told->count;) {
        size_t to = from;
        while (to < told->count && !told->changes[to]) {
            to++;
        }
        qsort(told->lines[from], to - from, sizeof(told->lines[0]), by_text);
        from = to + 1;
    }
}

/* Makes the steps of `seed`; where `store` is NULL one by one, else as it likes. */
static void run_steps(uint64_t seed, struct desk_rig *rig, struct later_store *store,
                      struct told *ret_told)
{
    struct random random = random_from(seed);
    struct random order = random_from(seed + 1);
    struct weir_session *sessions[SESSIONS];
    memset(ret_told, 0, SESSIONS * sizeof(*ret_told));
    for (size_t s = 0; s < SESSIONS; s++) {
        sessions[s] = desk_rig_session(rig, false);
    }
    for (size_t i = 0; i < STEPS; i++) {
        ask_step(&random, sessions, ret_told);
        if (store == NULL || random_once_in(&order, 4)) {
            weir_desk_flush(rig->desk);
        }
        if (store != NULL && random_once_in(&order, 3) && later_store_waiting(store) > 0) {
            later_store_answer(store, (size_t)random_below(&order, later_store_waiting(store)));
        }
    }
    while (rig->desk->pending != NULL || rig->desk->in_store > 0) {
        weir_desk_flush(rig->desk);
        if (store != NULL) {
            later_store_answer_all(store, &order);
        }
    }
    weir_desk_flush(rig->desk);
    for (size_t s = 0; s < SESSIONS; s++) {
        read_lines(sessions[s], &ret_told[s]);
        weir_session_end(sessions[s]);
    }
}

static void any_order_of_answers_is_as_good(void **state)
{
    (void)state;
    const uint64_t seed = random_seed(20261123);
    for (size_t round = 0; round < random_rounds(100); round++) {
        static struct told plain[SESSIONS];
        static struct told later[SESSIONS];
        struct later_store *store = NULL;
        struct desk_rig *now_rig = desk_rig_open(memory(), NULL);
        struct desk_rig *later_rig = desk_rig_open(later_store_open(&store), NULL);
        run_steps(seed + round * 2, now_rig, NULL, plain);
        run_steps(seed + round * 2, later_rig, store, later);
        assert_memory_equal(plain, later, sizeof(plain));
        desk_rig_close(now_rig);
        desk_rig_close(later_rig);
    }
}

/* ---- Limits that a door has found ---------------------------------------------------------- */

static struct weir_found found(struct desk_rig *rig, const char *limit, const char *key,
                               uint64_t cost)
{
    struct weir_ad_hoc *ad_hoc = desk_rig_limit(rig, limit);
    return (struct weir_found){.limit = ad_hoc->limit,
                               .ad_hoc = ad_hoc,
                               .key = weir_text(key),
                               .cost = cost,
                               .number = rig->desk->ad_hoc_number};
}

static void ask_found(struct weir_session *session, enum weir_verb verb,
                      const struct weir_found *asked, size_t count)
{
    struct weir_exchange *exchange = weir_exchange_new(session);
    assert_int_equal(weir_exchange_ask_found(exchange, verb, asked, count), WEIR_OK);
    weir_exchange_hold_view(exchange);
    weir_exchange_submit(exchange);
}

static void what_a_door_found_is_taken_whole_or_not_at_all(void **state)
{
    (void)state;
    struct desk_rig *rig = desk_rig_open(memory(), NULL);
    struct weir_session *session = desk_rig_session(rig, false);
    const struct weir_found both[] = {found(rig, "5/h", "a", 1), found(rig, "1/h", "b", 1)};
    ask_found(session, WEIR_VERB_CHECK, both, 2);
    const struct weir_found again[] = {found(rig, "5/h", "a", 1), found(rig, "1/h", "b", 1)};
    ask_found(session, WEIR_VERB_CHECK, again, 2);
    const struct weir_found look[] = {found(rig, "5/h", "a", 1)};
    ask_found(session, WEIR_VERB_PEEK, look, 1);
    const struct weir_found back[] = {found(rig, "1/h", "b", 1)};
    ask_found(session, WEIR_VERB_REFUND, back, 1);
    weir_desk_flush(rig->desk);
    assert_string_equal(desk_rig_answers(session), "+4 \n-4 \n+4 \n+1 \n");
    weir_session_end(session);
    desk_rig_close(rig);
}

static void a_found_key_that_is_too_long_is_refused(void **state)
{
    (void)state;
    static const char longest[WEIR_KEY_MAX + 1];
    struct desk_rig *rig = desk_rig_open(memory(), NULL);
    struct weir_session *session = desk_rig_session(rig, false);
    struct weir_exchange *exchange = weir_exchange_new(session);
    struct weir_found asked = found(rig, "5/h", "", 1);
    asked.key = weir_bytes(longest, WEIR_KEY_MAX + 1);
    assert_int_equal(weir_exchange_ask_found(exchange, WEIR_VERB_CHECK, &asked, 1),
                     WEIR_ERR_KEY_LENGTH);
    asked = found(rig, "5/h", "", 1);
    asked.key = weir_bytes(longest, WEIR_KEY_MAX);
    assert_int_equal(weir_exchange_ask_found(exchange, WEIR_VERB_CHECK, &asked, 1), WEIR_OK);
    weir_exchange_submit(exchange);
    weir_desk_flush(rig->desk);
    assert_string_equal(desk_rig_answers(session), "+4 \n");
    weir_session_end(session);
    desk_rig_close(rig);
}

static void an_unordered_session_answers_what_is_decided(void **state)
{
    (void)state;
    struct later_store *store;
    struct desk_rig *rig = desk_rig_open(later_store_open(&store), NULL);
    struct weir_session *session = desk_rig_unordered(rig);
    desk_rig_ask(session, WEIR_VERB_CHECK, "9/h", "a", 1);
    desk_rig_ask(session, WEIR_VERB_CHECK, "9/h", "b", 2);
    desk_rig_ask(session, WEIR_VERB_CHECK, "9/h", "c", 3);
    weir_desk_flush(rig->desk);
    assert_int_equal(later_store_waiting(store), 3);
    later_store_answer(store, 1);
    assert_string_equal(desk_rig_answers(session), "+7 \n");
    later_store_answer(store, 1);
    assert_string_equal(desk_rig_answers(session), "+6 \n");
    assert_int_equal(session->owed, 1);
    desk_rig_ask(session, WEIR_VERB_CHECK, "9/h", "d", 4);
    later_store_answer(store, 0);
    assert_string_equal(desk_rig_answers(session), "+8 \n");
    weir_desk_flush(rig->desk);
    later_store_answer(store, 0);
    assert_string_equal(desk_rig_answers(session), "+5 \n");
    assert_int_equal(session->owed, 0);
    weir_session_end(session);
    desk_rig_close(rig);
}

/* It takes, but neither is anybody told nor is it counted. */
static void what_nobody_is_owed_is_done_all_the_same(void **state)
{
    (void)state;
    struct desk_rig *rig = desk_rig_open(memory(), NULL);
    struct weir_session *session = desk_rig_session(rig, false);
    struct weir_exchange *unowed = weir_exchange_unowed(rig->desk);
    const struct weir_found asked = found(rig, "5/h", "a", 3);
    assert_int_equal(weir_exchange_ask_found(unowed, WEIR_VERB_CHECK, &asked, 1), WEIR_OK);
    weir_exchange_submit(unowed);
    desk_rig_ask(session, WEIR_VERB_CHECK, "5/h", "a", 1);
    weir_desk_flush(rig->desk);
    assert_string_equal(desk_rig_answers(session), "+1 \n");
    struct weir_buffer told = {0};
    const struct weir_metrics_facts facts = {.version = "", .compiler = "", .store = "memory"};
    weir_metrics_tell(rig->metrics, &facts, &told);
    weir_buffer_put(&told, weir_bytes("", 1));
    assert_non_null(strstr(told.bytes, "outcome=\"allowed\"} 1\n"));
    assert_null(strstr(told.bytes, "outcome=\"allowed\"} 2\n"));
    weir_buffer_deinit(&told);
    weir_exchange_discard(weir_exchange_unowed(rig->desk));
    weir_session_end(session);
    desk_rig_close(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_turn_is_answered_in_order),
        cmocka_unit_test(what_is_said_at_once_waits_for_its_turn),
        cmocka_unit_test(an_exchange_that_is_dropped_is_as_if_never_made),
        cmocka_unit_test(many_inquiries_are_one_answer),
        cmocka_unit_test(one_refusal_is_not_the_others),
        cmocka_unit_test(a_key_that_is_too_long_is_refused),
        cmocka_unit_test(a_pipeline_has_an_end),
        cmocka_unit_test(a_long_pipeline_leaves_others_their_turn),
        cmocka_unit_test(who_has_ended_is_not_woken),
        cmocka_unit_test(a_held_answer_holds_those_behind_it),
        cmocka_unit_test(a_peer_that_goes_forgets_what_is_held),
        cmocka_unit_test(answers_wait_for_those_before_them),
        cmocka_unit_test(what_changes_a_key_is_not_overtaken),
        cmocka_unit_test(a_peer_that_goes_leaves_its_questions_to_the_store),
        cmocka_unit_test(any_order_of_answers_is_as_good),
        cmocka_unit_test(what_a_door_found_is_taken_whole_or_not_at_all),
        cmocka_unit_test(a_found_key_that_is_too_long_is_refused),
        cmocka_unit_test(an_unordered_session_answers_what_is_decided),
        cmocka_unit_test(what_nobody_is_owed_is_done_all_the_same),
    };
    return cmocka_run_group_tests_name("desk", tests, NULL, NULL);
}
