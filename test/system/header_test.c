/* header_test.c - a program that has nothing but the public headers: it must compile without a
 * warning as C99 and, through header_test.cpp, as C++17, and do the same in both. */

#include "weir/redis.h"
#include "weir/store.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

int main(void)
{
    struct weir_limit_spec spec;
    struct weir_decision decision;
    struct weir_bytes bytes = weir_text("user123");

    memset(&spec, 0, sizeof(spec));
    memset(&decision, 0, sizeof(decision));
    spec.algorithm = WEIR_FIXED_WINDOW;
    decision.retry_after_us = WEIR_NEVER;
    spec.calendar = WEIR_CALENDAR_EPOCH;
    assert((int)spec.calendar == 7); /* The numbers are the ABI. */

    assert(bytes.len == 7 && memcmp(bytes.ptr, "user123", 7) == 0);
    assert(weir_bytes(NULL, 0).len == 0);
    assert(strcmp(weir_version(), WEIR_VERSION) == 0);
    assert(strcmp(weir_status_name(WEIR_ERR_LIMIT), "WEIR_ERR_LIMIT") == 0);
    assert(strlen(weir_strerror(WEIR_OK)) > 0);

    /* The version is written twice in the header, and once in meson.build. */
    char numbers[32];
    (void)snprintf(numbers, sizeof(numbers), "%d.%d.%d", WEIR_VERSION_MAJOR, WEIR_VERSION_MINOR,
                   WEIR_VERSION_PATCH);
    assert(strcmp(numbers, WEIR_VERSION) == 0);
    assert(strcmp(WEIR_BUILD_VERSION, WEIR_VERSION) == 0);
    return 0;
}
