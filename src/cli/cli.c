/* One command from its words to its exit code. */
#include "tarn/cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "connect.h"
#include "context.h"
#include "help.h"
#include "tarn/base/fs.h"
#include "tarn/base/limits.h"
#include "terminal.h"

#define OUT_BYTES (64 * LIMIT_KIB)

/* ---- stdout ---- */

static status write_all(cli *c, const char *bytes, size_t size, error *err)
{
    if (c->diversion != NULL) {
        return size > 0 ? c->diversion->write(c->diversion->context, bytes, size, err) : STATUS_OK;
    }
    while (size > 0) {
        ssize_t written = write(STDOUT_FILENO, bytes, size);
        if (written < 0 && errno == EINTR) {
            if (interrupt_signal != 0) {
                return error_set(err, STATUS_CANCELLED, "interrupted");
            }
            continue;
        }
        if (written < 0 && errno == EPIPE) {
            c->reader_gone = true;
            return error_set(err, STATUS_CANCELLED, "nobody reads the output any more");
        }
        if (written < 0) {
            return error_errno(err, STATUS_IO, errno, "cannot write to the standard output");
        }
        bytes += written;
        size -= (size_t)written;
    }
    return STATUS_OK;
}

status out_flush(cli *c, error *err)
{
    status result = write_all(c, c->pending.data, c->pending.size, err);
    buf_clear(&c->pending);
    return result;
}

status out_write(cli *c, const void *bytes, size_t size_bytes, error *err)
{
    if (c->pending.size + size_bytes > OUT_BYTES) {
        TRY(out_flush(c, err));
    }
    if (size_bytes > OUT_BYTES) {
        return write_all(c, bytes, size_bytes, err);
    }
    buf_add(&c->pending, bytes, size_bytes);
    return STATUS_OK;
}

status out_str(cli *c, str text, error *err)
{
    return out_write(c, text.data, text.size, err);
}

int out_width(const cli *c)
{
    return c->diversion != NULL ? c->diversion->width : terminal_width(STDOUT_FILENO);
}

bool out_is_terminal(const cli *c)
{
    return c->diversion == NULL && terminal_is(STDOUT_FILENO);
}

/* ---- settings ---- */

status context_settings(cli *c, error *err)
{
    if (c->settings != NULL) {
        return STATUS_OK;
    }
    str data = invocation_get(&c->in, "data");
    str config = invocation_get(&c->in, "config");
    const settings_options options = {
        .data_path = str_to_c(c->memory, data),
        .config_path = str_to_c(c->memory, config),
        .flags = c->in.settings.items,
        .flag_count = c->in.settings.count,
    };
    return settings_load(&options, &c->settings, err);
}

status context_check_data(cli *c, error *err)
{
    str path = c->settings->data_path;
    struct stat about;

    while (path.size > 1 && stat(str_to_c(c->memory, path), &about) != 0) {
        size_t slash = str_find_last_char(path, '/');
        if (slash == STR_NPOS) {
            return STATUS_OK; /* beside where we stand */
        }
        path = str_slice(path, 0, slash);
    }
    if (path.size <= 1 || S_ISDIR(about.st_mode)) {
        return STATUS_OK;
    }
    error_set(err, STATUS_USAGE, "data directory \"%.*s\": \"%.*s\" is no folder",
              STR_ARG(c->settings->data_path), STR_ARG(path));
    error_hint(err, "Name a directory with --data or TARN_DATA.");
    return STATUS_USAGE;
}

char *context_data_path(cli *c, const char *name)
{
    return fs_join(c->lifetime, c->settings->data_path.data, name);
}

/* ---- the global options ---- */

static const struct format_name {
    str name;
    output_format format;
} formats[] = {
    {STR_INIT("table"), OUTPUT_TABLE},     {STR_INIT("tsv"), OUTPUT_TSV},
    {STR_INIT("csv"), OUTPUT_CSV},         {STR_INIT("json"), OUTPUT_JSON},
    {STR_INIT("jsonl"), OUTPUT_JSONL},     {STR_INIT("md"), OUTPUT_MD},
    {STR_INIT("box"), OUTPUT_BOX},         {STR_INIT("arrow"), OUTPUT_ARROW},
    {STR_INIT("parquet"), OUTPUT_PARQUET},
};

