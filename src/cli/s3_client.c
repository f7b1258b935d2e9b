/* Requests to an S3 door. Each thread that sends takes one of the connections, and puts it back.
 *
 * The door is --s3-endpoint or TARN_S3_ENDPOINT; else that of the data directory's running server; else the private
 * server's socket, which tells S3 requests by their signature. The keys are those of the environment, or the data
 * directory's own, which go to this machine alone. */
#include <stdlib.h>

#include "connect.h"
#include "s3.h"
#include "tarn/base/clock.h"
#include "tarn/base/fs.h"
#include "tarn/base/limits.h"

struct s3_client {
    cli *c;
    str address; /* for http_client_create */
    str url;     /* as others reach it */
    str host;    /* as it is signed */
    signing_key key;
    bool key_of_environment;
    mutex lock;
    http_client *free_ones[2 * S3_STREAMS];
    size_t free_count;
};

static str variable(const char *name)
{
    const char *value = getenv(name);

    return value != NULL && value[0] != '\0' ? str_c(value) : STR_NULL;
}

/* ---- the door ---- */

static bool is_loopback(str address)
{
    return str_starts_with(address, STR("unix:")) || str_starts_with(address, STR("http://127.")) ||
           str_starts_with(address, STR("http://localhost:")) ||
           str_starts_with(address, STR("http://[::1]"));
}

/* "0.0.0.0:9000" is reached at home. */
static str url_of(arena *a, str listen)
{
    if (str_starts_with(listen, STR("0.0.0.0:"))) {
        return str_printf(a, "http://127.0.0.1%.*s", STR_ARG(str_slice(listen, 7, listen.size)));
    }
    if (str_starts_with(listen, STR("[::]:"))) {
        return str_printf(a, "http://[::1]%.*s", STR_ARG(str_slice(listen, 4, listen.size)));
    }
    return str_printf(a, "http://%.*s", STR_ARG(listen));
}

static status running_door(cli *c, str *ret_address, error *err)
{
    str text = STR_NULL;
    const json *document = NULL;

    TRY(fs_read_file(context_data_path(c, "run/server.json"), 64 * LIMIT_KIB, c->lifetime, &text,
                     err));
    TRY(json_parse(text, c->lifetime, &document, err));
    str listen = json_str_or(json_get(document, "s3"), STR(""));
    if (listen.size == 0 || str_equal(listen, STR("none"))) {
        (void)error_set(err, STATUS_UNAVAILABLE, "the running server has no S3 door");
        error_hint(err, "Start it with --s3.listen 127.0.0.1:9000.");
        return STATUS_UNAVAILABLE;
    }
    *ret_address = url_of(c->lifetime, listen);
    return STATUS_OK;
}

static status find_door(s3_client *s, error *err)
{
    cli *c = s->c;
    str named = invocation_get(&c->in, "s3-endpoint");

    named = str_is_null(named) ? variable("TARN_S3_ENDPOINT") : named;
    if (!str_is_null(named)) {
        while (str_ends_with(named, STR("/"))) {
            named.size--;
        }
        s->address = str_find(named, STR("://")) != STR_NPOS
                         ? named
                         : str_printf(c->lifetime, "http://%.*s", STR_ARG(named));
        s->url = s->address;
        return STATUS_OK;
    }
    if (!str_is_null(invocation_get(&c->in, "server")) || !str_is_null(variable("TARN_SERVER"))) {
        (void)error_set(err, STATUS_USAGE, "the server that was named does not tell its S3 door");
        error_hint(err, "Name the door by --s3-endpoint or TARN_S3_ENDPOINT.");
        return STATUS_USAGE;
    }
    TRY(connection_open(c, err));
    if (c->server->private) {
        s->address = c->server->address;
        s->url = url_of(c->lifetime, setting_text(c->settings, SETTING_S3_LISTEN));
        return STATUS_OK;
    }
    TRY(running_door(c, &s->address, err));
    s->url = s->address;
    return STATUS_OK;
}

/* ---- the keys ---- */

static status find_keys(s3_client *s, error *err)
{
    cli *c = s->c;
    str region = variable("AWS_REGION");
    str text = STR_NULL;

    region = str_is_null(region) ? variable("AWS_DEFAULT_REGION") : region;
    s->key.region = str_is_null(region) ? STR("us-east-1") : region;
    s->key.service = STR("s3");
    s->key.access_key = variable("AWS_ACCESS_KEY_ID");
    s->key.secret = variable("AWS_SECRET_ACCESS_KEY");
    s->key.session_token = variable("AWS_SESSION_TOKEN");
    s->key_of_environment = !str_is_null(s->key.access_key) && !str_is_null(s->key.secret);
    if (s->key_of_environment) {
        return STATUS_OK;
    }
    s->key.session_token = STR_NULL;
    if (is_loopback(s->address) && context_settings(c, NULL) == STATUS_OK &&
        fs_read_file(context_data_path(c, "secrets/root.s3"), LIMIT_KIB, c->lifetime, &text,
                     NULL) == STATUS_OK) {
        str rest = STR_NULL;
        s->key.access_key = str_trim(str_cut(text, '\n', &rest));
        s->key.secret = str_trim(str_cut(rest, '\n', &rest));
        if (s->key.access_key.size > 0 && s->key.secret.size > 0) {
            return STATUS_OK;
        }
    }
    (void)error_set(err, STATUS_UNAUTHORIZED, "there is no S3 key to sign with");
    error_hint(err, "Put one into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.");
    return STATUS_UNAUTHORIZED;
}

