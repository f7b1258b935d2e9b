/* The private server: this program started once more, detached, on a unix socket in the data
 * directory. It tells why it could not start through a pipe, and logs to run/private.log. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "connect.h"
#include "tarn/base/clock.h"
#include "tarn/base/fs.h"
#include "tarn/base/limits.h"

#define START_TIMEOUT_MS 30000
#define POLL_MS 4
#define LOG_BYTES_MAX (1024 * 1024) /* a longer log is begun anew */
#define REPORT_FD 3
#define REPORT_BYTES_MAX (4 * LIMIT_KIB)

/* ---- where it listens ---- */

status private_socket(cli *c, str *ret_path, error *err)
{
    str path = str_c(context_data_path(c, "run/tarn.sock"));
    struct sockaddr_un address;
    int fd = -1;

    TRY(context_check_data(c, err));
    status made = fs_make_dirs(context_data_path(c, "run"), 0700, err);
    if (made != STATUS_OK) {
        error_context(err, "data directory \"%.*s\"", STR_ARG(c->settings->data_path));
        error_hint(err, "Name a directory that you may write with --data or TARN_DATA.");
        return made;
    }
    if (path.size < sizeof(address.sun_path)) {
        *ret_path = path;
        return STATUS_OK;
    }
    /* An address holds 107 bytes: a longer path is walked from its open folder. */
    TRY(fs_open(context_data_path(c, "run"), O_PATH | O_DIRECTORY, 0, &fd, err));
    fs_close_with(c->lifetime, fd);
    *ret_path = str_printf(c->lifetime, "/proc/self/fd/%d/tarn.sock", fd);
    return STATUS_OK;
}

bool private_exists(const char *socket_path)
{
    return access(socket_path, F_OK) == 0;
}

/* ---- the server's side ---- */

/* The status code's name, message, hint, detail, each with a NUL behind it. */
void private_report(int fd, const error *err)
{
    buf text;

    buf_init(&text, REPORT_BYTES_MAX);
    buf_printf(&text, "%s%c%s%c%s%c%s%c", status_describe(err->kind)->code, 0, err->message, 0,
               err->hint, 0, err->detail, 0);
    (void)fs_write_all(fd, text.data, text.size, NULL);
    buf_release(&text);
}

/* ---- the client's side ---- */

static status parse_report(str text, error *err)
{
    str parts[4] = {STR(""), STR(""), STR(""), STR("")};

    for (size_t i = 0; i < COUNT_OF(parts) && !str_is_null(text); i++) {
        parts[i] = str_cut(text, '\0', &text);
    }
    status kind = status_from_code(parts[0].data, parts[0].size);
    error_set(err, kind, "%.*s", STR_ARG(parts[1]));
    if (parts[2].size > 0) {
        error_hint(err, "%.*s", STR_ARG(parts[2]));
    }
    if (parts[3].size > 0) {
        error_detail(err, "%.*s", STR_ARG(parts[3]));
    }
    return kind;
}

/* It ended without a word: what its log says last may tell. */
static status died(cli *c, int exit_status, error *err)
{
    char tail[LIMIT_KIB];
    size_t size = 0;
    int64_t length = 0;
    int fd = -1;
    str last = STR("");

    if (fs_open(context_data_path(c, "run/private.log"), O_RDONLY, 0, &fd, NULL) == STATUS_OK &&
        fs_size(fd, &length, NULL) == STATUS_OK) {
        int64_t from = length > (int64_t)sizeof(tail) ? length - (int64_t)sizeof(tail) : 0;
        (void)fs_pread(fd, tail, sizeof(tail), from, &size, NULL);
        last = str_trim(str_from(tail, size));
        size_t newline = str_find_last_char(last, '\n');
        last = newline == STR_NPOS ? last : str_slice(last, newline + 1, last.size);
    }
    fs_close(fd);
    error_set(err, STATUS_UNAVAILABLE, "the private server could not start (%s %d)",
              WIFSIGNALED(exit_status) ? "signal" : "exit status",
              WIFSIGNALED(exit_status) ? WTERMSIG(exit_status) : WEXITSTATUS(exit_status));
    if (last.size > 0) {
        error_detail(err, "%.*s", STR_ARG(last));
    }
    error_hint(err, "See %s, or try tarn doctor.", context_data_path(c, "run/private.log"));
    return STATUS_INTERNAL; /* not worth another try */
}

static status open_log(cli *c, int *ret_fd, error *err)
{
    const char *path = context_data_path(c, "run/private.log");
    int64_t size = 0;
    bool long_one = fs_stat_size(path, &size, NULL) == STATUS_OK && size > LOG_BYTES_MAX;

    return fs_open(path, O_WRONLY | O_CREAT | O_APPEND | (long_one ? O_TRUNC : 0), 0600, ret_fd,
                   err);
}

