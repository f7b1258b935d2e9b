/* Taking apart what was typed. The first word (or two: "table ls") that is no option names the
 * command; global options and settings may stand anywhere, a command's own behind its name. */
#include "invocation.h"

#include "tarn/base/buf.h"

typedef struct parser {
    arena *memory;
    int argc;
    char **argv;
    int at;
    bool options_ended; /* after -- */
    invocation *in;
    error *err;
} parser;

/* ---- tables ---- */

const command *command_find(str name)
{
    for (size_t i = 0; i < cli_command_count; i++) {
        if (str_equal(name, str_c(cli_commands[i]->name))) {
            return cli_commands[i];
        }
    }
    return NULL;
}

bool command_is_group(str name)
{
    for (size_t i = 0; i < cli_command_count; i++) {
        str candidate = str_c(cli_commands[i]->name);
        if (candidate.size > name.size && str_starts_with(candidate, name) &&
            candidate.data[name.size] == ' ') {
            return true;
        }
    }
    return false;
}

bool choices_have(const char *choices, str value)
{
    for (str rest = str_c(choices); !str_is_null(rest);) {
        if (str_equal(str_cut(rest, '|', &rest), value)) {
            return true;
        }
    }
    return false;
}

str command_usage(arena *a, const command *c)
{
    buf *text = buf_in(a, 4096);

    buf_printf(text, "tarn %s", c->name);
    for (size_t i = 0; i < c->argument_count; i++) {
        const argument *arg = &c->arguments[i];
        buf_printf(text, arg->optional ? " [%s]" : " %s", arg->name);
        buf_add_c(text, arg->repeats ? "…" : "");
    }
    buf_add_c(text, c->option_count > 0 ? " [OPTIONS]" : "");
    return buf_str(text);
}

bool invocation_has(const invocation *in, const char *name)
{
    for (size_t i = 0; i < in->options.count; i++) {
        if (strcmp(in->options.items[i].option->name, name) == 0) {
            return true;
        }
    }
    return false;
}

bool invocation_next(const invocation *in, const char *name, size_t *at, str *ret_value)
{
    for (; *at < in->options.count; ++*at) {
        if (strcmp(in->options.items[*at].option->name, name) == 0) {
            *ret_value = in->options.items[(*at)++].value;
            return true;
        }
    }
    return false;
}

str invocation_get(const invocation *in, const char *name)
{
    str value = STR_NULL;

    for (size_t at = 0; invocation_next(in, name, &at, &value);) {}
    return value;
}

/* ---- refusals ---- */

typedef VEC(str) name_list;

static status refuse(parser *p, const char *what, str wrong, const name_list *known)
{
    str nearest = str_nearest(wrong, known->items, known->count);

    error_set(p->err, STATUS_USAGE, "%s \"%.*s\" is not known", what, STR_ARG(wrong));
    if (!str_is_null(nearest)) {
        error_hint(p->err, "Did you mean \"%.*s\"?", STR_ARG(nearest));
    } else if (p->in->command != NULL) {
        error_hint(p->err, "tarn help %s tells what there is.", p->in->command->name);
    } else {
        error_hint(p->err, "tarn help lists the commands.");
    }
    return STATUS_USAGE;
}

static void add_option_names(parser *p, name_list *names, const option *options, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!options[i].hidden) {
            vec_push(p->memory, names, str_printf(p->memory, "--%s", options[i].name));
        }
    }
}

static status unknown_option(parser *p, str typed)
{
    name_list names = {0};

    if (p->in->command != NULL) {
        add_option_names(p, &names, p->in->command->options, p->in->command->option_count);
    }
    add_option_names(p, &names, global_options, global_option_count);
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        vec_push(p->memory, &names,
                 str_printf(p->memory, "--%s", setting_describe((setting)i)->name));
    }
    return refuse(p, "option", typed, &names);
}

static status unknown_command(parser *p, str typed)
{
    name_list names = {0};

    for (size_t i = 0; i < cli_command_count; i++) {
        if (!cli_commands[i]->hidden) {
            vec_push(p->memory, &names, str_c(cli_commands[i]->name));
        }
    }
    return refuse(p, "command", typed, &names);
}

/* ---- options ---- */

static const option *find_option(const parser *p, str name, char letter)
{
    const command *c = p->in->command;
    const option *lists[] = {c != NULL ? c->options : NULL, global_options};
    const size_t counts[] = {c != NULL ? c->option_count : 0, global_option_count};

    for (size_t l = 0; l < COUNT_OF(lists); l++) {
        for (size_t i = 0; i < counts[l]; i++) {
            const option *o = &lists[l][i];
            if (letter != 0 ? o->letter == letter : str_equal(name, str_c(o->name))) {
                return o;
            }
        }
    }
    return NULL;
}

static bool find_setting(str name, const setting_info **ret_info)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const setting_info *info = setting_describe((setting)i);
        if (str_equal(name, str_c(info->name))) {
            *ret_info = info;
            return true;
        }
    }
    return false;
}

/* The value behind "=", or the next word. */
static status take_value(parser *p, str typed, str attached, const char *wanted, str *ret_value)
{
    if (!str_is_null(attached)) {
        *ret_value = attached;
        return STATUS_OK;
    }
    if (p->at + 1 >= p->argc) {
        error_set(p->err, STATUS_USAGE, "option \"%.*s\" needs a value", STR_ARG(typed));
        error_hint(p->err, "%.*s %s.", STR_ARG(typed), wanted);
        return STATUS_USAGE;
    }
    *ret_value = str_c(p->argv[++p->at]);
    return STATUS_OK;
}

