/* script_reply_fuzz.c - any bytes as a script's reply.
 *
 * Whatever a server says, each question is answered: by a failure, or by a decision whose numbers
 * belong together. The first byte says under which limit, the second what was asked. */

#include "redis/script.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#define QUESTIONS 4
#define NOW INT64_C(1767225600000000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const texts[] = {
    "5/10s",
    "999983/s burst 7 block 1s",
    "7/m leaky-bucket",
    "5/10s fixed-window",
    "5/month calendar-window block 1h",
    "5/10s sliding-window",
    "5/10s sliding-log",
    "9/10s sliding-log block 1s",
};
#define LIMITS (sizeof(texts) / sizeof(texts[0]))

/* Made once: they are the same for every input. */
struct made {
    struct weir_scripts *scripts;
    struct weir_resp_reader *reader;
    struct weir_limit *limits[LIMITS];
};

static const struct made *make(void)
{
    static struct made made;
    if (made.scripts == NULL) {
        made.scripts = weir_scripts_new(NULL);
        made.reader = weir_resp_reader_new(NULL, NULL);
        assert(made.scripts != NULL && made.reader != NULL);
        for (size_t i = 0; i < LIMITS; i++) {
            const enum weir_status status =
                weir_limit_parse(weir_text(texts[i]), NULL, &made.limits[i], NULL);
            assert(status == WEIR_OK);
            (void)status;
        }
    }
    return &made;
}

static void expect_sense(const struct weir_script_answer *answer)
{
    const struct weir_decision *decision = &answer->decision;
    assert(!answer->again || answer->failure == WEIR_FAILURE_REPLY);
    if (answer->failure != WEIR_FAILURE_NONE) {
        assert(answer->failure == WEIR_FAILURE_VALUE || answer->failure == WEIR_FAILURE_REPLY);
        assert(!decision->allowed);
        return;
    }
    assert(decision->source == WEIR_SOURCE_REDIS);
    assert(decision->remaining <= decision->limit);
    assert(decision->retry_after_us >= 0 && decision->reset_after_us >= 0);
    assert(decision->delay_us >= 0);
    assert(decision->allowed == (decision->retry_after_us == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct made *made = make();
    if (size < 2) {
        return 0;
    }
    const uint8_t asked = data[1];
    struct weir_script_question questions[QUESTIONS];
    for (size_t i = 0; i < QUESTIONS; i++) {
        /* Together: two groups, of which the first has other limits, too. */
        const size_t other = (asked & 0x80) != 0 && i == 1 ? 1 : 0;
        questions[i] = (struct weir_script_question){
            .limit = made->limits[(data[0] + other) % LIMITS],
            .name = weir_text(i == 1 ? "b" : "a"),
            .cost = 1 + (asked >> 3 & 1) * i * 3,
            .look = i == 2,
            .group = (uint16_t)(i / 2),
        };
    }
    const struct weir_script_call call = {
        .verb = (asked & 0x80) != 0 ? WEIR_VERB_CHECK : (enum weir_verb)(asked % 5),
        .together = (asked & 0x80) != 0,
        .now_us = (asked & 0x40) != 0 ? NOW : WEIR_CLOCK,
        .guess_us = NOW,
        .questions = questions,
        .count = 1 + (asked >> 4 & 3),
    };
    size_t used;
    size_t count;
    weir_resp_reader_reset(made->reader);
    if (weir_resp_read(made->reader, weir_bytes(data + 2, size - 2), &used) == WEIR_RESP_VALUE) {
        struct weir_script_answer answers[QUESTIONS];
        const struct weir_resp_value *values = weir_resp_values(made->reader, &count);
        weir_script_read(made->scripts, &call, values, count, answers);
        for (size_t i = 0; i < call.count && call.verb != WEIR_VERB_RESET; i++) {
            expect_sense(&answers[i]);
        }
    }
    return 0;
}
