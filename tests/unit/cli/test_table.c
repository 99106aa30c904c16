// SPDX-License-Identifier: Apache-2.0
#include "ist_test.h"

#include "../../../agent/cli/table_priv.h"

static const char *const HEADERS[] = {"NAME", "N", "STATE", NULL};

static void fill(cli_table *table)
{
    cli_table_init(table);
    cli_table_headers(table, HEADERS);
    cli_table_cell(table, IST_STRV("a-long-name"));
    cli_table_number(table, 7);
    cli_table_styled(table, IST_STRV("good"), CLI_GOOD);
    cli_table_cell(table, IST_STRV("b"));
    cli_table_number(table, -12345);
    cli_table_cell(table, IST_STRV_NULL);
}

static void assert_table(cli_table *table, bool headers, bool colour, const char *want)
{
    ist_buf out = IST_BUF_INIT;
    assert_int_equal(cli_table_write(table, headers, colour, &out), IST_OK);
    ist_test_strv_equal(ist_buf_view(&out), want);
    ist_buf_done(&out);
}

static void columns_are_as_wide_as_their_widest_cell(void **state)
{
    (void)state;
    cli_table table;
    fill(&table);
    assert_table(&table, true, false,
                 "NAME          N        STATE\n"
                 "a-long-name   7        good\n"
                 "b             -12345   -\n");
    cli_table_done(&table);
}

static void headers_can_be_left_out(void **state)
{
    (void)state;
    cli_table table;
    fill(&table);
    assert_table(&table, false, false, "a-long-name   7        good\nb             -12345   -\n");
    cli_table_done(&table);
}

static void colour_takes_no_place(void **state)
{
    (void)state;
    cli_table table;
    fill(&table);
    assert_table(&table, false, true, "a-long-name   7        \x1b[32mgood\x1b[0m\nb             -12345   -\n");
    cli_table_done(&table);
}

static void cells_count_characters_and_cannot_drive_a_terminal(void **state)
{
    static const char *const ONE[] = {"A", "B", NULL};
    (void)state;
    cli_table table;
    cli_table_init(&table);
    cli_table_headers(&table, ONE);
    cli_table_cell(&table, IST_STRV("caf\xc3\xa9"));
    cli_table_cell(&table, IST_STRV("x"));
    cli_table_cell(&table, IST_STRV("\x1b[2J\n\x7f\xc2\x9b"));
    cli_table_cell(&table, IST_STRV("\xc2\xa0y"));
    assert_table(&table, true, false, "A         B\ncaf\xc3\xa9      x\n?[2J???   \xc2\xa0y\n");
    cli_table_done(&table);
}

static void rows_are_indented_and_never_end_in_spaces(void **state)
{
    (void)state;
    cli_table table;
    cli_table_init(&table);
    table.indent = 2;
    cli_table_columns(&table, 3);
    cli_table_cell(&table, IST_STRV("a"));
    cli_table_styled(&table, IST_STRV("strong"), CLI_STRONG);
    cli_table_cell(&table, IST_STRV("c"));
    cli_table_blank(&table);
    cli_table_cell(&table, IST_STRV("b"));
    cli_table_blank(&table);
    assert_table(&table, false, true, "  a   \x1b[1mstrong\x1b[0m   c\n      b\n"); // no headers: nothing is left out
    cli_table_done(&table);
}

static void table_without_rows_is_its_headers(void **state)
{
    (void)state;
    cli_table table;
    cli_table_init(&table);
    assert_table(&table, true, false, "");
    cli_table_headers(&table, HEADERS);
    assert_table(&table, true, false, "NAME   N   STATE\n");
    assert_table(&table, false, false, "");
    cli_table_done(&table);
}

static ist_status fill_and_write(void *ctx)
{
    (void)ctx;
    cli_table table;
    ist_buf out = IST_BUF_INIT;
    fill(&table);
    ist_status status = cli_table_write(&table, true, true, &out);
    ist_buf_done(&out);
    cli_table_done(&table);
    return status;
}

static void out_of_memory_is_reported_at_the_end(void **state)
{
    (void)state;
    assert_true(ist_test_each_alloc_fails(fill_and_write, NULL) > 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_are_as_wide_as_their_widest_cell),
        cmocka_unit_test(headers_can_be_left_out),
        cmocka_unit_test(colour_takes_no_place),
        cmocka_unit_test(cells_count_characters_and_cannot_drive_a_terminal),
        cmocka_unit_test(rows_are_indented_and_never_end_in_spaces),
        cmocka_unit_test(table_without_rows_is_its_headers),
        cmocka_unit_test(out_of_memory_is_reported_at_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
