/* name.c - under which name Redis keeps a key: see weir_redis_name in script.h.
 *
 * Why no two meet. The prefix is one and the same. KEY ends at the first '}', as it has none. The
 * algorithm is a word of letters and '-', and what follows it, ':' or '/', says whether a name or a
 * period is next. A name has no ':', so that ":block" after it can be none of its own; a period is
 * written in the largest unit that it is a whole number of, so that it has one text only, without
 * ':' too. */

#include "redis/script.h"

#include <assert.h>
#include <string.h>

#define SECOND_US INT64_C(1000000)

static bool escaped(unsigned char byte, bool in_key)
{
    return byte <= ' ' || byte == 0x7f || byte == '%' || byte == '{' || byte == '}' ||
           (byte == ':' && !in_key);
}

/* A name while it is put together. WEIR_REDIS_NAME_MAX is enough for each. */
struct name {
    size_t len;
    char text[WEIR_REDIS_NAME_MAX];
};

static void put(struct name *name, struct weir_bytes bytes)
{
    assert(bytes.len <= sizeof(name->text) - name->len);
    if (bytes.len > 0) {
        memcpy(name->text + name->len, bytes.ptr, bytes.len);
        name->len += bytes.len;
    }
}

static void put_escaped(struct name *name, struct weir_bytes bytes, bool in_key)
{
    static const char digits[] = "0123456789ABCDEF";
    assert(3 * bytes.len <= sizeof(name->text) - name->len);
    char *at = name->text + name->len;
    for (size_t i = 0; i < bytes.len; i++) {
        const unsigned char byte = (unsigned char)bytes.ptr[i];
        if (escaped(byte, in_key)) {
            *at++ = '%';
            *at++ = digits[byte >> 4];
            *at++ = digits[byte & 15];
        } else {
            *at++ = (char)byte;
        }
    }
    name->len = (size_t)(at - name->text);
}

static void put_period(struct name *name, int64_t period_us)
{
    static const struct {
        const char *name;
        int64_t us;
    } units[] = {{"d", 86400 * SECOND_US},
                 {"h", 3600 * SECOND_US},
                 {"m", 60 * SECOND_US},
                 {"s", SECOND_US},
                 {"ms", 1000},
                 {"us", 1}};
    size_t unit = 0;
    while (period_us % units[unit].us != 0) {
        unit++;
    }
    char digits[20];
    size_t at = sizeof(digits);
    for (int64_t rest = period_us / units[unit].us; rest > 0; rest /= 10) {
        digits[--at] = (char)('0' + rest % 10);
    }
    put(name, weir_bytes(digits + at, sizeof(digits) - at));
    put(name, weir_text(units[unit].name));
}

static void put_calendar(struct name *name, const struct weir_limit *limit)
{
    static const char *const words[] = {"",     "minute", "hour", "day",
                                        "week", "month",  "year", "epoch"};
    put(name, weir_text(words[limit->calendar]));
    if (limit->calendar == WEIR_CALENDAR_EPOCH) {
        put(name, weir_text("/"));
        put_period(name, limit->period_us);
    } else if (strcmp(limit->zone_name, "UTC") != 0) {
        put(name, weir_text("/"));
        put_escaped(name, weir_text(limit->zone_name), false);
    }
}

void weir_redis_name(struct weir_bytes prefix, const struct weir_limit *limit,
                     struct weir_bytes key, struct weir_buffer *out)
{
    assert(key.len <= WEIR_KEY_MAX);
    struct name name;
    name.len = 0;
    put(&name, prefix);
    put(&name, weir_text(":{"));
    if (key.len == 0) {
        put(&name, weir_text("%"));
    }
    put_escaped(&name, key, true);
    put(&name, weir_text("}:"));
    put(&name, weir_text(weir_algorithm_name(limit->algorithm)));
    if (limit->name_length > 0) {
        put(&name, weir_text(":"));
        put_escaped(&name, weir_bytes(limit->name, limit->name_length), false);
    } else if (limit->algorithm == WEIR_CALENDAR_WINDOW) {
        put(&name, weir_text("/"));
        put_calendar(&name, limit);
    } else {
        put(&name, weir_text("/"));
        put_period(&name, limit->period_us);
    }
    weir_buffer_put(out, weir_bytes(name.text, name.len));
}

/* CRC-16/XMODEM: the polynomial x^16 + x^12 + x^5 + 1, bit by bit from the top, as the cluster
 * specification has it. Four bits at a time. */
static uint16_t crc16(struct weir_bytes bytes)
{
    static const uint16_t table[16] = {0x0000, 0x1021, 0x2042, 0x3063, 0x4084, 0x50a5,
                                       0x60c6, 0x70e7, 0x8108, 0x9129, 0xa14a, 0xb16b,
                                       0xc18c, 0xd1ad, 0xe1ce, 0xf1ef};
    uint16_t crc = 0;
    for (size_t i = 0; i < bytes.len; i++) {
        const unsigned char byte = (unsigned char)bytes.ptr[i];
        crc = (uint16_t)(table[(crc >> 12 ^ byte >> 4) & 15] ^ crc << 4);
        crc = (uint16_t)(table[(crc >> 12 ^ byte) & 15] ^ crc << 4);
    }
    return crc;
}

uint16_t weir_redis_slot(struct weir_bytes name)
{
    const char *open = name.len > 0 ? memchr(name.ptr, '{', name.len) : NULL;
    if (open != NULL) {
        const char *tag = open + 1;
        const char *close = memchr(tag, '}', (size_t)(name.ptr + name.len - tag));
        if (close != NULL && close > tag) {
            name = weir_bytes(tag, (size_t)(close - tag));
        }
    }
    return crc16(name) % 16384;
}
