/* docs/catalog.md: what of the Iceberg REST catalog is served, from the route table. */
#include "rest.h"
#include "tarn/server/server.h"

static const char introduction[] =
    "# The Iceberg REST catalog\n\n"
    "Spark, Trino, Flink, PyIceberg, DuckDB and every other client of the Iceberg REST catalog find tarn's tables at "
    "`/iceberg` of `http.listen`: `http://127.0.0.1:8181/iceberg`. SQL, the API and these clients see one catalog: a "
    "table or view that one makes the others read at once.\n\n"
    "```python\n"
    "from pyiceberg.catalog.rest import RestCatalog\n"
    "catalog = RestCatalog(\"tarn\", uri=\"http://127.0.0.1:8181/iceberg\", token=\"tarn_…\")\n"
    "```\n\n"
    "```properties\n"
    "# Spark\n"
    "spark.sql.catalog.tarn=org.apache.iceberg.spark.SparkCatalog\n"
    "spark.sql.catalog.tarn.type=rest\n"
    "spark.sql.catalog.tarn.uri=http://127.0.0.1:8181/iceberg\n"
    "spark.sql.catalog.tarn.token=tarn_…\n"
    "```\n\n"
    "`token` is a bearer key: root's is in `secrets/root.key`, others are made with `tarn key create`. With "
    "`auth.mode=none` none is needed, and `Bearer None`, which PyIceberg sends without one, is nobody. "
    "Clients reach files in the built-in store with what a table's answer tells: endpoint, region and keys for that "
    "table alone.\n\n"
    "* **Warehouses**: `?warehouse=` of getConfig takes a name, a location (`s3://lake/`) or nothing "
    "for the first; the "
    "answer tells the prefix of its addresses. Without a prefix an address means the first warehouse.\n"
    "* **Namespaces** may be nested; in addresses levels are separated by `%1F`, and `ns%1Finner` is "
    "`ns.inner` in SQL. A "
    "level cannot contain a dot or a control character: 400. Every namespace answers with a `location`.\n"
    "* **Names** keep their case and are found without regard to it. In an address a space is `%20` or "
    "`+`, as Java's client writes it, and a plus sign is always `%2B`.\n"
    "* **Pages**: `pageToken` absent answers everything; empty begins, with `pageSize` names a page "
    "(1000, at most 10000). "
    "Tokens are opaque, and those of another list are refused.\n"
    "* **ETags**: loadTable, createTable, registerTable and updateTable answer with one; `If-None-Match` of loadTable "
    "answers 304 while the metadata is the same and the credentials that went with it are good for ten minutes more. "
    "`snapshots=all` and `refs`, two callers, and two keys of one, have different ones. Other keys, principals and "
    "tables that come and go, and a restart, change none; what ends the credentials (their key, `tarn key "
    "revoke-sessions`, a drop of the table) does.\n"
    "* **Bodies** have at most 64 MiB and 1 000 000 JSON values (a table of 10 000 columns has 50 000); larger ones "
    "are 413.\n";

static const char rules[] =
    "* **Staged tables** (`stage-create`, for CREATE TABLE … AS SELECT) come with keys for their place. One that the "
    "client chose is held for the principal while the keys are good: what another makes in it or around it is refused "
    "until then. A hold ends before its time, and its keys with it, when `tarn key revoke-sessions` ends the "
    "principal's sessions, when its bearer key or its principal is dropped, when a namespace is made there, when a "
    "dropped table returns to its own place, when another table of the same principal is made at the place, and when "
    "the principal holds 64 more. Before it is made, loadCredentials gives new keys to who staged it, and holds the "
    "place on; also a day after they ended, where the place is free still. With the same `Idempotency-Key` a staged "
    "table is the same, with new keys.\n"
    "* **Commits**: the requirements that the request lists are checked and no others; where another "
    "commit came between "
    "they are checked again, and the commit goes on while they hold. Otherwise 409 `CommitFailedException`. Several "
    "tables are committed in one transaction of the database. A 5xx to a commit means that nobody knows.\n"
    "* **Rights** are those of SQL: an update of rows asks for table.write, any other for table.alter "
    "too, a commit with "
    "assert-create for table.create; a rename asks for table.drop on the old name and table.create on "
    "the new. Views are "
    "asked for as tables are. Registering asks for location.read, too, but for a file in "
    "a place that was chosen for a table of the namespace; so does making a table around files that "
    "are no table's. Who may not is answered 403 `ForbiddenException`, "
    "whether the table is there or not.\n"
    "* **Reports** of scans and commits are checked and counted (`tarn_rest_reports_total`), and kept nowhere.\n"
    "* **Errors** are `{\"error\": {\"message\", \"type\", \"code\"}}` in the words that clients look "
    "for; `stack` holds a "
    "hint where there is one. 401 comes with `WWW-Authenticate`, 503 with `Retry-After`.\n\n"
    "`endpoints` of getConfig names what stands below as served, but for the three addresses without a prefix.\n";

static const char clients[] =
    "\n## Clients\n\n"
    "`tarn connect` prints the configuration of Spark, Trino, Flink, PyIceberg, DuckDB, Sail and "
    "dbt; all but dbt itself are run with it in `make interop`. What some of them do not: Trino (476) has no "
    "materialized views with a REST catalog, writes no deletes into version 3, and registers tables with S3 keys "
    "of its own alone; Flink makes no views and partitions by columns alone; DuckDB makes no views and drops "
    "nothing with CASCADE. So dbt-duckdb has seeds, incremental models, snapshots, tests and docs, tables where "
    "the project's `drop_relation` macro says `drop {{ relation.type }} if exists {{ relation }}`, and no "
    "views.\n\n"
    "What the formats allow and tarn does not: a default `{}` of a struct, and those of lists and maps (400), since "
    "Iceberg's own library loads no table that has one. Locations begin with `s3://` or `file:`; for "
    "`s3a://` and `s3n://`, as Hadoop has them, `stack` of the error names the form with `s3://`. Where S3 took "
    "away the metadata file of a table or view, loads and commits are answered 404 `NotFoundException`.\n";

void server_format_catalog(buf *out)
{
    buf_add_c(out, introduction);
    buf_add_c(out, rules);
    buf_add_c(out, clients);
    buf_add_c(
        out,
        "\n## Operations\n\n| operation | request | right | state | |\n|---|---|---|---|---|\n");
    for (size_t i = 0; i < rest__route_count; i++) {
        const rest_route *r = &rest__routes[i];

        buf_printf(out, "| %s | %s `%s` | %s | served%s | %s |\n", r->operation,
                   http_method_name(r->pattern.method), r->pattern.pattern, action_name(r->act),
                   (r->flags & REST_IDEMPOTENT) != 0 ? ", `Idempotency-Key`" : "", r->summary);
    }
    for (size_t i = 0; i < rest__refusal_count; i++) {
        const rest_refusal *r = &rest__refusals[i];

        buf_printf(out, "| %s | %s `%s` | | refused: 406 | %s |\n", r->operation,
                   http_method_name(r->pattern.method), r->pattern.pattern, r->reason);
    }
    for (size_t i = 0; i < rest__care_doc_count; i++) {
        buf_add_c(out, rest__care_docs[i]);
    }
    buf_add_c(out, "\nMade from the table in `src/server/rest/routes.c`: `make docs`.\n");
}
