/* tls_server_test.c - connections that a server accepts: what goes over them however it is cut,
 * whom it lets in and what it says of others, and what each takes of memory. */

#include "support/random.h"
#include "support/rig.h"
#include "support/rig_process.h"
#include "unit/tls/tls_pair.h"

#include <openssl/crypto.h>

#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

/* What OpenSSL may take for a connection over which nothing goes. */
#define IDLE_MAX ((size_t)24 * 1024)

static struct rig_certificates ours;
static struct rig_certificates others; /* of authorities that nobody here trusts */
static char folder[96];
static char others_folder[128];

/* What OpenSSL has taken and not given back; this test has one thread. */
static size_t taken;

static const struct tls_wish plain_wish = {.certificates = &ours};
static const struct tls_wish mutual_wish = {
    .certificates = &ours, .asks = true, .shown = ours.client, .shown_key = ours.client_key};

/* ---- What goes over it -------------------------------------------------------------------- */

static void what_is_said_arrives(void **state)
{
    static const size_t lengths[] = {0, 1, 5, 16383, 16384, 16385, 100000};
    static char text[100000];
    (void)state;
    struct random random = random_from(1);
    for (size_t i = 0; i < sizeof(text); i++) {
        text[i] = (char)random_next(&random);
    }
    struct tls_pair pair;
    tls_pair_open(&pair, &plain_wish);
    assert_false(weir_tls_is_ready(pair.server.tls));
    tls_pair_shake(&pair, SIZE_MAX);
    assert_true(tls_pair_is_ready(&pair));
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        tls_pair_say(&pair, true, weir_bytes(text, lengths[i]));
        tls_pair_say(&pair, false, weir_bytes(text, lengths[i]));
    }
    tls_pair_close(&pair);
}

/* Shakes hands and asks one thing, the client's first `cut` bytes apart from the rest, and gives
 * how many bytes the client has said in all. */
static size_t shake_cut_at(size_t cut)
{
    struct tls_pair pair;
    tls_pair_open(&pair, &mutual_wish);
    tls_end_take(&pair.client, weir_bytes(NULL, 0));
    size_t said = 0;
    bool asked = false;
    while (!asked || pair.client.wire.len > 0) {
        const size_t len = pair.client.wire.len;
        const size_t first = cut > said && cut < said + len ? cut - said : len;
        tls_end_take(&pair.server, weir_bytes(pair.client.wire.bytes, first));
        if (first < len) {
            tls_end_take(&pair.server, weir_bytes(pair.client.wire.bytes + first, len - first));
        }
        said += len;
        weir_buffer_clear(&pair.client.wire);
        tls_end_take(&pair.client, weir_buffer_bytes(&pair.server.wire));
        weir_buffer_clear(&pair.server.wire);
        if (!asked && tls_pair_is_ready(&pair)) {
            assert_int_equal(weir_tls_send(pair.client.tls, weir_text("question"),
                                           &pair.client.wire, pair.client.message,
                                           sizeof(pair.client.message)),
                             WEIR_FAILURE_NONE);
            asked = true;
        }
        assert_int_equal(pair.server.failure, WEIR_FAILURE_NONE);
        assert_int_equal(pair.client.failure, WEIR_FAILURE_NONE);
    }
    assert_int_equal(pair.server.plain.len, 8);
    assert_memory_equal(pair.server.plain.bytes, "question", 8);
    tls_pair_close(&pair);
    return said;
}

static void a_handshake_may_be_cut_anywhere(void **state)
{
    (void)state;
    const size_t all = shake_cut_at(0);
    assert_true(all > 1000);
    const size_t step = 1 + 20 / random_rounds(20); /* the sanitizers take longer */
    for (size_t cut = 1; cut < all; cut += step) {
        (void)shake_cut_at(cut);
    }
}

static void it_may_come_byte_by_byte(void **state)
{
    (void)state;
    struct tls_pair pair;
    tls_pair_open(&pair, &mutual_wish);
    tls_pair_shake(&pair, 1);
    assert_true(tls_pair_is_ready(&pair));
    tls_pair_say(&pair, true, weir_text("question"));
    tls_pair_close(&pair);
}

