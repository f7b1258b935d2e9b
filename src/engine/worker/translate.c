/* Translating DuckDB's errors. Three tables decide: by subtype, by words of the message, by DuckDB's type of error. */
#include "worker/translate.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "protocol.h"
#include "tarn/base/limits.h"
#include "tarn/codec/json.h"
#include "worker/translate_csv.h"

/* What is known of a failure before it is worded. */
typedef struct raw_error {
    str type;    /* "Binder" */
    str subtype; /* "COLUMN_NOT_FOUND", or empty */
    str text;    /* the message itself */
    str entry;   /* of a missing entry: "Scalar Function" */
    str name;    /* of the object */
    str candidates;
    int position;
} raw_error;

/* --- kinds --- */

typedef struct type_row {
    str type;
    status kind;
    bool is_fatal;
} type_row;

static const type_row type_rows[] = {
    {STR_INIT("Parser"), STATUS_SYNTAX, false},
    {STR_INIT("Syntax"), STATUS_SYNTAX, false},
    {STR_INIT("Binder"), STATUS_INVALID, false},
    {STR_INIT("Catalog"), STATUS_INVALID, false},
    {STR_INIT("Planner"), STATUS_INVALID, false},
    {STR_INIT("Expression"), STATUS_INVALID, false},
    {STR_INIT("Settings"), STATUS_INVALID, false},
    {STR_INIT("Invalid Configuration"), STATUS_INVALID, false},
    {STR_INIT("Parameter Not Resolved"), STATUS_INVALID, false},
    {STR_INIT("Parameter Not Allowed"), STATUS_INVALID, false},
    {STR_INIT("TransactionContext"), STATUS_INVALID, false},
    {STR_INIT("Mismatch Type"), STATUS_WRONG_TYPE, false},
    {STR_INIT("Invalid type"), STATUS_WRONG_TYPE, false},
    {STR_INIT("Unknown Type"), STATUS_WRONG_TYPE, false},
    {STR_INIT("Conversion"), STATUS_BAD_DATA, false},
    {STR_INIT("Out of Range"), STATUS_BAD_DATA, false},
    {STR_INIT("Decimal"), STATUS_BAD_DATA, false},
    {STR_INIT("Divide by Zero"), STATUS_BAD_DATA, false},
    {STR_INIT("Invalid Input"), STATUS_BAD_DATA, false},
    {STR_INIT("Invalid"), STATUS_BAD_DATA, false},
    {STR_INIT("Constraint"), STATUS_BAD_DATA, false},
    {STR_INIT("Sequence"), STATUS_BAD_DATA, false},
    {STR_INIT("Object Size"), STATUS_TOO_LARGE, false},
    {STR_INIT("Dependency"), STATUS_NOT_EMPTY, false},
    {STR_INIT("Not implemented"), STATUS_UNSUPPORTED, false},
    {STR_INIT("Missing Extension"), STATUS_UNSUPPORTED, false},
    {STR_INIT("Extension Autoloading"), STATUS_UNSUPPORTED, false},
    {STR_INIT("Permission"), STATUS_DENIED, false},
    {STR_INIT("HTTP"), STATUS_DENIED, false},
    {STR_INIT("Network"), STATUS_DENIED, false},
    {STR_INIT("IO"), STATUS_IO, false},
    {STR_INIT("Serialization"), STATUS_CORRUPT, false},
    {STR_INIT("Out of Memory"), STATUS_OUT_OF_MEMORY, false},
    {STR_INIT("INTERRUPT"), STATUS_CANCELLED, false},
    {STR_INIT("INTERNAL"), STATUS_INTERNAL, true},
    {STR_INIT("FATAL"), STATUS_INTERNAL, true},
};

/* Words that say more than the type does. The first row that fits decides; an empty type fits all. */
typedef struct word_row {
    str type;
    str words;
    status kind;
} word_row;

