/* puppet.c - see puppet.h. */

#include "support/puppet.h"

#include <assert.h>
#include <netinet/in.h>
#include <string.h>

static void on_hung_up(uv_handle_t *handle)
{
    struct puppet *puppet = handle->data;
    puppet->connected = false;
}

static void hang_up(struct puppet *puppet)
{
    if (puppet->connected && !uv_is_closing((uv_handle_t *)&puppet->peer)) {
        uv_close((uv_handle_t *)&puppet->peer, on_hung_up);
    }
}

static void answer(struct puppet *puppet)
{
    while (*puppet->answers != NULL) {
        const char *text = *puppet->answers++;
        const size_t length = strlen(text);
        if (strcmp(text, PUPPET_HANG_UP) == 0) {
            hang_up(puppet);
            return;
        }
        uv_buf_t buffer = uv_buf_init((char *)(uintptr_t)text, (unsigned)length);
        const int count = length > 0 ? uv_try_write((uv_stream_t *)&puppet->peer, &buffer, 1) : 0;
        assert(count == (int)length);
        /* What hangs up, does so at once. */
        if (*puppet->answers == NULL || strcmp(*puppet->answers, PUPPET_HANG_UP) != 0) {
            return;
        }
    }
}

static void give_room(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_buffer)
{
    struct puppet *puppet = handle->data;
    (void)suggested;
    *ret_buffer = uv_buf_init(puppet->heard + puppet->heard_len,
                              (unsigned)(sizeof(puppet->heard) - 1 - puppet->heard_len));
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer)
{
    struct puppet *puppet = stream->data;
    (void)buffer;
    if (count > 0) {
        puppet->heard_len += (size_t)count;
        puppet->heard[puppet->heard_len] = '\0';
        answer(puppet);
    } else if (count < 0) {
        hang_up(puppet);
    }
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct puppet *puppet = listener->data;
    assert(status == 0 && !puppet->connected);
    int error = uv_tcp_init(listener->loop, &puppet->peer);
    assert(error == 0);
    puppet->peer.data = puppet;
    puppet->connected = true;
    error = uv_accept(listener, (uv_stream_t *)&puppet->peer);
    assert(error == 0);
    error = uv_read_start((uv_stream_t *)&puppet->peer, give_room, on_read);
    assert(error == 0);
}

void puppet_begin(struct puppet *puppet, uv_loop_t *loop, const char *const *answers)
{
    struct sockaddr_in address;
    *puppet = (struct puppet){.answers = answers};
    int error = uv_tcp_init(loop, &puppet->listener);
    assert(error == 0);
    puppet->listener.data = puppet;
    error = uv_ip4_addr("127.0.0.1", 0, &address);
    assert(error == 0);
    error = uv_tcp_bind(&puppet->listener, (const struct sockaddr *)&address, 0);
    assert(error == 0);
    error = uv_listen((uv_stream_t *)&puppet->listener, 1, on_connection);
    assert(error == 0);
    uv_unref((uv_handle_t *)&puppet->listener);
}

void puppet_end(struct puppet *puppet)
{
    hang_up(puppet);
    uv_close((uv_handle_t *)&puppet->listener, NULL);
}

unsigned puppet_port(const struct puppet *puppet)
{
    struct sockaddr_in address;
    int length = sizeof(address);
    const int error = uv_tcp_getsockname(&puppet->listener, (struct sockaddr *)&address, &length);
    assert(error == 0);
    return ntohs(address.sin_port);
}
