/* Claims about XML documents in and out. */
#include "support/test.h"
#include "tarn/codec/xml.h"

static const xml_element *parse(fixture *f, const char *text)
{
    const xml_element *root = NULL;

    EXPECT_OK(xml_parse(QUOTED(f, text), f->arena, &root, &f->err));
    return root;
}

static void test_a_document_becomes_a_tree(void **state)
{
    fixture *f = *state;
    const xml_element *root =
        parse(f, "<?xml version='1.0'?>\n"
                 "<Delete xmlns='http://s3.amazonaws.com/doc/2006-03-01/'>"
                 "<Quiet>true</Quiet><Object><Key>a&amp;b&#x20;<![CDATA[<c>]]></Key></Object>"
                 "<Object><Key> spaced </Key><VersionId/></Object><!-- no --></Delete>");
    const xml_element *first = xml_child(root, "Object");

    EXPECT_STR(root->name, "Delete");
    assert_int_equal(root->attribute_count, 0);
    EXPECT_STR(xml_child_text(root, "Quiet"), "true");
    assert_int_equal(xml_count(root, "Object"), 2);
    EXPECT_STR(xml_child_text(first, "Key"), "a&b <c>");
    EXPECT_STR(xml_child_text(xml_next(first), "Key"), " spaced ");
    EXPECT_STR(xml_child_text(xml_next(first), "VersionId"), "");
    assert_true(str_is_null(xml_child_text(first, "VersionId")));
    assert_null(xml_next(xml_next(first)));
    assert_null(xml_child(NULL, "Key"));
    assert_null(xml_next(NULL));
}

static void test_prefixes_are_dropped(void **state)
{
    fixture *f = *state;
    const xml_element *root =
        parse(f, "<s:Grantee xmlns:s='urn:s' xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance' "
                 "xsi:type='CanonicalUser' plain='1'><s:ID>x</s:ID></s:Grantee>");

    EXPECT_STR(root->name, "Grantee");
    assert_int_equal(root->attribute_count, 2);
    EXPECT_STR(xml_attribute_value(root, "type"), "CanonicalUser");
    EXPECT_STR(xml_attribute_value(root, "plain"), "1");
    assert_true(str_is_null(xml_attribute_value(root, "s")));
    assert_true(str_is_null(xml_attribute_value(NULL, "s")));
    EXPECT_STR(xml_child_text(root, "ID"), "x");
}

static void test_what_is_no_small_document_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "   ",
        "text",
        "<a>",
        "<a></b>",
        "<a/><b/>",
        "<a>&nbsp;</a>",
        "<a x='1' x='2'/>",
        "<a>\x01</a>",
        "<a>\xff</a>",
        "<?xml version='1.0' encoding='nonsense'?><a/>",
        "<!DOCTYPE a><a/>",
        "<!DOCTYPE a [<!ENTITY e 'x'>]><a>&e;</a>",
        "<!DOCTYPE a [<!ENTITY e SYSTEM 'file:///etc/hostname'>]><a>&e;</a>",
        "<!DOCTYPE a [<!ENTITY l 'ha'><!ENTITY m '&l;&l;&l;&l;'>]><a>&m;&m;</a>",
    };
    fixture *f = *state;
    const xml_element *root = NULL;

    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        EXPECT_STATUS(SYNTAX, xml_parse(str_c(bad[i]), f->arena, &root, &f->err));
        assert_string_equal(error_s3_code(&f->err), "MalformedXML");
    }
    EXPECT_STATUS(SYNTAX, xml_parse(str_from("<a>\0</a>", 8), f->arena, &root, &f->err));
    assert_null(root);
    EXPECT_STATUS(SYNTAX, xml_parse(STR("<a>\n <b></c></a>"), f->arena, &root, &f->err));
    EXPECT_MESSAGE(f, "the XML document is refused at line 2, column 7: mismatched tag");
    assert_int_equal(f->err.position, 10);
}

static str repeated(fixture *f, const char *before, const char *piece, size_t count,
                    const char *after)
{
    buf *text = buf_in(f->arena, 16 << 20);

    buf_add_c(text, before);
    for (size_t i = 0; i < count; i++) {
        buf_add_c(text, piece);
    }
    buf_add_c(text, after);
    return buf_str(text);
}

