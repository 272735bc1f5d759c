/* main.c - the program that bench/redis/measure.py talks to: the floors, replays, and weir.
 *
 *     bench-redis PORT             reads commands, one a line, and answers each with one of JSON:
 *
 *     wire NAME REPLIES LOW HIGH HEX               what a contender sends for one decision (load.h)
 *     weir NAME RULE LIMIT                         one of weir's: a rule's name or -, a limit
 *     run NAME LANES TOGETHER KEYS COUNT MS        makes COUNT decisions, or those of MS ms
 *
 * Read load.h first. The programs in go/, node/ and python/ answer `run` likewise. */

#include "load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_LEN 4096

static void run(const char *name, const struct load *load)
{
    struct load_answer answer = {0};
    if (load->lanes < 1 || load->lanes > LOAD_LANES_MAX || load->together < 1 ||
        load->together > LOAD_TOGETHER_MAX || load->keys < 1 || load->keys > LOAD_KEYS_MAX) {
        load_die("out of range: %s", name);
    }
    load_notes_clear();
    if (!wire_run(name, load, &answer) && !weir_run(name, load, &answer)) {
        load_die("who is '%s'?", name);
    }
    printf("{\"count\": %llu, \"admitted\": %llu, \"ns\": %lld, \"p50\": %lld, \"p99\": %lld}\n",
           (unsigned long long)answer.count, (unsigned long long)answer.admitted,
           (long long)answer.elapsed_ns, (long long)load_percentile_ns(50),
           (long long)load_percentile_ns(99));
}

static void command(const char *line)
{
    static char hex[LINE_MAX_LEN];
    char name[32];
    char rule[32];
    char text[64];
    unsigned replies;
    long long low;
    long long high;
    struct load load;
    unsigned long long count;
    unsigned milliseconds;
    if (sscanf(line, "wire %31s %u %lld %lld %4095s", name, &replies, &low, &high, hex) == 5) {
        wire_describe(name, replies, low, high, hex);
        printf("{}\n");
    } else if (sscanf(line, "weir %31s %31s %63[^\n]", name, rule, text) == 3) {
        weir_describe(name, strcmp(rule, "-") == 0 ? "" : rule, text);
        printf("{}\n");
    } else if (sscanf(line, "run %31s %u %u %u %llu %u", name, &load.lanes, &load.together,
                      &load.keys, &count, &milliseconds) == 6) {
        load.count = count;
        load.limit_ns = (int64_t)milliseconds * 1000000;
        run(name, &load);
    } else {
        load_die("what is meant by: %s", line);
    }
    (void)fflush(stdout);
}

int main(int argc, char **argv)
{
    char line[LINE_MAX_LEN];
    const unsigned long port = argc == 2 ? strtoul(argv[1], NULL, 10) : 0;
    if (port < 1 || port > UINT16_MAX) {
        load_die("usage: bench-redis PORT");
    }
    load_start();
    wire_connect((uint16_t)port);
    weir_connect((uint16_t)port);
    while (fgets(line, sizeof(line), stdin) != NULL) {
        command(line);
    }
    return 0;
}
