//! Where does mail for these addresses go?

use std::collections::{HashMap, HashSet};
use std::time::Instant;

use kontor_storage_proto as proto;
use proto::resolution::Status;

use super::{Directory, FRESH};
use crate::address::Address;
use crate::error::{Error, unsigned};

/// What stands behind one address.
#[derive(Clone)]
pub(super) enum Entry {
    Nobody,
    Mailbox {
        mailbox_id: u64,
        tenant_id: u64,
        /// Primary.
        address: String,
        used: u64,
        quota: u64,
        quota_is_final: bool,
        suspended: bool,
        forward_to: Vec<String>,
        forward_only: bool,
    },
    Group {
        tenant_id: u64,
        members: Vec<String>,
        senders: String,
        suspended: bool,
    },
}

#[derive(Clone)]
pub(super) struct Domain {
    pub tenant_id: u64,
    pub alias_of: String,
    pub catch_all: String,
}

/// One question on its way through groups and forwards.
struct Walk<'a> {
    request: &'a proto::ResolveRecipientsRequest,
    /// Whose recipient it is: copies that go outside are sent by this tenant.
    tenant_id: u64,
    targets: Vec<proto::Target>,
    seen: HashSet<String>,
    refusal: Option<(Status, bool)>,
}

impl Directory {
    /// One answer for each address, in order.
    pub async fn resolve(
        &self,
        request: &proto::ResolveRecipientsRequest,
    ) -> Result<Vec<proto::Resolution>, Error> {
        if request.addresses.len() > MOST_ADDRESSES {
            return Err(Error::Invalid(format!("at most {MOST_ADDRESSES} addresses in one question")));
        }
        let parsed: Vec<Option<Address>> = request.addresses.iter().map(|a| Address::parse(a).ok()).collect();
        self.warm(parsed.iter().flatten()).await?;
        let mut answers = Vec::with_capacity(parsed.len());
        for address in &parsed {
            answers.push(match address {
                None => answer(Status::Invalid),
                Some(address) => self.resolve_one(request, address).await?,
            });
        }
        Ok(answers)
    }

    async fn resolve_one(
        &self,
        request: &proto::ResolveRecipientsRequest,
        address: &Address,
    ) -> Result<proto::Resolution, Error> {
        let Some(Domain { tenant_id, .. }) = self.domain(&address.domain).await? else {
            return Ok(answer(Status::External));
        };
        let mut walk = Walk { request, tenant_id, targets: Vec::new(), seen: HashSet::new(), refusal: None };
        let mut round = vec![address.clone()];
        for depth in 0..DEEPEST_GROUP {
            let mut next = Vec::new();
            self.warm(round.iter()).await?;
            for address in round {
                self.step(&mut walk, &address, depth, &mut next).await?;
                if walk.targets.len() + next.len() > MOST_TARGETS {
                    return Err(Error::Limit("a group has too many members".into()));
                }
            }
            round = next;
            if round.is_empty() {
                break;
            }
        }
        // A group goes through to those who can take it; one person who cannot refuses.
        Ok(match walk.refusal {
            Some((status, is_final)) if walk.targets.is_empty() => {
                proto::Resolution { over_quota_is_final: is_final, ..answer(status) }
            }
            _ if walk.targets.is_empty() => answer(Status::NoSuchUser),
            _ => proto::Resolution { targets: walk.targets, ..answer(Status::Local) },
        })
    }

    async fn step(
        &self,
        walk: &mut Walk<'_>,
        address: &Address,
        depth: usize,
        next: &mut Vec<Address>,
    ) -> Result<(), Error> {
        let Some(domain) = self.domain(&address.domain).await? else {
            let external = address.to_string();
            if walk.seen.insert(external.clone()) {
                walk.targets.push(proto::Target {
                    to: Some(proto::target::To::External(external.clone())),
                    tenant_id: walk.tenant_id,
                    address: external,
                    detail: String::new(),
                });
            }
            return Ok(());
        };
        let address =
            if domain.alias_of.is_empty() { address.clone() } else { address.in_domain(&domain.alias_of) };
        let mut detail = String::new();
        let mut entry = self.entry(&address).await?;
        if matches!(entry, Entry::Nobody)
            && let Some((plain, d)) = address.split_detail()
        {
            detail = d;
            entry = self.entry(&plain).await?;
        }
        if matches!(entry, Entry::Nobody)
            && let Ok(catch_all) = Address::parse(&domain.catch_all)
        {
            entry = self.entry(&catch_all).await?;
        }
        match entry {
            Entry::Nobody => refuse(walk, Status::NoSuchUser, false),
            Entry::Mailbox { suspended: true, .. } | Entry::Group { suspended: true, .. } => {
                refuse(walk, Status::Disabled, false);
            }
            Entry::Mailbox {
                mailbox_id,
                tenant_id,
                address,
                used,
                quota,
                quota_is_final,
                forward_to,
                forward_only,
                ..
            } => {
                if !walk.seen.insert(address.clone()) {
                    return Ok(());
                }
                next.extend(forward_to.iter().filter_map(|a| Address::parse(a).ok()));
                if forward_only && !forward_to.is_empty() {
                    return Ok(());
                }
                let full = quota > 0 && used.saturating_add(walk.request.size.max(1)) > quota;
                if full && depth == 0 {
                    refuse(walk, Status::OverQuota, quota_is_final);
                    return Ok(());
                }
                walk.targets.push(proto::Target {
                    to: Some(proto::target::To::MailboxId(mailbox_id)),
                    tenant_id,
                    address,
                    detail,
                });
            }
            Entry::Group { members, senders, tenant_id, .. } => {
                if !walk.seen.insert(address.to_string()) {
                    return Ok(());
                }
                if depth == 0 && !self.may_write(walk.request, &senders, tenant_id, &members).await? {
                    refuse(walk, Status::NotPermitted, false);
                    return Ok(());
                }
                next.extend(members.iter().filter_map(|a| Address::parse(a).ok()));
            }
        }
        Ok(())
    }

