/* YAML documents to JSON trees. libfyaml reads the text and is seen in this file alone; what its
 * nodes mean (YAML 1.2, core schema) and what is refused is decided here: duplicate keys, merge
 * keys, tags of applications, a second document, aliases that unfold to more than the text could
 * hold.
 *
 * Aliases are copied. A tree may hold no more values than its text has bytes, and some: without
 * aliases that is always so, with them it keeps a small document small. */
#include "tarn/codec/yaml.h"

#include <libfyaml.h>

#include "json_tree.h"
#include "tarn/base/limits.h"
#include "tarn/base/map.h"

#define VALUES_GRANTED 1000 /* beyond one for each byte of text */

typedef struct reader {
    struct fy_parser *parser;
    struct fy_diag *diag;
    str text;
    arena *a;
    size_t values_left;
    error *err;
} reader;

/* --- errors --- */

static status syntax_error(reader *r, struct fy_node *node, const char *reason)
{
    struct fy_token *token = node != NULL ? fy_node_get_scalar_token(node) : NULL;
    const struct fy_mark *mark = token != NULL ? fy_token_start_mark(token) : NULL;
    status kind;

    if (mark == NULL) {
        return error_set(r->err, STATUS_SYNTAX, "malformed YAML: %s", reason);
    }
    kind = error_set(r->err, STATUS_SYNTAX, "malformed YAML at line %d, column %d: %s",
                     mark->line + 1, mark->column + 1, reason);
    if (r->err != NULL && mark->input_pos <= INT32_MAX) {
        r->err->position = (int)mark->input_pos;
    }
    return kind;
}

/* What libfyaml found: the first of its errors. */
static status parser_error(reader *r)
{
    void *at = NULL;
    const struct fy_diag_error *found = fy_diag_errors_iterate(r->diag, &at);

    if (found == NULL || found->line <= 0) {
        return syntax_error(r, NULL, found != NULL ? found->msg : "it cannot be read");
    }
    return error_set(r->err, STATUS_SYNTAX, "malformed YAML at line %d, column %d: %s", found->line,
                     found->column, found->msg);
}

/* --- scalars of the core schema --- */

static bool is_one_of(str text, const str *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (str_equal(text, words[i])) {
            return true;
        }
    }
    return false;
}

static bool is_null(str text)
{
    static const str words[] = {STR_INIT(""), STR_INIT("~"), STR_INIT("null"), STR_INIT("Null"),
                                STR_INIT("NULL")};

    return is_one_of(text, words, COUNT_OF(words));
}

static bool is_true(str text)
{
    static const str words[] = {STR_INIT("true"), STR_INIT("True"), STR_INIT("TRUE")};

    return is_one_of(text, words, COUNT_OF(words));
}

static bool is_false(str text)
{
    static const str words[] = {STR_INIT("false"), STR_INIT("False"), STR_INIT("FALSE")};

    return is_one_of(text, words, COUNT_OF(words));
}

static size_t count_digits(str text, size_t from)
{
    size_t at = from;

    while (at < text.size && text.data[at] >= '0' && text.data[at] <= '9') {
        at++;
    }
    return at - from;
}

/* 0o17 and 0x1f; what is too large for 64 bits stays text. */
static bool parse_based(str text, json *to)
{
    static const str digits = STR_INIT("0123456789abcdef");
    uint64_t base = str_starts_with(text, STR("0x")) ? 16 : 8;
    uint64_t value = 0;

    if (text.size < 3 || (base == 8 && !str_starts_with(text, STR("0o")))) {
        return false;
    }
    for (size_t i = 2; i < text.size; i++) {
        char letter =
            text.data[i] >= 'A' && text.data[i] <= 'F' ? (char)(text.data[i] + 32) : text.data[i];
        size_t digit = str_find_char(digits, letter);

        if (digit >= base || value > (uint64_t)INT64_MAX / base) {
            return false;
        }
        value = value * base + digit;
    }
    if (value > INT64_MAX) {
        return false;
    }
    to->kind = JSON_INT64;
    to->u.integer = (int64_t)value;
    return true;
}

static bool parse_special_float(str text, json *to)
{
    static const str infinities[] = {STR_INIT(".inf"), STR_INIT(".Inf"), STR_INIT(".INF")};
    static const str nans[] = {STR_INIT(".nan"), STR_INIT(".NaN"), STR_INIT(".NAN")};
    bool is_signed = text.size > 0 && (text.data[0] == '-' || text.data[0] == '+');

    if (is_one_of(text, nans, COUNT_OF(nans))) {
        to->u.number.value = (double)__builtin_nanf("");
    } else if (is_one_of(str_slice(text, is_signed, text.size), infinities, COUNT_OF(infinities))) {
        to->u.number.value = text.data[0] == '-' ? -__builtin_inf() : __builtin_inf();
    } else {
        return false;
    }
    to->kind = JSON_DOUBLE;
    return true;
}

