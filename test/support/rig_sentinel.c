/* rig_sentinel.c - see rig_sentinel.h. */

#include "support/rig_sentinel.h"

#include "support/rig_process.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SENTINELS 3U
#define DOWN_AFTER_MS 800U
#define FAILOVER_TIMEOUT_MS 3000U
#define LINES_MAX 32
#define LINE_SIZE 160
#define URL_SIZE 256

struct rig_sentinel {
    struct rig_sentinel_options options;
    size_t node_count;
    size_t watcher_count;
    struct rig_redis *nodes[RIG_WATCHED_MAX];
    struct rig_redis *watchers[RIG_SENTINELS_MAX];
    char folder[96]; /* of the certificates, which all share */
    struct rig_certificates certificates;
    char url[URL_SIZE];
    char tls_url[URL_SIZE];
};

static unsigned port_among(const struct rig_sentinel *sentinel, const struct rig_redis *redis)
{
    return sentinel->options.node.tls ? rig_redis_tls_port(redis) : rig_redis_port(redis);
}

/* ---- Starting ---- */

static struct rig_redis *start_node(const struct rig_sentinel *sentinel)
{
    const struct rig_redis_options *options = &sentinel->options.node;
    char primary[LINE_SIZE];
    const char *lines[LINES_MAX] = {"repl-diskless-sync yes", "repl-diskless-sync-delay 0"};
    size_t count = 2;
    if (sentinel->node_count > 0) {
        rig_format(primary, sizeof(primary), "replicaof 127.0.0.1 %u",
                   port_among(sentinel, sentinel->nodes[0]));
        lines[count++] = primary;
    }
    if (options->tls) {
        lines[count++] = "tls-replication yes";
    }
    for (size_t i = 0; options->lines != NULL && options->lines[i] != NULL; i++) {
        assert(count + 1 < LINES_MAX);
        lines[count++] = options->lines[i];
    }
    struct rig_redis_options node = *options;
    node.lines = lines;
    node.certificates = options->tls ? &sentinel->certificates : NULL;
    return rig_redis_start(&node);
}

static struct rig_redis *start_watcher(const struct rig_sentinel *sentinel)
{
    const struct rig_sentinel_options *options = &sentinel->options;
    char text[6][LINE_SIZE];
    const char *lines[LINES_MAX] = {NULL};
    size_t count = 0;
    rig_format(text[0], LINE_SIZE, "sentinel monitor " RIG_SERVICE " 127.0.0.1 %u %zu",
               port_among(sentinel, sentinel->nodes[0]), sentinel->watcher_count / 2 + 1);
    rig_format(text[1], LINE_SIZE, "sentinel down-after-milliseconds " RIG_SERVICE " %u",
               options->down_after_ms != 0 ? options->down_after_ms : DOWN_AFTER_MS);
    rig_format(text[2], LINE_SIZE, "sentinel failover-timeout " RIG_SERVICE " %u",
               FAILOVER_TIMEOUT_MS);
    rig_format(text[3], LINE_SIZE, "sentinel parallel-syncs " RIG_SERVICE " %u", RIG_WATCHED_MAX);
    for (; count < 4; count++) {
        lines[count] = text[count];
    }
    if (options->node.password != NULL) {
        rig_format(text[4], LINE_SIZE, "sentinel auth-pass " RIG_SERVICE " %s",
                   options->node.password);
        lines[count++] = text[4];
    }
    if (options->sentinel_password != NULL) {
        rig_format(text[5], LINE_SIZE, "sentinel sentinel-pass %s", options->sentinel_password);
        lines[count++] = text[5];
    }
    if (options->node.tls) {
        lines[count++] = "tls-replication yes";
    }
    const struct rig_redis_options watcher = {
        .server = options->node.server,
        .lines = lines,
        .password = options->sentinel_password,
        .tls = options->node.tls,
        .tls_clients = options->node.tls_clients,
        .certificates = options->node.tls ? &sentinel->certificates : NULL,
        .sentinel = true};
    return rig_redis_start(&watcher);
}

