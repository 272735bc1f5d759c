/* wire.c - see wire.h. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/resp_text.h"
#include "support/wire.h"

#include <stdio.h>
#include <string.h>

/* The longest line of a file. */
#define LINE_MAX_LEN 4096

/* A file that is being read, and one case of it. */
struct reading {
    FILE *file;
    char line[LINE_MAX_LEN]; /* the first that belongs to the next case; empty at the end */
    char bytes[WIRE_CASE_MAX];
    size_t len;
    char expected[WIRE_CASE_MAX];
    size_t cases;
};

static void next_line(struct reading *reading)
{
    do {
        if (fgets(reading->line, sizeof(reading->line), reading->file) == NULL) {
            reading->line[0] = '\0';
            return;
        }
        char *end = strchr(reading->line, '\n');
        assert_non_null(end);
        *end = '\0';
    } while (reading->line[0] == '\0' || strncmp(reading->line, "# ", 2) == 0);
}

static bool is_expected(const char *line)
{
    return strncmp(line, "    ", 4) == 0;
}

/* Reads the next case; false at the end of the file. */
static bool next_case(struct reading *reading)
{
    reading->len = 0;
    size_t expected = 0;
    while (reading->line[0] != '\0' && !is_expected(reading->line)) {
        assert_true(reading->len + strlen(reading->line) <= sizeof(reading->bytes));
        reading->len += resp_text_bytes(reading->line, reading->bytes + reading->len);
        next_line(reading);
    }
    while (is_expected(reading->line)) {
        const size_t room = sizeof(reading->expected) - expected;
        const int len = snprintf(reading->expected + expected, room, "%s\n", reading->line + 4);
        assert_true(len > 0 && (size_t)len < room);
        expected += (size_t)len;
        next_line(reading);
    }
    assert_true((reading->len == 0) == (expected == 0));
    reading->cases++;
    return reading->len > 0;
}

void wire_each(const char *name, void (*look)(const struct wire_case *wire, void *context),
               void *context)
{
    struct reading reading = {.cases = 0};
    char path[256];
    (void)snprintf(path, sizeof(path), "test/wire/%s", name);
    reading.file = fopen(path, "r");
    assert_non_null(reading.file);
    next_line(&reading);
    while (next_case(&reading)) {
        const struct wire_case wire = {weir_bytes(reading.bytes, reading.len), reading.expected};
        look(&wire, context);
    }
    assert_true(feof(reading.file));
    assert_true(reading.cases > 10);
    (void)fclose(reading.file);
}
