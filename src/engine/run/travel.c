/* Resolving time travel: constants by the worker, snapshots by the table's metadata. */
#include "run/travel.h"

#include "sql/tree.h"
#include "tarn/base/limits.h"

#define SCAN_NAME "iceberg_scan"

/* ---- taking the clauses out ---- */

/* Parameters inside of a clause belong to its value, which is evaluated by itself. */
static void move_edits(query *q, size_t from, size_t to)
{
    size_t kept = 0;
    for (size_t i = 0; i < q->edits.count; i++) {
        edit one = q->edits.items[i];
        if (one.from >= from && one.to <= to) {
            vec_push(q->a, &q->clause_edits, one);
        } else {
            q->edits.items[kept++] = one;
        }
    }
    q->edits.count = kept;
}

static void replace_tokens(query *q, token_range range, str text)
{
    const token_list *list = &q->r->tokens;
    size_t from = list->items[range.from].from, to = list->items[range.to - 1].to;
    move_edits(q, from, to);
    vec_push(q->a, &q->edits, ((edit){.from = from, .to = to, .text = text}));
}

static str scan_schema(const query *q, size_t number)
{
    return str_printf(q->a, "#scan%zu", number);
}

status travel_begin(query *q, error *err)
{
    const token_list *list = &q->r->tokens;
    TRY(travel_find(list, q->range, q->a, &q->clauses, &q->clause_count, err));
    for (size_t i = 0; i < q->clause_count; i++) {
        replace_tokens(q, q->clauses[i].tokens, STR(" "));
    }
    travel_find_scans(list, q->range, q->a, &q->scans, &q->scan_count);
    for (size_t i = 0; i < q->scan_count; i++) {
        buf *text = buf_in(q->a, LIMIT_MIB);
        sql_quote_name(text, scan_schema(q, i));
        buf_add_c(text, "." SCAN_NAME);
        replace_tokens(q, q->scans[i].tokens, buf_str(text));
    }
    return STATUS_OK;
}

status travel_end(const query *q, error *err)
{
    for (size_t i = 0; i < q->clause_count; i++) {
        if (!q->clauses[i].used) {
            error_set(err, STATUS_SYNTAX, "this time travel belongs to no table");
            error_hint(err, "Write it behind the name of a table, or behind its alias.");
            return run_at(STATUS_SYNTAX, q->r->tokens.items[q->clauses[i].tokens.from].from, err);
        }
    }
    return STATUS_OK;
}

travel_clause *travel_clause_of(query *q, size_t at)
{
    travel_clause *clause =
        travel_behind(&q->r->tokens, at, q->range.to, q->clauses, q->clause_count);
    if (clause != NULL) {
        clause->used = true;
    }
    return clause;
}

/* ---- constants ---- */

typedef struct constant {
    bool is_number;
    str text; /* STR_NULL: NULL */
} constant;

#define CONSTANT_BEFORE "SELECT ("
#define KIND_OF_CONSTANT                                                                     \
    "SELECT CASE WHEN typeof(v) IN ('TINYINT', 'SMALLINT', 'INTEGER', 'BIGINT', 'HUGEINT') " \
    "THEN '#' ELSE '=' END || CAST(v AS VARCHAR) FROM ("

/* An expression without tables, by DuckDB, in the query's session. */
static status evaluate(query *q, token_range range, constant *ret_constant, error *err)
{
    const token_list *list = &q->r->tokens;
    edited text;
    worker *w;
    str sql, answer;
    tree found;

    TRY(edit_apply(list->sql, list->items[range.from].from, list->items[range.to - 1].to,
                   &q->clause_edits, q->a, &text, err));
    sql = str_printf(q->a, CONSTANT_BEFORE "%.*s) AS v", STR_ARG(text.text));
    TRY(run_worker(q->r, &w, err));
    TRY(worker_pure(w, STR(SERIALIZE_SQL), sql, &q->r->cancel, q->a, &answer, err));
    size_t offset = sizeof(CONSTANT_BEFORE) - 1;
    status result = tree_read(answer, q->a, &found, err);
    if (result == STATUS_OK && found.tables.count > 0) {
        result = error_set(err, STATUS_INVALID, "the version or time of a table cannot be a query");
    }
    if (result == STATUS_OK) {
        sql = str_printf(q->a, KIND_OF_CONSTANT "%.*s)", STR_ARG(sql));
        offset += sizeof(KIND_OF_CONSTANT) - 1;
        result = worker_scalar(w, sql, NULL, 0, &q->r->cancel, q->a, &answer, err);
    }
    if (result != STATUS_OK) {
        edit_place_error(&text, offset, err);
        return run_at(result, list->items[range.from].from, err);
    }
    *ret_constant = (constant){.text = STR_NULL};
    if (!str_is_null(answer) && answer.size > 0) {
        ret_constant->is_number = answer.data[0] == '#';
        ret_constant->text = str_slice(answer, 1, answer.size);
    }
    return STATUS_OK;
}

