/* How the shell behaves: \x, \timing, \pset, and the variables of \set. */
#include <stdio.h>

#include "shell/internal.h"
#include "tarn/base/limits.h"
#include "tarn/base/mem.h"

/* ---- switches ---- */

/* "on", "off", or nothing: the other one. False where it is neither. */
static bool read_switch(str word, bool *value)
{
    if (str_is_null(word)) {
        *value = !*value;
        return true;
    }
    if (str_equal_nocase(word, STR("on")) || str_equal_nocase(word, STR("off"))) {
        *value = str_equal_nocase(word, STR("on"));
        return true;
    }
    return false;
}

static const char *on_off(bool value)
{
    return value ? "on" : "off";
}

bool shell_timing(shell *s, str operand)
{
    arena *a = arena_create();
    str word = shell_word(s, &operand, a);
    bool fine = read_switch(word, &s->timing);

    if (fine) {
        printf("timing is %s\n", on_off(s->timing));
    } else {
        (void)shell_refuse(s, "\\timing is on or off, not \"%.*s\"", STR_ARG(word));
    }
    arena_free(a);
    return fine;
}

static const char *const expand_names[] = {
    [EXPAND_OFF] = "off", [EXPAND_ON] = "on", [EXPAND_AUTO] = "auto"};

static bool set_expanded(shell *s, str word)
{
    result_look *look = &s->c->look;
    bool on = look->expand != EXPAND_OFF;

    if (str_equal_nocase(word, STR("auto"))) {
        look->expand = EXPAND_AUTO;
    } else if (read_switch(word, &on)) {
        look->expand = on ? EXPAND_ON : EXPAND_OFF;
    } else {
        return shell_refuse(s, "it is on, off or auto, not \"%.*s\"", STR_ARG(word));
    }
    printf("expanded display is %s\n", expand_names[look->expand]);
    return true;
}

bool shell_expanded(shell *s, str operand)
{
    arena *a = arena_create();
    bool fine = set_expanded(s, shell_word(s, &operand, a));

    arena_free(a);
    return fine;
}

/* ---- \pset ---- */

static bool set_format(shell *s, str word)
{
    output_format format;

    if (!str_is_null(word) && !output_format_from(word, &format)) {
        return shell_refuse(s,
                            "format \"%.*s\" does not exist: table, box, md, csv, tsv, json, "
                            "jsonl, arrow and parquet do",
                            STR_ARG(word));
    }
    if (!str_is_null(word)) {
        s->c->format = format;
    }
    printf("format is %.*s\n", STR_ARG(output_format_name(s->c->format)));
    return true;
}

static bool set_null(shell *s, str word)
{
    result_look *look = &s->c->look;

    look->null_text = str_is_null(word) ? STR_NULL : str_copy(s->c->lifetime, word);
    printf("null is shown as \"%.*s\"\n", STR_ARG(str_is_null(word) ? STR("NULL") : word));
    return true;
}

static bool set_border(shell *s, str word)
{
    bool box = str_equal(word, STR("2"));

    if (!box && !str_equal(word, STR("0")) && !str_equal(word, STR("1"))) {
        return shell_refuse(s, "border is 0, 1 or 2: names alone, a line below them, a box");
    }
    s->c->format = box ? OUTPUT_BOX : OUTPUT_TABLE;
    s->c->look.no_rule = str_equal(word, STR("0"));
    printf("border is %.*s\n", STR_ARG(word));
    return true;
}

static bool set_flag(shell *s, str word, const char *name, bool *no_value)
{
    bool value = !*no_value;

    if (!read_switch(word, &value)) {
        return shell_refuse(s, "%s is on or off, not \"%.*s\"", name, STR_ARG(word));
    }
    *no_value = !value;
    printf("%s is %s\n", name, on_off(value));
    return true;
}

static bool set_pager(shell *s, str word)
{
    return set_flag(s, word, "pager", &s->no_pager);
}

static bool set_footer(shell *s, str word)
{
    return set_flag(s, word, "footer", &s->no_footer);
}

static bool set_fit(shell *s, str word)
{
    return set_flag(s, word, "fit", &s->c->look.unfitted);
}

const char *const shell_pset_words[] = {"format", "null",  "border", "expanded",
                                        "fit",    "pager", "footer"};
const size_t shell_pset_word_count = COUNT_OF(shell_pset_words);
/* In the order of the words. */
static bool (*const setters[])(shell *s, str word) = {
    set_format, set_null, set_border, set_expanded, set_fit, set_pager, set_footer};
_Static_assert(COUNT_OF(setters) == COUNT_OF(shell_pset_words), "one setter a word");

static void show_all(const shell *s)
{
    const result_look *look = &s->c->look;
    str null = str_is_null(look->null_text) ? STR("NULL") : look->null_text;

    printf("format    %.*s\n", STR_ARG(output_format_name(s->c->format)));
    printf("null      %.*s\n", STR_ARG(null));
    printf("border    %d\n", s->c->format == OUTPUT_BOX ? 2 : look->no_rule ? 0 : 1);
    printf("expanded  %s\n", expand_names[look->expand]);
    printf("fit       %s\n", on_off(!look->unfitted));
    printf("pager     %s\n", on_off(!s->no_pager));
    printf("footer    %s\n", on_off(!s->no_footer));
}

