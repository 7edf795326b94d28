#include "sim/sim.h"

#include "base/mem.h"
#include "sim/kubelet.h"
#include "sim/stories.h"

#include <inttypes.h>
#include <string.h>
#include <sys/resource.h>

enum {
    PODS_MAX = 2000,
    SIDECAR_PORT = 8000,
    BODY_MAX = 2 << 20,
    CALM_LATENCY_US = 2500,
    RESERVED_FDS = 300,     /* what the rest of the program and probes under way need */
    FDS_PER_POD = 3,        /* two ports, and a connection now and then */
    WANTS_GPUS_SECONDS = 5, /* a Pending longer than this is told as Unschedulable */
    SCRIPT_OVER = -1
};

/* Where a pod stands before and between its container's runs. */
enum life { LIFE_UNBORN, LIFE_PENDING, LIFE_PULLING, LIFE_PULLED, LIFE_RUNNING, LIFE_DYING, LIFE_DEAD };

struct sim;
struct sim_pod;

/* A port of a pod's network: a real socket on loopback. */
struct sim_port {
    struct sim_pod *pod;
    int32_t number; /* as the container knows it */
    struct server *server;
};

enum { PORTS_MAX = 2 };

struct sim_pod {
    struct sim *sim;
    const struct part *part;
    uint32_t id;      /* the engine's */
    uint32_t heap_at; /* place in the heap */
    int64_t due;      /* when it next has something to do */
    enum life life;
    int64_t next; /* t of the life's or the script's next step; INT64_MAX: none */
    const struct act *act;
    int64_t act_began;
    double act_seconds; /* with its share of chance */
    size_t line;        /* of a chapter */
    struct vllm vllm;
    struct kubelet kubelet;
    struct dice dice, looks,
        answers; /* for its fate, its kubelet's looks, its servers' answers: the last are asked at real times, so they must not disturb the others */
    struct sim_port ports[PORTS_MAX];
    int port_count;
};

struct sim {
    struct sim_options options;
    const struct story *story;
    struct tunnel *direct;
    struct engine *engine;
    struct sim_pod *pods;
    uint32_t count;
    uint32_t *heap; /* of pods, the soonest first */
    uv_timer_t timer;
    bool timer_open;
    bool stopped; /* perhaps from within one of our own facts: whoever is at work then does nothing more */
    struct buf body, line;
};

/* ---- telling the engine ---- */

static int64_t wall_at(const struct sim *sim, int64_t t)
{
    return engine_clock(sim->engine)->wall_zero + t;
}

static void tell_source(struct sim *sim)
{
    struct fact fact;

    fact_init(&fact, FACT_SOURCE, 0);
    fact.u.source.state = SOURCE_WATCHING;
    text_printf(&fact.u.source.detail, TEXT_LINE, "simulated fleet, story %s", sim->options.story->name);
    engine_emit(sim->engine, &fact);
    fact_free(&fact);
}

static void tell_pod(void *user)
{
    struct sim_pod *pod = user;
    struct fact fact;

    fact_init(&fact, FACT_POD, pod->id);
    pod_facts_copy(&fact.u.facts, &pod->kubelet.facts);
    engine_emit(pod->sim->engine, &fact);
    fact_free(&fact);
}

static void tell_event(void *user, const struct kubelet_event *event)
{
    struct sim_pod *pod = user;
    struct fact fact;

    fact_init(&fact, FACT_EVENT, pod->id);
    text_set_str(&fact.u.event.reason, event->reason, TEXT_NAME);
    text_copy(&fact.u.event.message, &event->message);
    if (event->of_container)
        text_copy(&fact.u.event.container, &pod->kubelet.facts.serving.name);
    text_printf(&fact.u.event.uid, TEXT_NAME, "%016" PRIx64, event->uid);
    fact.u.event.warning = event->warning;
    fact.u.event.count = event->count;
    fact.u.event.first = event->first;
    fact.u.event.last = event->last;
    engine_emit(pod->sim->engine, &fact);
    fact_free(&fact);
}

