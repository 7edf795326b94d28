/* text_set() over anything: only printable characters come out, of the width that is said, and cleaning them again changes nothing. The first
 * byte of the input is the limit in columns. */
#include "base/mem.h"
#include "base/text.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

static void check_clean(const struct text *text, size_t max_cells)
{
    const char *string = text_str(text);
    struct text again = {0};
    require(strlen(string) == text->len && text->cells <= max_cells);
    require(text_columns(string, text->len) == text->cells);
    for (size_t i = 0; i < text->len; i++)
        require((unsigned char)string[i] >= 0x20 && string[i] != 0x7f);
    text_set(&again, string, text->len, max_cells);
    require(text_equal(&again, text) && again.cells == text->cells && !again.escaped && !again.cut);
    text_free(&again);
}

static void check_middle(const struct text *text, size_t columns)
{
    char *out = mem_new(4 * columns + 4);
    for (int ascii = 0; ascii < 2; ascii++) {
        text_middle(text, columns, ascii != 0, out, 4 * columns + 4);
        require(text_columns(out, strlen(out)) <= columns);
    }
    mem_free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct text text = {0};
    text_set(&text, (const char *)data + 1, size - 1, data[0]);
    check_clean(&text, data[0]);
    check_middle(&text, data[0] / 2);
    text_set(&text, (const char *)data + 1, size - 1, TEXT_BODY);
    check_clean(&text, TEXT_BODY);
    check_middle(&text, data[0]);
    text_free(&text);
    return 0;
}
