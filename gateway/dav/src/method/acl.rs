//! ACL (RFC 3744 §8.1): the entries of a collection, all of them anew.
//!
//! What the owner may do, and what those may who act for the owner in all calendars, is protected. The rights of the
//! store only grant. An entry that says what it has said stays as it is, with rights that no privilege says.

use std::collections::BTreeMap;

use http::StatusCode;
use kontor_dav_proto::request::{Ace, AcePrincipal, Acl};
use kontor_dav_proto::response::ErrorBody;
use kontor_dav_proto::{DAV, Precondition, Reference};
use kontor_storage_client::StoreError;
use kontor_storage_client::proto::{Permission, Rights, SetPermissionsRequest};

use crate::answer::{Answer, Failure, status};
use crate::call::Call;
use crate::derived::Source;
use crate::home::Collection;
use crate::place::Place;
use crate::privilege::{Privilege, granted};

pub(crate) async fn acl(call: &Call<'_>, place: &Place) -> Result<Answer, Failure> {
    let Place::Collection(tree, address, slug) = place else {
        return Err(Failure::forbidden("permissions are those of calendars and address books"));
    };
    let collection = call.collection(*tree, address, slug).await?;
    let asked = Acl::parse(&call.body, call.limits)?;
    require_owner(&collection)?;
    collection.unlocked(call)?;
    // Everybody: what is not granted to them is taken from them, where they had it unasked too.
    let mut wanted = BTreeMap::from([("default".to_owned(), 0)]);
    for ace in &asked.aces {
        let rights = rights(ace)?;
        if let Some(principal) = principal(call, &collection, ace)? {
            *wanted.entry(principal).or_insert(0) |= rights;
        }
    }
    let (mailbox_id, folder_id) = (collection.mailbox_id, collection.folder.folder_id);
    let now = call.session.list_permissions(mailbox_id, folder_id).await?;
    for Permission { principal, rights } in now {
        if let Some(wanted) = wanted.get_mut(&principal)
            && granted(*wanted) == granted(rights)
        {
            *wanted = rights;
        }
    }
    let permissions =
        wanted.into_iter().map(|(principal, rights)| Permission { principal, rights }).collect();
    let request = SetPermissionsRequest { mailbox_id, folder_id, permissions, replace: true };
    match call.session.set_permissions(request).await {
        Err(StoreError::Invalid(_)) => Err(Failure::precondition(RECOGNIZED, "there is nobody of this name")),
        Err(StoreError::Limit(_)) => {
            Err(Failure::precondition(Precondition::LimitedNumberOfAces, "these are too many entries"))
        }
        set => {
            set?;
            Ok(status(StatusCode::OK))
        }
    }
}

/// Passes for who may say who may do what (RFC 3744 §7.1.1).
pub(super) fn require_owner(collection: &Collection) -> Result<(), Failure> {
    if collection.may(Rights::Owner) && matches!(collection.source, Source::Folder) {
        return Ok(());
    }
    let href = collection.place().href();
    let error = ErrorBody::need_privileges([(href.as_str(), Privilege::WriteAcl.name())]);
    Err(Failure::Condition(StatusCode::FORBIDDEN, error))
}

/// The rights that an entry grants.
fn rights(ace: &Ace) -> Result<u32, Failure> {
    let refused = |precondition, what| Err(Failure::precondition(precondition, what));
    if ace.protected {
        return refused(Precondition::NoProtectedAceConflict, "protected entries cannot be set");
    }
    if ace.inherited.is_some() {
        return refused(Precondition::NoInheritedAceConflict, "inherited entries cannot be set");
    }
    if ace.invert {
        return refused(Precondition::NoInvert, "an entry says who, not who not");
    }
    if !ace.grant {
        return refused(Precondition::GrantOnly, "what is not granted is denied");
    }
    let mut all = 0;
    for name in &ace.privileges {
        let Some(privilege) = Privilege::named(name) else {
            return refused(Precondition::NotSupportedPrivilege, "there is no such privilege here");
        };
        let Some(rights) = privilege.rights() else {
            return refused(Precondition::NoAbstract, "this privilege is a part of others");
        };
        all |= rights;
    }
    Ok(all)
}

/// Whom an entry names, as the store does; `None` for the owner, who may do everything as it is.
fn principal(call: &Call<'_>, collection: &Collection, ace: &Ace) -> Result<Option<String>, Failure> {
    match &ace.principal {
        AcePrincipal::Authenticated => Ok(Some("default".to_owned())),
        AcePrincipal::Property(name) if name.is(DAV, "owner") => Ok(None),
        AcePrincipal::Href(href) => {
            let place = Reference::parse(href, call.limits).ok().and_then(|found| Place::of(&found.href));
            match place {
                Some(Place::Principal(address)) if address.eq_ignore_ascii_case(&collection.owner) => {
                    Ok(None)
                }
                Some(Place::Principal(address)) if address.contains('@') => Ok(Some(address.to_lowercase())),
                Some(Place::Proxy(..)) => {
                    let what = "who acts for somebody is said by the members of this group";
                    Err(Failure::precondition(Precondition::AllowedPrincipal, what))
                }
                _ => Err(Failure::precondition(RECOGNIZED, "this is nobody here")),
            }
        }
        AcePrincipal::All
        | AcePrincipal::Unauthenticated
        | AcePrincipal::This
        | AcePrincipal::Property(_) => {
            let what = "permissions are for people, groups, and everybody who has signed in";
            Err(Failure::precondition(Precondition::AllowedPrincipal, what))
        }
    }
}

const RECOGNIZED: Precondition = Precondition::RecognizedPrincipal;