static const word_row word_rows[] = {
    {STR_INIT("Out of Memory"), STR_INIT("max_temp_directory_size"), STATUS_NO_SPACE},
    {STR_INIT("IO"), STR_INIT("No space left"), STATUS_NO_SPACE},
    {STR_INIT("IO"), STR_INIT("Disk quota exceeded"), STATUS_NO_SPACE},
    {STR_INIT("IO"), STR_INIT("File too large"), STATUS_NO_SPACE},
    {STR_INIT("IO"), STR_INIT("Permission denied"), STATUS_DENIED},
    {STR_INIT("IO"), STR_INIT("Operation not permitted"), STATUS_DENIED},
    {STR_INIT("IO"), STR_INIT("Failed to load"), STATUS_DENIED},
    {STR_INIT(""), STR_INIT("has been disabled"), STATUS_DENIED},
    {STR_INIT(""), STR_INIT("configuration has been locked"), STATUS_DENIED},
    {STR_INIT(""), STR_INIT("magic bytes"), STATUS_CORRUPT},
    {STR_INIT(""), STR_INIT("too small to be a Parquet file"), STATUS_CORRUPT},
    {STR_INIT(""), STR_INIT("TProtocolException"), STATUS_CORRUPT},
    {STR_INIT(""), STR_INIT("Out of buffer"), STATUS_CORRUPT},
    {STR_INIT("IO"), STR_INIT("ould not read enough bytes"), STATUS_CORRUPT},
    {STR_INIT("IO"), STR_INIT("ailed to read Parquet file"), STATUS_CORRUPT},
    {STR_INIT(""), STR_INIT("decompression failure"), STATUS_CORRUPT},
    {STR_INIT(""), STR_INIT("Decompression failure"), STATUS_CORRUPT},
    {STR_INIT(""), STR_INIT("is corrupt"), STATUS_CORRUPT},
    {STR_INIT(""), STR_INIT("ooter length error"), STATUS_CORRUPT},
    {STR_INIT("Binder"), STR_INIT("does not have a column named"), STATUS_NO_COLUMN},
    {STR_INIT("Binder"), STR_INIT("Referenced column"), STATUS_NO_COLUMN},
    {STR_INIT("Binder"), STR_INIT("does not exist on left side"), STATUS_NO_COLUMN},
    {STR_INIT("Binder"), STR_INIT("does not exist on right side"), STATUS_NO_COLUMN},
    {STR_INIT("Binder"), STR_INIT("list not found in FROM clause"), STATUS_NO_COLUMN},
    {STR_INIT("Binder"), STR_INIT("Cannot concatenate types"), STATUS_WRONG_TYPE},
    {STR_INIT("Binder"), STR_INIT("Referenced table"), STATUS_NO_TABLE},
    {STR_INIT("Binder"), STR_INIT("Cannot compare values"), STATUS_WRONG_TYPE},
    {STR_INIT("Binder"), STR_INIT("Cannot mix values"), STATUS_WRONG_TYPE},
    {STR_INIT("Binder"), STR_INIT("Could not choose a best candidate"), STATUS_WRONG_TYPE},
    {STR_INIT("Binder"), STR_INIT("No function matches"), STATUS_WRONG_TYPE},
    {STR_INIT("Binder"), STR_INIT("annot cast"), STATUS_WRONG_TYPE},
    {STR_INIT("Binder"), STR_INIT("must be of type"), STATUS_WRONG_TYPE},
    {STR_INIT(""), STR_INIT("Unimplemented type for cast"), STATUS_WRONG_TYPE},
    {STR_INIT("Catalog"), STR_INIT("already exists"), STATUS_EXISTS},
    {STR_INIT("Catalog"), STR_INIT("does not exist because schema"), STATUS_NO_TABLE},
    {STR_INIT("Invalid Input"), STR_INIT("prepared statement parameter"), STATUS_INVALID},
    {STR_INIT("Invalid Input"), STR_INIT("parameters, but none were supplied"), STATUS_INVALID},
    {STR_INIT("Invalid Input"), STR_INIT("Attempting to execute an unsuccessful or closed"),
     STATUS_CANCELLED},
};

