/* processor_test.c - says what opening a store comes to on the processor that runs it. Run under
 * qemu with processors that lack something, it has to refuse; with one that lacks nothing, it has
 * to work.
 *
 * Arguments: "refused" or "works", what is expected. Exits 0 where that is so. */

#include <weir/weir.h>

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    struct weir *weir = NULL;
    struct weir_error error = {0, 0, ""};
    const enum weir_status status = weir_open("memory:?size=8KiB", NULL, &weir, &error);
    printf("%s: %s\n", weir_status_name(status), error.message);
    if (argc != 2) {
        return 2;
    }
    if (strcmp(argv[1], "works") == 0) {
        weir_close(weir);
        return status == WEIR_OK ? 0 : 1;
    }
    return status == WEIR_ERR_UNSUPPORTED && weir == NULL &&
                   strstr(error.message, "this processor") != NULL
               ? 0
               : 1;
}
