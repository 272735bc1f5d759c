/* memory.c - the table in this process's own memory, with the log arena beside it.
 *
 * Without an allocator the table is mapped, and in huge pages where the system gives them: a random
 * slot of a large table then costs one miss, not two. What is left over at the end of a large table
 * is in small pages, so that no more is taken than was asked for. After fork() a child has a copy
 * of its own; processes that are to share a table open an shm file. */

#include "base/alloc.h"
#include "base/error.h"
#include "store/table_store.h"

#include <assert.h>
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#define HUGE_PAGE ((size_t)2 << 20)
#define SMALL_PAGE ((size_t)4 << 10)

/* Linux 5.14; an older kernel answers EINVAL, an older C library only lacks the name. */
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

static size_t whole_pages(size_t bytes, size_t page)
{
    return bytes & ~(page - 1);
}

static void unmap_table(struct weir_table_store *store)
{
    (void)munmap(store->table.header, store->table.header->bytes);
}

static void release_table(struct weir_table_store *store)
{
    weir_release(store->allocator, store->table.header, store->table.header->bytes);
}

/* Touches every page by writing: memory that is first read is mapped to the page of zeros, and a
 * huge one of those is broken into small pages at the first write. It also finds out now, not in
 * the middle of a flood, that there is no memory. False where the kernel says so. */
static bool populate(char *start, size_t bytes)
{
    if (madvise(start, bytes, MADV_POPULATE_WRITE) == 0) {
        return true;
    }
    if (errno != EINVAL) {
        return false;
    }
    for (size_t i = 0; i < bytes; i += SMALL_PAGE) {
        *(volatile char *)(start + i) = 0;
    }
    return true;
}

/* Zeroed memory from the system, aligned to a huge page where it is that large; NULL if there is
 * none. */
static void *map_table(size_t bytes)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const size_t wanted = whole_pages(bytes + page - 1, page);
    const size_t slack = wanted >= HUGE_PAGE ? HUGE_PAGE : 0;
    char *start =
        mmap(NULL, wanted + slack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (start == MAP_FAILED) {
        return NULL;
    }
    if (slack == 0) {
        return start; /* smaller than a huge page: pages come as they are touched */
    }
    const size_t before = (HUGE_PAGE - (uintptr_t)start % HUGE_PAGE) % HUGE_PAGE;
    if (before > 0) {
        (void)munmap(start, before);
    }
    if (slack > before) {
        (void)munmap(start + before + wanted, slack - before);
    }
    /* A kernel without huge pages says no, and small ones serve. */
    (void)madvise(start + before, whole_pages(wanted, HUGE_PAGE), MADV_HUGEPAGE);
    if (!populate(start + before, wanted)) {
        (void)munmap(start + before, wanted);
        return NULL;
    }
    return start + before;
}

static enum weir_status make_table(struct weir_table_store *self,
                                   const struct weir_store_options *options)
{
    const bool from_allocator = options->allocator != NULL;
    const uint64_t slots = weir_table_slots(options->size);
    const uint64_t bytes = weir_table_bytes(slots);
    void *memory = from_allocator ? weir_alloc(self->allocator, bytes, WEIR_TABLE_SET_BYTES)
                                  : map_table(bytes);
    if (memory == NULL) {
        return WEIR_ERR_NO_MEMORY;
    }
    self->table.header = memory;
    self->table.header->bytes = bytes;
    self->release_memory = from_allocator ? release_table : unmap_table;
    enum weir_status status = weir_table_format(memory, slots, options->now_us);
    if (status == WEIR_OK) {
        weir_table_init(&self->table, memory);
    }
    return status;
}

enum weir_status weir_memory_open(const struct weir_store_options *options,
                                  struct weir_store **ret_store, struct weir_error *ret_error)
{
    assert(options->size >= WEIR_TABLE_SIZE_MIN && options->size <= WEIR_TABLE_SIZE_MAX);
    struct weir_table_store *self = weir_table_store_new(options->allocator, WEIR_SOURCE_MEMORY);
    if (self == NULL) {
        weir_error_set(ret_error, 0, 0, "out of memory");
        return WEIR_ERR_NO_MEMORY;
    }
    enum weir_status status = make_table(self, options);
    if (status == WEIR_OK) {
        status = weir_logs_open(options->log_size, options->allocator, &self->logs);
    }
    if (status != WEIR_OK) {
        weir_error_set(ret_error, 0, 0, "a table of %llu bytes and logs of %llu: %s",
                       (unsigned long long)options->size, (unsigned long long)options->log_size,
                       weir_strerror(status));
        weir_table_store_free(self);
        return status;
    }
    self->store.algorithms = WEIR_ALGORITHMS_ALL;
    *ret_store = &self->store;
    return WEIR_OK;
}
