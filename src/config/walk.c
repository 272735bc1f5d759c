/* walk.c - mappings by their forms; see walk.h. */

#include "config/walk.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* Keys of the largest form. */
#define KEYS_MAX 24
/* The longest name of a key. */
#define KEY_NAME_MAX 32

bool weir_reading_failed(const struct weir_reading *reading)
{
    return reading->kept->failed || reading->tree.failed || reading->complaints->memory.failed;
}

bool weir_read_visit(struct weir_reading *reading, const struct weir_node *node)
{
    if (reading->visits > WEIR_NODES_MAX) {
        return false;
    }
    reading->visits++;
    if (reading->visits > WEIR_NODES_MAX) {
        weir_complain(reading->complaints, node->origin,
                      "aliases make more than 4000000 values of this file; write fewer of them");
        return false;
    }
    return true;
}

_Static_assert(WEIR_NODES_MAX == 4000000, "the message above says so");

void weir_items_of(const struct weir_node *node, struct weir_items *items)
{
    if (node->kind == WEIR_NODE_LIST) {
        items->entries = node->entries;
        items->count = node->count;
        return;
    }
    items->single = (struct weir_entry){.value = node};
    items->entries = &items->single;
    items->count = 1;
}

/* ---- Keys --------------------------------------------------------------------------------- */

static const struct weir_key *find_key(const struct weir_form *form, struct weir_bytes name)
{
    for (size_t i = 0; i < form->count; i++) {
        if (weir_word_is(name, form->keys[i].name)) {
            return &form->keys[i];
        }
    }
    return NULL;
}

/* The key that was probably meant. weir_word_suggest takes '-' and '_' for the same, and knows '-'
 * alone. */
static const char *suggest_key(const struct weir_form *form, struct weir_bytes name)
{
    char words[KEYS_MAX][KEY_NAME_MAX];
    const char *candidates[KEYS_MAX];
    assert(form->count <= KEYS_MAX);
    if (name.len < 2) {
        return NULL; /* anything could begin with it */
    }
    for (size_t i = 0; i < form->count; i++) {
        (void)snprintf(words[i], sizeof(words[i]), "%s", form->keys[i].name);
        for (char *c = words[i]; *c != '\0'; c++) {
            *c = *c == '_' ? '-' : *c;
        }
        candidates[i] = words[i];
    }
    const char *word = weir_word_suggest(name, candidates, form->count);
    for (size_t i = 0; i < form->count && word != NULL; i++) {
        if (candidates[i] == word) {
            return form->keys[i].name;
        }
    }
    return NULL;
}

static void complain_unknown(struct weir_reading *reading, const struct weir_node *key,
                             const struct weir_form *form)
{
    const struct weir_quote quote = weir_word_quote(key->text);
    const char *near = suggest_key(form, key->text);
    if (near != NULL) {
        weir_complain(reading->complaints, key->origin, "unknown key '%s'; did you mean '%s'?",
                      quote.text, near);
        return;
    }
    char list[KEYS_MAX * (KEY_NAME_MAX + 2)] = "";
    size_t len = 0;
    for (size_t i = 0; i < form->count && len < sizeof(list); i++) {
        len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%s", i > 0 ? ", " : "",
                                form->keys[i].name);
    }
    weir_complain(reading->complaints, key->origin, "unknown key '%s'; %s has %s", quote.text,
                  form->what, list);
}

static void set_default(const struct weir_key *key, void *into)
{
    switch (key->kind) {
    case WEIR_VALUE_BOOLEAN:
        *(bool *)into = key->standard != 0;
        break;
    case WEIR_VALUE_NUMBER:
    case WEIR_VALUE_SIZE:
        *(uint32_t *)into = (uint32_t)key->standard;
        break;
    case WEIR_VALUE_DURATION:
        *(int64_t *)into = key->standard;
        break;
    case WEIR_VALUE_CHOICE:
        *(unsigned *)into = (unsigned)key->standard;
        break;
    case WEIR_VALUE_NODE:
    case WEIR_VALUE_TEXT:
    case WEIR_VALUE_LIST:
        break; /* NULL, as it is */
    }
}

/* A key with nothing behind it. */
static bool is_nothing(const struct weir_node *node)
{
    return node->kind == WEIR_NODE_SCALAR && node->plain &&
           (node->raw.len == 0 || weir_word_is(node->raw, "~") || weir_word_is(node->raw, "null"));
}

static bool read_entry(struct weir_reading *reading, const struct weir_entry *entry,
                       const struct weir_form *form, void *into)
{
    const struct weir_bytes name = entry->key->text;
    const struct weir_key *key = find_key(form, name);
    if (form->extensions && name.len > 2 && memcmp(name.ptr, "x-", 2) == 0) {
        return true;
    }
    if (key == NULL) {
        complain_unknown(reading, entry->key, form);
        return false;
    }
    if (is_nothing(entry->value)) {
        weir_complain(reading->complaints, entry->key->origin,
                      "'%s' has no value; write one, or leave the key out", key->name);
        return false;
    }
    return weir_read_value(reading, entry->value, key, (char *)into + key->offset);
}

static bool has_key(const struct weir_node *node, const char *name)
{
    for (const struct weir_entry *entry = node->entries; entry != NULL; entry = entry->next) {
        if (weir_word_is(entry->key->text, name)) {
            return true;
        }
    }
    return false;
}

bool weir_read_form(struct weir_reading *reading, const struct weir_node *node,
                    const struct weir_form *form, void *into)
{
    for (size_t i = 0; i < form->count; i++) {
        set_default(&form->keys[i], (char *)into + form->keys[i].offset);
    }
    if (node == NULL) {
        return true;
    }
    if (!weir_read_visit(reading, node)) {
        return false;
    }
    if (node->kind != WEIR_NODE_MAP) {
        weir_complain(reading->complaints, node->origin,
                      "%s: expected a mapping, its keys each on a line as '%s: ...', or in { }",
                      form->what, form->keys[0].name);
        return false;
    }
    bool good = true;
    for (const struct weir_entry *entry = node->entries; entry != NULL; entry = entry->next) {
        good = read_entry(reading, entry, form, into) && good;
    }
    for (size_t i = 0; i < form->count; i++) {
        if (form->keys[i].required && !has_key(node, form->keys[i].name)) {
            weir_complain(reading->complaints, node->origin, "%s needs '%s'", form->what,
                          form->keys[i].name);
            good = false;
        }
    }
    return good;
}

/* ---- Paths -------------------------------------------------------------------------------- */

char *weir_read_path(struct weir_reading *reading, const struct weir_node *node, const char *what)
{
    struct weir_bytes text;
    if (!weir_read_scalar(reading, node, what, &text)) {
        return NULL;
    }
    if (text.len == 0) {
        weir_complain(reading->complaints, node->origin, "%s: expected a path", what);
        return NULL;
    }
    const char *from = reading->files[node->origin.file].path;
    const char *slash = strrchr(from, '/');
    const size_t folder = text.ptr[0] != '/' && slash != NULL ? (size_t)(slash - from) + 1 : 0;
    char *path = weir_memory_take(reading->kept, folder + text.len + 1, 1);
    if (path != NULL) {
        memcpy(path, from, folder);
        memcpy(path + folder, text.ptr, text.len);
    }
    return path;
}
