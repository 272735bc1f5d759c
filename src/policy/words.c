/* words.c - see words.h. No word is ever trusted to be short, to print, or to be free of NULs. */

#include "policy/words.h"

#include <string.h>

/* No keyword is longer, and nothing longer is near one. */
#define SUGGEST_MAX 24

bool weir_word_is(struct weir_bytes word, const char *text)
{
    return word.len == strlen(text) && memcmp(word.ptr, text, word.len) == 0;
}

/* tolower() would follow the process's locale. */
static char plain(char c)
{
    if (c >= 'A' && c <= 'Z') {
        return (char)(c - 'A' + 'a');
    }
    return c == '_' ? '-' : c;
}

bool weir_word_resembles(struct weir_bytes word, const char *text)
{
    if (word.len != strlen(text)) {
        return false;
    }
    for (size_t i = 0; i < word.len; i++) {
        if (plain(word.ptr[i]) != text[i]) {
            return false;
        }
    }
    return true;
}

struct weir_quote weir_word_quote(struct weir_bytes word)
{
    struct weir_quote quote = {{0}};
    const size_t kept = word.len <= WEIR_QUOTE_MAX ? word.len : WEIR_QUOTE_MAX;
    for (size_t i = 0; i < kept; i++) {
        const char c = word.ptr[i];
        quote.text[i] = c >= ' ' && c <= '~' ? c : '?';
    }
    if (kept < word.len) {
        memcpy(quote.text + kept, "...", 3);
    }
    return quote;
}

/* How many letters must be added, left out or changed to make `text` of `word`: the textbook's
 * table, one row at a time. */
static size_t edit_distance(struct weir_bytes word, const char *text)
{
    size_t row[SUGGEST_MAX + 1];
    const size_t length = strlen(text);
    for (size_t j = 0; j <= length; j++) {
        row[j] = j;
    }
    for (size_t i = 1; i <= word.len; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= length; j++) {
            const size_t changed = diagonal + (plain(word.ptr[i - 1]) == text[j - 1] ? 0 : 1);
            const size_t shorter = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            diagonal = row[j];
            row[j] = changed < shorter ? changed : shorter;
        }
    }
    return row[length];
}

static bool starts_with(const char *text, struct weir_bytes word)
{
    if (word.len == 0 || word.len > strlen(text)) {
        return false;
    }
    for (size_t i = 0; i < word.len; i++) {
        if (plain(word.ptr[i]) != text[i]) {
            return false;
        }
    }
    return true;
}

const char *weir_word_suggest(struct weir_bytes word, const char *const *candidates, size_t count)
{
    if (word.len == 0 || word.len > SUGGEST_MAX) {
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        if (starts_with(candidates[i], word)) {
            return candidates[i];
        }
    }
    const char *nearest = NULL;
    size_t least = (word.len < 6 ? word.len / 2 : 3) + 1;
    for (size_t i = 0; i < count; i++) {
        const size_t length = strlen(candidates[i]);
        if (length < 3 || length > SUGGEST_MAX) {
            continue; /* every short word is near every other */
        }
        const size_t distance = edit_distance(word, candidates[i]);
        if (distance < least) {
            least = distance;
            nearest = candidates[i];
        }
    }
    return nearest;
}
