/* script_values_test.c - what the scripts do with what is, or is to be, kept in a real server:
 * values that are none of ours are found, told, and left alone; every key of ours expires, when it
 * is as if never used; and what a user of the server has to be allowed. */

#include "support/fixture.h"
#include "support/redis_link.h"
#include "support/rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct place {
    struct rig_redis *server;
    struct redis_link *link;
};

static int open_place(void **state)
{
    static struct place place;
    place.server = rig_redis_start(NULL);
    place.link = redis_link_open(rig_redis_port(place.server), 3);
    *state = &place;
    return 0;
}

static int close_place(void **state)
{
    struct place *place = *state;
    redis_link_close(place->link);
    rig_redis_stop(place->server);
    return 0;
}

/* One for each algorithm, with a block and without. */
static const char *const limits[] = {
    "5/10s",
    "5/10s block 1s",
    "5/10s leaky-bucket",
    "600/m burst 100",
    "5/10s fixed-window",
    "5/10s fixed-window block 1s",
    "5/day calendar-window",
    "5/10s calendar-window epoch",
    "5/10s sliding-window",
    "5/10s sliding-window block 1s",
    "5/10s sliding-log",
    "5/10s sliding-log block 1s",
};
#define LIMITS (sizeof(limits) / sizeof(limits[0]))

static int64_t server_time(const struct place *place)
{
    return REDIS_NUMBER(place->link, "EVAL",
                        "local t = redis.call('TIME') return t[1] * 1000000 + t[2]", "0");
}

/* The name of `key` under `limit`, as a string that lasts until the next call with this `buffer`.
 */
static const char *name_in(const struct place *place, const struct weir_limit *limit,
                           const char *key, char *buffer)
{
    const struct weir_bytes name = redis_link_name(place->link, limit, weir_text(key));
    memcpy(buffer, name.ptr, name.len);
    buffer[name.len] = '\0';
    return buffer;
}

/* ---- Values of others ---- */

/* Makes a key that is none of ours. NAME in the words stands for the key. */
static const char *const foreign[][6] = {
    {"RPUSH", "NAME", "something"},
    {"HSET", "NAME", "field", "1"},
    {"SADD", "NAME", "1"},
    {"ZADD", "NAME", "1", "a"},
    {"XADD", "NAME", "*", "field", "1"},
    {"SET", "NAME", ""},
    {"SET", "NAME", "a"},
    {"SET", "NAME", "-1"},
    {"SET", "NAME", "0x7000000000000"},
    {"SET", "NAME", "9e15"},
    {"SET", "NAME", "1e300"},
    {"SET", "NAME", "nan"},
    {"SET", "NAME", "inf"},
    {"SET", "NAME", "1.5"},
    {"SET", "NAME", " 7000000000000000"},
    {"SET", "NAME", "7000000000000000 "},
    {"SET", "NAME", "7000000000000000\n"},
    {"SET", "NAME", "07000000000000000"},
    {"SET", "NAME", "0700000000000000"},
    {"SET", "NAME", "9007199254740993"},
    {"SET", "NAME", "99999999999999999999"},
    {"SET", "NAME", "7000000000000000  1"},
    {"SET", "NAME", "7000000000000000 01"},
    {"SET", "NAME", "7000000000000000 -1"},
    {"SET", "NAME", "7000000000000000 4294967296"},
    {"SET", "NAME", "7000000000000000 1 1 1"},
    {"SET", "NAME", "7000000000000000 2097152 0"},
    {"SET", "NAME", "7000000000000000 0 2097152"},
    {"SET", "NAME", "7000000000000000 0 0"},
    /* Ours would have expired, or would be going to. */
    {"SET", "NAME", "5"},
    {"SET", "NAME", "5 1"},
    {"SET", "NAME", "5 1 1"},
    {"SET", "NAME", "0"},
};
#define FOREIGN (sizeof(foreign) / sizeof(foreign[0]))

/* Sixteen bytes that any reader of numbers takes for a time a little ahead, and yet none that we
 * write. */
static void put_near_time(const struct place *place, bool hexadecimal, const char *name)
{
    const long long time_us = server_time(place) + 1000000;
    char text[32];
    if (hexadecimal) {
        snprintf(text, sizeof(text), "0x%014llx", (unsigned long long)time_us);
    } else {
        snprintf(text, sizeof(text), "%lldE2", time_us / 100);
    }
    assert_int_equal(strlen(text), 16);
    (void)REDIS_NUMBER(place->link, "SET", name, text);
}

