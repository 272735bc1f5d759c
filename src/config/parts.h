/* parts.h - the parts of a configuration, each read by a file of its own; see config.h.
 *
 *     config_files.c    the files: includes
 *     config_server.c   the store, caps, logs and so on
 *     config_listen.c   listeners, with config_token.c and config_address.c
 *     config_rules.c    rules, with config_match.c
 */

#ifndef WEIR_CONFIG_PARTS_H
#define WEIR_CONFIG_PARTS_H

#include "config/walk.h"

/* The file's top, with its keys that are read later. */
struct weir_top {
    const struct weir_node *store;
    const struct weir_node *listen;
    const struct weir_node *caps;
    const struct weir_node *log;
    const struct weir_node *include;
    const struct weir_node *rules;
    uint32_t workers;
    uint32_t top;
    uint32_t ipv6_prefix;
    bool ad_hoc;
    bool watch;
};

/* Every form there is, for the tests of the manual and the schema. */
extern const struct weir_form weir_form_top;
extern const struct weir_form weir_form_included;
extern const struct weir_form weir_form_store;
extern const struct weir_form weir_form_caps;
extern const struct weir_form weir_form_log;
extern const struct weir_form weir_form_listener;
extern const struct weir_form weir_form_token;
extern const struct weir_form weir_form_tls;
extern const struct weir_form weir_form_rule;
extern const struct weir_form weir_form_tests;
extern const struct weir_form weir_form_key_part;
extern const struct weir_form weir_form_tiers;
extern const struct weir_form weir_form_override;
extern const struct weir_form weir_form_listed;
extern const struct weir_form weir_form_cost;

/* ---- config_files.c ---- */

/* Reads `path` and all that it includes into reading->files. WEIR_ERR_SYSTEM where `path` itself
 * can't be read. Other files are complained of. */
enum weir_status weir_read_files(struct weir_reading *reading, const char *path);

/* Adds a file to what was read: its number, or -1 with a complaint at `origin`. */
int weir_add_file(struct weir_reading *reading, const char *path, struct weir_origin origin);

/* ---- config_server.c ---- */

void weir_read_server(struct weir_reading *reading, struct weir_top *ret_top);

/* ---- config_listen.c ---- */

/* `listen` may be NULL: the default. */
void weir_read_listeners(struct weir_reading *reading, const struct weir_node *listen);

/* ---- config_token.c ---- */

/* Fills in the listener's tokens. */
void weir_read_tokens(struct weir_reading *reading, const struct weir_node *tokens,
                      struct weir_listener *listener);

/* A set of rights. */
bool weir_read_rights(struct weir_reading *reading, const struct weir_node *node,
                      unsigned *ret_rights);

/* ---- config_address.c ---- */

/* "127.0.0.1:8080", "[::1]:8080", "unix:/path", "systemd:NAME". */
bool weir_read_address(struct weir_reading *reading, const struct weir_node *node,
                       struct weir_listener *listener);

/* A network as 10.0.0.0/8, or a single address. */
bool weir_read_network(struct weir_reading *reading, const struct weir_node *node,
                       struct weir_network *ret_network);

/* Whether only this machine can reach it. What systemd hands over is looked at when it comes. */
bool weir_is_local(const struct weir_listener *listener);

/* ---- config_rules.c ---- */

void weir_read_rules(struct weir_reading *reading, const struct weir_top *top);

/* ---- config_match.c ---- */

/* Conditions as they are read: one rule's, or one entry's of a list. */
struct weir_conditions {
    struct weir_condition_spec list[WEIR_CONDITIONS_MAX];
    size_t count;
    bool too_many;
};

/* A mapping of attributes to what is asked of them. */
void weir_read_match(struct weir_reading *reading, const struct weir_node *match,
                     struct weir_conditions *conditions);

/* A single value, of an attribute. */
void weir_read_bare(struct weir_reading *reading, const struct weir_node *value,
                    struct weir_bytes attribute, struct weir_conditions *conditions);

/* Moves them to the configuration's memory. */
const struct weir_condition_spec *weir_keep_conditions(struct weir_reading *reading,
                                                       const struct weir_conditions *conditions);

/* ---- config_time.c ---- */

/* "2026-12-31T23:59:59Z", with an offset as +01:00, or "2026-12-31", which is its 00:00 UTC. */
bool weir_time_parse(struct weir_bytes text, int64_t *ret_us);

#endif