static void tell_line(struct sim_pod *pod, enum vllm_chapter chapter, size_t index, int64_t t)
{
    struct sim *sim = pod->sim;
    const bool sidecar = chapter == CHAPTER_SIDECAR;
    const struct pod_facts *facts = &pod->kubelet.facts;
    struct fact fact;

    vllm_line(&pod->vllm, chapter, index, pod->act_seconds, wall_at(sim, t), &sim->line);
    fact_init(&fact, FACT_LOG, pod->id);
    text_set(&fact.u.log.line, buf_str(&sim->line), sim->line.len, TEXT_LINE);
    text_copy(&fact.u.log.container, sidecar ? &facts->sidecar.name : &facts->serving.name);
    fact.u.log.sidecar = sidecar;
    fact.u.log.written = t;
    engine_emit(sim->engine, &fact);
    fact_free(&fact);
}

static void tell_tunnel(struct sim_pod *pod)
{
    struct fact fact;

    fact_init(&fact, FACT_TUNNEL, pod->id);
    fact.u.tunnel.word = TUNNEL_UP;
    fact.u.tunnel.round_trip = -1;
    engine_emit(pod->sim->engine, &fact);
    fact_free(&fact);
}

/* ---- what is due next: a binary heap of pods by `due` ---- */

static void heap_put(struct sim *sim, uint32_t at, uint32_t pod)
{
    sim->heap[at] = pod;
    sim->pods[pod].heap_at = at;
}

static int64_t heap_due(const struct sim *sim, uint32_t at)
{
    return sim->pods[sim->heap[at]].due;
}

/* Pods that are due at the same moment come in their own order: the story must not depend on the heap. */
static bool heap_before(const struct sim *sim, uint32_t a, uint32_t b)
{
    const int64_t due_a = heap_due(sim, a), due_b = heap_due(sim, b);

    return due_a < due_b || (due_a == due_b && sim->heap[a] < sim->heap[b]);
}

static void heap_swap(struct sim *sim, uint32_t a, uint32_t b)
{
    const uint32_t pod = sim->heap[a];

    heap_put(sim, a, sim->heap[b]);
    heap_put(sim, b, pod);
}

/* Brings a pod whose `due` has changed to its place. */
static void heap_mend(struct sim *sim, uint32_t at)
{
    while (at > 0 && heap_before(sim, at, (at - 1) / 2)) {
        heap_swap(sim, at, (at - 1) / 2);
        at = (at - 1) / 2;
    }
    for (;;) {
        uint32_t least = at;

        for (uint32_t child = 2 * at + 1; child <= 2 * at + 2 && child < sim->count; child++)
            if (heap_before(sim, child, least))
                least = child;
        if (least == at)
            return;
        heap_swap(sim, at, least);
        at = least;
    }
}

/* ---- the servers ---- */

static bool port_is_sidecars(const struct sim_pod *pod, int32_t number)
{
    return pod->part->sidecar && number == SIDECAR_PORT;
}

/* A request on a real socket. Times of the story become real ones here. */
static void port_answer(void *user, const char *path, const char *request, struct answer *answer)
{
    const struct sim_port *port = user;
    struct sim_pod *pod = port->pod;
    const struct clock *clock = engine_clock(pod->sim->engine);
    const int64_t t = clock_now(clock);
    const int64_t half_ms = MILLISECOND_US / 2;

    (void)request;
    vllm_answer(&pod->vllm, port_is_sidecars(pod, port->number), path, t, wall_at(pod->sim, t), &pod->answers,
                &pod->sim->body, answer);
    answer->delay_us = (int64_t)((double)answer->delay_us / clock->speed);
    answer->delay_us =
        (answer->delay_us + half_ms) / MILLISECOND_US * MILLISECOND_US; /* a server's timer has whole ms */
}

