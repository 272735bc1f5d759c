/* replies.c - see replies.h. */

#include "unit/redis/replies.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct weir_resp_reader *reader;

void reply_done(void)
{
    weir_resp_reader_free(reader);
    reader = NULL;
}

const struct weir_resp_value *reply_values(const char *bytes, size_t *ret_count)
{
    reply_done();
    reader = weir_resp_reader_new(NULL, NULL);
    assert_non_null(reader);
    const struct weir_bytes input = weir_text(bytes);
    size_t used = 0;
    assert_int_equal(weir_resp_read(reader, input, &used), WEIR_RESP_VALUE);
    assert_int_equal(used, input.len);
    return weir_resp_values(reader, ret_count);
}
