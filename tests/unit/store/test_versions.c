/* Claims about versions: which one is current, what is found by its id, conditions, changes of what is there; and a
 * random walk of all of it beside a naive model. */
#include "bucket_world.h"
#include "tarn/base/buf.h"

#include "tarn/base/rng.h"

#define B "first"

static str at(fixture *f, world *w, str version)
{
    return text_of(f, w, B, "k", version);
}

static void test_without_versions_the_last_one_is_all_there_is(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    object_info info;

    make_bucket(f, &w, B, VERSIONING_OFF);
    put_object(f, &w, B, "k", "1");
    info = put_object(f, &w, B, "k", "2");
    assert_int_equal(info.version.size, 0);
    EXPECT_STR(at(f, &w, STR_NULL), "2");
    EXPECT_STR(at(f, &w, STR("null")), "2");
    EXPECT_STR(at(f, &w, STR("other")), "NoSuchVersion");
    EXPECT_STR(text_of(f, &w, B, "none", STR_NULL), "NoSuchKey");
    EXPECT_STR(text_of(f, &w, "nowhere", "k", STR_NULL), "NoSuchBucket");
    assert_int_equal(usage_of(f, &w, B).objects, 1);
    world_close(&w);
}

static void test_each_version_has_an_id_and_stays(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    object_info one, two, found;

    make_bucket(f, &w, B, VERSIONING_OFF);
    put_object(f, &w, B, "k", "0");
    EXPECT_OK(bucket_set_versioning(w.storage, STR(B), VERSIONING_ENABLED, &f->err));
    one = put_object(f, &w, B, "k", "1");
    two = put_object(f, &w, B, "k", "2");
    assert_true(one.version.size > 0 && two.version.size > 0);
    assert_false(str_equal(one.version, two.version));
    EXPECT_STR(at(f, &w, STR_NULL), "2");
    EXPECT_STR(at(f, &w, two.version), "2");
    EXPECT_STR(at(f, &w, one.version), "1");
    EXPECT_STR(at(f, &w, STR("null")), "0");
    EXPECT_OK(object_find(w.storage, STR(B), STR("k"), one.version, f->arena, &found, &f->err));
    assert_false(found.is_latest);
    EXPECT_OK(object_find(w.storage, STR(B), STR("k"), STR_NULL, f->arena, &found, &f->err));
    assert_true(found.is_latest);
    EXPECT_STR(found.attributes.owner, "alice");
    world_close(&w);
}

static void test_a_marker_hides_and_its_removal_shows_again(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    object_delete_result marker;
    object_info info = {0};
    object_info one;

    make_bucket(f, &w, B, VERSIONING_ENABLED);
    one = put_object(f, &w, B, "k", "1");
    marker = delete_object(f, &w, B, "k", STR_NULL);
    assert_true(marker.made_marker);
    EXPECT_STR(at(f, &w, STR_NULL), "NoSuchKey marker");
    EXPECT_STR(at(f, &w, marker.version), "MethodNotAllowed marker");
    EXPECT_STR(at(f, &w, one.version), "1");
    EXPECT_STATUS(NOT_FOUND,
                  object_find(w.storage, STR(B), STR("k"), STR_NULL, f->arena, &info, &f->err));
    assert_true(info.is_marker && info.is_latest);
    assert_true(str_equal(info.version, marker.version));
    EXPECT_STR(info.attributes.owner, "alice");
    assert_true(delete_object(f, &w, B, "k", marker.version).was_marker);
    EXPECT_STR(at(f, &w, STR_NULL), "1");
    EXPECT_OK(object_find(w.storage, STR(B), STR("k"), one.version, f->arena, &info, &f->err));
    assert_true(info.is_latest);
    world_close(&w);
}

