/* draw_algorithms_svg.h - a few shapes as SVG.
 *
 * Coordinates are tenths of a pixel, whole numbers throughout, so that every machine writes the
 * same bytes. A picture brings its own light ground, and so is legible on a page of any colour. */

#ifndef WEIR_DRAW_ALGORITHMS_SVG_H
#define WEIR_DRAW_ALGORITHMS_SVG_H

#include <stdio.h>

#define COLOUR_INK "#1f2328"
#define COLOUR_MUTED "#59636e"
#define COLOUR_GRID "#d8dee4"
#define COLOUR_ADMITTED "#1a7f37"
#define COLOUR_DENIED "#cf222e"
#define COLOUR_LEVEL "#cfe8fc"
#define COLOUR_SHADE "#fff3c4"
#define COLOUR_LEAVING "#0969da"

struct svg_box {
    int x;
    int y;
    int width;
    int height;
};

struct svg_line {
    int x1;
    int y1;
    int x2;
    int y2;
    int thickness;
    const char *dashes; /* as in SVG; NULL: none */
};

struct svg_font {
    int size;
    const char *colour;
    const char *anchor; /* "start", "middle", "end" */
    int bold;
};

void svg_begin(FILE *out, int width, int height, const char *title);
void svg_end(FILE *out);
void svg_rect(FILE *out, struct svg_box box, const char *colour);
void svg_line(FILE *out, struct svg_line line, const char *colour);
void svg_dot(FILE *out, int x, int y, int radius, const char *colour);
void svg_text(FILE *out, int x, int y, struct svg_font font, const char *text);

#endif
