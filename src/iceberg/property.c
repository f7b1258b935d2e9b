/* property.c: the table properties tarn acts on: type, default, meaning. Where a default differs from the
 * reference implementation's, the meaning says so. */
#include "tarn/iceberg/metadata.h"

#include "internal.h"

/* Types: bool, int (0 and up), count (1 and up), text, metrics, or the words that are allowed, split by "|". */
static const ice_property_info infos[] = {
    {"format-version", "1|2|3", "2", "Format version of a new table; not stored."},
    {"write.format.default", "parquet", "parquet", "Format of data files."},
    {"write.target-file-size-bytes", "count", "536870912", "Size that data files are cut at."},
    {"write.parquet.compression-codec", "zstd|snappy|gzip|brotli|lz4|lz4_raw|uncompressed|none",
     "zstd", "Compression of data files."},
    {"write.parquet.compression-level", "int", "",
     "Level of the compression; the codec's own if empty."},
    {"write.parquet.row-group-size-bytes", "count", "134217728",
     "Size of a row group before compression."},
    {"write.data.path", "text", "", "Where data files go; <location>/data if empty."},
    {"write.metadata.path", "text", "", "Where metadata files go; <location>/metadata if empty."},
    {"write.metadata.compression-codec", "gzip|none", "gzip",
     "Compression of metadata.json (elsewhere: none)."},
    {"write.metadata.previous-versions-max", "count", "10",
     "How many earlier metadata files are kept (elsewhere: 100)."},
    {"write.metadata.delete-after-commit.enabled", "bool", "true",
     "Earlier metadata files beyond that number are deleted in the commit (elsewhere: false)."},
    {"write.metadata.metrics.default", "metrics", "truncate(16)",
     "Metrics of columns: none, counts, truncate(N) or full."},
    {"write.metadata.metrics.max-inferred-column-defaults", "int", "100",
     "Columns beyond this number get no metrics unless a property of their own names them."},
    {"commit.retry.num-retries", "int", "4", "How often a commit is tried again after a conflict."},
    {"commit.retry.min-wait-ms", "int", "100", "Wait before the first retry."},
    {"commit.retry.max-wait-ms", "int", "60000", "Longest wait before a retry."},
    {"commit.retry.total-timeout-ms", "int", "1800000", "After this time no retry is begun."},
    {"commit.manifest-merge.enabled", "bool", "true", "Whether commits merge small manifests."},
    {"commit.manifest.target-size-bytes", "count", "8388608",
     "Manifests of this size are not merged further."},
    {"commit.manifest.min-count-to-merge", "count", "8",
     "How many manifests of one order of magnitude become one (elsewhere: 100 of any size)."},
    {"write.delete.isolation-level", "serializable|snapshot", "serializable",
     "Whether rows added meanwhile make a DELETE conflict (serializable) or not."},
    {"write.update.isolation-level", "serializable|snapshot", "serializable",
     "The same for UPDATE and INSERT OVERWRITE."},
    {"write.merge.isolation-level", "serializable|snapshot", "serializable", "The same for MERGE."},
    {"history.expire.min-snapshots-to-keep", "count", "1",
     "Snapshots of a branch that never expire."},
    {"tarn.history.max-snapshots", "int", "100",
     "Snapshots beyond this number expire, oldest first, when a new one is committed; 0 keeps all."},
    {"gc.enabled", "bool", "true", "Whether files that no snapshot needs may be deleted."},
};

const ice_property_info *ice_property_infos(size_t *ret_count)
{
    *ret_count = COUNT_OF(infos);
    return infos;
}

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

static bool is_metrics_mode(str value)
{
    int64_t length;

    if (str_starts_with_nocase(value, STR("truncate(")) && str_ends_with(value, STR(")"))) {
        return str_to_int64(str_slice(value, 9, value.size - 1), &length, NULL) == STATUS_OK &&
               length > 0;
    }
    return is_word_of(STR("none|counts|full"), value);
}

static bool fits(str type, str value, const char **ret_wanted)
{
    int64_t number;

    if (str_equal(type, STR("text"))) {
        return true;
    }
    if (str_equal(type, STR("bool"))) {
        *ret_wanted = "true or false";
        return is_word_of(STR("true|false"), value);
    }
    if (str_equal(type, STR("metrics"))) {
        *ret_wanted = "none, counts, truncate(N) or full";
        return is_metrics_mode(value);
    }
    if (str_equal(type, STR("int")) || str_equal(type, STR("count"))) {
        int64_t least = str_equal(type, STR("count")) ? 1 : 0;

        *ret_wanted = least == 1 ? "a whole number above 0" : "a whole number from 0 up";
        return str_to_int64(value, &number, NULL) == STATUS_OK && number >= least;
    }
    *ret_wanted = type.data; /* one of these words */
    return is_word_of(type, value);
}

status ice_property_check(str key, str value, error *err)
{
    const char *wanted = "";

    for (size_t i = 0; i < COUNT_OF(infos); i++) {
        if (str_equal(key, str_c(infos[i].key)) && !fits(str_c(infos[i].type), value, &wanted)) {
            return error_set(err, STATUS_INVALID,
                             "property \"%.*s\" cannot be \"%.*s\": it takes %s", STR_ARG(key),
                             STR_ARG(value), wanted);
        }
    }
    if (str_starts_with(key, STR("write.metadata.metrics.column.")) && !is_metrics_mode(value)) {
        return error_set(
            err, STATUS_INVALID,
            "property \"%.*s\" cannot be \"%.*s\": it takes none, counts, truncate(N) or "
            "full",
            STR_ARG(key), STR_ARG(value));
    }
    return STATUS_OK;
}
