/* regex.c - see regex.h.
 *
 * PCRE2's own limit counts from each place of the value at which it begins anew, and not at all
 * while it runs along a repeat such as [a-z]*: with a value of 8192 bytes it bounds nothing. So
 * each expression is compiled with a callout before every part, from which steps are counted over
 * the whole search: one for the part, and one for each byte passed since the last. What a part can
 * pass without saying so, where it fails in the midst of it, is little, but for a counted repeat
 * and a reference back; these are charged for by what they may pass. */

#define PCRE2_CODE_UNIT_WIDTH 8

#include "rules/regex.h"

#include "base/alloc.h"
#include "base/error.h"

#include <pcre2.h>
#include <string.h>

/* What an interpreted search may take, where no code can be made for the processor, in KiB. */
#define HEAP_MAX 1024

/* Bytes that are compared in the time of one step. */
#define BYTES_A_STEP 16

struct weir_regex {
    pcre2_code *code;
    const struct weir_allocator *allocator;
    size_t unseen_max; /* bytes that one part may pass unseen, at most those of the value */
};

struct weir_matcher {
    const struct weir_allocator *allocator;
    pcre2_match_data *data;
    pcre2_match_context *context;
    size_t steps_left;
    size_t charge; /* steps for each part */
    size_t last;   /* where the last callout was */
};

/* ---- Memory ---- */

/* PCRE2 does not say how large what it frees was. */
struct head {
    _Alignas(max_align_t) size_t size;
};

static void *allocate(size_t size, void *context)
{
    if (size > SIZE_MAX - sizeof(struct head)) {
        return NULL;
    }
    struct head *head = weir_alloc(context, size + sizeof(struct head), _Alignof(struct head));
    if (head == NULL) {
        return NULL;
    }
    head->size = size + sizeof(struct head);
    return head + 1;
}

static void release(void *memory, void *context)
{
    if (memory != NULL) {
        struct head *head = (struct head *)memory - 1;
        weir_release(context, head, head->size);
    }
}

static pcre2_general_context *general_context(const struct weir_allocator *allocator)
{
    /* An allocator is only read; PCRE2 hands on a pointer that may be anything. */
    return pcre2_general_context_create(allocate, release, (void *)(uintptr_t)allocator);
}

/* ---- Compiling ---- */

/* The largest number in a {...} of the pattern: at least what any repeat of it counts to. */
static size_t largest_count(struct weir_bytes pattern)
{
    size_t largest = 0;
    size_t number = 0;
    bool inside = false;
    for (size_t i = 0; i < pattern.len; i++) {
        const char c = pattern.ptr[i];
        const bool digit = c >= '0' && c <= '9';
        inside = c == '{' || (inside && c != '}');
        number = inside && digit && number <= UINT16_MAX ? number * 10 + (size_t)(c - '0')
                 : digit && inside                       ? number
                                                         : 0;
        largest = number > largest ? number : largest;
    }
    return largest;
}

static enum weir_status refuse(int code, size_t offset, struct weir_error *ret_error)
{
    char message[160] = "";
    if (code == PCRE2_ERROR_HEAP_FAILED) {
        return WEIR_ERR_NO_MEMORY;
    }
    (void)pcre2_get_error_message(code, (PCRE2_UCHAR8 *)message, sizeof(message));
    weir_error_set(ret_error, offset, 0, "%s, at byte %zu of the regular expression", message,
                   offset);
    return WEIR_ERR_ARGUMENT;
}

static pcre2_code *compile(struct weir_bytes pattern, pcre2_general_context *general,
                           int *ret_error, size_t *ret_offset)
{
    pcre2_compile_context *context = pcre2_compile_context_create(general);
    if (context == NULL) {
        *ret_error = PCRE2_ERROR_HEAP_FAILED;
        return NULL;
    }
    const uint32_t options = PCRE2_DOTALL | PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_UTF |
                             PCRE2_NEVER_UCP | PCRE2_AUTO_CALLOUT;
    pcre2_code *code = pcre2_compile((PCRE2_SPTR8)(pattern.len > 0 ? pattern.ptr : ""), pattern.len,
                                     options, ret_error, ret_offset, context);
    pcre2_compile_context_free(context);
    return code;
}

