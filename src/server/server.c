/* server.c - starting and ending the whole. See server.h.
 *
 * Everything that may fail is done before the first worker starts; what fails then ends the
 * process with a message. */

#include "server/activation.h"
#include "server/server_parts.h"
#include "tls/tls.h"

#include "weir/redis.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

/* The table for on_error=local where the URL says nothing else, as in redis.h. */
#define LOCAL_SIZE "8MiB"

static bool complain(const char *what, const char *why)
{
    (void)fprintf(stderr, "weir serve: %s%s%s\n", what, why[0] != '\0' ? ": " : "", why);
    return false;
}

/* ---- The store ----------------------------------------------------------------------------- */

/* What the URL says in `local=`, to be a memory: store's size. */
static void local_size(const char *url, char *text, size_t size)
{
    const char *at = strchr(url, '?');
    while (at != NULL && strncmp(at + 1, "local=", 6) != 0) {
        at = strchr(at + 1, '&');
    }
    const char *value = at != NULL ? at + 7 : LOCAL_SIZE;
    (void)snprintf(text, size, "%.*s", (int)strcspn(value, "&"), value);
}

static bool open_shared(struct weir_server *server, const char *url)
{
    struct weir_error error = {0};
    if (weir_open(url, NULL, &server->store, &error) != WEIR_OK) {
        return complain("can't open the store", error.message);
    }
    return true;
}

/* Over Redis each worker has connections of its own; one table stands in for all of them, as many
 * tables would be as many budgets. */
static bool open_local(struct weir_server *server, const char *url)
{
    char size[32];
    char local[64];
    struct weir_error error = {0};
    local_size(url, size, sizeof(size));
    (void)snprintf(local, sizeof(local), "memory:?size=%s", size);
    if (weir_open(local, NULL, &server->local, &error) != WEIR_OK) {
        return complain("can't open the table for on_error=local", error.message);
    }
    return true;
}

static bool open_store(struct weir_server *server)
{
    const char *url = weir_generation_config(server->first)->store;
    const bool shared = strncmp(url, "memory:", 7) == 0 || strncmp(url, "shm:", 4) == 0;
    return shared ? open_shared(server, url) : open_local(server, url);
}

/* ---- Listeners ----------------------------------------------------------------------------- */

static bool open_tls(struct weir_server *server, const struct weir_config *config)
{
    static const char *const alpn[WEIR_PROTOCOL_COUNT] = {[WEIR_PROTOCOL_HTTP] = "http/1.1",
                                                          [WEIR_PROTOCOL_RESP] = NULL,
                                                          [WEIR_PROTOCOL_GRPC] = "h2"};
    for (size_t i = 0; i < config->listener_count; i++) {
        const struct weir_listener *listener = &config->listeners[i];
        struct weir_error error = {0};
        if (listener->tls == NULL) {
            continue;
        }
        const struct weir_tls_server options = {
            .certificate = listener->tls->certificate,
            .key = listener->tls->key,
            .client_authority = listener->tls->client_authority,
            .protocol = alpn[listener->protocol],
        };
        if (weir_tls_server_context_new(&options, &server->tls[i], &error) != WEIR_OK) {
            return complain("TLS", error.message);
        }
        const char *warning = weir_tls_context_warning(server->tls[i]);
        if (warning[0] != '\0') {
            weir_log(server->log, WEIR_LOG_LINE_WARNING, warning, "certificate",
                     options.certificate, WEIR_LOG_END);
        }
    }
    return true;
}

static bool open_listeners(struct weir_server *server)
{
    const struct weir_config *config = weir_generation_config(server->first);
    struct weir_error error = {0};
    const size_t count = config->listener_count > 0 ? config->listener_count : 1;
    server->tls = calloc(count, sizeof(struct weir_tls_context *));
    server->addresses = calloc(count, sizeof(*server->addresses));
    server->listening = calloc(server->worker_count, sizeof(*server->listening));
    server->workers = calloc(server->worker_count, sizeof(struct weir_worker *));
    if (server->tls == NULL || server->addresses == NULL || server->listening == NULL ||
        server->workers == NULL) {
        return complain("no memory", "");
    }
    if (!open_tls(server, config)) {
        return false;
    }
    if (weir_listeners_open(config, server->worker_count, server->listening, server->addresses,
                            &error) != WEIR_OK) {
        return complain(error.message, "");
    }
    weir_activation_forget();
    return true;
}

static void tell_listeners(struct weir_server *server)
{
    static const char *const doors[WEIR_PROTOCOL_COUNT] = {"http", "resp", "grpc"};
    const struct weir_config *config = weir_generation_config(server->first);
    for (size_t i = 0; i < config->listener_count; i++) {
        weir_log(server->log, WEIR_LOG_LINE_INFO, "listening", "door",
                 doors[config->listeners[i].protocol], "address", server->addresses[i], "tls",
                 server->tls[i] != NULL ? "yes" : "no", WEIR_LOG_END);
    }
}

/* ---- Starting ------------------------------------------------------------------------------ */