static void put_foreign(const struct place *place, size_t which, const char *name)
{
    const char *words[6];
    size_t count = 0;
    for (; count < 6 && foreign[which][count] != NULL; count++) {
        const char *word = foreign[which][count];
        words[count] = strcmp(word, "NAME") == 0 ? name : word;
    }
    (void)redis_link_number(place->link, words, count);
}

/* All that is kept under a name, as a checksum. */
static int64_t checksum(const struct place *place, const char *name)
{
    static const char script[] =
        "local d = redis.call('DUMP', KEYS[1]) if not d then return 0 end "
        "return tonumber(string.sub(redis.sha1hex(d .. redis.call('PTTL', KEYS[1])), 1, 12), 16)";
    return REDIS_NUMBER(place->link, "EVAL", script, "1", name);
}

static const enum weir_verb verbs[] = {WEIR_VERB_CHECK, WEIR_VERB_PEEK, WEIR_VERB_MEND,
                                       WEIR_VERB_REFUND, WEIR_VERB_RESET};

/* Asks about the key `name`, and in the same call about `other`: only the first fails. */
static void expect_failure(const struct place *place, const struct weir_limit *limit,
                           const char *name, const char *other, enum weir_verb verb, int64_t now_us)
{
    const int64_t before = checksum(place, name);
    const struct weir_script_question questions[] = {
        {.limit = limit, .name = weir_text(other), .cost = 1},
        {.limit = limit, .name = weir_text(name), .cost = 1},
        {.limit = limit, .name = weir_text(other), .cost = 1},
    };
    const struct weir_script_call call = {
        .verb = verb,
        .now_us = now_us,
        .guess_us = server_time(place),
        .questions = questions,
        .count = 3,
    };
    struct weir_script_answer answers[3];
    redis_link_call(place->link, &call, answers);
    assert_int_equal(answers[0].failure, WEIR_FAILURE_NONE);
    assert_int_equal(answers[1].failure, WEIR_FAILURE_VALUE);
    assert_false(answers[1].decision.allowed);
    assert_int_equal(answers[2].failure, WEIR_FAILURE_NONE);
    if (verb == WEIR_VERB_CHECK) {
        assert_int_equal(answers[2].decision.remaining + 1, answers[0].decision.remaining);
    }
    assert_int_equal(checksum(place, name), before);
}

/* The same without a key that comes again, which is another way through the script. */
static void expect_lone_failure(const struct place *place, const struct weir_limit *limit,
                                const char *name, const char *other, int64_t now_us)
{
    const int64_t before = checksum(place, name);
    const struct weir_script_question questions[] = {
        {.limit = limit, .name = weir_text(name), .cost = 1},
        {.limit = limit, .name = weir_text(other), .cost = 1},
    };
    const struct weir_script_call call = {
        .now_us = now_us,
        .guess_us = server_time(place),
        .questions = questions,
        .count = 2,
    };
    struct weir_script_answer answers[2];
    redis_link_call(place->link, &call, answers);
    assert_int_equal(answers[0].failure, WEIR_FAILURE_VALUE);
    assert_int_equal(answers[1].failure, WEIR_FAILURE_NONE);
    assert_true(answers[1].decision.allowed);
    assert_int_equal(checksum(place, name), before);
}

/* A group that the key is in takes nothing, one that it is not in does. */
static void expect_group_failure(const struct place *place, const struct weir_limit *limit,
                                 const char *name, const char *other, int64_t now_us)
{
    const int64_t before = checksum(place, name);
    const struct weir_script_question questions[] = {
        {.limit = limit, .name = weir_text(other), .cost = 1, .group = 0},
        {.limit = limit, .name = weir_text(other), .cost = 1, .group = 1},
        {.limit = limit, .name = weir_text(name), .cost = 1, .group = 1},
        {.limit = limit, .name = weir_text(other), .cost = 1, .group = 2},
    };
    const struct weir_script_call call = {
        .together = true,
        .now_us = now_us,
        .guess_us = server_time(place),
        .questions = questions,
        .count = 4,
    };
    struct weir_script_answer answers[4];
    redis_link_call(place->link, &call, answers);
    assert_int_equal(answers[0].failure, WEIR_FAILURE_NONE);
    assert_int_equal(answers[1].failure, WEIR_FAILURE_VALUE);
    assert_int_equal(answers[2].failure, WEIR_FAILURE_VALUE);
    assert_int_equal(answers[3].failure, WEIR_FAILURE_NONE);
    assert_int_equal(answers[3].decision.remaining + 1, answers[0].decision.remaining);
    assert_int_equal(checksum(place, name), before);
}

