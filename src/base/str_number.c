/* Numbers out of text. The whole text must be the number: no spaces, no plus sign in front, no
 * thousands marks, no hexadecimal; the decimal point is a point in every locale. */
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>

#include "internal.h"
#include "tarn/base/mem.h"
#include "tarn/base/str.h"

/* As much of a bad text as a message should quote. */
#define QUOTED_BYTES_MAX 64

static status refused(str s, const char *reason, error *err)
{
    size_t shown = s.size > QUOTED_BYTES_MAX ? base__utf8_cut(s.data, QUOTED_BYTES_MAX) : s.size;

    return error_set(err, STATUS_INVALID, "\"%.*s%s\" %s", (int)shown, s.size > 0 ? s.data : "",
                     shown < s.size ? "…" : "", reason);
}

/* Digits alone, at least one. */
static status digits_to_uint64(str all, str digits, uint64_t *ret_value, error *err)
{
    uint64_t value = 0;

    if (digits.size == 0) {
        return refused(all, "is not a whole number", err);
    }
    for (size_t i = 0; i < digits.size; i++) {
        if (digits.data[i] < '0' || digits.data[i] > '9') {
            return refused(all, "is not a whole number", err);
        }
    }
    for (size_t i = 0; i < digits.size; i++) {
        if (__builtin_mul_overflow(value, UINT64_C(10), &value) ||
            __builtin_add_overflow(value, (uint64_t)(digits.data[i] - '0'), &value)) {
            return refused(all, "is too large a number", err);
        }
    }
    *ret_value = value;
    return STATUS_OK;
}

status str_to_uint64(str s, uint64_t *ret_value, error *err)
{
    return digits_to_uint64(s, s, ret_value, err);
}

status str_to_int64(str s, int64_t *ret_value, error *err)
{
    bool negative = s.size > 0 && s.data[0] == '-';
    uint64_t limit = (uint64_t)INT64_MAX + (negative ? 1 : 0);
    uint64_t magnitude;

    TRY(digits_to_uint64(s, str_slice(s, negative ? 1 : 0, s.size), &magnitude, err));
    if (magnitude > limit) {
        return refused(s, "is too large a number", err);
    }
    /* Negated as unsigned: -INT64_MIN has no int64_t. */
    *ret_value = (int64_t)(negative ? 0 - magnitude : magnitude);
    return STATUS_OK;
}

static locale_t c_locale;
static pthread_once_t c_locale_once = PTHREAD_ONCE_INIT;

static void make_c_locale(void)
{
    c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    ASSERT(c_locale != (locale_t)0);
}

/* strtod takes more than we do: spaces, "+1", "0x1p3", "nan(7)". */
static bool looks_like_double(str s)
{
    static const str words[] = {STR_INIT("nan"), STR_INIT("inf"), STR_INIT("infinity")};
    str rest = s.size > 0 && s.data[0] == '-' ? str_slice(s, 1, s.size) : s;

    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (str_equal_nocase(rest, words[i])) {
            return true;
        }
    }
    if (rest.size == 0 || rest.data[0] == '+' || rest.data[0] == '-') {
        return false;
    }
    for (size_t i = 0; i < rest.size; i++) {
        if (rest.data[i] == '\0' || strchr("0123456789.eE+-", rest.data[i]) == NULL) {
            return false;
        }
    }
    return true;
}

status str_to_double(str s, double *ret_value, error *err)
{
    char small[64];
    char *text = small;
    char *end = NULL;
    bool whole;
    bool overflow;
    double value;

    if (!looks_like_double(s)) {
        return refused(s, "is not a number", err);
    }
    if (s.size >= sizeof(small)) {
        text = mem_alloc(s.size + 1);
    }
    memcpy(text, s.data, s.size);
    text[s.size] = '\0';
    (void)pthread_once(&c_locale_once, make_c_locale);
    errno = 0;
    value = strtod_l(text, &end, c_locale);
    whole = end == text + s.size;
    overflow = errno == ERANGE && isinf(value);
    if (text != small) {
        mem_free(text);
    }
    if (!whole) {
        return refused(s, "is not a number", err);
    }
    if (overflow) {
        return refused(s, "is too large a number", err);
    }
    *ret_value = value;
    return STATUS_OK;
}
