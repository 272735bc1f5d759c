/* look.c - see look.h. Members that are not known are passed over, so that a newer server may say
 * more. */

#include "cli/look.h"

#include "cli/wait.h"
#include "json/json.h"

#include <stdio.h>
#include <string.h>

static bool is_text(struct weir_bytes text, const char *expected)
{
    return text.len == strlen(expected) && memcmp(text.ptr, expected, text.len) == 0;
}

static bool read_text(struct weir_json_reader *reader, struct weir_bytes *ret_text)
{
    if (weir_json_next(reader) != WEIR_JSON_STRING) {
        return false;
    }
    *ret_text = reader->text;
    return true;
}

static bool read_whole(struct weir_json_reader *reader, uint64_t *ret_number)
{
    return weir_json_next(reader) == WEIR_JSON_NUMBER && weir_json_whole(reader->text, ret_number);
}

static bool pass_over(struct weir_json_reader *reader)
{
    const enum weir_json_token token = weir_json_next(reader);
    return token != WEIR_JSON_BAD && token != WEIR_JSON_END && weir_json_skip(reader);
}

/* An offender, behind its '{'. */
static bool read_offender(struct weir_json_reader *reader, struct cli_look_row *row)
{
    bool key = false;
    bool denied = false;
    bool good = true;
    enum weir_json_token token = weir_json_next(reader);
    for (; good && token == WEIR_JSON_NAME; token = weir_json_next(reader)) {
        if (is_text(reader->text, "key")) {
            good = key = read_text(reader, &row->key);
        } else if (is_text(reader->text, "denied")) {
            good = denied = read_whole(reader, &row->denied);
        } else if (is_text(reader->text, "error")) {
            good = read_whole(reader, &row->error);
        } else {
            good = pass_over(reader);
        }
    }
    return good && token == WEIR_JSON_OBJECT_END && key && denied && row->error <= row->denied;
}

static bool read_offenders(struct weir_json_reader *reader, struct cli_look *look)
{
    if (weir_json_next(reader) != WEIR_JSON_ARRAY) {
        return false;
    }
    enum weir_json_token token = weir_json_next(reader);
    for (; token == WEIR_JSON_OBJECT; token = weir_json_next(reader)) {
        struct cli_look_row row = {.error = 0};
        if (!read_offender(reader, &row)) {
            return false;
        }
        if (look->count < CLI_LOOK_MAX) {
            look->rows[look->count++] = row;
        }
    }
    return token == WEIR_JSON_ARRAY_END;
}

/* A rule, behind its '{'. */
static bool read_rule(struct weir_json_reader *reader, struct cli_look *look)
{
    struct weir_bytes rule = weir_bytes("", 0);
    const size_t first = look->count;
    bool good = true;
    enum weir_json_token token = weir_json_next(reader);
    for (; good && token == WEIR_JSON_NAME; token = weir_json_next(reader)) {
        if (is_text(reader->text, "rule")) {
            good = read_text(reader, &rule);
        } else if (is_text(reader->text, "offenders")) {
            good = read_offenders(reader, look);
        } else {
            good = pass_over(reader);
        }
    }
    for (size_t i = first; i < look->count; i++) {
        look->rows[i].rule = rule;
    }
    return good && token == WEIR_JSON_OBJECT_END;
}

static bool read_rules(struct weir_json_reader *reader, struct cli_look *look)
{
    if (weir_json_next(reader) != WEIR_JSON_ARRAY) {
        return false;
    }
    enum weir_json_token token = weir_json_next(reader);
    for (; token == WEIR_JSON_OBJECT; token = weir_json_next(reader)) {
        if (!read_rule(reader, look)) {
            return false;
        }
    }
    return token == WEIR_JSON_ARRAY_END;
}

static bool read_body(struct cli_look *look)
{
    struct weir_json_reader reader;
    bool top = false;
    bool good = true;
    look->count = 0;
    look->at = weir_bytes("", 0);
    weir_json_begin(&reader, look->answer.body, &look->texts);
    if (weir_json_next(&reader) != WEIR_JSON_OBJECT) {
        return false;
    }
    enum weir_json_token token = weir_json_next(&reader);
    for (; good && token == WEIR_JSON_NAME; token = weir_json_next(&reader)) {
        if (is_text(reader.text, "top")) {
            good = top = read_rules(&reader, look);
        } else if (is_text(reader.text, "at")) {
            good = read_text(&reader, &look->at);
        } else {
            good = pass_over(&reader);
        }
    }
    return good && top && token == WEIR_JSON_OBJECT_END && weir_json_next(&reader) == WEIR_JSON_END;
}

