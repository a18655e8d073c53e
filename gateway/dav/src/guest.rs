//! Collections of others in one's own home: what is shared with a guest is there under a name that stays the same, and
//! looks as the guest likes.

use std::sync::Arc;

use kontor_dav_proto::Name;
use kontor_storage_client::proto::SharedFolder;

use crate::derived::Source;
use crate::home::{Collection, Holds, slug_of};
use crate::kept::Kept;
use crate::privilege::{READ, READ_WRITE};
use crate::subscription::Subscription;

/// What makes a collection a guest's view of one.
#[derive(Clone, Debug)]
pub(crate) struct Guest {
    /// Properties that the guest has set, their name for it among them.
    pub kept: Kept,
    /// What it is called at its owner.
    pub owner_slug: String,
}

/// What is shared, as it is in the home of `home`; `None` for a folder that is no collection.
pub(crate) fn guest(home: &str, shared: SharedFolder) -> Option<Collection> {
    let SharedFolder { mailbox_id, tenant_id, address, display_name, folder, properties } = shared;
    let mut folder = folder?;
    let holds = Holds::of_class(&folder.container_class)?;
    let own = Kept::read(&properties);
    let mut kept = Kept::read(&folder.properties);
    own.elements().for_each(|element| kept.set(element.clone()));
    kept.remove(&Name::dav("displayname"));
    if Subscription::of(&kept).is_some() {
        folder.rights &= !(READ_WRITE & !READ);
    }
    Some(Collection {
        slug: format!("{SHARED}{mailbox_id}-{}", folder.folder_id),
        guest: Some(Guest { kept: own, owner_slug: slug_of(&folder) }),
        kept,
        holds,
        home: home.to_owned(),
        owner_name: if display_name.is_empty() { address.clone() } else { display_name },
        owner: address,
        mailbox_id,
        tenant_id,
        quota: None,
        source: Source::Folder,
        locks: Arc::default(),
        availability: Arc::default(),
        folder,
    })
}

/// The mailbox and the folder that the name of a shared collection says.
pub(crate) fn shared_in(slug: &str) -> Option<(u64, u64)> {
    let (mailbox, folder) = slug.strip_prefix(SHARED)?.split_once('-')?;
    let number =
        |text: &str| text.parse::<u64>().ok().filter(|number| *number != 0 && number.to_string() == text);
    Some((number(mailbox)?, number(folder)?))
}

const SHARED: &str = "shared-";

#[cfg(test)]
mod tests {
    use kontor_dav_proto::Element;
    use kontor_storage_client::proto::Folder;

    use super::*;

    fn shared(properties: &[u8]) -> SharedFolder {
        let mut kept = Kept::default();
        kept.set(Element::new(Name::caldav("calendar-description")).with_text("of the owner"));
        SharedFolder {
            mailbox_id: 7,
            address: "ann@x".to_owned(),
            display_name: "Ann".to_owned(),
            properties: properties.to_vec().into(),
            folder: Some(Folder {
                folder_id: 12,
                name: "Work".to_owned(),
                slug: "work".to_owned(),
                container_class: "IPF.Appointment".to_owned(),
                properties: kept.write().into(),
                ..Folder::default()
            }),
            ..SharedFolder::default()
        }
    }

    #[test]
    fn a_guest_has_a_view_of_their_own() {
        let plain = guest("ben@x", shared(b"")).unwrap();
        assert_eq!(plain.place().href(), "/dav/calendars/ben@x/shared-7-12/");
        assert_eq!(plain.display_name(), "Work (Ann)");
        assert_eq!(shared_in(&plain.slug), Some((7, 12)));
        let mut own = Kept::default();
        own.set(Element::new(Name::dav("displayname")).with_text("Hers"));
        own.set(Element::new(Name::caldav("calendar-description")).with_text("mine"));
        let changed = guest("ben@x", shared(&own.write())).unwrap();
        assert_eq!(changed.display_name(), "Hers");
        assert_eq!(changed.kept.get(&Name::caldav("calendar-description")).unwrap().text(), "mine");
        assert!(changed.kept.get(&Name::dav("displayname")).is_none());
    }

    #[test]
    fn names_of_others_are_not_taken_for_shared() {
        for slug in [
            "work",
            "shared-",
            "shared-1",
            "shared-1-",
            "shared-01-2",
            "shared-1-2-3",
            "shared-0-1",
            "shared-a-b",
        ] {
            assert_eq!(shared_in(slug), None, "{slug}");
        }
    }
}
