/* name_test.c - Redis keys: no two keys or limits ever have one name; and each is in the slot that
 * a real server says. */

#include "redis/script.h"
#include "support/fixture.h"
#include "support/random.h"
#include "support/rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct weir_limit *named(const char *text, const char *name)
{
    struct weir_limit *limit;
    const struct weir_limit_options options = {.size = sizeof(options), .name = weir_text(name)};
    assert_int_equal(weir_limit_parse(weir_text(text), &options, &limit, NULL), WEIR_OK);
    return limit;
}

/* The name, ended with a NUL for the eye; free with weir_buffer_deinit. */
static struct weir_buffer name_of(const struct weir_limit *limit, struct weir_bytes key)
{
    struct weir_buffer out = {.bytes = NULL};
    weir_redis_name(weir_text("weir"), limit, key, &out);
    weir_buffer_put(&out, weir_bytes("", 1));
    assert_false(out.failed);
    return out;
}

static void expect(const char *limit_text, const char *limit_name, const char *key,
                   const char *expected)
{
    struct weir_limit *limit = named(limit_text, limit_name);
    struct weir_buffer name = name_of(limit, weir_text(key));
    assert_string_equal(name.bytes, expected);
    weir_buffer_deinit(&name);
    weir_limit_free(limit);
}

static void are_as_the_header_says(void **state)
{
    (void)state;
    expect("5/10s", "", "user", "weir:{user}:token-bucket/10s");
    expect("5/m leaky-bucket", "", "user", "weir:{user}:leaky-bucket/1m");
    expect("5/1500ms fixed-window", "", "user", "weir:{user}:fixed-window/1500ms");
    expect("5/1us", "", "user", "weir:{user}:token-bucket/1us");
    expect("5/w sliding-log", "", "user", "weir:{user}:sliding-log/7d");
    expect("5/36h sliding-window", "", "user", "weir:{user}:sliding-window/36h");
    expect("5/day calendar-window", "", "user", "weir:{user}:calendar-window/day");
    expect("5/month calendar-window Europe/Rome", "", "user",
           "weir:{user}:calendar-window/month/Europe/Rome");
    expect("5/90s calendar-window epoch", "", "user", "weir:{user}:calendar-window/epoch/90s");
    expect("5/10s", "login", "user", "weir:{user}:token-bucket:login");
    expect("5/10s", "a:b", "c:d", "weir:{c:d}:token-bucket:a%3Ab");
    expect("5/10s", "a", "", "weir:{%}:token-bucket:a");
    expect("5/10s", " %{}", "{%} \n\x7f", "weir:{%7B%25%7D%20%0A%7F}:token-bucket:%20%25%7B%7D");
}

static void the_longest_fits(void **state)
{
    (void)state;
    char key[WEIR_KEY_MAX];
    char limit_name[WEIR_NAME_MAX + 1] = {0};
    memset(key, '%', sizeof(key));
    memset(limit_name, ' ', WEIR_NAME_MAX);
    struct weir_limit *limit = named("5/month calendar-window", limit_name);
    struct weir_buffer out = {.bytes = NULL};
    char prefix[64];
    memset(prefix, 'p', sizeof(prefix));
    weir_redis_name(weir_bytes(prefix, sizeof(prefix)), limit, weir_bytes(key, sizeof(key)), &out);
    assert_false(out.failed);
    assert_int_equal(out.len, 64 + 2 + 3 * WEIR_KEY_MAX + 2 + strlen("calendar-window") + 1 +
                                  3 * WEIR_NAME_MAX);
    assert_true(out.len <= WEIR_REDIS_NAME_MAX);
    weir_buffer_deinit(&out);
    weir_limit_free(limit);
}

/* ---- No two meet ---- */

#define NAMES 4000

struct named_key {
    char *name; /* the Redis key */
    char key[8];
    size_t key_len;
    size_t limit;
    bool block;
};

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct named_key *)a)->name, ((const struct named_key *)b)->name);
}

/* Short keys of the bytes that matter, so that any two that could be confused come up. */
static void random_key(struct random *random, struct named_key *named_key)
{
    static const char bytes[] = "%{}: 25ab/";
    named_key->key_len = random_below(random, 5);
    for (size_t i = 0; i < named_key->key_len; i++) {
        named_key->key[i] = bytes[random_below(random, sizeof(bytes) - 1)];
    }
}

