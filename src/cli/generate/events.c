/* Events of a shop's web site: nested documents as browsers send them.
 *
 * In JSON they are nested; in CSV flat, each name the path to it joined by "_" (a path that begins with
 * "_doc" begins with "doc"). */
#include "generate/generate.h"

#include "tarn/base/arena.h"
#include "tarn/base/mem.h"

#define USERS 1000
#define PAGES 12
#define ROW_BYTES_MAX 4096

typedef struct event {
    char id[37], user[16], session[20], address[16];
    const char *type, *browser, *os, *device, *entry_page, *exit_page, *referrer, *browser_version,
        *platform_version, *screen, *language, *zone, *country, *region, *city, *isp, *connection;
    int64_t time_ms;
    int64_t duration_s, pages, is_new, scroll, time_on_page, interactions, forms, videos, downloads;
    int64_t load_ms, paint_ms, interactive_ms, latency_ms;
} event;

typedef struct events {
    rng rng;
    times *times;
    event row;
} events;

/* ---- what is drawn from ---- */

static const uint8_t workday[24] = {14, 10, 8,  6,  6,  8,  14, 26, 40, 48, 52, 56,
                                    62, 58, 52, 50, 52, 56, 64, 74, 80, 76, 56, 30};
static const uint8_t weekend[24] = {24, 18, 12, 8,  6,  6,  10, 18, 32, 48, 60, 66,
                                    68, 66, 64, 64, 66, 68, 72, 76, 76, 68, 50, 34};

static const choice types[] = {
    {"product_view", 58}, {"cart_update", 20}, {"user_login", 14}, {"purchase", 8}};
static const choice pages[] = {{"/", 20},          {"/search", 14},    {"/products", 18},
                               {"/products/1", 9}, {"/products/2", 7}, {"/cart", 10},
                               {"/checkout", 6},   {"/account", 5},    {"/help", 2},
                               {"/sale", 6},       {"/new", 5},        {"/blog", 3}};
static const choice referrers[] = {{"https://search.example", 40},
                                   {"direct", 34},
                                   {"https://social.example", 14},
                                   {"https://news.example", 6},
                                   {"email", 6}};
static const choice screens[] = {{"1920x1080", 34}, {"2560x1440", 14}, {"1366x768", 12}};
static const choice phone_screens[] = {{"390x844", 30}, {"412x915", 26}, {"360x800", 20}};
static const choice languages[] = {{"en-US", 46}, {"en-GB", 14}, {"de-DE", 14},
                                   {"fr-FR", 10}, {"ja-JP", 8},  {"pt-BR", 8}};
static const choice providers[] = {
    {"Northline", 30}, {"Telco One", 28}, {"Fibra", 22}, {"Skycast", 12}, {"Campus Net", 8}};
static const choice connections[] = {{"wifi", 52}, {"4g", 24}, {"5g", 14}, {"ethernet", 10}};

typedef struct place {
    const char *country, *region, *city, *zone;
    uint32_t weight;
} place;

static const place places[] = {
    {"US", "New York", "New York", "America/New_York", 18},
    {"US", "California", "San Francisco", "America/Los_Angeles", 14},
    {"US", "Texas", "Austin", "America/Chicago", 8},
    {"GB", "England", "London", "Europe/London", 14},
    {"DE", "Berlin", "Berlin", "Europe/Berlin", 10},
    {"DE", "Bavaria", "Munich", "Europe/Berlin", 6},
    {"FR", "Île-de-France", "Paris", "Europe/Paris", 10},
    {"JP", "Tokyo", "Tokyo", "Asia/Tokyo", 10},
    {"BR", "São Paulo", "São Paulo", "America/Sao_Paulo", 6},
    {"IN", "Karnataka", "Bengaluru", "Asia/Kolkata", 4},
};

typedef struct machine {
    const char *device, *os, *platform_version, *browser, *browser_version;
    uint32_t weight;
} machine;

