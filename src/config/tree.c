/* tree.c - libyaml's events, made a tree; see tree.h.
 *
 * The path from the root to what is being read is a stack of at most WEIR_CONFIG_DEPTH_MAX nodes:
 * no recursion, however the file is nested. libyaml looks ahead over at most 1024 characters of one
 * line to know whether something is a key, so neither does it go on without bound.
 *
 * libyaml counts lines and columns from 0, and columns in characters. */

#include "config/tree.h"

#include "base/hash.h"
#include "policy/words.h"

#include <string.h>
#include <yaml.h>

struct anchor {
    char *name;
    struct weir_node *node;
    bool whole; /* what it stands for has ended */
};

struct builder {
    const struct weir_tree_spec *spec;
    yaml_parser_t parser;
    struct weir_node *path[WEIR_CONFIG_DEPTH_MAX];
    const struct weir_node *keys[WEIR_CONFIG_DEPTH_MAX]; /* of a mapping: waits for its value */
    size_t depth;
    struct weir_node *root;
    struct anchor anchors[WEIR_ANCHORS_MAX];
    size_t anchor_count;
    size_t nodes;
    unsigned documents;
    bool stopped; /* there is no use in reading on */
};

uint64_t weir_fingerprint_add(uint64_t fingerprint, struct weir_bytes bytes)
{
    /* No secret: two machines with the same files are to find the same number. */
    const struct weir_secret nothing_up_my_sleeve = {UINT64_C(0x7765697220636f6e),
                                                     UINT64_C(0x6669672076310000)};
    return weir_hash(&nothing_up_my_sleeve, fingerprint, bytes);
}

static struct weir_origin origin_of(const struct builder *builder, const yaml_mark_t *mark)
{
    return (struct weir_origin){builder->spec->file, (uint32_t)mark->line + 1,
                                (uint32_t)mark->column + 1};
}

static void stop(struct builder *builder, struct weir_origin origin, const char *message)
{
    weir_complain(builder->spec->complaints, origin, "%s", message);
    builder->stopped = true;
}

/* ---- What is no YAML ---------------------------------------------------------------------- */

/* Line and column of a byte. */
static struct weir_origin place_of_byte(const struct builder *builder, size_t offset)
{
    struct weir_origin origin = {builder->spec->file, 1, 1};
    const struct weir_bytes bytes = builder->spec->bytes;
    for (size_t i = 0; i < offset && i < bytes.len; i++) {
        const bool line = bytes.ptr[i] == '\n';
        const bool more = ((unsigned char)bytes.ptr[i] & 0xc0) == 0x80;
        origin.line += line ? 1 : 0;
        origin.column = line ? 1 : origin.column + (more ? 0 : 1);
    }
    return origin;
}

/* What to write instead, for the mistakes that libyaml's words don't explain. */
static const char *advice(const struct builder *builder, const char *problem)
{
    const size_t index = builder->parser.problem_mark.index;
    const struct weir_bytes bytes = builder->spec->bytes;
    const char c = index < bytes.len ? bytes.ptr[index] : '\0';
    if (strstr(problem, "cannot start any token") != NULL && c == '\t') {
        return ": a tab can't indent; write blanks";
    }
    if (strstr(problem, "cannot start any token") != NULL) {
        return ": put the text in quotes";
    }
    if (strstr(problem, "mapping values are not allowed") != NULL) {
        return ": a text with ': ' in it, or ':' at its end, goes in quotes; else look at the "
               "indentation";
    }
    if (strstr(problem, "expected key") != NULL || strstr(problem, "block end") != NULL ||
        strstr(problem, "'-' indicator") != NULL) {
        return ": look at the indentation of this line and of those before it";
    }
    if (strstr(problem, "expected node content") != NULL) {
        return "; a text that begins with a sign, as ::1, goes in quotes here";
    }
    if (strstr(problem, "expected ','") != NULL) {
        return "; a text with any of { } [ ] , in it, as ${NAME}, goes in quotes here";
    }
    return "";
}

