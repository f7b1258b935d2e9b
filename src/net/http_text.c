/* Fixed texts of answers: reason phrases, dates, the JSON of errors that the core itself finds. */
#include <stdio.h>

#include "http_core.h"
#include "tarn/base/clock.h"
#include "tarn/codec/json.h"

static const struct {
    int code;
    const char *reason;
} reasons[] = {
    {100, "Continue"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {206, "Partial Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {419, "Authentication Timeout"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Content"},
    {428, "Precondition Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {499, "Client Closed Request"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
    {507, "Insufficient Storage"},
};

const char *http__reason(int status_code)
{
    for (size_t i = 0; i < COUNT_OF(reasons); i++) {
        if (reasons[i].code == status_code) {
            return reasons[i].reason;
        }
    }
    return "Unknown";
}

const char *http__date(void)
{
    static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    static _Thread_local int64_t cached_s = -1;
    static _Thread_local char text[64];
    int64_t now_s = clock_now_us() / 1000000;

    if (now_s != cached_s) {
        int64_t day = now_s / 86400;
        int second = (int)(now_s % 86400);
        int year = 0;
        int month = 0;
        int day_of_month = 0;
        date_from_days(day, &year, &month, &day_of_month);
        (void)snprintf(text, sizeof text, "%s, %02d %s %04d %02d:%02d:%02d GMT",
                       days[(day + 4) % 7], day_of_month, months[month - 1], year, second / 3600,
                       second / 60 % 60, second % 60);
        cached_s = now_s;
    }
    return text;
}

void http__error_body(buf *out, const http_refusal_info *info, str request_id)
{
    const status_info *kind = status_describe(info->kind);
    json_writer w;

    json_writer_init(&w, out);
    json_begin_object(&w);
    json_key(&w, "error");
    json_begin_object(&w);
    json_member_c(&w, "code", kind->code);
    json_member_c(&w, "type", kind->iceberg_type);
    json_member_c(&w, "message", info->message);
    if (request_id.size > 0) {
        json_member_str(&w, "request_id", request_id);
    }
    json_end_object(&w);
    json_end_object(&w);
    buf_add_char(out, '\n');
}
