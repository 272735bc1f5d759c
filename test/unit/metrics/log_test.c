/* log_test.c - lines of a log: whole, harmless to terminals, and never waited for. */

#include "metrics/log.h"

#include "metrics/line.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "support/fixture.h"
#include "support/random.h"

#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECOND INT64_C(1000000)
#define NOW FIXTURE_NOW

/* A log that writes to a pipe, and what came out of it. */
struct scene {
    struct weir_log *log;
    int ends[2];
    char said[1 << 20];
    size_t len;
};

static struct scene *scene_open(enum weir_log_line level, bool json, uint32_t denials)
{
    struct scene *scene = calloc(1, sizeof(*scene));
    assert_non_null(scene);
    assert_int_equal(pipe(scene->ends), 0);
    assert_true(fcntl(scene->ends[0], F_SETFL, O_NONBLOCK) != -1);
    scene->log = weir_log_open(scene->ends[1], level, json, denials);
    assert_non_null(scene->log);
    return scene;
}

/* What the pipe holds now, as text, instead of what was read before. */
static const char *said(struct scene *scene)
{
    scene->len = 0;
    for (;;) {
        const ssize_t got =
            read(scene->ends[0], scene->said + scene->len, sizeof(scene->said) - 1 - scene->len);
        if (got <= 0) {
            break;
        }
        scene->len += (size_t)got;
    }
    scene->said[scene->len] = '\0';
    return scene->said;
}

/* The last thing said, from its `skip`th byte. */
static void says(struct scene *scene, size_t skip, const char *expected)
{
    const char *text = said(scene);
    assert_true(strlen(text) >= skip);
    assert_string_equal(text + skip, expected);
}

static void scene_close(struct scene *scene)
{
    weir_log_close(scene->log);
    (void)close(scene->ends[0]);
    (void)close(scene->ends[1]);
    free(scene);
}

/* ---- What a line looks like --------------------------------------------------------------- */

#define TIME_LEN strlen("2026-01-01T00:00:00.000Z ")

static void as_text(void **state)
{
    (void)state;
    struct scene *scene = scene_open(WEIR_LOG_LINE_INFO, false, 0);
    weir_log(scene->log, WEIR_LOG_LINE_INFO, "listening", "door", "http", "address",
             "127.0.0.1:8080", WEIR_LOG_END);
    const char *text = said(scene);
    assert_int_equal(text[4], '-');
    assert_int_equal(text[10], 'T');
    assert_int_equal(text[19], '.');
    assert_string_equal(text + 23, "Z info listening door=http address=127.0.0.1:8080\n");
    weir_log(scene->log, WEIR_LOG_LINE_ERROR, "no file", "path", "a b", "empty", "", "is", "a=b",
             "none", (const char *)NULL, WEIR_LOG_END);
    says(scene, TIME_LEN, "error no file path=\"a b\" empty=\"\" is=\"a=b\" none=\"\"\n");
    scene_close(scene);
}

static void as_json(void **state)
{
    (void)state;
    struct scene *scene = scene_open(WEIR_LOG_LINE_INFO, true, 0);
    weir_log(scene->log, WEIR_LOG_LINE_WARNING, "no \"file\"", "path", "a b\\", WEIR_LOG_END);
    const char *text = said(scene);
    assert_memory_equal(text, "{\"time\":\"2", 10);
    assert_string_equal(text + 32, "Z\",\"level\":\"warning\",\"event\":\"no \\\"file\\\"\","
                                   "\"path\":\"a b\\\\\"}\n");
    scene_close(scene);
}

static void by_level(void **state)
{
    (void)state;
    struct scene *scene = scene_open(WEIR_LOG_LINE_WARNING, false, 10);
    assert_true(weir_log_wants(scene->log, WEIR_LOG_LINE_ERROR));
    assert_false(weir_log_wants(scene->log, WEIR_LOG_LINE_INFO));
    weir_log(scene->log, WEIR_LOG_LINE_INFO, "left out", WEIR_LOG_END);
    weir_log_denial(scene->log, weir_text("login"), weir_text("k"), SECOND, NOW);
    says(scene, 0, "");
    weir_log_set(scene->log, WEIR_LOG_LINE_DEBUG, false, 10);
    weir_log(scene->log, WEIR_LOG_LINE_DEBUG, "told", WEIR_LOG_END);
    says(scene, TIME_LEN, "debug told\n");
    scene_close(scene);
}

