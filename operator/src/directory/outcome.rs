//! What the store's answer means for a person. Pure.

use super::admin::Trouble;
use super::declared::resource_of;
use crate::conditions::{Finding, Holds};
use kontor_crds::conditions::{reasons, types};
use kontor_storage_client::proto::{ApplyResult, apply_result::Outcome};

/// The findings about `Accepted` and `Provisioned`; `realm` is the UID of the installation.
pub fn findings(outcome: &Result<ApplyResult, Trouble>, realm: &str) -> Vec<Finding> {
    let result = match outcome {
        Ok(result) => result,
        Err(Trouble::Unavailable(why)) => {
            return vec![
                accepted(),
                Finding::no(
                    types::PROVISIONED,
                    reasons::BACKEND_UNAVAILABLE,
                    format!("the storage nodes do not answer, and are asked again: {why}"),
                ),
            ];
        }
        Err(Trouble::Refused(why)) => {
            return vec![
                accepted(),
                Finding::no(
                    types::PROVISIONED,
                    reasons::BACKEND_REFUSED,
                    format!("the storage nodes refuse it: {why}"),
                ),
            ];
        }
    };
    let (reason, message) = match result.outcome() {
        Outcome::Created | Outcome::Updated | Outcome::Unchanged | Outcome::Deleted => {
            return vec![accepted(), Finding::yes(types::PROVISIONED, reasons::AS_DECLARED, "")];
        }
        Outcome::Denied if !result.holder.is_empty() && !result.holder.starts_with(realm) => (
            reasons::NOT_OWNED,
            format!(
                "{} of another or a former installation declared it; to take it over as it is, annotate this \
                 resource with kontor.dev/adopt: \"true\"",
                resource_of(&result.holder).unwrap_or_else(|| "something".to_owned())
            ),
        ),
        Outcome::Conflict | Outcome::Denied => match (resource_of(&result.holder), result.outcome()) {
            (Some(holder), Outcome::Conflict) => {
                (reasons::ADDRESS_CONFLICT, format!("{}: {holder} declares it", result.message))
            }
            (Some(holder), _) => {
                (reasons::ADDRESS_CONFLICT, format!("{holder} declares the same; change one of the two"))
            }
            (None, Outcome::Conflict) => (
                reasons::ADDRESS_CONFLICT,
                format!("{}, which no resource declares; see `kontor mailbox list`", result.message),
            ),
            (None, _) if result.holder.is_empty() => (
                reasons::NOT_OWNED,
                "the directory has it already and no resource declares it; to take it over as it is, annotate this \
                 resource with kontor.dev/adopt: \"true\""
                    .to_owned(),
            ),
            (None, _) => (reasons::NOT_OWNED, result.message.clone()),
        },
        Outcome::Limit => (
            reasons::LIMIT_EXCEEDED,
            format!("{}; raise the limits of the Tenant or delete something", result.message),
        ),
        Outcome::Invalid => (reasons::INVALID_SPEC, result.message.clone()),
        Outcome::NotFound | Outcome::Failed | Outcome::Unspecified => {
            return vec![
                accepted(),
                Finding::no(types::PROVISIONED, reasons::BACKEND_REFUSED, result.message.clone()),
            ];
        }
    };
    vec![Finding::no(types::ACCEPTED, reason, message), not_accepted()]
}

/// It makes sense.
pub fn accepted() -> Finding {
    Finding::yes(types::ACCEPTED, reasons::AS_DECLARED, "")
}

/// Nothing was done, for `Accepted` says why.
pub fn not_accepted() -> Finding {
    Finding::no(types::PROVISIONED, reasons::NOT_ACCEPTED, "")
}

/// The findings with `Ready` in front, which is the first of those in `parts` that is not True.
pub fn with_ready(findings: Vec<Finding>) -> Vec<Finding> {
    let parts = [types::ACCEPTED, types::PROVISIONED, types::CREDENTIALS_READY, types::MEMBERS_RESOLVED];
    let bad = parts
        .iter()
        .filter_map(|part| findings.iter().find(|f| f.type_ == *part))
        .find(|finding| finding.holds != Holds::True);
    let ready = match bad {
        Some(bad) => Finding { type_: types::READY, ..bad.clone() },
        None => Finding::yes(types::READY, reasons::AS_DECLARED, ""),
    };
    std::iter::once(ready).chain(findings).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(outcome: Outcome, holder: &str, message: &str) -> Finding {
        let result = ApplyResult {
            outcome: outcome.into(),
            holder: holder.into(),
            message: message.into(),
            ..Default::default()
        };
        with_ready(findings(&Ok(result), "u")).remove(0)
    }

    #[test]
    fn ready_says_what_to_do() {
        let conflict =
            of(Outcome::Conflict, "u/acme/Mailbox/anna/1", "the address a@b.c belongs to somebody else");
        assert_eq!(conflict.reason, reasons::ADDRESS_CONFLICT);
        assert!(conflict.message.contains("Mailbox acme/anna"), "{}", conflict.message);
        let same = of(Outcome::Denied, "u/acme/Mailbox/anna/1", "");
        assert_eq!(same.reason, reasons::ADDRESS_CONFLICT);
        assert!(same.message.contains("Mailbox acme/anna"), "{}", same.message);
        let former = of(Outcome::Denied, "v/acme/Mailbox/anna/1", "");
        assert_eq!(former.reason, reasons::NOT_OWNED);
        assert!(former.message.contains("kontor.dev/adopt"), "{}", former.message);
        let free = of(Outcome::Denied, "", "");
        assert_eq!(free.reason, reasons::NOT_OWNED);
        assert!(free.message.contains("kontor.dev/adopt"), "{}", free.message);
        assert_eq!(of(Outcome::Limit, "", "full").reason, reasons::LIMIT_EXCEEDED);
        assert_eq!(of(Outcome::Created, "", "").holds, Holds::True);
        let away = with_ready(findings(&Err(Trouble::Unavailable("x".into())), "u"));
        assert_eq!((away[0].reason, away[1].holds), (reasons::BACKEND_UNAVAILABLE, Holds::True));
    }
}
