//! Numbers and byte strings in Kontor's binary encodings: LEB128 of at most ten bytes, and a length before bytes.

/// The input ended too early, or a number does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

pub(crate) fn put(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

pub(crate) fn take(rest: &mut &[u8]) -> Result<u64, Malformed> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let byte = take_byte(rest)?;
        let bits = u64::from(byte & 0x7f);
        if bits << shift >> shift != bits {
            return Err(Malformed);
        }
        value |= bits << shift;
        if byte < 0x80 {
            return Ok(value);
        }
    }
    Err(Malformed)
}

pub(crate) fn take_usize(rest: &mut &[u8]) -> Result<usize, Malformed> {
    usize::try_from(take(rest)?).map_err(|_| Malformed)
}

pub(crate) fn take_byte(rest: &mut &[u8]) -> Result<u8, Malformed> {
    let (&byte, after) = rest.split_first().ok_or(Malformed)?;
    *rest = after;
    Ok(byte)
}

pub(crate) fn take_array<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], Malformed> {
    let (array, after) = rest.split_first_chunk::<N>().ok_or(Malformed)?;
    *rest = after;
    Ok(*array)
}

pub(crate) fn take_bytes<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], Malformed> {
    let length = take_usize(rest)?;
    let (bytes, after) = rest.split_at_checked(length).ok_or(Malformed)?;
    *rest = after;
    Ok(bytes)
}
