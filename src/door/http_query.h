/* http_query.h - what stands behind the '?' of an endpoint's address (http_query.c). */

#ifndef WEIR_DOOR_HTTP_QUERY_H
#define WEIR_DOOR_HTTP_QUERY_H

#include "door/http_door.h"

struct weir_http_parameter {
    const char *name;
    bool is_number;
    uint64_t number; /* its default, and then what was given */
    uint64_t least;
    uint64_t most;
    bool given;
    struct weir_bytes text; /* %XX undone; in the desk's scratch */
};

/* Reads the request's query; false where something in it is none of these, or out of range: that
 * has then been said. */
bool weir_http_read_query(const struct weir_http_visit *visit,
                          struct weir_http_parameter *parameters, size_t count);

/* The same where there is nothing to be given. */
bool weir_http_takes_nothing(const struct weir_http_visit *visit);

/* Says that no rule has this name. */
void weir_http_say_no_rule(const struct weir_http_visit *visit, struct weir_bytes name);

#endif