static const machine machines[] = {
    {"desktop", "Windows", "11", "Chrome", "131.0", 26},
    {"desktop", "Windows", "11", "Edge", "131.0", 8},
    {"desktop", "Windows", "10", "Firefox", "133.0", 5},
    {"desktop", "macOS", "15.1", "Safari", "18.1", 8},
    {"desktop", "macOS", "15.1", "Chrome", "131.0", 6},
    {"desktop", "Linux", "6.11", "Firefox", "133.0", 3},
    {"mobile", "iOS", "18.1", "Safari", "18.1", 20},
    {"mobile", "Android", "15", "Chrome", "131.0", 18},
    {"tablet", "iPadOS", "18.1", "Safari", "18.1", 4},
    {"tablet", "Android", "14", "Chrome", "130.0", 2},
};

/* ---- one event ---- */

static int64_t between(events *e, int64_t low, int64_t high)
{
    return low + (int64_t)rng_below(&e->rng, (uint64_t)(high - low + 1));
}

/* Many small values and a few large ones. */
static int64_t mostly_small(events *e, int64_t high)
{
    return (int64_t)(rng_below(&e->rng, (uint64_t)high + 1) * rng_below(&e->rng, 1001) *
                     rng_below(&e->rng, 1001) / 1000000);
}

static void draw_id(events *e, char ret_id[37])
{
    static const char digits[] = "0123456789abcdef";
    uint64_t bits[2] = {rng_next(&e->rng), rng_next(&e->rng)};
    size_t at = 0;

    for (int i = 0; i < 32; i++) {
        if (i == 8 || i == 12 || i == 16 || i == 20) {
            ret_id[at++] = '-';
        }
        uint64_t digit = bits[i / 16] >> (i % 16 * 4) & 15;
        ret_id[at++] = i == 12 ? '4' : digits[i == 16 ? 8 + digit % 4 : digit];
    }
    ret_id[at] = '\0';
}

static void draw_place(events *e, event *x)
{
    uint64_t total = 0;
    size_t at = 0;

    for (size_t i = 0; i < COUNT_OF(places); i++) {
        total += places[i].weight;
    }
    for (uint64_t drawn = rng_below(&e->rng, total); drawn >= places[at].weight; at++) {
        drawn -= places[at].weight;
    }
    x->country = places[at].country;
    x->region = places[at].region;
    x->city = places[at].city;
    x->zone = places[at].zone;
    char *end = text_copy(x->address, "203.0.113.", 10); /* RFC 5737: addresses for examples */
    *text_int(end, between(e, 1, 254)) = '\0';
}

static void draw_machine(events *e, event *x)
{
    uint64_t total = 0;
    size_t at = 0;

    for (size_t i = 0; i < COUNT_OF(machines); i++) {
        total += machines[i].weight;
    }
    for (uint64_t drawn = rng_below(&e->rng, total); drawn >= machines[at].weight; at++) {
        drawn -= machines[at].weight;
    }
    x->device = machines[at].device;
    x->os = machines[at].os;
    x->platform_version = machines[at].platform_version;
    x->browser = machines[at].browser;
    x->browser_version = machines[at].browser_version;
    x->screen = strcmp(x->device, "mobile") == 0
                    ? choose(&e->rng, phone_screens, COUNT_OF(phone_screens))
                    : choose(&e->rng, screens, COUNT_OF(screens));
}

static void draw_session(events *e, event *x, uint64_t user)
{
    char *end = text_copy(x->session, "s_", 2);

    end = text_int(end, (int64_t)user);
    *end++ = '_';
    *text_int(end, x->time_ms / 1800000 % 100000000) = '\0'; /* a session lasts half an hour */
    x->duration_s = 5 + mostly_small(e, 3600);
    x->pages = 1 + mostly_small(e, 40);
    x->entry_page = choose(&e->rng, pages, COUNT_OF(pages));
    x->exit_page = choose(&e->rng, pages, COUNT_OF(pages));
    x->referrer = choose(&e->rng, referrers, COUNT_OF(referrers));
    x->is_new = rng_below(&e->rng, 100) < 28;
}

static void draw_behaviour(events *e, event *x)
{
    x->scroll = between(e, 0, 100);
    x->time_on_page = 1 + mostly_small(e, 900);
    x->interactions = mostly_small(e, 60);
    x->forms = rng_below(&e->rng, 100) < 12;
    x->videos = rng_below(&e->rng, 100) < 8;
    x->downloads = rng_below(&e->rng, 100) < 3;
    x->load_ms = 180 + mostly_small(e, 6000);
    x->paint_ms = x->load_ms * between(e, 30, 60) / 100;
    x->interactive_ms = x->load_ms * between(e, 60, 95) / 100;
    x->latency_ms = 8 + mostly_small(e, 400);
}

