/* Plain sockets: the transport that is there without TLS, and the addresses doors listen on. */
#include "transport.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { LISTEN_BACKLOG = 4096 };

static ssize_t plain_read(transport *t, void *ret_bytes, size_t size_bytes)
{
    ssize_t got;

    do {
        got = recv(t->fd, ret_bytes, size_bytes, MSG_DONTWAIT);
    } while (got < 0 && errno == EINTR);
    return got;
}

static ssize_t plain_write(transport *t, const struct iovec *parts, int count, bool more)
{
    struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)parts,
                             .msg_iovlen = (size_t)count};
    ssize_t sent;

    do {
        sent = sendmsg(t->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL | (more ? MSG_MORE : 0));
    } while (sent < 0 && errno == EINTR);
    return sent;
}

static ssize_t plain_sendfile(transport *t, int file, int64_t *offset, size_t size_bytes)
{
    off_t at = (off_t)*offset;
    ssize_t sent;

    do {
        sent = sendfile(t->fd, file, &at, size_bytes);
    } while (sent < 0 && errno == EINTR);
    if (sent > 0) {
        *offset = at;
    }
    return sent;
}

static void plain_shut(transport *t, int how)
{
    (void)shutdown(t->fd, how);
}

static void plain_close(transport *t, bool reset)
{
    if (reset) {
        struct linger now = {.l_onoff = 1, .l_linger = 0};
        (void)setsockopt(t->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    }
    (void)close(t->fd);
    t->fd = -1;
}

static const transport_ops plain_ops = {
    .read = plain_read,
    .write = plain_write,
    .sendfile = plain_sendfile,
    .shut = plain_shut,
    .close = plain_close,
};

void transport_plain(transport *t, int fd)
{
    t->ops = &plain_ops;
    t->fd = fd;
}

/* ---- addresses ---- */

static status port_parse(str text, str whole, int *ret_port, error *err)
{
    int64_t port = 0;

    if (str_to_int64(text, &port, NULL) != STATUS_OK || port < 0 || port > 65535 ||
        text.data[0] == '+') {
        return error_set(err, STATUS_INVALID, "address \"%.*s\" has no port between 0 and 65535",
                         STR_ARG(whole));
    }
    *ret_port = (int)port;
    return STATUS_OK;
}

status net_address_parse(str text, net_address *ret_address, error *err)
{
    net_address address = {.is_unix = false};

    if (str_starts_with(text, STR("unix:"))) {
        address.is_unix = true;
        address.host = str_slice(text, 5, text.size);
        if (address.host.size == 0 || memchr(address.host.data, '\0', address.host.size) != NULL) {
            return error_set(err, STATUS_INVALID, "address \"%.*s\" names no socket file",
                             STR_ARG(text));
        }
        if (address.host.size >= sizeof(((struct sockaddr_un *)NULL)->sun_path)) {
            status kind = error_set(
                err, STATUS_INVALID,
                "path of socket \"%.*s\" is longer than the system allows (%zu bytes)",
                STR_ARG(address.host), sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1);
            error_hint(err, "Choose a shorter path.");
            return kind;
        }
        *ret_address = address;
        return STATUS_OK;
    }

    size_t colon = str_find_last_char(text, ':');
    if (colon == STR_NPOS || colon == 0 || colon + 1 == text.size) {
        status kind =
            error_set(err, STATUS_INVALID, "address \"%.*s\" is not HOST:PORT", STR_ARG(text));
        error_hint(err,
                   "Write it like \"127.0.0.1:8181\", \"[::1]:8181\" or \"unix:/path/to/socket\".");
        return kind;
    }
    TRY(port_parse(str_slice(text, colon + 1, text.size), text, &address.port, err));
    address.host = str_slice(text, 0, colon);
    if (address.host.size > 2 && address.host.data[0] == '[' &&
        address.host.data[address.host.size - 1] == ']') {
        address.host = str_slice(address.host, 1, address.host.size - 1);
    } else if (str_equal_nocase(address.host, STR("localhost"))) {
        address.host = STR("127.0.0.1");
    }
    *ret_address = address;
    return STATUS_OK;
}

void net_peer_format(const struct sockaddr_storage *peer, char *ret_text, size_t size_bytes)
{
    char host[INET6_ADDRSTRLEN] = "?";

    if (peer->ss_family == AF_INET) {
        const struct sockaddr_in *in4 = (const struct sockaddr_in *)peer;
        (void)inet_ntop(AF_INET, &in4->sin_addr, host, sizeof host);
        (void)snprintf(ret_text, size_bytes, "%s:%u", host, (unsigned)ntohs(in4->sin_port));
    } else if (peer->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)peer;
        (void)inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof host);
        (void)snprintf(ret_text, size_bytes, "[%s]:%u", host, (unsigned)ntohs(in6->sin6_port));
    } else {
        (void)snprintf(ret_text, size_bytes, "unix");
    }
}

