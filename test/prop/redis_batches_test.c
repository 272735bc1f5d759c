/* redis_batches_test.c - many questions in one script call, against a store in memory: the same
 * answers, whatever shares a call, however often a key comes up in it, and whichever groups must
 * pass together; and calls by the server's own clock, against the model at the times it answers.
 *
 * WEIR_TRACES and WEIR_SEED as in traces_test.c. */

#include "prop/vector.h"
#include "support/fixture.h"
#include "support/redis_link.h"
#include "support/rig.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define QUESTIONS WEIR_SCRIPT_QUESTIONS_MAX

/* One server and one table, that are asked the same. */
struct pair {
    struct rig_redis *server;
    struct redis_link *link;
    struct weir *memory;
};

/* What is asked in one call. */
struct batch {
    enum weir_verb verb;
    bool together;
    int64_t now_us;
    size_t count;
    struct weir_request requests[QUESTIONS];
    uint16_t groups[QUESTIONS];
};

static int open_pair(void **state)
{
    static struct pair pair;
    pair.server = rig_redis_start(NULL);
    pair.link = redis_link_open(rig_redis_port(pair.server), 2);
    pair.memory = fixture_open("memory:?size=1MiB");
    *state = &pair;
    return 0;
}

static int close_pair(void **state)
{
    struct pair *pair = *state;
    (void)redis_link_count_keys(pair->link);
    redis_link_close(pair->link);
    weir_close(pair->memory);
    rig_redis_stop(pair->server);
    return 0;
}

static void ask_redis(const struct pair *pair, const struct batch *batch,
                      struct weir_script_answer *answers)
{
    static char names[QUESTIONS][WEIR_REDIS_NAME_MAX];
    struct weir_script_question questions[QUESTIONS];
    for (size_t i = 0; i < batch->count; i++) {
        const struct weir_request *request = &batch->requests[i];
        const struct weir_bytes name = redis_link_name(pair->link, request->limit, request->key);
        memcpy(names[i], name.ptr, name.len);
        questions[i] = (struct weir_script_question){
            .limit = request->limit,
            .name = weir_bytes(names[i], name.len),
            .cost = request->cost > 0 || batch->verb == WEIR_VERB_REFUND ? request->cost : 1,
            .look = request->cost == 0,
            .group = batch->groups[i],
        };
    }
    const struct weir_script_call call = {
        .verb = batch->verb,
        .together = batch->together,
        .now_us = batch->now_us,
        .questions = questions,
        .count = batch->count,
    };
    redis_link_call(pair->link, &call, answers);
}

static void done(struct weir_call *call)
{
    assert_int_equal(call->status, WEIR_OK);
}

static void ask_memory(const struct pair *pair, const struct batch *batch,
                       struct weir_decision *decisions)
{
    for (size_t i = 0; i < batch->count;) {
        size_t end = batch->together ? i + 1 : batch->count;
        while (end < batch->count && batch->groups[end] == batch->groups[i]) {
            end++;
        }
        struct weir_call call = {
            .verb = batch->verb,
            .together = batch->together,
            .requests = &batch->requests[i],
            .count = end - i,
            .now_us = batch->now_us,
            .decisions = &decisions[i],
            .done = done,
        };
        weir_submit(pair->memory, &call);
        i = end;
    }
}

static void run(const struct pair *pair, const struct batch *batch, uint64_t seed)
{
    struct weir_script_answer answers[QUESTIONS];
    struct weir_decision decisions[QUESTIONS] = {{0}};
    ask_redis(pair, batch, answers);
    ask_memory(pair, batch, decisions);
    for (size_t i = 0; i < batch->count; i++) {
        if (answers[i].failure != WEIR_FAILURE_NONE ||
            (batch->verb != WEIR_VERB_RESET &&
             !decision_same(&answers[i].decision, &decisions[i]))) {
            char text[WEIR_TEXT_MAX];
            assert_int_equal(weir_limit_format(batch->requests[i].limit, text, sizeof(text), NULL),
                             WEIR_OK);
            print_error("WEIR_SEED=%" PRIu64 ": question %zu of %zu, verb %d, together %d, cost "
                        "%" PRIu64 " under '%s' at %" PRId64 "\n",
                        seed, i, batch->count, batch->verb, batch->together,
                        batch->requests[i].cost, text, batch->now_us);
            assert_int_equal(answers[i].failure, WEIR_FAILURE_NONE);
            fail_msg("another answer than that of the table");
        }
    }
}

/* ---- What is asked ---- */

