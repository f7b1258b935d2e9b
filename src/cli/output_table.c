/* Tables for people: plain, boxed, Markdown.
 *
 * Widths come from the names and the first rows; then rows are printed as they come, so memory is
 * bounded whatever the result's size. On a terminal the table is made to fit: wide columns are cut,
 * and where that is not enough columns in the middle are left out. Elsewhere nothing is cut. */
#include "cell.h"
#include "output.h"
#include "tarn/base/limits.h"
#include "tarn/base/vec.h"
#include "terminal.h"

#define SAMPLE_ROWS 500
#define SAMPLE_BYTES LIMIT_MIB
#define NARROW 8     /* a column is cut down to this before columns are left out */
#define ELLIPSIS "…" /* stands for what was cut */

typedef struct grid_column {
    str name; /* visible */
    bool right;
    bool shown;
    bool gap; /* columns before this one are left out */
    int width;
} grid_column;

typedef VEC(str *) row_list;

struct grid {
    cli *c;
    grid_style style;
    int width; /* 0: no limit */
    grid_column *columns;
    size_t count;
    size_t hidden;
    bool sized;
    arena *sample_memory;
    row_list sample;
    size_t sample_bytes;
    buf *line;
    buf *cell;
};

grid *grid_create(cli *c, grid_style style, int width)
{
    grid *g = ARENA_NEW(c->memory, grid);

    g->c = c;
    g->style = style;
    g->width = width;
    g->sample_memory = arena_child(c->memory);
    g->line = buf_in(c->memory, LIMIT_RESULT_IN_MEMORY);
    g->cell = buf_in(c->memory, LIMIT_RESULT_IN_MEMORY);
    return g;
}

size_t grid_hidden_columns(const grid *g)
{
    return g->hidden;
}

static bool is_number_type(str type)
{
    static const str names[] = {
        STR_INIT("TINYINT"), STR_INIT("SMALLINT"), STR_INIT("INTEGER"),   STR_INIT("BIGINT"),
        STR_INIT("HUGEINT"), STR_INIT("UTINYINT"), STR_INIT("USMALLINT"), STR_INIT("UINTEGER"),
        STR_INIT("UBIGINT"), STR_INIT("UHUGEINT"), STR_INIT("FLOAT"),     STR_INIT("DOUBLE"),
    };

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (str_equal_nocase(type, names[i])) {
            return true;
        }
    }
    return str_starts_with_nocase(type, STR("DECIMAL(")) && str_find_char(type, '[') == STR_NPOS;
}

/* ---- what a cell looks like ---- */

static void add_cell(const grid *g, buf *out, str cell)
{
    if (g->style == GRID_MD) {
        cell_add_md(out, cell);
    } else {
        cell_add_visible(out, cell);
    }
}

static void add_spaces(buf *out, int count)
{
    for (int i = 0; i < count; i++) {
        buf_add_char(out, ' ');
    }
}

static void add_padded(const grid *g, const grid_column *column, str text, bool dim)
{
    int width = text_width(text);
    bool cut = g->width > 0 && width > column->width;

    if (cut) {
        text = text_fit(text, column->width - 1);
        width = text_width(text) + 1;
    }
    int missing = column->width - width;
    if (column->right) {
        add_spaces(g->line, missing);
    }
    buf_add_c(g->line, dim ? "\x1b[2m" : "");
    buf_add_str(g->line, text);
    buf_add_c(g->line, cut ? ELLIPSIS : "");
    buf_add_c(g->line, dim ? "\x1b[0m" : "");
    if (!column->right) {
        add_spaces(g->line, missing);
    }
}

/* ---- lines ---- */

/* What stands left of, between and right of the cells of a line. */
typedef struct frame {
    const char *left, *between, *right;
} frame;

static const frame cell_frames[] = {
    [GRID_TABLE] = {"", "  ", ""},
    [GRID_BOX] = {"│ ", " │ ", " │"},
    [GRID_MD] = {"| ", " | ", " |"},
};

static status write_line(grid *g, error *err)
{
    if (g->style == GRID_TABLE) { /* no blanks at the end of a line */
        while (g->line->size > 0 && g->line->data[g->line->size - 1] == ' ') {
            buf_truncate(g->line, g->line->size - 1);
        }
    }
    buf_add_char(g->line, '\n');
    TRY(buf_check(g->line, "row", err));
    status result = out_str(g->c, buf_str(g->line), err);
    buf_clear(g->line);
    return result;
}

static status write_cells(grid *g, const str *cells, error *err)
{
    const frame *f = &cell_frames[g->style];
    bool first = true;

    buf_add_c(g->line, f->left);
    for (size_t i = 0; i < g->count; i++) {
        const grid_column *column = &g->columns[i];
        if (!column->shown) {
            continue;
        }
        buf_add_c(g->line, first ? "" : f->between);
        if (column->gap) {
            buf_add_c(g->line, ELLIPSIS);
            buf_add_c(g->line, f->between);
        }
        first = false;
        if (cells == NULL) {
            add_padded(g, column, column->name, false);
            continue;
        }
        buf_clear(g->cell);
        add_cell(g, g->cell, cells[i]);
        add_padded(g, column, buf_str(g->cell), g->c->color_out && cell_is_null(cells[i]));
    }
    buf_add_c(g->line, f->right);
    return write_line(g, err);
}

static void add_rule(grid *g, const grid_column *column, const char *dash)
{
    bool md = g->style == GRID_MD;
    int count = column->width + (g->style == GRID_TABLE ? 0 : 2) - (md && column->right ? 1 : 0);

    for (int i = 0; i < count; i++) {
        buf_add_c(g->line, dash);
    }
    buf_add_c(g->line, md && column->right ? ":" : "");
}

