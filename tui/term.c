#include "tui/term.h"

#include "base/mem.h"

#include <curses.h>
#include <errno.h>
#include <fcntl.h>
#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <wchar.h>

enum { ESCAPE_DELAY_MS = 25, PAIRS_MAX = STYLE_COUNT * STYLE_COUNT, DEAD_READS_MAX = 3 };

/* From <term.h>, which also makes macros of ordinary words such as `columns`. */
extern int setupterm(const char *name, int fd, int *error);
extern void *set_curterm(void *terminal);
extern int del_curterm(void *terminal);

struct term {
    SCREEN *screen;
    FILE *out; /* curses' own copy of standard output */
    int frame; /* a file in memory that takes a frame's bytes, so that they leave in one piece; -1: they leave as they come */
    char *frame_data; /* its bytes */
    size_t frame_room;
    bool coloured, default_colours;
    int columns, rows;
    bool all;            /* the next show paints everything */
    struct canvas shown; /* what the terminal shows */
    bool shown_valid;
    /* Curses attributes of each style, alone and with another style laid over it. */
    attr_t attributes[STYLE_COUNT][STYLE_COUNT];
    short pair[STYLE_COUNT][STYLE_COUNT];
    struct {
        int fg, bg;
    } pairs[PAIRS_MAX]; /* pair i + 1 */
    int pair_count;
    int dead_reads;
    bool gone;
};

/* ---- taking and giving back ---- */

/* Curses places characters by the C library's widths, so it needs a UTF-8 locale even where the one asked for is not installed. */
static void locale_open(void)
{
    setlocale(LC_CTYPE, "");
    if (!term_is_ascii() && strcmp(nl_langinfo(CODESET), "UTF-8") != 0 && !setlocale(LC_CTYPE, "C.UTF-8"))
        setlocale(LC_CTYPE, "en_US.UTF-8");
}

static bool has_capability(const char *name)
{
    const char *value = tigetstr(name);
    return value && value != (char *)-1;
}

/* Cursor keys as they come from terminals that do not heed the switch to application mode. */
static void term_define_keys(void)
{
    static const struct {
        const char *bytes;
        int code;
    } KEYS[] = {{"\033[A", KEY_UP},   {"\033[B", KEY_DOWN}, {"\033[C", KEY_RIGHT},
                {"\033[D", KEY_LEFT}, {"\033[H", KEY_HOME}, {"\033[F", KEY_END}};
    for (size_t i = 0; i < sizeof KEYS / sizeof *KEYS; i++)
        define_key(KEYS[i].bytes, KEYS[i].code);
}

static void term_modes(void)
{
    raw(); /* ^C, ^Z and ^S are keys like others */
    noecho();
    nonl();
    nodelay(stdscr, TRUE);
    keypad(stdscr, TRUE);
    leaveok(stdscr, TRUE);
    scrollok(stdscr, FALSE);
    curs_set(0);
}

enum status term_usable(struct problem *problem)
{
    int error = 0;
    const char *name = getenv("TERM");
    if (!name || !*name)
        return problem_set(problem, STATUS_UNSUPPORTED, "TERM is not set");
    if (setupterm(NULL, STDOUT_FILENO, &error) != OK)
        return problem_set(problem, STATUS_UNSUPPORTED, "terminal type '%s' is not known here", name);
    bool movable = has_capability("cup") && has_capability("clear");
    del_curterm(set_curterm(NULL)); /* newterm() reads a description of its own */
    if (!movable)
        return problem_set(problem, STATUS_UNSUPPORTED, "terminal type '%s' cannot move the cursor", name);
    return STATUS_OK;
}

/* Curses writes at every movement of the cursor (ncurses 6.4 does), and over a network each of these writes would be a packet of its own. */
static int frame_open(void)
{
#ifdef MFD_CLOEXEC
    return memfd_create("frame", MFD_CLOEXEC);
#else
    return -1;
#endif
}

enum status term_open(enum term_colour colour, struct term **out, struct problem *problem)
{
    *out = NULL;
    locale_open();
    enum status status = term_usable(problem);
    if (status != STATUS_OK)
        return status;
    const char *name = getenv("TERM");
    int fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    FILE *own = fd < 0 ? NULL : fdopen(fd, "w");
    SCREEN *screen =
        own ? newterm(NULL, own, stdin) : NULL; /* initscr() would end the program where this returns NULL */
    if (!screen) {
        if (own)
            fclose(own);
        return problem_set(problem, STATUS_UNSUPPORTED, "terminal type '%s' cannot be used", name);
    }
    set_term(screen);
    set_escdelay(ESCAPE_DELAY_MS);
    struct term *term = mem_new(sizeof *term);
    term->screen = screen;
    term->out = own;
    term->frame = frame_open();
    typeahead(-1); /* no look at the keyboard in the middle of a frame */
    term_modes();
    term_define_keys();
    const char *no_colour = getenv("NO_COLOR");
    bool wanted = colour == TERM_COLOUR_ALWAYS || (colour == TERM_COLOUR_AUTO && !(no_colour && *no_colour));
    term->coloured = wanted && has_colors() && start_color() == OK && COLORS >= 8;
    term->default_colours = term->coloured && use_default_colors() == OK;
    getmaxyx(stdscr, term->rows, term->columns);
    struct theme theme;
    theme_default(&theme);
    term_theme(term, &theme);
    *out = term;
    return STATUS_OK;
}

