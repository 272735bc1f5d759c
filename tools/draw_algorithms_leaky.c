/* draw_algorithms_leaky.c - leaky-bucket as a queue: above, who arrives; below, who leaves, and
 * when. */

#include "draw_algorithms.h"
#include "draw_algorithms_run.h"
#include "draw_algorithms_svg.h"

#include <inttypes.h>
#include <stdlib.h>

#define LIMIT "2/s leaky-bucket burst 6"
#define WIDTH 9600
#define LEFT 1700
#define RIGHT 9300
#define ARRIVE_Y 1500
#define LEAVE_Y 2900
#define UNTIL (8 * SECOND)

static int x_of(int64_t at_us)
{
    return LEFT + (int)(at_us * (RIGHT - LEFT) / UNTIL);
}

static void draw_frame(FILE *out)
{
    const struct svg_font label = {140, COLOUR_INK, "end", 1};
    for (int64_t tick_us = 0; tick_us <= UNTIL; tick_us += SECOND) {
        char text[48];
        const int x = x_of(tick_us);
        snprintf(text, sizeof(text), "%" PRId64 " s", tick_us / SECOND);
        svg_line(out, (struct svg_line){x, ARRIVE_Y - 250, x, LEAVE_Y + 150, 5, NULL}, COLOUR_GRID);
        svg_text(out, x, LEAVE_Y + 420, (struct svg_font){120, COLOUR_MUTED, "middle", 0}, text);
    }
    svg_line(out, (struct svg_line){LEFT, ARRIVE_Y, RIGHT, ARRIVE_Y, 14, NULL}, COLOUR_MUTED);
    svg_line(out, (struct svg_line){LEFT, LEAVE_Y, RIGHT, LEAVE_Y, 14, NULL}, COLOUR_MUTED);
    svg_text(out, LEFT - 200, ARRIVE_Y + 50, label, "arrives");
    svg_text(out, LEFT - 200, LEAVE_Y + 50, label, "leaves");
}

/* The denied of one moment stand one above the other. */
static void draw_denied(FILE *out, int64_t at_us, int above)
{
    const int x = x_of(at_us);
    const int y = ARRIVE_Y - 110 - 130 * above;
    svg_line(out, (struct svg_line){x - 40, y - 40, x + 40, y + 40, 24, NULL}, COLOUR_DENIED);
    svg_line(out, (struct svg_line){x - 40, y + 40, x + 40, y - 40, 24, NULL}, COLOUR_DENIED);
}

static void draw_admitted(FILE *out, int64_t at_us, int64_t delay_us)
{
    const int x = x_of(at_us);
    const int leaves = x_of(at_us + delay_us);
    char text[48];
    snprintf(text, sizeof(text), "%" PRId64 ".%" PRId64 " s", delay_us / SECOND,
             delay_us % SECOND / (SECOND / 10));
    svg_line(out, (struct svg_line){x, ARRIVE_Y, leaves, LEAVE_Y, 14, NULL}, COLOUR_LEAVING);
    svg_dot(out, x, ARRIVE_Y, 38, COLOUR_ADMITTED);
    svg_dot(out, leaves, LEAVE_Y, 38, COLOUR_LEAVING);
    svg_text(out, leaves, LEAVE_Y + 210, (struct svg_font){115, COLOUR_LEAVING, "middle", 0}, text);
}

void draw_leaky(FILE *out)
{
    struct arrivals arrivals = {0};
    add_arrivals(&arrivals, (struct burst){0, 0, 8});
    add_arrivals(&arrivals, (struct burst){1200 * SECOND / 1000, SECOND / 5, 4});
    add_arrivals(&arrivals, (struct burst){6200 * SECOND / 1000, SECOND / 5, 3});
    struct run *run = run_limit(LIMIT, &arrivals, 0, UNTIL);
    svg_begin(out, WIDTH, LEAVE_Y + 900, "leaky-bucket: what arrives in a lump leaves evenly");
    svg_text(out, 250, 430, (struct svg_font){200, COLOUR_INK, "start", 1},
             "leaky-bucket: what arrives in a lump leaves evenly");
    svg_text(
        out, 250, 700, (struct svg_font){140, COLOUR_MUTED, "start", 0},
        "2 a second, a queue of 6; eight requests at once, four more from 1.2 s on, three from "
        "6.2 s on");
    draw_frame(out);
    int above = 0;
    for (size_t i = 0; i < run->count; i++) {
        const bool again = i > 0 && run->at_us[i] == run->at_us[i - 1];
        above = again && !run->decisions[i - 1].allowed ? above + 1 : 0;
        if (run->decisions[i].allowed) {
            draw_admitted(out, run->at_us[i], run->decisions[i].delay_us);
        } else {
            draw_denied(out, run->at_us[i], above);
        }
    }
    const int y = LEAVE_Y + 720;
    const struct svg_font font = {120, COLOUR_MUTED, "start", 0};
    svg_dot(out, LEFT, y - 40, 38, COLOUR_ADMITTED);
    svg_text(out, LEFT + 90, y, font, "admitted");
    svg_line(out, (struct svg_line){LEFT + 1000, y - 80, LEFT + 1080, y, 24, NULL}, COLOUR_DENIED);
    svg_line(out, (struct svg_line){LEFT + 1000, y, LEFT + 1080, y - 80, 24, NULL}, COLOUR_DENIED);
    svg_text(out, LEFT + 1140, y, font, "denied: the queue is full");
    svg_dot(out, LEFT + 3000, y - 40, 38, COLOUR_LEAVING);
    svg_text(out, LEFT + 3090, y, font, "its turn, with the delay that the decision gave");
    svg_end(out);
    free(run);
}
