/* http_query.c - see http_query.h. */

#include "door/http_query.h"

#include "base/error.h"
#include "policy/words.h"

/* The most that an endpoint takes. */
#define PARAMETERS_MAX 8

/* Answers 400; false, so that a refusal is one statement. */
static bool say_bad(const struct weir_http_visit *visit, const struct weir_error *error)
{
    const struct weir_http_problem problem = {.status = 400, .detail = error->message};
    weir_http_say_problem(visit, &problem);
    return false;
}

static bool say_unknown(const struct weir_http_visit *visit, struct weir_bytes name,
                        const struct weir_http_parameter *parameters, size_t count)
{
    const char *names[PARAMETERS_MAX];
    struct weir_error error;
    for (size_t i = 0; i < count; i++) {
        names[i] = parameters[i].name;
    }
    const char *near = weir_word_suggest(name, names, count);
    const struct weir_quote quote = weir_word_quote(name);
    if (count == 0) {
        weir_error_set(&error, 0, 0, "nothing can be asked for here; leave out what follows the ?");
    } else {
        weir_error_set(&error, 0, 0, "`%s` can't be asked for here; `%s` can", quote.text,
                       near != NULL ? near : names[0]);
    }
    return say_bad(visit, &error);
}

static bool read_number(const struct weir_http_visit *visit, struct weir_http_parameter *parameter)
{
    uint64_t number = 0;
    bool good = parameter->text.len > 0 && parameter->text.len < 19;
    for (size_t i = 0; i < parameter->text.len && good; i++) {
        const char c = parameter->text.ptr[i];
        good = c >= '0' && c <= '9';
        number = number * 10 + (uint64_t)(c - '0');
    }
    if (!good || number < parameter->least || number > parameter->most) {
        struct weir_error error;
        weir_error_set(&error, 0, 0, "`%s` must be a whole number from %llu to %llu",
                       parameter->name, (unsigned long long)parameter->least,
                       (unsigned long long)parameter->most);
        return say_bad(visit, &error);
    }
    parameter->number = number;
    return true;
}

/* One "name=value". */
static bool read_pair(const struct weir_http_visit *visit, struct weir_bytes pair,
                      struct weir_http_parameter *parameters, size_t count)
{
    const char *equals = memchr(pair.ptr, '=', pair.len);
    const size_t name_len = equals != NULL ? (size_t)(equals - pair.ptr) : pair.len;
    const size_t value_at = equals != NULL ? name_len + 1 : pair.len;
    const struct weir_bytes name = weir_bytes(pair.ptr, name_len);
    struct weir_buffer *scratch = &visit->desk->scratch;
    size_t i = 0;
    while (i < count && !weir_http_equals(name, parameters[i].name)) {
        i++;
    }
    if (i == count) {
        return say_unknown(visit, name, parameters, count);
    }
    struct weir_http_parameter *parameter = &parameters[i];
    const size_t from = scratch->len;
    struct weir_error error;
    if (!weir_http_decode(weir_bytes(pair.ptr + value_at, pair.len - value_at), true, scratch)) {
        weir_error_set(&error, 0, 0, "`%s` has a %% without two hexadecimal digits behind it",
                       parameter->name);
        return say_bad(visit, &error);
    }
    if (parameter->given) {
        weir_error_set(&error, 0, 0, "`%s` is given twice", parameter->name);
        return say_bad(visit, &error);
    }
    parameter->given = true;
    parameter->text = weir_bytes(scratch->bytes + from, scratch->len - from);
    return !parameter->is_number || read_number(visit, parameter);
}

bool weir_http_read_query(const struct weir_http_visit *visit,
                          struct weir_http_parameter *parameters, size_t count)
{
    struct weir_bytes rest = visit->request->query;
    weir_buffer_clear(&visit->desk->scratch);
    /* So that the texts don't move. */
    if (!weir_buffer_reserve(&visit->desk->scratch, rest.len + 1)) {
        return say_bad(visit, &(struct weir_error){.message = "there is no memory left"});
    }
    while (rest.len > 0) {
        const char *end = memchr(rest.ptr, '&', rest.len);
        const size_t len = end != NULL ? (size_t)(end - rest.ptr) : rest.len;
        if (!read_pair(visit, weir_bytes(rest.ptr, len), parameters, count)) {
            return false;
        }
        const size_t past = end != NULL ? len + 1 : len;
        rest = weir_bytes(rest.ptr + past, rest.len - past);
    }
    return true;
}

bool weir_http_takes_nothing(const struct weir_http_visit *visit)
{
    return visit->request->query.len == 0 || weir_http_read_query(visit, NULL, 0);
}

void weir_http_say_no_rule(const struct weir_http_visit *visit, struct weir_bytes name)
{
    struct weir_error error;
    weir_error_set(&error, 0, 0, "no rule is named `%s`; GET /v1/rules lists those there are",
                   weir_word_quote(name).text);
    const struct weir_http_problem problem = {.status = 404, .detail = error.message};
    weir_http_say_problem(visit, &problem);
}
