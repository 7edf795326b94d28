/* Start-up log lines of vLLM 0.7 to today, as programs print them: facts/vllm.md 2 and 2.1. */
#include "model/progress.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define S INT64_C(1000000)

static bool feed(struct progress *progress, const char *line, int64_t t)
{
    return progress_line(progress, line, strlen(line), t);
}

struct row {
    const char *line;
    enum substage substage; /* of a run that has seen nothing else */
    int32_t done, total;
};

static const struct row v07[] = {
    {"INFO 02-20 10:00:00 __init__.py:207] Automatically detected platform cuda.", SUBSTAGE_PYTHON, 0, 0},
    {"INFO 02-20 10:00:05 api_server.py:912] vLLM API server version 0.7.3", SUBSTAGE_SERVER, 0, 0},
    {"INFO 02-20 10:00:05 api_server.py:913] args: Namespace(host=None, port=8000)", SUBSTAGE_CONFIG, 0, 0},
    {"INFO 02-20 10:00:10 llm_engine.py:234] Initializing a V0 LLM engine (v0.7.3) with config: model='x'",
     SUBSTAGE_ENGINE, 0, 0},
    {"INFO 02-20 10:00:12 model_runner.py:1110] Starting to load model meta-llama/Llama-3.1-8B-Instruct...",
     SUBSTAGE_DOWNLOAD, 0, 0},
    {"INFO 02-20 10:00:13 weight_utils.py:254] Using model weights format ['*.safetensors']", SUBSTAGE_DOWNLOAD, 0, 0},
    {"Loading safetensors checkpoint shards:  25% Completed | 1/4 [00:00<00:02,  1.30it/s]", SUBSTAGE_SHARDS, 1, 4},
    {"INFO 02-20 10:00:20 model_runner.py:1115] Loading model weights took 14.9888 GB", SUBSTAGE_WEIGHTS, 0, 0},
    {"INFO 02-20 10:00:22 worker.py:267] Memory profiling takes 1.29 seconds", SUBSTAGE_PROFILE, 0, 0},
    {"INFO 02-20 10:00:22 executor_base.py:111] # cuda blocks: 27101, # CPU blocks: 2048", SUBSTAGE_KV_CACHE, 0, 0},
    {"INFO 02-20 10:00:24 model_runner.py:1434] Capturing cudagraphs for decoding. This may lead to more memory",
     SUBSTAGE_GRAPHS, 0, 0},
    {"Capturing CUDA graph shapes:  40%|████      | 14/35 [00:05<00:08,  2.52it/s]", SUBSTAGE_GRAPHS, 14, 35},
    {"INFO 02-20 10:00:38 model_runner.py:1562] Graph capturing finished in 14 secs, took 0.21 GiB", SUBSTAGE_GRAPHS, 0,
     0},
    {"INFO 02-20 10:00:38 llm_engine.py:436] init engine (profile, create kv cache, warmup model) took 22.36 seconds",
     SUBSTAGE_ENGINE_READY, 0, 0},
    {"INFO 02-20 10:00:39 api_server.py:958] Starting vLLM API server on http://0.0.0.0:8000", SUBSTAGE_APP, 0, 0},
    {"INFO 02-20 10:00:39 launcher.py:23] Available routes are:", SUBSTAGE_APP, 0, 0},
    {"INFO:     Started server process [1]", SUBSTAGE_APP, 0, 0},
    {"INFO:     Waiting for application startup.", SUBSTAGE_APP, 0, 0},
    {"INFO:     Application startup complete.", SUBSTAGE_LISTENING, 0, 0},
};

