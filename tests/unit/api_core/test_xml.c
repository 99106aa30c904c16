// SPDX-License-Identifier: Apache-2.0
//
// What is written is read back by a foreign parser.
#include "ist_test.h"

#include "api_core/xml.h"

#include <expat.h>

static void collect(void *ctx, const XML_Char *text, int length)
{
    ist_buf_append(ctx, text, (size_t)length);
}

// The text of a document of one element, as expat reads it.
static void assert_read_back(ist_strv document, const char *want, size_t want_length)
{
    ist_buf text = IST_BUF_INIT;
    XML_Parser parser = XML_ParserCreate("UTF-8");
    assert_non_null(parser);
    XML_SetUserData(parser, &text);
    XML_SetCharacterDataHandler(parser, collect);
    if (XML_Parse(parser, document.p, (int)document.n, 1) != XML_STATUS_OK) {
        fail_msg("%s: %.*s", XML_ErrorString(XML_GetErrorCode(parser)), IST_STRV_ARG(document));
    }
    assert_true(ist_strv_equal(ist_buf_view(&text), ist_strv_make(want, want_length)));
    XML_ParserFree(parser);
    ist_buf_done(&text);
}

static void text_is_read_back_as_it_was(void **state)
{
    static const struct {
        ist_strv text;
        const char *want;
    } CASES[] = {
        {IST_STRV_INIT(""), ""},
        {IST_STRV_INIT("plain"), "plain"},
        {IST_STRV_INIT("a&b<c>d\"e'f ]]> &amp;"), "a&b<c>d\"e'f ]]> &amp;"},
        {IST_STRV_INIT("tab\tline\nreturn\r."), "tab\tline\nreturn\r."},
        {IST_STRV_INIT("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\x98"),
         "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\x98"},
        {IST_STRV_INIT("bell\a"), "bell\xef\xbf\xbd"},
        {IST_STRV_INIT("\0"), "\xef\xbf\xbd"},
        {IST_STRV_INIT("cut\xc3"), "cut\xef\xbf\xbd"},
        {IST_STRV_INIT("\xef\xbf\xbf"), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {IST_STRV_INIT("\xed\xa0\x80"), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
    };
    (void)state;
    for (size_t i = 0; i < IST_COUNT(CASES); i++) {
        ist_buf out = IST_BUF_INIT;
        ist_xml_strv(&out, "e", CASES[i].text);
        assert_int_equal(ist_buf_status(&out), IST_OK);
        assert_read_back(ist_buf_view(&out), CASES[i].want, strlen(CASES[i].want));
        ist_buf_done(&out);
    }
}

static void elements_are_written_without_space(void **state)
{
    (void)state;
    ist_buf out = IST_BUF_INIT;
    ist_xml_open(&out, "a", &(ist_xml_attribute){"class", "x\"<y"});
    ist_xml_i64(&out, "n", -5);
    ist_xml_string(&out, "s", "t");
    ist_xml_close(&out, "a");
    ist_test_strv_equal(ist_buf_view(&out), "<a class=\"x&quot;&lt;y\"><n>-5</n><s>t</s></a>");
    ist_buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_read_back_as_it_was),
        cmocka_unit_test(elements_are_written_without_space),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
