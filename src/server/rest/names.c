/* Lists of names in pages. A page token is what the next page begins behind, with what it is a list of, so that a token
 * of another list is refused; an absent token means everything, an empty one begins. */
#include "handlers.h"
#include "tarn/base/limits.h"

#define PAGE_DEFAULT 1000
#define PAGE_MAX 10000

typedef status (*page_reader)(catalog *c, str space, const catalog_page *page, arena *a,
                              catalog_names *ret_names, error *err);

typedef struct listing {
    const char *kind; /* in tokens */
    const char *member;
    str space, shown_space;
    page_reader read;
} listing;

static str token_head(const rest_call *c, const listing *l)
{
    return str_printf(c->base.a, "1\n%s\n%.*s\n", l->kind, (int)l->space.size, l->space.data);
}

static str make_token(const rest_call *c, const listing *l, str after)
{
    str text = str_concat(c->base.a, token_head(c, l), after);

    return str_to_hex(c->base.a, text.data, text.size);
}

static status read_token(const rest_call *c, const listing *l, str token, str *ret_after,
                         error *err)
{
    str head = token_head(c, l);
    str text;

    if (str_from_hex(c->base.a, token, &text, NULL) != STATUS_OK || !str_starts_with(text, head)) {
        return error_set(err, STATUS_INVALID, "invalid pageToken: it is none of this list");
    }
    *ret_after = str_slice(text, head.size, text.size);
    return STATUS_OK;
}

/* Digits alone, and more of them than a number of ours has. */
static bool is_beyond_counting(str text)
{
    bool digits = text.size >= 19;

    for (size_t i = 0; digits && i < text.size; i++) {
        digits = text.data[i] >= '0' && text.data[i] <= '9';
    }
    return digits && text.data[0] != '0';
}

static status read_page(const rest_call *c, const listing *l, catalog_page *ret_page, error *err)
{
    str token = http_request_param(c->base.x, "pageToken");
    str size_text = http_request_param(c->base.x, "pageSize");
    catalog_page page = {.after = STR_NULL, .limit = 0};
    int64_t size = PAGE_DEFAULT;

    if (is_beyond_counting(size_text)) {
        size = PAGE_MAX;
    } else if (size_text.size > 0 &&
               (str_to_int64(size_text, &size, NULL) != STATUS_OK || size < 1)) {
        return error_set(err, STATUS_INVALID, "invalid pageSize: \"%.*s\" is no positive number",
                         STR_ARG(size_text));
    }
    if (!str_is_null(token)) {
        page.limit = size > PAGE_MAX ? PAGE_MAX : (size_t)size;
    }
    if (token.size > 0) {
        TRY(read_token(c, l, token, &page.after, err));
    }
    *ret_page = page;
    return STATUS_OK;
}

static void put_identifier(const rest_call *c, table_name name, json_writer *w)
{
    json_begin_object(w);
    json_key(w, "namespace");
    rest__put_levels(c, name.space, w);
    json_member_str(w, "name", name.table);
    json_end_object(w);
}

static void put_next(const rest_call *c, const listing *l, str next, json_writer *w)
{
    if (str_is_null(next)) {
        json_member_null(w, "next-page-token");
    } else {
        json_member_str(w, "next-page-token", make_token(c, l, next));
    }
}

static status answer_list(rest_call *c, const listing *l, error *err)
{
    catalog_page page;
    catalog_names names;

    TRY(read_page(c, l, &page, err));
    status found = l->read(c->base.app->catalog, l->space, &page, c->base.a, &names, err);
    if (found == STATUS_NO_NAMESPACE) {
        return rest__no_space(c, l->shown_space, err);
    }
    TRY(found);
    json_writer w = answer_begin(&c->base);
    json_begin_object(&w);
    json_key(&w, l->member);
    json_begin_array(&w);
    for (size_t i = 0; i < names.count; i++) {
        if (names.items[i].table.size > 0) {
            put_identifier(c, names.items[i], &w);
        } else if (rest__is_inside(c, names.items[i].space)) {
            rest__put_levels(c, names.items[i].space, &w);
        }
    }
    json_end_array(&w);
    put_next(c, l, names.next, &w);
    json_end_object(&w);
    return rest__send(c, &w, err);
}

status rest__namespaces_get(rest_call *c, error *err)
{
    listing l = {.kind = "namespaces", .member = "namespaces", .read = catalog_page_namespaces};
    table_name parent = {.table = STR("")};

    TRY(rest__read_space_param(c, "parent", &l.space, &l.shown_space, err));
    parent.space = l.space;
    TRY(rest__allow(c, ACTION_NAMESPACE_LIST, parent, err));
    return answer_list(c, &l, err);
}

status rest__tables_get(rest_call *c, error *err)
{
    const listing l = {.kind = "tables",
                       .member = "identifiers",
                       .space = c->name.space,
                       .shown_space = c->shown_space,
                       .read = catalog_page_tables};

    return answer_list(c, &l, err);
}

status rest__views_get(rest_call *c, error *err)
{
    const listing l = {.kind = "views",
                       .member = "identifiers",
                       .space = c->name.space,
                       .shown_space = c->shown_space,
                       .read = catalog_page_views};

    return answer_list(c, &l, err);
}

/* ---- functions: there are none ---- */

static status find_space(rest_call *c, error *err)
{
    namespace_info info;
    status found =
        catalog_get_namespace(c->base.app->catalog, c->name.space, c->base.a, &info, err);

    return found == STATUS_NO_NAMESPACE ? rest__no_space(c, c->shown_space, err) : found;
}

static status read_nothing(catalog *c, str space, const catalog_page *page, arena *a,
                           catalog_names *ret_names, error *err)
{
    (void)c;
    (void)space;
    (void)page;
    (void)a;
    (void)err;
    *ret_names = (catalog_names){.next = STR_NULL};
    return STATUS_OK;
}

status rest__functions_get(rest_call *c, error *err)
{
    const listing l = {.kind = "functions",
                       .member = "identifiers",
                       .space = c->name.space,
                       .shown_space = c->shown_space,
                       .read = read_nothing};

    TRY(find_space(c, err));
    return answer_list(c, &l, err);
}

status rest__function_get(rest_call *c, error *err)
{
    TRY(find_space(c, err));
    return rest__fail(c, err, STATUS_NOT_FOUND, 404, "NoSuchFunctionException",
                      "Function does not exist: %.*s", STR_ARG(c->shown));
}