/* A number or a text that stands alone needs no evaluation. */
static status read_constant(query *q, token_range range, constant *ret_constant, error *err)
{
    const token_list *list = &q->r->tokens;
    token_kind kind = list->items[range.from].kind;
    int64_t number;

    if (range.to == range.from + 1 && kind == TOKEN_TEXT) {
        *ret_constant = (constant){.is_number = false};
        return token_value(list, range.from, q->a, &ret_constant->text, err);
    }
    if (range.to == range.from + 1 && kind == TOKEN_NUMBER &&
        str_to_int64(token_text(list, range.from), &number, NULL) == STATUS_OK) {
        *ret_constant = (constant){.is_number = true, .text = token_text(list, range.from)};
        return STATUS_OK;
    }
    return evaluate(q, range, ret_constant, err);
}

/* Microseconds since 1970; a bare number counts seconds, as Spark has it. */
static status read_time(query *q, const constant *value, int64_t *ret_us, error *err)
{
    worker *w;
    str answer;
    int64_t number;

    if (value->is_number) {
        TRY(str_to_int64(value->text, &number, err));
        if (__builtin_mul_overflow(number, INT64_C(1000000), ret_us)) {
            return error_set(err, STATUS_INVALID, "time %lld is out of range", (long long)number);
        }
        return STATUS_OK;
    }
    TRY(run_worker(q->r, &w, err));
    TRY(worker_scalar(w, STR("SELECT epoch_us(TRY_CAST($1 AS TIMESTAMPTZ))"), &value->text, 1,
                      &q->r->cancel, q->a, &answer, err));
    if (str_is_null(answer)) {
        error_set(err, STATUS_INVALID, "\"%.*s\" is no time", STR_ARG(value->text));
        error_hint(err, "Write it as 2026-11-21 10:00:00, in UTC, or with a zone behind it.");
        return STATUS_INVALID;
    }
    return str_to_int64(answer, ret_us, err);
}

/* ---- snapshots ---- */

static const ice_schema *schema_of(const ice_metadata *m, const ice_snapshot *snapshot)
{
    const ice_schema *schema = snapshot->schema_id == ICE_NO_SCHEMA
                                   ? NULL
                                   : ice_metadata_schema_by_id(m, snapshot->schema_id);
    return schema != NULL ? schema : ice_metadata_schema(m);
}

static status by_id(table_name name, const ice_metadata *m, int64_t id, travel_target *ret_target,
                    error *err)
{
    const ice_snapshot *snapshot = ice_metadata_snapshot_by_id(m, id);
    if (snapshot == NULL) {
        error_set(err, STATUS_NO_SNAPSHOT, "table \"%.*s.%.*s\" has no snapshot %lld",
                  STR_ARG(name.space), STR_ARG(name.table), (long long)id);
        error_hint(err, "Its snapshots are the rows of \"%.*s\".snapshots.", STR_ARG(name.table));
        return STATUS_NO_SNAPSHOT;
    }
    *ret_target = (travel_target){.snapshot = snapshot, .schema = schema_of(m, snapshot)};
    return STATUS_OK;
}

static const ice_ref *find_ref(const ice_metadata *m, str name)
{
    for (size_t i = 0; i < m->ref_count; i++) {
        if (str_equal(m->refs[i].name, name)) {
            return &m->refs[i];
        }
    }
    return NULL;
}

