/* Which server a command talks to.
 *
 * Finding one in a data directory, until it answers or the patience ends:
 *   1. a running server: run/server.json names a living process whose door answers and knows the
 *      instance that stands there. A key is sent to no other: the number of a server that was
 *      killed may be another process's by now, and so may its port;
 *   2. a private one of another command with the same settings: its socket answers. One with other
 *      settings ends with its last client, and is waited for;
 *   3. a private one of our own. The data lock decides between two that start at once: the loser's
 *      server says BUSY and ends, and the loser begins again at 1. So does a command that comes while
 *      a server ends: its door is gone and its lock still held. */
#include "connect.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "tarn/base/clock.h"
#include "tarn/base/fs.h"
#include "tarn/base/limits.h"
#include "tarn/base/rng.h"
#include "tarn/codec/checksum.h"
#include "tarn/net/uri.h"

#define PATIENCE_MS 15000 /* for somebody else's server to end, or to answer */
#define RETRY_MS 40
#define PROBE_TIMEOUT_MS 5000
#define IDLE_MS 20000 /* a server that was not heard of for so long is asked first */

/* ---- keys ---- */

/* Names that cannot be another machine's: 127.0.0.1.evil.example can. */
static bool is_near(str address)
{
    static const str names[] = {STR_INIT("localhost"), STR_INIT("::1")};
    uri u;

    if (str_starts_with(address, STR("unix:"))) {
        return true;
    }
    if (uri_parse(address, &u, NULL) != STATUS_OK) {
        return false;
    }
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (str_equal_nocase(u.host, names[i])) {
            return true;
        }
    }
    for (size_t i = 0; i < u.host.size; i++) {
        if (u.host.data[i] != '.' && (u.host.data[i] < '0' || u.host.data[i] > '9')) {
            return false;
        }
    }
    return str_starts_with(u.host, STR("127."));
}

static status read_key(cli *c, const char *path, str *ret_key, error *err)
{
    str text;

    TRY(fs_read_file(path, LIMIT_KIB, c->lifetime, &text, err));
    *ret_key = str_trim(text);
    if (str_is_empty(*ret_key)) {
        return error_set(err, STATUS_UNAUTHORIZED, "key file \"%s\" is empty", path);
    }
    return STATUS_OK;
}

/* --key-file, TARN_KEY, TARN_KEY_FILE, then the data directory's own key, which is never sent to
 * another machine. STR_NULL where there is none. */
static status find_key(cli *c, str address, str *ret_key, error *err)
{
    str named = invocation_get(&c->in, "key-file");
    const char *file = str_is_null(named) ? NULL : str_to_c(c->lifetime, named);
    const char *key = getenv("TARN_KEY");

    *ret_key = STR_NULL;
    if (file == NULL && key != NULL && key[0] != '\0') {
        *ret_key = str_trim(str_c(key));
        return STATUS_OK;
    }
    if (file == NULL) {
        file = getenv("TARN_KEY_FILE");
    }
    if (file != NULL && file[0] != '\0') {
        return read_key(c, file, ret_key, err);
    }
    if (is_near(address) && context_settings(c, NULL) == STATUS_OK) {
        (void)read_key(c, context_data_path(c, "secrets/root.key"), ret_key, NULL);
    }
    return STATUS_OK;
}

/* ---- a server that answers ---- */

/* What the answer has to say of itself; a NULL value: nothing. */
typedef struct sign {
    const char *header;
    str value;
    status otherwise;
} sign;

static status probe(cli *c, http_client *client, const char *target, sign wanted, error *err)
{
    arena *scratch = arena_child(c->lifetime);
    http_answer answer;
    const http_call call = {.method = HTTP_GET, .target = target, .timeout_ms = PROBE_TIMEOUT_MS};
    status result = http_client_send(client, &call, scratch, &answer, err);

    if (result == STATUS_OK && answer.status_code != 200) {
        result = error_set(err, STATUS_UNAVAILABLE, "the server is not ready");
    } else if (result == STATUS_OK && !str_is_null(wanted.value) &&
               !str_equal(http_answer_header(&answer, wanted.header), wanted.value)) {
        result = error_set(err, wanted.otherwise, "another server answers");
    }
    arena_free(scratch);
    return result;
}

static status adopt(cli *c, str address, http_client *client, bool private, error *err)
{
    str key;
    status found = find_key(c, address, &key, err);

    if (found != STATUS_OK) {
        http_client_free(client);
        return found;
    }
    http_client_set_bearer(client, key);
    c->server = ARENA_NEW(c->lifetime, connection);
    *c->server = (connection){
        .client = client, .address = address, .private = private, .used_ms = clock_mono_ms()};
    message_detail(c, "server %.*s%s", STR_ARG(address), private ? " (private)" : "");
    return STATUS_OK;
}

static bool is_alive(int64_t pid)
{
    return pid > 0 && (kill((pid_t)pid, 0) == 0 || errno == EPERM);
}

/* "0.0.0.0:8181" listens everywhere; here it is reached at home. */
static str reachable(arena *a, str listen)
{
    if (str_starts_with(listen, STR("0.0.0.0:"))) {
        return str_printf(a, "http://127.0.0.1%.*s", STR_ARG(str_slice(listen, 7, listen.size)));
    }
    if (str_starts_with(listen, STR("[::]:"))) {
        return str_printf(a, "http://[::1]%.*s", STR_ARG(str_slice(listen, 4, listen.size)));
    }
    return str_printf(a, "http://%.*s", STR_ARG(listen));
}

