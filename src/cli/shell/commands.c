/* The commands that begin with a backslash: one table, from which \?, completion and the reference are
 * made. */
#include <stdio.h>

#include "shell/internal.h"
#include "tarn/base/limits.h"

static bool help(shell *s, str operand);

/* ---- small ones ---- */

static bool quit(shell *s, str operand)
{
    (void)operand;
    s->ended = true;
    return true;
}

static bool echo(shell *s, str operand)
{
    arena *a = arena_create();
    const char *between = "";

    for (str word = shell_word(s, &operand, a); !str_is_null(word);
         word = shell_word(s, &operand, a)) {
        printf("%s%.*s", between, STR_ARG(word));
        between = " ";
    }
    printf("\n");
    arena_free(a);
    return true;
}

static bool use(shell *s, str operand)
{
    arena *a = arena_create();
    str word = shell_word(s, &operand, a);

    if (!str_is_null(word)) {
        s->shared.space = str_copy(s->c->lifetime, word);
    }
    str space = s->shared.space.size > 0 ? s->shared.space : STR("main");
    printf("namespace %.*s\n", STR_ARG(space));
    arena_free(a);
    return true;
}

static bool run_now(shell *s, str operand)
{
    (void)operand;
    return shell_run_pending(s);
}

static bool run_expanded(shell *s, str operand)
{
    (void)operand;
    s->block_once = true;
    bool fine = shell_run_pending(s);
    s->block_once = false;
    return fine;
}

static bool show_pending(shell *s, str operand)
{
    (void)operand;
    str text = str_trim(buf_str(s->statement.size > 0 ? &s->statement : &s->last));
    printf("%.*s\n", STR_ARG(text));
    return true;
}

static bool forget_pending(shell *s, str operand)
{
    (void)operand;
    buf_clear(&s->statement);
    return true;
}

/* ---- the table ---- */

typedef struct command_row {
    shell_command_info info;
    bool (*run)(shell *s, str operand);
} command_row;

/* clang-format off */
static const command_row commands[] = {
    {{"What there is", "\\d [NAME]",                      "columns of a table or view; without a name, tables"},       shell_describe},
    {{NULL,            "\\dt [NAMESPACE|PATTERN]",        "tables and their sizes; % stands for anything"},            shell_list_tables},
    {{NULL,            "\\dv",                            "views"},                                                    shell_list_views},
    {{NULL,            "\\dn",                            "namespaces"},                                               shell_list_namespaces},
    {{NULL,            "\\df [PATTERN]",                  "functions, and what they do"},                              shell_list_functions},
    {{NULL,            "\\l",                             "warehouses"},                                               shell_list_warehouses},
    {{"Running",       "\\g",                             "run what stands here without \";\", or the last again"},    run_now},
    {{NULL,            "\\gx",                            "the same, each row as a block"},                            run_expanded},
    {{NULL,            "\\watch [SECONDS]",               "the same again and again, until Ctrl-C"},                   shell_watch},
    {{NULL,            "\\e",                             "the last statement in $EDITOR, then run it"},               shell_edit},
    {{NULL,            "\\p",                             "show the statement that \\g would run"},                    show_pending},
    {{NULL,            "\\r",                             "forget what is typed so far"},                              forget_pending},
    {{NULL,            "\\! [COMMAND]",                  "a program of this machine, or its shell"},                  shell_escape},
    {{"Files",         "\\i FILE",                        "run the statements and commands of a file"},                shell_include},
    {{NULL,            "\\o [FILE | |COMMAND]",           "results into a file or program; alone: back here"},         shell_output},
    {{NULL,            "\\copy TABLE FROM FILE",          "rows of a file on this machine into a table"},              shell_copy},
    {{NULL,            "\\copy TABLE|(QUERY) TO FILE",    "rows into a file; its name tells the format"},              shell_copy},
    {{"Looks",         "\\x [on|off|auto]",               "each row as a block; auto: where it does not fit"},         shell_expanded},
    {{NULL,            "\\timing [on|off]",               "how long statements take"},                                 shell_timing},
    {{NULL,            "\\pset [NAME [VALUE]]",           "format, null, border, expanded, fit, pager, footer"},       shell_pset},
    {{"Else",          "\\n [NAMESPACE]",                 "the namespace of names without one"},                       use},
    {{NULL,            "\\conninfo",                      "which server this is"},                                     shell_connection_info},
    {{NULL,            "\\set [NAME VALUE]",              "a variable: :NAME in SQL, :'NAME' as a string"},            shell_set},
    {{NULL,            "\\unset NAME",                    "forget a variable"},                                        shell_unset},
    {{NULL,            "\\echo TEXT",                     "print a text"},                                             echo},
    {{NULL,            "\\h [STATEMENT]",                 "how statements are written"},                               shell_statement_help},
    {{NULL,            "\\?",                             "this list"},                                                help},
    {{NULL,            "\\q",                             "leave; Ctrl-D does too"},                                   quit},
};
/* clang-format on */

