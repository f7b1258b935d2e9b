/* HTTP requests by libcurl: one easy handle driven through a multi handle, so that a call can be cancelled
 * while nothing arrives. The only file that knows curl. */
#include "tarn/net/http_client.h"

#include <curl/curl.h>
#include <stdatomic.h>
#include <stdio.h>

#include "tarn/base/clock.h"
#include "tarn/base/limits.h"
#include "tarn/base/mem.h"
#include "tarn/base/thread.h"
#include "tarn/base/vec.h"

enum {
    CONNECT_TIMEOUT_MS = 10000,
    POLL_MS = 100, /* how often a call looks whether it was cancelled */
    CONNECTION_AGE_S =
        60, /* below the server's idle timeout: a kept connection is not closed under a request */
};

struct http_client {
    CURL *easy;
    CURLM *multi;
    char *url;       /* "http://host:port", without a slash at its end */
    char *unix_path; /* NULL for TCP */
    char *bearer;    /* whole header line, NULL without */
    char *name;      /* what messages call the server */
};

/* One call while it runs. */
typedef struct call_state {
    http_client *client;
    const http_call *call;
    arena *memory;
    buf body;
    VEC(http_header) headers;
    size_t body_sent;
    bool is_streaming; /* a 2xx answer goes to call->write */
    bool body_began;
    status failure; /* of a callback, or a cancellation */
    error *err;
} call_state;

static char *heap_copy(str text)
{
    char *copy = mem_alloc(text.size + 1);

    if (text.size > 0) {
        memcpy(copy, text.data, text.size);
    }
    return copy;
}

static void curl_start(void)
{
    ASSERT(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
}

http_client *http_client_create(str base)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    http_client *client = NEW(http_client);

    (void)pthread_once(&once, curl_start);
    client->easy = curl_easy_init();
    client->multi = curl_multi_init();
    ASSERT(client->easy != NULL && client->multi != NULL);
    client->name = heap_copy(base);
    if (str_starts_with(base, STR("unix:"))) {
        client->unix_path = heap_copy(str_slice(base, 5, base.size));
        client->url = heap_copy(STR("http://localhost"));
    } else {
        while (str_ends_with(base, STR("/"))) {
            base.size--;
        }
        client->url = heap_copy(base);
    }
    return client;
}

void http_client_set_bearer(http_client *client, str key)
{
    static const char prefix[] = "Authorization: Bearer ";

    if (client->bearer != NULL) {
        mem_wipe(client->bearer, strlen(client->bearer));
        mem_free(client->bearer);
        client->bearer = NULL;
    }
    if (!str_is_null(key)) {
        client->bearer = mem_alloc(sizeof prefix + key.size);
        memcpy(client->bearer, prefix, sizeof prefix - 1);
        if (key.size > 0) {
            memcpy(client->bearer + sizeof prefix - 1, key.data, key.size);
        }
    }
}

void http_client_free(http_client *client)
{
    if (client == NULL) {
        return;
    }
    http_client_set_bearer(client, STR_NULL);
    curl_easy_cleanup(client->easy);
    (void)curl_multi_cleanup(client->multi);
    mem_free(client->url);
    mem_free(client->unix_path);
    mem_free(client->name);
    mem_free(client);
}

/* ---- curl asks and tells ---- */

static size_t on_header(char *bytes, size_t size, size_t count, void *context)
{
    call_state *s = context;
    str line = str_trim(str_from(bytes, size * count));
    str value = STR_NULL;

    if (!s->body_began && str_starts_with(line, STR("HTTP/"))) {
        s->headers.count = 0; /* what came before was an interim answer */
        return size * count;
    }
    str name = str_cut(line, ':', &value);
    if (!str_is_null(value)) {
        http_header header = {.name = str_copy(s->memory, name),
                              .value = str_copy(s->memory, str_trim(value))};
        vec_push(s->memory, &s->headers, header);
    }
    return size * count;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *context)
{
    call_state *s = context;
    size_t total = size * count;
    long code = 0;

    if (!s->body_began) {
        (void)curl_easy_getinfo(s->client->easy, CURLINFO_RESPONSE_CODE, &code);
        s->body_began = true;
        s->is_streaming = s->call->write != NULL && code >= 200 && code < 300;
    }
    if (s->is_streaming) {
        s->failure = s->call->write(s->call->write_context, bytes, total, s->err);
    } else {
        buf_add(&s->body, bytes, total);
        s->failure = buf_check(&s->body, "the server's answer", s->err);
    }
    return s->failure == STATUS_OK ? total : 0;
}

static size_t on_read(char *ret_bytes, size_t size, size_t count, void *context)
{
    call_state *s = context;
    size_t room = size * count;
    size_t got = 0;

    if (s->call->read != NULL) {
        s->failure = s->call->read(s->call->read_context, ret_bytes, room, &got, s->err);
        return s->failure == STATUS_OK ? got : CURL_READFUNC_ABORT;
    }
    got = s->call->body.size - s->body_sent;
    got = got < room ? got : room;
    if (got > 0) {
        memcpy(ret_bytes, s->call->body.data + s->body_sent, got);
    }
    s->body_sent += got;
    return got;
}

