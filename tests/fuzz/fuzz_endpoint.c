/* endpoints_add_argument() over anything a command line can hold: what is taken has a name and a URL that can be parsed once more, what is refused is told with a sentence. */
#include "base/mem.h"
#include "engine/endpoints.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void endpoint_check(const struct endpoint *endpoint)
{
    struct endpoint_url url;
    struct problem problem = {""};
    if (endpoint->name == NULL || endpoint->name[0] == '\0' ||
        endpoint_url_parse(endpoint->url, "url", &url, &problem) != STATUS_OK)
        abort();
    if (url.port < 1 || url.port > 65535 || url.host[0] == '\0' || strlen(url.host) > ENDPOINT_HOST_MAX)
        abort();
    for (const char *c = url.host; *c != '\0'; c++)
        if ((unsigned char)*c <= ' ' || *c == 0x7f || strchr("/@\\?#", *c) != NULL)
            abort();
}

/* Each line is an argument of one command line. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct endpoints endpoints = {0};
    const char *line = (const char *)data, *end = line + size;
    while (line < end) {
        const char *newline = memchr(line, '\n', (size_t)(end - line));
        size_t length = newline != NULL ? (size_t)(newline - line) : (size_t)(end - line);
        struct problem problem = {""};
        char *argument = mem_dup_n(line, length);
        size_t before = endpoints.count;
        enum status status = endpoints_add_argument(&endpoints, argument, &problem);
        if ((status == STATUS_OK) != (problem.text[0] == '\0') || endpoints.count != before + (status == STATUS_OK))
            abort();
        mem_free(argument);
        line += length + (newline != NULL ? 1 : 0);
    }
    for (size_t i = 0; i < endpoints.count; i++)
        endpoint_check(&endpoints.list[i]);
    endpoints_free(&endpoints);
    return 0;
}
