/* subject_model.c - the model as a subject, so that vectors are held against it too. */

#include "prop/model.h"
#include "prop/subject.h"

static bool holds(enum weir_algorithm algorithm)
{
    (void)algorithm;
    return true;
}

static void *open_model(void)
{
    return model_new();
}

static void close_model(void *self)
{
    model_free(self);
}

static void reset(void *self)
{
    model_reset(self);
}

static void set_limit(void *self, const struct weir_limit_spec *spec)
{
    model_limit(self, spec);
}

static void check(void *self, uint64_t cost, int64_t now_us, struct weir_decision *ret_decision)
{
    *ret_decision = model_check(self, cost, now_us);
}

static void peek(void *self, uint64_t cost, int64_t now_us, struct weir_decision *ret_decision)
{
    *ret_decision = model_peek(self, cost, now_us);
}

static void refund(void *self, uint64_t cost, int64_t now_us, struct weir_decision *ret_decision)
{
    *ret_decision = model_refund(self, cost, now_us);
}

const struct subject subject_model = {
    .name = "model",
    .holds = holds,
    .back_us = INT64_MAX,
    .forward_us = INT64_MAX,
    .open = open_model,
    .close = close_model,
    .fresh = reset,
    .limit = set_limit,
    .check = check,
    .peek = peek,
    .refund = refund,
    .reset = reset,
};
