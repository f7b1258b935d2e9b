/* information_schema, pg_catalog and tarn: what the catalog knows, made for the statement that asks, of what the
 * principal may see. A few base relations are rows that are written into the statement ("#catalog"); the views of
 * these schemas are SQL over those, as a table of texts.
 *
 * Oids are hashes of uuids (of names, for namespaces), so that they are the same from statement to statement; those of
 * types are PostgreSQL's. */
#include "run/information.h"

#include "run/rows_sql.h"
#include "run/table.h"
#include "run/view.h"
#include "tarn/base/clock.h"
#include "tarn/base/limits.h"
#include "tarn/catalog/event.h"

#define OID_FIRST_USER 16384

static int64_t oid_of(str text)
{
    uint32_t hash = 2166136261U; /* FNV-1a */

    for (size_t i = 0; i < text.size; i++) {
        hash = (hash ^ (unsigned char)text.data[i]) * 16777619U;
    }
    return OID_FIRST_USER + (int64_t)(hash & 0x3fffffffU);
}

static int64_t space_oid(str space, arena *a)
{
    return oid_of(str_lower(a, space));
}

/* ---- base relations ---- */

static bool may_see(const query *q, str space, str table)
{
    return run_check_access(q->r, ACTION_TABLE_READ, space, table, NULL) == STATUS_OK;
}

static status put_schemata(query *q, rows_sql *rows, error *err)
{
    namespace_info *spaces;
    size_t count;

    TRY(run_check_access(q->r, ACTION_NAMESPACE_LIST, STR(""), STR(""), err));
    TRY(catalog_list_namespaces(q->r->catalog, STR(""), q->a, &spaces, &count, err));
    for (size_t i = 0; i < count; i++) {
        rows_int(rows, space_oid(spaces[i].name, q->a));
        rows_text(rows, catalog_warehouse(q->r->catalog));
        rows_text(rows, spaces[i].name);
    }
    return STATUS_OK;
}

/* A table or a view: one of the two is NULL. */
typedef struct relation {
    const table_name *name;
    const table_info *table;
    const view_info *view;
} relation;

static status each_relation(query *q,
                            status (*put)(query *q, rows_sql *rows, const relation *what,
                                          error *err),
                            rows_sql *rows, error *err)
{
    namespace_info *spaces;
    size_t space_count;

    TRY(run_check_access(q->r, ACTION_TABLE_LIST, STR(""), STR(""), err));
    TRY(catalog_list_namespaces(q->r->catalog, STR(""), q->a, &spaces, &space_count, err));
    for (size_t i = 0; i < space_count; i++) {
        table_info *tables;
        view_info *views;
        size_t table_count, view_count;

        TRY(catalog_list_tables(q->r->catalog, spaces[i].name, q->a, &tables, &table_count, err));
        TRY(catalog_list_views(q->r->catalog, spaces[i].name, q->a, &views, &view_count, err));
        for (size_t k = 0; k < table_count; k++) {
            relation what = {.name = &tables[k].name, .table = &tables[k]};
            if (may_see(q, what.name->space, what.name->table)) {
                TRY(put(q, rows, &what, err));
            }
        }
        for (size_t k = 0; k < view_count; k++) {
            relation what = {.name = &views[k].name, .view = &views[k]};
            if (may_see(q, what.name->space, what.name->table)) {
                TRY(put(q, rows, &what, err));
            }
        }
    }
    return STATUS_OK;
}

static void put_head(query *q, rows_sql *rows, const relation *what)
{
    rows_int(rows, oid_of(what->table != NULL ? what->table->uuid : what->view->uuid));
    rows_int(rows, space_oid(what->name->space, q->a));
    rows_text(rows, catalog_warehouse(q->r->catalog));
    rows_text(rows, what->name->space);
    rows_text(rows, what->name->table);
}

static status put_relation(query *q, rows_sql *rows, const relation *what, error *err)
{
    (void)err;
    put_head(q, rows, what);
    rows_text(rows, what->table != NULL ? STR("r") : STR("v"));
    return STATUS_OK;
}

static status put_relations(query *q, rows_sql *rows, error *err)
{
    return each_relation(q, put_relation, rows, err);
}

static str time_text(const query *q, int64_t time_us)
{
    char time[40];

    clock_format_utc(time_us, 6, time);
    return str_copy(q->a, str_c(time));
}

