/* \watch: one statement again and again, until Ctrl-C or an error. */
#include <stdio.h>

#include "shell/internal.h"
#include "tarn/base/clock.h"

#define TICK_MS 50

/* False where Ctrl-C came. */
static bool pause_for(int64_t ms)
{
    int64_t end_ms = clock_mono_ms() + ms;

    while (clock_mono_ms() < end_ms && interrupt_signal == 0) {
        clock_sleep_ms(TICK_MS);
    }
    return interrupt_signal == 0;
}

static void tell_time(double seconds)
{
    char text[CLOCK_TEXT_SIZE];

    clock_format_utc(clock_now_us(), 0, text);
    printf("%s (every %g s, Ctrl-C ends it)\n", text, seconds);
    fflush(stdout);
}

bool shell_watch(shell *s, str operand)
{
    arena *a = arena_create();
    double seconds = 2;
    str word = shell_word(s, &operand, a);
    bool paged = s->no_pager;
    bool fine = true;

    if (!str_is_null(word) &&
        (str_to_double(word, &seconds, NULL) != STATUS_OK || !(seconds > 0) || seconds > 1e6)) {
        (void)shell_refuse(s, "\"%.*s\" is no number of seconds", STR_ARG(word));
        arena_free(a);
        return false;
    }
    s->no_pager = true;
    interrupt_forget();
    do {
        tell_time(seconds);
        fine = shell_run_pending(s);
    } while (fine && pause_for((int64_t)(seconds * 1000)));
    if (interrupt_signal != 0) { /* this is how it ends */
        printf("\n");
        fflush(stdout);
        interrupt_forget();
        fine = true;
    }
    s->no_pager = paged;
    arena_free(a);
    return fine;
}
