/* Idempotency-Key: a request that comes again with its key is not done again; it gets an equivalent answer.
 *
 * What is kept is not the answer but what it is made from: a table's name and metadata file, an error's words; of
 * namespaces and views, whose drop leaves nothing, the answer too, where it is small. It is written in the transaction
 * of the change, so that a client that lost the answer finds it after a crash too, and one sync serves both (an answer
 * that is kept whole comes after it). Credentials are vended anew; a table may have moved on meanwhile, as the
 * specification allows.
 *
 * Kept are 2xx and those of 4xx that depend on the request and the catalog alone. 5xx, and whether somebody may, are
 * asked anew each time. Of a staged create, which changes nothing, the metadata is kept that it was answered with.
 * While a request is at work, another with its key waits for it; a key that comes with another request is refused
 * (422). */
#include <inttypes.h>

#include "handlers.h"
#include "idempotent.h"
#include "tarn/base/clock.h"
#include "tarn/base/limits.h"
#include "tarn/base/map.h"
#include "tarn/catalog/answers.h"
#include "tarn/codec/checksum.h"

#define KEY_SIZE 36
#define WAIT_S 30         /* for one at work with the same key */
#define LOOK_NS 200000000 /* how often who waits looks whether its client is there still */
#define KEPT_BODY_MAX (64 * LIMIT_KIB)

typedef enum answer_kind {
    ANSWER_NONE,       /* nothing to keep */
    ANSWER_EMPTY,      /* 204 */
    ANSWER_SPACE,      /* of createNamespace */
    ANSWER_PROPERTIES, /* of updateProperties */
    ANSWER_TABLE,      /* with config: of createTable, registerTable */
    ANSWER_COMMIT,     /* without: of updateTable */
    ANSWER_GONE,       /* the same of a table that the catalog let go of */
    ANSWER_VIEW,
    ANSWER_BODY,   /* the answer itself: of what leaves nothing behind when it is dropped */
    ANSWER_STAGED, /* metadata of a table that nobody made yet */
    ANSWER_ERROR,
} answer_kind;

static const char *const kind_names[] = {
    [ANSWER_NONE] = "none",       [ANSWER_EMPTY] = "empty",
    [ANSWER_SPACE] = "namespace", [ANSWER_PROPERTIES] = "properties",
    [ANSWER_TABLE] = "table",     [ANSWER_COMMIT] = "commit",
    [ANSWER_GONE] = "gone",       [ANSWER_VIEW] = "view",
    [ANSWER_BODY] = "body",       [ANSWER_STAGED] = "staged",
    [ANSWER_ERROR] = "error",
};

/*  operation              what it answers */
static const struct {
    const char *operation;
    answer_kind kind;
} operations[] = {
    {"createNamespace", ANSWER_SPACE},
    {"dropNamespace", ANSWER_EMPTY},
    {"updateProperties", ANSWER_PROPERTIES},
    {"createTable", ANSWER_TABLE},
    {"registerTable", ANSWER_TABLE},
    {"updateTable", ANSWER_COMMIT},
    {"dropTable", ANSWER_EMPTY},
    {"unregisterTable", ANSWER_GONE},
    {"renameTable", ANSWER_EMPTY},
    {"commitTransaction", ANSWER_EMPTY},
    {"createView", ANSWER_VIEW},
    {"replaceView", ANSWER_VIEW},
    {"registerView", ANSWER_VIEW},
    {"dropView", ANSWER_EMPTY},
    {"renameView", ANSWER_EMPTY},
};

/* One request at work. */
typedef struct keyed_request {
    str digest;
    answer_kind kind;
    catalog_answer answer; /* without kind and body */
    bool noted;            /* an effect put an answer into its transaction */
} keyed_request;

struct idempotency {
    mutex lock;
    cond ended;
    map *at_work; /* principal, NUL, key -> keyed_request, which is the handler's */
};