static const struct row v010[] = {
    {"INFO 07-24 08:00:00 [__init__.py:235] Automatically detected platform cuda.", SUBSTAGE_PYTHON, 0, 0},
    {"INFO 07-24 08:00:04 [api_server.py:1755] vLLM API server version 0.10.0", SUBSTAGE_SERVER, 0, 0},
    {"INFO 07-24 08:00:04 [cli_args.py:261] non-default args: {'model': 'Qwen/Qwen3-32B'}", SUBSTAGE_CONFIG, 0, 0},
    {"INFO 07-24 08:00:10 [config.py:1604] Using max model len 40960", SUBSTAGE_CONFIG, 0, 0},
    {"INFO 07-24 08:00:15 [core.py:572] Waiting for init message from front-end.", SUBSTAGE_NONE, 0, 0},
    {"INFO 07-24 08:00:15 [core.py:71] Initializing a V1 LLM engine (v0.10.0) with config: model='Qwen/Qwen3-32B'",
     SUBSTAGE_ENGINE, 0, 0},
    {"(VllmWorker rank=0 pid=231) INFO 07-24 08:00:20 [parallel_state.py:1102] rank 0 in world size 2 is assigned as "
     "DP "
     "rank 0, PP rank 0, TP rank 0, EP rank 0",
     SUBSTAGE_DISTRIBUTED, 0, 0},
    {"(VllmWorker rank=0 pid=231) INFO 07-24 08:00:20 [pynccl.py:70] vLLM is using nccl==2.26.2", SUBSTAGE_DISTRIBUTED,
     0, 0},
    {"(VllmWorker rank=0 pid=231) INFO 07-24 08:00:21 [gpu_model_runner.py:1843] Starting to load model "
     "Qwen/Qwen3-32B...",
     SUBSTAGE_DOWNLOAD, 0, 0},
    {"(VllmWorker rank=0 pid=231) INFO 07-24 08:00:21 [gpu_model_runner.py:1875] Loading model from scratch...",
     SUBSTAGE_DOWNLOAD, 0, 0},
    {"(VllmWorker rank=0 pid=231) Loading safetensors checkpoint shards:  41% Completed | 7/17 [00:03<00:05,  "
     "1.9it/s]",
     SUBSTAGE_SHARDS, 7, 17},
    {"(VllmWorker rank=0 pid=231) INFO 07-24 08:00:40 [default_loader.py:262] Loading weights took 18.20 seconds",
     SUBSTAGE_WEIGHTS, 0, 0},
    {"INFO 07-24 08:00:41 [gpu_model_runner.py:1892] Model loading took 30.5926 GiB and 19.410321 seconds",
     SUBSTAGE_WEIGHTS, 0, 0},
    {"INFO 07-24 08:00:50 [backends.py:530] Using cache directory: /root/.cache/vllm/torch_compile_cache/ab12/rank_0_0 "
     "for vLLM's torch.compile",
     SUBSTAGE_COMPILE, 0, 0},
    {"INFO 07-24 08:00:50 [backends.py:541] Dynamo bytecode transform time: 9.14 s", SUBSTAGE_COMPILE, 0, 0},
    {"INFO 07-24 08:01:20 [monitor.py:34] torch.compile takes 39.81 s in total", SUBSTAGE_COMPILE, 0, 0},
    {"INFO 07-24 08:01:30 [gpu_worker.py:255] Available KV cache memory: 35.61 GiB", SUBSTAGE_KV_CACHE, 0, 0},
    {"INFO 07-24 08:01:30 [kv_cache_utils.py:833] GPU KV cache size: 291,712 tokens", SUBSTAGE_KV_CACHE, 0, 0},
    {"INFO 07-24 08:01:30 [kv_cache_utils.py:837] Maximum concurrency for 40,960 tokens per request: 7.12x",
     SUBSTAGE_KV_CACHE, 0, 0},
    {"Capturing CUDA graph shapes:  99%|█████████▊| 66/67 [00:20<00:00,  3.10it/s]", SUBSTAGE_GRAPHS, 66, 67},
    {"INFO 07-24 08:01:55 [core.py:193] init engine (profile, create kv cache, warmup model) took 73.14 seconds",
     SUBSTAGE_ENGINE_READY, 0, 0},
    {"INFO 07-24 08:01:56 [api_server.py:1818] Starting vLLM API server 0 on http://0.0.0.0:8200", SUBSTAGE_APP, 0, 0},
};

