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
#define NARROW 10      /* text is cut down to this before columns are left out */
#define FIRST_LEAST 24 /* of the first column, where it is text */
#define NAME_LEAST 8   /* of a name over shorter values */
#define ELLIPSIS "…"   /* stands for what was cut */

typedef struct grid_column {
    str name; /* visible */
    bool right;
    bool shown;
    bool gap;   /* columns before this one are left out */
    bool rigid; /* a part of a number or a time says less than nothing */
    int width;
    int value_width; /* of the widest value */
    int least;       /* it is not cut below this */
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
    bool expanded;
    int64_t rows; /* written, where they are numbered */
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

static bool is_time_type(str type)
{
    static const str names[] = {STR_INIT("DATE"), STR_INIT("TIME"), STR_INIT("BOOLEAN"),
                                STR_INIT("UUID")};

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (str_starts_with_nocase(type, names[i])) {
            return str_find_char(type, '[') == STR_NPOS;
        }
    }
    return false;
}

/* ---- what a cell looks like ---- */

static void add_cell(const grid *g, buf *out, str cell)
{
    if (cell_is_null(cell) && !str_is_null(g->c->look.null_text)) {
        text_add_visible(out, g->c->look.null_text);
    } else if (g->style == GRID_MD) {
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
    bool cut = g->width > 0 && !g->c->look.unfitted && width > column->width;

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

/* ---- a row as a block ---- */

static int widest_name(const grid *g)
{
    int width = 1;

    for (size_t i = 0; i < g->count; i++) {
        int own = text_width(g->columns[i].name);
        width = own > width ? own : width;
    }
    return width;
}

/* "-[ row 3 ]----": as long as the names and a bit of the values. */
static status write_block_rule(grid *g, int names, error *err)
{
    int length = names + 3 + 20;

    buf_printf(g->line, "-[ row %lld ]", (long long)g->rows);
    length = g->width > 0 && length > g->width ? g->width : length;
    while (g->line->size < (size_t)length) {
        buf_add_char(g->line, '-');
    }
    return write_line(g, err);
}

static status write_block(grid *g, const str *cells, error *err)
{
    int names = widest_name(g);

    g->rows++;
    TRY(write_block_rule(g, names, err));
    for (size_t i = 0; i < g->count; i++) {
        bool dim = g->c->color_out && cell_is_null(cells[i]);
        buf_add_str(g->line, g->columns[i].name);
        add_spaces(g->line, names - text_width(g->columns[i].name));
        buf_add_c(g->line, dim ? " | \x1b[2m" : " | ");
        buf_clear(g->cell);
        add_cell(g, g->cell, cells[i]);
        buf_add_str(g->line, buf_str(g->cell));
        buf_add_c(g->line, dim ? "\x1b[0m" : "");
        TRY(write_line(g, err));
    }
    return STATUS_OK;
}

/* ---- fitting ---- */

static int separator_width(const grid *g)
{
    return g->style == GRID_TABLE ? 2 : 3;
}

static int capped(const grid_column *column, int cap)
{
    int most = cap > column->least ? cap : column->least;

    return column->width < most ? column->width : most;
}

/* Columns taken when none is wider than `cap`, or than what it needs at least. */
static int total_width(const grid *g, int cap)
{
    int total = g->style == GRID_TABLE ? -2 : 1;

    for (size_t i = 0; i < g->count; i++) {
        const grid_column *column = &g->columns[i];
        if (column->shown) {
            total += capped(column, cap) + separator_width(g);
            total += column->gap ? 1 + separator_width(g) : 0;
        }
    }
    return total;
}

static void hide_middle(grid *g)
{
    size_t shown = g->count;

    while (shown > 1 && total_width(g, 0) > g->width) {
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

static int widest_column(const grid *g)
{
    int width = 0;

    for (size_t i = 0; i < g->count; i++) {
        width = g->columns[i].width > width ? g->columns[i].width : width;
    }
    return width;
}

static void set_least(grid_column *column)
{
    int values = column->value_width > 0 ? column->value_width : 1;
    int name = text_width(column->name) < NAME_LEAST ? text_width(column->name) : NAME_LEAST;
    int least = column->rigid || values < NARROW ? values : NARROW;

    column->least = least > name ? least : name;
    column->least = column->least < column->width ? column->least : column->width;
}

static void fit(grid *g)
{
    int cap = widest_column(g);
    grid_column *first = &g->columns[0];

    for (size_t i = 0; i < g->count; i++) {
        set_least(&g->columns[i]);
    }
    if (!first->rigid && first->least < first->width) { /* it tells which row this is */
        first->least = first->width < FIRST_LEAST ? first->width : FIRST_LEAST;
    }
    if (total_width(g, 0) > g->width) {
        hide_middle(g);
    }
    while (cap > 2 && total_width(g, cap) > g->width) {
        cap--;
    }
    for (size_t i = 0; i < g->count; i++) {
        grid_column *column = &g->columns[i];
        int room = g->width - (g->style == GRID_TABLE ? 0 : 4); /* of a column that stands alone */
        int width = capped(column, cap);
        column->width = width <= room ? width : room > 2 ? room : 2;
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
        g->columns[i] =
            (grid_column){.name = buf_str(name),
                          .right = is_number_type(columns[i].type),
                          .rigid = is_number_type(columns[i].type) || is_time_type(columns[i].type),
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
        if (width > g->columns[i].value_width) {
            g->columns[i].value_width = width;
        }
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
        return g->c->look.no_rule ? STATUS_OK : write_rule(g, &(frame){"", "  ", ""}, "-", err);
    }
}

static status write_row(grid *g, const str *cells, error *err)
{
    return g->expanded ? write_block(g, cells, err) : write_cells(g, cells, err);
}

/* The sample is complete: widths are settled, and it is printed. */
static status settle(grid *g, error *err)
{
    bool fits = g->width == 0 || total_width(g, widest_column(g)) <= g->width;

    g->sized = true;
    g->expanded = g->style != GRID_MD &&
                  (g->c->look.expand == EXPAND_ON || (g->c->look.expand == EXPAND_AUTO && !fits));
    if (!g->expanded) {
        if (!fits && !g->c->look.unfitted) {
            fit(g);
        }
        TRY(write_head(g, err));
    }
    for (size_t i = 0; i < g->sample.count; i++) {
        TRY(write_row(g, g->sample.items[i], err));
    }
    g->sample.count = 0;
    arena_free(g->sample_memory);
    g->sample_memory = NULL;
    return STATUS_OK;
}

status grid_row(grid *g, const str *cells, error *err)
{
    if (g->sized) {
        return write_row(g, cells, err);
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
    return g->style == GRID_BOX && !g->expanded ? write_rule(g, &(frame){"└", "┴", "┘"}, "─", err)
                                                : STATUS_OK;
}
