/* resp_info.c - INFO, and the little of CONFIG GET that tools ask for. See resp_parts.h.
 *
 * What is said without the right to read is what client libraries look for on connecting: what
 * server this is, and that it is neither loading nor a replica. */

#include "door/resp_parts.h"

#include <stdio.h>

#define US_PER_S INT64_C(1000000)

/* ---- INFO ---------------------------------------------------------------------------------- */

enum section {
    SECTION_SERVER = 0,
    SECTION_CLIENTS,
    SECTION_PERSISTENCE,
    SECTION_REPLICATION,
    SECTION_WEIR,
    SECTION_COUNT
};

static const char *const section_names[SECTION_COUNT] = {"server", "clients", "persistence",
                                                         "replication", "weir"};
static const char *const section_titles[SECTION_COUNT] = {"Server", "Clients", "Persistence",
                                                          "Replication", "Weir"};

/* Which sections are asked for: a set of bits. */
static unsigned read_sections(const struct weir_resp_value *words, uint32_t count)
{
    const unsigned all = (1u << SECTION_COUNT) - 1;
    unsigned sections = count == 1 ? all : 0;
    for (uint32_t i = 1; i < count; i++) {
        const struct weir_bytes word = words[i].text;
        if (weir_resp_is(word, "all") || weir_resp_is(word, "default") ||
            weir_resp_is(word, "everything")) {
            sections = all;
        }
        for (unsigned section = 0; section < SECTION_COUNT; section++) {
            sections |= (unsigned)weir_resp_is(word, section_names[section]) << section;
        }
    }
    return sections;
}

static void put_line(struct weir_buffer *text, const char *name, uint64_t number)
{
    weir_buffer_put_text(text, name);
    weir_buffer_put_text(text, ":");
    weir_buffer_put_number(text, number);
    weir_buffer_put_text(text, "\r\n");
}

static void put_weir(struct weir_buffer *text, const struct weir_resp_session *session,
                     const struct weir_metrics_facts *facts)
{
    struct weir_service *service = session->session.desk->options.service;
    const char *why = NULL;
    weir_buffer_print(text, "store:%s\r\n", facts->store);
    put_line(text, "ready", service->is_ready(service, &why));
    put_line(text, "workers", facts->workers);
    put_line(text, "policy_version", facts->policy_version);
    put_line(text, "policy_rules", facts->policy_rules);
    weir_buffer_print(text, "policy_fingerprint:%016llx\r\n",
                      (unsigned long long)facts->policy_fingerprint);
    put_line(text, "reloads_failed", facts->reloads_failed);
    put_line(text, "last_reload_failed", facts->reload_is_bad);
    put_line(text, "table_bytes", facts->stats.bytes);
    put_line(text, "table_slots", facts->stats.slots);
    put_line(text, "table_used", facts->stats.used);
    put_line(text, "table_evicted_idle", facts->stats.evicted_idle);
    put_line(text, "table_evicted_live", facts->stats.evicted_live);
}

/* `facts` is NULL for a peer that may not read. */
static void put_section(struct weir_buffer *text, const struct weir_resp_session *session,
                        enum section section, const struct weir_metrics_facts *facts)
{
    weir_buffer_print(text, "# %s\r\n", section_titles[section]);
    switch (section) {
    case SECTION_SERVER:
        weir_buffer_print(text, "server_name:weir\r\nweir_version:%s\r\nserver_mode:standalone\r\n",
                          weir_version());
        if (facts != NULL) {
            const int64_t up_us = facts->now_us - facts->started_us;
            put_line(text, "uptime_in_seconds", up_us > 0 ? (uint64_t)(up_us / US_PER_S) : 0);
        }
        break;
    case SECTION_CLIENTS:
        if (facts != NULL) {
            put_line(text, "connected_clients", facts->connections);
        }
        break;
    case SECTION_PERSISTENCE:
        weir_buffer_put_text(text, "loading:0\r\n");
        break;
    case SECTION_REPLICATION:
        weir_buffer_put_text(text, "role:master\r\nconnected_slaves:0\r\n");
        break;
    case SECTION_WEIR:
        if (facts != NULL) {
            put_weir(text, session, facts);
        }
        break;
    case SECTION_COUNT:
        break;
    }
    weir_buffer_put_text(text, "\r\n");
}

void weir_resp_run_info(struct weir_resp_session *session, const struct weir_resp_value *words,
                        uint32_t count)
{
    const unsigned sections = read_sections(words, count);
    const bool reads = (session->session.rights & WEIR_RIGHT_READ) != 0;
    struct weir_service *service = session->session.desk->options.service;
    struct weir_buffer *text = &session->session.desk->scratch;
    struct weir_metrics_facts facts = {0};
    weir_buffer_clear(text);
    if (reads && sections != 0) {
        service->facts(service, &facts);
    }
    for (unsigned section = 0; section < SECTION_COUNT; section++) {
        if ((sections >> section & 1) != 0) {
            put_section(text, session, (enum section)section, reads ? &facts : NULL);
        }
    }
    weir_resp_put_bulk(weir_session_say(&session->session), weir_buffer_bytes(text));
}

/* ---- CONFIG GET ---------------------------------------------------------------------------- */

enum setting {
    SETTING_APPENDONLY = 0,
    SETTING_DATABASES,
    SETTING_BULK,
    SETTING_SAVE,
    SETTING_TIMEOUT,
    SETTING_COUNT
};

static const char *const setting_names[SETTING_COUNT] = {"appendonly", "databases",
                                                         "proto-max-bulk-len", "save", "timeout"};

static void put_setting(struct weir_buffer *out, const struct weir_caps *caps, enum setting setting)
{
    weir_resp_put_bulk_text(out, setting_names[setting]);
    switch (setting) {
    case SETTING_APPENDONLY:
        weir_resp_put_bulk_text(out, "no");
        break;
    case SETTING_DATABASES:
        weir_resp_put_bulk_integer(out, 1);
        break;
    case SETTING_BULK:
        weir_resp_put_bulk_integer(out, caps->body_bytes);
        break;
    case SETTING_TIMEOUT:
        weir_resp_put_bulk_integer(out, caps->idle_us / US_PER_S);
        break;
    case SETTING_SAVE:
    case SETTING_COUNT:
        weir_resp_put_bulk_text(out, "");
        break;
    }
}

/* Settings that exist in this server too, by name; or all, by a star. What there is no setting of
 * is left out, as redis-server does it. */
void weir_resp_run_config_get(struct weir_resp_session *session,
                              const struct weir_resp_value *words, uint32_t count)
{
    unsigned wanted = 0;
    for (uint32_t i = 2; i < count; i++) {
        for (unsigned setting = 0; setting < SETTING_COUNT; setting++) {
            const bool named = weir_resp_is(words[i].text, setting_names[setting]) ||
                               weir_resp_is(words[i].text, "*");
            wanted |= (unsigned)named << setting;
        }
    }
    struct weir_buffer *out = weir_session_say(&session->session);
    weir_resp_put_map(out, (size_t)__builtin_popcount(wanted), session->protocol);
    for (unsigned setting = 0; setting < SETTING_COUNT; setting++) {
        if ((wanted >> setting & 1) != 0) {
            put_setting(out, &session->session.desk->view->config->caps, (enum setting)setting);
        }
    }
}
