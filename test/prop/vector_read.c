/* vector_read.c - cases from a vector file. */

#include "prop/vector.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct cursor {
    const char *at;
    const char *end;
};

__attribute__((format(printf, 3, 4))) static bool problem(struct vector_reader *reader, size_t line,
                                                          const char *format, ...)
{
    const int head = snprintf(reader->problem, sizeof(reader->problem), "line %zu: ", line);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reader->problem + head, sizeof(reader->problem) - (size_t)head, format, arguments);
    va_end(arguments);
    return false;
}

/* The next line; false at the end of the text. */
static bool next_line(struct vector_reader *reader, struct cursor *ret_line)
{
    if (*reader->text == '\0') {
        return false;
    }
    const char *end = strchr(reader->text, '\n');
    end = end == NULL ? reader->text + strlen(reader->text) : end;
    *ret_line = (struct cursor){reader->text, end};
    reader->text = *end == '\n' ? end + 1 : end;
    reader->line++;
    return true;
}

static bool is_blank(struct cursor line)
{
    return line.at == line.end;
}

static bool accept(struct cursor *cursor, const char *word)
{
    const size_t length = strlen(word);
    if ((size_t)(cursor->end - cursor->at) < length || memcmp(cursor->at, word, length) != 0) {
        return false;
    }
    cursor->at += length;
    return true;
}

static bool read_number(struct cursor *cursor, uint64_t *ret_number)
{
    const char *start = cursor->at;
    uint64_t number = 0;
    while (cursor->at < cursor->end && *cursor->at >= '0' && *cursor->at <= '9') {
        number = number * 10 + (uint64_t)(*cursor->at - '0');
        cursor->at++;
    }
    *ret_number = number;
    return cursor->at > start;
}

/* [-] NUMBER UNIT (NUMBER UNIT)..., or 0. */
static bool read_duration(struct cursor *cursor, int64_t *ret_us)
{
    static const struct {
        const char *name;
        int64_t us;
    } units[] = {{"ms", 1000},    {"us", 1},           {"s", 1000000},
                 {"m", 60000000}, {"h", 3600000000LL}, {"d", 86400000000LL}};
    const bool negative = accept(cursor, "-");
    uint64_t number;
    if (!read_number(cursor, &number)) {
        return false;
    }
    int64_t sum_us = 0;
    do {
        size_t i = 0;
        while (i < sizeof(units) / sizeof(units[0]) && !accept(cursor, units[i].name)) {
            i++;
        }
        if (i < sizeof(units) / sizeof(units[0])) {
            sum_us += (int64_t)number * units[i].us;
        } else if (number != 0) {
            return false;
        }
    } while (read_number(cursor, &number));
    *ret_us = negative ? -sum_us : sum_us;
    return true;
}

/* A word of a line: up to the next blank. */
static bool next_word(struct cursor *line, struct cursor *ret_word)
{
    while (line->at < line->end && *line->at == ' ') {
        line->at++;
    }
    ret_word->at = line->at;
    while (line->at < line->end && *line->at != ' ') {
        line->at++;
    }
    ret_word->end = line->at;
    return ret_word->at < ret_word->end;
}

static bool read_arrival(struct cursor word, struct trace_step *ret_step)
{
    struct trace_step step = {.verb = TRACE_CHECK, .cost = 1};
    int64_t at_us;
    if (!read_duration(&word, &at_us)) {
        return false;
    }
    step.now_us = VECTOR_EPOCH_US + at_us;
    bool numbered = false;
    if (accept(&word, "?")) {
        step.verb = TRACE_PEEK;
    } else if (accept(&word, "<")) {
        step.verb = TRACE_REFUND;
    } else if (accept(&word, "!")) {
        step.verb = TRACE_RESET;
    } else {
        numbered = accept(&word, "*");
    }
    if ((numbered ||
         (step.verb != TRACE_RESET && step.verb != TRACE_CHECK && word.at < word.end)) &&
        !read_number(&word, &step.cost)) {
        return false;
    }
    *ret_step = step;
    return word.at == word.end;
}