static status refuse_choice(parser *p, const char *what, str typed, str value, const char *choices)
{
    name_list names = {0};

    for (str rest = str_c(choices); !str_is_null(rest);) {
        vec_push(p->memory, &names, str_cut(rest, '|', &rest));
    }
    str nearest = str_nearest(value, names.items, names.count);
    error_set(p->err, STATUS_USAGE, "%s \"%.*s\" cannot be \"%.*s\"", what, STR_ARG(typed),
              STR_ARG(value));
    if (str_is_null(nearest)) {
        error_hint(p->err, "Choose one of %s.", choices);
    } else {
        error_hint(p->err, "Did you mean \"%.*s\"? There are %s.", STR_ARG(nearest), choices);
    }
    return STATUS_USAGE;
}

static status add_option(parser *p, const option *o, str typed, str attached)
{
    option_value value = {.option = o, .value = STR_NULL};

    if (o->value == NULL && !str_is_null(attached)) {
        return error_set(p->err, STATUS_USAGE, "option \"%.*s\" takes no value", STR_ARG(typed));
    }
    if (o->value != NULL) {
        TRY(take_value(p, typed, attached, o->value, &value.value));
        if (o->choices != NULL && !choices_have(o->choices, value.value)) {
            return refuse_choice(p, "option", typed, value.value, o->choices);
        }
    }
    if (strcmp(o->name, "help") == 0) {
        p->in->help = true;
    }
    vec_push(p->memory, &p->in->options, value);
    return STATUS_OK;
}

static status parse_long(parser *p, str word)
{
    str attached = STR_NULL;
    str typed = str_cut(word, '=', &attached);
    str name = str_slice(typed, 2, typed.size);
    const option *o = find_option(p, name, 0);
    const setting_info *info = NULL;

    if (o != NULL) {
        return add_option(p, o, typed, attached);
    }
    if (find_setting(name, &info)) {
        setting_flag flag = {.name = name};
        TRY(take_value(p, typed, attached, info->choices != NULL ? info->choices : "VALUE",
                       &flag.value));
        vec_push(p->memory, &p->in->settings, flag);
        return STATUS_OK;
    }
    return unknown_option(p, typed);
}

/* "-qv", "-ojson", "-o json". */
static status parse_letters(parser *p, str word)
{
    for (size_t i = 1; i < word.size; i++) {
        const option *o = find_option(p, STR_NULL, word.data[i]);
        str typed = str_printf(p->memory, "-%c", word.data[i]);
        if (o == NULL) {
            return unknown_option(p, word.size == 2 ? word : typed);
        }
        if (o->value != NULL) {
            str rest = str_slice(word, i + 1, word.size);
            return add_option(p, o, typed, rest.size > 0 ? rest : STR_NULL);
        }
        TRY(add_option(p, o, typed, STR_NULL));
    }
    return STATUS_OK;
}

/* ---- words ---- */

static status parse_word(parser *p, str word)
{
    invocation *in = p->in;

    if (in->command != NULL) {
        vec_push(p->memory, &in->arguments, word);
        return STATUS_OK;
    }
    str name = str_is_null(in->group)
                   ? word
                   : str_printf(p->memory, "%.*s %.*s", STR_ARG(in->group), STR_ARG(word));
    in->command = command_find(name);
    if (in->command != NULL) {
        in->group = STR_NULL;
        return STATUS_OK;
    }
    if (str_is_null(in->group) && command_is_group(word)) {
        in->group = word;
        return STATUS_OK;
    }
    return unknown_command(p, name);
}

static status check_arguments(parser *p)
{
    const invocation *in = p->in;
    const command *c = in->command;
    size_t given = in->arguments.count;

    for (size_t i = 0; i < c->argument_count; i++) {
        const argument *arg = &c->arguments[i];
        if (i >= given && !arg->optional) {
            error_set(p->err, STATUS_USAGE, "%s is missing: %s", arg->name, arg->help);
            error_hint(p->err, "Usage: %.*s.", STR_ARG(command_usage(p->memory, c)));
            return STATUS_USAGE;
        }
        if (i < given && arg->choices != NULL &&
            !choices_have(arg->choices, in->arguments.items[i])) {
            return refuse_choice(p, "argument", str_c(arg->name), in->arguments.items[i],
                                 arg->choices);
        }
    }
    if (given > c->argument_count &&
        (c->argument_count == 0 || !c->arguments[c->argument_count - 1].repeats)) {
        error_set(p->err, STATUS_USAGE, "argument \"%.*s\" is one too many",
                  STR_ARG(in->arguments.items[c->argument_count]));
        error_hint(p->err, "Usage: %.*s.", STR_ARG(command_usage(p->memory, c)));
        return STATUS_USAGE;
    }
    return STATUS_OK;
}

static status parse_next(parser *p)
{
    str word = str_c(p->argv[p->at]);

    if (p->options_ended || word.size < 2 || word.data[0] != '-') {
        return parse_word(p, word);
    }
    if (str_equal(word, STR("--"))) {
        p->options_ended = true;
        return STATUS_OK;
    }
    return word.data[1] == '-' ? parse_long(p, word) : parse_letters(p, word);
}

status invocation_parse(arena *a, int argc, char **argv, invocation *ret_invocation, error *err)
{
    invocation in = {0};
    parser p = {.memory = a, .argc = argc, .argv = argv, .in = &in, .err = err};

    for (p.at = 1; p.at < argc; p.at++) {
        TRY(parse_next(&p));
    }
    if (in.command != NULL && !in.help) {
        TRY(check_arguments(&p));
    }
    *ret_invocation = in;
    return STATUS_OK;
}