static status sockaddr_fill(const net_address *address, struct sockaddr_storage *ret_sockaddr,
                            socklen_t *ret_size, error *err)
{
    struct sockaddr_storage storage = {.ss_family = AF_UNSPEC};
    char host[128];

    if (address->is_unix) {
        struct sockaddr_un *un = (struct sockaddr_un *)&storage;
        un->sun_family = AF_UNIX;
        memcpy(un->sun_path, address->host.data, address->host.size);
        *ret_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + address->host.size + 1);
        *ret_sockaddr = storage;
        return STATUS_OK;
    }
    (void)snprintf(host, sizeof host, "%.*s", STR_ARG(address->host));
    struct sockaddr_in *in4 = (struct sockaddr_in *)&storage;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&storage;
    if (inet_pton(AF_INET, host, &in4->sin_addr) == 1) {
        in4->sin_family = AF_INET;
        in4->sin_port = htons((uint16_t)address->port);
        *ret_size = sizeof *in4;
    } else if (inet_pton(AF_INET6, host, &in6->sin6_addr) == 1) {
        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons((uint16_t)address->port);
        *ret_size = sizeof *in6;
    } else {
        status kind = error_set(err, STATUS_INVALID, "\"%.*s\" is not a numeric address",
                                STR_ARG(address->host));
        error_hint(err, "Give the address of an interface, like 127.0.0.1 or 0.0.0.0.");
        return kind;
    }
    *ret_sockaddr = storage;
    return STATUS_OK;
}

/* True where a server answers on the unix socket. */
static bool unix_is_served(const struct sockaddr_storage *where, socklen_t size)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool served =
        fd >= 0 && (connect(fd, (const struct sockaddr *)where, size) == 0 || errno == EAGAIN);

    if (fd >= 0) {
        (void)close(fd);
    }
    return served;
}

static status listen_failed(str text, int fd, error *err)
{
    int errnum = errno;

    if (fd >= 0) {
        (void)close(fd);
    }
    if (errnum == EADDRINUSE) {
        return error_set(err, STATUS_UNAVAILABLE, "address \"%.*s\" is already in use",
                         STR_ARG(text));
    }
    return error_errno(err, errnum == EACCES ? STATUS_DENIED : STATUS_UNAVAILABLE, errnum,
                       "cannot listen on \"%.*s\"", STR_ARG(text));
}

static status listen_unix(str text, const struct sockaddr_storage *where, socklen_t size,
                          int *ret_fd, error *err)
{
    const char *path = ((const struct sockaddr_un *)where)->sun_path;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0) {
        return listen_failed(text, fd, err);
    }
    int bound = bind(fd, (const struct sockaddr *)where, size);
    if (bound != 0 && errno == EADDRINUSE) {
        struct stat info;
        if (unix_is_served(where, size) || lstat(path, &info) != 0 || !S_ISSOCK(info.st_mode)) {
            errno = EADDRINUSE;
            return listen_failed(text, fd, err);
        }
        (void)unlink(path);
        bound = bind(fd, (const struct sockaddr *)where, size);
    }
    /* Nobody can connect before listen, so the mode is set in time. */
    if (bound != 0 || chmod(path, S_IRUSR | S_IWUSR) != 0 || listen(fd, LISTEN_BACKLOG) != 0) {
        return listen_failed(text, fd, err);
    }
    *ret_fd = fd;
    return STATUS_OK;
}

/* The first socket is bound without SO_REUSEPORT: that fails where anybody else has the port, while with
 * it a second server of the same user would quietly share it. The option is set behind bind, which lets
 * this process's other sockets join. */
static status listen_tcp(str text, struct sockaddr_storage *where, socklen_t size, bool first,
                         int *ret_fd, error *err)
{
    int on = 1;
    int fd = socket(where->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0) {
        return listen_failed(text, fd, err);
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (where->ss_family == AF_INET6) {
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    }
    if (!first) {
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    }
    if (bind(fd, (const struct sockaddr *)where, size) != 0) {
        return listen_failed(text, fd, err);
    }
    if (first) {
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    }
    if (listen(fd, LISTEN_BACKLOG) != 0) {
        return listen_failed(text, fd, err);
    }
    if (first &&
        getsockname(fd, (struct sockaddr *)where, &size) != 0) { /* the port that 0 became */
        return listen_failed(text, fd, err);
    }
    *ret_fd = fd;
    return STATUS_OK;
}

status net_listen(str text, int *ret_fds, int count, char ret_text[128], error *err)
{
    net_address address;
    struct sockaddr_storage where;
    socklen_t size = 0;

    TRY(net_address_parse(text, &address, err));
    TRY(sockaddr_fill(&address, &where, &size, err));
    for (int i = 0; i < count; i++) {
        ret_fds[i] = -1;
    }
    if (address.is_unix) {
        TRY(listen_unix(text, &where, size, &ret_fds[0], err));
        (void)snprintf(ret_text, 128, "%.*s", STR_ARG(text));
        return STATUS_OK;
    }
    for (int i = 0; i < count; i++) {
        status kind = listen_tcp(text, &where, size, i == 0, &ret_fds[i], err);
        if (kind != STATUS_OK) {
            for (int opened = 0; opened < i; opened++) {
                (void)close(ret_fds[opened]);
            }
            return kind;
        }
    }
    net_peer_format(&where, ret_text, 128);
    return STATUS_OK;
}
