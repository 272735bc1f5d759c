/* checked.h - arithmetic that says when it does not fit.
 *
 * The names are those of C23's <stdckdint.h>, so that this file can go once every compiler we build
 * with has that header. Each returns true where the true result did not fit. */

#ifndef WEIR_BASE_CHECKED_H
#define WEIR_BASE_CHECKED_H

#define ckd_add(result, a, b) __builtin_add_overflow((a), (b), (result))
#define ckd_sub(result, a, b) __builtin_sub_overflow((a), (b), (result))
#define ckd_mul(result, a, b) __builtin_mul_overflow((a), (b), (result))

/* A product of two 64-bit numbers. Pedantic C has no name for it but this one. */
__extension__ typedef unsigned __int128 weir_u128;

#endif
