/* Answers of a worker that depend on the question alone. They are kept with the worker, not for all: what one
 * principal's worker says is believed for that principal only. */
#include "pool_internal.h"

#include "tarn/base/limits.h"

#define ANSWERS_MAX 256
#define ANSWERS_BYTES_MAX LIMIT_MIB

void pool_forget_answers(worker *w)
{
    map_free(w->answers);
    arena_free(w->answers_memory);
    w->answers = NULL;
    w->answers_memory = NULL;
    w->answers_bytes = 0;
}

static void remember(worker *w, str question, str answer)
{
    size_t bytes = question.size + answer.size;

    if (bytes > ANSWERS_BYTES_MAX / 4) {
        return;
    }
    if (w->answers != NULL &&
        (w->answers_bytes + bytes > ANSWERS_BYTES_MAX || map_count(w->answers) >= ANSWERS_MAX)) {
        pool_forget_answers(w);
    }
    if (w->answers == NULL) {
        w->answers = map_create(NULL);
        w->answers_memory = arena_create();
    }
    str *kept = ARENA_NEW(w->answers_memory, str);
    *kept = str_copy(w->answers_memory, answer);
    (void)map_set(w->answers, question, kept);
    w->answers_bytes += bytes;
}

status worker_pure(worker *w, str sql, str param, const worker_cancel *cancel, arena *a,
                   str *ret_text, error *err)
{
    /* No statement of tarn's holds a NUL, so that no two pairs make one question. */
    str question = str_printf(a, "%.*s%c%.*s", STR_ARG(sql), 0, STR_ARG(param));
    const str *known = w->answers != NULL ? map_get(w->answers, question) : NULL;

    if (known != NULL) {
        *ret_text = str_copy(a, *known);
        return STATUS_OK;
    }
    TRY(worker_scalar_after(w, STR_NULL, sql, &param, 1, cancel, a, ret_text, err));
    if (!str_is_null(*ret_text)) {
        remember(w, question, *ret_text);
    }
    return STATUS_OK;
}