idempotency *idempotency_create(void)
{
    idempotency *all = NEW(idempotency);

    mutex_init(&all->lock);
    cond_init(&all->ended);
    all->at_work = map_create(NULL);
    return all;
}

void idempotency_free(idempotency *all)
{
    if (all == NULL) {
        return;
    }
    map_free(all->at_work);
    cond_release(&all->ended);
    mutex_release(&all->lock);
    mem_free(all);
}

/* ---- the request ---- */

static int64_t lifetime_ms(const rest_call *c)
{
    return setting_number(c->base.app->settings, SETTING_CATALOG_IDEMPOTENCY_LIFETIME);
}

const char *rest__idempotency_lifetime(const rest_call *c)
{
    int64_t s = lifetime_ms(c) / 1000;

    if (s <= 0) {
        return NULL;
    }
    return s % 60 == 0 ? str_to_c(c->base.a, str_printf(c->base.a, "PT%" PRId64 "M", s / 60))
                       : str_to_c(c->base.a, str_printf(c->base.a, "PT%" PRId64 "S", s));
}

/* A UUID of version 7 (RFC 9562 §5.7). */
static bool is_key(str text)
{
    if (text.size != KEY_SIZE) {
        return false;
    }
    for (size_t i = 0; i < KEY_SIZE; i++) {
        char c = text.data[i];
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');

        if (dash ? c != '-' : !hex) {
            return false;
        }
    }
    return text.data[14] == '7' && str_find_char(STR("89abAB"), text.data[19]) != STR_NPOS;
}

static status read_key(const rest_call *c, str *ret_key, error *err)
{
    size_t count = 0;

    for (size_t i = 0; i < http_request_header_count(c->base.x); i++) {
        count +=
            str_equal_nocase(http_request_header_at(c->base.x, i).name, STR("Idempotency-Key"));
    }
    str text = http_request_header(c->base.x, "Idempotency-Key");
    if (count != 1 || !is_key(text)) {
        return error_set(err, STATUS_INVALID, "the Idempotency-Key is no UUID of version 7");
    }
    *ret_key = str_lower(c->base.a, text);
    return STATUS_OK;
}

static status read_digest(rest_call *c, str *ret_digest, error *err)
{
    digester *d;
    uint8_t sum[DIGEST_SIZE_MAX];
    str body;
    str target = http_request_target(c->base.x);
    const char *method = http_method_name(http_request_method(c->base.x));

    TRY(rest__read_body(c, &body, err));
    d = digester_create(DIGEST_SHA256);
    digester_add(d, method, strlen(method) + 1);
    digester_add(d, target.data, target.size);
    digester_add(d, "", 1);
    digester_add(d, body.data != NULL ? body.data : "", body.size);
    digester_finish(d, sum);
    *ret_digest = str_to_hex(c->base.a, sum, digest_size(DIGEST_SHA256));
    return STATUS_OK;
}

static answer_kind kind_of(const rest_call *c)
{
    for (size_t i = 0; i < COUNT_OF(operations); i++) {
        if (str_equal(str_c(operations[i].operation), str_c(c->route->operation))) {
            return operations[i].kind;
        }
    }
    return ANSWER_NONE;
}

/* ---- what is kept ---- */

/* Fields of a kept body, each behind its size: "2:ns1:t". They may hold any byte. */
str rest__join(arena *a, const str *fields, size_t count)
{
    str text = STR("");

    for (size_t i = 0; i < count; i++) {
        text = str_printf(a, "%.*s%zu:%.*s", STR_ARG(text), fields[i].size, STR_ARG(fields[i]));
    }
    return text;
}

/* Empty where there is none, or none that rest__join wrote. */
str rest__next_field(str *rest)
{
    int64_t size = 0;
    str behind = STR_NULL;
    str number = str_is_null(*rest) ? STR("") : str_cut(*rest, ':', &behind);

    *rest = STR_NULL;
    if (str_is_null(behind) || str_to_int64(number, &size, NULL) != STATUS_OK || size < 0 ||
        (uint64_t)size > behind.size) {
        return STR("");
    }
    *rest = str_slice(behind, (size_t)size, behind.size);
    return str_slice(behind, 0, (size_t)size);
}