static const struct row v016[] = {
    {"(APIServer pid=1) INFO 02-13 11:00:00 [utils.py:325] vLLM API server version 0.16.0, serving model Qwen/Qwen3-8B",
     SUBSTAGE_SERVER, 0, 0},
    {"(APIServer pid=1) INFO 02-13 11:00:08 [model.py:541] Resolved architecture: Qwen3ForCausalLM", SUBSTAGE_CONFIG, 0,
     0},
    {"(EngineCore_DP0 pid=271) INFO 02-13 11:00:20 [core.py:96] Initializing a V1 LLM engine (v0.16.0) with config: x",
     SUBSTAGE_ENGINE, 0, 0},
    {"\x1b[0;36m(EngineCore_DP0 pid=271)\x1b[0;0m INFO 02-13 11:00:25 [gpu_model_runner.py:4021] Starting to load "
     "model "
     "Qwen/Qwen3-8B...",
     SUBSTAGE_DOWNLOAD, 0, 0},
    {"(EngineCore_DP0 pid=271) INFO 02-13 11:09:25 [weight_utils.py:527] Time spent downloading weights for "
     "Qwen/Qwen3-8B: 540.250000 seconds",
     SUBSTAGE_DOWNLOAD, 0, 0},
    {"(EngineCore_DP0 pid=271) \rLoading safetensors checkpoint shards:   0% Completed | 0/5 [00:00<?, ?it/s]",
     SUBSTAGE_SHARDS, 0, 5},
    {"(EngineCore_DP0 pid=271) INFO 02-13 11:10:20 [monitor.py:34] torch.compile takes 12.10 s in total",
     SUBSTAGE_COMPILE, 0, 0},
    {"(EngineCore_DP0 pid=271) INFO 02-13 11:10:20 [backends.py:278] Directly load the compiled graph(s) for range",
     SUBSTAGE_COMPILE, 0, 0},
    {"(EngineCore_DP0 pid=271) \rCapturing CUDA graphs (mixed prefill-decode, PIECEWISE):  27%|██▋       | 14/51 "
     "[00:01<00:03, 10.5it/s]",
     SUBSTAGE_GRAPHS, 14, 51},
    {"(APIServer pid=1) INFO 02-13 11:10:40 [api_server.py:1014] Supported tasks: ['generate']", SUBSTAGE_APP, 0, 0},
};

