/* form.h: multipart/form-data as a stream: fields, then one file (RFC 7578; S3's browser uploads).
 *
 * Fields behind the file are not read. Lives in the exchange's arena. */
#ifndef TARN_NET_FORM_H
#define TARN_NET_FORM_H

#include "tarn/net/http.h"

typedef struct http_form http_form;
#define FORM_FIELDS_MAX 200
#define FORM_FIELD_BYTES_MAX ((size_t)64 * 1024)

typedef struct form_field {
    str name;  /* as sent */
    str value; /* text */
} form_field;

/* Reads up to the file's first byte. INVALID "MalformedPOSTRequest": no boundary, no file, a broken part.
 * TOO_LARGE. */
status form_open(http_exchange *x, http_form **ret_form, error *err);
const form_field *form_fields(const http_form *form, size_t *ret_count);
/* By name, without regard to case; STR_NULL where absent. */
str form_value(const http_form *form, const char *name);
bool form_has_file(const http_form *form);
str form_file_name(const http_form *form); /* its last path segment */
str form_file_type(const http_form *form); /* Content-Type of the part; STR_NULL */
/* 0 bytes at the end of the file. */
status form_read_file(http_form *form, void *ret_bytes, size_t size_bytes, size_t *ret_size,
                      error *err);

#endif
