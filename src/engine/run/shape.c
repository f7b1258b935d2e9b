/* Reading shapes from footers, and the cache. What is made of them is in shape_sql.c. */
#include "run/shape.h"

#include <fcntl.h>

#include "run/shape_node.h"
#include "tarn/base/fs.h"
#include "tarn/base/limits.h"
#include "tarn/codec/parquet.h"

#define CACHE_FILES_MAX 200000 /* then the cache starts again */
#define SHAPE_DEPTH_MAX 64

void shape_cache_init(shape_cache *c)
{
    mutex_init(&c->lock);
    c->memory = arena_create();
    c->by_location = map_create(NULL);
    c->by_text = map_create(NULL);
    c->footers = map_create(NULL);
}

void shape_cache_release(shape_cache *c)
{
    map_free(c->by_location);
    map_free(c->by_text);
    map_free(c->footers);
    arena_free(c->memory);
    mutex_release(&c->lock);
}

/* ---- from a footer ---- */

typedef struct reader {
    const parquet_footer *footer;
    arena *a;
    size_t at; /* next element */
    int depth;
    bool compares_names; /* once for equal shapes is enough */
} reader;

static ice_kind leaf_kind(const parquet_element *e)
{
    switch (e->logical) {
    case PARQUET_LOGICAL_STRING:
    case PARQUET_LOGICAL_ENUM:
    case PARQUET_LOGICAL_JSON:
        return ICE_STRING;
    case PARQUET_LOGICAL_UNKNOWN:
        return ICE_UNKNOWN;
    case PARQUET_LOGICAL_GEOMETRY:
        return ICE_GEOMETRY;
    case PARQUET_LOGICAL_GEOGRAPHY:
        return ICE_GEOGRAPHY;
    case PARQUET_LOGICAL_DECIMAL:
        return ICE_DECIMAL;
    case PARQUET_LOGICAL_DATE:
        return ICE_DATE;
    case PARQUET_LOGICAL_UUID:
        return ICE_UUID;
    case PARQUET_LOGICAL_TIME:
        return ICE_TIME;
    case PARQUET_LOGICAL_TIMESTAMP:
        if (e->unit == PARQUET_NANOS) {
            return e->utc_adjusted ? ICE_TIMESTAMPTZ_NS : ICE_TIMESTAMP_NS;
        }
        return e->utc_adjusted ? ICE_TIMESTAMPTZ : ICE_TIMESTAMP;
    case PARQUET_LOGICAL_INTEGER:
        return e->bit_width == 64 ? ICE_LONG : ICE_INT;
    case PARQUET_LOGICAL_NONE:
        break;
    default:
        return SHAPE_OTHER;
    }
    switch (e->type) {
    case PARQUET_BOOLEAN:
        return ICE_BOOLEAN;
    case PARQUET_INT32:
        return ICE_INT;
    case PARQUET_INT64:
        return ICE_LONG;
    case PARQUET_INT96:
        return ICE_TIMESTAMP;
    case PARQUET_FLOAT:
        return ICE_FLOAT;
    case PARQUET_DOUBLE:
        return ICE_DOUBLE;
    case PARQUET_BYTE_ARRAY:
    case PARQUET_FIXED:
        return ICE_BINARY;
    default:
        return SHAPE_OTHER;
    }
}

/* DuckDB has a type of its own for these. */
static bool needs_recast(const parquet_element *e)
{
    switch (e->logical) {
    case PARQUET_LOGICAL_JSON:
    case PARQUET_LOGICAL_GEOMETRY:
    case PARQUET_LOGICAL_GEOGRAPHY:
        return true;
    case PARQUET_LOGICAL_INTEGER:
        return !e->is_signed || e->bit_width < 32;
    case PARQUET_LOGICAL_TIME:
        return e->unit == PARQUET_NANOS || e->utc_adjusted;
    case PARQUET_LOGICAL_TIMESTAMP:
        return e->old_annotation; /* is read without its zone */
    default:
        return e->type == PARQUET_INT96;
    }
}

