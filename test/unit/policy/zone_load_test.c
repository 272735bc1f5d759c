/* zone_load_test.c - TZif files: what each part of one means, and what is wrong with those that are
 * wrong.
 *
 * The files are made here, byte by byte, by struct file; the windows that follow from good ones are
 * the matter of algo/zone_test.c. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "algo/zone.h"
#include "base/alloc.h"
#include "policy/zone_load.h"
#include "policy/zone_rule.h"
#include "support/random.h"
#include "unit/policy/limit_support.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define HOUR 3600

/* ---- Making files ------------------------------------------------------------------------- */

struct file {
    char bytes[4096];
    size_t len;
};

static void put_bytes(struct file *file, const void *bytes, size_t len)
{
    assert_true(file->len + len <= sizeof(file->bytes));
    memcpy(file->bytes + file->len, bytes, len);
    file->len += len;
}

static void put_number(struct file *file, uint64_t number, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        const char byte = (char)(number >> (8 * (size - 1 - i)) & 0xff);
        put_bytes(file, &byte, 1);
    }
}

static void put_header(struct file *file, char version, const uint32_t counts[6])
{
    put_bytes(file, "TZif", 4);
    put_bytes(file, &version, 1);
    put_bytes(file, (const char[15]){0}, 15);
    for (size_t i = 0; i < 6; i++) {
        put_number(file, counts[i], 4);
    }
}

/* What the block that matters holds. Two types, standard and summer, whose names are "STD" and
 * "DST". */
struct content {
    size_t time_count;
    int64_t times[8];
    uint8_t indices[8];
    int32_t standard_s;
    int32_t summer_s;
};

static void put_block(struct file *file, char version, size_t time_size,
                      const struct content *content)
{
    const uint32_t counts[6] = {2, 2, 0, (uint32_t)content->time_count, 2, 8};
    put_header(file, version, counts);
    for (size_t i = 0; i < content->time_count; i++) {
        put_number(file, (uint64_t)content->times[i], time_size);
    }
    put_bytes(file, content->indices, content->time_count);
    put_number(file, (uint32_t)content->standard_s, 4);
    put_bytes(file, "\0\0", 2);
    put_number(file, (uint32_t)content->summer_s, 4);
    put_bytes(file, "\1\4", 2);
    put_bytes(file, "STD\0DST\0", 8);
    put_bytes(file, "\1\1\1\1", 4); /* two isstd, two isut */
}

static struct file make_old(const struct content *content)
{
    struct file file = {.len = 0};
    put_block(&file, '\0', 4, content);
    return file;
}

/* The first block has nothing that anybody should believe. */
static struct file make_new(char version, const struct content *content, const char *rule)
{
    static const uint32_t few[6] = {0, 0, 0, 0, 1, 1};
    struct file file = {.len = 0};
    put_header(&file, version, few);
    put_bytes(&file, "\x7f\xff\xff\xff\x09\x09!", 7);
    put_block(&file, version, 8, content);
    put_bytes(&file, "\n", 1);
    put_bytes(&file, rule, strlen(rule));
    put_bytes(&file, "\n", 1);
    return file;
}

/* ---- Reading them ------------------------------------------------------------------------- */

static const struct weir_zone *parse(const struct file *file)
{
    const struct weir_zone *zone = NULL;
    const char *why = "nothing";
    if (weir_zone_parse(weir_bytes(file->bytes, file->len), weir_allocator_or_default(NULL), &zone,
                        &why) != WEIR_OK) {
        fail_msg("refused: %s", why);
    }
    return zone;
}

static void release(const struct weir_zone *zone)
{
    weir_zone_free(zone, weir_allocator_or_default(NULL));
}

static void expect_refusal(struct weir_bytes bytes, const char *piece)
{
    const struct weir_zone *zone = NULL;
    const char *why = NULL;
    assert_int_equal(weir_zone_parse(bytes, weir_allocator_or_default(NULL), &zone, &why),
                     WEIR_ERR_FORMAT);
    assert_null(zone);
    assert_non_null(why);
    if (strstr(why, piece) == NULL) {
        fail_msg("not \"%s\" but \"%s\"", piece, why);
    }
}

