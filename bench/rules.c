/* rules.c - what making a plan costs, by how many rules there are: "does it stay flat?"
 *
 *     bench_rules        prints a table: rules, and nanoseconds a plan of each mix
 *
 * A mix is what the rules test for: a value each, a start of a path each, a network each, or the
 * usual: these and globs, any-of, negations, keys and a list, most rules under one method. Requests
 * are 4096, made beforehand, of six attributes; three in four meet a rule. The least of five rounds
 * is shown. */

#include "rules/rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define REQUESTS 4096
#define ROUNDS 5
#define ATTRIBUTES 6
#define TEXT_SIZE 48

enum mix {
    MIX_EXACT,
    MIX_PREFIX,
    MIX_CIDR,
    MIX_USUAL,
    MIX_COUNT
};

/* One rule, and what it is made of. */
struct made {
    char name[16];
    char text[TEXT_SIZE];
    char other[TEXT_SIZE];
    struct weir_test_spec tests[5];
    struct weir_condition_spec conditions[3];
};

static const struct weir_key_part_spec key[] = {
    {.attribute = {"ip", 2}, .ipv4_prefix = 32, .ipv6_prefix = 64}};

static void must(bool holds, const char *what)
{
    if (!holds) {
        (void)fprintf(stderr, "bench_rules: %s\n", what);
        exit(2);
    }
}

/* The path and address of number `i`: what rule `i` tests for. */
static void path_of(size_t i, char text[TEXT_SIZE])
{
    static const char *const areas[] = {"api", "shop/items", "static", "admin/users/list",
                                        "v2/orders"};
    (void)snprintf(text, TEXT_SIZE, "/%s/%zu/", areas[i % 5], i);
}

static void address_of(size_t i, char text[TEXT_SIZE], unsigned host)
{
    (void)snprintf(text, TEXT_SIZE, "10.%zu.%zu.%u", i / 256 % 256, i % 256, host);
}

static void append(char text[TEXT_SIZE], const char *more)
{
    const size_t len = strlen(text);
    must(len + strlen(more) < TEXT_SIZE, "a text is too long");
    memcpy(text + len, more, strlen(more) + 1);
}

static void set(struct made *made, size_t at, const char *attribute, enum weir_test_kind kind,
                const char *text)
{
    made->tests[at].kind = kind;
    made->tests[at].text = weir_text(text);
    made->conditions[at].attribute = weir_text(attribute);
    made->conditions[at].tests = &made->tests[at];
    made->conditions[at].count = 1;
}

/* The usual: a method, and a path, an address, a user, or several paths. */
static size_t make_usual(struct made *made, size_t i)
{
    set(made, 0, "method", WEIR_TEST_EXACT, i % 3 == 0 ? "POST" : "GET");
    path_of(i, made->text);
    set(made, 1, "path", WEIR_TEST_PREFIX, made->text);
    switch (i % 8) {
    case 0:
        append(made->text, "*/edit");
        made->tests[1].kind = WEIR_TEST_GLOB;
        break;
    case 1:
        address_of(i, made->text, 0);
        append(made->text, "/24");
        set(made, 1, "ip", WEIR_TEST_CIDR, made->text);
        break;
    case 2:
        (void)snprintf(made->text, TEXT_SIZE, "user%zu", i);
        set(made, 1, "user", WEIR_TEST_EXACT, made->text);
        break;
    case 3:
        path_of(i + 1, made->other);
        made->tests[2] =
            (struct weir_test_spec){.kind = WEIR_TEST_PREFIX, .text = weir_text(made->other)};
        made->conditions[1].count = 2;
        break;
    default:
        set(made, 2, "plan", WEIR_TEST_EXACT, "internal");
        made->conditions[2].negated = true;
        return 3;
    }
    return 2;
}

static void make_rule(enum mix mix, size_t i, struct made *made, struct weir_rule_spec *rule,
                      const struct weir_limit *limit)
{
    size_t conditions = 1;
    (void)snprintf(made->name, sizeof(made->name), "rule%zu", i);
    if (mix == MIX_EXACT) {
        path_of(i, made->text);
        set(made, 0, "path", WEIR_TEST_EXACT, made->text);
    } else if (mix == MIX_PREFIX) {
        path_of(i, made->text);
        set(made, 0, "path", WEIR_TEST_PREFIX, made->text);
    } else if (mix == MIX_CIDR) {
        static const char *const prefixes[] = {"/24", "/28", "/32"};
        address_of(i, made->text, 0);
        append(made->text, prefixes[i % 3]);
        set(made, 0, "ip", WEIR_TEST_CIDR, made->text);
    } else {
        conditions = make_usual(made, i);
    }
    *rule = (struct weir_rule_spec){.name = weir_text(made->name),
                                    .conditions = made->conditions,
                                    .condition_count = conditions,
                                    .key = key,
                                    .key_count = 1,
                                    .limit = limit};
}

