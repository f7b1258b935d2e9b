/* Claims about routes: which row a path finds, and what its names hold. */
#include "http_core.h"
#include "support/test.h"

typedef struct route {
    http_pattern pattern;
    const char *note; /* a row is more than its pattern */
} route;

static const route routes[] = {
    {{HTTP_GET, "/"}, "console"},
    {{HTTP_GET, "/livez"}, ""},
    {{HTTP_POST, "/api/v1/query"}, ""},
    {{HTTP_GET, "/api/v1/queries"}, ""},
    {{HTTP_GET, "/api/v1/queries/{id}"}, ""},
    {{HTTP_DELETE, "/api/v1/queries/{id}"}, ""},
    {{HTTP_GET, "/api/v1/queries/{id}/events"}, ""},
    {{HTTP_GET, "/api/v1/queries/last/result"}, "a literal beside a name"},
    {{HTTP_GET, "/api/v1/namespaces/{ns}/tables/{table}"}, ""},
    {{HTTP_GET, "/assets/{rest*}"}, ""},
    {{HTTP_GET, "/assets/known"}, ""},
    {{HTTP_GET, "/{bucket}/{key*}"}, ""},
};

enum { NOBODY = 1000, WRONG_METHOD = 1001, REFUSED = 1002 };

static http_exchange exchange_for(fixture *f, http_method method, const char *path)
{
    return (http_exchange){.memory = f->arena, .head = {.method = method, .path = str_c(path)}};
}

static size_t find(fixture *f, const http_router *router, http_method method, const char *path,
                   http_exchange *ret_x)
{
    size_t index = 0;

    *ret_x = exchange_for(f, method, path);
    switch (http_router_match(router, ret_x, &index, &f->err)) {
    case STATUS_OK:
        return index;
    case STATUS_NOT_FOUND:
        return NOBODY;
    case STATUS_METHOD:
        return WRONG_METHOD;
    default:
        return REFUSED;
    }
}

static void test_paths_find_their_row(void **state)
{
    fixture *f = *state;
    static const struct {
        http_method method;
        const char *path;
        size_t row;
    } cases[] = {
        {HTTP_GET, "/", 0},
        {HTTP_HEAD, "/", 0},
        {HTTP_GET, "/livez", 1},
        {HTTP_GET, "/%6civez", 1},
        {HTTP_GET, "/Livez", NOBODY},
        {HTTP_GET, "/livez/", 11}, /* a bucket with an empty key */
        {HTTP_POST, "/api/v1/query", 2},
        {HTTP_GET, "/api/v1/queries", 3},
        {HTTP_GET, "/api/v1/queries/7", 4},
        {HTTP_DELETE, "/api/v1/queries/7", 5},
        {HTTP_GET, "/api/v1/queries/7/events", 6},
        {HTTP_GET, "/api/v1/queries/last/result", 7},
        {HTTP_GET, "/api/v1/queries/last/events", 6}, /* back from the literal to the name */
        {HTTP_GET, "/api/v1/queries/last", 4},
        {HTTP_DELETE, "/api/v1/queries/7/events", WRONG_METHOD},
        {HTTP_PATCH, "/livez", WRONG_METHOD},
        {HTTP_GET, "/assets/known", 10},
        {HTTP_GET, "/assets/a/b/c", 9},
        {HTTP_GET, "/bucket/a//b", 11},
        {HTTP_GET, "//a", NOBODY}, /* a name is not empty */
        {HTTP_GET, "/bucket", NOBODY},
        {HTTP_GET, "*", NOBODY},
        {HTTP_GET, "", NOBODY},
        {HTTP_GET, "/assets/../livez", REFUSED},
        {HTTP_GET, "/assets/%2e%2E/livez", REFUSED},
        {HTTP_GET, "/./livez", REFUSED},
        {HTTP_GET, "/assets/...", 9},
    };
    http_router *router = http_router_create(routes, COUNT_OF(routes), sizeof routes[0]);
    http_exchange x;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        size_t row = find(f, router, cases[i].method, cases[i].path, &x);
        if (row != cases[i].row) {
            fail_msg("%s %s: wanted %zu, got %zu", http_method_name(cases[i].method), cases[i].path,
                     cases[i].row, row);
        }
    }
    http_router_free(router);
}

static void test_names_hold_decoded_segments(void **state)
{
    fixture *f = *state;
    http_router *router = http_router_create(routes, COUNT_OF(routes), sizeof routes[0]);
    http_exchange x;

    assert_int_equal(
        find(f, router, HTTP_GET, "/api/v1/namespaces/a%1Fb/tables/x%2Fy%20z%252F", &x), 8);
    EXPECT_STR(http_request_segment(&x, "ns"), "a\x1f"
                                               "b");
    EXPECT_STR(http_request_segment(&x, "table"), "x/y z%2F");
    assert_true(str_is_null(http_request_segment(&x, "id")));

    assert_int_equal(find(f, router, HTTP_GET, "/assets/a%20b/c", &x), 9);
    EXPECT_STR(http_request_segment(&x, "rest"), "a b/c");
    assert_int_equal(find(f, router, HTTP_GET, "/assets/", &x), 9);
    EXPECT_STR(http_request_segment(&x, "rest"), "");
    assert_false(str_is_null(http_request_segment(&x, "rest")));
    assert_int_equal(find(f, router, HTTP_GET, "/bucket/k//%C3%A4", &x), 11);
    EXPECT_STR(http_request_segment(&x, "bucket"), "bucket");
    EXPECT_STR(http_request_segment(&x, "key"), "k//\xc3\xa4");
    http_router_free(router);
}

static void test_wrong_method_tells_the_allowed_ones(void **state)
{
    fixture *f = *state;
    http_router *router = http_router_create(routes, COUNT_OF(routes), sizeof routes[0]);
    http_exchange x = exchange_for(f, HTTP_PUT, "/api/v1/queries/7");
    size_t index = 77;

    EXPECT_STATUS(METHOD, http_router_match(router, &x, &index, &f->err));
    EXPECT_MESSAGE(f, "method PUT is not allowed for path \"/api/v1/queries/7\"");
    assert_int_equal(index, 77);
    EXPECT_STATUS(METHOD, http_router_match(router, &x, &index, NULL));
    assert_int_equal(x.headers.count, 1); /* once, however often one looks */
    EXPECT_STR(x.headers.items[0].name, "Allow");
    EXPECT_STR(x.headers.items[0].value, "GET, HEAD, DELETE");
    http_router_free(router);
}

static void test_paths_of_many_segments_are_refused_without_harm(void **state)
{
    fixture *f = *state;
    http_router *router = http_router_create(routes, COUNT_OF(routes), sizeof routes[0]);
    buf *path = buf_in(f->arena, 100000);
    http_exchange x;

    for (int i = 0; i < 10000; i++) {
        buf_add_c(path, "/a");
    }
    assert_int_equal(find(f, router, HTTP_GET, path->data, &x), 11); /* the rest is one name */
    http_router_free(router);
}

TESTS(test_paths_find_their_row, test_names_hold_decoded_segments,
      test_wrong_method_tells_the_allowed_ones,
      test_paths_of_many_segments_are_refused_without_harm)