/* ---- Hostile keys ------------------------------------------------------------------------- */

/* C0 and C1 controls, DEL, line separators, marks that turn the writing around, and what is no
 * UTF-8. An honest letter with an accent stays as it is. */
#define HOSTILE \
    "a\nb\x1b[2J\x7f \xc2\x9b \xe2\x80\xa8 \xe2\x80\xae \xe2\x81\xa6 \xff \xc3\xa9\t\"\\"

static void nothing_steers_a_terminal(void **state)
{
    (void)state;
    struct scene *scene = scene_open(WEIR_LOG_LINE_INFO, false, 10);
    weir_log_denial(scene->log, weir_text("login"), weir_text(HOSTILE), SECOND, NOW);
    says(scene, TIME_LEN,
         "info denied rule=login retry_after=1.000000 key=\"a\\nb\\x1b[2J\\x7f \\xc2\\x9b "
         "\\xe2\\x80\\xa8 \\xe2\\x80\\xae \\xe2\\x81\\xa6 \\xff \xc3\xa9\\t\\\"\\\\\"\n");
    weir_log_set(scene->log, WEIR_LOG_LINE_INFO, true, 10);
    weir_log_denial(scene->log, weir_text("login"), weir_text(HOSTILE), WEIR_NEVER, NOW);
    says(scene, strlen("{\"time\":\"2026-01-01T00:00:00.000Z\""),
         ",\"level\":\"info\",\"event\":\"denied\",\"rule\":\"login\",\"retry_after\":\"never\","
         "\"key\":\"a\\nb\\u001b[2J\\u007f \\u009b \\u2028 \\u202e \\u2066 \\ufffd "
         "\xc3\xa9\\t\\\"\\\\\"}\n");
    scene_close(scene);
}

/* Whether a line is one, and of printable bytes alone. */
static void is_one_line(const char *text, size_t len)
{
    assert_true(len > 0 && len <= WEIR_LINE_MAX);
    assert_int_equal(strlen(text), len);
    assert_int_equal(text[len - 1], '\n');
    for (size_t i = 0; i < len - 1; i++) {
        assert_true((unsigned char)text[i] >= 0x20 && text[i] != 0x7F);
    }
}

static void any_bytes_make_one_line(void **state)
{
    (void)state;
    struct random random = random_from(random_seed(5));
    struct scene *scene = scene_open(WEIR_LOG_LINE_INFO, false, 10);
    const size_t rounds = random_rounds(2000);
    for (size_t i = 0; i < rounds; i++) {
        char key[4096];
        const size_t len = (size_t)random_below(&random, sizeof(key) + 1);
        for (size_t j = 0; j < len; j++) {
            key[j] = (char)random_next(&random);
        }
        weir_log_set(scene->log, WEIR_LOG_LINE_INFO, i % 2 == 1, 10);
        weir_log_denial(scene->log, weir_bytes(key, len % 130), weir_bytes(key, len), 0,
                        NOW + (int64_t)i * SECOND);
        const char *text = said(scene);
        is_one_line(text, scene->len);
    }
    scene_close(scene);
}

static void a_long_value_is_cut(void **state)
{
    (void)state;
    char key[4097] = {0};
    char expected[WEIR_LINE_VALUE_MAX + 64];
    struct scene *scene = scene_open(WEIR_LOG_LINE_INFO, false, 10);
    memset(key, 'k', sizeof(key) - 1);
    weir_log_denial(scene->log, weir_text("r"), weir_bytes(key, WEIR_LINE_VALUE_MAX), 0, NOW);
    (void)snprintf(expected, sizeof(expected), "info denied rule=r retry_after=0.000000 key=%.*s\n",
                   WEIR_LINE_VALUE_MAX, key);
    says(scene, TIME_LEN, expected);
    weir_log_denial(scene->log, weir_text("r"), weir_bytes(key, 4096), 0, NOW);
    (void)snprintf(expected, sizeof(expected),
                   "info denied rule=r retry_after=0.000000 key=\"%.*s...\"\n", WEIR_LINE_VALUE_MAX,
                   key);
    says(scene, TIME_LEN, expected);
    scene_close(scene);
}

