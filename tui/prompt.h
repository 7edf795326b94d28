/* One line of input at the bottom of the screen: characters in, a string out. Pure. What was typed is outside text: draw it through a struct text. */
#ifndef PROBETOP_PROMPT_H
#define PROBETOP_PROMPT_H

#include "tui/canvas.h"

enum { PROMPT_CHARACTERS_MAX = 200 };

/* Zero-initialise; it is not open then. */
struct prompt {
    bool open;
    const char *label; /* ours, e.g. "/" */
    uint32_t codepoints[PROMPT_CHARACTERS_MAX];
    int count, cursor;
};

enum prompt_step { PROMPT_NOTHING, PROMPT_CHANGED, PROMPT_ACCEPTED, PROMPT_CANCELLED };

void prompt_open(struct prompt *prompt, const char *label, const char *value);
/* A key while open. Accepted and cancelled close it; what was typed stays to be read. */
enum prompt_step prompt_key(struct prompt *prompt, int key);
const char *prompt_value(const struct prompt *prompt, char *out, size_t size); /* UTF-8; size at least 4 * max + 1 */
void prompt_paint(const struct prompt *prompt, struct canvas *canvas, int row);

#endif
