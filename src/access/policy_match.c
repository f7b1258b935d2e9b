/* Patterns with * and ?, and variables in them. What a variable's value brings is plain text: a star in a user's name
 * is a star, and widens nothing. */
#include "policy_tree.h"
#include "tarn/base/vec.h"

enum { ANY_ONE = 256, ANY_RUN = 257 }; /* beside the bytes */

typedef VEC(int16_t) symbols;

static void add_bytes(symbols *out, arena *a, str text)
{
    for (size_t i = 0; i < text.size; i++) {
        vec_push(a, out, (int16_t)(unsigned char)text.data[i]);
    }
}

static void add_pattern_char(symbols *out, arena *a, char c)
{
    int16_t symbol = c == '*' ? ANY_RUN : c == '?' ? ANY_ONE : (int16_t)(unsigned char)c;

    vec_push(a, out, symbol);
}

/* The value of what stands between ${ and }. */
static bool variable_value(str inside, const policy_question *q, arena *a, str *ret_value)
{
    str fallback;
    str name = str_trim(str_cut(inside, ',', &fallback));
    const str *values = NULL;
    size_t count = 0;

    if (str_equal(inside, STR("*")) || str_equal(inside, STR("?")) || str_equal(inside, STR("$"))) {
        *ret_value = inside;
        return true;
    }
    if (q != NULL && q->values != NULL && policy_knows_key(name) &&
        q->values(q->context, str_lower(a, name), &values, &count) && count == 1) {
        *ret_value = str_copy(a, values[0]);
        return true;
    }
    fallback = str_trim(fallback);
    if (fallback.size >= 2 && str_starts_with(fallback, STR("'")) &&
        str_ends_with(fallback, STR("'"))) {
        *ret_value = str_slice(fallback, 1, fallback.size - 1);
        return true;
    }
    return false;
}

/* False where a variable has no value. */
static bool compile(str pattern, bool has_variables, const policy_question *q, arena *a,
                    symbols *out)
{
    for (size_t i = 0; i < pattern.size;) {
        str rest = str_slice(pattern, i, pattern.size);
        size_t end =
            has_variables && str_starts_with(rest, STR("${")) ? str_find_char(rest, '}') : STR_NPOS;
        str value;

        if (end == STR_NPOS) {
            add_pattern_char(out, a, pattern.data[i]);
            i++;
            continue;
        }
        if (!variable_value(str_slice(rest, 2, end), q, a, &value)) {
            return false;
        }
        add_bytes(out, a, value);
        i += end + 1;
    }
    return true;
}

static int fold(int c, bool any_case)
{
    return any_case && c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
}

/* Goes back to the last run alone, so the time is at most pattern times text. */
static bool matches(const int16_t *pattern, size_t count, str text, bool any_case)
{
    size_t p = 0, t = 0;
    size_t run = SIZE_MAX, run_from = 0;

    while (t < text.size) {
        int c = (unsigned char)text.data[t];

        if (p < count && pattern[p] == ANY_RUN) {
            run = p++;
            run_from = t;
        } else if (p < count &&
                   (pattern[p] == ANY_ONE || fold(pattern[p], any_case) == fold(c, any_case))) {
            p++;
            t++;
        } else if (run != SIZE_MAX) {
            p = run + 1;
            t = ++run_from;
        } else {
            return false;
        }
    }
    while (p < count && pattern[p] == ANY_RUN) {
        p++;
    }
    return p == count;
}

match policy__match(str pattern, str text, bool any_case, bool has_variables,
                    const policy_question *q)
{
    arena *scratch = arena_create();
    symbols compiled = {0};
    match found = MATCH_UNKNOWN;

    if (compile(pattern, has_variables, q, scratch, &compiled)) {
        found = matches(compiled.items, compiled.count, text, any_case) ? MATCH_YES : MATCH_NO;
    }
    arena_free(scratch);
    return found;
}

bool policy__glob(str pattern, str text, bool any_case)
{
    return policy__match(pattern, text, any_case, false, NULL) == MATCH_YES;
}

bool policy__expand(str text, bool has_variables, const policy_question *q, arena *a, str *ret_text)
{
    symbols compiled = {0};
    char *out;

    if (!compile(text, has_variables, q, a, &compiled)) {
        return false;
    }
    out = arena_alloc(a, compiled.count + 1);
    for (size_t i = 0; i < compiled.count; i++) {
        int16_t c = compiled.items[i];
        out[i] = c == ANY_RUN ? '*' : c == ANY_ONE ? '?' : (char)c;
    }
    *ret_text = str_from(out, compiled.count);
    return true;
}

/* Cuts at a colon outside of ${…}. */
static str cut_part(str text, str *rest)
{
    bool inside = false;

    for (size_t i = 0; i < text.size; i++) {
        inside = text.data[i] == '{' || (inside && text.data[i] != '}');
        if (text.data[i] == ':' && !inside) {
            *rest = str_slice(text, i + 1, text.size);
            return str_slice(text, 0, i);
        }
    }
    *rest = STR_NULL;
    return text;
}

#define ARN_PARTS 6 /* the last one takes what is left */

match policy__match_arn(str pattern, str text, bool has_variables, const policy_question *q)
{
    str pattern_rest = pattern, text_rest = text;
    match found = MATCH_YES;

    for (int part = 1; part <= ARN_PARTS && found == MATCH_YES; part++) {
        str p = pattern_rest, t = text_rest;

        if (part < ARN_PARTS) {
            p = cut_part(p, &pattern_rest);
            t = str_cut(t, ':', &text_rest);
        }
        if (part < ARN_PARTS && (str_is_null(pattern_rest) || str_is_null(text_rest))) {
            return MATCH_NO;
        }
        found = policy__match(p, t, false, has_variables, q);
    }
    return found;
}