static uint32_t count_workers(const struct weir_config *config)
{
    if (config->workers > 0) {
        return config->workers;
    }
    const long cores = sysconf(_SC_NPROCESSORS_ONLN);
    return cores < 1 ? 1 : cores > WEIR_WORKERS_MAX ? WEIR_WORKERS_MAX : (uint32_t)cores;
}

/* Messages of a configuration that is fine are warnings. */
static struct weir_config *read_config(const struct weir_server_options *options)
{
    struct weir_buffer messages = {0};
    struct weir_config *config = NULL;
    const enum weir_status status = weir_server_read(options, true, &messages, &config);
    if (messages.len > 0) {
        (void)fwrite(messages.bytes, 1, messages.len, stderr);
    }
    if (status != WEIR_OK && messages.len == 0) {
        (void)complain("can't read the configuration", weir_strerror(status));
    }
    weir_buffer_deinit(&messages);
    return status == WEIR_OK ? config : NULL;
}

static bool take_first(struct weir_server *server, struct weir_config *config)
{
    server->worker_count = count_workers(config);
    server->metrics = weir_metrics_new(server->worker_count, config->top_size);
    server->rls_stats = weir_rls_stats_new(server->worker_count);
    server->log = weir_log_open(STDERR_FILENO, (enum weir_log_line)config->log_level,
                                config->log_json, config->log_denials);
    if (server->metrics == NULL || server->rls_stats == NULL || server->log == NULL) {
        weir_config_free(config);
        return complain("no memory", "");
    }
    weir_server_describe(server);
    server->first = weir_generation_new(config, server->metrics, 1);
    /* Held twice: as what was started with, and as what is current. */
    struct weir_view *own = server->first != NULL ? weir_generation_view(server->first) : NULL;
    if (own == NULL) {
        return complain("no memory", "");
    }
    server->own = own;
    weir_server_note(server, server->first);
    return true;
}

static bool start_workers(struct weir_server *server)
{
    for (uint32_t i = 0; i < server->worker_count; i++) {
        struct weir_error error = {0};
        const struct weir_worker_options options = {
            .index = i,
            .config = weir_generation_config(server->first),
            .store = server->store,
            .local = server->local,
            .view = weir_generation_view(server->first),
            .metrics = server->metrics,
            .rls_stats = server->rls_stats,
            .log = server->log,
            .service = &server->service,
            .listening = &server->listening[i],
            .tls = server->tls,
        };
        server->workers[i] = options.view != NULL ? weir_worker_start(&options, &error) : NULL;
        if (server->workers[i] == NULL) {
            return complain("can't start a worker", error.message);
        }
        /* Release: who sees the number, as a worker that tells of all, sees the worker. */
        atomic_store_explicit(&server->started, i + 1, memory_order_release);
    }
    return true;
}

/* ---- Ending -------------------------------------------------------------------------------- */

static void stop_workers(struct weir_server *server)
{
    for (uint32_t i = 0; i < server->started; i++) {
        weir_worker_stop(server->workers[i]);
    }
    for (uint32_t i = 0; i < server->started; i++) {
        weir_worker_join(server->workers[i]);
    }
    server->started = 0;
}

static void free_all(struct weir_server *server)
{
    const size_t count =
        server->first != NULL ? weir_generation_config(server->first)->listener_count : 0;
    for (size_t i = 0; server->tls != NULL && i < count; i++) {
        weir_tls_context_free(server->tls[i]);
    }
    free(server->tls);
    free(server->addresses);
    free(server->listening);
    free(server->workers);
    weir_close(server->store);
    weir_close(server->local);
    weir_generation_release(server->current);
    if (server->own != NULL) {
        server->own->release(server->own);
    }
    weir_metrics_free(server->metrics);
    weir_rls_stats_free(server->rls_stats);
    weir_log_close(server->log);
    weir_buffer_deinit(&server->reload_messages);
    (void)pthread_mutex_destroy(&server->facts_lock);
}

static bool serve(struct weir_server *server)
{
    if (!open_store(server) || !open_listeners(server)) {
        return false;
    }
    weir_server_hold_signals(true);
    const bool started = start_workers(server);
    if (started) {
        tell_listeners(server);
    }
    const bool served = started && weir_server_control(server);
    stop_workers(server);
    weir_listeners_unlink(weir_generation_config(server->first));
    return served;
}

bool weir_server_run(const struct weir_server_options *options)
{
    struct weir_server server = {.options = *options};
    /* libuv 1.45 to 1.48 would read files through io_uring, which containers forbid. */
    (void)setenv("UV_USE_IO_URING", "0", 0);
    struct weir_config *config = read_config(options);
    if (config == NULL) {
        return false;
    }
    if (pthread_mutex_init(&server.facts_lock, NULL) != 0 || uv_loop_init(&server.loop) != 0) {
        weir_config_free(config);
        return complain("no loop", "");
    }
    atomic_init(&server.draining, false);
    struct timeval now;
    (void)gettimeofday(&now, NULL);
    server.started_us = (int64_t)now.tv_sec * 1000000 + now.tv_usec;
    const bool served = take_first(&server, config) && serve(&server);
    if (served) {
        weir_log(server.log, WEIR_LOG_LINE_INFO, "ended", WEIR_LOG_END);
    }
    (void)uv_loop_close(&server.loop);
    free_all(&server);
    return served;
}
