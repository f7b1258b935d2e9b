/* Arrow IPC messages: the schema, and the end of the stream. Batches are in arrow_batch.c. */
#include "tarn/codec/arrow.h"

#include "arrow_message.h"
#include "arrow_type.h"
#include "flatbuffer.h"
#include "tarn/base/vec.h"

/* Slots of the tables in Schema.fbs and Message.fbs. */
enum {
    FIELD_NAME,
    FIELD_NULLABLE,
    FIELD_TYPE_ID,
    FIELD_TYPE,
    FIELD_DICTIONARY,
    FIELD_CHILDREN,
    FIELD_METADATA
};
enum { SCHEMA_ENDIANNESS, SCHEMA_FIELDS, SCHEMA_METADATA };
enum { PAIR_KEY, PAIR_VALUE };
enum { MESSAGE_VERSION, MESSAGE_HEADER_TYPE, MESSAGE_HEADER, MESSAGE_BODY_LENGTH };

enum { METADATA_VERSION_5 = 4, FLAG_NULLABLE = 2 };

/* --- the envelope --- */

void arrow__add_message(flat *f, int header_type, flat_ref header, int64_t body_bytes, buf *out)
{
    flat_table t;
    str message;

    flat_table_begin(f, &t);
    flat_add_number(f, &t, MESSAGE_BODY_LENGTH, body_bytes, 8);
    flat_add_ref(f, &t, MESSAGE_HEADER, header);
    flat_add_number(f, &t, MESSAGE_VERSION, METADATA_VERSION_5, 2);
    flat_add_number(f, &t, MESSAGE_HEADER_TYPE, header_type, 1);
    message = flat_finish(f, flat_table_end(f, &t));
    buf_add_u32le(out, UINT32_MAX); /* continuation */
    buf_add_u32le(out, (uint32_t)message.size);
    buf_add_str(out, message);
}

void arrow_write_end(buf *out)
{
    buf_add_u32le(out, UINT32_MAX);
    buf_add_u32le(out, 0);
}

/* --- the schema --- */

static int32_t read_int32(const char **at)
{
    int32_t value;

    memcpy(&value, *at, sizeof(value));
    *at += sizeof(value);
    return value;
}

static str read_text(const char **at)
{
    int32_t size = read_int32(at);
    str text = str_from(*at, size > 0 ? (size_t)size : 0);

    *at += text.size;
    return text;
}

/* Metadata of the C data interface: a count, then keys and values, each with its length. */
static flat_ref add_metadata(flat *f, const char *metadata)
{
    VEC(flat_ref) pairs = {0};

    if (metadata == NULL) {
        return FLAT_NONE;
    }
    for (int32_t i = read_int32(&metadata); i > 0; i--) {
        flat_ref key = flat_string(f, read_text(&metadata));
        flat_ref value = flat_string(f, read_text(&metadata));
        flat_table t;

        flat_table_begin(f, &t);
        flat_add_ref(f, &t, PAIR_KEY, key);
        flat_add_ref(f, &t, PAIR_VALUE, value);
        vec_push(f->a, &pairs, flat_table_end(f, &t));
    }
    return pairs.count > 0 ? flat_refs(f, pairs.items, pairs.count) : FLAT_NONE;
}

/* "0,1,5" */
static flat_ref add_union_ids(flat *f, str text)
{
    VEC(int32_t) ids = {0};

    for (str rest = text; !str_is_null(rest);) {
        int64_t id;

        if (str_to_int64(str_cut(rest, ',', &rest), &id, NULL) == STATUS_OK) {
            vec_push(f->a, &ids, (int32_t)id);
        }
    }
    return flat_int32s(f, ids.items, ids.count);
}

static flat_ref add_type(flat *f, const arrow_type *type)
{
    flat_ref text = FLAT_NONE;
    flat_table t;

    if (type->type_id == ARROW_TYPE_UNION) {
        text = add_union_ids(f, type->text);
    } else if (!str_is_empty(type->text)) {
        text = flat_string(f, type->text);
    }
    flat_table_begin(f, &t);
    for (int size = 4; size > 0; size /= 2) { /* the widest first: no gaps */
        for (int i = 0; i < (int)COUNT_OF(type->parameters); i++) {
            if (type->parameters[i].size_bytes == (size_t)size) {
                flat_add_number(f, &t, i, type->parameters[i].value, (size_t)size);
            }
        }
    }
    flat_add_ref(f, &t, 1, text); /* timezone, typeIds: the second field of their tables */
    return flat_table_end(f, &t);
}

static status add_fields(flat *f, const struct ArrowSchema *schema, int depth, flat_ref *ret_fields,
                         error *err);

static status add_field(flat *f, const struct ArrowSchema *schema, int depth, flat_ref *ret_field,
                        error *err)
{
    flat_ref children = FLAT_NONE;
    flat_ref type_table;
    flat_ref metadata;
    flat_ref name;
    arrow_type type;
    flat_table t;

    TRY(arrow__type_of(schema, &type, err));
    TRY(add_fields(f, schema, depth, &children, err));
    type_table = add_type(f, &type);
    metadata = add_metadata(f, schema->metadata);
    name = flat_string(f, str_c(schema->name != NULL ? schema->name : ""));
    flat_table_begin(f, &t);
    flat_add_ref(f, &t, FIELD_METADATA, metadata);
    flat_add_ref(f, &t, FIELD_CHILDREN, children);
    flat_add_ref(f, &t, FIELD_TYPE, type_table);
    flat_add_ref(f, &t, FIELD_NAME, name);
    flat_add_number(f, &t, FIELD_TYPE_ID, type.type_id, 1);
    flat_add_number(f, &t, FIELD_NULLABLE, (schema->flags & FLAG_NULLABLE) != 0, 1);
    *ret_field = flat_table_end(f, &t);
    return STATUS_OK;
}

static status add_fields(flat *f, const struct ArrowSchema *schema, int depth, flat_ref *ret_fields,
                         error *err)
{
    flat_ref *fields = ARENA_ARRAY(f->a, flat_ref, schema->n_children);

    TRY(arrow__check_depth(schema, depth, err));
    for (int64_t i = 0; i < schema->n_children; i++) {
        status kind = add_field(f, schema->children[i], depth + 1, &fields[i], err);

        if (kind != STATUS_OK) {
            if (depth > 0) { /* below a column */
                error_context(err, "column \"%s\"", schema->name != NULL ? schema->name : "");
            }
            return kind;
        }
    }
    *ret_fields = flat_refs(f, fields, (size_t)schema->n_children);
    return STATUS_OK;
}

status arrow_write_schema(const struct ArrowSchema *schema, buf *out, error *err)
{
    arena *a = arena_create();
    flat_ref fields;
    status kind;
    flat f;

    flat_init(&f, a);
    kind = add_fields(&f, schema, 0, &fields, err);
    if (kind == STATUS_OK) {
        flat_ref metadata = add_metadata(&f, schema->metadata);
        flat_table t;

        flat_table_begin(&f, &t);
        flat_add_ref(&f, &t, SCHEMA_METADATA, metadata);
        flat_add_ref(&f, &t, SCHEMA_FIELDS, fields);
        flat_add_number(&f, &t, SCHEMA_ENDIANNESS, 0, 2); /* little */
        arrow__add_message(&f, ARROW_HEADER_SCHEMA, flat_table_end(&f, &t), 0, out);
        kind = buf_check(out, "Arrow schema", err);
    }
    arena_free(a);
    return kind;
}
