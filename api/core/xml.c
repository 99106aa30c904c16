// SPDX-License-Identifier: Apache-2.0
#include "api_core/xml.h"

#define REPLACEMENT "\xef\xbf\xbd"

static const char *entity_of(char c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&apos;";
    case '\r':
        return "&#13;"; // as it is, a reader would take it for a line feed
    default:
        return NULL;
    }
}

// Bytes of the character at the start of `text`, or 0 where XML cannot carry it.
static size_t character_length(ist_strv text)
{
    unsigned char c = (unsigned char)text.p[0];
    if (c < 0x80) {
        return c >= 0x20 || c == '\t' || c == '\n' || c == '\r' ? 1 : 0;
    }
    size_t length = c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    ist_strv character = ist_strv_first(text, length);
    bool is_noncharacter = ist_strv_equal(character, IST_STRV("\xef\xbf\xbe")) ||
                           ist_strv_equal(character, IST_STRV("\xef\xbf\xbf")); // U+FFFE, U+FFFF
    return character.n == length && ist_strv_valid_utf8(character) && !is_noncharacter ? length : 0;
}

void ist_xml_text(ist_buf *out, ist_strv text)
{
    while (text.n != 0) {
        size_t length = character_length(text);
        const char *entity = length == 1 ? entity_of(text.p[0]) : NULL;
        if (entity != NULL) {
            ist_buf_append_str(out, entity);
        } else if (length != 0) {
            ist_buf_append(out, text.p, length);
        } else {
            ist_buf_append_str(out, REPLACEMENT);
            length = 1;
        }
        text = ist_strv_skip(text, length);
    }
}

void ist_xml_open(ist_buf *out, const char *name, const ist_xml_attribute *attribute)
{
    ist_buf_append_char(out, '<');
    ist_buf_append_str(out, name);
    if (attribute != NULL) {
        ist_buf_append_char(out, ' ');
        ist_buf_append_str(out, attribute->name);
        ist_buf_append_str(out, "=\"");
        ist_xml_text(out, ist_strv_from(attribute->value));
        ist_buf_append_char(out, '"');
    }
    ist_buf_append_char(out, '>');
}

void ist_xml_close(ist_buf *out, const char *name)
{
    ist_buf_append_str(out, "</");
    ist_buf_append_str(out, name);
    ist_buf_append_char(out, '>');
}

void ist_xml_strv(ist_buf *out, const char *name, ist_strv text)
{
    ist_xml_open(out, name, NULL);
    ist_xml_text(out, text);
    ist_xml_close(out, name);
}

void ist_xml_string(ist_buf *out, const char *name, const char *text)
{
    ist_xml_strv(out, name, ist_strv_from(text));
}

void ist_xml_i64(ist_buf *out, const char *name, int64_t value)
{
    ist_xml_open(out, name, NULL);
    ist_buf_printf(out, "%lld", (long long)value);
    ist_xml_close(out, name);
}
