/* script.c - the texts of the scripts and their names. */

#include "base/alloc.h"
#include "redis/script_parts.h"

#include <assert.h>
#include <openssl/evp.h>

static bool name_text(struct weir_bytes text, char *sha1)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    if (EVP_Digest(text.ptr, text.len, digest, &size, EVP_sha1(), NULL) != 1 ||
        size * 2 != WEIR_SHA1_TEXT) {
        return false;
    }
    for (unsigned i = 0; i < size; i++) {
        sha1[2 * i] = digits[digest[i] >> 4];
        sha1[2 * i + 1] = digits[digest[i] & 15];
    }
    return true;
}

struct weir_scripts *weir_scripts_new(const struct weir_allocator *allocator)
{
    const struct weir_allocator *from = weir_allocator_or_default(allocator);
    struct weir_scripts *scripts = weir_alloc(from, sizeof(*scripts), _Alignof(max_align_t));
    if (scripts == NULL) {
        return NULL;
    }
    scripts->allocator = *from;
    for (size_t i = 0; i < WEIR_SCRIPT_COUNT; i++) {
        if (!name_text(weir_script_texts[i].text, scripts->sha1[i])) {
            weir_scripts_free(scripts);
            return NULL;
        }
    }
    return scripts;
}

void weir_scripts_free(struct weir_scripts *scripts)
{
    if (scripts != NULL) {
        const struct weir_allocator allocator = scripts->allocator;
        weir_release(&allocator, scripts, sizeof(*scripts));
    }
}

enum weir_script_index weir_script_index(const struct weir_script_call *call)
{
    if (call->together) {
        return WEIR_SCRIPT_TOGETHER;
    }
    switch (call->questions[0].limit->algorithm) {
    case WEIR_TOKEN_BUCKET:
    case WEIR_LEAKY_BUCKET:
        return WEIR_SCRIPT_TOKEN_BUCKET;
    case WEIR_FIXED_WINDOW:
    case WEIR_CALENDAR_WINDOW:
        return WEIR_SCRIPT_WINDOW;
    case WEIR_SLIDING_WINDOW:
        return WEIR_SCRIPT_SLIDING_WINDOW;
    case WEIR_SLIDING_LOG:
        return WEIR_SCRIPT_SLIDING_LOG;
    }
    assert(false && "an algorithm that is none");
    return WEIR_SCRIPT_TOGETHER;
}

bool weir_script_write_load(const struct weir_scripts *scripts, size_t index,
                            struct weir_buffer *out)
{
    (void)scripts;
    if (index >= WEIR_SCRIPT_COUNT) {
        return false;
    }
    weir_resp_put_array(out, 3);
    weir_resp_put_bulk_text(out, "SCRIPT");
    weir_resp_put_bulk_text(out, "LOAD");
    weir_resp_put_bulk(out, weir_script_texts[index].text);
    return true;
}