static void next(void *made, int64_t index)
{
    events *e = made;
    event *x = &e->row;
    uint64_t user = 1 + rng_below(&e->rng, USERS);

    x->time_ms = times_at(e->times, &e->rng, index) * 1000;
    draw_id(e, x->id);
    x->type = choose(&e->rng, types, COUNT_OF(types));
    char *end = text_copy(x->user, "user_", 5);
    *text_int(end, (int64_t)user) = '\0';
    draw_machine(e, x);
    draw_session(e, x, user);
    x->language = choose(&e->rng, languages, COUNT_OF(languages));
    draw_place(e, x);
    x->isp = choose(&e->rng, providers, COUNT_OF(providers));
    x->connection = choose(&e->rng, connections, COUNT_OF(connections));
    draw_behaviour(e, x);
}

/* ---- writing ---- */

typedef enum part_kind {
    PART_OPEN,  /* an object begins */
    PART_CLOSE, /* and ends */
    PART_TEXT,  /* const char * */
    PART_CHARS, /* char[] */
    PART_INT,   /* int64_t */
    PART_BOOL,  /* int64_t */
    PART_TIME,  /* int64_t, ms */
} part_kind;

typedef struct part {
    part_kind kind;
    const char *name;
    size_t offset;
} part;

#define AT(member) offsetof(event, member)

/* What a document looks like: the one place that knows. */
static const part parts[] = {
    {PART_CHARS, "event_id", AT(id)},
    {PART_TEXT, "event_type", AT(type)},
    {PART_CHARS, "user_id", AT(user)},
    {PART_TIME, "timestamp", AT(time_ms)},
    {PART_OPEN, "metadata", 0},
    {PART_TEXT, "browser", AT(browser)},
    {PART_TEXT, "os", AT(os)},
    {PART_TEXT, "device", AT(device)},
    {PART_CLOSE, NULL, 0},
    {PART_OPEN, "_doc", 0},
    {PART_OPEN, "session_info", 0},
    {PART_CHARS, "session_id", AT(session)},
    {PART_INT, "duration", AT(duration_s)},
    {PART_INT, "pages_visited", AT(pages)},
    {PART_TEXT, "entry_page", AT(entry_page)},
    {PART_TEXT, "exit_page", AT(exit_page)},
    {PART_TEXT, "referrer", AT(referrer)},
    {PART_BOOL, "is_new_session", AT(is_new)},
    {PART_CLOSE, NULL, 0},
    {PART_OPEN, "user_agent", 0},
    {PART_TEXT, "browser_version", AT(browser_version)},
    {PART_TEXT, "platform_version", AT(platform_version)},
    {PART_TEXT, "device_type", AT(device)},
    {PART_TEXT, "screen_resolution", AT(screen)},
    {PART_TEXT, "language", AT(language)},
    {PART_TEXT, "timezone", AT(zone)},
    {PART_CLOSE, NULL, 0},
    {PART_OPEN, "location", 0},
    {PART_TEXT, "country", AT(country)},
    {PART_TEXT, "region", AT(region)},
    {PART_TEXT, "city", AT(city)},
    {PART_CHARS, "ip_address", AT(address)},
    {PART_TEXT, "isp", AT(isp)},
    {PART_TEXT, "connection_type", AT(connection)},
    {PART_CLOSE, NULL, 0},
    {PART_OPEN, "engagement", 0},
    {PART_INT, "scroll_depth", AT(scroll)},
    {PART_INT, "time_on_page", AT(time_on_page)},
    {PART_INT, "interactions", AT(interactions)},
    {PART_INT, "form_submissions", AT(forms)},
    {PART_INT, "video_views", AT(videos)},
    {PART_INT, "downloads", AT(downloads)},
    {PART_CLOSE, NULL, 0},
    {PART_OPEN, "performance", 0},
    {PART_INT, "page_load_time", AT(load_ms)},
    {PART_INT, "first_contentful_paint", AT(paint_ms)},
    {PART_INT, "dom_interactive", AT(interactive_ms)},
    {PART_INT, "network_latency", AT(latency_ms)},
    {PART_CLOSE, NULL, 0},
    {PART_CLOSE, NULL, 0},
};

