use proptest::prelude::*;

use super::*;
use crate::name::{APPLE, CALDAV, DAV};

fn parse(text: &str) -> Result<Element, Error> {
    read(text.as_bytes(), &Limits::default())
}

fn is_malformed(text: &str) -> bool {
    matches!(parse(text), Err(Error::Malformed { .. }))
}

#[test]
fn a_tree_is_read() {
    let root = parse(concat!(
        "\u{feff}<?xml version='1.0' encoding=\"UTF-8\"?>\r\n<!-- a --><?pi x?>\n",
        "<a xmlns='DAV:' xmlns:c=\"urn:ietf:params:xml:ns:caldav\" one='1' c:two=\"&quot;&#x32;\t\">",
        "x&amp;<c:b/>y&#13;\r\n<![CDATA[<&]]><d xmlns=''/></a> \n"
    ))
    .unwrap();
    assert!(root.is(DAV, "a") && root.has(CALDAV, "b") && root.has("", "d"));
    assert_eq!(root.attribute("one"), Some("1"));
    assert_eq!(root.attributes[1].name, Name::caldav("two"));
    assert_eq!(root.attributes[1].value, "\"2 ");
    assert_eq!(root.text(), "x&y\r\n<&");
    assert_eq!(root.children.len(), 4);
}

#[test]
fn utf16_is_read_and_other_encodings_are_not() {
    let text = "<?xml version=\"1.0\" encoding=\"UTF-16\"?><a>\u{e9}\u{1f600}</a>";
    let little: Vec<u8> =
        [0xff, 0xfe].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect();
    let big: Vec<u8> =
        [0xfe, 0xff].into_iter().chain(text.encode_utf16().flat_map(u16::to_be_bytes)).collect();
    for octets in [little, big] {
        assert_eq!(read(&octets, &Limits::default()).unwrap().text(), "\u{e9}\u{1f600}");
    }
    assert_eq!(parse("<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><a/>"), Err(Error::Encoding));
    assert_eq!(parse(text), Err(Error::Encoding));
    assert_eq!(read(b"<a>\xff</a>", &Limits::default()), Err(Error::Encoding));
    assert_eq!(read(b"\xff\xfe<", &Limits::default()), Err(Error::Encoding));
}

#[test]
fn entities_do_not_grow() {
    let laughs = concat!(
        "<?xml version=\"1.0\"?><!DOCTYPE l [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;&a;&a;\">",
        "<!ENTITY c \"&b;&b;&b;&b;\">]><l>&c;</l>"
    );
    assert_eq!(parse(laughs), Err(Error::Doctype));
    assert_eq!(parse("<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><a/>"), Err(Error::Doctype));
    assert_eq!(parse("<a>&c;</a>"), Err(Error::Entity));
    assert_eq!(parse("<a b=\"&c;\"/>"), Err(Error::Entity));
    assert!(is_malformed("<a>&#0;</a>"));
    assert!(is_malformed("<a>&#1;</a>"));
    assert!(is_malformed("<a>&#xD800;</a>"));
    assert!(is_malformed("<a>&#xFFFE;</a>"));
}

#[test]
fn what_is_not_well_formed_is_refused() {
    for text in [
        "",
        " ",
        "x",
        "<a>",
        "<a><b></a>",
        "<a></b>",
        "</a>",
        "<a/><b/>",
        "<a/>x",
        "x<a/>",
        "<a/><![CDATA[x]]>",
        "<a/>&amp;",
        "<a b/>",
        "<a b=1/>",
        "<a b='1' b='2'/>",
        "<a b='<'/>",
        "<a b='1/>",
        "<1/>",
        "< a/>",
        "<a:b:c xmlns:a='x'/>",
        "<a><!-- -- --></a>",
        "<a><![CDATA[</a>",
        "<a>]]></a>",
        "<a>\u{1}</a>",
        "<a b='\u{1}'/>",
        "<a xmlns:b=''/>",
        "<a xmlns:b='x' xmlns:c='x' b:d='1' c:d='2'/>",
        "<a xmlns:xmlns='x'/>",
        "<a/><?xml version='1.0'?>",
        "<?xml version='2.0'?><a/>",
    ] {
        assert!(is_malformed(text), "{text:?} {:?}", parse(text));
    }
    assert_eq!(parse("<b:a/>"), Err(Error::UnboundPrefix));
    assert_eq!(parse("<a b:c='1'/>"), Err(Error::UnboundPrefix));
    assert!(parse("<a><b:c xmlns:b=''/></a>").is_err());
    assert_eq!(parse("<a><b:c xmlns:b='x'/><b:c/></a>"), Err(Error::UnboundPrefix));
    let whole = "<a xmlns='DAV:'><b c='d'>e&lt;</b></a>";
    for end in 0..whole.len() {
        assert!(parse(&whole[..end]).is_err(), "{end}");
    }
}

