/* internal.h: what the files of this module share and nobody else sees. */
#ifndef TARN_ICEBERG_INTERNAL_H
#define TARN_ICEBERG_INTERNAL_H

#include "tarn/iceberg/commit.h"
#include "tarn/iceberg/view.h"

__extension__ typedef __int128 ice__int128;
__extension__ typedef unsigned __int128 ice__uint128;

/* ---- numbers (number.c) ---- */
static inline ice__int128 ice__decimal(const ice_value *v)
{
    return (ice__int128)(((ice__uint128)(uint64_t)v->high << 64) | (uint64_t)v->integer);
}
ice_value ice__decimal_value(ice__int128 unscaled, int32_t scale);
/* Two's complement, big-endian, as many bytes as needed and at least one; at the end of ret_bytes[16]. */
size_t ice__decimal_bytes(ice__int128 unscaled, uint8_t ret_bytes[16]);
/* At most 16 bytes, or more of which the surplus only repeats the sign. */
bool ice__decimal_from_bytes(str bytes, ice__int128 *ret_unscaled);
/* v * 10^exponent; false where it does not fit. */
bool ice__decimal_shift(ice__int128 v, int32_t exponent, ice__int128 *ret_value);
void ice__decimal_format(ice__int128 unscaled, int32_t scale, buf *out);
/* "-12.50"; more places than `scale` are refused unless they are zero. */
bool ice__decimal_parse(str text, int32_t scale, ice__int128 *ret_unscaled);
static inline int64_t ice__floor_div(int64_t a, int64_t b)
{
    int64_t q = a / b;

    return (a % b != 0 && (a < 0) != (b < 0)) ? q - 1 : q;
}
/* Counts of files are what files say: their sums stop at the highest number. */
static inline int64_t ice__sum(int64_t a, int64_t b)
{
    int64_t sum;

    return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}
static inline int32_t ice__sum32(int32_t a, int32_t b)
{
    int32_t sum;

    return __builtin_add_overflow(a, b, &sum) ? INT32_MAX : sum;
}
/* Ids of columns and partition fields end here: what follows is reserved for metadata columns (specification, "Reserved
 * Field IDs"). Sequence numbers and row ids that others bring end far below what can be counted, so that writes which
 * follow have room. */
#define ICE__FIELD_ID_MAX (INT32_MAX - 200)
#define ICE__BROUGHT_MAX (INT64_MAX / 2)
/* Digits needed for a fixed of a decimal: the least bytes that hold every value of `precision`. */
int32_t ice__decimal_width(int32_t precision);

/* ---- text (utf8.c) ---- */
/* Bytes of the first `count` code points; the whole text where it has fewer. Bytes that are no UTF-8 count one each. */
size_t ice__utf8_prefix(str text, size_t count);
size_t ice__utf8_count(str text);
/* A text above every text that starts with this one, no longer than it; false where there is none. */
bool ice__utf8_successor(str text, arena *a, str *ret_text);
bool ice__bytes_successor(str bytes, arena *a, str *ret_bytes);

/* ---- dates and times as text (time.c) ---- */
void ice__date_format(int64_t days, buf *out);
/* `units_per_second` tells micros (1 000 000) from nanos; the fraction is written where it is not zero. */
void ice__time_format(int64_t units, int64_t units_per_second, buf *out);
void ice__timestamp_format(int64_t units, int64_t units_per_second, char separator, buf *out);
bool ice__date_parse(str text, int64_t *ret_days);
bool ice__time_parse(str text, int64_t units_per_second, int64_t *ret_units);
/* Separator T or blank; an offset ("Z", "+00", "-07:30") is applied where `zoned`, refused else. */
bool ice__timestamp_parse(str text, int64_t units_per_second, bool zoned, int64_t *ret_units);
bool ice__kind_is_nanos(ice_kind kind);

/* ---- JSON (json_util.c) ---- */
const json *ice__json_copy(const json *value, arena *a);
/* Members of `object` that none of the fields has, as name and JSON text. */
void ice__json_unknown(const json *object, const json_field *fields, size_t count, arena *a,
                       const ice_property **ret_members, size_t *ret_count);
void ice__json_put_unknown(json_writer *w, const ice_property *members, size_t count);
status ice__json_int32s(const json *array, const char *key, arena *a, const int32_t **ret_items,
                        size_t *ret_count, error *err);

/* ---- schemas (schema.c, copy.c) ---- */
/* The field in the current schema, else in the newest one that has it; NULL where none has. */
const ice_field *ice__metadata_field(const ice_metadata *m, int32_t id);
/* A column of type `from` may become one of type `to`, and values of `from` be read as `to` (evolve_schema.c). */
bool ice__can_widen(const ice_type *from, const ice_type *to);
/* `value` is a default that a column of this type may have; the message says what is wrong (evolve_default.c). */
status ice__default_check(const ice_type *type, const json *value, error *err);
/* A copy in the one form that all programs read: 1.0 for a float, all digits of a decimal. What is no value of the type
 * stays as it came. NULL for NULL. */
