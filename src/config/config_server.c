/* config_server.c - the store, what peers may take, logs, and all else that is no rule; see
 * parts.h.
 *
 * The ranges and defaults are those of the tables here, and nowhere else; the manual's are held to
 * them. */

#include "config/parts.h"

#include <string.h>

#define MS INT64_C(1000)
#define SECOND INT64_C(1000000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define KIB INT64_C(1024)
#define MIB (1024 * KIB)

#define STORE_DEFAULT "memory:?size=64MiB"

/* ---- Forms -------------------------------------------------------------------------------- */

static const char *const log_levels[] = {"error", "warning", "info", "debug", NULL};
static const char *const log_formats[] = {"text", "json", NULL};

#define TOP(key) offsetof(struct weir_top, key)

static const struct weir_key top_keys[] = {
    {"store", WEIR_VALUE_NODE, false, TOP(store), 0, 0, 0, NULL},
    {"workers", WEIR_VALUE_NUMBER, false, TOP(workers), 0, WEIR_WORKERS_MAX, 0, NULL},
    {"listen", WEIR_VALUE_LIST, false, TOP(listen), 0, 0, 0, NULL},
    {"caps", WEIR_VALUE_NODE, false, TOP(caps), 0, 0, 0, NULL},
    {"log", WEIR_VALUE_NODE, false, TOP(log), 0, 0, 0, NULL},
    {"top", WEIR_VALUE_NUMBER, false, TOP(top), 0, 1000, 100, NULL},
    {"ad_hoc", WEIR_VALUE_BOOLEAN, false, TOP(ad_hoc), 0, 1, true, NULL},
    {"ipv6_prefix", WEIR_VALUE_NUMBER, false, TOP(ipv6_prefix), 1, 128, 64, NULL},
    {"watch", WEIR_VALUE_BOOLEAN, false, TOP(watch), 0, 1, true, NULL},
    {"include", WEIR_VALUE_NODE, false, TOP(include), 0, 0, 0, NULL},
    {"rules", WEIR_VALUE_LIST, false, TOP(rules), 0, 0, 0, NULL},
};

const struct weir_form weir_form_top = {
    .name = "top",
    .what = "the file",
    .extensions = true,
    .keys = top_keys,
    .count = sizeof(top_keys) / sizeof(top_keys[0]),
};

static const struct weir_key included_keys[] = {
    {"rules", WEIR_VALUE_LIST, false, TOP(rules), 0, 0, 0, NULL},
    {"include", WEIR_VALUE_NODE, false, TOP(include), 0, 0, 0, NULL},
};

const struct weir_form weir_form_included = {
    .name = "included",
    .what = "a file that is included",
    .extensions = true,
    .keys = included_keys,
    .count = sizeof(included_keys) / sizeof(included_keys[0]),
};

struct store_nodes {
    const struct weir_node *url;
    int64_t timeout_us;
};

static const struct weir_key store_keys[] = {
    {"url", WEIR_VALUE_NODE, true, offsetof(struct store_nodes, url), 0, 0, 0, NULL},
    {"timeout", WEIR_VALUE_DURATION, false, offsetof(struct store_nodes, timeout_us), MS, MINUTE, 0,
     NULL},
};

const struct weir_form weir_form_store = {
    .name = "store",
    .what = "a store",
    .keys = store_keys,
    .count = sizeof(store_keys) / sizeof(store_keys[0]),
};

#define CAP(key) offsetof(struct weir_caps, key)

