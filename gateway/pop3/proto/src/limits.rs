/// What a peer may make this crate hold. There is no unlimited variant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Octets of a command line with its CRLF. RFC 2449 §4 says 255; long user names and passwords want
    /// more.
    pub command_line: usize,
    /// Octets of a line in a SASL exchange, an initial response included (RFC 5034 §4: at least 12288).
    pub auth_line: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { command_line: 1024, auth_line: 12288 }
    }
}
