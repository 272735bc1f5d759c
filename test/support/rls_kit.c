/* rls_kit.c - see rls_kit.h. */

#include "support/rls_kit.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/fixture.h"

#define LIMITS_MAX 65536

struct rls_kit {
    struct weir_arena made;  /* what the policy borrows */
    struct weir_arena arena; /* of one request */
    struct weir_rls_spec spec;
    struct weir_rls_policy *policy;
    struct weir *store;
    struct weir_limit **limits;
    size_t limit_count;
};

/* A reader of lines. */
struct lines {
    struct rls_kit *kit;
    const char *at;
};

static char *copy(struct rls_kit *kit, const char *text, size_t len)
{
    char *made = weir_arena_take(&kit->made, len + 1);
    assert(made != NULL);
    memcpy(made, text, len);
    made[len] = '\0';
    return made;
}

static struct weir_bytes part(struct rls_kit *kit, const char *text, size_t len)
{
    return weir_bytes(copy(kit, text, len), len);
}

/* The pieces of a text between `mark`, each ended by a NUL; gives how many. */
static size_t split(char *text, char mark, char **pieces, size_t room)
{
    size_t count = 0;
    while (text != NULL) {
        assert(count < room);
        pieces[count++] = text;
        text = strchr(text, mark);
        if (text != NULL) {
            *text++ = '\0';
        }
    }
    return count;
}

static enum weir_rls_unit unit_of(const char *text)
{
    static const char *const units[] = {"",    "second", "minute", "hour",
                                        "day", "month",  "year",   "week"};
    for (unsigned i = 1; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcmp(text, units[i]) == 0) {
            return (enum weir_rls_unit)i;
        }
    }
    return (enum weir_rls_unit)strtoul(text, NULL, 10);
}

static int64_t seconds_of(enum weir_rls_unit unit)
{
    static const int64_t seconds[] = {0, 1, 60, 3600, 86400, 2592000, 31536000, 604800};
    assert(unit < sizeof(seconds) / sizeof(seconds[0]));
    return seconds[unit];
}

static const struct weir_limit *keep_limit(struct rls_kit *kit, struct weir_limit *limit)
{
    assert(kit->limit_count < LIMITS_MAX);
    kit->limits[kit->limit_count++] = limit;
    return limit;
}

static const struct weir_limit *limit_of(struct rls_kit *kit, const struct weir_limit_spec *spec)
{
    struct weir_limit *limit;
    struct weir_error error;
    if (weir_limit_new(spec, NULL, &limit, &error) != WEIR_OK) {
        (void)fprintf(stderr, "%s\n", error.message);
        abort();
    }
    return keep_limit(kit, limit);
}

/* ---- Policies ----------------------------------------------------------------------------- */

/* "x:1,y/z:2" as a struct of texts. */
/* NOLINTNEXTLINE(misc-no-recursion): a level of a test's own text */
static const struct weir_rls_value *read_metadata(struct rls_kit *kit, char *text)
{
    char *pieces[16];
    const size_t count = split(text, ',', pieces, 16);
    struct weir_bytes *names = weir_arena_get(&kit->made, count, sizeof(names[0]));
    struct weir_rls_value *values = weir_arena_get(&kit->made, count, sizeof(values[0]));
    struct weir_rls_value *whole = weir_arena_get(&kit->made, 1, sizeof(*whole));
    assert(names != NULL && values != NULL && whole != NULL);
    for (size_t i = 0; i < count; i++) {
        char *colon = strchr(pieces[i], ':');
        char *slash = strchr(pieces[i], '/');
        assert(colon != NULL);
        if (slash != NULL && slash < colon) {
            *slash = '\0';
            values[i] = *read_metadata(kit, slash + 1);
        } else {
            *colon = '\0';
            values[i].kind = WEIR_RLS_TEXT;
            values[i].text = weir_text(colon + 1);
        }
        names[i] = weir_text(pieces[i]);
    }
    whole->kind = WEIR_RLS_STRUCT;
    whole->names = names;
    whole->values = values;
    whole->count = count;
    return whole;
}

static void read_replaces(struct rls_kit *kit, struct weir_rls_node_spec *spec, char *text)
{
    char *pieces[16];
    const size_t count = split(text, ',', pieces, 16);
    struct weir_bytes *names = weir_arena_get(&kit->made, count, sizeof(names[0]));
    assert(names != NULL);
    for (size_t i = 0; i < count; i++) {
        names[i] = weir_text(pieces[i]);
    }
    spec->replaces = names;
    spec->replaces_count = count;
}

