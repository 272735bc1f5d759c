/* words.h - the words of a limit's text: comparing, quoting in a message, and guessing what was
 * meant. */

#ifndef WEIR_POLICY_WORDS_H
#define WEIR_POLICY_WORDS_H

#include "base/error.h"
#include "weir/weir.h"

/* Which bytes of the text are meant. */
struct weir_place {
    size_t offset;
    size_t length;
};

/* Writes the message and is WEIR_ERR_LIMIT, so that a refusal is one statement. */
#define weir_refuse(error, place, ...) \
    (weir_error_set((error), (place).offset, (place).length, __VA_ARGS__), WEIR_ERR_LIMIT)

/* The longest part of a word that a message repeats. */
#define WEIR_QUOTE_MAX 40

struct weir_quote {
    char text[WEIR_QUOTE_MAX + 4];
};

bool weir_word_is(struct weir_bytes word, const char *text);

/* The same but for upper case, and '_' for '-': a word that was meant but not written. */
bool weir_word_resembles(struct weir_bytes word, const char *text);

/* `word` for a message: what does not print becomes '?', what is too long ends in "...". */
struct weir_quote weir_word_quote(struct weir_bytes word);

/* The one of `candidates` that was probably meant: it starts with `word`, or few letters differ;
 * NULL where none is near. */
const char *weir_word_suggest(struct weir_bytes word, const char *const *candidates, size_t count);

#endif
