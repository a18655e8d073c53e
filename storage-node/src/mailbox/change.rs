//! The entries of a folder's change log.

use super::ranges::{Ranges, leb128, read_leb128};

/// What one write did to the state of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// `flags = flags & !remove | add` for each.
    Flags { add: u64, remove: u64, uids: Ranges },
    /// They left the folder.
    Gone {
        /// To Recoverable Items; otherwise for good.
        soft: bool,
        uids: Ranges,
    },
}

impl Change {
    /// `change_log.kind`.
    pub fn kind(&self) -> i16 {
        match self {
            Change::Flags { .. } => KIND_FLAGS,
            Change::Gone { .. } => KIND_GONE,
        }
    }

    /// `change_log.payload`: a version, then LEB128 fields, then the UIDs.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        match self {
            Change::Flags { add, remove, uids } => {
                leb128(*add, &mut out);
                leb128(*remove, &mut out);
                uids.encode(&mut out);
            }
            Change::Gone { soft, uids } => {
                leb128(u64::from(*soft), &mut out);
                uids.encode(&mut out);
            }
        }
        out
    }

    /// None for a kind or a version that is not known.
    pub fn decode(kind: i16, payload: &[u8]) -> Option<Change> {
        let (&version, mut bytes) = payload.split_first()?;
        if version != VERSION {
            return None;
        }
        match kind {
            KIND_FLAGS => {
                let add = read_leb128(&mut bytes)?;
                let remove = read_leb128(&mut bytes)?;
                Some(Change::Flags { add, remove, uids: Ranges::decode(bytes)? })
            }
            KIND_GONE => {
                let soft = read_leb128(&mut bytes)? != 0;
                Some(Change::Gone { soft, uids: Ranges::decode(bytes)? })
            }
            _ => None,
        }
    }
}

pub(crate) const KIND_FLAGS: i16 = 1;
pub(crate) const KIND_GONE: i16 = 2;
pub(crate) const KIND_FOLDER_GONE: i16 = 4;
const VERSION: u8 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_encoded_decodes() {
        let uids = Ranges::from_wire(&[1, 5, 9, 9]).expect("pairs");
        for change in [
            Change::Flags { add: 1, remove: u64::MAX, uids: uids.clone() },
            Change::Gone { soft: true, uids: uids.clone() },
            Change::Gone { soft: false, uids },
        ] {
            assert_eq!(Change::decode(change.kind(), &change.encode()), Some(change));
        }
        assert_eq!(Change::decode(KIND_FLAGS, &[]), None);
        assert_eq!(Change::decode(9, &[1, 0, 0]), None);
    }
}
