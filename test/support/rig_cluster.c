/* rig_cluster.c - see rig_cluster.h. All is done by commands that Redis 6.2 has. */

#include "support/rig_cluster.h"

#include "support/rig_command.h"
#include "support/rig_process.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NODE_TIMEOUT_MS 1500U
#define LINES_MAX 32
#define ID_SIZE 64
#define URL_SIZE 512

struct rig_cluster {
    struct rig_cluster_options options;
    size_t size;
    struct rig_redis *nodes[RIG_NODES_MAX];
    size_t replica_count;
    char folder[96]; /* of the certificates, which all nodes share */
    struct rig_certificates certificates;
    char url[URL_SIZE];
    char tls_url[URL_SIZE];
};

static bool runs(const struct rig_cluster *cluster, size_t node)
{
    return rig_redis_pid(cluster->nodes[node]) != 0;
}

static void must(const char *reply, const char *what)
{
    if (strcmp(reply, "OK") != 0) {
        rig_fail("cluster: %s: %s", what, reply);
    }
}

/* Of a text of lines: the number after "name:", or -1. */
static long number_of(const char *text, const char *name)
{
    const char *found = strstr(text, name);
    return found != NULL ? strtol(found + strlen(name) + 1, NULL, 10) : -1;
}

/* ---- What a node says of the others ---- */

/* A line of CLUSTER NODES. */
struct member {
    char id[ID_SIZE];
    unsigned port;
    bool primary;
    bool replica;
    bool doubtful;     /* fail, fail?, handshake, noaddr: not to be counted on */
    const char *slots; /* what follows, to the line's end */
};

static struct member read_member(const char *line)
{
    struct member member = {.id = ""};
    char address[128] = "";
    char flags[128] = "";
    int slots_at = 0;
    /* id address flags primary ping pong epoch link slots... */
    if (sscanf(line, "%63s %127s %127s %*s %*s %*s %*s %*s%n", member.id, address, flags,
               &slots_at) != 3) {
        rig_fail("cluster: not a line of CLUSTER NODES: %s", line);
    }
    const char *colon = strchr(address, ':');
    member.port = colon != NULL ? (unsigned)strtoul(colon + 1, NULL, 10) : 0;
    member.primary = strstr(flags, "master") != NULL;
    member.replica = strstr(flags, "slave") != NULL;
    member.doubtful = strstr(flags, "fail") != NULL || strstr(flags, "handshake") != NULL ||
                      strstr(flags, "noaddr") != NULL;
    member.slots = line + slots_at;
    return member;
}

static bool member_has(const struct member *member, unsigned slot)
{
    const char *text = member->slots;
    while (*text == ' ') {
        char *end = NULL;
        const unsigned long first = strtoul(text + 1, &end, 10);
        const unsigned long last = *end == '-' ? strtoul(end + 1, &end, 10) : first;
        /* What is on its way stands in brackets after what is there. */
        if (text[1] == '[') {
            return false;
        }
        if (slot >= first && slot <= last) {
            return true;
        }
        text = end;
    }
    return false;
}

static const char *next_line(const char *line)
{
    const char *end = strchr(line, '\n');
    return end != NULL && end[1] != '\0' ? end + 1 : NULL;
}

static size_t node_of_port(const struct rig_cluster *cluster, unsigned port)
{
    for (size_t node = 0; node < cluster->size; node++) {
        const struct rig_redis *redis = cluster->nodes[node];
        /* Of one that they met a moment ago, nodes know but the port by which they did. */
        if (rig_redis_port(redis) == port ||
            (cluster->options.node.tls && rig_redis_tls_port(redis) == port)) {
            return node;
        }
    }
    rig_fail("cluster: port %u is no node's", port);
}

static const char *nodes_by(const struct rig_cluster *cluster, size_t node)
{
    return rig_redis_command(cluster->nodes[node], "CLUSTER", "NODES", NULL);
}

/* Whom `node` takes for the owner of the slot; the number of nodes where nobody is. */
static size_t owner_by(const struct rig_cluster *cluster, size_t node, unsigned slot)
{
    for (const char *line = nodes_by(cluster, node); line != NULL; line = next_line(line)) {
        const struct member member = read_member(line);
        if (member.port != 0 && member.primary && !member.doubtful && member_has(&member, slot)) {
            return node_of_port(cluster, member.port);
        }
    }
    return cluster->size;
}

static size_t first_that_runs(const struct rig_cluster *cluster)
{
    for (size_t node = 0; node < cluster->size; node++) {
        if (runs(cluster, node)) {
            return node;
        }
    }
    rig_fail("cluster: no node runs");
}

static void id_of(const struct rig_cluster *cluster, size_t node, char id[static ID_SIZE])
{
    rig_format(id, ID_SIZE, "%s", rig_redis_command(cluster->nodes[node], "CLUSTER", "MYID", NULL));
}

