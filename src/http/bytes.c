/* bytes.c - what each byte may be part of, see parse.h. */

#include "http/parse.h"

/* The kinds of bytes: text alone; what prints; what a name, a host, or both have besides letters;
 * capitals and '-'; small letters; digits; '#', '?'. */
#define T WEIR_HTTP_TEXT
#define V (WEIR_HTTP_TARGET | WEIR_HTTP_PATH | WEIR_HTTP_TEXT)
#define N (V | WEIR_HTTP_NAME)
#define H (V | WEIR_HTTP_HOST)
#define B (V | WEIR_HTTP_NAME | WEIR_HTTP_HOST)
#define C (B | WEIR_HTTP_METHOD)
#define D (B | WEIR_HTTP_DIGIT)
#define S (WEIR_HTTP_TEXT | WEIR_HTTP_NAME)
#define Q (WEIR_HTTP_TARGET | WEIR_HTTP_TEXT)

/* clang-format off */
const unsigned char weir_http_bytes[256] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, T, 0, 0, 0, 0, 0, 0, /* 00 */
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* 10 */
    T, B, V, S, B, B, B, B, H, H, B, B, H, C, B, V, /* 20 */
    D, D, D, D, D, D, D, D, D, D, V, H, V, H, V, Q, /* 30 */
    V, C, C, C, C, C, C, C, C, C, C, C, C, C, C, C, /* 40 */
    C, C, C, C, C, C, C, C, C, C, C, V, V, V, N, B, /* 50 */
    N, B, B, B, B, B, B, B, B, B, B, B, B, B, B, B, /* 60 */
    B, B, B, B, B, B, B, B, B, B, B, V, N, V, B, 0, /* 70 */
    T, T, T, T, T, T, T, T, T, T, T, T, T, T, T, T, /* 80 */
    T, T, T, T, T, T, T, T, T, T, T, T, T, T, T, T, /* 90 */
    T, T, T, T, T, T, T, T, T, T, T, T, T, T, T, T, /* a0 */
    T, T, T, T, T, T, T, T, T, T, T, T, T, T, T, T, /* b0 */
    T, T, T, T, T, T, T, T, T, T, T, T, T, T, T, T, /* c0 */
    T, T, T, T, T, T, T, T, T, T, T, T, T, T, T, T, /* d0 */
    T, T, T, T, T, T, T, T, T, T, T, T, T, T, T, T, /* e0 */
    T, T, T, T, T, T, T, T, T, T, T, T, T, T, T, T, /* f0 */
};
/* clang-format on */
