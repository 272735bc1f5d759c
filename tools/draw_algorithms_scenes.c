/* draw_algorithms_scenes.c - the same arrivals under several limits, a lane for each.
 *
 * In a lane time goes to the right. A request that was admitted is a bar upwards, one that was
 * denied a short bar downwards, so that the two differ without their colours, too. The pale area
 * behind is what remains: how many requests would be admitted at that moment. Dashed lines are the
 * edges of windows. */

#include "draw_algorithms.h"
#include "draw_algorithms_run.h"
#include "draw_algorithms_svg.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define LANES_MAX 6
#define BURSTS_MAX 4

struct scene {
    const char *name;
    const char *title;
    const char *subtitle;
    int64_t from_us; /* what is drawn */
    int64_t until_us;
    int64_t tick_us;
    int64_t shade_from_us; /* the stretch that the picture is about; none where both are 0 */
    int64_t shade_until_us;
    const char *shaded; /* what that stretch is called */
    int64_t span_us;    /* a period of the limits, for "the most in any ..." */
    const char *span;
    struct burst bursts[BURSTS_MAX];
    const char *limits[LANES_MAX];
};

static const struct scene scenes[] = {
    {
        .name = "same-arrivals",
        .title = "The same arrivals under each algorithm",
        .subtitle = "10 a minute; eight requests, two a second for 20 s, then one every 4 s",
        .until_us = 150 * SECOND,
        .tick_us = 10 * SECOND,
        .span_us = MINUTE,
        .span = "minute",
        .bursts = {{8 * SECOND, 2 * SECOND, 8},
                   {50 * SECOND, SECOND / 2, 40},
                   {86 * SECOND, 4 * SECOND, 16}},
        .limits = {"10/m", "10/m leaky-bucket", "10/m fixed-window", "10/m calendar-window",
                   "10/m sliding-window", "10/m sliding-log"},
    },
    {
        .name = "edge",
        .title = "A burst on either side of a window's edge",
        .subtitle = "10 a minute; one request at 0:00, then ten right before 1:00 and ten right "
                    "after",
        .from_us = 55 * SECOND,
        .until_us = 65 * SECOND,
        .tick_us = SECOND,
        .shade_from_us = 59 * SECOND,
        .shade_until_us = 61 * SECOND,
        .shaded = "these two seconds",
        .span_us = MINUTE,
        .span = "minute",
        .bursts = {{0, 0, 1}, {59 * SECOND, SECOND / 10, 10}, {60 * SECOND, SECOND / 10, 10}},
        .limits = {"10/m fixed-window", "10/m calendar-window", "10/m sliding-window", "10/m",
                   "10/m sliding-log"},
    },
    {
        .name = "steady",
        .title = "A client that asks steadily",
        .subtitle = "5 every 2 s; four requests a second for 10 s, so 25 are due",
        .until_us = 10 * SECOND,
        .tick_us = SECOND,
        .span_us = 2 * SECOND,
        .span = "2 s",
        .bursts = {{0, SECOND / 4, 40}},
        .limits = {REARMED, "5/2s fixed-window", "5/2s", "5/2s sliding-window", "5/2s sliding-log"},
    },
    {
        .name = "worst-case",
        .title = "A full burst at the end of a window, and asking on",
        .subtitle = "10 a minute; ten at once at 0:59.9, then one every second",
        .from_us = 50 * SECOND,
        .until_us = 130 * SECOND,
        .tick_us = 10 * SECOND,
        .shade_from_us = 59900 * SECOND / 1000,
        .shade_until_us = 119900 * SECOND / 1000,
        .shaded = "this minute",
        .span_us = MINUTE,
        .span = "minute",
        .bursts = {{59900 * SECOND / 1000, 0, 10}, {61 * SECOND, SECOND, 69}},
        .limits = {"10/m sliding-window", "10/m", "10/m sliding-log"},
    },
    {
        .name = "block",
        .title = "What a block does to one who does not stop",
        .subtitle = "5 a minute; a guess every 6 s for 8 minutes",
        .until_us = 8 * MINUTE,
        .tick_us = MINUTE,
        .span_us = MINUTE,
        .span = "minute",
        .bursts = {{0, 6 * SECOND, 80}},
        .limits = {"5/m sliding-log", "5/m sliding-log block 3m"},
    },
};

