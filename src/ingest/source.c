/* Inputs as DuckDB reads them: formats, links, columns. What is particular to CSV is in csv.c. */
#include "internal.h"

#include <fcntl.h>
#include <stdio.h>

#include "tarn/base/fs.h"
#include "tarn/base/limits.h"
#include "tarn/base/map.h"
#include "tarn/base/vec.h"
#include "tarn/codec/compress.h"

static const struct {
    str name;
    input_format format;
} format_names[] = {
    {STR_INIT("auto"), INPUT_AUTO},       {STR_INIT("csv"), INPUT_CSV},
    {STR_INIT("tsv"), INPUT_TSV},         {STR_INIT("json"), INPUT_JSON},
    {STR_INIT("ndjson"), INPUT_NDJSON},   {STR_INIT("jsonl"), INPUT_NDJSON},
    {STR_INIT("parquet"), INPUT_PARQUET},
};

bool input_format_from(str name, input_format *ret_format)
{
    for (size_t i = 0; i < COUNT_OF(format_names); i++) {
        if (str_equal_nocase(name, format_names[i].name)) {
            *ret_format = format_names[i].format;
            return true;
        }
    }
    return false;
}

/* ---- what the bytes say ---- */

static status read_raw_head(const char *path, arena *a, str *ret_head, error *err)
{
    int fd = -1;
    size_t size = 0;

    TRY(fs_open(path, O_RDONLY, 0, &fd, err));
    char *bytes = arena_alloc(a, INGEST_HEAD_BYTES);
    status result = fs_read(fd, bytes, INGEST_HEAD_BYTES, &size, err);
    fs_close(fd);
    *ret_head = str_from(bytes, size);
    return result;
}

static bool is_gzip(str head)
{
    return head.size > 2 && (unsigned char)head.data[0] == 0x1f &&
           (unsigned char)head.data[1] == 0x8b;
}

/* As much of the plain text as the packed head gives. */
static str plain_head(str head, arena *a)
{
    if (!is_gzip(head)) {
        return head;
    }
    buf *plain = buf_in(a, INGEST_HEAD_BYTES);
    error ignored =
        ERROR_INIT; /* a cut stream and a full buffer both leave what was unpacked so far */
    (void)decompress_bytes(COMPRESSION_GZIP, head, plain, &ignored);
    return buf_str(plain);
}

status ingest__read_head(const char *path, bool gzip, arena *a, str *ret_text, error *err)
{
    str head;

    TRY(read_raw_head(path, a, &head, err));
    *ret_text = gzip ? plain_head(head, a) : head;
    return STATUS_OK;
}

static str name_without_gz(str name)
{
    return str_ends_with(name, STR(".gz")) ? str_slice(name, 0, name.size - 3) : name;
}

static input_format format_of_text(str head, str name)
{
    str text = str_trim(head);

    if (text.size > 0 && text.data[0] == '[') {
        return INPUT_JSON;
    }
    if (text.size > 0 && text.data[0] == '{') {
        return str_ends_with(name, STR(".json")) ? INPUT_JSON : INPUT_NDJSON;
    }
    return str_ends_with(name, STR(".tsv")) ? INPUT_TSV : INPUT_CSV;
}

status ingest__detect(const load_input *input, input_format *ret_format, bool *ret_gzip, error *err)
{
    arena *a = arena_create();
    str head;
    status result = read_raw_head(input->path, a, &head, err);

    if (result == STATUS_OK) {
        *ret_gzip = is_gzip(head);
        *ret_format =
            str_starts_with(head, STR("PAR1"))
                ? INPUT_PARQUET
                : format_of_text(plain_head(head, a), str_lower(a, name_without_gz(input->name)));
    }
    arena_free(a);
    return result;
}

/* ---- links ---- */

static const char *link_suffix(input_format format)
{
    switch (format) {
    case INPUT_PARQUET:
        return "parquet";
    case INPUT_JSON:
    case INPUT_NDJSON:
        return "json";
    default:
        return "csv";
    }
}

