/* http_fuzz.c - any bytes as what an HTTP connection brings.
 *
 * However they come in pieces, the reader makes the same of them, within its limits and within the
 * bytes (http_transcript sees to both). Whatever it takes for a request llhttp takes for the same
 * one, and what it waits for the end of llhttp doesn't see one of; what llhttp takes beyond that is
 * listed in test/support/http_oracle.h.
 *
 * The first byte says how small the limits are, the second how the bytes are cut. Inputs of up to
 * SPLIT_MAX bytes are cut at every place, longer ones at three. */

#include "support/http_oracle.h"
#include "support/http_text.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INPUT_MAX 4096
#define SPLIT_MAX 192

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect_same(const char *expected, char *text, const char *how)
{
    if (strcmp(expected, text) != 0) {
        (void)fprintf(stderr, "whole:\n%s%s:\n%s", expected, how, text);
        abort();
    }
    free(text);
}

static void expect_same_in_two(const struct http_limits *limits, struct weir_bytes input,
                               size_t first, const char *expected)
{
    expect_same(expected,
                http_transcript(limits, input, (struct resp_feed){RESP_TWO, first, random_from(0)}),
                "in two pieces");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size > INPUT_MAX) {
        return 0;
    }
    struct http_limits limits = {0, 0, 0};
    if (data[0] > 8) {
        limits = (struct http_limits){data[0] * 2U, data[0] % 31U + 1, data[0] % 61U + 1};
    }
    const struct weir_bytes input = weir_bytes(data + 2, size - 2);
    char *whole = http_transcript(&limits, input, (struct resp_feed){.pieces = RESP_WHOLE});
    expect_same(whole, http_transcript(&limits, input, (struct resp_feed){.pieces = RESP_SINGLE}),
                "byte by byte");
    expect_same(
        whole,
        http_transcript(&limits, input, (struct resp_feed){RESP_RANDOM, 0, random_from(data[1])}),
        "in random pieces");
    const size_t step = input.len <= SPLIT_MAX ? 1 : input.len;
    for (size_t first = input.len <= SPLIT_MAX ? 1 : data[1] + 1U; first < input.len;
         first += step) {
        expect_same_in_two(&limits, input, first, whole);
    }
    free(whole);
    char *objection = http_oracle_objection(input);
    if (objection != NULL) {
        (void)fputs(objection, stderr);
        abort();
    }
    return 0;
}
