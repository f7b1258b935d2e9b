/* avro_program.h: the program that an Avro schema is compiled into, between avro_compile.c, which
 * makes it, and avro_run.c, which runs it over bytes.
 *
 * A program is a list of steps. Each takes bytes from the input, and stores a value into the
 * caller's struct or skips it. Records leave no trace: their fields' steps stand in a row, with
 * offsets into the outermost struct. What is not asked for costs one step, or none where skips
 * join. */
#ifndef TARN_CODEC_AVRO_PROGRAM_H
#define TARN_CODEC_AVRO_PROGRAM_H

#include "tarn/codec/avro.h"

typedef enum avro_step_kind {
    STEP_SKIP_FIXED,  /* `size` bytes */
    STEP_SKIP_NUMBER, /* int, long, enum */
    STEP_SKIP_BYTES,  /* a length and so many bytes */
    STEP_SKIP_BLOCKS, /* array or map: `programs[0]` skips one item */
    STEP_UNION,       /* a branch number, then programs[branch]; `size` branches */
    STEP_BOOL,
    STEP_INT,
    STEP_LONG,
    STEP_BYTES,
    STEP_FIXED, /* `size` bytes */
    STEP_MARK_PRESENT,
    STEP_MARK_ABSENT,
    STEP_DROP_ITEM,   /* the list item that is being read does not count */
    STEP_LIST,        /* array: programs[0] fills an item of `size` bytes */
    STEP_KEYED_LIST,  /* map: a text key, stored as int32_t in front of the item, then as above */
    STEP_PAIRS_LONG,  /* array of an int and a long each, as avro_int_long */
    STEP_PAIRS_BYTES, /* the same with bytes, as avro_int_bytes */
    STEP_TUPLE,       /* `size` fields, copied from `defaults`; programs[0] fills them */
    STEP_MEMBER_BOOL, /* a field of a tuple */
    STEP_MEMBER_INT,
    STEP_MEMBER_LONG,
    STEP_MEMBER_BYTES,
    STEP_MEMBER_FIXED,
} avro_step_kind;

/* The keys of a map that are stored, sorted. */
typedef struct avro_keys {
    const int32_t *items; /* NULL: all */
    size_t count;
} avro_keys;

typedef struct avro_step {
    avro_step_kind kind;
    size_t size;
    size_t offset; /* into the target */
    const struct avro_program *programs;
    const void *defaults; /* of list items; NULL means zeros */
    avro_keys keys;       /* of maps */
} avro_step;

typedef struct avro_program {
    const avro_step *steps;
    size_t count;
    size_t bytes_min; /* the least that one run takes from the input */
} avro_program;

/* The tree of a schema, kept for the next file of the same kind; valid as long as `a`. Thread-safe. */
status avro__schema_parse(str text, arena *a, const json **ret_schema, error *err);

/* INVALID: the schema is no Avro schema, or a field has a type its kind cannot take. UNSUPPORTED:
 * types that contain themselves. TOO_LARGE: a schema that unfolds without end. */
status avro__compile(const json *schema, const avro_shape *shape, arena *a,
                     avro_program *ret_program, error *err);

/* Where lists and values of one file go: pieces of the arena, each twice the one before, cut up
 * from front to back. What a dropped record took is given back (avro__heap_rewind). */
typedef struct avro_heap {
    arena *a;
    char *piece; /* the one that is being cut */
    size_t piece_bytes;
    size_t used_bytes;  /* of it */
    size_t total_bytes; /* of all pieces */
} avro_heap;

typedef struct avro_input {
    const uint8_t *at;
    const uint8_t *end;
    avro_heap *heap;
    const char *reason; /* why the last run failed */
    bool too_large;     /* it failed for size, not for corruption */
    bool drop;          /* STEP_DROP_ITEM was met */
} avro_input;

/* Back to what the heap was, as far as the piece it was cutting is still the same. */
void avro__heap_rewind(avro_heap *heap, const avro_heap *mark);

bool avro__read_long(avro_input *in, int64_t *ret_value);
/* False: in->reason says why, in->at where. */
bool avro__run(avro_input *in, const avro_program *program, void *target);

#endif
