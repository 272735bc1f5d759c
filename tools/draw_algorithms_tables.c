/* draw_algorithms_tables.c - the numbers of docs/algorithms.md that have no picture. */

#include "draw_algorithms.h"
#include "draw_algorithms_run.h"

#include <inttypes.h>

/* Sends up to `count` requests at one moment, and gives the last decision and how many were let in.
 */
static struct weir_decision send(struct weir *weir, const char *text, int64_t at_us, int count,
                                 int *ret_admitted)
{
    struct weir_limit *limit = parse_limit(text);
    struct weir_decision decision = {0};
    int admitted = 0;
    for (int i = 0; i < count; i++) {
        must(weir_check(weir, limit, weir_text("key"), 1, DRAW_START + at_us, &decision), text);
        admitted += decision.allowed;
    }
    weir_limit_free(limit);
    if (ret_admitted != NULL) {
        *ret_admitted = admitted;
    }
    return decision;
}

static struct weir_decision look(struct weir *weir, const char *text, int64_t at_us)
{
    struct weir_limit *limit = parse_limit(text);
    struct weir_decision decision;
    must(weir_peek(weir, limit, weir_text("key"), 1, DRAW_START + at_us, &decision), text);
    weir_limit_free(limit);
    return decision;
}

/* "6 s", "0.25 s", "15 m": as exactly as it is. */
static void put_duration(FILE *out, int64_t us)
{
    if (us >= 2 * MINUTE && us % MINUTE == 0) {
        fprintf(out, "%" PRId64 " m", us / MINUTE);
        return;
    }
    char digits[32];
    int length =
        snprintf(digits, sizeof(digits), "%" PRId64 ".%06" PRId64, us / SECOND, us % SECOND);
    while (digits[length - 1] == '0') {
        length--;
    }
    length -= digits[length - 1] == '.';
    fprintf(out, "%.*s s", length, digits);
}

static void put_decision(FILE *out, const struct weir_decision *decision)
{
    if (decision->allowed) {
        fprintf(out, "%" PRIu64 " remaining", decision->remaining);
        return;
    }
    fputs("denied for ", out);
    put_duration(out, decision->retry_after_us);
}

/* ---- Exact rates ---- */

struct pestering {
    const char *text;
    const char *every;
    int64_t step_us;
    const char *during;
    int64_t during_us;
    const char *bound;
};

void tabulate_exact(FILE *out)
{
    static const struct pestering cases[] = {
        {"7/m", "millisecond", 1000, "10 minutes", 10 * MINUTE, "7 + 70"},
        {"7/m burst 2", "millisecond", 1000, "10 minutes", 10 * MINUTE, "2 + 70"},
        {"3/s burst 100", "microsecond", 1, "1 second", SECOND, "100 + 3"},
        {"999983/s burst 2", "microsecond", 1, "1 second", SECOND, "2 + 999983"},
        {"999983/s burst 1", "microsecond", 1, "1 second", SECOND, "1 + 999983"},
    };
    fputs("| limit | asked once every | for | burst + t/T | admitted |\n|---|---|---|---:|---:|\n",
          out);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct weir *weir = open_store();
        struct weir_limit *limit = parse_limit(cases[i].text);
        int admitted = 0;
        for (int64_t at_us = 0; at_us <= cases[i].during_us; at_us += cases[i].step_us) {
            struct weir_decision decision;
            must(weir_check(weir, limit, weir_text("key"), 1, DRAW_START + at_us, &decision),
                 cases[i].text);
            admitted += decision.allowed;
        }
        fprintf(out, "| `%s` | %s | %s | %s | %d |\n", cases[i].text, cases[i].every,
                cases[i].during, cases[i].bound, admitted);
        weir_limit_free(limit);
        weir_close(weir);
    }
}

/* ---- Changed limits ---- */

struct change {
    const char *before;
    int used;
    const char *after;
};