/* What programs tell apart by SQLSTATE and the kinds do not. The first row that fits decides; an empty type fits all,
 * and so do empty words. */
typedef struct state_row {
    str type;
    str words;
    const char *sqlstate;
} state_row;

static const state_row state_rows[] = {
    {STR_INIT("Divide by Zero"), STR_INIT(""), "22012"},
    {STR_INIT(""), STR_INIT("ivision by zero"), "22012"},
    {STR_INIT("Constraint"), STR_INIT("NOT NULL"), "23502"},
    {STR_INIT(""), STR_INIT("field value out of range"), "22008"},
    {STR_INIT("Conversion"), STR_INIT("ould not cast value"), "22003"},
    {STR_INIT("Conversion"), STR_INIT("out of range"), "22003"},
    {STR_INIT("Conversion"), STR_INIT("cannot be cast because the value"), "22003"},
    {STR_INIT("Conversion"), STR_INIT("timestamp"), "22007"},
    {STR_INIT("Conversion"), STR_INIT("date field value"), "22007"},
    {STR_INIT("Conversion"), STR_INIT("date \""), "22007"},
    {STR_INIT("Conversion"), STR_INIT("time field value"), "22007"},
    {STR_INIT("Out of Range"), STR_INIT(""), "22003"},
    {STR_INIT(""), STR_INIT("More than one row returned by a subquery"), "21000"},
    {STR_INIT(""), STR_INIT("invalid regular expression"), "2201B"},
    {STR_INIT(""), STR_INIT("Invalid regular expression"), "2201B"},
    {STR_INIT("Invalid Input"), STR_INIT("missing )"), "2201B"},
    {STR_INIT("Invalid Input"), STR_INIT("missing ]"), "2201B"},
    {STR_INIT("Invalid Input"), STR_INIT("repetition operator"), "2201B"},
    {STR_INIT("Binder"), STR_INIT("mbiguous reference to column"), "42702"},
    {STR_INIT("Binder"), STR_INIT("uplicate alias"), "42712"},
    {STR_INIT("Binder"), STR_INIT("GROUP BY"), "42803"},
    {STR_INIT("Binder"), STR_INIT("cannot contain aggregates"), "42803"},
    {STR_INIT("Binder"), STR_INIT("aggregate function calls cannot be nested"), "42803"},
    {STR_INIT("Binder"), STR_INIT("cannot contain window functions"), "42P20"},
    {STR_INIT("Binder"), STR_INIT("window function calls cannot be nested"), "42P20"},
    {STR_INIT("Binder"), STR_INIT("term out of range"), "42P10"},
    {STR_INIT("Binder"), STR_INIT("same number of result columns"), "42601"},
    {STR_INIT("Binder"), STR_INIT("Could not choose a best candidate"), "42725"},
    {STR_INIT("Catalog"), STR_INIT("Type with name"), "42704"},
    {STR_INIT("Catalog"), STR_INIT("Collation with name"), "42704"},
    {STR_INIT("Invalid Input"), STR_INIT("prepared statement parameter"), "42P02"},
    {STR_INIT("Invalid Input"), STR_INIT("parameters, but none were supplied"), "42P02"},
};

static const char *state_of(const raw_error *raw)
{
    for (size_t i = 0; i < COUNT_OF(state_rows); i++) {
        const state_row *row = &state_rows[i];

        if ((row->type.size == 0 || str_equal_nocase(raw->type, row->type)) &&
            (row->words.size == 0 || str_find(raw->text, row->words) != STR_NPOS)) {
            return row->sqlstate;
        }
    }
    return "";
}

static status kind_of(const raw_error *raw, bool *ret_is_fatal)
{
    *ret_is_fatal = false;
    for (size_t i = 0; i < COUNT_OF(word_rows); i++) {
        const word_row *row = &word_rows[i];

        if ((row->type.size == 0 || str_equal_nocase(raw->type, row->type)) &&
            str_find(raw->text, row->words) != STR_NPOS) {
            return row->kind;
        }
    }
    for (size_t i = 0; i < COUNT_OF(type_rows); i++) {
        if (str_equal_nocase(raw->type, type_rows[i].type)) {
            *ret_is_fatal = type_rows[i].is_fatal;
            return type_rows[i].kind;
        }
    }
    return STATUS_INTERNAL;
}

