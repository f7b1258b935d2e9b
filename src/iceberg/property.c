/* property.c: the table properties that Iceberg defines, and tarn's own: type, default, meaning. Where a default
 * differs from the reference implementation's, the meaning says so. Nonsense is refused for all of them, since other
 * programs read them too; unknown ones are kept and not judged. */
#include "tarn/iceberg/metadata.h"

#include "internal.h"

#define MODES "copy-on-write|merge-on-read"
#define LEVELS "serializable|snapshot"
#define DISTRIBUTIONS "none|hash|range"

/* Types, by name in `kinds` below, or the words that are allowed, split by "|". A key that ends with "*" stands for
 * all that begin like it, one for each column. */
/* clang-format off */
static const ice_property_info infos[] = {
    {"format-version", "1|2|3", "2", "Format version; of a table that is there it can only rise. Not stored.", true},
    {"comment", "text", "", "What the table is about: COMMENT ON TABLE.", true},

    {"write.format.default", "parquet", "parquet", "Format of data files.", true},
    {"write.target-file-size-bytes", "size", "536870912", "Size that data files are cut at.", true},
    {"write.parquet.compression-codec", "zstd|snappy|gzip|brotli|lz4|lz4_raw|uncompressed|none", "zstd", "Compression of data files.", true},
    {"write.parquet.compression-level", "level", "", "Level of the compression; the codec's own if empty.", true},
    {"write.parquet.row-group-size-bytes", "count", "", "Size of a row group before compression; rows alone count if empty (elsewhere: 134217728).", true},
    {"write.parquet.row-group-limit", "count", "122880", "Rows of a row group at most (elsewhere: 1048576).", true},
    {"write.parquet.page-size-bytes", "count", "1048576", "Size of a page.", false},
    {"write.parquet.page-row-limit", "count", "20000", "Rows of a page.", false},
    {"write.parquet.page-version", "v1|v2", "v1", "Version of data pages.", false},
    {"write.parquet.dict-size-bytes", "count", "1048576", "Size of a dictionary of texts at most (elsewhere: 2097152).", true},
    {"write.parquet.bloom-filter-enabled.column.*", "bool", "false", "Whether files get a Bloom filter for the column; one switches them on for all columns.", true},
    {"write.parquet.bloom-filter-max-bytes", "count", "1048576", "Largest size of a Bloom filter.", false},
    {"write.parquet.bloom-filter-fpp.column.*", "ratio", "0.01", "Share of wrong answers of the column's Bloom filter; the least counts for all.", true},
    {"write.parquet.bloom-filter-ndv.column.*", "size", "", "Expected distinct values of the column.", false},
    {"write.parquet.stats-enabled.column.*", "bool", "true", "Whether the footer has statistics of the column.", false},
    {"write.delete.format.default", "parquet|puffin", "parquet", "Format of delete files.", false},
    {"write.delete.parquet.compression-codec", "zstd|snappy|gzip|brotli|lz4|lz4_raw|uncompressed|none", "zstd", "Compression of delete files.", false},
    {"write.delete.target-file-size-bytes", "size", "67108864", "Size that delete files are cut at.", false},
    {"write.delete.granularity", "partition|file", "partition", "Whether a position delete file speaks of one data file or of a partition.", false},
    {"write.data.path", "text", "", "Where data files go; <location>/data if empty.", true},
    {"write.metadata.path", "text", "", "Where metadata files go; <location>/metadata if empty.", true},
    {"write.location-provider.impl", "text", "", "Class that chooses locations in programs on the JVM.", false},
    {"write.object-storage.enabled", "bool", "false", "Whether locations of data files begin with a hash.", false},
    {"write.object-storage.path", "text", "", "Former name of write.data.path with hashes.", false},
    {"write.object-storage.partitioned-paths", "bool", "true", "Whether hashed locations keep partition values.", false},
    {"write.distribution-mode", DISTRIBUTIONS, "hash", "Whether rows of a partition are brought together before they are written, so that each gets few files: hash and range do.", true},
    {"write.delete.distribution-mode", DISTRIBUTIONS, "hash", "The same for DELETE.", false},
    {"write.update.distribution-mode", DISTRIBUTIONS, "hash", "The same for UPDATE.", false},
    {"write.merge.distribution-mode", DISTRIBUTIONS, "none", "The same for MERGE.", false},
    {"write.delete.mode", MODES, "copy-on-write", "How DELETE takes rows out.", false},
    {"write.update.mode", MODES, "copy-on-write", "How UPDATE changes rows.", false},
    {"write.merge.mode", MODES, "copy-on-write", "How MERGE changes rows.", false},
    {"write.delete.isolation-level", LEVELS, "serializable", "What may happen beside a DELETE.", true},
    {"write.update.isolation-level", LEVELS, "serializable", "What may happen beside an UPDATE.", true},
    {"write.merge.isolation-level", LEVELS, "serializable", "What may happen beside a MERGE.", true},
    {"write.wap.enabled", "bool", "false", "Whether writes are staged until they are published.", false},
    {"write.spark.fanout.enabled", "bool", "false", "Whether Spark keeps a file open for each partition.", false},
    {"write.spark.accept-any-schema", "bool", "false", "Whether Spark writes rows of another schema.", false},
    {"write.summary.partition-limit", "int", "0", "Partitions that a snapshot's summary tells of.", false},

    {"write.metadata.compression-codec", "gzip|none", "gzip", "Compression of metadata.json (elsewhere: none). Where it is not set, files of at most 8 KiB are not packed.", true},
    {"write.metadata.previous-versions-max", "count", "10", "How many earlier metadata files are kept (elsewhere: 100).", true},
    {"write.metadata.delete-after-commit.enabled", "bool", "true", "Earlier metadata files beyond that number are deleted in the commit (elsewhere: false).", true},
    {"write.metadata.metrics.default", "metrics", "truncate(16)", "Metrics of columns: none, counts, truncate(N) or full.", true},
    {"write.metadata.metrics.column.*", "metrics", "", "The same for one column.", true},
    {"write.metadata.metrics.max-inferred-column-defaults", "int", "100", "Columns beyond this number get no metrics unless a property of their own names them.", true},

    {"commit.retry.num-retries", "int", "4", "How often a commit is tried again after a conflict.", true},
    {"commit.retry.min-wait-ms", "int", "100", "Wait before the first retry.", true},
    {"commit.retry.max-wait-ms", "int", "60000", "Longest wait before a retry.", true},
    {"commit.retry.total-timeout-ms", "int", "1800000", "After this time no retry is begun.", true},
    {"commit.status-check.num-retries", "int", "3", "How often the outcome of a commit is asked for when it is not known.", false},
    {"commit.status-check.min-wait-ms", "int", "1000", "Wait before it is asked for.", false},
    {"commit.status-check.max-wait-ms", "int", "60000", "Longest wait before it is asked for.", false},
    {"commit.status-check.total-timeout-ms", "int", "1800000", "After this time it is asked for no more.", false},
    {"commit.manifest-merge.enabled", "bool", "true", "Whether commits merge small manifests.", true},
    {"commit.manifest.target-size-bytes", "size", "8388608", "Manifests of this size are not merged further.", true},
    {"commit.manifest.min-count-to-merge", "count", "8", "How many manifests of one order of magnitude become one (elsewhere: 100 of any size).", true},
    {"compatibility.snapshot-id-inheritance.enabled", "bool", "false", "Whether manifests of version 1 may leave snapshot ids out.", false},

    {"history.expire.max-snapshot-age-ms", "size", "432000000", "Age up to which snapshots of a branch are kept.", false},
    {"history.expire.min-snapshots-to-keep", "count", "1", "Snapshots of a branch that never expire.", true},
    {"history.expire.max-ref-age-ms", "size", "9223372036854775807", "Age up to which branches and tags are kept; main stays.", false},
    {"tarn.history.max-snapshots", "int", "100", "Snapshots beyond this number expire, oldest first, when a new one is committed; 0 keeps all.", true},
    {"tarn.transaction.isolation-level", "snapshot|serializable", "snapshot", "serializable: a transaction that changes something and read this table is refused where the table was changed since.", true},
    {"gc.enabled", "bool", "true", "Whether files that no snapshot needs may be deleted.", true},

    {"read.split.target-size", "size", "134217728", "Bytes of a task's share of a scan.", false},
    {"read.split.metadata-target-size", "size", "33554432", "The same for metadata.", false},
    {"read.split.planning-lookback", "count", "10", "Shares that are kept open while files are given to them.", false},
    {"read.split.open-file-cost", "long", "4194304", "What opening a file counts, in bytes.", false},
    {"read.parquet.vectorization.enabled", "bool", "true", "Whether readers on the JVM read in batches.", false},
    {"read.parquet.vectorization.batch-size", "count", "5000", "Rows of a batch.", false},

    {"schema.name-mapping.default", "mapping", "", "Ids of columns in files that have none: a list of {\"field-id\", \"names\", \"fields\"}.", true},
    {"encryption.key-id", "text", "", "Key that the table's files are encrypted with.", false},
    {"encryption.data-key-length", "16|24|32", "16", "Bytes of keys of data files.", false},
};
/* clang-format on */