#[test]
fn limits_hold() {
    let limits = Limits { body: 400, depth: 3, elements: 5, attributes: 2, ..Limits::default() };
    let small = |text: &str| read(text.as_bytes(), &limits);
    let limit = |what, limit| Err(Error::Limit { what, limit });
    assert!(small("<a><b><c/></b></a>").is_ok());
    assert_eq!(small("<a><b><c><d/></c></b></a>"), limit("elements within elements", 3));
    assert_eq!(small("<a><b/><b/><b/><b/><b/></a>"), limit("elements", 5));
    assert_eq!(small("<a b='' c='' d=''/>"), limit("attributes", 2));
    assert_eq!(small("<a xmlns:b='x' xmlns:c='x' xmlns:d='x'/>"), limit("attributes", 2));
    assert_eq!(small(&" ".repeat(401)), Err(Error::TooLarge(400)));
    assert_eq!(parse(&"<a>".repeat(10_000)), limit("elements within elements", 32));
    let many: String = (0..10_000).map(|i| format!(" a{i}='x'")).collect();
    assert_eq!(parse(&format!("<a{many}/>")), limit("attributes", 32));
}

#[test]
fn unknown_namespaces_and_attributes_are_written() {
    let element = Element::new(Name::new("http://example.org/?a&b", "x").unwrap())
        .with_attribute(Name::new(XML, "lang").unwrap(), "de")
        .with_attribute(Name::new("urn:one", "y").unwrap(), "1\n\"<")
        .with_attribute(Name::new("urn:two", "y").unwrap(), "2")
        .with(Element::new(Name::new("", "z").unwrap()).with(Element::new(Name::dav("prop"))))
        .with(Element::new(Name::known(APPLE, "calendar-color")).with_text("#fff\r\n]]>"));
    let text = element.to_string();
    assert!(text.contains("<z xmlns=\"\"><D:prop/></z>"), "{text}");
    assert!(text.contains("#fff&#13;\n]]&gt;"), "{text}");
    assert_eq!(parse(&text), Ok(element));
}

#[test]
fn what_cannot_stand_in_xml_is_replaced() {
    let text = Element::new(Name::dav("a")).with_text("a\u{0}b\u{ffff}\u{1b}").to_string();
    assert_eq!(parse(&text).unwrap().text(), "a\u{fffd}b\u{fffd}\u{fffd}");
}

fn any_name() -> impl Strategy<Value = Name> {
    let namespace = prop_oneof![Just(""), Just(DAV), Just(CALDAV), Just("urn:x"), Just("a&b<\"'")];
    (namespace, "[a-z_][a-z0-9.-]{0,5}").prop_map(|(namespace, local)| Name::new(namespace, &local).unwrap())
}

fn any_element() -> impl Strategy<Value = Element> {
    let attributes = prop::collection::vec((any_name(), "[ -~\t\n\r\u{e9}]{0,8}"), 0..3);
    let leaf = (any_name(), attributes, "[ -~\t\n\r\u{e9}\u{fffd}]{0,12}").prop_map(|(name, list, text)| {
        let mut element = Element::new(name).with_text(text);
        for (name, value) in list {
            if name.local() != "xmlns" && element.attributes.iter().all(|other| other.name != name) {
                element.attributes.push(Attribute { name, value });
            }
        }
        element
    });
    leaf.prop_recursive(4, 20, 4, move |inner| {
        (any_name(), prop::collection::vec((inner, "[a-z\r\n ]{0,4}"), 0..4)).prop_map(|(name, children)| {
            let each =
                |element: Element, (child, text): (Element, String)| element.with(child).with_text(text);
            children.into_iter().fold(Element::new(name), each)
        })
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(element in any_element()) {
        prop_assert_eq!(parse(&element.to_string()), Ok(element));
    }

    #[test]
    fn no_octets_panic(octets in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(&octets, &Limits::default());
    }

    #[test]
    fn no_markup_panics(text in "(<|>|/|a|:|b|=|'|\"| |&|;|#|x|!|\\[CDATA\\[|\\]\\]|--|\\?|xmlns){0,40}") {
        if let Ok(element) = parse(&text) {
            prop_assert_eq!(parse(&element.to_string()), Ok(element));
        }
    }
}
