/* CALL register_table: a table that others made gets a name. */
#include "run/call.h"
#include "run/rows_sql.h"
#include "tarn/base/limits.h"
#include "tarn/base/vec.h"

enum { TABLE, METADATA_FILE, REBASE };

/* MAP {'from': 'to', …} */
static status read_rules(const call *c, catalog_foreign *foreign, error *err)
{
    const token_list *list = &c->r->tokens;
    VEC(ice_rebase) rules = {0};
    if (c->given[REBASE] == NULL || str_is_null(c->values[REBASE])) {
        return STATUS_OK;
    }
    token_range range = c->given[REBASE]->value;
    if (!token_is(list, range.from, "map") || !token_is_symbol(list, range.from + 1, '{')) {
        error_set(err, STATUS_INVALID, "argument \"rebase\" is no MAP {'old': 'new'}");
        return run_at(STATUS_INVALID, c->given[REBASE]->position, err);
    }
    for (size_t at = range.from + 2; at + 1 < range.to; at += 4) {
        ice_rebase rule;
        if (list->items[at].kind != TOKEN_TEXT || !token_is_symbol(list, at + 1, ':') ||
            list->items[at + 2].kind != TOKEN_TEXT ||
            !(token_is_symbol(list, at + 3, ',') || at + 4 == range.to)) {
            return token_error(list, at, err);
        }
        TRY(token_value(list, at, c->a, &rule.from, err));
        TRY(token_value(list, at + 2, c->a, &rule.to, err));
        vec_push(c->a, &rules, rule);
    }
    foreign->rebase = rules.items;
    foreign->rebase_count = rules.count;
    return STATUS_OK;
}

static void put_total(rows_sql *rows, const ice_snapshot *snapshot, const char *key)
{
    int64_t total = 0;
    if (snapshot != NULL &&
        str_to_int64(ice_snapshot_summary(snapshot, key), &total, NULL) == STATUS_OK) {
        rows_int(rows, total);
    } else {
        rows_text(rows, STR_NULL);
    }
}

/* As Spark answers. */
static status answer(const call *c, error *err)
{
    static const char *const columns[] = {"current_snapshot_id BIGINT",
                                          "total_records_count BIGINT",
                                          "total_data_files_count BIGINT"};
    buf *sql = buf_in(c->a, LIMIT_MIB);
    ice_metadata *m;
    table_info info;
    rows_sql rows;

    TRY(catalog_load_table(c->r->catalog, c->table, c->a, &m, &info, err));
    const ice_snapshot *snapshot = ice_metadata_snapshot(m);
    rows_begin(&rows, sql, columns, COUNT_OF(columns));
    if (snapshot != NULL) {
        rows_int(&rows, snapshot->id);
    } else {
        rows_text(&rows, STR_NULL);
    }
    put_total(&rows, snapshot, "total-records");
    put_total(&rows, snapshot, "total-data-files");
    rows_end(&rows);
    ice_metadata_unref(m);
    return run_constant_rows(c->r, buf_str(sql), c->last, err);
}

status call_register_table(call *c, error *err)
{
    catalog_foreign foreign = {.location = c->values[METADATA_FILE], .version = STR("")};

    TRY(run_check_access(c->r, ACTION_LOCATION_READ, STR(""), STR(""), err));
    TRY(read_rules(c, &foreign, err));
    TRY(catalog_register_table(c->r->catalog, c->table, &foreign, err));
    return answer(c, err);
}
