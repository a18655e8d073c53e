//! Who stands behind the addresses in a meeting (RFC 6638 §2.4.1).

use std::collections::HashSet;

use kontor_storage_proto as proto;
use proto::calendar_user::Status;

use super::Directory;
use super::resolve::Entry;
use crate::address::Address;
use crate::error::Error;
use crate::token::Principal;

impl Directory {
    /// One answer for each address, in order.
    pub async fn calendar_users(
        &self,
        who: &Principal,
        request: &proto::CalendarUsersRequest,
    ) -> Result<proto::CalendarUsersResponse, Error> {
        if request.addresses.len() > MOST_ADDRESSES {
            return Err(Error::Invalid(format!("at most {MOST_ADDRESSES} addresses in one question")));
        }
        let mut users = Vec::with_capacity(request.addresses.len());
        for address in &request.addresses {
            users.push(match Address::parse(address) {
                Ok(address) => self.calendar_user(who, &address).await?,
                Err(_) => status(Status::Unknown),
            });
        }
        Ok(proto::CalendarUsersResponse { users })
    }

    async fn calendar_user(&self, who: &Principal, address: &Address) -> Result<proto::CalendarUser, Error> {
        let Some((name, entry)) = self.find(address).await? else {
            return Ok(proto::CalendarUser { address: address.to_string(), ..status(Status::External) });
        };
        match entry {
            Entry::Nobody => Ok(status(Status::Unknown)),
            Entry::Mailbox { mailbox_id, tenant_id, address, .. } if tenant_id == who.tenant_id => {
                let Some(owner) = self.owner(mailbox_id).await? else { return Ok(status(Status::Unknown)) };
                Ok(proto::CalendarUser {
                    address,
                    display_name: owner.display_name,
                    kind: owner.kind,
                    addresses: owner.addresses,
                    ..status(Status::Local)
                })
            }
            Entry::Mailbox { address, .. } => Ok(proto::CalendarUser { address, ..status(Status::Local) }),
            Entry::Group { tenant_id, members, senders, .. } => {
                let caller = self.owner(who.mailbox_id).await?.map(|owner| owner.address).unwrap_or_default();
                let asked = proto::ResolveRecipientsRequest {
                    sender: caller,
                    authenticated: true,
                    ..Default::default()
                };
                if !self.may_write(&asked, &senders, tenant_id, &members).await? {
                    return Ok(status(Status::NotPermitted));
                }
                // Who is in it is for those to see who are in its tenant.
                let members =
                    if tenant_id == who.tenant_id { self.members(&name, members).await? } else { Vec::new() };
                let kind = "group".to_owned();
                Ok(proto::CalendarUser { address: name.to_string(), kind, members, ..status(Status::Local) })
            }
        }
    }

    /// What an address names here, under its own name; `None` for one of another house.
    async fn find(&self, address: &Address) -> Result<Option<(Address, Entry)>, Error> {
        let Some(domain) = self.domain(&address.domain).await? else { return Ok(None) };
        let name =
            if domain.alias_of.is_empty() { address.clone() } else { address.in_domain(&domain.alias_of) };
        let mut entry = self.entry(&name).await?;
        if matches!(entry, Entry::Nobody)
            && let Some((plain, _)) = name.split_detail()
        {
            entry = self.entry(&plain).await?;
        }
        Ok(Some((name, entry)))
    }

    /// Everybody in a group, once; groups in it are opened.
    async fn members(&self, group: &Address, members: Vec<String>) -> Result<Vec<String>, Error> {
        let mut seen = HashSet::from([group.to_string()]);
        let mut out = Vec::new();
        let mut round = members;
        for _ in 0..DEEPEST_GROUP {
            let mut next = Vec::new();
            for member in round {
                let Ok(address) = Address::parse(&member) else { continue };
                let (name, entry) = match self.find(&address).await? {
                    Some((name, entry)) => (name.to_string(), entry),
                    None => (address.to_string(), Entry::Nobody),
                };
                if !seen.insert(name.clone()) {
                    continue;
                }
                match entry {
                    Entry::Group { members, .. } => next.extend(members),
                    Entry::Mailbox { address, .. } => out.push(address),
                    Entry::Nobody => out.push(name),
                }
                if out.len() > MOST_MEMBERS {
                    return Err(Error::Limit("a group has too many members".into()));
                }
            }
            round = next;
            if round.is_empty() {
                break;
            }
        }
        Ok(out)
    }
}

fn status(status: Status) -> proto::CalendarUser {
    proto::CalendarUser { status: status as i32, ..Default::default() }
}

const MOST_ADDRESSES: usize = 2_000;
const MOST_MEMBERS: usize = 1_000;
const DEEPEST_GROUP: usize = 10;
