/* complaints.h - all that is wrong with a configuration, kept until it can be said in order
 * (complaints.c). */

#ifndef WEIR_CONFIG_COMPLAINTS_H
#define WEIR_CONFIG_COMPLAINTS_H

#include "base/buffer.h"
#include "config/memory.h"
#include "rules/rules.h"

/* Past it they are only counted. */
#define WEIR_COMPLAINTS_MAX 200

#define WEIR_COMPLAINT_TEXT_MAX 512

struct weir_complaint {
    struct weir_origin origin;
    bool warning;
    unsigned order;
    const char *text;
};

struct weir_complaints {
    struct weir_memory memory;
    struct weir_complaint list[WEIR_COMPLAINTS_MAX];
    size_t count;
    size_t errors; /* also those past the list's end */
    size_t left_out;
};

__attribute__((format(printf, 3, 4))) void weir_complain(struct weir_complaints *complaints,
                                                         struct weir_origin origin,
                                                         const char *format, ...);
__attribute__((format(printf, 3, 4))) void weir_warn(struct weir_complaints *complaints,
                                                     struct weir_origin origin, const char *format,
                                                     ...);

/* As whole lines, in the order of files, lines and columns. `files` has a path for each number of a
 * file. */
void weir_complaints_write(struct weir_complaints *complaints, char *const *files,
                           struct weir_buffer *messages);

#endif