static void what_fits_no_line_is_left_out(void **state)
{
    (void)state;
    char value[WEIR_LINE_VALUE_MAX + 1] = {0};
    memset(value, '\x1b', sizeof(value) - 1);
    for (int json = 0; json < 2; json++) {
        struct scene *scene = scene_open(WEIR_LOG_LINE_INFO, json == 1, 0);
        weir_log(scene->log, WEIR_LOG_LINE_INFO, "much", "a", value, "b", value, "c", value,
                 WEIR_LOG_END);
        const char *text = said(scene);
        const char *end = json == 1 ? ",\"cut\":true}\n" : " cut=true\n";
        is_one_line(text, scene->len);
        assert_string_equal(text + scene->len - strlen(end), end);
        assert_non_null(strstr(text, json == 1 ? "\"a\":\"" : " a=\""));
        assert_null(strstr(text, json == 1 ? "\"c\":" : " c="));
        scene_close(scene);
    }
}

/* ---- Denials ------------------------------------------------------------------------------ */

static void denials_are_sampled(void **state)
{
    (void)state;
    struct scene *scene = scene_open(WEIR_LOG_LINE_INFO, false, 2);
    for (int i = 0; i < 10; i++) {
        weir_log_denial(scene->log, weir_text("r"), weir_text("k"), 0, NOW + i);
    }
    says(scene, 0,
         "2026-01-01T00:00:00.000Z info denied rule=r retry_after=0.000000 key=k\n"
         "2026-01-01T00:00:00.000Z info denied rule=r retry_after=0.000000 key=k\n");
    weir_log_denial(scene->log, weir_text("r"), weir_text("k"), 0, NOW + SECOND);
    weir_log_denial(scene->log, weir_text("r"), weir_text("k"), 0, NOW + SECOND);
    says(scene, 0,
         "2026-01-01T00:00:01.000Z info denied rule=r retry_after=0.000000 left_out=8 key=k\n"
         "2026-01-01T00:00:01.000Z info denied rule=r retry_after=0.000000 key=k\n");
    /* A worker that is a moment behind gets no second of its own; a clock set back does. */
    weir_log_denial(scene->log, weir_text("r"), weir_text("k"), 0, NOW);
    says(scene, 0, "");
    weir_log_denial(scene->log, weir_text("r"), weir_text("k"), 0, NOW - 3600 * SECOND);
    says(scene, TIME_LEN, "info denied rule=r retry_after=0.000000 left_out=1 key=k\n");
    scene_close(scene);
}

static void none_are_logged_if_none_are_wanted(void **state)
{
    (void)state;
    struct scene *scene = scene_open(WEIR_LOG_LINE_DEBUG, false, 0);
    weir_log_denial(scene->log, weir_text("r"), weir_text("k"), 0, NOW);
    says(scene, 0, "");
    scene_close(scene);
}

/* ---- Pipes that are full, and journals ---------------------------------------------------- */

static void a_full_pipe_loses_lines_and_holds_nobody_up(void **state)
{
    (void)state;
    for (int blocking = 0; blocking < 2; blocking++) {
        struct scene *scene = scene_open(WEIR_LOG_LINE_INFO, false, 0);
        if (blocking == 0) {
            assert_true(fcntl(scene->ends[1], F_SETFL, O_NONBLOCK) != -1);
        }
        /* Were one of these to wait, the test would never end. */
        const int lines = 10000;
        for (int i = 0; i < lines; i++) {
            weir_log(scene->log, WEIR_LOG_LINE_INFO, "one of many", WEIR_LOG_END);
        }
        int arrived = 0;
        const char *text = said(scene);
        for (const char *at = strchr(text, '\n'); at != NULL; at = strchr(at + 1, '\n')) {
            arrived++;
        }
        assert_true(arrived > 0 && arrived < lines);
        assert_int_equal(text[scene->len - 1], '\n');
        weir_log(scene->log, WEIR_LOG_LINE_INFO, "room again", WEIR_LOG_END);
        char expected[64];
        (void)snprintf(expected, sizeof(expected), "warning lines lost count=%d\n",
                       lines - arrived);
        text = said(scene);
        const char *end = strchr(text, '\n');
        assert_memory_equal(text + TIME_LEN, expected, strlen(expected));
        assert_string_equal(end + 1 + TIME_LEN, "info room again\n");
        scene_close(scene);
    }
}