size_t scene_count(void)
{
    return sizeof(scenes) / sizeof(scenes[0]);
}

const char *scene_name(size_t number)
{
    return scenes[number].name;
}

static struct run *run_lane(const struct scene *scene, int lane)
{
    struct arrivals arrivals = {0};
    for (int i = 0; i < BURSTS_MAX; i++) {
        add_arrivals(&arrivals, scene->bursts[i]);
    }
    return run_limit(scene->limits[lane], &arrivals, scene->from_us, scene->until_us);
}

static int lane_count(const struct scene *scene)
{
    int count = 0;
    while (count < LANES_MAX && scene->limits[count] != NULL) {
        count++;
    }
    return count;
}

static bool is_shaded(const struct scene *scene)
{
    return scene->shade_until_us > 0;
}

/* ---- Drawing ---- */

#define WIDTH 9600
#define LEFT 2500
#define RIGHT 9350
#define TOP 1050
#define LANE_HEIGHT 760
#define BASE 480 /* of a lane: below its top */
#define BAR_UP 290
#define BAR_DOWN 110
#define LEVEL_HEIGHT 380

struct canvas {
    FILE *out;
    const struct scene *scene;
    int lanes;
};

static int x_of(const struct scene *scene, int64_t at_us)
{
    return LEFT +
           (int)((at_us - scene->from_us) * (RIGHT - LEFT) / (scene->until_us - scene->from_us));
}

static bool in_view(const struct scene *scene, int64_t at_us)
{
    return at_us >= scene->from_us && at_us <= scene->until_us;
}

static void draw_frame(const struct canvas *canvas)
{
    const struct scene *scene = canvas->scene;
    const int bottom = TOP + canvas->lanes * LANE_HEIGHT;
    if (is_shaded(scene)) {
        const int x = x_of(scene, scene->shade_from_us);
        const struct svg_box box = {x, TOP - 50, x_of(scene, scene->shade_until_us) - x,
                                    bottom - TOP + 50};
        svg_rect(canvas->out, box, COLOUR_SHADE);
    }
    for (int64_t tick_us = scene->from_us; tick_us <= scene->until_us; tick_us += scene->tick_us) {
        const int x = x_of(scene, tick_us);
        char label[48];
        if (scene->until_us > 30 * SECOND) {
            snprintf(label, sizeof(label), "%" PRId64 ":%02" PRId64, tick_us / MINUTE,
                     tick_us % MINUTE / SECOND);
        } else {
            snprintf(label, sizeof(label), "%" PRId64 " s", tick_us / SECOND);
        }
        svg_line(canvas->out, (struct svg_line){x, TOP - 50, x, bottom, 5, NULL}, COLOUR_GRID);
        svg_text(canvas->out, x, bottom + 170, (struct svg_font){120, COLOUR_MUTED, "middle", 0},
                 label);
    }
}

/* Whether a lane's limit has this in its text. */
static bool any_lane(const struct scene *scene, const char *words)
{
    bool found = false;
    for (int lane = 0; lane < lane_count(scene); lane++) {
        found = found || strstr(scene->limits[lane], words) != NULL;
    }
    return found;
}

static void draw_legend(const struct canvas *canvas)
{
    const int y = TOP + canvas->lanes * LANE_HEIGHT + 480;
    const struct svg_font font = {120, COLOUR_MUTED, "start", 0};
    FILE *out = canvas->out;
    svg_rect(out, (struct svg_box){LEFT, y - 130, 30, 150}, COLOUR_ADMITTED);
    svg_text(out, LEFT + 80, y, font, "admitted");
    svg_rect(out, (struct svg_box){LEFT + 920, y - 60, 30, 80}, COLOUR_DENIED);
    svg_text(out, LEFT + 1000, y, font, "denied");
    svg_rect(out, (struct svg_box){LEFT + 1700, y - 120, 200, 140}, COLOUR_LEVEL);
    svg_text(out, LEFT + 1960, y, font, "remaining");
    if (any_lane(canvas->scene, "-window")) {
        svg_line(out, (struct svg_line){LEFT + 2900, y - 130, LEFT + 2900, y + 20, 12, "40 30"},
                 COLOUR_MUTED);
        svg_text(out, LEFT + 2960, y, font, "a window's edge");
    }
    if (any_lane(canvas->scene, "leaky-bucket")) {
        svg_dot(out, LEFT + 4280, y - 40, 22, COLOUR_LEAVING);
        svg_text(out, LEFT + 4350, y, font, "leaves the queue (leaky-bucket)");
    }
}

