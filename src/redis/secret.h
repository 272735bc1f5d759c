/* secret.h - passwords from files and the environment (secret.c). */

#ifndef WEIR_REDIS_SECRET_H
#define WEIR_REDIS_SECRET_H

#include "base/url.h"
#include "redis/config.h"

/* Reads a password, at most WEIR_SECRET_MAX bytes and at least one, from the file or the variable
 * that `part` of the URL names: of a file its first line, without the blanks at its ends. */
enum weir_status weir_secret_file(const struct weir_url_part *part,
                                  char ret_secret[WEIR_SECRET_MAX + 1]);
enum weir_status weir_secret_variable(const struct weir_url_part *part,
                                      char ret_secret[WEIR_SECRET_MAX + 1]);

#endif
