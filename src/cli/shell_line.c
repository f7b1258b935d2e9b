/* Lines from a terminal, through libedit: editing, history, completion. The only file that knows
 * it. */
#include <histedit.h>
#include <locale.h>
#include <stdio.h>

#include "shell.h"
#include "tarn/base/fs.h"
#include "tarn/base/mem.h"

#define HISTORY_LINES 5000
#define COMPLETIONS_SHOWN 100

struct shell_line {
    EditLine *edit;
    History *history;
    const char *history_path;
    const char *prompt;
    shell_words words;
    void *context;
};

static char *prompt_of(EditLine *edit)
{
    shell_line *l = NULL;

    el_get(edit, EL_CLIENTDATA, &l);
    return (char *)(uintptr_t)l->prompt;
}

static bool is_word_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == '\\' || (unsigned char)c >= 0x80;
}

static size_t common_prefix(const str *words, size_t count)
{
    size_t size = words[0].size;

    for (size_t i = 1; i < count; i++) {
        size_t same = 0;
        while (same < size && same < words[i].size &&
               str_equal_nocase(str_slice(words[0], same, same + 1),
                                str_slice(words[i], same, same + 1))) {
            same++;
        }
        size = same;
    }
    return size;
}

static unsigned char show_choices(EditLine *edit, const str *words, size_t count)
{
    (void)edit;
    printf("\n");
    for (size_t i = 0; i < count && i < COMPLETIONS_SHOWN; i++) {
        printf("%.*s  ", STR_ARG(words[i]));
    }
    printf(count > COMPLETIONS_SHOWN ? "…\n" : "\n");
    fflush(stdout);
    return CC_REDISPLAY;
}

static unsigned char on_tab(EditLine *edit, int key)
{
    shell_line *l = NULL;
    const LineInfo *line = el_line(edit);
    const char *start = line->cursor;
    str *words = NULL;
    size_t count = 0;
    unsigned char outcome = CC_ERROR;

    (void)key;
    el_get(edit, EL_CLIENTDATA, &l);
    while (start > line->buffer && is_word_char(start[-1])) {
        start--;
    }
    size_t typed = (size_t)(line->cursor - start);
    arena *scratch = arena_create();
    l->words(l->context, str_from(start, typed), scratch, &words, &count);
    if (count > 0) {
        str word = str_slice(words[0], 0, common_prefix(words, count));
        if (word.size > typed || count == 1) {
            /* the word as it is spelled replaces what was typed */
            str insert =
                count == 1 ? str_printf(scratch, "%.*s ", STR_ARG(word)) : str_copy(scratch, word);
            el_deletestr(edit, (int)typed);
            outcome = el_insertstr(edit, insert.data) == 0 ? CC_REFRESH : CC_ERROR;
        } else {
            outcome = show_choices(edit, words, count);
        }
    }
    arena_free(scratch);
    return outcome;
}

shell_line *shell_line_create(const char *history_path, shell_words words, void *context)
{
    shell_line *l = NEW(shell_line);
    HistEvent event;

    setlocale(LC_CTYPE, ""); /* libedit counts columns by it */
    l->history_path = history_path;
    l->words = words;
    l->context = context;
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
    history(l->history, &event, H_SETSIZE, HISTORY_LINES);
    history(l->history, &event, H_SETUNIQUE, 1);
    el_set(l->edit, EL_HIST, history, l->history);
    if (history_path != NULL) {
        history(l->history, &event, H_LOAD, history_path);
    }
    el_source(l->edit, NULL); /* ~/.editrc */
    return l;
}

void shell_line_free(shell_line *l)
{
    HistEvent event;

    if (l->history_path != NULL) {
        history(l->history, &event, H_SAVE, l->history_path);
    }
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
        if (interrupt_signal == 0) {
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

void shell_line_remember(shell_line *l, str statement)
{
    HistEvent event;
    arena *scratch = arena_create();

    history(l->history, &event, H_ENTER, str_to_c(scratch, statement));
    arena_free(scratch);
}
