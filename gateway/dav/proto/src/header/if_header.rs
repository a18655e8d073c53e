//! `If` (RFC 4918 §10.4).

use super::{ETag, is_uri};
use crate::{Error, Limits};

/// The header: lists of conditions, one of which must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct If {
    /// The lists, in their order; there is at least one.
    pub lists: Vec<IfList>,
}

/// Conditions that must all hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IfList {
    /// The resource that they are about, as the URI or path that was written; `None` for the one of the request.
    pub resource: Option<String>,
    /// The conditions; there is at least one.
    pub conditions: Vec<Condition>,
}

/// One condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// `Not` stands before it.
    pub not: bool,
    /// What the resource must have, or must not.
    pub state: StateOrTag,
}

/// What a resource may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StateOrTag {
    /// A state token, mostly that of a lock: a URI without its brackets.
    State(String),
    /// An entity tag.
    Tag(ETag),
}

impl If {
    /// Reads the value.
    ///
    /// ```
    /// use kontor_dav_proto::Limits;
    /// use kontor_dav_proto::header::If;
    ///
    /// let header = If::parse("(<urn:uuid:1> [\"a\"]) (Not <DAV:no-lock>)", &Limits::default()).unwrap();
    /// assert_eq!(header.state_tokens().collect::<Vec<_>>(), ["urn:uuid:1"]);
    /// ```
    pub fn parse(value: &str, limits: &Limits) -> Result<Self, Error> {
        if value.len() > limits.header {
            return Err(Error::Limit { what: "octets of a header", limit: limits.header });
        }
        let mut rest = value.trim();
        let is_tagged = rest.starts_with('<');
        let (mut lists, mut resource, mut items) = (Vec::new(), None, 0);
        let mut listed = true;
        while !rest.is_empty() {
            if let Some(inner) = rest.strip_prefix('(') {
                let (conditions, after) = conditions(inner, &mut items, limits)?;
                lists.push(IfList { resource: resource.clone(), conditions });
                listed = true;
                rest = after.trim_start();
            } else if is_tagged
                && listed
                && let Some(inner) = rest.strip_prefix('<')
            {
                let (tag, after) =
                    inner.split_once('>').ok_or(Error::Syntax("a resource in If is not closed"))?;
                if !is_uri(tag) && !tag.starts_with('/') {
                    return Err(Error::Syntax("a resource in If is a URI or a path"));
                }
                resource = Some(tag.to_owned());
                listed = false;
                rest = after.trim_start();
            } else {
                return Err(Error::Syntax("If is made of lists in parentheses"));
            }
        }
        if lists.is_empty() || !listed {
            return Err(Error::Syntax("If has no list of conditions"));
        }
        Ok(Self { lists })
    }

    /// Every state token that is not negated: those that the client submits (RFC 4918 §10.4.1).
    pub fn state_tokens(&self) -> impl Iterator<Item = &str> {
        let conditions = self.lists.iter().flat_map(|list| &list.conditions);
        conditions.filter_map(|condition| match &condition.state {
            StateOrTag::State(token) if !condition.not => Some(token.as_str()),
            _ => None,
        })
    }

    /// Whether it holds, by what a resource has (RFC 4918 §10.4.3): `has` is asked about the resource of a list.
    pub fn holds(&self, mut has: impl FnMut(Option<&str>, &StateOrTag) -> bool) -> bool {
        self.lists.iter().any(|list| {
            list.conditions
                .iter()
                .all(|condition| has(list.resource.as_deref(), &condition.state) != condition.not)
        })
    }
}

