//! `Prefer` (RFC 7240, RFC 8144).

/// The preferences of a client that have a meaning here; others are passed over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Prefer {
    /// `return`
    pub returns: Option<Return>,
    /// `depth-noroot` (RFC 8144 §4): leave out the resource of the request.
    pub depth_noroot: bool,
}

/// How much of an answer is wanted (RFC 7240 §4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Return {
    /// As little as possible (RFC 8144 §2).
    Minimal,
    /// The resource as it is afterwards (RFC 8144 §3).
    Representation,
}

impl Prefer {
    /// Reads the value; it cannot fail. The first of a preference counts.
    pub fn parse(value: &str) -> Self {
        let mut prefer = Self::default();
        let mut seen = false;
        // A quoted value with a comma in it is of a preference that has no meaning here.
        for preference in value.split(',').take(MOST) {
            let preference = preference.split(';').next().unwrap_or_default();
            let (name, value) = preference.split_once('=').unwrap_or((preference, ""));
            let value = value.trim().trim_matches('"');
            if name.trim().eq_ignore_ascii_case("depth-noroot") {
                prefer.depth_noroot = true;
            } else if name.trim().eq_ignore_ascii_case("return") && !seen {
                seen = true;
                prefer.returns = match value.to_ascii_lowercase().as_str() {
                    "minimal" => Some(Return::Minimal),
                    "representation" => Some(Return::Representation),
                    _ => None,
                };
            } else if name.trim().eq_ignore_ascii_case("return-minimal") && !seen {
                // Of the draft; older clients of Apple send it.
                seen = true;
                prefer.returns = Some(Return::Minimal);
            }
        }
        prefer
    }

    /// Whether as little as possible is wanted.
    pub fn is_minimal(self) -> bool {
        self.returns == Some(Return::Minimal)
    }

    /// The value of `Preference-Applied`, where anything was.
    pub const fn applied(self) -> Option<&'static str> {
        match (self.returns, self.depth_noroot) {
            (Some(Return::Minimal), true) => Some("return=minimal, depth-noroot"),
            (Some(Return::Minimal), false) => Some("return=minimal"),
            (Some(Return::Representation), true) => Some("return=representation, depth-noroot"),
            (Some(Return::Representation), false) => Some("return=representation"),
            (None, true) => Some("depth-noroot"),
            (None, false) => None,
        }
    }
}

const MOST: usize = 50;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn preferences_are_found_among_others() {
        let prefer = Prefer::parse("wait=10, Return=\"minimal\"; x=y, depth-noroot, return=representation");
        assert_eq!(prefer, Prefer { returns: Some(Return::Minimal), depth_noroot: true });
        assert_eq!(prefer.applied(), Some("return=minimal, depth-noroot"));
        assert_eq!(Prefer::parse("return=representation").returns, Some(Return::Representation));
        assert!(Prefer::parse("return-minimal").is_minimal());
        assert_eq!(Prefer::parse("return=all, =,;"), Prefer::default());
        assert_eq!(Prefer::default().applied(), None);
    }
}
