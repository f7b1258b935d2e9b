/* Messages between server and worker: both ends' part. Waiting with a deadline is the server's (pool_call.c). */
#include "protocol.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tarn/base/limits.h"

void wire_put_str(buf *out, str text)
{
    if (str_is_null(text)) {
        buf_add_u32le(out, WIRE_NULL);
        return;
    }
    if (text.size >= LIMIT_WORKER_MESSAGE) {
        out->failed = true;
        return;
    }
    buf_add_u32le(out, (uint32_t)text.size);
    buf_add_str(out, text);
}

wire_reader wire_read(str payload)
{
    return (wire_reader){.at = payload.data, .end = payload.data + payload.size};
}

static bool take(wire_reader *r, void *ret_bytes, size_t size)
{
    if (r->failed || (size_t)(r->end - r->at) < size) {
        r->failed = true;
        return false;
    }
    memcpy(ret_bytes, r->at, size);
    r->at += size;
    return true;
}

/* Little endian, as buf_add_u32le writes; so are the machines that tarn runs on. */
uint32_t wire_get_u32(wire_reader *r)
{
    uint32_t value = 0;

    return take(r, &value, sizeof(value)) ? value : 0;
}

uint64_t wire_get_u64(wire_reader *r)
{
    uint64_t value = 0;

    return take(r, &value, sizeof(value)) ? value : 0;
}

str wire_get_str(wire_reader *r)
{
    uint32_t size = wire_get_u32(r);
    str text;

    if (r->failed || size == WIRE_NULL) {
        return STR_NULL;
    }
    if ((size_t)(r->end - r->at) < size) {
        r->failed = true;
        return STR_NULL;
    }
    text = str_from(r->at, size);
    r->at += size;
    return text;
}

/* --- sending and receiving --- */

static status send_all(int fd, struct iovec *slices, size_t count, error *err)
{
    while (count > 0) {
        struct msghdr message = {.msg_iov = slices, .msg_iovlen = count < 64 ? count : 64};
        ssize_t sent = sendmsg(fd, &message, MSG_NOSIGNAL);

        if (sent < 0) {
            if (errno == EINTR) {
                continue;
            }
            return error_errno(err, STATUS_IO, errno,
                               "the connection between server and worker broke");
        }
        while (count > 0 && (size_t)sent >= slices->iov_len) {
            sent -= (ssize_t)slices->iov_len;
            slices++;
            count--;
        }
        if (count > 0) {
            slices->iov_base = (char *)slices->iov_base + sent;
            slices->iov_len -= (size_t)sent;
        }
    }
    return STATUS_OK;
}

status wire_send_slices(int fd, wire_type type, struct iovec *slices, size_t count, error *err)
{
    wire_head head = {.type = (uint32_t)type};
    struct iovec first = {.iov_base = &head, .iov_len = sizeof(head)};
    size_t size = 0;

    for (size_t i = 0; i < count; i++) {
        size += slices[i].iov_len;
    }
    if (size > LIMIT_WORKER_MESSAGE) {
        return error_set(err, STATUS_TOO_LARGE, "a message of %zu bytes is larger than %zu", size,
                         LIMIT_WORKER_MESSAGE);
    }
    head.size_bytes = (uint32_t)size;
    if (count == 1) { /* one call for what is small and frequent */
        struct iovec both[2] = {first, slices[0]};

        return send_all(fd, both, 2, err);
    }
    TRY(send_all(fd, &first, 1, err));
    return send_all(fd, slices, count, err);
}

status wire_send_behind(int fd, str before, wire_type type, str payload, error *err)
{
    wire_head head = {.type = (uint32_t)type, .size_bytes = (uint32_t)payload.size};
    /* sendmsg does not write to them. */
    struct iovec slices[] = {
        {.iov_base = (void *)(uintptr_t)before.data, .iov_len = before.size},
        {.iov_base = &head, .iov_len = sizeof(head)},
        {.iov_base = (void *)(uintptr_t)payload.data, .iov_len = payload.size},
    };

    if (payload.size > LIMIT_WORKER_MESSAGE) {
        return error_set(err, STATUS_TOO_LARGE, "a message of %zu bytes is larger than %zu",
                         payload.size, LIMIT_WORKER_MESSAGE);
    }
    return send_all(fd, slices, COUNT_OF(slices), err);
}

void wire_put_message(buf *out, wire_type type, str payload)
{
    buf_add_u32le(out, (uint32_t)payload.size);
    buf_add_u32le(out, (uint32_t)type);
    buf_add_str(out, payload);
}

status wire_send(int fd, wire_type type, str payload, error *err)
{
    /* sendmsg does not write to it. */
    struct iovec slice = {.iov_len = payload.size};

    memcpy(&slice.iov_base, &payload.data, sizeof(slice.iov_base));
    return wire_send_slices(fd, type, &slice, 1, err);
}

/* Room for one descriptor beside a message. */
typedef union passed_file {
    struct cmsghdr head;
    char room[CMSG_SPACE(sizeof(int))];
} passed_file;

