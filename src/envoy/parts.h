/* parts.h - what the folder's files share: envoy.c reads the whole, variables.c the environment,
 * store.c the store that it names, descriptors.c a file's rules, scalar.c values as YAML 1.1 has
 * them, metadata.c free maps. See envoy.h. */

#ifndef WEIR_ENVOY_PARTS_H
#define WEIR_ENVOY_PARTS_H

#include "config/parts.h"
#include "envoy/envoy.h"
#include "rls/rls.h"

/* ---- variables.c --------------------------------------------------------------------------- */

/* What weir does with a variable of envoyproxy/ratelimit. */
enum weir_variable_use {
    WEIR_VARIABLE_HONOURED = 0,
    WEIR_VARIABLE_IGNORED, /* with a warning where it is set to what is not its default */
    WEIR_VARIABLE_REFUSED  /* likewise an error */
};

struct weir_variable {
    const char *name;
    enum weir_variable_use use;
    const char *standard; /* the default: set to it, it says nothing */
    const char *why;      /* how it is honoured, or why not; for messages and the manual */
};
extern const struct weir_variable weir_variables[];
extern const size_t weir_variable_count;

/* What the environment says, beside what becomes a configuration's text. */
struct weir_envoy_settings {
    struct weir_rls_settings rls;
    bool merge_domains;
    bool failed;               /* there was something wrong */
    struct weir_buffer folder; /* of the files, where the environment names it; NUL-terminated */
};

/* Reads the environment: the text of a configuration of weir's is appended to `config`, complaints
 * as whole lines to `messages`. Texts of `ret_settings` are the environment's. */
void weir_envoy_variables(const struct weir_config_source *source, struct weir_buffer *config,
                          struct weir_buffer *messages, struct weir_envoy_settings *ret_settings);

/* A variable's value; NULL: not set, or empty. */
const char *weir_envoy_variable(const struct weir_config_source *source, const char *name);

/* One value, complained of in `messages`. */
struct weir_variables {
    const struct weir_config_source *source;
    struct weir_buffer *messages;
    bool failed;
};
__attribute__((format(printf, 3, 4))) void weir_variable_complain(struct weir_variables *variables,
                                                                  const char *name,
                                                                  const char *format, ...);
bool weir_variable_truth(struct weir_variables *variables, const char *name);

/* "1.5s", "300ms", "1m30s" as Go has them; microseconds. */
bool weir_go_duration(const char *text, int64_t *ret_us);

/* A text of YAML in double quotes, in which ${ is no variable. */
void weir_put_quoted(struct weir_buffer *out, const char *text);

/* ---- store.c ------------------------------------------------------------------------------- */

/* How long a decision may wait for the store: a caller may give it less, and not more. */
int64_t weir_envoy_timeout_ms(struct weir_variables *variables);

/* Appends the store's URL. */
void weir_envoy_store(struct weir_variables *variables, struct weir_buffer *url);

/* ---- descriptors.c ------------------------------------------------------------------------- */

/* A domain that has been read, of one file or of several. */
struct weir_envoy_domain {
    struct weir_rls_domain_spec spec;
    struct weir_rls_node_spec *children; /* those of `spec` */
    struct weir_origin *origins;         /* where each of them stands */
};

struct weir_envoy_domains {
    struct weir_envoy_domain *list;
    size_t count;
    size_t room;
    size_t rules;
};

/* Reads a file's root. What is wrong is complained of. */
void weir_envoy_read_root(struct weir_reading *reading, const struct weir_node *root,
                          bool merge_domains, struct weir_envoy_domains *domains);

/* ---- scalar.c ------------------------------------------------------------------------------ */

/* Which kind of value a scalar is, to YAML 1.1 as go-yaml reads it. */
enum weir_scalar {
    WEIR_SCALAR_TEXT = 0,
    WEIR_SCALAR_NULL,
    WEIR_SCALAR_BOOLEAN,
    WEIR_SCALAR_WHOLE,
    WEIR_SCALAR_FLOAT,
    WEIR_SCALAR_TIME
};
struct weir_scalar_value {
    enum weir_scalar kind;
    bool boolean;
    bool negative;
    bool too_large; /* a whole number past 2^64 */
    uint64_t whole;
    double number; /* of WHOLE and FLOAT */
};
void weir_scalar_read(const struct weir_node *node, struct weir_scalar_value *ret_value);

/* ---- metadata.c ---------------------------------------------------------------------------- */

/* A free map; NULL: it is empty, or there was something wrong. */
const struct weir_rls_value *weir_envoy_metadata(struct weir_reading *reading,
                                                 const struct weir_node *node);

#endif