static str filled(str text)
{
    return text.size > 0 ? text : STR_NULL;
}

static status put_spaces(query *q, rows_sql *rows, error *err)
{
    namespace_info *spaces;
    size_t count;

    TRY(run_check_access(q->r, ACTION_NAMESPACE_LIST, STR(""), STR(""), err));
    TRY(catalog_list_namespaces(q->r->catalog, STR(""), q->a, &spaces, &count, err));
    for (size_t i = 0; i < count; i++) {
        rows_text(rows, spaces[i].name);
        rows_text(rows, filled(spaces[i].location));
        rows_int(rows, spaces[i].is_protected ? 1 : 0);
        rows_text(rows, time_text(q, spaces[i].created_us));
    }
    return STATUS_OK;
}

static status put_table(query *q, rows_sql *rows, const relation *what, error *err)
{
    const table_info *t = what->table;
    const view_info *v = what->view;

    (void)err;
    rows_text(rows, what->name->space);
    rows_text(rows, what->name->table);
    rows_text(rows, t != NULL ? STR("table") : STR("view"));
    rows_text(rows, t != NULL ? t->uuid : v->uuid);
    rows_text(rows, filled(t != NULL ? t->location : v->location));
    rows_text(rows, filled(t != NULL ? t->metadata_location : v->metadata_location));
    rows_int(rows, t != NULL && t->is_protected ? 1 : 0);
    rows_text(rows, time_text(q, t != NULL ? t->created_us : v->created_us));
    rows_text(rows, time_text(q, t != NULL ? t->updated_us : v->updated_us));
    return STATUS_OK;
}

static status put_tables(query *q, rows_sql *rows, error *err)
{
    return each_relation(q, put_table, rows, err);
}

/* What is behind the row. One that was dropped since it was listed has no schema. */
typedef struct loaded {
    ice_metadata *table;
    ice_view *view;
    const ice_schema *schema;
} loaded;

static status load(query *q, const relation *what, loaded *ret, error *err)
{
    table_info table;
    view_info view;

    *ret = (loaded){.table = NULL};
    status result =
        what->table != NULL
            ? catalog_load_table(q->r->catalog, *what->name, q->a, &ret->table, &table, err)
            : catalog_load_view(q->r->catalog, *what->name, q->a, &ret->view, &view, err);
    if (result == STATUS_NO_TABLE || result == STATUS_NO_VIEW) {
        error_clear(err);
        return STATUS_OK;
    }
    TRY(result);
    ret->schema =
        what->table != NULL ? ice_metadata_schema(ret->table) : ice_view_schema(ret->view);
    return STATUS_OK;
}

static void unload(loaded *l)
{
    ice_metadata_unref(l->table);
    ice_view_unref(l->view);
}

static status put_detail(query *q, rows_sql *rows, const relation *what, error *err)
{
    loaded l;
    buf *sql = buf_in(q->a, LIMIT_METADATA_FILE);

    TRY(load(q, what, &l, err));
    if (l.schema != NULL) {
        str comment = l.table != NULL ? ice_metadata_property(l.table, "comment", NULL)
                                      : ice_view_property(l.view, "comment", NULL);
        const ice_snapshot *snapshot = l.table != NULL ? ice_metadata_snapshot(l.table) : NULL;
        int64_t count = 0;

        put_head(q, rows, what);
        rows_text(rows, str_is_null(comment) ? STR_NULL : str_copy(q->a, comment));
        if (l.view != NULL) {
            view_put_create(sql, what->name, l.view, q->a);
        }
        rows_text(rows, l.view != NULL ? buf_str(sql) : STR_NULL);
        if (snapshot != NULL) {
            (void)str_to_int64(ice_snapshot_summary(snapshot, "total-records"), &count, NULL);
        }
        rows_int(rows, count);
        rows_int(rows, (int64_t)l.schema->root->field_count);
    }
    unload(&l);
    return STATUS_OK;
}

static status put_details(query *q, rows_sql *rows, error *err)
{
    return each_relation(q, put_detail, rows, err);
}