/* Opens the ports that are served now and closes the others. */
static void ports_follow(struct sim_pod *pod)
{
    for (int i = 0; i < pod->port_count; i++) {
        const struct sim_port *port = &pod->ports[i];
        bool open = vllm_listens(&pod->vllm);

        if (port->server == NULL)
            continue;
        if (port_is_sidecars(pod, port->number))
            open = pod->kubelet.facts.sidecar.state == CONTAINER_RUNNING;
        else if (port->number != pod->vllm.port)
            open = false; /* what is asked here nobody serves */
        if (!open) {
            server_mute(port->server, true);
        } else if (server_listen(port->server) != STATUS_OK) {
            engine_note(pod->sim->engine, "the simulated pod %s could not open its port",
                        text_str(&pod->kubelet.facts.name));
        }
    }
}

static void face_set(struct sim_pod *pod, enum vllm_face face, int64_t t)
{
    pod->vllm.face = face;
    ports_follow(pod);
    kubelet_wake(&pod->kubelet, t);
}

static bool port_add(struct sim_pod *pod, int32_t number)
{
    struct sim_port *port = &pod->ports[pod->port_count];
    struct problem problem = {0};

    for (int i = 0; i < pod->port_count; i++)
        if (pod->ports[i].number == number)
            return true;
    *port = (struct sim_port){.pod = pod, .number = number};
    if (server_new(engine_loop(pod->sim->engine), port_answer, port, &port->server, &problem) != STATUS_OK) {
        engine_note(pod->sim->engine, "%s", problem.text);
        return false;
    }
    pod->port_count++;
    direct_set(pod->sim->direct, pod->id, number, "127.0.0.1", server_port(port->server), NULL);
    return true;
}

/* ---- the kubelet's hands ---- */

static bool hand_look(void *user, const struct probe_spec *spec, int64_t t, struct answer *answer, bool *steady)
{
    struct sim_pod *pod = user;
    const bool sidecar = port_is_sidecars(pod, spec->port);

    *steady = vllm_is_steady(&pod->vllm);
    if (!sidecar && (spec->port != pod->vllm.port || !vllm_listens(&pod->vllm)))
        return false;
    vllm_answer(&pod->vllm, sidecar, spec->path, t, wall_at(pod->sim, t), &pod->looks, &pod->sim->body, answer);
    return true;
}

static void script_begin(struct sim_pod *pod, const struct act *script, int64_t t);

static void hand_kill(void *user, int64_t t)
{
    struct sim_pod *pod = user;
    const enum vllm_face face = pod->vllm.face;
    const bool deaf = face == FACE_BLOCKED || face == FACE_FROZEN;

    pod->life = LIFE_DYING;
    script_begin(pod, deaf ? STORY_KILLED_DEAF : face == FACE_LOADING ? STORY_KILLED_LOADING : STORY_KILLED_SERVING, t);
}

static void hand_start(void *user, int64_t t)
{
    struct sim_pod *pod = user;
    const struct part *part = pod->part;
    const bool first = text_empty(&pod->kubelet.facts.serving.container_id);

    pod->life = LIFE_RUNNING;
    kubelet_start(&pod->kubelet, t);
    script_begin(pod, first || part->again == NULL ? part->script : part->again, t);
}

static const struct kubelet_hands HANDS = {
    .look = hand_look, .changed = tell_pod, .event = tell_event, .kill = hand_kill, .start = hand_start};

/* ---- the script ---- */

/* Makes `act` the present one from t on. */
static void act_begin(struct sim_pod *pod, const struct act *act, int64_t t)
{
    pod->act = act;
    pod->act_began = t;
    pod->act_seconds = act->kind == ACT_CHAPTER ? dice_spread(&pod->dice, act->seconds, 0.08) : act->seconds;
    pod->line = 0;
    pod->next = t;
    if (act->kind == ACT_CHAPTER && act->number == CHAPTER_DOWNLOAD)
        pod->vllm.download_took = pod->act_seconds;
    else if (act->kind == ACT_CHAPTER && act->number == CHAPTER_SHARDS)
        pod->vllm.weights_took = pod->act_seconds;
}

static void script_begin(struct sim_pod *pod, const struct act *script, int64_t t)
{
    act_begin(pod, script, t);
}

static int64_t act_moment(const struct sim_pod *pod, double share)
{
    return pod->act_began + (int64_t)(pod->act_seconds * share * SECOND_US);
}