/* A file that broke off on its way is told by its last bytes, before DuckDB words it. */
static status check_parquet_end(const load_input *input, error *err)
{
    char end[4] = {0};
    size_t got = 0;
    int fd;
    status result = STATUS_OK;

    TRY(fs_open(input->path, O_RDONLY, 0, &fd, err));
    if (input->size_bytes > (int64_t)sizeof(end)) {
        result =
            fs_pread(fd, end, sizeof(end), input->size_bytes - (int64_t)sizeof(end), &got, err);
    }
    fs_close(fd);
    TRY(result);
    if (got == sizeof(end) && memcmp(end, "PAR1", sizeof(end)) == 0) {
        return STATUS_OK;
    }
    error_set(err, STATUS_CORRUPT,
              "file \"%.*s\" is cut short: it does not end as Parquet files do",
              STR_ARG(input->name));
    error_hint(err, "Copy or download it again; it has %lld bytes here.",
               (long long)input->size_bytes);
    return STATUS_CORRUPT;
}

static status settle_format(source *s, const load_input *input, bool first, error *err)
{
    input_format found;
    bool gzip = false;

    TRY(ingest__detect(input, &found, &gzip, err));
    if (s->request->format != INPUT_AUTO) {
        if (s->request->format == INPUT_PARQUET && found != INPUT_PARQUET) {
            return error_set(err, STATUS_CORRUPT, "file \"%.*s\" is not a Parquet file",
                             STR_ARG(input->name));
        }
        found = s->request->format;
    } else if (found != INPUT_PARQUET &&
               str_ends_with(str_lower(s->a, input->name), STR(".parquet"))) {
        error_set(err, STATUS_CORRUPT, "file \"%.*s\" is not a Parquet file", STR_ARG(input->name));
        error_hint(err, "Its name says so, its first bytes do not; --format names another one.");
        return STATUS_CORRUPT;
    }
    if (found == INPUT_PARQUET) {
        TRY(check_parquet_end(input, err));
    }
    if (!first && (found != s->format || gzip != s->gzip)) {
        error_set(err, STATUS_INVALID, "file \"%.*s\" is of another format than \"%.*s\"",
                  STR_ARG(input->name), STR_ARG(s->request->inputs[0].name));
        error_hint(err, "Load files of one format at a time, or name it with --format.");
        return STATUS_INVALID;
    }
    s->format = found;
    s->gzip = gzip;
    return STATUS_OK;
}

status ingest__source_open(source *s, error *err)
{
    buf *list = buf_in(s->a, LIMIT_SQL_TEXT);

    s->names = ARENA_ARRAY(s->a, str, s->request->input_count);
    s->links = ARENA_ARRAY(s->a, str, s->request->input_count);
    buf_add_char(list, '[');
    for (size_t i = 0; i < s->request->input_count; i++) {
        const load_input *input = &s->request->inputs[i];
        if (input->size_bytes == 0) {
            return error_set(err, STATUS_BAD_DATA, "file \"%.*s\" is empty", STR_ARG(input->name));
        }
        TRY(settle_format(s, input, i == 0, err));
        /* A fresh name: DuckDB remembers what it knows of a file under its path. */
        s->names[i] = str_printf(s->a, "input-%s.%s", worker_fresh_name(s->worker, s->a),
                                 link_suffix(s->format));
        char *link = arena_printf(s->a, "%s/%.*s", worker_in(s->worker), STR_ARG(s->names[i]));
        TRY(fs_link(input->path, link, err));
        buf *quoted = buf_in(s->a, LIMIT_SQL_TEXT);
        sql_quote_text(quoted, str_c(link));
        s->links[i] = buf_str(quoted);
        buf_add_c(list, i > 0 ? ", " : "");
        buf_add_str(list, buf_str(quoted));
    }
    buf_add_char(list, ']');
    TRY(buf_check(list, "list of files", err));
    s->files = buf_str(list);
    s->delimiter = s->request->csv_delimiter;
    if (s->format == INPUT_TSV && s->delimiter == 0) {
        s->delimiter = '\t';
    }
    if (s->format == INPUT_CSV && s->delimiter == 0) {
        return ingest__detect_delimiter(s->request->inputs[0].path, s->gzip, &s->delimiter, err);
    }
    return STATUS_OK;
}

