/* JSON text to a tree. jansson does the parsing and is seen in this file alone; its tree is
 * copied into the arena and freed. What jansson does differently from our contract is mended
 * here: integers beyond 64 bits become doubles that know their digits, nesting has our limit,
 * errors say line and column of the text.
 *
 * A value takes it up to 250 bytes, where the text may have two: so values are counted before, and
 * few texts of many values are parsed at once. */

/* Both libraries have enumerators of these names: jansson's get others while its header is read. */
#define JSON_OBJECT JANSSON_OBJECT
#define JSON_ARRAY JANSSON_ARRAY
#define JSON_NULL JANSSON_NULL
#include <jansson.h>
#undef JSON_OBJECT
#undef JSON_ARRAY
#undef JSON_NULL

#include <malloc.h>
#include <pthread.h>
#include <string.h>

#include "json_tree.h"
#include "tarn/base/limits.h"
#include "tarn/base/rng.h"
#include "tarn/base/vec.h"

/* --- errors --- */

static status syntax_error(str text, size_t position, const char *reason, error *err)
{
    size_t line = 1;
    size_t line_start = 0;
    status kind;

    for (size_t i = 0; i < position; i++) {
        if (text.data[i] == '\n') {
            line++;
            line_start = i + 1;
        }
    }
    kind = error_set(err, STATUS_SYNTAX, "malformed JSON at line %zu, column %zu: %s", line,
                     position - line_start + 1, reason);
    if (err != NULL && position <= INT32_MAX) {
        err->position = (int)position;
    }
    return kind;
}

static status too_deep(error *err)
{
    return error_set(err, STATUS_TOO_LARGE, "JSON is nested deeper than %d levels",
                     LIMIT_JSON_DEPTH);
}

/* jansson counts the bytes it has taken: the culprit is the last of them, or the text's end. */
static status jansson_failed(str text, const json_error_t *failure, size_t position, error *err)
{
    switch (json_error_code(failure)) {
    case json_error_out_of_memory:
        return error_set(err, STATUS_OUT_OF_MEMORY, "no memory for a JSON document of %zu bytes",
                         text.size);
    case json_error_stack_overflow:
        return too_deep(err);
    case json_error_premature_end_of_input:
        return syntax_error(text, text.size, "the text ends too early", err);
    default:
        if (position > text.size) {
            position = text.size;
        }
        return syntax_error(text, position > 0 ? position - 1 : 0, failure->text, err);
    }
}

/* --- integers that are none in 64 bits --- */

typedef struct widened {
    buf text;               /* the document with ".0" behind such integers */
    VEC(size_t) insertions; /* where, in `text` */
    /* Digits of the reals that jansson will find, in the order of the text; NULL: no integer */
    VEC(const char *) reals;
    size_t taken; /* of `reals`, by convert() */
} widened;

