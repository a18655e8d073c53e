//! What the directory's answer means to the client at RCPT.

use kontor_smtp_proto::{Reply, ReversePath};
use kontor_storage_client::StoreError;
use kontor_storage_client::proto::{Resolution, Target, resolution::Status, target::To};

use crate::server::Mode;

/// Where copies for a recipient go, or why it is refused. `tenant` is that of the submitter.
pub(crate) fn judge(
    address: &str,
    resolution: Resolution,
    mode: Mode,
    tenant: Option<u64>,
) -> Result<Vec<Target>, Reply> {
    match resolution.status() {
        Status::Local if !resolution.targets.is_empty() => {
            // A forward to the outside is sent in the name of the tenant that forwards.
            let house =
                resolution.targets.iter().map(|target| target.tenant_id).find(|&id| id != 0).or(tenant);
            let mut targets = resolution.targets;
            for target in targets.iter_mut().filter(|target| target.tenant_id == 0) {
                target.tenant_id = house.unwrap_or(0);
            }
            Ok(targets)
        }
        Status::Local => Err(Reply::new(550, (5, 1, 1), format!("<{address}>: nobody gets this mail"))),
        Status::External => match (mode, tenant) {
            (Mode::Submission, Some(tenant_id)) => Ok(vec![external(address, tenant_id)]),
            _ => Err(Reply::new(554, (5, 7, 1), format!("<{address}>: relay access denied"))),
        },
        Status::NoSuchUser => Err(Reply::new(550, (5, 1, 1), format!("<{address}>: no such user here"))),
        Status::OverQuota => Err(over_quota(address, resolution.over_quota_is_final)),
        Status::Disabled => Err(Reply::new(550, (5, 2, 1), format!("<{address}>: mailbox is disabled"))),
        Status::NotPermitted => {
            Err(Reply::new(550, (5, 7, 2), format!("<{address}>: you may not write to this group")))
        }
        Status::Invalid => Err(Reply::new(553, (5, 1, 3), format!("<{address}>: not an address"))),
        Status::Unspecified => Err(Reply::new(451, (4, 3, 0), "Try again later")),
    }
}

/// A copy for outside.
pub(crate) fn external(address: &str, tenant_id: u64) -> Target {
    Target {
        to: Some(To::External(address.into())),
        tenant_id,
        address: address.into(),
        detail: String::new(),
    }
}

pub(crate) fn over_quota(address: &str, is_final: bool) -> Reply {
    if is_final {
        Reply::new(552, (5, 2, 2), format!("<{address}>: mailbox is full"))
    } else {
        Reply::new(452, (4, 2, 2), format!("<{address}>: mailbox is full, try again later"))
    }
}

/// A store call failed: what the client may do about it.
pub(crate) fn store_failed(error: &StoreError) -> Reply {
    match error {
        StoreError::OverQuota => Reply::new(452, (4, 2, 2), "Mailbox is full, try again later"),
        StoreError::TooLarge(_) => Reply::new(552, (5, 3, 4), "Message is too large"),
        StoreError::Unavailable(_) => {
            tracing::warn!(%error, "the store did not answer");
            Reply::new(451, (4, 3, 0), "Mail system is not available, try again later")
        }
        _ => {
            tracing::error!(%error, "the store refused a call");
            Reply::new(451, (4, 3, 0), "Internal error, try again later")
        }
    }
}

/// The sender as the store wants it: empty for `<>`.
pub(crate) fn sender(path: &ReversePath) -> String {
    path.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(status: Status, mode: Mode, tenant: Option<u64>, is_final: bool) -> u16 {
        let targets = vec![external("x@y", 1)];
        let resolution = Resolution { status: status.into(), targets, over_quota_is_final: is_final };
        judge("a@b", resolution, mode, tenant).map_or_else(|reply| reply.code, |_| 250)
    }

    #[test]
    fn each_answer_has_its_code() {
        assert_eq!(code(Status::Local, Mode::Mx, None, false), 250);
        assert_eq!(code(Status::NoSuchUser, Mode::Lmtp, None, false), 550);
        assert_eq!(code(Status::OverQuota, Mode::Mx, None, false), 452);
        assert_eq!(code(Status::OverQuota, Mode::Mx, None, true), 552);
        assert_eq!(code(Status::Unspecified, Mode::Mx, None, false), 451);
        assert_eq!(judge("a@b", Resolution::default(), Mode::Mx, None).unwrap_err().code, 451);
    }

    #[test]
    fn a_forward_belongs_to_the_tenant_that_forwards() {
        let mailbox = Target { to: Some(To::MailboxId(4)), tenant_id: 3, ..Target::default() };
        let targets = vec![external("x@y", 0), mailbox];
        let resolution = Resolution { status: Status::Local.into(), targets, over_quota_is_final: false };
        let targets = judge("a@b", resolution, Mode::Mx, None).unwrap();
        assert_eq!(targets.iter().map(|target| target.tenant_id).collect::<Vec<_>>(), [3, 3]);
    }

    #[test]
    fn only_those_who_logged_in_reach_the_outside() {
        assert_eq!(code(Status::External, Mode::Mx, None, false), 554);
        assert_eq!(code(Status::External, Mode::Lmtp, None, false), 554);
        assert_eq!(code(Status::External, Mode::Submission, None, false), 554);
        assert_eq!(code(Status::External, Mode::Submission, Some(7), false), 250);
    }
}
