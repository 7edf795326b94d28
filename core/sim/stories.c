#include "sim/stories.h"

#include <string.h>

#define LLAMA_8B "meta-llama/Llama-3.1-8B-Instruct"
#define DEEPSEEK "deepseek-ai/DeepSeek-R1"
#define COUNT(table) (sizeof(table) / sizeof(table)[0])

/* ---- probes ---- */

/* The guide's on vLLM's own port, with a start-up probe every 10 s (facts/readiness-probes-guide.md, wide-EP's budget). */
#define PROBES(port, delay, period, threshold)                                                                         \
    {                                                                                                                  \
        {                                                                                                              \
            {"/v1/models", port, delay, period, 5, threshold}, {"/health", port, 0, 10, 5, 3},                         \
            {                                                                                                          \
                "/v1/models", port, 0, 5, 2, 3                                                                         \
            }                                                                                                          \
        }                                                                                                              \
    }
static const struct part_probes ON_8200 = PROBES(8200, 15, 10, 60), ON_8000 = PROBES(8000, 15, 10, 60);
static const struct part_probes GUIDE_8000 = PROBES(8000, 15, 30, 60); /* 30 minutes */
static const struct part_probes SHORT_8200 = PROBES(8200, 15, 10, 24); /* 4:15 */
static const struct part_probes WRONG_8000 = PROBES(8000, 10, 10, 18); /* 3:10, and nobody serves 8000 */
static const struct part_probes HASTY_8000 = {{{"/v1/models", 8000, 15, 10, 5, 60},
                                               {"/health", 8000, 0, 10, 5, 3},
                                               {"/v1/models", 8000, 0, 5, 1, 3}}}; /* timeoutSeconds left at 1 */
/* No liveness probe: these are not restarted, so that what they do stays to be seen. */
static const struct part_probes ODD_8000 = {
    {{NULL, 0, 0, 0, 0, 0}, {NULL, 0, 0, 0, 0, 0}, {"/v1/models", 8000, 0, 5, 2, 3}}};

/* ---- scripts ---- */

#define IN_SERVICE                                                                                                     \
    {ACT_CHAPTER, 30, CHAPTER_TRAFFIC},                                                                                \
    {                                                                                                                  \
        ACT_BACK, 0, 1                                                                                                 \
    }
#define BEGINS                                                                                                         \
    {ACT_CHAPTER, 24, CHAPTER_BOOT}, {ACT_CHAPTER, 17, CHAPTER_ENGINE},                                                \
    {                                                                                                                  \
        ACT_CHAPTER, 3, CHAPTER_LOAD                                                                                   \
    }
#define DOWNLOADS(seconds)                                                                                             \
    {                                                                                                                  \
        ACT_CHAPTER, seconds, CHAPTER_DOWNLOAD                                                                         \
    }
#define FINDS                                                                                                          \
    {                                                                                                                  \
        ACT_CHAPTER, 1, CHAPTER_CACHED                                                                                 \
    }
#define READS(seconds)                                                                                                 \
    {ACT_CHAPTER, seconds, CHAPTER_SHARDS},                                                                            \
    {                                                                                                                  \
        ACT_CHAPTER, 3, CHAPTER_WEIGHTS                                                                                \
    }
#define PREPARES(compile)                                                                                              \
    {ACT_CHAPTER, compile, CHAPTER_COMPILE}, {ACT_CHAPTER, 14, CHAPTER_KV_CACHE}, {ACT_CHAPTER, 26, CHAPTER_GRAPHS},   \
        {ACT_CHAPTER, 6, CHAPTER_APP},                                                                                 \
    {                                                                                                                  \
        ACT_FACE, 0, FACE_SERVING                                                                                      \
    }
#define SIDECAR                                                                                                        \
    {                                                                                                                  \
        ACT_CHAPTER, 5, CHAPTER_SIDECAR                                                                                \
    }

