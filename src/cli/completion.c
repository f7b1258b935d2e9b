/* Completion scripts, made from the tables. Table names are asked of tarn itself while typing, but
 * only where a server runs: a Tab starts nothing. */
#include "completion.h"

#include "invocation.h"
#include "tarn/settings/settings.h"

/* The command for table names, quiet about everything. */
#define TABLE_NAMES "tarn table ls --complete -o tsv -q 2>/dev/null"

static void add_option_words(buf *out, const option *options, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!options[i].hidden) {
            buf_printf(out, " --%s", options[i].name);
        }
        if (!options[i].hidden && options[i].letter != 0) {
            buf_printf(out, " -%c", options[i].letter);
        }
    }
}

static str first_word(const char *name)
{
    str rest;
    return str_cut(str_c(name), ' ', &rest);
}

/* True for the first command of its group, and for commands without one. */
static bool is_first(size_t index)
{
    return index == 0 || !str_equal(first_word(cli_commands[index]->name),
                                    first_word(cli_commands[index - 1]->name));
}

static void add_first_words(buf *out)
{
    for (size_t i = 0; i < cli_command_count; i++) {
        if (!cli_commands[i]->hidden && is_first(i)) {
            str word = first_word(cli_commands[i]->name);
            buf_printf(out, " %.*s", STR_ARG(word));
        }
    }
}

static void add_second_words(buf *out, str group)
{
    for (size_t i = 0; i < cli_command_count; i++) {
        str rest;
        str word = str_cut(str_c(cli_commands[i]->name), ' ', &rest);
        if (str_equal(word, group) && !str_is_null(rest) && !cli_commands[i]->hidden) {
            buf_printf(out, " %.*s", STR_ARG(rest));
        }
    }
}

static void add_choice_words(buf *out, const char *choices)
{
    for (str rest = str_c(choices); !str_is_null(rest);) {
        str choice = str_cut(rest, '|', &rest);
        buf_printf(out, " %.*s", STR_ARG(choice));
    }
}

/* ---- bash ---- */

static void add_bash_choices(buf *out, const option *options, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const option *o = &options[i];
        if (o->choices == NULL || o->hidden) {
            continue;
        }
        buf_printf(out, "        --%s", o->name);
        if (o->letter != 0) {
            buf_printf(out, "|-%c", o->letter);
        }
        buf_add_c(out, ") words=\"");
        add_choice_words(out, o->choices);
        buf_add_c(out, "\" ;;\n");
    }
}

static const char *argument_words(const command *c)
{
    for (size_t i = 0; i < c->argument_count; i++) {
        if (c->arguments[i].kind == ARGUMENT_TABLE) {
            return " $(" TABLE_NAMES ")";
        }
    }
    return "";
}

static bool takes_files(const command *c)
{
    for (size_t i = 0; i < c->argument_count; i++) {
        if (c->arguments[i].kind == ARGUMENT_FILE) {
            return true;
        }
    }
    return false;
}

static void add_bash_command(buf *out, const command *c)
{
    buf_printf(out, "        \"%s\")\n            words=\"", c->name);
    add_option_words(out, c->options, c->option_count);
    buf_add_c(out, " $global");
    if (strcmp(c->name, "help") == 0) {
        add_first_words(out);
    }
    buf_printf(out, "%s\"\n", argument_words(c));
    if (takes_files(c)) {
        buf_add_c(out, "            files=1\n");
    }
    buf_add_c(out, "            ;;\n");
}

static void add_bash_groups(buf *out)
{
    for (size_t i = 0; i < cli_command_count; i++) {
        str rest;
        str group = str_cut(str_c(cli_commands[i]->name), ' ', &rest);
        if (str_is_null(rest) || !is_first(i)) {
            continue;
        }
        buf_printf(out, "        \"%.*s\") words=\"", STR_ARG(group));
        add_second_words(out, group);
        buf_add_c(out, "\" ;;\n");
    }
}

/* --format has other values for another command. */
static void add_bash_command_choices(buf *out, const command *c)
{
    buf_printf(out, "    \"%s:\"*)\n        case \"$previous\" in\n", c->name);
    add_bash_choices(out, c->options, c->option_count);
    buf_add_c(out, "        --*file|--out|--data|--config|-f) words=\"\"; files=1 ;;\n"
                   "        esac\n        ;;\n");
}

static void add_bash_body(buf *out)
{
    buf_add_c(out, "    case \"$command\" in\n        \"\") words=\"");
    add_first_words(out);
    buf_add_c(out, " $global\" ;;\n");
    add_bash_groups(out);
    for (size_t i = 0; i < cli_command_count; i++) {
        if (!cli_commands[i]->hidden) {
            add_bash_command(out, cli_commands[i]);
        }
    }
    buf_add_c(out, "    esac\n    case \"$previous\" in\n");
    add_bash_choices(out, global_options, global_option_count);
    buf_add_c(out, "    esac\n    case \"$command:$previous\" in\n");
    for (size_t i = 0; i < cli_command_count; i++) {
        if (!cli_commands[i]->hidden) {
            add_bash_command_choices(out, cli_commands[i]);
        }
    }
    buf_add_c(out, "    esac\n");
}

