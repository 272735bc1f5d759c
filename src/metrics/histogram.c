/* histogram.c - see histogram.h.
 *
 * A time falls into two cells. One is of the log-linear scale, for quantiles: 8 cells an octave,
 * whose bounds are powers of two and the seven points between, which no one wants to read. The
 * other is one of the few that Prometheus is told, whose bounds are round. Both are found by
 * counting leading zeros, and neither is derived from the other, so that what is told is exact.
 *
 * Invariant: the cells of either scale add up to the count of times that were recorded. */

#include "metrics/histogram.h"

#include "base/alloc.h"
#include "metrics/counter.h"

/* From 2^10 ns, which is called a microsecond here, to 2^36 ns, which is 68.7 s. */
#define OCTAVE_FIRST 10
#define OCTAVE_END 36
#define CELLS_PER_OCTAVE 8
#define CELLS_SHIFT 3

/* What is shorter, each octave's, and what is longer. */
#define CELL_COUNT ((OCTAVE_END - OCTAVE_FIRST) * CELLS_PER_OCTAVE + 2)

/* What Prometheus is told: a time counts where it is not longer. The text is as a reader of
 * Prometheus writes the number. */
struct bound {
    int64_t ns;
    const char *text;
};

static const struct bound bounds[] = {
    {INT64_C(10000), "1e-05"},    {INT64_C(25000), "2.5e-05"},  {INT64_C(50000), "5e-05"},
    {INT64_C(100000), "0.0001"},  {INT64_C(250000), "0.00025"}, {INT64_C(500000), "0.0005"},
    {INT64_C(1000000), "0.001"},  {INT64_C(2500000), "0.0025"}, {INT64_C(5000000), "0.005"},
    {INT64_C(10000000), "0.01"},  {INT64_C(25000000), "0.025"}, {INT64_C(50000000), "0.05"},
    {INT64_C(100000000), "0.1"},  {INT64_C(250000000), "0.25"}, {INT64_C(500000000), "0.5"},
    {INT64_C(1000000000), "1"},   {INT64_C(2500000000), "2.5"}, {INT64_C(5000000000), "5"},
    {INT64_C(10000000000), "10"},
};

#define BOUND_COUNT (sizeof(bounds) / sizeof(bounds[0]))

struct weir_histogram {
    weir_counter cells[CELL_COUNT];
    weir_counter told[BOUND_COUNT + 1]; /* the last is of what is longer than all bounds */
    weir_counter sum_ns;
};

struct weir_histogram *weir_histogram_new(void)
{
    return weir_alloc(weir_allocator_or_default(NULL), sizeof(struct weir_histogram), WEIR_APART);
}

void weir_histogram_free(struct weir_histogram *histogram)
{
    weir_release(weir_allocator_or_default(NULL), histogram, sizeof(*histogram));
}

/* ---- Recording ---------------------------------------------------------------------------- */

/* The highest bit that is set; `ns` is 1 or more. */
static unsigned octave_of(uint64_t ns)
{
    return 63 - (unsigned)__builtin_clzll(ns);
}

static size_t cell_of(uint64_t ns)
{
    if (ns >> OCTAVE_FIRST == 0) {
        return 0;
    }
    const unsigned octave = octave_of(ns);
    if (octave >= OCTAVE_END) {
        return CELL_COUNT - 1;
    }
    const uint64_t within = (ns >> (octave - CELLS_SHIFT)) & (CELLS_PER_OCTAVE - 1);
    return 1 + (octave - OCTAVE_FIRST) * CELLS_PER_OCTAVE + (size_t)within;
}

/* The first bound of the scale that no time of this cell reaches. */
static int64_t end_of_cell(size_t cell)
{
    if (cell == CELL_COUNT - 1) {
        return INT64_MAX;
    }
    const size_t octave = OCTAVE_FIRST + cell / CELLS_PER_OCTAVE;
    const uint64_t within = CELLS_PER_OCTAVE + cell % CELLS_PER_OCTAVE;
    return (int64_t)(within << (octave - CELLS_SHIFT));
}

static size_t bound_of(int64_t ns)
{
    size_t low = 0;
    size_t high = BOUND_COUNT;
    while (low < high) {
        const size_t middle = (low + high) / 2;
        if (ns <= bounds[middle].ns) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

void weir_histogram_record(struct weir_histogram *histogram, int64_t ns)
{
    /* A clock that was read on two processors may seem to have gone back. */
    const int64_t took = ns > 0 ? ns : 0;
    weir_counter_add(&histogram->cells[cell_of((uint64_t)took)], 1);
    weir_counter_add(&histogram->told[bound_of(took)], 1);
    weir_counter_add(&histogram->sum_ns, (uint64_t)took);
}

void weir_histogram_add(struct weir_histogram *to, const struct weir_histogram *from)
{
    for (size_t i = 0; i < CELL_COUNT; i++) {
        weir_counter_add(&to->cells[i], weir_counter_read(&from->cells[i]));
    }
    for (size_t i = 0; i <= BOUND_COUNT; i++) {
        weir_counter_add(&to->told[i], weir_counter_read(&from->told[i]));
    }
    weir_counter_add(&to->sum_ns, weir_counter_read(&from->sum_ns));
}

/* ---- Reading ------------------------------------------------------------------------------ */

uint64_t weir_histogram_count(const struct weir_histogram *histogram)
{
    uint64_t count = 0;
    for (size_t i = 0; i <= BOUND_COUNT; i++) {
        count += weir_counter_read(&histogram->told[i]);
    }
    return count;
}

int64_t weir_histogram_quantile(const struct weir_histogram *histogram, unsigned share)
{
    uint64_t cells[CELL_COUNT];
    uint64_t count = 0;
    for (size_t i = 0; i < CELL_COUNT; i++) {
        cells[i] = weir_counter_read(&histogram->cells[i]);
        count += cells[i];
    }
    if (count == 0) {
        return 0;
    }
    /* Rounded up, in pieces that can't overflow. */
    uint64_t left = count / 10000 * share + (count % 10000 * share + 9999) / 10000;
    size_t cell = 0;
    while (cell < CELL_COUNT - 1 && left > cells[cell]) {
        left -= cells[cell++];
    }
    return end_of_cell(cell);
}

static void put_series(struct weir_buffer *out, const char *name, const char *suffix,
                       const char *labels)
{
    weir_buffer_put_text(out, name);
    weir_buffer_put_text(out, suffix);
    if (labels[0] != '\0') {
        weir_buffer_print(out, "{%s}", labels);
    }
    weir_buffer_put_text(out, " ");
}

void weir_histogram_tell(const struct weir_histogram *histogram, const char *name,
                         const char *labels, struct weir_buffer *out)
{
    const char *comma = labels[0] != '\0' ? "," : "";
    uint64_t count = 0;
    for (size_t i = 0; i <= BOUND_COUNT; i++) {
        count += weir_counter_read(&histogram->told[i]);
        weir_buffer_print(out, "%s_bucket{%s%sle=\"%s\"} ", name, labels, comma,
                          i < BOUND_COUNT ? bounds[i].text : "+Inf");
        weir_buffer_put_number(out, count);
        weir_buffer_put_text(out, "\n");
    }
    const uint64_t sum_ns = weir_counter_read(&histogram->sum_ns);
    put_series(out, name, "_sum", labels);
    weir_buffer_print(out, "%llu.%09llu\n", (unsigned long long)(sum_ns / 1000000000),
                      (unsigned long long)(sum_ns % 1000000000));
    put_series(out, name, "_count", labels);
    weir_buffer_put_number(out, count);
    weir_buffer_put_text(out, "\n");
}