/* Whether a reply of pairs, a name and a value on a line each, has this pair. */
static bool has_pair(const char *reply, const char *name, size_t value)
{
    char wanted[LINE_SIZE];
    rig_format(wanted, sizeof(wanted), "\n%s\n%zu\n", name, value);
    return strstr(reply, wanted) != NULL;
}

static bool all_in_step(void *context)
{
    const struct rig_sentinel *sentinel = context;
    for (size_t node = 1; node < sentinel->node_count; node++) {
        if (strstr(rig_redis_command(sentinel->nodes[node], "INFO", "replication", NULL),
                   "master_link_status:up") == NULL) {
            return false;
        }
    }
    return true;
}

static bool all_known(void *context)
{
    const struct rig_sentinel *sentinel = context;
    for (size_t watcher = 0; watcher < sentinel->watcher_count; watcher++) {
        const char *reply =
            rig_redis_command(sentinel->watchers[watcher], "SENTINEL", "MASTER", RIG_SERVICE, NULL);
        if (strstr(reply, "\nflags\nmaster\n") == NULL ||
            !has_pair(reply, "num-slaves", sentinel->node_count - 1) ||
            !has_pair(reply, "num-other-sentinels", sentinel->watcher_count - 1)) {
            return false;
        }
    }
    return true;
}

static void name_url(const struct rig_sentinel *sentinel, bool tls, char url[static URL_SIZE])
{
    const char *password = sentinel->options.node.password;
    rig_format(url, URL_SIZE, "%s://%s%s%s", tls ? "rediss+sentinel" : "redis+sentinel",
               password != NULL ? ":" : "", password != NULL ? password : "",
               password != NULL ? "@" : "");
    for (size_t watcher = 0; watcher < sentinel->watcher_count; watcher++) {
        const struct rig_redis *redis = sentinel->watchers[watcher];
        const size_t len = strlen(url);
        rig_format(url + len, URL_SIZE - len, "%s127.0.0.1:%u", watcher == 0 ? "" : ",",
                   tls ? rig_redis_tls_port(redis) : rig_redis_port(redis));
    }
    const size_t len = strlen(url);
    rig_format(url + len, URL_SIZE - len, "/" RIG_SERVICE);
}

struct rig_sentinel *rig_sentinel_start(const struct rig_sentinel_options *options)
{
    assert(options->replicas >= 1 && options->replicas < RIG_WATCHED_MAX);
    assert(options->sentinels <= RIG_SENTINELS_MAX);
    struct rig_sentinel *sentinel = calloc(1, sizeof(*sentinel));
    if (sentinel == NULL) {
        rig_fail("no memory");
    }
    sentinel->options = *options;
    if (options->node.tls) {
        rig_folder_make(sentinel->folder);
        rig_certificates_make(sentinel->folder, &sentinel->certificates);
    }
    while (sentinel->node_count <= options->replicas) {
        sentinel->nodes[sentinel->node_count] = start_node(sentinel);
        sentinel->node_count++;
    }
    /* First: sentinels ask the primary for its replicas at once, and then not for ten seconds. */
    rig_wait(all_in_step, sentinel, "the replicas are in step");
    sentinel->watcher_count = options->sentinels != 0 ? options->sentinels : SENTINELS;
    for (size_t watcher = 0; watcher < sentinel->watcher_count; watcher++) {
        sentinel->watchers[watcher] = start_watcher(sentinel);
    }
    name_url(sentinel, false, sentinel->url);
    if (options->node.tls) {
        name_url(sentinel, true, sentinel->tls_url);
    }
    rig_wait(all_known, sentinel, "the sentinels know each other and the replicas");
    return sentinel;
}

void rig_sentinel_stop(struct rig_sentinel *sentinel)
{
    if (sentinel == NULL) {
        return;
    }
    for (size_t watcher = 0; watcher < sentinel->watcher_count; watcher++) {
        rig_redis_stop(sentinel->watchers[watcher]);
    }
    for (size_t node = 0; node < sentinel->node_count; node++) {
        rig_redis_stop(sentinel->nodes[node]);
    }
    if (sentinel->options.node.tls) {
        rig_folder_remove(sentinel->folder);
    }
    free(sentinel);
}