/* What was asked together with the end is still answered. */
static void who_has_ended_is_still_answered(void **state)
{
    (void)state;
    struct tls_pair pair;
    tls_pair_open(&pair, &plain_wish);
    tls_pair_shake(&pair, SIZE_MAX);
    assert_int_equal(weir_tls_send(pair.client.tls, weir_text("question"), &pair.client.wire,
                                   pair.client.message, sizeof(pair.client.message)),
                     WEIR_FAILURE_NONE);
    weir_tls_end(pair.client.tls, &pair.client.wire);
    tls_end_take(&pair.server, weir_buffer_bytes(&pair.client.wire));
    weir_buffer_clear(&pair.client.wire);
    assert_int_equal(pair.server.failure, WEIR_FAILURE_LOST);
    assert_string_equal(pair.server.message, "the client ended the connection");
    assert_int_equal(pair.server.plain.len, 8);
    assert_int_equal(weir_tls_send(pair.server.tls, weir_text("answer"), &pair.server.wire,
                                   pair.server.message, sizeof(pair.server.message)),
                     WEIR_FAILURE_NONE);
    weir_tls_end(pair.server.tls, &pair.server.wire);
    tls_end_take(&pair.client, weir_buffer_bytes(&pair.server.wire));
    assert_int_equal(pair.client.failure, WEIR_FAILURE_LOST);
    assert_int_equal(pair.client.plain.len, 6);
    tls_pair_close(&pair);
}

/* ---- Who comes in ------------------------------------------------------------------------- */

static void a_client_shows_who_it_is(void **state)
{
    (void)state;
    char subject[64];
    struct tls_pair pair;
    tls_pair_open(&pair, &mutual_wish);
    assert_false(weir_tls_peer(pair.server.tls, subject, sizeof(subject)));
    tls_pair_shake(&pair, SIZE_MAX);
    assert_true(tls_pair_is_ready(&pair));
    assert_true(weir_tls_peer(pair.server.tls, subject, sizeof(subject)));
    assert_string_equal(subject, "CN=weir test client");
    assert_true(weir_tls_peer(pair.server.tls, subject, 8));
    assert_string_equal(subject, "CN=weir");
    assert_true(weir_tls_peer(pair.server.tls, subject, 1));
    assert_string_equal(subject, "");
    tls_pair_close(&pair);

    tls_pair_open(&pair, &plain_wish);
    tls_pair_shake(&pair, SIZE_MAX);
    assert_true(tls_pair_is_ready(&pair));
    assert_false(weir_tls_peer(pair.server.tls, subject, sizeof(subject)));
    tls_pair_close(&pair);
}

static void expect_refusal(const char *shown, const char *key, const char *message)
{
    const struct tls_wish wish = {
        .certificates = &ours, .asks = true, .shown = shown, .shown_key = key};
    struct tls_pair pair;
    tls_pair_open(&pair, &wish);
    tls_pair_shake(&pair, SIZE_MAX);
    assert_false(weir_tls_is_ready(pair.server.tls));
    assert_int_equal(pair.server.failure, WEIR_FAILURE_TLS);
    if (strncmp(pair.server.message, message, strlen(message)) != 0) {
        fail_msg("%s; expected %s", pair.server.message, message);
    }
    assert_int_equal(pair.server.plain.len, 0);
    assert_int_equal(pair.client.failure, WEIR_FAILURE_TLS); /* it was told */
    tls_pair_close(&pair);
}

static void others_are_refused_and_told(void **state)
{
    (void)state;
    expect_refusal(NULL, NULL, "the client shows no certificate");
    expect_refusal(others.client, others.client_key, "the certificate is not trusted: ");
    expect_refusal(ours.expired, ours.server_key, "the certificate has expired, at 20");
    expect_refusal(ours.future, ours.server_key, "the certificate is not valid before 20");
}

static void a_client_that_does_not_trust_us_says_so(void **state)
{
    (void)state;
    const struct tls_wish wish = {.certificates = &ours};
    struct tls_pair pair;
    struct tls_pair strangers;
    tls_pair_open(&pair, &wish);
    tls_pair_open(&strangers, &(struct tls_wish){.certificates = &others});
    struct weir_tls *client = pair.client.tls;
    pair.client.tls = strangers.client.tls;
    strangers.client.tls = client;
    tls_pair_shake(&pair, SIZE_MAX);
    assert_int_equal(pair.client.failure, WEIR_FAILURE_TLS);
    assert_int_equal(pair.server.failure, WEIR_FAILURE_TLS);
    assert_memory_equal(pair.server.message, "TLS: tlsv1 alert ", 17);
    tls_pair_close(&pair);
    tls_pair_close(&strangers);
}

/* ---- Nonsense ----------------------------------------------------------------------------- */

static void expect_nonsense(struct weir_bytes bytes, const char *message)
{
    struct tls_pair pair;
    tls_pair_open(&pair, &plain_wish);
    tls_end_take(&pair.server, bytes);
    assert_int_equal(pair.server.failure, WEIR_FAILURE_TLS);
    if (strstr(pair.server.message, message) == NULL) {
        fail_msg("%s; expected %s", pair.server.message, message);
    }
    assert_int_equal(pair.server.plain.len, 0);
    assert_true(pair.server.wire.len <= 64);
    tls_pair_close(&pair);
}

