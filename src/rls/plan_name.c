/* plan_name.c - under which name a descriptor is counted. Read policy_parts.h first.
 *
 * A rule's own name is its full key, made once. Others are made for a request: of a rule with
 * detailed_metric, of all its keys and values; below one with value_to_metric, of the rule's own
 * with the values that came; of an override, of all its keys and values. */

#include "rls/policy_parts.h"

struct weir_bytes weir_rls_shared(const struct weir_rls_step *step)
{
    if (step->how != WEIR_RLS_BY_PATTERN || !step->node->spec->share_threshold) {
        return weir_bytes(NULL, 0);
    }
    return step->node->value.len > 0 ? step->node->value : step->node->key;
}

/* What is written of a value, behind its key. */
struct piece {
    struct weir_bytes value;
    bool always; /* a '_' also where there is none */
};

static struct piece piece_of_detailed(const struct weir_rls_step *step,
                                      const struct weir_rls_entry *entry, bool shares)
{
    const struct weir_bytes shared = weir_rls_shared(step);
    return (struct piece){shared.len > 0 ? shared : entry->value, !shares};
}

static struct piece piece_of_path(const struct weir_rls_step *step,
                                  const struct weir_rls_entry *entry)
{
    const bool told = step->node->spec->value_to_metric && weir_rls_shared(step).len == 0;
    if (told || step->how == WEIR_RLS_EXACT) {
        return (struct piece){entry->value, false};
    }
    return (struct piece){step->node->value, false};
}

/* Whether the rule's own name is the wrong one. */
static bool is_renamed(const struct weir_rls_descriptor *descriptor,
                       const struct weir_rls_prepared *rule, const struct weir_rls_step *steps)
{
    if (rule->rule.spec->detailed_metric) {
        return true;
    }
    for (size_t i = 0; i < descriptor->entry_count; i++) {
        if (steps[i].node->spec->value_to_metric && steps[i].how != WEIR_RLS_EXACT &&
            weir_rls_shared(&steps[i]).len == 0) {
            return true;
        }
    }
    return false;
}

static bool has_shared(const struct weir_rls_descriptor *descriptor,
                       const struct weir_rls_step *steps)
{
    for (size_t i = 0; i < descriptor->entry_count; i++) {
        if (weir_rls_shared(&steps[i]).len > 0) {
            return true;
        }
    }
    return false;
}

static char *put(char *at, struct weir_bytes bytes)
{
    if (bytes.len > 0) {
        memcpy(at, bytes.ptr, bytes.len);
    }
    return at + bytes.len;
}

struct weir_bytes weir_rls_stat_name(const struct weir_rls_request *request,
                                     const struct weir_rls_descriptor *descriptor,
                                     const struct weir_rls_prepared *rule,
                                     const struct weir_rls_step *steps, struct weir_arena *arena)
{
    struct piece pieces[WEIR_RLS_ENTRIES_MAX];
    size_t len = request->domain.len;
    if (rule != NULL && !is_renamed(descriptor, rule, steps)) {
        return weir_bytes("", 0);
    }
    const bool shares = rule != NULL && has_shared(descriptor, steps);
    for (size_t i = 0; i < descriptor->entry_count; i++) {
        const struct weir_rls_entry *entry = &descriptor->entries[i];
        if (rule == NULL) {
            pieces[i] = (struct piece){entry->value, false};
        } else if (rule->rule.spec->detailed_metric) {
            pieces[i] = piece_of_detailed(&steps[i], entry, shares);
        } else {
            pieces[i] = piece_of_path(&steps[i], entry);
        }
        len += entry->key.len + pieces[i].value.len + 2;
    }
    char *name = weir_arena_take(arena, len);
    if (name == NULL) {
        return weir_bytes(NULL, 0);
    }
    char *at = put(name, request->domain);
    for (size_t i = 0; i < descriptor->entry_count; i++) {
        *at++ = '.';
        at = put(at, descriptor->entries[i].key);
        if (pieces[i].value.len > 0 || pieces[i].always) {
            *at++ = '_';
            at = put(at, pieces[i].value);
        }
    }
    return weir_bytes(name, (size_t)(at - name));
}
