/* A generator: rows of one kind in one format, in pieces. */
#include "generate/generate.h"

#include "tarn/base/mem.h"

struct generator {
    const generate_kind *kind;
    generate_options options;
    void *made;
    int64_t done;
    bool ended;
};

generator *generator_create(const generate_kind *kind, const generate_options *options)
{
    generator *g = NEW(generator);

    g->kind = kind;
    g->options = *options;
    g->made = kind->create(options);
    return g;
}

void generator_free(generator *g)
{
    g->kind->free(g->made);
    mem_free(g);
}

int64_t generator_done(const generator *g)
{
    return g->done;
}

void generator_columns(generator *g, buf *out)
{
    g->kind->columns(g->made, out);
}

static void add_row(generator *g, buf *out)
{
    g->kind->next(g->made, g->done);
    switch (g->options.format) {
    case GENERATE_CSV:
        g->kind->row_csv(g->made, out);
        buf_add_char(out, '\n');
        break;
    case GENERATE_NDJSON:
        g->kind->row_json(g->made, out);
        buf_add_char(out, '\n');
        break;
    case GENERATE_JSON:
        buf_add_c(out, g->done == 0 ? "" : ",\n");
        g->kind->row_json(g->made, out);
        break;
    }
    g->done++;
}

bool generator_next(generator *g, size_t bytes, buf *out)
{
    size_t enough = out->size + bytes;

    if (g->ended) {
        return false;
    }
    if (g->done == 0 && g->options.format == GENERATE_CSV) {
        g->kind->header_csv(g->made, out);
        buf_add_char(out, '\n');
    }
    if (g->done == 0 && g->options.format == GENERATE_JSON) {
        buf_add_c(out, "[");
    }
    while (g->done < g->options.rows && out->size < enough) {
        add_row(g, out);
    }
    if (g->done == g->options.rows) {
        g->ended = true;
        buf_add_c(out, g->options.format == GENERATE_JSON ? "]\n" : "");
    }
    return true;
}
