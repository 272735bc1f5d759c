/* script_read_test.c - replies that no script of ours would send: each question is answered with a
 * failure or with a decision that makes sense, whatever the bytes. */

#include "redis/script.h"
#include "support/fixture.h"
#include "support/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NOW FIXTURE_NOW

struct fixture {
    struct weir_scripts *scripts;
    struct weir_resp_reader *reader;
    struct weir_limit *limit;
    struct weir_script_question questions[3];
    struct weir_script_call call;
    struct weir_script_answer answers[3];
};

static void open_fixture(struct fixture *fixture, const char *limit, size_t count)
{
    *fixture = (struct fixture){
        .scripts = weir_scripts_new(NULL),
        .reader = weir_resp_reader_new(NULL, NULL),
        .limit = fixture_limit(limit),
    };
    assert_non_null(fixture->scripts);
    assert_non_null(fixture->reader);
    for (size_t i = 0; i < 3; i++) {
        fixture->questions[i] = (struct weir_script_question){
            .limit = fixture->limit, .name = weir_text(i == 1 ? "b" : "a"), .cost = 1};
    }
    fixture->call = (struct weir_script_call){
        .now_us = WEIR_CLOCK, .questions = fixture->questions, .count = count};
}

static void close_fixture(struct fixture *fixture)
{
    weir_scripts_free(fixture->scripts);
    weir_resp_reader_free(fixture->reader);
    weir_limit_free(fixture->limit);
}

/* Reads a reply; false where it is no whole value of RESP. */
static bool read_reply(struct fixture *fixture, struct weir_bytes reply)
{
    size_t used;
    size_t count;
    weir_resp_reader_reset(fixture->reader);
    if (weir_resp_read(fixture->reader, reply, &used) != WEIR_RESP_VALUE) {
        return false;
    }
    const struct weir_resp_value *values = weir_resp_values(fixture->reader, &count);
    if (values[0].type == WEIR_RESP_ERROR) {
        return false;
    }
    weir_script_read(fixture->scripts, &fixture->call, values, count, fixture->answers);
    return true;
}

/* The failure of the first answer. */
static enum weir_failure failure_of(const char *limit, const char *reply)
{
    struct fixture fixture;
    open_fixture(&fixture, limit, 1);
    assert_true(read_reply(&fixture, weir_text(reply)));
    assert_false(fixture.answers[0].again);
    close_fixture(&fixture);
    return fixture.answers[0].failure;
}

#define TIME ":1767225600000000\r\n"

static void replies_of_another_shape_have_no_sense(void **state)
{
    static const char *const replies[] = {
        "+OK\r\n",
        ":1\r\n",
        "$-1\r\n",
        "*0\r\n",
        "*2\r\n$-1\r\n$-1\r\n",
        "*2\r\n*0\r\n" TIME,
        "*2\r\n+x\r\n" TIME,
        "*3\r\n$-1\r\n:1\r\n" TIME,                   /* a record too short */
        "*6\r\n$-1\r\n:1\r\n:1\r\n:1\r\n:1\r\n" TIME, /* one too many */
        "*2\r\n$-1\r\n:-1\r\n",                       /* before all time */
        "*2\r\n$-1\r\n:4503599627370497\r\n",         /* and after */
        "%1\r\n$-1\r\n" TIME,
        "~2\r\n$-1\r\n" TIME,
    };
    (void)state;
    for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
        assert_int_equal(failure_of("5/10s", replies[i]), WEIR_FAILURE_REPLY);
    }
    assert_int_equal(failure_of("5/10s", "*2\r\n$-1\r\n" TIME), WEIR_FAILURE_NONE);
}

static void values_of_another_shape_are_foreign(void **state)
{
    static const char *const replies[][2] = {
        {"5/10s", "*2\r\n:-1\r\n" TIME},
        {"5/10s", "*2\r\n:0\r\n" TIME},
        {"5/10s", "*2\r\n$0\r\n\r\n" TIME},
        {"5/10s", "*2\r\n$12\r\n1 4294967296\r\n" TIME},
        {"5/10s fixed-window", "*2\r\n$3\r\n1 0\r\n" TIME},
        {"5/10s", "*2\r\n$2\r\n1 \r\n" TIME},
        {"5/10s", "*2\r\n$16\r\n9007199254740992\r\n" TIME},
        {"5/10s fixed-window", "*2\r\n$1\r\n1\r\n" TIME},
        {"5/10s fixed-window", "*2\r\n$12\r\n1 4294967296\r\n" TIME},
        {"5/10s sliding-window", "*2\r\n$5\r\n1 0 0\r\n" TIME},
        {"5/10s sliding-window", "*2\r\n$7\r\n1 1 1 1\r\n" TIME},
        {"5/10s block 1s", "*3\r\n$-1\r\n:-1\r\n" TIME},
        {"5/10s block 1s", "*3\r\n$-1\r\n$3\r\n1 1\r\n" TIME},
        {"5/10s sliding-log", "*6\r\n:0\r\n:-1\r\n:0\r\n:0\r\n:0\r\n" TIME},
        {"5/10s sliding-log", "*2\r\n:-1\r\n" TIME},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
        assert_int_equal(failure_of(replies[i][0], replies[i][1]), WEIR_FAILURE_VALUE);
    }
}

