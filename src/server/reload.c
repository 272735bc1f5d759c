/* reload.c - taking on a configuration that was changed. See server_parts.h.
 *
 * Keys keep their state, as that hangs on the names of rules alone. What only a restart can change
 * (the store, the listeners, ...) is said, and the rest taken on. */

#include "envoy/envoy.h"
#include "server/notify.h"
#include "server/server_parts.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static int64_t wall_clock_us(void)
{
    struct timespec time;
    (void)clock_gettime(CLOCK_REALTIME, &time);
    return (int64_t)time.tv_sec * 1000000 + time.tv_nsec / 1000;
}

void weir_server_note(struct weir_server *server, struct weir_generation *generation)
{
    const struct weir_config *config = weir_generation_config(generation);
    struct weir_generation *former = server->current;
    server->current = generation;
    pthread_mutex_lock(&server->facts_lock);
    server->policy_version = weir_generation_version(generation);
    server->policy_fingerprint = config->fingerprint;
    server->policy_rules = weir_policy_count(config->policy);
    server->policy_loaded_us = wall_clock_us();
    server->reload_is_bad = false;
    weir_buffer_clear(&server->reload_messages);
    pthread_mutex_unlock(&server->facts_lock);
    weir_generation_release(former);
}

/* Nothing of it is taken on; it is told in metrics, status and the log. */
static void refuse(struct weir_server *server, const struct weir_buffer *messages)
{
    pthread_mutex_lock(&server->facts_lock);
    server->reloads_failed++;
    server->reload_is_bad = true;
    weir_buffer_clear(&server->reload_messages);
    weir_buffer_put(&server->reload_messages, weir_buffer_bytes(messages));
    pthread_mutex_unlock(&server->facts_lock);
    char first[512];
    const char *end = messages->len > 0 ? memchr(messages->bytes, '\n', messages->len) : NULL;
    (void)snprintf(first, sizeof(first), "%.*s",
                   end != NULL ? (int)(end - messages->bytes) : (int)messages->len,
                   messages->len > 0 ? messages->bytes : "no memory");
    weir_log(server->log, WEIR_LOG_LINE_ERROR, "the new configuration is refused", "first", first,
             "hint", "weir validate says all; the former one goes on", WEIR_LOG_END);
}

/* The views of all workers, or none. */
static bool make_views(struct weir_server *server, struct weir_generation *generation,
                       struct weir_view **views)
{
    for (uint32_t i = 0; i < server->started; i++) {
        views[i] = weir_generation_view(generation);
        if (views[i] == NULL) {
            while (i-- > 0) {
                views[i]->release(views[i]);
            }
            return false;
        }
    }
    return true;
}

static void note_restart(struct weir_server *server, const struct weir_config *config)
{
    char text[sizeof(server->needs_restart)] = "";
    weir_config_needs_restart(weir_generation_config(server->first), config, text, sizeof(text));
    pthread_mutex_lock(&server->facts_lock);
    memcpy(server->needs_restart, text, sizeof(text));
    pthread_mutex_unlock(&server->facts_lock);
    if (text[0] != '\0') {
        weir_log(server->log, WEIR_LOG_LINE_WARNING, "only a restart takes on what was changed",
                 "settings", text, WEIR_LOG_END);
    }
}

static void follow(struct weir_server *server, const struct weir_config *config)
{
    weir_log_set(server->log, (enum weir_log_line)config->log_level, config->log_json,
                 config->log_denials);
    if (server->watch != NULL && !weir_server_watch(server, config)) {
        weir_log(server->log, WEIR_LOG_LINE_WARNING, "no memory to watch the new files",
                 WEIR_LOG_END);
    }
}

static void take_on(struct weir_server *server, struct weir_config *config,
                    struct weir_buffer *messages)
{
    struct weir_view *views[WEIR_WORKERS_MAX] = {NULL};
    struct weir_generation *generation =
        weir_generation_new(config, server->metrics, weir_generation_version(server->current) + 1);
    if (generation == NULL || !make_views(server, generation, views)) {
        weir_generation_release(generation);
        weir_buffer_clear(messages);
        refuse(server, messages);
        return;
    }
    for (uint32_t i = 0; i < server->started; i++) {
        weir_worker_take(server->workers[i], views[i]);
    }
    weir_server_note(server, generation);
    note_restart(server, config);
    follow(server, config);
    char version[24];
    (void)snprintf(version, sizeof(version), "%llu",
                   (unsigned long long)weir_generation_version(generation));
    weir_log(server->log, WEIR_LOG_LINE_INFO, "took on a new configuration", "version", version,
             WEIR_LOG_END);
}

/* What was written to the same meaning again is no new version. Secrets are in other files, of
 * which the fingerprint, which everybody is told, knows nothing. */
static bool is_same(const struct weir_server *server, const struct weir_config *config)
{
    const struct weir_config *current = weir_generation_config(server->current);
    bool same = current->fingerprint == config->fingerprint &&
                current->file_count == config->file_count &&
                current->listener_count == config->listener_count;
    for (size_t i = 0; same && i < config->listener_count; i++) {
        same = weir_listener_same_access(&current->listeners[i], &config->listeners[i]);
    }
    return same;
}

/* The file is back to what is served, maybe after it was something bad. */
static void note_same(struct weir_server *server)
{
    pthread_mutex_lock(&server->facts_lock);
    server->reload_is_bad = false;
    weir_buffer_clear(&server->reload_messages);
    pthread_mutex_unlock(&server->facts_lock);
}

enum weir_status weir_server_read(const struct weir_server_options *options, bool review,
                                  struct weir_buffer *messages, struct weir_config **ret_config)
{
    return options->envoy ? weir_envoy_read(options->path, messages, ret_config)
                          : weir_config_read(options->path, review, messages, ret_config);
}

void weir_server_reload(struct weir_server *server)
{
    struct weir_buffer messages = {0};
    struct weir_config *config = NULL;
    weir_notify_reloading();
    const enum weir_status status = weir_server_read(&server->options, false, &messages, &config);
    weir_rls_stats_config(server->rls_stats, status == WEIR_OK);
    if (status != WEIR_OK) {
        refuse(server, &messages);
    } else if (is_same(server, config)) {
        weir_config_free(config);
        note_same(server);
    } else {
        take_on(server, config, &messages);
    }
    weir_buffer_deinit(&messages);
    weir_notify_ready("serving");
}
