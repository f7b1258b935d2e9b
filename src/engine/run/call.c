/* CALL: procedures by tarn's and Spark's names, with Spark's argument names. A row of the table below each. */
#include "run/call.h"

#include "run/rows_sql.h"
#include "tarn/base/limits.h"
#include "tarn/iceberg/evolve.h"

/* ---- moving "main" ---- */

typedef struct move {
    const call *c;
    bool ancestors_only; /* rollback */
    int64_t snapshot_id; /* ICE_NO_SNAPSHOT: by ref or time */
    int64_t before_ms;   /* -1: not by time */
    size_t ref;          /* the argument that names it; 0: not by reference */
    int64_t from, to;    /* what was and is current */
} move;

static bool is_ancestor(const ice_metadata *m, int64_t id)
{
    const ice_snapshot *s = ice_metadata_snapshot(m);
    for (size_t steps = 0; s != NULL && steps <= m->snapshot_count; steps++) {
        if (s->id == id) {
            return true;
        }
        s = ice_metadata_snapshot_by_id(m, s->parent_id);
    }
    return false;
}

static status find_before(const ice_metadata *m, int64_t before_ms, int64_t *ret_id, error *err)
{
    const ice_snapshot *s = ice_metadata_snapshot(m);
    for (size_t steps = 0; s != NULL && steps <= m->snapshot_count; steps++) {
        if (s->timestamp_ms < before_ms) {
            *ret_id = s->id;
            return STATUS_OK;
        }
        s = ice_metadata_snapshot_by_id(m, s->parent_id);
    }
    return error_set(err, STATUS_NO_SNAPSHOT, "the table has no snapshot from before that time");
}

static status find_ref(const call *c, const ice_metadata *m, size_t argument, int64_t *ret_id,
                       error *err)
{
    for (size_t i = 0; i < m->ref_count; i++) {
        if (str_equal(m->refs[i].name, c->values[argument])) {
            *ret_id = m->refs[i].snapshot_id;
            return STATUS_OK;
        }
    }
    return call_no_ref(c, argument, m, err);
}

static status no_snapshot(const call *c, const ice_metadata *m, int64_t id, error *err)
{
    const statement_argument *given = c->given[1];

    error_set(err, STATUS_NO_SNAPSHOT, "snapshot %lld does not exist", (long long)id);
    if (m->snapshot_count > 0) {
        error_hint(err, "The table's snapshots are the rows of %.*s.snapshots.",
                   STR_ARG(c->table.table));
    } else {
        error_hint(err, "The table has no snapshot yet.");
    }
    return given != NULL ? run_at(STATUS_NO_SNAPSHOT, given->position, err) : STATUS_NO_SNAPSHOT;
}

static status move_main(void *context, ice_builder *b, error *err)
{
    move *v = context;
    const ice_metadata *m = ice_builder_now(b);
    ice_ref main_ref = {.name = STR("main"),
                        .max_ref_age_ms = -1,
                        .max_snapshot_age_ms = -1,
                        .min_snapshots_to_keep = -1};
    for (size_t i = 0; i < m->ref_count; i++) {
        main_ref = str_equal(m->refs[i].name, STR("main")) ? m->refs[i] : main_ref;
    }
    v->from = m->current_snapshot_id;
    v->to = v->snapshot_id;
    if (v->ref > 0) {
        TRY(find_ref(v->c, m, v->ref, &v->to, err));
    } else if (v->before_ms >= 0) {
        TRY(find_before(m, v->before_ms, &v->to, err));
    }
    if (ice_metadata_snapshot_by_id(m, v->to) == NULL) {
        return no_snapshot(v->c, m, v->to, err);
    }
    if (v->ancestors_only && !is_ancestor(m, v->to)) {
        error_set(err, STATUS_INVALID, "snapshot %lld is no ancestor of the current one",
                  (long long)v->to);
        error_hint(err, "Any snapshot can be reached by set_current_snapshot.");
        return STATUS_INVALID;
    }
    main_ref.snapshot_id = v->to;
    return ice_builder_set_ref(b, &main_ref, err);
}

static void put_id(rows_sql *rows, int64_t id)
{
    if (id == ICE_NO_SNAPSHOT) {
        rows_text(rows, STR_NULL);
    } else {
        rows_int(rows, id);
    }
}

