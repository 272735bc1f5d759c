/* table_format.h - the bytes of a table: the same in memory and in an shm file.
 *
 *     offset  bytes  what                                         written
 *          0      8  "weir-shm"                                   once, before it has its name
 *          8      4  version of this format, 1                    "
 *         12      4  bytes of this header, 2048                   "
 *         16      8  0x0102030405060708, as this machine has it   "
 *         24      8  number of slots, a multiple of 8             "
 *         32      8  bytes in all: 2048 + 16 * slots              "
 *         40     16  the secret of the hash                       "
 *         56      8  when it was made, us since 1970              "
 *         64      8  SipHash-1-3 of bytes 0..63 under no secret   "
 *         72     56  0                                            "
 *        128    512  8 stripes of 64: claims made, idle entries   by atomic addition; nothing is
 *                    evicted, live entries evicted (8 bytes each)  decided by them
 *        640   1408  0
 *       2048         the slots, 16 bytes each, see slot.h         by 16-byte swaps
 *
 * Numbers are in the byte order of the machine that made the file; another order is another format.
 */

#ifndef WEIR_STORE_TABLE_FORMAT_H
#define WEIR_STORE_TABLE_FORMAT_H

#include "base/hash.h"
#include "base/pair.h"

#include <stddef.h>

#define WEIR_TABLE_MAGIC "weir-shm"
#define WEIR_TABLE_VERSION 1
#define WEIR_TABLE_ORDER UINT64_C(0x0102030405060708)
#define WEIR_TABLE_STRIPES 8
#define WEIR_TABLE_SET_BYTES 128
#define WEIR_TABLE_SIZE_MIN ((uint64_t)8 << 10)
#define WEIR_TABLE_SIZE_MAX ((uint64_t)1 << 40)

struct weir_table_stripe {
    uint64_t claims;
    uint64_t evicted_idle;
    uint64_t evicted_live;
    uint64_t unused[5];
};

struct weir_table_header {
    char magic[8];
    uint32_t version;
    uint32_t header_bytes;
    uint64_t order;
    uint64_t slots;
    uint64_t bytes;
    struct weir_secret secret;
    int64_t created_us;
    uint64_t checksum;
    uint64_t unused[7];
    struct weir_table_stripe stripes[WEIR_TABLE_STRIPES];
    char padding[1408];
};

_Static_assert(sizeof(struct weir_table_stripe) == 64, "one cache line a stripe");
_Static_assert(offsetof(struct weir_table_header, secret) == 40, "format");
_Static_assert(offsetof(struct weir_table_header, checksum) == 64, "format");
_Static_assert(offsetof(struct weir_table_header, stripes) == 128, "format");
_Static_assert(sizeof(struct weir_table_header) == 2048, "format");
_Static_assert(sizeof(struct weir_table_header) % WEIR_TABLE_SET_BYTES == 0, "sets are aligned");

#endif
