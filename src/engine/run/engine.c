/* The engine and the run of a script: statement by statement, the first error ends it, the
 * answer is the last one's. */
#include "run/blame.h"
#include "run/groups.h"
#include "run/params.h"
#include "run/report.h"
#include "run/run.h"
#include "tarn/base/clock.h"
#include "tarn/base/limits.h"
#include "tarn/base/log.h"
#include "tarn/catalog/warehouse.h"

status engine_open(const engine_options *options, engine **ret_engine, error *err)
{
    engine *e = NEW(engine);
    e->options = *options;
    registry_init(&e->queries);
    shape_cache_init(&e->shapes);
    status started = sessions_init(e, &e->sessions, options->session_idle_ms, err);
    if (started != STATUS_OK) {
        engine_close(e);
        return started;
    }
    *ret_engine = e;
    return STATUS_OK;
}

void engine_close(engine *e)
{
    if (e != NULL) {
        sessions_release(e, &e->sessions);
        registry_release(&e->queries);
        shape_cache_release(&e->shapes);
        mem_free(e);
    }
}

worker_pool *engine_workers(engine *e)
{
    return e->options.workers;
}

void engine_read_stats(engine *e, engine_stats *ret_stats)
{
    *ret_stats = (engine_stats){
        .queries = atomic_load(&e->count),
        .failed = atomic_load(&e->failed),
        .cancelled = atomic_load(&e->cancelled),
        .unpruned = atomic_load(&e->unpruned),
        .files_considered = atomic_load(&e->considered),
        .files_skipped = atomic_load(&e->skipped),
        .transactions_committed = atomic_load(&e->committed),
        .transactions_rolled_back = atomic_load(&e->rolled_back),
        .transactions_conflicted = atomic_load(&e->conflicted),
    };
    mutex_lock(&e->sessions.lock);
    ret_stats->sessions = (int64_t)map_count(e->sessions.sessions);
    mutex_unlock(&e->sessions.lock);
}

status engine_list_queries(engine *e, str principal_id, arena *a, query_info **ret_list,
                           size_t *ret_count, error *err)
{
    (void)err;
    registry_list(&e->queries, principal_id, a, ret_list, ret_count);
    return STATUS_OK;
}

status engine_get_query(engine *e, str principal_id, str id, arena *a, query_info *ret_info,
                        error *err)
{
    return registry_get(&e->queries, principal_id, id, a, ret_info, err);
}

status engine_cancel_query(engine *e, str principal_id, str id, error *err)
{
    return registry_cancel(&e->queries, principal_id, id, err);
}

const char *engine_transaction_name(engine_transaction transaction)
{
    static const char *const names[] = {
        [TRANSACTION_NONE] = "none",
        [TRANSACTION_OPEN] = "open",
        [TRANSACTION_FAILED] = "failed",
        [TRANSACTION_COMMITTED] = "committed",
        [TRANSACTION_ROLLED_BACK] = "rolled back",
    };
    return names[transaction];
}

/* ---- what statements share ---- */

static bool is_cancelled(void *context)
{
    const run *r = context;
    return registry_is_cancelled(r->entry) ||
           (r->request->is_cancelled != NULL &&
            r->request->is_cancelled(r->request->cancel_context));
}

/* The request's own limit, where it is lower than the worker's share; a reset takes it away. */
static status limit_memory(run *r, error *err)
{
    str bytes = str_printf(r->a, "%lld", (long long)r->request->memory_bytes), higher;
    if (r->request->memory_bytes <= 0) {
        return STATUS_OK;
    }
    TRY(worker_scalar(r->w,
                      STR("SELECT parse_formatted_bytes(current_setting('memory_limit')) > "
                          "CAST($1 AS UBIGINT)"),
                      &bytes, 1, &r->cancel, r->a, &higher, err));
    return str_equal(higher, STR("true"))
               ? worker_exec(r->w, str_printf(r->a, "SET memory_limit = '%.*sB'", STR_ARG(bytes)),
                             &r->cancel, err)
               : STATUS_OK;
}

/* DuckDB's own macros of these names say "duckdb". Temporary ones go before them; the worker is this principal's alone,
 * so they may stay. The user's text is what it was: a column of such a name is still that column. */
