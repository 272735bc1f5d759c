/* limits.c - see limits.h.
 *
 * The table has sets of four places. A limit is looked for in the set that its hash names, under a
 * secret, so that no peer can aim at another's; what it takes the place of is freed once nothing
 * uses it.
 *
 * Invariant: `kept` is set exactly for what is in the table; what is not kept is in use. */

#include "door/limits.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/hash.h"

#include <assert.h>
#include <string.h>
#include <sys/random.h>

#define SET_SIZE 4
#define SET_COUNT (WEIR_AD_HOC_MAX / SET_SIZE)

struct weir_ad_hoc_limits {
    const struct weir_allocator *allocator;
    struct weir_secret secret;
    uint32_t next; /* of a set that is full, whose turn it is to go */
    struct weir_ad_hoc *places[SET_COUNT][SET_SIZE];
};

/* What is looked for: by text, or by numbers where `spec` is not NULL. */
struct wanted {
    struct weir_bytes text;
    const struct weir_limit_spec *spec;
    struct weir_bytes name;
    uint64_t hash;
};

struct weir_ad_hoc_limits *weir_ad_hoc_limits_new(const struct weir_allocator *allocator)
{
    const struct weir_allocator *from = weir_allocator_or_default(allocator);
    struct weir_secret secret;
    if (getrandom(&secret, sizeof(secret), 0) != (ssize_t)sizeof(secret)) {
        return NULL;
    }
    struct weir_ad_hoc_limits *limits = weir_alloc(from, sizeof(*limits), _Alignof(max_align_t));
    if (limits != NULL) {
        limits->allocator = from;
        limits->secret = secret;
    }
    return limits;
}

static void destroy(struct weir_ad_hoc *limit)
{
    const struct weir_allocator *allocator = limit->limits->allocator;
    weir_limit_free(limit->limit);
    weir_release(allocator, limit, sizeof(*limit));
}

void weir_ad_hoc_limits_free(struct weir_ad_hoc_limits *limits)
{
    if (limits == NULL) {
        return;
    }
    for (size_t i = 0; i < WEIR_AD_HOC_MAX; i++) {
        struct weir_ad_hoc *limit = limits->places[i / SET_SIZE][i % SET_SIZE];
        if (limit != NULL) {
            assert(limit->uses == 0);
            destroy(limit);
        }
    }
    weir_release(limits->allocator, limits, sizeof(*limits));
}

void weir_ad_hoc_release(struct weir_ad_hoc *limit)
{
    assert(limit->uses > 0);
    limit->uses--;
    if (limit->uses == 0 && !limit->kept) {
        destroy(limit);
    }
}

/* ---- Looking ------------------------------------------------------------------------------- */

static bool same_spec(const struct weir_limit_spec *a, const struct weir_limit_spec *b)
{
    return a->count == b->count && a->period_us == b->period_us && a->burst == b->burst &&
           a->algorithm == b->algorithm && a->block_us == b->block_us &&
           a->calendar == b->calendar && strcmp(a->zone, b->zone) == 0;
}

static bool is_wanted(const struct weir_ad_hoc *limit, const struct wanted *wanted)
{
    if (limit->hash != wanted->hash || limit->name_len != wanted->name.len ||
        (wanted->name.len > 0 && memcmp(limit->name, wanted->name.ptr, wanted->name.len) != 0)) {
        return false;
    }
    if (wanted->spec != NULL) {
        return limit->text[0] == '\0' && same_spec(&limit->spec, wanted->spec);
    }
    return strlen(limit->text) == wanted->text.len &&
           memcmp(limit->text, wanted->text.ptr, wanted->text.len) == 0;
}

static struct weir_ad_hoc **find_set(struct weir_ad_hoc_limits *limits, const struct wanted *wanted)
{
    return limits->places[wanted->hash % SET_COUNT];
}

static struct weir_ad_hoc *find(struct weir_ad_hoc_limits *limits, const struct wanted *wanted)
{
    struct weir_ad_hoc **set = find_set(limits, wanted);
    for (size_t i = 0; i < SET_SIZE; i++) {
        if (set[i] != NULL && is_wanted(set[i], wanted)) {
            set[i]->uses++;
            return set[i];
        }
    }
    return NULL;
}

/* ---- Making -------------------------------------------------------------------------------- */