static const struct row v024[] = {
    {"(APIServer pid=1) INFO 07-05 09:00:00 [utils.py:293]   █▄█▀ █     █     █     █   model   Qwen/Qwen3-8B",
     SUBSTAGE_SERVER, 0, 0},
    {"(APIServer pid=1) INFO 07-05 09:00:00 [utils.py:293]  ▄▄ ▄█ █     █     █ ▀▄▀ █  version 0.24.0", SUBSTAGE_SERVER,
     0, 0},
    {"(EngineCore pid=99) INFO 07-05 09:00:40 [weight_utils.py:901] Filesystem type for checkpoints: NFS. Checkpoint "
     "size: 61.02 GiB. Available RAM: 900.1 GiB.",
     SUBSTAGE_DOWNLOAD, 0, 0},
    {"(EngineCore pid=99) Prefetching checkpoint files: 10% (3/30)", SUBSTAGE_DOWNLOAD, 3, 30},
    {"(Worker_TP0 pid=120) Multi-thread loading shards:  50% Completed | 8/16 [00:03<00:03,  2.5it/s]", SUBSTAGE_SHARDS,
     8, 16},
    {"(Worker_TP0 pid=120) Loading safetensors checkpoint shards (eager):  50% Completed | 8/16 [00:03<00:03,  "
     "2.5it/s]",
     SUBSTAGE_SHARDS, 8, 16},
    {"(Worker_TP0 pid=120) Loading safetensors using Runai Model Streamer:  12% Completed | 40/321 [00:03<00:20, "
     "12it/s]",
     SUBSTAGE_SHARDS, 40, 321},
    {"(Worker_TP0 pid=120) INFO 07-05 09:02:00 [monitor.py:76] torch.compile took 12.10 s in total", SUBSTAGE_COMPILE,
     0, 0},
    {"(Worker_TP0 pid=120) INFO 07-05 09:02:05 [gpu_worker.py:420] Initial profiling/warmup run took 7.12 s",
     SUBSTAGE_PROFILE, 0, 0},
    {"(Worker_TP0 pid=120) INFO 07-05 09:02:06 [gpu_model_runner.py:5110] Estimated CUDA graph memory: 1.20 GiB total",
     SUBSTAGE_PROFILE, 0, 0},
    {"(Worker_TP0 pid=120) INFO 07-05 09:02:10 [kernel_warmup.py:64] Warming up CuTeDSL kernels", SUBSTAGE_WARM_UP, 0,
     0},
    {"(Worker_TP0 pid=120) Capturing CUDA graphs (decode, FULL):  80%|████████  | 28/35 [00:01<00:00, 18it/s]",
     SUBSTAGE_GRAPHS, 28, 35},
    {"(APIServer pid=1) INFO 07-05 09:02:40 [launcher.py:44] Starting vLLM server on http://0.0.0.0:8000", SUBSTAGE_APP,
     0, 0},
};

static const struct row v032[] = {
    {"(Worker pid=77) INFO 11-23 10:10:51 [default_loader.py:377] Loading weights took 0.06 seconds", SUBSTAGE_WEIGHTS,
     0, 0},
    {"(Worker pid=77) INFO 11-23 10:10:52 [cpu_model_runner.py:66] Warming up model for the compilation...",
     SUBSTAGE_COMPILE, 0, 0},
    {"(Worker pid=77) INFO 11-23 10:11:30 [decorators.py:580] saved AOT compiled function to /root/.cache/vllm/x",
     SUBSTAGE_COMPILE, 0, 0},
    {"(Worker pid=77) INFO 11-23 10:11:31 [cpu_model_runner.py:76] Warming up done.", SUBSTAGE_PROFILE, 0, 0},
    {"(EngineCore pid=55) INFO 11-23 10:11:32 [kv_cache_utils.py:1307] CPU KV cache size: 131,072 tokens, Maximum "
     "concurrency for 2,048 tokens per request: 64.00x",
     SUBSTAGE_KV_CACHE, 0, 0},
    {"(EngineCore pid=55) INFO 11-23 10:11:33 [core.py:283] init engine (profile, create kv cache, warmup model) took "
     "48.25 s (compilation: 44.1 s)",
     SUBSTAGE_ENGINE_READY, 0, 0},
    {"(EngineCore pid=55) INFO 11-23 10:11:33 [gpu_model_runner.py:310] Loading model from scratch...",
     SUBSTAGE_DOWNLOAD, 0, 0},
    {"Capturing CUDA graphs (PIECEWISE):   2%|▏         | 1/51 [00:00<00:11,  4.3it/s]", SUBSTAGE_GRAPHS, 1, 51},
    {"[W1123 10:10:41.123 utils.cpp:76] Warning: Numa is not available", SUBSTAGE_NONE, 0, 0},
};