/* One line of a chapter, and when the next comes. Past the last line the chapter lasts until its time is over. */
static void act_chapter(struct sim_pod *pod, int64_t t)
{
    const enum vllm_chapter chapter = (enum vllm_chapter)pod->act->number;
    const size_t lines = vllm_lines(&pod->vllm, chapter);

    if (pod->line == lines) {
        act_begin(pod, pod->act + 1, t);
        return;
    }
    const int64_t at = act_moment(pod, vllm_line_at(&pod->vllm, chapter, pod->line));

    if (at <= t)
        tell_line(pod, chapter, pod->line++, t);
    pod->next = pod->line == lines ? act_moment(pod, 1) : act_moment(pod, vllm_line_at(&pod->vllm, chapter, pod->line));
    if (pod->next < t)
        pod->next = t;
}

/* An act that lasts: waits for its end at the first call and goes on at the second. */
static bool act_lasts(struct sim_pod *pod, int64_t t)
{
    if (pod->line++ == 0) {
        pod->next = act_moment(pod, 1);
        return true;
    }
    act_begin(pod, pod->act + 1, t);
    return false;
}

static void act_exit(struct sim_pod *pod, int64_t t)
{
    const int32_t code = pod->act->number;

    pod->life = LIFE_DEAD;
    pod->next = INT64_MAX;
    pod->vllm.slow_to = pod->vllm.slow_from = CALM_LATENCY_US;
    pod->vllm.slow_ends = 0;
    face_set(pod, FACE_LOADING, t);
    kubelet_exit(&pod->kubelet, t, code, code == 0 ? "Completed" : "Error");
}

static void act_slow(struct sim_pod *pod, int64_t t)
{
    struct vllm *vllm = &pod->vllm;

    if (act_lasts(pod, t)) {
        vllm->slow_from = vllm->slow_to;
        vllm->slow_to = (int64_t)pod->act->number * MILLISECOND_US;
        vllm->slow_begins = t;
        vllm->slow_ends = pod->next;
        kubelet_wake(&pod->kubelet, t);
    }
}

static void script_step(struct sim_pod *pod, int64_t t)
{
    const struct act *act = pod->act;

    switch (act->kind) {
    case ACT_WAIT:
        (void)act_lasts(pod, t);
        break;
    case ACT_CHAPTER:
        act_chapter(pod, t);
        break;
    case ACT_FACE:
        face_set(pod, (enum vllm_face)act->number, t);
        act_begin(pod, act + 1, t);
        break;
    case ACT_SLOW:
        act_slow(pod, t);
        break;
    case ACT_EVENT:
        kubelet_say(&pod->kubelet, t, true, STORY_EVENTS[act->number].reason, STORY_EVENTS[act->number].message);
        act_begin(pod, act + 1, t);
        break;
    case ACT_EXIT:
        act_exit(pod, t);
        break;
    case ACT_BACK:
        act_begin(pod, act - act->number, t);
        break;
    case ACT_STAY:
    default:
        pod->next = INT64_MAX;
        break;
    }
}

/* ---- how a pod comes to be ---- */

static void name_letters(struct dice *dice, char *out, size_t length)
{
    static const char letters[] = "bcdfghjklmnpqrstvwxz2456789"; /* those Kubernetes makes names of */

    for (size_t i = 0; i < length; i++)
        out[i] = letters[dice_between(dice, 0, (int64_t)sizeof letters - 2)];
    out[length] = '\0';
}