/* ---- SQL ---- */

static void add_columns(const source_column *columns, size_t count, buf *out)
{
    buf_add_c(out, ", columns = {");
    for (size_t i = 0; i < count; i++) {
        if (i > 0) {
            buf_add_c(out, ", ");
        }
        sql_quote_text(out, columns[i].name);
        buf_add_c(out, ": ");
        sql_quote_text(out, columns[i].type);
    }
    buf_add_char(out, '}');
}

/* Objects beyond this are refused: one row of JSON. */
#define JSON_OBJECT_MAX "67108864"

void ingest__source_sql(const source *s, const source_column *columns, size_t count, buf *out)
{
    switch (s->format) {
    case INPUT_PARQUET:
        buf_printf(out, "read_parquet(%.*s, hive_partitioning = false, union_by_name = %s)",
                   STR_ARG(s->files), s->request->input_count > 1 ? "true" : "false");
        return;
    case INPUT_JSON:
    case INPUT_NDJSON:
        buf_printf(out,
                   "read_json(%.*s, format = '%s', maximum_object_size = " JSON_OBJECT_MAX
                   ", sample_size = -1",
                   STR_ARG(s->files), s->format == INPUT_NDJSON ? "newline_delimited" : "auto");
        if (s->gzip) {
            buf_add_c(out, ", compression = 'gzip'");
        }
        break;
    default:
        buf_printf(out, "read_csv(%.*s, auto_detect = false", STR_ARG(s->files));
        ingest__csv_dialect(s, out);
        break;
    }
    if (columns != NULL) {
        add_columns(columns, count, out);
    }
    buf_add_char(out, ')');
}

/* ---- names and types ---- */

status ingest__describe(source *s, str select, error *err)
{
    const json *rows = NULL;
    VEC(source_column) columns = {0};
    str sql = str_printf(s->a, "DESCRIBE %.*s", STR_ARG(select));

    TRY(worker_rows(s->worker, sql, s->cancel, s->a, &rows, err));
    for (size_t i = 0; i < json_count(rows); i++) {
        source_column column = {
            .name = json_str_or(json_at(json_at(rows, i), 0), STR("")),
            .type = json_str_or(json_at(json_at(rows, i), 1), STR("")),
        };
        vec_push(s->a, &columns, column);
    }
    s->columns = columns.items;
    s->column_count = columns.count;
    return STATUS_OK;
}

/* Types as DuckDB writes them: "int" is INTEGER, "struct(x int)" is STRUCT(x INTEGER). DuckDB reads the text as a type
 * and as nothing else; the file is named, but not read. */
static status settle_type(const source *s, source_column *column, error *err)
{
    const json *rows = NULL;
    buf *sql = buf_in(s->a, LIMIT_SQL_TEXT);

    buf_printf(sql, "DESCRIBE SELECT * FROM read_csv(%.*s, auto_detect = false", STR_ARG(s->files));
    add_columns(column, 1, sql);
    buf_add_char(sql, ')');
    TRY(buf_check(sql, "statement", err));
    if (worker_rows(s->worker, buf_str(sql), s->cancel, s->a, &rows, err) != STATUS_OK) {
        status kind = err != NULL ? err->kind : STATUS_INVALID;
        if (kind == STATUS_CANCELLED || kind == STATUS_TIMEOUT || kind == STATUS_WORKER_DIED) {
            return kind;
        }
        error_set(err, STATUS_INVALID, "column \"%.*s\": \"%.*s\" is no type",
                  STR_ARG(column->name), STR_ARG(column->type));
        error_hint(err, "Types are those of CREATE TABLE: bigint, varchar, decimal(10,2), "
                        "struct(x int), int[], map(varchar, int).");
        return STATUS_INVALID;
    }
    column->type = json_str_or(json_at(json_at(rows, 0), 1), STR(""));
    return STATUS_OK;
}