static int32_t offset_at(const struct weir_zone *zone, int64_t second)
{
    size_t i = 0;
    while (i + 1 < zone->count && zone->starts[i + 1] <= second) {
        i++;
    }
    return zone->offsets[i];
}

/* What every zone is, whatever file it came from. */
static void check_zone(const struct weir_zone *zone)
{
    assert_true(zone->count >= 1);
    assert_true(zone->starts[0] == INT64_MIN);
    for (size_t i = 0; i < zone->count; i++) {
        assert_true(zone->offsets[i] >= -WEIR_ZONE_OFFSET_MAX);
        assert_true(zone->offsets[i] <= WEIR_ZONE_OFFSET_MAX);
        assert_true(i == 0 || zone->starts[i] > zone->starts[i - 1]);
        assert_true(i == 0 || zone->offsets[i] != zone->offsets[i - 1]);
    }
    for (int64_t now_us = 0; now_us <= WEIR_TIME_MAX; now_us += WEIR_TIME_MAX / 16) {
        int64_t start_us;
        int64_t end_us;
        weir_zone_window(zone, WEIR_CALENDAR_MONTH, now_us, &start_us, &end_us);
        assert_true(start_us <= now_us && now_us < end_us);
    }
}

static const struct content two_changes = {
    .time_count = 2,
    .times = {1000000, 2000000},
    .indices = {1, 0},
    .standard_s = HOUR,
    .summer_s = 2 * HOUR,
};

static void a_file_of_the_first_version_ends_with_its_last_change(void **state)
{
    (void)state;
    const struct file file = make_old(&two_changes);
    const struct weir_zone *zone = parse(&file);
    check_zone(zone);
    assert_int_equal(zone->count, 3);
    assert_int_equal(offset_at(zone, 999999), HOUR);
    assert_int_equal(offset_at(zone, 1000000), 2 * HOUR);
    assert_int_equal(offset_at(zone, 1999999), 2 * HOUR);
    assert_int_equal(offset_at(zone, 2000000), HOUR);
    assert_int_equal(offset_at(zone, INT64_C(4000000000)), HOUR);
    release(zone);
}

/* 1981-03-29 01:00 UTC is the last Sunday of March; 2100 is far past what a file lists. */
static void a_rule_goes_on_where_the_changes_end(void **state)
{
    (void)state;
    for (int version = '2'; version <= '4'; version++) {
        const struct file file = make_new((char)version, &two_changes, "STD-1DST,M3.5.0,M10.5.0/3");
        const struct weir_zone *zone = parse(&file);
        check_zone(zone);
        assert_int_equal(offset_at(zone, 1500000), 2 * HOUR);
        assert_int_equal(offset_at(zone, 2000000), HOUR);
        assert_int_equal(offset_at(zone, 354675599), HOUR);
        assert_int_equal(offset_at(zone, 354675600), 2 * HOUR);
        assert_int_equal(offset_at(zone, INT64_C(4109878799)), HOUR); /* 2100-03-28 00:59:59 */
        assert_int_equal(offset_at(zone, INT64_C(4109878800)), 2 * HOUR);
        release(zone);
    }
}

static void a_rule_may_be_missing_or_without_summer(void **state)
{
    (void)state;
    static const char *const rules[] = {"", "STD-1", "<+01>-1"};
    for (size_t i = 0; i < 3; i++) {
        const struct file file = make_new('2', &two_changes, rules[i]);
        const struct weir_zone *zone = parse(&file);
        check_zone(zone);
        assert_int_equal(zone->count, 3);
        assert_int_equal(offset_at(zone, INT64_C(4000000000)), HOUR);
        release(zone);
    }
}

/* With no change at all the rule holds from the beginning. Summer all year, as RFC 8536 has it, is
 * one offset; so is a summer whose end comes after the next one's start. */