/* Records of lists that there can't be. */
static void lists_that_make_no_sense_are_refused(void **state)
{
    static const char *const records[] = {
        ":5\r\n:1767225600000000\r\n:-1\r\n:1767225600000000\r\n",
        ":5\r\n:1767225600000000\r\n:6\r\n:1767225600000000\r\n",
        ":5\r\n:1767225600000000\r\n:0\r\n:0\r\n",
        ":5\r\n:1767225600000000\r\n:0\r\n:9223372036854775807\r\n",
        ":5\r\n:-9223372036854775808\r\n:0\r\n:1767225600000000\r\n",
        ":9223372036854775807\r\n:1767225600000000\r\n:0\r\n:1767225600000000\r\n",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(records) / sizeof(records[0]); i++) {
        char reply[256];
        snprintf(reply, sizeof(reply), "*6\r\n:0\r\n%s" TIME, records[i]);
        assert_int_equal(failure_of("5/10s sliding-log", reply), WEIR_FAILURE_REPLY);
    }
}

static void the_time_alone_says_again(void **state)
{
    (void)state;
    struct fixture fixture;
    open_fixture(&fixture, "5/minute calendar-window", 3);
    fixture.call.guess_us = 0;
    assert_true(read_reply(&fixture, weir_text("*1\r\n" TIME)));
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(fixture.answers[i].failure, WEIR_FAILURE_REPLY);
        assert_true(fixture.answers[i].again);
        assert_int_equal(fixture.answers[i].now_us, NOW);
    }
    /* But not where the time was supplied, as then it can't be. */
    fixture.call.now_us = NOW;
    assert_true(read_reply(&fixture, weir_text("*1\r\n" TIME)));
    assert_false(fixture.answers[0].again);
    assert_int_equal(fixture.answers[0].failure, WEIR_FAILURE_REPLY);
    /* Nor is a time that was not asked for one. */
    assert_true(read_reply(&fixture, weir_text("*3\r\n$-1\r\n$-1\r\n:1\r\n")));
    assert_int_equal(fixture.answers[0].failure, WEIR_FAILURE_REPLY);
    close_fixture(&fixture);
}

/* ---- Any bytes ---- */

static void expect_sense(const struct weir_script_answer *answer)
{
    const struct weir_decision *decision = &answer->decision;
    assert_true(answer->failure == WEIR_FAILURE_NONE || answer->failure == WEIR_FAILURE_VALUE ||
                answer->failure == WEIR_FAILURE_REPLY);
    if (answer->failure != WEIR_FAILURE_NONE) {
        assert_false(decision->allowed);
        return;
    }
    assert_true(decision->remaining <= decision->limit);
    assert_true(decision->retry_after_us >= 0 && decision->reset_after_us >= 0);
    assert_true(decision->allowed == (decision->retry_after_us == 0));
}

static void any_bytes_make_sense_or_fail(void **state)
{
    static const char *const seeds[][2] = {
        {"5/10s", "*3\r\n$16\r\n1767225601000000\r\n$18\r\n1767225601000000 7\r\n" TIME},
        {"999983/s block 1s", "*5\r\n$18\r\n1767225601000000 7\r\n$-1\r\n$16\r\n1767225600900000"
                              "\r\n$-1\r\n" TIME},
        {"5/10s fixed-window", "*3\r\n$18\r\n1767225601000000 5\r\n$-1\r\n" TIME},
        {"5/month calendar-window", "*3\r\n$18\r\n1769904000000000 5\r\n$-1\r\n" TIME},
        {"5/10s sliding-window", "*3\r\n$20\r\n1767225610000000 5 5\r\n$-1\r\n" TIME},
        {"5/10s sliding-log", "*15\r\n:0\r\n:0\r\n:5\r\n:1767225599000000\r\n:0\r\n"
                              ":1767225599000000\r\n:0\r\n:0\r\n:0\r\n:0\r\n:5\r\n"
                              ":1767225599000000\r\n:3\r\n:1767225599000000\r\n" TIME},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(seeds) / sizeof(seeds[0]); i++) {
        struct random random = random_from(random_seed(1) + i);
        struct fixture fixture;
        open_fixture(&fixture, seeds[i][0], 3);
        assert_true(read_reply(&fixture, weir_text(seeds[i][1])));
        for (size_t j = 0; j < 3; j++) {
            assert_int_equal(fixture.answers[j].failure, WEIR_FAILURE_NONE);
        }
        const size_t rounds = random_rounds(30000);
        size_t whole = 0;
        for (size_t round = 0; round < rounds; round++) {
            char text[256];
            const size_t len = strlen(seeds[i][1]);
            memcpy(text, seeds[i][1], len);
            for (uint64_t changes = 1 + random_below(&random, 3); changes > 0; changes--) {
                static const char bytes[] = "0123456789 -:$*\r\n_+";
                text[random_below(&random, len)] = bytes[random_below(&random, sizeof(bytes) - 1)];
            }
            fixture.call.verb = (enum weir_verb)random_below(&random, 5);
            fixture.call.together =
                fixture.call.verb == WEIR_VERB_CHECK && random_once_in(&random, 2);
            if (read_reply(&fixture, weir_bytes(text, len))) {
                whole++;
                for (size_t j = 0; j < 3 && fixture.call.verb != WEIR_VERB_RESET; j++) {
                    expect_sense(&fixture.answers[j]);
                }
            }
        }
        /* Enough of it was something to be read, or this has shown nothing. */
        assert_true(whole > rounds / 10);
        close_fixture(&fixture);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replies_of_another_shape_have_no_sense),
        cmocka_unit_test(values_of_another_shape_are_foreign),
        cmocka_unit_test(lists_that_make_no_sense_are_refused),
        cmocka_unit_test(the_time_alone_says_again),
        cmocka_unit_test(any_bytes_make_sense_or_fail),
    };
    return cmocka_run_group_tests_name("script_read", tests, NULL, NULL);
}
