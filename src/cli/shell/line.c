/* Lines from a terminal, through libedit: editing, history, completion. The only file that knows
 * it. */
#include <histedit.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shell/internal.h"
#include "tarn/base/fs.h"
#include "tarn/base/mem.h"
#include "terminal.h"

#define HISTORY_LINES 5000
#define COMPLETIONS_SHOWN 200

struct shell_line {
    EditLine *edit;
    History *history;
    const char *history_path;
    const char *prompt;
    shell *shell;
};

static char *prompt_of(EditLine *edit)
{
    shell_line *l = NULL;

    el_get(edit, EL_CLIENTDATA, &l);
    return (char *)(uintptr_t)l->prompt;
}

/* ---- completion ---- */

static size_t common_prefix(const completion *words, size_t count)
{
    size_t size = words[0].word.size;

    for (size_t i = 1; i < count; i++) {
        size_t same = 0;
        while (same < size && same < words[i].word.size &&
               str_equal_nocase(str_slice(words[0].word, same, same + 1),
                                str_slice(words[i].word, same, same + 1))) {
            same++;
        }
        size = same;
    }
    while (size > 0 && size < words[0].word.size &&
           ((unsigned char)words[0].word.data[size] & 0xc0) == 0x80) {
        size--;
    }
    return size;
}

/* In columns, as ls does, read downwards. */
static unsigned char show_choices(const completion *words, size_t count)
{
    int width = terminal_width(STDOUT_FILENO);
    int widest = 1;
    size_t shown = count < COMPLETIONS_SHOWN ? count : COMPLETIONS_SHOWN;

    for (size_t i = 0; i < shown; i++) {
        int own = text_width(words[i].word);
        widest = own > widest ? own : widest;
    }
    int fitting = (width > 0 ? width : 80) / (widest + 2);
    size_t across = fitting > 1 ? (size_t)fitting : 1;
    size_t down = (shown + across - 1) / across;
    printf("\n");
    for (size_t row = 0; row < down; row++) {
        for (size_t at = row; at < shown; at += down) {
            int missing = at + down < shown ? widest + 2 - text_width(words[at].word) : 0;
            printf("%.*s%*s", STR_ARG(words[at].word), missing, "");
        }
        printf("\n");
    }
    if (count > shown) {
        printf("… %zu more\n", count - shown);
    }
    fflush(stdout);
    return CC_REDISPLAY;
}

static unsigned char on_tab(EditLine *edit, int key)
{
    shell_line *l = NULL;
    const LineInfo *line = el_line(edit);
    str before = str_from(line->buffer, (size_t)(line->cursor - line->buffer));
    str after = str_from(line->cursor, (size_t)(line->lastchar - line->cursor));
    completion *words = NULL;
    size_t count = 0;
    size_t start = before.size;
    unsigned char outcome = CC_ERROR;

    (void)key;
    el_get(edit, EL_CLIENTDATA, &l);
    arena *scratch = arena_create();
    shell_complete(l->shell, before, after, scratch, &start, &words, &count);
    if (count > 0) {
        str typed = str_slice(before, start, before.size);
        str word = str_slice(words[0].word, 0, common_prefix(words, count));
        if (count == 1 || word.size > typed.size) {
            /* the word as it is spelled replaces what was typed */
            str insert = str_concat(scratch, word, count == 1 ? words[0].trailing : STR(""));
            int characters = 0;
            for (size_t i = 0; i < typed.size; i++) {
                characters += ((unsigned char)typed.data[i] & 0xc0) != 0x80;
            }
            el_deletestr(edit, characters);
            outcome = el_insertstr(edit, insert.data) == 0 ? CC_REFRESH : CC_ERROR;
        } else {
            outcome = show_choices(words, count);
        }
    }
    arena_free(scratch);
    return outcome;
}

/* ---- the history ---- */

/* The file is read again, the new line goes behind it, and it is written: other shells write it too. */
static void append(const shell_line *l, const char *text)
{
    HistEvent event;
    History *kept = history_init();

    history(kept, &event, H_SETSIZE, HISTORY_LINES);
    history(kept, &event, H_SETUNIQUE, 1);
    history(kept, &event, H_LOAD, l->history_path);
    history(kept, &event, H_ENTER, text);
    history(kept, &event, H_SAVE, l->history_path);
    history_end(kept);
}

void shell_line_remember(shell_line *l, str statement)
{
    HistEvent event;
    arena *scratch = arena_create();
    const char *text = str_to_c(scratch, statement);

    history(l->history, &event, H_ENTER, text);
    if (l->history_path != NULL) {
        append(l, text);
    }
    arena_free(scratch);
}

/* Statements may hold what is nobody else's business. */
static void open_history(shell_line *l)
{
    HistEvent event;

    history(l->history, &event, H_SETSIZE, HISTORY_LINES);
    history(l->history, &event, H_SETUNIQUE, 1);
    el_set(l->edit, EL_HIST, history, l->history);
    if (l->history_path == NULL) {
        return;
    }
    if (!fs_exists(l->history_path)) {
        mode_t before = umask(077);
        history(l->history, &event, H_SAVE, l->history_path);
        umask(before);
    }
    (void)chmod(l->history_path, 0600);
    history(l->history, &event, H_LOAD, l->history_path);
}

/* ---- lines ---- */

shell_line *shell_line_create(shell *s, const char *history_path)
{
    shell_line *l = NEW(shell_line);

    if (setlocale(LC_CTYPE, "") == NULL || MB_CUR_MAX == 1) {
        setlocale(LC_CTYPE, "C.UTF-8"); /* libedit counts columns by it */
    }
    l->history_path = history_path;
    l->shell = s;
    l->prompt = "";
    l->edit = el_init("tarn", stdin, stdout, stderr);
    l->history = history_init();
    ASSERT(l->edit != NULL && l->history != NULL);
    el_set(l->edit, EL_CLIENTDATA, l);
    el_set(l->edit, EL_EDITOR, "emacs");
    el_set(l->edit, EL_SIGNAL, 0);
    el_set(l->edit, EL_PROMPT, prompt_of);
    el_set(l->edit, EL_ADDFN, "tarn-complete", "complete a word", on_tab);
    el_set(l->edit, EL_BIND, "^I", "tarn-complete", NULL);
    el_set(l->edit, EL_BIND, "^R", "em-inc-search-prev", NULL);
    el_set(l->edit, EL_BIND, "^W", "ed-delete-prev-word", NULL);
    el_set(l->edit, EL_BIND, "\\e[1;5C", "em-next-word", NULL);
    el_set(l->edit, EL_BIND, "\\e[1;5D", "ed-prev-word", NULL);
    open_history(l);
    el_source(l->edit, NULL); /* ~/.editrc */
    return l;
}

void shell_line_free(shell_line *l)
{
    history_end(l->history);
    el_end(l->edit);
    mem_free(l);
}

bool shell_line_read(shell_line *l, const char *prompt, str *ret_line)
{
    int count = 0;

    l->prompt = prompt;
    const char *text = el_gets(l->edit, &count);
    if (text == NULL || count <= 0) {
        if (interrupt_signal != SIGINT) {
            return false;
        }
        interrupt_forget();
        printf("\n");
        fflush(stdout);
        el_reset(l->edit);
        *ret_line = STR_NULL;
        return true;
    }
    str line = str_from(text, (size_t)count);
    while (str_ends_with(line, STR("\n")) || str_ends_with(line, STR("\r"))) {
        line.size--;
    }
    *ret_line = line;
    return true;
}
