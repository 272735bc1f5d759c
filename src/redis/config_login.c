/* config_login.c - the users and passwords of a Redis store, from the URL, files, the environment
 * and the caller; see config.h. Each has one source: two that agree today may not tomorrow. */

#include "base/error.h"
#include "redis/config_parts.h"
#include "redis/secret.h"

#include <string.h>

/* Where one login may be. A place whose pointer is NULL was not given. */
struct sources {
    struct weir_bytes user;
    struct weir_bytes password;
    struct weir_bytes user_option;
    struct weir_bytes file;
    struct weir_bytes variable;
    struct weir_bytes given; /* by the caller: no place in the URL */
    const char *given_name;
};

static enum weir_status read_user(const struct weir_url_part *url, const struct sources *sources,
                                  struct weir_login *login)
{
    const bool option = sources->user_option.ptr != NULL;
    const struct weir_url_part part =
        weir_url_at(url, option ? sources->user_option : sources->user);
    size_t length;
    if (option && sources->user.ptr != NULL) {
        return weir_url_refuse(&part, "there are two users: keep user:password@ or user=");
    }
    if (part.bytes.ptr == NULL) {
        return WEIR_OK;
    }
    if (part.bytes.len == 0) {
        return weir_url_refuse(&part, "expected a user's name");
    }
    return weir_url_decode(&part, "the user's name", login->user, sizeof(login->user), &length);
}

static enum weir_status take_given(const struct sources *sources, struct weir_login *login,
                                   struct weir_error *ret_error)
{
    if (sources->given.len > WEIR_SECRET_MAX ||
        memchr(sources->given.ptr, '\0', sources->given.len) != NULL) {
        weir_error_set(ret_error, 0, 0, "options.%s has at most %d bytes, and no NUL",
                       sources->given_name, WEIR_SECRET_MAX);
        return WEIR_ERR_ARGUMENT;
    }
    memcpy(login->password, sources->given.ptr, sources->given.len);
    return WEIR_OK;
}

static enum weir_status read_password(const struct weir_url_part *url,
                                      const struct sources *sources, struct weir_login *login)
{
    const struct weir_bytes places[] = {sources->password, sources->file, sources->variable};
    unsigned count = sources->given.len > 0 ? 1 : 0;
    struct weir_url_part last = *url;
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        if (places[i].ptr != NULL) {
            count++;
            last.bytes = places[i];
        }
    }
    size_t length;
    if (count > 1) {
        return weir_url_refuse(&last, "there are two passwords: keep one of user:password@, "
                                      "password_file=, password_env= and what the program gives");
    }
    if (count == 0) {
        return WEIR_OK;
    }
    if (sources->given.len > 0) {
        return take_given(sources, login, url->error);
    }
    if (sources->file.ptr != NULL) {
        return weir_secret_file(&last, login->password);
    }
    if (sources->variable.ptr != NULL) {
        return weir_secret_variable(&last, login->password);
    }
    return weir_url_decode(&last, "the password", login->password, sizeof(login->password),
                           &length);
}

static enum weir_status read_login(const struct weir_url_part *url, const struct sources *sources,
                                   struct weir_login *login)
{
    const enum weir_status status = read_user(url, sources, login);
    return status == WEIR_OK ? read_password(url, sources, login) : status;
}

enum weir_status weir_config_logins(struct weir_config_reader *reader,
                                    const struct weir_redis_options *options)
{
    const struct weir_bytes none = {NULL, 0};
    const struct weir_bytes *values = reader->values;
    const struct sources servers = {
        .user = reader->user,
        .password = reader->password,
        .user_option = values[WEIR_OPTION_USER],
        .file = values[WEIR_OPTION_PASSWORD_FILE],
        .variable = values[WEIR_OPTION_PASSWORD_ENV],
        .given = options != NULL ? options->password : none,
        .given_name = "password",
    };
    const struct sources sentinels = {
        .user_option = values[WEIR_OPTION_SENTINEL_USER],
        .file = values[WEIR_OPTION_SENTINEL_PASSWORD_FILE],
        .variable = values[WEIR_OPTION_SENTINEL_PASSWORD_ENV],
        .given = options != NULL ? options->sentinel_password : none,
        .given_name = "sentinel_password",
    };
    if (sentinels.given.len > 0 && reader->config->topology != WEIR_TOPOLOGY_SENTINEL) {
        weir_error_set(reader->url.error, 0, 0,
                       "options.sentinel_password is for redis+sentinel:// alone");
        return WEIR_ERR_ARGUMENT;
    }
    const enum weir_status status = read_login(&reader->url, &servers, &reader->config->login);
    return status == WEIR_OK ? read_login(&reader->url, &sentinels, &reader->config->sentinel_login)
                             : status;
}