#define KEYS 6
static const char *const keys[KEYS] = {"a", "b", "c", "d", "", "a b:{c}%"};

/* Limits of one name are one limit, edited. */
static const struct {
    const char *text;
    const char *name;
} texts[] = {
    {"5/10s", "one"},
    {"7/9s burst 3", "one"},
    {"3/1s leaky-bucket burst 8", "two"},
    {"6/5s fixed-window", "three"},
    {"4/3s fixed-window block 4s", "three"},
    {"9/minute calendar-window", "four"},
    {"7/4s calendar-window epoch", "four"},
    {"8/4s sliding-window", "five"},
    {"8/5s sliding-window block 1s", "five"},
    {"7/6s sliding-log", "six"},
    {"5/8s sliding-log block 2s", "six"},
    {"999983/1s burst 5 block 1500ms", "seven"},
};
#define LIMITS (sizeof(texts) / sizeof(texts[0]))

static void make_limits(struct weir_limit **limits)
{
    for (size_t i = 0; i < LIMITS; i++) {
        const struct weir_limit_options options = {
            .size = sizeof(options),
            .name = weir_text(texts[i].name),
        };
        assert_int_equal(weir_limit_parse(weir_text(texts[i].text), &options, &limits[i], NULL),
                         WEIR_OK);
    }
}

static void free_limits(struct weir_limit **limits)
{
    for (size_t i = 0; i < LIMITS; i++) {
        weir_limit_free(limits[i]);
    }
}

static uint64_t random_cost(struct random *random)
{
    return random_once_in(random, 8)    ? 0
           : random_once_in(random, 20) ? UINT64_MAX
           : random_once_in(random, 3)  ? 1 + random_below(random, 9)
                                        : 1;
}

/* The clock goes on, stands still, or is set back, by little or by much. */
static int64_t random_time(struct random *random, int64_t now_us)
{
    switch (random_below(random, 8)) {
    case 0:
        return now_us - random_between(random, 0, 1200000);
    case 1:
        return now_us - random_between(random, 0, 30000000);
    case 2:
    case 3:
        return now_us;
    default:
        return now_us + random_between(random, 0, 5000000);
    }
}

static void random_each(struct random *random, struct weir_limit **limits, struct batch *batch)
{
    static const enum weir_verb verbs[] = {WEIR_VERB_CHECK,  WEIR_VERB_CHECK, WEIR_VERB_CHECK,
                                           WEIR_VERB_CHECK,  WEIR_VERB_PEEK,  WEIR_VERB_MEND,
                                           WEIR_VERB_REFUND, WEIR_VERB_RESET};
    const struct weir_limit *limit = limits[random_below(random, LIMITS)];
    const bool simple = random_once_in(random, 3);
    batch->together = false;
    batch->verb = verbs[random_below(random, sizeof(verbs) / sizeof(verbs[0]))];
    batch->count = 1 + random_below(random, random_once_in(random, 4) ? QUESTIONS : 8);
    for (size_t i = 0; i < batch->count; i++) {
        uint64_t cost = simple ? 1 : random_cost(random);
        /* In a call of one verb there are no looks among checks. */
        if (cost == 0 && batch->verb != WEIR_VERB_REFUND) {
            cost = 1;
        }
        batch->requests[i] =
            (struct weir_request){limit, weir_text(keys[random_below(random, KEYS)]), cost};
        batch->groups[i] = 0;
    }
}

/* The other limit of the same name, where there is one. */
static size_t partner(size_t limit)
{
    for (size_t i = 0; i < LIMITS; i++) {
        if (i != limit && strcmp(texts[i].name, texts[limit].name) == 0) {
            return i;
        }
    }
    return limit;
}

static void random_together(struct random *random, struct weir_limit **limits, struct batch *batch)
{
    batch->together = true;
    batch->verb = WEIR_VERB_CHECK;
    batch->count = 1 + random_below(random, random_once_in(random, 4) ? QUESTIONS : 10);
    uint16_t group = 0;
    size_t from = 0;
    for (size_t i = 0; i < batch->count; i++) {
        if (i > 0 && random_once_in(random, 4)) {
            group++;
            from = i;
        }
        size_t limit = random_below(random, LIMITS);
        /* Two limits of one name in one group would share a state: take the one that is there. */
        const size_t other = partner(limit);
        for (size_t j = from; j < i; j++) {
            limit = batch->requests[j].limit == limits[other] ? other : limit;
        }
        batch->requests[i] = (struct weir_request){
            limits[limit], weir_text(keys[random_below(random, KEYS)]), random_cost(random)};
        batch->groups[i] = group;
    }
}