static str body_of(answer_kind kind, const catalog_event *event, arena *a)
{
    const str fields[] = {event->name.space, event->name.table, event->uuid,
                          event->metadata_location};

    if (kind == ANSWER_EMPTY) {
        return STR("");
    }
    return kind == ANSWER_PROPERTIES ? event->detail : rest__join(a, fields, COUNT_OF(fields));
}

/* In the transaction of the change; of several changes of one request the last is kept. */
static status note(void *context, state_txn *txn, const catalog_event *event, error *err)
{
    keyed_request *r = context;
    catalog_answer answer = r->answer;

    answer.status = r->kind == ANSWER_EMPTY ? 204 : 200;
    answer.kind = str_c(kind_names[r->kind]);
    answer.body = body_of(r->kind, event, state_txn_arena(txn));
    TRY(catalog_put_answer(txn, &answer, err));
    r->noted = true;
    return STATUS_OK;
}

static bool is_final(int code)
{
    static const int codes[] = {400, 404, 406, 409, 415, 422};

    for (size_t i = 0; i < COUNT_OF(codes); i++) {
        if (codes[i] == code) {
            return true;
        }
    }
    return false;
}

static void keep_error(rest_call *c, const keyed_request *r, const error *err)
{
    const str fields[] = {str_c(rest__error_type(c, err)), str_c(err->message)};
    catalog_answer answer = r->answer;
    error ignored = ERROR_INIT;

    answer.status = rest__error_code(c, err);
    answer.kind = str_c(kind_names[ANSWER_ERROR]);
    answer.body = rest__join(c->base.a, fields, COUNT_OF(fields));
    /* Where it cannot be kept nothing is lost: nothing was done. */
    (void)catalog_keep_answer(c->base.app->catalog, &answer, &ignored);
}

/* It went well and changed nothing. */
static void keep_unchanged(rest_call *c, const keyed_request *r)
{
    const catalog_event event = {.name = c->name, .uuid = STR(""), .metadata_location = STR("")};
    catalog_answer answer = r->answer;
    error ignored = ERROR_INIT;

    if (c->staged.size > 0) {
        answer.status = 200;
        answer.kind = str_c(kind_names[ANSWER_STAGED]);
        answer.body = c->staged;
        (void)catalog_keep_answer(c->base.app->catalog, &answer, &ignored);
        return;
    }
    if (r->kind != ANSWER_EMPTY && r->kind != ANSWER_COMMIT) {
        return;
    }
    answer.status = r->kind == ANSWER_EMPTY ? 204 : 200;
    answer.kind = str_c(kind_names[r->kind]);
    answer.body = body_of(r->kind, &event, c->base.a);
    (void)catalog_keep_answer(c->base.app->catalog, &answer, &ignored);
}

/* Of a namespace or view nothing is left to make the answer from once it is dropped. The row that the change's own
 * transaction wrote is replaced; after a crash between the two the answer is made from what is there. */
static void keep_body(rest_call *c, const keyed_request *r)
{
    catalog_answer answer = r->answer;
    error ignored = ERROR_INIT;

    if (c->answered.size == 0 || c->answered.size > KEPT_BODY_MAX ||
        (r->kind != ANSWER_SPACE && r->kind != ANSWER_VIEW)) {
        return;
    }
    answer.status = 200;
    answer.kind = str_c(kind_names[ANSWER_BODY]);
    answer.body = c->answered;
    (void)catalog_keep_answer(c->base.app->catalog, &answer, &ignored);
}

/* ---- the answer from what is kept ---- */