static void read_rate(struct rls_kit *kit, struct weir_rls_node_spec *spec, char *word)
{
    char *slash = strchr(word, '/');
    assert(slash != NULL);
    spec->has_rule = true;
    spec->requests_per_unit = (uint32_t)strtoul(word, NULL, 10);
    spec->unit = unit_of(slash + 1);
    if (spec->requests_per_unit > 0) {
        spec->limit =
            limit_of(kit, &(struct weir_limit_spec){.algorithm = WEIR_CALENDAR_WINDOW,
                                                    .calendar = WEIR_CALENDAR_EPOCH,
                                                    .count = spec->requests_per_unit,
                                                    .period_us = seconds_of(spec->unit) * 1000000});
    }
}

static void read_limit(struct rls_kit *kit, struct weir_rls_node_spec *spec, char *text)
{
    for (char *at = text; *at != '\0'; at++) {
        *at = *at == '_' ? ' ' : *at;
    }
    spec->limit = keep_limit(kit, fixture_limit(text));
}

static bool read_flag(struct weir_rls_node_spec *spec, const char *word)
{
    struct {
        const char *word;
        bool *flag;
    } flags[] = {{"shadow", &spec->shadow_mode},       {"quota", &spec->quota_mode},
                 {"detailed", &spec->detailed_metric}, {"values", &spec->value_to_metric},
                 {"share", &spec->share_threshold},    {"unlimited", &spec->unlimited}};
    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
        if (strcmp(word, flags[i].word) == 0) {
            *flags[i].flag = true;
            spec->has_rule = spec->has_rule || spec->unlimited;
            return true;
        }
    }
    return false;
}

static void read_word(struct rls_kit *kit, struct weir_rls_node_spec *spec, char *word)
{
    if (read_flag(spec, word)) {
        return;
    }
    if (strncmp(word, "name=", 5) == 0) {
        spec->name = weir_text(word + 5);
    } else if (strncmp(word, "replaces=", 9) == 0) {
        read_replaces(kit, spec, word + 9);
    } else if (strncmp(word, "meta=", 5) == 0) {
        spec->metadata = read_metadata(kit, word + 5);
    } else if (strncmp(word, "limit=", 6) == 0) {
        read_limit(kit, spec, word + 6);
    } else {
        read_rate(kit, spec, word);
    }
}

static size_t depth_of(const char *line)
{
    size_t depth = 0;
    while (line[depth] == ' ') {
        depth++;
    }
    return depth;
}

static size_t line_length(const char *line)
{
    const char *end = strchr(line, '\n');
    return end != NULL ? (size_t)(end - line) : strlen(line);
}

static const char *next_line(const char *line)
{
    const char *end = strchr(line, '\n');
    return end != NULL ? end + 1 : line + strlen(line);
}

/* Lines of `depth` before one that is less deep. */
static size_t count_level(const char *line, size_t depth)
{
    size_t count = 0;
    while (*line != '\0' && depth_of(line) >= depth) {
        count += depth_of(line) == depth ? 1 : 0;
        line = next_line(line);
    }
    return count;
}

/* NOLINTNEXTLINE(misc-no-recursion): a level of a test's own text */
static const struct weir_rls_node_spec *read_level(struct lines *lines, size_t depth,
                                                   size_t *ret_count)
{
    struct rls_kit *kit = lines->kit;
    const size_t count = count_level(lines->at, depth);
    struct weir_rls_node_spec *specs = weir_arena_get(&kit->made, count, sizeof(specs[0]));
    assert(specs != NULL);
    for (size_t i = 0; i < count; i++) {
        char *words[16];
        char *line = copy(kit, lines->at + depth, line_length(lines->at) - depth);
        const size_t word_count = split(line, ' ', words, 16);
        char *equals = strchr(words[0], '=');
        if (equals != NULL) {
            *equals = '\0';
            specs[i].value = weir_text(equals + 1);
        }
        specs[i].key = weir_text(words[0]);
        for (size_t j = 1; j < word_count; j++) {
            read_word(kit, &specs[i], words[j]);
        }
        lines->at = next_line(lines->at);
        specs[i].children = read_level(lines, depth + 1, &specs[i].child_count);
    }
    *ret_count = count;
    return specs;
}

