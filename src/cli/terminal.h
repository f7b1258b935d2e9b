/* terminal.h: what kind of place output goes to. */
#ifndef TARN_CLI_TERMINAL_H
#define TARN_CLI_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>

#include "tarn/base/str.h"

bool terminal_is(int fd);
/* Columns of the terminal behind fd; 0 where there is none or it does not say. */
int terminal_width(int fd);
int terminal_height(int fd);
/* auto: on a terminal, unless NO_COLOR or TERM=dumb. `when` may be STR_NULL: auto. */
bool terminal_color(int fd, str when);

/* Columns that text takes on a terminal: wide characters two, combining ones none. */
int text_width(str text);
/* The part of `text` that fits into `width` columns. */
str text_fit(str text, int width);

#endif
