/* The command's session: transactions, branches and prepared statements of several requests need one. */
#include "session.h"

#include "connect.h"

/* First words of statements that leave something behind for later ones. */
static const char *const openers[] = {"begin", "start", "set", "prepare"};
static const char *const closers[] = {"commit", "end", "rollback", "abort"};

/* Where the first token begins: behind blanks and comments. */
static size_t skip_blanks(str text)
{
    size_t at = 0;

    for (;;) {
        str rest = str_slice(text, at, text.size);
        size_t end = STR_NPOS;

        if (str_starts_with(rest, STR("--"))) {
            end = str_find(rest, STR("\n"));
        } else if (str_starts_with(rest, STR("/*"))) {
            end = str_find(rest, STR("*/"));
        } else if (rest.size > 0 &&
                   (rest.data[0] == ' ' || (rest.data[0] >= '\t' && rest.data[0] <= '\r'))) {
            end = 0;
        } else {
            return at;
        }
        at = end == STR_NPOS ? text.size : at + end + 1;
        at += end != STR_NPOS && end > 0 && text.data[at - 1] == '*' ? 1 : 0;
    }
}

str cli_first_word(str statement)
{
    size_t from = skip_blanks(statement);
    size_t to = from;

    while (to < statement.size &&
           ((statement.data[to] | 0x20) >= 'a' && (statement.data[to] | 0x20) <= 'z')) {
        to++;
    }
    return str_slice(statement, from, to);
}

static bool begins_with(str statement, const char *const *words, size_t count)
{
    str word = cli_first_word(statement);

    for (size_t i = 0; i < count; i++) {
        if (str_equal_nocase(word, str_c(words[i]))) {
            return true;
        }
    }
    return false;
}

static void forget(cli *c)
{
    c->session[0] = '\0';
    c->in_transaction = c->transaction_failed = false;
}

status cli_session_prepare(cli *c, str statement, error *err)
{
    const json *answer = NULL;
    str id;

    if (c->session[0] != '\0' || !begins_with(statement, openers, COUNT_OF(openers))) {
        return STATUS_OK;
    }
    TRY(api_json(c, HTTP_POST, "/api/v1/sessions", STR("{}"), &answer, err));
    id = json_str_or(json_get(answer, "session"), STR(""));
    if (id.size == 0 || id.size >= sizeof(c->session)) {
        return error_set(err, STATUS_INTERNAL, "the server's answer names no session");
    }
    memcpy(c->session, id.data, id.size);
    c->session[id.size] = '\0';
    return STATUS_OK;
}

void cli_session_note(cli *c, const http_answer *answer)
{
    str now = http_answer_header(answer, "X-Transaction");

    if (!str_is_null(now)) { /* rows that stream come before it is known, and change nothing */
        c->in_transaction = str_equal(now, STR("open"));
        c->transaction_failed = str_equal(now, STR("failed"));
    }
}

void cli_session_note_failure(cli *c, str statement, const error *err)
{
    if (c->session[0] == '\0') {
        return;
    }
    if (err != NULL && err->kind == STATUS_NOT_FOUND &&
        str_starts_with(str_c(err->message), STR("session \""))) {
        forget(c); /* idle for too long: the next BEGIN makes another */
        return;
    }
    if (c->in_transaction) {
        c->in_transaction = false;
        c->transaction_failed = !begins_with(statement, closers, COUNT_OF(closers));
    }
}

bool cli_session_forget(cli *c)
{
    bool had = c->session[0] != '\0' && (c->in_transaction || c->transaction_failed);

    forget(c);
    return had;
}

const char *cli_session_mark(const cli *c)
{
    return c->transaction_failed ? "!" : c->in_transaction ? "*" : "";
}

void cli_session_end(cli *c)
{
    const json *answer = NULL;
    str id = str_c(c->session);

    if (id.size == 0) {
        return;
    }
    if (c->in_transaction) {
        message_note(c, "the open transaction was rolled back");
    }
    (void)api_json(c, HTTP_DELETE, api_path(c->lifetime, "/api/v1/sessions/%", &id, 1), STR(""),
                   &answer, NULL);
    forget(c);
}
