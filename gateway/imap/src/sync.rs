//! Telling the client what has changed in its mailbox (RFC 9051 §5.2, §7.4.1, §7.5.1; RFC 7162 §3.2.10).
//!
//! The change log is the truth, events only say when to look. EXPUNGE changes message numbers and so
//! is never sent while a command with message numbers runs: what is gone waits in [`Selected::gone`].

use std::time::{Duration, Instant};

use kontor_imap_proto::{Code, Encoder, Status};
use kontor_storage_client::{StoreError, proto};

use crate::{
    flag_names::{self, FlagLists},
    ranges,
    reply::Failure,
    selected::Selected,
    session::{Account, Enabled},
    wire::Wire,
};

/// Whether message numbers may change now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expunges {
    Tell,
    Keep,
}

impl Selected {
    /// Whether there is a reason to read the change log: a hint, or a long time without one.
    pub fn may_have_changed(&mut self, expunges: Expunges) -> bool {
        self.watch.take()
            || self.stale
            || self.synced.elapsed() > WITHOUT_HINT
            || (expunges == Expunges::Tell && !self.gone.is_empty())
    }

    /// Reads the change log and tells what is new.
    pub async fn sync(
        &mut self,
        wire: &mut Wire,
        account: &Account,
        enabled: &Enabled,
        expunges: Expunges,
    ) -> Result<(), Failure> {
        // Before the call: a hint that comes during it is for the next time.
        self.watch.take();
        let answer = account.store.changes(self.mailbox_id, self.folder_id, self.cn).await;
        let changes = match answer {
            Ok(changes) if changes.too_old => self.start_over(account).await?,
            Ok(changes) => changes,
            Err(StoreError::StartOver) => self.start_over(account).await?,
            Err(StoreError::NotFound(_)) => return Err(Failure::Bye("The selected mailbox is gone")),
            Err(error) => return Err(error.into()),
        };
        if changes.uid_validity != self.uid_validity {
            return Err(Failure::Bye("The selected mailbox was made anew"));
        }
        self.synced = Instant::now();
        self.stale = false;
        self.apply(&mut wire.encoder(), enabled, changes, expunges);
        Ok(())
    }

    /// What the change log would have said if it still went back far enough.
    async fn start_over(&self, account: &Account) -> Result<proto::ChangesResponse, Failure> {
        let now = account.store.skeleton(self.mailbox_id, self.folder_id, 2 | 4).await?;
        let gone = ranges::without(&kontor_imap_proto::join(self.map.uids()), now.uids.iter().copied());
        Ok(proto::ChangesResponse {
            highest_cn: now.highest_cn,
            uid_validity: now.uid_validity,
            uid_next: now.uid_next,
            total: now.total,
            too_old: false,
            uids: now.uids,
            flags: now.flags,
            modseqs: now.modseqs,
            gone: ranges::flat(&gone),
            keywords: now.keywords,
            first_new_uid: 0,
        })
    }

    /// Tells changes, without I/O.
    pub fn apply(
        &mut self,
        encoder: &mut Encoder<'_>,
        enabled: &Enabled,
        changes: proto::ChangesResponse,
        expunges: Expunges,
    ) {
        let mut gone: Vec<u32> = ranges::paired(&changes.gone)
            .into_iter()
            .flat_map(|(first, last)| self.map.uids_between(first, last))
            .collect();
        gone.append(&mut self.gone);
        gone.sort_unstable();
        gone.dedup();
        if expunges == Expunges::Keep {
            self.gone = gone;
        } else if !gone.is_empty() {
            self.saved.retain(|uid| gone.binary_search(uid).is_err());
            let numbers = self.map.remove(&gone);
            if enabled.qresync {
                encoder.vanished(false, &kontor_imap_proto::join(gone));
            } else {
                for (already, number) in (0_u32..).zip(numbers) {
                    encoder.expunge(number - already);
                }
            }
        }
        if changes.keywords.len() > self.keywords.len() {
            self.keywords = changes.keywords;
            tell_flags(encoder, &self.keywords, self.read_only);
        }
        let known = self.map.last_uid();
        for &uid in changes.uids.iter().filter(|&&uid| uid > known) {
            self.map.push(uid);
        }
        if self.map.last_uid() > known {
            encoder.exists(self.map.len());
            if !enabled.rev2 {
                encoder.recent(0);
            }
        }
        let mut lists = FlagLists::new(&self.keywords);
        for ((&uid, &flags), &mod_seq) in changes.uids.iter().zip(&changes.flags).zip(&changes.modseqs) {
            if uid > known
                || mod_seq <= self.cn
                || self.knows(uid, mod_seq)
                || self.gone.binary_search(&uid).is_ok()
            {
                continue;
            }
            let Some(number) = self.map.number_of(uid) else { continue };
            let mut fetch = encoder.fetch(number);
            fetch.uid(uid).rendered_flags(lists.get(flags));
            if enabled.condstore {
                fetch.mod_seq(mod_seq);
            }
        }
        self.cn = self.cn.max(changes.highest_cn);
        self.own = Vec::new();
    }
}

/// FLAGS and PERMANENTFLAGS.
pub(crate) fn tell_flags(encoder: &mut Encoder<'_>, keywords: &[String], read_only: bool) {
    let flags = flag_names::all(keywords);
    encoder.flags(&flags);
    let code = if read_only { Code::PermanentFlags(&[], false) } else { Code::PermanentFlags(&flags, true) };
    encoder.untagged(
        Status::Ok,
        Some(code),
        if read_only { "No permanent flags" } else { "Flags that last" },
    );
}

const WITHOUT_HINT: Duration = Duration::from_secs(30);