static void test_depth_and_number_of_elements_have_limits(void **state)
{
    fixture *f = *state;
    const xml_element *root = NULL;
    str deepest = str_concat(f->arena, repeated(f, "", "<a>", XML_DEPTH_MAX, ""),
                             repeated(f, "", "</a>", XML_DEPTH_MAX, ""));

    EXPECT_OK(xml_parse(deepest, f->arena, &root, &f->err));
    EXPECT_STATUS(TOO_LARGE, xml_parse(repeated(f, "", "<a>", XML_DEPTH_MAX + 1, ""), f->arena,
                                       &root, &f->err));
    EXPECT_OK(xml_parse(repeated(f, "<a>", "<b/>", XML_ELEMENTS_MAX - 1, "</a>"), f->arena, &root,
                        &f->err));
    assert_int_equal(xml_count(root, "b"), XML_ELEMENTS_MAX - 1);
    EXPECT_STATUS(TOO_LARGE, xml_parse(repeated(f, "<a>", "<b/>", XML_ELEMENTS_MAX, "</a>"),
                                       f->arena, &root, &f->err));
}

static void test_long_text_in_pieces_is_one(void **state)
{
    fixture *f = *state;
    const xml_element *root = NULL;

    EXPECT_OK(
        xml_parse(repeated(f, "<a>", "&amp;\n", 100000, "<b/>end</a>"), f->arena, &root, &f->err));
    assert_int_equal(root->text.size, 200000 + 3);
    assert_true(str_ends_with(root->text, STR("&\n&\nend")));
}

static void test_written_documents_are_read_back(void **state)
{
    fixture *f = *state;
    buf *out = buf_in(f->arena, 65536);
    const xml_element *root = NULL;

    xml_begin_document(out, "R", "http://s3.amazonaws.com/doc/2006-03-01/");
    xml_add_text(out, "ETag", STR("\"a<&>'\""));
    xml_add_int(out, "Size", INT64_C(-9007199254740993));
    xml_add_bool(out, "IsTruncated", false);
    xml_add_time(out, "LastModified", INT64_C(1763758042000000));
    xml_open(out, "C");
    xml_add_text(out, "Text", STR("tab\tcr\rlf\n\xc3\xa9\xf0\x9f\x98\x80"));
    xml_close(out, "C");
    xml_close(out, "R");
    EXPECT_STR(
        buf_str(out),
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
        "<R xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
        "<ETag>&quot;a&lt;&amp;&gt;&#39;&quot;</ETag><Size>-9007199254740993</Size>"
        "<IsTruncated>false</IsTruncated><LastModified>2025-11-21T20:47:22.000Z</LastModified>"
        "<C><Text>tab\tcr&#13;lf\n\xc3\xa9\xf0\x9f\x98\x80</Text></C></R>");
    EXPECT_OK(xml_parse(buf_str(out), f->arena, &root, &f->err));
    EXPECT_STR(xml_child_text(root, "ETag"), "\"a<&>'\"");
    EXPECT_STR(xml_child_text(xml_child(root, "C"), "Text"),
               "tab\tcr\rlf\n\xc3\xa9\xf0\x9f\x98\x80");
}

static void test_bytes_that_xml_cannot_hold_become_question_marks(void **state)
{
    fixture *f = *state;
    buf *out = buf_in(f->arena, 65536);
    char all[256];
    const xml_element *root = NULL;

    xml_add_text(out, "a", STR("\x01\x1f\x7f \xff\xc3 \xed\xa0\x80 \xef\xbf\xbf \xe2\x82"));
    EXPECT_STR(buf_str(out), "<a>"
                             "?"
                             "?"
                             "\x7f ??"
                             " ??? ??? ?"
                             "?</a>");
    for (size_t i = 0; i < sizeof all; i++) {
        all[i] = (char)i;
    }
    buf_clear(out);
    xml_add_text(out, "a", str_from(all, sizeof all));
    EXPECT_OK(xml_parse(buf_str(out), f->arena, &root, &f->err));
    assert_int_equal(root->text.size, sizeof all);
}

TESTS(test_a_document_becomes_a_tree, test_prefixes_are_dropped,
      test_what_is_no_small_document_is_refused, test_depth_and_number_of_elements_have_limits,
      test_long_text_in_pieces_is_one, test_written_documents_are_read_back,
      test_bytes_that_xml_cannot_hold_become_question_marks)
