/* validate.c: who may have come between the snapshot that a change was computed from and the table's present one.
 *
 * Looked at are the snapshots in between whose operation is among a rule's, and of each the entries that it added
 * or deleted itself. `rules` is the whole of it: snapshot isolation keeps what a change replaces as it was read,
 * serializable isolation also what it did not find.
 * Source: Iceberg specification, "Optimistic concurrency"; the reference implementation's MergingSnapshotProducer,
 * BaseOverwriteFiles, BaseReplacePartitions, BaseRowDelta, BaseRewriteFiles. */
#include "removal.h"

#define AN(operation) (1u << (operation))
#define PATH_FIELD_ID 2147483546

typedef enum rule_kind {
    ADDED_DATA,       /* data files in the change's scope were added */
    REMOVED_DATA,     /* … were removed */
    ADDED_DELETES,    /* delete files in its scope were added */
    FILES_GONE,       /* files that it lists, or adds deletes to, were removed */
    DELETES_ON_FILES, /* deletes that apply to files which it lists were added */
    VECTORS,          /* a deletion vector for the same data file was added */
} rule_kind;

typedef enum rule_when { ALWAYS, SERIALIZABLE, WITH_DATA } rule_when;

/* clang-format off */
static const struct {
    ice_overwrite_kind kind;
    rule_when when; /* WITH_DATA: the change adds data files */
    rule_kind rule;
    unsigned operations;
} rules[] = {
    {ICE_OVERWRITE_FILES,      ALWAYS,       FILES_GONE,       AN(ICE_OVERWRITE) | AN(ICE_REPLACE) | AN(ICE_DELETE)},
    {ICE_OVERWRITE_FILES,      ALWAYS,       DELETES_ON_FILES, AN(ICE_OVERWRITE) | AN(ICE_DELETE)},
    {ICE_OVERWRITE_FILES,      SERIALIZABLE, ADDED_DATA,       AN(ICE_APPEND) | AN(ICE_OVERWRITE)},
    {ICE_OVERWRITE_FILTER,     ALWAYS,       ADDED_DELETES,    AN(ICE_OVERWRITE) | AN(ICE_DELETE)},
    {ICE_OVERWRITE_FILTER,     ALWAYS,       REMOVED_DATA,     AN(ICE_OVERWRITE) | AN(ICE_REPLACE) | AN(ICE_DELETE)},
    {ICE_OVERWRITE_FILTER,     ALWAYS,       FILES_GONE,       AN(ICE_OVERWRITE) | AN(ICE_REPLACE) | AN(ICE_DELETE)},
    {ICE_OVERWRITE_FILTER,     ALWAYS,       DELETES_ON_FILES, AN(ICE_OVERWRITE) | AN(ICE_DELETE)},
    {ICE_OVERWRITE_FILTER,     SERIALIZABLE, ADDED_DATA,       AN(ICE_APPEND) | AN(ICE_OVERWRITE)},
    {ICE_OVERWRITE_PARTITIONS, ALWAYS,       ADDED_DELETES,    AN(ICE_OVERWRITE) | AN(ICE_DELETE)},
    {ICE_OVERWRITE_PARTITIONS, ALWAYS,       REMOVED_DATA,     AN(ICE_OVERWRITE) | AN(ICE_REPLACE) | AN(ICE_DELETE)},
    {ICE_OVERWRITE_PARTITIONS, SERIALIZABLE, ADDED_DATA,       AN(ICE_APPEND) | AN(ICE_OVERWRITE)},
    {ICE_ROW_DELTA,            ALWAYS,       FILES_GONE,       AN(ICE_OVERWRITE) | AN(ICE_REPLACE)},
    {ICE_ROW_DELTA,            WITH_DATA,    FILES_GONE,       AN(ICE_DELETE)},
    {ICE_ROW_DELTA,            WITH_DATA,    ADDED_DELETES,    AN(ICE_OVERWRITE) | AN(ICE_DELETE)},
    {ICE_ROW_DELTA,            SERIALIZABLE, ADDED_DATA,       AN(ICE_APPEND) | AN(ICE_OVERWRITE)},
    {ICE_ROW_DELTA,            ALWAYS,       VECTORS,          AN(ICE_OVERWRITE) | AN(ICE_DELETE) | AN(ICE_REPLACE)},
    {ICE_REWRITE,              ALWAYS,       FILES_GONE,       AN(ICE_OVERWRITE) | AN(ICE_REPLACE) | AN(ICE_DELETE)},
    {ICE_REWRITE,              ALWAYS,       DELETES_ON_FILES, AN(ICE_OVERWRITE) | AN(ICE_DELETE)},
};
/* clang-format on */

/* What came between did what, and why that matters. */
static const struct {
    const char *did, *why;
} reasons[] = {
    [ADDED_DATA] = {"added data file", "may hold rows that this change depends on"},
    [REMOVED_DATA] = {"removed data file", "this change would replace"},
    [ADDED_DELETES] = {"added delete file", "may delete rows that this change would replace"},
    [FILES_GONE] = {"removed file", "this change needs"},
    [DELETES_ON_FILES] = {"added delete file",
                          "deletes rows of files that this change would replace"},
    [VECTORS] = {"added a deletion vector of data file", "this change adds one of too"},
};

