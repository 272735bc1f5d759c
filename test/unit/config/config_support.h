/* config_support.h - configurations from files that are in memory. */

#ifndef WEIR_TEST_UNIT_CONFIG_SUPPORT_H
#define WEIR_TEST_UNIT_CONFIG_SUPPORT_H

#include "config/source.h"

#define TEXT_FILES_MAX 300

/* A file, or a variable of the environment. `is` is a path: two with the same are one file. */
struct text_file {
    const char *name;
    const char *text;
    const char *is; /* NULL: its name */
};

struct texts {
    struct text_file files[TEXT_FILES_MAX];
    struct text_file variables[8];
};

/* Reads "weir.yaml" of them; what was said goes to `ret_messages`, to be freed. */
enum weir_status read_texts(const struct texts *texts, bool review, char **ret_messages,
                            struct weir_config **ret_config);

/* The same with an allocator. */
enum weir_status read_texts_with(const struct texts *texts, const struct weir_allocator *allocator,
                                 struct weir_buffer *messages, struct weir_config **ret_config);

/* Reads one file that is good. The test ends where it is not. */
struct weir_config *read_good(const char *text);

/* Reads one file, which must be refused with just these lines, in which "weir.yaml:" and "error: "
 * are left out: "3:5: unknown key 'x'; ...\n". */
void read_bad(const char *text, const char *expected);

/* What is read must give just these lines, whole. */
void expect_messages(const struct texts *texts, bool review, enum weir_status status,
                     const char *expected);

#endif
