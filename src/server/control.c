/* control.c - what the control thread does while workers serve: signals, the file, the store's
 * counts, the end. See server_parts.h. */

#include "server/notify.h"
#include "server/server_parts.h"

#include <signal.h>
#include <string.h>

/* How often things are looked at. */
#define TICK_MS 50

static void close_handles(struct weir_server *server)
{
    for (size_t i = 0; i < sizeof(server->signals) / sizeof(server->signals[0]); i++) {
        uv_close((uv_handle_t *)&server->signals[i], NULL);
    }
    uv_close((uv_handle_t *)&server->tick, NULL);
    weir_watch_stop(server->watch);
    server->watch = NULL;
}

/* ---- The end ------------------------------------------------------------------------------- */

static void start_ending(struct weir_server *server)
{
    const struct weir_config *config = weir_generation_config(server->current);
    if (server->ending) {
        return;
    }
    server->ending = true;
    server->end_by_ns = (int64_t)uv_hrtime() + config->caps.drain_us * 1000;
    /* Relaxed: see facts.c. */
    atomic_store_explicit(&server->draining, true, memory_order_relaxed);
    weir_notify_stopping();
    weir_log(server->log, WEIR_LOG_LINE_INFO, "ending", "what", "answers what is under way",
             WEIR_LOG_END);
    for (uint32_t i = 0; i < server->started; i++) {
        weir_worker_drain(server->workers[i]);
    }
}

static bool all_ended(const struct weir_server *server)
{
    for (uint32_t i = 0; i < server->started; i++) {
        if (!weir_worker_has_ended(server->workers[i])) {
            return false;
        }
    }
    return true;
}

static void see_to_the_end(struct weir_server *server, int64_t now_ns)
{
    if (all_ended(server)) {
        close_handles(server);
        return;
    }
    if (now_ns >= server->end_by_ns) {
        server->end_by_ns = INT64_MAX;
        weir_log(server->log, WEIR_LOG_LINE_WARNING, "closing what was not answered in time",
                 WEIR_LOG_END);
        for (uint32_t i = 0; i < server->started; i++) {
            weir_worker_stop(server->workers[i]);
        }
    }
}

/* ---- Events -------------------------------------------------------------------------------- */

static void on_tick(uv_timer_t *tick)
{
    struct weir_server *server = tick->data;
    const int64_t now_ns = (int64_t)uv_hrtime();
    if (server->ending) {
        see_to_the_end(server, now_ns);
        return;
    }
    weir_server_count_store(server, now_ns);
    if (server->watchdog_us > 0 && now_ns >= server->alive_at_ns) {
        server->alive_at_ns = now_ns + server->watchdog_us * 1000 / 2;
        weir_notify_alive();
    }
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct weir_server *server = handle->data;
    if (number == SIGHUP && !server->ending) {
        weir_server_reload(server);
    } else if (number != SIGHUP) {
        start_ending(server);
    }
}

static void on_change(void *context)
{
    struct weir_server *server = context;
    if (!server->ending) {
        weir_server_reload(server);
    }
}

static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};

void weir_server_hold_signals(bool hold)
{
    sigset_t set;
    (void)sigemptyset(&set);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        (void)sigaddset(&set, numbers[i]);
    }
    (void)pthread_sigmask(hold ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL); /* can't fail */
}

static bool watch_signals(struct weir_server *server)
{
    bool started = true;
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        (void)uv_signal_init(&server->loop, &server->signals[i]);
        server->signals[i].data = server;
        started = uv_signal_start(&server->signals[i], on_signal, numbers[i]) == 0 && started;
    }
    return started;
}

bool weir_server_watch(struct weir_server *server, const struct weir_config *config)
{
    const char *paths[2 * WEIR_CONFIG_FILES_MAX];
    size_t count = 0;
    for (size_t i = 0; i < config->file_count; i++) {
        paths[count++] = config->files[i];
    }
    for (size_t i = 0; i < config->folder_count; i++) {
        paths[count++] = config->folders[i];
    }
    if (server->watch != NULL) {
        return weir_watch_set(server->watch, paths, count);
    }
    server->watch = weir_watch_start(&server->loop, paths, count, on_change, server);
    return server->watch != NULL;
}

static void watch_files(struct weir_server *server)
{
    const struct weir_config *config = weir_generation_config(server->current);
    if (config->watch && !weir_server_watch(server, config)) {
        weir_log(server->log, WEIR_LOG_LINE_WARNING, "can't watch the configuration", "hint",
                 "send SIGHUP after a change", WEIR_LOG_END);
    }
}

bool weir_server_control(struct weir_server *server)
{
    const bool watching = watch_signals(server);
    weir_server_hold_signals(false);
    (void)uv_timer_init(&server->loop, &server->tick);
    server->tick.data = server;
    if (!watching || uv_timer_start(&server->tick, on_tick, TICK_MS, TICK_MS) != 0) {
        return false;
    }
    watch_files(server);
    server->watchdog_us = weir_notify_watchdog_us();
    weir_notify_ready("serving");
    if (server->options.ready != NULL) {
        server->options.ready(server->options.context);
    }
    (void)uv_run(&server->loop, UV_RUN_DEFAULT);
    return true;
}