static void a_rule_alone_is_a_zone(void **state)
{
    (void)state;
    const struct content none = {.standard_s = HOUR, .summer_s = 2 * HOUR};
    static const struct {
        const char *rule;
        int32_t january;
        int32_t july;
    } rows[] = {
        {"STD-1", HOUR, HOUR},
        {"STD-1DST,M3.5.0,M10.5.0/3", HOUR, 2 * HOUR},
        {"STD-1DST,J90/0,299", HOUR, 2 * HOUR},
        {"STD-1DST,M10.1.0,M4.1.0/3", 2 * HOUR, HOUR},
        {"STD-1DST,0/0,J365/25", 2 * HOUR, 2 * HOUR},
        {"STD-1DST,J1/-100,J365/100", 2 * HOUR, 2 * HOUR},
        {"STD-1DST-3,M3.5.0,M10.5.0/3", HOUR, 3 * HOUR},
        {"STD-1DST0,M10.5.0,M3.5.0/1", 0, HOUR}, /* Dublin: winter is the exception */
        {"STD3DST2:30:15,M3.5.0,M10.5.0/3", -3 * HOUR, -(2 * HOUR + 1815)},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct file file = make_new('3', &none, rows[i].rule);
        const struct weir_zone *zone = parse(&file);
        check_zone(zone);
        for (int64_t year = 0; year < 140; year++) {
            const int64_t january =
                1209600 + year * 31556952; /* the middle of the month, roughly */
            const int64_t july = january + 182 * 86400;
            assert_int_equal(offset_at(zone, january), rows[i].january);
            assert_int_equal(offset_at(zone, july), rows[i].july);
        }
        if (rows[i].january == rows[i].july) {
            assert_int_equal(zone->count, 1);
        }
        release(zone);
    }
}

/* What lies before 1968 or after 2115 takes no room, and no arithmetic overflows on it. */
static void times_that_do_not_matter_are_left_out(void **state)
{
    (void)state;
    const struct content far = {
        .time_count = 5,
        .times = {INT64_MIN, -INT64_C(576460752303423488), 1000000, INT64_C(1) << 40, INT64_MAX},
        .indices = {1, 0, 1, 0, 1},
        .standard_s = HOUR,
        .summer_s = 2 * HOUR,
    };
    const struct file file = make_new('2', &far, "STD-1DST,M3.5.0,M10.5.0/3");
    const struct weir_zone *zone = parse(&file);
    check_zone(zone);
    assert_int_equal(zone->count, 2);
    assert_int_equal(offset_at(zone, 0), HOUR);
    assert_int_equal(offset_at(zone, 1000000), 2 * HOUR);
    release(zone);
}

/* ---- Wrong files -------------------------------------------------------------------------- */

/* A change of `len` bytes at `at`, in the file of make_new('2', &two_changes, "STD-1"). */
static const struct {
    size_t at;
    const char *bytes;
    size_t len;
    const char *piece;
} damages[] = {
    {0, "tzif", 4, "does not start with TZif"},
    {4, "1", 1, "its version is not 1 to 4"},
    {4, "5", 1, "its version is not 1 to 4"},
    {4, "3", 1, "two versions disagree"},
    {51, "TZIF", 4, "does not start with TZif"},
    {55, "\0", 1, "two versions disagree"},
    {20, "\xff\xff\xff\xff", 4, "counts are wrong"},
    {32, "\xff\xff\xff\xff", 4, "counts are wrong"},
    /* The second block's counts: isut, isstd, leap, time, type, char. */
    {71, "\0\0\0\1", 4, "its counts disagree"},
    {75, "\0\0\0\1", 4, "its counts disagree"},
    {83, "\0\0\0\3", 4, "counts are wrong"},
    {87, "\0\0\0\0", 4, "it has no types"},
    {91, "\0\0\0\0", 4, "names do not end in NUL"},
    {91, "\0\0\0\7", 4, "names do not end in NUL"},
    {91, "\xff\xff\xff\xff", 4, "counts are wrong"},
    /* Times at 95, indices at 111, types at 113, names at 125, indicators at 133, footer at 137. */
    {103, "\0\0\0\0\0\x0f\x42\x40", 8, "out of order"},
    {103, "\0\0\0\0\0\x0f\x42\x3f", 8, "out of order"},
    {111, "\2", 1, "a transition is to a type that it lacks"},
    {113, "\x7f\xff\xff\xff", 4, "over 26 hours"},
    {113, "\x80\0\0\0", 4, "over 26 hours"},
    {113, "\0\1\x6d\xa1", 4, "over 26 hours"},
    {117, "\2", 1, "neither summer nor standard"},
    {118, "\x08", 1, "outside the names"},
    {132, "x", 1, "names do not end in NUL"},
    {133, "\2", 1, "indicator"},
    {136, "\2", 1, "indicator"},
    {137, "x", 1, "last line is cut short"},
    {138, "1", 1, "last line is no rule"},
    {143, "x", 1, "last line is cut short"},
};

