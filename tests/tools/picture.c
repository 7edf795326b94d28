/* picture RECORDING COLUMNS ROWS [KEYS]: the screen that a replay of the recording ends on, after these keys, as an SVG on standard output. Makes the README's picture. */
#include "engine/journal.h"
#include "tui/app.h"
#include "tui/feed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CELL_WIDTH = 9, CELL_HEIGHT = 19, MARGIN = 14, FONT_SIZE = 15 };

static const char *style_colour(enum style style)
{
    switch (style) {
    case STYLE_MUTED:
    case STYLE_UNKNOWN:
        return "#8b949e";
    case STYLE_STRONG:
    case STYLE_HEADER:
        return "#f0f3f6";
    case STYLE_OK:
        return "#7ee787";
    case STYLE_WARN:
    case STYLE_ESTIMATE:
        return "#e3b341";
    case STYLE_BAD:
    case STYLE_ESCAPED:
        return "#ff7b72";
    case STYLE_ACCENT:
        return "#79c0ff";
    case STYLE_SELECTED:
        return "#0d1117";
    default:
        return "#c9d1d9";
    }
}

static void put_escaped(uint32_t codepoint)
{
    if (codepoint == '<' || codepoint == '>' || codepoint == '&' || codepoint > 126)
        printf("&#%u;", codepoint);
    else
        putchar((int)codepoint);
}

/* One run of cells of the same look, placed by its column so that fonts of other widths cannot shift it. */
static void put_run(const struct canvas *canvas, int row, int from, int to)
{
    const struct cell *cells = canvas->cells + row * canvas->columns;
    int x = MARGIN + from * CELL_WIDTH, y = MARGIN + row * CELL_HEIGHT;
    bool reverse = cells[from].style == STYLE_SELECTED || cells[from].attributes & ATTR_REVERSE;
    if (reverse) {
        printf("<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" fill=\"#79c0ff\"/>", x, y, (to - from) * CELL_WIDTH,
               CELL_HEIGHT);
    }
    printf("<text x=\"%d\" y=\"%d\" fill=\"%s\"%s textLength=\"%d\" lengthAdjust=\"spacingAndGlyphs\" "
           "xml:space=\"preserve\">",
           x, y + FONT_SIZE, reverse ? "#0d1117" : style_colour(cells[from].style),
           cells[from].style == STYLE_STRONG || cells[from].attributes & ATTR_BOLD ? " font-weight=\"bold\"" : "",
           (to - from) * CELL_WIDTH);
    for (int column = from; column < to; column++)
        for (int i = 0; i < 3 && cells[column].codepoint[i]; i++)
            put_escaped(cells[column].codepoint[i]);
    puts("</text>");
}

static bool same_look(const struct cell *a, const struct cell *b)
{
    return a->style == b->style && a->attributes == b->attributes;
}

static void put_svg(const struct canvas *canvas)
{
    int width = canvas->columns * CELL_WIDTH + 2 * MARGIN, height = canvas->rows * CELL_HEIGHT + 2 * MARGIN;
    printf("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" "
           "font-family=\"DejaVu Sans Mono, Menlo, Consolas, monospace\" font-size=\"%d\">\n"
           "<rect width=\"100%%\" height=\"100%%\" rx=\"8\" fill=\"#0d1117\"/>\n",
           width, height, width, height, FONT_SIZE);
    for (int row = 0; row < canvas->rows; row++) {
        const struct cell *cells = canvas->cells + row * canvas->columns;
        for (int from = 0, to; from < canvas->columns; from = to) {
            bool blank = true;
            for (to = from; to < canvas->columns && same_look(&cells[from], &cells[to]); to++)
                blank = blank && cells[to].codepoint[0] == ' ';
            if (!blank || cells[from].style == STYLE_SELECTED || cells[from].attributes & ATTR_REVERSE)
                put_run(canvas, row, from, to);
        }
    }
    puts("</svg>");
}

int main(int argc, char **argv)
{
    struct journal_reader *reader;
    struct problem problem;
    if (argc < 4 || journal_open(argv[1], &reader, &problem) != STATUS_OK) {
        fprintf(stderr, "picture: %s\n", argc < 4 ? "RECORDING COLUMNS ROWS [KEYS]" : problem.text);
        return 2;
    }
    struct feed *feed = feed_new(reader, false, 1, NULL);
    feed_pause(feed, true);
    feed_seek(feed, INT64_MAX);
    do {
        feed_pump(feed, 10000);
    } while (feed_behind(feed));
    char *no_themes[] = {NULL};
    struct app_options options = {.theme_names = no_themes, .theme = "default"};
    keymap_default(&options.keymap);
    struct app *app = app_new(&options);
    struct canvas canvas;
    canvas_init(&canvas, (int)strtol(argv[2], NULL, 10), (int)strtol(argv[3], NULL, 10), false);
    app_paint(app, feed_fleet(feed), feed_now(feed), &canvas);
    for (const char *key = argc > 4 ? argv[4] : ""; *key; key++)
        app_key(app, feed_fleet(feed), feed_now(feed), *key == '\n' ? KEY_ENTER_ : *key);
    canvas_clear(&canvas);
    app_paint(app, feed_fleet(feed), feed_now(feed), &canvas);
    put_svg(&canvas);
    canvas_free(&canvas);
    app_free(app);
    feed_free(feed);
    return 0;
}
