/* What can stand where the cursor is: columns of the statement's tables, tables behind FROM, functions,
 * keywords; for a backslash command its operands. */
#include <dirent.h>
#include <sys/stat.h>

#include "shell/internal.h"
#include "tarn/base/fs.h"
#include "tarn/base/limits.h"

typedef VEC(completion) completion_list;

typedef struct search {
    shell *shell;
    arena *a;
    str word; /* typed so far */
    completion_list found;
} search;

static const char *const keywords[] = {
    "all",
    "alter",
    "analyze",
    "and",
    "anti join",
    "as",
    "asc",
    "at",
    "begin",
    "between",
    "by name",
    "call",
    "case",
    "cast",
    "column",
    "commit",
    "create",
    "cross join",
    "current_date",
    "delete from",
    "desc",
    "describe",
    "distinct",
    "drop",
    "else",
    "end",
    "except",
    "exclude",
    "exists",
    "explain",
    "explain analyze",
    "false",
    "filter",
    "from",
    "full join",
    "group by",
    "having",
    "if exists",
    "if not exists",
    "ilike",
    "in",
    "inner join",
    "insert into",
    "intersect",
    "interval",
    "is not null",
    "is null",
    "join",
    "left join",
    "like",
    "limit",
    "matched",
    "merge into",
    "not",
    "null",
    "nulls first",
    "nulls last",
    "offset",
    "on",
    "or",
    "order by",
    "over",
    "partition by",
    "partitioned by",
    "pivot",
    "qualify",
    "returning",
    "right join",
    "rollback",
    "schema",
    "select",
    "semi join",
    "set",
    "show",
    "show tables",
    "summarize",
    "table",
    "tables",
    "then",
    "true",
    "truncate",
    "union",
    "union all",
    "unpivot",
    "update",
    "use",
    "using",
    "values",
    "view",
    "when",
    "where",
    "with",
};

/* ---- gathering ---- */

static void add(search *q, str word, const char *trailing)
{
    for (size_t i = 0; i < q->found.count; i++) {
        if (str_equal_nocase(q->found.items[i].word, word)) {
            return;
        }
    }
    vec_push(q->a, &q->found, ((completion){.word = word, .trailing = str_c(trailing)}));
}

static bool fits(const search *q, str word)
{
    return str_starts_with_nocase(word, q->word);
}

/* A name as SQL takes it: in quotes where it would be read otherwise. */
static str written(arena *a, str name)
{
    bool plain = name.size > 0 && !(name.data[0] >= '0' && name.data[0] <= '9');

    for (size_t i = 0; i < name.size; i++) {
        char c = name.data[i];
        plain = plain && ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
                          (c >= '0' && c <= '9') || (unsigned char)c >= 0x80);
    }
    return plain ? name : str_printf(a, "\"%.*s\"", STR_ARG(name));
}

static void add_tables(search *q)
{
    size_t count = 0;
    const shell_table *tables = shell_names_tables(q->shell->names, &count);
    str space = q->shell->shared.space.size > 0 ? q->shell->shared.space : STR("main");

    for (size_t i = 0; i < count; i++) {
        str name = written(q->a, tables[i].name);
        if (str_equal_nocase(tables[i].space, space) && fits(q, name)) {
            add(q, name, " ");
        }
    }
    for (size_t i = 0; i < count && q->word.size > 0; i++) {
        str name = str_printf(q->a, "%.*s.%.*s", STR_ARG(tables[i].space),
                              STR_ARG(written(q->a, tables[i].name)));
        bool dotted = str_find_char(q->word, '.') != STR_NPOS;
        if (dotted && fits(q, name)) {
            add(q, name, " ");
        }
    }
}

static void add_spaces(search *q, const char *trailing)
{
    size_t count = 0;
    const str *spaces = shell_names_spaces(q->shell->names, &count);

    for (size_t i = 0; i < count; i++) {
        if (fits(q, spaces[i])) {
            add(q, spaces[i], trailing);
        }
    }
}

static void add_keywords(search *q)
{
    bool upper = q->word.size > 0 && q->word.data[0] >= 'A' && q->word.data[0] <= 'Z';

    for (size_t i = 0; i < COUNT_OF(keywords) && q->word.size > 0; i++) {
        str word = str_c(keywords[i]);
        if (fits(q, word)) {
            add(q, upper ? str_upper(q->a, word) : word, " ");
        }
    }
}

static void add_functions(search *q)
{
    size_t count = 0;

    if (q->word.size < 2) {
        return; /* hundreds */
    }
    const str *names = shell_names_functions(q->shell->names, &count);
    for (size_t i = 0; i < count; i++) {
        if (fits(q, names[i])) {
            add(q, names[i], "(");
        }
    }
}

/* ---- the statement around the cursor ---- */

typedef struct table_use {
    str table, alias;
} table_use;
typedef VEC(table_use) use_list;

static bool is_word(str token)
{
    char c = token.size > 0 ? token.data[0] : 0;
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '"' ||
           (unsigned char)c >= 0x80;
}

static bool is_one_of(str word, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (str_equal_nocase(word, str_c(words[i]))) {
            return true;
        }
    }
    return false;
}

