/* parse.h - what the files of the JSON reader share: reader.c knows which token may come next,
 * string.c reads strings and names. */

#ifndef WEIR_JSON_PARSE_H
#define WEIR_JSON_PARSE_H

#include "json/json.h"

/* What was wrong at the offset `at`. Every call says so from then on. */
void weir_json_bad(struct weir_json_reader *reader, size_t at, const char *complaint);

/* Reads the string whose quote reader->at is at; false where it is bad. */
bool weir_json_string(struct weir_json_reader *reader);

/* Remembers reader->text as a name of the object that is open; false where it has that already, or
 * there are too many. */
bool weir_json_know(struct weir_json_reader *reader);

/* Where the number at `at` ends; NULL where there is none. */
const char *weir_json_number_end(const char *at, const char *end);

#endif
