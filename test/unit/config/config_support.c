/* config_support.c - see config_support.h. */

#include "unit/config/config_support.h"

#include "base/error.h"

#include <fnmatch.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct text_file *find_text(const struct text_file *list, size_t size,
                                         const char *name)
{
    for (size_t i = 0; i < size && list[i].name != NULL; i++) {
        if (strcmp(list[i].name, name) == 0) {
            return &list[i];
        }
    }
    return NULL;
}

static enum weir_status read_text(void *context, const char *path, size_t most,
                                  struct weir_buffer *ret_bytes, struct weir_file_facts *ret_facts,
                                  struct weir_error *ret_error)
{
    const struct texts *texts = context;
    const struct text_file *file = find_text(texts->files, TEXT_FILES_MAX, path);
    if (file == NULL) {
        weir_error_set(ret_error, 0, 0, "no such text");
        return WEIR_ERR_SYSTEM;
    }
    if (strlen(file->text) > most) {
        weir_error_set(ret_error, 0, 0, "it is longer than %zu bytes", most);
        return WEIR_ERR_SYSTEM;
    }
    const struct text_file *same =
        file->is != NULL ? find_text(texts->files, TEXT_FILES_MAX, file->is) : file;
    *ret_facts =
        (struct weir_file_facts){.device = 1, .inode = (uint64_t)(same - texts->files) + 1};
    weir_buffer_put_text(ret_bytes, file->text);
    return ret_bytes->failed ? WEIR_ERR_NO_MEMORY : WEIR_OK;
}

static const char *read_variable(void *context, const char *name)
{
    const struct texts *texts = context;
    const struct text_file *variable = find_text(texts->variables, 8, name);
    return variable != NULL ? variable->text : NULL;
}

/* In the order of the files, which are to be in that of their names. */
static enum weir_status find_texts(void *context, const char *pattern, weir_path_fn *found,
                                   void *found_context, struct weir_error *ret_error)
{
    const struct texts *texts = context;
    (void)ret_error;
    for (size_t i = 0; i < TEXT_FILES_MAX && texts->files[i].name != NULL; i++) {
        if (fnmatch(pattern, texts->files[i].name, FNM_PATHNAME) == 0) {
            found(found_context, texts->files[i].name);
        }
    }
    return WEIR_OK;
}

static struct weir_config_source source_of(const struct texts *texts)
{
    struct weir_config_source source = weir_config_disk();
    source.read = read_text;
    source.environment = read_variable;
    source.find = find_texts;
    source.context = (void *)(uintptr_t)texts;
    source.now_us = INT64_C(1767225600000000); /* 2026-01-01 */
    return source;
}

enum weir_status read_texts_with(const struct texts *texts, const struct weir_allocator *allocator,
                                 struct weir_buffer *messages, struct weir_config **ret_config)
{
    struct weir_config_source source = source_of(texts);
    source.allocator = allocator;
    return weir_config_read_from(&source, "weir.yaml", true, messages, ret_config);
}

enum weir_status read_texts(const struct texts *texts, bool review, char **ret_messages,
                            struct weir_config **ret_config)
{
    const struct weir_config_source source = source_of(texts);
    struct weir_buffer messages = {0};
    const enum weir_status status =
        weir_config_read_from(&source, "weir.yaml", review, &messages, ret_config);
    weir_buffer_put(&messages, weir_bytes("", 1));
    assert_false(messages.failed);
    *ret_messages = messages.bytes;
    return status;
}

void expect_messages(const struct texts *texts, bool review, enum weir_status status,
                     const char *expected)
{
    struct weir_config *config = NULL;
    char *messages = NULL;
    const enum weir_status got = read_texts(texts, review, &messages, &config);
    if (strcmp(messages, expected) != 0 || got != status) {
        print_message("%s\n  status %d, expected %d\n  expected:\n%s\n  but got:\n%s\n",
                      texts->files[0].text, (int)got, (int)status, expected, messages);
        fail();
    }
    assert_int_equal(config != NULL, status == WEIR_OK);
    free(messages);
    weir_config_free(config);
}

struct weir_config *read_good(const char *text)
{
    const struct texts texts = {.files = {{"weir.yaml", text, NULL}}};
    struct weir_config *config = NULL;
    char *messages = NULL;
    if (read_texts(&texts, false, &messages, &config) != WEIR_OK || *messages != '\0') {
        print_message("%s\n%s\n", text, messages);
        fail();
    }
    free(messages);
    return config;
}

void read_bad(const char *text, const char *expected)
{
    const struct texts texts = {.files = {{"weir.yaml", text, NULL}}};
    char lines[4096] = "";
    size_t len = 0;
    for (const char *line = expected; *line != '\0';) {
        const char *end = strchr(line, '\n');
        const char *blank = strchr(line, ' ');
        assert_non_null(end);
        assert_non_null(blank);
        len += (size_t)snprintf(lines + len, sizeof(lines) - len, "weir.yaml:%.*s error: %.*s\n",
                                (int)(blank - line), line, (int)(end - blank - 1), blank + 1);
        line = end + 1;
    }
    expect_messages(&texts, false, WEIR_ERR_ARGUMENT, lines);
}