/* decode-7f9c6d5b8d-x2k4q: siblings share the middle. */
static void pod_name(struct sim_pod *pod, struct pod_facts *facts)
{
    const struct part *part = pod->part;
    struct dice revision = {pod->sim->options.seed + part->new_revision};
    char middle[16], end[8];

    for (const char *c = part->workload; *c != '\0'; c++)
        revision.state = revision.state * 31 + (uint8_t)*c;
    name_letters(&revision, middle, 10);
    name_letters(&pod->dice, end, 5);
    if (part->name == NULL)
        text_printf(&facts->name, TEXT_NAME, "%s-%s-%s", part->workload, middle, end);
    else
        text_set_str(&facts->name, part->name, TEXT_NAME);
    text_set_str(&facts->ns, "llm-d", TEXT_NAME);
    text_printf(&facts->workload, TEXT_NAME, "deploy/%s", part->workload);
    text_printf(&facts->uid, TEXT_NAME, "%08" PRIx32 "-%04x-4%03x-a%03x-%012" PRIx64, (uint32_t)dice_roll(&pod->dice),
                (unsigned)(dice_roll(&pod->dice) & 0xffff), (unsigned)(dice_roll(&pod->dice) & 0xfff),
                (unsigned)(dice_roll(&pod->dice) & 0xfff), dice_roll(&pod->dice) & UINT64_C(0xffffffffffff));
    text_printf(&facts->node, TEXT_NAME, "gpu-%02d", (int)dice_between(&pod->dice, 1, 24));
    text_printf(&facts->pod_ip, TEXT_NAME, "10.244.%d.%d", (int)dice_between(&pod->dice, 1, 24),
                (int)dice_between(&pod->dice, 2, 254));
}

static void probes_fill(const struct part *part, struct pod_facts *facts)
{
    for (enum lane_kind lane = LANE_STARTUP; lane <= LANE_READINESS; lane++) {
        const struct part_probe *row = &part->probes->lanes[lane];
        struct probe_spec *spec = &facts->probes[lane];

        if (row->threshold > 0) {
            probe_spec_http(spec, row->path, row->port);
            spec->initial_delay = row->delay;
            spec->period = row->period;
            spec->timeout = row->timeout;
            spec->failure_threshold = row->threshold;
            spec->timeout_unset = row->timeout == 1;
        }
    }
    probe_spec_recommended(&facts->probes[LANE_HEALTH], LANE_HEALTH, facts->vllm_port);
    probe_spec_recommended(&facts->probes[LANE_MODELS], LANE_MODELS, facts->serving_port);
}

static void facts_fill(struct sim_pod *pod, struct pod_facts *facts)
{
    const struct part *part = pod->part;

    facts->id = pod->id;
    facts->role = part->role;
    facts->grace = 30;
    facts->vllm_port = part->port;
    facts->serving_port = part->sidecar ? SIDECAR_PORT : part->port;
    pod_name(pod, facts);
    probes_fill(part, facts);
    facts->serving.exists = true;
    text_set_str(&facts->serving.name, "vllm", TEXT_NAME);
    text_set_str(&facts->serving.image, "ghcr.io/llm-d/llm-d:v0.4.0", TEXT_NAME);
    if (part->sidecar) {
        facts->sidecar.exists = true;
        text_set_str(&facts->sidecar.name, "routing-proxy", TEXT_NAME);
        text_set_str(&facts->sidecar.image, "ghcr.io/llm-d/llm-d-routing-sidecar:v0.4.0", TEXT_NAME);
    }
    text_set_str(&facts->via, direct_ops.name, TEXT_NAME);
}

static void vllm_fill(struct sim_pod *pod)
{
    const struct part *part = pod->part;

    pod->vllm = (struct vllm){
        .model = part->model != NULL ? part->model : "meta-llama/Llama-3.3-70B-Instruct",
        .max_model_len = 32768,
        .shards = part->shards > 0 ? part->shards : 30,
        .tensor_parallel = part->gpus > 0 ? part->gpus : 4,
        .port = part->port,
        .face = FACE_LOADING,
        .slow_from = CALM_LATENCY_US,
        .slow_to = CALM_LATENCY_US,
    };
}

