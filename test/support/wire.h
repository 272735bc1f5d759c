/* wire.h - the cases of test/wire, whose README.md says how they are written. */

#ifndef WEIR_TEST_SUPPORT_WIRE_H
#define WEIR_TEST_SUPPORT_WIRE_H

#include "weir/weir.h"

/* The most that a case comes to, as bytes or as what is expected of them. */
#define WIRE_CASE_MAX 32768

struct wire_case {
    struct weir_bytes bytes;
    const char *expected; /* lines, each with its end */
};

/* Calls `look` with each case of the file test/wire/NAME. For cmocka: it fails where there is no
 * such file, or hardly a case in it. */
void wire_each(const char *name, void (*look)(const struct wire_case *wire, void *context),
               void *context);

#endif
