/* tarn doctor: what tarn needs of this machine, checked one by one. Exit code 6 where something fails. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "connect.h"
#include "output.h"
#include "tarn/base/clock.h"
#include "tarn/base/fs.h"
#include "tarn/base/limits.h"

#define SYNC_ROUNDS 20
#define SYNC_SLOW_US 20000
#define FREE_LOW_BYTES (INT64_C(1) << 30)
#define FILES_LOW 1024

typedef enum finding_kind { FINDING_OK, FINDING_WARN, FINDING_FAIL } finding_kind;

typedef struct finding {
    finding_kind kind;
    char detail[512];
} finding;

__attribute__((format(printf, 3, 4))) static void found(finding *f, finding_kind kind,
                                                        const char *format, ...)
{
    va_list args;

    f->kind = kind;
    va_start(args, format);
    vsnprintf(f->detail, sizeof(f->detail), format, args);
    va_end(args);
}

static void found_error(finding *f, const error *err)
{
    found(f, FINDING_FAIL, "%s%s%s", err->message, err->hint[0] != '\0' ? ". " : "", err->hint);
}

/* ---- the data directory ---- */

static void check_folder(cli *c, finding *f)
{
    const char *path = c->settings->data_path.data;
    struct stat about;
    error err = ERROR_INIT;

    if (fs_make_dirs(context_data_path(c, "run"), 0700, &err) != STATUS_OK) {
        found_error(f, &err);
    } else if (stat(path, &about) != 0 || access(path, R_OK | W_OK | X_OK) != 0) {
        found(f, FINDING_FAIL, "%s cannot be written", path);
    } else if (about.st_uid != geteuid()) {
        found(f, FINDING_WARN, "%s belongs to another user", path);
    } else if ((about.st_mode & 077) != 0) {
        found(f, FINDING_WARN, "%s is open to other users (mode %o); chmod 700", path,
              (unsigned)about.st_mode & 0777);
    } else {
        found(f, FINDING_OK, "%s", path);
    }
}

static void check_space(cli *c, finding *f)
{
    int64_t bytes = fs_free_bytes(c->settings->data_path.data);

    found(f, bytes < 0 || bytes > FREE_LOW_BYTES ? FINDING_OK : FINDING_WARN, "%.1f GB free",
          (double)bytes / 1e9);
}

static void check_sync(cli *c, finding *f)
{
    const char *path = context_data_path(c, "run/doctor.tmp");
    static const char block[4096];
    error err = ERROR_INIT;
    int fd = -1;
    status result = fs_open(path, O_RDWR | O_CREAT | O_TRUNC, 0600, &fd, &err);
    int64_t started_ns = clock_mono_ns();

    for (int i = 0; i < SYNC_ROUNDS && result == STATUS_OK; i++) {
        result = fs_pwrite_all(fd, block, sizeof(block), (int64_t)i * (int64_t)sizeof(block), &err);
        result = result == STATUS_OK ? fs_sync(fd, &err) : result;
    }
    int64_t each_us = (clock_mono_ns() - started_ns) / SYNC_ROUNDS / 1000;
    fs_close(fd);
    (void)fs_remove(path, NULL);
    if (result != STATUS_OK) {
        found_error(f, &err);
        return;
    }
    found(f, each_us < SYNC_SLOW_US ? FINDING_OK : FINDING_WARN, "%.2f ms a sync%s",
          (double)each_us / 1000.0,
          each_us < 20 ? "; so quick that it may not reach the disk" : "");
}

/* ---- the machine ---- */

#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#endif
#define LANDLOCK_VERSION_QUERY 1u

static void check_landlock(cli *c, finding *f)
{
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_VERSION_QUERY);
    bool wanted = !str_equal(setting_text(c->settings, SETTING_ENGINE_SANDBOX), STR("unsafe"));

    if (version > 0) {
        found(f, FINDING_OK, "version %ld", version);
    } else {
        found(f, wanted ? FINDING_FAIL : FINDING_WARN,
              "this kernel has no Landlock: SQL runs only with engine.sandbox = unsafe");
    }
}

static bool is_library(const char *path)
{
    unsigned char magic[4] = {0};
    size_t size = 0;
    int fd = -1;

    if (fs_open(path, O_RDONLY, 0, &fd, NULL) != STATUS_OK) {
        return false;
    }
    (void)fs_read(fd, magic, sizeof(magic), &size, NULL);
    fs_close(fd);
    return size == 4 && memcmp(magic,
                               "\x7f"
                               "ELF",
                               4) == 0;
}

/* Where the engine looks: the setting, beside the program, ../lib/tarn. */
static void check_library(cli *c, finding *f)
{
    char self[4096];
    str set = setting_text(c->settings, SETTING_ENGINE_LIBRARY);
    ssize_t size = readlink("/proc/self/exe", self, sizeof(self) - 1);
    str program = str_from(self, size > 0 ? (size_t)size : 0);
    size_t slash = str_find_last_char(program, '/');
    str folder = slash == STR_NPOS ? STR(".") : str_slice(program, 0, slash);
    const char *places[] = {
        set.size > 0 ? set.data : arena_printf(c->memory, "%.*s/libduckdb.so", STR_ARG(folder)),
        arena_printf(c->memory, "%.*s/../lib/tarn/libduckdb.so", STR_ARG(folder)),
    };

    for (size_t i = 0; i < (set.size > 0 ? 1 : COUNT_OF(places)); i++) {
        if (is_library(places[i])) {
            found(f, FINDING_OK, "%s", places[i]);
            return;
        }
    }
    found(f, FINDING_FAIL, "%s is no library; run tools/bootstrap, or set engine.duckdb_library",
          places[0]);
}

