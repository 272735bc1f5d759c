/* process.c - the process_* metrics that Prometheus's own clients tell, under the same names.
 *
 * What can't be read is left out: a number that is not known is not 0. */

#include "metrics/tell.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static void tell_cpu(struct weir_buffer *out)
{
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) != 0) {
        return;
    }
    const int64_t seconds = (int64_t)usage.ru_utime.tv_sec + usage.ru_stime.tv_sec;
    const int64_t us = (int64_t)usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
    weir_tell_family(out, "process_cpu_seconds_total", "counter",
                     "Processor time used, the system's for it included.");
    weir_tell_seconds(out, "process_cpu_seconds_total", "", seconds * 1000000 + us);
}

/* The first two numbers of /proc/self/statm: pages of virtual memory, and of what is resident. */
static bool read_pages(uint64_t *ret_virtual, uint64_t *ret_resident)
{
    char text[128];
    const int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    const ssize_t len = read(fd, text, sizeof(text));
    (void)close(fd);
    uint64_t numbers[2] = {0, 0};
    size_t found = 0;
    for (ssize_t i = 0; i < len && found < 2; i++) {
        if (text[i] >= '0' && text[i] <= '9') {
            numbers[found] = numbers[found] * 10 + (uint64_t)(text[i] - '0');
        } else {
            found++;
        }
    }
    *ret_virtual = numbers[0];
    *ret_resident = numbers[1];
    return found == 2;
}

static void tell_memory(struct weir_buffer *out)
{
    uint64_t virtual_pages;
    uint64_t resident_pages;
    const long page = sysconf(_SC_PAGESIZE);
    if (page <= 0 || !read_pages(&virtual_pages, &resident_pages)) {
        return;
    }
    weir_tell_family(out, "process_resident_memory_bytes", "gauge", "Memory that is resident.");
    weir_tell_number(out, "process_resident_memory_bytes", "", resident_pages * (uint64_t)page);
    weir_tell_family(out, "process_virtual_memory_bytes", "gauge", "Virtual memory.");
    weir_tell_number(out, "process_virtual_memory_bytes", "", virtual_pages * (uint64_t)page);
}

/* Linux 6.2 and newer say how many there are as the folder's size; older ones say 0 there, and are
 * counted, less the descriptor that counts. */
static uint64_t count_descriptors(void)
{
    struct stat about;
    if (stat("/proc/self/fd", &about) == 0 && about.st_size > 0) {
        return (uint64_t)about.st_size;
    }
    DIR *folder = opendir("/proc/self/fd");
    if (folder == NULL) {
        return 0;
    }
    uint64_t count = 0;
    for (const struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        count += entry->d_name[0] != '.';
    }
    (void)closedir(folder);
    return count > 0 ? count - 1 : 0;
}

static void tell_descriptors(struct weir_buffer *out)
{
    const uint64_t count = count_descriptors();
    if (count > 0) {
        weir_tell_family(out, "process_open_fds", "gauge", "File descriptors that are open.");
        weir_tell_number(out, "process_open_fds", "", count);
    }
    struct rlimit most;
    if (getrlimit(RLIMIT_NOFILE, &most) == 0 && most.rlim_cur != RLIM_INFINITY) {
        weir_tell_family(out, "process_max_fds", "gauge",
                         "The most file descriptors that may be open.");
        weir_tell_number(out, "process_max_fds", "", most.rlim_cur);
    }
}

void weir_tell_process(struct weir_buffer *out, int64_t started_us)
{
    tell_cpu(out);
    tell_memory(out);
    tell_descriptors(out);
    weir_tell_family(out, "process_start_time_seconds", "gauge",
                     "When the process started, in seconds since 1970.");
    weir_tell_seconds(out, "process_start_time_seconds", "", started_us);
}
