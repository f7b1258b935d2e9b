/* json.h: JSON documents: parsed trees, field tables that fill structs, and a streaming writer.
 *
 * A tree lives in the arena that json_parse was given. 64-bit integers keep their value; a
 * number that is no int64 is a double. Field tables are the one way to read an object into a
 * struct: what an object of ours looks like is said once, in a table. The library behind
 * (jansson) is seen in json_parse.c alone. */
#ifndef TARN_CODEC_JSON_H
#define TARN_CODEC_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tarn/base/arena.h"
#include "tarn/base/buf.h"
#include "tarn/base/error.h"
#include "tarn/base/str.h"

typedef struct json json; /* immutable value in a tree */

typedef enum json_kind {
    JSON_NULL,
    JSON_BOOL,
    JSON_INT64,
    JSON_DOUBLE,
    JSON_STR,
    JSON_ARRAY,
    JSON_OBJECT,
    JSON_INT32, /* in field tables only: an integer that must fit */
    JSON_VALUE, /* in field tables only: the value itself, as const json * */
} json_kind;

/* Whole text is one value. SYNTAX with line, column and byte position; duplicate keys are refused.
 * TOO_LARGE beyond LIMIT_JSON_DEPTH and LIMIT_JSON_VALUES. Waits while others parse many values. */
status json_parse(str text, arena *a, const json **ret_value, error *err);
/* The same with another limit of values: arrays, objects and what is in them. */
status json_parse_within(str text, size_t values_max, arena *a, const json **ret_value, error *err);

json_kind json_kind_of(const json *value); /* NULL (the pointer) counts as JSON_NULL */
const char *json_kind_name(json_kind kind);
/* Member of an object, or NULL. `value` may be NULL or no object. */
const json *json_get(const json *value, const char *key);
const json *json_get_str(const json *value, str key);
/* Elements of an array or members of an object. */
size_t json_count(const json *value);
const json *json_at(const json *value, size_t index); /* of an array; NULL beyond its end */
/* for (size_t at = 0; json_next_member(object, &at, &key, &member);) in the document's order */
bool json_next_member(const json *object, size_t *at, str *ret_key, const json **ret_member);

/* The value, or the fallback where it is of another kind. */
str json_str_or(const json *value, str fallback);
int64_t json_int64_or(const json *value, int64_t fallback);
double json_double_or(const json *value, double fallback); /* integers too */
bool json_bool_or(const json *value, bool fallback);
/* The digits of a JSON_DOUBLE that the text wrote as an integer beyond 64 bits; else STR_NULL. */
str json_wide_integer(const json *value);

enum {
    JSON_REQUIRED = 1,
    /* JSON_INT64 alone: a number from 2^63 to below 2^64 is taken for the negative one of the same bits, with the
     * precision of a double: for ids that some programs write without a sign */
    JSON_UNSIGNED_TOO = 2,
};

typedef struct json_field {
    const char *key;
    /* JSON_STR -> str, JSON_INT64 -> int64_t, JSON_INT32 -> int32_t, JSON_DOUBLE -> double,
     * JSON_BOOL -> bool, JSON_ARRAY/JSON_OBJECT/JSON_VALUE -> const json * */
    json_kind kind;
    int flags;
    size_t offset;
} json_field;

/* Fills `target` from an object: fields that are absent or null keep what `target` holds.
 * Strings are views into the tree. INVALID naming the key: absent though required, wrong kind,
 * out of range. */
status json_read(const json *object, const json_field *fields, size_t count, void *target,
                 error *err);
/* SYNTAX-free check for request bodies: INVALID naming the first member that no field has
 * (nearest name as hint). */
status json_reject_unknown(const json *object, const json_field *fields, size_t count, error *err);

/* Writes the tree as compact text, members in their order. */
void json_format(const json *value, buf *out);

/* Streaming writer into a buf. Commas are its business. Text that is no UTF-8 is replaced by
 * U+FFFD. */
typedef struct json_writer {
    buf *out;
    bool needs_comma;
} json_writer;

void json_writer_init(json_writer *w, buf *out);
void json_begin_object(json_writer *w);
void json_end_object(json_writer *w);
void json_begin_array(json_writer *w);
void json_end_array(json_writer *w);
void json_key(json_writer *w, const char *key);
void json_key_str(json_writer *w, str key);
void json_put_null(json_writer *w);
void json_put_bool(json_writer *w, bool value);
void json_put_int(json_writer *w, int64_t value);
void json_put_uint(json_writer *w, uint64_t value);
/* shortest text that reads back; NaN and infinities as strings */
void json_put_double(json_writer *w, double value);
void json_put_str(json_writer *w, str value);
void json_put_c(json_writer *w, const char *value);
void json_put_raw(json_writer *w, str json_text); /* already JSON */
void json_put_value(json_writer *w, const json *value);
/* key and value in one line */
void json_member_str(json_writer *w, const char *key, str value);
void json_member_c(json_writer *w, const char *key, const char *value);
void json_member_int(json_writer *w, const char *key, int64_t value);
void json_member_bool(json_writer *w, const char *key, bool value);
void json_member_double(json_writer *w, const char *key, double value);
void json_member_null(json_writer *w, const char *key);

/* The quoted, escaped text of one string. */
void json_quote(buf *out, str text);

#endif