struct rls_kit *rls_kit_new(const char *text)
{
    struct rls_kit *kit = calloc(1, sizeof(*kit));
    assert(kit != NULL);
    kit->limits = calloc(LIMITS_MAX, sizeof(struct weir_limit *));
    kit->store = fixture_open("memory:?size=1MiB");
    const size_t count = count_level(text, 0);
    struct weir_rls_domain_spec *domains = weir_arena_get(&kit->made, count, sizeof(domains[0]));
    assert(kit->limits != NULL && domains != NULL);
    struct lines lines = {kit, text};
    for (size_t i = 0; i < count; i++) {
        char *words[3];
        const size_t words_count = split(copy(kit, lines.at, line_length(lines.at)), ' ', words, 3);
        assert(words_count >= 2 && strcmp(words[0], "domain") == 0);
        domains[i].name = weir_text(words[1]);
        domains[i].atomic = words_count == 3;
        lines.at = next_line(lines.at);
        domains[i].children = read_level(&lines, 1, &domains[i].child_count);
    }
    kit->spec = (struct weir_rls_spec){
        .domains = domains,
        .domain_count = count,
        .settings = {.near_limit_ratio = 0.8,
                     .limit_header = weir_text("limit"),
                     .remaining_header = weir_text("remaining"),
                     .reset_header = weir_text("reset")},
    };
    return kit;
}

void rls_kit_free(struct rls_kit *kit)
{
    weir_rls_policy_free(kit->policy);
    weir_close(kit->store);
    for (size_t i = 0; i < kit->limit_count; i++) {
        weir_limit_free(kit->limits[i]);
    }
    free(kit->limits);
    weir_arena_deinit(&kit->arena);
    weir_arena_deinit(&kit->made);
    free(kit);
}

struct weir_rls_settings *rls_kit_settings(struct rls_kit *kit)
{
    assert(kit->policy == NULL);
    return &kit->spec.settings;
}

const struct weir_rls_spec *rls_kit_spec(struct rls_kit *kit)
{
    return &kit->spec;
}

struct weir_rls_policy *rls_kit_policy(struct rls_kit *kit)
{
    if (kit->policy == NULL && weir_rls_policy_new(&kit->spec, NULL, &kit->policy) != WEIR_OK) {
        abort();
    }
    return kit->policy;
}

/* ---- Requests ----------------------------------------------------------------------------- */

static void read_descriptor_word(struct weir_rls_descriptor *descriptor, char *word)
{
    if (strcmp(word, "negative") == 0) {
        descriptor->negative = true;
    } else if (strncmp(word, "hits=", 5) == 0) {
        descriptor->has_hits = true;
        descriptor->hits = strtoull(word + 5, NULL, 10);
    } else {
        assert(strncmp(word, "limit=", 6) == 0);
        char *slash = strchr(word, '/');
        assert(slash != NULL);
        descriptor->has_limit = true;
        descriptor->limit_requests = (uint32_t)strtoul(word + 6, NULL, 10);
        descriptor->limit_unit = unit_of(slash + 1);
    }
}

static void read_descriptor(struct rls_kit *kit, char *text, struct weir_rls_descriptor *descriptor)
{
    char *words[4];
    char *pieces[WEIR_RLS_ENTRIES_MAX + 2];
    const size_t word_count = split(text, ' ', words, 4);
    const size_t count = words[0][0] != '\0' ? split(words[0], ',', pieces, 66) : 0;
    struct weir_rls_entry *entries = weir_arena_get(&kit->made, count, sizeof(entries[0]));
    assert(entries != NULL);
    for (size_t i = 0; i < count; i++) {
        char *equals = strchr(pieces[i], '=');
        assert(equals != NULL);
        entries[i].key = weir_bytes(pieces[i], (size_t)(equals - pieces[i]));
        entries[i].value = weir_text(equals + 1);
    }
    descriptor->entries = entries;
    descriptor->entry_count = count;
    for (size_t i = 1; i < word_count; i++) {
        read_descriptor_word(descriptor, words[i]);
    }
}

struct weir_rls_request rls_kit_request(struct rls_kit *kit, const char *domain, const char *text)
{
    static char *pieces[WEIR_RLS_DESCRIPTORS_MAX + 1];
    const size_t count =
        split(copy(kit, text, strlen(text)), '|', pieces, WEIR_RLS_DESCRIPTORS_MAX + 1);
    struct weir_rls_descriptor *descriptors =
        weir_arena_get(&kit->made, count, sizeof(descriptors[0]));
    assert(descriptors != NULL);
    for (size_t i = 0; i < count; i++) {
        read_descriptor(kit, pieces[i], &descriptors[i]);
    }
    return (struct weir_rls_request){.domain = part(kit, domain, strlen(domain)),
                                     .descriptors = descriptors,
                                     .descriptor_count = count};
}

struct weir_rls_plan rls_kit_plan(struct rls_kit *kit, const char *domain, const char *text)
{
    struct weir_rls_plan plan;
    struct weir_error error;
    struct weir_rls_request *request = weir_arena_get(&kit->made, 1, sizeof(*request));
    assert(request != NULL);
    *request = rls_kit_request(kit, domain, text);
    if (weir_rls_plan(rls_kit_policy(kit), request, &kit->arena, &plan, &error) != WEIR_OK) {
        (void)fprintf(stderr, "%s\n", error.message);
        abort();
    }
    return plan;
}