/* ---- Who is the primary ---- */

/* The port that one sentinel names; 0 where it does not answer. */
static unsigned port_by(const struct rig_redis *watcher)
{
    const char *reply =
        rig_redis_pid(watcher) != 0
            ? rig_redis_command(watcher, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", RIG_SERVICE, NULL)
            : "";
    const char *port = strchr(reply, '\n');
    return port != NULL ? (unsigned)strtoul(port + 1, NULL, 10) : 0;
}

static size_t node_of_port(const struct rig_sentinel *sentinel, unsigned port)
{
    for (size_t node = 0; node < sentinel->node_count; node++) {
        if (port_among(sentinel, sentinel->nodes[node]) == port) {
            return node;
        }
    }
    rig_fail("sentinel: port %u is no server's", port);
}

size_t rig_sentinel_primary(const struct rig_sentinel *sentinel)
{
    size_t votes[RIG_WATCHED_MAX] = {0};
    size_t most = 0;
    for (size_t watcher = 0; watcher < sentinel->watcher_count; watcher++) {
        const unsigned port = port_by(sentinel->watchers[watcher]);
        if (port != 0) {
            const size_t node = node_of_port(sentinel, port);
            votes[node]++;
            most = votes[node] > votes[most] ? node : most;
        }
    }
    if (votes[most] == 0) {
        rig_fail("sentinel: none answers");
    }
    return most;
}

struct succession {
    const struct rig_sentinel *sentinel;
    size_t former;
    size_t now;
};

static bool has_passed(void *context)
{
    struct succession *wanted = context;
    const struct rig_sentinel *sentinel = wanted->sentinel;
    wanted->now = rig_sentinel_primary(sentinel);
    if (wanted->now == wanted->former) {
        return false;
    }
    struct rig_redis *primary = sentinel->nodes[wanted->now];
    for (size_t watcher = 0; watcher < sentinel->watcher_count; watcher++) {
        const unsigned port = port_by(sentinel->watchers[watcher]);
        if (port != 0 && port != port_among(sentinel, primary)) {
            return false;
        }
    }
    return strncmp(rig_redis_command(primary, "ROLE", NULL), "master", 6) == 0;
}

size_t rig_sentinel_wait_primary(struct rig_sentinel *sentinel, size_t former)
{
    struct succession wanted = {sentinel, former, former};
    rig_wait(has_passed, &wanted, "the sentinels have made another server the primary");
    return wanted.now;
}

/* A sentinel refuses while it still thinks of the last failover. */
static bool has_been_asked(void *context)
{
    const struct rig_sentinel *sentinel = context;
    const char *reply =
        rig_redis_command(sentinel->watchers[0], "SENTINEL", "FAILOVER", RIG_SERVICE, NULL);
    return strcmp(reply, "OK") == 0;
}

size_t rig_sentinel_failover(struct rig_sentinel *sentinel)
{
    const size_t former = rig_sentinel_primary(sentinel);
    rig_wait(has_been_asked, sentinel, "a sentinel takes up a failover");
    return rig_sentinel_wait_primary(sentinel, former);
}

/* ---- What it is ---- */

struct rig_redis *rig_sentinel_node(const struct rig_sentinel *sentinel, size_t node)
{
    assert(node < sentinel->node_count);
    return sentinel->nodes[node];
}

struct rig_redis *rig_sentinel_watcher(const struct rig_sentinel *sentinel, size_t watcher)
{
    assert(watcher < sentinel->watcher_count);
    return sentinel->watchers[watcher];
}

const char *rig_sentinel_url(const struct rig_sentinel *sentinel)
{
    return sentinel->url;
}

const char *rig_sentinel_tls_url(const struct rig_sentinel *sentinel)
{
    assert(sentinel->options.node.tls && "needs the option tls");
    return sentinel->tls_url;
}
