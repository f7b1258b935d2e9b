/* http_peer.c: what clients of one address have of a server: connections, threads, requests that wait. So that a single
 * address never has all of them. It counts; the rules stand where connections are accepted and waited for. */
#include <netinet/in.h>

#include "http_core.h"
#include "tarn/base/mem.h"

/* Of IPv6 the network: whoever has one has all its addresses. */
#define NETWORK_BYTES 8

static str address_of(const struct sockaddr_storage *address)
{
    if (address->ss_family == AF_INET) {
        const struct sockaddr_in *in4 = (const struct sockaddr_in *)address;

        return str_from((const char *)&in4->sin_addr, sizeof in4->sin_addr);
    }
    if (address->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)address;
        bool is_v4 = IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr);
        const char *bytes = (const char *)&in6->sin6_addr;

        return is_v4 ? str_from(bytes + 12, 4) : str_from(bytes, NETWORK_BYTES);
    }
    return STR("");
}

void http__peers_init(http_peers *peers)
{
    mutex_init(&peers->lock);
    peers->by_address = map_create(NULL);
}

void http__peers_release(http_peers *peers)
{
    if (peers->by_address != NULL) {
        ASSERT(map_count(peers->by_address) == 0);
        map_free(peers->by_address);
        mutex_release(&peers->lock);
    }
}

http_peer *http__peer_enter(http_peers *peers, const struct sockaddr_storage *address, int max)
{
    str key = address_of(address);
    http_peer *peer;

    mutex_lock(&peers->lock);
    peer = map_get(peers->by_address, key);
    if (peer == NULL) {
        peer = NEW(http_peer);
        peer->address_size = key.size;
        memcpy(peer->address, key.data, key.size);
        (void)map_set(peers->by_address, key, peer);
    }
    bool fits = key.size == 0 || peer->connections < max; /* a unix socket's clients are us */
    peer->connections += fits ? 1 : 0;
    mutex_unlock(&peers->lock);
    return fits ? peer : NULL;
}

void http__peer_leave(http_peers *peers, http_peer *peer)
{
    if (peer == NULL) {
        return;
    }
    mutex_lock(&peers->lock);
    peer->connections--;
    if (peer->connections == 0) {
        (void)map_remove(peers->by_address, str_from(peer->address, peer->address_size));
        mem_free(peer);
    }
    mutex_unlock(&peers->lock);
}