/* ---- Waiting ---- */

/* Whether `node` counts on all that run, and is well. */
static bool is_content(const struct rig_cluster *cluster, size_t node)
{
    if (strstr(rig_redis_command(cluster->nodes[node], "CLUSTER", "INFO", NULL),
               "cluster_state:ok") == NULL) {
        return false;
    }
    size_t counted = 0;
    size_t replicas = 0;
    for (const char *line = nodes_by(cluster, node); line != NULL; line = next_line(line)) {
        const struct member member = read_member(line);
        /* Of one met by TLS, newer servers do not know the plain port at first. */
        if (member.port == 0 || strstr(line, "handshake") != NULL) {
            return false;
        }
        counted += runs(cluster, node_of_port(cluster, member.port)) && !member.doubtful ? 1 : 0;
        /* A primary that is gone had a replica, which is one no more. */
        replicas += member.replica || member.doubtful ? 1 : 0;
    }
    size_t running = 0;
    for (size_t other = 0; other < cluster->size; other++) {
        running += runs(cluster, other) ? 1 : 0;
    }
    return counted == running && replicas >= cluster->replica_count;
}

static bool is_in_step(const struct rig_redis *redis)
{
    const char *text = rig_redis_command(redis, "INFO", "replication", NULL);
    return strstr(text, "role:master") != NULL || strstr(text, "master_link_status:up") != NULL;
}

static bool all_content(void *context)
{
    const struct rig_cluster *cluster = context;
    for (size_t node = 0; node < cluster->size; node++) {
        if (runs(cluster, node) &&
            !(is_content(cluster, node) && is_in_step(cluster->nodes[node]))) {
            return false;
        }
    }
    return true;
}

void rig_cluster_wait(struct rig_cluster *cluster)
{
    rig_wait(all_content, cluster, "the cluster is well");
}

struct succession {
    const struct rig_cluster *cluster;
    unsigned slot;
    size_t former;
    size_t owner;
};

static bool has_passed(void *context)
{
    struct succession *wanted = context;
    const struct rig_cluster *cluster = wanted->cluster;
    size_t owner = cluster->size;
    for (size_t node = 0; node < cluster->size; node++) {
        if (!runs(cluster, node)) {
            continue;
        }
        const size_t said = owner_by(cluster, node, wanted->slot);
        if (said == cluster->size || said == wanted->former ||
            (owner != cluster->size && said != owner) || !is_content(cluster, node)) {
            return false;
        }
        owner = said;
    }
    wanted->owner = owner;
    return true;
}

size_t rig_cluster_wait_owner(struct rig_cluster *cluster, unsigned slot, size_t former)
{
    struct succession wanted = {cluster, slot, former, cluster->size};
    rig_wait(has_passed, &wanted, "a slot has a new owner, and all agree");
    return wanted.owner;
}

/* ---- Making one ---- */

static struct rig_redis *start_node(const struct rig_cluster *cluster)
{
    const struct rig_cluster_options *options = &cluster->options;
    char timeout[64];
    const char *lines[LINES_MAX] = {
        "cluster-enabled yes", "repl-diskless-sync yes", "repl-diskless-sync-delay 0",
        /* A replica may succeed whenever its primary is gone, and stays with the one it was given.
         */
        "cluster-replica-validity-factor 0", "cluster-migration-barrier 99", timeout};
    size_t count = 6;
    rig_format(timeout, sizeof(timeout), "cluster-node-timeout %u",
               options->node_timeout_ms != 0 ? options->node_timeout_ms : NODE_TIMEOUT_MS);
    if (options->node.tls) {
        lines[count++] = "tls-cluster yes";
        lines[count++] = "tls-replication yes";
    }
    for (size_t i = 0; options->node.lines != NULL && options->node.lines[i] != NULL; i++) {
        assert(count + 1 < LINES_MAX);
        lines[count++] = options->node.lines[i];
    }
    struct rig_redis_options node = options->node;
    node.lines = lines;
    node.certificates = options->node.tls ? &cluster->certificates : NULL;
    return rig_redis_start(&node);
}

/* Makes all nodes but one know that one, and it them. */
static void introduce(const struct rig_cluster *cluster, size_t node)
{
    char port[16];
    rig_format(port, sizeof(port), "%u",
               cluster->options.node.tls ? rig_redis_tls_port(cluster->nodes[node])
                                         : rig_redis_port(cluster->nodes[node]));
    for (size_t other = 0; other < cluster->size; other++) {
        if (other != node && runs(cluster, other)) {
            must(rig_redis_command(cluster->nodes[other], "CLUSTER", "MEET", "127.0.0.1", port,
                                   NULL),
                 "CLUSTER MEET");
        }
    }
}