/* A capability's bytes without its padding times ("$<5/>"), which mean nothing to a pseudo-terminal. */
static void capability_append(const char *name, struct buf *out)
{
    const char *bytes = tigetstr(name);
    if (!bytes || bytes == (char *)-1)
        return;
    while (*bytes) {
        const char *end = strncmp(bytes, "$<", 2) == 0 ? strchr(bytes, '>') : NULL;
        if (end)
            bytes = end + 1;
        else
            buf_putc(out, *bytes++);
    }
}

/* Terminals that keep the cursor's visibility with its place (those made with libvterm do) hide it again when the alternate screen is left: so it is shown once more after that. */
static void term_leave(struct term *term)
{
    struct buf cursor;
    endwin();
    buf_init(&cursor, 64);
    capability_append("cnorm", &cursor);
    fwrite(buf_str(&cursor), 1, cursor.len, term->out);
    fflush(term->out);
    buf_free(&cursor);
}

void term_close(struct term *term)
{
    if (!term)
        return;
    term_leave(term);
    delscreen(term->screen);
    fclose(term->out);
    if (term->frame >= 0)
        close(term->frame);
    canvas_free(&term->shown);
    mem_free(term->frame_data);
    mem_free(term);
}

void term_restore_bytes(const struct term *term, struct buf *out)
{
    static const char *const NAMES[] = {"sgr0", "op", "rmkx", "rmcup", "cnorm"};
    (void)term;
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++)
        capability_append(NAMES[i], out);
}

void term_suspend(struct term *term)
{
    term_leave(term);
}

void term_resume(struct term *term)
{
    term_modes();
    term_resized(term);
}

/* ---- colours ---- */

static attr_t attributes_curses(uint8_t attributes)
{
    static const struct {
        uint8_t ours;
        attr_t curses;
    } MAP[] = {{ATTR_BOLD, WA_BOLD},
               {ATTR_DIM, WA_DIM},
               {ATTR_UNDERLINE, WA_UNDERLINE},
               {ATTR_REVERSE, WA_REVERSE},
               {ATTR_ITALIC, WA_ITALIC}};
    attr_t out = WA_NORMAL;
    for (size_t i = 0; i < sizeof MAP / sizeof *MAP; i++)
        if (attributes & MAP[i].ours)
            out |= MAP[i].curses;
    return out;
}

/* The pair for two colours, made when it is new; 0, the terminal's own colours, when there are no more pairs. */
static short pair_for(struct term *term, int fg, int bg)
{
    if (!term->default_colours) {
        fg = fg < 0 ? COLOR_WHITE : fg;
        bg = bg < 0 ? COLOR_BLACK : bg;
    } else if (fg < 0 && bg < 0)
        return 0;
    for (int i = 0; i < term->pair_count; i++)
        if (term->pairs[i].fg == fg && term->pairs[i].bg == bg)
            return (short)(i + 1);
    if (term->pair_count >= PAIRS_MAX || term->pair_count + 1 >= COLOR_PAIRS)
        return 0;
    if (init_extended_pair(term->pair_count + 1, fg, bg) != OK)
        return 0;
    term->pairs[term->pair_count].fg = fg;
    term->pairs[term->pair_count].bg = bg;
    return (short)++term->pair_count;
}

void term_theme(struct term *term, const struct theme *theme)
{
    struct theme mono;
    theme_mono(&mono);
    if (!term->coloured)
        theme = &mono;
    term->pair_count = 0;
    for (int style = 0; style < STYLE_COUNT; style++) {
        for (int over = 0; over < STYLE_COUNT; over++) {
            const struct colour *bg = &theme->style[style].bg, *fg = &theme->style[style].fg;
            uint8_t attributes = theme->style[style].attributes;
            if (over != STYLE_TEXT) {
                attributes |= theme->style[over].attributes;
                if (theme->style[over].bg.kind != COLOUR_DEFAULT)
                    bg = &theme->style[over].bg;
                if (fg->kind == COLOUR_DEFAULT)
                    fg = &theme->style[over].fg;
            }
            term->attributes[style][over] = attributes_curses(attributes);
            term->pair[style][over] = 0;
            if (term->coloured)
                term->pair[style][over] = pair_for(term, theme_colour_down(fg, COLORS), theme_colour_down(bg, COLORS));
        }
    }
    term->all = true;
}