static void a_damaged_file_is_refused_for_its_reason(void **state)
{
    (void)state;
    const struct file good = make_new('2', &two_changes, "STD-1");
    assert_int_equal(good.len, 144);
    for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
        struct file file = good;
        memcpy(file.bytes + damages[i].at, damages[i].bytes, damages[i].len);
        expect_refusal(weir_bytes(file.bytes, file.len), damages[i].piece);
    }
    /* A leap second takes twelve bytes more. */
    struct file file = good;
    put_bytes(&file, "\0\0\0\0\0\0\0\0\0\0\0\1", 12);
    memcpy(file.bytes + 79, "\0\0\0\1", 4);
    expect_refusal(weir_bytes(file.bytes, file.len), "leap seconds");
    /* 26 hours to the second is an offset. */
    file = good;
    memcpy(file.bytes + 119, "\0\1\x6d\xa0", 4);
    release(parse(&file));
}

/* Cut anywhere, or with a byte too many, and in memory of just that size: none past it is read. */
static void a_file_of_another_length_is_refused(void **state)
{
    (void)state;
    const struct file files[] = {make_old(&two_changes),
                                 make_new('2', &two_changes, "STD-1DST,M3.5.0,M10.5.0/3"),
                                 make_new('3', &two_changes, "")};
    for (size_t i = 0; i < 3; i++) {
        for (size_t len = 0; len < files[i].len; len++) {
            char *exact = malloc(len + 1);
            assert_non_null(exact);
            memcpy(exact + 1, files[i].bytes, len);
            expect_refusal(weir_bytes(exact + 1, len), "");
            free(exact);
        }
        struct file longer = files[i];
        put_bytes(&longer, "\0", 1);
        expect_refusal(weir_bytes(longer.bytes, longer.len), "");
    }
}

/* Any byte of a good file changed to any other: refused, or a zone like any other. */
static void a_file_with_any_byte_changed_is_refused_or_a_zone(void **state)
{
    (void)state;
    const struct file good = make_new('3', &two_changes, "STD-1DST,M3.5.0/-1,M10.5.0/3");
    size_t zones = 0;
    size_t refusals = 0;
    for (size_t at = 0; at < good.len; at++) {
        for (int value = 0; value < 256; value++) {
            struct file file = good;
            file.bytes[at] = (char)value;
            const struct weir_zone *zone = NULL;
            const char *why = NULL;
            if (weir_zone_parse(weir_bytes(file.bytes, file.len), weir_allocator_or_default(NULL),
                                &zone, &why) == WEIR_OK) {
                check_zone(zone);
                release(zone);
                zones++;
            } else {
                assert_non_null(why);
                refusals++;
            }
        }
    }
    assert_true(zones > 1000 && refusals > 1000);
}

/* ---- Rules -------------------------------------------------------------------------------- */

