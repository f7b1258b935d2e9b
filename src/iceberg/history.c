/* history.c: what table metadata remembers: snapshots, references, both logs, statistics. Shared by the builder and by
 * commits, so that there is one way to move "main". */
#include "builder.h"

#include <stdlib.h>

#include "tarn/base/clock.h"
#include "tarn/base/limits.h"

enum { DEFAULT_VERSIONS_MAX = 10 };

/* --- logs --- */

static bool is_true(const ice_metadata *m, const char *key)
{
    return !str_equal_nocase(ice_metadata_property(m, key, "true"), STR("false"));
}

/* Whatever a log says, nothing but versions of the metadata falls out of it. */
static bool is_metadata_file(str location)
{
    return str_ends_with(location, STR(".metadata.json")) ||
           str_ends_with(location, STR(".metadata.json.gz"));
}

void ice__log_metadata(ice_metadata *next, const ice_metadata *base, str base_location, arena *a,
                       ice__str_vec *obsolete)
{
    size_t versions_max = (size_t)ice_metadata_property_int(
        next, "write.metadata.previous-versions-max", DEFAULT_VERSIONS_MAX);
    size_t count = base->metadata_log_count;
    ice_log_entry *log = ARENA_ARRAY(a, ice_log_entry, count + 1);
    bool deletes =
        is_true(next, "write.metadata.delete-after-commit.enabled") && is_true(next, "gc.enabled");
    size_t start;

    for (size_t i = 0; i < count; i++) {
        log[i] = base->metadata_log[i];
    }
    if (base_location.size == 0) { /* a table that is only now to be: nothing was before it */
        next->metadata_log = log;
        next->metadata_log_count = count;
        return;
    }
    log[count++] = (ice_log_entry){.timestamp_ms = base->last_updated_ms,
                                   .snapshot_id = ICE_NO_SNAPSHOT,
                                   .metadata_file = base_location};
    versions_max = versions_max < 1 ? 1 : versions_max;
    start = count > versions_max ? count - versions_max : 0;
    for (size_t i = 0; deletes && i < start; i++) {
        if (is_metadata_file(log[i].metadata_file)) {
            vec_push(a, obsolete, log[i].metadata_file);
        }
    }
    next->metadata_log = log + start;
    next->metadata_log_count = count - start;
}

void ice__log_snapshot(ice_metadata *next, int64_t snapshot_id, int64_t timestamp_ms, arena *a)
{
    size_t count = next->snapshot_log_count;
    ice_log_entry *log = ARENA_ARRAY(a, ice_log_entry, count + 1);

    for (size_t i = 0; i < count; i++) {
        log[i] = next->snapshot_log[i];
    }
    log[count] = (ice_log_entry){
        .timestamp_ms = timestamp_ms, .snapshot_id = snapshot_id, .metadata_file = STR_NULL};
    next->snapshot_log = log;
    next->snapshot_log_count = count + 1;
}

/* --- references --- */

static size_t find_ref(const ice_metadata *m, str name)
{
    size_t i = 0;

    while (i < m->ref_count && !str_equal(m->refs[i].name, name)) {
        i++;
    }
    return i;
}

void ice__put_ref(ice_metadata *next, const ice_ref *ref, arena *a)
{
    ice_ref *refs = ARENA_ARRAY(a, ice_ref, next->ref_count + 1);
    size_t at = find_ref(next, ref->name);

    for (size_t i = 0; i < next->ref_count; i++) {
        refs[i] = next->refs[i];
    }
    next->ref_count += at == next->ref_count ? 1 : 0;
    refs[at] = *ref;
    next->refs = refs;
    if (str_equal(ref->name, STR("main"))) {
        next->current_snapshot_id = ref->snapshot_id;
    }
}