const json *ice__default_settle(const json *value, const ice_type *type, arena *a);
const ice_type *ice__type_copy(const ice_type *type, arena *a);
/* Columns of the type, those in them included. */
int32_t ice__count_fields(const ice_type *type);
/* INVALID where `count` ids that follow `last` are more than there are. `what`: a kind of thing, in plural. */
status ice__check_room(const char *what, int32_t last, size_t count, error *err);
/* INVALID where one id is that of two columns. */
status ice__schema_check_ids(const ice_schema *schema, error *err);
/* ice_schema_check for what others make: names may differ in case alone, as Iceberg has it. */
status ice__schema_check_exact(const ice_schema *schema, int format_version, error *err);
ice_schema ice__schema_copy(const ice_schema *schema, arena *a);
str ice__copy(arena *a, str s); /* str_copy that keeps STR_NULL and emptiness apart */
const ice_property *ice__properties_copy(const ice_property *properties, size_t count, arena *a);
/* All but its text, and of no chapter. */
ice_snapshot ice__snapshot_copy(const ice_snapshot *snapshot, arena *a);
/* One snapshot as metadata of that version has it. CORRUPT, INVALID. */
status ice__snapshot_parse(const json *value, int version, arena *a, ice_snapshot *ret_snapshot,
                           error *err);
/* The snapshot as metadata of that version writes it; its own `text` where it has one. */
str ice__snapshot_text(const ice_snapshot *s, int format_version, arena *a);
void ice__log_entry_format(json_writer *w, const ice_log_entry *entry); /* of the snapshot log */
/* The value without memory and references: shallow, for parts to be replaced. */
void ice__metadata_assign(ice_metadata *to, const ice_metadata *from);
/* A shared value of its own: everything copied out of `m`, whatever arenas that lives in. One reference. */
ice_metadata *ice__metadata_copy(const ice_metadata *m);

/* ---- views (view.c, view_change.c) ---- */
/* One version as view metadata has it. CORRUPT, INVALID. */
status ice__view_version_parse(const json *value, arena *a, ice_view_version *ret_version,
                               error *err);
/* The parts of `base` that stay; the rest is for the caller to replace. */
ice_view ice__view_parts(const ice_view *base);
/* A value of its own, made of parts of others. */
status ice__view_settle(const ice_view *parts, arena *a, ice_view **ret_view, error *err);
/* A property of views: "true" where a new version may do without a dialect that the view has. */
#define ICE__VIEW_DROP_DIALECT "replace.drop-dialect.allowed"
enum {
    ICE__VIEW_HISTORY_DEFAULT = 10, /* versions that stay when the view says nothing */
    ICE__VIEW_TYPES = 3,            /* the format version whose types columns of views may have */
};
/* The oldest versions beyond `count` go, but for the current one. The log forgets what came before the last entry of a
 * version that is gone: a history with holes would tell a wrong story. */
void ice__view_keep_newest(ice_view *v, size_t count, arena *a);

/* ---- pruning (prune.c, project.c) ---- */
/* What is known of the values behind a bound pair. */
typedef struct ice__range {
    bool has_lower, has_upper;
    ice_value lower, upper; /* in the type of the transform's result */
    bool may_null;          /* false: known to hold no null */
    bool may_value;         /* false: known to hold nothing but nulls */
    bool may_nan;           /* false: known to hold no NaN */
    bool exact;             /* lower and upper are values that occur, not truncated ones */
} ice__range;
/* False where no value x whose transform lies in the range satisfies the leaf. `source` is the column's type. */
bool ice__range_may_match(const ice__range *range, const ice_transform *transform,
                          const ice_type *source, const ice_expr *leaf);
/* Values of comparable types in DuckDB's order: -0.0 equals 0.0, NaN above all. False where they do not compare. */
bool ice__compare_sql(const ice_value *x, const ice_value *y, int *ret_order);
const ice_transform *ice__identity(void);

/* A tree of leaves; `leaf` answers for one. */
typedef struct ice__verdict {
    ice_skip_reason reason;
    int32_t field_id; /* the column, ICE_NO_ID where there is none */
    str name;         /* the partition field that decided; STR_NULL else */
} ice__verdict;
bool ice__expr_may_match(const ice_expr *e,
                         bool (*leaf)(void *context, const ice_expr *leaf,
                                      ice__verdict *ret_verdict),
                         void *context, ice__verdict *ret_verdict);
