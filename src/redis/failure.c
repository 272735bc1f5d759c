/* failure.c - see failure.h.
 *
 * An error reply begins with a word in capitals; where that is ERR, only its text tells what is
 * meant. The table below goes by the word, and for ERR by a part of the text; the first line that
 * fits is it. The texts are those of Redis 6.2 to 8 and Valkey 7.2 to 9, which agree in the parts
 * that are looked for.
 *
 * An error of a command inside a script comes to us in one of three forms:
 *
 *     OOM command not allowed when used memory > 'maxmemory'. script: 1b2c, on @user_script:7.
 *     ERR Error running script (call to f_1b2c): @user_script:7: @user_script: 7: -OOM command ...
 *
 *     @user_script: 7: -OOM command not allowed when used memory > 'maxmemory'.
 *
 * the last two up to Redis 6.2, as the script calls or tries the command: there, the word is looked
 * for after every ": ".
 *
 * Invariant: where the text says that the script had begun, the remedy is never one that sends the
 * same questions to be decided once more, but for PRIMARY: a server that refuses writes has refused
 * the first of them already. */

#include "redis/failure.h"

#include <assert.h>
#include <string.h>

#define SLOTS 16384 /* of a cluster */

struct meaning {
    const char *word;
    const char *part; /* what must be in the text too; NULL: nothing */
    enum weir_failure failure;
    enum weir_remedy remedy;
    bool down;
};

static const struct meaning meanings[] = {
    {"NOSCRIPT", NULL, WEIR_FAILURE_REFUSED, WEIR_REMEDY_TEXT, false},
    {"MOVED", NULL, WEIR_FAILURE_CLUSTER, WEIR_REMEDY_MOVED, false},
    {"ASK", NULL, WEIR_FAILURE_CLUSTER, WEIR_REMEDY_ASK, false},
    {"TRYAGAIN", NULL, WEIR_FAILURE_CLUSTER, WEIR_REMEDY_AGAIN, false},
    /* A slot that nobody serves says nothing of the others. */
    {"CLUSTERDOWN", "Hash slot not served", WEIR_FAILURE_CLUSTER, WEIR_REMEDY_AGAIN, false},
    {"CLUSTERDOWN", NULL, WEIR_FAILURE_CLUSTER, WEIR_REMEDY_AGAIN, true},
    {"CROSSSLOT", NULL, WEIR_FAILURE_CLUSTER, WEIR_REMEDY_NONE, false},
    {"NOAUTH", NULL, WEIR_FAILURE_AUTH, WEIR_REMEDY_LOGIN, false},
    {"WRONGPASS", NULL, WEIR_FAILURE_AUTH, WEIR_REMEDY_LOGIN, false},
    {"NOPERM", NULL, WEIR_FAILURE_NOPERM, WEIR_REMEDY_NONE, false},
    {"READONLY", NULL, WEIR_FAILURE_READONLY, WEIR_REMEDY_PRIMARY, false},
    {"MASTERDOWN", NULL, WEIR_FAILURE_READONLY, WEIR_REMEDY_PRIMARY, true},
    {"OOM", NULL, WEIR_FAILURE_OOM, WEIR_REMEDY_NONE, false},
    {"LOADING", NULL, WEIR_FAILURE_LOADING, WEIR_REMEDY_NONE, true},
    {"BUSY", NULL, WEIR_FAILURE_BUSY, WEIR_REMEDY_NONE, true},
    {"MISCONF", NULL, WEIR_FAILURE_MISCONF, WEIR_REMEDY_NONE, false},
    {"NOREPLICAS", NULL, WEIR_FAILURE_REPLICAS, WEIR_REMEDY_NONE, false},
    {"WRONGTYPE", NULL, WEIR_FAILURE_VALUE, WEIR_REMEDY_NONE, false},
    /* Protected mode: nobody but its own machine may talk to it. */
    {"DENIED", NULL, WEIR_FAILURE_REFUSED, WEIR_REMEDY_LOGIN, true},

    {"ERR", "max number of clients", WEIR_FAILURE_REFUSED, WEIR_REMEDY_LOGIN, true},
    {"ERR", "invalid password", WEIR_FAILURE_AUTH, WEIR_REMEDY_LOGIN, false},
    {"ERR", "without any password configured", WEIR_FAILURE_AUTH, WEIR_REMEDY_LOGIN, false},
    {"ERR", "Client sent AUTH, but no password", WEIR_FAILURE_AUTH, WEIR_REMEDY_LOGIN, false},
    {"ERR", "DB index is out of range", WEIR_FAILURE_DATABASE, WEIR_REMEDY_NONE, false},
    {"ERR", "invalid DB index", WEIR_FAILURE_DATABASE, WEIR_REMEDY_NONE, false},
    {"ERR", "SELECT is not allowed", WEIR_FAILURE_DATABASE, WEIR_REMEDY_NONE, false},
    {"ERR", "No such master", WEIR_FAILURE_NO_PRIMARY, WEIR_REMEDY_NONE, false},
    {"ERR", "killed by user", WEIR_FAILURE_KILLED, WEIR_REMEDY_NONE, false},
    {"ERR", "The user executing the script", WEIR_FAILURE_NOPERM, WEIR_REMEDY_NONE, false},
    {"ERR", "ACL failure in script", WEIR_FAILURE_NOPERM, WEIR_REMEDY_NONE, false},
    {"ERR", "on a stale replica", WEIR_FAILURE_READONLY, WEIR_REMEDY_PRIMARY, true},
    {"ERR", "while the cluster is down", WEIR_FAILURE_CLUSTER, WEIR_REMEDY_NONE, true},
    {"ERR", "nonexistent global variable", WEIR_FAILURE_REFUSED, WEIR_REMEDY_NONE, false},
    {"ERR", "cript attempted to", WEIR_FAILURE_CLUSTER, WEIR_REMEDY_NONE, false},
    {"ERR", "a non local key", WEIR_FAILURE_CLUSTER, WEIR_REMEDY_NONE, false},
    {"ERR", "during rehashing of the slot", WEIR_FAILURE_CLUSTER, WEIR_REMEDY_NONE, false},
    {"ERR", "value is not an integer", WEIR_FAILURE_VALUE, WEIR_REMEDY_NONE, false},
    {"ERR", "would overflow", WEIR_FAILURE_VALUE, WEIR_REMEDY_NONE, false},
};

