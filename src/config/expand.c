/* expand.c - ${NAME} in a scalar: values from the environment; see tree.h.
 *
 *     ${NAME}             the variable; it must be set
 *     ${NAME:-default}    the variable, or the default where it is not set, or empty
 *     $${                 the characters ${
 *
 * What comes in is the text of this one scalar, whatever is in it: it can bring no list, no key and
 * no further ${}. No message repeats it. */

#include "config/tree.h"
#include "policy/words.h"

#include <string.h>

/* The longest name of a variable. */
#define VARIABLE_MAX 128

struct variable {
    char name[VARIABLE_MAX + 1];
    bool has_default;
    struct weir_bytes standard;
};

static bool is_name_byte(char c, bool first)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' ||
           (!first && c >= '0' && c <= '9');
}

/* What stands between the braces. */
static bool read_variable(struct weir_bytes inside, struct variable *ret_variable)
{
    size_t len = 0;
    while (len < inside.len && is_name_byte(inside.ptr[len], len == 0)) {
        len++;
    }
    if (len == 0 || len > VARIABLE_MAX) {
        return false;
    }
    memcpy(ret_variable->name, inside.ptr, len);
    ret_variable->name[len] = '\0';
    const struct weir_bytes rest = weir_bytes(inside.ptr + len, inside.len - len);
    ret_variable->has_default = rest.len >= 2 && memcmp(rest.ptr, ":-", 2) == 0;
    if (ret_variable->has_default) {
        ret_variable->standard = weir_bytes(rest.ptr + 2, rest.len - 2);
    }
    return rest.len == 0 || ret_variable->has_default;
}

/* Where in the file the byte at `offset` of `raw` stands, as far as that can be said. */
static struct weir_origin place_of(const struct weir_node *node, size_t offset)
{
    struct weir_origin origin = node->origin;
    if (node->exact) {
        origin.column = node->text_column + (uint32_t)offset;
    }
    return origin;
}

/* One ${...} at `at`; the offset behind it goes to ret_next. */
static bool expand_one(const struct weir_tree_spec *spec, struct weir_node *node,
                       struct weir_bytes raw, size_t at, struct weir_buffer *out)
{
    struct variable variable = {.standard = {NULL, 0}};
    const struct weir_origin place = place_of(node, at);
    const char *end = memchr(raw.ptr + at, '}', raw.len - at);
    const size_t len = end != NULL ? (size_t)(end - raw.ptr) - at - 2 : 0;
    if (end == NULL || !read_variable(weir_bytes(raw.ptr + at + 2, len), &variable)) {
        weir_complain(spec->complaints, place,
                      "'${' begins the name of a variable: write ${NAME}, ${NAME:-default}, or $${ "
                      "for the characters");
        return false;
    }
    const char *value = spec->source->environment(spec->source->context, variable.name);
    if ((value == NULL || *value == '\0') && variable.has_default) {
        weir_buffer_put(out, variable.standard);
        return true;
    }
    if (value == NULL) {
        weir_complain(spec->complaints, place,
                      "the variable %s is not set; set it, or write ${%s:-default}", variable.name,
                      variable.name);
        return false;
    }
    weir_buffer_put_text(out, value);
    return true;
}

static bool expand_all(const struct weir_tree_spec *spec, struct weir_node *node,
                       struct weir_bytes raw, struct weir_buffer *out)
{
    bool good = true;
    for (size_t i = 0; i < raw.len;) {
        const struct weir_bytes rest = weir_bytes(raw.ptr + i, raw.len - i);
        if (rest.len >= 3 && memcmp(rest.ptr, "$${", 3) == 0) {
            weir_buffer_put_text(out, "${");
            i += 3;
        } else if (rest.len >= 2 && memcmp(rest.ptr, "${", 2) == 0) {
            good = expand_one(spec, node, raw, i, out) && good;
            const char *end = memchr(rest.ptr, '}', rest.len);
            i = end != NULL ? (size_t)(end - raw.ptr) + 1 : raw.len;
        } else {
            weir_buffer_put(out, weir_bytes(rest.ptr, 1));
            i++;
        }
    }
    return good;
}

bool weir_expand(const struct weir_tree_spec *spec, struct weir_node *node, struct weir_bytes raw)
{
    const char *copy = weir_memory_copy(spec->memory, raw);
    if (copy == NULL) {
        return false;
    }
    node->raw = weir_bytes(copy, raw.len);
    node->text = node->raw;
    if (raw.len == 0 || memmem(raw.ptr, raw.len, "${", 2) == NULL) {
        return true;
    }
    struct weir_buffer out = {.allocator = spec->source->allocator};
    const bool good = expand_all(spec, node, raw, &out);
    copy = out.failed ? NULL : weir_memory_copy(spec->memory, weir_buffer_bytes(&out));
    spec->memory->failed = spec->memory->failed || copy == NULL;
    if (copy != NULL) {
        node->text = weir_bytes(copy, out.len);
        node->expanded = true;
        node->exact = false;
        *spec->fingerprint = weir_fingerprint_add(*spec->fingerprint, node->text);
    }
    if (out.len > 0) {
        explicit_bzero(out.bytes, out.len);
    }
    weir_buffer_deinit(&out);
    return good && copy != NULL;
}
