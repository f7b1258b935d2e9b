/* The reference page (Markdown) and the man page, made from the tables. */
#include "help.h"
#include "shell.h"

#include <string.h>

#include "tarn/base/error.h"
#include "tarn/version.h"

/*  code  meaning */
#define EXIT_CODE_TABLE(X)                                                     \
    X(0, "done")                                                               \
    X(1, "failed: wrong SQL, wrong data, a file that cannot be read")          \
    X(2, "the command line was not understood")                                \
    X(3, "not found: table, namespace, file, snapshot")                        \
    X(4, "not allowed")                                                        \
    X(5, "conflict with what exists or with another commit")                   \
    X(6, "checks failed")                                                      \
    X(7, "unavailable or timed out: no server, port or data directory in use") \
    X(8, "corrupt data")                                                       \
    X(130, "ended by Ctrl-C; 143: by SIGTERM")

static const struct {
    int code;
    const char *meaning;
} exit_codes[] = {
#define X(code, meaning) {code, meaning},
    EXIT_CODE_TABLE(X)
#undef X
};

/* ---- Markdown ---- */

/* A bar would end the cell. */
static void add_md(buf *out, const char *text)
{
    for (; *text != '\0'; text++) {
        buf_add_c(out, *text == '|' ? "\\" : "");
        buf_add_char(out, *text);
    }
}

static void add_md_options(buf *out, const option *options, size_t count)
{
    buf_add_c(out, "| option | meaning |\n|---|---|\n");
    for (size_t i = 0; i < count; i++) {
        const option *o = &options[i];
        if (o->hidden) {
            continue;
        }
        buf_add_c(out, "| `");
        if (o->letter != 0) {
            buf_printf(out, "-%c`, `", o->letter);
        }
        buf_printf(out, "--%s%s", o->name, o->value != NULL ? " " : "");
        add_md(out, o->choices != NULL ? o->choices : o->value != NULL ? o->value : "");
        buf_add_c(out, "` | ");
        add_md(out, o->help);
        buf_printf(out, "%s |\n", o->repeats ? "; may be repeated" : "");
    }
}

static void add_md_command(buf *out, const command *c)
{
    arena *scratch = arena_create();

    buf_printf(out, "\n## tarn %s\n\n`%.*s`: %s.\n", c->name, STR_ARG(command_usage(scratch, c)),
               c->summary);
    if (c->details != NULL) {
        buf_printf(out, "\n%s\n", c->details);
    }
    if (c->argument_count > 0) {
        buf_add_c(out, "\n| argument | meaning |\n|---|---|\n");
    }
    for (size_t i = 0; i < c->argument_count; i++) {
        buf_printf(out, "| `%s` | ", c->arguments[i].name);
        add_md(out, c->arguments[i].help);
        buf_printf(out, "%s |\n", c->arguments[i].optional ? " (may be left out)" : "");
    }
    if (c->option_count > 0) {
        buf_add_c(out, "\n");
        add_md_options(out, c->options, c->option_count);
    }
    if (c->example_count > 0) {
        buf_add_c(out, "\n```sh\n");
        for (size_t i = 0; i < c->example_count; i++) {
            buf_printf(out, "%s    # %s\n", c->examples[i].line, c->examples[i].meaning);
        }
        buf_add_c(out, "```\n");
    }
    arena_free(scratch);
}

/* What the interactive shell knows besides SQL. */
static void add_md_shell(buf *out)
{
    size_t count = 0;
    const shell_command_info *list = shell_command_list(&count);

    buf_add_c(out, "\nIn the shell:\n\n| command | does |\n|---|---|\n");
    for (size_t i = 0; i < count; i++) {
        buf_add_c(out, "| `");
        for (const char *at = list[i].usage; *at != '\0'; at++) {
            buf_add_c(out, *at == '|' ? "\\" : "");
            buf_add_char(out, *at);
        }
        buf_add_c(out, "` | ");
        add_md(out, list[i].help);
        buf_add_c(out, " |\n");
    }
}