static bool read_verdict(struct cursor word, uint64_t limit, struct weir_decision *ret_decision)
{
    struct weir_decision decision = {.limit = limit};
    if (accept(&word, ".")) {
        *ret_decision = (struct weir_decision){0};
        return word.at == word.end;
    }
    decision.allowed = accept(&word, "+");
    decision.blocked = !decision.allowed && accept(&word, "x");
    if (!decision.allowed && !decision.blocked && !accept(&word, "-")) {
        return false;
    }
    if (!read_number(&word, &decision.remaining) || !accept(&word, "/") ||
        !read_duration(&word, &decision.reset_after_us)) {
        return false;
    }
    if (accept(&word, ">")) {
        if (accept(&word, "never")) {
            decision.retry_after_us = WEIR_NEVER;
        } else if (!read_duration(&word, &decision.retry_after_us)) {
            return false;
        }
    }
    if (accept(&word, "~") && !read_duration(&word, &decision.delay_us)) {
        return false;
    }
    *ret_decision = decision;
    return word.at == word.end;
}

static bool read_limit(struct cursor line, struct weir_limit_spec *ret_spec)
{
    struct weir_limit *limit;
    const struct weir_bytes text = weir_bytes(line.at, (size_t)(line.end - line.at));
    if (weir_limit_parse(text, NULL, &limit, NULL) != WEIR_OK) {
        return false;
    }
    weir_limit_describe(limit, ret_spec);
    weir_limit_free(limit);
    return true;
}

void vector_answers_deinit(struct vector_answers *answers)
{
    free(answers->decisions);
    *answers = (struct vector_answers){NULL, 0, 0};
}

static void append_answer(struct vector_answers *answers, const struct weir_decision *decision)
{
    if (answers->count == answers->room) {
        answers->room = answers->room == 0 ? 64 : answers->room * 2;
        answers->decisions =
            realloc(answers->decisions, answers->room * sizeof(answers->decisions[0]));
        assert(answers->decisions != NULL);
    }
    answers->decisions[answers->count] = *decision;
    answers->count++;
}

/* The three lines of a limit, its arrivals and their verdicts. */
static bool read_triple(struct vector_reader *reader, struct cursor limit_line, struct trace *trace,
                        struct vector_answers *answers)
{
    struct trace_step step = {.verb = TRACE_LIMIT, .now_us = VECTOR_EPOCH_US};
    struct weir_decision decision = {0};
    struct cursor arrivals;
    struct cursor verdicts;
    if (!read_limit(limit_line, &step.spec)) {
        return problem(reader, reader->line, "no limit");
    }
    if (!next_line(reader, &arrivals) || !next_line(reader, &verdicts)) {
        return problem(reader, reader->line, "a limit needs arrivals and verdicts");
    }
    trace_append(trace, &step);
    append_answer(answers, &decision);
    const uint64_t most = step.spec.burst != 0 ? step.spec.burst : step.spec.count;
    struct cursor arrival;
    struct cursor verdict;
    while (next_word(&arrivals, &arrival)) {
        if (!read_arrival(arrival, &step)) {
            return problem(reader, reader->line - 1, "'%.*s' is no arrival",
                           (int)(arrival.end - arrival.at), arrival.at);
        }
        if (!next_word(&verdicts, &verdict) || !read_verdict(verdict, most, &decision)) {
            return problem(reader, reader->line, "'%.*s' is no verdict for '%.*s'",
                           (int)(verdict.end - verdict.at), verdict.at,
                           (int)(arrival.end - arrival.at), arrival.at);
        }
        trace_append(trace, &step);
        append_answer(answers, &decision);
    }
    return !next_word(&verdicts, &verdict) ||
           problem(reader, reader->line, "more verdicts than arrivals");
}

bool vector_read(struct vector_reader *reader, struct trace *ret_trace,
                 struct vector_answers *ret_answers)
{
    struct cursor line;
    ret_trace->count = 0;
    ret_answers->count = 0;
    reader->problem[0] = '\0';
    while (next_line(reader, &line)) {
        if (is_blank(line)) {
            if (ret_trace->count > 0) {
                return true;
            }
            continue;
        }
        if (*line.at == '#') {
            continue;
        }
        if (ret_trace->count == 0) {
            reader->case_line = reader->line;
        }
        if (!read_triple(reader, line, ret_trace, ret_answers)) {
            return false;
        }
    }
    return ret_trace->count > 0;
}
