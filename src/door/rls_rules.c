/* rls_rules.c - the rate limit service by the rules of weir's own policy: a descriptor's entries
 * are attributes, and so is the domain. See rls_door.h. */

#include "base/error.h"
#include "door/rls_door.h"

#include <string.h>

#define SECOND_US INT64_C(1000000)

static uint64_t hits_of(const struct weir_rls_request *request,
                        const struct weir_rls_descriptor *descriptor)
{
    if (descriptor->has_hits) {
        return descriptor->hits;
    }
    return request->hits > 0 ? request->hits : 1;
}

enum weir_status weir_rls_ask_rules(struct weir_exchange *exchange, size_t index,
                                    struct weir_error *ret_error)
{
    struct weir_rls_asked *asked = exchange->rls;
    const struct weir_rls_descriptor *descriptor = &asked->request.descriptors[index];
    struct weir_attribute attributes[WEIR_ATTRIBUTES_MAX];
    if (descriptor->entry_count >= WEIR_ATTRIBUTES_MAX) {
        weir_error_set(ret_error, 0, 0, "a descriptor of more than %d entries",
                       WEIR_ATTRIBUTES_MAX - 1);
        return WEIR_ERR_ARGUMENT;
    }
    for (size_t i = 0; i < descriptor->entry_count; i++) {
        attributes[i] =
            (struct weir_attribute){descriptor->entries[i].key, descriptor->entries[i].value};
    }
    attributes[descriptor->entry_count] =
        (struct weir_attribute){weir_text(WEIR_RLS_DOMAIN_ATTRIBUTE), asked->request.domain};
    const uint64_t hits = hits_of(&asked->request, descriptor);
    const struct weir_inquiry_spec spec = {
        .attributes = attributes,
        .count = descriptor->entry_count + 1,
        .cost = hits > 0 ? hits : 1,
        .only = SIZE_MAX,
        .now_us = exchange->desk->now_us,
    };
    const enum weir_verb verb = hits == 0              ? WEIR_VERB_PEEK
                                : descriptor->negative ? WEIR_VERB_REFUND
                                                       : WEIR_VERB_CHECK;
    const enum weir_status status = weir_exchange_ask(exchange, verb, &spec, ret_error);
    if (status == WEIR_OK) {
        asked->places[index] = (struct weir_rls_place){exchange->last_inquiry, SIZE_MAX};
    }
    return status;
}

/* The unit of a period, or UNKNOWN where the service has no word for it. */
static enum weir_rls_unit unit_of(const struct weir_limit_spec *spec)
{
    static const struct {
        int64_t seconds;
        enum weir_calendar calendar;
        enum weir_rls_unit unit;
    } units[] = {
        {1, WEIR_CALENDAR_NONE, WEIR_RLS_SECOND},
        {60, WEIR_CALENDAR_MINUTE, WEIR_RLS_MINUTE},
        {3600, WEIR_CALENDAR_HOUR, WEIR_RLS_HOUR},
        {86400, WEIR_CALENDAR_DAY, WEIR_RLS_DAY},
        {INT64_C(7) * 86400, WEIR_CALENDAR_WEEK, WEIR_RLS_WEEK},
        {INT64_C(30) * 86400, WEIR_CALENDAR_MONTH, WEIR_RLS_MONTH},
        {INT64_C(365) * 86400, WEIR_CALENDAR_YEAR, WEIR_RLS_YEAR},
    };
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        const bool same = spec->period_us > 0 ? spec->period_us == units[i].seconds * SECOND_US
                                              : spec->calendar != WEIR_CALENDAR_NONE &&
                                                    spec->calendar == units[i].calendar;
        if (same) {
            return units[i].unit;
        }
    }
    return WEIR_RLS_UNKNOWN_UNIT;
}

static uint32_t clamp(uint64_t number)
{
    return number > UINT32_MAX ? UINT32_MAX : (uint32_t)number;
}

void weir_rls_tell_rules(const struct weir_inquiry *inquiry, struct weir_rls_status *ret_status)
{
    const bool allowed = inquiry->outcome.allowed;
    *ret_status = (struct weir_rls_status){.code = allowed ? WEIR_RLS_OK : WEIR_RLS_OVER_LIMIT};
    if (inquiry->outcome.part == UINT32_MAX) {
        return;
    }
    const struct weir_part *part = &inquiry->parts[inquiry->outcome.part];
    const struct weir_policy *policy = inquiry->view->config->policy;
    if (part->listing != WEIR_LISTED_NOT) {
        return;
    }
    struct weir_limit_spec spec;
    const struct weir_decision *decision = &inquiry->decisions[part->request];
    weir_limit_describe(inquiry->requests[part->request].limit, &spec);
    ret_status->has_limit = true;
    ret_status->requests_per_unit = clamp(decision->limit);
    ret_status->unit = unit_of(&spec);
    ret_status->name = weir_policy_rule(policy, part->rule)->name;
    ret_status->remaining = clamp(allowed ? decision->remaining : 0);
    ret_status->has_reset = true;
    ret_status->reset_us = (decision->reset_after_us + SECOND_US - 1) / SECOND_US * SECOND_US;
}