static bool is(struct weir_bytes text, const char *word)
{
    return text.len == strlen(word) && memcmp(text.ptr, word, text.len) == 0;
}

/* Where `part` first is in `text`, or text.len where it is not. */
static size_t find(struct weir_bytes text, const char *part)
{
    const char *at = text.len > 0 ? memmem(text.ptr, text.len, part, strlen(part)) : NULL;
    return at != NULL ? (size_t)(at - text.ptr) : text.len;
}

static bool starts(struct weir_bytes text, const char *start)
{
    return text.len >= strlen(start) && memcmp(text.ptr, start, strlen(start)) == 0;
}

static bool holds(struct weir_bytes text, const char *part)
{
    return find(text, part) < text.len;
}

static struct weir_bytes after(struct weir_bytes text, size_t count)
{
    return weir_bytes(text.ptr + count, text.len - count);
}

/* The bytes of `text` up to its first space. */
static struct weir_bytes first_word(struct weir_bytes text)
{
    return weir_bytes(text.ptr, find(text, " "));
}

/* The line of the table that `text` fits; NULL where there is none. */
static const struct meaning *meaning_of(struct weir_bytes text)
{
    const struct weir_bytes word = first_word(text);
    for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++) {
        const struct meaning *meaning = &meanings[i];
        if (is(word, meaning->word) && (meaning->part == NULL || holds(text, meaning->part))) {
            return meaning;
        }
    }
    return NULL;
}

/* What the error within a script's error means, as Redis 6.2 has it. There may be no word at all
 * where later ones have ERR. */
static const struct meaning *meaning_within(struct weir_bytes text)
{
    struct weir_bytes rest = text;
    for (size_t at = find(rest, ": "); at < rest.len; at = find(rest, ": ")) {
        rest = after(rest, at + 2);
        const bool dash = rest.len > 0 && rest.ptr[0] == '-';
        const struct meaning *meaning = meaning_of(dash ? after(rest, 1) : rest);
        if (meaning != NULL) {
            return meaning;
        }
    }
    for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++) {
        const struct meaning *meaning = &meanings[i];
        if (strcmp(meaning->word, "ERR") == 0 && meaning->part != NULL &&
            holds(text, meaning->part)) {
            return meaning;
        }
    }
    return NULL;
}

/* Reads "3999 127.0.0.1:6381", what follows MOVED and ASK; false where it is something else. */
static bool read_place(struct weir_bytes text, struct weir_complaint *complaint)
{
    const struct weir_bytes number = first_word(text);
    unsigned slot = 0;
    for (size_t i = 0; i < number.len; i++) {
        const char digit = number.ptr[i];
        if (digit < '0' || digit > '9' || i == 5) {
            return false;
        }
        slot = slot * 10 + (unsigned)(digit - '0');
    }
    if (number.len == 0 || number.len == text.len || slot >= SLOTS) {
        return false;
    }
    complaint->slot = (uint16_t)slot;
    complaint->address = first_word(after(text, number.len + 1));
    return complaint->address.len > 0;
}

/* Whether what was asked may be asked again though its script has begun. */
static bool harmless(enum weir_remedy remedy)
{
    return remedy == WEIR_REMEDY_PRIMARY || remedy == WEIR_REMEDY_LOGIN;
}

void weir_failure_read(struct weir_bytes text, struct weir_complaint *ret_complaint)
{
    assert(ret_complaint != NULL);
    text.len = text.len < WEIR_FAILURE_TEXT_MAX ? text.len : WEIR_FAILURE_TEXT_MAX;
    const bool wrapped = starts(text, "ERR Error running ") || starts(text, "@user_script");
    const bool begun = wrapped || holds(text, " on @");
    const struct meaning *meaning = wrapped ? meaning_within(text) : meaning_of(text);
    struct weir_complaint complaint = {.failure = WEIR_FAILURE_REFUSED};
    if (meaning != NULL) {
        complaint.failure = meaning->failure;
        complaint.remedy = begun && !harmless(meaning->remedy) ? WEIR_REMEDY_NONE : meaning->remedy;
        complaint.down = meaning->down;
    }
    const bool elsewhere =
        complaint.remedy == WEIR_REMEDY_MOVED || complaint.remedy == WEIR_REMEDY_ASK;
    if (elsewhere) {
        const struct weir_bytes word = first_word(text);
        const size_t skipped = word.len < text.len ? word.len + 1 : word.len;
        if (!read_place(after(text, skipped), &complaint)) {
            complaint = (struct weir_complaint){.failure = WEIR_FAILURE_REPLY};
        }
    }
    *ret_complaint = complaint;
}

void weir_failure_quote(struct weir_bytes text, char *buffer, size_t size)
{
    assert(buffer != NULL || size == 0);
    if (size == 0) {
        return;
    }
    const size_t told = find(text, ", with args beginning with");
    const size_t len = told < size - 1 ? told : size - 1;
    for (size_t i = 0; i < len; i++) {
        buffer[i] = text.ptr[i] >= ' ' && text.ptr[i] <= '~' ? text.ptr[i] : '?';
    }
    buffer[len] = '\0';
}