static status name_user(run *r, error *err)
{
    static const str names[] = {STR_INIT("current_user"), STR_INIT("session_user"),
                                STR_INIT("user"), STR_INIT("current_role")};
    buf *sql = buf_in(r->a, LIMIT_SQL_TEXT);

    for (size_t n = 0; n < COUNT_OF(names); n++) {
        bool asked = false;

        for (size_t i = 0; i < r->tokens.count && !asked; i++) {
            asked = str_equal_nocase(token_text(&r->tokens, i), names[n]);
        }
        if (asked) {
            buf_printf(sql, "CREATE OR REPLACE TEMP MACRO \"%.*s\"() AS ", STR_ARG(names[n]));
            sql_quote_text(sql, r->request->who.name);
            buf_add_c(sql, "; ");
        }
    }
    TRY(buf_check(sql, "statement", err));
    return sql->size > 0 ? worker_exec(r->w, buf_str(sql), &r->cancel, err) : STATUS_OK;
}

int64_t run_rows_max(const run *r)
{
    int64_t own = r->request->rows_max;
    int64_t most = r->e->options.rows_max > 0 ? r->e->options.rows_max : -1;

    return own >= 0 && (most < 0 || own < most) ? own : most;
}

status run_worker(run *r, worker **ret_worker, error *err)
{
    if (r->w == NULL) {
        TRY(worker_acquire(r->e->options.workers, r->request->who.id, r->profile, &r->cancel, &r->w,
                           err));
        registry_running(&r->e->queries, r->entry);
        TRY(limit_memory(r, err));
        TRY(name_user(r, err));
    }
    *ret_worker = r->w;
    return STATUS_OK;
}

static bool is_missing(status result)
{
    return result == STATUS_NO_TABLE || result == STATUS_NO_NAMESPACE;
}

status run_resolve(const run *r, const str *parts, size_t count, arena *a, table_name *ret_name,
                   bool *ret_is_view, error *err)
{
    catalog *c = r->catalog;
    warehouse_info named;

    if (r->home.size == 0 || count == 1) {
        return catalog_resolve_relation(c, parts, count, r->space, a, ret_name, ret_is_view, err);
    }
    str *within = ARENA_ARRAY(a, str, count + 1);
    within[0] = r->home;
    memcpy(within + 1, parts, count * sizeof(*parts));
    status result =
        catalog_resolve_relation(c, within, count + 1, r->space, a, ret_name, ret_is_view, err);
    if (!is_missing(result) || catalog_find_warehouse(c, parts[0], a, &named, NULL) != STATUS_OK) {
        return result;
    }
    if (err != NULL) {
        error_clear(err);
    }
    return catalog_resolve_relation(c, parts, count, r->space, a, ret_name, ret_is_view, err);
}

status run_check_access(const run *r, action act, str space, str table, error *err)
{
    resource what = {.warehouse = catalog_warehouse(r->catalog), .space = space, .table = table};
    return access_check(r->e->options.access, &r->request->who, act, &what, err);
}

status run_at(status result, size_t position, error *err)
{
    if (result != STATUS_OK && err != NULL && err->position == ERROR_NO_POSITION) {
        err->position = (int)position;
    }
    return result;
}

status run_constant_rows(run *r, str sql, bool last, error *err)
{
    worker *w;
    worker_query_result rows;
    if (!last) {
        return STATUS_OK;
    }
    TRY(run_worker(r, &w, err));
    worker_query_options options = {
        .sql = sql, .format = r->request->format, .rows_max = run_rows_max(r)};
    TRY(worker_query(w, &options, r->sink, &r->cancel, &rows, err));
    r->answered = true;
    r->result.has_rows = true;
    r->result.row_count = rows.row_count;
    r->result.is_cut = rows.is_cut;
    return STATUS_OK;
}

status run_changed(run *r, bool last, int64_t changed_rows, int64_t snapshot_id, error *err)
{
    if (r->report != NULL) {
        r->report->changed_rows = changed_rows;
    }
    if (!last) {
        return STATUS_OK;
    }
    r->result.changed_rows = changed_rows;
    r->result.snapshot_id = snapshot_id;
    r->answered = true;
    return r->sink != NULL && r->sink->begin != NULL
               ? r->sink->begin(r->sink->context, NULL, 0, err)
               : STATUS_OK;
}

/* ---- the script ---- */

