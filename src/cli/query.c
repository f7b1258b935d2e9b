/* One statement to the server and its rows to stdout. What people read is laid out here; all other
 * formats are the server's bytes, passed on as they come. */
#include "query.h"

#include "cell.h"
#include "connect.h"
#include "output.h"
#include "progress.h"
#include "rows_stream.h"
#include "session.h"
#include "tarn/base/clock.h"
#include "tarn/base/limits.h"

typedef struct query_run_state {
    cli *c;
    const query_job *job;
    output *out; /* NULL: bytes are passed on */
    bool has_columns;
    bool is_text; /* of EXPLAIN, SHOW CREATE: drawn by the server, shown as it is */
    bool got_bytes;
    char last; /* byte that was passed on */
    progress progress;
} query_run_state;

#define PROGRESS_AFTER_MS 1000 /* what is quicker needs none */

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

/* Rows on a terminal and a line that tells of them do not go together. */
static void rows_come(query_run_state *s)
{
    if (out_is_terminal(s->c)) {
        progress_stop(&s->progress);
    }
}

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
    rows_come(s);
    s->has_columns = count > 0;
    bool is_plan = count == 2 && str_equal(columns[0].name, STR("explain_key"));
    bool is_sql = count == 1 && str_equal(columns[0].name, STR("sql")) &&
                  str_equal_nocase(cli_first_word(s->job->source.text), STR("show"));
    s->is_text = (is_plan || is_sql) && s->c->format != OUTPUT_MD;
    if (count == 0) {
        return STATUS_OK;
    }
    if (s->c->tables_printed++ > 0 && !s->c->in_shell) {
        TRY(out_str(s->c, STR("\n"), err)); /* tables of a script stand apart */
    }
    return s->is_text ? STATUS_OK : output_begin(s->out, columns, count, err);
}

/* A plan is a picture of many lines, a statement is copied from here. */
static status show_text(query_run_state *s, str cell, error *err)
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

    s->progress.rows++;
    if (s->is_text && count > 0) {
        return show_text(s, cells[count - 1], err);
    }
    return output_row(s->out, cells, count, err);
}

static status pass_on(void *context, const void *bytes, size_t size_bytes, error *err)
{
    query_run_state *s = context;

    rows_come(s);
    s->got_bytes = true;
    s->progress.done += (int64_t)size_bytes;
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

static status send(query_run_state *s, const http_call *call, http_answer *ret_answer, error *err)
{
    status result = api_send(s->c, call, ret_answer, err);

    if (result == STATUS_OK) {
        cli_session_note(s->c, ret_answer);
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
    outcome->has_columns = s->has_columns && !s->is_text;
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

    http_answer answer;

    s->out = output_create(s->c, out_width(s->c));
    call->write = rows_stream_feed;
    call->write_context = stream;
    TRY(send(s, call, &answer, err));
    TRY(rows_stream_end(stream, &document, err));
    if (s->has_columns && !s->is_text) {
        TRY(output_end(s->out, err));
    }
    read_outcome(s, document, outcome);
    return STATUS_OK;
}

/* The server's bytes as they are; how many rows they hold, its headers tell. */
static status run_for_programs(query_run_state *s, http_call *call, query_outcome *outcome,
                               error *err)
{
    http_answer answer;

    call->write = pass_on;
    call->write_context = s;
    TRY(send(s, call, &answer, err));
    if (s->c->format == OUTPUT_JSON && s->got_bytes && s->last != '\n') {
        TRY(out_str(s->c, STR("\n"), err));
    }
    outcome->rows = -1;
    (void)str_to_int64(http_answer_header(&answer, "X-Row-Count"), &outcome->rows, NULL);
    (void)str_to_int64(http_answer_header(&answer, "X-Changed-Rows"), &outcome->changed_rows, NULL);
    return STATUS_OK;
}

status query_run(cli *c, const query_job *job, query_outcome *ret_outcome, error *err)
{
    query_run_state s = {.c = c, .job = job, .progress = {.begin_after_ms = PROGRESS_AFTER_MS}};
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

    progress_start(c, &s.progress, "running", 0);
    status result = for_people ? run_for_people(&s, &call, &outcome, err)
                               : run_for_programs(&s, &call, &outcome, err);
    progress_stop(&s.progress);
    TRY(result);
    outcome.elapsed_ms = clock_mono_ms() - started_ms;
    *ret_outcome = outcome;
    return STATUS_OK;
}
