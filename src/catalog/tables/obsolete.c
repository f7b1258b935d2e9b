/* Which of the files that a commit makes obsolete are deleted with it. Metadata says whatever somebody wrote into it:
 * so nothing goes that does not lie in a place of the table's own, or that its metadata still names. */
#include "places/place.h"

#include "tarn/base/vec.h"
#include "tarn/catalog/located.h"

typedef struct ownership {
    catalog *c;
    arena *a;
    str places[2]; /* where the table lies, and where it will, settled */
    bool has_further;
    str *further; /* read when they are needed */
    size_t further_count;
    map *names; /* last segments of what the metadata names */
} ownership;

static bool lies_below(str location, str folder)
{
    return location.size > folder.size && catalog__lies_in(location, folder);
}

static bool is_own(ownership *o, const table_info *table, str location)
{
    str settled;

    if (catalog__settle_location(o->c, location, o->a, &settled, NULL) != STATUS_OK) {
        return false;
    }
    for (size_t i = 0; i < COUNT_OF(o->places); i++) {
        if (lies_below(settled, o->places[i])) {
            return true;
        }
    }
    if (!o->has_further) {
        o->has_further = true;
        if (catalog_list_places(o->c, table->uuid, o->a, &o->further, &o->further_count, NULL) !=
            STATUS_OK) {
            o->further_count = 0;
        }
    }
    for (size_t i = 0; i < o->further_count; i++) {
        if (lies_below(settled, o->further[i])) {
            return true;
        }
    }
    return false;
}

/* One file may be spelled in many ways, but its last segment in one. Files that tarn makes have names of their own. */
static str last_segment(str location)
{
    size_t slash = str_find_last_char(location, '/');

    return slash == STR_NPOS ? location : str_slice(location, slash + 1, location.size);
}

static void note_name(ownership *o, str location)
{
    if (location.size > 0) {
        (void)map_set(o->names, last_segment(location), o);
    }
}

/* False where the lists cannot be read: then nobody knows what they name. */
static bool note_statistics(ownership *o, str text)
{
    const json *list = NULL;

    if (json_parse(text, o->a, &list, NULL) != STATUS_OK) {
        return false;
    }
    for (size_t i = 0; i < json_count(list); i++) {
        note_name(o, json_str_or(json_get(json_at(list, i), "statistics-path"), STR_NULL));
    }
    return true;
}

static bool note_names(ownership *o, const ice_metadata *m)
{
    for (size_t i = 0; i < m->metadata_log_count; i++) {
        note_name(o, m->metadata_log[i].metadata_file);
    }
    for (size_t i = 0; i < m->snapshot_count; i++) {
        note_name(o, m->snapshots[i].manifest_list);
    }
    for (size_t i = 0; i < m->unknown_count; i++) {
        bool is_list = str_equal(m->unknown[i].key, STR("statistics")) ||
                       str_equal(m->unknown[i].key, STR("partition-statistics"));
        if (is_list && !note_statistics(o, m->unknown[i].value)) {
            return false;
        }
    }
    return true;
}

size_t catalog__keep_own(catalog *c, const table_info *table, const ice_metadata *next,
                         const str *asked, size_t count, arena *a, str *ret_own)
{
    ownership o = {.c = c, .a = a, .names = map_create(a)};
    size_t kept = 0;

    if (count == 0 || !note_names(&o, next) ||
        catalog__settle_location(c, table->location, a, &o.places[0], NULL) != STATUS_OK ||
        catalog__settle_location(c, next->location, a, &o.places[1], NULL) != STATUS_OK) {
        return 0;
    }
    for (size_t i = 0; i < count; i++) {
        if (!map_has(o.names, last_segment(asked[i])) && is_own(&o, table, asked[i])) {
            ret_own[kept++] = asked[i];
        }
    }
    return kept;
}