static void release(void *object)
{
    s3_client *s = object;

    while (s->free_count > 0) {
        http_client_free(s->free_ones[--s->free_count]);
    }
    mutex_release(&s->lock);
}

status s3cli_connect(cli *c, s3_client **ret_client, error *err)
{
    s3_client *s = ARENA_NEW(c->lifetime, s3_client);

    s->c = c;
    TRY(find_door(s, err));
    TRY(find_keys(s, err));
    size_t scheme = str_find(s->address, STR("://"));
    s->host =
        scheme == STR_NPOS ? STR("localhost") : str_slice(s->address, scheme + 3, s->address.size);
    mutex_init(&s->lock);
    arena_defer(c->lifetime, release, s);
    message_detail(c, "S3 door %.*s, key %.*s", STR_ARG(s->address), STR_ARG(s->key.access_key));
    *ret_client = s;
    return STATUS_OK;
}

str s3cli_base_url(const s3_client *s)
{
    return s->url;
}

const signing_key *s3cli_key(const s3_client *s)
{
    return &s->key;
}

cli *s3cli_cli(const s3_client *s)
{
    return s->c;
}

/* ---- errors ---- */

static status kind_of(int status_code)
{
    static const struct {
        int code;
        status kind;
    } kinds[] = {
        {401, STATUS_DENIED},      {403, STATUS_DENIED},   {404, STATUS_NOT_FOUND},
        {409, STATUS_CONFLICT},    {411, STATUS_INVALID},  {412, STATUS_PRECONDITION},
        {416, STATUS_RANGE},       {500, STATUS_INTERNAL}, {501, STATUS_UNSUPPORTED},
        {503, STATUS_UNAVAILABLE}, {507, STATUS_NO_SPACE},
    };

    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        if (kinds[i].code == status_code) {
            return kinds[i].kind;
        }
    }
    return status_code >= 500 ? STATUS_UNAVAILABLE : STATUS_INVALID;
}

static status refused(const s3_client *s, const char *target, const http_answer *answer, arena *a,
                      error *err)
{
    const xml_element *root = NULL;
    status kind = kind_of(answer->status_code);

    if (answer->body.size > 0 && xml_parse(answer->body, a, &root, NULL) != STATUS_OK) {
        root = NULL;
    }
    str code = xml_child_text(root, "Code");
    str text = xml_child_text(root, "Message");
    if (str_is_null(code) && answer->status_code == 404) { /* of HEAD, which has no body */
        (void)error_set(err, kind, "\"s3:/%s\" does not exist", target);
    } else if (str_is_null(code)) {
        (void)error_set(err, kind, "\"s3:/%s\": HTTP status %d", target, answer->status_code);
    } else {
        (void)error_set(err, kind, "%.*s (%.*s)", STR_ARG(text), STR_ARG(code));
        error_detail(err, "%s", target);
    }
    if (str_equal(code, STR("InvalidAccessKeyId")) && s->key_of_environment) {
        error_hint(err, "The key is that of AWS_ACCESS_KEY_ID in the environment.");
    }
    return kind;
}

/* ---- requests ---- */

static http_client *take(s3_client *s)
{
    http_client *client = NULL;

    mutex_lock(&s->lock);
    if (s->free_count > 0) {
        client = s->free_ones[--s->free_count];
    }
    mutex_unlock(&s->lock);
    return client != NULL ? client : http_client_create(s->address);
}

static void put_back(s3_client *s, http_client *client)
{
    mutex_lock(&s->lock);
    if (s->free_count < COUNT_OF(s->free_ones)) {
        s->free_ones[s->free_count++] = client;
        client = NULL;
    }
    mutex_unlock(&s->lock);
    http_client_free(client);
}

status s3cli_send(s3_client *s, const s3_request *request, arena *a, http_answer *ret_answer,
                  error *err)
{
    size_t count = 0;
    http_header *headers = ARENA_ARRAY(a, http_header, request->header_count + 4);

    TRY(signature_make(&s->key, http_method_name(request->method), s->host, str_c(request->target),
                       request->headers, request->header_count, STR("UNSIGNED-PAYLOAD"),
                       clock_now_us(), a, headers, &count, err));
    for (size_t i = 0; i < request->header_count; i++) {
        headers[count++] = request->headers[i];
    }
    const http_call call = {
        .method = request->method,
        .target = request->target,
        .headers = headers,
        .header_count = count,
        .body = request->body,
        .write = request->write,
        .write_context = request->write_context,
        .cancelled = &interrupt_signal,
    };
    http_client *client = take(s);
    status result = http_client_send(client, &call, a, ret_answer, err);
    if (result != STATUS_OK) {
        http_client_free(client);
        return result;
    }
    put_back(s, client);
    return ret_answer->status_code >= 300 ? refused(s, request->target, ret_answer, a, err)
                                          : STATUS_OK;
}

status s3cli_send_xml(s3_client *s, const s3_request *request, arena *a,
                      const xml_element **ret_root, error *err)
{
    http_answer answer;

    TRY(s3cli_send(s, request, a, &answer, err));
    TRY(xml_parse(answer.body, a, ret_root, err));
    if (str_equal((*ret_root)->name, STR("Error"))) { /* some operations fail after their 200 */
        return refused(s, request->target, &answer, a, err);
    }
    return STATUS_OK;
}
