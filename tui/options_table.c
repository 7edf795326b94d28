/* What flags and commands there are, and the help that is made from them. */
#include "tui/options_table.h"

#include <string.h>

#ifndef PROBETOP_SYSCONF_DIR
#define PROBETOP_SYSCONF_DIR "/etc/probetop"
#endif

const struct flag FLAGS[FLAG_COUNT] = {
#define X(id, name, letter, value, commands, help) [id] = {name, letter, value, commands, help},
    FLAG_TABLE(X)
#undef X
};

const struct word WORDS[WORD_COUNT] = {
#define X(name, command, usage, help) {name, command, usage, help},
    WORD_TABLE(X)
#undef X
};

const struct word *word_find(const char *name)
{
    for (size_t i = 0; i < WORD_COUNT; i++)
        if (strcmp(WORDS[i].name, name) == 0)
            return &WORDS[i];
    return NULL;
}

/* ---- help ---- */

static void help_flag(enum flag_id id, struct buf *out)
{
    const struct flag *flag = &FLAGS[id];
    char letter[8] = "    ";
    struct buf name;
    if (flag->letter) {
        letter[0] = '-';
        letter[1] = flag->letter;
        letter[2] = ',';
    }
    buf_init(&name, 64);
    buf_printf(&name, "--%s%s%s", flag->name, flag->value[0] ? "=" : "", flag->value);
    buf_printf(out, "  %s%-23s  %s\n", letter, buf_str(&name), flag->help);
    buf_free(&name);
}

static void help_flags(int commands, struct buf *out)
{
    buf_puts(out, "\nFlags (anywhere on the line; -- ends them):\n");
    for (int id = 0; id < FLAG_COUNT; id++)
        if (FLAGS[id].commands & commands)
            help_flag((enum flag_id)id, out);
}

static void help_general(struct buf *out)
{
    buf_puts(out, "Usage: probetop [FLAGS] [TYPE/NAME ... | NAME=URL | URL ...]\n"
                  "Probes vLLM and llm-d pods as the kubelet does and shows live where each one stands, what\n"
                  "happens next, why, and what to do. Without a target: the pods of the present context and\n"
                  "namespace that look like vLLM's or llm-d's. TYPE is pod, deploy, sts, lws or pool.\n\nCommands:\n");
    for (size_t i = 0; i < WORD_COUNT; i++)
        buf_printf(out, "  probetop %s %s\n      %s\n", WORDS[i].name, WORDS[i].usage, WORDS[i].help);
    help_flags(FOR_ALL, out);
    buf_puts(out,
             "\nExamples:\n"
             "  probetop\n"
             "  probetop -n llm-d -l llm-d.ai/role=decode\n"
             "  probetop --context prod deploy/decode sts/prefill\n"
             "  probetop demo\n"
             "  probetop http://127.0.0.1:8000 decode-0=http://10.0.0.7:8200\n"
             "  probetop check -o json http://127.0.0.1:8000\n"
             "  probetop wait --for=ready --timeout=30m deploy/decode\n"
             "  kubectl logs decode-0 --previous | probetop diagnose --logs -\n"
             "  probetop lint values.yaml\n"
             "  probetop record /tmp/incident.jsonl http://127.0.0.1:8000\n"
             "  probetop replay /tmp/incident.jsonl\n"
             "\nWithout a terminal it runs in line mode by itself. Inside, ? explains keys, signs and words.\n"
             "\nFiles: " PROBETOP_SYSCONF_DIR
             "/probetop.conf, then $XDG_CONFIG_HOME/probetop/probetop.conf (~/.config).\n"
             "Environment: PROBETOP_CONFIG, PROBETOP_THEME, PROBETOP_THEMES, KUBECONFIG, NO_COLOR, TERM, LC_ALL, TZ.\n"
             "Exit status: 0 fine, 1 something is unwell (check) or found (diagnose, lint), 2 usage or operation,\n"
             "3 waiting is hopeless, 124 timeout (wait), 128+N ended by signal N.\n");
}

void options_help(const char *topic, struct buf *out)
{
    const struct word *word = topic ? word_find(topic) : NULL;
    if (!word) {
        help_general(out);
        return;
    }
    buf_printf(out, "Usage: probetop %s [FLAGS] %s\n%s\n", word->name, word->usage, word->help);
    help_flags(strcmp(word->name, "record") == 0 ? FOR_RUN : 1 << word->command, out);
}