static status check_ref(const ice_builder *b, const ice_ref *ref, error *err)
{
    size_t at = find_ref(&b->now, ref->name);

    if (ref->name.size == 0) {
        return error_set(err, STATUS_INVALID, "a reference has an empty name");
    }
    if (str_find_char(ref->name, '\0') != STR_NPOS) {
        return error_set(err, STATUS_INVALID, "the name of a reference has a NUL");
    }
    if (ref->is_tag && str_equal(ref->name, STR("main"))) {
        return error_set(err, STATUS_INVALID, "\"main\" is a branch, never a tag");
    }
    if (at < b->now.ref_count && b->now.refs[at].is_tag != ref->is_tag) {
        return error_set(err, STATUS_INVALID, "reference \"%.*s\" is a %s, not a %s",
                         STR_ARG(ref->name), ref->is_tag ? "branch" : "tag",
                         ref->is_tag ? "tag" : "branch");
    }
    if (ref->is_tag && (ref->max_snapshot_age_ms >= 0 || ref->min_snapshots_to_keep >= 0)) {
        return error_set(err, STATUS_INVALID,
                         "tag \"%.*s\" keeps one snapshot: only its own age can be limited",
                         STR_ARG(ref->name));
    }
    if (ref->min_snapshots_to_keep == 0 || ref->max_snapshot_age_ms == 0 ||
        ref->max_ref_age_ms == 0) {
        return error_set(err, STATUS_INVALID,
                         "reference \"%.*s\": what is kept must be more than nothing",
                         STR_ARG(ref->name));
    }
    if (ice_metadata_snapshot_by_id(&b->now, ref->snapshot_id) == NULL) {
        return error_set(err, STATUS_NO_SNAPSHOT, "snapshot %lld does not exist",
                         (long long)ref->snapshot_id);
    }
    return STATUS_OK;
}

/* Readers refuse a history that ends more than a minute later than the table was last changed, by clocks of their own:
 * half of it is for the writer's clock, half is left for theirs (TableMetadata and PyIceberg: ONE_MINUTE). */
#define SKEW_LOGGED_MAX_MS 30000

/* When it was committed, as far as the table's own times go: its own time, unless the writer's clock is far ahead. */
static int64_t time_of_snapshot(const ice_snapshot *s)
{
    int64_t now_ms = clock_now_ms();

    return s->timestamp_ms <= now_ms + SKEW_LOGGED_MAX_MS ? s->timestamp_ms : now_ms;
}

/* When a snapshot becomes current: its own time where this change brings it, now where it was there before. */
static int64_t time_of_move(const ice_builder *b, int64_t snapshot_id)
{
    const ice_snapshot *s = ice_metadata_snapshot_by_id(&b->now, snapshot_id);
    bool is_new = ice_metadata_snapshot_by_id(b->base, snapshot_id) == NULL;
    int64_t now_ms = is_new ? time_of_snapshot(s) : clock_now_ms();

    return now_ms > b->now.last_updated_ms ? now_ms : b->now.last_updated_ms;
}

status ice_builder_set_ref(ice_builder *b, const ice_ref *ref, error *err)
{
    ice_ref copy = *ref;
    bool moves =
        str_equal(ref->name, STR("main")) && b->now.current_snapshot_id != ref->snapshot_id;

    TRY(check_ref(b, ref, err));
    copy.name = str_copy(b->memory, ref->name);
    if (moves) {
        b->now.last_updated_ms = time_of_move(b, ref->snapshot_id);
        ice__log_snapshot(&b->now, ref->snapshot_id, b->now.last_updated_ms, b->memory);
    }
    ice__put_ref(&b->now, &copy, b->memory);
    return STATUS_OK;
}

static void drop_refs(ice_builder *b, bool (*goes)(const ice_builder *b, const ice_ref *ref, str),
                      str name)
{
    ice_ref *refs = ARENA_ARRAY(b->memory, ice_ref, b->now.ref_count);
    size_t count = 0;

    for (size_t i = 0; i < b->now.ref_count; i++) {
        if (!goes(b, &b->now.refs[i], name)) {
            refs[count++] = b->now.refs[i];
        }
    }
    b->now.refs = refs;
    b->now.ref_count = count;
}