static void who_does_not_speak_tls_is_told_apart(void **state)
{
    (void)state;
    expect_nonsense(weir_text("GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
                    "the client does not speak TLS");
    expect_nonsense(weir_text("*1\r\n$4\r\nPING\r\n"), "the client does not speak TLS");
    expect_nonsense(weir_text("\x16\x03\x01\xff\xff\x01"), "TLS: ");
    expect_nonsense(weir_bytes("\x17\x03\x03\0\4data", 9), "TLS: ");
}

/* Every flight of the client in turn with one byte changed, and random bytes: nothing gets through,
 * and nothing goes wrong. */
static void changed_bytes_get_nobody_in(void **state)
{
    (void)state;
    struct random random = random_from(random_seed(2));
    for (size_t i = 0; i < random_rounds(600); i++) {
        struct tls_pair pair;
        tls_pair_open(&pair, &mutual_wish);
        tls_end_take(&pair.client, weir_bytes(NULL, 0));
        if (i % 3 == 1) { /* its second flight */
            tls_end_take(&pair.server, weir_buffer_bytes(&pair.client.wire));
            weir_buffer_clear(&pair.client.wire);
            tls_end_take(&pair.client, weir_buffer_bytes(&pair.server.wire));
            weir_buffer_clear(&pair.server.wire);
        }
        struct weir_buffer *wire = &pair.client.wire;
        if (i % 3 == 2) {
            for (size_t at = 5; at < wire->len; at++) {
                wire->bytes[at] = (char)random_next(&random);
            }
        } else {
            /* But for the first record's version, which says nothing. */
            const size_t at = 3 + random_below(&random, wire->len - 3);
            wire->bytes[at] = (char)(wire->bytes[at] ^ (char)random_between(&random, 1, 255));
        }
        tls_end_take(&pair.server, weir_buffer_bytes(wire));
        weir_buffer_clear(wire);
        if (pair.server.failure == WEIR_FAILURE_NONE) {
            tls_pair_shake(&pair, SIZE_MAX);
        }
        assert_false(weir_tls_is_ready(pair.server.tls) &&
                     pair.server.failure == WEIR_FAILURE_NONE);
        assert_int_equal(pair.server.plain.len, 0);
        tls_pair_close(&pair);
    }
}

/* It is for the caller to lose patience. */
static void who_never_finishes_is_waited_for(void **state)
{
    (void)state;
    struct tls_pair pair;
    tls_pair_open(&pair, &plain_wish);
    tls_end_take(&pair.client, weir_bytes(NULL, 0));
    const size_t half = pair.client.wire.len / 2;
    tls_end_take(&pair.server, weir_bytes(pair.client.wire.bytes, half));
    assert_int_equal(pair.server.failure, WEIR_FAILURE_NONE);
    assert_false(weir_tls_is_ready(pair.server.tls));
    assert_int_equal(pair.server.wire.len, 0);
    weir_tls_end(pair.server.tls, &pair.server.wire);
    assert_int_equal(pair.server.wire.len, 0); /* there is nobody to say it to yet */
    tls_pair_close(&pair);
}

/* ---- Memory ------------------------------------------------------------------------------- */

static void *counted_malloc(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    void *memory = malloc(size);
    taken += memory != NULL ? malloc_usable_size(memory) : 0;
    return memory;
}

static void counted_free(void *memory, const char *file, int line)
{
    (void)file;
    (void)line;
    taken -= memory != NULL ? malloc_usable_size(memory) : 0;
    free(memory);
}

static void *counted_realloc(void *memory, size_t size, const char *file, int line)
{
    void *moved = counted_malloc(size, file, line);
    if (moved != NULL && memory != NULL) {
        const size_t old = malloc_usable_size(memory);
        memcpy(moved, memory, old < size ? old : size);
        counted_free(memory, file, line);
    }
    return moved;
}

/* How much of OpenSSL's memory each of some connections takes, over which something went. */
static size_t memory_of_each(const struct tls_wish *wish)
{
    enum {
        COUNT = 50
    };
    static struct tls_pair pairs[COUNT];
    struct tls_contexts contexts = tls_contexts_open(wish);
    for (size_t i = 0; i < COUNT; i++) {
        tls_pair_open_with(&pairs[i], &contexts);
        tls_pair_shake(&pairs[i], SIZE_MAX);
        tls_pair_say(&pairs[i], true, weir_text("question"));
        tls_pair_say(&pairs[i], false, weir_text("answer"));
        /* What there was to say, and not a record's worth of room. */
        assert_true(pairs[i].server.plain.room < 1024);
    }
    const size_t before = taken;
    for (size_t i = 0; i < COUNT; i++) {
        weir_tls_free(pairs[i].server.tls);
        pairs[i].server.tls = NULL;
    }
    const size_t each = (before - taken) / COUNT;
    for (size_t i = 0; i < COUNT; i++) {
        tls_pair_close(&pairs[i]);
    }
    tls_contexts_close(&contexts);
    return each;
}

static void an_idle_connection_takes_little(void **state)
{
    (void)state;
    const size_t plain = memory_of_each(&plain_wish);
    const size_t mutual = memory_of_each(&mutual_wish);
    print_message("# bytes of OpenSSL's: %zu, with a client's certificate %zu\n", plain, mutual);
    assert_true(plain > 1000 && plain <= IDLE_MAX);
    assert_true(mutual > plain && mutual <= IDLE_MAX);
}

/* ---- Files ------------------------------------------------------------------------------- */

static void expect_no_context(const struct weir_tls_server *server, const char *message)
{
    struct weir_tls_context *const untouched = (struct weir_tls_context *)(void *)&ours;
    struct weir_tls_context *context = untouched;
    struct weir_error error;
    assert_int_equal(weir_tls_server_context_new(server, &context, &error), WEIR_ERR_ARGUMENT);
    if (strstr(error.message, message) == NULL) {
        fail_msg("%s; expected %s", error.message, message);
    }
    assert_int_equal(weir_tls_server_context_new(server, &context, NULL), WEIR_ERR_ARGUMENT);
    assert_ptr_equal(context, untouched);
}

static void files_that_do_not_go_together_are_refused(void **state)
{
    (void)state;
    char message[256];
    rig_format(message, sizeof(message), "key %s can't be used: key values mismatch",
               ours.client_key);
    expect_no_context(&(struct weir_tls_server){ours.server, ours.client_key, NULL, NULL}, message);
    expect_no_context(&(struct weir_tls_server){"/nowhere/a.pem", ours.server_key, NULL, NULL},
                      "certificate /nowhere/a.pem can't be used: No such file or directory");
    expect_no_context(&(struct weir_tls_server){ours.server, "/nowhere/a.key", NULL, NULL},
                      "key /nowhere/a.key can't be used: No such file or directory");
    expect_no_context(
        &(struct weir_tls_server){ours.server, ours.server_key, "/nowhere/ca.pem", NULL},
        "client_authority /nowhere/ca.pem can't be used: No such file or directory");
    expect_no_context(&(struct weir_tls_server){ours.server_key, ours.server_key, NULL, NULL},
                      "can't be used: no start line");
    expect_no_context(&(struct weir_tls_server){ours.server, ours.server, NULL, NULL},
                      "can't be used: ");
    expect_no_context(
        &(struct weir_tls_server){ours.server, ours.server_key, ours.server_key, NULL},
        "client_authority ");
}

static void a_certificate_out_of_date_is_warned_of(void **state)
{
    (void)state;
    static const struct {
        const char *certificate;
        const char *warning;
    } cases[] = {
        {ours.server, ""},
        {ours.expired, "/expired.pem: the certificate has expired, at 20"},
        {ours.future, "/future.pem: the certificate is not valid before 20"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct weir_tls_context *context;
        const struct weir_tls_server server = {cases[i].certificate, ours.server_key, NULL, NULL};
        assert_int_equal(weir_tls_server_context_new(&server, &context, NULL), WEIR_OK);
        const char *warning = weir_tls_context_warning(context);
        assert_non_null(strstr(warning, cases[i].warning));
        assert_int_equal(warning[0] == '\0', cases[i].warning[0] == '\0');
        weir_tls_context_free(context);
    }
}

static int make_certificates(void **state)
{
    (void)state;
    rig_folder_make(folder);
    rig_format(others_folder, sizeof(others_folder), "%s/others", folder);
    if (mkdir(others_folder, 0700) != 0) {
        return -1;
    }
    rig_certificates_make(folder, &ours);
    rig_certificates_make(others_folder, &others);
    return 0;
}

static int remove_certificates(void **state)
{
    (void)state;
    rig_folder_remove(folder);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_said_arrives),
        cmocka_unit_test(a_handshake_may_be_cut_anywhere),
        cmocka_unit_test(it_may_come_byte_by_byte),
        cmocka_unit_test(who_has_ended_is_still_answered),
        cmocka_unit_test(a_client_shows_who_it_is),
        cmocka_unit_test(others_are_refused_and_told),
        cmocka_unit_test(a_client_that_does_not_trust_us_says_so),
        cmocka_unit_test(who_does_not_speak_tls_is_told_apart),
        cmocka_unit_test(changed_bytes_get_nobody_in),
        cmocka_unit_test(who_never_finishes_is_waited_for),
        cmocka_unit_test(an_idle_connection_takes_little),
        cmocka_unit_test(files_that_do_not_go_together_are_refused),
        cmocka_unit_test(a_certificate_out_of_date_is_warned_of),
    };
    /* Before OpenSSL takes any. */
    if (CRYPTO_set_mem_functions(counted_malloc, counted_realloc, counted_free) != 1) {
        return 1;
    }
    return cmocka_run_group_tests_name("tls_server", tests, make_certificates, remove_certificates);
}