void tabulate_changed(FILE *out)
{
    static const struct change cases[] = {
        {"10/m", 10, "100/m"},
        {"10/m", 4, "100/m"},
        {"100/m", 50, "10/m"},
        {"100/m", 100, "100/s"},
        {"10/m fixed-window", 10, "100/m fixed-window"},
        {"100/m fixed-window", 50, "10/m fixed-window"},
        {"10/h fixed-window", 10, "10/m fixed-window"},
        {"10/m sliding-window", 10, "100/m sliding-window"},
        {"10/m sliding-window", 4, "10/h sliding-window"},
        {"10/m sliding-log", 10, "100/m sliding-log"},
        {"100/m sliding-log", 50, "10/m sliding-log"},
        {"10/m", 10, "10/m fixed-window"},
    };
    fputs(
        "| the limit was | and used | now it is | the next request at once |\n|---|---:|---|---|\n",
        out);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct weir *weir = open_store();
        int used;
        (void)send(weir, cases[i].before, 0, cases[i].used, &used);
        const struct weir_decision next = look(weir, cases[i].after, 0);
        fprintf(out, "| `%s` | %d | `%s` | ", cases[i].before, used, cases[i].after);
        put_decision(out, &next);
        fputs(" |\n", out);
        weir_close(weir);
    }
}

/* ---- Clocks ---- */

struct step_of_clock {
    const char *text;
    const char *what;
    int requests; /* at 0 */
    int64_t then_us;
};

void tabulate_clocks(FILE *out)
{
    static const struct step_of_clock cases[] = {
        {"5/10s", "stands still", 5, 0},
        {"5/10s", "is read 0.5 s late", 5, -SECOND / 2},
        {"5/10s", "is set back by a day", 5, -DAY},
        {"5/10s", "is set back by a day", 1, -DAY},
        {"5/10s fixed-window", "stands still", 5, 0},
        {"5/10s fixed-window", "is read 0.5 s late", 5, -SECOND / 2},
        {"5/10s fixed-window", "is set back by a day", 5, -DAY},
        {"5/10s fixed-window", "is set back by a day", 1, -DAY},
        {"5/10s sliding-window", "stands still", 5, 0},
        {"5/10s sliding-window", "is set back by a day", 5, -DAY},
        {"5/10s sliding-log", "stands still", 5, 0},
        {"5/10s sliding-log", "is read 0.5 s late", 5, -SECOND / 2},
        {"5/10s sliding-log", "is set back by a day", 5, -DAY},
        {"5/10s block 15m", "stands still", 6, 0},
        {"5/10s block 15m", "is set back by a day", 6, -DAY},
        {"5/10s", "is set forward by a day", 5, DAY},
        {"5/10s", "goes on for seven years", 5, 7 * 365 * DAY},
        {"5/10s", "goes on for nine years", 5, 9 * 365 * DAY},
    };
    fputs("| limit | requests | the clock | the next request |\n|---|---:|---|---|\n", out);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct weir *weir = open_store();
        (void)send(weir, cases[i].text, 0, cases[i].requests, NULL);
        const struct weir_decision next = send(weir, cases[i].text, cases[i].then_us, 1, NULL);
        fprintf(out, "| `%s` | %d | %s | ", cases[i].text, cases[i].requests, cases[i].what);
        fputs(next.allowed ? "admitted, " : "", out);
        put_decision(out, &next);
        fputs(" |\n", out);
        weir_close(weir);
    }
}

/* ---- What a log takes ---- */

void tabulate_memory(FILE *out)
{
    fputs("| requests in the log | bytes |\n|---:|---:|\n", out);
    for (int count = 1; count <= WEIR_LOG_COUNT_MAX; count *= 10) {
        struct weir *weir = open_store();
        struct weir_limit *limit = parse_limit("10000/d sliding-log");
        for (int i = 0; i < count; i++) {
            struct weir_decision decision;
            must(weir_check(weir, limit, weir_text("key"), 1, DRAW_START + i, &decision), "log");
        }
        struct weir_stats stats = {.size = sizeof(stats)};
        must(weir_stats(weir, DRAW_START + count, &stats), "stats");
        fprintf(out, "| %d | %" PRIu64 " |\n", count, stats.log_used);
        weir_limit_free(limit);
        weir_close(weir);
    }
}
