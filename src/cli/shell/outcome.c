/* What a statement did, in words, below its rows or instead of them. */
#include <inttypes.h>
#include <stdio.h>

#include "output.h"
#include "session.h"
#include "shell/internal.h"

/* Statements that count no rows, by their first word, and what is said where they did what they say. */
static const struct {
    str word;
    const char *told;
} deeds[] = {
    {STR_INIT("begin"), "transaction open"},
    {STR_INIT("start"), "transaction open"},
    {STR_INIT("commit"), "committed"},
    {STR_INIT("end"), "committed"},
    {STR_INIT("rollback"), "rolled back"},
    {STR_INIT("abort"), "rolled back"},
    {STR_INIT("create"), "created"},
    {STR_INIT("drop"), "dropped"},
    {STR_INIT("alter"), "altered"},
    {STR_INIT("comment"), "noted"},
    {STR_INIT("prepare"), "prepared"},
    {STR_INIT("deallocate"), "forgotten"},
    {STR_INIT("set"), "set"},
    {STR_INIT("reset"), "reset"},
    {STR_INIT("analyze"), "analyzed"},
};

/* Whether there was anything to do, only the server knows. */
static bool is_conditional(str statement)
{
    str head = str_slice(statement, 0, statement.size < 200 ? statement.size : 200);

    for (size_t i = 0; i + 4 < head.size; i++) {
        if (str_starts_with_nocase(str_slice(head, i, head.size), STR(" if "))) {
            return true;
        }
    }
    return false;
}

static const char *deed_of(str statement, bool had_failed)
{
    str word = cli_first_word(statement);

    for (size_t i = 0; i < COUNT_OF(deeds); i++) {
        if (str_equal_nocase(word, deeds[i].word)) {
            bool undone = had_failed && str_equal(str_c(deeds[i].told), STR("committed"));
            bool sure = !is_conditional(statement);
            return undone ? "rolled back: the transaction had failed"
                   : sure ? deeds[i].told
                          : "done";
        }
    }
    return NULL;
}

void shell_add_footer(const shell *s, const query_outcome *outcome)
{
    cli *c = s->c;
    bool framed = c->format == OUTPUT_TABLE || c->format == OUTPUT_BOX || c->format == OUTPUT_MD;

    if (!outcome->has_columns || !framed || s->no_footer) {
        return;
    }
    str rows = str_printf(c->memory, "(%" PRId64 " %s", outcome->rows,
                          outcome->rows == 1 ? "row" : "rows");
    (void)out_str(c, rows, NULL);
    if (outcome->hidden_columns > 0) {
        (void)out_str(c,
                      str_printf(c->memory, ", %zu %s hidden, \\x shows %s",
                                 outcome->hidden_columns,
                                 outcome->hidden_columns == 1 ? "column" : "columns",
                                 outcome->hidden_columns == 1 ? "it" : "them"),
                      NULL);
    }
    (void)out_str(c, STR(")\n"), NULL);
}

void shell_tell_outcome(const shell *s, str statement, bool had_failed,
                        const query_outcome *outcome)
{
    const char *deed = outcome->has_columns ? NULL : deed_of(statement, had_failed);

    if (outcome->changed_rows >= 0) {
        if (deed != NULL) {
            printf("%s%s", deed, outcome->changed_rows > 0 ? ", " : "\n");
        }
        if (deed == NULL || outcome->changed_rows > 0) {
            printf("%" PRId64 " %s%s\n", outcome->changed_rows,
                   outcome->changed_rows == 1 ? "row" : "rows", deed == NULL ? " changed" : "");
        }
    } else if (!str_is_null(s->target.name) && outcome->rows >= 0 && outcome->has_columns) {
        printf("%" PRId64 " %s into %.*s\n", outcome->rows, outcome->rows == 1 ? "row" : "rows",
               STR_ARG(s->target.name));
    }
    if (s->timing) {
        printf("time: %.3f s\n", (double)outcome->elapsed_ms / 1000.0);
    }
    fflush(stdout);
}