const ice_property_info *ice_property_infos(size_t *ret_count)
{
    *ret_count = COUNT_OF(infos);
    return infos;
}

/* --- types --- */

static bool is_word_of(str words, str value)
{
    str rest = words;

    while (!str_is_null(rest)) {
        if (str_equal_nocase(str_cut(rest, '|', &rest), value)) {
            return true;
        }
    }
    return false;
}

static bool is_between(str value, int64_t least, int64_t most)
{
    int64_t number;

    return str_to_int64(value, &number, NULL) == STATUS_OK && number >= least && number <= most;
}

static bool is_int(str value)
{
    return is_between(value, 0, INT32_MAX);
}

static bool is_count(str value)
{
    return is_between(value, 1, INT32_MAX);
}

static bool is_long(str value)
{
    return is_between(value, 0, INT64_MAX);
}

static bool is_size(str value)
{
    return is_between(value, 1, INT64_MAX);
}

/* What the codecs know together: zstd goes from -7 to 22. */
static bool is_level(str value)
{
    return is_between(value, -7, 22);
}

static bool is_ratio(str value)
{
    double number;

    return str_to_double(value, &number, NULL) == STATUS_OK && number > 0 && number < 1;
}

static bool is_text(str value)
{
    return str_is_utf8(value);
}