/// Conditions up to the closing parenthesis, and what follows it.
fn conditions<'a>(
    text: &'a str,
    items: &mut usize,
    limits: &Limits,
) -> Result<(Vec<Condition>, &'a str), Error> {
    let mut rest = text.trim_start();
    let mut found = Vec::new();
    loop {
        if let Some(after) = rest.strip_prefix(')') {
            if found.is_empty() {
                return Err(Error::Syntax("a list in If is empty"));
            }
            return Ok((found, after));
        }
        *items += 1;
        if *items > limits.header_items {
            return Err(Error::Limit { what: "conditions in If", limit: limits.header_items });
        }
        let (not, at) = match rest.split_at_checked(3) {
            Some((word, after)) if word.eq_ignore_ascii_case("not") => (true, after.trim_start()),
            _ => (false, rest),
        };
        let bad = Error::Syntax("a condition in If is <state> or [tag]");
        let (state, after) = if let Some(inner) = at.strip_prefix('<') {
            let (token, after) = inner.split_once('>').ok_or(bad.clone())?;
            if !is_uri(token) {
                return Err(bad);
            }
            (StateOrTag::State(token.to_owned()), after)
        } else if let Some(inner) = at.strip_prefix('[') {
            let (tag, after) = ETag::take(inner.trim_start()).ok_or(bad.clone())?;
            let after = after.trim_start().strip_prefix(']').ok_or(bad)?;
            (StateOrTag::Tag(tag), after)
        } else {
            return Err(bad);
        };
        found.push(Condition { not, state });
        rest = after.trim_start();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(value: &str) -> Result<If, Error> {
        If::parse(value, &Limits::default())
    }

    #[test]
    fn lists_without_a_resource() {
        let header = parse("(<urn:uuid:1> [\"A\"])(Not <DAV:no-lock>[W/\"B\"])").unwrap();
        let [first, second] = header.lists.as_slice() else { panic!("two lists") };
        assert_eq!((first.resource.as_ref(), first.conditions.len()), (None, 2));
        assert!(second.conditions[0].not && !second.conditions[1].not);
        assert_eq!(second.conditions[1].state, StateOrTag::Tag(ETag { weak: true, tag: "B".into() }));
        assert_eq!(header.state_tokens().collect::<Vec<_>>(), ["urn:uuid:1"]);
    }

    #[test]
    fn lists_of_resources_as_cadaver_sends_them() {
        let header =
            parse("<http://x/a> (<opaquelocktoken:1>) <http://x/b>(<opaquelocktoken:2>)([\"e\"])").unwrap();
        let resources: Vec<_> = header.lists.iter().map(|list| list.resource.as_deref()).collect();
        assert_eq!(resources, [Some("http://x/a"), Some("http://x/b"), Some("http://x/b")]);
        assert!(parse("</a/b> (<urn:x:1>)").is_ok());
    }

    #[test]
    fn a_header_holds_when_one_list_does() {
        let header = parse("(<urn:uuid:1> [\"A\"]) (Not <urn:uuid:1> [\"B\"])").unwrap();
        let with = |token: &str, etag: &str| {
            header.holds(|_, state| match state {
                StateOrTag::State(own) => own == token,
                StateOrTag::Tag(own) => own.tag == etag,
            })
        };
        assert!(with("urn:uuid:1", "A") && with("urn:uuid:2", "B"));
        assert!(!with("urn:uuid:1", "B") && !with("urn:uuid:2", "A"));
    }

    #[test]
    fn bad_headers_are_refused() {
        for value in [
            "",
            " ",
            "()",
            "(",
            "(<urn:a:1>",
            "(<urn:a:1>))",
            "<http://x/a>",
            "<http://x/a> <http://x/b> (<urn:a:1>)",
            "(<urn:a:1>) <http://x/a> (<urn:a:1>)",
            "<http://x/a> (<urn:a:1>) <http://x/b>",
            "(urn:a:1)",
            "(<a b>)",
            "([\"a\")",
            "([\"a\"",
            "(Not)",
            "(Not Not <urn:a:1>)",
            "<a> (<urn:a:1>)",
            "(<urn:a:1>) x",
        ] {
            assert!(parse(value).is_err(), "{value:?}");
        }
        assert!(parse(&"(<urn:a:1>)".repeat(201)).is_err());
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "(\\(|\\)|<|>|\\[|\\]|Not|urn:a| |\"|W/|\u{e9}|.){0,30}") {
            let _ = parse(&text);
            let _ = super::super::ETagList::parse(&text, &Limits::default());
        }
    }
}