/* Of a table that is not there any more, or is another: from its metadata file, if that is still there. */
static status replay_file(rest_call *c, table_name name, str location, error *err)
{
    const catalog_foreign file = {.location = location};
    catalog_loaded loaded = {.info = {.name = name, .metadata_location = location}};
    str found;

    if (location.size == 0 || catalog_open_foreign(c->base.app->catalog, &file, c->base.a,
                                                   &loaded.metadata, &found, NULL) != STATUS_OK) {
        return rest__no_table(c, c->shown, err);
    }
    return rest__answer_committed(c, &loaded, err);
}

static status replay_commit(rest_call *c, table_name name, str uuid, str location, error *err)
{
    catalog_loaded loaded;

    if (catalog_load_table(c->base.app->catalog, name, c->base.a, &loaded.metadata, &loaded.info,
                           NULL) != STATUS_OK) {
        return replay_file(c, name, location, err);
    }
    if (uuid.size > 0 && !str_equal_nocase(uuid, loaded.info.uuid)) {
        ice_metadata_unref(loaded.metadata);
        return replay_file(c, name, location, err);
    }
    return rest__answer_committed(c, &loaded, err);
}

static status replay_table(rest_call *c, table_name name, str uuid, str location, error *err)
{
    catalog_document *d = NULL;
    status found = catalog_load_document(c->base.app->catalog, name, &d, NULL);
    bool same = found == STATUS_OK && str_equal_nocase(d->uuid, uuid);

    if (found == STATUS_OK) {
        catalog_document_unref(d);
    }
    return same ? rest__answer_table(c, name, false, err) : replay_file(c, name, location, err);
}

static status replay_body(rest_call *c, str kept, error *err)
{
    json_writer w = answer_begin(&c->base);

    json_put_raw(&w, kept);
    return rest__send(c, &w, err);
}

static status replay_error(rest_call *c, const catalog_answer *kept, error *err)
{
    str rest = kept->body;
    str type = rest__next_field(&rest);
    str message = rest__next_field(&rest);

    return rest__fail(c, err, STATUS_INVALID, kept->status, str_to_c(c->base.a, type), "%.*s",
                      STR_ARG(message));
}

static answer_kind kind_named(str name)
{
    for (size_t i = 0; i < COUNT_OF(kind_names); i++) {
        if (str_equal(name, str_c(kind_names[i]))) {
            return (answer_kind)i;
        }
    }
    return ANSWER_NONE;
}

static status replay(rest_call *c, const catalog_answer *kept, error *err)
{
    answer_kind kind = kind_named(kept->kind);
    str rest = kept->body;

    if (kind == ANSWER_ERROR) {
        return replay_error(c, kept, err);
    }
    if (kind == ANSWER_PROPERTIES || kind == ANSWER_BODY) {
        return replay_body(c, kept->body, err);
    }
    if (kind == ANSWER_STAGED) {
        return rest__replay_staged(c, kept->body, err);
    }
    table_name name = {.space = rest__next_field(&rest)};
    name.table = rest__next_field(&rest);
    str uuid = rest__next_field(&rest);
    str location = rest__next_field(&rest);
    c->shown = str_printf(c->base.a, "%.*s.%.*s", STR_ARG(rest__shown_space(c, name.space)),
                          STR_ARG(name.table));
    switch (kind) {
    case ANSWER_SPACE:
        return rest__answer_namespace(c, name.space, err);
    case ANSWER_TABLE:
        c->name = name;
        return replay_table(c, name, uuid, location, err);
    case ANSWER_COMMIT:
        return replay_commit(c, name, uuid, location, err);
    case ANSWER_GONE:
        return replay_file(c, name, location, err);
    case ANSWER_VIEW:
        return rest__answer_view(c, name, err);
    case ANSWER_EMPTY:
        answer_empty(&c->base);
        return STATUS_OK;
    case ANSWER_PROPERTIES:
    case ANSWER_BODY:
    case ANSWER_STAGED:
    case ANSWER_ERROR:
    case ANSWER_NONE:
        break;
    }
    return error_set(err, STATUS_CORRUPT, "kept answer of kind \"%.*s\" is not known",
                     STR_ARG(kept->kind));
}