/* The pod appears. Its ports exist from here on, so that they refuse like a bound port does. */
static void pod_born(struct sim_pod *pod, int64_t t)
{
    struct sim *sim = pod->sim;
    const struct part *part = pod->part;
    struct pod_facts facts = {0};

    pod->id = engine_new_pod_id(sim->engine);
    vllm_fill(pod);
    facts_fill(pod, &facts);
    bool ports = port_add(pod, facts.serving_port) && port_add(pod, facts.vllm_port);

    for (enum lane_kind lane = LANE_STARTUP; ports && lane <= LANE_READINESS; lane++)
        ports = facts.probes[lane].action == PROBE_NONE || port_add(pod, facts.probes[lane].port);
    if (ports)
        text_printf(&facts.address, TEXT_LINE, "127.0.0.1:%d", (int)server_port(pod->ports[0].server));
    kubelet_init(&pod->kubelet, &facts, &HANDS, pod, dice_roll(&pod->dice));
    if (part->old) {
        pod->life = LIFE_RUNNING;
        kubelet_adopt(&pod->kubelet, t, dice_between(&pod->dice, 6600, 9400) * SECOND_US);
        tell_tunnel(pod);
        face_set(pod, FACE_SERVING, t);
        script_begin(pod, part->script, t);
        return;
    }
    pod->life = LIFE_PENDING;
    pod->next = t + (int64_t)(part->pending * SECOND_US);
    kubelet_created(&pod->kubelet, t);
    tell_tunnel(pod);
    if (part->pending > WANTS_GPUS_SECONDS)
        kubelet_unschedulable(&pod->kubelet, t);
}

/* The next step on the way to a running container, or of its script. */
static void pod_step(struct sim_pod *pod, int64_t t)
{
    const int64_t pulling = (int64_t)(pod->part->pulling * SECOND_US);

    switch (pod->life) {
    case LIFE_UNBORN:
        pod_born(pod, t);
        break;
    case LIFE_PENDING:
        kubelet_scheduled(&pod->kubelet, t);
        if (pulling > 0)
            kubelet_pulling(&pod->kubelet, t + SECOND_US);
        pod->life = LIFE_PULLING;
        pod->next = t + pulling + SECOND_US;
        break;
    case LIFE_PULLING:
        kubelet_pulled(&pod->kubelet, t, pulling);
        ports_follow(pod);
        pod->life = LIFE_PULLED;
        pod->next = t + SECOND_US;
        break;
    case LIFE_PULLED:
        hand_start(pod, t);
        break;
    case LIFE_RUNNING:
    case LIFE_DYING:
    case LIFE_DEAD:
    default:
        script_step(pod, t);
        break;
    }
}

/* Does all that is due up to now, each thing at its own moment and in order. */
static void pod_run(struct sim_pod *pod, int64_t now)
{
    while (!pod->sim->stopped) {
        const int64_t kubelet = pod->life == LIFE_UNBORN ? INT64_MAX : kubelet_next(&pod->kubelet);

        pod->due = kubelet < pod->next ? kubelet : pod->next;
        if (pod->due > now)
            return;
        if (pod->next <= kubelet)
            pod_step(pod, pod->next);
        else
            kubelet_run(&pod->kubelet, kubelet);
    }
}

/* ---- the source ---- */

static int64_t story_ends(const struct sim *sim)
{
    return (int64_t)sim->options.story->seconds * SECOND_US;
}

static void sim_turn(uv_timer_t *timer)
{
    struct sim *sim = timer->data;
    const struct clock *clock = engine_clock(sim->engine);
    const int64_t now = clock_now(clock), ends = story_ends(sim);
    const int64_t until = now < ends ? now : ends;

    while (!sim->stopped && sim->count > 0 && heap_due(sim, 0) <= until) {
        pod_run(&sim->pods[sim->heap[0]], until);
        heap_mend(sim, 0);
    }
    if (sim->stopped)
        return;
    if (now >= ends) { /* the fleet stands still as it is; its servers go on answering */
        engine_end(sim->engine, sim->story->ending);
        return;
    }
    const int64_t next = sim->count > 0 && heap_due(sim, 0) < ends ? heap_due(sim, 0) : ends;

    uv_timer_start(timer, sim_turn, (uint64_t)clock_real_ms_until(clock, next), 0);
}

static const struct part *part_of(const struct story *story, uint32_t index)
{
    uint32_t all = 0;

    for (size_t i = 0; i < story->parts; i++)
        all += story->cast[i].weight > 0 ? (uint32_t)story->cast[i].weight : 1;
    index %= all;
    for (const struct part *part = story->cast;; part++) {
        const uint32_t weight = part->weight > 0 ? (uint32_t)part->weight : 1;

        if (index < weight)
            return part;
        index -= weight;
    }
}