static bool is_number_char(char c)
{
    return (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E';
}

static bool is_integer(str number)
{
    for (size_t i = 0; i < number.size; i++) {
        if ((number.data[i] < '0' || number.data[i] > '9') && !(i == 0 && number.data[i] == '-')) {
            return false;
        }
    }
    return true;
}

static void widen_number(str number, arena *a, widened *w)
{
    int64_t value;

    buf_add_str(&w->text, number);
    if (number.data[0] != '-' && (number.data[0] < '0' || number.data[0] > '9')) {
        return; /* the e of true */
    }
    if (!is_integer(number)) {
        vec_push(a, &w->reals, (const char *)NULL);
    } else if (str_to_int64(number, &value, NULL) != STATUS_OK) {
        vec_push(a, &w->insertions, w->text.size);
        vec_push(a, &w->reals, (const char *)arena_strndup(a, number.data, number.size));
        buf_add_c(&w->text, ".0");
    }
}

static size_t string_end(str text, size_t from)
{
    size_t at = from + 1;

    while (at < text.size && text.data[at] != '"') {
        at += text.data[at] == '\\' ? 2 : 1;
    }
    return at < text.size ? at + 1 : text.size;
}

static void widen(str text, arena *a, widened *w)
{
    size_t at = 0;

    while (at < text.size) {
        size_t end = at + 1;

        if (text.data[at] == '"') {
            end = string_end(text, at);
            buf_add(&w->text, text.data + at, end - at);
        } else if (is_number_char(text.data[at])) {
            while (end < text.size && is_number_char(text.data[end])) {
                end++;
            }
            widen_number(str_slice(text, at, end), a, w);
        } else {
            buf_add_char(&w->text, text.data[at]);
        }
        at = end;
    }
}

/* `w` is filled, in the arena. */
static status load_widened(str text, arena *a, widened *w, json_t **ret_value, error *err)
{
    json_error_t failure;
    json_t *value = NULL;
    status kind;

    buf_init(&w->text, text.size * 2 + 2);
    widen(text, a, w);
    kind = buf_check(&w->text, "JSON document", err);
    if (kind == STATUS_OK) {
        value = json_loadb(w->text.data, w->text.size,
                           JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, &failure);
        if (value == NULL) {
            size_t position = failure.position > 0 ? (size_t)failure.position : 0;
            size_t inserted = 0;

            for (size_t i = 0; i < w->insertions.count && w->insertions.items[i] < position; i++) {
                inserted += 2;
            }
            kind =
                jansson_failed(text, &failure, position > inserted ? position - inserted : 0, err);
        }
    }
    buf_release(&w->text);
    if (kind == STATUS_OK) {
        *ret_value = value;
    }
    return kind;
}

/* --- how much there is --- */

#define MANY_VALUES 50000
#define MANY_AT_ONCE 2

/* One more than the commas and brackets are: never too few, and quick. */
static size_t most_values(str text)
{
    size_t count = 1;

    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];

        count += (c == ',') + (c == '[') + (c == '{');
    }
    return count;
}

static bool adds_value(str text, size_t at)
{
    char c = text.data[at];

    if (c == '[' || c == '{') {
        do {
            at++;
        } while (at < text.size && strchr(" \t\r\n", text.data[at]) != NULL);
        return at < text.size && text.data[at] != c + 2; /* its other bracket */
    }
    return c == ',';
}

/* Those that are none in strings; not for long where there are more than `values_max`. */
static size_t count_values(str text, size_t values_max)
{
    size_t count = 1;

    for (size_t at = 0; at < text.size && count <= values_max;) {
        if (text.data[at] == '"') {
            at = string_end(text, at);
        } else {
            count += adds_value(text, at);
            at++;
        }
    }
    return count;
}

static status check_count(str text, size_t values_max, bool *ret_many, error *err)
{
    size_t count = most_values(text);

    if (count > values_max) {
        count = count_values(text, values_max);
    }
    if (count > values_max) {
        return error_set(err, STATUS_TOO_LARGE, "the JSON document has more than %zu values",
                         values_max);
    }
    *ret_many = count > MANY_VALUES;
    return STATUS_OK;
}

static pthread_mutex_t turns_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turn_free = PTHREAD_COND_INITIALIZER;
static int turns_taken;

static void take_turn(void)
{
    pthread_mutex_lock(&turns_lock);
    while (turns_taken == MANY_AT_ONCE) {
        pthread_cond_wait(&turn_free, &turns_lock);
    }
    turns_taken++;
    pthread_mutex_unlock(&turns_lock);
}

/* What was freed stays with the thread's heap else, and each thread of the server may have one. */
static void give_turn_back(void)
{
    (void)malloc_trim(0);
    pthread_mutex_lock(&turns_lock);
    turns_taken--;
    pthread_cond_signal(&turn_free);
    pthread_mutex_unlock(&turns_lock);
}

/* --- into our tree --- */

typedef struct conversion {
    arena *a;
    widened *wide; /* NULL: there are no such integers */
} conversion;

static status convert(const json_t *from, int depth, conversion *c, json *to, error *err);

static status convert_array(const json_t *from, int depth, conversion *c, json *to, error *err)
{
    size_t count = json_array_size(from);
    json *items = ARENA_ARRAY(c->a, json, count);

    for (size_t i = 0; i < count; i++) {
        TRY(convert(json_array_get(from, i), depth + 1, c, &items[i], err));
    }
    to->kind = JSON_ARRAY;
    to->u.array.items = items;
    to->u.array.count = count;
    return STATUS_OK;
}