static void draw_level(const struct canvas *canvas, const struct run *run, int base)
{
    const uint64_t full = run->spec.burst != 0 ? run->spec.burst : run->spec.count;
    for (size_t i = 0; i + 1 < run->level_count;) {
        size_t end = i + 1;
        while (end + 1 < run->level_count && run->levels[end] == run->levels[i]) {
            end++;
        }
        const int x = x_of(canvas->scene, run->level_from_us + (int64_t)i * run->level_step_us);
        const int x_end =
            x_of(canvas->scene, run->level_from_us + (int64_t)end * run->level_step_us);
        const int height = (int)(run->levels[i] * LEVEL_HEIGHT / full);
        if (height > 0) {
            svg_rect(canvas->out, (struct svg_box){x, base - height, x_end - x, height},
                     COLOUR_LEVEL);
        }
        i = end;
    }
}

static void draw_edge(const struct canvas *canvas, int64_t at_us, int base)
{
    if (in_view(canvas->scene, at_us)) {
        const int x = x_of(canvas->scene, at_us);
        svg_line(canvas->out, (struct svg_line){x, base - 420, x, base + 140, 12, "40 30"},
                 COLOUR_MUTED);
    }
}

/* A fixed window opens where an admission leaves a whole period until the key is as if never used.
 */
static void draw_edges(const struct canvas *canvas, const struct run *run, int base)
{
    const enum weir_algorithm algorithm = run->spec.algorithm;
    if (algorithm == WEIR_CALENDAR_WINDOW || algorithm == WEIR_SLIDING_WINDOW) {
        const int64_t span_us = canvas->scene->span_us;
        for (int64_t at_us = 0; at_us <= canvas->scene->until_us; at_us += span_us) {
            draw_edge(canvas, at_us, base);
        }
    }
    int64_t end_us = -1;
    for (size_t i = 0; algorithm == WEIR_FIXED_WINDOW && i < run->count; i++) {
        const struct weir_decision *decision = &run->decisions[i];
        if (decision->allowed && run->at_us[i] >= end_us) {
            draw_edge(canvas, run->at_us[i], base);
            end_us = run->at_us[i] + decision->reset_after_us;
            draw_edge(canvas, end_us, base);
        }
    }
}

static void draw_request(const struct canvas *canvas, int64_t at_us, bool allowed, int base)
{
    const int x = x_of(canvas->scene, at_us) - 9;
    const struct svg_box up = {x, base - BAR_UP, 18, BAR_UP};
    const struct svg_box down = {x, base + 15, 18, BAR_DOWN};
    if (in_view(canvas->scene, at_us)) {
        svg_rect(canvas->out, allowed ? up : down, allowed ? COLOUR_ADMITTED : COLOUR_DENIED);
    }
}

/* Bars of one moment hide each other: their number says how many there are. */
static void draw_heap(const struct canvas *canvas, int64_t at_us, int admitted, int base)
{
    if (admitted > 1 && in_view(canvas->scene, at_us)) {
        char label[48];
        snprintf(label, sizeof(label), "%d at once", admitted);
        svg_text(canvas->out, x_of(canvas->scene, at_us) - 60, base - 170,
                 (struct svg_font){120, COLOUR_ADMITTED, "end", 1}, label);
    }
}