static void rules_are_read_whole_or_not_at_all(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool plain;    /* a rule of version 2 */
        bool extended; /* of version 3 and 4 */
    } rows[] = {
        {"UTC0", true, true},
        {"ABCDEFGHIJ+12:34:56", true, true},
        {"<-03>3", true, true},
        {"<+1245>-12:45<+1345>,M9.5.0/2:45,M4.1.0/3:45", true, true},
        {"EST5EDT,J1,J365", true, true},
        {"EST5EDT,0,365/24", true, true},
        {"EST5EDT4:30,M1.1.0,M12.5.6/24:00:00", true, true},
        {"EST24", true, true},
        {"EST5EDT,M3.2.0/25,M11.1.0", false, true},
        {"EST5EDT,M3.2.0/-1,M11.1.0/+2", false, true},
        {"EST5EDT,M3.2.0/167:59:59,M11.1.0/-167", false, true},
        {"EST5EDT,M3.2.0/168,M11.1.0", false, false},
        {"", false, false},
        {"E5", false, false},
        {"ES5", false, false},
        {"EST", false, false},
        {"EST25", false, false},
        {"EST5:60", false, false},
        {"EST5:00:60", false, false},
        {"EST5:", false, false},
        {"EST+-5", false, false},
        {"EST0005", false, false},
        {"<ES>5", false, false},
        {"<EST5", false, false},
        {"<E.T>5", false, false},
        {"ES15", false, false},
        {"EST5EDT", false, false},
        {"EST5EDT4", false, false},
        {"EST5EDT,", false, false},
        {"EST5EDT,M3.2.0", false, false},
        {"EST5EDT,M3.2.0,", false, false},
        {"EST5EDT,M0.2.0,M11.1.0", false, false},
        {"EST5EDT,M13.2.0,M11.1.0", false, false},
        {"EST5EDT,M3.0.0,M11.1.0", false, false},
        {"EST5EDT,M3.6.0,M11.1.0", false, false},
        {"EST5EDT,M3.2.7,M11.1.0", false, false},
        {"EST5EDT,M3.2,M11.1.0", false, false},
        {"EST5EDT,J0,J365", false, false},
        {"EST5EDT,J1,J366", false, false},
        {"EST5EDT,0,366", false, false},
        {"EST5EDT,M3.2.0/,M11.1.0", false, false},
        {"EST5EDT,M3.2.0,M11.1.0,", false, false},
        {"EST5EDT,M3.2.0,M11.1.0 ", false, false},
        {"EST5 ", false, false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct weir_zone_rule rule;
        const struct weir_bytes text = weir_text(rows[i].text);
        if (weir_zone_rule_parse(text, false, &rule) != rows[i].plain ||
            weir_zone_rule_parse(text, true, &rule) != rows[i].extended) {
            fail_msg("'%s'", rows[i].text);
        }
    }
}

/* Dates worked out by hand, from a calendar on the wall. */
static void dates_of_rules_are_those_of_the_calendar(void **state)
{
    (void)state;
    static const struct {
        const char *date;
        int64_t year;
        int64_t second;
    } rows[] = {
        {"M3.5.0", 2024, 1711854000},    /* Sunday, 2024-03-31 03:00 UTC at 2:00 an hour west */
        {"M3.2.0", 2024, 1710039600},    /* Sunday, 2024-03-10 */
        {"M2.5.4/0", 2024, 1709168400},  /* the fifth Thursday of February: the 29th */
        {"M2.5.4/0", 2023, 1677114000},  /* which is the fourth in 2023: the 23rd */
        {"M9.1.0/-1", 2024, 1725148800}, /* an hour before Sunday, 2024-09-01 */
        {"J60/0", 2024, 1709254800},     /* the 1st of March, always */
        {"J60/0", 2023, 1677632400},
        {"J59/0", 2024, 1709082000}, /* the 28th of February, always */
        {"59/0", 2024, 1709168400},  /* the 29th where there is one */
        {"59/0", 2023, 1677632400},
        {"365/0", 2024, 1735606800}, /* the 31st of December of a leap year */
        {"0/0", 1970, 3600},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[64];
        (void)snprintf(text, sizeof(text), "STD1DST,%s,J1", rows[i].date);
        struct weir_zone_rule rule;
        assert_true(weir_zone_rule_parse(weir_text(text), true, &rule));
        const int64_t second =
            weir_zone_date_second(&rule.summer_start, rows[i].year, rule.standard_s);
        if (second != rows[i].second) {
            fail_msg("%s in %d: %lld", rows[i].date, (int)rows[i].year, (long long)second);
        }
    }
}

/* ---- Folders ------------------------------------------------------------------------------ */

