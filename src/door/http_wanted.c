/* http_wanted.c - which headers, cookies and parts of a query the rules of a policy look at. See
 * http_door.h.
 *
 * A request has more headers than attributes may be, and nearly all say nothing to any rule. So the
 * names that the policy uses are gathered once, sorted, and each header is looked for among them.
 *
 * Invariant: the names are the policy's own bytes, and good as long as its view. */

#include "base/alloc.h"
#include "door/http_door.h"

#include <stdlib.h>

struct wanted_list {
    struct weir_bytes *names; /* whole, sorted by what is behind the dot */
    size_t count;
    size_t room;
};

struct weir_http_wanted {
    const struct weir_allocator *allocator;
    uint64_t version;
    struct wanted_list lists[WEIR_HTTP_SOURCE_COUNT];
    bool failed;
};

static const char *const prefixes[WEIR_HTTP_SOURCE_COUNT] = {"header.", "cookie.", "query."};

static struct weir_bytes behind_dot(struct weir_bytes name)
{
    const char *dot = memchr(name.ptr, '.', name.len);
    const size_t from = (size_t)(dot - name.ptr) + 1;
    return weir_bytes(name.ptr + from, name.len - from);
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* The shorter first, then by bytes, those of headers in lower case. */
static int compare(struct weir_bytes a, struct weir_bytes b, bool fold)
{
    if (a.len != b.len) {
        return a.len < b.len ? -1 : 1;
    }
    if (!fold) {
        return a.len == 0 ? 0 : memcmp(a.ptr, b.ptr, a.len);
    }
    for (size_t i = 0; i < a.len; i++) {
        const int difference =
            (int)(unsigned char)lower(a.ptr[i]) - (int)(unsigned char)lower(b.ptr[i]);
        if (difference != 0) {
            return difference;
        }
    }
    return 0;
}

static int compare_folded(const void *a, const void *b)
{
    const struct weir_bytes *first = a;
    const struct weir_bytes *second = b;
    const int by_name = compare(behind_dot(*first), behind_dot(*second), true);
    /* The same header in another case is another attribute. */
    return by_name != 0 ? by_name : memcmp(first->ptr, second->ptr, first->len);
}

static int compare_exact(const void *a, const void *b)
{
    return compare(behind_dot(*(const struct weir_bytes *)a),
                   behind_dot(*(const struct weir_bytes *)b), false);
}

static void append(struct weir_http_wanted *wanted, struct wanted_list *list,
                   struct weir_bytes name)
{
    if (list->count == list->room) {
        const size_t room = list->room == 0 ? 16 : list->room * 2;
        struct weir_bytes *names =
            weir_alloc(wanted->allocator, room * sizeof(*names), _Alignof(struct weir_bytes));
        if (names == NULL) {
            wanted->failed = true;
            return;
        }
        if (list->count > 0) {
            memcpy(names, list->names, list->count * sizeof(*names));
        }
        weir_release(wanted->allocator, list->names, list->room * sizeof(*names));
        list->names = names;
        list->room = room;
    }
    list->names[list->count++] = name;
}

static void use(struct weir_http_wanted *wanted, struct weir_bytes name)
{
    for (size_t i = 0; i < WEIR_HTTP_SOURCE_COUNT; i++) {
        const size_t len = strlen(prefixes[i]);
        if (name.len > len && memcmp(name.ptr, prefixes[i], len) == 0) {
            append(wanted, &wanted->lists[i], name);
        }
    }
}

static void use_conditions(struct weir_http_wanted *wanted,
                           const struct weir_condition_spec *conditions, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        use(wanted, conditions[i].attribute);
    }
}

static void use_rule(struct weir_http_wanted *wanted, const struct weir_rule_spec *rule)
{
    use_conditions(wanted, rule->conditions, rule->condition_count);
    for (size_t i = 0; i < rule->key_count; i++) {
        use(wanted, rule->key[i].attribute);
    }
    use(wanted, rule->tier_by);
    use(wanted, rule->cost_from);
    for (size_t i = 0; i < rule->allow_count; i++) {
        use_conditions(wanted, rule->allow[i].conditions, rule->allow[i].count);
    }
    for (size_t i = 0; i < rule->deny_count; i++) {
        use_conditions(wanted, rule->deny[i].conditions, rule->deny[i].count);
    }
}

/* Sorts a list, and leaves each name in it once. */
static void settle(struct wanted_list *list, bool fold)
{
    if (list->count == 0) {
        return;
    }
    qsort(list->names, list->count, sizeof(*list->names), fold ? compare_folded : compare_exact);
    size_t kept = 1;
    for (size_t i = 1; i < list->count; i++) {
        if (!weir_http_equal(list->names[i], list->names[kept - 1])) {
            list->names[kept++] = list->names[i];
        }
    }
    list->count = kept;
}

void weir_http_wanted_free(struct weir_http_wanted *wanted)
{
    if (wanted == NULL) {
        return;
    }
    for (size_t i = 0; i < WEIR_HTTP_SOURCE_COUNT; i++) {
        struct wanted_list *list = &wanted->lists[i];
        weir_release(wanted->allocator, list->names, list->room * sizeof(*list->names));
    }
    weir_release(wanted->allocator, wanted, sizeof(*wanted));
}

static struct weir_http_wanted *make(const struct weir_desk *desk)
{
    struct weir_http_wanted *wanted =
        weir_alloc(desk->allocator, sizeof(*wanted), _Alignof(struct weir_http_wanted));
    if (wanted == NULL) {
        return NULL;
    }
    const struct weir_policy *policy = desk->view->config->policy;
    wanted->allocator = desk->allocator;
    wanted->version = desk->view->version;
    for (size_t i = 0; i < weir_policy_count(policy); i++) {
        use_rule(wanted, weir_policy_rule(policy, i));
    }
    for (size_t i = 0; i < WEIR_HTTP_SOURCE_COUNT; i++) {
        settle(&wanted->lists[i], i == WEIR_HTTP_SOURCE_HEADER);
    }
    if (wanted->failed) {
        weir_http_wanted_free(wanted);
        return NULL;
    }
    return wanted;
}

const struct weir_http_wanted *weir_http_wanted(struct weir_desk *desk)
{
    struct weir_http_wanted *wanted = desk->http_wanted;
    if (wanted == NULL || wanted->version != desk->view->version) {
        weir_http_wanted_free(wanted);
        desk->http_wanted = make(desk);
    }
    return desk->http_wanted;
}

size_t weir_http_wanted_count(const struct weir_http_wanted *wanted, enum weir_http_source source)
{
    return wanted->lists[source].count;
}

size_t weir_http_wanted_find(const struct weir_http_wanted *wanted, enum weir_http_source source,
                             struct weir_bytes name, const struct weir_bytes **ret_first)
{
    const struct wanted_list *list = &wanted->lists[source];
    const bool fold = source == WEIR_HTTP_SOURCE_HEADER;
    size_t low = 0;
    size_t high = list->count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (compare(behind_dot(list->names[middle]), name, fold) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    size_t count = 0;
    while (low + count < list->count &&
           compare(behind_dot(list->names[low + count]), name, fold) == 0) {
        count++;
    }
    *ret_first = list->names + low;
    return count;
}