/* A filter made ready for one table: what its leaves speak of, looked up once. */
typedef struct ice__filter ice__filter;
ice__filter *ice__filter_create(const ice_metadata *m, const ice_expr *expr, arena *a);
/* False where the summaries of the manifest prove that no file of it can match. */
bool ice__manifest_may_match(const ice__filter *filter, const ice_manifest *manifest,
                             ice__verdict *ret_verdict);
bool ice__file_may_match(const ice__filter *filter, const ice_file *file,
                         ice__verdict *ret_verdict);
bool ice__partition_may_match(const ice__filter *filter, const ice_file *file);
/* A column that the filter speaks of; NULL where it can tell nothing. */
typedef struct ice__filter_field {
    const ice_field *field;
    bool top_level; /* a column without a value count has as many values as the file has rows */
} ice__filter_field;
const ice__filter_field *ice__filter_column(const ice__filter *f, int32_t id);
const ice_expr *ice__filter_expr(const ice__filter *f);
const ice_spec *ice__filter_spec(const ice__filter *f, int32_t id); /* NULL where unknown */
/* The count of a column; -1 where it is not told. The arrays are sorted by field id. */
int64_t ice__find_count(const avro_int_long *items, size_t count, int32_t id);
str ice__find_bound(const avro_int_bytes *items, size_t count, int32_t id);
/* The constant in the column's own type, as transforms need it; false where it has no such form. */
bool ice__fit_constant(const ice_value *v, const ice_type *source, ice_value *ret_value);

/* ---- the strict projection (match.c) ---- */
/* True only where every row of the file satisfies the filter. */
bool ice__file_must_match(const ice__filter *filter, const ice_file *file);
/* The same by the partition alone, for delete files. */
bool ice__partition_must_match(const ice__filter *filter, const ice_file *file);

/* ---- delete files (deletes.c) ---- */
/* Which of the delete files `found` apply to which of the scan's data files: fills `deletes` and `applied`. CORRUPT
 * where manifests contradict each other. */
status ice__apply_deletes(const ice_metadata *m, const ice_file *found, size_t count, arena *a,
                          ice_scan *scan, error *err);

/* ---- manifests in memory (cache.c) ---- */
/* Of which columns the metrics of files are decoded. */
typedef struct ice__decode {
    bool all;
    const int32_t *ids; /* else of these, sorted */
    size_t count;
} ice__decode;
typedef struct ice__manifest_list {
    const ice_manifest *manifests;
    size_t count;
} ice__manifest_list;
typedef struct ice__entries {
    const ice_entry *entries;
    size_t count;
} ice__entries;
/* From the cache, else read through `st`. They stay valid as long as `a`. */
status ice__list_load(storage *st, const ice_metadata *m, const ice_snapshot *snapshot, arena *a,
                      ice__manifest_list *ret_list, error *err);
status ice__manifest_load(storage *st, const ice_metadata *m, const ice_manifest *manifest,
                          arena *a, ice__entries *ret_entries, error *err);
/* The same with the metrics of some columns, or of more. */
status ice__manifest_load_some(storage *st, const ice_metadata *m, const ice_manifest *manifest,
                               const ice__decode *decode, arena *a, ice__entries *ret_entries,
                               error *err);
/* Adds an entry to what the list tells of its manifest: files and rows of its status. */
void ice__manifest_count(ice_manifest *manifest, const ice_entry *entry);
/* Whether a load would read a file. */
bool ice__cache_has(const ice_metadata *m, const ice_manifest *manifest, const ice__decode *decode,
                    arena *a);
/* What was just written, so that it need not be read again. */
void ice__cache_put_list(str path, const ice_manifest *manifests, size_t count);

/* ---- manifests ---- */
/* ice_manifest_parse, with the metrics of some columns. Nothing of the result is a view into `bytes`. */
status ice__manifest_parse(str bytes, const ice_manifest *manifest, const ice_metadata *m,
                           const ice__decode *decode, arena *a, ice_entry **ret_entries,
                           size_t *ret_count, error *err);
/* Types of the partition fields of `spec`, sources looked for in every schema of the table. */
const ice_type *ice__spec_types(const ice_metadata *m, const ice_spec *spec, arena *a);

/* A deletion vector: a bitmap in a Puffin file. */
bool ice__is_vector(const ice_file *f);

/* ---- writing ---- */
#define ICE__UNASSIGNED INT64_C(-1) /* sequence number that the commit will give */
/* Bytes of the metadata file and where it belongs. */
status ice__metadata_render(const ice_metadata *m, int version, arena *a, str *ret_location,
                            str *ret_bytes, error *err);
str ice__metadata_folder(const ice_metadata *m, arena *a);

/* A new uuid. Where the location ends as those do that a catalog chooses for a table ("…-<12 hex digits>"), it ends
 * with the same ones, so that who finds the two together knows that they belong together. metadata_create.c */
void ice__uuid_at(str location, char ret_uuid[37]);

#endif