/* A kept connection may turn out closed: curl then starts again from the beginning, where that is possible. */
static int on_seek(void *context, curl_off_t offset, int origin)
{
    call_state *s = context;

    if (s->call->read != NULL || origin != SEEK_SET || offset < 0 ||
        (size_t)offset > s->call->body.size) {
        return CURL_SEEKFUNC_CANTSEEK;
    }
    s->body_sent = (size_t)offset;
    return CURL_SEEKFUNC_OK;
}

static bool is_cancelled(const call_state *s)
{
    return s->call->cancelled != NULL && atomic_load(s->call->cancelled) != 0;
}

static int on_progress(void *context, curl_off_t down_total, curl_off_t down, curl_off_t up_total,
                       curl_off_t up)
{
    (void)down_total;
    (void)down;
    (void)up_total;
    (void)up;
    return is_cancelled(context) ? 1 : 0;
}

/* ---- setting up ---- */

static bool has_header(const http_call *call, const char *name)
{
    for (size_t i = 0; i < call->header_count; i++) {
        if (str_equal_nocase(call->headers[i].name, str_c(name))) {
            return true;
        }
    }
    return false;
}

static struct curl_slist *header_list(const http_client *client, const http_call *call, arena *a)
{
    struct curl_slist *list = NULL;

    for (size_t i = 0; i < call->header_count; i++) {
        const http_header *h = &call->headers[i];
        /* curl takes "Name;" for a header without a value. */
        list = curl_slist_append(
            list, h->value.size > 0
                      ? arena_printf(a, "%.*s: %.*s", STR_ARG(h->name), STR_ARG(h->value))
                      : arena_printf(a, "%.*s;", STR_ARG(h->name)));
    }
    if (client->bearer != NULL && !has_header(call, "authorization")) {
        list = curl_slist_append(list, client->bearer);
    }
    if (!has_header(call, "content-type")) {
        list = curl_slist_append(list, "Content-Type:"); /* not curl's guess */
    }
    return list;
}

static void set_body(CURL *easy, const http_call *call)
{
    bool has_body = call->read != NULL || call->body.size > 0 || call->method == HTTP_POST ||
                    call->method == HTTP_PUT || call->method == HTTP_PATCH;
    int64_t size = call->read != NULL ? call->read_size_bytes : (int64_t)call->body.size;

    if (call->method == HTTP_HEAD) {
        (void)curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
        return;
    }
    if (has_body) {
        (void)curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
        (void)curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)size);
    }
    (void)curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, http_method_name(call->method));
}

static void set_options(call_state *s, struct curl_slist *headers, char *reason)
{
    http_client *client = s->client;
    CURL *easy = client->easy;
    const http_call *call = s->call;

    curl_easy_reset(easy);
    (void)curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, reason);
    (void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
    (void)curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    (void)curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, (long)CONNECTION_AGE_S);
    (void)curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_TIMEOUT_MS);
    (void)curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)call->timeout_ms);
    (void)curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 256L * 1024);
    (void)curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, 256L * 1024);
    (void)curl_easy_setopt(easy, CURLOPT_USERAGENT, "tarn");
    (void)curl_easy_setopt(easy, CURLOPT_URL,
                           arena_printf(s->memory, "%s%s", client->url, call->target));
    if (client->unix_path != NULL) {
        (void)curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, client->unix_path);
    }
    (void)curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    (void)curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    (void)curl_easy_setopt(easy, CURLOPT_HEADERDATA, s);
    (void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    (void)curl_easy_setopt(easy, CURLOPT_WRITEDATA, s);
    (void)curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_read);
    (void)curl_easy_setopt(easy, CURLOPT_READDATA, s);
    (void)curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, on_seek);
    (void)curl_easy_setopt(easy, CURLOPT_SEEKDATA, s);
    (void)curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, on_progress);
    (void)curl_easy_setopt(easy, CURLOPT_XFERINFODATA, s);
    (void)curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
    set_body(easy, call);
}

/* ---- running ---- */

static CURLcode perform(call_state *s)
{
    http_client *client = s->client;
    CURLcode result = CURLE_OK;
    int running = 1;

    CURLMcode code = curl_multi_add_handle(client->multi, client->easy);
    while (code == CURLM_OK && running > 0 && !is_cancelled(s)) {
        code = curl_multi_perform(client->multi, &running);
        if (code == CURLM_OK && running > 0) {
            code = curl_multi_poll(client->multi, NULL, 0, POLL_MS, NULL);
        }
    }
    if (code != CURLM_OK) {
        result = CURLE_FAILED_INIT;
    } else if (running > 0) {
        result = CURLE_ABORTED_BY_CALLBACK;
    }
    int left = 0;
    for (CURLMsg *message; (message = curl_multi_info_read(client->multi, &left)) != NULL;) {
        if (message->msg == CURLMSG_DONE) {
            result = message->data.result;
        }
    }
    (void)curl_multi_remove_handle(client->multi, client->easy);
    return result;
}

