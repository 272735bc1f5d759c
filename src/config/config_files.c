/* config_files.c - a file and those that it includes; see parts.h.
 *
 * A file is read when it is first named, and once: which file it is, is asked of the system, not of
 * its path. One that is named by a file that it includes itself would never end, and is refused. */

#include "config/parts.h"

#include <stdio.h>
#include <string.h>

/* A file that is being read, and whose include brought it. */
struct link {
    const struct link *above;
    struct weir_file_facts facts;
};

/* The files that were read, by what they are. */
struct seen {
    struct weir_file_facts facts[WEIR_CONFIG_FILES_MAX];
    size_t count;
};

struct includer {
    struct weir_reading *reading;
    struct seen *seen;
    const struct link *above;
    unsigned depth;
    struct weir_origin origin; /* of the pattern */
    size_t found;
};

static bool read_one(struct includer *includer, const char *path, enum weir_status *ret_status);

int weir_add_file(struct weir_reading *reading, const char *path, struct weir_origin origin)
{
    if (reading->file_count == WEIR_CONFIG_FILES_MAX) {
        weir_complain(reading->complaints, origin,
                      "a configuration has at most 256 files, those of tokens included");
        return -1;
    }
    char *copy = weir_memory_copy(reading->kept, weir_text(path));
    if (copy == NULL) {
        return -1;
    }
    reading->files[reading->file_count].path = copy;
    return (int)reading->file_count++;
}

_Static_assert(WEIR_CONFIG_FILES_MAX == 256, "the message above says so");

static bool same_file(const struct weir_file_facts *a, const struct weir_file_facts *b)
{
    return a->device == b->device && a->inode == b->inode;
}

/* ---- Includes ----------------------------------------------------------------------------- */

static void take_found(void *context, const char *path)
{
    struct includer *includer = context;
    enum weir_status status = WEIR_OK;
    includer->found++;
    (void)read_one(includer, path, &status);
}

static bool has_wildcard(const char *pattern)
{
    return strpbrk(pattern, "*?[") != NULL;
}

/* Notes the folder in which a pattern begins to look, as files may come into it. Past the most that
 * there can be, none is noted. */
static void note_folder(struct weir_reading *reading, const char *pattern)
{
    size_t length = strcspn(pattern, "*?[");
    while (length > 0 && pattern[length - 1] != '/') {
        length--;
    }
    if (reading->folder_count == WEIR_CONFIG_FILES_MAX) {
        return;
    }
    char *folder =
        weir_memory_copy(reading->kept, length > 0 ? weir_bytes(pattern, length) : weir_text("."));
    if (folder != NULL) {
        reading->folders[reading->folder_count++] = folder;
    }
}

static void include_one(struct includer *includer, const struct weir_node *node)
{
    struct weir_reading *reading = includer->reading;
    const char *pattern = weir_read_path(reading, node, "include");
    struct weir_error error = {0};
    if (pattern == NULL) {
        return;
    }
    if (has_wildcard(pattern)) {
        note_folder(reading, pattern);
    }
    includer->origin = node->origin;
    includer->found = 0;
    const enum weir_status status =
        reading->source->find(reading->source->context, pattern, take_found, includer, &error);
    if (status == WEIR_ERR_NO_MEMORY) {
        reading->kept->failed = true;
    } else if (status != WEIR_OK) {
        weir_complain(reading->complaints, node->origin, "include: %s: %s", pattern, error.message);
    } else if (includer->found == 0 && !has_wildcard(pattern)) {
        weir_complain(reading->complaints, node->origin, "include: there is no file %s", pattern);
    }
}

/* What this file's root includes. */
static void include_all(struct includer *includer, const struct weir_node *root)
{
    const struct weir_node *include = NULL;
    const struct weir_entry *entry = root->kind == WEIR_NODE_MAP ? root->entries : NULL;
    for (; entry != NULL; entry = entry->next) {
        include = weir_word_is(entry->key->text, "include") ? entry->value : include;
    }
    if (include == NULL) {
        return;
    }
    struct weir_items items;
    weir_items_of(include, &items);
    for (const struct weir_entry *item = items.entries; item != NULL; item = item->next) {
        include_one(includer, item->value);
    }
}