static void no_two_meet(void **state)
{
    static const char *const limits_of[][2] = {
        {"5/10s", ""},
        {"5/10s", "10s"},
        {"5/10s", "a"},
        {"5/10s", "a:block"},
        {"5/10s", "a%3Ablock"},
        {"5/10s", "}:token-bucket:a"},
        {"5/10ms", ""},
        {"5/10s leaky-bucket", ""},
        {"5/day calendar-window", ""},
        {"5/day calendar-window Europe/Rome", ""},
        {"5/day calendar-window", "day"},
        {"5/day calendar-window epoch", ""},
        {"5/10s calendar-window epoch", ""},
        {"5/d fixed-window", ""},
    };
    enum {
        LIMITS = sizeof(limits_of) / sizeof(limits_of[0])
    };
    (void)state;
    struct weir_limit *limits[LIMITS];
    static struct named_key keys[NAMES];
    struct random random = random_from(random_seed(1));
    for (size_t i = 0; i < LIMITS; i++) {
        limits[i] = named(limits_of[i][0], limits_of[i][1]);
    }
    for (size_t i = 0; i < NAMES; i++) {
        random_key(&random, &keys[i]);
        keys[i].limit = random_below(&random, LIMITS);
        keys[i].block = random_once_in(&random, 4);
        struct weir_buffer name =
            name_of(limits[keys[i].limit], weir_bytes(keys[i].key, keys[i].key_len));
        if (asprintf(&keys[i].name, "%s%s", name.bytes, keys[i].block ? ":block" : "") < 0) {
            fail();
        }
        weir_buffer_deinit(&name);
    }
    qsort(keys, NAMES, sizeof(keys[0]), by_name);
    for (size_t i = 1; i < NAMES; i++) {
        const struct named_key *a = &keys[i - 1];
        const struct named_key *b = &keys[i];
        if (strcmp(a->name, b->name) == 0) {
            assert_int_equal(a->limit, b->limit);
            assert_int_equal(a->block, b->block);
            assert_int_equal(a->key_len, b->key_len);
            assert_memory_equal(a->key, b->key, a->key_len);
        }
    }
    for (size_t i = 0; i < NAMES; i++) {
        free(keys[i].name);
    }
    for (size_t i = 0; i < LIMITS; i++) {
        weir_limit_free(limits[i]);
    }
}

/* ---- Slots ---- */

static void the_slot_is_the_servers(void **state)
{
    static const char *const names[] = {
        "",       "a",       "{",          "{}",     "{}a",        "{a",          "a}",
        "{a}",    "x{a}y",   "x{a}{b}",    "x{}{b}", "{{a}}",      "123456789",   "foo{bar}baz",
        "weir:{", "weir:{}", "weir:{%}:x", "}{a}",   "weir:{a}:b", "weir:{%7B}:b"};
    static const char *const lines[] = {"cluster-enabled yes", NULL};
    (void)state;
    const struct rig_redis_options options = {.lines = lines};
    struct rig_redis *server = rig_redis_start(&options);
    struct random random = random_from(random_seed(1));
    char name[16];
    for (size_t i = 0; i < 200; i++) {
        const bool listed = i < sizeof(names) / sizeof(names[0]);
        size_t len = 0;
        for (; !listed && len < 1 + i % (sizeof(name) - 1); len++) {
            name[len] = "{}ab:%"[random_below(&random, 6)];
        }
        name[len] = '\0';
        const char *text = listed ? names[i] : name;
        const char *slot = rig_redis_command(server, "CLUSTER", "KEYSLOT", text, NULL);
        assert_int_equal(weir_redis_slot(weir_text(text)), strtol(slot, NULL, 10));
    }
    rig_redis_stop(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(are_as_the_header_says),
        cmocka_unit_test(the_longest_fits),
        cmocka_unit_test(no_two_meet),
        cmocka_unit_test(the_slot_is_the_servers),
    };
    return cmocka_run_group_tests_name("redis_name", tests, NULL, NULL);
}
