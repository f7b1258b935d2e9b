/* What a commit did to a table, told from the metadata before and after it: for the event that it leaves. Writers of
 * all doors move metadata in ways of their own; what changed is the same for whoever reads of it. */
#include "tarn/base/limits.h"
#include "tarn/base/map.h"
#include "tarn/base/vec.h"
#include "tarn/catalog/event.h"

#include "internal.h"

#define OPERATION_COUNT (ICE_DELETE + 1)
/* More references than these are not named. */
#define REFS_MAX 32

typedef struct description {
    const ice_metadata *before, *after;
    arena *a;
    bool operations[OPERATION_COUNT];
    bool updates[COMMIT_UPDATE_COUNT];
    VEC(str) refs;
    int64_t added_id; /* the last snapshot that came, and that a reference was set to */
    int64_t set_id;
    bool main_moved;
} description;

/* ---- snapshots ---- */

static str key_of(const ice_snapshot *snapshot)
{
    return (str){.data = (const char *)&snapshot->id, .size = sizeof(snapshot->id)};
}

/* Which of `of` are not in `in`; the first `same` of both are the same. */
static void find_new(description *d, const ice_metadata *of, const ice_metadata *in, size_t same,
                     void (*tell)(description *d, const ice_snapshot *snapshot))
{
    if (same == of->snapshot_count) {
        return;
    }
    map *known = map_create(d->a);

    for (size_t i = same; i < in->snapshot_count; i++) {
        (void)map_set(known, key_of(&in->snapshots[i]), d);
    }
    for (size_t i = same; i < of->snapshot_count; i++) {
        if (!map_has(known, key_of(&of->snapshots[i]))) {
            tell(d, &of->snapshots[i]);
        }
    }
}

static void tell_added(description *d, const ice_snapshot *snapshot)
{
    d->updates[COMMIT_ADD_SNAPSHOT] = true;
    d->operations[snapshot->operation] = true;
    d->added_id = snapshot->id;
}

static void tell_removed(description *d, const ice_snapshot *snapshot)
{
    (void)snapshot;
    d->updates[COMMIT_REMOVE_SNAPSHOTS] = true;
}

static void compare_snapshots(description *d)
{
    const ice_metadata *b = d->before, *n = d->after;
    size_t same = 0;

    while (same < b->snapshot_count && same < n->snapshot_count &&
           b->snapshots[same].id == n->snapshots[same].id) {
        same++;
    }
    find_new(d, n, b, same, tell_added);
    find_new(d, b, n, same, tell_removed);
}

/* ---- references ---- */

static const ice_ref *find_ref(const ice_metadata *m, str name, size_t guess)
{
    if (guess < m->ref_count && str_equal(m->refs[guess].name, name)) {
        return &m->refs[guess];
    }
    for (size_t i = 0; i < m->ref_count; i++) {
        if (str_equal(m->refs[i].name, name)) {
            return &m->refs[i];
        }
    }
    return NULL;
}

static bool is_same_ref(const ice_ref *x, const ice_ref *y)
{
    return x->snapshot_id == y->snapshot_id && x->is_tag == y->is_tag &&
           x->max_ref_age_ms == y->max_ref_age_ms &&
           x->max_snapshot_age_ms == y->max_snapshot_age_ms &&
           x->min_snapshots_to_keep == y->min_snapshots_to_keep;
}

static void name_ref(description *d, str name)
{
    if (d->refs.count < REFS_MAX) {
        vec_push(d->a, &d->refs, name);
    }
}

static void compare_refs(description *d)
{
    for (size_t i = 0; i < d->after->ref_count; i++) {
        const ice_ref *now = &d->after->refs[i];
        const ice_ref *was = find_ref(d->before, now->name, i);

        if (was == NULL || !is_same_ref(was, now)) {
            d->updates[COMMIT_SET_REF] = true;
            d->main_moved = d->main_moved || str_equal(now->name, STR("main"));
            d->set_id = now->snapshot_id;
            name_ref(d, now->name);
        }
    }
    for (size_t i = 0; i < d->before->ref_count; i++) {
        if (find_ref(d->after, d->before->refs[i].name, i) == NULL) {
            d->updates[COMMIT_REMOVE_REF] = true;
            name_ref(d, d->before->refs[i].name);
        }
    }
}

/* ---- all else ---- */

static str value_of(const ice_property *list, size_t count, str key, size_t guess)
{
    if (guess < count && str_equal(list[guess].key, key)) {
        return list[guess].value;
    }
    for (size_t i = 0; i < count; i++) {
        if (str_equal(list[i].key, key)) {
            return list[i].value;
        }
    }
    return STR_NULL;
}

static void compare_properties(description *d)
{
    const ice_metadata *b = d->before, *n = d->after;

    for (size_t i = 0; i < n->property_count; i++) {
        str was = value_of(b->properties, b->property_count, n->properties[i].key, i);
        d->updates[COMMIT_SET_PROPERTIES] |=
            str_is_null(was) || !str_equal(was, n->properties[i].value);
    }
    for (size_t i = 0; i < b->property_count; i++) {
        d->updates[COMMIT_REMOVE_PROPERTIES] |=
            str_is_null(value_of(n->properties, n->property_count, b->properties[i].key, i));
    }
}