static void complain_syntax(struct builder *builder)
{
    const yaml_parser_t *parser = &builder->parser;
    const char *problem = parser->problem != NULL ? parser->problem : "it can't be read";
    if (parser->error == YAML_MEMORY_ERROR) {
        builder->spec->memory->failed = true;
    } else if (parser->error == YAML_READER_ERROR) {
        weir_complain(builder->spec->complaints, place_of_byte(builder, parser->problem_offset),
                      "this is no text: %s; write UTF-8 without control characters", problem);
    } else if (parser->context != NULL && strncmp(parser->context, "while parsing", 13) == 0) {
        weir_complain(builder->spec->complaints, origin_of(builder, &parser->problem_mark),
                      "this is no YAML: %s %s that starts in line %zu%s", problem, parser->context,
                      parser->context_mark.line + 1, advice(builder, problem));
    } else {
        weir_complain(builder->spec->complaints, origin_of(builder, &parser->problem_mark),
                      "this is no YAML: %s%s", problem, advice(builder, problem));
    }
    builder->stopped = true;
}

/* ---- Nodes -------------------------------------------------------------------------------- */

static bool count_nodes(struct builder *builder, struct weir_origin origin)
{
    if (builder->nodes <= WEIR_NODES_MAX) {
        return true;
    }
    stop(builder, origin,
         "this file has more than 4000000 values, with those that '<<' brings; split it");
    return false;
}

_Static_assert(WEIR_NODES_MAX == 4000000, "the message above says so");

static struct weir_node *new_node(struct builder *builder, enum weir_node_kind kind,
                                  const yaml_event_t *event)
{
    builder->nodes++;
    if (!count_nodes(builder, origin_of(builder, &event->start_mark))) {
        return NULL;
    }
    struct weir_node *node = weir_memory_take(builder->spec->memory, 1, sizeof(*node));
    if (node != NULL) {
        node->kind = kind;
        node->origin = origin_of(builder, &event->start_mark);
        node->text = weir_bytes("", 0);
        node->raw = node->text;
    }
    return node;
}

static void refuse_tag(struct builder *builder, const yaml_char_t *tag, struct weir_origin origin)
{
    if (tag != NULL) {
        const struct weir_quote quote = weir_word_quote(weir_text((const char *)tag));
        weir_complain(builder->spec->complaints, origin,
                      "the tag '%s' has no meaning here; leave it out", quote.text);
    }
}

static void add_anchor(struct builder *builder, const yaml_char_t *name, struct weir_node *node)
{
    if (name == NULL) {
        return;
    }
    if (builder->anchor_count == WEIR_ANCHORS_MAX) {
        stop(builder, node->origin, "a file has at most 1024 anchors (&NAME)");
        return;
    }
    struct anchor *anchor = &builder->anchors[builder->anchor_count];
    anchor->name = weir_memory_copy(builder->spec->memory, weir_text((const char *)name));
    anchor->node = node;
    anchor->whole = node->kind == WEIR_NODE_SCALAR;
    builder->anchor_count += anchor->name != NULL ? 1 : 0;
}

_Static_assert(WEIR_ANCHORS_MAX == 1024, "the message above says so");

/* The last of this name, as YAML has it. */
static struct weir_node *find_alias(struct builder *builder, const yaml_event_t *event)
{
    const char *name = (const char *)event->data.alias.anchor;
    for (size_t i = builder->anchor_count; i-- > 0;) {
        const struct anchor *anchor = &builder->anchors[i];
        if (strcmp(anchor->name, name) == 0 && anchor->whole) {
            return anchor->node;
        }
        if (strcmp(anchor->name, name) == 0) {
            stop(builder, origin_of(builder, &event->start_mark),
                 "this alias stands within what it stands for: that would never end");
            return NULL;
        }
    }
    const struct weir_quote quote = weir_word_quote(weir_text(name));
    weir_complain(builder->spec->complaints, origin_of(builder, &event->start_mark),
                  "there is no anchor &%s before this", quote.text);
    builder->stopped = true;
    return NULL;
}