static const struct act ALONE[] = {{ACT_STAY, 0, 0}};
static const struct act SERVES[] = {IN_SERVICE};
static const struct act FRESH[] = {BEGINS, DOWNLOADS(130), READS(78), PREPARES(48), IN_SERVICE};
static const struct act FRESH_DECODE[] = {SIDECAR, BEGINS, DOWNLOADS(130), READS(78), PREPARES(48), IN_SERVICE};
static const struct act FRESH_SLOW[] = {SIDECAR, BEGINS, DOWNLOADS(295), READS(78), PREPARES(48), IN_SERVICE};
static const struct act FRESH_SMALL[] = {BEGINS, DOWNLOADS(55), READS(9), PREPARES(24), IN_SERVICE};
static const struct act FRESH_BIG[] = {SIDECAR, BEGINS, DOWNLOADS(110), READS(130), PREPARES(70), IN_SERVICE};
static const struct act CACHED[] = {BEGINS, FINDS, READS(78), PREPARES(48), IN_SERVICE};
static const struct act CACHED_SMALL[] = {BEGINS, FINDS, READS(9), PREPARES(16), IN_SERVICE};
static const struct act TOO_SLOW[] = {BEGINS, DOWNLOADS(285), READS(78), PREPARES(48), IN_SERVICE};
static const struct act TOO_BIG[] = {BEGINS, FINDS, {ACT_CHAPTER, 14, CHAPTER_OOM}, {ACT_EXIT, 0, 1}};
/* The watchdog of the API server looks every 5 s and then ends the process, with exit code 0 (facts/vllm.md 1.2, 3). */
static const struct act DIES[] = {{ACT_CHAPTER, 30, CHAPTER_TRAFFIC}, {ACT_CHAPTER, 25, CHAPTER_TRAFFIC},
                                  {ACT_FACE, 0, FACE_ENGINE_DEAD},    {ACT_CHAPTER, 4, CHAPTER_DEATH},
                                  {ACT_CHAPTER, 1, CHAPTER_SHUTDOWN}, {ACT_EXIT, 0, 0}};
/* With VLLM_KEEP_ALIVE_ON_ENGINE_DEATH=1 it stays until the liveness probe has it killed. */
static const struct act DIES_ON[] = {{ACT_WAIT, 8, 0},
                                     {ACT_CHAPTER, 30, CHAPTER_TRAFFIC},
                                     {ACT_FACE, 0, FACE_ENGINE_DEAD},
                                     {ACT_CHAPTER, 2, CHAPTER_DEATH},
                                     {ACT_STAY, 0, 0}};
static const struct act BLOCKS[] = {
    {ACT_CHAPTER, 30, CHAPTER_TRAFFIC}, {ACT_CHAPTER, 25, CHAPTER_BUSY}, {ACT_FACE, 0, FACE_BLOCKED}, {ACT_STAY, 0, 0}};
static const struct act FREEZES[] = {
    {ACT_CHAPTER, 28, CHAPTER_TRAFFIC}, {ACT_FACE, 0, FACE_FROZEN}, {ACT_CHAPTER, 60, CHAPTER_STALL}, {ACT_STAY, 0, 0}};
/* Answers come to take most of the second they are given, then more, then the load goes away; and once more. */
static const struct act UNDER_LOAD[] = {{ACT_CHAPTER, 12, CHAPTER_TRAFFIC},
                                        {ACT_SLOW, 40, 450},
                                        {ACT_CHAPTER, 5, CHAPTER_BUSY},
                                        {ACT_SLOW, 40, 900},
                                        {ACT_CHAPTER, 5, CHAPTER_BUSY},
                                        {ACT_WAIT, 20, 0},
                                        {ACT_SLOW, 20, 1600},
                                        {ACT_CHAPTER, 5, CHAPTER_BUSY},
                                        {ACT_WAIT, 40, 0},
                                        {ACT_SLOW, 20, 300},
                                        {ACT_WAIT, 10, 0},
                                        {ACT_BACK, 0, 8}};
static const struct act UNDER_SOME_LOAD[] = {
    {ACT_CHAPTER, 20, CHAPTER_TRAFFIC}, {ACT_SLOW, 80, 520}, {ACT_CHAPTER, 5, CHAPTER_BUSY}, {ACT_STAY, 0, 0}};
/* The loop stands still for two readiness probes (of 5 s) again and again, and each third time for four. */
#define STUMBLES(seconds, calm)                                                                                        \
    {ACT_FACE, 0, FACE_BLOCKED}, {ACT_WAIT, seconds, 0}, {ACT_FACE, 0, FACE_SERVING},                                  \
    {                                                                                                                  \
        ACT_WAIT, calm, 0                                                                                              \
    }
static const struct act FLAPS[] = {
    {ACT_CHAPTER, 8, CHAPTER_BUSY}, STUMBLES(9.9, 14), STUMBLES(9.9, 16), STUMBLES(19, 14), {ACT_BACK, 0, 13}};