static void test_suspended_there_is_one_null_version(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    object_delete_result gone;
    object_info one;

    make_bucket(f, &w, B, VERSIONING_ENABLED);
    one = put_object(f, &w, B, "k", "1");
    EXPECT_OK(bucket_set_versioning(w.storage, STR(B), VERSIONING_SUSPENDED, &f->err));
    put_object(f, &w, B, "k", "2");
    put_object(f, &w, B, "k", "3");
    EXPECT_STR(at(f, &w, STR("null")), "3");
    EXPECT_STR(at(f, &w, one.version), "1");
    assert_int_equal(usage_of(f, &w, B).versions, 1);
    gone = delete_object(f, &w, B, "k", STR_NULL);
    assert_true(gone.made_marker);
    EXPECT_STR(gone.version, "null");
    EXPECT_STR(at(f, &w, STR("null")), "MethodNotAllowed marker");
    assert_int_equal(usage_of(f, &w, B).versions, 2);
    put_object(f, &w, B, "k", "4"); /* takes the marker's place */
    assert_int_equal(usage_of(f, &w, B).versions, 1);
    EXPECT_OK(bucket_set_versioning(w.storage, STR(B), VERSIONING_ENABLED, &f->err));
    put_object(f, &w, B, "k", "5");
    EXPECT_STR(at(f, &w, STR("null")), "4");
    EXPECT_OK(bucket_set_versioning(w.storage, STR(B), VERSIONING_SUSPENDED, &f->err));
    put_object(f, &w, B, "k", "6"); /* the null version among the older ones goes */
    EXPECT_STR(at(f, &w, STR("null")), "6");
    assert_int_equal(usage_of(f, &w, B).versions, 2);
    world_close(&w);
}

static status put_if(fixture *f, world *w, const char *key, const char *text,
                     object_conditions conditions, object_info *ret_info)
{
    return try_put(w, f->arena, B, str_c(key), str_c(text), NULL, &conditions, ret_info, &f->err);
}

static void test_conditions_decide_in_the_transaction(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    object_conditions none = OBJECT_CONDITIONS_NONE;
    object_conditions absent = none;
    object_conditions match = none;
    object_info info;

    absent.if_none_match = STR("*");
    match.if_match = STR("*");
    make_bucket(f, &w, B, VERSIONING_ENABLED);
    EXPECT_STATUS(NOT_FOUND, put_if(f, &w, "k", "1", match, &info));
    assert_string_equal(error_s3_code(&f->err), "NoSuchKey");
    EXPECT_OK(put_if(f, &w, "k", "1", absent, &info));
    EXPECT_STATUS(PRECONDITION, put_if(f, &w, "k", "2", absent, &info));
    assert_string_equal(error_s3_code(&f->err), "PreconditionFailed");
    EXPECT_OK(put_if(f, &w, "k", "2", match, &info));
    match.if_match = info.etag;
    absent.if_none_match = info.etag;
    EXPECT_STATUS(PRECONDITION, put_if(f, &w, "k", "3", absent, &info));
    EXPECT_OK(put_if(f, &w, "k", "3", match, &info));
    EXPECT_STATUS(PRECONDITION, put_if(f, &w, "k", "4", match, &info));
    EXPECT_STR(at(f, &w, STR_NULL), "3");
    assert_int_equal(usage_of(f, &w, B).versions, 2);
    delete_object(f, &w, B, "k", STR_NULL); /* a marker is no object */
    match.if_match = STR("*");
    absent.if_none_match = STR("*");
    EXPECT_STATUS(NOT_FOUND, put_if(f, &w, "k", "5", match, &info));
    EXPECT_OK(put_if(f, &w, "k", "5", absent, &info));
    world_close(&w);
}

static void test_what_a_refused_write_staged_is_gone(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    object_conditions absent = OBJECT_CONDITIONS_NONE;
    object_info info;
    size_t files;

    absent.if_none_match = STR("*");
    make_bucket(f, &w, B, VERSIONING_OFF);
    EXPECT_OK(put_if(f, &w, "k", "PAR1 first", absent, &info));
    files = blob_count(f, NULL);
    EXPECT_STATUS(PRECONDITION, put_if(f, &w, "k", "PAR1 second", absent, &info));
    world_close(&w); /* removals end before */
    assert_int_equal(blob_count(f, NULL), files);
}

