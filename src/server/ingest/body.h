/* body.h: request bodies as files in staging. */
#ifndef TARN_SERVER_INGEST_BODY_H
#define TARN_SERVER_INGEST_BODY_H

#include "app.h"

/* Streams the body into `path`. TOO_LARGE beyond http.body_max. */
status body_to_file(call *c, const char *path, int64_t *ret_size, error *err);

/* multipart/form-data (RFC 7578): small fields as text, one file part into staging. */
typedef struct form_field {
    str name;
    str value;
} form_field;
typedef struct form {
    form_field *fields;
    size_t field_count;
    bool has_file;
    str file_name;
    char *file_path; /* removed with the request */
    int64_t file_size;
} form;
/* INVALID: no boundary, malformed parts, two files, a body that ends early. */
status form_read(call *c, form *ret_form, error *err);
str ingest_form_value(const form *f, const char *name); /* STR_NULL where absent */

/* A path in staging that is removed when the request ends. */
status staged_path(call *c, char **ret_path, error *err);

#endif