static void search(const struct pair *pair, bool together)
{
    struct weir_limit *limits[LIMITS];
    make_limits(limits);
    const uint64_t first = random_seed(1);
    const size_t rounds = random_rounds(150);
    struct batch batch;
    for (uint64_t seed = first; seed < first + rounds; seed++) {
        struct random random = random_from(seed);
        batch.now_us = FIXTURE_NOW + (int64_t)seed * INT64_C(1000000000);
        for (size_t step = 0; step < 40; step++) {
            batch.now_us = random_time(&random, batch.now_us);
            if (together && !random_once_in(&random, 3)) {
                random_together(&random, limits, &batch);
            } else {
                random_each(&random, limits, &batch);
            }
            run(pair, &batch, seed);
        }
    }
    free_limits(limits);
}

static void each_by_itself(void **state)
{
    search(*state, false);
}

static void in_groups(void **state)
{
    search(*state, true);
}

/* ---- By the server's clock ---- */

/* Asks the model what the server's answer, made at answer->now_us, should be. */
static void compare(void *model, const struct trace_step *step,
                    const struct weir_script_answer *answer, const char *limit)
{
    struct trace_step own = *step;
    struct weir_decision expected = {0};
    own.now_us = answer->now_us;
    subject_step(&subject_model, model, &own, &expected);
    assert_int_equal(answer->failure, WEIR_FAILURE_NONE);
    if (!decision_same(&expected, &answer->decision)) {
        fprintf(stderr, "# '%s' at %" PRId64 ", verb %d, cost %" PRIu64 ": expected ", limit,
                own.now_us, own.verb, own.cost);
        vector_write_verdict(stderr, &expected);
        fprintf(stderr, ", is ");
        vector_write_verdict(stderr, &answer->decision);
        fprintf(stderr, "\n");
        fail_msg("another answer than the model's");
    }
}

#define CLOCK_KEYS 4

/* One key of each model, some of them in each call. */
struct clocked {
    struct weir_limit *limit;
    const char *text;
    void *models[CLOCK_KEYS];
    char names[CLOCK_KEYS][256];
    size_t lengths[CLOCK_KEYS];
    int64_t latest_us; /* the last time that the server told; 0: none */
};

static void open_clocked(const struct pair *pair, const char *text, struct clocked *clocked)
{
    struct weir_limit_spec spec;
    *clocked = (struct clocked){.limit = fixture_limit(text), .text = text};
    weir_limit_describe(clocked->limit, &spec);
    for (size_t i = 0; i < CLOCK_KEYS; i++) {
        char key[64];
        snprintf(key, sizeof(key), "%s %zu", text, i);
        const struct weir_bytes name = redis_link_name(pair->link, clocked->limit, weir_text(key));
        memcpy(clocked->names[i], name.ptr, name.len);
        clocked->lengths[i] = name.len;
        clocked->models[i] = subject_model.open();
        subject_model.limit(clocked->models[i], &spec);
    }
}

static void close_clocked(struct clocked *clocked)
{
    for (size_t i = 0; i < CLOCK_KEYS; i++) {
        subject_model.close(clocked->models[i]);
    }
    weir_limit_free(clocked->limit);
}

/* Asks about `count` keys from `first` on; false where the server's time was not known yet. */
static bool ask_clocked(const struct pair *pair, struct clocked *clocked,
                        const struct trace_step *step, size_t first, size_t count)
{
    static const enum weir_verb verbs[] = {WEIR_VERB_CHECK, WEIR_VERB_PEEK, WEIR_VERB_REFUND};
    struct weir_script_question questions[CLOCK_KEYS];
    struct weir_script_answer answers[CLOCK_KEYS];
    for (size_t i = 0; i < count; i++) {
        const size_t key = (first + i) % CLOCK_KEYS;
        questions[i] = (struct weir_script_question){
            .limit = clocked->limit,
            .name = weir_bytes(clocked->names[key], clocked->lengths[key]),
            .cost = step->cost,
        };
    }
    const struct weir_script_call call = {
        .verb = verbs[step->verb],
        .now_us = WEIR_CLOCK,
        .guess_us = clocked->latest_us > 0 ? clocked->latest_us : FIXTURE_NOW,
        .questions = questions,
        .count = count,
    };
    redis_link_call(pair->link, &call, answers);
    clocked->latest_us = answers[0].now_us;
    if (answers[0].again) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        compare(clocked->models[(first + i) % CLOCK_KEYS], step, &answers[i], clocked->text);
    }
    return true;
}