void help_markdown(buf *out)
{
    buf_add_c(
        out, "<!-- Written by tarn help --markdown; change the tables in src/cli. -->\n"
             "# Commands\n\n`tarn COMMAND [ARGUMENTS] [OPTIONS]`. Data goes to stdout, all else to "
             "stderr.\n\n## Options of every command\n\nBefore or after the command. Every setting "
             "is an option too: `--http.listen none`.\n\n");
    add_md_options(out, global_options, global_option_count);
    buf_add_c(out, "\n## Exit codes\n\n| code | meaning |\n|---|---|\n");
    for (size_t i = 0; i < COUNT_OF(exit_codes); i++) {
        buf_printf(out, "| %d | %s |\n", exit_codes[i].code, exit_codes[i].meaning);
    }
    for (size_t i = 0; i < cli_command_count; i++) {
        if (!cli_commands[i]->hidden) {
            add_md_command(out, cli_commands[i]);
            if (strcmp(cli_commands[i]->name, "sql") == 0) {
                add_md_shell(out);
            }
        }
    }
}

/* ---- man ---- */

/* A hyphen is typed as such, a backslash and a leading dot mean something to man. */
static void add_man(buf *out, const char *text)
{
    for (const char *at = text; *at != '\0'; at++) {
        if (*at == '\\') {
            buf_add_c(out, "\\e");
        } else if (strncmp(at, "…", strlen("…")) == 0) {
            buf_add_c(out, "...");
            at += strlen("…") - 1;
        } else if (*at == '-') {
            buf_add_c(out, "\\-");
        } else if ((*at == '.' || *at == '\'') && (at == text || at[-1] == '\n')) {
            buf_printf(out, "\\&%c", *at);
        } else {
            buf_add_char(out, *at);
        }
    }
}

static void add_man_options(buf *out, const option *options, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const option *o = &options[i];
        if (o->hidden) {
            continue;
        }
        buf_add_c(out, ".TP\n\\fB");
        if (o->letter != 0) {
            buf_printf(out, "\\-%c\\fR, \\fB", o->letter);
        }
        buf_add_c(out, "\\-\\-");
        add_man(out, o->name);
        buf_add_c(out, "\\fR");
        if (o->value != NULL) {
            buf_add_c(out, " \\fI");
            add_man(out, o->choices != NULL ? o->choices : o->value);
            buf_add_c(out, "\\fR");
        }
        buf_add_c(out, "\n");
        add_man(out, o->help);
        buf_add_c(out, "\n");
    }
}

static void add_man_command(buf *out, const command *c)
{
    buf_add_c(out, ".SS tarn ");
    add_man(out, c->name);
    for (size_t i = 0; i < c->argument_count; i++) {
        buf_printf(out, c->arguments[i].optional ? " [%s]" : " %s", c->arguments[i].name);
    }
    buf_add_c(out, "\n");
    add_man(out, c->summary);
    buf_add_c(out, ".\n");
    if (c->details != NULL) {
        buf_add_c(out, ".PP\n");
        add_man(out, c->details);
        buf_add_c(out, "\n");
    }
    for (size_t i = 0; i < c->argument_count; i++) {
        buf_printf(out, ".TP\n\\fI%s\\fR\n", c->arguments[i].name);
        add_man(out, c->arguments[i].help);
        buf_add_c(out, "\n");
    }
    add_man_options(out, c->options, c->option_count);
    for (size_t i = 0; i < c->example_count; i++) {
        buf_add_c(out, ".TP\n");
        add_man(out, c->examples[i].line);
        buf_add_c(out, "\n");
        add_man(out, c->examples[i].meaning);
        buf_add_c(out, "\n");
    }
}

void help_man(buf *out)
{
    buf_add_c(out,
              ".TH TARN 1 \"\" \"tarn " TARN_VERSION
              "\"\n.SH NAME\ntarn \\- a data lakehouse in one program\n"
              ".SH SYNOPSIS\n\\fBtarn\\fR \\fICOMMAND\\fR [\\fIARGUMENTS\\fR] [\\fIOPTIONS\\fR]\n"
              ".SH OPTIONS\nOf every command, before or after its name. Every setting is an option "
              "too.\n");
    add_man_options(out, global_options, global_option_count);
    buf_add_c(out, ".SH COMMANDS\n");
    for (size_t i = 0; i < cli_command_count; i++) {
        if (!cli_commands[i]->hidden) {
            add_man_command(out, cli_commands[i]);
        }
    }
    buf_add_c(out, ".SH EXIT STATUS\n");
    for (size_t i = 0; i < COUNT_OF(exit_codes); i++) {
        buf_printf(out, ".TP\n%d\n%s\n", exit_codes[i].code, exit_codes[i].meaning);
    }
}
