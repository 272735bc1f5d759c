/* draw_algorithms.h - what the files of draw_algorithms share: pictures and tables, by name. */

#ifndef WEIR_DRAW_ALGORITHMS_H
#define WEIR_DRAW_ALGORITHMS_H

#include <stddef.h>
#include <stdio.h>

/* Pictures of lanes, one for each limit, in the file NAME.svg; each has a table NAME, too. */
size_t scene_count(void);
const char *scene_name(size_t number);
void scene_draw(size_t number, FILE *out);
void scene_tabulate(size_t number, FILE *out);

/* leaky-bucket.svg: who arrives when, and leaves when. */
void draw_leaky(FILE *out);

/* Tables without a picture. */
void tabulate_exact(FILE *out);
void tabulate_changed(FILE *out);
void tabulate_clocks(FILE *out);
void tabulate_memory(FILE *out);

#endif
