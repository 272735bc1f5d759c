/* pair.c - what the processor must have, see pair.h. */

#include "base/pair.h"

#if defined(__x86_64__)

#include <cpuid.h>

bool weir_pair_supported(void)
{
    unsigned eax;
    unsigned ebx;
    unsigned ecx;
    unsigned edx;
    if (__get_cpuid(1, &eax, &ebx, &ecx, &edx) == 0) {
        return false;
    }
    return (ecx & bit_CMPXCHG16B) != 0 && (ecx & bit_AVX) != 0;
}

#else

bool weir_pair_supported(void)
{
    return true; /* ldaxp and stlxp are in the base of ARMv8 */
}

#endif
