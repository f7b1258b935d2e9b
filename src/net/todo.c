/* For a short while: what its headers promise and is not written yet. Whoever writes a function takes it away here;
 * the file goes with the last of them. */
#include "tarn/net/form.h"

status form_open(http_exchange *x, http_form **ret_form, error *err)
{
    (void)x;
    (void)ret_form;
    return error_set(err, STATUS_UNSUPPORTED, "form_open is not there yet");
}

const form_field *form_fields(const http_form *form, size_t *ret_count)
{
    (void)form;
    (void)ret_count;
    return NULL;
}

str form_value(const http_form *form, const char *name)
{
    (void)form;
    (void)name;
    return STR_NULL;
}

bool form_has_file(const http_form *form)
{
    (void)form;
    return false;
}

str form_file_name(const http_form *form)
{
    (void)form;
    return STR_NULL;
}

str form_file_type(const http_form *form)
{
    (void)form;
    return STR_NULL;
}

status form_read_file(http_form *form, void *ret_bytes, size_t size_bytes, size_t *ret_size,
                      error *err)
{
    (void)form;
    (void)ret_bytes;
    (void)size_bytes;
    (void)ret_size;
    return error_set(err, STATUS_UNSUPPORTED, "form_read_file is not there yet");
}
