/* Who changes the catalog on this thread. */
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

str catalog__principal(const catalog_caller *caller)
{
    return caller != NULL ? caller->principal : STR_NULL;
}
