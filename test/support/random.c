/* random.c - see random.h. */

#include "support/random.h"

#include <assert.h>
#include <stdlib.h>

struct random random_from(uint64_t seed)
{
    return (struct random){seed};
}

/* The splitmix64 generator: a counter, and a mixture of its bits. */
uint64_t random_next(struct random *random)
{
    random->state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = random->state;
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* The remainder leans to small numbers by at most bound / 2^64, which no test can tell. */
uint64_t random_below(struct random *random, uint64_t bound)
{
    assert(bound > 0);
    return random_next(random) % bound;
}

int64_t random_between(struct random *random, int64_t low, int64_t high)
{
    assert(low <= high);
    const uint64_t width = (uint64_t)high - (uint64_t)low;
    const uint64_t offset =
        width == UINT64_MAX ? random_next(random) : random_below(random, width + 1);
    return (int64_t)((uint64_t)low + offset);
}

uint64_t random_wide(struct random *random, uint64_t high)
{
    assert(high > 0);
    unsigned bits = 64 - (unsigned)__builtin_clzll(high);
    const unsigned wanted = 1 + (unsigned)random_below(random, bits);
    const uint64_t mask = wanted == 64 ? UINT64_MAX : (UINT64_C(1) << wanted) - 1;
    const uint64_t value = random_next(random) & mask;
    return value == 0 || value > high ? 1 + random_below(random, high) : value;
}

bool random_once_in(struct random *random, uint64_t often)
{
    return random_below(random, often) == 0;
}

uint64_t random_seed(uint64_t usual)
{
    const char *text = getenv("WEIR_SEED");
    return text != NULL && text[0] != '\0' ? strtoull(text, NULL, 0) : usual;
}

static double factor(const char *name, double usual)
{
    const char *text = getenv(name);
    return text != NULL && text[0] != '\0' ? strtod(text, NULL) : usual;
}

size_t random_rounds(size_t usual)
{
    const double rounds =
        (double)usual * factor("WEIR_TRACES", 1.0) * factor("WEIR_TEST_SCALE", 100.0) / 100.0;
    return rounds < 1.0 ? 1 : (size_t)rounds;
}
