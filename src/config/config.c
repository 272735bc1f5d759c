/* config.c - the whole of a configuration: read, checked, or not had; see config.h.
 *
 * First all files are made trees; then each part of them is read by what it may hold, and
 * complained of; the policy is made of what there is. Only where nobody complained is there a
 * configuration. */

#include "base/alloc.h"
#include "config/parts.h"
#include "rls/rls.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* ---- Memory that is counted --------------------------------------------------------------- */

static void *allocate_counted(void *context, size_t size, size_t alignment)
{
    struct weir_counted *counted = context;
    void *memory = counted->from->allocate(counted->from->context, size, alignment);
    counted->bytes += memory != NULL ? size : 0;
    return memory;
}

static void release_counted(void *context, void *memory, size_t size)
{
    struct weir_counted *counted = context;
    counted->bytes -= size;
    counted->from->release(counted->from->context, memory, size);
}

static struct weir_owned *owned_new(const struct weir_allocator *allocator)
{
    struct weir_owned *owned = weir_alloc(allocator, sizeof(*owned), _Alignof(struct weir_owned));
    if (owned == NULL) {
        return NULL;
    }
    owned->counted = (struct weir_counted){
        .from = allocator,
        .allocator = {allocate_counted, release_counted, &owned->counted},
        .bytes = sizeof(*owned),
    };
    owned->memory.arena.allocator = &owned->counted.allocator;
    owned->config.memory = owned;
    return owned;
}

static void wipe(char *text)
{
    if (text != NULL) {
        explicit_bzero(text, strlen(text));
    }
}

static void owned_free(struct weir_owned *owned)
{
    struct weir_config *config = &owned->config;
    weir_policy_free(config->policy);
    weir_rls_policy_free(config->rls);
    for (struct weir_kept_limit *kept = owned->limits; kept != NULL; kept = kept->next) {
        weir_limit_free(kept->limit);
    }
    for (size_t i = 0; i < config->listener_count; i++) {
        for (size_t j = 0; j < config->listeners[i].token_count; j++) {
            wipe(config->listeners[i].tokens[j].secret);
        }
    }
    wipe(config->store); /* there may be a password in it */
    weir_memory_deinit(&owned->memory);
    const struct weir_allocator *allocator = owned->counted.from;
    weir_release(allocator, owned, sizeof(*owned));
}

void weir_config_free(struct weir_config *config)
{
    if (config != NULL) {
        owned_free((struct weir_owned *)config);
    }
}

/* ---- The policy --------------------------------------------------------------------------- */

static void take_complaint(void *context, const struct weir_origin *origin, bool warning,
                           const char *message)
{
    struct weir_reading *reading = context;
    if (warning) {
        weir_warn(reading->complaints, *origin, "%s", message);
    } else {
        weir_complain(reading->complaints, *origin, "%s", message);
    }
}

static void make_policy(struct weir_reading *reading)
{
    struct weir_owned *owned = reading->owned;
    const size_t before = reading->complaints->errors;
    if (weir_reading_failed(reading) || reading->visits > WEIR_NODES_MAX) {
        return;
    }
    const enum weir_status status = weir_policy_new(&owned->policy, &owned->counted.allocator,
                                                    take_complaint, reading, &owned->config.policy);
    if (status == WEIR_ERR_NO_MEMORY) {
        reading->kept->failed = true;
    } else if (status != WEIR_OK && before == reading->complaints->errors) {
        weir_complain(reading->complaints, (struct weir_origin){0}, "rules: %s",
                      weir_strerror(status));
    }
    if (status == WEIR_OK && before == 0 && reading->review) {
        weir_policy_review(owned->config.policy, take_complaint, reading);
    }
}

/* ---- The whole ---------------------------------------------------------------------------- */

