/* CSV and TSV: dialect, names from the first line, declared types.
 *
 * The dialect is settled here and not guessed by DuckDB, whose guess may skip lines it does not understand: the first
 * line names the columns, quotes are double, and a row that does not fit is an error with its line. DuckDB is asked for
 * types alone (csv_types.c). */
#include "internal.h"

#include "tarn/base/limits.h"
#include "tarn/base/map.h"
#include "tarn/base/vec.h"

status ingest__detect_delimiter(const char *path, bool gzip, char *ret_delimiter, error *err)
{
    static const char candidates[] = {',', ';', '\t', '|'};
    size_t counts[COUNT_OF(candidates)] = {0};
    arena *a = arena_create();
    str text;
    status result = ingest__read_head(path, gzip, a, &text, err);

    if (result == STATUS_OK) {
        bool quoted = false;
        for (size_t i = 0; i < text.size && (quoted || text.data[i] != '\n'); i++) {
            quoted = text.data[i] == '"' ? !quoted : quoted;
            for (size_t c = 0; !quoted && c < COUNT_OF(candidates); c++) {
                counts[c] += text.data[i] == candidates[c];
            }
        }
        size_t best = 0;
        for (size_t c = 1; c < COUNT_OF(candidates); c++) {
            best = counts[c] > counts[best] ? c : best;
        }
        *ret_delimiter = candidates[best];
    }
    arena_free(a);
    return result;
}

void ingest__csv_dialect(const source *s, buf *out)
{
    char delimiter[2] = {s->delimiter, '\0'};

    buf_add_c(out, ", delim = ");
    sql_quote_text(out, str_c(delimiter));
    buf_add_c(out, ", quote = '\"', escape = '\"', header = true, skip = 0, strict_mode = true,"
                   " null_padding = false, ignore_errors = false, allow_quoted_nulls = false");
    if (s->gzip) {
        buf_add_c(out, ", compression = 'gzip'");
    }
}

/* ---- names ---- */

/* One field of the first line, quotes taken off; *at moves behind its delimiter. True at the end of the line. */
static bool read_name(str text, char delimiter, size_t *at, buf *name)
{
    bool quoted = *at < text.size && text.data[*at] == '"';
    size_t i = quoted ? *at + 1 : *at;

    while (i < text.size) {
        char c = text.data[i];
        if (quoted && c == '"' && i + 1 < text.size && text.data[i + 1] == '"') {
            buf_add_char(name, c);
            i += 2;
        } else if (quoted && c == '"') {
            quoted = false;
            i++;
        } else if (!quoted && (c == delimiter || c == '\n' || c == '\r')) {
            break;
        } else {
            buf_add_char(name, c);
            i++;
        }
    }
    *at = i + 1;
    return i >= text.size || text.data[i] != delimiter;
}

static status refuse_names(const source *s, str file, error *err)
{
    map *seen = map_create(s->a);

    for (size_t i = 0; i < s->column_count; i++) {
        str name = s->columns[i].name;
        str key = str_lower(s->a, name);
        if (key.size == 0) {
            error_set(err, STATUS_BAD_DATA, "file \"%.*s\", line 1: column %zu has no name",
                      STR_ARG(file), i + 1);
            error_hint(err, "The first line names all columns; pandas leaves the index out with "
                            "to_csv(index=False).");
            return STATUS_BAD_DATA;
        }
        if (map_has(seen, key)) {
            error_set(err, STATUS_BAD_DATA, "file \"%.*s\", line 1: column \"%.*s\" occurs twice",
                      STR_ARG(file), STR_ARG(name));
            error_hint(err, "Columns differ by more than upper and lower case.");
            return STATUS_BAD_DATA;
        }
        map_set(seen, key, s->columns);
    }
    return STATUS_OK;
}

/* The first line of an input, without a byte order mark. */
static status read_first_line(const source *s, size_t input, str *ret_line, error *err)
{
    const load_input *in = &s->request->inputs[input];
    str text;
    bool quoted = false;
    size_t end = 0;

    TRY(ingest__read_head(in->path, s->gzip, s->a, &text, err));
    size_t head_bytes = text.size;
    if (str_starts_with(text, STR("\xef\xbb\xbf"))) {
        text = str_slice(text, 3, text.size);
    }
    while (end < text.size && (quoted || (text.data[end] != '\n' && text.data[end] != '\r'))) {
        quoted = text.data[end] == '"' ? !quoted : quoted;
        end++;
    }
    bool is_cut = end == text.size && head_bytes >= INGEST_HEAD_BYTES;
    text = str_slice(text, 0, end);
    if (is_cut) {
        error_set(err, STATUS_BAD_DATA, "file \"%.*s\", line 1: the line is too long for names",
                  STR_ARG(in->name));
        error_hint(err, "The first line names the columns.");
        return STATUS_BAD_DATA;
    }
    if (str_find_char(text, '\0') != STR_NPOS || !str_is_utf8(text)) {
        error_set(err, STATUS_BAD_DATA, "file \"%.*s\", line 1: the text is not UTF-8",
                  STR_ARG(in->name));
        error_hint(err, INGEST_UTF8_HINT);
        return STATUS_BAD_DATA;
    }
    *ret_line = text;
    return STATUS_OK;
}

