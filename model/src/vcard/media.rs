//! Bytes inside a card: `ENCODING=b` (RFC 2426 §3.1.4) and `data:` (RFC 2397, RFC 6350 §6.2.4).

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::{Property, Version};

/// Bytes and what they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Media {
    /// The media type in lower case, e.g. `image/jpeg`; empty where the card does not say.
    pub media_type: String,
    /// The bytes.
    pub bytes: Vec<u8>,
}

impl Media {
    pub(super) fn of(property: &Property) -> Option<Self> {
        if let Some((media_type, data)) = data_uri(&property.value) {
            return Some(Self { media_type, bytes: decode(data)? });
        }
        let encoded = property.parameter("ENCODING").any(|e| e.eq_ignore_ascii_case("b"));
        if !encoded {
            return None;
        }
        let media_type = property.types().find_map(|kind| type_named(kind, property)).unwrap_or_default();
        Some(Self { media_type, bytes: decode(&property.value)? })
    }

    /// Writes the bytes into a property in the form of a version; its other parameters stay.
    pub fn put(&self, property: &mut Property, version: Version) {
        for kind in property.types().map(str::to_owned).collect::<Vec<_>>() {
            if type_named(&kind, property).is_some() {
                property.remove_value("TYPE", &kind);
            }
        }
        for name in ["ENCODING", "VALUE", "MEDIATYPE"] {
            property.remove(name);
        }
        let data = ENGINE.encode(&self.bytes);
        match version {
            Version::V3 => {
                property.set("ENCODING", "b");
                if !self.media_type.is_empty() {
                    property.add("TYPE", &self.type_name());
                }
                property.value = data;
            }
            Version::V4 => {
                property.value = format!("data:{};base64,{data}", self.media_type);
            }
        }
    }

    /// How 3.0 calls the type: `JPEG`, or the media type itself where there is no shorter word.
    fn type_name(&self) -> String {
        let known = TYPES.iter().find(|(_, media_type)| *media_type == self.media_type);
        match (known, self.media_type.split_once('/')) {
            (Some((name, _)), _) => (*name).to_owned(),
            (None, Some(("image", name)))
                if !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric()) =>
            {
                name.to_ascii_uppercase()
            }
            _ => self.media_type.clone(),
        }
    }
}

/// The media type that a value of `TYPE` names, if it names one.
fn type_named(kind: &str, property: &Property) -> Option<String> {
    if let Some((_, media_type)) = TYPES.iter().find(|(name, _)| name.eq_ignore_ascii_case(kind)) {
        return Some((*media_type).to_owned());
    }
    if kind.contains('/') {
        return Some(kind.to_ascii_lowercase());
    }
    let known = ["pref", "home", "work", "internet"].iter().any(|word| word.eq_ignore_ascii_case(kind));
    let image = ["PHOTO", "LOGO"].iter().any(|name| property.is(name));
    (image && !known && !kind.is_empty()).then(|| format!("image/{}", kind.to_ascii_lowercase()))
}

/// The media type, without parameters, and the data of a `data:` URI in base64.
fn data_uri(value: &str) -> Option<(String, &str)> {
    let rest = value.trim_start();
    let scheme = rest.get(..5)?;
    if !scheme.eq_ignore_ascii_case("data:") {
        return None;
    }
    // The comma and the semicolon are escaped by programs that take the value for text.
    let (head, data) = rest.get(5..)?.split_once(',')?;
    let head = head.trim_end_matches('\\').replace('\\', "").to_ascii_lowercase();
    let media_type = head.strip_suffix(";base64")?;
    Some((media_type.split(';').next().unwrap_or_default().to_owned(), data))
}

fn decode(data: &str) -> Option<Vec<u8>> {
    let data: Vec<u8> = data.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
    ENGINE.decode(data).ok()
}

const ENGINE: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

const TYPES: [(&str, &str); 9] = [
    ("JPEG", "image/jpeg"),
    ("JPG", "image/jpeg"),
    ("PNG", "image/png"),
    ("GIF", "image/gif"),
    ("X509", "application/pkix-cert"),
    ("PGP", "application/pgp-keys"),
    ("BASIC", "audio/basic"),
    ("WAVE", "audio/wav"),
    ("OGG", "audio/ogg"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_hold_the_same_bytes() {
        let mut photo =
            Property::raw("PHOTO", "AQI D").with("ENCODING", "b").with("TYPE", "jpg").with("TYPE", "pref");
        let media = photo.media().expect("bytes");
        assert_eq!(media, Media { media_type: "image/jpeg".to_owned(), bytes: vec![1, 2, 3] });
        media.put(&mut photo, Version::V4);
        assert_eq!(photo.value, "data:image/jpeg;base64,AQID");
        assert_eq!(photo.types().collect::<Vec<_>>(), ["pref"]);
        assert_eq!(photo.media(), Some(media.clone()));
        media.put(&mut photo, Version::V3);
        assert_eq!(photo.media(), Some(media));
        let escaped = Property::raw("PHOTO", r"data:image/png\;base64\,AQID");
        assert_eq!(escaped.media().map(|media| media.media_type).as_deref(), Some("image/png"));
    }

    #[test]
    fn addresses_are_no_bytes() {
        assert_eq!(Property::raw("PHOTO", "https://example.org/a.jpg").with("VALUE", "uri").media(), None);
        assert_eq!(Property::raw("PHOTO", "!!!").with("ENCODING", "b").media(), None);
        assert_eq!(
            Property::raw("LOGO", "QQ==").with("ENCODING", "b").media().map(|m| m.bytes),
            Some(b"A".to_vec())
        );
    }
}
