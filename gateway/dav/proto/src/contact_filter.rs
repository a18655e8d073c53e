//! Whether a card matches a filter (RFC 6352 §10.5).

use kontor_model::vcard::{Property, VCard};

use crate::request::{AddressFilter, ContactPropFilter, ContactPropTest, ParamFilter, ParamTest};

impl AddressFilter {
    /// Whether a card matches.
    pub fn matches(&self, card: &VCard) -> bool {
        self.properties.is_empty()
            || self.test.holds(self.properties.iter().map(|filter| filter.matches(card)))
    }
}

impl ContactPropFilter {
    fn matches(&self, card: &VCard) -> bool {
        let mut named = card.properties.iter().filter(|property| is_named(property, &self.name));
        match &self.test {
            ContactPropTest::NotDefined => named.next().is_none(),
            ContactPropTest::Defined { texts, parameters, .. }
                if texts.is_empty() && parameters.is_empty() =>
            {
                named.next().is_some()
            }
            ContactPropTest::Defined { test, texts, parameters } => named.any(|property| {
                let value = property.text();
                let texts = texts.iter().map(|text| text.holds(&value));
                test.holds(texts.chain(parameters.iter().map(|filter| has_parameter(filter, property))))
            }),
        }
    }
}

/// Whether a property is the one of a name, which may have a group and a dot before it (RFC 6352 §10.4.2, §10.5.1).
pub(crate) fn is_named(property: &Property, name: &str) -> bool {
    match name.rsplit_once('.') {
        None => property.is(name),
        Some((group, name)) => {
            property.is(name) && property.group.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(group))
        }
    }
}

fn has_parameter(filter: &ParamFilter, property: &Property) -> bool {
    let is_there = property.parameters.iter().any(|parameter| parameter.is(&filter.name));
    match &filter.test {
        ParamTest::Defined => is_there,
        ParamTest::NotDefined => !is_there,
        // A list in quotation marks is several types.
        ParamTest::Text(text) if filter.name.eq_ignore_ascii_case("TYPE") => {
            property.types().any(|kind| text.holds(kind))
        }
        ParamTest::Text(text) => property.parameter(&filter.name).any(|value| text.holds(value)),
    }
}

#[cfg(test)]
mod tests {
    use kontor_model::vcard::Limits as CardLimits;

    use crate::request::Report;
    use crate::{CARDDAV, Limits};

    use super::*;

    const CARD: &str = concat!(
        "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:1\r\nFN:Z\u{fc}rcher\\, Max\r\nN:Z\u{fc}rcher;Max;;;\r\nNICKNAME:mz\r\n",
        "TEL;TYPE=\"home,voice\":+41 1\r\nitem1.EMAIL;TYPE=work;PREF=1:max@example.org\r\nEMAIL:other@example.com\r\n",
        "END:VCARD\r\n"
    );

    fn matches(filter: &str) -> bool {
        let (open, rest) = filter.split_at(filter.find("<P").unwrap_or(filter.len()));
        let inner = rest
            .replace("<P ", "<A:prop-filter ")
            .replace("</P>", "</A:prop-filter>")
            .replace("<T", "<A:text-match")
            .replace("</T>", "</A:text-match>")
            .replace("<R ", "<A:param-filter ")
            .replace("</R>", "</A:param-filter>")
            .replace("<N/>", "<A:is-not-defined/>");
        let body = format!(
            "<A:addressbook-query xmlns:A='{CARDDAV}'><A:filter {open}>{inner}</A:filter></A:addressbook-query>"
        );
        let Ok(Report::AddressbookQuery(query)) = Report::parse(body.as_bytes(), &Limits::default()) else {
            panic!("{body}")
        };
        query.filter.matches(&VCard::parse(CARD.as_bytes(), &CardLimits::default()).unwrap())
    }

    #[test]
    fn properties_are_there_or_not() {
        assert!(matches("") && matches("test='allof'"));
        assert!(matches("<P name='nickname'/>") && !matches("<P name='BDAY'/>"));
        assert!(matches("<P name='BDAY'><N/></P>") && !matches("<P name='TEL'><N/></P>"));
        assert!(matches("<P name='item1.EMAIL'/>") && !matches("<P name='item2.EMAIL'/>"));
        assert!(
            matches("<P name='EMAIL'><T>other</T></P>") && !matches("<P name='item1.EMAIL'><T>other</T></P>")
        );
    }

    #[test]
    fn conditions_are_put_together() {
        assert!(matches("<P name='BDAY'/><P name='TEL'/>"));
        assert!(!matches("test='allof'<P name='BDAY'/><P name='TEL'/>"));
        assert!(matches("<P name='FN'><T>nobody</T><T>MAX</T></P>"));
        assert!(!matches("<P name='FN' test='allof'><T>nobody</T><T>MAX</T></P>"));
        // Both must hold for one property.
        let both = "<P name='EMAIL' test='allof'><T>max</T><R name='TYPE'><T>work</T></R></P>";
        assert!(matches(both) && !matches(&both.replace(">max<", ">other<")));
    }

    #[test]
    fn texts_are_compared_by_collation() {
        assert!(matches("<P name='FN'><T match-type='starts-with'>Z\u{dc}RCHER, m</T></P>"));
        assert!(!matches("<P name='FN'><T collation='i;octet'>max</T></P>"));
        assert!(!matches("<P name='FN'><T collation='i;ascii-casemap'>Z\u{dc}RCHER</T></P>"));
        assert!(matches("<P name='EMAIL'><T match-type='ends-with'>.ORG</T></P>"));
        assert!(!matches("<P name='FN'><T negate-condition='yes'>max</T></P>"));
        // One of the two has not.
        assert!(matches("<P name='EMAIL'><T negate-condition='yes'>max</T></P>"));
    }

    #[test]
    fn parameters_are_looked_at() {
        assert!(matches("<P name='TEL'><R name='type'><T match-type='equals'>HOME</T></R></P>"));
        assert!(!matches("<P name='TEL'><R name='TYPE'><T>cell</T></R></P>"));
        assert!(
            matches("<P name='EMAIL'><R name='PREF'/></P>") && !matches("<P name='TEL'><R name='PREF'/></P>")
        );
        assert!(matches("<P name='EMAIL'><R name='PREF'><N/></R></P>"));
    }
}
