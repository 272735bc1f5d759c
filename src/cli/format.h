/* format.h - numbers, lengths of time, keys and decisions, for people and for programs. */

#ifndef WEIR_CLI_FORMAT_H
#define WEIR_CLI_FORMAT_H

#include "cli/output.h"

/* A few words, returned whole. */
struct cli_words {
    char text[96];
};

/* "250 us", "4.2 s", "3 min 20 s", "2 h", "5 d 3 h": rounded up, as who waits that long is to be
 * admitted. */
struct cli_words cli_duration_words(int64_t duration_us);

/* "1,234,567". */
struct cli_words cli_number_words(uint64_t number);

/* "64 MiB", or with a decimal where it is not whole. */
struct cli_words cli_size_words(uint64_t bytes);

/* "4 of 5 left", "retry in 4.2 s", ...: a decision without its key. */
struct cli_words cli_decision_words(const struct weir_decision *decision, uint64_t cost);

/* The bytes as they are; on a terminal, what would steer it is written as \xNN. */
void cli_put_key(struct cli_output *output, struct weir_bytes key);

/* A JSON string with its quotes. What is no UTF-8 becomes U+FFFD, one for each byte; gives whether
 * there was any. */
bool cli_put_json_string(struct cli_output *output, struct weir_bytes bytes);

/* "key":"...", and where the key is no UTF-8 also "key_hex" with all its bytes. */
void cli_put_json_key(struct cli_output *output, struct weir_bytes key);

/* ,"name":number (",", as it always follows something), and null for WEIR_NEVER. */
void cli_put_json_number(struct cli_output *output, const char *name, uint64_t number);
void cli_put_json_time(struct cli_output *output, const char *name, int64_t time_us);

/* One decision: a line for people, and an object in JSON, which is a line too. */
void cli_put_decision(struct cli_output *output, struct weir_bytes key,
                      const struct weir_decision *decision, uint64_t cost);
void cli_put_decision_json(struct cli_output *output, struct weir_bytes key,
                           const struct weir_decision *decision);

#endif
