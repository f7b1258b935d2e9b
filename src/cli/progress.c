/* How far something is: one line that is rewritten, or JSON lines. */
#include "progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "tarn/base/clock.h"
#include "tarn/codec/json.h"

#define TERMINAL_TICK_MS 100
#define JSON_TICK_MS 500
#define BEGIN_AFTER_MS 300

static void write_out(const buf *line)
{
    ssize_t written = write(STDERR_FILENO, line->data, line->size);
    (void)written;
}

static void add_bytes(buf *out, int64_t bytes)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
    double value = (double)bytes;
    size_t unit = 0;

    while (value >= 1000 && unit + 1 < COUNT_OF(units)) {
        value /= 1000;
        unit++;
    }
    buf_printf(out, unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
}

static void draw(progress *p, buf *line, int64_t elapsed_ms)
{
    int64_t done = p->done;

    buf_printf(line, "\r\x1b[K%s", p->phase);
    if (done > 0) {
        buf_add_char(line, ' ');
        add_bytes(line, done);
    }
    if (p->total > 0 && done < p->total) {
        buf_printf(line, " of ");
        add_bytes(line, p->total);
        buf_printf(line, " (%" PRId64 " %%)", done * 100 / p->total);
    }
    if (p->rows > 0) {
        buf_printf(line, " %" PRId64 " rows", p->rows);
    }
    buf_printf(line, ", %.1f s", (double)elapsed_ms / 1000.0);
}

static void draw_json(progress *p, buf *line, int64_t elapsed_ms)
{
    json_writer w;

    json_writer_init(&w, line);
    json_begin_object(&w);
    json_member_c(&w, "phase", p->phase);
    json_member_int(&w, "bytes", p->done);
    if (p->rows > 0) {
        json_member_int(&w, "rows", p->rows);
    }
    if (p->total > 0) {
        json_member_int(&w, "total_bytes", p->total);
    }
    json_member_int(&w, "elapsed_ms", elapsed_ms);
    json_end_object(&w);
    buf_add_char(line, '\n');
}

static void tick(progress *p)
{
    int64_t elapsed_ms = clock_mono_ms() - p->started_ms;
    buf line;

    buf_init(&line, 4096);
    if (p->mode == PROGRESS_JSON) {
        draw_json(p, &line, elapsed_ms);
    } else if (elapsed_ms >= p->begin_after_ms) {
        draw(p, &line, elapsed_ms);
    }
    write_out(&line);
    buf_release(&line);
}

static void run(void *context)
{
    progress *p = context;
    int64_t interval_ms = p->mode == PROGRESS_JSON ? JSON_TICK_MS : TERMINAL_TICK_MS;
    int64_t next_ms = p->started_ms + (p->mode == PROGRESS_JSON ? 0 : p->begin_after_ms);

    mutex_lock(&p->lock);
    while (!p->stop) {
        if (clock_mono_ms() >= next_ms) {
            mutex_unlock(&p->lock);
            tick(p);
            mutex_lock(&p->lock);
            next_ms += interval_ms;
        } else {
            (void)cond_wait_until(&p->stopped, &p->lock, next_ms * 1000000);
        }
    }
    mutex_unlock(&p->lock);
}

void progress_start(cli *c, progress *p, const char *phase, int64_t total_bytes)
{
    p->mode = c->progress;
    p->phase = phase;
    p->total = total_bytes;
    p->begin_after_ms = p->begin_after_ms > 0 ? p->begin_after_ms : BEGIN_AFTER_MS;
    p->started_ms = clock_mono_ms();
    if (p->mode == PROGRESS_NONE) {
        return;
    }
    mutex_init(&p->lock);
    cond_init(&p->stopped);
    thread *t = ARENA_NEW(c->memory, thread);
    if (thread_start(t, "progress", run, p, NULL) == STATUS_OK) {
        p->thread = t;
    }
}

void progress_stop(progress *p)
{
    if (p->thread == NULL) {
        return;
    }
    mutex_lock(&p->lock);
    p->stop = true;
    cond_signal(&p->stopped);
    mutex_unlock(&p->lock);
    thread_join(p->thread);
    p->thread = NULL;
    cond_release(&p->stopped);
    mutex_release(&p->lock);
    if (p->mode == PROGRESS_JSON) {
        tick(p);
    } else if (clock_mono_ms() - p->started_ms >= p->begin_after_ms) {
        ssize_t written = write(STDERR_FILENO, "\r\x1b[K", 4);
        (void)written;
    }
}
