/* A query's answer over HTTP: holding back, streaming, the JSON document, trailers. */
#include "run.h"

#include <inttypes.h>
#include <stdio.h>

#include "answer.h"
#include "tarn/base/limits.h"
#include "tarn/base/rng.h"

#define HOLD_BACK_BYTES (64 * LIMIT_KIB)

typedef struct query_answer {
    call *c;
    const query_request *request;
    buf held;
    bool streaming;
    bool begun; /* the engine called begin */
    char id[37];
} query_answer;

static const char *const trailer_names[] = {"X-Row-Count", "X-Files-Total", "X-Files-Read",
                                            "X-Elapsed-Ms", "X-Truncated"};

static status start_stream(query_answer *a, error *err)
{
    http_set_header(a->c->x, "X-Query-Id", str_c(a->id));
    for (size_t i = 0; i < COUNT_OF(trailer_names); i++) {
        http_declare_trailer(a->c->x, trailer_names[i]);
    }
    a->streaming = true;
    return http_stream_begin(a->c->x, 200, result_format_media_type(a->request->format), -1, err);
}

static status push(query_answer *a, const void *bytes, size_t size, error *err)
{
    if (!a->streaming && a->held.size + size <= HOLD_BACK_BYTES) {
        buf_add(&a->held, bytes, size);
        return STATUS_OK;
    }
    if (!a->streaming) {
        TRY(start_stream(a, err));
        TRY(http_stream_write(a->c->x, a->held.data, a->held.size, err));
    }
    return http_stream_write(a->c->x, bytes, size, err);
}

static status begin(void *context, const result_column *columns, size_t count, error *err)
{
    query_answer *a = context;
    a->begun = true;
    if (a->request->format != RESULT_JSON_ROWS) {
        return STATUS_OK;
    }
    buf *head = buf_in(a->c->a, LIMIT_JSON_BODY);
    json_writer w;
    json_writer_init(&w, head);
    json_begin_object(&w);
    json_member_c(&w, "query_id", a->id);
    json_key(&w, "columns");
    json_begin_array(&w);
    for (size_t i = 0; i < count; i++) {
        json_begin_object(&w);
        json_member_str(&w, "name", columns[i].name);
        json_member_str(&w, "type", columns[i].type);
        json_member_bool(&w, "nullable", true);
        json_end_object(&w);
    }
    json_end_array(&w);
    buf_add_c(head, ",\"rows\":[");
    TRY(buf_check(head, "answer", err));
    return push(a, head->data, head->size, err);
}

static status write_rows(void *context, const void *bytes, size_t size, error *err)
{
    return push(context, bytes, size, err);
}

static void format_tail(const query_result *r, buf *tail)
{
    json_writer w;

    buf_add_char(tail, ']');
    json_writer_init(&w, tail);
    w.needs_comma = true;
    json_member_int(&w, "row_count", r->row_count);
    json_member_bool(&w, "truncated", r->is_cut);
    if (r->transaction != TRANSACTION_NONE) {
        json_member_c(&w, "transaction", engine_transaction_name(r->transaction));
    }
    if (r->changed_rows < 0) {
        json_member_null(&w, "changed_rows");
    } else {
        json_member_int(&w, "changed_rows", r->changed_rows);
    }
    member_id(&w, "snapshot_id", r->snapshot_id);
    json_key(&w, "stats");
    json_begin_object(&w);
    json_member_int(&w, "files_total", r->stats.files_total);
    json_member_int(&w, "files_read", r->stats.files_read);
    json_member_int(&w, "bytes_read", r->stats.bytes_read);
    json_member_int(&w, "rows_scanned", r->stats.rows_scanned);
    json_member_int(&w, "elapsed_ms", r->stats.elapsed_ms);
    json_end_object(&w);
    buf_add_c(tail, "}\n");
}

static void set_totals(query_answer *a, const query_result *r,
                       void (*set)(http_exchange *x, const char *name, str value))
{
    const int64_t values[] = {r->row_count, r->stats.files_total, r->stats.files_read,
                              r->stats.elapsed_ms, r->is_cut ? 1 : 0};

    for (size_t i = 0; i < COUNT_OF(trailer_names); i++) {
        set(a->c->x, trailer_names[i], str_printf(a->c->a, "%" PRId64, values[i]));
    }
    if (r->changed_rows >= 0 && !a->streaming) {
        set(a->c->x, "X-Changed-Rows", str_printf(a->c->a, "%" PRId64, r->changed_rows));
    }
}

static status finish(query_answer *a, const query_result *r, error *err)
{
    if (!a->begun) { /* nothing but changes, or nothing at all */
        TRY(begin(a, NULL, 0, err));
    }
    if (a->request->format == RESULT_JSON_OBJECTS && !a->streaming && a->held.size == 0) {
        TRY(push(a, "[]", 2,
                 err)); /* changes have no rows, and their answer is JSON all the same */
    }
    if (a->request->format == RESULT_JSON_ROWS) {
        buf *tail = buf_in(a->c->a, LIMIT_JSON_BODY);
        format_tail(r, tail);
        TRY(push(a, tail->data, tail->size, err));
    }
    if (a->streaming) {
        set_totals(a, r, http_set_trailer);
        return http_stream_end(a->c->x, err);
    }
    http_set_header(a->c->x, "X-Query-Id", str_c(a->id));
    set_totals(a, r, http_set_header);
    http_respond(a->c->x, 200, result_format_media_type(a->request->format), buf_str(&a->held));
    return STATUS_OK;
}

status run_query(call *c, query_request *request, error *err)
{
    query_answer a = {.c = c, .request = request};
    query_result result = {.snapshot_id = ICE_NO_SNAPSHOT, .changed_rows = -1};
    const result_sink sink = {.begin = begin, .write = write_rows, .context = &a};

    random_uuid(a.id);
    buf_init(&a.held, HOLD_BACK_BYTES + LIMIT_KIB);
    request->who = c->who;
    request->id = str_c(a.id);
    request->is_cancelled = call_is_cancelled;
    request->cancel_context = c;
    status outcome = engine_run(c->app->engine, request, &sink, &result, err);
    if (request->session.size > 0 && !a.streaming) {
        http_set_header(c->x, "X-Transaction", str_c(engine_transaction_name(result.transaction)));
    }
    if (outcome == STATUS_OK) {
        outcome = finish(&a, &result, err);
    }
    buf_release(&a.held);
    return outcome;
}
