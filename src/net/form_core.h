/* form_core.h: a form read from anything that gives bytes: what form.h does with a request, and tests with memory. */
#ifndef TARN_NET_FORM_CORE_H
#define TARN_NET_FORM_CORE_H

#include "tarn/net/form.h"

typedef struct form_source {
    status (*read)(void *context, void *ret_bytes, size_t size_bytes, size_t *ret_size, error *err);
    void *context;
} form_source;

status form__open(arena *a, str content_type, form_source source, http_form **ret_form, error *err);

#endif
