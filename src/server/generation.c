/* generation.c - see generation.h. */

#include "server/generation.h"

#include "rls/rls.h"

#include <stdatomic.h>
#include <stdlib.h>

struct weir_generation {
    struct weir_config *config;
    uint32_t *numbers;
    uint32_t *rls_numbers;
    uint64_t version;
    /* Uses by the control thread and by views. A view's release may be on any worker; the last one
     * has to see all that others did with it, so that a release releases and acquires. */
    _Atomic uint32_t uses;
};

struct weir_generation *weir_generation_new(struct weir_config *config,
                                            struct weir_metrics *metrics, uint64_t version)
{
    const size_t count = weir_policy_count(config->policy);
    const size_t rls_count = config->rls != NULL ? weir_rls_policy_count(config->rls) : 0;
    struct weir_generation *generation = calloc(1, sizeof(*generation));
    uint32_t *rls_numbers = calloc(rls_count > 0 ? rls_count : 1, sizeof(*rls_numbers));
    uint32_t *numbers = calloc(count > 0 ? count : 1, sizeof(*numbers));
    bool made = generation != NULL && numbers != NULL && rls_numbers != NULL;
    for (size_t i = 0; made && i < count; i++) {
        numbers[i] = weir_metrics_rule(metrics, weir_policy_rule(config->policy, i)->name);
        made = numbers[i] != UINT32_MAX;
    }
    for (size_t i = 0; made && i < rls_count; i++) {
        rls_numbers[i] = weir_metrics_rule(metrics, weir_rls_policy_rule(config->rls, i)->full_key);
        made = rls_numbers[i] != UINT32_MAX;
    }
    if (!made) {
        free(generation);
        free(numbers);
        free(rls_numbers);
        weir_config_free(config);
        return NULL;
    }
    generation->config = config;
    generation->numbers = numbers;
    generation->rls_numbers = rls_numbers;
    generation->version = version;
    atomic_init(&generation->uses, 1);
    return generation;
}

const struct weir_config *weir_generation_config(const struct weir_generation *generation)
{
    return generation->config;
}

uint64_t weir_generation_version(const struct weir_generation *generation)
{
    return generation->version;
}

void weir_generation_release(struct weir_generation *generation)
{
    if (generation != NULL &&
        atomic_fetch_sub_explicit(&generation->uses, 1, memory_order_acq_rel) == 1) {
        weir_config_free(generation->config);
        free(generation->numbers);
        free(generation->rls_numbers);
        free(generation);
    }
}

static void release_view(struct weir_view *view)
{
    weir_generation_release(view->owner);
    free(view);
}

struct weir_view *weir_generation_view(struct weir_generation *generation)
{
    struct weir_view *view = calloc(1, sizeof(*view));
    if (view == NULL) {
        return NULL;
    }
    /* Relaxed: the caller has a use, so that it is not about to go. */
    atomic_fetch_add_explicit(&generation->uses, 1, memory_order_relaxed);
    *view = (struct weir_view){
        .config = generation->config,
        .numbers = generation->numbers,
        .rls_numbers = generation->rls_numbers,
        .version = generation->version,
        .release = release_view,
        .owner = generation,
    };
    return view;
}