    /// Who may write to a group. A sender counts as somebody of the house only when it proved who it is.
    pub(super) async fn may_write(
        &self,
        request: &proto::ResolveRecipientsRequest,
        senders: &str,
        tenant_id: u64,
        members: &[String],
    ) -> Result<bool, Error> {
        if senders == "anyone" {
            return Ok(true);
        }
        let Ok(sender) = Address::parse(&request.sender) else { return Ok(false) };
        if !request.authenticated {
            return Ok(false);
        }
        match self.entry(&sender).await? {
            Entry::Mailbox { tenant_id: theirs, address, .. } if theirs == tenant_id => {
                Ok(senders == "tenant" || members.contains(&address))
            }
            _ => Ok(false),
        }
    }

    pub(super) async fn domain(&self, name: &str) -> Result<Option<Domain>, Error> {
        if let Some((at, domain)) = self.domains.get(name)
            && at.elapsed() < FRESH
        {
            return Ok(domain);
        }
        let client = self.db.get().await?;
        let statement = client
            .prepare_cached("SELECT tenant_id, alias_of, catch_all FROM domain WHERE name = $1")
            .await?;
        let domain = client.query_opt(&statement, &[&name]).await?.map(|row| Domain {
            tenant_id: unsigned(row.get(0)),
            alias_of: row.get(1),
            catch_all: row.get(2),
        });
        self.domains.insert(name.to_string(), (Instant::now(), domain.clone()));
        Ok(domain)
    }

    pub(super) async fn entry(&self, address: &Address) -> Result<Entry, Error> {
        let key = address.to_string();
        if let Some((at, entry)) = self.entries.get(&key)
            && at.elapsed() < FRESH
        {
            return Ok(entry);
        }
        let mut found = self.load(vec![key.clone()]).await?;
        Ok(found.remove(&key).unwrap_or(Entry::Nobody))
    }

    /// Loads what a batch will ask for, in one round trip.
    async fn warm(&self, addresses: impl Iterator<Item = &Address>) -> Result<(), Error> {
        let mut wanted = Vec::new();
        for address in addresses {
            let name = match self.domain(&address.domain).await? {
                None => continue,
                Some(domain) if !domain.alias_of.is_empty() => address.in_domain(&domain.alias_of),
                Some(_) => address.clone(),
            };
            let key = name.to_string();
            if self.entries.get(&key).is_none_or(|(at, _)| at.elapsed() >= FRESH) {
                wanted.push(key);
            }
        }
        if wanted.len() > 1 {
            self.load(wanted).await?;
        }
        Ok(())
    }

    async fn load(&self, wanted: Vec<String>) -> Result<HashMap<String, Entry>, Error> {
        let client = self.db.get().await?;
        let statement = client
            .prepare_cached(
                "SELECT n.address, n.tenant_id, t.suspended, a.mailbox_id, a.address, a.forward_to, a.forward_only,
                        m.used, m.quota, m.quota_is_final, g.members, g.senders
                 FROM address n JOIN tenant t USING (tenant_id)
                 LEFT JOIN account a ON a.account_id = n.account_id
                 LEFT JOIN mailbox m ON m.mailbox_id = a.mailbox_id
                 LEFT JOIN mail_group g ON g.group_id = n.group_id
                 WHERE n.address = ANY ($1)",
            )
            .await?;
        let mut found = HashMap::new();
        for row in client.query(&statement, &[&wanted]).await? {
            let tenant_id = unsigned(row.get(1));
            let suspended = row.get(2);
            let entry = match row.get::<_, Option<i64>>(3) {
                Some(mailbox_id) => Entry::Mailbox {
                    mailbox_id: unsigned(mailbox_id),
                    tenant_id,
                    address: row.get(4),
                    forward_to: row.get(5),
                    forward_only: row.get(6),
                    used: unsigned(row.get::<_, Option<i64>>(7).unwrap_or(0)),
                    quota: unsigned(row.get::<_, Option<i64>>(8).unwrap_or(0)),
                    quota_is_final: row.get::<_, Option<bool>>(9).unwrap_or(false),
                    suspended,
                },
                None => Entry::Group {
                    tenant_id,
                    suspended,
                    members: row.get::<_, Option<Vec<String>>>(10).unwrap_or_default(),
                    senders: row.get::<_, Option<String>>(11).unwrap_or_default(),
                },
            };
            found.insert(row.get::<_, String>(0), entry);
        }
        let now = Instant::now();
        for name in wanted {
            let entry = found.get(&name).cloned().unwrap_or(Entry::Nobody);
            self.entries.insert(name, (now, entry));
        }
        Ok(found)
    }
}

fn refuse(walk: &mut Walk<'_>, status: Status, is_final: bool) {
    walk.refusal.get_or_insert((status, is_final));
}

fn answer(status: Status) -> proto::Resolution {
    proto::Resolution { status: status as i32, ..Default::default() }
}

const MOST_ADDRESSES: usize = 2_000;
const MOST_TARGETS: usize = 20_000;
const DEEPEST_GROUP: usize = 10;