static bool running_server(cli *c, str *ret_address, str *ret_instance)
{
    str text;
    const json *document = NULL;

    if (fs_read_file(context_data_path(c, "run/server.json"), 64 * LIMIT_KIB, c->lifetime, &text,
                     NULL) != STATUS_OK ||
        json_parse(text, c->lifetime, &document, NULL) != STATUS_OK) {
        return false;
    }
    str listen = json_str_or(json_get(document, "http"), STR(""));
    if (listen.size == 0 || !is_alive(json_int64_or(json_get(document, "pid"), 0))) {
        return false;
    }
    *ret_address = reachable(c->lifetime, listen);
    *ret_instance = json_str_or(json_get(document, "instance"), STR(""));
    return true;
}

/* Where it answers it is adopted. */
static status try_join(cli *c, str address, const char *target, sign wanted, bool private,
                       error *err)
{
    http_client *client = http_client_create(address);
    status result = probe(c, client, target, wanted, err);

    if (result != STATUS_OK) {
        http_client_free(client);
        return result;
    }
    return adopt(c, address, client, private, err);
}

static status join_running(cli *c, error *err)
{
    str address;
    str instance;
    char question[37];
    uint8_t proof[32];

    if (!running_server(c, &address, &instance)) {
        return error_set(err, STATUS_UNAVAILABLE, "no server runs");
    }
    random_uuid(question);
    hmac_sha256(instance, str_c(question), proof);
    const sign wanted = {.header = "X-Tarn-Proof",
                         .value = str_to_hex(c->lifetime, proof, sizeof(proof)),
                         .otherwise = STATUS_UNAVAILABLE};
    return try_join(c, address, arena_printf(c->lifetime, "/livez?challenge=%s", question), wanted,
                    false, err);
}

/* CONFLICT: it has other settings. */
static status join_private(cli *c, const char *socket_path, error *err)
{
    const sign wanted = {.header = "X-Tarn-Settings",
                         .value = settings_fingerprint(c->settings, c->lifetime),
                         .otherwise = STATUS_CONFLICT};

    return try_join(c, str_printf(c->lifetime, "unix:%s", socket_path), "/readyz", wanted, true,
                    err);
}

static status join(cli *c, const char *socket_path, error *err)
{
    if (join_running(c, NULL) == STATUS_OK) {
        return STATUS_OK;
    }
    return private_exists(socket_path) ? join_private(c, socket_path, err) : STATUS_UNAVAILABLE;
}

/* Not by asking: every question is a client to it, and it waits for the last one. */
static void await_end(const char *socket_path, int64_t deadline_ms)
{
    while (private_exists(socket_path) && clock_mono_ms() < deadline_ms && interrupt_signal == 0) {
        clock_sleep_ms(RETRY_MS);
    }
}

static status join_or_start(cli *c, const char *socket_path, int64_t deadline_ms, error *err)
{
    status joined = join(c, socket_path, NULL);

    if (joined == STATUS_CONFLICT) {
        await_end(socket_path, deadline_ms);
        error_set(err, STATUS_BUSY, "a private server with other settings is in use");
        error_hint(err, "Wait for the commands that use it, or give the same settings.");
        return STATUS_BUSY;
    }
    if (joined == STATUS_OK) {
        return STATUS_OK;
    }
    TRY(private_start(c, socket_path, err));
    return join_private(c, socket_path, err);
}

static status open_own(cli *c, error *err)
{
    int64_t deadline_ms = clock_mono_ms() + PATIENCE_MS;
    str socket_path;

    TRY(context_settings(c, err));
    TRY(private_socket(c, &socket_path, err));
    for (;;) {
        status result = join_or_start(c, socket_path.data, deadline_ms, err);
        bool may_pass = result == STATUS_BUSY || result == STATUS_UNAVAILABLE;
        if (result == STATUS_OK || !may_pass || clock_mono_ms() > deadline_ms) {
            return result;
        }
        if (interrupt_signal != 0) {
            return error_set(err, STATUS_CANCELLED, "interrupted");
        }
        clock_sleep_ms(RETRY_MS);
    }
}

/* ---- the connection ---- */

static str named_server(cli *c)
{
    str named = invocation_get(&c->in, "server");
    const char *variable = getenv("TARN_SERVER");

    if (str_is_null(named) && variable != NULL && variable[0] != '\0') {
        named = str_c(variable);
    }
    if (!str_is_null(named) && str_find(named, STR("://")) == STR_NPOS &&
        !str_starts_with(named, STR("unix:"))) {
        named = str_printf(c->lifetime, "http://%.*s", STR_ARG(named));
    }
    return named;
}

/* A private server may have ended while nothing was asked of it. */
static bool is_lost(cli *c)
{
    return c->server->private && clock_mono_ms() - c->server->used_ms > IDLE_MS &&
           probe(c, c->server->client, "/readyz", (sign){.value = STR_NULL}, NULL) != STATUS_OK;
}

status connection_open(cli *c, error *err)
{
    if (c->server != NULL && !is_lost(c)) {
        return STATUS_OK;
    }
    connection_close(c);
    str named = named_server(c);
    str key;
    TRY(find_key(c, STR(""), &key,
                 err)); /* one that is named and cannot be read: before all else */
    if (!str_is_null(named)) {
        return adopt(c, named, http_client_create(named), false, err);
    }
    return open_own(c, err);
}

bool connection_exists(cli *c)
{
    str socket_path;

    if (!str_is_null(named_server(c))) {
        return connection_open(c, NULL) == STATUS_OK;
    }
    return context_settings(c, NULL) == STATUS_OK && fs_exists(context_data_path(c, "run")) &&
           private_socket(c, &socket_path, NULL) == STATUS_OK &&
           join(c, socket_path.data, NULL) == STATUS_OK;
}

void connection_close(cli *c)
{
    if (c->server != NULL) {
        http_client_free(c->server->client);
        c->server = NULL;
    }
}