/* ---- What a refusal says ---- */

/* The member "detail", or else "title", of a problem of RFC 9457; empty where there is none. */
static struct weir_bytes read_problem(struct cli_look *look)
{
    struct weir_json_reader reader;
    struct weir_bytes found = weir_bytes("", 0);
    bool detail = false;
    weir_json_begin(&reader, look->answer.body, &look->texts);
    if (weir_json_next(&reader) != WEIR_JSON_OBJECT) {
        return found;
    }
    while (weir_json_next(&reader) == WEIR_JSON_NAME) {
        const bool is_detail = is_text(reader.text, "detail");
        const bool is_meant = is_detail || (!detail && is_text(reader.text, "title"));
        const enum weir_json_token value = weir_json_next(&reader);
        if (is_meant && value == WEIR_JSON_STRING) {
            found = reader.text;
            detail = is_detail;
        }
        if (value == WEIR_JSON_BAD || value == WEIR_JSON_END || !weir_json_skip(&reader)) {
            break;
        }
    }
    return found;
}

/* What a stranger says goes to a terminal as letters alone. */
static void make_harmless(char *text)
{
    for (char *c = text; *c != '\0'; c++) {
        *c = *c >= ' ' && *c <= '~' ? *c : '?';
    }
}

static void say_refusal(const struct cli_http_question *question, struct cli_look *look)
{
    struct cli_http_answer *answer = &look->answer;
    const struct weir_bytes problem = read_problem(look);
    const bool token = answer->status == 401 || answer->status == 403;
    (void)snprintf(answer->message, sizeof(answer->message), "%.80s: status %u%s%.*s%s",
                   question->place->shown, answer->status, problem.len > 0 ? ": " : "",
                   (int)(problem.len < 80 ? problem.len : 80), problem.len > 0 ? problem.ptr : "",
                   token ? "; it wants a token with the right to read: --token-file" : "");
    make_harmless(answer->message);
}

/* ---- All of it ---- */

enum cli_http_result cli_look(const struct cli_http_question *question, struct cli_look *look)
{
    look->count = 0;
    look->came_us = 0;
    const enum cli_http_result result = cli_http_ask(question, &look->answer);
    if (result != CLI_HTTP_ANSWERED) {
        return result;
    }
    if (look->answer.status != 200) {
        say_refusal(question, look);
        return CLI_HTTP_FAILED;
    }
    if (!read_body(look)) {
        look->count = 0;
        (void)snprintf(look->answer.message, sizeof(look->answer.message),
                       "%.80s: this is no weir: it answers with something else than a list of "
                       "offenders",
                       question->place->shown);
        return CLI_HTTP_FAILED;
    }
    look->came_us = cli_monotonic_us();
    return CLI_HTTP_ANSWERED;
}

static bool same(struct weir_bytes a, struct weir_bytes b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

bool cli_look_rate(const struct cli_look *look, const struct cli_look *before, size_t row,
                   uint64_t *ret_tenths)
{
    const struct cli_look_row *now = &look->rows[row];
    const int64_t past_us = look->came_us - before->came_us;
    if (before->came_us == 0 || past_us <= 0) {
        return false;
    }
    for (size_t i = 0; i < before->count; i++) {
        const struct cli_look_row *then = &before->rows[i];
        if (same(then->key, now->key) && same(then->rule, now->rule)) {
            const uint64_t more = now->denied - then->denied;
            const bool known = now->denied >= then->denied && more < UINT64_MAX / 10000000;
            *ret_tenths = known ? more * 10000000 / (uint64_t)past_us : 0;
            return known;
        }
    }
    return false;
}

void cli_look_deinit(struct cli_look *look)
{
    cli_http_answer_deinit(&look->answer);
    weir_buffer_deinit(&look->texts);
}
