/* json_fuzz.c - any bytes as JSON: jansson makes the same of them (json_oracle.h), and what is read
 * and written again reads as the same. */

#include "support/json_oracle.h"
#include "support/json_text.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INPUT_MAX 65536

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A name can't be written that has a NUL in it. */
static void there_and_back(struct weir_bytes input)
{
    struct weir_buffer out = {0};
    json_rewrite(input, &out);
    char *before = json_plain_transcript(input);
    char *after = json_plain_transcript(weir_buffer_bytes(&out));
    if (strcmp(before, after) != 0) {
        (void)fprintf(stderr, "read:\n%s\nthere and back:\n%s\n", before, after);
        abort();
    }
    free(before);
    free(after);
    weir_buffer_deinit(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > INPUT_MAX) {
        return 0;
    }
    const struct weir_bytes input = weir_bytes(data, size);
    const char *objection = json_oracle_objection(input);
    char *text = json_transcript(input);
    if (objection != NULL) {
        (void)fprintf(stderr, "%s:\n%s\n", objection, text);
        abort();
    }
    if (strstr(text, " bad ") == NULL && memmem(data, size, "\\u0000", 6) == NULL) {
        there_and_back(input);
    }
    free(text);
    return 0;
}
