/* keys.h - keys from a descriptor, one a line, read in large blocks.
 *
 *     while (cli_keys_fill(&reader)) {
 *         while (cli_keys_next(&reader, &key)) ... use key
 *     }
 *
 * A key is the line's bytes without its newline, whatever they are: a carriage return is one of
 * them, an empty line is the empty key, and so is a last line without a newline if it has any byte.
 * A key points into the reader and is good until the next fill, which blocks only for as long as no
 * byte comes: what is there is handed out, so that a reader of a pipe keeps up with its writer line
 * by line. */

#ifndef WEIR_CLI_KEYS_H
#define WEIR_CLI_KEYS_H

#include "weir/weir.h"

struct cli_keys {
    int fd;
    char *buffer;
    size_t start;      /* of the next line */
    size_t end;        /* of what was read */
    bool ended;        /* the descriptor has no more */
    bool skipping;     /* inside a line that is too long to be kept */
    int failure;       /* the errno of a read that failed; 0 */
    uint64_t line;     /* how many lines were begun */
    uint64_t too_long; /* how many were longer than WEIR_KEY_MAX, and left out; */
    uint64_t first;    /* the first of these: its number, from 1 */
};

/* False where memory is short. */
bool cli_keys_init(int fd, struct cli_keys *ret_keys);
void cli_keys_deinit(struct cli_keys *keys);

/* Reads the next block, once all keys of the last were taken; false at the end, or at a failure. */
bool cli_keys_fill(struct cli_keys *keys);

/* The next key of the block; false where a new block is needed. */
bool cli_keys_next(struct cli_keys *keys, struct weir_bytes *ret_key);

#endif