bool output_format_from(str name, output_format *ret_format)
{
    for (size_t i = 0; i < COUNT_OF(formats); i++) {
        if (str_equal_nocase(name, formats[i].name)) {
            *ret_format = formats[i].format;
            return true;
        }
    }
    return false;
}

str output_format_name(output_format format)
{
    for (size_t i = 0; i < COUNT_OF(formats); i++) {
        if (formats[i].format == format) {
            return formats[i].name;
        }
    }
    return STR("");
}

static void choose_format(cli *c)
{
    c->format = terminal_is(STDOUT_FILENO) ? OUTPUT_TABLE : OUTPUT_TSV;
    (void)output_format_from(invocation_get(&c->in, "output"), &c->format);
}

static void choose_progress(cli *c)
{
    str when = invocation_get(&c->in, "progress");

    if (str_equal(when, STR("json"))) {
        c->progress = PROGRESS_JSON;
    } else if (!c->quiet && !str_equal(when, STR("never")) && terminal_is(STDERR_FILENO)) {
        c->progress = PROGRESS_TERMINAL;
    }
}

static void apply_globals(cli *c)
{
    c->quiet = invocation_has(&c->in, "quiet");
    c->verbose = invocation_has(&c->in, "verbose");
    c->yes = invocation_has(&c->in, "yes");
    c->dry_run = invocation_has(&c->in, "dry-run");
    c->color = terminal_color(STDERR_FILENO, invocation_get(&c->in, "color"));
    c->color_out = terminal_color(STDOUT_FILENO, invocation_get(&c->in, "color"));
    choose_format(c);
    choose_progress(c);
}

/* ---- running ---- */

static status run(cli *c, error *err)
{
    const invocation *in = &c->in;

    if (in->command == NULL) {
        if (!str_is_null(in->group) && !in->help) {
            error_set(err, STATUS_USAGE, "command \"%.*s\" needs one of its parts",
                      STR_ARG(in->group));
            error_hint(err, "tarn help %.*s lists them.", STR_ARG(in->group));
            return STATUS_USAGE;
        }
        return str_is_null(in->group) ? help_overview(c, err) : help_group(c, in->group, err);
    }
    if (in->help) {
        return help_command(c, in->command, err);
    }
    return in->command->run(c, err);
}

static int finish(cli *c, status result, error *err)
{
    if (result == STATUS_OK) {
        result = out_flush(c, err);
    } else {
        (void)out_flush(c, NULL); /* what was printed before the failure is the reader's */
    }
    if (c->reader_gone) {
        return 0;
    }
    if (interrupt_signal != 0) {
        return 128 + interrupt_signal;
    }
    if (result == STATUS_OK) {
        return c->exit_code;
    }
    if (err->message[0] != '\0') { /* empty: the command has told by itself */
        message_error(c, err);
    }
    return status_describe(result)->exit_code;
}

int cli_main(int argc, char **argv, const cli_hooks *hooks)
{
    cli c = {.hooks = hooks, .lifetime = arena_create()};
    error err = ERROR_INIT;

    signal(SIGPIPE, SIG_IGN);
    interrupt_catch();
    c.memory = c.lifetime;
    buf_init(&c.pending, OUT_BYTES);
    if (argc == 2 && (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0)) {
        static char version[] = "version";
        argv[1] = version;
    }
    status result = invocation_parse(c.lifetime, argc, argv, &c.in, &err);
    apply_globals(&c);
    if (result == STATUS_OK) {
        result = run(&c, &err);
    }
    int code = finish(&c, result, &err);
    connection_close(&c);
    settings_free(c.settings);
    buf_release(&c.pending);
    arena_free(c.lifetime);
    return code;
}