#define SHOWS(name, face) static const struct act name[] = {{ACT_FACE, 0, face}, {ACT_STAY, 0, 0}}
SHOWS(ODD_MODELS, FACE_ODD_MODELS);
SHOWS(ODD_BODY, FACE_ODD_BODY);
SHOWS(BIG_BODY, FACE_BIG_BODY);
SHOWS(CIRCLE, FACE_CIRCLE);
SHOWS(ELSEWHERE, FACE_ELSEWHERE);
SHOWS(ENDLESS_HEADERS, FACE_ENDLESS_HEADERS);
SHOWS(ENDLESS_HEADER, FACE_ENDLESS_HEADER);
SHOWS(ENDLESS_BODY, FACE_ENDLESS_BODY);
SHOWS(SHORT_BODY, FACE_SHORT_BODY);
SHOWS(LONG_LENGTH, FACE_LONG_LENGTH);
SHOWS(HALF, FACE_HALF);
SHOWS(DRIP, FACE_DRIP);
SHOWS(GARBAGE, FACE_GARBAGE);
SHOWS(RESET, FACE_RESET);
SHOWS(CLOSE, FACE_CLOSE);
static const struct act ODD_WORDS[] = {{ACT_FACE, 0, FACE_SERVING},
                                       {ACT_CHAPTER, 20, CHAPTER_HOSTILE},
                                       {ACT_EVENT, 0, 0},
                                       {ACT_EVENT, 0, 1},
                                       {ACT_EVENT, 0, 2},
                                       {ACT_WAIT, 10, 0},
                                       {ACT_BACK, 0, 5}};

const struct act STORY_KILLED_LOADING[] = {{ACT_CHAPTER, 2, CHAPTER_TERMINATED}, {ACT_EXIT, 0, 143}};
const struct act STORY_KILLED_SERVING[] = {{ACT_CHAPTER, 2, CHAPTER_SHUTDOWN}, {ACT_EXIT, 0, 143}};
const struct act STORY_KILLED_DEAF[] = {{ACT_WAIT, 30, 0}, {ACT_EXIT, 0, 137}};

const struct hostile_event STORY_EVENTS[HOSTILE_EVENTS] = {
    {"Unhealthy", "Readiness probe failed: \033[2J\033[Hall \xe2\x80\xae"
                  "drawkcab\xe2\x80\xac \xff\xfe"},
    {"\033[31mRed\033[0m", "a reason that is red, with \033]8;;http://203.0.113.9\033\\a link\033]8;;\033\\"},
    {"Pulled", "a tab\there,\r\na new line, \x01\x02\x7f and \xc2\x9b"
               "31m from C1"},
};

/* ---- casts ---- */

#define DECODE .workload = "decode", .role = ROLE_DECODE, .sidecar = true, .port = 8200
#define PREFILL .workload = "prefill", .role = ROLE_PREFILL, .port = 8000
#define SMALL .workload = "llama-8b", .model = LLAMA_8B, .shards = 4, .gpus = 1

