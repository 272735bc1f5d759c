/* tree.h - a YAML file as a tree whose nodes know where they were written (tree.c, over libyaml).
 *
 * Every scalar is text: what a number or a truth is, is for whoever reads it to say, so that none
 * of YAML's guesses (no, 010, 1:30) ever comes between. An alias is the node that it stands for, so
 * the tree is one in which branches may be shared, but never a circle. A merge key (<<) is already
 * carried out, and the mapping's own keys come before those that it brought.
 *
 * Invariant: a mapping has each key once, and keys are scalars. */

#ifndef WEIR_CONFIG_TREE_H
#define WEIR_CONFIG_TREE_H

#include "config/complaints.h"
#include "config/source.h"

/* Nodes of one file, those that merge keys bring included. */
#define WEIR_NODES_MAX 4000000
/* Anchors (&NAME) of one file. */
#define WEIR_ANCHORS_MAX 1024

enum weir_node_kind {
    WEIR_NODE_SCALAR = 0,
    WEIR_NODE_LIST,
    WEIR_NODE_MAP
};

struct weir_entry;

struct weir_node {
    enum weir_node_kind kind;
    bool plain;    /* a scalar without quotes */
    bool exact;    /* a scalar whose bytes stand in the file one by one, from `text_column` on */
    bool expanded; /* something came from the environment: a message shows `raw` */
    struct weir_origin origin;
    uint32_t text_column;
    struct weir_bytes text; /* after ${}; NUL-terminated */
    struct weir_bytes raw;  /* before it */
    struct weir_entry *entries;
    struct weir_entry *last;
    size_t count;
};

/* A member of a list (no key) or of a mapping. */
struct weir_entry {
    const struct weir_node *key;
    const struct weir_node *value;
    struct weir_entry *next;
};

/* What a tree is made of, and where complaints go. */
struct weir_tree_spec {
    struct weir_bytes bytes;
    uint32_t file;
    const struct weir_config_source *source;
    struct weir_memory *memory;
    struct weir_complaints *complaints;
    uint64_t *fingerprint; /* of what came from the environment: added */
    bool verbatim;         /* ${} is no more than text */
};

/* The tree, or NULL where there is none, of which was complained (or memory ran out). What is
 * wrong inside of a tree is complained of and left out. */
struct weir_node *weir_tree_read(const struct weir_tree_spec *spec);

/* Adds `bytes` to a hash that is begun with 0. */
uint64_t weir_fingerprint_add(uint64_t fingerprint, struct weir_bytes bytes);

/* ---- expand.c ---- */

/* Replaces ${NAME} and ${NAME:-default} in `raw` by the environment's values, and $${ by ${. False
 * where one can't be, of which was complained. */
bool weir_expand(const struct weir_tree_spec *spec, struct weir_node *node, struct weir_bytes raw);

/* ---- merge.c ---- */

/* Ends a mapping: carries out its merge keys and refuses keys that are there twice. `nodes` counts
 * what it has now. False without memory. */
bool weir_map_finish(const struct weir_tree_spec *spec, struct weir_node *map, size_t *nodes);

#endif