/* The same words behind what collectors, terminals and frames put in front of them. */
static const struct row dressed[] = {
    {"2026-11-23T10:10:41.123456789Z stderr F (Worker pid=77) INFO 11-23 10:10:41 [x.py:1] Starting to load model "
     "/m...",
     SUBSTAGE_DOWNLOAD, 0, 0},
    {"2026-11-23T10:10:41+01:00 Loading safetensors checkpoint shards:  25% Completed | 41/163 [02:40<07:50]",
     SUBSTAGE_SHARDS, 41, 163},
    {"[pod/decode-0/vllm] Loading safetensors checkpoint shards:  25% Completed | 41/163 [02:40<07:50]",
     SUBSTAGE_SHARDS, 41, 163},
    {"vllm-1  | Loading pt checkpoint shards:  25% Completed | 41/163 [02:40<07:50]", SUBSTAGE_SHARDS, 41, 163},
    {"│ Loading np_cache checkpoint shards:  25% Completed | 41/163 [02:40<07:50] │", SUBSTAGE_SHARDS, 41, 163},
    {"\\x1b[36m(EngineCore pid=9)\\x1b[0m Loading safetensors checkpoint shards:  25% Completed | 41/163 [02:40]",
     SUBSTAGE_SHARDS, 41, 163},
    {"{\"level\":\"INFO\",\"message\":\"Loading safetensors checkpoint shards:  25% Completed | 41/163 [02:40]\"}",
     SUBSTAGE_SHARDS, 41, 163},
    {"Capturing CUDA graphs (PIECEWISE):   2%|▏  | 1/51 [00:00]\rCapturing CUDA graphs (PIECEWISE):   8%|▊  | 4/51 [0",
     SUBSTAGE_GRAPHS, 4, 51},
    {"Capturing CUDA graphs (PIECEWISE):   2%|▏  | 1/51 [00:00]\\rCapturing CUDA graphs (PIECEWISE):   8%|▊  | 4/5",
     SUBSTAGE_GRAPHS, 1, 51}, /* cut inside a number that cannot be: the one before stands */
    {"[default0]:INFO 07-24 08:00:20 [pynccl.py:70] vLLM is using nccl==2.26.2", SUBSTAGE_DISTRIBUTED, 0, 0},
};

/* Nothing of these is a start-up line. */
/* What other accelerators than GPUs do between the KV cache and serving. */
static const struct row accelerators[] = {
    {"INFO 05-05 05:05:05 [tpu_model_runner.py:9] Compiling the model with different input shapes.", SUBSTAGE_WARM_UP,
     0, 0},
    {"INFO 05-05 05:05:06 hpu_model_runner.py:9] [Warmup][Prompt][1/24] batch_size:1 seq_len:128", SUBSTAGE_WARM_UP, 0,
     0},
    {"INFO 05-05 05:05:07 hpu_model_runner.py:9] Warmup finished in 49 secs", SUBSTAGE_WARM_UP, 0, 0},
    {"Capturing ACL graphs (decode, FULL):  12%|█▏| 3/25 [00:02<00:20,  1.1it/s]", SUBSTAGE_GRAPHS, 3, 25},
};

static const struct row others[] = {
    {"", SUBSTAGE_NONE, 0, 0},
    {"INFO:     10.0.0.1:51234 - \"GET /v1/models HTTP/1.1\" 200 OK", SUBSTAGE_NONE, 0, 0},
    {"the model version 3 is fine", SUBSTAGE_NONE, 0, 0},
    {"Loading safetensors checkpoint shards", SUBSTAGE_NONE, 0, 0},
    {"Loading safetensors checkpoint shards:  25% Completed | 9/4 [", SUBSTAGE_NONE, 0, 0},
    {"Loading safetensors checkpoint shards:  25% Completed | 99999999999/99999999999 [", SUBSTAGE_NONE, 0, 0},
    {"UnStarting to load model x", SUBSTAGE_NONE, 0, 0},
    {"INFO 01-01 00:00:00 [weights_utils.py:1] Reloading weights took 3 seconds", SUBSTAGE_NONE, 0, 0},
    {"INFO:     Uvicorn running on http://0.0.0.0:8000 (Press CTRL+C to quit)", SUBSTAGE_NONE, 0, 0},
};

