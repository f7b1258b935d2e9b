/* Planning, and what it cannot do without: for bench/figures/planning.py.
 *
 *   planning make FOLDER FILES TEMPLATE   a table in FOLDER of FILES data files, all measured as TEMPLATE is, but with
 *                                         ids and a day of their own; prints where its metadata lies
 *   planning plan METADATA FILTER         one plan from cold caches. FILTER: all; some (a hundredth of the files of
 *                                         every manifest, by bounds); day (one partition); limit (ten rows).
 *                                         Prints seconds, files that are left, manifests read, most memory in KiB
 *   planning decode METADATA              the same manifests by one thread and nothing but the codec: prints seconds of
 *                                         reading and inflating them, of decoding all they hold besides, and bytes
 *
 * Nothing but the library: no database, no server. */
#include <stdio.h>

#include "tarn/base/clock.h"
#include "tarn/base/limits.h"
#include "tarn/base/mem.h"
#include "tarn/iceberg/commit.h"

#define ROWS_EACH 1000
#define FILES_PER_MANIFEST 1000
#define SPREAD 7919 /* a prime: neighbours have ids that are far apart */

typedef struct bench_table {
    arena *memory;
    storage *storage;
    ice_metadata *metadata;
    str location; /* of the metadata */
} bench_table;

static double seconds_since(int64_t begun_ns)
{
    return (double)(clock_mono_ns() - begun_ns) / 1e9;
}

/* getrusage would tell of the process that started this one, where that held more. */
static long most_memory_kib(void)
{
    FILE *file = fopen("/proc/self/status", "r");
    char line[256];
    long kib = 0;

    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        (void)sscanf(line, "VmHWM: %ld", &kib);
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return kib;
}

static status open_storage(bench_table *t, error *err)
{
    static const str everywhere = STR_INIT("/");
    const storage_options options = {
        .local_roots = &everywhere, .local_root_count = 1, .unsafe = true};

    return storage_open(&options, &t->storage, err);
}

/* ---- making ---- */

static status load(void *context, arena *a, ice_metadata **ret_metadata, str *ret_location,
                   error *err)
{
    bench_table *t = context;

    (void)err;
    *ret_metadata = ice_metadata_ref(t->metadata);
    *ret_location = str_copy(a, t->location);
    return STATUS_OK;
}

/* The only writer: its files are there, and that is the commit. */
static status commit(void *context, str base_location, str new_location,
                     const ice_metadata *new_metadata, store_staged *const *staged,
                     size_t staged_count, const str *obsolete, size_t obsolete_count,
                     status (*extra)(void *extra_context, state_txn *txn, error *err),
                     void *extra_context, error *err)
{
    bench_table *t = context;

    (void)base_location;
    (void)obsolete;
    (void)obsolete_count;
    (void)extra;
    (void)extra_context;
    for (size_t i = 0; i < staged_count; i++) {
        TRY(store_put(t->storage, staged[i], err));
    }
    ice_metadata_unref(t->metadata);
    t->metadata = ice_metadata_ref(new_metadata);
    t->location = str_copy(t->memory, new_location);
    return STATUS_OK;
}

static status create(bench_table *t, const char *folder, error *err)
{
    static const ice_property properties[] = {
        {STR_INIT("commit.manifest-merge.enabled"), STR_INIT("false")}};
    enum { COLUMNS = 19 };
    ice_field *fields = ARENA_ARRAY(t->memory, ice_field, COLUMNS);
    const ice_type root = {.kind = ICE_STRUCT, .fields = fields, .field_count = COLUMNS};
    const ice_create options = {.location = str_printf(t->memory, "file://%s", folder),
                                .root = &root,
                                .partition_sql = STR("day"),
                                .properties = properties,
                                .property_count = COUNT_OF(properties)};
    store_staged *staged;

    for (int i = 0; i < COLUMNS; i++) {
        ice_kind kind = i == 0 ? ICE_LONG : i == 1 ? ICE_INT : i < 11 ? ICE_DOUBLE : ICE_STRING;

        fields[i] = (ice_field){.name = i == 0   ? STR("id")
                                        : i == 1 ? STR("day")
                                                 : str_printf(t->memory, "c%d", i),
                                .type = ice_type_primitive(kind)};
    }
    TRY(ice_metadata_create(&options, &t->metadata, err));
    TRY(ice_metadata_stage(t->storage, t->metadata, 0, &staged, t->memory, &t->location, err));
    return store_put(t->storage, staged, err);
}

