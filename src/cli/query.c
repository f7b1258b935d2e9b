/* One statement to the server and its rows to stdout. What people read is laid out here; all other
 * formats are the server's bytes, passed on as they come. */
#include "query.h"

#include <unistd.h>

#include "cell.h"
#include "connect.h"
#include "output.h"
#include "rows_stream.h"
#include "session.h"
#include "tarn/base/clock.h"
#include "tarn/base/limits.h"
#include "terminal.h"

typedef struct query_run_state {
    cli *c;
    const query_job *job;
    output *out; /* NULL: bytes are passed on */
    bool has_columns;
    bool is_plan; /* of EXPLAIN: drawn by the server, shown as it is */
    bool got_bytes;
    char last; /* byte that was passed on */
} query_run_state;

/* ---- the request ---- */

static const char *const wire_formats[] = {
    [OUTPUT_TABLE] = "json",  [OUTPUT_BOX] = "json",    [OUTPUT_MD] = "json",
    [OUTPUT_TSV] = "tsv",     [OUTPUT_CSV] = "csv",     [OUTPUT_JSON] = "objects",
    [OUTPUT_JSONL] = "jsonl", [OUTPUT_ARROW] = "arrow", [OUTPUT_PARQUET] = "parquet",
};

static str format_body(const query_run_state *s)
{
    const query_job *job = s->job;
    buf *body = buf_in(s->c->memory, LIMIT_JSON_BODY);
    json_writer w;

    json_writer_init(&w, body);
    json_begin_object(&w);
    json_member_str(&w, "sql", job->source.text);
    json_member_c(&w, "format", wire_formats[s->c->format]);
    if (s->c->session[0] != '\0') {
        json_member_c(&w, "session", s->c->session);
    }
    if (!str_is_null(job->space)) {
        json_member_str(&w, "namespace", job->space);
    }
    if (!str_is_null(job->at)) {
        json_member_str(&w, "at", job->at);
    }
    if (!str_is_null(job->params)) {
        json_key(&w, "params");
        json_put_raw(&w, job->params);
    }
    json_end_object(&w);
    return buf_str(body);
}

/* ---- the answer ---- */

static status on_begin(void *context, const json *head, error *err)
{
    query_run_state *s = context;
    const json *list = json_get(head, "columns");
    size_t count = json_count(list);
    output_column *columns = ARENA_ARRAY(s->c->memory, output_column, count);

    for (size_t i = 0; i < count; i++) {
        columns[i].name = json_str_or(json_get(json_at(list, i), "name"), STR(""));
        columns[i].type = json_str_or(json_get(json_at(list, i), "type"), STR(""));
    }
    s->has_columns = count > 0;
    s->is_plan =
        count == 2 && str_equal(columns[0].name, STR("explain_key")) && s->c->format != OUTPUT_MD;
    if (count == 0) {
        return STATUS_OK;
    }
    if (s->c->tables_printed++ > 0 && !s->c->in_shell) {
        TRY(out_str(s->c, STR("\n"), err)); /* tables of a script stand apart */
    }
    return s->is_plan ? STATUS_OK : output_begin(s->out, columns, count, err);
}

/* A plan is a picture of many lines. */
static status show_plan(query_run_state *s, str cell, error *err)
{
    buf *text = buf_in(s->c->memory, LIMIT_RESULT_IN_MEMORY);
    buf *line = buf_in(s->c->memory, LIMIT_RESULT_IN_MEMORY);

    cell_add_text(text, cell);
    for (str rest = buf_str(text); !str_is_null(rest);) {
        buf_clear(line);
        text_add_visible(line, str_cut(rest, '\n', &rest));
        buf_add_char(line, '\n');
        TRY(buf_check(line, "plan", err));
        TRY(out_str(s->c, buf_str(line), err));
    }
    return STATUS_OK;
}

static status on_row(void *context, const str *cells, size_t count, error *err)
{
    query_run_state *s = context;

    if (s->is_plan && count == 2) {
        return show_plan(s, cells[1], err);
    }
    return output_row(s->out, cells, count, err);
}