static status (*const runners[])(run *r, const statement *st, bool last, arena *a, error *err) = {
    [STATEMENT_READ] = run_read,
    [STATEMENT_EXPLAIN] = run_explain,
    [STATEMENT_SHOW_TABLES] = run_show,
    [STATEMENT_SHOW_ALL_TABLES] = run_show,
    [STATEMENT_SHOW_SCHEMAS] = run_show,
    [STATEMENT_SHOW_CREATE_TABLE] = run_show,
    [STATEMENT_SHOW_VIEWS] = run_show,
    [STATEMENT_SHOW_CREATE_VIEW] = run_show,
    [STATEMENT_SHOW_FUNCTIONS] = run_show,
    [STATEMENT_SHOW_PROPERTIES] = run_show,
    [STATEMENT_DESCRIBE_TABLE] = run_show,
    [STATEMENT_BEGIN] = run_transaction,
    [STATEMENT_COMMIT] = run_transaction,
    [STATEMENT_ROLLBACK] = run_transaction,
    [STATEMENT_USE] = run_use,
    [STATEMENT_SET_BRANCH] = run_set_branch,
    [STATEMENT_CREATE_SCHEMA] = run_schema,
    [STATEMENT_ALTER_SCHEMA] = run_schema,
    [STATEMENT_DROP_SCHEMA] = run_schema,
    [STATEMENT_CREATE_TABLE] = run_create_table,
    [STATEMENT_CREATE_TABLE_AS] = run_create_table_as,
    [STATEMENT_DROP_TABLE] = run_drop_table,
    [STATEMENT_UNDROP_TABLE] = run_undrop_table,
    [STATEMENT_CREATE_VIEW] = run_create_view,
    [STATEMENT_ALTER_VIEW] = run_alter_view,
    [STATEMENT_DROP_VIEW] = run_drop_view,
    [STATEMENT_INSERT] = run_insert,
    [STATEMENT_UPDATE] = run_update,
    [STATEMENT_DELETE] = run_delete,
    [STATEMENT_MERGE] = run_merge,
    [STATEMENT_TRUNCATE] = run_delete,
    [STATEMENT_ALTER_TABLE] = run_alter,
    [STATEMENT_COMMENT] = run_comment,
    [STATEMENT_CALL] = run_call,
    [STATEMENT_ANALYZE] = run_analyze,
    [STATEMENT_PREPARE] = run_prepare,
    [STATEMENT_EXECUTE] = run_execute,
    [STATEMENT_DEALLOCATE] = run_deallocate,
};

status run_inner(run *r, const statement *st, bool last, error *err)
{
    if (r->w != NULL) {
        TRY(name_user(r, err)); /* this text may ask for it where the script did not */
    }
    TRY(transaction_check(r, st, err));
    TRY(transaction_check(r, st, err));
    arena *a = arena_child(r->a);
    status result = runners[st->kind](r, st, last, a, err);
    arena_free(a);
    return result;
}

static status run_statement(run *r, const statement *st, bool last, error *err)
{
    arena *a = arena_child(r->a);
    int64_t started_ns = clock_mono_ns();
    r->result = (query_result){.changed_rows = -1, .snapshot_id = ICE_NO_SNAPSHOT};
    status result = transaction_check(r, st, err);
    if (result == STATUS_OK) {
        result = runners[st->kind](r, st, last, a, err);
    }
    if (result != STATUS_OK && st->kind != STATEMENT_EXECUTE) { /* its text is another */
        blame_place(r, st->tokens, err);
        blame_slip(r, st->tokens, err);
    }
    r->result.stats.elapsed_ms = (clock_mono_ns() - started_ns) / 1000000;
    arena_free(a);
    return result;
}

/* PREPARE stands for what it prepares, since only that may be executed later in the script; EXECUTE for what was
 * prepared before. */
static statement_kind what_runs(const run *r, const statement *st)
{
    statement_kind kind = statement_effect(st);
    if (kind == STATEMENT_PREPARE) {
        return st->inner;
    }
    if (kind == STATEMENT_EXECUTE) {
        (void)prepared_kind(r->prepared, st->name.parts[0], &kind);
    }
    return kind;
}

static bool writes_rows(statement_kind kind)
{
    return kind == STATEMENT_INSERT || kind == STATEMENT_CREATE_TABLE_AS ||
           kind == STATEMENT_DELETE || kind == STATEMENT_UPDATE || kind == STATEMENT_MERGE;
}

/* The parameters of PREPARE are EXECUTE's. */
static status check_params(run *r, const statement *list, const token_range *ranges, size_t count,
                           error *err)
{
    token_range *asked = ARENA_ARRAY(r->a, token_range, count);
    size_t asked_count = 0;
    for (size_t i = 0; i < count; i++) {
        if (list[i].kind != STATEMENT_PREPARE) {
            asked[asked_count++] = ranges[i];
        } else { /* one by one only for what is mixed in it */
            TRY(params_check(&r->tokens, &ranges[i], 1, NULL, r->a, err));
        }
    }
    return params_check(&r->tokens, asked, asked_count, r->request->params, r->a, err);
}

/* All statements are parsed before the first one runs: a script with a mistake in it changes
 * nothing. */
