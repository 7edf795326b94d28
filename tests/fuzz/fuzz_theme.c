/* theme_load() over anything: a file that can be read gives a whole theme, each of whose colours can be brought down to what any terminal has. */
#include "tests/fuzz/file.h"
#include "tui/theme.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void colour_check(const struct colour *colour)
{
    static const int depths[] = {8, 16, 256};
    for (size_t i = 0; i < sizeof depths / sizeof *depths; i++) {
        int down = theme_colour_down(colour, depths[i]);
        if (down < -1 || down >= depths[i] || (down == -1) != (colour->kind == COLOUR_DEFAULT))
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[FUZZ_PATH_MAX];
    struct theme theme;
    struct conf_problems problems = {0};
    fuzz_file(data, size, path);
    enum status status = theme_load(path, NULL, &theme, &problems);
    unlink(path);
    if ((status == STATUS_OK) != (size <= CONF_FILE_MAX))
        abort();
    for (int i = 0; status == STATUS_OK && i < STYLE_COUNT; i++) {
        colour_check(&theme.style[i].fg);
        colour_check(&theme.style[i].bg);
        if (theme.style[i].attributes >= 2 * ATTR_ITALIC)
            abort();
    }
    conf_problems_free(&problems);
    return 0;
}