void completion_bash(buf *out)
{
    buf_add_c(out, "# bash completion for tarn: source <(tarn completion bash)\n"
                   "_tarn() {\n"
                   "    local current previous command=\"\" words=\"\" files=\"\" word i\n"
                   "    current=\"${COMP_WORDS[COMP_CWORD]}\"\n"
                   "    previous=\"${COMP_WORDS[COMP_CWORD-1]}\"\n"
                   "    local global=\"");
    add_option_words(out, global_options, global_option_count);
    buf_add_c(out, "\"\n    local groups=\"");
    for (size_t i = 0; i < cli_command_count; i++) {
        str rest;
        str group = str_cut(str_c(cli_commands[i]->name), ' ', &rest);
        if (!str_is_null(rest) && is_first(i)) {
            buf_printf(out, " %.*s", STR_ARG(group));
        }
    }
    buf_add_c(out, " \"\n"
                   "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
                   "        word=\"${COMP_WORDS[i]}\"\n"
                   "        case \"$word\" in -*) continue ;; esac\n"
                   "        if [ -z \"$command\" ]; then\n"
                   "            command=\"$word\"\n"
                   "        elif [[ \"$groups\" == *\" $command \"* ]]; then\n"
                   "            command=\"$command $word\"\n"
                   "        fi\n"
                   "    done\n");
    add_bash_body(out);
    buf_add_c(out, "    COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
                   "    if [ -n \"$files\" ] && [[ \"$current\" != -* ]]; then\n"
                   "        COMPREPLY+=($(compgen -f -- \"$current\"))\n"
                   "    fi\n"
                   "}\n"
                   "complete -o filenames -F _tarn tarn\n");
}

/* ---- zsh ---- */

/* zsh has bash's completion built in: one script, one behaviour. */
void completion_zsh(buf *out)
{
    buf_add_c(out, "#compdef tarn\n# zsh completion for tarn: source <(tarn completion zsh)\n"
                   "autoload -Uz bashcompinit && bashcompinit\n");
    completion_bash(out);
}

/* ---- fish ---- */

static void add_fish_quoted(buf *out, const char *text)
{
    buf_add_char(out, '\'');
    for (; *text != '\0'; text++) {
        buf_add_c(out, *text == '\'' || *text == '\\' ? "\\" : "");
        buf_add_char(out, *text);
    }
    buf_add_char(out, '\'');
}

static void add_fish_options(buf *out, const char *condition, const option *options, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const option *o = &options[i];
        if (o->hidden) {
            continue;
        }
        buf_printf(out, "complete -c tarn%s -l %s", condition, o->name);
        if (o->letter != 0) {
            buf_printf(out, " -s %c", o->letter);
        }
        if (o->choices != NULL) {
            buf_add_c(out, " -x -a '");
            add_choice_words(out, o->choices);
            buf_add_c(out, "'");
        } else if (o->value != NULL) {
            buf_add_c(out, " -r");
        }
        buf_add_c(out, " -d ");
        add_fish_quoted(out, o->help);
        buf_add_c(out, "\n");
    }
}

static void add_fish_command(buf *out, arena *a, const command *c, bool first)
{
    str rest;
    str word = str_cut(str_c(c->name), ' ', &rest);

    if (str_is_null(rest)) {
        buf_printf(out, "complete -c tarn -n __fish_use_subcommand -f -a %s -d ", c->name);
    } else {
        if (first) {
            buf_printf(out, "complete -c tarn -n __fish_use_subcommand -f -a %.*s\n",
                       STR_ARG(word));
        }
        buf_printf(out, "complete -c tarn -n '__fish_seen_subcommand_from %.*s' -f -a %.*s -d ",
                   STR_ARG(word), STR_ARG(rest));
    }
    add_fish_quoted(out, c->summary);
    buf_add_c(out, "\n");
    const char *condition =
        arena_printf(a, " -n '__fish_seen_subcommand_from %.*s'", STR_ARG(word));
    add_fish_options(out, condition, c->options, c->option_count);
    if (argument_words(c)[0] != '\0') {
        buf_printf(out, "complete -c tarn%s -a '(" TABLE_NAMES ")'\n", condition);
    }
}

void completion_fish(buf *out)
{
    arena *scratch = arena_create();

    buf_add_c(out, "# fish completion for tarn: tarn completion fish | source\n");
    add_fish_options(out, "", global_options, global_option_count);
    for (size_t i = 0; i < cli_command_count; i++) {
        if (!cli_commands[i]->hidden) {
            add_fish_command(out, scratch, cli_commands[i], is_first(i));
        }
    }
    arena_free(scratch);
}