static bool is_misfiltered(const parquet_footer *footer, const parquet_element *e, ice_kind kind)
{
    if (kind != ICE_BINARY && kind != ICE_FLOAT && kind != ICE_DOUBLE) {
        return false;
    }
    for (size_t i = 0; i < footer->row_group_count; i++) {
        if (footer->row_groups[i].columns[e->leaf_index].has_bloom_filter) {
            return true;
        }
    }
    return false;
}

static bool is_ambiguous(const shape_node *node, bool is_root)
{
    static const char *const virtual_names[] = {"filename", "file_index", "file_row_number"};
    for (size_t i = 0; i < node->child_count; i++) {
        for (size_t k = 0; is_root && k < COUNT_OF(virtual_names); k++) {
            if (str_equal_nocase(node->children[i].name, str_c(virtual_names[k]))) {
                return true;
            }
        }
        for (size_t k = 0; k < i; k++) {
            if (str_equal_nocase(node->children[i].name, node->children[k].name)) {
                return true;
            }
        }
    }
    return false;
}

static void read_node(reader *r, shape_node *node, bool is_element);

static void skip_node(reader *r)
{
    size_t children = r->footer->elements[r->at++].child_count;
    for (size_t i = 0; i < children && r->at < r->footer->element_count; i++) {
        skip_node(r);
    }
}

static void read_children(reader *r, size_t count, shape_node *node)
{
    shape_node *children = ARENA_ARRAY(r->a, shape_node, count + 1);
    node->children = children;
    node->child_count = count;
    for (size_t i = 0; i < count && r->at < r->footer->element_count; i++) {
        read_node(r, &children[i], false);
    }
    node->ambiguous =
        r->compares_names && node->kind == ICE_STRUCT && is_ambiguous(node, r->depth == 1);
}

/* group (LIST) { repeated group { element } }, or the older form where the repeated field is the
 * element itself. */
static void read_list(reader *r, shape_node *node)
{
    const parquet_element *repeated = &r->footer->elements[r->at];
    shape_node *element = ARENA_NEW(r->a, shape_node);
    node->kind = ICE_LIST;
    node->children = element;
    node->child_count = 1;
    bool wrapped = repeated->type == PARQUET_GROUP && repeated->child_count == 1 &&
                   !str_equal(repeated->name, STR("array")) &&
                   !(str_ends_with(repeated->name, STR("_tuple")) &&
                     str_equal(str_slice(repeated->name, 0, repeated->name.size - 6), node->name));
    if (wrapped) {
        r->at++;
    }
    read_node(r, element, true);
    element->bare = !wrapped && element->kind == ICE_STRUCT && element->child_count == 1;
}

/* A repeated field on its own is a list without the frame. */
static void read_repeated(reader *r, shape_node *node)
{
    shape_node *element = ARENA_NEW(r->a, shape_node);
    node->kind = ICE_LIST;
    node->children = element;
    node->child_count = 1;
    read_node(r, element, true);
    element->bare = element->kind == ICE_STRUCT && element->child_count == 1;
}

/* `is_element`: a list has taken notice of its repetition. */
static void read_node(reader *r, shape_node *node, bool is_element)
{
    const parquet_element *e = &r->footer->elements[r->at];
    *node =
        (shape_node){.name = str_copy(r->a, e->name), .field_id = e->field_id, .kind = SHAPE_OTHER};
    if (++r->depth > SHAPE_DEPTH_MAX) {
        skip_node(r);
    } else if (e->repetition == PARQUET_REPEATED && !is_element && r->at > 0) {
        read_repeated(r, node);
    } else if (e->type != PARQUET_GROUP) {
        r->at++;
        node->kind = leaf_kind(e);
        node->precision = e->precision;
        node->scale = e->scale;
        node->recast = needs_recast(e);
        node->misfiltered = is_misfiltered(r->footer, e, node->kind);
    } else if (e->logical == PARQUET_LOGICAL_LIST && e->child_count == 1) {
        r->at++;
        read_list(r, node);
    } else if (e->logical == PARQUET_LOGICAL_MAP && e->child_count == 1 &&
               r->at + 1 < r->footer->element_count &&
               r->footer->elements[r->at + 1].child_count == 2) {
        r->at += 2;
        node->kind = ICE_MAP;
        read_children(r, 2, node);
    } else if (e->logical == PARQUET_LOGICAL_VARIANT) {
        node->kind = ICE_VARIANT;
        skip_node(r);
    } else {
        r->at++;
        node->kind = ICE_STRUCT;
        read_children(r, e->child_count, node);
    }
    r->depth--;
}

