// SPDX-License-Identifier: Apache-2.0
#include "grpc_loop/bytes.h"

#include "ist_test.h"

#include <grpc/grpc.h>

static void join_one_piece_stays_where_it_is(void **state)
{
    (void)state;
    grpc_byte_buffer *buffer = ist_grpc_bytes_new(IST_STRV("a message that is too long to be kept inside of a slice"));
    grpc_slice slice;
    assert_true(ist_grpc_bytes_join(buffer, &slice));
    ist_test_strv_equal(ist_grpc_bytes_view(&slice), "a message that is too long to be kept inside of a slice");
    assert_ptr_equal(GRPC_SLICE_START_PTR(slice), GRPC_SLICE_START_PTR(buffer->data.raw.slice_buffer.slices[0]));
    grpc_slice_unref(slice);
    grpc_byte_buffer_destroy(buffer);
}

static void join_pieces_become_one(void **state)
{
    (void)state;
    grpc_slice pieces[] = {grpc_slice_from_copied_string("a message of several pieces, the first of which is long, "),
                           grpc_slice_from_copied_string("the second of which is long as well, ended by "),
                           grpc_slice_from_copied_string("a third")};
    grpc_byte_buffer *buffer = grpc_raw_byte_buffer_create(pieces, IST_COUNT(pieces));
    grpc_slice slice;
    assert_true(ist_grpc_bytes_join(buffer, &slice));
    ist_test_strv_equal(ist_grpc_bytes_view(&slice), "a message of several pieces, the first of which is long, the second of "
                                                     "which is long as well, ended by a third");
    grpc_slice_unref(slice);
    grpc_byte_buffer_destroy(buffer);
    for (size_t i = 0; i < IST_COUNT(pieces); i++) {
        grpc_slice_unref(pieces[i]);
    }
}

static void join_empty_message_is_empty(void **state)
{
    (void)state;
    grpc_byte_buffer *buffer = ist_grpc_bytes_new(IST_STRV_NULL);
    grpc_slice slice;
    assert_true(ist_grpc_bytes_join(buffer, &slice));
    assert_int_equal(ist_grpc_bytes_view(&slice).n, 0);
    grpc_slice_unref(slice);
    grpc_byte_buffer_destroy(buffer);
}

static int start(void **state)
{
    (void)state;
    grpc_init();
    return 0;
}

static int end(void **state)
{
    (void)state;
    grpc_shutdown();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(join_one_piece_stays_where_it_is),
        cmocka_unit_test(join_pieces_become_one),
        cmocka_unit_test(join_empty_message_is_empty),
    };
    return cmocka_run_group_tests(tests, start, end);
}