/* --- reading --- */

/* "LINE 2: select foo\n               ^": the byte under the caret, where the line is shown whole. */
static int find_position(str text, str sql)
{
    size_t start = str_find(text, STR("\nLINE "));
    str rest, line, caret;
    size_t column, colon, head;
    size_t line_start = 0;
    uint64_t number;

    if (start == STR_NPOS) {
        return ERROR_NO_POSITION;
    }
    line = str_cut(str_slice(text, start + 1, text.size), '\n', &rest);
    caret = str_cut(rest, '\n', &rest);
    colon = str_find_char(line, ':');
    if (colon == STR_NPOS || str_to_uint64(str_slice(line, 5, colon), &number, NULL) != STATUS_OK) {
        return ERROR_NO_POSITION;
    }
    head = colon + 2;
    column = str_find_char(caret, '^');
    if (number == 0 || column == STR_NPOS || column < head || line.size < head) {
        return ERROR_NO_POSITION;
    }
    for (; number > 1; number--) {
        size_t newline = str_find_char(str_slice(sql, line_start, sql.size), '\n');

        if (newline == STR_NPOS) {
            return ERROR_NO_POSITION;
        }
        line_start += newline + 1;
    }
    if (!str_starts_with(str_slice(sql, line_start, sql.size), str_slice(line, head, line.size))) {
        return ERROR_NO_POSITION; /* cut with "..." */
    }
    return (int)(line_start + column - head);
}

static bool read_json(str text, arena *a, raw_error *raw)
{
    size_t brace = str_find_char(text, '{');
    const json *document;
    str position;
    int64_t offset;

    if (brace == STR_NPOS ||
        json_parse(str_slice(text, brace, text.size), a, &document, NULL) != STATUS_OK ||
        json_get(document, "exception_type") == NULL) {
        return false;
    }
    raw->type = json_str_or(json_get(document, "exception_type"), STR(""));
    raw->text = json_str_or(json_get(document, "exception_message"), STR(""));
    raw->subtype = json_str_or(json_get(document, "error_subtype"), STR(""));
    raw->entry = json_str_or(json_get(document, "type"), STR(""));
    raw->name = json_str_or(json_get(document, "name"), STR(""));
    raw->candidates = json_str_or(json_get(document, "candidates"), STR(""));
    position = json_str_or(json_get(document, "position"), STR(""));
    if (position.size > 0 && str_to_int64(position, &offset, NULL) == STATUS_OK &&
        offset < INT32_MAX) {
        raw->position = (int)offset;
    }
    return true;
}

static void read_text(str text, str sql, raw_error *raw)
{
    size_t mark = str_find(text, STR(" Error: "));
    size_t line = str_find(text, STR("\n\nLINE "));

    raw->text = text;
    if (mark != STR_NPOS && mark < 40) {
        raw->type = str_slice(text, 0, mark);
        raw->text = str_slice(text, mark + 8, text.size);
    }
    raw->position = find_position(text, sql);
    line = line == STR_NPOS ? str_find(raw->text, STR("\nLINE "))
                            : str_find(raw->text, STR("\n\nLINE "));
    if (line != STR_NPOS) {
        raw->text = str_slice(raw->text, 0, line);
    }
}

/* --- wording --- */

static str base_name(str path)
{
    size_t slash = str_find_last_char(path, '/');
    return slash == STR_NPOS ? path : str_slice(path, slash + 1, path.size);
}

/* Files that a client sent are linked under such names; whoever linked them puts the client's own names there. */
static bool is_input(str name)
{
    return str_starts_with(name, STR("input-"));
}