struct request {
    char path[TEXT_SIZE + 16];
    char ip[TEXT_SIZE];
    char user[TEXT_SIZE];
    struct weir_attribute attributes[ATTRIBUTES];
};

static void make_requests(struct request *requests, size_t rules, enum mix mix)
{
    uint64_t state = 1;
    for (size_t i = 0; i < REQUESTS; i++) {
        struct request *request = &requests[i];
        state = state * UINT64_C(6364136223846793005) + 1442695040888963407U;
        /* One in four is of nobody's rule. */
        const size_t rule = (size_t)(state >> 33) % rules + (i % 4 == 0 ? 100000 : 0);
        char path[TEXT_SIZE];
        path_of(rule, path);
        (void)snprintf(request->path, sizeof(request->path), "%s%s", path,
                       mix == MIX_EXACT ? "" : "some/thing/edit");
        address_of(rule, request->ip, i % 4 == 0 ? 200 : 0);
        (void)snprintf(request->user, sizeof(request->user), "user%zu", rule);
        const char *const values[ATTRIBUTES] = {i % 3 == 0 ? "POST" : "GET",
                                                request->path,
                                                request->ip,
                                                request->user,
                                                "free",
                                                "www.example.com"};
        static const char *const names[ATTRIBUTES] = {"method", "path", "ip",
                                                      "user",   "plan", "host"};
        for (size_t j = 0; j < ATTRIBUTES; j++) {
            request->attributes[j].name = weir_text(names[j]);
            request->attributes[j].value = weir_text(values[j]);
        }
    }
}

static uint64_t now_ns(void)
{
    struct timespec time;
    must(clock_gettime(CLOCK_MONOTONIC, &time) == 0, "no clock");
    return (uint64_t)time.tv_sec * 1000000000U + (uint64_t)time.tv_nsec;
}

/* Nanoseconds a plan, the least of the rounds; how many rules matched in one. */
static uint64_t run(const struct weir_policy *policy, const struct request *requests,
                    size_t *ret_parts)
{
    struct weir_plan plan;
    uint64_t best = UINT64_MAX;
    weir_plan_init(&plan, NULL);
    for (unsigned round = 0; round < ROUNDS; round++) {
        const uint64_t start = now_ns();
        *ret_parts = 0;
        for (unsigned i = 0; i < 16 * REQUESTS; i++) {
            const struct weir_inquiry_spec inquiry = {requests[i % REQUESTS].attributes, ATTRIBUTES,
                                                      1, SIZE_MAX, 0};
            must(weir_policy_plan(policy, &inquiry, &plan, NULL) == WEIR_OK, "no plan");
            *ret_parts += plan.part_count;
        }
        const uint64_t taken = (now_ns() - start) / (16U * REQUESTS);
        best = taken < best ? taken : best;
    }
    weir_plan_deinit(&plan);
    return best;
}

static uint64_t measure(enum mix mix, size_t count, const struct weir_limit *limit)
{
    struct made *made = calloc(count, sizeof(*made));
    struct weir_rule_spec *rules = calloc(count, sizeof(*rules));
    struct request *requests = calloc(REQUESTS, sizeof(*requests));
    struct weir_policy *policy = NULL;
    size_t parts;
    must(made != NULL && rules != NULL && requests != NULL, "no memory");
    for (size_t i = 0; i < count; i++) {
        make_rule(mix, i, &made[i], &rules[i], limit);
    }
    make_requests(requests, count, mix);
    const struct weir_policy_spec spec = {rules, count};
    must(weir_policy_new(&spec, NULL, NULL, NULL, &policy) == WEIR_OK, "no policy");
    const uint64_t taken = run(policy, requests, &parts);
    must(parts > 0, "nothing matched");
    weir_policy_free(policy);
    free(requests);
    free(rules);
    free(made);
    return taken;
}

int main(void)
{
    struct weir_limit *limit = NULL;
    must(weir_limit_parse(weir_text("100/m"), NULL, &limit, NULL) == WEIR_OK, "no limit");
    (void)printf("%8s %8s %8s %8s %8s   ns a plan\n", "rules", "exact", "prefix", "cidr", "usual");
    for (size_t count = 10; count <= 10000; count *= 10) {
        (void)printf("%8zu", count);
        for (unsigned mix = 0; mix < MIX_COUNT; mix++) {
            (void)printf(" %8llu", (unsigned long long)measure((enum mix)mix, count, limit));
        }
        (void)printf("\n");
    }
    weir_limit_free(limit);
    return 0;
}