typedef VEC(const ice_snapshot *) snapshot_vec;

typedef struct validation {
    const ice__removal *r;
    const ice_snapshot *snapshot; /* that is looked at */
    map *watched;                 /* keys and paths of files that the change needs */
    bool with_data;
} validation;

static char present; /* what sets hold */

/* --- history --- */

static status unreachable(const ice__removal *r, error *err)
{
    int64_t id = r->overwrite->read_snapshot_id;
    bool known = ice_metadata_snapshot_by_id(r->change->base, id) != NULL;

    error_set(err, STATUS_CONFLICT, "snapshot %lld, which this change was computed from, %s",
              (long long)id,
              known || id == ICE_NO_SNAPSHOT
                  ? "is no ancestor of the present one: the table was rolled back or replaced"
                  : "has expired");
    error_hint(err, "Run the statement again: it will read the table as it is now.");
    return STATUS_CONFLICT;
}

static bool is_own(const ice__removal *r, int64_t id)
{
    for (size_t i = 0; i < r->overwrite->own_count; i++) {
        if (r->overwrite->own[i] == id) {
            return true;
        }
    }
    return false;
}

/* Snapshots of others since the one that was read, newest first. */
static status find_history(const ice__removal *r, snapshot_vec *ret_history, error *err)
{
    const ice_snapshot *s = r->head;
    int64_t id = s != NULL ? s->id : ICE_NO_SNAPSHOT;
    size_t looked = 0;

    while (id != r->overwrite->read_snapshot_id) {
        if (s == NULL || ++looked > r->change->base->snapshot_count) {
            return unreachable(r, err);
        }
        if (!is_own(r, s->id)) {
            vec_push(r->change->memory, ret_history, s);
        }
        id = s->parent_id;
        s = ice_metadata_snapshot_by_id(r->change->base, id);
    }
    return STATUS_OK;
}

/* --- single rules --- */

static bool data_in_scope(const ice__removal *r, const ice_file *f)
{
    ice__verdict verdict;

    if (r->overwrite->kind == ICE_OVERWRITE_PARTITIONS) {
        return r->partitions == NULL ||
               map_has(r->partitions, ice_file_partition_key(f, r->change->memory));
    }
    return r->filter == NULL || ice__file_may_match(r->filter, f, &verdict);
}

static bool deletes_in_scope(const ice__removal *r, const ice_file *f)
{
    if (r->overwrite->kind == ICE_OVERWRITE_PARTITIONS) {
        return data_in_scope(r, f);
    }
    return r->filter == NULL || ice__partition_may_match(r->filter, f);
}

/* The one data file that position deletes speak of; STR_NULL where they may speak of several. */
static str referenced_file(const ice_file *f)
{
    str lower;
    str upper;

    if (!str_is_null(f->referenced_data_file) || f->content != ICE_POSITION_DELETES) {
        return f->referenced_data_file;
    }
    lower = ice__find_bound(f->lower_bounds, f->lower_bound_count, PATH_FIELD_ID);
    upper = ice__find_bound(f->upper_bounds, f->upper_bound_count, PATH_FIELD_ID);
    return !str_is_null(lower) && str_equal(lower, upper) ? lower : STR_NULL;
}

/* Specification, "Scan planning": positions apply from their own sequence number on, equality deletes to what is
 * strictly older; both within their partition, equality deletes of an unpartitioned spec everywhere. */
static bool applies(const ice__removal *r, const ice_file *deletes, const ice_file *data)
{
    const ice_spec *spec = ice_metadata_spec_by_id(r->change->base, deletes->spec_id);
    str reference = referenced_file(deletes);
    arena *a = r->change->memory;

    if (!str_is_null(reference)) {
        return str_equal(reference, data->path);
    }
    if (deletes->content == ICE_EQUALITY_DELETES && data->data_sequence >= deletes->data_sequence) {
        return false;
    }
    if (deletes->content == ICE_EQUALITY_DELETES && spec != NULL && spec->field_count == 0) {
        return true;
    }
    return data->data_sequence <= deletes->data_sequence &&
           str_equal(ice_file_partition_key(deletes, a), ice_file_partition_key(data, a));
}

static bool is_listed(const ice__removal *r, const ice_file *f)
{
    return map_has(r->listed, ice__file_key(f, r->change->memory));
}

static bool deletes_on_files(const ice__removal *r, const ice_file *deletes)
{
    /* Rows that keep their sequence number are deleted by equality as before. */
    if (r->overwrite->keep_sequence && deletes->content == ICE_EQUALITY_DELETES) {
        return false;
    }
    for (size_t i = 0; i < r->files.count; i++) {
        const ice_file *f = r->files.items[i];

        if (f->content == ICE_DATA && is_listed(r, f) && applies(r, deletes, f)) {
            return true;
        }
    }
    return false;
}