/* ---- showing ---- */

int term_columns(const struct term *term)
{
    return term->columns;
}

int term_rows(const struct term *term)
{
    return term->rows;
}

void term_resized(struct term *term)
{
    struct winsize size;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 && size.ws_col > 0)
        if (resizeterm(size.ws_row, size.ws_col) == ERR)
            mem_exhausted(); /* curses refuses for want of memory only, and what it holds is then half resized */
    getmaxyx(stdscr, term->rows, term->columns);
    term->all = true;
}

void term_redraw(struct term *term)
{
    term->all = true;
}

/* A cell for curses. Where the C library thinks otherwise of a character's width, '?' keeps the picture in place. */
static void cell_curses(const struct term *term, const struct cell *cell, cchar_t *out)
{
    wchar_t characters[4] = {L' ', 0, 0, 0};
    int count = 0;
    for (int i = 0; i < 3 && cell->codepoint[i] != 0; i++) {
        wchar_t character = (wchar_t)cell->codepoint[i];
        int width = wcwidth(character);
        if (i == 0)
            characters[count++] = width == cell->columns ? character : L'?';
        else if (width == 0 && characters[0] != L'?')
            characters[count++] = character;
    }
    int style = cell->style < STYLE_COUNT ? cell->style : STYLE_TEXT;
    int over = cell->over < STYLE_COUNT ? cell->over : STYLE_TEXT;
    int pair = term->pair[style][over];
    attr_t attributes = term->attributes[style][over] | attributes_curses(cell->attributes);
    setcchar(out, characters, attributes, term->pair[style][over], &pair);
}

/* Writes cells [from, to) of a row to curses' own picture. */
static void row_write(const struct term *term, const struct canvas *canvas, int row, int from, int to)
{
    const struct cell *cells = &canvas->cells[row * canvas->columns];
    for (int column = from; column < to; column++) {
        cchar_t character;
        if (cells[column].columns == 0) /* drawn with its left half */
            continue;
        cell_curses(term, &cells[column], &character);
        mvadd_wchnstr(row, column, &character, 1);
        wchar_t wide[CCHARW_MAX];
        attr_t attributes;
        short pair;
        bool narrow =
            cells[column].columns == 2 && getcchar(&character, wide, &attributes, &pair, NULL) == OK && wide[0] == L'?';
        if (narrow && column + 1 < to)
            mvadd_wchnstr(row, column + 1, &character, 1);
    }
}

/* Whether anything in the row differs from what is shown; the first and last differing cell. */
static bool row_differs(const struct term *term, const struct canvas *canvas, int row, int columns, int *from, int *to)
{
    *from = 0;
    *to = columns;
    if (term->all)
        return true;
    const struct cell *new = &canvas->cells[row * canvas->columns];
    const struct cell *old = &term->shown.cells[row * term->shown.columns];
    while (*from < *to && canvas_cell_equal(&new[*from], &old[*from]))
        ++*from;
    while (*to > *from && canvas_cell_equal(&new[*to - 1], &old[*to - 1]))
        --*to;
    if (*from == *to)
        return false;
    /* whole characters: a left half whose right half changed is written with it */
    while (*from > 0 && (new[*from].columns == 0 || old[*from].columns == 0))
        --*from;
    while (*to < columns && (new[*to].columns == 0 || old[*to].columns == 0))
        ++*to;
    return true;
}

static void write_all(int fd, const char *bytes, size_t length)
{
    for (size_t at = 0; at < length;) {
        ssize_t wrote = write(fd, bytes + at, length - at);
        struct pollfd room = {fd, POLLOUT, 0};
        if (wrote > 0)
            at += (size_t)wrote;
        else if (wrote == 0 || (errno != EINTR && (errno != EAGAIN || poll(&room, 1, -1) < 0)))
            return; /* the terminal has gone: reading will tell */
    }
}

void term_send(struct term *term, const char *bytes, size_t length)
{
    fflush(term->out);
    write_all(fileno(term->out), bytes, length);
}

/* Lets curses write what differs, and hands it to the terminal in one piece. */
static void frame_write(struct term *term)
{
    int fd = fileno(term->out);
    int terminal = term->frame < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    if (terminal < 0 || dup2(term->frame, fd) < 0) {
        refresh();
        if (terminal >= 0)
            close(terminal);
        return;
    }
    refresh();
    dup2(terminal, fd);
    close(terminal);
    off_t size = lseek(term->frame, 0, SEEK_CUR);
    if (size > 0 && (size_t)size > term->frame_room) {
        term->frame_room = (size_t)size * 2;
        term->frame_data = mem_resize(term->frame_data, term->frame_room, 1);
    }
    ssize_t got = size > 0 ? pread(term->frame, term->frame_data, (size_t)size, 0) : 0;
    write_all(fd, term->frame_data, got > 0 ? (size_t)got : 0);
    lseek(term->frame, 0, SEEK_SET);
}