static bool has_name(const ice_builder *b, const ice_ref *ref, str name)
{
    (void)b;
    return str_equal(ref->name, name);
}

static bool dangles(const ice_builder *b, const ice_ref *ref, str name)
{
    (void)name;
    return ice_metadata_snapshot_by_id(&b->now, ref->snapshot_id) == NULL;
}

status ice_builder_remove_ref(ice_builder *b, str name, error *err)
{
    if (str_equal(name, STR("main"))) {
        return error_set(err, STATUS_INVALID, "branch \"main\" cannot be dropped");
    }
    if (find_ref(&b->now, name) == b->now.ref_count) {
        str *names = ARENA_ARRAY(b->memory, str, b->now.ref_count);
        str nearest;

        for (size_t i = 0; i < b->now.ref_count; i++) {
            names[i] = b->now.refs[i].name;
        }
        nearest = str_nearest(name, names, b->now.ref_count);
        error_set(err, STATUS_NO_SNAPSHOT, "branch or tag \"%.*s\" does not exist", STR_ARG(name));
        if (!str_is_null(nearest)) {
            error_hint(err, "Did you mean \"%.*s\"?", STR_ARG(nearest));
        }
        return STATUS_NO_SNAPSHOT;
    }
    drop_refs(b, has_name, name);
    return STATUS_OK;
}

/* --- snapshots --- */

static status check_snapshot(const ice_builder *b, const ice_snapshot *s, error *err)
{
    const ice_metadata *m = &b->now;

    if (s->id <= 0) {
        return error_set(err, STATUS_INVALID, "snapshot id %lld is not above 0", (long long)s->id);
    }
    if (ice_metadata_snapshot_by_id(m, s->id) != NULL) {
        return error_set(err, STATUS_EXISTS, "snapshot %lld exists already", (long long)s->id);
    }
    if (m->format_version > 1 && s->sequence_number <= m->last_sequence_number &&
        s->parent_id != ICE_NO_SNAPSHOT) {
        return error_set(err, STATUS_INVALID,
                         "snapshot %lld has sequence number %lld, which is not above the table's "
                         "last one, %lld",
                         (long long)s->id, (long long)s->sequence_number,
                         (long long)m->last_sequence_number);
    }
    if (m->format_version > 2 && s->first_row_id != ICE_NO_ROW_ID &&
        s->first_row_id < m->next_row_id) {
        return error_set(err, STATUS_INVALID,
                         "snapshot %lld begins with row id %lld, which is given already",
                         (long long)s->id, (long long)s->first_row_id);
    }
    if (m->format_version > 2 && (s->first_row_id == ICE_NO_ROW_ID || s->added_rows < 0)) {
        return error_set(err, STATUS_INVALID,
                         "snapshot %lld lacks \"first-row-id\" or \"added-rows\", which format "
                         "version 3 wants",
                         (long long)s->id);
    }
    return STATUS_OK;
}

/* The list of snapshots, with a place behind the last: some commits bring hundreds. */
static ice_snapshot *room_for_snapshot(ice_builder *b)
{
    size_t count = b->now.snapshot_count;

    if (b->snapshots == NULL || b->now.snapshots != b->snapshots || count == b->snapshot_room) {
        ice_snapshot *list = ARENA_ARRAY(b->memory, ice_snapshot, count + count / 2 + 1);

        for (size_t i = 0; i < count; i++) {
            list[i] = b->now.snapshots[i];
        }
        b->snapshots = list;
        b->snapshot_room = count + count / 2 + 1;
    }
    return b->snapshots;
}

status ice_builder_add_snapshot(ice_builder *b, const ice_snapshot *snapshot, error *err)
{
    ice_metadata *m = &b->now;
    ice_snapshot *list;
    int64_t time_ms;

    TRY(check_snapshot(b, snapshot, err));
    list = room_for_snapshot(b);
    list[m->snapshot_count++] = *snapshot;
    m->snapshots = list;
    m->last_sequence_number = snapshot->sequence_number > m->last_sequence_number
                                  ? snapshot->sequence_number
                                  : m->last_sequence_number;
    time_ms = time_of_snapshot(snapshot);
    m->last_updated_ms = time_ms > m->last_updated_ms ? time_ms : m->last_updated_ms;
    if (m->format_version > 2) {
        m->next_row_id = ice__sum(snapshot->first_row_id, snapshot->added_rows);
    }
    return STATUS_OK;
}

