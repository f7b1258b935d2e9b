/* Locations as such: one spelling for one place, and whether a table or a namespace may lie there at all. Whose it is
 * already is place.c's matter. */
#include "place.h"

#include "tarn/base/rng.h"

/* One table, one spelling: other programs read "a/../b" and "a//b" as the folder of another table. */
static status check_canonical(str location, str below, error *err)
{
    for (str rest = below; !str_is_null(rest);) {
        str segment = str_cut(rest, '/', &rest);
        if (segment.size == 0 || str_equal(segment, STR(".")) || str_equal(segment, STR(".."))) {
            return error_set(err, STATUS_INVALID,
                             "location \"%.*s\" has an empty segment, \".\" or \"..\"",
                             STR_ARG(location));
        }
    }
    return STATUS_OK;
}

/* "file:/a", "file://localhost/a" and "/a" are "file:///a". */
static str spell_local(str location, arena *a)
{
    if (str_starts_with(location, STR("/"))) {
        return str_concat(a, STR("file://"), location);
    }

    static const str starts[] = {STR_INIT("file://localhost/"), STR_INIT("file:///"),
                                 STR_INIT("file:/")};

    for (size_t i = 0; i < COUNT_OF(starts); i++) {
        if (str_starts_with(location, starts[i])) {
            return str_concat(a, STR("file:///"),
                              str_slice(location, starts[i].size, location.size));
        }
    }
    return location;
}

/* A bucket alone is a location, though no object's. What is refused is called as it was asked for. */
static status check_spelling(catalog *c, str asked, str location, arena *a, error *err)
{
    status result = store_check_location(
        c->storage, store_is_local(location) ? location : str_concat(a, location, STR("/x")), err);

    if (result != STATUS_OK && !store_is_local(location)) {
        error own = ERROR_INIT;
        if (store_check_location(c->storage, asked, &own) != STATUS_OK && err != NULL) {
            *err = own;
            return own.kind;
        }
    }
    return result;
}

status catalog__spell_location(catalog *c, str asked, arena *a, str *ret_location, error *err)
{
    str location = store_is_local(asked) ? spell_local(asked, a) : asked;

    while (str_ends_with(location, STR("/"))) {
        location.size--;
    }
    TRY(check_spelling(c, asked, location, a, err));
    size_t from = str_find(location, STR("://")) + (store_is_local(location) ? 4 : 3);
    TRY(check_canonical(location, str_slice(location, from, location.size), err));
    if (store_is_local(location)) { /* symbolic links are other names of one folder, too */
        char *path = NULL;
        TRY(store_local_path(c->storage, location, a, &path, err));
        location = str_concat(a, STR("file://"), str_c(path));
    }
    *ret_location = location;
    return STATUS_OK;
}

status catalog__settle_location(catalog *c, str asked, arena *a, str *ret_location, error *err)
{
    str location = asked;
    warehouse_info there;
    str own = str_concat(a, c->warehouse_location, STR("/.tarn"));

    TRY(catalog__check_plain(asked, err));
    TRY(catalog__spell_location(c, asked, a, &location, err));
    TRY(store_check_location(c->storage, location, err));
    if (!store_is_local(location) &&
        (!catalog__warehouse_at(c, location, a, &there) || str_equal(location, there.location))) {
        error_set(err, STATUS_DENIED, "location \"%.*s\" lies outside the warehouse",
                  STR_ARG(location));
        error_hint(err,
                   "Choose a location below %.*s/, or a file: location below one of "
                   "warehouse.roots.",
                   STR_ARG(c->warehouse_location));
        return STATUS_DENIED;
    }
    if (str_equal(location, own) || str_starts_with(location, str_concat(a, own, STR("/")))) {
        return error_set(err, STATUS_DENIED, "location \"%.*s\" is the catalog's own",
                         STR_ARG(location));
    }
    *ret_location = location;
    return STATUS_OK;
}

status catalog_plan_location(catalog *c, table_name name, str asked, arena *a, str *ret_location,
                             error *err)
{
    char uuid[37];

    if (asked.size > 0) {
        str location;
        TRY(catalog__settle_location(c, asked, a, &location, err));
        TRY(catalog__check_place(c, name.space, location, err));
        TRY(catalog__refuse_folder(c, location, a, err));
        TRY(catalog__refuse_filled(c, location, a, err));
        *ret_location = location;
        return STATUS_OK;
    }
    random_uuid(uuid);
    return catalog__choose_location(c, name, str_c(uuid), a, ret_location, err);
}
