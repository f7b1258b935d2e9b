/* transport.h: the connection between the HTTP core and a socket.
 *
 * Everything that moves bytes goes through these five functions, so that TLS is one more table of them.
 * They never block: -1 with errno EAGAIN where the socket has or takes nothing now; the caller waits on
 * `fd`. A transport is used by one thread at a time, except shut, which any thread may call while the
 * transport is not closed. */
#ifndef TARN_NET_TRANSPORT_H
#define TARN_NET_TRANSPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "tarn/base/error.h"
#include "tarn/base/str.h"

typedef struct transport transport;

typedef struct transport_ops {
    ssize_t (*read)(transport *t, void *ret_bytes, size_t size_bytes); /* 0: the peer has ended */
    /* `more`: further bytes follow at once, a packet may wait for them. */
    ssize_t (*write)(transport *t, const struct iovec *parts, int count, bool more);
    ssize_t (*sendfile)(transport *t, int file, int64_t *offset, size_t size_bytes);
    void (*shut)(transport *t, int how); /* SHUT_WR or SHUT_RDWR */
    /* `reset`: what is unsent is thrown away and the peer sees an error, not an end. */
    void (*close)(transport *t, bool reset);
} transport_ops;

struct transport {
    const transport_ops *ops;
    int fd;
};

/* A connected, non-blocking stream socket. */
void transport_plain(transport *t, int fd);

/* Where a door is. */
typedef struct net_address {
    bool is_unix;
    str host; /* numeric, or the path of a unix socket */
    int port;
} net_address;

/* "127.0.0.1:8181", "[::1]:0", "localhost:80", "unix:/path". INVALID naming the address. */
status net_address_parse(str text, net_address *ret_address, error *err);
/* Binds and listens: `count` sockets that share the port for TCP, one for a unix socket (ret_fds[0]; the
 * others become -1). UNAVAILABLE where something else listens there; a unix socket that nobody serves any
 * more is replaced. `ret_text` gets the address as bound. */
status net_listen(str text, int *ret_fds, int count, char ret_text[128], error *err);
/* "127.0.0.1:51234", "[::1]:51234" or "unix". */
struct sockaddr_storage;
void net_peer_format(const struct sockaddr_storage *peer, char *ret_text, size_t size_bytes);

#endif