static bool is_bool(str value)
{
    return is_word_of(STR("true|false"), value);
}

static bool is_metrics(str value)
{
    if (str_starts_with_nocase(value, STR("truncate(")) && str_ends_with(value, STR(")"))) {
        return is_count(str_slice(value, 9, value.size - 1));
    }
    return is_word_of(STR("none|counts|full"), value);
}

static bool is_mapping_level(const json *list)
{
    if (json_kind_of(list) != JSON_ARRAY) {
        return false;
    }
    for (size_t i = 0; i < json_count(list); i++) {
        const json *names = json_get(json_at(list, i), "names");
        const json *fields = json_get(json_at(list, i), "fields");
        const json *id = json_get(json_at(list, i), "field-id");

        if (json_kind_of(names) != JSON_ARRAY ||
            (id != NULL && json_kind_of(id) != JSON_INT64 && json_kind_of(id) != JSON_NULL) ||
            (fields != NULL && !is_mapping_level(fields))) {
            return false;
        }
        for (size_t k = 0; k < json_count(names); k++) {
            if (json_kind_of(json_at(names, k)) != JSON_STR) {
                return false;
            }
        }
    }
    return true;
}

static bool is_mapping(str value)
{
    arena *scratch = arena_create();
    const json *list;
    bool fits = json_parse(value, scratch, &list, NULL) == STATUS_OK && is_mapping_level(list);

    arena_free(scratch);
    return fits;
}

static const struct {
    const char *name;
    bool (*fits)(str value);
    const char *wanted;
} kinds[] = {
    {"bool", is_bool, "true or false"},
    {"int", is_int, "a whole number from 0 to 2147483647"},
    {"count", is_count, "a whole number from 1 to 2147483647"},
    {"long", is_long, "a whole number from 0 up"},
    {"size", is_size, "a whole number above 0"},
    {"level", is_level, "a whole number from -7 to 22"},
    {"ratio", is_ratio, "a number between 0 and 1"},
    {"metrics", is_metrics, "none, counts, truncate(N) or full"},
    {"mapping", is_mapping, "a JSON list of objects with \"names\""},
    {"text", is_text, "text"},
};

static bool fits(str type, str value, const char **ret_wanted)
{
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        if (str_equal(type, str_c(kinds[i].name))) {
            *ret_wanted = kinds[i].wanted;
            return kinds[i].fits(value);
        }
    }
    *ret_wanted = type.data; /* one of these words */
    return is_word_of(type, value);
}

static bool is_key(str pattern, str key)
{
    return str_ends_with(pattern, STR("*"))
               ? key.size >= pattern.size &&
                     str_starts_with(key, str_slice(pattern, 0, pattern.size - 1))
               : str_equal(pattern, key);
}

/* A slip of the pen is told as long as it lies in a part of the name space that Iceberg owns. */
static void suggest(str key, error *err)
{
    str names[COUNT_OF(infos)];
    str nearest;

    for (size_t i = 0; i < COUNT_OF(infos); i++) {
        names[i] = str_c(infos[i].key);
    }
    nearest = str_nearest(key, names, COUNT_OF(infos));
    if (!str_is_null(nearest)) {
        error_hint(err, "Did you mean \"%.*s\"?", STR_ARG(nearest));
    }
}

status ice_property_check(str key, str value, error *err)
{
    const char *wanted = "";

    for (size_t i = 0; i < COUNT_OF(infos); i++) {
        if (is_key(str_c(infos[i].key), key)) {
            return fits(str_c(infos[i].type), value, &wanted)
                       ? STATUS_OK
                       : error_set(err, STATUS_INVALID,
                                   "property \"%.*s\" cannot be \"%.*s\": it takes %s",
                                   STR_ARG(key), STR_ARG(str_slice(value, 0, 200)), wanted);
        }
    }
    if (!str_is_utf8(key) || !str_is_utf8(value)) {
        return error_set(err, STATUS_INVALID, "a property is no UTF-8");
    }
    if (str_starts_with(key, STR("tarn."))) { /* ours: nobody else gives them a meaning */
        error_set(err, STATUS_INVALID, "property \"%.*s\" is unknown", STR_ARG(key));
        suggest(key, err);
        return STATUS_INVALID;
    }
    return STATUS_OK;
}
