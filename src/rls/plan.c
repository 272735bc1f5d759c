/* plan.c - what is to be asked of the store for a request. Read policy_parts.h first.
 *
 * Nothing is looked up twice, and memory comes from the request's arena alone. */

#include "base/error.h"
#include "rls/policy_parts.h"

#include <assert.h>

struct planning {
    const struct weir_rls_policy *policy;
    const struct weir_rls_request *request;
    const struct weir_rls_node *domain;
    struct weir_arena *arena;
    struct weir_error *error;
    uint64_t *replaced; /* bits of names; NULL until some rule replaces one */
    size_t together;
};

static enum weir_status refuse(struct planning *planning, size_t descriptor, const char *what)
{
    weir_error_set(planning->error, 0, 0, "descriptor %zu: %s", descriptor, what);
    return WEIR_ERR_ARGUMENT;
}

/* `steps` is NULL for an override, whose values all stand for themselves. */
static enum weir_status make_key(struct planning *planning,
                                 const struct weir_rls_descriptor *descriptor,
                                 const struct weir_rls_step *steps, struct weir_rls_item *item)
{
    const struct weir_rls_budget budget = {
        .prefix = planning->policy->spec->settings.key_prefix,
        .domain = planning->request->domain,
        .descriptor = descriptor,
        .steps = steps,
    };
    return weir_rls_make_key(&budget, planning->arena, &item->key) ? WEIR_OK : WEIR_ERR_NO_MEMORY;
}

/* ---- One descriptor ----------------------------------------------------------------------- */

static void set_hits(const struct weir_rls_request *request,
                     const struct weir_rls_descriptor *descriptor, struct weir_rls_item *item)
{
    const uint64_t of_request = request->hits > 0 ? request->hits : 1;
    item->hits = descriptor->has_hits ? descriptor->hits : of_request;
    item->cost = item->hits;
    item->verb = WEIR_VERB_CHECK;
    if (item->hits == 0) {
        item->verb = WEIR_VERB_PEEK;
    } else if (descriptor->negative) {
        item->verb = WEIR_VERB_REFUND;
    }
}

/* Only what can deny by itself holds others back. */
static void set_together(struct planning *planning, struct weir_rls_item *item)
{
    const struct weir_rls_settings *settings = &planning->policy->spec->settings;
    const struct weir_rls_node_spec *spec = item->rule != NULL ? item->rule->spec : NULL;
    item->together = planning->domain != NULL && planning->domain->atomic &&
                     item->verb == WEIR_VERB_CHECK && !settings->shadow_mode &&
                     !settings->quota_mode &&
                     (spec == NULL || (!spec->shadow_mode && !spec->quota_mode));
}

static enum weir_status plan_override(struct planning *planning,
                                      const struct weir_rls_descriptor *descriptor,
                                      struct weir_rls_item *item)
{
    const int64_t seconds = weir_rls_unit_seconds(descriptor->limit_unit);
    if (seconds == 0) {
        return refuse(planning, (size_t)(descriptor - planning->request->descriptors),
                      "the unit of its limit is unknown; set SECOND, MINUTE, HOUR, DAY, MONTH or "
                      "YEAR");
    }
    item->unit = descriptor->limit_unit;
    item->requests_per_unit = descriptor->limit_requests;
    item->stat = weir_rls_stat_name(planning->request, descriptor, NULL, NULL, planning->arena);
    if (item->stat.ptr == NULL) {
        return WEIR_ERR_NO_MEMORY;
    }
    set_together(planning, item);
    if (descriptor->limit_requests == 0) {
        item->fate = WEIR_RLS_ALWAYS_OVER;
        return WEIR_OK;
    }
    item->fate = WEIR_RLS_ASK_OVERRIDE;
    item->override = (struct weir_limit_spec){.algorithm = WEIR_CALENDAR_WINDOW,
                                              .calendar = WEIR_CALENDAR_EPOCH,
                                              .count = descriptor->limit_requests,
                                              .period_us = seconds * 1000000};
    return make_key(planning, descriptor, NULL, item);
}

/* The names that a rule replaces are noted, whether or not it is replaced itself. */
static bool note_replaced(struct planning *planning, const struct weir_rls_prepared *rule)
{
    const size_t count = rule->rule.spec->replaces_count;
    if (count > 0 && planning->replaced == NULL) {
        planning->replaced = weir_arena_get(planning->arena, planning->policy->name_count / 64 + 1,
                                            sizeof(uint64_t));
        if (planning->replaced == NULL) {
            return false;
        }
    }
    for (size_t i = 0; i < count; i++) {
        planning->replaced[rule->replaces[i] / 64] |= UINT64_C(1) << (rule->replaces[i] % 64);
    }
    return true;
}

static enum weir_status plan_rule(struct planning *planning,
                                  const struct weir_rls_descriptor *descriptor,
                                  struct weir_rls_item *item)
{
    struct weir_rls_step steps[WEIR_RLS_ENTRIES_MAX];
    const struct weir_rls_prepared *rule =
        weir_rls_match(planning->policy, planning->domain, descriptor, steps);
    if (rule == NULL) {
        return WEIR_OK;
    }
    const struct weir_rls_node_spec *spec = rule->rule.spec;
    item->rule = &rule->rule;
    item->requests_per_unit = spec->requests_per_unit;
    item->unit = spec->unit;
    if (!note_replaced(planning, rule)) {
        return WEIR_ERR_NO_MEMORY;
    }
    if (spec->unlimited) {
        item->fate = WEIR_RLS_UNLIMITED;
        return WEIR_OK;
    }
    item->stat = weir_rls_stat_name(planning->request, descriptor, rule, steps, planning->arena);
    if (item->stat.ptr == NULL) {
        return WEIR_ERR_NO_MEMORY;
    }
    set_together(planning, item);
    if (spec->requests_per_unit == 0) {
        item->fate = WEIR_RLS_ALWAYS_OVER;
        return WEIR_OK;
    }
    item->fate = WEIR_RLS_ASK;
    item->limit = spec->limit;
    return make_key(planning, descriptor, steps, item);
}

