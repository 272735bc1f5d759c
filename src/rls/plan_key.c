/* plan_key.c - whose budget a descriptor is. Read policy_parts.h first.
 *
 * Values come from whoever is to be limited, and Envoy lets a request pass whose answer is an
 * error, as it is set up: a value that is too long for a key must not end in one. Such a key is cut
 * to the names that the operator chose, and a hash of all of it in place of the rest. The hash is
 * one of which nobody finds two texts alike, so that nobody can use up another's budget; and every
 * instance of weir has to come to the same key, so that it has no secret in it. */

#include "rls/policy_parts.h"

#include <openssl/evp.h>

#include <string.h>

/* Prefix and domain, and a key and a value of each entry. */
#define PARTS_MAX (2 + 2 * WEIR_RLS_ENTRIES_MAX)

#define HASH_SIZE 32

/* Ahead of a hash. In what weir_key_join makes '%' is ahead of two digits always, so that no other
 * key is like one with a hash in it. */
#define MARK "%~"
#define TAIL (sizeof(MARK) - 1 + (size_t)2 * HASH_SIZE)

/* Of the parts with their lengths, so that ("a", "bc") is not ("ab", "c"). */
static bool hash_parts(const struct weir_bytes *parts, size_t count, unsigned char *hash)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool good = context != NULL && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1;
    for (size_t i = 0; i < count && good; i++) {
        unsigned char length[8];
        for (size_t at = 0; at < sizeof(length); at++) {
            length[at] = (unsigned char)((uint64_t)parts[i].len >> (8 * at));
        }
        good = EVP_DigestUpdate(context, length, sizeof(length)) == 1 &&
               EVP_DigestUpdate(context, parts[i].ptr, parts[i].len) == 1;
    }
    good = good && EVP_DigestFinal_ex(context, hash, NULL) == 1;
    EVP_MD_CTX_free(context);
    return good;
}

/* `named` of the parts are left as they are, where there is room for that. */
static bool make_short(const struct weir_bytes *parts, size_t count, size_t named, char *buffer,
                       struct weir_bytes *ret_key)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char hash[HASH_SIZE];
    if (!hash_parts(parts, count, hash)) {
        return false;
    }
    struct weir_bytes names = weir_bytes(buffer, 0);
    char *at = buffer;
    if (weir_key_join(parts, named, buffer, WEIR_RLS_KEY_MAX - TAIL - 1, &names) == WEIR_OK) {
        at += names.len;
        *at++ = ':';
    }
    memcpy(at, MARK, sizeof(MARK) - 1);
    at += sizeof(MARK) - 1;
    for (size_t i = 0; i < sizeof(hash); i++) {
        *at++ = digits[hash[i] >> 4];
        *at++ = digits[hash[i] & 15];
    }
    *ret_key = weir_bytes(buffer, (size_t)(at - buffer));
    return true;
}

/* What the joined parts take at most: three bytes for one. More than a key may have is of no use,
 * and as much is needed where they have to be cut. */
static size_t room_for(const struct weir_bytes *parts, size_t count)
{
    size_t room = count;
    for (size_t i = 0; i < count && room < WEIR_RLS_KEY_MAX; i++) {
        room += parts[i].len < WEIR_RLS_KEY_MAX ? 3 * parts[i].len : WEIR_RLS_KEY_MAX;
    }
    return room < WEIR_RLS_KEY_MAX ? room : WEIR_RLS_KEY_MAX;
}

bool weir_rls_make_key(const struct weir_rls_budget *budget, struct weir_arena *arena,
                       struct weir_bytes *ret_key)
{
    const struct weir_rls_descriptor *descriptor = budget->descriptor;
    const struct weir_rls_step *steps = budget->steps;
    struct weir_bytes parts[PARTS_MAX];
    size_t count = 0;
    if (budget->prefix.len > 0) {
        parts[count++] = budget->prefix;
    }
    parts[count++] = budget->domain;
    const size_t named = count;
    for (size_t i = 0; i < descriptor->entry_count; i++) {
        const struct weir_bytes shared =
            steps != NULL ? weir_rls_shared(&steps[i]) : weir_bytes(NULL, 0);
        parts[count++] = descriptor->entries[i].key;
        parts[count++] = shared.len > 0 ? shared : descriptor->entries[i].value;
    }
    const size_t room = room_for(parts, count);
    char *buffer = weir_arena_take(arena, room);
    return buffer != NULL && (weir_key_join(parts, count, buffer, room, ret_key) == WEIR_OK ||
                              make_short(parts, count, named, buffer, ret_key));
}