/* "cannot open file ": without the last word. */
static str without_word(str text)
{
    static const str words[] = {STR_INIT("file "), STR_INIT("directory "), STR_INIT("File "),
                                STR_INIT("Directory ")};

    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (str_ends_with(text, words[i])) {
            return str_slice(text, 0, text.size - words[i].size);
        }
    }
    return text;
}

/* Paths below the folder become "a data file", with the quotes around them and the word in front. */
static str hide_paths(arena *a, str text, str folder)
{
    buf *out = buf_in(a, LIMIT_MIB);
    size_t at;

    if (folder.size == 0) {
        return text;
    }
    while ((at = str_find(text, folder)) != STR_NPOS) {
        size_t end = at + folder.size;
        size_t start = at;

        while (end < text.size && strchr("\"' \t\n,;)]}", text.data[end]) == NULL) {
            end++;
        }
        str name = base_name(str_slice(text, at, end));
        if (start > 0 && end < text.size && strchr("\"'", text.data[start - 1]) != NULL &&
            text.data[end] == text.data[start - 1]) {
            start--;
            end++;
        }
        str before = str_slice(text, 0, start);
        if (is_input(name)) {
            buf_add_str(out, before);
            buf_printf(out, "\"%.*s\"", STR_ARG(name));
        } else {
            buf_add_str(out, without_word(before));
            buf_add_str(out, STR("a data file"));
        }
        text = str_slice(text, end, text.size);
    }
    buf_add_str(out, text);
    return buf_str(out);
}

static str without_stop(str text)
{
    text = str_trim(text);
    while (text.size > 0 && strchr(".!:", text.data[text.size - 1]) != NULL) {
        text = str_trim(str_slice(text, 0, text.size - 1));
    }
    return text;
}

static str sentence_start(arena *a, str text)
{
    str copy;

    if (text.size < 2 || !isupper((unsigned char)text.data[0]) ||
        isupper((unsigned char)text.data[1])) {
        return text;
    }
    copy = str_concat(a, str_lower(a, str_slice(text, 0, 1)), str_slice(text, 1, text.size));
    return copy;
}

/* A column that tarn named says nothing to whoever reads it. */
static str without_own(str text)
{
    size_t at = str_find(text, STR(" when casting from source column tarn_"));

    return at == STR_NPOS ? text : str_slice(text, 0, at);
}

static void word_generally(str folder, arena *a, const raw_error *raw, error *err)
{
    str text = hide_paths(a, hide_paths(a, raw->text, folder), STR(WORKER_HELD_FOLDER));
    str rest = STR_NULL;
    str detail = STR_NULL;
    str message;

    if (!worker__word_csv(a, raw->text, &message, &detail)) {
        message = without_own(without_stop(sentence_start(a, str_cut(text, '\n', &rest))));
        rest = str_trim(rest);
        /* Advice about DuckDB's own settings is of no use here. */
        if (!str_starts_with(rest, STR("Use \"SET")) && !str_starts_with(rest, STR("Candidate")) &&
            !str_starts_with(rest, STR("Try setting")) && str_find(rest, STR("SET ")) == STR_NPOS &&
            str_find(rest, STR("INSTALL")) == STR_NPOS) {
            detail = rest;
        }
    }
    (void)error_set(err, err->kind, "%.*s", STR_ARG(message));
    if (detail.size > 0) {
        error_detail(err, "%.*s", STR_ARG(detail));
    }
    if (err->kind == STATUS_OUT_OF_MEMORY) {
        error_hint(err, "Ask for less at once, or let queries have more: engine.memory.");
    }
}

#define CANDIDATES_MAX 64

/* Candidates come joined by commas; DuckDB's own catalog tables are none, nor are columns that tarn added ("#…"). */
static size_t split_candidates(str text, str *names)
{
    static const str own[] = {STR_INIT("pg_"), STR_INIT("duckdb_"), STR_INIT("sqlite_"),
                              STR_INIT("pragma_"), STR_INIT("#")};
    size_t count = 0;

    for (str rest = text; !str_is_null(rest) && rest.size > 0 && count < CANDIDATES_MAX;) {
        str name = str_trim(str_cut(rest, ',', &rest));
        bool is_own = name.size == 0;

        for (size_t i = 0; i < COUNT_OF(own); i++) {
            is_own = is_own || str_starts_with(name, own[i]);
        }
        if (!is_own) {
            names[count++] = name;
        }
    }
    return count;
}

