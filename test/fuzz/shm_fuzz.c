/* shm_fuzz.c - any bytes as the file of an shm: store: it is refused and left as it is, or it
 * works.
 *
 * The file is what it is given, over a good file: its header's bytes first (whatever is not given
 * is as it should be), then the slots'. Its first byte says whether the header is signed anew, and
 * whether the file is cut or extended, as else hardly any input would get past the checksum. */

#include "store/table.h"
#include "store/table_format.h"
#include "weir/weir.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SLOTS 512
#define FILE_BYTES (2048 + SLOTS * 16)
#define MORE 256
#define NOW_US INT64_C(1767225600000000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool so, const char *what)
{
    if (!so) {
        (void)fprintf(stderr, "%s\n", what);
        abort();
    }
}

static size_t make_bytes(const uint8_t *data, size_t size, unsigned char *bytes)
{
    struct weir_table_header header;
    const uint8_t flags = size > 0 ? data[0] : 0;
    size_t length = FILE_BYTES;
    memset(&header, 0, sizeof(header));
    must(weir_table_format(&header, SLOTS, NOW_US) == WEIR_OK, "no random bytes");
    header.secret = (struct weir_secret){1, 2};
    header.checksum = weir_table_checksum(&header);
    memset(bytes, 0, FILE_BYTES + MORE);
    memcpy(bytes, &header, sizeof(header));
    if (size > 1) {
        memcpy(bytes, data + 1, size - 1 < FILE_BYTES ? size - 1 : FILE_BYTES);
    }
    if ((flags & 1) != 0) {
        memcpy(&header, bytes, sizeof(header));
        header.checksum = weir_table_checksum(&header);
        memcpy(bytes, &header, sizeof(header));
    }
    if ((flags & 2) != 0) {
        length = size - 1;
    } else if ((flags & 4) != 0) {
        length += flags;
    }
    return length < FILE_BYTES + MORE ? length : FILE_BYTES + MORE;
}

static void use(struct weir *weir)
{
    static const char *const texts[] = {"5/m block 1h", "5/m sliding-window", "5/m fixed-window",
                                        "5/d leaky-bucket", "5/day calendar-window"};
    struct weir_stats stats = {.size = sizeof(stats)};
    struct weir_decision decision;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct weir_limit *limit = NULL;
        must(weir_limit_parse(weir_text(texts[i]), NULL, &limit, NULL) == WEIR_OK, texts[i]);
        for (char key = 'a'; key != 'q'; key++) {
            const struct weir_bytes name = weir_bytes(&key, 1);
            must(weir_check(weir, limit, name, 1, NOW_US, &decision) == WEIR_OK, "check");
            must(decision.remaining <= 5, "more is left than the limit allows");
            must(weir_refund(weir, limit, name, 1, NOW_US, &decision) == WEIR_OK, "refund");
            must(weir_reset(weir, limit, name) == WEIR_OK, "reset");
        }
        weir_limit_free(limit);
    }
    must(weir_stats(weir, NOW_US, &stats) == WEIR_OK, "stats");
    must(stats.used <= stats.slots, "more is used than there is");
}

static void read_back(int file, const unsigned char *bytes, size_t length)
{
    static unsigned char after[FILE_BYTES + MORE + 1];
    const ssize_t got = pread(file, after, sizeof(after), 0);
    must(got >= 0 && (size_t)got == length && memcmp(after, bytes, length) == 0,
         "a file that was refused was changed");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static unsigned char bytes[FILE_BYTES + MORE];
    char path[] = "/dev/shm/weir-fuzz-XXXXXX";
    char elsewhere[] = "/tmp/weir-fuzz-XXXXXX";
    char url[64];
    struct weir *weir = NULL;
    struct weir_error error = {0, 0, ""};
    const size_t length = make_bytes(data, size, bytes);
    char *name = path;
    int file = mkstemp(path);
    if (file < 0) {
        name = elsewhere;
        file = mkstemp(elsewhere);
    }
    must(file >= 0 && write(file, bytes, length) == (ssize_t)length, "the file can't be written");
    (void)snprintf(url, sizeof(url), "shm:%s", name);
    const enum weir_status status = weir_open(url, NULL, &weir, &error);
    if (status == WEIR_OK) {
        use(weir);
        weir_close(weir);
    } else {
        must(status == WEIR_ERR_FORMAT && weir == NULL, "another error than was due");
        must(strstr(error.message, name) != NULL, "the message doesn't name the file");
        read_back(file, bytes, length);
    }
    (void)close(file);
    (void)unlink(name);
    return 0;
}
