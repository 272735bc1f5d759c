/* stats_tell.c - all counts as lines of names and numbers, for /stats. Read stats_sum.h first. */

#include "rls/stats_sum.h"

#include <assert.h>
#include <stdlib.h>

#define RULE_PREFIX "ratelimit.service.rate_limit."

/* Those that no name is put into. */
#define FIXED_LINES 6

struct line {
    struct weir_bytes name;
    uint64_t number;
};

struct lines {
    struct line *lines;
    size_t count;
    struct weir_arena arena;
    bool failed;
};

static void add_line(struct lines *lines, const char *prefix, struct weir_bytes name,
                     const char *suffix, uint64_t number)
{
    const struct weir_bytes parts[] = {weir_text(prefix), name, weir_text(suffix)};
    size_t len = 0;
    char *text = weir_arena_take(&lines->arena, parts[0].len + parts[1].len + parts[2].len);
    if (text == NULL) {
        lines->failed = true;
        return;
    }
    for (size_t i = 0; i < 3; i++) {
        if (parts[i].len > 0) {
            memcpy(text + len, parts[i].ptr, parts[i].len);
        }
        len += parts[i].len;
    }
    lines->lines[lines->count++] = (struct line){weir_bytes(text, len), number};
}

static void add_sum(struct lines *lines, const struct weir_rls_sum *sum)
{
    static const char *const suffixes[WEIR_RLS_COUNT_COUNT] = {
        [WEIR_RLS_TOTAL_HITS] = ".total_hits",
        [WEIR_RLS_OVER_LIMIT_HITS] = ".over_limit",
        [WEIR_RLS_NEAR_LIMIT_HITS] = ".near_limit",
        [WEIR_RLS_OVER_LIMIT_WITH_LOCAL_CACHE_HITS] = ".over_limit_with_local_cache",
        [WEIR_RLS_WITHIN_LIMIT_HITS] = ".within_limit",
        [WEIR_RLS_SHADOW_MODE_HITS] = ".shadow_mode",
    };
    if (sum->is_domain) {
        add_line(lines, RULE_PREFIX, sum->name, ".domain_not_found", sum->counts[0]);
        return;
    }
    for (size_t i = 0; i < WEIR_RLS_COUNT_COUNT; i++) {
        add_line(lines, RULE_PREFIX, sum->name, suffixes[i], sum->counts[i]);
    }
}

static void add_fixed(struct lines *lines, const struct weir_rls_stats *stats)
{
    const struct weir_bytes none = weir_bytes(NULL, 0);
    uint64_t requests = 0;
    for (size_t i = 0; i <= WEIR_RLS_TIMES; i++) {
        requests += weir_rls_sum_times(stats, i);
    }
    add_line(lines, "ratelimit.service.call.should_rate_limit.redis_error", none, "",
             weir_rls_sum_events(stats, WEIR_RLS_STORE_ERROR));
    add_line(lines, "ratelimit.service.call.should_rate_limit.service_error", none, "",
             weir_rls_sum_events(stats, WEIR_RLS_SERVICE_ERROR));
    add_line(lines, "ratelimit.service.config_load_error", none, "",
             weir_rls_number_read(&stats->refused));
    add_line(lines, "ratelimit.service.config_load_success", none, "",
             weir_rls_number_read(&stats->loaded));
    add_line(lines, "ratelimit.service.global_shadow_mode", none, "",
             weir_rls_sum_events(stats, WEIR_RLS_GLOBAL_SHADOW_MODE));
    add_line(lines, "ratelimit_server.ShouldRateLimit.total_requests", none, "", requests);
}

static int compare_lines(const void *left, const void *right)
{
    const struct line *a = left;
    const struct line *b = right;
    return weir_rls_compare(a->name, b->name);
}

static bool make_lines(struct lines *lines, const struct weir_rls_stats *stats)
{
    struct weir_rls_sums sums;
    if (!weir_rls_sums_make(stats, 0, &lines->arena, &sums)) {
        return false;
    }
    lines->lines = weir_arena_get(&lines->arena, sums.count * WEIR_RLS_COUNT_COUNT + FIXED_LINES,
                                  sizeof(lines->lines[0]));
    if (lines->lines == NULL) {
        return false;
    }
    for (size_t i = 0; i < sums.count; i++) {
        add_sum(lines, &sums.sums[i]);
    }
    add_fixed(lines, stats);
    qsort(lines->lines, lines->count, sizeof(lines->lines[0]), compare_lines);
    return !lines->failed;
}

void weir_rls_stats_tell(struct weir_rls_stats *stats, struct weir_buffer *out)
{
    assert(stats != NULL && out != NULL);
    struct lines lines = {0};
    if (!make_lines(&lines, stats)) {
        out->failed = true;
    }
    for (size_t i = 0; i < lines.count && !out->failed; i++) {
        weir_buffer_put(out, lines.lines[i].name);
        weir_buffer_put_text(out, ": ");
        weir_buffer_put_number(out, lines.lines[i].number);
        weir_buffer_put_text(out, "\n");
    }
    weir_arena_deinit(&lines.arena);
}