static void hint_nearest(const raw_error *raw, bool offer_all, error *err)
{
    str names[CANDIDATES_MAX] = {{.data = NULL}};
    size_t count = split_candidates(raw->candidates, names);
    str nearest = str_nearest(raw->name, names, count);

    if (!str_is_null(nearest)) {
        error_hint(err, "Did you mean \"%.*s\"?", STR_ARG(nearest));
    } else if (offer_all && count > 0) {
        char list[400];
        size_t size = 0;

        for (size_t i = 0; i < count && size < sizeof(list) - 1; i++) {
            int put = snprintf(list + size, sizeof(list) - size, "%s\"%.*s\"", i > 0 ? ", " : "",
                               STR_ARG(names[i]));

            if (put < 0 || (size_t)put >= sizeof(list) - size) {
                list[size] = '\0';
                break;
            }
            size += (size_t)put;
        }
        /* DuckDB names those that look most alike, not all. */
        error_hint(err, "The nearest %s %s.", count == 1 ? "is" : "are", list);
    }
}

/* What is missing, by the word that DuckDB has for it in front of "with name". */
typedef struct missing_row {
    str entry;
    status kind;
    const char *what;
} missing_row;

static const missing_row missing_rows[] = {
    {STR_INIT("Table Function"), STATUS_NO_FUNCTION, "function"},
    {STR_INIT("Scalar Function"), STATUS_NO_FUNCTION, "function"},
    {STR_INIT("Aggregate Function"), STATUS_NO_FUNCTION, "function"},
    {STR_INIT("Pragma Function"), STATUS_NO_FUNCTION, "function"},
    {STR_INIT("Copy Function"), STATUS_NO_FUNCTION, "format"},
    {STR_INIT("Macro Function"), STATUS_NO_FUNCTION, "function"},
    {STR_INIT("Table Macro Function"), STATUS_NO_FUNCTION, "function"},
    {STR_INIT("Table"), STATUS_NO_TABLE, "table"},
    {STR_INIT("View"), STATUS_NO_TABLE, "view"},
    {STR_INIT("Schema"), STATUS_NO_NAMESPACE, "namespace"},
    {STR_INIT("Type"), STATUS_WRONG_TYPE, "type"},
    {STR_INIT("Collation"), STATUS_INVALID, "collation"},
    {STR_INIT("Sequence"), STATUS_NOT_FOUND, "sequence"},
    {STR_INIT("Index"), STATUS_NOT_FOUND, "index"},
};

static bool word_missing(const raw_error *raw, error *err)
{
    if (!str_equal(raw->subtype, STR("MISSING_ENTRY"))) {
        return false;
    }
    for (size_t i = 0; i < COUNT_OF(missing_rows); i++) {
        const missing_row *row = &missing_rows[i];

        if (str_equal(raw->entry, row->entry)) {
            (void)error_set(err, row->kind, "%s \"%.*s\" does not exist", row->what,
                            STR_ARG(raw->name));
            hint_nearest(raw, false, err);
            return true;
        }
    }
    return false;
}

static bool word_column(const raw_error *raw, error *err)
{
    if (!str_equal(raw->subtype, STR("COLUMN_NOT_FOUND")) || raw->name.size == 0) {
        return false;
    }
    (void)error_set(err, STATUS_NO_COLUMN, "column \"%.*s\" does not exist", STR_ARG(raw->name));
    hint_nearest(raw, true, err);
    return true;
}

/* The next text between double quotes; STR_NULL where there is none. */
static str next_quoted(str *rest)
{
    str name;

    (void)str_cut(*rest, '"', rest);
    if (str_is_null(*rest)) {
        return STR_NULL;
    }
    name = str_cut(*rest, '"', rest);
    return str_is_null(*rest) ? STR_NULL : name;
}

