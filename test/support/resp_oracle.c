/* resp_oracle.c - see resp_oracle.h. */

#include "support/resp_oracle.h"

#include <hiredis/read.h>

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- What hiredis says -------------------------------------------------------------------- */

/* The values of a reply in the order of the bytes, as ours are. */
struct record {
    struct weir_resp_value *values;
    size_t count;
    size_t room;
};

static void *record_add(const redisReadTask *task, struct weir_resp_value value)
{
    struct record *record = task->privdata;
    if (record->count == record->room) {
        record->room = record->room == 0 ? 64 : record->room * 2;
        record->values = realloc(record->values, record->room * sizeof(*record->values));
        assert(record->values != NULL);
    }
    value.next = (uint32_t)++record->count;
    record->values[record->count - 1] = value;
    return record; /* hiredis wants something that is not NULL */
}

static void *create_string(const redisReadTask *task, char *bytes, size_t len)
{
    enum weir_resp_type type = WEIR_RESP_BULK;
    type = task->type == REDIS_REPLY_STATUS ? WEIR_RESP_SIMPLE : type;
    type = task->type == REDIS_REPLY_ERROR ? WEIR_RESP_ERROR : type;
    char *copy = malloc(len + 1);
    assert(copy != NULL);
    memcpy(copy, bytes, len);
    return record_add(task, (struct weir_resp_value){.type = type, .text = weir_bytes(copy, len)});
}

static void *create_array(const redisReadTask *task, int count)
{
    return record_add(task,
                      (struct weir_resp_value){.type = WEIR_RESP_ARRAY, .count = (uint32_t)count});
}

static void *create_integer(const redisReadTask *task, long long integer)
{
    return record_add(task,
                      (struct weir_resp_value){.type = WEIR_RESP_INTEGER, .integer = integer});
}

static void *create_nil(const redisReadTask *task)
{
    return record_add(task, (struct weir_resp_value){.type = WEIR_RESP_NIL});
}

static void free_object(void *object)
{
    (void)object;
}

static void record_clear(struct record *record)
{
    for (size_t i = 0; i < record->count; i++) {
        free((char *)(uintptr_t)record->values[i].text.ptr);
    }
    record->count = 0;
}

/* Fills in the indexes, from the last value to the first: an aggregate ends where its last part
 * does. */
static void record_finish(struct record *record)
{
    for (size_t i = record->count; i-- > 0;) {
        uint32_t next = (uint32_t)i + 1;
        for (uint32_t part = 0; part < record->values[i].count; part++) {
            next = record->values[next].next;
        }
        record->values[i].next = next;
    }
}

struct their_reading {
    redisReader *reader;
    struct record record;
    FILE *text;
};

/* Prints every reply that is there whole; false where it is no RESP for hiredis. */
static bool their_replies(struct their_reading *theirs)
{
    while (true) {
        void *reply = NULL;
        if (redisReaderGetReply(theirs->reader, &reply) != REDIS_OK) {
            return false;
        }
        if (reply == NULL) {
            return true;
        }
        record_finish(&theirs->record);
        char *text = resp_values_text(theirs->record.values, theirs->record.count);
        (void)fprintf(theirs->text, "%s\n", text);
        free(text);
        record_clear(&theirs->record);
    }
}

/* Whether it has seen something of a reply that is not whole. With nothing to read it may still
 * have got ready for one, of no type yet. */
static bool is_in_a_reply(const redisReader *reader)
{
    return reader->pos < reader->len || reader->ridx > 0 ||
           (reader->ridx == 0 && reader->rstack[0].type >= 0);
}

/* As resp_transcript. */
static char *their_transcript(struct weir_bytes input, struct resp_feed feed)
{
    static redisReplyObjectFunctions functions = {create_string, create_array, create_integer,
                                                  create_nil, free_object};
    char *text = NULL;
    size_t size = 0;
    struct their_reading theirs = {
        redisReaderCreateWithFunctions(&functions), {NULL, 0, 0}, open_memstream(&text, &size)};
    assert(theirs.reader != NULL && theirs.text != NULL);
    theirs.reader->privdata = &theirs.record;
    bool good = true;
    for (size_t at = 0; good && at < input.len;) {
        const size_t piece = resp_feed_next(&feed, input.len - at);
        const int fed = redisReaderFeed(theirs.reader, input.ptr + at, piece);
        assert(fed == REDIS_OK);
        at += piece;
        good = their_replies(&theirs);
    }
    if (!good) {
        (void)fprintf(theirs.text, "bad: %s\n", theirs.reader->errstr);
    } else if (is_in_a_reply(theirs.reader)) {
        (void)fputs("more\n", theirs.text);
    }
    redisReaderFree(theirs.reader);
    record_clear(&theirs.record);
    free(theirs.record.values);
    (void)fclose(theirs.text);
    return text;
}

/* ---- Whether that is the same ------------------------------------------------------------- */

static bool begins(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

/* Whether hiredis, which waits for the end of a line, refuses the input once it has come. */
static bool they_refuse_it_later(struct weir_bytes input)
{
    char *longer = malloc(input.len + 2);
    assert(longer != NULL);
    memcpy(longer, input.ptr, input.len);
    memcpy(longer + input.len, "\r\n", 2);
    char *text = their_transcript(weir_bytes(longer, input.len + 2),
                                  (struct resp_feed){.pieces = RESP_WHOLE});
    const char *trouble = resp_transcript_trouble(text);
    const bool refused = trouble != NULL && begins(trouble, "bad: ");
    free(text);
    free(longer);
    return refused;
}

/* Whether the two may go apart here, where the one says `ours` and the other `theirs`. */
static bool may_differ(struct weir_bytes input, const char *ours, const char *theirs)
{
    if (begins(theirs, "bad: ")) {
        return begins(ours, "bad: ") || begins(ours, "large: ") ||
               strstr(theirs, "as reply type byte") != NULL ||
               strstr(theirs, "with depth > 7") != NULL;
    }
    if (begins(ours, "large: ") || begins(ours, "bad: a line has a break in it") ||
        begins(ours, "bad: a string is not followed by CRLF")) {
        return true;
    }
    return begins(ours, "bad: ") && begins(theirs, "more") && they_refuse_it_later(input);
}

char *resp_oracle_objection(struct weir_bytes input, struct resp_feed feed)
{
    const struct weir_resp_limits limits = {0};
    char *ours = resp_transcript(&limits, input, feed);
    char *theirs = their_transcript(input, feed);
    size_t same = 0;
    while (ours[same] != '\0' && ours[same] == theirs[same]) {
        same++;
    }
    bool agreed = ours[same] == theirs[same];
    if (!agreed) {
        while (same > 0 && ours[same - 1] != '\n') {
            same--;
        }
        agreed = may_differ(input, ours + same, theirs + same);
    }
    char *objection = NULL;
    if (!agreed) {
        const size_t size = strlen(ours) + strlen(theirs) + 64;
        objection = malloc(size);
        assert(objection != NULL);
        (void)snprintf(objection, size, "ours:\n%shiredis's:\n%s", ours, theirs);
    }
    free(ours);
    free(theirs);
    return objection;
}