/* [-+]? ( \.[0-9]+ | [0-9]+ (\.[0-9]*)? ) ([eE][-+]?[0-9]+)? ; written again as C writes it. */
static bool parse_number(reader *r, str text, json *to)
{
    bool negative = text.size > 0 && text.data[0] == '-';
    size_t at = text.size > 0 && (negative || text.data[0] == '+') ? 1 : 0;
    size_t whole = count_digits(text, at);
    str whole_digits = str_slice(text, at, at + whole);
    str fraction = STR("");
    str exponent = STR("");
    bool is_whole = true;
    str plain;

    at += whole;
    if (at < text.size && text.data[at] == '.') {
        fraction = str_slice(text, at + 1, at + 1 + count_digits(text, at + 1));
        at += 1 + fraction.size;
        is_whole = false;
    }
    if (whole == 0 && fraction.size == 0) {
        return false;
    }
    if (at < text.size && (text.data[at] == 'e' || text.data[at] == 'E')) {
        size_t sign = at + 1 < text.size && (text.data[at + 1] == '-' || text.data[at + 1] == '+');
        size_t digits = count_digits(text, at + 1 + sign);

        if (digits == 0) {
            return false;
        }
        exponent = str_slice(text, at, at + 1 + sign + digits);
        at += exponent.size;
        is_whole = false;
    }
    if (at != text.size) {
        return false;
    }
    plain = str_printf(r->a, "%s%.*s", negative ? "-" : "", STR_ARG(whole_digits));
    if (is_whole && str_to_int64(plain, &to->u.integer, NULL) == STATUS_OK) {
        to->kind = JSON_INT64;
        return true;
    }
    plain = str_printf(r->a, "%s0%.*s.%.*s0%.*s", negative ? "-" : "", STR_ARG(whole_digits),
                       STR_ARG(fraction), STR_ARG(exponent));
    to->kind = JSON_DOUBLE;
    return str_to_double(plain, &to->u.number.value, NULL) == STATUS_OK;
}

static void resolve_plain(reader *r, str text, json *to)
{
    json value = {.kind = JSON_NULL};

    if (is_null(text)) {
        value.kind = JSON_NULL;
    } else if (is_true(text) || is_false(text)) {
        value.kind = JSON_BOOL;
        value.u.boolean = is_true(text);
    } else if (!parse_based(text, &value) && !parse_special_float(text, &value) &&
               !parse_number(r, text, &value)) {
        value.kind = JSON_STR;
        value.u.text = text;
    }
    *to = value;
}

/* --- tags --- */

typedef struct tag_info {
    const char *name; /* behind "tag:yaml.org,2002:" */
    json_kind kind;
} tag_info;

static const tag_info tags[] = {
    {"str", JSON_STR},      {"null", JSON_NULL}, {"bool", JSON_BOOL},  {"int", JSON_INT64},
    {"float", JSON_DOUBLE}, {"seq", JSON_ARRAY}, {"map", JSON_OBJECT},
};

/* JSON_VALUE: there is no tag, the text decides. */
static status read_tag(reader *r, struct fy_node *node, json_kind *ret_kind)
{
    static const str prefix = STR_INIT("tag:yaml.org,2002:");
    size_t size = 0;
    const char *data = fy_node_get_tag(node, &size);
    str tag = str_from(data, size);

    if (data == NULL || size == 0) {
        *ret_kind = JSON_VALUE;
        return STATUS_OK;
    }
    if (str_equal(tag, STR("!"))) {
        *ret_kind = fy_node_get_type(node) == FYNT_SCALAR ? JSON_STR : JSON_VALUE;
        return STATUS_OK;
    }
    for (size_t i = 0; str_starts_with(tag, prefix) && i < COUNT_OF(tags); i++) {
        if (str_equal(str_slice(tag, prefix.size, tag.size), str_c(tags[i].name))) {
            *ret_kind = tags[i].kind;
            return STATUS_OK;
        }
    }
    return syntax_error(r, node,
                        str_printf(r->a, "the tag \"%.*s\" is not known", STR_ARG(tag)).data);
}

/* --- nodes --- */

