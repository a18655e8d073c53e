//! MAPI's structures: little-endian numbers one after another.

/// The structure ends before its last field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CutOff;

/// Reads fields from the front.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn bytes(&mut self, length: usize) -> Result<&'a [u8], CutOff> {
        let (bytes, rest) = self.0.split_at_checked(length).ok_or(CutOff)?;
        self.0 = rest;
        Ok(bytes)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], CutOff> {
        let (bytes, rest) = self.0.split_first_chunk::<N>().ok_or(CutOff)?;
        self.0 = rest;
        Ok(*bytes)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, CutOff> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(crate) fn u16(&mut self) -> Result<u16, CutOff> {
        self.array().map(u16::from_le_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, CutOff> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn i32(&mut self) -> Result<i32, CutOff> {
        self.array().map(i32::from_le_bytes)
    }

    /// Octets with their length in front, as four octets.
    pub(crate) fn block(&mut self) -> Result<&'a [u8], CutOff> {
        let length = self.u32()?;
        self.bytes(usize::try_from(length).unwrap_or(usize::MAX))
    }

    /// Numbers with their count in front, as four octets.
    pub(crate) fn numbers(&mut self) -> Result<Vec<u32>, CutOff> {
        let count = usize::try_from(self.u32()?).unwrap_or(usize::MAX);
        // Not more room than there can be numbers.
        let octets = self.bytes(count.checked_mul(4).ok_or(CutOff)?)?;
        let (numbers, _) = octets.as_chunks::<4>();
        Ok(numbers.iter().map(|number| u32::from_le_bytes(*number)).collect())
    }

    /// So many UTF-16 code units; what is no UTF-16 becomes U+FFFD.
    pub(crate) fn utf16(&mut self, units: usize) -> Result<String, CutOff> {
        let bytes = self.bytes(units.checked_mul(2).ok_or(CutOff)?)?;
        let units =
            bytes.chunks_exact(2).map(|unit| unit.iter().rev().fold(0, |n, b| n << 8 | u16::from(*b)));
        Ok(char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect())
    }
}

/// Appends UTF-16 code units.
pub(crate) fn put_utf16(out: &mut Vec<u8>, text: &str) {
    out.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
}

pub(crate) fn put_u16(out: &mut Vec<u8>, number: u16) {
    out.extend_from_slice(&number.to_le_bytes());
}

pub(crate) fn put_u32(out: &mut Vec<u8>, number: u32) {
    out.extend_from_slice(&number.to_le_bytes());
}

/// Appends a count or a length of four octets.
pub(crate) fn put_length(out: &mut Vec<u8>, length: usize) {
    put_u32(out, u32::try_from(length).unwrap_or(u32::MAX));
}

/// Appends octets with their length in front.
pub(crate) fn put_block(out: &mut Vec<u8>, octets: &[u8]) {
    put_length(out, octets.len());
    out.extend_from_slice(octets);
}