typedef VEC(const char *) word_list;

static const char *const *command_line(cli *c)
{
    word_list words = {0};
    static const char *const head[] = {"tarn", "serve", "--private", "--private-report", "3"};

    for (size_t i = 0; i < COUNT_OF(head); i++) {
        vec_push(c->lifetime, &words, head[i]);
    }
    vec_push(c->lifetime, &words,
             arena_printf(c->lifetime, "--data=%.*s", STR_ARG(c->settings->data_path)));
    str config = invocation_get(&c->in, "config");
    if (!str_is_null(config)) {
        vec_push(c->lifetime, &words, arena_printf(c->lifetime, "--config=%.*s", STR_ARG(config)));
    }
    for (size_t i = 0; i < c->in.settings.count; i++) {
        const setting_flag *flag = &c->in.settings.items[i];
        vec_push(
            c->lifetime, &words,
            arena_printf(c->lifetime, "--%.*s=%.*s", STR_ARG(flag->name), STR_ARG(flag->value)));
    }
    vec_push(c->lifetime, &words, (const char *)NULL);
    return words.items;
}

/* Between fork and exec: only what is safe there. */
__attribute__((noreturn)) static void become_server(const char *const *words, int report, int log)
{
    (void)setsid(); /* the terminal's Ctrl-C is not for it */
    int null = open("/dev/null", O_RDWR);
    if (dup2(report, REPORT_FD) < 0 || dup2(null, STDIN_FILENO) < 0 ||
        dup2(null, STDOUT_FILENO) < 0 || dup2(log, STDERR_FILENO) < 0) {
        _exit(127);
    }
    (void)close_range(REPORT_FD + 1, ~0U, 0); /* what the command had open is not for it either */
    execv("/proc/self/exe", (char *const *)(uintptr_t)words);
    _exit(127);
}

/* dup2 onto its own number would leave the close-on-exec flag in place. */
static int above_report(int fd)
{
    return fcntl(fd, F_DUPFD_CLOEXEC, REPORT_FD + 1);
}

static status spawn(cli *c, int *ret_report, pid_t *ret_pid, error *err)
{
    int ends[2];
    int log = -1;
    const char *const *words = command_line(c);

    TRY(open_log(c, &log, err));
    if (pipe2(ends, O_CLOEXEC) != 0) {
        fs_close(log);
        return error_errno(err, STATUS_IO, errno, "cannot start a private server");
    }
    int report = above_report(ends[1]);
    int safe_log = above_report(log);
    pid_t pid = fork();
    if (pid == 0) {
        become_server(words, report, safe_log);
    }
    fs_close(log);
    fs_close(safe_log);
    fs_close(report);
    fs_close(ends[1]);
    if (pid < 0) {
        fs_close(ends[0]);
        return error_errno(err, STATUS_IO, errno, "cannot start a private server");
    }
    *ret_report = ends[0];
    *ret_pid = pid;
    return STATUS_OK;
}

/* The pipe has something to say: a report, or its end. */
static status hear(cli *c, int report, pid_t pid, error *err)
{
    char bytes[REPORT_BYTES_MAX];
    size_t size = 0;
    int exit_status = 0;

    TRY(fs_read(report, bytes, sizeof(bytes), &size, err));
    (void)waitpid(pid, &exit_status, 0);
    return size > 0 ? parse_report(str_from(bytes, size), err) : died(c, exit_status, err);
}

static bool accepts(const char *socket_path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t size = strlen(socket_path);

    if (size >= sizeof(address.sun_path) || access(socket_path, F_OK) != 0) {
        return false;
    }
    memcpy(address.sun_path, socket_path, size);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool accepted = fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0;
    fs_close(fd);
    return accepted;
}

status private_start(cli *c, const char *socket_path, error *err)
{
    int report = -1;
    pid_t pid = -1;
    int64_t deadline_ms = clock_mono_ms() + START_TIMEOUT_MS;

    TRY(spawn(c, &report, &pid, err));
    for (;;) {
        struct pollfd heard = {.fd = report, .events = POLLIN};
        if (poll(&heard, 1, POLL_MS) > 0) {
            status reason = hear(c, report, pid, err);
            fs_close(report);
            return reason;
        }
        if (accepts(socket_path)) {
            fs_close(report);
            return STATUS_OK;
        }
        if (interrupt_signal != 0 || clock_mono_ms() > deadline_ms) {
            fs_close(report);
            return error_set(err, interrupt_signal != 0 ? STATUS_CANCELLED : STATUS_TIMEOUT,
                             "the private server did not start in time");
        }
    }
}