/* PostgreSQL's types: oid, and bytes of a value (-1: any). What it has not is text there. */
static const struct {
    ice_kind kind;
    int oid, length;
} pg_types[] = {
    {ICE_BOOLEAN, 16, 1},        {ICE_INT, 23, 4},
    {ICE_LONG, 20, 8},           {ICE_FLOAT, 700, 4},
    {ICE_DOUBLE, 701, 8},        {ICE_DECIMAL, 1700, -1},
    {ICE_DATE, 1082, 4},         {ICE_TIME, 1083, 8},
    {ICE_TIMESTAMP, 1114, 8},    {ICE_TIMESTAMPTZ, 1184, 8},
    {ICE_TIMESTAMP_NS, 1114, 8}, {ICE_TIMESTAMPTZ_NS, 1184, 8},
    {ICE_STRING, 1043, -1},      {ICE_UUID, 2950, 16},
    {ICE_FIXED, 17, -1},         {ICE_BINARY, 17, -1},
};

static void put_type_cells(rows_sql *rows, const ice_type *type)
{
    enum { TEXT_OID = 25, BITS_INT = 32, BITS_LONG = 64, BITS_FLOAT = 24, BITS_DOUBLE = 53 };
    int oid = TEXT_OID, length = -1;
    int precision = type->kind == ICE_DECIMAL ? (int)type->precision
                    : type->kind == ICE_INT   ? BITS_INT
                    : type->kind == ICE_LONG  ? BITS_LONG
                    : type->kind == ICE_FLOAT ? BITS_FLOAT
                                              : BITS_DOUBLE;
    bool whole = type->kind == ICE_INT || type->kind == ICE_LONG;
    bool number =
        whole || type->kind == ICE_DECIMAL || type->kind == ICE_FLOAT || type->kind == ICE_DOUBLE;

    for (size_t i = 0; i < COUNT_OF(pg_types); i++) {
        if (pg_types[i].kind == type->kind) {
            oid = pg_types[i].oid;
            length = pg_types[i].length;
        }
    }
    rows_int(rows, oid);
    rows_int(rows, length);
    rows_int(rows, type->kind == ICE_DECIMAL ? type->precision * 65536 + type->scale + 4 : -1);
    rows_int(rows, number ? precision : -1);
    rows_int(rows, type->kind == ICE_DECIMAL ? type->scale : whole ? 0 : -1);
}

static str default_of(const ice_field *field, arena *a)
{
    buf *text = buf_in(a, LIMIT_MIB);

    if (field->write_default == NULL) {
        return STR_NULL;
    }
    table_default_text(field->write_default, field->type, a, text);
    return buf_str(text);
}

static status put_relation_columns(query *q, rows_sql *rows, const relation *what, error *err)
{
    loaded l;

    TRY(load(q, what, &l, err));
    for (size_t i = 0; l.schema != NULL && i < l.schema->root->field_count; i++) {
        const ice_field *field = &l.schema->root->fields[i];
        buf *type = buf_in(q->a, LIMIT_MIB);

        engine_duckdb_type(field->type, type);
        put_head(q, rows, what);
        rows_text(rows, str_copy(q->a, field->name));
        rows_int(rows, (int64_t)i + 1);
        rows_text(rows, default_of(field, q->a));
        rows_text(rows, field->required ? STR("NO") : STR("YES"));
        rows_text(rows, buf_str(type));
        rows_text(rows, str_is_null(field->doc) ? STR_NULL : str_copy(q->a, field->doc));
        put_type_cells(rows, field->type);
    }
    unload(&l);
    return STATUS_OK;
}

static status put_columns(query *q, rows_sql *rows, error *err)
{
    return each_relation(q, put_relation_columns, rows, err);
}

/* The newest are told where there are more than a statement can hold. */
#define EVENTS_MAX 100000

static status put_events(query *q, rows_sql *rows, error *err)
{
    catalog_event *list;
    size_t count;
    int64_t last = 0;

    TRY(run_check_access(q->r, ACTION_EVENTS_READ, STR(""), STR(""), err));
    TRY(catalog_last_event(q->r->catalog, &last, err));
    TRY(catalog_list_events(q->r->catalog, last > EVENTS_MAX ? last - EVENTS_MAX : 0, STR_NULL,
                            EVENTS_MAX, q->a, &list, &count, err));
    for (size_t i = 0; i < count; i++) {
        const catalog_event *e = &list[i];

        rows_int(rows, e->id);
        rows_text(rows, time_text(q, e->time_us));
        rows_text(rows, str_c(event_kind_name(e->kind)));
        rows_text(rows, filled(e->name.space));
        rows_text(rows, filled(e->name.table));
        rows_text(rows, filled(e->to.space));
        rows_text(rows, filled(e->to.table));
        rows_text(rows, filled(e->uuid));
        rows_text(rows, filled(e->metadata_location));
        rows_text(rows, e->snapshot_id == ICE_NO_SNAPSHOT
                            ? STR_NULL
                            : str_printf(q->a, "%lld", (long long)e->snapshot_id));
        rows_text(rows, filled(e->principal));
        rows_text(rows, filled(e->via));
        rows_text(rows, filled(e->peer));
        rows_text(rows, filled(e->agent));
        rows_text(rows, filled(e->request_id));
        rows_text(rows, filled(e->detail));
    }
    return STATUS_OK;
}