static status commit_move(call *c, move *v, error *err)
{
    static const char *const columns[] = {"previous_snapshot_id BIGINT",
                                          "current_snapshot_id BIGINT"};
    buf *sql = buf_in(c->a, LIMIT_MIB);
    ice_committer committer;
    rows_sql rows;
    TRY(catalog_committer(c->r->catalog, c->table, c->a, &committer, err));
    TRY(ice_metadata_update(&committer, move_main, v, NULL, err));
    rows_begin(&rows, sql, columns, COUNT_OF(columns));
    put_id(&rows, v->from);
    put_id(&rows, v->to);
    rows_end(&rows);
    c->r->result.snapshot_id = v->to;
    return run_constant_rows(c->r, buf_str(sql), c->last, err);
}

status call_take_int(const call *c, size_t argument, const char *what, int64_t *ret_value,
                     error *err)
{
    if (str_to_int64(c->values[argument], ret_value, NULL) != STATUS_OK) {
        return run_at(error_set(err, STATUS_INVALID, "%s \"%.*s\" is no number", what,
                                STR_ARG(c->values[argument])),
                      c->given[argument]->position, err);
    }
    return STATUS_OK;
}

status call_take_time(const call *c, size_t argument, int64_t *ret_ms, error *err)
{
    str text = c->values[argument];
    ice_value when;

    if (ice_value_parse_text(ice_type_primitive(ICE_TIMESTAMPTZ), text, c->a, &when, NULL) !=
            STATUS_OK &&
        ice_value_parse_text(ice_type_primitive(ICE_TIMESTAMP), text, c->a, &when, NULL) !=
            STATUS_OK) {
        error_set(err, STATUS_INVALID, "\"%.*s\" is no time", STR_ARG(text));
        error_hint(err, "Write it as 2026-11-21 10:00:00, in UTC.");
        return run_at(STATUS_INVALID, c->given[argument]->position, err);
    }
    *ret_ms = when.integer / 1000;
    return STATUS_OK;
}

static status rollback_to_snapshot(call *c, error *err)
{
    move v = {.c = c, .ancestors_only = true, .before_ms = -1};
    TRY(call_take_int(c, 1, "snapshot id", &v.snapshot_id, err));
    return commit_move(c, &v, err);
}

static status rollback_to_timestamp(call *c, error *err)
{
    move v = {.c = c, .ancestors_only = true, .snapshot_id = ICE_NO_SNAPSHOT};
    TRY(call_take_time(c, 1, &v.before_ms, err));
    return commit_move(c, &v, err);
}

static status set_current_snapshot(call *c, error *err)
{
    move v = {.c = c,
              .snapshot_id = ICE_NO_SNAPSHOT,
              .before_ms = -1,
              .ref = str_is_null(c->values[2]) ? 0 : 2};
    if (str_is_null(c->values[1]) == str_is_null(c->values[2])) {
        return error_set(err, STATUS_INVALID, "either a snapshot_id or a ref is wanted");
    }
    if (!str_is_null(c->values[1])) {
        TRY(call_take_int(c, 1, "snapshot id", &v.snapshot_id, err));
    }
    return commit_move(c, &v, err);
}

/* ---- the table of procedures ---- */

static const char removes_files[] = "it removes files, which no ROLLBACK brings back";
static const char takes_files[] = "it takes a table as other programs have it now";

