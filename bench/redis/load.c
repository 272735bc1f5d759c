/* load.c - keys, time, and the times of single decisions. */

#include "load.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* More than any measurement makes one by one. */
#define NOTES_MAX ((size_t)1 << 22)

static char *names;
static uint32_t next_start;
static uint32_t *notes;
static size_t notes_count;

void load_die(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)fputs("bench-redis: ", stderr);
    (void)vfprintf(stderr, format, arguments);
    (void)fputc('\n', stderr);
    va_end(arguments);
    exit(2);
}

void load_start(void)
{
    names = malloc((size_t)LOAD_KEYS_MAX * LOAD_KEY_LEN + 1);
    notes = malloc(NOTES_MAX * sizeof(*notes));
    if (names == NULL || notes == NULL) {
        load_die("no memory");
    }
    for (unsigned i = 0; i < LOAD_KEYS_MAX; i++) {
        (void)snprintf(names + (size_t)i * LOAD_KEY_LEN, LOAD_KEY_LEN + 1, "user:%011u", i);
    }
}

struct load_walk load_walk_start(const struct load *load, unsigned lane)
{
    const uint64_t apart = (uint64_t)lane * (load->keys / load->lanes) * LOAD_STEP;
    const uint64_t at = (next_start + apart) % load->keys;
    return (struct load_walk){.at = (uint32_t)at, .keys = load->keys};
}

const char *load_walk_next(struct load_walk *walk)
{
    const char *name = names + (size_t)walk->at * LOAD_KEY_LEN;
    walk->at = (walk->at + LOAD_STEP) % walk->keys;
    return name;
}

void load_walk_end(const struct load_walk *walk)
{
    next_start = walk->at;
}

int64_t load_clock_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void load_note_ns(int64_t ns)
{
    if (notes_count < NOTES_MAX) {
        notes[notes_count++] = ns < UINT32_MAX ? (uint32_t)ns : UINT32_MAX;
    }
}

static int by_size(const void *left, const void *right)
{
    const uint32_t a = *(const uint32_t *)left;
    const uint32_t b = *(const uint32_t *)right;
    return (a > b) - (a < b);
}

int64_t load_percentile_ns(unsigned percent)
{
    if (notes_count == 0) {
        return 0;
    }
    qsort(notes, notes_count, sizeof(*notes), by_size);
    return notes[(notes_count - 1) * percent / 100];
}

void load_notes_clear(void)
{
    notes_count = 0;
}
