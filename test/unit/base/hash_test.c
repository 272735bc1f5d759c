/* hash_test.c - the hash is SipHash-1-3, to the bit.
 *
 * The expected values come from another implementation: OpenSSL 3.0's, asked for message lengths
 * from 0 to the longest key with
 *     openssl mac -macopt hexkey:000102030405060708090a0b0c0d0e0f -macopt c-rounds:1
 *         -macopt d-rounds:3 -macopt size:8 -in MESSAGE SIPHASH
 * where byte i of MESSAGE is i modulo 256, and the answer is read as a little-endian number. */

#include "base/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct weir_secret secret = {UINT64_C(0x0706050403020100),
                                          UINT64_C(0x0f0e0d0c0b0a0908)};

static const struct vector {
    size_t len;
    uint64_t hash;
} vectors[] = {
    {0, UINT64_C(0xabac0158050fc4dc)},    {1, UINT64_C(0xc9f49bf37d57ca93)},
    {2, UINT64_C(0x82cb9b024dc7d44d)},    {3, UINT64_C(0x8bf80ab8e7ddf7fb)},
    {4, UINT64_C(0xcf75576088d38328)},    {5, UINT64_C(0xdef9d52f49533b67)},
    {6, UINT64_C(0xc50d2b50c59f22a7)},    {7, UINT64_C(0xd3927d989bb11140)},
    {8, UINT64_C(0x369095118d299a8e)},    {9, UINT64_C(0x25a48eb36c063de4)},
    {10, UINT64_C(0x79de85ee92ff097f)},   {11, UINT64_C(0x70c118c1f94dc352)},
    {12, UINT64_C(0x78a384b157b4d9a2)},   {13, UINT64_C(0x306f760c1229ffa7)},
    {14, UINT64_C(0x605aa111c0f95d34)},   {15, UINT64_C(0xd320d86d2a519956)},
    {16, UINT64_C(0xcc4fdd1a7d908b66)},   {17, UINT64_C(0x9cf2689063dbd80c)},
    {18, UINT64_C(0x8ffc389cb473e63e)},   {19, UINT64_C(0xf21f9de58d297d1c)},
    {20, UINT64_C(0xc0dc2f46a6cce040)},   {21, UINT64_C(0xb992abfe2b45f844)},
    {22, UINT64_C(0x7ffe7b9ba320872e)},   {23, UINT64_C(0x525a0e7fdae6c123)},
    {24, UINT64_C(0xf464aeb267349c8c)},   {63, UINT64_C(0x9d199062b7bbb3a8)},
    {64, UINT64_C(0xf17997ec4b4a6065)},   {65, UINT64_C(0x5e1e6109660f720e)},
    {255, UINT64_C(0xf76214e3153c4a15)},  {256, UINT64_C(0x75b3e64e167de370)},
    {257, UINT64_C(0x5d8ffca6213c73b8)},  {4095, UINT64_C(0x8770bbe39c0bc894)},
    {4096, UINT64_C(0x140c90a3434de479)},
};

static void counted_bytes(char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        bytes[i] = (char)(unsigned char)(i & 0xff);
    }
}

static void it_is_siphash_1_3(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        /* Of exactly that size, so that a sanitizer sees a byte too many being read. */
        char *bytes = malloc(vectors[i].len + 1);
        assert_non_null(bytes);
        counted_bytes(bytes + 1, vectors[i].len);
        const uint64_t hash = weir_hash(&secret, 0, weir_bytes(bytes + 1, vectors[i].len));
        free(bytes);
        assert_int_equal(hash, vectors[i].hash);
    }
}

/* The salt of a limit makes another secret of it, so the keys of two limits have nothing in common.
 */
static void the_salt_is_added_to_the_secret(void **state)
{
    (void)state;
    const uint64_t salt = UINT64_C(0xfedcba9876543210);
    const struct weir_secret salted = {secret.k0 ^ salt, secret.k1};
    const struct weir_bytes key = weir_text("user123");
    assert_int_equal(weir_hash(&secret, salt, key), weir_hash(&salted, 0, key));
    assert_int_not_equal(weir_hash(&secret, salt, key), weir_hash(&secret, 0, key));
}

static void an_empty_key_may_have_no_bytes_at_all(void **state)
{
    (void)state;
    assert_int_equal(weir_hash(&secret, 0, weir_bytes(NULL, 0)), vectors[0].hash);
}

/* Every bit of a key counts, and a NUL at its end does. */
static void neighbouring_keys_have_other_hashes(void **state)
{
    (void)state;
    char bytes[40];
    counted_bytes(bytes, sizeof(bytes));
    const uint64_t hash = weir_hash(&secret, 0, weir_bytes(bytes, sizeof(bytes)));
    for (size_t bit = 0; bit < 8 * sizeof(bytes); bit++) {
        bytes[bit / 8] = (char)(bytes[bit / 8] ^ 1 << bit % 8);
        assert_int_not_equal(weir_hash(&secret, 0, weir_bytes(bytes, sizeof(bytes))), hash);
        bytes[bit / 8] = (char)(bytes[bit / 8] ^ 1 << bit % 8);
    }
    assert_int_not_equal(weir_hash(&secret, 0, weir_bytes("a", 1)),
                         weir_hash(&secret, 0, weir_bytes("a\0", 2)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_siphash_1_3),
        cmocka_unit_test(the_salt_is_added_to_the_secret),
        cmocka_unit_test(an_empty_key_may_have_no_bytes_at_all),
        cmocka_unit_test(neighbouring_keys_have_other_hashes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