static void check_rows(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct progress progress = {0};
        feed(&progress, rows[i].line, 5 * S);
        if (progress.furthest != rows[i].substage || progress.done != rows[i].done || progress.total != rows[i].total)
            fail_msg("%s: %s %d/%d", rows[i].line, substage_word(progress.furthest), progress.done, progress.total);
        assert_int_equal(progress.last_line, 5 * S);
        progress_free(&progress);
    }
}

#define CHECK(rows) check_rows(rows, sizeof rows / sizeof rows[0])

static void lines_of_each_version(void **state)
{
    (void)state;
    CHECK(v07);
    CHECK(v010);
    CHECK(v016);
    CHECK(v024);
    CHECK(v032);
    CHECK(dressed);
    CHECK(accelerators);
    CHECK(others);
}

/* In the order in which a run prints them the sub-stage never goes back, and ends where it should. */
static void never_backwards(void **state)
{
    (void)state;
    struct progress progress = {0};
    enum substage before = SUBSTAGE_NONE;
    for (int round = 0; round < 2; round++) { /* the second round is another rank, saying it all again */
        for (size_t i = 0; i < sizeof v07 / sizeof v07[0]; i++) {
            feed(&progress, v07[i].line, (int64_t)(i + 1) * S);
            assert_true(progress.furthest >= before);
            before = progress.furthest;
        }
    }
    assert_int_equal(progress.furthest, SUBSTAGE_LISTENING);
    assert_int_equal(progress.entered[SUBSTAGE_SHARDS], 7 * S); /* when first seen */
    assert_int_equal(progress.entered[SUBSTAGE_COMPILE], 0);    /* 0.7 has none */
    progress_free(&progress);
}

static void told_facts(void **state)
{
    (void)state;
    struct progress progress = {0};
    assert_true(feed(&progress, v016[0].line, 0));
    assert_string_equal(text_str(&progress.version), "0.16.0");
    assert_string_equal(text_str(&progress.model), "Qwen/Qwen3-8B");
    assert_int_not_equal(progress.entered[SUBSTAGE_SERVER], 0); /* t 0 is not "never" */
    assert_true(feed(&progress, v016[4].line, S));
    assert_true(progress.download_seconds > 540.2 && progress.download_seconds < 540.3);
    assert_true(feed(&progress, v010[11].line, S));
    assert_true(progress.weights_seconds > 18.1 && progress.weights_seconds < 18.3);
    assert_false(feed(&progress, v010[11].line, S));
    progress_free(&progress);

    assert_true(feed(&progress, v024[1].line, S));
    assert_string_equal(text_str(&progress.version), "0.24.0");
    assert_true(feed(&progress, v024[0].line, S));
    assert_string_equal(text_str(&progress.model), "Qwen/Qwen3-8B");
    assert_false(progress.shutting_down);
    assert_true(feed(&progress, "KeyboardInterrupt: terminated", S));
    assert_true(progress.shutting_down);
    progress_free(&progress);

    assert_true(feed(&progress, v07[4].line, S));
    assert_string_equal(text_str(&progress.model), "meta-llama/Llama-3.1-8B-Instruct");
    progress_free(&progress);
}

static void shard(struct progress *progress, int done, int total, int64_t t)
{
    struct text line = {0};
    text_printf(&line, TEXT_LINE, "Loading safetensors checkpoint shards:  0%% Completed | %d/%d [", done, total);
    progress_line(progress, text_str(&line), line.len, t);
    text_free(&line);
}