enum weir_status weir_regex_new(struct weir_bytes pattern, const struct weir_allocator *allocator,
                                struct weir_regex **ret_regex, struct weir_error *ret_error)
{
    int error = 0;
    PCRE2_SIZE offset = 0;
    uint32_t references = 0;
    pcre2_general_context *general = general_context(allocator);
    struct weir_regex *regex = weir_alloc(allocator, sizeof(*regex), _Alignof(struct weir_regex));
    if (general == NULL || regex == NULL) {
        pcre2_general_context_free(general);
        weir_release(allocator, regex, sizeof(*regex));
        return WEIR_ERR_NO_MEMORY;
    }
    regex->allocator = allocator;
    regex->code = compile(pattern, general, &error, &offset);
    pcre2_general_context_free(general);
    if (regex->code == NULL) {
        weir_release(allocator, regex, sizeof(*regex));
        return refuse(error, offset, ret_error);
    }
    /* Where no memory may be made executable, the expression is interpreted. */
    (void)pcre2_jit_compile(regex->code, PCRE2_JIT_COMPLETE);
    (void)pcre2_pattern_info(regex->code, PCRE2_INFO_BACKREFMAX, &references);
    regex->unseen_max = references > 0 ? SIZE_MAX : largest_count(pattern);
    *ret_regex = regex;
    return WEIR_OK;
}

void weir_regex_free(struct weir_regex *regex)
{
    if (regex != NULL) {
        pcre2_code_free(regex->code);
        weir_release(regex->allocator, regex, sizeof(*regex));
    }
}

/* ---- Searching ---- */

static int count_steps(pcre2_callout_block *block, void *context)
{
    struct weir_matcher *matcher = context;
    const size_t at = block->current_position;
    const size_t passed = at > matcher->last ? at - matcher->last : 0;
    const size_t steps = matcher->charge + passed;
    matcher->last = at;
    if (steps > matcher->steps_left) {
        return PCRE2_ERROR_MATCHLIMIT;
    }
    matcher->steps_left -= steps;
    return 0;
}

struct weir_matcher *weir_matcher_new(const struct weir_allocator *allocator)
{
    struct weir_matcher *matcher =
        weir_alloc(allocator, sizeof(*matcher), _Alignof(struct weir_matcher));
    if (matcher == NULL) {
        return NULL;
    }
    matcher->allocator = allocator;
    pcre2_general_context *general = general_context(allocator);
    if (general != NULL) {
        /* Room for where the whole of it was found; groups are of no interest. */
        matcher->data = pcre2_match_data_create(1, general);
        matcher->context = pcre2_match_context_create(general);
        pcre2_general_context_free(general);
    }
    if (matcher->data == NULL || matcher->context == NULL) {
        weir_matcher_free(matcher);
        return NULL;
    }
    (void)pcre2_set_callout(matcher->context, count_steps, matcher);
    (void)pcre2_set_heap_limit(matcher->context, HEAP_MAX);
    return matcher;
}

void weir_matcher_free(struct weir_matcher *matcher)
{
    if (matcher != NULL) {
        pcre2_match_data_free(matcher->data);
        pcre2_match_context_free(matcher->context);
        weir_release(matcher->allocator, matcher, sizeof(*matcher));
    }
}

enum weir_truth weir_regex_find(const struct weir_regex *regex, struct weir_bytes value,
                                struct weir_matcher *matcher)
{
    const size_t unseen = regex->unseen_max < value.len ? regex->unseen_max : value.len;
    matcher->steps_left = WEIR_REGEX_STEPS_MAX;
    matcher->charge = 1 + unseen / BYTES_A_STEP;
    matcher->last = 0;
    const int found = pcre2_match(regex->code, (PCRE2_SPTR8)(value.len > 0 ? value.ptr : ""),
                                  value.len, 0, 0, matcher->data, matcher->context);
    if (found == PCRE2_ERROR_NOMATCH) {
        return WEIR_NO;
    }
    return found >= 0 ? WEIR_YES : WEIR_UNKNOWN;
}