static status no_ref(query *q, table_name name, const ice_metadata *m, const char *what, str wanted,
                     error *err)
{
    str *names = ARENA_ARRAY(q->a, str, m->ref_count + 1);
    buf *all = buf_in(q->a, LIMIT_MIB);
    for (size_t i = 0; i < m->ref_count; i++) {
        names[i] = m->refs[i].name;
        buf_printf(all, "%s\"%.*s\"", i > 0 ? ", " : "", STR_ARG(names[i]));
    }
    error_set(err, STATUS_NO_SNAPSHOT, "table \"%.*s.%.*s\" has no %s \"%.*s\"",
              STR_ARG(name.space), STR_ARG(name.table), what, STR_ARG(wanted));
    str nearest = str_nearest(wanted, names, m->ref_count);
    if (!str_is_null(nearest)) {
        error_hint(err, "Did you mean \"%.*s\"?", STR_ARG(nearest));
    } else if (m->ref_count > 0) {
        error_hint(err, "It has %.*s.", STR_ARG(buf_str(all)));
    }
    return STATUS_NO_SNAPSHOT;
}

static status by_ref(table_name name, const ice_metadata *m, const ice_ref *ref,
                     travel_target *ret_target, error *err)
{
    TRY(by_id(name, m, ref->snapshot_id, ret_target, err));
    if (!ref->is_tag) {
        ret_target->schema = ice_metadata_schema(m);
    }
    return STATUS_OK;
}

/* A name first, as a branch may be called "7". */
static status by_version(query *q, table_name name, const ice_metadata *m, const constant *value,
                         travel_target *ret_target, error *err)
{
    int64_t id;
    const ice_ref *ref = value->is_number ? NULL : find_ref(m, value->text);
    if (ref != NULL) {
        return by_ref(name, m, ref, ret_target, err);
    }
    if (str_to_int64(value->text, &id, NULL) == STATUS_OK) {
        return by_id(name, m, id, ret_target, err);
    }
    if (!value->is_number && str_equal(value->text, STR("main")) && m->snapshot_count == 0) {
        *ret_target = (travel_target){.schema = ice_metadata_schema(m)};
        return STATUS_OK;
    }
    return no_ref(q, name, m, "branch or tag", value->text, err);
}

static str format_time(query *q, int64_t us)
{
    buf *text = buf_in(q->a, LIMIT_MIB);
    const ice_value value = {.kind = ICE_TIMESTAMPTZ, .integer = us};
    ice_value_format(ice_type_primitive(ICE_TIMESTAMPTZ), &value, text);
    return buf_str(text);
}

static status by_time(query *q, table_name name, const ice_metadata *m, int64_t us,
                      travel_target *ret_target, error *err)
{
    const ice_log_entry *found = NULL;
    int64_t ms = us >= 0 ? us / 1000 : -((-us + 999) / 1000);
    for (size_t i = 0; i < m->snapshot_log_count; i++) {
        if (m->snapshot_log[i].timestamp_ms <= ms) {
            found = &m->snapshot_log[i];
        }
    }
    if (found != NULL) {
        return by_id(name, m, found->snapshot_id, ret_target, err);
    }
    error_set(err, STATUS_NO_SNAPSHOT, "table \"%.*s.%.*s\" has no snapshot of %.*s or before",
              STR_ARG(name.space), STR_ARG(name.table), STR_ARG(format_time(q, us)));
    if (m->snapshot_log_count > 0 && m->snapshot_log[0].timestamp_ms >= 0 &&
        m->snapshot_log[0].timestamp_ms < INT64_MAX / 1000) { /* else no writer's clock */
        str first = format_time(q, m->snapshot_log[0].timestamp_ms * 1000);
        error_hint(err, "Its history begins at %.*s.", STR_ARG(first));
    }
    return STATUS_NO_SNAPSHOT;
}

/* ---- the request's own: an id, a reference, or a time ---- */

static status by_request(query *q, table_name name, const ice_metadata *m, str at,
                         travel_target *ret_target, error *err)
{
    const constant value = {.text = at};
    int64_t number, us;

    if (find_ref(m, at) == NULL && str_to_int64(at, &number, NULL) != STATUS_OK &&
        read_time(q, &value, &us, NULL) == STATUS_OK) {
        return by_time(q, name, m, us, ret_target, err);
    }
    return by_version(q, name, m, &value, ret_target, err);
}

