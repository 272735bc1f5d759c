/* tiers.c - subscription tiers: who pays more may ask more, from the moment of paying.
 *
 * Each plan is a limit; which one applies is looked up by the customer's plan at every request. All
 * plans' limits bear one name, "api", and that makes them one rule: they share each customer's
 * state. So a customer who changes the plan keeps what was used, and neither gets a fresh budget
 * with every change nor waits out the old plan's times under the new one.
 *
 * For a bucket what is kept is time: how long until it would be full again, never more than the new
 * plan's bucket takes to fill. The clock is supplied, and so the story is over at once. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/weir.h>

#define SECOND INT64_C(1000000)
#define MORNING (INT64_C(1767603600) * SECOND)

struct plan {
    const char *name;
    const char *text;
    struct weir_limit *limit;
};

static struct weir_limit *parse(const char *text)
{
    const struct weir_limit_options options = {.size = sizeof(options), .name = weir_text("api")};
    struct weir_limit *limit;
    struct weir_error error;
    if (weir_limit_parse(weir_text(text), &options, &limit, &error) != WEIR_OK) {
        fprintf(stderr, "%s: %s\n", text, error.message);
        exit(EXIT_FAILURE);
    }
    return limit;
}

/* An unknown plan gets the first, the smallest. */
static const struct plan *plan_of(const struct plan *plans, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(plans[i].name, name) == 0) {
            return &plans[i];
        }
    }
    return &plans[0];
}

/* Sends `requests` requests of one customer at one moment, and tells what came of them. */
static void send(struct weir *weir, const struct plan *plan, int requests, int64_t after_us)
{
    struct weir_decision decision;
    int admitted = 0;
    for (int i = 0; i < requests; i++) {
        const enum weir_status status = weir_check(weir, plan->limit, weir_text("customer-42"), 1,
                                                   MORNING + after_us, &decision);
        if (status != WEIR_OK) {
            fprintf(stderr, "check: %s\n", weir_strerror(status));
            exit(EXIT_FAILURE);
        }
        admitted += decision.allowed;
    }
    printf("%3" PRId64 " s  %-10s %3d requests: %3d admitted, %3" PRIu64 " remaining",
           after_us / SECOND, plan->name, requests, admitted, decision.remaining);
    if (!decision.allowed) {
        printf(", next in %" PRId64 " ms", (decision.retry_after_us + 999) / 1000);
    }
    putchar('\n');
}

int main(void)
{
    struct plan plans[] = {
        {"free", "10/m", NULL},
        {"pro", "100/m", NULL},
        {"enterprise", "50/s burst 500", NULL},
    };
    const size_t count = sizeof(plans) / sizeof(plans[0]);
    struct weir *weir = NULL;
    if (weir_open("memory:?size=1MiB", NULL, &weir, NULL) != WEIR_OK) {
        fputs("the store can't be opened\n", stderr);
        return EXIT_FAILURE;
    }
    for (size_t i = 0; i < count; i++) {
        plans[i].limit = parse(plans[i].text);
    }

    puts("On the free plan, 10 a minute, the eleventh request has to wait:");
    send(weir, plan_of(plans, count, "free"), 12, 0);
    send(weir, plan_of(plans, count, "free"), 1, 3 * SECOND);

    puts("The customer pays. What was used is still used, but it comes back ten times as fast:");
    send(weir, plan_of(plans, count, "pro"), 12, 3 * SECOND);
    send(weir, plan_of(plans, count, "pro"), 10, 9 * SECOND);

    puts("And pays more. That bucket fills in 10 s, so the debt of a minute becomes one of 10 s:");
    send(weir, plan_of(plans, count, "enterprise"), 100, 10 * SECOND);
    send(weir, plan_of(plans, count, "enterprise"), 200, 12 * SECOND);

    puts("Back on the free plan the debt of then is kept, which the smaller bucket can hold:");
    send(weir, plan_of(plans, count, "free"), 12, 12 * SECOND);

    weir_close(weir);
    for (size_t i = 0; i < count; i++) {
        weir_limit_free(plans[i].limit);
    }
    return EXIT_SUCCESS;
}