static status parse_script(run *r, statement **ret_statements, size_t *ret_count, error *err)
{
    token_range *ranges;
    size_t count;
    TRY(token_scan(r->request->sql, r->a, &r->tokens, err));
    token_split(&r->tokens, r->a, &ranges, &count);
    if (count == 0) {
        return error_set(err, STATUS_SYNTAX, "there is no statement");
    }
    statement *list = ARENA_ARRAY(r->a, statement, count);
    for (size_t i = 0; i < count; i++) {
        status result = statement_parse(&r->tokens, ranges[i], r->a, &list[i], err);
        if (result != STATUS_OK) {
            blame_slip(r, ranges[i], err);
            return result;
        }
        statement_kind kind = what_runs(r, &list[i]);
        if (r->request->reading_only && statement_changes(kind)) {
            error_set(err, STATUS_METHOD,
                      "%s changes something: only reading statements are accepted here",
                      statement_kind_name(kind));
            return run_at(STATUS_METHOD, list[i].position, err);
        }
        if (writes_rows(kind)) {
            r->profile = WORKER_WRITER;
        }
    }
    TRY(check_params(r, list, ranges, count, err));
    *ret_statements = list;
    *ret_count = count;
    return STATUS_OK;
}

static status run_script(run *r, error *err)
{
    statement *statements;
    size_t count;
    TRY(parse_script(r, &statements, &count, err));
    for (size_t i = 0; i < count; i++) {
        TRY(run_statement(r, &statements[i], i + 1 == count, err));
    }
    return STATUS_OK;
}

static int64_t deadline_ns(const engine *e, const query_request *request)
{
    int64_t limit_ms = e->options.query_timeout_ms;
    if (request->timeout_ms > 0 && (limit_ms == 0 || request->timeout_ms < limit_ms)) {
        limit_ms = request->timeout_ms;
    }
    return limit_ms > 0 ? clock_mono_ns() + limit_ms * 1000000 : 0;
}

/* The request on its session, which keeps what it leaves open. */
static status run_in_session(run *r, error *err)
{
    sql_session own = {.space = NULL};
    sql_session *s = &own;
    status result;

    if (r->request->session.size > 0) {
        TRY(session_take(r->e, &r->request->who, r->request->session, r->entry->id, &s, err));
    }
    r->session = s;
    r->prepared = s->prepared;
    r->space = r->request->space.size > 0 ? r->request->space
               : s->space != NULL         ? str_copy(r->a, str_c(s->space))
                                          : STR("main");
    r->branch = s->branch != NULL ? str_copy(r->a, str_c(s->branch)) : STR_NULL;
    const str before[] = {r->space, r->branch};
    result = run_script(r, err);
    if (result != STATUS_OK) {
        transaction_fail(r);
    }
    if (s == &own) {
        if (s->txn != NULL) { /* left open */
            r->result.transaction = TRANSACTION_ROLLED_BACK;
        }
        session_end(r->e, s);
        return result;
    }
    if (before[0].data != r->space.data) { /* USE */
        session_set(&s->space, r->space);
    }
    if (before[1].data != r->branch.data) { /* SET branch */
        session_set(&s->branch, r->branch);
    }
    if (r->own_prepared != NULL) { /* the first PREPARE */
        s->prepared = r->own_prepared;
        r->own_prepared = NULL;
    }
    if (r->result.transaction == TRANSACTION_NONE || result != STATUS_OK) {
        r->result.transaction = transaction_state(s);
    }
    session_give_back(r->e, s);
    return result;
}

status engine_run(engine *e, const query_request *request, const result_sink *sink,
                  query_result *ret_result, error *err)
{
    error own = ERROR_INIT;
    run r = {
        .e = e,
        .catalog = e->options.catalog,
        .request = request,
        .sink = sink,
        .a = arena_create(),
        .entry = registry_begin(&e->queries, &request->who, request->id, request->sql),
        .cancel = {.is_cancelled = is_cancelled, .deadline_ns = deadline_ns(e, request)},
        .profile = WORKER_QUERY,
    };
    err = err != NULL ? err : &own;
    error_clear(err);
    r.cancel.context = &r;
    r.links = map_create(r.a);
    r.held = map_create(r.a);
    atomic_fetch_add(&e->count, 1);
    status result = run_in_session(&r, err);
    if (r.w != NULL) {
        worker_release(r.w);
    }
    groups_close_held(&r);
    memcpy(r.result.id, r.entry->id.data, r.entry->id.size);
    registry_end(&e->queries, r.entry, result, err, r.result.row_count);
    if (result == STATUS_OK) {
        *ret_result = r.result;
    } else {
        ret_result->transaction = r.result.transaction;
        atomic_fetch_add(result == STATUS_CANCELLED ? &e->cancelled : &e->failed, 1);
    }
    prepared_set_free(r.own_prepared);
    arena_free(r.a);
    return result;
}
