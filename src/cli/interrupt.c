/* Ctrl-C and SIGTERM: noted, so that what runs ends in order; a second one ends at once. */
#include <signal.h>
#include <unistd.h>

#include "context.h"

_Atomic int interrupt_signal;
static _Atomic bool keep;

static void on_signal(int number)
{
    int before = atomic_exchange(&interrupt_signal, number);

    if (before != 0 && (before == SIGTERM || number != SIGINT || !keep)) {
        _exit(128 + number);
    }
}

void interrupt_catch(void)
{
    /* Without SA_RESTART: a read from a terminal or a pipe returns. */
    struct sigaction action = {.sa_handler = on_signal};

    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

void interrupt_forget(void)
{
    atomic_store(&interrupt_signal, 0);
}

void interrupt_keep(void)
{
    keep = true;
}