static void check_files(cli *c, finding *f)
{
    struct rlimit limit = {0};

    (void)c;
    (void)getrlimit(RLIMIT_NOFILE, &limit);
    found(f, limit.rlim_max >= FILES_LOW ? FINDING_OK : FINDING_WARN, "%llu open files allowed",
          (unsigned long long)limit.rlim_cur);
}

static void check_clock(cli *c, finding *f)
{
    char now[CLOCK_TEXT_SIZE];

    (void)c;
    clock_format_utc(clock_now_us(), 0, now);
    found(f, clock_now_us() > INT64_C(1704067200000000) ? FINDING_OK : FINDING_FAIL, "%s", now);
}

/* ---- the server ---- */

static bool split_address(str address, struct sockaddr_in *ret_address)
{
    char host[64];
    int64_t port = 0;
    size_t colon = str_find_last_char(address, ':');

    if (colon == STR_NPOS || colon >= sizeof(host) ||
        str_to_int64(str_slice(address, colon + 1, address.size), &port, NULL) != STATUS_OK) {
        return false;
    }
    memcpy(host, address.data, colon);
    host[colon] = '\0';
    *ret_address = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    return inet_pton(AF_INET, strcmp(host, "localhost") == 0 ? "127.0.0.1" : host,
                     &ret_address->sin_addr) == 1;
}

/* Whether a server could listen where the setting says. */
static void check_door(cli *c, setting which, finding *f)
{
    str address = setting_text(c->settings, which);
    struct sockaddr_in where;
    int on = 1;

    if (!split_address(address, &where)) {
        found(f, FINDING_OK, "%.*s, not checked", STR_ARG(address));
        return;
    }
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, (const struct sockaddr *)&where, sizeof(where)) == 0) {
        found(f, FINDING_OK, "%.*s is free", STR_ARG(address));
    } else {
        found(f, FINDING_FAIL, "%.*s: %s; choose another with --%s", STR_ARG(address),
              errno == EADDRINUSE ? "in use by another program" : "cannot be used",
              setting_describe(which)->name);
    }
    fs_close(fd);
}

static void check_port(cli *c, setting which, finding *f)
{
    if (fs_exists(context_data_path(c, "run/server.json"))) {
        found(f, FINDING_OK, "a server of this data directory says that it runs");
        return;
    }
    check_door(c, which, f);
}

static void check_http(cli *c, finding *f)
{
    check_port(c, SETTING_HTTP_LISTEN, f);
}

static void check_s3(cli *c, finding *f)
{
    check_port(c, SETTING_S3_LISTEN, f);
}

static void check_sql(cli *c, finding *f)
{
    error err = ERROR_INIT;
    const json *answer = NULL;
    int64_t started_ms = clock_mono_ms();
    status result =
        api_json(c, HTTP_POST, "/api/v1/query",
                 STR("{\"sql\": \"select 42 as answer\", \"format\": \"json\"}"), &answer, &err);

    if (result != STATUS_OK) {
        found_error(f, &err);
        return;
    }
    const json *cell = json_at(json_at(json_get(answer, "rows"), 0), 0);
    bool right = json_int64_or(cell, 0) == 42;
    found(f, right ? FINDING_OK : FINDING_FAIL,
          right ? "answers, %" PRId64 " ms" : "wrong answer, %" PRId64 " ms",
          clock_mono_ms() - started_ms);
}

/* ---- the list ---- */

static const struct {
    const char *name;
    void (*check)(cli *c, finding *f);
} checks[] = {
    {"data directory", check_folder},
    {"free space", check_space},
    {"sync", check_sync},
    {"landlock", check_landlock},
    {"duckdb library", check_library},
    {"open files", check_files},
    {"clock", check_clock},
    {"http port", check_http},
    {"s3 port", check_s3},
    {"sql", check_sql},
};

static status run(cli *c, error *err)
{
    static const char *const results[] = {"ok", "warning", "FAILED"};
    static const list_column columns[] = {
        {"check", "check", ""}, {"result", "result", ""}, {"detail", "detail", ""}};
    buf *text = buf_in(c->memory, LIMIT_MIB);
    const json *list = NULL;
    json_writer w;

    TRY(context_settings(c, err));
    json_writer_init(&w, text);
    json_begin_array(&w);
    for (size_t i = 0; i < COUNT_OF(checks); i++) {
        finding f = {0};
        checks[i].check(c, &f);
        json_begin_object(&w);
        json_member_c(&w, "check", checks[i].name);
        json_member_c(&w, "result", results[f.kind]);
        json_member_c(&w, "detail", f.detail);
        json_end_object(&w);
        if (f.kind == FINDING_FAIL) {
            c->exit_code = EXIT_CHECKS_FAILED;
        }
    }
    json_end_array(&w);
    TRY(json_parse(buf_str(text), c->memory, &list, err));
    return output_list(c, list, columns, COUNT_OF(columns), err);
}

const command command_doctor = {
    .name = "doctor",
    .summary = "check what tarn needs of this machine; exit code 6 where something fails",
    .run = run,
};