static struct weir_decision ask_one(struct rls_kit *kit, const struct weir_rls_plan *plan,
                                    size_t index, int64_t now_us)
{
    const struct weir_rls_item *item = &plan->items[index];
    struct weir_decision decision;
    const struct weir_limit *limit =
        item->limit != NULL ? item->limit : limit_of(kit, &item->override);
    enum weir_status status = WEIR_ERR_ARGUMENT;
    if (item->verb == WEIR_VERB_CHECK) {
        status = weir_check(kit->store, limit, item->key, item->cost, now_us, &decision);
    } else if (item->verb == WEIR_VERB_PEEK) {
        status = weir_peek(kit->store, limit, item->key, item->cost, now_us, &decision);
    } else if (item->verb == WEIR_VERB_REFUND) {
        status = weir_refund(kit->store, limit, item->key, item->cost, now_us, &decision);
    }
    if (status != WEIR_OK) {
        abort();
    }
    const uint64_t rest = weir_rls_rest(plan, index, &decision);
    struct weir_decision taken;
    if (rest > 0 && (weir_check(kit->store, limit, item->key, rest, now_us, &taken) != WEIR_OK ||
                     !taken.allowed)) {
        abort();
    }
    return decision;
}

static void ask_together(struct rls_kit *kit, const struct weir_rls_plan *plan, int64_t now_us,
                         struct weir_decision *decisions)
{
    struct weir_request requests[WEIR_CHECK_ALL_MAX];
    struct weir_decision decided[WEIR_CHECK_ALL_MAX];
    size_t count = 0;
    for (size_t i = 0; i < plan->count; i++) {
        const struct weir_rls_item *item = &plan->items[i];
        if (item->together) {
            requests[count++] = (struct weir_request){
                item->limit != NULL ? item->limit : limit_of(kit, &item->override), item->key,
                item->cost};
        }
    }
    if (weir_check_all(kit->store, requests, count, now_us, decided, NULL) != WEIR_OK) {
        abort();
    }
    count = 0;
    for (size_t i = 0; i < plan->count; i++) {
        if (plan->items[i].together) {
            decisions[i] = decided[count++];
        }
    }
}

struct weir_rls_response rls_kit_decide(struct rls_kit *kit, const struct weir_rls_plan *plan,
                                        int64_t now_us, struct weir_rls_tally *tally)
{
    struct weir_rls_response response;
    struct weir_decision *decisions =
        weir_arena_get(&kit->arena, plan->count, sizeof(decisions[0]));
    assert(decisions != NULL);
    if (plan->atomic) {
        ask_together(kit, plan, now_us, decisions);
    }
    for (size_t i = 0; i < plan->count; i++) {
        const bool asked =
            plan->items[i].fate == WEIR_RLS_ASK || plan->items[i].fate == WEIR_RLS_ASK_OVERRIDE;
        if (asked && !(plan->atomic && plan->items[i].together)) {
            decisions[i] = ask_one(kit, plan, i, now_us);
        }
    }
    if (weir_rls_answer(rls_kit_policy(kit), plan, decisions, now_us, &kit->arena, tally,
                        &response) != WEIR_OK) {
        abort();
    }
    return response;
}

struct weir_rls_response rls_kit_ask(struct rls_kit *kit, const char *domain, const char *text,
                                     int64_t now_us)
{
    const struct weir_rls_plan plan = rls_kit_plan(kit, domain, text);
    return rls_kit_decide(kit, &plan, now_us, NULL);
}

void rls_kit_clear(struct rls_kit *kit)
{
    weir_arena_clear(&kit->arena);
}

struct weir_arena *rls_kit_arena(struct rls_kit *kit)
{
    return &kit->arena;
}

/* ---- Memory that runs out ----------------------------------------------------------------- */

static void *scarce_allocate(void *context, size_t size, size_t alignment)
{
    struct rls_kit_scarce *scarce = context;
    void *memory = NULL;
    if (scarce->left == 0) {
        return NULL;
    }
    scarce->left--;
    if (posix_memalign(&memory, alignment < sizeof(void *) ? sizeof(void *) : alignment, size) !=
        0) {
        abort();
    }
    memset(memory, 0xa5, size);
    scarce->held += size;
    return memory;
}

static void scarce_release(void *context, void *memory, size_t size)
{
    struct rls_kit_scarce *scarce = context;
    assert(scarce->held >= size);
    scarce->held -= size;
    free(memory);
}

void rls_kit_scarce_init(struct rls_kit_scarce *scarce, size_t allocations)
{
    *scarce = (struct rls_kit_scarce){.allocator = {scarce_allocate, scarce_release, scarce},
                                      .left = allocations};
}