static bool adds_vector_for(const ice__removal *r, str path)
{
    for (size_t i = 0; i < r->overwrite->added_count; i++) {
        const ice_file *f = &r->overwrite->added[i];

        if (ice__is_vector(f) && str_equal(f->referenced_data_file, path)) {
            return true;
        }
    }
    return false;
}

static bool forbids(const validation *v, rule_kind rule, const ice_entry *entry)
{
    const ice_file *f = &entry->file;
    bool added = entry->status == ICE_ADDED;
    bool data = f->content == ICE_DATA;

    switch (rule) {
    case ADDED_DATA:
        return added && data && data_in_scope(v->r, f);
    case REMOVED_DATA:
        return !added && data && data_in_scope(v->r, f);
    case ADDED_DELETES:
        return added && !data && deletes_in_scope(v->r, f);
    case FILES_GONE:
        return !added && map_has(v->watched, ice__file_key(f, v->r->change->memory));
    case DELETES_ON_FILES:
        return added && !data && deletes_on_files(v->r, f);
    case VECTORS:
        return added && ice__is_vector(f) && adds_vector_for(v->r, f->referenced_data_file);
    }
    return false;
}

/* --- all rules --- */

static status refuse(const validation *v, rule_kind rule, const ice_file *f, error *err)
{
    const char *name = ice_operation_name(v->snapshot->operation);
    bool vowel = name[0] == 'a' || name[0] == 'o';
    str path = rule == VECTORS ? f->referenced_data_file : f->path;

    error_set(err, STATUS_CONFLICT, "%s %s (snapshot %lld) came between: it %s \"%.*s\", which %s",
              vowel ? "an" : "a", name, (long long)v->snapshot->id, reasons[rule].did,
              STR_ARG(path), reasons[rule].why);
    error_hint(err, "Run the statement again: it will read the table as it is now.");
    return STATUS_CONFLICT;
}

static bool is_due(const validation *v, size_t rule)
{
    const ice_overwrite *o = v->r->overwrite;

    if (rules[rule].kind != o->kind || (rules[rule].operations & AN(v->snapshot->operation)) == 0) {
        return false;
    }
    switch (rules[rule].when) {
    case SERIALIZABLE:
        return o->isolation == ICE_SERIALIZABLE;
    case WITH_DATA:
        return v->with_data;
    default:
        return true;
    }
}

static status check_entry(const validation *v, const ice_entry *entry, error *err)
{
    if (entry->status == ICE_EXISTING || entry->file.snapshot_id != v->snapshot->id) {
        return STATUS_OK;
    }
    for (size_t i = 0; i < COUNT_OF(rules); i++) {
        if (is_due(v, i) && forbids(v, rules[i].rule, entry)) {
            return refuse(v, rules[i].rule, &entry->file, err);
        }
    }
    return STATUS_OK;
}

static status check_snapshot(const validation *v, error *err)
{
    const ice__change *c = v->r->change;
    ice__manifest_list list;
    bool due = false;

    for (size_t i = 0; i < COUNT_OF(rules); i++) {
        due = due || is_due(v, i);
    }
    if (!due) {
        return STATUS_OK;
    }
    TRY(ice__list_load(c->storage, c->base, v->snapshot, c->memory, &list, err));
    for (size_t i = 0; i < list.count; i++) {
        ice__entries entries;

        if (list.manifests[i].added_snapshot_id != v->snapshot->id) {
            continue;
        }
        TRY(ice__manifest_load(c->storage, c->base, &list.manifests[i], c->memory, &entries, err));
        for (size_t k = 0; k < entries.count; k++) {
            TRY(check_entry(v, &entries.entries[k], err));
        }
    }
    return STATUS_OK;
}

/* What the change cannot do without. */
static map *find_watched(const ice__removal *r)
{
    const ice_overwrite *o = r->overwrite;
    arena *a = r->change->memory;
    map *watched = map_create(a);

    for (size_t i = 0; i < o->removed_count; i++) {
        (void)map_set(watched, ice__file_key(&o->removed[i], a), &present);
    }
    for (size_t i = 0; i < o->added_count; i++) {
        str reference = o->added[i].content == ICE_DATA ? STR_NULL : referenced_file(&o->added[i]);

        if (!str_is_null(reference)) {
            (void)map_set(watched, reference, &present);
        }
    }
    for (size_t i = 0; i < o->referenced_count; i++) {
        (void)map_set(watched, o->referenced[i], &present);
    }
    return watched;
}

status ice__validate(const ice__removal *r, error *err)
{
    validation v = {.r = r, .watched = find_watched(r)};
    snapshot_vec history = {0};

    for (size_t i = 0; i < r->overwrite->added_count; i++) {
        v.with_data = v.with_data || r->overwrite->added[i].content == ICE_DATA;
    }
    TRY(find_history(r, &history, err));
    for (size_t i = history.count; i > 0; i--) { /* who came first is named */
        v.snapshot = history.items[i - 1];
        TRY(check_snapshot(&v, err));
    }
    return STATUS_OK;
}