/* A text that is equal exactly for equal trees: the names are quoted by their length. */
static void describe(const shape_node *node, buf *out)
{
    buf_printf(out, "%d:%d:%d:%d:%d:%d:%zu:", (int)node->kind, node->field_id, node->precision,
               node->scale, node->recast, node->misfiltered, node->name.size);
    buf_add_str(out, node->name);
    buf_printf(out, "%s[%zu", node->bare ? "b" : "", node->child_count);
    for (size_t i = 0; i < node->child_count; i++) {
        describe(&node->children[i], out);
    }
    buf_add_char(out, ']');
}

static bool has_ids(const shape_node *node)
{
    for (size_t i = 0; i < node->child_count; i++) {
        if (node->children[i].field_id != PARQUET_NO_FIELD_ID || has_ids(&node->children[i])) {
            return true;
        }
    }
    return false;
}

static const shape *intern(shape_cache *c, str location, const parquet_footer *footer)
{
    arena *scratch = arena_create();
    reader r = {.footer = footer, .a = scratch};
    shape_node root;
    buf *text = buf_in(scratch, LIMIT_PARQUET_FOOTER);
    read_node(&r, &root, false);
    describe(&root, text);

    mutex_lock(&c->lock);
    shape *found = map_get(c->by_text, buf_str(text));
    if (found == NULL) {
        reader again = {.footer = footer, .a = c->memory, .compares_names = true};
        found = ARENA_NEW(c->memory, shape);
        read_node(&again, &found->root, false);
        found->has_ids = has_ids(&found->root);
        map_set(c->by_text, buf_str(text), found);
    }
    if (map_count(c->by_location) >= CACHE_FILES_MAX) {
        map_free(c->by_location);
        map_free(c->footers);
        c->by_location = map_create(NULL);
        c->footers = map_create(NULL);
    }
    map_set(c->by_location, location, found);
    map_set(c->footers, location, (void *)(uintptr_t)footer->footer_bytes);
    mutex_unlock(&c->lock);
    arena_free(scratch);
    return found;
}

status shape_of(shape_cache *c, str location, const char *path, const shape **ret_shape, error *err)
{
    mutex_lock(&c->lock);
    const shape *found = map_get(c->by_location, location);
    mutex_unlock(&c->lock);
    if (found == NULL) {
        arena *a = arena_create();
        parquet_footer footer;
        int fd = -1;
        status result = fs_open(path, O_RDONLY, 0, &fd, err);
        if (result == STATUS_OK) {
            result = parquet_footer_read(fd, a, &footer, err);
            fs_close(fd);
        }
        if (result == STATUS_OK) {
            found = intern(c, location, &footer);
        }
        arena_free(a);
        if (result != STATUS_OK) {
            error_context(err, "data file \"%.*s\"", STR_ARG(location));
            return result;
        }
    }
    *ret_shape = found;
    return STATUS_OK;
}

int64_t shape_footer_bytes(shape_cache *c, str location)
{
    mutex_lock(&c->lock);
    uintptr_t bytes = (uintptr_t)map_get(c->footers, location);
    mutex_unlock(&c->lock);
    return bytes > 0 ? (int64_t)bytes : INT64_MAX;
}
