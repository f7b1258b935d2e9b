/* Files and programs around the shell: \i reads one, \o writes into one, \e edits in one. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "shell/internal.h"
#include "tarn/base/fs.h"
#include "tarn/base/limits.h"

#define DEPTH_MAX 16 /* of files that read files */

/* ---- \i ---- */

static bool run_lines(shell *s, str text)
{
    bool fine = true;

    for (str rest = text; !str_is_null(rest) && fine && !s->ended;) {
        str line = str_cut(rest, '\n', &rest);
        s->script_line++;
        if (str_ends_with(line, STR("\r"))) {
            line.size--;
        }
        fine = (str_is_null(rest) && line.size == 0) || shell_take_line(s, line);
        fine = fine && interrupt_signal == 0;
    }
    return fine && (s->ended || shell_take_rest(s));
}

bool shell_include(shell *s, str operand)
{
    arena *a = arena_create();
    str path = shell_word(s, &operand, a);
    str text;
    error err = ERROR_INIT;
    bool fine;

    if (str_is_null(path)) {
        fine = shell_refuse(s, "\\i needs the name of a file");
    } else if (s->script_depth >= DEPTH_MAX) {
        fine = shell_refuse(s, "files read each other %d deep", DEPTH_MAX);
    } else if (fs_read_file(str_to_c(a, path), LIMIT_SQL_TEXT, a, &text, &err) != STATUS_OK) {
        fine = shell_fail(s, &err);
    } else {
        fine = shell_include_text(s, path, text);
    }
    arena_free(a);
    return fine;
}

bool shell_include_text(shell *s, str path, str text)
{
    str outer = s->script;
    int outer_line = s->script_line;

    s->script = path;
    s->script_line = 0;
    s->script_depth++;
    bool fine = run_lines(s, text);
    buf_clear(&s->statement);
    s->script_depth--;
    s->script = outer;
    s->script_line = outer_line;
    return fine;
}

/* ---- \o ---- */

static status write_target(void *context, const char *bytes, size_t size, error *err)
{
    shell_target *t = context;

    while (size > 0) {
        ssize_t written = write(t->fd, bytes, size);
        if (written < 0 && errno == EINTR && interrupt_signal == 0) {
            continue;
        }
        if (written < 0) {
            return error_errno(err, STATUS_IO, errno, "cannot write to \"%.*s\"", STR_ARG(t->name));
        }
        bytes += written;
        size -= (size_t)written;
    }
    return STATUS_OK;
}

void shell_close_target(shell *s)
{
    shell_target *t = &s->target;

    if (str_is_null(t->name)) {
        return;
    }
    if (t->program.pid != 0) {
        process_end(&t->program);
    } else {
        fs_close(t->fd);
    }
    *t = (shell_target){.name = STR_NULL};
}

bool shell_output(shell *s, str operand)
{
    shell_target *t = &s->target;
    arena *a = arena_create();
    error err = ERROR_INIT;
    status result = STATUS_OK;
    str name = str_starts_with(operand, STR("|")) ? str_trim(operand) : shell_word(s, &operand, a);

    shell_close_target(s);
    if (str_starts_with(name, STR("|"))) {
        result = process_start(str_to_c(a, str_slice(name, 1, name.size)), &t->program, &err);
        t->fd = t->program.fd;
    } else if (!str_is_null(name)) {
        result = fs_open(str_to_c(a, name), O_WRONLY | O_CREAT | O_TRUNC, 0644, &t->fd, &err);
    }
    if (result == STATUS_OK && !str_is_null(name)) {
        t->name = str_copy(s->c->lifetime, name);
        t->diversion = (out_diversion){.write = write_target, .context = t};
    }
    arena_free(a);
    return result == STATUS_OK || shell_fail(s, &err);
}

/* ---- \e ---- */

static status make_draft(arena *a, str text, char **ret_path, error *err)
{
    const char *folder = getenv("TMPDIR");
    char *path =
        fs_join(a, folder != NULL && folder[0] != '\0' ? folder : "/tmp", "tarn-XXXXXX.sql");
    int fd = mkostemps(path, 4, O_CLOEXEC);

    if (fd < 0) {
        return error_errno(err, STATUS_IO, errno, "cannot make a file to edit");
    }
    status result = fs_write_all(fd, text.data, text.size, err);
    fs_close(fd);
    *ret_path = path;
    return result;
}

static const char *editor(void)
{
    static const char *const names[] = {"TARN_EDITOR", "VISUAL", "EDITOR"};

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        const char *chosen = getenv(names[i]);
        if (chosen != NULL && chosen[0] != '\0') {
            return chosen;
        }
    }
    return "vi";
}

static status edit(arena *a, str before, str *ret_after, error *err)
{
    char *path = NULL;
    int code = 0;

    TRY(make_draft(a, before, &path, err));
    status result = process_run(arena_printf(a, "%s '%s'", editor(), path), &code, err);
    interrupt_forget(); /* it was the editor's */
    if (result == STATUS_OK && code != 0) {
        result = error_set(err, STATUS_CANCELLED, "the editor ended with %d: nothing runs", code);
    }
    if (result == STATUS_OK) {
        result = fs_read_file(path, LIMIT_SQL_TEXT, a, ret_after, err);
    }
    (void)fs_remove(path, NULL);
    return result;
}

/* The lines of a draft, as if they had been typed. */
static bool run_draft(shell *s, str text)
{
    buf_clear(&s->statement);
    if (s->reader != NULL) {
        arena *a = arena_create();
        shell_line_remember(s->reader, query_one_line(text, a));
        arena_free(a);
    }
    for (str rest = text; !str_is_null(rest) && !s->ended;) {
        if (!shell_take_line(s, str_cut(rest, '\n', &rest))) {
            return false;
        }
    }
    return s->ended || shell_take_rest(s);
}

bool shell_edit(shell *s, str operand)
{
    arena *a = arena_create();
    bool pending = s->statement.size > 0;
    str before = str_concat(a, buf_str(pending ? &s->statement : &s->last),
                            pending || s->last.size == 0 ? STR("") : STR(";\n"));
    str after;
    error err = ERROR_INIT;
    bool fine = true;
    bool ours = s->script_depth == 0;

    (void)operand;
    if (!ours) {
        fine = shell_refuse(s, "\\e is for people, not for files");
    } else if (edit(a, before, &after, &err) != STATUS_OK) {
        fine = shell_fail(s, &err);
    } else if (str_equal(before, after)) {
        message_note(s->c, "nothing was changed, so nothing runs");
    } else {
        printf("%.*s\n", STR_ARG(str_trim(after)));
        fflush(stdout);
        fine = run_draft(s, after);
    }
    arena_free(a);
    return fine;
}

/* ---- \\! ---- */

bool shell_escape(shell *s, str operand)
{
    arena *a = arena_create();
    error err = ERROR_INIT;
    int code = 0;
    const char *own = getenv("SHELL");
    const char *line = operand.size > 0                ? str_to_c(a, operand)
                       : own != NULL && own[0] != '\0' ? own
                                                       : "sh";
    bool fine;

    fflush(stdout);
    if (process_run(line, &code, &err) != STATUS_OK) {
        fine = shell_fail(s, &err);
    } else {
        fine = code == 0 || shell_refuse(s, "\"%s\" ended with %d", line, code);
    }
    arena_free(a);
    return fine;
}
