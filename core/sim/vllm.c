/* The log lines follow vLLM 0.24 as the llm-d image carries it; their order and wording are those of facts/vllm.md section 2. */
#include "sim/vllm.h"

#include "base/clock.h"

#include <inttypes.h>
#include <string.h>

/* ---- chance ---- */

uint64_t dice_roll(struct dice *dice)
{
    uint64_t z = dice->state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

int64_t dice_between(struct dice *dice, int64_t least, int64_t most)
{
    return least + (int64_t)(dice_roll(dice) % ((uint64_t)(most - least) + 1));
}

double dice_spread(struct dice *dice, double value, double share)
{
    const double unit = (double)(dice_roll(dice) >> 11) / (double)(UINT64_C(1) << 53);

    return value * (1 + share * (2 * unit - 1));
}

/* ---- HTTP ---- */

static const struct {
    enum manner manner;
    int32_t status;
    const char *headers;
} FACES[FACE_COUNT] = {
#define X(id, manner, status, headers) [id] = {manner, status, headers},
    FACE_TABLE(X)
#undef X
};

#define JSON_HEADERS "Server: uvicorn\r\nContent-Type: application/json\r\n"
#define PLAIN_HEADERS "Server: uvicorn\r\n"
#define ODD_MODELS                                                                                                     \
    "{\"object\":\"list\",\"data\":["                                                                                  \
    "{\"id\":\"\\u001b]0;owned\\u0007\\u001b[2J\\u001b[31mred\",\"object\":\"model\",\"owned_by\":\"vllm\"},"          \
    "{\"id\":\"\\u202egnp.exe\\u2066 bidi\",\"object\":\"model\",\"owned_by\":\"vllm\"},"                              \
    "{\"id\":\"nul\\u0000behind\",\"object\":\"model\",\"owned_by\":\"vllm\"},"                                        \
    "{\"id\":\"zero\\u200bwidth\\u2060 a\\u0301\\u0302\\u0303\\u0304 "                                                 \
    "\\ud83d\\udc69\\u200d\\ud83d\\udcbb\",\"object\":\"model\","                                                      \
    "\"owned_by\":\"vllm\"}]}"
#define ODD_BODY "\033[2J\033[1;1H\033]52;c;cm0gLXJm\007\xe2\x80\xae\xff\xfe not UTF-8 \033(0 \r\n\033[?1049l\b\b\b"

enum { BIG_BODY = 1000000 };

bool vllm_listens(const struct vllm *vllm)
{
    return vllm->face != FACE_LOADING;
}

bool vllm_is_steady(const struct vllm *vllm)
{
    return vllm->face == FACE_SERVING && vllm->slow_to <= 50 * MILLISECOND_US && vllm->slow_from <= 50 * MILLISECOND_US;
}

/* Now and then an answer is slow beside the rest, as on a real loop. */
static int64_t latency_at(const struct vllm *vllm, int64_t t, struct dice *dice)
{
    double base = (double)vllm->slow_to;

    if (t < vllm->slow_ends && vllm->slow_ends > vllm->slow_begins) {
        const double share = (double)(t - vllm->slow_begins) / (double)(vllm->slow_ends - vllm->slow_begins);

        base = (double)vllm->slow_from + share * (double)(vllm->slow_to - vllm->slow_from);
    }
    if (base < 50.0 * MILLISECOND_US && dice_between(dice, 1, 40) == 1)
        base *= 3;
    return (int64_t)dice_spread(dice, base, 0.25);
}

static void put_models(const struct vllm *vllm, int64_t wall, struct dice *dice, struct buf *body)
{
    const int64_t now = wall / SECOND_US;

    buf_printf(body, "{\"object\":\"list\",\"data\":[{\"id\":\"%s\",\"object\":\"model\",\"created\":%" PRId64 ",",
               vllm->model, now);
    buf_printf(body, "\"owned_by\":\"vllm\",\"root\":\"%s\",\"parent\":null,\"max_model_len\":%d,", vllm->model,
               (int)vllm->max_model_len);
    buf_printf(body,
               "\"permission\":[{\"id\":\"modelperm-%016" PRIx64
               "\",\"object\":\"model_permission\",\"created\":%" PRId64 ",",
               dice_roll(dice), now);
    buf_puts(body, "\"allow_create_engine\":false,\"allow_sampling\":true,\"allow_logprobs\":true,"
                   "\"allow_search_indices\":false,\"allow_view\":true,\"allow_fine_tuning\":false,"
                   "\"organization\":\"*\",\"group\":null,\"is_blocking\":false}]}]}");
}

/* vLLM's own front end once it listens. */
static void answer_own(const struct vllm *vllm, const char *path, int64_t wall, struct dice *dice, struct buf *body,
                       struct answer *answer)
{
    answer->headers = PLAIN_HEADERS;
    if (strcmp(path, "/health") == 0 || strcmp(path, "/ping") == 0) {
        answer->status = FACES[vllm->face].status;
        return;
    }
    answer->headers = JSON_HEADERS;
    answer->status = 200;
    if (strcmp(path, "/v1/models") == 0) {
        put_models(vllm, wall, dice, body);
    } else if (strcmp(path, "/version") == 0) {
        buf_puts(body, "{\"version\":\"0.24.0\"}");
    } else {
        answer->status = 404;
        buf_puts(body, "{\"detail\":\"Not Found\"}");
    }
}

/* The Go sidecar: /health is its own, all else is passed on (facts/vllm.md 1.4). Returns true when it has answered itself. */
static bool answer_sidecar(const struct vllm *vllm, const char *path, struct buf *body, struct answer *answer)
{
    if (vllm->face == FACE_FROZEN)
        return false;
    if (strcmp(path, "/health") == 0) {
        *answer = (struct answer){.manner = MANNER_ANSWER, .status = 200, .headers = ""};
        return true;
    }
    if (vllm_listens(vllm))
        return false;
    *answer = (struct answer){
        .manner = MANNER_ANSWER, .status = 503, .headers = "Content-Type: text/plain; charset=utf-8\r\n"};
    buf_puts(body,
             "{\"object\":\"error\",\"message\":\"The decode node is not ready. Please check that the vLLM service is "
             "running and the port configuration is correct.\",\"type\":\"ServiceUnavailable\",\"param\":\"\","
             "\"code\":503}");
    return true;
}

static void put_odd_body(enum vllm_face face, struct buf *body)
{
    if (face == FACE_ODD_MODELS) {
        buf_puts(body, ODD_MODELS);
        return;
    }
    buf_append(body, ODD_BODY, sizeof ODD_BODY); /* with its NUL */
    while (face == FACE_BIG_BODY && body->len < BIG_BODY && !body->truncated)
        buf_append(body, ODD_BODY, sizeof ODD_BODY);
}

void vllm_answer(const struct vllm *vllm, bool behind_sidecar, const char *path, int64_t t, int64_t wall,
                 struct dice *dice, struct buf *body, struct answer *answer)
{
    buf_clear(body);
    if (!behind_sidecar || !answer_sidecar(vllm, path, body, answer)) {
        *answer = (struct answer){.manner = FACES[vllm->face].manner,
                                  .status = FACES[vllm->face].status,
                                  .headers = FACES[vllm->face].headers};
        if (vllm->face <= FACE_FROZEN)
            answer_own(vllm, path, wall, dice, body, answer);
        else if (vllm->face == FACE_CIRCLE)
            answer->headers = "Location: /circle\r\n";
        else
            put_odd_body(vllm->face, body);
        answer->delay_us = latency_at(vllm, t, dice);
    }
    answer->body = buf_str(body);
    answer->body_length = body->len;
}

/* ---- logs ---- */

/* A line of a chapter. `at`: per mille of the chapter's time. who: 'a' the API server, 'e' the engine, 'w' the first worker (the engine where there is one GPU), '-' a bare line.
 * level NULL: the text stands alone after the process. In the text: {model} {len} {port} {tp} {shards} {gib}, {own} the chapter's seconds, {part} 0.7 of them,
 * {download} and {weights} what those took, {share} one GPU's part of {gib}, {prompt} {generation} {running} some traffic, {iso} the time. */
struct log_row {
    enum vllm_chapter chapter;
    int32_t at;
    char who;
    const char *level, *source, *text;
};

#define TRACE "/usr/local/lib/python3.12/dist-packages/vllm/"
#define UVICORN(at, chapter, text)                                                                                     \
    {                                                                                                                  \
        chapter, at, 'a', NULL, NULL, "INFO:     " text                                                                \
    }
#define ERROR_E(at, chapter, text)                                                                                     \
    {                                                                                                                  \
        chapter, at, 'e', "ERROR", "core.py:1102", text                                                                \
    }
#define ERROR_W(at, chapter, text)                                                                                     \
    {                                                                                                                  \
        chapter, at, 'w', "ERROR", "multiproc_executor.py:824", text                                                   \
    }
#define ERROR_A(at, chapter, text)                                                                                     \
    {                                                                                                                  \
        chapter, at, 'a', "ERROR", "async_llm.py:708", text                                                            \
    }
#define ROUTE(at, path, methods)                                                                                       \
    {                                                                                                                  \
        CHAPTER_APP, at, 'a', "INFO", "launcher.py:46", "Route: " path ", Methods: " methods                           \
    }

static const struct log_row ROWS[] = {
    {CHAPTER_BOOT, 60, '-', "INFO", "__init__.py:220", "Automatically detected platform cuda."},
    {CHAPTER_BOOT, 470, 'a', "INFO", "utils.py:302", ""},
    {CHAPTER_BOOT, 470, 'a', "INFO", "utils.py:302", "       █     █     █▄   ▄█"},
    {CHAPTER_BOOT, 470, 'a', "INFO", "utils.py:302", " ▄▄ ▄█ █     █     █ ▀▄▀ █  version 0.24.0"},
    {CHAPTER_BOOT, 470, 'a', "INFO", "utils.py:302", "  █▄█▀ █     █     █     █  model   {model}"},
    {CHAPTER_BOOT, 470, 'a', "INFO", "utils.py:302", "   ▀▀  ▀▀▀▀▀ ▀▀▀▀▀ ▀     ▀"},
    {CHAPTER_BOOT, 490, 'a', "INFO", "utils.py:238",
     "non-default args: {'model_tag': '{model}', 'port': {port}, 'model': '{model}', 'max_model_len': {len}, "
     "'tensor_parallel_size': {tp}, 'gpu_memory_utilization': 0.92}"},
    {CHAPTER_BOOT, 840, 'a', "INFO", "model.py:549", "Resolved architecture: LlamaForCausalLM"},
    {CHAPTER_BOOT, 850, 'a', "INFO", "model.py:1678", "Using max model len {len}"},
    {CHAPTER_BOOT, 930, 'a', "INFO", "scheduler.py:238",
     "Chunked prefill is enabled with max_num_batched_tokens=8192."},

    {CHAPTER_ENGINE, 330, 'e', "INFO", "core.py:105",
     "Initializing a V1 LLM engine (v0.24.0) with config: model='{model}', speculative_config=None, "
     "tokenizer='{model}', "
     "dtype=torch.bfloat16, max_seq_len={len}, tensor_parallel_size={tp}, pipeline_parallel_size=1, "
     "served_model_name={model}"},
    {CHAPTER_ENGINE, 640, 'w', "INFO", "parallel_state.py:1212",
     "world_size={tp} rank=0 local_rank=0 distributed_init_method=tcp://127.0.0.1:49731 backend=nccl"},
    {CHAPTER_ENGINE, 800, 'w', "INFO", "pynccl.py:111", "vLLM is using nccl==2.27.5"},
    {CHAPTER_ENGINE, 900, 'w', "INFO", "parallel_state.py:1423",
     "rank 0 in world size {tp} is assigned as DP rank 0, PP rank 0, TP rank 0, EP rank 0"},

    {CHAPTER_LOAD, 0, 'w', "INFO", "gpu_model_runner.py:4162", "Starting to load model {model}..."},
    {CHAPTER_LOAD, 700, 'w', "INFO", "cuda.py:411",
     "Using FLASH_ATTN attention backend out of potential backends: "
     "['FLASH_ATTN', 'FLASHINFER', 'TRITON_ATTN', 'FLEX_ATTENTION']"},

    {CHAPTER_CACHED, 500, 'w', "INFO", "weight_utils.py:868",
     "Filesystem type for checkpoints: EXT4. Checkpoint size: {gib} GiB. Available RAM: 611.52 GiB."},
    {CHAPTER_DOWNLOAD, 1000, 'w', "INFO", "weight_utils.py:459",
     "Time spent downloading weights for {model}: {download} seconds"},

    {CHAPTER_WEIGHTS, 200, 'w', NULL, NULL, ""},
    {CHAPTER_WEIGHTS, 250, 'w', "INFO", "default_loader.py:391", "Loading weights took {weights} seconds"},
    {CHAPTER_WEIGHTS, 800, 'w', "INFO", "gpu_model_runner.py:4259",
     "Model loading took {share} GiB memory and {weights} seconds"},

    {CHAPTER_COMPILE, 60, 'w', "INFO", "backends.py:812",
     "Using cache directory: /root/.cache/vllm/torch_compile_cache/3f0c1a77d2/rank_0_0/backbone for vLLM's "
     "torch.compile"},
    {CHAPTER_COMPILE, 220, 'w', "INFO", "backends.py:872", "Dynamo bytecode transform time: 11.52 s"},
    {CHAPTER_COMPILE, 940, 'w', "INFO", "backends.py:302",
     "Compiling a graph for compile range (1, 8192) takes {part} s"},
    {CHAPTER_COMPILE, 990, 'w', "INFO", "monitor.py:48", "torch.compile took {own} s in total"},

    {CHAPTER_KV_CACHE, 400, 'w', "INFO", "monitor.py:76", "Initial profiling/warmup run took {part} s"},
    {CHAPTER_KV_CACHE, 800, 'w', "INFO", "gpu_worker.py:424", "Available KV cache memory: 32.18 GiB"},
    {CHAPTER_KV_CACHE, 860, 'e', "INFO", "kv_cache_utils.py:1305", "GPU KV cache size: 421,760 tokens"},
    {CHAPTER_KV_CACHE, 860, 'e', "INFO", "kv_cache_utils.py:1310",
     "Maximum concurrency for 32,768 tokens per request: 12.87x"},

    {CHAPTER_APP, 80, 'w', "INFO", "gpu_model_runner.py:5126", "Graph capturing finished in 27 secs, took 1.86 GiB"},
    {CHAPTER_APP, 200, 'e', "INFO", "core.py:273",
     "init engine (profile, create kv cache, warmup model) took 92.41 seconds"},
    {CHAPTER_APP, 420, 'a', "INFO", "api_server.py:583", "Supported tasks: ['generate']"},
    {CHAPTER_APP, 700, 'a', "INFO", "api_server.py:632", "Starting vLLM server on http://0.0.0.0:{port}"},
    {CHAPTER_APP, 720, 'a', "INFO", "launcher.py:38", "Available routes are:"},
    ROUTE(730, "/health", "GET"),
    ROUTE(730, "/ping", "GET"),
    ROUTE(730, "/version", "GET"),
    ROUTE(730, "/v1/models", "GET"),
    ROUTE(730, "/v1/chat/completions", "POST"),
    UVICORN(900, CHAPTER_APP, "Started server process [1]"),
    UVICORN(910, CHAPTER_APP, "Waiting for application startup."),
    UVICORN(1000, CHAPTER_APP, "Application startup complete."),

    {CHAPTER_TRAFFIC, 0, 'a', "INFO", "loggers.py:257",
     "Engine 000: Avg prompt throughput: {prompt} tokens/s, Avg generation throughput: {generation} tokens/s, Running: "
     "{running} reqs, Waiting: 0 reqs, GPU KV cache usage: 11.8%, Prefix cache hit rate: 43.1%"},
    {CHAPTER_BUSY, 0, 'a', "INFO", "loggers.py:257",
     "Engine 000: Avg prompt throughput: 2{prompt} tokens/s, Avg generation throughput: 2{generation} tokens/s, "
     "Running: "
     "256 reqs, Waiting: 1{running}1 reqs, GPU KV cache usage: 97.4%, Prefix cache hit rate: 8.6%"},

    ERROR_W(0, CHAPTER_OOM, "WorkerProc failed to start."),
    ERROR_W(0, CHAPTER_OOM, "Traceback (most recent call last):"),
    ERROR_W(0, CHAPTER_OOM, "  File \"" TRACE "v1/executor/multiproc_executor.py\", line 793, in worker_main"),
    ERROR_W(0, CHAPTER_OOM, "    worker = WorkerProc(*args, **kwargs)"),
    ERROR_W(0, CHAPTER_OOM, "  File \"" TRACE "model_executor/layers/linear.py\", line 231, in create_weights"),
    ERROR_W(0, CHAPTER_OOM, "    data=torch.empty("),
    ERROR_W(
        0, CHAPTER_OOM,
        "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 462.00 MiB. GPU 0 has a total capacity of 79.19 "
        "GiB "
        "of which 205.19 MiB is free. Including non-PyTorch memory, this process has 78.98 GiB memory in use. Of the "
        "allocated memory 78.21 GiB is allocated by PyTorch, and 97.22 MiB is reserved by PyTorch but unallocated."),
    ERROR_E(500, CHAPTER_OOM, "EngineCore failed to start."),
    ERROR_E(500, CHAPTER_OOM, "Traceback (most recent call last):"),
    ERROR_E(500, CHAPTER_OOM,
            "Exception: WorkerProc initialization failed due to an exception in a background process. See stack trace "
            "for root "
            "cause."),
    {CHAPTER_OOM, 900, 'a', NULL, NULL,
     "RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {'EngineCore': 1}"},

    ERROR_E(0, CHAPTER_DEATH, "EngineCore encountered a fatal error."),
    ERROR_E(0, CHAPTER_DEATH, "Traceback (most recent call last):"),
    ERROR_E(0, CHAPTER_DEATH, "  File \"" TRACE "v1/engine/core.py\", line 1093, in run_engine_core"),
    ERROR_E(0, CHAPTER_DEATH, "    engine_core.run_busy_loop()"),
    ERROR_E(0, CHAPTER_DEATH, "  File \"" TRACE "v1/executor/multiproc_executor.py\", line 374, in get_response"),
    ERROR_E(0, CHAPTER_DEATH, "TimeoutError: RPC call to sample_tokens timed out."),
    ERROR_A(150, CHAPTER_DEATH, "AsyncLLM output_handler failed."),
    ERROR_A(150, CHAPTER_DEATH, "Traceback (most recent call last):"),
    ERROR_A(150, CHAPTER_DEATH, "  File \"" TRACE "v1/engine/core_client.py\", line 927, in get_output_async"),
    ERROR_A(150, CHAPTER_DEATH, "    raise self._format_exception(outputs) from None"),
    ERROR_A(150, CHAPTER_DEATH,
            "vllm.v1.engine.exceptions.EngineDeadError: EngineCore encountered an issue. See stack trace (above) for "
            "the root "
            "cause."),

    {CHAPTER_STALL, 1000, 'e', "INFO", "shm_broadcast.py:542",
     "No available shared memory broadcast block found in 60 seconds. This typically happens when some processes are "
     "hanging "
     "or doing some time-consuming work (e.g. compilation, weight/kv cache quantization)."},

    {CHAPTER_TERMINATED, 300, 'a', NULL, NULL, "Traceback (most recent call last):"},
    {CHAPTER_TERMINATED, 300, 'a', NULL, NULL, "  File \"/usr/local/bin/vllm\", line 10, in <module>"},
    {CHAPTER_TERMINATED, 300, 'a', NULL, NULL, "    sys.exit(main())"},
    {CHAPTER_TERMINATED, 300, 'a', NULL, NULL, "  File \"" TRACE "entrypoints/cli/serve.py\", line 116, in cmd"},
    {CHAPTER_TERMINATED, 300, 'a', NULL, NULL, "    uvloop.run(run_server(args))"},
    {CHAPTER_TERMINATED, 300, 'a', NULL, NULL, "KeyboardInterrupt: terminated"},

    {CHAPTER_SHUTDOWN, 100, 'a', "INFO", "launcher.py:118", "[shutdown] API server: shutdown triggered"},
    {CHAPTER_SHUTDOWN, 200, 'a', "INFO", "launcher.py:131",
     "[shutdown] API server: stopping engine client mode=abort timeout=0s"},
    UVICORN(500, CHAPTER_SHUTDOWN, "Shutting down"),
    UVICORN(600, CHAPTER_SHUTDOWN, "Waiting for application shutdown."),
    UVICORN(800, CHAPTER_SHUTDOWN, "Application shutdown complete."),
    UVICORN(900, CHAPTER_SHUTDOWN, "Finished server process [1]"),

    {CHAPTER_HOSTILE, 0, '-', NULL, NULL, "\033[2J\033[H\033[31mThe screen was cleared, or was it?\033[0m"},
    {CHAPTER_HOSTILE, 150, '-', NULL, NULL, "\033]0;a new title\007\033]52;c;cm0gLXJmIC8=\007 clipboard"},
    {CHAPTER_HOSTILE, 300, '-', NULL, NULL,
     "ydaer \xe2\x80\xae si dop eht \xe2\x81\xa6 bidi \xe2\x80\x8b\xe2\x80\x8b zero width"},
    {CHAPTER_HOSTILE, 450, '-', NULL, NULL,
     "\xff\xfe\xc0\xaf not UTF-8, \xed\xa0\x80 a surrogate, \xf4\x90\x80\x80 too far"},
    {CHAPTER_HOSTILE, 600, '-', NULL, NULL,
     "\r\r\rover\b\b\b\bwritten\v\f\x7f\x9b"
     "2J"},
    {CHAPTER_HOSTILE, 750, '-', NULL, NULL,
     "Loading safetensors checkpoint shards: 999999999999% Completed | -7/99999999999999999999 [x<?]"},
    {CHAPTER_HOSTILE, 900, '-', NULL, NULL,
     "a\xcc\x81\xcc\x82\xcc\x83\xcc\x84\xcc\x85\xcc\x86\xcc\x87 Zalgo \033Ptmux;\033\033[6n\033\\ "
     "\x1b_Gi=1;AAAA\x1b\\"},

    {CHAPTER_SIDECAR, 0, '-', NULL, NULL,
     "{\"level\":\"info\",\"ts\":\"{iso}\",\"logger\":\"proxy\",\"msg\":\"starting\",\"port\":\"8000\",\"decoder\":"
     "\"http://localhost:{port}\"}"},
    {CHAPTER_SIDECAR, 1000, '-', NULL, NULL,
     "{\"level\":\"error\",\"ts\":\"{iso}\",\"logger\":\"proxy\",\"msg\":\"failed to connect to vLLM "
     "decoder\",\"error\":\"dial tcp "
     "127.0.0.1:{port}: connect: connection refused\"}"},
};

enum { ROW_COUNT = sizeof ROWS / sizeof ROWS[0], GRAPH_STEPS = 5, GRAPHS_PIECEWISE = 51, GRAPHS_FULL = 35 };

static const struct log_row *row_of(enum vllm_chapter chapter, size_t index)
{
    for (size_t i = 0; i < ROW_COUNT; i++)
        if (ROWS[i].chapter == chapter && index-- == 0)
            return &ROWS[i];
    return NULL;
}

size_t vllm_lines(const struct vllm *vllm, enum vllm_chapter chapter)
{
    size_t count = 0;

    if (chapter == CHAPTER_SHARDS)
        return (size_t)vllm->shards + 1;
    if (chapter == CHAPTER_GRAPHS)
        return (size_t)2 * GRAPH_STEPS;
    for (size_t i = 0; i < ROW_COUNT; i++)
        count += ROWS[i].chapter == chapter;
    return count;
}

double vllm_line_at(const struct vllm *vllm, enum vllm_chapter chapter, size_t index)
{
    if (chapter == CHAPTER_SHARDS || chapter == CHAPTER_GRAPHS) {
        const double last = (double)(vllm_lines(vllm, chapter) - 1), at = (double)index;
        struct dice dice = {index}; /* no file is read as fast as another */

        return (index == 0 || at == last ? at : dice_spread(&dice, 1, 0.4) - 1 + at) / last;
    }
    return row_of(chapter, index)->at / 1000.0;
}

/* The process that writes. Workers have processes of their own where there is more than one GPU. */
static void put_who(const struct vllm *vllm, char who, struct buf *out)
{
    if (who == 'a')
        buf_puts(out, "(APIServer pid=1) ");
    else if (who == 'w' && vllm->tensor_parallel > 1)
        buf_puts(out, "(Worker_TP0 pid=402) ");
    else if (who != '-')
        buf_puts(out, "(EngineCore pid=276) ");
}

/* A number with up to 6 decimals, as C writes it whatever the locale says: these lines are read again by patterns. */
static void put_fixed(struct buf *out, double value, int decimals)
{
    int64_t scale = 1;

    for (int i = 0; i < decimals; i++)
        scale *= 10;
    const int64_t all = (int64_t)(value * (double)scale + 0.5);

    buf_printf(out, "%" PRId64, all / scale);
    if (decimals > 0)
        buf_printf(out, ".%0*" PRId64, decimals, all % scale);
}

/* As tqdm draws it: percent, count, time so far, time left, rate. */
static void put_count(struct buf *out, const char *style, int32_t done, int32_t total, double elapsed)
{
    const int so_far = (int)elapsed;

    buf_printf(out, style[0] == 's' ? "%3d%% Completed | %d/%d [" : "%3d%%|##########| %d/%d [", done * 100 / total,
               done, total);
    if (done == 0) {
        buf_printf(out, "%02d:%02d<?, ?it/s]", so_far / 60, so_far % 60);
        return;
    }
    const double each = elapsed / done;
    const int left = (int)(each * (total - done));

    buf_printf(out, "%02d:%02d<%02d:%02d, %s", so_far / 60, so_far % 60, left / 60, left % 60, each < 10 ? " " : "");
    put_fixed(out, each, 2);
    buf_puts(out, "s/it]");
}

static void put_counted(const struct vllm *vllm, enum vllm_chapter chapter, size_t index, double seconds,
                        struct buf *out)
{
    put_who(vllm, 'w', out);
    if (chapter == CHAPTER_SHARDS) {
        buf_puts(out, "Loading safetensors checkpoint shards: ");
        put_count(out, "shards", (int32_t)index, vllm->shards, seconds * vllm_line_at(vllm, chapter, index));
        return;
    }
    const bool full = index >= GRAPH_STEPS;
    const int32_t total = full ? GRAPHS_FULL : GRAPHS_PIECEWISE;
    const int32_t step = (int32_t)index % GRAPH_STEPS;

    buf_printf(out, "Capturing CUDA graphs (%s): ", full ? "decode, FULL" : "mixed prefill-decode, PIECEWISE");
    put_count(out, "graphs", total * step / (GRAPH_STEPS - 1), total, seconds / 2 * step / (GRAPH_STEPS - 1));
}

/* One {word} of a text; unknown ones (braces of Python and JSON) are left alone. Returns the bytes taken, 0 when it is none. */
static size_t put_word(const struct vllm *vllm, const char *text, double seconds, int64_t wall, const char *iso,
                       struct buf *out)
{
    struct dice dice = {(uint64_t)wall}; /* other figures in every line */
    const struct {
        const char *word, *string;
        double number;
        int decimals;
    } words[] = {
        {"{model}", vllm->model, 0, 0},
        {"{iso}", iso, 0, 0},
        {"{len}", NULL, vllm->max_model_len, 0},
        {"{port}", NULL, vllm->port, 0},
        {"{tp}", NULL, vllm->tensor_parallel, 0},
        {"{gib}", NULL, vllm->shards * 4.38, 2},
        {"{share}", NULL, vllm->shards * 4.38 / vllm->tensor_parallel, 2},
        {"{prompt}", NULL, dice_spread(&dice, 1900, 0.3), 1},
        {"{generation}", NULL, dice_spread(&dice, 610, 0.2), 1},
        {"{running}", NULL, dice_spread(&dice, 17, 0.3), 0},
        {"{own}", NULL, seconds, 2},
        {"{part}", NULL, seconds * 0.7, 2},
        {"{download}", NULL, vllm->download_took, 6},
        {"{weights}", NULL, vllm->weights_took, 2},
    };

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        const size_t length = strlen(words[i].word);

        if (strncmp(text, words[i].word, length) == 0) {
            if (words[i].string != NULL)
                buf_puts(out, words[i].string);
            else
                put_fixed(out, words[i].number, words[i].decimals);
            return length;
        }
    }
    return 0;
}

void vllm_line(const struct vllm *vllm, enum vllm_chapter chapter, size_t index, double seconds, int64_t wall,
               struct buf *out)
{
    char iso[32]; /* 2026-11-24T14:03:22Z */

    buf_clear(out);
    clock_format(wall, CLOCK_ISO_UTC, iso, sizeof iso);
    if (chapter == CHAPTER_SHARDS || chapter == CHAPTER_GRAPHS) {
        put_counted(vllm, chapter, index, seconds, out);
        return;
    }
    const struct log_row *row = row_of(chapter, index);

    put_who(vllm, row->who, out);
    if (row->level != NULL)
        buf_printf(out, "%s %.5s %.8s [%s] ", row->level, iso + 5, iso + 11, row->source);
    for (const char *c = row->text; *c != '\0';) {
        const size_t taken = *c == '{' ? put_word(vllm, c, seconds, wall, iso, out) : 0;

        if (taken == 0)
            buf_putc(out, *c++);
        c += taken;
    }
}
