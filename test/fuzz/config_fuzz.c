/* config_fuzz.c - any bytes as a configuration, without a disk or an environment.
 *
 * What is refused must say where and why, in lines of one form; what is read must have a policy
 * that can be asked. The same bytes twice come to the same. */

#include "base/error.h"
#include "config/source.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum weir_status read_bytes(void *context, const char *path, size_t most,
                                   struct weir_buffer *ret_bytes, struct weir_file_facts *ret_facts,
                                   struct weir_error *ret_error)
{
    const struct weir_bytes *bytes = context;
    if (strcmp(path, "weir.yaml") != 0 || bytes->len > most) {
        weir_error_set(ret_error, 0, 0, "there is no such file");
        return WEIR_ERR_SYSTEM;
    }
    *ret_facts = (struct weir_file_facts){1, 1, 0600};
    weir_buffer_put(ret_bytes, *bytes);
    return ret_bytes->failed ? WEIR_ERR_NO_MEMORY : WEIR_OK;
}

static const char *read_variable(void *context, const char *name)
{
    (void)context;
    return strcmp(name, "SET") == 0 ? "value" : NULL;
}

/* A pattern fits the file itself, for the sake of circles. */
static enum weir_status find_file(void *context, const char *pattern, weir_path_fn *found,
                                  void *found_context, struct weir_error *ret_error)
{
    (void)context;
    (void)ret_error;
    if (pattern[0] == 'w') {
        found(found_context, "weir.yaml");
    }
    return WEIR_OK;
}

/* "weir.yaml:1:2: error: text", each line; how many errors. */
static size_t check_messages(struct weir_bytes messages)
{
    size_t errors = 0;
    const char *line = messages.ptr;
    const char *end = messages.len > 0 ? messages.ptr + messages.len : messages.ptr;
    while (line < end) {
        const char *next = memchr(line, '\n', (size_t)(end - line));
        assert(next != NULL);
        const size_t len = (size_t)(next - line);
        const bool error = line != NULL && memmem(line, len, ": error: ", 9) != NULL;
        assert(error || memmem(line, len, ": warning: ", 11) != NULL);
        assert(len > 20 && memcmp(line, "weir.yaml:", 10) == 0);
        for (const char *c = line; c < next; c++) {
            assert((unsigned char)*c >= ' ' && *c != 0x7f);
        }
        errors += error ? 1 : 0;
        line = next + 1;
    }
    return errors;
}

/* The policy must be one that can be asked. */
static void check_config(const struct weir_config *config)
{
    static const char names[][8] = {"ip", "path", "user", "plan"};
    struct weir_attribute attributes[4];
    struct weir_error error = {0};
    struct weir_plan plan;
    for (size_t i = 0; i < 4; i++) {
        attributes[i] = (struct weir_attribute){weir_text(names[i]), weir_text("10.0.0.1")};
    }
    const struct weir_inquiry_spec inquiry = {
        .attributes = attributes, .count = 4, .cost = 1, .only = SIZE_MAX, .now_us = 1};
    weir_plan_init(&plan, NULL);
    const enum weir_status status = weir_policy_plan(config->policy, &inquiry, &plan, &error);
    assert(status == WEIR_OK || error.message[0] != '\0');
    weir_plan_deinit(&plan);
    assert(config->store != NULL && config->listener_count >= 1 && config->file_count >= 1);
    assert(config->ipv6_prefix >= 1 && config->ipv6_prefix <= 128);
    for (size_t i = 0; i < config->listener_count; i++) {
        const struct weir_listener *listener = &config->listeners[i];
        assert(listener->host != NULL || listener->path != NULL || listener->systemd != NULL);
        assert(listener->token_count == 0 || listener->tokens[0].secret != NULL);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct weir_bytes bytes = weir_bytes(data, size);
    const struct weir_config_source source = {
        .read = read_bytes,
        .environment = read_variable,
        .find = find_file,
        .context = &bytes,
        .now_us = INT64_C(1767225600000000),
    };
    uint64_t fingerprints[2] = {0, 0};
    for (unsigned i = 0; i < 2; i++) {
        struct weir_buffer messages = {0};
        struct weir_config *config = NULL;
        const enum weir_status status =
            weir_config_read_from(&source, "weir.yaml", i == 0, &messages, &config);
        const size_t errors = check_messages(weir_buffer_bytes(&messages));
        assert(status == WEIR_OK || status == WEIR_ERR_ARGUMENT);
        assert((status == WEIR_OK) == (errors == 0) && (config != NULL) == (status == WEIR_OK));
        if (config != NULL) {
            check_config(config);
            fingerprints[i] = config->fingerprint;
        }
        weir_config_free(config);
        weir_buffer_deinit(&messages);
    }
    assert(fingerprints[0] == fingerprints[1]);
    return 0;
}
