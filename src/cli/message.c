/* What people are told on stderr. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "context.h"
#include "terminal.h"

#define EXCERPT_WIDTH 100 /* columns of a statement's line that are shown */

static void write_line(const buf *line)
{
    ssize_t written = write(STDERR_FILENO, line->data, line->size);
    (void)written; /* nobody is left to be told */
}

/* What comes from elsewhere must not steer the terminal. */
static void add_visible(buf *out, str text)
{
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c == '\t' || c == '\n') {
            buf_add_char(out, (char)c);
        } else if (c < 0x20 || c == 0x7f) {
            buf_add_char(out, '?');
        } else {
            buf_add_char(out, (char)c);
        }
    }
}

/* ---- errors ---- */

static void add_message(const cli *c, const error *err, const source_text *source, int line,
                        buf *out)
{
    buf_add_c(out, c->color ? "\x1b[1;31mtarn:\x1b[0m " : "tarn: ");
    if (source != NULL && !str_is_null(source->name)) {
        add_visible(out, source->name);
        buf_printf(out, ":%d: ", line);
    }
    add_visible(out,
                str_c(err->message[0] != '\0' ? err->message : status_describe(err->kind)->code));
    buf_add_char(out, '\n');
}

static void add_advice(const cli *c, const error *err, buf *out)
{
    if (err->detail[0] != '\0') {
        add_visible(out, str_c(err->detail));
        buf_add_char(out, '\n');
    }
    if (err->hint[0] != '\0') {
        buf_add_c(out, c->color ? "\x1b[36mhint:\x1b[0m " : "hint: ");
        add_visible(out, str_c(err->hint));
        buf_add_char(out, '\n');
    }
    if (c->verbose) {
        buf_printf(out, "SQLSTATE %s (%s)\n", error_sqlstate(err),
                   status_describe(err->kind)->code);
    }
}

/* The line of the statement that `position` lies in, and a caret below it. A long line is cut on
 * both sides of the position. */
static void add_excerpt(const source_text *source, size_t position, buf *out)
{
    str before = str_slice(source->text, 0, position);
    size_t newline = str_find_last_char(before, '\n');
    size_t start = newline == STR_NPOS ? 0 : newline + 1;
    str line = str_slice(source->text, start, source->text.size);
    line = str_cut(line, '\n', &(str){0});
    size_t caret = position - start;

    if (caret > EXCERPT_WIDTH * 2 / 3) {
        size_t cut = caret - EXCERPT_WIDTH / 2;
        while (cut < caret && ((unsigned char)line.data[cut] & 0xc0) == 0x80) {
            cut++;
        }
        line = str_slice(line, cut, line.size);
        caret -= cut;
    }
    int indent = text_width(str_slice(line, 0, caret));
    buf_add_c(out, "  ");
    for (size_t i = 0; i < line.size && i < caret; i++) { /* a tab would move the caret */
        buf_add_char(out, line.data[i] == '\t' ? ' ' : line.data[i]);
    }
    add_visible(out, text_fit(str_slice(line, caret, line.size), EXCERPT_WIDTH - indent));
    buf_printf(out, "\n  %*s^\n", indent, "");
}

static int line_of(const source_text *source, size_t position)
{
    int line = source->first_line > 0 ? source->first_line : 1;

    for (size_t i = 0; i < position && i < source->text.size; i++) {
        line += source->text.data[i] == '\n';
    }
    return line;
}

void message_sql_error(cli *c, const error *err, const source_text *source)
{
    buf out;
    bool placed = source != NULL && err->position >= 0 &&
                  (size_t)err->position <= source->text.size && source->text.size > 0;

    buf_init(&out, 64 * 1024);
    add_message(c, err, source,
                source == NULL ? 0 : line_of(source, placed ? (size_t)err->position : 0), &out);
    if (placed) {
        add_excerpt(source, (size_t)err->position, &out);
    }
    add_advice(c, err, &out);
    write_line(&out);
    buf_release(&out);
}

void message_error(cli *c, const error *err)
{
    message_sql_error(c, err, NULL);
}

/* ---- notes ---- */

__attribute__((format(printf, 1, 0))) static void print_line(const char *format, va_list args)
{
    buf line;

    buf_init(&line, 64 * 1024);
    buf_vprintf(&line, format, args);
    buf_add_char(&line, '\n');
    write_line(&line);
    buf_release(&line);
}

void message_note(cli *c, const char *format, ...)
{
    va_list args;

    if (c->quiet) {
        return;
    }
    va_start(args, format);
    print_line(format, args);
    va_end(args);
}

void message_detail(cli *c, const char *format, ...)
{
    va_list args;

    if (!c->verbose) {
        return;
    }
    va_start(args, format);
    print_line(format, args);
    va_end(args);
}

/* ---- questions ---- */

static bool read_yes(void)
{
    char answer[16] = "";
    ssize_t got = read(STDIN_FILENO, answer, sizeof(answer) - 1);

    return got > 0 && (answer[0] == 'y' || answer[0] == 'Y');
}

status message_confirm(cli *c, error *err, const char *format, ...)
{
    va_list args;
    buf line;

    if (c->yes) {
        return STATUS_OK;
    }
    buf_init(&line, 4096);
    va_start(args, format);
    buf_vprintf(&line, format, args);
    va_end(args);
    if (!terminal_is(STDIN_FILENO) || !terminal_is(STDERR_FILENO)) {
        error_set(err, STATUS_USAGE, "%s: not done without being told so", line.data);
        error_hint(err, "Add --yes to do it, or --dry-run to see what it would do.");
        buf_release(&line);
        return STATUS_USAGE;
    }
    buf_add_c(&line, "? [y/N] ");
    write_line(&line);
    buf_release(&line);
    if (!read_yes()) {
        return error_set(err, STATUS_CANCELLED, "nothing was done");
    }
    return STATUS_OK;
}
