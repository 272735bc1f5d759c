/* facts.c - what is told of the server as a whole, to whichever worker's door is asked. See
 * server_parts.h. */

#include "server/server_parts.h"

#include "weir/redis.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* The store is counted at least so far apart, and ... */
#define COUNT_PAUSE_NS INT64_C(5000000000)
/* ... so many times as far as counting takes. */
#define COUNT_SHARE 100

static struct weir_server *server_of(struct weir_service *service)
{
    return (struct weir_server *)(void *)service;
}

static int64_t clock_ns(clockid_t clock)
{
    struct timespec time;
    (void)clock_gettime(clock, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

void weir_server_count_store(struct weir_server *server, int64_t now_ns)
{
    struct weir_stats stats = {.size = sizeof(stats)};
    if (server->store == NULL || now_ns < server->stats_at_ns ||
        weir_stats(server->store, WEIR_CLOCK, &stats) != WEIR_OK) {
        return;
    }
    const int64_t took_ns = clock_ns(CLOCK_MONOTONIC) - now_ns;
    const int64_t pause_ns = took_ns * COUNT_SHARE;
    server->stats_at_ns = now_ns + (pause_ns > COUNT_PAUSE_NS ? pause_ns : COUNT_PAUSE_NS);
    pthread_mutex_lock(&server->facts_lock);
    server->stats = stats;
    pthread_mutex_unlock(&server->facts_lock);
}

/* The workers' own stores are many connections to one Redis: what they counted adds up. The local
 * table is one, which all of them tell of. */
static void add_stats(struct weir_stats *sum, const struct weir_stats *stats)
{
    const struct weir_stats before = *sum;
    *sum = *stats;
    sum->redis_decided += before.redis_decided;
    sum->redis_calls += before.redis_calls;
    sum->redis_writes += before.redis_writes;
    sum->redis_connected += before.redis_connected;
    sum->redis_open += before.redis_open;
    sum->deny_cached += before.deny_cached;
    sum->circuit_opened += before.circuit_opened;
    sum->circuits_open += before.circuits_open;
    for (size_t i = 0; i < WEIR_FAILURE_COUNT; i++) {
        sum->failed[i] += before.failed[i];
    }
}

static void describe_workers(struct weir_server *server, struct weir_metrics_facts *facts)
{
    const uint32_t started = atomic_load_explicit(&server->started, memory_order_acquire);
    for (uint32_t i = 0; i < started; i++) {
        struct weir_stats stats;
        facts->connections += weir_worker_peers(server->workers[i]);
        if (weir_worker_stats(server->workers[i], &stats)) {
            add_stats(&facts->stats, &stats);
        }
    }
}

static const char *store_kind(const struct weir_server *server)
{
    const char *url = weir_generation_config(server->first)->store;
    return strncmp(url, "memory:", 7) == 0 ? "memory"
           : strncmp(url, "shm:", 4) == 0  ? "shm"
                                           : "redis";
}

static void tell_facts(struct weir_service *service, struct weir_metrics_facts *ret_facts)
{
    struct weir_server *server = server_of(service);
    *ret_facts = (struct weir_metrics_facts){
        .version = WEIR_VERSION,
        .compiler = __VERSION__,
        .store = store_kind(server),
        .started_us = server->started_us,
        .now_us = clock_ns(CLOCK_REALTIME) / 1000,
        .workers = server->worker_count,
    };
    pthread_mutex_lock(&server->facts_lock);
    ret_facts->policy_version = server->policy_version;
    ret_facts->policy_fingerprint = server->policy_fingerprint;
    ret_facts->policy_rules = server->policy_rules;
    ret_facts->policy_loaded_us = server->policy_loaded_us;
    ret_facts->reloads_failed = server->reloads_failed;
    ret_facts->reload_is_bad = server->reload_is_bad;
    ret_facts->stats = server->stats;
    pthread_mutex_unlock(&server->facts_lock);
    describe_workers(server, ret_facts);
}

static void tell_messages(struct weir_service *service, struct weir_buffer *out)
{
    struct weir_server *server = server_of(service);
    pthread_mutex_lock(&server->facts_lock);
    weir_buffer_put(out, weir_buffer_bytes(&server->reload_messages));
    pthread_mutex_unlock(&server->facts_lock);
}

static void tell_restart(struct weir_service *service, char *text, size_t size)
{
    struct weir_server *server = server_of(service);
    pthread_mutex_lock(&server->facts_lock);
    (void)snprintf(text, size, "%s", server->needs_restart);
    pthread_mutex_unlock(&server->facts_lock);
}

/* A store that can't be asked makes nobody unready: on_error decides in its place, as it was told
 * to. */
static bool is_ready(struct weir_service *service, const char **ret_why)
{
    /* Relaxed: a moment late is soon enough. */
    const bool draining = atomic_load_explicit(&server_of(service)->draining, memory_order_relaxed);
    *ret_why = draining ? "the server is about to end" : "";
    return !draining;
}

void weir_server_describe(struct weir_server *server)
{
    server->service = (struct weir_service){
        .facts = tell_facts,
        .reload_messages = tell_messages,
        .needs_restart = tell_restart,
        .is_ready = is_ready,
        .metrics = server->metrics,
        .rls_stats = server->rls_stats,
    };
}
