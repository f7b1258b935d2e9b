/* Plans a scan of an Iceberg table in a local folder: which files must be read, which need not, and why.
 *
 *   cc -o plan_scan plan_scan.c $(pkg-config --cflags --libs tarn-iceberg)
 *   ./plan_scan /lake/trips/metadata/00003-….gz.metadata.json fare_amount '>=' 100
 */
#include <stdio.h>
#include <stdlib.h>

#include <tarn/base/limits.h>
#include <tarn/iceberg/scan.h>

static const struct {
    const char *sign;
    ice_expr_kind kind;
} comparisons[] = {{"=", ICE_EQ},  {"<>", ICE_NE}, {"<", ICE_LT},
                   {"<=", ICE_LE}, {">", ICE_GT},  {">=", ICE_GE}};

/* column, sign, value as text: a filter of one leaf. The value becomes one of the column's type. */
static status make_filter(const ice_metadata *table, char **words, arena *a, ice_expr *ret_filter,
                          error *err)
{
    const ice_field *column = ice_schema_column(ice_metadata_schema(table), str_c(words[0]));
    ice_value *value = ARENA_NEW(a, ice_value);

    if (column == NULL) {
        return error_set(err, STATUS_NO_COLUMN, "the table has no column \"%s\"", words[0]);
    }
    *ret_filter =
        (ice_expr){.kind = ICE_TRUE, .field_id = column->id, .values = value, .value_count = 1};
    for (size_t i = 0; i < sizeof(comparisons) / sizeof(comparisons[0]); i++) {
        if (str_equal(str_c(words[1]), str_c(comparisons[i].sign))) {
            ret_filter->kind = comparisons[i].kind;
        }
    }
    return ice_value_parse_text(column->type, str_c(words[2]), a, value, err);
}

/* The folder above metadata/ may not be where the table was written. */
static void follow(ice_metadata *table, str path, arena *a)
{
    size_t end = str_find(path, STR("/metadata/"));

    if (end != STR_NPOS) {
        const ice_rebase moved = {.from = table->location,
                                  .to = str_copy(a, str_slice(path, 0, end))};
        ice_metadata_rebase(table, &moved, 1);
    }
}

static status plan(const char *path, char **words, arena *a, error *err)
{
    const str anywhere = STR("/"); /* or the folders that files may lie in */
    storage_options options = {.local_roots = &anywhere, .local_root_count = 1};
    ice_scan_options wanted = {
        .snapshot_id = ICE_NO_SNAPSHOT, .keep_skipped = true, .residuals = true};
    ice_metadata *table = NULL;
    ice_expr filter;
    ice_scan scan;
    storage *st;
    str text;

    TRY(storage_open(&options, &st, err)); /* open until the program ends, as the table is */
    TRY(store_read_all(st, str_c(path), LIMIT_METADATA_FILE, a, &text, err));
    TRY(ice_metadata_parse(text, &table, err));
    follow(table, str_c(path), a);
    if (words != NULL) {
        TRY(make_filter(table, words, a, &filter, err));
        wanted.filter = &filter;
    }
    wanted.metadata = table;
    TRY(ice_scan_plan(st, &wanted, a, &scan, err));
    for (size_t i = 0; i < scan.file_count; i++) {
        printf("read  %.*s  %lld rows%s\n", STR_ARG(scan.files[i].path),
               (long long)scan.files[i].record_count,
               scan.satisfied[i] ? ", all of them wanted" : "");
    }
    for (size_t i = 0; i < scan.skipped_count; i++) {
        printf("skip  %.*s  by %s of %.*s\n", STR_ARG(scan.skipped[i].file.path),
               ice_skip_reason_name(scan.skipped[i].reason),
               STR_ARG(scan.skipped[i].reason_column));
    }
    printf("%zu of %lld files, %lld of %lld rows; %zu of %zu manifests read; %zu delete files\n",
           scan.file_count, (long long)scan.total_files, (long long)scan.kept_rows,
           (long long)scan.total_rows, scan.manifests_read, scan.manifest_count, scan.delete_count);
    return STATUS_OK;
}

int main(int argc, char **argv)
{
    error err = ERROR_INIT;

    if (argc != 2 && argc != 5) {
        fprintf(stderr, "usage: plan_scan METADATA [COLUMN =|<>|<|<=|>|>= VALUE]\n");
        return 2;
    }
    if (plan(argv[1], argc == 5 ? argv + 2 : NULL, arena_create(), &err) != STATUS_OK) {
        fprintf(stderr, "plan_scan: %s\n", err.message);
        return 1;
    }
    return 0;
}