static void test_tags_and_acls_of_any_version_are_changed(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    const object_pair tags[] = {{STR("a"), STR("1")}, {STR("b"), STR("\xff\x01")}};
    const object_pair headers[] = {{STR("x-amz-meta-a"), STR("\xe9")}};
    object_attributes attributes = {
        .owner = STR("alice"), .headers = headers, .header_count = 1, .content_type = STR("a/b")};
    object_info one, found;

    make_bucket(f, &w, B, VERSIONING_ENABLED);
    EXPECT_OK(try_put(&w, f->arena, B, STR("k"), STR("1"), &attributes, NULL, &one, &f->err));
    put_object(f, &w, B, "k", "2");
    EXPECT_OK(object_set_tags(w.storage, STR(B), STR("k"), one.version, tags, 2, &f->err));
    EXPECT_OK(object_set_acl(w.storage, STR(B), STR("k"), one.version, STR("public"), &f->err));
    EXPECT_OK(object_find(w.storage, STR(B), STR("k"), one.version, f->arena, &found, &f->err));
    assert_int_equal(found.attributes.tag_count, 2);
    EXPECT_STR(found.attributes.tags[1].name, "b");
    EXPECT_STR(found.attributes.tags[1].value, "\xff\x01");
    EXPECT_STR(found.attributes.headers[0].value, "\xe9");
    EXPECT_STR(found.attributes.acl, "public");
    EXPECT_STR(found.attributes.content_type, "a/b");
    EXPECT_STR(at(f, &w, one.version), "1");
    EXPECT_OK(object_find(w.storage, STR(B), STR("k"), STR_NULL, f->arena, &found, &f->err));
    assert_int_equal(found.attributes.tag_count, 0);
    EXPECT_OK(object_set_tags(w.storage, STR(B), STR("k"), one.version, NULL, 0, &f->err));
    EXPECT_OK(object_find(w.storage, STR(B), STR("k"), one.version, f->arena, &found, &f->err));
    assert_int_equal(found.attributes.tag_count, 0);
    EXPECT_STATUS(NOT_FOUND,
                  object_set_tags(w.storage, STR(B), STR("k"), STR("none"), tags, 2, &f->err));
    assert_string_equal(error_s3_code(&f->err), "NoSuchVersion");
    world_close(&w);
}

/* What SQL writes follows the same rules. */
static void test_objects_by_location_are_the_same_rows(void **context)
{
    fixture *f = *context;
    world w = world_open(f);

    make_bucket(f, &w, B, VERSIONING_ENABLED);
    EXPECT_OK(put(&w, STR("s3://first/k"), STR("1"), &f->err));
    EXPECT_OK(put(&w, STR("s3://first/k"), STR("2"), &f->err));
    EXPECT_STR(at(f, &w, STR_NULL), "2");
    assert_int_equal(usage_of(f, &w, B).versions, 1);
    put_object(f, &w, B, "k", "3");
    EXPECT_STR(get(f, &w, STR("s3://first/k")), "3");
    EXPECT_OK(delete_one(&w, STR("s3://first/k"), &f->err));
    EXPECT_OK(delete_one(&w, STR("s3://first/k"), &f->err)); /* no second marker */
    EXPECT_STR(at(f, &w, STR_NULL), "NoSuchKey marker");
    assert_int_equal(usage_of(f, &w, B).versions, 4);
    world_close(&w);
}

/* --- beside a model --- */

#define MODEL_KEYS 7
#define MODEL_STEPS 600
#define MODEL_VERSIONS_MAX 1000

static const char *const model_keys[MODEL_KEYS] = {"a",   "a/b", "a/c/d",     "a0",
                                                   "b/x", "b/y", "b/\xc3\xa9"};

typedef struct model_version {
    int key;
    str version; /* "" null */
    bool marker;
    str text;
} model_version;

/* All versions, the oldest first. */
typedef struct model {
    model_version versions[MODEL_VERSIONS_MAX];
    size_t count;
    bucket_versioning versioning;
} model;

static void model_drop(model *m, size_t index)
{
    memmove(&m->versions[index], &m->versions[index + 1],
            (m->count - index - 1) * sizeof(m->versions[0]));
    m->count--;
}

static bool model_find(const model *m, int key, const str *version, size_t *ret_index)
{
    for (size_t i = m->count; i > 0; i--) {
        const model_version *v = &m->versions[i - 1];

        if (v->key == key && (version == NULL || str_equal(v->version, *version))) {
            *ret_index = i - 1;
            return true;
        }
    }
    return false;
}

