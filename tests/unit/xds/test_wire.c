// SPDX-License-Identifier: Apache-2.0
#include "ist_test.h"

#include "encode_priv.h"
#include "message_priv.h"
#include "wire_priv.h"
#include "xds_make.h"

static ist_strv all_kinds(ist_buf *buf)
{
    ist_xds_encode_number(buf, 1, 300);
    ist_xds_encode_text(buf, 2, IST_STRV("hello"));
    ist_buf_append(buf, "\x1d\x01\x02\x03\x04", 5);                 // field 3, fixed32
    ist_buf_append(buf, "\x21\x01\x00\x00\x00\x00\x00\x00\x80", 9); // field 4, fixed64
    ist_xds_encode_number(buf, 536870911, UINT64_MAX);              // the largest of both
    return ist_buf_view(buf);
}

static void check_all_kinds(const ist_xds_slice *slices, size_t count, ist_arena *arena)
{
    ist_xds_wire wire = ist_xds_wire_over(ist_xds_span_over(slices, count));
    ist_xds_field field;
    ist_strv text;
    assert_true(ist_xds_wire_next(&wire, &field));
    assert_int_equal(field.value, 300);
    assert_true(ist_xds_wire_next(&wire, &field));
    assert_int_equal(ist_xds_span_view(field.bytes, arena, &text), IST_OK);
    ist_test_strv_equal(text, "hello");
    assert_true(ist_xds_wire_next(&wire, &field));
    assert_int_equal(field.value, 0x04030201);
    assert_true(ist_xds_wire_next(&wire, &field));
    assert_true(field.value == 0x8000000000000001U);
    assert_true(ist_xds_wire_next(&wire, &field));
    assert_int_equal(field.number, 536870911);
    assert_true(field.value == UINT64_MAX);
    assert_false(ist_xds_wire_next(&wire, &field));
    assert_false(wire.failed);
}

static void fields_cut_into_any_three_slices_are_read_alike(void **state)
{
    (void)state;
    ist_buf buf = IST_BUF_INIT;
    ist_arena *arena = ist_arena_new(0, 0);
    ist_strv bytes = all_kinds(&buf);
    const uint8_t *p = (const uint8_t *)bytes.p;
    for (size_t a = 0; a <= bytes.n; a++) {
        for (size_t b = a; b <= bytes.n; b++) {
            const ist_xds_slice slices[] = {{p, a}, {p + a, b - a}, {p + b, bytes.n - b}};
            check_all_kinds(slices, IST_COUNT(slices), arena);
        }
    }
    ist_arena_free(arena);
    ist_buf_done(&buf);
}

static void whole_field_is_not_copied(void **state)
{
    (void)state;
    ist_arena *arena = ist_arena_new(0, 0);
    ist_xds_slice slice;
    ist_strv bytes = IST_STRV("abc");
    ist_strv view;
    assert_int_equal(ist_xds_span_view(ist_xds_span_of(bytes, &slice), arena, &view), IST_OK);
    assert_ptr_equal(view.p, bytes.p);
    assert_int_equal(ist_arena_used(arena), 0);
    ist_arena_free(arena);
}

