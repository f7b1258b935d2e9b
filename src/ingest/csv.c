/* CSV and TSV: dialect, names from the first line, types from the content.
 *
 * The dialect is settled here and not guessed by DuckDB, whose guess may skip lines it does not understand: the first
 * line names the columns, quotes are double, and a row that does not fit is an error with its line. DuckDB is asked for
 * types alone. */
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

static status refuse_repeated(const source *s, error *err)
{
    map *seen = map_create(s->a);

    for (size_t i = 0; i < s->column_count; i++) {
        str key = str_lower(s->a, s->columns[i].name);
        if (key.size == 0) {
            return error_set(err, STATUS_BAD_DATA, "file \"%.*s\", line 1: column %zu has no name",
                             STR_ARG(s->request->inputs[0].name), i + 1);
        }
        if (map_has(seen, key)) {
            return error_set(err, STATUS_BAD_DATA,
                             "file \"%.*s\", line 1: column \"%.*s\" occurs twice",
                             STR_ARG(s->request->inputs[0].name), STR_ARG(s->columns[i].name));
        }
        map_set(seen, key, s->columns);
    }
    return STATUS_OK;
}

/* The names in the first line of the first input; all columns as text until their types are known. */
static status read_names(source *s, error *err)
{
    VEC(source_column) columns = {0};
    size_t at = 0;
    bool last = false;
    str text;

    TRY(ingest__read_head(s->request->inputs[0].path, s->gzip, s->a, &text, err));
    if (str_starts_with(text, STR("\xef\xbb\xbf"))) { /* byte order mark */
        text = str_slice(text, 3, text.size);
    }
    while (!last) {
        buf *name = buf_in(s->a, LIMIT_MIB);
        last = read_name(text, s->delimiter, &at, name);
        source_column column = {.name = str_trim(buf_str(name)), .type = STR("VARCHAR")};
        vec_push(s->a, &columns, column);
    }
    s->columns = columns.items;
    s->column_count = columns.count;
    return refuse_repeated(s, err);
}

/* ---- types ---- */

#define CSV_SAMPLE_ROWS "20480"

/* Types of the first input's columns, in order; fewer or more than there are names where the content does not fit. */
static status sniff(source *s, bool whole, const json **ret_types, error *err)
{
    buf *sql = buf_in(s->a, LIMIT_SQL_TEXT);

    buf_printf(
        sql,
        "SELECT c.\"type\" FROM (SELECT unnest(Columns) AS c FROM sniff_csv(%.*s, sample_size = %s",
        STR_ARG(s->first_file), whole ? "-1" : CSV_SAMPLE_ROWS);
    ingest__csv_dialect(s, sql);
    buf_add_c(sql, "))");
    TRY(buf_check(sql, "statement", err));
    return worker_rows(s->worker, buf_str(sql), s->cancel, s->a, ret_types, err);
}

/* Reads everything as text, strictly: what is wrong with the rows comes out with its line. */
static status check_rows(const source *s, error *err)
{
    buf *sql = buf_in(s->a, LIMIT_SQL_TEXT);
    const json *rows = NULL;

    buf_add_c(sql, "SELECT count(*) FROM ");
    ingest__source_sql(s, s->columns, s->column_count, sql);
    TRY(buf_check(sql, "statement", err));
    return worker_rows(s->worker, buf_str(sql), s->cancel, s->a, &rows, err);
}

static status find_types(source *s, bool whole, error *err)
{
    const json *types = NULL;
    error unclear = ERROR_INIT;
    status result = sniff(s, whole, &types, &unclear);

    if (result == STATUS_CANCELLED || result == STATUS_TIMEOUT || result == STATUS_WORKER_DIED) {
        *err = unclear;
        return result;
    }
    if (result != STATUS_OK || json_count(types) != s->column_count) {
        return check_rows(s, err); /* rows that are whole but of no clear type stay text */
    }
    for (size_t i = 0; i < s->column_count; i++) {
        s->columns[i].type = json_str_or(json_at(json_at(types, i), 0), STR("VARCHAR"));
    }
    return STATUS_OK;
}

static source_column *as_text(const source *s)
{
    source_column *columns = ARENA_ARRAY(s->a, source_column, s->column_count);
    for (size_t i = 0; i < s->column_count; i++) {
        columns[i] = (source_column){.name = s->columns[i].name, .type = STR("VARCHAR")};
    }
    return columns;
}

/* A column that is empty in the sample says nothing about its type. */
static status sample_has_empty_column(source *s, bool *ret_empty, error *err)
{
    buf *sql = buf_in(s->a, LIMIT_SQL_TEXT);
    const json *rows = NULL;

    buf_add_c(sql, "SELECT least(1");
    for (size_t i = 0; i < s->column_count; i++) {
        buf_add_c(sql, ", count(");
        sql_quote_name(sql, s->columns[i].name);
        buf_add_char(sql, ')');
    }
    buf_add_c(sql, ") FROM (FROM ");
    ingest__source_sql(s, as_text(s), s->column_count, sql);
    buf_add_c(sql, " LIMIT " CSV_SAMPLE_ROWS ")");
    TRY(buf_check(sql, "statement", err));
    TRY(worker_rows(s->worker, buf_str(sql), s->cancel, s->a, &rows, err));
    *ret_empty = json_int64_or(json_at(json_at(rows, 0), 0), 0) == 0;
    return STATUS_OK;
}

status ingest__describe_csv(source *s, bool infer, bool whole, error *err)
{
    bool empty = false;

    TRY(read_names(s, err));
    if (!infer) {
        return STATUS_OK;
    }
    if (!whole) {
        TRY(sample_has_empty_column(s, &empty, err));
    }
    s->sampled = !whole && !empty;
    return find_types(s, !s->sampled, err);
}
