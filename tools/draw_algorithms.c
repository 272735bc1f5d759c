/* draw_algorithms.c - the pictures and the numbers of docs/algorithms.md, from the engine itself.
 *
 *     draw_algorithms DOCS            writes DOCS/pictures/NAME.svg, and in DOCS/algorithms.md every
 *                                     table between <!-- table NAME --> and <!-- end -->
 *     draw_algorithms --check DOCS    writes nothing; fails where a file is not what it would write
 *
 * Every request that is drawn or counted here has been decided by libweir, through its public
 * header, under a supplied clock. So a picture cannot show what the engine does not do, and the
 * test that runs --check fails when the engine changes its mind. */

#include "draw_algorithms.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct text {
    char *bytes;
    size_t length;
};

struct maker {
    const char *name;
    void (*make)(FILE *out);
};

static const struct maker pictures[] = {{"leaky-bucket", draw_leaky}};

static const struct maker tables[] = {
    {"exact", tabulate_exact},
    {"changed", tabulate_changed},
    {"clocks", tabulate_clocks},
    {"memory", tabulate_memory},
};

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static _Noreturn void fail(const char *what, const char *which)
{
    fprintf(stderr, "draw_algorithms: %s %s\n", what, which);
    exit(EXIT_FAILURE);
}

static FILE *open_text(struct text *text)
{
    FILE *out = open_memstream(&text->bytes, &text->length);
    if (out == NULL) {
        fail("no memory for", "a text");
    }
    return out;
}

/* ---- Files ---- */

static bool read_file(const char *path, struct text *ret_text)
{
    FILE *in = fopen(path, "rb");
    if (in == NULL) {
        return false;
    }
    struct text text = {0};
    FILE *out = open_text(&text);
    for (int c = fgetc(in); c != EOF; c = fgetc(in)) {
        fputc(c, out);
    }
    fclose(out);
    fclose(in);
    *ret_text = text;
    return true;
}

/* Writes the file, or with `check` compares it; the answer is whether it is as it should be. */
static bool settle(const char *path, const struct text *wanted, bool check)
{
    struct text found = {0};
    const bool same = read_file(path, &found) && found.length == wanted->length &&
                      memcmp(found.bytes, wanted->bytes, wanted->length) == 0;
    free(found.bytes);
    if (same || check) {
        if (!same) {
            fprintf(stderr, "%s is not what the engine does: run `ninja -C build drawings`\n",
                    path);
        }
        return same;
    }
    FILE *out = fopen(path, "wb");
    if (out == NULL || fwrite(wanted->bytes, 1, wanted->length, out) != wanted->length ||
        fclose(out) != 0) {
        fail("can't write", path);
    }
    return true;
}

/* ---- Pictures ---- */

static bool settle_picture(const char *folder, const char *name, const struct text *picture,
                           bool check)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/pictures/%s.svg", folder, name);
    return settle(path, picture, check);
}

static bool settle_pictures(const char *folder, bool check)
{
    bool good = true;
    for (size_t i = 0; i < scene_count() + LENGTH(pictures); i++) {
        struct text picture = {0};
        FILE *out = open_text(&picture);
        const bool scene = i < scene_count();
        const char *name = scene ? scene_name(i) : pictures[i - scene_count()].name;
        if (scene) {
            scene_draw(i, out);
        } else {
            pictures[i - scene_count()].make(out);
        }
        fclose(out);
        good = settle_picture(folder, name, &picture, check) && good;
        free(picture.bytes);
    }
    return good;
}

/* ---- Tables ---- */

static void tabulate(const char *name, size_t length, FILE *out)
{
    for (size_t i = 0; i < scene_count(); i++) {
        if (strlen(scene_name(i)) == length && memcmp(scene_name(i), name, length) == 0) {
            scene_tabulate(i, out);
            return;
        }
    }
    for (size_t i = 0; i < LENGTH(tables); i++) {
        if (strlen(tables[i].name) == length && memcmp(tables[i].name, name, length) == 0) {
            tables[i].make(out);
            return;
        }
    }
    fail("there is no table of the name at", name);
}

/* The page, with every table in it made anew. */
static struct text with_tables(const char *page)
{
    static const char head[] = "<!-- table ";
    static const char mark_end[] = " -->\n";
    static const char end[] = "<!-- end -->\n";
    struct text text = {0};
    FILE *out = open_text(&text);
    for (const char *start; (start = strstr(page, head)) != NULL;) {
        const char *name = start + strlen(head);
        const char *name_end = strstr(name, mark_end);
        const char *old_end = name_end != NULL ? strstr(name_end, end) : NULL;
        if (old_end == NULL) {
            fail("a table has no end:", name);
        }
        fwrite(page, 1, (size_t)(name_end + strlen(mark_end) - page), out);
        tabulate(name, (size_t)(name_end - name), out);
        page = old_end;
    }
    fputs(page, out);
    fclose(out);
    return text;
}

static bool settle_page(const char *folder, bool check)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/algorithms.md", folder);
    struct text page = {0};
    if (!read_file(path, &page)) {
        fail("can't read", path);
    }
    struct text wanted = with_tables(page.bytes);
    const bool good = settle(path, &wanted, check);
    free(wanted.bytes);
    free(page.bytes);
    return good;
}

int main(int argc, char **argv)
{
    const bool check = argc == 3 && strcmp(argv[1], "--check") == 0;
    if (argc != 2 && !check) {
        fail("usage: draw_algorithms [--check]", "DOCS");
    }
    const char *folder = argv[argc - 1];
    const bool pictures_good = settle_pictures(folder, check);
    const bool page_good = settle_page(folder, check);
    return pictures_good && page_good ? EXIT_SUCCESS : EXIT_FAILURE;
}
