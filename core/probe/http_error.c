/* How a transfer ended: libcurl's codes, and how far it had come, reduced to what matters for a probe. Pure. */
#include "probe/http.h"

#include <errno.h>
#include <string.h>

#include <curl/curl.h>

const char *http_error_sentence(enum http_error error)
{
    static const char *const sentences[] = {
#define X(id, sentence) [id] = sentence,
        HTTP_ERROR_TABLE(X)
#undef X
    };
    return (unsigned)error < HTTP_ERROR_COUNT ? sentences[error] : "other";
}

static enum http_error error_of_connect(int os_errno)
{
    switch (os_errno) {
    case ECONNREFUSED:
    case ENOENT: /* a unix socket that is not there yet: nothing listens */
        return HTTP_REFUSED;
    case EHOSTUNREACH:
    case ENETUNREACH:
    case EHOSTDOWN:
    case ENETDOWN:
        return HTTP_UNREACHABLE;
    case ETIMEDOUT:
        return HTTP_TIMEOUT_CONNECT;
    case ECONNRESET:
        return HTTP_RESET;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
    case EADDRNOTAVAIL: /* no local port left */
    case EADDRINUSE:
    case EACCES: /* a local firewall, or a socket file that is not for us */
    case EPERM:
        return HTTP_NO_RESOURCES;
    default:
        return HTTP_CONNECT_FAILED;
    }
}

static enum http_error error_of_timeout(const struct http_reached *reached)
{
    if (!reached->connected)
        return reached->unresolved ? HTTP_RESOLVE : HTTP_TIMEOUT_CONNECT;
    if (reached->https && !reached->tls_done)
        return HTTP_TIMEOUT_TLS;
    return reached->headers_done ? HTTP_TIMEOUT_BODY : HTTP_TIMEOUT_HEADERS;
}

/* A TLS library that was answered in plain text takes the first bytes for a record and complains of its version or length. */
static bool words_mean_plain_server(const char *words)
{
    static const char *const signs[] = {"wrong version number", "packet length too long", "unknown protocol",
                                        "record layer failure", "unexpected TLS packet",  "invalid version"};
    for (size_t i = 0; i < sizeof signs / sizeof signs[0]; i++)
        if (strstr(words, signs[i]))
            return true;
    return false;
}

static bool is_tls_code(int code)
{
    switch (code) {
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_ENGINE_NOTFOUND:
    case CURLE_SSL_ENGINE_SETFAILED:
    case CURLE_SSL_ENGINE_INITFAILED:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_USE_SSL_FAILED:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_SHUTDOWN_FAILED:
    case CURLE_SSL_CRL_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_SSL_CLIENTCERT:
        return true;
    default:
        return false;
    }
}

/* What a code means before anything finer is known. FTP's, mail's and the like cannot come and are HTTP_OTHER. */
static enum http_error error_of_code(int code)
{
    switch (code) {
    case CURLE_OK:
        return HTTP_OK;
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_RESOLVE_HOST:
        return HTTP_RESOLVE;
    case CURLE_COULDNT_CONNECT:
        return HTTP_CONNECT_FAILED;
    case CURLE_OPERATION_TIMEDOUT:
        return HTTP_TIMEOUT_HEADERS;
    case CURLE_GOT_NOTHING:
        return HTTP_EMPTY_REPLY;
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
        return HTTP_RESET;
    case CURLE_PARTIAL_FILE:
        return HTTP_BODY_SHORT;
    case CURLE_UNSUPPORTED_PROTOCOL: /* also: an answer without a status line */
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_BAD_CONTENT_ENCODING:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
    case CURLE_HTTP3:
    case CURLE_QUIC_CONNECT_ERROR:
        return HTTP_NOT_HTTP;
    case 100: /* CURLE_TOO_LARGE, newer than the libcurl we build with at the least */
        return HTTP_HEADERS_TOO_BIG;
    case CURLE_TOO_MANY_REDIRECTS:
        return HTTP_TOO_MANY_REDIRECTS;
    case CURLE_OUT_OF_MEMORY:
    case CURLE_FAILED_INIT:
    case CURLE_INTERFACE_FAILED:
    case CURLE_NO_CONNECTION_AVAILABLE:
    case CURLE_UNRECOVERABLE_POLL:
        return HTTP_NO_RESOURCES;
    case CURLE_URL_MALFORMAT:
    case CURLE_NOT_BUILT_IN:
    case CURLE_BAD_FUNCTION_ARGUMENT:
    case CURLE_UNKNOWN_OPTION:
    case CURLE_SETOPT_OPTION_SYNTAX:
        return HTTP_BAD_REQUEST;
    case CURLE_ABORTED_BY_CALLBACK:
        return HTTP_CANCELLED;
    default:
        return is_tls_code(code) ? HTTP_TLS : HTTP_OTHER;
    }
}

enum http_error http_error_of_curl(int curl_code, const struct http_reached *reached)
{
    enum http_error error = error_of_code(curl_code);
    switch (error) {
    case HTTP_CONNECT_FAILED:
        return error_of_connect(reached->os_errno);
    case HTTP_TIMEOUT_HEADERS:
        return error_of_timeout(reached);
    case HTTP_TLS:
        return words_mean_plain_server(reached->words) ? HTTP_TLS_PLAIN_SERVER : HTTP_TLS;
    case HTTP_EMPTY_REPLY:
    case HTTP_RESET:
        /* In TLS 1.3 a server refuses a client that believes the handshake to be over. */
        if (reached->https && !reached->headers_done && strstr(reached->words, " alert "))
            return HTTP_TLS;
        /* Whatever breaks after the headers is a body that broke off: the kubelet throws that away, facts/kube.md 1.2.10. */
        return reached->headers_done ? HTTP_BODY_SHORT : error;
    case HTTP_NOT_HTTP:
        if (!reached->connected)
            return HTTP_BAD_REQUEST; /* never sent: our libcurl lacks something */
        return reached->headers_done ? HTTP_BODY_SHORT : error;
    case HTTP_NO_RESOURCES:
        /* libcurl 7.88 reports one endless header line as "out of memory". */
        return curl_code == CURLE_OUT_OF_MEMORY && reached->connected && !reached->headers_done ? HTTP_HEADERS_TOO_BIG
                                                                                                : error;
    default:
        return error;
    }
}