/* Behind these a table stands. */
static const char *const before_tables[] = {"from",     "join",  "into",      "update", "table",
                                            "describe", "using", "summarize", "desc"};
/* These are no alias. */
static const char *const no_alias[] = {
    "where",  "group",   "order",      "join",    "left",   "right",       "inner",
    "full",   "cross",   "on",         "using",   "limit",  "union",       "set",
    "values", "select",  "having",     "at",      "anti",   "semi",        "when",
    "as",     "natural", "positional", "qualify", "offset", "tablesample", "pivot"};

static str next_token(str text, size_t *at)
{
    bool blank = true;
    size_t start = *at;

    while (*at < text.size && blank) {
        start = *at;
        *at = query_skip_token(text, *at, &blank);
    }
    return blank ? STR_NULL : str_slice(text, start, *at);
}

/* a.b.c in one piece. */
static str next_name(str text, size_t *at)
{
    size_t behind = *at;
    str first = next_token(text, &behind);

    if (!is_word(first)) {
        return STR_NULL;
    }
    size_t start = (size_t)(first.data - text.data);
    *at = behind;
    while (behind < text.size && text.data[behind] == '.') {
        behind++;
        if (!is_word(next_token(text, &behind))) {
            break;
        }
        *at = behind;
    }
    return str_slice(text, start, *at);
}

static use_list find_tables(str text, arena *a)
{
    use_list uses = {0};

    for (size_t at = 0; at < text.size;) {
        str token = next_token(text, &at);
        if (str_is_null(token)) {
            break;
        }
        bool listed = is_one_of(token, before_tables, COUNT_OF(before_tables));
        while (listed) {
            str name = next_name(text, &at);
            size_t ahead = at;
            str next = next_token(text, &ahead);
            if (str_is_null(name)) {
                break;
            }
            table_use use = {.table = name, .alias = STR_NULL};
            if (str_equal_nocase(next, STR("as"))) {
                at = ahead;
                next = next_token(text, &ahead);
            }
            if (is_word(next) && !is_one_of(next, no_alias, COUNT_OF(no_alias))) {
                use.alias = next;
                at = ahead;
                next = next_token(text, &ahead);
            }
            vec_push(a, &uses, use);
            listed = str_equal(next, STR(","));
            at = listed ? ahead : at;
        }
    }
    return uses;
}

static str last_part(str name)
{
    size_t dot = str_find_last_char(name, '.');
    return dot == STR_NPOS ? name : str_slice(name, dot + 1, name.size);
}

/* Columns of the statement's tables; of one of them where `prefix` names it ("t."). */
static void add_columns(search *q, str statement, str prefix)
{
    use_list uses = find_tables(statement, q->a);

    for (size_t i = 0; i < uses.count; i++) {
        const table_use *use = &uses.items[i];
        size_t count = 0;
        if (prefix.size > 0 && !str_equal_nocase(use->alias, prefix) &&
            !str_equal_nocase(use->table, prefix) &&
            !str_equal_nocase(last_part(use->table), prefix)) {
            continue;
        }
        const str *columns = shell_names_columns(q->shell->names, use->table, &count);
        for (size_t k = 0; k < count; k++) {
            str name = written(q->a, columns[k]);
            str word = prefix.size > 0
                           ? str_printf(q->a, "%.*s.%.*s", STR_ARG(prefix), STR_ARG(name))
                           : name;
            if (fits(q, word)) {
                add(q, word, "");
            }
        }
    }
}

/* The word in front of the one that is typed. */
static str word_before(str text)
{
    str last = STR_NULL;

    for (size_t at = 0; at < text.size;) {
        str token = next_token(text, &at);
        if (str_is_null(token)) {
            break;
        }
        last = token;
    }
    return last;
}

static void search_sql(search *q, str before, str whole)
{
    str previous = word_before(before);
    size_t dot = str_find_last_char(q->word, '.');

    if (is_one_of(previous, before_tables, COUNT_OF(before_tables))) {
        add_tables(q);
        add_spaces(q, ".");
        if (q->word.size >= 2 && str_equal_nocase(previous, STR("table"))) {
            add_keywords(q);
        }
        return;
    }
    if (str_equal_nocase(previous, STR("use"))) {
        add_spaces(q, "");
        return;
    }
    if (dot != STR_NPOS) {
        add_columns(q, whole, str_slice(q->word, 0, dot));
        add_tables(q);
        return;
    }
    add_columns(q, whole, STR_NULL);
    if (q->word.size > 0) {
        add_keywords(q);
        add_functions(q);
        add_tables(q);
    }
}

/* ---- commands ---- */

static void add_words(search *q, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (fits(q, str_c(words[i]))) {
            add(q, str_c(words[i]), " ");
        }
    }
}

