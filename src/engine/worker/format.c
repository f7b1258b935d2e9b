/* Rows as text. What a single value looks like is in cell.c. */
#include "worker/format.h"

#include <string.h>

#include "tarn/base/limits.h"
#include "tarn/base/map.h"

/* --- names --- */

/* Members of an object must differ: the second "a" becomes "a_1", unless that is a column of its own. */
static str unique_name(map *taken, str name, arena *a)
{
    str candidate = name;

    for (int suffix = 1; map_has(taken, candidate); suffix++) {
        candidate = str_printf(a, "%.*s_%d", STR_ARG(name), suffix);
    }
    map_set(taken, candidate, taken);
    return candidate;
}

static str *object_keys(const str *names, size_t count, arena *a)
{
    map *taken = map_create(a);
    str *keys = ARENA_ARRAY(a, str, count);

    for (size_t i = 0; i < count; i++) {
        str name = unique_name(taken, names[i], a);
        buf *key = buf_in(a, SIZE_MAX / 2);

        cell_put_json_text(key, name.data, name.size);
        buf_add_char(key, ':');
        keys[i] = buf_str(key);
    }
    return keys;
}

void format_init(format *f, result_format kind, const str *names, cell_vector *columns,
                 size_t count, arena *a)
{
    *f = (format){.kind = kind, .columns = columns, .count = count};
    buf_init(&f->scratch, LIMIT_WORKER_MESSAGE);
    if (kind == RESULT_JSON_OBJECTS || kind == RESULT_JSONL) {
        f->names = object_keys(names, count, a);
    } else {
        f->names = ARENA_ARRAY(a, str, count);
        for (size_t i = 0; i < count; i++) {
            f->names[i] = names[i];
        }
    }
}

void format_release(format *f)
{
    buf_release(&f->scratch);
}

/* --- CSV and TSV --- */

static void put_csv_text(buf *out, str text)
{
    size_t i = 0;

    while (i < text.size && text.data[i] != ',' && text.data[i] != '"' && text.data[i] != '\n' &&
           text.data[i] != '\r') {
        i++;
    }
    if (i == text.size && text.size > 0) {
        buf_add_str(out, text);
        return;
    }
    buf_add_char(out, '"');
    for (str rest = text; rest.size > 0;) {
        size_t quote = str_find_char(rest, '"');
        size_t size = quote == STR_NPOS ? rest.size : quote + 1;

        buf_add(out, rest.data, size);
        if (quote != STR_NPOS) {
            buf_add_char(out, '"');
        }
        rest = str_slice(rest, size, rest.size);
    }
    buf_add_char(out, '"');
}

static const char tsv_escapes[256] = {['\t'] = 't', ['\n'] = 'n', ['\r'] = 'r', ['\\'] = '\\'};

static void put_tsv_text(buf *out, str text)
{
    size_t done = 0;

    if (text.size == 0) {
        buf_add_str(out, STR("\"\""));
        return;
    }
    if (text.data[0] ==
        '"') { /* it would be taken for the beginning of a quoted value, or for "" */
        buf_add_char(out, '\\');
    }
    for (size_t i = 0; i < text.size; i++) {
        char escape = tsv_escapes[(unsigned char)text.data[i]];

        if (escape != 0) {
            buf_add(out, text.data + done, i - done);
            buf_add_char(out, '\\');
            buf_add_char(out, escape);
            done = i + 1;
        }
    }
    buf_add(out, text.data + done, text.size - done);
}

static void put_separated_text(const format *f, str text, buf *out)
{
    if (f->kind == RESULT_CSV) {
        put_csv_text(out, text);
    } else {
        put_tsv_text(out, text);
    }
}

static void put_separated(format *f, const cell_vector *v, uint64_t row, buf *out)
{
    if (cell_is_null(v, row)) {
        return;
    }
    if (!v->type->needs_quoting) {
        size_t before = out->size;

        v->type->put(v, row, out);
        if (out->size == before) { /* an empty binary value is no NULL */
            buf_add_str(out, STR("\"\""));
        }
        return;
    }
    if (v->type->id == DUCK_VARCHAR) {
        const duck_string *value = &((const duck_string *)v->data)[row];

        put_separated_text(f, str_from(duck_string_data(value), duck_string_size(value)), out);
        return;
    }
    buf_clear(&f->scratch);
    v->type->put(v, row, &f->scratch);
    put_separated_text(f, buf_str(&f->scratch), out);
    out->failed = out->failed || f->scratch.failed;
}

static void put_separated_row(format *f, uint64_t row, buf *out)
{
    char separator = f->kind == RESULT_CSV ? ',' : '\t';

    for (size_t i = 0; i < f->count; i++) {
        if (i > 0) {
            buf_add_char(out, separator);
        }
        put_separated(f, &f->columns[i], row, out);
    }
    buf_add_char(out, '\n');
}

static void put_header(const format *f, buf *out)
{
    for (size_t i = 0; i < f->count; i++) {
        if (i > 0) {
            buf_add_char(out, f->kind == RESULT_CSV ? ',' : '\t');
        }
        put_separated_text(f, f->names[i], out);
    }
    buf_add_char(out, '\n');
}

/* --- JSON --- */

static void put_array(const format *f, uint64_t row, buf *out)
{
    buf_add_char(out, '[');
    for (size_t i = 0; i < f->count; i++) {
        if (i > 0) {
            buf_add_char(out, ',');
        }
        cell_put_json(&f->columns[i], row, out);
    }
    buf_add_char(out, ']');
}

static void put_object(const format *f, uint64_t row, buf *out)
{
    buf_add_char(out, '{');
    for (size_t i = 0; i < f->count; i++) {
        if (i > 0) {
            buf_add_char(out, ',');
        }
        buf_add_str(out, f->names[i]);
        cell_put_json(&f->columns[i], row, out);
    }
    buf_add_char(out, '}');
}

void format_begin(format *f, buf *out)
{
    if (f->kind == RESULT_CSV || f->kind == RESULT_TSV) {
        put_header(f, out);
    } else if (f->kind == RESULT_JSON_OBJECTS) {
        buf_add_char(out, '[');
    }
}

void format_row(format *f, uint64_t row, buf *out)
{
    bool is_first = f->rows++ == 0;

    switch (f->kind) {
    case RESULT_JSON_ROWS:
    case RESULT_JSON_OBJECTS:
        if (!is_first) {
            buf_add_char(out, ',');
        }
        if (f->kind == RESULT_JSON_ROWS) {
            put_array(f, row, out);
        } else {
            put_object(f, row, out);
        }
        break;
    case RESULT_JSONL:
        put_object(f, row, out);
        buf_add_char(out, '\n');
        break;
    case RESULT_CSV:
    case RESULT_TSV:
        put_separated_row(f, row, out);
        break;
    case RESULT_ARROW:
    case RESULT_PARQUET:
    case RESULT_NONE:
        break;
    }
}

void format_end(format *f, buf *out)
{
    if (f->kind == RESULT_JSON_OBJECTS) {
        buf_add_char(out, ']');
    }
}