void term_show(struct term *term, const struct canvas *canvas)
{
    int columns = canvas->columns < term->columns ? canvas->columns : term->columns;
    int rows = canvas->rows < term->rows ? canvas->rows : term->rows;
    bool changed = false;
    if (!term->shown_valid || term->shown.columns != canvas->columns || term->shown.rows != canvas->rows)
        term->all = true;
    if (term->all) {
        erase();
        clearok(curscr, TRUE);
    }
    for (int row = 0; row < rows; row++) {
        int from, to;
        if (!row_differs(term, canvas, row, columns, &from, &to))
            continue;
        row_write(term, canvas, row, from, to);
        changed = true;
    }
    if (!changed)
        return;
    frame_write(term);
    if (!term->shown_valid)
        canvas_init(&term->shown, canvas->columns, canvas->rows, canvas->ascii);
    else if (term->all)
        canvas_resize(&term->shown, canvas->columns, canvas->rows);
    memcpy(term->shown.cells, canvas->cells, sizeof *canvas->cells * (size_t)canvas->columns * (size_t)canvas->rows);
    term->shown_valid = true;
    term->all = false;
}

/* ---- keys ---- */

static int key_from_curses(int code)
{
    static const struct {
        int curses, ours;
    } MAP[] = {
        {KEY_UP, KEY_UP_},         {KEY_DOWN, KEY_DOWN_},           {KEY_LEFT, KEY_LEFT_}, {KEY_RIGHT, KEY_RIGHT_},
        {KEY_PPAGE, KEY_PAGE_UP_}, {KEY_NPAGE, KEY_PAGE_DOWN_},     {KEY_HOME, KEY_HOME_}, {KEY_END, KEY_END_},
        {KEY_ENTER, KEY_ENTER_},   {KEY_BACKSPACE, KEY_BACKSPACE_}, {KEY_DC, KEY_DELETE_}, {KEY_BTAB, KEY_BACKTAB_}};
    for (size_t i = 0; i < sizeof MAP / sizeof *MAP; i++)
        if (MAP[i].curses == code)
            return MAP[i].ours;
    if (code >= KEY_F(1) && code <= KEY_F(12))
        return KEY_F1_ + code - KEY_F(1);
    return KEY_NONE;
}

static int key_from_character(wint_t character)
{
    switch (character) {
    case '\r':
    case '\n':
        return KEY_ENTER_;
    case '\t':
        return KEY_TAB_;
    case 0x1B:
        return KEY_ESCAPE_;
    case 0x08:
    case 0x7F:
        return KEY_BACKSPACE_;
    default:
        return character < KEY_UP_ ? (int)character : KEY_NONE;
    }
}

/* Nothing came from a terminal that claims to have something: three times in a row means that it is gone, not slow. */
static void term_check_gone(struct term *term)
{
    struct pollfd input = {STDIN_FILENO, POLLIN, 0};
    if (poll(&input, 1, 0) <= 0) {
        term->dead_reads = 0;
        return;
    }
    if (input.revents & (POLLHUP | POLLERR | POLLNVAL))
        term->gone = true;
    else if (++term->dead_reads >= DEAD_READS_MAX)
        term->gone = true;
}

int term_key(struct term *term)
{
    for (int tries = 0; tries < 64; tries++) { /* keys we have no name for are passed over */
        wint_t character = 0;
        int kind = get_wch(&character);
        if (kind == ERR) {
            term_check_gone(term);
            return KEY_NONE;
        }
        term->dead_reads = 0;
        int key = kind == KEY_CODE_YES ? key_from_curses((int)character) : key_from_character(character);
        if (key != KEY_NONE)
            return key;
    }
    return KEY_NONE;
}

bool term_gone(const struct term *term)
{
    return term->gone;
}

/* ---- character set ---- */

bool term_is_ascii(void)
{
    static const char *const NAMES[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    /* terminals without the signs: real ones of old, and the Linux console with its 512 characters */
    static const char *const PLAIN[] = {"linux", "vt52", "vt100", "vt102", "vt220", "ansi", "dumb", "sun", "cons25"};
    const char *locale = NULL, *type = getenv("TERM");
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES && !(locale && *locale); i++)
        locale = getenv(NAMES[i]);
    for (size_t i = 0; type && i < sizeof PLAIN / sizeof *PLAIN; i++)
        if (strcmp(type, PLAIN[i]) == 0)
            return true;
    const char *charset = locale && strchr(locale, '.') ? strchr(locale, '.') + 1 : locale; /* or "UTF-8" alone */
    return !charset || (strncasecmp(charset, "UTF-8", 5) != 0 && strncasecmp(charset, "utf8", 4) != 0);
}
