/* edit.h: pieces of a script, in any order, with parts of them replaced, and the way back from the positions of what
 * they make to the script's. */
#ifndef TARN_ENGINE_EDIT_H
#define TARN_ENGINE_EDIT_H

#include "tarn/base/str.h"
#include "tarn/base/vec.h"

typedef struct edit {
    size_t from, to; /* bytes of the script; equal: an insertion */
    str text;
} edit;

typedef VEC(edit) edit_list;

/* Bytes [from, to) of the script; or `text`, whose place in the script is `from`. */
typedef struct edit_piece {
    size_t from, to;
    str text; /* STR_NULL: the script's */
} edit_piece;

typedef VEC(edit_piece) edit_pieces;

typedef struct edited_part {
    size_t out_from; /* first byte in the edited text */
    size_t in_from;  /* first byte in the script */
    bool replaced;
} edited_part;

typedef struct edited {
    str text;
    const edited_part *parts;
    size_t part_count;
} edited;

/* The script from `from` to before `to`. Edits inside of it are applied in the order of their
 * places (of one place: in the order given); the others are left out. TOO_LARGE. */
status edit_apply(str script, size_t from, size_t to, const edit_list *edits, arena *a,
                  edited *ret_edited, error *err);
/* The pieces one behind the other; each takes the edits inside of it. */
status edit_arrange(str script, const edit_piece *pieces, size_t count, const edit_list *edits,
                    arena *a, edited *ret_edited, error *err);
/* Where a byte of the edited text comes from: inside of a replacement, its beginning. */
size_t edit_origin(const edited *e, size_t position);
/* Gives an error that speaks of the edited text (its `offset` bytes into the failed statement)
 * the script's position. */
void edit_place_error(const edited *e, size_t offset, error *err);

#endif
