/* locate.c: where the files of a table lie that was moved after it was written: its metadata goes on calling them by
 * their old locations, and rules say what lies where. Names are compared, mapped and opened here; what a file is called
 * (in manifests, in position deletes) stays what it was. */
#include "internal.h"

/* "file:///a", "file:/a" and "/a" are one folder; "./a" is "a". */
static str comparable(str location)
{
    static const str starts[] = {STR_INIT("file://localhost/"), STR_INIT("file:///"),
                                 STR_INIT("file:/")};

    for (size_t i = 0; i < COUNT_OF(starts); i++) {
        if (str_starts_with(location, starts[i])) {
            return str_slice(location, starts[i].size - 1, location.size);
        }
    }
    while (str_starts_with(location, STR("./"))) {
        location = str_slice(location, 2, location.size);
    }
    return location;
}

static str without_end(str location)
{
    while (location.size > 1 && location.data[location.size - 1] == '/') {
        location.size--;
    }
    return location;
}

/* The part of `location` below `prefix`, with its "/"; STR_NULL where it does not lie there. */
static str below(str location, str prefix)
{
    str folder = without_end(comparable(prefix));
    str path = comparable(location);

    if (!str_starts_with(path, folder)) {
        return STR_NULL;
    }
    bool whole =
        path.size == folder.size || path.data[folder.size] == '/' || str_equal(folder, STR("/"));
    return whole ? str_slice(path, folder.size, path.size) : STR_NULL;
}

str ice_rebase_location(const ice_rebase *rules, size_t count, str location, arena *a)
{
    const ice_rebase *best = NULL;
    size_t longest = 0;
    str rest = STR_NULL;

    for (size_t i = 0; i < count; i++) {
        str part = below(location, rules[i].from);
        size_t size = without_end(comparable(rules[i].from)).size;

        if (!str_is_null(part) && (best == NULL || size > longest)) {
            best = &rules[i];
            longest = size;
            rest = part;
        }
    }
    if (best == NULL) {
        return location;
    }
    return str_concat(a, without_end(best->to),
                      rest.size > 0 && rest.data[0] != '/' ? str_concat(a, STR("/"), rest) : rest);
}

str ice_locate(const ice_metadata *m, str location, arena *a)
{
    return m->rebase_count == 0 ? location
                                : ice_rebase_location(m->rebase, m->rebase_count, location, a);
}

/* ---- what a table may name ---- */

bool ice_lies_below(str location, str folder)
{
    str rest = folder.size > 0 ? below(location, folder) : STR_NULL;

    return rest.size > 1 && str_find(rest, STR("/.")) == STR_NPOS &&
           str_find(rest, STR("//")) == STR_NPOS;
}

bool ice_is_below(const ice_metadata *m, str location, arena *a)
{
    return ice_lies_below(location, ice_locate(m, m->location, a));
}

status ice_find_file(const ice_metadata *m, str location, arena *a, str *ret_location, error *err)
{
    str found = ice_locate(m, location, a);

    if (m->guard != NULL && !ice_is_below(m, found, a)) {
        TRY(m->guard->allow(m->guard->context, m, found, err));
    }
    *ret_location = found;
    return STATUS_OK;
}

void ice_metadata_rebase(ice_metadata *m, const ice_rebase *rules, size_t count)
{
    ice_rebase *copies = ARENA_ARRAY(m->memory, ice_rebase, count + 1);

    for (size_t i = 0; i < count; i++) {
        copies[i] = (ice_rebase){.from = str_copy(m->memory, rules[i].from),
                                 .to = str_copy(m->memory, rules[i].to)};
    }
    m->rebase = copies;
    m->rebase_count = count;
}