static const char *const event_columns[] = {
    "id BIGINT",          "time TIMESTAMPTZ",  "kind VARCHAR",
    "namespace VARCHAR",  "name VARCHAR",      "to_namespace VARCHAR",
    "to_name VARCHAR",    "uuid VARCHAR",      "metadata_location VARCHAR",
    "snapshot_id BIGINT", "principal VARCHAR", "via VARCHAR",
    "peer VARCHAR",       "agent VARCHAR",     "request_id VARCHAR",
    "detail VARCHAR"};

#define HEAD "oid BIGINT", "space_oid BIGINT", "catalog VARCHAR", "space VARCHAR", "name VARCHAR"

static const char *const space_columns[] = {"name VARCHAR", "location VARCHAR", "protected BOOLEAN",
                                            "created TIMESTAMPTZ"};
static const char *const listed_columns[] = {
    "namespace VARCHAR", "name VARCHAR",        "kind VARCHAR",
    "uuid VARCHAR",      "location VARCHAR",    "metadata_location VARCHAR",
    "protected BOOLEAN", "created TIMESTAMPTZ", "updated TIMESTAMPTZ"};
static const char *const schemata_columns[] = {"oid BIGINT", "catalog VARCHAR", "name VARCHAR"};
static const char *const relation_columns[] = {HEAD, "kind VARCHAR"};
static const char *const detail_columns[] = {HEAD, "comment VARCHAR", "sql VARCHAR",
                                             "row_count BIGINT", "column_count INTEGER"};
static const char *const column_columns[] = {HEAD,
                                             "column_name VARCHAR",
                                             "position INTEGER",
                                             "fallback VARCHAR",
                                             "nullable VARCHAR",
                                             "type VARCHAR",
                                             "comment VARCHAR",
                                             "type_oid INTEGER",
                                             "length INTEGER",
                                             "modifier INTEGER",
                                             "number_precision INTEGER",
                                             "number_scale INTEGER"};

enum {
    NEEDS_SCHEMATA = INFORMATION_SCHEMATA,
    NEEDS_RELATIONS = INFORMATION_RELATIONS,
    NEEDS_DETAILS = INFORMATION_DETAILS,
    NEEDS_COLUMNS = INFORMATION_COLUMNS,
    NEEDS_EVENTS = INFORMATION_EVENTS,
    NEEDS_SPACES = INFORMATION_SPACES,
    NEEDS_TABLES = INFORMATION_TABLES
};

static const struct {
    unsigned bit;
    const char *name;
    const char *const *columns;
    size_t column_count;
    status (*put)(query *q, rows_sql *rows, error *err);
} bases[] = {
    {NEEDS_SCHEMATA, "schemata", schemata_columns, COUNT_OF(schemata_columns), put_schemata},
    {NEEDS_RELATIONS, "relations", relation_columns, COUNT_OF(relation_columns), put_relations},
    {NEEDS_DETAILS, "details", detail_columns, COUNT_OF(detail_columns), put_details},
    {NEEDS_COLUMNS, "columns", column_columns, COUNT_OF(column_columns), put_columns},
    {NEEDS_EVENTS, "events", event_columns, COUNT_OF(event_columns), put_events},
    {NEEDS_SPACES, "namespaces", space_columns, COUNT_OF(space_columns), put_spaces},
    {NEEDS_TABLES, "tables", listed_columns, COUNT_OF(listed_columns), put_tables},
};

/* ---- the views ---- */

#define EMPTY(columns) "SELECT " columns " WHERE false"
#define TEXT_NULL "CAST(NULL AS VARCHAR)"
#define INT_NULL "CAST(NULL AS INTEGER)"

