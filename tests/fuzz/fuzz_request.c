/* Requests of REST clients: the first byte chooses what the rest is: a commit of a table or view, or a new one. What is
 * accepted must be written in a form that can be read. */
#include "support/fuzz.h"

#include "tarn/base/limits.h"
#include "tarn/iceberg/request.h"

static void read_again(const ice_metadata *m, arena *a)
{
    buf *text = buf_in(a, LIMIT_METADATA_FILE);
    ice_metadata *back = NULL;

    ice_metadata_format(m, text);
    ASSERT(ice_metadata_parse(buf_str(text), &back, NULL) == STATUS_OK);
    ice_metadata_unref(back);
    ice_metadata_unref(m);
}

static ice_metadata *table(int version)
{
    static const str versions[] = {STR_INIT("1"), STR_INIT("2"), STR_INIT("3")};
    const ice_field fields[] = {
        {.id = 1, .name = STR("id"), .required = true, .type = ice_type_primitive(ICE_LONG)},
        {.id = 2, .name = STR("at"), .type = ice_type_primitive(ICE_TIMESTAMP)}};
    const ice_type root = {.kind = ICE_STRUCT, .fields = fields, .field_count = COUNT_OF(fields)};
    const ice_property property = {.key = STR("format-version"), .value = versions[version - 1]};
    const ice_create create = {.location = STR("s3://b/t"),
                               .root = &root,
                               .partition_sql = STR("day(at)"),
                               .properties = &property,
                               .property_count = 1};
    ice_metadata *m = NULL;

    ASSERT(ice_metadata_create(&create, &m, NULL) == STATUS_OK);
    return m;
}

static void commit(const json *body, int version, arena *a, error *err)
{
    const ice_request *r;
    ice_metadata *made = NULL;
    ice_metadata *base = version > 0 ? table(version) : NULL;

    if (ice_request_parse(body, a, &r, err) == STATUS_OK) {
        status s = base == NULL ? ice_request_create(r, STR("s3://b/t"), &made, err) : STATUS_OK;

        (void)ice_request_check(r, base, NULL);
        if (base != NULL) {
            ice_builder *b = ice_builder_create(base, a);

            s = ice_request_apply(r, b, err);
            s = s == STATUS_OK ? ice_builder_build(b, STR("s3://b/t/1.json"), &made, err) : s;
        }
        ASSERT(s == STATUS_OK || s == STATUS_INVALID || s == STATUS_CONFLICT);
    }
    if (made != NULL) {
        read_again(made, a);
    }
    ice_metadata_unref(base);
}

static void create(const json *body, arena *a, error *err)
{
    ice_create_request r;
    ice_metadata *made = NULL;

    if (ice_create_request_parse(body, a, &r, err) == STATUS_OK &&
        ice_create_request_build(&r, STR("s3://b/t"), &made, err) == STATUS_OK) {
        read_again(made, a);
    }
}

static void create_view(const json *body, arena *a, error *err)
{
    ice_view_create_request r;
    const ice_view_request *again;
    ice_view *made = NULL;
    ice_view *next = NULL;

    if (ice_view_create_request_parse(body, a, &r, err) == STATUS_OK &&
        ice_view_create_request_build(&r, STR("s3://b/v"), &made, err) == STATUS_OK) {
        if (ice_view_request_parse(body, a, &again, NULL) == STATUS_OK &&
            ice_view_request_apply(again, made, &next, NULL) == STATUS_OK) {
            ice_view_unref(next);
        }
        ice_view_unref(made);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    arena *a = arena_create();
    error err = ERROR_INIT;
    const json *body;

    if (size > 0 &&
        json_parse(str_from((const char *)data + 1, size - 1), a, &body, NULL) == STATUS_OK) {
        if (data[0] == 'c') {
            create(body, a, &err);
        } else if (data[0] == 'v') {
            create_view(body, a, &err);
        } else {
            commit(body, data[0] % 4, a, &err);
        }
    }
    arena_free(a);
    return 0;
}
