/* The name somebody probably meant: smallest edit distance, where a swap of neighbours is one edit
 * (Damerau and Levenshtein, each pair swapped at most once). Letters count without case. */
#include "tarn/base/str.h"

/* Longer names are not compared: nobody mistypes them by a letter, and the rows lie on the stack.
 * */
#define LETTERS_MAX 128

static char folded(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* One row of the usual table, from the two rows before it. */
static void next_row(str a, str b, size_t i, const size_t *before_last, const size_t *last,
                     size_t *ret_row)
{
    char letter = folded(a.data[i - 1]);

    ret_row[0] = i;
    for (size_t k = 1; k <= b.size; k++) {
        size_t change = last[k - 1] + (letter != folded(b.data[k - 1]) ? 1 : 0);
        size_t best = smaller(change, smaller(last[k], ret_row[k - 1]) + 1);

        if (i > 1 && k > 1 && letter == folded(b.data[k - 2]) &&
            folded(a.data[i - 2]) == folded(b.data[k - 1])) {
            best = smaller(best, before_last[k - 2] + 1);
        }
        ret_row[k] = best;
    }
}

static size_t edit_distance(str a, str b)
{
    size_t rows[3][LETTERS_MAX + 1] = {{0}};

    for (size_t k = 0; k <= b.size; k++) {
        rows[0][k] = k;
    }
    for (size_t i = 1; i <= a.size; i++) {
        next_row(a, b, i, rows[(i + 1) % 3], rows[(i + 2) % 3], rows[i % 3]);
    }
    return rows[a.size % 3][b.size];
}

str str_nearest(str wanted, const str *names, size_t count)
{
    size_t allowed = wanted.size / 3 > 0 ? wanted.size / 3 : 1;
    size_t best = allowed + 1;
    str nearest = STR_NULL;

    if (wanted.size == 0 || wanted.size > LETTERS_MAX) {
        return STR_NULL;
    }
    for (size_t i = 0; i < count; i++) {
        size_t distance;

        if (names[i].size > wanted.size + allowed || names[i].size > LETTERS_MAX ||
            names[i].size + allowed < wanted.size) {
            continue;
        }
        distance = edit_distance(wanted, names[i]);
        /* A name of which nothing is left is no slip. */
        if (distance < best && distance < wanted.size) {
            best = distance;
            nearest = names[i];
        }
    }
    return nearest;
}