static void percent_and_eta(void **state)
{
    (void)state;
    struct progress progress = {0};
    assert_int_equal(progress_percent(&progress), -1);
    assert_int_equal(progress_eta(&progress, 0), -1);
    shard(&progress, 0, 163, 100 * S);
    assert_int_equal(progress_percent(&progress), 0);
    assert_int_equal(progress_eta(&progress, 101 * S), -1); /* one count is no rate */
    shard(&progress, 41, 163, 182 * S);                     /* 2 s each */
    assert_int_equal(progress_percent(&progress), 25);
    assert_int_equal(progress_eta(&progress, 182 * S), 244 * S);
    assert_int_equal(progress_eta(&progress, 192 * S), 234 * S);
    shard(&progress, 40, 163, 193 * S); /* another rank is behind */
    assert_int_equal(progress.done, 41);
    shard(&progress, 3, 20, 193 * S); /* and another has fewer files */
    assert_int_equal(progress.total, 163);
    assert_int_equal(progress_eta(&progress, 300 * S), -1); /* stalled: no rate to go by */
    shard(&progress, 163, 163, 400 * S);
    assert_int_equal(progress_percent(&progress), 100);
    assert_int_equal(progress_eta(&progress, 900 * S), 0);
    progress_free(&progress);
}

static void graph_bars_follow_each_other(void **state)
{
    (void)state;
    struct progress progress = {0};
    feed(&progress, "Capturing CUDA graphs (mixed prefill-decode, PIECEWISE): 100%|███| 51/51 [00:01]", S);
    assert_int_equal(progress.done, 51);
    feed(&progress, "Capturing CUDA graphs (decode, FULL):   3%|▎  | 1/35 [00:01]", 2 * S);
    assert_int_equal(progress.done, 1);
    assert_int_equal(progress.total, 35);
    feed(&progress, "Capturing CUDA graphs (mixed prefill-decode, PIECEWISE):  50%|███| 25/51 [00:01]", 3 * S);
    assert_int_equal(progress.done, 1); /* a slower rank's first bar */
    progress_free(&progress);
}

static void another_process(void **state)
{
    (void)state;
    struct progress progress = {0};
    const char *greeting = v010[1].line;
    feed(&progress, greeting, S);
    assert_false(progress_begins_anew(&progress, greeting, strlen(greeting))); /* several processes greet */
    feed(&progress, v010[8].line, 2 * S);
    assert_true(progress_begins_anew(&progress, greeting, strlen(greeting)));
    assert_false(progress_begins_anew(&progress, v010[0].line, strlen(v010[0].line))); /* workers say this too */
    progress_free(&progress);
}

static void strip(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"plain", "plain"},
        {"  \x1b[31mERROR\x1b[0m x  ", "ERROR\x1b[0m x"},
        {"2026-01-02T03:04:05.6Z stdout F hello", "hello"},
        {"(APIServer pid=1) (EngineCore_DP0 pid=2) x", "x"},
        {"(not a process) x", "(not a process) x"},
        {"│ │ boxed  │", "boxed"},
        {"", ""},
        {"   ", ""},
        {"\x1b[", "\x1b["},
        {"\xe2\x94", "\xe2\x94"},
        {"(pid=", "(pid="},
        {"[pod/a/b", "[pod/a/b"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *start;
        size_t rest;
        progress_strip(rows[i][0], strlen(rows[i][0]), &start, &rest);
        assert_int_equal(rest, strlen(rows[i][1]));
        assert_memory_equal(start, rows[i][1], rest);
    }
}

static void silence(void **state)
{
    (void)state;
    struct progress progress = {0};
    assert_int_equal(progress_silence(&progress, 5 * S), -1);
    feed(&progress, "x", 2 * S);
    assert_int_equal(progress_silence(&progress, 62 * S), 60 * S);
    assert_int_equal(progress_silence(&progress, S), 0);
    assert_string_equal(text_str(&progress.last_text), "x");
    progress_free(&progress);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_of_each_version),
        cmocka_unit_test(never_backwards),
        cmocka_unit_test(told_facts),
        cmocka_unit_test(percent_and_eta),
        cmocka_unit_test(graph_bars_follow_each_other),
        cmocka_unit_test(another_process),
        cmocka_unit_test(strip),
        cmocka_unit_test(silence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
