/* envoy.c - the whole: the environment becomes a configuration's text, which is read as any is, and
 * the folder's files become the rules of Envoy's rate limit service. See envoy.h. */

#include "envoy/parts.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* What the text made of the environment is called in messages. */
#define ENVIRONMENT "environment"

/* Folders in folders. */
#define FOLDER_DEPTH_MAX 8

/* ---- The environment's text as a file ------------------------------------------------------ */

struct envoy {
    struct weir_config_source disk;
    struct weir_buffer text;
    struct weir_envoy_settings settings;
    const char *folder;
    struct weir_envoy_domains domains;
    struct weir_reading *reading;
    unsigned depth;
};

static enum weir_status read_file(void *context, const char *path, size_t most,
                                  struct weir_buffer *ret_bytes, struct weir_file_facts *ret_facts,
                                  struct weir_error *ret_error)
{
    struct envoy *envoy = context;
    if (strcmp(path, ENVIRONMENT) != 0) {
        return envoy->disk.read(envoy->disk.context, path, most, ret_bytes, ret_facts, ret_error);
    }
    weir_buffer_put(ret_bytes, weir_buffer_bytes(&envoy->text));
    *ret_facts = (struct weir_file_facts){.mode = 0600};
    return ret_bytes->failed ? WEIR_ERR_NO_MEMORY : WEIR_OK;
}

static const char *environment(void *context, const char *name)
{
    const struct envoy *envoy = context;
    return envoy->disk.environment(envoy->disk.context, name);
}

static enum weir_status find(void *context, const char *pattern, weir_path_fn *found,
                             void *found_context, struct weir_error *ret_error)
{
    const struct envoy *envoy = context;
    return envoy->disk.find(envoy->disk.context, pattern, found, found_context, ret_error);
}

static enum weir_status check_store(void *context, const char *url, struct weir_error *ret_error)
{
    const struct envoy *envoy = context;
    return envoy->disk.check_store(envoy->disk.context, url, ret_error);
}

/* ---- The folder's files -------------------------------------------------------------------- */

static void take_bytes(struct envoy *envoy, const char *path, const struct weir_buffer *bytes)
{
    struct weir_reading *reading = envoy->reading;
    const int number = weir_add_file(reading, path, (struct weir_origin){0});
    if (number < 0) {
        return;
    }
    reading->fingerprint = weir_fingerprint_add(reading->fingerprint, weir_buffer_bytes(bytes));
    const struct weir_tree_spec spec = {
        .bytes = weir_buffer_bytes(bytes),
        .file = (uint32_t)number,
        .source = reading->source,
        .memory = &reading->tree,
        .complaints = reading->complaints,
        .fingerprint = &reading->fingerprint,
        .verbatim = true,
    };
    const struct weir_node *root = weir_tree_read(&spec);
    if (root != NULL) {
        weir_envoy_read_root(reading, root, envoy->settings.merge_domains, &envoy->domains);
    }
}

static void look_into(struct envoy *envoy, const char *folder);

/* NOLINTBEGIN(misc-no-recursion): FOLDER_DEPTH_MAX at most */
static void take_path(void *context, const char *path)
{
    struct envoy *envoy = context;
    struct weir_reading *reading = envoy->reading;
    struct weir_buffer bytes = {.allocator = reading->source->allocator};
    struct weir_file_facts facts;
    struct weir_error error = {0};
    struct stat kind;
    if (stat(path, &kind) == 0 && S_ISDIR(kind.st_mode)) {
        look_into(envoy, path);
        return;
    }
    const enum weir_status status =
        read_file(envoy, path, WEIR_CONFIG_FILE_MAX, &bytes, &facts, &error);
    if (status == WEIR_OK) {
        take_bytes(envoy, path, &bytes);
    } else if (status == WEIR_ERR_NO_MEMORY) {
        reading->kept->failed = true;
    } else {
        const int number = weir_add_file(reading, path, (struct weir_origin){0});
        weir_complain(reading->complaints,
                      (struct weir_origin){.file = number > 0 ? (uint32_t)number : 0},
                      "can't be read: %s", error.message);
    }
    weir_buffer_deinit(&bytes);
}

/* A path as a pattern that fits it alone, and "/" and "*" behind it. */
static void put_pattern(struct weir_buffer *pattern, const char *folder)
{
    for (; *folder != '\0'; folder++) {
        if (strchr("*?[\\", *folder) != NULL) {
            weir_buffer_put_text(pattern, "\\");
        }
        weir_buffer_put(pattern, weir_bytes(folder, 1));
    }
    weir_buffer_put(pattern, weir_bytes("/*", 3));
}

static void note_folder(struct weir_reading *reading, const char *folder)
{
    char *copy = weir_memory_copy(reading->kept, weir_text(folder));
    if (copy != NULL && reading->folder_count < WEIR_CONFIG_FILES_MAX) {
        reading->folders[reading->folder_count++] = copy;
    }
}