/* Some errors of the binder have no fields, only sentences with names in quotes. */
static bool word_quoted(arena *a, raw_error *raw, error *err)
{
    static const str no_column = STR_INIT("\" does not have a column named \"");
    static const str no_table = STR_INIT("Referenced table \"");
    static const str no_schema = STR_INIT("Table with name \"");
    static const str no_member = STR_INIT("Could not find key \"");
    str rest = raw->text;
    str first = next_quoted(&rest);
    buf *candidates = buf_in(a, LIMIT_MIB);

    if (str_is_null(first)) {
        return false;
    }
    if (str_find(raw->text, no_column) != STR_NPOS) {
        raw->name = next_quoted(&rest);
        (void)error_set(err, STATUS_NO_COLUMN, "table \"%.*s\" has no column \"%.*s\"",
                        STR_ARG(first), STR_ARG(raw->name));
    } else if (str_starts_with(raw->text, no_table)) {
        raw->name = first;
        (void)error_set(err, STATUS_NO_TABLE, "table \"%.*s\" is not among those of the query",
                        STR_ARG(first));
    } else if (str_starts_with(raw->text, no_member)) {
        raw->name = first;
        (void)error_set(err, STATUS_NO_COLUMN, "member \"%.*s\" does not exist in the struct",
                        STR_ARG(first));
    } else if (str_starts_with(raw->text, no_schema) &&
               str_find(raw->text, STR("because schema")) != STR_NPOS) {
        (void)error_set(err, STATUS_NO_TABLE, "table \"%.*s\" does not exist", STR_ARG(first));
        return true;
    } else {
        return false;
    }
    for (str name; !str_is_null(name = next_quoted(&rest));) {
        buf_printf(candidates, "%.*s,", STR_ARG(name));
    }
    raw->candidates = buf_str(candidates);
    hint_nearest(raw, true, err);
    return true;
}

static bool word_call(const raw_error *raw, error *err)
{
    str rest, call;

    if (!str_equal(raw->subtype, STR("NO_MATCHING_FUNCTION"))) {
        return false;
    }
    call = str_cut(raw->text, '\n', &rest);
    call = str_slice(call, str_find_char(call, '\'') + 1, str_find_last_char(call, '\''));
    (void)error_set(err, STATUS_WRONG_TYPE,
                    "no function \"%.*s\" takes arguments of these types: %.*s", STR_ARG(raw->name),
                    STR_ARG(call));
    error_hint(err, "It may need a cast; it takes: %.*s.",
               raw->candidates.size < 300 ? (int)raw->candidates.size : 0,
               raw->candidates.data != NULL ? raw->candidates.data : "");
    if (raw->candidates.size >= 300 || raw->candidates.size == 0) {
        err->hint[0] = '\0';
        error_hint(err, "An explicit cast of the arguments may be needed.");
    }
    return true;
}

bool translate_error(str folder, str sql, const char *message, error *ret_error)
{
    arena *a = arena_create();
    raw_error raw = {.position = ERROR_NO_POSITION};
    str text = str_c(message != NULL ? message : "unknown failure");
    bool is_fatal;

    error_clear(ret_error);
    if (!read_json(text, a, &raw)) {
        read_text(text, sql, &raw);
    }
    ret_error->kind = kind_of(&raw, &is_fatal);
    if (!word_column(&raw, ret_error) && !word_missing(&raw, ret_error) &&
        !word_call(&raw, ret_error) && !word_quoted(a, &raw, ret_error)) {
        word_generally(folder, a, &raw, ret_error);
    }
    if (ret_error->kind == STATUS_CANCELLED) {
        (void)error_set(ret_error, STATUS_CANCELLED, "the query was cancelled");
    } else {
        error_set_sqlstate(ret_error, state_of(&raw));
    }
    if (raw.position >= 0 && (size_t)raw.position <= sql.size) {
        ret_error->position = raw.position;
    }
    arena_free(a);
    return is_fatal;
}