/* As the values of TSV (load.c). */
static str unescape_name(const source *s, str name)
{
    static const struct {
        char letter, meaning;
    } escapes[] = {{'t', '\t'}, {'n', '\n'}, {'r', '\r'}, {'\\', '\\'}, {'"', '"'}};
    buf *plain = buf_in(s->a, LIMIT_MIB);

    if (s->format != INPUT_TSV) {
        return name;
    }
    for (size_t i = 0; i < name.size; i++) {
        char c = name.data[i];
        for (size_t e = 0; c == '\\' && i + 1 < name.size && e < COUNT_OF(escapes); e++) {
            if (name.data[i + 1] == escapes[e].letter) {
                c = escapes[e].meaning;
                i++;
                break;
            }
        }
        buf_add_char(plain, c);
    }
    return buf_str(plain);
}

/* The names in the first line of an input; all columns as text until their types are known. */
static status read_names(const source *s, size_t input, source_column **ret_columns,
                         size_t *ret_count, error *err)
{
    VEC(source_column) columns = {0};
    size_t at = 0;
    bool last = false;
    str text;

    TRY(read_first_line(s, input, &text, err));
    while (!last) {
        buf *name = buf_in(s->a, LIMIT_MIB);
        last = read_name(text, s->delimiter, &at, name);
        source_column column = {.name = unescape_name(s, str_trim(buf_str(name))),
                                .type = STR("VARCHAR")};
        vec_push(s->a, &columns, column);
    }
    *ret_columns = columns.items;
    *ret_count = columns.count;
    return STATUS_OK;
}

/* Values are taken by their place, so every input has to have its columns where the first one has them. */
static status compare_names(const source *s, size_t input, error *err)
{
    source_column *columns = NULL;
    size_t count = 0;

    TRY(read_names(s, input, &columns, &count, err));
    for (size_t i = 0; i < s->column_count || i < count; i++) {
        if (i < count && i < s->column_count &&
            str_equal_nocase(columns[i].name, s->columns[i].name)) {
            continue;
        }
        str file = s->request->inputs[input].name, first = s->request->inputs[0].name;
        if (i >= count || i >= s->column_count) {
            error_set(err, STATUS_BAD_DATA,
                      "file \"%.*s\", line 1: %zu column%s where \"%.*s\" has %zu", STR_ARG(file),
                      count, count == 1 ? "" : "s", STR_ARG(first), s->column_count);
        } else {
            error_set(err, STATUS_BAD_DATA,
                      "file \"%.*s\", line 1: column %zu is \"%.*s\", but \"%.*s\" in \"%.*s\"",
                      STR_ARG(file), i + 1, STR_ARG(columns[i].name), STR_ARG(s->columns[i].name),
                      STR_ARG(first));
        }
        error_hint(err, "CSV files of one load have the same columns in the same order; load this "
                        "one by itself.");
        return STATUS_BAD_DATA;
    }
    return STATUS_OK;
}

/* ---- types ---- */

status ingest__take_declared(source *s, const source_column *declared, size_t count, error *err)
{
    for (size_t d = 0; d < count; d++) {
        str *names = ARENA_ARRAY(s->a, str, s->column_count);
        bool found = false;
        for (size_t i = 0; i < s->column_count; i++) {
            names[i] = s->columns[i].name;
            if (str_equal_nocase(names[i], declared[d].name)) {
                s->columns[i].type = declared[d].type;
                s->columns[i].declared = true;
                found = true;
            }
        }
        if (!found) {
            error_set(err, STATUS_NO_COLUMN, "file \"%.*s\" has no column \"%.*s\"",
                      STR_ARG(s->request->inputs[0].name), STR_ARG(declared[d].name));
            str nearest = str_nearest(declared[d].name, names, s->column_count);
            if (!str_is_null(nearest)) {
                error_hint(err, "Did you mean \"%.*s\"?", STR_ARG(nearest));
            }
            return STATUS_NO_COLUMN;
        }
    }
    return STATUS_OK;
}

status ingest__describe_csv(source *s, const source_column *declared, size_t declared_count,
                            bool infer, bool whole, error *err)
{
    TRY(read_names(s, 0, &s->columns, &s->column_count, err));
    TRY(refuse_names(s, s->request->inputs[0].name, err));
    for (size_t i = 1; i < s->request->input_count; i++) {
        TRY(compare_names(s, i, err));
    }
    TRY(ingest__take_declared(s, declared, declared_count, err));
    if (infer && declared_count < s->column_count) {
        TRY(ingest__csv_types(s, whole, err));
        TRY(ingest__take_declared(s, declared, declared_count, err));
    }
    return STATUS_OK;
}