/* As many pods as there are file descriptors for. */
static uint32_t sim_afford(struct sim *sim, uint32_t wanted)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return wanted;
    if (limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &limit) != 0 || getrlimit(RLIMIT_NOFILE, &limit) != 0)
            return wanted;
    }
    const uint64_t needed = (uint64_t)wanted * FDS_PER_POD + RESERVED_FDS;

    if (limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur >= needed)
        return wanted;
    const uint32_t fewer =
        limit.rlim_cur > RESERVED_FDS + FDS_PER_POD ? (uint32_t)((limit.rlim_cur - RESERVED_FDS) / FDS_PER_POD) : 1;

    engine_note(sim->engine, "%u of %u simulated pods: the limit of open files (ulimit -n) does not allow more",
                (unsigned)fewer, (unsigned)wanted);
    return fewer;
}

static enum status sim_start(void *source, struct engine *engine, struct problem *problem)
{
    struct sim *sim = source;
    const int32_t wanted = sim->options.pods > 0 ? sim->options.pods : sim->options.story->default_pods;
    struct dice seeds = {sim->options.seed};

    sim->engine = engine;
    if (engine_clock(engine)->speed <= 0) {
        return problem_set(problem, STATUS_BAD_INPUT,
                           "a simulated fleet needs a clock that runs; speed must be above 0");
    }
    tell_source(sim);
    sim->count = sim_afford(sim, wanted < PODS_MAX ? (uint32_t)wanted : PODS_MAX);
    sim->pods = mem_array(sim->count, sizeof *sim->pods);
    sim->heap = mem_array(sim->count, sizeof *sim->heap);
    for (uint32_t i = 0; i < sim->count; i++) {
        struct sim_pod *pod = &sim->pods[i];

        pod->sim = sim;
        pod->part = part_of(sim->story, i);
        pod->dice.state = dice_roll(&seeds);
        pod->looks.state = dice_roll(&seeds);
        pod->answers.state = dice_roll(&seeds);
        pod->next = pod->due =
            (int64_t)((pod->part->appears + pod->part->spread * dice_spread(&pod->dice, 0.5, 1)) * SECOND_US);
        heap_put(sim, i, i);
    }
    for (uint32_t i = sim->count; i-- > 0;)
        heap_mend(sim, i);
    uv_timer_init(engine_loop(engine), &sim->timer);
    sim->timer.data = sim;
    sim->timer_open = true;
    uv_timer_start(&sim->timer, sim_turn, 0, 0);
    return STATUS_OK;
}

static void timer_closed(uv_handle_t *handle)
{
    struct sim *sim = handle->data;

    engine_source_stopped(sim->engine);
}

static void sim_stop(void *source)
{
    struct sim *sim = source;

    sim->stopped = true;
    for (uint32_t i = 0; i < sim->count; i++) {
        struct sim_pod *pod = &sim->pods[i];

        for (int k = 0; k < pod->port_count; k++)
            server_free(pod->ports[k].server);
        pod->port_count = 0;
    }
    if (sim->timer_open)
        uv_close((uv_handle_t *)&sim->timer, timer_closed);
    else
        engine_source_stopped(sim->engine);
}

static void sim_free(void *source)
{
    struct sim *sim = source;

    for (uint32_t i = 0; i < sim->count; i++)
        if (sim->pods[i].life != LIFE_UNBORN)
            kubelet_free(&sim->pods[i].kubelet);
    mem_free(sim->pods);
    mem_free(sim->heap);
    buf_free(&sim->body);
    buf_free(&sim->line);
    mem_free(sim);
}

const struct source_ops sim_ops = {.name = "simulated", .start = sim_start, .stop = sim_stop, .free = sim_free};

void *sim_source_new(const struct sim_options *options, struct tunnel *direct)
{
    struct sim *sim = mem_new(sizeof *sim);

    sim->options = *options;
    sim->story = story_of(options->story);
    sim->direct = direct;
    buf_init(&sim->body, BODY_MAX);
    buf_init(&sim->line, TEXT_BODY);
    return sim;
}
