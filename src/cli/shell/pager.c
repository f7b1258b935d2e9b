/* The pager: a result is held back until it is higher or wider than the screen; then $PAGER gets it, or
 * less. What fits on the screen is printed. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "shell/internal.h"
#include "tarn/base/limits.h"
#include "terminal.h"

#define HOLD_BYTES LIMIT_MIB /* of one screen: more is in any case too much for it */
#define LINES_BELOW 3        /* what stands under a result: its number of rows, time, prompt */

struct pager {
    cli *c;
    int height, width;
    int lines, column; /* of what came so far */
    bool fitted;       /* what is still wider, a screen shows well enough */
    bool wide;
    bool escape; /* inside of a colour */
    buf held;
    process program;
    bool gone; /* it was left before everything was written */
    out_diversion diversion;
};

static void measure(pager *p, const char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)bytes[i];
        if (p->escape) {
            p->escape = !((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'));
        } else if (c == '\x1b') {
            p->escape = true;
        } else if (c == '\n') {
            p->lines++;
            p->column = 0;
        } else if ((c & 0xc0) != 0x80) {
            p->wide = (++p->column > p->width && !p->fitted) || p->wide;
        }
    }
}

static status write_out(pager *p, const char *bytes, size_t size, error *err)
{
    while (size > 0) {
        ssize_t written = write(p->program.fd, bytes, size);
        if (written < 0 && errno == EINTR && interrupt_signal == 0) {
            continue;
        }
        if (written < 0) {
            p->gone = true;
            return error_set(err, STATUS_CANCELLED, "nobody reads the output any more");
        }
        bytes += written;
        size -= (size_t)written;
    }
    return STATUS_OK;
}

static const char *program_of(arena *a)
{
    const char *chosen = getenv("TARN_PAGER");

    chosen = chosen != NULL ? chosen : getenv("PAGER");
    if (chosen != NULL) {
        return chosen;
    }
    return process_exists("less", a) ? "less" : process_exists("more", a) ? "more" : "";
}

static status take(void *context, const char *bytes, size_t size, error *err)
{
    pager *p = context;

    if (p->gone) {
        return error_set(err, STATUS_CANCELLED, "nobody reads the output any more");
    }
    if (p->program.pid != 0) {
        return write_out(p, bytes, size, err);
    }
    measure(p, bytes, size);
    buf_add(&p->held, bytes, size);
    if (!p->wide && p->lines <= p->height - LINES_BELOW && !p->held.failed &&
        p->held.size < HOLD_BYTES) {
        return STATUS_OK;
    }
    setenv("LESS", "-SR", 0);
    TRY(process_start(program_of(p->c->memory), &p->program, err));
    TRY(buf_check(&p->held, "result", err));
    return write_out(p, p->held.data, p->held.size, err);
}

pager *pager_begin(shell *s, arena *a)
{
    cli *c = s->c;
    pager *p;

    if (s->no_pager || !out_is_terminal(c) || terminal_height(STDOUT_FILENO) <= LINES_BELOW ||
        program_of(a)[0] == '\0') {
        return NULL;
    }
    p = ARENA_NEW(a, pager);
    p->c = c;
    p->height = terminal_height(STDOUT_FILENO);
    p->width = terminal_width(STDOUT_FILENO);
    p->fitted = (c->format == OUTPUT_TABLE || c->format == OUTPUT_BOX) && !c->look.unfitted;
    buf_init(&p->held, LIMIT_RESULT_IN_MEMORY);
    p->diversion = (out_diversion){.write = take, .context = p, .width = p->width};
    c->diversion = &p->diversion;
    return p;
}

bool pager_end(pager *p)
{
    if (p == NULL) {
        return false;
    }
    bool paged = p->program.pid != 0;
    (void)out_flush(p->c, NULL);
    p->c->diversion = NULL;
    paged = paged || p->program.pid != 0;
    if (paged) {
        process_end(&p->program);
    } else {
        (void)out_write(p->c, p->held.data, p->held.size, NULL);
        (void)out_flush(p->c, NULL);
    }
    buf_release(&p->held);
    return paged;
}
