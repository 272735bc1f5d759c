/* replay.c - runs files through a fuzzer's entry point without libFuzzer, so that every input that
 * once mattered is tried again by `make test`, on any compiler.
 *
 * Arguments: folders and files. Exits 1 where there was nothing to try, or a file can't be read. */

#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* No corpus file is larger than this. */
#define INPUT_MAX ((size_t)1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Tries one file; false where it can't be read whole. */
static bool try_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        return false;
    }
    uint8_t *data = malloc(INPUT_MAX);
    size_t size = data == NULL ? 0 : fread(data, 1, INPUT_MAX, file);
    bool whole = data != NULL && !ferror(file) && size < INPUT_MAX;
    (void)fclose(file);
    if (whole) {
        (void)LLVMFuzzerTestOneInput(data, size);
    } else {
        (void)fprintf(stderr, "%s: can't be read whole\n", path);
    }
    free(data);
    return whole;
}

/* Tries every file of a folder, in any order, adding to `count`; false at the first that can't be
 * read. */
static bool try_folder(DIR *folder, const char *path, size_t *count)
{
    for (const struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        if (entry->d_name[0] == '.') {
            continue;
        }
        char name[4096];
        int length = snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
        if (length < 0 || (size_t)length >= sizeof(name) || !try_file(name)) {
            return false;
        }
        ++*count;
    }
    return true;
}

int main(int argc, char **argv)
{
    size_t count = 0;
    for (int i = 1; i < argc; i++) {
        DIR *folder = opendir(argv[i]);
        bool well;
        if (folder != NULL) {
            well = try_folder(folder, argv[i], &count);
            (void)closedir(folder);
        } else {
            well = try_file(argv[i]);
            count++;
        }
        if (!well) {
            return 1;
        }
    }
    (void)printf("%zu inputs\n", count);
    return count > 0 ? 0 : 1;
}