status travel_resolve(query *q, const travel_clause *clause, table_name name, const ice_metadata *m,
                      travel_target *ret_target, error *err)
{
    constant value;
    int64_t us;

    if (clause == NULL && q->r->request->at.size > 0) {
        return by_request(q, name, m, q->r->request->at, ret_target, err);
    }
    if (clause == NULL && !str_is_null(q->r->branch)) {
        const ice_ref *ref = find_ref(m, q->r->branch);
        if (ref != NULL) {
            return by_ref(name, m, ref, ret_target, err);
        }
    }
    if (clause == NULL) {
        *ret_target =
            (travel_target){.snapshot = ice_metadata_snapshot(m), .schema = ice_metadata_schema(m)};
        return STATUS_OK;
    }
    size_t position = q->r->tokens.items[clause->value.from].from;
    TRY(run_at(read_constant(q, clause->value, &value, err), position, err));
    if (str_is_null(value.text)) {
        error_set(err, STATUS_INVALID, "the version or time of a table is NULL");
        return run_at(STATUS_INVALID, position, err);
    }
    if (clause->unit == TRAVEL_VERSION) {
        return run_at(by_version(q, name, m, &value, ret_target, err), position, err);
    }
    TRY(run_at(read_time(q, &value, &us, err), position, err));
    return run_at(by_time(q, name, m, us, ret_target, err), position, err);
}

static const struct {
    str prefix;
    bool is_tag;
} ref_prefixes[] = {{STR_INIT("branch_"), false}, {STR_INIT("tag_"), true}};

bool travel_is_ref_name(str part)
{
    for (size_t i = 0; i < COUNT_OF(ref_prefixes); i++) {
        str prefix = ref_prefixes[i].prefix;
        if (part.size > prefix.size && str_equal_nocase(str_slice(part, 0, prefix.size), prefix)) {
            return true;
        }
    }
    return false;
}

status travel_resolve_ref(query *q, table_name name, const ice_metadata *m, str part,
                          travel_target *ret_target, error *err)
{
    for (size_t i = 0; i < COUNT_OF(ref_prefixes); i++) {
        str prefix = ref_prefixes[i].prefix;
        if (part.size > prefix.size && str_equal_nocase(str_slice(part, 0, prefix.size), prefix)) {
            str wanted = str_slice(part, prefix.size, part.size);
            const ice_ref *ref = find_ref(m, wanted);
            if (ref != NULL && ref->is_tag == ref_prefixes[i].is_tag) {
                return by_ref(name, m, ref, ret_target, err);
            }
            return no_ref(q, name, m, ref_prefixes[i].is_tag ? "tag" : "branch", wanted, err);
        }
    }
    return error_set(err, STATUS_NO_SNAPSHOT, "\"%.*s\" is no branch and no tag", STR_ARG(part));
}

/* ---- iceberg_scan ---- */

const travel_scan *travel_scan_at(const query *q, size_t place)
{
    for (size_t i = 0; i < q->scan_count; i++) {
        if (q->scans[i].tokens.from == place) {
            return &q->scans[i];
        }
    }
    return NULL;
}

typedef enum scan_argument {
    SCAN_LOCATION,
    SCAN_VERSION,
    SCAN_SNAPSHOT_ID,
    SCAN_TIMESTAMP,
    SCAN_MOVED,
    SCAN_ARGUMENT_COUNT
} scan_argument;

static const char *const scan_arguments[] = {
    [SCAN_LOCATION] = "location",
    [SCAN_VERSION] = "version",
    [SCAN_SNAPSHOT_ID] = "snapshot_from_id",
    [SCAN_TIMESTAMP] = "snapshot_from_timestamp",
    [SCAN_MOVED] = "allow_moved_paths", /* always */
};

/* "name => ", "name := " and "name = " are one. */
static size_t behind_argument_name(const token_list *list, size_t at, size_t end)
{
    if (at + 1 >= end || !token_is_name(list, at)) {
        return at;
    }
    if (token_is_symbol(list, at + 1, '=')) {
        return token_is_symbol(list, at + 2, '>') ? at + 3 : at + 2;
    }
    return token_is_symbol(list, at + 1, ':') && token_is_symbol(list, at + 2, '=') ? at + 3 : at;
}