/* Whether the value could be this algorithm's own, were it not for others' form. */
static bool fits(const struct weir_limit *limit, size_t which)
{
    struct weir_limit_spec spec;
    weir_limit_describe(limit, &spec);
    return spec.algorithm == WEIR_SLIDING_LOG && strcmp(foreign[which][0], "RPUSH") == 0 &&
           strcmp(foreign[which][2], "something") != 0;
}

static void try_foreign(const struct place *place, const struct weir_limit *limit, size_t which,
                        int64_t now_us, const char *ending)
{
    char name[512];
    char other[512];
    name_in(place, limit, "foreign", name);
    name_in(place, limit, "other", other);
    strcat(name, ending);
    (void)REDIS_NUMBER(place->link, "FLUSHALL");
    put_foreign(place, which, name);
    for (size_t verb = 0; verb < sizeof(verbs) / sizeof(verbs[0]); verb++) {
        char asked[512];
        name_in(place, limit, "foreign", asked);
        const int64_t before = checksum(place, name);
        expect_failure(place, limit, asked, other, verbs[verb], now_us);
        assert_int_equal(checksum(place, name), before);
        (void)REDIS_NUMBER(place->link, "DEL", other);
    }
    char asked[512];
    name_in(place, limit, "foreign", asked);
    expect_lone_failure(place, limit, asked, other, now_us);
    (void)REDIS_NUMBER(place->link, "DEL", other);
    expect_group_failure(place, limit, asked, other, now_us);
}

static void values_of_others_are_left_alone(void **state)
{
    const struct place *place = *state;
    for (size_t i = 0; i < LIMITS; i++) {
        struct weir_limit *limit = fixture_limit(limits[i]);
        for (size_t j = 0; j < FOREIGN; j++) {
            assert_false(fits(limit, j));
            try_foreign(place, limit, j, WEIR_CLOCK, "");
            try_foreign(place, limit, j, server_time(place), "");
        }
        weir_limit_free(limit);
    }
}

static void what_only_looks_like_a_time_is_left_alone(void **state)
{
    const struct place *place = *state;
    for (size_t i = 0; i < LIMITS; i++) {
        struct weir_limit *limit = fixture_limit(limits[i]);
        char name[512];
        char other[512];
        name_in(place, limit, "foreign", name);
        name_in(place, limit, "other", other);
        for (size_t j = 0; j < 2; j++) {
            (void)REDIS_NUMBER(place->link, "FLUSHALL");
            put_near_time(place, j == 1, name);
            expect_lone_failure(place, limit, name, other, WEIR_CLOCK);
            (void)REDIS_NUMBER(place->link, "DEL", other);
            expect_group_failure(place, limit, name, other, WEIR_CLOCK);
        }
        weir_limit_free(limit);
    }
}

#define HOUR_US INT64_C(3600000000)

/* Under a window that goes on: only what is written as we write it is moved. */
static void what_only_looks_like_a_window_is_left_alone(void **state)
{
    static const char *const texts[] = {"5/h fixed-window", "5/h calendar-window epoch"};
    static const struct {
        const char *before;
        const char *after;
    } forms[] = {{"", " 03"},
                 {"", " 1 "},
                 {"", "  1"},
                 {" ", " 1"},
                 {"", " 1 1"},
                 {"", " +1"},
                 {"", " 1.0"},
                 {"", " 0x1"},
                 {"", " 1e0"},
                 {"", " 0"},
                 {"", " -1"},
                 {"0", " 1"},
                 {"", ""},
                 {"", " "},
                 {"", "\t1"},
                 {"+", " 1"},
                 {"", " 1\n"},
                 {"", " x"},
                 {"", " 99999999999999999999"},
                 {"", " 4294967296"}};
    const struct place *place = *state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct weir_limit *limit = fixture_limit(texts[i]);
        char name[512];
        char other[512];
        name_in(place, limit, "foreign", name);
        name_in(place, limit, "other", other);
        for (size_t j = 0; j < sizeof(forms) / sizeof(forms[0]); j++) {
            char value[64];
            const int64_t now_us = server_time(place);
            const int64_t end_us = now_us - now_us % HOUR_US + HOUR_US;
            (void)snprintf(value, sizeof(value), "%s%lld%s", forms[j].before, (long long)end_us,
                           forms[j].after);
            (void)REDIS_NUMBER(place->link, "FLUSHALL");
            (void)REDIS_NUMBER(place->link, "SET", name, value);
            expect_lone_failure(place, limit, name, other, WEIR_CLOCK);
        }
        weir_limit_free(limit);
    }
}