static void write_file(const char *folder, const char *name, const void *bytes, size_t len)
{
    char path[256];
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

static void remove_file(const char *folder, const char *name)
{
    char path[256];
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    assert_int_equal(remove(path), 0);
}

static void expect_load(const char *folder, const char *name, enum weir_status expected,
                        const char *piece)
{
    const struct weir_zone *zone = NULL;
    struct weir_error error = {0};
    const enum weir_status status =
        weir_zone_load(folder, name, weir_allocator_or_default(NULL), &zone, &error);
    if (status != expected || strstr(error.message, piece) == NULL) {
        fail_msg("'%s': status %d: %s", name, (int)status, error.message);
    }
    release(zone);
}

static void only_plain_files_of_a_zone_are_read(void **state)
{
    (void)state;
    char folder[] = "/tmp/weir-zones-XXXXXX";
    assert_non_null(mkdtemp(folder));
    char path[256];
    const struct file good = make_new('2', &two_changes, "STD-1");
    static char large[WEIR_ZONE_FILE_MAX + 1];
    memcpy(large, good.bytes, good.len);
    write_file(folder, "Good", good.bytes, good.len);
    write_file(folder, "Empty", "", 0);
    write_file(folder, "Short", good.bytes, good.len - 1);
    write_file(folder, "Full", large, WEIR_ZONE_FILE_MAX);
    write_file(folder, "Large", large, WEIR_ZONE_FILE_MAX + 1);
    (void)snprintf(path, sizeof(path), "%s/Pipe", folder);
    assert_int_equal(mkfifo(path, 0600), 0);
    (void)snprintf(path, sizeof(path), "%s/Loop", folder);
    assert_int_equal(symlink("Loop", path), 0);
    (void)snprintf(path, sizeof(path), "%s/Folder", folder);
    assert_int_equal(mkdir(path, 0700), 0);

    expect_load(folder, "Good", WEIR_OK, "");
    expect_load(folder, "Empty", WEIR_ERR_SYSTEM, "it is empty");
    expect_load(folder, "Short", WEIR_ERR_SYSTEM, "'Short'");
    expect_load(folder, "Short", WEIR_ERR_SYSTEM, "can't be used: its last line is cut short");
    expect_load(folder, "Full", WEIR_ERR_SYSTEM, "its last line");
    expect_load(folder, "Large", WEIR_ERR_SYSTEM, "over 256 KiB");
    expect_load(folder, "Pipe", WEIR_ERR_LIMIT, "no time zone 'Pipe'");
    expect_load(folder, "Folder", WEIR_ERR_LIMIT, "no time zone 'Folder'");
    expect_load(folder, "Good/More", WEIR_ERR_LIMIT, "no time zone 'Good/More'");
    expect_load(folder, "Loop", WEIR_ERR_SYSTEM, "open of time zone 'Loop'");
    expect_load("/nowhere", "Good", WEIR_ERR_LIMIT, "in /nowhere");

    static const char *const names[] = {"Good",  "Empty", "Short", "Full",
                                        "Large", "Pipe",  "Loop",  "Folder"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        remove_file(folder, names[i]);
    }
    assert_int_equal(rmdir(folder), 0);
}

/* A directory's name that leaves no room for the zone's is an error, not a cut path. */
static void a_path_that_is_too_long_is_refused(void **state)
{
    (void)state;
    static char folder[5000];
    memset(folder, '/', sizeof(folder) - 1);
    expect_load(folder, "UTC", WEIR_ERR_SYSTEM, "open of time zone 'UTC'");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_of_the_first_version_ends_with_its_last_change),
        cmocka_unit_test(a_rule_goes_on_where_the_changes_end),
        cmocka_unit_test(a_rule_may_be_missing_or_without_summer),
        cmocka_unit_test(a_rule_alone_is_a_zone),
        cmocka_unit_test(times_that_do_not_matter_are_left_out),
        cmocka_unit_test(a_damaged_file_is_refused_for_its_reason),
        cmocka_unit_test(a_file_of_another_length_is_refused),
        cmocka_unit_test(a_file_with_any_byte_changed_is_refused_or_a_zone),
        cmocka_unit_test(rules_are_read_whole_or_not_at_all),
        cmocka_unit_test(dates_of_rules_are_those_of_the_calendar),
        cmocka_unit_test(only_plain_files_of_a_zone_are_read),
        cmocka_unit_test(a_path_that_is_too_long_is_refused),
    };
    return cmocka_run_group_tests_name("zone files", tests, NULL, NULL);
}
