//! The CAPA list (RFC 2449 §5).

/// What CAPA offers now; it differs by state and by encryption.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// STLS can be given.
    pub stls: bool,
    /// USER and PASS can be given.
    pub user: bool,
    /// Names of SASL mechanisms that can be used.
    pub sasl: Vec<&'static str>,
    /// Shown as IMPLEMENTATION, after login only.
    pub implementation: Option<String>,
}

impl Capabilities {
    /// Appends the whole response.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"+OK Capability list follows\r\n");
        if self.stls {
            out.extend_from_slice(b"STLS\r\n");
        }
        if self.user {
            out.extend_from_slice(b"USER\r\n");
        }
        if !self.sasl.is_empty() {
            out.extend_from_slice(format!("SASL {}\r\n", self.sasl.join(" ")).as_bytes());
        }
        out.extend_from_slice(
            b"TOP\r\nUIDL\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\nPIPELINING\r\nUTF8 USER\r\nEXPIRE NEVER\r\n",
        );
        if let Some(implementation) = &self.implementation {
            out.extend_from_slice(format!("IMPLEMENTATION {implementation}\r\n").as_bytes());
        }
        out.extend_from_slice(b".\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_ends_with_a_dot() {
        let mut out = Vec::new();
        Capabilities { stls: true, sasl: vec!["PLAIN", "LOGIN"], ..Capabilities::default() }.write(&mut out);
        let text = String::from_utf8(out).unwrap();
        assert!(
            text.starts_with("+OK Capability list follows\r\nSTLS\r\nSASL PLAIN LOGIN\r\nTOP\r\n"),
            "{text}"
        );
        assert!(text.ends_with("\r\n.\r\n") && !text.contains("USER\r\nSASL"), "{text}");
    }
}