static void by_its_own_clock(const struct pair *pair, const char *text, struct random *random)
{
    struct clocked clocked;
    open_clocked(pair, text, &clocked);
    for (size_t i = random_rounds(300); i > 0;) {
        static const enum trace_verb seldom[] = {TRACE_PEEK, TRACE_REFUND};
        const enum trace_verb verb =
            random_once_in(random, 4) ? seldom[random_below(random, 2)] : TRACE_CHECK;
        const uint64_t cost = random_once_in(random, 2) ? 1 : 1 + random_below(random, 4);
        const struct trace_step step = {.verb = verb, .cost = cost};
        const size_t first = random_below(random, CLOCK_KEYS);
        const size_t count = 1 + random_below(random, CLOCK_KEYS);
        i -= ask_clocked(pair, &clocked, &step, first, count) ? 1 : 0;
        if (random_once_in(random, 4)) {
            usleep((useconds_t)random_below(random, 4000));
        }
    }
    close_clocked(&clocked);
}

static void at_the_time_the_server_answers(void **state)
{
    static const char *const limits[] = {
        "5/20ms",
        "100/s burst 3",
        "2000/s burst 40",
        "20/s burst 5",
        "999983/s burst 7",
        "4/10ms leaky-bucket burst 6",
        "3/10ms fixed-window",
        "9/30ms fixed-window",
        "4/10ms calendar-window epoch",
        "9/30ms calendar-window epoch",
        "5/15ms calendar-window epoch block 12ms",
        "5/15ms fixed-window block 12ms",
        "20/minute calendar-window",
        "5/12ms sliding-window",
        "5/12ms sliding-log",
        "4/20ms sliding-log block 7ms",
    };
    const uint64_t seed = random_seed(1);
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        struct random random = random_from(seed + i);
        by_its_own_clock(*state, limits[i], &random);
    }
}

/* The same keys under another limit from here on. */
static void edit_clocked(struct clocked *clocked, const char *text)
{
    struct weir_limit_spec spec;
    weir_limit_free(clocked->limit);
    clocked->limit = fixture_limit(text);
    clocked->text = text;
    weir_limit_describe(clocked->limit, &spec);
    for (size_t i = 0; i < CLOCK_KEYS; i++) {
        subject_model.limit(clocked->models[i], &spec);
    }
}

/* A smaller count, a shorter window, and back: what is kept is more, or ends later, than the limit
 * could make it. */
static void edited_while_the_servers_clock_goes_on(void **state)
{
    static const char *const edits[][2] = {
        {"9/h fixed-window", "4/h fixed-window"},
        {"9/h fixed-window", "9/20ms fixed-window"},
        {"9/20s fixed-window", "9/19500ms fixed-window"},
        {"9/10d calendar-window epoch", "4/10d calendar-window epoch"},
        {"9/10d calendar-window epoch", "9/20ms calendar-window epoch"},
        {"9/30ms calendar-window epoch", "9/20ms calendar-window epoch"},
        {"9/s", "4/s"},
        {"9/h", "9/20ms"},
    };
    const struct pair *pair = *state;
    for (size_t i = 0; i < sizeof(edits) / sizeof(edits[0]); i++) {
        struct random random = random_from(random_seed(1) + i);
        struct clocked clocked;
        (void)REDIS_NUMBER(pair->link, "FLUSHALL");
        open_clocked(pair, edits[i][0], &clocked);
        for (size_t step = 0; step < 120; step++) {
            const struct trace_step check = {.verb = TRACE_CHECK, .cost = 1};
            if (step % 6 == 5) {
                edit_clocked(&clocked, edits[i][step / 6 % 2 == 0 ? 1 : 0]);
            }
            assert_true(ask_clocked(pair, &clocked, &check, 0, CLOCK_KEYS));
            usleep((useconds_t)random_below(&random, 2000));
        }
        close_clocked(&clocked);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_by_itself, open_pair, close_pair),
        cmocka_unit_test_setup_teardown(in_groups, open_pair, close_pair),
        cmocka_unit_test_setup_teardown(at_the_time_the_server_answers, open_pair, close_pair),
        cmocka_unit_test_setup_teardown(edited_while_the_servers_clock_goes_on, open_pair,
                                        close_pair),
    };
    return cmocka_run_group_tests_name("redis_batches", tests, NULL, NULL);
}