static void draw_requests(const struct canvas *canvas, const struct run *run, int base)
{
    const struct scene *scene = canvas->scene;
    int heap = 0;
    for (size_t i = 0; i < run->count; i++) {
        const struct weir_decision *decision = &run->decisions[i];
        const int64_t leaves_us = run->at_us[i] + decision->delay_us;
        draw_request(canvas, run->at_us[i], decision->allowed, base);
        heap += decision->allowed;
        if (i + 1 == run->count || run->at_us[i + 1] != run->at_us[i]) {
            draw_heap(canvas, run->at_us[i], heap, base);
            heap = 0;
        }
        if (decision->allowed && run->spec.algorithm == WEIR_LEAKY_BUCKET &&
            in_view(scene, leaves_us)) {
            svg_dot(canvas->out, x_of(scene, leaves_us), base - BAR_UP - 60, 22, COLOUR_LEAVING);
        }
    }
}

static void draw_lane_label(const struct canvas *canvas, const struct run *run, int lane, int base)
{
    const struct scene *scene = canvas->scene;
    const char *limit = scene->limits[lane];
    const char *space = strchr(limit, ' ');
    const bool rearmed = strcmp(limit, REARMED) == 0;
    const struct svg_font plain = {125, COLOUR_MUTED, "start", 0};
    const struct svg_font strong = {125, COLOUR_INK, "start", 1};
    const char *name = rearmed ? limit : space == NULL ? "token-bucket" : space + 1;
    char label[80];
    svg_text(canvas->out, 250, base - 220, (struct svg_font){150, COLOUR_INK, "start", 1}, name);
    snprintf(label, sizeof(label), "%d of %zu admitted", admitted_within(run, 0, INT64_MAX),
             run->count);
    svg_text(canvas->out, 250, base - 30, plain, label);
    if (rearmed) {
        svg_text(canvas->out, 250, base + 140, plain, "(not weir: for comparison)");
    }
    if (is_shaded(scene)) {
        snprintf(label, sizeof(label), "%d in %s",
                 admitted_within(run, scene->shade_from_us, scene->shade_until_us), scene->shaded);
        svg_text(canvas->out, 250, base + 140, strong, label);
    }
}

static void draw_lane(const struct canvas *canvas, const struct run *run, int lane)
{
    const int base = TOP + lane * LANE_HEIGHT + BASE;
    draw_lane_label(canvas, run, lane, base);
    draw_level(canvas, run, base);
    draw_edges(canvas, run, base);
    svg_line(canvas->out, (struct svg_line){LEFT, base + 7, RIGHT, base + 7, 14, NULL},
             COLOUR_MUTED);
    draw_requests(canvas, run, base);
}

void scene_draw(size_t number, FILE *out)
{
    const struct canvas canvas = {out, &scenes[number], lane_count(&scenes[number])};
    svg_begin(out, WIDTH, TOP + canvas.lanes * LANE_HEIGHT + 700, canvas.scene->title);
    svg_text(out, 250, 430, (struct svg_font){200, COLOUR_INK, "start", 1}, canvas.scene->title);
    svg_text(out, 250, 700, (struct svg_font){140, COLOUR_MUTED, "start", 0},
             canvas.scene->subtitle);
    draw_frame(&canvas);
    for (int lane = 0; lane < canvas.lanes; lane++) {
        struct run *run = run_lane(canvas.scene, lane);
        draw_lane(&canvas, run, lane);
        free(run);
    }
    draw_legend(&canvas);
    svg_end(out);
}

/* ---- The numbers of a picture ---- */

void scene_tabulate(size_t number, FILE *out)
{
    const struct scene *scene = &scenes[number];
    fputs("| limit | admitted |", out);
    if (is_shaded(scene)) {
        fprintf(out, " in %s |", scene->shaded);
    }
    fprintf(out, " the most in any %s |\n|---|---:|%s---:|\n", scene->span,
            is_shaded(scene) ? "---:|" : "");
    for (int lane = 0; lane < lane_count(scene); lane++) {
        struct run *run = run_lane(scene, lane);
        fprintf(out, "| `%s` | %d of %zu |", scene->limits[lane],
                admitted_within(run, 0, INT64_MAX), run->count);
        if (is_shaded(scene)) {
            fprintf(out, " %d |",
                    admitted_within(run, scene->shade_from_us, scene->shade_until_us));
        }
        fprintf(out, " %d |\n", most_within(run, scene->span_us));
        free(run);
    }
}