static void model_add(model *m, int key, str version, bool marker, str text)
{
    str null_version = STR("");
    size_t index;

    if (m->versioning != VERSIONING_ENABLED && model_find(m, key, &null_version, &index)) {
        model_drop(m, index);
    }
    assert_true(m->count < MODEL_VERSIONS_MAX);
    m->versions[m->count++] =
        (model_version){.key = key, .version = version, .marker = marker, .text = text};
}

static void model_put(fixture *f, world *w, model *m, int key, uint64_t number)
{
    str text = str_printf(f->arena, "text %d", (int)number);
    object_info info = put_object(f, w, B, model_keys[key], str_to_c(f->arena, text));

    assert_int_equal(info.version.size > 0, m->versioning == VERSIONING_ENABLED);
    model_add(m, key, info.version, false, text);
}

static void model_delete(fixture *f, world *w, model *m, int key)
{
    object_delete_result result = delete_object(f, w, B, model_keys[key], STR_NULL);
    str version = str_equal(result.version, STR("null")) ? STR("") : result.version;
    size_t index;

    assert_int_equal(result.result, STATUS_OK);
    if (m->versioning != VERSIONING_OFF) {
        assert_true(result.made_marker);
        model_add(m, key, version, true, STR(""));
    } else if (model_find(m, key, NULL, &index)) {
        model_drop(m, index);
    }
}

static void model_delete_version(fixture *f, world *w, model *m, size_t index)
{
    model_version v = m->versions[index];
    object_delete_result result =
        delete_object(f, w, B, model_keys[v.key], v.version.size > 0 ? v.version : STR("null"));

    assert_int_equal(result.result, STATUS_OK);
    assert_int_equal(result.was_marker, v.marker);
    model_drop(m, index);
}

/* What a listing has to say, as page_text writes it. */
static str model_list(fixture *f, const model *m, const object_listing *what)
{
    buf *out = buf_in(f->arena, 1 << 20);
    str last_prefix = STR_NULL;

    for (int key = 0; key < MODEL_KEYS; key++) { /* they are in order */
        str name = str_c(model_keys[key]);
        bool latest = true;
        size_t cut = STR_NPOS;

        if (!str_starts_with(name, what->prefix)) {
            continue;
        }
        if (what->delimiter.size > 0) {
            cut = str_find(str_slice(name, what->prefix.size, name.size), what->delimiter);
        }
        for (size_t i = m->count; i > 0; i--) {
            const model_version *v = &m->versions[i - 1];

            if (v->key != key) {
                continue;
            }
            if (!what->versions && (v->marker || !latest)) {
                latest = false;
                continue;
            }
            if (cut != STR_NPOS) {
                str prefix = str_slice(name, 0, what->prefix.size + cut + 1);

                if (str_is_null(last_prefix) || !str_equal(prefix, last_prefix)) {
                    buf_printf(out, "%s%.*s", out->size > 0 ? " " : "", STR_ARG(prefix));
                    last_prefix = prefix;
                }
                continue;
            }
            buf_printf(out, "%s%.*s%s%s", out->size > 0 ? " " : "", STR_ARG(name),
                       v->marker ? "!" : "", latest ? "" : "*");
            latest = false;
        }
    }
    return buf_str(out);
}

/* Page by page, of any size. */
static str list_in_pages(fixture *f, world *w, object_listing what)
{
    buf *out = buf_in(f->arena, 1 << 20);
    object_page page = {.truncated = true};

    while (page.truncated) {
        str text;

        EXPECT_OK(object_list(w->storage, &what, f->arena, &page, &f->err));
        assert_int_equal(page.truncated, page.count == what.max && page.truncated);
        text = page_text(f, &page);
        if (page.truncated) {
            assert_int_equal(page.count, what.max);
            text.size--;
        }
        buf_printf(out, "%s%.*s", out->size > 0 && text.size > 0 ? " " : "", STR_ARG(text));
        what.after = page.next_after;
        what.after_version = page.next_after_version;
    }
    return buf_str(out);
}