static str int64_bytes(arena *a, int64_t value)
{
    char *bytes = arena_alloc(a, sizeof(value));

    memcpy(bytes, &value, sizeof(value)); /* little-endian, as the machine */
    return str_from(bytes, sizeof(value));
}

static const avro_int_bytes *with_id(arena *a, const avro_int_bytes *bounds, size_t count,
                                     int64_t id)
{
    avro_int_bytes *copy = ARENA_ARRAY(a, avro_int_bytes, count);

    memcpy(copy, bounds, count * sizeof(*copy));
    for (size_t i = 0; i < count; i++) {
        if (copy[i].key == 1) {
            copy[i].value = int64_bytes(a, id);
        }
    }
    return copy;
}

static ice_file data_file(const bench_table *t, const ice_file *like, int64_t number, int64_t files,
                          int64_t per_manifest, arena *a)
{
    int64_t id = number * SPREAD % files * ROWS_EACH;
    ice_value *day = ARENA_ARRAY(a, ice_value, 1);
    ice_file f = *like;

    day[0] = (ice_value){.kind = ICE_INT, .integer = number / per_manifest};
    f.path = str_printf(a, "%.*s/data/%06lld.parquet", STR_ARG(t->metadata->location),
                        (long long)number);
    f.partition = day;
    f.partition_count = 1;
    f.spec_id = t->metadata->default_spec_id;
    f.lower_bounds = with_id(a, like->lower_bounds, like->lower_bound_count, id);
    f.upper_bounds = with_id(a, like->upper_bounds, like->upper_bound_count, id + ROWS_EACH - 1);
    return f;
}

static status make(bench_table *t, const char *folder, int64_t files, const char *template,
                   error *err)
{
    int64_t per_manifest = files / 10 < FILES_PER_MANIFEST ? files / 10 : FILES_PER_MANIFEST;
    const ice_committer committer = {
        .load = load, .commit = commit, .context = t, .storage = t->storage};
    ice_file like;

    TRY(create(t, folder, err));
    TRY(ice_file_measure(template, ice_metadata_schema(t->metadata), t->metadata, NULL, 0,
                         t->memory, &like, err));
    for (int64_t from = 0; from < files; from += per_manifest) {
        arena *a = arena_create();
        ice_file *some = ARENA_ARRAY(a, ice_file, per_manifest);
        const ice_append append = {.files = some, .file_count = (size_t)per_manifest};
        ice_commit_result result;
        status committed;

        for (int64_t i = 0; i < per_manifest; i++) {
            some[i] = data_file(t, &like, from + i, files, per_manifest, a);
        }
        committed = ice_commit_append(&committer, &append, &result, err);
        arena_free(a);
        TRY(committed);
    }
    (void)printf("%.*s\n", STR_ARG(t->location));
    return STATUS_OK;
}

/* ---- planning ---- */

static status read_metadata(bench_table *t, error *err)
{
    str bytes;

    TRY(store_read_all(t->storage, t->location, LIMIT_METADATA_FILE, t->memory, &bytes, err));
    return ice_metadata_parse(bytes, &t->metadata, err);
}