static void a_reader_that_went_away_is_no_end(void **state)
{
    (void)state;
    struct scene *scene = scene_open(WEIR_LOG_LINE_INFO, false, 0);
    /* As the server does: its peers go away too. */
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    assert_int_equal(sigaction(SIGPIPE, &ignore, NULL), 0);
    (void)close(scene->ends[0]);
    scene->ends[0] = open("/dev/null", O_RDONLY);
    weir_log(scene->log, WEIR_LOG_LINE_INFO, "into the void", WEIR_LOG_END);
    scene_close(scene);
}

static void the_journal_knows_the_time_itself(void **state)
{
    (void)state;
    struct stat about;
    char stream[64];
    struct scene *scene = scene_open(WEIR_LOG_LINE_INFO, false, 0);
    assert_int_equal(fstat(scene->ends[1], &about), 0);
    (void)snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)about.st_dev,
                   (unsigned long long)about.st_ino);
    weir_log_close(scene->log);
    assert_int_equal(setenv("JOURNAL_STREAM", stream, 1), 0);
    scene->log = weir_log_open(scene->ends[1], WEIR_LOG_LINE_DEBUG, false, 1);
    weir_log(scene->log, WEIR_LOG_LINE_ERROR, "e", WEIR_LOG_END);
    weir_log(scene->log, WEIR_LOG_LINE_WARNING, "w", WEIR_LOG_END);
    weir_log(scene->log, WEIR_LOG_LINE_INFO, "i", "a", "b", WEIR_LOG_END);
    weir_log(scene->log, WEIR_LOG_LINE_DEBUG, "d", WEIR_LOG_END);
    says(scene, 0, "<3>e\n<4>w\n<6>i a=b\n<7>d\n");
    weir_log_set(scene->log, WEIR_LOG_LINE_DEBUG, true, 1);
    weir_log(scene->log, WEIR_LOG_LINE_INFO, "i", "a", "b", WEIR_LOG_END);
    says(scene, 0, "<6>{\"level\":\"info\",\"event\":\"i\",\"a\":\"b\"}\n");
    weir_log_close(scene->log);
    /* Somebody else's journal, that a parent has left in the environment. */
    assert_int_equal(setenv("JOURNAL_STREAM", "1:2", 1), 0);
    scene->log = weir_log_open(scene->ends[1], WEIR_LOG_LINE_INFO, false, 1);
    weir_log(scene->log, WEIR_LOG_LINE_INFO, "i", WEIR_LOG_END);
    says(scene, TIME_LEN, "info i\n");
    assert_int_equal(unsetenv("JOURNAL_STREAM"), 0);
    scene_close(scene);
}

/* ---- Threads ------------------------------------------------------------------------------ */

#define MEMBERS 4
#define LINES 2000

struct crowd {
    struct scene *scene;
    _Atomic unsigned done;
    size_t lines;
    size_t told;     /* lines that arrived, and those that were said to be lost */
    size_t left_out; /* denials that were said to be left out */
    size_t denials;  /* that arrived */
};

static size_t number_after(const char *line, const char *name)
{
    const char *found = strstr(line, name);
    return found != NULL ? (size_t)strtoull(found + strlen(name), NULL, 10) : 0;
}

static void read_line(struct crowd *crowd, const char *line)
{
    assert_true(strlen(line) > TIME_LEN);
    const char *text = line + TIME_LEN;
    if (strncmp(text, "warning lines lost", 18) == 0) {
        crowd->told += number_after(text, "count=");
    } else if (strncmp(text, "info denied", 11) == 0) {
        crowd->denials++;
        crowd->left_out += number_after(text, "left_out=");
        assert_string_equal(strstr(text, "key="), "key=0123456789");
    } else {
        assert_string_equal(text, "info said a=1 b=\"2 3\"");
        crowd->told++;
    }
}