static status settle_types(const source *s, source_column *columns, size_t count, error *err)
{
    map *seen = map_create(s->a);

    for (size_t i = 0; i < count; i++) {
        str key = str_lower(s->a, columns[i].name);

        if (map_get(seen, key) != NULL) {
            return error_set(err, STATUS_USAGE, "column \"%.*s\" is declared twice",
                             STR_ARG(columns[i].name));
        }
        (void)map_set(seen, key, columns);
        TRY(settle_type(s, &columns[i], err));
    }
    return STATUS_OK;
}

/* "a:bigint,b:decimal(10,2)" */
static status declared_columns(const source *s, source_column **ret_columns, size_t *ret_count,
                               error *err)
{
    VEC(source_column) columns = {0};
    str text = s->request->columns;
    int depth = 0;
    bool is_quoted = false;
    size_t start = 0;

    for (size_t i = 0; i <= text.size; i++) {
        char c = i < text.size ? text.data[i] : ',';
        is_quoted = c == '"' ? !is_quoted : is_quoted;
        depth += is_quoted ? 0 : (c == '(') - (c == ')');
        if (c != ',' || ((depth > 0 || is_quoted) && i < text.size)) {
            continue;
        }
        str item = str_trim(str_slice(text, start, i));
        size_t colon = str_find_char(item, ':');
        if (colon == STR_NPOS || colon == 0 || colon + 1 == item.size) {
            error_set(err, STATUS_USAGE, "column \"%.*s\" is not of the form name:type",
                      STR_ARG(item));
            error_hint(err, "Declare columns as --columns id:bigint,name:varchar.");
            return STATUS_USAGE;
        }
        source_column column = {
            .name = str_copy(s->a, str_trim(str_slice(item, 0, colon))),
            .type = str_copy(s->a, str_trim(str_slice(item, colon + 1, item.size)))};
        vec_push(s->a, &columns, column);
        start = i + 1;
    }
    *ret_columns = columns.items;
    *ret_count = columns.count;
    return settle_types(s, columns.items, columns.count, err);
}

/* DuckDB takes an array of anything for rows of one column "json". */
static status refuse_shapeless(const source *s, error *err)
{
    str head;

    if (s->column_count != 1 || !str_equal(s->columns[0].name, STR("json"))) {
        return STATUS_OK;
    }
    TRY(ingest__read_head(s->request->inputs[0].path, s->gzip, s->a, &head, err));
    head = str_trim(head);
    if (str_starts_with(head, STR("["))) {
        head = str_trim(str_slice(head, 1, head.size));
    }
    if (str_starts_with(head, STR("{")) && !str_equal(s->columns[0].type, STR("JSON"))) {
        return STATUS_OK;
    }
    error_set(err, STATUS_BAD_DATA, "file \"%.*s\" holds no rows",
              STR_ARG(s->request->inputs[0].name));
    error_hint(err, "Rows are JSON objects: an array of them, or one a line.");
    return STATUS_BAD_DATA;
}