static void blocks_of_others_are_left_alone(void **state)
{
    const struct place *place = *state;
    for (size_t i = 0; i < LIMITS; i++) {
        struct weir_limit *limit = fixture_limit(limits[i]);
        struct weir_limit_spec spec;
        weir_limit_describe(limit, &spec);
        for (size_t j = 0; j < FOREIGN && spec.block_us > 0; j++) {
            try_foreign(place, limit, j, j % 2 == 0 ? WEIR_CLOCK : server_time(place), ":block");
        }
        weir_limit_free(limit);
    }
}

/* A list that looks like ours but for one entry: whichever that is, nothing is changed. */
static void broken_lists_are_left_alone(void **state)
{
    static const char *const broken[] = {"x", "1 1", "1 1 1 1", "1 0 9", "1 9 8", "-1 1 9", ""};
    const struct place *place = *state;
    struct weir_limit *limit = fixture_limit("5/10s sliding-log");
    char name[512];
    char other[512];
    name_in(place, limit, "foreign", name);
    name_in(place, limit, "other", other);
    const int64_t now_us = server_time(place);
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        for (size_t at = 0; at < 4; at++) {
            (void)REDIS_NUMBER(place->link, "FLUSHALL");
            for (size_t entry = 0; entry < 4; entry++) {
                char text[64];
                /* The first two have expired, so that the others are looked for. */
                const int64_t stamp_us =
                    now_us - (entry < 2 ? 20000000 : 1000000) + (int64_t)entry * 1000;
                snprintf(text, sizeof(text), "%lld 2 %zu", (long long)stamp_us, 2 * entry + 2);
                (void)REDIS_NUMBER(place->link, "RPUSH", name, entry == at ? broken[i] : text);
            }
            (void)REDIS_NUMBER(place->link, "PEXPIRE", name, "100000");
            const struct weir_script_question question = {
                .limit = limit, .name = weir_text(name), .cost = 3};
            const struct weir_script_call call = {
                .now_us = WEIR_CLOCK, .questions = &question, .count = 1};
            struct weir_script_answer answer;
            redis_link_call(place->link, &call, &answer);
            /* Which entries are looked at is the script's affair; the ends always are. */
            if (at == 0 || at == 3) {
                assert_int_equal(answer.failure, WEIR_FAILURE_VALUE);
            }
            if (answer.failure == WEIR_FAILURE_VALUE) {
                assert_int_equal(REDIS_NUMBER(place->link, "LLEN", name), 4);
            }
        }
    }
    weir_limit_free(limit);
}

/* ---- Expiry ---- */

/* When a key expires, in the server's milliseconds. PTTL and TIME are two readings of a clock,
 * which a busy machine puts apart: they count where the millisecond is the same before and after. A
 * server whose PTTL is as of the script's start can only be late; the earliest of three is told. */
static int64_t expiry_ms(const struct place *place, const char *name)
{
    static const char script[] =
        "local function ms() local t = redis.call('TIME') "
        "return t[1] * 1000 + math.floor(t[2] / 1000) end "
        "local before, left, after "
        "repeat before = ms() left = redis.call('PTTL', KEYS[1]) after = ms() "
        "until before == after return left + after";
    int64_t earliest = INT64_MAX;
    for (unsigned i = 0; i < 3; i++) {
        const int64_t told = REDIS_NUMBER(place->link, "EVAL", script, "1", name);
        earliest = told < earliest ? told : earliest;
    }
    return earliest;
}

