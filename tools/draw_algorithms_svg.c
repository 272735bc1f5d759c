/* draw_algorithms_svg.c - see draw_algorithms_svg.h. */

#include "draw_algorithms_svg.h"

static void put_escaped(FILE *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '<') {
            fputs("&lt;", out);
        } else if (*text == '&') {
            fputs("&amp;", out);
        } else {
            fputc(*text, out);
        }
    }
}

void svg_begin(FILE *out, int width, int height, const char *title)
{
    fprintf(out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
            "viewBox=\"0 0 %d %d\" role=\"img\" font-family=\"-apple-system, 'Segoe UI', "
            "'Noto Sans', 'DejaVu Sans', Helvetica, Arial, sans-serif\">\n",
            width / 10, height / 10, width, height);
    fputs("<!-- Drawn by tools/draw_algorithms from the engine's decisions. -->\n<title>", out);
    put_escaped(out, title);
    fputs("</title>\n", out);
    fprintf(out,
            "<rect x=\"5\" y=\"5\" width=\"%d\" height=\"%d\" rx=\"60\" fill=\"#ffffff\" "
            "stroke=\"%s\" stroke-width=\"10\"/>\n",
            width - 10, height - 10, COLOUR_GRID);
}

void svg_end(FILE *out)
{
    fputs("</svg>\n", out);
}

void svg_rect(FILE *out, struct svg_box box, const char *colour)
{
    fprintf(out, "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" fill=\"%s\"/>\n", box.x, box.y,
            box.width, box.height, colour);
}

void svg_line(FILE *out, struct svg_line line, const char *colour)
{
    fprintf(out, "<line x1=\"%d\" y1=\"%d\" x2=\"%d\" y2=\"%d\" stroke=\"%s\" stroke-width=\"%d\"",
            line.x1, line.y1, line.x2, line.y2, colour, line.thickness);
    if (line.dashes != NULL) {
        fprintf(out, " stroke-dasharray=\"%s\"", line.dashes);
    }
    fputs("/>\n", out);
}

void svg_dot(FILE *out, int x, int y, int radius, const char *colour)
{
    fprintf(out, "<circle cx=\"%d\" cy=\"%d\" r=\"%d\" fill=\"%s\"/>\n", x, y, radius, colour);
}

void svg_text(FILE *out, int x, int y, struct svg_font font, const char *text)
{
    fprintf(out, "<text x=\"%d\" y=\"%d\" font-size=\"%d\" fill=\"%s\" text-anchor=\"%s\"%s>", x, y,
            font.size, font.colour, font.anchor, font.bold ? " font-weight=\"600\"" : "");
    put_escaped(out, text);
    fputs("</text>\n", out);
}
