/* Patterns, the table of signatures (several wordings for each cause, from several versions and programs), and findings. */
#include "model/signature.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void test_patterns(void **state)
{
    static const struct {
        const char *pattern, *line;
        bool matches;
    } rows[] = {
        {"out of memory", "CUDA Out Of Memory. Tried", true},
        {"out of memory", "out of  memory", false},
        {"", "anything", true},
        {"*", "", true},
        {"a*c", "abc", true},
        {"a*c", "ac", true},
        {"a*c", "ca", false},
        {"a*b*c", "a-c-b-c", true},
        {"a*b*c", "a-c-b", false},
        {"a**b", "a b", true},
        {"*a*", "bab", true},
        {"2 \\* 3", "is 2 * 3", true},
        {"2 \\* 3", "is 2 x 3", false},
        {"aab", "aaab", true}, /* begins again behind a part that fitted */
        {"[x].(y)?", "a [X].(Y)?", true},
        {"[x].(y)?", "a x", false},
        {"long", "lon", false},
        {"\\", "a\\b", true},
        {"\xc3\xa4", "\xc3\xa4h", true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (pattern_matches(rows[i].pattern, rows[i].line) != rows[i].matches)
            fail_msg("\"%s\" in \"%s\"", rows[i].pattern, rows[i].line);
}

#define V1 "(EngineCore_DP0 pid=71) ERROR 03-04 05:06:07 [core.py:700] "
#define WORKER "(Worker_TP1 pid=88) ERROR 03-04 05:06:07 [multiproc_executor.py:597] "

/* One line, and what it says by itself. An empty label: nothing. */
static const struct {
    const char *line, *label;
    enum evidence_source source;
} lines[] = {
    /* image-pull */
    {"Failed: Failed to pull image \"vllm/vllm-openai:v0.99\": rpc error: code = NotFound desc = failed to pull and "
     "unpack image: "
     "failed to resolve reference \"x\": not found",
     "image-pull", EVIDENCE_EVENTS},
    {"ErrImagePull: manifest unknown", "image-pull", EVIDENCE_POD},
    {"ImagePullBackOff: Back-off pulling image \"private/vllm:1\"", "image-pull", EVIDENCE_POD},
    {"Failed: Failed to pull image \"a\": pull access denied, repository does not exist or may require authorization",
     "image-pull", EVIDENCE_EVENTS},
    {"Failed: Failed to pull image \"a\": toomanyrequests: You have reached your pull rate limit", "image-pull",
     EVIDENCE_EVENTS},
    {"Failed: Failed to pull image \"a\": no match for platform in manifest", "image-pull", EVIDENCE_EVENTS},
    {"Failed: Failed to pull image \"a\": tls: failed to verify certificate: x509: certificate signed by unknown "
     "authority",
     "image-pull", EVIDENCE_EVENTS},
    {"ErrImageNeverPull: Container image \"local:1\" is not present with pull policy of Never", "image-pull",
     EVIDENCE_POD},
    {"InvalidImageName: Failed to apply default image tag \"Vllm:\"", "image-pull", EVIDENCE_POD},
    {"Failed: Failed to pull image \"a\": write /var/lib/x: no space left on device", "disk-full", EVIDENCE_EVENTS},
    /* unschedulable-resources */
    {"FailedScheduling: 0/8 nodes are available: 2 Insufficient nvidia.com/gpu, 6 node(s) had untolerated taint {gpu: "
     "true}.",
     "unschedulable-resources", EVIDENCE_EVENTS},
    {"FailedScheduling: 0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector.",
     "unschedulable-resources", EVIDENCE_EVENTS},
    {"FailedScheduling: 0/2 nodes are available: pod has unbound immediate PersistentVolumeClaims.",
     "unschedulable-resources", EVIDENCE_EVENTS},
    {"Unschedulable: 0/3 nodes are available: 3 Insufficient memory.", "unschedulable-resources", EVIDENCE_POD},
    {"FailedCreate: Error creating: pods \"v\" is forbidden: exceeded quota: gpus, requested: "
     "requests.nvidia.com/gpu=8",
     "unschedulable-resources", EVIDENCE_EVENTS},
    {"UnexpectedAdmissionError: Allocate failed due to requested number of devices unavailable for nvidia.com/gpu",
     "unschedulable-resources", EVIDENCE_POD},
    {V1 "ValueError: Cannot provide a placement group requiring 8.0 GPUs within 1800 seconds.",
     "unschedulable-resources", EVIDENCE_LOGS},
    /* download-auth */
    {"huggingface_hub.errors.GatedRepoError: 401 Client Error. (Request ID: Root=1-2)", "download-auth", EVIDENCE_LOGS},
    {"OSError: You are trying to access a gated repo.", "download-auth", EVIDENCE_LOGS},
    {"Access to model org/m is restricted. You must have access to it and be authenticated to access it. Please log "
     "in.",
     "download-auth", EVIDENCE_PREVIOUS},
    {"httpx.HTTPStatusError: 403 Client Error: Forbidden for url: "
     "https://huggingface.co/org/m/resolve/main/config.json",
     "download-auth", EVIDENCE_LOGS},
    {"requests.exceptions.HTTPError: 401 Client Error: Unauthorized for url: https://huggingface.co/api/models/org/m",
     "download-auth", EVIDENCE_LOGS},
    {"botocore.exceptions.NoCredentialsError: Unable to locate credentials", "download-auth", EVIDENCE_LOGS},
    {"botocore.exceptions.ClientError: An error occurred (403) when calling the HeadObject operation: Forbidden",
     "download-auth", EVIDENCE_LOGS},
    /* download-not-found */
    {"huggingface_hub.errors.RepositoryNotFoundError: 401 Client Error. (Request ID: Root=1-2)", "download-not-found",
     EVIDENCE_LOGS},
    {"Repository Not Found for url: https://huggingface.co/api/models/no/such/revision/main.", "download-not-found",
     EVIDENCE_LOGS},
    {"If you are trying to access a private or gated repo, make sure you are authenticated.", "", EVIDENCE_LOGS},
    {"OSError: org/nosuch is not a local folder and is not a valid model identifier listed on "
     "'https://huggingface.co/models'",
     "download-not-found", EVIDENCE_LOGS},
    {"huggingface_hub.errors.HFValidationError: Repo id must be in the form 'repo_name' or 'namespace/repo_name': "
     "'/data/m/'.",
     "download-not-found", EVIDENCE_LOGS},
    {"huggingface_hub.errors.RevisionNotFoundError: 404 Client Error.", "download-not-found", EVIDENCE_LOGS},
    {"ValueError: Invalid repository ID or local directory specified: '/mnt/m'", "download-not-found", EVIDENCE_LOGS},
    {"RuntimeError: Failed to fetch model. No model found in s3://bucket/m", "download-not-found", EVIDENCE_LOGS},
    /* download-network */
    {"huggingface_hub.errors.LocalEntryNotFoundError: An error happened while trying to locate the file on the Hub",
     "download-network", EVIDENCE_LOGS},
    {"OSError: We couldn't connect to 'https://huggingface.co' to load this file, couldn't find it in the cached files "
     "and it looks like "
     "m is not the path to a directory containing a file named config.json.",
     "download-network", EVIDENCE_LOGS},
    {"huggingface_hub.errors.OfflineModeIsEnabled: Cannot reach https://huggingface.co/api/models/m: offline mode is "
     "enabled.",
     "download-network", EVIDENCE_LOGS},
    {"urllib3.exceptions.NameResolutionError: Failed to resolve 'huggingface.co' ([Errno -3] Temporary failure in name "
     "resolution)",
     "download-network", EVIDENCE_LOGS},
    {"requests.exceptions.ProxyError: HTTPSConnectionPool(host='huggingface.co', port=443): Max retries exceeded",
     "download-network", EVIDENCE_LOGS},
    {"requests.exceptions.HTTPError: 429 Client Error: Too Many Requests for url: https://huggingface.co/api",
     "download-network", EVIDENCE_LOGS},
    {"RuntimeError: Data processing error: CAS service error : Reqwest Error: retry attempts exceeded",
     "download-network", EVIDENCE_LOGS},
    {"ssl.SSLCertVerificationError: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed "
     "certificate in chain",
     "download-network", EVIDENCE_LOGS},
    {"requests.exceptions.HTTPError: 504 Server Error: Gateway Time-out for url: https://huggingface.co/m",
     "download-network", EVIDENCE_LOGS},
    /* download-slow */
    {"Still waiting to acquire lock on /root/.cache/huggingface/hub/.locks/m/a.lock (elapsed: 600.1 seconds)",
     "download-slow", EVIDENCE_LOGS},
    /* disk-full */
    {"OSError: [Errno 28] No space left on device", "disk-full", EVIDENCE_LOGS},
    {"RuntimeError: Data processing error: CAS service error : IO Error: No space left on device (os error 28)",
     "disk-full", EVIDENCE_LOGS},
    {"OSError: [Errno 30] Read-only file system: '/models/.cache'", "disk-full", EVIDENCE_LOGS},
    {"PermissionError: [Errno 13] Permission denied: '/.cache'", "config-error", EVIDENCE_LOGS},
    {"Evicted: The node was low on resource: ephemeral-storage. Threshold quantity: 1, available: 0.", "disk-full",
     EVIDENCE_EVENTS},
    {"Evicted: Pod ephemeral local storage usage exceeds the total limit of containers 20Gi.", "disk-full",
     EVIDENCE_POD},
    {"UserWarning: Not enough free disk space to download the file. The expected file size is: 4976.70 MB.",
     "disk-full", EVIDENCE_LOGS},
    /* gpu-oom */
    {V1 "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.", "gpu-oom", EVIDENCE_LOGS},
    {"torch.cuda.OutOfMemoryError: CUDA out of memory. Tried to allocate 1.50 GiB (GPU 0; 39.39 GiB total capacity)",
     "gpu-oom", EVIDENCE_LOGS},
    {V1 "ValueError: Free memory on device cuda:0 (3.10/79.15 GiB) on startup is less than desired GPU memory "
        "utilization (0.9, 71.2 "
        "GiB).",
     "gpu-oom", EVIDENCE_LOGS},
    {"AssertionError: Error in memory profiling. Initial free memory 21 GiB, current free memory 22 GiB.", "gpu-oom",
     EVIDENCE_LOGS},
    {WORKER "RuntimeError: CUDA error: out of memory", "gpu-oom", EVIDENCE_LOGS},
    {"RuntimeError: CUDA out of memory occurred when warming up sampler with 256 dummy requests.", "gpu-oom",
     EVIDENCE_LOGS},
    {"torch.OutOfMemoryError: HIP out of memory. Tried to allocate 1 GiB", "gpu-oom", EVIDENCE_LOGS},
    {"ray.exceptions.RayTaskError(OutOfMemoryError): ray::RayWorkerWrapper.execute_method() (pid=3)", "gpu-oom",
     EVIDENCE_LOGS},
    /* A collector's own level, of all lines alike, stands before vLLM's. */
    {"INFO 2025-11-19T20:16:36.0966Z [container: vllm] (EngineCore_DP0 pid=2) ERROR 11-19 12:16:36 [v1/core.py:8] "
     "RuntimeError: CUDA out of memory occurred",
     "gpu-oom", EVIDENCE_LOGS},
    {"{\"severity\":\"INFO\",\"message\":\"ERROR 11-19 12:16:36 [core.py:8] RuntimeError: CUDA out of memory\"}",
     "gpu-oom", EVIDENCE_LOGS},
    {"{\"severity\":\"ERROR\",\"message\":\"INFO 11-19 12:16:36 [a.py:8] prompt: what is CUDA out of memory?\"}", "",
     EVIDENCE_LOGS},
    /* kv-cache-too-small */
    {V1 "ValueError: Cannot auto-fit max_model_len: not enough GPU memory available to serve even a single token.",
     "kv-cache-too-small", EVIDENCE_LOGS},
    {V1 "ValueError: No available memory for the cache blocks. Try increasing `gpu_memory_utilization`",
     "kv-cache-too-small", EVIDENCE_LOGS},
    {"ValueError: The model's max seq len (32768) is larger than the maximum number of tokens that can be stored in KV "
     "cache (9216).",
     "kv-cache-too-small", EVIDENCE_LOGS},
    {V1
     "ValueError: To serve at least one request with the model's max seq len (131072), (16.00 GiB KV cache is needed",
     "kv-cache-too-small", EVIDENCE_LOGS},
    {"INFO 01-02 03:04:05 llm_engine.py:300] # GPU blocks: 0, # CPU blocks: 512", "kv-cache-too-small", EVIDENCE_LOGS},
    {"WARNING 01-02 03:04:05 scheduler.py:9] Sequence group 1 is preempted because there is not enough KV cache space.",
     "", EVIDENCE_LOGS},
    /* host-oom */
    {"OOMKilled", "host-oom", EVIDENCE_POD},
    {"(APIServer pid=1) RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): "
     "{'EngineCore_DP0': -9}",
     "host-oom", EVIDENCE_LOGS},
    {"ray.exceptions.OutOfMemoryError: Task was killed due to the node running low on memory.", "host-oom",
     EVIDENCE_LOGS},
    {"Memory cgroup out of memory: Killed process 4242 (python3) total-vm:99kB", "host-oom", EVIDENCE_EVENTS},
    {"RuntimeError: [enforce fail at alloc_cpu.cpp:117] err == 0. DefaultCPUAllocator: can't allocate memory: you "
     "tried to allocate 9",
     "host-oom", EVIDENCE_LOGS},
    {"Killed", "host-oom", EVIDENCE_LOGS},
    {"Evicted: The node was low on resource: memory. Threshold quantity: 100Mi", "host-oom", EVIDENCE_EVENTS},
    {"Worker proc VllmWorker-1 died unexpectedly (exit code: -9), shutting down executor.", "host-oom", EVIDENCE_LOGS},
    {"2026-01-01 00:00:00,123 WARNING worker.py:1 -- A worker died or was killed while executing a task by an "
     "unexpected system error. "
     "Worker exit type: SYSTEM_ERROR There are some potential root causes. (1) SIGKILL by OOM killer (3) SIGSEGV",
     "host-oom", EVIDENCE_LOGS},
    {"INFO 01-02 03:04:05 Killing 3 idle workers", "", EVIDENCE_LOGS},
    /* shm-too-small */
    {V1 "RuntimeError: Insufficient space in /dev/shm for a buffer: 160 MiB required, 0 MiB free.", "shm-too-small",
     EVIDENCE_LOGS},
    {"h:1:2 [0] misc/shmutils.cc:72 NCCL WARN Error: failed to extend /dev/shm/nccl-a to 9637892 bytes",
     "shm-too-small", EVIDENCE_LOGS},
    {"NCCL WARN Call to posix_fallocate failed : No space left on device", "shm-too-small", EVIDENCE_LOGS},
    {"OSError: [Errno 28] No space left on device: '/dev/shm/x'", "shm-too-small", EVIDENCE_LOGS},
    {"Bus error (core dumped)", "shm-too-small", EVIDENCE_LOGS},
    {"RuntimeError: DataLoader worker (pid 9) is killed by signal: Bus error. It is possible that workers are out of "
     "shared memory",
     "shm-too-small", EVIDENCE_LOGS},
    /* no-gpu */
    {WORKER "RuntimeError: Physical device 3 for logical device 0 is not visible in CUDA_VISIBLE_DEVICES=0,1", "no-gpu",
     EVIDENCE_LOGS},
    {V1 "RuntimeError: No CUDA GPUs are available", "no-gpu", EVIDENCE_LOGS},
    {"RuntimeError: Failed to infer device type, please set the environment variable `VLLM_LOGGING_LEVEL=DEBUG`",
     "no-gpu", EVIDENCE_LOGS},
    {"INFO 01-02 03:04:05 [__init__.py:1] No platform detected, vLLM is running on UnspecifiedPlatform", "no-gpu",
     EVIDENCE_LOGS},
    {"RuntimeError: Found no NVIDIA driver on your system. Please check that you have an NVIDIA GPU", "no-gpu",
     EVIDENCE_LOGS},
    {"FailedCreatePodSandBox: failed to get sandbox runtime: no runtime for \"nvidia\" is configured", "no-gpu",
     EVIDENCE_EVENTS},
    {"docker: Error response from daemon: could not select device driver \"\" with capabilities: [[gpu]].", "no-gpu",
     EVIDENCE_DESCRIBE},
    {"WARNING: The NVIDIA Driver was not detected. GPU functionality will not be available.", "no-gpu", EVIDENCE_LOGS},
    {"E0121 12:04:24.666347       1 factory.go:68] Failed to initialize NVML: could not load NVML library: "
     "libnvidia-ml.so.1",
     "no-gpu", EVIDENCE_LOGS},
    {"DEBUG 01-02 03:04:05 [__init__.py:9] CUDA platform is not available because: NVML Shared Library Not Found", "",
     EVIDENCE_LOGS},
    /* cuda-error */
    {WORKER "RuntimeError: CUDART error: invalid argument", "cuda-error", EVIDENCE_LOGS},
    {V1 "torch.AcceleratorError: CUDA error: an illegal memory access was encountered", "cuda-error", EVIDENCE_LOGS},
    {"RuntimeError: CUDA error: no kernel image is available for execution on the device", "cuda-error", EVIDENCE_LOGS},
    {"RuntimeError: The NVIDIA driver on your system is too old (found version 11040).", "cuda-error", EVIDENCE_LOGS},
    {"nvidia-container-cli: requirement error: unsatisfied condition: cuda>=12.9, please update your driver",
     "cuda-error", EVIDENCE_EVENTS},
    {"RuntimeError: Unexpected error from cudaGetDeviceCount(). Error 803: system has unsupported display driver / "
     "cuda driver combination",
     "cuda-error", EVIDENCE_LOGS},
    {"Failed to initialize NVML: Driver/library version mismatch", "cuda-error", EVIDENCE_LOGS},
    {"NVRM: Xid (PCI:0000:4e:00): 79, pid=1, GPU has fallen off the bus.", "cuda-error", EVIDENCE_DESCRIBE},
    {"ptxas fatal   : Value 'sm_121a' is not defined for option 'gpu-name'", "cuda-error", EVIDENCE_LOGS},
    /* nccl-network */
    {V1 "RuntimeError: Barrier timed out after 600.0 seconds", "nccl-network", EVIDENCE_LOGS},
    {WORKER "RuntimeError: NCCL error: unhandled system error (run with NCCL_DEBUG=INFO for details)", "nccl-network",
     EVIDENCE_LOGS},
    {"[rank1]:[E1] [Rank 1] Watchdog caught collective operation timeout: WorkNCCL(SeqNum=8, OpType=BROADCAST",
     "nccl-network", EVIDENCE_LOGS},
    {"torch.distributed.DistBackendError: NCCL error in: ProcessGroupNCCL.cpp:1, remote process exited or there was a "
     "network error",
     "nccl-network", EVIDENCE_LOGS},
    {"RuntimeError: Gloo connectFullMesh failed with [gloo/transport/tcp/pair.cc:144] no error", "nccl-network",
     EVIDENCE_LOGS},
    {"torch.distributed.DistNetworkError: The client socket has timed out after 600000ms while trying to connect to "
     "(10.0.0.9, 29500).",
     "nccl-network", EVIDENCE_LOGS},
    {"(Worker_TP0 pid=4) ERROR 01-01 00:00:00 [nixl_connector.py:1] NIXL transfer failure: transfer_failed",
     "nccl-network", EVIDENCE_LOGS},
    {"nixl._bindings.nixlBackendError: NIXL_ERR_BACKEND", "nccl-network", EVIDENCE_LOGS},
    {"RuntimeError: Did not receive response from front-end process within 5 minutes", "nccl-network", EVIDENCE_LOGS},
    {"ConnectionError: Could not find any running Ray instance. Please specify the one to connect to", "nccl-network",
     EVIDENCE_LOGS},
    {"h:1:2 [0] NCCL INFO NET/Plugin : dlerror=libnccl-net.so: cannot open shared object file", "", EVIDENCE_LOGS},
    /* engine-dead */
    {"(APIServer pid=1) ERROR 01-01 00:00:00 [async_llm.py:9] vllm.v1.engine.exceptions.EngineDeadError: EngineCore "
     "encountered an issue.",
     "engine-dead", EVIDENCE_LOGS},
    {"vllm.engine.async_llm_engine.AsyncEngineDeadError: Background loop has errored already.", "engine-dead",
     EVIDENCE_LOGS},
    {"INFO:     10.0.0.1:999 - \"GET /health HTTP/1.1\" 503 Service Unavailable", "engine-dead", EVIDENCE_LOGS},
    {"TimeoutError: RPC call to execute_model timed out.", "engine-dead", EVIDENCE_LOGS},
    {"(APIServer pid=1) ERROR [core_client.py:600] Engine core proc EngineCore_DP0 died unexpectedly, shutting down "
     "client.",
     "engine-dead", EVIDENCE_LOGS},
    {"Unhealthy: Liveness probe failed: HTTP probe failed with statuscode: 503", "engine-dead", EVIDENCE_EVENTS},
    /* weights-corrupt */
    {WORKER "FileNotFoundError: Weight files referenced in index but missing: {'/m/model-2.safetensors'}",
     "weights-corrupt", EVIDENCE_LOGS},
    {V1 "RuntimeError: Cannot find any safetensors model weights with `/m`", "weights-corrupt", EVIDENCE_LOGS},
    {"safetensors_rust.SafetensorError: Error while deserializing header: incomplete metadata, file not fully covered",
     "weights-corrupt", EVIDENCE_LOGS},
    {"OSError: Consistency check failed: file should be of size 4976698672 but has size 12 (model-00001.safetensors).",
     "weights-corrupt", EVIDENCE_LOGS},
    {V1 "RuntimeError: Cannot find any model weights with `/mnt/models`", "weights-corrupt", EVIDENCE_LOGS},
    {"RuntimeError: PytorchStreamReader failed reading zip archive: failed finding central directory",
     "weights-corrupt", EVIDENCE_LOGS},
    {"_pickle.UnpicklingError: invalid load key, 'v'.", "weights-corrupt", EVIDENCE_LOGS},
    /* config-error */
    {WORKER "ValueError(\"type fp8e4nv not supported in this architecture.\")", "config-error", EVIDENCE_LOGS},
    {"ValueError: needs a compute capability of at least 9.0. Your Tesla T4 GPU has compute capability 7.5.",
     "config-error", EVIDENCE_LOGS},
    {"vllm serve: error: argument --dtype: invalid choice: 'fp16'", "config-error", EVIDENCE_LOGS},
    {"api_server.py: error: unrecognized arguments: --enable-magic", "config-error", EVIDENCE_LOGS},
    {"ValueError: Model architectures ['NewForCausalLM'] are not supported for now. Supported architectures: ['A']",
     "config-error", EVIDENCE_LOGS},
    {"The checkpoint you are trying to load has model type `new` but Transformers does not recognize this "
     "architecture.",
     "config-error", EVIDENCE_LOGS},
    {"ValueError: Total number of attention heads (14) must be divisible by tensor parallel size (4).", "config-error",
     EVIDENCE_LOGS},
    {"pydantic_core._pydantic_core.ValidationError: 1 validation error for ModelConfig", "config-error", EVIDENCE_LOGS},
    {"ValueError: User-specified max_model_len (99999) is greater than the derived max_model_len", "config-error",
     EVIDENCE_LOGS},
    {"ValueError: VLLM_PORT 'tcp://10.0.0.1:8000' appears to be a URI. This may be caused by a Kubernetes service "
     "discovery issue",
     "config-error", EVIDENCE_LOGS},
    {"CreateContainerConfigError: secret \"hf-token\" not found", "config-error", EVIDENCE_POD},
    {"Failed: Error: couldn't find key HF_TOKEN in Secret llm-d/hf", "config-error", EVIDENCE_EVENTS},
    {"FailedMount: MountVolume.SetUp failed for volume \"cfg\" : configmap \"cfg\" not found", "config-error",
     EVIDENCE_EVENTS},
    {"ImportError: cannot import name 'Foo' from 'transformers'", "config-error", EVIDENCE_LOGS},
    {"WARNING 01-01 00:00:00 [config.py:1] Async output processing is not supported on the current platform type", "",
     EVIDENCE_LOGS},
    /* port-in-use */
    {"RuntimeError: Could not find open port after 10 attempts starting from port 51000", "port-in-use", EVIDENCE_LOGS},
    {"WARNING 03-04 05:06:07 [parallel.py:70] Address already in use. Retrying with a new port.", "", EVIDENCE_LOGS},
    {"OSError: [Errno 98] Address already in use", "port-in-use", EVIDENCE_LOGS},
    {"ERROR:    [Errno 98] error while attempting to bind on address ('0.0.0.0', 8000): address already in use",
     "port-in-use", EVIDENCE_LOGS},
    {"zmq.error.ZMQError: Address already in use (addr='tcp://10.0.0.1:5600')", "port-in-use", EVIDENCE_LOGS},
    /* api-key */
    {"INFO:     10.0.0.1:99 - \"GET /v1/models HTTP/1.1\" 401 Unauthorized", "api-key", EVIDENCE_LOGS},
    {"Unhealthy: Readiness probe failed: HTTP probe failed with statuscode: 401", "api-key", EVIDENCE_EVENTS},
    {"requests.exceptions.HTTPError: 401 Client Error: Unauthorized for url: http://vllm:8000/v1/models", "api-key",
     EVIDENCE_LOGS},
    {"INFO request id cmpl-401 of 401 tokens", "", EVIDENCE_LOGS},
    /* crash-segfault */
    {"!!!!!!! Segfault encountered !!!!!!!", "crash-segfault", EVIDENCE_LOGS},
    {"Segmentation fault (core dumped)", "crash-segfault", EVIDENCE_LOGS},
    {"RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {'EngineCore': -11}",
     "crash-segfault", EVIDENCE_LOGS},
    {"free(): invalid pointer", "crash-segfault", EVIDENCE_LOGS},
    {"Illegal instruction (core dumped)", "crash-segfault", EVIDENCE_LOGS},
    /* model-unloaded */
    {"{\"object\":\"error\",\"message\":\"The model `llama` does not exist.\",\"code\":404}", "model-unloaded",
     EVIDENCE_LOGS},
    {"INFO 01-01 00:00:00 [executor_base.py:9] It took 1.2 seconds to fall asleep.", "model-unloaded", EVIDENCE_LOGS},
    {"INFO:     10.0.0.1:99 - \"POST /v1/chat/completions HTTP/1.1\" 404 Not Found", "model-unloaded", EVIDENCE_LOGS},
    {"{\"object\":\"list\",\"data\":[]}", "model-unloaded", EVIDENCE_DESCRIBE},
    {"{\"error\":{\"message\":\"model a-lora doesn't exist in cache, probably wrong model name\"}}", "model-unloaded",
     EVIDENCE_LOGS},
    /* wrong-port, probe-timeout, other words of the kubelet */
    {"Unhealthy: Startup probe failed: HTTP probe failed with statuscode: 404", "wrong-port", EVIDENCE_EVENTS},
    {"Unhealthy: Readiness probe failed: Get \"http://10.0.0.5:8000/health\": context deadline exceeded "
     "(Client.Timeout exceeded while "
     "awaiting headers)",
     "probe-timeout", EVIDENCE_EVENTS},
    {"Unhealthy: Liveness probe failed: Get \"http://10.0.0.5:8000/health\": dial tcp 10.0.0.5:8000: i/o timeout",
     "probe-timeout", EVIDENCE_EVENTS},
    {"Unhealthy: Liveness probe failed: Get \"http://10.0.0.5:8000/health\": net/http: HTTP/1.x transport connection "
     "broken: malformed "
     "HTTP response \"\\x15\\x03\"",
     "speaks-tls", EVIDENCE_EVENTS},
    {"Unhealthy: Startup probe failed: Get \"http://10.0.0.5:8000/health\": dial tcp 10.0.0.5:8000: connect: "
     "connection refused",
     "", EVIDENCE_EVENTS},
    {"FailedMount: Unable to attach or mount volumes: unmounted volumes=[models]: timed out waiting for the condition",
     "mount-failed", EVIDENCE_EVENTS},
    {"Evicted: The node had condition: [PIDPressure].", "evicted", EVIDENCE_POD},
    /* Accelerators of other makers. */
    {WORKER "RuntimeError: [Rank:0] FATAL ERROR :: MODULE:PT_DEVMEM Allocation failed for size::1024 (1)MB", "gpu-oom",
     EVIDENCE_LOGS},
    {"RuntimeError: nrt_tensor_allocate status=4 message=\"Allocation Failure\"", "gpu-oom", EVIDENCE_LOGS},
    {"RuntimeError: SYS_EBUSY: Lack of device memory.", "gpu-oom", EVIDENCE_LOGS},
    {"RuntimeError: Native API failed. Native API returns: 39 (UR_RESULT_ERROR_OUT_OF_DEVICE_MEMORY)", "gpu-oom",
     EVIDENCE_LOGS},
    {"RuntimeError: Native API failed. Native API returns: 20 (UR_RESULT_ERROR_DEVICE_LOST)", "cuda-error",
     EVIDENCE_LOGS},
    {"RuntimeError: No device of requested type available. -1 (PI_ERROR_DEVICE_NOT_FOUND)", "no-gpu", EVIDENCE_LOGS},
    {"RuntimeError: synStatus=8 [Device not found] Device acquire failed.", "no-gpu", EVIDENCE_LOGS},
    {"RuntimeError: Graph compile failed. synStatus=synStatus 26 [Generic failure].", "cuda-error", EVIDENCE_LOGS},
    {"NRT:nrt_allocate_neuron_cores Logical Neuron Core(s) not available - Requested:2 Available:0", "no-gpu",
     EVIDENCE_LOGS},
    {"RuntimeError: Failed to get global TPU topology.", "no-gpu", EVIDENCE_LOGS},
    {"RuntimeError: TPU initialization failed: open(/dev/vfio/0): Device or resource busy; Couldn't open iommu group "
     "/dev/vfio/0",
     "no-gpu", EVIDENCE_LOGS},
    {"jaxlib.XlaRuntimeError: RESOURCE_EXHAUSTED: Attempting to reserve 9G at the bottom of memory.", "gpu-oom",
     EVIDENCE_LOGS},
    {"AssertionError: local_world_size (8) must be less than or equal to the number of visible devices (0).", "no-gpu",
     EVIDENCE_LOGS},
    {"AssertionError: local_world_size (8) must be less than or equal to the number of visible devices (4).",
     "config-error", EVIDENCE_LOGS},
    {"[rank1]: EI0006: [PID: 71] 2026-01-02-03:04:05 Getting socket times out.", "nccl-network", EVIDENCE_LOGS},
    {"[ERROR] 2026-01-02-03:04:05 (PID:7, Device:0, RankID:-1) ERR02200 DIST call hccl api failed.", "nccl-network",
     EVIDENCE_LOGS},
    {"[ERROR] 2026-01-02-03:04:05 (PID:7, Device:0) ERR00100 PTA call acl api failed, error code is 507015",
     "cuda-error", EVIDENCE_LOGS},
    {"ImportError: libascend_hal.so: cannot open shared object file: No such file or directory", "no-gpu",
     EVIDENCE_LOGS},
    {"rocBLAS error: Cannot read /opt/rocm/lib/library/TensileLibrary.dat: No such file for GPU arch : gfx1031",
     "cuda-error", EVIDENCE_LOGS},
    {"torch.AcceleratorError: CUDA driver error: out of memory", "gpu-oom", EVIDENCE_LOGS},
    {V1 "ValueError: max_num_seqs (256) exceeds available Mamba cache blocks (99).", "kv-cache-too-small",
     EVIDENCE_LOGS},
    /* The KV cache's store, and transfers. */
    {"[info] Connection to RPC socket failed for endpoint kv-rpc:9600 with ret = IOError: getaddrinfo() failed",
     "nccl-network", EVIDENCE_LOGS},
    {"[2026-01-02 03:04:05,123] LMCache ERROR: Failed to connect to the server", "nccl-network", EVIDENCE_LOGS},
    {"[2026-01-02 03:04:05,123] LMCache INFO: Connected to remote storage at redis://kv:6379", "", EVIDENCE_LOGS},
    {"redis.exceptions.ConnectionError: Error 111 connecting to kv:6379. Connection refused.", "nccl-network",
     EVIDENCE_LOGS},
    {"E1213 01:50:10.528410  5811 worker_pool.cpp:274] Worker: Process failed for slice: transport retry counter "
     "exceeded",
     "nccl-network", EVIDENCE_LOGS},
    {"E0523 05:40:40.085733   223 store_py.cpp:367] Put operation failed with error: TRANSFER_FAIL", "nccl-network",
     EVIDENCE_LOGS},
    {"I0523 05:40:40.085733   223 client.cpp:9] Failed to open segment, will retry", "", EVIDENCE_LOGS},
    {"WARNING 01-02 03:04:05 [mooncake_store_connector.py:1] [rank0]: Failed to receive all KVs and hidden states",
     "nccl-network", EVIDENCE_LOGS},
    /* Ports, compilers, rights. */
    {"start: couldn't bind HTTP server socket, hostname: 0.0.0.0, port: 8080", "port-in-use", EVIDENCE_LOGS},
    {"RuntimeError: The server socket has failed to bind to [::]:29500", "port-in-use", EVIDENCE_LOGS},
    {"RuntimeError: Could not find nvcc and default cuda_home='/usr/local/cuda' doesn't exist", "config-error",
     EVIDENCE_LOGS},
    {"RuntimeError: Failed to find C compiler. Please specify via CC environment variable.", "config-error",
     EVIDENCE_LOGS},
    {"There was a problem when trying to write in your cache folder (/.cache/huggingface/hub).", "config-error",
     EVIDENCE_LOGS},
    /* The control plane's words. */
    {"FailedCreate: Error creating: pods \"v-1\" is forbidden: failed quota: q: must specify memory",
     "unschedulable-resources", EVIDENCE_EVENTS},
    {"FailedCreate: Error creating: pods \"v-1\" is forbidden: maximum memory usage per Container is 4Gi, but limit is "
     "64Gi",
     "unschedulable-resources", EVIDENCE_EVENTS},
    {"FailedCreate: Error creating: pods \"v-1\" is forbidden: unable to validate against any security context "
     "constraint: []",
     "config-error", EVIDENCE_EVENTS},
    {"FailedCreate: Error creating: pods \"v-1\" is forbidden: error looking up service account llm/v: serviceaccount "
     "\"v\" not found",
     "config-error", EVIDENCE_EVENTS},
    {"FailedCreate: Error creating: Internal error occurred: failed calling webhook \"m.example\": connection refused",
     "config-error", EVIDENCE_EVENTS},
    {"Pending: couldn't assign flavors to pod set main: insufficient unused quota for nvidia.com/gpu in flavor f, 1 "
     "more needed",
     "unschedulable-resources", EVIDENCE_EVENTS},
    {"SchedulingGated: Scheduling is blocked due to non-empty scheduling gates", "unschedulable-resources",
     EVIDENCE_POD},
    {"FailedScaleUp: Node scale up in zones a associated with this pod failed: GCE out of resources.",
     "unschedulable-resources", EVIDENCE_EVENTS},
    {"FailedScheduling: Failed to schedule pod, all available instance types exceed limits for nodepool: \"gpu\"",
     "unschedulable-resources", EVIDENCE_EVENTS},
    {"OutOfnvidia.com/gpu: Node didn't have enough resource: nvidia.com/gpu, requested: 1, used: 8, capacity: 8",
     "unschedulable-resources", EVIDENCE_POD},
    {"FailedScheduling: 0/3 nodes are available: persistentvolumeclaim \"models\" not found.", "config-error",
     EVIDENCE_EVENTS},
    {"FailedMount: MountVolume.MountDevice failed for volume \"v\" : driver name a.csi.b not found in the list of "
     "registered CSI drivers",
     "mount-failed", EVIDENCE_EVENTS},
    {"FailedMount: MountVolume.SetUp failed for volume \"v\" : mount failed: exit status 32 mount.nfs: Connection "
     "timed "
     "out",
     "mount-failed", EVIDENCE_EVENTS},
    {"FailedAttachVolume: Multi-Attach error for volume \"v\" Volume is already used by pod(s) b", "mount-failed",
     EVIDENCE_EVENTS},
    {"ProvisioningFailed: storageclass.storage.k8s.io \"fast\" not found", "mount-failed", EVIDENCE_EVENTS},
    {"WaitForFirstConsumer: waiting for first consumer to be created before binding", "", EVIDENCE_EVENTS},
    {"Failed: Error: failed to create containerd task: error mounting \"/m\" to rootfs at \"/m\": not a directory",
     "mount-failed", EVIDENCE_EVENTS},
    {"Evicted: Usage of EmptyDir volume \"dshm\" exceeds the limit \"1Gi\".", "shm-too-small", EVIDENCE_EVENTS},
    {"Evicted: Usage of EmptyDir volume \"cache\" exceeds the limit \"1Gi\".", "disk-full", EVIDENCE_EVENTS},
    {"Unhealthy: Startup probe failed: sh: 1: curl: not found", "config-error", EVIDENCE_EVENTS},
    {"Failed: Failed to pull image \"a\": dial tcp 10.0.0.9:443: connect: connection refused", "image-pull",
     EVIDENCE_EVENTS},
    /* The API server's trouble is not the pod's. */
    {"Unable to connect to the server: dial tcp 10.0.0.1:6443: i/o timeout", "", EVIDENCE_LOGS},
    {"The connection to the server 10.0.0.1:6443 was refused - did you specify the right host or port?", "",
     EVIDENCE_DESCRIBE},
    {"E0102 03:04:05.123456       1 reflector.go:9] failed to list *v1.Pod: Get \"https://10.96.0.1:443/api\": dial "
     "tcp "
     "10.96.0.1:443: connect: no route to host",
     "", EVIDENCE_LOGS},
    {"Error from server (Timeout): the server was unable to return a response in the time allotted", "", EVIDENCE_LOGS},
    {"FailedCreate: etcdserver: request timed out", "", EVIDENCE_EVENTS},
    {"Error from server (BadRequest): container \"vllm\" in pod \"v\" is waiting to start: trying and failing to pull "
     "image",
     "image-pull", EVIDENCE_LOGS},
    /* Limits of the process and the container; what is missing in the image. */
    {"OSError: [Errno 24] Too many open files", "config-error", EVIDENCE_LOGS},
    {"RuntimeError: can't start new thread", "config-error", EVIDENCE_LOGS},
    {"/bin/sh: 1: exec: vllm: not found", "config-error", EVIDENCE_LOGS},
    {"ValueError: invalid literal for int() with base 10: 'tcp://10.96.0.1:8000'", "config-error", EVIDENCE_LOGS},
    {WORKER "triton.runtime.errors.OutOfResources: out of resource: shared memory, Required: 9, Hardware limit: 8",
     "config-error", EVIDENCE_LOGS},
    {"E0912 01:02:03.123456 71 select_algorithm.py:2100] [0/0] triton.runtime.errors.OutOfResources: out of resource: "
     "shared memory",
     "", EVIDENCE_LOGS},
    {"UCX  ERROR ibv_reg_mr(address=0x7f) failed: Cannot allocate memory : Please set max locked memory (ulimit -l)",
     "nccl-network", EVIDENCE_LOGS},
    {"Aborted", "crash-segfault", EVIDENCE_LOGS},
    {"Aborted requests are not counted", "", EVIDENCE_LOGS},
    {"W0905 11:02:53.047694     512 ucx_utils.cpp:62] Unexpected UCX error: Request canceled", "nccl-network",
     EVIDENCE_LOGS},
    {"[2026-03-26 06:44:29,435 W 39 39] (raylet) store_runner.cc:83: System memory request exceeds memory available in "
     "/dev/shm.",
     "shm-too-small", EVIDENCE_LOGS},
    {WORKER "rtSetDevice execute failed, reason=[device id error]", "no-gpu", EVIDENCE_LOGS},
    {"Unhealthy: Readiness probe failed: Ray cluster status: 1/2 nodes alive.", "nccl-network", EVIDENCE_EVENTS},
    {"rocBLAS error: Could not initialize Tensile host: No devices found", "no-gpu", EVIDENCE_LOGS},
    {"unauthorized: authentication required", "image-pull", EVIDENCE_DESCRIBE},
    {"WARNING controller 1 -- Didn't receive health check response for replica Replica(id='a') after 10.0s",
     "probe-timeout", EVIDENCE_LOGS},
    {"Could not set the permissions on the file '/a.incomplete'. Error: [Errno 30] Read-only file system: '/tmp_0'.",
     "", EVIDENCE_LOGS},
    {"FailedScheduling: 0/3 nodes are available: persistentvolumeclaim \"weights\" not found.", "config-error",
     EVIDENCE_EVENTS},
    {"FailedMount: MountVolume.SetUp failed for volume \"c\" : configmap \"templates\" not found", "config-error",
     EVIDENCE_EVENTS},
    /* Stores of models beside the hub. */
    {"google.api_core.exceptions.Forbidden: 403 GET https://storage.example/b", "download-auth", EVIDENCE_LOGS},
    {"google.api_core.exceptions.NotFound: 404 GET https://storage.example/b", "download-not-found", EVIDENCE_LOGS},
    {"ValueError: The request model: a/b does not exist!", "download-not-found", EVIDENCE_LOGS},
    {"aiohttp.client_exceptions.ClientConnectorDNSError: Cannot connect to host hub", "download-network",
     EVIDENCE_LOGS},
    {"OSError: [Errno 116] Stale file handle: '/models/a'", "mount-failed", EVIDENCE_LOGS},
    {"OSError: [Errno 107] Transport endpoint is not connected: '/models'", "mount-failed", EVIDENCE_LOGS},
    /* More of the kubelet's. */
    {"Unhealthy: Readiness probe failed: Get \"http://10.0.0.1:8000/health\": dial tcp: connect: no route to host",
     "probe-blocked", EVIDENCE_EVENTS},
    {"Unhealthy: Liveness probe errored: rpc error: code = DeadlineExceeded desc = failed to exec in container: "
     "timeout",
     "probe-timeout", EVIDENCE_EVENTS},
    {"Evicted: Container vllm exceeded its local ephemeral storage limit \"10Gi\".", "disk-full", EVIDENCE_EVENTS},
    {"InspectFailed: Failed to apply default image tag \"x:y:z\": couldn't parse image name", "image-pull",
     EVIDENCE_EVENTS},
    {"Failed: Error: container has runAsNonRoot and image has non-numeric user (v)", "config-error", EVIDENCE_EVENTS},
    {"TaintManagerEviction: Cancelling deletion of Pod llm/v", "", EVIDENCE_EVENTS},
    {"FailedPrepareDynamicResources: Failed to prepare dynamic resources: DRA driver is not registered", "no-gpu",
     EVIDENCE_EVENTS},
    {"Terminated: Pod was terminated in response to imminent node shutdown.", "evicted", EVIDENCE_POD},
    {"CreateContainerError: invalid mount config for type \"bind\": bind source path does not exist: /data",
     "config-error", EVIDENCE_POD},
    {"RunContainerError: OCI runtime create failed: fork/exec /usr/bin/nvidia-container-runtime: no such file",
     "no-gpu", EVIDENCE_POD},
    {"OSError: Error no file named model.safetensors found in directory /models/x.", "weights-corrupt", EVIDENCE_LOGS},
    {"OSError: Incorrect path_or_model_id: '/models/foo'. Please provide a path", "download-not-found", EVIDENCE_LOGS},
    {"hf_transfer: Exception: Failed too many failures in parallel (3)", "download-network", EVIDENCE_LOGS},
    {"curl: (60) SSL certificate problem: self-signed certificate", "download-network", EVIDENCE_LOGS},
    {"RuntimeError: [enforce fail at device.cc:83] ifa != nullptr. Unable to find address for: eth1", "nccl-network",
     EVIDENCE_LOGS},
    {"ray.exceptions.NodeDiedError: Task failed due to the node", "nccl-network", EVIDENCE_LOGS},
    {"ERROR 03-04 05:06:07 [client.py:1] TimeoutError('No heartbeat received from MQLLMEngine')", "engine-dead",
     EVIDENCE_LOGS},
    {"FATAL: kernel `fmha` is for sm80-sm100, but was built for sm37", "cuda-error", EVIDENCE_LOGS},
    {"RuntimeError: 0 active drivers ([]). There should only be one.", "no-gpu", EVIDENCE_LOGS},
    {"BlockingIOError: [Errno 11] Resource temporarily unavailable", "config-error", EVIDENCE_LOGS},
    {"Xet Storage is enabled for this repo, but the 'hf_xet' package is not installed. Falling back to HTTP.", "",
     EVIDENCE_LOGS},
    /* Ordinary lines with scary words. */
    {"ERROR 03-04 05:06:07 [kernels_moe.py:70] Failed to import Triton kernels. Please make sure your triton version "
     "is "
     "compatible. Error: cannot import name 'routing'",
     "", EVIDENCE_LOGS},
    {"ERROR 03-04 05:06:07 [fa_utils.py:57] Cannot use FA version 3 is not supported due to compute capability", "",
     EVIDENCE_LOGS},
    {"ERROR 03-04 05:06:07 [config.py:130] Error retrieving safetensors: Repo id must be in the form 'repo_name': "
     "'/models/x'., retrying 1 of 2",
     "", EVIDENCE_LOGS},
    {"libibverbs: Warning: couldn't load driver 'liba.so': liba.so: cannot open shared object file", "", EVIDENCE_LOGS},
    {"/bin/sh: 1: nvcc: not found", "", EVIDENCE_LOGS},
    {"/bin/sh: 1: hostname: not found", "", EVIDENCE_LOGS},
    {"X has no vLLM implementation, falling back to another. Some features may not be supported.", "", EVIDENCE_LOGS},
    {"This quantization is only supported on GPUs with compute capability >= 8.9. We will default to bf16.", "",
     EVIDENCE_LOGS},
    {"WARNING 03-04 05:06:07 [a.py:70] Fused attention disabled: compute capability 8.6 not in (9, 10).", "",
     EVIDENCE_LOGS},
    {"Ignoring `use_x=True`: its kernels need a GPU with compute capability >= 8.9, and none was found.", "",
     EVIDENCE_LOGS},
    {"INFO 01-01 00:00:00 [gpu_model_runner.py:1] If out-of-memory error occurs during cudagraph capture, consider "
     "decreasing "
     "`gpu_memory_utilization`",
     "", EVIDENCE_LOGS},
    {"WARNING 01-01 00:00:00 [custom_all_reduce.py:1] Custom allreduce is disabled because it's not supported on more "
     "than two PCIe-only "
     "GPUs.",
     "", EVIDENCE_LOGS},
    {"[rank0]:[W1 ProcessGroupNCCL.cpp:1496] Warning: WARNING: destroy_process_group() was not called before program "
     "exit",
     "", EVIDENCE_LOGS},
    {"WARNING 01-01 00:00:00 [topk.py:1] FlashInfer is not available. Falling back to the PyTorch-native "
     "implementation",
     "", EVIDENCE_LOGS},
    {"W0121 12:04:24.666244       1 rm.go:108] mode is not supported here", "", EVIDENCE_LOGS},
    {"2026-01-01 00:00:00.123 | WARNING  | m:f:9 - the flag is not supported and ignored", "", EVIDENCE_LOGS},
    {"{\"level\":\"warning\",\"msg\":\"this is not supported\"}", "", EVIDENCE_LOGS},
    {"time=2026-01-01T00:00:00Z level=info msg=\"connection not supported\"", "", EVIDENCE_LOGS},
    {"[Gloo] Rank 0 is connected to 0 peer ranks. Expected number of connected peer ranks is : 0", "", EVIDENCE_LOGS},
    {"(EngineCore_DP0 pid=1) INFO 01-01 00:00:00 [shm_broadcast.py:1] No available shared memory broadcast block found "
     "in 60 seconds.",
     "", EVIDENCE_LOGS},
    {"Loading safetensors checkpoint shards:  40% Completed | 4/10 [00:12<00:18,  3.01s/it]", "", EVIDENCE_LOGS},
    {"INFO 01-01 00:00:00 [loggers.py:1] Engine 000: Avg prompt throughput: 137.0 tokens/s, Running: 9 reqs, GPU KV "
     "cache usage: 0.0%",
     "", EVIDENCE_LOGS},
};

/* What a line says by itself: a clue, which says something only beside others, is nothing. */
static const char *label_of(const struct findings *findings)
{
    const struct finding *finding = findings->count > 0 ? &findings->list[0] : NULL;
    bool says = finding && finding->signature->confidence > CONFIDENCE_NONE && finding->signature->clue != CLUE_ERROR;
    return says ? cause_label(finding->signature->cause) : "";
}

static void test_lines(void **state)
{
    bool seen[CAUSE_COUNT] = {false};
    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        struct findings findings = {0};
        struct text line = {0};
        enum cause cause;
        text_set_str(&line, lines[i].line, TEXT_BODY);
        findings_offer(&findings, NULL, &line, lines[i].source, false, 1, 5);
        if (strcmp(label_of(&findings), lines[i].label) != 0)
            fail_msg("%s: \"%s\" instead of \"%s\" (%s)", lines[i].line, label_of(&findings), lines[i].label,
                     findings.count > 0 ? findings.list[0].signature->pattern : "no signature");
        if (cause_from_label(lines[i].label, &cause))
            seen[cause] = true;
        findings_free(&findings);
        text_free(&line);
    }
    /* A cause of the table has lines here, too. */
    size_t count;
    const struct signature *table = signatures_built_in(&count);
    for (size_t i = 0; i < count; i++)
        if (table[i].confidence > CONFIDENCE_NONE && !seen[table[i].cause] &&
            table[i].cause != CAUSE_STARTUP_BUDGET_EXCEEDED)
            fail_msg("no line for %s", cause_label(table[i].cause));
}

/* No row stands behind one that takes all its lines: it could never speak. Both are in lower case, as they are compared. */
static void test_table(void **state)
{
    size_t count;
    const struct signature *table = signatures_built_in(&count);
    (void)state;
    for (size_t i = 0; i < count; i++) {
        assert_true(table[i].pattern[0] != '\0' && table[i].where != 0);
        assert_true(table[i].cause == CAUSE_NONE || table[i].confidence > CONFIDENCE_NONE ||
                    table[i].clue != CLUE_NONE);
        for (const char *p = table[i].pattern; *p; p++)
            assert_false(*p >= 'A' && *p <= 'Z');
        assert_true(strlen(table[i].pattern) > 2 && !memchr(table[i].pattern, '*', 2) && table[i].pattern[0] != '\\');
        for (size_t k = 0; k < i; k++) {
            bool covers = (table[i].where & ~table[k].where) == 0 && !table[k].whole &&
                          pattern_matches(table[k].pattern, table[i].pattern);
            if (covers)
                fail_msg("\"%s\" stands behind \"%s\"", table[i].pattern, table[k].pattern);
        }
    }
}

static void offer(struct findings *findings, const char *words, enum evidence_source source, uint32_t run, int64_t t)
{
    struct text line = {0};
    text_set_str(&line, words, TEXT_BODY);
    findings_offer(findings, NULL, &line, source, false, run, t);
    text_free(&line);
}

static void test_findings(void **state)
{
    struct findings findings = {0};
    (void)state;
    offer(&findings, "2026-01-02T03:04:05.1Z (APIServer pid=1) INFO 01-02 03:04:05 [a.py:1] hello", EVIDENCE_LOGS, 1,
          10);
    offer(&findings, "2026-01-02T03:04:06.1Z " V1 "CUDA error: unspecified launch failure", EVIDENCE_LOGS, 1, 20);
    offer(&findings, "2026-01-02T03:04:07.1Z CUDA error: unspecified launch failure", EVIDENCE_LOGS, 1, 30);
    assert_int_equal(findings.count, 1);
    const struct finding *finding = &findings.list[0];
    assert_string_equal(text_str(&finding->quote), "CUDA error: unspecified launch failure");
    assert_int_equal(finding->line, 2);
    assert_int_equal(finding->count, 2);
    assert_int_equal(finding->first, 20);
    assert_int_equal(finding->last, 30);
    assert_int_equal(finding->order, 2);
    assert_int_equal(finding->last_order, 3);
    assert_true(finding->deep);
    offer(&findings, "CUDA error: unspecified launch failure", EVIDENCE_PREVIOUS, 1, 30);
    offer(&findings, "CUDA error: unspecified launch failure", EVIDENCE_LOGS, 2, 40);
    offer(&findings, "CUDA error: unspecified launch failure", EVIDENCE_EVENTS, 0, 40);
    assert_int_equal(findings.count, 4);
    assert_false(findings.list[1].deep);
    assert_int_equal(findings.lines[EVIDENCE_LOGS], 4);
    findings_forget(&findings, 2);
    assert_int_equal(findings.count, 2); /* the newer run's, and what belongs to none */
    findings_free(&findings);
    assert_int_equal(findings.count, 0);
}

/* The exception itself is quoted, and its row speaks, where its source code was found first. */
static void test_source_code_gives_way(void **state)
{
    static const char *const traceback[] = {
        "    raise HFValidationError(",
        "huggingface_hub.errors.HFValidationError: Repo id must be in the form 'name': '/models/x'.",
        "    raise HFValidationError(",
        "OSError: Repo id must be in the form 'name': '/models/x'.",
    };
    struct findings findings = {0};
    struct text line = {0};
    (void)state;
    for (size_t i = 0; i < sizeof traceback / sizeof traceback[0]; i++) {
        text_set_str(&line, traceback[i], TEXT_BODY);
        findings_offer(&findings, NULL, &line, EVIDENCE_LOGS, false, 1, 0);
    }
    const struct finding *first = &findings.list[0];
    assert_memory_equal(text_str(&first->quote), "huggingface_hub", strlen("huggingface_hub"));
    assert_int_equal(first->line, 2);
    assert_int_equal(first->order, 1);
    assert_string_equal(first->signature->pattern, "repo id must be in the form");
    text_free(&line);
    findings_free(&findings);
}

/* Level, moment and source file are no words of the line's, with V0's tag as with V1's. */
static void test_quote(void **state)
{
    static const char *const lines_of[] = {"ERROR 01-02 03:04:05 engine.py:389] RuntimeError: CUDA error: x",
                                           "ERROR 01-02 03:04:05 [engine.py:389] RuntimeError: CUDA error: x",
                                           "(EngineCore pid=1) ERROR 01-02 03:04:05 RuntimeError: CUDA error: x"};
    (void)state;
    for (size_t i = 0; i < sizeof lines_of / sizeof lines_of[0]; i++) {
        struct findings findings = {0};
        offer(&findings, lines_of[i], EVIDENCE_LOGS, 1, 1);
        assert_string_equal(text_str(&findings.list[0].quote), "RuntimeError: CUDA error: x");
        findings_free(&findings);
    }
}

/* A traceback that JSON wraps into one line: each of its lines is looked at, and quoted, alone. */
static void test_wrapped(void **state)
{
    struct findings findings = {0};
    (void)state;
    offer(&findings,
          "{\"level\":\"error\",\"exc\":\"Traceback (most recent call last):\\n  File \\\"a.py\\\"\\nRuntimeError: No "
          "CUDA GPUs are available\\n\"}",
          EVIDENCE_LOGS, 1, 1);
    assert_int_equal(findings.count, 2);
    assert_int_equal(findings.list[1].signature->cause, CAUSE_NO_GPU);
    assert_string_equal(text_str(&findings.list[1].quote), "RuntimeError: No CUDA GPUs are available");
    findings_free(&findings);
}

/* Lines about one client's request: their wrong names, addresses and lengths are not the server's. */
static void test_requests(void **state)
{
    static const struct {
        const char *lines[4];
        const char *label; /* of what is found in the last */
    } rows[] = {
        {{"ERROR 01-02 03:04:05 [serving_chat.py:200] ValueError: unsupported image"}, ""},
        {{"ERROR 01-02 03:04:05 serving_completion.py:91] FileNotFoundError: [Errno 2] No such file: '/data/a.png'"},
         ""},
        {{"ERROR 01-02 03:04:05 [hermes_tool_parser.py:9] json.decoder.JSONDecodeError: Expecting value"}, ""},
        {{"ERROR 01-02 03:04:05 [serving_models.py:9] ValueError: No adapter found for /adapters/a"}, "config-error"},
        {{"ERROR 01-02 03:04:05 [serving_chat.py:9] EngineDeadError: see above"}, "engine-dead"},
        {{"(APIServer pid=1) ERROR:    Exception in ASGI application", "(APIServer pid=1) Traceback",
          "(APIServer pid=1) aiohttp.client_exceptions.ClientConnectorError: Cannot connect to host images.example"},
         ""},
        {{"ERROR:    Exception in ASGI application", "  + Exception Group",
          "(EngineCore pid=9) RuntimeError: CUDA error: x"},
         "cuda-error"},
        {{"ERROR:    Exception in ASGI application", "INFO:     10.0.0.1:5 - \"GET /health HTTP/1.1\" 200 OK",
          "ValueError: unsupported model"},
         "config-error"},
        {{"ERROR 01-02 03:04:05 [serving_chat.py:200] ValueError: default chat template is no longer allowed"},
         "config-error"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct findings findings = {0};
        const char *label = "";
        for (size_t k = 0; k < 4 && rows[i].lines[k]; k++) {
            struct text line = {0};
            text_set_str(&line, rows[i].lines[k], TEXT_BODY);
            const struct finding *found = findings_offer(&findings, NULL, &line, EVIDENCE_LOGS, false, 1, 5);
            label = found && found->signature->confidence > CONFIDENCE_NONE && found->signature->clue != CLUE_ERROR
                        ? cause_label(found->signature->cause)
                        : "";
            text_free(&line);
        }
        if (strcmp(label, rows[i].label) != 0)
            fail_msg("row %zu: \"%s\" instead of \"%s\"", i, label, rows[i].label);
        findings_free(&findings);
    }
}

/* A paste that lost the breaks between lines: each is as loud as its own level. */
static void test_joined(void **state)
{
    struct findings findings = {0};
    (void)state;
    offer(&findings,
          "(APIServer pid=1) INFO 01-02 03:04:05 [a.py:1] this is unsupported (EngineCore pid=2) ERROR 01-02 03:04:06 "
          "[core.py:1] RuntimeError: NCCL error: unhandled system error 0a1b:71:80 [0] NCCL INFO cudaDriverVersion 1 "
          "(APIServer pid=1) INFO 01-02 03:04:07 [a.py:1] CUDA error: only talk",
          EVIDENCE_LOGS, 1, 1);
    assert_int_equal(findings.count, 1);
    assert_string_equal(text_str(&findings.list[0].quote), "RuntimeError: NCCL error: unhandled system error");
    /* A prompt may quote what it likes. */
    offer(&findings,
          "INFO 01-02 03:04:05 [logger.py:1] Received request r: prompt: 'why ERROR 01-02 03:04:06 [core.py:1] CUDA "
          "error: x'",
          EVIDENCE_LOGS, 1, 1);
    for (uint32_t i = 0; i < findings.count; i++)
        assert_int_not_equal(findings.list[i].signature->cause, CAUSE_CUDA_ERROR);
    findings_free(&findings);
}

/* What is returned is the first of a line's findings, though the list grew with those behind it. */
static void test_returned(void **state)
{
    struct findings findings = {0};
    struct text line = {0};
    (void)state;
    text_set_str(&line, "OOMKilled\\nCUDA out of memory\\nSegmentation fault\\nNCCL error\\nNo space left on device",
                 TEXT_BODY);
    const struct finding *found = findings_offer(&findings, NULL, &line, EVIDENCE_LOGS, false, 1, 5);
    assert_int_equal(findings.count, 5);
    assert_ptr_equal(found, findings.list);
    text_free(&line);
    findings_free(&findings);
}

static void test_bound(void **state)
{
    struct findings findings = {0};
    (void)state;
    for (uint32_t run = 1; run <= 2 * FINDINGS_MAX; run++)
        offer(&findings, "OOMKilled", EVIDENCE_POD, run, 1);
    assert_int_equal(findings.count, FINDINGS_MAX);
    findings_free(&findings);
}

static void test_names(void **state)
{
    enum confidence confidence = CONFIDENCE_NONE;
    (void)state;
    assert_string_equal(evidence_source_name(EVIDENCE_SIBLINGS), "siblings");
    assert_string_equal(confidence_name(CONFIDENCE_LIKELY), "likely");
    assert_string_equal(confidence_name(CONFIDENCE_NONE), "");
    assert_true(confidence_from_name("certain", &confidence));
    assert_int_equal(confidence, CONFIDENCE_CERTAIN);
    assert_false(confidence_from_name("", &confidence));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_patterns),
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_findings),
        cmocka_unit_test(test_source_code_gives_way),
        cmocka_unit_test(test_quote),
        cmocka_unit_test(test_wrapped),
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_joined),
        cmocka_unit_test(test_returned),
        cmocka_unit_test(test_bound),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