const shell_command_info *shell_command_list(size_t *ret_count)
{
    static shell_command_info list[COUNT_OF(commands)];

    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        list[i] = commands[i].info;
    }
    *ret_count = COUNT_OF(commands);
    return list;
}

static str name_of(const command_row *row)
{
    str rest;
    return str_cut(str_c(row->info.usage), ' ', &rest);
}

static bool help(shell *s, str operand)
{
    (void)s;
    (void)operand;
    printf(
        "SQL runs when it ends with \";\". Tab completes, Ctrl-R searches what was typed before, "
        "Ctrl-C stops a query\nor takes a line back.\n");
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        const shell_command_info *info = &commands[i].info;
        if (info->group != NULL) {
            printf("\n%s\n", info->group);
        }
        printf("  %-28s %s\n", info->usage, info->help);
    }
    return true;
}

/* ---- finding and running ---- */

void shell_command_names(str prefix, arena *a, str **ret_names, size_t *ret_count)
{
    size_t count = 0;

    *ret_names = ARENA_ARRAY(a, str, COUNT_OF(commands));
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        str name = name_of(&commands[i]);
        bool twice = count > 0 && str_equal((*ret_names)[count - 1], name);
        if (!twice && str_starts_with(name, prefix)) {
            (*ret_names)[count++] = name;
        }
    }
    *ret_count = count;
}

/* A quoted word's inside, with doubled quotes halved. */
static str quoted_word(str text, str *rest, arena *a)
{
    char mark = text.data[0];
    buf *word = buf_in(a, LIMIT_SQL_TEXT);
    size_t at = 1;

    for (; at < text.size; at++) {
        bool doubled = text.data[at] == mark && at + 1 < text.size && text.data[at + 1] == mark;
        if (text.data[at] == mark && !doubled) {
            break;
        }
        at += doubled ? 1 : 0;
        buf_add_char(word, text.data[at]);
    }
    *rest = str_slice(text, at + 1, text.size);
    return word->size > 0 ? buf_str(word) : STR("");
}

str shell_word(const shell *s, str *rest, arena *a)
{
    str text = str_trim(*rest);
    size_t end = 0;

    if (text.size == 0) {
        *rest = STR_NULL;
        return STR_NULL;
    }
    if (text.data[0] == '\'') {
        return quoted_word(text, rest, a);
    }
    while (end < text.size && text.data[end] != ' ' && text.data[end] != '\t' &&
           text.data[end] != '\n') {
        end++;
    }
    *rest = str_slice(text, end, text.size);
    return shell_expand(s, str_slice(text, 0, end), a);
}

static bool refuse_unknown(shell *s, str name)
{
    arena *a = arena_create();
    str *names;
    size_t count;
    bool fine;

    shell_command_names(STR("\\"), a, &names, &count);
    str nearest = str_nearest(name, names, count);
    if (str_is_null(nearest)) {
        fine = shell_refuse(s, "%.*s is not known; \\? lists what is", STR_ARG(name));
    } else {
        fine = shell_refuse(s, "%.*s is not known; did you mean %.*s? \\? lists all", STR_ARG(name),
                            STR_ARG(nearest));
    }
    arena_free(a);
    return fine;
}

bool shell_run_command(shell *s, str line)
{
    str rest = STR_NULL;
    str name = str_cut(str_trim(line), ' ', &rest);
    str operand = str_trim(str_is_null(rest) ? STR("") : rest);

    while (str_ends_with(name, STR(";"))) {
        name.size--;
    }
    while (str_ends_with(operand, STR(";"))) {
        operand = str_trim(str_slice(operand, 0, operand.size - 1));
    }
    if (name.size > 2 && (name.data[1] == 'x' || name.data[1] == 'd') && name.data[2] == '+') {
        name.size = 2; /* \d+ of other shells: there is no more to say */
    }
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        if (str_equal(name, name_of(&commands[i]))) {
            bool fine = commands[i].run(s, operand);
            fflush(stdout);
            return fine;
        }
    }
    return refuse_unknown(s, name);
}