static const struct {
    const char *schema, *name;
    unsigned needs;
    const char *sql;
} views[] = {
    {"information_schema", "schemata", NEEDS_SCHEMATA,
     "SELECT catalog AS catalog_name, name AS schema_name, " TEXT_NULL
     " AS schema_owner, " TEXT_NULL " AS default_character_set_catalog, " TEXT_NULL
     " AS default_character_set_schema, " TEXT_NULL " AS default_character_set_name, " TEXT_NULL
     " AS sql_path FROM \"#catalog\".schemata"},
    {"information_schema", "tables", NEEDS_RELATIONS,
     "SELECT catalog AS table_catalog, space AS table_schema, name AS table_name, "
     "CASE kind WHEN 'v' THEN 'VIEW' ELSE 'BASE TABLE' END AS table_type, " TEXT_NULL
     " AS self_referencing_column_name, " TEXT_NULL " AS reference_generation, " TEXT_NULL
     " AS user_defined_type_catalog, " TEXT_NULL " AS user_defined_type_schema, " TEXT_NULL
     " AS user_defined_type_name, CASE kind WHEN 'v' THEN 'NO' ELSE 'YES' END AS is_insertable_into, "
     "'NO' AS is_typed, " TEXT_NULL " AS commit_action FROM \"#catalog\".relations"},
    {"information_schema", "columns", NEEDS_COLUMNS,
     "SELECT catalog AS table_catalog, space AS table_schema, name AS table_name, column_name, "
     "position AS ordinal_position, fallback AS column_default, nullable AS is_nullable, "
     "type AS data_type, " INT_NULL " AS character_maximum_length, " INT_NULL
     " AS character_octet_length, nullif(number_precision, -1) AS numeric_precision, "
     "CASE WHEN number_precision < 0 THEN NULL WHEN type LIKE 'DECIMAL%' THEN 10 ELSE 2 END AS "
     "numeric_precision_radix, nullif(number_scale, -1) AS numeric_scale, CASE WHEN type_oid IN "
     "(1083, 1114, 1184) THEN 6 END AS datetime_precision, comment AS column_comment "
     "FROM \"#catalog\".columns"},
    {"information_schema", "views", NEEDS_DETAILS,
     "SELECT catalog AS table_catalog, space AS table_schema, name AS table_name, "
     "sql AS view_definition, 'NONE' AS check_option, 'NO' AS is_updatable, 'NO' AS "
     "is_insertable_into FROM \"#catalog\".details WHERE sql IS NOT NULL"},
    {"information_schema", "key_column_usage", 0,
     EMPTY("'' AS constraint_catalog, '' AS constraint_schema, '' AS constraint_name, '' AS "
           "table_catalog, '' AS table_schema, '' AS table_name, '' AS column_name, 0 AS "
           "ordinal_position, 0 AS position_in_unique_constraint")},
    {"information_schema", "table_constraints", 0,
     EMPTY("'' AS constraint_catalog, '' AS constraint_schema, '' AS constraint_name, '' AS "
           "table_catalog, '' AS table_schema, '' AS table_name, '' AS constraint_type, '' AS "
           "is_deferrable, '' AS initially_deferred, '' AS enforced")},
    {"information_schema", "referential_constraints", 0,
     EMPTY("'' AS constraint_catalog, '' AS constraint_schema, '' AS constraint_name, '' AS "
           "unique_constraint_catalog, '' AS unique_constraint_schema, '' AS "
           "unique_constraint_name, '' AS match_option, '' AS update_rule, '' AS delete_rule")},
    {"information_schema", "constraint_column_usage", 0,
     EMPTY("'' AS table_catalog, '' AS table_schema, '' AS table_name, '' AS column_name, '' AS "
           "constraint_catalog, '' AS constraint_schema, '' AS constraint_name")},
    {"tarn", "events", NEEDS_EVENTS, "SELECT * FROM \"#catalog\".events"},
    {"tarn", "namespaces", NEEDS_SPACES, "SELECT * FROM \"#catalog\".namespaces"},
    {"tarn", "tables", NEEDS_TABLES, "SELECT * FROM \"#catalog\".tables"},
    {"pg_catalog", "pg_namespace", NEEDS_SCHEMATA,
     "SELECT oid, name AS nspname, CAST(10 AS BIGINT) AS nspowner, " TEXT_NULL
     " AS nspacl FROM \"#catalog\".schemata UNION ALL VALUES (11, 'pg_catalog', 10, NULL), "
     "(12, 'information_schema', 10, NULL)"},
    {"pg_catalog", "pg_class", NEEDS_RELATIONS | NEEDS_DETAILS,
     "SELECT r.oid, r.name AS relname, r.space_oid AS relnamespace, CAST(0 AS BIGINT) AS reltype, "
     "CAST(0 AS BIGINT) AS reloftype, CAST(10 AS BIGINT) AS relowner, CAST(0 AS BIGINT) AS relam, "
     "CAST(0 AS BIGINT) AS relfilenode, CAST(0 AS BIGINT) AS reltablespace, 0 AS relpages, "
     "CAST(d.row_count AS FLOAT) AS reltuples, 0 AS relallvisible, CAST(0 AS BIGINT) AS "
     "reltoastrelid, false AS relhasindex, false AS relisshared, 'p' AS relpersistence, r.kind AS "
     "relkind, d.column_count AS relnatts, 0 AS relchecks, false AS relhasrules, false AS "
     "relhastriggers, false AS relhassubclass, false AS relrowsecurity, false AS "
     "relforcerowsecurity, true AS relispopulated, 'n' AS relreplident, false AS relispartition "
     "FROM \"#catalog\".relations r JOIN \"#catalog\".details d USING (oid)"},
    {"pg_catalog", "pg_attribute", NEEDS_COLUMNS,
     "SELECT oid AS attrelid, column_name AS attname, CAST(type_oid AS BIGINT) AS atttypid, -1 AS "
     "attstattarget, length AS attlen, position AS attnum, CASE WHEN type LIKE '%[]' THEN 1 ELSE 0 "
     "END AS attndims, -1 AS attcacheoff, modifier AS atttypmod, false AS attbyval, 'x' AS "
     "attstorage, 'i' AS attalign, nullable = 'NO' AS attnotnull, fallback IS NOT NULL AS "
     "atthasdef, false AS atthasmissing, '' AS attidentity, '' AS attgenerated, false AS "
     "attisdropped, true AS attislocal, 0 AS attinhcount, CAST(0 AS BIGINT) AS attcollation "
     "FROM \"#catalog\".columns"},
    {"pg_catalog", "pg_attrdef", NEEDS_COLUMNS,
     "SELECT oid + position AS oid, oid AS adrelid, position AS adnum, fallback AS adbin "
     "FROM \"#catalog\".columns WHERE fallback IS NOT NULL"},
    {"pg_catalog", "pg_type", 0,
     "SELECT CAST(oid AS BIGINT) AS oid, typname, CAST(11 AS BIGINT) AS typnamespace, CAST(10 AS "
     "BIGINT) AS typowner, typlen, typlen IN (1, 4, 8) AS typbyval, 'b' AS typtype, typcategory, "
     "false AS typispreferred, true AS typisdefined, ',' AS typdelim, CAST(0 AS BIGINT) AS "
     "typrelid, CAST(0 AS BIGINT) AS typelem, CAST(0 AS BIGINT) AS typarray, false AS typnotnull, "
     "CAST(0 AS BIGINT) AS typbasetype, -1 AS typtypmod, 0 AS typndims FROM (VALUES "
     "(16, 'bool', 1, 'B'), (17, 'bytea', -1, 'U'), (20, 'int8', 8, 'N'), (21, 'int2', 2, 'N'), "
     "(23, 'int4', 4, 'N'), (25, 'text', -1, 'S'), (700, 'float4', 4, 'N'), (701, 'float8', 8, 'N'), "
     "(1043, 'varchar', -1, 'S'), (1082, 'date', 4, 'D'), (1083, 'time', 8, 'D'), (1114, 'timestamp', 8, "
     "'D'), (1184, 'timestamptz', 8, 'D'), (1700, 'numeric', -1, 'N'), (2950, 'uuid', 16, 'U')) "
     "AS t(oid, typname, typlen, typcategory)"},
    {"pg_catalog", "pg_tables", NEEDS_RELATIONS,
     "SELECT space AS schemaname, name AS tablename, 'root' AS tableowner, " TEXT_NULL
     " AS tablespace, false AS hasindexes, false AS hasrules, false AS hastriggers, false AS "
     "rowsecurity FROM \"#catalog\".relations WHERE kind = 'r'"},
    {"pg_catalog", "pg_views", NEEDS_DETAILS,
     "SELECT space AS schemaname, name AS viewname, 'root' AS viewowner, sql AS definition "
     "FROM \"#catalog\".details WHERE sql IS NOT NULL"},
    {"pg_catalog", "pg_database", NEEDS_SCHEMATA,
     "SELECT CAST(1 AS BIGINT) AS oid, catalog AS datname, CAST(10 AS BIGINT) AS datdba, 6 AS "
     "encoding, 'C' AS datcollate, 'C' AS datctype, false AS datistemplate, true AS datallowconn, "
     "-1 AS datconnlimit FROM \"#catalog\".schemata LIMIT 1"},
    {"pg_catalog", "pg_description", NEEDS_DETAILS | NEEDS_COLUMNS,
     "SELECT oid AS objoid, CAST(1259 AS BIGINT) AS classoid, 0 AS objsubid, comment AS description "
     "FROM \"#catalog\".details WHERE comment IS NOT NULL UNION ALL SELECT oid, 1259, position, "
     "comment FROM \"#catalog\".columns WHERE comment IS NOT NULL"},
    {"pg_catalog", "pg_index", 0,
     EMPTY("CAST(0 AS BIGINT) AS indexrelid, CAST(0 AS BIGINT) AS indrelid, 0 AS indnatts, 0 AS "
           "indnkeyatts, false AS indisunique, false AS indisprimary, false AS indisexclusion, "
           "false AS indimmediate, false AS indisclustered, true AS indisvalid, [0] AS indkey")},
    {"pg_catalog", "pg_indexes", 0,
     EMPTY("'' AS schemaname, '' AS tablename, '' AS indexname, '' AS tablespace, '' AS indexdef")},
    {"pg_catalog", "pg_constraint", 0,
     EMPTY("CAST(0 AS BIGINT) AS oid, '' AS conname, CAST(0 AS BIGINT) AS connamespace, '' AS "
           "contype, false AS condeferrable, false AS condeferred, true AS convalidated, CAST(0 AS "
           "BIGINT) AS conrelid, CAST(0 AS BIGINT) AS contypid, CAST(0 AS BIGINT) AS conindid, "
           "CAST(0 AS BIGINT) AS confrelid, [0] AS conkey, [0] AS confkey")},
    {"pg_catalog", "pg_enum", 0,
     EMPTY("CAST(0 AS BIGINT) AS oid, CAST(0 AS BIGINT) AS enumtypid, CAST(0 AS FLOAT) AS "
           "enumsortorder, '' AS enumlabel")},
    {"pg_catalog", "pg_sequences", 0,
     EMPTY("'' AS schemaname, '' AS sequencename, '' AS sequenceowner, CAST(0 AS BIGINT) AS "
           "last_value")},
};