static void keys_end_when_they_are_as_if_never_used(void **state)
{
    const struct place *place = *state;
    for (size_t i = 0; i < LIMITS; i++) {
        struct weir_limit *limit = fixture_limit(limits[i]);
        char name[512];
        name_in(place, limit, limits[i], name);
        for (size_t check = 0; check < 7; check++) {
            const struct weir_script_question question = {
                .limit = limit, .name = weir_text(name), .cost = 1};
            const struct weir_script_call call = {.now_us = WEIR_CLOCK,
                                                  .guess_us = server_time(place),
                                                  .questions = &question,
                                                  .count = 1};
            struct weir_script_answer answer;
            redis_link_call(place->link, &call, &answer);
            assert_int_equal(answer.failure, WEIR_FAILURE_NONE);
            /* The script reads a clock, and sets an expiry by another that may be this much on. */
            const int64_t apart_ms = (server_time(place) - call.guess_us) / 1000;
            if (answer.decision.blocked) {
                continue;
            }
            const int64_t ends_us = answer.now_us + answer.decision.reset_after_us;
            const int64_t expires_ms = expiry_ms(place, name);
            /* Two clocks are read here, a millisecond apart; sliding-window's time is rounded up to
             * another, and a bucket's to a whole second. */
            assert_true(expires_ms >= ends_us / 1000);
            assert_true(expires_ms <= ends_us / 1000 + (i < 4 ? 1003 : 4) + apart_ms);
        }
        weir_limit_free(limit);
    }
    assert_true(redis_link_count_keys(place->link) >= LIMITS);
}

/* A supplied clock may stand still: the keys outlive it by a minute. */
static void keys_of_a_supplied_clock_expire_too(void **state)
{
    const struct place *place = *state;
    for (size_t i = 0; i < LIMITS; i++) {
        struct weir_limit *limit = fixture_limit(limits[i]);
        char name[512];
        name_in(place, limit, limits[i], name);
        const struct weir_script_question question = {
            .limit = limit, .name = weir_text(name), .cost = 5};
        const struct weir_script_call call = {.now_us = 1000, .questions = &question, .count = 1};
        struct weir_script_answer answer;
        redis_link_call(place->link, &call, &answer);
        assert_true(answer.decision.allowed);
        const int64_t ttl_ms = REDIS_NUMBER(place->link, "PTTL", name);
        assert_true(ttl_ms > answer.decision.reset_after_us / 1000 + 30000);
        assert_true(ttl_ms <= answer.decision.reset_after_us / 1000 + 60002);
        weir_limit_free(limit);
    }
    (void)redis_link_count_keys(place->link);
}

/* ---- What the server must let us do ---- */

static const char *const commands[] = {"evalsha", "eval",  "time",    "mget",     "exists", "set",
                                       "incrby",  "del",   "pttl",    "lindex",   "llen",   "lset",
                                       "ltrim",   "rpush", "pexpire", "pexpireat"};
#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

/* Every script, by both clocks, with each verb, until each branch that calls a command was taken.
 */
static void use_everything(struct redis_link *link, int64_t server_us, const char *prefix)
{
    for (size_t i = 0; i < LIMITS; i++) {
        struct weir_limit *limit = fixture_limit(limits[i]);
        for (size_t step = 0; step < 24; step++) {
            char name[128];
            /* Under a supplied clock that is past the key's end at last, and then set back. */
            static const int64_t ahead_us[] = {0, 1, 12000000, 50000000, 2};
            const bool supplied = step % 2 == 1;
            snprintf(name, sizeof(name), "%s:{%zu}%d", prefix, i, supplied);
            const struct weir_script_question question = {
                .limit = limit, .name = weir_text(name), .cost = 1 + step % 5};
            const struct weir_script_call call = {
                .verb = step < 14 ? WEIR_VERB_CHECK : verbs[step / 2 % 5],
                .together = step < 14 && step % 4 == 3,
                .now_us = supplied ? server_us + ahead_us[step / 2 % 5] : WEIR_CLOCK,
                .guess_us = server_us,
                .questions = &question,
                .count = 1};
            struct weir_script_answer answer;
            redis_link_call(link, &call, &answer);
            assert_int_equal(answer.failure, WEIR_FAILURE_NONE);
        }
        weir_limit_free(limit);
    }
}