/* Until all writers are done and the pipe is empty. What is read may end within a line. */
static void read_lines(struct crowd *crowd)
{
    struct scene *scene = crowd->scene;
    scene->len = 0;
    for (;;) {
        const bool last = atomic_load(&crowd->done) == MEMBERS;
        const ssize_t got = read(scene->ends[0], scene->said + scene->len, sizeof(scene->said) / 2);
        if (got <= 0 && last) {
            break;
        }
        scene->len += got > 0 ? (size_t)got : 0;
        char *line = scene->said;
        char *end = memchr(line, '\n', scene->len);
        while (end != NULL) {
            *end = '\0';
            read_line(crowd, line);
            line = end + 1;
            end = memchr(line, '\n', scene->len - (size_t)(line - scene->said));
        }
        scene->len -= (size_t)(line - scene->said);
        memmove(scene->said, line, scene->len);
    }
    assert_int_equal(scene->len, 0);
}

static void member(void *context, unsigned index)
{
    struct crowd *crowd = context;
    if (index == MEMBERS) {
        read_lines(crowd);
        return;
    }
    for (size_t i = 0; i < crowd->lines; i++) {
        weir_log(crowd->scene->log, WEIR_LOG_LINE_INFO, "said", "a", "1", "b", "2 3", WEIR_LOG_END);
    }
    (void)atomic_fetch_add(&crowd->done, 1);
}

static void denier(void *context, unsigned index)
{
    struct crowd *crowd = context;
    if (index == MEMBERS) {
        read_lines(crowd);
        return;
    }
    for (size_t i = 0; i < crowd->lines; i++) {
        weir_log_denial(crowd->scene->log, weir_text("r"), weir_text("0123456789"), 0,
                        NOW + (int64_t)(i / 100) * SECOND);
    }
    (void)atomic_fetch_add(&crowd->done, 1);
}

static void lines_of_threads_do_not_mix(void **state)
{
    (void)state;
    struct crowd crowd = {.scene = scene_open(WEIR_LOG_LINE_INFO, false, 0),
                          .lines = random_rounds(LINES)};
    fixture_threads(MEMBERS + 1, member, &crowd);
    /* What is lost at the very end is told with the next line. */
    weir_log(crowd.scene->log, WEIR_LOG_LINE_INFO, "said", "a", "1", "b", "2 3", WEIR_LOG_END);
    read_lines(&crowd);
    assert_int_equal(crowd.told, MEMBERS * crowd.lines + 1);
    scene_close(crowd.scene);
}

static void every_denial_is_told_or_counted(void **state)
{
    (void)state;
    struct crowd crowd = {.scene = scene_open(WEIR_LOG_LINE_INFO, false, 3),
                          .lines = random_rounds(LINES)};
    fixture_threads(MEMBERS + 1, denier, &crowd);
    weir_log_denial(crowd.scene->log, weir_text("r"), weir_text("0123456789"), 0,
                    NOW + 100000 * SECOND);
    read_lines(&crowd);
    assert_int_equal(crowd.denials + crowd.left_out, MEMBERS * crowd.lines + 1);
    scene_close(crowd.scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_text),
        cmocka_unit_test(as_json),
        cmocka_unit_test(by_level),
        cmocka_unit_test(nothing_steers_a_terminal),
        cmocka_unit_test(any_bytes_make_one_line),
        cmocka_unit_test(a_long_value_is_cut),
        cmocka_unit_test(what_fits_no_line_is_left_out),
        cmocka_unit_test(denials_are_sampled),
        cmocka_unit_test(none_are_logged_if_none_are_wanted),
        cmocka_unit_test(a_full_pipe_loses_lines_and_holds_nobody_up),
        cmocka_unit_test(a_reader_that_went_away_is_no_end),
        cmocka_unit_test(the_journal_knows_the_time_itself),
        cmocka_unit_test(lines_of_threads_do_not_mix),
        cmocka_unit_test(every_denial_is_told_or_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