static status convert(reader *r, struct fy_node *node, int depth, json *to);

/* The text of a scalar, piece by piece: fy_node_get_scalar of libfyaml 0.7 leaks memory where there are
 * more than eight pieces. Its length is known beforehand; what comes behind that is none of the text. */
static status read_text(reader *r, struct fy_node *node, str *ret_text)
{
    struct fy_token *token = fy_node_get_scalar_token(node);
    size_t size = token != NULL ? fy_token_get_text_length(token) : 0;
    char *text = arena_alloc(r->a, size + 1);
    const struct fy_iter_chunk *piece = NULL;
    struct fy_token_iter *pieces;
    size_t done = 0;
    int failed = 0;

    if (size == 0) {
        *ret_text = STR("");
        return STATUS_OK;
    }
    pieces = fy_token_iter_create(token);
    while (pieces != NULL && done < size) {
        size_t taken;

        piece = fy_token_iter_chunk_next(pieces, piece, &failed);
        if (piece == NULL) {
            break;
        }
        taken = piece->len < size - done ? piece->len : size - done;
        memcpy(text + done, piece->str, taken);
        done += taken;
    }
    fy_token_iter_destroy(pieces);
    if (done < size) {
        return syntax_error(r, node, "a text cannot be read");
    }
    *ret_text = str_from(text, size);
    return STATUS_OK;
}

static status convert_scalar(reader *r, struct fy_node *node, json_kind wanted, json *to)
{
    str text;

    TRY(read_text(r, node, &text));
    if (wanted == JSON_STR || (wanted == JSON_VALUE && fy_node_get_style(node) != FYNS_PLAIN)) {
        to->kind = JSON_STR;
        to->u.text = text;
        return STATUS_OK;
    }
    resolve_plain(r, text, to);
    if (wanted == JSON_DOUBLE && to->kind == JSON_INT64) {
        *to = (json){.kind = JSON_DOUBLE, .u.number.value = (double)to->u.integer};
    }
    if (wanted != JSON_VALUE && wanted != to->kind) {
        return syntax_error(r, node, "the value is not what its tag says");
    }
    return STATUS_OK;
}

static status convert_sequence(reader *r, struct fy_node *node, int depth, json *to)
{
    int counted = fy_node_sequence_item_count(node);
    json *items = ARENA_ARRAY(r->a, json, counted > 0 ? counted : 0);
    size_t count = 0;
    void *at = NULL;
    struct fy_node *item;

    while ((item = fy_node_sequence_iterate(node, &at)) != NULL) {
        TRY(convert(r, item, depth + 1, &items[count++]));
    }
    *to = (json){.kind = JSON_ARRAY, .u.array = {.items = items, .count = count}};
    return STATUS_OK;
}

static status read_key(reader *r, struct fy_node *node, map *seen, str *ret_key)
{
    str key = STR("");

    if (node != NULL && fy_node_is_alias(node)) {
        node = fy_node_resolve_alias(node);
    }
    if (node != NULL && fy_node_get_type(node) != FYNT_SCALAR) {
        return syntax_error(r, NULL, "a key is not a text");
    }
    if (node != NULL) {
        TRY(read_text(r, node, &key));
    }
    if (str_equal(key, STR("<<")) && fy_node_get_style(node) == FYNS_PLAIN) {
        return syntax_error(r, node, "merge keys (\"<<\") are no part of YAML 1.2");
    }
    if (map_has(seen, key)) {
        return syntax_error(r, node,
                            str_printf(r->a, "the key \"%.*s\" stands twice", STR_ARG(key)).data);
    }
    (void)map_set(seen, key, seen);
    *ret_key = key;
    return STATUS_OK;
}

static status convert_mapping(reader *r, struct fy_node *node, int depth, json *to)
{
    int counted = fy_node_mapping_item_count(node);
    json_member *members = ARENA_ARRAY(r->a, json_member, counted > 0 ? counted : 0);
    map *seen = map_create(r->a);
    size_t count = 0;
    void *at = NULL;
    struct fy_node_pair *pair;

    while ((pair = fy_node_mapping_iterate(node, &at)) != NULL) {
        json_member *member = &members[count++];

        TRY(read_key(r, fy_node_pair_key(pair), seen, &member->key));
        TRY(convert(r, fy_node_pair_value(pair), depth + 1, &member->value));
    }
    *to = (json){.kind = JSON_OBJECT, .u.object = {.members = members, .count = count}};
    return STATUS_OK;
}

