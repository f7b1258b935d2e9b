/* Help, made from the tables. The reference page and the man page are in manual.c. */
#include "help.h"

#include <stdio.h>

#include "tarn/base/limits.h"
#include "terminal.h"

#define OPTION_COLUMN 28

static status print(cli *c, buf *text, error *err)
{
    TRY(buf_check(text, "help", err));
    return out_str(c, buf_str(text), err);
}

static void add_heading(const cli *c, buf *out, const char *text)
{
    buf_printf(out, c->color_out ? "\n\x1b[1m%s\x1b[0m\n" : "\n%s\n", text);
}

/* "  left        right": what does not fit on the left gets a line of its own. */
static void add_pair(buf *out, str left, const char *right)
{
    int width = text_width(left);

    buf_printf(out, "  %.*s", STR_ARG(left));
    if (width + 2 > OPTION_COLUMN) {
        buf_printf(out, "\n%*s", OPTION_COLUMN + 2, "");
    } else {
        buf_printf(out, "%*s", OPTION_COLUMN - width, "");
    }
    buf_printf(out, "%s\n", right);
}

static str option_text(arena *a, const option *o)
{
    const char *value = o->choices != NULL && strlen(o->choices) < 24 ? o->choices : o->value;
    str letter = o->letter != 0 ? str_printf(a, "-%c, ", o->letter) : STR("    ");

    return str_printf(a, "%.*s--%s%s%s", STR_ARG(letter), o->name, o->value != NULL ? " " : "",
                      o->value != NULL ? value : "");
}

static void add_options(arena *a, buf *out, const option *options, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const option *o = &options[i];
        if (o->hidden) {
            continue;
        }
        bool listed = o->choices != NULL && strlen(o->choices) >= 24;
        add_pair(out, option_text(a, o),
                 listed ? arena_printf(a, "%s; one of %s", o->help, o->choices) : o->help);
    }
}

static void add_commands(buf *out, str group)
{
    for (size_t i = 0; i < cli_command_count; i++) {
        const command *of = cli_commands[i];
        str name = str_c(of->name);
        bool inside =
            str_is_null(group) || (str_starts_with(name, group) && name.size > group.size &&
                                   name.data[group.size] == ' ');
        if (!of->hidden && inside) {
            add_pair(out, name, of->summary);
        }
    }
}

status help_overview(cli *c, error *err)
{
    buf *out = buf_in(c->memory, LIMIT_MIB);

    buf_add_c(
        out,
        "tarn: a data lakehouse in one program\n\nUsage: tarn COMMAND [ARGUMENTS] [OPTIONS]\n");
    add_heading(c, out, "Commands");
    add_commands(out, STR_NULL);
    add_heading(c, out, "Options of every command");
    add_options(c->memory, out, global_options, global_option_count);
    add_heading(c, out, "Begin with");
    buf_add_c(
        out, "  tarn generate trips --rows 100000 --out trips.csv\n"
             "  tarn load trips trips.csv\n"
             "  tarn sql -c 'select payment_type, count(*) from trips group by 1'\n"
             "\nEvery setting is an option too (--http.listen none): tarn config show lists them.\n"
             "tarn help COMMAND tells more.\n");
    return print(c, out, err);
}

status help_group(cli *c, str group, error *err)
{
    buf *out = buf_in(c->memory, LIMIT_MIB);

    buf_printf(out, "Usage: tarn %.*s COMMAND\n", STR_ARG(group));
    add_heading(c, out, "Commands");
    add_commands(out, group);
    return print(c, out, err);
}

status help_command(cli *c, const command *of, error *err)
{
    buf *out = buf_in(c->memory, LIMIT_MIB);

    buf_printf(out, "tarn %s: %s\n\nUsage: %.*s\n", of->name, of->summary,
               STR_ARG(command_usage(c->memory, of)));
    if (of->details != NULL) {
        buf_printf(out, "\n%s\n", of->details);
    }
    if (of->argument_count > 0) {
        add_heading(c, out, "Arguments");
    }
    for (size_t i = 0; i < of->argument_count; i++) {
        add_pair(out, str_c(of->arguments[i].name), of->arguments[i].help);
    }
    if (of->option_count > 0) {
        add_heading(c, out, "Options");
        add_options(c->memory, out, of->options, of->option_count);
    }
    if (of->example_count > 0) {
        add_heading(c, out, "Examples");
    }
    for (size_t i = 0; i < of->example_count; i++) {
        buf_printf(out, "  %s\n      %s\n", of->examples[i].line, of->examples[i].meaning);
    }
    buf_add_c(out, "\nOptions of every command: tarn help\n");
    return print(c, out, err);
}
