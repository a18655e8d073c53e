//! The picture of a contact (MS-OXOCNTC 2.2.1.8).

use crate::message::{Attachment, Content, Message};
use crate::property::tags;
use crate::vcard::{Media, Property, VCard, Version};

pub(super) fn read(card: &VCard) -> Option<Attachment> {
    let media = card.first("PHOTO")?.media()?;
    let mut attachment = Attachment {
        content: Content::Bytes(media.bytes),
        file_name: Some(NAME.to_owned()),
        mime_type: (!media.media_type.is_empty()).then_some(media.media_type),
        inline: true,
        ..Attachment::default()
    };
    attachment.properties.set(tags::ATTACHMENT_CONTACT_PHOTO, true);
    Some(attachment)
}

/// The picture of an item.
fn of(message: &Message) -> Option<(&Attachment, &[u8])> {
    message.attachments.iter().find_map(|attachment| match &attachment.content {
        Content::Bytes(bytes) if attachment.properties.boolean(tags::ATTACHMENT_CONTACT_PHOTO) => {
            Some((attachment, bytes.as_slice()))
        }
        _ => None,
    })
}

pub(super) fn line(message: &Message, version: Version) -> Option<Property> {
    let mut property = Property::raw("PHOTO", "");
    put(message, &mut property, version).then_some(property)
}

fn put(message: &Message, property: &mut Property, version: Version) -> bool {
    let Some((attachment, bytes)) = of(message) else { return false };
    let media_type = attachment.mime_type.clone().unwrap_or_else(|| "image/jpeg".to_owned());
    Media { media_type, bytes: bytes.to_vec() }.put(property, version);
    true
}

/// Changes the picture where it is another one now; whether it is.
pub(super) fn merge(card: &mut VCard, before: &Message, now: &Message) -> bool {
    let bytes = |message| of(message).map(|(_, bytes)| bytes);
    if bytes(before) == bytes(now) {
        return false;
    }
    let version = card.version;
    if bytes(now).is_none() {
        let first = card.properties.iter().position(|property| property.is("PHOTO"));
        if let Some(first) = first {
            card.properties.remove(first);
        }
        return true;
    }
    match card.properties.iter_mut().find(|property| property.is("PHOTO")) {
        Some(property) => {
            put(now, property, version);
        }
        None => card.properties.extend(line(now, version)),
    }
    true
}

const NAME: &str = "ContactPicture.jpg";