static const char *const duckdb_types[] = {
    [PART_TEXT] = "VARCHAR", [PART_CHARS] = "VARCHAR",    [PART_INT] = "BIGINT",
    [PART_BOOL] = "BOOLEAN", [PART_TIME] = "TIMESTAMPTZ",
};

/* The values need no escapes: all of them are chosen above. */
static char *write_value(char *at, const event *x, const part *p, bool json)
{
    const char *field = (const char *)x + p->offset;
    const char *text = field;
    int64_t number = 0;

    switch (p->kind) {
    case PART_TEXT:
        memcpy(&text, field, sizeof(text));
        break;
    case PART_CHARS:
        break;
    case PART_TIME:
        memcpy(&number, field, sizeof(number));
        at = text_copy(at, "\"", json);
        at = text_time(at, number / 1000, 'T');
        return text_copy(at, "Z\"", json ? 2 : 1);
    case PART_BOOL:
        memcpy(&number, field, sizeof(number));
        return number != 0 ? text_copy(at, "true", 4) : text_copy(at, "false", 5);
    default:
        memcpy(&number, field, sizeof(number));
        return text_int(at, number);
    }
    at = text_copy(at, "\"", json);
    at = text_copy(at, text, strlen(text));
    return text_copy(at, "\"", json);
}

static void row_csv(void *made, buf *out)
{
    const event *x = &((events *)made)->row;
    char *start = buf_reserve(out, ROW_BYTES_MAX);
    char *at = start;

    if (start == NULL) {
        return; /* the buffer has failed, and says so */
    }
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        if (parts[i].kind > PART_CLOSE) {
            at = write_value(at, x, &parts[i], false);
            *at++ = ',';
        }
    }
    buf_commit(out, (size_t)(at - start) - 1);
}

static void row_json(void *made, buf *out)
{
    const event *x = &((events *)made)->row;
    char *start = buf_reserve(out, ROW_BYTES_MAX);
    char *at = start;

    if (start == NULL) {
        return;
    }
    *at++ = '{';
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        if (parts[i].kind == PART_CLOSE) {
            at[-1] = '}'; /* in place of the comma */
            *at++ = ',';
            continue;
        }
        *at++ = '"';
        at = text_copy(at, parts[i].name, strlen(parts[i].name));
        at = text_copy(at, "\":", 2);
        if (parts[i].kind == PART_OPEN) {
            *at++ = '{';
            continue;
        }
        at = write_value(at, x, &parts[i], true);
        *at++ = ',';
    }
    at[-1] = '}';
    buf_commit(out, (size_t)(at - start));
}

/* Flat names, each with `type` behind it where that is wanted. */
static void add_names(buf *out, bool with_types)
{
    const char *open[8];
    size_t depth = 0;
    bool first = true;

    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        const part *p = &parts[i];
        if (p->kind == PART_OPEN) {
            open[depth++] = p->name[0] == '_' ? p->name + 1 : p->name;
        } else if (p->kind == PART_CLOSE) {
            depth--;
        } else {
            buf_add_c(out, first ? "" : ",");
            first = false;
            for (size_t d = 0; d < depth; d++) {
                buf_printf(out, "%s_", open[d]);
            }
            buf_add_c(out, p->name);
            if (with_types) {
                buf_printf(out, ":%s", duckdb_types[p->kind]);
            }
        }
    }
}

static void header_csv(void *made, buf *out)
{
    (void)made;
    add_names(out, false);
}

static void columns(void *made, buf *out)
{
    (void)made;
    add_names(out, true);
}

static void *create(const generate_options *options)
{
    events *e = NEW(events);

    rng_seed(&e->rng, options->seed);
    e->times = times_create(options, workday, weekend);
    return e;
}

static void release(void *made)
{
    events *e = made;

    times_free(e->times);
    mem_free(e);
}

const generate_kind generate_events = {
    .name = "events",
    .create = create,
    .free = release,
    .next = next,
    .header_csv = header_csv,
    .row_csv = row_csv,
    .row_json = row_json,
    .columns = columns,
};
