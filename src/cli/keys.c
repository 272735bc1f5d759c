/* keys.c - see keys.h. */

#include "cli/keys.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLOCK_SIZE ((size_t)1 << 20)

_Static_assert(BLOCK_SIZE > 2 * WEIR_KEY_MAX, "a block holds the longest key");

bool cli_keys_init(int fd, struct cli_keys *ret_keys)
{
    char *buffer = malloc(BLOCK_SIZE);
    if (buffer == NULL) {
        return false;
    }
    *ret_keys = (struct cli_keys){.fd = fd, .buffer = buffer};
    return true;
}

void cli_keys_deinit(struct cli_keys *keys)
{
    free(keys->buffer);
    keys->buffer = NULL;
}

static void leave_out(struct cli_keys *keys)
{
    if (keys->too_long == 0) {
        keys->first = keys->line;
    }
    keys->too_long++;
}

/* Moves the line that was cut off to the start of the block. What is longer than any key already is
 * dropped, and its rest skipped. */
static void keep_rest(struct cli_keys *keys)
{
    const size_t rest = keys->end - keys->start;
    if (rest > WEIR_KEY_MAX && !keys->skipping) {
        keys->skipping = true;
        keys->line++;
        leave_out(keys);
    }
    if (!keys->skipping && rest > 0) {
        memmove(keys->buffer, keys->buffer + keys->start, rest);
    }
    keys->start = 0;
    keys->end = keys->skipping ? 0 : rest;
}

bool cli_keys_fill(struct cli_keys *keys)
{
    if (keys->ended) {
        return false;
    }
    keep_rest(keys);
    ssize_t got;
    do {
        got = read(keys->fd, keys->buffer + keys->end, BLOCK_SIZE - keys->end);
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        /* A line that was cut off by a failure is no key. */
        keys->failure = errno;
        keys->ended = true;
        keys->end = 0;
        return false;
    }
    keys->end += (size_t)got;
    keys->ended = got == 0;
    return keys->end > 0 || got > 0;
}

bool cli_keys_next(struct cli_keys *keys, struct weir_bytes *ret_key)
{
    while (keys->start < keys->end) {
        const char *line = keys->buffer + keys->start;
        const size_t left = keys->end - keys->start;
        const char *newline = memchr(line, '\n', left);
        if (newline == NULL && !keys->ended) {
            return false;
        }
        const size_t length = newline != NULL ? (size_t)(newline - line) : left;
        keys->start += newline != NULL ? length + 1 : length;
        if (keys->skipping) {
            keys->skipping = false;
            continue;
        }
        keys->line++;
        if (length <= WEIR_KEY_MAX) {
            *ret_key = weir_bytes(line, length);
            return true;
        }
        leave_out(keys);
    }
    return false;
}