/* ---- one at a time ---- */

static str work_key(arena *a, const catalog_answer *answer)
{
    buf *key = buf_in(a, LIMIT_KIB);

    buf_add_str(key, answer->principal);
    buf_add_char(key, '\0');
    buf_add_str(key, answer->key);
    return buf_str(key);
}

static status refuse_other(rest_call *c, error *err)
{
    return rest__fail(c, err, STATUS_INVALID, 422, "UnprocessableEntityException",
                      "The Idempotency-Key was sent with another request");
}

/* OK: it is ours to do, noted as at work; or *ret_look: another one ended meanwhile, look for its answer. */
static status take_turn(rest_call *c, keyed_request *r, bool *ret_look, error *err)
{
    idempotency *all = c->base.app->idempotency;
    str key = work_key(c->base.a, &r->answer);
    int64_t give_up_ns = clock_mono_ns() + WAIT_S * INT64_C(1000000000);
    const keyed_request *other;
    bool same = true;

    *ret_look = false;
    mutex_lock(&all->lock);
    while ((other = map_get(all->at_work, key)) != NULL) {
        same = str_equal(other->answer.digest, r->answer.digest);
        if (!same || clock_mono_ns() >= give_up_ns || http_exchange_gone(c->base.x) ||
            server__gives_up(c->base.app)) {
            break;
        }
        *ret_look = true;
        (void)cond_wait_until(&all->ended, &all->lock, clock_mono_ns() + LOOK_NS);
    }
    if (other == NULL && !*ret_look) {
        (void)map_set(all->at_work, key, r);
    }
    mutex_unlock(&all->lock);
    if (!same) {
        return refuse_other(c, err);
    }
    return other == NULL ? STATUS_OK
                         : error_set(err, STATUS_UNAVAILABLE,
                                     "the request with this Idempotency-Key is still at work");
}

static void leave_turn(rest_call *c, const keyed_request *r)
{
    idempotency *all = c->base.app->idempotency;

    mutex_lock(&all->lock);
    (void)map_remove(all->at_work, work_key(c->base.a, &r->answer));
    cond_broadcast(&all->ended);
    mutex_unlock(&all->lock);
}

/* ---- around the handler ---- */

status rest__idempotent_begin(rest_call *c, bool *ret_done, error *err)
{
    keyed_request *r = ARENA_NEW(c->base.a, keyed_request);
    catalog_answer kept;
    bool found = false;
    bool look = true;

    *ret_done = false;
    r->kind = kind_of(c);
    r->answer.principal = c->base.who.name;
    TRY(read_key(c, &r->answer.key, err));
    TRY(read_digest(c, &r->answer.digest, err));
    /* Who takes the turn looks once more: the one before may have ended between look and turn. */
    for (;;) {
        TRY(take_turn(c, r, &look, err));
        if (!look) {
            break;
        }
    }
    status result = catalog_find_answer(c->base.app->catalog, r->answer.principal, r->answer.key,
                                        c->base.a, &found, &kept, err);
    if (result == STATUS_OK && !found) {
        c->caller.effect = note;
        c->caller.context = r;
        return STATUS_OK;
    }
    leave_turn(c, r);
    TRY(result);
    if (!str_equal(kept.digest, r->answer.digest)) {
        return refuse_other(c, err);
    }
    *ret_done = true;
    return replay(c, &kept, err);
}

void rest__idempotent_end(rest_call *c, status outcome, const error *err)
{
    keyed_request *r = c->caller.context;

    c->caller.effect = NULL;
    if (outcome != STATUS_OK && is_final(rest__error_code(c, err))) {
        keep_error(c, r, err);
    } else if (outcome == STATUS_OK && !r->noted) {
        keep_unchanged(c, r);
    } else if (outcome == STATUS_OK) {
        keep_body(c, r);
    }
    leave_turn(c, r);
}
