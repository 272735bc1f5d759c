/* weir.c - weir over Redis, called as any program calls it: the public headers and the archives.
 *
 * One handle for all, as a server has one: its connections, its deny cache and its one thread are
 * shared by all the threads that ask. What is not answered by Redis, or by the deny cache, ends the
 * program. */

#include "load.h"

#include "weir/redis.h"
#include "weir/weir.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define LIMITS_MAX 32

/* Decisions between two readings of the clock, where a decision takes no longer than QUICK_NS. */
#define TURN_MAX 64
#define QUICK_NS 2000

struct named_limit {
    char name[32];
    struct weir_limit *limit;
};

struct lane {
    pthread_t thread;
    struct load load;
    const struct weir_limit *limit;
    struct load_walk walk;
    int64_t start_ns;
    int64_t end_ns;
    struct load_answer answer;
};

static struct named_limit limits[LIMITS_MAX];
static size_t limits_count;
static struct weir *store;
static pthread_barrier_t begin;

static void must(enum weir_status status, const char *what, const struct weir_error *error)
{
    if (status != WEIR_OK) {
        load_die("%s: %s: %s", what, weir_status_name(status), error != NULL ? error->message : "");
    }
}

void weir_connect(uint16_t port)
{
    char url[128];
    struct weir_error error = {0};
    (void)snprintf(url, sizeof(url), "redis://127.0.0.1:%u?on_error=deny&deadline=5s", port);
    must(weir_redis_open(url, NULL, &store, &error), url, &error);
}

void weir_describe(const char *name, const char *rule, const char *text)
{
    struct weir_error error = {0};
    const struct weir_limit_options options = {.size = sizeof(options), .name = weir_text(rule)};
    if (limits_count == LIMITS_MAX) {
        load_die("too many limits: %s", name);
    }
    struct named_limit *named = &limits[limits_count++];
    (void)snprintf(named->name, sizeof(named->name), "%s", name);
    must(weir_limit_parse(weir_text(text), &options, &named->limit, &error), text, &error);
}

static uint64_t admitted(const struct weir_decision *decision)
{
    if (decision->failure != 0) {
        load_die("not decided by Redis: %s",
                 weir_failure_text((enum weir_failure)decision->failure));
    }
    return decision->allowed ? 1 : 0;
}

/* ---- One thread ---- */

static uint64_t ask_one(struct lane *lane)
{
    struct weir_decision decision;
    const char *key = load_walk_next(&lane->walk);
    must(weir_check(store, lane->limit, weir_bytes(key, LOAD_KEY_LEN), 1, WEIR_CLOCK, &decision),
         "weir_check", NULL);
    return admitted(&decision);
}

/* Puts the requests together within the time that is measured, as a caller has to. */
static uint64_t ask_together(struct lane *lane)
{
    static _Thread_local struct weir_request requests[LOAD_TOGETHER_MAX];
    static _Thread_local struct weir_decision decisions[LOAD_TOGETHER_MAX];
    uint64_t allowed = 0;
    const unsigned count = lane->load.together;
    for (unsigned i = 0; i < count; i++) {
        const char *key = load_walk_next(&lane->walk);
        requests[i] = (struct weir_request){lane->limit, weir_bytes(key, LOAD_KEY_LEN), 1};
    }
    must(weir_check_batch(store, requests, count, WEIR_CLOCK, decisions, NULL), "weir_check_batch",
         NULL);
    for (unsigned i = 0; i < count; i++) {
        allowed += admitted(&decisions[i]);
    }
    return allowed;
}

/* Each decision is timed by itself while it takes much longer than reading the clock. */
static void *work(void *context)
{
    struct lane *self = context;
    const struct load *load = &self->load;
    const uint64_t share = load->count / load->lanes;
    unsigned turn = 1;
    (void)pthread_barrier_wait(&begin);
    self->start_ns = load_clock_ns();
    int64_t before_ns = self->start_ns;
    while (self->answer.count < share && before_ns - self->start_ns < load->limit_ns) {
        for (unsigned i = 0; i < turn; i++) {
            self->answer.admitted += load->together == 1 ? ask_one(self) : ask_together(self);
        }
        self->answer.count += (uint64_t)turn * load->together;
        const int64_t now_ns = load_clock_ns();
        if (load->lanes == 1 && load->together == 1 && turn == 1) {
            load_note_ns(now_ns - before_ns);
        }
        turn = load->together == 1 && (now_ns - before_ns) / turn <= QUICK_NS ? TURN_MAX : 1;
        before_ns = now_ns;
    }
    self->end_ns = before_ns;
    return NULL;
}

/* ---- A load ---- */

static const struct weir_limit *limit_named(const char *name)
{
    for (size_t i = 0; i < limits_count; i++) {
        if (strcmp(limits[i].name, name) == 0) {
            return limits[i].limit;
        }
    }
    return NULL;
}

bool weir_run(const char *name, const struct load *load, struct load_answer *ret_answer)
{
    struct lane lanes[LOAD_LANES_MAX] = {0};
    const struct weir_limit *limit = limit_named(name);
    struct load_answer answer = {0};
    int64_t start_ns = INT64_MAX;
    int64_t end_ns = 0;
    if (limit == NULL) {
        return false;
    }
    (void)pthread_barrier_init(&begin, NULL, load->lanes);
    for (unsigned i = 0; i < load->lanes; i++) {
        lanes[i] = (struct lane){.load = *load, .limit = limit};
        lanes[i].walk = load_walk_start(load, i);
        if (pthread_create(&lanes[i].thread, NULL, work, &lanes[i]) != 0) {
            load_die("can't start a thread");
        }
    }
    for (unsigned i = 0; i < load->lanes; i++) {
        (void)pthread_join(lanes[i].thread, NULL);
        answer.count += lanes[i].answer.count;
        answer.admitted += lanes[i].answer.admitted;
        start_ns = lanes[i].start_ns < start_ns ? lanes[i].start_ns : start_ns;
        end_ns = lanes[i].end_ns > end_ns ? lanes[i].end_ns : end_ns;
    }
    (void)pthread_barrier_destroy(&begin);
    answer.elapsed_ns = end_ns - start_ns;
    load_walk_end(&lanes[0].walk);
    *ret_answer = answer;
    return true;
}
