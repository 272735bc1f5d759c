/* target.c - see target.h. */

#include "cli/target.h"

#include "cli/message.h"
#include "weir/redis.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* `part` is the option that was wrong, or NULL where the text stood by itself. */
static void complain_status(const struct cli_command *command, const char *part,
                            enum weir_status status, const struct weir_error *error)
{
    const char *message = *error->message != '\0' ? error->message : weir_strerror(status);
    cli_complain(command->name, "%s%s%s", part != NULL ? part : "", part != NULL ? ": " : "",
                 message);
}

bool cli_limit_open(const struct cli_command *command, const char *text, const char *name,
                    struct weir_limit **ret_limit)
{
    struct weir_error error = {0};
    struct weir_limit_options options = {.size = sizeof(options)};
    if (text == NULL) {
        cli_complain(command->name, "--limit is needed, as --limit 5/10s; " CLI_SEE_HELP,
                     command->name);
        return false;
    }
    if (name != NULL) {
        options.name = weir_text(name);
        if (options.name.len > WEIR_NAME_MAX) {
            cli_complain(command->name, "--name: at most %d bytes", WEIR_NAME_MAX);
            return false;
        }
    }
    const enum weir_status status = weir_limit_parse(weir_text(text), &options, ret_limit, &error);
    if (status != WEIR_OK) {
        complain_status(command, NULL, status, &error);
        cli_point_at(text, error.offset, error.length);
        return false;
    }
    return true;
}

static int hex_value(char c)
{
    const char *const digits = "0123456789abcdef0123456789ABCDEF";
    const char *at = c != '\0' ? strchr(digits, c) : NULL;
    return at != NULL ? (int)((at - digits) % 16) : -1;
}

/* Whether `url` is a shm: whose file isn't there. What can't be read is left to weir_open to
 * refuse. */
static bool is_missing(const char *url, char *path, size_t size)
{
    const char *const scheme = "shm:/";
    if (strncmp(url, scheme, strlen(scheme)) != 0) {
        return false;
    }
    const char *from = url + strlen("shm:");
    size_t length = 0;
    while (*from != '\0' && *from != '?' && length + 1 < size) {
        const int high = *from == '%' ? hex_value(from[1]) : -1;
        const int low = high >= 0 ? hex_value(from[2]) : -1;
        path[length++] = low >= 0 ? (char)(high * 16 + low) : *from;
        from += low >= 0 ? 3 : 1;
    }
    path[length] = '\0';
    return access(path, F_OK) != 0 && errno == ENOENT;
}

bool cli_store_open(const struct cli_command *command, const char *url, enum cli_open how,
                    struct weir **ret_weir)
{
    assert(url != NULL);
    struct weir_error error = {0};
    char path[PATH_MAX];
    if (how == CLI_OPEN_MADE && is_missing(url, path, sizeof(path))) {
        cli_complain(command->name, "store: there is none at %s yet; weir check makes it", path);
        return false;
    }
    const enum weir_status status = weir_redis_open(url, NULL, ret_weir, &error);
    if (status != WEIR_OK) {
        complain_status(command, "store", status, &error);
        if (error.length > 0) {
            const struct cli_shown_url shown = cli_url_shown(url, &error.offset);
            cli_point_at(shown.text, error.offset, error.length);
        }
        return false;
    }
    return true;
}

bool cli_target_open(const struct cli_command *command, const struct cli_settings *settings,
                     enum cli_open how, struct cli_target *ret_target)
{
    struct cli_target target = {0};
    const char *url = settings->store != NULL ? settings->store : "memory:";
    if (!cli_limit_open(command, settings->limit, settings->name, &target.limit)) {
        return false;
    }
    if (!cli_store_open(command, url, how, &target.weir)) {
        weir_limit_free(target.limit);
        return false;
    }
    *ret_target = target;
    return true;
}

void cli_target_close(struct cli_target *target)
{
    weir_close(target->weir);
    weir_limit_free(target->limit);
    *target = (struct cli_target){0};
}

/* ---- Shared stores ---- */

/* Where in `url` a password stands; false where there is none. What comes before the last '@' may
 * hold one, however badly the rest is written. */
static bool find_password(const char *url, size_t *ret_from, size_t *ret_to)
{
    const char *start = strstr(url, "://");
    if (start == NULL) {
        return false;
    }
    start += 3;
    const char *at = NULL;
    for (const char *c = start; *c != '\0' && *c != '?'; c++) {
        at = *c == '@' ? c : at;
    }
    const char *colon = at != NULL ? memchr(start, ':', (size_t)(at - start)) : NULL;
    if (colon == NULL) {
        return false;
    }
    *ret_from = (size_t)(colon + 1 - url);
    *ret_to = (size_t)(at - url);
    return true;
}

struct cli_shown_url cli_url_shown(const char *url, size_t *offset)
{
    static const char mask[] = "***";
    struct cli_shown_url shown;
    size_t from;
    size_t to;
    if (!find_password(url, &from, &to)) {
        (void)snprintf(shown.text, sizeof(shown.text), "%s", url);
        return shown;
    }
    const int head = from < sizeof(shown.text) ? (int)from : (int)sizeof(shown.text) - 1;
    (void)snprintf(shown.text, sizeof(shown.text), "%.*s%s%s", head, url, mask, url + to);
    if (offset != NULL && *offset >= to) {
        *offset = *offset - (to - from) + strlen(mask);
    } else if (offset != NULL && *offset > from) {
        *offset = from;
    }
    return shown;
}

/* What the first server that failed, or the system, said of it; empty where none did. */
static struct weir_redis_server what_was_said(struct weir *weir)
{
    struct weir_redis_server servers[16];
    const struct weir_redis_server nothing = {0};
    size_t count = 0;
    if (weir_redis_inspect(weir, 1, servers, sizeof(servers) / sizeof(servers[0]), &count) !=
        WEIR_OK) {
        return nothing;
    }
    for (size_t i = 0; i < count && i < sizeof(servers) / sizeof(servers[0]); i++) {
        if (servers[i].failure != WEIR_FAILURE_NONE) {
            return servers[i];
        }
    }
    return nothing;
}

void cli_tell_failure(const struct cli_command *command, struct weir *weir,
                      const struct weir_decision *decision, uint64_t *told)
{
    const uint64_t bit = UINT64_C(1) << (decision->failure & 63);
    if (decision->failure == WEIR_FAILURE_NONE || (*told & bit) != 0) {
        return;
    }
    *told |= bit;
    const struct weir_redis_server said = what_was_said(weir);
    const char *who = decision->source == WEIR_SOURCE_LOCAL ? "on_error=local" : "on_error";
    const char *why = weir_failure_text((enum weir_failure)decision->failure);
    if (said.message[0] != '\0') {
        cli_complain(command->name, "%s decided, not Redis: %s (%s: %s)", who, why, said.address,
                     said.message);
    } else {
        cli_complain(command->name, "%s decided, not Redis: %s", who, why);
    }
}

void cli_complain_call(const struct cli_command *command, struct weir *weir,
                       enum weir_status status)
{
    const struct weir_redis_server said =
        status == WEIR_ERR_STORE ? what_was_said(weir) : (struct weir_redis_server){0};
    if (said.address[0] != '\0') {
        cli_complain(command->name, "%s: %s: %s", weir_strerror(status), said.address,
                     said.message[0] != '\0' ? said.message
                                             : weir_failure_text((enum weir_failure)said.failure));
    } else {
        cli_complain(command->name, "%s", weir_strerror(status));
    }
}