/* ---- One file ----------------------------------------------------------------------------- */

/* Whether this file is to be read: not one that was, nor one that is being read. */
static bool is_new(const struct includer *includer, const char *path,
                   const struct weir_file_facts *facts)
{
    for (const struct link *link = includer->above; link != NULL; link = link->above) {
        if (same_file(&link->facts, facts)) {
            weir_complain(includer->reading->complaints, includer->origin,
                          "include: %s includes this file, and so would never end", path);
            return false;
        }
    }
    for (size_t i = 0; i < includer->seen->count; i++) {
        if (same_file(&includer->seen->facts[i], facts)) {
            return false;
        }
    }
    return true;
}

/* Parses a file that was read, and goes on with what it includes. */
static bool take_file(struct includer *includer, const char *path, const struct weir_buffer *bytes,
                      const struct weir_file_facts *facts)
{
    struct weir_reading *reading = includer->reading;
    const int number = weir_add_file(reading, path, includer->origin);
    if (number < 0) {
        return false;
    }
    includer->seen->facts[includer->seen->count++] = *facts;
    reading->fingerprint = weir_fingerprint_add(reading->fingerprint, weir_buffer_bytes(bytes));
    const struct weir_tree_spec spec = {
        .bytes = weir_buffer_bytes(bytes),
        .file = (uint32_t)number,
        .source = reading->source,
        .memory = &reading->tree,
        .complaints = reading->complaints,
        .fingerprint = &reading->fingerprint,
    };
    const struct weir_node *root = weir_tree_read(&spec);
    reading->files[number].root = root;
    if (root == NULL) {
        return false;
    }
    if (includer->depth > WEIR_CONFIG_DEPTH_MAX) {
        weir_complain(reading->complaints, root->origin,
                      "files include each other more than 32 levels deep");
        return false;
    }
    const struct link link = {includer->above, *facts};
    struct includer below = {reading, includer->seen, &link, includer->depth + 1, {0}, 0};
    include_all(&below, root);
    return true;
}

static bool read_one(struct includer *includer, const char *path, enum weir_status *ret_status)
{
    struct weir_reading *reading = includer->reading;
    struct weir_buffer bytes = {.allocator = reading->source->allocator};
    struct weir_file_facts facts = {0};
    struct weir_error error = {0};
    bool good = false;
    *ret_status = reading->source->read(reading->source->context, path, WEIR_CONFIG_FILE_MAX,
                                        &bytes, &facts, &error);
    if (*ret_status == WEIR_ERR_NO_MEMORY) {
        reading->kept->failed = true;
    } else if (*ret_status != WEIR_OK && includer->above == NULL) {
        /* The file that was named: there is no place to point at but itself. */
        (void)weir_add_file(reading, path, includer->origin);
        weir_complain(reading->complaints, includer->origin, "can't be read: %s", error.message);
    } else if (*ret_status != WEIR_OK) {
        weir_complain(reading->complaints, includer->origin, "include: %s can't be read: %s", path,
                      error.message);
    } else if (is_new(includer, path, &facts)) {
        good = take_file(includer, path, &bytes, &facts);
    }
    weir_buffer_deinit(&bytes);
    return good;
}

enum weir_status weir_read_files(struct weir_reading *reading, const char *path)
{
    struct seen *seen = weir_memory_take(&reading->tree, 1, sizeof(*seen));
    if (seen == NULL) {
        return WEIR_ERR_NO_MEMORY;
    }
    struct includer includer = {reading, seen, NULL, 1, {0}, 0};
    enum weir_status status = WEIR_OK;
    (void)read_one(&includer, path, &status);
    return status;
}