static void add_files(search *q)
{
    size_t slash = str_find_last_char(q->word, '/');
    str folder = slash == STR_NPOS ? STR("") : str_slice(q->word, 0, slash + 1);
    const char *path = folder.size > 0 ? str_to_c(q->a, folder) : ".";
    str *names = NULL;
    size_t count = 0;
    struct stat about;

    if (fs_list(path, q->a, &names, &count, NULL) != STATUS_OK) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        str word = str_concat(q->a, folder, names[i]);
        bool hidden = names[i].data[0] == '.' && q->word.size == folder.size;
        if (hidden || !str_starts_with(word, q->word)) {
            continue;
        }
        bool is_folder = stat(str_to_c(q->a, word), &about) == 0 && S_ISDIR(about.st_mode);
        vec_push(q->a, &q->found,
                 ((completion){.word = is_folder ? str_concat(q->a, word, STR("/")) : word,
                               .trailing = is_folder ? STR("") : STR(" ")}));
    }
}

static void add_statements(search *q)
{
    str *names;
    size_t count;

    shell_statement_names(q->a, &names, &count);
    for (size_t i = 0; i < count; i++) {
        str name = names[i];
        if (fits(q, name)) {
            add(q, q->word.size > 0 && q->word.data[0] >= 'a' ? str_lower(q->a, name) : name, "");
        }
    }
}

static const char *const switches[] = {"on", "off"};
static const char *const expansions[] = {"on", "off", "auto"};
static const char *const directions[] = {"from", "to"};
static const char *const formats[] = {"table", "box",   "md",    "csv",    "tsv",
                                      "json",  "jsonl", "arrow", "parquet"};

static void add_operands_of_pset(search *q, str previous)
{
    if (str_equal(previous, STR("\\pset"))) {
        add_words(q, shell_pset_words, shell_pset_word_count);
    } else if (str_equal_nocase(previous, STR("format"))) {
        add_words(q, formats, COUNT_OF(formats));
    } else if (str_equal_nocase(previous, STR("expanded"))) {
        add_words(q, expansions, COUNT_OF(expansions));
    } else {
        add_words(q, switches, COUNT_OF(switches));
    }
}

static void add_operands_of_copy(search *q, str previous)
{
    bool file = str_equal_nocase(previous, STR("from")) || str_equal_nocase(previous, STR("to"));

    if (str_equal(previous, STR("\\copy"))) {
        add_tables(q);
    } else if (file) {
        add_files(q);
    } else {
        add_words(q, directions, COUNT_OF(directions));
    }
}

/* `name` and `previous`: the first word of the line and the last one before the cursor. */
static void search_operand(search *q, str name, str previous)
{
    if (str_equal(name, STR("\\i")) || str_equal(name, STR("\\o"))) {
        add_files(q);
    } else if (str_equal(name, STR("\\d"))) {
        add_tables(q);
        add_spaces(q, ".");
    } else if (str_equal(name, STR("\\dt")) || str_equal(name, STR("\\n"))) {
        add_spaces(q, "");
    } else if (str_equal(name, STR("\\df"))) {
        add_functions(q);
    } else if (str_equal(name, STR("\\h"))) {
        add_statements(q);
    } else if (str_equal(name, STR("\\x"))) {
        add_words(q, expansions, COUNT_OF(expansions));
    } else if (str_equal(name, STR("\\timing"))) {
        add_words(q, switches, COUNT_OF(switches));
    } else if (str_equal(name, STR("\\pset"))) {
        add_operands_of_pset(q, previous);
    } else if (str_equal(name, STR("\\copy"))) {
        add_operands_of_copy(q, previous);
    }
}

static void search_command(search *q, str line)
{
    str rest;
    str name = str_cut(line, ' ', &rest);
    size_t typed = q->word.size;

    if (str_is_null(rest)) {
        str *names;
        size_t count;
        shell_command_names(q->word, q->a, &names, &count);
        for (size_t i = 0; i < count; i++) {
            add(q, names[i], " ");
        }
        return;
    }
    str before = str_trim(str_slice(line, 0, line.size - typed));
    size_t blank = str_find_last_char(before, ' ');
    search_operand(q, name, blank == STR_NPOS ? before : str_slice(before, blank + 1, before.size));
}

/* ---- the word at the cursor ---- */

static bool is_sql_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == '"' || (unsigned char)c >= 0x80;
}

void shell_complete(shell *s, str before, str after, arena *a, size_t *ret_start,
                    completion **ret_words, size_t *ret_count)
{
    search q = {.shell = s, .a = a};
    str line = before;
    size_t start = before.size;
    str pending = buf_str(&s->statement);
    str earlier = str_concat(a, pending, before);
    bool is_command = pending.size == 0 && str_starts_with(str_trim(before), STR("\\"));

    while (start > 0 &&
           (is_command ? before.data[start - 1] != ' ' && before.data[start - 1] != '\''
                       : is_sql_char(before.data[start - 1]))) {
        start--;
    }
    q.word = str_slice(before, start, before.size);
    char open = query_open_mark(earlier);
    if (is_command) {
        while (line.size > 0 && line.data[0] == ' ') {
            line = str_slice(line, 1, line.size);
        }
        search_command(&q, line);
    } else if (open == 0 || open == '(') { /* not inside of a string */
        str sql_before = str_slice(earlier, 0, earlier.size - q.word.size);
        search_sql(&q, sql_before, str_concat(a, earlier, after));
    }
    *ret_start = start;
    *ret_words = q.found.items;
    *ret_count = q.found.count;
}
