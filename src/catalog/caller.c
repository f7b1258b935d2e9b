/* Who changes the catalog on this thread, and the event of each change. */
#include "tarn/catalog/caller.h"
#include "internal.h"

static _Thread_local const catalog_caller *current;

void catalog_set_caller(const catalog_caller *caller)
{
    current = caller;
}

const catalog_caller *catalog_get_caller(void)
{
    return current;
}

status catalog__note(state_txn *txn, const catalog_caller *caller, const catalog_event *event,
                     error *err)
{
    return caller != NULL && caller->effect != NULL
               ? caller->effect(caller->context, txn, event, err)
               : STATUS_OK;
}