static void a_user_needs_these_commands_and_keys(void **state)
{
    const struct place *place = *state;
    const char *words[COMMANDS + 9] = {"ACL", "SETUSER", "bob",    "reset",
                                       "on",  ">secret", "~weir:*"};
    size_t count = 7;
    char allowed[COMMANDS][16];
    for (size_t i = 0; i < COMMANDS; i++) {
        snprintf(allowed[i], sizeof(allowed[i]), "+%s", commands[i]);
        words[count++] = allowed[i];
    }
    (void)redis_link_number(place->link, words, count);
    struct redis_link *link = redis_link_open(rig_redis_port(place->server), 2);
    (void)REDIS_NUMBER(link, "AUTH", "bob", "secret");
    use_everything(link, server_time(place), "weir:");
    redis_link_close(link);
    static char readme[16384];
    FILE *file = fopen("redis/README.md", "r");
    assert_non_null(file);
    assert_true(fread(readme, 1, sizeof(readme) - 1, file) > 0);
    fclose(file);
    /* Each is needed: what was used above is all of the list, and so is what redis/README.md has.
     */
    const char *stats = rig_redis_command(place->server, "INFO", "commandstats", NULL);
    for (size_t i = 0; i < COMMANDS; i++) {
        char line[64];
        snprintf(line, sizeof(line), "cmdstat_%s:", commands[i]);
        assert_non_null(strstr(stats, line));
        assert_non_null(strstr(readme, allowed[i]));
    }
}

/* ---- Windows of the calendar by the server's clock ---- */

#define DAY INT64_C(86400000000)

static void a_wrong_guess_is_told_and_changes_nothing(void **state)
{
    const struct place *place = *state;
    struct weir_limit *limit = fixture_limit("5/day calendar-window");
    struct weir_limit *plain = fixture_limit("5/d");
    const struct weir_script_question questions[] = {
        {.limit = limit, .name = weir_text("weir:{a}:x"), .cost = 1},
        {.limit = plain, .name = weir_text("weir:{a}:y"), .cost = 1},
    };
    struct weir_script_call call = {.now_us = WEIR_CLOCK, .questions = questions, .count = 1};
    struct weir_script_answer answers[2];
    (void)REDIS_NUMBER(place->link, "FLUSHALL");
    for (unsigned together = 0; together < 2; together++) {
        call.together = together == 1;
        call.count = 1 + together;
        const int64_t now_us = server_time(place);
        /* Three windows after the one guessed, two before it. */
        const int64_t wrong[] = {now_us - 4 * DAY, now_us + 3 * DAY, 0, WEIR_TIME_MAX};
        for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
            call.guess_us = wrong[i];
            redis_link_call(place->link, &call, answers);
            for (size_t j = 0; j < call.count; j++) {
                assert_int_equal(answers[j].failure, WEIR_FAILURE_REPLY);
                assert_true(answers[j].again);
                assert_true(answers[j].now_us >= now_us);
            }
        }
        assert_int_equal(redis_link_count_keys(place->link), 0);
        const int64_t right[] = {now_us - 2 * DAY, now_us + DAY, answers[0].now_us};
        for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
            call.guess_us = right[i];
            redis_link_call(place->link, &call, answers);
            assert_int_equal(answers[0].failure, WEIR_FAILURE_NONE);
            assert_int_equal(answers[0].decision.remaining, 4 - i);
        }
        (void)REDIS_NUMBER(place->link, "FLUSHALL");
    }
    weir_limit_free(limit);
    weir_limit_free(plain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(values_of_others_are_left_alone, open_place, close_place),
        cmocka_unit_test_setup_teardown(what_only_looks_like_a_time_is_left_alone, open_place,
                                        close_place),
        cmocka_unit_test_setup_teardown(what_only_looks_like_a_window_is_left_alone, open_place,
                                        close_place),
        cmocka_unit_test_setup_teardown(blocks_of_others_are_left_alone, open_place, close_place),
        cmocka_unit_test_setup_teardown(broken_lists_are_left_alone, open_place, close_place),
        cmocka_unit_test_setup_teardown(keys_end_when_they_are_as_if_never_used, open_place,
                                        close_place),
        cmocka_unit_test_setup_teardown(keys_of_a_supplied_clock_expire_too, open_place,
                                        close_place),
        cmocka_unit_test_setup_teardown(a_user_needs_these_commands_and_keys, open_place,
                                        close_place),
        cmocka_unit_test_setup_teardown(a_wrong_guess_is_told_and_changes_nothing, open_place,
                                        close_place),
    };
    return cmocka_run_group_tests_name("script_values", tests, NULL, NULL);
}