static size_t count_characters(struct weir_bytes bytes)
{
    size_t count = 0;
    for (size_t i = 0; i < bytes.len; i++) {
        count += ((unsigned char)bytes.ptr[i] & 0xc0) != 0x80;
    }
    return count;
}

static struct weir_node *read_scalar(struct builder *builder, const yaml_event_t *event)
{
    struct weir_node *node = new_node(builder, WEIR_NODE_SCALAR, event);
    if (node == NULL) {
        return NULL;
    }
    const struct weir_bytes raw = weir_bytes(event->data.scalar.value, event->data.scalar.length);
    const yaml_scalar_style_t style = event->data.scalar.style;
    const size_t quote = style == YAML_PLAIN_SCALAR_STYLE ? 0 : 1;
    node->plain = style == YAML_PLAIN_SCALAR_STYLE;
    node->exact =
        style != YAML_LITERAL_SCALAR_STYLE && style != YAML_FOLDED_SCALAR_STYLE &&
        event->start_mark.line == event->end_mark.line &&
        event->end_mark.column - event->start_mark.column == count_characters(raw) + 2 * quote;
    node->text_column = node->origin.column + (uint32_t)quote;
    refuse_tag(builder, event->data.scalar.tag, node->origin);
    if (memchr(raw.ptr, '\0', raw.len) != NULL) {
        weir_complain(builder->spec->complaints, node->origin,
                      "a NUL byte can't be in a text; leave it out");
    }
    /* A key is a name, not a value. */
    const bool is_key = builder->depth > 0 &&
                        builder->path[builder->depth - 1]->kind == WEIR_NODE_MAP &&
                        builder->keys[builder->depth - 1] == NULL;
    if (is_key || builder->spec->verbatim) {
        const char *copy = weir_memory_copy(builder->spec->memory, raw);
        node->text = weir_bytes(copy != NULL ? copy : "", copy != NULL ? raw.len : 0);
        node->raw = node->text;
    } else {
        (void)weir_expand(builder->spec, node, raw);
    }
    add_anchor(builder, event->data.scalar.anchor, node);
    return node;
}

/* ---- The tree ----------------------------------------------------------------------------- */

static void append(struct builder *builder, struct weir_node *parent, const struct weir_node *key,
                   const struct weir_node *value)
{
    struct weir_entry *entry = weir_memory_take(builder->spec->memory, 1, sizeof(*entry));
    if (entry == NULL) {
        return;
    }
    entry->key = key;
    entry->value = value;
    if (parent->last != NULL) {
        parent->last->next = entry;
    } else {
        parent->entries = entry;
    }
    parent->last = entry;
    parent->count++;
}

/* Puts a node where it stands: as the root, in a list, as a key, or as its value. */
static void place(struct builder *builder, struct weir_node *node)
{
    if (builder->depth == 0) {
        builder->root = node;
        return;
    }
    struct weir_node *parent = builder->path[builder->depth - 1];
    const struct weir_node **key = &builder->keys[builder->depth - 1];
    if (parent->kind == WEIR_NODE_LIST) {
        append(builder, parent, NULL, node);
    } else if (*key != NULL) {
        append(builder, parent, *key, node);
        *key = NULL;
    } else if (node->kind == WEIR_NODE_SCALAR) {
        *key = node;
    } else {
        stop(builder, node->origin, "a key is a word, not a list or a mapping");
    }
}

