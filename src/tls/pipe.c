/* pipe.c - how OpenSSL gets at the bytes of one call: it reads where the caller has them and writes
 * where the caller wants them. OpenSSL's own memory BIO would copy both, and keep for each
 * connection as much memory as the most that ever lay in it. */

#include "tls/tls_parts.h"

#include <openssl/bio.h>

#include <string.h>

static int on_read(BIO *bio, char *buffer, int size)
{
    struct weir_tls *tls = BIO_get_data(bio);
    struct weir_bytes *input = &tls->input;
    BIO_clear_retry_flags(bio);
    if (input->len == 0 || size <= 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    const size_t count = input->len < (size_t)size ? input->len : (size_t)size;
    memcpy(buffer, input->ptr, count);
    *input = weir_bytes(input->ptr + count, input->len - count);
    return (int)count;
}

/* That the memory ran out is in the buffer, for the end of the call. */
static int on_write(BIO *bio, const char *bytes, int size)
{
    struct weir_tls *tls = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (size > 0) {
        weir_buffer_put(tls->output, weir_bytes(bytes, (size_t)size));
    }
    return tls->output->failed ? -1 : size;
}

static long on_control(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH ? 1 : 0;
}

BIO_METHOD *weir_tls_pipe_new(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_TYPE_MEM, "weir");
    if (method != NULL &&
        (BIO_meth_set_read(method, on_read) != 1 || BIO_meth_set_write(method, on_write) != 1 ||
         BIO_meth_set_ctrl(method, on_control) != 1)) {
        BIO_meth_free(method);
        return NULL;
    }
    return method;
}
