/* Files of tables that lie elsewhere than below their tables' locations: found out once for a folder and statement. */
#include "run/reach.h"

static status refuse(const catalog_holder *holder, table_name name, str path, error *err)
{
    error_set(err, STATUS_DENIED,
              "file \"%.*s\" of table \"%.*s.%.*s\" lies in the place of %s \"%.*s.%.*s\"",
              STR_ARG(path), STR_ARG(name.space), STR_ARG(name.table), holder->kind,
              STR_ARG(holder->name.space), STR_ARG(holder->name.table));
    error_hint(err, "Whoever reads it needs the right to read that one.");
    return STATUS_DENIED;
}

static status look_up(query *q, table_name name, const ice_metadata *m, str location,
                      query_reach *ret_reach, error *err)
{
    catalog_holder holder;
    str own = ice_locate(m, m->location, q->a);
    status result = catalog_find_holder(q->r->catalog, own, location, q->a, &holder, err);

    if (result != STATUS_OK) {
        error_context(err, "a file of table \"%.*s.%.*s\"", STR_ARG(name.space),
                      STR_ARG(name.table));
        return result;
    }
    if (holder.kind != NULL && run_check_access(q->r, ACTION_TABLE_READ, holder.name.space,
                                                holder.name.table, NULL) != STATUS_OK) {
        return refuse(&holder, name, location, err);
    }
    *ret_reach = (query_reach){.metadata = m, .holder = holder};
    return STATUS_OK;
}

status reach_file(query *q, table_name name, const ice_metadata *m, str path, str *ret_location,
                  error *err)
{
    str location = ice_locate(m, path, q->a);
    bool known = ice_is_below(m, location, q->a);

    for (size_t i = q->reached.count; i > 0 && !known; i--) { /* neighbours lie beside each other */
        known = q->reached.items[i - 1].metadata == m &&
                catalog_holder_covers(&q->reached.items[i - 1].holder, location);
        if (q->reached.count - i >= QUERY_REACH_LOOKED_AT) {
            break;
        }
    }
    if (!known) {
        query_reach reach;

        TRY(look_up(q, name, m, location, &reach, err));
        vec_push(q->a, &q->reached, reach);
    }
    *ret_location = location;
    return STATUS_OK;
}
