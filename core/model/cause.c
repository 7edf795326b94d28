#include "model/cause.h"

#include <string.h>

#define LOGS "{kubectl} logs {pod} -c {container} --tail=200"
#define PREVIOUS "{kubectl} logs {pod} -c {container} --previous --tail=200"
#define DESCRIBE "{kubectl} describe pod {pod}"
#define EVENTS "{kubectl} get events --field-selector involvedObject.name={pod} --sort-by=.lastTimestamp"
#define EXEC "{kubectl} exec {pod} -c {container} -- "

/* In the order of CAUSE_TABLE. The guide's Troubleshooting section (facts/readiness-probes-guide.md) is covered: downloads, resources, ports, network, crashes, unloaded models, exhaustion, connectivity. */
static const struct cause_info infos[CAUSE_COUNT] = {
    [CAUSE_NONE] = {.title = "", .meaning = "", .shows = ""},
    [CAUSE_IMAGE_PULL] =
        {.title = "the container image cannot be pulled",
         .meaning =
             "The node cannot fetch the image: a name or tag that is not there, a registry that wants credentials, "
             "limits, or cannot be reached, no build for the node's architecture, or no room for it.",
         .shows = "The pod waits in ErrImagePull or ImagePullBackOff; the kubelet's Failed events quote the registry.",
         .fixes =
             {"Correct the image's name or tag, or give the pod an imagePullSecret for its registry.",
              "Where the registry limits or is slow, pull through a mirror or load the image onto the nodes before."},
         .commands = {EVENTS, "{kubectl} get pod {pod} -o jsonpath='{.spec.containers[*].image}'"}},
    [CAUSE_UNSCHEDULABLE_RESOURCES] =
        {.title = "no node has the resources that the pod asks for",
         .meaning = "The scheduler finds no node with the GPUs, CPU, memory, labels or volumes that the pod wants, or "
                    "Ray finds "
                    "no GPUs for all ranks. It waits until some become free.",
         .shows = "The pod stays Pending; FailedScheduling says how many nodes lack what.",
         .fixes = {"Ask for less (GPUs, CPU, memory, tensor parallel size), or add nodes that have it.",
                   "Check that the nodes advertise the resource: the device plugin's pods, the resource's exact name.",
                   "Check nodeSelector, affinity and tolerations against the GPU nodes' labels and taints."},
         .commands = {DESCRIBE, "kubectl describe nodes | grep -A 10 'Allocated resources'"}},
    [CAUSE_DOWNLOAD_SLOW] =
        {.title = "the weights are still being downloaded",
         .meaning = "vLLM fetches the model and prints nothing meanwhile. It is slow, or stands still at a lock or a "
                    "connection; "
                    "nothing has failed yet.",
         .shows = "The log ends at 'Starting to load model' or in a download's bars; the port refuses.",
         .fixes =
             {"Download the model beforehand onto a persistent volume, or by an init container.",
              "Give the startup probe a budget that the download fits into (failureThreshold x periodSeconds).",
              "A token (HF_TOKEN) raises the hub's limits; HF_HUB_DISABLE_XET=1 gets around a transfer that hangs."},
         .commands = {EXEC "du -sh /root/.cache/huggingface", LOGS}},
    [CAUSE_DOWNLOAD_AUTH] =
        {.title = "the hub refuses the model: no token, or no access to it",
         .meaning =
             "The model is gated or private, and the request came without a token, with a wrong one, or for an account "
             "that was not granted access.",
         .shows = "GatedRepoError, 401 or 403 for a file of the model in the log, within seconds of the start.",
         .fixes = {"Set HF_TOKEN from a Secret with a token whose account has access to the model.",
                   "Accept the model's terms on its page with that account, then start again."},
         .commands = {PREVIOUS, "{kubectl} get secrets"}},
    [CAUSE_DOWNLOAD_NOT_FOUND] =
        {.title = "there is no such model, revision or path",
         .meaning = "The model's name is none that the hub knows (or shows to this account), or it is a path that is "
                    "not there in "
                    "the container, so that vLLM takes it for a name.",
         .shows = "Repository Not Found, 'Repo id must be in the form', 'is not a local folder' in the log.",
         .fixes = {"Correct the model's name and revision.",
                   "For a path: check that the volume is mounted there and holds config.json."},
         .commands = {"{kubectl} get pod {pod} -o yaml", PREVIOUS}},
    [CAUSE_DOWNLOAD_NETWORK] =
        {.title = "the model cannot be downloaded: the network or the hub",
         .meaning = "The pod does not get to the hub: name resolution, a proxy, a NetworkPolicy, a certificate, a "
                    "limit of the "
                    "hub's, offline mode without a filled cache.",
         .shows = "Connection, timeout, resolution or certificate errors, or 'offline mode is enabled' in the log.",
         .fixes = {"Let the pod out to the hub (DNS, egress policy, HTTPS_PROXY, certificates), or set HF_ENDPOINT to "
                   "a mirror.",
                   "Download the model beforehand onto a persistent volume, or by an init container.",
                   "In offline mode give vLLM the local path of a complete copy instead of the model's name."},
         .commands = {PREVIOUS, EXEC "curl -sSI --max-time 10 https://huggingface.co"}},
    [CAUSE_DISK_FULL] =
        {.title = "the disk is full, or cannot be written to",
         .meaning = "There is no room where the weights, the cache or the image go, or that place is read-only.",
         .shows = "'No space left on device', 'Read-only file system' in the log; Evicted for ephemeral-storage.",
         .fixes = {"Put the cache (HF_HOME) on a volume that holds the model, and a writable one.",
                   "Raise the ephemeral-storage limit, or free the node's disk."},
         .commands = {EXEC "df -h", DESCRIBE}},
    [CAUSE_STARTUP_BUDGET_EXCEEDED] =
        {.title = "a probe kills the container before loading is done",
         .meaning = "Loading takes longer than the startup probe's failureThreshold x periodSeconds allows, or a "
                    "liveness probe "
                    "without a startup probe before it counts refused connections from the first moment.",
         .shows =
             "Killing: 'failed startup probe, will be restarted' (or liveness), a log that breaks off while it loads "
             "('EngineCore exiting', 'KeyboardInterrupt: terminated'), and so on from the beginning.",
         .fixes = {"Raise failureThreshold or periodSeconds of the startupProbe until the slowest load fits.",
                   "Make loading faster: weights on a persistent volume, a kept compile cache.",
                   "Where there is no startupProbe, add one: the liveness probe then waits for it."},
         .commands = {DESCRIBE, PREVIOUS}},
    [CAUSE_WRONG_PORT] =
        {.title = "a probe asks a port or path that nothing serves",
         .meaning =
             "The server is up, but not where the probe looks: vLLM's --port, the sidecar's port and the probe's port "
             "do not fit, or the path is none that this server has.",
         .shows = "Connection refused long after 'Application startup complete', or status 404 for the probe's path.",
         .fixes = {"Make the probe's port and path those that the container serves: /health and /v1/models on vLLM's "
                   "--port.",
                   "Behind llm-d's sidecar: 8000 is the sidecar's, 8200 vLLM's own."},
         .commands = {DESCRIBE, LOGS " | grep -i -e 'server on' -e 'running on' -e port"}},
    [CAUSE_PROBE_TIMEOUT] =
        {.title = "the probe's timeout is too short for a busy server",
         .meaning = "The server is alive, but answers later than timeoutSeconds allows (1 second where it is not set).",
         .shows =
             "'context deadline exceeded (Client.Timeout exceeded while awaiting headers)' while requests are served.",
         .fixes = {"Raise timeoutSeconds above the slowest answers, and failureThreshold so that one is not enough.",
                   "Give vLLM's API server CPU of its own; it shares it with tokenizing and the engine."},
         .commands = {DESCRIBE, LOGS}},
    [CAUSE_GPU_OOM] = {.title = "GPU memory ran out",
                       .meaning = "The weights, the measured first run, the CUDA graphs or a request need more memory "
                                  "than the GPU has left, or "
                                  "something else uses the GPU already.",
                       .shows =
                           "torch.OutOfMemoryError: CUDA out of memory, or 'less than desired GPU memory utilization'.",
                       .fixes = {"Lower --gpu-memory-utilization, --max-model-len or --max-num-seqs.",
                                 "Spread the model over more GPUs (--tensor-parallel-size), or take a quantised one.",
                                 "See that nothing else uses the GPU: nvidia-smi on the node."},
                       .commands = {EXEC "nvidia-smi", PREVIOUS}},
    [CAUSE_KV_CACHE_TOO_SMALL] =
        {.title = "the KV cache does not fit the model's length",
         .meaning = "What the weights leave of the GPU's memory does not hold one request of the full length.",
         .shows = "'No available memory for the cache blocks', 'larger than the available KV cache memory'.",
         .fixes = {"Set --max-model-len to what the log says fits, or lower.",
                   "Raise --gpu-memory-utilization, spread over more GPUs, or use --kv-cache-dtype fp8."},
         .commands = {PREVIOUS}},
    [CAUSE_HOST_OOM] =
        {.title = "host memory ran out: the process was killed",
         .meaning =
             "The container went beyond its memory limit, or the node ran out of memory (RAM, not the GPU's), and the "
             "kernel or Ray killed the process.",
         .shows = "OOMKilled, exit code 137, a worker or engine process that ended with -9.",
         .fixes = {"Raise the container's memory limit: loading needs room for the weights beside the process.",
                   "Lower what takes host memory: --swap-space, CPU offload, a memory-backed /dev/shm counts too."},
         .commands = {"{kubectl} get pod {pod} -o jsonpath='{.status.containerStatuses[*].lastState}'",
                      "{kubectl} top pod {pod} --containers"}},
    [CAUSE_SHM_TOO_SMALL] =
        {.title = "/dev/shm is too small, or full of old segments",
         .meaning =
             "NCCL and vLLM's workers share memory through /dev/shm. A container has 64 MiB of it unless a volume is "
             "mounted there; crashes leave files behind.",
         .shows = "'Error while creating shared memory segment /dev/shm/nccl-...', 'Bus error', exit code 135.",
         .fixes = {"Mount an emptyDir with medium: Memory and a sizeLimit of some GiB at /dev/shm.",
                   "Empty it before vLLM starts: find /dev/shm -type f -delete."},
         .commands = {EXEC "df -h /dev/shm"}},
    [CAUSE_NO_GPU] =
        {.title = "no GPU is visible in the container",
         .meaning = "vLLM finds no device or no driver: the pod does not ask for a GPU, the node's runtime does not "
                    "hand it in "
                    "(RuntimeClass), or the driver is not there.",
         .shows = "'No CUDA GPUs are available', 'Failed to infer device type', 'No platform detected', "
                  "'Found no NVIDIA driver'.",
         .fixes = {"Ask for the GPU in the container's limits (nvidia.com/gpu: 1).",
                   "Set runtimeClassName: nvidia where the cluster needs it, and look at the device plugin's pods.",
                   "Use the image that is built for the node's kind of accelerator."},
         .commands = {EXEC "nvidia-smi", DESCRIBE}},
    [CAUSE_CUDA_ERROR] =
        {.title = "the GPU or its driver failed",
         .meaning =
             "Driver and CUDA do not fit together, the build has no code for this GPU, or the device failed (Xid, ECC, "
             "NVLink fabric, illegal access).",
         .shows = "'CUDA error: ...', 'driver version is insufficient', 'no kernel image is available', Xid in the "
                  "node's log.",
         .fixes = {"For a mismatch: an image for the node's driver, or a newer driver on the node.",
                   "For a device's fault: cordon the node, look at dmesg for Xid, reset or replace the GPU.",
                   "For illegal accesses under load: a newer vLLM, or without the kernel or feature that the traceback "
                   "names."},
         .commands = {EXEC "nvidia-smi", PREVIOUS}},
    [CAUSE_NCCL_NETWORK] =
        {.title = "the ranks do not get to each other",
         .meaning =
             "NCCL, Gloo, Ray or NIXL cannot connect, or one of the processes is gone: wrong interface or address, a "
             "NetworkPolicy, RDMA that is not there, or a rank that died of something else.",
         .shows = "NCCL errors, 'collective operation timeout', handshakes that fail, ranks that wait for each other.",
         .fixes =
             {"Set NCCL_SOCKET_IFNAME and GLOO_SOCKET_IFNAME (VLLM_HOST_IP) to the interface that joins the ranks.",
              "See whether another rank died first, of another cause: its log says why.",
              "For NIXL: VLLM_NIXL_SIDE_CHANNEL_HOST must be the pod's own IP, and the peers must run.",
              "NCCL_DEBUG=INFO makes NCCL say what it tries."},
         .commands = {PREVIOUS, "{kubectl} get pods -o wide"}},
    [CAUSE_ENGINE_DEAD] =
        {.title = "the engine died; its API server lives on for moments",
         .meaning = "The process that computes has ended or cannot go on, and vLLM's API server answers /health with "
                    "an error until "
                    "it ends too. What killed the engine stands further up in the log, if anywhere.",
         .shows = "EngineDeadError, 'Background loop has errored already', 503 (older versions: 500) on /health.",
         .fixes = {"Look for the first error of a Worker or EngineCore process above: that is the cause.",
                   "Let the liveness probe ask /health, so that the kubelet restarts it."},
         .commands = {PREVIOUS, LOGS}},
    [CAUSE_WEIGHTS_CORRUPT] =
        {.title = "weight files are broken or not all there",
         .meaning =
             "A file was not downloaded to its end, is a pointer instead of the file (Git LFS), or shards are missing.",
         .shows = "'Error while deserializing header', 'Consistency check failed', 'not initialized from checkpoint'.",
         .fixes = {"Delete the model from the cache and download it again; compare sizes with the hub's.",
                   "Check that every shard named in model.safetensors.index.json is there and whole."},
         .commands = {PREVIOUS}},
    [CAUSE_CONFIG_ERROR] =
        {.title = "the configuration is wrong for this model, GPU or version",
         .meaning =
             "A flag, an environment variable, the model's architecture, dtype, quantisation or tokenizer is not "
             "what this version takes; or the manifest refers to something that is not there, or gives the "
             "process too little: rights, limits, a module of the image.",
         .shows = "'unrecognized arguments', 'are not supported', validation errors, 'Permission denied', "
                  "CreateContainerConfigError.",
         .fixes = {"Correct what the quoted line names.",
                   "Compare with the version's own documentation: flags come and go."},
         .commands = {PREVIOUS, DESCRIBE}},
    [CAUSE_PORT_IN_USE] =
        {.title = "the port is taken already",
         .meaning = "Another process of the pod, or of the node where hostNetwork is on, holds the port.",
         .shows = "'Address already in use', 'error while attempting to bind on address'.",
         .fixes = {"Give the server another --port, or end the other process.",
                   "Where the rendezvous port is meant: set VLLM_PORT or MASTER_PORT to a free range."},
         .commands = {EXEC "ss -ltnp", PREVIOUS}},
    [CAUSE_API_KEY] =
        {.title = "the probe gets 401: the server wants an API key",
         .meaning = "vLLM runs with --api-key or VLLM_API_KEY, which protects everything below /v1.",
         .shows = "401 for /v1/models in the access log or the kubelet's events, while /health answers.",
         .fixes = {"Probe /health, which needs no key.",
                   "Or give the probe an Authorization header (httpHeaders); the manifest then holds the key."},
         .commands = {DESCRIBE}},
    [CAUSE_CRASH_SEGFAULT] =
        {.title = "the process crashed in native code",
         .meaning = "A segmentation fault or an abort in CUDA, NCCL, a kernel or a library: no Python error says why.",
         .shows = "'Segfault encountered', exit code 139 or 134, a child that ended with -11 or -6.",
         .fixes = {"Look at the frames above the crash: the library they name is the one to change or go without.",
                   "Try --enforce-eager, another attention backend, or another version."},
         .commands = {PREVIOUS}},
    [CAUSE_MODEL_UNLOADED] =
        {.title = "the model asked for is not served",
         .meaning = "The server is up without it: it was unloaded or sleeps, an adapter was never loaded, or it is "
                    "served under "
                    "another name.",
         .shows = "404 'does not exist' for the model; it is not in /v1/models.",
         .fixes = {"Ask for the name that /v1/models lists, or set --served-model-name to the one that is asked for.",
                   "Load it again (adapter, wake up), and let the readiness probe look for it."},
         .commands = {EXEC "curl -s http://localhost:{vllm_port}/v1/models"}},
    [CAUSE_HEALTHY_SLOW] = {.title = "nothing wrong: still loading",
                            .meaning = "Loading makes progress within its budget.",
                            .shows = "Shards are counted, compilation or graph capture goes on; no error."},
    [CAUSE_HEALTHY] = {.title = "nothing wrong", .meaning = "Nothing shows a fault.", .shows = "Probes are answered."},
    [CAUSE_SERVER_HANGS] = {.title = "the server takes connections and answers none",
                            .meaning =
                                "The event loop of vLLM's API server stands still, or waits for an engine that does.",
                            .shows = "Connections are made, and every probe runs into its timeout; the log is silent.",
                            .fixes = {"Let the liveness probe ask /health, so that the kubelet restarts it.",
                                      "Before that, see where it stands: py-spy dump on its processes."},
                            .commands = {LOGS}},
    [CAUSE_PROBE_BLOCKED] =
        {.title = "the kubelet's probes do not get through, ours do",
         .meaning = "The server listens on 127.0.0.1 only, or a NetworkPolicy, mesh or firewall keeps the node out.",
         .shows = "The kubelet's probes fail while ours are answered by the same port.",
         .fixes = {"Let the server listen on 0.0.0.0 (--host).",
                   "Let the node's address through the NetworkPolicy or the mesh."},
         .commands = {DESCRIBE, "{kubectl} get networkpolicies"}},
    [CAUSE_SPEAKS_TLS] = {.title = "the port speaks TLS, the probe plain HTTP",
                          .meaning = "The server was started with a certificate (--ssl-certfile).",
                          .shows = "Connections are closed unanswered, or an HTTP error names TLS.",
                          .fixes = {"Set scheme: HTTPS in the probe's httpGet."},
                          .commands = {DESCRIBE}},
    [CAUSE_FLAPPING] =
        {.title = "it comes and goes",
         .meaning = "The pod falls out of Ready and comes back, again and again.",
         .shows = "Degraded several times within minutes.",
         .fixes = {"Compare the moments with load and latencies; raise timeoutSeconds and failureThreshold."},
         .commands = {EVENTS, LOGS}},
    [CAUSE_DIED_SILENTLY] =
        {.title = "it died without a message",
         .meaning = "The process ended, and nothing that is known says why: often memory, or a signal from outside.",
         .shows = "A log that breaks off; only the exit code and the memory tell more.",
         .fixes = {"Look at the previous log's last lines and at the exit code (137: killed, often memory; 139: "
                   "segmentation "
                   "fault)."},
         .commands = {PREVIOUS, DESCRIBE}},
    [CAUSE_PROBE_KILLED] =
        {.title = "a probe had the container killed",
         .meaning = "The kubelet restarted it after failed liveness probes; what was behind them is not known.",
         .shows = "Killing: 'failed liveness probe, will be restarted'.",
         .fixes = {"Compare the probe's timeoutSeconds and failureThreshold with how fast it answers."},
         .commands = {EVENTS, PREVIOUS}},
    [CAUSE_EVICTED] = {.title = "the pod was evicted",
                       .meaning = "The node was short of a resource, or was being emptied, and the pod had to go.",
                       .shows = "Evicted or Preempted in the pod's status or events.",
                       .fixes = {"Set requests that cover what it uses, and a priority class if it must stay."},
                       .commands = {DESCRIBE}},
    [CAUSE_MOUNT] =
        {.title = "a volume cannot be mounted",
         .meaning = "A claim that is not bound, a volume that is still attached elsewhere, or one that is not there.",
         .shows = "FailedMount or FailedAttachVolume; the container stays in ContainerCreating.",
         .fixes = {"See that the claim is bound, in the right zone and not in use by another node."},
         .commands = {DESCRIBE, "{kubectl} get pvc"}},
    [CAUSE_TUNNEL] = {.title = "no tunnel to the pod: nothing can be said of it",
                      .meaning = "Our way to the pod is broken, which is not the pod's fault.",
                      .shows = "The tunnel's own words.",
                      .commands = {DESCRIBE}},
    [CAUSE_OWN] = {.title = "one of your own signatures matched", .meaning = "", .shows = ""},
#define X(id, name) [id].label = name,
    CAUSE_TABLE(X)
#undef X
};

const struct cause_info *cause_info(enum cause cause)
{
    return &infos[(unsigned)cause < CAUSE_COUNT ? cause : CAUSE_NONE];
}

const char *cause_label(enum cause cause)
{
    return cause_info(cause)->label;
}

bool cause_from_label(const char *label, enum cause *cause)
{
    for (int i = CAUSE_NONE + 1; i < CAUSE_COUNT; i++) {
        if (strcmp(infos[i].label, label) == 0) {
            *cause = (enum cause)i;
            return true;
        }
    }
    return false;
}

bool cause_is_healthy(enum cause cause)
{
    return cause == CAUSE_HEALTHY || cause == CAUSE_HEALTHY_SLOW;
}

bool cause_is_of_start(enum cause cause)
{
    switch (cause) {
    case CAUSE_CONFIG_ERROR:
    case CAUSE_DOWNLOAD_AUTH:
    case CAUSE_DOWNLOAD_NOT_FOUND:
    case CAUSE_DOWNLOAD_NETWORK:
    case CAUSE_WEIGHTS_CORRUPT:
        return true;
    default:
        return false;
    }
}
