/* golden_lines.h: files of one JSON object a line. */
#ifndef TARN_TEST_GOLDEN_LINES_H
#define TARN_TEST_GOLDEN_LINES_H

#include "support/test.h"
#include "tarn/codec/json.h"

/* The next object of `*rest`; NULL at the end. */
static inline const json *golden_next(fixture *f, str *rest)
{
    const json *value = NULL;
    while (rest->size > 0 && value == NULL) {
        str line = str_cut(*rest, '\n', rest);
        if (line.size > 0) {
            EXPECT_OK(json_parse(line, f->arena, &value, &f->err));
        }
    }
    return value;
}

/* The object whose "name" it is; the test fails where there is none. */
static inline const json *golden_named(fixture *f, const char *path, const char *name)
{
    str rest = GOLDEN(f, path);
    const json *value;
    while ((value = golden_next(f, &rest)) != NULL) {
        if (str_equal(json_str_or(json_get(value, "name"), STR("")), str_c(name))) {
            return value;
        }
    }
    fail_msg("%s has no \"%s\"", path, name);
    return NULL;
}

#endif