static status pass_on(void *context, const void *bytes, size_t size_bytes, error *err)
{
    query_run_state *s = context;
    s->got_bytes = true;
    s->last = size_bytes > 0 ? ((const char *)bytes)[size_bytes - 1] : s->last;
    return out_write(s->c, bytes, size_bytes, err);
}

/* An answer that broke off after its first bytes: the list of queries knows the reason. Returns
 * `otherwise` where it does not. */
static status find_reason(query_run_state *s, status otherwise, error *err)
{
    const json *document = NULL;
    const json *list;

    if (api_json(s->c, HTTP_GET, "/api/v1/queries", STR(""), &document, NULL) != STATUS_OK) {
        return otherwise;
    }
    list = json_get(document, "queries");
    for (size_t i = 0; i < json_count(list); i++) {
        const json *query = json_at(list, i);
        str sql = json_str_or(json_get(query, "sql"), STR(""));
        str reason = json_str_or(json_get(query, "error"), STR(""));
        if (reason.size > 0 && str_starts_with(s->job->source.text, sql)) {
            return error_set(err, STATUS_INVALID, "the query failed after its first rows: %.*s",
                             STR_ARG(reason));
        }
    }
    return otherwise;
}

static status send(query_run_state *s, const http_call *call, error *err)
{
    http_answer answer;
    status result = api_send(s->c, call, &answer, err);

    if (result == STATUS_OK) {
        cli_session_note(s->c, &answer);
    } else {
        cli_session_note_failure(s->c, s->job->source.text, err);
    }
    if (result == STATUS_UNAVAILABLE && (s->got_bytes || s->has_columns)) {
        result = find_reason(s, result, err);
    }
    return result;
}

static void read_outcome(const query_run_state *s, const json *document, query_outcome *outcome)
{
    outcome->has_columns = s->has_columns && !s->is_plan;
    outcome->rows = output_rows(s->out);
    outcome->changed_rows = json_int64_or(json_get(document, "changed_rows"), -1);
    outcome->hidden_columns = output_hidden_columns(s->out);
}

static status run_for_people(query_run_state *s, http_call *call, query_outcome *outcome,
                             error *err)
{
    const rows_handler handler = {.begin = on_begin, .row = on_row, .context = s};
    rows_stream *stream = rows_stream_create(s->c->memory, &handler);
    const json *document = NULL;

    s->out = output_create(s->c, terminal_width(STDOUT_FILENO));
    call->write = rows_stream_feed;
    call->write_context = stream;
    TRY(send(s, call, err));
    TRY(rows_stream_end(stream, &document, err));
    if (s->has_columns && !s->is_plan) {
        TRY(output_end(s->out, err));
    }
    read_outcome(s, document, outcome);
    return STATUS_OK;
}

status query_run(cli *c, const query_job *job, query_outcome *ret_outcome, error *err)
{
    query_run_state s = {.c = c, .job = job};
    query_outcome outcome = {.changed_rows = -1};
    int64_t started_ms = clock_mono_ms();

    TRY(cli_session_prepare(c, job->source.text, err));
    const http_header headers[] = {{STR("Content-Type"), STR("application/json")}};
    http_call call = {
        .method = HTTP_POST,
        .target = "/api/v1/query",
        .headers = headers,
        .header_count = COUNT_OF(headers),
        .body = format_body(&s),
    };
    bool for_people = strcmp(wire_formats[c->format], "json") == 0;

    if (for_people) {
        TRY(run_for_people(&s, &call, &outcome, err));
    } else {
        call.write = pass_on;
        call.write_context = &s;
        TRY(send(&s, &call, err));
        if (c->format == OUTPUT_JSON && s.got_bytes && s.last != '\n') {
            TRY(out_str(c, STR("\n"), err));
        }
    }
    outcome.elapsed_ms = clock_mono_ms() - started_ms;
    *ret_outcome = outcome;
    return STATUS_OK;
}
