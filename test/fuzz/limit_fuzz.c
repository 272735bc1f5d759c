/* limit_fuzz.c - any bytes as a limit's text.
 *
 * What is read must format, and its canonical text must be read back to the same limit and
 * formatted to the same bytes; its numbers must make it again. What is refused must say where,
 * within the text, and why, in bytes that print. */

#include "weir/weir.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_refusal(enum weir_status status, const struct weir_error *error, size_t size)
{
    assert(status == WEIR_ERR_LIMIT || status == WEIR_ERR_SYSTEM);
    assert(error->offset <= size && error->length <= size - error->offset);
    const char *end = memchr(error->message, '\0', sizeof(error->message));
    assert(end != NULL && end > error->message);
    for (const char *at = error->message; at < end; at++) {
        assert(*at >= ' ' && *at <= '~');
    }
}

static void check_same(const struct weir_limit *a, const struct weir_limit *b)
{
    struct weir_limit_spec left;
    struct weir_limit_spec right;
    weir_limit_describe(a, &left);
    weir_limit_describe(b, &right);
    assert(left.algorithm == right.algorithm && left.calendar == right.calendar);
    assert(left.count == right.count && left.period_us == right.period_us);
    assert(left.burst == right.burst && left.block_us == right.block_us);
    assert(strcmp(left.zone, right.zone) == 0);
    char left_text[WEIR_TEXT_MAX];
    char right_text[WEIR_TEXT_MAX];
    if (weir_limit_format(a, left_text, sizeof(left_text), NULL) != WEIR_OK ||
        weir_limit_format(b, right_text, sizeof(right_text), NULL) != WEIR_OK ||
        strcmp(left_text, right_text) != 0) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct weir_limit *limit = NULL;
    struct weir_error error = {0};
    const enum weir_status status = weir_limit_parse(weir_bytes(data, size), NULL, &limit, &error);
    if (status != WEIR_OK) {
        assert(limit == NULL);
        check_refusal(status, &error, size);
        return 0;
    }
    char text[WEIR_TEXT_MAX];
    struct weir_limit *again = NULL;
    if (weir_limit_format(limit, text, sizeof(text), NULL) != WEIR_OK ||
        weir_limit_parse(weir_text(text), NULL, &again, NULL) != WEIR_OK) {
        abort();
    }
    check_same(limit, again);
    weir_limit_free(again);

    struct weir_limit_spec spec;
    weir_limit_describe(limit, &spec);
    if (weir_limit_new(&spec, NULL, &again, NULL) != WEIR_OK) {
        abort();
    }
    check_same(limit, again);
    weir_limit_free(again);
    weir_limit_free(limit);
    return 0;
}