/* Ids only grow. */
static bool has_new_schema(const ice_metadata *b, const ice_metadata *n)
{
    int32_t most = -1;

    for (size_t i = 0; i < b->schema_count; i++) {
        most = b->schemas[i].id > most ? b->schemas[i].id : most;
    }
    for (size_t i = 0; i < n->schema_count; i++) {
        if (n->schemas[i].id > most) {
            return true;
        }
    }
    return false;
}

static bool has_new_spec(const ice_metadata *b, const ice_metadata *n)
{
    int32_t most = -1;

    for (size_t i = 0; i < b->spec_count; i++) {
        most = b->specs[i].id > most ? b->specs[i].id : most;
    }
    for (size_t i = 0; i < n->spec_count; i++) {
        if (n->specs[i].id > most) {
            return true;
        }
    }
    return false;
}

static bool has_new_order(const ice_metadata *b, const ice_metadata *n)
{
    int32_t most = -1;

    for (size_t i = 0; i < b->order_count; i++) {
        most = b->orders[i].id > most ? b->orders[i].id : most;
    }
    for (size_t i = 0; i < n->order_count; i++) {
        if (n->orders[i].id > most) {
            return true;
        }
    }
    return false;
}

static bool differs_in(const ice_metadata *b, const ice_metadata *n, str member)
{
    return !str_equal(value_of(b->unknown, b->unknown_count, member, 0),
                      value_of(n->unknown, n->unknown_count, member, 0));
}

static void compare_rest(description *d)
{
    const ice_metadata *b = d->before, *n = d->after;

    d->updates[COMMIT_ASSIGN_UUID] = !str_equal(b->uuid, n->uuid);
    d->updates[COMMIT_UPGRADE] = b->format_version != n->format_version;
    d->updates[COMMIT_ADD_SCHEMA] = has_new_schema(b, n);
    d->updates[COMMIT_SET_SCHEMA] = b->current_schema_id != n->current_schema_id;
    d->updates[COMMIT_ADD_SPEC] = has_new_spec(b, n);
    d->updates[COMMIT_SET_SPEC] = b->default_spec_id != n->default_spec_id;
    d->updates[COMMIT_ADD_ORDER] = has_new_order(b, n);
    d->updates[COMMIT_SET_ORDER] = b->default_order_id != n->default_order_id;
    d->updates[COMMIT_SET_LOCATION] = !str_equal(b->location, n->location);
    d->updates[COMMIT_SET_STATISTICS] =
        differs_in(b, n, STR("statistics")) || differs_in(b, n, STR("partition-statistics"));
    compare_properties(d);
}

/* ---- as JSON ---- */

static void begin_list(json_writer *w, const char *member)
{
    json_key(w, member);
    json_begin_array(w);
}

static str format(const description *d)
{
    static const char *const names[] = {
#define X(name, text, meaning) text,
        COMMIT_UPDATE_TABLE(X)
#undef X
    };
    buf *out = buf_in(d->a, LIMIT_JSON_BODY);
    json_writer w;

    json_writer_init(&w, out);
    json_begin_object(&w);
    begin_list(&w, "refs");
    for (size_t i = 0; i < d->refs.count; i++) {
        json_put_str(&w, d->refs.items[i]);
    }
    json_end_array(&w);
    begin_list(&w, "operations");
    for (size_t i = 0; i < OPERATION_COUNT; i++) {
        if (d->operations[i]) {
            json_put_str(&w, str_c(ice_operation_name((ice_operation)i)));
        }
    }
    json_end_array(&w);
    begin_list(&w, "updates");
    for (size_t i = 0; i < COMMIT_UPDATE_COUNT; i++) {
        if (d->updates[i]) {
            json_put_str(&w, str_c(names[i]));
        }
    }
    json_end_array(&w);
    json_end_object(&w);
    return buf_str(out);
}

void catalog__describe_commit(const ice_metadata *before, const ice_metadata *after, arena *a,
                              catalog_event *event)
{
    description d = {.before = before,
                     .after = after,
                     .a = a,
                     .added_id = ICE_NO_SNAPSHOT,
                     .set_id = ICE_NO_SNAPSHOT};

    if (before == NULL || after == NULL || event->kind != EVENT_TABLE_COMMITTED) {
        return;
    }
    compare_snapshots(&d);
    compare_refs(&d);
    compare_rest(&d);
    if (!d.main_moved) {
        event->snapshot_id = d.set_id != ICE_NO_SNAPSHOT     ? d.set_id
                             : d.added_id != ICE_NO_SNAPSHOT ? d.added_id
                                                             : after->current_snapshot_id;
    }
    event->detail = format(&d);
}

/* ---- of all events ---- */

status catalog__read_pointer(state_txn *txn, str uuid, bool is_view, str *ret_location, error *err)
{
    state_rows *rows = NULL;
    bool found = false;

    TRY(STATE_QUERY(txn,
                    is_view ? "SELECT metadata_location FROM views WHERE uuid = ?1"
                            : "SELECT metadata_location FROM tables WHERE uuid = ?1",
                    &rows, err, SV_TEXT(uuid)));
    TRY(state_next(rows, &found, err));
    *ret_location = found ? state_text(rows, 0, state_txn_arena(txn)) : STR("");
    state_finish(rows);
    return STATUS_OK;
}