static const struct part ROLLOUT[] = {
    {DECODE, .probes = &ON_8200, .pending = 1, .pulling = 26, .script = FRESH_DECODE},
    {DECODE, .probes = &ON_8200, .pending = 1, .pulling = 31, .script = FRESH_SLOW},
    {DECODE, .probes = &ON_8200, .appears = 1, .pending = 1, .pulling = 24, .script = FRESH_DECODE},
    {PREFILL, .probes = &ON_8000, .appears = 2, .pending = 1, .pulling = 29, .script = FRESH},
    {PREFILL, .probes = &ON_8000, .appears = 2, .pending = 1, .pulling = 0, .script = FRESH},
    {SMALL, .port = 8000, .probes = &ON_8000, .appears = 4, .pending = 32, .pulling = 0, .script = FRESH_SMALL},
};
static const struct part COLD_START[] = {
    {DECODE, .model = DEEPSEEK, .shards = 163, .gpus = 8, .probes = &ON_8200, .pending = 9, .pulling = 38,
     .script = FRESH_BIG},
};
static const struct part SLOW_DOWNLOAD[] = {
    {DECODE, .probes = &SHORT_8200, .pending = 1, .pulling = 9, .script = TOO_SLOW},
    {PREFILL, .probes = &GUIDE_8000, .pending = 1, .pulling = 12, .script = TOO_SLOW},
};
static const struct part WRONG_PORT[] = {
    {SMALL, .port = 8200, .probes = &WRONG_8000, .pending = 1, .pulling = 6, .script = CACHED_SMALL},
};
static const struct part GPU_OOM[] = {
    {PREFILL, .old = true, .probes = &ON_8000, .script = SERVES, .again = CACHED},
    {PREFILL, .new_revision = true, .probes = &ON_8000, .pending = 1, .pulling = 0, .script = TOO_BIG},
    {DECODE, .old = true, .probes = &ON_8200, .script = SERVES, .again = CACHED},
};
static const struct part ENGINE_DEAD[] = {
    {DECODE, .old = true, .probes = &ON_8200, .script = DIES_ON, .again = CACHED},
    {DECODE, .old = true, .probes = &ON_8200, .script = SERVES, .again = CACHED},
    {PREFILL, .old = true, .probes = &ON_8000, .script = DIES, .again = CACHED},
    {PREFILL, .old = true, .probes = &ON_8000, .script = SERVES, .again = CACHED},
};
static const struct part HANG[] = {
    {DECODE, .old = true, .probes = &ON_8200, .script = BLOCKS, .again = CACHED},
    {DECODE, .old = true, .probes = &ON_8200, .script = SERVES, .again = CACHED},
    {PREFILL, .old = true, .probes = &ON_8000, .script = FREEZES, .again = CACHED},
};
static const struct part PROBE_TIMEOUT[] = {
    {PREFILL, .old = true, .probes = &HASTY_8000, .script = UNDER_LOAD, .again = CACHED},
    {PREFILL, .old = true, .probes = &HASTY_8000, .script = UNDER_SOME_LOAD, .again = CACHED},
    {PREFILL, .old = true, .probes = &HASTY_8000, .script = SERVES, .again = CACHED},
};
static const struct part FLAPPING[] = {
    {PREFILL, .old = true, .probes = &ON_8000, .script = FLAPS, .again = CACHED},
    {PREFILL, .old = true, .probes = &ON_8000, .script = SERVES, .again = CACHED},
    {DECODE, .old = true, .probes = &ON_8200, .script = SERVES, .again = CACHED},
};

#define ODD(shows) .workload = "odd", .port = 8000, .old = true, .probes = &ODD_8000, .script = shows
static const struct part HOSTILE[] = {
    {ODD(ODD_MODELS), .name = "odd-models"},
    {ODD(ODD_BODY), .name = "odd-body"},
    {ODD(ODD_WORDS), .name = "odd-words"},
    {ODD(SERVES), .name = "odd-\033[2J\033[31mname\xe2\x80\xae"
                          "eman-ddo\xff"},
    {ODD(SERVES),
     .name =
         "a-very-long-name-that-goes-on-and-on-and-on-and-on-and-on-and-on-and-on-and-on-and-on-and-on-and-on-and-on-"
         "and-on-"
         "\xe5\xad\x97\xe5\xad\x97\xe5\xad\x97-and-on-and-on-and-on-and-on-and-on-and-on-and-on-and-on-and-ends-here"},
    {ODD(BIG_BODY), .name = "big-body"},
    {ODD(CIRCLE), .name = "redirect-circle"},
    {ODD(ELSEWHERE), .name = "redirect-elsewhere"},
    {ODD(ENDLESS_HEADERS), .name = "endless-headers"},
    {ODD(ENDLESS_HEADER), .name = "endless-header"},
    {ODD(ENDLESS_BODY), .name = "endless-body"},
    {ODD(SHORT_BODY), .name = "short-body"},
    {ODD(LONG_LENGTH), .name = "long-length"},
    {ODD(HALF), .name = "half-an-answer"},
    {ODD(DRIP), .name = "drip"},
    {ODD(GARBAGE), .name = "garbage"},
    {ODD(RESET), .name = "reset"},
    {ODD(CLOSE), .name = "close"},
};

static const struct part THOUSAND[] = {
    {PREFILL, .old = true, .probes = &ON_8000, .spread = 2, .script = ALONE, .again = CACHED, .weight = 30},
    {PREFILL, .probes = &ON_8000, .spread = 60, .pending = 1, .pulling = 8, .script = CACHED},
    {PREFILL, .old = true, .probes = &ON_8000, .spread = 2, .script = ALONE, .again = CACHED, .weight = 15},
    {PREFILL, .probes = &ON_8000, .spread = 10, .pending = 40, .pulling = 0, .script = CACHED},
    {PREFILL, .new_revision = true, .probes = &ON_8000, .spread = 20, .pending = 1, .pulling = 0, .script = TOO_BIG},
    {PREFILL, .old = true, .probes = &ON_8000, .spread = 2, .script = FLAPS, .again = CACHED},
    {PREFILL, .old = true, .probes = &ON_8000, .spread = 2, .script = ALONE, .again = CACHED},
};

