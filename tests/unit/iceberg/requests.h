/* requests.h: what the tests of requests share: a table to begin with, commits written as JSON with ' for ". */
#ifndef TARN_TEST_UNIT_ICEBERG_REQUESTS_H
#define TARN_TEST_UNIT_ICEBERG_REQUESTS_H

#include "support/test.h"

#include "tarn/base/limits.h"
#include "tarn/iceberg/request.h"

#define UUID_TEXT "11111111-2222-4333-8444-555555555555"

static void release_metadata(void *m)
{
    ice_metadata_unref(m);
}

__attribute__((unused)) static const json *tree(fixture *f, const char *text)
{
    const json *value = NULL;

    EXPECT_OK(json_parse(QUOTED(f, text), f->arena, &value, &f->err));
    return value;
}

/* A table of "id" and "name" that a client asks for with these further members. */
__attribute__((unused)) static ice_metadata *created(fixture *f, const char *more)
{
    str text = str_printf(f->arena,
                          "{'name': 't', 'schema': {'type': 'struct', 'fields': ["
                          "{'id': 7, 'name': 'id', 'required': true, 'type': 'long'},"
                          "{'id': 3, 'name': 'name', 'required': false, 'type': 'string'}]}%s}",
                          more);
    ice_create_request r;
    ice_metadata *m = NULL;

    EXPECT_OK(ice_create_request_parse(tree(f, text.data), f->arena, &r, &f->err));
    EXPECT_OK(ice_create_request_build(&r, STR("s3://b/t"), &m, &f->err));
    arena_defer(f->arena, release_metadata, m);
    return m;
}

__attribute__((unused)) static ice_metadata *table(fixture *f, int version)
{
    return created(f,
                   str_printf(f->arena, ", 'properties': {'format-version': '%d'}", version).data);
}

static status try_commit(fixture *f, const ice_metadata *base, const char *requirements,
                         const char *updates, ice_metadata **ret_metadata)
{
    str text =
        str_printf(f->arena, "{'requirements': [%s], 'updates': [%s]}", requirements, updates);
    const ice_request *r = NULL;
    ice_builder *b;

    TRY(ice_request_parse(tree(f, text.data), f->arena, &r, &f->err));
    TRY(ice_request_check(r, base, &f->err));
    if (base == NULL) {
        return ice_request_create(r, STR_NULL, ret_metadata, &f->err);
    }
    b = ice_builder_create(base, f->arena);
    TRY(ice_request_apply(r, b, &f->err));
    return ice_builder_build(b, STR("s3://b/t/metadata/1.json"), ret_metadata, &f->err);
}

/* The table as it is after these updates; what is written of it can be read. */
__attribute__((unused)) static ice_metadata *updated(fixture *f, const ice_metadata *base,
                                                     const char *updates)
{
    ice_metadata *m = NULL;
    ice_metadata *back = NULL;
    buf *text = buf_in(f->arena, LIMIT_METADATA_FILE);

    EXPECT_OK(try_commit(f, base, "", updates, &m));
    arena_defer(f->arena, release_metadata, m);
    ice_metadata_format(m, text);
    EXPECT_OK(ice_metadata_parse(buf_str(text), &back, &f->err));
    ice_metadata_unref(back);
    return m;
}

/* The commit fails; what it says is in the fixture's error. */
#define REFUSED(kind, f, base, updates)                                   \
    do {                                                                  \
        ice_metadata *refused_ = NULL;                                    \
        EXPECT_STATUS(kind, try_commit(f, base, "", updates, &refused_)); \
    } while (0)

/* The requirement holds, or does not. */
#define HOLDS(f, base, requirement)                              \
    do {                                                         \
        ice_metadata *made_ = NULL;                              \
        EXPECT_OK(try_commit(f, base, requirement, "", &made_)); \
        ice_metadata_unref(made_);                               \
    } while (0)
#define FAILS(kind, f, base, requirement)                                  \
    do {                                                                   \
        ice_metadata *made_ = NULL;                                        \
        EXPECT_STATUS(kind, try_commit(f, base, requirement, "", &made_)); \
    } while (0)

/* The message has this in it. */
#define SAYS(f, text)                                                   \
    do {                                                                \
        if (str_find(str_c((f)->err.message), STR(text)) == STR_NPOS) { \
            EXPECT_MESSAGE(f, text);                                    \
        }                                                               \
    } while (0)

/* add-snapshot: id, parent (or null), sequence number, time. */
__attribute__((unused)) static const char *snapshot(fixture *f, int id, const char *parent,
                                                    int sequence, int64_t time_ms)
{
    return str_printf(f->arena,
                      "{'action': 'add-snapshot', 'snapshot': {'snapshot-id': %d, "
                      "'parent-snapshot-id': %s, 'sequence-number': %d, 'timestamp-ms': %lld, "
                      "'manifest-list': 's3://b/t/metadata/snap-%d.avro', 'schema-id': 0, "
                      "'summary': {'operation': 'append', 'added-records': '1'}}}",
                      id, parent, sequence, (long long)time_ms, id)
        .data;
}

__attribute__((unused)) static const char *main_at(fixture *f, int id)
{
    return str_printf(f->arena,
                      "{'action': 'set-snapshot-ref', 'ref-name': 'main', 'type': 'branch', "
                      "'snapshot-id': %d, 'min-snapshots-to-keep': null, "
                      "'max-snapshot-age-ms': null, 'max-ref-age-ms': null}",
                      id)
        .data;
}

__attribute__((unused)) static const char *both(fixture *f, const char *first, const char *second)
{
    return str_printf(f->arena, "%s, %s", first, second).data;
}

/* A table with the snapshots 1 and 2, both on main. */
__attribute__((unused)) static ice_metadata *with_snapshots(fixture *f, int version)
{
    ice_metadata *m = table(f, version);

    m = updated(f, m, both(f, snapshot(f, 1, "null", 1, 1000), main_at(f, 1)));
    return updated(f, m, both(f, snapshot(f, 2, "1", 2, 2000), main_at(f, 2)));
}

#endif