static const struct {
    const char *name;
    const char *arguments[CALL_ARGUMENTS_MAX]; /* the first is the table */
    size_t required;
    bool makes; /* the table need not exist */
    action act;
    const char *alone; /* why it is no part of a transaction; NULL: it may be one */
    status (*run)(call *c, error *err);
} procedures[] = {
    {"rollback_to_snapshot",
     {"table", "snapshot_id"},
     2,
     false,
     ACTION_TABLE_WRITE,
     NULL,
     rollback_to_snapshot},
    {"rollback_to_timestamp",
     {"table", "timestamp"},
     2,
     false,
     ACTION_TABLE_WRITE,
     NULL,
     rollback_to_timestamp},
    {"set_current_snapshot",
     {"table", "snapshot_id", "ref"},
     1,
     false,
     ACTION_TABLE_WRITE,
     NULL,
     set_current_snapshot},
    {"compute_table_stats",
     {"table", "snapshot_id", "columns"},
     1,
     false,
     ACTION_TABLE_WRITE,
     NULL,
     call_compute_table_stats},
    {"fast_forward",
     {"table", "branch", "to"},
     3,
     false,
     ACTION_TABLE_WRITE,
     NULL,
     call_fast_forward},
    {"cherrypick_snapshot",
     {"table", "snapshot_id"},
     2,
     false,
     ACTION_TABLE_WRITE,
     NULL,
     call_cherrypick_snapshot},
    {"ancestors_of",
     {"table", "snapshot_id"},
     1,
     false,
     ACTION_TABLE_READ,
     NULL,
     call_ancestors_of},
    {"expire_snapshots",
     {"table", "older_than", "retain_last", "max_concurrent_deletes", "stream_results",
      "snapshot_ids", "clean_expired_metadata"},
     1,
     false,
     ACTION_TABLE_WRITE,
     removes_files,
     call_expire_snapshots},
    {"register_table",
     {"table", "metadata_file", "rebase"},
     2,
     true,
     ACTION_TABLE_CREATE,
     takes_files,
     call_register_table},
};

/* The nearest, or all that there are. */
static void hint_names(str nearest, const char *all, const str *names, size_t count, arena *a,
                       error *err)
{
    buf *list = buf_in(a, LIMIT_MIB);

    if (!str_is_null(nearest)) {
        error_hint(err, "Did you mean \"%.*s\"?", STR_ARG(nearest));
        return;
    }
    for (size_t i = 0; i < count; i++) {
        buf_printf(list, "%s%.*s", i > 0 ? ", " : "", STR_ARG(names[i]));
    }
    error_hint(err, "%s: %.*s.", all, STR_ARG(buf_str(list)));
}

/* name, tarn.name, system.name, tarn.system.name */
static status find_procedure(const run *r, const statement *st, arena *a, size_t *ret_index,
                             error *err)
{
    str name = st->name.parts[st->name.count - 1];
    str *names = ARENA_ARRAY(a, str, COUNT_OF(procedures));
    bool known = st->name.count <= 3;
    for (size_t i = 0; i + 1 < st->name.count && known; i++) {
        known = str_equal_nocase(st->name.parts[i], STR("system")) ||
                (i == 0 && (str_equal_nocase(st->name.parts[i], STR("tarn")) ||
                            str_equal_nocase(st->name.parts[i], catalog_warehouse(r->catalog))));
    }
    for (size_t i = 0; i < COUNT_OF(procedures); i++) {
        names[i] = str_c(procedures[i].name);
        if (known && str_equal_nocase(name, names[i])) {
            *ret_index = i;
            return STATUS_OK;
        }
    }
    str nearest = str_nearest(name, names, COUNT_OF(procedures));
    error_set(err, STATUS_NO_FUNCTION, "procedure \"%.*s\" does not exist", STR_ARG(name));
    hint_names(nearest, "There are", names, COUNT_OF(procedures), a, err);
    return run_at(STATUS_NO_FUNCTION, st->name.position, err);
}

/* 'text', 12, -3, TIMESTAMP '…': as text; MAP {…}, ARRAY (…) and […] as they are written; NULL is STR_NULL. */
static status value_of(const run *r, const statement_argument *argument, arena *a, str *ret_text,
                       error *err)
{
    token_range v = argument->value;
    const token_list *list = &r->tokens;
    if (v.to == v.from + 2 && token_is(list, v.from, "timestamp")) {
        v.from++;
    }
    bool sign = v.to == v.from + 2 && token_is_symbol(list, v.from, '-');
    token_kind kind = list->items[v.to - 1].kind;
    if (v.to == v.from + 1 && token_is(list, v.from, "null")) {
        *ret_text = STR_NULL;
        return STATUS_OK;
    }
    if (v.to > v.from + 1 && (token_is(list, v.from, "map") || token_is(list, v.from, "array") ||
                              token_is_symbol(list, v.from, '['))) {
        *ret_text = str_slice(list->sql, list->items[v.from].from, list->items[v.to - 1].to);
        return STATUS_OK;
    }
    if (v.to == v.from + 1 && (token_is(list, v.from, "true") || token_is(list, v.from, "false"))) {
        *ret_text = token_text(list, v.from);
        return STATUS_OK;
    }
    if (v.to == v.from + 1 && kind == TOKEN_TEXT) {
        return token_value(list, v.from, a, ret_text, err);
    }
    if (kind == TOKEN_NUMBER && (sign || v.to == v.from + 1)) {
        *ret_text = str_slice(list->sql, list->items[v.from].from, list->items[v.to - 1].to);
        return STATUS_OK;
    }
    return run_at(error_set(err, STATUS_UNSUPPORTED, "an argument of CALL must be a constant"),
                  argument->position, err);
}