static enum weir_status plan_descriptor(struct planning *planning, size_t index,
                                        struct weir_rls_item *item)
{
    const struct weir_rls_descriptor *descriptor = &planning->request->descriptors[index];
    set_hits(planning->request, descriptor, item);
    if (descriptor->entry_count > WEIR_RLS_ENTRIES_MAX) {
        return refuse(planning, index, "more than 64 entries");
    }
    if (planning->domain == NULL &&
        !(descriptor->has_limit && planning->policy->spec->settings.any_domain)) {
        return WEIR_OK;
    }
    return descriptor->has_limit ? plan_override(planning, descriptor, item)
                                 : plan_rule(planning, descriptor, item);
}

/* ---- The request -------------------------------------------------------------------------- */

/* Whether a rule that was met bears a name that another one replaces. What has no limit has none
 * to be replaced. */
static bool is_replaced(const struct planning *planning, const struct weir_rls_item *item)
{
    if (item->rule == NULL || item->fate == WEIR_RLS_UNLIMITED) {
        return false;
    }
    const uint32_t name = planning->policy->rules[item->rule->index].name;
    return name != WEIR_RLS_NO_NAME && (planning->replaced[name / 64] >> (name % 64) & 1) != 0;
}

static void replace(struct planning *planning, struct weir_rls_plan *plan)
{
    for (size_t i = 0; i < plan->count; i++) {
        struct weir_rls_item *item = &plan->items[i];
        if (planning->replaced != NULL && is_replaced(planning, item)) {
            *item =
                (struct weir_rls_item){.hits = item->hits, .cost = item->cost, .verb = item->verb};
        }
        planning->together += item->together ? 1 : 0;
    }
}

/* Where one of those together is denied whatever the store says, the others are only looked at. */
static void spare(struct planning *planning, struct weir_rls_plan *plan)
{
    bool denied = false;
    for (size_t i = 0; i < plan->count; i++) {
        denied = denied || (plan->items[i].together && plan->items[i].fate == WEIR_RLS_ALWAYS_OVER);
    }
    for (size_t i = 0; i < plan->count && denied; i++) {
        struct weir_rls_item *item = &plan->items[i];
        item->verb =
            item->together && item->fate != WEIR_RLS_ALWAYS_OVER ? WEIR_VERB_PEEK : item->verb;
        item->together = false;
    }
    planning->together = denied ? 0 : planning->together;
}

static enum weir_status check_request(const struct weir_rls_request *request,
                                      struct weir_error *error)
{
    const char *wrong = NULL;
    if (request->domain.len == 0) {
        wrong = "rate limit domain must not be empty";
    } else if (request->descriptor_count == 0) {
        wrong = "rate limit descriptor list must not be empty";
    } else if (request->descriptor_count > WEIR_RLS_DESCRIPTORS_MAX) {
        wrong = "more than 1024 descriptors";
    }
    if (wrong != NULL) {
        weir_error_set(error, 0, 0, "%s", wrong);
    }
    return wrong == NULL ? WEIR_OK : WEIR_ERR_ARGUMENT;
}

static enum weir_status plan_all(struct planning *planning, struct weir_rls_plan *plan)
{
    for (size_t i = 0; i < plan->count; i++) {
        const enum weir_status status = plan_descriptor(planning, i, &plan->items[i]);
        if (status != WEIR_OK) {
            return status;
        }
    }
    replace(planning, plan);
    spare(planning, plan);
    if (planning->together > WEIR_CHECK_ALL_MAX) {
        weir_error_set(planning->error, 0, 0,
                       "%zu limits apply in a domain that is `atomic`; at most %d can be "
                       "checked together",
                       planning->together, WEIR_CHECK_ALL_MAX);
        return WEIR_ERR_ARGUMENT;
    }
    plan->atomic = planning->together > 0;
    return WEIR_OK;
}

enum weir_status weir_rls_plan(const struct weir_rls_policy *policy,
                               const struct weir_rls_request *request, struct weir_arena *arena,
                               struct weir_rls_plan *ret_plan, struct weir_error *ret_error)
{
    assert(policy != NULL && request != NULL && arena != NULL && ret_plan != NULL);
    enum weir_status status = check_request(request, ret_error);
    if (status != WEIR_OK) {
        return status;
    }
    struct planning planning = {.policy = policy,
                                .request = request,
                                .domain = weir_rls_find_domain(policy, request->domain),
                                .arena = arena,
                                .error = ret_error};
    struct weir_rls_plan plan = {
        .request = request,
        .items = weir_arena_get(arena, request->descriptor_count, sizeof(plan.items[0])),
        .count = request->descriptor_count,
        .unknown_domain = planning.domain == NULL,
    };
    status = plan.items != NULL ? plan_all(&planning, &plan) : WEIR_ERR_NO_MEMORY;
    if (status == WEIR_ERR_NO_MEMORY) {
        weir_error_set(ret_error, 0, 0, "no memory");
    }
    if (status == WEIR_OK) {
        *ret_plan = plan;
    }
    return status;
}