status wire_send_file(int fd, wire_type type, str payload, int file, error *err)
{
    wire_head head = {.type = (uint32_t)type, .size_bytes = (uint32_t)payload.size};
    struct iovec first = {.iov_base = &head, .iov_len = sizeof(head)};
    struct iovec rest = {.iov_base = (void *)(uintptr_t)payload.data, .iov_len = payload.size};
    passed_file passed = {.room = {0}};
    struct msghdr message = {.msg_iov = &first,
                             .msg_iovlen = 1,
                             .msg_control = passed.room,
                             .msg_controllen = sizeof(passed.room)};
    struct cmsghdr *control = CMSG_FIRSTHDR(&message);
    ssize_t sent;

    control->cmsg_level = SOL_SOCKET;
    control->cmsg_type = SCM_RIGHTS;
    control->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(control), &file, sizeof(file));
    do {
        sent = sendmsg(fd, &message, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    if (sent < 0) {
        return error_errno(err, STATUS_IO, errno, "the connection between server and worker broke");
    }
    first.iov_base = (char *)&head + sent;
    first.iov_len = sizeof(head) - (size_t)sent;
    TRY(send_all(fd, &first, 1, err));
    return payload.size > 0 ? send_all(fd, &rest, 1, err) : STATUS_OK;
}

/* What recv does; a descriptor that comes along is put into `file`, where it is wanted and none is there yet. */
static ssize_t receive_some(int fd, char *bytes, size_t size, int *file)
{
    struct iovec slice = {.iov_base = bytes, .iov_len = size};
    passed_file passed = {.room = {0}};
    struct msghdr message = {.msg_iov = &slice,
                             .msg_iovlen = 1,
                             .msg_control = passed.room,
                             .msg_controllen = sizeof(passed.room)};
    const struct cmsghdr *control;
    ssize_t got;
    int came = -1;

    if (file == NULL) {
        return recv(fd, bytes, size, 0);
    }
    got = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
    control = got >= 0 ? CMSG_FIRSTHDR(&message) : NULL;
    if (control == NULL || control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_RIGHTS) {
        return got;
    }
    memcpy(&came, CMSG_DATA(control), sizeof(came));
    if (*file >= 0) {
        (void)close(came);
    } else {
        *file = came;
    }
    return got;
}

static status receive_all(int fd, char *bytes, size_t size, bool *ret_is_end, int *file, error *err)
{
    size_t done = 0;

    while (done < size) {
        ssize_t got = receive_some(fd, bytes + done, size - done, file);

        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got == 0 && done == 0 && ret_is_end != NULL) {
            *ret_is_end = true;
            return STATUS_OK;
        }
        if (got <= 0) {
            return error_errno(err, STATUS_IO, got == 0 ? ECONNRESET : errno,
                               "the connection between server and worker broke");
        }
        done += (size_t)got;
    }
    return STATUS_OK;
}

static status receive(int fd, wire_type *ret_type, buf *payload, bool *ret_is_end, int *file,
                      error *err)
{
    wire_head head = {.size_bytes = 0};
    char *room;

    *ret_is_end = false;
    TRY(receive_all(fd, (char *)&head, sizeof(head), ret_is_end, file, err));
    if (*ret_is_end) {
        return STATUS_OK;
    }
    if (head.size_bytes > LIMIT_WORKER_MESSAGE || head.type >= WIRE_TYPE_COUNT) {
        return error_set(err, STATUS_IO, "a message between server and worker is damaged");
    }
    buf_clear(payload);
    room = buf_reserve(payload, head.size_bytes);
    TRY(buf_check(payload, "a message between server and worker", err));
    TRY(receive_all(fd, room, head.size_bytes, NULL, file, err));
    buf_commit(payload, head.size_bytes);
    *ret_type = (wire_type)head.type;
    return STATUS_OK;
}

status wire_receive(int fd, wire_type *ret_type, buf *payload, bool *ret_is_end, error *err)
{
    return receive(fd, ret_type, payload, ret_is_end, NULL, err);
}

status wire_receive_file(int fd, wire_type *ret_type, buf *payload, bool *ret_is_end, int *ret_file,
                         error *err)
{
    int file = -1;
    status result = receive(fd, ret_type, payload, ret_is_end, &file, err);

    if (result != STATUS_OK && file >= 0) {
        (void)close(file);
        file = -1;
    }
    *ret_file = file;
    return result;
}

/* --- errors --- */

void wire_put_error(buf *out, const error *failure, bool is_fatal)
{
    buf_add_u32le(out, (uint32_t)failure->kind);
    buf_add_u32le(out, (uint32_t)failure->position);
    buf_add_u32le(out, is_fatal);
    wire_put_str(out, str_c(failure->message));
    wire_put_str(out, str_c(failure->hint));
    wire_put_str(out, str_c(failure->detail));
    wire_put_str(out, str_c(failure->sqlstate));
}

static void copy_text(char *to, size_t size, str text)
{
    (void)snprintf(to, size, "%.*s", STR_ARG(text));
}

void wire_get_error(str payload, error *ret_failure, bool *ret_is_fatal)
{
    wire_reader r = wire_read(payload);
    uint32_t kind = wire_get_u32(&r);

    error_clear(ret_failure);
    ret_failure->kind = kind > STATUS_OK && kind < STATUS_COUNT ? (status)kind : STATUS_INTERNAL;
    ret_failure->position = (int)wire_get_u32(&r);
    *ret_is_fatal = wire_get_u32(&r) != 0;
    copy_text(ret_failure->message, sizeof(ret_failure->message), wire_get_str(&r));
    copy_text(ret_failure->hint, sizeof(ret_failure->hint), wire_get_str(&r));
    copy_text(ret_failure->detail, sizeof(ret_failure->detail), wire_get_str(&r));
    copy_text(ret_failure->sqlstate, sizeof(ret_failure->sqlstate), wire_get_str(&r));
}