static void malformed_bytes_fail(void **state)
{
    (void)state;
    static const ist_strv cases[] = {
        IST_STRV_INIT("\x08"),                                         // no value
        IST_STRV_INIT("\x08\xff"),                                     // varint cut off
        IST_STRV_INIT("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"), // more than 64 bits
        IST_STRV_INIT("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
        IST_STRV_INIT("\x12\x05"
                      "abc"),                                          // shorter than its length
        IST_STRV_INIT("\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), // enormous length
        IST_STRV_INIT("\x0d\x01\x02"),                                 // fixed32 cut off
        IST_STRV_INIT("\x0b"),                                         // group
        IST_STRV_INIT("\x0e"),
        IST_STRV_INIT("\x0f"),                         // no such wire type
        IST_STRV_INIT("\x02\x00"),                     // field number 0
        IST_STRV_INIT("\xfa\xff\xff\xff\xff\x01\x00"), // field number beyond 2^29
    };
    for (size_t i = 0; i < IST_COUNT(cases); i++) {
        ist_xds_slice slice;
        ist_xds_wire wire = ist_xds_wire_over(ist_xds_span_of(cases[i], &slice));
        ist_xds_field field;
        while (ist_xds_wire_next(&wire, &field)) {
        }
        if (!wire.failed) {
            fail_msg("case %zu is accepted", i);
        }
        assert_int_equal(ist_xds_wire_bytes(cases[i], 2).n, 0);
    }
}

static void struct_values_are_found(void **state)
{
    (void)state;
    ist_arena *arena = ist_arena_new(0, 0);
    Google__Protobuf__Struct *structure =
        make_struct(arena, "workload", "w;ns", "bad", "\xff", "external", "true", NULL);
    ist_strv bytes = make_packed(arena, structure);
    ist_test_strv_equal(ist_xds_struct_text(bytes, IST_STRV("workload")), "w;ns");
    ist_test_strv_equal(ist_xds_struct_text(bytes, IST_STRV("bad")), "");
    ist_test_strv_equal(ist_xds_struct_text(bytes, IST_STRV("none")), "");
    assert_true(ist_xds_struct_flag(bytes, IST_STRV("external")));
    assert_false(ist_xds_struct_flag(bytes, IST_STRV("workload")));
    structure->fields[0]->value->kind_case = GOOGLE__PROTOBUF__VALUE__KIND_BOOL_VALUE;
    structure->fields[0]->value->bool_value = true;
    assert_true(ist_xds_struct_flag(make_packed(arena, structure), IST_STRV("workload")));
    ist_arena_free(arena);
}

// --- Unpacking ------------------------------------------------------------------------------------------------------

static void depth_of(const ProtobufCMessageDescriptor *type, unsigned depth)
{
    if (depth > 16) {
        fail_msg("%s is nested in itself", type->name);
    }
    for (unsigned i = 0; i < type->n_fields; i++) {
        if (type->fields[i].type == PROTOBUF_C_TYPE_MESSAGE) {
            depth_of(type->fields[i].descriptor, depth + 1);
        }
    }
}

static void messages_that_are_decoded_do_not_contain_themselves(void **state)
{
    (void)state;
    depth_of(&envoy__config__cluster__v3__cluster__descriptor, 1);
    depth_of(&envoy__config__endpoint__v3__lb_endpoint__descriptor, 1);
    depth_of(&envoy__config__listener__v3__listener__descriptor, 1);
    depth_of(&envoy__config__route__v3__virtual_host__descriptor, 1);
    depth_of(&istio__networking__nds__v1__name_table__descriptor, 1);
}

static ist_strv nested_values(ist_arena *arena, unsigned depth)
{
    Google__Protobuf__Value *value = MAKE(arena, Google__Protobuf__Value, google__protobuf__value__descriptor);
    for (unsigned i = 0; i < depth; i++) {
        Google__Protobuf__Value *outer = MAKE(arena, Google__Protobuf__Value, google__protobuf__value__descriptor);
        outer->kind_case = GOOGLE__PROTOBUF__VALUE__KIND_LIST_VALUE;
        outer->list_value = MAKE(arena, Google__Protobuf__ListValue, google__protobuf__list_value__descriptor);
        outer->list_value->values = (Google__Protobuf__Value **)make_list(arena, 1);
        outer->list_value->values[0] = value;
        outer->list_value->n_values = 1;
        value = outer;
    }
    return make_packed(arena, value);
}

static void deep_nesting_is_refused_before_it_is_unpacked(void **state)
{
    (void)state;
    ist_arena *arena = ist_arena_new(0, 0);
    const ProtobufCMessage *message = NULL;
    ist_err err = IST_ERR_NULL;
    assert_int_equal(
        ist_xds_message_unpack(&google__protobuf__value__descriptor, nested_values(arena, 30), arena, &message, &err),
        IST_OK); // a Value and a ListValue each: 61 deep
    assert_int_equal(
        ist_xds_message_unpack(&google__protobuf__value__descriptor, nested_values(arena, 200), arena, &message, &err),
        IST_ELIMIT);
    assert_non_null(strstr(err.text, "nested more than 64 messages deep"));
    ist_arena_free(arena);
}

static void texts_and_wire_types_are_checked(void **state)
{
    (void)state;
    static const struct {
        ist_strv bytes; // of a TransportSocket or a Locality: region 1, zone 2, sub_zone 3
        const char *says;
    } cases[] = {
        {IST_STRV_INIT("\x0a\x02\xc3\x28"), "field region of Locality is not valid UTF-8"},
        {IST_STRV_INIT("\x12\x03"
                       "a\0b"),
         "field zone of Locality contains a NUL"},
        {IST_STRV_INIT("\x18\x01"), "field sub_zone of Locality has the wrong wire type"},
        {IST_STRV_INIT("\x0a\x05"
                       "ab"),
         "Locality is cut off"},
    };
    ist_arena *arena = ist_arena_new(0, 0);
    for (size_t i = 0; i < IST_COUNT(cases); i++) {
        const ProtobufCMessage *message = NULL;
        ist_err err = IST_ERR_NULL;
        assert_int_equal(ist_xds_message_unpack(&envoy__config__core__v3__locality__descriptor, cases[i].bytes, arena,
                                                &message, &err),
                         IST_EPARSE);
        if (strstr(err.text, cases[i].says) == NULL) {
            fail_msg("\"%s\"; wanted \"%s\"", err.text, cases[i].says);
        }
        assert_null(message);
    }
    ist_arena_free(arena);
}

static void bomb_of_empty_members_is_refused(void **state)
{
    (void)state;
    enum { MANY = 100000 };
    static char bytes[2 * MANY];
    for (size_t i = 0; i < MANY; i++) {
        bytes[2 * i] = 0x1a; // VirtualHost.routes, empty
    }
    ist_arena *arena = ist_arena_new(0, 0);
    const ProtobufCMessage *message = NULL;
    ist_err err = IST_ERR_NULL;
    assert_int_equal(ist_xds_message_unpack(&envoy__config__route__v3__virtual_host__descriptor,
                                            ist_strv_make(bytes, sizeof(bytes)), arena, &message, &err),
                     IST_ELIMIT);
    assert_non_null(strstr(err.text, "VirtualHost unpacks to more than"));
    ist_arena_free(arena);
}

static void duration_is_clamped(void **state)
{
    (void)state;
    Google__Protobuf__Duration duration = GOOGLE__PROTOBUF__DURATION__INIT;
    assert_int_equal(ist_xds_duration_ms(NULL), UINT32_MAX);
    assert_int_equal(ist_xds_duration_ms(&duration), 0);
    duration.seconds = 2;
    duration.nanos = 345678901;
    assert_int_equal(ist_xds_duration_ms(&duration), 2345);
    duration.seconds = INT64_MAX;
    assert_int_equal(ist_xds_duration_ms(&duration), UINT32_MAX - 1);
    duration.seconds = -1;
    assert_int_equal(ist_xds_duration_ms(&duration), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_cut_into_any_three_slices_are_read_alike),
        cmocka_unit_test(whole_field_is_not_copied),
        cmocka_unit_test(malformed_bytes_fail),
        cmocka_unit_test(struct_values_are_found),
        cmocka_unit_test(messages_that_are_decoded_do_not_contain_themselves),
        cmocka_unit_test(deep_nesting_is_refused_before_it_is_unpacked),
        cmocka_unit_test(texts_and_wire_types_are_checked),
        cmocka_unit_test(bomb_of_empty_members_is_refused),
        cmocka_unit_test(duration_is_clamped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