static status convert_object(json_t *from, int depth, conversion *c, json *to, error *err)
{
    json_member *members = ARENA_ARRAY(c->a, json_member, json_object_size(from));
    size_t count = 0;

    /* jansson iterates in the order of the text. */
    for (void *at = json_object_iter(from); at != NULL; at = json_object_iter_next(from, at)) {
        json_member *member = &members[count++];

        member->key =
            str_copy(c->a, str_from(json_object_iter_key(at), json_object_iter_key_len(at)));
        TRY(convert(json_object_iter_value(at), depth + 1, c, &member->value, err));
    }
    to->kind = JSON_OBJECT;
    to->u.object.members = members;
    to->u.object.count = count;
    return STATUS_OK;
}

static void convert_real(double value, conversion *c, json *to)
{
    to->kind = JSON_DOUBLE;
    to->u.number.value = value;
    to->u.number.digits = NULL;
    if (c->wide != NULL && c->wide->taken < c->wide->reals.count) {
        const char *digits = c->wide->reals.items[c->wide->taken++];

        to->u.number.digits = digits != NULL ? arena_strndup(c->a, digits, strlen(digits)) : NULL;
    }
}

static status convert(const json_t *from, int depth, conversion *c, json *to, error *err)
{
    if (depth > LIMIT_JSON_DEPTH) {
        return too_deep(err);
    }
    switch (json_typeof(from)) {
    case JANSSON_OBJECT:
        return convert_object((json_t *)(uintptr_t)from, depth, c, to, err);
    case JANSSON_ARRAY:
        return convert_array(from, depth, c, to, err);
    case JSON_STRING:
        to->kind = JSON_STR;
        to->u.text = str_copy(c->a, str_from(json_string_value(from), json_string_length(from)));
        break;
    case JSON_INTEGER:
        to->kind = JSON_INT64;
        to->u.integer = json_integer_value(from);
        break;
    case JSON_REAL:
        convert_real(json_real_value(from), c, to);
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        to->kind = JSON_BOOL;
        to->u.boolean = json_is_true(from);
        break;
    case JANSSON_NULL:
        to->kind = JSON_NULL;
        break;
    }
    return STATUS_OK;
}

/* jansson would read its hash seed from a device file, which a sandboxed process may not open. */
static void seed_jansson(void)
{
    json_object_seed((size_t)random_u64() | 1);
}

static pthread_once_t seeded = PTHREAD_ONCE_INIT;

static status parse(str text, arena *a, const json **ret_value, error *err)
{
    conversion c = {.a = a};
    arena *scratch = NULL;
    json_error_t failure;
    json_t *parsed;
    json *value;
    status kind = STATUS_OK;

    (void)pthread_once(&seeded, seed_jansson);
    parsed = json_loadb(text.size > 0 ? text.data : "", text.size,
                        JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, &failure);
    if (parsed == NULL && json_error_code(&failure) == json_error_numeric_overflow) {
        scratch = arena_create();
        c.wide = ARENA_NEW(scratch, widened);
        kind = load_widened(text, scratch, c.wide, &parsed, err);
    } else if (parsed == NULL) {
        return jansson_failed(text, &failure, failure.position > 0 ? (size_t)failure.position : 0,
                              err);
    }
    if (kind == STATUS_OK) {
        value = ARENA_NEW(a, json);
        kind = convert(parsed, 0, &c, value, err);
        json_decref(parsed);
        if (kind == STATUS_OK) {
            *ret_value = value;
        }
    }
    arena_free(scratch);
    return kind;
}

status json_parse_within(str text, size_t values_max, arena *a, const json **ret_value, error *err)
{
    bool many = false;

    TRY(check_count(text, values_max, &many, err));
    if (!many) {
        return parse(text, a, ret_value, err);
    }
    take_turn();
    status parsed = parse(text, a, ret_value, err);
    give_turn_back();
    return parsed;
}

status json_parse(str text, arena *a, const json **ret_value, error *err)
{
    return json_parse_within(text, LIMIT_JSON_VALUES, a, ret_value, err);
}