bool information_has(str schema, str name)
{
    for (size_t i = 0; i < COUNT_OF(views); i++) {
        if (str_equal_nocase(schema, str_c(views[i].schema)) &&
            str_equal_nocase(name, str_c(views[i].name))) {
            return true;
        }
    }
    return false;
}

/* Each once a statement. */
static status put_base(query *q, size_t base, error *err)
{
    rows_sql rows;

    if ((q->information & bases[base].bit) != 0) {
        return STATUS_OK;
    }
    q->information |= bases[base].bit;
    buf_printf(q->extra_sql, "CREATE OR REPLACE VIEW \"#catalog\".%s AS ", bases[base].name);
    rows_begin(&rows, q->extra_sql, bases[base].columns, bases[base].column_count);
    TRY(bases[base].put(q, &rows, err));
    rows_end(&rows);
    buf_add_char(q->extra_sql, ';');
    return STATUS_OK;
}

status information_rows(query *q, unsigned needs, error *err)
{
    if (q->extra_sql == NULL) {
        q->extra_sql = buf_in(q->a, LIMIT_RESULT_IN_MEMORY);
    }
    buf_add_c(q->extra_sql, "CREATE SCHEMA IF NOT EXISTS \"#catalog\";"
                            "CREATE SCHEMA IF NOT EXISTS \"#information_schema\";"
                            "CREATE SCHEMA IF NOT EXISTS \"#tarn\";"
                            "CREATE SCHEMA IF NOT EXISTS \"#pg_catalog\";");
    for (size_t base = 0; base < COUNT_OF(bases); base++) {
        if ((needs & bases[base].bit) != 0) {
            TRY(put_base(q, base, err));
        }
    }
    return STATUS_OK;
}

