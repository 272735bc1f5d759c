/* hiredis_test.c - our reader and hiredis's make the same of the same bytes: of random replies of
 * RESP2, and of such replies with something wrong in them. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/random.h"
#include "support/resp_oracle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The most bytes of one stream of replies, and of one part of one. */
#define STREAM_MAX 16384
#define PART_MAX 64

struct stream {
    struct random random;
    char bytes[STREAM_MAX];
    size_t len;
};

static void add(struct stream *stream, const char *bytes, size_t len)
{
    assert_true(len <= sizeof(stream->bytes) - stream->len);
    memcpy(stream->bytes + stream->len, bytes, len);
    stream->len += len;
}

static void add_header(struct stream *stream, char type, int64_t number)
{
    char header[PART_MAX];
    const int len = snprintf(header, sizeof(header), "%c%lld\r\n", type, (long long)number);
    add(stream, header, (size_t)len);
}

/* Any bytes, also those that stand for something; in a line any but breaks. */
static void add_text(struct stream *stream, char type)
{
    char text[PART_MAX];
    const size_t len = (size_t)random_below(&stream->random, sizeof(text));
    for (size_t i = 0; i < len; i++) {
        const char any = (char)random_below(&stream->random, 256);
        text[i] = random_once_in(&stream->random, 4) ? "\r\n:$*1+-"[(unsigned char)any % 8] : any;
        if (type != '$' && (text[i] == '\r' || text[i] == '\n')) {
            text[i] = ' ';
        }
    }
    if (type == '$') {
        add_header(stream, '$', (int64_t)len);
    } else {
        add(stream, &type, 1);
    }
    add(stream, text, len);
    add(stream, "\r\n", 2);
}

static void add_scalar(struct stream *stream)
{
    switch (random_below(&stream->random, 6)) {
    case 0:
        add_text(stream, '+');
        break;
    case 1:
        add_text(stream, '-');
        break;
    case 2:
        add_text(stream, '$');
        break;
    case 3:
        add_header(stream, random_once_in(&stream->random, 2) ? '$' : '*', -1);
        break;
    default: {
        const int64_t number = (int64_t)random_wide(&stream->random, INT64_MAX);
        add_header(stream, ':', random_once_in(&stream->random, 2) ? number - 1 : -number);
    }
    }
}

/* A reply: what is open is counted, so that there is no recursion here either. */
static void add_reply(struct stream *stream)
{
    uint64_t left[WEIR_RESP_DEPTH + 1] = {1};
    size_t depth = 0;
    do {
        left[depth]--;
        const bool room = stream->len < STREAM_MAX / 2;
        if (room && depth < WEIR_RESP_DEPTH && random_once_in(&stream->random, 3)) {
            left[++depth] = random_below(&stream->random, 5);
            add_header(stream, '*', (int64_t)left[depth]);
        } else {
            add_scalar(stream);
        }
        while (depth > 0 && left[depth] == 0) {
            depth--;
        }
    } while (left[depth] > 0);
}

static void add_replies(struct stream *stream)
{
    stream->len = 0;
    for (uint64_t replies = 1 + random_below(&stream->random, 4); replies > 0; replies--) {
        add_reply(stream);
    }
}

/* Something wrong: a byte changed, left out or put in, bytes repeated, or the end cut off. */
static void spoil(struct stream *stream)
{
    static const char likely[] = ":$*+-\r\n0123456789_#,(!=~%|>?";
    const size_t at = (size_t)random_below(&stream->random, stream->len);
    const char byte = random_once_in(&stream->random, 4)
                          ? (char)random_below(&stream->random, 256)
                          : likely[random_below(&stream->random, sizeof(likely) - 1)];
    const size_t behind = stream->len - at;
    switch (random_below(&stream->random, 5)) {
    case 0:
        stream->len = at > 0 ? at : 1;
        break;
    case 1:
        memmove(stream->bytes + at, stream->bytes + at + 1, behind - 1);
        stream->len -= stream->len > 1;
        break;
    case 2:
        if (stream->len < STREAM_MAX) {
            memmove(stream->bytes + at + 1, stream->bytes + at, behind);
            stream->bytes[at] = byte;
            stream->len++;
        }
        break;
    case 3: {
        const size_t again = (size_t)random_below(&stream->random, behind);
        add(stream, stream->bytes + at, stream->len + again < STREAM_MAX ? again : 0);
        break;
    }
    default:
        stream->bytes[at] = byte;
    }
}

static void expect_agreement(struct stream *stream)
{
    const struct resp_feed feed = {(enum resp_pieces)random_below(&stream->random, 4),
                                   (size_t)random_below(&stream->random, stream->len),
                                   stream->random};
    char *objection = resp_oracle_objection(weir_bytes(stream->bytes, stream->len), feed);
    if (objection != NULL) {
        print_error("%zu bytes:", stream->len);
        for (size_t i = 0; i < stream->len; i++) {
            print_error(" %02x", (unsigned char)stream->bytes[i]);
        }
        print_error("\n%s\n", objection);
    }
    assert_null(objection);
}

static void replies_are_read_as_hiredis_reads_them(void **state)
{
    (void)state;
    const uint64_t seed = random_seed(20264);
    print_message("# seed %llu\n", (unsigned long long)seed);
    static struct stream stream;
    stream.random = random_from(seed);
    for (size_t i = 0; i < random_rounds(5000); i++) {
        add_replies(&stream);
        const struct weir_resp_limits limits = {0};
        char *text = resp_transcript(&limits, weir_bytes(stream.bytes, stream.len),
                                     (struct resp_feed){.pieces = RESP_WHOLE});
        assert_null(resp_transcript_trouble(text));
        free(text);
        expect_agreement(&stream);
    }
}

static void what_is_wrong_is_wrong_for_hiredis_too(void **state)
{
    (void)state;
    const uint64_t seed = random_seed(20265);
    print_message("# seed %llu\n", (unsigned long long)seed);
    static struct stream stream;
    stream.random = random_from(seed);
    for (size_t i = 0; i < random_rounds(20000); i++) {
        add_replies(&stream);
        for (uint64_t wrong = random_wide(&stream.random, 8); wrong > 0; wrong--) {
            spoil(&stream);
        }
        expect_agreement(&stream);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replies_are_read_as_hiredis_reads_them),
        cmocka_unit_test(what_is_wrong_is_wrong_for_hiredis_too),
    };
    return cmocka_run_group_tests_name("resp_hiredis", tests, NULL, NULL);
}
