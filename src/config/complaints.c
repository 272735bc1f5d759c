/* complaints.c - see complaints.h. */

#include "config/complaints.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Whether it was said last: an alias is looked at wherever it stands. */
static bool was_said(const struct weir_complaints *complaints,
                     const struct weir_complaint *complaint)
{
    if (complaints->count == 0) {
        return false;
    }
    const struct weir_complaint *last = &complaints->list[complaints->count - 1];
    return last->origin.file == complaint->origin.file &&
           last->origin.line == complaint->origin.line &&
           last->origin.column == complaint->origin.column &&
           strcmp(last->text, complaint->text) == 0;
}

static void add(struct weir_complaints *complaints, const struct weir_complaint *complaint)
{
    if (was_said(complaints, complaint)) {
        return;
    }
    complaints->errors += complaint->warning ? 0 : 1;
    if (complaints->count == WEIR_COMPLAINTS_MAX) {
        complaints->left_out++;
        return;
    }
    struct weir_complaint *place = &complaints->list[complaints->count];
    *place = *complaint;
    place->order = (unsigned)complaints->count;
    place->text = weir_memory_copy(&complaints->memory, weir_text(complaint->text));
    complaints->count += place->text != NULL ? 1 : 0;
}

void weir_complain(struct weir_complaints *complaints, struct weir_origin origin,
                   const char *format, ...)
{
    char text[WEIR_COMPLAINT_TEXT_MAX];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    add(complaints, &(struct weir_complaint){.origin = origin, .text = text});
}

void weir_warn(struct weir_complaints *complaints, struct weir_origin origin, const char *format,
               ...)
{
    char text[WEIR_COMPLAINT_TEXT_MAX];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    add(complaints, &(struct weir_complaint){.origin = origin, .warning = true, .text = text});
}

static int compare(const void *left, const void *right)
{
    const struct weir_complaint *a = left;
    const struct weir_complaint *b = right;
    const uint32_t left_keys[] = {a->origin.file, a->origin.line, a->origin.column, a->order};
    const uint32_t right_keys[] = {b->origin.file, b->origin.line, b->origin.column, b->order};
    for (size_t i = 0; i < sizeof(left_keys) / sizeof(left_keys[0]); i++) {
        if (left_keys[i] != right_keys[i]) {
            return left_keys[i] < right_keys[i] ? -1 : 1;
        }
    }
    return 0;
}

/* On one line, whatever is in it. */
static void put_line(struct weir_buffer *messages, const char *text)
{
    for (const char *c = text; *c != '\0'; c++) {
        const char shown = (unsigned char)*c < ' ' || *c == 0x7f ? '?' : *c;
        weir_buffer_put(messages, weir_bytes(&shown, 1));
    }
}

void weir_complaints_write(struct weir_complaints *complaints, char *const *files,
                           struct weir_buffer *messages)
{
    qsort(complaints->list, complaints->count, sizeof(complaints->list[0]), compare);
    for (size_t i = 0; i < complaints->count; i++) {
        const struct weir_complaint *complaint = &complaints->list[i];
        put_line(messages, files[complaint->origin.file]);
        if (complaint->origin.line > 0) {
            weir_buffer_print(messages, ":%u:%u", complaint->origin.line, complaint->origin.column);
        }
        weir_buffer_put_text(messages, complaint->warning ? ": warning: " : ": error: ");
        put_line(messages, complaint->text);
        weir_buffer_put_text(messages, "\n");
    }
    if (complaints->left_out > 0) {
        put_line(messages, files[0]);
        weir_buffer_print(messages, ": error: and %zu more\n", complaints->left_out);
    }
}