static const struct weir_key cap_keys[] = {
    {"connections", WEIR_VALUE_NUMBER, false, CAP(connections), 1, 1000000, 20000, NULL},
    {"pipeline", WEIR_VALUE_NUMBER, false, CAP(pipeline), 1, 65536, 1024, NULL},
    {"head", WEIR_VALUE_SIZE, false, CAP(head_bytes), KIB, MIB, 16 * KIB, NULL},
    {"body", WEIR_VALUE_SIZE, false, CAP(body_bytes), KIB, 64 * MIB, MIB, NULL},
    {"output", WEIR_VALUE_SIZE, false, CAP(output_bytes), 16 * KIB, 64 * MIB, MIB, NULL},
    {"batch", WEIR_VALUE_NUMBER, false, CAP(batch), 1, 10000, 100, NULL},
    {"idle", WEIR_VALUE_DURATION, false, CAP(idle_us), SECOND, 24 * HOUR, 5 * MINUTE, NULL},
    {"request", WEIR_VALUE_DURATION, false, CAP(request_us), 10 * MS, HOUR, 10 * SECOND, NULL},
    {"write", WEIR_VALUE_DURATION, false, CAP(write_us), 10 * MS, HOUR, 10 * SECOND, NULL},
    {"drain", WEIR_VALUE_DURATION, false, CAP(drain_us), 0, HOUR, 10 * SECOND, NULL},
    {"hold", WEIR_VALUE_DURATION, false, CAP(hold_us), 0, HOUR, 5 * SECOND, NULL},
};

const struct weir_form weir_form_caps = {
    .name = "caps",
    .what = "caps",
    .keys = cap_keys,
    .count = sizeof(cap_keys) / sizeof(cap_keys[0]),
};

struct log_values {
    unsigned level;
    unsigned format;
    uint32_t denials;
};

static const struct weir_key log_keys[] = {
    {"level", WEIR_VALUE_CHOICE, false, offsetof(struct log_values, level), 0, 3, WEIR_LOG_INFO,
     log_levels},
    {"format", WEIR_VALUE_CHOICE, false, offsetof(struct log_values, format), 0, 1, 0, log_formats},
    {"denials", WEIR_VALUE_NUMBER, false, offsetof(struct log_values, denials), 0, 1000000, 10,
     NULL},
};

const struct weir_form weir_form_log = {
    .name = "log",
    .what = "log",
    .keys = log_keys,
    .count = sizeof(log_keys) / sizeof(log_keys[0]),
};

/* ---- The store ---------------------------------------------------------------------------- */

/* As one in which a password may stand, a URL is never repeated. */
static void check_url(struct weir_reading *reading, const struct weir_node *node, const char *url)
{
    struct weir_error error = {0};
    if (reading->source->check_store == NULL) {
        return;
    }
    const enum weir_status status =
        reading->source->check_store(reading->source->context, url, &error);
    if (status == WEIR_ERR_NO_MEMORY) {
        reading->kept->failed = true;
    } else if (status != WEIR_OK) {
        weir_complain(reading->complaints, weir_node_place(node, error.offset), "store: %s",
                      error.message[0] != '\0' ? error.message : weir_strerror(status));
    }
}

static void read_store(struct weir_reading *reading, const struct weir_node *node)
{
    struct weir_config *config = &reading->owned->config;
    struct store_nodes nodes = {.url = node};
    struct weir_bytes url = weir_text(STORE_DEFAULT);
    if (node != NULL && node->kind == WEIR_NODE_MAP) {
        nodes.url = NULL;
        (void)weir_read_form(reading, node, &weir_form_store, &nodes);
    }
    config->timeout_us = nodes.timeout_us;
    if (nodes.url == NULL) {
        config->store = weir_memory_copy(reading->kept, url);
        return;
    }
    if (weir_read_scalar(reading, nodes.url, "store", &url)) {
        config->store = weir_memory_copy(reading->kept, url);
    }
    if (config->store != NULL) {
        check_url(reading, nodes.url, config->store);
    }
}

/* ---- The whole ---------------------------------------------------------------------------- */

void weir_read_server(struct weir_reading *reading, struct weir_top *ret_top)
{
    struct weir_config *config = &reading->owned->config;
    struct log_values log = {0};
    (void)weir_read_form(reading, reading->files[0].root, &weir_form_top, ret_top);
    (void)weir_read_form(reading, ret_top->caps, &weir_form_caps, &config->caps);
    (void)weir_read_form(reading, ret_top->log, &weir_form_log, &log);
    read_store(reading, ret_top->store);
    config->workers = ret_top->workers;
    config->ipv6_prefix = ret_top->ipv6_prefix;
    config->watch = ret_top->watch;
    config->log_level = (enum weir_log_level)log.level;
    config->log_json = log.format == 1;
    config->log_denials = log.denials;
    config->top_size = ret_top->top;
    config->ad_hoc = ret_top->ad_hoc;
}