/* DuckDB reads decimals of more digits than it has as DOUBLE, and wrongly. */
static status refuse_long_decimals(const source *s, error *err)
{
    const json *rows = NULL;
    str sql =
        str_printf(s->a,
                   "SELECT name, precision, parse_filename(file_name) FROM parquet_schema(%.*s)"
                   " WHERE precision > 38 LIMIT 1",
                   STR_ARG(s->files));

    TRY(worker_rows(s->worker, sql, s->cancel, s->a, &rows, err));
    if (json_count(rows) == 0) {
        return STATUS_OK;
    }
    const json *row = json_at(rows, 0);
    error_set(err, STATUS_UNSUPPORTED,
              "file \"%.*s\": column \"%.*s\" is a decimal of %lld digits; at most 38 fit",
              STR_ARG(json_str_or(json_at(row, 2), STR(""))),
              STR_ARG(json_str_or(json_at(row, 0), STR(""))),
              (long long)json_int64_or(json_at(row, 1), 0));
    error_hint(err, "Write the file with DECIMAL(38, s), or with text.");
    return STATUS_UNSUPPORTED;
}

static status describe_by_duckdb(source *s, error *err)
{
    buf *sql = buf_in(s->a, LIMIT_SQL_TEXT);

    buf_add_c(sql, "SELECT * FROM ");
    ingest__source_sql(s, NULL, 0, sql);
    TRY(buf_check(sql, "statement", err));
    TRY(ingest__describe(s, buf_str(sql), err));
    return s->format == INPUT_PARQUET ? refuse_long_decimals(s, err) : refuse_shapeless(s, err);
}

status ingest__source_describe(source *s, bool infer, bool whole, error *err)
{
    source_column *declared = NULL;
    size_t declared_count = 0;

    s->sampled = false;
    if (s->request->columns.size > 0) {
        TRY(declared_columns(s, &declared, &declared_count, err));
    }
    if (s->format == INPUT_CSV || s->format == INPUT_TSV) {
        return ingest__describe_csv(s, declared, declared_count, infer, whole, err);
    }
    if (s->format == INPUT_PARQUET) {
        TRY(describe_by_duckdb(s, err));
        return ingest__take_declared(s, declared, declared_count, err);
    }
    if (declared_count > 0) {
        s->columns = declared;
        s->column_count = declared_count;
        return STATUS_OK;
    }
    return describe_by_duckdb(s, err);
}

/* ---- messages ---- */

static void replace_links(const source *s, char *text, size_t size, arena *a)
{
    for (size_t i = 0; s->names != NULL && i < s->request->input_count; i++) {
        str link = s->names[i];
        size_t at = str_is_null(link) ? STR_NPOS : str_find(str_c(text), link);
        if (at != STR_NPOS) {
            str replaced = str_printf(a, "%.*s%.*s%s", (int)at, text,
                                      STR_ARG(s->request->inputs[i].name), text + at + link.size);
            snprintf(text, size, "%s", replaced.data);
        }
    }
}

/* Cures of what DuckDB says about the content. */
static void add_hint(error *err)
{
    static const struct {
        str words;
        const char *hint;
    } rows[] = {
        {STR_INIT("the text is not UTF-8"), INGEST_UTF8_HINT},
        {STR_INIT(" expected"),
         "Each line has as many values as the first has names; a value with a "
         "delimiter in it stands in double quotes."},
        {STR_INIT("has times finer than"), "Make the table first, with TIMESTAMP_NS and WITH "
                                           "('format-version' = '3')."},
        {STR_INIT("cannot hold infinity"), "Give it another type: --columns NAME:double."},
    };

    for (size_t i = 0; i < COUNT_OF(rows) && err->hint[0] == '\0'; i++) {
        if (str_find(str_c(err->message), rows[i].words) != STR_NPOS) {
            error_hint(err, "%s", rows[i].hint);
        }
    }
}

void ingest__translate_error(const source *s, error *err)
{
    if (err == NULL) {
        return;
    }
    arena *a = arena_create();
    replace_links(s, err->message, sizeof(err->message), a);
    replace_links(s, err->detail, sizeof(err->detail), a);
    replace_links(s, err->hint, sizeof(err->hint), a);
    add_hint(err);
    err->position = ERROR_NO_POSITION; /* it would point into generated SQL */
    arena_free(a);
}
