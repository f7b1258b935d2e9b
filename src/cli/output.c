/* Rows on stdout: which writer a format has, and the plain ones (CSV, TSV, JSON). */
#include "output.h"

#include "cell.h"
#include "tarn/base/limits.h"
#include "tarn/base/vec.h"

struct output {
    cli *c;
    grid *grid; /* table, box, md */
    buf *line;
    output_column *columns;
    size_t count;
    int64_t rows;
};

output *output_create(cli *c, int width)
{
    output *o = ARENA_NEW(c->memory, output);

    o->c = c;
    o->line = buf_in(c->memory, LIMIT_RESULT_IN_MEMORY);
    if (c->format == OUTPUT_TABLE || c->format == OUTPUT_BOX || c->format == OUTPUT_MD) {
        grid_style style = c->format == OUTPUT_TABLE ? GRID_TABLE
                           : c->format == OUTPUT_BOX ? GRID_BOX
                                                     : GRID_MD;
        o->grid = grid_create(c, style, style == GRID_MD ? 0 : width);
    }
    return o;
}

static status write_line(output *o, error *err)
{
    buf_add_char(o->line, '\n');
    TRY(buf_check(o->line, "row", err));
    status result = out_str(o->c, buf_str(o->line), err);
    buf_clear(o->line);
    return result;
}

static status write_names(output *o, void (*add)(buf *out, str text), char separator, error *err)
{
    for (size_t i = 0; i < o->count; i++) {
        if (i > 0) {
            buf_add_char(o->line, separator);
        }
        add(o->line, o->columns[i].name);
    }
    return write_line(o, err);
}

status output_begin(output *o, const output_column *columns, size_t count, error *err)
{
    o->count = count;
    o->columns = ARENA_ARRAY(o->c->memory, output_column, count);
    for (size_t i = 0; i < count; i++) {
        o->columns[i].name = str_copy(o->c->memory, columns[i].name);
        o->columns[i].type = str_copy(o->c->memory, columns[i].type);
    }
    if (o->grid != NULL) {
        return grid_begin(o->grid, o->columns, count, err);
    }
    switch (o->c->format) {
    case OUTPUT_CSV:
        return write_names(o, text_add_csv, ',', err);
    case OUTPUT_TSV:
        return write_names(o, text_add_tsv, '\t', err);
    case OUTPUT_JSON:
        return out_str(o->c, STR("["), err);
    case OUTPUT_JSONL:
        return STATUS_OK;
    default:
        error_set(err, STATUS_UNSUPPORTED, "this command has no output in that format");
        error_hint(err, "Choose table, tsv, csv, json, jsonl, md or box.");
        return STATUS_UNSUPPORTED;
    }
}

static void add_object(output *o, const str *cells)
{
    buf_add_char(o->line, '{');
    for (size_t i = 0; i < o->count; i++) {
        buf_add_c(o->line, i > 0 ? "," : "");
        json_quote(o->line, o->columns[i].name);
        buf_add_char(o->line, ':');
        buf_add_str(o->line, cells[i]);
    }
    buf_add_char(o->line, '}');
}

static void add_separated(output *o, const str *cells, void (*add)(buf *out, str cell),
                          char separator)
{
    for (size_t i = 0; i < o->count; i++) {
        if (i > 0) {
            buf_add_char(o->line, separator);
        }
        add(o->line, cells[i]);
    }
}

status output_row(output *o, const str *cells, size_t count, error *err)
{
    if (count != o->count) {
        return error_set(err, STATUS_UNAVAILABLE, "a row has %zu values, not %zu", count, o->count);
    }
    o->rows++;
    if (o->grid != NULL) {
        return grid_row(o->grid, cells, err);
    }
    switch (o->c->format) {
    case OUTPUT_CSV:
        add_separated(o, cells, cell_add_csv, ',');
        return write_line(o, err);
    case OUTPUT_TSV:
        add_separated(o, cells, cell_add_tsv, '\t');
        return write_line(o, err);
    case OUTPUT_JSON:
        TRY(out_str(o->c, o->rows > 1 ? STR(",\n") : STR("\n"), err));
        add_object(o, cells);
        TRY(buf_check(o->line, "row", err));
        TRY(out_str(o->c, buf_str(o->line), err));
        buf_clear(o->line);
        return STATUS_OK;
    default:
        add_object(o, cells);
        return write_line(o, err);
    }
}

status output_end(output *o, error *err)
{
    if (o->grid != NULL) {
        return grid_end(o->grid, err);
    }
    return o->c->format == OUTPUT_JSON ? out_str(o->c, o->rows > 0 ? STR("\n]\n") : STR("]\n"), err)
                                       : STATUS_OK;
}

int64_t output_rows(const output *o)
{
    return o->rows;
}

size_t output_hidden_columns(const output *o)
{
    return o->grid != NULL ? grid_hidden_columns(o->grid) : 0;
}

/* ---- lists of the API ---- */

static const json *reach(const json *object, const char *key)
{
    str rest = str_c(key);

    while (!str_is_null(rest) && object != NULL) {
        object = json_get_str(object, str_cut(rest, '.', &rest));
    }
    return object;
}

static str format_cell(arena *a, const json *value)
{
    if (value == NULL) {
        return STR("null");
    }
    buf *text = buf_in(a, LIMIT_JSON_BODY);
    json_format(value, text);
    return buf_str(text);
}

status output_list(cli *c, const json *array, const list_column *columns, size_t count, error *err)
{
    output *o = output_create(c, out_width(c));
    output_column *heads = ARENA_ARRAY(c->memory, output_column, count);
    str *cells = ARENA_ARRAY(c->memory, str, count);
    arena *row = arena_child(c->memory);

    for (size_t i = 0; i < count; i++) {
        heads[i] = (output_column){.name = str_c(columns[i].title), .type = str_c(columns[i].type)};
    }
    TRY(output_begin(o, heads, count, err));
    for (size_t r = 0; r < json_count(array); r++) {
        for (size_t i = 0; i < count; i++) {
            cells[i] = format_cell(row, reach(json_at(array, r), columns[i].key));
        }
        TRY(output_row(o, cells, count, err));
        arena_clear(row);
    }
    return output_end(o, err);
}

status output_record(cli *c, const json *object, const list_column *columns, size_t count,
                     error *err)
{
    static const output_column heads[] = {{STR_INIT("name"), STR_INIT("")},
                                          {STR_INIT("value"), STR_INIT("")}};
    output *o;

    if (c->format == OUTPUT_JSON || c->format == OUTPUT_JSONL) {
        str text = format_cell(c->memory, object);
        TRY(out_str(c, text, err));
        return out_str(c, STR("\n"), err);
    }
    o = output_create(c, out_width(c));
    TRY(output_begin(o, heads, COUNT_OF(heads), err));
    for (size_t i = 0; i < count; i++) {
        const json *value = reach(object, columns[i].key);
        buf *name = buf_in(c->memory, LIMIT_MIB);
        json_quote(name, str_c(columns[i].title));
        if (value != NULL) {
            TRY(output_row(o, (const str[]){buf_str(name), format_cell(c->memory, value)}, 2, err));
        }
    }
    return output_end(o, err);
}
