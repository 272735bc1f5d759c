/* walk.h - reading a tree by what each place of it may hold (walk.c, value.c).
 *
 * Each kind of mapping is a form: a table of its keys, with what each holds, where that goes, its
 * range and its default. The tables are all there is to know: unknown keys, missing ones, ranges
 * and defaults come from them, and the tests hold the manual and the schema to them.
 *
 * Whatever is wrong is complained of and left out, so that what comes after it is still looked at.
 */

#ifndef WEIR_CONFIG_WALK_H
#define WEIR_CONFIG_WALK_H

#include "config/tree.h"
#include "policy/words.h"

enum weir_value_kind {
    WEIR_VALUE_NODE = 0, /* const struct weir_node *: looked at by whoever has the form */
    WEIR_VALUE_BOOLEAN,  /* bool */
    WEIR_VALUE_NUMBER,   /* uint32_t */
    WEIR_VALUE_DURATION, /* int64_t, microseconds */
    WEIR_VALUE_SIZE,     /* uint32_t, bytes: 64KiB */
    WEIR_VALUE_TEXT,     /* char *, not empty */
    WEIR_VALUE_CHOICE,   /* unsigned: the index of one of `words` */
    WEIR_VALUE_LIST      /* const struct weir_node *, a list */
};

struct weir_key {
    const char *name;
    enum weir_value_kind kind;
    bool required;
    size_t offset; /* of what is filled in */
    int64_t least;
    int64_t most;
    int64_t standard; /* the default */
    const char *const *words;
};

struct weir_form {
    const char *name; /* in the tests and the schema: "caps" */
    const char *what; /* in messages: "a listener" */
    bool extensions;  /* keys that begin with "x-" are passed over */
    const struct weir_key *keys;
    size_t count;
};

/* A limit that has to be freed. */
struct weir_kept_limit {
    struct weir_limit *limit;
    struct weir_kept_limit *next;
};

/* Memory of an allocator that is counted. */
struct weir_counted {
    const struct weir_allocator *from;
    struct weir_allocator allocator;
    size_t bytes;
};

/* A configuration and what it is made of. */
struct weir_owned {
    struct weir_config config; /* first, so that a configuration is one of these */
    struct weir_counted counted;
    struct weir_memory memory;
    struct weir_kept_limit *limits;
    struct weir_policy_spec policy;
};

/* A file that was read, in the order of reading. */
struct weir_read_file {
    char *path;
    const struct weir_node *root;
};

struct weir_reading;

/* What else belongs to a configuration and is read from elsewhere, after all that is in its file.
 */
struct weir_config_more {
    void (*read)(void *context, struct weir_reading *reading);
    void *context;
};

/* One reading of a configuration. */
struct weir_reading {
    const struct weir_config_source *source;
    struct weir_owned *owned;
    struct weir_memory *kept; /* the configuration's */
    struct weir_memory tree;  /* only while it is read */
    struct weir_complaints *complaints;
    struct weir_read_file files[WEIR_CONFIG_FILES_MAX];
    size_t file_count;
    char *folders[WEIR_CONFIG_FILES_MAX]; /* that patterns of include look into */
    size_t folder_count;
    uint64_t fingerprint;
    size_t visits; /* nodes looked at, through aliases too */
    bool review;
    const struct weir_config_more *more; /* NULL: nothing */
};

/* As weir_config_read_from, with `more`. */
WEIR_MUST_CHECK enum weir_status weir_config_read_with(const struct weir_config_source *source,
                                                       const char *path, bool review,
                                                       const struct weir_config_more *more,
                                                       struct weir_buffer *messages,
                                                       struct weir_config **ret_config);

/* Whether memory has run out. */
bool weir_reading_failed(const struct weir_reading *reading);

/* Fills in what `form` says of `node`'s keys in `into`, first with the defaults. `node` may be
 * NULL: defaults alone. False where something was wrong. */
bool weir_read_form(struct weir_reading *reading, const struct weir_node *node,
                    const struct weir_form *form, void *into);

/* ---- Values; each complains where it is false ---- */

/* Counts a look at a node. False once there were too many: aliases can stand for more than anybody
 * wrote. */
bool weir_read_visit(struct weir_reading *reading, const struct weir_node *node);

/* What `key` says, into `into`, of the key's own type. */
bool weir_read_value(struct weir_reading *reading, const struct weir_node *node,
                     const struct weir_key *key, void *into);

/* `what` goes before the message, as "idle". */
bool weir_read_scalar(struct weir_reading *reading, const struct weir_node *node, const char *what,
                      struct weir_bytes *ret_text);
bool weir_read_boolean(struct weir_reading *reading, const struct weir_node *node, const char *what,
                       bool *ret_value);
bool weir_read_number(struct weir_reading *reading, const struct weir_node *node,
                      const struct weir_key *key, uint64_t *ret_number);
/* A copy, in the configuration's memory. */
bool weir_read_text(struct weir_reading *reading, const struct weir_node *node, const char *what,
                    struct weir_bytes *ret_text);

/* `node` itself where it is a list, else a list of `node` alone. */
struct weir_items {
    const struct weir_entry *entries;
    struct weir_entry single;
    size_t count;
};
void weir_items_of(const struct weir_node *node, struct weir_items *items);

/* A scalar as it was written, for a message: nothing that came from the environment. */
struct weir_quote weir_node_quote(const struct weir_node *node);

/* Where the byte at `offset` of a scalar's text stands; the scalar itself where that can't be said.
 */
struct weir_origin weir_node_place(const struct weir_node *node, size_t offset);

/* A path as it was written, seen from the file in which `node` is. In the configuration's memory;
 * NULL where there is none. */
char *weir_read_path(struct weir_reading *reading, const struct weir_node *node, const char *what);

#endif