static status refuse_unknown(str schema, str name, arena *a, error *err)
{
    buf *all = buf_in(a, LIMIT_MIB);

    for (size_t i = 0; i < COUNT_OF(views); i++) {
        if (str_equal_nocase(schema, str_c(views[i].schema))) {
            buf_printf(all, "%s%s", all->size > 0 ? ", " : "", views[i].name);
        }
    }
    error_set(err, STATUS_NO_TABLE, "table \"%.*s.%.*s\" does not exist", STR_ARG(schema),
              STR_ARG(name));
    error_hint(err, "There are: %.*s.", STR_ARG(buf_str(all)));
    return STATUS_NO_TABLE;
}

status information_view(query *q, str schema, str name, str view, error *err)
{
    size_t i = 0;

    while (i < COUNT_OF(views) && (!str_equal_nocase(schema, str_c(views[i].schema)) ||
                                   !str_equal_nocase(name, str_c(views[i].name)))) {
        i++;
    }
    if (i == COUNT_OF(views)) {
        return refuse_unknown(schema, name, q->a, err);
    }
    TRY(information_rows(q, views[i].needs, err));
    buf_printf(q->extra_sql, "CREATE OR REPLACE VIEW %.*s AS %s;", STR_ARG(view), views[i].sql);
    return buf_check(q->extra_sql, "information_schema", err);
}