static status convert_tagged(reader *r, struct fy_node *node, int depth, json *to)
{
    json_kind wanted;

    TRY(read_tag(r, node, &wanted));
    switch (fy_node_get_type(node)) {
    case FYNT_SEQUENCE:
        TRY(convert_sequence(r, node, depth, to));
        break;
    case FYNT_MAPPING:
        TRY(convert_mapping(r, node, depth, to));
        break;
    case FYNT_SCALAR:
        return convert_scalar(r, node, wanted, to);
    }
    if (wanted != JSON_VALUE && wanted != to->kind) {
        return syntax_error(r, NULL, "a value is not what its tag says");
    }
    return STATUS_OK;
}

static status convert(reader *r, struct fy_node *node, int depth, json *to)
{
    if (depth > LIMIT_JSON_DEPTH) {
        return error_set(r->err, STATUS_TOO_LARGE, "YAML is nested deeper than %d levels",
                         LIMIT_JSON_DEPTH);
    }
    if (r->values_left == 0) {
        return error_set(r->err, STATUS_TOO_LARGE,
                         "YAML aliases unfold to more values than a text of %zu bytes may hold",
                         r->text.size);
    }
    r->values_left--;
    if (node == NULL) {
        to->kind = JSON_NULL;
        return STATUS_OK;
    }
    if (fy_node_is_alias(node)) {
        struct fy_node *target = fy_node_resolve_alias(node);

        return target != NULL ? convert(r, target, depth + 1, to)
                              : syntax_error(r, node, "an alias has no anchor");
    }
    return convert_tagged(r, node, depth, to);
}

/* --- documents --- */

static status read_documents(reader *r, json *to)
{
    struct fy_document *document = fy_parse_load_document(r->parser);
    status kind;

    if (document == NULL) {
        to->kind = JSON_NULL;
        return fy_diag_got_error(r->diag) ? parser_error(r) : STATUS_OK;
    }
    kind = convert(r, fy_document_root(document), 0, to);
    fy_parse_document_destroy(r->parser, document);
    TRY(kind);

    document = fy_parse_load_document(r->parser);
    if (document != NULL) {
        fy_parse_document_destroy(r->parser, document);
        return syntax_error(r, NULL, "a second document follows");
    }
    return fy_diag_got_error(r->diag) ? parser_error(r) : STATUS_OK;
}

/* Errors are collected, not printed. */
static void print_nothing(struct fy_diag *diag, void *user, const char *text, size_t size)
{
    (void)diag;
    (void)user;
    (void)text;
    (void)size;
}

static status parse(reader *r, json *to)
{
    struct fy_parse_cfg config = {
        .search_path = "",
        .flags = FYPCF_QUIET | FYPCF_COLLECT_DIAG | FYPCF_DEFAULT_VERSION_1_2 | FYPCF_JSON_NONE |
                 FYPCF_ALLOW_DUPLICATE_KEYS, /* found, and named, here */
        .diag = r->diag,
    };
    status kind;

    r->parser = fy_parser_create(&config);
    if (r->parser == NULL || fy_parser_set_string(r->parser, r->text.data, r->text.size) != 0) {
        fy_parser_destroy(r->parser);
        return error_set(r->err, STATUS_OUT_OF_MEMORY, "no memory for a YAML document of %zu bytes",
                         r->text.size);
    }
    kind = read_documents(r, to);
    fy_parser_destroy(r->parser);
    return kind;
}

status yaml_parse(str text, arena *a, const json **ret_value, error *err)
{
    struct fy_diag_cfg diagnostics;
    reader r = {.text = text, .a = a, .values_left = text.size + VALUES_GRANTED, .err = err};
    json *value = ARENA_NEW(a, json);
    status kind;

    if (!str_is_utf8(text) || str_find_char(text, '\0') != STR_NPOS) {
        return error_set(err, STATUS_SYNTAX, "malformed YAML: the text is not UTF-8");
    }
    if (!str_is_empty(text)) {
        fy_diag_cfg_default(&diagnostics);
        diagnostics.fp = NULL;
        diagnostics.output_fn = print_nothing;
        diagnostics.colorize = false;
        r.diag = fy_diag_create(&diagnostics);
        if (r.diag == NULL) {
            return error_set(err, STATUS_OUT_OF_MEMORY, "no memory for a YAML document");
        }
        fy_diag_set_collect_errors(r.diag, true);
        kind = parse(&r, value);
        fy_diag_destroy(r.diag);
        TRY(kind);
    }
    *ret_value = value;
    return STATUS_OK;
}
