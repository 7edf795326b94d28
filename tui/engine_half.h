/* The half without a terminal: runs the engine until the screen half says "quit" or is gone. Also what every command needs that runs an engine: one made from the options. */
#ifndef PROBETOP_ENGINE_HALF_H
#define PROBETOP_ENGINE_HALF_H

#include "engine/engine.h"
#include "engine/guard.h"
#include "tui/options.h"

/* How a run gets to its cluster: which kubectl, and the private directory for the sockets. Nothing of it when the pods are not a cluster's. */
struct cluster_way {
    char *kubectl, *dir;
    /* made for the sockets alone, since the journal's path is too long for them, or there is no journal */
    bool is_own_dir;
    int lock;       /* then: held as long as we live, so that the next run can tell what a killed one left */
};
/* journal may be NULL. A sentence when there is no kubectl, or no place. */
enum status cluster_way_find(const struct options *options, const struct journal *journal, struct cluster_way *out,
                             struct problem *problem);
void cluster_way_end(struct cluster_way *way); /* after the engine's end */

/* A process group of a child began or is no more. */
typedef void engine_group_fn(void *user, pid_t group, bool alive);

/* An engine over what the options name, not yet started; its clock begins now. Takes options->endpoints and options->kube over. */
struct engine *engine_half_engine(struct options *options, const struct cluster_way *way, uv_loop_t *loop,
                                  struct journal *journal);
/* The journal of this run, recorded to options->record_path too where there is one. */
enum status engine_half_journal(const struct options *options, struct journal **out, struct problem *problem);

/* SIGINT, SIGTERM and SIGHUP ask a command without a screen for an orderly end, which leaves no child and no directory behind. One that was ignored from the start stays so: nohup, or a job in the background. */
enum { END_SIGNALS = 3 };
struct end_signals {
    uv_signal_t list[END_SIGNALS];
    void (*asked)(void *user, int number);
    void *user;
};
void end_signals_watch(struct end_signals *signals, uv_loop_t *loop, void (*asked)(void *user, int number), void *user);
void end_signals_close(struct end_signals *signals);

/* After guard_split(), in the engine half. Takes the journal over: it is removed at an orderly end unless it was asked for, and stays otherwise. Returns the exit status. */
int engine_half_run(struct options *options, const struct cluster_way *way, struct journal *journal,
                    const struct guard *guard);

#endif