static int compare_ids(const void *x, const void *y)
{
    int64_t a = *(const int64_t *)x, b = *(const int64_t *)y;

    return a < b ? -1 : a > b;
}

/* `ids` are sorted: thousands of snapshots expire at once. */
static bool is_one_of(int64_t id, const int64_t *ids, size_t count)
{
    return count > 0 && bsearch(&id, ids, count, sizeof(*ids), compare_ids) != NULL;
}

static const int64_t *sort_ids(const int64_t *ids, size_t count, arena *a)
{
    int64_t *sorted = ARENA_ARRAY(a, int64_t, count);

    if (count > 0) {
        memcpy(sorted, ids, count * sizeof(*sorted));
        qsort(sorted, count, sizeof(*sorted), compare_ids);
    }
    return sorted;
}

void ice_builder_remove_snapshots(ice_builder *b, const int64_t *ids, size_t count)
{
    ice_metadata *m = &b->now;
    ice_snapshot *list = ARENA_ARRAY(b->memory, ice_snapshot, m->snapshot_count);
    size_t kept = 0;
    size_t start = 0;

    ids = sort_ids(ids, count, b->memory);
    for (size_t i = 0; i < m->snapshot_count; i++) {
        if (!is_one_of(m->snapshots[i].id, ids, count)) {
            list[kept++] = m->snapshots[i];
        }
    }
    m->snapshots = list;
    m->snapshot_count = kept;
    /* Time travel must not answer from a history with holes: the log begins behind the last one that went. */
    for (size_t i = 0; i < m->snapshot_log_count; i++) {
        start = is_one_of(m->snapshot_log[i].snapshot_id, ids, count) ? i + 1 : start;
    }
    m->snapshot_log += start;
    m->snapshot_log_count -= start;
    if (is_one_of(m->current_snapshot_id, ids, count)) {
        m->current_snapshot_id = ICE_NO_SNAPSHOT;
    }
    drop_refs(b, dangles, STR_NULL);
    ice__drop_statistics(m, ids, count, b->memory, NULL);
}

/* --- statistics: kept as the JSON they came in, since nobody but their reader needs the inside --- */

static const char *const statistics_lists[] = {"statistics", "partition-statistics"};

static void put_list(ice_metadata *m, const char *key, str text, arena *a)
{
    ice_property *list = ARENA_ARRAY(a, ice_property, m->unknown_count + 1);
    size_t count = 0;
    bool placed = false;

    for (size_t i = 0; i < m->unknown_count; i++) {
        list[count] = m->unknown[i];
        if (str_equal(list[count].key, str_c(key))) {
            list[count].value = text;
            placed = true;
        }
        count++;
    }
    if (!placed) {
        list[count++] = (ice_property){.key = str_c(key), .value = text};
    }
    m->unknown = list;
    m->unknown_count = count;
}

static const json *get_list(const ice_metadata *m, const char *key, arena *a)
{
    const json *list = NULL;

    for (size_t i = 0; i < m->unknown_count; i++) {
        if (str_equal(m->unknown[i].key, str_c(key))) {
            return json_parse(m->unknown[i].value, a, &list, NULL) == STATUS_OK ? list : NULL;
        }
    }
    return NULL;
}

/* Statistics lie among the metadata, and are none of its manifests and versions: another file is not theirs, whatever
 * an entry says. */
static bool is_statistics_file(const ice_metadata *m, str path, arena *a)
{
    return ice_lies_below(path, ice__metadata_folder(m, a)) && !str_ends_with(path, STR(".avro")) &&
           !str_ends_with(path, STR(".json"));
}

