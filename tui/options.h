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
    COMMAND_DIAGNOSE,
    COMMAND_LINT,
    COMMAND_WAIT,
    COMMAND_HELP,
    COMMAND_VERSION
};

enum output { OUTPUT_TEXT, OUTPUT_JSON, OUTPUT_MARKDOWN };

/* Paths of files that kubectl wrote; "-": standard input, one of them at most; NULL: not given. At least one is. */
struct diagnose_options {
    const char *pod, *events, *describe, *logs, *previous;
};

struct lint_options {
    char **files; /* argv's own; "-": standard input */
    int file_count;
};

enum wait_goal { WAIT_RUNNING, WAIT_API, WAIT_LOADED, WAIT_READY, WAIT_GONE, WAIT_GOAL_COUNT };
const char *wait_goal_name(enum wait_goal goal);

struct wait_options {
    enum wait_goal goal;
    int64_t timeout_us;
    int32_t count;      /* so many pods must be there; 0: all there are, and at least one (WAIT_GONE: none is left) */
    const char *report; /* path of the JUnit file; NULL: none */
    bool github;        /* annotations asked for, or GITHUB_ACTIONS=true */
};

struct options {
    enum command command;
    struct endpoints endpoints; /* from arguments, and from the file where no argument names any */
    struct kube_options kube;   /* what of which cluster; `use_kube`: the pods come from there, not from endpoints */
    bool use_kube;
    struct sim_options sim;
    double speed;              /* 0: the story's default (demo), 1 (replay) */
    char *record_path;         /* NULL: none */
    char *replay_path;         /* NULL: tell which journals there are */
    int64_t check_for_us;      /* 0: until each probe has answered once */
    enum report_format format; /* of check */
    enum output output;        /* of diagnose, lint (no Markdown) and wait (no Markdown) */
    struct diagnose_options diagnose;
    struct lint_options lint;
    struct wait_options wait;
    struct signatures signatures; /* the user's own */
    char *signatures_path;        /* where from; NULL: the usual place */
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
