/* Claims about answers that hold a file between two pieces. */
#include <fcntl.h>
#include <sys/stat.h>

#include "raw_http.h"
#include "tarn/base/fs.h"

#define CLOSE "Host: localhost\r\nConnection: close\r\n"
#define HOST "Host: localhost\r\n"

static const char *file_path;

static void handle(void *context, http_exchange *x)
{
    struct stat facts;

    (void)context;
    if (str_equal(http_request_path(x), STR("/quick"))) {
        http_respond(x, 200, "text/plain", STR("quick"));
        return;
    }
    int fd = open(file_path, O_RDONLY | O_CLOEXEC);
    assert_int_equal(fstat(fd, &facts), 0);
    fs_close_with(http_exchange_arena(x), fd);
    http_respond_around(x, 200, "text/plain", STR("before"), fd, facts.st_size, STR("after"));
}

static bool is_inline(void *context, http_exchange *x)
{
    (void)context;
    return str_starts_with(http_request_path(x), STR("/inline/"));
}

static void test_files_between_pieces_arrive_whole_and_in_order(void **state)
{
    fixture *f = *state;
    const http_config config = {.loops = 2};
    const http_service service = {.handle = handle, .is_inline = is_inline};
    site *s = site_start_at(f, "127.0.0.1:0", &config, &service);
    size_t size = (size_t)400 * 1024;
    char *text = arena_alloc(f->arena, size);
    static const str requests[] = {STR_INIT("GET /inline/around HTTP/1.1\r\n" HOST "\r\n"
                                            "GET /around HTTP/1.1\r\n" HOST "\r\n"
                                            "HEAD /around HTTP/1.1\r\n" HOST
                                            "\r\nGET /quick HTTP/1.1\r\n" CLOSE "\r\n"),
                                   STR_INIT("GET /around HTTP/1.1\r\n" HOST "\r\n"
                                            "GET /inline/around HTTP/1.1\r\n" HOST "\r\n"
                                            "HEAD /inline/around HTTP/1.1\r\n" HOST
                                            "\r\nGET /quick HTTP/1.1\r\n" CLOSE "\r\n")};

    for (size_t i = 0; i < size; i++) {
        text[i] = (char)('a' + i % 23);
    }
    file_path = test_write_file(f, "file", str_from(text, size));
    for (size_t i = 0; i < COUNT_OF(requests); i++) {
        int fd = raw_connect(s);
        int small = 16 * 1024; /* so that the socket does not take it at once */
        raw_end end;
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
        raw_send(fd, requests[i]);
        str rest = raw_read(f, fd, &end);
        for (int n = 0; n < 2; n++) {
            expect_start(rest, "HTTP/1.1 200 OK\r\n");
            expect_contains(str_slice(rest, 0, 500), "\r\nContent-Length: 409611\r\n");
            str body = body_of(rest);
            assert_true(body.size > size + 11);
            assert_true(str_starts_with(body, STR("before")));
            assert_memory_equal(body.data + 6, text, size);
            assert_true(str_starts_with(str_slice(body, 6 + size, body.size), STR("after")));
            rest = str_slice(body, size + 11, body.size);
        }
        expect_contains(str_slice(rest, 0, 500), "\r\nContent-Length: 409611\r\n");
        rest = body_of(rest);
        expect_start(rest, "HTTP/1.1 200 OK\r\n");
        EXPECT_STR(body_of(rest), "quick");
        (void)close(fd);
    }
}

TESTS(test_files_between_pieces_arrive_whole_and_in_order)