/*  curl's code                kind         what happened */
#define CURL_FAILURE_TABLE(X)                                                         \
    X(CURLE_COULDNT_CONNECT, UNAVAILABLE, "nobody answers at")                        \
    X(CURLE_COULDNT_RESOLVE_HOST, UNAVAILABLE, "cannot find the address of")          \
    X(CURLE_OPERATION_TIMEDOUT, TIMEOUT, "no answer in time from")                    \
    X(CURLE_PARTIAL_FILE, UNAVAILABLE, "the answer broke off from")                   \
    X(CURLE_GOT_NOTHING, UNAVAILABLE, "the connection was closed by")                 \
    X(CURLE_RECV_ERROR, UNAVAILABLE, "the answer broke off from")                     \
    X(CURLE_SEND_ERROR, UNAVAILABLE, "the request could not be sent to")              \
    X(CURLE_SEND_FAIL_REWIND, UNAVAILABLE, "the request could not be sent to")        \
    X(CURLE_WEIRD_SERVER_REPLY, UNAVAILABLE, "no HTTP answer came from")              \
    X(CURLE_UNSUPPORTED_PROTOCOL, INVALID, "only http and https are spoken, not to")  \
    X(CURLE_URL_MALFORMAT, INVALID, "the address is malformed:")                      \
    X(CURLE_PEER_FAILED_VERIFICATION, UNAVAILABLE, "the certificate is not valid of") \
    X(CURLE_SSL_CONNECT_ERROR, UNAVAILABLE, "TLS could not be agreed with")

static const struct {
    CURLcode code;
    status kind;
    const char *what;
} failures[] = {
#define X(code, kind, what) {code, STATUS_##kind, what},
    CURL_FAILURE_TABLE(X)
#undef X
};

static status failed(const call_state *s, CURLcode code, const char *reason)
{
    if (s->failure != STATUS_OK) {
        return s->failure; /* the callback has told why */
    }
    if (code == CURLE_ABORTED_BY_CALLBACK) {
        return error_set(s->err, STATUS_CANCELLED, "the request to \"%s\" was cancelled",
                         s->client->name);
    }
    const char *detail = reason[0] != '\0' ? reason : curl_easy_strerror(code);
    for (size_t i = 0; i < COUNT_OF(failures); i++) {
        if (failures[i].code == code) {
            status kind =
                error_set(s->err, failures[i].kind, "%s \"%s\"", failures[i].what, s->client->name);
            error_detail(s->err, "%s", detail);
            return kind;
        }
    }
    return error_set(s->err, STATUS_UNAVAILABLE, "the request to \"%s\" failed: %s",
                     s->client->name, detail);
}

static bool is_clean_target(const char *target)
{
    for (const char *at = target; *at != '\0'; at++) {
        if ((unsigned char)*at <= 0x20 || *at == 0x7f || *at == '#') {
            return false;
        }
    }
    return target[0] == '/';
}

static status run_call(call_state *s, http_answer *ret_answer)
{
    char reason[CURL_ERROR_SIZE] = "";
    long code = 0;
    struct curl_slist *headers = header_list(s->client, s->call, s->memory);

    set_options(s, headers, reason);
    CURLcode result = perform(s);
    (void)curl_easy_getinfo(s->client->easy, CURLINFO_RESPONSE_CODE, &code);
    (void)curl_easy_setopt(s->client->easy, CURLOPT_HTTPHEADER, NULL);
    (void)curl_easy_setopt(s->client->easy, CURLOPT_ERRORBUFFER, NULL);
    curl_slist_free_all(headers);
    if (result != CURLE_OK) {
        return failed(s, result, reason);
    }
    *ret_answer = (http_answer){
        .status_code = (int)code,
        .body = str_copy(s->memory, buf_str(&s->body)),
        .headers = s->headers.items,
        .header_count = s->headers.count,
    };
    return STATUS_OK;
}

status http_client_send(http_client *client, const http_call *call, arena *a,
                        http_answer *ret_answer, error *err)
{
    call_state s = {.client = client, .call = call, .memory = a, .failure = STATUS_OK, .err = err};

    if (!is_clean_target(call->target) || call->method == HTTP_OTHER) {
        return error_set(err, STATUS_INVALID, "request target \"%s\" is malformed", call->target);
    }
    if (is_cancelled(&s)) {
        return error_set(err, STATUS_CANCELLED, "the request to \"%s\" was cancelled",
                         client->name);
    }
    buf_init(&s.body, call->body_max_bytes > 0 ? call->body_max_bytes : LIMIT_RESULT_IN_MEMORY);
    status kind = run_call(&s, ret_answer);
    buf_release(&s.body);
    return kind;
}

str http_answer_header(const http_answer *answer, const char *name)
{
    for (size_t i = 0; i < answer->header_count; i++) {
        if (str_equal_nocase(answer->headers[i].name, str_c(name))) {
            return answer->headers[i].value;
        }
    }
    return STR_NULL;
}