/* No path, or one that another entry has too: its file stays. */
static bool is_shared(const json *list, size_t index)
{
    str path = json_str_or(json_get(json_at(list, index), "statistics-path"), STR_NULL);

    for (size_t i = 0; i < json_count(list); i++) {
        if (i != index &&
            str_equal(json_str_or(json_get(json_at(list, i), "statistics-path"), STR_NULL), path)) {
            return true;
        }
    }
    return path.size == 0;
}

/* The list without the entries of these snapshots, and with `more` (may be NULL) behind it. */
static void edit_list(ice_metadata *m, const char *key, const int64_t *ids, size_t count,
                      const json *more, arena *a, ice__str_vec *obsolete)
{
    const json *list = get_list(m, key, a);
    buf *text = buf_in(a, LIMIT_METADATA_FILE);
    bool changes = more != NULL;
    json_writer w;

    json_writer_init(&w, text);
    json_begin_array(&w);
    for (size_t i = 0; i < json_count(list); i++) {
        const json *entry = json_at(list, i);

        if (!is_one_of(json_int64_or(json_get(entry, "snapshot-id"), ICE_NO_SNAPSHOT), ids,
                       count)) {
            json_put_value(&w, entry);
            continue;
        }
        changes = true;
        if (obsolete != NULL && !is_shared(list, i)) {
            str path = json_str_or(json_get(entry, "statistics-path"), STR_NULL);

            if (is_statistics_file(m, path, a)) {
                vec_push(a, obsolete, path);
            }
        }
    }
    if (more != NULL) {
        json_put_value(&w, more);
    }
    json_end_array(&w);
    if (changes) {
        put_list(m, key, buf_str(text), a);
    }
}

void ice__drop_statistics(ice_metadata *next, const int64_t *ids, size_t count, arena *a,
                          ice__str_vec *obsolete)
{
    ids = sort_ids(ids, count, a);
    for (size_t i = 0; i < COUNT_OF(statistics_lists); i++) {
        edit_list(next, statistics_lists[i], ids, count, NULL, a, obsolete);
    }
}

static status set_entry(ice_builder *b, const char *key, const json *entry, ice__str_vec *obsolete,
                        error *err)
{
    int64_t id = json_int64_or(json_get(entry, "snapshot-id"), ICE_NO_SNAPSHOT);

    if (json_str_or(json_get(entry, "statistics-path"), STR_NULL).size == 0 ||
        json_kind_of(json_get(entry, "file-size-in-bytes")) != JSON_INT64) {
        return error_set(err, STATUS_INVALID,
                         "an entry of \"%s\" needs \"statistics-path\" and \"file-size-in-bytes\"",
                         key);
    }
    if (ice_metadata_snapshot_by_id(&b->now, id) == NULL) {
        return error_set(err, STATUS_NO_SNAPSHOT, "snapshot %lld of \"%s\" does not exist",
                         (long long)id, key);
    }
    edit_list(&b->now, key, &id, 1, entry, b->memory, obsolete);
    return STATUS_OK;
}

status ice_builder_set_statistics(ice_builder *b, const json *entry, error *err)
{
    return set_entry(b, statistics_lists[0], entry, NULL, err);
}

status ice_builder_set_partition_statistics(ice_builder *b, const json *entry, error *err)
{
    return set_entry(b, statistics_lists[1], entry, NULL, err);
}

status ice__builder_renew_statistics(ice_builder *b, const json *entry, error *err)
{
    return set_entry(b, statistics_lists[0], entry,
                     is_true(&b->now, "gc.enabled") ? &b->obsolete : NULL, err);
}

void ice__builder_drop_statistics(ice_builder *b, size_t list, const int64_t *ids, size_t count)
{
    if (count > 0) {
        edit_list(&b->now, statistics_lists[list], sort_ids(ids, count, b->memory), count, NULL,
                  b->memory, NULL);
    }
}

void ice_builder_remove_statistics(ice_builder *b, int64_t snapshot_id)
{
    edit_list(&b->now, statistics_lists[0], &snapshot_id, 1, NULL, b->memory, NULL);
}