static void open_node(struct builder *builder, enum weir_node_kind kind, const yaml_event_t *event)
{
    const bool list = kind == WEIR_NODE_LIST;
    if (builder->depth == WEIR_CONFIG_DEPTH_MAX) {
        stop(builder, origin_of(builder, &event->start_mark),
             "this is nested more than 32 levels deep; nothing here needs that");
        return;
    }
    struct weir_node *node = new_node(builder, kind, event);
    if (node == NULL) {
        return;
    }
    refuse_tag(builder, list ? event->data.sequence_start.tag : event->data.mapping_start.tag,
               node->origin);
    add_anchor(builder, list ? event->data.sequence_start.anchor : event->data.mapping_start.anchor,
               node);
    place(builder, node);
    builder->keys[builder->depth] = NULL;
    builder->path[builder->depth++] = node;
}

_Static_assert(WEIR_CONFIG_DEPTH_MAX == 32, "the message above says so");

static void close_node(struct builder *builder)
{
    struct weir_node *node = builder->path[--builder->depth];
    if (node->kind == WEIR_NODE_MAP && weir_map_finish(builder->spec, node, &builder->nodes)) {
        (void)count_nodes(builder, node->origin);
    }
    for (size_t i = builder->anchor_count; i-- > 0;) {
        if (builder->anchors[i].node == node) {
            builder->anchors[i].whole = true;
        }
    }
}

static void take_alias(struct builder *builder, const yaml_event_t *event)
{
    struct weir_node *node = find_alias(builder, event);
    builder->nodes++;
    if (node != NULL && count_nodes(builder, node->origin)) {
        place(builder, node);
    }
}

static void take_document(struct builder *builder, const yaml_event_t *event)
{
    builder->documents++;
    if (builder->documents == 2) {
        stop(builder, origin_of(builder, &event->start_mark),
             "a second document ('---') begins here; one file has one");
    }
}

static void take(struct builder *builder, const yaml_event_t *event)
{
    struct weir_node *scalar;
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        take_document(builder, event);
        break;
    case YAML_SCALAR_EVENT:
        scalar = read_scalar(builder, event);
        if (scalar != NULL) {
            place(builder, scalar);
        }
        break;
    case YAML_ALIAS_EVENT:
        take_alias(builder, event);
        break;
    case YAML_SEQUENCE_START_EVENT:
        open_node(builder, WEIR_NODE_LIST, event);
        break;
    case YAML_MAPPING_START_EVENT:
        open_node(builder, WEIR_NODE_MAP, event);
        break;
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        close_node(builder);
        break;
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    case YAML_DOCUMENT_END_EVENT:
        break;
    }
}

static void read_events(struct builder *builder)
{
    bool over = false;
    while (!over && !builder->stopped && !builder->spec->memory->failed) {
        yaml_event_t event;
        if (yaml_parser_parse(&builder->parser, &event) == 0) {
            complain_syntax(builder);
            return;
        }
        over = event.type == YAML_STREAM_END_EVENT;
        take(builder, &event);
        yaml_event_delete(&event);
    }
}

struct weir_node *weir_tree_read(const struct weir_tree_spec *spec)
{
    struct builder *builder = weir_memory_take(spec->memory, 1, sizeof(*builder));
    if (builder == NULL) {
        return NULL;
    }
    builder->spec = spec;
    if (yaml_parser_initialize(&builder->parser) == 0) {
        spec->memory->failed = true;
        return NULL;
    }
    yaml_parser_set_encoding(&builder->parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(
        &builder->parser, (const unsigned char *)(spec->bytes.len > 0 ? spec->bytes.ptr : ""),
        spec->bytes.len);
    read_events(builder);
    yaml_parser_delete(&builder->parser);
    if (builder->stopped || spec->memory->failed) {
        return NULL;
    }
    if (builder->root == NULL ||
        (builder->root->kind == WEIR_NODE_SCALAR && builder->root->text.len == 0)) {
        const struct weir_origin start = {spec->file, 1, 1};
        weir_complain(spec->complaints, start, "there is nothing in this file; write rules");
        return NULL;
    }
    return builder->root;
}
