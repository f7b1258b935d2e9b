/* Avro files read with a shape that has every kind of field. */
#include "support/fuzz.h"

#include "tarn/codec/avro.h"

typedef struct inner {
    bool flag;
    str text;
} inner;

typedef struct outer {
    int32_t number;
    bool has_wide;
    int64_t wide;
    inner record;
    avro_list ints, longs, records, counts, bounds;
    avro_tuple tuple;
} outer;

static const avro_field inner_fields[] = {
    {509, AVRO_BOOL, offsetof(inner, flag), AVRO_NO_PRESENCE, NULL},
    {510, AVRO_BYTES, offsetof(inner, text), AVRO_NO_PRESENCE, NULL},
    {100, AVRO_STRING, offsetof(inner, text), AVRO_NO_PRESENCE, NULL},
};
static const avro_shape inner_shape = {
    inner_fields, COUNT_OF(inner_fields), sizeof(inner), NULL, NULL, 0};

/* Ids of manifest entries and of manifest lists, so that the seeds reach every step. */
static const avro_field outer_fields[] = {
    {0, AVRO_INT, offsetof(outer, number), AVRO_NO_PRESENCE, NULL},
    {1, AVRO_LONG, offsetof(outer, wide), offsetof(outer, has_wide), NULL},
    {501, AVRO_LONG, offsetof(outer, wide), AVRO_NO_PRESENCE, NULL},
    {507, AVRO_LIST_RECORD, offsetof(outer, records), AVRO_NO_PRESENCE, &inner_shape},
    {519, AVRO_RECORD, offsetof(outer, record), AVRO_NO_PRESENCE, &inner_shape},
    {102, AVRO_TUPLE, offsetof(outer, tuple), AVRO_NO_PRESENCE, NULL},
    {108, AVRO_MAP_INT_LONG, offsetof(outer, counts), AVRO_NO_PRESENCE, NULL},
    {125, AVRO_MAP_INT_BYTES, offsetof(outer, bounds), AVRO_NO_PRESENCE, NULL},
    {132, AVRO_LIST_LONG, offsetof(outer, longs), AVRO_NO_PRESENCE, NULL},
    {135, AVRO_LIST_INT, offsetof(outer, ints), AVRO_NO_PRESENCE, NULL},
};
static const avro_shape flat_shape = {
    outer_fields, COUNT_OF(outer_fields), sizeof(outer), NULL, NULL, 0};

/* The same fields one level down, where manifest entries have most of them. */
static const avro_field entry_fields[] = {
    {2, AVRO_RECORD, 0, AVRO_NO_PRESENCE, &flat_shape},
};
static const int32_t keys[] = {1, 3};
static const avro_shape keyed_shape = {entry_fields, COUNT_OF(entry_fields), sizeof(outer), NULL,
                                       keys,         COUNT_OF(keys)};
static const avro_shape entry_shape = {
    entry_fields, COUNT_OF(entry_fields), sizeof(outer), NULL, NULL, 0};

static bool keep(void *context, const void *record)
{
    (void)context;
    return ((const outer *)record)->wide % 3 != 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    arena *a = arena_create();
    avro_file file;
    void *records;
    size_t count;

    if (avro_open(str_from((const char *)data, size), a, &file, NULL) == STATUS_OK) {
        (void)avro_read(&file, &flat_shape, keep, NULL, a, &records, &count, NULL);
        (void)avro_read(&file, &entry_shape, NULL, NULL, a, &records, &count, NULL);
        (void)avro_read(&file, &keyed_shape, NULL, NULL, a, &records, &count, NULL);
    }
    arena_free(a);
    return 0;
}
