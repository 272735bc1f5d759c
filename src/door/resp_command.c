/* resp_command.c - COMMAND, and the HELP of commands that have subcommands: what resp_table.c has,
 * as client libraries and redis-cli ask for it. See resp_parts.h. */

#include "door/resp_parts.h"

#include <stdio.h>
#include <string.h>

/* ---- Arity, flags and keys ----------------------------------------------------------------- */

/* The words of `text`, each with `prefix` before it. */
static void put_words(struct weir_buffer *out, const char *text)
{
    size_t count = text[0] != '\0';
    for (const char *at = text; *at != '\0'; at++) {
        count += *at == ' ';
    }
    weir_resp_put_array(out, count);
    for (const char *at = text; count > 0; count--) {
        char word[32];
        const size_t len = strcspn(at, " ");
        (void)snprintf(word, sizeof(word), "%.*s", (int)len, at);
        weir_resp_put_simple(out, word);
        at += len + (at[len] == ' ');
    }
}

/* As redis-server 7 tells it: name, arity, flags, the first and last key and the step between keys,
 * categories, tips, what more is to be said of keys, subcommands. */
static void put_info(struct weir_buffer *out, const struct weir_resp_command *parent,
                     const struct weir_resp_command *command)
{
    char name[64];
    (void)snprintf(name, sizeof(name), "%s%s%s", parent != NULL ? parent->name : "",
                   parent != NULL ? "|" : "", command->name);
    weir_resp_put_array(out, 10);
    weir_resp_put_bulk_text(out, name);
    weir_resp_put_integer(out, command->arity);
    put_words(out, command->flags);
    weir_resp_put_integer(out, command->has_key);
    weir_resp_put_integer(out, command->has_key);
    weir_resp_put_integer(out, command->has_key);
    put_words(out, command->has_key ? "@write @fast" : "@connection");
    weir_resp_put_array(out, 0);
    weir_resp_put_array(out, 0);
    weir_resp_put_array(out, command->part_count);
}

static void put_whole_info(struct weir_buffer *out, const struct weir_resp_command *command)
{
    put_info(out, NULL, command);
    for (size_t i = 0; i < command->part_count; i++) {
        put_info(out, command, &command->parts[i]);
    }
}

void weir_resp_run_command(struct weir_resp_session *session, const struct weir_resp_value *words,
                           uint32_t count)
{
    (void)words;
    (void)count;
    struct weir_buffer *out = weir_session_say(&session->session);
    weir_resp_put_array(out, weir_resp_command_count);
    for (size_t i = 0; i < weir_resp_command_count; i++) {
        put_whole_info(out, &weir_resp_commands[i]);
    }
}

void weir_resp_run_command_info(struct weir_resp_session *session,
                                const struct weir_resp_value *words, uint32_t count)
{
    if (count == 2) {
        weir_resp_run_command(session, words, count);
        return;
    }
    struct weir_buffer *out = weir_session_say(&session->session);
    weir_resp_put_array(out, count - 2);
    for (uint32_t i = 2; i < count; i++) {
        const struct weir_resp_command *command =
            weir_resp_find(weir_resp_commands, weir_resp_command_count, words[i].text);
        if (command != NULL) {
            put_whole_info(out, command);
        } else {
            weir_resp_put_nil(out, session->protocol);
        }
    }
}

void weir_resp_run_command_count(struct weir_resp_session *session,
                                 const struct weir_resp_value *words, uint32_t count)
{
    (void)words;
    (void)count;
    weir_resp_put_integer(weir_session_say(&session->session), (int64_t)weir_resp_command_count);
}

void weir_resp_run_command_list(struct weir_resp_session *session,
                                const struct weir_resp_value *words, uint32_t count)
{
    (void)words;
    (void)count;
    struct weir_buffer *out = weir_session_say(&session->session);
    weir_resp_put_array(out, weir_resp_command_count);
    for (size_t i = 0; i < weir_resp_command_count; i++) {
        weir_resp_put_bulk_text(out, weir_resp_commands[i].name);
    }
}

/* ---- Documentation ------------------------------------------------------------------------- */

static void put_pair(struct weir_buffer *out, const char *name, const char *value)
{
    weir_resp_put_bulk_text(out, name);
    weir_resp_put_bulk_text(out, value);
}

/* What follows the name is told as one argument, whose name is all of it: redis-cli shows it as it
 * stands. */
static void put_docs(struct weir_buffer *out, const struct weir_resp_command *command,
                     unsigned protocol)
{
    const bool has_usage = command->usage[0] != '\0';
    weir_resp_put_map(out, 4 + (size_t)has_usage, protocol);
    put_pair(out, "summary", command->summary);
    put_pair(out, "since", "0.1.0");
    put_pair(out, "group",
             command->has_key || strncmp(command->name, "weir.", 5) == 0 ? "rate-limiting"
                                                                         : "connection");
    put_pair(out, "complexity", "O(1)");
    if (has_usage) {
        weir_resp_put_bulk_text(out, "arguments");
        weir_resp_put_array(out, 1);
        weir_resp_put_map(out, 2, protocol);
        put_pair(out, "name", command->usage);
        put_pair(out, "type", "string");
    }
}

static void put_whole_docs(struct weir_buffer *out, const struct weir_resp_command *command,
                           unsigned protocol)
{
    weir_resp_put_bulk_text(out, command->name);
    put_docs(out, command, protocol);
}

void weir_resp_run_command_docs(struct weir_resp_session *session,
                                const struct weir_resp_value *words, uint32_t count)
{
    size_t known = count == 2 ? weir_resp_command_count : 0;
    for (uint32_t i = 2; i < count; i++) {
        known += weir_resp_find(weir_resp_commands, weir_resp_command_count, words[i].text) != NULL;
    }
    struct weir_buffer *out = weir_session_say(&session->session);
    weir_resp_put_map(out, known, session->protocol);
    for (size_t i = 0; count == 2 && i < known; i++) {
        put_whole_docs(out, &weir_resp_commands[i], session->protocol);
    }
    for (uint32_t i = 2; i < count; i++) {
        const struct weir_resp_command *command =
            weir_resp_find(weir_resp_commands, weir_resp_command_count, words[i].text);
        if (command != NULL) {
            put_whole_docs(out, command, session->protocol);
        }
    }
}

/* ---- Help ---------------------------------------------------------------------------------- */

/* The subcommands of words[0], with what each does. */
void weir_resp_run_help(struct weir_resp_session *session, const struct weir_resp_value *words,
                        uint32_t count)
{
    (void)count;
    const struct weir_resp_command *command =
        weir_resp_find(weir_resp_commands, weir_resp_command_count, words[0].text);
    struct weir_buffer *out = weir_session_say(&session->session);
    weir_resp_put_array(out, 2 * command->part_count);
    for (size_t i = 0; i < command->part_count; i++) {
        const struct weir_resp_command *part = &command->parts[i];
        char line[128];
        (void)snprintf(line, sizeof(line), "%s %s %s", command->name, part->name, part->usage);
        weir_resp_put_simple(out, line);
        (void)snprintf(line, sizeof(line), "    %s", part->summary);
        weir_resp_put_simple(out, line);
    }
}