/* ---- the list ---- */

/* name, seconds, default pods, default speed, right answer, cast, sentence, ending */
#define STORY_TABLE(X)                                                                                                 \
    X("rollout", 620, 6, 7, "healthy", ROLLOUT,                                                                        \
      "Six pods come up, decode behind sidecars, prefill and one standalone; one is slow but arrives in time.",        \
      "All pods are Ready: the rollout is done.")                                                                      \
    X("cold-start", 540, 1, 6, "healthy", COLD_START,                                                                  \
      "One pod with 163 shards climbs the whole ladder: Pending, download, shards, compilation, graphs, Ready.",       \
      "The pod is Ready: a cold start from an empty cache.")                                                           \
    X("slow-download", 610, 2, 7, "startup-budget-exceeded", SLOW_DOWNLOAD,                                            \
      "A slow network: one pod's start-up budget is shorter than its download, so it is killed and begins again.",     \
      "The pod with the long budget is Ready, the other was killed again before its weights were there.")              \
    X("wrong-port", 410, 1, 5, "wrong-port", WRONG_PORT,                                                               \
      "vLLM serves 8200 and says so, the probes ask 8000: killed while it works.",                                     \
      "The container was killed again although vLLM was up: its probes ask the wrong port.")                           \
    X("gpu-oom", 400, 3, 5, "gpu-oom", GPU_OOM,                                                                        \
      "A new revision does not fit the GPU: out of memory at load, exit 1, CrashLoopBackOff.",                         \
      "The new revision is in CrashLoopBackOff: its model does not fit the GPU.")                                      \
    X("engine-dead", 400, 4, 5, "engine-dead", ENGINE_DEAD,                                                            \
      "Two engines die while their API servers still list the model: one exits with code 0, one waits for liveness.",  \
      "Both containers were restarted, have loaded again and are Ready.")                                              \
    X("hang", 440, 3, 5, "server-hangs", HANG,                                                                         \
      "One event loop blocks behind its sidecar, one pod answers nothing at all: liveness counts to three.",           \
      "Both containers were killed after three liveness time-outs, have loaded again and are Ready.")                  \
    X("probe-timeout", 400, 3, 4, "probe-timeout", PROBE_TIMEOUT,                                                      \
      "timeoutSeconds is 1 and answers creep towards it under load, until readiness flaps out.",                       \
      "Under load the pod is taken out of service again and again: one second is too short.")                          \
    X("flapping", 320, 3, 4, "flapping", FLAPPING,                                                                     \
      "Readiness fails twice and recovers, again and again, and sometimes three times: NotReady.",                     \
      "The pod still flaps: most stumbles end just below the threshold.")                                              \
    X("hostile", 240, 18, 2, "", HOSTILE,                                                                              \
      "Servers that lie, drip, loop, flood and send escape sequences: one pod for each.",                              \
      "The fleet has said all its bad words; the screen should look none the worse.")                                  \
    X("thousand", 320, 1000, 2, "gpu-oom", THOUSAND,                                                                   \
      "A thousand pods: most Ready, a few dozen loading, crashing or flapping.",                                       \
      "The loading pods are Ready; a few dozen of the fleet stay broken.")

static const struct sim_story TOLD[] = {
#define X(name, seconds, pods, speed, answer, cast, sentence, ending) {name, sentence, seconds, pods, speed, answer},
    STORY_TABLE(X)
#undef X
};
static const struct story TABLES[] = {
#define X(name, seconds, pods, speed, answer, cast, sentence, ending) {cast, COUNT(cast), ending},
    STORY_TABLE(X)
#undef X
};

const struct sim_story *sim_stories(size_t *count)
{
    *count = COUNT(TOLD);
    return TOLD;
}

const struct sim_story *sim_story_find(const char *name)
{
    for (size_t i = 0; i < COUNT(TOLD); i++)
        if (strcmp(TOLD[i].name, name) == 0)
            return &TOLD[i];
    return NULL;
}

const struct story *story_of(const struct sim_story *told)
{
    return &TABLES[told - TOLD];
}