/* Gives slots [first, end) to a node. */
static void give_slots(const struct rig_cluster *cluster, size_t node, unsigned first, unsigned end)
{
    char(*numbers)[8] = calloc(RIG_SLOTS, sizeof(*numbers));
    const char **words = calloc(RIG_SLOTS + 3, sizeof(*words));
    if (numbers == NULL || words == NULL) {
        rig_fail("no memory");
    }
    words[0] = "CLUSTER";
    words[1] = "ADDSLOTS";
    for (unsigned slot = first; slot < end; slot++) {
        rig_format(numbers[slot], sizeof(numbers[slot]), "%u", slot);
        words[2 + slot - first] = numbers[slot];
    }
    must(rig_command_words(rig_redis_port(cluster->nodes[node]), cluster->options.node.password,
                           words),
         "CLUSTER ADDSLOTS");
    free(words);
    free(numbers);
}

static bool all_know_all(void *context)
{
    const struct rig_cluster *cluster = context;
    for (size_t node = 0; node < cluster->size; node++) {
        const char *text = rig_redis_command(cluster->nodes[node], "CLUSTER", "INFO", NULL);
        if (number_of(text, "cluster_known_nodes") != (long)cluster->size ||
            strstr(nodes_by(cluster, node), "handshake") != NULL) {
            return false;
        }
    }
    return true;
}

static void join(struct rig_cluster *cluster)
{
    const unsigned primaries = cluster->options.primaries;
    for (unsigned node = 0; node < cluster->size; node++) {
        char epoch[16];
        rig_format(epoch, sizeof(epoch), "%u", node + 1);
        must(rig_redis_command(cluster->nodes[node], "CLUSTER", "SET-CONFIG-EPOCH", epoch, NULL),
             "CLUSTER SET-CONFIG-EPOCH");
        if (node < primaries) {
            give_slots(cluster, node, RIG_SLOTS * node / primaries,
                       RIG_SLOTS * (node + 1) / primaries);
        }
    }
    for (unsigned node = 0; node < cluster->size; node++) {
        introduce(cluster, node);
    }
    rig_wait(all_know_all, cluster, "the nodes of a cluster know each other");
}

static void share_out_replicas(struct rig_cluster *cluster)
{
    const unsigned primaries = cluster->options.primaries;
    for (size_t node = primaries; node < cluster->size; node++) {
        char id[ID_SIZE];
        id_of(cluster, (node - primaries) / cluster->options.replicas_each, id);
        must(rig_redis_command(cluster->nodes[node], "CLUSTER", "REPLICATE", id, NULL),
             "CLUSTER REPLICATE");
    }
    cluster->replica_count = cluster->size - primaries;
}

static void name_url(const struct rig_cluster *cluster, bool tls, char url[static URL_SIZE])
{
    const char *password = cluster->options.node.password;
    rig_format(url, URL_SIZE, "%s://%s%s%s", tls ? "rediss+cluster" : "redis+cluster",
               password != NULL ? ":" : "", password != NULL ? password : "",
               password != NULL ? "@" : "");
    for (size_t node = 0; node < cluster->size; node++) {
        const struct rig_redis *redis = cluster->nodes[node];
        const size_t len = strlen(url);
        rig_format(url + len, URL_SIZE - len, "%s127.0.0.1:%u", node == 0 ? "" : ",",
                   tls ? rig_redis_tls_port(redis) : rig_redis_port(redis));
    }
}

struct rig_cluster *rig_cluster_start(const struct rig_cluster_options *options)
{
    struct rig_cluster *cluster = calloc(1, sizeof(*cluster));
    if (cluster == NULL) {
        rig_fail("no memory");
    }
    cluster->options = *options;
    const size_t size = options->primaries * (1U + (size_t)options->replicas_each);
    assert(size >= 1 && size <= RIG_NODES_MAX);
    if (options->node.tls) {
        rig_folder_make(cluster->folder);
        rig_certificates_make(cluster->folder, &cluster->certificates);
    }
    for (size_t node = 0; node < size; node++) {
        cluster->nodes[node] = start_node(cluster);
    }
    cluster->size = size;
    join(cluster);
    share_out_replicas(cluster);
    name_url(cluster, false, cluster->url);
    if (options->node.tls) {
        name_url(cluster, true, cluster->tls_url);
    }
    rig_cluster_wait(cluster);
    return cluster;
}

void rig_cluster_stop(struct rig_cluster *cluster)
{
    if (cluster == NULL) {
        return;
    }
    for (size_t node = 0; node < cluster->size; node++) {
        rig_redis_stop(cluster->nodes[node]);
    }
    if (cluster->options.node.tls) {
        rig_folder_remove(cluster->folder);
    }
    free(cluster);
}

