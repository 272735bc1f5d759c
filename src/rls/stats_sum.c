/* stats_sum.c - see stats_sum.h. Takes no lock: see stats_parts.h. */

#include "rls/stats_sum.h"

#include <stdlib.h>

#define ADDRESS_BYTES 4

/* ---- Names -------------------------------------------------------------------------------- */

static size_t digits_at(struct weir_bytes text, size_t at)
{
    size_t count = 0;
    while (count < 3 && at + count < text.len && text.ptr[at + count] >= '0' &&
           text.ptr[at + count] <= '9') {
        count++;
    }
    return count;
}

/* The bytes of four numbers with dots between them, each of up to three digits; 0: none here. */
static size_t address_at(struct weir_bytes text, size_t at)
{
    size_t len = 0;
    for (size_t i = 0; i < ADDRESS_BYTES; i++) {
        if (i > 0) {
            if (at + len >= text.len || text.ptr[at + len] != '.') {
                return 0;
            }
            len++;
        }
        const size_t digits = digits_at(text, at + len);
        if (digits == 0) {
            return 0;
        }
        len += digits;
    }
    return len;
}

static struct weir_bytes clean(struct weir_bytes name, struct weir_arena *arena)
{
    char *text = weir_arena_take(arena, name.len);
    size_t address_end = 0;
    for (size_t i = 0; i < name.len && text != NULL; i++) {
        if (i >= address_end) {
            address_end = i + address_at(name, i);
        }
        const char c = name.ptr[i];
        const bool steers = c == ':' || c == '|' || (c == '.' && i < address_end);
        text[i] = steers ? '_' : c;
    }
    return weir_bytes(text, name.len);
}

static struct weir_bytes first_parts(struct weir_bytes name, size_t parts)
{
    size_t dots = 0;
    for (size_t i = 0; i < name.len && parts > 0; i++) {
        dots += name.ptr[i] == '.' ? 1 : 0;
        if (dots == parts) {
            return weir_bytes(name.ptr, i);
        }
    }
    return name;
}

/* ---- Sums --------------------------------------------------------------------------------- */

int weir_rls_compare(struct weir_bytes a, struct weir_bytes b)
{
    const size_t len = a.len < b.len ? a.len : b.len;
    const int order = len > 0 ? memcmp(a.ptr, b.ptr, len) : 0;
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static int compare_sums(const void *left, const void *right)
{
    const struct weir_rls_sum *a = left;
    const struct weir_rls_sum *b = right;
    return a->is_domain != b->is_domain ? a->is_domain - b->is_domain
                                        : weir_rls_compare(a->name, b->name);
}

/* A name that nothing was counted under is left out. */
static bool read_counts(const struct weir_rls_named *named, struct weir_rls_sum *sum)
{
    bool any = false;
    for (size_t i = 0; i < WEIR_RLS_COUNT_COUNT; i++) {
        sum->counts[i] = weir_rls_number_read(&named->counts[i]);
        any = any || sum->counts[i] > 0;
    }
    sum->is_domain = named->is_domain;
    return any;
}

static bool add_worker(const struct weir_rls_named *first, size_t parts, struct weir_arena *arena,
                       struct weir_rls_sums *sums)
{
    for (const struct weir_rls_named *named = first; named != NULL; named = named->next) {
        struct weir_rls_sum *sum = &sums->sums[sums->count];
        if (!read_counts(named, sum)) {
            continue;
        }
        const struct weir_bytes name = clean(weir_bytes(named->text, named->len), arena);
        if (name.ptr == NULL) {
            return false;
        }
        sum->name = named->is_domain ? name : first_parts(name, parts);
        sums->count++;
    }
    return true;
}

static void merge(struct weir_rls_sums *sums)
{
    size_t kept = 0;
    for (size_t i = 0; i < sums->count; i++) {
        if (kept > 0 && compare_sums(&sums->sums[kept - 1], &sums->sums[i]) == 0) {
            for (size_t j = 0; j < WEIR_RLS_COUNT_COUNT; j++) {
                sums->sums[kept - 1].counts[j] += sums->sums[i].counts[j];
            }
        } else {
            sums->sums[kept++] = sums->sums[i];
        }
    }
    sums->count = kept;
}

bool weir_rls_sums_make(const struct weir_rls_stats *stats, size_t parts, struct weir_arena *arena,
                        struct weir_rls_sums *ret_sums)
{
    /* Lists grow at their heads: from these on they stay as they are. */
    const struct weir_rls_named **firsts =
        weir_arena_get(arena, stats->workers, sizeof(struct weir_rls_named *));
    size_t room = 0;
    if (firsts == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < stats->workers; i++) {
        firsts[i] = atomic_load_explicit(&stats->tallies[i]->first, memory_order_acquire);
        for (const struct weir_rls_named *named = firsts[i]; named != NULL; named = named->next) {
            room++;
        }
    }
    struct weir_rls_sums sums = {.sums = weir_arena_get(arena, room, sizeof(sums.sums[0]))};
    if (sums.sums == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < stats->workers; i++) {
        if (!add_worker(firsts[i], parts, arena, &sums)) {
            return false;
        }
    }
    qsort(sums.sums, sums.count, sizeof(sums.sums[0]), compare_sums);
    merge(&sums);
    *ret_sums = sums;
    return true;
}

uint64_t weir_rls_sum_events(const struct weir_rls_stats *stats, enum weir_rls_event what)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < stats->workers; i++) {
        sum += weir_rls_number_read(&stats->tallies[i]->events[what]);
    }
    return sum;
}

uint64_t weir_rls_sum_times(const struct weir_rls_stats *stats, size_t at)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < stats->workers; i++) {
        sum += weir_rls_number_read(&stats->tallies[i]->times[at]);
    }
    return sum;
}
