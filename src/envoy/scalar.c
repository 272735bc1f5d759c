/* scalar.c - what a scalar without quotes is to YAML 1.1: a file that means something to
 * envoyproxy/ratelimit, which reads it so, must mean the same here. See parts.h. */

#include "envoy/parts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* A longer one is no number that anybody wrote. */
#define NUMBER_MAX 64

static bool is_one_of(struct weir_bytes text, const char *const *words)
{
    for (; *words != NULL; words++) {
        /* y, Y and so on: in one case, or with a capital. */
        if (strlen(*words) == text.len && strncasecmp(*words, text.ptr, text.len) == 0) {
            return true;
        }
    }
    return false;
}

static const char *const nothing[] = {"~", "null", NULL};
static const char *const truths[] = {"true", "yes", "on", "y", NULL};
static const char *const untruths[] = {"false", "no", "off", "n", NULL};
static const char *const beyond[] = {".inf", "+.inf", "-.inf", ".nan", NULL};

static int digit_of(char letter)
{
    return letter >= '0' && letter <= '9'   ? letter - '0'
           : letter >= 'a' && letter <= 'f' ? letter - 'a' + 10
           : letter >= 'A' && letter <= 'F' ? letter - 'A' + 10
                                            : 99;
}

/* A whole number: decimal, 0x, 0b, 0o, or octal by a 0 in front; '_' between digits says nothing.
 */
static bool read_whole(const char *text, struct weir_scalar_value *value)
{
    const bool negative = *text == '-';
    text += *text == '-' || *text == '+' ? 1 : 0;
    unsigned base = 10;
    if (text[0] == '0' && text[1] != '\0') {
        const char kind = text[1];
        base = kind == 'x' ? 16 : kind == 'b' ? 2 : 8;
        text += kind == 'x' || kind == 'b' || kind == 'o' ? 2 : 1;
    }
    uint64_t number = 0;
    bool too_large = false;
    size_t digits = 0;
    for (; *text != '\0'; text++) {
        if (*text == '_') {
            continue;
        }
        const int digit = digit_of(*text);
        if (digit >= (int)base) {
            return false;
        }
        too_large = too_large || __builtin_mul_overflow(number, base, &number) ||
                    __builtin_add_overflow(number, (uint64_t)digit, &number);
        digits++;
    }
    if (digits == 0) {
        return false;
    }
    value->kind = WEIR_SCALAR_WHOLE;
    value->negative = negative && number != 0;
    value->too_large = too_large;
    value->whole = number;
    value->number = negative ? -(double)number : (double)number;
    return true;
}

/* Digits with a point or an exponent. */
static bool read_float(const char *text, struct weir_scalar_value *value)
{
    const char *at = text + (*text == '-' || *text == '+' ? 1 : 0);
    const size_t whole = strspn(at, "0123456789_");
    at += whole;
    size_t fraction = 0;
    const bool point = *at == '.';
    if (point) {
        fraction = strspn(at + 1, "0123456789_");
        at += 1 + fraction;
    }
    if (whole + fraction == 0) {
        return false;
    }
    bool exponent = false;
    if (*at == 'e' || *at == 'E') {
        const size_t sign = at[1] == '+' || at[1] == '-' ? 1 : 0;
        const size_t digits = strspn(at + 1 + sign, "0123456789");
        exponent = digits > 0;
        at += 1 + sign + digits;
    }
    if (*at != '\0' || (!point && !exponent)) {
        return false;
    }
    value->kind = WEIR_SCALAR_FLOAT;
    value->number = strtod(text, NULL);
    return true;
}

/* 2026-11-24, alone or with a time behind it. */
static bool is_time(struct weir_bytes text)
{
    static const char form[] = "dddd-dd-dd";
    if (text.len < sizeof(form) - 1) {
        return false;
    }
    for (size_t i = 0; i + 1 < sizeof(form); i++) {
        const bool digit = text.ptr[i] >= '0' && text.ptr[i] <= '9';
        if (form[i] == 'd' ? !digit : text.ptr[i] != form[i]) {
            return false;
        }
    }
    return text.len == sizeof(form) - 1 || text.ptr[sizeof(form) - 1] == 'T' ||
           text.ptr[sizeof(form) - 1] == ' ';
}

void weir_scalar_read(const struct weir_node *node, struct weir_scalar_value *ret_value)
{
    *ret_value = (struct weir_scalar_value){.kind = WEIR_SCALAR_TEXT};
    if (!node->plain) {
        return;
    }
    if (node->text.len == 0 || is_one_of(node->text, nothing)) {
        ret_value->kind = WEIR_SCALAR_NULL;
    } else if (is_one_of(node->text, truths) || is_one_of(node->text, untruths)) {
        ret_value->kind = WEIR_SCALAR_BOOLEAN;
        ret_value->boolean = is_one_of(node->text, truths);
    } else if (is_one_of(node->text, beyond)) {
        ret_value->kind = WEIR_SCALAR_FLOAT;
        ret_value->number = node->text.ptr[node->text.len - 1] == 'n' ? NAN
                            : node->text.ptr[0] == '-'                ? -INFINITY
                                                                      : INFINITY;
    } else if (is_time(node->text)) {
        ret_value->kind = WEIR_SCALAR_TIME;
    } else if (node->text.len <= NUMBER_MAX && !read_whole(node->text.ptr, ret_value)) {
        (void)read_float(node->text.ptr, ret_value);
    }
}
