/* Routes: a trie over path segments. A node tries its literal children by binary search, then a name, then
 * the rest of the path; so the more literal route wins, whatever the order of the table. */
#include "http_core.h"

#define NO_ROW SIZE_MAX

enum { SEGMENTS_MAX = 64 }; /* of a path that routes are looked up for */

typedef struct route_node route_node;
struct route_node {
    str literal;
    VEC(route_node *) children;   /* sorted by literal */
    route_node *any;              /* {name} */
    size_t rows[HTTP_OTHER];      /* of paths that end here */
    size_t rest_rows[HTTP_OTHER]; /* {name*} */
    bool has_rest;
};

typedef struct route_row {
    str names[HTTP_SEGMENTS_MAX];
    size_t name_count;
} route_row;

struct http_router {
    arena *memory;
    route_node *root;
    route_row *rows;
};

static route_node *node_create(arena *a, str literal)
{
    route_node *node = ARENA_NEW(a, route_node);

    node->literal = literal;
    for (size_t i = 0; i < HTTP_OTHER; i++) {
        node->rows[i] = node->rest_rows[i] = NO_ROW;
    }
    return node;
}

static size_t child_index(const route_node *node, str literal, bool *ret_found)
{
    size_t low = 0;
    size_t high = node->children.count;

    *ret_found = false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = str_compare(node->children.items[middle]->literal, literal);
        if (order == 0) {
            *ret_found = true;
            return middle;
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static route_node *literal_child(arena *a, route_node *node, str literal)
{
    bool found = false;
    size_t at = child_index(node, literal, &found);

    if (!found) {
        vec_push(a, &node->children, NULL);
        memmove(node->children.items + at + 1, node->children.items + at,
                (node->children.count - 1 - at) * sizeof(route_node *));
        node->children.items[at] = node_create(a, str_copy(a, literal));
    }
    return node->children.items[at];
}

/* A pattern is part of the program: a bad one is a broken promise, found at the first start. */
static void add_route(http_router *router, const http_pattern *pattern, size_t index)
{
    route_row *row = &router->rows[index];
    route_node *node = router->root;
    str rest = str_c(pattern->pattern);

    ASSERT(rest.size > 0 && rest.data[0] == '/' && pattern->method < HTTP_OTHER);
    rest = str_slice(rest, 1, rest.size);
    for (size_t depth = 1; !str_is_null(rest); depth++) {
        ASSERT(depth < SEGMENTS_MAX);
        str segment = str_cut(rest, '/', &rest);
        bool is_name =
            segment.size > 2 && segment.data[0] == '{' && segment.data[segment.size - 1] == '}';
        if (!is_name) {
            node = literal_child(router->memory, node, segment);
            continue;
        }
        str name = str_slice(segment, 1, segment.size - 1);
        bool is_rest = str_ends_with(name, STR("*"));
        ASSERT(row->name_count < HTTP_SEGMENTS_MAX && (!is_rest || str_is_null(rest)));
        row->names[row->name_count++] = is_rest ? str_slice(name, 0, name.size - 1) : name;
        if (is_rest) {
            ASSERT(node->rest_rows[pattern->method] == NO_ROW);
            node->rest_rows[pattern->method] = index;
            node->has_rest = true;
            return;
        }
        if (node->any == NULL) {
            node->any = node_create(router->memory, STR_NULL);
        }
        node = node->any;
    }
    ASSERT(node->rows[pattern->method] == NO_ROW);
    node->rows[pattern->method] = index;
}

http_router *http_router_create(const void *rows, size_t row_count, size_t stride)
{
    arena *memory = arena_create();
    http_router *router = ARENA_NEW(memory, http_router);

    router->memory = memory;
    router->root = node_create(memory, STR_NULL);
    router->rows = ARENA_ARRAY(memory, route_row, row_count);
    for (size_t i = 0; i < row_count; i++) {
        add_route(router, (const http_pattern *)(const void *)((const char *)rows + i * stride), i);
    }
    return router;
}

void http_router_free(http_router *router)
{
    if (router != NULL) {
        arena_free(router->memory);
    }
}

/* ---- matching ---- */

typedef struct lookup {
    const str *raw; /* the path's segments as sent … */
    const str *decoded;
    size_t count;
    const char *path_end;
    http_method method;
    str values[HTTP_SEGMENTS_MAX];
    size_t value_count;
    bool last_is_rest; /* the last value is raw */
    unsigned allowed;  /* bit set of methods that have this path */
} lookup;

static size_t pick_row(lookup *l, const size_t rows[HTTP_OTHER])
{
    for (size_t i = 0; i < HTTP_OTHER; i++) {
        l->allowed |= rows[i] != NO_ROW ? 1u << i : 0;
    }
    size_t row = rows[l->method];
    return row == NO_ROW && l->method == HTTP_HEAD ? rows[HTTP_GET] : row;
}

/* Depth is the number of segments of the longest pattern. */
static size_t find_row(const route_node *node, size_t at, lookup *l)
{
    size_t row = NO_ROW;

    if (at == l->count) {
        return pick_row(l, node->rows);
    }
    bool found = false;
    size_t child = child_index(node, l->decoded[at], &found);
    if (found) {
        row = find_row(node->children.items[child], at + 1, l);
    }
    if (row == NO_ROW && node->any != NULL && l->decoded[at].size > 0 &&
        l->value_count < HTTP_SEGMENTS_MAX) {
        l->values[l->value_count++] = l->decoded[at];
        row = find_row(node->any, at + 1, l);
        if (row == NO_ROW) {
            l->value_count--;
        }
    }
    if (row == NO_ROW && node->has_rest && l->value_count < HTTP_SEGMENTS_MAX) {
        row = pick_row(l, node->rest_rows);
        if (row != NO_ROW) {
            const char *from = l->raw[at].data;
            l->values[l->value_count++] = str_from(from, (size_t)(l->path_end - from));
            l->last_is_rest = true;
        }
    }
    return row;
}

/* Dots are looked for in all segments, also in those behind the last that is kept: they can only be the rest of
 * a path, since no pattern is that deep. */
static status split_path(arena *a, str path, str *raw, str *decoded, size_t *ret_count, error *err)
{
    size_t count = 0;

    for (str rest = str_slice(path, 1, path.size); !str_is_null(rest);) {
        str segment = str_cut(rest, '/', &rest);
        str text = segment;
        if (str_find_char(segment, '%') != STR_NPOS) {
            TRY(uri_decode(a, segment, &text, err));
        }
        if (str_equal(text, STR(".")) || str_equal(text, STR(".."))) {
            return error_set(err, STATUS_INVALID, "path \"%.*s\" has a segment \"%.*s\"",
                             STR_ARG(path), STR_ARG(text));
        }
        if (count < SEGMENTS_MAX) {
            raw[count] = segment;
            decoded[count++] = text;
        }
    }
    *ret_count = count;
    return STATUS_OK;
}

static void set_allow(http_exchange *x, unsigned allowed)
{
    buf *text = buf_in(x->memory, 256);

    for (size_t i = 0; i < x->headers.count; i++) {
        if (str_equal(x->headers.items[i].name, STR("Allow"))) {
            return; /* somebody looked before */
        }
    }
    allowed |= (allowed & (1u << HTTP_GET)) != 0 ? 1u << HTTP_HEAD : 0;
    for (size_t i = 0; i < HTTP_OTHER; i++) {
        if ((allowed & (1u << i)) != 0) {
            buf_printf(text, "%s%s", text->size > 0 ? ", " : "", http_method_name((http_method)i));
        }
    }
    http_set_header(x, "Allow", buf_str(text));
}

/* Names of the row that was found, values of the way that led to it. */
static status store_segments(const route_row *row, const lookup *l, http_exchange *x, error *err)
{
    ASSERT(row->name_count == l->value_count);
    for (size_t i = 0; i < l->value_count; i++) {
        x->segment_names[i] = row->names[i];
        x->segment_values[i] = l->values[i];
    }
    x->segment_count = l->value_count;
    if (l->last_is_rest) {
        str *rest = &x->segment_values[l->value_count - 1];
        TRY(uri_decode(x->memory, *rest, rest, err));
    }
    return STATUS_OK;
}

status http_router_match(const http_router *router, http_exchange *x, size_t *ret_index, error *err)
{
    str raw[SEGMENTS_MAX];
    str decoded[SEGMENTS_MAX];
    str path = x->head.path;
    lookup l = {.raw = raw, .decoded = decoded, .method = x->head.method};
    size_t row = NO_ROW;

    if (path.size > 0 && path.data[0] == '/') {
        TRY(split_path(x->memory, path, raw, decoded, &l.count, err));
        l.path_end = path.data + path.size;
        row = find_row(router->root, 0, &l);
    }
    if (row == NO_ROW && l.allowed != 0) {
        set_allow(x, l.allowed);
        return error_set(err, STATUS_METHOD, "method %s is not allowed for path \"%.*s\"",
                         http_method_name(x->head.method), STR_ARG(path));
    }
    if (row == NO_ROW) {
        return error_set(err, STATUS_NOT_FOUND, "there is nothing at path \"%.*s\"", STR_ARG(path));
    }
    TRY(store_segments(&router->rows[row], &l, x, err));
    *ret_index = row;
    return STATUS_OK;
}
