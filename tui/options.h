/* The command line and the configuration file as one struct. Flags win over the environment, that over the user's file, that over /etc/probetop/probetop.conf. */
#ifndef PROBETOP_OPTIONS_H
#define PROBETOP_OPTIONS_H

#include "engine/endpoints.h"
#include "kube/source.h"
#include "report/report.h"
#include "sim/sim.h"
#include "tui/keymap.h"
#include "tui/term.h"

enum command {
    COMMAND_WATCH,
    COMMAND_DEMO,
    COMMAND_DEMO_LIST,
    COMMAND_CHECK,
    COMMAND_REPLAY,
    COMMAND_HELP,
    COMMAND_VERSION
};

struct options {
    enum command command;
    struct endpoints endpoints; /* from arguments, and from the file where no argument names any */
    struct kube_options kube;   /* what of which cluster; `use_kube`: the pods come from there, not from endpoints */
    bool use_kube;
    struct sim_options sim;
    double speed;         /* 0: the story's default (demo), 1 (replay) */
    char *record_path;    /* NULL: none */
    char *replay_path;    /* NULL: tell which journals there are */
    int64_t check_for_us; /* 0: until each probe has answered once */
    enum report_format format;
    bool ascii, ascii_given;
    enum term_colour colour;
    char *theme; /* NULL: default */
    bool lines;  /* line mode asked for */
    bool keep_journal;
    struct keymap keymap;
    const char *user_agent;        /* NULL */
    struct conf_problems problems; /* of the configuration: shown, not fatal */
    const char *help_topic;
};

/* STATUS_OK, or STATUS_BAD_INPUT with the sentence for standard error (exit 2). */
enum status options_parse(int argc, char **argv, struct options *out, struct problem *problem);
void options_free(struct options *options);
/* Where themes are looked for instead of the installed folder: $PROBETOP_THEMES when it is an absolute path, else NULL. */
const char *options_themes_dir(void);
void options_help(const char *topic, struct buf *out); /* --help; topic NULL or a command's name */

#endif
