/* view.h: views as SHOW and information_schema tell of them (show_view.c). */
#ifndef TARN_ENGINE_RUN_VIEW_H
#define TARN_ENGINE_RUN_VIEW_H

#include "run/run.h"
#include "tarn/catalog/view.h"

/* The statement that would make it: CREATE VIEW …; its SQL as it was given. */
void view_put_create(buf *out, const table_name *name, const ice_view *view, arena *a);

#endif