static status plan(bench_table *t, str filter, error *err)
{
    int64_t begun_ns = clock_mono_ns();
    ice_scan_options options = {.snapshot_id = ICE_NO_SNAPSHOT};
    ice_value value = {.kind = ICE_LONG};
    ice_expr leaf = {.values = &value, .value_count = 1};
    ice_scan scan;

    TRY(read_metadata(t, err));
    options.metadata = t->metadata;
    if (str_equal(filter, STR("some"))) {
        int64_t files = 0;

        (void)str_to_int64(
            ice_snapshot_summary(ice_metadata_snapshot(t->metadata), "total-data-files"), &files,
            NULL);
        leaf.kind = ICE_LT;
        leaf.field_id = 1;
        value.integer = files * ROWS_EACH / 100;
        options.filter = &leaf;
    } else if (str_equal(filter, STR("day"))) {
        leaf.kind = ICE_EQ;
        leaf.field_id = 2;
        value = (ice_value){.kind = ICE_INT, .integer = 3};
        options.filter = &leaf;
    } else if (str_equal(filter, STR("limit"))) {
        options.limit_rows = 10;
    }
    TRY(ice_scan_plan(t->storage, &options, t->memory, &scan, err));
    double took = seconds_since(begun_ns);
    (void)printf("%.6f %zu %zu %ld\n", took, scan.file_count, scan.manifests_read,
                 most_memory_kib());
    return STATUS_OK;
}

/* ---- the codec alone ---- */

static status decode(bench_table *t, error *err)
{
    const ice_manifest *manifests;
    size_t count;
    double read = 0;
    double decoded = 0;
    int64_t bytes_total = 0;

    TRY(read_metadata(t, err));
    TRY(ice_snapshot_manifests(t->storage, t->metadata, ice_metadata_snapshot(t->metadata),
                               t->memory, &manifests, &count, err));
    for (size_t i = 0; i < count; i++) {
        static const avro_shape nothing = {.size = 1};
        arena *a = arena_create();
        int64_t begun_ns = clock_mono_ns();
        ice_entry *entries;
        size_t entry_count;
        avro_file file;
        void *records;
        str bytes;

        TRY(store_read_all(t->storage, manifests[i].path, LIMIT_MANIFEST_FILE, a, &bytes, err));
        TRY(avro_open(bytes, a, &file, err));
        TRY(avro_read(&file, &nothing, NULL, NULL, a, &records, &entry_count, err));
        read += seconds_since(begun_ns);
        bytes_total += (int64_t)bytes.size;
        begun_ns = clock_mono_ns();
        TRY(ice_manifest_parse(bytes, &manifests[i], t->metadata, true, a, &entries, &entry_count,
                               err));
        decoded += seconds_since(begun_ns);
        arena_free(a);
    }
    (void)printf("%.6f %.6f %lld\n", read, decoded, (long long)bytes_total);
    return STATUS_OK;
}

/* ---- */

static status run(bench_table *t, int argc, char **argv, error *err)
{
    str command = argc > 1 ? str_c(argv[1]) : STR("");
    int64_t files = 0;

    TRY(open_storage(t, err));
    t->location = argc > 2 ? str_c(argv[2]) : STR("");
    if (argc == 5 && str_equal(command, STR("make")) &&
        str_to_int64(str_c(argv[3]), &files, NULL) == STATUS_OK) {
        return make(t, argv[2], files, argv[4], err);
    }
    if (argc == 4 && str_equal(command, STR("plan"))) {
        return plan(t, str_c(argv[3]), err);
    }
    if (argc == 3 && str_equal(command, STR("decode"))) {
        return decode(t, err);
    }
    return error_set(err, STATUS_INVALID,
                     "usage: planning make FOLDER FILES TEMPLATE | plan METADATA FILTER | decode "
                     "METADATA");
}

int main(int argc, char **argv)
{
    bench_table t = {.memory = arena_create()};
    error err = ERROR_INIT;
    status done = run(&t, argc, argv, &err);

    if (done != STATUS_OK) {
        (void)fprintf(stderr, "planning: %s\n", err.message);
    }
    ice_metadata_unref(t.metadata);
    ice_cache_clear();
    storage_close(t.storage);
    arena_free(t.memory);
    return done == STATUS_OK ? 0 : 1;
}