static void look_into(struct envoy *envoy, const char *folder)
{
    struct weir_reading *reading = envoy->reading;
    struct weir_buffer pattern = {.allocator = reading->source->allocator};
    struct weir_error error = {0};
    if (envoy->depth == FOLDER_DEPTH_MAX) {
        weir_complain(reading->complaints, (struct weir_origin){0},
                      "%s: folders lie more than 8 levels deep", folder);
        return;
    }
    note_folder(reading, folder);
    put_pattern(&pattern, folder);
    envoy->depth++;
    const enum weir_status status =
        pattern.failed ? WEIR_ERR_NO_MEMORY : find(envoy, pattern.bytes, take_path, envoy, &error);
    envoy->depth--;
    if (status == WEIR_ERR_NO_MEMORY) {
        reading->kept->failed = true;
    } else if (status != WEIR_OK) {
        weir_complain(reading->complaints, (struct weir_origin){0}, "%s: %s", folder,
                      error.message);
    }
    weir_buffer_deinit(&pattern);
}
/* NOLINTEND(misc-no-recursion) */

_Static_assert(FOLDER_DEPTH_MAX == 8, "the message says so");

/* ---- The rules ----------------------------------------------------------------------------- */

static void keep_text(struct weir_reading *reading, struct weir_bytes *text)
{
    const char *copy = weir_memory_copy(reading->kept, *text);
    *text = weir_bytes(copy, copy != NULL ? text->len : 0);
}

/* A copy in the configuration's memory: the environment's own may change. */
static struct weir_rls_settings keep_settings(struct weir_reading *reading,
                                              const struct weir_rls_settings *settings)
{
    struct weir_rls_settings kept = *settings;
    keep_text(reading, &kept.limit_header);
    keep_text(reading, &kept.remaining_header);
    keep_text(reading, &kept.reset_header);
    keep_text(reading, &kept.key_prefix);
    return kept;
}

static void make_policy(struct envoy *envoy)
{
    struct weir_reading *reading = envoy->reading;
    struct weir_owned *owned = reading->owned;
    const size_t count = envoy->domains.count;
    struct weir_rls_spec *spec = weir_memory_take(reading->kept, 1, sizeof(*spec));
    struct weir_rls_domain_spec *domains = weir_memory_take(reading->kept, count, sizeof(*domains));
    if (spec == NULL || domains == NULL) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        domains[i] = envoy->domains.list[i].spec;
    }
    *spec = (struct weir_rls_spec){domains, count, keep_settings(reading, &envoy->settings.rls)};
    if (weir_reading_failed(reading) ||
        weir_rls_policy_new(spec, &owned->counted.allocator, &owned->config.rls) != WEIR_OK) {
        reading->kept->failed = true;
    }
}

static void read_rules(void *context, struct weir_reading *reading)
{
    struct envoy *envoy = context;
    struct stat kind;
    envoy->reading = reading;
    if (stat(envoy->folder, &kind) != 0 || !S_ISDIR(kind.st_mode)) {
        weir_complain(reading->complaints, (struct weir_origin){0},
                      "%s is no folder that can be read", envoy->folder);
        return;
    }
    look_into(envoy, envoy->folder);
    if (envoy->domains.rules > WEIR_RLS_RULES_MAX) {
        weir_complain(reading->complaints, (struct weir_origin){0}, "more than %d rules",
                      WEIR_RLS_RULES_MAX);
    }
    if (reading->complaints->errors == 0) {
        make_policy(envoy);
    }
}

/* ---- The whole ----------------------------------------------------------------------------- */

/* The first file is no file. */
static void forget_environment(struct weir_config *config)
{
    assert(config->file_count > 0);
    config->files++;
    config->file_count--;
}

enum weir_status weir_envoy_read(const char *path, struct weir_buffer *messages,
                                 struct weir_config **ret_config)
{
    struct envoy envoy = {.disk = weir_config_disk()};
    weir_envoy_variables(&envoy.disk, &envoy.text, messages, &envoy.settings);
    envoy.folder = path != NULL ? path : envoy.settings.folder.bytes;
    const struct weir_config_source source = {
        .read = read_file,
        .environment = environment,
        .find = find,
        .check_store = check_store,
        .context = &envoy,
        .now_us = envoy.disk.now_us,
    };
    const struct weir_config_more more = {read_rules, &envoy};
    struct weir_config *config = NULL;
    enum weir_status status =
        envoy.settings.folder.failed || envoy.text.failed
            ? WEIR_ERR_NO_MEMORY
            : weir_config_read_with(&source, ENVIRONMENT, true, &more, messages, &config);
    if (status == WEIR_OK && envoy.settings.failed) {
        weir_config_free(config);
        status = WEIR_ERR_ARGUMENT;
    } else if (status == WEIR_OK) {
        forget_environment(config);
        *ret_config = config;
    }
    if (envoy.text.bytes != NULL) {
        explicit_bzero(envoy.text.bytes, envoy.text.len); /* there may be a password in it */
    }
    weir_buffer_deinit(&envoy.text);
    weir_buffer_deinit(&envoy.settings.folder);
    return status;
}
