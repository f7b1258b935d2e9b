/* tarn help, completion: what the tables say, for people and for shells. */
#include "help.h"

#include "completion.h"
#include "tarn/base/limits.h"

static const option help_options[] = {
    {.name = "markdown", .help = "the whole reference as Markdown"},
    {.name = "man", .help = "the man page"},
};
static const argument help_arguments[] = {{.name = "COMMAND",
                                           .help = "command to explain",
                                           .kind = ARGUMENT_COMMAND,
                                           .optional = true,
                                           .repeats = true}};

static status print(cli *c, void (*write)(buf *out), error *err)
{
    buf *text = buf_in(c->memory, LIMIT_MIB);

    write(text);
    TRY(buf_check(text, "help", err));
    return out_str(c, buf_str(text), err);
}

static status run_help(cli *c, error *err)
{
    const invocation *in = &c->in;
    buf *name = buf_in(c->memory, LIMIT_KIB);

    if (invocation_has(in, "markdown")) {
        return print(c, help_markdown, err);
    }
    if (invocation_has(in, "man")) {
        return print(c, help_man, err);
    }
    for (size_t i = 0; i < in->arguments.count; i++) {
        buf_add_c(name, i > 0 ? " " : "");
        buf_add_str(name, in->arguments.items[i]);
    }
    if (name->size == 0) {
        return help_overview(c, err);
    }
    const command *of = command_find(buf_str(name));
    if (of != NULL) {
        return help_command(c, of, err);
    }
    if (command_is_group(buf_str(name))) {
        return help_group(c, buf_str(name), err);
    }
    error_set(err, STATUS_USAGE, "command \"%s\" is not known", name->data);
    error_hint(err, "tarn help lists the commands.");
    return STATUS_USAGE;
}

const command command_help = {
    .name = "help",
    .summary = "what there is and how it is used",
    ARGUMENTS(help_arguments),
    OPTIONS(help_options),
    .run = run_help,
};

static const argument completion_arguments[] = {
    {.name = "SHELL", .help = "bash, zsh or fish", .choices = "bash|zsh|fish"}};
static const example completion_examples[] = {
    {"source <(tarn completion bash)", "in this shell; put it into ~/.bashrc to keep it"},
};

static status run_completion(cli *c, error *err)
{
    str shell = c->in.arguments.items[0];

    if (str_equal(shell, STR("fish"))) {
        return print(c, completion_fish, err);
    }
    return print(c, str_equal(shell, STR("zsh")) ? completion_zsh : completion_bash, err);
}

const command command_completion = {
    .name = "completion",
    .summary = "a script that completes commands, options and table names",
    ARGUMENTS(completion_arguments),
    EXAMPLES(completion_examples),
    .run = run_completion,
};
