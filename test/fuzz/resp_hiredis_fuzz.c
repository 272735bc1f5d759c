/* resp_hiredis_fuzz.c - any bytes as what a server of RESP2 replies: our reader and hiredis's make
 * the same of them, but for what test/support/resp_oracle.h lists.
 *
 * The first byte says how the bytes are cut. */

#include "support/resp_oracle.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define INPUT_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > INPUT_MAX) {
        return 0;
    }
    const struct resp_feed feed = {(enum resp_pieces)(data[0] & 3), data[0] >> 2,
                                   random_from(data[0])};
    char *objection = resp_oracle_objection(weir_bytes(data + 1, size - 1), feed);
    if (objection != NULL) {
        (void)fputs(objection, stderr);
        abort();
    }
    return 0;
}
