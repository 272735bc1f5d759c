/* subject_api.c - the library's own calls as a subject, over the stores that a URL can name. */

#include "prop/subject.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DAY INT64_C(86400000000)

struct key {
    struct weir *weir;
    struct weir_limit *limit;
    uint64_t number; /* each trace has a key of its own */
};

static void must(enum weir_status status)
{
    if (status != WEIR_OK) {
        fprintf(stderr, "%s\n", weir_strerror(status));
        abort();
    }
}

static bool holds_all(enum weir_algorithm algorithm)
{
    (void)algorithm;
    return true;
}

static bool holds_no_log(enum weir_algorithm algorithm)
{
    return algorithm != WEIR_SLIDING_LOG;
}

static struct key *new_key(void)
{
    struct key *key = calloc(1, sizeof(*key));
    assert(key != NULL);
    return key;
}

static void *open_memory(void)
{
    struct key *key = new_key();
    must(weir_open("memory:?size=8KiB", NULL, &key->weir, NULL));
    return key;
}

static void *open_shm(void)
{
    struct key *key = new_key();
    char path[] = "/tmp/weir-subject-XXXXXX";
    char url[128];
    const int file = mkstemp(path);
    assert(file >= 0);
    close(file);
    unlink(path);
    snprintf(url, sizeof(url), "shm:%s?size=8KiB", path);
    must(weir_open(url, NULL, &key->weir, NULL));
    /* The mapping stays, and nothing is left behind by a test that fails. */
    unlink(path);
    return key;
}

static void close_key(void *self)
{
    struct key *key = self;
    weir_limit_free(key->limit);
    weir_close(key->weir);
    free(key);
}

static struct weir_bytes name_of(const struct key *key)
{
    return weir_bytes(&key->number, sizeof(key->number));
}

/* The old key is forgotten, so that it takes up no room. */
static void fresh(void *self)
{
    struct key *key = self;
    if (key->limit != NULL) {
        must(weir_reset(key->weir, key->limit, name_of(key)));
        weir_limit_free(key->limit);
        key->limit = NULL;
    }
    key->number++;
}

static void set_limit(void *self, const struct weir_limit_spec *spec)
{
    struct key *key = self;
    /* With a name, so that a limit that is changed keeps the key's debt. */
    const struct weir_limit_options options = {.size = sizeof(options), .name = weir_text("rule")};
    weir_limit_free(key->limit);
    must(weir_limit_new(spec, &options, &key->limit, NULL));
}

static void check(void *self, uint64_t cost, int64_t now_us, struct weir_decision *ret_decision)
{
    struct key *key = self;
    must(weir_check(key->weir, key->limit, name_of(key), cost, now_us, ret_decision));
}

static void check_all(void *self, uint64_t cost, int64_t now_us, struct weir_decision *ret_decision)
{
    struct key *key = self;
    const struct weir_request request = {key->limit, name_of(key), cost};
    size_t denied;
    must(weir_check_all(key->weir, &request, 1, now_us, ret_decision, &denied));
    assert(denied == (ret_decision->allowed ? 1 : 0));
}

static void check_batch(void *self, uint64_t cost, int64_t now_us,
                        struct weir_decision *ret_decision)
{
    struct key *key = self;
    const struct weir_request request = {key->limit, name_of(key), cost};
    size_t done;
    must(weir_check_batch(key->weir, &request, 1, now_us, ret_decision, &done));
    assert(done == 1);
}

static void peek(void *self, uint64_t cost, int64_t now_us, struct weir_decision *ret_decision)
{
    struct key *key = self;
    must(weir_peek(key->weir, key->limit, name_of(key), cost, now_us, ret_decision));
}

static void refund(void *self, uint64_t cost, int64_t now_us, struct weir_decision *ret_decision)
{
    struct key *key = self;
    must(weir_refund(key->weir, key->limit, name_of(key), cost, now_us, ret_decision));
}

static void reset(void *self)
{
    struct key *key = self;
    must(weir_reset(key->weir, key->limit, name_of(key)));
}

const struct subject subject_memory = {
    .name = "memory",
    .holds = holds_all,
    .back_us = 80 * DAY,
    .forward_us = 4 * 365 * DAY,
    .open = open_memory,
    .close = close_key,
    .fresh = fresh,
    .limit = set_limit,
    .check = check,
    .peek = peek,
    .refund = refund,
    .reset = reset,
};

const struct subject subject_shm = {
    .name = "shm",
    .holds = holds_no_log,
    .back_us = 80 * DAY,
    .forward_us = 4 * 365 * DAY,
    .open = open_shm,
    .close = close_key,
    .fresh = fresh,
    .limit = set_limit,
    .check = check,
    .peek = peek,
    .refund = refund,
    .reset = reset,
};

const struct subject subject_all = {
    .name = "check_all",
    .holds = holds_all,
    .back_us = 80 * DAY,
    .forward_us = 4 * 365 * DAY,
    .open = open_memory,
    .close = close_key,
    .fresh = fresh,
    .limit = set_limit,
    .check = check_all,
    .peek = peek,
    .refund = refund,
    .reset = reset,
};

const struct subject subject_batch = {
    .name = "check_batch",
    .holds = holds_all,
    .back_us = 80 * DAY,
    .forward_us = 4 * 365 * DAY,
    .open = open_memory,
    .close = close_key,
    .fresh = fresh,
    .limit = set_limit,
    .check = check_batch,
    .peek = peek,
    .refund = refund,
    .reset = reset,
};