static void check_listings(fixture *f, world *w, const model *m)
{
    static const char *const prefixes[] = {"", "a", "a/", "b/", "zz"};

    for (size_t p = 0; p < COUNT_OF(prefixes); p++) {
        for (int kind = 0; kind < 4; kind++) {
            object_listing what = {.bucket = STR(B),
                                   .prefix = str_c(prefixes[p]),
                                   .delimiter = kind % 2 == 0 ? STR("") : STR("/"),
                                   .versions = kind >= 2};
            str expected = model_list(f, m, &what);

            for (what.max = 1; what.max < 40; what.max = what.max * 3 + 1) {
                str got = list_in_pages(f, w, what);

                if (!str_equal(got, expected)) {
                    fail_msg("prefix \"%s\", kind %d, pages of %zu:\n%.*s\nexpected\n%.*s",
                             prefixes[p], kind, what.max, STR_ARG(got), STR_ARG(expected));
                }
            }
        }
    }
}

static void check_keys(fixture *f, world *w, const model *m)
{
    bucket_usage usage = usage_of(f, w, B);
    int64_t bytes = 0;

    for (size_t i = 0; i < m->count; i++) {
        const model_version *v = &m->versions[i];
        str text =
            text_of(f, w, B, model_keys[v->key], v->version.size > 0 ? v->version : STR("null"));

        assert_true(str_equal(text, v->marker ? STR("MethodNotAllowed marker") : v->text));
        bytes += (int64_t)v->text.size;
    }
    for (int key = 0; key < MODEL_KEYS; key++) {
        str text = text_of(f, w, B, model_keys[key], STR_NULL);
        size_t index;

        if (!model_find(m, key, NULL, &index)) {
            EXPECT_STR(text, "NoSuchKey");
        } else if (m->versions[index].marker) {
            EXPECT_STR(text, "NoSuchKey marker");
        } else {
            assert_true(str_equal(text, m->versions[index].text));
        }
    }
    assert_int_equal(usage.bytes, bytes);
    assert_int_equal(usage.objects + usage.versions, m->count);
}

static void model_step(fixture *f, world *w, model *m, rng *random, uint64_t number)
{
    int key = (int)rng_below(random, MODEL_KEYS);
    uint64_t what = rng_below(random, 100);

    if (what < 40) {
        model_put(f, w, m, key, number);
    } else if (what < 60) {
        model_delete(f, w, m, key);
    } else if (what < 93) {
        if (m->count > 0) {
            model_delete_version(f, w, m, rng_below(random, m->count));
        }
    } else {
        bool enable = m->versioning == VERSIONING_OFF ? rng_below(random, 3) == 0
                                                      : m->versioning == VERSIONING_SUSPENDED;

        if (m->versioning != VERSIONING_OFF || enable) {
            m->versioning = enable ? VERSIONING_ENABLED : VERSIONING_SUSPENDED;
            EXPECT_OK(bucket_set_versioning(w->storage, STR(B), m->versioning, &f->err));
        }
    }
}

static void walk_beside_model(fixture *f, uint64_t seed)
{
    world w = world_open_with(f, (storage_options){.unsafe = true});
    model *m = ARENA_NEW(f->arena, model);
    rng random;

    rng_seed(&random, seed);
    make_bucket(f, &w, B, VERSIONING_OFF);
    for (uint64_t i = 0; i < MODEL_STEPS; i++) {
        model_step(f, &w, m, &random, i);
        if (i % 30 == 0) {
            check_keys(f, &w, m);
            check_listings(f, &w, m);
        }
    }
    while (m->count > 0) {
        model_delete_version(f, &w, m, rng_below(&random, m->count));
    }
    check_keys(f, &w, m);
    EXPECT_OK(bucket_delete(w.storage, STR(B), &f->err));
    world_close(&w);
}

static void test_random_changes_beside_a_model(void **context)
{
    walk_beside_model(*context, 1);
}

static void test_other_random_changes_beside_a_model(void **context)
{
    walk_beside_model(*context, 20);
}

TESTS(test_without_versions_the_last_one_is_all_there_is, test_each_version_has_an_id_and_stays,
      test_a_marker_hides_and_its_removal_shows_again, test_suspended_there_is_one_null_version,
      test_conditions_decide_in_the_transaction, test_what_a_refused_write_staged_is_gone,
      test_tags_and_acls_of_any_version_are_changed, test_objects_by_location_are_the_same_rows,
      test_random_changes_beside_a_model, test_other_random_changes_beside_a_model)
