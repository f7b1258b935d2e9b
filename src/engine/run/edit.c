/* Applying edits. They are few, so they are sorted by insertion. */
#include "run/edit.h"

#include "tarn/base/buf.h"
#include "tarn/base/limits.h"

static void sort_edits(edit *edits, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        edit moved = edits[i];
        size_t place = i;
        while (place > 0 && edits[place - 1].from > moved.from) {
            edits[place] = edits[place - 1];
            place--;
        }
        edits[place] = moved;
    }
}

typedef VEC(edited_part) part_list;

static void put_script(str script, size_t from, size_t to, const edit_list *edits, arena *a,
                       part_list *parts, buf *out)
{
    edit *sorted = ARENA_ARRAY(a, edit, edits->count + 1);
    size_t count = 0, at = from;

    for (size_t i = 0; i < edits->count; i++) {
        if (edits->items[i].from >= from && edits->items[i].to <= to) {
            sorted[count++] = edits->items[i];
        }
    }
    sort_edits(sorted, count);
    for (size_t i = 0; i < count; i++) {
        ASSERT(sorted[i].from >= at);
        vec_push(a, parts, ((edited_part){.out_from = out->size, .in_from = at}));
        buf_add_str(out, str_slice(script, at, sorted[i].from));
        vec_push(
            a, parts,
            ((edited_part){.out_from = out->size, .in_from = sorted[i].from, .replaced = true}));
        buf_add_str(out, sorted[i].text);
        at = sorted[i].to;
    }
    vec_push(a, parts, ((edited_part){.out_from = out->size, .in_from = at}));
    buf_add_str(out, str_slice(script, at, to));
}

status edit_arrange(str script, const edit_piece *pieces, size_t count, const edit_list *edits,
                    arena *a, edited *ret_edited, error *err)
{
    part_list parts = {0};
    buf *out = buf_in(a, 2 * LIMIT_SQL_TEXT);

    for (size_t i = 0; i < count; i++) {
        if (str_is_null(pieces[i].text)) {
            put_script(script, pieces[i].from, pieces[i].to, edits, a, &parts, out);
        } else {
            vec_push(a, &parts,
                     ((edited_part){
                         .out_from = out->size, .in_from = pieces[i].from, .replaced = true}));
            buf_add_str(out, pieces[i].text);
        }
    }
    TRY(buf_check(out, "the statement", err));
    *ret_edited = (edited){.text = buf_str(out), .parts = parts.items, .part_count = parts.count};
    return STATUS_OK;
}

status edit_apply(str script, size_t from, size_t to, const edit_list *edits, arena *a,
                  edited *ret_edited, error *err)
{
    edit_piece whole = {.from = from, .to = to, .text = STR_NULL};

    return edit_arrange(script, &whole, 1, edits, a, ret_edited, err);
}

size_t edit_origin(const edited *e, size_t position)
{
    size_t low = 0, high = e->part_count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (e->parts[middle].out_from <= position) {
            low = middle;
        } else {
            high = middle;
        }
    }
    const edited_part *part = &e->parts[low];
    return part->replaced ? part->in_from : part->in_from + (position - part->out_from);
}

void edit_place_error(const edited *e, size_t offset, error *err)
{
    if (err == NULL || err->position == ERROR_NO_POSITION) {
        return;
    }
    size_t position = (size_t)err->position;
    err->position = position < offset || position > offset + e->text.size
                        ? ERROR_NO_POSITION
                        : (int)edit_origin(e, position - offset);
}