static status write_rule(grid *g, const frame *f, const char *dash, error *err)
{
    bool first = true;

    buf_add_c(g->line, f->left);
    for (size_t i = 0; i < g->count; i++) {
        const grid_column *column = &g->columns[i];
        if (!column->shown) {
            continue;
        }
        buf_add_c(g->line, first ? "" : f->between);
        first = false;
        if (column->gap) {
            add_rule(g, &(grid_column){.width = 1}, dash);
            buf_add_c(g->line, f->between);
        }
        add_rule(g, column, dash);
    }
    buf_add_c(g->line, f->right);
    return write_line(g, err);
}

/* ---- fitting ---- */

static int separator_width(const grid *g)
{
    return g->style == GRID_TABLE ? 2 : 3;
}

/* Columns taken when none is wider than `cap`. */
static int total_width(const grid *g, int cap)
{
    int total = g->style == GRID_TABLE ? -2 : 1;

    for (size_t i = 0; i < g->count; i++) {
        const grid_column *column = &g->columns[i];
        if (column->shown) {
            total += (column->width < cap ? column->width : cap) + separator_width(g);
            total += column->gap ? 1 + separator_width(g) : 0;
        }
    }
    return total;
}

static void hide_middle(grid *g)
{
    size_t shown = g->count;

    while (shown > 1 && total_width(g, NARROW) > g->width) {
        size_t middle = shown / 2; /* of those that are left: the first half stays on the left */
        size_t seen = 0;
        for (size_t i = 0; i < g->count; i++) {
            seen += g->columns[i].shown ? 1 : 0;
            if (g->columns[i].shown && seen == middle + 1) {
                g->columns[i].shown = false;
                g->columns[i].gap = false;
                break;
            }
        }
        for (size_t i = 1; i < g->count; i++) {
            g->columns[i].gap = g->columns[i].shown && !g->columns[i - 1].shown;
        }
        shown--;
    }
    g->hidden = g->count - shown;
}

static void fit(grid *g)
{
    int cap = 0;

    for (size_t i = 0; i < g->count; i++) {
        cap = g->columns[i].width > cap ? g->columns[i].width : cap;
    }
    if (total_width(g, cap) <= g->width) {
        return;
    }
    if (total_width(g, NARROW) > g->width) {
        hide_middle(g);
    }
    while (cap > NARROW && total_width(g, cap) > g->width) {
        cap--;
    }
    cap = cap < 2 ? 2 : cap;
    for (size_t i = 0; i < g->count; i++) {
        if (g->columns[i].width > cap) {
            g->columns[i].width = cap;
        }
    }
}

/* ---- the table ---- */

status grid_begin(grid *g, const output_column *columns, size_t count, error *err)
{
    (void)err;
    g->count = count;
    g->columns = ARENA_ARRAY(g->c->memory, grid_column, count);
    for (size_t i = 0; i < count; i++) {
        buf *name = buf_in(g->c->memory, LIMIT_MIB);
        if (g->style == GRID_MD) {
            text_add_md(name, columns[i].name);
        } else {
            text_add_visible(name, columns[i].name);
        }
        g->columns[i] = (grid_column){.name = buf_str(name),
                                      .right = is_number_type(columns[i].type),
                                      .shown = true,
                                      .width = text_width(buf_str(name))};
        if (g->columns[i].width < (g->style == GRID_MD ? 3 : 1)) {
            g->columns[i].width = g->style == GRID_MD ? 3 : 1;
        }
    }
    return STATUS_OK;
}

static void measure(grid *g, const str *cells)
{
    for (size_t i = 0; i < g->count; i++) {
        buf_clear(g->cell);
        add_cell(g, g->cell, cells[i]);
        int width = text_width(buf_str(g->cell));
        if (width > g->columns[i].width) {
            g->columns[i].width = width;
        }
    }
}

static status write_head(grid *g, error *err)
{
    if (g->style == GRID_BOX) {
        TRY(write_rule(g, &(frame){"┌", "┬", "┐"}, "─", err));
    }
    TRY(write_cells(g, NULL, err));
    switch (g->style) {
    case GRID_BOX:
        return write_rule(g, &(frame){"├", "┼", "┤"}, "─", err);
    case GRID_MD:
        return write_rule(g, &(frame){"|", "|", "|"}, "-", err);
    default:
        return write_rule(g, &(frame){"", "  ", ""}, "-", err);
    }
}

/* The sample is complete: widths are settled, and it is printed. */
static status settle(grid *g, error *err)
{
    g->sized = true;
    if (g->width > 0) {
        fit(g);
    }
    TRY(write_head(g, err));
    for (size_t i = 0; i < g->sample.count; i++) {
        TRY(write_cells(g, g->sample.items[i], err));
    }
    g->sample.count = 0;
    arena_free(g->sample_memory);
    g->sample_memory = NULL;
    return STATUS_OK;
}

status grid_row(grid *g, const str *cells, error *err)
{
    if (g->sized) {
        return write_cells(g, cells, err);
    }
    str *kept = ARENA_ARRAY(g->sample_memory, str, g->count);
    for (size_t i = 0; i < g->count; i++) {
        kept[i] = str_copy(g->sample_memory, cells[i]);
        g->sample_bytes += cells[i].size;
    }
    measure(g, kept);
    vec_push(g->c->memory, &g->sample, kept);
    return g->sample.count >= SAMPLE_ROWS || g->sample_bytes >= SAMPLE_BYTES ? settle(g, err)
                                                                             : STATUS_OK;
}

status grid_end(grid *g, error *err)
{
    if (!g->sized) {
        TRY(settle(g, err));
    }
    return g->style == GRID_BOX ? write_rule(g, &(frame){"└", "┴", "┘"}, "─", err) : STATUS_OK;
}
