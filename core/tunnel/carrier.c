#include "tunnel/carrier.h"

#include "base/mem.h"

struct writing {
    uv_write_t request;
    char *rest;
};

static void on_written(uv_write_t *request, int status)
{
    (void)status;
    struct writing *writing = request->data;
    mem_free(writing->rest);
    mem_free(writing);
}

void carrier_write(uv_stream_t *stream, const char *bytes, size_t length)
{
    uv_buf_t piece = uv_buf_init((char *)bytes, (unsigned)length);
    int taken = uv_try_write(stream, &piece, 1);
    size_t written = taken > 0 ? (size_t)taken : 0;
    if (written == length)
        return;
    struct writing *writing = mem_new(sizeof *writing);
    writing->request.data = writing;
    writing->rest = mem_dup_n(bytes + written, length - written);
    piece = uv_buf_init(writing->rest, (unsigned)(length - written));
    if (uv_write(&writing->request, stream, &piece, 1, on_written) != 0)
        on_written(&writing->request, 0);
}

void carrier_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    (void)handle;
    (void)suggested;
    *out = uv_buf_init(mem_resize(NULL, CARRIER_READ_SIZE, 1), CARRIER_READ_SIZE);
}