static status find_argument(const statement_argument *argument, size_t procedure, size_t number,
                            arena *a, size_t *ret_at, error *err)
{
    if (str_is_null(argument->name)) {
        *ret_at = number;
        return number < CALL_ARGUMENTS_MAX && procedures[procedure].arguments[number] != NULL
                   ? STATUS_OK
                   : run_at(error_set(err, STATUS_INVALID, "procedure \"%s\" takes fewer arguments",
                                      procedures[procedure].name),
                            argument->position, err);
    }
    str names[CALL_ARGUMENTS_MAX];
    size_t count = 0;
    for (; count < CALL_ARGUMENTS_MAX && procedures[procedure].arguments[count] != NULL; count++) {
        names[count] = str_c(procedures[procedure].arguments[count]);
        if (str_equal_nocase(argument->name, names[count])) {
            *ret_at = count;
            return STATUS_OK;
        }
    }
    str nearest = str_nearest(argument->name, names, count);
    error_set(err, STATUS_INVALID, "procedure \"%s\" has no argument \"%.*s\"",
              procedures[procedure].name, STR_ARG(argument->name));
    hint_names(nearest, "It takes", names, count, a, err);
    return run_at(STATUS_INVALID, argument->position, err);
}

static status take_arguments(call *c, size_t procedure, error *err)
{
    for (size_t i = 0; i < CALL_ARGUMENTS_MAX; i++) {
        c->values[i] = STR_NULL;
    }
    for (size_t i = 0; i < c->st->argument_count; i++) {
        const statement_argument *argument = &c->st->arguments[i];
        size_t at;
        TRY(find_argument(argument, procedure, i, c->a, &at, err));
        if (c->given[at] != NULL) {
            return run_at(error_set(err, STATUS_INVALID, "argument \"%s\" is given twice",
                                    procedures[procedure].arguments[at]),
                          argument->position, err);
        }
        c->given[at] = argument;
        TRY(value_of(c->r, argument, c->a, &c->values[at], err));
    }
    for (size_t i = 0; i < procedures[procedure].required; i++) {
        if (str_is_null(c->values[i])) {
            return run_at(error_set(err, STATUS_INVALID, "procedure \"%s\" needs argument \"%s\"",
                                    procedures[procedure].name, procedures[procedure].arguments[i]),
                          c->st->name.position, err);
        }
    }
    return STATUS_OK;
}

status run_call(run *r, const statement *st, bool last, arena *a, error *err)
{
    call c = {.r = r, .st = st, .a = a, .last = last};
    catalog *tables = r->catalog;
    size_t procedure, count;
    str *parts;
    TRY(find_procedure(r, st, a, &procedure, err));
    if (r->session->txn != NULL && procedures[procedure].alone != NULL) {
        error_set(err, STATUS_TXN_ACTIVE, "CALL %s cannot run inside of a transaction: %s",
                  procedures[procedure].name, procedures[procedure].alone);
        error_hint(err, "COMMIT what is done before, or ROLLBACK, and run it by itself.");
        return run_at(STATUS_TXN_ACTIVE, st->name.position, err);
    }
    TRY(take_arguments(&c, procedure, err));
    TRY(run_at(catalog_split_name(c.values[0], a, &parts, &count, err), c.given[0]->position, err));
    TRY(run_at(procedures[procedure].makes
                   ? catalog_resolve_new(tables, parts, count, r->space, a, &c.table, err)
                   : catalog_resolve(tables, parts, count, r->space, a, &c.table, err),
               c.given[0]->position, err));
    TRY(run_check_access(r, procedures[procedure].act, c.table.space, c.table.table, err));
    return run_at(procedures[procedure].run(&c, err), st->name.position, err);
}