static void list_files(struct weir_reading *reading)
{
    struct weir_config *config = &reading->owned->config;
    config->files = weir_memory_take(reading->kept, WEIR_CONFIG_FILES_MAX, sizeof(*config->files));
    for (size_t i = 0; i < reading->file_count && config->files != NULL; i++) {
        config->files[i] = reading->files[i].path;
        config->file_count = i + 1;
    }
    config->folders =
        weir_memory_take(reading->kept, WEIR_CONFIG_FILES_MAX, sizeof(*config->folders));
    for (size_t i = 0; i < reading->folder_count && config->folders != NULL; i++) {
        config->folders[i] = reading->folders[i];
        config->folder_count = i + 1;
    }
}

static enum weir_status read_all(struct weir_reading *reading, const char *path)
{
    struct weir_top top = {0};
    const enum weir_status status = weir_read_files(reading, path);
    if (status != WEIR_OK) {
        return status;
    }
    if (reading->files[0].root == NULL) {
        return WEIR_ERR_ARGUMENT;
    }
    weir_read_server(reading, &top);
    weir_read_rules(reading, &top);
    weir_read_listeners(reading, top.listen);
    if (reading->owned->policy.rules != NULL) {
        make_policy(reading);
    }
    if (reading->more != NULL) {
        reading->more->read(reading->more->context, reading);
    }
    return reading->complaints->errors > 0 ? WEIR_ERR_ARGUMENT : WEIR_OK;
}

/* Reads, and says what there is to say. */
static enum weir_status read_and_tell(struct weir_reading *reading, const char *path,
                                      struct weir_buffer *messages)
{
    enum weir_status status = read_all(reading, path);
    list_files(reading);
    if (weir_reading_failed(reading)) {
        return WEIR_ERR_NO_MEMORY;
    }
    weir_complaints_write(reading->complaints, reading->owned->config.files, messages);
    if (messages->failed) {
        return WEIR_ERR_NO_MEMORY;
    }
    reading->owned->config.fingerprint = reading->fingerprint;
    reading->owned->config.bytes = reading->owned->counted.bytes;
    return status;
}

enum weir_status weir_config_read_with(const struct weir_config_source *source, const char *path,
                                       bool review, const struct weir_config_more *more,
                                       struct weir_buffer *messages,
                                       struct weir_config **ret_config)
{
    assert(source != NULL && path != NULL && messages != NULL && ret_config != NULL);
    const struct weir_allocator *allocator = weir_allocator_or_default(source->allocator);
    struct weir_owned *owned = owned_new(allocator);
    struct weir_reading *reading =
        weir_alloc(allocator, sizeof(*reading), _Alignof(struct weir_reading));
    struct weir_complaints *complaints =
        weir_alloc(allocator, sizeof(*complaints), _Alignof(struct weir_complaints));
    enum weir_status status = WEIR_ERR_NO_MEMORY;
    if (owned != NULL && reading != NULL && complaints != NULL) {
        reading->source = source;
        reading->owned = owned;
        reading->kept = &owned->memory;
        reading->tree.arena.allocator = allocator;
        complaints->memory.arena.allocator = allocator;
        reading->complaints = complaints;
        reading->review = review;
        reading->more = more;
        status = read_and_tell(reading, path, messages);
        weir_memory_deinit(&reading->tree);
        weir_memory_deinit(&complaints->memory);
    }
    weir_release(allocator, reading, sizeof(*reading));
    weir_release(allocator, complaints, sizeof(*complaints));
    if (status == WEIR_OK) {
        *ret_config = &owned->config;
    } else if (owned != NULL) {
        owned_free(owned);
    }
    return status;
}

enum weir_status weir_config_read_from(const struct weir_config_source *source, const char *path,
                                       bool review, struct weir_buffer *messages,
                                       struct weir_config **ret_config)
{
    return weir_config_read_with(source, path, review, NULL, messages, ret_config);
}

enum weir_status weir_config_read(const char *path, bool review, struct weir_buffer *messages,
                                  struct weir_config **ret_config)
{
    const struct weir_config_source source = weir_config_disk();
    return weir_config_read_from(&source, path, review, messages, ret_config);
}