/* ---- functions that tell where one is ---- */

/* Names of the types of pg_type, as PostgreSQL says them. */
#define FORMAT_TYPE                                                                              \
    "CREATE OR REPLACE TEMP MACRO format_type(o, m) AS CASE CAST(o AS BIGINT) WHEN 16 THEN "     \
    "'boolean' WHEN 17 THEN 'bytea' WHEN 20 THEN 'bigint' WHEN 21 THEN 'smallint' WHEN 23 THEN " \
    "'integer' WHEN 25 THEN 'text' WHEN 700 THEN 'real' WHEN 701 THEN 'double precision' WHEN "  \
    "1043 THEN 'character varying' WHEN 1082 THEN 'date' WHEN 1083 THEN 'time without time "     \
    "zone' WHEN 1114 THEN 'timestamp without time zone' WHEN 1184 THEN 'timestamp with time "    \
    "zone' WHEN 1700 THEN CASE WHEN m > 4 THEN printf('numeric(%d,%d)', (m - 4) // 65536, (m - " \
    "4) % 65536) ELSE 'numeric' END WHEN 2950 THEN 'uuid' ELSE 'text' END;"

/* DuckDB's own tell of its own databases, types and search path. */
status information_functions(query *q, error *err)
{
    static const str names[] = {STR_INIT("current_schema"), STR_INIT("current_schemas"),
                                STR_INIT("current_database"), STR_INIT("current_catalog"),
                                STR_INIT("format_type")};
    bool asked = false;

    for (size_t i = q->range.from; i < q->range.to && !asked; i++) {
        for (size_t n = 0; n < COUNT_OF(names); n++) {
            asked = asked || str_equal_nocase(token_text(&q->r->tokens, i), names[n]);
        }
    }
    if (!asked) {
        return STATUS_OK;
    }
    if (q->extra_sql == NULL) {
        q->extra_sql = buf_in(q->a, LIMIT_RESULT_IN_MEMORY);
    }
    buf_add_c(q->extra_sql, FORMAT_TYPE);
    for (size_t n = 0; n + 1 < COUNT_OF(names); n++) {
        bool list = n == 1, schema = n < 2;

        buf_printf(q->extra_sql, "CREATE OR REPLACE TEMP MACRO %.*s(%s) AS %s", STR_ARG(names[n]),
                   list ? "implicit" : "", list ? "CASE WHEN implicit THEN [" : "");
        sql_quote_text(q->extra_sql, schema ? q->r->space : catalog_warehouse(q->r->catalog));
        if (list) {
            buf_add_c(q->extra_sql, ", 'pg_catalog'] ELSE [");
            sql_quote_text(q->extra_sql, q->r->space);
            buf_add_c(q->extra_sql, "] END");
        }
        buf_add_char(q->extra_sql, ';');
    }
    return buf_check(q->extra_sql, "the statement", err);
}