bool shell_pset(shell *s, str operand)
{
    arena *a = arena_create();
    str name = shell_word(s, &operand, a);
    bool fine = str_is_null(name);

    if (fine) {
        show_all(s);
    }
    for (size_t i = 0; i < COUNT_OF(setters) && !str_is_null(name); i++) {
        if (str_equal_nocase(name, str_c(shell_pset_words[i]))) {
            fine = setters[i](s, shell_word(s, &operand, a));
            arena_free(a);
            return fine;
        }
    }
    if (!fine) {
        (void)shell_refuse(s,
                           "\"%.*s\" is no option of \\pset: format, null, border, expanded, fit, "
                           "pager and footer are",
                           STR_ARG(name));
    }
    arena_free(a);
    return fine;
}

/* ---- variables ---- */

static str heap_copy(str text)
{
    char *copy = mem_alloc(text.size + 1);

    memcpy(copy, text.data != NULL ? text.data : "", text.size);
    copy[text.size] = '\0';
    return str_from(copy, text.size);
}

static shell_variable *find(const shell *s, str name)
{
    for (size_t i = 0; i < s->variables.count; i++) {
        if (str_equal(s->variables.items[i].name, name)) {
            return &s->variables.items[i];
        }
    }
    return NULL;
}

static bool is_name(str text)
{
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!letter && (i == 0 || c < '0' || c > '9')) {
            return false;
        }
    }
    return text.size > 0;
}

bool shell_set(shell *s, str operand)
{
    arena *a = arena_create();
    str name = shell_word(s, &operand, a);
    buf *value = buf_in(a, LIMIT_SQL_TEXT);

    if (str_is_null(name)) {
        for (size_t i = 0; i < s->variables.count; i++) {
            printf("%.*s = '%.*s'\n", STR_ARG(s->variables.items[i].name),
                   STR_ARG(s->variables.items[i].value));
        }
        arena_free(a);
        return true;
    }
    if (!is_name(name)) {
        (void)shell_refuse(s, "\"%.*s\" is no name of a variable", STR_ARG(name));
        arena_free(a);
        return false;
    }
    for (str word = shell_word(s, &operand, a); !str_is_null(word);
         word = shell_word(s, &operand, a)) {
        buf_add_str(value, word);
    }
    shell_variable *there = find(s, name);
    if (there != NULL) {
        mem_free((void *)(uintptr_t)there->value.data);
        there->value = heap_copy(buf_str(value));
    } else {
        shell_variable fresh = {.name = heap_copy(name), .value = heap_copy(buf_str(value))};
        vec_push(NULL, &s->variables, fresh);
    }
    arena_free(a);
    return true;
}

static void release(shell_variable *v)
{
    mem_free((void *)(uintptr_t)v->name.data);
    mem_free((void *)(uintptr_t)v->value.data);
}

bool shell_unset(shell *s, str operand)
{
    arena *a = arena_create();
    str name = shell_word(s, &operand, a);
    shell_variable *there = str_is_null(name) ? NULL : find(s, name);
    bool fine = there != NULL;

    if (fine) {
        release(there);
        *there = s->variables.items[--s->variables.count];
    } else {
        (void)shell_refuse(s, "there is no variable \"%.*s\"", STR_ARG(name));
    }
    arena_free(a);
    return fine;
}

void shell_release_settings(shell *s)
{
    for (size_t i = 0; i < s->variables.count; i++) {
        release(&s->variables.items[i]);
    }
    mem_free(s->variables.items);
}

/* ---- :name ---- */

/* The variable that is meant at `at`, where ":" stands; NULL: none. `*ret_quote`: ' or " or 0. */
static const shell_variable *variable_at(const shell *s, str text, size_t at, char *ret_quote,
                                         size_t *ret_end)
{
    char quote = at + 1 < text.size ? text.data[at + 1] : 0;
    bool quoted = quote == '\'' || quote == '"';
    size_t start = at + (quoted ? 2 : 1);
    size_t end = start;

    if (at > 0 && text.data[at - 1] == ':') {
        return NULL; /* a cast */
    }
    while (end < text.size && is_name(str_slice(text, start, end + 1))) {
        end++;
    }
    if (quoted && (end >= text.size || text.data[end] != quote)) {
        return NULL;
    }
    *ret_quote = quoted ? quote : 0;
    *ret_end = end + (quoted ? 1 : 0);
    return find(s, str_slice(text, start, end));
}

static void add_value(buf *out, str value, char quote)
{
    if (quote == 0) {
        buf_add_str(out, value);
        return;
    }
    buf_add_char(out, quote);
    for (size_t i = 0; i < value.size; i++) {
        if (value.data[i] == quote) {
            buf_add_char(out, quote);
        }
        buf_add_char(out, value.data[i]);
    }
    buf_add_char(out, quote);
}

str shell_expand(const shell *s, str text, arena *a)
{
    buf *out;
    bool blank;

    if (s->variables.count == 0 || str_find_char(text, ':') == STR_NPOS) {
        return text;
    }
    out = buf_in(a, LIMIT_SQL_TEXT);
    for (size_t at = 0; at < text.size;) {
        char quote = 0;
        size_t end = at;
        const shell_variable *v =
            text.data[at] == ':' ? variable_at(s, text, at, &quote, &end) : NULL;
        if (v != NULL) {
            add_value(out, v->value, quote);
            at = end;
            continue;
        }
        end = query_skip_token(text, at, &blank);
        buf_add_str(out, str_slice(text, at, end));
        at = end;
    }
    return buf_str(out);
}