static status find_scan_argument(const token_list *list, size_t at, size_t behind,
                                 scan_argument *ret_argument, error *err)
{
    for (size_t i = 0; behind > at && i < SCAN_ARGUMENT_COUNT; i++) {
        if (token_is(list, at, scan_arguments[i])) {
            *ret_argument = (scan_argument)i;
            return STATUS_OK;
        }
    }
    if (behind == at) {
        *ret_argument = SCAN_LOCATION;
        return STATUS_OK;
    }
    str name = token_text(list, at);
    error_set(err, STATUS_INVALID, SCAN_NAME " has no argument \"%.*s\"", STR_ARG(name));
    error_hint(err, "There are version, snapshot_from_id and snapshot_from_timestamp.");
    return run_at(STATUS_INVALID, list->items[at].from, err);
}

static status read_scan_arguments(query *q, const travel_scan *scan, constant *values, error *err)
{
    const token_list *list = &q->r->tokens;
    for (size_t at = scan->arguments.from; at < scan->arguments.to; at++) {
        size_t value = behind_argument_name(list, at, scan->arguments.to), end = value, depth = 0;
        scan_argument argument;
        TRY(find_scan_argument(list, at, value, &argument, err));
        while (end < scan->arguments.to && (depth > 0 || !token_is_symbol(list, end, ','))) {
            depth += token_is_symbol(list, end, '(') ? 1 : 0;
            depth -= depth > 0 && token_is_symbol(list, end, ')') ? 1 : 0;
            end++;
        }
        if (end == value) {
            return token_error(list, end, err);
        }
        TRY(read_constant(q, (token_range){.from = value, .to = end}, &values[argument], err));
        at = end;
    }
    return STATUS_OK;
}

static void unref_metadata(void *metadata)
{
    ice_metadata_unref(metadata);
}

static status resolve_scan(query *q, table_name name, const ice_metadata *m, const constant *values,
                           travel_target *ret_target, error *err)
{
    int64_t us;
    if (!str_is_null(values[SCAN_SNAPSHOT_ID].text)) {
        return by_version(q, name, m, &values[SCAN_SNAPSHOT_ID], ret_target, err);
    }
    if (!str_is_null(values[SCAN_TIMESTAMP].text)) {
        TRY(read_time(q, &values[SCAN_TIMESTAMP], &us, err));
        return by_time(q, name, m, us, ret_target, err);
    }
    return travel_resolve(q, NULL, name, m, ret_target, err);
}

status travel_open_scan(query *q, const travel_scan *scan, error *err)
{
    constant values[SCAN_ARGUMENT_COUNT];
    ice_metadata *m;
    travel_target target;
    str location;

    for (size_t i = 0; i < SCAN_ARGUMENT_COUNT; i++) {
        values[i] = (constant){.text = STR_NULL};
    }
    TRY(run_check_access(q->r, ACTION_LOCATION_READ, STR(""), STR(""), err));
    TRY(read_scan_arguments(q, scan, values, err));
    if (str_is_null(values[SCAN_LOCATION].text)) {
        return error_set(err, STATUS_INVALID, SCAN_NAME " needs the location of a table");
    }
    const catalog_foreign foreign = {.location = values[SCAN_LOCATION].text,
                                     .version = values[SCAN_VERSION].text};
    TRY(catalog_open_foreign(q->r->catalog, &foreign, q->a, &m, &location, err));
    arena_defer(q->a, unref_metadata, m);
    table_name name = {.space = STR(SCAN_NAME), .table = values[SCAN_LOCATION].text};
    TRY(resolve_scan(q, name, m, values, &target, err));
    query_table found = {
        .name = name, .metadata = m, .snapshot = target.snapshot, .schema = target.schema};
    vec_push(q->a, &q->tables, found);
    query_view view = {.schema = scan_schema(q, (size_t)(scan - q->scans)),
                       .name = STR(SCAN_NAME),
                       .table = q->tables.count - 1};
    vec_push(q->a, &q->views, view);
    return STATUS_OK;
}