size_t rig_cluster_add(struct rig_cluster *cluster)
{
    assert(cluster->size < RIG_NODES_MAX);
    cluster->nodes[cluster->size] = start_node(cluster);
    cluster->size++;
    introduce(cluster, cluster->size - 1);
    rig_cluster_wait(cluster);
    return cluster->size - 1;
}

/* ---- What it is ---- */

size_t rig_cluster_size(const struct rig_cluster *cluster)
{
    return cluster->size;
}

struct rig_redis *rig_cluster_node(const struct rig_cluster *cluster, size_t node)
{
    assert(node < cluster->size);
    return cluster->nodes[node];
}

const char *rig_cluster_url(const struct rig_cluster *cluster)
{
    return cluster->url;
}

const char *rig_cluster_tls_url(const struct rig_cluster *cluster)
{
    assert(cluster->options.node.tls && "needs the option tls");
    return cluster->tls_url;
}

unsigned rig_cluster_slot(const struct rig_cluster *cluster, const char *key)
{
    const struct rig_redis *redis = cluster->nodes[first_that_runs(cluster)];
    return (unsigned)strtoul(rig_redis_command(redis, "CLUSTER", "KEYSLOT", key, NULL), NULL, 10);
}

size_t rig_cluster_owner(const struct rig_cluster *cluster, unsigned slot)
{
    const size_t owner = owner_by(cluster, first_that_runs(cluster), slot);
    if (owner == cluster->size) {
        rig_fail("cluster: slot %u is nobody's", slot);
    }
    return owner;
}

/* ---- Moving a slot ---- */

static void set_slot(const struct rig_cluster *cluster, size_t told, unsigned slot,
                     const char *state, size_t node)
{
    char number[16];
    char id[ID_SIZE];
    rig_format(number, sizeof(number), "%u", slot);
    id_of(cluster, node, id);
    must(rig_redis_command(cluster->nodes[told], "CLUSTER", "SETSLOT", number, state, id, NULL),
         "CLUSTER SETSLOT");
}

void rig_cluster_move_begin(struct rig_cluster *cluster, unsigned slot, size_t to)
{
    const size_t from = rig_cluster_owner(cluster, slot);
    set_slot(cluster, to, slot, "IMPORTING", from);
    set_slot(cluster, from, slot, "MIGRATING", to);
}

static bool move_key(const struct rig_cluster *cluster, unsigned slot, size_t to)
{
    const size_t from = rig_cluster_owner(cluster, slot);
    const struct rig_redis *redis = cluster->nodes[from];
    const char *password = cluster->options.node.password;
    char number[16];
    char port[16];
    char key[1024];
    rig_format(number, sizeof(number), "%u", slot);
    rig_format(port, sizeof(port), "%u",
               cluster->options.node.tls ? rig_redis_tls_port(cluster->nodes[to])
                                         : rig_redis_port(cluster->nodes[to]));
    rig_format(key, sizeof(key), "%s",
               rig_redis_command(redis, "CLUSTER", "GETKEYSINSLOT", number, "1", NULL));
    if (strcmp(key, "(empty)") == 0) {
        return false;
    }
    const char *reply = rig_redis_command(redis, "MIGRATE", "127.0.0.1", port, key, "0", "5000",
                                          password != NULL ? "AUTH" : NULL, password, NULL);
    /* A key may expire on its way. */
    if (strcmp(reply, "NOKEY") != 0) {
        must(reply, "MIGRATE");
    }
    return true;
}

size_t rig_cluster_move_keys(struct rig_cluster *cluster, unsigned slot, size_t to, size_t count)
{
    size_t moved = 0;
    while (moved < count && move_key(cluster, slot, to)) {
        moved++;
    }
    return moved;
}

void rig_cluster_move_end(struct rig_cluster *cluster, unsigned slot, size_t to)
{
    const size_t from = rig_cluster_owner(cluster, slot);
    /* The new owner first: told last, it might be asked for what nobody has given it yet. */
    set_slot(cluster, to, slot, "NODE", to);
    set_slot(cluster, from, slot, "NODE", to);
    for (size_t node = 0; node < cluster->size; node++) {
        const char *role = rig_redis_command(cluster->nodes[node], "ROLE", NULL);
        if (node != to && node != from && strncmp(role, "master", 6) == 0) {
            set_slot(cluster, node, slot, "NODE", to);
        }
    }
    (void)rig_cluster_wait_owner(cluster, slot, from);
}

void rig_cluster_move(struct rig_cluster *cluster, unsigned slot, size_t to)
{
    rig_cluster_move_begin(cluster, slot, to);
    (void)rig_cluster_move_keys(cluster, slot, to, SIZE_MAX);
    rig_cluster_move_end(cluster, slot, to);
}