static void keep(struct weir_ad_hoc_limits *limits, struct weir_ad_hoc **set,
                 struct weir_ad_hoc *limit)
{
    size_t place = 0;
    while (place < SET_SIZE && set[place] != NULL) {
        place++;
    }
    if (place == SET_SIZE) {
        place = limits->next++ % SET_SIZE;
        struct weir_ad_hoc *former = set[place];
        former->kept = false;
        if (former->uses == 0) {
            destroy(former);
        }
    }
    set[place] = limit;
    limit->kept = true;
}

static enum weir_status make(struct weir_ad_hoc_limits *limits, const struct wanted *wanted,
                             struct weir_ad_hoc **ret_limit, struct weir_error *ret_error)
{
    const struct weir_limit_options options = {
        .size = sizeof(options), .name = wanted->name, .allocator = limits->allocator};
    struct weir_limit *prepared = NULL;
    const enum weir_status status =
        wanted->spec != NULL ? weir_limit_new(wanted->spec, &options, &prepared, ret_error)
                             : weir_limit_parse(wanted->text, &options, &prepared, ret_error);
    if (status != WEIR_OK) {
        return status;
    }
    struct weir_ad_hoc *limit =
        weir_alloc(limits->allocator, sizeof(*limit), _Alignof(max_align_t));
    if (limit == NULL) {
        weir_limit_free(prepared);
        return WEIR_ERR_NO_MEMORY;
    }
    limit->limit = prepared;
    limit->uses = 1;
    limit->hash = wanted->hash;
    limit->limits = limits;
    limit->name_len = wanted->name.len;
    if (wanted->name.len > 0) {
        memcpy(limit->name, wanted->name.ptr, wanted->name.len);
    }
    if (wanted->spec != NULL) {
        limit->spec = *wanted->spec;
    } else {
        memcpy(limit->text, wanted->text.ptr, wanted->text.len);
    }
    keep(limits, find_set(limits, wanted), limit);
    *ret_limit = limit;
    return WEIR_OK;
}

/* Refuses what no limit's text is, so that what is kept has a bound. */
static enum weir_status look_at_text(struct weir_bytes text, struct weir_bytes name,
                                     struct weir_error *ret_error)
{
    if (name.len > WEIR_NAME_MAX) {
        weir_error_set(ret_error, 0, 0, "a limit's name may have %d bytes, this one has %zu",
                       WEIR_NAME_MAX, name.len);
        return WEIR_ERR_ARGUMENT;
    }
    if (text.len >= WEIR_TEXT_MAX || memchr(text.ptr != NULL ? text.ptr : "", '\0', text.len)) {
        weir_error_set(ret_error, 0, text.len,
                       "a limit is written in less than %d bytes, as \"100/m burst 20\"",
                       WEIR_TEXT_MAX);
        return WEIR_ERR_LIMIT;
    }
    return WEIR_OK;
}

enum weir_status weir_ad_hoc_text(struct weir_ad_hoc_limits *limits, struct weir_bytes text,
                                  struct weir_bytes name, struct weir_ad_hoc **ret_limit,
                                  struct weir_error *ret_error)
{
    const enum weir_status status = look_at_text(text, name, ret_error);
    if (status != WEIR_OK) {
        return status;
    }
    struct wanted wanted = {.text = text, .name = name};
    wanted.hash = weir_hash(&limits->secret, weir_hash(&limits->secret, 1, name), text);
    struct weir_ad_hoc *limit = find(limits, &wanted);
    if (limit != NULL) {
        *ret_limit = limit;
        return WEIR_OK;
    }
    return make(limits, &wanted, ret_limit, ret_error);
}

enum weir_status weir_ad_hoc_spec(struct weir_ad_hoc_limits *limits,
                                  const struct weir_limit_spec *spec, struct weir_bytes name,
                                  struct weir_ad_hoc **ret_limit, struct weir_error *ret_error)
{
    const enum weir_status status = look_at_text(weir_text(""), name, ret_error);
    if (status != WEIR_OK) {
        return status;
    }
    /* The rest of the numbers is compared, and seldom differs where these do not. */
    const uint64_t numbers[3] = {spec->count, (uint64_t)spec->period_us, spec->burst};
    struct wanted wanted = {.spec = spec, .name = name};
    wanted.hash = weir_hash(&limits->secret, 2, weir_bytes(numbers, sizeof(numbers)));
    struct weir_ad_hoc *limit = find(limits, &wanted);
    if (limit != NULL) {
        *ret_limit = limit;
        return WEIR_OK;
    }
    return make(limits, &wanted, ret_limit, ret_error);
}
